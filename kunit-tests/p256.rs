// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_p256))]
mod tests {
    use crate::p256::{ecdh, ecdsa_sign_with, PrivateKey};
    use crate::tests::{hex, Platform};

    /// RFC 6979, appendix A.2.5.
    const KEY: [u8; 32] = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");

    #[test]
    fn rfc6979_public_key() {
        let public: [u8; 65] = hex(concat!(
            "04",
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
            "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
        ));
        let key = PrivateKey::from_be_bytes(&KEY);
        assert!(key.is_some_and(|k| k.public_key::<Platform>() == public));
    }

    /// SHA-256 of "sample".
    #[test]
    fn rfc6979_sample() {
        let digest = hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
        let want: [u8; 72] = hex(concat!(
            "3046022100",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "022100",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        ));
        let mut signature = [0; 72];
        if let Some(key) = PrivateKey::from_be_bytes(&KEY) {
            ecdsa_sign_with::<Platform>(&key, &digest, &[], &mut signature);
        }
        assert!(signature == want);
    }

    /// SHA-256 of "test".
    #[test]
    fn rfc6979_test() {
        let digest = hex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        let want: [u8; 71] = hex(concat!(
            "3045022100",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "0220",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"
        ));
        let mut signature = [0; 72];
        let mut len = 0;
        if let Some(key) = PrivateKey::from_be_bytes(&KEY) {
            len = ecdsa_sign_with::<Platform>(&key, &digest, &[], &mut signature);
        }
        assert!(signature.get(..len) == Some(&want[..]));
    }

    /// RFC 5903, section 8.1: both sides of the exchange.
    #[test]
    fn rfc5903_exchange() {
        let i: [u8; 32] = hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433");
        let r: [u8; 32] = hex("C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53");
        let gi: [u8; 65] = hex(concat!(
            "04",
            "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180",
            "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3"
        ));
        let gr: [u8; 65] = hex(concat!(
            "04",
            "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63",
            "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"
        ));
        let want: [u8; 32] =
            hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE");
        for (secret, own, peer) in [(i, gi, gr), (r, gr, gi)] {
            let mut shared = [0; 32];
            let key = PrivateKey::from_be_bytes(&secret);
            assert!(key.is_some_and(|key| {
                key.public_key::<Platform>() == own
                    && ecdh::<Platform>(&key, &peer, &mut shared).is_ok()
            }));
            assert!(shared == want);
        }
    }

    #[test]
    fn private_keys_out_of_range() {
        // Zero, the order, and what is above it.
        assert!(PrivateKey::from_be_bytes(&[0; 32]).is_none());
        assert!(PrivateKey::from_be_bytes(&[]).is_none());
        assert!(PrivateKey::from_be_bytes(&[1; 33]).is_none());
        assert!(PrivateKey::from_be_bytes(&[0xff; 32]).is_none());
        let mut n: [u8; 32] =
            hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        assert!(PrivateKey::from_be_bytes(&n).is_none());
        // The order less 1 is a key, whose public key is -G.
        n[31] -= 1;
        let minus_g: [u8; 65] = hex(concat!(
            "04",
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
            "B01CBD1C01E58065711814B583F061E9D431CCA994CEA1313449BF97C840AE0A"
        ));
        let key = PrivateKey::from_be_bytes(&n);
        assert!(key.is_some_and(|k| k.public_key::<Platform>() == minus_g));
        // So is 1, whose public key is G.
        let g: [u8; 65] = hex(concat!(
            "04",
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
            "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
        ));
        let key = PrivateKey::from_be_bytes(&[1]);
        assert!(key.is_some_and(|k| k.public_key::<Platform>() == g));
    }

    #[test]
    fn public_keys_are_validated() {
        let g: [u8; 65] = hex(concat!(
            "04",
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
            "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
        ));
        let Some(key) = PrivateKey::from_be_bytes(&KEY) else {
            return;
        };
        let mut shared = [0; 32];
        let mut refused = |peer: &[u8]| ecdh::<Platform>(&key, peer, &mut shared).is_err();
        assert!(!refused(&g));
        // Not on the curve, in each coordinate.
        for i in [1, 32, 33, 64] {
            let mut bad = g;
            bad[i] ^= 1;
            assert!(refused(&bad));
        }
        // Compressed, hybrid and infinity; too short and too long.
        for form in [0, 2, 3, 5, 6, 7] {
            let mut bad = g;
            bad[0] = form;
            assert!(refused(&bad));
        }
        assert!(refused(&[0]));
        assert!(refused(&[]));
        assert!(refused(&g[..64]));
        assert!(refused(&g[..33]));
        // x = p, and all ones: not reduced. (0, 0) is not on the curve.
        let mut bad = g;
        bad[1..33].copy_from_slice(&hex::<32>(
            "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
        ));
        assert!(refused(&bad));
        let mut bad = [0xff; 65];
        bad[0] = 4;
        assert!(refused(&bad));
        let mut bad = [0; 65];
        bad[0] = 4;
        assert!(refused(&bad));
    }
}
