// SPDX-License-Identifier: GPL-2.0
//! What eight operations at a time with AVX-512 IFMA would save: prototypes of what the kernel does
//! not do, see `host/bench/PRECOMPUTATION.md`.
//!
//! Compares results with those of one at a time and of other libraries, then prints the shortest of
//! many times, for each operation.
//!
//! `cargo run --release --example batches`

#[cfg(target_arch = "x86_64")]
mod compare;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod p256;
#[cfg(target_arch = "x86_64")]
mod rsa;
#[cfg(target_arch = "x86_64")]
mod times;
#[cfg(target_arch = "x86_64")]
mod x25519;

// With what is private to the kernel's crate.
#[path = "../../../../lib-crypto/lib/crypto/p256/table.rs"]
#[cfg(target_arch = "x86_64")]
mod p256_table;
#[path = "../../../../lib-crypto/lib/crypto/x25519/table.rs"]
#[cfg(target_arch = "x86_64")]
mod x25519_table;

// Of the benchmark.
#[allow(dead_code)]
#[cfg(target_arch = "x86_64")]
#[path = "../../src/libraries.rs"]
mod libraries;
#[allow(dead_code)]
#[cfg(target_arch = "x86_64")]
#[path = "../../src/measure.rs"]
mod measure;
#[allow(dead_code)]
#[cfg(target_arch = "x86_64")]
#[path = "../../src/worker.rs"]
mod worker;

#[cfg(target_arch = "x86_64")]
fn main() {
    use std::is_x86_feature_detected as has;
    if !(has!("avx512f") && has!("avx512ifma") && has!("adx") && has!("bmi2")) {
        println!("This CPU has no AVX-512 IFMA");
        return;
    }
    // SAFETY: The CPU has the instructions.
    unsafe {
        compare::x25519();
        compare::p256();
        compare::rsa();
        println!("All results are those of one at a time and of other libraries");
        times::print();
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("There are no prototypes for this CPU");
}
