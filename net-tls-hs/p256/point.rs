// SPDX-License-Identifier: GPL-2.0

//! Points of P-256 in projective coordinates, with the complete formulas of Renes, Costello and
//! Batina (EUROCRYPT 2016) for a = -3: no input is an exception, so there is nothing to branch on.

use super::mont::{from_be_bytes, to_be_bytes, Limbs, Residue, P};
use super::table::COMB;
use crate::ct::{self, Mask, Zeroable};

/// An element of the field.
pub(crate) type Fe = Residue<P>;

/// b of the curve equation, in Montgomery form.
const B: Fe = Fe::raw([
    0xd89c_df62_29c4_bddf,
    0xacf0_05cd_7884_3090,
    0xe5a2_20ab_f721_2ed6,
    0xdc30_061d_0487_4834,
]);

/// Teeth of the comb, 64 bits apart.
const TEETH: usize = 4;
/// Tables of the comb, 16 bits apart.
const BLOCKS: usize = 4;

/// A point that is not at infinity.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) x: Fe,
    pub(crate) y: Fe,
}

/// A point (X : Y : Z); infinity is (0 : 1 : 0).
#[derive(Clone, Copy)]
pub(crate) struct Point {
    x: Fe,
    y: Fe,
    z: Fe,
}

// SAFETY: It is made of field elements, which are.
unsafe impl Zeroable for Point {}

impl Point {
    const INFINITY: Point = Point {
        x: Fe::ZERO,
        y: Fe::ONE,
        z: Fe::ZERO,
    };

    fn from_affine(p: &Affine) -> Self {
        Point {
            x: p.x,
            y: p.y,
            z: Fe::ONE,
        }
    }

    #[inline(always)]
    fn select(mask: Mask, a: &Self, b: &Self) -> Self {
        Point {
            x: Fe::select(mask, &a.x, &b.x),
            y: Fe::select(mask, &a.y, &b.y),
            z: Fe::select(mask, &a.z, &b.z),
        }
    }

    /// Algorithm 4 of the paper.
    #[inline(never)]
    fn add(&self, other: &Self) -> Self {
        let t0 = self.x.mul(&other.x);
        let t1 = self.y.mul(&other.y);
        let t2 = self.z.mul(&other.z);
        let t3 = self.x.add(&self.y).mul(&other.x.add(&other.y));
        let t3 = t3.sub(&t0.add(&t1));
        let t4 = self.y.add(&self.z).mul(&other.y.add(&other.z));
        let t4 = t4.sub(&t1.add(&t2));
        let xz = self.x.add(&self.z).mul(&other.x.add(&other.z));
        let xz = xz.sub(&t0.add(&t2));
        Self::add_tail(t0, t1, t2, t3, t4, xz)
    }

    /// Algorithm 5 of the paper: the other point has Z = 1.
    #[inline(never)]
    fn add_affine(&self, other: &Affine) -> Self {
        let t0 = self.x.mul(&other.x);
        let t1 = self.y.mul(&other.y);
        let t3 = other.x.add(&other.y).mul(&self.x.add(&self.y));
        let t3 = t3.sub(&t0.add(&t1));
        let t4 = other.y.mul(&self.z).add(&self.y);
        let xz = other.x.mul(&self.z).add(&self.x);
        Self::add_tail(t0, t1, self.z, t3, t4, xz)
    }

    /// What both algorithms do with the products xx, yy, zz and the sums of the mixed ones.
    #[inline(always)]
    fn add_tail(xx: Fe, yy: Fe, zz: Fe, xy: Fe, yz: Fe, xz: Fe) -> Self {
        let t = xz.sub(&B.mul(&zz));
        let t = t.double().add(&t);
        let z3 = yy.sub(&t);
        let x3 = yy.add(&t);
        let zz3 = zz.double().add(&zz);
        let u = B.mul(&xz).sub(&zz3).sub(&xx);
        let y3 = u.double().add(&u);
        let t0 = xx.double().add(&xx).sub(&zz3);
        Point {
            x: x3.mul(&xy).sub(&yz.mul(&y3)),
            y: x3.mul(&z3).add(&t0.mul(&y3)),
            z: yz.mul(&z3).add(&xy.mul(&t0)),
        }
    }

    /// Algorithm 6 of the paper.
    #[inline(never)]
    fn double(&self) -> Self {
        let xx = self.x.square();
        let yy = self.y.square();
        let zz = self.z.square();
        let xy2 = self.x.mul(&self.y).double();
        let xz2 = self.x.mul(&self.z).double();
        let t = B.mul(&zz).sub(&xz2);
        let t = t.double().add(&t);
        let x3 = yy.sub(&t);
        let y3 = x3.mul(&yy.add(&t));
        let x3 = x3.mul(&xy2);
        let zz3 = zz.double().add(&zz);
        let u = B.mul(&xz2).sub(&zz3).sub(&xx);
        let u = u.double().add(&u);
        let t0 = xx.double().add(&xx).sub(&zz3);
        let y3 = y3.add(&t0.mul(&u));
        let yz2 = self.y.mul(&self.z).double();
        let x3 = x3.sub(&yz2.mul(&u));
        let z3 = yz2.mul(&yy).double().double();
        Point {
            x: x3,
            y: y3,
            z: z3,
        }
    }

