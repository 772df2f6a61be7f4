// SPDX-License-Identifier: GPL-2.0
//! The arithmetic of P-256 against num-bigint-dig's, on random numbers and on such whose limbs are
//! at borders, where there are carries that random numbers have once in 2^64 times.
//!
//! The arithmetic is private to the crate, so its sources are compiled into this test.
#![allow(dead_code)]

#[macro_use]
#[path = "../../lib-crypto/lib/crypto/cpu.rs"]
mod cpu;
#[path = "../../lib-crypto/lib/crypto/ct.rs"]
mod ct;
#[path = "../../lib-crypto/lib/crypto/divsteps.rs"]
mod divsteps;
#[path = "../src/host_platform.rs"]
mod host_platform;
#[path = "../../lib-crypto/lib/crypto/limbs.rs"]
mod limbs;
#[path = "../src/memcheck.rs"]
mod memcheck;
#[path = "../../lib-crypto/lib/crypto/p256/mod.rs"]
mod p256;
#[path = "../src/platform/cpu.rs"]
mod platform_cpu;
#[path = "../src/platform/p256.rs"]
mod platform_p256;

use num_bigint_dig::{BigUint, ModInverse};
use p256::field::{Backend, Fe, Portable};
use p256::mont::{add_reduced, from_be_bytes, to_be_bytes, Limbs, Modulus, Residue, N, P};
use p256::{ecdh_with, public_key_with, PrivateKey};
use p256_crate::elliptic_curve::sec1::ToEncodedPoint;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tls_handshake_host::rounds;

