// SPDX-License-Identifier: GPL-2.0

//! Montgomery arithmetic modulo a 256-bit prime, constant time.

use crate::ct::{Mask, Zeroable};

/// Four 64-bit limbs, least significant first.
pub(crate) type Limbs = [u64; 4];

/// A prime modulus with its constants. `R` is 2^256.
pub(crate) trait Modulus: Copy {
    /// The modulus.
    const M: Limbs;
    /// -M^-1 mod 2^64.
    const N0: u64;
    /// R mod M.
    const ONE: Limbs;
    /// R^2 mod M.
    const RR: Limbs;
}

/// The field prime of P-256 (SP 800-186, section 3.2.1.3).
#[derive(Clone, Copy)]
pub(crate) struct P;

impl Modulus for P {
    const M: Limbs = [
        0xffff_ffff_ffff_ffff,
        0x0000_0000_ffff_ffff,
        0,
        0xffff_ffff_0000_0001,
    ];
    const N0: u64 = 1;
    const ONE: Limbs = [
        1,
        0xffff_ffff_0000_0000,
        0xffff_ffff_ffff_ffff,
        0x0000_0000_ffff_fffe,
    ];
    const RR: Limbs = [
        3,
        0xffff_fffb_ffff_ffff,
        0xffff_ffff_ffff_fffe,
        0x0000_0004_ffff_fffd,
    ];
}

/// The order of the base point.
#[derive(Clone, Copy)]
pub(crate) struct N;

impl Modulus for N {
    const M: Limbs = [
        0xf3b9_cac2_fc63_2551,
        0xbce6_faad_a717_9e84,
        0xffff_ffff_ffff_ffff,
        0xffff_ffff_0000_0000,
    ];
    const N0: u64 = 0xccd1_c8aa_ee00_bc4f;
    const ONE: Limbs = [
        0x0c46_353d_039c_daaf,
        0x4319_0552_58e8_617b,
        0,
        0x0000_0000_ffff_ffff,
    ];
    const RR: Limbs = [
        0x8324_4c95_be79_eea2,
        0x4699_799c_49bd_6fa6,
        0x2845_b239_2b6b_ec59,
        0x66e1_2d94_f3d9_5620,
    ];
}

/// a + b * c + carry as (low, high).
#[inline(always)]
const fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let t = (a as u128).wrapping_add((b as u128).wrapping_mul(c as u128));
    let t = t.wrapping_add(carry as u128);
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
const fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let t = (a as u128)
        .wrapping_add(b as u128)
        .wrapping_add(carry as u128);
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
const fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let t = (a as u128).wrapping_sub((b as u128).wrapping_add(borrow as u128));
    (t as u64, ((t >> 64) as u64) & 1)
}

