// SPDX-License-Identifier: GPL-2.0
//! External PSKs (RFC 9846, section 4.3.11): handshakes with OpenSSL as the client, and
//! ClientHellos whose binders OpenSSL's HMAC has made.
#![cfg(not(tls_hs_cross))]

mod common;

use common::Any;
use openssl::hash::{hash, MessageDigest};
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream};
use openssl::ssl::{SslVerifyMode, SslVersion};
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;
use tls_handshake_host::engine::crypto::{HashAlg, P256Key};
use tls_handshake_host::engine::keys::protection::Protection;
use tls_handshake_host::engine::keys::ticket::{self, Sealer, TicketKey, Tickets};
use tls_handshake_host::engine::policy::external_psk::{self, PskEntry};
use tls_handshake_host::engine::policy::fallback::Fallback;
use tls_handshake_host::engine::policy::settings::{
    flag_bits, ClientConstraints, Config, ExternalPsk, Identities, Identity, NoIdentity,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::alert::Alert;
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::names::Scheme;
use tls_handshake_host::engine::wire::record::HEADER_LEN;
use tls_handshake_host::host_crypto::HostCrypto;

const CONFIG: Config<'static> = Config {
    versions: 2,
    flags: flag_bits::PSK,
    cipher_suites: &[],
    tls12_cipher_suites: &[],
    groups: &[],
    signature_schemes: &[],
    protocols: Protocols::NONE,
    tickets: Tickets::NONE,
};

const NO_FALLBACK: Config<'static> = Config {
    flags: flag_bits::PSK | flag_bits::NO_FALLBACK,
    ..CONFIG
};

const TICKET_KEYS: [TicketKey; 1] = [TicketKey {
    name: [1; 16],
    key: [2; 64],
}];

const TICKETS: Config<'static> = Config {
    tickets: Tickets {
        keys: &TICKET_KEYS,
        now: 1_700_000_000,
        lifetime: 7200,
    },
    ..CONFIG
};

/// Identities as NVMe/TCP has them, for SHA-256 and for SHA-384, and another one.
const ID_256: &[u8] = b"NVMe1R01 nqn.2014-08.org.nvmexpress:uuid:1 nqn.2026-01.org.example:a hJ8=";
const ID_384: &[u8] = b"NVMe1R02 nqn.2014-08.org.nvmexpress:uuid:1 nqn.2026-01.org.example:a hJ8=";
const ID_OTHER: &[u8] = b"\xff\x01";
const KEY_256: &[u8] = &[0x17; 32];
const KEY_384: &[u8] = &[0x29; 48];
const KEY_OTHER: &[u8] = &[0x3b; 16];

/// A server with these PSKs, and with a certificate that nobody looks at if it has a key.
struct Server {
    bytes: Vec<u8>,
    entries: Vec<PskEntry>,
    certificate: Option<Any>,
    refuse: Cell<bool>,
}

impl Server {
    fn new(psks: &[(&[u8], &[u8])]) -> Self {
        let (mut bytes, mut entries) = (Vec::new(), Vec::new());
        for (index, (identity, key)) in psks.iter().enumerate() {
            entries.push(PskEntry::new(bytes.len(), identity, key, index).unwrap());
            bytes.extend_from_slice(identity);
            bytes.extend_from_slice(key);
        }
        external_psk::sort(&bytes, &mut entries);
        Server {
            bytes,
            entries,
            certificate: None,
            refuse: Cell::new(false),
        }
    }

    /// With all of the above.
    fn usual() -> Self {
        Self::new(&[(ID_OTHER, KEY_OTHER), (ID_256, KEY_256), (ID_384, KEY_384)])
    }

    fn with_certificate(mut self) -> Self {
        self.certificate = P256Key::new(&[7]).map(Any);
        self
    }
}

impl Identities for Server {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let certificate = self.certificate.as_ref().ok_or(NoIdentity::Empty)?;
        certificate.select(constraints)
    }

    fn may_use(&self, _: &Identity<'_>, _: bool) -> bool {
        assert!(self.certificate.is_some());
        true
    }

    fn has_external_psks(&self) -> bool {
        !self.entries.is_empty()
    }

    fn external_psk(&self, identity: &[u8]) -> Option<ExternalPsk<'_>> {
        external_psk::find(&self.bytes, &self.entries, identity)
    }

    fn may_use_psk(&self, index: usize) -> bool {
        assert!(index < self.entries.len());
        !self.refuse.get()
    }
}

