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
    ///
    /// What this costs grows with the length of the client's list, whatever names are in it.
    #[inline(never)]
    pub fn choose(&self, client: Option<Protocols<'_>>) -> Result<Option<&'a [u8]>, Alert> {
        let Some(client) = client.filter(|_| !self.0.is_empty()) else {
            return Ok(None);
        };
        let table = Table::new(*self);
        let first = client.iter().filter_map(|name| table.find(name)).min();
        first
            .map(|at| Some(self.at(at)))
            .ok_or(Alert::NoApplicationProtocol)
    }

    /// The name that begins with its length at `at`.
    fn at(&self, at: u8) -> &'a [u8] {
        let mut rest = Reader::new(self.0.get(usize::from(at)..).unwrap_or(&[]));
        rest.vec8(1, 255).map_or(&[], |name| name.rest())
    }
}

/// Places of a [`Table`]: twice as many as a list of 255 bytes can have names.
const PLACES: usize = 256;

/// The names of a list of up to 255 bytes, to be found by their hash. The list is the server's, so
/// no client can make its names collide.
struct Table<'a> {
    list: Protocols<'a>,
    /// Where a name begins in the list, and 1: at the place of its hash, or in the next free one.
    places: [u8; PLACES],
}

impl<'a> Table<'a> {
    fn new(list: Protocols<'a>) -> Self {
        let mut table = Table {
            list,
            places: [0; PLACES],
        };
        let mut at = 0u8;
        for name in list.iter() {
            let free = table.probe(name).find(|(_, place)| *place == 0);
            let next = usize::from(at) + 1 + name.len();
            if let Some(place) = free.and_then(|(i, _)| table.places.get_mut(i)) {
                *place = at + 1;
            }
            match u8::try_from(next) {
                Ok(next) if next < u8::MAX => at = next,
                _ => break,
            }
        }
        table
    }

    /// Places where a name may be, in order, and what is there.
    fn probe(&self, name: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let hash = name.iter().fold(0x811c_9dc5, mix);
        let first = (hash ^ hash >> 16) as usize;
        (0..PLACES).map(move |i| {
            let at = first.wrapping_add(i) % PLACES;
            (at, self.places.get(at).copied().unwrap_or(0))
        })
    }

    /// Where a name begins in the list.
    fn find(&self, name: &[u8]) -> Option<u8> {
        self.probe(name)
            .map_while(|(_, place)| place.checked_sub(1))
            .find(|at| self.list.at(*at) == name)
    }
}
