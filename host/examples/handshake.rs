// SPDX-License-Identifier: GPL-2.0
//! Counts where the instructions of a server's handshakes go, exactly, with rustls as the client.
//!
//! What the platform's crypto library does is told apart by function; of hashes also the number of
//! compressions, as a hash costs more in a kernel without SHA-NI. "engine" is the rest: the
//! state machine, messages and records. X25519 is left out, as the host's is not
//! the kernel's. Two tickets are given out.
//!
//! `cargo run --release --example handshake [part of a name ...]`

use std::cell::RefCell;
use std::sync::Arc;
use tls_handshake_host::count::{counted, so_far, uncounted};
use tls_handshake_host::engine::crypto::*;
use tls_handshake_host::engine::keys::ticket::{self, TicketKey, Tickets};
use tls_handshake_host::engine::policy::identity::{self, Payload};
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::host_crypto::HostCrypto;
use tls_handshake_host::zeroed;

#[path = "../tests/common/mod.rs"]
mod common;

/// What a part of the crypto library has done.
#[derive(Clone, Copy, Default)]
struct Part {
    calls: u64,
    instructions: u64,
    compressions: u64,
}

/// The parts; the order is that of [`NAMES`].
#[derive(Clone, Copy)]
enum Kind {
    Hash,
    HmacKey,
    Hmac,
    AeadKey,
    Aead,
    KeyExchange,
    Signature,
    Random,
}

const NAMES: [&str; 8] = [
    "hash",
    "HMAC key",
    "HMAC",
    "AEAD key",
    "AEAD",
    "key exchange",
    "signature",
    "random",
];

std::thread_local! {
    static PARTS: RefCell<[Part; 8]> = const { RefCell::new([Part { calls: 0, instructions: 0, compressions: 0 }; 8]) };
}

fn metered<T>(kind: Kind, compressions: u64, run: impl FnOnce() -> T) -> T {
    let before = so_far();
    let result = run();
    let instructions = so_far() - before;
    uncounted(|| {
        PARTS.with_borrow_mut(|parts| {
            let part = &mut parts[kind as usize];
            part.calls += 1;
            part.instructions += instructions;
            part.compressions += compressions;
        })
    });
    result
}

/// A hash with what is needed to count its compressions.
#[derive(Clone)]
struct Hashed<T> {
    inner: T,
    len: u64,
    alg: HashAlg,
}

impl<T> Hashed<T> {
    fn new(inner: T, len: u64, alg: HashAlg) -> Self {
        Hashed { inner, len, alg }
    }

    fn block(&self) -> u64 {
        match self.alg {
            HashAlg::Sha256 => 64,
            HashAlg::Sha384 => 128,
        }
    }

    fn add(&mut self, data: &[u8]) -> u64 {
        let before = self.len / self.block();
        self.len += data.len() as u64;
        self.len / self.block() - before
    }

    /// A byte and a length end it.
    fn last(&self) -> u64 {
        (self.len % self.block() + 1 + self.block() / 8).div_ceil(self.block())
    }
}

/// [`HostCrypto`] with a look at the meter.
struct Metered;

type Host = HostCrypto;

impl Crypto for Metered {
    type Hash = Hashed<<Host as Crypto>::Hash>;
    type HmacKey = Hashed<<Host as Crypto>::HmacKey>;
    type AeadKey = <Host as Crypto>::AeadKey;
    type MlKemWorkspace = <Host as Crypto>::MlKemWorkspace;
    type RsaWorkspace = <Host as Crypto>::RsaWorkspace;

