// SPDX-License-Identifier: GPL-2.0
//! The whole engine with a client that goes along: handshakes in all their forms, with and without
//! mistakes. What happens, byte for byte, does not depend on the pieces in which the client's bytes
//! arrive. See README.md.
#![no_main]

mod hello;
mod mutate;
mod peer;
mod program;
mod world;

use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};
use std::cell::RefCell;
use world::{Cut, World};

std::thread_local! {
    static WORLDS: RefCell<[World; 2]> = RefCell::new([World::new(), World::new()]);
}

fuzz_target!(|data: &[u8]| {
    WORLDS.with_borrow_mut(|[one, other]| {
        let whole = one.run(data, Cut::Whole);
        let any = data
            .iter()
            .fold(data.len() as u32, |n, b| n.rotate_left(5) ^ u32::from(*b));
        for cut in [Cut::Bytes, Cut::Any(any)] {
            let got = other.run(data, cut);
            assert_eq!(whole, got, "{cut:?}");
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed)
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    mutate::cross(one, other, out, seed)
});
