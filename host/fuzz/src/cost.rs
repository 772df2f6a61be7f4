// SPDX-License-Identifier: GPL-2.0
//! Looks for the ClientHello that costs the most before it is answered or refused, for each byte of
//! its records and each piece in which it comes.
//!
//! The time it takes is measured by the clock of the CPU, the least of a few runs, and steers the
//! search: libFuzzer keeps what reaches a new level of it. What has taken a quarter more time than
//! all before is then counted by instructions, one step after the other. This build's are more than
//! the kernel's, as it has overflow checks and counts edges; `host/tests/cost.rs` counts those of the
//! corpus without.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::atomic::{AtomicU64, Ordering};

#[path = "../../tests/cost/mod.rs"]
mod cost;

/// How many times more instructions this build may take.
const INSTRUMENTED: u64 = 8;

/// Levels of cost, which libFuzzer takes for coverage.
#[link_section = "__libfuzzer_extra_counters"]
static LEVELS: [std::sync::atomic::AtomicU8; 256] =
    [const { std::sync::atomic::AtomicU8::new(0) }; 256];

/// The most time so far, in thousandths of what the bound has.
static MOST: AtomicU64 = AtomicU64::new(0);

fn ticks(run: &mut dyn FnMut()) -> u64 {
    // SAFETY: All that can run this has a time stamp counter.
    let before = unsafe { core::arch::x86_64::_rdtsc() };
    run();
    // SAFETY: As above.
    unsafe { core::arch::x86_64::_rdtsc() - before }
}

fuzz_target!(|data: &[u8]| {
    let Some(case) = cost::decode(data) else {
        return;
    };
    let timed = (0..3).map(|_| case.run(ticks));
    let Some(least) = timed.min_by_key(|cost| cost.instructions) else {
        return;
    };
    let level = least.instructions * 1000 / cost::bound_of(least.bytes, least.pieces);
    LEVELS[(level / 16).min(255) as usize].store(1, Ordering::Relaxed);
    let most = MOST.load(Ordering::Relaxed);
    if level > most + most / 4 {
        MOST.store(level, Ordering::Relaxed);
        let counted = case.cost();
        assert!(
            counted.instructions <= INSTRUMENTED * counted.bound(),
            "{counted:?}"
        );
    }
});
