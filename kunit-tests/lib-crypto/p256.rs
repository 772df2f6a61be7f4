// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(p256_internals))]
mod tests {
    use super::super::common::hex;
    use super::super::p256_nist::{PAIRS, POINTS, SIGNATURES};
    use super::super::Platform;
    #[cfg(target_arch = "x86_64")]
    use crate::cpu::Adx;
    use crate::p256::field::{Backend, Portable};
    use crate::p256::mont::{
        add_limbs, add_reduced, from_be_bytes, sub_limbs, Limbs, Modulus, Prime, Residue, N, P,
    };
    use crate::p256::{ecdh, ecdh_with, ecdsa_sign_with, public_key_with, sign_once, PrivateKey};

    /// Runs a generic function with the portable backend and with assembly if the CPU has it.
    macro_rules! with_each_backend {
        ($function:ident) => {
            $function(Portable);
            #[cfg(target_arch = "x86_64")]
            if let Some(adx) = Adx::new::<Platform>() {
                $function(adx);
            }
        };
    }

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
                    && ecdh::<Platform>(&key, &peer, &mut shared) == Ok(own)
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

    /// A number of 32 bytes.
    fn number(digits: &str) -> Limbs {
        from_be_bytes(&hex(digits))
    }

    /// An uncompressed point.
    fn point(x: &str, y: &str) -> [u8; 65] {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&hex::<32>(x));
        point[33..].copy_from_slice(&hex::<32>(y));
        point
    }

    #[test]
    fn nist_signatures() {
        fn run<B: Backend>(backend: B) {
            for [digest, key, nonce, r, s] in &SIGNATURES {
                let signature = PrivateKey::from_be_bytes(&hex::<32>(key))
                    .and_then(|key| sign_once(backend, &key, &number(digest), &number(nonce)));
                assert!(signature == Some((number(r), number(s))));
            }
        }
        with_each_backend!(run);
    }

    #[test]
    fn nist_key_pairs() {
        fn run<B: Backend>(backend: B) {
            for [key, x, y] in &PAIRS {
                let key = PrivateKey::from_be_bytes(&hex::<32>(key));
                assert!(key.is_some_and(|key| public_key_with(backend, &key) == point(x, y)));
            }
        }
        with_each_backend!(run);
    }

    #[test]
    fn nist_public_keys() {
        fn run<B: Backend>(backend: B) {
            let Some(key) = PrivateKey::from_be_bytes(&KEY) else {
                return;
            };
            for (x, y, valid) in &POINTS {
                let agreed = ecdh_with(backend, &key, &point(x, y), &mut [0; 32]);
                assert!(agreed.is_ok() == *valid);
            }
        }
        with_each_backend!(run);
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
    /// Scalars with the coordinates of the base point times them, by OpenSSL.
    const MULTIPLES: [[&str; 3]; 7] = [
        [
            "0000000000000000000000000000000000000000000000000000000000000001",
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
            "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
        ],
        // 2, and the order less 2: the last addition of another point's multiple is a doubling.
        [
            "0000000000000000000000000000000000000000000000000000000000000002",
            "7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978",
            "07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1",
        ],
        [
            "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63254F",
            "7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978",
            "F888AAEE24712FC0D6C26539608BCF244582521AC3167DD661FB4862DD878C2E",
        ],
        // 30 * 2^252 less the order, and its negative: the same, for the base point.
        [
            "E0000000FFFFFFFF00000000000000004319055258E8617B0C46353D039CDAAF",
            "716330941CC341028ED94ACF9A7E88241620390CD73CE080844F7919DF8A75A5",
            "9F01591E708CC1679DDEFAC0715761E101A4C117EBFF2D3913AD01384289BEFE",
        ],
        [
            "1FFFFFFE00000001FFFFFFFFFFFFFFFF79CDF55B4E2F3D09E7739585F8C64AA2",
            "716330941CC341028ED94ACF9A7E88241620390CD73CE080844F7919DF8A75A5",
            "60FEA6E08F733E996221053F8EA89E1EFE5B3EE91400D2C6EC52FEC7BD764101",
        ],
        [
            "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63252F",
            "2F9E6EBF717DEF118D1A092FCE97133919CF2D31B7F8BE6CFB7FDBE16820999E",
            "85115526ACD077DF1C34E5EB2F0ADB09E97D2D6BF51215F28A9477FCF941F4D0",
        ],
        [
            "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550",
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
            "B01CBD1C01E58065711814B583F061E9D431CCA994CEA1313449BF97C840AE0A",
        ],
    ];

    /// The base point.
    const G: [u8; 65] = hex(concat!(
        "04",
        "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
        "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
    ));

    #[test]
    fn multiples_that_are_exceptions() {
        fn run<B: Backend>(backend: B) {
            for [k, x, y] in MULTIPLES {
                let (k, x, y): ([u8; 32], [u8; 32], [u8; 32]) = (hex(k), hex(x), hex(y));
                let mut shared = [0; 32];
                let key = PrivateKey::from_be_bytes(&k);
                assert!(key.is_some_and(|key| {
                    let public = public_key_with(backend, &key);
                    assert!(public[1..33] == x && public[33..] == y);
                    ecdh_with(backend, &key, &G, &mut shared) == Ok(public)
                }));
                assert!(shared == x);
            }
        }
        with_each_backend!(run);
    }

    /// Numbers below a modulus whose limbs are at borders where carries begin or end.
    fn crafted<T: Modulus>() -> impl Iterator<Item = Limbs> + Clone {
        const LIMBS: [u64; 4] = [0, 1, 0xffff_ffff, u64::MAX];
        let limbs = |i: usize| {
            let limb = |n: usize| LIMBS[i >> (2 * n) & 3];
            [limb(0), limb(1), limb(2), limb(3)]
        };
        // And those around the modulus and its half.
        let near = |i: u64| {
            let (down, half) = (i / 2 + 1, i % 2 == 1);
            let m = sub_limbs(&T::M, &[down, 0, 0, 0]).0;
            match half {
                false => m,
                true => [
                    m[0] >> 1 | m[1] << 63,
                    m[1] >> 1 | m[2] << 63,
                    m[2] >> 1 | m[3] << 63,
                    m[3] >> 1,
                ],
            }
        };
        (0..256)
            .map(limbs)
            .chain((0..16).map(near))
            .filter(|a| is_below(a, &T::M))
    }

    fn is_below(a: &Limbs, b: &Limbs) -> bool {
        a.iter().rev().lt(b.iter().rev())
    }

    /// `a + b` modulo a number above both, by the definition.
    fn slow_add(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
        match add_limbs(a, b) {
            (sum, 0) if is_below(&sum, m) => sum,
            (sum, _) => sub_limbs(&sum, m).0,
        }
    }

    /// `a * b` modulo a number above `a`, by adding and doubling.
    fn slow_mul(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
        let mut product = [0; 4];
        for bit in (0..256).rev() {
            product = slow_add(&product, &product, m);
            if b[bit / 64] >> (bit % 64) & 1 == 1 {
                product = slow_add(&product, a, m);
            }
        }
        product
    }

    const ONE: Limbs = [1, 0, 0, 0];

    /// 2^256 modulo a number between 2^255 and 2^256.
    fn radix(m: &Limbs) -> Limbs {
        sub_limbs(&[0; 4], m).0
    }

    #[test]
    fn field_against_the_definition() {
        fn run<B: Backend>(backend: B) {
            let p = &P::M;
            let r = radix(p);
            for a in crafted::<P>().step_by(3) {
                let square = slow_mul(&a, &a, p);
                assert!(slow_mul(&backend.square(&a), &r, p) == square);
                assert!(backend.double(&a) == slow_add(&a, &a, p));
                assert!(backend.double(&backend.half(&a)) == a);
                for b in crafted::<P>().step_by(7) {
                    // a b / R times R.
                    assert!(slow_mul(&backend.mul(&a, &b), &r, p) == slow_mul(&a, &b, p));
                    assert!(backend.add(&a, &b) == slow_add(&a, &b, p));
                    assert!(slow_add(&backend.sub(&a, &b), &b, p) == a);
                }
            }
        }
        with_each_backend!(run);
    }

    #[test]
    fn field_of_loose_numbers() {
        fn run<B: Backend>(backend: B) {
            let p = &P::M;
            let r = radix(p);
            // Numbers of 256 bits that are not below p.
            let high = [
                P::M,
                [0, 1 << 32, 0, P::M[3]],
                [0, 0, 0, u64::MAX],
                [u64::MAX, 0, 0, u64::MAX],
                [0, u64::MAX, u64::MAX, u64::MAX],
                [u64::MAX; 4],
            ];
            for b in high {
                assert!(!is_below(&b, p));
                for a in crafted::<P>().step_by(5) {
                    let product = backend.mul(&a, &b);
                    assert!(is_below(&product, p));
                    assert!(slow_mul(&product, &r, p) == slow_mul(&a, &b, p));
                    // The sum times R / R, of which only the residue is known.
                    let sum = backend.mul(&r, &backend.add_loose(&b, &a));
                    assert!(sum == slow_add(&a, &sub_limbs(&b, p).0, p));
                }
            }
        }
        with_each_backend!(run);
    }

    /// The two backends are the same function on all pairs of crafted numbers.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn assembly_against_portable() {
        let Some(adx) = Adx::new::<Platform>() else {
            return;
        };
        for a in crafted::<P>() {
            assert!(adx.square(&a) == Portable.square(&a));
            assert!(adx.double(&a) == Portable.double(&a));
            assert!(adx.half(&a) == Portable.half(&a));
            for b in crafted::<P>() {
                assert!(adx.mul(&a, &b) == Portable.mul(&a, &b));
                assert!(adx.add(&a, &b) == Portable.add(&a, &b));
                assert!(adx.sub(&a, &b) == Portable.sub(&a, &b));
            }
        }
    }

    #[test]
    fn table_lookup() {
        fn run<B: Backend>(backend: B) {
            let mut table = [[[0; 4]; 2]; 8];
            let mut n = 1u64;
            for limb in table.iter_mut().flatten().flatten() {
                n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                *limb = n;
            }
            for (entry, i) in table.iter().zip(0..) {
                assert!(backend.lookup(&table, i) == *entry);
            }
        }
        with_each_backend!(run);
    }

    #[test]
    fn inverses() {
        fn run<T: Prime>() {
            for a in crafted::<T>() {
                let mut inverse = Residue::<T>::new(&a);
                inverse.invert();
                let inverse = inverse.times(&ONE);
                let one = if a == [0; 4] { [0; 4] } else { [1, 0, 0, 0] };
                assert!(is_below(&inverse, &T::M));
                assert!(slow_mul(&inverse, &a, &T::M) == one);
            }
        }
        run::<P>();
        run::<N>();
    }

    #[test]
    fn order_against_the_definition() {
        let n = &N::M;
        for a in crafted::<N>().step_by(5) {
            let x = Residue::<N>::new(&a);
            assert!(x.times(&ONE) == a);
            for b in crafted::<N>().step_by(11) {
                assert!(x.times(&b) == slow_mul(&a, &b, n));
                assert!(add_reduced::<N>(&a, &b) == slow_add(&a, &b, n));
            }
        }
        // What is not below the order is reduced.
        let high = [[u64::MAX; 4], N::M, add_limbs(n, &[1, 0, 0, 0]).0];
        for a in high {
            assert!(Residue::<N>::new(&a).times(&ONE) == sub_limbs(&a, n).0);
        }
    }

    #[test]
    fn exchange_with_each_backend() {
        fn run<B: Backend>(backend: B) {
            // RFC 5903, section 8.1.
            let i: [u8; 32] =
                hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433");
            let gr: [u8; 65] = hex(concat!(
                "04",
                "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63",
                "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"
            ));
            let want: [u8; 32] =
                hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE");
            let mut shared = [0; 32];
            let key = PrivateKey::from_be_bytes(&i);
            assert!(key.is_some_and(|key| ecdh_with(backend, &key, &gr, &mut shared).is_ok()));
            assert!(shared == want);
            // Its negative has the same x coordinate.
            let minus = sub_limbs(&N::M, &from_be_bytes(&i)).0;
            let minus = crate::p256::mont::to_be_bytes(&minus);
            let key = PrivateKey::from_be_bytes(&minus);
            assert!(key.is_some_and(|key| ecdh_with(backend, &key, &gr, &mut shared).is_ok()));
            assert!(shared == want);
        }
        with_each_backend!(run);
    }
}
