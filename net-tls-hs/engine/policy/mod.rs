// SPDX-License-Identifier: GPL-2.0

//! Settings and identities of a listener, and what is chosen for a client.

pub mod chain;
pub mod choice;
pub mod external_psk;
pub mod fallback;
pub mod identity;
pub mod name;
pub mod settings;
pub mod sort;