/// A server's end of a connection.
struct Connection<'a> {
    server: &'a Server,
    config: &'a Config<'a>,
    session: Session,
    scratch: Box<Scratch<HostCrypto>>,
    out: Vec<u8>,
}

impl<'a> Connection<'a> {
    fn new(config: &'a Config<'a>, server: &'a Server) -> Self {
        Connection {
            server,
            config,
            session: Session::new(),
            // SAFETY: Zeroes are a valid value.
            scratch: unsafe { tls_handshake_host::zeroed() },
            out: vec![0; 48 * 1024],
        }
    }

    fn advance(&mut self, bytes: &[u8]) -> Step {
        let mut input = bytes.to_vec();
        self.session.advance::<HostCrypto>(
            self.config,
            self.server,
            &mut input,
            &mut self.out,
            &mut self.scratch,
        )
    }

    fn psk(&self) -> Option<usize> {
        self.session.negotiated().external_psk
    }
}

// Not in the openssl crate: what gives a client a PSK for another hash than SHA-256.
mod ffi {
    use std::ffi::{c_int, c_uchar, c_void};

    pub type Callback = unsafe extern "C" fn(
        *mut c_void,
        *const c_void,
        *mut *const c_uchar,
        *mut usize,
        *mut *mut c_void,
    ) -> c_int;

    extern "C" {
        pub fn SSL_CTX_set_psk_use_session_callback(ctx: *mut c_void, callback: Callback);
        pub fn SSL_SESSION_new() -> *mut c_void;
        pub fn SSL_SESSION_set1_master_key(
            s: *mut c_void,
            key: *const c_uchar,
            len: usize,
        ) -> c_int;
        pub fn SSL_SESSION_set_cipher(s: *mut c_void, cipher: *const c_void) -> c_int;
        pub fn SSL_SESSION_set_protocol_version(s: *mut c_void, version: c_int) -> c_int;
        pub fn SSL_CIPHER_find(ssl: *mut c_void, code: *const c_uchar) -> *const c_void;
    }
}

std::thread_local! {
    /// Identity, key and cipher suite of the client.
    static PSK: Cell<(&'static [u8], &'static [u8], u16)> = const { Cell::new((&[], &[], 0)) };
}

unsafe extern "C" fn use_psk(
    ssl: *mut std::ffi::c_void,
    _: *const std::ffi::c_void,
    id: *mut *const u8,
    id_len: *mut usize,
    session: *mut *mut std::ffi::c_void,
) -> i32 {
    let (identity, key, suite) = PSK.get();
    // SAFETY: OpenSSL gives valid pointers, and gets what stays or is its own from here on.
    unsafe {
        let made = ffi::SSL_SESSION_new();
        let cipher = ffi::SSL_CIPHER_find(ssl, suite.to_be_bytes().as_ptr());
        assert!(!cipher.is_null());
        assert_eq!(
            ffi::SSL_SESSION_set1_master_key(made, key.as_ptr(), key.len()),
            1
        );
        assert_eq!(ffi::SSL_SESSION_set_cipher(made, cipher), 1);
        assert_eq!(ffi::SSL_SESSION_set_protocol_version(made, 0x0304), 1);
        *session = made;
        *id = identity.as_ptr();
        *id_len = identity.len();
    }
    1
}

/// What is on the wire in both directions.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<(Vec<u8>, Vec<u8>)>>);

