// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(x25519_internals))]
mod tests {
    use super::super::common::hex;
    use super::super::Platform;
    #[cfg(target_arch = "x86_64")]
    use crate::cpu::Adx;
    use crate::x25519::field::Portable;
    use crate::x25519::{exchange_with, public_key_with, shared_secret_with};

    /// A little-endian number of which only the lowest and the highest byte are not zero.
    const fn number(low: u8, high: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = low;
        bytes[31] = high;
        bytes
    }

    const BASE_POINT: [u8; 32] = number(9, 0);

    /// The public key of a private key, and the secret shared with a peer: portable and with
    /// assembly, if the CPU has it, together and one by one.
    fn agree(private: &[u8; 32], peer: &[u8; 32]) -> ([u8; 32], Option<[u8; 32]>) {
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        let mut alone = [0xff; 32];
        let usable = exchange_with(Portable, private, peer, &mut public, &mut shared);
        assert!(usable == (shared != [0; 32]));
        public_key_with(Portable, private, &mut alone);
        assert!(alone == public);
        assert!(shared_secret_with(Portable, private, peer, &mut alone) == usable);
        assert!(alone == shared);
        #[cfg(target_arch = "x86_64")]
        if let Some(adx) = Adx::new::<Platform>() {
            let (mut adx_public, mut adx_shared) = ([0; 32], [0; 32]);
            let same = exchange_with(adx, private, peer, &mut adx_public, &mut adx_shared);
            assert!(same == usable && adx_public == public && adx_shared == shared);
            public_key_with(adx, private, &mut alone);
            assert!(alone == public);
            assert!(shared_secret_with(adx, private, peer, &mut alone) == usable);
            assert!(alone == shared);
        }
        (public, usable.then_some(shared))
    }

    /// RFC 7748, section 5.2.
    #[test]
    fn known_answers() {
        let k = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let u = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let want = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert!(agree(&k, &u).1 == Some(want));
        let k = hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d");
        let u = hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493");
        let want = hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
        assert!(agree(&k, &u).1 == Some(want));
    }

    /// RFC 7748, section 5.2: what is shared becomes the private key, which becomes the peer's.
    #[test]
    fn iterated() {
        let (mut k, mut u) = (BASE_POINT, BASE_POINT);
        for i in 1..=1000 {
            let (_, shared) = agree(&k, &u);
            (u, k) = (k, shared.unwrap_or([0; 32]));
            let want = match i {
                1 => hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"),
                1000 => hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"),
                _ => k,
            };
            assert!(k == want);
        }
    }

    /// Scalars and peers of which limbs are all ones or all zeroes, where carries are rare. The
    /// base point is a peer's key like another.
    #[test]
    fn sparse_numbers() {
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let mut sparse = || {
            let mut bytes = [0u8; 32];
            let mut ones = false;
            for byte in &mut bytes {
                ones ^= next(6) == 0;
                *byte = if ones { 0xff } else { 0 };
            }
            bytes[next(32)] ^= 1 << next(8);
            bytes
        };
        for _ in 0..500 {
            let (private, peer) = (sparse(), sparse());
            let (public, _) = agree(&private, &peer);
            assert!(agree(&private, &BASE_POINT) == (public, Some(public)));
        }
    }

    /// Numbers from p to 2^255 - 1 are valid (RFC 7748, section 5), and so is the highest bit.
    #[test]
    fn not_canonical() {
        let private = number(0x5a, 0xa5);
        for i in 0..19 {
            // p + i
            let mut peer = [0xff; 32];
            (peer[0], peer[31]) = (0xed + i, 0x7f);
            let reduced = agree(&private, &number(i, 0));
            assert!(agree(&private, &peer) == reduced);
            peer[31] = 0xff;
            assert!(agree(&private, &peer) == reduced);
            assert!(agree(&private, &number(i, 0x80)) == reduced);
            // 0 and 1 are of small order.
            assert!(reduced.1.is_some() == (i > 1));
        }
    }

    /// The points of order 8 (<https://cr.yp.to/ecdh.html#validate>): nothing is shared, and the
    /// public key is right.
    #[test]
    fn small_order() {
        let private = number(0x5a, 0xa5);
        let (public, _) = agree(&private, &BASE_POINT);
        for peer in [
            hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        ] {
            assert!(agree(&private, &peer) == (public, None));
        }
    }
}
