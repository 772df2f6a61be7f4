// SPDX-License-Identifier: GPL-2.0

//! The transforms and products of ML-KEM (FIPS 203, section 4.3) with the registers of AVX2,
//! constant time.
//!
//! Coefficients have 16 bits and a sign here, so a register holds 16 of them: eight of the pairs
//! that the transform treats alike. Eight registers are half of a polynomial, with its pair
//! `8r + l` in lane l of register r. Three layers of the transform combine registers with each
//! other; once registers and lanes have changed places, so do three more. That leaves the layer
//! that combines the two halves.
//!
//! Comments say how far from zero coefficients can be, as a multiple of q; 9.84 q is 2^15.

use super::ring::{Factor, Poly, N, Q, ZETAS};
use super::sample::{Uniform, NOISE_LEN};
use super::RANK;
use core::arch::asm;
use core::mem::size_of;

/// What a register of coefficients is multiplied by: numbers between -q / 2 and q / 2, and their
/// products with 2^15 / q, rounded.
type Constants = [[i16; 16]; 2];

/// Number of constants of three layers: a binary tree.
const TREE: usize = 7;

/// Number of pairs in a register.
const LANES: usize = 8;

/// The constants of half a transform: of three layers, of the next three, and what prepares the
/// eight registers of the result to be multiplied.
const FORWARD: usize = 2 * TREE + 8;

/// The constants of half an inverse transform.
const INVERSE_HALF: usize = 2 * TREE;

/// Sets what a pair of coefficients is multiplied by.
const fn set(constants: &mut Constants, pair: usize, factors: [u64; 2]) {
    let mut i = 0;
    while i < factors.len() {
        let q = Q as i64;
        let factor = factors[i] as i64;
        let factor = if factor > q / 2 { factor - q } else { factor };
        constants[0][2 * pair + i] = factor as i16;
        constants[1][2 * pair + i] = ((factor << 16) + q).div_euclid(2 * q) as i16;
        i += 1;
    }
}

/// Sets the constants of three layers, of which the first lane's are under block `root` of a layer,
/// and those of the next lane under that of `root + step`.
const fn set_tree(tables: &mut [Constants], at: usize, root: usize, step: usize, inverse: bool) {
    let mut i = 0;
    while i < TREE * LANES {
        let (node, lane) = (i / LANES + 1, i % LANES);
        let depth = node.ilog2();
        let block = ((root + step * lane) << depth) + node - (1 << depth);
        // Opposite powers of 17 in a layer have a product of 17^128, which is -1.
        let zeta = if inverse {
            Q - ZETAS[(3 << block.ilog2()) - 1 - block].value
        } else {
            ZETAS[block].value
        };
        set(&mut tables[at + node - 1], lane, [zeta; 2]);
        i += 1;
    }
}

/// The constants of the transform, in the order in which they are used: of the layer with both
/// halves, and then of each half.
static TRANSFORM: [Constants; 1 + 2 * FORWARD] = {
    let mut tables = [[[0; 16]; 2]; 1 + 2 * FORWARD];
    let mut half = 0;
    while half < 2 {
        let at = 1 + half * FORWARD;
        set_tree(&mut tables, at, 2 + half, 0, false);
        set_tree(&mut tables, at + TREE, 16 + LANES * half, 1, false);
        half += 1;
    }
    let mut pair = 0;
    while pair < N / 2 {
        set(&mut tables[0], pair % LANES, [ZETAS[1].value; 2]);
        // What X^2 is in the ring of the pair (FIPS 203, section 4.3.1).
        let zeta = ZETAS[N / 4 + pair / 2].value;
        let square = if pair % 2 == 0 { zeta } else { Q - zeta };
        let (half, register) = (pair / LANES / 8, pair / LANES % 8);
        let at = 1 + half * FORWARD + 2 * TREE + register;
        set(&mut tables[at], pair % LANES, [1, square]);
        pair += 1;
    }
    tables
};

