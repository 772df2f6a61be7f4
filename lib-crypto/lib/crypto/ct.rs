// SPDX-License-Identifier: GPL-2.0

//! Constant-time building blocks and memory for secrets.
//!
//! Everything here runs in a time that depends on lengths only. Secrets live in [`Secret`], which
//! is zeroed on drop, has no `Debug` and can be compared in constant time only.

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{compiler_fence, Ordering};

/// A value of which the compiler does not know where it comes from.
#[inline(always)]
fn barrier(v: u64) -> u64 {
    // `black_box` goes through memory, which shows in arithmetic.
    #[cfg(all(
        any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64"
        ),
        not(miri)
    ))]
    {
        let mut v = v;
        // SAFETY: There are no instructions, and a register keeps its value.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) v,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        v
    }
    #[cfg(not(all(
        any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64"
        ),
        not(miri)
    )))]
    black_box(v)
}

/// A mask that is all ones or all zeroes.
///
/// # Invariants
///
/// The value is `0` or `u64::MAX`.
#[derive(Clone, Copy)]
pub struct Mask(u64);

impl Mask {
    /// All ones if `bit` is 1, all zeroes if it is 0. Only the lowest bit of `bit` counts.
    #[inline(always)]
    pub fn from_bit(bit: u64) -> Self {
        // INVARIANT: 0 - 1 wraps to all ones, 0 - 0 is 0. The barrier keeps the compiler from
        // turning later selects into branches.
        Mask(barrier(0u64.wrapping_sub(bit & 1)))
    }

    /// All ones if `a == b`.
    #[inline(always)]
    pub fn equal(a: u64, b: u64) -> Self {
        let d = a ^ b;
        // The top bit of `d | -d` is set exactly if `d != 0`.
        Self::from_bit(((d | d.wrapping_neg()) >> 63) ^ 1)
    }

    /// All ones if `a == 0`.
    #[inline(always)]
    pub fn is_zero(a: u64) -> Self {
        Self::equal(a, 0)
    }

    /// `a` where the mask is ones, `b` where it is zeroes.
    #[inline(always)]
    pub fn select(self, a: u64, b: u64) -> u64 {
        b ^ (self.0 & (a ^ b))
    }

    /// The mask's bits.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The opposite mask.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)]
    pub fn not(self) -> Self {
        // INVARIANT: The complement of 0 is all ones and the other way round.
        Mask(!self.0)
    }

    /// Both masks.
    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        // INVARIANT: Bitwise operations on all-ones/all-zeroes words stay in that set.
        Mask(self.0 & other.0)
    }

    /// Either mask.
    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        // INVARIANT: Bitwise operations on all-ones/all-zeroes words stay in that set.
        Mask(self.0 | other.0)
    }

    /// Makes the mask public, to branch on it. Use it only on what an observer may know.
    #[inline(always)]
    pub fn declassify(self) -> bool {
        declassified(self.0) != 0
    }
}

/// A value of which an observer may know. Says so to memcheck, if that looks for branches on
/// secrets on the host; does nothing else.
#[inline(always)]
pub fn declassified<T: Zeroable>(v: T) -> T {
    #[cfg(tls_hs_memcheck)]
    {
        let mut v = v;
        crate::memcheck::declassify(&mut v);
        black_box(v)
    }
    #[cfg(not(tls_hs_memcheck))]
    v
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut diff = 0u8;
    for (x, y) in a.iter().zip(b) {
        diff |= x ^ y;
    }
    declassified(black_box(diff)) == 0
}

/// Plain memory that can be overwritten with zeroes.
///
/// The kernel's `pin_init::Zeroable` promises more: with it, safe code can make a value of nothing.
/// Elements of a field hold the proof that the CPU has the instructions of their backend, which
/// must not be made that way. Contexts of C, which hold none, use the kernel's trait.
///
/// # Safety
///
/// A value of the type must be valid as well when all of its bytes have been overwritten with
/// zeroes, and dropping it must do nothing.
pub unsafe trait Zeroable: Copy {}

// SAFETY: Integers have no invalid values and no drop glue.
unsafe impl Zeroable for u8 {}
// SAFETY: Integers have no invalid values and no drop glue.
unsafe impl Zeroable for u16 {}
// SAFETY: Integers have no invalid values and no drop glue.
unsafe impl Zeroable for u32 {}
// SAFETY: Integers have no invalid values and no drop glue.
unsafe impl Zeroable for u64 {}
// SAFETY: Integers have no invalid values and no drop glue.
unsafe impl Zeroable for i16 {}
// SAFETY: An array of zeroable elements is zeroable.
unsafe impl<T: Zeroable, const N: usize> Zeroable for [T; N] {}

