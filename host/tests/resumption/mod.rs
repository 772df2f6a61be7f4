// SPDX-License-Identifier: GPL-2.0
//! Tickets, with rustls as the client that keeps them.

use super::*;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup};
use tls_handshake_host::engine::keys::protection::Protection;
use tls_handshake_host::engine::keys::ticket::{Sealer, TicketKey};
use tls_handshake_host::engine::policy::fallback::Fallback;
use tls_handshake_host::engine::policy::settings::flag_bits;
use tls_handshake_host::engine::wire::alert::Alert;
use tls_handshake_host::engine::wire::record::HEADER_LEN;

pub const NOW: u64 = 1_700_000_000;
const LIFETIME: u32 = 7200;

pub const KEYS: [TicketKey; 2] = [
    TicketKey {
        name: [1; 16],
        key: [2; 64],
    },
    TicketKey {
        name: [3; 16],
        key: [4; 64],
    },
];

/// Settings with those ticket keys at that time.
pub fn at(keys: &[TicketKey], now: u64) -> Config<'_> {
    Config {
        tickets: Tickets {
            keys,
            now,
            lifetime: LIFETIME,
        },
        ..DEFAULT
    }
}

/// Keeps tickets, but does not remember which group a server likes, so that the next
/// ClientHello causes a HelloRetryRequest again.
#[derive(Debug)]
struct Store(ClientSessionMemoryCache);

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(name, value);
    }
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(name)
    }
}

/// A client with a memory.
pub struct Client(rustls::ClientConfig);

impl Client {
    pub fn new(roots: &[&[u8]], suite: u16, groups: &[u16]) -> Self {
        let mut config = client_config(roots[0], suite, groups, &["h2", "http/1.1"]);
        let mut all = rustls::RootCertStore::empty();
        for root in roots {
            all.add(root.to_vec().into()).unwrap();
        }
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
            Arc::new(all),
            config.crypto_provider().clone(),
        )
        .build()
        .unwrap();
        config.dangerous().set_certificate_verifier(verifier);
        config.resumption = Resumption::store(Arc::new(Store(ClientSessionMemoryCache::new(8))));
        Client(config)
    }

    pub fn connection(&self) -> rustls::ClientConnection {
        let name = "example.org".try_into().unwrap();
        rustls::ClientConnection::new(Arc::new(self.0.clone()), name).unwrap()
    }

    /// Connects and says whether both sides have resumed.
    pub fn resumes(&self, config: &Config<'_>, one: &One) -> bool {
        let mut c = self.connection();
        let mut session = run_with(config, one, &mut c, usize::MAX);
        let resumed = session.negotiated().resumed;
        let kind = c.handshake_kind().unwrap();
        assert_eq!(kind == HandshakeKind::Resumed, resumed, "{kind:?}");
        greet(&mut session, &mut c);
        resumed
    }
}

/// Sends application data under the keys and from the sequence number that kTLS would get.
fn greet(session: &mut Session, client: &mut rustls::ClientConnection) {
    let mut protection = Protection::new(connection(session).traffic_keys::<HostCrypto>(true));
    let mut record = [0; 64];
    for _ in 0..=connection(session).sequence(true) {
        record[HEADER_LEN..HEADER_LEN + 5].copy_from_slice(b"hello");
        let len = protection.seal::<HostCrypto>(&mut record, 23, 5).unwrap();
        assert_eq!(len, HEADER_LEN + 5 + 17);
    }
    client
        .read_tls(&mut &record[..HEADER_LEN + 5 + 17])
        .unwrap();
    client.process_new_packets().unwrap();
    let mut text = [0; 5];
    std::io::Read::read_exact(&mut client.reader(), &mut text).unwrap();
    assert_eq!(&text, b"hello");
}

#[test]
fn resumed() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let config = at(&KEYS[..1], NOW);
    for suite in [0x1301, 0x1302, 0x1303] {
        // With and without a HelloRetryRequest.
        for groups in [&[29][..], &[24, 29]] {
            let client = Client::new(&[&root], suite, groups);
            assert!(!client.resumes(&config, &one));
            // Two tickets of the first connection, one of each other.
            for _ in 0..5 {
                assert!(client.resumes(&config, &one));
            }
        }
    }
}

