// SPDX-License-Identifier: GPL-2.0

//! Random polynomials of ML-KEM (FIPS 203, section 4.2.2).

use super::ring::{Poly, BOTH, N, Q, SCALE};
use super::Platform;

/// Length of a block of SHAKE128's output.
pub(crate) const BLOCK_LEN: usize = 168;

/// What is asked of SHAKE128 at first: 336 candidates, of which 256 are usually good.
const BLOCKS_LEN: usize = BLOCKS * BLOCK_LEN;

/// The number of these blocks.
pub(crate) const BLOCKS: usize = 3;

/// Length of what the coefficients of a noise polynomial are made from, for eta = 2.
pub(crate) const NOISE_LEN: usize = 128;

/// A polynomial of the matrix. All of it is public.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Uniform {
    coefficients: [u16; N],
    /// What may be overwritten when the last coefficients are sampled, 16 at a time.
    _excess: [u16; 16],
}

/// What is asked of SHAKE128 for a polynomial at first.
pub(crate) type Blocks = [u8; BLOCKS_LEN];

impl Uniform {
    /// Samples from a seed and two indices (FIPS 203, algorithm 7). The time depends on the seed,
    /// which is public.
    pub(crate) fn sample<P: Platform>(&mut self, seed: &[u8; 34], blocks: &mut Blocks) {
        let mut xof = P::shake128(seed);
        P::shake128_squeeze(&mut xof, blocks);
        let mut found = select(&mut self.coefficients, 0, blocks);
        while found < N {
            let (block, _) = blocks.split_at_mut(BLOCK_LEN);
            P::shake128_squeeze(&mut xof, block);
            found = select(&mut self.coefficients, found, block);
        }
    }

    /// Pairs of coefficients, each below q.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = [u16; 2]> + '_ {
        self.coefficients
            .chunks_exact(2)
            .map(|pair| if let &[a, b] = pair { [a, b] } else { [0; 2] })
    }
}

/// Appends what is below q of the numbers of 12 bits in `bytes` to the `found` coefficients.
/// Returns how many there are.
fn select(coefficients: &mut [u16; N], mut found: usize, bytes: &[u8]) -> usize {
    for [a, b] in pairs_of_12_bits(bytes) {
        for candidate in [a, b] {
            // One that is too large is overwritten by the next.
            if let Some(coefficient) = coefficients.get_mut(found) {
                *coefficient = candidate;
            }
            found += usize::from(u64::from(candidate) < Q);
        }
        if found >= N {
            break;
        }
    }
    found
}

/// The numbers of 12 bits in a string of bytes (FIPS 203, algorithm 6).
#[inline(always)]
pub(crate) fn pairs_of_12_bits(bytes: &[u8]) -> impl Iterator<Item = [u16; 2]> + '_ {
    bytes.chunks_exact(3).map(|three| {
        let &[a, b, c] = three else { return [0; 2] };
        let (a, b, c) = (u16::from(a), u16::from(b), u16::from(c));
        [a | (b & 0xf) << 8, b >> 4 | c << 4]
    })
}

/// Calls `apply` with each word of `f` and the word of a noise polynomial (FIPS 203, algorithm 8),
/// with 4 added to its coefficients: they are from 2 to 6.
#[inline(always)]
fn noise(f: &mut Poly, bytes: &[u8; NOISE_LEN], apply: impl Fn(&mut u64, u64)) {
    const ODD_BITS: u64 = 0x5555_5555_5555_5555;
    const ODD_PAIRS: u64 = 0x3333_3333_3333_3333;
    const FOURS: u64 = 0x4444_4444_4444_4444;

    for (words, bytes) in f.chunks_exact_mut(8).zip(bytes.chunks_exact(8)) {
        let mut bits = [0; 8];
        bits.copy_from_slice(bytes);
        let bits = u64::from_le_bytes(bits);
        // Each of 16 numbers of 4 bits is the sum of its low two bits less that of its high two.
        let sums = (bits & ODD_BITS).wrapping_add(bits >> 1 & ODD_BITS);
        let mut numbers = (sums & ODD_PAIRS)
            .wrapping_add(FOURS)
            .wrapping_sub(sums >> 2 & ODD_PAIRS);
        for word in words {
            apply(word, (numbers & 0xf) | (numbers & 0xf0) << 28);
            numbers >>= 8;
        }
    }
}

/// Sets `f` to a noise polynomial, times what [`inverse_transform`] leaves to be multiplied by.
/// Coefficients are below 1.4 q.
///
/// [`inverse_transform`]: super::ring::inverse_transform
pub(crate) fn noise_scaled(f: &mut Poly, bytes: &[u8; NOISE_LEN]) {
    const OFFSET: u64 = Q - 4 * SCALE;
    noise(f, bytes, |word, numbers| {
        *word = numbers.wrapping_mul(SCALE).wrapping_add(OFFSET * BOTH);
    });
}

/// Adds a noise polynomial to `f`: `q + 2` at most to each coefficient.
pub(crate) fn noise_add(f: &mut Poly, bytes: &[u8; NOISE_LEN]) {
    const OFFSET: u64 = Q - 4;
    noise(f, bytes, |word, numbers| {
        *word = word.wrapping_add(numbers).wrapping_add(OFFSET * BOTH);
    });
}
