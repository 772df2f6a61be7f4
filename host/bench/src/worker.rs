// SPDX-License-Identifier: GPL-2.0
//! C libraries, each in a process of its own (c/worker.c).

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use crate::measure::{Entry, Operation};

/// A process that measures when it is told to. It ends with its input.
#[derive(Clone)]
pub struct Worker(Rc<Process>);

struct Process {
    library: String,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Worker {
    pub fn new(command: &[&str]) -> Self {
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut library = String::new();
        output.read_line(&mut library).unwrap();
        Worker(Rc::new(Process {
            library: library.trim().into(),
            pipes: RefCell::new((child.stdin.take().unwrap(), output)),
        }))
    }

    pub fn library(&self) -> &str {
        &self.0.library
    }

    /// Nanoseconds of some repetitions, or instructions of one for none. `None` if the library does
    /// not have the operation.
    pub fn ask(&self, operation: &str, repetitions: usize) -> Option<f64> {
        let (input, output) = &mut *self.0.pipes.borrow_mut();
        writeln!(input, "{operation} {repetitions}").unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "{} died", self.0.library);
        answer.trim().parse().ok()
    }

    /// The operation, if the library has it.
    pub fn entry(&self, suffix: &str, operation: &'static str) -> Option<Entry> {
        self.ask(operation, 1)?;
        Some(Entry {
            name: format!("{}{suffix}", self.0.library),
            operation: Operation::There(self.clone(), operation),
        })
    }
}
