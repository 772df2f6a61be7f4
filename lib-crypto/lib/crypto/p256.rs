// SPDX-License-Identifier: GPL-2.0

//! NIST P-256 for users of `<crypto/p256.h>`.
//!
//! What is in [`p256`] is portable and takes what it needs from a [`Platform`]; here is the
//! kernel's, and what C calls. Private keys are bytes at this boundary: to check one takes next to
//! nothing beside what is computed with it.
//!
//! C header: [`include/crypto/p256.h`](srctree/include/crypto/p256.h)

#[macro_use]
pub mod cpu;
pub mod ct;
pub mod divsteps;
pub mod limbs;
#[path = "p256/mod.rs"]
pub mod p256;

#[cfg(CONFIG_CRYPTO_LIB_P256_KUNIT_TEST)]
#[path = "tests"]
mod tests {
    use crate::Kernel as Platform;
    #[allow(dead_code)] // Other crates use what this one does not.
    mod common;
    mod p256;
    mod p256_nist;
}

use crate::cpu::Cpu;
use crate::ct::{wipe_stack_1700, Secret, Zeroable};
use crate::p256::{InvalidPublicKey, Platform, PrivateKey, MAX_SIGNATURE};
use kernel::bindings;
use kernel::error::code::{EBADMSG, EINVAL};
use kernel::ffi::c_int;
use kernel::prelude::export;

const _: () = assert!(MAX_SIGNATURE == bindings::P256_MAX_SIGNATURE_SIZE as usize);

/// lib/crypto's HMAC, the kernel's random numbers and its knowledge of the CPU.
pub(crate) struct Kernel;

// SAFETY: It is made of integers and their arrays.
unsafe impl Zeroable for bindings::hmac_sha256_key {}

impl Platform for Kernel {
    type HmacKey = Secret<bindings::hmac_sha256_key>;

    // It is not inlined: its copy would stay on the caller's stack.
    #[inline(never)]
    fn hmac_key(raw: &[u8]) -> Self::HmacKey {
        let mut key = Secret::new(bindings::hmac_sha256_key::default());
        // SAFETY: `key` is valid for writes, and `raw` for reads of its length.
        unsafe { bindings::hmac_sha256_preparekey(&mut *key, raw.as_ptr(), raw.len()) };
        key
    }

    fn hmac<const N: usize>(key: &Self::HmacKey, parts: [&[u8]; N], out: &mut [u8; 32]) {
        let parts = parts.map(|part| bindings::p256_bytes {
            data: part.as_ptr(),
            len: part.len(),
        });
        // SAFETY: The key is prepared, each part is valid for reads of its length, and `out` has
        // room for a MAC.
        unsafe { bindings::p256_hmac(&**key, parts.as_ptr(), N, out.as_mut_ptr()) }
    }

    fn random(buf: &mut [u8]) {
        // SAFETY: `buf` is valid for writes of its length.
        unsafe { bindings::get_random_bytes(buf.as_mut_ptr().cast(), buf.len()) }
    }
}

impl Cpu for Kernel {
    fn has_adx() -> bool {
        // SAFETY: There are no preconditions.
        unsafe { bindings::p256_cpu_has_adx() }
    }
}

/// The private key at `sk`. `None` if it is out of range.
///
/// # Safety
///
/// `sk` must be valid for reads of 32 bytes.
unsafe fn private_key(sk: *const u8) -> Option<PrivateKey> {
    // SAFETY: By the safety requirements of this function.
    PrivateKey::from_be_bytes(unsafe { &*sk.cast::<[u8; 32]>() })
}

/// Computes the public key of a private key.
///
/// # Safety
///
/// `pk` must be valid for writes of 65 bytes, `sk` for reads of 32.
#[export]
pub unsafe extern "C" fn p256_public_key(pk: *mut u8, sk: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let rc = unsafe { public_key(pk, sk) };
    wipe_stack_1700();
    rc
}

/// [`p256_public_key`] in a frame that can be wiped.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn public_key(pk: *mut u8, sk: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let Some(key) = (unsafe { private_key(sk) }) else {
        return EINVAL.to_errno();
    };
    // SAFETY: By the safety requirements of this function.
    unsafe { *pk.cast() = key.public_key::<Kernel>() };
    0
}

