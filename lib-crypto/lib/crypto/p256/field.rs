// SPDX-License-Identifier: GPL-2.0

//! The field of P-256: residues modulo p in Montgomery form, constant time.
//!
//! The backend that does the arithmetic is a type parameter, so that it is chosen once per
//! operation.

use super::mont::{adc, add_limbs, and_limbs, mac, reduce_once, sub_limbs};
use super::mont::{is_zero, select, Limbs, Modulus, Prime, P};
use crate::ct::{Mask, Secret, Zeroable};
use crate::divsteps::invert;
use core::mem::size_of;

/// The arithmetic modulo p that takes most of the time. A value, which has no bytes, is the proof
/// that the CPU can do it.
///
/// Arguments and results are below p, except where it says that they are *loose*: below 2^256.
pub(crate) trait Backend: Copy {
    /// `a * b / 2^256`; `b` may be loose.
    fn mul(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// `a * a / 2^256`.
    fn square(self, a: &Limbs) -> Limbs;
    /// `a + b`.
    fn add(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// `2 a`.
    fn double(self, a: &Limbs) -> Limbs;
    /// `a + b`, loose; `a` may be loose.
    fn add_loose(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// `a - b`.
    fn sub(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// `a / 2`.
    fn half(self, a: &Limbs) -> Limbs;
    /// Entry number `index` of a table, without telling which. There must be such an entry, and
    /// the number of entries must be a multiple of 4.
    fn lookup<const ENTRIES: usize>(self, table: &[[Limbs; 2]; ENTRIES], index: u64) -> [Limbs; 2];
}

/// An element of the field, in Montgomery form, with its backend.
pub(crate) struct Fe<B: Backend>(Limbs, B);

impl<B: Backend> Clone for Fe<B> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Fe<B> {}

// SAFETY: It is an array of integers, besides which there are no bytes; see `raw`.
unsafe impl<B: Backend> Zeroable for Fe<B> {}

impl<B: Backend> Fe<B> {
    /// Takes limbs that are in Montgomery form already.
    #[inline(always)]
    pub(crate) const fn raw(b: B, limbs: Limbs) -> Self {
        const { assert!(size_of::<B>() == 0) };
        Fe(limbs, b)
    }

    #[inline(always)]
    pub(crate) const fn zero(b: B) -> Self {
        Self::raw(b, [0; 4])
    }

    #[inline(always)]
    pub(crate) const fn one(b: B) -> Self {
        Self::raw(b, ONE)
    }

    /// The limbs in Montgomery form.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> Limbs {
        self.0
    }

    /// The backend that does the arithmetic.
    #[inline(always)]
    pub(crate) fn backend(&self) -> B {
        self.1
    }

    /// Converts a number below 2^256, reducing it.
    pub(crate) fn new(b: B, limbs: &Limbs) -> Self {
        Self::raw(b, b.mul(&P::RR, limbs))
    }

    /// The number, out of Montgomery form.
    pub(crate) fn get(&self) -> Limbs {
        self.1.mul(&self.0, &[1, 0, 0, 0])
    }

    #[inline(always)]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self::raw(self.1, self.1.mul(&self.0, &other.0))
    }

    #[inline(always)]
    pub(crate) fn square(&self) -> Self {
        Self::raw(self.1, self.1.square(&self.0))
    }

    #[inline(always)]
    pub(crate) fn add(&self, other: &Self) -> Self {
        Self::raw(self.1, self.1.add(&self.0, &other.0))
    }

    #[inline(always)]
    pub(crate) fn sub(&self, other: &Self) -> Self {
        Self::raw(self.1, self.1.sub(&self.0, &other.0))
    }

    #[inline(always)]
    pub(crate) fn double(&self) -> Self {
        Self::raw(self.1, self.1.double(&self.0))
    }

    #[inline(always)]
    pub(crate) fn half(&self) -> Self {
        Self::raw(self.1, self.1.half(&self.0))
    }

    /// `self * 3 * other`.
    #[inline(always)]
    pub(crate) fn mul3(&self, other: &Self) -> Self {
        let b = self.1;
        let double = b.add_loose(&other.0, &other.0);
        Self::raw(b, b.mul(&self.0, &b.add_loose(&double, &other.0)))
    }

    #[inline(always)]
    pub(crate) fn neg(&self) -> Self {
        Self::zero(self.1).sub(self)
    }

    /// `-self` where the mask is ones. It must not be zero.
    #[inline(always)]
    pub(crate) fn negate_if(&self, mask: Mask) -> Self {
        // p - a = !a + (p + 1), and neither wraps for other numbers.
        let m = mask.bits();
        let flipped = [self.0[0] ^ m, self.0[1] ^ m, self.0[2] ^ m, self.0[3] ^ m];
        Self::raw(self.1, add_limbs(&flipped, &[0, m & 1 << 32, 0, m & C]).0)
    }

    #[inline(always)]
    pub(crate) fn select(mask: Mask, a: &Self, b: &Self) -> Self {
        Self::raw(a.1, select(mask, &a.0, &b.0))
    }

    #[inline(always)]
    pub(crate) fn is_zero(&self) -> Mask {
        is_zero(&self.0)
    }

    /// The inverse; zero for zero.
    #[inline(never)]
    pub(crate) fn invert(&self) -> Self {
        let b = self.1;
        let mut inverse = Secret::new(*self);
        let negative = invert::<P>(&mut inverse.0);
        *inverse = Self::raw(b, b.mul(&P::INVERT, &inverse.0));
        let negated = Secret::new(inverse.neg());
        Self::select(negative, &negated, &inverse)
    }
}

/// 2^256 mod p.
const ONE: Limbs = [
    1,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
    0x0000_0000_ffff_fffe,
];

/// p is `2^192 C + 2^96 - 1`.
pub(super) const C: u64 = 0xffff_ffff_0000_0001;

/// The arithmetic in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Backend for Portable {
    #[inline(always)]
    fn mul(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r, carry) = mul_partly(a, b);
        reduce_once::<P>(&r, carry)
    }

