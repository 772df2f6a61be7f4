// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(mlkem_internals))]
mod tests {
    use super::super::common::zeroed;
    use super::super::mlkem_vector::{CIPHERTEXT, KEY, MESSAGE, SHARED};
    use super::super::Platform;
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::avx2_encode;
    use crate::mlkem::encode::compress;
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::encode::{
        encode_10, encode_4, message_add, POLY_LEN, POLY_LEN_10, POLY_LEN_4,
    };
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::keccak::{permute, States};
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::ring::{Poly, N, Q};
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::sample::{noise_add, pairs_of_12_bits, Blocks, Uniform, NOISE_LEN};
    #[cfg(target_arch = "x86_64")]
    use crate::mlkem::Platform as _;
    use crate::mlkem::{
        encapsulate, encapsulate_on, encapsulate_with, InvalidKey, Scratch, CIPHERTEXT_LEN,
        ENCAPSULATION_KEY_LEN, SHARED_SECRET_LEN,
    };

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
        for avx2 in [true, false, true, false] {
            m.ciphertext.fill(0);
            shared.fill(0);
            let got = encapsulate_on::<Platform>(
                avx2,
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

    /// Numbers that repeat late.
    #[cfg(target_arch = "x86_64")]
    fn numbers() -> impl FnMut() -> u32 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 32) as u32
        }
    }

    /// Puts a number of 12 bits where it is in FIPS 203, algorithm 5.
    fn put(bytes: &mut [u8], place: usize, number: u32) {
        let three = &mut bytes[place / 2 * 3..][..3];
        if place % 2 == 0 {
            three[0] = number as u8;
            three[1] = (three[1] & 0xf0) | (number >> 8) as u8;
        } else {
            three[1] = (three[1] & 0x0f) | (number << 4) as u8;
            three[2] = (number >> 4) as u8;
        }
    }

    /// Compressed with the registers of AVX2 and without: all that 16 bits with a sign can be, and
    /// all that there can be before noise and a message are added.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_compression() {
        struct Memory {
            words: Poly,
            coefficients: Poly,
            bytes: [[u8; POLY_LEN_10]; 2],
            few_bytes: [[u8; POLY_LEN_4]; 2],
            noise: [u8; NOISE_LEN],
        }

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut message = [0; 32];
        let mut next = numbers();
        for round in 0..2 {
            for first in (-0x8000..0x8000).step_by(N) {
                for (i, a) in (first..).take(N).enumerate() {
                    let a: i64 = if round == 0 { a } else { a * 92 / 100 };
                    let shift = i % 4 * 16;
                    m.words[i / 4] &= !(0xffff << shift);
                    m.words[i / 4] |= (a as u64 & 0xffff) << shift;
                    let shift = i % 2 * 32;
                    m.coefficients[i / 2] &= !(0xffff_ffff << shift);
                    m.coefficients[i / 2] |= (a.rem_euclid(Q as i64) as u64) << shift;
                }
                if round == 1 {
                    m.noise.fill_with(|| next() as u8);
                    message.fill_with(|| next() as u8);
                }
                noise_add(&mut m.coefficients, &m.noise);
                encode_10(&mut m.bytes[0], &m.coefficients);
                message_add(&mut m.coefficients, &message);
                encode_4(&mut m.few_bytes[0], &m.coefficients);
                // SAFETY: This runs where the registers of AVX2 may be used.
                let done = Platform::with_avx2(|| unsafe {
                    avx2_encode::encode_10(&mut m.bytes[1], &m.words, &m.noise);
                    avx2_encode::encode_4(&mut m.few_bytes[1], &m.words, &m.noise, &message);
                });
                assert!(!done || m.bytes[0] == m.bytes[1]);
                assert!(!done || m.few_bytes[0] == m.few_bytes[1]);
            }
        }
    }

    /// Decoded with the registers of AVX2 and without; one number that is too large is seen in all
    /// places.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_decoding() {
        struct Memory {
            bytes: [u8; POLY_LEN],
            polynomial: Uniform,
        }

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut next = numbers();
        for place in 0..N {
            for extreme in [0, Q as u32 - 1, Q as u32, Q as u32 + 1, 0x7ff, 0x800, 0xfff] {
                for other in 0..N {
                    put(&mut m.bytes, other, next() % Q as u32);
                }
                put(&mut m.bytes, place, extreme);
                let mut reduced = false;
                // SAFETY: This runs where the registers of AVX2 may be used.
                let done = Platform::with_avx2(|| unsafe {
                    reduced = avx2_encode::decode(&mut m.polynomial, &m.bytes);
                });
                assert!(!done || reduced == (extreme < Q as u32));
                assert!(!done || m.polynomial.pairs().eq(pairs_of_12_bits(&m.bytes)));
            }
        }
    }

    /// Sampled with the registers of AVX2 and by the definition. All sets of eight numbers that are
    /// small enough are there, and as few of them as do not suffice.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_sampling() {
        struct Memory {
            blocks: Blocks,
            polynomial: Uniform,
        }

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut next = numbers();
        for round in 0..2000 {
            for place in 0..m.blocks.len() / 3 * 2 {
                let number = match (round, next() % 32) {
                    // One after the other, or none.
                    (0, _) => Q as u32 - 1,
                    (1, _) => Q as u32,
                    (_, 0) => Q as u32 - 1,
                    (_, 1) => Q as u32,
                    // From three quarters of them to all.
                    (_, 2..=8) if round % 4 == 2 => 0xfff,
                    _ => next() % 0x1000 % (Q as u32 + round % 3 * 300),
                };
                put(&mut m.blocks, place, number);
            }
            let mut enough = false;
            // SAFETY: This runs where the registers of AVX2 may be used.
            let done = Platform::with_avx2(|| unsafe {
                enough = avx2_encode::select(&mut m.polynomial, &m.blocks);
            });
            let found = || {
                pairs_of_12_bits(&m.blocks)
                    .flatten()
                    .filter(|a| u64::from(*a) < Q)
            };
            assert!(!done || enough == (found().count() >= N));
            let mut want = found();
            let mut sampled = m.polynomial.pairs().flatten();
            assert!(!done || !enough || sampled.all(|a| want.next() == Some(a)));
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
        const Q: u32 = 3329;

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut shared = [0x5a; SHARED_SECRET_LEN];
        m.ciphertext.fill(0xa5);
        for place in [0, 1, 2, 255, 256, 511, 512, 766, 767] {
            for (coefficient, valid) in [(Q - 1, true), (Q, false), (Q + 1, false), (0xfff, false)]
            {
                m.key = KEY;
                put(&mut m.key, place, coefficient);
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
