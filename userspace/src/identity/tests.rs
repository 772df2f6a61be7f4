// SPDX-License-Identifier: GPL-2.0

//! Keys and certificates as openssl makes them, in the forms and with the mistakes that people have.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory that goes with its owner.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NR: AtomicU32 = AtomicU32::new(0);
        let nr = NR.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tlshs-test-{}-{nr}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn openssl(&self, args: &str) {
        let out = Command::new("openssl")
            .args(args.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("openssl is there");
        assert!(
            out.status.success(),
            "{args}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    fn read(&self, names: &[&str]) -> Material {
        let paths: Vec<_> = names.iter().map(|n| self.path(n)).collect();
        Material::read(&paths)
    }

    /// The findings, and the identity unless there is an error.
    fn assemble(&self, names: &[&str]) -> (Option<Identity>, Vec<Finding>) {
        let (identity, findings) = self.read(names).assemble(crate::keys::now());
        (identity, findings.0)
    }

    fn concat(&self, names: &[&str], to: &str) {
        let all: Vec<u8> = names
            .iter()
            .flat_map(|n| fs::read(self.path(n)).unwrap())
            .collect();
        fs::write(self.path(to), all).unwrap();
        fs::set_permissions(self.path(to), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A root, an intermediate and a leaf with keys of a kind, for some days.
    fn chain(algorithm: &str, days: i32) -> Self {
        let dir = Self::new();
        let key = |name: &str, algorithm: &str| {
            dir.openssl(&format!("genpkey -out {name}.key {algorithm}"));
        };
        let p256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
        key("root", p256);
        key("mid", p256);
        key("leaf", algorithm);
        dir.openssl("req -x509 -key root.key -out root.pem -days 99 -subj /CN=Root");
        fs::write(
            dir.path("ext"),
            "[ca]\nbasicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n\
             authorityKeyIdentifier=keyid\n[leaf]\nsubjectAltName=DNS:A.test,DNS:*.b.test\n\
             authorityKeyIdentifier=keyid\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n\
             [old]\nkeyUsage=keyEncipherment\nextendedKeyUsage=clientAuth\n",
        )
        .unwrap();
        dir.sign("mid", "root", "ca", 60);
        dir.sign("leaf", "mid", "leaf", days);
        dir
    }

    fn sign(&self, name: &str, issuer: &str, ext: &str, days: i32) {
        self.openssl(&format!(
            "req -new -key {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -out \
             {name}.pem -days {days} -extfile ext -extensions {ext}"
        ));
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

fn has(findings: &[Finding], level: Level, text: &str) -> bool {
    findings
        .iter()
        .any(|f| f.level == level && f.text.contains(text))
}

/// What openssl makes of the same files: the payload that the guide describes.
fn payload_of_openssl(dir: &Dir, certs: &[&str], key: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for cert in certs {
        dir.openssl(&format!("x509 -in {cert} -outform DER -out x.der"));
        all.extend(fs::read(dir.path("x.der")).unwrap());
    }
    dir.openssl(&format!(
        "pkcs8 -topk8 -nocrypt -in {key} -outform DER -out x.der"
    ));
    all.extend(fs::read(dir.path("x.der")).unwrap());
    all
}

#[test]
fn each_form_of_a_key_gives_the_same_payload() {
    for (algorithm, old) in [(P256, "ec"), ("-algorithm RSA", "rsa -traditional")] {
        let dir = Dir::chain(algorithm, 40);
        let want = payload_of_openssl(&dir, &["leaf.pem", "mid.pem"], "leaf.key");
        let tool = old.split(' ').next().unwrap();
        let more = &old[tool.len()..];
        dir.openssl(&format!("{tool} -in leaf.key -out old.key{more}"));
        dir.openssl(&format!(
            "{tool} -in leaf.key -out old.der -outform DER{more}"
        ));
        dir.openssl("pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out new.der");
        dir.openssl("x509 -in leaf.pem -outform DER -out leaf.der");
        assert!(fs::read_to_string(dir.path("old.key"))
            .unwrap()
            .contains(&tool.to_uppercase()));
        for key in ["leaf.key", "old.key", "old.der", "new.der"] {
            for leaf in ["leaf.pem", "leaf.der"] {
                let (identity, findings) = dir.assemble(&[leaf, "mid.pem", key]);
                let identity = identity.unwrap_or_else(|| panic!("{key}: {findings:?}"));
                assert!(*identity.payload == want, "{key} {leaf}");
                assert!(findings.is_empty(), "{findings:?}");
            }
        }
        // Our own payload, back.
        fs::write(dir.path("payload"), &want).unwrap();
        assert!(*dir.assemble(&["payload"]).0.unwrap().payload == want);
        assert_eq!(certificates(&want).len(), 2);
    }
}

#[test]
fn names_and_times_are_those_of_the_certificate() {
    let dir = Dir::chain(P256, 40);
    let leaf = &dir
        .assemble(&["leaf.pem", "mid.pem", "leaf.key"])
        .0
        .unwrap()
        .chain[0];
    assert_eq!(leaf.names, ["a.test", "*.b.test"]);
    assert_eq!(leaf.issuer, "CN=mid");
    assert_eq!((leaf.not_after - leaf.not_before) / 86400, 40);
    let out = Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-in"])
        .arg(dir.path("leaf.pem"))
        .output()
        .unwrap();
    let serial = String::from_utf8(out.stdout).unwrap().trim().to_lowercase();
    assert_eq!(serial, format!("serial={}", leaf.serial));
}

#[test]
fn any_order_with_or_without_the_root() {
    let dir = Dir::chain(P256, 40);
    let want = payload_of_openssl(&dir, &["leaf.pem", "mid.pem"], "leaf.key");
    for (files, note) in [
        (["leaf.pem", "mid.pem", "leaf.key"], None),
        (["leaf.key", "mid.pem", "leaf.pem"], Some("put in order")),
    ] {
        dir.concat(&files, "all.pem");
        let (identity, findings) = dir.assemble(&["all.pem"]);
        assert!(*identity.unwrap().payload == want);
        match note {
            Some(note) => assert!(has(&findings, Level::Note, note), "{findings:?}"),
            None => assert!(findings.is_empty(), "{findings:?}"),
        }
    }
    let (identity, findings) = dir.assemble(&["root.pem", "mid.pem", "leaf.pem", "leaf.key"]);
    assert!(*identity.unwrap().payload == want);
    assert!(has(
        &findings,
        Level::Note,
        "the root \"CN=Root\" is left out"
    ));
}

#[test]
fn what_does_not_belong_there() {
    let dir = Dir::chain(P256, 40);
    let other = Dir::chain(P256, 40);
    fs::copy(other.path("leaf.key"), dir.path("other.key")).unwrap();
    fs::copy(other.path("mid.pem"), dir.path("other-mid.pem")).unwrap();
    let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", "other.key"]);
    assert!(identity.is_none());
    assert!(has(
        &findings,
        Level::Error,
        "belongs to none of the certificates"
    ));
    let (identity, findings) = dir.assemble(&["leaf.pem", "leaf.key", "other.key"]);
    assert!(identity.is_none());
    assert!(has(&findings, Level::Error, "2 private keys"));
    // The same name, but another key: it has not issued the leaf.
    let (identity, findings) = dir.assemble(&["leaf.pem", "other-mid.pem", "leaf.key"]);
    assert_eq!(identity.unwrap().chain.len(), 1);
    assert!(has(&findings, Level::Warning, "left out: \"CN=mid\""));
    assert!(has(
        &findings,
        Level::Warning,
        "fullchain.pem, not cert.pem"
    ));
    for (files, text) in [
        (&["leaf.pem"][..], "no private key"),
        (&["leaf.key"], "no certificate"),
        (
            &["ext", "leaf.key"],
            "neither a certificate nor a private key",
        ),
        (&["nowhere", "leaf.key"], "cannot be read"),
    ] {
        let (identity, findings) = dir.assemble(files);
        assert!(identity.is_none());
        assert!(has(&findings, Level::Error, text), "{text}: {findings:?}");
    }
}

#[test]
fn keys_that_the_kernel_cannot_use() {
    for (algorithm, name) in [
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "P-384"),
        ("-algorithm ED25519", "Ed25519"),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            "RSA, 1024 bits",
        ),
    ] {
        let dir = Dir::chain(algorithm, 40);
        let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", "leaf.key"]);
        assert!(identity.is_none());
        assert!(
            has(&findings, Level::Error, &format!("this key is {name}")),
            "{findings:?}"
        );
    }
}

#[test]
fn certificates_that_clients_refuse() {
    let dir = Dir::chain(P256, 40);
    let at = |now| {
        let (identity, findings) = dir.read(&["leaf.pem", "mid.pem", "leaf.key"]).assemble(now);
        assert!(identity.is_some());
        findings.0
    };
    let now = crate::keys::now();
    let expired = at(now + 45 * 86400);
    assert!(
        has(&expired, Level::Warning, "\"a.test\" has expired"),
        "{expired:?}"
    );
    assert!(!has(&expired, Level::Warning, "intermediate"));
    assert!(has(
        &at(now + 65 * 86400),
        Level::Warning,
        "the intermediate certificate of \"CN=mid\""
    ));
    assert!(has(
        &at(now + 37 * 86400 + 43200),
        Level::Warning,
        "expires in 2 days"
    ));
    assert!(has(&at(now - 86400), Level::Warning, "not valid before"));
    dir.sign("leaf", "mid", "old", 40);
    let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", "leaf.key"]);
    assert!(identity.is_none());
    assert!(has(&findings, Level::Error, "digitalSignature"));
    assert!(has(&findings, Level::Warning, "serverAuth"));
    assert!(has(&findings, Level::Warning, "no DNS name"));
}

#[test]
fn files_that_are_not_as_they_should_be() {
    let dir = Dir::chain(P256, 40);
    let mode = |mode| {
        fs::set_permissions(dir.path("leaf.key"), fs::Permissions::from_mode(mode)).unwrap();
        dir.assemble(&["leaf.pem", "mid.pem", "leaf.key"]).1
    };
    assert!(has(
        &mode(0o644),
        Level::Warning,
        "everybody can read it (mode 644)"
    ));
    assert!(mode(0o640).is_empty());
    dir.openssl("pkcs8 -topk8 -in leaf.key -out encrypted.key -passout pass:x");
    let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", "encrypted.key"]);
    assert!(identity.is_none());
    assert!(has(&findings, Level::Error, "is encrypted"));
    let text = fs::read_to_string(dir.path("leaf.pem")).unwrap();
    fs::write(dir.path("cut.pem"), &text[..text.len() - 40]).unwrap();
    let (_, findings) = dir.assemble(&["cut.pem", "leaf.key"]);
    assert!(has(&findings, Level::Error, "cut off"), "{findings:?}");
}

/// What people have in place of certificates and keys is named.
#[test]
fn other_files_are_named() {
    let dir = Dir::chain(P256, 40);
    let error = |names: &[&str]| {
        let (identity, findings) = dir.assemble(names);
        assert!(identity.is_none());
        let errors = findings.into_iter().filter(|f| f.level == Level::Error);
        errors.map(|f| f.text).collect::<Vec<_>>().join("; ")
    };
    fs::write(dir.path("empty"), "").unwrap();
    assert!(error(&["empty", "leaf.key"]).contains("it is empty"));
    assert!(error(&["/dev/zero"]).contains("more than 1048576 bytes"));
    dir.openssl("pkcs8 -topk8 -in leaf.key -outform DER -out encrypted.der -passout pass:x");
    assert!(error(&["leaf.pem", "encrypted.der"]).contains("an encrypted private key"));
    dir.openssl("pkcs12 -export -in leaf.pem -inkey leaf.key -out all.p12 -passout pass:x");
    assert!(error(&["all.p12"]).contains("PKCS #12"));

    // What the sentences say can be done.
    dir.openssl("ec -in leaf.key -aes128 -out old.key -passout pass:x");
    assert!(error(&["leaf.pem", "old.key"]).contains("openssl pkey -in"));
    dir.openssl("pkey -in old.key -out new.key -passin pass:x");
    dir.openssl("pkey -inform DER -in encrypted.der -out newer.key -passin pass:x");
    dir.openssl("pkcs12 -nodes -in all.p12 -out all.pem -passin pass:x");
    for names in [
        &["leaf.pem", "new.key"][..],
        &["leaf.pem", "newer.key"],
        &["all.pem"],
    ] {
        assert!(dir.assemble(names).0.is_some(), "{names:?}");
    }
    // A certificate that is there twice, and one that openssl was told to trust.
    dir.openssl("x509 -in leaf.pem -trustout -addtrust serverAuth -out trusted.pem");
    let (identity, findings) = dir.assemble(&["trusted.pem", "leaf.pem", "mid.pem", "leaf.key"]);
    assert!(identity.is_some() && findings.is_empty(), "{findings:?}");
}

/// Nothing is too long to be answered.
#[test]
fn long_files_are_answered() {
    let dir = Dir::chain(P256, 40);
    let (mut identity, mut findings) = dir.read(&["leaf.pem", "mid.pem", "leaf.key"]).assemble(0);
    let identity = identity.as_mut().unwrap();
    identity.staple(None, Some(&vec![0; 100_000]), &mut findings);
    assert!(has(&findings.0, Level::Error, "more than 32768"));

    // RSA with numbers of 240000 bits.
    let number = tlv(2, &[&[1; 30000]]);
    let small = tlv(2, &[&[1]]);
    let parts = [
        &[2, 1, 0],
        &number[..],
        &small,
        &number,
        &number,
        &number,
        &small,
        &small,
        &small,
    ];
    let mut material = Material::default();
    material.take("x", &fs::read(dir.path("leaf.pem")).unwrap());
    material.take_object("x", "RSA PRIVATE KEY", &tlv(0x30, &parts));
    let (identity, findings) = material.assemble(0);
    assert!(identity.is_none() && has(&findings.0, Level::Error, "RSA, 239993 bits"));
}

/// Whatever is in a file, there is an answer.
#[test]
fn damaged_files_are_answered() {
    let dir = Dir::chain(P256, 40);
    let payload = payload_of_openssl(&dir, &["leaf.pem"], "leaf.key");
    for at in 0..payload.len() {
        let mut bytes = payload.clone();
        bytes[at] ^= 0x55;
        let mut material = Material::default();
        material.take("x", &bytes);
        let _ = material.assemble(0);
        let mut material = Material::default();
        material.take("x", &payload[..at]);
        let (identity, findings) = material.assemble(0);
        assert!(identity.is_none() && findings.worst() == Some(Level::Error));
    }
}

/// A compressed point is the same key as the point itself.
#[test]
fn compressed_points() {
    let mut whole = vec![4u8];
    whole.extend([1u8; 32]);
    whole.extend([2u8; 31]);
    whole.push(3);
    let short = [&[3u8][..], &[1; 32]].concat();
    assert!(same_point(&whole, &short));
    assert!(!same_point(&whole, &[&[2u8][..], &[1; 32]].concat()));
    assert!(!same_point(&[], &[]));
}

/// Keys in forms that openssl takes as well, but seldom writes.
#[test]
fn odd_but_legal_keys() {
    let dir = Dir::chain(P256, 40);
    let private = |name: &str| {
        fs::set_permissions(dir.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", name]);
        assert!(findings.is_empty(), "{name}: {findings:?}");
        identity.unwrap().payload.to_vec()
    };

    // The public key is optional (RFC 5915, section 3).
    dir.openssl("ec -in leaf.key -no_public -out short.key");
    let usual = private("leaf.key").len();
    assert!(usual - private("short.key").len() >= 2 + 2 + 66);
    dir.openssl("pkcs8 -topk8 -nocrypt -in short.key -out short8.key");
    assert!(private("short8.key") == private("short.key"));

    // Attributes (RFC 5208, section 5): friendlyName "k".
    dir.openssl("pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out plain.der");
    let mut der = fs::read(dir.path("plain.der")).unwrap();
    let attributes =
        *b"\xa0\x13\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14\x31\x04\x1e\x02\x00k";
    assert_eq!(der[..2], [0x30, 0x81]);
    der[2] += attributes.len() as u8;
    der.extend(attributes);
    fs::write(dir.path("attributes.der"), &der).unwrap();
    dir.openssl("pkey -inform DER -in attributes.der -noout");
    assert_eq!(private("attributes.der").len(), usual + attributes.len());

    // A scalar that begins with a zero byte, which some leave out.
    let mut sec1 = b"\x30\x30\x02\x01\x01\x04\x1f".to_vec();
    sec1.extend([0x42; 31]);
    sec1.extend(b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
    fs::write(dir.path("31.der"), &sec1).unwrap();
    dir.openssl("ec -inform DER -in 31.der -out leaf.key");
    dir.sign("leaf", "mid", "leaf", 40);
    let whole = private("leaf.key");
    let short = private("31.der");
    let scalar = [0x42; 31];
    let has = |bytes: &[u8], head: &[u8]| {
        let key = [head, &scalar].concat();
        bytes.windows(key.len()).any(|w| w == key)
    };
    assert!(has(&whole, &[4, 32, 0]) && has(&short, &[4, 31]));

    // A compressed point in the certificate (RFC 5480, section 2.2), and in the key.
    dir.openssl("ec -in leaf.key -conv_form compressed -out compressed.key");
    fs::copy(dir.path("compressed.key"), dir.path("leaf.key")).unwrap();
    dir.sign("leaf", "mid", "leaf", 40);
    for key in ["compressed.key", "31.der"] {
        let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", key]);
        assert!(findings.is_empty(), "{findings:?}");
        let PublicKey::Ec { point, .. } = &identity.as_ref().unwrap().chain[0].key else {
            panic!("another key");
        };
        assert!(matches!(point[..], [2 | 3, ..]) && point.len() == 33);
    }
}

/// RSA keys that are legal and that the kernel does not sign with.
#[test]
fn rsa_keys_that_the_kernel_cannot_use() {
    for (options, why) in [
        ("-pkeyopt rsa_keygen_pubexp:3", "that of this key is 3;"),
        (
            "-pkeyopt rsa_keygen_pubexp:4294967297",
            "that of this key is 4294967297;",
        ),
        (
            "-pkeyopt rsa_keygen_bits:2047",
            "this key is RSA, 2047 bits",
        ),
    ] {
        let dir = Dir::chain(&format!("-algorithm RSA {options}"), 40);
        let (identity, findings) = dir.assemble(&["leaf.pem", "mid.pem", "leaf.key"]);
        assert!(identity.is_none());
        assert!(has(&findings, Level::Error, why), "{findings:?}");
    }
}
