// SPDX-License-Identifier: GPL-2.0
//! Identities that may not be used yet, see [`Identities::may_use`].

use super::resumption::{at, Client, KEYS, NOW};
use super::*;
use std::cell::{Cell, RefCell};
use tls_handshake_host::engine::wire::names::Scheme;
use tls_handshake_host::host_crypto::with_random;

/// An identity that is refused so many times for each ClientHello.
struct Asked<'a> {
    one: &'a One,
    refusals: u32,
    left: Cell<u32>,
    /// The index and the flag of each question.
    questions: RefCell<Vec<(usize, bool)>>,
}

impl<'a> Asked<'a> {
    fn new(one: &'a One, refusals: u32) -> Self {
        Asked {
            one,
            refusals,
            left: Cell::new(refusals),
            questions: RefCell::default(),
        }
    }
}

impl Identities for Asked<'_> {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let identity = self.one.select(constraints)?;
        Ok(Identity {
            index: 7,
            ..identity
        })
    }

    fn may_use(&self, identity: &Identity<'_>, rsa: bool) -> bool {
        self.questions.borrow_mut().push((identity.index, rsa));
        let left = self.left.get();
        self.left.set(left.checked_sub(1).unwrap_or(self.refusals));
        left == 0
    }
}

const OUT: usize = 16384;

/// A server that always gets the same random bytes.
struct Server<'a> {
    config: Config<'a>,
    session: Session,
    scratch: Box<Scratch<HostCrypto>>,
    random: Vec<u8>,
}

impl<'a> Server<'a> {
    fn new(config: Config<'a>) -> Self {
        Server {
            config,
            session: Session::new(),
            // SAFETY: Zeroes are a valid value.
            scratch: unsafe { tls_handshake_host::zeroed() },
            random: (0..1u64 << 16)
                .map(|i| ((i * i * 167) >> 7) as u8)
                .collect(),
        }
    }

    fn step(&mut self, identities: &impl Identities, wire: &[u8]) -> (Step, Vec<u8>) {
        let (mut input, mut out) = (wire.to_vec(), vec![0x5a; OUT]);
        let Server {
            config,
            session,
            scratch,
            random,
        } = self;
        let (step, rest) = with_random(random, || {
            session.advance::<HostCrypto>(config, identities, &mut input, &mut out, scratch)
        });
        *random = rest;
        (step, out)
    }

    /// What it answers in the end, which is asserted to consume all of it.
    fn answer(&mut self, identities: &Asked<'_>, wire: &[u8]) -> Vec<u8> {
        for _ in 0..identities.refusals {
            let (retry, left) = (self.session.awaits_second_hello(), self.random.len());
            let (step, out) = self.step(identities, wire);
            assert_eq!(step, Step::Later);
            assert_eq!(out, [0x5a; OUT]);
            assert_eq!(self.random.len(), left);
            assert_eq!(self.session.awaits_second_hello(), retry);
            assert_eq!(self.session.negotiated().retried, retry);
            assert!(!self.session.negotiated().resumed);
        }
        let (step, mut out) = self.step(identities, wire);
        let Step::Send { consumed, written } = step else {
            panic!("{step:?}");
        };
        assert_eq!(consumed, wire.len());
        out.truncate(written);
        out
    }
}

/// Answers a client with and without refusals. Returns the questions about each ClientHello.
fn compare(config: Config<'_>, one: &One, mut client: rustls::ClientConnection) -> Vec<bool> {
    let (at_once, later) = (Asked::new(one, 0), Asked::new(one, 3));
    let (mut first, mut second) = (Server::new(config), Server::new(config));
    loop {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        let answer = first.answer(&at_once, &wire);
        assert_eq!(second.answer(&later, &wire), answer);
        let mut sent = &answer[..];
        while !sent.is_empty() {
            client.read_tls(&mut sent).unwrap();
            client.process_new_packets().unwrap();
        }
        if !first.session.awaits_second_hello() {
            break;
        }
    }
    let (a, b) = (first.session.negotiated(), second.session.negotiated());
    assert_eq!(a.resumed, b.resumed);
    assert_eq!((a.suite, a.group, a.scheme), (b.suite, b.group, b.scheme));
    assert_eq!(a.server_name(), b.server_name());
    // The Finished, which both accept.
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    for (server, asked) in [(&mut first, &at_once), (&mut second, &later)] {
        let before = asked.questions.borrow().len();
        let (step, _) = server.step(asked, &wire);
        // With or without tickets.
        assert!(
            matches!(step, Step::Send { .. } | Step::Done { .. }),
            "{step:?}"
        );
        assert_eq!(asked.questions.borrow().len(), before);
    }

    let questions = at_once.questions.into_inner();
    let repeated: Vec<_> = questions.iter().flat_map(|q| [*q; 4]).collect();
    assert_eq!(later.questions.into_inner(), repeated);
    assert!(questions.iter().all(|q| q.0 == 7));
    questions.iter().map(|q| q.1).collect()
}

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

