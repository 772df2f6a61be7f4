// SPDX-License-Identifier: GPL-2.0
//! ML-KEM-768 against other implementations: ciphertexts for random keys are those of libcrux and
//! of RustCrypto's `ml-kem`, which also decapsulate them; Project Wycheproof's vectors; and the
//! transform against its definition.
//!
//! The arithmetic is private to the crate, so its sources are compiled into this test.
#![allow(dead_code)]

#[path = "../../lib-crypto/lib/crypto/ct.rs"]
mod ct;
#[path = "../src/host_platform.rs"]
mod host_platform;
#[path = "../src/memcheck.rs"]
mod memcheck;
#[path = "../../lib-crypto/lib/crypto/mlkem/mod.rs"]
mod mlkem;
#[path = "../src/platform/mlkem.rs"]
mod platform_mlkem;

use host_platform::HostCrypto;
use libcrux_ml_kem::mlkem768 as libcrux;
use ml_kem_crate::kem::Decapsulate;
use ml_kem_crate::{EncapsulateDeterministic, EncodedSizeUser, KemCore, MlKem768};
use mlkem::ring::{self, Factor, Poly, Q};
use mlkem::{InvalidKey, Scratch, CIPHERTEXT_LEN, SHARED_SECRET_LEN};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tls_handshake_host::rounds;
use wycheproof::mlkem::{TestName, TestSet};
use wycheproof::TestResult;

fn scratch() -> Box<Scratch> {
    // SAFETY: Zeroes are a valid value.
    unsafe { tls_handshake_host::zeroed() }
}

/// Our ciphertext and shared secret.
fn encapsulate(
    scratch: &mut Scratch,
    key: &[u8],
    message: &[u8; 32],
) -> Result<([u8; CIPHERTEXT_LEN], [u8; SHARED_SECRET_LEN]), InvalidKey> {
    let mut ciphertext = [0; CIPHERTEXT_LEN];
    let mut shared = [0; SHARED_SECRET_LEN];
    let got =
        mlkem::encapsulate_with::<HostCrypto>(key, message, scratch, &mut ciphertext, &mut shared);
    // With assembly and without it.
    let (mut same_ciphertext, mut same_shared) = ([0; CIPHERTEXT_LEN], [0; SHARED_SECRET_LEN]);
    let (to, shared_to) = (&mut same_ciphertext, &mut same_shared);
    let same = mlkem::encapsulate_on::<HostCrypto>(false, key, message, scratch, to, shared_to);
    assert_eq!(got, same);
    assert!(ciphertext == same_ciphertext && shared == same_shared);
    got.map(|()| (ciphertext, shared))
}

#[test]
fn wycheproof_encapsulation() {
    let mut scratch = scratch();
    let set = TestSet::load(TestName::MlKem768Encaps).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key = test.encaps_key.as_ref().unwrap();
        let message = test.msg.as_ref().unwrap()[..].try_into().unwrap();
        let got = encapsulate(&mut scratch, key, message);
        match test.result {
            TestResult::Invalid => {
                assert_eq!(got, Err(InvalidKey), "{}", test.tc_id);
                invalid += 1;
            }
            TestResult::Valid | TestResult::Acceptable => {
                let (ciphertext, shared) = got.unwrap();
                assert_eq!(
                    ciphertext[..],
                    test.ct.as_ref().unwrap()[..],
                    "{}",
                    test.tc_id
                );
                let want = test.shared_secret.as_ref().unwrap();
                assert_eq!(shared[..], want[..], "{}", test.tc_id);
                valid += 1;
            }
        }
    }
    assert!(valid > 100 && invalid > 100, "{valid} and {invalid}");
}

/// Keys that other vectors are about: ours are encapsulations for them, which libcrux opens with the
/// private key of the vector's seed.
#[test]
fn wycheproof_keys() {
    let mut scratch = scratch();
    for name in [TestName::MlKem768, TestName::MlKem768KeyGenSeed] {
        let set = TestSet::load(name).unwrap();
        let mut run = 0u8;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (Some(seed), Some(key)) = (&test.seed, &test.encaps_key) else {
                continue;
            };
            let Ok(seed) = seed[..].try_into() else {
                assert_eq!(test.result, TestResult::Invalid);
                continue;
            };
            let keys = libcrux::generate_key_pair(seed);
            assert_eq!(keys.pk()[..], key[..], "{}", test.tc_id);
            let (ciphertext, shared) = encapsulate(&mut scratch, key, &[run; 32]).unwrap();
            let opened = libcrux::decapsulate(keys.private_key(), &ciphertext.into());
            assert_eq!(opened, shared, "{}", test.tc_id);
            run += 1;
        }
        assert!(run >= 100, "{run}");
    }
}

