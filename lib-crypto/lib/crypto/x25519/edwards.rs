// SPDX-License-Identifier: GPL-2.0

//! Multiplication of the base point: a comb on edwards25519, constant time.
//!
//! That curve, -x^2 + y^2 = 1 + d x^2 y^2, is Curve25519 in other coordinates, for which
//! u = (1 + y) / (1 - y) (RFC 7748, section 4.1). Its additions need fewer multiplications than
//! steps of a ladder if one of the points is known before, and have no exceptions.

use super::field::Field;
use super::ladder::Fraction;
use super::table::{COMB, DIGITS, SPACING, WIDTH};
use crate::ct::{Mask, Secret, Zeroable};
use crate::limbs::{add_limbs, Limbs};

/// A point that is added to others, from a table.
#[repr(C)]
pub(crate) struct Niels<F: Field> {
    /// y + x.
    pub(super) plus: F::Element,
    /// y - x.
    pub(super) minus: F::Element,
    /// 2 d x y.
    pub(super) product: F::Element,
}

/// A point (X : Y : Z) with T = X Y / Z, as additions take it (H. Hisil, K. Wong, G. Carter and
/// E. Dawson, "Twisted Edwards curves revisited", 2008), and what is added to it.
#[repr(C)]
pub(crate) struct Sum<F: Field> {
    /// Y + X.
    pub(super) plus: F::Element,
    /// Y - X.
    pub(super) minus: F::Element,
    /// 2 Z.
    pub(super) z2: F::Element,
    /// T, tight.
    pub(super) t: F::Element,
    /// What is added.
    pub(super) entry: Niels<F>,
    /// E, F, G and H of an addition.
    pub(super) efgh: [F::Element; 4],
}

impl<F: Field> Clone for Niels<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Field> Copy for Niels<F> {}

impl<F: Field> Clone for Sum<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Field> Copy for Sum<F> {}

// SAFETY: It has elements of the field only, which are zeroable.
unsafe impl<F: Field> Zeroable for Sum<F> {}

impl<F: Field> Sum<F> {
    /// The sum is the entry itself.
    #[inline(always)]
    fn set_entry(&mut self, b: F) {
        /// 1 / (2 d).
        const HALF_D: Limbs = [
            0x12f0_793b_66e4_fc18,
            0x05ae_eb4c_213c_aa17,
            0x958b_108a_66dc_e7b3,
            0x6048_3f69_0a6a_e721,
        ];
        self.plus = self.entry.plus;
        self.minus = self.entry.minus;
        self.z2 = b.element(&[2, 0, 0, 0]);
        self.t = b.mul(&self.entry.product, &b.element(&HALF_D));
    }

    /// Adds the entry.
    #[inline(always)]
    pub(super) fn add_entry(&mut self, b: F) {
        let a = b.mul(&self.minus, &self.entry.minus);
        let h = b.mul(&self.plus, &self.entry.plus);
        let c = b.mul(&self.t, &self.entry.product);
        self.efgh = [
            b.sub(&h, &a),
            b.sub(&self.z2, &c),
            b.add(&self.z2, &c),
            b.add(&h, &a),
        ];
        let [e, _, _, h] = &self.efgh;
        self.t = b.mul(e, h);
        self.finish(b);
    }

    /// Doubles the sum some times. What `T` was is not used. In a function of its own for the sake
    /// of the stack, like the last one.
    #[inline(never)]
    fn double(&mut self, b: F, times: usize) {
        for _ in 0..times {
            self.double_without_t(b);
        }
        let [e, _, _, h] = &self.efgh;
        self.t = b.mul(e, h);
    }

    /// Doubles the sum but for T.
    #[inline(always)]
    fn double_without_t(&mut self, b: F) {
        // Twice as much as in the formulas, and F and H with the other sign, which is the same
        // point: 4 X Y, 4 Z^2 - 2 (Y^2 - X^2), 2 (Y^2 - X^2) and 2 (Y^2 + X^2).
        let plus = b.square(&self.plus);
        let minus = b.square(&self.minus);
        let g = b.mul(&self.plus, &self.minus);
        let zz4 = b.square(&self.z2);
        self.efgh = [
            b.sub(&plus, &minus),
            b.sub(&b.sub(&zz4, &g), &g),
            b.add(&g, &g),
            b.add(&plus, &minus),
        ];
        self.finish(b);
    }

