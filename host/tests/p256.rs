// SPDX-License-Identifier: GPL-2.0
//! P-256 against ring and RustCrypto's p256, on random input, with the assembly and without.

use p256_crate::elliptic_curve::sec1::ToEncodedPoint;
use rand::RngCore;
use ring::agreement::{agree_ephemeral, EphemeralPrivateKey, UnparsedPublicKey, ECDH_P256};
use ring::signature::{UnparsedPublicKey as VerifyingKey, ECDSA_P256_SHA256_ASN1};
use sha2::Digest;
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::p256::{ecdh, ecdsa_sign, PrivateKey, MAX_SIGNATURE};
use tls_handshake_host::rounds;

/// Runs something as it is, and without the assembly.
fn twice<T: PartialEq + core::fmt::Debug>(run: impl Fn() -> T) -> T {
    let result = run();
    assert_eq!(without_assembly(&run), result);
    result
}

fn public(key: &PrivateKey) -> [u8; 65] {
    twice(|| key.public_key::<HostCrypto>())
}

#[test]
fn agreement_with_ring() {
    let rng = ring::rand::SystemRandom::new();
    for _ in 0..rounds(1) {
        let theirs = EphemeralPrivateKey::generate(&ECDH_P256, &rng).unwrap();
        let their_public = theirs.compute_public_key().unwrap();
        let key = PrivateKey::generate::<HostCrypto>();
        let shared = twice(|| {
            let mut shared = [0; 32];
            let ours = ecdh::<HostCrypto>(&key, their_public.as_ref(), &mut shared).unwrap();
            assert_eq!(ours, key.public_key::<HostCrypto>());
            shared
        });
        let ours = UnparsedPublicKey::new(&ECDH_P256, public(&key));
        agree_ephemeral(theirs, &ours, |theirs| assert_eq!(theirs, shared)).unwrap();
    }
}

#[test]
fn signatures_verified_by_ring() {
    let mut message = [0; 32];
    for _ in 0..rounds(1) {
        let key = PrivateKey::generate::<HostCrypto>();
        let verify = VerifyingKey::new(&ECDSA_P256_SHA256_ASN1, public(&key));
        rand::thread_rng().fill_bytes(&mut message);
        let digest = sha2::Sha256::digest(message).into();
        let sign = || {
            let mut signature = [0; MAX_SIGNATURE];
            let len = ecdsa_sign::<HostCrypto>(&key, &digest, &mut signature);
            verify.verify(&message, &signature[..len]).unwrap();
        };
        sign();
        without_assembly(sign);
    }
}

/// Scalars of which digits, carries and runs of ones or zeroes are at all places.
#[test]
fn public_keys_of_sparse_scalars() {
    let mut scalars = Vec::new();
    for i in 0..256 {
        for j in 0..=i {
            let mut sum = [0u8; 32];
            sum[31 - i / 8] |= 1 << (i % 8);
            sum[31 - j / 8] |= 1 << (j % 8);
            scalars.push(sum);
            // 2^i - 2^j
            let mut run = [0u8; 32];
            for bit in j..i {
                run[31 - bit / 8] |= 1 << (bit % 8);
            }
            scalars.push(run);
        }
    }
    let step = if rounds(1) < 20_000 { 97 } else { 1 };
    let mut valid = 0;
    for scalar in scalars.iter().step_by(step) {
        let theirs = p256_crate::SecretKey::from_slice(scalar);
        let ours = PrivateKey::from_be_bytes(scalar);
        assert_eq!(theirs.is_ok(), ours.is_some());
        let (Ok(theirs), Some(ours)) = (theirs, ours) else {
            continue;
        };
        let want = theirs.public_key().to_encoded_point(false);
        assert_eq!(public(&ours), want.as_bytes());
        // The base point is a peer's key like another.
        let mut one = [0; 32];
        one[31] = 1;
        let g = PrivateKey::from_be_bytes(&one).unwrap();
        let x = twice(|| {
            let mut shared = [0; 32];
            ecdh::<HostCrypto>(&ours, &g.public_key::<HostCrypto>(), &mut shared).unwrap();
            shared
        });
        assert_eq!(x, want.as_bytes()[1..33]);
        valid += 1;
    }
    assert!(valid > 300);
}

/// Points of other curves, of the twist, and those that are not reduced.
#[test]
fn validation_against_rustcrypto() {
    let key = PrivateKey::generate::<HostCrypto>();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..rounds(20) {
        let mut peer = PrivateKey::generate::<HostCrypto>().public_key::<HostCrypto>();
        let mut random = [0; 2];
        rand::thread_rng().fill_bytes(&mut random);
        if random[0] & 1 == 0 {
            peer[1 + usize::from(random[1]) % 64] ^= 1 << (random[0] >> 5);
        }
        let theirs = p256_crate::PublicKey::from_sec1_bytes(&peer);
        let ours = twice(|| ecdh::<HostCrypto>(&key, &peer, &mut [0; 32]).is_ok());
        assert_eq!(ours, theirs.is_ok());
        match ours {
            true => good += 1,
            false => bad += 1,
        }
    }
    assert!(good > 0 && bad > 0 || rounds(1) < 1000);
}
