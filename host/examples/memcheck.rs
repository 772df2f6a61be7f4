// SPDX-License-Identifier: GPL-2.0
//! Looks for branches and addresses that depend on secrets, with Valgrind's memcheck: what is
//! secret is marked as uninitialised, and memcheck follows it through the optimised code.
//!
//! scripts/constant-time builds it with `--cfg tls_hs_memcheck`, optimised like the kernel, and
//! runs it under Valgrind. Secret are: the private keys, external PSKs, all that is random (ephemeral keys, the
//! randomness of nonces, blinding factors, ML-KEM's message) and all that is computed from these,
//! up to where the code says `declassified`. Prints TAP. `--plant-leak` adds leaks, on which it
//! fails.
//!
//! The kernel's own object cannot be run here: its code tells nobody what is declassified, on which
//! it does branch. What is run is made from the same sources by the same code generator with the
//! kernel's flags (-Copt-level=2 -Ccodegen-units=1 -Cno-redzone, overflow checks on and off), but
//! for -Ctarget-feature=-sse, which the host's library does not allow: vectorising is turned off
//! instead, so that what is left of SSE is copying. What is not looked at is how the host's crates
//! do hashes and ciphers, which are lib/crypto's in the kernel.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use tls_handshake_host::engine::crypto::{Crypto, HashAlg, P256Key, RsaKey, RsaNumbers};
use tls_handshake_host::engine::keys::schedule::{EarlySecret, PskKind};
use tls_handshake_host::engine::keys::ticket;
use tls_handshake_host::engine::policy::identity::{self, Payload};
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, ExternalPsk, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::memcheck::{self, classify, declassify};
use tls_handshake_host::{ct, mlkem, p256, x25519, zeroed};

/// Counts what memcheck finds.
struct Checks {
    failed: bool,
}

impl Checks {
    /// Runs something, with assembly and without.
    fn check(&mut self, name: &str, mut run: impl FnMut()) {
        self.one(name, &mut run);
        self.one(&format!("{name}, portable"), || without_assembly(&mut run));
    }

    fn one(&mut self, name: &str, run: impl FnOnce()) {
        let before = memcheck::errors();
        run();
        let errors = memcheck::errors() - before;
        if errors == 0 {
            println!("ok - {name}");
        } else {
            println!("not ok - {name}: memcheck has found {errors} places");
            self.failed = true;
        }
    }
}

/// RFC 6979, appendix A.2.5.
const P256_KEY: [u8; 32] = [
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];

/// A public key for X25519 of low order (<https://cr.yp.to/ecdh.html#validate>).
const X25519_ORDER_8: [u8; 32] = [
    0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
    0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
];

fn x25519_exchange() {
    let mut private = P256_KEY;
    classify(&mut private);
    for peer in [[9; 32], X25519_ORDER_8] {
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        x25519::exchange::<HostCrypto>(&private, &peer, &mut public, &mut shared);
        black_box((public, shared));
        x25519::public_key::<HostCrypto>(&private, &mut public);
        x25519::shared_secret::<HostCrypto>(&private, &peer, &mut shared);
        black_box((public, shared));
    }
}

fn secret_p256() -> p256::PrivateKey {
    let mut bytes = P256_KEY;
    classify(&mut bytes);
    p256::PrivateKey::from_be_bytes(&bytes).unwrap()
}

fn p256_ecdh() {
    let key = p256::PrivateKey::generate::<HostCrypto>();
    let mut public = key.public_key::<HostCrypto>();
    // It is sent.
    declassify(&mut public);
    let mut shared = [0; 32];
    p256::ecdh::<HostCrypto>(&secret_p256(), &public, &mut shared).unwrap();
    black_box(shared);
}

fn p256_sign() {
    let mut signature = [0; p256::MAX_SIGNATURE];
    p256::ecdsa_sign::<HostCrypto>(&secret_p256(), &[0x5a; 32], &mut signature);
    black_box(signature);
}

/// The certificate and the private key of a new key, in DER.
fn payload(newkey: &str) -> Vec<u8> {
    let script = format!(
        "set -e; d=$(mktemp -d); cd $d; openssl req -x509 -newkey {newkey} -nodes -keyout k.pem \
         -out c.pem -subj /CN=example.org -addext subjectAltName=DNS:example.org \
         -addext basicConstraints=critical,CA:FALSE -days 30 2>/dev/null; \
         openssl x509 -in c.pem -outform DER; \
         openssl pkcs8 -topk8 -nocrypt -in k.pem -outform DER; rm -r $d"
    );
    let out = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(out.status.success());
    out.stdout
}

