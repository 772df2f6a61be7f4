// SPDX-License-Identifier: GPL-2.0
//! ClientHellos that are made and changed in their own terms: extensions, lists, lengths. The
//! fuzzer uses it, and the comparison with other servers.

use crate::peer;
use crate::program::Hello;

/// A generator of numbers: xorshift.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u32) -> Self {
        Rng(u64::from(seed) << 1 | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 24
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn in_mut<'a, T>(&mut self, all: &'a mut [T]) -> &'a mut T {
        let at = self.below(all.len());
        &mut all[at]
    }

    pub fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

/// Extensions that the engine reads, and some that it does not.
const EXTENSIONS: [u16; 22] = [
    0, 1, 10, 13, 16, 28, 41, 42, 43, 44, 45, 47, 50, 51, 5, 21, 27, 35, 0x0a0a, 0xfafa, 65037,
    65281,
];

const NAMES: [&[u8]; 8] = [
    b"example.org",
    b"a.example.org",
    b"EXAMPLE.org.",
    b"server",
    b"localhost",
    b"x.com",
    b"a\0b",
    b"unknown",
];

/// Numbers for the lists of an extension.
fn numbers(kind: u16) -> &'static [u16] {
    match kind {
        10 | 51 => &[29, 23, 0x11ec, 24, 0x0a0a, 0x6399, 256],
        13 | 50 => &[
            0x0403, 0x0804, 0x0401, 0x0807, 0x0503, 0x0203, 0x0201, 0x0a0a, 0x0904,
        ],
        43 => &[0x0304, 0x0303, 0x0302, 0x0a0a, 0x7f1c, 0x0305],
        _ => &[
            0x1301, 0x1302, 0x1303, 0x1304, 0x0a0a, 0xc02f, 0xc02b, 0x5600, 0x00ff,
        ],
    }
}

/// The body of an extension, mostly a right one.
fn extension(rng: &mut Rng, kind: u16, out: &mut Vec<u8>) {
    let start = out.len();
    let vector = |out: &mut Vec<u8>, width: usize, body: &[u8]| {
        out.extend(&(body.len() as u32).to_be_bytes()[4 - width..]);
        out.extend(body);
    };
    match kind {
        0 => {
            let name = rng.of(&NAMES);
            let mut entry = vec![0];
            vector(&mut entry, 2, name);
            vector(out, 2, &entry);
        }
        1 => out.push(1 + rng.below(5) as u8),
        10 | 13 | 50 | 43 => {
            let width = if kind == 43 { 1 } else { 2 };
            let mut list = Vec::new();
            for _ in 0..1 + rng.below(4) {
                list.extend(rng.of(numbers(kind)).to_be_bytes());
            }
            vector(out, width, &list);
        }
        16 => {
            let mut list = Vec::new();
            for _ in 0..1 + rng.below(3) {
                vector(
                    &mut list,
                    1,
                    rng.of(&[&b"h2"[..], b"http/1.1", b"h3", b"\x0a\x0a"]),
                );
            }
            vector(out, 2, &list);
        }
        28 => out.extend(
            rng.of(&[64u16, 65, 63, 512, 1024, 4001, 16384, 16385, 0xffff])
                .to_be_bytes(),
        ),
        41 => {
            let (mut identities, mut binders) = (Vec::new(), Vec::new());
            for _ in 0..1 + rng.below(3) {
                vector(&mut identities, 2, &vec![b'i'; rng.of(&[1, 8, 136])]);
                identities.extend([0; 4]);
                vector(&mut binders, 1, &vec![b'b'; rng.of(&[32, 48, 33])]);
            }
            vector(out, 2, &identities);
            vector(out, 2, &binders);
        }
        44 => vector(out, 2, b"cookie"),
        45 => vector(
            out,
            1,
            rng.of(&[&[1][..], &[0], &[0, 1], &[1, 0], &[0x0b, 1]]),
        ),
        47 => {
            let name: &[u8] = &[
                0x30,
                12,
                0x31,
                10,
                0x30,
                8,
                6,
                3,
                0x55,
                4,
                3,
                0x0c,
                1,
                b'A' + rng.below(2) as u8,
            ];
            let mut list = Vec::new();
            vector(&mut list, 2, name);
            vector(out, 2, &list);
        }
        51 => {
            let mut list = Vec::new();
            for _ in 0..rng.of(&[1, 1, 1, 2, 3, 0]) {
                let group = rng.of(numbers(51));
                list.extend(group.to_be_bytes());
                let mut key = Vec::new();
                // ML-KEM's is long, and can be filled in.
                if group != 0x11ec && peer::GROUPS.contains(&group) && !rng.one_in(8) {
                    peer::share(group, &mut key);
                } else {
                    key.push(0);
                }
                vector(&mut list, 2, &key);
            }
            vector(out, 2, &list);
        }
        _ => {
            let len = rng.of(&[0, 0, 1, 5, 32]);
            out.resize(start + len, 0);
        }
    }
}

