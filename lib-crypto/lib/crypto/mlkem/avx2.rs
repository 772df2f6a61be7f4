// SPDX-License-Identifier: GPL-2.0

//! An encapsulation with the registers of AVX2. Four hashes are made at a time (FIPS 202): that of
//! the key beside the matrix, a row of it at a time, and then the noise.

use super::avx2_encode::{decode, encode_10, encode_4, select};
use super::avx2_ring::{inverse_transform, product, transform};
use super::encode::{POLY_LEN, POLY_LEN_10};
use super::keccak::{permute, States, WAYS};
use super::sample::{Uniform, BLOCKS, BLOCK_LEN, NOISE_LEN};
use super::{
    set_indices, Platform, Public, Scratch, CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN, MESSAGE_LEN,
    NOISES, RANK, SEED_LEN, VECTOR_LEN,
};

/// Length of a block of SHA3-256's input and of SHAKE256's output.
const BLOCK_LEN_256: usize = 136;

/// The way in which the key is hashed; those before are for the matrix.
const KEY_WAY: usize = RANK;
const _: () = assert!(KEY_WAY < WAYS);
// The key takes as many blocks as the matrix, the last of them not full.
const _: () = assert!(ENCAPSULATION_KEY_LEN / BLOCK_LEN_256 + 1 == RANK * BLOCKS);

/// What follows the input of SHA-3 and of the SHAKEs (FIPS 202, section 6).
const SHA3_SUFFIX: u8 = 0x06;
const SHAKE_SUFFIX: u8 = 0x1f;

/// [`super::expand`]. False if AVX2 cannot be used.
pub(super) fn expand<P: Platform>(
    key: &[u8; ENCAPSULATION_KEY_LEN],
    seed: &mut [u8; SEED_LEN + 2],
    public: &mut Public,
    memory: &mut [States; 2],
) -> bool {
    let [states, work] = memory;
    states.fill([0; WAYS]);
    let mut key_blocks = key.chunks(BLOCK_LEN_256);
    for (row, polynomials) in (0..).zip(&mut public.matrix) {
        for way in 0..RANK {
            clear(states, way);
            set_indices(seed, row, way as u8);
            add(states, way, seed);
            add_end(states, way, seed.len(), BLOCK_LEN, SHAKE_SUFFIX);
        }
        let blocks = &mut public.blocks;
        let mut enough = [false; RANK];
        let done = P::with_avx2(|| {
            for i in 0..BLOCKS {
                let key_block = key_blocks.next().unwrap_or(&[]);
                add(states, KEY_WAY, key_block);
                if key_block.len() < BLOCK_LEN_256 {
                    add_end(states, KEY_WAY, key_block.len(), BLOCK_LEN_256, SHA3_SUFFIX);
                }
                // SAFETY: This runs where the registers of AVX2 may be used.
                unsafe { permute(states, work) };
                for (way, blocks) in blocks.iter_mut().enumerate() {
                    if let Some(block) = blocks.chunks_exact_mut(BLOCK_LEN).nth(i) {
                        take(block, states, way);
                    }
                }
            }
            let sampled = enough.iter_mut().zip(&mut *polynomials).zip(&*blocks);
            for ((enough, polynomial), blocks) in sampled {
                // SAFETY: As above.
                *enough = unsafe { select(polynomial, blocks) };
            }
        });
        if !done {
            return false;
        }
        for (((column, polynomial), blocks), enough) in
            (0..).zip(polynomials).zip(blocks).zip(enough)
        {
            if !enough {
                set_indices(seed, row, column);
                polynomial.sample::<P>(seed, blocks);
            }
        }
    }
    take(&mut public.hash, states, KEY_WAY);
    true
}

/// [`super::noise_bytes`]. False if AVX2 cannot be used.
pub(super) fn noise<P: Platform>(
    seed: &[u8],
    noise: &mut [[u8; NOISE_LEN]; NOISES],
    memory: &mut [States; 2],
) -> bool {
    let [states, work] = memory;
    let mut number = 0;
    for noise in noise.chunks_mut(WAYS) {
        states.fill([0; WAYS]);
        for way in 0..WAYS {
            add(states, way, seed);
            add_byte(states, way, seed.len(), number);
            add_end(states, way, seed.len() + 1, BLOCK_LEN_256, SHAKE_SUFFIX);
            number += 1;
        }
        // SAFETY: This runs where the registers of AVX2 may be used.
        if !P::with_avx2(|| unsafe { permute(states, work) }) {
            return false;
        }
        for (way, noise) in noise.iter_mut().enumerate() {
            take(noise, states, way);
        }
    }
    true
}

