// SPDX-License-Identifier: GPL-2.0

//! The records that a ClientHello is answered with, made of the messages of `server_flight.rs`.

use crate::engine::crypto::{Crypto, HashAlg};
use crate::engine::keys::key_exchange::SharedSecret;
use crate::engine::keys::protection::Protection;
use crate::engine::keys::psk::Psk;
use crate::engine::keys::schedule::{HandshakeSecret, TrafficSecret, TranscriptHash};
use crate::engine::policy::choice::Choice;
use crate::engine::policy::settings::SigningKey;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::certificate;
use crate::engine::wire::client_hello::ClientHello;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::{content_type, CipherSuite};
use crate::engine::wire::record::{self, HEADER_LEN};
use crate::engine::wire::server_flight::{self as flight, EncryptedExtensions};
use crate::{mlkem, p256, rsa};

/// The hash of the messages so far. In a function of its own for the sake of the stack, on which
/// the copy of the running hash is.
#[inline(never)]
pub fn hash_so_far<C: Crypto>(transcript: &C::Hash) -> TranscriptHash {
    C::hash_final(transcript.clone())
}

/// The secret of a key exchange.
#[inline(never)]
pub fn handshake_secret<C: Crypto>(
    suite: CipherSuite,
    psk: Option<&Psk>,
    shared: &[u8],
) -> HandshakeSecret<C> {
    match psk {
        Some(psk) => psk.early_secret().handshake(shared),
        None => HandshakeSecret::without_psk(suite.hash(), shared),
    }
}

/// Protects the messages that are behind the room for a header. Returns the length of the records.
#[inline(never)]
pub fn seal_flight<C: Crypto>(
    server: &TrafficSecret,
    choice: &Choice<'_>,
    buf: &mut [u8],
    len: usize,
) -> Result<usize, Alert> {
    let mut protection = Protection::none(choice.suite);
    protection.start::<C>(server, choice.suite);
    protection.limit(choice.record_limit.max_fragment());
    protection.seal::<C>(buf, content_type::HANDSHAKE, len)
}

/// Does the key exchange and writes the ServerHello behind the room for a header. Returns its
/// length.
#[inline(never)]
pub fn write_server_hello<C: Crypto>(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    psk: Option<&Psk>,
    shared: &mut SharedSecret,
    transcript: &mut C::Hash,
    out: &mut [u8],
    scratch: &mut mlkem::Scratch,
) -> Result<usize, Alert> {
    let peer = choice.peer.ok_or(Alert::InternalError)?;
    let mut random = [0; 32];
    C::random(&mut random);

    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    flight::write_server_hello(
        &mut w,
        &random,
        hello.session_id,
        choice.suite,
        choice.group,
        psk.map(|p| p.selected),
        |w| shared.exchange::<C>(choice.group, peer, w, scratch),
    )?;
    C::hash_update(transcript, w.since(0));
    Ok(w.len())
}

/// Makes a record of the message of that length behind the room for a header, and adds the
/// ChangeCipherSpec if there is to be one. Returns the length of both.
pub fn write_clear_records(out: &mut [u8], len: usize, middlebox: bool) -> Result<usize, Alert> {
    record::write_header(&mut Writer::new(out), content_type::HANDSHAKE, len)?;
    let message = HEADER_LEN + len;
    if !middlebox {
        return Ok(message);
    }
    let mut w = Writer::new(out.get_mut(message..).ok_or(Alert::InternalError)?);
    record::write_header(&mut w, content_type::CHANGE_CIPHER_SPEC, 1)?;
    w.u8(1)?;
    Ok(message + w.len())
}

/// Writes a HelloRetryRequest and what goes with it. Returns the length of the records.
#[inline(never)]
pub fn write_retry(
    hello: &ClientHello<'_>,
    choice: &Choice<'_>,
    out: &mut [u8],
) -> Result<usize, Alert> {
    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    flight::write_hello_retry_request(&mut w, hello.session_id, choice.suite, choice.group)?;
    let len = w.len();
    write_clear_records(out, len, !hello.session_id.is_empty())
}

/// Writes the messages that are protected, leaving room for a header. Returns their length. A
/// resumption needs no certificate.
#[inline(never)]
pub fn write_protected_part<C: Crypto>(
    choice: &Choice<'_>,
    resumed: bool,
    server: &TrafficSecret,
    transcript: &mut C::Hash,
    out: &mut [u8],
    scratch: &mut rsa::Scratch,
) -> Result<usize, Alert> {
    let alg = choice.suite.hash();
    let mut w = Writer::new(out.get_mut(HEADER_LEN..).ok_or(Alert::InternalError)?);
    let extensions = EncryptedExtensions {
        // RFC 6066, section 3: not in a resumption.
        name_matched: choice.identity.name_matched && !resumed,
        protocol: choice.protocol,
        record_limit: choice.record_limit,
    };
    flight::write_encrypted_extensions(&mut w, &extensions)?;
    if !resumed {
        let identity = &choice.identity;
        certificate::write_stapled(&mut w, identity.certificate, &identity.staples)?;
    }
    C::hash_update(transcript, w.since(0));

    if !resumed {
        let start = w.len();
        let hash = hash_so_far::<C>(transcript);
        write_certificate_verify::<C>(&mut w, alg, &hash, choice.identity.key, scratch)?;
        C::hash_update(transcript, w.since(start));
    }

    let start = w.len();
    let hash = hash_so_far::<C>(transcript);
    let verify_data = server.verify_data::<C>(&hash);
    let verify_data = verify_data.get(..alg.len()).ok_or(Alert::InternalError)?;
    flight::write_finished(&mut w, verify_data)?;
    C::hash_update(transcript, w.since(start));
    Ok(w.len())
}

/// The hash that CertificateVerify signs (section 4.5.2). SHA-256 for each scheme here.
#[inline(never)]
fn signed_digest<C: Crypto>(alg: HashAlg, transcript: &TranscriptHash) -> [u8; 32] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    C::hash_update(&mut hash, &[0x20; 64]);
    C::hash_update(&mut hash, b"TLS 1.3, server CertificateVerify\0");
    C::hash_update(&mut hash, transcript.get(..alg.len()).unwrap_or(transcript));
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
    scratch: &mut rsa::Scratch,
) -> Result<(), Alert> {
    let digest = signed_digest::<C>(alg, transcript);
    flight::write_certificate_verify(w, key.scheme(), |out| match key {
        SigningKey::P256(key) => {
            let out = out.first_chunk_mut().ok_or(Alert::InternalError)?;
            Ok(p256::ecdsa_sign::<C>(key, &digest, out))
        }
        SigningKey::Rsa(key) => {
            rsa::sign_pss::<C>(key, &digest, scratch, out).map_err(|_| Alert::InternalError)
        }
    })
}