/// The constants of the inverse transform: of each half, and then of the layer with both.
static INVERSE: [Constants; 2 * INVERSE_HALF + 1] = {
    let mut tables = [[[0; 16]; 2]; 2 * INVERSE_HALF + 1];
    let mut half = 0;
    while half < 2 {
        let at = half * INVERSE_HALF;
        set_tree(&mut tables, at, 16 + LANES * half, 1, true);
        set_tree(&mut tables, at + TREE, 2 + half, 0, true);
        half += 1;
    }
    let mut lane = 0;
    while lane < LANES {
        set(&mut tables[2 * INVERSE_HALF], lane, [Q - ZETAS[1].value; 2]);
        lane += 1;
    }
    tables
};

/// For a number of 4 bits, the sum of its low two less that of its high two, twice.
pub(super) static NOISE: [i8; 16] = [0, 2, 2, 4, -2, 0, 0, 2, -2, 0, 0, 2, -4, -2, -2, 0];

/// A constant in all lanes of 16 bits, or of 32, of a register.
macro_rules! broadcast {
    ($to:literal, $constant:literal) => {
        broadcast!($to, $constant, "w")
    };
    ($to:literal, $constant:literal, $size:literal) => {
        concat! {
            "mov eax, ", $constant, "\n",
            "vmovd xmm", $to, ", eax\n",
            "vpbroadcast", $size, " ymm", $to, ", xmm", $to, "\n",
        }
    };
}
pub(super) use broadcast;

/// What `noise!` needs in registers.
macro_rules! noise_constants {
    ($table:literal) => {
        concat! {
            "vbroadcasti128 ymm13, [", $table, "]\n",
            broadcast!("12", "0x0f000f00", "d"),
        }
    };
}
pub(super) use noise_constants;

/// 16 coefficients of a noise polynomial (FIPS 203, algorithm 8) from 8 bytes, times 2^9: what the
/// table has for 4 bits goes to the upper byte of 16 bits. ymm8 is overwritten.
macro_rules! noise {
    ($to:literal, $from:literal) => {
        concat! {
            "vpmovzxbd ymm", $to, ", [", $from, "]\n",
            "vpslld ymm8, ymm", $to, ", 20\n",
            "vpslld ymm", $to, ", ymm", $to, ", 8\n",
            "vpor ymm", $to, ", ymm", $to, ", ymm8\n",
            "vpand ymm", $to, ", ymm", $to, ", ymm12\n",
            "vpshufb ymm", $to, ", ymm13, ymm", $to, "\n",
        }
    };
}
pub(super) use noise;

/// `a` times constants, modulo q (Shoup's multiplication): `q / 2 + a q / 2^16` at most, which is
/// q at most. ymm15 has q.
///
/// The quotient is estimated with a constant that is off by a half at most, and rounded. ymm9 is
/// overwritten.
macro_rules! mul {
    ($to:literal, $a:literal, $constants:literal, $i:literal) => {
        concat! {
            "vpmulhrsw ymm9, ymm", $a, ", [", $constants, " + 64 * (", $i, ") + 32]\n",
            "vpmullw ymm", $to, ", ymm", $a, ", [", $constants, " + 64 * (", $i, ")]\n",
            "vpmullw ymm9, ymm9, ymm15\n",
            "vpsubw ymm", $to, ", ymm", $to, ", ymm9\n",
        }
    };
}

/// `a` modulo q: `q / 2 + a / 62` at most. ymm15 has q, ymm14 has 10. ymm8 is overwritten.
///
/// 10 / 2^15 is off by less than 1 / 62 of 1 / q.
macro_rules! reduce {
    ($a:literal) => {
        concat! {
            "vpmulhrsw ymm8, ymm", $a, ", ymm14\n",
            "vpmullw ymm8, ymm8, ymm15\n",
            "vpsubw ymm", $a, ", ymm", $a, ", ymm8\n",
        }
    };
}