    #[inline(always)]
    fn negate_if(&self, mask: Mask) -> Self {
        Point {
            x: self.x,
            y: Fe::select(mask, &self.y.neg(), &self.y),
            z: self.z,
        }
    }

    /// Affine coordinates, or zeroes for infinity.
    #[inline(never)]
    pub(crate) fn to_affine(self) -> Affine {
        let inverse = self.z.invert();
        Affine {
            x: self.x.mul(&inverse),
            y: self.y.mul(&inverse),
        }
    }

    /// `k` times the base point.
    #[inline(never)]
    pub(crate) fn mul_base(k: &Limbs) -> Self {
        let mut acc = Point::INFINITY;
        for row in (0..16).rev() {
            acc = acc.double();
            for (block, table) in COMB.iter().enumerate() {
                let bit = 16 * block + row;
                let index = k
                    .iter()
                    .take(TEETH)
                    .rev()
                    .fold(0, |index, limb| index << 1 | (limb >> bit) & 1);
                let sum = acc.add_affine(&lookup(table, index));
                // Index 0 is infinity, which has no affine coordinates.
                acc = Point::select(Mask::is_zero(index), &acc, &sum);
            }
        }
        acc
    }

    /// `k` times a point, for `k` below the order.
    #[inline(never)]
    pub(crate) fn mul(point: &Affine, k: &Limbs) -> Self {
        // 1 to 8 times the point.
        let mut table = [Point::INFINITY; 8];
        Self::multiples(point, &mut table);

        // Signed digits from -8 to 8, each of four bits and the one below them (Booth).
        let mut acc = Point::INFINITY;
        for window in (0..=64).rev() {
            for _ in 0..4 {
                acc = acc.double();
            }
            let (negative, magnitude) = booth_digit(k, window);
            acc = acc.add_signed(&table, negative, magnitude);
        }
        ct::wipe(&mut table);
        acc
    }

    #[inline(never)]
    fn multiples(point: &Affine, table: &mut [Point; 8]) {
        let mut multiple = Point::from_affine(point);
        for entry in table.iter_mut() {
            *entry = multiple;
            multiple = multiple.add_affine(point);
        }
    }

    /// Adds entry `magnitude` of a table, or its negative.
    #[inline(never)]
    fn add_signed(&self, table: &[Point; 8], negative: Mask, magnitude: u64) -> Point {
        let mut found = Point::INFINITY;
        for (entry, number) in table.iter().zip(1..) {
            found = Point::select(Mask::equal(magnitude, number), entry, &found);
        }
        self.add(&found.negate_if(negative))
    }
}

/// Digit number `window` of a signed representation of `k` with base 16.
#[inline(always)]
fn booth_digit(k: &Limbs, window: usize) -> (Mask, u64) {
    let bit = |i: usize| k.get(i / 64).map_or(0, |limb| (limb >> (i % 64)) & 1);
    let low = 4 * window;
    let below = if low == 0 { 0 } else { bit(low - 1) };
    let sign = bit(low + 3);
    let value = bit(low) + 2 * bit(low + 1) + 4 * bit(low + 2) + below;
    // value - 8 * sign, as sign and magnitude.
    let negative = Mask::from_bit(sign);
    (negative, negative.select(8 - value, value))
}

/// Entry `index` of one of the comb's tables, without telling which.
fn lookup(table: &[[[u64; 4]; 2]; 15], index: u64) -> Affine {
    let mut x = [0; 4];
    let mut y = [0; 4];
    for (entry, number) in table.iter().zip(1..) {
        let mask = Mask::equal(index, number);
        x = super::mont::select(mask, &entry[0], &x);
        y = super::mont::select(mask, &entry[1], &y);
    }
    Affine {
        x: Fe::raw(x),
        y: Fe::raw(y),
    }
}

impl Affine {
    /// Reads an uncompressed point (SEC 1, section 2.3.4) and checks that it is on the curve. As
    /// the cofactor is 1, that is full public-key validation (SP 800-56A, section 5.6.2.3.3).
    #[inline(never)]
    pub(crate) fn from_uncompressed(bytes: &[u8]) -> Option<Self> {
        let (&[4], coordinates) = bytes.split_first_chunk()? else {
            return None;
        };
        let (x, y) = coordinates.split_first_chunk::<32>()?;
        let x = from_be_bytes(x);
        let y = from_be_bytes(y.try_into().ok()?);
        // Public keys are public.
        if !Fe::is_reduced(&x).and(Fe::is_reduced(&y)).declassify() {
            return None;
        }
        let point = Affine {
            x: Fe::new(&x),
            y: Fe::new(&y),
        };
        let three = point.x.double().add(&point.x);
        let right = point.x.square().mul(&point.x).sub(&three).add(&B);
        point
            .y
            .square()
            .sub(&right)
            .is_zero()
            .declassify()
            .then_some(point)
    }

    /// Writes an uncompressed point.
    pub(crate) fn to_uncompressed(&self) -> [u8; 65] {
        let mut out = [4; 65];
        if let Some((_, coordinates)) = out.split_first_mut() {
            let (x, y) = coordinates.split_at_mut(32);
            x.copy_from_slice(&to_be_bytes(&self.x.get()));
            y.copy_from_slice(&to_be_bytes(&self.y.get()));
        }
        out
    }
}

// The comb's geometry is that of its tables.
const _: () = assert!(COMB.len() == BLOCKS && TEETH * 64 == 256 && BLOCKS * 16 == 64);