    #[inline(always)]
    fn square(self, a: &Limbs) -> Limbs {
        let (r, carry) = square_partly(a);
        reduce_once::<P>(&r, carry)
    }

    #[inline(always)]
    fn add(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r, carry) = add_limbs(a, b);
        reduce_once::<P>(&r, carry)
    }

    #[inline(always)]
    fn double(self, a: &Limbs) -> Limbs {
        self.add(a, a)
    }

    #[inline(always)]
    fn add_loose(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r, carry) = add_limbs(a, b);
        sub_limbs(&r, &and_limbs(&P::M, Mask::from_bit(carry).bits())).0
    }

    #[inline(always)]
    fn sub(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r, borrow) = sub_limbs(a, b);
        add_limbs(&r, &and_limbs(&P::M, Mask::from_bit(borrow).bits())).0
    }

    #[inline(always)]
    fn half(self, a: &Limbs) -> Limbs {
        let (r, carry) = add_limbs(a, &and_limbs(&P::M, Mask::from_bit(a[0]).bits()));
        let join = |low: u64, high: u64| (low >> 1) | (high << 63);
        [
            join(r[0], r[1]),
            join(r[1], r[2]),
            join(r[2], r[3]),
            join(r[3], carry),
        ]
    }

    #[inline(always)]
    fn lookup<const ENTRIES: usize>(self, table: &[[Limbs; 2]; ENTRIES], index: u64) -> [Limbs; 2] {
        let mut found = [[0; 4]; 2];
        for (entry, number) in table.iter().zip(0..) {
            let mask = Mask::equal(index, number).bits();
            for (to, from) in found.iter_mut().zip(entry) {
                for (to, from) in to.iter_mut().zip(from) {
                    *to |= from & mask;
                }
            }
        }
        found
    }
}

/// `a * b / 2^256` up to a p too much, with a carry. `a` is below p, `b` is loose.
#[inline(always)]
fn mul_partly(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let t = fold(mul_row(&[0; 5], a, b[0]));
    let t = fold(mul_row(&t, a, b[1]));
    let t = fold(mul_row(&t, a, b[2]));
    let t = fold(mul_row(&t, a, b[3]));
    ([t[0], t[1], t[2], t[3]], t[4])
}

/// `t + a * x`. It does not overflow for `t` below 2 p and `a` below p.
#[inline(always)]
fn mul_row(t: &[u64; 5], a: &Limbs, x: u64) -> [u64; 5] {
    let (t0, c) = mac(t[0], x, a[0], 0);
    let (t1, c) = mac(t[1], x, a[1], c);
    let (t2, c) = mac(t[2], x, a[2], c);
    let (t3, c) = mac(t[3], x, a[3], c);
    [t0, t1, t2, t3, t[4].wrapping_add(c)]
}

/// `(t + m p) / 2^64` for the m that makes it an integer, which is `t[0]`.
#[inline(always)]
fn fold(t: [u64; 5]) -> [u64; 5] {
    let m = t[0];
    let (low, high) = mac(0, m, C, 0);
    let (t0, c) = adc(t[1], m << 32, 0);
    let (t1, c) = adc(t[2], m >> 32, c);
    let (t2, c) = adc(t[3], low, c);
    let (t3, c) = adc(t[4], high, c);
    [t0, t1, t2, t3, c]
}

/// [`mul_partly`] of a number and itself, which is below p.
#[inline(always)]
fn square_partly(a: &Limbs) -> (Limbs, u64) {
    // The products of different limbs, each of which comes twice.
    let (r1, c) = mac(0, a[0], a[1], 0);
    let (r2, c) = mac(0, a[0], a[2], c);
    let (r3, r4) = mac(0, a[0], a[3], c);
    let (r3, c) = mac(r3, a[1], a[2], 0);
    let (r4, r5) = mac(r4, a[1], a[3], c);
    let (r5, r6) = mac(r5, a[2], a[3], 0);
    let r7 = r6 >> 63;
    let r6 = (r6 << 1) | (r5 >> 63);
    let r5 = (r5 << 1) | (r4 >> 63);
    let r4 = (r4 << 1) | (r3 >> 63);
    let r3 = (r3 << 1) | (r2 >> 63);
    let r2 = (r2 << 1) | (r1 >> 63);
    let r1 = r1 << 1;
    // The squares.
    let (r0, h) = mac(0, a[0], a[0], 0);
    let (r1, c) = adc(r1, h, 0);
    let (l, h) = mac(0, a[1], a[1], 0);
    let (r2, c) = adc(r2, l, c);
    let (r3, c) = adc(r3, h, c);
    let (l, h) = mac(0, a[2], a[2], 0);
    let (r4, c) = adc(r4, l, c);
    let (r5, c) = adc(r5, h, c);
    let (l, h) = mac(0, a[3], a[3], 0);
    let (r6, c) = adc(r6, l, c);
    let (r7, _) = adc(r7, h, c);
    // Only the lower half is to be divided; there are no carries out of that.
    let t = fold([r0, r1, r2, r3, 0]);
    let t = fold(t);
    let t = fold(t);
    let t = fold(t);
    add_limbs(&[t[0], t[1], t[2], t[3]], &[r4, r5, r6, r7])
}
