// SPDX-License-Identifier: GPL-2.0

//! `tlshs run`: a program that knows nothing of TLS gets listeners whose connections come with
//! their handshake done.

use std::env;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use crate::keyring::{Result, Ring};
use crate::uapi::{self, Settings};
use crate::{sys, users};

/// Where systemd and what follows it have the first socket.
const LISTEN_FDS_START: RawFd = 3;

/// How the program finds its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// $LISTEN_FDS and $LISTEN_PID, from descriptor 3 on; `fd@3` of haproxy and `{fd: 3}` of
    /// Node are the same without the variables.
    ListenFds,
    /// $NGINX, as nginx has it when it replaces itself.
    Nginx,
    /// Descriptors from this one on: 0 is what inetd did with "wait".
    From(RawFd),
}

/// The command line.
#[derive(Debug)]
pub struct Options {
    pub keyring: String,
    pub listen: Vec<String>,
    pub way: Way,
    pub alpn: Vec<String>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub backlog: i32,
    pub flags: u32,
    pub timeout_ms: u32,
    pub reuseport: bool,
    pub program: Vec<OsString>,
}

/// An address to listen at: `ADDRESS:PORT`, `[ADDRESS]:PORT`, or a port of all addresses.
pub fn parse_address(text: &str) -> Result<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::from(([0u16; 8], port)));
    }
    text.parse().map_err(|_| {
        format!("\"{text}\" is no address: give PORT, ADDRESS:PORT or [ADDRESS]:PORT, in numbers")
    })
}

