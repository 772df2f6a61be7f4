// SPDX-License-Identifier: GPL-2.0

//! The server's half of the key exchange (RFC 9846, section 4.3.8), for each [`Group`].

use crate::engine::crypto::Crypto;
use crate::engine::ct::{self, Secret};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::Group;
use crate::{mlkem, p256};

/// Length of a secret and of a public key of X25519 (RFC 7748, section 5).
const X25519_LEN: usize = 32;

/// The longest shared secret, that of X25519MLKEM768.
const MAX_SHARED: usize = mlkem::SHARED_SECRET_LEN + X25519_LEN;

/// A shared secret. It is made where it stays, so that it need not be moved.
pub struct SharedSecret {
    bytes: Secret<[u8; MAX_SHARED]>,
    len: usize,
}

impl SharedSecret {
    /// None yet.
    pub const fn new() -> Self {
        SharedSecret {
            bytes: Secret::zeroed(),
            len: 0,
        }
    }

    /// Overwrites the secret.
    pub fn wipe(&mut self) {
        ct::wipe(self.bytes.as_mut_slice());
        self.len = 0;
    }

    /// The secret for the key schedule.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Makes an ephemeral key, writes its public part as the server's share and agrees on a secret
    /// with the client's.
    #[inline(never)]
    pub fn exchange<C: Crypto>(
        &mut self,
        group: Group,
        peer: &[u8],
        share: &mut Writer<'_>,
        scratch: &mut mlkem::Scratch,
    ) -> Result<(), Alert> {
        match group {
            Group::X25519MlKem768 => self.x25519_mlkem768::<C>(peer, share, scratch),
            Group::X25519 => self.x25519::<C>(peer, share),
            Group::Secp256r1 => self.secp256r1::<C>(peer, share),
        }
    }

    #[inline(never)]
    fn x25519<C: Crypto>(&mut self, peer: &[u8], share: &mut Writer<'_>) -> Result<(), Alert> {
        let mut secret = Secret::new([0; X25519_LEN]);
        C::random(secret.as_mut_slice());
        let shared = self.bytes.first_chunk_mut().ok_or(Alert::InternalError)?;
        x25519_with::<C>(peer, &mut secret, share, shared)?;
        self.len = X25519_LEN;
        Ok(())
    }

    /// SP 800-56A, as RFC 9846 uses it in sections 4.3.8.2 and 7.4.2.
    #[inline(never)]
    fn secp256r1<C: Crypto>(&mut self, peer: &[u8], share: &mut Writer<'_>) -> Result<(), Alert> {
        let key = p256::PrivateKey::generate::<C>();
        let shared = self.bytes.first_chunk_mut().ok_or(Alert::InternalError)?;
        let public = p256::ecdh::<C>(&key, peer, shared).map_err(|_| Alert::IllegalParameter)?;
        share.put(&public)?;
        self.len = shared.len();
        Ok(())
    }

    #[inline(never)]
    fn x25519_mlkem768<C: Crypto>(
        &mut self,
        peer: &[u8],
        share: &mut Writer<'_>,
        scratch: &mut mlkem::Scratch,
    ) -> Result<(), Alert> {
        let mut message = Secret::new([0; mlkem::MESSAGE_LEN]);
        let mut secret = Secret::new([0; X25519_LEN]);
        C::random(message.as_mut_slice());
        C::random(secret.as_mut_slice());
        self.x25519_mlkem768_with::<C>(peer, &message, &mut secret, share, scratch)
    }

    /// X25519MLKEM768 (RFC 10024) with given randomness: each share and
    /// the secret are ML-KEM's followed by X25519's.
    #[inline(never)]
    pub fn x25519_mlkem768_with<C: Crypto>(
        &mut self,
        peer: &[u8],
        message: &[u8; mlkem::MESSAGE_LEN],
        secret: &mut [u8; X25519_LEN],
        share: &mut Writer<'_>,
        scratch: &mut mlkem::Scratch,
    ) -> Result<(), Alert> {
        let (key, peer) = peer
            .split_at_checked(mlkem::ENCAPSULATION_KEY_LEN)
            .ok_or(Alert::IllegalParameter)?;
        let (shared, x25519_shared) = self
            .bytes
            .split_first_chunk_mut()
            .ok_or(Alert::InternalError)?;
        let x25519_shared = x25519_shared
            .first_chunk_mut()
            .ok_or(Alert::InternalError)?;
        mlkem::encapsulate_with::<C>(key, message, scratch, share.array()?, shared)
            .map_err(|_| Alert::IllegalParameter)?;
        x25519_with::<C>(peer, secret, share, x25519_shared)?;
        self.len = MAX_SHARED;
        Ok(())
    }
}

impl Default for SharedSecret {
    fn default() -> Self {
        Self::new()
    }
}

/// X25519 (RFC 7748), as RFC 9846 uses it in sections 4.3.8.2 and 7.4.2.
#[inline(never)]
fn x25519_with<C: Crypto>(
    peer: &[u8],
    secret: &mut [u8; X25519_LEN],
    share: &mut Writer<'_>,
    shared: &mut [u8; X25519_LEN],
) -> Result<(), Alert> {
    let peer: &[u8; X25519_LEN] = peer.try_into().map_err(|_| Alert::IllegalParameter)?;
    // Clamping is part of the function, but not of every implementation of it.
    let [first, .., last] = &mut *secret;
    *first &= 248;
    *last = (*last & 127) | 64;
    C::x25519_base(share.array()?, secret);
    if !C::x25519(shared, secret, peer) {
        return Err(Alert::IllegalParameter);
    }
    Ok(())
}
