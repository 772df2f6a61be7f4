// SPDX-License-Identifier: GPL-2.0
//! RSA against other implementations: signatures of random keys are verified by ring and by
//! RustCrypto's `rsa`, arithmetic is compared with num-bigint-dig's.
//!
//! The arithmetic is private to the crate, so its sources are compiled into this test.
#![allow(dead_code)]

#[macro_use]
#[path = "../../lib-crypto/lib/crypto/cpu.rs"]
mod cpu;
#[path = "../../lib-crypto/lib/crypto/ct.rs"]
mod ct;
#[path = "../src/host_platform.rs"]
mod host_platform;
#[path = "../src/memcheck.rs"]
mod memcheck;
#[path = "../src/platform/cpu.rs"]
mod platform_cpu;
#[path = "../src/platform/rsa_pss.rs"]
mod platform_rsa_pss;
#[path = "../../lib-crypto/lib/crypto/rsa_pss/mod.rs"]
mod rsa_pss;
#[path = "vectors/mod.rs"]
mod vectors;

use host_platform::{without_assembly, HostCrypto};
use num_bigint_dig::{BigUint, ModInverse};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rsa_crate::pkcs1::EncodeRsaPublicKey;
use rsa_crate::traits::{PrivateKeyParts, PublicKeyParts};
use rsa_crate::{BigUint as KeyNumber, Pss, RsaPrivateKey, RsaPublicKey};
use rsa_pss::mont::{self, Limbs, Modulus, Portable, HALF, MAX};
use rsa_pss::{blind, pss, sign_encoded, sign_pss, Components, PrivateKey, Scratch, SignError};
use sha2::{Digest, Sha256};
use tls_handshake_host::rounds;

fn zeroed<T>() -> Box<T> {
    // SAFETY: Zeroes are a valid value of what this is called for.
    unsafe { tls_handshake_host::zeroed() }
}

/// The numbers of a key, in big-endian bytes.
struct Numbers([Vec<u8>; 7]);

impl Numbers {
    fn new(key: &RsaPrivateKey) -> Self {
        let [p, q] = key.primes() else {
            panic!("two primes expected");
        };
        let one = KeyNumber::from(1u8);
        let qinv = q.clone().mod_inverse(p).unwrap().to_biguint().unwrap();
        Numbers(
            [
                key.n().clone(),
                key.e().clone(),
                p.clone(),
                q.clone(),
                key.d() % (p - &one),
                key.d() % (q - &one),
                qinv,
            ]
            .map(|number| number.to_bytes_be()),
        )
    }

    fn components(&self) -> Components<'_> {
        let [n, e, p, q, dp, dq, qinv] = &self.0;
        Components {
            n,
            e,
            p,
            q,
            dp,
            dq,
            qinv,
        }
    }
}

/// Whether both other implementations take a signature.
fn is_valid(public: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
    let der = public.to_pkcs1_der().unwrap();
    let ring = ring::signature::UnparsedPublicKey::new(
        &ring::signature::RSA_PSS_2048_8192_SHA256,
        der.as_bytes(),
    );
    let pss = Pss::new_with_salt::<Sha256>(32);
    let ring = ring.verify(message, signature).is_ok();
    let other = public.verify(pss, &Sha256::digest(message), signature);
    assert_eq!(ring, other.is_ok());
    ring
}

fn signs_with_random_keys(bits: usize, keys: usize, signatures: usize) {
    let mut rng = StdRng::seed_from_u64(bits as u64);
    let (mut key, mut scratch) = (zeroed::<PrivateKey>(), zeroed::<Scratch>());
    for _ in 0..keys {
        let theirs = RsaPrivateKey::new(&mut rng, bits).unwrap();
        let public = theirs.to_public_key();
        let numbers = Numbers::new(&theirs);
        key.init(&numbers.components()).unwrap();
        for i in 0..signatures {
            let mut message = [0; 40];
            rng.fill_bytes(&mut message);
            let digest = Sha256::digest(message).into();
            let mut signature = vec![0; bits / 8];
            let mut sign =
                || sign_pss::<HostCrypto>(&key, &digest, &mut scratch, &mut signature).unwrap();
            let len = if i % 2 == 0 {
                sign()
            } else {
                without_assembly(sign)
            };
            assert_eq!(len, bits / 8);
            assert!(is_valid(&public, &message, &signature));
            assert!(!is_valid(&public, &message[1..], &signature));
            signature[bits / 16] ^= 1;
            assert!(!is_valid(&public, &message, &signature));
        }
        faults_give_nothing(&numbers, &mut scratch);
    }
}

