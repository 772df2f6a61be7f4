// SPDX-License-Identifier: GPL-2.0

//! The numbers of base blinding.
//!
//! What is exponentiated is not the message but `message * r^e mod n`, and the result is
//! multiplied by `r^-1`, so that nobody who sees the message knows a number that the private
//! exponents work on. r is drawn for each signature: there is no state to lock, to keep for each
//! key and CPU, to refresh, or to reuse by mistake.
//!
//! What costs in such a scheme is the inverse modulo n. It needs no inversion of that size if r is
//! short, as division goes the other way round, too: for `t = -n^-1 mod r`, of r's length, `1 + n
//! * t` is a multiple of r, and
//!
//! ```text
//! r^-1 mod n = (1 + n * t) / r
//! ```
//!
//! The division is exact, so that it takes one multiplication for each limb, beginning at the
//! lowest. 128 bits for r are short and yet as many as anybody could guess at.

use super::mont::{adc, mac, negated_inverse};
use crate::ct::Mask;

/// An odd number of 128 bits.
pub(crate) type Short = [u64; 2];

/// A blinding factor of random bytes.
pub(crate) fn factor(random: &[u8; 16]) -> Short {
    let random = u128::from_le_bytes(*random);
    // Odd, to have an inverse modulo powers of two. No prime of a key divides it, being longer.
    [random as u64 | 1, (random >> 64) as u64 | 1 << 63]
}

/// `out = r^-1 mod n`, for an odd n that has no divisor in common with r.
pub(crate) fn invert(out: &mut [u64], r: Short, n: &[u64]) {
    let r0 = negated_inverse(r[0]);
    // y = n / 2^(64 * len) mod r.
    let mut y = [0; 2];
    for limb in n {
        y = add_and_shift(y, *limb, r, r0);
    }
    // n^-1 = y^-1 / 2^(64 * len) mod r.
    let mut inverse = invert_short(y, r);
    for _ in n {
        inverse = add_and_shift(inverse, 0, r, r0);
    }
    let t = to_u128(r).wrapping_sub(to_u128(inverse));
    divide(out, [t as u64, (t >> 64) as u64], r, r0, n);
}

fn to_u128(x: Short) -> u128 {
    u128::from(x[0]) | u128::from(x[1]) << 64
}

fn mask_u128(bit: bool) -> u128 {
    let mask = Mask::from_bit(u64::from(bit)).bits();
    u128::from(mask) | u128::from(mask) << 64
}

/// `(x + limb) / 2^64 mod r`, at most r if x is. `r0` is -r^-1 mod 2^64.
fn add_and_shift(x: Short, limb: u64, r: Short, r0: u64) -> Short {
    let (x0, carry) = adc(x[0], limb, 0);
    let (x1, x2) = adc(x[1], carry, 0);
    let q = x0.wrapping_mul(r0);
    let (_, carry) = mac(x0, q, r[0], 0);
    let (low, carry) = mac(x1, q, r[1], carry);
    // (r + (2^64 - 1) + (2^64 - 1) * r) / 2^64 is below r + 1.
    [low, x2.wrapping_add(carry)]
}

/// `y^-1 mod r` by binary division, for y not above r and without common divisor.
fn invert_short(y: Short, r: Short) -> Short {
    let r = to_u128(r);
    // a = u * y and b = v * y mod r, all four not above r, and b is odd. Each step makes a and b
    // shorter by one bit in sum until a is zero and b, the greatest common divisor, is one. Once
    // there, more steps change neither b nor v.
    let (mut a, mut b, mut u, mut v) = (to_u128(y), r, 1, 0);
    for _ in 0..256 {
        let odd = mask_u128(a & 1 != 0);
        let swap = odd & mask_u128(a < b);
        let (d, e) = ((a ^ b) & swap, (u ^ v) & swap);
        (a, b) = (a ^ d, b ^ d);
        (u, v) = (u ^ e, v ^ e);
        a = a.wrapping_sub(b & odd) >> 1;
        let (difference, borrow) = u.overflowing_sub(v & odd);
        u = difference.wrapping_add(r & mask_u128(borrow));
        // Half of u, or of u + r.
        let half = (r >> 1).wrapping_add(1) & mask_u128(u & 1 != 0);
        u = (u >> 1).wrapping_add(half);
    }
    [v as u64, (v >> 64) as u64]
}

/// `out = (1 + n * t) / r`, which is a whole number below n.
fn divide(out: &mut [u64], t: Short, r: Short, r0: u64, n: &[u64]) {
    // What has not been divided yet, without what is in the limbs of n to come. Multiples of r are
    // added to make limbs zero, which gives the quotient's negative.
    let mut rest = [1, 0, 0];
    let mut borrow = 0;
    for (o, limb) in out.iter_mut().zip(n) {
        let q = {
            let [r0_, r1_, r2_] = rest;
            let (x0, carry) = mac(r0_, *limb, t[0], 0);
            let (x1, carry) = mac(r1_, *limb, t[1], carry);
            let x2 = r2_.wrapping_add(carry);
            let q = x0.wrapping_mul(r0);
            let (_, carry) = mac(x0, q, r[0], 0);
            let (y0, carry) = mac(x1, q, r[1], carry);
            let (y1, y2) = adc(x2, carry, 0);
            rest = [y0, y1, y2];
            q
        };
        (*o, borrow) = super::mont::sbb(0, q, borrow);
    }
}
