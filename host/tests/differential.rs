// SPDX-License-Identifier: GPL-2.0
//! The same ClientHello for our engine, for rustls and for OpenSSL. Where one goes on and another
//! does not, or they say other alerts, a rule below must tell why. `make differential-hello` runs
//! many and writes what it finds to differential.md.
#![cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(tls_hs_cross)
))]

mod common;
#[path = "../fuzz/src/engine/hello.rs"]
#[allow(dead_code)]
mod hello;
#[path = "../fuzz/src/engine/peer.rs"]
#[allow(dead_code)]
mod peer;
#[path = "../fuzz/src/engine/program.rs"]
#[allow(dead_code)]
mod program;

use hello::{mutate_bytes, Parts, Rng};
use openssl::ssl::{self, Ssl, SslContext, SslMethod, SslVersion};
use program::{shares, Hello};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use tls_handshake_host::engine::crypto::P256Key;
use tls_handshake_host::engine::policy::settings::Config;
use tls_handshake_host::engine::scratch::Scratch;
use tls_handshake_host::engine::state::session::{Session, Step};
use tls_handshake_host::engine::wire::alpn::Protocols;
use tls_handshake_host::host_crypto::HostCrypto;

/// What a server does with a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// ServerHello of TLS 1.3: cipher suite and group.
    Answers(u16, u16),
    /// HelloRetryRequest: cipher suite and group.
    Retries(u16, u16),
    /// ServerHello of an older version.
    Older,
    /// A fatal alert.
    Alert(u8),
    /// It wants more bytes.
    Waits,
    /// The connection ends without an alert.
    Closes,
    /// Ours only: user space is to do it.
    Fallback(u8),
}

impl Verdict {
    fn of_output(out: &[u8], over: bool) -> Self {
        match *out {
            [21, _, _, _, _, _, description, ..] => Verdict::Alert(description),
            [22, _, _, _, _, 2, ..] => {
                let message = &out[9..];
                let id = usize::from(message[34]);
                let suite = u16::from_be_bytes([message[35 + id], message[36 + id]]);
                let end = usize::from(u16::from_be_bytes([out[3], out[4]])) - 4;
                let extensions = Hello {
                    head: message,
                    extensions: message.get(40 + id..end).unwrap_or(&[]),
                };
                if extensions.get(43) != Some(&[3, 4]) {
                    return Verdict::Older;
                }
                let share = extensions.get(51).unwrap();
                let group = u16::from_be_bytes([share[0], share[1]]);
                if share.len() == 2 {
                    Verdict::Retries(suite, group)
                } else {
                    Verdict::Answers(suite, group)
                }
            }
            _ if over => Verdict::Closes,
            _ => Verdict::Waits,
        }
    }

    /// What a class is told by.
    fn name(self) -> String {
        let alerts = [
            (10, "unexpected_message"),
            (20, "bad_record_mac"),
            (22, "record_overflow"),
            (40, "handshake_failure"),
            (47, "illegal_parameter"),
            (50, "decode_error"),
            (51, "decrypt_error"),
            (70, "protocol_version"),
            (80, "internal_error"),
            (86, "inappropriate_fallback"),
            (109, "missing_extension"),
            (112, "unrecognized_name"),
            (115, "unknown_psk_identity"),
            (120, "no_application_protocol"),
        ];
        match self {
            Verdict::Answers(..) => "answers".into(),
            Verdict::Retries(..) => "HelloRetryRequest".into(),
            Verdict::Older => "answers with TLS 1.2".into(),
            Verdict::Alert(code) => match alerts.iter().find(|a| a.0 == code) {
                Some((_, name)) => name.to_string(),
                None => format!("alert {code}"),
            },
            Verdict::Waits => "waits".into(),
            Verdict::Closes => "closes without an alert".into(),
            Verdict::Fallback(code) => {
                let name = match code {
                    1 => "not supported",
                    2 => "version",
                    3 => "suite",
                    4 => "group",
                    5 => "signature scheme",
                    7 => "size",
                    _ => "other",
                };
                format!("falls back: {name}")
            }
        }
    }
}

const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";