fn big(limbs: &[u64]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

/// The lowest 256 bits.
fn limbs(number: &BigUint) -> Limbs {
    let mut bytes = number.to_bytes_le();
    bytes.resize(32, 0);
    bytes.reverse();
    from_be_bytes(bytes.last_chunk().unwrap())
}

fn power_of_two(bits: usize) -> BigUint {
    BigUint::from(1u8) << bits
}

/// A modulus and what is computed from it.
struct Numbers {
    m: BigUint,
    /// 2^256, and its inverse.
    radix: BigUint,
    radix_inverse: BigUint,
}

impl Numbers {
    fn new<T: Modulus>() -> Self {
        let (m, radix) = (big(&T::M), power_of_two(256));
        let radix_inverse = inverse(&radix, &m);
        Numbers {
            m,
            radix,
            radix_inverse,
        }
    }
}

fn inverse(a: &BigUint, m: &BigUint) -> BigUint {
    a.mod_inverse(m).unwrap().to_biguint().unwrap()
}

fn crafted(rng: &mut StdRng) -> BigUint {
    const BORDERS: [u64; 8] = [
        0,
        1,
        2,
        0xffff_ffff,
        1 << 32,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    big(&[0; 4].map(|_| BORDERS[rng.gen_range(0..BORDERS.len())]))
}

/// A number below 2^256: a random one, one of limbs at borders, or one beside the modulus, half of
/// it, or a power of two.
fn any(rng: &mut StdRng, n: &Numbers) -> BigUint {
    let distance = BigUint::from(rng.gen_range(0u64..4));
    let near = match rng.gen_range(0..8) {
        0..=2 => return big(&rng.gen::<Limbs>()),
        3 | 4 => return crafted(rng),
        5 => n.m.clone(),
        6 => &n.m >> 1,
        _ => power_of_two(rng.gen_range(0..257)),
    };
    match rng.gen() {
        true => (near + distance) % &n.radix,
        false => (near + &n.radix - distance) % &n.radix,
    }
}

/// Two numbers, the first of which is below the modulus and the second below 2^256. In most cases
/// they are chosen for their product: its lower half, its upper half, or its residue.
fn pair(rng: &mut StdRng, n: &Numbers) -> (BigUint, BigUint) {
    let a = any(rng, n) % &n.m;
    let odd = &a | BigUint::from(1u8);
    match rng.gen_range(0..4) {
        // Then a Montgomery reduction has the carries of limbs at borders.
        1 if odd < n.m => {
            let b = inverse(&odd, &n.radix) * crafted(rng) % &n.radix;
            (odd, b)
        }
        2 if odd < n.m => {
            let b = (crafted(rng) << 256) / &odd;
            (odd, b % &n.radix)
        }
        // Then the result is where the last subtraction begins or ends.
        3 if a != BigUint::default() => {
            let result = any(rng, n) % &n.m;
            let b = result * &n.radix * inverse(&a, &n.m) % &n.m;
            (a, b)
        }
        _ => (a, any(rng, n)),
    }
}

/// A number below p whose square is chosen for its lower half or for its residue.
fn root(rng: &mut StdRng, n: &Numbers) -> BigUint {
    if rng.gen() {
        // p is 3 modulo 4. If it is no square, its negative is.
        let square = any(rng, n) * &n.radix % &n.m;
        return square.modpow(&((&n.m + BigUint::from(1u8)) >> 2), &n.m);
    }
    // Squares of odd numbers are 1 modulo 8, and each such number is one modulo 2^256. A bit of
    // the root decides the next bit of the square.
    let eight = BigUint::from(8u8);
    let square = limbs(&(crafted(rng) / &eight * &eight + BigUint::from(1u8)));
    let mut x: Limbs = [1, 0, 0, 0];
    for bit in 3..256 {
        let got = limbs(&(big(&x) * big(&x)));
        let wrong = (got[bit / 64] ^ square[bit / 64]) >> (bit % 64) & 1;
        x[(bit - 1) / 64] |= wrong << ((bit - 1) % 64);
    }
    big(&x) % &n.m
}

fn field<B: Backend>(backend: B, seed: u64) {
    let n = Numbers::new::<P>();
    let mut rng = StdRng::seed_from_u64(seed);
    let half = inverse(&BigUint::from(2u8), &n.m);
    for round in 0..rounds(1) {
        let (a, b) = pair(&mut rng, &n);
        let (x, loose) = (limbs(&a), limbs(&b));
        let (b, y) = (&b % &n.m, limbs(&(&b % &n.m)));
        let product = limbs(&(&a * &b * &n.radix_inverse % &n.m));
        assert_eq!(backend.mul(&x, &loose), product, "{x:x?} {loose:x?}");
        assert_eq!(backend.mul(&x, &y), product, "{x:x?} {y:x?}");
        assert_eq!(backend.add(&x, &y), limbs(&((&a + &b) % &n.m)));
        assert_eq!(backend.sub(&x, &y), limbs(&((&a + &n.m - &b) % &n.m)));
        assert_eq!(backend.double(&x), limbs(&(&a * BigUint::from(2u8) % &n.m)));
        assert_eq!(backend.half(&x), limbs(&(&a * &half % &n.m)));
        let sum = big(&backend.add_loose(&loose, &x));
        assert_eq!(sum % &n.m, (&a + &b) % &n.m);
        let c = if round % 8 == 0 {
            root(&mut rng, &n)
        } else {
            a
        };
        let square = limbs(&(&c * &c * &n.radix_inverse % &n.m));
        assert_eq!(backend.square(&limbs(&c)), square, "{c:x}");
        if round % 8 == 0 && c != BigUint::default() {
            let want = limbs(&inverse(&c, &n.m));
            assert_eq!(Fe::new(backend, &limbs(&c)).invert().get(), want, "{c:x}");
        }
    }
}

/// No backend has a part in this.
#[test]
fn order_against_num_bigint() {
    let n = Numbers::new::<N>();
    let mut rng = StdRng::seed_from_u64(1);
    for round in 0..rounds(1) {
        let (a, b) = pair(&mut rng, &n);
        // Multiplications are with one number in Montgomery form, so that a is what the pair was
        // made for if it is taken out of it.
        let plain = limbs(&(&a * &n.radix_inverse % &n.m));
        let product = limbs(&(&a * &b * &n.radix_inverse % &n.m));
        assert_eq!(Residue::<N>::new(&plain).times(&limbs(&b)), product);
        let b = b % &n.m;
        let sum = limbs(&((&a + &b) % &n.m));
        assert_eq!(add_reduced::<N>(&limbs(&a), &limbs(&b)), sum);
        if round % 8 == 0 && a != BigUint::default() {
            let want = limbs(&inverse(&a, &n.m));
            let mut got = Residue::<N>::new(&limbs(&a));
            got.invert();
            assert_eq!(got.times(&[1, 0, 0, 0]), want, "{a:x}");
        }
    }
}

fn multiples<B: Backend>(backend: B, seed: u64) {
    let n = Numbers::new::<N>();
    let mut rng = StdRng::seed_from_u64(seed);
    let random_key = || p256_crate::SecretKey::random(&mut rand::thread_rng());
    for _ in 0..rounds(20) {
        let k = to_be_bytes(&limbs(&any(&mut rng, &n)));
        let theirs = p256_crate::SecretKey::from_slice(&k);
        let ours = PrivateKey::from_be_bytes(&k);
        assert_eq!(ours.is_some(), theirs.is_ok());
        let (Some(ours), Ok(theirs)) = (ours, theirs) else {
            continue;
        };
        let want = theirs.public_key().to_encoded_point(false);
        assert_eq!(public_key_with(backend, &ours), want.as_bytes());
        let peer = random_key().public_key();
        let mut shared = [0; 32];
        let point = peer.to_encoded_point(false);
        let public = ecdh_with(backend, &ours, point.as_bytes(), &mut shared).unwrap();
        assert_eq!(public[..], want.as_bytes()[..]);
        let want = p256_crate::ecdh::diffie_hellman(theirs.to_nonzero_scalar(), peer.as_affine());
        assert_eq!(shared[..], want.raw_secret_bytes()[..]);
    }
}

/// Tests of each backend that the CPU has.
macro_rules! for_each_backend {
    ($($name:ident: $test:ident,)*) => {
        $(mod $name {
            #[test]
            fn portable() {
                super::$test(super::Portable, 1);
            }

            #[test]
            #[cfg(target_arch = "x86_64")]
            fn assembly() {
                use super::{cpu::Adx, host_platform::HostCrypto};
                if let Some(adx) = Adx::new::<HostCrypto>() {
                    super::$test(adx, 2);
                }
            }
        })*
    };
}

for_each_backend! {
    field_against_num_bigint: field,
    multiples_against_rustcrypto: multiples,
}
