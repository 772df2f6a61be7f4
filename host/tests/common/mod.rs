// SPDX-License-Identifier: GPL-2.0
//! What the tests and the fuzzers of the engine share.
#![allow(dead_code)]

use tls_handshake_host::engine::crypto::P256Key;
use tls_handshake_host::engine::keys::ticket::Tickets;
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
pub use tls_handshake_host::engine::state::session::Session;
use tls_handshake_host::engine::state::session::Step;
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::host_crypto::HostCrypto;

/// An identity whose certificate nobody looks at.
pub struct Any(pub P256Key);

impl Identities for Any {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = SigningKey::P256(&self.0);
        constraints.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
        Ok(Identity {
            index: 0,
            certificate: &[11, 0, 0, 4, 0, 0, 0, 0],
            digest: &[0; 32],
            staples: Staples::NONE,
            name_matched: true,
            key,
        })
    }
}

pub const CONFIG: Config<'static> = Config {
    versions: 3,
    flags: 0,
    cipher_suites: &[],
    tls12_cipher_suites: &[],
    groups: &[],
    signature_schemes: &[],
    protocols: Protocols::NONE,
    tickets: Tickets::NONE,
};

/// A [`Step`] without what is random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    More(usize),
    Answered { consumed: usize },
    Other(Step),
}

pub fn advance(session: &mut Session, bytes: &[u8]) -> Outcome {
    // SAFETY: Zeroes are a valid value.
    let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
    let any = Any(P256Key::new(&[7]).unwrap());
    let mut input = bytes.to_vec();
    let mut out = [0; 2048];
    match session.advance::<HostCrypto>(&CONFIG, &any, &mut input, &mut out, &mut scratch) {
        Step::More { consumed: 0, need } => Outcome::More(need),
        Step::Send { consumed, .. } => Outcome::Answered { consumed },
        other => Outcome::Other(other),
    }
}

/// The ClientHello of a real client, with both versions, ALPN and a share for X25519MLKEM768.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub fn hello_of_rustls() -> Vec<u8> {
    use std::sync::Arc;

    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // It sends a share for the first one, and for x25519 if that is a part of it.
    provider
        .kx_groups
        .sort_by_key(|g| u16::from(g.name()) != 0x11ec);
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client =
        rustls::ClientConnection::new(Arc::new(config), "example.org".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}
