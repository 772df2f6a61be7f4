// SPDX-License-Identifier: GPL-2.0
//! Runs a program against the engine, with a client that checks what it gets.

use crate::peer::{self, Platform as C};
use crate::program::{how, identities, op, shares, Hello, Ops};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tls_handshake_host::engine::crypto::{Crypto, HashAlg, P256Key};
use tls_handshake_host::engine::keys::protection::Protection;
use tls_handshake_host::engine::keys::schedule::{
    EarlySecret, HandshakeSecret, PskKind, TrafficKeys, TrafficSecret,
};
use tls_handshake_host::engine::keys::ticket::{self, TicketKey, Tickets};
use tls_handshake_host::engine::policy::chain::{is_issued_by, Signatures};
use tls_handshake_host::engine::policy::external_psk;
use tls_handshake_host::engine::policy::identity::{self, NameIndex, Validity};
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, ExternalPsk, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::post_handshake::Event;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::alert::Alert;
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::engine::wire::certificate_authorities::Authorities;
use tls_handshake_host::engine::wire::codec::{Reader, U16List};
use tls_handshake_host::engine::wire::names::{CipherSuite, Scheme};
use tls_handshake_host::engine::wire::record::HEADER_LEN;

/// Counts what is allocated by this thread.
struct Counting;

std::thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: All is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: As the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: As the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How a client's bytes reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// As many as there can be without an answer of the server.
    Whole,
    /// One by one.
    Bytes,
    /// Any number at a time, and the server looks at each, even if it has said how many it needs.
    Any(u32),
}

const TICKET_KEYS: [TicketKey; 3] = [
    TicketKey {
        name: [1; 16],
        key: [2; 64],
    },
    TicketKey {
        name: [3; 16],
        key: [4; 64],
    },
    TicketKey {
        name: [1; 16],
        key: [5; 64],
    },
];

const SUITES: [&[u16]; 8] = [
    &[],
    &[0x1301],
    &[0x1302],
    &[0x1303],
    &[0x1303, 0x1302],
    &[0x1302, 0x1301, 0x1303],
    &[0x1301, 0x1303, 0, 0],
    &[0x1302, 0x1303, 0],
];
const TLS12_SUITES: [&[u16]; 4] = [&[], &[0xc02b, 0xc02f], &[0xc030], &[0x009c, 0]];
const GROUPS: [&[u16]; 8] = [
    &[],
    &[29],
    &[23],
    &[0x11ec],
    &[23, 29],
    &[29, 23],
    &[29, 0x11ec, 0],
    &[23, 0x11ec, 29],
];
const SCHEMES: [&[u16]; 4] = [&[], &[0x0403], &[0x0804], &[0x0804, 0x0403]];
const PROTOCOLS: [&[u8]; 4] = [b"", b"\x02h2\x08http/1.1", b"\x08http/1.1", b"\x02h3\x02h2"];
const LIFETIMES: [u32; 4] = [7200, 0, 604_800, 1 << 31];

/// The beginning of time.
const NOW: u64 = 1_700_000_000;

/// Names of identities, and with what their certificates are signed.
const NAMES: [(&[u8], &[u8]); 6] = [
    (b"example.org", &[4, 3]),
    (b"*.example.org", &[5, 3]),
    (b"server", &[4, 1]),
    (b"localhost", &[2, 3]),
    (b"example.org", &[4, 1]),
    (b"*.com", &[8, 7]),
];

/// The parts of a certificate that are read: issued by CN=A.
const CERTIFICATE: &[u8] = &[
    0x30, 31, 0x30, 25, 2, 1, 1, 0x30, 0, 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1,
    b'A', 0x30, 0, 0x30, 0, 0x30, 2, 6, 0,
];

/// What goes with the leaf.
const STAPLES: [Staples<'static>; 3] = [
    Staples::NONE,
    Staples {
        ocsp: &[0x30, 3, 10, 1, 0],
        scts: &[0, 4, 0, 2, 0, 7],
    },
    Staples {
        ocsp: &[0x30, 3, 10, 1, 0],
        scts: &[],
    },
];

const VALIDITY: [Validity; 2] = [
    Validity {
        not_before: 0,
        not_after: NOW as i64 + 3600,
    },
    Validity::ALWAYS,
];

/// External PSKs: identities and keys.
const PSKS: [(&[u8], &[u8]); 2] = [(b"psk", &[3; 32]), (b"NVMe1R02 host subsystem", &[4; 48])];

/// The identities of the server.
pub struct Certificates {
    count: usize,
    key: P256Key,
    /// The Certificate message of each.
    messages: [Vec<u8>; NAMES.len()],
    /// [`ticket::certificate_digest`] of each.
    digests: [[u8; 32]; NAMES.len()],
    /// Whether there are external PSKs.
    psks: bool,
    /// Whether the next question of [`Identities::may_use`] is answered with no.
    refuse: Cell<bool>,
}

