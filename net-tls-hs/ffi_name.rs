// SPDX-License-Identifier: GPL-2.0

//! Server names of settings: the C side owns them, their order is the engine's.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

use crate::engine::policy::name::{self, Name};
use crate::engine::wire::framing;
use kernel::bindings;
use kernel::ffi::c_int;
use kernel::prelude::*;

/// The bytes of a name of the C side.
fn bytes_of(name: &bindings::tls_hs_name) -> &[u8] {
    name.bytes.get(..usize::from(name.len)).unwrap_or(&[])
}

/// Borrows a table of names.
///
/// # Safety
///
/// `table` must be valid for reads of `nr` pointers to names, which nobody changes as long as the
/// result is used.
unsafe fn table_of<'a>(
    table: *const *const bindings::tls_hs_name,
    nr: usize,
) -> &'a [&'a bindings::tls_hs_name] {
    // SAFETY: By the safety requirements of this function; a reference has the layout of a pointer.
    unsafe { core::slice::from_raw_parts(table.cast(), nr) }
}

/// Normalizes a name of settings, or a wildcard. Returns 0, or -EINVAL if it is none.
///
/// # Safety
///
/// `text` must be valid for reads of `len` bytes, `name` for reads and writes.
#[export]
pub unsafe extern "C" fn tls_hs_name_normalize(
    text: *const u8,
    len: usize,
    name: *mut bindings::tls_hs_name,
) -> c_int {
    // SAFETY: By the safety requirements of this function; the type is plain data that the caller
    // has initialised.
    let (text, name) = unsafe { (core::slice::from_raw_parts(text, len), &mut *name) };
    let Some(normal) = Name::pattern(text) else {
        return EINVAL.to_errno();
    };
    let normal = normal.as_bytes();
    for (to, from) in name.bytes.iter_mut().zip(normal) {
        *to = *from;
    }
    name.len = normal.len() as u8;
    0
}

/// Whether a name is in a table; `at` gets the place where it is, or where it belongs.
///
/// # Safety
///
/// `table` as for [`table_of`]; `name` must be valid for reads, `at` for writes.
#[export]
pub unsafe extern "C" fn tls_hs_name_search(
    table: *const *const bindings::tls_hs_name,
    nr: usize,
    name: *const bindings::tls_hs_name,
    at: *mut usize,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let (table, name, at) = unsafe { (table_of(table, nr), &*name, &mut *at) };
    let found = name::search(table, |entry| bytes_of(entry), bytes_of(name));
    *at = found.unwrap_or_else(|place| place);
    found.is_ok()
}

/// The entry of a table that the server name of a ClientHello selects. Returns its index, -ENOENT
/// if there is none, or -EAGAIN if the ClientHello is not complete or malformed.
///
/// # Safety
///
/// `input` must be valid for reads and writes of `in_len` bytes, and nobody else may use it;
/// `table` as for [`table_of`].
#[export]
pub unsafe extern "C" fn tls_hs_hello_find_name(
    input: *mut u8,
    in_len: usize,
    table: *const *const bindings::tls_hs_name,
    nr: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (input, table) = unsafe {
        (
            core::slice::from_raw_parts_mut(input, in_len),
            table_of(table, nr),
        )
    };
    let Some(asked) = framing::server_name(input) else {
        return EAGAIN.to_errno();
    };
    Name::new(asked)
        .and_then(|mut name| name::entry_for(table, |entry| bytes_of(entry), &mut name))
        .map_or(ENOENT.to_errno(), |at| at as c_int)
}
