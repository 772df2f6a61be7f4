// SPDX-License-Identifier: GPL-2.0
//! The handshake's portable code, with the same module paths as in the kernel crate.

// A hash's or a writer's is never empty.
#![allow(clippy::len_without_is_empty)]

#[path = "../../net-tls-hs/engine/mod.rs"]
pub mod engine;
#[cfg(not(feature = "toy"))]
#[path = "../../net-tls-hs/mlkem/mod.rs"]
pub mod mlkem;
#[cfg(not(feature = "toy"))]
#[path = "../../net-tls-hs/p256/mod.rs"]
pub mod p256;
#[path = "../../net-tls-hs/rsa/mod.rs"]
pub mod rsa;

// Where the primitives look for them.
pub use engine::{crypto, ct};

pub mod count;
pub mod host_crypto;
pub mod memcheck;
#[cfg(feature = "toy")]
pub mod toy;
#[cfg(feature = "toy")]
pub use toy::{mlkem, p256};

/// How many random inputs a test tries, if trying one is as much work as `cost` key exchanges.
///
/// `TLS_HS_ROUNDS` says how many for a cost of 1. `make test-differential` sets it to 10^6.
pub fn rounds(cost: usize) -> usize {
    let usual = if cfg!(debug_assertions) { 300 } else { 20_000 };
    let rounds = match std::env::var("TLS_HS_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("TLS_HS_ROUNDS is a number"),
        Err(_) => usual,
    };
    (rounds / cost).max(1)
}

/// Zeroed memory for a type that is too large for a stack.
///
/// # Safety
///
/// Zeroes must be a valid value of the type.
pub unsafe fn zeroed<T>() -> Box<T> {
    let memory = Box::new(std::mem::MaybeUninit::<T>::zeroed());
    // SAFETY: MaybeUninit has the layout of what it wraps, which the caller says is initialised.
    unsafe { Box::from_raw(Box::into_raw(memory).cast()) }
}

#[cfg(test)]
#[path = "../../kunit-tests/mod.rs"]
mod tests;
