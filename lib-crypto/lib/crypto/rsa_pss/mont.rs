// SPDX-License-Identifier: GPL-2.0

//! Montgomery arithmetic modulo odd numbers of up to 4096 bits, constant time: what is done and
//! where memory is touched depends on lengths only.
//!
//! Numbers are slices of 64-bit limbs, least significant first, as long as the modulus `m`, which
//! has its highest bit set: with R = 2^(64 * len), R / 2 < m < R.
//!
//! This is almost Montgomery multiplication: numbers are below R instead of below m until
//! [`Modulus::canonical`] is called. For a and b below R, the reduction of t = a * b makes
//!
//! ```text
//! (t + q * m) / R  with q < R, which is below (R^2 + R * m) / R = R + m
//! ```
//!
//! so that at most one bit is lost on top, and if one is, subtracting m once gives a number below
//! R again. That replaces the comparison with m after each multiplication.

use super::Platform;
use crate::ct::{Mask, Zeroable};

/// Limbs of the longest modulus.
pub(crate) const MAX: usize = 64;
/// Limbs of the longest prime.
pub(crate) const HALF: usize = MAX / 2;
/// Lengths are multiples of this many limbs.
pub(crate) const BLOCK: usize = 8;
/// Bits of an exponent that are handled at once.
pub(crate) const WINDOW: usize = 5;
/// Entries of the table of powers.
pub(crate) const ENTRIES: usize = 1 << WINDOW;

#[inline(always)]
pub(crate) fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let t = u128::from(a).wrapping_add(u128::from(b).wrapping_mul(u128::from(c)));
    // Written like this, the compiler adds the carry last, which is what the next one waits for.
    let (low, over) = (t as u64).overflowing_add(carry);
    (low, ((t >> 64) as u64).wrapping_add(u64::from(over)))
}

#[inline(always)]
pub(crate) fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let t = u128::from(a)
        .wrapping_add(u128::from(b))
        .wrapping_add(u128::from(carry));
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
pub(crate) fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let t = u128::from(a).wrapping_sub(u128::from(b).wrapping_add(u128::from(borrow)));
    (t as u64, ((t >> 64) as u64) & 1)
}

/// `a -= b`; returns the borrow.
pub(crate) fn sub_assign(a: &mut [u64], b: &[u64]) -> u64 {
    let mut borrow = 0;
    for (x, y) in a.iter_mut().zip(b) {
        (*x, borrow) = sbb(*x, *y, borrow);
    }
    borrow
}

/// `a += b & mask`; returns the carry.
pub(crate) fn add_masked(a: &mut [u64], b: &[u64], mask: Mask) -> u64 {
    let mut carry = 0;
    for (x, y) in a.iter_mut().zip(b) {
        (*x, carry) = adc(*x, *y & mask.bits(), carry);
    }
    carry
}

/// `a += b` for a shorter `b`, `a` having room for the sum.
pub(crate) fn add_long(a: &mut [u64], b: &[u64]) {
    let mut carry = 0;
    let (low, high) = a.split_at_mut(b.len().min(a.len()));
    for (x, y) in low.iter_mut().zip(b) {
        (*x, carry) = adc(*x, *y, carry);
    }
    for x in high {
        (*x, carry) = adc(*x, 0, carry);
    }
}

/// Whether `a < b`.
pub(crate) fn less(a: &[u64], b: &[u64]) -> Mask {
    let mut borrow = 0;
    for (x, y) in a.iter().zip(b) {
        (_, borrow) = sbb(*x, *y, borrow);
    }
    Mask::from_bit(borrow)
}

/// Whether two equally long numbers are equal.
pub(crate) fn equal(a: &[u64], b: &[u64]) -> Mask {
    let mut diff = 0;
    for (x, y) in a.iter().zip(b) {
        diff |= x ^ y;
    }
    Mask::is_zero(diff)
}

