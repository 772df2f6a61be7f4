// SPDX-License-Identifier: GPL-2.0

//! What comes after the handshake: KeyUpdate, the only message (RFC 9846, section 4.7) that a
//! server without client certificates may receive, alerts (section 6), and data.
//!
//! kTLS has the keys of records then. It tells [`PostHandshake::on_record`] of each record that is
//! not just data, and does what the [`Event`] says: install keys, send, or tell the reader.

use crate::engine::wire::alert::{self, Alert};
use crate::engine::wire::names::{content_type, handshake_type};

/// Length of a KeyUpdate with its header.
pub const KEY_UPDATE_LEN: usize = 5;

/// Records without data that a client may send in a row: KeyUpdates or parts of them,
/// user_canceled, and empty application data. The RFC sets no limit, but such records keep readers
/// busy with what they never see. BoringSSL has the same limit for empty records and for
/// KeyUpdates, and the same alert; Go has 16 for all of them.
pub const MAX_WITHOUT_DATA: u8 = 32;

/// What follows from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing: it was data, a part of a message, or an alert that is ignored.
    More,
    /// The client's next record is under its next key.
    KeyUpdate {
        /// The client wants the server to update its key as well.
        requested: bool,
    },
    /// close_notify: the client sends nothing more, and what comes behind is ignored.
    Closed,
    /// The client has ended the connection with this AlertDescription.
    Aborted(u8),
}

/// Collects what a client sends after the handshake.
pub struct PostHandshake {
    message: [u8; KEY_UPDATE_LEN],
    len: u8,
    /// Records since the last data.
    without_data: u8,
}

impl PostHandshake {
    /// Nothing has been received.
    pub const fn new() -> Self {
        PostHandshake {
            message: [0; KEY_UPDATE_LEN],
            len: 0,
            without_data: 0,
        }
    }

    /// Takes a record that is not application data. Of a long one its first
    /// [`KEY_UPDATE_LEN`] + 1 bytes are enough.
    pub fn on_record(&mut self, content_type: u8, content: &[u8]) -> Result<Event, Alert> {
        let event = match content_type {
            content_type::HANDSHAKE => self.on_handshake(content)?,
            content_type::ALERT => {
                self.on_other_record()?;
                on_alert(content)?
            }
            _ => return Err(Alert::UnexpectedMessage),
        };
        if matches!(event, Event::More | Event::KeyUpdate { .. }) {
            self.count()?;
        }
        Ok(event)
    }

    /// Counts a record without data.
    fn count(&mut self) -> Result<(), Alert> {
        if self.without_data == MAX_WITHOUT_DATA {
            return Err(Alert::UnexpectedMessage);
        }
        self.without_data += 1;
        Ok(())
    }

    /// Whether the next record of application data matters even if it is not empty, see
    /// [`on_application_data`](Self::on_application_data). Parts of a message count as records, so
    /// that this is true between them.
    pub fn watches_data(&self) -> bool {
        self.without_data != 0
    }

    /// Takes the content of a record of type handshake. Of a long one its first
    /// [`KEY_UPDATE_LEN`] + 1 bytes are enough.
    ///
    /// A message may be in several records (section 5.1), but a KeyUpdate must end its record.
    fn on_handshake(&mut self, content: &[u8]) -> Result<Event, Alert> {
        // Section 5.4: no empty fragments.
        if content.is_empty() {
            return Err(Alert::UnexpectedMessage);
        }
        let have = usize::from(self.len);
        let room = self.message.get_mut(have..).unwrap_or(&mut []);
        for (to, from) in room.iter_mut().zip(content) {
            *to = *from;
        }
        let total = have + content.len();
        let [kind, header @ .., request] = self.message;
        if kind != handshake_type::KEY_UPDATE {
            return Err(Alert::UnexpectedMessage);
        }
        // Compare as much of the length as has arrived.
        let known = total.saturating_sub(1).min(header.len());
        if header.get(..known) != [0, 0, 1].get(..known) {
            return Err(Alert::DecodeError);
        }
        if total > KEY_UPDATE_LEN {
            return Err(Alert::UnexpectedMessage);
        }
        if total < KEY_UPDATE_LEN {
            self.len = total as u8;
            return Ok(Event::More);
        }
        self.len = 0;
        let requested = match request {
            0 => false,
            1 => true,
            _ => return Err(Alert::IllegalParameter),
        };
        Ok(Event::KeyUpdate { requested })
    }

    /// Takes note of a record of another type than handshake. Section 5.1: there must be none
    /// between the fragments of a message.
    fn on_other_record(&self) -> Result<(), Alert> {
        match self.len {
            0 => Ok(()),
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Takes note of a record of application data, which may be empty. Must be called for each
    /// empty one, and for each one as long as [`watches_data`](Self::watches_data).
    pub fn on_application_data(&mut self, len: usize) -> Result<(), Alert> {
        self.on_other_record()?;
        if len == 0 {
            return self.count();
        }
        self.without_data = 0;
        Ok(())
    }
}

/// Section 6: user_canceled only announces a close_notify; all others but that one are errors,
/// whatever their level.
fn on_alert(content: &[u8]) -> Result<Event, Alert> {
    Ok(match alert::description(content)? {
        alert::CLOSE_NOTIFY => Event::Closed,
        alert::USER_CANCELED => Event::More,
        description => Event::Aborted(description),
    })
}

impl Default for PostHandshake {
    fn default() -> Self {
        Self::new()
    }
}