/// A bit of each part of a key is flipped in turn.
fn faults_give_nothing(numbers: &Numbers, scratch: &mut Scratch) {
    let mut key = zeroed::<PrivateKey>();
    for part in 4..7 {
        let mut faulty = Numbers(numbers.0.clone());
        let last = faulty.0[part].len() - 1;
        faulty.0[part][last] ^= 2;
        key.init(&faulty.components()).unwrap();
        let mut signature = vec![1; numbers.0[0].len()];
        let rc = sign_pss::<HostCrypto>(&key, &[7; 32], scratch, &mut signature);
        assert_eq!(rc, Err(SignError::Fault));
        assert!(signature.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn random_keys_2048() {
    signs_with_random_keys(2048, 4, rounds(3000));
}

#[test]
fn random_keys_3072() {
    signs_with_random_keys(3072, 2, rounds(5000));
}

#[test]
fn random_keys_4096() {
    signs_with_random_keys(4096, 1, rounds(5000));
}

/// The primes of a key, from its exponents: a square root of 1 that is neither 1 nor -1 tells them
/// (NIST SP 800-56B, appendix C.1).
fn primes(n: &BigUint, e: &BigUint, d: &BigUint) -> [BigUint; 2] {
    let one = BigUint::from(1u8);
    let mut odd = e * d - &one;
    let mut twos = 0;
    while &odd % 2u8 == BigUint::default() {
        odd >>= 1;
        twos += 1;
    }
    for g in 2u8.. {
        let mut x = BigUint::from(g).modpow(&odd, n);
        for _ in 0..twos {
            let square = &x * &x % n;
            if square == one && x != one && &x + &one != *n {
                let (mut p, mut rest) = (n.clone(), x - one);
                while rest != BigUint::default() {
                    (p, rest) = (rest.clone(), p % rest);
                }
                return [n / &p, p];
            }
            x = square;
        }
    }
    unreachable!()
}

/// NIST's SigGenPSS with SHA-256. The salts are shorter than TLS has them, so it is about what
/// comes after the encoding, which RustCrypto's `rsa` shows to be that of the message.
fn nist_signatures(bits: usize) {
    let (mut key, mut scratch) = (zeroed::<PrivateKey>(), zeroed::<Scratch>());
    let header = format!("[mod = {bits}]");
    let (mut modulus, mut public) = (None, None);
    let mut run = 0;
    for record in vectors::section("RSA/FIPS_186-2/SigGenPSS_186-2.txt", &header) {
        let number = |key: &str| BigUint::from_bytes_be(&vectors::hex(&record[key]));
        if record.contains_key("n") {
            modulus = Some(number("n"));
        }
        if let (true, Some(n)) = (record.contains_key("d"), modulus.clone()) {
            let (e, d) = (number("e"), number("d"));
            let [p, q] = primes(&n, &e, &d);
            let one = BigUint::from(1u8);
            let qinv = (&q).mod_inverse(&p).unwrap().to_biguint().unwrap();
            let (dp, dq) = (&d % (&p - &one), &d % (&q - &one));
            let numbers = Numbers([&n, &e, &p, &q, &dp, &dq, &qinv].map(BigUint::to_bytes_be));
            key.init(&numbers.components()).unwrap();
            public = Some((n, e));
        }
        let Some("SHA256") = record.get("SHAAlg").map(String::as_str) else {
            continue;
        };
        let (n, e) = public.as_ref().unwrap();
        let signature = vectors::hex(&record["S"]);
        let theirs = RsaPublicKey::new(
            KeyNumber::from_bytes_be(&n.to_bytes_be()),
            KeyNumber::from_bytes_be(&e.to_bytes_be()),
        );
        let digest = Sha256::digest(vectors::hex(&record["Msg"]));
        let pss = Pss::new_with_salt::<Sha256>(record["SaltVal"].len() / 2);
        theirs.unwrap().verify(pss, &digest, &signature).unwrap();

        let encoded = BigUint::from_bytes_be(&signature)
            .modpow(e, n)
            .to_bytes_be();
        let mut padded = vec![0; bits / 8];
        padded[bits / 8 - encoded.len()..].copy_from_slice(&encoded);
        let mut got = padded.clone();
        sign_encoded::<HostCrypto, _>(Portable, &key, &mut scratch, &mut got).unwrap();
        assert_eq!(got, signature);
        #[cfg(target_arch = "x86_64")]
        if let Some(adx) = cpu::Adx::new::<HostCrypto>() {
            got = padded;
            sign_encoded::<HostCrypto, _>(adx, &key, &mut scratch, &mut got).unwrap();
            assert_eq!(got, signature);
        }
        run += 1;
    }
    assert_eq!(run, 10);
}

#[test]
fn nist_signatures_of_each_size() {
    for bits in [2048, 3072, 4096] {
        nist_signatures(bits);
    }
}

/// `base^e`, in bytes.
fn power<L: Limbs>(l: L, modulus: &Modulus<MAX>, base: &[u64], e: u64) -> Vec<u8> {
    let len = base.len();
    let (mut a, mut b, mut t) = (vec![0; len], vec![0; len], vec![0; 2 * len]);
    modulus.mul(l, &mut a, base, modulus.rr(), &mut t);
    modulus.pow_public(l, &mut b, &a, e, &mut t);
    modulus.leave(l, &mut b, &mut t);
    modulus.canonical(&mut b);
    let mut bytes = vec![0; 8 * len];
    mont::to_be_bytes(&mut bytes, &b);
    bytes
}

/// Project Wycheproof's vectors are for verifiers. Here one is made of our public operation, which
/// is half of signing, and of our encoding, with the salt that is found in what is verified.
fn verify(n: &[u8], e: u64, message: &[u8], signature: &[u8]) -> bool {
    let mut modulus = zeroed::<Modulus<MAX>>();
    let len = n.len() / 8;
    assert!(modulus.init(n, len));
    let mut s = vec![0; len];
    if signature.len() != n.len()
        || !mont::from_be_bytes(&mut s, signature)
        || big(&s) >= big(modulus.m())
    {
        return false;
    }
    let encoded = power(Portable, &modulus, &s, e);
    #[cfg(target_arch = "x86_64")]
    if let Some(adx) = cpu::Adx::new::<HostCrypto>() {
        assert_eq!(power(adx, &modulus, &s, e), encoded);
    }

    // The salt is what the mask leaves at the end of DB (RFC 8017, section 9.1.2).
    let (db, tail) = encoded.split_at(encoded.len() - 33);
    let mut db = db.to_vec();
    for (counter, chunk) in (0u32..).zip(db.chunks_mut(32)) {
        let mask = Sha256::new()
            .chain_update(&tail[..32])
            .chain_update(counter.to_be_bytes());
        for (d, m) in chunk.iter_mut().zip(mask.finalize()) {
            *d ^= m;
        }
    }
    let salt = db.last_chunk().unwrap();
    let mut want = vec![0; n.len()];
    pss::encode::<HostCrypto>(&Sha256::digest(message).into(), salt, &mut want);
    want == encoded
}

#[test]
fn wycheproof_pss() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    use wycheproof::TestResult;
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            let n = BigUint::from_bytes_be(&group.key.n).to_bytes_be();
            let e = group
                .key
                .e
                .iter()
                .fold(0, |e, byte| e << 8 | u64::from(*byte));
            for test in &group.tests {
                let got = verify(&n, e, &test.msg, &test.sig);
                assert_eq!(
                    got,
                    test.result != TestResult::Invalid,
                    "{}: {}",
                    test.tc_id,
                    test.comment
                );
                match got {
                    true => valid += 1,
                    false => invalid += 1,
                }
            }
        }
        assert!(valid > 30 && invalid > 30, "{valid} {invalid}");
    }
}