/// Copies limbs; those above become zero.
pub(crate) fn copy_long(to: &mut [u64], from: &[u64]) {
    let (low, high) = to.split_at_mut(from.len().min(to.len()));
    for (t, f) in low.iter_mut().zip(from) {
        *t = *f;
    }
    high.fill(0);
}

/// Big-endian bytes to limbs. False if they do not fit.
pub(crate) fn from_be_bytes(to: &mut [u64], bytes: &[u8]) -> bool {
    to.fill(0);
    let mut chunks = bytes.rchunks(8);
    for (limb, chunk) in to.iter_mut().zip(&mut chunks) {
        *limb = chunk.iter().fold(0, |v, b| (v << 8) | u64::from(*b));
    }
    chunks.all(|chunk| chunk.iter().all(|b| *b == 0))
}

/// Limbs to big-endian bytes, eight for each limb.
pub(crate) fn to_be_bytes(to: &mut [u8], limbs: &[u64]) {
    for (chunk, limb) in to.rchunks_exact_mut(8).zip(limbs) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
}

/// The operations that take the time. What they do to slices of other lengths than said, or whose
/// length is no multiple of [`BLOCK`], is unspecified.
pub(crate) trait Limbs: Copy {
    /// `t = a * b`; `a` and `b` are equally long, `t` twice that.
    fn multiply(self, t: &mut [u64], a: &[u64], b: &[u64]);

    /// `t = a^2`; `t` is twice as long as `a`.
    fn square(self, t: &mut [u64], a: &[u64]);

    /// `out = t / R mod m`, below R, for any `t` of twice the length. `n0` is -m^-1 mod 2^64.
    /// Destroys `t`.
    fn reduce(self, out: &mut [u64], t: &mut [u64], m: &[u64], n0: u64);

    /// The entry of number `digit`, which is secret, of the [`ENTRIES`] of a table.
    fn select(self, out: &mut [u64], table: &[u64], digit: u64);

    /// Does both exponentiations of a signature at once. The results are not in Montgomery form.
    /// False, and nothing has been changed, if there is nothing better than one after the other.
    fn exponentiate<P: Platform>(
        self,
        _powers: [Power<'_>; 2],
        _work: &mut Work,
        _t: &mut [u64],
    ) -> bool {
        false
    }
}

/// An exponentiation.
pub(crate) struct Power<'a> {
    /// The modulus.
    pub(crate) modulus: &'a Modulus<HALF>,
    /// The exponent, as long as the modulus, secret.
    pub(crate) exponent: &'a [u64],
    /// The base, in Montgomery form, and then the result.
    pub(crate) number: &'a mut [u64],
}

/// [`Limbs`] in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// `t += carry + (x0 + x1 * 2^64) * b`; returns the two limbs on top. `t` is as long as `b`.
///
/// Two limbs at once are two chains of carries side by side.
#[inline(always)]
fn mul_add_two(t: &mut [u64], x0: u64, x1: u64, b: &[u64], carry: u64) -> (u64, u64) {
    let (mut c0, mut c1, mut previous) = (carry, 0, 0);
    let mut step = |t: &mut u64, b: u64| {
        let sum;
        (sum, c0) = mac(*t, x0, b, c0);
        (*t, c1) = mac(sum, x1, previous, c1);
        previous = b;
    };
    let mut t = t.chunks_exact_mut(BLOCK);
    let mut b = b.chunks_exact(BLOCK);
    // The compiler knows the length of these pieces.
    for (t, b) in (&mut t).zip(&mut b) {
        for (t, b) in t.iter_mut().zip(b) {
            step(t, *b);
        }
    }
    for (t, b) in t.into_remainder().iter_mut().zip(b.remainder()) {
        step(t, *b);
    }
    mac(c0, x1, previous, c1)
}

