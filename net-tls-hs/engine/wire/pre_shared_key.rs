// SPDX-License-Identifier: GPL-2.0

//! The extension pre_shared_key of a ClientHello (RFC 9846, section 4.3.11).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Reader;

/// OfferedPsks, known to be well formed: as many binders as identities.
#[derive(Clone, Copy)]
pub struct OfferedPsks<'a> {
    identities: Reader<'a>,
    binders: Reader<'a>,
    /// Length of the list of binders with its own length, which ends the ClientHello.
    binders_len: usize,
}

impl<'a> OfferedPsks<'a> {
    /// Parses the extension.
    pub fn parse(mut body: Reader<'a>) -> Result<Self, Alert> {
        let identities = body.vec16(7, 0xffff)?;
        let binders_len = body.rest().len();
        let binders = body.vec16(33, 0xffff)?;
        body.finish()?;
        let psks = OfferedPsks {
            identities,
            binders,
            binders_len,
        };
        let (mut identities, mut binders) = (identities, binders);
        let (mut count, mut bound) = (0usize, 0usize);
        while !identities.is_empty() {
            Self::identity(&mut identities)?;
            count += 1;
        }
        while !binders.is_empty() {
            binders.vec8(32, 255)?;
            bound += 1;
        }
        if count != bound {
            return Err(Alert::IllegalParameter);
        }
        Ok(psks)
    }

    fn identity(list: &mut Reader<'a>) -> Result<&'a [u8], Alert> {
        let identity = list.vec16(1, 0xffff)?;
        // obfuscated_ticket_age. Without early data it decides nothing: a ticket's age is what the
        // ticket itself says.
        list.bytes(4)?;
        Ok(identity.rest())
    }

    /// Identities in the order of the client.
    pub fn identities(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut identities = self.identities;
        core::iter::from_fn(move || Self::identity(&mut identities).ok())
    }

    /// The binder of the identity with this number.
    pub fn binder(&self, number: u16) -> Option<&'a [u8]> {
        let mut binders = self.binders;
        for _ in 0..number {
            binders.vec8(32, 255).ok()?;
        }
        Some(binders.vec8(32, 255).ok()?.rest())
    }

    /// The part of a ClientHello message that its binders are made of (section 4.3.11.2).
    pub fn truncated<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        let len = message.len().saturating_sub(self.binders_len);
        message.get(..len).unwrap_or(message)
    }
}
