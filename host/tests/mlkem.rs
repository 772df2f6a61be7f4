// SPDX-License-Identifier: GPL-2.0
//! ML-KEM-768 against other implementations: ciphertexts for random keys are those of libcrux and
//! of RustCrypto's `ml-kem`, which also decapsulate them; Project Wycheproof's vectors; and the
//! transform against its definition.
//!
//! The arithmetic is private to the crate, so its sources are compiled into this test.
#![allow(dead_code)]

#[path = "../../net-tls-hs/crypto.rs"]
mod crypto;
#[path = "../../net-tls-hs/ct.rs"]
mod ct;
#[path = "../src/host_crypto.rs"]
mod host_crypto;
#[path = "../src/memcheck.rs"]
mod memcheck;
#[path = "../../net-tls-hs/mlkem/mod.rs"]
mod mlkem;

use host_crypto::HostCrypto;
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
