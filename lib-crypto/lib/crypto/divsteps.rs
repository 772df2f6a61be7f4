// SPDX-License-Identifier: GPL-2.0

//! Inverses modulo a 256-bit prime by divsteps (Bernstein and Yang, "Fast constant-time gcd
//! computation and modular inversion", 2019), constant time.
//!
//! The variant is the one that starts with delta = 1/2, of which 590 steps do for each input of
//! 256 bits (P. Wuille, <https://github.com/sipa/safegcd-bounds>). They come in 10 batches of 59
//! whose effect is a matrix of integers, which is found from the lowest limbs alone and then
//! applied to the whole numbers.

use crate::ct::{wipe, Mask};
use crate::limbs::{add_limbs, and_limbs, mac, sub_limbs, Limbs};
#[cfg(all(target_arch = "x86_64", not(miri)))]
use core::arch::asm;

/// How many batches of divsteps there are, each of [`STEPS`].
const BATCHES: usize = 10;

/// Divsteps of a batch: as many as the entries of its matrix have room for.
const STEPS: u32 = 59;

/// A number in two's complement: four limbs and a small signed one above them.
type Wide = [u64; 5];

/// An odd modulus of up to 256 bits.
pub(crate) trait Modulus: Copy {
    /// The modulus.
    const M: Limbs;
    /// -M^-1 mod 2^64.
    const N0: u64;
}

/// What divsteps do to (f, g), times a power of two.
#[derive(Clone, Copy)]
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// What a divstep works on.
struct Divsteps {
    /// -(delta + 1/2).
    zeta: i64,
    /// An odd number.
    f: i64,
    /// The other number, which has f added to it or subtracted from it to be even.
    g: i64,
}

impl Divsteps {
    /// So many divsteps.
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    #[inline(always)]
    fn run<const COUNT: u32>(&mut self) {
        for _ in 0..COUNT {
            let odd = Mask::from_bit(self.g as u64).bits() as i64;
            // With delta above 0, the even number is (g - f) / 2, and g takes the place of f.
            let swap = (self.zeta >> 63) & odd;
            let term = (self.f ^ swap).wrapping_sub(swap) & odd;
            self.f ^= (self.f ^ self.g) & swap;
            self.g = self.g.wrapping_add(term) >> 1;
            self.zeta = (self.zeta ^ swap).wrapping_sub(1);
        }
    }

    /// So many divsteps, with instructions that each x86-64 CPU has.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    fn run<const COUNT: u32>(&mut self) {
        /// A divstep that begins with what the one before it leaves to be done: to decrement zeta.
        /// The next g is in the register of the next, so that both change places each time.
        macro_rules! divstep {
            ($g:literal, $next:literal) => {
                concat!(
                    // What becomes of g if it is odd: the difference if delta is above 0, or the
                    // sum.
                    "mov {t}, ",
                    $g,
                    "\n",
                    "sub {t}, {f}\n",
                    "lea ",
                    $next,
                    ", [",
                    $g,
                    " + {f}]\n",
                    "dec {zeta}\n",
                    "cmovs ",
                    $next,
                    ", {t}\n",
                    "mov {swap}, {zeta}\n",
                    "test ",
                    $g,
                    ", 1\n",
                    "cmovz ",
                    $next,
                    ", ",
                    $g,
                    "\n",
                    "cmovz {swap}, {zero}\n",
                    // If both, g takes the place of f.
                    "sar {swap}, 63\n",
                    "cmovs {f}, ",
                    $g,
                    "\n",
                    "xor {zeta}, {swap}\n",
                    "sar ",
                    $next,
                    ", 1\n",
                )
            };
        }

