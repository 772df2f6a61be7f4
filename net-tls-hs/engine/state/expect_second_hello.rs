// SPDX-License-Identifier: GPL-2.0

//! The ClientHello after a HelloRetryRequest (RFC 9846, sections 4.2.2 and 4.2.4).
//!
//! The server remembers what it needs, so no cookie is sent: the hash of the first ClientHello,
//! and a digest of what must not change in the second one. The HelloRetryRequest itself is made
//! anew for the transcript.

use crate::engine::crypto::{Crypto, HashAlg};
use crate::engine::policy::choice::choose;
use crate::engine::policy::fallback::{Failure, Fallback};
use crate::engine::policy::settings::Identities;
use crate::engine::state::answer::{write_flight, Flight};
use crate::engine::state::memory::{Context, FirstHello};
use crate::engine::state::resumption::{may_answer, resume};
use crate::engine::state::skip::Skip;
use crate::engine::state::states::{ExpectSecondHello, State, Transition};
use crate::engine::state::step::Step;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::client_hello::{self, ClientHello};
use crate::engine::wire::codec::Writer;
use crate::engine::wire::framing::{Framing, HelloMessage};
use crate::engine::wire::names::{content_type, handshake_type, CipherSuite, Group};
use crate::engine::wire::record::{Header, HEADER_LEN};
use crate::engine::wire::server_flight as flight;

/// Room for a HelloRetryRequest with the longest session id.
const MAX_LEN: usize = 96;

/// What there is before a second ClientHello.
struct Skipped {
    /// Bytes that are done with.
    consumed: usize,
    /// Bytes behind them without which nothing more can be done, if there are not enough.
    need: Option<usize>,
    /// What may still come behind them.
    skip: Skip,
}

impl ExpectSecondHello {
    /// Answers a complete ClientHello with the server's flight.
    pub fn handle<C: Crypto, I: Identities>(
        self,
        input: &mut [u8],
        cx: &mut Context<'_, C, I>,
    ) -> Result<Transition, Failure> {
        self.answer::<C, I>(input, cx)
            .map_err(|failure| match failure {
                // No fallback: the first ClientHello has been consumed.
                Failure::Fallback(Fallback::HelloSize) => Alert::GeneralError.into(),
                // The first ClientHello had TLS 1.3: this one has been changed (section 4.2.2).
                Failure::Fallback(Fallback::Version) => Alert::IllegalParameter.into(),
                Failure::Fallback(_) => Alert::HandshakeFailure.into(),
                other => other,
            })
    }

    #[inline(never)]
    fn answer<C: Crypto, I: Identities>(
        self,
        input: &mut [u8],
        cx: &mut Context<'_, C, I>,
    ) -> Result<Transition, Failure> {
        let skipped = self.skip(input)?;
        let start = skipped.consumed;
        let hello = &mut cx.work.memory.hello;
        let framing = match skipped.need {
            Some(need) => Framing::More { need },
            None => hello.frame(input.get_mut(start..).unwrap_or(&mut []))?,
        };
        let (message, consumed) = match framing {
            Framing::More { need } => {
                let (consumed, skip) = (start, skipped.skip);
                return Ok(Self { skip }.stay(Step::More { consumed, need }));
            }
            Framing::Hello { message, consumed } => (message, start + consumed),
        };
        // Borrowed from the results: to move out of them would take twice the stack.
        let hello = &ClientHello::parse(message.body());
        let hello = hello.as_ref().map_err(|alert| *alert)?;
        let choice = &choose(hello, cx.config, cx.identities, &mut cx.work.scratch.set);
        let choice = choice.as_ref().map_err(|failure| *failure)?;
        let memory = &mut *cx.work.memory;
        let (suite, group) = (memory.negotiated.suite, memory.negotiated.group);
        if (choice.suite, choice.group) != (suite, group) {
            return Err(Alert::IllegalParameter.into());
        }
        let peer = check::<C>(&memory.first_hello, hello, message.body(), group)?;

        let mut transcript = C::hash_init(suite.hash());
        let first = &memory.first_hello;
        begin_transcript::<C>(first, &mut transcript, hello.session_id, suite, group)?;
        let derived = &mut cx.work.memory.handshake.derived;
        let resume = resume::<C>(
            hello,
            choice,
            cx.config,
            &transcript,
            message.whole(),
            derived,
        );
        let resume = resume.as_ref().map_err(|failure| *failure)?.as_ref();
        if !may_answer(cx.identities, choice, resume) {
            return Ok(self.stay(Step::Later));
        }
        C::hash_update(&mut transcript, message.whole());
        let flight = Flight {
            hello,
            choice,
            peer,
            resume,
            // The ChangeCipherSpec has been sent behind the HelloRetryRequest.
            change_cipher_spec: false,
        };
        let next = State::Finished(write_flight::<C>(&flight, &mut transcript, &mut cx.work)?);
        let written = cx.work.out.filled_len();
        Ok(Transition {
            next,
            step: Step::Send { consumed, written },
        })
    }

