// SPDX-License-Identifier: GPL-2.0
//! What P-256 leaves on the stack. Of a signature, each of the numbers looked for gives the private
//! key away.
//!
//! The arithmetic is private to the crate, so its sources are compiled into this test.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
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
#[path = "stack/mod.rs"]
mod stack;

use host_platform::{without_assembly, HostCrypto};
use num_bigint_dig::{BigUint, ModInverse};
use p256::mont::{Limbs, Modulus, N, P};
use p256::{ecdsa_sign_with, PrivateKey, MAX_SIGNATURE};
use stack::{left_by, Leftovers};

const KEY: [u8; 32] = [0x5a; 32];
const DIGEST: [u8; 32] = [0x35; 32];

fn big(limbs: &[u64]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

/// Limbs as they are in memory.
fn in_memory(number: &BigUint) -> [u8; 32] {
    let mut bytes = number.to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().unwrap()
}

/// A number of a DER signature, and what is behind it.
fn integer(der: &[u8]) -> (BigUint, &[u8]) {
    assert_eq!(der[0], 2);
    let (number, rest) = der[2..].split_at(usize::from(der[1]));
    (BigUint::from_bytes_be(number), rest)
}

/// What must not be left by the one who has made a signature.
fn secrets(signature: &[u8]) -> Vec<(&'static str, BigUint)> {
    let n = big(&N::M);
    let invert = |a: &BigUint| a.mod_inverse(&n).unwrap().to_biguint().unwrap();
    let montgomery = |a: &BigUint| (a << 256) % &n;
    let (r, rest) = integer(&signature[2..]);
    let (s, _) = integer(rest);
    let d = BigUint::from_bytes_be(&KEY);
    let rd = &r * &d % &n;
    let sum = (BigUint::from_bytes_be(&DIGEST) + &rd) % &n;
    let inverse = &s * invert(&sum) % &n;
    let k = invert(&inverse);
    vec![
        ("d", d),
        ("r d", rd),
        ("z + r d", sum),
        ("n - k", &n - &k),
        ("k in Montgomery form", montgomery(&k)),
        ("k^-1 in Montgomery form", montgomery(&inverse)),
        ("-k^-1 in Montgomery form", montgomery(&(&n - &inverse))),
        ("k^-1", inverse),
        ("k", k),
    ]
}

/// The secrets that a signature leaves, with the stack wiped after it or not.
fn left_by_signature(wipe: bool) -> Vec<&'static str> {
    let key = PrivateKey::from_be_bytes(&KEY).unwrap();
    let mut left = Vec::new();
    // Both signs of each number are chosen in half of the signatures.
    for additional in 0..8 {
        let mut signature = [0; MAX_SIGNATURE];
        let (len, leftovers) = left_by(|| {
            let len = ecdsa_sign_with::<HostCrypto>(&key, &DIGEST, &[additional], &mut signature);
            if wipe {
                ct::wipe_stack();
            }
            len
        });
        for (name, secret) in secrets(&signature[..len]) {
            let limbs = in_memory(&secret);
            let mut copies = leftovers.copies_of(&limbs);
            // A nonce in this form is a MAC, which the host's library leaves.
            if wipe {
                let mut bytes = limbs;
                bytes.reverse();
                copies += leftovers.copies_of(&bytes);
            }
            if copies != 0 && !left.contains(&name) {
                left.push(name);
            }
        }
    }
    left
}

/// The secrets that a key exchange leaves, with the stack wiped after it or not.
fn left_by_exchange(wipe: bool) -> Vec<&'static str> {
    let key = PrivateKey::from_be_bytes(&KEY).unwrap();
    let peer = PrivateKey::from_be_bytes(&[7]).unwrap();
    let peer = peer.public_key::<HostCrypto>();
    let mut shared = Box::new([0; 32]);
    let (_, leftovers) = left_by(|| {
        p256::ecdh::<HostCrypto>(&key, &peer, &mut shared).unwrap();
        if wipe {
            ct::wipe_stack();
        }
    });
    let (d, x, n) = (
        BigUint::from_bytes_be(&KEY),
        BigUint::from_bytes_be(&shared[..]),
        big(&N::M),
    );
    let secrets = [
        ("n - d", in_memory(&(n - &d))),
        ("d", in_memory(&d)),
        (
            "x in Montgomery form",
            in_memory(&((&x << 256) % big(&P::M))),
        ),
        ("x", in_memory(&x)),
        ("shared", *shared),
    ];
    let left = |secret: &[u8; 32]| leftovers.copies_of(secret) != 0;
    let found = secrets.iter().filter(|(_, secret)| left(secret));
    found.map(|(name, _)| *name).collect()
}

/// Does what a signature did that wiped nothing.
#[inline(never)]
fn careless(a: &Limbs) {
    let mut copy = *a;
    copy[0] ^= 1;
    std::hint::black_box(&copy);
}

fn copies(leftovers: &Leftovers, limbs: &Limbs) -> usize {
    leftovers.copies_of(&in_memory(&big(limbs)))
}

#[test]
fn planted_leak() {
    let (plain, left): (Limbs, Limbs) = ([0x11, 0x22, 0x33, 0x44], [0x10, 0x22, 0x33, 0x44]);
    let (_, leftovers) = left_by(|| careless(&plain));
    assert!(copies(&leftovers, &left) != 0 || stack::is_elsewhere());
    let (_, leftovers) = left_by(|| {
        careless(&plain);
        ct::wipe_stack();
    });
    assert_eq!(copies(&leftovers, &left), 0);
}

/// As where the kernel calls the engine.
#[test]
fn wiped_stack() {
    let each = || (left_by_signature(true), left_by_exchange(true));
    assert_eq!(each(), (vec![], vec![]));
    assert_eq!(without_assembly(each), (vec![], vec![]));
}

/// What has a place of its own is wiped there, whatever is done afterwards.
#[test]
fn signature() {
    let nothing: [&str; 0] = [];
    assert_eq!(left_by_signature(false), nothing);
    assert_eq!(without_assembly(|| left_by_signature(false)), nothing);
}

#[test]
fn exchange() {
    let nothing: [&str; 0] = [];
    assert_eq!(left_by_exchange(false), nothing);
    assert_eq!(without_assembly(|| left_by_exchange(false)), nothing);
}