/// Agrees on a shared secret.
///
/// # Safety
///
/// `pk` must be valid for writes of 65 bytes and `ss` of 32, `sk` for reads of 32 bytes and `peer`
/// of 65. Nothing may overlap.
#[export]
pub unsafe extern "C" fn p256_ecdh(
    pk: *mut u8,
    ss: *mut u8,
    sk: *const u8,
    peer: *const u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let rc = unsafe { ecdh(pk, ss, sk, peer) };
    wipe_stack_1700();
    rc
}

/// [`p256_ecdh`] in a frame that can be wiped.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn ecdh(pk: *mut u8, ss: *mut u8, sk: *const u8, peer: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let Some(key) = (unsafe { private_key(sk) }) else {
        return EINVAL.to_errno();
    };
    // SAFETY: By the safety requirements of this function.
    unsafe { agree(&key, pk, ss, peer) }
}

/// Agrees on a shared secret with a new key pair.
///
/// # Safety
///
/// `pk` must be valid for writes of 65 bytes and `ss` of 32, `peer` for reads of 65. Nothing may
/// overlap.
#[export]
pub unsafe extern "C" fn p256_ecdh_ephemeral(pk: *mut u8, ss: *mut u8, peer: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let rc = unsafe { ecdh_ephemeral(pk, ss, peer) };
    wipe_stack_1700();
    rc
}

/// [`p256_ecdh_ephemeral`] in a frame that can be wiped.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn ecdh_ephemeral(pk: *mut u8, ss: *mut u8, peer: *const u8) -> c_int {
    let key = PrivateKey::generate::<Kernel>();
    // SAFETY: By the safety requirements of this function.
    unsafe { agree(&key, pk, ss, peer) }
}

/// Agrees on a shared secret with a key.
///
/// # Safety
///
/// `pk` must be valid for writes of 65 bytes and `ss` of 32, `peer` for reads of 65. Nothing may
/// overlap.
unsafe fn agree(key: &PrivateKey, pk: *mut u8, ss: *mut u8, peer: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (ss, peer) = unsafe { (&mut *ss.cast::<[u8; 32]>(), &*peer.cast::<[u8; 65]>()) };
    match crate::p256::ecdh::<Kernel>(key, peer, ss) {
        Ok(public) => {
            // SAFETY: By the safety requirements of this function.
            unsafe { *pk.cast() = public };
            0
        }
        Err(InvalidPublicKey) => EBADMSG.to_errno(),
    }
}

/// Signs a digest.
///
/// # Safety
///
/// `sig` must be valid for writes of [`MAX_SIGNATURE`] bytes, `sk` and `digest` for reads of 32.
/// Nothing may overlap.
#[export]
pub unsafe extern "C" fn p256_ecdsa_sign(sig: *mut u8, sk: *const u8, digest: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let rc = unsafe { ecdsa_sign(sig, sk, digest, None) };
    wipe_stack_1700();
    rc
}

/// Signs a digest, with given additional data for the nonce.
///
/// # Safety
///
/// As for [`p256_ecdsa_sign`], and `additional` must be valid for reads of `additional_len` bytes
/// unless that is 0.
#[export]
pub unsafe extern "C" fn p256_ecdsa_sign_internal(
    sig: *mut u8,
    sk: *const u8,
    digest: *const u8,
    additional: *const u8,
    additional_len: usize,
) -> c_int {
    let additional = match additional_len {
        0 => &[],
        // SAFETY: By the safety requirements of this function.
        len => unsafe { core::slice::from_raw_parts(additional, len) },
    };
    // SAFETY: By the safety requirements of this function.
    let rc = unsafe { ecdsa_sign(sig, sk, digest, Some(additional)) };
    wipe_stack_1700();
    rc
}

/// Signs in a frame that can be wiped, with fresh additional data or with some that is given.
///
/// # Safety
///
/// As for [`p256_ecdsa_sign`].
#[inline(never)]
unsafe fn ecdsa_sign(
    sig: *mut u8,
    sk: *const u8,
    digest: *const u8,
    additional: Option<&[u8]>,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let Some(key) = (unsafe { private_key(sk) }) else {
        return EINVAL.to_errno();
    };
    // SAFETY: By the safety requirements of this function.
    let (digest, sig) = unsafe {
        (
            &*digest.cast::<[u8; 32]>(),
            &mut *sig.cast::<[u8; MAX_SIGNATURE]>(),
        )
    };
    let len = match additional {
        None => crate::p256::ecdsa_sign::<Kernel>(&key, digest, sig),
        Some(additional) => crate::p256::ecdsa_sign_with::<Kernel>(&key, digest, additional, sig),
    };
    len as c_int
}