    fn hash_init(alg: HashAlg) -> Self::Hash {
        Hashed::new(metered(Kind::Hash, 0, || Host::hash_init(alg)), 0, alg)
    }
    fn hash_update(hash: &mut Self::Hash, data: &[u8]) {
        let n = hash.add(data);
        metered(Kind::Hash, n, || Host::hash_update(&mut hash.inner, data))
    }
    fn hash_final(hash: Self::Hash) -> [u8; MAX_HASH_LEN] {
        let n = hash.last();
        metered(Kind::Hash, n, || Host::hash_final(hash.inner))
    }
    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Self::HmacKey {
        let mut key = Hashed::new(
            metered(Kind::HmacKey, 2, || Host::hmac_key(alg, raw)),
            0,
            alg,
        );
        key.len = key.block();
        key
    }
    fn hmac<const N: usize>(key: &Self::HmacKey, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        let mut input = Hashed::new((), key.len, key.alg);
        let n: u64 = parts.iter().map(|part| input.add(part)).sum();
        metered(Kind::Hmac, n + input.last() + 1, || {
            Host::hmac(&key.inner, parts, out)
        })
    }
    fn with_aead_key<T>(
        alg: AeadAlg,
        raw: &[u8],
        run: impl FnOnce(&Self::AeadKey) -> T,
    ) -> Option<T> {
        // With what is done with the key.
        metered(Kind::AeadKey, 0, || Host::with_aead_key(alg, raw, run))
    }
    fn aead_seal(
        key: &Self::AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
    ) -> [u8; TAG_LEN] {
        metered(Kind::Aead, 0, || Host::aead_seal(key, nonce, aad, buf))
    }
    fn aead_open(
        key: &Self::AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        metered(Kind::Aead, 0, || Host::aead_open(key, nonce, aad, buf, tag))
    }
    fn x25519(
        peer: &[u8; 32],
        public: &mut [u8; 32],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        uncounted(|| Host::x25519(peer, public, shared))
    }
    fn p256_ecdh(
        peer: &[u8; 65],
        public: &mut [u8; 65],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        metered(Kind::KeyExchange, 0, || {
            Host::p256_ecdh(peer, public, shared)
        })
    }
    fn mlkem768_encaps(
        key: &[u8; MLKEM768_KEY_LEN],
        ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
        shared: &mut [u8; 32],
        workspace: &mut Self::MlKemWorkspace,
    ) -> Result<(), BadShare> {
        metered(Kind::KeyExchange, 0, || {
            Host::mlkem768_encaps(key, ciphertext, shared, workspace)
        })
    }
    fn p256_public_key(key: &P256Key) -> Option<[u8; 65]> {
        Host::p256_public_key(key)
    }
    fn p256_ecdsa_sign(
        key: &P256Key,
        digest: &[u8; 32],
        signature: &mut [u8; MAX_ECDSA_SIGNATURE],
    ) -> Result<usize, SignError> {
        metered(Kind::Signature, 0, || {
            Host::p256_ecdsa_sign(key, digest, signature)
        })
    }
    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        Host::rsa_key(key, numbers)
    }
    fn rsa_pss_sign(
        key: &RsaKey,
        digest: &[u8; 32],
        signature: &mut [u8],
        workspace: &mut Self::RsaWorkspace,
    ) -> Result<usize, SignError> {
        metered(Kind::Signature, 0, || {
            Host::rsa_pss_sign(key, digest, signature, workspace)
        })
    }
    fn random(buf: &mut [u8]) {
        metered(Kind::Random, 0, || Host::random(buf))
    }
}

/// An identity of its own kind of key, and its issuer's certificate.
struct One {
    certificate: Vec<u8>,
    digest: [u8; 32],
    p256: Option<P256Key>,
    rsa: Option<Box<RsaKey>>,
    root: Vec<u8>,
}

impl Identities for One {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = match (&self.p256, &self.rsa) {
            (Some(k), _) => SigningKey::P256(k),
            (_, Some(k)) => SigningKey::Rsa(k),
            _ => return Err(NoIdentity::Empty),
        };
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

fn identity(rsa_bits: Option<usize>) -> One {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};
    let key = match rsa_bits {
        None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        Some(bits) => {
            use rsa_crate::pkcs8::EncodePrivateKey;
            let key = rsa_crate::RsaPrivateKey::new(&mut rand::rngs::OsRng, bits).unwrap();
            let der = key.to_pkcs8_der().unwrap();
            KeyPair::try_from(der.as_bytes()).unwrap()
        }
    };
    let issuer_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = params.self_signed(&issuer_key).unwrap();
    let leaf = CertificateParams::new(vec!["example.org".into(), "www.example.org".into()])
        .unwrap()
        .signed_by(&key, &issuer, &issuer_key)
        .unwrap();

