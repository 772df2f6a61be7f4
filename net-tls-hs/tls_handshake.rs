// SPDX-License-Identifier: GPL-2.0

//! TLS 1.3 server handshakes.
//!
//! From the bottom up:
//!
//! * [`engine`]: a server without I/O. [`kcrypto`] implements its trait [`engine::crypto::Crypto`]
//!   with lib/crypto; [`ct`] is lib/crypto's memory for secrets.
//! * [`ffi`], [`ffi_identity`], [`ffi_name`], [`ffi_psk`]: what the C side calls. The only part
//!   with `unsafe` besides [`ct`], [`kcrypto`].
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

#[path = "../../../lib/crypto/ct.rs"]
pub mod ct;
pub mod engine;
pub mod ffi;
pub mod ffi_identity;
pub mod ffi_name;
pub mod ffi_psk;
pub mod kcrypto;

#[cfg(CONFIG_TLS_HANDSHAKE_KUNIT_TEST)]
#[path = "../../../lib/crypto/tests/common.rs"]
mod test_common;
#[cfg(CONFIG_TLS_HANDSHAKE_KUNIT_TEST)]
mod tests;
