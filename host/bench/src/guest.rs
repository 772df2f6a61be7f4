// SPDX-License-Identifier: GPL-2.0
//! What the benchmark in the kernel has printed (kunit-tests/benchmark.rs).

use crate::measure::{head, line};

/// Prints the tables of a kernel's log.
pub fn print(log: &str) {
    let mut last = None;
    let mut base = 0.0;
    for text in log.lines() {
        let Some((_, text)) = text.split_once("benchmark: ") else {
            continue;
        };
        let fields: Vec<&str> = text.split(": ").collect();
        let &[operation, who, times] = &fields[..] else {
            continue;
        };
        let numbers: Vec<f64> = times
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let &[median, p10] = &numbers[..] else {
            continue;
        };
        if last != Some(operation) {
            head(&format!("In the kernel: {operation}"));
            (last, base) = (Some(operation), median);
        }
        line(who, median / 1e3, p10 / 1e3, None, median / base);
    }
}
