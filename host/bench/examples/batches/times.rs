// SPDX-License-Identifier: GPL-2.0
//! The times of operations, one and eight at a time.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rsa::traits::PrivateKeyParts;
use tls_handshake_host::cpu::Cpu;
use tls_handshake_host::engine::wire::der::Der;
use tls_handshake_host::host_platform::{self, HostCrypto};
use tls_handshake_host::{rsa_pss, zeroed};

use crate::lanes::LANES;
use crate::libraries;
use crate::measure::{clock, Entry, Operation};
use crate::{p256, x25519};

/// Prints the shortest of some times for each of the entries that are taken, and returns the first.
fn table(title: &str, rounds: usize, entries: Vec<(usize, Entry)>) {
    let mut entries: Vec<_> = entries
        .into_iter()
        .filter_map(|(each, Entry { name, operation })| match operation {
            Operation::Here(run) => Some((name, each, run, Duration::MAX)),
            Operation::There(..) => None,
        })
        .collect();
    // In turns, so that the load of the machine is the same for each.
    for _ in 0..rounds {
        for (_, _, run, shortest) in &mut entries {
            let start = Instant::now();
            run();
            *shortest = start.elapsed().min(*shortest);
        }
    }
    println!("\n{title}");
    println!("{:<36}{:>10}{:>12}{:>8}", "", "us", "cycles", "ratio");
    let mut first = None;
    for (name, each, _, shortest) in entries {
        let us = shortest.as_secs_f64() * 1e6 / each as f64;
        let ratio = *first.get_or_insert(us) / us;
        let cycles = us * 1e3 * clock();
        println!("{name:<36}{us:>10.2}{cycles:>12.0}{ratio:>8.2}");
    }
}

/// Ours and two others, each one operation.
fn singles(entries: Vec<Entry>) -> Vec<(usize, Entry)> {
    let names = ["ours", "graviola", "aws-lc"];
    entries
        .into_iter()
        .filter(|entry| names.contains(&entry.name.as_str()))
        .map(|entry| (1, entry))
        .collect()
}

fn batch(name: &str, run: impl FnMut() + 'static) -> (usize, Entry) {
    (LANES, crate::measure::entry(name, run))
}

/// # Safety
///
/// The CPU must have AVX-512 F and IFMA.
pub unsafe fn print() {
    println!(
        "The core's clock: {:.2} GHz, from additions that wait for each other",
        clock()
    );
    // SAFETY: By the safety requirements of this function.
    unsafe {
        print_x25519();
        print_p256();
        print_rsa();
    }
}

unsafe fn print_x25519() {
    let comb: &'static x25519::Comb = Box::leak(Box::new(x25519::Comb::new()));
    let peers = [[9; 32]; LANES];
    let private = [[7; 32]; LANES];
    let mut entries = singles(libraries::x25519());
    entries.extend([
        batch("eight", move || {
            let mut private = [[0; 32]; LANES];
            host_platform::random(private.as_flattened_mut());
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { x25519::public_keys(comb, &private) });
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { x25519::shared_secrets(&private, black_box(&peers)) });
        }),
        batch("eight: base point", move || {
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { x25519::public_keys(comb, black_box(&private)) });
        }),
        batch("eight: ladder", move || {
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { x25519::shared_secrets(black_box(&private), &peers) });
        }),
    ]);
    table("X25519, key pair and shared secret", 2000, entries);
}

