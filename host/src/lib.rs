// SPDX-License-Identifier: GPL-2.0
//! The handshake's portable code, with the same module paths as in the kernel crate.

macro_rules! portable {
    ($($name:ident = $path:literal,)*) => {
        $(#[path = $path] pub mod $name;)*
    };
}

portable! {
    alert = "../../net-tls-hs/alert.rs",
    client_hello = "../../net-tls-hs/client_hello.rs",
    codec = "../../net-tls-hs/codec.rs",
    config = "../../net-tls-hs/config.rs",
    crypto = "../../net-tls-hs/crypto.rs",
    ct = "../../net-tls-hs/ct.rs",
    der = "../../net-tls-hs/der.rs",
    identity = "../../net-tls-hs/identity.rs",
    key_schedule = "../../net-tls-hs/key_schedule.rs",
    names = "../../net-tls-hs/names.rs",
    p256 = "../../net-tls-hs/p256/mod.rs",
    record = "../../net-tls-hs/record.rs",
    rsa = "../../net-tls-hs/rsa/mod.rs",
    server_flight = "../../net-tls-hs/server_flight.rs",
    session = "../../net-tls-hs/session.rs",
}

pub mod host_crypto;

#[cfg(test)]
#[path = "../../kunit-tests/mod.rs"]
mod tests;