fn rsa_sign(payload: &[u8]) {
    let parsed = Payload::parse(payload).unwrap();
    let identity::PrivateKey::Rsa(c) = &parsed.private else {
        panic!("not RSA");
    };
    let secret = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        classify(&mut bytes[..]);
        bytes
    };
    let [p, q, dp, dq, qinv] = [c.p, c.q, c.dp, c.dq, c.qinv].map(secret);
    type Workspace = <HostCrypto as Crypto>::RsaWorkspace;
    // SAFETY: Zeroes are a valid value of both.
    let (mut key, mut workspace) = unsafe { (zeroed::<RsaKey>(), zeroed::<Workspace>()) };
    let numbers = RsaNumbers {
        p: &p,
        q: &q,
        dp: &dp,
        dq: &dq,
        qinv: &qinv,
        ..*c
    };
    HostCrypto::rsa_key(&mut key, &numbers).unwrap();
    let mut signature = [0; 512];
    HostCrypto::rsa_pss_sign(&key, &[0x5a; 32], &mut signature, &mut workspace).unwrap();
    black_box(signature);
}

fn mlkem_encapsulate() {
    use ml_kem_crate::{EncodedSizeUser, KemCore, MlKem768, B32};
    let (_, key) = MlKem768::generate_deterministic(&B32::from([3; 32]), &B32::from([4; 32]));
    // SAFETY: Zeroes are a valid value.
    let mut scratch = unsafe { zeroed::<mlkem::Scratch>() };
    let mut ciphertext = [0; mlkem::CIPHERTEXT_LEN];
    let mut shared = [0; mlkem::SHARED_SECRET_LEN];
    mlkem::encapsulate::<HostCrypto>(&key.as_bytes(), &mut scratch, &mut ciphertext, &mut shared)
        .unwrap();
    black_box((ciphertext, shared));
}

fn compare() {
    let mut secret = [7; 48];
    classify(&mut secret);
    for other in [[7; 48], [8; 48]] {
        black_box(ct::eq(&secret, &other));
    }
}

struct One {
    certificate: Vec<u8>,
    digest: [u8; 32],
    key: P256Key,
}

impl Identities for One {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = SigningKey::P256(&self.key);
        constraints.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
        Ok(Identity {
            index: 0,
            certificate: &self.certificate,
            digest: &self.digest,
            staples: Staples::NONE,
            name_matched: true,
            key,
        })
    }
}

fn client(root: &[u8], suite: u16, group: u16) -> rustls::ClientConnection {
    let mut provider = rustls::crypto::ring::default_provider();
    provider
        .cipher_suites
        .retain(|s| u16::from(s.suite()) == suite);
    provider.kx_groups.retain(|g| u16::from(g.name()) == group);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.to_vec().into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    rustls::ClientConnection::new(Arc::new(config), "example.org".try_into().unwrap()).unwrap()
}

/// A handshake up to the client's Finished and the keys of application data.
fn handshake(payload: &[u8], suite: u16, group: u16) {
    let parsed = Payload::parse(payload).unwrap();
    let identity::PrivateKey::P256(scalar) = parsed.private else {
        panic!("not P-256");
    };
    let mut scalar = scalar.to_vec();
    classify(&mut scalar[..]);
    let mut certificate = vec![0; parsed.certificate_len()];
    parsed.write_certificate(&mut certificate).unwrap();
    let one = One {
        digest: ticket::certificate_digest::<HostCrypto>(&certificate),
        certificate,
        key: P256Key::new(&scalar).unwrap(),
    };
    let config = Config {
        versions: 2,
        ..common::CONFIG
    };
    let mut client = client(parsed.chain, suite, group);
    let mut session = Session::new();
    // SAFETY: Zeroes are a valid value.
    let mut scratch = unsafe { zeroed::<Scratch<HostCrypto>>() };
    let mut out = vec![0; 1 << 14];
    let mut queue = Vec::new();
    loop {
        client.write_tls(&mut queue).unwrap();
        let mut input = queue.clone();
        match session.advance::<HostCrypto>(&config, &one, &mut input, &mut out, &mut scratch) {
            Step::Send { consumed, written } => {
                queue.drain(..consumed);
                let mut sent = out[..written].to_vec();
                // It goes over the wire.
                declassify(&mut sent[..]);
                let mut sent = &sent[..];
                while !sent.is_empty() {
                    client.read_tls(&mut sent).unwrap();
                    client.process_new_packets().unwrap();
                }
            }
            Step::Done { .. } => break,
            Step::More { .. } if client.wants_write() => (),
            other => panic!("{other:?}"),
        }
    }
    for sending in [false, true] {
        let connection = session.connection().unwrap();
        black_box(connection.traffic_keys::<HostCrypto>(sending));
    }
}

/// A server that has nothing but an external PSK.
struct OnePsk([u8; 32]);

impl Identities for OnePsk {
    fn select(&self, _: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        Err(NoIdentity::Empty)
    }

    fn has_external_psks(&self) -> bool {
        true
    }

