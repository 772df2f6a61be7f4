// SPDX-License-Identifier: GPL-2.0

//! A session: one handshake of a TLS 1.3 server and what follows it, without I/O. Its states are
//! in `states.rs`.
//!
//! The glue gives [`Session::advance`] a copy of what is unread in the receive queue and does what
//! the returned [`Step`] says. Until something is answered nothing is consumed, so that a
//! connection can always be handed over with its ClientHello unread; after that there is no
//! fallback.
//!
//! Once the identity is chosen, and before anything expensive is computed, the glue is asked
//! whether it may be used ([`Identities::may_use`]). If not, the session stays as it is
//! ([`Step::Later`]) and the glue presents the same ClientHello again, later or elsewhere.
//!
//! What becomes of a ClientHello:
//!
//! - `decode_error` if it cannot be parsed, or is longer than its fields can be;
//! - `illegal_parameter` if it has an extension twice, `pre_shared_key` not last, shares for groups
//!   that it does not support or twice for one, compression, or a cookie that nobody gave it;
//! - `protocol_version` if it is of SSL 3.0, has no version that is served, or is of TLS 1.3 with
//!   another legacy_version than 0x0303;
//! - without TLS 1.3, where TLS 1.2 is served: fallback, or `inappropriate_fallback` if TLS 1.3 is
//!   served too and it has TLS_FALLBACK_SCSV (RFC 7507), or `handshake_failure` if none of its
//!   cipher suites is served;
//! - `illegal_parameter` if it wants records shorter than may be (`record_limit.rs`);
//! - without `supported_groups`, `key_share` or `signature_algorithms`: `missing_extension`, or
//!   fallback if it wants a PSK without (EC)DHE or without certificate, unless that is a ticket or
//!   an external PSK of the server's;
//! - with no cipher suite, group or signature scheme in common with the kernel: fallback;
//! - with a common group but no key share for one: HelloRetryRequest;
//! - if no identity is for the server that it names: the default identity, or
//!   `unrecognized_name` if the settings are strict;
//! - `no_application_protocol` if it has ALPN and the settings have, without one in common;
//! - if it is larger than [`MAX_HELLO`](crate::engine::wire::framing::MAX_HELLO), or the settings
//!   ask for client certificates: fallback.
//!
//! A PSK with (EC)DHE that the server has, see `external_psk.rs`, or else one that is a ticket of
//! this server, see `ticket.rs`, saves the certificate and its signature; a wrong binder for one is
//! a `decrypt_error`. Other PSKs and what is unknown, GREASE among it, are ignored; a server that
//! has external PSKs only falls back without one of them.
//!
//! Early data is skipped, with a PSK or without one (RFC 9846, section 4.3.10): a client that has
//! offered both in an inner ClientHello (RFC 9849) has early_data alone in the outer one.

use crate::engine::crypto::Crypto;
use crate::engine::policy::fallback::Failure;
use crate::engine::policy::settings::{Config, Identities};
use crate::engine::scratch::Scratch;
use crate::engine::state::memory::{Context, Memory, Negotiated, Workspace};
use crate::engine::state::states::{AlertKeys, ExpectClientHello, State, Transition};
pub use crate::engine::state::step::Step;
use crate::engine::state::traffic::Connection;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::framing::FramingError;
use crate::engine::wire::record::RecordBuf;
use core::mem;

/// One handshake, and the connection that it has made.
pub struct Session {
    state: State,
    memory: Memory,
}

impl Session {
    /// A handshake that has not begun.
    pub const fn new() -> Self {
        Session {
            state: State::ClientHello(ExpectClientHello),
            memory: Memory::new(),
        }
    }

    /// How many of the bytes that are unread need not be shown to [`scan`](Self::scan) again;
    /// once it has found the ClientHello, how many its records have.
    pub fn seen(&self) -> usize {
        self.memory.hello.seen()
    }

