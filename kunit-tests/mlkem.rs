// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_mlkem))]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use crate::crypto::Crypto;
    use crate::mlkem::encode::compress;
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::keccak::{permute, States};
    use crate::mlkem::{
        encapsulate, encapsulate_on, encapsulate_with, InvalidKey, Scratch, CIPHERTEXT_LEN,
        ENCAPSULATION_KEY_LEN, SHARED_SECRET_LEN,
    };
    use crate::tests::mlkem_vector::{CIPHERTEXT, KEY, MESSAGE, SHARED};
    use crate::tests::{zeroed, Platform};

    /// Memory that is too large for a stack.
    struct Memory {
        scratch: Scratch,
        key: [u8; ENCAPSULATION_KEY_LEN],
        ciphertext: [u8; CIPHERTEXT_LEN],
    }

    #[test]
    fn known_answer() {
        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut shared = [0; SHARED_SECRET_LEN];
        // With and without AVX2. Twice, as nothing may be left of the first time.
        for wide in [true, false, true, false] {
            m.ciphertext.fill(0);
            shared.fill(0);
            let got = encapsulate_on::<Platform>(
                wide,
                &KEY,
                &MESSAGE,
                &mut m.scratch,
                &mut m.ciphertext,
                &mut shared,
            );
            assert!(got.is_ok());
            assert!(m.ciphertext == CIPHERTEXT);
            assert!(shared == SHARED);
        }
    }

    /// Four SHAKE256, of one byte each, against the platform's.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn four_permutations() {
        let mut memory = zeroed::<[States; 2]>().unwrap();
        let [states, work] = &mut *memory;
        for (way, byte) in [0x00, 0x5a, 0xa5, 0xff].into_iter().enumerate() {
            states[0][way] = byte | 0x1f << 8;
            states[16][way] = 0x80 << 56;
        }
        // SAFETY: This runs where the registers of AVX2 may be used.
        if Platform::with_avx2(|| unsafe { permute(states, work) }) {
            for (way, byte) in [0x00, 0x5a, 0xa5, 0xff].into_iter().enumerate() {
                let mut want = [0; 136];
                Platform::shake256(&[byte], &mut want);
                for (lane, want) in states.iter().zip(want.chunks_exact(8)) {
                    assert!(lane[way].to_le_bytes() == *want);
                }
            }
        }
    }

    #[test]
    fn fresh_randomness() {
        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let (mut first, mut second) = ([0; SHARED_SECRET_LEN], [0; SHARED_SECRET_LEN]);
        for shared in [&mut first, &mut second] {
            let got = encapsulate::<Platform>(&KEY, &mut m.scratch, &mut m.ciphertext, shared);
            assert!(got.is_ok());
        }
        assert!(first != second);
        assert!(first != [0; SHARED_SECRET_LEN]);
    }

    /// FIPS 203, section 7.2: the largest coefficient is q - 1.
    #[test]
    fn invalid_keys() {
        const Q: u16 = 3329;

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut shared = [0x5a; SHARED_SECRET_LEN];
        m.ciphertext.fill(0xa5);
        for place in [0, 1, 2, 255, 256, 511, 512, 766, 767] {
            for (coefficient, valid) in [(Q - 1, true), (Q, false), (Q + 1, false), (0xfff, false)]
            {
                m.key = KEY;
                let pair = &mut m.key[place / 2 * 3..][..3];
                if place % 2 == 0 {
                    pair[0] = coefficient as u8;
                    pair[1] = (pair[1] & 0xf0) | (coefficient >> 8) as u8;
                } else {
                    pair[1] = (pair[1] & 0x0f) | (coefficient << 4) as u8;
                    pair[2] = (coefficient >> 4) as u8;
                }
                let got = encapsulate_with::<Platform>(
                    &m.key,
                    &MESSAGE,
                    &mut m.scratch,
                    &mut m.ciphertext,
                    &mut shared,
                );
                assert!(got == if valid { Ok(()) } else { Err(InvalidKey) });
                // Nothing is written for an invalid key.
                assert!(valid == (shared != [0x5a; SHARED_SECRET_LEN]));
                assert!(valid == (m.ciphertext != [0xa5; CIPHERTEXT_LEN]));
                shared.fill(0x5a);
                m.ciphertext.fill(0xa5);
            }
        }
        for len in [0, 1, ENCAPSULATION_KEY_LEN - 1] {
            let got = encapsulate_with::<Platform>(
                &KEY[..len],
                &MESSAGE,
                &mut m.scratch,
                &mut m.ciphertext,
                &mut shared,
            );
            assert!(got == Err(InvalidKey));
        }
    }

    /// FIPS 203, equation 4.7, with the division that secrets must not see.
    #[test]
    fn compression() {
        const Q: u64 = 3329;

        for a in 0..1 << 17 {
            // 2^d a / q + 1/2, rounded down.
            let exact = |bits: u32| ((a << (bits + 1)) + Q) / (2 * Q) % (1 << bits);
            assert!(compress::<10>(a | (!a) << 32) == exact(10));
            assert!(compress::<4>(a | (!a) << 32) == exact(4));
        }
    }
}
