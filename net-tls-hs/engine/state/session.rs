// SPDX-License-Identifier: GPL-2.0

//! The state machine of a TLS 1.3 server (RFC 9846, appendix A.2), without I/O.
//!
//! ```text
//!  WaitClientHello --complete hello--> (flight written) --> WaitFinished --Finished--> Complete
//!    | | |                                     ^               |
//!    | | `-no share-> WaitSecondHello --hello--'               `--alert, either way--> Ended
//!    | |                   `--alert, either way--> Ended
//!    | `--needs what is not here--> Fallback
//!    `--malformed--> alert --> Ended
//! ```
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
//!   fallback if it wants a PSK without (EC)DHE or without certificate, unless that is a ticket;
//! - with no cipher suite, group or signature scheme in common with the kernel: fallback;
//! - with a common group but no key share for one: HelloRetryRequest;
//! - if no identity is for the server that it names: the default identity, or
//!   `unrecognized_name` if the settings are strict;
//! - `no_application_protocol` if it has ALPN and the settings have, without one in common;
//! - if it is larger than [`MAX_HELLO`](crate::engine::wire::framing::MAX_HELLO), or the settings
//!   ask for client certificates: fallback.
//!
//! A PSK with (EC)DHE that is a ticket of this server, see `ticket.rs`, saves the certificate and
//! its signature; a wrong binder for one is a `decrypt_error`. Other PSKs and what is unknown,
//! GREASE among it, are ignored. Early data is skipped, with a PSK or without one (RFC 9846, section
//! 4.3.10): a client that has offered both in an inner ClientHello (RFC 9849) has early_data alone
//! in the outer one.

use crate::engine::crypto::Crypto;
use crate::engine::keys::key_exchange::SharedSecret;
use crate::engine::keys::protection::Protection;
use crate::engine::keys::schedule::{ExporterSecret, HandshakeSecret, TrafficKeys, TrafficSecret};
use crate::engine::policy::choice::{choose, Choice};
use crate::engine::policy::fallback::Failure;
use crate::engine::policy::settings::{Config, Identities};
use crate::engine::scratch::Scratch;
use crate::engine::state::answer::{
    handshake_secret, hash_so_far, seal_flight, write_clear_records, write_protected_part,
    write_retry, write_server_hello,
};
use crate::engine::state::client_finished::WaitFinished;
use crate::engine::state::post_handshake::{Event, PostHandshake};
use crate::engine::state::resumption::{resume, resumption_secret, write_tickets, Resume};
use crate::engine::state::resumption::{TICKETS, TICKETS_RESUMED};
use crate::engine::state::retry::Retry;
pub use crate::engine::state::step::Step;
use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::framing::{frame_hello, Framing, MESSAGE_HEADER_LEN};
use crate::engine::wire::names::{content_type, CipherSuite, Group, Scheme};
use crate::engine::wire::record::{self, HEADER_LEN};

/// Bytes of records that are skipped in search for the end of early data.
const MAX_EARLY_DATA: usize = 1 << 16;

/// A name of up to 255 bytes.
#[derive(Clone)]
struct Name {
    bytes: [u8; 255],
    len: u8,
}

impl Name {
    const EMPTY: Name = Name {
        bytes: [0; 255],
        len: 0,
    };

    fn get(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Takes a name; one that is too long is none.
    fn set(&mut self, name: &[u8]) {
        self.len = 0;
        if let (Some(to), Ok(len)) = (self.bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            to.copy_from_slice(name);
            self.len = len;
        }
    }
}

/// What a handshake has agreed on.
#[derive(Clone)]
pub struct Negotiated {
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The group.
    pub group: Group,
    /// The scheme of the server's signature.
    pub scheme: Scheme,
    /// There was a HelloRetryRequest.
    pub retried: bool,
    /// A connection before it is resumed: there was no signature.
    pub resumed: bool,
    server_name: Name,
    protocol: Name,
    /// The longest content of a record that the client wants.
    pub max_fragment: u16,
}

impl Negotiated {
    /// The name that the client sent; empty if none, or if it is too long for a name.
    pub fn server_name(&self) -> &[u8] {
        self.server_name.get()
    }

