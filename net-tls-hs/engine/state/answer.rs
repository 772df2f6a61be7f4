// SPDX-License-Identifier: GPL-2.0

//! What a ClientHello is answered with: the server's flight, or a HelloRetryRequest, in records.

use crate::engine::crypto::{Crypto, HashAlg, SignError};
use crate::engine::keys::key_exchange::SharedSecret;
use crate::engine::keys::protection::Protection;
use crate::engine::keys::psk::TicketPsk;
use crate::engine::keys::schedule::{
    hash_so_far, HandshakeSecret, Prepared, TrafficSecret, TranscriptHash,
};
use crate::engine::policy::choice::Choice;
use crate::engine::policy::settings::{Identity, SigningKey};
use crate::engine::state::memory::{Memory, Workspace};
use crate::engine::state::resumption::{resumption_secret, ticket_count, Resume};
use crate::engine::state::skip::Skip;
use crate::engine::state::states::ExpectFinished;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::certificate;
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::{content_type, CipherSuite};
use crate::engine::wire::record::RecordBuf;
use crate::engine::wire::server_flight::{self as flight, EncryptedExtensions};

impl From<SignError> for Alert {
    fn from(_: SignError) -> Self {
        Alert::InternalError
    }
}

/// What a flight is made of.
pub struct Flight<'a> {
    /// The ClientHello.
    pub hello: &'a ClientHello<'a>,
    /// The parameters of the handshake.
    pub choice: &'a Choice<'a>,
    /// The client's public key for the group that has been chosen.
    pub peer: &'a [u8],
    /// `Some` if the client can have tickets.
    pub resume: Option<&'a Resume>,
    /// A ChangeCipherSpec comes behind the ServerHello.
    pub change_cipher_spec: bool,
}

impl Flight<'_> {
    /// The ticket that is resumed.
    fn ticket(&self) -> Option<&TicketPsk> {
        self.resume?.psk.as_ref()
    }

    /// Which of the client's PSKs is used: an external one, or that of a ticket.
    fn selected_psk(&self) -> Option<u16> {
        match self.choice.external_psk() {
            Some(selected) => Some(selected.psk.selected),
            None => Some(self.ticket()?.selected),
        }
    }

    /// The certificate that is sent, with the name that has chosen it: none with a PSK.
    fn identity(&self) -> Option<&Identity<'_>> {
        match self.resume {
            Some(Resume { psk: Some(_), .. }) => None,
            _ => self.choice.identity(),
        }
    }

    /// How many tickets the client is to have.
    #[inline(never)]
    fn tickets(&self) -> u8 {
        self.resume.map_or(0, |resume| {
            ticket_count(self.hello.ticket_request, resume.psk.is_some())
        })
    }
}

/// Writes ServerHello to Finished and derives all keys. The transcript ends with the ClientHello.
#[inline(never)]
pub fn write_flight<C: Crypto>(
    flight: &Flight<'_>,
    transcript: &mut C::Hash,
    work: &mut Workspace<'_, C>,
) -> Result<ExpectFinished, Alert> {
    let choice = flight.choice;
    let secrets = &mut work.memory.handshake;
    let (shared, workspace) = (&mut secrets.shared, &mut work.scratch.mlkem);
    write_server_hello::<C>(flight, shared, transcript, &mut work.out, workspace)?;
    let secret = handshake_secret::<C>(flight, &secrets.derived, shared.bytes());
    shared.wipe();
    secrets.derived.wipe();
    let hash = hash_so_far::<C>(transcript);
    secret.client_traffic(&hash, &mut secrets.client);
    secret.server_traffic(&hash, &mut secrets.server);
    write_protected_part::<C>(flight, transcript, work)?;
    let memory = &mut *work.memory;
    let resumed = flight.resume.is_some_and(|resume| resume.psk.is_some());
    memory.negotiated.record_flight(choice, resumed);
    memory.handshake.resumption.tickets = flight.tickets();
    derive_secrets::<C>(choice.suite, secret, transcript, flight.resume, memory);
    Ok(ExpectFinished {
        skip: Skip::new(flight.hello.early_data),
        received: 0,
        resumable: memory.handshake.resumption.tickets != 0,
    })
}

