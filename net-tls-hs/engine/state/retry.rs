// SPDX-License-Identifier: GPL-2.0

//! HelloRetryRequest (RFC 9846, section 4.2.4).
//!
//! The server remembers what it needs, so no cookie is sent: the hash of the first ClientHello,
//! and a digest of what must not change in the second one. The HelloRetryRequest itself is made
//! anew for the transcript.

use crate::engine::crypto::{Crypto, HashAlg};
use crate::engine::keys::schedule::TranscriptHash;
use crate::engine::state::client_finished::MAX_CHANGE_CIPHER_SPEC;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::client_hello::{self, ClientHello};
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::{content_type, handshake_type, CipherSuite, Group};
use crate::engine::wire::record::{Header, HEADER_LEN};
use crate::engine::wire::server_flight as flight;

/// Room for a HelloRetryRequest with the longest session id.
const MAX_LEN: usize = 96;

/// What is remembered of a ClientHello that has been answered with a HelloRetryRequest.
pub struct Retry {
    /// The transcript hash of the ClientHello.
    first: TranscriptHash,
    /// See [`fixed_digest`].
    fixed: [u8; 32],
    /// How much may still be skipped as early data.
    early_data: usize,
    /// How many ChangeCipherSpec have been dropped.
    change_cipher_specs: u8,
}

/// What there is before a second ClientHello, see [`Retry::skip`].
pub struct Skipped {
    /// Bytes that are done with.
    pub consumed: usize,
    /// Bytes behind them without which nothing more can be done, if there are not enough.
    pub need: Option<usize>,
    /// [`Retry::early_data`] behind them.
    early_data: usize,
    /// [`Retry::change_cipher_specs`] behind them.
    change_cipher_specs: u8,
}

impl Retry {
    /// Remembers a ClientHello message.
    #[inline(never)]
    pub fn new<C: Crypto>(
        suite: CipherSuite,
        message: &[u8],
        body: &[u8],
        early_data: usize,
    ) -> Result<Self, Alert> {
        let mut hash = C::hash_init(suite.hash());
        C::hash_update(&mut hash, message);
        Ok(Retry {
            first: C::hash_final(hash),
            fixed: fixed_digest::<C>(body)?,
            early_data,
            change_cipher_specs: 0,
        })
    }

    /// Checks that a second ClientHello differs from the first one only in what section 4.2.2
    /// allows, and that it has the one key share that was asked for.
    pub fn check<C: Crypto>(
        &self,
        hello: &ClientHello<'_>,
        body: &[u8],
        group: Group,
    ) -> Result<(), Alert> {
        let mut groups = hello.key_share.iter().flat_map(|s| s.iter()).map(|s| s.0);
        let right = groups.next() == Some(group.code()) && groups.next().is_none();
        if !right || hello.early_data || fixed_digest::<C>(body)? != self.fixed {
            return Err(Alert::IllegalParameter);
        }
        Ok(())
    }

    /// Adds to an empty transcript what stands for the first ClientHello (section 4.1) and the
    /// HelloRetryRequest.
    #[inline(never)]
    pub fn add_to<C: Crypto>(
        &self,
        transcript: &mut C::Hash,
        session_id: &[u8],
        suite: CipherSuite,
        group: Group,
    ) -> Result<(), Alert> {
        let alg = suite.hash();
        C::hash_update(
            transcript,
            &[handshake_type::MESSAGE_HASH, 0, 0, alg.len() as u8],
        );
        C::hash_update(transcript, self.first.get(..alg.len()).unwrap_or(&[]));
        let mut buf = [0; MAX_LEN];
        let mut w = Writer::new(&mut buf);
        flight::write_hello_retry_request(&mut w, session_id, suite, group)?;
        C::hash_update(transcript, w.since(0));
        Ok(())
    }

    /// Finds the end of what may come before the second ClientHello: ChangeCipherSpec (appendix
    /// E.4) and early data (section 4.3.10). The caller consumes it with [`Retry::consume`] or, if
    /// it is to be looked at again, does nothing.
    pub fn skip(&self, input: &[u8]) -> Result<Skipped, Alert> {
        let mut skipped = Skipped {
            consumed: 0,
            need: None,
            early_data: self.early_data,
            change_cipher_specs: self.change_cipher_specs,
        };
        loop {
            let rest = input.get(skipped.consumed..).unwrap_or(&[]);
            let Some(header) = Header::parse(rest)? else {
                break;
            };
            match header.content_type {
                content_type::CHANGE_CIPHER_SPEC => {
                    if header.len != 1 || skipped.change_cipher_specs == MAX_CHANGE_CIPHER_SPEC {
                        return Err(Alert::UnexpectedMessage);
                    }
                }
                content_type::APPLICATION_DATA => {
                    if header.record_len() > skipped.early_data {
                        return Err(Alert::UnexpectedMessage);
                    }
                }
                _ => break,
            }
            let Some(record) = rest.get(..header.record_len()) else {
                skipped.need = Some(header.record_len());
                return Ok(skipped);
            };
            if header.content_type == content_type::APPLICATION_DATA {
                skipped.early_data -= record.len();
            } else if record.get(HEADER_LEN) == Some(&1) {
                skipped.change_cipher_specs += 1;
            } else {
                return Err(Alert::UnexpectedMessage);
            }
            skipped.consumed += record.len();
        }
        Ok(skipped)
    }

    /// Counts what has been skipped, which the caller consumes.
    pub fn consume(&mut self, skipped: &Skipped) {
        self.early_data = skipped.early_data;
        self.change_cipher_specs = skipped.change_cipher_specs;
    }
}

/// A digest of the parts of a ClientHello that this server reads and that a second one must have
/// like the first. The order of extensions does not matter.
#[inline(never)]
fn fixed_digest<C: Crypto>(body: &[u8]) -> Result<[u8; 32], Alert> {
    let mut sum = [0; 32];
    client_hello::fixed_parts(body, |part| {
        let mut hash = C::hash_init(HashAlg::Sha256);
        C::hash_update(&mut hash, part);
        for (sum, byte) in sum.iter_mut().zip(C::hash_final(hash)) {
            *sum ^= byte;
        }
    })?;
    Ok(sum)
}
