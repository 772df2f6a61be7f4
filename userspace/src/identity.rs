// SPDX-License-Identifier: GPL-2.0

//! Certificates and private keys: files in, the payload of a `tls_identity` key out, and in between
//! sentences about what is wrong, where the kernel can only give an error number.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64ct::{Base64, Encoding};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::Certificate;
use zeroize::Zeroizing;

/// Limits of the kernel.
const MAX_PAYLOAD: usize = 32768;
const MAX_CERTS: usize = 16;

/// What is longer is no certificate, key or response, but a device or a file of another kind.
const MAX_FILE: u64 = 1 << 20;

const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const OID_ANY_EKU: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const OID_SHA1_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const OID_SHA1_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// Reads a small file, which may hold a private key.
pub fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = fs::File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!(
            "it has more than {MAX_FILE} bytes"
        )));
    }
    if bytes.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(bytes)
}

/// How bad something is that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing; it has been put right.
    Note,
    /// The identity can be loaded, but clients or people may not like it.
    Warning,
    /// There is no identity.
    Error,
}

/// A sentence about files, certificates or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{what}: {}", self.text)
    }
}

/// What was found, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.0.push(Finding { level, text });
    }

    /// The worst of them.
    pub fn worst(&self) -> Option<Level> {
        self.0.iter().map(|f| f.level).max()
    }
}

/// A public key, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Ec {
        curve: Option<ObjectIdentifier>,
        /// Empty if a private key comes without it.
        point: Vec<u8>,
    },
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Other(ObjectIdentifier),
}

impl PublicKey {
    fn bits(modulus: &[u8]) -> usize {
        modulus
            .first()
            .map_or(0, |b| modulus.len() * 8 - b.leading_zeros() as usize)
    }

    /// Whether the kernel can sign with it, or why not.
    fn usable(&self) -> Result<(), String> {
        match self {
            Self::Ec {
                curve: Some(OID_P256),
                ..
            } => Ok(()),
            Self::Rsa { modulus, exponent }
                if matches!(Self::bits(modulus), 2048 | 3072 | 4096)
                    && (17..=32).contains(&Self::bits(exponent)) =>
            {
                Ok(())
            }
            Self::Rsa { modulus, exponent }
                if matches!(Self::bits(modulus), 2048 | 3072 | 4096) =>
            {
                Err(format!(
                    "the kernel signs with RSA keys whose public exponent is 65537 (or up to 32 \
                     bits long), and that of this key is {}; get a certificate for another key",
                    exponent_text(exponent)
                ))
            }
            _ => Err(format!(
                "the kernel signs with P-256 or with RSA of 2048, 3072 or 4096 bits, and this key \
                 is {self}; get a certificate for another key (certbot: --key-type ecdsa \
                 --elliptic-curve secp256r1)"
            )),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ec { curve: a, point: p }, Self::Ec { curve: b, point: q }) => {
                a == b && (p.is_empty() || q.is_empty() || same_point(p, q))
            }
            _ => self == other,
        }
    }
}

/// A public exponent for people.
fn exponent_text(exponent: &[u8]) -> String {
    match exponent.len() {
        0..=8 => exponent
            .iter()
            .fold(0u64, |n, b| n << 8 | u64::from(*b))
            .to_string(),
        _ => format!("of {} bits", PublicKey::bits(exponent)),
    }
}

/// Points are compressed (02, 03) or not (04): the x coordinate and the parity of y tell.
fn same_point(a: &[u8], b: &[u8]) -> bool {
    fn short(p: &[u8]) -> Option<(u8, &[u8])> {
        let (form, rest) = p.split_first()?;
        match form {
            2 | 3 => Some((*form, rest)),
            4 => Some((2 + (rest.last()? & 1), &rest[..rest.len() / 2])),
            _ => None,
        }
    }
    short(a).is_some() && short(a) == short(b)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec { curve: Some(c), .. } => f.write_str(match c.to_string().as_str() {
                "1.2.840.10045.3.1.7" => "P-256",
                "1.3.132.0.34" => "P-384",
                "1.3.132.0.35" => "P-521",
                "1.3.132.0.10" => "secp256k1",
                other => other,
            }),
            Self::Ec { curve: None, .. } => f.write_str("of an unnamed curve"),
            Self::Rsa { modulus, .. } => write!(f, "RSA, {} bits", Self::bits(modulus)),
            Self::Other(oid) => f.write_str(match oid.to_string().as_str() {
                "1.3.101.112" => "Ed25519",
                "1.3.101.113" => "Ed448",
                "1.2.840.113549.1.1.10" => "RSASSA-PSS only (rsassaPss)",
                other => other,
            }),
        }
    }
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Cert {
    pub der: Vec<u8>,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: u64,
    pub not_after: u64,
    pub until: String,
    pub from: String,
    pub key: PublicKey,
    pub names: Vec<String>,
    pub subject_name: Vec<u8>,
    pub issuer_name: Vec<u8>,
    subject_key: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
    signature: ObjectIdentifier,
    signs: bool,
    for_servers: bool,
}

