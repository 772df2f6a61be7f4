// SPDX-License-Identifier: GPL-2.0

//! The server's half of the key exchange (RFC 9846, section 4.3.8), for each [`Group`].

use crate::engine::crypto::{BadShare, Crypto, MLKEM768_KEY_LEN, SHARED_SECRET_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::Group;

/// The longest shared secret, that of X25519MLKEM768.
const MAX_SHARED: usize = 2 * SHARED_SECRET_LEN;

impl From<BadShare> for Alert {
    fn from(_: BadShare) -> Self {
        Alert::IllegalParameter
    }
}

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
        workspace: &mut C::MlKemWorkspace,
    ) -> Result<(), Alert> {
        match group {
            Group::X25519MlKem768 => self.x25519_mlkem768::<C>(peer, share, workspace),
            Group::X25519 => self.x25519::<C>(peer, share),
            Group::Secp256r1 => self.secp256r1::<C>(peer, share),
        }
    }

    /// X25519, as RFC 9846 uses it in sections 4.3.8.2 and 7.4.2.
    fn x25519<C: Crypto>(&mut self, peer: &[u8], share: &mut Writer<'_>) -> Result<(), Alert> {
        let peer = peer.try_into().map_err(|_| BadShare)?;
        let shared = self.bytes.first_chunk_mut().ok_or(Alert::InternalError)?;
        C::x25519(peer, share.array()?, shared)?;
        self.len = SHARED_SECRET_LEN;
        Ok(())
    }

    /// ECDH on P-256, as RFC 9846 uses it in sections 4.3.8.2 and 7.4.2.
    fn secp256r1<C: Crypto>(&mut self, peer: &[u8], share: &mut Writer<'_>) -> Result<(), Alert> {
        let peer = peer.try_into().map_err(|_| BadShare)?;
        let shared = self.bytes.first_chunk_mut().ok_or(Alert::InternalError)?;
        C::p256_ecdh(peer, share.array()?, shared)?;
        self.len = SHARED_SECRET_LEN;
        Ok(())
    }

    /// X25519MLKEM768 (RFC 10024): each share and the secret are
    /// ML-KEM's followed by X25519's.
    fn x25519_mlkem768<C: Crypto>(
        &mut self,
        peer: &[u8],
        share: &mut Writer<'_>,
        workspace: &mut C::MlKemWorkspace,
    ) -> Result<(), Alert> {
        let (key, peer) = peer
            .split_first_chunk::<MLKEM768_KEY_LEN>()
            .ok_or(BadShare)?;
        let peer = peer.try_into().map_err(|_| BadShare)?;
        let (shared, x25519_shared) = self
            .bytes
            .split_first_chunk_mut()
            .ok_or(Alert::InternalError)?;
        let x25519_shared = x25519_shared
            .first_chunk_mut()
            .ok_or(Alert::InternalError)?;
        C::mlkem768_encaps(key, share.array()?, shared, workspace)?;
        C::x25519(peer, share.array()?, x25519_shared)?;
        self.len = MAX_SHARED;
        Ok(())
    }
}

impl Default for SharedSecret {
    fn default() -> Self {
        Self::new()
    }
}
