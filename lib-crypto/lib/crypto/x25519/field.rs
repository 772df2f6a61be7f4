// SPDX-License-Identifier: GPL-2.0

//! The field of Curve25519: residues modulo p = 2^255 - 19, constant time.
//!
//! Who does the arithmetic is a type parameter, so that it is chosen once per operation.

use super::edwards::{Niels, Sum};
use super::ladder::{self, Fraction};
use super::table::WIDTH;

use crate::ct::{Mask, Zeroable};
use crate::divsteps::{invert, Modulus};
use crate::limbs::{add_limbs, select, Limbs};

/// How many entries a table has.
pub(super) const ENTRIES: usize = 1 << (WIDTH - 1);

/// The field prime of Curve25519 (RFC 7748, section 4.1).
#[derive(Clone, Copy)]
pub(crate) struct P;

impl Modulus for P {
    const M: Limbs = [
        0xffff_ffff_ffff_ffed,
        0xffff_ffff_ffff_ffff,
        0xffff_ffff_ffff_ffff,
        0x7fff_ffff_ffff_ffff,
    ];
    const N0: u64 = 0x86bc_a1af_286b_ca1b;
}

/// The arithmetic modulo p. A value, which has no bytes, is the proof that the CPU can do it.
///
/// An element is a number that is congruent to the residue. It is either *tight*, with room left
/// for a sum of two, or *loose*. Products are tight, sums and differences are loose; factors may
/// be loose, the second of two summands and the subtrahend must be tight.
pub(crate) trait Field: Copy {
    /// An element of the field.
    type Element: Zeroable;

    /// Makes a loose element of a number below 2^256.
    fn element(self, number: &Limbs) -> Self::Element;
    /// The residue of a tight element, a number below p.
    fn residue(self, a: &Self::Element) -> Limbs;
    /// `a * b`.
    fn mul(self, a: &Self::Element, b: &Self::Element) -> Self::Element;
    /// `a * a`.
    fn square(self, a: &Self::Element) -> Self::Element;
    /// `a + b`.
    fn add(self, a: &Self::Element, b: &Self::Element) -> Self::Element;
    /// `a - b`.
    fn sub(self, a: &Self::Element, b: &Self::Element) -> Self::Element;
    /// `a + 121666 b`, tight.
    fn add_121666(self, a: &Self::Element, b: &Self::Element) -> Self::Element;
    /// The same residue as a tight element.
    fn tight(self, a: &Self::Element) -> Self::Element;
    /// `a` where the mask is ones, else `b`.
    fn select(self, mask: Mask, a: &Self::Element, b: &Self::Element) -> Self::Element;

    /// Entry number `index` of a table, or its negative where the mask is ones, without telling
    /// which. There must be such an entry.
    fn lookup(
        self,
        table: &[[Limbs; 3]; ENTRIES],
        index: u64,
        negative: Mask,
        entry: &mut Niels<Self>,
    );

    /// Is [`ladder::ladder`].
    #[inline(always)]
    fn ladder(self, u: &Limbs, k: &Limbs) -> Fraction<Self> {
        ladder::ladder(self, u, k)
    }

    /// Adds `sum.entry` to a point.
    #[inline(always)]
    fn add_entry(self, sum: &mut Sum<Self>) {
        sum.add_entry(self)
    }

    /// The inverse of a tight element; zero for zero.
    #[inline(never)]
    fn invert(self, a: &Self::Element) -> Self::Element {
        // divsteps leave the inverse divided by 2^50.
        let mut inverse = self.residue(a);
        let negative = invert::<P>(&mut inverse);
        let factor = select(negative, &MINUS_2_50, &[1 << 50, 0, 0, 0]);
        self.mul(&self.element(&inverse), &self.element(&factor))
    }
}

/// p - 2^50.
const MINUS_2_50: Limbs = [
    0xfffb_ffff_ffff_ffed,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
];

/// A number below 2^256, reduced.
pub(super) fn reduced(a: &Limbs) -> Limbs {
    const TOP: u64 = 1 << 63;
    let add = |a: &Limbs, x: u64| add_limbs(a, &[x, 0, 0, 0]).0;
    // 2^255 is 19. After the first line the number is less than 2^255 + 19.
    let a = add(&[a[0], a[1], a[2], a[3] & !TOP], (a[3] >> 63) * 19);
    // It is p or more if adding 19 carries into bit 255.
    let more = add(&a, 19)[3] >> 63;
    let a = add(&a, more * 19);
    [a[0], a[1], a[2], a[3] & !TOP]
}

/// Bits of a limb of [`Limbs51`].
const MASK: u64 = (1 << 51) - 1;

/// Five limbs in radix 2^51, least significant first. Those of a tight element are less than
/// 2^51 + 2^13, those of a loose one less than 2^54.
type Limbs51 = [u64; 5];

