// SPDX-License-Identifier: GPL-2.0

//! What the server sends: ServerHello to Finished (RFC 8446, sections 4.1.3 to 4.4.4).

use crate::alert::Alert;
use crate::codec::Writer;
use crate::config::{Identity, SigningKey};
use crate::crypto::{Crypto, HashAlg};
use crate::ct::Secret;
use crate::key_schedule::TranscriptHash;
use crate::names::{extension_type as ext, handshake_type, CipherSuite, Group, TLS_1_2, TLS_1_3};
use crate::{p256, rsa};

/// The longest public key of a group, of secp256r1.
const MAX_PUBLIC: usize = 65;

/// The longest signature, of RSA-4096.
const MAX_SIGNATURE: usize = 512;

/// The server's half of a key exchange.
pub struct KeyExchange {
    public: [u8; MAX_PUBLIC],
    public_len: usize,
    shared: Secret<[u8; 32]>,
}

impl KeyExchange {
    /// Makes an ephemeral key and agrees on a secret with the client's public key.
    #[inline(never)]
    pub fn new<C: Crypto>(group: Group, peer: &[u8]) -> Result<Self, Alert> {
        let mut kx = KeyExchange {
            public: [0; MAX_PUBLIC],
            public_len: 0,
            shared: Secret::zeroed(),
        };
        match group {
            Group::X25519 => kx.x25519::<C>(peer)?,
            Group::Secp256r1 => kx.secp256r1::<C>(peer)?,
        }
        Ok(kx)
    }

    /// RFC 7748, as RFC 8446 uses it in sections 4.2.8.2 and 7.4.2.
    #[inline(never)]
    fn x25519<C: Crypto>(&mut self, peer: &[u8]) -> Result<(), Alert> {
        let peer: &[u8; 32] = peer.try_into().map_err(|_| Alert::IllegalParameter)?;
        let mut secret = Secret::new([0u8; 32]);
        C::random(secret.as_mut_slice());
        // Clamping is part of the function, but not of every implementation of it.
        let [first, .., last] = &mut *secret;
        *first &= 248;
        *last = (*last & 127) | 64;
        let public = self.public.first_chunk_mut().ok_or(Alert::InternalError)?;
        C::x25519_base(public, &secret);
        self.public_len = 32;
        if !C::x25519(&mut self.shared, &secret, peer) {
            return Err(Alert::IllegalParameter);
        }
        Ok(())
    }

    /// SP 800-56A, as RFC 8446 uses it in sections 4.2.8.2 and 7.4.2.
    #[inline(never)]
    fn secp256r1<C: Crypto>(&mut self, peer: &[u8]) -> Result<(), Alert> {
        let key = p256::PrivateKey::generate::<C>();
        self.public = key.public_key::<C>();
        self.public_len = MAX_PUBLIC;
        p256::ecdh::<C>(&key, peer, &mut self.shared).map_err(|_| Alert::IllegalParameter)
    }

    /// The public key for key_share.
    pub fn public(&self) -> &[u8] {
        self.public.get(..self.public_len).unwrap_or(&[])
    }

    /// The secret for the key schedule.
    pub fn shared(&self) -> &[u8] {
        self.shared.as_slice()
    }
}

/// Writes a handshake message.
fn message(
    w: &mut Writer<'_>,
    handshake_type: u8,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Alert>,
) -> Result<(), Alert> {
    w.u8(handshake_type)?;
    w.vec(3, body)
}

/// Writes an extension.
fn extension(
    w: &mut Writer<'_>,
    extension_type: u16,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Alert>,
) -> Result<(), Alert> {
    w.u16(extension_type)?;
    w.vec(2, body)
}