#[test]
fn not_resumed() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let (other, other_root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let (config, previous) = (at(&KEYS[..1], NOW), at(&KEYS[1..], NOW));
    let client = || {
        let client = Client::new(&[&root, &other_root], 0x1301, &[29]);
        assert!(!client.resumes(&config, &one));
        client
    };

    // By a key that is gone.
    assert!(!client().resumes(&previous, &one));
    // When the lifetime ends, and a second before.
    assert!(client().resumes(&at(&KEYS[..1], NOW + u64::from(LIFETIME) - 1), &one));
    assert!(!client().resumes(&at(&KEYS[..1], NOW + u64::from(LIFETIME)), &one));
    // For what another certificate stands for now.
    assert!(!client().resumes(&config, &other));
    // For another application protocol.
    let http2 = Config {
        protocols: Protocols::new(b"\x02h2").unwrap(),
        ..config
    };
    assert!(!client().resumes(&http2, &one));
    // Where there are no tickets.
    let without = Config {
        flags: flag_bits::NO_TICKETS,
        ..config
    };
    assert!(!client().resumes(&without, &one));
    assert!(!client().resumes(&at(&[], NOW), &one));

    // The key before the current one is good for old tickets.
    let client = Client::new(&[&root], 0x1301, &[29]);
    assert!(!client.resumes(&previous, &one));
    let rotated = [
        TicketKey {
            name: KEYS[0].name,
            key: KEYS[0].key,
        },
        TicketKey {
            name: KEYS[1].name,
            key: KEYS[1].key,
        },
    ];
    assert!(client.resumes(&at(&rotated, NOW), &one));
}

/// A ticket is good for each cipher suite with the same hash, and for no other one.
#[test]
fn other_suites() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let with = |suites| Config {
        cipher_suites: suites,
        ..at(&KEYS[..1], NOW)
    };
    for (first, second, resumes) in [
        (&[0x1301], &[0x1303], true),
        (&[0x1303], &[0x1301], true),
        (&[0x1301], &[0x1302], false),
        (&[0x1302], &[0x1303], false),
        (&[0x1302], &[0x1302], true),
    ] {
        let client = Client::new(&[&root], ANY, &[29]);
        assert!(!client.resumes(&with(first), &one));
        assert_eq!(client.resumes(&with(second), &one), resumes, "{second:?}");
    }
}

const DAY: u64 = 86_400;

/// Seven days after a full handshake there is another one, however often it has been resumed.
#[test]
fn total_time() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let client = Client::new(&[&root], 0x1301, &[29]);
    let resumes = |now| client.resumes(&at(&KEYS[..1], now), &one);
    let mut start = NOW;
    assert!(!resumes(start));
    for _ in 0..2 {
        let mut now = start;
        while now + 7000 < start + 7 * DAY {
            now += 7000;
            assert!(resumes(now), "{}", now - start);
        }
        // A second before, and then.
        assert!(resumes(start + 7 * DAY - 1));
        start += 7 * DAY;
        assert!(!resumes(start));
    }
}

/// Of a ticket from the future nobody knows how old it is, but for clocks that differ by a little.
#[test]
fn clock_set_back() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for (back, resumes) in [
        (0, true),
        (300, true),
        (301, false),
        (DAY, false),
        (NOW, false),
    ] {
        let client = Client::new(&[&root], 0x1301, &[29]);
        assert!(!client.resumes(&at(&KEYS[..1], NOW), &one));
        let now = NOW - back;
        assert_eq!(
            client.resumes(&at(&KEYS[..1], now), &one),
            resumes,
            "{back}"
        );
        // From there on time is what it is now.
        assert!(client.resumes(&at(&KEYS[..1], now + 1), &one));
    }
}

