// SPDX-License-Identifier: GPL-2.0
//! What the benchmarks of lib/crypto's KUnit tests have printed.

use crate::measure::{head, line};

/// Prints the tables of a kernel's log: `# benchmark_p256: ECDSA, sign: 21800 ns`.
pub fn print(log: &str) {
    for text in log.lines() {
        let Some((_, text)) = text.split_once("# benchmark_") else {
            continue;
        };
        let number = |text: &str, unit| text.strip_suffix(unit)?.parse::<f64>().ok();
        let fields: Vec<&str> = text.split(": ").collect();
        let (operation, who, ns) = match fields[..] {
            [_suite, operation, time] => (operation, "ours", number(time, " ns")),
            // lib/crypto's own tests.
            ["curve25519", rate] => (
                "X25519, shared secret",
                "curve25519()",
                number(rate, " ops/s").map(|n| 1e9 / n),
            ),
            _ => continue,
        };
        if let Some(ns) = ns {
            head(&format!("In the kernel: {operation}"));
            line(who, ns / 1e3, ns / 1e3, None, 1.0);
        }
    }
}
