// SPDX-License-Identifier: GPL-2.0
//! The client's second flight, of a client that has the keys.
//!
//! The input is a program: a byte that says what kind of record comes next, and what it takes. So
//! what is fuzzed reaches the engine behind the decryption.
#![no_main]

mod common;

use common::{Engine, Outcome};
use libfuzzer_sys::fuzz_target;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;
use tls_handshake_host::crypto::{Crypto, HashAlg};
use tls_handshake_host::host_crypto::HostCrypto;
use tls_handshake_host::key_schedule::EarlySecret;
use tls_handshake_host::names::CipherSuite;
use tls_handshake_host::record::{Protection, HEADER_LEN};
use tls_handshake_host::session::{Session, Step};

const SUITE: CipherSuite = CipherSuite::Aes128GcmSha256;
const SECRET: [u8; 32] = [0x42; 32];

/// A server that waits for the Finished, and what its client knows.
struct Template {
    session: Session,
    key: [u8; 32],
    iv: [u8; 12],
    finished: [u8; 36],
}

fn vec16(body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u16).to_be_bytes().to_vec();
    out.extend(body);
    out
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend(vec16(body));
    out
}

/// A ClientHello for X25519, without its record. It says that early data follows if `early`.
fn hello(early: bool) -> Vec<u8> {
    let public = x25519_dalek::x25519(SECRET, x25519_dalek::X25519_BASEPOINT_BYTES);
    let mut share = vec![0, 29];
    share.extend(vec16(&public));
    let mut extensions = Vec::new();
    extensions.extend(extension(43, &[2, 3, 4]));
    extensions.extend(extension(10, &vec16(&[0, 29])));
    extensions.extend(extension(13, &vec16(&[4, 3])));
    extensions.extend(extension(51, &vec16(&share)));
    if early {
        extensions.extend(extension(42, &[]));
        extensions.extend(extension(45, &[1, 1]));
        // One identity, one binder.
        let mut psk = vec16(&[vec16(b"a"), vec![0; 4]].concat());
        psk.extend(vec16(&[&[32], &[7; 32][..]].concat()));
        extensions.extend(extension(41, &psk));
    }
    let mut body = vec![3, 3];
    body.extend([5; 32]);
    body.push(0);
    body.extend([0, 2, 0x13, 0x01, 1, 0]);
    body.extend(vec16(&extensions));
    let mut message = vec![1, 0];
    message.extend(vec16(&body));
    message
}

fn hash(transcript: &[u8]) -> [u8; 48] {
    let mut hash = HostCrypto::hash_init(HashAlg::Sha256);
    HostCrypto::hash_update(&mut hash, transcript);
    HostCrypto::hash_final(hash)
}

fn template(early: bool) -> Template {
    let mut engine = Engine::new();
    let mut session = Session::new();
    let mut transcript = hello(early);
    let mut wire = vec![22, 3, 1];
    wire.extend(vec16(&transcript));
    let Step::Send { written, .. } = engine.advance(&mut session, &mut wire) else {
        panic!("no answer");
    };
    // ServerHello, which ends with the share and supported_versions, and one protected record.
    let flight = engine.out[..written].to_vec();
    let end = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    let (server_hello, protected) = flight.split_at(end);
    transcript.extend(&server_hello[5..]);
    let peer: [u8; 32] = server_hello[end - 38..end - 6].try_into().unwrap();
    let shared = x25519_dalek::x25519(SECRET, peer);
    let secret = EarlySecret::<HostCrypto>::new(HashAlg::Sha256).into_handshake(&shared);
    let (client, server) = {
        let hash = hash(&transcript);
        (secret.client_traffic(&hash), secret.server_traffic(&hash))
    };
    let mut protected = protected.to_vec();
    let mut protection = Protection::new(server.keys::<HostCrypto>(SUITE));
    let (_, len) = protection.open::<HostCrypto>(&mut protected).unwrap();
    transcript.extend(&protected[HEADER_LEN..][..len]);
    let mut finished = [0; 36];
    finished[..4].copy_from_slice(&[20, 0, 0, 32]);
    finished[4..].copy_from_slice(&client.verify_data::<HostCrypto>(&hash(&transcript))[..32]);
    let keys = client.keys::<HostCrypto>(SUITE);
    let mut key = [0; 32];
    key[..16].copy_from_slice(keys.key());
    Template {
        session,
        key,
        iv: *keys.iv,
        finished,
    }
}