/// The `len` limbs of `t` from `i` on, and the two above them.
#[inline(always)]
fn window(t: &mut [u64], i: usize, len: usize) -> Option<(&mut [u64], &mut [u64; 2])> {
    let (low, high) = t.get_mut(i..)?.split_at_mut_checked(len)?;
    Some((low, high.first_chunk_mut()?))
}

impl Limbs for Portable {
    fn multiply(self, t: &mut [u64], a: &[u64], b: &[u64]) {
        t.fill(0);
        for (i, x) in a.chunks_exact(2).enumerate() {
            let (Some((t, [top0, top1])), [x0, x1]) = (window(t, 2 * i, b.len()), x) else {
                return;
            };
            (*top0, *top1) = mul_add_two(t, *x0, *x1, b, 0);
        }
    }

    fn square(self, t: &mut [u64], a: &[u64]) {
        // Each product of different limbs once.
        t.fill(0);
        let mut rest = a;
        let mut i = 1;
        while let [x0, x1, above @ ..] = rest {
            let Some(([first, t @ ..], [top0, top1])) = window(t, i, above.len() + 1) else {
                return;
            };
            let carry;
            (*first, carry) = mac(*first, *x0, *x1, 0);
            (*top0, *top1) = mul_add_two(t, *x0, *x1, above, carry);
            rest = above;
            i += 4;
        }
        // Twice that, and the squares.
        let (mut shifted, mut carry) = (0, 0);
        for (t, x) in t.chunks_exact_mut(2).zip(a) {
            if let [low, high] = t {
                let square = u128::from(*x).wrapping_mul(u128::from(*x));
                let (l, h) = (*low, *high);
                (*low, carry) = adc((l << 1) | shifted, square as u64, carry);
                (*high, carry) = adc((h << 1) | (l >> 63), (square >> 64) as u64, carry);
                shifted = h >> 63;
            }
        }
    }

    fn reduce(self, out: &mut [u64], t: &mut [u64], m: &[u64], n0: u64) {
        let [m0, m1, ..] = m else {
            return;
        };
        let mut carry = 0;
        for i in (0..m.len()).step_by(2) {
            let Some((t, [top0, top1])) = window(t, i, m.len()) else {
                return;
            };
            let [t0, t1, ..] = t else {
                return;
            };
            let q0 = t0.wrapping_mul(n0);
            let (_, c) = mac(*t0, q0, *m0, 0);
            let (second, _) = mac(*t1, q0, *m1, c);
            let q1 = second.wrapping_mul(n0);
            let (high0, high1) = mul_add_two(t, q0, q1, m, 0);
            (*top0, carry) = adc(*top0, high0, carry);
            (*top1, carry) = adc(*top1, high1, carry);
        }
        let mask = Mask::from_bit(carry);
        let mut borrow = 0;
        for ((o, x), y) in out.iter_mut().zip(t.iter().skip(m.len())).zip(m) {
            (*o, borrow) = sbb(*x, *y & mask.bits(), borrow);
        }
    }

    fn select(self, out: &mut [u64], table: &[u64], digit: u64) {
        out.fill(0);
        let mut rest = table;
        for number in 0..ENTRIES as u64 {
            let Some((entry, others)) = rest.split_at_checked(out.len()) else {
                return;
            };
            let mask = Mask::equal(digit, number).bits();
            for (o, e) in out.iter_mut().zip(entry) {
                *o |= *e & mask;
            }
            rest = others;
        }
    }
}

/// The length of [`Work::memory`]: for a table of pairs of numbers where both exponentiations of a
/// signature are done at once, else of numbers.
#[cfg(target_arch = "x86_64")]
pub(crate) const WORK: usize = (ENTRIES + 3) * 80 + 9;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const WORK: usize = ENTRIES * HALF;

/// Working memory of exponentiations.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) memory: [u64; WORK],
    pub(crate) acc: [u64; HALF],
    pub(crate) factor: [u64; HALF],
}

// SAFETY: It is made of integers.
unsafe impl Zeroable for Work {}

