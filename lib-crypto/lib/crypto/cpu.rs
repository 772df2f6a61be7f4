// SPDX-License-Identifier: GPL-2.0

//! What the CPU has, and the choice between assembly and portable code.
//!
//! A type that exists only on CPUs with certain instructions is the proof that they may be used:
//! assembly asks for a value of it, and there is one place where such a value is made.

/// What is known of the CPU.
pub trait Cpu {
    /// Whether it has mulx, adcx and adox, those of BMI2 and ADX. Constant false where there is no
    /// assembly.
    fn has_adx() -> bool;
}

/// The proof that the CPU has BMI2 and ADX.
///
/// # Invariants
///
/// Exists only if [`Cpu::has_adx`] is true.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Adx(());

#[cfg(target_arch = "x86_64")]
impl Adx {
    /// `None` if the CPU lacks the instructions.
    pub(crate) fn new<C: Cpu>() -> Option<Self> {
        // INVARIANT: Made only if the platform says so.
        C::has_adx().then_some(Adx(()))
    }
}

/// Calls a generic function with the best backend that the CPU has, once with [`Adx`] and once with
/// the portable one that is given: from there on it is one of two copies of the code.
#[cfg(target_arch = "x86_64")]
macro_rules! with_backend {
    ($cpu:ty, $portable:expr, $backend:ident => $call:expr) => {
        if let Some($backend) = $crate::cpu::Adx::new::<$cpu>() {
            $call
        } else {
            let $backend = $portable;
            $call
        }
    };
}

/// Calls a generic function with the only backend that there is.
#[cfg(not(target_arch = "x86_64"))]
macro_rules! with_backend {
    ($cpu:ty, $portable:expr, $backend:ident => $call:expr) => {{
        let $backend = $portable;
        $call
    }};
}

/// Lines of assembly, each of which is made of parts.
#[cfg(target_arch = "x86_64")]
#[allow(unused_macros)] // RSA's rows are concatenated by macros of their own.
macro_rules! lines {
    ($($($part:literal)+;)+) => {
        concat!($($($part,)+ "\n",)+)
    };
}
