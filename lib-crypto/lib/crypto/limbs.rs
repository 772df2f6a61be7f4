// SPDX-License-Identifier: GPL-2.0

//! Numbers of 256 bits, constant time.

use crate::ct::Mask;

/// Four 64-bit limbs, least significant first.
pub(crate) type Limbs = [u64; 4];

/// a + b * c + carry as (low, high).
#[inline(always)]
pub(crate) const fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let t = (a as u128).wrapping_add((b as u128).wrapping_mul(c as u128));
    let t = t.wrapping_add(carry as u128);
    (t as u64, (t >> 64) as u64)
}

/// a + b + carry as (low, carry).
#[inline(always)]
pub(crate) const fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (t, c) = a.overflowing_add(b);
    let (t, d) = t.overflowing_add(carry);
    (t, (c | d) as u64)
}

/// a - b - borrow as (low, borrow).
#[inline(always)]
pub(crate) const fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (t, c) = a.overflowing_sub(b);
    let (t, d) = t.overflowing_sub(borrow);
    (t, (c | d) as u64)
}

/// `a + b` and the carry.
#[inline(always)]
pub(crate) const fn add_limbs(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = adc(a[0], b[0], 0);
    let (r1, c) = adc(a[1], b[1], c);
    let (r2, c) = adc(a[2], b[2], c);
    let (r3, c) = adc(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a - b` and the borrow.
#[inline(always)]
pub(crate) const fn sub_limbs(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = sbb(a[0], b[0], 0);
    let (r1, c) = sbb(a[1], b[1], c);
    let (r2, c) = sbb(a[2], b[2], c);
    let (r3, c) = sbb(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a` and every limb of it with the bits of a mask.
#[inline(always)]
pub(crate) const fn and_limbs(a: &Limbs, mask: u64) -> Limbs {
    [a[0] & mask, a[1] & mask, a[2] & mask, a[3] & mask]
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
