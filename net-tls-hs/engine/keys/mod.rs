// SPDX-License-Identifier: GPL-2.0

//! The key schedule, key exchange, pre-shared keys and tickets.

pub mod key_exchange;
pub mod protection;
pub mod psk;
pub mod schedule;
pub mod ticket;
