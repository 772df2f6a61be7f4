// SPDX-License-Identifier: GPL-2.0
//! Eight P-256 signatures at a time, constant time.
//!
//! As lib/crypto's, with the same comb and the same formulas, but with inverses by exponentiation,
//! which takes the same steps for all lanes.

use std::marker::PhantomData;

use crate::lanes::{self, *};
use crate::p256_table::{COMB, SPACING, WIDTH};

/// Bits of a digit of a residue.
const BITS: usize = 52;

/// A number of 256 bits, least significant limb first.
pub type Number = [u64; 4];

/// A prime between 2^255 and 2^256, in digits.
trait Modulus: Copy {
    const M: [u64; 5];
    /// -1 / M mod 2^52.
    const INVERSE: u64;
    /// 2^520 mod M.
    const RR: [u64; 5];
    /// 2^256 - M.
    const COMPLEMENT: [u64; 5];
    /// M - 2.
    const INVERT: Number;
}

/// The field prime.
#[derive(Clone, Copy)]
struct P;

impl Modulus for P {
    const M: [u64; 5] = digits(&[!0, !0 >> 32, 0, 0xffff_ffff_0000_0001]);
    const INVERSE: u64 = 1;
    const RR: [u64; 5] = digits(&[
        0x300,
        0xffff_fbff_ffff_ff00,
        0xffff_ffff_ffff_feff,
        0x4ff_ffff_fdff,
    ]);
    const COMPLEMENT: [u64; 5] = digits(&[1, !0 << 32, !0, 0xffff_fffe]);
    const INVERT: Number = [!0 - 2, !0 >> 32, 0, 0xffff_ffff_0000_0001];
}

/// The order of the base point.
#[derive(Clone, Copy)]
struct N;

impl Modulus for N {
    const M: [u64; 5] = digits(&ORDER);
    const INVERSE: u64 = 0x1_c8aa_ee00_bc4f;
    const RR: [u64; 5] = digits(&[
        0x0845_cc0d_ea6d_c3ba,
        0x5571_bb19_2a06_7d8a,
        0x45b2_392b_6bec_5961,
        0xe12d_9559_d956_1fc2,
    ]);
    const COMPLEMENT: [u64; 5] = digits(&[!ORDER[0] + 1, !ORDER[1], !ORDER[2], !ORDER[3]]);
    const INVERT: Number = [ORDER[0] - 2, ORDER[1], ORDER[2], ORDER[3]];
}

pub const ORDER: Number = [
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
];

const fn digits(n: &Number) -> [u64; 5] {
    [
        n[0] & MASK52,
        (n[0] >> 52 | n[1] << 12) & MASK52,
        (n[1] >> 40 | n[2] << 24) & MASK52,
        (n[2] >> 28 | n[3] << 36) & MASK52,
        n[3] >> 16,
    ]
}

/// Eight residues in Montgomery form with R = 2^260: numbers below 2 M, in digits below 2^52.
#[derive(Clone, Copy)]
struct Residue<M: Modulus>([V; 5], PhantomData<M>);

/// What of the field.
type Fe = Residue<P>;

impl<M: Modulus> Residue<M> {
    #[inline(always)]
    fn raw(d: [V; 5]) -> Self {
        Residue(d, PhantomData)
    }

    #[inline(always)]
    fn zero() -> Self {
        Self::raw([zero(); 5])
    }

    /// Takes numbers below 2^256 to Montgomery form.
    #[inline(always)]
    fn new(numbers: &[Number; LANES]) -> Self {
        Self::raw(M::RR.map(all)).times(numbers)
    }

    /// The product with numbers that are not in Montgomery form; it is not either.
    #[inline(always)]
    fn times(&self, numbers: &[Number; LANES]) -> Self {
        self.mul(&Self::raw(gather::<BITS, 5, 4>(numbers)))
    }

    /// The numbers, of what is not in Montgomery form.
    #[inline(always)]
    fn numbers(&self) -> [Number; LANES] {
        scatter::<BITS, 5, 4>(&self.least())
    }

    /// Makes digits of sums.
    #[inline(always)]
    fn carried(mut d: [V; 5]) -> [V; 5] {
        for i in 0..4 {
            d[i + 1] = lanes::add(d[i + 1], signed_right::<52>(d[i]));
            d[i] = and(d[i], all(MASK52));
        }
        d
    }

