// SPDX-License-Identifier: GPL-2.0
//! Whether eight at a time give what one at a time gives, and what other libraries give.

use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::BigUint;
use tls_handshake_host::host_platform::HostCrypto;
use tls_handshake_host::{p256 as our_p256, rsa_pss, x25519 as our_x25519};

use crate::lanes::LANES;
use crate::{p256, x25519};

/// How many batches of random numbers are tried.
const ROUNDS: usize = 1000;

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    tls_handshake_host::host_platform::random(&mut bytes);
    bytes
}

fn random_each<const N: usize>() -> [[u8; N]; LANES] {
    std::array::from_fn(|_| random())
}

/// Beside lib/crypto's and x25519-dalek.
///
/// # Safety
///
/// The CPU must have AVX-512 F and IFMA.
pub unsafe fn x25519() {
    let comb = x25519::Comb::new();
    // Those of low order, and numbers that are not reduced.
    let special: [[u8; 32]; LANES] = std::array::from_fn(|i| {
        let mut u = if i < 4 { [0; 32] } else { [0xff; 32] };
        u[0] = [0, 1, 2, 9, 0xff, 0xec, 0xed, 0xee][i];
        if i == 7 {
            u[31] = 0x7f;
        }
        u
    });
    for round in 0..ROUNDS {
        let private = random_each();
        let peers = if round == 0 { special } else { random_each() };
        // SAFETY: By the safety requirements of this function.
        let (publics, shared) = unsafe {
            (
                x25519::public_keys(&comb, &private),
                x25519::shared_secrets(&private, &peers),
            )
        };
        for i in 0..LANES {
            let base = x25519_dalek::X25519_BASEPOINT_BYTES;
            assert_eq!(publics[i], x25519_dalek::x25519(private[i], base));
            assert_eq!(shared[i], x25519_dalek::x25519(private[i], peers[i]));
            let (mut public, mut secret) = ([0; 32], [0; 32]);
            our_x25519::exchange::<HostCrypto>(&private[i], &peers[i], &mut public, &mut secret);
            assert_eq!((public, secret), (publics[i], shared[i]));
        }
    }
}

/// Bytes, big-endian, of a number.
fn big_endian(n: &p256::Number) -> [u8; 32] {
    let mut bytes = p256::bytes(n);
    bytes.reverse();
    bytes
}

/// Beside lib/crypto's and the crate p256.
///
/// # Safety
///
/// The CPU must have AVX-512 F and IFMA.
pub unsafe fn p256() {
    use ::p256::ecdsa::signature::hazmat::PrehashSigner;
    let comb = p256::Comb::new();

    // The least and the largest scalars, and those that are exceptions of the formulas.
    let n = p256::ORDER;
    for first in [0, 8, 16, 24, 32, 40, 48, 56] {
        let k = std::array::from_fn(|i| [first + i as u64 + 1, 0, 0, 0]);
        let negative = k.map(|[k, ..]: p256::Number| [n[0] - k, n[1], n[2], n[3]]);
        // SAFETY: By the safety requirements of this function.
        let (x, same) = unsafe {
            (
                p256::x_coordinates(&comb, &k),
                p256::x_coordinates(&comb, &negative),
            )
        };
        for i in 0..LANES {
            let key = our_p256::PrivateKey::from_be_bytes(&big_endian(&k[i])).unwrap();
            assert_eq!(key.public_key::<HostCrypto>()[1..33], big_endian(&x[i]));
            assert_eq!(x[i], same[i]);
        }
    }

    for _ in 0..ROUNDS {
        // Less than the order; digests are any numbers.
        let keys = random_each().map(|mut bytes: [u8; 32]| {
            bytes[0] >>= 1;
            bytes
        });
        let digests: [[u8; 32]; LANES] = random_each();
        let nonces = std::array::from_fn(|i| p256::nonce(&keys[i], &digests[i], &[]));
        let [keys_as, digests_as] = [&keys, &digests].map(|all| all.map(p256::from_big_endian));
        // SAFETY: By the safety requirements of this function.
        let [r, s] = unsafe { p256::sign(&comb, &keys_as, &digests_as, &nonces) };
        for i in 0..LANES {
            let library = ::p256::ecdsa::SigningKey::from_slice(&keys[i]).unwrap();
            let signature: ::p256::ecdsa::Signature = library.sign_prehash(&digests[i]).unwrap();
            assert_eq!(signature.r().to_bytes()[..], big_endian(&r[i]));
            assert_eq!(signature.s().to_bytes()[..], big_endian(&s[i]));
            let key = our_p256::PrivateKey::from_be_bytes(&keys[i]).unwrap();
            let mut ours = [0; our_p256::MAX_SIGNATURE];
            let len = our_p256::ecdsa_sign_with::<HostCrypto>(&key, &digests[i], &[], &mut ours);
            assert_eq!(signature.to_der().as_bytes(), &ours[..len]);
        }
    }
}

/// Signatures of lib/crypto's and of aws-lc, made again of what has been signed.
///
/// # Safety
///
/// The CPU must have AVX-512 F and IFMA.
pub unsafe fn rsa() {
    use rsa::pkcs1::EncodeRsaPrivateKey;
    for _ in 0..4 {
        let key = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap();
        let der = key.to_pkcs1_der().unwrap();
        let ours = crate::times::our_rsa_key(der.as_bytes());
        let aws = aws_lc_rs::rsa::KeyPair::from_der(der.as_bytes()).unwrap();
        // SAFETY: Zeroes are a valid value.
        let mut scratch: Box<rsa_pss::Scratch> = unsafe { tls_handshake_host::zeroed() };
        let signatures: [BigUint; LANES] = std::array::from_fn(|i| {
            let mut signature = vec![0; 256];
            if i % 2 == 0 {
                let digest = random();
                rsa_pss::sign_pss::<HostCrypto>(ours, &digest, &mut scratch, &mut signature)
                    .unwrap();
            } else {
                let alg = &aws_lc_rs::signature::RSA_PSS_SHA256;
                let random_numbers = aws_lc_rs::rand::SystemRandom::new();
                aws.sign(alg, &random_numbers, &random::<32>(), &mut signature)
                    .unwrap();
            }
            BigUint::from_bytes_be(&signature)
        });
        for (prime, exponent) in key.primes().iter().zip([key.dp(), key.dq()]) {
            let messages = signatures
                .each_ref()
                .map(|s| crate::rsa::number(&(s.modpow(key.e(), key.n()) % prime)));
            let exponents = [crate::rsa::number(exponent.unwrap()); LANES];
            // SAFETY: By the safety requirements of this function.
            let powers = unsafe { crate::rsa::Moduli::of(prime).power(&messages, &exponents) };
            for (power, signature) in powers.iter().zip(&signatures) {
                let digits = power.iter().rev();
                let power = digits.fold(BigUint::from(0u32), |sum, limb| (sum << 64) + *limb);
                assert_eq!(power % prime, signature % prime);
            }
        }
    }
}
