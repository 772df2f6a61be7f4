// SPDX-License-Identifier: GPL-2.0
//! Project Wycheproof's vectors for ECDH with P-256.

use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::p256;
use wycheproof::ecdh::{TestName, TestSet};
use wycheproof::TestResult;

#[test]
fn ecdh_secp256r1_points() {
    let set = TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|g| &g.tests) {
        // Their private keys may have leading zeroes; ours are 32 bytes at most.
        let mut scalar = &test.private_key[..];
        while scalar.first() == Some(&0) {
            scalar = &scalar[1..];
        }
        let key = p256::PrivateKey::from_be_bytes(scalar).unwrap();
        let mut shared = [0; 32];
        let got = p256::ecdh::<HostCrypto>(&key, &test.public_key, &mut shared);
        without_assembly(|| {
            let mut portable = [0; 32];
            let other = p256::ecdh::<HostCrypto>(&key, &test.public_key, &mut portable);
            assert_eq!((other, portable), (got, shared));
        });
        let compressed = test.public_key.len() == 33;
        match (test.result, got) {
            (TestResult::Valid | TestResult::Acceptable, Ok(_)) => {
                assert_eq!(shared[..], test.shared_secret[..], "{}", test.tc_id)
            }
            // TLS 1.3 has uncompressed points only (RFC 8446, section 4.2.8.2).
            (TestResult::Valid | TestResult::Acceptable, Err(_)) => {
                assert!(compressed, "{}: {}", test.tc_id, test.comment)
            }
            (TestResult::Invalid, got) => assert!(got.is_err(), "{}", test.tc_id),
        }
        run += 1;
    }
    assert!(run > 300, "only {run} vectors");
}
