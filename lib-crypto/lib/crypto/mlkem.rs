// SPDX-License-Identifier: GPL-2.0

//! ML-KEM for users of `<crypto/mlkem.h>`.
//!
//! What is in [`mlkem`] is portable and takes what it needs from a [`Platform`]; here is the
//! kernel's, and what C calls.
//!
//! C header: [`include/crypto/mlkem.h`](srctree/include/crypto/mlkem.h)

pub mod ct;
#[path = "mlkem/mod.rs"]
pub mod mlkem;

#[cfg(CONFIG_CRYPTO_LIB_MLKEM_KUNIT_TEST)]
#[path = "tests"]
mod tests {
    use crate::Kernel as Platform;
    mod common;
    mod mlkem;
    mod mlkem_vector;
}

use crate::ct::{wipe_stack_1300, Secret, Zeroable};
use crate::mlkem::{InvalidKey, Platform, Scratch, CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN};
use crate::mlkem::{MESSAGE_LEN, SHARED_SECRET_LEN};
use core::mem::{align_of, size_of};
use kernel::bindings;
use kernel::error::code::EBADMSG;
use kernel::ffi::c_int;
use kernel::prelude::export;

const _: () = assert!(CIPHERTEXT_LEN == bindings::MLKEM768_CIPHERTEXT_BYTES as usize);
const _: () = assert!(ENCAPSULATION_KEY_LEN == bindings::MLKEM768_PUBLIC_KEY_BYTES as usize);
const _: () = assert!(size_of::<Scratch>() <= size_of::<bindings::mlkem768_encaps_workspace>());
const _: () = assert!(align_of::<Scratch>() <= align_of::<bindings::mlkem768_encaps_workspace>());

/// lib/crypto's SHA-3, the kernel's random numbers and its knowledge of the CPU.
pub(crate) struct Kernel;

// SAFETY: It is made of integers and their arrays.
unsafe impl Zeroable for bindings::shake_ctx {}

impl Platform for Kernel {
    type Shake128 = Secret<bindings::shake_ctx>;

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

    fn shake128(data: &[u8]) -> Self::Shake128 {
        let mut shake = Secret::new(bindings::shake_ctx::default());
        // SAFETY: `shake` is valid for writes, and `data` for reads of its length.
        unsafe { bindings::mlkem_shake128_init(&mut *shake, data.as_ptr(), data.len()) };
        shake
    }

    fn shake128_squeeze(shake: &mut Self::Shake128, out: &mut [u8]) {
        // SAFETY: `shake` is initialised, `out` is valid for writes of its length.
        unsafe { bindings::shake_squeeze(&mut **shake, out.as_mut_ptr(), out.len()) }
    }

    fn random(buf: &mut [u8]) {
        // SAFETY: `buf` is valid for writes of its length.
        unsafe { bindings::get_random_bytes(buf.as_mut_ptr().cast(), buf.len()) }
    }

    #[inline(always)]
    fn with_avx2(run: impl FnOnce()) -> bool {
        // SAFETY: There are no preconditions.
        let free = unsafe { bindings::mlkem_avx2_begin() };
        if free {
            run();
            // SAFETY: It was begun, and nothing here returns early or panics.
            unsafe { bindings::mlkem_avx2_end() };
        }
        free
    }
}

/// Makes a shared secret and encapsulates it.
///
/// # Safety
///
/// `ct` must be valid for reads and writes of a ciphertext and `ss` of a shared secret, `pk` for
/// reads of a key, and `ws` be initialised; none of them may overlap.
#[export]
pub unsafe extern "C" fn mlkem768_encaps_ws(
    ct: *mut u8,
    ss: *mut u8,
    pk: *const u8,
    ws: *mut bindings::mlkem768_encaps_workspace,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (ct, ss, pk, ws) = unsafe {
        (
            &mut *ct.cast::<[u8; CIPHERTEXT_LEN]>(),
            &mut *ss.cast::<[u8; SHARED_SECRET_LEN]>(),
            &*pk.cast::<[u8; ENCAPSULATION_KEY_LEN]>(),
            &mut *ws.cast::<Scratch>(),
        )
    };
    encapsulated(crate::mlkem::encapsulate::<Kernel>(pk, ws, ct, ss))
}

/// What C is told of an encapsulation.
fn encapsulated(result: Result<(), InvalidKey>) -> c_int {
    wipe_stack_1300();
    match result {
        Ok(()) => 0,
        Err(InvalidKey) => EBADMSG.to_errno(),
    }
}

/// Makes a shared secret of a seed and encapsulates it.
///
/// # Safety
///
/// As for [`mlkem768_encaps_ws`], and `eseed` must be valid for reads of [`MESSAGE_LEN`] bytes.
#[export]
pub unsafe extern "C" fn mlkem768_encaps_ws_internal(
    ct: *mut u8,
    ss: *mut u8,
    pk: *const u8,
    eseed: *const u8,
    ws: *mut bindings::mlkem768_encaps_workspace,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (ct, ss, pk, eseed, ws) = unsafe {
        (
            &mut *ct.cast::<[u8; CIPHERTEXT_LEN]>(),
            &mut *ss.cast::<[u8; SHARED_SECRET_LEN]>(),
            &*pk.cast::<[u8; ENCAPSULATION_KEY_LEN]>(),
            &*eseed.cast::<[u8; MESSAGE_LEN]>(),
            &mut *ws.cast::<Scratch>(),
        )
    };
    encapsulated(crate::mlkem::encapsulate_with::<Kernel>(
        pk, eseed, ws, ct, ss,
    ))
}
