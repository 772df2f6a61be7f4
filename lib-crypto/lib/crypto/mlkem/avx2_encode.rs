// SPDX-License-Identifier: GPL-2.0

//! Polynomials of ML-KEM as bytes (FIPS 203, section 4.2) with the registers of AVX2, 16
//! coefficients of 16 bits at a time.
//!
//! What is compressed is secret until it is encrypted; what is decoded and selected is public.

use super::avx2_ring::{broadcast, noise, noise_constants, NOISE};
use super::encode::{POLY_LEN, POLY_LEN_10, POLY_LEN_4};
use super::ring::{Poly, N, Q};
use super::sample::{Blocks, Uniform, NOISE_LEN};
use super::MESSAGE_LEN;
use core::arch::asm;
use core::mem::size_of;

/// Moves 12 bytes of each half to eight places of 16 bits, so that each has the 12 of a number. The
/// upper half begins with four bytes that are in the lower one, too.
static UNPACK: [u8; 32] = {
    let mut places = [0; 32];
    let mut i = 0usize;
    while i < 16 {
        let from = i / 4 * 3 + (i % 4).div_ceil(2);
        places[i] = from as u8;
        places[i + 16] = from as u8 + 4;
        i += 1;
    }
    places
};

/// For each set of eight places of 16 bits, what moves these to the start.
static SELECT: [[u8; 16]; 256] = {
    let mut places = [[0; 16]; 256];
    let mut set = 0;
    while set < places.len() {
        let (mut from, mut to) = (0, 0);
        while from < 8 {
            if set >> from & 1 == 1 {
                places[set][to] = 2 * from;
                places[set][to + 1] = 2 * from + 1;
                to += 2;
            }
            from += 1;
        }
        set += 1;
    }
    places
};

/// Moves five bytes of 64 bits, twice, to the start.
static PACK_10: [u8; 16] = [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 0, 0, 0, 0, 0, 0];