impl Cert {
    /// Parses DER.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        let cert = Certificate::from_der(bytes).map_err(|e| e.to_string())?;
        let tbs = cert.tbs_certificate();
        let spki = tbs.subject_public_key_info();
        let validity = tbs.validity();
        let bits = spki.subject_public_key.raw_bytes();
        let key = if spki.algorithm.oid == OID_EC {
            PublicKey::Ec {
                curve: spki
                    .algorithm
                    .parameters
                    .as_ref()
                    .and_then(|p| p.decode_as().ok()),
                point: bits.to_vec(),
            }
        } else if spki.algorithm.oid == OID_RSA {
            let rsa = pkcs1::RsaPublicKeyRef::from_der(bits).map_err(|e| e.to_string())?;
            PublicKey::Rsa {
                modulus: rsa.modulus.as_bytes().to_vec(),
                exponent: rsa.public_exponent.as_bytes().to_vec(),
            }
        } else {
            PublicKey::Other(spki.algorithm.oid)
        };
        // An extension that cannot be read is as good as none: the kernel has its own view.
        let san = tbs.get_extension::<SubjectAltName>().ok().flatten();
        let names = san.map_or_else(Vec::new, |(_, san)| {
            san.0
                .iter()
                .filter_map(|n| match n {
                    GeneralName::DnsName(n) => Some(n.to_string().to_ascii_lowercase()),
                    _ => None,
                })
                .collect()
        });
        let usage = tbs.get_extension::<KeyUsage>().ok().flatten();
        let extended = tbs.get_extension::<ExtendedKeyUsage>().ok().flatten();
        let subject_key = tbs.get_extension::<SubjectKeyIdentifier>().ok().flatten();
        let authority_key = tbs.get_extension::<AuthorityKeyIdentifier>().ok().flatten();
        Ok(Self {
            der: bytes.to_vec(),
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            serial: hex(tbs.serial_number().as_bytes()),
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            from: validity.not_before.to_date_time().to_string(),
            until: validity.not_after.to_date_time().to_string(),
            key,
            names,
            subject_name: tbs.subject().to_der().map_err(|e| e.to_string())?,
            issuer_name: tbs.issuer().to_der().map_err(|e| e.to_string())?,
            subject_key: subject_key.map(|(_, k)| k.0.as_bytes().to_vec()),
            authority_key: authority_key
                .and_then(|(_, k)| k.key_identifier)
                .map(|k| k.as_bytes().to_vec()),
            signature: cert.signature_algorithm().oid,
            signs: usage.is_none_or(|(_, u)| u.digital_signature()),
            for_servers: extended.is_none_or(|(_, e)| {
                e.0.iter()
                    .any(|o| *o == OID_SERVER_AUTH || *o == OID_ANY_EKU)
            }),
        })
    }

    fn is_issuer_of(&self, other: &Self) -> bool {
        self.subject_name == other.issuer_name
            && match (&self.subject_key, &other.authority_key) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            }
    }

    fn is_self_issued(&self) -> bool {
        self.is_issuer_of(self)
    }

    /// How it is called in sentences.
    pub fn title(&self) -> &str {
        self.names.first().unwrap_or(&self.subject)
    }

    fn check_time(&self, what: &str, now: u64, findings: &mut Findings) {
        if now > self.not_after {
            let days = (now - self.not_after) / 86400;
            findings.add(
                Level::Warning,
                format!(
                    "{what} of \"{}\" has expired, on {}, {days} days ago: renew it",
                    self.title(),
                    self.until
                ),
            );
        } else if now < self.not_before {
            findings.add(
                Level::Warning,
                format!(
                    "{what} of \"{}\" is not valid before {}: is the clock right?",
                    self.title(),
                    self.from
                ),
            );
        } else if self.not_after - now < 7 * 86400 {
            let days = (self.not_after - now) / 86400;
            findings.add(
                Level::Warning,
                format!("{what} of \"{}\" expires in {days} days", self.title()),
            );
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A private key in the form that the kernel takes.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
    origin: String,
}

/// A DER element; its contents come from a file of at most [`MAX_FILE`] bytes.
fn tlv(tag: u8, contents: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let len: usize = contents.iter().map(|c| c.len()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(len + 5));
    out.push(tag);
    match len {
        0..=127 => out.push(len as u8),
        128..=255 => out.extend_from_slice(&[0x81, len as u8]),
        256..=0xffff => out.extend_from_slice(&[0x82, (len >> 8) as u8, len as u8]),
        _ => out.extend_from_slice(&[0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
    }
    for c in contents {
        out.extend_from_slice(c);
    }
    out
}

impl PrivateKey {
    fn from_pkcs8(bytes: &[u8]) -> Result<Self, String> {
        let info = pkcs8::PrivateKeyInfoRef::from_der(bytes).map_err(|e| e.to_string())?;
        let inner = info.private_key.as_bytes();
        let public = if info.algorithm.oid == OID_EC {
            let key = sec1::EcPrivateKey::from_der(inner).map_err(|e| e.to_string())?;
            PublicKey::Ec {
                curve: info.algorithm.parameters.and_then(|p| p.decode_as().ok()),
                point: key.public_key.unwrap_or_default().to_vec(),
            }
        } else if info.algorithm.oid == OID_RSA {
            Self::rsa_public(inner)?
        } else {
            PublicKey::Other(info.algorithm.oid)
        };
        Ok(Self {
            pkcs8: Zeroizing::new(bytes.to_vec()),
            public,
            origin: String::new(),
        })
    }

    fn rsa_public(bytes: &[u8]) -> Result<PublicKey, String> {
        let key = pkcs1::RsaPrivateKeyRef::from_der(bytes).map_err(|e| e.to_string())?;
        Ok(PublicKey::Rsa {
            modulus: key.modulus.as_bytes().to_vec(),
            exponent: key.public_exponent.as_bytes().to_vec(),
        })
    }

    /// PKCS#8 around an older form (RFC 5958, section 2).
    fn wrap(oid: &ObjectIdentifier, parameters: &[u8], key: &[u8]) -> Result<Self, String> {
        let oid = oid.to_der().map_err(|e| e.to_string())?;
        let algorithm = tlv(0x30, &[&oid, parameters]);
        Self::from_pkcs8(&tlv(0x30, &[&[2, 1, 0], &algorithm, &tlv(4, &[key])]))
    }

    /// PKCS#8 names the curve, so the key in it does not (RFC 5915, section 1).
    fn from_sec1(bytes: &[u8]) -> Result<Self, String> {
        let mut key = sec1::EcPrivateKey::from_der(bytes).map_err(|e| e.to_string())?;
        let curve = key.parameters.take().and_then(|p| p.named_curve()).ok_or(
            "it names no curve; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
        )?;
        let curve = curve.to_der().map_err(|e| e.to_string())?;
        let inner = Zeroizing::new(key.to_der().map_err(|e| e.to_string())?);
        Self::wrap(&OID_EC, &curve, &inner)
    }

    fn from_pkcs1(bytes: &[u8]) -> Result<Self, String> {
        Self::rsa_public(bytes)?;
        Self::wrap(&OID_RSA, &[5, 0], bytes)
    }
}

/// All that a few files hold.
#[derive(Default)]
pub struct Material {
    certs: Vec<Cert>,
    keys: Vec<PrivateKey>,
    pub findings: Findings,
}

impl Material {
    /// Reads files, each of which may hold certificates, a private key or both, PEM or DER.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Self {
        let mut out = Self::default();
        for path in paths {
            let path = path.as_ref();
            let name = path.display().to_string();
            let keys = out.keys.len();
            match read_file(path) {
                Ok(bytes) => out.take(&name, &bytes),
                Err(err) => out
                    .findings
                    .add(Level::Error, format!("{name} cannot be read: {err}")),
            }
            if out.keys.len() > keys {
                out.check_mode(path, &name);
            }
        }
        out
    }

    fn check_mode(&mut self, path: &Path, name: &str) {
        let Ok(meta) = fs::metadata(path) else { return };
        let mode = meta.mode() & 0o777;
        if mode & 0o004 != 0 {
            self.findings.add(
                Level::Warning,
                format!(
                    "{name} holds a private key and everybody can read it (mode {mode:o}): \
                     chmod 600 {name}, and think of the key as known"
                ),
            );
        }
    }

    /// Takes what a file holds.
    pub fn take(&mut self, name: &str, bytes: &[u8]) {
        let before = (self.certs.len(), self.keys.len(), self.findings.0.len());
        if bytes.windows(11).any(|w| w == b"-----BEGIN ") {
            self.take_pem(name, bytes);
        } else {
            self.take_der(name, bytes);
        }
        if before == (self.certs.len(), self.keys.len(), self.findings.0.len()) {
            let text = match other_form(bytes) {
                Some(form) => format!("{name} holds {form}"),
                None => {
                    format!("{name} holds neither a certificate nor a private key, in PEM or DER")
                }
            };
            self.findings.add(Level::Error, text);
        }
    }

    fn take_pem(&mut self, name: &str, bytes: &[u8]) {
        let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
        let mut rest = text.as_str();
        while let Some(start) = rest.find("-----BEGIN ") {
            rest = &rest[start + 11..];
            let Some((label, body)) = rest.split_once("-----") else {
                break;
            };
            let end = format!("-----END {label}-----");
            let Some((body, after)) = body.split_once(end.as_str()) else {
                let text = format!("{name}: \"BEGIN {label}\" has no end: the file is cut off");
                self.findings.add(Level::Error, text);
                return;
            };
            rest = after;
            if label == "ENCRYPTED PRIVATE KEY" || body.contains("ENCRYPTED") {
                let text = format!(
                    "{name}: the private key is encrypted; decrypt it with openssl pkey -in \
                     {name} -out FILE, or pipe that into tlshs as /dev/stdin"
                );
                self.findings.add(Level::Error, text);
                continue;
            }
            let body: Zeroizing<String> =
                Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
            match Base64::decode_vec(&body).map(Zeroizing::new) {
                Ok(der) => self.take_object(name, label, &der),
                Err(_) => {
                    let text = format!("{name}: \"BEGIN {label}\" is not base64");
                    self.findings.add(Level::Error, text);
                }
            }
        }
    }

    fn take_object(&mut self, name: &str, label: &str, der: &[u8]) {
        let key = match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                // What openssl trusts it for comes behind a trusted one.
                let len = match label {
                    "TRUSTED CERTIFICATE" => element_len(der).unwrap_or(der.len()),
                    _ => der.len(),
                };
                match Cert::new(&der[..len]) {
                    Ok(cert) => self.certs.push(cert),
                    Err(err) => self.findings.add(
                        Level::Error,
                        format!("{name}: a certificate is malformed: {err}"),
                    ),
                }
                return;
            }
            "PRIVATE KEY" => PrivateKey::from_pkcs8(der),
            "EC PRIVATE KEY" => PrivateKey::from_sec1(der),
            "RSA PRIVATE KEY" => PrivateKey::from_pkcs1(der),
            // openssl ecparam writes them in front of the key.
            "EC PARAMETERS" => return,
            _ => {
                let text = format!("{name}: \"{label}\" is passed over");
                self.findings.add(Level::Note, text);
                return;
            }
        };
        match key {
            Ok(key) => self.keys.push(PrivateKey {
                origin: name.into(),
                ..key
            }),
            Err(err) => self.findings.add(
                Level::Error,
                format!("{name}: the private key is malformed: {err}"),
            ),
        }
    }

    /// One element of DER after the other, as in the payload of a key.
    fn take_der(&mut self, name: &str, mut bytes: &[u8]) {
        while let Some(len) = element_len(bytes) {
            let (element, rest) = bytes.split_at(len);
            bytes = rest;
            let key = PrivateKey::from_pkcs8(element)
                .or_else(|_| PrivateKey::from_sec1(element))
                .or_else(|_| PrivateKey::from_pkcs1(element));
            if let Ok(key) = key {
                self.keys.push(PrivateKey {
                    origin: name.into(),
                    ..key
                });
            } else if let Ok(cert) = Cert::new(element) {
                self.certs.push(cert);
            } else {
                return;
            }
        }
    }

    /// Puts it in order and tells what is wrong with it.
    pub fn assemble(mut self, now: u64) -> (Option<Identity>, Findings) {
        let identity = self.identity(now);
        let fine = self.findings.worst() < Some(Level::Error);
        (identity.filter(|_| fine), self.findings)
    }

    fn identity(&mut self, now: u64) -> Option<Identity> {
        let Self {
            certs,
            keys,
            findings,
        } = self;
        if keys.len() > 1 {
            let all: Vec<_> = keys.iter().map(|k| k.origin.as_str()).collect();
            findings.add(
                Level::Error,
                format!(
                    "there are {} private keys ({}): give one",
                    keys.len(),
                    all.join(", ")
                ),
            );
            return None;
        }
        let missing = match (keys.is_empty(), certs.is_empty()) {
            (true, true) => "there is neither a private key nor a certificate",
            (true, false) => "there is no private key: name its file, too (certbot: privkey.pem)",
            (false, true) => "there is no certificate: name its file, too (certbot: fullchain.pem)",
            (false, false) => "",
        };
        if !missing.is_empty() {
            // Files that could not be read say it better.
            if findings.worst() != Some(Level::Error) {
                findings.add(Level::Error, missing);
            }
            return None;
        }
        let key = keys.pop()?;
        if let Err(why) = key.public.usable() {
            findings.add(Level::Error, format!("{}: {why}", key.origin));
            return None;
        }
        let chain = chain(certs, &key, findings)?;
        check_chain(&chain, now, findings);

        let mut payload = Zeroizing::new(Vec::new());
        for cert in &chain {
            payload.extend_from_slice(&cert.der);
        }
        payload.extend_from_slice(&key.pkcs8);
        if chain.len() > MAX_CERTS {
            findings.add(
                Level::Error,
                format!("{} certificates are more than {MAX_CERTS}", chain.len()),
            );
        }
        let identity = Identity { chain, payload };
        identity.check_size(findings);
        Some(identity)
    }
}

