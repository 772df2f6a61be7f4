// SPDX-License-Identifier: GPL-2.0

//! The first ClientHello (RFC 9846, section 4.2.2).

use crate::engine::crypto::Crypto;
use crate::engine::policy::choice::choose;
use crate::engine::policy::fallback::Failure;
use crate::engine::policy::settings::Identities;
use crate::engine::state::answer::{write_flight, write_retry, Flight};
use crate::engine::state::expect_second_hello::remember;
use crate::engine::state::memory::Context;
use crate::engine::state::resumption::{may_answer, may_retry, resume};
use crate::engine::state::skip::Skip;
use crate::engine::state::states::{ExpectClientHello, ExpectSecondHello, State, Transition};
use crate::engine::state::step::Step;
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::framing::{Framing, HelloScan};

impl ExpectClientHello {
    /// Answers a complete ClientHello with the server's flight, or with a HelloRetryRequest.
    #[inline(never)]
    pub fn handle<C: Crypto, I: Identities>(
        self,
        input: &mut [u8],
        cx: &mut Context<'_, C, I>,
    ) -> Result<Transition, Failure> {
        let (message, consumed) = match cx.work.memory.hello.frame(input)? {
            Framing::More { need } => return Ok(self.stay(Step::More { consumed: 0, need })),
            Framing::Hello { message, consumed } => (message, consumed),
        };
        // Borrowed from the results: to move out of them would take twice the stack.
        let hello = &ClientHello::parse(message.body());
        let hello = hello.as_ref().map_err(|alert| *alert)?;
        cx.work.memory.negotiated.record_name(hello);
        let choice = &choose(hello, cx.config, cx.identities, &mut cx.work.scratch.set);
        let choice = choice.as_ref().map_err(|failure| *failure)?;
        let mut transcript = C::hash_init(choice.suite.hash());
        // A client that needs a PSK cannot fall back after a HelloRetryRequest: look for it first.
        let resume = match choice.peer.is_some() || choice.needs_psk() {
            true => {
                let derived = &mut cx.work.memory.handshake.derived;
                resume::<C>(
                    hello,
                    choice,
                    cx.config,
                    &transcript,
                    message.whole(),
                    derived,
                )
            }
            false => Ok(None),
        };
        let resume = resume.as_ref().map_err(|failure| *failure)?.as_ref();
        let next = if let Some(peer) = choice.peer {
            if !may_answer(cx.identities, choice, resume) {
                return Ok(self.stay(Step::Later));
            }
            C::hash_update(&mut transcript, message.whole());
            cx.work.memory.negotiated.record_first(choice);
            let flight = Flight {
                hello,
                choice,
                peer,
                resume,
                // Appendix E.4: behind the server's first message.
                change_cipher_spec: !hello.session_id.is_empty(),
            };
            State::Finished(write_flight::<C>(&flight, &mut transcript, &mut cx.work)?)
        } else {
            if !may_retry(cx.identities, choice) {
                return Ok(self.stay(Step::Later));
            }
            let memory = &mut *cx.work.memory;
            memory.negotiated.record_first(choice);
            memory.negotiated.retried = true;
            memory.hello = HelloScan::new();
            remember::<C>(choice.suite, &message, &mut memory.first_hello)?;
            write_retry(hello, choice, &mut cx.work.out)?;
            State::SecondHello(ExpectSecondHello {
                skip: Skip::new(hello.early_data),
            })
        };
        Ok(Transition {
            next,
            step: Step::Send {
                consumed,
                written: cx.work.out.filled_len(),
            },
        })
    }

    fn stay(self, step: Step) -> Transition {
        Transition {
            next: State::ClientHello(self),
            step,
        }
    }
}