    /// Makes a residue of the sums of digits of a number between 0 and 15 M, less than 1.01 M.
    #[inline(always)]
    fn folded(mut d: [V; 5]) -> Self {
        // What is above 2^256.
        let high = right::<48>(d[4]);
        d[4] = and(d[4], all((1 << 48) - 1));
        for i in 0..5 {
            if M::COMPLEMENT[i] != 0 {
                d[i] = madd_low(d[i], high, all(M::COMPLEMENT[i]));
                if i < 4 && M::COMPLEMENT[i] >> 48 != 0 {
                    d[i + 1] = madd_high(d[i + 1], high, all(M::COMPLEMENT[i]));
                }
            }
        }
        Self::raw(Self::carried(d))
    }

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self::folded(each(|i| lanes::add(self.0[i], other.0[i])))
    }

    /// `self - other`.
    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        Self::folded(each(|i| {
            lanes::sub(lanes::add(self.0[i], all(4 * M::M[i])), other.0[i])
        }))
    }

    /// `self - a - 2 b`.
    #[inline(always)]
    fn sub_sub_twice(&self, a: &Self, b: &Self) -> Self {
        Self::folded(each(|i| {
            let minus = lanes::add(a.0[i], left::<1>(b.0[i]));
            lanes::sub(lanes::add(self.0[i], all(8 * M::M[i])), minus)
        }))
    }

    /// `t / 2^260`.
    #[inline(always)]
    fn reduced((low, high): ([V; 9], [V; 9])) -> Self {
        let mut t = [low[0]; 10];
        for i in 1..9 {
            t[i] = lanes::add(low[i], high[i - 1]);
        }
        t[9] = high[8];
        for i in 0..5 {
            // A multiple of M is added that makes the lowest digit zero. With an inverse of 1, the
            // lowest digit of M + 1 is zero.
            let (q, m) = if M::INVERSE == 1 {
                (
                    and(t[i], all(MASK52)),
                    [0, M::M[1] + 1, M::M[2], M::M[3], M::M[4]],
                )
            } else {
                (madd_low(zero(), t[i], all(M::INVERSE)), M::M)
            };
            for j in 0..5 {
                if m[j] != 0 {
                    t[i + j] = madd_low(t[i + j], q, all(m[j]));
                    t[i + j + 1] = madd_high(t[i + j + 1], q, all(m[j]));
                }
            }
            t[i + 1] = lanes::add(t[i + 1], right::<52>(t[i]));
        }
        Self::raw(Self::carried([t[5], t[6], t[7], t[8], t[9]]))
    }

    #[inline(always)]
    fn select(mask: V, a: &Self, b: &Self) -> Self {
        Self::raw(each(|i| select(mask, a.0[i], b.0[i])))
    }

    /// The digits of the residues below M.
    #[inline(always)]
    fn least(&self) -> [V; 5] {
        let less = Self::carried(each(|i| lanes::sub(self.0[i], all(M::M[i]))));
        let negative = signed_right::<63>(less[4]);
        each(|i| select(negative, self.0[i], less[i]))
    }

    #[inline(always)]
    fn is_zero(&self) -> V {
        let [a, b, c, d, e] = self.least();
        let any = or(or(or(a, b), or(c, d)), e);
        // Its highest bit is not set, that of its negative is, but for zero.
        lanes::sub(right::<63>(lanes::sub(zero(), any)), all(1))
    }

    #[inline(always)]
    fn invert(&self) -> Self {
        power(self, &M::INVERT)
    }
}

impl<M: Modulus> Factor for Residue<M> {
    #[inline(always)]
    fn one() -> Self {
        Self::new(&[[1, 0, 0, 0]; LANES])
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        Self::reduced(product(&self.0, &other.0))
    }

    #[inline(always)]
    fn square(&self) -> Self {
        Self::reduced(square(&self.0))
    }
}

#[inline(always)]
fn each(f: impl Fn(usize) -> V) -> [V; 5] {
    [f(0), f(1), f(2), f(3), f(4)]
}

/// Points (X / Z^2, Y / Z^3), with Z^2.
#[derive(Clone, Copy)]
struct Points {
    x: Fe,
    y: Fe,
    z: Fe,
    zz: Fe,
}

