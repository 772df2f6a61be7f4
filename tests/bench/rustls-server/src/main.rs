// SPDX-License-Identifier: GPL-2.0
//! A blocking TLS 1.3 server, the leanest that user space has: rustls with graviola, one
//! cipher suite, X25519, no tickets.
//!
//! `rustls-server [--threads N] ADDRESS CERTIFICATE.pem KEY.pem`: prints the port and serves
//! until it is killed.  What a client sends is read and thrown away.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{CipherSuite, NamedGroup, ServerConfig, ServerConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn config(certificate: &str, key: &str) -> Result<ServerConfig> {
    let mut provider = rustls_graviola::default_provider();
    provider
        .cipher_suites
        .retain(|s| s.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
        .kx_groups
        .retain(|g| g.name() == NamedGroup::X25519);
    let chain =
        CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn serve(config: &Arc<ServerConfig>, mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    let mut buf = [0; 4096];
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    while stream.read(&mut buf)? > 0 {}
    tls.send_close_notify();
    tls.complete_io(&mut socket)?;
    Ok(())
}

fn run(listener: &TcpListener, config: &Arc<ServerConfig>) {
    for socket in listener.incoming().flatten() {
        // Clients that go away in the middle are what the floods are made of.
        let _ = serve(config, socket);
    }
}

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut threads = 1;
    if args.first().is_some_and(|a| a == "--threads") && args.len() > 1 {
        threads = args[1].parse()?;
        args.drain(..2);
    }
    let [address, certificate, key] = args.as_slice() else {
        return Err("rustls-server [--threads N] ADDRESS CERTIFICATE.pem KEY.pem".into());
    };
    let config = Arc::new(config(certificate, key)?);
    let listener = Arc::new(TcpListener::bind(address)?);
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    for _ in 1..threads {
        let (listener, config) = (listener.clone(), config.clone());
        std::thread::spawn(move || run(&listener, &config));
    }
    run(&listener, &config);
    Ok(())
}