impl Wire {
    fn sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().0)
    }

    fn receive(&self, bytes: &[u8]) {
        self.0.borrow_mut().1.extend_from_slice(bytes);
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let from = &mut self.0.borrow_mut().1;
        if from.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buf.len().min(from.len());
        buf[..len].copy_from_slice(&from[..len]);
        from.drain(..len);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that accepts no certificate.
fn client(psk: (&'static [u8], &'static [u8], u16), suites: &str, groups: &str) -> SslContext {
    PSK.set(psk);
    let mut context: SslContextBuilder = SslContext::builder(SslMethod::tls_client()).unwrap();
    context
        .set_min_proto_version(Some(SslVersion::TLS1_3))
        .unwrap();
    context.set_verify(SslVerifyMode::PEER);
    context.set_ciphersuites(suites).unwrap();
    context.set_groups_list(groups).unwrap();
    // SAFETY: The context is valid, and the function is as OpenSSL needs it.
    unsafe { ffi::SSL_CTX_set_psk_use_session_callback(context.as_ptr().cast(), use_psk) };
    context.build()
}

/// Runs a handshake to its end.
fn run<'a>(
    config: &'a Config<'a>,
    server: &'a Server,
    client: &SslContext,
) -> (Step, Connection<'a>) {
    let wire = Wire::default();
    let mut stream = SslStream::new(Ssl::new(client).unwrap(), wire.clone()).unwrap();
    let mut c = Connection::new(config, server);
    let mut queue = Vec::new();
    let step = 'all: loop {
        if let Err(error) = stream.connect() {
            assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}");
        }
        queue.extend(wire.sent());
        loop {
            match c.advance(&queue) {
                Step::More { consumed, .. } => {
                    queue.drain(..consumed);
                    break;
                }
                Step::Send { consumed, written } => {
                    queue.drain(..consumed);
                    wire.receive(&c.out[..written]);
                }
                step => break 'all step,
            }
        }
    };
    if let Step::Done { .. } = step {
        // For OpenSSL both is a resumption.
        assert!(stream.ssl().session_reused() && stream.ssl().peer_certificate().is_none());
        // Data under the keys and from the sequence number that kTLS would get.
        let connection = c.session.connection().unwrap();
        assert_eq!(connection.sequence(true), 0);
        let mut protection = Protection::new(connection.traffic_keys::<HostCrypto>(true));
        let mut record = [0; 64];
        record[HEADER_LEN..HEADER_LEN + 5].copy_from_slice(b"hello");
        let len = protection.seal::<HostCrypto>(&mut record, 23, 5).unwrap();
        wire.receive(&record[..len]);
        let mut text = [0; 5];
        stream.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        let mut ours = [0; 32];
        let mut theirs = [0; 32];
        assert!(connection.export::<HostCrypto>(b"EXPERIMENTAL", b"", &mut ours));
        stream
            .ssl()
            .export_keying_material(&mut theirs, "EXPERIMENTAL", Some(b""))
            .unwrap();
        assert_eq!(ours, theirs);
    }
    (step, c)
}

const AES_128: &str = "TLS_AES_128_GCM_SHA256";
const AES_256: &str = "TLS_AES_256_GCM_SHA384";
const CHACHA: &str = "TLS_CHACHA20_POLY1305_SHA256";
const ALL: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

#[test]
fn openssl() {
    for server in [Server::usual(), Server::usual().with_certificate()] {
        for (psk, suites, used, index) in [
            ((ID_256, KEY_256, 0x1301), AES_128, 0x1301, 1),
            ((ID_256, KEY_256, 0x1301), CHACHA, 0x1303, 1),
            ((ID_384, KEY_384, 0x1302), AES_256, 0x1302, 2),
            ((ID_OTHER, KEY_OTHER, 0x1301), AES_128, 0x1301, 0),
            // The hash of the PSK decides, whatever the server likes best.
            ((ID_256, KEY_256, 0x1301), ALL, 0x1301, 1),
            ((ID_384, KEY_384, 0x1302), ALL, 0x1302, 2),
        ] {
            // Without and with a HelloRetryRequest.
            for (groups, retried) in [("X25519", false), ("P-384:X25519", true)] {
                // There are no tickets after it, where there are some for others, either.
                for config in [&CONFIG, &NO_FALLBACK, &TICKETS] {
                    let (step, c) = run(config, &server, &client(psk, suites, groups));
                    assert!(
                        matches!(step, Step::Done { .. }),
                        "{suites} {groups}: {step:?}"
                    );
                    assert_eq!(c.psk(), Some(index));
                    let negotiated = c.session.negotiated();
                    assert_eq!(negotiated.suite.code(), used);
                    assert_eq!(negotiated.retried, retried);
                    assert_eq!(negotiated.scheme, None);
                    assert!(!negotiated.resumed);
                }
            }
        }
    }
}

