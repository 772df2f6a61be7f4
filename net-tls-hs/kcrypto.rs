// SPDX-License-Identifier: GPL-2.0

//! [`Crypto`] over lib/crypto.
//!
//! C header: [`net/tls/handshake/crypto_shim.h`](srctree/net/tls/handshake/crypto_shim.h)

use crate::crypto::{AeadAlg, BadTag, Crypto, HashAlg, MAX_HASH_LEN, NONCE_LEN, TAG_LEN};
use core::mem::MaybeUninit;
use kernel::bindings;

/// The kernel's crypto library.
pub(crate) struct LibCrypto;

/// Plain data of C.
///
/// # Safety
///
/// All-zero bytes must be a valid value of the type.
unsafe trait Plain {}

// SAFETY: It is made of integers, their arrays and a bool, in structures and unions.
unsafe impl Plain for bindings::tls_hs_hash {}
// SAFETY: As above.
unsafe impl Plain for bindings::tls_hs_hmac_key {}
// SAFETY: As above.
unsafe impl Plain for bindings::tls_hs_hmac {}
// SAFETY: As above.
unsafe impl Plain for bindings::tls_hs_aead_key {}
// SAFETY: As above, without the bool.
unsafe impl Plain for bindings::shake_ctx {}

/// Overwrites a C structure with zeroes.
fn wipe<T: Plain>(v: &mut T) {
    // SAFETY: `v` is valid for writes, and the trait says that zeroes are a valid value.
    unsafe { crate::ct::wipe_raw(v, 1) }
}

/// Zeroes, to be initialised by a function of C.
#[inline(always)]
fn zeroed<T: Plain>() -> T {
    // SAFETY: The trait says that zeroes are a valid value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

macro_rules! wiped {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        pub(crate) struct $name($inner);

        impl Drop for $name {
            fn drop(&mut self) {
                wipe(&mut self.0);
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
    /// A running HMAC.
    Hmac,
    bindings::tls_hs_hmac
);
wiped!(
    /// A prepared AEAD key.
    AeadKey,
    bindings::tls_hs_aead_key
);
wiped!(
    /// A SHAKE128 with all of its input.
    Shake128,
    bindings::shake_ctx
);

impl Crypto for LibCrypto {
    type Hash = bindings::tls_hs_hash;
    type HmacKey = HmacKey;
    type Hmac = Hmac;
    type AeadKey = AeadKey;
    type Shake128 = Shake128;

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
        let mut key = HmacKey(zeroed());
        // SAFETY: `key` is valid for writes, and `raw` for reads of its length.
        unsafe {
            bindings::tls_hs_hmac_preparekey(
                &mut key.0,
                alg == HashAlg::Sha384,
                raw.as_ptr(),
                raw.len(),
            )
        };
        key
    }

    #[inline(never)]
    fn hmac_init(key: &HmacKey) -> Hmac {
        let mut mac = Hmac(zeroed());
        // SAFETY: `mac` is valid for writes, and `key` is prepared.
        unsafe { bindings::tls_hs_hmac_init(&mut mac.0, &key.0) };
        mac
    }

    fn hmac_update(mac: &mut Hmac, data: &[u8]) {
        // SAFETY: `mac` is initialised, `data` is valid for reads of its length.
        unsafe { bindings::tls_hs_hmac_update(&mut mac.0, data.as_ptr(), data.len()) }
    }

    fn hmac_final(mac: &mut Hmac, out: &mut [u8; MAX_HASH_LEN]) {
        // SAFETY: `mac` is initialised, `out` has room for the longest MAC.
        unsafe { bindings::tls_hs_hmac_final(&mut mac.0, out.as_mut_ptr()) }
    }

    // But this one is, as with it not even the copy fits.
    #[inline(always)]
    fn aead_key(alg: AeadAlg, raw: &[u8]) -> Option<AeadKey> {
        if raw.len() != alg.key_len() {
            return None;
        }
        let mut key = Some(AeadKey(zeroed()));
        if let Some(AeadKey(to)) = &mut key {
            // SAFETY: `to` is valid for writes, and `raw` for reads of its length.
            let rc = unsafe {
                bindings::tls_hs_aead_preparekey(
                    to,
                    alg == AeadAlg::ChaCha20Poly1305,
                    raw.as_ptr(),
                    raw.len(),
                )
            };
            if rc != 0 {
                key = None;
            }
        }
        key
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
                &key.0,
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
                &key.0,
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

    fn sha3_256(data: &[u8], out: &mut [u8; 32]) {
        // SAFETY: `data` is valid for reads of its length, `out` has the length of the hash.
        unsafe { bindings::sha3_256(data.as_ptr(), data.len(), out.as_mut_ptr()) }
    }

    fn sha3_512(data: &[u8], out: &mut [u8; 64]) {
        // SAFETY: `data` is valid for reads of its length, `out` has the length of the hash.
        unsafe { bindings::sha3_512(data.as_ptr(), data.len(), out.as_mut_ptr()) }
    }

    fn shake256(data: &[u8], out: &mut [u8]) {
        // SAFETY: Both buffers are valid for their lengths.
        unsafe { bindings::shake256(data.as_ptr(), data.len(), out.as_mut_ptr(), out.len()) }
    }

    fn shake128(data: &[u8]) -> Shake128 {
        let mut shake = Shake128(zeroed());
        // SAFETY: `shake` is valid for writes, and `data` for reads of its length.
        unsafe { bindings::tls_hs_shake128_init(&mut shake.0, data.as_ptr(), data.len()) };
        shake
    }

    fn shake128_squeeze(shake: &mut Shake128, out: &mut [u8]) {
        // SAFETY: `shake` is initialised, `out` is valid for writes of its length.
        unsafe { bindings::shake_squeeze(&mut shake.0, out.as_mut_ptr(), out.len()) }
    }

    fn x25519_base(public: &mut [u8; 32], secret: &[u8; 32]) {
        // SAFETY: Both arrays have the length that the function expects.
        unsafe { bindings::tls_hs_x25519_base(public.as_mut_ptr(), secret.as_ptr()) }
    }

    fn x25519(shared: &mut [u8; 32], secret: &[u8; 32], peer: &[u8; 32]) -> bool {
        // SAFETY: All arrays have the length that the function expects.
        unsafe { bindings::tls_hs_x25519(shared.as_mut_ptr(), secret.as_ptr(), peer.as_ptr()) }
    }

    fn random(buf: &mut [u8]) {
        // SAFETY: `buf` is valid for writes of its length.
        unsafe { bindings::tls_hs_random(buf.as_mut_ptr(), buf.len()) }
    }

    fn cpu_has_adx() -> bool {
        // SAFETY: The function has no preconditions.
        unsafe { bindings::tls_hs_cpu_has_adx() }
    }

    #[inline(always)]
    fn with_avx2(run: impl FnOnce()) -> bool {
        // SAFETY: The function has no preconditions.
        let free = unsafe { bindings::tls_hs_avx2_begin() };
        if free {
            run();
            // SAFETY: It was begun, and nothing here returns early or panics.
            unsafe { bindings::tls_hs_avx2_end() };
        }
        free
    }
}
