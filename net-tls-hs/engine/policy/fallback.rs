// SPDX-License-Identifier: GPL-2.0

//! How a handshake ends that is not completed: an alert, or user space takes over.

use crate::engine::wire::alert::Alert;
use crate::engine::wire::framing::FramingError;

/// Why a connection goes to user space. The numbers are those of `enum tls_hs_fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fallback {
    /// A feature that is not here.
    NotSupported = 1,
    /// No TLS 1.3.
    Version = 2,
    /// No common cipher suite.
    Suite = 3,
    /// No common group.
    Group = 4,
    /// No common signature scheme.
    SignatureScheme = 5,
    /// No identity in the keyring.
    NoIdentity = 6,
    /// A ClientHello longer than [`MAX_HELLO`](crate::engine::wire::framing::MAX_HELLO).
    HelloSize = 7,
    /// The server wants a certificate of the client.
    ClientCertificate = 10,
    /// The server has external PSKs only, and the client offers none of them.
    ExternalPsk = 11,
}

/// Why a handshake is not completed.
#[derive(Clone, Copy)]
pub enum Failure {
    /// Send an alert.
    Alert(Alert),
    /// Hand the connection over.
    Fallback(Fallback),
    /// The client has sent an alert with this description.
    PeerAlert(u8),
}

impl From<Alert> for Failure {
    fn from(alert: Alert) -> Self {
        Failure::Alert(alert)
    }
}

impl From<FramingError> for Failure {
    fn from(error: FramingError) -> Self {
        match error {
            FramingError::Alert(alert) => Failure::Alert(alert),
            FramingError::TooLong => Failure::Fallback(Fallback::HelloSize),
            FramingError::PeerAlert(description) => Failure::PeerAlert(description),
        }
    }
}