/// The servers that are compared.
struct Servers {
    scratch: Box<Scratch<HostCrypto>>,
    out: Vec<u8>,
    any: common::Any,
    rustls: Arc<rustls::ServerConfig>,
    openssl: SslContext,
}

impl Servers {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["example.org".to_string()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let certificate = params.self_signed(&key).unwrap();

        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // Ours are all that there are of TLS 1.3, in this order.
        let known = provider.cipher_suites.clone();
        let code = |suite: &rustls::SupportedCipherSuite| u16::from(suite.suite());
        provider.cipher_suites = [0x1301, 0x1302, 0x1303]
            .iter()
            .filter_map(|c| known.iter().find(|s| code(s) == *c).copied())
            .chain(known.iter().filter(|s| code(s) >> 8 != 0x13).copied())
            .collect();
        let order = [0x11ec, 29, 23];
        let place = |g: u16| order.iter().position(|o| *o == g);
        provider
            .kx_groups
            .retain(|g| place(u16::from(g.name())).is_some());
        provider
            .kx_groups
            .sort_by_key(|g| place(u16::from(g.name())));
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.send_tls13_tickets = 0;

        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context
            .set_private_key(
                &openssl::pkey::PKey::private_key_from_der(&key.serialize_der()).unwrap(),
            )
            .unwrap();
        context
            .set_certificate(&openssl::x509::X509::from_der(certificate.der()).unwrap())
            .unwrap();
        context
            .set_min_proto_version(Some(SslVersion::TLS1_2))
            .unwrap();
        context
            .set_ciphersuites(
                "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
            )
            .unwrap();
        context.set_options(ssl::SslOptions::CIPHER_SERVER_PREFERENCE | ssl::SslOptions::NO_TICKET);
        // OpenSSL has X25519MLKEM768 since 3.5.
        context
            .set_groups_list("X25519MLKEM768:X25519:P-256")
            .or_else(|_| context.set_groups_list("X25519:P-256"))
            .unwrap();
        context.set_alpn_select_callback(|_, client| {
            ssl::select_next_proto(PROTOCOLS, client).ok_or(ssl::AlpnError::ALERT_FATAL)
        });
        Servers {
            // SAFETY: Zeroes are a valid value.
            scratch: unsafe { tls_handshake_host::zeroed() },
            out: vec![0; 4096],
            any: common::Any(P256Key::new(&[7]).unwrap()),
            rustls: Arc::new(config),
            openssl: context.build(),
        }
    }

    fn ours(&mut self, wire: &[u8]) -> Verdict {
        let config = Config {
            protocols: Protocols::new(PROTOCOLS).unwrap(),
            ..common::CONFIG
        };
        let mut input = wire.to_vec();
        let (out, scratch) = (&mut self.out, &mut self.scratch);
        match Session::new().advance::<HostCrypto>(&config, &self.any, &mut input, out, scratch) {
            Step::Send { written, .. } => Verdict::of_output(&out[..written], false),
            Step::Alert { alert, written } => {
                assert_eq!(out[..written], [21, 3, 3, 0, 2, 2, alert as u8]);
                Verdict::Alert(alert as u8)
            }
            Step::Fallback(reason) => Verdict::Fallback(reason as u8),
            Step::More { .. } => Verdict::Waits,
            Step::PeerAlert { .. } => Verdict::Closes,
            other => panic!("{other:?}"),
        }
    }

    fn rustls(&self, wire: &[u8]) -> Verdict {
        let mut server = rustls::ServerConnection::new(self.rustls.clone()).unwrap();
        let mut over = false;
        let mut rest = wire;
        while !rest.is_empty() && !over {
            server.read_tls(&mut rest).unwrap();
            over = server.process_new_packets().is_err();
        }
        let mut out = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut out).unwrap();
        }
        Verdict::of_output(&out, over)
    }

    fn openssl(&self, wire: &[u8]) -> Verdict {
        let mut stream = ssl::SslStream::new(
            Ssl::new(&self.openssl).unwrap(),
            Pipe {
                input: wire.to_vec(),
                at: 0,
                out: Vec::new(),
            },
        )
        .unwrap();
        let over = match stream.accept() {
            Ok(()) => false,
            Err(error) => error.code() != ssl::ErrorCode::WANT_READ,
        };
        Verdict::of_output(&stream.get_ref().out, over)
    }
}