    /// Looks at the bytes behind the first [`seen`](Self::seen) ones that are unread, the first one
    /// being that of a record of type handshake. `None` if the ClientHello is whole: then
    /// [`advance`](Self::advance) is to be called, with the ClientHello in one record or as many as
    /// it has come in.
    ///
    /// A caller that uses this before `advance` copies each byte of a ClientHello once, and not
    /// once for each piece that arrives.
    pub fn scan<C: Crypto>(&mut self, new: &[u8], out: &mut [u8]) -> Option<Step> {
        let failure = match self.memory.hello.scan(new) {
            Ok(need) => return need.map(|need| Step::More { consumed: 0, need }),
            Err(FramingError::TooLong) if self.awaits_second_hello() => Alert::GeneralError.into(),
            Err(error) => error.into(),
        };
        let step = self.fail::<C>(failure, self.state.alert_keys(), out);
        self.forget();
        Some(step)
    }

    /// Does what can be done with the bytes that are unread.
    ///
    /// `input` is a copy of the receive queue from its beginning, which this function may change;
    /// `out` takes what is to be sent.
    pub fn advance<C: Crypto>(
        &mut self,
        config: &Config<'_>,
        identities: &impl Identities,
        input: &mut [u8],
        out: &mut [u8],
        scratch: &mut Scratch<C>,
    ) -> Step {
        let alert_keys = self.state.alert_keys();
        let cx = &mut Context {
            config,
            identities,
            work: Workspace {
                out: RecordBuf::new(out),
                scratch,
                memory: &mut self.memory,
            },
        };
        let outcome = match mem::replace(&mut self.state, State::Ended) {
            State::ClientHello(state) => state.handle::<C, _>(input, cx),
            State::SecondHello(state) => state.handle::<C, _>(input, cx),
            State::Finished(state) => state.handle::<C, _>(input, cx),
            State::Tickets(state) => Ok(state.handle()),
            // The glue does not call this after the handshake.
            State::Traffic(_) | State::Ended => Err(Failure::Alert(Alert::InternalError)),
        };
        let Transition { next, step } = outcome.unwrap_or_else(|failure| Transition {
            next: State::Ended,
            step: self.fail::<C>(failure, alert_keys, out),
        });
        self.state = next;
        step
    }

    /// Turns a failure into a step, and wipes all secrets.
    #[inline(never)]
    fn fail<C: Crypto>(&mut self, failure: Failure, keys: AlertKeys, out: &mut [u8]) -> Step {
        let step = match failure {
            Failure::Alert(alert) => Step::Alert {
                alert,
                written: self.write_alert::<C>(keys, alert as u8, out),
            },
            Failure::Fallback(reason) => Step::Fallback(reason),
            Failure::PeerAlert(description) => Step::PeerAlert { description },
        };
        self.memory.forget_all();
        step
    }

    fn write_alert<C: Crypto>(
        &mut self,
        keys: AlertKeys,
        description: u8,
        out: &mut [u8],
    ) -> usize {
        let mut out = RecordBuf::new(out);
        match self.memory.write_alert::<C>(keys, description, &mut out) {
            Ok(()) => out.filled_len(),
            Err(_) => 0,
        }
    }

    /// Writes an alert under the current keys. Returns its length, 0 if none is sent in this state.
    #[inline(never)]
    pub fn alert<C: Crypto>(&mut self, description: u8, out: &mut [u8]) -> usize {
        self.write_alert::<C>(self.state.alert_keys(), description, out)
    }

    /// Whether a HelloRetryRequest has been the last thing written.
    pub fn awaits_second_hello(&self) -> bool {
        matches!(self.state, State::SecondHello(_))
    }

    /// Whether the next call needs bytes; after tickets it needs none.
    pub fn needs_input(&self) -> bool {
        !matches!(self.state, State::Tickets(_))
    }

    /// What has been agreed on, once the flight is written.
    pub fn negotiated(&self) -> &Negotiated {
        &self.memory.negotiated
    }

    /// Ends the session and wipes its secrets, which section 6 wants forgotten after an alert. What
    /// has been negotiated stays.
    pub fn forget(&mut self) {
        self.memory.forget_all();
        self.state = State::Ended;
    }

    /// The connection, after [`Step::Done`] and until [`forget`](Self::forget).
    pub fn connection(&mut self) -> Option<Connection<'_>> {
        match &mut self.state {
            State::Traffic(traffic) => Some(traffic.connection(&mut self.memory)),
            _ => None,
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
