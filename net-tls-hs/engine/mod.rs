// SPDX-License-Identifier: GPL-2.0

//! The engine: a TLS 1.3 server without I/O (RFC 9846).
//!
//! Bytes come in, bytes and instructions come out. It does no I/O, does not allocate and uses
//! nothing but `core`, so that the same files are tested and fuzzed on other hosts. Its only way
//! out is the trait [`crypto::Crypto`].
//!
//! * [`wire`]: what is on the wire. A file for each message or extension.
//! * [`keys`]: the key schedule, key exchange and tickets.
//! * [`policy`]: the settings of a listener, identities, and what is chosen for a client.
//! * [`state`]: the state machine.
//! * [`ct`], [`scratch`]: memory for secrets, which is lib/crypto's, and for what is too large
//!   for a stack.
//! * [`u16_set`]: a set of numbers, for what a ClientHello lists.

pub use crate::ct;

pub mod crypto;
pub mod keys;
pub mod policy;
pub mod scratch;
pub mod state;
pub mod u16_set;
pub mod wire;