    fn stay(self, step: Step) -> Transition {
        Transition {
            next: State::SecondHello(self),
            step,
        }
    }

    /// Finds the end of what may come before the second ClientHello.
    #[inline(never)]
    fn skip(&self, input: &[u8]) -> Result<Skipped, Alert> {
        let mut skipped = Skipped {
            consumed: 0,
            need: None,
            skip: self.skip,
        };
        loop {
            let rest = input.get(skipped.consumed..).unwrap_or(&[]);
            let Some(header) = Header::parse(rest)? else {
                return Ok(skipped);
            };
            let may_be_skipped = match header.content_type {
                content_type::CHANGE_CIPHER_SPEC => {
                    skipped.skip.may_be_change_cipher_spec(header.len)
                }
                content_type::APPLICATION_DATA => {
                    skipped.skip.may_be_early_data(header.record_len())
                }
                _ => return Ok(skipped),
            };
            if !may_be_skipped {
                return Err(Alert::UnexpectedMessage);
            }
            let Some(record) = rest.get(..header.record_len()) else {
                skipped.need = Some(header.record_len());
                return Ok(skipped);
            };
            if header.content_type == content_type::CHANGE_CIPHER_SPEC {
                let content = record.get(HEADER_LEN..).unwrap_or(&[]);
                skipped.skip.change_cipher_spec(content)?;
            } else {
                skipped.skip.early_data(record.len());
            }
            skipped.consumed += record.len();
        }
    }
}

/// Remembers a ClientHello that is answered with a HelloRetryRequest.
#[inline(never)]
pub fn remember<C: Crypto>(
    suite: CipherSuite,
    message: &HelloMessage<'_>,
    first: &mut FirstHello,
) -> Result<(), Alert> {
    let mut hash = C::hash_init(suite.hash());
    C::hash_update(&mut hash, message.whole());
    first.hash = C::hash_final(hash);
    first.fixed = fixed_digest::<C>(message.body())?;
    Ok(())
}

/// Checks that a second ClientHello differs from the first one only in what section 4.2.2 allows,
/// and that it has the one key share that was asked for, which it returns.
#[inline(never)]
fn check<'a, C: Crypto>(
    first: &FirstHello,
    hello: &ClientHello<'a>,
    body: &[u8],
    group: Group,
) -> Result<&'a [u8], Alert> {
    let mut shares = hello.key_share.iter().flat_map(|shares| shares.iter());
    let (Some((code, peer)), None) = (shares.next(), shares.next()) else {
        return Err(Alert::IllegalParameter);
    };
    if code != group.code() || hello.early_data || fixed_digest::<C>(body)? != first.fixed {
        return Err(Alert::IllegalParameter);
    }
    Ok(peer)
}

/// Adds to an empty transcript what stands for the first ClientHello (section 4.1) and the
/// HelloRetryRequest.
#[inline(never)]
fn begin_transcript<C: Crypto>(
    first: &FirstHello,
    transcript: &mut C::Hash,
    session_id: &[u8],
    suite: CipherSuite,
    group: Group,
) -> Result<(), Alert> {
    let len = suite.hash().output_len();
    C::hash_update(transcript, &[handshake_type::MESSAGE_HASH, 0, 0, len as u8]);
    C::hash_update(transcript, first.hash.get(..len).unwrap_or(&[]));
    let mut buf = [0; MAX_LEN];
    let mut w = Writer::new(&mut buf);
    flight::write_hello_retry_request(&mut w, session_id, suite, group)?;
    C::hash_update(transcript, w.since(0));
    Ok(())
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
