// SPDX-License-Identifier: GPL-2.0
//! Compares the handshake's primitives with those of user space libraries, on one core.
//!
//! All take turns, so that the load of the machine is the same for each. A line has the median and
//! the tenth percentile of the time, the exact number of instructions (single-stepped with the trap
//! flag of x86; RSA's only with `--count-rsa`), and the ratio of the medians: above 1, ours is
//! faster.

use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sha2::Digest;
use tls_handshake_host::der::Der;
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::{p256, rsa, zeroed};

const MESSAGE: [u8; 32] = [7; 32];
const SCALAR: [u8; 32] = [0x42; 32];

/// Who and what.
struct Entry(&'static str, Box<dyn FnMut()>);

fn entry(name: &'static str, operation: impl FnMut() + 'static) -> Entry {
    Entry(name, Box::new(operation))
}

fn digest() -> [u8; 32] {
    sha2::Sha256::digest(black_box(MESSAGE)).into()
}

fn our_key() -> p256::PrivateKey {
    p256::PrivateKey::from_be_bytes(&SCALAR).unwrap()
}

/// ECDSA of a short message, with its hash.
fn ecdsa() -> Vec<Entry> {
    fn sign(key: &p256::PrivateKey) {
        let mut signature = [0; 72];
        black_box(p256::ecdsa_sign::<HostCrypto>(
            key,
            &digest(),
            &mut signature,
        ));
    }
    let (key, same) = (our_key(), our_key());
    let graviola = {
        use graviola::signing::ecdsa::{SigningKey, P256};
        SigningKey::<P256>::generate().unwrap()
    };
    let (aws, aws_random) = {
        use aws_lc_rs::{rand::SystemRandom, signature::*};
        let random = SystemRandom::new();
        let alg = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(alg, &random).unwrap();
        (EcdsaKeyPair::from_pkcs8(alg, der.as_ref()).unwrap(), random)
    };
    let (ring, ring_random) = {
        use ring::{rand::SystemRandom, signature::*};
        let random = SystemRandom::new();
        let alg = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(alg, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(alg, der.as_ref(), &random).unwrap();
        (key, random)
    };
    let rust_crypto = ::p256::ecdsa::SigningKey::from_slice(&SCALAR).unwrap();
    vec![
        entry("ours", move || sign(&key)),
        entry("ours, portable", move || without_assembly(|| sign(&same))),
        entry("graviola", move || {
            let mut out = [0; 80];
            let message: &[u8] = &black_box(MESSAGE);
            let signature = graviola.sign_asn1::<graviola::hashing::Sha256>(&[message], &mut out);
            black_box(signature.unwrap());
        }),
        entry("aws-lc", move || {
            black_box(aws.sign(&aws_random, &black_box(MESSAGE)).unwrap());
        }),
        entry("ring", move || {
            black_box(ring.sign(&ring_random, &black_box(MESSAGE)).unwrap());
        }),
        entry("RustCrypto", move || {
            use ::p256::ecdsa::{signature::RandomizedSigner, DerSignature};
            let s: DerSignature =
                rust_crypto.sign_with_rng(&mut rand::thread_rng(), &black_box(MESSAGE));
            black_box(s);
        }),
    ]
}

/// What a server does for a key share: a key pair and the shared secret.
fn ecdh() -> Vec<Entry> {
    fn agree(peer: &[u8; 65]) {
        let key = p256::PrivateKey::generate::<HostCrypto>();
        let mut shared = [0; 32];
        black_box(p256::ecdh::<HostCrypto>(&key, black_box(peer), &mut shared).unwrap());
        black_box(shared);
    }
    let peer = our_key().public_key::<HostCrypto>();
    vec![
        entry("ours", move || agree(&peer)),
        entry("ours, portable", move || without_assembly(|| agree(&peer))),
        entry("graviola", move || {
            use graviola::key_agreement::p256::{PrivateKey, PublicKey};
            let key = PrivateKey::new_random().unwrap();
            black_box(key.public_key_uncompressed());
            let peer = PublicKey::from_x962_uncompressed(black_box(&peer)).unwrap();
            black_box(key.diffie_hellman(&peer).unwrap().0);
        }),
        entry("aws-lc", move || {
            use aws_lc_rs::{agreement::*, rand::SystemRandom};
            let key = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
            black_box(key.compute_public_key().unwrap());
            let peer = UnparsedPublicKey::new(&ECDH_P256, black_box(&peer));
            let use_it = |s: &[u8]| Ok(black_box(s[0]));
            agree_ephemeral(key, &peer, (), use_it).unwrap();
        }),
        entry("ring", move || {
            use ring::{agreement::*, rand::SystemRandom};
            let key = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
            black_box(key.compute_public_key().unwrap());
            let peer = UnparsedPublicKey::new(&ECDH_P256, black_box(&peer));
            agree_ephemeral(key, &peer, |s| black_box(s[0])).unwrap();
        }),
        entry("RustCrypto", move || {
            let key = ::p256::ecdh::EphemeralSecret::random(&mut rand::thread_rng());
            black_box(::p256::EncodedPoint::from(key.public_key()));
            let peer = ::p256::PublicKey::from_sec1_bytes(black_box(&peer)).unwrap();
            black_box(key.diffie_hellman(&peer));
        }),
    ]
}

/// A new key: as PKCS#8 and as RSAPrivateKey.
fn rsa_key(bits: usize) -> (Vec<u8>, Vec<u8>) {
    let openssl = |script: String| {
        let out = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(out.status.success(), "openssl: {:?}", out);
        out.stdout
    };
    let pem = openssl(format!("openssl genrsa {bits} 2>/dev/null"));
    let pem = String::from_utf8(pem).unwrap();
    let der = |how: &str| openssl(format!("echo '{pem}' | openssl {how} -outform DER"));
    (
        der("pkcs8 -topk8 -nocrypt"),
        der("rsa -traditional 2>/dev/null"),
    )
}

/// RSASSA-PSS with SHA-256.
fn pss(bits: usize) -> Vec<Entry> {
    let (pkcs8, pkcs1) = rsa_key(bits);
    // SAFETY: Zeroes are a valid value of all three.
    let (mut key, mut scratch, mut portable): (
        Box<rsa::PrivateKey>,
        Box<rsa::Scratch>,
        Box<rsa::Scratch>,
    ) = unsafe { (zeroed(), zeroed(), zeroed()) };
    let mut outer = Der::new(&pkcs1);
    let mut fields = outer.sequence().unwrap();
    let mut next = || fields.unsigned().unwrap();
    next();
    let components = rsa::Components {
        n: next(),
        e: next(),
        d: next(),
        p: next(),
        q: next(),
        dp: next(),
        dq: next(),
        qinv: next(),
    };
    key.init(&components).unwrap();
    let key: &'static rsa::PrivateKey = Box::leak(key);
    let mut signature = [0; 512];
    let graviola = graviola::signing::rsa::SigningKey::from_pkcs1_der(&pkcs1).unwrap();
    let aws = aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap();
    let aws_random = aws_lc_rs::rand::SystemRandom::new();
    let ring = ring::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap();
    let ring_random = ring::rand::SystemRandom::new();
    let rust_crypto = {
        use ::rsa::pkcs8::DecodePrivateKey;
        let key = ::rsa::RsaPrivateKey::from_pkcs8_der(&pkcs8).unwrap();
        ::rsa::pss::BlindedSigningKey::<sha2::Sha256>::new(key)
    };
    vec![
        entry("ours", move || {
            rsa::sign_pss::<HostCrypto>(key, &digest(), &mut scratch, &mut signature).unwrap();
        }),
        entry("ours, portable", move || {
            let mut sign =
                || rsa::sign_pss::<HostCrypto>(key, &digest(), &mut portable, &mut signature);
            without_assembly(|| sign().unwrap());
        }),
        entry("graviola", move || {
            let mut out = [0; 512];
            black_box(
                graviola
                    .sign_pss_sha256(&mut out, &black_box(MESSAGE))
                    .unwrap(),
            );
        }),
        entry("aws-lc", move || {
            let mut out = vec![0; aws.public_modulus_len()];
            let alg = &aws_lc_rs::signature::RSA_PSS_SHA256;
            aws.sign(alg, &aws_random, &black_box(MESSAGE), &mut out)
                .unwrap();
        }),
        entry("ring", move || {
            let mut out = vec![0; ring.public().modulus_len()];
            let alg = &ring::signature::RSA_PSS_SHA256;
            ring.sign(alg, &ring_random, &black_box(MESSAGE), &mut out)
                .unwrap();
        }),
        entry("RustCrypto", move || {
            use ::rsa::signature::RandomizedSigner;
            black_box(rust_crypto.sign_with_rng(&mut rand::thread_rng(), &black_box(MESSAGE)));
        }),
    ]
}

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Each instruction that is executed with the trap flag set ends here.
extern "C" fn stepped(_signal: libc::c_int) {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

#[cfg(target_arch = "x86_64")]
fn count(operation: &mut dyn FnMut()) -> u64 {
    let handler: extern "C" fn(libc::c_int) = stepped;
    // SAFETY: The handler only adds to an atomic variable.
    unsafe { libc::signal(libc::SIGTRAP, handler as libc::sighandler_t) };
    STEPS.store(0, Ordering::Relaxed);
    // SAFETY: The trap flag has no effect but the signals, for which there is a handler.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    operation();
    // SAFETY: As above.
    unsafe { std::arch::asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
    STEPS.load(Ordering::Relaxed)
}

#[cfg(not(target_arch = "x86_64"))]
fn count(_operation: &mut dyn FnMut()) -> u64 {
    0
}

fn compare(title: &str, mut entries: Vec<Entry>, rounds: usize, batch: usize, counted: bool) {
    let mut times = vec![Vec::with_capacity(rounds); entries.len()];
    for _ in 0..rounds {
        for (Entry(_, operation), times) in entries.iter_mut().zip(&mut times) {
            let start = Instant::now();
            for _ in 0..batch {
                operation();
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / batch as f64);
        }
    }
    println!("\n{title}");
    println!(
        "{:<16}{:>12}{:>12}{:>14}{:>10}",
        "", "median us", "p10 us", "instructions", "ratio"
    );
    let mut base = 0.0;
    for (Entry(name, operation), times) in entries.iter_mut().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        if base == 0.0 {
            base = median;
        }
        let instructions = if counted {
            count(operation).to_string()
        } else {
            "-".into()
        };
        println!(
            "{name:<16}{median:>12.2}{:>12.2}{instructions:>14}{:>10.2}",
            times[times.len() / 10],
            median / base
        );
    }
}

fn main() {
    let count_rsa = std::env::args().any(|a| a == "--count-rsa");
    compare("ECDSA P-256 with SHA-256, sign", ecdsa(), 400, 8, true);
    compare(
        "ECDH P-256, key pair and shared secret",
        ecdh(),
        400,
        4,
        true,
    );
    for (bits, rounds) in [(2048, 100), (3072, 40), (4096, 30)] {
        compare(
            &format!("RSA-{bits} PSS with SHA-256, sign"),
            pss(bits),
            rounds,
            1,
            count_rsa,
        );
    }
}
