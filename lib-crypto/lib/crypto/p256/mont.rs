// SPDX-License-Identifier: GPL-2.0

//! Limbs, and Montgomery arithmetic modulo a 256-bit prime, constant time.
//!
//! What is here serves both moduli of P-256. The field has arithmetic of its own in
//! [`super::field`], since it is most of the work.

use crate::ct::{Mask, Secret, Zeroable};
use crate::divsteps::invert;
pub(crate) use crate::divsteps::Modulus;
pub(super) use crate::limbs::{adc, and_limbs, mac, sbb};
pub(crate) use crate::limbs::{add_limbs, is_zero, select, sub_limbs, Limbs};

/// A prime modulus with its constants. `R` is 2^256.
pub(crate) trait Prime: Modulus {
    /// R^2 mod M.
    const RR: Limbs;
    /// 2^50 R^3 mod M, for [`crate::divsteps`].
    const INVERT: Limbs;
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
}

impl Prime for P {
    const RR: Limbs = [
        3,
        0xffff_fffb_ffff_ffff,
        0xffff_ffff_ffff_fffe,
        0x0000_0004_ffff_fffd,
    ];
    const INVERT: Limbs = [
        0x0028_0000_0060_0000,
        0xff7f_ffff_fff4_0000,
        0xfff3_ffff_ffb7_ffff,
        0x0063_ffff_ffb7_ffff,
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
}

impl Prime for N {
    const RR: Limbs = [
        0x8324_4c95_be79_eea2,
        0x4699_799c_49bd_6fa6,
        0x2845_b239_2b6b_ec59,
        0x66e1_2d94_f3d9_5620,
    ];
    const INVERT: Limbs = [
        0x4b2a_58d7_e071_b478,
        0x3e47_d6c0_775b_be18,
        0xa4fc_9899_110f_b41f,
        0x4d32_252d_90f2_dd8f,
    ];
}

/// Subtracts the modulus from `carry * 2^256 + a` if that is not below it.
#[inline(always)]
pub(super) fn reduce_once<T: Prime>(a: &Limbs, carry: u64) -> Limbs {
    let (r, borrow) = sub_limbs(a, &T::M);
    let (_, borrow) = sbb(carry, 0, borrow);
    add_limbs(&r, &and_limbs(&T::M, Mask::from_bit(borrow).bits())).0
}

/// Whether a number is less than the modulus.
pub(super) fn is_reduced<T: Prime>(a: &Limbs) -> Mask {
    Mask::from_bit(sub_limbs(a, &T::M).1)
}

/// Big-endian bytes to limbs.
pub(crate) fn from_be_bytes(b: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(b.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |v, b| (v << 8) | u64::from(*b));
    }
    limbs
}

/// Limbs to big-endian bytes where these are to be.
pub(crate) fn write_be_bytes(a: &Limbs, out: &mut [u8; 32]) {
    for (chunk, limb) in out.chunks_exact_mut(8).zip(a.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
}

/// Limbs to big-endian bytes, of which there may be copies.
pub(crate) fn to_be_bytes(a: &Limbs) -> [u8; 32] {
    let mut out = [0; 32];
    write_be_bytes(a, &mut out);
    out
}

/// A number below 2^256, which is less than twice the modulus, reduced.
pub(super) fn reduced<T: Prime>(a: &Limbs) -> Limbs {
    reduce_once::<T>(a, 0)
}

/// `a + b` modulo M.
pub(crate) fn add_reduced<T: Prime>(a: &Limbs, b: &Limbs) -> Limbs {
    let (sum, carry) = add_limbs(a, b);
    reduce_once::<T>(&sum, carry)
}

/// A residue in Montgomery form, fully reduced.
pub(crate) struct Residue<T: Prime>(Limbs, core::marker::PhantomData<T>);

impl<T: Prime> Clone for Residue<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Prime> Copy for Residue<T> {}

// SAFETY: It is an array of integers.
unsafe impl<T: Prime> Zeroable for Residue<T> {}

impl<T: Prime> Residue<T> {
    /// Takes limbs that are in Montgomery form already.
    #[inline(always)]
    const fn raw(limbs: Limbs) -> Self {
        Residue(limbs, core::marker::PhantomData)
    }

    /// Converts a number below 2^256, reducing it.
    pub(crate) fn new(limbs: &Limbs) -> Self {
        Self::raw(mont_mul::<T>(&T::RR, limbs))
    }

    /// The product of it and a number below 2^256, which is not in Montgomery form.
    pub(crate) fn times(&self, number: &Limbs) -> Limbs {
        mont_mul::<T>(&self.0, number)
    }

    /// Replaces it by its inverse; zero by zero.
    pub(crate) fn invert(&mut self) {
        let negative = invert::<T>(&mut self.0);
        self.0 = mont_mul::<T>(&T::INVERT, &self.0);
        let negated = Secret::new(sub_limbs(&T::M, &self.0).0);
        self.0 = select(negative, &negated, &self.0);
        self.0 = reduce_once::<T>(&self.0, 0);
    }
}

/// `a * b / R mod M`, for `a` below the modulus and `b` below 2^256.
#[inline(never)]
fn mont_mul<T: Prime>(a: &Limbs, b: &Limbs) -> Limbs {
    let t = mont_step::<T>(&[0; 5], a, b[0]);
    let t = mont_step::<T>(&t, a, b[1]);
    let t = mont_step::<T>(&t, a, b[2]);
    let t = mont_step::<T>(&t, a, b[3]);
    reduce_once::<T>(&[t[0], t[1], t[2], t[3]], t[4])
}

/// `(t + a * x) / 2^64` modulo M, below `2 M` like `t`.
#[inline(always)]
fn mont_step<T: Prime>(t: &[u64; 5], a: &Limbs, x: u64) -> [u64; 5] {
    let (t0, c) = mac(t[0], x, a[0], 0);
    let (t1, c) = mac(t[1], x, a[1], c);
    let (t2, c) = mac(t[2], x, a[2], c);
    let (t3, c) = mac(t[3], x, a[3], c);
    // t < 2 M and a < M, so that t + x * a is below 2^320.
    let t4 = t[4].wrapping_add(c);

    let m = t0.wrapping_mul(T::N0);
    let (_, c) = mac(t0, m, T::M[0], 0);
    let (t0, c) = mac(t1, m, T::M[1], c);
    let (t1, c) = mac(t2, m, T::M[2], c);
    let (t2, c) = mac(t3, m, T::M[3], c);
    let (t3, c) = adc(t4, c, 0);
    [t0, t1, t2, t3, c]
}
