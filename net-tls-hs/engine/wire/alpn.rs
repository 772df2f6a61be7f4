// SPDX-License-Identifier: GPL-2.0

//! Application-Layer Protocol Negotiation (RFC 7301).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Reader;

/// A list of protocol names, each with its length of one byte in front: a ProtocolNameList
/// (RFC 7301, section 3.1) without the length of the whole. It is known to be well formed.
#[derive(Clone, Copy, Default)]
pub struct Protocols<'a>(&'a [u8]);

impl<'a> Protocols<'a> {
    /// No protocols.
    pub const NONE: Protocols<'static> = Protocols(&[]);

    /// Takes a list if it is well formed. There are no empty names.
    pub fn new(list: &'a [u8]) -> Result<Self, Alert> {
        let mut rest = Reader::new(list);
        while !rest.is_empty() {
            rest.vec8(1, 255)?;
        }
        Ok(Protocols(list))
    }

    /// The body of an application_layer_protocol_negotiation extension of a client.
    pub fn parse(mut body: Reader<'a>) -> Result<Self, Alert> {
        let list = body.vec16(2, 0xffff)?;
        body.finish()?;
        Self::new(list.rest())
    }

    /// The names in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = Reader::new(self.0);
        core::iter::from_fn(move || Some(rest.vec8(1, 255).ok()?.rest()))
    }

    /// Whether a name is there twice.
    pub fn has_duplicates(&self) -> bool {
        let mut names = self.iter().enumerate();
        names.any(|(i, name)| self.iter().take(i).any(|earlier| earlier == name))
    }

    /// Chooses the first protocol of this list, the server's, that the client has as well
    /// (section 3.2). None if either has no list.
    pub fn choose(&self, client: Option<Protocols<'_>>) -> Result<Option<&'a [u8]>, Alert> {
        let Some(client) = client.filter(|_| !self.0.is_empty()) else {
            return Ok(None);
        };
        self.iter()
            .find(|name| client.iter().any(|theirs| theirs == *name))
            .map(Some)
            .ok_or(Alert::NoApplicationProtocol)
    }
}
