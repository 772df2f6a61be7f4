// SPDX-License-Identifier: GPL-2.0

//! tlshs: keys and listeners for TLS handshakes in the kernel.

mod cli;
mod diag;
mod identity;
mod keyring;
mod keys;
mod run;
mod status;
mod sys;
mod uapi;
mod users;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("tlshs: {err}");
            ExitCode::FAILURE
        }
    }
}