/// Overwrites `v` with zeroes in a way that the compiler cannot leave out.
#[inline]
pub fn wipe<T: Zeroable>(v: &mut [T]) {
    // SAFETY: The slice is valid for writes of all its elements, and `Zeroable` says that they are
    // valid with zero bytes.
    unsafe { wipe_raw(v.as_mut_ptr(), v.len()) }
}

/// [`wipe`], for what is not [`Zeroable`].
///
/// # Safety
///
/// `v` must be valid for writes of `len` values, which must be valid with zero bytes or not be used
/// any more.
#[inline]
pub unsafe fn wipe_raw<T>(v: *mut T, len: usize) {
    // SAFETY: By the safety requirements of this function.
    unsafe { core::ptr::write_bytes(v, 0, len) };
    // As far as the compiler knows, the zeroes are looked at here.
    black_box(v);
    compiler_fence(Ordering::SeqCst);
}

/// How much of the stack each function of [`wipe_stack`] overwrites, in words.
const STACK_WORDS: usize = 40;

macro_rules! wipe_stack {
    ($($name:ident calls $($next:ident)?;)*) => {
        $(#[inline(never)]
        fn $name() {
            let mut words = MaybeUninit::<[u64; STACK_WORDS]>::uninit();
            let first = words.as_mut_ptr().cast::<u64>();
            // Stores, as the compiler would call memset(), which takes a while to begin with.
            for i in 0..STACK_WORDS {
                // SAFETY: There are so many words.
                unsafe { first.add(i).write_volatile(0) };
            }
            // As far as the compiler knows, the zeroes are looked at here, and there is more to be
            // done after the call, which so has a frame below this one.
            black_box(&words);
            $($next();)?
            black_box(&words);
        })*
    };
}

wipe_stack! {
    wipe_stack_1 calls wipe_stack_2;
    wipe_stack_2 calls wipe_stack_3;
    wipe_stack_3 calls wipe_stack_4;
    wipe_stack_4 calls wipe_stack_5;
    wipe_stack_5 calls wipe_stack_6;
    wipe_stack_6 calls wipe_stack_7;
    wipe_stack_7 calls wipe_stack_8;
    wipe_stack_8 calls wipe_stack_9;
    wipe_stack_9 calls wipe_stack_10;
    wipe_stack_10 calls wipe_stack_11;
    wipe_stack_11 calls;
}

/// Overwrites 3.5 KiB of the stack below the caller, with what functions that it has called have
/// left there.
///
/// A [`Secret`] is wiped where it is in the end. The compiler makes copies of a value that is moved
/// or returned, or that has no place of its own, and nobody can say where. So whoever is called for
/// something that has to do with secrets calls this on the way out.
#[inline(always)]
pub fn wipe_stack() {
    wipe_stack_1();
}

/// [`wipe_stack`] of 1.7 KiB, for functions that call no deeper.
#[inline(always)]
pub fn wipe_stack_1700() {
    wipe_stack_7();
}

/// [`wipe_stack`] of 1.3 KiB, for functions that call no deeper.
#[inline(always)]
pub fn wipe_stack_1300() {
    wipe_stack_8();
}

/// A secret value that is overwritten with zeroes when it is dropped.
///
/// Deliberately neither `Copy`, `Clone`, `Debug` nor `PartialEq`.
pub struct Secret<T: Zeroable>(T);

impl<T: Zeroable> Secret<T> {
    /// Wraps a value. The caller's copy, if it has one, is the caller's to wipe.
    #[inline(always)]
    pub const fn new(v: T) -> Self {
        Secret(v)
    }
}

impl<const N: usize> Secret<[u8; N]> {
    /// Zeroes, to be filled in.
    #[inline(always)]
    pub const fn zeroed() -> Self {
        Secret([0; N])
    }
}

impl<T: Zeroable> Deref for Secret<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroable> DerefMut for Secret<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroable> Drop for Secret<T> {
    #[inline]
    fn drop(&mut self) {
        wipe(core::slice::from_mut(&mut self.0));
    }
}
