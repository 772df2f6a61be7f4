// SPDX-License-Identifier: GPL-2.0
//! In the place of P-256. A public key is 4, the secret, and the secret in reverse order.

use super::{agree, expand, hash};
use crate::engine::crypto::{BadShare, Crypto, MAX_ECDSA_SIGNATURE};

/// The public key of a private one.
pub fn public_key(key: &[u8; 32]) -> [u8; 65] {
    let mut public = [4; 65];
    public[1..33].copy_from_slice(key);
    public[33..].copy_from_slice(key);
    public[33..].reverse();
    public
}

pub fn ecdh<C: Crypto>(
    peer: &[u8; 65],
    public: &mut [u8; 65],
    shared: &mut [u8; 32],
) -> Result<(), BadShare> {
    let key_of_x: &[u8; 32] = peer[1..33].try_into().unwrap();
    if *peer != public_key(key_of_x) {
        return Err(BadShare);
    }
    let mut key = [0; 32];
    C::random(&mut key);
    agree(&key, key_of_x, shared);
    *public = public_key(&key);
    Ok(())
}

/// Nothing verifies it. It has one of the lengths that a signature may have.
pub fn sign(key: &[u8; 32], digest: &[u8; 32], signature: &mut [u8; MAX_ECDSA_SIGNATURE]) -> usize {
    expand(hash(digest) ^ hash(key), signature);
    MAX_ECDSA_SIGNATURE - usize::from(digest[0] % 3)
}