/// What a ticket says of time, without a client.
#[test]
fn time_of_full_handshake() {
    let tickets = |now| Tickets {
        now,
        ..at(&KEYS[..1], 0).tickets
    };
    let since = |made, since, now| {
        let made = tickets(made);
        let sealer = Sealer::<HostCrypto>::new(&made, &[5; 32], since, 1).unwrap();
        let ticket = sealer.seal(&[6; 48]).unwrap();
        let opened = ticket::open::<HostCrypto>(&tickets(now), &[5; 32], &ticket)?;
        assert_eq!(*opened.psk, [6; 48]);
        Some(opened.since)
    };
    // It is handed on, but not if it is ahead of the time.
    assert_eq!(since(NOW, NOW, NOW), Some(NOW));
    assert_eq!(since(NOW, NOW - DAY, NOW + 1), Some(NOW - DAY));
    assert_eq!(since(NOW, NOW, NOW - 100), Some(NOW - 100));
    assert_eq!(since(NOW, NOW + DAY, NOW), Some(NOW));
    assert_eq!(since(NOW, u64::MAX, NOW), Some(NOW));
    // Too long ago, by a second and by more.
    assert_eq!(since(NOW, NOW - 7 * DAY + 1, NOW), Some(NOW - 7 * DAY + 1));
    assert_eq!(since(NOW, NOW - 7 * DAY, NOW), None);
    assert_eq!(since(NOW, NOW - 7 * DAY + 10, NOW + 10), None);
    assert_eq!(since(NOW, 0, NOW), None);
    // Nor does time end.
    assert_eq!(since(u64::MAX, u64::MAX, u64::MAX), Some(u64::MAX));
    assert_eq!(since(u64::MAX, u64::MAX, 0), None);

    // What clients are told.
    let lifetime = |lifetime, age| {
        let tickets = Tickets {
            lifetime,
            ..tickets(NOW)
        };
        tickets.lifetime_since(NOW.wrapping_sub(age))
    };
    assert_eq!(lifetime(7200, 0), 7200);
    assert_eq!(lifetime(u32::MAX, 0), 604_800);
    assert_eq!(lifetime(u32::MAX, 5), 604_795);
    assert_eq!(lifetime(7200, 604_799), 1);
    assert_eq!(lifetime(7200, 604_800), 0);
    assert_eq!(lifetime(7200, NOW), 0);
    // The handshake began before the clock was set back.
    assert_eq!(lifetime(7200, u64::MAX), 7200);
}

/// No tickets are given out where there are none.
#[test]
fn no_tickets() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let client = Client::new(&[&root], 0x1301, &[29]);
    let without = Config {
        flags: flag_bits::NO_TICKETS,
        ..at(&KEYS[..1], NOW)
    };
    assert!(!client.resumes(&without, &one));
    assert!(!client.resumes(&at(&KEYS[..1], NOW), &one));
}

/// The first answer to a ClientHello with a ticket of which bytes have been changed.
fn changed(change: impl FnOnce(&mut [u8])) -> (Step, bool) {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let config = at(&KEYS[..1], NOW);
    let client = Client::new(&[&root], 0x1301, &[29]);
    assert!(!client.resumes(&config, &one));
    let mut hello = Vec::new();
    client.connection().write_tls(&mut hello).unwrap();
    change(&mut hello);
    let mut session = Session::new();
    // SAFETY: Zeroes are a valid value.
    let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
    let mut out = vec![0; 4096];
    let step = session.advance::<HostCrypto>(&config, &one, &mut hello, &mut out, &mut scratch);
    (step, session.negotiated().resumed)
}