/// What openssl can convert, for a sentence.
fn other_form(bytes: &[u8]) -> Option<&'static str> {
    let [0x30, len, ..] = *bytes else {
        return None;
    };
    let head = 2 + if len > 0x80 {
        usize::from(len & 0x7f)
    } else {
        0
    };
    let body = bytes.get(head..)?;
    // An algorithm of PKCS #5 or #12 in the place of a version: EncryptedPrivateKeyInfo.
    let oids: [&[u8]; 2] = [
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x05",
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c",
    ];
    let start = &body[..body.len().min(24)];
    if body.starts_with(&[0x30]) && oids.iter().any(|o| start.windows(o.len()).any(|w| w == *o)) {
        return Some(
            "an encrypted private key; decrypt it with openssl pkey -inform DER -in OLD -out NEW",
        );
    }
    // PFX (RFC 7292, section 4): version 3, and a ContentInfo.
    body.starts_with(&[2, 1, 3, 0x30])
        .then_some("PKCS #12; convert it with openssl pkcs12 -nodes -in OLD -out NEW")
}

/// The length of the DER element that comes first, if it is a whole SEQUENCE.
fn element_len(bytes: &[u8]) -> Option<usize> {
    let (head, len) = match *bytes {
        [0x30, len @ 0..=127, ..] => (2, usize::from(len)),
        [0x30, 0x81, a, ..] => (3, usize::from(a)),
        [0x30, 0x82, a, b, ..] => (4, usize::from(u16::from_be_bytes([a, b]))),
        _ => return None,
    };
    (bytes.len() >= head + len).then_some(head + len)
}

