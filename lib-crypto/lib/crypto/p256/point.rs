// SPDX-License-Identifier: GPL-2.0

//! Points of P-256 in Jacobian coordinates, and their multiples, constant time.
//!
//! Scalars are written with odd digits only, so that there is neither a zero to be added nor an
//! infinity to be added to. That no point is ever added to itself or to its negative is shown
//! where additions are, with the one exception that the last addition sees to.

use super::field::{Backend, Fe};
use super::mont::{from_be_bytes, is_reduced, sub_limbs, to_be_bytes, Limbs, Modulus, N, P};
use super::table::{COMB, SPACING, WIDTH};
use crate::ct::{Mask, Secret, Zeroable};

/// b of the curve equation, in Montgomery form.
const CURVE_B: Limbs = [
    0xd89c_df62_29c4_bddf,
    0xacf0_05cd_7884_3090,
    0xe5a2_20ab_f721_2ed6,
    0xdc30_061d_0487_4834,
];

/// A point that is not at infinity.
#[derive(Clone, Copy)]
pub(crate) struct Affine<B: Backend> {
    pub(crate) x: Fe<B>,
    pub(crate) y: Fe<B>,
}

/// A point (X / Z^2, Y / Z^3), with Z^2.
#[derive(Clone, Copy)]
pub(crate) struct Point<B: Backend> {
    x: Fe<B>,
    y: Fe<B>,
    z: Fe<B>,
    zz: Fe<B>,
}

// SAFETY: It is made of field elements, which are.
unsafe impl<B: Backend> Zeroable for Point<B> {}

impl<B: Backend> Point<B> {
    #[inline(always)]
    fn from_affine(p: &Affine<B>) -> Self {
        let one = Fe::one(p.x.backend());
        Point {
            x: p.x,
            y: p.y,
            z: one,
            zz: one,
        }
    }

    /// Doubles `count` times. There is no exception: no point has order 2.
    #[inline(never)]
    fn double(&mut self, count: usize) {
        // The order is one in which what a step waits for was begun some steps before.
        for _ in 0..count {
            let y2 = self.y.double();
            let alpha = self.x.sub(&self.zz).mul3(&self.x.add(&self.zz));
            let yy4 = y2.square();
            self.z = y2.mul(&self.z);
            let beta4 = self.x.mul(&yy4);
            let square = alpha.square();
            let yy8 = yy4.square().half();
            self.x = square.sub(&beta4).sub(&beta4);
            self.zz = self.z.square();
            self.y = beta4.sub(&self.x).mul(&alpha).sub(&yy8);
        }
    }

    /// Adds a point that is neither this one nor its negative. This one is not infinity.
    #[inline(never)]
    fn add(&mut self, other: &Affine<B>) {
        let zzz = self.zz.mul(&self.z);
        let h = other.x.mul(&self.zz).sub(&self.x);
        let s = zzz.mul(&other.y);
        let hh = h.square();
        let r = s.sub(&self.y);
        self.z = self.z.mul(&h);
        let v = self.x.mul(&hh);
        let hhh = hh.mul(&h);
        let square = r.square();
        self.zz = self.z.square();
        let yh = self.y.mul(&hhh);
        self.x = square.sub(&hhh).sub(&v).sub(&v);
        self.y = v.sub(&self.x).mul(&r).sub(&yh);
    }

    /// Adds a point that is not this one's negative, but may be the same. This one is not
    /// infinity.
    #[inline(never)]
    fn add_or_double(&mut self, other: &Affine<B>) {
        let mut doubled = Secret::new(*self);
        doubled.double(1);
        self.add(other);
        // The sum is not infinity, so this is how the formula for it failed.
        let failed = self.z.is_zero();
        self.x = Fe::select(failed, &doubled.x, &self.x);
        self.y = Fe::select(failed, &doubled.y, &self.y);
        self.z = Fe::select(failed, &doubled.z, &self.z);
        self.zz = Fe::select(failed, &doubled.zz, &self.zz);
    }

