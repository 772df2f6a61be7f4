// SPDX-License-Identifier: GPL-2.0
//! Compares the handshake's primitives with those of libraries, on one core: `make bench-crypto`.
//!
//! All take turns, so that the load of the machine is the same for each, and what is measured is
//! CPU time.
//!
//! Usage: tls-handshake-bench [--only=TEXT] [--uncounted] [--guest=LOG] RSA-KEYS COMMAND...
//!
//! The first argument is a directory with keys of 2048, 3072 and 4096 bits, as PKCS#8 and as
//! RSAPrivateKey; each other one runs a worker. With `--only`, tables without TEXT in their titles
//! are left out; with `--uncounted`, instructions are not counted, which takes minutes; with
//! `--guest`, what the benchmark in the kernel printed is shown, too.

mod guest;
mod libraries;
mod measure;
mod worker;

use measure::{clock, Entry, Table};
use worker::Worker;

const VERSIONS: &str = include_str!("../Cargo.lock");

/// The version of a crate.
fn version(name: &str) -> String {
    let mut lines = VERSIONS.lines();
    lines.find(|l| *l == format!("name = \"{name}\""));
    let line = lines.next().unwrap_or_default();
    line.trim_start_matches("version = ")
        .trim_matches('"')
        .into()
}

/// Keeps this process, and those it starts, on one CPU.
fn stay_here() {
    // SAFETY: Zeroes are a valid set, and the pointers are valid for the size given.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        assert!(libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set) == 0);
    }
}

fn main() {
    let (options, args): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let only = options.iter().find_map(|o| o.strip_prefix("--only="));
    let log = options.iter().find_map(|o| o.strip_prefix("--guest="));
    let uncounted = options.iter().any(|o| o == "--uncounted");
    let keys = &args[0];
    stay_here();
    let workers: Vec<Worker> = args[1..]
        .iter()
        .map(|command| Worker::new(&command.split(' ').collect::<Vec<_>>()))
        .collect();
    let with = |mut entries: Vec<Entry>, operation| {
        entries.extend(workers.iter().filter_map(|w| w.entry("", operation)));
        entries
    };

    let crates = [
        "graviola",
        "aws-lc-rs",
        "ring",
        "p256",
        "rsa",
        "x25519-dalek",
        "libcrux-ml-kem",
        "ml-kem",
        "sha3",
    ];
    let versions: Vec<String> = crates
        .iter()
        .map(|c| format!("{c} {}", version(c)))
        .collect();
    println!("{}", versions.join(", "));
    println!(
        "The core's clock: {:.2} GHz, from additions that wait for each other",
        clock()
    );

    let compare = |title: &str, rounds, batch, entries: &dyn Fn() -> Vec<Entry>| {
        if title.contains(only.unwrap_or_default()) {
            let counted = match () {
                _ if uncounted => |_: &str| false,
                // A long time for each of millions of instructions.
                _ if title.starts_with("RSA-3072") || title.starts_with("RSA-4096") => {
                    |name: &str| ["ours", "graviola"].contains(&name)
                }
                _ => |_: &str| true,
            };
            let table = Table {
                rounds,
                batch,
                counted,
            };
            table.print(title, entries());
        }
    };
    compare("ECDSA P-256 with SHA-256, sign", 400, 8, &|| {
        with(libraries::ecdsa(), "ecdsa")
    });
    compare(
        "ECDSA P-256, parts of a signature of ours",
        400,
        8,
        &libraries::ecdsa_parts,
    );
    compare("ECDH P-256, key pair and shared secret", 400, 4, &|| {
        with(libraries::ecdh(), "ecdh")
    });
    compare("X25519, key pair and shared secret", 400, 4, &|| {
        let is_kernel = |w: &&Worker| w.library() == "lib/crypto";
        let kernel = workers.iter().filter(is_kernel);
        let mut entries: Vec<Entry> = kernel
            .flat_map(|w| {
                [
                    w.entry("", "x25519"),
                    w.entry(", portable", "x25519-portable"),
                ]
            })
            .flatten()
            .collect();
        entries.extend(libraries::x25519());
        let others = workers.iter().filter(|w| !is_kernel(w));
        entries.extend(others.filter_map(|w| w.entry("", "x25519")));
        entries
    });
    compare(
        "ML-KEM-768, encapsulation with the check of the key",
        400,
        8,
        &|| with(libraries::ml_kem(), "mlkem"),
    );
    compare("SHA-3 of an ML-KEM-768 encapsulation", 400, 8, &|| {
        with(libraries::sha3(), "sha3")
    });
    for (bits, operation, rounds) in [
        (2048, "rsa2048", 100),
        (3072, "rsa3072", 50),
        (4096, "rsa4096", 40),
    ] {
        compare(
            &format!("RSA-{bits} PSS with SHA-256, sign"),
            rounds,
            1,
            &|| {
                let read = |suffix| std::fs::read(format!("{keys}/{bits}.{suffix}")).unwrap();
                with(libraries::pss(&read("pk8"), &read("pkcs1")), operation)
            },
        );
    }
    if let Some(log) = log {
        guest::print(&std::fs::read_to_string(log).unwrap());
    }
}