    /// The application protocol; empty if none.
    pub fn protocol(&self) -> &[u8] {
        self.protocol.get()
    }
}

/// What there is when the server's flight is written, and stays. All is zero before that, and when
/// the handshake has failed.
struct Application {
    /// client_application_traffic_secret_N.
    client: TrafficSecret,
    /// server_application_traffic_secret_N.
    server: TrafficSecret,
    exporter: ExporterSecret,
    /// Records of the server under `server`: alerts, tickets, and what comes after the handshake.
    records: Protection,
}

impl Application {
    const fn none() -> Self {
        const SUITE: CipherSuite = CipherSuite::Aes128GcmSha256;
        Application {
            client: TrafficSecret::none(SUITE.hash()),
            server: TrafficSecret::none(SUITE.hash()),
            exporter: ExporterSecret::none(SUITE.hash()),
            records: Protection::none(SUITE),
        }
    }
}

/// The client's Finished was right.
struct Complete {
    messages: PostHandshake,
    /// [`Step::Done`] has been said.
    done: bool,
}

// There is no heap to put the large one on, and no array of these.
#[allow(clippy::large_enum_variant)]
enum State {
    WaitClientHello,
    WaitSecondHello(Retry),
    WaitFinished(WaitFinished),
    Complete(Complete),
    Ended,
}

/// Whether the identity may be used for a flight, which has a signature unless it is a resumption.
fn may_answer(identities: &impl Identities, choice: &Choice<'_>, resume: Option<&Resume>) -> bool {
    let resumed = resume.is_some_and(|resume| resume.psk.is_some());
    identities.may_use(&choice.identity, !resumed && choice.identity.key.is_rsa())
}

/// One handshake.
pub struct Session {
    state: State,
    application: Application,
    negotiated: Negotiated,
}

impl Session {
    /// A handshake that has not begun.
    pub const fn new() -> Self {
        Session {
            state: State::WaitClientHello,
            application: Application::none(),
            negotiated: Negotiated {
                suite: CipherSuite::Aes128GcmSha256,
                group: Group::X25519,
                scheme: Scheme::EcdsaSecp256r1Sha256,
                retried: false,
                resumed: false,
                server_name: Name::EMPTY,
                protocol: Name::EMPTY,
                max_fragment: record::MAX_PLAINTEXT as u16,
            },
        }
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
        scratch: &mut Scratch,
    ) -> Step {
        let step = match &mut self.state {
            State::WaitClientHello => {
                self.on_client_hello::<C>(config, identities, input, out, scratch)
            }
            State::WaitSecondHello(_) => self
                .on_second_hello::<C>(config, identities, input, out, scratch)
                .map_err(|failure| match failure {
                    // The first ClientHello is gone.
                    Failure::Fallback(_) => Alert::HandshakeFailure.into(),
                    other => other,
                }),
            State::WaitFinished(wait) => match wait.on_records::<C>(input) {
                Ok(Step::Done { consumed }) => self
                    .complete::<C>(config, consumed, out)
                    .map_err(Failure::Alert),
                other => other,
            },
            State::Complete(complete) if !complete.done => {
                complete.done = true;
                Ok(Step::Done { consumed: 0 })
            }
            State::Complete(_) | State::Ended => Err(Failure::Alert(Alert::InternalError)),
        };
        step.unwrap_or_else(|failure| self.fail::<C>(failure, out))
    }

    #[inline(never)]
    fn fail<C: Crypto>(&mut self, failure: Failure, out: &mut [u8]) -> Step {
        let step = match failure {
            Failure::Alert(alert) => Step::Alert {
                alert,
                written: self.alert::<C>(alert as u8, out),
            },
            Failure::Fallback(reason) => Step::Fallback(reason),
            Failure::PeerAlert(description) => Step::PeerAlert { description },
        };
        self.state = State::Ended;
        self.application = Application::none();
        step
    }

    /// Writes an alert under the keys that are current. Returns its length, 0 if there is nothing
    /// to be said any more.
    #[inline(never)]
    pub fn alert<C: Crypto>(&mut self, description: u8, out: &mut [u8]) -> usize {
        match &self.state {
            State::WaitClientHello | State::WaitSecondHello(_) => {
                record::write_plain_alert(out, description).unwrap_or(0)
            }
            State::WaitFinished(_) => {
                let Some(body) = out.get_mut(HEADER_LEN..HEADER_LEN + alert::LEN) else {
                    return 0;
                };
                body.copy_from_slice(&[alert::FATAL, description]);
                self.application
                    .records
                    .seal::<C>(out, content_type::ALERT, alert::LEN)
                    .unwrap_or(0)
            }
            State::Complete(_) | State::Ended => 0,
        }
    }

