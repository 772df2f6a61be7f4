// SPDX-License-Identifier: GPL-2.0

//! ML-KEM-768 encapsulation (FIPS 203), constant time.
//!
//! Where there is AVX2, what can be hashed at the same time is, and 16 coefficients are dealt with
//! at once. Nothing is allocated; what does not fit on a kernel stack is in [`Scratch`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2_encode;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2_ring;
pub(crate) mod encode;
#[cfg(target_arch = "x86_64")]
pub(crate) mod keccak;
pub(crate) mod ring;
pub(crate) mod sample;

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

/// Length of an encapsulation key.
pub const ENCAPSULATION_KEY_LEN: usize = VECTOR_LEN + SEED_LEN;

/// Length of a ciphertext.
pub const CIPHERTEXT_LEN: usize = RANK * POLY_LEN_10 + POLY_LEN_4;

/// Length of the shared secret.
pub const SHARED_SECRET_LEN: usize = 32;

/// Length of the random message that is encrypted.
pub const MESSAGE_LEN: usize = 32;

/// What is taken from elsewhere. In the kernel that is lib/crypto; tests on other hosts use crates.
///
/// Every function may be called from any context, and none of them allocates in the kernel.
pub trait Platform: Sized {
    /// SHAKE128 (FIPS 202) from which output is taken. Wiped when dropped.
    type Shake128;

    /// SHA3-256 (FIPS 202).
    fn sha3_256(data: &[u8], out: &mut [u8; 32]);

    /// SHA3-512 (FIPS 202).
    fn sha3_512(data: &[u8], out: &mut [u8; 64]);

    /// SHAKE256 (FIPS 202) with as much output as there is room for.
    fn shake256(data: &[u8], out: &mut [u8]);

    /// Starts SHAKE128 with all of its input.
    fn shake128(data: &[u8]) -> Self::Shake128;

    /// Fills `out` with the next output of SHAKE128.
    fn shake128_squeeze(shake: &mut Self::Shake128, out: &mut [u8]);

    /// Fills `buf` from the cryptographic random number generator.
    fn random(buf: &mut [u8]);

    /// Runs something that uses popcnt and the registers of AVX2, if the CPU has these and they are
    /// free in this context. Returns whether it was run. Constant false where there is no assembly.
    fn with_avx2(run: impl FnOnce()) -> bool;
}

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
pub fn encapsulate<P: Platform>(
    key: &[u8],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    let mut message = Secret::new([0; MESSAGE_LEN]);
    P::random(&mut *message);
    encapsulate_with::<P>(key, &message, scratch, ciphertext, shared)
}

/// [`encapsulate`] with a given message (FIPS 203, algorithm 17).
pub fn encapsulate_with<P: Platform>(
    key: &[u8],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    encapsulate_on::<P>(true, key, message, scratch, ciphertext, shared)
}

/// [`encapsulate_with`], using AVX2 or not.
pub(crate) fn encapsulate_on<P: Platform>(
    avx2: bool,
    key: &[u8],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    let key: &[u8; ENCAPSULATION_KEY_LEN] = key.try_into().map_err(|_| InvalidKey)?;
    let (vector, matrix_seed) = key.split_last_chunk().ok_or(InvalidKey)?;
    let vector = vector.try_into().map_err(|_| InvalidKey)?;
    if !is_reduced::<P>(avx2, vector, scratch) {
        return Err(InvalidKey);
    }

    expand::<P>(avx2, key, matrix_seed, scratch);
    let s = &mut *scratch.secret;
    let (input_message, input_hash) = s.input.split_at_mut(MESSAGE_LEN);
    input_message.copy_from_slice(message);
    input_hash.copy_from_slice(&scratch.public.hash);
    P::sha3_512(&s.input, &mut s.output);
    let (output_shared, _) = s.output.split_at(SHARED_SECRET_LEN);
    shared.copy_from_slice(output_shared);

    noise_bytes::<P>(avx2, s);
    encrypt::<P>(avx2, vector, message, scratch, ciphertext);
    ct::wipe(core::slice::from_mut(&mut *scratch.secret));
    Ok(())
}

/// Whether all coefficients of a vector are below q (FIPS 203, section 7.2).
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn is_reduced<P: Platform>(avx2: bool, vector: &[u8; VECTOR_LEN], scratch: &mut Scratch) -> bool {
    #[cfg(target_arch = "x86_64")]
    if avx2 {
        if let Some(reduced) = avx2::is_reduced::<P>(vector, &mut scratch.public) {
            return reduced;
        }
    }
    encode::is_reduced(vector)
}

/// Makes the matrix from its seed, and the hash of the key.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn expand<P: Platform>(
    avx2: bool,
    key: &[u8; ENCAPSULATION_KEY_LEN],
    matrix_seed: &[u8; SEED_LEN],
    scratch: &mut Scratch,
) {
    let p = &mut scratch.public;
    let mut seed = [0; SEED_LEN + 2];
    let (seed_start, _) = seed.split_at_mut(SEED_LEN);
    seed_start.copy_from_slice(matrix_seed);
    #[cfg(target_arch = "x86_64")]
    if avx2 && avx2::expand::<P>(key, &mut seed, p, &mut scratch.secret.states) {
        return;
    }
    P::sha3_256(key, &mut p.hash);
    let [blocks, ..] = &mut p.blocks;
    for (row, polynomials) in (0..).zip(&mut p.matrix) {
        for (column, polynomial) in (0..).zip(polynomials) {
            set_indices(&mut seed, row, column);
            polynomial.sample::<P>(&seed, blocks);
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
fn noise_bytes<P: Platform>(avx2: bool, s: &mut Secrets) {
    let (_, output_seed) = s.output.split_at(SHARED_SECRET_LEN);
    #[cfg(target_arch = "x86_64")]
    if avx2 && avx2::noise::<P>(output_seed, &mut s.noise, &mut s.states) {
        return;
    }
    let mut seed = Secret::new([0; 33]);
    let (seed_start, _) = seed.split_at_mut(output_seed.len());
    seed_start.copy_from_slice(output_seed);
    for (number, noise) in (0..).zip(&mut s.noise) {
        let [.., last] = &mut *seed;
        *last = number;
        P::shake256(seed.as_slice(), noise);
    }
}

/// Encrypts a message (FIPS 203, algorithm 14), with matrix and noise in `scratch`.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn encrypt<P: Platform>(
    avx2: bool,
    vector: &[u8; VECTOR_LEN],
    message: &[u8; MESSAGE_LEN],
    scratch: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
) {
    #[cfg(target_arch = "x86_64")]
    if avx2 && avx2::encrypt::<P>(vector, message, scratch, ciphertext) {
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
