// SPDX-License-Identifier: GPL-2.0

//! The state machine of a handshake and of what comes after it.

pub mod answer;
pub mod client_finished;
pub mod post_handshake;
pub mod resumption;
pub mod retry;
pub mod session;
pub mod step;
