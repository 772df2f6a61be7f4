// SPDX-License-Identifier: GPL-2.0

//! The client's Finished (RFC 9846, section 4.5.3), and early data before it that is skipped.

use crate::engine::crypto::Crypto;
use crate::engine::ct;
use crate::engine::policy::fallback::Failure;
use crate::engine::policy::settings::{Config, Identities};
use crate::engine::state::memory::{Context, HandshakeSecrets, Workspace};
use crate::engine::state::resumption::write_tickets;
use crate::engine::state::states::{ExpectFinished, SendTickets, State, Traffic, Transition};
use crate::engine::state::step::Step;
use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::framing::MESSAGE_HEADER_LEN;
use crate::engine::wire::names::{content_type, handshake_type};
use crate::engine::wire::record::{Header, HEADER_LEN};

impl ExpectFinished {
    /// Takes records until the Finished is complete, and answers it with tickets if the client is
    /// to have some.
    pub fn handle<C: Crypto, I: Identities>(
        mut self,
        input: &mut [u8],
        cx: &mut Context<'_, C, I>,
    ) -> Result<Transition, Failure> {
        match self.take_records::<C>(input, &mut cx.work.memory.handshake)? {
            Step::Done { consumed } => self.complete::<C>(consumed, cx.config, &mut cx.work),
            step => Ok(Transition {
                next: State::Finished(self),
                step,
            }),
        }
    }

    /// The Finished is verified. Wipes the secrets of the handshake.
    #[inline(never)]
    fn complete<C: Crypto>(
        self,
        consumed: usize,
        config: &Config<'_>,
        work: &mut Workspace<'_, C>,
    ) -> Result<Transition, Failure> {
        if self.resumable {
            write_tickets::<C>(config, work)?;
        }
        work.memory.forget_handshake();
        Ok(match work.out.filled_len() {
            0 => Transition {
                next: State::Traffic(Traffic::new()),
                step: Step::Done { consumed },
            },
            written => Transition {
                next: State::Tickets(SendTickets),
                step: Step::Send { consumed, written },
            },
        })
    }

    #[inline(never)]
    fn take_records<C: Crypto>(
        &mut self,
        input: &mut [u8],
        secrets: &mut HandshakeSecrets,
    ) -> Result<Step, Failure> {
        let mut consumed = 0;
        loop {
            let rest = input.get_mut(consumed..).unwrap_or(&mut []);
            let Some(header) = Header::parse(rest)? else {
                return Ok(Step::More {
                    consumed,
                    need: Header::need(rest),
                });
            };
            let Some(record) = rest.get_mut(..header.record_len()) else {
                return Ok(Step::More {
                    consumed,
                    need: header.record_len(),
                });
            };
            consumed += header.record_len();
            let content = record.get(HEADER_LEN..).unwrap_or(&[]);
            let finished = match header.content_type {
                // Section 5: dropped between the first ClientHello and the client's Finished.
                content_type::CHANGE_CIPHER_SPEC if self.received == 0 => {
                    self.skip.change_cipher_spec(content)?;
                    false
                }
                // Only a client that has sent nothing protected may send an alert in the clear.
                content_type::ALERT if secrets.records.seq() == 0 => return Err(on_alert(content)),
                content_type::APPLICATION_DATA => self.on_protected::<C>(record, secrets)?,
                _ => return Err(Alert::UnexpectedMessage.into()),
            };
            if finished {
                return Ok(Step::Done { consumed });
            }
        }
    }

    fn on_protected<C: Crypto>(
        &mut self,
        record: &mut [u8],
        secrets: &mut HandshakeSecrets,
    ) -> Result<bool, Failure> {
        let (content_type, len) = match secrets.records.open::<C>(record) {
            Ok(inner) => inner,
            // Section 4.3.10: early data is what does not authenticate. It ends with the first
            // record that does.
            Err(Alert::BadRecordMac) if self.skip.early_data(record.len()) => return Ok(false),
            Err(alert) => return Err(alert.into()),
        };
        self.skip.end_early_data();
        let content = record.get(HEADER_LEN..).and_then(|r| r.get(..len));
        let content = content.unwrap_or(&[]);
        match content_type {
            content_type::HANDSHAKE => Ok(self.on_handshake(content, secrets)?),
            // Section 5.1: no other record between the fragments of a message.
            content_type::ALERT if self.received == 0 => Err(on_alert(content)),
            _ => Err(Alert::UnexpectedMessage.into()),
        }
    }

    /// Collects the Finished and compares it. It may be in several records, but nothing may
    /// follow it in the last one (section 5.1).
    fn on_handshake(
        &mut self,
        fragment: &[u8],
        secrets: &mut HandshakeSecrets,
    ) -> Result<bool, Alert> {
        let hash_len = secrets.records.keys().suite.hash().output_len();
        let header = [handshake_type::FINISHED, 0, 0, hash_len as u8];
        let want = MESSAGE_HEADER_LEN + hash_len;
        let received = usize::from(self.received);
        let total = received + fragment.len();
        let room = secrets.finished.get_mut(received..);
        for (to, from) in room.unwrap_or(&mut []).iter_mut().zip(fragment) {
            *to = *from;
        }
        if fragment.is_empty() || secrets.finished.first() != header.first() {
            return Err(Alert::UnexpectedMessage);
        }
        if total >= MESSAGE_HEADER_LEN && secrets.finished.first_chunk() != Some(&header) {
            return Err(Alert::DecodeError);
        }
        if total > want {
            return Err(Alert::UnexpectedMessage);
        }
        self.received = total as u8;
        if total < want {
            return Ok(false);
        }
        let (got, right) = (
            secrets.finished.get(MESSAGE_HEADER_LEN..want),
            secrets.verify_data.get(..hash_len),
        );
        match (got, right) {
            (Some(got), Some(right)) if ct::eq(got, right) => Ok(true),
            _ => Err(Alert::DecryptError),
        }
    }
}

/// The content of an alert record.
fn on_alert(content: &[u8]) -> Failure {
    alert::description(content).map_or_else(Failure::Alert, Failure::PeerAlert)
}