/// A refusal leaves no trace in the flight, and RSA signatures are announced.
#[test]
fn refused_first() {
    for (newkey, rsa) in [(P256, false), ("rsa:2048", true)] {
        let (one, root) = identity(newkey);
        for suite in [0x1301, 0x1302, 0x1303] {
            let c = client(&root, suite, &[29, 23]);
            assert_eq!(compare(DEFAULT, &one, c), [rsa]);
        }
    }
}

/// With a HelloRetryRequest each ClientHello is asked about; only the second one has a signature.
#[test]
fn refused_with_retry() {
    for (newkey, rsa) in [(P256, false), ("rsa:2048", true)] {
        let (one, root) = identity(newkey);
        let c = client(&root, 0x1301, &[24, 29]);
        assert_eq!(compare(DEFAULT, &one, c), [false, rsa]);
    }
}

/// A resumption computes no signature, be the key RSA or not.
#[test]
fn refused_resumption() {
    for (newkey, rsa) in [(P256, false), ("rsa:2048", true)] {
        let (one, root) = identity(newkey);
        let config = at(&KEYS[..1], NOW);
        for (groups, full, resumed) in [
            (&[29][..], &[rsa][..], &[false][..]),
            (&[24, 29], &[false, rsa], &[false, false]),
        ] {
            let client = Client::new(&[&root], 0x1301, groups);
            assert_eq!(compare(config, &one, client.connection()), full);
            // That one has given its tickets to nobody.
            assert!(!client.resumes(&config, &one));
            assert_eq!(compare(config, &one, client.connection()), resumed);
        }
    }
}

/// A server that waits for a second ClientHello, and that behind as many ChangeCipherSpec as there
/// may be.
fn behind_skipped<'a>(asked: &Asked<'_>, root: &[u8]) -> (Server<'a>, Vec<u8>) {
    const CCS: [u8; 6] = [20, 3, 3, 0, 1, 1];
    let mut c = client(root, 0x1301, &[24, 29]);
    let mut server = Server::new(DEFAULT);
    let mut wire = Vec::new();
    c.write_tls(&mut wire).unwrap();
    let retry = server.answer(asked, &wire);
    let mut sent = &retry[..];
    while !sent.is_empty() {
        c.read_tls(&mut sent).unwrap();
        c.process_new_packets().unwrap();
    }
    wire.clear();
    c.write_tls(&mut wire).unwrap();
    // The client sends one, too.
    assert_eq!(wire[..6], CCS);
    (server, [&CCS.repeat(15), &wire[..]].concat())
}

/// What is skipped before a second ClientHello counts once, however often that is refused.
#[test]
fn refused_behind_skipped() {
    let (one, root) = identity(P256);
    let asked = Asked::new(&one, 40);
    let (mut server, wire) = behind_skipped(&asked, &root);
    server.answer(&asked, &wire);

    // What has been consumed before counts as well.
    let (mut server, wire) = behind_skipped(&asked, &root);
    let (step, _) = server.step(&asked, &wire[..wire.len() - 1]);
    let need = wire.len() - 96;
    assert_eq!(step, Step::More { consumed: 96, need });
    let (step, _) = server.step(&asked, &wire[90..]);
    assert!(matches!(step, Step::Alert { .. }), "{step:?}");

    let (mut server, wire) = behind_skipped(&asked, &root);
    server.step(&asked, &wire[..wire.len() - 1]);
    server.answer(&asked, &wire[96..]);
}

/// When it is asked again there may be another identity.
#[test]
fn replaced() {
    let (old, _) = identity(P256);
    let (new, root) = identity("rsa:2048");
    for groups in [&[29][..], &[24, 29]] {
        let mut c = client(&root, 0x1301, groups);
        let mut server = Server::new(DEFAULT);
        let (refused, accepted) = (Asked::new(&old, u32::MAX), Asked::new(&new, 0));
        loop {
            let mut wire = Vec::new();
            c.write_tls(&mut wire).unwrap();
            if wire.is_empty() {
                break;
            }
            let handshaking = c.is_handshaking();
            if handshaking {
                assert_eq!(server.step(&refused, &wire).0, Step::Later);
            }
            let (step, out) = server.step(&accepted, &wire);
            match step {
                Step::Send { written, .. } => {
                    let mut sent = &out[..written];
                    while !sent.is_empty() {
                        c.read_tls(&mut sent).unwrap();
                        // The certificate is the new one's, which the client knows.
                        c.process_new_packets().unwrap();
                    }
                }
                Step::Done { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(!c.is_handshaking());
        assert_eq!(
            server.session.negotiated().scheme,
            Some(Scheme::RsaPssRsaeSha256)
        );
    }
}

/// Alerts do not wait for an identity.
#[test]
fn alert_between() {
    let (one, root) = identity(P256);
    let mut c = client(&root, 0x1301, &[29]);
    let (asked, mut server) = (Asked::new(&one, u32::MAX), Server::new(DEFAULT));
    let mut wire = Vec::new();
    c.write_tls(&mut wire).unwrap();
    assert_eq!(server.step(&asked, &wire).0, Step::Later);
    // Nothing but the ClientHello is under way: an alert is in the clear.
    let mut out = [0; 64];
    let len = server.session.alert::<HostCrypto>(80, &mut out);
    assert_eq!(out[..len], [21, 3, 3, 0, 2, 2, 80]);
}
