// SPDX-License-Identifier: GPL-2.0

//! Resumption with tickets (RFC 9846, sections 2.2 and 4.7.1): which one a client comes back with,
//! and what it gets.

use crate::engine::crypto::{Crypto, MAX_HASH_LEN};
use crate::engine::keys::psk::TicketPsk;
use crate::engine::keys::schedule::{hash_so_far, MainSecret, TrafficSecret};
use crate::engine::keys::ticket::{self, Sealer, Tickets};
use crate::engine::policy::choice::{Choice, Credential};
use crate::engine::policy::fallback::{Failure, Fallback};
use crate::engine::policy::name::Name;
use crate::engine::policy::settings::{Config, Identities};
use crate::engine::state::memory::{Memory, Resumption, Workspace};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::{content_type, handshake_type, CipherSuite};
use crate::engine::wire::server_flight as flight;
use crate::engine::wire::ticket_request::TicketRequest;

/// Tickets for a client that asks for no number, after a full handshake: it can make two
/// connections at a time, as browsers do.
pub const TICKETS: u8 = 2;

/// The same after a resumption, for the one that is used up.
pub const TICKETS_RESUMED: u8 = 1;

/// How many tickets a client is to have that can have some.
pub fn ticket_count(request: Option<TicketRequest>, resumed: bool) -> u8 {
    match request {
        Some(request) => request.count(resumed),
        None if resumed => TICKETS_RESUMED,
        None => TICKETS,
    }
}

/// What the ClientHello and the settings lead to as to tickets.
pub struct Resume {
    /// See [`ticket::context`].
    pub context: [u8; 32],
    /// When the full handshake was, or is, that tickets go back to.
    pub since: u64,
    /// The connection that is resumed.
    pub psk: Option<TicketPsk>,
}

/// Whether what has been chosen may be used for a flight, which has a signature unless there is a
/// PSK.
pub fn may_answer(
    identities: &impl Identities,
    choice: &Choice<'_>,
    resume: Option<&Resume>,
) -> bool {
    let resumed = resume.is_some_and(|resume| resume.psk.is_some());
    match &choice.credential {
        Credential::Certificate(identity) => {
            identities.may_use(identity, !resumed && identity.key.is_rsa())
        }
        Credential::ExternalPsk(selected) => selected
            .index
            .is_some_and(|index| identities.may_use_psk(index)),
    }
}

/// The same for a HelloRetryRequest.
pub fn may_retry(identities: &impl Identities, choice: &Choice<'_>) -> bool {
    match &choice.credential {
        Credential::Certificate(identity) => identities.may_use(identity, false),
        Credential::ExternalPsk(_) => may_answer(identities, choice, None),
    }
}

/// Checks the binder of the external PSK that has been chosen, or else looks for a ticket in the
/// ClientHello. `None` if the client can have and use none; else there is a PSK if the handshake is
/// a resumption, and what is needed of it is written to `derived`. `transcript` is what comes
/// before `message`.
///
/// With an external PSK there are no tickets: they would not prove which PSK the client has.
///
/// A client that cannot verify a certificate and offers no ticket may have an external PSK, which
/// user space may know.
#[inline(never)]
pub fn resume<C: Crypto>(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    config: &Config<'_>,
    transcript: &C::Hash,
    message: &[u8],
    derived: &mut TrafficSecret,
) -> Result<Option<Resume>, Failure> {
    let identity = match &choice.credential {
        Credential::Certificate(identity) => identity,
        Credential::ExternalPsk(selected) => {
            let offered = hello.pre_shared_key.as_ref();
            let offered = offered.ok_or(Alert::InternalError)?;
            selected
                .psk
                .check_binder::<C>(offered, transcript, message)?;
            return match selected.index {
                Some(_) => Ok(None),
                // No binder is right for what stands in for a PSK.
                None => Err(Alert::DecryptError.into()),
            };
        }
    };
    let digest = identity.digest;
    let found = find_ticket::<C>(hello, choice, digest, config, transcript, message, derived)?;
    if choice.needs_ticket && found.as_ref().is_none_or(|resume| resume.psk.is_none()) {
        return Err(Failure::Fallback(Fallback::NotSupported));
    }
    Ok(found)
}

