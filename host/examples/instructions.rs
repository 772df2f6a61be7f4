// SPDX-License-Identifier: GPL-2.0
//! Counts the instructions of cryptographic operations, exactly.
//!
//! `cargo run --release --example instructions [part of a name ...]`

use std::hint::black_box;
use tls_handshake_host::count::{counted, so_far};
use tls_handshake_host::engine::crypto::P256Key;
use tls_handshake_host::engine::keys::ticket::Tickets;
use tls_handshake_host::engine::policy::chain::{is_issued_by, Signatures};
use tls_handshake_host::engine::policy::identity::{select, NameIndex, Validity};
use tls_handshake_host::engine::policy::name::{find_name, sort_names, NameEntry};
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::engine::wire::certificate_authorities::Authorities;
use tls_handshake_host::engine::wire::der::Der;
use tls_handshake_host::engine::wire::names::Scheme;
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::{p256, rsa_pss as rsa, x25519, zeroed};

/// Prepares an operation's input and returns the operation.
type Prepare = fn() -> Box<dyn FnMut()>;

/// What is measured. Add yours here.
const OPERATIONS: &[(&str, Prepare)] = &[
    ("p256 sign", p256_sign),
    ("p256 sign (portable)", || portable(p256_sign)),
    ("p256 sign (ring)", p256_sign_ring),
    ("p256 sign (RustCrypto)", p256_sign_rustcrypto),
    ("p256 key pair", p256_key_pair),
    ("p256 key pair and ecdh", p256_ecdh),
    ("p256 key pair and ecdh (portable)", || portable(p256_ecdh)),
    ("p256 key pair and ecdh (ring)", p256_ecdh_ring),
    ("p256 key pair and ecdh (RustCrypto)", p256_ecdh_rustcrypto),
    ("x25519 public key", x25519_public_key),
    ("x25519 public key (portable)", || {
        portable(x25519_public_key)
    }),
    ("x25519 shared secret", x25519_shared_secret),
    ("x25519 key pair and shared secret", x25519_exchange),
    ("x25519 key pair and shared secret (portable)", || {
        portable(x25519_exchange)
    }),
    ("x25519 key pair and shared secret (dalek)", x25519_dalek),
    ("rsa 2048 pss sign", rsa_sign::<2048>),
    ("rsa 2048 pss sign (portable)", || {
        portable(rsa_sign::<2048>)
    }),
    ("rsa 2048 pss sign (ring)", rsa_sign_ring::<2048>),
    (
        "rsa 2048 pss sign (RustCrypto)",
        rsa_sign_rustcrypto::<2048>,
    ),
    ("rsa 3072 pss sign", rsa_sign::<3072>),
    ("rsa 4096 pss sign", rsa_sign::<4096>),
    ("rsa 4096 pss sign (portable)", || {
        portable(rsa_sign::<4096>)
    }),
    ("rsa 4096 pss sign (ring)", rsa_sign_ring::<4096>),
    ("answer to a ClientHello, 1 name", answer::<1>),
    ("answer to a ClientHello, 1000 names", answer::<1000>),
    (
        "answer to a ClientHello, 1000 names, unknown",
        answer_unknown::<1000>,
    ),
];

/// An operation without assembly.
fn portable(prepare: Prepare) -> Box<dyn FnMut()> {
    let mut operation = prepare();
    Box::new(move || without_assembly(&mut operation))
}

/// A private key (RFC 6979, appendix A.2.5) and its public key.
const P256_KEY: [u8; 32] = [
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];

fn p256_peer() -> [u8; 65] {
    let key = p256::PrivateKey::from_be_bytes(&P256_KEY).unwrap();
    key.public_key::<HostCrypto>()
}

fn p256_sign() -> Box<dyn FnMut()> {
    let key = p256::PrivateKey::from_be_bytes(&P256_KEY).unwrap();
    let mut signature = [0; p256::MAX_SIGNATURE];
    Box::new(move || {
        let digest = black_box([0x5a; 32]);
        black_box(p256::ecdsa_sign::<HostCrypto>(
            &key,
            &digest,
            &mut signature,
        ));
    })
}