/// `(a + b zeta, a - b zeta)`: q more than `a` at most.
macro_rules! butterfly {
    ($a:literal, $b:literal, $constants:literal, $i:literal) => {
        concat! {
            mul!("8", $b, $constants, $i),
            "vpsubw ymm", $b, ", ymm", $a, ", ymm8\n",
            "vpaddw ymm", $a, ", ymm", $a, ", ymm8\n",
        }
    };
}

/// `(a + b, (a - b) / zeta)`.
macro_rules! inverse_butterfly {
    ($a:literal, $b:literal, $constants:literal, $i:literal) => {
        concat! {
            "vpsubw ymm8, ymm", $a, ", ymm", $b, "\n",
            "vpaddw ymm", $a, ", ymm", $a, ", ymm", $b, "\n",
            mul!($b, "8", $constants, $i),
        }
    };
}

/// Exchanges the upper four lanes of `a` with the lower four of `b`.
macro_rules! exchange_4 {
    ($a:literal, $b:literal, $_constants:literal, $_i:literal) => {
        concat! {
            "vperm2i128 ymm8, ymm", $a, ", ymm", $b, ", 0x31\n",
            "vinserti128 ymm", $a, ", ymm", $a, ", xmm", $b, ", 1\n",
            "vmovdqa ymm", $b, ", ymm8\n",
        }
    };
}

/// Exchanges the upper two of four lanes of `a` with the lower two of `b`.
macro_rules! exchange_2 {
    ($a:literal, $b:literal, $_constants:literal, $_i:literal) => {
        concat! {
            "vpunpckhqdq ymm8, ymm", $a, ", ymm", $b, "\n",
            "vpunpcklqdq ymm", $a, ", ymm", $a, ", ymm", $b, "\n",
            "vmovdqa ymm", $b, ", ymm8\n",
        }
    };
}

/// Exchanges the upper of two lanes of `a` with the lower of `b`.
macro_rules! exchange_1 {
    ($a:literal, $b:literal, $_constants:literal, $_i:literal) => {
        concat! {
            "vpsrlq ymm8, ymm", $a, ", 32\n",
            "vpsllq ymm9, ymm", $b, ", 32\n",
            "vpblendd ymm", $a, ", ymm", $a, ", ymm9, 0xaa\n",
            "vpblendd ymm", $b, ", ymm8, ymm", $b, ", 0xaa\n",
        }
    };
}

/// Something with the registers that are 4 apart, and one constant.
macro_rules! apart_4 {
    ($what:ident, $constants:literal) => {
        concat! {
            $what!("0", "4", $constants, "0"),
            $what!("1", "5", $constants, "0"),
            $what!("2", "6", $constants, "0"),
            $what!("3", "7", $constants, "0"),
        }
    };
}

/// Something with the registers that are 2 apart, and the next two constants.
macro_rules! apart_2 {
    ($what:ident, $constants:literal) => {
        concat! {
            $what!("0", "2", $constants, "1"),
            $what!("1", "3", $constants, "1"),
            $what!("4", "6", $constants, "2"),
            $what!("5", "7", $constants, "2"),
        }
    };
}

/// Something with neighbours, and the next four constants.
macro_rules! apart_1 {
    ($what:ident, $constants:literal) => {
        concat! {
            $what!("0", "1", $constants, "3"),
            $what!("2", "3", $constants, "4"),
            $what!("4", "5", $constants, "5"),
            $what!("6", "7", $constants, "6"),
        }
    };
}

/// Something with each register.
macro_rules! each {
    ($what:ident) => {
        concat! {
            $what!("0"), $what!("1"), $what!("2"), $what!("3"),
            $what!("4"), $what!("5"), $what!("6"), $what!("7"),
        }
    };
}

/// Lane l of register r and lane r of register l change places.
macro_rules! transpose {
    () => {
        concat! { apart_4!(exchange_4, ""), apart_2!(exchange_2, ""), apart_1!(exchange_1, "") }
    };
}

/// Three layers of the transform, after which coefficients are larger by 3 q at most.
macro_rules! three_layers {
    ($constants:literal) => {
        concat! {
            apart_4!(butterfly, $constants),
            apart_2!(butterfly, $constants),
            apart_1!(butterfly, $constants),
        }
    };
}