/// What a client sends, and the answer.
struct Pipe {
    input: Vec<u8>,
    at: usize,
    out: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.input.len() - self.at);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buf[..n].copy_from_slice(&self.input[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.extend(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hellos of real clients: curl's impersonations of browsers, OpenSSL, GnuTLS.
const REAL: [&[u8]; 9] = [
    include_bytes!("hellos/chrome124"),
    include_bytes!("hellos/chrome150"),
    include_bytes!("hellos/firefox147"),
    include_bytes!("hellos/safari260"),
    include_bytes!("hellos/tor145"),
    include_bytes!("hellos/openssl-3.0"),
    include_bytes!("hellos/openssl-3.0-p384"),
    include_bytes!("hellos/openssl-3.0-tls12"),
    include_bytes!("hellos/gnutls-3.7"),
];

/// The body of the ClientHello number `n`.
fn make(n: u32) -> Vec<u8> {
    let mut rng = Rng::new(n.wrapping_mul(0x9e37_79b1) ^ 0x5eed);
    for _ in 0..8 {
        rng.next();
    }
    let mut parts = match rng.below(3) {
        0 => Parts::new(&mut rng),
        _ => Parts::parse(&rng.of(&REAL)[9..]).unwrap(),
    };
    for _ in 0..rng.of(&[0, 1, 1, 1, 2, 2, 3]) {
        parts.mutate(&mut rng);
    }
    let mut body = Vec::new();
    parts.write(&mut body);
    if rng.one_in(20) {
        mutate_bytes(&mut rng, &mut body);
    }
    body
}

fn record(body: &[u8]) -> Vec<u8> {
    let mut message = (body.len() as u32 | 1 << 24).to_be_bytes().to_vec();
    message.extend(body);
    let mut wire = vec![22, 3, 1];
    wire.extend((message.len() as u16).to_be_bytes());
    wire.extend(message);
    wire
}

/// What is wrong with a ClientHello, or special, found without the engine's code.
#[derive(Clone, Copy)]
struct Finding {
    what: &'static str,
    /// What decides; sections are those of RFC 9846 unless another one is named.
    section: &'static str,
    /// What our engine may do about it, by name.
    ours: &'static [&'static str],
    /// What the others do about it instead.
    others: &'static [&'static str],
}

/// ServerHello or HelloRetryRequest of TLS 1.3.
const GO: &str = "goes on";
const FAILURE: &str = "handshake_failure";
const ILLEGAL: &str = "illegal_parameter";
const DECODE: &str = "decode_error";
const VERSION: &str = "protocol_version";
const MISSING: &str = "missing_extension";
const TLS12: &str = "answers with TLS 1.2";
const INAPPROPRIATE: &str = "inappropriate_fallback";

/// Cuts a vector off, of which the length has `width` bytes.
fn vector<'a>(bytes: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let (len, rest) = bytes.split_at_checked(width)?;
    let len = len.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    let (vector, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    Some(vector)
}

/// A vector that is all there is.
fn only(mut bytes: &[u8], width: usize) -> Option<&[u8]> {
    let vector = vector(&mut bytes, width)?;
    bytes.is_empty().then_some(vector)
}

/// The vectors in a vector; each of them is followed by so many bytes.
fn vectors(mut bytes: &[u8], width: usize, after: usize) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        all.push(vector(&mut bytes, width)?);
        bytes = bytes.get(after..)?;
    }
    Some(all)
}

fn numbers(list: &[u8]) -> Option<Vec<u16>> {
    let pairs = list
        .chunks(2)
        .map(|c| Some(u16::from_be_bytes(c.try_into().ok()?)));
    let list: Vec<u16> = pairs.collect::<Option<_>>()?;
    (!list.is_empty()).then_some(list)
}

