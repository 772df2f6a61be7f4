// SPDX-License-Identifier: GPL-2.0

//! ML-KEM-768 encapsulation (FIPS 203), what a server does of X25519MLKEM768: constant time.
//!
//! Where there is AVX2, what can be hashed at the same time is, and 16 coefficients are dealt with
//! at once. Nothing is allocated; what does not fit on a kernel stack is in [`Scratch`].

pub(crate) mod encode;
#[cfg(target_arch = "x86_64")]
pub(crate) mod keccak;
pub(crate) mod ring;
pub(crate) mod sample;
#[cfg(target_arch = "x86_64")]
mod wide;
#[cfg(target_arch = "x86_64")]
pub(crate) mod wide_encode;
#[cfg(target_arch = "x86_64")]
pub(crate) mod wide_ring;

use crate::crypto::Crypto;
use crate::ct::{self, Secret, Zeroable};
use encode::{POLY_LEN, POLY_LEN_10, POLY_LEN_4};
use ring::{Factor, Poly};
use sample::{pairs_of_12_bits, Blocks, Uniform, NOISE_LEN};

/// Number of polynomials of a vector, k in FIPS 203.
const RANK: usize = 3;

/// Length of an encoded vector.
const VECTOR_LEN: usize = RANK * POLY_LEN;

/// Length of the seed of the matrix.
const SEED_LEN: usize = 32;

/// Length of an encapsulation key, which a client's key share begins with.
pub const ENCAPSULATION_KEY_LEN: usize = VECTOR_LEN + SEED_LEN;

/// Length of a ciphertext, which a server's key share begins with.
pub const CIPHERTEXT_LEN: usize = RANK * POLY_LEN_10 + POLY_LEN_4;

/// Length of the shared secret.
pub const SHARED_SECRET_LEN: usize = 32;

/// Length of the random message that is encrypted.
pub const MESSAGE_LEN: usize = 32;

/// What the peer sent is no encapsulation key (FIPS 203, section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

/// Number of polynomials of noise: two vectors and one more.
const NOISES: usize = 2 * RANK + 1;

/// Working memory of one encapsulation, of some 15 KiB. All zeroes is a valid value. What is secret
/// in it is wiped when the encapsulation is done.
pub struct Scratch {
    secret: Secret<Secrets>,
    public: Public,
}

struct Public {
    /// The transposed matrix. With AVX2, it is also where the vector of the key is decoded.
    matrix: [[Uniform; RANK]; RANK],
    /// What some of it is made from.
    blocks: [Blocks; RANK],
    /// The hash of the encapsulation key.
    hash: [u8; 32],
}

#[derive(Clone, Copy)]
struct Secrets {
    /// The random message and the hash of the key.
    input: [u8; MESSAGE_LEN + 32],
    /// The shared secret and the seed of the noise.
    output: [u8; SHARED_SECRET_LEN + 32],
    /// What the polynomials of noise are made from.
    noise: [[u8; NOISE_LEN]; NOISES],
    /// The vector y of FIPS 203, algorithm 14. With AVX2, this and the sum are of 16 bits.
    y: [Factor; RANK],
    sum: Poly,
    #[cfg(target_arch = "x86_64")]
    states: [keccak::States; 2],
}

// SAFETY: It is made of integers.
unsafe impl Zeroable for Secrets {}

/// Makes a shared secret and encapsulates it for the holder of `key` (FIPS 203, algorithm 20).
///
/// After [`InvalidKey`], `ciphertext` and `shared` are as they were.
pub fn encapsulate<C: Crypto>(
    key: &[u8],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    let mut message = Secret::new([0; MESSAGE_LEN]);
    C::random(&mut *message);
    encapsulate_with::<C>(key, &message, scratch, ciphertext, shared)
}

/// [`encapsulate`] with a given message (FIPS 203, algorithm 17).
pub fn encapsulate_with<C: Crypto>(
    key: &[u8],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    encapsulate_on::<C>(true, key, message, scratch, ciphertext, shared)
}

/// [`encapsulate_with`], using AVX2 or not.
pub(crate) fn encapsulate_on<C: Crypto>(
    wide: bool,
    key: &[u8],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    let key: &[u8; ENCAPSULATION_KEY_LEN] = key.try_into().map_err(|_| InvalidKey)?;
    let (vector, matrix_seed) = key.split_last_chunk().ok_or(InvalidKey)?;
    let vector = vector.try_into().map_err(|_| InvalidKey)?;
    if !is_reduced::<C>(wide, vector, scratch) {
        return Err(InvalidKey);
    }

    expand::<C>(wide, key, matrix_seed, scratch);
    let s = &mut *scratch.secret;
    let (input_message, input_hash) = s.input.split_at_mut(MESSAGE_LEN);
    input_message.copy_from_slice(message);
    input_hash.copy_from_slice(&scratch.public.hash);
    C::sha3_512(&s.input, &mut s.output);
    let (output_shared, _) = s.output.split_at(SHARED_SECRET_LEN);
    shared.copy_from_slice(output_shared);

    noise_bytes::<C>(wide, s);
    encrypt::<C>(wide, vector, message, scratch, ciphertext);
    ct::wipe(core::slice::from_mut(&mut *scratch.secret));
    Ok(())
}

