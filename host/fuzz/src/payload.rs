// SPDX-License-Identifier: GPL-2.0
//! The payload of a key: certificates and a private key in DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tls_handshake_host::engine::crypto::{Crypto, P256Key, RsaKey};
use tls_handshake_host::engine::policy::identity::{Payload, PrivateKey};
use tls_handshake_host::engine::policy::name::Name;
use tls_handshake_host::engine::wire::certificate::write_stapled;
use tls_handshake_host::engine::wire::codec::Writer;
use tls_handshake_host::host_crypto::HostCrypto;

fuzz_target!(|data: &[u8]| {
    let Ok(payload) = Payload::parse(data) else {
        return;
    };
    let mut message = vec![0; payload.certificate_len()];
    payload.write_certificate(&mut message).unwrap();
    let mut stapled = vec![0; message.len() + data.len() + 12];
    write_stapled(&mut Writer::new(&mut stapled), &message, &payload.staples).unwrap();
    for mut name in payload.dns_names().filter_map(Name::pattern) {
        assert!(!name.as_bytes().is_empty());
        name.resolve(|name| name.is_empty().then_some(()));
    }
    match &payload.private {
        PrivateKey::P256(scalar) => {
            let _ = P256Key::new(scalar).and_then(|key| HostCrypto::p256_public_key(&key));
        }
        PrivateKey::Rsa(numbers) => {
            // SAFETY: Zeroes are a valid value.
            let mut key: Box<RsaKey> = unsafe { tls_handshake_host::zeroed() };
            let _ = HostCrypto::rsa_key(&mut key, numbers);
        }
    }
});
