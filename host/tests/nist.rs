// SPDX-License-Identifier: GPL-2.0
//! Vectors of NIST's CAVP for ECDH and of its ACVP for ML-KEM. Those for ECDSA are in
//! kunit-tests/lib-crypto/p256_nist.rs, those for RSA need what is private to it and are in rsa.rs.

#[path = "vectors/mod.rs"]
mod vectors;

use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::mlkem::{self, CIPHERTEXT_LEN, SHARED_SECRET_LEN};
use tls_handshake_host::p256::{ecdh, PrivateKey};
use tls_handshake_host::zeroed;
use vectors::{file, hex, section};

/// The validity test of SP 800-56A's static unified scheme without key confirmation: is a shared
/// secret the right one, and are both keys?
fn key_agreement(role: &str) {
    let name = format!("ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax");
    let (mut right, mut wrong, mut refused) = (0, 0, 0);
    for record in section(&name, "[EC - SHA256]") {
        if !record.contains_key("Result") {
            continue;
        }
        let get = |key: &str| hex(&record[key]);
        let point = |who: &str| {
            let mut point = vec![4];
            point.extend(get(&format!("Qs{who}x")));
            point.extend(get(&format!("Qs{who}y")));
            point
        };
        let key = PrivateKey::from_be_bytes(&get("dsIUT")).unwrap();
        let mut shared = [0; 32];
        let agreed = ecdh::<HostCrypto>(&key, &point("CAVS"), &mut shared);
        let own = key.public_key::<HostCrypto>();
        without_assembly(|| {
            let mut portable = [0; 32];
            let other = ecdh::<HostCrypto>(&key, &point("CAVS"), &mut portable);
            assert_eq!((other, portable), (agreed, shared));
            assert_eq!(key.public_key::<HostCrypto>(), own);
        });
        let result = &record["Result"];
        // Whether the peer's key is one is told apart.
        assert_eq!(agreed.is_err(), result.contains("CAVS's Static"));
        let passed = agreed.is_ok() && own[..] == point("IUT") && shared[..] == get("Z");
        assert_eq!(passed, result.starts_with('P'), "{record:?}");
        match (passed, agreed) {
            (true, _) => right += 1,
            (false, Ok(_)) => wrong += 1,
            (false, Err(_)) => refused += 1,
        }
    }
    assert!(
        right > 10 && wrong > 5 && refused > 3,
        "{right} {wrong} {refused}"
    );
}

#[test]
fn ecdh_as_initiator() {
    key_agreement("init");
}

#[test]
fn ecdh_as_responder() {
    key_agreement("resp");
}

/// The tests of a function for ML-KEM-768.
fn groups(name: &str, function: Option<&str>) -> Vec<serde_json::Value> {
    let all: serde_json::Value = serde_json::from_str(&file(name)).unwrap();
    let groups = all["testGroups"].as_array().unwrap();
    let wanted = |group: &&serde_json::Value| {
        group["parameterSet"] == "ML-KEM-768" && group["function"].as_str() == function
    };
    groups.iter().filter(wanted).cloned().collect()
}

fn encapsulate(key: &[u8], message: &[u8]) -> ([u8; CIPHERTEXT_LEN], [u8; SHARED_SECRET_LEN]) {
    // SAFETY: Zeroes are a valid value.
    let mut scratch = unsafe { zeroed::<mlkem::Scratch>() };
    let (mut ciphertext, mut shared) = ([0; CIPHERTEXT_LEN], [0; SHARED_SECRET_LEN]);
    mlkem::encapsulate_with::<HostCrypto>(
        key,
        message.try_into().unwrap(),
        &mut scratch,
        &mut ciphertext,
        &mut shared,
    )
    .unwrap();
    (ciphertext, shared)
}

#[test]
fn mlkem_encapsulation() {
    let mut run = 0;
    let name = "ML-KEM-encapDecap-FIPS203/internalProjection.json";
    for group in groups(name, Some("encapsulation")) {
        for test in group["tests"].as_array().unwrap() {
            let get = |key: &str| hex(test[key].as_str().unwrap());
            let (ciphertext, shared) = encapsulate(&get("ek"), &get("m"));
            assert_eq!(ciphertext[..], get("c"));
            assert_eq!(shared[..], get("k"));
            run += 1;
        }
    }
    assert_eq!(run, 25);
}

/// Keys of NIST's key generation, which is the client's part: encapsulations for them are opened
/// by libcrux with the private key of the same vector.
#[test]
fn mlkem_for_generated_keys() {
    let mut run: u8 = 0;
    for group in groups("ML-KEM-keyGen-FIPS203/internalProjection.json", None) {
        for test in group["tests"].as_array().unwrap() {
            let get = |key: &str| hex(test[key].as_str().unwrap());
            let (ciphertext, shared) = encapsulate(&get("ek"), &[run; 32]);
            let private: [u8; 2400] = get("dk").try_into().unwrap();
            let opened = libcrux_ml_kem::mlkem768::decapsulate(&private.into(), &ciphertext.into());
            assert_eq!(opened, shared);
            run += 1;
        }
    }
    assert_eq!(run, 25);
}
