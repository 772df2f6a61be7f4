// SPDX-License-Identifier: GPL-2.0
//! What is measured of the libraries for Rust.

use std::hint::black_box;

use sha2::Digest;
use tls_handshake_host::engine::wire::der::Der;
use tls_handshake_host::host_platform::{without_assembly, without_ifma, HostCrypto};
use tls_handshake_host::{host_platform, mlkem, p256, rsa_pss as rsa, x25519, zeroed};

use crate::measure::{entry, Entry};

const MESSAGE: [u8; 32] = [7; 32];
const SCALAR: [u8; 32] = [0x42; 32];

fn digest() -> [u8; 32] {
    sha2::Sha256::digest(black_box(MESSAGE)).into()
}

fn our_key() -> p256::PrivateKey {
    p256::PrivateKey::from_be_bytes(&SCALAR).unwrap()
}

/// ECDSA of a short message, with its hash.
pub fn ecdsa() -> Vec<Entry> {
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
pub fn ecdh() -> Vec<Entry> {
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

/// RSASSA-PSS with SHA-256.
pub fn pss(pkcs8: &[u8], pkcs1: &[u8]) -> Vec<Entry> {
    // SAFETY: Zeroes are a valid value.
    let mut key: Box<rsa::PrivateKey> = unsafe { zeroed() };
    // SAFETY: Zeroes are a valid value.
    let scratch = || -> Box<rsa::Scratch> { unsafe { zeroed() } };
    let (mut scratch, mut adx, mut portable) = (scratch(), scratch(), scratch());
    let mut outer = Der::new(pkcs1);
    let mut fields = outer.sequence().unwrap();
    let mut next = || fields.unsigned().unwrap();
    next();
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
    key.init(&components).unwrap();
    let key: &'static rsa::PrivateKey = Box::leak(key);
    let mut signature = [0; 512];
    let graviola = graviola::signing::rsa::SigningKey::from_pkcs1_der(pkcs1).unwrap();
    let aws = aws_lc_rs::rsa::KeyPair::from_pkcs8(pkcs8).unwrap();
    let aws_random = aws_lc_rs::rand::SystemRandom::new();
    let ring = ring::rsa::KeyPair::from_pkcs8(pkcs8).unwrap();
    let ring_random = ring::rand::SystemRandom::new();
    let rust_crypto = {
        use ::rsa::pkcs8::DecodePrivateKey;
        let key = ::rsa::RsaPrivateKey::from_pkcs8_der(pkcs8).unwrap();
        ::rsa::pss::BlindedSigningKey::<sha2::Sha256>::new(key)
    };
    vec![
        entry("ours", move || {
            rsa::sign_pss::<HostCrypto>(key, &digest(), &mut scratch, &mut signature).unwrap();
        }),
        entry("ours, without IFMA", move || {
            let mut sign = || rsa::sign_pss::<HostCrypto>(key, &digest(), &mut adx, &mut signature);
            without_ifma(|| sign().unwrap());
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

/// X25519, as [`ecdh`].
pub fn x25519() -> Vec<Entry> {
    const PEER: [u8; 32] = [9; 32];
    let ours = || {
        let mut private = [0; 32];
        host_platform::random(&mut private);
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        let peer = black_box(&PEER);
        assert!(x25519::exchange::<HostCrypto>(
            &private,
            peer,
            &mut public,
            &mut shared
        ));
        black_box((public, shared));
    };
    vec![
        entry("ours", ours),
        entry("ours, portable", move || without_assembly(ours)),
        entry("graviola", || {
            use graviola::key_agreement::x25519::{PrivateKey, PublicKey};
            let key = PrivateKey::new_random().unwrap();
            black_box(key.public_key().as_bytes());
            let peer = PublicKey::from_array(black_box(&PEER));
            black_box(key.diffie_hellman(&peer).unwrap().0);
        }),
        entry("aws-lc", || {
            use aws_lc_rs::{agreement::*, rand::SystemRandom};
            let key = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
            black_box(key.compute_public_key().unwrap());
            let peer = UnparsedPublicKey::new(&X25519, black_box(&PEER));
            let use_it = |s: &[u8]| Ok(black_box(s[0]));
            agree_ephemeral(key, &peer, (), use_it).unwrap();
        }),
        entry("ring", || {
            use ring::{agreement::*, rand::SystemRandom};
            let key = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
            black_box(key.compute_public_key().unwrap());
            let peer = UnparsedPublicKey::new(&X25519, black_box(&PEER));
            agree_ephemeral(key, &peer, |s| black_box(s[0])).unwrap();
        }),
        entry("dalek", || {
            let key = x25519_dalek::EphemeralSecret::random_from_rng(rand::thread_rng());
            black_box(x25519_dalek::PublicKey::from(&key));
            let peer = x25519_dalek::PublicKey::from(black_box(PEER));
            black_box(key.diffie_hellman(&peer).to_bytes());
        }),
    ]
}

/// ML-KEM-768: an encapsulation for a key that has just been received, with the check of it.
pub fn ml_kem() -> Vec<Entry> {
    use libcrux_ml_kem::mlkem768 as libcrux;
    fn random<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        host_platform::random(&mut bytes);
        bytes
    }
    let key: [u8; 1184] = *libcrux::generate_key_pair(random()).pk();
    // SAFETY: Zeroes are a valid value.
    let (mut scratch, mut same): (Box<mlkem::Scratch>, Box<mlkem::Scratch>) =
        unsafe { (zeroed(), zeroed()) };
    let ours = move |scratch: &mut mlkem::Scratch| {
        let mut ciphertext = [0; mlkem::CIPHERTEXT_LEN];
        let mut shared = [0; mlkem::SHARED_SECRET_LEN];
        mlkem::encapsulate::<HostCrypto>(black_box(&key), scratch, &mut ciphertext, &mut shared)
            .unwrap();
        black_box((ciphertext, shared));
    };
    vec![
        entry("ours", move || ours(&mut scratch)),
        entry("ours, portable", move || {
            without_assembly(|| ours(&mut same))
        }),
        entry("graviola", move || {
            use graviola::key_agreement::mlkem768::EncapKey;
            let key = EncapKey::from_bytes(black_box(&key)).unwrap();
            black_box(key.encaps().unwrap());
        }),
        entry("aws-lc", move || {
            use aws_lc_rs::kem::{EncapsulationKey, ML_KEM_768};
            let key = EncapsulationKey::new(&ML_KEM_768, black_box(&key)).unwrap();
            black_box(key.encapsulate().unwrap());
        }),
        entry("libcrux", move || {
            let key = libcrux::MlKem768PublicKey::from(black_box(key));
            assert!(libcrux::validate_public_key(&key));
            black_box(libcrux::encapsulate(&key, random()));
        }),
        entry("libcrux, portable", move || {
            let key = libcrux::MlKem768PublicKey::from(black_box(key));
            assert!(libcrux::portable::validate_public_key(&key));
            black_box(libcrux::portable::encapsulate(&key, random()));
        }),
        entry("RustCrypto", move || {
            use ml_kem::kem::{Encapsulate, EncapsulationKey};
            use ml_kem::{EncodedSizeUser, MlKem768Params};
            // It reduces what is not below q, instead of checking it.
            let key = EncapsulationKey::<MlKem768Params>::from_bytes(black_box(&key).into());
            black_box(key.encapsulate(&mut rand::thread_rng()).unwrap());
        }),
    ]
}

/// The hashing of [`ml_kem`] alone, but for the blocks that few keys need.
pub fn sha3() -> Vec<Entry> {
    use mlkem::Platform;
    vec![entry("sha3", || {
        let mut out = ([0; 32], [0; 64], [0; 128], [0; 504]);
        HostCrypto::sha3_256(&black_box([0; 1184]), &mut out.0);
        HostCrypto::sha3_512(&black_box([0; 64]), &mut out.1);
        for _ in 0..7 {
            HostCrypto::shake256(&black_box([0; 33]), &mut out.2);
        }
        for _ in 0..9 {
            let mut shake = HostCrypto::shake128(&black_box([0; 34]));
            HostCrypto::shake128_squeeze(&mut shake, &mut out.3);
        }
        black_box(out);
    })]
}

/// Parts of a signature of [`ecdsa`]; the rest is the inversion modulo the order, two
/// multiplications and the encoding.
pub fn ecdsa_parts() -> Vec<Entry> {
    use tls_handshake_host::engine::crypto::{Crypto, HashAlg::Sha256, MAX_HASH_LEN};
    fn hmac<const N: usize>(
        key: &<HostCrypto as Crypto>::HmacKey,
        data: [&[u8]; N],
    ) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        HostCrypto::hmac(key, data, &mut out);
        out
    }
    let key = our_key();
    vec![
        entry("base multiplication", move || {
            black_box(key.public_key::<HostCrypto>());
        }),
        entry("nonce's HMACs", || {
            // RFC 6979, section 3.2, with 32 bytes each of key, digest and randomness.
            let mut v = [1; MAX_HASH_LEN];
            let mut k = HostCrypto::hmac_key(Sha256, &black_box([0; 32]));
            for step in [0, 1] {
                let seed = hmac(&k, [&v[..32], &[step], &black_box([7; 96])]);
                k = HostCrypto::hmac_key(Sha256, &seed[..32]);
                v = hmac(&k, [&v[..32]]);
            }
            black_box(hmac(&k, [&v[..32]]));
        }),
        entry("random bytes", || {
            let mut bytes = [0; 32];
            HostCrypto::random(&mut bytes);
            black_box(bytes);
        }),
        entry("hash of the message", || {
            black_box(digest());
        }),
    ]
}
