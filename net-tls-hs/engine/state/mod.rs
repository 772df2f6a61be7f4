// SPDX-License-Identifier: GPL-2.0

//! The state machine of a handshake and of what comes after it. It is on one page in [`states`];
//! [`session`] drives it.

pub mod answer;
pub mod expect_client_hello;
pub mod expect_finished;
pub mod expect_second_hello;
pub mod memory;
pub mod post_handshake;
pub mod resumption;
pub mod session;
pub mod skip;
pub mod states;
pub mod step;
pub mod traffic;
