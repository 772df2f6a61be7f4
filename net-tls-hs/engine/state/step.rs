// SPDX-License-Identifier: GPL-2.0

//! What a session tells the glue to do.

use crate::engine::policy::fallback::Fallback;
use crate::engine::wire::alert::Alert;

/// What the glue is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Consume `consumed` bytes, then wait until `need` bytes are unread.
    More {
        /// Bytes that are done with.
        consumed: usize,
        /// Bytes without which nothing more can be done.
        need: usize,
    },
    /// Consume and send, then go on.
    Send {
        /// Bytes that are done with.
        consumed: usize,
        /// Bytes of output.
        written: usize,
    },
    /// The handshake is complete.
    Done {
        /// Bytes that are done with; application data may follow.
        consumed: usize,
    },
    /// [`Identities::may_use`](crate::engine::policy::settings::Identities::may_use) said no:
    /// call again later with the same bytes. Nothing is consumed or written, and the session is
    /// as before.
    Later,
    /// Hand the connection over, nothing consumed.
    Fallback(Fallback),
    /// Send the output, an alert record, and close.
    Alert {
        /// The alert.
        alert: Alert,
        /// Bytes of output.
        written: usize,
    },
    /// The client has sent an alert: close.
    PeerAlert {
        /// Its AlertDescription.
        description: u8,
    },
}
