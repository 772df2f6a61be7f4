// SPDX-License-Identifier: GPL-2.0

//! Tests that run in the kernel, with KUnit, and on the host, with cargo.

#[cfg(CONFIG_KUNIT)]
use crate::kcrypto::LibCrypto as Platform;

#[cfg(not(CONFIG_KUNIT))]
use crate::host_crypto::HostCrypto as Platform;

use crate::test_common::{hex, zeroed};

mod alpn;
mod certificate;
mod crypto;
mod identity;
mod key_exchange;
mod key_schedule;
mod name;
mod post_handshake;
mod record;
mod record_limit;
mod session;
mod ticket_request;