#[test]
fn tampered() {
    // The binder is the last 32 bytes, its length and the list's are before it.
    let (step, resumed) = changed(|_| ());
    assert!(matches!(step, Step::Send { .. }) && resumed);
    for bit in 0..8 {
        let (step, _) = changed(|hello| *hello.last_mut().unwrap() ^= 1 << bit);
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
    // Random, which only the binder covers.
    let (step, _) = changed(|hello| hello[5 + 4 + 2] ^= 1);
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
    // The ticket, in its name, its salt, its ciphertext and its tag.
    for back in [127, 100, 50, 1] {
        let (step, resumed) = changed(|hello| {
            let at = hello.len() - (2 + 1 + 32) - 4 - back;
            hello[at] ^= 1;
        });
        assert!(
            matches!(step, Step::Send { .. }) && !resumed,
            "{back}: {step:?}"
        );
    }
}

/// An identity that no name has chosen.
struct Unchosen<'a>(&'a One);

impl Identities for Unchosen<'_> {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let identity = self.0.select(constraints)?;
        Ok(Identity {
            name_matched: false,
            ..identity
        })
    }
}

/// RFC 6066, section 3: a server name that has made a difference is acknowledged with an empty
/// extension, but not in a resumption.
#[test]
fn server_name_is_acknowledged() {
    // Signatures of RSA are of one length.
    let (one, root) = identity("rsa:2048");
    let config = at(&KEYS[..1], NOW);
    let client = Client::new(&[&root], 0x1301, &[29]);
    type Advance<'a> =
        &'a dyn Fn(&mut Session, &mut [u8], &mut [u8], &mut Scratch<HostCrypto>) -> Step;
    let flight = |identities: Advance<'_>| {
        let mut hello = Vec::new();
        client.connection().write_tls(&mut hello).unwrap();
        // SAFETY: Zeroes are a valid value.
        let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
        let (mut session, mut out) = (Session::new(), vec![0; 16384]);
        match identities(&mut session, &mut hello, &mut out, &mut scratch) {
            Step::Send { written, .. } => (written, session.negotiated().resumed),
            step => panic!("{step:?}"),
        }
    };
    let lengths = || {
        let named = flight(&|session, hello, out, scratch| {
            session.advance::<HostCrypto>(&config, &one, hello, out, scratch)
        });
        let default = flight(&|session, hello, out, scratch| {
            session.advance::<HostCrypto>(&config, &Unchosen(&one), hello, out, scratch)
        });
        (named, default)
    };
    let ((named, resumed), (default, _)) = lengths();
    assert!(!resumed);
    // Type and length of the extension.
    assert_eq!(named, default + 4);
    // Two tickets, one for each flight.
    assert!(!client.resumes(&config, &one));
    let ((named, resumed), (default, also)) = lengths();
    assert!(resumed && also);
    assert_eq!(named, default);
}

/// A machine that was cloned repeats its random numbers. Tickets with different content must not
/// be encrypted under the same key and nonce all the same, nor tickets for different contexts.
#[test]
fn repeated_random_numbers() {
    use tls_handshake_host::host_crypto::with_random;

    let seal = |context: u8, now: u64, since: u64, psk: u8| {
        let tickets = Tickets {
            keys: &KEYS,
            now,
            lifetime: LIFETIME,
        };
        let context = &[context; 32];
        let made = || Sealer::<HostCrypto>::new(&tickets, context, since, 1);
        let ticket = with_random(&[7; 64], made)
            .0
            .unwrap()
            .seal(&[psk; 48])
            .unwrap();
        let opened = ticket::open::<HostCrypto>(&tickets, context, &ticket).unwrap();
        assert_eq!(*opened.psk, [psk; 48]);
        ticket
    };
    // The key of a ticket is made of the salt, behind the name.
    let salt = |ticket: [u8; ticket::LEN]| ticket[16..48].to_vec();
    let all = [
        seal(1, NOW, NOW, 1),
        seal(2, NOW, NOW, 1),
        seal(1, NOW + 1, NOW, 1),
        seal(1, NOW, NOW - 1, 1),
        seal(1, NOW, NOW, 2),
    ];
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            assert_ne!(salt(*a), salt(*b));
            // Nor is the key stream the same: 48 bytes of PSK are behind two times.
            let (a, b) = (&a[64..][..48], &b[64..][..48]);
            let xor: Vec<u8> = a.iter().zip(b).map(|(a, b)| a ^ b).collect();
            assert!(xor.windows(2).any(|w| w[0] != w[1]));
        }
    }
    // What is the same in all respects may be the same ticket.
    assert_eq!(all[0], seal(1, NOW, NOW, 1));
}

