// SPDX-License-Identifier: GPL-2.0

//! What is on the wire: records, messages and extensions, and the code points in them.

pub mod alert;
pub mod alpn;
pub mod certificate;
pub mod certificate_authorities;
pub mod client_hello;
pub mod codec;
pub mod der;
pub mod framing;
pub mod names;
pub mod pre_shared_key;
pub mod record;
pub mod record_limit;
pub mod server_flight;
pub mod ticket_request;
