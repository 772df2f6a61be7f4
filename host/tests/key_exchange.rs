// SPDX-License-Identifier: GPL-2.0
//! The hybrid key exchange with given random numbers, against RustCrypto's `ml-kem` and dalek's
//! X25519: what is where in shares and secrets (RFC 10024).

use ml_kem_crate::{EncapsulateDeterministic, EncodedSizeUser, KemCore, MlKem768, B32};
use tls_handshake_host::engine::keys::key_exchange::SharedSecret;
use tls_handshake_host::engine::wire::codec::Writer;
use tls_handshake_host::engine::wire::names::Group;
use tls_handshake_host::host_crypto::{with_random, HostCrypto};
use x25519_dalek::{x25519, X25519_BASEPOINT_BYTES};

#[test]
fn x25519_mlkem768() {
    let (message, secret, client) = ([1; 32], [2; 32], [3; 32]);
    let (_, key) = MlKem768::generate_deterministic(&B32::from([4; 32]), &B32::from([5; 32]));
    let (ciphertext, first) = key.encapsulate_deterministic(&message.into()).unwrap();
    let client_public = x25519(client, X25519_BASEPOINT_BYTES);
    let peer = [&key.as_bytes()[..], &client_public].concat();

    // SAFETY: Zeroes are a valid value.
    let mut workspace = unsafe { tls_handshake_host::zeroed() };
    let mut share = [0; 1120];
    let mut shared = SharedSecret::new();
    let mut w = Writer::new(&mut share);
    let (result, rest) = with_random(&[message, secret].concat(), || {
        shared.exchange::<HostCrypto>(Group::X25519MlKem768, &peer, &mut w, &mut workspace)
    });
    assert!(result.is_ok() && rest.is_empty() && w.position() == 1120);
    let public = x25519(secret, X25519_BASEPOINT_BYTES);
    assert_eq!(share[..], [&ciphertext[..], &public].concat());
    let second = x25519(client, public);
    assert_eq!(shared.bytes(), [&first[..], &second].concat());
}

/// RFC 8448, section 3: the keys of client and server, and what they agree on.
#[test]
fn x25519_of_rfc8448() {
    fn hex(digits: &str) -> [u8; 32] {
        core::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..][..2], 16).unwrap())
    }
    let client = hex("99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c");
    let server = hex("b1580eeadf6dd589b8ef4f2d5652578cc810e9980191ec8d058308cea216a21e");
    // SAFETY: Zeroes are a valid value.
    let mut workspace = unsafe { tls_handshake_host::zeroed() };
    let mut share = [0; 32];
    let mut shared = SharedSecret::new();
    let mut w = Writer::new(&mut share);
    let (result, rest) = with_random(&server, || {
        shared.exchange::<HostCrypto>(Group::X25519, &client, &mut w, &mut workspace)
    });
    assert!(result.is_ok() && rest.is_empty());
    let public = hex("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f");
    assert_eq!(share, public);
    let want = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
    assert_eq!(shared.bytes(), want);
}
