// SPDX-License-Identifier: GPL-2.0

//! What a session remembers from one call to the next, filled in where it stays.

use crate::engine::crypto::{Crypto, MAX_HASH_LEN};
use crate::engine::ct::Secret;
use crate::engine::keys::key_exchange::SharedSecret;
use crate::engine::keys::protection::Protection;
use crate::engine::keys::schedule::{ExporterSecret, TrafficSecret, TranscriptHash};
use crate::engine::policy::choice::Choice;
use crate::engine::policy::name;
use crate::engine::policy::settings::{Config, Identities};
use crate::engine::scratch::Scratch;
use crate::engine::state::states::AlertKeys;
use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::framing::{HelloScan, MESSAGE_HEADER_LEN};
use crate::engine::wire::names::{content_type, CipherSuite, Group, Scheme};
use crate::engine::wire::record::{RecordBuf, MAX_PLAINTEXT};

/// The suite before one is chosen.
const NO_SUITE: CipherSuite = CipherSuite::Aes128GcmSha256;

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
    /// The scheme of the server's signature; `None` if there is none, as a PSK is used.
    pub scheme: Option<Scheme>,
    /// There was a HelloRetryRequest.
    pub retried: bool,
    /// A ticket is resumed.
    pub resumed: bool,
    /// Which of the server's external PSKs is used.
    pub external_psk: Option<usize>,
    server_name: Name,
    protocol: Name,
    /// The longest content of a record that the client wants.
    pub max_fragment: u16,
}

impl Negotiated {
    /// Nothing has been agreed on.
    pub const fn none() -> Self {
        Negotiated {
            suite: NO_SUITE,
            group: Group::X25519,
            scheme: None,
            retried: false,
            resumed: false,
            external_psk: None,
            server_name: Name::EMPTY,
            protocol: Name::EMPTY,
            max_fragment: MAX_PLAINTEXT as u16,
        }
    }

    /// The name that the client sent, normalized; empty if there is none, see [`name::Name`].
    pub fn server_name(&self) -> &[u8] {
        self.server_name.get()
    }

    /// The application protocol; empty if none.
    pub fn protocol(&self) -> &[u8] {
        self.protocol.get()
    }

    /// Records what the first ClientHello has led to.
    pub fn record_first(&mut self, choice: &Choice<'_>) {
        self.suite = choice.suite;
        self.group = choice.group;
        self.scheme = choice.identity().map(|identity| identity.key.scheme());
    }

    /// Records the name that the first ClientHello has, whatever becomes of it: who looks for the
    /// reason of a failure wants to know it.
    #[inline(never)]
    pub fn record_name(&mut self, hello: &ClientHello<'_>) {
        let name = hello.server_name.and_then(name::Name::new);
        let name = name.as_ref().map_or(&[][..], |name| name.as_bytes());
        self.server_name.set(name);
    }

    /// Records what the server's flight says.
    pub fn record_flight(&mut self, choice: &Choice<'_>, resumed: bool) {
        let identity = choice.identity().filter(|_| !resumed);
        self.scheme = identity.map(|identity| identity.key.scheme());
        self.resumed = resumed;
        self.external_psk = choice.external_psk().and_then(|selected| selected.index);
        self.max_fragment = choice.record_limit.max_fragment();
        self.protocol.set(choice.protocol.unwrap_or(&[]));
    }
}

/// What a second ClientHello is compared with.
pub struct FirstHello {
    /// The transcript hash of the first one.
    pub hash: TranscriptHash,
    /// A digest of what must not change in the second one.
    pub fixed: [u8; 32],
}

/// What tickets for a client are made of.
pub struct Resumption {
    /// resumption_secret.
    pub secret: TrafficSecret,
    /// See [`ticket::context`](crate::engine::keys::ticket::context).
    pub context: [u8; 32],
    /// When the full handshake was, or is, that tickets go back to.
    pub since: u64,
    /// How many tickets the client is to have.
    pub tickets: u8,
}

