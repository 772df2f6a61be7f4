// SPDX-License-Identifier: GPL-2.0
//! Project Wycheproof's vectors for P-256 and X25519. Those for ML-KEM and RSASSA-PSS are in mlkem.rs
//! and rsa.rs.
//!
//! Those for HMAC, HKDF and AEADs would test the host's crates, as in the kernel lib/crypto does
//! these, which has tests of its own; kunit-tests/.kunitconfig runs them.

use ring::signature::{UnparsedPublicKey, ECDSA_P256_SHA256_ASN1};
use sha2::Digest;
use tls_handshake_host::engine::crypto::Crypto;
use tls_handshake_host::host_crypto::{with_random, without_assembly, HostCrypto};
use tls_handshake_host::p256;
use wycheproof::ecdh::{TestName, TestSet};
use wycheproof::{ecdsa, xdh, TestResult};

/// Our shared secret, with the assembly and without.
fn agree(private_key: &[u8], point: &[u8]) -> Result<[u8; 32], p256::InvalidPublicKey> {
    // Their private keys may have leading zeroes; ours are 32 bytes at most.
    let zeroes = private_key.iter().take_while(|byte| **byte == 0).count();
    let key = p256::PrivateKey::from_be_bytes(&private_key[zeroes..]).unwrap();
    let run = || {
        let mut shared = [0; 32];
        p256::ecdh::<HostCrypto>(&key, point, &mut shared).map(|_| shared)
    };
    let got = run();
    assert_eq!(without_assembly(run), got);
    got
}

#[test]
fn ecdh_secp256r1_points() {
    let set = TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|g| &g.tests) {
        let got = agree(&test.private_key, &test.public_key);
        let compressed = test.public_key.len() == 33;
        match (test.result, got) {
            (TestResult::Valid | TestResult::Acceptable, Ok(shared)) => {
                assert_eq!(shared[..], test.shared_secret[..], "{}", test.tc_id)
            }
            // TLS 1.3 has uncompressed points only (RFC 9846, section 4.3.8.2).
            (TestResult::Valid | TestResult::Acceptable, Err(_)) => {
                assert!(compressed, "{}: {}", test.tc_id, test.comment)
            }
            (TestResult::Invalid, got) => assert!(got.is_err(), "{}", test.tc_id),
        }
        run += 1;
    }
    assert!(run > 300, "only {run} vectors");
}

/// Public keys as SubjectPublicKeyInfo. TLS has nothing of it but the point, which is what is after
/// the names of algorithm and curve.
#[test]
fn ecdh_secp256r1() {
    const NAMES: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\
        \xce\x3d\x03\x01\x07\x03\x42\x00";
    let set = TestSet::load(TestName::EcdhSecp256r1).unwrap();
    let (mut agreed, mut refused, mut other) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some(point) = test.public_key.strip_prefix(NAMES) else {
            // Compressed, on another curve, with explicit parameters, or wrong as DER.
            other += 1;
            continue;
        };
        match agree(&test.private_key, point) {
            Ok(shared) => {
                assert_ne!(test.result, TestResult::Invalid, "{}", test.tc_id);
                assert_eq!(shared[..], test.shared_secret[..], "{}", test.tc_id);
                agreed += 1;
            }
            Err(_) => {
                // What is acceptable need not be accepted.
                assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert!(
        agreed > 300 && refused > 10 && other < 300,
        "{agreed} {refused} {other}"
    );
}

#[test]
fn x25519() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (mut shared, mut portable) = ([0; 32], [0; 32]);
        let public = test.public_key[..].try_into().unwrap();
        let run = || HostCrypto::x25519(public, &mut [0; 32], &mut shared).is_ok();
        let (got, _) = with_random(&test.private_key, run);
        let (same, _) = with_random(&test.private_key, || {
            without_assembly(|| HostCrypto::x25519(public, &mut [0; 32], &mut portable).is_ok())
        });
        assert_eq!((same, portable), (got, shared), "{}", test.tc_id);
        assert_eq!(shared[..], test.shared_secret[..], "{}", test.tc_id);
        let zero = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
        assert_eq!(got, !zero, "{}", test.tc_id);
        match got {
            true => agreed += 1,
            false => refused += 1,
        }
    }
    assert!(agreed > 400 && refused > 20, "{agreed} {refused}");
}

/// The vectors for ECDSA are for verifiers, which we have none of. They show that the one that
/// judges our signatures takes the right ones and no others; and what they sign, digests of many
/// zeroes or ones among it, is signed by us.
#[test]
fn ecdsa_secp256r1_sha256() {
    let key = p256::PrivateKey::from_be_bytes(&[0x5a; 32]).unwrap();
    let ours = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key::<HostCrypto>());
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let theirs = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &group.key.key[..]);
        for test in &group.tests {
            let got = theirs.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(got, test.result == TestResult::Valid, "{}", test.tc_id);
            match got {
                true => valid += 1,
                false => invalid += 1,
            }
            let digest = sha2::Sha256::digest(&test.msg[..]).into();
            let sign = || {
                let mut signature = [0; p256::MAX_SIGNATURE];
                let len = p256::ecdsa_sign::<HostCrypto>(&key, &digest, &mut signature);
                ours.verify(&test.msg, &signature[..len]).unwrap();
            };
            sign();
            without_assembly(sign);
        }
    }
    assert!(valid > 150 && invalid > 200, "{valid} {invalid}");
}
