// SPDX-License-Identifier: GPL-2.0
//! The handshake's portable code, with the same module paths as in the kernel crate.

// A hash's or a writer's is never empty.
#![allow(clippy::len_without_is_empty)]

macro_rules! portable {
    ($($name:ident = $path:literal,)*) => {
        $(#[path = $path] pub mod $name;)*
    };
}

portable! {
    alert = "../../net-tls-hs/alert.rs",
    alpn = "../../net-tls-hs/alpn.rs",
    answer = "../../net-tls-hs/answer.rs",
    certificate = "../../net-tls-hs/certificate.rs",
    chain = "../../net-tls-hs/chain.rs",
    client_finished = "../../net-tls-hs/client_finished.rs",
    client_hello = "../../net-tls-hs/client_hello.rs",
    codec = "../../net-tls-hs/codec.rs",
    config = "../../net-tls-hs/config.rs",
    crypto = "../../net-tls-hs/crypto.rs",
    ct = "../../net-tls-hs/ct.rs",
    der = "../../net-tls-hs/der.rs",
    framing = "../../net-tls-hs/framing.rs",
    identity = "../../net-tls-hs/identity.rs",
    key_exchange = "../../net-tls-hs/key_exchange.rs",
    key_schedule = "../../net-tls-hs/key_schedule.rs",
    names = "../../net-tls-hs/names.rs",
    negotiation = "../../net-tls-hs/negotiation.rs",
    post_handshake = "../../net-tls-hs/post_handshake.rs",
    psk = "../../net-tls-hs/psk.rs",
    record = "../../net-tls-hs/record.rs",
    record_limit = "../../net-tls-hs/record_limit.rs",
    resumption = "../../net-tls-hs/resumption.rs",
    retry = "../../net-tls-hs/retry.rs",
    rsa = "../../net-tls-hs/rsa/mod.rs",
    scratch = "../../net-tls-hs/scratch.rs",
    server_flight = "../../net-tls-hs/server_flight.rs",
    session = "../../net-tls-hs/session.rs",
    ticket = "../../net-tls-hs/ticket.rs",
}

#[cfg(not(feature = "toy"))]
portable! {
    mlkem = "../../net-tls-hs/mlkem/mod.rs",
    p256 = "../../net-tls-hs/p256/mod.rs",
}

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
