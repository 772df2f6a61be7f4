// SPDX-License-Identifier: GPL-2.0
//! What a ClientHello costs before it is answered or refused, in instructions, counted exactly.
//!
//! Each case is one that somebody could send to make it expensive. What is counted is what the
//! engine does in all calls from the first byte on; the key exchange, the signature and the hash of
//! the message come on top for those that are answered: here the identity is never ready to be
//! used, which the engine finds out when all else is decided. `host/fuzz` looks for more expensive
//! ones (target `cost`).
#![cfg(target_arch = "x86_64")]
#![cfg(not(debug_assertions))]

#[path = "cost/mod.rs"]
mod cost;

use cost::{Case, Hello};

fn u16s(values: impl Iterator<Item = u16>) -> Vec<u8> {
    values.flat_map(u16::to_be_bytes).collect()
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn check(name: &str, case: &Case) {
    let cost = case.cost();
    println!(
        "{:>9} instructions, {:>6} bytes in records, {name}",
        cost.instructions, cost.bytes
    );
    assert!(cost.instructions <= cost.bound(), "{name}: {cost:?}");
}

/// What a ClientHello may hold, as much of it as there is room for.
#[test]
fn lists() {
    let grease = |n: u16| u16s((0..n).map(|i| 0x4000 + i));
    let hello = Hello::new();
    let cases: [(&str, Hello); 14] = [
        ("as clients send it", hello.clone()),
        ("suites", hello.clone().suites(grease(8000))),
        ("groups", hello.clone().extension(10, &vec16(&grease(8000)))),
        (
            "groups, and shares for all",
            hello
                .clone()
                .extension(10, &vec16(&grease(2300)))
                .extension(
                    51,
                    &vec16(
                        &(0..2300u16)
                            .flat_map(|i| [&(0x4000 + i).to_be_bytes()[..], &[0, 1, 1]].concat())
                            .collect::<Vec<_>>(),
                    ),
                ),
        ),
        (
            "groups, and 64 shares of the last ones",
            hello
                .clone()
                .extension(10, &vec16(&grease(7700)))
                .extension(
                    51,
                    &vec16(
                        &(7636..7700u16)
                            .flat_map(|i| [&(0x4000 + i).to_be_bytes()[..], &[0, 1, 1]].concat())
                            .collect::<Vec<_>>(),
                    ),
                ),
        ),
        (
            "schemes",
            hello.clone().extension(13, &vec16(&grease(8000))),
        ),
        (
            "schemes of certificates",
            hello.clone().extension(50, &vec16(&grease(8000))),
        ),
        (
            "versions",
            hello
                .clone()
                .extension(43, &[&[254][..], &grease(127)].concat()),
        ),
        (
            "extensions",
            (0..4000).fold(hello.clone(), |h, i| h.extension(0x4000 + i, &[])),
        ),
        (
            "protocols",
            hello.clone().extension(16, &vec16(&[1, b'x'].repeat(8000))),
        ),
        (
            "protocols that begin like ours",
            hello
                .clone()
                .extension(16, &vec16(&b"\x03h2x".repeat(4000))),
        ),
        (
            "authorities",
            hello.clone().extension(47, &vec16(&[0, 1, 1].repeat(5000))),
        ),
        (
            "names of other types",
            hello
                .clone()
                .extension(0, &vec16(&[1, 0, 1, 1].repeat(4000))),
        ),
        (
            "PSKs",
            hello.clone().extension(45, &[1, 1]).psks(
                [
                    vec16(&[&vec16(&[7; 113])[..], &[0; 4]].concat().repeat(100)),
                    vec16(&[&[32][..], &[0; 32]].concat().repeat(100)),
                ]
                .concat(),
            ),
        ),
    ];
    for (name, hello) in cases {
        check(name, &Case::new(hello.record()));
    }
}

/// What the fuzzer has found to be the most expensive.
#[test]
fn corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/cost");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        if let Some(case) = cost::decode(&std::fs::read(&file).unwrap()) {
            check(&file.file_name().unwrap().to_string_lossy(), &case);
        }
    }
}

/// The longest ClientHello in records and pieces of any size, one byte at the least.
#[test]
fn small_records() {
    let hello = Hello::new().extension(0x4000, &vec![0; 16000]);
    let short = Hello::new();
    for (name, hello) in [("long", hello), ("short", short)] {
        let message = hello.message();
        for record in [1, 5, 16384] {
            for piece in [1, 1448] {
                let case = Case::new(cost::records(&message, record)).pieces(piece);
                // Single steps take their time.
                if message.len() / record * 10 / piece > 5_000 {
                    continue;
                }
                check(
                    &format!("{name}, records of {record}, pieces of {piece}"),
                    &case,
                );
            }
        }
    }
}