/// ServerHello (section 4.1.3).
pub fn write_server_hello(
    w: &mut Writer<'_>,
    random: &[u8; 32],
    session_id: &[u8],
    suite: CipherSuite,
    group: Group,
    kx: &KeyExchange,
) -> Result<(), Alert> {
    message(w, handshake_type::SERVER_HELLO, |w| {
        w.u16(TLS_1_2)?;
        w.put(random)?;
        w.vec(1, |w| w.put(session_id))?;
        w.u16(suite.code())?;
        w.u8(0)?;
        w.vec(2, |w| {
            extension(w, ext::SUPPORTED_VERSIONS, |w| w.u16(TLS_1_3))?;
            extension(w, ext::KEY_SHARE, |w| {
                w.u16(group.code())?;
                w.vec(2, |w| w.put(kx.public()))
            })
        })
    })
}

/// The random of a HelloRetryRequest (section 4.1.3): SHA-256 of "HelloRetryRequest".
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// HelloRetryRequest (section 4.1.4), for a key share of the group.
pub fn write_hello_retry_request(
    w: &mut Writer<'_>,
    session_id: &[u8],
    suite: CipherSuite,
    group: Group,
) -> Result<(), Alert> {
    message(w, handshake_type::SERVER_HELLO, |w| {
        w.u16(TLS_1_2)?;
        w.put(&RETRY_RANDOM)?;
        w.vec(1, |w| w.put(session_id))?;
        w.u16(suite.code())?;
        w.u8(0)?;
        w.vec(2, |w| {
            extension(w, ext::SUPPORTED_VERSIONS, |w| w.u16(TLS_1_3))?;
            extension(w, ext::KEY_SHARE, |w| w.u16(group.code()))
        })
    })
}

/// EncryptedExtensions (section 4.3.1). The server name is acknowledged if it made a difference
/// (RFC 6066, section 3).
pub fn write_encrypted_extensions(w: &mut Writer<'_>, name_matched: bool) -> Result<(), Alert> {
    message(w, handshake_type::ENCRYPTED_EXTENSIONS, |w| {
        w.vec(2, |w| {
            if name_matched {
                extension(w, ext::SERVER_NAME, |_| Ok(()))?;
            }
            Ok(())
        })
    })
}

/// The hash that CertificateVerify signs (section 4.4.3). SHA-256 for each scheme here.
#[inline(never)]
fn signed_digest<C: Crypto>(alg: HashAlg, transcript: &TranscriptHash) -> [u8; 32] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    C::hash_update(&mut hash, &[0x20; 64]);
    C::hash_update(&mut hash, b"TLS 1.3, server CertificateVerify\0");
    C::hash_update(&mut hash, transcript.get(..alg.len()).unwrap_or(transcript));
    let full = C::hash_final(hash);
    let mut digest = [0; 32];
    for (d, f) in digest.iter_mut().zip(full) {
        *d = f;
    }
    digest
}

/// CertificateVerify (section 4.4.3). `transcript` is of ClientHello...Certificate.
#[inline(never)]
pub fn write_certificate_verify<C: Crypto>(
    w: &mut Writer<'_>,
    alg: HashAlg,
    transcript: &TranscriptHash,
    identity: &Identity<'_>,
    scratch: &mut rsa::Scratch,
) -> Result<(), Alert> {
    let digest = signed_digest::<C>(alg, transcript);
    let mut signature = [0u8; MAX_SIGNATURE];
    let len = match identity.key {
        SigningKey::P256(key) => {
            let out = signature.first_chunk_mut().ok_or(Alert::InternalError)?;
            p256::ecdsa_sign::<C>(key, &digest, out)
        }
        SigningKey::Rsa(key) => rsa::sign_pss::<C>(key, &digest, scratch, &mut signature)
            .map_err(|_| Alert::InternalError)?,
    };
    let signature = signature.get(..len).ok_or(Alert::InternalError)?;
    message(w, handshake_type::CERTIFICATE_VERIFY, |w| {
        w.u16(identity.key.scheme().code())?;
        w.vec(2, |w| w.put(signature))
    })
}

/// Finished (section 4.4.4).
pub fn write_finished(w: &mut Writer<'_>, verify_data: &[u8]) -> Result<(), Alert> {
    message(w, handshake_type::FINISHED, |w| w.put(verify_data))
}
