// SPDX-License-Identifier: GPL-2.0
//! The handshakes of RFC 8448, byte for byte: our server gets what its client has sent and the
//! random numbers of its server.
//!
//! The certificates there have RSA keys of 1024 bits, which are not served here, and
//! EncryptedExtensions has supported_groups, which a server need not send. So the records that hold
//! them are made from the messages of the RFC, with keys that come of our own computation; all
//! other bytes that a server sends are compared with what the engine sends.

mod common;

use common::{Any, CONFIG};
use std::collections::HashMap;
use tls_handshake_host::engine::crypto::{Crypto, HashAlg, P256Key};
use tls_handshake_host::engine::keys::protection::Protection;
use tls_handshake_host::engine::keys::schedule::{
    EarlySecret, HandshakeSecret, PskKind, TrafficSecret,
};
use tls_handshake_host::engine::policy::settings::Config;
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::names::{CipherSuite, Group};
use tls_handshake_host::engine::wire::server_flight::write_server_hello;
use tls_handshake_host::host_crypto::{with_random, HostCrypto};
use tls_handshake_host::p256;

const SUITE: CipherSuite = CipherSuite::Aes128GcmSha256;

/// One handshake: bytes by name.
struct Trace(HashMap<String, Vec<u8>>);

impl Trace {
    fn of_section(number: &str) -> Self {
        let mut section = "";
        let mut fields = HashMap::new();
        for line in include_str!("rfc8448.txt").lines() {
            match line.split_once(' ') {
                Some(("section", number)) => section = number,
                Some((name, value)) if section == number => {
                    let digits = value.as_bytes().chunks(2);
                    let byte = |d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap();
                    fields.insert(name.to_string(), digits.map(byte).collect());
                }
                _ => (),
            }
        }
        Trace(fields)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn get(&self, name: &str) -> &[u8] {
        &self.0[name]
    }

    /// The first record, without its header.
    fn message(&self, name: &str) -> &[u8] {
        let record = self.get(name);
        &record[5..5 + usize::from(u16::from_be_bytes([record[3], record[4]]))]
    }

    /// The server's protected messages before its Finished.
    fn protected(&self) -> Vec<u8> {
        let names = [
            "encrypted_extensions",
            "certificate_request",
            "certificate",
            "certificate_verify",
        ];
        let present = names.iter().filter(|name| self.has(name));
        present.flat_map(|name| self.get(name)).copied().collect()
    }

    /// What both sides agree on, computed with the server's private key.
    fn shared(&self, hello: &str) -> ([u8; 32], Group) {
        let key = self.get("server_key");
        let server = extension(self.message("server_hello"), 51);
        let mut shared = [0; 32];
        let group = match server[1] {
            29 => {
                let share = &extension(self.message(hello), 51)[2..];
                assert_eq!(share[..4], [0, 29, 0, 32]);
                let peer = share[4..].try_into().unwrap();
                let (result, _) =
                    with_random(key, || HostCrypto::x25519(peer, &mut [0; 32], &mut shared));
                result.unwrap();
                Group::X25519
            }
            _ => {
                let share = &extension(self.message(hello), 51)[2..];
                assert_eq!(share[..4], [0, 23, 0, 65]);
                let key = p256::PrivateKey::from_be_bytes(key).unwrap();
                p256::ecdh::<HostCrypto>(&key, &share[4..], &mut shared).unwrap();
                Group::Secp256r1
            }
        };
        (shared, group)
    }
}

/// The body of an extension of a ClientHello or ServerHello.
fn extension(message: &[u8], kind: u16) -> &[u8] {
    let mut rest = &message[4 + 34..];
    rest = &rest[1 + usize::from(rest[0])..];
    if message[0] == 1 {
        rest = &rest[2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]))..];
        rest = &rest[1 + usize::from(rest[0])..];
    } else {
        rest = &rest[3..];
    }
    rest = &rest[2..];
    while !rest.is_empty() {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[..2] == kind.to_be_bytes() {
            return &rest[4..4 + len];
        }
        rest = &rest[4 + len..];
    }
    panic!("no extension {kind}");
}

