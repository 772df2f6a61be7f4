// SPDX-License-Identifier: GPL-2.0

//! RSASSA-PSS signing for users of `<crypto/rsa_pss.h>`.
//!
//! What is in [`rsa_pss`] is portable and takes what it needs from a [`Platform`]; here is the
//! kernel's, and what C calls.
//!
//! C header: [`include/crypto/rsa_pss.h`](srctree/include/crypto/rsa_pss.h)

#[macro_use]
pub mod cpu;
pub mod ct;
#[path = "rsa_pss/mod.rs"]
pub mod rsa_pss;

#[cfg(CONFIG_CRYPTO_LIB_RSA_PSS_KUNIT_TEST)]
#[path = "tests"]
mod tests {
    use crate::Kernel as Platform;
    mod common;
    mod rsa_pss;
    mod rsa_pss_vector;
}

use crate::cpu::Cpu;
use crate::ct::wipe_stack_1300;
use crate::rsa_pss::{Components, KeyError, Platform, PrivateKey, Scratch, SignError, SALT_LEN};
use core::mem::{align_of, size_of};
use kernel::bindings;
use kernel::error::code::{EINVAL, EKEYREJECTED, EOPNOTSUPP};
use kernel::ffi::c_int;
use kernel::prelude::export;

const _: () = assert!(size_of::<PrivateKey>() == size_of::<bindings::rsa_pss_key>());
const _: () = assert!(align_of::<PrivateKey>() == align_of::<bindings::rsa_pss_key>());
const _: () = assert!(size_of::<Scratch>() <= size_of::<bindings::rsa_pss_workspace>());
const _: () = assert!(align_of::<Scratch>() == align_of::<bindings::rsa_pss_workspace>());

/// lib/crypto's SHA-256, the kernel's random numbers and its knowledge of the CPU.
pub(crate) struct Kernel;

impl Platform for Kernel {
    #[inline(never)]
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut ctx = bindings::sha256_ctx::default();
        let mut out = [0; 32];
        // SAFETY: `ctx` is valid for writes.
        unsafe { bindings::sha256_init(&mut ctx) };
        for part in parts {
            // SAFETY: `ctx` is initialised, and `part` valid for reads of its length.
            unsafe { bindings::rsa_pss_hash_update(&mut ctx, part.as_ptr(), part.len()) };
        }
        // SAFETY: `ctx` is initialised, and `out` has room for a digest.
        unsafe { bindings::sha256_final(&mut ctx, out.as_mut_ptr()) };
        out
    }

    fn random(buf: &mut [u8]) {
        // SAFETY: `buf` is valid for writes of its length.
        unsafe { bindings::get_random_bytes(buf.as_mut_ptr().cast(), buf.len()) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn with_ifma(run: impl FnOnce()) -> bool {
        // SAFETY: There are no preconditions.
        let free = unsafe { bindings::rsa_pss_ifma_begin() };
        if free {
            run();
            // SAFETY: It was begun, and nothing here returns early or panics.
            unsafe { bindings::rsa_pss_ifma_end() };
        }
        free
    }
}

impl Cpu for Kernel {
    fn has_adx() -> bool {
        // SAFETY: There are no preconditions.
        unsafe { bindings::rsa_pss_cpu_has_adx() }
    }
}

/// Prepares a private key.
///
/// # Safety
///
/// `key` must be valid for writes, `raw` for reads, and so must be what it points to.
#[export]
pub unsafe extern "C" fn rsa_pss_preparekey(
    key: *mut bindings::rsa_pss_key,
    raw: *const bindings::rsa_pss_raw_key,
) -> c_int {
    // SAFETY: By the safety requirements of this function. Zeroes are a valid `PrivateKey`.
    let (key, raw) = unsafe {
        key.write_bytes(0, 1);
        (&mut *key.cast::<PrivateKey>(), &*raw)
    };
    let number = |start: *const u8, len| match len {
        0 => &[][..],
        // SAFETY: By the safety requirements of this function.
        len => unsafe { core::slice::from_raw_parts(start, len) },
    };
    let rc = key.init(&Components {
        n: number(raw.n, raw.n_len),
        e: number(raw.e, raw.e_len),
        p: number(raw.p, raw.p_len),
        q: number(raw.q, raw.q_len),
        dp: number(raw.dp, raw.dp_len),
        dq: number(raw.dq, raw.dq_len),
        qinv: number(raw.qinv, raw.qinv_len),
    });
    wipe_stack_1300();
    match rc {
        Ok(()) => 0,
        Err(KeyError::Unsupported) => EOPNOTSUPP.to_errno(),
        Err(KeyError::Inconsistent) => EINVAL.to_errno(),
    }
}

/// The length of the modulus.
///
/// # Safety
///
/// `key` must be prepared, or zeroes.
#[export]
pub unsafe extern "C" fn rsa_pss_modulus_size(key: *const bindings::rsa_pss_key) -> usize {
    // SAFETY: By the safety requirements of this function.
    unsafe { &*key.cast::<PrivateKey>() }.modulus_len()
}

/// Signs a digest.
///
/// # Safety
///
/// `sig` must be valid for reads and writes of `sig_len` bytes, `key` be prepared, `digest` valid
/// for reads of 32 bytes, and `ws` be initialised and nobody else's; none of them may overlap.
#[export]
pub unsafe extern "C" fn rsa_pss_sign(
    sig: *mut u8,
    sig_len: usize,
    key: *const bindings::rsa_pss_key,
    digest: *const u8,
    ws: *mut bindings::rsa_pss_workspace,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (key, digest, ws, sig) = unsafe {
        (
            &*key.cast::<PrivateKey>(),
            &*digest.cast::<[u8; 32]>(),
            &mut *ws.cast::<Scratch>(),
            core::slice::from_raw_parts_mut(sig, sig_len),
        )
    };
    signed(crate::rsa_pss::sign_pss::<Kernel>(key, digest, ws, sig))
}

/// What C is told of a signature.
fn signed(result: Result<usize, SignError>) -> c_int {
    wipe_stack_1300();
    match result {
        Ok(len) => len as c_int,
        Err(SignError::Buffer) => EINVAL.to_errno(),
        Err(SignError::Fault) => EKEYREJECTED.to_errno(),
    }
}

/// Signs a digest with a given salt.
///
/// # Safety
///
/// As for [`rsa_pss_sign`], and `salt` must be valid for reads of [`SALT_LEN`] bytes.
#[export]
pub unsafe extern "C" fn rsa_pss_sign_internal(
    sig: *mut u8,
    sig_len: usize,
    key: *const bindings::rsa_pss_key,
    digest: *const u8,
    salt: *const u8,
    ws: *mut bindings::rsa_pss_workspace,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (key, digest, salt, ws, sig) = unsafe {
        (
            &*key.cast::<PrivateKey>(),
            &*digest.cast::<[u8; 32]>(),
            &*salt.cast::<[u8; SALT_LEN]>(),
            &mut *ws.cast::<Scratch>(),
            core::slice::from_raw_parts_mut(sig, sig_len),
        )
    };
    signed(crate::rsa_pss::sign_pss_with::<Kernel>(
        key, digest, salt, ws, sig,
    ))
}
