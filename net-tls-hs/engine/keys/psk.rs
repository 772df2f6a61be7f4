// SPDX-License-Identifier: GPL-2.0

//! PSKs and their binders (RFC 9846, section 4.3.11): tickets and external ones.

use crate::engine::crypto::{Crypto, HashAlg, MAX_HASH_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::keys::schedule::{EarlySecret, PskKind, TranscriptHash};
use crate::engine::keys::ticket::{self, Tickets};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::pre_shared_key::OfferedPsks;

/// How many of the client's identities are looked at as tickets. Clients offer one or two of them;
/// the limit bounds the work that a ClientHello can cause.
const MAX_TICKETS: usize = 4;

/// A PSK that a client has offered and the server has.
#[derive(Clone, Copy)]
pub struct Psk<'a> {
    /// What it is, for its binder.
    pub kind: PskKind,
    /// Which of the client's identities it is.
    pub selected: u16,
    /// The hash of the cipher suite that it is used with.
    pub alg: HashAlg,
    /// The key.
    pub key: &'a [u8],
}

impl Psk<'_> {
    /// The first stage of the key schedule.
    pub fn early_secret<C: Crypto>(&self) -> EarlySecret<C> {
        EarlySecret::with_psk(self.alg, self.key)
    }

    /// Checks the binder that the client has sent for it. `transcript` is what comes before
    /// `message`, the ClientHello. A wrong one is a decrypt_error.
    #[inline(never)]
    pub fn check_binder<C: Crypto>(
        &self,
        offered: &OfferedPsks<'_>,
        transcript: &C::Hash,
        message: &[u8],
    ) -> Result<(), Alert> {
        let hash = hash_with::<C>(transcript, offered.truncated(message));
        let binder = offered.binder(self.selected).unwrap_or(&[]);
        let key = self.early_secret::<C>().binder_secret(self.kind);
        let right = key.verify_data::<C>(&hash);
        match right.get(..self.alg.output_len()) {
            Some(right) if right.len() == binder.len() && ct::eq(right, binder) => Ok(()),
            _ => Err(Alert::DecryptError),
        }
    }
}

/// The PSK of a ticket.
pub struct TicketPsk {
    /// Which of the client's identities it is.
    pub selected: u16,
    /// When the full handshake was that the connection goes back to.
    pub since: u64,
    alg: HashAlg,
    bytes: Secret<[u8; MAX_HASH_LEN]>,
}

impl TicketPsk {
    /// The PSK.
    pub fn psk(&self) -> Psk<'_> {
        Psk {
            kind: PskKind::Resumption,
            selected: self.selected,
            alg: self.alg,
            key: self.bytes.get(..self.alg.output_len()).unwrap_or(&[]),
        }
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
        for (identity, selected) in offered.identities().take(MAX_TICKETS).zip(0..) {
            let Some(opened) = ticket::open::<C>(tickets, context, identity) else {
                continue;
            };
            let ticket = TicketPsk {
                selected,
                since: opened.since,
                alg,
                bytes: opened.psk,
            };
            ticket
                .psk()
                .check_binder::<C>(offered, transcript, message)?;
            return Ok(Some(ticket));
        }
        Ok(None)
    }
}

/// The hash of a transcript and one more part. In a function of its own for the sake of the stack.
#[inline(never)]
fn hash_with<C: Crypto>(transcript: &C::Hash, part: &[u8]) -> TranscriptHash {
    let mut hash = transcript.clone();
    C::hash_update(&mut hash, part);
    C::hash_final(hash)
}
