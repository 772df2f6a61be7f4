// SPDX-License-Identifier: GPL-2.0
//! The handshake's portable code, with the same module paths as in the kernel crate.

#[path = "../../net-tls-hs/crypto.rs"]
pub mod crypto;
#[path = "../../net-tls-hs/ct.rs"]
pub mod ct;

pub mod host_crypto;
