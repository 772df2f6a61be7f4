// SPDX-License-Identifier: GPL-2.0

//! External PSKs that own their memory, and what the C side calls for them.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

use crate::engine::ct::wipe_raw;
use crate::engine::policy::external_psk::{self, PskEntry};
use crate::engine::policy::settings::ExternalPsk;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::alloc::AllocError;
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::ForeignOwnable;

/// `struct tls_hs_psk_set`.
pub struct PskSet {
    /// Identities, each with its key behind it. It has room for all of them from the beginning:
    /// one that grew would leave a copy of the keys.
    bytes: KVVec<u8>,
    /// Sorted by [`external_psk::sort`].
    entries: KVVec<PskEntry>,
}

impl PskSet {
    fn with_capacity(nr: usize, len: usize) -> Result<Self, AllocError> {
        Ok(PskSet {
            bytes: KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?,
            entries: KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Adds a PSK. False if it cannot be used, or if there is no room for it.
    fn add(&mut self, identity: &[u8], key: &[u8], index: usize) -> bool {
        let start = self.bytes.len();
        let Some(entry) = PskEntry::new(start, identity, key, index) else {
            return false;
        };
        identity.len() + key.len() <= self.bytes.capacity() - start
            && self.entries.push_within_capacity(entry).is_ok()
            && self.append(identity)
            && self.append(key)
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        self.bytes
            .extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)
            .is_ok()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The PSK with an identity.
    pub fn find(&self, identity: &[u8]) -> Option<ExternalPsk<'_>> {
        external_psk::find(&self.bytes, &self.entries, identity)
    }
}

impl Drop for PskSet {
    fn drop(&mut self) {
        let (bytes, len) = (self.bytes.as_mut_ptr(), self.bytes.len());
        // SAFETY: The bytes are valid for writes, and are not used any more.
        unsafe { wipe_raw(bytes, len) };
    }
}

/// Whether a PSK can be used.
///
/// # Safety
///
/// `identity` and `key` must be valid for reads of their lengths.
#[export]
pub unsafe extern "C" fn tls_hs_psk_check(
    identity: *const u8,
    identity_len: usize,
    key: *const u8,
    key_len: usize,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let (identity, key) = unsafe {
        (
            core::slice::from_raw_parts(identity, identity_len),
            core::slice::from_raw_parts(key, key_len),
        )
    };
    PskEntry::new(0, identity, key, 0).is_some()
}

/// Makes a set without PSKs that has room for `nr`, with `len` bytes in their identities and keys
/// together. Returns null without memory.
///
/// # Safety
///
/// None; `unsafe` because of the declaration in C.
#[export]
pub unsafe extern "C" fn tls_hs_psk_set_new(
    nr: usize,
    len: usize,
) -> *mut bindings::tls_hs_psk_set {
    PskSet::with_capacity(nr, len)
        .and_then(|set| KBox::new(set, GFP_KERNEL_ACCOUNT))
        .map_or(core::ptr::null_mut(), |set| set.into_foreign().cast())
}

/// Borrows a set to change it.
///
/// # Safety
///
/// `set` must come from [`tls_hs_psk_set_new`], and nobody else may use it during `'a`.
unsafe fn psk_set_mut<'a>(set: *mut bindings::tls_hs_psk_set) -> &'a mut PskSet {
    // SAFETY: By the safety requirements of this function.
    unsafe { KBox::<PskSet>::borrow_mut(set.cast()) }
}

/// Adds a PSK to a set. False if it cannot be used, or if there is no room for it.
///
/// # Safety
///
/// `set` must come from [`tls_hs_psk_set_new`] and be used by nobody else now, `identity` and `key`
/// be valid for reads of their lengths.
#[export]
pub unsafe extern "C" fn tls_hs_psk_set_add(
    set: *mut bindings::tls_hs_psk_set,
    identity: *const u8,
    identity_len: usize,
    key: *const u8,
    key_len: usize,
    index: usize,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let (set, identity, key) = unsafe {
        (
            psk_set_mut(set),
            core::slice::from_raw_parts(identity, identity_len),
            core::slice::from_raw_parts(key, key_len),
        )
    };
    set.add(identity, key, index)
}

/// Ends the additions. Before, no PSK is found.
///
/// # Safety
///
/// `set` must come from [`tls_hs_psk_set_new`] and be used by nobody else now.
#[export]
pub unsafe extern "C" fn tls_hs_psk_set_complete(set: *mut bindings::tls_hs_psk_set) {
    // SAFETY: By the safety requirements of this function.
    let set = unsafe { psk_set_mut(set) };
    external_psk::sort(&set.bytes, &mut set.entries);
}

/// Wipes and frees a set.
///
/// # Safety
///
/// `set` must come from [`tls_hs_psk_set_new`] and not be used any more.
#[export]
pub unsafe extern "C" fn tls_hs_psk_set_free(set: *mut bindings::tls_hs_psk_set) {
    // SAFETY: By the safety requirements of this function.
    drop(unsafe { KBox::<PskSet>::from_foreign(set.cast()) });
}
