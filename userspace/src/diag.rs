// SPDX-License-Identifier: GPL-2.0

//! What inet_diag (NETLINK_SOCK_DIAG) tells of sockets with handshakes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::sys;

const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_ULP_INFO: u16 = 19;
const INET_ULP_INFO_TLS: u16 = 2;
const TLS_INFO_HANDSHAKE: u16 = 8;
const TLS_INFO_CIPHER: u16 = 2;

/// What a connection has negotiated.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The kernel's number of the cipher, TLS_CIPHER_*.
    pub cipher: u16,
    pub group: u16,
    pub scheme: u16,
    pub flags: u32,
    pub duration_us: u32,
    /// Since the handshake was complete.
    pub age_s: u32,
    /// Since something was last sent or received.
    pub idle_ms: u32,
}

/// How busy a listener is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listener {
    pub ready: u32,
    pub silent: u32,
    pub waiting: u32,
    pub limit: u32,
}

/// A socket of one kind or the other.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    Connection(Connection),
    Listener(Listener),
}

/// A socket with its addresses.
#[derive(Debug, PartialEq, Eq)]
pub struct Socket {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub uid: u32,
    pub kind: Kind,
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// Netlink attributes: type and contents.
fn attributes(mut data: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(data, 0)?);
        let kind = u16_at(data, 2)? & 0x3fff;
        let contents = data.get(4..len)?;
        data = data.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, contents))
    })
}

fn attribute(data: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(data).find(|(k, _)| *k == kind).map(|(_, c)| c)
}

fn address(family: u8, bytes: &[u8], port: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip = if i32::from(family) == libc::AF_INET6 {
        let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?);
        v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
    } else {
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?))
    };
    Some(SocketAddr::new(ip, port))
}

/// One `struct inet_diag_msg` with its attributes; nothing if the socket has no handshakes.
fn parse(message: &[u8]) -> Option<Socket> {
    let family = *message.first()?;
    let attrs = message.get(72..)?;
    let tls = attribute(attribute(attrs, INET_DIAG_ULP_INFO)?, INET_ULP_INFO_TLS)?;
    let hs = attribute(tls, TLS_INFO_HANDSHAKE)?;
    let hs16 = |kind| attribute(hs, kind).and_then(|c| u16_at(c, 0));
    let hs32 = |kind| attribute(hs, kind).and_then(|c| u32_at(c, 0));
    let kind = if let Some(ready) = hs32(5) {
        Kind::Listener(Listener {
            ready,
            silent: hs32(6).unwrap_or(0),
            waiting: hs32(7).unwrap_or(0),
            limit: hs32(8).unwrap_or(0),
        })
    } else {
        // tcpi_last_data_sent and tcpi_last_data_recv.
        let info = attribute(attrs, INET_DIAG_INFO).unwrap_or_default();
        let since = |at| u32_at(info, at).unwrap_or(0);
        Kind::Connection(Connection {
            cipher: attribute(tls, TLS_INFO_CIPHER)
                .and_then(|c| u16_at(c, 0))
                .unwrap_or(0),
            group: hs16(1)?,
            scheme: hs16(2).unwrap_or(0),
            flags: hs32(3).unwrap_or(0),
            duration_us: hs32(4).unwrap_or(0),
            age_s: hs32(9).unwrap_or(0),
            idle_ms: since(44).min(since(52)),
        })
    };
    Some(Socket {
        local: address(family, message.get(8..24)?, message.get(4..6)?)?,
        remote: address(family, message.get(24..40)?, message.get(6..8)?)?,
        uid: u32_at(message, 64)?,
        kind,
    })
}

