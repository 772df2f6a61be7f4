// SPDX-License-Identifier: GPL-2.0

//! That the platform's crypto library is connected the right way round.

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_crypto))]
mod tests {
    use crate::engine::crypto::{AeadAlg, BadShare, BadTag, Crypto, HashAlg, P256Key, SignError};
    use crate::tests::{hex, Platform};

    /// FIPS 180-4, examples of NIST: "abc".
    #[test]
    fn hashes() {
        let mut hash = Platform::hash_init(HashAlg::Sha256);
        Platform::hash_update(&mut hash, b"ab");
        let mut copy = hash.clone();
        Platform::hash_update(&mut hash, b"c");
        Platform::hash_update(&mut copy, b"x");
        let want: [u8; 32] =
            hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(Platform::hash_final(hash)[..32] == want);

        let mut hash = Platform::hash_init(HashAlg::Sha384);
        Platform::hash_update(&mut hash, b"abc");
        let want: [u8; 48] = hex(concat!(
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed",
            "8086072ba1e7cc2358baeca134c825a7"
        ));
        assert!(Platform::hash_final(hash) == want);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac() {
        let mut out = [0; 48];
        let key = Platform::hmac_key(HashAlg::Sha256, b"Jefe");
        Platform::hmac(&key, [b"what do ya want ", b"for nothing?"], &mut out);
        let want: [u8; 32] =
            hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(out[..32] == want);

        let key = Platform::hmac_key(HashAlg::Sha384, b"Jefe");
        Platform::hmac(&key, [b"what do ya want for nothing?"], &mut out);
        let want: [u8; 48] = hex(concat!(
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e",
            "8e2240ca5e69e2c78b3239ecfab21649"
        ));
        assert!(out == want);
    }

    /// Seals and opens, and refuses one wrong bit.
    fn aead(
        alg: AeadAlg,
        key: &[u8],
        nonce: [u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        sealed: (&[u8], [u8; 16]),
    ) {
        let done = Platform::with_aead_key(alg, key, |key| {
            let tag = Platform::aead_seal(key, &nonce, aad, buf);
            assert!(*buf == *sealed.0 && tag == sealed.1);
            let mut wrong = tag;
            wrong[0] ^= 1;
            assert!(Platform::aead_open(key, &nonce, aad, buf, &wrong) == Err(BadTag));
            buf.copy_from_slice(sealed.0);
            assert!(Platform::aead_open(key, &nonce, aad, buf, &tag).is_ok());
        });
        assert!(done.is_some());
    }

    /// RFC 8439, section 2.8.2.
    #[test]
    fn chacha20_poly1305() {
        let key: [u8; 32] = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        let mut text = *b"Ladies and Gentlemen of the class of '99: If I could offer you \
            only one tip for the future, sunscreen would be it.";
        let sealed: [u8; 114] = hex(concat!(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
            "3ff4def08e4b7a9de576d26586cec64b6116"
        ));
        let plain = text;
        aead(
            AeadAlg::ChaCha20Poly1305,
            &key,
            hex("070000004041424344454647"),
            &hex::<12>("50515253c0c1c2c3c4c5c6c7"),
            &mut text,
            (&sealed, hex("1ae10b594f09e26a7e902ecbd0600691")),
        );
        assert!(text == plain);
    }

    /// The GCM specification of McGrew and Viega, test cases 4 and 16.
    #[test]
    fn aes_gcm() {
        let plain: [u8; 60] = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let aad: [u8; 20] = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let key: [u8; 32] = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let sealed: [u8; 60] = hex(concat!(
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e",
            "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        ));
        let mut text = plain;
        aead(
            AeadAlg::Aes128Gcm,
            &key[..16],
            hex("cafebabefacedbaddecaf888"),
            &aad,
            &mut text,
            (&sealed, hex("5bc94fbc3221a5db94fae95ae7121a47")),
        );
        assert!(text == plain);

        let sealed: [u8; 60] = hex(concat!(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        ));
        aead(
            AeadAlg::Aes256Gcm,
            &key,
            hex("cafebabefacedbaddecaf888"),
            &aad,
            &mut text,
            (&sealed, hex("76fc6ece0f4e1768cddf8853bb2d551b")),
        );
        assert!(text == plain);
    }

    #[test]
    fn key_lengths() {
        let is_key = |alg, raw: &[u8]| Platform::with_aead_key(alg, raw, |_| ()).is_some();
        assert!(!is_key(AeadAlg::Aes128Gcm, &[0; 32]));
        assert!(!is_key(AeadAlg::Aes256Gcm, &[0; 16]));
        assert!(!is_key(AeadAlg::ChaCha20Poly1305, &[0; 31]));
    }

    /// What is agreed on with the base point is the public key (RFC 7748, section 6.1).
    #[test]
    fn x25519() {
        let mut base = [0; 32];
        base[0] = 9;
        let (mut a, mut b, mut shared) = ([0; 32], [0; 32], [0; 32]);
        assert!(Platform::x25519(&base, &mut a, &mut shared).is_ok() && a == shared);
        assert!(Platform::x25519(&base, &mut b, &mut shared).is_ok() && b == shared);
        assert!(a != b);
    }

    /// The base point of P-256 (SP 800-186, section 3.2.1.3), an uncompressed point.
    const P256_BASE: [u8; 65] = hex(concat!(
        "04",
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ));

    /// What is agreed on with the base point is the public key's x coordinate.
    #[test]
    fn p256() {
        let (mut a, mut b, mut shared) = ([0; 65], [0; 65], [0; 32]);
        assert!(Platform::p256_ecdh(&P256_BASE, &mut a, &mut shared).is_ok());
        assert!(a[0] == 4 && a[1..33] == shared);
        assert!(Platform::p256_ecdh(&P256_BASE, &mut b, &mut shared).is_ok());
        assert!(b[1..33] == shared && a != b);
        a[64] ^= 1;
        assert!(Platform::p256_ecdh(&a, &mut b, &mut shared) == Err(BadShare));
    }

    /// Private keys from 1 to the order less 1.
    #[test]
    fn p256_private_keys() {
        const ORDER: [u8; 32] =
            hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        let public = |bytes: &[u8]| Platform::p256_public_key(&P256Key::new(bytes)?);
        assert!(public(&[1]) == Some(P256_BASE));
        let mut last = ORDER;
        last[31] -= 1;
        assert!(public(&last).is_some_and(|p| p[1..33] == P256_BASE[1..33] && p != P256_BASE));
        for bad in [&[][..], &[0; 32], &ORDER, &[1; 33]] {
            assert!(public(bad).is_none());
        }
        let key = P256Key::new(&ORDER).unwrap();
        assert!(Platform::p256_ecdsa_sign(&key, &[7; 32], &mut [0; 72]) == Err(SignError));
    }

    /// All points of small order that there are, as Project Wycheproof has them, with and without
    /// the highest bit, which is ignored (RFC 7748, section 5): they give zeroes.
    #[test]
    fn x25519_of_small_order() {
        const POINTS: [&str; 7] = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];

        let (mut public, mut out) = ([0; 32], [0; 32]);
        for point in &POINTS {
            let mut point: [u8; 32] = hex(point);
            for _ in 0..2 {
                assert!(Platform::x25519(&point, &mut public, &mut out) == Err(BadShare));
                assert!(out == [0; 32]);
                point[31] ^= 0x80;
            }
        }
    }
}
