// SPDX-License-Identifier: GPL-2.0

//! ML-KEM-768 encapsulation (FIPS 203), what a server does of X25519MLKEM768: constant time and
//! without assembly.
//!
//! The matrix is made from its seed one polynomial at a time and never kept. Nothing is allocated;
//! what does not fit on a kernel stack is in [`Scratch`].

pub(crate) mod encode;
pub(crate) mod ring;
pub(crate) mod sample;

use crate::crypto::Crypto;
use crate::ct::{self, Secret, Zeroable};
use encode::{POLY_LEN, POLY_LEN_10, POLY_LEN_4};
use ring::{Factor, Poly};
use sample::{pairs_of_12_bits, Uniform, NOISE_LEN};

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

/// Working memory of one encapsulation, of some 9 KiB. All zeroes is a valid value. What is secret
/// in it is wiped when the encapsulation is done.
pub struct Scratch {
    secret: Secret<Secrets>,
    matrix: Uniform,
}

#[derive(Clone, Copy)]
struct Secrets {
    /// The random message and the hash of the key.
    input: [u8; MESSAGE_LEN + 32],
    /// The shared secret and the seed of the noise.
    output: [u8; SHARED_SECRET_LEN + 32],
    /// The seed of the noise and the number of the polynomial.
    seed: [u8; 33],
    noise: [u8; NOISE_LEN],
    /// The vector y of FIPS 203, algorithm 14.
    y: [Factor; RANK],
    sum: Poly,
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
    let key: &[u8; ENCAPSULATION_KEY_LEN] = key.try_into().map_err(|_| InvalidKey)?;
    let (vector, matrix_seed) = key.split_last_chunk().ok_or(InvalidKey)?;
    if !encode::is_reduced(vector) {
        return Err(InvalidKey);
    }

    let s = &mut *scratch.secret;
    let mut hash = [0; 32];
    C::sha3_256(key, &mut hash);
    let (input_message, input_hash) = s.input.split_at_mut(MESSAGE_LEN);
    input_message.copy_from_slice(message);
    input_hash.copy_from_slice(&hash);
    C::sha3_512(&s.input, &mut s.output);
    let (output_shared, output_seed) = s.output.split_at(SHARED_SECRET_LEN);
    shared.copy_from_slice(output_shared);
    let (seed, _) = s.seed.split_at_mut(output_seed.len());
    seed.copy_from_slice(output_seed);

    encrypt::<C>(vector, matrix_seed, message, scratch, ciphertext);
    ct::wipe(core::slice::from_mut(&mut *scratch.secret));
    Ok(())
}

/// Encrypts a message (FIPS 203, algorithm 14), with the noise's seed in `scratch`.
fn encrypt<C: Crypto>(
    vector: &[u8],
    matrix_seed: &[u8; SEED_LEN],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
) {
    let (s, matrix) = (&mut *scratch.secret, &mut scratch.matrix);
    for (number, y) in (0..).zip(&mut s.y) {
        noise_bytes::<C>(&mut s.noise, &mut s.seed, number);
        sample::noise_scaled(&mut s.sum, &s.noise);
        ring::transform(y, &mut s.sum);
    }

    let mut seed = [0; SEED_LEN + 2];
    let (seed_start, _) = seed.split_at_mut(SEED_LEN);
    seed_start.copy_from_slice(matrix_seed);
    let (u, v) = ciphertext.split_at_mut(RANK * POLY_LEN_10);
    for (row, u) in (0..).zip(u.chunks_exact_mut(POLY_LEN_10)) {
        s.sum.fill(0);
        for (column, y) in (0..).zip(&s.y) {
            // The transposed matrix is multiplied by, hence this order.
            let [.., first, second] = &mut seed;
            (*first, *second) = (row, column);
            matrix.sample::<C>(&seed);
            ring::multiply_add(&mut s.sum, y, matrix.pairs());
        }
        ring::inverse_transform(&mut s.sum);
        noise_bytes::<C>(&mut s.noise, &mut s.seed, RANK as u8 + row);
        sample::noise_add(&mut s.sum, &s.noise);
        encode::encode_10(u, &s.sum);
    }

    s.sum.fill(0);
    for (t, y) in vector.chunks_exact(POLY_LEN).zip(&s.y) {
        ring::multiply_add(&mut s.sum, y, pairs_of_12_bits(t));
    }
    ring::inverse_transform(&mut s.sum);
    noise_bytes::<C>(&mut s.noise, &mut s.seed, 2 * RANK as u8);
    sample::noise_add(&mut s.sum, &s.noise);
    encode::message_add(&mut s.sum, message);
    encode::encode_4(v, &s.sum);
}

/// What noise polynomial `number` is made from (FIPS 203, equation 4.3).
fn noise_bytes<C: Crypto>(noise: &mut [u8; NOISE_LEN], seed: &mut [u8; 33], number: u8) {
    let [.., last] = seed;
    *last = number;
    C::shake256(seed, noise);
}
