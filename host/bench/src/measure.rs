// SPDX-License-Identifier: GPL-2.0
//! Times, instructions and cycles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use crate::worker::Worker;

/// Who and what.
pub struct Entry {
    pub name: String,
    pub operation: Operation,
}

/// What is measured.
pub enum Operation {
    /// In this process.
    Here(Box<dyn FnMut()>),
    /// In that of a C library.
    There(Worker, &'static str),
}

/// A library for Rust.
pub fn entry(name: &str, operation: impl FnMut() + 'static) -> Entry {
    Entry {
        name: name.into(),
        operation: Operation::Here(Box::new(operation)),
    }
}

impl Operation {
    /// Nanoseconds of CPU time of some repetitions.
    fn time(&mut self, repetitions: usize) -> f64 {
        match self {
            Operation::Here(run) => {
                let start = cpu_time();
                for _ in 0..repetitions {
                    run();
                }
                cpu_time() - start
            }
            Operation::There(worker, name) => worker.ask(name, repetitions).unwrap(),
        }
    }

    /// Instructions of one.
    fn count(&mut self) -> u64 {
        match self {
            Operation::Here(run) => count(run),
            Operation::There(worker, name) => worker.ask(name, 0).unwrap() as u64,
        }
    }
}

/// The CPU time of this thread in nanoseconds. What other processes take is not in it.
fn cpu_time() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is valid for writes.
    assert!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) } == 0);
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Each instruction that is executed with the trap flag set ends here.
extern "C" fn stepped(_signal: libc::c_int) {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

#[cfg(target_arch = "x86_64")]
fn count(operation: &mut dyn FnMut()) -> u64 {
    let handler: extern "C" fn(libc::c_int) = stepped;
    // SAFETY: The handler only adds to an atomic variable.
    unsafe { libc::signal(libc::SIGTRAP, handler as libc::sighandler_t) };
    STEPS.store(0, Ordering::Relaxed);
    // SAFETY: The trap flag has no effect but the signals, for which there is a handler.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    operation();
    // SAFETY: As above.
    unsafe { std::arch::asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
    STEPS.load(Ordering::Relaxed)
}

#[cfg(not(target_arch = "x86_64"))]
fn count(_operation: &mut dyn FnMut()) -> u64 {
    0
}

/// The clock of the core, measured once.
pub fn clock() -> f64 {
    static CLOCK: OnceLock<f64> = OnceLock::new();
    *CLOCK.get_or_init(measure_clock)
}

/// The clock of the core in cycles per nanosecond: an addition that needs the sum of the one before
/// takes one cycle. The best of several times is the one without disturbances.
#[cfg(target_arch = "x86_64")]
fn measure_clock() -> f64 {
    const ADDITIONS: usize = 100 * 20_000;
    let best = (0..50).map(|_| {
        let start = cpu_time();
        // SAFETY: Nothing else than the operands is changed.
        unsafe {
            std::arch::asm!(
                "2:",
                ".rept 100",
                "add {sum}, {one}",
                ".endr",
                "dec {loops}",
                "jnz 2b",
                sum = inout(reg) 0u64 => _,
                one = in(reg) 1u64,
                loops = inout(reg) ADDITIONS / 100 => _,
                options(nomem, nostack),
            );
        }
        cpu_time() - start
    });
    ADDITIONS as f64 / best.fold(f64::INFINITY, f64::min)
}

#[cfg(not(target_arch = "x86_64"))]
fn measure_clock() -> f64 {
    f64::NAN
}

/// How a table is measured.
pub struct Table {
    /// How often all take turns.
    pub rounds: usize,
    /// Repetitions of each turn.
    pub batch: usize,
    /// Of whom the instructions are counted.
    pub counted: fn(&str) -> bool,
}

/// The head of a table.
pub fn head(title: &str) {
    println!("\n{title}");
    println!(
        "{:<22}{:>11}{:>11}{:>12}{:>14}{:>8}",
        "", "median us", "p10 us", "cycles", "instructions", "ratio"
    );
}

/// A line of a table; times are in microseconds.
pub fn line(name: &str, median: f64, p10: f64, instructions: Option<u64>, ratio: f64) {
    let instructions = instructions.map_or("-".into(), |n| n.to_string());
    let cycles = p10 * 1e3 * clock();
    println!("{name:<22}{median:>11.2}{p10:>11.2}{cycles:>12.0}{instructions:>14}{ratio:>8.2}");
}

impl Table {
    /// Measures all in turns and prints the table. The first is compared with.
    pub fn print(&self, title: &str, mut entries: Vec<Entry>) {
        let mut times = vec![Vec::with_capacity(self.rounds); entries.len()];
        for _ in 0..self.rounds {
            for (entry, times) in entries.iter_mut().zip(&mut times) {
                times.push(entry.operation.time(self.batch) / 1e3 / self.batch as f64);
            }
        }
        head(title);
        let mut base = None;
        for (entry, times) in entries.iter_mut().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            let p10 = times[times.len() / 10];
            let instructions = (self.counted)(&entry.name).then(|| entry.operation.count());
            let ratio = median / *base.get_or_insert(median);
            line(&entry.name, median, p10, instructions, ratio);
        }
    }
}
