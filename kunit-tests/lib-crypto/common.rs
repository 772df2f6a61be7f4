// SPDX-License-Identifier: GPL-2.0

//! What the tests in Rust share, of the primitives and of their user in net/tls. They run in the
//! kernel, with KUnit, and on the host, with cargo.

/// Zeroed memory for a type of which zeroes are a valid value.
#[cfg(CONFIG_KUNIT)]
pub(crate) fn zeroed<T>() -> Option<kernel::alloc::KBox<T>> {
    use kernel::prelude::*;
    let memory = KBox::<T>::new_uninit(GFP_KERNEL | __GFP_ZERO).ok()?;
    // SAFETY: The memory is zeroed, and the callers' types say that this is a valid value.
    Some(unsafe { memory.assume_init() })
}

/// Zeroed memory for a type of which zeroes are a valid value.
#[cfg(not(CONFIG_KUNIT))]
pub(crate) fn zeroed<T>() -> Option<Box<T>> {
    // SAFETY: The callers' types say that zeroes are a valid value.
    Some(unsafe { crate::zeroed() })
}

/// Bytes of a string of hexadecimal digits, at compile time.
pub(crate) const fn hex<const N: usize>(s: &str) -> [u8; N] {
    const fn digit(c: u8) -> u8 {
        match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let s = s.as_bytes();
    assert!(s.len() == 2 * N);
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = digit(s[2 * i]) << 4 | digit(s[2 * i + 1]);
        i += 1;
    }
    out
}