/// Whether an extension has the form that its standard gives it.
fn formed(kind: u16, body: &[u8]) -> bool {
    let good = || {
        match kind {
            0 => {
                let mut list = only(body, 2).filter(|l| !l.is_empty())?;
                while let [_, rest @ ..] = list {
                    list = rest;
                    vector(&mut list, 2).filter(|name| !name.is_empty())?;
                }
            }
            1 => return (body.len() == 1).then_some(()),
            5 => match body {
                [] => return None,
                [1, tail @ ..] => {
                    let mut rest = tail;
                    let responders = vectors(vector(&mut rest, 2)?, 2, 0)?;
                    only(rest, 2)?;
                    return (!responders.iter().any(|r| r.is_empty())).then_some(());
                }
                // Of another type, which has no form here.
                _ => (),
            },
            10 | 13 | 50 => drop(numbers(only(body, 2)?)?),
            16 => {
                let names = vectors(only(body, 2)?, 1, 0)?;
                return (!names.is_empty() && names.iter().all(|n| !n.is_empty())).then_some(());
            }
            18 => return body.is_empty().then_some(()),
            28 | 58 => return (body.len() == 2).then_some(()),
            41 => {
                let mut rest = body;
                let identities = vectors(vector(&mut rest, 2)?, 2, 4)?;
                let binders = vectors(only(rest, 2)?, 1, 0)?;
                return (!identities.is_empty()
                    && !binders.is_empty()
                    && identities.iter().all(|i| !i.is_empty())
                    && binders.iter().all(|b| b.len() >= 32))
                .then_some(());
            }
            42 => return body.is_empty().then_some(()),
            43 => drop(numbers(only(body, 1)?)?),
            44 => return only(body, 2).filter(|c| !c.is_empty()).map(|_| ()),
            45 => return only(body, 1).filter(|m| !m.is_empty()).map(|_| ()),
            47 => {
                let names = vectors(only(body, 2)?, 2, 0)?;
                return (!names.is_empty() && names.iter().all(|n| !n.is_empty())).then_some(());
            }
            51 => {
                let mut list = only(body, 2)?;
                while !list.is_empty() {
                    list = list.get(2..)?;
                    vector(&mut list, 2).filter(|key| !key.is_empty())?;
                }
            }
            _ => (),
        }
        Some(())
    };
    good().is_some()
}

/// The same for extensions that our engine does not read and others do.
fn formed_elsewhere(kind: u16, body: &[u8]) -> bool {
    let good = || {
        let mut rest;
        match kind {
            // status_request (RFC 6066, section 8): of no other type.
            5 => {
                let [1, ..] = body else { return None };
            }
            // ec_point_formats (RFC 8422): the uncompressed one is among them.
            11 => return only(body, 1).filter(|l| l.contains(&0)).map(|_| ()),
            // extended_main_secret (RFC 7627), encrypt_then_mac (RFC 7366).
            22 | 23 => return body.is_empty().then_some(()),
            // compress_certificate (RFC 8879): each algorithm once.
            27 => {
                let mut list = numbers(only(body, 1)?)?;
                list.sort_unstable();
                return (!list.windows(2).any(|w| w[0] == w[1])).then_some(());
            }
            // renegotiation_info (RFC 5746): nothing before a first handshake.
            65281 => return (body == [0]).then_some(()),
            // encrypted_client_hello (RFC 9849): an outer one.
            65037 => {
                let [0, _, _, _, _, _, tail @ ..] = body else {
                    return None;
                };
                rest = tail;
                vector(&mut rest, 2)?;
                only(rest, 2).filter(|p| !p.is_empty())?;
            }
            _ => (),
        }
        Some(())
    };
    good().is_some()
}

/// A share with which there is no agreement (sections 4.3.8.2 and 7.4.2; FIPS 203, section 7.2).
fn is_bad_share(group: u16, key: &[u8]) -> bool {
    let bad_x25519 = |key: &[u8]| key.len() != 32 || key == [0; 32];
    match group {
        29 => bad_x25519(key),
        23 => key.len() != 65 || p256_crate::PublicKey::from_sec1_bytes(key).is_err(),
        _ => {
            key.len() != 1216
                || bad_x25519(&key[1184..])
                || key[..1152].chunks(3).any(|b| {
                    let number = u32::from_le_bytes([b[0], b[1], b[2], 0]);
                    number & 0xfff >= 3329 || number >> 12 >= 3329
                })
        }
    }
}

