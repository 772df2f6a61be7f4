// SPDX-License-Identifier: GPL-2.0

//! The field of P-256 with mulx, adcx and adox.
//!
//! Only general-purpose registers are used, so this runs in any context.

use super::field::{Backend, C};
use super::mont::Limbs;
use crate::cpu::Adx;
use core::arch::asm;

/// Constants that instructions take from memory, as registers are few.
#[repr(C)]
struct Constants {
    /// The highest limb of p, see [`C`].
    high: u64,
    /// The second limb of p. The lowest is -1, the third is 0.
    second: u64,
    /// For adcx and adox, which take no immediate numbers.
    zero: u64,
}

static CONSTANTS: Constants = Constants {
    high: C,
    second: 0xffff_ffff,
    zero: 0,
};

/// Adds `b[i] * a` to four limbs, and makes a fifth. The carry and overflow flags are clear before
/// and after.
macro_rules! row {
    ($offset:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal) => {
        lines! {
            "mov rdx, [{b} + " $offset "]";
            "mulx {u}, {t}, [{a}]";
            "adcx " $r0 ", {t}";
            "adox " $r1 ", {u}";
            "mulx {u}, {t}, [{a} + 8]";
            "adcx " $r1 ", {t}";
            "adox " $r2 ", {u}";
            "mulx {u}, {t}, [{a} + 16]";
            "adcx " $r2 ", {t}";
            "adox " $r3 ", {u}";
            "mulx " $r4 ", {t}, [{a} + 24]";
            "adcx " $r3 ", {t}";
            "adox " $r4 ", [rip + {k} + 16]";
            "adcx " $r4 ", [rip + {k} + 16]";
        }
    };
}

/// Adds the multiple of p that makes the lowest of four limbs 0, and makes that limb the highest of
/// the four others.
macro_rules! fold {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal) => {
        lines! {
            "mov rdx, " $r0;
            "shlx {t}, rdx, {a}";
            "shrx {u}, rdx, {a}";
            "add " $r1 ", {t}";
            "adc " $r2 ", {u}";
            "mulx " $r0 ", {t}, [rip + {k}]";
            "adc " $r3 ", {t}";
            "adc " $r0 ", 0";
        }
    };
}

/// Subtracts p from five limbs, of which the fifth is 0 or 1, and adds it again if that was too
/// much. The fifth limb, given with its name as 32 bits, becomes a mask.
macro_rules! reduce {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal, $r4e:literal) => {
        concat!(
            lines! {
                "sub " $r0 ", -1";
                "sbb " $r1 ", [rip + {k} + 8]";
                "sbb " $r2 ", 0";
                "sbb " $r3 ", [rip + {k}]";
                "sbb " $r4 ", 0";
            },
            add_p!($r0, $r1, $r2, $r3, $r4, $r4e),
        )
    };
}

/// Adds p if the mask is ones. Subtracting 2^32 - 1 is as good as adding p's highest limb.
macro_rules! add_p {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal, $mask:literal, $mask_e:literal) => {
        lines! {
            "mov {t:e}, " $mask_e;
            "add " $r0 ", " $mask;
            "adc " $r1 ", {t}";
            "adc " $r2 ", 0";
            "adc " $r3 ", 0";
            "sub " $r3 ", {t}";
        }
    };
}

/// Divides eight limbs by 2^256 modulo p: the lower half on its own, to which the upper half is
/// added.
macro_rules! divide {
    () => {
        concat!(
            // How far to shift.
            "mov {a:e}, 32\n",
            fold!("{r0}", "{r1}", "{r2}", "{r3}"),
            fold!("{r1}", "{r2}", "{r3}", "{r0}"),
            fold!("{r2}", "{r3}", "{r0}", "{r1}"),
            fold!("{r3}", "{r0}", "{r1}", "{r2}"),
            "add {r0}, {r4}\n",
            "adc {r1}, {r5}\n",
            "adc {r2}, {r6}\n",
            "adc {r3}, {r7}\n",
            "mov {r4:e}, 0\n",
            "adc {r4}, 0\n",
            reduce!("{r0}", "{r1}", "{r2}", "{r3}", "{r4}", "{r4:e}"),
        )
    };
}

