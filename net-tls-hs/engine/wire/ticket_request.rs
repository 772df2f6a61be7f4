// SPDX-License-Identifier: GPL-2.0

//! How many tickets a client wants: ticket_request (RFC 9149, section 3).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Reader;

/// The most tickets that a client gets for one handshake, whatever it asks for. Section 6 wants a
/// limit, as each ticket costs the server some hashing; four are a few percent of a full handshake.
pub const MAX_TICKETS: u8 = 4;

/// ClientTicketRequest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRequest {
    /// How many tickets are wanted after a full handshake.
    pub new_session_count: u8,
    /// How many tickets are wanted after a resumption.
    pub resumption_count: u8,
}

impl TicketRequest {
    /// Parses the extension of a ClientHello.
    pub fn parse(mut body: Reader<'_>) -> Result<Self, Alert> {
        let request = TicketRequest {
            new_session_count: body.u8()?,
            resumption_count: body.u8()?,
        };
        body.finish()?;
        Ok(request)
    }

    /// How many tickets the client gets: no more than it asks for, and no more than
    /// [`MAX_TICKETS`].
    pub fn count(self, resumed: bool) -> u8 {
        let wanted = match resumed {
            false => self.new_session_count,
            true => self.resumption_count,
        };
        wanted.min(MAX_TICKETS)
    }
}
