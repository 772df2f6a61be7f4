// SPDX-License-Identifier: GPL-2.0

//! Record protection (RFC 9846, sections 5.2 to 5.4), as far as a handshake needs it.

use crate::engine::crypto::{Crypto, NONCE_LEN, TAG_LEN};
use crate::engine::keys::schedule::{Prepared, TrafficKeys};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::{move_within, Writer};
use crate::engine::wire::names::{content_type, CipherSuite};
use crate::engine::wire::record::{write_header, HEADER_LEN, MAX_PLAINTEXT, OVERHEAD};

/// How many records with `max` bytes of content it takes for `len`, without a division.
fn records_for(len: usize, max: usize) -> usize {
    let mut left = len;
    let mut records = 0;
    while left > 0 {
        left = left.saturating_sub(max.max(1));
        records += 1;
    }
    records
}

/// The nonce of a record (section 5.3).
fn nonce(iv: &[u8; NONCE_LEN], seq: u64) -> [u8; NONCE_LEN] {
    let mut nonce = *iv;
    for (n, s) in nonce.iter_mut().skip(4).zip(seq.to_be_bytes()) {
        *n ^= s;
    }
    nonce
}

/// Counts a record.
fn advance(seq: &mut u64) -> Result<(), Alert> {
    *seq = seq.checked_add(1).ok_or(Alert::InternalError)?;
    Ok(())
}

/// Protects one record in place.
fn seal_one<C: Crypto>(
    key: &C::AeadKey,
    nonce: &[u8; NONCE_LEN],
    record: &mut [u8],
    content_type: u8,
    fragment: usize,
) -> Result<(), Alert> {
    let (header, body) = record
        .split_at_mut_checked(HEADER_LEN)
        .ok_or(Alert::InternalError)?;
    write_header(
        &mut Writer::new(header),
        content_type::APPLICATION_DATA,
        fragment + OVERHEAD,
    )?;
    *body.get_mut(fragment).ok_or(Alert::InternalError)? = content_type;
    let (inner, rest) = body
        .split_at_mut_checked(fragment + 1)
        .ok_or(Alert::InternalError)?;
    let tag = C::aead_seal(key, nonce, header, inner);
    rest.get_mut(..TAG_LEN)
        .ok_or(Alert::InternalError)?
        .copy_from_slice(&tag);
    Ok(())
}

/// One direction of record protection.
pub struct Protection {
    keys: TrafficKeys,
    seq: u64,
    /// The longest content of one record to be sent.
    max_fragment: u16,
}

impl Protection {
    /// Starts with sequence number 0.
    pub const fn new(keys: TrafficKeys) -> Self {
        Protection {
            keys,
            seq: 0,
            max_fragment: MAX_PLAINTEXT as u16,
        }
    }

    /// Starts with sequence number 0, without keys: these come with [`start`](Self::start).
    pub const fn none(suite: CipherSuite) -> Self {
        Self::new(TrafficKeys::none(suite))
    }

    /// Starts again with the keys of a secret and sequence number 0, without a limit.
    pub fn start<C: Crypto>(&mut self, secret: &Prepared<C>, suite: CipherSuite) {
        secret.write_keys(suite, &mut self.keys);
        self.seq = 0;
        self.max_fragment = MAX_PLAINTEXT as u16;
    }

    /// Has [`seal`](Self::seal) make records with no more content than that.
    pub fn limit(&mut self, max_fragment: u16) {
        self.max_fragment = max_fragment.clamp(1, MAX_PLAINTEXT as u16);
    }

    /// The keys.
    pub fn keys(&self) -> &TrafficKeys {
        &self.keys
    }

    /// The sequence number of the next record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Protects messages of one content type in place: `buf[HEADER_LEN..][..len]` holds them, the
    /// records that they become start at the beginning of `buf`. Returns the length of all
    /// records.
    #[inline(never)]
    pub fn seal<C: Crypto>(
        &mut self,
        buf: &mut [u8],
        content_type: u8,
        len: usize,
    ) -> Result<usize, Alert> {
        let max = usize::from(self.max_fragment);
        let stride = HEADER_LEN + max + OVERHEAD;
        let records = records_for(len, max);
        let total = len + records * (HEADER_LEN + OVERHEAD);
        if total > buf.len() {
            return Err(Alert::InternalError);
        }

        // Make room for headers and tags, the last fragment first.
        for i in (1..records).rev() {
            let from = HEADER_LEN + i * max;
            let end = (from + max).min(HEADER_LEN + len);
            if !move_within(buf, from, end, i * stride + HEADER_LEN) {
                return Err(Alert::InternalError);
            }
        }

        let Protection { keys, seq, .. } = self;
        C::with_aead_key(keys.suite.aead(), keys.key(), |key| {
            let mut left = len;
            for record in buf.chunks_mut(stride).take(records) {
                let fragment = left.min(max);
                left -= fragment;
                seal_one::<C>(key, &nonce(&keys.iv, *seq), record, content_type, fragment)?;
                advance(seq)?;
            }
            Ok(total)
        })
        .unwrap_or(Err(Alert::InternalError))
    }

    /// Removes the protection of one record, `record` being all of it. Returns the inner content
    /// type and the length of the content, which starts behind the header. The sequence number
    /// advances only if the record authenticates.
    #[inline(never)]
    pub fn open<C: Crypto>(&mut self, record: &mut [u8]) -> Result<(u8, usize), Alert> {
        let (header, body) = record
            .split_at_mut_checked(HEADER_LEN)
            .ok_or(Alert::DecodeError)?;
        let (inner, tag) = body
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(Alert::BadRecordMac)?;
        let Protection { keys, seq, .. } = self;
        C::with_aead_key(keys.suite.aead(), keys.key(), |key| {
            C::aead_open(key, &nonce(&keys.iv, *seq), header, inner, tag)
        })
        .ok_or(Alert::InternalError)?
        .map_err(|_| Alert::BadRecordMac)?;
        advance(seq)?;

        // Section 5.4: padding does not make records longer, and the content type is the last byte
        // that is not zero.
        if inner.len() > MAX_PLAINTEXT + 1 {
            return Err(Alert::RecordOverflow);
        }
        let end = inner
            .iter()
            .rposition(|b| *b != 0)
            .ok_or(Alert::UnexpectedMessage)?;
        let content_type = *inner.get(end).ok_or(Alert::InternalError)?;
        Ok((content_type, end))
    }
}
