// SPDX-License-Identifier: GPL-2.0
//! What the host has for the code under test: random numbers and the CPU, as tests want them.

use crate::memcheck;
use std::cell::Cell;
use std::thread::LocalKey;

/// The host's crypto library. What it is for lib/crypto's code is in `platform/`.
pub struct HostCrypto;

std::thread_local! {
    static WITHOUT_ASSEMBLY: Cell<bool> = const { Cell::new(false) };
    static WITHOUT_IFMA: Cell<bool> = const { Cell::new(false) };
}

/// Runs something while a flag is set.
fn with_flag<T>(flag: &'static LocalKey<Cell<bool>>, run: impl FnOnce() -> T) -> T {
    let before = flag.replace(true);
    let result = run();
    flag.set(before);
    result
}

/// Runs something on a CPU that seems not to have what the assembly needs.
pub fn without_assembly<T>(run: impl FnOnce() -> T) -> T {
    with_flag(&WITHOUT_ASSEMBLY, run)
}

/// Runs something on a CPU that seems not to have IFMA.
pub fn without_ifma<T>(run: impl FnOnce() -> T) -> T {
    with_flag(&WITHOUT_IFMA, run)
}

std::thread_local! {
    static RANDOM: std::cell::RefCell<Option<Vec<u8>>> = const { std::cell::RefCell::new(None) };
}

/// Runs something for which these bytes, one after the other, are the random ones. Panics if it
/// takes more. What it has not taken is returned.
pub fn with_random<T>(bytes: &[u8], run: impl FnOnce() -> T) -> (T, Vec<u8>) {
    let before = RANDOM.replace(Some(bytes.to_vec()));
    let result = run();
    (result, RANDOM.replace(before).unwrap_or_default())
}

/// Fills `buf` with random bytes, or with what [`with_random`] has given.
pub fn random(buf: &mut [u8]) {
    RANDOM.with_borrow_mut(|given| match given {
        Some(given) => {
            let rest = given.split_off(buf.len());
            buf.copy_from_slice(&std::mem::replace(given, rest));
        }
        None => getrandom::getrandom(buf).unwrap(),
    });
    memcheck::classify(buf);
}

/// Whether the CPU has ADX and BMI2.
pub fn has_adx() -> bool {
    if WITHOUT_ASSEMBLY.get() {
        return false;
    }
    // Valgrind knows the instructions, but does not say so in CPUID.
    if memcheck::is_active() {
        let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        return flags.contains(" adx ") && flags.contains(" bmi2 ");
    }
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("adx") && std::is_x86_feature_detected!("bmi2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Whether the CPU has AVX2 and popcnt.
pub fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return !WITHOUT_ASSEMBLY.get()
        && std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("popcnt");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Whether the CPU has AVX-512 with IFMA.
#[cfg(target_arch = "x86_64")]
pub fn has_ifma() -> bool {
    !WITHOUT_ASSEMBLY.get()
        && !WITHOUT_IFMA.get()
        && !memcheck::is_active()
        && std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512ifma")
}
