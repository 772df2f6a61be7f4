// SPDX-License-Identifier: GPL-2.0
//! Whether the time of a primitive depends on its secrets, measured as in O. Reparaz, J. Balasch
//! and I. Verbauwhede, "Dude, is my code constant time?" (2017): one secret that never changes
//! against random ones, in random order, and Welch's t of both classes of times, also without the
//! slowest.
//!
//! scripts/dudect runs this and judges the t values. What is public is the same for both classes.
//! The names of functions that leak on purpose begin with `leak`.

use dudect_bencher::rand::{Rng, RngExt};
use dudect_bencher::{ctbench_main, BenchRng, Class, CtRunner};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::{ct, mlkem, p256, rsa_pss as ours, x25519, zeroed};

/// How many times are measured, in this many microseconds for each.
fn count(cost: usize) -> usize {
    let scale: usize = match std::env::var("DUDECT_SCALE") {
        Ok(scale) => scale.parse().expect("DUDECT_SCALE is a number"),
        Err(_) => 1,
    };
    (2_000_000 * scale / cost.max(10)).clamp(1_000, 100_000 * scale)
}

/// Times `run` with secrets that `secret` makes, for the class that never changes and for the other.
/// They are made before, in small groups, so that what makes them does not show in the times.
fn compare<S, T>(
    runner: &mut CtRunner,
    rng: &mut BenchRng,
    count: usize,
    mut secret: impl FnMut(&mut BenchRng, bool) -> S,
    run: impl Fn(&S) -> T,
) {
    for _ in 0..count.div_ceil(64) {
        let group: Vec<_> = (0..64)
            .map(|_| {
                let fixed = rng.random::<bool>();
                let class = if fixed { Class::Left } else { Class::Right };
                (class, secret(rng, fixed))
            })
            .collect();
        // What the caches and the predictors have of the making.
        run(&group[0].1);
        for (class, secret) in &group {
            runner.run_one(*class, || run(secret));
        }
    }
}

/// A private key: 1, whose digits are all alike, or a random one.
fn p256_key(rng: &mut BenchRng, fixed: bool) -> p256::PrivateKey {
    let mut bytes = [0; 32];
    bytes[31] = 1;
    if !fixed {
        rng.fill_bytes(&mut bytes);
        // Less than the order for certain.
        bytes[0] &= 0x7f;
    }
    p256::PrivateKey::from_be_bytes(&bytes).unwrap()
}

/// A private key: one of which all bits that count and may be zero are, or a random one.
fn x25519_key(rng: &mut BenchRng, fixed: bool) -> [u8; 32] {
    match fixed {
        true => [0; 32],
        false => rng.random(),
    }
}

fn exchange(key: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
    let (mut public, mut shared) = ([0; 32], [0; 32]);
    x25519::exchange::<HostCrypto>(key, &[9; 32], &mut public, &mut shared);
    (public, shared)
}

fn x25519_exchange(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, count(40), x25519_key, exchange);
}

fn x25519_exchange_portable(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, count(60), x25519_key, |key| {
        without_assembly(|| exchange(key))
    });
}

fn p256_public(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, count(20), p256_key, |key| {
        key.public_key::<HostCrypto>()
    });
}

fn ecdh(key: &p256::PrivateKey, peer: &[u8]) -> [u8; 32] {
    let mut shared = [0; 32];
    p256::ecdh::<HostCrypto>(key, peer, &mut shared).unwrap();
    shared
}

fn p256_ecdh(runner: &mut CtRunner, rng: &mut BenchRng) {
    let peer = p256_key(rng, false).public_key::<HostCrypto>();
    compare(runner, rng, count(50), p256_key, |key| ecdh(key, &peer));
}

fn p256_ecdh_portable(runner: &mut CtRunner, rng: &mut BenchRng) {
    let peer = p256_key(rng, false).public_key::<HostCrypto>();
    compare(runner, rng, count(70), p256_key, |key| {
        without_assembly(|| ecdh(key, &peer))
    });
}

/// The length of a signature depends on the signature, which is public, so that the key and what is
/// signed stay the same: the nonce is the secret, by way of the additional data.
fn sign(key: &p256::PrivateKey, additional: &[u8; 32]) -> [u8; p256::MAX_SIGNATURE] {
    let mut signature = [0; p256::MAX_SIGNATURE];
    p256::ecdsa_sign_with::<HostCrypto>(key, &[0x5a; 32], additional, &mut signature);
    signature
}

fn additional_data(rng: &mut BenchRng, fixed: bool) -> [u8; 32] {
    match fixed {
        true => [0; 32],
        false => rng.random(),
    }
}

fn p256_sign_nonce(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = p256_key(rng, false);
    compare(runner, rng, count(20), additional_data, |additional| {
        sign(&key, additional)
    });
}

fn p256_sign_key(runner: &mut CtRunner, rng: &mut BenchRng) {
    // The additional data is fresh each time in both classes.
    let secret = |rng: &mut BenchRng, fixed| (p256_key(rng, fixed), rng.random());
    compare(runner, rng, count(20), secret, |(key, additional)| {
        sign(key, additional)
    });
}

fn p256_sign_key_portable(runner: &mut CtRunner, rng: &mut BenchRng) {
    let secret = |rng: &mut BenchRng, fixed| (p256_key(rng, fixed), rng.random());
    compare(runner, rng, count(20), secret, |(key, additional)| {
        without_assembly(|| sign(key, additional))
    });
}