/// Three layers of the inverse transform, after a reduction to something above q / 2. Coefficients
/// are 8 times that at most: sums are twice as large in each layer, and products are below q.
macro_rules! three_inverse_layers {
    ($constants:literal) => {
        concat! {
            each!(reduce),
            apart_1!(inverse_butterfly, $constants),
            apart_2!(inverse_butterfly, $constants),
            apart_4!(inverse_butterfly, $constants),
        }
    };
}

macro_rules! load {
    ($a:literal) => {
        concat! { "vmovdqu ymm", $a, ", [rdi + 32 * ", $a, "]\n" }
    };
}

macro_rules! store {
    ($a:literal) => {
        concat! { "vmovdqu [rdi + 32 * ", $a, "], ymm", $a, "\n" }
    };
}

/// Stores pairs of the transform as they are multiplied: `b0 + b1 zeta X` and `b1 + b0 X`, where
/// zeta is what X^2 is.
macro_rules! store_factor {
    ($a:literal) => {
        concat! {
            mul!("8", $a, "rdx + 64 * 14", $a),
            "vmovdqu [rdi + 32 * ", $a, "], ymm8\n",
            "vpshuflw ymm", $a, ", ymm", $a, ", 0xb1\n",
            "vpshufhw ymm", $a, ", ymm", $a, ", 0xb1\n",
            "vmovdqu [rdi + 32 * ", $a, " + 512], ymm", $a, "\n",
        }
    };
}

