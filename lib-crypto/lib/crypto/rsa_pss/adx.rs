// SPDX-License-Identifier: GPL-2.0

//! The inner loops of RSA for x86-64 CPUs with mulx, adcx and adox.
//!
//! All of them work on blocks of eight limbs. A window of eight limbs, in r8 to r15, slides over
//! the result: a row multiplies one limb by a block, adds the product to the window and moves it
//! up by one limb. Two carry chains run side by side, one in CF, one in OF. What a row is given
//! fits its nine limbs,
//!
//! ```text
//! (2^512 - 1) + (2^64 - 1) + (2^64 - 1) * (2^512 - 1) = 2^576 - 1
//!   window       limb added    limb       block
//! ```
//!
//! so that both carries are zero again after it and the next row can do without clearing them.
//!
//! Only general-purpose registers are used, so this needs no FPU section. LLVM does not let rbx
//! be an operand; it is saved on the stack where it is needed. rbp is left to unwinders. Jumps
//! depend on lengths only, addresses on lengths and positions.

use super::ifma::exponentiate;
use super::mont::{Limbs, Power, Work, BLOCK, ENTRIES};
use super::Platform;
use crate::cpu::Adx;
use core::arch::asm;

/// The carries go to the new limb on top of the window; the second word of the stack is zero.
///
/// Where more than two additions come between multiplications, Zen 4 sends some of them to the
/// multiplier's queue, so a multiplication comes between these two. In a row of products it is for
/// nothing: without it a block takes 88 cycles, with it 77. CPUs whose carry chains are the limit
/// have the time for it.
macro_rules! end_of_row {
    ($top:literal) => {
        end_of_row!($top, "mulx rax, rax, rdx\n")
    };
    ($top:literal, $multiplication:expr) => {
        concat! {
            "adcx ", $top, ", qword ptr [rsp + 8]\n",
            $multiplication,
            "adox ", $top, ", qword ptr [rsp + 8]\n",
        }
    };
}

/// Adds a product to the window: its low half to `$z`, together with the high half of the one
/// before, which is in rcx. Its own high half is in rcx then.
macro_rules! product {
    ($source:literal $z:literal) => {
        concat! {
            "adcx ", $z, ", rcx\n",
            "mulx rcx, rax, qword ptr [", $source, "]\n",
            "adox ", $z, ", rax\n",
        }
    };
}

/// The last product of a row, whose high half is the new limb on top of the window.
macro_rules! last_product {
    ($source:literal $z:literal $top:literal $(, $multiplication:expr)?) => {
        concat! {
            "adcx ", $z, ", rcx\n",
            "mulx ", $top, ", rax, qword ptr [", $source, "]\n",
            "adox ", $z, ", rax\n",
            end_of_row!($top $(, $multiplication)?),
        }
    };
}

/// `window += [rdi] + [rbx] * block at rsi`, with `[rdi]` and `[rbx]` displaced by `$at`; the
/// lowest limb goes to `[rdi]` and leaves the window.
macro_rules! row {
    ($at:literal, $z0:literal $z1:literal $z2:literal $z3:literal $z4:literal $z5:literal
     $z6:literal $z7:literal) => {
        concat! {
            "mov rdx, qword ptr [rbx + ", $at, "]\n",
            "adcx ", $z0, ", qword ptr [rdi + ", $at, "]\n",
            "mulx rcx, rax, qword ptr [rsi]\n",
            "adox ", $z0, ", rax\n",
            "mov qword ptr [rdi + ", $at, "], ", $z0, "\n",
            product!("rsi + 8" $z1),
            product!("rsi + 16" $z2),
            product!("rsi + 24" $z3),
            product!("rsi + 32" $z4),
            product!("rsi + 40" $z5),
            product!("rsi + 48" $z6),
            last_product!("rsi + 56" $z7 $z0),
        }
    };
}

/// `window += f * block of the modulus at rsi`, with that factor f that makes the lowest limb
/// zero. It is in rbx and goes to `[rdi]`, displaced by `$at`. The next row's is made, with
/// -m^-1 in the third word of the stack, of what is the lowest limb then.
macro_rules! reduction_row {
    ($at:literal, $z0:literal $z1:literal $z2:literal $z3:literal $z4:literal $z5:literal
     $z6:literal $z7:literal) => {
        concat! {
            "xor eax, eax\n",
            "mov rdx, rbx\n",
            "mov qword ptr [rdi + ", $at, "], rbx\n",
            "mulx rcx, rax, qword ptr [rsi]\n",
            "adox ", $z0, ", rax\n",
            product!("rsi + 8" $z1),
            product!("rsi + 16" $z2),
            product!("rsi + 24" $z3),
            product!("rsi + 32" $z4),
            product!("rsi + 40" $z5),
            product!("rsi + 48" $z6),
            last_product!("rsi + 56" $z7 $z0, concat! {
                "mov rdx, ", $z1, "\n",
                "mulx rax, rbx, qword ptr [rsp + 16]\n",
            }),
        }
    };
}