    /// Whether a HelloRetryRequest has been the last thing written.
    pub fn awaits_second_hello(&self) -> bool {
        matches!(self.state, State::WaitSecondHello(_))
    }

    /// Whether the next call needs bytes; after the client's Finished it needs none.
    pub fn needs_input(&self) -> bool {
        !matches!(self.state, State::Complete(_))
    }

    /// What has been agreed on, once the flight is written.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Sequence number of the first record of application data after [`Step::Done`]: of what the
    /// server sends, where tickets came first, or receives.
    pub fn sequence(&self, sending: bool) -> u64 {
        match &self.state {
            State::Complete(_) if sending => self.application.records.seq(),
            _ => 0,
        }
    }

    /// The keys of application data after [`Step::Done`]: of what the server sends, or receives.
    pub fn traffic_keys<C: Crypto>(&self, sending: bool) -> Option<TrafficKeys> {
        let State::Complete(_) = &self.state else {
            return None;
        };
        Some(if sending {
            self.application.records.keys().copy()
        } else {
            self.application.client.keys::<C>(self.negotiated.suite)
        })
    }

    /// Replaces the secret of one direction by its next generation and gives the keys that come of
    /// it. Their records start with sequence number 0 again.
    #[inline(never)]
    pub fn update_traffic_keys<C: Crypto>(&mut self, sending: bool) -> Option<TrafficKeys> {
        let State::Complete(_) = &self.state else {
            return None;
        };
        let suite = self.negotiated.suite;
        let application = &mut self.application;
        if sending {
            application.server.update::<C>();
            let server = &application.server;
            application.records.start::<C>(server, suite);
        } else {
            application.client.update::<C>();
        }
        self.traffic_keys::<C>(sending)
    }

    /// The content of a record of type handshake after [`Step::Done`]; see
    /// [`PostHandshake::on_handshake`].
    pub fn on_post_handshake(&mut self, content: &[u8]) -> Result<Event, Alert> {
        match &mut self.state {
            State::Complete(complete) => complete.messages.on_handshake(content),
            _ => Err(Alert::InternalError),
        }
    }

    /// A record of another type than handshake after [`Step::Done`]; see
    /// [`PostHandshake::on_other_record`].
    pub fn on_other_record(&self) -> Result<(), Alert> {
        match &self.state {
            State::Complete(complete) => complete.messages.on_other_record(),
            _ => Err(Alert::InternalError),
        }
    }

    /// Application data after [`Step::Done`]; see [`PostHandshake::on_application_data`].
    pub fn on_application_data(&mut self, len: usize) -> Result<(), Alert> {
        match &mut self.state {
            State::Complete(complete) => complete.messages.on_application_data(len),
            _ => Err(Alert::InternalError),
        }
    }

