// SPDX-License-Identifier: GPL-2.0

//! Alerts (RFC 9846, section 6).

/// AlertDescription. The ones that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alert {
    /// A message or record that is not allowed here.
    UnexpectedMessage = 10,
    /// A record that does not authenticate.
    BadRecordMac = 20,
    /// A record that is too long.
    RecordOverflow = 22,
    /// No acceptable set of parameters.
    HandshakeFailure = 40,
    /// A field that is out of range or contradicts others.
    IllegalParameter = 47,
    /// A message that cannot be parsed.
    DecodeError = 50,
    /// A Finished that is wrong.
    DecryptError = 51,
    /// No common protocol version.
    ProtocolVersion = 70,
    /// Something went wrong on this side.
    InternalError = 80,
    /// A client that can do better has been made to offer an old version (RFC 7507).
    InappropriateFallback = 86,
    /// A mandatory extension is not there.
    MissingExtension = 109,
    /// No identity for the server name.
    UnrecognizedName = 112,
    /// An error that no other alert describes.
    GeneralError = 117,
    /// No common application protocol (RFC 7301).
    NoApplicationProtocol = 120,
}

/// close_notify (section 6.1), which the client may send.
pub const CLOSE_NOTIFY: u8 = 0;

/// user_canceled (section 6.1), which the client may send.
pub const USER_CANCELED: u8 = 90;

/// AlertLevel fatal.
pub const FATAL: u8 = 2;

/// Length of an alert message.
pub const LEN: usize = 2;

/// The AlertDescription of a record of type alert with this content. The level does not matter
/// (section 6), and there are no empty ones (section 5.4).
pub fn description(content: &[u8]) -> Result<u8, Alert> {
    match content {
        [_, description] => Ok(*description),
        [] => Err(Alert::UnexpectedMessage),
        _ => Err(Alert::DecodeError),
    }
}
