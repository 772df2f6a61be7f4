// SPDX-License-Identifier: GPL-2.0

//! Polynomials of ML-KEM: the ring `Z_q[X]/(X^256 + 1)` and its number-theoretic transform (FIPS
//! 203, section 4.3), constant time.
//!
//! A word of 64 bits holds two coefficients, in its low and its high half, so that the usual
//! instructions work on both at once. The transform of ML-KEM stops one step early and treats
//! coefficients 2i and 2i + 1 alike, so these are the two of a word, and neither half ever needs
//! to be moved.
//!
//! Coefficients are not negative and seldom fully reduced; a comment says below which multiple of
//! q they are. As all of them stay below 2^32, nothing carries from one half into the other. No
//! operation here overflows, but all of them are written as wrapping, so that they are no panic
//! paths.

/// Number of coefficients of a polynomial.
pub(crate) const N: usize = 256;

/// The prime that coefficients are taken modulo.
pub(crate) const Q: u64 = 3329;

/// A polynomial: coefficient 2i is in the low half of word i, 2i + 1 in the high half.
pub(crate) type Poly = [u64; N / 2];

/// A polynomial in the transformed domain, prepared to be multiplied by others: for each word
/// `b0 + b1 X` this word and `b1 zeta + b0 X`, where zeta is what X^2 is at this place.
pub(crate) type Factor = [[u64; 2]; N / 2];

/// One in both halves. Times a constant, that constant in both halves.
pub(crate) const BOTH: u64 = 1 << 32 | 1;

/// The low 16 bits of both halves.
const LOW_16: u64 = 0xffff * BOTH;

/// The low 17 bits of both halves.
const LOW_17: u64 = 0x1ffff * BOTH;

/// A constant to multiply by.
#[derive(Clone, Copy)]
pub(super) struct Zeta {
    pub(super) value: u64,
    /// `floor(value * 2^15 / q)`, from which the quotient of a product is estimated.
    ratio: u64,
}

/// Powers of 17, a primitive 256th root of unity: entry i has 17 to the power of i's seven bits in
/// reverse (FIPS 203, appendix A).
pub(super) const ZETAS: [Zeta; N / 2] = {
    let mut powers = [1; N / 2];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 17 % Q;
        i += 1;
    }
    let mut zetas = [Zeta { value: 0, ratio: 0 }; N / 2];
    let mut i = 0;
    while i < zetas.len() {
        let value = powers[(i as u8).reverse_bits() as usize >> 1];
        zetas[i] = Zeta {
            value,
            ratio: (value << 15) / Q,
        };
        i += 1;
    }
    zetas
};

/// `a * zeta`: below `q + a q / 2^15` in each half, for `a` below 2^17 (Shoup's multiplication).
///
/// The estimated quotient is never too large, and too small by less than `1 + a / 2^15`.
#[inline(always)]
fn mul(a: u64, zeta: Zeta) -> u64 {
    let quotient = a.wrapping_mul(zeta.ratio) >> 15 & LOW_17;
    a.wrapping_mul(zeta.value)
        .wrapping_sub(quotient.wrapping_mul(Q))
}

/// `a` modulo q: below 1.9 q in each half, for `a` below 26 q.
///
/// 19 / 2^16 is 1 / q less 0.687 / 2^16.
#[inline(always)]
fn reduce(a: u64) -> u64 {
    let quotient = a.wrapping_mul(19) >> 16 & LOW_16;
    a.wrapping_sub(quotient.wrapping_mul(Q))
}

/// `a / 2^16` modulo q: below `q + a / 2^16` in each half, for `a` below 2^31 (Montgomery's
/// reduction).
#[inline(always)]
fn divide(a: u64) -> u64 {
    /// `-1 / q` modulo 2^16.
    const NEGATIVE_INVERSE: u64 = 3327;
    const _: () = assert!((NEGATIVE_INVERSE * Q + 1) & 0xffff == 0);

    let multiple = (a & LOW_16).wrapping_mul(NEGATIVE_INVERSE) & LOW_16;
    a.wrapping_add(multiple.wrapping_mul(Q)) >> 16 & LOW_16
}

/// `(a + b zeta, a - b zeta)`: both below `a + 3 q`, for `b` below 19.6 q.
#[inline(always)]
fn butterfly(a: &mut u64, b: &mut u64, zeta: Zeta) {
    let t = mul(*b, zeta);
    *b = a.wrapping_add(3 * Q * BOTH).wrapping_sub(t);
    *a = a.wrapping_add(t);
}

/// `(a + b, (b - a) zeta)` for `a` below `OFFSET q`; `b + OFFSET q` must be below 2^17.
#[inline(always)]
fn inverse_butterfly<const OFFSET: u64>(a: &mut u64, b: &mut u64, zeta: Zeta) {
    let t = b.wrapping_add(OFFSET * Q * BOTH).wrapping_sub(*a);
    *a = a.wrapping_add(*b);
    *b = mul(t, zeta);
}

/// The four quarters of a block.
#[inline(always)]
fn quarters(
    block: &mut [u64],
) -> impl Iterator<Item = (((&mut u64, &mut u64), &mut u64), &mut u64)> {
    let (ab, cd) = block.split_at_mut(block.len() / 2);
    let (a, b) = ab.split_at_mut(ab.len() / 2);
    let (c, d) = cd.split_at_mut(cd.len() / 2);
    a.iter_mut().zip(b).zip(c).zip(d)
}

