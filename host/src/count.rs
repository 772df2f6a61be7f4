// SPDX-License-Identifier: GPL-2.0
//! Counts instructions, exactly, of the calling thread.
//!
//! It is single-stepped on the real CPU, with the trap flag of x86, so that the load of the machine
//! does not matter and the assembly is what is counted. An iteration of a `rep` instruction counts
//! as one, a system call as one.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many instructions were stepped over.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Each instruction that is executed with the trap flag set ends here.
#[cfg(target_arch = "x86_64")]
extern "C" fn stepped(_signal: libc::c_int) {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// How many there have been.
pub fn so_far() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// Runs something and counts its instructions.
#[cfg(target_arch = "x86_64")]
pub fn counted<T>(run: impl FnOnce() -> T) -> T {
    let handler: extern "C" fn(libc::c_int) = stepped;
    // SAFETY: The handler only adds to an atomic variable.
    unsafe { libc::signal(libc::SIGTRAP, handler as libc::sighandler_t) };
    // SAFETY: The trap flag has no effect but the signals, for which there is a handler.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    let result = run();
    // SAFETY: As above.
    unsafe { std::arch::asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
    result
}

/// Runs something that is not to be counted, out of what is run by [`counted`].
pub fn uncounted<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: As above.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq")
    };
    let result = run();
    // SAFETY: As above.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq")
    };
    result
}

/// Runs something.
#[cfg(not(target_arch = "x86_64"))]
pub fn counted<T>(_run: impl FnOnce() -> T) -> T {
    unimplemented!("single-stepping on this architecture")
}