    /// Affine coordinates. The point must not be infinity.
    #[inline(never)]
    pub(crate) fn affine(&self) -> Affine<B> {
        self.affine_with(&Secret::new(self.z.invert()))
    }

    /// Affine coordinates, given the inverse of Z.
    fn affine_with(&self, inverse: &Fe<B>) -> Affine<B> {
        let square = inverse.square();
        Affine {
            x: self.x.mul(&square),
            y: self.y.mul(&square).mul(inverse),
        }
    }

    /// Affine coordinates, and to `x` the affine x coordinate of another point, with one inversion
    /// for both (P. L. Montgomery, "Speeding the Pollard and elliptic curve methods of
    /// factorization", 1987). Neither must be infinity.
    #[inline(never)]
    pub(crate) fn affine_and_x(&self, other: &Self, x: &mut Limbs) -> Affine<B> {
        let inverse = Secret::new(self.z.mul(&other.z).invert());
        let square = Secret::new(inverse.mul(&self.z).square());
        *x = Secret::new(other.x.mul(&square)).get();
        self.affine_with(&Secret::new(inverse.mul(&other.z)))
    }

    /// The affine x coordinate, as a number. The point must not be infinity.
    #[inline(never)]
    pub(crate) fn x_coordinate(&self) -> Limbs {
        let inverse = Secret::new(self.z.invert());
        self.x.mul(&Secret::new(inverse.square())).get()
    }

    /// `k` times the base point, for `k` from 1 to the order less 1.
    #[inline(never)]
    pub(crate) fn mul_base(b: B, k: &Limbs) -> Self {
        // The digit at i is worth 2^(6 i) times the base point. Each second one has a table; those
        // between use the table below them and are doubled together.
        let mut digits = OddDigits::<WIDTH>::new();
        digits.set(k);
        let [lowest, .., highest] = &COMB;
        let mut acc = Secret::new(Point::from_affine(&digits.lookup(b, SPACING - 1, lowest)));
        // Let s be the sum so far and d what is added, as integers. Neither s + d nor s - d is
        // zero, as their lowest digit is odd, and up to the last but one they are less than the
        // order by far. The last s + d is not zero modulo the order either; s - d is for one k.
        for (table, i) in COMB
            .iter()
            .zip((SPACING - 1..DIGITS).step_by(SPACING))
            .skip(1)
        {
            acc.add(&digits.lookup(b, i, table));
        }
        for pass in (0..SPACING - 1).rev() {
            acc.double(WIDTH);
            for (table, i) in COMB.iter().zip((pass..DIGITS - 1).step_by(SPACING)) {
                acc.add(&digits.lookup(b, i, table));
            }
        }
        acc.add_or_double(&digits.lookup(b, DIGITS - 1, highest));
        acc.y = acc.y.negate_if(digits.negated);
        *acc
    }

    /// `k` times a point, for `k` from 1 to the order less 1.
    #[inline(never)]
    pub(crate) fn mul(point: &Affine<B>, k: &Limbs) -> Self {
        let mut table = Secret::new([[[0; 4]; 2]; 8]);
        odd_multiples(point, &mut table);
        Self::mul_with(point.x.backend(), &table, k)
    }

    /// `k` times a point of which there are the odd multiples.
    #[inline(never)]
    fn mul_with(b: B, table: &[[Limbs; 2]; 8], k: &Limbs) -> Self {
        let mut digits = OddDigits::<4>::new();
        digits.set(k);
        let mut acc = Secret::new(Point::from_affine(&digits.lookup(b, 63, table)));
        for i in (1..63).rev() {
            // The sum so far is at least 1. So 16 times it is more than any digit, and less than
            // the order by far.
            acc.double(4);
            acc.add(&digits.lookup(b, i, table));
        }
        // 16 s + d is k here; 16 s - d is the order for k = n - 2.
        acc.double(4);
        acc.add_or_double(&digits.lookup(b, 0, table));
        acc.y = acc.y.negate_if(digits.negated);
        *acc
    }
}