    fn external_psk(&self, _: &[u8]) -> Option<ExternalPsk<'_>> {
        Some(ExternalPsk {
            index: 0,
            hash: HashAlg::Sha256,
            key: &self.0,
        })
    }
}

/// A ClientHello with that PSK, whose binder is made with `key`.
fn hello_with_psk(key: &[u8; 32]) -> Vec<u8> {
    const EXTENSIONS: &[u8] = &[
        0, 43, 0, 3, 2, 3, 4, // supported_versions
        0, 10, 0, 4, 0, 2, 0, 29, // supported_groups
        0, 45, 0, 2, 1, 1, // psk_key_exchange_modes
        0, 51, 0, 38, 0, 36, 0, 29, 0, 32, // key_share, 9
        9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, // pre_shared_key: identity, age, binder
        0, 41, 0, 44, 0, 7, 0, 1, b'a', 0, 0, 0, 0, 0, 33, 32,
    ];
    let len = EXTENSIONS.len() + 32;
    let mut message = [&[1, 0, 0, 43 + len as u8, 3, 3][..], &[7; 32]].concat();
    message.extend([0, 0, 2, 0x13, 1, 1, 0, 0, len as u8]);
    message.extend(EXTENSIONS);
    let mut hash = HostCrypto::hash_init(HashAlg::Sha256);
    HostCrypto::hash_update(&mut hash, &message[..message.len() - 3]);
    let secret = EarlySecret::<HostCrypto>::with_psk(HashAlg::Sha256, key);
    let secret = secret.binder_secret(PskKind::External);
    let binder = secret.verify_data::<HostCrypto>(&HostCrypto::hash_final(hash));
    message.extend(&binder[..32]);
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}

/// The server's flight for a right binder, or the alert for a wrong one.
fn external_psk(right: bool) {
    let mut psk = OnePsk([0x17; 32]);
    let mut hello = hello_with_psk(if right { &psk.0 } else { &[0x18; 32] });
    classify(&mut psk.0);
    let config = Config {
        versions: 2,
        ..common::CONFIG
    };
    // SAFETY: Zeroes are a valid value.
    let mut scratch = unsafe { zeroed::<Scratch<HostCrypto>>() };
    let (mut session, mut out) = (Session::new(), vec![0; 4096]);
    let step = session.advance::<HostCrypto>(&config, &psk, &mut hello, &mut out, &mut scratch);
    match (right, step) {
        (true, Step::Send { .. }) | (false, Step::Alert { .. }) => (),
        (_, other) => panic!("{other:?}"),
    }
    black_box((session.negotiated().external_psk, out));
}

/// What must be found.
fn leaks() -> [(&'static str, fn()); 2] {
    fn branch() {
        let mut secret = [7u8; 32];
        classify(&mut secret);
        if black_box(secret)[5] & 1 != 0 {
            println!("# a branch");
        }
    }
    fn index() {
        static TABLE: [u8; 256] = [3; 256];
        let mut secret = [7u8; 32];
        classify(&mut secret);
        black_box(black_box(&TABLE)[usize::from(black_box(secret)[5])]);
    }
    [("a branch", branch), ("an index", index)]
}

fn main() -> ExitCode {
    if !memcheck::is_active() {
        println!("not ok - run by scripts/constant-time, under Valgrind");
        return ExitCode::FAILURE;
    }
    let mut checks = Checks { failed: false };
    if std::env::args().any(|a| a == "--plant-leak") {
        for (name, leak) in leaks() {
            checks.one(name, leak);
        }
        return ExitCode::from(u8::from(checks.failed));
    }
    // Each must be found, or the rest means nothing.
    for (name, leak) in leaks() {
        let before = memcheck::errors();
        leak();
        let found = memcheck::errors() != before;
        println!(
            "{} - {name} on a secret is found",
            if found { "ok" } else { "not ok" }
        );
        checks.failed |= !found;
    }
    checks.check("X25519: key pair and shared secret", x25519_exchange);
    checks.check("P-256: key pair and ECDH", p256_ecdh);
    checks.check("P-256: ECDSA", p256_sign);
    for bits in [2048, 3072, 4096] {
        let payload = payload(&format!("rsa:{bits}"));
        checks.check(&format!("RSA-{bits}: key and PSS"), || rsa_sign(&payload));
    }
    checks.check("ML-KEM-768: encapsulation", mlkem_encapsulate);
    checks.one("comparison of secrets", compare);
    let payload = payload("ec -pkeyopt ec_paramgen_curve:P-256");
    for suite in [0x1301, 0x1302, 0x1303] {
        for group in [23, 29] {
            let name = format!("handshake, suite {suite:#x}, group {group}");
            checks.one(&name, || handshake(&payload, suite, group));
        }
    }
    checks.one("external PSK", || external_psk(true));
    checks.one("external PSK with a wrong binder", || external_psk(false));
    ExitCode::from(u8::from(checks.failed))
}
