// SPDX-License-Identifier: GPL-2.0

//! The state machine of a TLS 1.3 server (RFC 8446, appendix A.2), without I/O.
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
//! What becomes of a ClientHello:
//!
//! - `decode_error` if it cannot be parsed, or is longer than its fields can be;
//! - `illegal_parameter` if it has an extension twice, `pre_shared_key` not last, shares for groups
//!   that it does not support or twice for one, compression, or a cookie that nobody gave it;
//! - `protocol_version` if it is of SSL 3.0 or has no version that is served;
//! - without TLS 1.3, where TLS 1.2 is served: fallback, or `inappropriate_fallback` if TLS 1.3 is
//!   served too and it has TLS_FALLBACK_SCSV (RFC 7507), or `handshake_failure` if none of its
//!   cipher suites is served;
//! - `illegal_parameter` if it wants records shorter than may be (`record_limit.rs`);
//! - without `supported_groups`, `key_share` or `signature_algorithms`: `missing_extension`, or
//!   fallback if it wants a PSK without (EC)DHE or without certificate;
//! - with no cipher suite, group or signature scheme in common with the kernel: fallback;
//! - with a common group but no key share for one: HelloRetryRequest;
//! - if no identity is for the server that it names: the default identity, or
//!   `unrecognized_name` if the settings are strict;
//! - `no_application_protocol` if it has ALPN and the settings have, without one in common;
//! - if it is larger than [`MAX_HELLO`], or the settings ask for client certificates: fallback.
//!
//! A PSK with (EC)DHE that is a ticket of this server, see `ticket.rs`, saves the certificate and
//! its signature; a wrong binder for one is a `decrypt_error`. Other PSKs and what is unknown,
//! GREASE among it, are ignored. Early data is skipped (section 4.2.10).

use crate::alert::{self, Alert};
use crate::chain::Signatures;
use crate::client_hello::ClientHello;
use crate::codec::{move_within, Writer};
use crate::config::{flag_bits, version_bits, Config, Identities, Identity, NoIdentity, Wanted};
use crate::crypto::{Crypto, MAX_HASH_LEN};
use crate::ct::{self, Secret};
use crate::key_exchange::SharedSecret;
use crate::key_schedule::{
    EarlySecret, ExporterSecret, HandshakeSecret, MasterSecret, TrafficKeys, TrafficSecret,
    TranscriptHash,
};
use crate::names::{content_type, handshake_type, CipherSuite, Group, Scheme};
use crate::names::{SSL_3_0, TLS_1_2, TLS_1_3, TLS_FALLBACK_SCSV};
use crate::post_handshake::{Event, PostHandshake};
use crate::psk::Psk;
use crate::record::{self, Header, Protection, HEADER_LEN};
use crate::record_limit::RecordLimit;
use crate::retry::Retry;
use crate::scratch::Scratch;
use crate::server_flight::{self as flight, EncryptedExtensions};
use crate::ticket::{self, Tickets};
use crate::{mlkem, rsa};

/// Longest ClientHello that is read, in bytes of its body.
pub const MAX_HELLO: usize = 1 << 14;

/// Longest body that the fields of a ClientHello can fill: what is longer is malformed.
const MAX_HELLO_BY_FORM: usize = 2 + 32 + 1 + 32 + 2 + 0xfffe + 1 + 0xff + 2 + 0xffff;

/// Length of a handshake message's header.
const MESSAGE_HEADER_LEN: usize = 4;

/// Bytes of records that are skipped in search for the end of early data.
const MAX_EARLY_DATA: usize = 1 << 16;

/// ChangeCipherSpec records that are dropped. Clients send one; the RFC sets no limit.
const MAX_CHANGE_CIPHER_SPEC: u8 = 16;

/// Why a connection goes to user space. The numbers are those of `enum tls_hs_fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fallback {
    /// A feature that is not here.
    NotSupported = 1,
    /// No TLS 1.3.
    Version = 2,
    /// No common cipher suite.
    Suite = 3,
    /// No common group.
    Group = 4,
    /// No common signature scheme.
    SignatureScheme = 5,
    /// No identity in the keyring.
    NoIdentity = 6,
    /// A ClientHello longer than [`MAX_HELLO`].
    HelloSize = 7,
    /// The server wants a certificate of the client.
    ClientCertificate = 10,
}