/// Digits of a comb's scalar.
const DIGITS: usize = 256 / WIDTH + 1;

// The last digit must be the last of the last pass, and there must be a pass before it.
const _: () = assert!((DIGITS - 1) % SPACING == 0 && SPACING > 1);

/// An odd number between 0 and the order, as digits that are odd numbers from `1 - 2^WIDTH` to
/// `2^WIDTH - 1`.
struct OddDigits<const WIDTH: usize> {
    /// The sum of the digits' values, each of which is `2 b - (2^WIDTH - 1)` for `WIDTH` bits b.
    bits: Secret<[u64; 5]>,
    /// Whether it is the order less the scalar.
    negated: Mask,
}

impl<const WIDTH: usize> OddDigits<WIDTH> {
    /// Those of no number.
    fn new() -> Self {
        OddDigits {
            bits: Secret::new([0; 5]),
            negated: Mask::from_bit(0),
        }
    }

    /// Takes the one of `k` and the order less `k` that is odd.
    fn set(&mut self, k: &Limbs) {
        self.negated = Mask::from_bit(k[0]).not();
        let mut odd = Secret::new(sub_limbs(&N::M, k).0);
        *odd = super::mont::select(self.negated, &odd, k);
        // (odd + 2^(WIDTH * digits) - 1) / 2, as there are as few digits as 256 bits need.
        for i in 0..4 {
            self.bits[i] = odd[i] >> 1 | odd.get(i + 1).map_or(0, |limb| limb << 63);
        }
        let top = (256usize.div_ceil(WIDTH)) * WIDTH - 1;
        if let Some(limb) = self.bits.get_mut(top / 64) {
            *limb |= 1 << (top % 64);
        }
    }

    /// The digit at `i` times the point of whose odd multiples there is a table.
    #[inline(always)]
    fn lookup<B: Backend, const ENTRIES: usize>(
        &self,
        b: B,
        i: usize,
        table: &[[Limbs; 2]; ENTRIES],
    ) -> Affine<B> {
        const { assert!(ENTRIES == 1 << (WIDTH - 1)) };
        let limb = |n: usize| self.bits.get(n).copied().unwrap_or(0);
        let (n, shift) = (i * WIDTH / 64, i * WIDTH % 64);
        let mut digit = limb(n) >> shift;
        if shift + WIDTH > 64 {
            digit |= limb(n + 1) << (64 - shift);
        }
        let negative = Mask::from_bit(digit >> (WIDTH - 1)).not();
        let [x, y] = b.lookup(table, (digit ^ negative.bits()) & (ENTRIES as u64 - 1));
        Affine {
            x: Fe::raw(b, x),
            y: Fe::raw(b, y).negate_if(negative),
        }
    }
}

/// 1, 3, up to 15 times a point.
///
/// Each is twice the point added to the one before. The two have the same Z, so that additions are
/// cheap (N. Meloni, "New point addition formulae for ECC applications", 2007).
#[inline(never)]
fn odd_multiples<B: Backend>(point: &Affine<B>, table: &mut [[Limbs; 2]; 8]) {
    let mut factors = Secret::new([[0; 4]; 7]);
    let [first, others @ ..] = table;
    *first = [point.x.into_raw(), point.y.into_raw()];
    let z = odd_multiples_with_z(point, others, &mut factors);
    divide_by_z(others, &factors, z.invert());
}