/// Numbers of which many bits are alike, or random ones.
fn random_limbs(rng: &mut StdRng, to: &mut [u64]) {
    let style = rng.gen_range(0..4);
    for limb in to.iter_mut() {
        *limb = match style {
            0 => [0, u64::MAX, 1, u64::MAX - 1, 1 << 63][rng.gen_range(0..5)],
            1 if rng.gen_ratio(7, 8) => u64::MAX,
            2 if rng.gen_ratio(7, 8) => 0,
            _ => rng.next_u64(),
        };
    }
}

fn big(limbs: &[u64]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

fn random_modulus<const N: usize>(rng: &mut StdRng, modulus: &mut Modulus<N>, len: usize) {
    let mut m = vec![0; len];
    random_limbs(rng, &mut m);
    m[0] |= 1;
    m[len - 1] |= 1 << 63;
    let mut bytes = vec![0; 8 * len];
    mont::to_be_bytes(&mut bytes, &m);
    assert!(modulus.init(&bytes, len));
    assert_eq!(modulus.m(), m);
}

/// Compares products, squares and reductions with num-bigint-dig's. Returns how many reductions
/// ended with a subtraction.
fn compares<L: Limbs>(l: L, seed: u64, cases: usize) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut subtractions = 0;
    let mut modulus = zeroed::<Modulus<MAX>>();
    for case in 0..cases {
        let len = [16, 24, 32, 48, 64][case / 64 % 5];
        if case % 64 == 0 {
            random_modulus(&mut rng, &mut modulus, len);
        }
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        random_limbs(&mut rng, &mut a);
        random_limbs(&mut rng, &mut b);
        let mut t = vec![rng.gen(); 2 * len];
        l.multiply(&mut t, &a, &b);
        assert_eq!(big(&t), big(&a) * big(&b));
        l.square(&mut t, &a);
        assert_eq!(big(&t), big(&a) * big(&a));

        random_limbs(&mut rng, &mut t);
        let before = big(&t);
        let n0 = mont::negated_inverse(modulus.m()[0]);
        let mut out = vec![0; len];
        l.reduce(&mut out, &mut t, modulus.m(), n0);
        let (after, m) = (big(&out) << (64 * len), big(modulus.m()));
        assert_eq!(&after % &m, &before % &m);
        // A multiple of m was added, so that it is less only if R * m was subtracted.
        subtractions += usize::from(after < before);
    }
    subtractions
}