/// An odd modulus of `N` limbs at most. All zeroes is no modulus, but a valid value.
#[derive(Clone, Copy)]
pub(crate) struct Modulus<const N: usize> {
    m: [u64; N],
    /// R^2 mod m; R is 2^(64 * len).
    rr: [u64; N],
    /// -m^-1 mod 2^64.
    n0: u64,
    len: usize,
}

// SAFETY: It is made of integers.
unsafe impl<const N: usize> Zeroable for Modulus<N> {}

/// The inverse of an odd number modulo 2^64, negated.
pub(crate) fn negated_inverse(odd: u64) -> u64 {
    // Newton's iteration doubles the number of right bits, beginning with three.
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

impl<const N: usize> Modulus<N> {
    /// Takes a modulus whose highest and lowest bits are set. False if they are not.
    pub(crate) fn init(&mut self, bytes: &[u8], len: usize) -> bool {
        self.len = len.min(N);
        if !from_be_bytes(self.m.get_mut(..self.len).unwrap_or(&mut []), bytes) {
            return false;
        }
        let low = self.m.first().copied().unwrap_or(0);
        let high = self.m().last().copied().unwrap_or(0);
        // These bits are the same in each key that is used.
        if !Mask::from_bit(low & (high >> 63)).declassify() {
            return false;
        }
        self.n0 = negated_inverse(low);
        self.init_rr();
        true
    }

    fn init_rr(&mut self) {
        // R mod m is R - m, as the highest bit is set; then double as often as R has bits.
        let (Some(m), Some(rr)) = (self.m.get(..self.len), self.rr.get_mut(..self.len)) else {
            return;
        };
        rr.fill(0);
        sub_assign(rr, m);
        for _ in 0..64 * self.len {
            let mut carry = 0;
            for limb in rr.iter_mut() {
                (*limb, carry) = ((*limb << 1) | carry, *limb >> 63);
            }
            let borrow = sub_assign(rr, m);
            add_masked(rr, m, Mask::from_bit(borrow & (carry ^ 1)));
        }
    }

    /// Its length in limbs.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The modulus.
    pub(crate) fn m(&self) -> &[u64] {
        self.m.get(..self.len).unwrap_or(&[])
    }

    /// -m^-1 mod 2^64.
    pub(crate) fn n0(&self) -> u64 {
        self.n0
    }

    /// R^2 mod m.
    pub(crate) fn rr(&self) -> &[u64] {
        self.rr.get(..self.len).unwrap_or(&[])
    }

    /// Room for a product of two numbers.
    fn product<'a>(&self, t: &'a mut [u64]) -> &'a mut [u64] {
        t.get_mut(..2 * self.len).unwrap_or(&mut [])
    }

    /// `out = a * b / R mod m`.
    pub(crate) fn mul<L: Limbs>(&self, l: L, out: &mut [u64], a: &[u64], b: &[u64], t: &mut [u64]) {
        let t = self.product(t);
        l.multiply(t, a, b);
        l.reduce(out, t, self.m(), self.n0);
    }

    /// `a = a * b / R mod m`.
    pub(crate) fn mul_in_place<L: Limbs>(&self, l: L, a: &mut [u64], b: &[u64], t: &mut [u64]) {
        let t = self.product(t);
        l.multiply(t, a, b);
        l.reduce(a, t, self.m(), self.n0);
    }

    /// `a = a^2 / R mod m`.
    pub(crate) fn square_in_place<L: Limbs>(&self, l: L, a: &mut [u64], t: &mut [u64]) {
        let t = self.product(t);
        l.square(t, a);
        l.reduce(a, t, self.m(), self.n0);
    }

    /// `a = a / R mod m`: out of Montgomery form.
    pub(crate) fn leave<L: Limbs>(&self, l: L, a: &mut [u64], t: &mut [u64]) {
        let t = self.product(t);
        copy_long(t, a);
        l.reduce(a, t, self.m(), self.n0);
    }

    /// `out = a * R mod m`, for `a` of up to twice the length: into Montgomery form.
    pub(crate) fn enter<L: Limbs>(&self, l: L, out: &mut [u64], a: &[u64], t: &mut [u64]) {
        copy_long(self.product(t), a);
        l.reduce(out, self.product(t), self.m(), self.n0);
        // This was a / R, and each of these multiplies by R.
        self.mul_in_place(l, out, self.rr(), t);
        self.mul_in_place(l, out, self.rr(), t);
    }

    /// `a = a mod m`. It is below R, so below 2 * m.
    pub(crate) fn canonical(&self, a: &mut [u64]) {
        let borrow = sub_assign(a, self.m());
        add_masked(a, self.m(), Mask::from_bit(borrow));
    }

    /// `a = base^e`, both in Montgomery form, for an exponent that is public and not zero.
    pub(crate) fn pow_public<L: Limbs>(
        &self,
        l: L,
        a: &mut [u64],
        base: &[u64],
        e: u64,
        t: &mut [u64],
    ) {
        copy_long(a, base);
        for bit in (0..63u32.saturating_sub(e.leading_zeros())).rev() {
            self.square_in_place(l, a, t);
            if e >> bit & 1 != 0 {
                self.mul_in_place(l, a, base, t);
            }
        }
    }
}

