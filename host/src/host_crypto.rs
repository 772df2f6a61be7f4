// SPDX-License-Identifier: GPL-2.0
//! [`Crypto`] over well-kept crates and lib/crypto's Rust code, for tests on the host.

use crate::engine::crypto::*;
pub use crate::host_platform::{with_random, without_assembly, HostCrypto};
use crate::{host_platform, memcheck, mlkem, p256, rsa_pss, x25519};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use hmac::Mac;
use sha2::Digest;

/// A running hash.
#[derive(Clone)]
pub enum Hash {
    S256(sha2::Sha256),
    S384(sha2::Sha384),
}

/// A running or prepared HMAC.
#[derive(Clone)]
pub enum Hmac {
    S256(hmac::Hmac<sha2::Sha256>),
    S384(hmac::Hmac<sha2::Sha384>),
}

/// An AEAD key.
pub enum AeadKey {
    Aes128(Box<aes_gcm::Aes128Gcm>),
    Aes256(Box<aes_gcm::Aes256Gcm>),
    ChaCha(Box<chacha20poly1305::ChaCha20Poly1305>),
}

fn aead_key(alg: AeadAlg, raw: &[u8]) -> Option<AeadKey> {
    // What the ciphers do with their keys is not looked at: they are others in the kernel.
    let mut raw = raw.to_vec();
    memcheck::declassify(&mut raw[..]);
    let raw = &raw[..];
    Some(match alg {
        AeadAlg::Aes128Gcm => {
            AeadKey::Aes128(Box::new(aes_gcm::Aes128Gcm::new_from_slice(raw).ok()?))
        }
        AeadAlg::Aes256Gcm => {
            AeadKey::Aes256(Box::new(aes_gcm::Aes256Gcm::new_from_slice(raw).ok()?))
        }
        AeadAlg::ChaCha20Poly1305 => AeadKey::ChaCha(Box::new(
            chacha20poly1305::ChaCha20Poly1305::new_from_slice(raw).ok()?,
        )),
    })
}

impl Crypto for HostCrypto {
    type Hash = Hash;
    type HmacKey = Hmac;
    type AeadKey = AeadKey;
    type MlKemWorkspace = mlkem::Scratch;
    type RsaWorkspace = rsa_pss::Scratch;

    fn hash_init(alg: HashAlg) -> Hash {
        match alg {
            HashAlg::Sha256 => Hash::S256(sha2::Sha256::new()),
            HashAlg::Sha384 => Hash::S384(sha2::Sha384::new()),
        }
    }

    fn hash_update(hash: &mut Hash, data: &[u8]) {
        match hash {
            Hash::S256(h) => h.update(data),
            Hash::S384(h) => h.update(data),
        }
    }

    fn hash_final(hash: Hash) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        match hash {
            Hash::S256(h) => out[..32].copy_from_slice(&h.finalize()),
            Hash::S384(h) => out.copy_from_slice(&h.finalize()),
        }
        out
    }

    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Hmac {
        match alg {
            HashAlg::Sha256 => Hmac::S256(Mac::new_from_slice(raw).unwrap()),
            HashAlg::Sha384 => Hmac::S384(Mac::new_from_slice(raw).unwrap()),
        }
    }

    fn hmac<const N: usize>(key: &Hmac, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        match key.clone() {
            Hmac::S256(mut m) => {
                parts.iter().for_each(|part| m.update(part));
                out[..32].copy_from_slice(&m.finalize().into_bytes());
            }
            Hmac::S384(mut m) => {
                parts.iter().for_each(|part| m.update(part));
                out.copy_from_slice(&m.finalize().into_bytes());
            }
        }
    }

    fn with_aead_key<T>(alg: AeadAlg, raw: &[u8], run: impl FnOnce(&AeadKey) -> T) -> Option<T> {
        Some(run(&aead_key(alg, raw)?))
    }

    fn aead_seal(key: &AeadKey, nonce: &[u8; 12], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_LEN] {
        // See `aead_key`.
        let mut nonce = *nonce;
        memcheck::declassify(&mut nonce);
        let nonce = (&nonce).into();
        match key {
            AeadKey::Aes128(k) => k.encrypt_in_place_detached(nonce, aad, buf),
            AeadKey::Aes256(k) => k.encrypt_in_place_detached(nonce, aad, buf),
            AeadKey::ChaCha(k) => k.encrypt_in_place_detached(nonce, aad, buf),
        }
        .unwrap()
        .into()
    }

    fn aead_open(
        key: &AeadKey,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        // See `aead_key`.
        let mut nonce = *nonce;
        memcheck::declassify(&mut nonce);
        let nonce = (&nonce).into();
        let tag = tag.into();
        match key {
            AeadKey::Aes128(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
            AeadKey::Aes256(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
            AeadKey::ChaCha(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
        }
        .map_err(|_| BadTag)
    }

    fn x25519(
        peer: &[u8; 32],
        public: &mut [u8; 32],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        let mut private = [0; 32];
        host_platform::random(&mut private);
        let usable = x25519::exchange::<Self>(&private, peer, public, shared);
        // It is sent.
        memcheck::declassify(public);
        usable.then_some(()).ok_or(BadShare)
    }

    lib_crypto_primitives!();

    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        // SAFETY: The words are as many as those of the key, which is made of integers.
        let key = unsafe { &mut *key.words_mut().as_mut_ptr().cast::<rsa_pss::PrivateKey>() };
        key.init(&rsa_pss::Components {
            n: numbers.n,
            e: numbers.e,
            p: numbers.p,
            q: numbers.q,
            dp: numbers.dp,
            dq: numbers.dq,
            qinv: numbers.qinv,
        })
        .map_err(|error| match error {
            rsa_pss::KeyError::Unsupported => RsaKeyError::Unsupported,
            rsa_pss::KeyError::Inconsistent => RsaKeyError::Inconsistent,
        })
    }

    fn random(buf: &mut [u8]) {
        host_platform::random(buf)
    }
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<rsa_pss::PrivateKey>() == 8 * RSA_KEY_WORDS);
const _: () = assert!(size_of::<rsa_pss::PrivateKey>() <= 8 * RSA_KEY_WORDS);
