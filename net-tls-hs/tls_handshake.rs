// SPDX-License-Identifier: GPL-2.0

//! TLS 1.3 server handshakes.
//!
//! From the bottom up:
//!
//! * [`p256`], [`rsa`], [`mlkem`]: constant-time primitives that lib/crypto does not have.
//! * [`engine`]: a server without I/O. [`kcrypto`] implements its trait [`crypto::Crypto`] with
//!   lib/crypto.
//! * [`ffi`], [`ffi_identity`]: what the C side calls. The only part with `unsafe` besides [`ct`],
//!   [`kcrypto`] and the assembly of the primitives.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

pub mod engine;
pub mod ffi;
pub mod ffi_identity;
pub mod kcrypto;
pub mod mlkem;
pub mod p256;
pub mod rsa;

// Where the primitives look for them.
pub use engine::{crypto, ct};

#[cfg(CONFIG_TLS_HANDSHAKE_KUNIT_TEST)]
mod tests;
