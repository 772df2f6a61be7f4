// SPDX-License-Identifier: GPL-2.0

//! What the server sends: ServerHello to Finished (RFC 9846, sections 4.2.3 to 4.5.3).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::{
    extension_type as ext, handshake_type, CipherSuite, Group, Scheme, TLS_1_2, TLS_1_3,
};
use crate::engine::wire::record_limit::{RecordLimit, OWN_RECORD_SIZE};

/// Writes a handshake message.
fn message(
    w: &mut Writer<'_>,
    handshake_type: u8,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Alert>,
) -> Result<(), Alert> {
    w.u8(handshake_type)?;
    w.vec(3, body)
}

/// Writes an extension.
fn extension(
    w: &mut Writer<'_>,
    extension_type: u16,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Alert>,
) -> Result<(), Alert> {
    w.u16(extension_type)?;
    w.vec(2, body)
}

/// ServerHello (section 4.2.3). `psk` is the client's identity that is resumed, if any; `share`
/// writes the key_exchange of the server's share. The order of extensions is that of RFC 8448, so
/// that its traces can be compared with.
pub fn write_server_hello(
    w: &mut Writer<'_>,
    random: &[u8; 32],
    session_id: &[u8],
    suite: CipherSuite,
    group: Group,
    psk: Option<u16>,
    share: impl FnOnce(&mut Writer<'_>) -> Result<(), Alert>,
) -> Result<(), Alert> {
    message(w, handshake_type::SERVER_HELLO, |w| {
        w.u16(TLS_1_2)?;
        w.put(random)?;
        w.vec(1, |w| w.put(session_id))?;
        w.u16(suite.code())?;
        w.u8(0)?;
        w.vec(2, |w| {
            if let Some(selected) = psk {
                extension(w, ext::PRE_SHARED_KEY, |w| w.u16(selected))?;
            }
            extension(w, ext::KEY_SHARE, |w| {
                w.u16(group.code())?;
                w.vec(2, share)
            })?;
            extension(w, ext::SUPPORTED_VERSIONS, |w| w.u16(TLS_1_3))
        })
    })
}

/// The random of a HelloRetryRequest (section 4.2.3): SHA-256 of "HelloRetryRequest".
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// HelloRetryRequest (section 4.2.4), for a key share of the group.
pub fn write_hello_retry_request(
    w: &mut Writer<'_>,
    session_id: &[u8],
    suite: CipherSuite,
    group: Group,
) -> Result<(), Alert> {
    message(w, handshake_type::SERVER_HELLO, |w| {
        w.u16(TLS_1_2)?;
        w.put(&RETRY_RANDOM)?;
        w.vec(1, |w| w.put(session_id))?;
        w.u16(suite.code())?;
        w.u8(0)?;
        w.vec(2, |w| {
            extension(w, ext::KEY_SHARE, |w| w.u16(group.code()))?;
            extension(w, ext::SUPPORTED_VERSIONS, |w| w.u16(TLS_1_3))
        })
    })
}

/// What EncryptedExtensions tells.
pub struct EncryptedExtensions<'a> {
    /// The server name made a difference, which is acknowledged (RFC 6066, section 3).
    pub name_matched: bool,
    /// The application protocol (RFC 7301, section 3.1).
    pub protocol: Option<&'a [u8]>,
    /// What the client has limited records to, which is answered (RFC 8449, section 4; RFC 6066,
    /// section 4).
    pub record_limit: RecordLimit,
    /// How many tickets follow the handshake, which is told to who asks for a number (RFC 9149,
    /// section 3).
    pub tickets: Option<u8>,
}

/// EncryptedExtensions (section 4.4.1).
pub fn write_encrypted_extensions(
    w: &mut Writer<'_>,
    extensions: &EncryptedExtensions<'_>,
) -> Result<(), Alert> {
    message(w, handshake_type::ENCRYPTED_EXTENSIONS, |w| {
        w.vec(2, |w| {
            if extensions.name_matched {
                extension(w, ext::SERVER_NAME, |_| Ok(()))?;
            }
            match extensions.record_limit {
                RecordLimit::None => (),
                RecordLimit::RecordSize(_) => {
                    extension(w, ext::RECORD_SIZE_LIMIT, |w| w.u16(OWN_RECORD_SIZE))?
                }
                RecordLimit::FragmentLength(code) => {
                    extension(w, ext::MAX_FRAGMENT_LENGTH, |w| w.u8(code))?
                }
            }
            if let Some(protocol) = extensions.protocol {
                extension(w, ext::ALPN, |w| {
                    w.vec(2, |w| w.vec(1, |w| w.put(protocol)))
                })?;
            }
            if let Some(count) = extensions.tickets {
                extension(w, ext::TICKET_REQUEST, |w| w.u8(count))?;
            }
            Ok(())
        })
    })
}

/// CertificateVerify (section 4.5.2). `sign` writes the signature and returns its length.
pub fn write_certificate_verify(
    w: &mut Writer<'_>,
    scheme: Scheme,
    sign: impl FnOnce(&mut [u8]) -> Result<usize, Alert>,
) -> Result<(), Alert> {
    message(w, handshake_type::CERTIFICATE_VERIFY, |w| {
        w.u16(scheme.code())?;
        w.vec(2, |w| w.put_with(sign))
    })
}

/// Finished (section 4.5.3).
pub fn write_finished(w: &mut Writer<'_>, verify_data: &[u8]) -> Result<(), Alert> {
    message(w, handshake_type::FINISHED, |w| w.put(verify_data))
}

/// NewSessionTicket (section 4.7.1), without extensions.
pub fn write_new_session_ticket(
    w: &mut Writer<'_>,
    lifetime: u32,
    age_add: &[u8; 4],
    nonce: &[u8],
    ticket: &[u8],
) -> Result<(), Alert> {
    message(w, handshake_type::NEW_SESSION_TICKET, |w| {
        w.put(&lifetime.to_be_bytes())?;
        w.put(age_add)?;
        w.vec(1, |w| w.put(nonce))?;
        w.vec(2, |w| w.put(ticket))?;
        w.u16(0)
    })
}