/// The transform of a noise polynomial times 2^9, prepared for [`product`]: in the first quarter of
/// `factor` the pairs as they give the first coefficient of a product, in the second as they give
/// the other.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn transform(factor: &mut Factor, noise: &[u8; NOISE_LEN]) {
    const _: () = assert!(size_of::<Factor>() >= 4 * N);

    // The noise is below 0.4 q, so the result is below 7.4 q.
    //
    // SAFETY: As the caller promises. The noise is read 16 times 8 bytes at a time. There are 22
    // constants of 64 bytes for each half, after one.
    unsafe {
        asm!(
            broadcast!("15", "{q}"),
            noise_constants!("r8"),
            "mov ecx, 8",
            "2:",
            noise!("0", "rsi"),
            noise!("1", "rsi + 64"),
            butterfly!("0", "1", "rdx", "0"),
            "vmovdqu [rdi], ymm0",
            "vmovdqu [rdi + 256], ymm1",
            "add rdi, 32",
            "add rsi, 8",
            "dec ecx",
            "jnz 2b",
            "sub rdi, 256",
            "add rdx, 64",
            "mov ecx, 2",
            "3:",
            each!(load),
            three_layers!("rdx"),
            transpose!(),
            three_layers!("rdx + 64 * 7"),
            transpose!(),
            each!(store_factor),
            "add rdi, 256",
            "add rdx, 64 * 22",
            "dec ecx",
            "jnz 3b",
            "vzeroupper",
            q = const Q,
            inout("rdi") factor.as_mut_ptr() => _,
            inout("rsi") noise.as_ptr() => _,
            inout("rdx") TRANSFORM.as_ptr() => _,
            in("r8") NOISE.as_ptr(),
            // The vector registers, by a name that also code without them may use.
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

/// Products of three pairs, added up.
macro_rules! three_products {
    ($to:literal, $half:literal) => {
        concat! {
            "vpmaddwd ymm", $to, ", ymm0, [rdx + ", $half, "]\n",
            "vpmaddwd ymm3, ymm1, [rdx + {factor} + ", $half, "]\n",
            "vpaddd ymm", $to, ", ymm", $to, ", ymm3\n",
            "vpmaddwd ymm3, ymm2, [rdx + 2 * {factor} + ", $half, "]\n",
            "vpaddd ymm", $to, ", ymm", $to, ", ymm3\n",
        }
    };
}

/// The product of two vectors in the transformed domain, divided by 2^16 (FIPS 203, algorithms 11
/// and 12). Coefficients of 16 bits go to the first half of `sum`; they are below 2.8 q.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn product(sum: &mut Poly, row: &[Uniform; RANK], y: &[Factor; RANK]) {
    /// `1 / q` modulo 2^16.
    const INVERSE: u64 = 62209;
    const _: () = assert!((INVERSE * Q) & 0xffff == 1);
    const _: () = assert!(RANK == 3 && size_of::<Poly>() >= 2 * N);

    // A coefficient is the sum of six products of what is below q and below 7.4 q, so below 45 q^2
    // and 2^29. What is left of it is that divided by 2^16, and q / 2 (Montgomery's reduction).
    //
    // SAFETY: As the caller promises. Of each polynomial, 16 times 32 bytes are read or written, of
    // factors also the 512 bytes that follow.
    unsafe {
        asm!(
            broadcast!("15", "{q}"),
            broadcast!("14", "{inverse}"),
            "mov ecx, 16",
            "2:",
            "vmovdqu ymm0, [rsi]",
            "vmovdqu ymm1, [rsi + {uniform}]",
            "vmovdqu ymm2, [rsi + 2 * {uniform}]",
            three_products!("4", "0"),
            three_products!("5", "512"),
            // The lower and the upper 16 bits of both coefficients.
            "vpslld ymm0, ymm5, 16",
            "vpsrld ymm1, ymm4, 16",
            "vpblendw ymm0, ymm4, ymm0, 0xaa",
            "vpblendw ymm1, ymm1, ymm5, 0xaa",
            "vpmullw ymm0, ymm0, ymm14",
            "vpmulhw ymm0, ymm0, ymm15",
            "vpsubw ymm0, ymm1, ymm0",
            "vmovdqu [rdi], ymm0",
            "add rdi, 32",
            "add rsi, 32",
            "add rdx, 32",
            "dec ecx",
            "jnz 2b",
            "vzeroupper",
            q = const Q,
            inverse = const INVERSE,
            uniform = const size_of::<Uniform>(),
            factor = const size_of::<Factor>(),
            inout("rdi") sum.as_mut_ptr() => _,
            inout("rsi") row.as_ptr() => _,
            inout("rdx") y.as_ptr() => _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

/// The inverse transform without its division by 2^7 (FIPS 203, algorithm 10), of what [`product`]
/// gives. Coefficients of the result are below 9.2 q. As noise was multiplied by 2^9 and products
/// were divided by 2^16, nothing is left to be multiplied by.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn inverse_transform(f: &mut Poly) {
    // What is below 2.8 q is reduced to 0.55 q and grows to 4.4 q, this again is reduced to 0.571 q
    // and grows to 4.6 q, which the last layer doubles.
    //
    // SAFETY: As the caller promises. Of `f` 512 bytes are used, a half and then another. There are
    // 14 constants of 64 bytes for each half, and one more.
    unsafe {
        asm!(
            broadcast!("15", "{q}"),
            broadcast!("14", "10"),
            "mov ecx, 2",
            "2:",
            each!(load),
            transpose!(),
            three_inverse_layers!("rdx"),
            transpose!(),
            three_inverse_layers!("rdx + 64 * 7"),
            each!(store),
            "add rdi, 256",
            "add rdx, 64 * 14",
            "dec ecx",
            "jnz 2b",
            "sub rdi, 512",
            "mov ecx, 8",
            "3:",
            "vmovdqu ymm0, [rdi]",
            "vmovdqu ymm1, [rdi + 256]",
            inverse_butterfly!("0", "1", "rdx", "0"),
            "vmovdqu [rdi], ymm0",
            "vmovdqu [rdi + 256], ymm1",
            "add rdi, 32",
            "dec ecx",
            "jnz 3b",
            "vzeroupper",
            q = const Q,
            inout("rdi") f.as_mut_ptr() => _,
            inout("rdx") INVERSE.as_ptr() => _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}
