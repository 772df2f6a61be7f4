// SPDX-License-Identifier: GPL-2.0
//! Whole handshakes with rustls as the client.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::io::{Read, Write};
use std::sync::Arc;
use tls_handshake_host::engine::crypto::{Crypto, P256Key, RsaKey};
use tls_handshake_host::engine::keys::protection::Protection;
use tls_handshake_host::engine::keys::ticket;
use tls_handshake_host::engine::keys::ticket::Tickets;
use tls_handshake_host::engine::policy::identity;
use tls_handshake_host::engine::policy::identity::Payload;
use tls_handshake_host::engine::policy::settings::{
    ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
};
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::post_handshake::Event;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::state::traffic::Connection;
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::engine::wire::certificate::Staples;
use tls_handshake_host::host_crypto::HostCrypto;

#[path = "later/mod.rs"]
mod later;
#[path = "resumption/mod.rs"]
mod resumption;
#[path = "stack/handshake.rs"]
mod stack;

struct One {
    certificate: Vec<u8>,
    digest: [u8; 32],
    ocsp: Vec<u8>,
    p256: Option<P256Key>,
    rsa: Option<Box<RsaKey>>,
}

impl Identities for One {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let key = match (&self.p256, &self.rsa) {
            (Some(k), _) => SigningKey::P256(k),
            (_, Some(k)) => SigningKey::Rsa(k),
            _ => return Err(NoIdentity::Empty),
        };
        constraints.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
        Ok(Identity {
            index: 0,
            certificate: &self.certificate,
            digest: &self.digest,
            staples: Staples {
                ocsp: &self.ocsp,
                scts: &[],
            },
            name_matched: true,
            key,
        })
    }
}

fn openssl(script: &str) -> Vec<u8> {
    let out = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .output()
        .unwrap();
    assert!(out.status.success());
    out.stdout
}

fn identity(newkey: &str) -> (One, Vec<u8>) {
    let payload = openssl(&format!(
        "d=$(mktemp -d) && cd $d && openssl req -x509 -newkey {newkey} -nodes -keyout k.pem -out c.pem \
         -subj /CN=example.org -addext subjectAltName=DNS:example.org \
         -addext basicConstraints=critical,CA:FALSE -days 30 2>/dev/null && \
         openssl x509 -in c.pem -outform DER && openssl pkcs8 -topk8 -nocrypt -in k.pem -outform DER; rm -r $d"
    ));
    let parsed = Payload::parse(&payload).unwrap();
    let mut certificate = vec![0; parsed.certificate_len()];
    parsed.write_certificate(&mut certificate).unwrap();
    let mut one = One {
        digest: ticket::certificate_digest::<HostCrypto>(&certificate),
        certificate,
        ocsp: Vec::new(),
        p256: None,
        rsa: None,
    };
    match &parsed.private {
        identity::PrivateKey::P256(k) => one.p256 = P256Key::new(k),
        identity::PrivateKey::Rsa(c) => {
            // SAFETY: Zeroes are a valid value.
            let mut key: Box<RsaKey> = unsafe { tls_handshake_host::zeroed() };
            HostCrypto::rsa_key(&mut key, c).unwrap();
            one.rsa = Some(key);
        }
    }
    (one, parsed.chain.to_vec())
}

/// X25519MLKEM768.
const HYBRID: u16 = 0x11ec;

const DEFAULT: Config<'static> = Config {
    versions: 2,
    flags: 0,
    cipher_suites: &[],
    tls12_cipher_suites: &[],
    groups: &[],
    signature_schemes: &[],
    protocols: Protocols::NONE,
    tickets: Tickets::NONE,
};

fn client(root: &[u8], suite: u16, groups: &[u16]) -> rustls::ClientConnection {
    client_with(root, suite, groups, &[])
}

fn client_with(
    root: &[u8],
    suite: u16,
    groups: &[u16],
    protocols: &[&str],
) -> rustls::ClientConnection {
    let config = client_config(root, suite, groups, protocols);
    rustls::ClientConnection::new(Arc::new(config), "example.org".try_into().unwrap()).unwrap()
}

/// All cipher suites.
const ANY: u16 = 0;