/// Moves one byte of 32 bits, four times, to the start.
static PACK_4: [u8; 16] = [0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The bits of 16 coefficients.
static BITS: [u16; 16] = {
    let mut bits = [0; 16];
    let mut i = 0;
    while i < bits.len() {
        bits[i] = 1 << i;
        i += 1;
    }
    bits
};

/// 16 numbers of 12 bits from 24 bytes (FIPS 203, algorithm 6). ymm14 has [`UNPACK`], ymm13 0xfff.
macro_rules! unpack {
    () => {
        concat! {
            "vmovdqu xmm0, [rsi]\n",
            "vinserti128 ymm0, ymm0, [rsi + 8], 1\n",
            "vpshufb ymm0, ymm0, ymm14\n",
            "vpsrlw ymm1, ymm0, 4\n",
            "vpblendw ymm0, ymm0, ymm1, 0xaa\n",
            "vpand ymm0, ymm0, ymm13\n",
        }
    };
}

/// Decodes a polynomial. Returns whether all coefficients are below q (FIPS 203, section 7.2).
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn decode(to: &mut Uniform, bytes: &[u8; POLY_LEN]) -> bool {
    let too_large: u32;
    // SAFETY: As the caller promises. In each of 16 steps, 24 bytes are read and 32 written.
    unsafe {
        asm!(
            "vmovdqu ymm14, [r8]",
            broadcast!("15", "{largest}"),
            broadcast!("13", "0xfff"),
            "vpxor xmm2, xmm2, xmm2",
            "mov ecx, 16",
            "2:",
            unpack!(),
            "vpmaxsw ymm2, ymm2, ymm0",
            "vmovdqu [rdi], ymm0",
            "add rdi, 32",
            "add rsi, 24",
            "dec ecx",
            "jnz 2b",
            "vpcmpgtw ymm2, ymm2, ymm15",
            "vpmovmskb eax, ymm2",
            "vzeroupper",
            largest = const Q - 1,
            inout("rdi") core::ptr::from_mut(to) => _,
            inout("rsi") bytes.as_ptr() => _,
            in("r8") UNPACK.as_ptr(),
            out("eax") too_large,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    too_large == 0
}

/// Appends those of eight numbers which are in a set to the polynomial, of which there are r8
/// coefficients.
macro_rules! append {
    ($set:literal, $index:literal) => {
        concat! {
            "popcnt r10d, ", $set, "\n",
            "shl ", $set, ", 4\n",
            "vpshufb xmm1, xmm0, [rdx + ", $index, "]\n",
            "vmovdqu [rdi + 2 * r8], xmm1\n",
            "add r8d, r10d\n",
        }
    };
}

/// Samples a polynomial from the first blocks of SHAKE128's output (FIPS 203, algorithm 7). False
/// if they do not suffice, as of one polynomial in a hundred.
///
/// # Safety
///
/// The CPU must have AVX2 and popcnt, and its registers must be free to be used.
pub(crate) unsafe fn select(to: &mut Uniform, blocks: &Blocks) -> bool {
    const STEPS: usize = size_of::<Blocks>() / 24;
    const _: () = assert!(size_of::<Uniform>() >= 2 * 271 && size_of::<Blocks>() % 24 == 0);

    let found: u64;
    // SAFETY: As the caller promises. 24 bytes are read in each step. At the start of one there are
    // less than 256 coefficients, to which 8 and 8 are added at most; what is written each time is
    // 8 long, so it ends after 271 at most. The table has an entry for each set of 8.
    unsafe {
        asm!(
            "vmovdqu ymm14, [r9]",
            broadcast!("15", "{q}"),
            broadcast!("13", "0xfff"),
            "xor r8d, r8d",
            "2:",
            unpack!(),
            "vpcmpgtw ymm1, ymm15, ymm0",
            "vpacksswb ymm1, ymm1, ymm1",
            "vpmovmskb r9d, ymm1",
            "movzx eax, r9b",
            "shr r9d, 24",
            append!("eax", "rax"),
            "vextracti128 xmm0, ymm0, 1",
            append!("r9d", "r9"),
            "add rsi, 24",
            "cmp r8d, {n}",
            "jae 3f",
            "dec ecx",
            "jnz 2b",
            "3:",
            "vzeroupper",
            q = const Q,
            n = const N,
            inout("rdi") core::ptr::from_mut(to) => _,
            inout("rsi") blocks.as_ptr() => _,
            inout("rdx") SELECT.as_ptr() => _,
            inout("rcx") STEPS => _,
            inout("r9") UNPACK.as_ptr() => _,
            out("r8") found,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    found >= N as u64
}

/// What `compress!` needs in registers.
macro_rules! compress_constants {
    () => {
        concat! {
            broadcast!("15", "{q}"),
            broadcast!("14", "{factor}"),
            broadcast!("11", "{half}"),
            broadcast!("10", "(1 << {bits}) - 1"),
        }
    };
}

/// `2^bits / q` times a coefficient with noise, rounded, modulo `2^bits` (FIPS 203, section 4.2.1).
/// It may be anything of 16 bits, with a sign.
///
/// The factor is off by a half at most, so the estimated quotient is rounded down and off by a
/// quarter: what it leaves of `2^bits a` is between -q / 4 and 5 q / 4. If that is above q / 2, the
/// next number is nearer.
macro_rules! compress {
    () => {
        concat! {
            "vpmulhw ymm1, ymm0, ymm14\n",
            "vpsllw ymm0, ymm0, {bits}\n",
            "vpmullw ymm2, ymm1, ymm15\n",
            "vpsubw ymm0, ymm0, ymm2\n",
            "vpcmpgtw ymm0, ymm0, ymm11\n",
            "vpsubw ymm0, ymm1, ymm0\n",
            "vpand ymm0, ymm0, ymm10\n",
        }
    };
}

/// 16 coefficients with noise added.
macro_rules! load_with_noise {
    () => {
        concat! {
            noise!("0", "rsi"),
            "vpsraw ymm0, ymm0, 9\n",
            "vpaddw ymm0, ymm0, [rdx]\n",
        }
    };
}

/// `2^bits / q` times 2^16, rounded.
const fn factor(bits: u32) -> u64 {
    ((1 << (16 + bits)) + Q / 2) / Q
}

/// Adds noise to coefficients of 16 bits, compresses them to 10 bits and encodes them (FIPS 203,
/// algorithm 5). They must be below 9.8 q, so that the sums are below 2^15.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn encode_10(bytes: &mut [u8; POLY_LEN_10], f: &Poly, noise: &[u8; NOISE_LEN]) {
    // SAFETY: As the caller promises. In each of 16 steps, 20 bytes are written; 32 are read of the
    // coefficients, and 8 of the noise.
    unsafe {
        asm!(
            compress_constants!(),
            noise_constants!("r8"),
            "vbroadcasti128 ymm7, [r9]",
            broadcast!("6", "1 | 1 << 26", "d"),
            broadcast!("5", "12", "d"),
            // For the lower half of 64 bits only.
            "vpsrlq ymm5, ymm5, 32",
            "mov ecx, 16",
            "2:",
            load_with_noise!(),
            compress!(),
            // Two neighbours to 20 bits of 32, two of these to 40 bits of 64.
            "vpmaddwd ymm0, ymm0, ymm6",
            "vpsllvd ymm0, ymm0, ymm5",
            "vpsrlq ymm0, ymm0, 12",
            "vpshufb ymm0, ymm0, ymm7",
            "vextracti128 xmm1, ymm0, 1",
            "vmovq [rdi], xmm0",
            "vpextrw [rdi + 8], xmm0, 4",
            "vmovq [rdi + 10], xmm1",
            "vpextrw [rdi + 18], xmm1, 4",
            "add rdi, 20",
            "add rsi, 8",
            "add rdx, 32",
            "dec ecx",
            "jnz 2b",
            "vzeroupper",
            q = const Q,
            half = const Q / 2,
            bits = const 10,
            factor = const factor(10),
            inout("rdi") bytes.as_mut_ptr() => _,
            inout("rsi") noise.as_ptr() => _,
            inout("rdx") f.as_ptr() => _,
            in("r8") NOISE.as_ptr(),
            in("r9") PACK_10.as_ptr(),
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

/// Adds noise and the polynomial of a message (FIPS 203, algorithm 14, line 20) to coefficients of
/// 16 bits, compresses them to 4 bits and encodes them (algorithm 5). They must be below 9.3 q, so
/// that the sums are below 2^15.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
pub(crate) unsafe fn encode_4(
    bytes: &mut [u8; POLY_LEN_4],
    f: &Poly,
    noise: &[u8; NOISE_LEN],
    message: &[u8; MESSAGE_LEN],
) {
    // SAFETY: As the caller promises. In each of 16 steps, 8 bytes are written; 32 are read of the
    // coefficients, 8 of the noise, and 2 of the message.
    unsafe {
        asm!(
            compress_constants!(),
            noise_constants!("r8"),
            "vbroadcasti128 ymm7, [r9]",
            broadcast!("6", "1 | 1 << 20", "d"),
            broadcast!("5", "{half} + 1"),
            "vmovdqu ymm4, [r10]",
            "mov ecx, 16",
            "2:",
            load_with_noise!(),
            "vpbroadcastw ymm1, [r11]",
            "vpand ymm1, ymm1, ymm4",
            "vpcmpeqw ymm1, ymm1, ymm4",
            "vpand ymm1, ymm1, ymm5",
            "vpaddw ymm0, ymm0, ymm1",
            compress!(),
            // Two neighbours to 8 bits of 32.
            "vpmaddwd ymm0, ymm0, ymm6",
            "vpshufb ymm0, ymm0, ymm7",
            "vextracti128 xmm1, ymm0, 1",
            "vmovd [rdi], xmm0",
            "vmovd [rdi + 4], xmm1",
            "add rdi, 8",
            "add rsi, 8",
            "add rdx, 32",
            "add r11, 2",
            "dec ecx",
            "jnz 2b",
            "vzeroupper",
            q = const Q,
            half = const Q / 2,
            bits = const 4,
            factor = const factor(4),
            inout("rdi") bytes.as_mut_ptr() => _,
            inout("rsi") noise.as_ptr() => _,
            inout("rdx") f.as_ptr() => _,
            in("r8") NOISE.as_ptr(),
            in("r9") PACK_4.as_ptr(),
            in("r10") BITS.as_ptr(),
            inout("r11") message.as_ptr() => _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}