/// Subtracts p if the mask is ones. Adding 2^32 - 1 is as good as subtracting p's highest limb.
macro_rules! sub_p {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal, $mask:literal, $mask_e:literal) => {
        lines! {
            "mov {t:e}, " $mask_e;
            "sub " $r0 ", " $mask;
            "sbb " $r1 ", {t}";
            "sbb " $r2 ", 0";
            "sbb " $r3 ", 0";
            "add " $r3 ", {t}";
        }
    };
}

/// An entry of a table, if the index is zero.
macro_rules! entry {
    ($offset:literal) => {
        lines! {
            "sub {index}, 1";
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

impl Backend for Adx {
    #[inline(always)]
    fn mul(self, a: &Limbs, b: &Limbs) -> Limbs {
        let (r0, r1, r2, r3);
        // SAFETY: The four limbs of both arguments and the constants are read, and nothing else
        // than the operands is changed. The CPU has the instructions, as there is an `Adx`.
        unsafe {
            asm!(
                "mov rdx, [{b}]",
                "mulx {r1}, {r0}, [{a}]",
                "mulx {r2}, {t}, [{a} + 8]",
                "add {r1}, {t}",
                "mulx {r3}, {t}, [{a} + 16]",
                "adc {r2}, {t}",
                "mulx {r4}, {t}, [{a} + 24]",
                "adc {r3}, {t}",
                "adc {r4}, 0",
                // Clears the flags.
                "xor {t:e}, {t:e}",
                row!("8", "{r1}", "{r2}", "{r3}", "{r4}", "{r5}"),
                row!("16", "{r2}", "{r3}", "{r4}", "{r5}", "{r6}"),
                row!("24", "{r3}", "{r4}", "{r5}", "{r6}", "{r7}"),
                divide!(),
                a = inout(reg) a => _,
                b = in(reg) b,
                k = sym CONSTANTS,
                r0 = out(reg) r0,
                r1 = out(reg) r1,
                r2 = out(reg) r2,
                r3 = out(reg) r3,
                r4 = out(reg) _,
                r5 = out(reg) _,
                r6 = out(reg) _,
                r7 = out(reg) _,
                t = out(reg) _,
                u = out(reg) _,
                out("rdx") _,
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
                // The products of different limbs.
                "mov rdx, [{a}]",
                "mulx {r2}, {r1}, [{a} + 8]",
                "mulx {u}, {t}, [{a} + 16]",
                "mulx {r4}, {r3}, [{a} + 24]",
                "mov rdx, [{a} + 24]",
                "mulx {r0}, {r7}, [{a} + 8]",
                "mulx {r6}, {r5}, [{a} + 16]",
                "add {r2}, {t}",
                "adc {r3}, {u}",
                "adc {r4}, {r7}",
                "adc {r5}, {r0}",
                "adc {r6}, 0",
                "mov rdx, [{a} + 8]",
                "mulx {u}, {t}, [{a} + 16]",
                "add {r3}, {t}",
                "adc {r4}, {u}",
                "adc {r5}, 0",
                "adc {r6}, 0",
                // They come twice, and the squares once.
                "xor {r7:e}, {r7:e}",
                "mov rdx, [{a}]",
                "mulx {t}, {r0}, rdx",
                "adcx {r1}, {r1}",
                "adox {r1}, {t}",
                "mov rdx, [{a} + 8]",
                "mulx {u}, {t}, rdx",
                "adcx {r2}, {r2}",
                "adox {r2}, {t}",
                "adcx {r3}, {r3}",
                "adox {r3}, {u}",
                "mov rdx, [{a} + 16]",
                "mulx {u}, {t}, rdx",
                "adcx {r4}, {r4}",
                "adox {r4}, {t}",
                "adcx {r5}, {r5}",
                "adox {r5}, {u}",
                "mov rdx, [{a} + 24]",
                "mulx {u}, {t}, rdx",
                "adcx {r6}, {r6}",
                "adox {r6}, {t}",
                "adcx {r7}, {r7}",
                "adox {r7}, {u}",
                divide!(),
                a = inout(reg) a => _,
                k = sym CONSTANTS,
                r0 = out(reg) r0,
                r1 = out(reg) r1,
                r2 = out(reg) r2,
                r3 = out(reg) r3,
                r4 = out(reg) _,
                r5 = out(reg) _,
                r6 = out(reg) _,
                r7 = out(reg) _,
                t = out(reg) _,
                u = out(reg) _,
                out("rdx") _,
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
                "add {r0}, [{b}]",
                "adc {r1}, [{b} + 8]",
                "adc {r2}, [{b} + 16]",
                "adc {r3}, [{b} + 24]",
                "mov {m:e}, 0",
                "adc {m}, 0",
                reduce!("{r0}", "{r1}", "{r2}", "{r3}", "{m}", "{m:e}"),
                b = in(reg) b,
                k = sym CONSTANTS,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                t = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn double(self, a: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                "add {r0}, {r0}",
                "adc {r1}, {r1}",
                "adc {r2}, {r2}",
                "adc {r3}, {r3}",
                "mov {m:e}, 0",
                "adc {m}, 0",
                reduce!("{r0}", "{r1}", "{r2}", "{r3}", "{m}", "{m:e}"),
                k = sym CONSTANTS,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                t = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn add_loose(self, a: &Limbs, b: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                "add {r0}, [{b}]",
                "adc {r1}, [{b} + 8]",
                "adc {r2}, [{b} + 16]",
                "adc {r3}, [{b} + 24]",
                "sbb {m}, {m}",
                sub_p!("{r0}", "{r1}", "{r2}", "{r3}", "{m}", "{m:e}"),
                b = in(reg) b,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                t = out(reg) _,
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
                "sub {r0}, [{b}]",
                "sbb {r1}, [{b} + 8]",
                "sbb {r2}, [{b} + 16]",
                "sbb {r3}, [{b} + 24]",
                "sbb {m}, {m}",
                add_p!("{r0}", "{r1}", "{r2}", "{r3}", "{m}", "{m:e}"),
                b = in(reg) b,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                t = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn half(self, a: &Limbs) -> Limbs {
        let [mut r0, mut r1, mut r2, mut r3] = *a;
        // SAFETY: As for `mul`.
        unsafe {
            asm!(
                // p, if the number is odd.
                "mov {m}, {r0}",
                "and {m:e}, 1",
                "neg {m}",
                "mov {t:e}, {m:e}",
                "mov {u}, {m}",
                "and {u}, [rip + {k}]",
                "add {r0}, {m}",
                "adc {r1}, {t}",
                "adc {r2}, 0",
                "adc {r3}, {u}",
                "rcr {r3}, 1",
                "rcr {r2}, 1",
                "rcr {r1}, 1",
                "rcr {r0}, 1",
                k = sym CONSTANTS,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                m = out(reg) _,
                t = out(reg) _,
                u = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3]
    }

    #[inline(always)]
    fn lookup<const ENTRIES: usize>(self, table: &[[Limbs; 2]; ENTRIES], index: u64) -> [Limbs; 2] {
        const { assert!(ENTRIES > 0 && ENTRIES % 4 == 0) };
        let mut x = [0u64; 4];
        let mut y = [0u64; 4];
        // SAFETY: The loop reads the table, four entries each time, and nothing else than the
        // operands is changed.
        unsafe {
            asm!(
                "2:",
                entry!("0"),
                entry!("64"),
                entry!("128"),
                entry!("192"),
                "add {table}, 256",
                "dec {count:e}",
                "jnz 2b",
                table = inout(reg) table => _,
                index = inout(reg) index => _,
                count = inout(reg) ENTRIES / 4 => _,
                x0 = inout(reg) x[0],
                x1 = inout(reg) x[1],
                x2 = inout(reg) x[2],
                x3 = inout(reg) x[3],
                y0 = inout(reg) y[0],
                y1 = inout(reg) y[1],
                y2 = inout(reg) y[2],
                y3 = inout(reg) y[3],
                options(pure, readonly, nostack),
            );
        }
        [x, y]
    }
}
