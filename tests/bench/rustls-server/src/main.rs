// SPDX-License-Identifier: GPL-2.0
//! A blocking TLS 1.3 server, the leanest that user space has: rustls with graviola or aws-lc,
//! TLS_AES_128_GCM_SHA256 and TLS_AES_256_GCM_SHA384.
//!
//! `rustls-server [OPTION]... ADDRESS CERTIFICATE.pem KEY.pem`: prints the port and serves until
//! it is killed.  Each GET is answered; other things that a client sends are thrown away.
//!
//! - `--threads N`: (default 1)
//! - `--provider NAME`: graviola (default) or aws-lc
//! - `--tickets`: clients get tickets, which keep the state; else none

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::crypto::{aws_lc_rs, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::{CipherSuite, NamedGroup, ServerConfig, ServerConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";

/// What is asked for on the command line.
struct Options {
    threads: usize,
    tickets: bool,
    graviola: bool,
    files: Vec<String>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        threads: 1,
        tickets: false,
        graviola: true,
        files: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => options.threads = args.next().ok_or("how many?")?.parse()?,
            "--tickets" => options.tickets = true,
            "--provider" => {
                options.graviola = match args.next().as_deref() {
                    Some("graviola") => true,
                    Some("aws-lc") => false,
                    _ => return Err("the provider is graviola or aws-lc".into()),
                }
            }
            _ => options.files.push(arg),
        }
    }
    Ok(options)
}

fn config(options: &Options, certificate: &str, key: &str) -> Result<ServerConfig> {
    let (mut provider, ticketer): (CryptoProvider, Arc<dyn ProducesTickets>) = if options.graviola {
        (
            rustls_graviola::default_provider(),
            rustls_graviola::Ticketer::new()?,
        )
    } else {
        (aws_lc_rs::default_provider(), aws_lc_rs::Ticketer::new()?)
    };
    let (suites, groups) = (
        [
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS13_AES_256_GCM_SHA384,
        ],
        [
            NamedGroup::X25519MLKEM768,
            NamedGroup::X25519,
            NamedGroup::secp256r1,
        ],
    );
    provider
        .cipher_suites
        .retain(|s| suites.contains(&s.suite()));
    provider.kx_groups.retain(|g| groups.contains(&g.name()));
    let chain =
        CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if options.tickets {
        config.ticketer = ticketer;
    } else {
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// Whether a request, or the end of one, says that it is the last.
fn is_last(request: &[u8]) -> bool {
    let close = b"Connection: close";
    request.windows(close.len()).any(|w| w == close)
}

fn serve(config: &Arc<ServerConfig>, mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    let mut buf = [0; 4096];
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    loop {
        let n = stream.read(&mut buf)?;
        if n == 0 {
            break;
        }
        if buf[..n].starts_with(b"GET ") {
            stream.write_all(RESPONSE)?;
            if is_last(&buf[..n]) {
                break;
            }
        }
    }
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
    let options = options()?;
    let [address, certificate, key] = options.files.as_slice() else {
        return Err("rustls-server [OPTION]... ADDRESS CERTIFICATE.pem KEY.pem".into());
    };
    let config = Arc::new(config(&options, certificate, key)?);
    let listener = Arc::new(TcpListener::bind(address)?);
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    for _ in 1..options.threads {
        let (listener, config) = (listener.clone(), config.clone());
        std::thread::spawn(move || run(&listener, &config));
    }
    run(&listener, &config);
    Ok(())
}