        // SAFETY: Nothing else than the operands is changed.
        unsafe {
            asm!(
                "inc {zeta}",
                ".rept {pairs}",
                divstep!("{g}", "{next}"),
                divstep!("{next}", "{g}"),
                ".endr",
                ".rept {odd}",
                divstep!("{g}", "{next}"),
                "mov {g}, {next}",
                ".endr",
                "dec {zeta}",
                pairs = const COUNT / 2,
                odd = const COUNT % 2,
                zero = in(reg) 0u64,
                f = inout(reg) self.f,
                g = inout(reg) self.g,
                zeta = inout(reg) self.zeta,
                swap = out(reg) _,
                next = out(reg) _,
                t = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
    }
}

/// Makes of `a` some `d` below 2^256, and returns whether it is to be negated, such that `d` times
/// `a` is 2^-50 modulo M. `a` is below M; `d` is zero if it is zero.
#[inline(never)]
pub(crate) fn invert<T: Modulus>(a: &mut Limbs) -> Mask {
    // In each of the pairs, the second number becomes the first one's remainder. With c = 2^-5 for
    // each batch so far, d * a = f * c and e * a = g * c modulo M.
    let mut fg: [Wide; 2] = [widen(&T::M), widen(a)];
    let mut de: [Wide; 2] = [[0; 5], [1, 0, 0, 0, 0]];
    let mut zeta = -1;
    for _ in 0..BATCHES {
        let (matrix, next) = divsteps(zeta, fg[0][0], fg[1][0]);
        zeta = next;
        update_fg(&matrix, &mut fg);
        update_de::<T>(&matrix, &mut de);
    }
    // The greatest common divisor is 1 or -1, or M if a is zero.
    let negative = Mask::from_bit(fg[0][4]);
    *a = normalize::<T>(&de[0]);
    wipe(&mut fg);
    wipe(&mut de);
    negative
}

fn widen(a: &Limbs) -> Wide {
    [a[0], a[1], a[2], a[3], 0]
}

/// Makes the number positive and less than 2^256; it is between -M / 16 and M + M / 16.
#[inline(always)]
fn normalize<T: Modulus>(d: &Wide) -> Limbs {
    // Adds M if d is negative, subtracts it if d is at least 2^256.
    let top = d[4] as i64;
    let add = Mask::from_bit((top >> 63) as u64);
    let sub = Mask::from_bit(d[4]).and(add.not());
    let (r, _) = add_limbs(&[d[0], d[1], d[2], d[3]], &and_limbs(&T::M, add.bits()));
    sub_limbs(&r, &and_limbs(&T::M, sub.bits())).0
}

/// 59 divsteps on the lowest limbs of f and g.
#[inline(never)]
fn divsteps(zeta: i64, f: u64, g: u64) -> (Matrix, i64) {
    let (first, zeta) = short_divsteps::<20>(zeta, f, g);
    let (f, g) = first.apply(f, g, 20);
    let (second, zeta) = short_divsteps::<20>(zeta, f, g);
    let (f, g) = second.apply(f, g, 20);
    let (third, zeta) = short_divsteps::<19>(zeta, f, g);
    (third.times(&second.times(&first)), zeta)
}

impl Matrix {
    /// The lowest limbs of f and g after the steps of the matrix.
    #[inline(always)]
    fn apply(&self, f: u64, g: u64, steps: u32) -> (u64, u64) {
        let row = |a: i64, b: i64| {
            let sum = f
                .wrapping_mul(a as u64)
                .wrapping_add(g.wrapping_mul(b as u64));
            ((sum as i64) >> steps) as u64
        };
        (row(self.u, self.v), row(self.q, self.r))
    }