impl Template {
    /// Another such server.
    fn session(&self) -> ManuallyDrop<Session> {
        // SAFETY: A session is made of numbers: no pointers, nothing that is freed.
        ManuallyDrop::new(unsafe { std::ptr::read(&self.session) })
    }

    fn protected(&self, seq: &mut u64, content_type: u8, content: &[u8]) -> Vec<u8> {
        let len = (content.len() + 17) as u16;
        let mut record = vec![23, 3, 3];
        record.extend(len.to_be_bytes());
        let header = record.clone();
        let mut inner = content.to_vec();
        inner.push(content_type);
        let mut nonce = self.iv;
        for (n, s) in nonce[4..].iter_mut().zip(seq.to_be_bytes()) {
            *n ^= s;
        }
        *seq += 1;
        let key = HostCrypto::aead_key(SUITE.aead(), &self.key[..16]).unwrap();
        let tag = HostCrypto::aead_seal(&key, &nonce, &header, &mut inner);
        record.extend(inner);
        record.extend(tag);
        record
    }

    /// What the program says. Also whether it is a right Finished and only what may come before.
    fn run(&self, mut program: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut seq = 0;
        let mut sent = 0;
        let mut take = |n: usize| {
            let (head, tail) = program.split_at(n.min(program.len()));
            program = tail;
            head
        };
        while let &[op] = take(1) {
            let len = usize::from(take(1).first().copied().unwrap_or(0));
            match op % 8 {
                // As it is.
                0 => wire.extend(take(len)),
                // A record that is not protected.
                1 => {
                    let kind = take(1).to_vec();
                    wire.extend([kind.first().copied().unwrap_or(20), 3, 3]);
                    wire.extend(vec16(take(len)));
                }
                2 => wire.extend([20, 3, 3, 0, 1, 1]),
                // A protected record of any type.
                3 => {
                    let kind = take(1).first().copied().unwrap_or(22);
                    let content = take(len).to_vec();
                    wire.extend(self.protected(&mut seq, kind, &content));
                }
                4 => {
                    let content = take(len).to_vec();
                    wire.extend(self.protected(&mut seq, 22, &content));
                }
                // A part of the Finished, or the rest of it.
                5 => {
                    let end = (sent + len).min(self.finished.len());
                    wire.extend(self.protected(&mut seq, 22, &self.finished[sent..end]));
                    sent = end;
                }
                6 => {
                    wire.extend(self.protected(&mut seq, 22, &self.finished[sent..]));
                    sent = self.finished.len();
                }
                // One that does not authenticate, as early data does.
                _ => {
                    let content = take(len).to_vec();
                    let mut other = u64::MAX;
                    other -= 1;
                    wire.extend(self.protected(&mut other, 23, &content));
                }
            }
            if wire.len() > 1 << 17 {
                break;
            }
        }
        wire
    }
}

fuzz_target!(|data: &[u8]| {
    static TEMPLATES: OnceLock<[Template; 2]> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| {
        let made = [template(false), template(true)];
        for t in &made {
            // The right one works, so what is fuzzed is behind the decryption.
            let wire = t.run(&[6, 0]);
            let done = Engine::new().feed(&mut t.session(), &wire, usize::MAX);
            assert_eq!(done, Outcome::Done(wire.len()));
        }
        made
    });
    let Some(([early, chunk], program)) = data.split_first_chunk() else {
        return;
    };
    let template = &templates[usize::from(early & 1)];
    let wire = template.run(program);
    let mut engine = Engine::new();
    let whole = engine.feed(&mut template.session(), &wire, usize::MAX);
    let chunk = 1 + usize::from(*chunk);
    assert_eq!(whole, engine.feed(&mut template.session(), &wire, chunk));
});
