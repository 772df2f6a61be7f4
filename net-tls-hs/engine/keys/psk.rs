// SPDX-License-Identifier: GPL-2.0

//! PSKs and their binders (RFC 9846, section 4.3.11): tickets and external ones.

use crate::engine::crypto::{Crypto, HashAlg};
use crate::engine::ct;
use crate::engine::keys::schedule::{EarlySecret, PskKind, TrafficSecret, TranscriptHash};
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
        let early = self.early_secret::<C>();
        self.check_binder_with(&early, offered, transcript, message)
    }

    /// The same, given the first stage of the key schedule.
    #[inline(never)]
    fn check_binder_with<C: Crypto>(
        &self,
        early: &EarlySecret<C>,
        offered: &OfferedPsks<'_>,
        transcript: &C::Hash,
        message: &[u8],
    ) -> Result<(), Alert> {
        let hash = hash_with::<C>(transcript, offered.truncated(message));
        let binder = offered.binder(self.selected).unwrap_or(&[]);
        let key = early.binder_secret(self.kind);
        let right = key.verify_data::<C>(&hash);
        match right.get(..self.alg.output_len()) {
            Some(right) if right.len() == binder.len() && ct::eq(right, binder) => Ok(()),
            _ => Err(Alert::DecryptError),
        }
    }
}

/// A ticket that a client has come back with.
pub struct TicketPsk {
    /// Which of the client's identities it is.
    pub selected: u16,
    /// When the full handshake was that the connection goes back to.
    pub since: u64,
}

impl TicketPsk {
    /// Finds the first PSK that is a ticket for `context`, and checks its binder. Of the PSK only
    /// [`EarlySecret::derived`] is needed then, and is written to `derived`.
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
        derived: &mut TrafficSecret,
    ) -> Result<Option<Self>, Alert> {
        for (identity, selected) in offered.identities().take(MAX_TICKETS).zip(0..) {
            let Some(opened) = &ticket::open::<C>(tickets, context, identity) else {
                continue;
            };
            let psk = Psk {
                kind: PskKind::Resumption,
                selected,
                alg,
                key: opened.psk.get(..alg.output_len()).unwrap_or(&[]),
            };
            let early = psk.early_secret::<C>();
            psk.check_binder_with(&early, offered, transcript, message)?;
            early.derived(derived);
            return Ok(Some(TicketPsk {
                selected,
                since: opened.since,
            }));
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
