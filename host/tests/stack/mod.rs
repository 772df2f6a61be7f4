// SPDX-License-Identifier: GPL-2.0
//! What functions leave on the stack.

use std::hint::black_box;

/// How far below its caller a function's leftovers are looked at, in words.
const DEPTH: usize = 16 * 1024 / 8;

/// A copy of the stack below the one who took it.
pub struct Leftovers(Vec<u64>);

/// Whether frames are not on the stack, where the address sanitizer would have to look for errors.
pub fn is_elsewhere() -> bool {
    std::env::var_os("ASAN_OPTIONS").is_some()
}

/// Where the frame of the function ends that this is inlined to.
#[inline(always)]
fn stack_pointer() -> *const u64 {
    let sp: *const u64;
    // SAFETY: The register is read and nothing else is done.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    sp
}

/// Overwrites more than is looked at.
#[inline(never)]
pub fn clear() {
    // A constant would be somewhere else.
    let mut words = [0u64; 4 * DEPTH];
    black_box(&mut words);
}

/// Runs something in a frame of its own.
#[inline(never)]
pub fn call<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// Runs something on a stack that is clean below, and tells what it leaves there.
#[inline(never)]
pub fn left_by<T>(run: impl FnOnce() -> T) -> (T, Leftovers) {
    let mut words = vec![0; DEPTH];
    let to = words.as_mut_ptr();
    clear();
    let result = call(run);
    let from = stack_pointer().wrapping_sub(DEPTH);
    // No calls, which would overwrite it.
    for i in 0..DEPTH {
        // SAFETY: That part of the stack has been written to by `clear`. Nobody else changes it,
        // and volatile accesses are done as they are written here.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    (result, Leftovers(words))
}

impl Leftovers {
    /// How many copies there are of some bytes.
    pub fn copies_of(&self, secret: &[u8]) -> usize {
        // One without any value would be found everywhere.
        assert!(secret.len() >= 12 && secret.iter().any(|b| *b != 0));
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.windows(secret.len()).filter(|w| *w == secret).count()
    }
}
