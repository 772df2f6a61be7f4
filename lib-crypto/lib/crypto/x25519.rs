// SPDX-License-Identifier: GPL-2.0

//! X25519 for users of `<crypto/x25519.h>`.
//!
//! What is in [`x25519`](mod@x25519) is portable; here is what the kernel knows of the
//! CPU, and what C calls.
//!
//! C header: [`include/crypto/x25519.h`](srctree/include/crypto/x25519.h)

#[macro_use]
pub mod cpu;
pub mod ct;
pub mod divsteps;
pub mod limbs;
#[path = "x25519/mod.rs"]
pub mod x25519;

#[cfg(CONFIG_CRYPTO_LIB_X25519_KUNIT_TEST)]
#[path = "tests"]
mod tests {
    use crate::Kernel as Platform;
    #[allow(dead_code)] // Other crates use what this one does not.
    mod common;
    mod x25519;
}

use crate::cpu::Cpu;
use crate::ct::{wipe_stack_1700, Secret};
use kernel::bindings;
use kernel::error::code::EBADMSG;
use kernel::ffi::c_int;
use kernel::prelude::export;

/// The kernel's knowledge of the CPU.
pub(crate) struct Kernel;

impl Cpu for Kernel {
    fn has_adx() -> bool {
        // SAFETY: There are no preconditions.
        unsafe { bindings::x25519_cpu_has_adx() }
    }
}

/// 0 if a shared secret may be used.
fn status(usable: bool) -> c_int {
    if usable {
        0
    } else {
        EBADMSG.to_errno()
    }
}

/// Computes the public key of a private key.
///
/// # Safety
///
/// `pk` must be valid for writes of 32 bytes, `sk` for reads of 32. They may not overlap.
#[export]
pub unsafe extern "C" fn x25519_public_key(pk: *mut u8, sk: *const u8) {
    // SAFETY: By the safety requirements of this function.
    let (pk, sk) = unsafe { (&mut *pk.cast(), &*sk.cast()) };
    crate::x25519::public_key::<Kernel>(sk, pk);
    wipe_stack_1700();
}

/// Agrees on a shared secret.
///
/// # Safety
///
/// `ss` must be valid for writes of 32 bytes, `sk` and `peer` for reads of 32. Nothing may overlap.
#[export]
pub unsafe extern "C" fn x25519(ss: *mut u8, sk: *const u8, peer: *const u8) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (ss, sk, peer) = unsafe { (&mut *ss.cast(), &*sk.cast(), &*peer.cast()) };
    let usable = crate::x25519::shared_secret::<Kernel>(sk, peer, ss);
    wipe_stack_1700();
    status(usable)
}

/// Agrees on a shared secret with a new key pair.
///
/// # Safety
///
/// `pk` and `ss` must be valid for writes of 32 bytes, `peer` for reads of 32. Nothing may overlap.
#[export]
pub unsafe extern "C" fn x25519_ephemeral(pk: *mut u8, ss: *mut u8, peer: *const u8) -> c_int {
    let mut sk = Secret::<[u8; 32]>::zeroed();
    // SAFETY: `sk` is valid for writes of its length.
    unsafe { bindings::get_random_bytes(sk.as_mut_ptr().cast(), sk.len()) };
    // SAFETY: By the safety requirements of this function, and `sk` is valid for reads.
    unsafe { x25519_ephemeral_internal(pk, ss, peer, sk.as_ptr()) }
}

/// [`x25519_ephemeral`] with a given private key.
///
/// # Safety
///
/// As there, and `sk` must be valid for reads of 32 bytes.
#[export]
pub unsafe extern "C" fn x25519_ephemeral_internal(
    pk: *mut u8,
    ss: *mut u8,
    peer: *const u8,
    sk: *const u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (pk, ss) = unsafe { (&mut *pk.cast(), &mut *ss.cast()) };
    // SAFETY: By the safety requirements of this function.
    let (sk, peer) = unsafe { (&*sk.cast(), &*peer.cast()) };
    let usable = crate::x25519::exchange::<Kernel>(sk, peer, pk, ss);
    wipe_stack_1700();
    status(usable)
}
