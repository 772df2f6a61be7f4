// SPDX-License-Identifier: GPL-2.0

//! TLS 1.3 server handshakes.
//!
//! From the bottom up:
//!
//! * [`ct`], [`p256`], [`rsa`], [`mlkem`]: constant-time primitives that lib/crypto does not have;
//!   [`crypto`] stands for what it has, and [`kcrypto`] implements that trait.
//! * [`codec`], [`der`], [`names`], [`alert`], [`alpn`], [`record`], [`record_limit`], [`config`],
//!   [`identity`], [`client_hello`], [`key_exchange`], [`key_schedule`], [`certificate`],
//!   [`server_flight`]: what the engine is made of.
//! * [`framing`], [`negotiation`], [`retry`], [`resumption`], [`answer`], [`client_finished`],
//!   [`post_handshake`], and [`session`], the state machine: the engine, which computes in
//!   [`scratch`]. It does no I/O, does not allocate and uses nothing but `core`, so that the same
//!   files are tested and fuzzed on other hosts.
//! * [`ffi`], [`ffi_identity`]: what the C side calls. The only part with `unsafe` besides [`ct`],
//!   [`kcrypto`] and the assembly of the primitives.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

// The host builds the same files and tests what the kernel keeps to itself.
#![allow(dead_code, unreachable_pub)]

mod alert;
mod alpn;
mod answer;
mod certificate;
mod chain;
mod client_finished;
mod client_hello;
mod codec;
mod config;
mod crypto;
mod ct;
mod der;
mod ffi;
mod ffi_identity;
mod framing;
mod identity;
mod kcrypto;
mod key_exchange;
mod key_schedule;
mod mlkem;
mod names;
mod negotiation;
mod p256;
mod post_handshake;
mod psk;
mod record;
mod record_limit;
mod resumption;
mod retry;
mod rsa;
mod scratch;
mod server_flight;
mod session;
mod ticket;

#[cfg(CONFIG_TLS_HANDSHAKE_KUNIT_TEST)]
mod tests;
