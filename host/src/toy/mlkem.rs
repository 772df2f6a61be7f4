// SPDX-License-Identifier: GPL-2.0
//! In the place of ML-KEM-768. A ciphertext begins with the message.

use super::agree;
use crate::crypto::Crypto;

/// Length of a client's key.
pub const ENCAPSULATION_KEY_LEN: usize = 1184;

/// Length of a ciphertext.
pub const CIPHERTEXT_LEN: usize = 1088;

/// Length of a shared secret.
pub const SHARED_SECRET_LEN: usize = 32;

/// Length of the random message that is encapsulated.
pub const MESSAGE_LEN: usize = 32;

/// What the peer sent is no encapsulation key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

/// Nothing.
pub struct Scratch;

pub fn encapsulate_with<C: Crypto>(
    key: &[u8],
    message: &[u8; MESSAGE_LEN],
    _: &mut Scratch,
    ciphertext: &mut [u8; CIPHERTEXT_LEN],
    shared: &mut [u8; SHARED_SECRET_LEN],
) -> Result<(), InvalidKey> {
    let key: &[u8; ENCAPSULATION_KEY_LEN] = key.try_into().map_err(|_| InvalidKey)?;
    // The first number is not reduced.
    if key[0] == 0xff && key[1] & 0xf == 0xf {
        return Err(InvalidKey);
    }
    ciphertext.fill(0);
    ciphertext[..MESSAGE_LEN].copy_from_slice(message);
    agree(message, key.first_chunk().unwrap(), shared);
    Ok(())
}