/// Writes a HelloRetryRequest and what goes with it.
#[inline(never)]
pub fn write_retry(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    out: &mut RecordBuf<'_>,
) -> Result<(), Alert> {
    let mut w = out.content();
    flight::write_hello_retry_request(&mut w, hello.session_id, choice.suite, choice.group)?;
    let len = w.position();
    finish_first_message(out, len, !hello.session_id.is_empty())
}

/// The secret of a key exchange. `derived` is of the ticket, if one is resumed.
#[inline(never)]
fn handshake_secret<C: Crypto>(
    flight: &Flight<'_>,
    derived: &TrafficSecret,
    shared: &[u8],
) -> HandshakeSecret<C> {
    match flight.choice.external_psk() {
        Some(selected) => selected.psk.early_secret().handshake(shared),
        None if flight.ticket().is_some() => HandshakeSecret::with_derived(derived, shared),
        None => HandshakeSecret::without_psk(flight.choice.suite.hash(), shared),
    }
}

/// Does the key exchange and writes the record with the ServerHello.
#[inline(never)]
fn write_server_hello<C: Crypto>(
    flight: &Flight<'_>,
    shared: &mut SharedSecret,
    transcript: &mut C::Hash,
    out: &mut RecordBuf<'_>,
    workspace: &mut C::MlKemWorkspace,
) -> Result<(), Alert> {
    let choice = flight.choice;
    let mut random = [0; 32];
    C::random(&mut random);

    let mut w = out.content();
    flight::write_server_hello(
        &mut w,
        &random,
        flight.hello.session_id,
        choice.suite,
        choice.group,
        flight.selected_psk(),
        |w| shared.exchange::<C>(choice.group, flight.peer, w, workspace),
    )?;
    C::hash_update(transcript, w.since(0));
    let len = w.position();
    finish_first_message(out, len, flight.change_cipher_spec)
}

/// Ends the record of the server's first message, and adds a ChangeCipherSpec if there is to be
/// one.
fn finish_first_message(
    out: &mut RecordBuf<'_>,
    len: usize,
    change_cipher_spec: bool,
) -> Result<(), Alert> {
    out.finish_plain(content_type::HANDSHAKE, len)?;
    if change_cipher_spec {
        out.content().u8(1)?;
        out.finish_plain(content_type::CHANGE_CIPHER_SPEC, 1)?;
    }
    Ok(())
}

/// Writes the records with EncryptedExtensions to Finished. With a PSK there is no Certificate and
/// no CertificateVerify.
#[inline(never)]
fn write_protected_part<C: Crypto>(
    flight: &Flight<'_>,
    transcript: &mut C::Hash,
    work: &mut Workspace<'_, C>,
) -> Result<(), Alert> {
    let choice = flight.choice;
    let identity = flight.identity();
    let server = &work.memory.handshake.server;
    let alg = choice.suite.hash();
    let mut w = work.out.content();
    let extensions = EncryptedExtensions {
        // RFC 6066, section 3: not in a resumption.
        name_matched: identity.is_some_and(|identity| identity.name_matched),
        protocol: choice.protocol,
        record_limit: choice.record_limit,
        // Who can have no tickets at all is not told a number either.
        tickets: flight
            .hello
            .ticket_request
            .and(flight.resume)
            .map(|_| flight.tickets()),
    };
    flight::write_encrypted_extensions(&mut w, &extensions)?;
    if let Some(identity) = identity {
        certificate::write_stapled(&mut w, identity.certificate, &identity.staples)?;
    }
    C::hash_update(transcript, w.since(0));

    if let Some(identity) = identity {
        let start = w.position();
        let hash = hash_so_far::<C>(transcript);
        let workspace = &mut work.scratch.rsa;
        write_certificate_verify::<C>(&mut w, alg, &hash, identity.key, workspace)?;
        C::hash_update(transcript, w.since(start));
    }

    let start = w.position();
    let hash = hash_so_far::<C>(transcript);
    let server = server.prepare::<C>();
    let verify_data = server.verify_data(&hash);
    flight::write_finished(&mut w, verify_data.get(..alg.output_len()).unwrap_or(&[]))?;
    C::hash_update(transcript, w.since(start));
    let len = w.position();
    seal_flight::<C>(&server, choice, &mut work.out, len)
}

