// SPDX-License-Identifier: GPL-2.0
//! In the place of ML-KEM-768. A ciphertext begins with the message.

use super::agree;
use crate::engine::crypto::{BadShare, Crypto, MLKEM768_CIPHERTEXT_LEN, MLKEM768_KEY_LEN};

pub fn encapsulate<C: Crypto>(
    key: &[u8; MLKEM768_KEY_LEN],
    ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
    shared: &mut [u8; 32],
) -> Result<(), BadShare> {
    // The first number is not reduced.
    if key[0] == 0xff && key[1] & 0xf == 0xf {
        return Err(BadShare);
    }
    let mut message = [0; 32];
    C::random(&mut message);
    ciphertext.fill(0);
    ciphertext[..32].copy_from_slice(&message);
    agree(&message, key.first_chunk().unwrap(), shared);
    Ok(())
}
