// SPDX-License-Identifier: GPL-2.0

//! The extension certificate_authorities of a ClientHello (RFC 9846, section 4.3.4).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Reader;

/// How many names count. They are a hint, which is looked up for each certificate of each identity
/// that could be chosen; 256 are more than a browser has roots.
pub const MAX_LOOKED_AT: usize = 256;

/// The distinguished names of certificate_authorities; empty if the client sends none.
#[derive(Clone, Copy, Default)]
pub struct Authorities<'a>(&'a [u8]);

impl<'a> Authorities<'a> {
    /// Takes the extension's body.
    pub fn parse(mut body: Reader<'a>) -> Result<Self, Alert> {
        let list = body.vec16(3, 0xffff)?;
        body.finish()?;
        let mut rest = list;
        while !rest.is_empty() {
            rest.vec16(1, 0xffff)?;
        }
        Ok(Authorities(list.rest()))
    }

    /// Whether the client names none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a distinguished name, as DER, is among the first [`MAX_LOOKED_AT`].
    pub fn contains(&self, name: &[u8]) -> bool {
        let mut rest = Reader::new(self.0);
        let mut names = core::iter::from_fn(|| Some(rest.vec16(1, 0xffff).ok()?.rest()));
        names.by_ref().take(MAX_LOOKED_AT).any(|n| n == name)
    }
}
