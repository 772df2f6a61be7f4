// SPDX-License-Identifier: GPL-2.0

//! How long the records may be that a client wants to get: record_size_limit (RFC 8449) and its
//! predecessor max_fragment_length (RFC 6066, section 4).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::record::MAX_PLAINTEXT;

/// The smallest record_size_limit (RFC 8449, section 4).
const MIN_RECORD_SIZE: u16 = 64;

/// The record_size_limit of this server: content and its type of the longest record of TLS 1.3.
pub const OWN_RECORD_SIZE: u16 = MAX_PLAINTEXT as u16 + 1;

/// What a client has limited records to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordLimit {
    /// Nothing.
    None,
    /// record_size_limit.
    RecordSize(u16),
    /// max_fragment_length, as it is on the wire.
    FragmentLength(u8),
}

impl RecordLimit {
    /// Checks the values of both extensions. RFC 8449, section 5: with record_size_limit,
    /// max_fragment_length is ignored.
    pub fn new(
        record_size_limit: Option<u16>,
        max_fragment_length: Option<u8>,
    ) -> Result<Self, Alert> {
        match (record_size_limit, max_fragment_length) {
            (Some(0..MIN_RECORD_SIZE), _) => Err(Alert::IllegalParameter),
            (Some(size), _) => Ok(RecordLimit::RecordSize(size)),
            // 2^9 to 2^12.
            (None, Some(code @ 1..=4)) => Ok(RecordLimit::FragmentLength(code)),
            (None, Some(_)) => Err(Alert::IllegalParameter),
            (None, None) => Ok(RecordLimit::None),
        }
    }

    /// The longest content of a protected record, at least 63.
    pub fn max_fragment(self) -> u16 {
        match self {
            RecordLimit::None => OWN_RECORD_SIZE - 1,
            // The type of the content counts. Clients may know more than 2^14 + 1, not so here.
            RecordLimit::RecordSize(size) => size.clamp(MIN_RECORD_SIZE, OWN_RECORD_SIZE) - 1,
            RecordLimit::FragmentLength(code) => 1 << (8 + code.clamp(1, 4)),
        }
    }
}
