// SPDX-License-Identifier: GPL-2.0
//! In the place of P-256. A public key is 4, the secret, and the secret in reverse order.

use super::{agree, expand, hash};
use crate::crypto::Crypto;

/// A public key that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPublicKey;

/// A private key, which is no secret.
pub struct PrivateKey([u8; 32]);

/// The longest signature.
pub const MAX_SIGNATURE: usize = 72;

impl PrivateKey {
    pub fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; 32];
        let start = padded.len().checked_sub(bytes.len())?;
        padded[start..].copy_from_slice(bytes);
        (padded != [0; 32]).then_some(PrivateKey(padded))
    }

    pub fn generate<C: Crypto>() -> Self {
        let mut bytes = [0; 32];
        C::random(&mut bytes);
        PrivateKey(bytes)
    }

    pub fn public_key<C: Crypto>(&self) -> [u8; 65] {
        let mut public = [4; 65];
        public[1..33].copy_from_slice(&self.0);
        public[33..].copy_from_slice(&self.0);
        public[33..].reverse();
        public
    }
}

pub fn ecdh<C: Crypto>(
    key: &PrivateKey,
    peer: &[u8],
    shared: &mut [u8; 32],
) -> Result<[u8; 65], InvalidPublicKey> {
    let x = peer.get(1..33).ok_or(InvalidPublicKey)?;
    let key_of_x = PrivateKey(x.try_into().map_err(|_| InvalidPublicKey)?);
    if peer != key_of_x.public_key::<C>() {
        return Err(InvalidPublicKey);
    }
    agree(&key.0, &key_of_x.0, shared);
    Ok(key.public_key::<C>())
}

/// Nothing verifies it. It has one of the lengths that a signature may have.
pub fn ecdsa_sign<C: Crypto>(
    key: &PrivateKey,
    digest: &[u8; 32],
    signature: &mut [u8; MAX_SIGNATURE],
) -> usize {
    expand(hash(digest) ^ hash(&key.0), signature);
    MAX_SIGNATURE - usize::from(digest[0] % 3)
}
