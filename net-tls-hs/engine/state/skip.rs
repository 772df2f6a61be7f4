// SPDX-License-Identifier: GPL-2.0

//! What a server drops between a ClientHello and what it waits for: ChangeCipherSpec (RFC 9846,
//! appendix E.4) and early data (section 4.3.10).

use crate::engine::wire::alert::Alert;

/// ChangeCipherSpec records that are dropped. Clients send one; the RFC sets no limit.
const MAX_CHANGE_CIPHER_SPEC: u8 = 16;

/// Bytes of records that are skipped in search for the end of early data.
const MAX_EARLY_DATA: u32 = 1 << 16;

/// How much may still be dropped.
#[derive(Clone, Copy)]
pub struct Skip {
    early_data: u32,
    change_cipher_specs: u8,
}

impl Skip {
    /// What may come behind a ClientHello, with or without the extension early_data.
    pub const fn new(early_data: bool) -> Self {
        Skip {
            early_data: if early_data { MAX_EARLY_DATA } else { 0 },
            change_cipher_specs: MAX_CHANGE_CIPHER_SPEC,
        }
    }

    /// Whether a record of that length may be early data.
    pub fn may_be_early_data(&self, record_len: usize) -> bool {
        record_len <= self.early_data as usize
    }

    /// Drops a record as early data. False if there may not be so much.
    pub fn early_data(&mut self, record_len: usize) -> bool {
        let fits = self.may_be_early_data(record_len);
        if fits {
            self.early_data -= record_len as u32;
        }
        fits
    }

    /// Early data ends with the first record that authenticates.
    pub fn end_early_data(&mut self) {
        self.early_data = 0;
    }

    /// Whether a record with that length of content may be a ChangeCipherSpec.
    pub fn may_be_change_cipher_spec(&self, len: usize) -> bool {
        len == 1 && self.change_cipher_specs > 0
    }

    /// Drops a ChangeCipherSpec.
    pub fn change_cipher_spec(&mut self, content: &[u8]) -> Result<(), Alert> {
        if content != [1] {
            return Err(Alert::UnexpectedMessage);
        }
        self.change_cipher_specs = self
            .change_cipher_specs
            .checked_sub(1)
            .ok_or(Alert::UnexpectedMessage)?;
        Ok(())
    }
}
