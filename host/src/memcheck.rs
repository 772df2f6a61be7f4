// SPDX-License-Identifier: GPL-2.0
//! Secrets as memcheck sees them: as memory that has not been initialised, of which Valgrind
//! complains if a branch or an address depends on it.
//!
//! Without `--cfg tls_hs_memcheck`, and without Valgrind, all of this does nothing.

use std::mem::size_of_val;

/// What `valgrind/valgrind.h` and `valgrind/memcheck.h` call VG_USERREQ.
mod request {
    const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
    pub const RUNNING_ON_VALGRIND: usize = 0x1001;
    pub const COUNT_ERRORS: usize = 0x1201;
    pub const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;
    pub const MAKE_MEM_DEFINED: usize = MEMCHECK + 2;
}

/// A client request: instructions that do nothing but to Valgrind.
fn ask(request: usize, address: usize, len: usize) -> usize {
    #[cfg(all(tls_hs_memcheck, target_arch = "x86_64"))]
    {
        let args = [request, address, len, 0, 0, 0];
        let mut result = 0usize;
        // SAFETY: The rotations by 128 in sum leave rdi as it is. Valgrind reads the arguments and
        // changes rdx, and what it knows of the memory, but not the memory.
        unsafe {
            std::arch::asm!(
                "rol rdi, 3",
                "rol rdi, 13",
                "rol rdi, 61",
                "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") &args,
                inout("rdx") result,
                out("rdi") _,
                options(nostack),
            );
        }
        result
    }
    #[cfg(not(all(tls_hs_memcheck, target_arch = "x86_64")))]
    {
        let _ = (request, address, len);
        0
    }
}

/// Whether this runs under Valgrind, and was built for it.
pub fn is_active() -> bool {
    ask(request::RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// How many errors there have been.
pub fn errors() -> usize {
    ask(request::COUNT_ERRORS, 0, 0)
}

/// From here on the memory is secret.
pub fn classify<T: ?Sized>(secret: &mut T) {
    let len = size_of_val(secret);
    ask(
        request::MAKE_MEM_UNDEFINED,
        std::ptr::from_mut(secret).cast::<u8>() as usize,
        len,
    );
}

/// From here on the memory is public.
pub fn declassify<T: ?Sized>(public: &mut T) {
    let len = size_of_val(public);
    ask(
        request::MAKE_MEM_DEFINED,
        std::ptr::from_mut(public).cast::<u8>() as usize,
        len,
    );
}