/// 3, 5, up to 15 times a point, with the coordinates X and Y only. Returns the last one's Z, and
/// by what it was multiplied for each.
#[inline(never)]
fn odd_multiples_with_z<B: Backend>(
    point: &Affine<B>,
    table: &mut [[Limbs; 2]; 7],
    factors: &mut [Limbs; 7],
) -> Fe<B> {
    let mut z = point.y.double();
    let yy4 = z.square();
    // The point with z for Z, and twice the point.
    let mut last = Affine {
        x: point.x.mul(&yy4),
        y: yy4.square().half(),
    };
    let one = Fe::one(point.x.backend());
    let alpha = point.x.sub(&one).mul3(&point.x.add(&one));
    let x = alpha.square().sub(&last.x).sub(&last.x);
    let y = last.x.sub(&x).mul(&alpha).sub(&last.y);
    let mut twice = Affine { x, y };

    for (entry, factor) in table.iter_mut().zip(factors) {
        add_same_z(&mut last, &mut twice, factor);
        z = z.mul(&Fe::raw(z.backend(), *factor));
        *entry = [last.x.into_raw(), last.y.into_raw()];
    }
    z
}

/// Makes affine points of those of [`odd_multiples_with_z`], given the inverse of the last one's Z.
#[inline(never)]
fn divide_by_z<B: Backend>(table: &mut [[Limbs; 2]; 7], factors: &[Limbs; 7], mut inverse: Fe<B>) {
    let b = inverse.backend();
    for (entry, factor) in table.iter_mut().zip(factors).rev() {
        let square = inverse.square();
        let [x, y] = *entry;
        *entry = [
            Fe::raw(b, x).mul(&square).into_raw(),
            Fe::raw(b, y).mul(&square.mul(&inverse)).into_raw(),
        ];
        inverse = inverse.mul(&Fe::raw(b, *factor));
    }
}

/// Adds `twice` to `last` and gives both the new Z, which is the old one times `factor`.
#[inline(never)]
fn add_same_z<B: Backend>(last: &mut Affine<B>, twice: &mut Affine<B>, factor: &mut Limbs) {
    let difference = last.x.sub(&twice.x);
    *factor = difference.into_raw();
    let square = difference.square();
    let x = last.x.mul(&square);
    twice.x = twice.x.mul(&square);
    let r = last.y.sub(&twice.y);
    twice.y = x.sub(&twice.x).mul(&twice.y);
    last.x = r.square().sub(&x).sub(&twice.x);
    last.y = twice.x.sub(&last.x).mul(&r).sub(&twice.y);
}

impl<B: Backend> Affine<B> {
    /// Reads an uncompressed point (SEC 1, section 2.3.4) and checks that it is on the curve. As
    /// the cofactor is 1, that is full public-key validation (SP 800-56A, section 5.6.2.3.3).
    #[inline(never)]
    pub(crate) fn from_uncompressed(backend: B, bytes: &[u8]) -> Option<Self> {
        let (&[4], coordinates) = bytes.split_first_chunk()? else {
            return None;
        };
        let (x, y) = coordinates.split_first_chunk::<32>()?;
        let x = from_be_bytes(x);
        let y = from_be_bytes(y.try_into().ok()?);
        // Public keys are public.
        if !is_reduced::<P>(&x).and(is_reduced::<P>(&y)).declassify() {
            return None;
        }
        let point = Affine {
            x: Fe::new(backend, &x),
            y: Fe::new(backend, &y),
        };
        let three = point.x.double().add(&point.x);
        let b = Fe::raw(backend, CURVE_B);
        let right = point.x.square().mul(&point.x).sub(&three).add(&b);
        point
            .y
            .square()
            .sub(&right)
            .is_zero()
            .declassify()
            .then_some(point)
    }

    /// Writes an uncompressed point.
    pub(crate) fn to_uncompressed(self) -> [u8; 65] {
        let mut out = [4; 65];
        if let Some((_, coordinates)) = out.split_first_mut() {
            let (x, y) = coordinates.split_at_mut(32);
            x.copy_from_slice(&to_be_bytes(&self.x.get()));
            y.copy_from_slice(&to_be_bytes(&self.y.get()));
        }
        out
    }
}