    /// The matrix of the steps of `first` and then those of this one.
    #[inline(always)]
    fn times(&self, first: &Self) -> Self {
        let dot = |a: i64, b: i64, c: i64, d: i64| {
            // No sum exceeds 2^59, as there are no more steps than that.
            a.wrapping_mul(b).wrapping_add(c.wrapping_mul(d))
        };
        Matrix {
            u: dot(self.u, first.u, self.v, first.q),
            v: dot(self.u, first.v, self.v, first.r),
            q: dot(self.q, first.u, self.r, first.q),
            r: dot(self.q, first.v, self.r, first.r),
        }
    }
}

/// Up to 20 divsteps.
///
/// One word has f and what became of it in terms of the first f and g: it is
/// `f + 2^41 x + 2^62 y`, where x and y are minus the matrix's entries divided by 2^steps, and
/// another has g in the same way. A step is linear, so that it can be done on whole words. x and y
/// are fractions that need no more bits than the steps that were done, so that nothing runs into
/// its neighbour. They are negative at first for the range to be that of a signed field.
#[inline(always)]
fn short_divsteps<const COUNT: u32>(zeta: i64, f: u64, g: u64) -> (Matrix, i64) {
    let low = (1 << 20) - 1;
    let mut state = Divsteps {
        zeta,
        f: ((f & low) as i64).wrapping_sub(1 << 41),
        g: ((g & low) as i64).wrapping_sub(1 << 62),
    };
    state.run::<COUNT>();
    let (u, v) = unpack::<COUNT>(state.f);
    let (q, r) = unpack::<COUNT>(state.g);
    (Matrix { u, v, q, r }, state.zeta)
}

/// The two coefficients of a word of [`short_divsteps`], after `COUNT` steps.
#[inline(always)]
fn unpack<const COUNT: u32>(word: i64) -> (i64, i64) {
    // Each field is rounded, as those below it are signed.
    let y = word.wrapping_add(1 << (61 - COUNT)) >> (62 - COUNT);
    let x = word.wrapping_add(1 << (40 - COUNT)) >> (41 - COUNT);
    ((y << 21).wrapping_sub(x), y.wrapping_neg())
}

/// `x a + y b`, for |x| + |y| up to 2^59.
#[inline(always)]
fn combine(x: i64, y: i64, a: &Wide, b: &Wide) -> Wide {
    // As signs and magnitudes: -m n is m (2^256 - n) - 2^256 m, and 2^256 - n is !n + 1.
    let (sx, sy) = ((x >> 63) as u64, (y >> 63) as u64);
    let (mx, my) = (x.unsigned_abs(), y.unsigned_abs());
    let mut out = [0; 5];
    let mut carry = u128::from(mx & sx).wrapping_add(u128::from(my & sy));
    for i in 0..4 {
        // Both products together are below 2^124.
        let sum = u128::from(a[i] ^ sx)
            .wrapping_mul(u128::from(mx))
            .wrapping_add(u128::from(b[i] ^ sy).wrapping_mul(u128::from(my)))
            .wrapping_add(carry);
        out[i] = sum as u64;
        carry = sum >> 64;
    }
    out[4] = (carry as u64)
        .wrapping_add(a[4].wrapping_mul(x as u64))
        .wrapping_add(b[4].wrapping_mul(y as u64))
        .wrapping_sub(mx & sx)
        .wrapping_sub(my & sy);
    out
}

/// Applies a batch's matrix to f and g. The division is exact.
#[inline(never)]
fn update_fg(t: &Matrix, fg: &mut [Wide; 2]) {
    let [f, g] = &*fg;
    let shift = |a: Wide| {
        let join = |low: u64, high: u64| (low >> STEPS) | (high << (64 - STEPS));
        [
            join(a[0], a[1]),
            join(a[1], a[2]),
            join(a[2], a[3]),
            join(a[3], a[4]),
            ((a[4] as i64) >> STEPS) as u64,
        ]
    };
    *fg = [
        shift(combine(t.u, t.v, f, g)),
        shift(combine(t.q, t.r, f, g)),
    ];
}

/// Applies a batch's matrix to d and e, and divides by 2^64 modulo M. They stay between -M / 16
/// and M + M / 16, as the entries of the matrix are less than a 32nd of what is divided by.
#[inline(never)]
fn update_de<T: Modulus>(t: &Matrix, de: &mut [Wide; 2]) {
    let [d, e] = &*de;
    let reduce = |a: Wide| {
        let m = a[0].wrapping_mul(T::N0);
        let (_, c) = mac(a[0], m, T::M[0], 0);
        let (r0, c) = mac(a[1], m, T::M[1], c);
        let (r1, c) = mac(a[2], m, T::M[2], c);
        let (r2, c) = mac(a[3], m, T::M[3], c);
        let top = i128::from(a[4] as i64).wrapping_add(i128::from(c));
        [r0, r1, r2, top as u64, (top >> 64) as u64]
    };
    *de = [
        reduce(combine(t.u, t.v, d, e)),
        reduce(combine(t.q, t.r, d, e)),
    ];
}