/// The leaf, and its issuers one after the other without the root.
fn chain(certs: &[Cert], key: &PrivateKey, findings: &mut Findings) -> Option<Vec<Cert>> {
    let leaf = certs.iter().position(|c| c.key.is_same(&key.public));
    let Some(leaf) = leaf else {
        findings.add(
            Level::Error,
            format!(
                "the private key of {} ({}) belongs to none of the certificates; the first is for \
                 \"{}\" ({}): files of different renewals or names?",
                key.origin,
                key.public,
                certs[0].title(),
                certs[0].key
            ),
        );
        return None;
    };
    let mut used = vec![leaf];
    loop {
        let last = &certs[used[used.len() - 1]];
        if last.is_self_issued() {
            break;
        }
        let next = (0..certs.len()).find(|i| !used.contains(i) && certs[*i].is_issuer_of(last));
        match next {
            Some(i) => used.push(i),
            None => break,
        }
    }
    let mut left_out = None;
    if used.len() > 1 && certs[used[used.len() - 1]].is_self_issued() {
        let root = used.pop()?;
        left_out = Some(root);
        findings.add(
            Level::Note,
            format!(
                "the root \"{}\" is left out: clients have their own",
                certs[root].subject
            ),
        );
    }
    if leaf != 0 {
        findings.add(
            Level::Note,
            "the leaf was not the first certificate: the chain has been put in order",
        );
    } else if used.windows(2).any(|w| w[0] > w[1]) {
        findings.add(Level::Note, "the chain has been put in order");
    }
    // Not those that are there twice.
    let known = |c: &Cert| used.iter().chain(&left_out).any(|i| certs[*i].der == c.der);
    let unused: Vec<_> = certs
        .iter()
        .enumerate()
        .filter(|(_, c)| !known(c))
        .map(|(_, c)| format!("\"{}\"", c.subject))
        .collect();
    if !unused.is_empty() {
        findings.add(
            Level::Warning,
            format!("no part of the chain, and left out: {}", unused.join(", ")),
        );
    }
    Some(used.into_iter().map(|i| certs[i].clone()).collect())
}