/// All findings, the ones that decide first come first.
fn findings(body: &[u8]) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut found = |what, section, ours, others| {
        all.push(Finding {
            what,
            section,
            ours,
            others,
        });
    };
    let parsed = Parts::parse(body).filter(|p| {
        p.session_id.len() <= 32 && !p.compression.is_empty() && numbers(&p.suites).is_some()
    });
    let Some(parts) = parsed else {
        // Without extensions it may be of TLS 1.2.
        found(
            "the fields do not fit in each other",
            "4.2.2, 6.2",
            &[
                DECODE,
                ILLEGAL,
                VERSION,
                INAPPROPRIATE,
                "falls back: version",
            ],
            &[
                ILLEGAL,
                FAILURE,
                VERSION,
                TLS12,
                MISSING,
                "closes without an alert",
            ],
        );
        return all;
    };
    let get = |kind: u16| {
        parts
            .extensions
            .iter()
            .find(|e| e.0 == kind)
            .map(|e| &e.1[..])
    };
    let list = |kind: u16, width| get(kind).and_then(|b| numbers(only(b, width)?));
    let suites = numbers(&parts.suites).unwrap();
    let versions = list(43, 1);
    let legacy = u16::from_be_bytes(parts.version);

    let malformed = parts
        .extensions
        .iter()
        .any(|(kind, body)| !formed(*kind, body));
    if malformed {
        found(
            "an extension does not have its form",
            "6.2",
            &[DECODE],
            &[ILLEGAL, GO, TLS12, FAILURE, VERSION, MISSING, INAPPROPRIATE],
        );
    }
    let mut kinds: Vec<u16> = parts.extensions.iter().map(|e| e.0).collect();
    let last = kinds.last().copied();
    if kinds.contains(&41) && last != Some(41) {
        found(
            "pre_shared_key is not the last extension",
            "4.3.11",
            &[ILLEGAL],
            &[DECODE, GO, TLS12, FAILURE, VERSION, MISSING],
        );
    }
    kinds.sort_unstable();
    if kinds.windows(2).any(|w| w[0] == w[1]) {
        found(
            "an extension is there twice",
            "4.3",
            &[ILLEGAL],
            &[DECODE, GO, TLS12, FAILURE, VERSION, MISSING, INAPPROPRIATE],
        );
    }
    if let Some(names) = get(0).and_then(|b| only(b, 2)) {
        let mut rest = names;
        let mut hosts = Vec::new();
        while let [kind, tail @ ..] = rest {
            rest = tail;
            match vector(&mut rest, 2) {
                Some(name) => hosts.push((*kind, name)),
                None => break,
            }
        }
        if hosts.iter().any(|h| h.0 != 0) {
            found(
                "a server_name of another kind",
                "RFC 6066, 3",
                &[GO, "falls back: version"],
                &[ILLEGAL, DECODE, TLS12],
            );
        }
        let is_name = |name: &[u8]| {
            let name = std::str::from_utf8(name).ok();
            name.is_some_and(|n| rustls_pki_types::DnsName::try_from(n).is_ok())
        };
        if hosts.iter().any(|h| !is_name(h.1)) {
            found(
                "a host name that is no DNS name",
                "RFC 6066, 3",
                &[GO, "falls back: version"],
                &[ILLEGAL, TLS12, DECODE],
            );
        }
        let names = || hosts.iter().filter(|h| h.0 == 0);
        let is_text = |name: &[u8]| name.iter().all(u8::is_ascii_graphic);
        if names().any(|h| !is_text(h.1)) || names().count() > 1 {
            found(
                "a name that is not ASCII, or two host names",
                "RFC 6066, 3",
                &[ILLEGAL],
                &["unrecognized_name", DECODE, GO, TLS12, FAILURE, VERSION],
            );
        }
    }
    if let Some((identities, binders)) = get(41).and_then(|mut b| {
        Some((
            vectors(vector(&mut b, 2)?, 2, 4)?,
            vectors(only(b, 2)?, 1, 0)?,
        ))
    }) {
        if identities.len() != binders.len() {
            found(
                "not as many binders as identities",
                "4.3.11",
                &[ILLEGAL],
                &[DECODE, GO, TLS12, FAILURE, VERSION, MISSING],
            );
        }
    }

    if !parts
        .extensions
        .iter()
        .all(|(kind, body)| formed_elsewhere(*kind, body))
    {
        found(
            "an extension that is ignored here does not have its form",
            "4.3",
            &[GO, TLS12, "falls back: version"],
            &[DECODE, ILLEGAL, FAILURE],
        );
    }
    let authorities = get(47)
        .and_then(|b| vectors(only(b, 2)?, 2, 0))
        .unwrap_or_default();
    if authorities
        .iter()
        .any(|name| openssl::x509::X509Name::from_der(name).is_err())
    {
        found(
            "a certificate authority that is no name",
            "4.3.4: only compared",
            &[GO, "falls back: version"],
            &[DECODE],
        );
    }
    if legacy <= 0x0300 {
        found(
            "legacy_version of SSL 3.0 or older",
            "appendix E.5",
            &[VERSION],
            &[GO, TLS12, DECODE, FAILURE, ILLEGAL, MISSING],
        );
    }
    let offers = |version: u16| match &versions {
        Some(versions) => versions.contains(&version),
        None => version == 0x0303 && legacy >= version,
    };
    if offers(0x0304) && legacy != 0x0303 {
        // New in RFC 9846.
        found(
            "legacy_version is not 0x0303 in a ClientHello of TLS 1.3",
            "4.2.2",
            &[VERSION],
            &[
                GO,
                DECODE,
                FAILURE,
                ILLEGAL,
                MISSING,
                "unrecognized_name",
                "no_application_protocol",
            ],
        );
    }
    if !offers(0x0304) {
        if !offers(0x0303) {
            found(
                "no version in common",
                "4.3.1",
                &[VERSION],
                &[DECODE, FAILURE, ILLEGAL, TLS12, INAPPROPRIATE],
            );
        } else if suites.contains(&0x5600) {
            found(
                "TLS_FALLBACK_SCSV without TLS 1.3",
                "RFC 7507, 3",
                &[INAPPROPRIATE],
                &[DECODE, FAILURE, TLS12, ILLEGAL],
            );
        } else {
            found(
                "TLS 1.2 only",
                "4.3.1: user space decides",
                &["falls back: version"],
                &[
                    TLS12,
                    FAILURE,
                    DECODE,
                    ILLEGAL,
                    "no_application_protocol",
                    "closes without an alert",
                ],
            );
        }
        return all;
    }

    if parts.compression != [0] {
        found("compression", "4.2.2", &[ILLEGAL], &[DECODE, GO, FAILURE]);
    }
    if get(44).is_some() {
        found(
            "a cookie that nobody gave",
            "4.3.2",
            &[ILLEGAL],
            &[GO, DECODE, FAILURE, MISSING],
        );
    }
    if get(42).is_some() && get(41).is_none() {
        found(
            "early_data without pre_shared_key",
            "4.3.10",
            &[GO],
            &[GO, DECODE, FAILURE, MISSING],
        );
    }
    if get(41).is_some() && get(45).is_none() {
        found(
            "pre_shared_key without psk_key_exchange_modes",
            "4.3.9",
            &[MISSING],
            &[GO, DECODE, FAILURE, ILLEGAL],
        );
    }
    let (groups, schemes, shared) = (list(10, 2), list(13, 2), get(51));
    if groups.is_some() != shared.is_some() || groups.is_none() {
        found(
            "supported_groups and key_share are not both there",
            "9.2",
            &[MISSING, "falls back: not supported"],
            &[GO, DECODE, FAILURE, ILLEGAL],
        );
    }
    if schemes.is_none() {
        found(
            "no signature_algorithms",
            "9.2",
            &[MISSING, "falls back: not supported"],
            &[GO, DECODE, FAILURE, ILLEGAL],
        );
    }
    let (groups, schemes) = (groups.unwrap_or_default(), schemes.unwrap_or_default());
    let shares: Vec<(u16, &[u8])> = shared.map_or(Vec::new(), |b| shares(b).collect());
    let mut with_share: Vec<u16> = shares.iter().map(|s| s.0).collect();
    if with_share.iter().any(|g| !groups.contains(g)) {
        found(
            "a share for a group that is not supported",
            "4.3.8",
            &[ILLEGAL],
            &[GO, DECODE, FAILURE, MISSING],
        );
    }
    with_share.sort_unstable();
    if with_share.windows(2).any(|w| w[0] == w[1]) {
        found(
            "two shares for a group",
            "4.3.8",
            &[ILLEGAL],
            &[GO, DECODE, FAILURE, MISSING],
        );
    }
    if let Some([high, low]) = get(28) {
        if u16::from_be_bytes([*high, *low]) < 64 {
            found(
                "record_size_limit below 64",
                "RFC 8449, 4",
                &[ILLEGAL],
                &[GO, DECODE, FAILURE, MISSING],
            );
        }
    } else if get(1).is_some_and(|b| !matches!(b, [1..=4])) {
        found(
            "a max_fragment_length that is none",
            "RFC 6066, 4",
            &[ILLEGAL],
            &[GO, DECODE, FAILURE, MISSING],
        );
    }
    if get(28).is_some() && get(1).is_some_and(|b| !matches!(b, [1..=4])) {
        found(
            "a max_fragment_length that is none, beside record_size_limit",
            "RFC 8449, 5",
            &[GO],
            &[ILLEGAL],
        );
    }
    if !suites.iter().any(|s| (0x1301..=0x1303).contains(s)) {
        found(
            "no cipher suite in common",
            "4.2.1: user space decides",
            &["falls back: suite"],
            &[FAILURE, DECODE, ILLEGAL, MISSING],
        );
    }
    const ORDER: [u16; 3] = [0x11ec, 29, 23];
    if !ORDER
        .iter()
        .any(|g| groups.contains(g) || with_share.contains(g))
    {
        found(
            "no group in common",
            "4.2.1: user space decides",
            &["falls back: group"],
            &[FAILURE, DECODE, ILLEGAL, MISSING],
        );
    }
    if groups.contains(&0x11ec) && !groups.contains(&29) && !groups.contains(&23) {
        found(
            "no group in common but X25519MLKEM768",
            "RFC 10024",
            &[GO],
            &[GO, FAILURE],
        );
    }
    if !schemes.contains(&0x0403) {
        found(
            "no signature scheme in common",
            "4.5.1.2: user space decides",
            &["falls back: signature scheme"],
            &[GO, FAILURE, DECODE, ILLEGAL, MISSING],
        );
    }
    if list(50, 2).is_some_and(|list| !list.contains(&0x0403)) {
        found(
            "the chain is not signed with what signature_algorithms_cert has",
            "4.5.1.2",
            &[GO],
            &[FAILURE],
        );
    }
    let protocols = get(16)
        .and_then(|b| vectors(only(b, 2)?, 1, 0))
        .unwrap_or_default();
    if !protocols.is_empty() && !protocols.iter().any(|p| matches!(*p, b"h2" | b"http/1.1")) {
        found(
            "no application protocol in common",
            "RFC 7301, 3.2",
            &["no_application_protocol"],
            &[GO, DECODE, FAILURE, ILLEGAL, MISSING],
        );
    }
    // Of all groups with a share the one is used that the server likes best.
    let of = |group: &u16| shares.iter().find(|s| s.0 == *group).copied();
    if let Some((group, key)) = ORDER.iter().find_map(of) {
        if is_bad_share(group, key) {
            found(
                "a share that is none",
                "4.3.8.2, 7.4.2",
                &[ILLEGAL],
                &[GO, DECODE, FAILURE],
            );
        }
    }
    if ORDER
        .iter()
        .filter_map(of)
        .any(|(group, key)| is_bad_share(group, key))
    {
        found(
            "a share that is none, but another one is used",
            "4.3.8",
            &[GO],
            &[ILLEGAL, DECODE, FAILURE],
        );
    }
    all
}

