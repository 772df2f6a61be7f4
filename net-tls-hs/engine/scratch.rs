// SPDX-License-Identifier: GPL-2.0

//! Memory that a handshake computes in and that is too large for a kernel stack.

use crate::engine::crypto::Crypto;
use crate::engine::u16_set::U16Set;

/// Working memory of the engine; the kernel has one per CPU. All zeroes is a valid value.
///
/// Between two calls of the engine there is no secret in it: each part is wiped by what has used
/// it. The parts lie beside each other, although a handshake never needs both at a time, as a union
/// would save nothing that counts and cost `unsafe` code.
pub struct Scratch<C: Crypto> {
    /// For the key exchange.
    pub mlkem: C::MlKemWorkspace,
    /// For the signature.
    pub rsa: C::RsaWorkspace,
    /// For what a ClientHello lists.
    pub set: U16Set,
}
