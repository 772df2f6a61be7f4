// SPDX-License-Identifier: GPL-2.0
//! What a client sends, cut, changed and delivered in pieces: never a panic, never a handshake,
//! and the same outcome whatever the pieces are.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

mod common;

use common::{advance, hello_of_rustls, Outcome};

/// Feeds bytes as they arrive, `chunk` at a time.
fn outcome(bytes: &[u8], chunk: usize) -> Outcome {
    let mut session = common::Session::new();
    let mut have = 0;
    let mut need = 1;
    while have < bytes.len() {
        have = (have + chunk).min(bytes.len());
        if have < need {
            continue;
        }
        match advance(&mut session, &bytes[..have]) {
            Outcome::More(n) => {
                assert!(n > have, "asks for what is there");
                need = n;
            }
            other => return other,
        }
    }
    Outcome::More(need)
}

#[test]
fn truncated() {
    let hello = hello_of_rustls();
    for len in 0..hello.len() {
        assert!(
            matches!(outcome(&hello[..len], usize::MAX), Outcome::More(_)),
            "{len}"
        );
    }
    assert!(matches!(
        outcome(&hello, usize::MAX),
        Outcome::Answered { .. }
    ));
}

#[test]
fn every_byte_changed() {
    let hello = hello_of_rustls();
    let mut answered = 0;
    for at in 0..hello.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = hello.clone();
            changed[at] ^= flip;
            let whole = outcome(&changed, usize::MAX);
            for chunk in [1, 9] {
                assert_eq!(whole, outcome(&changed, chunk), "byte {at} ^ {flip:#x}");
            }
            answered += usize::from(matches!(whole, Outcome::Answered { .. }));
        }
    }
    // Randoms, session ids, unknown extensions and key shares may be anything.
    assert!(answered > 0);
}

#[test]
fn every_length_changed() {
    // Each pair of bytes as a length that is off.
    let hello = hello_of_rustls();
    for at in 3..hello.len() - 1 {
        for value in [0u16, 1, 0x00ff, 0x4000, 0x4001, 0xffff] {
            let mut changed = hello.clone();
            changed[at..at + 2].copy_from_slice(&value.to_be_bytes());
            let whole = outcome(&changed, usize::MAX);
            assert_eq!(whole, outcome(&changed, 1), "bytes {at} = {value:#x}");
        }
    }
}

#[test]
fn any_records() {
    let hello = hello_of_rustls();
    for size in 1..200 {
        let mut wire = Vec::new();
        for fragment in hello[5..].chunks(size) {
            wire.extend([22, 3, 1]);
            wire.extend((fragment.len() as u16).to_be_bytes());
            wire.extend(fragment);
        }
        for chunk in [usize::MAX, 1, 7] {
            let got = outcome(&wire, chunk);
            assert_eq!(
                got,
                Outcome::Answered {
                    consumed: wire.len()
                },
                "{size}"
            );
        }
    }
}