/// Protects the messages of the flight.
#[inline(never)]
fn seal_flight<C: Crypto>(
    server: &Prepared<C>,
    choice: &Choice<'_>,
    out: &mut RecordBuf<'_>,
    len: usize,
) -> Result<(), Alert> {
    let mut protection = Protection::none(choice.suite);
    protection.start::<C>(server, choice.suite);
    protection.limit(choice.record_limit.max_fragment());
    out.finish_with(|buf| protection.seal::<C>(buf, content_type::HANDSHAKE, len))
}

/// Derives what the rest of the handshake and the connection need. The transcript is of ClientHello
/// to the server's Finished.
#[inline(never)]
fn derive_secrets<C: Crypto>(
    suite: CipherSuite,
    secret: HandshakeSecret<C>,
    transcript: &mut C::Hash,
    resume: Option<&Resume>,
    memory: &mut Memory,
) {
    let main = secret.into_main();
    let hash = &hash_so_far::<C>(transcript);
    let application = &mut memory.application;
    main.client_traffic(hash, &mut application.client);
    main.server_traffic(hash, &mut application.server);
    main.exporter(hash, &mut application.exporter);
    application
        .records
        .start(&application.server.prepare::<C>(), suite);

    let handshake = &mut memory.handshake;
    let client = handshake.client.prepare::<C>();
    handshake.records.start(&client, suite);
    *handshake.verify_data = *client.verify_data(hash);
    if let Some(resume) = resume {
        let resumption = &mut handshake.resumption;
        resumption.context = resume.context;
        resumption.since = resume.since;
        let (verify_data, to) = (&handshake.verify_data, &mut resumption.secret);
        resumption_secret::<C>(&main, transcript, suite, verify_data, to);
    }
}

/// The hash that CertificateVerify signs (section 4.5.2). SHA-256 for each scheme here.
#[inline(never)]
fn signed_digest<C: Crypto>(alg: HashAlg, transcript: &TranscriptHash) -> [u8; 32] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    C::hash_update(&mut hash, &[0x20; 64]);
    C::hash_update(&mut hash, b"TLS 1.3, server CertificateVerify\0");
    C::hash_update(
        &mut hash,
        transcript.get(..alg.output_len()).unwrap_or(transcript),
    );
    let full = C::hash_final(hash);
    let mut digest = [0; 32];
    for (d, f) in digest.iter_mut().zip(full) {
        *d = f;
    }
    digest
}

/// Writes a CertificateVerify. `transcript` is of ClientHello...Certificate.
#[inline(never)]
fn write_certificate_verify<C: Crypto>(
    w: &mut Writer<'_>,
    alg: HashAlg,
    transcript: &TranscriptHash,
    key: SigningKey<'_>,
    workspace: &mut C::RsaWorkspace,
) -> Result<(), Alert> {
    let digest = signed_digest::<C>(alg, transcript);
    flight::write_certificate_verify(w, key.scheme(), |out| match key {
        SigningKey::P256(key) => {
            let out = out.first_chunk_mut().ok_or(Alert::InternalError)?;
            Ok(C::p256_ecdsa_sign(key, &digest, out)?)
        }
        SigningKey::Rsa(key) => Ok(C::rsa_pss_sign(key, &digest, out, workspace)?),
    })
}
