// SPDX-License-Identifier: GPL-2.0

//! Server identities: what is in the payload of a "tls_identity" key, and how they are found.
//!
//! The payload is DER: certificates (RFC 5280), leaf first, a PrivateKeyInfo (PKCS#8, RFC 5208),
//! and what is stapled to the leaf, see [`Staples`], each behind the other. Of the leaf only what
//! concerns this side is read: the public key, to see that the private key belongs to it, keyUsage,
//! the DNS names, and how long it is valid. The chain is not verified: clients do that.

use core::cmp::Reverse;

use crate::engine::crypto::RsaNumbers;
use crate::engine::policy::chain::Signatures;
use crate::engine::policy::name::Name;
use crate::engine::policy::settings::{ClientConstraints, NoIdentity};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::certificate::{self, Staples};
use crate::engine::wire::certificate_authorities::Authorities;
use crate::engine::wire::der::{tag, Der, Malformed};
use crate::engine::wire::names::Scheme;

/// The most certificates in a chain.
pub const MAX_CERTIFICATES: usize = 16;

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// Not DER, or not the structures that it should be.
    Malformed,
    /// No certificate.
    NoCertificate,
    /// More than [`MAX_CERTIFICATES`].
    TooManyCertificates,
    /// No private key.
    NoKey,
    /// Something behind the private key that cannot be stapled to the leaf.
    TrailingData,
    /// Neither P-256 nor RSA.
    UnsupportedAlgorithm,
    /// RSA with another length than 2048, 3072 or 4096 bits, or with a public exponent that is
    /// below 65537 or has more than 32 bits.
    UnsupportedRsa,
    /// The private key is not the one of the leaf.
    Mismatch,
    /// The private key's numbers do not fit together.
    BadKey,
    /// The leaf's keyUsage does not allow signatures.
    KeyUsage,
}

impl From<Malformed> for IdentityError {
    fn from(_: Malformed) -> Self {
        IdentityError::Malformed
    }
}

impl IdentityError {
    /// For messages.
    pub const fn as_str(self) -> &'static core::ffi::CStr {
        match self {
            IdentityError::Malformed => c"malformed DER",
            IdentityError::NoCertificate => c"no certificate",
            IdentityError::TooManyCertificates => c"too many certificates",
            IdentityError::NoKey => c"no private key",
            IdentityError::TrailingData => c"bad OCSP response or timestamps, or other data",
            IdentityError::UnsupportedAlgorithm => c"key is neither P-256 nor RSA",
            IdentityError::UnsupportedRsa => c"RSA key of unsupported length or exponent",
            IdentityError::Mismatch => c"private key does not match the certificate",
            IdentityError::BadKey => c"inconsistent private key",
            IdentityError::KeyUsage => c"certificate is not for signatures",
        }
    }
}

mod oid {
    /// id-ecPublicKey, 1.2.840.10045.2.1.
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    /// prime256v1, 1.2.840.10045.3.1.7.
    pub(super) const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// rsaEncryption, 1.2.840.113549.1.1.1.
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    /// id-ce-keyUsage, 2.5.29.15.
    pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    /// id-ce-subjectAltName, 2.5.29.17.
    pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
}

/// An algorithm that keys are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    P256,
    Rsa,
}

/// A public key, as the leaf has it.
pub enum PublicKey<'a> {
    /// A point, compressed or not, see [`is_point`].
    P256(&'a [u8]),
    /// Modulus and exponent, big-endian without leading zeroes.
    Rsa {
        /// The modulus.
        n: &'a [u8],
        /// The public exponent.
        e: &'a [u8],
    },
}

/// A private key, as PKCS#8 has it.
pub enum PrivateKey<'a> {
    /// The scalar, big-endian.
    P256(&'a [u8]),
    /// The numbers of RSAPrivateKey.
    Rsa(RsaNumbers<'a>),
}

/// Whether an encoded point (SEC 1, section 2.3.3) is the one that is given without compression.
/// RFC 5480, section 2.2, allows both forms in certificates, and no hybrid one.
pub fn is_point(point: &[u8; 65], encoded: &[u8]) -> bool {
    match encoded {
        [form @ (2 | 3), x @ ..] => *form == 2 + (point[64] & 1) && *x == point[1..33],
        _ => encoded == point,
    }
}

/// How long a certificate is valid (RFC 5280, section 4.1.2.5), in seconds since 1970, both
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// notBefore.
    pub not_before: i64,
    /// notAfter.
    pub not_after: i64,
}