    /// TLS-Exporter (section 7.5) after [`Step::Done`]. False if that is not possible; see
    /// [`ExporterSecret::export`].
    pub fn export<C: Crypto>(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> bool {
        match &self.state {
            State::Complete(_) => self.application.exporter.export::<C>(label, context, out),
            _ => false,
        }
    }

    /// The client's Finished was right. Writes tickets if it is to have some.
    #[inline(never)]
    fn complete<C: Crypto>(
        &mut self,
        config: &Config<'_>,
        consumed: usize,
        out: &mut [u8],
    ) -> Result<Step, Alert> {
        let State::WaitFinished(wait) = &mut self.state else {
            return Err(Alert::InternalError);
        };
        let mut written = 0;
        if let Some(resumption) = wait.resumption.as_ref().filter(|r| r.possible(config)) {
            let count = if self.negotiated.resumed {
                TICKETS_RESUMED
            } else {
                TICKETS
            };
            let len = write_tickets::<C>(resumption, &config.tickets, count, out)?;
            let records = &mut self.application.records;
            records.limit(self.negotiated.max_fragment);
            written = records.seal::<C>(out, content_type::HANDSHAKE, len)?;
        }
        // This drops, and so wipes, the secrets of the handshake where they are.
        self.state = State::Complete(Complete {
            messages: PostHandshake::new(),
            done: written == 0,
        });
        Ok(match written {
            0 => Step::Done { consumed },
            written => Step::Send { consumed, written },
        })
    }

    #[inline(never)]
    fn on_client_hello<C: Crypto>(
        &mut self,
        config: &Config<'_>,
        identities: &impl Identities,
        input: &mut [u8],
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<Step, Failure> {
        let (len, consumed) = match frame_hello(input)? {
            Framing::More { need } => return Ok(Step::More { consumed: 0, need }),
            Framing::Hello { len, consumed } => (len, consumed),
        };
        let message = input
            .get(HEADER_LEN..HEADER_LEN + len)
            .ok_or(Alert::InternalError)?;
        let body = message
            .get(MESSAGE_HEADER_LEN..)
            .ok_or(Alert::InternalError)?;
        // Not moved out of their results, which would take twice the stack.
        let hello = &ClientHello::parse(body);
        let hello = hello.as_ref().map_err(|alert| *alert)?;
        let choice = &choose(hello, config, identities);
        let choice = choice.as_ref().map_err(|failure| *failure)?;
        let written = if choice.peer.is_some() {
            let mut transcript = C::hash_init(choice.suite.hash());
            let resume = resume::<C>(hello, choice, config, &transcript, message);
            let resume = resume.as_ref().map_err(|failure| *failure)?.as_ref();
            if !may_answer(identities, choice, resume) {
                return Ok(Step::Later);
            }
            self.set_negotiated(hello, choice);
            C::hash_update(&mut transcript, message);
            self.write_flight::<C>(&mut transcript, hello, choice, resume, out, scratch)?
        } else {
            if choice.needs_ticket {
                // After a HelloRetryRequest there is no way back.
                let transcript = C::hash_init(choice.suite.hash());
                resume::<C>(hello, choice, config, &transcript, message)?;
            }
            if !identities.may_use(&choice.identity, false) {
                return Ok(Step::Later);
            }
            self.set_negotiated(hello, choice);
            self.ask_again::<C>(hello, choice, message, body)?;
            write_retry(hello, choice, out)?
        };
        Ok(Step::Send { consumed, written })
    }

    /// Takes note of what the first ClientHello has led to.
    #[inline(never)]
    fn set_negotiated(&mut self, hello: &ClientHello<'_>, choice: &Choice<'_>) {
        self.negotiated.suite = choice.suite;
        self.negotiated.group = choice.group;
        self.negotiated.scheme = choice.identity.key.scheme();
        self.negotiated
            .server_name
            .set(hello.server_name.unwrap_or(&[]));
    }

    /// Remembers a ClientHello that is answered with a HelloRetryRequest.
    #[inline(never)]
    fn ask_again<C: Crypto>(
        &mut self,
        hello: &ClientHello<'_>,
        choice: &Choice<'_>,
        message: &[u8],
        body: &[u8],
    ) -> Result<(), Alert> {
        let early_data = if hello.early_data { MAX_EARLY_DATA } else { 0 };
        let retry = Retry::new::<C>(choice.suite, message, body, early_data)?;
        self.state = State::WaitSecondHello(retry);
        self.negotiated.retried = true;
        Ok(())
    }

    #[inline(never)]
    fn on_second_hello<C: Crypto>(
        &mut self,
        config: &Config<'_>,
        identities: &impl Identities,
        input: &mut [u8],
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<Step, Failure> {
        let State::WaitSecondHello(retry) = &mut self.state else {
            return Err(Alert::InternalError.into());
        };
        let skipped = retry.skip(input)?;
        let start = skipped.consumed;
        let framing = match skipped.need {
            Some(need) => Framing::More { need },
            None => frame_hello(input.get_mut(start..).unwrap_or(&mut []))?,
        };
        let (len, consumed) = match framing {
            Framing::More { need } => {
                retry.consume(&skipped);
                return Ok(Step::More {
                    consumed: start,
                    need,
                });
            }
            Framing::Hello { len, consumed } => (len, consumed),
        };
        let input = input.get(start..).unwrap_or(&[]);
        let message = input
            .get(HEADER_LEN..HEADER_LEN + len)
            .ok_or(Alert::InternalError)?;
        let body = message
            .get(MESSAGE_HEADER_LEN..)
            .ok_or(Alert::InternalError)?;
        // Not moved out of their results, which would take twice the stack.
        let hello = &ClientHello::parse(body);
        let hello = hello.as_ref().map_err(|alert| *alert)?;
        let choice = &choose(hello, config, identities);
        let choice = choice.as_ref().map_err(|failure| *failure)?;
        let (suite, group) = (self.negotiated.suite, self.negotiated.group);
        if (choice.suite, choice.group) != (suite, group) {
            return Err(Alert::IllegalParameter.into());
        }
        retry.check::<C>(hello, body, group)?;

        let mut transcript = C::hash_init(suite.hash());
        retry.add_to::<C>(&mut transcript, hello.session_id, suite, group)?;
        let resume = resume::<C>(hello, choice, config, &transcript, message);
        let resume = resume.as_ref().map_err(|failure| *failure)?.as_ref();
        if !may_answer(identities, choice, resume) {
            return Ok(Step::Later);
        }
        self.negotiated.scheme = choice.identity.key.scheme();
        C::hash_update(&mut transcript, message);
        let written =
            self.write_flight::<C>(&mut transcript, hello, choice, resume, out, scratch)?;
        Ok(Step::Send {
            consumed: start + consumed,
            written,
        })
    }

    /// Writes ServerHello to Finished and derives all keys. The transcript ends with the
    /// ClientHello.
    #[inline(never)]
    fn write_flight<C: Crypto>(
        &mut self,
        transcript: &mut C::Hash,
        hello: &ClientHello<'_>,
        choice: &Choice<'_>,
        resume: Option<&Resume>,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<usize, Alert> {
        let psk = resume.and_then(|r| r.psk.as_ref());
        self.negotiated.resumed = psk.is_some();
        // A ChangeCipherSpec comes after the first message, once.
        let middlebox =
            matches!(self.state, State::WaitClientHello) && !hello.session_id.is_empty();
        let mut shared = SharedSecret::new();
        let len = write_server_hello::<C>(
            hello,
            choice,
            psk,
            &mut shared,
            transcript,
            out,
            &mut scratch.mlkem,
        )?;
        let start = write_clear_records(out, len, middlebox)?;
        let secret = handshake_secret::<C>(choice.suite, psk, shared.bytes());
        // Not dropped: that would move it.
        shared.wipe();
        let hash = hash_so_far::<C>(transcript);
        let client = secret.client_traffic(&hash);
        let server = secret.server_traffic(&hash);

        self.negotiated.max_fragment = choice.record_limit.max_fragment();
        let protected = out.get_mut(start..).ok_or(Alert::InternalError)?;
        let len = write_protected_part::<C>(
            choice,
            psk.is_some(),
            &server,
            transcript,
            protected,
            &mut scratch.rsa,
        )?;
        let sealed = seal_flight::<C>(&server, choice, protected, len)?;

        let early_data = if hello.early_data { MAX_EARLY_DATA } else { 0 };
        self.negotiated.protocol.set(choice.protocol.unwrap_or(&[]));
        self.wait_finished::<C>(&client, secret, transcript, early_data, resume);
        Ok(start + sealed)
    }

    /// The flight is written; derives what the rest of the handshake needs. The transcript is of
    /// ClientHello to the server's Finished; `resume` is for tickets.
    #[inline(never)]
    fn wait_finished<C: Crypto>(
        &mut self,
        client: &TrafficSecret,
        secret: HandshakeSecret<C>,
        transcript: &mut C::Hash,
        early_data: usize,
        resume: Option<&Resume>,
    ) {
        let suite = self.negotiated.suite;
        let main = secret.into_main();
        let hash = &hash_so_far::<C>(transcript);
        let application = &mut self.application;
        main.client_traffic(hash, &mut application.client);
        main.server_traffic(hash, &mut application.server);
        main.exporter(hash, &mut application.exporter);
        let server = &application.server;
        application.records.start::<C>(server, suite);

        self.state = State::WaitFinished(WaitFinished::new(suite, early_data, resume));
        let State::WaitFinished(wait) = &mut self.state else {
            return;
        };
        wait.client.start::<C>(client, suite);
        *wait.verify_data = *client.verify_data::<C>(hash);
        if let Some(resumption) = &mut wait.resumption {
            let (verify_data, to) = (&wait.verify_data, &mut resumption.secret);
            resumption_secret::<C>(&main, transcript, suite, verify_data, to);
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