#[test]
fn openssl_with_another_key() {
    let server = Server::usual().with_certificate();
    for groups in ["X25519", "P-384:X25519"] {
        for (psk, suites) in [
            ((ID_256, KEY_384, 0x1301), AES_128),
            ((ID_384, &KEY_384[1..], 0x1302), AES_256),
        ] {
            let (step, c) = run(&CONFIG, &server, &client(psk, suites, groups));
            let written = HEADER_LEN + 2;
            let alert = Alert::DecryptError;
            assert_eq!(step, Step::Alert { alert, written });
            assert_eq!(c.psk(), None);
        }
    }
}

#[test]
fn openssl_with_unknown_identity() {
    const UNKNOWN: (&[u8], &[u8], u16) = (b"unknown", KEY_256, 0x1301);
    let server = Server::usual();
    for groups in ["X25519", "P-384:X25519"] {
        let (step, _) = run(&CONFIG, &server, &client(UNKNOWN, AES_128, groups));
        assert_eq!(step, Step::Fallback(Fallback::ExternalPsk));
        // As if it were known and the binder wrong.
        let (step, _) = run(&NO_FALLBACK, &server, &client(UNKNOWN, AES_128, groups));
        assert!(
            matches!(
                step,
                Step::Alert {
                    alert: Alert::DecryptError,
                    ..
                }
            ),
            "{step:?}"
        );
    }
    // The SHA-384 of its identity does not fit the cipher suite.
    let (step, _) = run(
        &CONFIG,
        &server,
        &client((ID_384, KEY_384, 0x1301), AES_128, "X25519"),
    );
    assert_eq!(step, Step::Fallback(Fallback::ExternalPsk));
}

fn hmac(digest: MessageDigest, key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    let mut signer = Signer::new(digest, &key).unwrap();
    signer.sign_oneshot_to_vec(data).unwrap()
}

fn expand_label(digest: MessageDigest, secret: &[u8], label: &str, context: &[u8]) -> Vec<u8> {
    let mut info = (digest.size() as u16).to_be_bytes().to_vec();
    info.push(6 + label.len() as u8);
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(context.len() as u8);
    info.extend_from_slice(context);
    info.push(1);
    hmac(digest, secret, &info)
}

/// PskBinderEntry for a transcript (RFC 9846, section 4.3.11.2).
fn binder(digest: MessageDigest, key: &[u8], label: &str, transcript: &[u8]) -> Vec<u8> {
    let early = hmac(digest, &vec![0; digest.size()], key);
    let secret = expand_label(digest, &early, label, &hash(digest, &[]).unwrap());
    let finished = expand_label(digest, &secret, "finished", &[]);
    hmac(digest, &finished, &hash(digest, transcript).unwrap())
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A PSK that a client offers.
#[derive(Clone, Copy)]
struct Offer<'a> {
    identity: &'a [u8],
    key: &'a [u8],
    sha384: bool,
    label: &'static str,
    /// Where the binder is wrong, and how long it is.
    wrong: Option<usize>,
    len: usize,
}

const fn offer<'a>(identity: &'a [u8], key: &'a [u8]) -> Offer<'a> {
    Offer {
        identity,
        key,
        sha384: false,
        label: "ext binder",
        wrong: None,
        len: 32,
    }
}

const OFFER_256: Offer<'static> = offer(ID_256, KEY_256);
const OFFER_384: Offer<'static> = Offer {
    sha384: true,
    len: 48,
    ..offer(ID_384, KEY_384)
};
const UNKNOWN: Offer<'static> = offer(b"unknown", KEY_256);