fn client_config(
    root: &[u8],
    suite: u16,
    groups: &[u16],
    protocols: &[&str],
) -> rustls::ClientConfig {
    // Unlike ring it has X25519MLKEM768.
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|s| suite == ANY || u16::from(s.suite()) == suite);
    // In the given order: it sends a share for the first one.
    let known = provider.kx_groups;
    let group = |code: &u16| known.iter().copied().find(|g| u16::from(g.name()) == *code);
    provider.kx_groups = groups.iter().filter_map(group).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.to_vec().into()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    config
}

/// The longest chain in the shortest records, as what is to be sent has to fit.
#[test]
fn longest_flight() {
    use tls_handshake_host::ct::Secret;
    use tls_handshake_host::engine::keys::protection::Protection;
    use tls_handshake_host::engine::keys::schedule::TrafficKeys;
    use tls_handshake_host::engine::wire::names::CipherSuite;

    let keys = || TrafficKeys {
        suite: CipherSuite::Aes128GcmSha256,
        key: Secret::zeroed(),
        iv: Secret::zeroed(),
    };
    // TLS_HS_IDENTITY_MAX, and what engine.h's TLS_HS_OUT_MAX has to have room for: 16
    // certificates, EncryptedExtensions with the longest protocol, CertificateVerify of RSA-4096,
    // Finished of SHA-384; ServerHello with X25519MLKEM768 and ChangeCipherSpec.
    let messages = 32 * 1024 + 16 * 5 + 8 + 300 + 520 + 52;
    let clear = 5 + 90 + 1120 + 6;
    for max in [63, 64, 511, 512, 4096, 16383, 16384] {
        let mut protection = Protection::new(keys());
        protection.limit(max);
        let plain: Vec<u8> = (0..messages).map(|i| ((i * 167) >> 3) as u8).collect();
        let mut buf = vec![0; 48 * 1024 - clear];
        buf[5..5 + messages].copy_from_slice(&plain);
        let len = protection
            .seal::<HostCrypto>(&mut buf, 22, messages)
            .unwrap();
        let (mut rest, mut got) = (&mut buf[..len], Vec::new());
        let mut opener = Protection::new(keys());
        while !rest.is_empty() {
            let len = 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            let (record, tail) = rest.split_at_mut(len);
            let (content_type, len) = opener.open::<HostCrypto>(record).unwrap();
            assert_eq!(content_type, 22);
            assert!(len <= usize::from(max));
            got.extend_from_slice(&record[5..][..len]);
            rest = tail;
        }
        assert_eq!(opener.seq(), messages.div_ceil(usize::from(max)) as u64);
        assert_eq!(got, plain);
    }
}

/// Runs a handshake, giving the server `chunk` more bytes at a time.
fn run(one: &One, client: &mut rustls::ClientConnection, chunk: usize) -> Session {
    run_with(&DEFAULT, one, client, chunk)
}