/// What the glue is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Consume `consumed` bytes, then wait until `need` bytes are unread.
    More {
        /// Bytes that are done with.
        consumed: usize,
        /// Bytes without which nothing more can be done.
        need: usize,
    },
    /// Consume and send, then go on.
    Send {
        /// Bytes that are done with.
        consumed: usize,
        /// Bytes of output.
        written: usize,
    },
    /// The handshake is complete.
    Done {
        /// Bytes that are done with; application data may follow.
        consumed: usize,
    },
    /// Hand the connection over, nothing consumed.
    Fallback(Fallback),
    /// Send the output, an alert record, and close.
    Alert {
        /// The alert.
        alert: Alert,
        /// Bytes of output.
        written: usize,
    },
    /// The client has sent an alert: close.
    PeerAlert {
        /// Its AlertDescription.
        description: u8,
    },
}

/// Why a step leads nowhere.
enum Failure {
    Alert(Alert),
    Fallback(Fallback),
    PeerAlert(u8),
}

impl From<Alert> for Failure {
    fn from(alert: Alert) -> Self {
        Failure::Alert(alert)
    }
}

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

/// The server's flight is on its way, the client's Finished is not here.
struct WaitFinished {
    /// Records of the client, under its handshake traffic secret.
    client: Protection,
    /// Records of the server, under its application traffic secret: alerts.
    server: Protection,
    client_application: TrafficSecret,
    server_application: TrafficSecret,
    exporter: ExporterSecret,
    /// What the client's Finished must hold.
    verify_data: Secret<[u8; MAX_HASH_LEN]>,
    /// The part of the client's Finished that earlier records had.
    finished: [u8; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
    finished_len: usize,
    /// How much may still be skipped as early data.
    early_data: usize,
    /// How many ChangeCipherSpec have been dropped.
    change_cipher_specs: u8,
    /// What tickets are made of, if the client is to have some.
    resumption: Option<Resumption>,
}

/// What a client's tickets are made of.
struct Resumption {
    /// resumption_master_secret.
    secret: TrafficSecret,
    /// See [`ticket::context`].
    context: [u8; 32],
}

/// The client's Finished was right.
struct Complete {
    client_application: TrafficSecret,
    server_application: TrafficSecret,
    exporter: ExporterSecret,
    messages: PostHandshake,
    /// Sequence number of the server's next record.
    server_seq: u64,
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

/// One handshake.
pub struct Session {
    state: State,
    negotiated: Negotiated,
}

/// What there is at the beginning of a connection.
enum Framing {
    /// Not enough yet.
    More { need: usize },
    /// A ClientHello: `input[HEADER_LEN..][..len]` is the message.
    Hello { len: usize, consumed: usize },
}

/// What the ClientHello and the settings lead to.
struct Choice<'a> {
    suite: CipherSuite,
    group: Group,
    /// The client's public key; `None` if there is none for a common group.
    peer: Option<&'a [u8]>,
    identity: Identity<'a>,
    /// The application protocol.
    protocol: Option<&'a [u8]>,
    record_limit: RecordLimit,
}

/// What the ClientHello and the settings lead to as to tickets.
struct Resume {
    /// See [`ticket::context`].
    context: [u8; 32],
    /// The connection that is resumed.
    psk: Option<Psk>,
}

/// Tickets for a client after a full handshake, so that it can make two connections at a time as
/// browsers do.
const TICKETS: u8 = 2;

/// Tickets after a resumption, for the one that is used up.
const TICKETS_RESUMED: u8 = 1;

impl Session {
    /// A handshake that has not begun.
    pub const fn new() -> Self {
        Session {
            state: State::WaitClientHello,
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
        step
    }

    /// Writes an alert under the keys that are current. Returns its length, 0 if there is nothing
    /// to be said any more.
    #[inline(never)]
    pub fn alert<C: Crypto>(&mut self, description: u8, out: &mut [u8]) -> usize {
        match &mut self.state {
            State::WaitClientHello | State::WaitSecondHello(_) => {
                record::write_plain_alert(out, description).unwrap_or(0)
            }
            State::WaitFinished(wait) => {
                let Some(body) = out.get_mut(HEADER_LEN..HEADER_LEN + alert::LEN) else {
                    return 0;
                };
                body.copy_from_slice(&[alert::FATAL, description]);
                wait.server
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

    /// What has been agreed on, once the flight is written.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Sequence number of the first record of application data after [`Step::Done`]: of what the
    /// server sends, where tickets came first, or receives.
    pub fn sequence(&self, sending: bool) -> u64 {
        match &self.state {
            State::Complete(complete) if sending => complete.server_seq,
            _ => 0,
        }
    }

    /// The keys of application data after [`Step::Done`]: of what the server sends, or receives.
    pub fn traffic_keys<C: Crypto>(&self, sending: bool) -> Option<TrafficKeys> {
        let State::Complete(complete) = &self.state else {
            return None;
        };
        let secret = if sending {
            &complete.server_application
        } else {
            &complete.client_application
        };
        Some(secret.keys::<C>(self.negotiated.suite))
    }

    /// Replaces the secret of one direction by its next generation and gives the keys that come of
    /// it. Their records start with sequence number 0 again.
    #[inline(never)]
    pub fn update_traffic_keys<C: Crypto>(&mut self, sending: bool) -> Option<TrafficKeys> {
        let suite = self.negotiated.suite;
        let State::Complete(complete) = &mut self.state else {
            return None;
        };
        let secret = if sending {
            complete.server_seq = 0;
            &mut complete.server_application
        } else {
            &mut complete.client_application
        };
        secret.update::<C>();
        Some(secret.keys::<C>(suite))
    }

    /// The content of a record of type handshake after [`Step::Done`]; see
    /// [`PostHandshake::on_handshake`].
    pub fn on_post_handshake(&mut self, content: &[u8]) -> Result<Event, Alert> {
        match &mut self.state {
            State::Complete(complete) => complete.messages.on_handshake(content),
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
            State::Complete(complete) => complete.exporter.export::<C>(label, context, out),
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
        if let Some(resumption) = wait.resumption.as_ref().filter(|_| config.resumes()) {
            let count = if self.negotiated.resumed {
                TICKETS_RESUMED
            } else {
                TICKETS
            };
            let len = write_tickets::<C>(resumption, &config.tickets, count, out)?;
            wait.server.limit(self.negotiated.max_fragment);
            written = wait.server.seal::<C>(out, content_type::HANDSHAKE, len)?;
        }
        let complete = Complete {
            client_application: wait.client_application.take(),
            server_application: wait.server_application.take(),
            exporter: wait.exporter.take(),
            messages: PostHandshake::new(),
            server_seq: wait.server.seq(),
            done: written == 0,
        };
        // This drops, and so wipes, the secrets of the handshake where they are.
        self.state = State::Complete(complete);
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
        let hello = ClientHello::parse(body)?;
        let choice = choose(&hello, config, identities)?;

        self.negotiated.suite = choice.suite;
        self.negotiated.group = choice.group;
        self.negotiated.scheme = choice.identity.key.scheme();
        self.negotiated
            .server_name
            .set(hello.server_name.unwrap_or(&[]));
        let written = if choice.peer.is_some() {
            let mut transcript = C::hash_init(choice.suite.hash());
            // Not moved out of its result, which would take twice the stack.
            let resume = resume::<C>(&hello, &choice, config, &transcript, message);
            let resume = resume.as_ref().map_err(|alert| *alert)?.as_ref();
            C::hash_update(&mut transcript, message);
            self.write_flight::<C>(&mut transcript, &hello, &choice, resume, out, scratch)?
        } else {
            self.ask_again::<C>(&hello, &choice, message, body)?;
            write_retry(&hello, &choice, out)?
        };
        Ok(Step::Send { consumed, written })
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
        let more = |need| Step::More {
            consumed: start,
            need,
        };
        if let Some(need) = skipped.need {
            return Ok(more(need));
        }
        let input = input.get_mut(start..).unwrap_or(&mut []);
        let (len, consumed) = match frame_hello(input)? {
            Framing::More { need } => return Ok(more(need)),
            Framing::Hello { len, consumed } => (len, consumed),
        };
        let message = input
            .get(HEADER_LEN..HEADER_LEN + len)
            .ok_or(Alert::InternalError)?;
        let body = message
            .get(MESSAGE_HEADER_LEN..)
            .ok_or(Alert::InternalError)?;
        let hello = ClientHello::parse(body)?;
        let choice = choose(&hello, config, identities)?;
        let (suite, group) = (self.negotiated.suite, self.negotiated.group);
        if (choice.suite, choice.group) != (suite, group) {
            return Err(Alert::IllegalParameter.into());
        }
        retry.check::<C>(&hello, body, group)?;

        self.negotiated.scheme = choice.identity.key.scheme();
        let mut transcript = C::hash_init(suite.hash());
        retry.add_to::<C>(&mut transcript, hello.session_id, suite, group)?;
        let resume = resume::<C>(&hello, &choice, config, &transcript, message);
        let resume = resume.as_ref().map_err(|alert| *alert)?.as_ref();
        C::hash_update(&mut transcript, message);
        let written =
            self.write_flight::<C>(&mut transcript, &hello, &choice, resume, out, scratch)?;
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
        drop(shared);
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
        let context = resume.map(|r| &r.context);
        self.wait_finished::<C>(&client, secret, transcript, early_data, context);
        Ok(start + sealed)
    }

    /// The flight is written; derives what the rest of the handshake needs. The transcript is of
    /// ClientHello to the server's Finished; `context` is for tickets.
    #[inline(never)]
    fn wait_finished<C: Crypto>(
        &mut self,
        client: &TrafficSecret,
        secret: HandshakeSecret<C>,
        transcript: &mut C::Hash,
        early_data: usize,
        context: Option<&[u8; 32]>,
    ) {
        let suite = self.negotiated.suite;
        let master = secret.into_master();
        let hash = &hash_so_far::<C>(transcript);
        let verify_data = client.verify_data::<C>(hash);
        let resumption = context.map(|context| Resumption {
            secret: resumption_secret::<C>(&master, transcript, suite, &verify_data),
            context: *context,
        });
        let server_application = master.server_traffic(hash);
        self.state = State::WaitFinished(WaitFinished {
            client: Protection::new(client.keys::<C>(suite)),
            server: Protection::new(server_application.keys::<C>(suite)),
            client_application: master.client_traffic(hash),
            server_application,
            exporter: master.exporter(hash),
            verify_data,
            finished: [0; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
            finished_len: 0,
            early_data,
            change_cipher_specs: 0,
            resumption,
        });
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash of the messages so far. In a function of its own for the sake of the stack, on which
/// the copy of the running hash is.
#[inline(never)]
fn hash_so_far<C: Crypto>(transcript: &C::Hash) -> TranscriptHash {
    C::hash_final(transcript.clone())
}

/// Finds the ClientHello in the records at the beginning of `input` and makes it contiguous there.
#[inline(never)]
fn frame_hello(input: &mut [u8]) -> Result<Framing, Failure> {
    let mut pos = 0;
    let mut end = HEADER_LEN;
    loop {
        let rest = input.get(pos..).unwrap_or(&[]);
        let Some(header) = Header::parse(rest)? else {
            return Ok(Framing::More {
                need: pos + Header::need(rest),
            });
        };
        match header.content_type {
            content_type::HANDSHAKE => (),
            content_type::ALERT if pos == 0 => return plain_alert(rest, &header),
            _ => return Err(Alert::UnexpectedMessage.into()),
        }
        // Section 5.1: no fragments of length 0.
        if header.len == 0 {
            return Err(Alert::UnexpectedMessage.into());
        }
        // What it begins with is looked at before all of it is here.
        if rest.len() == HEADER_LEN {
            return Ok(Framing::More {
                need: pos + HEADER_LEN + 1,
            });
        }
        if pos == 0
            && !matches!(
                rest.get(HEADER_LEN),
                None | Some(&handshake_type::CLIENT_HELLO)
            )
        {
            return Err(Alert::UnexpectedMessage.into());
        }
        if rest.len() < header.record_len() {
            return Ok(Framing::More {
                need: pos + header.record_len(),
            });
        }

        let fragment = pos + HEADER_LEN;
        pos += header.record_len();
        if !move_within(input, fragment, pos, end) {
            return Err(Alert::InternalError.into());
        }
        end += header.len;

        let message = input.get(HEADER_LEN..end).unwrap_or(&[]);
        let Some(&[_, a, b, c]) = message.first_chunk() else {
            continue;
        };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        if len > MAX_HELLO_BY_FORM {
            return Err(Alert::DecodeError.into());
        }
        if len > MAX_HELLO {
            return Err(Failure::Fallback(Fallback::HelloSize));
        }
        let len = MESSAGE_HEADER_LEN + len;
        if message.len() == len {
            return Ok(Framing::Hello { len, consumed: pos });
        }
        // Section 5.1: nothing may follow in the record, as keys change.
        if message.len() > len {
            return Err(Alert::UnexpectedMessage.into());
        }
    }
}

/// The name of the server that a ClientHello is for, empty if it names none. `None` if it is not
/// complete or malformed. Changes `input`.
pub fn server_name(input: &mut [u8]) -> Option<&[u8]> {
    let Ok(Framing::Hello { len, .. }) = frame_hello(input) else {
        return None;
    };
    let body = input.get(HEADER_LEN + MESSAGE_HEADER_LEN..HEADER_LEN + len)?;
    let hello = ClientHello::parse(body).ok()?;
    Some(hello.server_name.unwrap_or(&[]))
}

/// An alert without protection: the client does not want to go on.
fn plain_alert(record: &[u8], header: &Header) -> Result<Framing, Failure> {
    if header.len != alert::LEN {
        return Err(Alert::DecodeError.into());
    }
    match record.get(HEADER_LEN + 1) {
        Some(description) => Err(Failure::PeerAlert(*description)),
        None => Ok(Framing::More {
            need: header.record_len(),
        }),
    }
}

/// Whether the client has what TLS 1.3 needs, or where else it is to go.
fn check_version(hello: &ClientHello<'_>, config: &Config<'_>) -> Result<(), Failure> {
    // Appendix D.5: SSL 3.0 is refused even if it is only in legacy_version.
    if hello.legacy_version <= SSL_3_0 {
        return Err(Alert::ProtocolVersion.into());
    }
    let offers = |version| match &hello.supported_versions {
        Some(versions) => versions.contains(version),
        // Section 4.2.1: without the extension it is legacy_version, TLS 1.2 at most.
        None => version == TLS_1_2 && hello.legacy_version >= TLS_1_2,
    };
    if config.versions & version_bits::TLS_1_3 != 0 && offers(TLS_1_3) {
        return Ok(());
    }
    if config.versions & version_bits::TLS_1_2 == 0 || !offers(TLS_1_2) {
        return Err(Alert::ProtocolVersion.into());
    }
    if config.versions & version_bits::TLS_1_3 != 0
        && hello.cipher_suites.contains(TLS_FALLBACK_SCSV)
    {
        return Err(Alert::InappropriateFallback.into());
    }
    let served = config.tls12_suites();
    if !served.is_empty() && !served.iter().any(|s| hello.cipher_suites.contains(*s)) {
        return Err(Alert::HandshakeFailure.into());
    }
    Err(Failure::Fallback(Fallback::Version))
}

/// What a ClientHello of TLS 1.3 must have or must not have (sections 4.1.2, 4.2 and 9.2).
fn check_extensions(hello: &ClientHello<'_>) -> Result<(), Failure> {
    if hello.compression_methods != [0] || hello.cookie {
        return Err(Alert::IllegalParameter.into());
    }
    if hello.early_data && hello.pre_shared_key.is_none() {
        return Err(Alert::IllegalParameter.into());
    }
    if hello.pre_shared_key.is_some() && !hello.psk_modes {
        return Err(Alert::MissingExtension.into());
    }
    if hello.supported_groups.is_some() != hello.key_share.is_some() {
        return Err(Alert::MissingExtension.into());
    }
    if hello.supported_groups.is_none() || hello.signature_algorithms.is_none() {
        // A PSK would do without, but not here.
        return Err(if hello.pre_shared_key.is_some() {
            Failure::Fallback(Fallback::NotSupported)
        } else {
            Alert::MissingExtension.into()
        });
    }
    Ok(())
}

/// Chooses all parameters of the handshake.
#[inline(never)]
fn choose<'a>(
    hello: &ClientHello<'a>,
    config: &Config<'a>,
    identities: &'a impl Identities,
) -> Result<Choice<'a>, Failure> {
    check_version(hello, config)?;
    check_extensions(hello)?;
    let record_limit = RecordLimit::new(hello.record_size_limit, hello.max_fragment_length)?;
    let (Some(groups), Some(shares), Some(algorithms)) = (
        hello.supported_groups,
        hello.key_share,
        hello.signature_algorithms,
    ) else {
        return Err(Alert::InternalError.into());
    };
    shares.check(&groups)?;
    if config.flags & flag_bits::CLIENT_CERT != 0 {
        return Err(Failure::Fallback(Fallback::ClientCertificate));
    }

    let suite = config
        .suites()
        .find(|s| hello.cipher_suites.contains(s.code()))
        .ok_or(Failure::Fallback(Fallback::Suite))?;
    // A group with a share saves a round trip.
    let shared = config
        .groups()
        .find_map(|g| Some((g, shares.get(g.code())?)));
    let (group, peer) = match shared {
        Some((group, peer)) => (group, Some(peer)),
        None => config
            .groups()
            .find(|g| groups.contains(g.code()))
            .map(|g| (g, None))
            .ok_or(Failure::Fallback(Fallback::Group))?,
    };

    let name = hello.server_name.filter(|name| !name.is_empty());
    let strict = config.flags & flag_bits::SNI_STRICT != 0;
    let mut wanted = Wanted {
        name,
        strict,
        schemes: Default::default(),
        // Section 4.2.3: one list for both if there is only one.
        signatures: Signatures::accepted(&hello.signature_algorithms_cert.unwrap_or(algorithms)),
        authorities: hello.certificate_authorities.unwrap_or_default(),
    };
    let schemes = config.schemes().filter(|s| algorithms.contains(s.code()));
    for (slot, scheme) in wanted.schemes.iter_mut().zip(schemes) {
        *slot = Some(scheme);
    }
    let identity = identities.select(&wanted).map_err(|e| match e {
        NoIdentity::Empty => Failure::Fallback(Fallback::NoIdentity),
        NoIdentity::UnknownName => Failure::Alert(Alert::UnrecognizedName),
        NoIdentity::NoScheme => Failure::Fallback(Fallback::SignatureScheme),
    })?;
    let protocol = config.protocols.choose(hello.protocols)?;
    Ok(Choice {
        suite,
        group,
        peer,
        identity,
        protocol,
        record_limit,
    })
}

/// Looks for a ticket in the ClientHello. `None` if the client can have and use none; else there is
/// a PSK if the handshake is a resumption. `transcript` is what comes before `message`.
#[inline(never)]
fn resume<C: Crypto>(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    config: &Config<'_>,
    transcript: &C::Hash,
    message: &[u8],
) -> Result<Option<Resume>, Alert> {
    if !hello.psk_dhe_ke || !config.resumes() {
        return Ok(None);
    }
    let alg = choice.suite.hash();
    let context = ticket::context::<C>(
        alg,
        hello.server_name.unwrap_or(&[]),
        choice.protocol.unwrap_or(&[]),
        choice.identity.certificate,
    );
    let psk = match &hello.pre_shared_key {
        Some(offered) => {
            Psk::select::<C>(offered, &config.tickets, alg, &context, transcript, message)?
        }
        None => None,
    };
    Ok(Some(Resume { context, psk }))
}

/// resumption_master_secret. Its transcript ends with the client's Finished, of which all is known
/// before it comes. `transcript` is of what is before it.
#[inline(never)]
fn resumption_secret<C: Crypto>(
    master: &MasterSecret<C>,
    transcript: &mut C::Hash,
    suite: CipherSuite,
    verify_data: &[u8; MAX_HASH_LEN],
) -> TrafficSecret {
    let len = suite.hash().len();
    C::hash_update(transcript, &[handshake_type::FINISHED, 0, 0, len as u8]);
    C::hash_update(transcript, verify_data.get(..len).unwrap_or(&[]));
    master.resumption(&hash_so_far::<C>(transcript))
}

/// Writes NewSessionTicket messages, leaving room for a header. Returns their length.
#[inline(never)]
fn write_tickets<C: Crypto>(
    resumption: &Resumption,
    tickets: &Tickets<'_>,
    count: u8,
    out: &mut [u8],
) -> Result<usize, Alert> {
    let lifetime = tickets.lifetime.min(ticket::MAX_LIFETIME);
    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    for nonce in 0..count {
        let psk = resumption.secret.ticket_psk::<C>(&[nonce]);
        let ticket = ticket::seal::<C>(tickets, &resumption.context, psk.bytes())
            .ok_or(Alert::InternalError)?;
        let mut age_add = [0; 4];
        C::random(&mut age_add);
        flight::write_new_session_ticket(&mut w, lifetime, &age_add, &[nonce], &ticket)?;
    }
    Ok(w.len())
}

/// The secret of a key exchange.
#[inline(never)]
fn handshake_secret<C: Crypto>(
    suite: CipherSuite,
    psk: Option<&Psk>,
    shared: &[u8],
) -> HandshakeSecret<C> {
    let early = match psk {
        Some(psk) => psk.early_secret(),
        None => EarlySecret::<C>::new(suite.hash()),
    };
    early.into_handshake(shared)
}

/// Protects the messages that are behind the room for a header. Returns the length of the records.
#[inline(never)]
fn seal_flight<C: Crypto>(
    server: &TrafficSecret,
    choice: &Choice<'_>,
    buf: &mut [u8],
    len: usize,
) -> Result<usize, Alert> {
    let mut protection = Protection::new(server.keys::<C>(choice.suite));
    protection.limit(choice.record_limit.max_fragment());
    protection.seal::<C>(buf, content_type::HANDSHAKE, len)
}

/// Does the key exchange and writes the ServerHello behind the room for a header. Returns its
/// length.
#[inline(never)]
fn write_server_hello<C: Crypto>(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    psk: Option<&Psk>,
    shared: &mut SharedSecret,
    transcript: &mut C::Hash,
    out: &mut [u8],
    scratch: &mut mlkem::Scratch,
) -> Result<usize, Alert> {
    let peer = choice.peer.ok_or(Alert::InternalError)?;
    let mut random = [0; 32];
    C::random(&mut random);

    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    flight::write_server_hello(
        &mut w,
        &random,
        hello.session_id,
        choice.suite,
        choice.group,
        psk.map(|p| p.selected),
        |w| shared.exchange::<C>(choice.group, peer, w, scratch),
    )?;
    C::hash_update(transcript, w.since(0));
    Ok(w.len())
}

/// Makes a record of the message of that length behind the room for a header, and adds the
/// ChangeCipherSpec if there is to be one. Returns the length of both.
fn write_clear_records(out: &mut [u8], len: usize, middlebox: bool) -> Result<usize, Alert> {
    record::write_header(&mut Writer::new(out), content_type::HANDSHAKE, len)?;
    let message = HEADER_LEN + len;
    if !middlebox {
        return Ok(message);
    }
    let mut w = Writer::new(out.get_mut(message..).ok_or(Alert::InternalError)?);
    record::write_header(&mut w, content_type::CHANGE_CIPHER_SPEC, 1)?;
    w.u8(1)?;
    Ok(message + w.len())
}

/// Writes a HelloRetryRequest and what goes with it. Returns the length of the records.
#[inline(never)]
fn write_retry(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    out: &mut [u8],
) -> Result<usize, Alert> {
    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    flight::write_hello_retry_request(&mut w, hello.session_id, choice.suite, choice.group)?;
    let len = w.len();
    write_clear_records(out, len, !hello.session_id.is_empty())
}

/// Writes the messages that are protected, leaving room for a header. Returns their length. A
/// resumption needs no certificate.
#[inline(never)]
fn write_protected_part<C: Crypto>(
    choice: &Choice<'_>,
    resumed: bool,
    server: &TrafficSecret,
    transcript: &mut C::Hash,
    out: &mut [u8],
    scratch: &mut rsa::Scratch,
) -> Result<usize, Alert> {
    let alg = choice.suite.hash();
    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    let extensions = EncryptedExtensions {
        name_matched: choice.identity.name_matched,
        protocol: choice.protocol,
        record_limit: choice.record_limit,
    };
    flight::write_encrypted_extensions(&mut w, &extensions)?;
    if !resumed {
        w.put(choice.identity.certificate)?;
    }
    C::hash_update(transcript, w.since(0));

    if !resumed {
        let start = w.len();
        let hash = hash_so_far::<C>(transcript);
        flight::write_certificate_verify::<C>(&mut w, alg, &hash, &choice.identity, scratch)?;
        C::hash_update(transcript, w.since(start));
    }

    let start = w.len();
    let hash = hash_so_far::<C>(transcript);
    let verify_data = server.verify_data::<C>(&hash);
    let verify_data = verify_data.get(..alg.len()).ok_or(Alert::InternalError)?;
    flight::write_finished(&mut w, verify_data)?;
    C::hash_update(transcript, w.since(start));
    Ok(w.len())
}

impl WaitFinished {
    /// Takes records until the Finished is complete.
    #[inline(never)]
    fn on_records<C: Crypto>(&mut self, input: &mut [u8]) -> Result<Step, Failure> {
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
            // Section 4.2.10: early data is what does not authenticate. It ends with the first
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
            content_type::ALERT => Err(on_alert(content)),
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