/// The numbers of a random key, as RSAPrivateKey has them, without d.
fn rsa_numbers() -> [Vec<u8>; 7] {
    use num_bigint_dig::ModInverse;
    let theirs = rsa::RsaPrivateKey::new(&mut rand_08::thread_rng(), 2048).unwrap();
    let [p, q] = theirs.primes() else {
        panic!("two primes expected");
    };
    let one = rsa::BigUint::from(1u8);
    [
        theirs.n().clone(),
        theirs.e().clone(),
        p.clone(),
        q.clone(),
        theirs.d() % (p - &one),
        theirs.d() % (q - &one),
        q.clone().mod_inverse(p).unwrap().to_biguint().unwrap(),
    ]
    .map(|number| number.to_bytes_be())
}

fn rsa_key([n, e, p, q, dp, dq, qinv]: &[Vec<u8>; 7]) -> Box<ours::PrivateKey> {
    // SAFETY: Zeroes are a valid value.
    let mut key = unsafe { zeroed::<ours::PrivateKey>() };
    key.init(&ours::Components {
        n,
        e,
        p,
        q,
        dp,
        dq,
        qinv,
    })
    .unwrap();
    key
}

/// One key against others. There are as many copies of the one, for the caches' sake.
fn rsa_keys(
    runner: &mut CtRunner,
    rng: &mut BenchRng,
    sign: impl Fn(&ours::PrivateKey, &[u8; 32]),
) {
    let one = rsa_numbers();
    let fixed_keys: Vec<_> = (0..16).map(|_| rsa_key(&one)).collect();
    let others: Vec<_> = (0..16).map(|_| rsa_key(&rsa_numbers())).collect();
    let secret = |rng: &mut BenchRng, fixed| {
        let keys = if fixed { &fixed_keys } else { &others };
        (&keys[rng.random_range(0..16)], rng.random::<[u8; 32]>())
    };
    compare(runner, rng, count(1000), secret, |(key, salt)| {
        sign(key, salt)
    });
}

fn rsa_sign_with(key: &ours::PrivateKey, salt: &[u8; 32]) {
    std::thread_local! {
        // SAFETY: Zeroes are a valid value.
        static SCRATCH: std::cell::RefCell<Box<ours::Scratch>> =
            std::cell::RefCell::new(unsafe { zeroed() });
    }
    let mut signature = [0; 256];
    SCRATCH.with_borrow_mut(|scratch| {
        ours::sign_pss_with::<HostCrypto>(key, &[7; 32], salt, scratch, &mut signature).unwrap();
    });
    std::hint::black_box(signature);
}

fn rsa_sign(runner: &mut CtRunner, rng: &mut BenchRng) {
    rsa_keys(runner, rng, rsa_sign_with);
}

fn rsa_sign_portable(runner: &mut CtRunner, rng: &mut BenchRng) {
    rsa_keys(runner, rng, |key, salt| {
        without_assembly(|| rsa_sign_with(key, salt))
    });
}

/// The message, from which the shared secret and all noise come.
fn mlkem_encapsulate(runner: &mut CtRunner, rng: &mut BenchRng) {
    use ml_kem::{EncodedSizeUser, KemCore, MlKem768, B32};
    let (_, key) = MlKem768::generate_deterministic(&B32::from([3; 32]), &B32::from([4; 32]));
    let key = key.as_bytes();
    // SAFETY: Zeroes are a valid value.
    let scratch = std::cell::RefCell::new(unsafe { zeroed::<mlkem::Scratch>() });
    compare(runner, rng, count(30), additional_data, |message| {
        let mut ciphertext = [0; mlkem::CIPHERTEXT_LEN];
        let mut shared = [0; mlkem::SHARED_SECRET_LEN];
        let scratch = &mut scratch.borrow_mut();
        mlkem::encapsulate_with::<HostCrypto>(&key, message, scratch, &mut ciphertext, &mut shared)
            .unwrap();
        (ciphertext, shared)
    });
}

/// A copy of what is compared with, or another string.
fn strings(rng: &mut BenchRng, fixed: bool) -> [u8; 512] {
    match fixed {
        true => [0x5a; 512],
        false => std::array::from_fn(|_| rng.random()),
    }
}

fn ct_eq(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, count(1), strings, |other| {
        ct::eq(&[0x5a; 512], other)
    });
}

/// A comparison that ends at the first difference.
fn leak_comparison(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, count(1), strings, |other| {
        std::hint::black_box([0x5a; 512])
            .iter()
            .zip(other)
            .all(|(x, y)| x == y)
    });
}

/// A hash if a bit of the key is set, which is small beside the rest.
fn leak_p256_bit(runner: &mut CtRunner, rng: &mut BenchRng) {
    let peer = p256_key(rng, false).public_key::<HostCrypto>();
    let secret = |rng: &mut BenchRng, fixed| (p256_key(rng, fixed), fixed || rng.random());
    compare(runner, rng, count(50), secret, |(key, bit)| {
        let shared = ecdh(key, &peer);
        let mut hash = [0; 32];
        if *bit {
            <HostCrypto as mlkem::Platform>::sha3_256(&shared, &mut hash);
        }
        (shared, hash)
    });
}

ctbench_main!(
    x25519_exchange,
    x25519_exchange_portable,
    p256_public,
    p256_ecdh,
    p256_ecdh_portable,
    p256_sign_nonce,
    p256_sign_key,
    p256_sign_key_portable,
    rsa_sign,
    rsa_sign_portable,
    mlkem_encapsulate,
    ct_eq,
    leak_comparison,
    leak_p256_bit
);
