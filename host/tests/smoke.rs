// SPDX-License-Identifier: GPL-2.0
//! Primitives against published vectors and other implementations.

use tls_handshake_host::host_crypto::HostCrypto;
use tls_handshake_host::{p256, rsa_pss as rsa};

fn hex(s: &str) -> Vec<u8> {
    (0..s.len() / 2)
        .map(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

/// RFC 6979, appendix A.2.5, SHA-256, "sample".
#[test]
fn rfc6979_p256_sample() {
    let key = p256::PrivateKey::from_be_bytes(&hex(
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
    ))
    .unwrap();
    let public = key.public_key::<HostCrypto>();
    assert_eq!(
        public[1..],
        hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")
    );
    let digest = ring::digest::digest(&ring::digest::SHA256, b"sample");
    let mut sig = [0; 72];
    let len = p256::ecdsa_sign_with::<HostCrypto>(
        &key,
        digest.as_ref().try_into().unwrap(),
        &[],
        &mut sig,
    );
    let mut want = hex("3046022100");
    want.extend(hex(
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
    ));
    want.extend(hex("022100"));
    want.extend(hex(
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
    ));
    assert_eq!(&sig[..len], &want[..]);
}

#[test]
fn ecdh_and_ecdsa_against_p256_crate() {
    use p256_crate::ecdsa::signature::hazmat::PrehashVerifier;
    use rand::RngCore;
    let mut rng = rand::thread_rng();
    for _ in 0..50 {
        let ours = p256::PrivateKey::generate::<HostCrypto>();
        let theirs = p256_crate::ecdh::EphemeralSecret::random(&mut rng);
        let their_public = p256_crate::EncodedPoint::from(theirs.public_key());
        let our_public = ours.public_key::<HostCrypto>();
        let mut shared = [0; 32];
        p256::ecdh::<HostCrypto>(&ours, their_public.as_bytes(), &mut shared).unwrap();
        let their_view =
            theirs.diffie_hellman(&p256_crate::PublicKey::from_sec1_bytes(&our_public).unwrap());
        assert_eq!(&shared[..], &their_view.raw_secret_bytes()[..]);

        let mut digest = [0; 32];
        rng.fill_bytes(&mut digest);
        let mut sig = [0; 72];
        let len = p256::ecdsa_sign::<HostCrypto>(&ours, &digest, &mut sig);
        let key = p256_crate::ecdsa::VerifyingKey::from_sec1_bytes(&our_public).unwrap();
        let sig = p256_crate::ecdsa::Signature::from_der(&sig[..len]).unwrap();
        key.verify_prehash(&digest, &sig).unwrap();
    }
}

fn openssl_rsa(bits: usize) -> Vec<u8> {
    let out = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "openssl genrsa {bits} 2>/dev/null | openssl rsa -traditional -outform DER 2>/dev/null"
        ))
        .output()
        .unwrap();
    out.stdout
}

#[test]
fn rsa_pss_verified_by_ring() {
    use tls_handshake_host::engine::wire::der::Der;
    for bits in [2048, 3072, 4096] {
        let der = openssl_rsa(bits);
        let mut d = Der::new(&der).sequence().unwrap();
        d.unsigned().unwrap();
        let mut next = || d.unsigned().unwrap();
        let (n, e, _d) = (next(), next(), next());
        let c = rsa::Components {
            n,
            e,
            p: next(),
            q: next(),
            dp: next(),
            dq: next(),
            qinv: next(),
        };
        let mut key: Box<rsa::PrivateKey> = unsafe { tls_handshake_host::zeroed() };
        key.init(&c).unwrap();
        let mut scratch: Box<rsa::Scratch> = unsafe { tls_handshake_host::zeroed() };
        let message = b"message";
        let digest = ring::digest::digest(&ring::digest::SHA256, message);
        let mut sig = [0; 512];
        for _ in 0..4 {
            let len = rsa::sign_pss::<HostCrypto>(
                &key,
                digest.as_ref().try_into().unwrap(),
                &mut scratch,
                &mut sig,
            )
            .unwrap();
            assert_eq!(len, bits / 8);
            ring::signature::RsaPublicKeyComponents { n: c.n, e: c.e }
                .verify(
                    &ring::signature::RSA_PSS_2048_8192_SHA256,
                    message,
                    &sig[..len],
                )
                .unwrap();
        }
    }
}