/// A ClientHello in parts that change.
pub struct Parts {
    pub version: [u8; 2],
    pub random: [u8; 32],
    pub session_id: Vec<u8>,
    pub suites: Vec<u8>,
    pub compression: Vec<u8>,
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl Parts {
    pub fn parse(body: &[u8]) -> Option<Self> {
        let hello = Hello::parse(body)?;
        let vector = |at: usize, width: usize| {
            let len = hello.head[at..at + width]
                .iter()
                .fold(0, |n, b| n << 8 | usize::from(*b));
            hello.head[at + width..][..len].to_vec()
        };
        let session_id = vector(34, 1);
        let suites = vector(35 + session_id.len(), 2);
        let compression = vector(37 + session_id.len() + suites.len(), 1);
        Some(Parts {
            version: *body.first_chunk()?,
            random: *body[2..].first_chunk()?,
            session_id,
            suites,
            compression,
            extensions: hello
                .iter()
                .map(|(kind, body)| (kind, body.to_vec()))
                .collect(),
        })
    }

    pub fn new(rng: &mut Rng) -> Self {
        let mut parts = Parts {
            version: [3, 3],
            random: [7; 32],
            session_id: vec![9; rng.of(&[0, 32])],
            suites: rng.of(numbers(0)).to_be_bytes().to_vec(),
            compression: vec![0],
            extensions: Vec::new(),
        };
        parts
            .suites
            .extend(rng.of(&[0x1301u16, 0x1302, 0x1303]).to_be_bytes());
        for kind in [43, 10, 13, 51, 45] {
            let mut body = Vec::new();
            extension(rng, kind, &mut body);
            parts.extensions.push((kind, body));
        }
        for _ in 0..rng.below(4) {
            parts.add(rng);
        }
        parts
    }

    fn add(&mut self, rng: &mut Rng) {
        let kind = rng.of(&EXTENSIONS);
        let mut body = Vec::new();
        extension(rng, kind, &mut body);
        let end = self.extensions.len();
        // pre_shared_key is the last one.
        let at = if kind == 41 { end } else { rng.below(end + 1) };
        self.extensions.insert(at, (kind, body));
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.version);
        out.extend(self.random);
        out.push(self.session_id.len() as u8);
        out.extend(&self.session_id);
        out.extend((self.suites.len() as u16).to_be_bytes());
        out.extend(&self.suites);
        out.push(self.compression.len() as u8);
        out.extend(&self.compression);
        let len: usize = self.extensions.iter().map(|e| e.1.len() + 4).sum();
        out.extend((len as u16).to_be_bytes());
        for (kind, body) in &self.extensions {
            out.extend(kind.to_be_bytes());
            out.extend((body.len() as u16).to_be_bytes());
            out.extend(body);
        }
    }

    pub fn mutate(&mut self, rng: &mut Rng) {
        let count = self.extensions.len();
        match rng.below(16) {
            0 if count > 0 => drop(self.extensions.remove(rng.below(count))),
            1 if count > 0 => {
                let copy = self.extensions[rng.below(count)].clone();
                self.extensions.insert(rng.below(count + 1), copy);
            }
            2 if count > 1 => {
                let (a, b) = (rng.below(count), rng.below(count));
                self.extensions.swap(a, b);
            }
            3 | 4 => self.add(rng),
            5 if count > 0 => rng.in_mut(&mut self.extensions).0 = rng.of(&EXTENSIONS),
            6 | 7 if count > 0 => {
                let (kind, body) = rng.in_mut(&mut self.extensions);
                body.clear();
                extension(rng, *kind, body);
            }
            8 | 9 if count > 0 => {
                let at = rng.below(count);
                mutate_bytes(rng, &mut self.extensions[at].1);
            }
            10 if count > 0 => {
                // A length inside that is one off, or the largest.
                let body = &mut rng.in_mut(&mut self.extensions).1;
                let at = rng.below(body.len().min(8));
                if let Some(byte) = body.get_mut(at) {
                    *byte = rng.of(&[byte.wrapping_add(1), byte.wrapping_sub(1), 0xff, 0]);
                }
            }
            11 => {
                let at = rng.below(self.suites.len() / 2 + 1) * 2;
                let suite = rng.of(numbers(0)).to_be_bytes();
                self.suites.splice(at..at, suite);
            }
            12 => match rng.below(5) {
                0 => self.suites.truncate(rng.below(self.suites.len() + 1)),
                1 => self.version = rng.of(&[[3, 3], [3, 1], [3, 0], [3, 2], [3, 4], [2, 0]]),
                2 => self.compression = rng.of(&[&[0][..], &[0, 1], &[1], &[]]).to_vec(),
                3 => self.session_id.resize(rng.of(&[0, 32, 33, 1, 31]), 9),
                _ => mutate_bytes(rng, &mut self.suites),
            },
            13 if count > 0 => {
                // A number in a list.
                let (kind, body) = rng.in_mut(&mut self.extensions);
                let at = rng.below(body.len());
                let number = rng.of(numbers(*kind)).to_be_bytes();
                for (to, from) in body.iter_mut().skip(at).zip(number) {
                    *to = from;
                }
            }
            14 => self.random[rng.below(32)] = rng.byte(),
            _ => {
                // Lists of shares and of groups that fit.
                let group = rng.of(&peer::GROUPS);
                let [a, b] = group.to_be_bytes();
                self.extensions.retain(|e| !matches!(e.0, 10 | 51));
                self.extensions.insert(0, (10, vec![0, 4, a, b, 0, 24]));
                self.extensions.insert(0, (51, vec![0, 5, a, b, 0, 1, 0]));
            }
        }
    }
}

/// Changes bytes without regard to what they are.
pub fn mutate_bytes(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(5) {
            0 => bytes.insert(at, rng.byte()),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 if at < bytes.len() => bytes[at] = rng.of(&[0, 1, 0x7f, 0x80, 0xff]),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ => bytes.push(0),
        }
    }
}