impl Modulus<HALF> {
    /// `base = base^exponent mod m`, both in Montgomery form; the exponent is secret and as long
    /// as the modulus.
    pub(crate) fn pow<L: Limbs>(
        &self,
        l: L,
        base: &mut [u64],
        exponent: &[u64],
        work: &mut Work,
        t: &mut [u64],
    ) {
        let len = self.len;
        let (Some(table), Some(acc), Some(factor)) = (
            work.memory.get_mut(..ENTRIES * len),
            work.acc.get_mut(..len),
            work.factor.get_mut(..len),
        ) else {
            return;
        };
        self.powers(l, table, base, t);

        let windows = (64 * len).div_ceil(WINDOW);
        l.select(
            acc,
            table,
            window_digit(exponent, windows.saturating_sub(1) * WINDOW),
        );
        for window in (0..windows.saturating_sub(1)).rev() {
            for _ in 0..WINDOW {
                self.square_in_place(l, acc, t);
            }
            l.select(factor, table, window_digit(exponent, window * WINDOW));
            self.mul_in_place(l, acc, factor, t);
        }
        copy_long(base, acc);
    }

    /// Fills a table with the powers 0 to 31.
    fn powers<L: Limbs>(&self, l: L, table: &mut [u64], base: &[u64], t: &mut [u64]) {
        let Some((one, rest)) = table.split_at_mut_checked(self.len) else {
            return;
        };
        // The power 0 is R mod m.
        copy_long(one, self.rr());
        self.leave(l, one, t);
        let Some((mut previous, mut rest)) = rest.split_at_mut_checked(self.len) else {
            return;
        };
        copy_long(previous, base);
        for _ in 2..ENTRIES {
            let Some((entry, others)) = rest.split_at_mut_checked(self.len) else {
                return;
            };
            self.mul(l, entry, previous, base, t);
            (previous, rest) = (entry, others);
        }
    }
}

/// The 64 bits of a number from a position on, which is public.
pub(crate) fn bits_from(limbs: &[u64], low: usize) -> u64 {
    let word = limbs.get(low / 64).map_or(0, |w| w >> (low % 64));
    let next = match low % 64 {
        0 => 0,
        shift => limbs.get(low / 64 + 1).map_or(0, |w| w << (64 - shift)),
    };
    word | next
}

/// Bits `low..low + WINDOW` of an exponent. Positions are public.
pub(crate) fn window_digit(exponent: &[u64], low: usize) -> u64 {
    bits_from(exponent, low) & (ENTRIES as u64 - 1)
}
