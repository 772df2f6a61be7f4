// SPDX-License-Identifier: GPL-2.0

//! Which of the client's pre-shared keys is resumed (RFC 9846, section 4.3.11).

use crate::engine::crypto::{Crypto, HashAlg, MAX_HASH_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::keys::schedule::{EarlySecret, TranscriptHash};
use crate::engine::keys::ticket::{self, Tickets};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::pre_shared_key::OfferedPsks;

/// How many of the client's identities are looked at. Clients offer one or two tickets; the limit
/// bounds the work that a ClientHello can cause.
const MAX_LOOKED_AT: usize = 4;

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
        EarlySecret::with_psk(
            self.alg,
            self.bytes.get(..self.alg.output_len()).unwrap_or(&[]),
        )
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
        match right.get(..self.alg.output_len()) {
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
