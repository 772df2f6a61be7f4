// SPDX-License-Identifier: GPL-2.0

//! Four permutations `Keccak-f[1600]` (FIPS 202, section 3) side by side, one in each quarter of
//! the 256-bit registers of AVX2. Most of an encapsulation is hashing, and much of that can be done
//! at the same time.

use core::arch::asm;

/// Number of states.
pub(crate) const WAYS: usize = 4;

/// Number of lanes of a state.
const LANES: usize = 25;

/// Four states: a lane of all of them after the other.
pub(crate) type States = [[u64; WAYS]; LANES];

/// What is added to the first lane, in each round (FIPS 202, section 3.2.5).
static ROUND_CONSTANTS: [u64; 24] = {
    let mut constants = [0; 24];
    let mut lfsr = 1u8;
    let mut round = 0;
    while round < constants.len() {
        // The bits 0, 1, 3, 7, ... 63, in the order in which the shift register gives them.
        let mut j = 0;
        while j <= 6 {
            constants[round] |= (lfsr as u64 & 1) << ((1 << j) - 1);
            lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x71);
            j += 1;
        }
        round += 1;
    }
    constants
};

/// The sum of a column of the states at rdi: lanes 5 apart.
macro_rules! column_sum {
    ($column:literal, $sum:literal) => {
        concat! {
            "vmovdqu ymm", $sum, ", [rdi + 32 * ", $column, "]\n",
            "vpxor ymm", $sum, ", ymm", $sum, ", [rdi + 32 * (", $column, " + 5)]\n",
            "vpxor ymm", $sum, ", ymm", $sum, ", [rdi + 32 * (", $column, " + 10)]\n",
            "vpxor ymm", $sum, ", ymm", $sum, ", [rdi + 32 * (", $column, " + 15)]\n",
            "vpxor ymm", $sum, ", ymm", $sum, ", [rdi + 32 * (", $column, " + 20)]\n",
        }
    };
}

/// What a column is changed by: the sum of the one before and that of the next, which is rotated.
macro_rules! change {
    ($to:literal, $before:literal, $next:literal) => {
        concat! {
            "vpsrlq ymm15, ymm", $next, ", 63\n",
            "vpaddq ymm", $to, ", ymm", $next, ", ymm", $next, "\n",
            "vpxor ymm15, ymm15, ymm", $before, "\n",
            "vpxor ymm", $to, ", ymm", $to, ", ymm15\n",
        }
    };
}

/// A lane, with what its column is changed by, rotated.
macro_rules! lane {
    ($from:literal $lane:literal $change:literal $to:literal "0") => {
        concat! { "vpxor ymm", $to, ", ymm", $change, ", [", $from, " + 32 * ", $lane, "]\n" }
    };
    ($from:literal $lane:literal $change:literal $to:literal $bits:literal) => {
        concat! {
            "vpxor ymm", $to, ", ymm", $change, ", [", $from, " + 32 * ", $lane, "]\n",
            "vpsrlq ymm15, ymm", $to, ", 64 - ", $bits, "\n",
            "vpsllq ymm", $to, ", ymm", $to, ", ", $bits, "\n",
            "vpor ymm", $to, ", ymm", $to, ", ymm15\n",
        }
    };
}

/// A lane of the result, from three neighbours of a row, which is added to the sum of its column.
macro_rules! mix {
    ($to:literal, $lane:literal, $a:literal, $b:literal, $c:literal, $sum:literal) => {
        concat! {
            "vpandn ymm15, ymm", $b, ", ymm", $c, "\n",
            "vpxor ymm15, ymm15, ymm", $a, "\n",
            "vmovdqu [", $to, " + 32 * ", $lane, "], ymm15\n",
            "vpxor ymm", $sum, ", ymm", $sum, ", ymm15\n",
        }
    };
}

/// A row of the result.
macro_rules! row {
    (
        $to:literal, $r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal,
        $($from:literal $lane:literal $change:literal $register:literal $bits:tt),*
    ) => {
        concat! {
            $(lane!($from $lane $change $register $bits),)*
            mix!($to, $r0, "5", "6", "7", "10"),
            mix!($to, $r1, "6", "7", "8", "11"),
            mix!($to, $r2, "7", "8", "9", "12"),
            mix!($to, $r3, "8", "9", "5", "13"),
            mix!($to, $r4, "9", "5", "6", "14"),
        }
    };
}

/// A round, from the states at one register to those at another, with the constant at rdx. The
/// registers are: 0 to 4 the changes, 5 to 9 a row, 10 to 14 the sums of columns, once these have
/// been used those of the result, 15 for what comes in between.
macro_rules! round {
    ($from:literal, $to:literal, $constant:literal) => {
        concat! {
            change!("0", "14", "11"),
            change!("1", "10", "12"),
            change!("2", "11", "13"),
            change!("3", "12", "14"),
            change!("4", "13", "10"),
            "vpxor xmm10, xmm10, xmm10\n",
            "vpxor xmm11, xmm11, xmm11\n",
            "vpxor xmm12, xmm12, xmm12\n",
            "vpxor xmm13, xmm13, xmm13\n",
            "vpxor xmm14, xmm14, xmm14\n",
            row!($to, "0", "1", "2", "3", "4",
                $from "0" "0" "5" "0",
                $from "6" "1" "6" "44",
                $from "12" "2" "7" "43",
                $from "18" "3" "8" "21",
                $from "24" "4" "9" "14"),
            "vpbroadcastq ymm15, [rdx + ", $constant, "]\n",
            "vpxor ymm10, ymm10, ymm15\n",
            "vmovdqu [", $to, "], ymm10\n",
            row!($to, "5", "6", "7", "8", "9",
                $from "3" "3" "5" "28",
                $from "9" "4" "6" "20",
                $from "10" "0" "7" "3",
                $from "16" "1" "8" "45",
                $from "22" "2" "9" "61"),
            row!($to, "10", "11", "12", "13", "14",
                $from "1" "1" "5" "1",
                $from "7" "2" "6" "6",
                $from "13" "3" "7" "25",
                $from "19" "4" "8" "8",
                $from "20" "0" "9" "18"),
            row!($to, "15", "16", "17", "18", "19",
                $from "4" "4" "5" "27",
                $from "5" "0" "6" "36",
                $from "11" "1" "7" "10",
                $from "17" "2" "8" "15",
                $from "23" "3" "9" "56"),
            row!($to, "20", "21", "22", "23", "24",
                $from "2" "2" "5" "62",
                $from "8" "3" "6" "55",
                $from "14" "4" "7" "39",
                $from "15" "0" "8" "41",
                $from "21" "1" "9" "2"),
        }
    };
}

/// Permutes all four states. `work` is overwritten with what came out of the last round but one.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn permute(states: &mut States, work: &mut States) {
    // SAFETY: As the caller promises. Both arrays have 25 times 32 bytes, and there are as many
    // constants as rounds, two of which are done at a time.
    unsafe {
        asm!(
            column_sum!("0", "10"),
            column_sum!("1", "11"),
            column_sum!("2", "12"),
            column_sum!("3", "13"),
            column_sum!("4", "14"),
            "2:",
            round!("rdi", "rsi", "0"),
            round!("rsi", "rdi", "8"),
            "add rdx, 16",
            "dec ecx",
            "jnz 2b",
            "vzeroupper",
            in("rdi") states.as_mut_ptr(),
            in("rsi") work.as_mut_ptr(),
            inout("rdx") ROUND_CONSTANTS.as_ptr() => _,
            inout("rcx") ROUND_CONSTANTS.len() / 2 => _,
            // The vector registers, by a name that also code without them may use.
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}