#[test]
fn random_keys() {
    let mut rng = StdRng::seed_from_u64(203);
    let mut scratch = scratch();
    for _ in 0..rounds(2) {
        let mut seed = [0; 64];
        rng.fill(&mut seed[..]);
        let keys = libcrux::generate_key_pair(seed);
        let message = rng.gen();
        let (ciphertext, shared) =
            encapsulate(&mut scratch, keys.pk(), &message).expect("a valid key");

        let (their_ciphertext, their_shared) = libcrux::encapsulate(keys.public_key(), message);
        assert!(ciphertext == *their_ciphertext.as_slice() && shared == their_shared);
        let opened = libcrux::decapsulate(keys.private_key(), &ciphertext.into());
        assert_eq!(opened, shared);

        type Public = <MlKem768 as KemCore>::EncapsulationKey;
        type Private = <MlKem768 as KemCore>::DecapsulationKey;
        let public = Public::from_bytes(&(*keys.pk()).into());
        let (their_ciphertext, their_shared) =
            public.encapsulate_deterministic(&message.into()).unwrap();
        assert!(ciphertext[..] == their_ciphertext[..] && shared[..] == their_shared[..]);
        let private = Private::from_bytes(&(*keys.sk()).into());
        let opened = private.decapsulate(&ciphertext.into()).unwrap();
        assert_eq!(opened[..], shared[..]);
    }
}

/// Keys with some coefficient that may be out of range, as libcrux sees them.
#[test]
fn random_coefficients() {
    let mut rng = StdRng::seed_from_u64(72);
    let mut scratch = scratch();
    let keys = libcrux::generate_key_pair([7; 64]);
    let mut refused = 0;
    for _ in 0..2000 {
        let mut key = *keys.pk();
        let place = rng.gen_range(0..1152);
        key[place] = rng.gen::<u8>() | 0xd0;
        let valid = libcrux::validate_public_key(&key.into());
        assert_eq!(encapsulate(&mut scratch, &key, &[1; 32]).is_ok(), valid);
        refused += u32::from(!valid);
    }
    assert!((200..1800).contains(&refused), "{refused}");
}

/// The coefficients of a polynomial.
fn coefficients(f: &Poly) -> Vec<u64> {
    f.iter()
        .flat_map(|word| [word & 0xffff_ffff, word >> 32])
        .collect()
}

/// A polynomial of coefficients that `make` makes.
fn poly(mut make: impl FnMut() -> u64) -> Poly {
    std::array::from_fn(|_| make() | make() << 32)
}

fn power(base: u64, exponent: usize) -> u64 {
    (0..exponent).fold(1, |product, _| product * base % Q)
}

/// What X^2 is in the i-th ring: 17^(2 BitRev7(i) + 1) (FIPS 203, section 4.3).
fn gamma(i: usize) -> u64 {
    power(17, 2 * ((i as u8).reverse_bits() as usize >> 1) + 1)
}

/// The transform by its definition: remainders modulo X^2 - gamma (FIPS 203, equation 4.12).
fn transform(f: &[u64]) -> Vec<u64> {
    let remainder = |i: usize| {
        let gamma = gamma(i);
        let pairs = f.chunks(2).rev();
        pairs.fold([0, 0], |[a, b], pair| {
            [(a * gamma + pair[0]) % Q, (b * gamma + pair[1]) % Q]
        })
    };
    (0..128).flat_map(remainder).collect()
}

/// A product by the definition, modulo X^256 + 1.
fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut result = vec![0; 256];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            let term = a * b % Q;
            let (place, term) = if i + j < 256 {
                (i + j, term)
            } else {
                (i + j - 256, Q - term)
            };
            result[place] = (result[place] + term) % Q;
        }
    }
    result
}

/// Numbers below a bound, many of them as large or as small as can be.
fn extreme(rng: &mut StdRng, bound: u64) -> u64 {
    match rng.gen_range(0..4) {
        0 => 0,
        1 => rng.gen_range(0..bound),
        _ => bound - 1,
    }
}

