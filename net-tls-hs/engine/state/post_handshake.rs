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

/// KeyUpdates that a client may send without application data in between. BoringSSL has the same
/// limit and the same alert; the RFC sets none.
pub const MAX_KEY_UPDATES: u8 = 32;

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
    updates: u8,
}

impl PostHandshake {
    /// Nothing has been received.
    pub const fn new() -> Self {
        PostHandshake {
            message: [0; KEY_UPDATE_LEN],
            len: 0,
            updates: 0,
        }
    }

    /// Takes a record that is not application data. Of a long one its first
    /// [`KEY_UPDATE_LEN`] + 1 bytes are enough.
    pub fn on_record(&mut self, content_type: u8, content: &[u8]) -> Result<Event, Alert> {
        match content_type {
            content_type::HANDSHAKE => self.on_handshake(content),
            content_type::ALERT => {
                self.on_other_record()?;
                on_alert(content)
            }
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Whether the next record of application data matters to
    /// [`on_application_data`](Self::on_application_data).
    pub fn watches_data(&self) -> bool {
        self.len != 0 || self.updates != 0
    }

    /// Takes the content of a record of type handshake. Of a long one its first
    /// [`KEY_UPDATE_LEN`] + 1 bytes are enough.
    ///
    /// A message may be in several records (section 5.1), but a KeyUpdate must end its record.
    pub fn on_handshake(&mut self, content: &[u8]) -> Result<Event, Alert> {
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
        // Of the length, what is here.
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
        if self.updates == MAX_KEY_UPDATES {
            return Err(Alert::UnexpectedMessage);
        }
        self.updates += 1;
        Ok(Event::KeyUpdate { requested })
    }

    /// Takes note of a record of another type than handshake. Section 5.1: there must be none
    /// between the fragments of a message.
    pub fn on_other_record(&self) -> Result<(), Alert> {
        match self.len {
            0 => Ok(()),
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Takes note of application data. Records without content do not count as data.
    pub fn on_application_data(&mut self, len: usize) -> Result<(), Alert> {
        self.on_other_record()?;
        if len != 0 {
            self.updates = 0;
        }
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