impl Validity {
    /// Any time.
    pub const ALWAYS: Validity = Validity {
        not_before: i64::MIN,
        not_after: i64::MAX,
    };

    /// The content of the SEQUENCE.
    fn parse(mut times: Der<'_>) -> Result<Self, Malformed> {
        let validity = Validity {
            not_before: times.time()?,
            not_after: times.time()?,
        };
        times.finish()?;
        Ok(validity)
    }

    /// Whether a certificate is valid at a time.
    pub fn contains(&self, now: u64) -> bool {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.not_before <= now && now <= self.not_after
    }
}

/// What the leaf says.
struct Leaf<'a> {
    public: PublicKey<'a>,
    names: &'a [u8],
    validity: Validity,
}

/// A parsed payload.
pub struct Payload<'a> {
    /// The certificates, one behind the other.
    pub chain: &'a [u8],
    /// Their number.
    pub certificates: usize,
    /// Length of certificates and private key.
    pub unstapled_len: usize,
    /// The public key of the leaf.
    pub public: PublicKey<'a>,
    /// The private key.
    pub private: PrivateKey<'a>,
    /// What the certificates are signed with.
    pub signatures: Signatures,
    /// When the leaf is valid.
    pub validity: Validity,
    /// What goes with the leaf.
    pub staples: Staples<'a>,
    /// GeneralNames of the leaf, see [`Payload::dns_names`].
    names: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Parses a payload and checks its form. The caller checks that the keys match, which takes
    /// memory.
    pub fn parse(payload: &'a [u8]) -> Result<Self, IdentityError> {
        let mut rest = Der::new(payload);
        let mut chain_len = 0;
        let mut certificates = 0;
        let mut leaf = None;
        let mut signatures = Signatures::default();
        let key = loop {
            if rest.is_empty() {
                return Err(match certificates {
                    0 => IdentityError::NoCertificate,
                    _ => IdentityError::NoKey,
                });
            }
            let element = rest.element()?;
            if element.tag != tag::SEQUENCE {
                return Err(IdentityError::Malformed);
            }
            // A Certificate begins with a SEQUENCE, a PrivateKeyInfo with an INTEGER.
            match Der::new(element.content).peek() {
                Some(tag::SEQUENCE) => (),
                Some(tag::INTEGER) => break element,
                _ => return Err(IdentityError::Malformed),
            }
            if certificates == MAX_CERTIFICATES {
                return Err(IdentityError::TooManyCertificates);
            }
            certificates += 1;
            signatures.add(element.whole)?;
            chain_len += element.whole.len();
            leaf.get_or_insert(element.content);
        };
        let staples = Staples::parse(rest).map_err(|_| IdentityError::TrailingData)?;
        let leaf = parse_certificate(leaf.ok_or(IdentityError::NoCertificate)?)?;
        let private = parse_private_key(key.content)?;
        Ok(Payload {
            chain: payload.get(..chain_len).ok_or(IdentityError::Malformed)?,
            certificates,
            unstapled_len: chain_len + key.whole.len(),
            public: leaf.public,
            private,
            signatures,
            validity: leaf.validity,
            staples,
            names: leaf.names,
        })
    }

    /// The dNSNames of the leaf's subjectAltName.
    pub fn dns_names(&self) -> impl Iterator<Item = &'a [u8]> {
        const DNS_NAME: u8 = tag::context_primitive(2);
        let mut names = Der::new(self.names);
        core::iter::from_fn(move || loop {
            let element = names.element().ok()?;
            if element.tag == DNS_NAME {
                return Some(element.content);
            }
        })
    }

    /// Length of [`Payload::write_certificate`]'s message.
    pub fn certificate_len(&self) -> usize {
        certificate::len(self.chain, self.certificates)
    }

    /// Writes the Certificate message without what is stapled to the leaf.
    pub fn write_certificate(&self, out: &mut [u8]) -> Result<(), Alert> {
        certificate::write(self.chain, out)
    }
}

