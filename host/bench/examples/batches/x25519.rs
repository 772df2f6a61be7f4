// SPDX-License-Identifier: GPL-2.0
//! Eight X25519 key exchanges at a time, constant time.
//!
//! As lib/crypto's, with the ladder for the peers' points and the comb of edwards25519 for the base
//! point, but with inverses by exponentiation, which takes the same steps for all lanes.

use crate::lanes::{self, *};
use crate::x25519_table::{COMB, DIGITS, SPACING, WIDTH};

/// Bits of a digit: one less than are multiplied.
const BITS: usize = 51;
const MASK: u64 = (1 << BITS) - 1;

/// Eight residues modulo 2^255 - 19. Digits are less than 2^51 + 2^14.
#[derive(Clone, Copy)]
struct Fe([V; 5]);

impl Fe {
    #[inline(always)]
    fn new(numbers: &[[u64; 4]; LANES]) -> Self {
        Fe(gather::<BITS, 5, 4>(numbers))
    }

    #[inline(always)]
    fn small(x: u64) -> Self {
        Fe([all(x), zero(), zero(), zero(), zero()])
    }

    /// Takes what is above 51 bits to the next digits, all at the same time. Digits are less than
    /// 2^61.
    #[inline(always)]
    fn carried(d: [V; 5]) -> Self {
        let over = d.map(right::<51>);
        let rest = d.map(|d| and(d, all(MASK)));
        Fe([
            madd_low(rest[0], over[4], all(19)),
            lanes::add(rest[1], over[0]),
            lanes::add(rest[2], over[1]),
            lanes::add(rest[3], over[2]),
            lanes::add(rest[4], over[3]),
        ])
    }

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self::carried(each(|i| lanes::add(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        // 2 p, of which each digit is more than what is subtracted.
        let twice_p = |i| all(if i == 0 { 2 * MASK - 36 } else { 2 * MASK });
        Self::carried(each(|i| {
            lanes::sub(lanes::add(self.0[i], twice_p(i)), other.0[i])
        }))
    }

    /// `self + 121666 other`.
    #[inline(always)]
    fn add_121666(&self, other: &Self) -> Self {
        let x = all(121_666);
        // The digit above the highest one is worth 19.
        let high = each(|i| madd_high(zero(), other.0[i], x));
        let twice = high.map(left::<1>);
        let mut d = each(|i| madd_low(self.0[i], other.0[i], x));
        d[0] = madd_low(d[0], twice[4], all(19));
        for i in 1..5 {
            d[i] = lanes::add(d[i], twice[i - 1]);
        }
        Self::carried(d)
    }

    /// A product: upper halves are of 52 bits and so worth twice the next digit.
    #[inline(always)]
    fn reduced((low, high): ([V; 9], [V; 9])) -> Self {
        // Less than 15 * 2^52 each.
        let column = |k: usize| match k {
            0 => low[0],
            9 => left::<1>(high[8]),
            _ => lanes::add(low[k], left::<1>(high[k - 1])),
        };
        Self::carried(each(|k| {
            let above = column(k + 5);
            let times_3 = lanes::add(above, left::<1>(above));
            lanes::add(lanes::add(column(k), times_3), left::<4>(above))
        }))
    }

    #[inline(always)]
    fn select(mask: V, a: &Self, b: &Self) -> Self {
        Fe(each(|i| lanes::select(mask, a.0[i], b.0[i])))
    }

    #[inline(always)]
    fn invert(&self) -> Self {
        power(self, &[!0 - 20, !0, !0, !0 >> 1])
    }

    /// The residues, below p.
    #[inline(always)]
    fn get(&self) -> [[u64; 4]; LANES] {
        let carry = |mut d: [V; 5]| {
            for i in 0..4 {
                d[i + 1] = lanes::add(d[i + 1], right::<51>(d[i]));
                d[i] = and(d[i], all(MASK));
            }
            d
        };
        let fold = |mut d: [V; 5]| {
            d[0] = madd_low(d[0], right::<51>(d[4]), all(19));
            d[4] = and(d[4], all(MASK));
            d
        };
        let d = carry(fold(carry(self.0)));
        // It is p or more if adding 19 carries out of the highest digit.
        let mut plus = d;
        plus[0] = lanes::add(plus[0], all(19));
        let more = right::<51>(carry(plus)[4]);
        let mut d = d;
        d[0] = madd_low(d[0], more, all(19));
        let mut d = carry(d);
        d[4] = and(d[4], all(MASK));
        scatter::<BITS, 5, 4>(&d)
    }
}

impl Factor for Fe {
    #[inline(always)]
    fn one() -> Self {
        Self::small(1)
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

/// A fraction: the u coordinate.
type Fraction = [Fe; 2];

/// Multiplies the points with the coordinates `u` by clamped scalars.
#[target_feature(enable = "avx512f,avx512ifma")]
fn ladder(u: &[[u64; 4]; LANES], k: &[[u64; 4]; LANES]) -> Fraction {
    let u = Fe::new(u);
    let (mut x2, mut z2, mut x3, mut z3) = (Fe::one(), Fe::small(0), u, Fe::one());
    let mut last = zero();
    for i in (0..255).rev() {
        let bit = mask_from_bit(load(&std::array::from_fn(|n| k[n][i / 64] >> (i % 64))));
        let swap = lanes::sub(zero(), and(lanes::add(bit, last), all(1)));
        last = bit;
        (x2, x3) = (Fe::select(swap, &x3, &x2), Fe::select(swap, &x2, &x3));
        (z2, z3) = (Fe::select(swap, &z3, &z2), Fe::select(swap, &z2, &z3));
        // RFC 7748, section 5. The last bit is 0, so that nothing is left to be swapped.
        let (a, b) = (x2.add(&z2), x2.sub(&z2));
        let (c, d) = (x3.add(&z3), x3.sub(&z3));
        let (aa, bb) = (a.square(), b.square());
        let (da, cb) = (d.mul(&a), c.mul(&b));
        let e = aa.sub(&bb);
        x3 = da.add(&cb).square();
        z3 = u.mul(&da.sub(&cb).square());
        x2 = aa.mul(&bb);
        z2 = e.mul(&bb.add_121666(&e));
    }
    [x2, z2]
}

/// The comb's entries, digit by digit: of each 16 of them, which are two registers.
pub struct Comb(Box<[[[[u64; 16]; 5]; 3]]>);

impl Comb {
    pub fn new() -> Self {
        let table = |entries: &[[[u64; 4]; 3]; 16]| {
            std::array::from_fn(|c| {
                std::array::from_fn(|i| std::array::from_fn(|n| digit::<BITS>(&entries[n][c], i)))
            })
        };
        Comb(COMB.iter().map(table).collect())
    }

    /// y + x, y - x and 2 d x y of the entries, negated where the digit is.
    #[inline(always)]
    fn lookup(&self, scalars: &[[u64; 4]; LANES], i: usize) -> [Fe; 3] {
        let digits = load(&std::array::from_fn(|n| digit::<WIDTH>(&scalars[n], i)));
        let positive = mask_from_bit(right::<{ WIDTH as u32 - 1 }>(digits));
        let index = select(positive, digits, lanes::sub(all(15), and(digits, all(15))));
        let [plus, minus, product] = self.0[i / SPACING].map_ref(|coordinate| {
            Fe(each(|i| {
                let (low, high) = coordinate[i].split_at(8);
                let half = |x: &[u64]| load(x.try_into().unwrap());
                pick(half(low), index, half(high))
            }))
        });
        [
            Fe::select(positive, &plus, &minus),
            Fe::select(positive, &minus, &plus),
            Fe::select(positive, &product, &Fe::small(0).sub(&product)),
        ]
    }
}

/// `map` by reference.
trait MapRef<T, const N: usize> {
    fn map_ref<U>(&self, f: impl FnMut(&T) -> U) -> [U; N];
}

impl<T, const N: usize> MapRef<T, N> for [T; N] {
    #[inline(always)]
    fn map_ref<U>(&self, f: impl FnMut(&T) -> U) -> [U; N] {
        self.each_ref().map(f)
    }
}

/// Points: Y + X, Y - X, 2 Z and T.
struct Sum {
    plus: Fe,
    minus: Fe,
    z2: Fe,
    t: Fe,
}

impl Sum {
    /// As in lib/crypto's edwards.rs.
    #[inline(always)]
    fn add(&mut self, [plus, minus, product]: [Fe; 3]) {
        let (a, h, c) = (
            self.minus.mul(&minus),
            self.plus.mul(&plus),
            self.t.mul(&product),
        );
        self.set(h.sub(&a), self.z2.sub(&c), self.z2.add(&c), h.add(&a));
    }

    #[inline(always)]
    fn double(&mut self) {
        let (plus, minus) = (self.plus.square(), self.minus.square());
        let g = self.plus.mul(&self.minus);
        let f = self.z2.square().sub(&g).sub(&g);
        self.set(plus.sub(&minus), f, g.add(&g), plus.add(&minus));
    }

    #[inline(always)]
    fn set(&mut self, e: Fe, f: Fe, g: Fe, h: Fe) {
        let (x, y, z) = (e.mul(&f), g.mul(&h), f.mul(&g));
        self.plus = y.add(&x);
        self.minus = y.sub(&x);
        self.z2 = z.add(&z);
        self.t = e.mul(&h);
    }
}

/// Multiplies the base point by clamped scalars.
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_base(comb: &Comb, k: &[[u64; 4]; LANES]) -> Fraction {
    let digits = odd_digits(k);
    // The neutral element.
    let mut sum = Sum {
        plus: Fe::one(),
        minus: Fe::one(),
        z2: Fe::small(2),
        t: Fe::small(0),
    };
    for pass in (0..SPACING).rev() {
        for i in (pass..DIGITS).step_by(SPACING) {
            sum.add(comb.lookup(&digits, i));
        }
        if pass != 0 {
            for _ in 0..WIDTH {
                sum.double();
            }
        }
    }
    let y2 = sum.plus.add(&sum.minus);
    [y2.add(&sum.z2), sum.z2.sub(&y2)]
}

/// The scalars divided by 8, made odd, as digits that are `2 b - (2^WIDTH - 1)` for `WIDTH` bits b.
fn odd_digits(k: &[[u64; 4]; LANES]) -> [[u64; 4]; LANES] {
    const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];
    let shift = |a: &[u64; 4], n: u32| -> [u64; 4] {
        std::array::from_fn(|i| a[i] >> n | a.get(i + 1).map_or(0, |limb| limb << (64 - n)))
    };
    std::array::from_fn(|n| {
        let mut a = shift(&k[n], 3);
        let even = (a[0] & 1).wrapping_sub(1);
        let mut carry = 0;
        for i in 0..4 {
            let sum = u128::from(a[i]) + u128::from(ORDER[i] & even) + carry;
            (a[i], carry) = (sum as u64, sum >> 64);
        }
        let mut bits = shift(&a, 1);
        bits[3] |= 1 << 62;
        bits
    })
}

fn limbs(bytes: &[u8; 32]) -> [u64; 4] {
    std::array::from_fn(|i| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().unwrap()))
}

fn bytes(limbs: &[u64; 4]) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(limbs) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    out
}

fn clamped(private: &[[u8; 32]; LANES]) -> [[u64; 4]; LANES] {
    private.map_ref(|private| {
        let [k0, k1, k2, k3] = limbs(private);
        [k0 & !7, k1, k2, k3 << 2 >> 2 | 1 << 62]
    })
}

fn coordinates(peers: &[[u8; 32]; LANES]) -> [[u64; 4]; LANES] {
    peers.map_ref(|peer| {
        let [u0, u1, u2, u3] = limbs(peer);
        [u0, u1, u2, u3 << 1 >> 1]
    })
}

#[inline(always)]
fn quotient([x, z]: &Fraction) -> [[u8; 32]; LANES] {
    x.mul(&z.invert()).get().map_ref(bytes)
}

/// The public keys of private keys.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn public_keys(comb: &Comb, private: &[[u8; 32]; LANES]) -> [[u8; 32]; LANES] {
    quotient(&mul_base(comb, &clamped(private)))
}

/// The secrets shared with peers; zero for points of low order.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn shared_secrets(private: &[[u8; 32]; LANES], peers: &[[u8; 32]; LANES]) -> [[u8; 32]; LANES] {
    quotient(&ladder(&coordinates(peers), &clamped(private)))
}
