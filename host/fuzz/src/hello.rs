// SPDX-License-Identifier: GPL-2.0
//! A ClientHello in its records, or whatever else comes first: the same in pieces of any size. The
//! first byte says of which.
#![no_main]

mod common;

use common::Engine;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use tls_handshake_host::session::Session;

std::thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine::new());
}

fuzz_target!(|data: &[u8]| {
    let Some((chunk, bytes)) = data.split_first() else {
        return;
    };
    ENGINE.with_borrow_mut(|engine| {
        let whole = engine.feed(&mut Session::new(), bytes, usize::MAX);
        let chunk = 1 + usize::from(*chunk);
        assert_eq!(whole, engine.feed(&mut Session::new(), bytes, chunk));
    });
});
