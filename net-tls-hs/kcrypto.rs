// SPDX-License-Identifier: GPL-2.0

//! [`Crypto`] over lib/crypto.
//!
//! C header: [`net/tls/handshake/crypto_shim.h`](srctree/net/tls/handshake/crypto_shim.h)

use crate::engine::crypto::{
    AeadAlg, BadShare, BadTag, Crypto, HashAlg, P256Key, RsaKey, RsaKeyError, RsaNumbers,
    SignError, MAX_ECDSA_SIGNATURE, MAX_HASH_LEN, MLKEM768_CIPHERTEXT_LEN, MLKEM768_KEY_LEN,
    NONCE_LEN, P256_POINT_LEN, RSA_KEY_WORDS, SHARED_SECRET_LEN, TAG_LEN, X25519_LEN,
};
use core::mem::{size_of, MaybeUninit};
use kernel::bindings;
use kernel::error::code::EOPNOTSUPP;
use pin_init::zeroed;

const _: () = assert!(size_of::<bindings::rsa_pss_key>() == 8 * RSA_KEY_WORDS);

/// The kernel's crypto library.
pub(crate) struct LibCrypto;

macro_rules! wiped {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        ///
        /// C initialises what it needs of it, and nobody else looks at it.
        pub(crate) struct $name(MaybeUninit<$inner>);

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: `self` is valid for writes, and is not used any more.
                unsafe { crate::ct::wipe_raw(&mut self.0, 1) }
            }
        }
    };
}

wiped!(
    /// A prepared HMAC key.
    HmacKey,
    bindings::tls_hs_hmac_key
);
wiped!(
    /// A prepared AEAD key.
    AeadKey,
    bindings::tls_hs_aead_key
);

impl Crypto for LibCrypto {
    type Hash = bindings::tls_hs_hash;
    type HmacKey = HmacKey;
    type AeadKey = AeadKey;
    type MlKemWorkspace = bindings::mlkem768_encaps_workspace;
    type RsaWorkspace = bindings::rsa_pss_workspace;

    // What returns a context is not inlined: its copy would stay on the caller's stack.
    #[inline(never)]
    fn hash_init(alg: HashAlg) -> Self::Hash {
        let mut hash = zeroed();
        // SAFETY: `hash` is valid for writes.
        unsafe { bindings::tls_hs_hash_init(&mut hash, alg == HashAlg::Sha384) };
        hash
    }

    fn hash_update(hash: &mut Self::Hash, data: &[u8]) {
        // SAFETY: `hash` was initialised by `hash_init`, `data` is valid for reads of its length.
        unsafe { bindings::tls_hs_hash_update(hash, data.as_ptr(), data.len()) }
    }

