// SPDX-License-Identifier: GPL-2.0
//! The handshake's portable code, with the same module paths as in the kernel crate.

#[path = "../../net-tls-hs/engine/mod.rs"]
pub mod engine;

// Of lib/crypto.
#[macro_use]
#[path = "../../lib-crypto/lib/crypto/cpu.rs"]
pub mod cpu;
#[path = "../../lib-crypto/lib/crypto/ct.rs"]
pub mod ct;
#[path = "../../lib-crypto/lib/crypto/divsteps.rs"]
pub mod divsteps;
#[path = "../../lib-crypto/lib/crypto/limbs.rs"]
pub mod limbs;
#[path = "../../lib-crypto/lib/crypto/mlkem/mod.rs"]
pub mod mlkem;
#[path = "../../lib-crypto/lib/crypto/p256/mod.rs"]
pub mod p256;
#[path = "../../lib-crypto/lib/crypto/rsa_pss/mod.rs"]
pub mod rsa_pss;
#[path = "../../lib-crypto/lib/crypto/x25519/mod.rs"]
pub mod x25519;

#[macro_use]
mod primitives;

pub mod count;
pub mod host_crypto;
pub mod host_platform;
pub mod memcheck;
mod platform;
#[cfg(feature = "toy")]
pub mod toy;

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
#[path = "../../kunit-tests/lib-crypto/common.rs"]
mod test_common;
#[cfg(test)]
#[path = "../../kunit-tests/mod.rs"]
mod tests;

#[cfg(test)]
#[path = "../../kunit-tests/lib-crypto"]
mod lib_crypto_tests {
    use crate::host_platform::HostCrypto as Platform;
    use crate::test_common as common;
    mod mlkem;
    mod mlkem_vector;
    mod p256;
    mod p256_nist;
    mod rsa_pss;
    mod rsa_pss_vector;
    mod x25519;
}
