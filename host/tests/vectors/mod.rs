// SPDX-License-Identifier: GPL-2.0
//! NIST's vectors, as scripts/vectors fetches them.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// The text of a file.
pub fn file(name: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/vectors");
    let out = Command::new(script)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(out.status.success(), "{script} has no vectors");
    let folder = String::from_utf8(out.stdout).unwrap();
    std::fs::read_to_string(format!("{}/{name}", folder.trim())).unwrap()
}

/// The blocks of `key = value` lines in a section of a file of CAVP.
#[allow(dead_code)]
pub fn section(name: &str, header: &str) -> Vec<HashMap<String, String>> {
    let mut records = vec![HashMap::new()];
    let mut inside = false;
    let text = file(name);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == header;
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            let last = records.last_mut().unwrap();
            last.insert(key.trim().into(), value.trim().into());
        } else if !records.last().unwrap().is_empty() {
            records.push(HashMap::new());
        }
    }
    records.retain(|record| !record.is_empty());
    records
}

pub fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len() % 2 == 0);
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}