unsafe fn print_p256() {
    let comb: &'static p256::Comb = Box::leak(Box::new(p256::Comb::new()));
    let (keys, digests) = ([[0x42; 32]; LANES], [[7; 32]; LANES]);
    let numbers = [keys.map(p256::from_big_endian); 3];
    let mut entries = singles(libraries::ecdsa());
    entries.extend([
        batch("eight, with random bytes and nonces", move || {
            let mut fresh = [[0; 32]; LANES];
            host_platform::random(fresh.as_flattened_mut());
            let [keys, digests] = black_box([keys, digests]);
            let nonces = std::array::from_fn(|i| p256::nonce(&keys[i], &digests[i], &fresh[i]));
            let [keys, digests] = [&keys, &digests].map(|all| all.map(p256::from_big_endian));
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { p256::sign(comb, &keys, &digests, &nonces) });
        }),
        batch("eight, nonces given", move || {
            let [keys, digests, nonces] = black_box(numbers);
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { p256::sign(comb, &keys, &digests, &nonces) });
        }),
        batch("eight: base point", move || {
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { p256::x_coordinates(comb, black_box(&numbers[0])) });
        }),
    ]);
    table("ECDSA P-256, sign", 2000, entries);
}

thread_local! {
    /// How long exponentiations have taken.
    static SECTIONS: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The host, with a clock for the exponentiations, which are all that uses IFMA.
struct Timed;

impl Cpu for Timed {
    fn has_adx() -> bool {
        HostCrypto::has_adx()
    }
}

impl rsa_pss::Platform for Timed {
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        <HostCrypto as rsa_pss::Platform>::sha256(parts)
    }

    fn random(buf: &mut [u8]) {
        host_platform::random(buf)
    }

    fn with_ifma(run: impl FnOnce()) -> bool {
        let start = Instant::now();
        run();
        SECTIONS.set(SECTIONS.get() + start.elapsed());
        true
    }
}

/// A key of ours.
pub fn our_rsa_key(pkcs1: &[u8]) -> &'static rsa_pss::PrivateKey {
    let mut numbers = Der::new(pkcs1).sequence().unwrap();
    let mut next = || numbers.unsigned().unwrap();
    let _version = next();
    let (n, e, _d) = (next(), next(), next());
    // SAFETY: Zeroes are a valid value.
    let mut key: Box<rsa_pss::PrivateKey> = unsafe { zeroed() };
    key.init(&rsa_pss::Components {
        n,
        e,
        p: next(),
        q: next(),
        dp: next(),
        dq: next(),
        qinv: next(),
    })
    .unwrap();
    Box::leak(key)
}

unsafe fn print_rsa() {
    use rsa::{pkcs1::EncodeRsaPrivateKey, pkcs8::EncodePrivateKey};
    let key = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap();
    let pkcs1 = key.to_pkcs1_der().unwrap();
    let pkcs8 = key.to_pkcs8_der().unwrap();
    let primes = [0, 1].map(|i| &key.primes()[i]);
    // SAFETY: The CPU has the instructions.
    let moduli = primes.map(|prime| unsafe { crate::rsa::Moduli::of(prime) });
    let exponents = [key.dp(), key.dq()].map(|e| [crate::rsa::number(e.unwrap()); LANES]);
    let messages = [crate::rsa::number(&rsa::BigUint::from(7u32)); LANES];
    let mut entries = singles(libraries::pss(pkcs8.as_bytes(), pkcs1.as_bytes()));
    entries.push(batch("eight: exponentiations", move || {
        for (moduli, exponents) in moduli.iter().zip(&exponents) {
            // SAFETY: The CPU has the instructions.
            black_box(unsafe { moduli.power(black_box(&messages), exponents) });
        }
    }));
    table("RSA-2048 PSS, sign", 400, entries);

    let ours = our_rsa_key(pkcs1.as_bytes());
    // SAFETY: Zeroes are a valid value.
    let mut scratch: Box<rsa_pss::Scratch> = unsafe { zeroed() };
    let mut rest = Duration::MAX;
    for _ in 0..400 {
        SECTIONS.set(Duration::ZERO);
        let start = Instant::now();
        rsa_pss::sign_pss::<Timed>(ours, &[7; 32], &mut scratch, &mut [0; 256]).unwrap();
        rest = rest.min(start.elapsed() - SECTIONS.get());
    }
    let us = rest.as_secs_f64() * 1e6;
    println!("{:<36}{us:>10.2}", "ours, but for the exponentiations");
}