/// The arithmetic in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Field for Portable {
    type Element = Limbs51;

    #[inline(always)]
    fn element(self, a: &Limbs) -> Limbs51 {
        [
            a[0] & MASK,
            (a[0] >> 51 | a[1] << 13) & MASK,
            (a[1] >> 38 | a[2] << 26) & MASK,
            (a[2] >> 25 | a[3] << 39) & MASK,
            a[3] >> 12,
        ]
    }

    #[inline(always)]
    fn residue(self, a: &Limbs51) -> Limbs {
        let [a0, a1, a2, a3, a4] = *a;
        let (a1, a2) = (a1 & MASK, a2.wrapping_add(a1 >> 51));
        let (a2, a3) = (a2 & MASK, a3.wrapping_add(a2 >> 51));
        let (a3, a4) = (a3 & MASK, a4.wrapping_add(a3 >> 51));
        reduced(&[
            a0 | a1 << 51,
            a1 >> 13 | a2 << 38,
            a2 >> 26 | a3 << 25,
            a3 >> 39 | a4 << 12,
        ])
    }

    #[inline(always)]
    fn mul(self, a: &Limbs51, b: &Limbs51) -> Limbs51 {
        // 2^255 is 19, and 19 b is less than 2^59.
        let [_, b1, b2, b3, b4] = b.map(|limb| limb.wrapping_mul(19));
        carry([
            dot(a, [b[0], b4, b3, b2, b1]),
            dot(a, [b[1], b[0], b4, b3, b2]),
            dot(a, [b[2], b[1], b[0], b4, b3]),
            dot(a, [b[3], b[2], b[1], b[0], b4]),
            dot(a, [b[4], b[3], b[2], b[1], b[0]]),
        ])
    }

    #[inline(always)]
    fn square(self, a: &Limbs51) -> Limbs51 {
        let [a0, a1, a2, a3, a4] = *a;
        let (d0, d1) = (a0.wrapping_mul(2), a1.wrapping_mul(2));
        let (m3, m4) = (a3.wrapping_mul(19), a4.wrapping_mul(19));
        let (d2, d4) = (a2.wrapping_mul(2), m4.wrapping_mul(2));
        carry([
            sum([(a0, a0), (a1, d4), (d2, m3)]),
            sum([(d0, a1), (a2, d4), (a3, m3)]),
            sum([(d0, a2), (a1, a1), (a3, d4)]),
            sum([(d0, a3), (d1, a2), (a4, m4)]),
            sum([(d0, a4), (d1, a3), (a2, a2)]),
        ])
    }

    #[inline(always)]
    fn add(self, a: &Limbs51, b: &Limbs51) -> Limbs51 {
        each(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn sub(self, a: &Limbs51, b: &Limbs51) -> Limbs51 {
        // 2 p, of which each limb is more than that of a tight element.
        const P2: Limbs51 = [2 * MASK - 36, 2 * MASK, 2 * MASK, 2 * MASK, 2 * MASK];
        each(|i| a[i].wrapping_add(P2[i]).wrapping_sub(b[i]))
    }

    #[inline(always)]
    fn add_121666(self, a: &Limbs51, b: &Limbs51) -> Limbs51 {
        carry(each(|i| sum([(a[i], 1), (b[i], 121_666)])))
    }

    #[inline(always)]
    fn tight(self, a: &Limbs51) -> Limbs51 {
        carry(a.map(u128::from))
    }

    #[inline(always)]
    fn select(self, mask: Mask, a: &Limbs51, b: &Limbs51) -> Limbs51 {
        each(|i| mask.select(a[i], b[i]))
    }

    // For the sake of the stack.
    #[inline(never)]
    fn lookup(
        self,
        table: &[[Limbs; 3]; ENTRIES],
        index: u64,
        negative: Mask,
        entry: &mut Niels<Self>,
    ) {
        let mut found = [[0; 4]; 3];
        for (candidate, number) in table.iter().zip(0..) {
            // Both are small.
            let mask = Mask::from_bit((index ^ number).wrapping_sub(1) >> 63).bits();
            for (to, from) in found.iter_mut().zip(candidate) {
                for (to, from) in to.iter_mut().zip(from) {
                    *to |= from & mask;
                }
            }
        }
        let [plus, minus, product] = found;
        let product = self.element(&product);
        let negated = self.sub(&[0; 5], &product);
        entry.plus = self.element(&select(negative, &minus, &plus));
        entry.minus = self.element(&select(negative, &plus, &minus));
        entry.product = self.select(negative, &negated, &product);
    }
}

/// The limbs that a function makes of their numbers.
#[inline(always)]
fn each<T>(f: impl Fn(usize) -> T) -> [T; 5] {
    [f(0), f(1), f(2), f(3), f(4)]
}

/// `a[0] b[0] + ... + a[4] b[4]`.
#[inline(always)]
fn dot(a: &Limbs51, b: Limbs51) -> u128 {
    sum(each(|i| (a[i], b[i])))
}

/// The sum of some products.
#[inline(always)]
fn sum<const N: usize>(products: [(u64, u64); N]) -> u128 {
    products.iter().fold(0u128, |sum, (a, b)| {
        sum.wrapping_add(u128::from(*a).wrapping_mul(u128::from(*b)))
    })
}

/// Makes limbs tight, of which the highest is less than 2^111 and the others are less than 2^115.
#[inline(always)]
fn carry(r: [u128; 5]) -> Limbs51 {
    let step = |r: u128, carry: u64| {
        let r = r.wrapping_add(u128::from(carry));
        (r as u64 & MASK, (r >> 51) as u64)
    };
    let (r0, c) = step(r[0], 0);
    let (r1, c) = step(r[1], c);
    let (r2, c) = step(r[2], c);
    let (r3, c) = step(r[3], c);
    let (r4, c) = step(r[4], c);
    // The carry is less than 2^60, hence what it makes less than 2^64.3.
    let (r0, c) = step(u128::from(c).wrapping_mul(19), r0);
    [r0, r1.wrapping_add(c), r2, r3, r4]
}