impl NameIndex for Certificates {
    fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
        let mut found = [None; NAMES.len()];
        for (slot, (number, id)) in found.iter_mut().zip(NAMES[..self.count].iter().enumerate()) {
            *slot = (id.0 == name).then_some(number);
        }
        found.into_iter().flatten()
    }
    fn count(&self) -> usize {
        self.count
    }
    fn scheme(&self, _: usize) -> Scheme {
        Scheme::EcdsaSecp256r1Sha256
    }
    fn first(&self, scheme: Scheme, _: u64) -> Option<usize> {
        (scheme == Scheme::EcdsaSecp256r1Sha256).then_some(0)
    }
    fn with_same_names(&self, id: usize) -> impl Iterator<Item = usize> {
        self.with_name(NAMES[id].0)
    }
    fn validity(&self, id: usize) -> Validity {
        VALIDITY[id % VALIDITY.len()]
    }
    fn signatures(&self, id: usize) -> Signatures {
        Signatures::accepted(&U16List::new(Reader::new(NAMES[id].1)).unwrap())
    }
    fn is_issued_by(&self, id: usize, authorities: &Authorities<'_>) -> bool {
        is_issued_by(authorities, [CERTIFICATE].into_iter().take(id % 2))
    }
}

impl Identities for Certificates {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let (id, name_matched) = identity::select(self, constraints)?;
        Ok(Identity {
            index: id,
            certificate: &self.messages[id],
            digest: &self.digests[id],
            staples: STAPLES[id % STAPLES.len()],
            name_matched,
            key: SigningKey::P256(&self.key),
        })
    }

    fn may_use(&self, identity: &Identity<'_>, rsa: bool) -> bool {
        assert!(identity.index < self.count && !rsa);
        !self.refuse.replace(false)
    }

    fn has_external_psks(&self) -> bool {
        self.psks
    }

    fn external_psk(&self, identity: &[u8]) -> Option<ExternalPsk<'_>> {
        let index = PSKS.iter().position(|psk| psk.0 == identity)?;
        self.psks.then(|| ExternalPsk {
            index,
            hash: external_psk::hash_of(identity).unwrap(),
            key: PSKS[index].1,
        })
    }

    fn may_use_psk(&self, index: usize) -> bool {
        assert!(index < PSKS.len() && self.psks);
        !self.refuse.replace(false)
    }
}

/// What the client has of a ticket.
struct Ticket {
    ticket: [u8; ticket::LEN],
    psk: TrafficSecret,
    alg: HashAlg,
    time: u64,
    /// When the full handshake was.
    since: u64,
    /// What a resumption must have in common.
    bound_to: Bound,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bound {
    name: u64,
    protocol: u64,
}

/// A PSK that the client offers.
struct Offer<'a> {
    identity: &'a [u8],
    key: &'a [u8],
    alg: HashAlg,
    kind: PskKind,
}

/// What the client has after the server's flight.
struct Keys {
    key: TrafficKeys,
    seq: u64,
    server: Protection,
    resumption: TrafficSecret,
    client_application: TrafficKeys,
    bound_to: Bound,
    resumed: bool,
    /// An external PSK is used.
    external: bool,
    /// When the full handshake was that tickets go back to.
    since: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Hello,
    Retried { suite: CipherSuite, group: u16 },
    Flight,
    Done,
    Over,
}

impl Stage {
    fn number(self) -> u64 {
        match self {
            Stage::Hello => 0,
            Stage::Retried { .. } => 1,
            Stage::Flight => 2,
            Stage::Done => 3,
            Stage::Over => 4,
        }
    }
}

struct Connection {
    session: Session,
    stage: Stage,
    /// Bytes of `wire` that are consumed, and that have arrived.
    start: usize,
    arrived: usize,
    /// What the server waits for.
    need: usize,
    /// Transcript before the ClientHello that comes next.
    transcript: Option<<C as Crypto>::Hash>,
    keys: Option<Keys>,
    finished: [u8; 52],
    finished_len: usize,
    tickets: u64,
    /// A message after the handshake, as far as it is sent.
    post: Vec<u8>,
}

impl Connection {
    fn new() -> Self {
        Connection {
            session: Session::new(),
            stage: Stage::Hello,
            start: 0,
            arrived: 0,
            need: 1,
            transcript: None,
            keys: None,
            finished: [0; 52],
            finished_len: 0,
            tickets: 0,
            post: Vec::new(),
        }
    }
}

/// The server and its client.
pub struct World {
    scratch: Box<Scratch<C>>,
    certificates: Certificates,
    config: Config<'static>,
    now: u64,
    out: Vec<u8>,
    out_len: usize,
    /// What the engine gets, which it may change.
    input: Vec<u8>,
    /// All that the client sends in a connection.
    wire: Vec<u8>,
    /// The ClientHello that is being made, or that the server has answered.
    hello: Vec<u8>,
    /// The body of the latest ClientHello.
    last_hello: Vec<u8>,
    /// Messages of the server, decrypted.
    plain: Vec<u8>,
    tickets: Vec<Ticket>,
    /// The binder of the PSK that the client has put into its ClientHello is wrong.
    bad_binder: bool,
    cut: Cut,
    /// What happens.
    trace: Vec<[u64; 4]>,
    connection: Connection,
}

const OUT_MAX: usize = 48 * 1024;

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn hash(transcript: &<C as Crypto>::Hash) -> [u8; 48] {
    C::hash_final(transcript.clone())
}

fn put16(out: &mut Vec<u8>, n: usize) {
    out.extend((n as u16).to_be_bytes());
}

/// A secret that is derived by a function.
fn derived(derive: impl FnOnce(&mut TrafficSecret)) -> TrafficSecret {
    let mut secret = TrafficSecret::none(HashAlg::Sha256);
    derive(&mut secret);
    secret
}

