// SPDX-License-Identifier: GPL-2.0
//! A TLS client over s2n-tls: s2n-client NAME PORT REQUEST policy=NAME [OPTION=VALUE]...

use s2n_tls::callbacks::{SessionTicket, SessionTicketCallback};
use s2n_tls::config::Config;
use s2n_tls::connection::{Builder, Connection};
use s2n_tls::enums::Mode;
use s2n_tls::security::Policy;
use s2n_tls_tokio::TlsConnector;
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FIRST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[derive(Clone, Default)]
struct Ticket(Arc<Mutex<Option<Vec<u8>>>>);

impl SessionTicketCallback for Ticket {
    fn on_session_ticket(&self, _: &mut Connection, ticket: &SessionTicket) {
        let mut data = vec![0; ticket.len().unwrap_or(0)];
        if ticket.data(&mut data).is_ok() {
            *self.0.lock().unwrap() = Some(data);
        }
    }
}

#[derive(Clone)]
struct With(Config, Option<Vec<u8>>);

impl Builder for With {
    type Output = Connection;

    fn build_connection(&self, mode: Mode) -> Result<Connection, s2n_tls::error::Error> {
        let mut conn = Connection::new(mode);
        conn.set_config(self.0.clone())?;
        if let Some(ticket) = &self.1 {
            conn.set_session_ticket(ticket)?;
        }
        Ok(conn)
    }
}

async fn talk(config: Config, ticket: Option<Vec<u8>>, name: &str, port: &str, request: &[u8])
    -> Result<Vec<u8>, Box<dyn Error>> {
    let sock = TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    let mut tls = TlsConnector::new(With(config, ticket)).connect(name, sock).await?;
    let mut answer = Vec::new();

    tls.write_all(request).await?;
    tls.flush().await?;
    tls.read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let option: HashMap<&str, &str> = args[4..].iter().filter_map(|w| w.split_once('=')).collect();
    let ticket = Ticket::default();
    let mut config = Config::builder();

    config.set_security_policy(&Policy::from_version(option["policy"])?)?;
    config.with_system_certs(false)?;
    config.trust_pem(&std::fs::read("ca.pem")?)?;
    config.enable_session_tickets(true)?;
    config.set_session_ticket_callback(ticket.clone())?;
    if let Some(names) = option.get("alpn") {
        config.set_application_protocol_preference(names.split(','))?;
    }
    let config = config.build()?;
    if option.contains_key("twice") {
        talk(config.clone(), None, &args[1], &args[2], FIRST).await?;
    }
    let kept = ticket.0.lock().unwrap().take();
    let answer = talk(config, kept, &args[1], &args[2], &std::fs::read(&args[3])?).await?;
    std::io::stdout().write_all(&answer)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