#[test]
fn products_and_reductions() {
    let cases = 3 * rounds(1);
    let often = cases / 60..cases - cases / 60;
    let subtractions = compares(Portable, 1, cases);
    assert!(often.contains(&subtractions));
    #[cfg(target_arch = "x86_64")]
    if let Some(adx) = cpu::Adx::new::<HostCrypto>() {
        let subtractions = compares(adx, 2, cases);
        assert!(often.contains(&subtractions));
    }
}

/// Montgomery multiplications one after another, of which each takes the last one's result.
fn chains<L: Limbs>(l: L, seed: u64, cases: usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut modulus = zeroed::<Modulus<HALF>>();
    let mut t = [0; 2 * HALF];
    for case in 0..cases {
        let len = [16, 24, 32][case % 3];
        random_modulus(&mut rng, &mut modulus, len);
        let m = big(modulus.m());
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        random_limbs(&mut rng, &mut a);
        random_limbs(&mut rng, &mut b);
        // 1 / R, by which each multiplication is off.
        let r_inverse = (BigUint::from(1u8) << (64 * len)).mod_inverse(&m).unwrap();
        let r_inverse = r_inverse.to_biguint().unwrap();
        let (mut x, y) = (big(&a), big(&b));
        for _ in 0..64 {
            modulus.mul_in_place(l, &mut a, &b, &mut t);
            x = x * &y * &r_inverse % &m;
            modulus.square_in_place(l, &mut a, &mut t);
            x = &x * &x * &r_inverse % &m;
            assert_eq!(big(&a) % &m, x);
        }
        modulus.canonical(&mut a);
        assert_eq!(big(&a), x);
    }
}

#[test]
fn chains_of_multiplications() {
    chains(Portable, 3, rounds(20));
    #[cfg(target_arch = "x86_64")]
    if let Some(adx) = cpu::Adx::new::<HostCrypto>() {
        chains(adx, 4, rounds(20));
    }
}