/// Type and content of the first record, and what follows.
fn split_record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<5>()?;
    let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
    let (content, rest) = rest.split_at_checked(len)?;
    Some((header[0], content, rest))
}

impl World {
    pub fn new() -> Self {
        let mut world = World {
            // SAFETY: Zeroes are a valid value.
            scratch: unsafe { tls_handshake_host::zeroed() },
            certificates: Certificates {
                count: 1,
                key: P256Key::new(&[7]).unwrap(),
                messages: Default::default(),
                digests: Default::default(),
                psks: false,
                refuse: Cell::new(false),
            },
            config: Config {
                versions: 3,
                flags: 0,
                cipher_suites: &[],
                tls12_cipher_suites: &[],
                groups: &[],
                signature_schemes: &[],
                protocols: Protocols::NONE,
                tickets: Tickets::NONE,
            },
            now: NOW,
            out: vec![0; OUT_MAX],
            out_len: OUT_MAX,
            input: Vec::new(),
            wire: Vec::new(),
            hello: Vec::new(),
            last_hello: Vec::new(),
            plain: Vec::new(),
            tickets: Vec::new(),
            bad_binder: false,
            cut: Cut::Whole,
            trace: Vec::new(),
            connection: Connection::new(),
        };
        world.settings(&[]);
        world
    }

    /// Runs a program with its bytes cut like that. What happens is in `trace`.
    pub fn run(&mut self, program: &[u8], cut: Cut) -> &[[u64; 4]] {
        self.cut = cut;
        self.now = NOW;
        self.trace.clear();
        self.tickets.clear();
        self.settings(&[]);
        self.connect();
        peer::repeatable(|| {
            let mut connections = 0;
            for (code, payload) in Ops(program).take(64) {
                if code == op::CONNECT {
                    connections += 1;
                    if connections == 6 {
                        break;
                    }
                }
                self.op(code, payload);
            }
            self.end();
        });
        &self.trace
    }

    fn event(&mut self, event: [u64; 4]) {
        self.trace.push(event);
    }

    fn settings(&mut self, bytes: &[u8]) {
        let at = |i: usize| usize::from(bytes.get(i).copied().unwrap_or(0));
        let (first, flags) = (at(0), at(0) >> 2);
        let keys = match at(1) >> 4 & 3 {
            0 => &TICKET_KEYS[..1],
            1 => &TICKET_KEYS[..2],
            2 => &TICKET_KEYS[1..],
            _ => &[],
        };
        self.now += 600 * at(4) as u64;
        self.config = Config {
            versions: [3, 2, 1, 3][first & 3],
            // SNI_STRICT, CLIENT_CERT, NO_TICKETS, NO_FALLBACK.
            flags: (flags & 1 | (flags & 14) << 1) as u32,
            cipher_suites: SUITES[at(1) & 7],
            tls12_cipher_suites: TLS12_SUITES[at(1) >> 6],
            groups: GROUPS[at(2) & 7],
            signature_schemes: SCHEMES[at(2) >> 4 & 3],
            protocols: Protocols::new(PROTOCOLS[at(3) & 3]).unwrap(),
            tickets: Tickets {
                keys,
                now: self.now,
                lifetime: LIFETIMES[at(3) >> 4 & 3],
            },
        };
        self.certificates.count = [1, 6, 0, 2, 3, 4, 5, 1][at(5) & 7];
        let len = [16, 700, 5000, 20000][at(5) >> 4 & 3];
        self.certificates.psks = at(5) & 64 != 0;
        let Certificates {
            count,
            messages,
            digests,
            ..
        } = &mut self.certificates;
        let all = messages.iter_mut().zip(digests).zip(len..);
        for ((message, digest), len) in all.take(*count) {
            let vector = |len: usize| [0, (len >> 8) as u8, len as u8];
            message.clear();
            message.push(11);
            message.extend(vector(len));
            // No context, and one certificate without extensions.
            message.push(0);
            message.extend(vector(len - 4));
            message.extend(vector(len - 9));
            message.resize(4 + len - 2, 0x55);
            message.extend([0, 0]);
            *digest = ticket::certificate_digest::<C>(message);
        }
        self.out_len = if at(6) == 0 { OUT_MAX } else { at(6) * 8 };
    }

    fn connect(&mut self) {
        self.wire.clear();
        self.last_hello.clear();
        self.connection = Connection::new();
    }

    /// The client sends no more.
    fn end(&mut self) {
        self.pump();
        let c = &self.connection;
        // Before an alert, what is consumed depends on the pieces.
        let start = if c.stage == Stage::Over { 0 } else { c.start };
        let event = [1, c.stage.number(), start as u64, 0];
        self.event(event);
    }

