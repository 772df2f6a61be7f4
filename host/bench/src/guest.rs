// SPDX-License-Identifier: GPL-2.0
//! What the benchmarks of lib/crypto's KUnit tests have printed.

use crate::measure::{head, line};

/// Prints the tables of a kernel's log: `# benchmark_p256: ECDSA, sign: 21800 ns`.
pub fn print(log: &str) {
    for text in log.lines() {
        let Some((_, text)) = text.split_once("# benchmark_") else {
            continue;
        };
        let fields: Vec<&str> = text.split(": ").collect();
        let &[_suite, operation, time] = &fields[..] else {
            continue;
        };
        let Some(Ok(ns)) = time.strip_suffix(" ns").map(str::parse::<f64>) else {
            continue;
        };
        head(&format!("In the kernel: {operation}"));
        line("ours", ns / 1e3, ns / 1e3, None, 1.0);
    }
}