/// A ClientHello that offers a ticket for a PSK of zeroes, and has these other extensions.
fn hello_with_ticket(ticket: &[u8], extensions: &[&[u8]]) -> Vec<u8> {
    use tls_handshake_host::engine::crypto::{Crypto, HashAlg};
    use tls_handshake_host::engine::keys::schedule::{EarlySecret, PskKind};

    let vec16 = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let identities = vec16(&[&vec16(ticket)[..], &[0; 4]].concat());
    let binders = [&[0, 33, 32][..], &[0; 32]].concat();
    let psk = [&[0, 41][..], &vec16(&[identities, binders].concat())].concat();
    let extensions = [&extensions.concat()[..], &psk].concat();
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    body.extend(vec16(&extensions));
    let mut message = [&[1, 0][..], &vec16(&body)].concat();
    let end = message.len();
    let mut hash = HostCrypto::hash_init(HashAlg::Sha256);
    HostCrypto::hash_update(&mut hash, &message[..end - 35]);
    let hash = HostCrypto::hash_final(hash);
    let early = EarlySecret::<HostCrypto>::with_psk(HashAlg::Sha256, &[0; 32]);
    let binder = early
        .binder_secret(PskKind::Resumption)
        .verify_data::<HostCrypto>(&hash);
    message[end - 32..].copy_from_slice(&binder[..32]);
    [&[22, 3, 1][..], &vec16(&message)].concat()
}

/// A resumption needs no signature_algorithms (RFC 9846, section 4.3.3), be there a
/// HelloRetryRequest or not. Without a ticket of ours it may be user space that knows the PSK.
#[test]
fn no_signature_algorithms() {
    use tls_handshake_host::engine::crypto::HashAlg;

    const VERSIONS: &[u8] = &[0, 43, 0, 3, 2, 3, 4];
    const GROUPS: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 29];
    const SHARE: [u8; 42] = {
        let mut share = [9; 42];
        share
            .split_at_mut(10)
            .0
            .copy_from_slice(&[0, 51, 0, 38, 0, 36, 0, 29, 0, 32]);
        share
    };
    const NO_SHARE: &[u8] = &[0, 51, 0, 2, 0, 0];
    const MODES: &[u8] = &[0, 45, 0, 2, 1, 1];

    for newkey in ["ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048"] {
        let (one, _) = identity(newkey);
        let config = at(&KEYS[..1], NOW);
        let context = ticket::context::<HostCrypto>(HashAlg::Sha256, b"", b"", &one.digest);
        let sealer = Sealer::<HostCrypto>::new(&config.tickets, &context, NOW, 1).unwrap();
        let ticket = sealer.seal(&[0; 48]).unwrap();
        let advance = |session: &mut Session, mut hello: Vec<u8>| {
            // SAFETY: Zeroes are a valid value.
            let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
            let mut out = vec![0; 16384];
            session.advance::<HostCrypto>(&config, &one, &mut hello, &mut out, &mut scratch)
        };
        let mut session = Session::new();
        let hello = hello_with_ticket(&ticket, &[VERSIONS, GROUPS, &SHARE, MODES]);
        assert!(matches!(advance(&mut session, hello), Step::Send { .. }));
        assert!(session.negotiated().resumed);

        let mut session = Session::new();
        let hello = hello_with_ticket(&ticket, &[VERSIONS, GROUPS, NO_SHARE, MODES]);
        assert!(matches!(advance(&mut session, hello), Step::Send { .. }));
        assert!(session.awaits_second_hello());

        for share in [NO_SHARE, &SHARE] {
            let hello = hello_with_ticket(b"external", &[VERSIONS, GROUPS, share, MODES]);
            let step = advance(&mut Session::new(), hello);
            assert_eq!(step, Step::Fallback(Fallback::NotSupported));
        }
    }
}