/// What is needed until the client's Finished is there.
pub struct HandshakeSecrets {
    /// [`EarlySecret::derived`](crate::engine::keys::schedule::EarlySecret::derived) of the ticket
    /// that is resumed, from when it has been found until the flight is written.
    pub derived: TrafficSecret,
    /// The (EC)DHE shared secret, as long as the flight is written.
    pub shared: SharedSecret,
    /// client_handshake_traffic_secret.
    pub client: TrafficSecret,
    /// server_handshake_traffic_secret.
    pub server: TrafficSecret,
    /// Records of the client, under `client`.
    pub records: Protection,
    /// What the client's Finished must hold.
    pub verify_data: Secret<[u8; MAX_HASH_LEN]>,
    /// The part of the client's Finished that earlier records had.
    pub finished: [u8; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
    /// For tickets.
    pub resumption: Resumption,
}

impl HandshakeSecrets {
    const fn none() -> Self {
        HandshakeSecrets {
            derived: TrafficSecret::none(NO_SUITE.hash()),
            shared: SharedSecret::new(),
            client: TrafficSecret::none(NO_SUITE.hash()),
            server: TrafficSecret::none(NO_SUITE.hash()),
            records: Protection::none(NO_SUITE),
            verify_data: Secret::new([0; MAX_HASH_LEN]),
            finished: [0; MESSAGE_HEADER_LEN + MAX_HASH_LEN],
            resumption: Resumption {
                secret: TrafficSecret::none(NO_SUITE.hash()),
                context: [0; 32],
                since: 0,
                tickets: 0,
            },
        }
    }
}

/// What there is from the server's Finished on.
pub struct ApplicationSecrets {
    /// client_application_traffic_secret_N.
    pub client: TrafficSecret,
    /// server_application_traffic_secret_N.
    pub server: TrafficSecret,
    /// exporter_secret.
    pub exporter: ExporterSecret,
    /// Records of the server under `server`: alerts, tickets, and what comes after the handshake.
    pub records: Protection,
}

impl ApplicationSecrets {
    const fn none() -> Self {
        ApplicationSecrets {
            client: TrafficSecret::none(NO_SUITE.hash()),
            server: TrafficSecret::none(NO_SUITE.hash()),
            exporter: ExporterSecret::none(NO_SUITE.hash()),
            records: Protection::none(NO_SUITE),
        }
    }
}

/// The memory of a session. Secrets are zero until they are made, and again when they are not
/// needed any more.
pub struct Memory {
    /// How far the records of a ClientHello have been looked at.
    pub hello: HelloScan,
    /// What has been agreed on.
    pub negotiated: Negotiated,
    /// Of the first ClientHello, if it was answered with a HelloRetryRequest.
    pub first_hello: FirstHello,
    /// Until the client's Finished.
    pub handshake: HandshakeSecrets,
    /// From the server's Finished on.
    pub application: ApplicationSecrets,
}

impl Memory {
    /// Nothing yet.
    pub const fn new() -> Self {
        Memory {
            hello: HelloScan::new(),
            negotiated: Negotiated::none(),
            first_hello: FirstHello {
                hash: [0; MAX_HASH_LEN],
                fixed: [0; 32],
            },
            handshake: HandshakeSecrets::none(),
            application: ApplicationSecrets::none(),
        }
    }

    /// Wipes what is needed until the client's Finished only.
    #[inline(never)]
    pub fn forget_handshake(&mut self) {
        self.handshake = HandshakeSecrets::none();
    }

    /// Wipes all secrets.
    #[inline(never)]
    pub fn forget_all(&mut self) {
        self.forget_handshake();
        self.application = ApplicationSecrets::none();
    }

    /// Writes an alert. Nothing is written if none is to be sent, or without room for it.
    #[inline(never)]
    pub fn write_alert<C: Crypto>(
        &mut self,
        keys: AlertKeys,
        description: u8,
        out: &mut RecordBuf<'_>,
    ) -> Result<(), Alert> {
        if keys == AlertKeys::NotHere {
            return Ok(());
        }
        out.content().put(&[alert::FATAL, description])?;
        match keys {
            AlertKeys::Application => out.finish_with(|buf| {
                let records = &mut self.application.records;
                records.seal::<C>(buf, content_type::ALERT, alert::LEN)
            }),
            _ => out.finish_plain(content_type::ALERT, alert::LEN),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// What a step writes to and computes in.
pub struct Workspace<'a, C: Crypto> {
    /// What is to be sent.
    pub out: RecordBuf<'a>,
    /// What is too large for a stack.
    pub scratch: &'a mut Scratch<C>,
    /// What stays.
    pub memory: &'a mut Memory,
}

/// What a state gets for a step, besides the bytes that have been received.
pub struct Context<'a, C: Crypto, I: Identities> {
    /// The settings that apply to the connection.
    pub config: &'a Config<'a>,
    /// The identities of the listener.
    pub identities: &'a I,
    /// Where the answer is made.
    pub work: Workspace<'a, C>,
}