/// Decodes a vector. Returns whether all coefficients are below q.
///
/// # Safety
///
/// The CPU must have AVX2, and its registers must be free to be used.
unsafe fn decode_vector(to: &mut [Uniform; RANK], vector: &[u8; VECTOR_LEN]) -> bool {
    let mut reduced = true;
    for (to, bytes) in to.iter_mut().zip(vector.chunks_exact(POLY_LEN)) {
        if let Some(bytes) = bytes.first_chunk() {
            // SAFETY: As the caller promises.
            reduced &= unsafe { decode(to, bytes) };
        }
    }
    reduced
}

/// [`super::is_reduced`]. Nothing if AVX2 cannot be used. The matrix is overwritten.
pub(super) fn is_reduced<P: Platform>(
    vector: &[u8; VECTOR_LEN],
    public: &mut Public,
) -> Option<bool> {
    let [row, ..] = &mut public.matrix;
    let mut reduced = false;
    // SAFETY: This runs where the registers of AVX2 may be used.
    P::with_avx2(|| reduced = unsafe { decode_vector(row, vector) }).then_some(reduced)
}

/// [`super::encrypt`]. False if AVX2 cannot be used. The matrix is overwritten.
pub(super) fn encrypt<P: Platform>(
    vector: &[u8; VECTOR_LEN],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
) -> bool {
    let s = &mut *scratch.secret;
    let (noise_y, noise_e) = s.noise.split_at(RANK);
    let [.., noise_v] = &s.noise;
    let (u, v) = ciphertext.split_at_mut(RANK * POLY_LEN_10);
    P::with_avx2(|| {
        for (y, noise) in s.y.iter_mut().zip(noise_y) {
            // SAFETY: This runs where the registers of AVX2 may be used.
            unsafe { transform(y, noise) };
        }
        let rows = scratch.public.matrix.iter().zip(noise_e);
        for (u, (row, noise)) in u.chunks_exact_mut(POLY_LEN_10).zip(rows) {
            if let Some(u) = u.first_chunk_mut() {
                // SAFETY: As above.
                unsafe {
                    product(&mut s.sum, row, &s.y);
                    inverse_transform(&mut s.sum);
                    encode_10(u, &s.sum, noise);
                }
            }
        }
        let [row, ..] = &mut scratch.public.matrix;
        if let Some(v) = v.first_chunk_mut() {
            // SAFETY: As above.
            unsafe {
                decode_vector(row, vector);
                product(&mut s.sum, row, &s.y);
                inverse_transform(&mut s.sum);
                encode_4(v, &s.sum, noise_v, message);
            }
        }
    })
}

/// Makes a state that of no input.
fn clear(states: &mut States, way: usize) {
    for lane in states {
        if let Some(lane) = lane.get_mut(way) {
            *lane = 0;
        }
    }
}

/// Adds bytes to the start of a state.
fn add(states: &mut States, way: usize, bytes: &[u8]) {
    let mut lanes = states.iter_mut().filter_map(|lane| lane.get_mut(way));
    let words = bytes.chunks_exact(8);
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(words.remainder()) {
        *to = *from;
    }
    for (bytes, lane) in words.zip(&mut lanes) {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        *lane ^= u64::from_le_bytes(word);
    }
    if let Some(lane) = lanes.next() {
        *lane ^= u64::from_le_bytes(last);
    }
}

/// Adds a byte to a state.
fn add_byte(states: &mut States, way: usize, at: usize, byte: u8) {
    if let Some(lane) = states.get_mut(at / 8).and_then(|lane| lane.get_mut(way)) {
        *lane ^= u64::from(byte) << (8 * (at % 8));
    }
}

/// Adds what follows the input, of which the last block has `len` bytes.
fn add_end(states: &mut States, way: usize, len: usize, block_len: usize, suffix: u8) {
    add_byte(states, way, len, suffix);
    add_byte(states, way, block_len - 1, 0x80);
}

/// The bytes at the start of a state.
fn take(bytes: &mut [u8], states: &States, way: usize) {
    for (bytes, lane) in bytes.chunks_exact_mut(8).zip(states) {
        if let Some(lane) = lane.get(way) {
            bytes.copy_from_slice(&lane.to_le_bytes());
        }
    }
}
