// SPDX-License-Identifier: GPL-2.0

//! The exponentiations of a signature for x86-64 CPUs with AVX-512 IFMA, constant time.
//!
//! Numbers are in digits of 52 bits, eight of them in a register, since vpmadd52luq and
//! vpmadd52huq multiply such digits and add the lower and the upper halves of the products to
//! lanes of 64 bits. Each digit of one factor is multiplied by all digits of the other one, a
//! multiple of the modulus is added that makes the lowest digit zero, and the lanes move down by
//! one digit. What is in lanes is reduced to digits when all of that is done: until then a lane
//! gets four halves of products for each digit, and has room for thousands.
//!
//! The next multiple of the modulus depends on the last one, through a chain of instructions that
//! takes longer than the vectors. So both exponentiations, modulo p and modulo q, are done at the
//! same time: two chains that do not wait for each other.
//!
//! With R = 2^(52 * digits) and a modulus m below R / 4, the product of two numbers below 2 m is
//!
//! ```text
//! (a * b + q * m) / R with q < R, which is below (4 m^2 + R * m) / R <= 2 m
//! ```
//!
//! so that nothing has to be subtracted. This R is not that of [`mont`](super::mont), from whose
//! Montgomery form numbers come.
//!
//! The registers of AVX-512 are used, which needs an FPU section in the kernel. That disables
//! preemption, so there is one for a few windows of the exponents each.

use super::mont::{bits_from, copy_long, window_digit, Power, Work, ENTRIES, HALF, WINDOW, WORK};
use super::Platform;
use crate::cpu::Adx;
use core::arch::asm;

/// Bits of a digit.
const DIGIT: usize = 52;
const MASK: u64 = (1 << DIGIT) - 1;

/// Digits in a register.
const LANES: usize = 8;

/// Registers of the longest number.
const MAX_VECTORS: usize = (64 * HALF).div_ceil(DIGIT * LANES);

/// Windows of an exponent for which there is one FPU section.
const SECTION: usize = 8;

/// A pair of numbers, one modulo p and one modulo q, in `u64`s.
const fn pair(vectors: usize) -> usize {
    2 * LANES * vectors
}

/// All pairs of numbers, two inverses, and what it takes to begin at a cache line.
const NEEDED: usize = (MODULI + 1) * pair(MAX_VECTORS) + 2 + 64 / 8 - 1;
const _: () = assert!(NEEDED <= WORK);

/// Adds a digit of `b` times `a`, and the multiple of the modulus that makes the lowest digit zero,
/// and moves all down by one digit.
///
/// r8, r9 and r10 are the addresses of a, of the digit of b, and of the modulus, which numbers of
/// this chain are `$at` bytes behind. `$inverse` is where the modulus' inverse is, `$carry` the
/// lowest digit with what is above it, r15 the mask of a digit, and zmm30 zero. A lane is its
/// register, where its digits are, and the register above. Changes rdx, r11 to r14, zmm28, zmm29.
macro_rules! digit {
    ($at:literal, $inverse:literal, $carry:literal, $low:literal,
     [$(($z:literal, $offset:literal, $above:literal))*]) => {
        concat!(
            "mov rdx, [r9 + ", $at, "]\n",
            "vpbroadcastq zmm28, [r9 + ", $at, "]\n",
            $("vpmadd52luq zmm", $z, ", zmm28, [r8 + ", $at, " + ", $offset, "]\n",)*
            "vpextrq r14, xmm", $low, ", 1\n",
            "mulx r12, r11, [r8 + ", $at, "]\n",
            "add ", $carry, ", r11\n",
            "adc r12, 0\n",
            "mov rdx, [r10 + ", $inverse, "]\n",
            "imul rdx, ", $carry, "\n",
            "and rdx, r15\n",
            "vpbroadcastq zmm29, rdx\n",
            // The next digit, without waiting for the vectors.
            "mov r11, [r10 + ", $at, " + 8]\n",
            "imul r11, rdx\n",
            "and r11, r15\n",
            "add r14, r11\n",
            "mulx r13, r11, [r10 + ", $at, "]\n",
            "add ", $carry, ", r11\n",
            "adc r12, r13\n",
            "shr ", $carry, ", 52\n",
            "shl r12, 12\n",
            "or ", $carry, ", r12\n",
            "add ", $carry, ", r14\n",
            $("vpmadd52luq zmm", $z, ", zmm29, [r10 + ", $at, " + ", $offset, "]\n",)*
            $("valignq zmm", $z, ", zmm", $above, ", zmm", $z, ", 1\n",)*
            $("vpmadd52huq zmm", $z, ", zmm28, [r8 + ", $at, " + ", $offset, "]\n",)*
            $("vpmadd52huq zmm", $z, ", zmm29, [r10 + ", $at, " + ", $offset, "]\n",)*
        )
    };
}