fn p256_sign_ring() -> Box<dyn FnMut()> {
    use ring::signature::{EcdsaKeyPair, ECDSA_P256_SHA256_ASN1_SIGNING};
    let rng = ring::rand::SystemRandom::new();
    let key = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &P256_KEY,
        &p256_peer(),
        &rng,
    )
    .unwrap();
    Box::new(move || {
        black_box(key.sign(&rng, black_box(&[0x5a; 32])).unwrap());
    })
}

fn p256_sign_rustcrypto() -> Box<dyn FnMut()> {
    use p256_crate::ecdsa::signature::hazmat::PrehashSigner;
    use p256_crate::ecdsa::{Signature, SigningKey};
    let key = SigningKey::from_slice(&P256_KEY).unwrap();
    Box::new(move || {
        let signature: Signature = key.sign_prehash(black_box(&[0x5a; 32])).unwrap();
        black_box(signature.to_der());
    })
}

fn p256_key_pair() -> Box<dyn FnMut()> {
    Box::new(|| {
        let key = p256::PrivateKey::generate::<HostCrypto>();
        black_box(key.public_key::<HostCrypto>());
    })
}

fn p256_ecdh() -> Box<dyn FnMut()> {
    let peer = p256_peer();
    Box::new(move || {
        let key = p256::PrivateKey::generate::<HostCrypto>();
        let mut shared = [0; 32];
        black_box(p256::ecdh::<HostCrypto>(&key, black_box(&peer), &mut shared).unwrap());
        black_box(shared);
    })
}

/// A peer's public key: eight times the base point.
fn x25519_peer() -> [u8; 32] {
    let mut scalar = [0; 32];
    scalar[0] = 8;
    x25519_dalek::x25519(scalar, x25519_dalek::X25519_BASEPOINT_BYTES)
}

fn x25519_public_key() -> Box<dyn FnMut()> {
    Box::new(|| {
        let mut public = [0; 32];
        x25519::public_key::<HostCrypto>(black_box(&P256_KEY), &mut public);
        black_box(public);
    })
}

fn x25519_shared_secret() -> Box<dyn FnMut()> {
    let peer = x25519_peer();
    Box::new(move || {
        let mut shared = [0; 32];
        x25519::shared_secret::<HostCrypto>(black_box(&P256_KEY), &peer, &mut shared);
        black_box(shared);
    })
}

fn x25519_exchange() -> Box<dyn FnMut()> {
    let peer = x25519_peer();
    Box::new(move || {
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        x25519::exchange::<HostCrypto>(black_box(&P256_KEY), &peer, &mut public, &mut shared);
        black_box((public, shared));
    })
}

fn x25519_dalek() -> Box<dyn FnMut()> {
    let peer = x25519_peer();
    Box::new(move || {
        let base = x25519_dalek::X25519_BASEPOINT_BYTES;
        black_box(x25519_dalek::x25519(black_box(P256_KEY), base));
        black_box(x25519_dalek::x25519(black_box(P256_KEY), peer));
    })
}

fn p256_ecdh_ring() -> Box<dyn FnMut()> {
    use ring::agreement::{agree_ephemeral, EphemeralPrivateKey, UnparsedPublicKey, ECDH_P256};
    let rng = ring::rand::SystemRandom::new();
    let peer = UnparsedPublicKey::new(&ECDH_P256, p256_peer());
    Box::new(move || {
        let key = EphemeralPrivateKey::generate(&ECDH_P256, &rng).unwrap();
        black_box(key.compute_public_key().unwrap());
        agree_ephemeral(key, black_box(&peer), |shared| {
            black_box(shared);
        })
        .unwrap();
    })
}

