// SPDX-License-Identifier: GPL-2.0

//! The ClientHello in the records at the beginning of a connection (RFC 9846, section 5.1).

use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::codec::move_within;
use crate::engine::wire::names::{content_type, handshake_type};
use crate::engine::wire::record::{Header, HEADER_LEN};

/// Longest ClientHello that is read, in bytes of its body.
pub const MAX_HELLO: usize = 1 << 14;

/// Longest body that the fields of a ClientHello can fill: what is longer is malformed.
const MAX_HELLO_BY_FORM: usize = 2 + 32 + 1 + 32 + 2 + 0xfffe + 1 + 0xff + 2 + 0xffff;

/// Length of a handshake message's header.
pub const MESSAGE_HEADER_LEN: usize = 4;

/// Why there is no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// It violates the protocol: send this alert.
    Alert(Alert),
    /// It is longer than [`MAX_HELLO`].
    TooLong,
    /// The client has sent an alert with this description.
    PeerAlert(u8),
}

impl From<Alert> for FramingError {
    fn from(alert: Alert) -> Self {
        FramingError::Alert(alert)
    }
}

/// What there is at the beginning of a connection.
pub enum Framing<'a> {
    /// Not enough yet.
    More {
        /// Bytes without which nothing more can be done.
        need: usize,
    },
    /// A ClientHello.
    Hello {
        /// The message.
        message: HelloMessage<'a>,
        /// Length of its records.
        consumed: usize,
    },
}

/// A complete ClientHello message.
#[derive(Clone, Copy)]
pub struct HelloMessage<'a> {
    whole: &'a [u8],
}

impl<'a> HelloMessage<'a> {
    /// The message with its header, as it is in the transcript.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The message without its header.
    pub fn body(&self) -> &'a [u8] {
        self.whole.get(MESSAGE_HEADER_LEN..).unwrap_or(&[])
    }
}

/// Finds the ClientHello in the records at the beginning of `input` and makes it contiguous there.
#[inline(never)]
pub fn frame_hello(input: &mut [u8]) -> Result<Framing<'_>, FramingError> {
    let mut pos = 0;
    let mut end = HEADER_LEN;
    loop {
        let rest = input.get(pos..).unwrap_or(&[]);
        let Some(header) = Header::parse(rest)? else {
            return Ok(Framing::More {
                need: pos + Header::need(rest),
            });
        };
        match header.content_type {
            content_type::HANDSHAKE => (),
            content_type::ALERT if pos == 0 => return plain_alert(rest, &header),
            _ => return Err(Alert::UnexpectedMessage.into()),
        }
        // Section 5.1: no fragments of length 0.
        if header.len == 0 {
            return Err(Alert::UnexpectedMessage.into());
        }
        // What it begins with is looked at before all of it is here.
        if rest.len() == HEADER_LEN {
            return Ok(Framing::More {
                need: pos + HEADER_LEN + 1,
            });
        }
        if pos == 0
            && !matches!(
                rest.get(HEADER_LEN),
                None | Some(&handshake_type::CLIENT_HELLO)
            )
        {
            return Err(Alert::UnexpectedMessage.into());
        }
        if rest.len() < header.record_len() {
            return Ok(Framing::More {
                need: pos + header.record_len(),
            });
        }

        let fragment = pos + HEADER_LEN;
        pos += header.record_len();
        if !move_within(input, fragment, pos, end) {
            return Err(Alert::InternalError.into());
        }
        end += header.len;

        let message = input.get(HEADER_LEN..end).unwrap_or(&[]);
        let Some(&[_, a, b, c]) = message.first_chunk() else {
            continue;
        };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        if len > MAX_HELLO_BY_FORM {
            return Err(Alert::DecodeError.into());
        }
        if len > MAX_HELLO {
            return Err(FramingError::TooLong);
        }
        let len = MESSAGE_HEADER_LEN + len;
        if message.len() == len {
            let whole = input.get(HEADER_LEN..end).unwrap_or(&[]);
            return Ok(Framing::Hello {
                message: HelloMessage { whole },
                consumed: pos,
            });
        }
        // Section 5.1: nothing may follow in the record, as keys change.
        if message.len() > len {
            return Err(Alert::UnexpectedMessage.into());
        }
    }
}

/// The name of the server that a ClientHello is for, empty if it names none. `None` if it is not
/// complete or malformed. Changes `input`.
pub fn server_name(input: &mut [u8]) -> Option<&[u8]> {
    let Ok(Framing::Hello { message, .. }) = frame_hello(input) else {
        return None;
    };
    let hello = ClientHello::parse(message.body()).ok()?;
    Some(hello.server_name.unwrap_or(&[]))
}

/// An alert without protection: the client does not want to go on.
fn plain_alert(record: &[u8], header: &Header) -> Result<Framing<'static>, FramingError> {
    if header.len != alert::LEN {
        return Err(Alert::DecodeError.into());
    }
    match record.get(HEADER_LEN + 1) {
        Some(description) => Err(FramingError::PeerAlert(*description)),
        None => Ok(Framing::More {
            need: header.record_len(),
        }),
    }
}
