// SPDX-License-Identifier: GPL-2.0

//! The hashing of an encapsulation, four at a time (FIPS 202): the hash of the key beside the
//! matrix, a row of it at a time, and then the noise.

use super::keccak::{permute, States, WAYS};
use super::sample::{BLOCKS, BLOCK_LEN, NOISE_LEN};
use super::{set_indices, Public, ENCAPSULATION_KEY_LEN, NOISES, RANK, SEED_LEN};
use crate::crypto::Crypto;

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
pub(super) fn expand<C: Crypto>(
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
        let done = C::with_avx2(|| {
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
        });
        if !done {
            return false;
        }
        for ((column, polynomial), blocks) in (0..).zip(polynomials).zip(blocks) {
            if !polynomial.sample_from(blocks) {
                set_indices(seed, row, column);
                polynomial.sample::<C>(seed, blocks);
            }
        }
    }
    take(&mut public.hash, states, KEY_WAY);
    true
}

/// [`super::noise_bytes`]. False if AVX2 cannot be used.
pub(super) fn noise<C: Crypto>(
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
        if !C::with_avx2(|| unsafe { permute(states, work) }) {
            return false;
        }
        for (way, noise) in noise.iter_mut().enumerate() {
            take(noise, states, way);
        }
    }
    true
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
    for (lane, bytes) in states.iter_mut().zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        if let Some(lane) = lane.get_mut(way) {
            *lane ^= u64::from_le_bytes(word);
        }
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