fn p256_ecdh_rustcrypto() -> Box<dyn FnMut()> {
    use p256_crate::{ecdh::EphemeralSecret, EncodedPoint, PublicKey};
    let peer = p256_peer();
    Box::new(move || {
        let key = EphemeralSecret::random(&mut rand::rngs::OsRng);
        black_box(EncodedPoint::from(key.public_key()));
        let peer = PublicKey::from_sec1_bytes(black_box(&peer)).unwrap();
        black_box(key.diffie_hellman(&peer));
    })
}

/// A key that is always the same for a size.
fn rsa_key<const BITS: usize>() -> rsa_crate::RsaPrivateKey {
    use rand::SeedableRng;
    let mut rng = rand::rngs::StdRng::seed_from_u64(BITS as u64);
    rsa_crate::RsaPrivateKey::new(&mut rng, BITS).unwrap()
}

fn rsa_sign<const BITS: usize>() -> Box<dyn FnMut()> {
    use rsa_crate::pkcs1::EncodeRsaPrivateKey;
    let der = rsa_key::<BITS>().to_pkcs1_der().unwrap();
    let mut numbers = Der::new(der.as_bytes()).sequence().unwrap();
    let mut next = || numbers.unsigned().unwrap();
    let _version = next();
    let (n, e, _d) = (next(), next(), next());
    let components = rsa::Components {
        n,
        e,
        p: next(),
        q: next(),
        dp: next(),
        dq: next(),
        qinv: next(),
    };
    // SAFETY: Zeroes are a valid value of both.
    let (mut key, mut scratch) = unsafe { (zeroed::<rsa::PrivateKey>(), zeroed::<rsa::Scratch>()) };
    key.init(&components).unwrap();
    let mut signature = vec![0; BITS / 8];
    Box::new(move || {
        let digest = black_box([0x5a; 32]);
        rsa::sign_pss::<HostCrypto>(&key, &digest, &mut scratch, &mut signature).unwrap();
    })
}

fn rsa_sign_ring<const BITS: usize>() -> Box<dyn FnMut()> {
    use rsa_crate::pkcs1::EncodeRsaPrivateKey;
    let der = rsa_key::<BITS>().to_pkcs1_der().unwrap();
    let key = ring::rsa::KeyPair::from_der(der.as_bytes()).unwrap();
    let rng = ring::rand::SystemRandom::new();
    let mut signature = vec![0; BITS / 8];
    Box::new(move || {
        let message = black_box(&[0x5a; 32]);
        key.sign(
            &ring::signature::RSA_PSS_SHA256,
            &rng,
            message,
            &mut signature,
        )
        .unwrap();
    })
}

fn rsa_sign_rustcrypto<const BITS: usize>() -> Box<dyn FnMut()> {
    use rsa_crate::signature::RandomizedSigner;
    let key = rsa_crate::pss::BlindedSigningKey::<sha2::Sha256>::new(rsa_key::<BITS>());
    Box::new(move || {
        black_box(key.sign_with_rng(&mut rand::rngs::OsRng, black_box(&[0x5a; 32])));
    })
}

/// Identities with one key, as the kernel indexes them.
struct Names {
    names: Vec<u8>,
    index: Vec<NameEntry>,
    key: P256Key,
}

impl Names {
    fn new(count: usize) -> Self {
        let mut names = Vec::new();
        let mut index = Vec::new();
        for i in 0..count {
            let name = format!("www{:03}.example.org", i * 371 % 1000);
            index.push(NameEntry {
                start: names.len() as u32,
                len: name.len() as u8,
                identity: i as u32,
            });
            names.extend_from_slice(name.as_bytes());
        }
        sort_names(&names, &mut index);
        let key = P256Key::new(&P256_KEY).unwrap();
        Names { names, index, key }
    }
}

