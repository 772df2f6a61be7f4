// SPDX-License-Identifier: GPL-2.0
//! An engine to be fed.
#![allow(dead_code)]

use tls_handshake_host::alert::Alert;
use tls_handshake_host::alpn::Protocols;
use tls_handshake_host::certificate::Staples;
use tls_handshake_host::config::{Config, Identities, Identity, NoIdentity, SigningKey, Wanted};
use tls_handshake_host::host_crypto::HostCrypto;
use tls_handshake_host::p256;
use tls_handshake_host::scratch::Scratch;
use tls_handshake_host::session::{Session, Step};
use tls_handshake_host::ticket::Tickets;

/// An identity whose certificate nobody looks at.
pub struct Any(p256::PrivateKey);

impl Identities for Any {
    fn select(&self, wanted: &Wanted<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = SigningKey::P256(&self.0);
        wanted.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
        Ok(Identity {
            certificate: &[11, 0, 0, 4, 0, 0, 0, 0],
            digest: &[0; 32],
            staples: Staples::NONE,
            name_matched: true,
            key,
        })
    }
}

pub struct Engine {
    pub scratch: Box<Scratch>,
    pub any: Any,
    pub out: Vec<u8>,
}

/// How it ends. What is random is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for more.
    More,
    /// It has answered after that many bytes.
    Answered(usize),
    /// It is done after that many bytes.
    Done(usize),
    Alert(Alert),
    Other(Step),
}

impl Engine {
    pub fn new() -> Self {
        Engine {
            // SAFETY: Zeroes are a valid value.
            scratch: unsafe { tls_handshake_host::zeroed() },
            any: Any(p256::PrivateKey::from_be_bytes(&[7]).unwrap()),
            out: vec![0; 4096],
        }
    }

    pub fn advance(&mut self, session: &mut Session, input: &mut [u8]) -> Step {
        const CONFIG: Config<'static> = Config {
            versions: 3,
            flags: 0,
            cipher_suites: &[],
            tls12_cipher_suites: &[],
            groups: &[],
            signature_schemes: &[],
            protocols: Protocols::NONE,
            tickets: Tickets::NONE,
        };
        let (out, scratch) = (&mut self.out, &mut self.scratch);
        session.advance::<HostCrypto>(&CONFIG, &self.any, input, out, scratch)
    }

    /// Gives a session bytes, `chunk` more each time, until it answers or ends.
    pub fn feed(&mut self, session: &mut Session, bytes: &[u8], chunk: usize) -> Outcome {
        let (mut start, mut end, mut need) = (0, 0, 1);
        while end < bytes.len() {
            end = (end + chunk).min(bytes.len());
            if end - start < need {
                continue;
            }
            let mut input = bytes[start..end].to_vec();
            let step = self.advance(session, &mut input);
            match step {
                Step::More { consumed, need: n } => {
                    start += consumed;
                    assert!(start <= end && n > end - start, "asks for what is there");
                    need = n;
                }
                Step::Send { consumed, written } => {
                    assert!(consumed <= end - start && written <= self.out.len());
                    return Outcome::Answered(start + consumed);
                }
                Step::Done { consumed } => {
                    assert!(consumed <= end - start);
                    return Outcome::Done(start + consumed);
                }
                Step::Alert { alert, written } => {
                    assert_ne!(alert, Alert::InternalError);
                    assert!(written <= self.out.len());
                    return Outcome::Alert(alert);
                }
                other => return Outcome::Other(other),
            }
        }
        Outcome::More
    }
}