fn parse_certificate(content: &[u8]) -> Result<Leaf<'_>, IdentityError> {
    let mut certificate = Der::new(content);
    let mut tbs = certificate.sequence()?;
    tbs.optional(tag::context(0))?;
    tbs.expect(tag::INTEGER)?;
    // signature, issuer.
    for _ in 0..2 {
        tbs.expect(tag::SEQUENCE)?;
    }
    let validity = Validity::parse(tbs.sequence()?)?;
    // subject.
    tbs.expect(tag::SEQUENCE)?;
    let public = parse_public_key(tbs.sequence()?)?;
    tbs.optional(tag::context_primitive(1))?;
    tbs.optional(tag::context_primitive(2))?;
    let extensions = tbs.optional(tag::context(3))?;
    tbs.finish()?;
    certificate.expect(tag::SEQUENCE)?;
    certificate.expect(tag::BIT_STRING)?;
    certificate.finish()?;

    let mut names: &[u8] = &[];
    if let Some(explicit) = extensions {
        let mut explicit = Der::new(explicit);
        let mut list = explicit.sequence()?;
        explicit.finish()?;
        while !list.is_empty() {
            let mut extension = list.sequence()?;
            let id = extension.expect(tag::OBJECT_IDENTIFIER)?;
            extension.optional(tag::BOOLEAN)?;
            let value = extension.expect(tag::OCTET_STRING)?;
            extension.finish()?;
            match id {
                oid::KEY_USAGE => check_key_usage(value)?,
                oid::SUBJECT_ALT_NAME => names = parse_alt_names(value)?,
                _ => (),
            }
        }
    }
    Ok(Leaf {
        public,
        names,
        validity,
    })
}

fn check_key_usage(value: &[u8]) -> Result<(), IdentityError> {
    const DIGITAL_SIGNATURE: u8 = 0x80;
    let mut der = Der::new(value);
    match der.expect(tag::BIT_STRING)? {
        [_, bits, ..] if bits & DIGITAL_SIGNATURE != 0 => Ok(()),
        _ => Err(IdentityError::KeyUsage),
    }
}

fn parse_alt_names(value: &[u8]) -> Result<&[u8], IdentityError> {
    let mut der = Der::new(value);
    let names = der.expect(tag::SEQUENCE)?;
    der.finish()?;
    let mut list = Der::new(names);
    while !list.is_empty() {
        list.element()?;
    }
    Ok(names)
}

/// AlgorithmIdentifier of a key.
fn parse_algorithm(mut der: Der<'_>) -> Result<Algorithm, IdentityError> {
    match der.expect(tag::OBJECT_IDENTIFIER)? {
        oid::RSA => Ok(Algorithm::Rsa),
        oid::EC_PUBLIC_KEY => match der.element() {
            Ok(curve) if curve.content == oid::PRIME256V1 => Ok(Algorithm::P256),
            _ => Err(IdentityError::UnsupportedAlgorithm),
        },
        _ => Err(IdentityError::UnsupportedAlgorithm),
    }
}

/// The content of a SubjectPublicKeyInfo.
fn parse_public_key(mut info: Der<'_>) -> Result<PublicKey<'_>, IdentityError> {
    let algorithm = parse_algorithm(info.sequence()?)?;
    let bits = info.bit_string()?;
    info.finish()?;
    match algorithm {
        Algorithm::P256 => Ok(PublicKey::P256(bits)),
        Algorithm::Rsa => {
            let mut der = Der::new(bits);
            let mut key = der.sequence()?;
            der.finish()?;
            let n = key.unsigned()?;
            let e = key.unsigned()?;
            key.finish()?;
            Ok(PublicKey::Rsa { n, e })
        }
    }
}

/// The content of a PrivateKeyInfo or OneAsymmetricKey (RFC 5958).
fn parse_private_key(content: &[u8]) -> Result<PrivateKey<'_>, IdentityError> {
    let mut info = Der::new(content);
    info.unsigned()?;
    let algorithm = parse_algorithm(info.sequence()?)?;
    let mut key = Der::new(info.expect(tag::OCTET_STRING)?);
    info.optional(tag::context(0))?;
    info.optional(tag::context_primitive(1))?;
    info.finish()?;
    let mut fields = key.sequence()?;
    key.finish()?;
    let version = fields.unsigned()?;
    match algorithm {
        Algorithm::P256 => {
            // ECPrivateKey (RFC 5915), version 1.
            if version != [1] {
                return Err(IdentityError::Malformed);
            }
            Ok(PrivateKey::P256(fields.expect(tag::OCTET_STRING)?))
        }
        Algorithm::Rsa => {
            // RSAPrivateKey (RFC 8017, appendix A.1.2), version 0: two primes.
            if !version.is_empty() {
                return Err(IdentityError::UnsupportedAlgorithm);
            }
            let (n, e) = (fields.unsigned()?, fields.unsigned()?);
            // The private exponent, of which nothing is computed.
            fields.unsigned()?;
            Ok(PrivateKey::Rsa(RsaNumbers {
                n,
                e,
                p: fields.unsigned()?,
                q: fields.unsigned()?,
                dp: fields.unsigned()?,
                dq: fields.unsigned()?,
                qinv: fields.unsigned()?,
            }))
        }
    }
}

