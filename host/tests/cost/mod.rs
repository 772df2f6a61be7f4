// SPDX-License-Identifier: GPL-2.0
//! ClientHellos, and what they cost.
#![allow(dead_code)]

use tls_handshake_host::count::{counted, so_far};
use tls_handshake_host::engine::crypto::P256Key;
use tls_handshake_host::engine::keys::ticket::Tickets;
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::engine::wire::framing::gather;
use tls_handshake_host::host_crypto::HostCrypto;

/// Instructions for a ClientHello of any shape, and for each byte of its records.
pub const BOUND: u64 = 20_000;
pub const BOUND_PER_BYTE: u64 = 30;
/// For each piece in which it arrives.
pub const BOUND_PER_PIECE: u64 = 400;

/// The scale of what [`Case::run`] was told to count by.
pub fn bound_of(bytes: usize, pieces: usize) -> u64 {
    BOUND + bytes as u64 * BOUND_PER_BYTE + pieces as u64 * BOUND_PER_PIECE
}

/// An identity that may not be used yet, so that nothing is signed.
struct Busy(P256Key);

impl Identities for Busy {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = SigningKey::P256(&self.0);
        constraints.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
        // As for a chain of three certificates.
        for issuer in [&b"one"[..], b"two", b"three"] {
            std::hint::black_box(constraints.authorities.contains(issuer));
        }
        Ok(Identity {
            index: 0,
            certificate: &[11, 0, 0, 4, 0, 0, 0, 0],
            digest: &[0; 32],
            staples: Staples::NONE,
            name_matched: true,
            key,
        })
    }

    fn may_use(&self, _: &Identity<'_>, _: bool) -> bool {
        false
    }
}

/// The parts of a ClientHello.
#[derive(Clone)]
pub struct Hello {
    suites: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
    /// pre_shared_key, which is the last extension.
    psks: Option<Vec<u8>>,
}

impl Hello {
    pub fn new() -> Self {
        let share = [&[0, 36, 0, 29, 0, 32][..], &[9; 32]].concat();
        Hello {
            suites: vec![0x13, 1],
            extensions: vec![
                (43, vec![2, 3, 4]),
                (10, vec![0, 2, 0, 29]),
                (13, vec![0, 2, 4, 3]),
                (51, share),
            ],
            psks: None,
        }
    }

    pub fn suites(mut self, suites: Vec<u8>) -> Self {
        self.suites = suites;
        self
    }

    /// Replaces an extension, or adds it behind the others.
    pub fn extension(mut self, kind: u16, body: &[u8]) -> Self {
        match self.extensions.iter_mut().find(|e| e.0 == kind) {
            Some(extension) => extension.1 = body.to_vec(),
            None => self.extensions.push((kind, body.to_vec())),
        }
        self
    }

    /// Adds pre_shared_key.
    pub fn psks(mut self, body: Vec<u8>) -> Self {
        self.psks = Some(body);
        self
    }

    pub fn message(&self) -> Vec<u8> {
        let vec16 = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .map(|(kind, body)| (*kind, body))
            .chain(self.psks.iter().map(|body| (41, body)))
            .flat_map(|(kind, body)| [&kind.to_be_bytes()[..], &vec16(body)].concat())
            .collect();
        let mut body = [&[3, 3][..], &[7; 32], &[0]].concat();
        body.extend(vec16(&self.suites));
        body.extend([1, 0]);
        body.extend(vec16(&extensions));
        [&[1, 0][..], &vec16(&body)].concat()
    }

    pub fn record(&self) -> Vec<u8> {
        records(&self.message(), 16384)
    }
}

/// A message in records of so many bytes.
pub fn records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(size).flat_map(record).collect()
}