    let payload = [leaf.der().as_ref(), issuer.der(), &key.serialize_der()].concat();
    let parsed = Payload::parse(&payload).unwrap();
    let mut certificate = vec![0; parsed.certificate_len()];
    parsed.write_certificate(&mut certificate).unwrap();
    let mut one = One {
        digest: ticket::certificate_digest::<HostCrypto>(&certificate),
        certificate,
        p256: None,
        rsa: None,
        root: issuer.der().to_vec(),
    };
    match &parsed.private {
        identity::PrivateKey::P256(k) => one.p256 = P256Key::new(k),
        identity::PrivateKey::Rsa(c) => {
            // SAFETY: Zeroes are a valid value.
            let mut key: Box<RsaKey> = unsafe { zeroed() };
            HostCrypto::rsa_key(&mut key, c).unwrap();
            one.rsa = Some(key);
        }
    }
    one
}

fn client(one: &One, suite: u16, group: u16) -> Arc<rustls::ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|s| u16::from(s.suite()) == suite);
    provider.kx_groups.retain(|g| u16::from(g.name()) == group);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(one.root.clone().into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A handshake; the server's part of it is counted. Returns whether it was a resumption.
fn handshake(
    client: &Arc<rustls::ClientConfig>,
    one: &One,
    scratch: &mut Scratch<Metered>,
) -> bool {
    let keys = [TicketKey {
        name: [1; 16],
        key: [2; 64],
    }];
    let config = Config {
        tickets: Tickets {
            keys: &keys,
            now: 1_700_000_000,
            lifetime: 7200,
        },
        ..common::CONFIG
    };
    let name = "example.org".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(client.clone(), name).unwrap();
    let mut session = Session::new();
    let mut queue = Vec::new();
    let mut out = vec![0; 16384];
    loop {
        client.write_tls(&mut queue).unwrap();
        loop {
            let mut input = queue.clone();
            let step =
                counted(|| session.advance::<Metered>(&config, one, &mut input, &mut out, scratch));
            match step {
                Step::More { consumed, .. } => {
                    queue.drain(..consumed);
                    break;
                }
                Step::Send { consumed, written } => {
                    queue.drain(..consumed);
                    let mut sent = &out[..written];
                    while !sent.is_empty() {
                        client.read_tls(&mut sent).unwrap();
                        client.process_new_packets().unwrap();
                    }
                }
                Step::Done { .. } => {
                    // What accept() does.
                    counted(|| {
                        let connection = session.connection().unwrap();
                        connection.traffic_keys::<Metered>(true);
                        connection.traffic_keys::<Metered>(false);
                    });
                    return session.negotiated().resumed;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (p256, rsa) = (None, Some(2048));
    for (name, key, suite, group) in [
        ("x25519, AES-128, P-256", p256, 0x1301, 29),
        ("x25519, AES-256 with SHA-384, P-256", p256, 0x1302, 29),
        ("x25519, ChaCha20, P-256", p256, 0x1303, 29),
        ("secp256r1, AES-128, P-256", p256, 0x1301, 23),
        ("X25519MLKEM768, AES-128, P-256", p256, 0x1301, 0x11ec),
        ("x25519, AES-128, RSA-2048", rsa, 0x1301, 29),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let one = identity(key);
        // SAFETY: Zeroes are a valid value.
        let mut scratch: Box<Scratch<Metered>> = unsafe { zeroed() };
        let client = client(&one, suite, group);
        for what in ["full", "resumed"] {
            PARTS.with_borrow_mut(|parts| *parts = Default::default());
            let before = so_far();
            let resumed = handshake(&client, &one, &mut scratch);
            assert_eq!(resumed, what == "resumed");
            let total = so_far() - before;
            report(name, what, total);
        }
    }
}

fn report(name: &str, what: &str, total: u64) {
    let parts = PARTS.with_borrow(|parts| *parts);
    let library: u64 = parts.iter().map(|p| p.instructions).sum();
    println!("{name}, {what}: {total} instructions");
    println!("{:>12}  engine", total - library);
    for (part, name) in parts.iter().zip(NAMES).filter(|(p, _)| p.calls > 0) {
        print!("{:>12}  {name}, {} calls", part.instructions, part.calls);
        match part.compressions {
            0 => println!(),
            n => println!(", {n} compressions"),
        }
    }
}
