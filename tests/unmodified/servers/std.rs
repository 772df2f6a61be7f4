// SPDX-License-Identifier: GPL-2.0

//! HTTP/1.1 by hand on std::net, with a thread for each connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;
use std::thread;

fn serve(stream: TcpStream, address: String) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut close = false;
        let mut lines = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            lines += 1;
            close |= line.eq_ignore_ascii_case("connection: close\r\n");
        }
        if lines == 0 {
            return Ok(());
        }
        println!("{address}");
        let length = address.len() + 1;
        let head = if close { "Connection: close\r\n" } else { "" };
        writer.write_all(
            format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n{address}\n")
                .as_bytes(),
        )?;
        if close {
            return Ok(());
        }
    }
}

fn main() {
    // SAFETY: the descriptor was inherited for this.
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    loop {
        let (stream, address) = listener.accept().expect("accept");
        thread::spawn(move || serve(stream, address.ip().to_string()));
    }
}
