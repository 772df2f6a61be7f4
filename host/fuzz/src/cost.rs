// SPDX-License-Identifier: GPL-2.0
//! Looks for the ClientHello that costs the most before it is answered or refused, for each byte of
//! its records and each piece in which it comes.
//!
//! The time it takes is measured by the clock of the CPU, the least of a few runs, and steers the
//! search: libFuzzer keeps what reaches a new level of it. `host/tests/cost.rs` counts the
//! instructions of what is kept in the corpus, exactly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::atomic::Ordering;

#[path = "../../tests/cost/mod.rs"]
mod cost;

/// How many ticks of the clock there may be for an instruction of the bound: this build has overflow
/// checks and counts edges, and the machine may be busy.
const TICKS: u64 = 32;

/// Levels of cost, which libFuzzer takes for coverage.
#[link_section = "__libfuzzer_extra_counters"]
static LEVELS: [std::sync::atomic::AtomicU8; 256] =
    [const { std::sync::atomic::AtomicU8::new(0) }; 256];

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
    let bound = cost::bound_of(least.bytes, least.pieces);
    let level = least.instructions * 64 / (TICKS * bound);
    LEVELS[level.min(255) as usize].store(1, Ordering::Relaxed);
    assert!(least.instructions <= TICKS * bound, "{least:?}");
});