#[test]
fn forward_transform() {
    const BOUND: u64 = 14 * Q / 10;

    let mut rng = StdRng::seed_from_u64(9);
    for round in 0..1000 {
        let f = poly(|| match round {
            0 => BOUND - 1,
            1 => 0,
            _ => extreme(&mut rng, BOUND),
        });
        let want = transform(&coefficients(&f));
        let mut factor: Factor = [[0; 2]; 128];
        ring::transform(&mut factor, &mut f.clone());
        for (i, &[word, turned]) in factor.iter().enumerate() {
            let got = [
                word & 0xffff_ffff,
                word >> 32,
                turned & 0xffff_ffff,
                turned >> 32,
            ];
            assert!(got.iter().all(|x| *x < 2 * Q), "{got:?}");
            let [a, b] = [want[2 * i], want[2 * i + 1]];
            assert_eq!(got.map(|x| x % Q), [a, b, b * gamma(i) % Q, a]);
        }
    }
}

#[test]
fn inverse_transform() {
    const BOUND: u64 = 12 * Q * Q;

    let mut rng = StdRng::seed_from_u64(10);
    for round in 0..1000 {
        let f = poly(|| match round {
            0 => BOUND - 1,
            1 => 0,
            _ => extreme(&mut rng, BOUND),
        });
        let mut result = f;
        ring::inverse_transform(&mut result);
        let got = coefficients(&result);
        assert!(got.iter().all(|x| *x < 38 * Q));
        let scaled: Vec<u64> = got.iter().map(|x| x * ring::SCALE % Q).collect();
        let want: Vec<u64> = coefficients(&f).iter().map(|x| x % Q).collect();
        assert_eq!(transform(&scaled), want);
    }
}

#[test]
fn products() {
    let mut rng = StdRng::seed_from_u64(11);
    for _ in 0..20 {
        let mut sum: Poly = [0; 128];
        let mut want = vec![0; 256];
        for _ in 0..3 {
            let a = poly(|| extreme(&mut rng, Q));
            let b = poly(|| extreme(&mut rng, Q));
            let mut factor: Factor = [[0; 2]; 128];
            ring::transform(&mut factor, &mut a.clone());
            let other = transform(&coefficients(&b));
            let pairs = other.chunks(2).map(|pair| [pair[0] as u16, pair[1] as u16]);
            ring::multiply_add(&mut sum, &factor, pairs);
            for (want, term) in want
                .iter_mut()
                .zip(product(&coefficients(&a), &coefficients(&b)))
            {
                *want = (*want + term) % Q;
            }
        }
        ring::inverse_transform(&mut sum);
        let got: Vec<u64> = coefficients(&sum)
            .iter()
            .map(|x| x * ring::SCALE % Q)
            .collect();
        assert_eq!(got, want);
    }
}