/// A record of a hello without an extension.
fn without(record: &[u8], kind: u16) -> Vec<u8> {
    let body = extension(&record[5..], kind);
    let start = body.as_ptr() as usize - record.as_ptr() as usize - 4;
    let len = body.len() + 4;
    let message = &record[5..];
    let mut lengths = vec![3, 7];
    // The length of all extensions.
    let id = 5 + 4 + 34;
    let mut at = id + 1 + usize::from(record[id]);
    if message[0] == 1 {
        at += 2 + usize::from(u16::from_be_bytes([record[at], record[at + 1]]));
        at += 1 + usize::from(record[at]);
    } else {
        at += 3;
    }
    lengths.push(at);
    let mut record = record.to_vec();
    for at in lengths {
        let value = u16::from_be_bytes([record[at], record[at + 1]]) - len as u16;
        record[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
    record.drain(start..start + len);
    record
}

fn hash(parts: &[&[u8]]) -> [u8; 48] {
    let mut hash = HostCrypto::hash_init(HashAlg::Sha256);
    for part in parts {
        HostCrypto::hash_update(&mut hash, part);
    }
    HostCrypto::hash_final(hash)
}

/// Our server.
struct Server {
    session: Session,
    config: Config<'static>,
    out: Vec<u8>,
    random: Vec<u8>,
}

impl Server {
    fn new(trace: &Trace, groups: &'static [u16]) -> Self {
        Server {
            session: Session::new(),
            config: Config {
                versions: 2,
                groups,
                ..CONFIG
            },
            out: vec![0; 4096],
            // The ServerHello's, the key, and what the signature takes, which is not compared.
            random: [
                trace.get("server_random"),
                trace.get("server_key"),
                &[0; 32],
            ]
            .concat(),
        }
    }

    /// Gives it bytes. Returns what it does and what it sends.
    fn advance(&mut self, input: &[u8]) -> (Step, Vec<u8>) {
        // SAFETY: Zeroes are a valid value.
        let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
        let any = Any(P256Key::new(&[7]).unwrap());
        let mut input = input.to_vec();
        let (session, config, out) = (&mut self.session, &self.config, &mut self.out);
        let (step, rest) = with_random(&self.random, || {
            session.advance::<HostCrypto>(config, &any, &mut input, out, &mut scratch)
        });
        self.random = rest;
        let sent = match step {
            Step::Send { written, .. } => self.out[..written].to_vec(),
            _ => Vec::new(),
        };
        (step, sent)
    }
}

/// Our ServerHello, and the ChangeCipherSpec behind it, are those of the RFC.
#[test]
fn server_hello() {
    for section in ["3", "6", "7"] {
        let trace = Trace::of_section(section);
        let mut server = Server::new(&trace, &[29]);
        let hello = trace.get("client_hello");
        let (step, sent) = server.advance(hello);
        assert!(matches!(step, Step::Send { consumed, .. } if consumed == hello.len()));
        let mut want = trace.get("server_hello").to_vec();
        if section == "7" {
            want.extend(&trace.get("server_flight")[..6]);
            assert_eq!(want[want.len() - 6..], [20, 3, 3, 0, 1, 1]);
        }
        assert_eq!(sent[..want.len()], want, "section {section}");
        // What follows is protected, and all random numbers have been taken.
        assert_eq!(sent[want.len()], 23);
        assert!(server.random.is_empty());
    }
}

/// The HelloRetryRequest of section 5 has a cookie; ours is that without it, since the server
/// remembers the first ClientHello. So is the second ClientHello.
#[test]
fn hello_retry_request() {
    let trace = Trace::of_section("5");
    let mut server = Server::new(&trace, &[23]);
    let (_, sent) = server.advance(trace.get("client_hello"));
    assert_eq!(sent, without(trace.get("retry_request"), 44));
    let second = without(trace.get("second_hello"), 44);
    let (_, sent) = server.advance(&second);
    let want = trace.get("server_hello");
    assert_eq!(sent[..want.len()], want[..]);
    assert!(server.random.is_empty());

    // A cookie that nobody gave is refused.
    let mut server = Server::new(&trace, &[23]);
    server.advance(trace.get("client_hello"));
    let (step, _) = server.advance(trace.get("second_hello"));
    let alert = tls_handshake_host::engine::wire::alert::Alert::IllegalParameter;
    assert!(matches!(step, Step::Alert { alert: a, .. } if a == alert));
}

/// The key schedule of a trace from its ClientHello on.
struct Schedule {
    transcript: Vec<u8>,
    secret: HandshakeSecret<HostCrypto>,
    client: TrafficSecret,
    server: TrafficSecret,
}

impl Schedule {
    fn new(trace: &Trace, early: EarlySecret<HostCrypto>) -> Self {
        let (hello, mut transcript) = if trace.has("second_hello") {
            // RFC 9846, section 4.1.
            let first = hash(&[trace.message("client_hello")]);
            let mut transcript = vec![254, 0, 0, 32];
            transcript.extend(&first[..32]);
            transcript.extend(trace.message("retry_request"));
            ("second_hello", transcript)
        } else {
            ("client_hello", Vec::new())
        };
        transcript.extend(trace.message(hello));
        transcript.extend(trace.message("server_hello"));
        let (shared, group) = trace.shared(hello);

        // The ServerHello once more, now that the group is known: of its parts.
        let server = trace.message("server_hello");
        let mut out = vec![0; 256];
        let mut w = tls_handshake_host::engine::wire::codec::Writer::new(&mut out);
        let psk = trace.has("early_data").then_some(0);
        let random = trace.get("server_random").try_into().unwrap();
        let id = &server[39..39 + usize::from(server[38])];
        write_server_hello(&mut w, random, id, SUITE, group, psk, |w| {
            w.put(&extension(server, 51)[4..])
        })
        .unwrap();
        assert_eq!(w.since(0), server);

        let secret = early.handshake(&shared);
        let so_far = hash(&[&transcript]);
        Schedule {
            client: derived(|to| secret.client_traffic(&so_far, to)),
            server: derived(|to| secret.server_traffic(&so_far, to)),
            transcript,
            secret,
        }
    }
}

fn seal(protection: &mut Protection, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut record = [&[0; 5], content, &[0; 17]].concat();
    let len = protection.seal::<HostCrypto>(&mut record, kind, content.len());
    assert_eq!(len.unwrap(), record.len());
    record
}

fn open(protection: &mut Protection, record: &[u8]) -> (u8, Vec<u8>) {
    let mut record = record.to_vec();
    let (kind, len) = protection.open::<HostCrypto>(&mut record).unwrap();
    (kind, record[5..5 + len].to_vec())
}

/// A secret that is derived by a function.
fn derived(derive: impl FnOnce(&mut TrafficSecret)) -> TrafficSecret {
    let mut secret = TrafficSecret::none(HashAlg::Sha256);
    derive(&mut secret);
    secret
}

fn protection(secret: &TrafficSecret) -> Protection {
    Protection::new(secret.keys::<HostCrypto>(SUITE))
}

/// All records of a trace but its hellos. Returns the PSK of its ticket, if there is one.
fn records(trace: &Trace, early: EarlySecret<HostCrypto>) -> Option<TrafficSecret> {
    let mut schedule = Schedule::new(trace, early);

    // The server's Finished, and all that goes with it in one record.
    schedule.transcript.extend(trace.protected());
    let verify_data = schedule
        .server
        .verify_data::<HostCrypto>(&hash(&[&schedule.transcript]));
    let finished = [&[20, 0, 0, 32], &verify_data[..32]].concat();
    assert_eq!(finished, trace.get("server_finished"));
    schedule.transcript.extend(&finished);
    let flight = [&trace.protected()[..], &finished].concat();
    let mut want = trace.get("server_flight");
    if want[0] == 20 {
        want = &want[6..];
    }
    assert_eq!(seal(&mut protection(&schedule.server), 22, &flight), want);

    // The secrets of application data are of what is before the client's part.
    let so_far = hash(&[&schedule.transcript]);
    let main = schedule.secret.into_main();
    let mut client = protection(&derived(|to| main.client_traffic(&so_far, to)));
    let mut server = protection(&derived(|to| main.server_traffic(&so_far, to)));

    // The client's Finished is its last record. Before it: a ChangeCipherSpec (section 7),
    // EndOfEarlyData under early keys, which are not here (section 4), or a certificate that the
    // server has asked for (section 6).
    let mut handshake = protection(&schedule.client);
    let mut sent = trace.get("client_flight");
    if sent[0] == 20 {
        sent = &sent[6..];
    }
    if trace.has("early_data") {
        assert_eq!(sent[4], 4 + 1 + 16);
        sent = &sent[5 + 21..];
        schedule.transcript.extend([5, 0, 0, 0]);
    }
    let (kind, messages) = open(&mut handshake, sent);
    assert_eq!(kind, 22);
    let (before, finished) = messages.split_at(messages.len() - 36);
    assert_eq!(before.is_empty(), !trace.has("certificate_request"));
    schedule.transcript.extend(before);
    let verify_data = schedule
        .client
        .verify_data::<HostCrypto>(&hash(&[&schedule.transcript]));
    assert_eq!(finished, [&[20, 0, 0, 32], &verify_data[..32]].concat());
    schedule.transcript.extend(finished);

    let psk = trace.has("ticket").then(|| {
        let (kind, message) = open(&mut server, trace.get("ticket"));
        assert_eq!((kind, message[0]), (22, 4));
        // As our server would have sent it.
        server = protection(&derived(|to| main.server_traffic(&so_far, to)));
        assert_eq!(seal(&mut server, 22, &message), trace.get("ticket"));
        let nonce = &message[4 + 9..][..usize::from(message[4 + 8])];
        let transcript = hash(&[&schedule.transcript]);
        let resumption = derived(|to| main.resumption(&transcript, to));
        resumption.prepare::<HostCrypto>().ticket_psk(nonce)
    });
    if trace.has("server_data") {
        let data: Vec<u8> = (0..50).collect();
        assert_eq!(
            open(&mut client, trace.get("client_data")),
            (23, data.clone())
        );
        assert_eq!(seal(&mut server, 23, &data), trace.get("server_data"));
    }
    assert_eq!(
        open(&mut client, trace.get("client_close")),
        (21, vec![1, 0])
    );
    assert_eq!(seal(&mut server, 21, &[1, 0]), trace.get("server_close"));
    psk
}

#[test]
fn every_record() {
    for section in ["3", "5", "6", "7"] {
        records(
            &Trace::of_section(section),
            EarlySecret::with_psk(HashAlg::Sha256, &[0; 32]),
        );
    }
}

/// Section 4 resumes with the ticket of section 3.
#[test]
fn resumption() {
    let first = Trace::of_section("3");
    let psk = records(&first, EarlySecret::with_psk(HashAlg::Sha256, &[0; 32])).unwrap();
    let early = || EarlySecret::<HostCrypto>::with_psk(HashAlg::Sha256, psk.bytes());
    let trace = Trace::of_section("4");

    // The binder is of the ClientHello up to the list of binders: a length, a length, the binder.
    let hello = trace.message("client_hello");
    let (before, binders) = hello.split_at(hello.len() - 35);
    assert_eq!(binders[..3], [0, 33, 32]);
    let binder = early()
        .binder_secret(PskKind::Resumption)
        .verify_data::<HostCrypto>(&hash(&[before]));
    assert_eq!(binders[3..], binder[..32]);

    records(&trace, early());
}

/// Our server does not know the ticket of section 4, nor does it take early data: the handshake is
/// a full one, and the early data is skipped.
#[test]
fn early_data_is_skipped() {
    let trace = Trace::of_section("4");
    let mut server = Server::new(&trace, &[29]);
    let (step, sent) = server.advance(trace.get("client_hello"));
    assert!(matches!(step, Step::Send { .. }) && !server.session.negotiated().resumed);
    // But for the PSK that is selected there, the ServerHello is the same.
    let want = without(trace.get("server_hello"), 41);
    assert_eq!(sent[..want.len()], want);
    let early = trace.get("early_data");
    let (step, _) = server.advance(early);
    let want = Step::More {
        consumed: early.len(),
        need: 1,
    };
    assert_eq!(step, want);
}

/// RFC 9846, section 5.1: no other record comes between the fragments of a message. The client's
/// Finished is cut at each place, with an alert in between.
#[test]
fn alert_in_finished() {
    use tls_handshake_host::engine::wire::alert::Alert;

    let trace = Trace::of_section("3");
    let schedule = Schedule::new(&trace, EarlySecret::with_psk(HashAlg::Sha256, &[0; 32]));
    let finished = [&[20, 0, 0, 32][..], &[0; 32]].concat();
    for cut in 0..finished.len() {
        let mut server = Server::new(&trace, &[29]);
        let (step, _) = server.advance(trace.get("client_hello"));
        assert!(matches!(step, Step::Send { .. }));
        let mut client = protection(&schedule.client);
        let mut flight = match cut {
            0 => Vec::new(),
            _ => seal(&mut client, 22, &finished[..cut]),
        };
        flight.extend(seal(&mut client, 21, &[1, 0]));
        let (step, _) = server.advance(&flight);
        match cut {
            0 => assert_eq!(step, Step::PeerAlert { description: 0 }),
            _ => assert!(
                matches!(step, Step::Alert { alert, .. } if alert == Alert::UnexpectedMessage)
            ),
        }
    }
}
