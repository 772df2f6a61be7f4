// SPDX-License-Identifier: GPL-2.0

//! The states of a TLS 1.3 server (RFC 9846, appendix A.2) on one page.
//!
//! ```text
//!  ExpectClientHello --flight written--> ExpectFinished --Finished--> SendTickets --> Traffic
//!    |  |                                   ^       |                                    ^
//!    |  `--no key share--> ExpectSecondHello'       `--no tickets------------------------'
//!    |
//!    `--needs what is not here--> fallback      (each state) --alert, either way--> Ended
//! ```
//!
//! Each state is a type with one function, `handle()`, that consumes it and says in a
//! [`Transition`] which state is next. [`Session::advance`] calls it, and is the only place that
//! assigns the state; [`Session::forget`] ends a session from outside.
//!
//! | state | `handle()` is in |
//! | --- | --- |
//! | [`ExpectClientHello`] | `expect_client_hello.rs` |
//! | [`ExpectSecondHello`] | `expect_second_hello.rs` |
//! | [`ExpectFinished`] | `expect_finished.rs` |
//! | [`SendTickets`] | here |
//! | [`Traffic`] | `traffic.rs`, for what C asks after the handshake |
//!
//! A state holds what only this state needs and what is small; keys and names stay where they are,
//! in [`Memory`], so that no secret moves when the state changes.
//!
//! [`Memory`]: crate::engine::state::memory::Memory
//! [`Session::advance`]: crate::engine::state::session::Session::advance
//! [`Session::forget`]: crate::engine::state::session::Session::forget

use crate::engine::state::post_handshake::PostHandshake;
use crate::engine::state::skip::Skip;
use crate::engine::state::step::Step;

/// Nothing has been answered.
pub struct ExpectClientHello;

/// A HelloRetryRequest is on its way.
pub struct ExpectSecondHello {
    /// What may come before the second ClientHello.
    pub(super) skip: Skip,
}

/// The server's flight is on its way.
pub struct ExpectFinished {
    /// What may come before the client's Finished.
    pub(super) skip: Skip,
    /// How much of the Finished has been received, see
    /// [`HandshakeSecrets::finished`](crate::engine::state::memory::HandshakeSecrets::finished).
    pub(super) received: u8,
    /// The client is to have tickets.
    pub(super) resumable: bool,
}

/// The client's Finished was right, and tickets are on their way.
pub struct SendTickets;

/// The handshake is complete.
pub struct Traffic {
    /// What the client sends besides data.
    pub(super) messages: PostHandshake,
}

/// Where a handshake is.
pub enum State {
    /// Initial.
    ClientHello(ExpectClientHello),
    /// After a HelloRetryRequest.
    SecondHello(ExpectSecondHello),
    /// After the server's flight.
    Finished(ExpectFinished),
    /// After the client's Finished, if the client gets tickets.
    Tickets(SendTickets),
    /// After the handshake.
    Traffic(Traffic),
    /// After an alert in either direction, or when user space has the connection.
    Ended,
}

/// What a state has led to.
pub struct Transition {
    /// The next state.
    pub next: State,
    /// What the glue is to do.
    pub step: Step,
}

/// What protects an alert that the server sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AlertKeys {
    /// Nothing: the client has no keys yet.
    None,
    /// server_application_traffic_secret_0, as the server's Finished has been sent.
    Application,
    /// No alert is sent by the session: it is over, or kTLS has the keys.
    NotHere,
}

impl State {
    /// What protects an alert in this state.
    pub fn alert_keys(&self) -> AlertKeys {
        match self {
            State::ClientHello(_) | State::SecondHello(_) => AlertKeys::None,
            State::Finished(_) => AlertKeys::Application,
            State::Tickets(_) | State::Traffic(_) | State::Ended => AlertKeys::NotHere,
        }
    }
}

impl SendTickets {
    /// The tickets have been sent.
    pub fn handle(self) -> Transition {
        Transition {
            next: State::Traffic(Traffic::new()),
            step: Step::Done { consumed: 0 },
        }
    }
}

impl Traffic {
    /// Nothing has been received under application keys.
    pub const fn new() -> Self {
        Traffic {
            messages: PostHandshake::new(),
        }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}