/// Arithmetic with the registers of AVX2, where a word has four coefficients with a sign.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::*;
    use mlkem::avx2_encode::decode;
    use mlkem::avx2_ring;
    use mlkem::sample::{self, Uniform, NOISE_LEN};
    use mlkem::Platform;

    /// Coefficients as they are in words.
    fn words(coefficients: &[i64]) -> Vec<u64> {
        let word = |four: &[i64]| {
            let words = four.iter().map(|a| *a as u64 & 0xffff);
            words.rev().fold(0, |word, a| word << 16 | a)
        };
        coefficients.chunks(4).map(word).collect()
    }

    /// The coefficients in words.
    fn coefficients<'a>(words: impl IntoIterator<Item = &'a u64>) -> Vec<i64> {
        let words = words.into_iter();
        words
            .flat_map(|word| [0, 16, 32, 48].map(|shift| (word >> shift) as i16 as i64))
            .collect()
    }

    fn reduced(a: i64) -> u64 {
        a.rem_euclid(Q as i64) as u64
    }

    /// Numbers below a tenth of a multiple of q, of both signs.
    fn signed(rng: &mut StdRng, tenths: u64) -> i64 {
        let a = extreme(rng, (tenths * Q).div_ceil(10)) as i64;
        a * [1, -1][rng.gen_range(0..2)]
    }

    fn is_below(a: i64, tenths: u64) -> bool {
        10 * a.unsigned_abs() < tenths * Q
    }

    /// Runs it if there is AVX2.
    fn run(f: impl FnOnce()) -> bool {
        HostCrypto::with_avx2(f)
    }

    #[test]
    fn forward_transform() {
        let mut rng = StdRng::seed_from_u64(12);
        for round in 0..1000 {
            // From -2 to 2 are these bytes' coefficients.
            let noise: [u8; NOISE_LEN] = std::array::from_fn(|_| match round {
                0 => 0x33,
                1 => 0xcc,
                2 => 0,
                3..500 => [0x33, 0xcc, 0x3c, 0xc3][rng.gen_range(0..4)],
                _ => rng.gen(),
            });
            let mut factor: Factor = [[0; 2]; 128];
            // SAFETY: There is AVX2.
            if !run(|| unsafe { avx2_ring::transform(&mut factor, &noise) }) {
                return;
            }
            let mut f: Poly = [0; 128];
            sample::noise_scaled(&mut f, &noise);
            let want = transform(&super::coefficients(&f));
            let got = coefficients(factor.as_flattened());
            let pairs = got[..256].chunks(2).zip(got[256..512].chunks(2));
            for (i, (first, second)) in pairs.enumerate() {
                let &[b0, b1_zeta] = first else { panic!() };
                let &[b1, b0_too] = second else { panic!() };
                assert!(is_below(b0, 10) && is_below(b1_zeta, 10));
                assert!(is_below(b1, 74) && is_below(b0_too, 74));
                let [a, b] = [want[2 * i], want[2 * i + 1]];
                assert_eq!(
                    [b0, b1_zeta, b1, b0_too].map(reduced),
                    [a, b * gamma(i) % Q, b, a]
                );
            }
        }
    }

    #[test]
    fn products() {
        let mut rng = StdRng::seed_from_u64(13);
        for round in 0..1000 {
            let mut random = |bound| match round {
                0 => bound as i64 * Q as i64 / 10,
                1 => -(bound as i64 * Q as i64 / 10),
                _ => signed(&mut rng, bound),
            };
            // The first of both is what the transform leaves at most.
            let firsts: [Vec<i64>; 3] =
                std::array::from_fn(|_| (0..256).map(|_| random(10)).collect());
            let seconds: [Vec<i64>; 3] =
                std::array::from_fn(|_| (0..256).map(|_| random(74)).collect());
            let mut factors: [Factor; 3] = [[[0; 2]; 128]; 3];
            for ((factor, first), second) in factors.iter_mut().zip(&firsts).zip(&seconds) {
                let both = words(&[&first[..], second].concat());
                factor.as_flattened_mut()[..128].copy_from_slice(&both);
            }
            // SAFETY: Zeroes are a valid value.
            let mut row: Box<[Uniform; 3]> = unsafe { tls_handshake_host::zeroed() };
            let mut sum: Poly = [0; 128];
            let others: [[u8; 384]; 3] = std::array::from_fn(|_| {
                let mut bytes = [0; 384];
                for three in bytes.chunks_mut(3) {
                    let [a, b] = [0; 2].map(|_| match round {
                        0 | 1 => Q - 1,
                        _ => extreme(&mut rng, Q),
                    });
                    three.copy_from_slice(&(a | b << 12).to_le_bytes()[..3]);
                }
                bytes
            });
            // SAFETY: There is AVX2.
            let done = run(|| unsafe {
                for (to, bytes) in row.iter_mut().zip(&others) {
                    decode(to, bytes);
                }
                avx2_ring::product(&mut sum, &row, &factors);
            });
            if !done {
                return;
            }
            let mut want = [0; 256];
            for ((other, first), second) in row.iter().zip(&firsts).zip(&seconds) {
                for (i, [a0, a1]) in other.pairs().enumerate() {
                    let term = |b: &[i64]| i64::from(a0) * b[2 * i] + i64::from(a1) * b[2 * i + 1];
                    want[2 * i] += term(first);
                    want[2 * i + 1] += term(second);
                }
            }
            for (got, want) in coefficients(&sum[..64]).into_iter().zip(want) {
                assert!(is_below(got, 28));
                assert_eq!(reduced(got << 16), reduced(want));
            }
        }
    }

    #[test]
    fn inverse_transform() {
        let mut rng = StdRng::seed_from_u64(14);
        let inverse = |f: &[i64]| {
            let mut words: Poly = [words(f), vec![0; 64]].concat().try_into().unwrap();
            // SAFETY: There is AVX2.
            run(|| unsafe { avx2_ring::inverse_transform(&mut words) }).then(|| {
                let got = coefficients(&words[..64]);
                assert!(got.iter().all(|a| is_below(*a, 92)));
                got.into_iter().map(reduced).collect::<Vec<_>>()
            })
        };
        for _ in 0..1000 {
            let f: Vec<i64> = (0..256).map(|_| signed(&mut rng, 28)).collect();
            let Some(got) = inverse(&f) else { return };
            let want: Vec<u64> = f.into_iter().map(|a| reduced(128 * a)).collect();
            assert_eq!(transform(&got), want);
        }
        // All sums grow as much as they can.
        let bound = 28 * Q as i64 / 10;
        for a in -bound..=bound {
            let Some(got) = inverse(&[a; 256]) else {
                return;
            };
            assert_eq!(got[..2], [reduced(128 * a); 2]);
            assert!(got[2..].iter().all(|a| *a == 0));
        }
    }
}
