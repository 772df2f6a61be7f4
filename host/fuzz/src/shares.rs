// SPDX-License-Identifier: GPL-2.0
//! Public keys of a client: with assembly and without, the same comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use tls_handshake_host::host_crypto::{without_assembly, HostCrypto};
use tls_handshake_host::{mlkem, p256, zeroed};

std::thread_local! {
    // SAFETY: Zeroes are a valid value.
    static SCRATCH: RefCell<Box<mlkem::Scratch>> = RefCell::new(unsafe { zeroed() });
}

fuzz_target!(|data: &[u8]| {
    let key = p256::PrivateKey::from_be_bytes(&[0x5a; 32]).unwrap();
    let ecdh = || {
        let mut shared = [0; 32];
        let result = p256::ecdh::<HostCrypto>(&key, data, &mut shared);
        (result, shared)
    };
    assert_eq!(ecdh(), without_assembly(ecdh));

    SCRATCH.with_borrow_mut(|scratch| {
        let (mut ciphertext, mut shared) = ([0; mlkem::CIPHERTEXT_LEN], [0; 32]);
        let result = mlkem::encapsulate::<HostCrypto>(data, scratch, &mut ciphertext, &mut shared);
        // A key is good if its numbers, of 12 bits, are reduced (FIPS 203, section 7.2).
        let reduced = data.len() == mlkem::ENCAPSULATION_KEY_LEN
            && data[..data.len() - 32].chunks_exact(3).all(|b| {
                let number = u32::from_le_bytes([b[0], b[1], b[2], 0]);
                number & 0xfff < 3329 && number >> 12 < 3329
            });
        assert_eq!(result.is_ok(), reduced);
        assert!(result.is_ok() || shared == [0; 32]);
    });
});
