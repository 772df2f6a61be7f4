// SPDX-License-Identifier: GPL-2.0
//! The client's half of the key exchange.

/// Groups for which there are shares.
pub const GROUPS: [u16; 3] = [29, 23, 0x11ec];

#[cfg(feature = "toy")]
pub use toy::*;

#[cfg(feature = "toy")]
mod toy {
    use tls_handshake_host::toy::{agree, seed, Toy};

    pub type Platform = Toy;

    /// Nothing is allocated in a call of the engine.
    pub const ALLOCATES: bool = false;

    /// Runs something that takes always the same random numbers.
    pub fn repeatable(run: impl FnOnce()) {
        seed(7);
        run();
    }

    /// Writes a share.
    pub fn share(group: u16, out: &mut Vec<u8>) {
        match group {
            29 => out.extend([0x29; 32]),
            23 => out.extend([4; 65]),
            _ => out.extend([0x12; 1216]),
        }
    }

    /// The secret of two shares: everybody can tell.
    pub fn secret(group: u16, client: &[u8], server: &[u8], out: &mut [u8; 64]) -> Option<usize> {
        let (first, second) = out.split_first_chunk_mut()?;
        let second = second.first_chunk_mut()?;
        match group {
            29 => agree(client.try_into().ok()?, server.try_into().ok()?, first),
            23 => agree(
                client[1..].first_chunk()?,
                server[1..].first_chunk()?,
                first,
            ),
            _ => {
                agree(client.first_chunk()?, server.first_chunk()?, first);
                let (client, server) = (client.last_chunk()?, server.last_chunk()?);
                agree(client, server, second);
                return Some(64);
            }
        }
        Some(32)
    }
}

#[cfg(not(feature = "toy"))]
pub use real::*;

#[cfg(not(feature = "toy"))]
mod real {
    use tls_handshake_host::engine::crypto::Crypto;
    use tls_handshake_host::host_crypto::{with_random, HostCrypto};
    use tls_handshake_host::{mlkem, p256};

    pub type Platform = HostCrypto;

    /// The crates that do the cryptography allocate.
    pub const ALLOCATES: bool = true;

    const SECRET: [u8; 32] = [0x48; 32];

    /// Runs something that takes always the same random numbers.
    pub fn repeatable(run: impl FnOnce()) {
        let mut bytes = [0; 16384];
        <HostCrypto as mlkem::Platform>::shake256(b"random", &mut bytes);
        with_random(&bytes, run);
    }

    fn p256() -> p256::PrivateKey {
        p256::PrivateKey::from_be_bytes(&SECRET).unwrap()
    }

    /// Our public key, and what it agrees on with a peer.
    fn x25519(peer: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        let (result, _) = with_random(&SECRET, || {
            HostCrypto::x25519(peer, &mut public, &mut shared)
        });
        result.unwrap();
        (public, shared)
    }

    /// Writes a share. For that of ML-KEM nobody has the secret.
    pub fn share(group: u16, out: &mut Vec<u8>) {
        match group {
            29 => out.extend(x25519(&[9; 32]).0),
            23 => out.extend(p256().public_key::<HostCrypto>()),
            _ => {
                out.extend([0x12; mlkem::ENCAPSULATION_KEY_LEN]);
                out.extend(x25519(&[9; 32]).0);
            }
        }
    }

    /// The secret of two shares, if the client's is ours.
    pub fn secret(group: u16, client: &[u8], server: &[u8], out: &mut [u8; 64]) -> Option<usize> {
        let mut ours = Vec::new();
        share(group, &mut ours);
        let out = out.first_chunk_mut()?;
        match group {
            29 if client == ours => {
                *out = x25519(server.try_into().ok()?).1;
            }
            23 if client == ours => {
                p256::ecdh::<HostCrypto>(&p256(), server, out).unwrap();
            }
            _ => return None,
        }
        Some(32)
    }
}