    /// The result of an addition, which is (E F : G H : F G), but for T, which is E H.
    #[inline(always)]
    fn finish(&mut self, b: F) {
        let [e, f, g, h] = &self.efgh;
        let x = b.mul(e, f);
        let y = b.mul(g, h);
        let z = b.mul(f, g);
        self.plus = b.add(&y, &x);
        self.minus = b.sub(&y, &x);
        self.z2 = b.add(&z, &z);
    }

    /// The u coordinate on Curve25519.
    #[inline(never)]
    fn u_coordinate(&self, b: F) -> Fraction<F> {
        let (plus, minus) = (b.tight(&self.plus), b.tight(&self.minus));
        let y2 = b.add(&plus, &minus);
        let z2 = b.tight(&self.z2);
        Fraction {
            x: b.tight(&b.add(&y2, &z2)),
            z: b.tight(&b.sub(&b.sub(&z2, &plus), &minus)),
        }
    }
}

/// A clamped scalar divided by 8, as digits that are odd numbers from `1 - 2^WIDTH` to
/// `2^WIDTH - 1`.
///
/// A digit is `2 b - (2^WIDTH - 1)` for `WIDTH` bits b.
struct OddDigits(Secret<Limbs>);

impl OddDigits {
    fn new(k: &Limbs) -> Self {
        /// The order of the base point.
        const ORDER: Limbs = [
            0x5812_631a_5cf5_d3ed,
            0x14de_f9de_a2f7_9cd6,
            0,
            0x1000_0000_0000_0000,
        ];
        let shift = |a: &Limbs, n: u32| {
            [
                a[0] >> n | a[1] << (64 - n),
                a[1] >> n | a[2] << (64 - n),
                a[2] >> n | a[3] << (64 - n),
                a[3] >> n,
            ]
        };
        let mut bits = Secret::new(shift(k, 3));
        // The sum is less than 2^254.
        let even = Mask::from_bit(bits[0]).not().bits();
        let order = ORDER.map(|limb| limb & even);
        *bits = add_limbs(&bits, &order).0;
        // (k + 2^(WIDTH DIGITS) - 1) / 2
        const { assert!(WIDTH * DIGITS == 255) };
        *bits = shift(&bits, 1);
        bits[3] |= 1 << 62;
        OddDigits(bits)
    }

    /// The digit at `i` times the point of which a table has the odd multiples.
    #[inline(always)]
    fn lookup<F: Field>(&self, b: F, i: usize, entry: &mut Niels<F>) {
        let limb = |n: usize| self.0.get(n).copied().unwrap_or(0);
        let (n, shift) = (i * WIDTH / 64, i * WIDTH % 64);
        let mut digit = limb(n) >> shift;
        if shift + WIDTH > 64 {
            digit |= limb(n + 1) << (64 - shift);
        }
        let negative = Mask::from_bit(digit >> (WIDTH - 1)).not();
        let index = (digit ^ negative.bits()) & ((1 << (WIDTH - 1)) - 1);
        if let Some(table) = COMB.get(i / SPACING) {
            b.lookup(table, index, negative, entry);
        }
    }
}

/// Multiplies the base point by a clamped scalar.
#[inline(always)]
pub(super) fn mul_base<F: Field>(b: F, k: &Limbs) -> Fraction<F> {
    let digits = OddDigits::new(k);
    let zero = b.element(&[0; 4]);
    let mut sum = Secret::new(Sum {
        plus: zero,
        minus: zero,
        z2: zero,
        t: zero,
        entry: Niels {
            plus: zero,
            minus: zero,
            product: zero,
        },
        efgh: [zero; 4],
    });
    digits.lookup(b, SPACING - 1, &mut sum.entry);
    sum.set_entry(b);
    for i in (SPACING - 1..DIGITS).step_by(SPACING).skip(1) {
        digits.lookup(b, i, &mut sum.entry);
        b.add_entry(&mut sum);
    }
    for pass in (0..SPACING - 1).rev() {
        sum.double(b, WIDTH);
        for i in (pass..DIGITS).step_by(SPACING) {
            digits.lookup(b, i, &mut sum.entry);
            b.add_entry(&mut sum);
        }
    }
    sum.u_coordinate(b)
}
