// SPDX-License-Identifier: GPL-2.0
//! Eight exponentiations modulo numbers of 1024 bits at a time, constant time: of RSA-2048
//! signatures there are two each.
//!
//! There is no squaring of its own, which would save a quarter of the multiplications.

use crate::lanes::{self, *};

const BITS: usize = 52;
const DIGITS: usize = 20;

/// Bits of a window, and entries of a table.
const WINDOW: usize = 5;
const ENTRIES: usize = 1 << WINDOW;

/// A number of 1024 bits, least significant limb first.
pub type Number = [u64; 16];

/// Eight numbers below twice their modulus, in Montgomery form with R = 2^1040.
type Residue = [V; DIGITS];

/// Eight odd moduli, of which 2^1023 is less.
pub struct Moduli {
    m: Residue,
    /// -1 / m mod 2^52.
    inverse: V,
    /// R^2 mod m.
    rr: Residue,
}

impl Moduli {
    /// The same prime for all.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn of(prime: &::rsa::BigUint) -> Self {
        let rr = (::rsa::BigUint::from(1u32) << (2 * BITS * DIGITS)) % prime;
        Self::new(&[number(prime); LANES], &[number(&rr); LANES])
    }

    /// `rr` is 2^2080 modulo each.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(m: &[Number; LANES], rr: &[Number; LANES]) -> Self {
        let inverse = |m: u64| {
            (0..6).fold(1u64, |x, _| {
                x.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(x)))
            })
        };
        Moduli {
            m: gather::<BITS, DIGITS, 16>(m),
            inverse: load(&m.map(|m| inverse(m[0]).wrapping_neg() & MASK52)),
            rr: gather::<BITS, DIGITS, 16>(rr),
        }
    }

    /// `a b / R`, below twice the modulus, as R is more than four times the modulus.
    #[allow(clippy::needless_range_loop)] // It shows which digit goes where.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline(never)]
    fn mul(&self, a: &Residue, b: &Residue, out: &mut Residue) {
        let mut t = [zero(); DIGITS];
        for b in b {
            for j in 0..DIGITS {
                t[j] = madd_low(t[j], a[j], *b);
            }
            let q = madd_low(zero(), t[0], self.inverse);
            for j in 0..DIGITS {
                t[j] = madd_low(t[j], self.m[j], q);
            }
            // The lowest digit is zero, and all move down.
            t[1] = lanes::add(t[1], right::<52>(t[0]));
            for j in 0..DIGITS - 1 {
                t[j] = madd_high(madd_high(t[j + 1], a[j], *b), self.m[j], q);
            }
            t[DIGITS - 1] = madd_high(madd_high(zero(), a[DIGITS - 1], *b), self.m[DIGITS - 1], q);
        }
        for i in 0..DIGITS - 1 {
            t[i + 1] = lanes::add(t[i + 1], right::<52>(t[i]));
            out[i] = and(t[i], all(MASK52));
        }
        out[DIGITS - 1] = t[DIGITS - 1];
    }

    /// The entries of the table with the numbers `index`, of which all are read.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn lookup(table: &[Residue; ENTRIES], index: V, out: &mut Residue) {
        *out = table[0];
        for (entry, number) in table.iter().zip(0..).skip(1) {
            let different = lanes::sub(zero(), xor(index, all(number)));
            let mask = signed_right::<63>(different);
            for (out, entry) in out.iter_mut().zip(entry) {
                *out = select(mask, *out, *entry);
            }
        }
    }

    /// `a^exponent`, below twice the modulus.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn power(&self, a: &[Number; LANES], exponents: &[Number; LANES]) -> [[u64; 17]; LANES] {
        let plain_one: Residue = std::array::from_fn(|i| all(u64::from(i == 0)));
        let mut table = Box::new([[zero(); DIGITS]; ENTRIES]);
        self.mul(&self.rr, &plain_one, &mut table[0]);
        self.mul(&self.rr, &gather::<BITS, DIGITS, 16>(a), &mut table[1]);
        for i in 2..ENTRIES {
            let (done, rest) = table.split_at_mut(i);
            self.mul(&done[i - 1], &done[1], &mut rest[0]);
        }
        let window = |i| load(&std::array::from_fn(|n| digit::<WINDOW>(&exponents[n], i)));
        let windows = 1024usize.div_ceil(WINDOW);
        let (mut sum, mut other) = ([zero(); DIGITS], [zero(); DIGITS]);
        Self::lookup(&table, window(windows - 1), &mut sum);
        for i in (0..windows - 1).rev() {
            for _ in 0..WINDOW {
                self.mul(&sum, &sum, &mut other);
                std::mem::swap(&mut sum, &mut other);
            }
            let mut factor = [zero(); DIGITS];
            Self::lookup(&table, window(i), &mut factor);
            self.mul(&sum, &factor, &mut other);
            std::mem::swap(&mut sum, &mut other);
        }
        self.mul(&sum, &plain_one, &mut other);
        scatter::<BITS, DIGITS, 17>(&other)
    }
}

pub fn number(n: &::rsa::BigUint) -> Number {
    let mut bytes = n.to_bytes_le();
    bytes.resize(128, 0);
    std::array::from_fn(|i| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().unwrap()))
}