/// The name by which findings call a verdict.
fn short(verdict: Verdict) -> String {
    match verdict {
        Verdict::Answers(..) | Verdict::Retries(..) => GO.into(),
        other => other.name(),
    }
}

/// Whether a server may do that.
fn is_explained(findings: &[Finding], verdict: &str, ours: bool) -> bool {
    let may = |f: &Finding| f.ours.contains(&verdict) || !ours && f.others.contains(&verdict);
    if verdict == GO {
        findings.iter().all(may)
    } else {
        findings.iter().any(may)
    }
}

/// What came of it, by finding, our verdict, theirs and who they are.
#[derive(Default)]
struct Table {
    rows: BTreeMap<(&'static str, &'static str, String, String, &'static str), u32>,
    same: u32,
    choices: BTreeMap<&'static str, u32>,
    unexplained: Vec<String>,
}

fn compare(count: u32) -> Table {
    let mut servers = Servers::new();
    let mut table = Table::default();
    for n in 0..count {
        let body = make(n);
        let wire = record(&body);
        let findings = findings(&body);
        let ours = servers.ours(&wire);
        let verdicts = [
            ("rustls", servers.rustls(&wire)),
            ("OpenSSL", servers.openssl(&wire)),
        ];
        let what = || {
            findings
                .iter()
                .map(|f| f.what)
                .collect::<Vec<_>>()
                .join("; ")
        };
        if !is_explained(&findings, &short(ours), true) {
            table
                .unexplained
                .push(format!("{n}: ours {ours:?}: [{}]", what()));
        }
        for (who, theirs) in verdicts {
            if !is_explained(&findings, &short(theirs), false) {
                table.unexplained.push(format!(
                    "{n}: {who} {theirs:?}, ours {ours:?}: [{}]",
                    what()
                ));
            }
            let (a, b) = (short(ours), short(theirs));
            if a == b {
                table.same += 1;
                if ours != theirs {
                    *table.choices.entry(who).or_default() += 1;
                }
                continue;
            }
            // What tells why: of ours, if it refuses, else of theirs.
            let why = findings.iter().find(|f| {
                if a == GO {
                    f.others.contains(&b.as_str())
                } else {
                    f.ours.contains(&a.as_str())
                }
            });
            let (what, section) = why.map_or(("?", "?"), |f| (f.what, f.section));
            *table.rows.entry((what, section, a, b, who)).or_default() += 1;
        }
    }
    table
}

impl Table {
    /// The table as Markdown.
    fn write(&self, count: u32) -> String {
        let mut out = format!(
            "# The same ClientHello for three servers\n\n\
             `make differential-hello` wrote this: {count} ClientHellos, made and changed from those of\n\
             real clients, for our engine, for rustls with aws-lc and for OpenSSL {}.\n\
             All have the suites, groups, certificate and application protocols in common that ours\n\
             has; a server that goes on answers with ServerHello or HelloRetryRequest of TLS 1.3.\n\n\
             In {} comparisons of {} both did the same. Both went on but chose another suite or\n\
             group: {:?}. That is the server's choice (RFC 9846, 4.2.1).\n\n\
             All others are below, with what is special about the ClientHello and the section that\n\
             decides; sections are of RFC 9846 unless another one is named.\n\n\
             | ClientHello | decided by | ours | the other | which | times |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            openssl::version::version().split(' ').nth(1).unwrap_or(""),
            self.same,
            2 * count,
            self.choices,
        );
        for ((what, section, ours, theirs, who), n) in &self.rows {
            out += &format!("| {what} | {section} | {ours} | {theirs} | {who} | {n} |\n");
        }
        out
    }
}

#[test]
fn differences_are_explained() {
    // Set by make differential-hello.
    let count = std::env::var("TLS_HS_HELLOS").map_or(2000, |n| n.parse().unwrap());
    let table = compare(count);
    let list = table.unexplained.join("\n");
    assert!(list.is_empty(), "not explained:\n{list}");
    // Most comparisons are of servers that agree, and not only because all refuse.
    assert!(table.same > count);
    if let Ok(path) = std::env::var("TLS_HS_TABLE") {
        std::fs::write(path, table.write(count)).unwrap();
    }
}

/// The rules tell something: what real clients send has nothing special, but for TLS 1.2.
#[test]
fn real_clients() {
    let mut servers = Servers::new();
    let mut went_on = 0;
    for wire in REAL {
        let findings = findings(&wire[9..]);
        let ours = short(servers.ours(wire));
        if ours == GO {
            assert!(findings.is_empty());
            went_on += 1;
        } else {
            assert_eq!(ours, "falls back: version");
        }
        assert!(is_explained(&findings, &short(servers.rustls(wire)), false));
        assert!(is_explained(
            &findings,
            &short(servers.openssl(wire)),
            false
        ));
    }
    assert_eq!(went_on, REAL.len() - 1);
}