/// Eight rows, after which each limb of the window is in the register in which it began.
macro_rules! eight_rows {
    ($row:ident) => {
        concat! {
            $row!("0", "r8" "r9" "r10" "r11" "r12" "r13" "r14" "r15"),
            $row!("8", "r9" "r10" "r11" "r12" "r13" "r14" "r15" "r8"),
            $row!("16", "r10" "r11" "r12" "r13" "r14" "r15" "r8" "r9"),
            $row!("24", "r11" "r12" "r13" "r14" "r15" "r8" "r9" "r10"),
            $row!("32", "r12" "r13" "r14" "r15" "r8" "r9" "r10" "r11"),
            $row!("40", "r13" "r14" "r15" "r8" "r9" "r10" "r11" "r12"),
            $row!("48", "r14" "r15" "r8" "r9" "r10" "r11" "r12" "r13"),
            $row!("56", "r15" "r8" "r9" "r10" "r11" "r12" "r13" "r14"),
        }
    };
}

/// The block at rbx times as many blocks at rsi as the top of the stack says, added to what is at
/// rdi and to the window, which is on top in the end. With zero blocks it does nothing.
macro_rules! blocks {
    () => {
        concat! {
            "cmp qword ptr [rsp], 0\n",
            "je 3f\n",
            "2:\n",
            "xor eax, eax\n",
            eight_rows!(row),
            "add rsi, 64\n",
            "add rdi, 64\n",
            "dec qword ptr [rsp]\n",
            "jnz 2b\n",
            "3:\n",
        }
    };
}

/// The window goes to rdi.
macro_rules! store_window {
    () => {
        concat! {
            "mov qword ptr [rdi], r8\n",
            "mov qword ptr [rdi + 8], r9\n",
            "mov qword ptr [rdi + 16], r10\n",
            "mov qword ptr [rdi + 24], r11\n",
            "mov qword ptr [rdi + 32], r12\n",
            "mov qword ptr [rdi + 40], r13\n",
            "mov qword ptr [rdi + 48], r14\n",
            "mov qword ptr [rdi + 56], r15\n",
        }
    };
}

/// A row of a square with one product, `[rbx + $x] * [rbx + $y]`, or its first one.
macro_rules! first_of_square {
    ($x:literal $y:literal $z:literal) => {
        concat! {
            "mov rdx, qword ptr [rbx + ", $x, "]\n",
            "mulx rcx, rax, qword ptr [rbx + ", $y, "]\n",
            "adox ", $z, ", rax\n",
        }
    };
}

/// The products of different limbs of the block at rbx, each once, added to the eight limbs at
/// rdi; the eight limbs above are the window then. Limb i of the 16 is in register r8 + i mod 8,
/// and as in `row!` the carries are zero after each row.
macro_rules! triangle {
    () => {
        concat! {
            "xor eax, eax\n",
            "mov r9, qword ptr [rdi + 8]\n",
            "mov r10, qword ptr [rdi + 16]\n",
            "mov r11, qword ptr [rdi + 24]\n",
            "mov r12, qword ptr [rdi + 32]\n",
            "mov r13, qword ptr [rdi + 40]\n",
            "mov r14, qword ptr [rdi + 48]\n",
            "mov r15, qword ptr [rdi + 56]\n",
            first_of_square!("0" "8" "r9"),
            product!("rbx + 16" "r10"),
            product!("rbx + 24" "r11"),
            product!("rbx + 32" "r12"),
            product!("rbx + 40" "r13"),
            product!("rbx + 48" "r14"),
            last_product!("rbx + 56" "r15" "r8"),
            "mov qword ptr [rdi + 8], r9\n",
            "mov qword ptr [rdi + 16], r10\n",
            first_of_square!("8" "16" "r11"),
            product!("rbx + 24" "r12"),
            product!("rbx + 32" "r13"),
            product!("rbx + 40" "r14"),
            product!("rbx + 48" "r15"),
            last_product!("rbx + 56" "r8" "r9"),
            "mov qword ptr [rdi + 24], r11\n",
            "mov qword ptr [rdi + 32], r12\n",
            first_of_square!("16" "24" "r13"),
            product!("rbx + 32" "r14"),
            product!("rbx + 40" "r15"),
            product!("rbx + 48" "r8"),
            last_product!("rbx + 56" "r9" "r10"),
            "mov qword ptr [rdi + 40], r13\n",
            "mov qword ptr [rdi + 48], r14\n",
            first_of_square!("24" "32" "r15"),
            product!("rbx + 40" "r8"),
            product!("rbx + 48" "r9"),
            last_product!("rbx + 56" "r10" "r11"),
            "mov qword ptr [rdi + 56], r15\n",
            first_of_square!("32" "40" "r9"),
            product!("rbx + 48" "r10"),
            last_product!("rbx + 56" "r11" "r12"),
            first_of_square!("40" "48" "r11"),
            last_product!("rbx + 56" "r12" "r13"),
            first_of_square!("48" "56" "r13"),
            "mov r14, rcx\n",
            end_of_row!("r14"),
            "xor r15d, r15d\n",
        }
    };
}

