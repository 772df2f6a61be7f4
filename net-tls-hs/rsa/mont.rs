// SPDX-License-Identifier: GPL-2.0

//! Montgomery arithmetic modulo odd numbers of up to 4096 bits, constant time: what is done and
//! where memory is touched depends on lengths only.
//!
//! Numbers are slices of 64-bit limbs, least significant first, as long as the modulus.

use crate::ct::{Mask, Zeroable};

/// Limbs of the longest modulus.
pub(crate) const MAX: usize = 64;
/// Limbs of the longest prime.
pub(crate) const HALF: usize = MAX / 2;
/// Bits of an exponent that are handled at once.
const WINDOW: usize = 5;
/// Entries of the table of powers.
const ENTRIES: usize = 1 << WINDOW;

#[inline(always)]
fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let t = u128::from(a).wrapping_add(u128::from(b).wrapping_mul(u128::from(c)));
    let t = t.wrapping_add(u128::from(carry));
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let t = u128::from(a)
        .wrapping_add(u128::from(b))
        .wrapping_add(u128::from(carry));
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
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

/// `acc += a * b`, `acc` having room for all of it.
pub(crate) fn mul_add(acc: &mut [u64], a: &[u64], b: &[u64]) {
    for (i, x) in a.iter().enumerate() {
        let mut carry = 0;
        let mut rest = acc.iter_mut().skip(i);
        for y in b {
            if let Some(r) = rest.next() {
                (*r, carry) = mac(*r, *x, *y, carry);
            }
        }
        for r in rest {
            (*r, carry) = adc(*r, carry, 0);
        }
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

/// Working memory of exponentiations.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    table: [[u64; HALF]; ENTRIES],
    acc: [u64; HALF],
    factor: [u64; HALF],
    product: [u64; MAX + 2],
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

impl<const N: usize> Modulus<N> {
    /// Takes a modulus whose highest and lowest bits are set. False if they are not.
    pub(crate) fn init(&mut self, bytes: &[u8], len: usize) -> bool {
        self.len = len.min(N);
        if !from_be_bytes(self.m.get_mut(..self.len).unwrap_or(&mut []), bytes) {
            return false;
        }
        let low = self.m.first().copied().unwrap_or(0);
        let high = self.m().last().copied().unwrap_or(0);
        if low & 1 == 0 || high >> 63 == 0 {
            return false;
        }

        // Newton's iteration doubles the number of right bits, beginning with three.
        let mut inverse = low;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(low.wrapping_mul(inverse)));
        }
        self.n0 = inverse.wrapping_neg();
        self.init_rr();
        true
    }

    fn init_rr(&mut self) {
        // R mod m is R - m, as the highest bit is set; then double as often as R has bits.
        let (m, rr) = (&self.m, &mut self.rr);
        rr.fill(0);
        sub_assign(rr, m);
        for limb in rr.iter_mut().skip(self.len) {
            *limb = 0;
        }
        for _ in 0..64 * self.len {
            let mut carry = 0;
            for limb in rr.iter_mut().take(self.len) {
                (*limb, carry) = ((*limb << 1) | carry, *limb >> 63);
            }
            let borrow = {
                let (rr, m) = (&mut rr[..], &m[..]);
                let mut borrow = 0;
                for (x, y) in rr.iter_mut().zip(m).take(self.len) {
                    (*x, borrow) = sbb(*x, *y, borrow);
                }
                borrow
            };
            let undo = Mask::from_bit(borrow & (carry ^ 1));
            let len = self.len;
            add_masked(
                rr.get_mut(..len).unwrap_or(&mut []),
                m.get(..len).unwrap_or(&[]),
                undo,
            );
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

    /// R^2 mod m.
    pub(crate) fn rr(&self) -> &[u64] {
        self.rr.get(..self.len).unwrap_or(&[])
    }

    /// `out = a * b / R mod m`, for `a` and `b` below R of which at least one is below m.
    pub(crate) fn mul(&self, out: &mut [u64], a: &[u64], b: &[u64], work: &mut [u64; MAX + 2]) {
        let t = work.get_mut(..self.len + 2).unwrap_or(&mut []);
        t.fill(0);
        for x in a {
            self.mul_row(t, *x, b);
        }
        self.reduce_once(out, t);
    }

    /// One row of the multiplication: `t = (t + x * b + q * m) / 2^64`. `b` is as long as m.
    #[inline(always)]
    fn mul_row(&self, t: &mut [u64], x: u64, b: &[u64]) {
        let len = self.len;
        let mut carry = 0;
        for (r, y) in t.iter_mut().zip(b) {
            (*r, carry) = mac(*r, x, *y, carry);
        }
        let Some((low, [top, over])) = t.split_at_mut_checked(len) else {
            return;
        };
        (*top, carry) = adc(*top, carry, 0);
        *over = carry;

        let q = low.first().map_or(0, |l| l.wrapping_mul(self.n0));
        let mut carry = 0;
        for (r, y) in low.iter_mut().zip(self.m()) {
            (*r, carry) = mac(*r, q, *y, carry);
        }
        // The lowest limb is zero now; shift it out.
        low.copy_within(1.., 0);
        let (sum, carry) = adc(*top, carry, 0);
        if let Some(last) = low.last_mut() {
            *last = sum;
        }
        *top = over.wrapping_add(carry);
        *over = 0;
    }

    fn reduce_once(&self, out: &mut [u64], t: &[u64]) {
        let top = t.get(self.len).copied().unwrap_or(0);
        let mut borrow = 0;
        for ((o, x), y) in out.iter_mut().zip(t).zip(self.m()) {
            (*o, borrow) = sbb(*x, *y, borrow);
        }
        let (_, borrow) = sbb(top, 0, borrow);
        let keep = Mask::from_bit(borrow);
        for (o, x) in out.iter_mut().zip(t).take(self.len) {
            *o = keep.select(*x, *o);
        }
    }

    /// `out = a mod m` for a number of up to twice the length, in Montgomery form.
    pub(crate) fn reduce_into(
        &self,
        out: &mut [u64],
        a: &[u64],
        tmp: &mut [u64],
        work: &mut [u64; MAX + 2],
    ) {
        let len = self.len;
        let (low, high) = a.split_at_checked(len).unwrap_or((a, &[]));
        let (Some(out), Some(tmp)) = (out.get_mut(..len), tmp.get_mut(..len)) else {
            return;
        };
        // (low + high * R) * R: a multiplication by R^2 each makes one R, high needs two.
        self.mul(out, low, self.rr(), work);
        self.mul_rows(tmp, high, work);
        self.mul_in_place(tmp, self.rr(), work);
        let carry = add_masked(out, tmp, Mask::from_bit(1));
        let borrow = sub_assign(out, self.m());
        add_masked(out, self.m(), Mask::from_bit(borrow & (carry ^ 1)));
    }

    /// `out = a * R mod m`; `a` may be shorter than the modulus.
    fn mul_rows(&self, out: &mut [u64], a: &[u64], work: &mut [u64; MAX + 2]) {
        let t = work.get_mut(..self.len + 2).unwrap_or(&mut []);
        t.fill(0);
        for i in 0..self.len {
            self.mul_row(t, a.get(i).copied().unwrap_or(0), self.rr());
        }
        self.reduce_once(out, t);
    }

    /// `a = a * b / R mod m`.
    pub(crate) fn mul_in_place(&self, a: &mut [u64], b: &[u64], work: &mut [u64; MAX + 2]) {
        let t = work.get_mut(..self.len + 2).unwrap_or(&mut []);
        t.fill(0);
        for x in a.iter().take(self.len) {
            self.mul_row(t, *x, b);
        }
        self.reduce_once(a, t);
    }

    /// `a = a^2 / R mod m`.
    pub(crate) fn square_in_place(&self, a: &mut [u64], work: &mut [u64; MAX + 2]) {
        let t = work.get_mut(..self.len + 2).unwrap_or(&mut []);
        t.fill(0);
        for x in a.iter().take(self.len) {
            self.mul_row(t, *x, a);
        }
        self.reduce_once(a, t);
    }

    /// `a = a / R mod m`: out of Montgomery form.
    pub(crate) fn leave(&self, a: &mut [u64], work: &mut [u64; MAX + 2]) {
        let t = work.get_mut(..self.len + 2).unwrap_or(&mut []);
        t.fill(0);
        for (to, from) in t.iter_mut().zip(a.iter()).take(self.len) {
            *to = *from;
        }
        for _ in 0..self.len {
            self.mul_row(t, 0, self.m());
        }
        self.reduce_once(a, t);
    }
}

impl Modulus<HALF> {
    /// `base = base^exponent mod m`, both in Montgomery form; the exponent is secret and as long
    /// as the modulus.
    pub(crate) fn pow(&self, base: &mut [u64; HALF], exponent: &[u64], work: &mut Work) {
        let len = self.len;
        let Work {
            table,
            acc,
            factor,
            product,
        } = work;
        let (Some(base), Some(acc), Some(factor)) = (
            base.get_mut(..len),
            acc.get_mut(..len),
            factor.get_mut(..len),
        ) else {
            return;
        };
        // Powers 0 to 31; the first is R mod m.
        acc.copy_from_slice(self.rr());
        self.leave(acc, product);
        for entry in table.iter_mut() {
            if let Some(entry) = entry.get_mut(..len) {
                entry.copy_from_slice(acc);
            }
            self.mul_in_place(acc, base, product);
        }

        if let Some(one) = table.first().and_then(|one| one.get(..len)) {
            acc.copy_from_slice(one);
        }
        for window in (0..(64 * len).div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                self.square_in_place(acc, product);
            }
            let digit = window_digit(exponent, window * WINDOW);
            factor.fill(0);
            for (entry, number) in table.iter().zip(0..) {
                let mask = Mask::equal(digit, number);
                for (f, e) in factor.iter_mut().zip(entry) {
                    *f = mask.select(*e, *f);
                }
            }
            self.mul_in_place(acc, factor, product);
        }
        base.copy_from_slice(acc);
    }
}

/// Bits `low..low + WINDOW` of an exponent. Positions are public.
fn window_digit(exponent: &[u64], low: usize) -> u64 {
    let word = exponent.get(low / 64).map_or(0, |w| w >> (low % 64));
    let next = match low % 64 {
        0 => 0,
        shift => exponent.get(low / 64 + 1).map_or(0, |w| w << (64 - shift)),
    };
    (word | next) & (ENTRIES as u64 - 1)
}