/// Whether all coefficients of a vector are below q (FIPS 203, section 7.2).
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn is_reduced<C: Crypto>(wide: bool, vector: &[u8; VECTOR_LEN], scratch: &mut Scratch) -> bool {
    #[cfg(target_arch = "x86_64")]
    if wide {
        if let Some(reduced) = wide::is_reduced::<C>(vector, &mut scratch.public) {
            return reduced;
        }
    }
    encode::is_reduced(vector)
}

/// Makes the matrix from its seed, and the hash of the key.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn expand<C: Crypto>(
    wide: bool,
    key: &[u8; ENCAPSULATION_KEY_LEN],
    matrix_seed: &[u8; SEED_LEN],
    scratch: &mut Scratch,
) {
    let p = &mut scratch.public;
    let mut seed = [0; SEED_LEN + 2];
    let (seed_start, _) = seed.split_at_mut(SEED_LEN);
    seed_start.copy_from_slice(matrix_seed);
    #[cfg(target_arch = "x86_64")]
    if wide && wide::expand::<C>(key, &mut seed, p, &mut scratch.secret.states) {
        return;
    }
    C::sha3_256(key, &mut p.hash);
    let [blocks, ..] = &mut p.blocks;
    for (row, polynomials) in (0..).zip(&mut p.matrix) {
        for (column, polynomial) in (0..).zip(polynomials) {
            set_indices(&mut seed, row, column);
            polynomial.sample::<C>(&seed, blocks);
        }
    }
}

/// Completes the seed of a polynomial of the transposed matrix. As it is transposed, the indices
/// are in this order (FIPS 203, algorithm 14, line 6).
fn set_indices(seed: &mut [u8; SEED_LEN + 2], row: u8, column: u8) {
    let [.., first, second] = seed;
    (*first, *second) = (row, column);
}

/// What the polynomials of noise are made from (FIPS 203, equation 4.3).
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn noise_bytes<C: Crypto>(wide: bool, s: &mut Secrets) {
    let (_, output_seed) = s.output.split_at(SHARED_SECRET_LEN);
    #[cfg(target_arch = "x86_64")]
    if wide && wide::noise::<C>(output_seed, &mut s.noise, &mut s.states) {
        return;
    }
    let mut seed = Secret::new([0; 33]);
    let (seed_start, _) = seed.split_at_mut(output_seed.len());
    seed_start.copy_from_slice(output_seed);
    for (number, noise) in (0..).zip(&mut s.noise) {
        let [.., last] = &mut *seed;
        *last = number;
        C::shake256(seed.as_slice(), noise);
    }
}

/// Encrypts a message (FIPS 203, algorithm 14), with matrix and noise in `scratch`.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn encrypt<C: Crypto>(
    wide: bool,
    vector: &[u8; VECTOR_LEN],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
) {
    #[cfg(target_arch = "x86_64")]
    if wide && wide::encrypt::<C>(vector, message, scratch, ciphertext) {
        return;
    }
    let s = &mut *scratch.secret;
    let (noise_y, noise_e) = s.noise.split_at(RANK);
    for (noise, y) in noise_y.iter().zip(&mut s.y) {
        sample::noise_scaled(&mut s.sum, noise);
        ring::transform(y, &mut s.sum);
    }

    let (u, v) = ciphertext.split_at_mut(RANK * POLY_LEN_10);
    let rows = scratch.public.matrix.iter().zip(noise_e);
    for (u, (row, noise)) in u.chunks_exact_mut(POLY_LEN_10).zip(rows) {
        s.sum.fill(0);
        for (polynomial, y) in row.iter().zip(&s.y) {
            ring::multiply_add(&mut s.sum, y, polynomial.pairs());
        }
        ring::inverse_transform(&mut s.sum);
        sample::noise_add(&mut s.sum, noise);
        encode::encode_10(u, &s.sum);
    }

    s.sum.fill(0);
    for (t, y) in vector.chunks_exact(POLY_LEN).zip(&s.y) {
        ring::multiply_add(&mut s.sum, y, pairs_of_12_bits(t));
    }
    ring::inverse_transform(&mut s.sum);
    let [.., noise] = &s.noise;
    sample::noise_add(&mut s.sum, noise);
    encode::message_add(&mut s.sum, message);
    encode::encode_4(v, &s.sum);
}