/// Makes digits of lanes, and stores them `$at` bytes behind rdi.
///
/// What is above a digit goes to the next one, which leaves each of them below 2^52 + 2^12. Then
/// one may go on to the next, and through digits that are all ones: the sum of two masks of 0 and 1
/// has these carries. zmm31 is the mask of a digit. A lane is its register, that of its bits in the
/// masks, where its digits are stored, and a register for what is above, and for that of the lane
/// below. Changes rdx, r11 to r13, k1.
macro_rules! normalise {
    ($at:literal, $carry:literal, $low:literal,
     [$(($z:literal, $bits:literal, $offset:literal, $over:literal, $below:literal))*]) => {
        concat!(
            // The lowest digit was in a register of its own.
            "mov r11d, 1\n",
            "kmovw k1, r11d\n",
            "vpbroadcastq zmm", $low, "{{k1}}, ", $carry, "\n",
            $("vpsrlq zmm", $over, ", zmm", $z, ", 52\n",)*
            $("vpandq zmm", $z, ", zmm", $z, ", zmm31\n",)*
            $(
                "valignq zmm28, zmm", $over, ", zmm", $below, ", 7\n",
                "vpaddq zmm", $z, ", zmm", $z, ", zmm28\n",
            )*
            // Those that go on, and those that let one go on.
            "xor r12d, r12d\n",
            "xor r13d, r13d\n",
            $(
                "vpcmpuq k1, zmm", $z, ", zmm31, 6\n",
                "kmovw r11d, k1\n",
                "shl r11, ", $bits, "\n",
                "or r12, r11\n",
                "vpcmpeqq k1, zmm", $z, ", zmm31\n",
                "kmovw r11d, k1\n",
                "shl r11, ", $bits, "\n",
                "or r13, r11\n",
            )*
            "lea r12, [r13 + 2 * r12]\n",
            "xor r12, r13\n",
            "vpternlogd zmm28, zmm28, zmm28, 0xff\n",
            $(
                "mov r11, r12\n",
                "shr r11, ", $bits, "\n",
                "kmovw k1, r11d\n",
                "vpsubq zmm", $z, "{{k1}}, zmm", $z, ", zmm28\n",
                "vpandq zmm", $z, ", zmm", $z, ", zmm31\n",
                "vmovdqu64 [rdi + ", $at, " + ", $offset, "], zmm", $z, "\n",
            )*
        )
    };
}

