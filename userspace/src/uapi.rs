// SPDX-License-Identifier: GPL-2.0

//! Numbers and structures of include/uapi/linux/tls.h.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys;

pub const SOL_TLS: i32 = 282;
pub const TCP_ULP: i32 = 31;
pub const TLS_HS: i32 = 6;
pub const TLS_HS_ALPN: i32 = 8;

pub const VERSION_1_3: u32 = 1 << 1;

pub const F_SNI_STRICT: u32 = 1 << 0;
pub const F_THREAD: u32 = 1 << 1;
pub const F_NO_TICKETS: u32 = 1 << 3;
pub const F_NO_FALLBACK: u32 = 1 << 4;
pub const F_INET_FAMILY: u32 = 1 << 6;

pub const S_RESUMED: u32 = 1 << 0;
pub const S_RETRIED: u32 = 1 << 1;

/// `struct tls_hs_settings` with empty lists, which stand for all that the kernel knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub versions: u32,
    pub flags: u32,
    pub keyring: i32,
    pub timeout_ms: u32,
    pub max_handshakes: u32,
}

impl Settings {
    /// The structure's size.
    const SIZE: usize = 100;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[0..4].copy_from_slice(&self.versions.to_ne_bytes());
        out[4..8].copy_from_slice(&self.flags.to_ne_bytes());
        out[8..12].copy_from_slice(&self.keyring.to_ne_bytes());
        out[12..16].copy_from_slice(&self.timeout_ms.to_ne_bytes());
        // 8 + 16 + 8 + 8 numbers of 16 bits are between.
        out[96..100].copy_from_slice(&self.max_handshakes.to_ne_bytes());
        out
    }
}

/// Lets the kernel do the handshakes of a socket that listens, or is bound and will.
pub fn set_handshakes(fd: BorrowedFd<'_>, settings: &Settings) -> io::Result<()> {
    match sys::setsockopt(fd, libc::IPPROTO_TCP, TCP_ULP, b"tls") {
        // It has the ULP: the settings are changed.
        Err(err) if err.raw_os_error() == Some(libc::EEXIST) => {}
        other => other?,
    }
    sys::setsockopt(fd, SOL_TLS, TLS_HS, &settings.to_bytes())
}

/// The form of application protocols that TLS_HS_ALPN takes.
pub fn alpn_list<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(format!(
                "the application protocol \"{name}\" is there twice"
            ));
        }
        seen.push(name);
        match u8::try_from(name.len()) {
            Ok(len) if len > 0 => out.push(len),
            _ => return Err(format!("\"{name}\" is no name of an application protocol")),
        }
        out.extend_from_slice(name.as_bytes());
    }
    if out.len() > 255 {
        return Err("the application protocols are longer than 255 bytes together".into());
    }
    Ok(out)
}

/// IANA's names of what the kernel negotiates.
pub fn suite_name(code: u16) -> String {
    name_of(
        code,
        &[
            (0x1301, "TLS_AES_128_GCM_SHA256"),
            (0x1302, "TLS_AES_256_GCM_SHA384"),
            (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
        ],
    )
}

/// The same for groups.
pub fn group_name(code: u16) -> String {
    name_of(
        code,
        &[
            (0x0017, "secp256r1"),
            (0x001d, "x25519"),
            (0x11ec, "X25519MLKEM768"),
        ],
    )
}

/// The same for signature schemes.
pub fn scheme_name(code: u16) -> String {
    name_of(
        code,
        &[
            (0, "none"),
            (0x0403, "ecdsa_secp256r1_sha256"),
            (0x0804, "rsa_pss_rsae_sha256"),
        ],
    )
}

fn name_of(code: u16, names: &[(u16, &str)]) -> String {
    names
        .iter()
        .find(|(c, _)| *c == code)
        .map_or_else(|| format!("{code:#06x}"), |(_, n)| (*n).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offsets are those of the C structure: 4 words, 40 numbers of 16 bits, a word.
    #[test]
    fn settings_are_laid_out_as_in_c() {
        let s = Settings {
            versions: 0x0101_0101,
            flags: 0x0202_0202,
            keyring: 0x0303_0303,
            timeout_ms: 0x0404_0404,
            max_handshakes: 0x0505_0505,
        };
        let bytes = s.to_bytes();
        assert_eq!(bytes[..4], [1; 4]);
        assert_eq!(bytes[4..8], [2; 4]);
        assert_eq!(bytes[8..12], [3; 4]);
        assert_eq!(bytes[12..16], [4; 4]);
        assert_eq!(bytes[16..96], [0; 80]);
        assert_eq!(bytes[96..], [5; 4]);
        assert_eq!(bytes.len(), 4 * 4 + 2 * (8 + 16 + 8 + 8) + 4);
    }

    #[test]
    fn alpn_lists() {
        assert_eq!(
            alpn_list(["h2", "http/1.1"]).unwrap(),
            b"\x02h2\x08http/1.1"
        );
        assert!(alpn_list([""]).is_err());
        assert!(alpn_list(["h2", "http/1.1", "h2"]).is_err());
        assert!(alpn_list(["x".repeat(256).as_str()]).is_err());
        assert!(alpn_list(["x".repeat(200).as_str(), "y".repeat(200).as_str()]).is_err());
    }
}