/// `a - b` and the borrow.
#[inline(always)]
fn sub_limbs(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = sbb(a[0], b[0], 0);
    let (r1, c) = sbb(a[1], b[1], c);
    let (r2, c) = sbb(a[2], b[2], c);
    let (r3, c) = sbb(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a` where the mask is ones, else `b`.
#[inline(always)]
pub(crate) fn select(mask: Mask, a: &Limbs, b: &Limbs) -> Limbs {
    [
        mask.select(a[0], b[0]),
        mask.select(a[1], b[1]),
        mask.select(a[2], b[2]),
        mask.select(a[3], b[3]),
    ]
}

/// Whether all limbs are zero.
#[inline(always)]
pub(crate) fn is_zero(a: &Limbs) -> Mask {
    Mask::is_zero(a[0] | a[1] | a[2] | a[3])
}

/// Big-endian bytes to limbs.
pub(crate) fn from_be_bytes(b: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(b.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |v, b| (v << 8) | u64::from(*b));
    }
    limbs
}

/// Limbs to big-endian bytes.
pub(crate) fn to_be_bytes(a: &Limbs) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(a.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    out
}

/// A residue in Montgomery form, fully reduced.
pub(crate) struct Residue<T: Modulus>(Limbs, core::marker::PhantomData<T>);

impl<T: Modulus> Clone for Residue<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Modulus> Copy for Residue<T> {}

// SAFETY: It is an array of integers.
unsafe impl<T: Modulus> Zeroable for Residue<T> {}

impl<T: Modulus> Residue<T> {
    pub(crate) const ZERO: Self = Self::raw([0; 4]);
    pub(crate) const ONE: Self = Self::raw(T::ONE);

    /// Takes limbs that are in Montgomery form already.
    #[inline(always)]
    pub(crate) const fn raw(limbs: Limbs) -> Self {
        Residue(limbs, core::marker::PhantomData)
    }

    /// Converts a number below 2^256, reducing it.
    pub(crate) fn new(limbs: &Limbs) -> Self {
        Self::raw(mont_mul::<T>(limbs, &T::RR))
    }

    /// The number, out of Montgomery form.
    pub(crate) fn get(&self) -> Limbs {
        mont_mul::<T>(&self.0, &[1, 0, 0, 0])
    }

    /// Whether a number is less than the modulus.
    pub(crate) fn is_reduced(limbs: &Limbs) -> Mask {
        Mask::from_bit(sub_limbs(limbs, &T::M).1)
    }

    #[inline(always)]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self::raw(mont_mul::<T>(&self.0, &other.0))
    }

    #[inline(always)]
    pub(crate) fn square(&self) -> Self {
        self.mul(self)
    }

    #[inline(always)]
    pub(crate) fn add(&self, other: &Self) -> Self {
        let (r0, c) = adc(self.0[0], other.0[0], 0);
        let (r1, c) = adc(self.0[1], other.0[1], c);
        let (r2, c) = adc(self.0[2], other.0[2], c);
        let (r3, c) = adc(self.0[3], other.0[3], c);
        Self::raw(reduce_once::<T>(&[r0, r1, r2, r3], c))
    }

    #[inline(always)]
    pub(crate) fn sub(&self, other: &Self) -> Self {
        let (r, borrow) = sub_limbs(&self.0, &other.0);
        let mask = 0u64.wrapping_sub(borrow);
        let (r0, c) = adc(r[0], T::M[0] & mask, 0);
        let (r1, c) = adc(r[1], T::M[1] & mask, c);
        let (r2, c) = adc(r[2], T::M[2] & mask, c);
        let (r3, _) = adc(r[3], T::M[3] & mask, c);
        Self::raw([r0, r1, r2, r3])
    }

    #[inline(always)]
    pub(crate) fn double(&self) -> Self {
        self.add(self)
    }

    #[inline(always)]
    pub(crate) fn neg(&self) -> Self {
        Self::ZERO.sub(self)
    }

    #[inline(always)]
    pub(crate) fn select(mask: Mask, a: &Self, b: &Self) -> Self {
        Self::raw(select(mask, &a.0, &b.0))
    }

    #[inline(always)]
    pub(crate) fn is_zero(&self) -> Mask {
        is_zero(&self.0)
    }

    /// The inverse by Fermat's little theorem; zero for zero. The exponent is public.
    #[inline(never)]
    pub(crate) fn invert(&self) -> Self {
        let (exponent, _) = sub_limbs(&T::M, &[2, 0, 0, 0]);
        // Windows of four bits, the highest first.
        let mut table = [Self::ONE; 16];
        let mut power = Self::ONE;
        for entry in table.iter_mut().skip(1) {
            power = power.mul(self);
            *entry = power;
        }
        let mut acc = Self::ONE;
        for limb in exponent.iter().rev() {
            for shift in (0..16).rev() {
                acc = acc.square().square().square().square();
                let digit = (limb >> (4 * shift)) as usize & 15;
                if let Some(factor) = table.get(digit) {
                    acc = acc.mul(factor);
                }
            }
        }
        crate::ct::wipe(&mut table);
        acc
    }
}

/// Subtracts the modulus if `carry * 2^256 + a` is not below it.
#[inline(always)]
fn reduce_once<T: Modulus>(a: &Limbs, carry: u64) -> Limbs {
    let (r, borrow) = sub_limbs(a, &T::M);
    let (_, borrow) = sbb(carry, 0, borrow);
    select(Mask::from_bit(borrow), a, &r)
}

/// `a * b / R mod M`, for `a` and `b` below 2^256 of which at least one is reduced.
#[inline(always)]
fn mont_mul<T: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    let mut t = [0u64; 6];
    for x in a {
        let (t0, c) = mac(t[0], *x, b[0], 0);
        let (t1, c) = mac(t[1], *x, b[1], c);
        let (t2, c) = mac(t[2], *x, b[2], c);
        let (t3, c) = mac(t[3], *x, b[3], c);
        let (t4, t5) = adc(t[4], c, 0);

        let m = t0.wrapping_mul(T::N0);
        let (_, c) = mac(t0, m, T::M[0], 0);
        let (t0, c) = mac(t1, m, T::M[1], c);
        let (t1, c) = mac(t2, m, T::M[2], c);
        let (t2, c) = mac(t3, m, T::M[3], c);
        let (t3, c) = adc(t4, c, 0);
        t = [t0, t1, t2, t3, t5.wrapping_add(c), 0];
    }
    reduce_once::<T>(&[t[0], t[1], t[2], t[3]], t[4])
}