/// Doubles two limbs at rdi and adds the square of one at rsi. CF is the carry of the doubling,
/// OF that of the sum.
macro_rules! double_and_square {
    ($($x:literal $low:literal $high:literal)*) => {
        concat! {
            $(
                "mov rdx, qword ptr [rsi + ", $x, "]\n",
                "mov r8, qword ptr [rdi + ", $low, "]\n",
                "mov r9, qword ptr [rdi + ", $high, "]\n",
                "mulx r11, r10, rdx\n",
                "adcx r8, r8\n",
                "adox r8, r10\n",
                "mov qword ptr [rdi + ", $low, "], r8\n",
                "adcx r9, r9\n",
                "adox r9, r11\n",
                "mov qword ptr [rdi + ", $high, "], r9\n",
            )*
        }
    };
}

/// Subtracts a limb at rsi, if rdx is one, from the one at rdi; mulx leaves the borrow alone.
macro_rules! subtract {
    ($($at:literal)*) => {
        concat! {
            $(
                "mulx r9, r8, qword ptr [rsi + ", $at, "]\n",
                "mov r10, qword ptr [rdi + ", $at, "]\n",
                "sbb r10, r8\n",
                "mov qword ptr [rax + ", $at, "], r10\n",
            )*
        }
    };
}

/// `t[..8 + 8 * blocks] = t[..8 * blocks] + x[..8] * b[..8 * blocks]`
///
/// # Safety
///
/// The CPU must have ADX and BMI2, and the pointers must be valid for what the formula says.
unsafe fn mul_blocks(t: *mut u64, x: *const u64, b: *const u64, blocks: usize) {
    // SAFETY: As the caller promises. What is pushed is popped, and rbx has its value again.
    unsafe {
        asm!(
            "push rbx",
            "push 0",
            "push rcx",
            "mov rbx, rax",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            blocks!(),
            store_window!(),
            "pop rcx",
            "pop rcx",
            "pop rbx",
            inout("rdi") t => _,
            inout("rsi") b => _,
            inout("rax") x => _,
            inout("rcx") blocks => _,
            out("rdx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
}

/// Adds to t the products of different limbs of x[..8], each once, and those of x[..8] and the
/// `blocks` blocks above it. Reads t[..8 + 8 * blocks] and writes eight limbs more.
///
/// # Safety
///
/// As for [`mul_blocks`], with `b` being `x + 8`.
unsafe fn triangle_blocks(t: *mut u64, x: *const u64, blocks: usize) {
    // SAFETY: As the caller promises. What is pushed is popped, and rbx has its value again.
    unsafe {
        asm!(
            "push rbx",
            "push 0",
            "push rcx",
            "mov rbx, rsi",
            "add rsi, 64",
            triangle!(),
            "add rdi, 64",
            blocks!(),
            store_window!(),
            "pop rcx",
            "pop rcx",
            "pop rbx",
            inout("rdi") t => _,
            inout("rsi") x => _,
            inout("rcx") blocks => _,
            out("rax") _,
            out("rdx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
}

/// `t[..16 * blocks] = 2 * t + the squares of the limbs of x[..8 * blocks]`, for at least one
/// block.
///
/// # Safety
///
/// The CPU must have ADX and BMI2, and the pointers must be valid for what the formula says.
unsafe fn add_squares(t: *mut u64, x: *const u64, blocks: usize) {
    // SAFETY: As the caller promises. lea, jrcxz and jmp leave the carries alone.
    unsafe {
        asm!(
            "xor eax, eax",
            "2:",
            double_and_square!(
                "0" "0" "8"
                "8" "16" "24"
                "16" "32" "40"
                "24" "48" "56"
                "32" "64" "72"
                "40" "80" "88"
                "48" "96" "104"
                "56" "112" "120"
            ),
            "lea rsi, [rsi + 64]",
            "lea rdi, [rdi + 128]",
            "lea rcx, [rcx - 1]",
            "jrcxz 3f",
            "jmp 2b",
            "3:",
            inout("rdi") t => _,
            inout("rsi") x => _,
            inout("rcx") blocks => _,
            out("rax") _,
            out("rdx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
}

/// Adds that multiple of m[..8 * blocks] to t that makes t[..8] zero, and the carry on top.
/// Returns the carry out of t[..8 + 8 * blocks]. t[..8] is garbage then.
///
/// # Safety
///
/// The CPU must have ADX and BMI2, the pointers must be valid for what the formula says, `blocks`
/// be at least one and `carry` at most one.
unsafe fn reduce_blocks(t: *mut u64, m: *const u64, n0: u64, blocks: usize, mut carry: u64) -> u64 {
    // SAFETY: As the caller promises. What is pushed is popped, and rbx has its value again.
    unsafe {
        asm!(
            "push rbx",
            "push rax",
            "push rdx",
            "push 0",
            "push rcx",
            "mov r8, qword ptr [rdi]",
            "mov r9, qword ptr [rdi + 8]",
            "mov r10, qword ptr [rdi + 16]",
            "mov r11, qword ptr [rdi + 24]",
            "mov r12, qword ptr [rdi + 32]",
            "mov r13, qword ptr [rdi + 40]",
            "mov r14, qword ptr [rdi + 48]",
            "mov r15, qword ptr [rdi + 56]",
            "mov rdx, r8",
            "mulx rax, rbx, qword ptr [rsp + 16]",
            eight_rows!(reduction_row),
            "mov rbx, rdi",
            "add rdi, 64",
            "add rsi, 64",
            "dec qword ptr [rsp]",
            blocks!(),
            "pop rcx",
            "pop rcx",
            "pop rcx",
            "pop rax",
            // CF becomes the carry.
            "add rax, -1",
            "adc r8, qword ptr [rdi]",
            "adc r9, qword ptr [rdi + 8]",
            "adc r10, qword ptr [rdi + 16]",
            "adc r11, qword ptr [rdi + 24]",
            "adc r12, qword ptr [rdi + 32]",
            "adc r13, qword ptr [rdi + 40]",
            "adc r14, qword ptr [rdi + 48]",
            "adc r15, qword ptr [rdi + 56]",
            store_window!(),
            "mov eax, 0",
            "adc rax, 0",
            "pop rbx",
            inout("rdi") t => _,
            inout("rsi") m => _,
            inout("rdx") n0 => _,
            inout("rcx") blocks => _,
            inout("rax") carry,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    carry
}

/// `out[..8 * blocks] = t - m * bit`, for at least one block.
///
/// # Safety
///
/// The CPU must have BMI2, the pointers must be valid for what the formula says and `bit` be at
/// most one.
unsafe fn subtract_blocks(out: *mut u64, t: *const u64, m: *const u64, bit: u64, blocks: usize) {
    // SAFETY: As the caller promises. lea, jrcxz and jmp leave the borrow alone.
    unsafe {
        asm!(
            "xor r8d, r8d",
            "2:",
            subtract!("0" "8" "16" "24" "32" "40" "48" "56"),
            "lea rsi, [rsi + 64]",
            "lea rdi, [rdi + 64]",
            "lea rax, [rax + 64]",
            "lea rcx, [rcx - 1]",
            "jrcxz 3f",
            "jmp 2b",
            "3:",
            inout("rdi") t => _,
            inout("rsi") m => _,
            inout("rax") out => _,
            inout("rcx") blocks => _,
            in("rdx") bit,
            out("r8") _, out("r9") _, out("r10") _,
            options(nostack),
        );
    }
}

// What the loop of `select_block` takes at a time.
const _: () = assert!(ENTRIES % 4 == 0);

/// Takes an entry of a table if as many as rdx says have been before it.
macro_rules! entry {
    ($at:literal) => {
        concat! {
            // One of all entries leaves a borrow.
            "sub rdx, 1\n",
            "cmovc r8, qword ptr [", $at, "]\n",
            "cmovc r9, qword ptr [", $at, " + 8]\n",
            "cmovc r10, qword ptr [", $at, " + 16]\n",
            "cmovc r11, qword ptr [", $at, " + 24]\n",
            "cmovc r12, qword ptr [", $at, " + 32]\n",
            "cmovc r13, qword ptr [", $at, " + 40]\n",
            "cmovc r14, qword ptr [", $at, " + 48]\n",
            "cmovc r15, qword ptr [", $at, " + 56]\n",
        }
    };
}

/// `out[..8] = table[digit * stride..][..8]` for a secret digit; all [`ENTRIES`] are read.
///
/// # Safety
///
/// The pointers must be valid for what the formula says for each digit below [`ENTRIES`].
unsafe fn select_block(out: *mut u64, table: *const u64, stride: usize, digit: u64) {
    // SAFETY: As the caller promises. The addresses do not depend on the digit.
    unsafe {
        asm!(
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "mov eax, {fours}",
            "2:",
            entry!("rsi"),
            entry!("rsi + 8 * rcx"),
            "lea rsi, [rsi + 8 * rcx]",
            "lea rsi, [rsi + 8 * rcx]",
            entry!("rsi"),
            entry!("rsi + 8 * rcx"),
            "lea rsi, [rsi + 8 * rcx]",
            "lea rsi, [rsi + 8 * rcx]",
            "dec eax",
            "jnz 2b",
            store_window!(),
            fours = const ENTRIES / 4,
            in("rdi") out,
            inout("rsi") table => _,
            in("rcx") stride,
            inout("rdx") digit => _,
            out("rax") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            options(nostack),
        );
    }
}

impl Limbs for Adx {
    fn multiply(self, t: &mut [u64], a: &[u64], b: &[u64]) {
        let len = b.len();
        if len % BLOCK != 0 || a.len() != len || t.len() != 2 * len {
            return;
        }
        for limb in t.iter_mut().take(len) {
            *limb = 0;
        }
        for i in (0..len).step_by(BLOCK) {
            // SAFETY: The CPU has the instructions by the type's invariant. i + 8 <= len, so that
            // x has eight limbs and t, of twice len, has len + 8 of them from i on.
            unsafe {
                mul_blocks(
                    t.as_mut_ptr().add(i),
                    a.as_ptr().add(i),
                    b.as_ptr(),
                    len / BLOCK,
                );
            }
        }
    }

    fn square(self, t: &mut [u64], a: &[u64]) {
        let len = a.len();
        if len == 0 || len % BLOCK != 0 || t.len() != 2 * len {
            return;
        }
        for limb in t.iter_mut().take(len) {
            *limb = 0;
        }
        for i in (0..len).step_by(BLOCK) {
            // SAFETY: The CPU has the instructions by the type's invariant. i + 8 <= len, so that
            // x is the rest of a, of len - i limbs, and t has 2 * len - 2 * i limbs from 2 * i on,
            // of which 8 + (len - i) are used.
            unsafe {
                triangle_blocks(
                    t.as_mut_ptr().add(2 * i),
                    a.as_ptr().add(i),
                    (len - i) / BLOCK - 1,
                );
            }
        }
        // SAFETY: As above; t is twice as long as a.
        unsafe { add_squares(t.as_mut_ptr(), a.as_ptr(), len / BLOCK) };
    }

    fn reduce(self, out: &mut [u64], t: &mut [u64], m: &[u64], n0: u64) {
        let len = m.len();
        if len == 0 || len % BLOCK != 0 || out.len() != len || t.len() != 2 * len {
            return;
        }
        let mut carry = 0;
        for i in (0..len).step_by(BLOCK) {
            // SAFETY: The CPU has the instructions by the type's invariant. i + 8 <= len, so that
            // t has len + 8 limbs from i on. The carry is what the function itself returned.
            unsafe {
                carry = reduce_blocks(t.as_mut_ptr().add(i), m.as_ptr(), n0, len / BLOCK, carry);
            }
        }
        // SAFETY: The CPU has the instructions, all three have len limbs, and the carry is at
        // most one.
        unsafe {
            subtract_blocks(
                out.as_mut_ptr(),
                t.as_ptr().add(len),
                m.as_ptr(),
                carry,
                len / BLOCK,
            );
        }
    }

    fn select(self, out: &mut [u64], table: &[u64], digit: u64) {
        let len = out.len();
        if len % BLOCK != 0 || table.len() != ENTRIES * len {
            return;
        }
        for i in (0..len).step_by(BLOCK) {
            // SAFETY: i + 8 <= len, and each of the entries has len limbs.
            unsafe {
                select_block(out.as_mut_ptr().add(i), table.as_ptr().add(i), len, digit);
            }
        }
    }

    fn exponentiate<P: Platform>(
        self,
        powers: [Power<'_>; 2],
        work: &mut Work,
        t: &mut [u64],
    ) -> bool {
        exponentiate::<P>(self, powers, work, t)
    }
}
