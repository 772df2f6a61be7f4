// SPDX-License-Identifier: GPL-2.0

//! Polynomials of ML-KEM as bytes (FIPS 203, section 4.2.1).
//!
//! What is compressed is secret until it is encrypted, so the division by q is a multiplication:
//! the time of division instructions depends on the operands on many CPUs.

use super::ring::{Poly, BOTH, N, Q};
use super::sample::pairs_of_12_bits;

/// Length of a polynomial with coefficients of 12 bits.
pub(crate) const POLY_LEN: usize = N * 12 / 8;

/// Length of a polynomial compressed to 10 bits.
pub(crate) const POLY_LEN_10: usize = N * 10 / 8;

/// Length of a polynomial compressed to 4 bits.
pub(crate) const POLY_LEN_4: usize = N * 4 / 8;

/// Whether all numbers of 12 bits in an encoded vector are below q (FIPS 203, section 7.2).
pub(crate) fn is_reduced(bytes: &[u8]) -> bool {
    let largest = pairs_of_12_bits(bytes).fold(0, |largest, [a, b]| a.max(b).max(largest));
    u64::from(largest) < Q
}

/// `2^BITS / q` times the low half of `a`, rounded, modulo `2^BITS` (FIPS 203, section 4.2.1), for
/// any `a` below 2^17.
///
/// The constant is off by a half of 2^-32 at most, which makes less than 2^-16. But 1 / 2q, the
/// least distance from where the rounding changes, is more than 2^-13.
#[inline(always)]
pub(crate) fn compress<const BITS: u32>(a: u64) -> u64 {
    let factor = const { ((1u64 << (32 + BITS)) + Q / 2) / Q };
    let scaled = (a & 0xffff_ffff).wrapping_mul(factor);
    scaled.wrapping_add(1 << 31) >> 32 & ((1 << BITS) - 1)
}

/// Compresses to 10 bits per coefficient and encodes (FIPS 203, algorithm 5).
pub(crate) fn encode_10(bytes: &mut [u8], f: &Poly) {
    for (bytes, words) in bytes.chunks_exact_mut(5).zip(f.chunks_exact(2)) {
        let &[a, b] = words else { continue };
        let packed = compress::<10>(a)
            | compress::<10>(a >> 32) << 10
            | compress::<10>(b) << 20
            | compress::<10>(b >> 32) << 30;
        let [packed @ .., _, _, _] = packed.to_le_bytes();
        bytes.copy_from_slice(&packed);
    }
}

/// Compresses to 4 bits per coefficient and encodes (FIPS 203, algorithm 5).
pub(crate) fn encode_4(bytes: &mut [u8], f: &Poly) {
    for (byte, &word) in bytes.iter_mut().zip(f) {
        *byte = (compress::<4>(word) | compress::<4>(word >> 32) << 4) as u8;
    }
}

/// Adds the polynomial of a message to `f`: q / 2, rounded up, to the coefficients whose bits are
/// set (FIPS 203, algorithm 14, line 20).
pub(crate) fn message_add(f: &mut Poly, message: &[u8; N / 8]) {
    for (words, &byte) in f.chunks_exact_mut(4).zip(message) {
        let mut bits = u64::from(byte);
        for word in words {
            let both = (bits | bits << 31) & BOTH;
            *word = word.wrapping_add(both.wrapping_mul(Q.div_ceil(2)));
            bits >>= 2;
        }
    }
}