    fn op(&mut self, code: u8, payload: &[u8]) {
        let (&[a, b], rest) = match payload.split_first_chunk::<2>() {
            Some((head, rest)) => (head, rest),
            None => (&[payload.first().copied().unwrap_or(0), 0], &[][..]),
        };
        match code {
            op::SETTINGS => {
                // Those of a connection do not change.
                if self.wire.is_empty() {
                    self.settings(payload);
                }
            }
            op::CONNECT => {
                self.end();
                self.connect();
            }
            _ if matches!(self.connection.stage, Stage::Over) || self.wire.len() > 1 << 18 => (),
            op::POST => {
                self.pump();
                self.post(a, payload.get(1..).unwrap_or(&[]));
            }
            op::ALERT => {
                self.pump();
                self.alert(a);
            }
            op::HELLO => {
                self.pump();
                self.last_hello.clear();
                self.last_hello.extend_from_slice(rest);
                self.send_hello(a, b, None, &[]);
            }
            op::AGAIN => {
                self.pump();
                if let Stage::Retried { group, .. } = self.connection.stage {
                    self.send_hello(a, b, Some(group), rest);
                }
            }
            op::RECORD => self.record(a, payload.get(1..).unwrap_or(&[])),
            op::RAW => self.wire.extend_from_slice(payload),
            op::PROTECTED => {
                self.pump();
                self.protected(a, usize::from(b), rest);
            }
            op::FINISHED => {
                self.pump();
                let (from, to) = (usize::from(a), usize::from(b));
                let c = &self.connection;
                let to = if to == 0 {
                    c.finished_len
                } else {
                    to.min(c.finished_len)
                };
                let mut part = [0; 52];
                let len = to.saturating_sub(from);
                if len > 0 {
                    part[..len].copy_from_slice(&c.finished[from..to]);
                }
                match rest {
                    [1, bit, ..] if len > 0 => {
                        part[usize::from(bit >> 3) % len] ^= 1 << (bit & 7);
                    }
                    _ => (),
                }
                let padding = usize::from(rest.get(2).copied().unwrap_or(0));
                self.protected(22, padding, &part[..len]);
            }
            op::EARLY => {
                let len = match rest {
                    [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
                    _ => usize::from(b),
                };
                for _ in 0..1 + (a & 7) {
                    self.wire.extend([23, 3, 3]);
                    put16(&mut self.wire, len);
                    let end = self.wire.len() + len;
                    self.wire.resize(end, 0xea);
                }
            }
            _ => (),
        }
    }

    fn record(&mut self, kind: u8, content: &[u8]) {
        self.wire.extend([kind, 3, 3]);
        put16(&mut self.wire, content.len());
        self.wire.extend_from_slice(content);
    }

    /// A record under the client's handshake keys, if it has them.
    fn protected(&mut self, kind: u8, padding: usize, content: &[u8]) {
        let len = content.len() + 1 + padding;
        self.wire.extend([23, 3, 3]);
        put16(&mut self.wire, len + 16);
        let start = self.wire.len();
        self.wire.extend_from_slice(content);
        self.wire.push(kind);
        self.wire.resize(start + len, 0);
        let Some(keys) = &mut self.connection.keys else {
            self.wire.extend([0; 16]);
            return;
        };
        let mut nonce = *keys.key.iv;
        for (n, s) in nonce[4..].iter_mut().zip(keys.seq.to_be_bytes()) {
            *n ^= s;
        }
        keys.seq += 1;
        let (before, inner) = self.wire.split_at_mut(start);
        let tag = C::with_aead_key(keys.key.suite.aead(), keys.key.key(), |key| {
            C::aead_seal(key, &nonce, &before[start - HEADER_LEN..], inner)
        })
        .unwrap();
        self.wire.extend(tag);
    }

    /// Makes a ClientHello of the body in `last_hello` and sends it.
    fn send_hello(&mut self, how: u8, fragment: u8, again: Option<u16>, edits: &[u8]) {
        self.make_hello(how, again, edits);
        let size = match fragment {
            0 => 1 << 14,
            // Each byte is looked at as often as there are records.
            n => usize::from(n).max(self.hello.len() / 24),
        };
        for part in self.hello.chunks(size) {
            self.wire.extend([22, 3, 1]);
            put16(&mut self.wire, part.len());
            self.wire.extend_from_slice(part);
        }
    }

    /// Makes the message in `hello`.
    fn make_hello(&mut self, how: u8, again: Option<u16>, edits: &[u8]) {
        let message = &mut self.hello;
        message.clear();
        message.extend([1, 0, 0, 0]);
        let number = self
            .tickets
            .len()
            .checked_sub(1 + usize::from(how & how::OLDER != 0));
        let ticket = number
            .filter(|_| how & how::TICKET != 0)
            .map(|n| &self.tickets[n]);
        let offer = match (how & how::EXTERNAL, ticket) {
            (0, ticket) => ticket.map(|ticket| Offer {
                identity: &ticket.ticket,
                key: ticket.psk.bytes(),
                alg: ticket.alg,
                kind: PskKind::Resumption,
            }),
            _ => {
                let (identity, key) = PSKS[usize::from(how & how::OLDER != 0)];
                Some(Offer {
                    identity,
                    key,
                    alg: external_psk::hash_of(identity).unwrap(),
                    kind: PskKind::External,
                })
            }
        };
        let mut binder = None;
        self.bad_binder = false;
        match Hello::parse(&self.last_hello) {
            Some(hello)
                if again.is_some() || how & (how::FILL | how::TICKET | how::EXTERNAL) != 0 =>
            {
                message.extend(hello.head);
                let extensions = message.len();
                message.extend([0; 2]);
                for (kind, body) in hello.iter() {
                    if matches!(kind, 41 | 42) && (again.is_some() || offer.is_some()) {
                        continue;
                    }
                    put16(message, kind.into());
                    let start = message.len();
                    message.extend([0; 2]);
                    if kind == 51 && (again.is_some() || how & how::FILL != 0) {
                        message.extend([0; 2]);
                        let one = again.map(|group| (group, &[][..]));
                        let rest = shares(body).filter(|_| again.is_none());
                        for (group, key) in one.into_iter().chain(rest) {
                            put16(message, group.into());
                            let at = message.len();
                            message.extend([0; 2]);
                            if peer::GROUPS.contains(&group) {
                                peer::share(group, message);
                            } else {
                                message.extend(key);
                            }
                            set16(message, at);
                        }
                        set16(message, start + 2);
                    } else {
                        message.extend(body);
                    }
                    set16(message, start);
                }
                for edit in edits.chunks_exact(3) {
                    let at = usize::from(u16::from_be_bytes([edit[0], edit[1]]));
                    if let Some(byte) = message.get_mut(at) {
                        *byte ^= edit[2];
                    }
                }
                if let Some(offer) = offer {
                    if how & how::EARLY != 0 {
                        message.extend([0, 42, 0, 0]);
                    }
                    message.extend([0, 41]);
                    let start = message.len();
                    message.extend([0; 4]);
                    if how & how::TWO != 0 {
                        message.extend([0, 1, b'x', 0, 0, 0, 0]);
                    }
                    put16(message, offer.identity.len());
                    message.extend(offer.identity);
                    message.extend([0; 4]);
                    set16(message, start + 2);
                    let binders = message.len();
                    message.extend([0; 2]);
                    if how & how::TWO != 0 {
                        message.push(32);
                        message.extend([9; 32]);
                    }
                    message.push(offer.alg.output_len() as u8);
                    message.resize(message.len() + offer.alg.output_len(), 0);
                    set16(message, binders);
                    set16(message, start);
                    binder = Some((offer, binders));
                }
                set16(message, extensions);
            }
            _ => message.extend(&self.last_hello),
        }
        let len = message.len() - 4 + usize::from(how & how::BAD_LENGTH != 0);
        message[1..4].copy_from_slice(&(len as u32).to_be_bytes()[1..]);
        if let Some((offer, binders)) = binder {
            let mut transcript = match &self.connection.transcript {
                Some(transcript) => transcript.clone(),
                None => C::hash_init(offer.alg),
            };
            C::hash_update(&mut transcript, &message[..binders]);
            let key = EarlySecret::<C>::with_psk(offer.alg, offer.key).binder_secret(offer.kind);
            let right = key.verify_data::<C>(&hash(&transcript));
            let at = message.len() - offer.alg.output_len();
            message[at..].copy_from_slice(&right[..offer.alg.output_len()]);
            if how & how::BAD_BINDER != 0 {
                message[at] ^= 1;
                self.bad_binder = true;
            }
        }
    }

    /// Lets all that is sent arrive.
    fn pump(&mut self) {
        while self.connection.arrived < self.wire.len() {
            if matches!(self.connection.stage, Stage::Over | Stage::Done) {
                return;
            }
            let left = self.wire.len() - self.connection.arrived;
            let available = self.connection.arrived - self.connection.start;
            self.connection.arrived += match &mut self.cut {
                Cut::Whole => left,
                // The ones with which nothing is done are not counted one by one.
                Cut::Bytes => left.min(self.connection.need.saturating_sub(available).max(1)),
                Cut::Any(state) => {
                    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let size = (*state >> 24) as usize;
                    // Mostly small ones.
                    left.min(1 + size % (1 << (size % 9)))
                }
            };
            self.work();
        }
    }

    /// Calls the engine.
    /// Each identity is refused once, which must leave no trace.
    fn step(&mut self) -> Step {
        self.certificates.refuse.set(true);
        match self.advance() {
            Step::Later => self.advance(),
            step => step,
        }
    }

    fn advance(&mut self) -> Step {
        let c = &mut self.connection;
        self.input.clear();
        self.input.extend_from_slice(&self.wire[c.start..c.arrived]);
        let out = &mut self.out[..self.out_len];
        let (input, scratch) = (&mut self.input[..], &mut *self.scratch);
        let before = ALLOCATED.get();
        let step = c
            .session
            .advance::<C>(&self.config, &self.certificates, input, out, scratch);
        assert!(peer::ALLOCATES || ALLOCATED.get() == before, "allocates");
        step
    }

    /// Has the server do what it can.
    fn work(&mut self) {
        loop {
            let c = &self.connection;
            let available = c.arrived - c.start;
            let (need, stage) = (c.need, c.stage);
            if matches!(stage, Stage::Over | Stage::Done) {
                return;
            }
            if available < need && !matches!(self.cut, Cut::Any(_)) {
                return;
            }
            let step = self.step();
            if available < need {
                let want = Step::More { consumed: 0, need };
                assert_eq!(step, want, "less than it needs, {available}");
                return;
            }
            match step {
                Step::More { consumed, need } => {
                    assert!(consumed <= available, "consumes what is not there");
                    assert!(need > available - consumed, "asks for what is there");
                    assert!(
                        consumed == 0 || stage != Stage::Hello,
                        "the hello is consumed"
                    );
                    let c = &mut self.connection;
                    c.start += consumed;
                    c.need = need;
                    return;
                }
                Step::Send { consumed, written } => {
                    assert!(consumed <= available && written <= self.out_len && written > 0);
                    let from = self.connection.start;
                    self.connection.start += consumed;
                    self.connection.need = 0;
                    let to = self.connection.start;
                    let sent = digest(&self.out[..written]);
                    self.event([2, to as u64, written as u64, sent]);
                    self.on_server(from, to, written);
                }
                Step::Done { consumed } => {
                    assert!(consumed <= available && stage == Stage::Flight);
                    self.connection.start += consumed;
                    self.connection.stage = Stage::Done;
                    let at = self.connection.start as u64;
                    let connection = self.connection.session.connection();
                    let sequence = connection.unwrap().sequence(true);
                    self.event([3, at, sequence, 0]);
                    self.on_done();
                }
                Step::Fallback(reason) => {
                    assert_eq!(
                        (stage, self.connection.start),
                        (Stage::Hello, 0),
                        "{reason:?}"
                    );
                    self.event([4, reason as u64, 0, 0]);
                    self.is_over();
                }
                Step::Alert { alert, written } => {
                    assert!(alert != Alert::InternalError || self.out_len < OUT_MAX);
                    let sent = digest(&self.out[..written]);
                    self.event([5, alert as u64, written as u64, sent]);
                    self.check_alert(alert as u8, written);
                    self.is_over();
                }
                Step::Later => panic!("refused twice"),
                Step::PeerAlert { description } => {
                    self.event([6, description.into(), 0, 0]);
                    self.is_over();
                }
            }
        }
    }

    /// Nothing is said any more after that.
    fn is_over(&mut self) {
        self.connection.stage = Stage::Over;
        let want = Step::Alert {
            alert: Alert::InternalError,
            written: 0,
        };
        assert_eq!(self.step(), want);
        assert_eq!(self.connection.session.alert::<C>(80, &mut self.out), 0);
    }

    fn check_alert(&mut self, description: u8, written: usize) {
        if written == 0 {
            assert!(self.out_len < OUT_MAX);
            return;
        }
        let record = &mut self.out[..written];
        if self.connection.stage != Stage::Flight {
            assert_eq!(record, [21, 3, 3, 0, 2, 2, description]);
            return;
        }
        assert_eq!(record.len(), 5 + 2 + 1 + 16);
        if let Some(keys) = &mut self.connection.keys {
            let opened = keys.server.open::<C>(record);
            assert_eq!(opened, Ok((21, 2)));
            assert_eq!(record[5..7], [2, description]);
        }
    }

    fn alert(&mut self, description: u8) {
        if matches!(self.connection.stage, Stage::Done | Stage::Over) {
            return;
        }
        let out = &mut self.out[..self.out_len];
        let written = self.connection.session.alert::<C>(description, out);
        self.event([7, written as u64, 0, 0]);
        self.check_alert(description, written);
        self.connection.stage = Stage::Over;
    }

    /// The server has answered what is between `from` and `to`.
    fn on_server(&mut self, from: usize, to: usize, written: usize) {
        if self.connection.stage == Stage::Flight {
            self.on_tickets(written);
            return;
        }
        // The ClientHello, out of its records.
        self.hello.clear();
        let mut rest = &self.wire[from..to];
        while let Some((kind, content, tail)) = split_record(rest) {
            if kind == 22 {
                self.hello.extend_from_slice(content);
            }
            rest = tail;
        }
        assert!(rest.is_empty());
        let hello = Hello::parse(&self.hello[4..]).expect("a hello that has been answered");

        let out = &mut self.out[..written];
        let (kind, message, _) = split_record(out).unwrap();
        let message_len = message.len();
        assert_eq!((kind, message[0]), (22, 2));
        let answer = &message[4..];
        let id = usize::from(answer[34]);
        assert_eq!(&answer[35..35 + id], hello.session_id());
        let suite = u16::from_be_bytes([answer[35 + id], answer[36 + id]]);
        let suite = CipherSuite::from_code(suite).unwrap();
        // The same form as behind the compression of a ClientHello.
        let extensions = Hello {
            head: answer,
            extensions: &answer[40 + id..],
        };
        assert_eq!(extensions.get(43), Some(&[3, 4][..]));
        let share = extensions.get(51).unwrap();
        let group = u16::from_be_bytes([share[0], share[1]]);
        let transcript = &mut self.connection.transcript;
        let first = self.connection.stage == Stage::Hello;
        let compatible = usize::from(first && id != 0);
        let rest = HEADER_LEN + message_len;
        if compatible != 0 {
            assert_eq!(out[rest..][..6], [20, 3, 3, 0, 1, 1]);
        }
        let protected = rest + 6 * compatible;

        if share.len() == 2 {
            assert!(first && protected == written);
            assert!(self.connection.session.awaits_second_hello());
            let mut whole = C::hash_init(suite.hash());
            C::hash_update(&mut whole, &self.hello);
            let mut after = C::hash_init(suite.hash());
            C::hash_update(&mut after, &[254, 0, 0, suite.hash().output_len() as u8]);
            C::hash_update(
                &mut after,
                &C::hash_final(whole)[..suite.hash().output_len()],
            );
            C::hash_update(&mut after, message);
            *transcript = Some(after);
            self.connection.stage = Stage::Retried { suite, group };
            return;
        }
        if let Stage::Retried { suite: s, group: g } = self.connection.stage {
            assert_eq!((s, g), (suite, group));
        }
        self.connection.stage = Stage::Flight;

        let mut transcript = transcript
            .take()
            .unwrap_or_else(|| C::hash_init(suite.hash()));
        C::hash_update(&mut transcript, &self.hello);
        C::hash_update(&mut transcript, message);
        let server_key = &share[4..];
        let client_key = shares(hello.get(51).unwrap())
            .find(|s| s.0 == group)
            .unwrap()
            .1;
        let psk = extensions
            .get(41)
            .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        let negotiated = self.connection.session.negotiated();
        let external = negotiated.external_psk;
        assert_eq!(negotiated.resumed, psk.is_some() && external.is_none());
        assert!(psk.is_none() || !self.bad_binder);
        assert_eq!((negotiated.suite, negotiated.group.code()), (suite, group));
        assert_eq!(negotiated.retried, !first);
        let bound_to = Bound {
            name: digest(negotiated.server_name()),
            protocol: digest(negotiated.protocol()),
        };
        let mut since = self.now;
        let early = match psk {
            None => None,
            Some(number) => {
                let identity = identities(hello.get(41).unwrap()).nth(number).unwrap();
                if let Some(index) = external {
                    assert!(self.certificates.psks && PSKS[index].0 == identity);
                    assert_eq!(external_psk::hash_of(identity), Some(suite.hash()));
                }
                match external {
                    Some(index) => Some(EarlySecret::<C>::with_psk(suite.hash(), PSKS[index].1)),
                    None => {
                        // Nobody else can have made it.
                        let ticket = self.tickets.iter().find(|t| t.ticket == identity).unwrap();
                        assert_eq!(ticket.alg, suite.hash());
                        assert_eq!(ticket.bound_to, bound_to);
                        let lifetime = self.config.tickets.lifetime.min(ticket::MAX_LIFETIME);
                        assert!(
                            self.now - ticket.time < u64::from(lifetime) && self.config.resumes()
                        );
                        assert!(self.now - ticket.since < u64::from(ticket::MAX_TOTAL));
                        since = ticket.since;
                        Some(EarlySecret::<C>::with_psk(ticket.alg, ticket.psk.bytes()))
                    }
                }
            }
        };
        let mut shared = [0; 64];
        let Some(len) = peer::secret(group, client_key, server_key, &mut shared) else {
            return;
        };
        // The engine has constants of real hashes there, with which the toy's have nothing to do.
        let secret = match early {
            None => HandshakeSecret::without_psk(suite.hash(), &shared[..len]),
            Some(early) => early.handshake(&shared[..len]),
        };
        let so_far = hash(&transcript);
        let (client, server) = (
            derived(|to| secret.client_traffic(&so_far, to)),
            derived(|to| secret.server_traffic(&so_far, to)),
        );

        // Records no longer than the client wants them.
        let limit = match (hello.get(28), hello.get(1)) {
            (Some(size), _) => u16::from_be_bytes([size[0], size[1]]).min(16385) - 1,
            (None, Some(code)) => 1 << (8 + code[0]),
            _ => 16384,
        };
        assert_eq!(negotiated.max_fragment, limit);
        let mut opener = Protection::new(server.keys::<C>(suite));
        self.plain.clear();
        open_all(&mut opener, &mut out[protected..], limit, &mut self.plain);
        let mut messages = messages(&self.plain);
        let mut expect = |kind: u8| {
            let (got, message) = messages.next().unwrap();
            assert_eq!(got, kind);
            message
        };
        let encrypted = expect(8);
        C::hash_update(&mut transcript, encrypted);
        let names = Hello {
            head: &[],
            extensions: &encrypted[6..],
        };
        assert_eq!(names.get(28).is_some(), hello.get(28).is_some());
        assert_eq!(
            names.get(1).is_some(),
            hello.get(28).is_none() && hello.get(1).is_some()
        );
        assert_eq!(names.get(16).is_some(), !negotiated.protocol().is_empty());
        assert!(names.get(0).is_none() || hello.get(0).is_some());
        assert!(names.get(42).is_none());
        if psk.is_none() {
            C::hash_update(&mut transcript, expect(11));
            C::hash_update(&mut transcript, expect(15));
        }
        let verify_data = server.verify_data::<C>(&hash(&transcript));
        let finished = expect(20);
        assert_eq!(finished[4..], verify_data[..suite.hash().output_len()]);
        C::hash_update(&mut transcript, finished);
        assert!(messages.next().is_none());

        let so_far = hash(&transcript);
        let main = secret.into_main();
        let c = &mut self.connection;
        let len = suite.hash().output_len();
        c.finished_len = 4 + len;
        c.finished[..4].copy_from_slice(&[20, 0, 0, len as u8]);
        c.finished[4..4 + len].copy_from_slice(&client.verify_data::<C>(&so_far)[..len]);
        C::hash_update(&mut transcript, &c.finished[..4 + len]);
        c.keys = Some(Keys {
            key: client.keys::<C>(suite),
            seq: 0,
            server: Protection::new(
                derived(|to| main.server_traffic(&so_far, to)).keys::<C>(suite),
            ),
            client_application: derived(|to| main.client_traffic(&so_far, to)).keys::<C>(suite),
            resumption: derived(|to| main.resumption(&hash(&transcript), to)),
            bound_to,
            resumed: psk.is_some(),
            external: external.is_some(),
            since,
        });
    }

    fn on_tickets(&mut self, written: usize) {
        let keys = self
            .connection
            .keys
            .as_mut()
            .expect("a Finished of who has keys");
        assert!(!keys.external, "tickets do not prove which PSK it was");
        self.plain.clear();
        let limit = self.connection.session.negotiated().max_fragment;
        open_all(
            &mut keys.server,
            &mut self.out[..written],
            limit,
            &mut self.plain,
        );
        for (kind, message) in messages(&self.plain) {
            assert_eq!(kind, 4);
            // Lifetime, age_add, a nonce of one byte, the ticket, no extensions.
            let (lifetime, rest) = message[4..].split_first_chunk().unwrap();
            let lifetime = u32::from_be_bytes(*lifetime);
            let left = u64::from(ticket::MAX_TOTAL) - (self.now - keys.since);
            let want = self.config.tickets.lifetime.min(ticket::MAX_LIFETIME);
            assert_eq!(u64::from(lifetime), left.min(want.into()));
            assert!(lifetime > 0);
            assert_eq!(rest[4], 1);
            let (nonce, rest) = (&rest[5..6], &rest[6..]);
            assert_eq!(rest.len(), 2 + ticket::LEN + 2);
            self.tickets.push(Ticket {
                ticket: rest[2..][..ticket::LEN].try_into().unwrap(),
                psk: keys.resumption.prepare::<C>().ticket_psk(nonce),
                alg: keys.key.suite.hash(),
                time: self.now,
                since: keys.since,
                bound_to: keys.bound_to,
            });
            self.connection.tickets += 1;
        }
        assert_eq!(self.connection.tickets, if keys.resumed { 1 } else { 2 });
    }

    /// The server says that the handshake is complete.
    fn on_done(&mut self) {
        let c = &mut self.connection;
        let keys = c.keys.as_ref().expect("a Finished of who has keys");
        let connection = c.session.connection().expect("a complete handshake");
        assert_eq!(connection.sequence(true), keys.server.seq());
        assert_eq!(connection.sequence(false), 0);
        for (sending, keys) in [
            (true, keys.server.keys()),
            (false, &keys.client_application),
        ] {
            let got = connection.traffic_keys::<C>(sending);
            assert!(got.key() == keys.key() && *got.iv == *keys.iv && got.suite == keys.suite);
        }
    }

    fn post(&mut self, what: u8, bytes: &[u8]) {
        if self.connection.stage != Stage::Done {
            return;
        }
        let c = &mut self.connection;
        let before = ALLOCATED.get();
        let mut connection = c.session.connection().expect("a complete handshake");
        let result = match what % 4 {
            0 => connection
                .messages
                .on_record(22, bytes)
                .map(|event| match event {
                    Event::More => 1,
                    Event::KeyUpdate { requested } => 2 + u64::from(requested),
                    Event::Closed | Event::Aborted(_) => unreachable!("no alert"),
                }),
            1 => connection
                .messages
                .on_application_data(bytes.len())
                .map(|()| 4),
            2 => {
                let (label, rest) = bytes.split_at(bytes.len().min(usize::from(what >> 2)));
                let out = &mut self.out[..bytes.len() * 40];
                let exported = connection.export::<C>(label, rest, out);
                Ok(if exported { digest(out) } else { 5 })
            }
            _ => {
                let sending = what & 4 != 0;
                let key = connection.update_traffic_keys::<C>(sending);
                assert_eq!(connection.sequence(sending), 0);
                Ok(digest(key.key()))
            }
        };
        assert!(peer::ALLOCATES || ALLOCATED.get() == before, "allocates");
        if what % 4 == 0 {
            // Nothing but a whole KeyUpdate is one.
            c.post.extend_from_slice(bytes);
            match result {
                Ok(1) => assert!(
                    c.post.len() < 5 && [24, 0, 0, 1].starts_with(&c.post[..c.post.len().min(4)])
                ),
                Ok(n) => {
                    assert_eq!(c.post, [24, 0, 0, 1, (n - 2) as u8]);
                    c.post.clear();
                }
                Err(_) => (),
            }
        } else if what % 4 == 1 && result.is_ok() {
            assert!(c.post.is_empty());
        }
        let event = match result {
            Ok(n) => [8, 0, n, 0],
            Err(alert) => {
                assert_ne!(alert, Alert::InternalError);
                c.stage = Stage::Over;
                [8, 1, alert as u64, 0]
            }
        };
        self.event(event);
    }
}

/// Writes the length of what follows the two bytes at `at`.
fn set16(bytes: &mut [u8], at: usize) {
    let len = (bytes.len() - at - 2) as u16;
    bytes[at..at + 2].copy_from_slice(&len.to_be_bytes());
}

/// Opens records that hold handshake messages.
fn open_all(opener: &mut Protection, mut records: &mut [u8], limit: u16, plain: &mut Vec<u8>) {
    while !records.is_empty() {
        assert_eq!(records[..3], [23, 3, 3]);
        let len = HEADER_LEN + usize::from(u16::from_be_bytes([records[3], records[4]]));
        let (record, rest) = records.split_at_mut(len);
        let (kind, len) = opener.open::<C>(record).unwrap();
        assert!(kind == 22 && len > 0 && len <= usize::from(limit));
        plain.extend_from_slice(&record[HEADER_LEN..][..len]);
        records = rest;
    }
}

/// Types of messages, and all of each.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let &[kind, a, b, c] = rest.first_chunk()?;
        let len = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
        let (message, tail) = rest.split_at(len);
        rest = tail;
        Some((kind, message))
    })
}
