// SPDX-License-Identifier: GPL-2.0

//! Multiplication of any point: the Montgomery ladder (RFC 7748, section 5), constant time.

use super::field::Field;
use crate::ct::{Mask, Secret, Zeroable};
use crate::limbs::Limbs;

/// A point (X : Z), of which additions take the sum and the difference of its coordinates.
#[repr(C)]
pub(crate) struct Point<F: Field> {
    /// X + Z.
    pub(super) sum: F::Element,
    /// X - Z.
    pub(super) difference: F::Element,
}

impl<F: Field> Clone for Point<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Field> Copy for Point<F> {}

// SAFETY: It has two elements, which are zeroable.
unsafe impl<F: Field> Zeroable for Point<F> {}

/// A fraction X / Z of tight elements: the u coordinate of a point.
pub(crate) struct Fraction<F: Field> {
    /// X.
    pub(super) x: F::Element,
    /// Z.
    pub(super) z: F::Element,
}

impl<F: Field> Clone for Fraction<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Field> Copy for Fraction<F> {}

// SAFETY: It has two elements, which are zeroable.
unsafe impl<F: Field> Zeroable for Fraction<F> {}

impl<F: Field> Fraction<F> {
    /// The sum and the difference of the coordinates.
    #[inline(always)]
    pub(super) fn point(&self, b: F) -> Point<F> {
        Point {
            sum: b.add(&self.x, &self.z),
            difference: b.sub(&self.x, &self.z),
        }
    }
}

impl<F: Field> Point<F> {
    /// `a` where the mask is ones, else `b`.
    #[inline(always)]
    pub(super) fn select(b: F, mask: Mask, a: &Self, other: &Self) -> Self {
        Point {
            sum: b.select(mask, &a.sum, &other.sum),
            difference: b.select(mask, &a.difference, &other.difference),
        }
    }

    /// Twice the point.
    #[inline(always)]
    pub(super) fn double(&self, b: F) -> Fraction<F> {
        let aa = b.square(&self.sum);
        let bb = b.square(&self.difference);
        let e = b.sub(&aa, &bb);
        Fraction {
            x: b.mul(&aa, &bb),
            // As AA is BB + E, this is E (AA + 121665 E).
            z: b.mul(&e, &b.add_121666(&bb, &e)),
        }
    }

    /// The sum of two points that differ by the one whose u coordinate is `u`.
    #[inline(always)]
    fn add(&self, b: F, other: &Self, u: &F::Element) -> Fraction<F> {
        let da = b.mul(&other.difference, &self.sum);
        let cb = b.mul(&other.sum, &self.difference);
        Fraction {
            x: b.square(&b.add(&da, &cb)),
            z: b.mul(u, &b.square(&b.sub(&da, &cb))),
        }
    }
}

/// The bits of a clamped scalar as the ladder takes them: in bit i, whether bits i and i - 1
/// differ. From 254 to 3 they tell which of two points is doubled next.
#[inline(always)]
pub(super) fn changes(k: &Limbs) -> Limbs {
    [
        k[0] ^ k[0] << 1,
        k[1] ^ (k[1] << 1 | k[0] >> 63),
        k[2] ^ (k[2] << 1 | k[1] >> 63),
        k[3] ^ (k[3] << 1 | k[2] >> 63),
    ]
}

/// Where a ladder begins, which is behind the highest bit of a clamped scalar: twice the point with
/// the coordinate `u`, and the point itself.
#[inline(always)]
pub(super) fn first_step<F: Field>(b: F, u: &F::Element) -> [Point<F>; 2] {
    let one = b.element(&[1, 0, 0, 0]);
    let point = Fraction { x: *u, z: one }.point(b);
    [point.double(b).point(b), point]
}

/// The lowest three bits of a clamped scalar, which are zero, so that the other point of the ladder
/// does not matter any more.
#[inline(always)]
pub(super) fn last_steps<F: Field>(b: F, point: &Point<F>) -> Fraction<F> {
    let twice = point.double(b).point(b);
    let four_times = twice.double(b).point(b);
    four_times.double(b)
}

/// Multiplies the point with the coordinate `u`, which is less than 2^255, by a clamped scalar.
/// Makes Z zero if the product has no such coordinate.
#[inline(always)]
pub(super) fn ladder<F: Field>(b: F, u: &Limbs, k: &Limbs) -> Fraction<F> {
    let u = b.element(u);
    let changes = Secret::new(changes(k));
    let change = |i: usize| Mask::from_bit(changes[i / 64 % 4] >> (i % 64));
    // What was doubled, and the sum of both.
    let mut points = Secret::new(first_step(b, &u));
    let mut next = Secret::new(Point::select(b, change(254), &points[1], &points[0]));
    for i in (3..254).rev() {
        let [doubled, added] = &mut *points;
        *added = doubled.add(b, added, &u).point(b);
        *doubled = next.double(b).point(b);
        *next = Point::select(b, change(i), added, doubled);
    }
    last_steps(b, &next)
}