fn check_chain(chain: &[Cert], now: u64, findings: &mut Findings) {
    let leaf = &chain[0];
    leaf.check_time("the certificate", now, findings);
    for cert in &chain[1..] {
        cert.check_time("the intermediate certificate", now, findings);
    }
    if leaf.is_self_issued() {
        findings.add(
            Level::Note,
            "the certificate is self-signed: only clients that were told accept it",
        );
    } else if chain.len() == 1 {
        findings.add(
            Level::Warning,
            format!(
                "the certificate of the issuer, \"{}\", is missing: many clients refuse a leaf on \
                 its own (certbot: give fullchain.pem, not cert.pem)",
                leaf.issuer
            ),
        );
    }
    if leaf.names.is_empty() {
        findings.add(
            Level::Warning,
            "the certificate has no DNS name in its subjectAltName: the kernel uses it for clients \
             without a known name only, and browsers refuse it",
        );
    }
    if !leaf.signs {
        findings.add(
            Level::Error,
            "the certificate's keyUsage does not allow digitalSignature, which TLS 1.3 needs",
        );
    }
    if !leaf.for_servers {
        findings.add(
            Level::Warning,
            "the certificate's extendedKeyUsage does not name serverAuth: clients refuse it",
        );
    }
    let signed_by_others = chain.iter().filter(|c| !c.is_self_issued());
    for cert in signed_by_others {
        if matches!(cert.signature, OID_SHA1_RSA | OID_SHA1_EC) {
            findings.add(
                Level::Warning,
                format!(
                    "\"{}\" is signed with SHA-1, which hardly any client accepts",
                    cert.title()
                ),
            );
        }
    }
}