/// Takes the messages of one datagram: true if the dump is over.
fn take(mut data: &[u8], out: &mut Vec<Socket>) -> io::Result<bool> {
    while let (Some(len), Some(kind)) = (u32_at(data, 0), u16_at(data, 4)) {
        let len = len as usize;
        let Some(message) = data.get(16..len) else {
            break;
        };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let err = u32_at(message, 0).unwrap_or(0) as i32;
                return Err(io::Error::from_raw_os_error(-err));
            }
            _ => out.extend(parse(message)),
        }
        data = data.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn dump(netlink: &OwnedFd, family: i32, out: &mut Vec<Socket>) -> io::Result<()> {
    // struct nlmsghdr, struct inet_diag_req_v2 with an empty inet_diag_sockid.
    let mut request = vec![0u8; 16 + 56];
    request[0..4].copy_from_slice(&72u32.to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request[8..12].copy_from_slice(&1u32.to_ne_bytes());
    request[16] = family as u8;
    request[17] = libc::IPPROTO_TCP as u8;
    request[18] = 1 << (INET_DIAG_INFO - 1);
    request[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    request[64..72].fill(0xff);
    sys::send(netlink.as_fd(), &request)?;
    let mut buf = vec![0u8; 1 << 16];
    loop {
        let n = sys::recv(netlink.as_fd(), &mut buf)?;
        if n == 0 || take(&buf[..n], out)? {
            return Ok(());
        }
    }
}

/// All sockets of this network namespace that have handshakes.
pub fn sockets() -> io::Result<Vec<Socket>> {
    let mut out = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let netlink = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, NETLINK_SOCK_DIAG)?;
        debug_assert!(netlink.as_raw_fd() >= 0);
        dump(&netlink, family, &mut out)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attr(kind: u16, contents: &[u8]) -> Vec<u8> {
        let len = 4 + contents.len();
        let mut out = Vec::from((len as u16).to_ne_bytes());
        out.extend(kind.to_ne_bytes());
        out.extend(contents);
        out.resize(len.next_multiple_of(4), 0);
        out
    }

    fn message(hs: &[u8]) -> Vec<u8> {
        let mut out = vec![0u8; 72];
        out[0] = libc::AF_INET6 as u8;
        out[4..8].copy_from_slice(&[1, 0xbb, 0x9c, 0x40]);
        out[8..24].copy_from_slice(&"::ffff:10.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
        out[24..40].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        out[64..68].copy_from_slice(&33u32.to_ne_bytes());
        let tls = [
            attr(2, &51u16.to_ne_bytes()),
            attr(TLS_INFO_HANDSHAKE | 0x8000, hs),
        ]
        .concat();
        out.extend(attr(
            INET_DIAG_ULP_INFO | 0x8000,
            &[attr(1, b"tls\0"), attr(INET_ULP_INFO_TLS, &tls)].concat(),
        ));
        out
    }

    #[test]
    fn connections_and_listeners() {
        let hs = [
            attr(1, &29u16.to_ne_bytes()),
            attr(2, &0x0403u16.to_ne_bytes()),
            attr(3, &2u32.to_ne_bytes()),
            attr(4, &900u32.to_ne_bytes()),
            attr(9, &77u32.to_ne_bytes()),
        ];
        let socket = parse(&message(&hs.concat())).unwrap();
        assert_eq!(socket.local, "10.0.0.1:443".parse().unwrap());
        assert_eq!(socket.remote, "[2001:db8::7]:40000".parse().unwrap());
        assert_eq!(socket.uid, 33);
        let want = Connection {
            cipher: 51,
            group: 29,
            scheme: 0x0403,
            flags: 2,
            duration_us: 900,
            age_s: 77,
            idle_ms: 0,
        };
        assert_eq!(socket.kind, Kind::Connection(want));
        let hs = [5u16, 6, 7, 8].map(|k| attr(k, &u32::from(k).to_ne_bytes()));
        let want = Listener {
            ready: 5,
            silent: 6,
            waiting: 7,
            limit: 8,
        };
        assert_eq!(
            parse(&message(&hs.concat())).unwrap().kind,
            Kind::Listener(want)
        );
    }

    /// Truncated anywhere it is nothing, or less, and no panic.
    #[test]
    fn truncated() {
        let whole = message(&attr(1, &29u16.to_ne_bytes()));
        for len in 0..whole.len() {
            let _ = parse(&whole[..len]);
        }
        assert!(parse(&whole[..whole.len() - 8]).is_none());
    }
}
