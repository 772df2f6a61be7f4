// SPDX-License-Identifier: GPL-2.0
//! A TLS client over rustls and aws-lc: rustls-client NAME PORT REQUEST [OPTION=VALUE]...

use rustls::client::Resumption;
use rustls::crypto::{aws_lc_rs, CryptoProvider};
use rustls::pki_types::{pem::PemObject, CertificateDer, ServerName};
use rustls::{version, ClientConfig, ClientConnection, RootCertStore};
use std::collections::HashMap;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const FIRST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

type Options = HashMap<String, String>;

fn provider(option: &Options) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();

    if let Some(suite) = option.get("suite") {
        let name = suite.replace("TLS_", "TLS13_");
        provider.cipher_suites.retain(|s| format!("{:?}", s.suite()) == name);
    }
    // The first one gets a share.
    if let Some(groups) = option.get("groups") {
        provider.kx_groups = groups
            .split(':')
            .map(|name| match name {
                "x25519" => aws_lc_rs::kx_group::X25519,
                "secp256r1" => aws_lc_rs::kx_group::SECP256R1,
                "secp384r1" => aws_lc_rs::kx_group::SECP384R1,
                _ => aws_lc_rs::kx_group::X25519MLKEM768,
            })
            .collect();
    }
    provider
}

fn talk(config: &Arc<ClientConfig>, name: &str, port: &str, request: &[u8], option: &Options)
    -> Result<Vec<u8>, Box<dyn Error>> {
    let mut sock = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    let mut conn = ClientConnection::new(config.clone(), ServerName::try_from(name.to_string())?)?;
    let mut answer = Vec::new();

    if option.contains_key("early") {
        if let Some(mut early) = conn.early_data() {
            let len = early.write(&request[..request.len().min(1000)])?;
            eprintln!("early data: {len} bytes");
        }
    }
    while conn.is_handshaking() {
        conn.complete_io(&mut sock)?;
    }
    eprintln!("{:?} {:?} {:?} early_accepted={}", conn.handshake_kind(),
        conn.negotiated_key_exchange_group(), conn.negotiated_cipher_suite(),
        conn.is_early_data_accepted());
    let mut tls = rustls::Stream::new(&mut conn, &mut sock);
    for (i, part) in request.chunks(request.len().div_ceil(2)).enumerate() {
        if i == 1 && option.contains_key("update") {
            tls.conn.refresh_traffic_keys()?;
        }
        tls.write_all(part)?;
    }
    tls.flush()?;
    match tls.read_to_end(&mut answer) {
        Err(err) if err.kind() != ErrorKind::UnexpectedEof => Err(err.into()),
        _ => Ok(answer),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let option: Options = args[4..]
        .iter()
        .filter_map(|word| word.split_once('=').map(|(a, b)| (a.to_string(), b.to_string())))
        .collect();
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter("ca.pem")? {
        roots.add(cert?)?;
    }
    let versions: &[&rustls::SupportedProtocolVersion] =
        if option.get("version").is_some_and(|v| v == "1.2") { &[&version::TLS12] } else { rustls::ALL_VERSIONS };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider(&option)))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(256);
    config.enable_early_data = option.contains_key("early");
    config.max_fragment_size = option.get("fragment").and_then(|size| size.parse().ok());
    if let Some(names) = option.get("alpn") {
        config.alpn_protocols = names.split(',').map(|name| name.as_bytes().to_vec()).collect();
    }
    let config = Arc::new(config);
    if option.contains_key("twice") {
        // 0-RTT data wants a ticket of another server.
        let port = option.get("early").unwrap_or(&args[2]);
        talk(&config, &args[1], port, FIRST, &Options::new())?;
    }
    let answer = talk(&config, &args[1], &args[2], &std::fs::read(&args[3])?, &option)?;
    std::io::stdout().write_all(&answer)?;
    Ok(())
}