/// What is loaded into the kernel.
pub struct Identity {
    pub chain: Vec<Cert>,
    pub payload: Zeroizing<Vec<u8>>,
}

impl Identity {
    fn check_size(&self, findings: &mut Findings) {
        let len = self.payload.len();
        if len > MAX_PAYLOAD {
            findings.add(
                Level::Error,
                format!("the chain and the key take {len} bytes, more than {MAX_PAYLOAD}"),
            );
        }
    }

    /// Adds what is stapled: an OCSP response, a list of certificate timestamps.
    pub fn staple(&mut self, ocsp: Option<&[u8]>, sct: Option<&[u8]>, findings: &mut Findings) {
        if let Some(ocsp) = ocsp {
            self.payload.extend_from_slice(ocsp);
        }
        if let Some(sct) = sct {
            self.payload.extend_from_slice(&tlv(4, &[sct]));
        }
        self.check_size(findings);
    }
}

/// The certificates of a payload, or of what reading a key gives.
pub fn certificates(mut bytes: &[u8]) -> Vec<Cert> {
    let mut out = Vec::new();
    while let Some(len) = element_len(bytes) {
        let (element, rest) = bytes.split_at(len);
        bytes = rest;
        match Cert::new(element) {
            Ok(cert) => out.push(cert),
            Err(_) => break,
        }
    }
    out
}

#[cfg(test)]
mod tests;