/// Two layers of the transform, the first of which has `BLOCKS` blocks. Coefficients grow by 6 q.
#[inline(always)]
fn two_layers<const BLOCKS: usize>(f: &mut Poly) {
    let zetas = ZETAS[BLOCKS..2 * BLOCKS].iter();
    let next = ZETAS[2 * BLOCKS..4 * BLOCKS].chunks_exact(2);
    for ((block, &zeta), next) in f.chunks_exact_mut(N / 2 / BLOCKS).zip(zetas).zip(next) {
        let &[zeta_ab, zeta_cd] = next else { continue };
        for (((a, b), c), d) in quarters(block) {
            butterfly(a, c, zeta);
            butterfly(b, d, zeta);
            butterfly(a, b, zeta_ab);
            butterfly(c, d, zeta_cd);
        }
    }
}

/// The number-theoretic transform of `f` (FIPS 203, algorithm 9), prepared for multiplications.
///
/// Coefficients of `f` must be below 1.4 q; `f` is overwritten. Those of the result are below 2 q.
pub(crate) fn transform(factor: &mut Factor, f: &mut Poly) {
    two_layers::<1>(f);
    two_layers::<4>(f);
    two_layers::<16>(f);
    // The coefficients are below 19.4 q. The last layer's constants are, with both signs, also what
    // X^2 is in each of the 128 rings that the result is in (FIPS 203, section 4.3.1).
    let pairs = f.chunks_exact_mut(2).zip(factor.chunks_exact_mut(2));
    for ((from, to), &zeta) in pairs.zip(&ZETAS[N / 4..]) {
        let ([a, b], [to_a, to_b]) = (from, to) else {
            continue;
        };
        butterfly(a, b, zeta);
        let (a, b) = (reduce(*a), reduce(*b));
        let t = mul(a >> 32 | b >> 32 << 32, zeta);
        *to_a = [a, a << 32 | (t & 0xffff_ffff)];
        *to_b = [b, b << 32 | (2 * Q).wrapping_sub(t >> 32)];
    }
}

/// Adds the product of `factor` and a polynomial in the transformed domain, given by the pairs of
/// its coefficients, to `sum` (FIPS 203, algorithms 11 and 12).
///
/// The coefficients given must be below 2^12, so that a product adds less than 2^27 and a quarter
/// of it to each coefficient of `sum`.
#[inline(always)]
pub(crate) fn multiply_add(
    sum: &mut Poly,
    factor: &Factor,
    coefficients: impl Iterator<Item = [u16; 2]>,
) {
    for ((sum, [b, turned]), [a0, a1]) in sum.iter_mut().zip(factor).zip(coefficients) {
        let product = b
            .wrapping_mul(a0.into())
            .wrapping_add(turned.wrapping_mul(a1.into()));
        *sum = sum.wrapping_add(product);
    }
}

/// Two layers of the inverse transform, the second of which has `BLOCKS` blocks.
///
/// Coefficients must be below `FIRST q`. Sums grow to `4 FIRST q`, unless they are reduced.
#[inline(always)]
fn two_inverse_layers<
    const BLOCKS: usize,
    const FIRST: u64,
    const SECOND: u64,
    const REDUCE: bool,
>(
    f: &mut Poly,
) {
    let zetas = ZETAS[BLOCKS..2 * BLOCKS].iter().rev();
    let before = ZETAS[2 * BLOCKS..4 * BLOCKS].chunks_exact(2).rev();
    for ((block, &zeta), before) in f.chunks_exact_mut(N / 2 / BLOCKS).zip(zetas).zip(before) {
        let &[zeta_cd, zeta_ab] = before else {
            continue;
        };
        for (((a, b), c), d) in quarters(block) {
            inverse_butterfly::<FIRST>(a, b, zeta_ab);
            inverse_butterfly::<FIRST>(c, d, zeta_cd);
            inverse_butterfly::<SECOND>(a, c, zeta);
            inverse_butterfly::<SECOND>(b, d, zeta);
            if REDUCE {
                *a = reduce(*a);
            }
        }
    }
}

/// Divides by 2^16 and applies the inverse transform without its division by 2^7 (FIPS 203,
/// algorithm 10).
///
/// `f` must be a sum of at most three products of [`multiply_add`]. Coefficients of the result are
/// below 38 q, which is below 2^17.
pub(crate) fn inverse_transform(f: &mut Poly) {
    // The three products are below 12 q^2, so 1.6 q is left of them.
    for word in f.iter_mut() {
        *word = divide(*word);
    }
    // Sums are below 3.2 q and 6.4 q, differences below 1.4 q and 1.8 q.
    two_inverse_layers::<32, 2, 4, false>(f);
    // Sums of differences are below 4.8 q here; what is below 25.6 q is reduced to 1.9 q.
    two_inverse_layers::<8, 7, 13, true>(f);
    // Sums are below 9.6 q and 19 q.
    two_inverse_layers::<2, 5, 10, false>(f);
    let (a, b) = f.split_at_mut(N / 4);
    for (a, b) in a.iter_mut().zip(b) {
        inverse_butterfly::<19>(a, b, ZETAS[1]);
    }
}

/// What [`inverse_transform`] leaves to be multiplied by: 2^16 / 2^7.
pub(crate) const SCALE: u64 = 1 << 9;
