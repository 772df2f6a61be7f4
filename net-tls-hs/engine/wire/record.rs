// SPDX-License-Identifier: GPL-2.0

//! Records and their headers (RFC 9846, sections 5.1 and 5.2).

use crate::engine::crypto::TAG_LEN;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::content_type;

/// Length of a record header.
pub const HEADER_LEN: usize = 5;
/// Longest TLSPlaintext.fragment.
pub const MAX_PLAINTEXT: usize = 1 << 14;
/// Longest TLSCiphertext.encrypted_record.
pub const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 256;
/// What protection adds to a fragment: the inner content type and the tag.
pub const OVERHEAD: usize = 1 + TAG_LEN;

/// A record header. `legacy_record_version` is ignored, as section 5.1 wants it.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// ContentType.
    pub content_type: u8,
    /// Length of what follows.
    pub len: usize,
}

impl Header {
    /// Reads a header, or `None` if `bytes` is too short for one. An invalid type is an error as
    /// soon as its byte is there, so that a client of another protocol does not wait.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Alert> {
        let Some(content_type) = bytes.first().copied() else {
            return Ok(None);
        };
        if !(content_type::CHANGE_CIPHER_SPEC..=content_type::APPLICATION_DATA)
            .contains(&content_type)
        {
            return Err(Alert::UnexpectedMessage);
        }
        let Some(&[_, _, _, high, low]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let max = match content_type {
            content_type::APPLICATION_DATA => MAX_CIPHERTEXT,
            _ => MAX_PLAINTEXT,
        };
        if len > max {
            return Err(Alert::RecordOverflow);
        }
        Ok(Some(Header { content_type, len }))
    }

    /// How much there must be of a header for [`Header::parse`] to say more about it: the outcome
    /// must not depend on the pieces in which records arrive.
    pub fn need(bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            1
        } else {
            HEADER_LEN
        }
    }

    /// Length of the whole record.
    pub fn record_len(&self) -> usize {
        HEADER_LEN + self.len
    }
}

/// Writes the header of a record.
pub fn write_header(w: &mut Writer<'_>, content_type: u8, len: usize) -> Result<(), Alert> {
    w.u8(content_type)?;
    w.u16(crate::engine::wire::names::TLS_1_2)?;
    w.u16(u16::try_from(len).map_err(|_| Alert::InternalError)?)
}

/// Records that are written one behind the other. It owns the five bytes in front of each: callers
/// write content, and say what it is.
pub struct RecordBuf<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> RecordBuf<'a> {
    /// Starts at the beginning of `buf`.
    pub fn new(buf: &'a mut [u8]) -> Self {
        RecordBuf { buf, len: 0 }
    }

    /// Length of all records that have been finished.
    pub fn filled_len(&self) -> usize {
        self.len
    }

    /// Where the content of the next record goes, behind the room for its header.
    pub fn content(&mut self) -> Writer<'_> {
        Writer::new(self.buf.get_mut(self.len + HEADER_LEN..).unwrap_or(&mut []))
    }

    /// Finishes a record without protection that has `len` bytes of content.
    pub fn finish_plain(&mut self, content_type: u8, len: usize) -> Result<(), Alert> {
        let record = self.buf.get_mut(self.len..).unwrap_or(&mut []);
        write_header(&mut Writer::new(record), content_type, len)?;
        self.len += HEADER_LEN + len;
        Ok(())
    }

    /// Finishes one or more records with protection. `protect` gets the room for a header with the
    /// content behind it, and returns the length of the records that it makes there.
    pub fn finish_with(
        &mut self,
        protect: impl FnOnce(&mut [u8]) -> Result<usize, Alert>,
    ) -> Result<(), Alert> {
        self.len += protect(self.buf.get_mut(self.len..).unwrap_or(&mut []))?;
        Ok(())
    }
}