fn find_ticket<C: Crypto>(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    certificate: &[u8; 32],
    config: &Config<'_>,
    transcript: &C::Hash,
    message: &[u8],
    derived: &mut TrafficSecret,
) -> Result<Option<Resume>, Alert> {
    if hello.psk_dhe_ke != Some(true) || !config.resumes() {
        return Ok(None);
    }
    let alg = choice.suite.hash();
    let name = hello.server_name.and_then(Name::new);
    let context = ticket::context::<C>(
        alg,
        name.as_ref().map_or(&[], |name| name.as_bytes()),
        choice.protocol.unwrap_or(&[]),
        certificate,
    );
    let psk = match &hello.pre_shared_key {
        Some(offered) => {
            let tickets = &config.tickets;
            TicketPsk::select::<C>(
                offered, tickets, alg, &context, transcript, message, derived,
            )?
        }
        None => None,
    };
    let since = psk.as_ref().map_or(config.tickets.now, |psk| psk.since);
    Ok(Some(Resume {
        context,
        since,
        psk,
    }))
}

/// resumption_secret. Its transcript ends with the client's Finished, of which all is known
/// before it comes. `transcript` is of what is before it.
#[inline(never)]
pub fn resumption_secret<C: Crypto>(
    main: &MainSecret<C>,
    transcript: &mut C::Hash,
    suite: CipherSuite,
    verify_data: &[u8; MAX_HASH_LEN],
    to: &mut TrafficSecret,
) {
    let len = suite.hash().output_len();
    C::hash_update(transcript, &[handshake_type::FINISHED, 0, 0, len as u8]);
    C::hash_update(transcript, verify_data.get(..len).unwrap_or(&[]));
    main.resumption(&hash_so_far::<C>(transcript), to);
}

/// Writes the records with the client's tickets; none if there can be none now.
#[inline(never)]
pub fn write_tickets<C: Crypto>(
    config: &Config<'_>,
    work: &mut Workspace<'_, C>,
) -> Result<(), Alert> {
    let Memory {
        negotiated,
        handshake,
        application,
        ..
    } = &mut *work.memory;
    let resumption = &handshake.resumption;
    let lifetime = config.tickets.lifetime_since(resumption.since);
    if !config.resumes() || lifetime == 0 {
        return Ok(());
    }
    let mut w = work.out.content();
    write_messages::<C>(resumption, &config.tickets, lifetime, &mut w)?;
    let len = w.position();
    let records = &mut application.records;
    records.limit(negotiated.max_fragment);
    work.out
        .finish_with(|buf| records.seal::<C>(buf, content_type::HANDSHAKE, len))
}

/// Writes the NewSessionTicket messages. In a function of its own, so that keys are wiped before
/// records are made.
#[inline(never)]
fn write_messages<C: Crypto>(
    resumption: &Resumption,
    tickets: &Tickets<'_>,
    lifetime: u32,
    w: &mut Writer<'_>,
) -> Result<(), Alert> {
    let (context, since, count) = (&resumption.context, resumption.since, resumption.tickets);
    let sealer = Sealer::<C>::new(tickets, context, since, count);
    let sealer = sealer.as_ref().ok_or(Alert::InternalError)?;
    let secret = resumption.secret.prepare::<C>();
    for nonce in 0..count {
        let ticket = sealer.seal(secret.ticket_psk(&[nonce]).bytes());
        let ticket = ticket.as_ref().ok_or(Alert::InternalError)?;
        let age_add = sealer.age_add(nonce).ok_or(Alert::InternalError)?;
        flight::write_new_session_ticket(w, lifetime, age_add, &[nonce], ticket)?;
    }
    Ok(())
}