fn run_with(
    config: &Config<'_>,
    one: &One,
    client: &mut rustls::ClientConnection,
    chunk: usize,
) -> Session {
    let mut session = Session::new();
    // SAFETY: Zeroes are a valid value.
    let mut scratch: Box<Scratch<HostCrypto>> = unsafe { tls_handshake_host::zeroed() };
    let mut wire: Vec<u8> = Vec::new();
    let mut queue: Vec<u8> = Vec::new();
    let mut out = vec![0; 48 * 1024];
    loop {
        client.write_tls(&mut wire).unwrap();
        let n = chunk.min(wire.len());
        assert!(n > 0, "server wants more than there is");
        queue.extend(wire.drain(..n));
        loop {
            let mut input = queue.clone();
            let step =
                session.advance::<HostCrypto>(config, one, &mut input, &mut out, &mut scratch);
            match step {
                Step::More { consumed, need } => {
                    queue.drain(..consumed);
                    assert!(need > queue.len());
                    break;
                }
                Step::Send { consumed, written } => {
                    queue.drain(..consumed);
                    let mut sent = &out[..written];
                    while !sent.is_empty() {
                        client.read_tls(&mut sent).unwrap();
                        client.process_new_packets().unwrap();
                    }
                }
                Step::Done { consumed } => {
                    queue.drain(..consumed);
                    assert!(queue.is_empty() && wire.is_empty());
                    assert!(!client.is_handshaking());
                    return session;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn every_suite_group_and_key() {
    for newkey in [
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "rsa:2048",
        "rsa:3072",
        "rsa:4096",
    ] {
        let (one, root) = identity(newkey);
        for suite in [0x1301, 0x1302, 0x1303] {
            for group in [HYBRID, 29, 23] {
                let mut c = client(&root, suite, &[group]);
                let session = run(&one, &mut c, usize::MAX);
                assert_eq!(session.negotiated().suite.code(), suite);
                assert_eq!(session.negotiated().group.code(), group);
                assert_eq!(session.negotiated().server_name(), b"example.org");
            }
        }
    }
}

#[test]
fn segments_of_any_size() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for chunk in [1, 2, 5, 9, 64, 200] {
        run(&one, &mut client(&root, 0x1301, &[29]), chunk);
        run(&one, &mut client(&root, 0x1301, &[HYBRID, 29]), chunk);
    }
}

#[test]
fn hello_retry_request() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for suite in [0x1301, 0x1302, 0x1303] {
        for group in [23, 29, HYBRID] {
            let config = Config {
                groups: &[group],
                ..DEFAULT
            };
            for chunk in [1, 7, usize::MAX] {
                let mut c = client(&root, suite, &[29, 23, HYBRID]);
                let session = run_with(&config, &one, &mut c, chunk);
                assert_eq!(session.negotiated().group.code(), group);
                let retried = Some(rustls::HandshakeKind::FullWithHelloRetryRequest);
                assert_eq!(c.handshake_kind() == retried, group != 29);
                assert_eq!(session.negotiated().retried, group != 29);
            }
        }
    }
}

/// Without settings X25519MLKEM768 is preferred, but not to a share that saves a round trip.
#[test]
fn default_groups() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for (offered, want, retried) in [
        // With a share for both.
        (&[HYBRID, 29][..], HYBRID, false),
        (&[29, HYBRID], 29, false),
        (&[23, 29, HYBRID], 23, false),
        (&[HYBRID], HYBRID, false),
    ] {
        let mut c = client(&root, 0x1301, offered);
        let session = run(&one, &mut c, usize::MAX);
        assert_eq!(session.negotiated().group.code(), want);
        assert_eq!(session.negotiated().retried, retried);
    }
    // Listed, but the only share is for a group that the server does not know.
    let mut c = client(&root, 0x1301, &[24, 23, 29, HYBRID]);
    let session = run(&one, &mut c, usize::MAX);
    assert_eq!(session.negotiated().group.code(), HYBRID);
    assert!(session.negotiated().retried);
}

#[test]
fn application_protocols() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let config = Config {
        protocols: Protocols::new(b"\x02h2\x08http/1.1").unwrap(),
        ..DEFAULT
    };
    for (offered, want, want_without) in [
        (&["http/1.1", "h2"][..], &b"h2"[..], &b""[..]),
        (&["h3", "http/1.1"], b"http/1.1", b""),
        (&[], b"", b""),
    ] {
        for (config, want) in [(&config, want), (&DEFAULT, want_without)] {
            // With and without a HelloRetryRequest.
            for groups in [&[29][..], &[24, 29]] {
                let mut c = client_with(&root, 0x1301, groups, offered);
                let session = run_with(config, &one, &mut c, usize::MAX);
                assert_eq!(session.negotiated().protocol(), want);
                assert_eq!(c.alpn_protocol().unwrap_or(b""), want);
                assert_eq!(session.negotiated().retried, groups.len() == 2);
            }
        }
    }
}

/// Verifies as ever, and keeps the OCSP response that came along.
#[derive(Debug)]
struct Verifier(
    Arc<rustls::client::WebPkiServerVerifier>,
    std::sync::Mutex<Vec<u8>>,
);

mod verifier {
    use super::Verifier;
    use rustls::client::danger::*;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    impl ServerCertVerifier for Verifier {
        fn verify_server_cert(
            &self,
            leaf: &CertificateDer<'_>,
            others: &[CertificateDer<'_>],
            name: &ServerName<'_>,
            ocsp: &[u8],
            now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            *self.1.lock().unwrap() = ocsp.to_vec();
            self.0.verify_server_cert(leaf, others, name, ocsp, now)
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            leaf: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.0.verify_tls12_signature(message, leaf, signed)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            leaf: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.0.verify_tls13_signature(message, leaf, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_verify_schemes()
        }
    }
}

/// rustls asks for OCSP, and gets what is stapled, with a Certificate of one record and of more.
#[test]
fn ocsp_response() {
    let (mut one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for len in [0, 1, 1000, 30_000] {
        one.ocsp = (0..len).map(|i| (i * 7) as u8).collect();
        for groups in [&[29][..], &[24, 29]] {
            let mut config = client_config(&root, 0x1301, groups, &[]);
            let mut roots = rustls::RootCertStore::empty();
            roots.add(root.clone().into()).unwrap();
            let inner = rustls::client::WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots),
                config.crypto_provider().clone(),
            );
            let verifier = Arc::new(Verifier(inner.build().unwrap(), Default::default()));
            config
                .dangerous()
                .set_certificate_verifier(verifier.clone());
            let name = "example.org".try_into().unwrap();
            let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
            run(&one, &mut client, usize::MAX);
            assert_eq!(*verifier.1.lock().unwrap(), one.ocsp);
        }
    }
}

/// Seals one record under `protection`.
fn seal(protection: &mut Protection, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut record = [&[0; 5], content, &[0; 17]].concat();
    let len = protection.seal::<HostCrypto>(&mut record, kind, content.len());
    assert_eq!(len.unwrap(), record.len());
    record
}

/// Opens all records of `wire`.
fn open(protection: &mut Protection, mut wire: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while !wire.is_empty() {
        let len = 5 + usize::from(u16::from_be_bytes([wire[3], wire[4]]));
        let mut record = wire[..len].to_vec();
        wire = &wire[len..];
        let (kind, len) = protection.open::<HostCrypto>(&mut record).unwrap();
        all.push((kind, record[5..5 + len].to_vec()));
    }
    all
}

/// The connection that a session has made.
fn connection(session: &mut Session) -> Connection<'_> {
    session.connection().expect("a complete handshake")
}

#[test]
fn key_updates_and_exporter() {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    for suite in [0x1301, 0x1302, 0x1303] {
        let mut client = client(&root, suite, &[29]);
        let mut session = run(&one, &mut client, usize::MAX);

        for (context, len) in [(&b""[..], 32), (b"context", 255), (&[7; 1000], 4096)] {
            let want = client
                .export_keying_material(vec![0; len], b"EXPORTER-test", Some(context))
                .unwrap();
            let mut got = vec![0; len];
            assert!(connection(&mut session).export::<HostCrypto>(
                b"EXPORTER-test",
                context,
                &mut got
            ));
            assert_eq!(got, want);
        }

        let mut rx = Protection::new(connection(&mut session).traffic_keys::<HostCrypto>(false));
        let mut tx = Protection::new(connection(&mut session).traffic_keys::<HostCrypto>(true));
        for _ in 0..3 {
            // The client's, which wants ours.
            client.refresh_traffic_keys().unwrap();
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            for (kind, content) in open(&mut rx, &wire) {
                assert_eq!(kind, 22);
                let event = connection(&mut session)
                    .messages
                    .on_record(22, &content)
                    .unwrap();
                assert_eq!(event, Event::KeyUpdate { requested: true });
            }
            rx = Protection::new(connection(&mut session).update_traffic_keys::<HostCrypto>(false));
            // Ours, which wants one more of the client.
            let mut wire = seal(&mut tx, 22, &[24, 0, 0, 1, 1]);
            tx = Protection::new(connection(&mut session).update_traffic_keys::<HostCrypto>(true));
            wire.extend(seal(&mut tx, 23, b"from the server"));
            client.read_tls(&mut &wire[..]).unwrap();
            client.process_new_packets().unwrap();
            let mut got = [0; 100];
            let n = client.reader().read(&mut got).unwrap();
            assert_eq!(&got[..n], b"from the server");
            // The answer, under the old key, and data under the new one.
            client.writer().write_all(b"from the client").unwrap();
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let answer = 5 + usize::from(u16::from_be_bytes([wire[3], wire[4]]));
            let (answer, data) = wire.split_at(answer);
            assert_eq!(open(&mut rx, answer), [(22, vec![24, 0, 0, 1, 0])]);
            let event = connection(&mut session)
                .messages
                .on_record(22, &[24, 0, 0, 1, 0])
                .unwrap();
            assert_eq!(event, Event::KeyUpdate { requested: false });
            rx = Protection::new(connection(&mut session).update_traffic_keys::<HostCrypto>(false));
            assert_eq!(open(&mut rx, data), [(23, b"from the client".to_vec())]);
            connection(&mut session)
                .messages
                .on_application_data(1)
                .unwrap();
        }
        // After an alert nothing can be exported or derived; what has been negotiated stays.
        session.forget();
        assert!(session.connection().is_none());
        assert_eq!(session.negotiated().suite.code(), suite);
    }
}