const VERSIONS: &[u8] = &[0, 43, 0, 3, 2, 3, 4];
const GROUPS: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 29];
const SCHEMES: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3];
/// An x-coordinate of X25519: 9.
const SHARE: &[u8] = &[
    0, 51, 0, 38, 0, 36, 0, 29, 0, 32, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
const NO_SHARE: &[u8] = &[0, 51, 0, 2, 0, 0];
const MODES: &[u8] = &[0, 45, 0, 2, 1, 1];
const BOTH_MODES: &[u8] = &[0, 45, 0, 3, 2, 0, 1];
const PSK_KE: &[u8] = &[0, 45, 0, 2, 1, 0];

const USUAL: [&[u8]; 4] = [VERSIONS, GROUPS, SHARE, MODES];

/// A ClientHello in a record.
fn hello(suites: &[u16], extensions: &[&[u8]], offers: &[Offer<'_>]) -> Vec<u8> {
    let identities: Vec<u8> = offers
        .iter()
        .flat_map(|o| [&vec16(o.identity)[..], &[0; 4]].concat())
        .collect();
    let binders_len: usize = offers.iter().map(|o| 1 + o.len).sum();
    let mut psk = vec16(&identities);
    psk.extend(vec16(&vec![0; binders_len]));
    let mut all = extensions.concat();
    if !offers.is_empty() {
        all.extend([0, 41]);
        all.extend(vec16(&psk));
    }
    let suites: Vec<u8> = suites.iter().flat_map(|s| s.to_be_bytes()).collect();
    let mut body = [&[3, 3][..], &[7; 32], &[0]].concat();
    body.extend(vec16(&suites));
    body.extend([1, 0]);
    body.extend(vec16(&all));
    let mut message = [&[1, 0][..], &vec16(&body)].concat();
    let truncated = message[..message.len() - 2 - binders_len].to_vec();
    let mut at = message.len() - binders_len;
    for o in offers {
        let digest = match o.sha384 {
            true => MessageDigest::sha384(),
            false => MessageDigest::sha256(),
        };
        let mut made = binder(digest, o.key, o.label, &truncated);
        made.resize(o.len, 0);
        if let Some(wrong) = o.wrong {
            made[wrong] ^= 1;
        }
        message[at] = o.len as u8;
        message[at + 1..][..o.len].copy_from_slice(&made);
        at += 1 + o.len;
    }
    [&[22, 3, 1][..], &vec16(&message)].concat()
}

/// What a server says to such a ClientHello.
fn answer<'a>(config: &'a Config<'a>, server: &'a Server, hello: &[u8]) -> (Step, Connection<'a>) {
    let mut c = Connection::new(config, server);
    (c.advance(hello), c)
}

/// The PSK's index among the server's, and its number among the client's as the ServerHello has it.
fn chosen(config: &Config<'_>, server: &Server, hello: &[u8]) -> (usize, u16) {
    let (step, c) = answer(config, server, hello);
    assert!(matches!(step, Step::Send { .. }), "{step:?}");
    // Record, message, version, random, no session id, suite, compression, length.
    assert_eq!(c.out[5], 2);
    let extensions = &c.out[5 + 4 + 2 + 32 + 1 + 2 + 1 + 2..];
    assert_eq!(extensions[..4], [0, 41, 0, 2]);
    let selected = u16::from_be_bytes([extensions[4], extensions[5]]);
    (c.psk().unwrap(), selected)
}

fn alert(config: &Config<'_>, server: &Server, hello: &[u8]) -> Alert {
    match answer(config, server, hello).0 {
        Step::Alert { alert, .. } => alert,
        step => panic!("{step:?}"),
    }
}

#[test]
fn first_that_is_known() {
    let server = Server::usual();
    for (offers, want) in [
        (&[OFFER_256][..], (1, 0)),
        (&[UNKNOWN, OFFER_256], (1, 1)),
        (&[OFFER_256, OFFER_384], (1, 0)),
        (&[OFFER_384, OFFER_256], (2, 0)),
        (&[UNKNOWN, UNKNOWN, OFFER_384, OFFER_256], (2, 2)),
        (&[offer(ID_OTHER, KEY_OTHER), OFFER_384], (0, 0)),
    ] {
        let hello = hello(&[0x1301, 0x1302], &USUAL, offers);
        assert_eq!(chosen(&CONFIG, &server, &hello), want);
        assert_eq!(chosen(&NO_FALLBACK, &server, &hello), want);
    }
    // The hash has to fit a suite of both.
    let offers = [OFFER_384, OFFER_256];
    let of_client = hello(&[0x1303, 0x1301], &USUAL, &offers);
    assert_eq!(chosen(&CONFIG, &server, &of_client), (1, 1));
    let config = Config {
        cipher_suites: &[0x1303],
        ..CONFIG
    };
    let hello = hello(&[0x1301, 0x1302, 0x1303], &USUAL, &offers);
    assert_eq!(chosen(&config, &server, &hello), (1, 1));
}

/// The work for a ClientHello is bounded.
#[test]
fn many_identities() {
    let server = Server::usual();
    let with = |unknown: usize| {
        let mut offers = vec![UNKNOWN; unknown];
        offers.push(OFFER_256);
        hello(&[0x1301], &USUAL, &offers)
    };
    let last = external_psk::MAX_LOOKED_UP - 1;
    assert_eq!(chosen(&CONFIG, &server, &with(last)), (1, last as u16));
    let (step, _) = answer(&CONFIG, &server, &with(last + 1));
    assert_eq!(step, Step::Fallback(Fallback::ExternalPsk));
    assert_eq!(
        alert(&NO_FALLBACK, &server, &with(300)),
        Alert::DecryptError
    );
}

#[test]
fn duplicates() {
    let server = Server::usual();
    let wrong = Offer {
        wrong: Some(31),
        ..OFFER_256
    };
    // Only the binder of the PSK that is chosen counts (section 4.3.11).
    let second = hello(&[0x1301], &USUAL, &[OFFER_256, wrong]);
    assert_eq!(chosen(&CONFIG, &server, &second), (1, 0));
    let first = hello(&[0x1301], &USUAL, &[wrong, OFFER_256]);
    assert_eq!(alert(&CONFIG, &server, &first), Alert::DecryptError);
}

#[test]
fn wrong_binders() {
    // With a certificate, too: it is not the time for a full handshake.
    for server in [Server::usual(), Server::usual().with_certificate()] {
        for (offer, want) in [
            (
                Offer {
                    wrong: Some(0),
                    ..OFFER_256
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    wrong: Some(31),
                    ..OFFER_256
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    wrong: Some(47),
                    ..OFFER_384
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    label: "res binder",
                    ..OFFER_256
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    key: &[0; 32],
                    ..OFFER_256
                },
                Alert::DecryptError,
            ),
            // Truncated, and with more than there is.
            (
                Offer {
                    len: 32,
                    ..OFFER_384
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    len: 47,
                    ..OFFER_384
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    len: 33,
                    ..OFFER_256
                },
                Alert::DecryptError,
            ),
            (
                Offer {
                    len: 31,
                    ..OFFER_256
                },
                Alert::DecodeError,
            ),
        ] {
            for share in [SHARE, NO_SHARE] {
                let extensions = [VERSIONS, GROUPS, SCHEMES, share, MODES];
                let hello = hello(&[0x1301, 0x1302], &extensions, &[offer]);
                assert_eq!(alert(&CONFIG, &server, &hello), want);
            }
        }
    }
}

/// The work for an unknown identity is that for one of its kind which is known.
#[test]
fn stand_in() {
    use tls_handshake_host::engine::wire::client_hello::ClientHello;

    let alg = |identity: &[u8], suits: &dyn Fn(HashAlg) -> bool| {
        let hello = hello(&[0x1301], &USUAL, &[offer(identity, KEY_256)]);
        let hello = ClientHello::parse(&hello[5 + 4..]).unwrap();
        let stand_in = external_psk::stand_in(&hello.pre_shared_key.unwrap(), suits);
        assert_eq!((stand_in.index, stand_in.psk.selected), (None, 0));
        stand_in.psk.alg
    };
    let any = |_| true;
    assert_eq!(alg(b"NVMe1R02 nobody", &any), HashAlg::Sha384);
    assert_eq!(alg(b"NVMe1R01 nobody", &any), HashAlg::Sha256);
    assert_eq!(alg(b"NVMe1R07 nobody", &any), HashAlg::Sha256);
    assert_eq!(alg(b"nobody", &any), HashAlg::Sha256);
    // One that no cipher suite has in common is never used.
    for only in [HashAlg::Sha256, HashAlg::Sha384] {
        for identity in [b"NVMe1R01 x", b"NVMe1R02 x"] {
            assert_eq!(alg(identity, &|hash| hash == only), only);
        }
    }
}

/// Where user space does not get the connection, nobody learns whether an identity is known. No
/// binder is right for one that is not, be it made with the key that stands in for it.
#[test]
fn unknown_identity_without_fallback() {
    let server = Server::usual();
    for key in [KEY_256, &[0; 32]] {
        for share in [SHARE, NO_SHARE] {
            let extensions = [VERSIONS, GROUPS, share, MODES];
            let hello = hello(&[0x1301], &extensions, &[offer(b"unknown", key)]);
            assert_eq!(alert(&NO_FALLBACK, &server, &hello), Alert::DecryptError);
            let (step, _) = answer(&CONFIG, &server, &hello);
            assert_eq!(step, Step::Fallback(Fallback::ExternalPsk));
        }
    }
}

#[test]
fn without_psk() {
    let server = Server::usual();
    let with = |extensions: &[&[u8]], offers: &[Offer<'_>]| {
        let hello = hello(&[0x1301, 0x1302], extensions, offers);
        answer(&CONFIG, &server, &hello).0
    };
    let no_psk = with(&[VERSIONS, GROUPS, SCHEMES, SHARE], &[]);
    assert_eq!(no_psk, Step::Fallback(Fallback::ExternalPsk));
    // psk_ke only, with and without what a server may want for (EC)DHE.
    let psk_ke = with(&[VERSIONS, GROUPS, SHARE, PSK_KE], &[OFFER_256]);
    assert_eq!(psk_ke, Step::Fallback(Fallback::ExternalPsk));
    let psk_ke = with(&[VERSIONS, PSK_KE], &[OFFER_256]);
    assert_eq!(psk_ke, Step::Fallback(Fallback::NotSupported));
    let both = with(&[VERSIONS, GROUPS, SHARE, BOTH_MODES], &[OFFER_256]);
    assert!(matches!(both, Step::Send { .. }));

    // No HelloRetryRequest for whom user space may serve.
    let no_share = with(&[VERSIONS, GROUPS, NO_SHARE, MODES], &[UNKNOWN]);
    assert_eq!(no_share, Step::Fallback(Fallback::ExternalPsk));

    let config = Config {
        flags: flag_bits::PSK | flag_bits::CLIENT_CERT,
        ..CONFIG
    };
    let hello = hello(&[0x1301], &USUAL, &[OFFER_256]);
    let (step, _) = answer(&config, &server, &hello);
    assert_eq!(step, Step::Fallback(Fallback::ClientCertificate));
}

/// With a certificate, what is not known is ignored.
#[test]
fn certificate_instead() {
    let server = Server::usual().with_certificate();
    for config in [&CONFIG, &NO_FALLBACK] {
        for offers in [&[UNKNOWN][..], &[offer(ID_384, KEY_384)]] {
            let extensions = [VERSIONS, GROUPS, SCHEMES, SHARE, MODES];
            let hello = hello(&[0x1301], &extensions, offers);
            let (step, c) = answer(config, &server, &hello);
            assert!(matches!(step, Step::Send { .. }), "{step:?}");
            assert_eq!(c.psk(), None);
            let scheme = Some(Scheme::EcdsaSecp256r1Sha256);
            assert_eq!(c.session.negotiated().scheme, scheme);
        }
    }
}

/// A ticket does not prove which PSK a client has: the external one is taken.
#[test]
fn ticket_and_external_psk() {
    let server = Server::usual().with_certificate();
    let context = ticket::context::<HostCrypto>(HashAlg::Sha256, b"", b"", &[0; 32]);
    let tickets = &TICKETS.tickets;
    let sealer = Sealer::<HostCrypto>::new(tickets, &context, tickets.now, 1).unwrap();
    let ticket = sealer.seal(&[5; 32]).unwrap();
    let of_ticket = Offer {
        label: "res binder",
        ..offer(&ticket, &[5; 32])
    };
    let extensions = [VERSIONS, GROUPS, SCHEMES, SHARE, MODES];
    let both = hello(&[0x1301], &extensions, &[of_ticket, OFFER_256]);
    assert_eq!(chosen(&TICKETS, &server, &both), (1, 1));
    let hello = hello(&[0x1301], &extensions, &[UNKNOWN, of_ticket]);
    let (_, c) = answer(&TICKETS, &server, &hello);
    assert!(c.session.negotiated().resumed && c.psk().is_none());
}

/// A PSK that has been revoked since is not used.
#[test]
fn refused() {
    let mut server = Server::usual();
    for share in [SHARE, NO_SHARE] {
        let extensions = [VERSIONS, GROUPS, share, MODES];
        let hello = hello(&[0x1301], &extensions, &[OFFER_256]);
        server.refuse = Cell::new(true);
        let mut c = Connection::new(&CONFIG, &server);
        assert_eq!(c.advance(&hello), Step::Later);
        server.refuse.set(false);
        assert!(matches!(c.advance(&hello), Step::Send { .. }));
        assert_eq!(c.session.awaits_second_hello(), share == NO_SHARE);
    }
}

/// After a HelloRetryRequest the PSK has to be there still, and there is no fallback.
#[test]
fn second_hello_without_psk() {
    let server = Server::usual();
    let extensions = [VERSIONS, GROUPS, SCHEMES, NO_SHARE, MODES];
    for config in [&CONFIG, &NO_FALLBACK] {
        for offers in [&[][..], &[UNKNOWN], &[OFFER_256]] {
            let first = hello(&[0x1301, 0x1302], &extensions, &[OFFER_384]);
            let (step, mut c) = answer(config, &server, &first);
            assert!(matches!(step, Step::Send { .. }) && c.session.awaits_second_hello());
            let extensions = [VERSIONS, GROUPS, SCHEMES, SHARE, MODES];
            let step = c.advance(&hello(&[0x1301, 0x1302], &extensions, offers));
            assert!(matches!(step, Step::Alert { .. }), "{step:?}");
            assert_eq!(c.psk(), None);
        }
    }
}

#[test]
fn hashes_of_identities() {
    for (identity, hash) in [
        (&b"NVMe0R01 nqn.a nqn.b"[..], Some(HashAlg::Sha256)),
        (b"NVMe1G02 nqn.a nqn.b x=", Some(HashAlg::Sha384)),
        (b"NVMe1R03 nqn.a nqn.b x=", None),
        (b"NVMe1R00 nqn.a nqn.b", None),
        (b"NVMe1R01", None),
        (b"NVMe1X02 nqn.a", Some(HashAlg::Sha256)),
        (b"nvme", Some(HashAlg::Sha256)),
    ] {
        assert_eq!(external_psk::hash_of(identity), hash);
    }
}

#[test]
fn table() {
    // Prefixes of each other, and one identity twice: the first one counts.
    let ids: [&[u8]; 6] = [b"b", b"bb", b"a", b"b", b"\0", b"bba"];
    let psks: Vec<_> = ids.iter().map(|id| (*id, KEY_256)).collect();
    let server = Server::new(&psks);
    for (id, index) in [
        (&b"b"[..], 0),
        (b"bb", 1),
        (b"a", 2),
        (b"\0", 4),
        (b"bba", 5),
    ] {
        assert_eq!(server.external_psk(id).unwrap().index, index);
    }
    for id in [&b""[..], b"c", b"bbb", b"B", b"b\0"] {
        assert!(server.external_psk(id).is_none());
    }
    // At least 128 bits (RFC 9257, section 6).
    assert!(PskEntry::new(0, b"a", &[0; 15], 0).is_none());
    assert!(PskEntry::new(0, b"a", &[0; 16], 0).is_some());
    assert!(PskEntry::new(0, b"a", &[0; external_psk::MAX_KEY_LEN + 1], 0).is_none());
    assert!(PskEntry::new(0, b"", KEY_256, 0).is_none());
    let long = [b'a'; external_psk::MAX_IDENTITY_LEN + 1];
    assert!(PskEntry::new(0, &long, KEY_256, 0).is_none());
    assert!(PskEntry::new(0, b"NVMe1R03 ", KEY_256, 0).is_none());
}
