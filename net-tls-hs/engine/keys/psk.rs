// SPDX-License-Identifier: GPL-2.0

//! Pre-shared keys for resumption (RFC 9846, section 4.3.11).

use crate::engine::crypto::{Crypto, HashAlg, MAX_HASH_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::keys::schedule::{EarlySecret, TranscriptHash};
use crate::engine::keys::ticket::{self, Tickets};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Reader;

/// How many of the client's identities are looked at. Clients offer one or two tickets; the limit
/// bounds the work that a ClientHello can cause.
const MAX_LOOKED_AT: usize = 4;

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

    /// Identities and binders in the order of the client.
    fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let (mut identities, mut binders) = (self.identities, self.binders);
        core::iter::from_fn(move || {
            let identity = Self::identity(&mut identities).ok()?;
            let binder = binders.vec8(32, 255).ok()?.rest();
            Some((identity, binder))
        })
    }

    /// The part of a ClientHello message that its binders are made of (section 4.3.11.2).
    fn truncated<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        let len = message.len().saturating_sub(self.binders_len);
        message.get(..len).unwrap_or(message)
    }
}

/// The PSK of a connection that is resumed.
pub struct Psk {
    /// Which of the client's identities it is.
    pub selected: u16,
    /// When the full handshake was that the connection goes back to.
    pub since: u64,
    alg: HashAlg,
    bytes: Secret<[u8; MAX_HASH_LEN]>,
}

impl Psk {
    /// The first stage of the key schedule.
    pub fn early_secret<C: Crypto>(&self) -> EarlySecret<C> {
        EarlySecret::with_psk(self.alg, self.bytes.get(..self.alg.len()).unwrap_or(&[]))
    }

    /// Finds the first PSK that is a ticket for `context`, and checks its binder.
    ///
    /// `transcript` is what comes before `message`, the ClientHello. A wrong binder is a
    /// decrypt_error; if there is no such ticket the handshake is a full one.
    #[inline(never)]
    pub fn select<C: Crypto>(
        offered: &OfferedPsks<'_>,
        tickets: &Tickets<'_>,
        alg: HashAlg,
        context: &[u8; 32],
        transcript: &C::Hash,
        message: &[u8],
    ) -> Result<Option<Self>, Alert> {
        for ((identity, binder), selected) in offered.iter().take(MAX_LOOKED_AT).zip(0..) {
            let Some(opened) = ticket::open::<C>(tickets, context, identity) else {
                continue;
            };
            let psk = Psk {
                selected,
                since: opened.since,
                alg,
                bytes: opened.psk,
            };
            let hash = hash_with::<C>(transcript, offered.truncated(message));
            psk.check_binder::<C>(&hash, binder)?;
            return Ok(Some(psk));
        }
        Ok(None)
    }

    #[inline(never)]
    fn check_binder<C: Crypto>(&self, hash: &TranscriptHash, binder: &[u8]) -> Result<(), Alert> {
        let key = self.early_secret::<C>().binder_secret();
        let right = key.verify_data::<C>(hash);
        match right.get(..self.alg.len()) {
            Some(right) if right.len() == binder.len() && ct::eq(right, binder) => Ok(()),
            _ => Err(Alert::DecryptError),
        }
    }
}

/// The hash of a transcript and one more part. In a function of its own for the sake of the stack.
#[inline(never)]
fn hash_with<C: Crypto>(transcript: &C::Hash, part: &[u8]) -> TranscriptHash {
    let mut hash = transcript.clone();
    C::hash_update(&mut hash, part);
    C::hash_final(hash)
}