impl Points {
    /// Doubles the points.
    #[inline(always)]
    fn double(&mut self) {
        let m = self.x.sub(&self.zz).mul(&self.x.add(&self.zz));
        let alpha = m.add(&m).add(&m);
        let yy = self.y.square();
        let yy2 = yy.add(&yy);
        let xyy2 = self.x.mul(&yy2);
        let beta4 = xyy2.add(&xyy2);
        let yyyy4 = yy2.square();
        self.z = self.y.add(&self.y).mul(&self.z);
        self.x = alpha.square().sub_sub_twice(&Fe::zero(), &beta4);
        self.zz = self.z.square();
        let y = alpha.mul(&beta4.sub(&self.x));
        self.y = y.sub_sub_twice(&Fe::zero(), &yyyy4);
    }

    /// Adds points of which none is the same or the negative.
    #[inline(always)]
    fn add(&mut self, [x, y]: &[Fe; 2]) {
        let zzz = self.zz.mul(&self.z);
        let h = x.mul(&self.zz).sub(&self.x);
        let r = zzz.mul(y).sub(&self.y);
        let hh = h.square();
        self.z = self.z.mul(&h);
        let v = self.x.mul(&hh);
        let hhh = hh.mul(&h);
        self.zz = self.z.square();
        let yh = self.y.mul(&hhh);
        self.x = r.square().sub_sub_twice(&hhh, &v);
        self.y = v.sub(&self.x).mul(&r).sub(&yh);
    }

    /// Adds points of which none is the negative.
    #[inline(always)]
    fn add_or_double(&mut self, point: &[Fe; 2]) {
        let mut doubled = *self;
        doubled.double();
        self.add(point);
        let failed = self.z.is_zero();
        self.x = Fe::select(failed, &doubled.x, &self.x);
        self.z = Fe::select(failed, &doubled.z, &self.z);
    }
}

/// The comb's entries, digit by digit: of each 32 of them, which are four registers.
pub struct Comb(Box<[[[[u64; 32]; 5]; 2]]>);

impl Comb {
    /// Digits of a scalar.
    const DIGITS: usize = 256 / WIDTH + 1;

    pub fn new() -> Self {
        let table = |entries: &[[Number; 2]; 32]| {
            let mut table = [[[0; 32]; 5]; 2];
            for (n, entry) in entries.iter().enumerate() {
                for (c, coordinate) in entry.iter().enumerate() {
                    for (i, digit) in times_16(coordinate).iter().enumerate() {
                        table[c][i][n] = *digit;
                    }
                }
            }
            table
        };
        Comb(COMB.iter().map(table).collect())
    }

    /// The entries of digit `i` of each scalar.
    #[inline(always)]
    fn lookup(&self, scalars: &[[u64; 5]; LANES], i: usize) -> [Fe; 2] {
        let digits = load(&std::array::from_fn(|n| digit::<WIDTH>(&scalars[n], i)));
        let positive = mask_from_bit(right::<5>(digits));
        let index = and(
            select(
                positive,
                digits,
                lanes::sub(zero(), lanes::add(digits, all(1))),
            ),
            all(31),
        );
        let upper = mask_from_bit(right::<4>(index));
        let [x, y] = self.0[i / SPACING].each_ref().map(|coordinate| {
            Fe::raw(each(|i| {
                let part = |at: usize| load(coordinate[i][at..at + 8].try_into().unwrap());
                let low = pick(part(0), index, part(8));
                select(upper, pick(part(16), index, part(24)), low)
            }))
        });
        [x, Fe::select(positive, &y, &Fe::zero().sub(&y))]
    }

    /// The x coordinates of multiples of the base point.
    #[inline(always)]
    fn multiply(&self, k: &[Number; LANES]) -> [Number; LANES] {
        let scalars = k.each_ref().map(odd_digits);
        let [x, y] = self.lookup(&scalars, SPACING - 1);
        let (z, zz) = (Fe::one(), Fe::one());
        let mut sum = Points { x, y, z, zz };
        for i in (SPACING - 1..Self::DIGITS).step_by(SPACING).skip(1) {
            sum.add(&self.lookup(&scalars, i));
        }
        for pass in (0..SPACING - 1).rev() {
            for _ in 0..WIDTH {
                sum.double();
            }
            for i in (pass..Self::DIGITS - 1).step_by(SPACING) {
                sum.add(&self.lookup(&scalars, i));
            }
        }
        sum.add_or_double(&self.lookup(&scalars, Self::DIGITS - 1));
        let x = sum.x.mul(&sum.z.invert().square());
        x.times(&[[1, 0, 0, 0]; LANES]).numbers()
    }
}