/// Powers with secret and with public exponents.
fn powers<L: Limbs>(l: L, seed: u64, cases: usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut modulus = zeroed::<Modulus<HALF>>();
    let mut work = zeroed::<mont::Work>();
    let mut t = [0; 2 * HALF];
    for case in 0..cases {
        let len = [16, 24, 32][case % 3];
        random_modulus(&mut rng, &mut modulus, len);
        let m = big(modulus.m());
        // The base is up to twice as long.
        let mut base = vec![0; 2 * len];
        random_limbs(&mut rng, &mut base);
        let mut exponent = vec![0; len];
        random_limbs(&mut rng, &mut exponent);
        let mut a = vec![0; len];
        modulus.enter(l, &mut a, &base, &mut t);
        let start = a.clone();
        modulus.pow(l, &mut a, &exponent, &mut work, &mut t);
        modulus.leave(l, &mut a, &mut t);
        modulus.canonical(&mut a);
        assert_eq!(big(&a), big(&base).modpow(&big(&exponent), &m));

        let e = rng.gen_range(1..1 << 32);
        modulus.pow_public(l, &mut a, &start, e, &mut t);
        modulus.leave(l, &mut a, &mut t);
        modulus.canonical(&mut a);
        assert_eq!(big(&a), big(&base).modpow(&BigUint::from(e), &m));
    }
}

#[test]
fn exponentiations() {
    powers(Portable, 5, rounds(300));
    #[cfg(target_arch = "x86_64")]
    if let Some(adx) = cpu::Adx::new::<HostCrypto>() {
        powers(adx, 6, rounds(300));
    }
}

#[test]
fn blinding_factors() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut inverses = 0;
    let cases = rounds(10);
    for case in 0..cases {
        let len = [32, 48, 64][case % 3];
        let mut n = vec![0; len];
        random_limbs(&mut rng, &mut n);
        n[0] |= 1;
        n[len - 1] |= 1 << 63;
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        let r = blind::factor(&random);
        // With a prime of a key there is always one.
        let Some(expected) = big(&r).mod_inverse(&big(&n)) else {
            continue;
        };
        let expected = expected.to_biguint().unwrap();
        let mut inverse = vec![0; len];
        blind::invert(&mut inverse, r, &n);
        assert_eq!(big(&inverse), expected);
        inverses += 1;
    }
    assert!(inverses > cases / 2);
}

/// The exponentiations with IFMA against those one at a time, on random numbers and on such whose
/// digits are at borders.
#[cfg(target_arch = "x86_64")]
#[test]
fn both_exponentiations_at_once() {
    use rsa_pss::mont::{Power, Work};

    if !host_platform::has_ifma() {
        println!("skipped: the CPU has no AVX-512 IFMA");
        return;
    }
    let adx = cpu::Adx::new::<HostCrypto>().unwrap();
    let mut rng = StdRng::seed_from_u64(52);
    let mut work = zeroed::<Work>();
    for round in 0..rounds(2000) {
        for len in [16, 24, 32] {
            let mut number = |highest: bool| {
                let mut number = vec![0; len];
                random_limbs(&mut rng, &mut number);
                if highest {
                    number[0] |= 1;
                    number[len - 1] |= 1 << 63;
                }
                number
            };
            let moduli = [(); 2].map(|()| {
                let bytes = big(&number(true)).to_bytes_be();
                let mut modulus = zeroed::<Modulus<HALF>>();
                assert!(modulus.init(&bytes, len));
                modulus
            });
            let exponents = [number(false), number(false)];
            let bases = match round {
                0 => [vec![0; len], vec![u64::MAX; len]],
                _ => [number(false), number(false)],
            };
            let mut t = vec![0; 4 * len];
            let mut got = bases.clone();
            let [x, y] = &mut got;
            let powers = [
                Power {
                    modulus: &moduli[0],
                    exponent: &exponents[0],
                    number: x,
                },
                Power {
                    modulus: &moduli[1],
                    exponent: &exponents[1],
                    number: y,
                },
            ];
            assert!(adx.exponentiate::<HostCrypto>(powers, &mut work, &mut t));
            for i in 0..2 {
                let mut want = bases[i].clone();
                moduli[i].pow(adx, &mut want, &exponents[i], &mut work, &mut t);
                moduli[i].leave(adx, &mut want, &mut t);
                moduli[i].canonical(&mut want);
                moduli[i].canonical(&mut got[i]);
                assert_eq!(got[i], want, "round {round}, {len} limbs, number {i}");
            }
        }
    }
}
