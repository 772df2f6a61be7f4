// SPDX-License-Identifier: GPL-2.0

//! The field of Curve25519 with mulx, adcx and adox.
//!
//! Elements have four limbs in radix 2^64. A tight one is less than 2^255 + 2^198, a loose one less
//! than 2^256. A sum of two tight ones carries 1 at most, which is 38 as 2^256 is.
//!
//! Only general-purpose registers are used, so this runs in any context.
//!
//! # Registers
//!
//! rdi is the address of what the code works on and rsi is zero. Four limbs are in r8 to r11 or in
//! r12 to r15, a product of eight in r8 to r15. rax, rcx and rdx are for what is in between.

use super::edwards::{Niels, Sum};
use super::field::{reduced, Field, ENTRIES};
use super::ladder::{changes, first_step, last_steps, Fraction, Point};
use crate::cpu::Adx;
use crate::ct::{Mask, Secret, Zeroable};
use crate::limbs::{select, Limbs};
use core::arch::asm;
use core::mem::offset_of;

/// Adds `rdx * b` to four limbs, and makes a fifth. The carry and overflow flags are clear before
/// and after.
macro_rules! row {
    ($b:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal) => {
        lines! {
            "mulx rcx, rax, [" $b "]";
            "adcx " $r0 ", rax";
            "adox " $r1 ", rcx";
            "mulx rcx, rax, [" $b " + 8]";
            "adcx " $r1 ", rax";
            "adox " $r2 ", rcx";
            "mulx rcx, rax, [" $b " + 16]";
            "adcx " $r2 ", rax";
            "adox " $r3 ", rcx";
            "mulx " $r4 ", rax, [" $b " + 24]";
            "adcx " $r3 ", rax";
            "adox " $r4 ", rsi";
            "adcx " $r4 ", rsi";
        }
    };
}

/// `rdx * b` as five limbs. The carry and overflow flags are clear before and after.
macro_rules! first_row {
    ($b:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal) => {
        lines! {
            "mulx " $r1 ", " $r0 ", [" $b "]";
            "mulx " $r2 ", rax, [" $b " + 8]";
            "adcx " $r1 ", rax";
            "mulx " $r3 ", rax, [" $b " + 16]";
            "adcx " $r2 ", rax";
            "mulx " $r4 ", rax, [" $b " + 24]";
            "adcx " $r3 ", rax";
            "adcx " $r4 ", rsi";
        }
    };
}

/// Makes of eight limbs four of a tight element. The flags are clear after that.
macro_rules! reduce {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal,
     $r4:literal, $r5:literal, $r6:literal, $r7:literal) => {
        lines! {
            // The highest limb, times 38, is added first, so that the rest is a single chain: what
            // then is above bit 255 is at most 77, and 19 times that is added at the bottom.
            "mov edx, 38";
            "mulx rax, rcx, " $r7;
            "add " $r3 ", rcx";
            "adc rax, rsi";
            "btr " $r3 ", 63";
            "adc rax, rax";
            "imul rax, rax, 19";
            // That has cleared the flags.
            "mulx " $r7 ", rcx, " $r4;
            "adcx " $r0 ", rax";
            "adox " $r0 ", rcx";
            "mulx " $r4 ", rcx, " $r5;
            "adcx " $r1 ", " $r7;
            "adox " $r1 ", rcx";
            "mulx " $r5 ", rcx, " $r6;
            "adcx " $r2 ", " $r4;
            "adox " $r2 ", rcx";
            // At most 37 and two carries more than 2^63.
            "adcx " $r3 ", " $r5;
            "adox " $r3 ", rsi";
        }
    };
}