/// `16 a mod p`, in digits: from a Montgomery form with 2^256 to one with 2^260.
fn times_16(a: &Number) -> [u64; 5] {
    let p = rsa::BigUint::from_bytes_le(&bytes(&[!0, !0 >> 32, 0, 0xffff_ffff_0000_0001]));
    let mut product = (rsa::BigUint::from_bytes_le(&bytes(a)) * 16u32 % p).to_bytes_le();
    product.resize(32, 0);
    digits(&number(&product.try_into().unwrap()))
}

/// The one of a scalar and its negative that is odd, as digits that are `2 b - (2^WIDTH - 1)` for
/// `WIDTH` bits b.
#[inline(always)]
fn odd_digits(k: &Number) -> [u64; 5] {
    let even = (k[0] & 1).wrapping_sub(1);
    let mut odd = [0; 5];
    let mut borrow = 0;
    for i in 0..4 {
        let difference = i128::from(ORDER[i]) - i128::from(k[i]) + borrow;
        (odd[i], borrow) = (k[i] ^ even & (k[i] ^ difference as u64), difference >> 64);
    }
    let mut bits = std::array::from_fn(|i| odd[i] >> 1 | odd.get(i + 1).map_or(0, |l| l << 63));
    bits[4] |= 2;
    bits
}

pub fn bytes(n: &Number) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(n) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    out
}

pub fn number(bytes: &[u8; 32]) -> Number {
    std::array::from_fn(|i| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().unwrap()))
}

/// The x coordinates of multiples of the base point.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn x_coordinates(comb: &Comb, k: &[Number; LANES]) -> [Number; LANES] {
    comb.multiply(k)
}

/// r and s of signatures (FIPS 186-5, section 6.4.1), given keys, digests and nonces. A caller has
/// to look for zeroes.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn sign(
    comb: &Comb,
    keys: &[Number; LANES],
    digests: &[Number; LANES],
    nonces: &[Number; LANES],
) -> [[Number; LANES]; 2] {
    let x = comb.multiply(nonces);
    let r = Residue::<N>::new(&x);
    let plain = Residue::<N>::raw(gather::<BITS, 5, 4>(digests));
    let sum = r.times(keys).add(&plain);
    let s = Residue::<N>::new(nonces).invert().mul(&sum);
    let r = r.times(&[[1, 0, 0, 0]; LANES]);
    [r.numbers(), s.numbers()]
}

/// The nonce of RFC 6979, section 3.2, with additional data (section 3.6), for a key below the
/// order. A caller has to look whether it is in range, as it is but for one in 2^32.
pub fn nonce(key: &[u8; 32], digest: &[u8; 32], additional: &[u8]) -> Number {
    use tls_handshake_host::host_platform::HostCrypto;
    use tls_handshake_host::p256::Platform;
    fn hmac<const N: usize>(key: &[u8; 32], parts: [&[u8]; N]) -> [u8; 32] {
        let mut out = [0; 32];
        HostCrypto::hmac(&HostCrypto::hmac_key(key), parts, &mut out);
        out
    }
    let z = reduced_digest(digest);
    let (mut k, mut v) = ([0; 32], [1; 32]);
    for step in [0, 1] {
        k = hmac(&k, [&v, &[step], key, &z, additional]);
        v = hmac(&k, [&v]);
    }
    from_big_endian(hmac(&k, [&v]))
}

/// A digest modulo the order.
fn reduced_digest(digest: &[u8; 32]) -> [u8; 32] {
    let z = from_big_endian(*digest);
    let mut less = [0; 4];
    let mut borrow = 0;
    for i in 0..4 {
        let difference = i128::from(z[i]) - i128::from(ORDER[i]) + borrow;
        (less[i], borrow) = (difference as u64, difference >> 64);
    }
    let mut out = bytes(if borrow == 0 { &less } else { &z });
    out.reverse();
    out
}

pub fn from_big_endian(mut bytes: [u8; 32]) -> Number {
    bytes.reverse();
    number(&bytes)
}