    #[inline(never)]
    fn hash_final(mut hash: Self::Hash) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        // SAFETY: `hash` was initialised by `hash_init`, `out` has room for the longest hash.
        unsafe { bindings::tls_hs_hash_final(&mut hash, out.as_mut_ptr()) };
        out
    }

    #[inline(never)]
    fn hmac_key(alg: HashAlg, raw: &[u8]) -> HmacKey {
        let mut key = HmacKey(MaybeUninit::uninit());
        // SAFETY: `key` is valid for writes, and `raw` for reads of its length.
        unsafe {
            bindings::tls_hs_hmac_preparekey(
                key.0.as_mut_ptr(),
                alg == HashAlg::Sha384,
                raw.as_ptr(),
                raw.len(),
            )
        };
        key
    }

    fn hmac<const N: usize>(key: &HmacKey, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        let parts = parts.map(|part| bindings::tls_hs_bytes {
            data: part.as_ptr(),
            len: part.len(),
        });
        // SAFETY: `key` is prepared, each part is valid for reads of its length, and `out` has
        // room for the longest MAC.
        unsafe { bindings::tls_hs_hmac(key.0.as_ptr(), parts.as_ptr(), N, out.as_mut_ptr()) }
    }

    #[inline(always)]
    fn with_aead_key<T>(alg: AeadAlg, raw: &[u8], run: impl FnOnce(&AeadKey) -> T) -> Option<T> {
        if raw.len() != alg.key_len() {
            return None;
        }
        let mut key = AeadKey(MaybeUninit::uninit());
        // SAFETY: `key` is valid for writes, and `raw` for reads of its length.
        let rc = unsafe {
            bindings::tls_hs_aead_preparekey(
                key.0.as_mut_ptr(),
                alg == AeadAlg::ChaCha20Poly1305,
                raw.as_ptr(),
                raw.len(),
            )
        };
        (rc == 0).then(|| run(&key))
    }

    fn aead_seal(
        key: &AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
    ) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        // SAFETY: The key is prepared and all buffers are valid for their lengths.
        unsafe {
            bindings::tls_hs_aead_seal(
                key.0.as_ptr(),
                nonce.as_ptr(),
                aad.as_ptr(),
                aad.len(),
                buf.as_mut_ptr(),
                buf.len(),
                tag.as_mut_ptr(),
            )
        };
        tag
    }

    fn aead_open(
        key: &AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        // SAFETY: The key is prepared and all buffers are valid for their lengths.
        let rc = unsafe {
            bindings::tls_hs_aead_open(
                key.0.as_ptr(),
                nonce.as_ptr(),
                aad.as_ptr(),
                aad.len(),
                buf.as_mut_ptr(),
                buf.len(),
                tag.as_ptr(),
            )
        };
        if rc == 0 {
            Ok(())
        } else {
            Err(BadTag)
        }
    }

    fn x25519(
        peer: &[u8; X25519_LEN],
        public: &mut [u8; X25519_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
    ) -> Result<(), BadShare> {
        let (public, shared) = (public.as_mut_ptr(), shared.as_mut_ptr());
        // SAFETY: All arrays have the length that the function expects.
        match unsafe { bindings::x25519_ephemeral(public, shared, peer.as_ptr()) } {
            0 => Ok(()),
            _ => Err(BadShare),
        }
    }

    fn p256_ecdh(
        peer: &[u8; P256_POINT_LEN],
        public: &mut [u8; P256_POINT_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
    ) -> Result<(), BadShare> {
        let (public, shared) = (public.as_mut_ptr(), shared.as_mut_ptr());
        // SAFETY: All arrays have the length that the function expects.
        match unsafe { bindings::p256_ecdh_ephemeral(public, shared, peer.as_ptr()) } {
            0 => Ok(()),
            _ => Err(BadShare),
        }
    }

    fn mlkem768_encaps(
        key: &[u8; MLKEM768_KEY_LEN],
        ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
        workspace: &mut Self::MlKemWorkspace,
    ) -> Result<(), BadShare> {
        let (ciphertext, shared) = (ciphertext.as_mut_ptr(), shared.as_mut_ptr());
        // SAFETY: All arrays have the length that the function expects, and nobody else uses the
        // workspace, which is initialised.
        match unsafe { bindings::mlkem768_encaps_ws(ciphertext, shared, key.as_ptr(), workspace) } {
            0 => Ok(()),
            _ => Err(BadShare),
        }
    }

    fn p256_public_key(key: &P256Key) -> Option<[u8; P256_POINT_LEN]> {
        let mut public = [0; P256_POINT_LEN];
        // SAFETY: Both arrays have the length that the function expects.
        let rc = unsafe { bindings::p256_public_key(public.as_mut_ptr(), key.as_bytes().as_ptr()) };
        (rc == 0).then_some(public)
    }

    fn p256_ecdsa_sign(
        key: &P256Key,
        digest: &[u8; 32],
        signature: &mut [u8; MAX_ECDSA_SIGNATURE],
    ) -> Result<usize, SignError> {
        let key = key.as_bytes().as_ptr();
        // SAFETY: All arrays have the length that the function expects.
        let rc = unsafe { bindings::p256_ecdsa_sign(signature.as_mut_ptr(), key, digest.as_ptr()) };
        usize::try_from(rc).map_err(|_| SignError)
    }

    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        let raw = bindings::rsa_pss_raw_key {
            n: numbers.n.as_ptr(),
            e: numbers.e.as_ptr(),
            p: numbers.p.as_ptr(),
            q: numbers.q.as_ptr(),
            dp: numbers.dp.as_ptr(),
            dq: numbers.dq.as_ptr(),
            qinv: numbers.qinv.as_ptr(),
            n_len: numbers.n.len(),
            e_len: numbers.e.len(),
            p_len: numbers.p.len(),
            q_len: numbers.q.len(),
            dp_len: numbers.dp.len(),
            dq_len: numbers.dq.len(),
            qinv_len: numbers.qinv.len(),
        };
        let key = key.words_mut().as_mut_ptr().cast();
        // SAFETY: `key` has the size and the alignment of the structure, and each number is valid
        // for reads of its length.
        match unsafe { bindings::rsa_pss_preparekey(key, &raw) } {
            0 => Ok(()),
            rc if rc == EOPNOTSUPP.to_errno() => Err(RsaKeyError::Unsupported),
            _ => Err(RsaKeyError::Inconsistent),
        }
    }

    fn rsa_pss_sign(
        key: &RsaKey,
        digest: &[u8; 32],
        signature: &mut [u8],
        workspace: &mut Self::RsaWorkspace,
    ) -> Result<usize, SignError> {
        // SAFETY: `key` has the size and the alignment of the structure and is prepared or zeroes,
        // the buffers are valid for their lengths, and nobody else uses the workspace, which is
        // initialised.
        let rc = unsafe {
            bindings::rsa_pss_sign(
                signature.as_mut_ptr(),
                signature.len(),
                key.words().as_ptr().cast(),
                digest.as_ptr(),
                workspace,
            )
        };
        usize::try_from(rc).map_err(|_| SignError)
    }

    fn random(buf: &mut [u8]) {
        // SAFETY: `buf` is valid for writes of its length.
        unsafe { bindings::tls_hs_random(buf.as_mut_ptr(), buf.len()) }
    }
}
