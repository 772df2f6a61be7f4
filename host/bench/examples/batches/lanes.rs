// SPDX-License-Identifier: GPL-2.0
//! Eight numbers at a time, digit by digit: a register of AVX-512 has the same digit of each.
//!
//! vpmadd52luq and vpmadd52huq multiply digits of up to 52 bits and add the lower or the upper 52
//! bits of the product to lanes of 64 bits.

use std::arch::x86_64::*;

/// How many numbers.
pub const LANES: usize = 8;

/// A digit of each.
pub type V = __m512i;

/// Bits that are multiplied.
pub const MASK52: u64 = (1 << 52) - 1;

/// The names of instructions. All of them are called by functions that [`super::main`] calls only
/// if the CPU has AVX-512 F and IFMA, into which they are inlined.
macro_rules! instructions {
    ($(fn $name:ident($($arg:ident),*) = $call:expr;)*) => {
        $(#[inline(always)]
        pub fn $name($($arg: V),*) -> V {
            // SAFETY: The CPU has the instruction, see above.
            unsafe { $call }
        })*
    };
}

instructions! {
    fn zero() = _mm512_setzero_si512();
    fn add(a, b) = _mm512_add_epi64(a, b);
    fn sub(a, b) = _mm512_sub_epi64(a, b);
    fn and(a, b) = _mm512_and_si512(a, b);
    fn or(a, b) = _mm512_or_si512(a, b);
    fn xor(a, b) = _mm512_xor_si512(a, b);
    fn madd_low(sum, a, b) = _mm512_madd52lo_epu64(sum, a, b);
    fn madd_high(sum, a, b) = _mm512_madd52hi_epu64(sum, a, b);
    // Of 16 numbers in two registers that of each lane's index.
    fn pick(low, index, high) = _mm512_permutex2var_epi64(low, index, high);
}

#[inline(always)]
pub fn all(x: u64) -> V {
    // SAFETY: As above.
    unsafe { _mm512_set1_epi64(x as i64) }
}

#[inline(always)]
pub fn left<const N: u32>(a: V) -> V {
    // SAFETY: As above.
    unsafe { _mm512_slli_epi64::<N>(a) }
}

#[inline(always)]
pub fn right<const N: u32>(a: V) -> V {
    // SAFETY: As above.
    unsafe { _mm512_srli_epi64::<N>(a) }
}

/// With the sign.
#[inline(always)]
pub fn signed_right<const N: u32>(a: V) -> V {
    // SAFETY: As above.
    unsafe { _mm512_srai_epi64::<N>(a) }
}

/// `a` where the mask is ones, else `b`.
#[inline(always)]
pub fn select(mask: V, a: V, b: V) -> V {
    // SAFETY: As above.
    unsafe { _mm512_ternarylogic_epi64::<0xca>(mask, a, b) }
}

/// Ones in those lanes where the lowest bit of `x` is set.
#[inline(always)]
pub fn mask_from_bit(x: V) -> V {
    sub(zero(), and(x, all(1)))
}

#[inline(always)]
pub fn load(x: &[u64; LANES]) -> V {
    // SAFETY: As above, and it is as long as a register.
    unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
}

#[inline(always)]
pub fn store(v: V) -> [u64; LANES] {
    let mut x = [0; LANES];
    // SAFETY: As above, and it is as long as a register.
    unsafe { _mm512_storeu_si512(x.as_mut_ptr().cast(), v) };
    x
}

/// The 64 bits of a little-endian number from bit `at` on.
fn bits_from(limbs: &[u64], at: usize) -> u64 {
    let limb = |i: usize| limbs.get(i).copied().unwrap_or(0);
    let (n, shift) = (at / 64, at % 64);
    limb(n) >> shift | limb(n + 1).checked_shl(64 - shift as u32).unwrap_or(0)
}

/// Digit `i` of a number, of `BITS` bits each.
pub fn digit<const BITS: usize>(limbs: &[u64], i: usize) -> u64 {
    bits_from(limbs, i * BITS) & ((1 << BITS) - 1)
}

/// Limbs of eight numbers to `N` digits of `BITS` bits each.
#[inline(always)]
pub fn gather<const BITS: usize, const N: usize, const LIMBS: usize>(
    numbers: &[[u64; LIMBS]; LANES],
) -> [V; N] {
    std::array::from_fn(|i| load(&std::array::from_fn(|n| digit::<BITS>(&numbers[n], i))))
}

/// Digits, of which none is too large, to limbs.
#[inline(always)]
pub fn scatter<const BITS: usize, const N: usize, const LIMBS: usize>(
    digits: &[V; N],
) -> [[u64; LIMBS]; LANES] {
    let digits = digits.map(store);
    std::array::from_fn(|n| {
        let mut limbs = [0; LIMBS];
        for (i, digit) in digits.iter().enumerate() {
            let (at, shift) = (i * BITS / 64, i * BITS % 64);
            if let Some(limb) = limbs.get_mut(at) {
                *limb |= digit[n] << shift;
            }
            if let (true, Some(limb)) = (shift + BITS > 64, limbs.get_mut(at + 1)) {
                *limb |= digit[n] >> (64 - shift);
            }
        }
        limbs
    })
}

/// The products of five digits and five: the sums of the lower halves, and of the upper ones, each
/// of which belongs one digit higher.
#[inline(always)]
pub fn product(a: &[V; 5], b: &[V; 5]) -> ([V; 9], [V; 9]) {
    let (mut low, mut high) = ([zero(); 9], [zero(); 9]);
    for i in 0..5 {
        for j in 0..5 {
            low[i + j] = madd_low(low[i + j], a[i], b[j]);
            high[i + j] = madd_high(high[i + j], a[i], b[j]);
        }
    }
    (low, high)
}

/// [`product`] of a number and itself.
#[inline(always)]
pub fn square(a: &[V; 5]) -> ([V; 9], [V; 9]) {
    let (mut low, mut high) = ([zero(); 9], [zero(); 9]);
    for i in 0..5 {
        for j in 0..i {
            low[i + j] = madd_low(low[i + j], a[i], a[j]);
            high[i + j] = madd_high(high[i + j], a[i], a[j]);
        }
    }
    for i in 0..9 {
        low[i] = add(low[i], low[i]);
        high[i] = add(high[i], high[i]);
        if i % 2 == 0 {
            low[i] = madd_low(low[i], a[i / 2], a[i / 2]);
            high[i] = madd_high(high[i], a[i / 2], a[i / 2]);
        }
    }
    (low, high)
}

/// What can be raised to a power.
pub trait Factor: Copy {
    fn one() -> Self;
    fn mul(&self, other: &Self) -> Self;
    fn square(&self) -> Self;
}

/// `a^exponent`, for an exponent that is public and the same for all lanes.
#[inline(always)]
pub fn power<F: Factor>(a: &F, exponent: &[u64; 4]) -> F {
    let mut table = [F::one(); 16];
    for i in 1..16 {
        table[i] = table[i - 1].mul(a);
    }
    let mut result = F::one();
    for i in (0..64).rev() {
        for _ in 0..4 {
            result = result.square();
        }
        let window = digit::<4>(exponent, i) as usize;
        if window != 0 {
            result = result.mul(&table[window]);
        }
    }
    result
}