impl NameIndex for Names {
    fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
        find_name(&self.names, &self.index, name)
            .iter()
            .map(|e| e.identity as usize)
    }

    fn count(&self) -> usize {
        self.index.len()
    }

    fn scheme(&self, _: usize) -> Scheme {
        Scheme::EcdsaSecp256r1Sha256
    }

    fn first(&self, scheme: Scheme, _: u64) -> Option<usize> {
        (scheme == self.scheme(0)).then_some(0)
    }

    fn with_same_names(&self, _: usize) -> impl Iterator<Item = usize> {
        std::iter::empty()
    }

    fn validity(&self, _: usize) -> Validity {
        Validity::ALWAYS
    }

    fn signatures(&self, _: usize) -> Signatures {
        Signatures::default()
    }

    fn is_issued_by(&self, _: usize, authorities: &Authorities<'_>) -> bool {
        is_issued_by(authorities, std::iter::empty())
    }
}

impl Identities for Names {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let (index, name_matched) = select(self, constraints)?;
        Ok(Identity {
            index,
            certificate: &[11, 0, 0, 4, 0, 0, 0, 0],
            digest: &[0; 32],
            staples: Staples::NONE,
            name_matched,
            key: SigningKey::P256(&self.key),
        })
    }
}

/// A ClientHello in a record, with a share of x25519.
fn client_hello(name: &str) -> Vec<u8> {
    let mut name_list = vec![0, 0, 0, 0, 0, 0, 0];
    name_list[1] = name.len() as u8 + 5;
    name_list[3] = name.len() as u8 + 3;
    name_list[6] = name.len() as u8;
    name_list.extend_from_slice(name.as_bytes());
    let mut extensions = vec![0, 0];
    extensions.extend_from_slice(&name_list);
    extensions.extend_from_slice(&[0, 43, 0, 3, 2, 3, 4, 0, 10, 0, 4, 0, 2, 0, 29]);
    extensions.extend_from_slice(&[0, 13, 0, 4, 0, 2, 4, 3, 0, 51, 0, 38, 0, 36, 0, 29, 0, 32]);
    extensions.extend_from_slice(&[9; 32]);
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0, 0, extensions.len() as u8]);
    body.extend_from_slice(&extensions);
    let len = body.len() as u8;
    let mut record = vec![22, 3, 1, 0, len + 4, 1, 0, 0, len];
    record.extend_from_slice(&body);
    record
}

fn answer_to(count: usize, name: &str) -> Box<dyn FnMut()> {
    let names = Names::new(count);
    let hello = client_hello(name);
    // SAFETY: Zeroes are a valid value.
    let mut scratch = unsafe { zeroed::<Scratch<HostCrypto>>() };
    let mut out = [0; 2048];
    let config = Config {
        versions: 2,
        flags: 0,
        cipher_suites: &[],
        tls12_cipher_suites: &[],
        groups: &[],
        signature_schemes: &[],
        protocols: Protocols::default(),
        tickets: Tickets::NONE,
    };
    Box::new(move || {
        let mut input = hello.clone();
        let mut session = Session::new();
        let step =
            session.advance::<HostCrypto>(&config, &names, &mut input, &mut out, &mut scratch);
        assert!(matches!(step, Step::Send { .. }));
    })
}

fn answer<const NAMES: usize>() -> Box<dyn FnMut()> {
    answer_to(NAMES, "www000.example.org")
}

fn answer_unknown<const NAMES: usize>() -> Box<dyn FnMut()> {
    answer_to(NAMES, "nobody.example.com")
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let empty = count(|| Box::new(|| ()));
    for (name, prepare) in OPERATIONS {
        // RSA's millions of instructions take minutes.
        let unasked = wanted.is_empty() && !name.starts_with("rsa");
        if unasked || wanted.iter().any(|part| name.contains(part.as_str())) {
            println!("{:>12}  {name}", count(*prepare) - empty);
        }
    }
}

/// The number of instructions of an operation that ran before.
fn count(prepare: Prepare) -> u64 {
    let mut operation = prepare();
    for _ in 0..3 {
        operation();
    }
    let before = so_far();
    counted(operation);
    so_far() - before
}
