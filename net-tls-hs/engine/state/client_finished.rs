// SPDX-License-Identifier: GPL-2.0

//! What comes from a client behind the server's flight: early data that is skipped, and the
//! Finished (RFC 9846, section 4.5.3).

use crate::engine::crypto::{Crypto, MAX_HASH_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::keys::protection::Protection;
use crate::engine::keys::schedule::TrafficSecret;
use crate::engine::policy::fallback::Failure;
use crate::engine::state::resumption::{Resume, Resumption};
use crate::engine::state::step::Step;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::framing::MESSAGE_HEADER_LEN;
use crate::engine::wire::names::{content_type, handshake_type, CipherSuite};
use crate::engine::wire::record::{Header, HEADER_LEN};

/// ChangeCipherSpec records that are dropped. Clients send one; the RFC sets no limit.
pub const MAX_CHANGE_CIPHER_SPEC: u8 = 16;

/// The server's flight is on its way, the client's Finished is not here.
pub struct WaitFinished {
    /// Records of the client, under its handshake traffic secret.
    pub client: Protection,
    /// What the client's Finished must hold.
    pub verify_data: Secret<[u8; MAX_HASH_LEN]>,
    /// The part of the client's Finished that earlier records had.
    pub finished: [u8; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
    pub finished_len: usize,
    /// How much may still be skipped as early data.
    pub early_data: usize,
    /// How many ChangeCipherSpec have been dropped.
    pub change_cipher_specs: u8,
    /// What tickets are made of, if the client is to have some.
    pub resumption: Option<Resumption>,
}

impl WaitFinished {
    /// Without secrets, which are to be filled in where they stay. `resume` is for tickets.
    pub fn new(suite: CipherSuite, early_data: usize, resume: Option<&Resume>) -> Self {
        WaitFinished {
            client: Protection::none(suite),
            verify_data: Secret::new([0; MAX_HASH_LEN]),
            finished: [0; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
            finished_len: 0,
            early_data,
            change_cipher_specs: 0,
            resumption: resume.map(|resume| Resumption {
                secret: TrafficSecret::none(suite.hash()),
                context: resume.context,
                since: resume.since,
            }),
        }
    }

    /// Takes records until the Finished is complete.
    #[inline(never)]
    pub fn on_records<C: Crypto>(&mut self, input: &mut [u8]) -> Result<Step, Failure> {
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
            let finished = match header.content_type {
                content_type::CHANGE_CIPHER_SPEC => self.on_change_cipher_spec(record)?,
                // Only who has no keys yet may say it in the clear.
                content_type::ALERT if self.client.seq() == 0 => {
                    return Err(on_alert(record.get(HEADER_LEN..)))
                }
                content_type::APPLICATION_DATA => self.on_protected::<C>(record)?,
                _ => return Err(Alert::UnexpectedMessage.into()),
            };
            if finished {
                return Ok(Step::Done { consumed });
            }
        }
    }

    /// Section 5: dropped between the first ClientHello and the client's Finished.
    fn on_change_cipher_spec(&mut self, record: &[u8]) -> Result<bool, Failure> {
        if record.get(HEADER_LEN..) != Some(&[1])
            || self.finished_len != 0
            || self.change_cipher_specs == MAX_CHANGE_CIPHER_SPEC
        {
            return Err(Alert::UnexpectedMessage.into());
        }
        self.change_cipher_specs += 1;
        Ok(false)
    }

    fn on_protected<C: Crypto>(&mut self, record: &mut [u8]) -> Result<bool, Failure> {
        let (content_type, len) = match self.client.open::<C>(record) {
            Ok(inner) => inner,
            // Section 4.3.10: early data is what does not authenticate. It ends with the first
            // record that does.
            Err(Alert::BadRecordMac) if self.early_data >= record.len() => {
                self.early_data -= record.len();
                return Ok(false);
            }
            Err(alert) => return Err(alert.into()),
        };
        self.early_data = 0;
        let content = record.get(HEADER_LEN..).and_then(|r| r.get(..len));
        match content_type {
            content_type::HANDSHAKE => self.on_handshake(content.unwrap_or(&[])),
            // Section 5.1: no other record between the fragments of a message.
            content_type::ALERT if self.finished_len == 0 => Err(on_alert(content)),
            _ => Err(Alert::UnexpectedMessage.into()),
        }
    }

    /// Collects the Finished and compares it. It may be in several records, but nothing may
    /// follow it in the last one (section 5.1).
    fn on_handshake(&mut self, fragment: &[u8]) -> Result<bool, Failure> {
        let hash_len = self.client.keys().suite.hash().len();
        let first = if self.finished_len == 0 {
            fragment.first()
        } else {
            self.finished.first()
        };
        if first != Some(&handshake_type::FINISHED) || fragment.is_empty() {
            return Err(Alert::UnexpectedMessage.into());
        }

        let room = self
            .finished
            .get_mut(self.finished_len..)
            .unwrap_or(&mut []);
        for (to, from) in room.iter_mut().zip(fragment) {
            *to = *from;
        }
        let total = self.finished_len + fragment.len();
        let want = MESSAGE_HEADER_LEN + hash_len;
        if total >= MESSAGE_HEADER_LEN
            && self.finished.first_chunk()
                != Some(&[handshake_type::FINISHED, 0, 0, hash_len as u8])
        {
            return Err(Alert::DecodeError.into());
        }
        if total > want {
            return Err(Alert::UnexpectedMessage.into());
        }
        self.finished_len = total;
        if total < want {
            return Ok(false);
        }
        let (got, right) = (
            self.finished.get(MESSAGE_HEADER_LEN..want).unwrap_or(&[]),
            self.verify_data.get(..hash_len).unwrap_or(&[]),
        );
        if got.is_empty() || !ct::eq(got, right) {
            return Err(Alert::DecryptError.into());
        }
        Ok(true)
    }
}

/// The content of an alert record.
fn on_alert(content: Option<&[u8]>) -> Failure {
    match content {
        Some(&[_, description]) => Failure::PeerAlert(description),
        // Section 5.4: no empty ones.
        Some(&[]) => Failure::Alert(Alert::UnexpectedMessage),
        _ => Failure::Alert(Alert::DecodeError),
    }
}