/// The multiplication of two pairs, with a number of registers for each number.
macro_rules! multiplication {
    ($(#[$doc:meta])* $name:ident, $y:literal, $inverse:literal, $other_inverse:literal,
     $low:literal, $xs:tt, $ys:tt, $x_ends:tt, $y_ends:tt) => {
        $(#[$doc])*
        unsafe fn $name(out: *mut u64, a: *const u64, b: *const u64, m: *const u64, digits: usize) {
            // SAFETY: By the safety requirements of this function the CPU has the instructions, and
            // the pointers are valid for what is read and written: numbers of the registers' size,
            // two behind each other, and behind the moduli two inverses.
            unsafe {
                asm!(
                    clear_all!(),
                    "vpbroadcastq zmm31, r15",
                    "xor eax, eax",
                    "xor esi, esi",
                    "2:",
                    digit!("0", $inverse, "rax", "0", $xs),
                    digit!($y, $other_inverse, "rsi", $low, $ys),
                    "add r9, 8",
                    "dec ecx",
                    "jnz 2b",
                    normalise!("0", "rax", "0", $x_ends),
                    normalise!($y, "rsi", $low, $y_ends),
                    clear_digits!(),
                    in("rdi") out,
                    in("r8") a,
                    inout("r9") b => _,
                    in("r10") m,
                    in("r15") MASK,
                    inout("rcx") digits => _,
                    out("rax") _,
                    out("rsi") _,
                    out("rdx") _,
                    out("r11") _,
                    out("r12") _,
                    out("r13") _,
                    out("r14") _,
                    clobber_abi("sysv64"),
                    options(nostack),
                );
            }
        }
    };
}

/// Forgets what secrets have been in.
macro_rules! clear_digits {
    () => {
        concat!(
            "vpxorq zmm16, zmm16, zmm16\n",
            "vpxorq zmm17, zmm17, zmm17\n",
            "vpxorq zmm18, zmm18, zmm18\n",
            "vpxorq zmm19, zmm19, zmm19\n",
            "vpxorq zmm20, zmm20, zmm20\n",
            "vpxorq zmm28, zmm28, zmm28\n",
            "vpxorq zmm29, zmm29, zmm29\n",
            "vzeroall\n",
        )
    };
}

/// The lanes of both numbers, and the zero above them.
macro_rules! clear_all {
    () => {
        concat!(
            "vpxorq zmm0, zmm0, zmm0\n",
            "vpxorq zmm1, zmm1, zmm1\n",
            "vpxorq zmm2, zmm2, zmm2\n",
            "vpxorq zmm3, zmm3, zmm3\n",
            "vpxorq zmm4, zmm4, zmm4\n",
            "vpxorq zmm5, zmm5, zmm5\n",
            "vpxorq zmm6, zmm6, zmm6\n",
            "vpxorq zmm7, zmm7, zmm7\n",
            "vpxorq zmm8, zmm8, zmm8\n",
            "vpxorq zmm9, zmm9, zmm9\n",
            "vpxorq zmm30, zmm30, zmm30\n",
        )
    };
}

multiplication!(
    /// `out = a * b / R` modulo both moduli, for primes of up to 1244 bits.
    ///
    /// # Safety
    ///
    /// The CPU must have BMI2, ADX and AVX-512 IFMA, and its registers be free. `a`, `b` and `m`
    /// must be valid for reads of a pair with three registers for each number, `m` for two more
    /// `u64`s, and `out` for writes of a pair. `digits` is from 1 to 24.
    multiply_3, "192", "384", "392", "5",
    [("0", "0", "1") ("1", "64", "2") ("2", "128", "30")],
    [("5", "0", "6") ("6", "64", "7") ("7", "128", "30")],
    [("0", "0", "0", "16", "30") ("1", "8", "64", "17", "16") ("2", "16", "128", "18", "17")],
    [("5", "0", "0", "16", "30") ("6", "8", "64", "17", "16") ("7", "16", "128", "18", "17")]
);

multiplication!(
    /// [`multiply_3`] with four registers for each number.
    ///
    /// # Safety
    ///
    /// As there, and `digits` is from 1 to 32.
    multiply_4, "256", "512", "520", "5",
    [("0", "0", "1") ("1", "64", "2") ("2", "128", "3") ("3", "192", "30")],
    [("5", "0", "6") ("6", "64", "7") ("7", "128", "8") ("8", "192", "30")],
    [("0", "0", "0", "16", "30") ("1", "8", "64", "17", "16") ("2", "16", "128", "18", "17")
     ("3", "24", "192", "19", "18")],
    [("5", "0", "0", "16", "30") ("6", "8", "64", "17", "16") ("7", "16", "128", "18", "17")
     ("8", "24", "192", "19", "18")]
);

multiplication!(
    /// [`multiply_3`] with five registers for each number.
    ///
    /// # Safety
    ///
    /// As there, and `digits` is from 1 to 40.
    multiply_5, "320", "640", "648", "5",
    [("0", "0", "1") ("1", "64", "2") ("2", "128", "3") ("3", "192", "4") ("4", "256", "30")],
    [("5", "0", "6") ("6", "64", "7") ("7", "128", "8") ("8", "192", "9") ("9", "256", "30")],
    [("0", "0", "0", "16", "30") ("1", "8", "64", "17", "16") ("2", "16", "128", "18", "17")
     ("3", "24", "192", "19", "18") ("4", "32", "256", "20", "19")],
    [("5", "0", "0", "16", "30") ("6", "8", "64", "17", "16") ("7", "16", "128", "18", "17")
     ("8", "24", "192", "19", "18") ("9", "32", "256", "20", "19")]
);

/// Copies the entry of number `x` for the first number of each pair, and that of number `y` for the
/// second. All of the table is read.
///
/// # Safety
///
/// The CPU must have AVX-512 F and its registers be free. `table` must be valid for reads of
/// [`ENTRIES`] pairs of numbers of `vectors` registers, not zero, and `out` for writes of one.
unsafe fn select(out: *mut u64, table: *const u64, vectors: usize, x: u64, y: u64) {
    // SAFETY: By the safety requirements of this function.
    unsafe {
        asm!(
            "vpbroadcastq zmm4, r8",
            "vpbroadcastq zmm5, r9",
            "vpternlogd zmm6, zmm6, zmm6, 0xff",
            // A register of the first number, and one of the second, at a time.
            "2:",
            "vpxorq zmm0, zmm0, zmm0",
            "vpxorq zmm1, zmm1, zmm1",
            "vpxorq zmm7, zmm7, zmm7",
            "mov r10, rsi",
            "mov r11d, {entries}",
            "3:",
            "vpcmpeqq k1, zmm7, zmm4",
            "vpcmpeqq k2, zmm7, zmm5",
            "vmovdqu64 zmm2, [r10]",
            "vmovdqu64 zmm3, [r10 + rdx]",
            "vmovdqa64 zmm0{{k1}}, zmm2",
            "vmovdqa64 zmm1{{k2}}, zmm3",
            "vpsubq zmm7, zmm7, zmm6",
            "lea r10, [r10 + 2 * rdx]",
            "dec r11d",
            "jnz 3b",
            "vmovdqu64 [rdi], zmm0",
            "vmovdqu64 [rdi + rdx], zmm1",
            "add rdi, 64",
            "add rsi, 64",
            "dec ecx",
            "jnz 2b",
            "vzeroall",
            inout("rdi") out => _,
            inout("rsi") table => _,
            in("rdx") 8 * LANES * vectors,
            inout("rcx") vectors => _,
            in("r8") x,
            in("r9") y,
            out("r10") _,
            out("r11") _,
            entries = const ENTRIES,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

/// Limbs to digits. Those above become zero.
fn to_digits(digits: &mut [u64], limbs: &[u64]) {
    for (i, digit) in digits.iter_mut().enumerate() {
        *digit = bits_from(limbs, DIGIT * i) & MASK;
    }
}

/// Digits to limbs, of a number that fits them.
fn from_digits(limbs: &mut [u64], digits: &[u64]) {
    let (mut low, mut have) = (0u64, 0);
    let mut limbs = limbs.iter_mut();
    for digit in digits {
        low |= digit << have;
        have += DIGIT;
        if have >= 64 {
            let Some(limb) = limbs.next() else {
                return;
            };
            *limb = low;
            have -= 64;
            low = digit >> (DIGIT - have);
        }
    }
    if let Some(limb) = limbs.next() {
        *limb = low;
    }
}

/// The pairs of numbers of both exponentiations, each called by its position: below [`ENTRIES`] the
/// entries of the table, and these.
struct Pairs<'a> {
    /// All of them. The two inverses are behind the last one, the moduli.
    numbers: &'a mut [u64],
    vectors: usize,
    digits: usize,
}

const ACC: usize = ENTRIES;
const FACTOR: usize = ENTRIES + 1;
const MODULI: usize = ENTRIES + 2;

impl<'a> Pairs<'a> {
    /// `None` if there is too little memory, or no code for so many bits.
    fn new(memory: &'a mut [u64], bits: usize) -> Option<Self> {
        let digits = bits.div_ceil(DIGIT);
        let vectors = digits.div_ceil(LANES);
        if !(3..=MAX_VECTORS).contains(&vectors) {
            return None;
        }
        // A register is a cache line.
        let start = memory.as_ptr().align_offset(64);
        let len = (MODULI + 1) * pair(vectors) + 2;
        Some(Pairs {
            numbers: memory.get_mut(start..)?.get_mut(..len)?,
            vectors,
            digits,
        })
    }

    /// The numbers of a pair.
    fn pair(&mut self, at: usize) -> Option<(&mut [u64], &mut [u64])> {
        let size = pair(self.vectors);
        let both = self.numbers.get_mut(at * size..)?.get_mut(..size)?;
        both.split_at_mut_checked(size / 2)
    }

    /// Sets a pair from limbs.
    fn set(&mut self, at: usize, x: &[u64], y: &[u64]) {
        if let Some((to_x, to_y)) = self.pair(at) {
            to_digits(to_x, x);
            to_digits(to_y, y);
        }
    }

    /// `out = a * b / R`.
    ///
    /// # Safety
    ///
    /// The CPU must have BMI2, ADX and AVX-512 IFMA, and its registers be free. Positions must be
    /// below [`MODULI`].
    unsafe fn multiply(&mut self, out: usize, a: usize, b: usize) {
        let size = pair(self.vectors);
        let numbers = self.numbers.as_mut_ptr();
        // SAFETY: By the safety requirements of this function, positions are those of pairs in
        // `numbers`, by the length that `new` gave it; the moduli are the last pair, and two more
        // `u64`s are behind them. `digits` is at most what fits the registers. A result is written
        // when the factors have been read.
        unsafe {
            let (out, a, b, m) = (
                numbers.add(out * size),
                numbers.add(a * size),
                numbers.add(b * size),
                numbers.add(MODULI * size),
            );
            match self.vectors {
                3 => multiply_3(out, a, b, m, self.digits),
                4 => multiply_4(out, a, b, m, self.digits),
                _ => multiply_5(out, a, b, m, self.digits),
            }
        }
    }

    /// Copies an entry of the table, each number by a secret digit of its exponent.
    ///
    /// # Safety
    ///
    /// As for [`Self::multiply`].
    unsafe fn select(&mut self, out: usize, powers: &[Power<'_>; 2], window: usize) {
        let [x, y] = powers
            .each_ref()
            .map(|power| window_digit(power.exponent, window * WINDOW));
        let numbers = self.numbers.as_mut_ptr();
        // SAFETY: By the safety requirements of this function, `out` is the position of a pair, and
        // the table is the first of `numbers`.
        unsafe {
            let out = numbers.add(out * pair(self.vectors));
            select(out, numbers, self.vectors, x, y);
        }
    }
}

/// Does both exponentiations. False, and nothing has been changed, if the CPU or the numbers are
/// not fit for it. `t` has room for a product.
pub(super) fn exponentiate<P: Platform>(
    l: Adx,
    powers: [Power<'_>; 2],
    work: &mut Work,
    t: &mut [u64],
) -> bool {
    let [x, y] = powers.each_ref().map(|power| power.modulus);
    let bits = 64 * x.len();
    if y.len() != x.len() {
        return false;
    }
    let Some(mut pairs) = Pairs::new(&mut work.memory, bits) else {
        return false;
    };
    // Whether there are the registers at all.
    if !P::with_ifma(|| ()) {
        return false;
    }

    // The factor that takes numbers from one Montgomery form to the other one: the square of this
    // one's R, divided by that one's. With mont's R^2 that is a multiplication by a power of two.
    let shift = 2 * (DIGIT * pairs.digits - bits);
    let (factors, ones) = (&mut work.acc, &mut work.factor);
    for (i, modulus) in [x, y].into_iter().enumerate() {
        let (Some(factor), Some(one)) = (factors.get_mut(..x.len()), ones.get_mut(..x.len()))
        else {
            return false;
        };
        one.fill(0);
        if let Some(limb) = one.get_mut(shift / 64) {
            *limb = 1 << (shift % 64);
        }
        modulus.mul(l, factor, modulus.rr(), one, t);
        copy_long(one, modulus.rr());
        modulus.leave(l, one, t);
        for (at, number) in [(FACTOR, &*factor), (0, &*one), (MODULI, modulus.m())] {
            if let Some(both) = pairs.pair(at) {
                to_digits(if i == 0 { both.0 } else { both.1 }, number);
            }
        }
        let inverses = (MODULI + 1) * pair(pairs.vectors);
        if let Some(inverse) = pairs.numbers.get_mut(inverses + i) {
            *inverse = modulus.n0() & MASK;
        }
    }
    let [x, y] = &powers;
    pairs.set(1, x.number, y.number);

    // Numbers are below 2 m: m is above half of mont's R, which theirs were below.
    let mut free = P::with_ifma(|| {
        // SAFETY: This runs where the registers may be used, and the positions are of pairs.
        unsafe {
            pairs.multiply(0, 0, FACTOR);
            pairs.multiply(1, 1, FACTOR);
        }
    });
    for first in (2..ENTRIES).step_by(SECTION) {
        free &= P::with_ifma(|| {
            for entry in first..(first + SECTION).min(ENTRIES) {
                // SAFETY: As above.
                unsafe { pairs.multiply(entry, entry - 1, 1) };
            }
        });
    }

    let windows = bits.div_ceil(WINDOW);
    let mut left = windows - 1;
    // SAFETY: As above.
    free &= P::with_ifma(|| unsafe { pairs.select(ACC, &powers, left) });
    while left > 0 {
        let next = left.saturating_sub(SECTION);
        free &= P::with_ifma(|| {
            for window in (next..left).rev() {
                for _ in 0..WINDOW {
                    // SAFETY: As above.
                    unsafe { pairs.multiply(ACC, ACC, ACC) };
                }
                // SAFETY: As above.
                unsafe {
                    pairs.select(FACTOR, &powers, window);
                    pairs.multiply(ACC, ACC, FACTOR);
                }
            }
        });
        left = next;
    }

    // Out of Montgomery form. A product with 1 is at most m.
    pairs.set(FACTOR, &[1], &[1]);
    // SAFETY: As above.
    free &= P::with_ifma(|| unsafe { pairs.multiply(ACC, ACC, FACTOR) });
    if let (true, Some((from_x, from_y))) = (free, pairs.pair(ACC)) {
        let [x, y] = powers;
        from_digits(x.number, from_x);
        from_digits(y.number, from_y);
    }
    free
}