/// Reads a case out of any bytes: what a ClientHello lists, how often, and in what pieces it comes.
///
/// Four bytes are an item, its number twice, and what tells its values apart. The last two bytes are
/// the lengths of records and of pieces.
pub fn decode(bytes: &[u8]) -> Option<Case> {
    let (items, tail) = bytes.split_last_chunk::<2>()?;
    let mut hello = Hello::new();
    let mut room = 16_000usize;
    for item in items.chunks_exact(4).take(40) {
        let [kind, high, low, value] = *item else {
            continue;
        };
        let (entry, extension): (Vec<u8>, u16) = match kind % 16 {
            0 => (Vec::new(), 0xffff),
            1 => (Vec::new(), 10),
            2 => (Vec::new(), 13),
            3 => (Vec::new(), 50),
            4 => (vec![1, value], 16),
            5 => (
                [
                    &[value % 64][..],
                    &b"h2http/1.".repeat(8)[..usize::from(value % 64)],
                ]
                .concat(),
                16,
            ),
            6 => (vec![0, 1, value], 47),
            7 => ([&[0, value][..], &vec![7; value.into()]].concat(), 47),
            8 => (vec![value | 1, 0, 1, b'a'], 0),
            9 => (vec![0x40, value, 0, 1, 9], 51),
            10 => (vec![0, 1, value], 5),
            11 => (
                [&[0, value][..], &vec![7; value.into()], &[0; 4]].concat(),
                41,
            ),
            12 => (vec![0, 113, 1, 0], 43),
            _ => (Vec::new(), 0),
        };
        let count = usize::from(u16::from_be_bytes([high, low]));
        let size = entry.len().max(2);
        let count = count.min(room / (size + 33 * usize::from(extension == 41)));
        let numbers = |n: usize| -> Vec<u8> {
            (0..n as u16)
                .flat_map(|i| (u16::from(value) * 64 + i).to_be_bytes())
                .collect()
        };
        let vec16 = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
        hello = match kind % 16 {
            0 => hello.suites(numbers(count.max(1))),
            1..=3 => hello.extension(extension, &vec16(&numbers(count.max(1)))),
            9 => {
                // Each for another group, of those that are there or not.
                let shares = (0..count as u16).flat_map(|i| {
                    [&(u16::from(value) * 64 + i).to_be_bytes()[..], &[0, 1, 9]].concat()
                });
                hello.extension(extension, &vec16(&shares.collect::<Vec<u8>>()))
            }
            10 => hello.extension(
                extension,
                &[&[1][..], &vec16(&entry.repeat(count)), &[0, 0]].concat(),
            ),
            11 => {
                let binders = [&[32][..], &[0; 32]].concat().repeat(count.max(1));
                let identities = vec16(&entry.repeat(count.max(1)));
                hello
                    .extension(45, &[1, 1])
                    .psks([identities, vec16(&binders)].concat())
            }
            12 => hello.extension(extension, &[2, 3, 4]),
            13 => (0..count.min(room / 4).min(256) as u16).fold(hello, |h, i| {
                h.extension((u16::from(value) * 256) | i | 0x2000, &[])
            }),
            _ => hello.extension(extension, &vec16(&entry.repeat(count.max(1)))),
        };
        room = 16_000usize.saturating_sub(hello.message().len());
    }
    let message = hello.message();
    let of = |byte: u8| match byte {
        255 => 1 << 20,
        byte => 1 + usize::from(byte) * usize::from(byte) / 4,
    };
    let [record, piece] = *tail;
    let record = of(record).min(16_384);
    Some(Case::new(records(&message, record)).pieces(of(piece).max(record)))
}

/// A ClientHello as it arrives.
pub struct Case {
    wire: Vec<u8>,
    piece: usize,
}

#[derive(Debug)]
pub struct Cost {
    pub instructions: u64,
    pub bytes: usize,
    pub pieces: usize,
    pub step: Option<Step>,
}

impl Cost {
    /// What it may be.
    pub fn bound(&self) -> u64 {
        bound_of(self.bytes, self.pieces)
    }
}

impl Case {
    pub fn new(wire: Vec<u8>) -> Self {
        Case {
            wire,
            piece: 1 << 20,
        }
    }

    pub fn pieces(mut self, piece: usize) -> Self {
        self.piece = piece;
        self
    }

    /// What it costs.
    pub fn cost(&self) -> Cost {
        // Steps of all threads are counted together.
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _guard = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.run(|run| {
            let before = so_far();
            counted(run);
            so_far() - before
        })
    }

    /// What the kernel does: a look at what is new when there is as much as was needed, and when
    /// the message is whole, the rest. `count` runs something and says what it has cost.
    pub fn run(&self, count: impl Fn(&mut dyn FnMut()) -> u64) -> Cost {
        let busy = Busy(P256Key::new(&[7]).unwrap());
        // SAFETY: Zeroes are a valid value.
        let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
        let config = Config {
            versions: 3,
            flags: 0,
            cipher_suites: &[],
            tls12_cipher_suites: &[],
            groups: &[],
            signature_schemes: &[],
            protocols: Protocols::new(b"\x02h2\x08http/1.1\x08http/1.0").unwrap(),
            tickets: Tickets::NONE,
        };
        let mut session = Session::new();
        let (mut hello, mut out) = (vec![0; 20 << 10], vec![0; 2048]);
        let (mut have, mut need, mut pieces) = (0, 1, 0);
        let (mut instructions, mut step) = (0, None);
        while have < self.wire.len() && step.is_none() {
            have = self.wire.len().min(have + self.piece);
            if have < need {
                continue;
            }
            pieces += 1;
            instructions += count(&mut || {
                let new = &self.wire[session.seen()..have];
                step = session.scan::<HostCrypto>(new, &mut out);
                if let Some(Step::More { need: more, .. }) = step {
                    need = more;
                    step = None;
                    return;
                }
                if step.is_some() {
                    return;
                }
                let (mut at, mut end) = (0, 0);
                while at < session.seen() {
                    // As much as there is room for.
                    let last = session.seen().min(at + (48 << 10));
                    let (consumed, length) = gather(&self.wire[at..last], &mut hello, end).unwrap();
                    (at, end) = (at + consumed, length);
                }
                step = Some(session.advance::<HostCrypto>(
                    &config,
                    &busy,
                    &mut hello[..end],
                    &mut out,
                    &mut scratch,
                ));
            });
        }
        Cost {
            instructions,
            bytes: self.wire.len(),
            pieces,
            step,
        }
    }
}