/// The identities that [`select`] chooses from.
pub trait NameIndex {
    /// The identities with a (normalized) name, by number.
    fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone;
    /// How many identities there are.
    fn count(&self) -> usize;
    /// The scheme of an identity's key.
    fn scheme(&self, identity: usize) -> Scheme;
    /// The first identity whose key has a scheme, of those that are valid now if there is one.
    fn first(&self, scheme: Scheme, now: u64) -> Option<usize>;
    /// The identities that have the same names as this one, which may be missing among them.
    fn with_same_names(&self, identity: usize) -> impl Iterator<Item = usize>;
    /// When an identity is valid.
    fn validity(&self, identity: usize) -> Validity;
    /// What an identity's certificates are signed with.
    fn signatures(&self, identity: usize) -> Signatures;
    /// Whether one of its certificates has been issued by one of these.
    fn is_issued_by(&self, identity: usize, authorities: &Authorities<'_>) -> bool;
}

/// The place of an identity in the order of preference, less is better; `None` if it must not be
/// used. Prefers a chain that the client says it can verify, then one that is valid now, then one
/// without SHA-1, then one of an authority that it names.
fn preference(
    index: &impl NameIndex,
    id: usize,
    constraints: &ClientConstraints<'_>,
) -> Option<u8> {
    let signatures = index.signatures(id);
    if signatures.are_forbidden(constraints.signatures) {
        return None;
    }
    Some(
        u8::from(!signatures.is_subset_of(constraints.signatures)) * 8
            + u8::from(!index.validity(id).contains(constraints.now)) * 4
            + u8::from(signatures.have_sha1()) * 2
            + u8::from(!index.is_issued_by(id, &constraints.authorities)),
    )
}

/// Chooses an identity. See [`crate::engine::policy::settings::Identities::select`]. Also tells
/// whether it has been found by name.
pub fn select(
    index: &impl NameIndex,
    constraints: &ClientConstraints<'_>,
) -> Result<(usize, bool), NoIdentity> {
    if index.count() == 0 {
        return Err(NoIdentity::Empty);
    }
    if let Some(mut name) = constraints.name.and_then(Name::new) {
        let chosen = name.resolve(|name| {
            let found = index.with_name(name);
            found.clone().next()?;
            let ranked = found.filter_map(|id| {
                let rank = constraints.rank(index.scheme(id))?;
                Some((preference(index, id, constraints)?, rank, newest(index, id)))
            });
            Some(
                ranked
                    .min()
                    .map(|(_, _, (_, id))| id)
                    .ok_or(NoIdentity::NoScheme),
            )
        });
        if let Some(id) = chosen {
            return Ok((id?, true));
        }
    }
    if constraints.name.is_some() && constraints.strict {
        return Err(NoIdentity::UnknownName);
    }
    // The default identity: the first one, or the first with another kind of key.
    let defaults = constraints.schemes.iter().flatten().filter_map(|scheme| {
        let id = index.first(*scheme, constraints.now)?;
        Some((preference(index, id, constraints)?, id))
    });
    let (_, default) = defaults.min().ok_or(NoIdentity::NoScheme)?;
    // Or what is as good as that and valid for longer.
    let scheme = index.scheme(default);
    let equal = index
        .with_same_names(default)
        .filter(|id| index.scheme(*id) == scheme)
        .chain(core::iter::once(default))
        .filter_map(|id| Some((preference(index, id, constraints)?, newest(index, id))));
    let (_, (_, id)) = equal.min().ok_or(NoIdentity::NoScheme)?;
    Ok((id, false))
}

/// For who looks for a minimum: what is valid the longest, then what comes first.
fn newest(index: &impl NameIndex, id: usize) -> (Reverse<i64>, usize) {
    (Reverse(index.validity(id).not_after), id)
}