fn bind(addr: &SocketAddr, reuseport: bool) -> io::Result<OwnedFd> {
    let family = if addr.is_ipv6() {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let sock = sys::socket(family, libc::SOCK_STREAM, 0)?;
    let one = 1i32.to_ne_bytes();
    sys::setsockopt(sock.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, &one)?;
    if reuseport {
        sys::setsockopt(sock.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &one)?;
    }
    sys::bind(sock.as_fd(), addr)?;
    Ok(sock)
}

/// A new socket that will listen.
fn new_listener(text: &str, reuseport: bool) -> Result<OwnedFd> {
    let addr = parse_address(text)?;
    let bound = match bind(&addr, reuseport) {
        // A port of all addresses, on a host without IPv6.
        Err(e) if e.raw_os_error() == Some(libc::EAFNOSUPPORT) && addr.ip().is_unspecified() => {
            bind(&([0, 0, 0, 0], addr.port()).into(), reuseport)
        }
        other => other,
    };
    bound.map_err(|e| match e.raw_os_error() {
        Some(libc::EADDRINUSE) => format!("{text}: another program listens there (ss -tlnp)"),
        Some(libc::EACCES) => format!(
            "{text}: not permitted: ports below net.ipv4.ip_unprivileged_port_start need root or \
             CAP_NET_BIND_SERVICE"
        ),
        _ => format!("{text}: {e}"),
    })
}

/// How many sockets systemd has left to this process.
fn listen_fds() -> usize {
    let var = |name| env::var(name).ok().and_then(|v| v.parse::<u32>().ok());
    if var("LISTEN_PID") == Some(process::id()) {
        var("LISTEN_FDS").unwrap_or(0) as usize
    } else {
        0
    }
}

/// A socket of systemd's: it listens already, and perhaps clients wait.
fn inherited(number: RawFd) -> Result<OwnedFd> {
    let fd = sys::inherited(number).map_err(|e| format!("descriptor {number}: {e}"))?;
    let get = |name| sys::getsockopt_int(fd.as_fd(), libc::SOL_SOCKET, name);
    let listens = get(libc::SO_ACCEPTCONN).map_err(|e| format!("descriptor {number}: {e}"))?;
    let protocol = get(libc::SO_PROTOCOL);
    if listens == 0 || !matches!(protocol, Ok(libc::IPPROTO_TCP)) {
        return Err(format!(
            "descriptor {number} is no TCP socket that listens: in the .socket unit, \
             ListenStream= has a port, and Accept= is no"
        ));
    }
    Ok(fd)
}

/// What went wrong when a socket got its settings.
fn explain(err: &io::Error) -> String {
    let why = match err.raw_os_error() {
        Some(libc::ENOENT) => {
            "the module tls is not loaded: modprobe tls, or /etc/modules-load.d/tls.conf"
        }
        // Of ULPs without listeners, and of kernels that do not know TLS_HS.
        Some(libc::ENOTCONN | libc::ENOPROTOOPT) => {
            "this kernel does no TLS handshakes (CONFIG_TLS_HANDSHAKE), or the socket cannot have \
             any"
        }
        Some(libc::ENOKEY) => {
            "the keyring is not there or holds no identity that can be used: see \"tlshs keys list\""
        }
        Some(libc::EACCES) => {
            "the keyring or all keys in it may not be searched by this user: run as the user who \
             owns them, or \"tlshs keys share\" them"
        }
        Some(libc::EBUSY) => "another program accepts from the socket already",
        Some(libc::EINVAL) => {
            "invalid: MPTCP, SMC, a sockmap, or a kernel that is older than this program"
        }
        Some(libc::EPERM) => "not permitted by a security module or a seccomp filter",
        _ => return err.to_string(),
    };
    why.into()
}

fn set_up(fd: BorrowedFd<'_>, options: &Options, ring: Ring, alpn: &[u8]) -> Result<()> {
    let settings = Settings {
        versions: uapi::VERSION_1_3,
        flags: options.flags | uapi::F_NO_FALLBACK | uapi::F_INET_FAMILY,
        keyring: ring.serial,
        timeout_ms: options.timeout_ms,
        max_handshakes: 0,
    };
    uapi::set_handshakes(fd, &settings).map_err(|e| format!("TLS_HS: {}", explain(&e)))?;
    if !alpn.is_empty() {
        sys::setsockopt(fd, uapi::SOL_TLS, uapi::TLS_HS_ALPN, alpn)
            .map_err(|e| format!("TLS_HS_ALPN: {e}"))?;
    }
    Ok(())
}

/// Gives the sockets the numbers that the program expects, from `first` on.
fn place(sockets: Vec<OwnedFd>, first: RawFd) -> Result<()> {
    let fail = |e: io::Error| format!("a socket's descriptor: {e}");
    let count = RawFd::try_from(sockets.len()).map_err(|e| e.to_string())?;
    // Out of each other's way first.
    let mut above = Vec::new();
    for fd in &sockets {
        above.push(sys::dup_above(fd.as_fd(), (first + count).max(16)).map_err(fail)?);
    }
    drop(sockets);
    for (number, fd) in (first..).zip(above) {
        sys::give_as(fd, number).map_err(fail)?;
    }
    Ok(())
}

/// The environment by which the program finds them.
fn variables(way: Way, count: usize, names: Option<String>) -> Vec<(&'static str, Option<String>)> {
    let no = |name| (name, None);
    match way {
        Way::ListenFds => vec![
            ("LISTEN_FDS", Some(count.to_string())),
            ("LISTEN_PID", Some(process::id().to_string())),
            (
                "LISTEN_FDNAMES",
                Some(names.unwrap_or_else(|| vec!["tls"; count].join(":"))),
            ),
        ],
        Way::Nginx => vec![
            no("LISTEN_FDS"),
            no("LISTEN_PID"),
            no("LISTEN_FDNAMES"),
            (
                "NGINX",
                Some(
                    (LISTEN_FDS_START..)
                        .take(count)
                        .map(|n| format!("{n};"))
                        .collect(),
                ),
            ),
        ],
        Way::From(_) => vec![no("LISTEN_FDS"), no("LISTEN_PID"), no("LISTEN_FDNAMES")],
    }
}

/// Does not return if the program runs.
pub fn run(options: &Options) -> Result<()> {
    let alpn = uapi::alpn_list(options.alpn.iter().map(String::as_str))?;
    // Looked up first: nothing is half done if it is not there.
    let mut user = options.user.as_deref().map(users::user).transpose()?;
    if let (Some(user), Some(group)) = (&mut user, options.group.as_deref()) {
        user.gid = users::group(group)?;
    }
    let ring = Ring::get(&options.keyring)?;

    let mut sockets = Vec::new();
    let mut names = None;
    if options.listen.is_empty() {
        let count = listen_fds();
        if count == 0 {
            return Err("name an address (--listen 443), or let systemd activate it".into());
        }
        names = env::var("LISTEN_FDNAMES").ok();
        for number in (LISTEN_FDS_START..).take(count) {
            let fd = inherited(number)?;
            set_up(fd.as_fd(), options, ring, &alpn)
                .map_err(|e| format!("descriptor {number}: {e}"))?;
            sockets.push(fd);
        }
    }
    for text in &options.listen {
        let fd = new_listener(text, options.reuseport)?;
        // Before listen(), so that no connection comes without.
        set_up(fd.as_fd(), options, ring, &alpn).map_err(|e| format!("{text}: {e}"))?;
        sys::listen(fd.as_fd(), options.backlog).map_err(|e| format!("{text}: {e}"))?;
        sockets.push(fd);
    }
    let count = sockets.len();
    let first = match options.way {
        Way::From(n) => n,
        _ => LISTEN_FDS_START,
    };
    if (1..LISTEN_FDS_START).contains(&first) || (first == 0 && count > 1) {
        return Err("descriptors 1 and 2 are for output, so only one socket can be 0".into());
    }
    // It takes what it inherits for nonblocking, as its own are: a worker would sleep in accept()
    // after a connection that another one has taken.
    if options.way == Way::Nginx {
        for fd in &sockets {
            sys::set_nonblocking(fd.as_fd()).map_err(|e| format!("a socket's mode: {e}"))?;
        }
    }
    debug_assert!(sockets.iter().all(|s| s.as_raw_fd() >= LISTEN_FDS_START));
    place(sockets, first)?;

    // Whatever the session keyring of this process possesses, the program is not to have it.
    match sys::join_new_session() {
        Ok(_) => {}
        Err(e) => return Err(format!("a new session keyring: {e}")),
    }
    if let Some(user) = &user {
        sys::become_user(user.uid, user.gid, &user.groups)
            .map_err(|e| format!("to become user {}: {e}", user.uid))?;
    }
    let mut command = Command::new(&options.program[0]);
    command.args(&options.program[1..]);
    for (name, value) in variables(options.way, count, names) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let err = command.exec();
    Err(format!("{}: {err}", options.program[0].to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |t| parse_address(t).map(|a| a.to_string());
        assert_eq!(parsed("443").unwrap(), "[::]:443");
        assert_eq!(parsed(":443").unwrap(), "[::]:443");
        assert_eq!(parsed("127.0.0.1:80").unwrap(), "127.0.0.1:80");
        assert_eq!(parsed("[::1]:80").unwrap(), "[::1]:80");
        for bad in ["", "localhost:80", "::1:80:", "70000", "1.2.3.4"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ways() {
        let get = |way, name| {
            variables(way, 2, None)
                .into_iter()
                .find(|(n, _)| *n == name)
                .and_then(|(_, v)| v)
        };
        assert_eq!(get(Way::ListenFds, "LISTEN_FDS").as_deref(), Some("2"));
        assert_eq!(
            get(Way::ListenFds, "LISTEN_FDNAMES").as_deref(),
            Some("tls:tls")
        );
        assert_eq!(get(Way::Nginx, "NGINX").as_deref(), Some("3;4;"));
        assert_eq!(get(Way::Nginx, "LISTEN_FDS"), None);
        assert_eq!(get(Way::From(0), "LISTEN_PID"), None);
    }
}
