// SPDX-License-Identifier: GPL-2.0
//! What lib/crypto's Rust code takes from the host.

mod cpu;
mod mlkem;
mod p256;
mod rsa_pss;
