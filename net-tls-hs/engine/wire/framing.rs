// SPDX-License-Identifier: GPL-2.0

//! The ClientHello in the records at the beginning of a connection (RFC 9846, section 5.1).

use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::codec::{move_within, Writer};
use crate::engine::wire::names::{content_type, handshake_type};
use crate::engine::wire::record::{write_header, Header, HEADER_LEN, MAX_PLAINTEXT};

/// Longest ClientHello that is read: bytes of the message with its header, whatever records it
/// comes in. One record can hold as much.
pub const MAX_HELLO: usize = MAX_PLAINTEXT;

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

/// Follows the records of a ClientHello while they arrive, in pieces of any size.
///
/// It remembers how far it has got, so that what a record costs is spent once: neither small
/// records nor small pieces make a ClientHello expensive. The message itself stays where it is, in
/// the receive queue, until all of it is there.
#[derive(Clone, Copy)]
pub struct HelloScan {
    /// Where the first record begins that has not been seen whole.
    seen: usize,
    /// How much of the message is in front of that.
    have: usize,
    /// The first bytes of the message.
    head: [u8; MESSAGE_HEADER_LEN],
}

impl HelloScan {
    /// Nothing has been seen.
    pub const fn new() -> Self {
        HelloScan {
            seen: 0,
            have: 0,
            head: [0; MESSAGE_HEADER_LEN],
        }
    }

    /// How many bytes need not be shown again until the message is whole; then, how many its
    /// records have.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Length of the message, known from its header.
    fn message_len(&self) -> Option<usize> {
        let [_, a, b, c] = self.head;
        let body = u32::from_be_bytes([0, a, b, c]) as usize;
        (self.have >= MESSAGE_HEADER_LEN).then_some(MESSAGE_HEADER_LEN + body)
    }

    /// Whether all of the message is there.
    pub fn is_whole(&self) -> bool {
        self.message_len() == Some(self.have)
    }

    /// Looks at the bytes behind the first [`seen`](Self::seen) ones. Returns how many bytes there
    /// must be, from the first one on, for the next look to find more; `None` if the message is
    /// whole.
    #[inline(never)]
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, FramingError> {
        let mut rest = bytes;
        while !self.is_whole() {
            let Some(header) = Header::parse(rest)? else {
                return Ok(Some(self.seen + Header::need(rest)));
            };
            match header.content_type {
                content_type::HANDSHAKE => (),
                content_type::ALERT if self.seen == 0 => {
                    return plain_alert(rest, &header).map(Some);
                }
                // Section 5.1: no other record between the fragments of a message.
                _ => return Err(Alert::UnexpectedMessage.into()),
            }
            // Section 5.1: no fragments of length 0.
            if header.len == 0 {
                return Err(Alert::UnexpectedMessage.into());
            }
            // Check the type of the message before all of the record has arrived.
            let Some(first) = rest.get(HEADER_LEN) else {
                return Ok(Some(self.seen + HEADER_LEN + 1));
            };
            if self.seen == 0 && *first != handshake_type::CLIENT_HELLO {
                return Err(Alert::UnexpectedMessage.into());
            }
            let Some((record, tail)) = rest.split_at_checked(header.record_len()) else {
                return Ok(Some(self.seen + header.record_len()));
            };
            self.take(record.get(HEADER_LEN..).unwrap_or(&[]))?;
            rest = tail;
        }
        Ok(None)
    }

    /// Takes the fragment of a record.
    fn take(&mut self, fragment: &[u8]) -> Result<(), FramingError> {
        if let Some(room) = self.head.get_mut(self.have..) {
            for (to, from) in room.iter_mut().zip(fragment) {
                *to = *from;
            }
        }
        self.have += fragment.len();
        self.seen += HEADER_LEN + fragment.len();
        let Some(len) = self.message_len() else {
            return Ok(());
        };
        if len > MESSAGE_HEADER_LEN + MAX_HELLO_BY_FORM {
            return Err(Alert::DecodeError.into());
        }
        if len > MAX_HELLO {
            return Err(FramingError::TooLong);
        }
        // Section 5.1: nothing may follow in the record, as keys change.
        if self.have > len {
            return Err(Alert::UnexpectedMessage.into());
        }
        Ok(())
    }

    /// Looks for the message in `input`, which holds all that is there from the first byte on, and
    /// makes it contiguous in there if it is whole.
    ///
    /// Once the message is whole, `input` may also hold it in other records, see [`gather`].
    pub fn frame<'i>(&mut self, input: &'i mut [u8]) -> Result<Framing<'i>, FramingError> {
        let new = input.get(self.seen..).unwrap_or(&[]);
        if let Some(need) = self.scan(new)? {
            return Ok(Framing::More { need });
        }
        let (mut pos, mut end) = (0, HEADER_LEN);
        while end < HEADER_LEN + self.have {
            let rest = input.get(pos..).unwrap_or(&[]);
            let Some(header) = Header::parse(rest)?.filter(|header| header.len != 0) else {
                return Err(Alert::InternalError.into());
            };
            let fragment = pos + HEADER_LEN;
            pos += header.record_len();
            if fragment != end && !move_within(input, fragment, pos, end) {
                return Err(Alert::InternalError.into());
            }
            end += header.len;
        }
        let whole = input.get(HEADER_LEN..end).unwrap_or(&[]);
        Ok(Framing::Hello {
            message: HelloMessage { whole },
            consumed: pos,
        })
    }
}

impl Default for HelloScan {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies the fragments of the records that are whole in `input` to `record`, the first `end` bytes
/// of which are taken: a header and what calls before have copied. Returns how much of `input` has
/// been copied, and the new end.
///
/// With all records of a ClientHello this makes one of them. They have been looked at by
/// [`HelloScan::scan`].
#[inline(never)]
pub fn gather(input: &[u8], record: &mut [u8], end: usize) -> Option<(usize, usize)> {
    let (mut rest, mut end) = (input, end.max(HEADER_LEN));
    while let Ok(Some(header)) = Header::parse(rest) {
        let Some((from, tail)) = rest.split_at_checked(header.record_len()) else {
            break;
        };
        let fragment = from.get(HEADER_LEN..)?;
        let to = record.get_mut(end..end + fragment.len())?;
        // Copy a single byte without a call.
        match (&mut *to, fragment) {
            ([to], [from]) => *to = *from,
            (to, from) => to.copy_from_slice(from),
        }
        end += fragment.len();
        rest = tail;
    }
    let mut w = Writer::new(record.get_mut(..HEADER_LEN)?);
    write_header(&mut w, content_type::HANDSHAKE, end - HEADER_LEN).ok()?;
    Some((input.len() - rest.len(), end))
}

/// The name of the server that a ClientHello is for, empty if it names none. `None` if it is not
/// complete or malformed. Changes `input`.
pub fn server_name(input: &mut [u8]) -> Option<&[u8]> {
    let Ok(Framing::Hello { message, .. }) = HelloScan::new().frame(input) else {
        return None;
    };
    let hello = ClientHello::parse(message.body()).ok()?;
    Some(hello.server_name.unwrap_or(&[]))
}

/// An alert without protection: the client does not want to go on. Returns how many bytes it has if
/// they are not all there.
fn plain_alert(record: &[u8], header: &Header) -> Result<usize, FramingError> {
    if header.len != alert::LEN {
        return Err(Alert::DecodeError.into());
    }
    match record.get(HEADER_LEN + 1) {
        Some(description) => Err(FramingError::PeerAlert(*description)),
        None => Ok(header.record_len()),
    }
}