/// The tight product of two elements in memory, in r8 to r11.
macro_rules! mul {
    ($a:literal, $b:literal) => {
        concat!(
            "xor esi, esi\n",
            "mov rdx, [",
            $a,
            "]\n",
            first_row!($b, "r8", "r9", "r10", "r11", "r12"),
            "mov rdx, [",
            $a,
            " + 8]\n",
            row!($b, "r9", "r10", "r11", "r12", "r13"),
            "mov rdx, [",
            $a,
            " + 16]\n",
            row!($b, "r10", "r11", "r12", "r13", "r14"),
            "mov rdx, [",
            $a,
            " + 24]\n",
            row!($b, "r11", "r12", "r13", "r14", "r15"),
            reduce!("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
        )
    };
}

/// The tight square of an element in memory, in r8 to r11.
macro_rules! square {
    ($a:literal) => {
        concat!(
            lines! {
                // The products of different limbs: a3 and others, a1 a2, a0 and others.
                "xor esi, esi";
                "mov rdx, [" $a " + 24]";
                "mulx r14, r13, [" $a " + 16]";
                "mulx rcx, rax, [" $a " + 8]";
                "mulx r12, r11, [" $a "]";
                "mov rdx, [" $a " + 8]";
                "mulx r15, r8, [" $a " + 16]";
                "adox r11, r8";
                "adox r12, rax";
                "adox r13, rcx";
                "adox r14, rsi";
                "mov rdx, [" $a "]";
                "mulx r10, r9, [" $a " + 8]";
                "mulx rcx, rax, [" $a " + 16]";
                "adcx r10, rax";
                "adcx r11, rcx";
                "adcx r12, r15";
                "adcx r13, rsi";
                "adcx r14, rsi";
                // They come twice, and the squares once.
                "mulx rax, r8, rdx";
                "adcx r9, r9";
                "adox r9, rax";
                "mov rdx, [" $a " + 8]";
                "mulx rcx, rax, rdx";
                "adcx r10, r10";
                "adox r10, rax";
                "adcx r11, r11";
                "adox r11, rcx";
                "mov rdx, [" $a " + 16]";
                "mulx rcx, rax, rdx";
                "adcx r12, r12";
                "adox r12, rax";
                "adcx r13, r13";
                "adox r13, rcx";
                "mov rdx, [" $a " + 24]";
                "mulx r15, rax, rdx";
                "adcx r14, r14";
                "adox r14, rax";
                "adcx r15, rsi";
                "adox r15, rsi";
            },
            reduce!("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
        )
    };
}

/// Writes four limbs to memory.
macro_rules! store {
    ($to:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal) => {
        lines! {
            "mov [" $to "], " $r0;
            "mov [" $to " + 8], " $r1;
            "mov [" $to " + 16], " $r2;
            "mov [" $to " + 24], " $r3;
        }
    };
    ($to:literal, low) => {
        store!($to, "r8", "r9", "r10", "r11")
    };
    ($to:literal, high) => {
        store!($to, "r12", "r13", "r14", "r15")
    };
}

/// Reads four limbs from memory.
macro_rules! load {
    ($from:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal) => {
        lines! {
            "mov " $r0 ", [" $from "]";
            "mov " $r1 ", [" $from " + 8]";
            "mov " $r2 ", [" $from " + 16]";
            "mov " $r3 ", [" $from " + 24]";
        }
    };
    ($from:literal, low) => {
        load!($from, "r8", "r9", "r10", "r11")
    };
    ($from:literal, high) => {
        load!($from, "r12", "r13", "r14", "r15")
    };
}

/// Adds what a sum of a tight element and one that may be loose has carried. Does not carry again:
/// what is left then is less than 2^255 + 2^198.
macro_rules! add_carry {
    () => {
        lines! {
            "sbb rax, rax";
            "and eax, 38";
            "add r8, rax";
            "adc r9, 0";
            "adc r10, 0";
            "adc r11, 0";
        }
    };
}

/// Subtracts what a difference has borrowed, of which the subtrahend is tight. Does not borrow
/// again: at least 2^255 - 2^198 is left then.
macro_rules! subtract_borrow {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal) => {
        lines! {
            "sbb rcx, rcx";
            "and ecx, 38";
            "sub " $r0 ", rcx";
            "sbb " $r1 ", 0";
            "sbb " $r2 ", 0";
            "sbb " $r3 ", 0";
        }
    };
}

/// Adds an element in memory to that in r8 to r11. One of them is tight.
macro_rules! add {
    ($b:literal) => {
        concat!(
            lines! {
                "add r8, [" $b "]";
                "adc r9, [" $b " + 8]";
                "adc r10, [" $b " + 16]";
                "adc r11, [" $b " + 24]";
            },
            add_carry!(),
        )
    };
}

/// Subtracts a tight element in memory from that in r8 to r11.
macro_rules! sub {
    ($b:literal) => {
        concat!(
            lines! {
                "sub r8, [" $b "]";
                "sbb r9, [" $b " + 8]";
                "sbb r10, [" $b " + 16]";
                "sbb r11, [" $b " + 24]";
            },
            subtract_borrow!("r8", "r9", "r10", "r11"),
        )
    };
}

/// Of an element in r8 to r11 and one in memory, both of which are tight, the sum in r8 to r11 and
/// the difference in r12 to r15.
macro_rules! sum_and_difference {
    ($b:literal) => {
        concat!(
            lines! {
                "mov r12, r8";
                "mov r13, r9";
                "mov r14, r10";
                "mov r15, r11";
            },
            add!($b),
            lines! {
                "sub r12, [" $b "]";
                "sbb r13, [" $b " + 8]";
                "sbb r14, [" $b " + 16]";
                "sbb r15, [" $b " + 24]";
            },
            subtract_borrow!("r12", "r13", "r14", "r15"),
        )
    };
}

/// Replaces the element E in r8 to r11 by `b + 121666 E`, tight; `b` is tight.
macro_rules! add_121666 {
    ($b:literal) => {
        lines! {
            // As in `reduce`. What is above bit 255 is less than 2^18.
            "xor esi, esi";
            "mov edx, 121666";
            "mulx rax, r11, r11";
            "add r11, [" $b " + 24]";
            "adc rax, rsi";
            "btr r11, 63";
            "adc rax, rax";
            "imul rax, rax, 19";
            "mulx rcx, r8, r8";
            "adcx r8, rax";
            "adox r8, [" $b "]";
            "mulx rax, r9, r9";
            "adcx r9, rcx";
            "adox r9, [" $b " + 8]";
            "mulx rcx, r10, r10";
            "adcx r10, rax";
            "adox r10, [" $b " + 16]";
            "adcx r11, rcx";
            "adox r11, rsi";
        }
    };
}

/// What steps of the ladder work on.
#[repr(C)]
#[derive(Clone, Copy)]
struct Work {
    /// The point that is doubled next: one of the two below.
    next: Point<Adx>,
    /// The point that was doubled.
    doubled: Point<Adx>,
    /// The sum X + Z of the sum of both points.
    sum: Limbs,
    /// Z - X of the sum of both points.
    difference: Limbs,
    /// The difference of both points.
    u: Limbs,
    /// Products, and what becomes of them.
    t0: Limbs,
    t1: Limbs,
    t2: Limbs,
    t3: Limbs,
    t4: Limbs,
    t5: Limbs,
    /// What is in [`changes`] for the steps, the first step's in the highest bit.
    changes: u64,
    /// How many steps there are.
    count: u64,
}

// SAFETY: It has integers only.
unsafe impl Zeroable for Work {}

/// Does the steps.
#[inline(always)]
fn steps(_: Adx, work: &mut Work) {
    // SAFETY: Only what is in `work`, which rdi points to, is read and written, and no registers
    // but those that are given. The CPU has the instructions, as there is an `Adx`.
    unsafe {
        asm!(
            "2:",
            // The order is one in which a multiplication need not wait for the one before it.
            // DA, with the other sign, and CB; their difference and their sum.
            mul!("rdi + {doubled}", "rdi + {difference}"),
            store!("rdi + {t0}", low),
            mul!("rdi + {doubled} + 32", "rdi + {sum}"),
            sum_and_difference!("rdi + {t0}"),
            store!("rdi + {t0}", low),
            store!("rdi + {t1}", high),
            // BB and AA
            square!("rdi + {next} + 32"),
            store!("rdi + {t3}", low),
            square!("rdi + {next}"),
            store!("rdi + {t2}", low),
            // E and BB + 121666 E
            sub!("rdi + {t3}"),
            store!("rdi + {t4}", low),
            add_121666!("rdi + {t3}"),
            store!("rdi + {t5}", low),
            // (DA - CB)^2
            square!("rdi + {t0}"),
            store!("rdi + {t0}", low),
            // X and Z of twice the point
            mul!("rdi + {t2}", "rdi + {t3}"),
            store!("rdi + {t2}", low),
            mul!("rdi + {t4}", "rdi + {t5}"),
            store!("rdi + {t4}", low),
            // X and Z of the sum of both points
            square!("rdi + {t1}"),
            store!("rdi + {t1}", low),
            mul!("rdi + {t0}", "rdi + {u}"),
            sum_and_difference!("rdi + {t1}"),
            store!("rdi + {sum}", low),
            store!("rdi + {difference}", high),
            load!("rdi + {t2}", low),
            sum_and_difference!("rdi + {t4}"),
            store!("rdi + {doubled}", low),
            store!("rdi + {doubled} + 32", high),
            // Which of the two is to be doubled next. The latter's difference has the wrong sign,
            // but is only squared.
            "shl qword ptr [rdi + {changes}], 1",
            "cmovc r8, [rdi + {sum}]",
            "cmovc r9, [rdi + {sum} + 8]",
            "cmovc r10, [rdi + {sum} + 16]",
            "cmovc r11, [rdi + {sum} + 24]",
            "cmovc r12, [rdi + {difference}]",
            "cmovc r13, [rdi + {difference} + 8]",
            "cmovc r14, [rdi + {difference} + 16]",
            "cmovc r15, [rdi + {difference} + 24]",
            store!("rdi + {next}", low),
            store!("rdi + {next} + 32", high),
            "dec qword ptr [rdi + {count}]",
            "jnz 2b",
            next = const offset_of!(Work, next),
            doubled = const offset_of!(Work, doubled),
            sum = const offset_of!(Work, sum),
            difference = const offset_of!(Work, difference),
            u = const offset_of!(Work, u),
            t0 = const offset_of!(Work, t0),
            t1 = const offset_of!(Work, t1),
            t2 = const offset_of!(Work, t2),
            t3 = const offset_of!(Work, t3),
            t4 = const offset_of!(Work, t4),
            t5 = const offset_of!(Work, t5),
            changes = const offset_of!(Work, changes),
            count = const offset_of!(Work, count),
            in("rdi") work,
            out("rax") _,
            out("rcx") _,
            out("rdx") _,
            out("rsi") _,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            options(nostack),
        );
    }
}

/// An entry of a table, if the index is zero.
macro_rules! entry {
    ($offset:literal) => {
        lines! {
            "sub {index:e}, 1";
            "cmovc {x0}, [{table} + " $offset "]";
            "cmovc {x1}, [{table} + " $offset " + 8]";
            "cmovc {x2}, [{table} + " $offset " + 16]";
            "cmovc {x3}, [{table} + " $offset " + 24]";
            "cmovc {y0}, [{table} + " $offset " + 32]";
            "cmovc {y1}, [{table} + " $offset " + 40]";
            "cmovc {y2}, [{table} + " $offset " + 48]";
            "cmovc {y3}, [{table} + " $offset " + 56]";
        }
    };
}

/// A third of an entry.
macro_rules! third {
    ($offset:literal) => {
        lines! {
            "sub {index:e}, 1";
            "cmovc {x0}, [{table} + " $offset "]";
            "cmovc {x1}, [{table} + " $offset " + 8]";
            "cmovc {x2}, [{table} + " $offset " + 16]";
            "cmovc {x3}, [{table} + " $offset " + 24]";
        }
    };
}

impl Field for Adx {
    type Element = Limbs;

    #[inline(always)]
    fn element(self, number: &Limbs) -> Limbs {
        *number
    }

    #[inline(always)]
    fn residue(self, a: &Limbs) -> Limbs {
        reduced(a)
    }

    #[inline(always)]
    fn mul(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r0, r1, r2, r3);
        // SAFETY: The four limbs of both arguments are read, and nothing else than the registers
        // is changed. The CPU has the instructions, as there is an `Adx`.
        unsafe {
            asm!(
                "xor esi, esi",
                "mov rdx, [rdi]",
                first_row!("r15", "r8", "r9", "r10", "r11", "r12"),
                "mov rdx, [rdi + 8]",
                row!("r15", "r9", "r10", "r11", "r12", "r13"),
                "mov rdx, [rdi + 16]",
                row!("r15", "r10", "r11", "r12", "r13", "r14"),
                "mov rdx, [rdi + 24]",
                row!("r15", "r11", "r12", "r13", "r14", "rdi"),
                reduce!("r8", "r9", "r10", "r11", "r12", "r13", "r14", "rdi"),
                inout("rdi") a => _,
                in("r15") b,
                out("rax") _,
                out("rcx") _,
                out("rdx") _,
                out("rsi") _,
                out("r8") r0,
                out("r9") r1,
                out("r10") r2,
                out("r11") r3,
                out("r12") _,
                out("r13") _,
                out("r14") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn square(self, a: &Limbs) -> Limbs {
        let (r0, r1, r2, r3);
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                square!("rdi"),
                in("rdi") a,
                out("rax") _,
                out("rcx") _,
                out("rdx") _,
                out("rsi") _,
                out("r8") r0,
                out("r9") r1,
                out("r10") r2,
                out("r11") r3,
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn add(self, a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                add!("rdi"),
                in("rdi") b,
                out("rax") _,
                inout("r8") r0,
                inout("r9") r1,
                inout("r10") r2,
                inout("r11") r3,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn sub(self, a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                sub!("rdi"),
                in("rdi") b,
                out("rcx") _,
                inout("r8") r0,
                inout("r9") r1,
                inout("r10") r2,
                inout("r11") r3,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn add_121666(self, a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *b;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                add_121666!("rdi"),
                in("rdi") a,
                out("rax") _,
                out("rcx") _,
                out("rdx") _,
                out("rsi") _,
                inout("r8") r0,
                inout("r9") r1,
                inout("r10") r2,
                inout("r11") r3,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn tight(self, a: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: Nothing but the registers is changed.
        unsafe {
            asm!(
                "btr {r3}, 63",
                "sbb {m}, {m}",
                "and {m:e}, 19",
                "add {r0}, {m}",
                "adc {r1}, 0",
                "adc {r2}, 0",
                "adc {r3}, 0",
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn select(self, mask: Mask, a: &Limbs, b: &Limbs) -> Limbs {
        select(mask, a, b)
    }

    #[inline(never)]
    fn lookup(
        self,
        table: &[[Limbs; 3]; ENTRIES],
        index: u64,
        negative: Mask,
        entry: &mut Niels<Self>,
    ) {
        const { assert!(ENTRIES == 16) };
        // SAFETY: The 16 entries of the table are read, and nothing else than the operands is
        // changed.
        unsafe {
            let [mut x0, mut x1, mut x2, mut x3] = [0u64; 4];
            let [mut y0, mut y1, mut y2, mut y3] = [0u64; 4];
            asm!(
                entry!("0"),
                entry!("96"),
                entry!("192"),
                entry!("288"),
                entry!("384"),
                entry!("480"),
                entry!("576"),
                entry!("672"),
                entry!("768"),
                entry!("864"),
                entry!("960"),
                entry!("1056"),
                entry!("1152"),
                entry!("1248"),
                entry!("1344"),
                entry!("1440"),
                // y + x and y - x are each other's for the negative.
                "test {negative}, {negative}",
                "mov {table}, {x0}",
                "cmovnz {x0}, {y0}",
                "cmovnz {y0}, {table}",
                "mov {table}, {x1}",
                "cmovnz {x1}, {y1}",
                "cmovnz {y1}, {table}",
                "mov {table}, {x2}",
                "cmovnz {x2}, {y2}",
                "cmovnz {y2}, {table}",
                "mov {table}, {x3}",
                "cmovnz {x3}, {y3}",
                "cmovnz {y3}, {table}",
                table = inout(reg) table => _,
                index = inout(reg) index => _,
                negative = in(reg) negative.bits(),
                x0 = inout(reg) x0,
                x1 = inout(reg) x1,
                x2 = inout(reg) x2,
                x3 = inout(reg) x3,
                y0 = inout(reg) y0,
                y1 = inout(reg) y1,
                y2 = inout(reg) y2,
                y3 = inout(reg) y3,
                options(pure, readonly, nostack),
            );
            entry.plus = [x0, x1, x2, x3];
            entry.minus = [y0, y1, y2, y3];
            let [mut x0, mut x1, mut x2, mut x3] = [0u64; 4];
            asm!(
                third!("64"),
                third!("160"),
                third!("256"),
                third!("352"),
                third!("448"),
                third!("544"),
                third!("640"),
                third!("736"),
                third!("832"),
                third!("928"),
                third!("1024"),
                third!("1120"),
                third!("1216"),
                third!("1312"),
                third!("1408"),
                third!("1504"),
                // p - a is !a + p + 1, modulo 2^256.
                "xor {x0}, {negative}",
                "xor {x1}, {negative}",
                "xor {x2}, {negative}",
                "xor {x3}, {negative}",
                "mov {index}, {negative}",
                "and {index}, -18",
                "add {x0}, {index}",
                "adc {x1}, {negative}",
                "adc {x2}, {negative}",
                "adc {x3}, {negative}",
                "shl {negative}, 63",
                "xor {x3}, {negative}",
                table = in(reg) table,
                index = inout(reg) index => _,
                negative = inout(reg) negative.bits() => _,
                x0 = inout(reg) x0,
                x1 = inout(reg) x1,
                x2 = inout(reg) x2,
                x3 = inout(reg) x3,
                options(pure, readonly, nostack),
            );
            entry.product = [x0, x1, x2, x3];
        }
    }

    #[inline(always)]
    fn ladder(self, u: &Limbs, k: &Limbs) -> Fraction<Self> {
        let [doubled, point] = first_step(self, u);
        let mut work = Secret::new(Work {
            next: doubled,
            doubled,
            sum: point.sum,
            difference: self.sub(&[1, 0, 0, 0], u),
            u: *u,
            t0: [0; 4],
            t1: [0; 4],
            t2: [0; 4],
            t3: [0; 4],
            t4: [0; 4],
            t5: [0; 4],
            changes: 0,
            count: 0,
        });
        let changes = Secret::new(changes(k));
        work.next = Point::select(self, Mask::from_bit(changes[3] >> 62), &point, &doubled);
        for (changes, count) in [
            (changes[3] << 2, 62),
            (changes[2], 64),
            (changes[1], 64),
            (changes[0], 61),
        ] {
            work.changes = changes;
            work.count = count;
            steps(self, &mut work);
        }
        last_steps(self, &work.next)
    }

    #[inline(always)]
    fn add_entry(self, sum: &mut Sum<Self>) {
        // SAFETY: Only what is in `sum`, which rdi points to, is read and written, and no registers
        // but those that are given. The CPU has the instructions, as there is an `Adx`.
        unsafe {
            asm!(
                // A and B, and their difference E and sum H.
                mul!("rdi + {minus}", "rdi + {entry} + 32"),
                store!("rdi + {entry} + 32", low),
                mul!("rdi + {plus}", "rdi + {entry}"),
                sum_and_difference!("rdi + {entry} + 32"),
                store!("rdi + {efgh} + 96", low),
                store!("rdi + {efgh}", high),
                // C, and F = D - C and G = D + C, where D is 2 Z.
                mul!("rdi + {t}", "rdi + {entry} + 64"),
                load!("rdi + {z2}", high),
                "sub r12, r8",
                "sbb r13, r9",
                "sbb r14, r10",
                "sbb r15, r11",
                subtract_borrow!("r12", "r13", "r14", "r15"),
                store!("rdi + {efgh} + 32", high),
                add!("rdi + {z2}"),
                store!("rdi + {efgh} + 64", low),
                // X
                mul!("rdi + {efgh}", "rdi + {efgh} + 32"),
                store!("rdi + {entry}", low),
                // T
                mul!("rdi + {efgh}", "rdi + {efgh} + 96"),
                store!("rdi + {t}", low),
                // Z
                mul!("rdi + {efgh} + 32", "rdi + {efgh} + 64"),
                "add r8, r8",
                "adc r9, r9",
                "adc r10, r10",
                "adc r11, r11",
                add_carry!(),
                store!("rdi + {z2}", low),
                // Y
                mul!("rdi + {efgh} + 64", "rdi + {efgh} + 96"),
                sum_and_difference!("rdi + {entry}"),
                store!("rdi + {plus}", low),
                store!("rdi + {minus}", high),
                plus = const offset_of!(Sum<Adx>, plus),
                minus = const offset_of!(Sum<Adx>, minus),
                z2 = const offset_of!(Sum<Adx>, z2),
                t = const offset_of!(Sum<Adx>, t),
                entry = const offset_of!(Sum<Adx>, entry),
                efgh = const offset_of!(Sum<Adx>, efgh),
                in("rdi") sum,
                out("rax") _,
                out("rcx") _,
                out("rdx") _,
                out("rsi") _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
                options(nostack),
            );
        }
    }
}
