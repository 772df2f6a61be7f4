// SPDX-License-Identifier: GPL-2.0
//! Changes programs in their own terms: operations, extensions, lists, lengths.

use crate::peer;
use crate::program::{how, op, write_op, Hello, Ops, OPS};
use libfuzzer_sys::fuzzer_mutate;

/// A generator of numbers: xorshift.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u32) -> Self {
        Rng(u64::from(seed) << 1 | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 24
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn in_mut<'a, T>(&mut self, all: &'a mut [T]) -> &'a mut T {
        let at = self.below(all.len());
        &mut all[at]
    }

    fn byte(&mut self) -> u8 {
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
struct Parts {
    version: [u8; 2],
    random: [u8; 32],
    session_id: Vec<u8>,
    suites: Vec<u8>,
    compression: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Parts {
    fn parse(body: &[u8]) -> Option<Self> {
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

    fn new(rng: &mut Rng) -> Self {
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

    fn write(&self, out: &mut Vec<u8>) {
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

    fn mutate(&mut self, rng: &mut Rng) {
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
            8 | 9 if count > 0 => mutate_bytes(&mut rng.in_mut(&mut self.extensions).1),
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
                _ => mutate_bytes(&mut self.suites),
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

/// libFuzzer's own changes.
fn mutate_bytes(bytes: &mut Vec<u8>) {
    let len = bytes.len();
    let max = len + 16;
    bytes.resize(max, 0);
    let len = fuzzer_mutate(bytes, len, max);
    bytes.truncate(len);
}

/// An operation as a client would do it, or nearly so.
fn operation(rng: &mut Rng, code: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let any = rng.byte();
    match code {
        op::SETTINGS => {
            for _ in 0..6 {
                out.push(if rng.one_in(2) { 0 } else { rng.byte() });
            }
            if rng.one_in(16) {
                out.push(rng.byte());
            }
        }
        op::HELLO => {
            out.push(rng.of(&[how::FILL, how::FILL | how::TICKET, 0, 0xff, 0x0f & any]));
            out.push(rng.of(&[0, 0, 0, 1, 5, 100]));
            Parts::new(rng).write(&mut out);
        }
        op::AGAIN => {
            out.push(rng.of(&[0, how::TICKET, how::TICKET | how::TWO, any]));
            out.push(rng.of(&[0, 0, 3, 200]));
            if rng.one_in(4) {
                out.extend([0, rng.byte(), 1 << rng.below(8)]);
            }
        }
        op::RECORD => {
            out.push(rng.of(&[20, 20, 21, 22, 23, 24]));
            out.extend(rng.of(&[
                &[1][..],
                &[],
                &[2, 40],
                &[1, 0],
                &[1, 0, 0, 0],
                &[20, 0, 0, 32],
                &[1; 40],
            ]));
        }
        op::PROTECTED => {
            out.push(rng.of(&[22, 22, 21, 20, 23, 0, 24]));
            out.push(rng.of(&[0, 0, 1, 255]));
            out.extend(rng.of(&[
                &[20, 0, 0][..],
                &[2, 40],
                &[],
                &[5, 0, 0, 0],
                &[20, 0, 0, 33],
                &[1],
            ]));
        }
        op::FINISHED => out.extend(rng.of(&[
            &[0, 0][..],
            &[0, 1],
            &[1, 0],
            &[0, 20],
            &[20, 0],
            &[0, 0, 1, 40],
            &[0, 0, 0, 0, 200],
        ])),
        op::EARLY => {
            out.push(rng.of(&[0, 1, 3, 7]));
            out.push(0);
            out.extend(
                rng.of(&[1u16, 17, 100, 16384, 16640, 16641, 0, 8000])
                    .to_be_bytes(),
            );
        }
        op::POST => {
            out.push(rng.of(&[0, 0, 0, 1, 2 | 4 << 2, 3, 7, any]));
            out.extend(rng.of(&[
                &[24, 0, 0, 1, 0][..],
                &[24, 0, 0, 1, 1],
                &[24, 0],
                &[0, 1, 1],
                &[],
                &[24, 0, 0, 1, 2],
                &[4, 0, 0, 0],
                b"EXPORTER-x and context",
            ]));
        }
        op::RAW => out.extend([22, 3, 1, 0, rng.byte()]),
        _ => out.push(rng.byte()),
    }
    out
}

fn decode(program: &[u8]) -> Vec<(u8, Vec<u8>)> {
    Ops(program)
        .map(|(code, payload)| (code, payload.to_vec()))
        .collect()
}

fn encode(ops: &[(u8, Vec<u8>)], data: &mut [u8], max: usize) -> usize {
    let mut out = Vec::new();
    for (code, payload) in ops {
        write_op(&mut out, *code, payload);
    }
    let len = out.len().min(max).min(data.len());
    data[..len].copy_from_slice(&out[..len]);
    len
}

pub fn mutate(data: &mut [u8], size: usize, max: usize, seed: u32) -> usize {
    let mut rng = Rng::new(seed);
    if rng.one_in(32) {
        return fuzzer_mutate(data, size, max);
    }
    let mut ops = decode(&data[..size]);
    for _ in 0..1 + rng.below(4) {
        mutate_ops(&mut ops, &mut rng);
    }
    encode(&ops, data, max)
}

fn mutate_ops(ops: &mut Vec<(u8, Vec<u8>)>, rng: &mut Rng) {
    let count = ops.len();
    if count == 0 || rng.one_in(5) {
        let code = rng.below(OPS.into()) as u8;
        ops.insert(rng.below(count + 1), (code, operation(rng, code)));
        return;
    }
    let at = rng.below(count);
    match rng.below(12) {
        0 => drop(ops.remove(at)),
        1 => ops.insert(rng.below(count), ops[at].clone()),
        2 => ops.swap(at, rng.below(count)),
        3 => {
            // The same connection once more, with a ticket, as a handshake that goes on.
            let Some(hello) = ops.iter().find(|op| op.0 == op::HELLO && !op.1.is_empty()) else {
                return;
            };
            let mut hello = hello.clone();
            hello.1[0] |= how::TICKET | how::FILL;
            ops.push((op::FINISHED, vec![0, 0]));
            ops.push((op::CONNECT, Vec::new()));
            ops.push(hello);
            ops.push((op::FINISHED, vec![0, 0]));
        }
        4 => ops[at].1 = operation(rng, ops[at].0),
        _ => {
            let (code, payload) = &mut ops[at];
            let parts = match payload.get(2..) {
                Some(body) if *code == op::HELLO && !rng.one_in(16) => Parts::parse(body),
                _ => None,
            };
            let Some(mut parts) = parts else {
                return mutate_bytes(payload);
            };
            match rng.below(8) {
                0 => payload[0] ^= 1 << rng.below(8),
                1 => payload[1] = rng.of(&[0, 1, 2, 4, 9, 100, 255]),
                _ => {
                    for _ in 0..1 + rng.below(2) {
                        parts.mutate(rng);
                    }
                    payload.truncate(2);
                    parts.write(payload);
                }
            }
        }
    }
}

/// The beginning of one program and the end of another one, or extensions of both.
pub fn cross(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut rng = Rng::new(seed);
    let (mut ops, other) = (decode(one), decode(other));
    let hello = |ops: &[(u8, Vec<u8>)]| {
        let at = ops
            .iter()
            .position(|op| op.0 == op::HELLO && op.1.len() > 2)?;
        Some((at, Parts::parse(&ops[at].1[2..])?))
    };
    match (hello(&ops), hello(&other)) {
        (Some((at, mut parts)), Some((_, from)))
            if rng.one_in(2) && !from.extensions.is_empty() =>
        {
            let taken = from.extensions[rng.below(from.extensions.len())].clone();
            match parts.extensions.iter_mut().find(|e| e.0 == taken.0) {
                Some(place) => *place = taken,
                None => parts.extensions.insert(0, taken),
            }
            ops[at].1.truncate(2);
            parts.write(&mut ops[at].1);
        }
        _ => {
            ops.truncate(rng.below(ops.len() + 1));
            let from = rng.below(other.len() + 1);
            ops.extend_from_slice(&other[from..]);
        }
    }
    let max = out.len();
    encode(&ops, out, max)
}
