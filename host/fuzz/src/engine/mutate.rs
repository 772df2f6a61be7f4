// SPDX-License-Identifier: GPL-2.0
//! Changes programs in their own terms: operations, ClientHellos.

use crate::hello::{Parts, Rng};
use crate::program::{how, op, write_op, Ops, OPS};
use libfuzzer_sys::fuzzer_mutate;

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
            out.push(rng.of(&[
                how::FILL,
                how::FILL | how::TICKET,
                how::FILL | how::EXTERNAL,
                0,
                0xff,
                0x0f & any,
            ]));
            out.push(rng.of(&[0, 0, 0, 1, 5, 100]));
            Parts::new(rng).write(&mut out);
        }
        op::AGAIN => {
            out.push(rng.of(&[0, how::TICKET, how::TICKET | how::TWO, how::EXTERNAL, any]));
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
