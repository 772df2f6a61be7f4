// SPDX-License-Identifier: GPL-2.0

//! The key schedule (RFC 9846, section 7.1).
//!
//! Each stage is a type that the next one is made of, so secrets cannot be derived out of order:
//! [`EarlySecret`] -> [`HandshakeSecret`] -> [`MainSecret`].

use crate::engine::crypto::{Crypto, HashAlg, MAX_HASH_LEN, NONCE_LEN};
use crate::engine::ct::{self, Secret};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::Writer;
use crate::engine::wire::names::CipherSuite;

/// The hash of a transcript; [`HashAlg::output_len`] bytes count.
pub type TranscriptHash = [u8; MAX_HASH_LEN];

/// The hash of the messages so far. In a function of its own for the sake of the stack, on which
/// the copy of the running hash is.
#[inline(never)]
pub fn hash_so_far<C: Crypto>(transcript: &C::Hash) -> TranscriptHash {
    C::hash_final(transcript.clone())
}

/// What each HkdfLabel.label begins with.
const LABEL_PREFIX: &[u8] = b"tls13 ";

/// Longest label of an exporter: an HkdfLabel.label has up to 255 bytes.
pub const MAX_EXPORTER_LABEL: usize = 255 - LABEL_PREFIX.len();

/// The hash of nothing (FIPS 180-4).
fn empty_hash(alg: HashAlg) -> &'static [u8] {
    match alg {
        HashAlg::Sha256 => &[
            0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f,
            0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b,
            0x78, 0x52, 0xb8, 0x55,
        ],
        HashAlg::Sha384 => &[
            0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1,
            0xe3, 0x6a, 0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf,
            0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a,
            0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
        ],
    }
}

/// Derive-Secret(Early Secret, "derived", "") of a handshake without PSK, which is always the same.
fn derived_without_psk(alg: HashAlg) -> &'static [u8] {
    match alg {
        // RFC 8448, section 3.
        HashAlg::Sha256 => &[
            0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5, 0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba,
            0xb6, 0x97, 0x16, 0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c, 0xeb, 0xea, 0xc3, 0x57,
            0x6c, 0x36, 0x11, 0xba,
        ],
        HashAlg::Sha384 => &[
            0x15, 0x91, 0xda, 0xc5, 0xcb, 0xbf, 0x03, 0x30, 0xa4, 0xa8, 0x4d, 0xe9, 0xc7, 0x53,
            0x33, 0x0e, 0x92, 0xd0, 0x1f, 0x0a, 0x88, 0x21, 0x4b, 0x44, 0x64, 0x97, 0x2f, 0xd6,
            0x68, 0x04, 0x9e, 0x93, 0xe5, 0x2f, 0x2b, 0x16, 0xfa, 0xd9, 0x22, 0xfd, 0xc0, 0x58,
            0x44, 0x78, 0x42, 0x8f, 0x28, 0x2b,
        ],
    }
}

/// A traffic secret, or any other output of Derive-Secret.
pub struct TrafficSecret {
    alg: HashAlg,
    bytes: Secret<[u8; MAX_HASH_LEN]>,
}

/// HKDF-Expand-Label (RFC 9846, section 7.1) with a prepared key. `out` has at most 48 bytes, which
/// one block of HKDF-Expand covers.
///
/// The HkdfLabel is written to one buffer, so that it is hashed by one call. Nothing in it is
/// secret.
#[inline(never)]
fn expand_label<C: Crypto>(
    alg: HashAlg,
    key: &C::HmacKey,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) {
    let mut info = [0; MAX_INFO];
    let mut w = Writer::new(&mut info);
    if write_info(&mut w, label, context, out.len(), 1).is_err() {
        // A label of an exporter's user.
        return expand_label_long::<C>(alg, key, label, context, out);
    }
    let mut block = Secret::new([0; MAX_HASH_LEN]);
    C::hmac(key, [w.since(0)], &mut block);
    for (o, b) in out.iter_mut().zip(block.iter().take(alg.output_len())) {
        *o = *b;
    }
}

/// Room for what HKDF-Expand hashes in its first block: an HkdfLabel with a label of the RFC, the
/// longest of which is "c hs traffic", and the counter.
const MAX_INFO: usize = 2 + 1 + LABEL_PREFIX.len() + 12 + 1 + MAX_HASH_LEN + 1;

/// Writes an HkdfLabel and the counter of HKDF-Expand behind it.
fn write_info(
    w: &mut Writer<'_>,
    label: &[u8],
    context: &[u8],
    out_len: usize,
    counter: u8,
) -> Result<(), Alert> {
    w.u16(out_len as u16)?;
    w.u8((LABEL_PREFIX.len() + label.len()) as u8)?;
    w.put(LABEL_PREFIX)?;
    w.put(label)?;
    w.u8(context.len() as u8)?;
    w.put(context)?;
    w.u8(counter)
}

/// HKDF-Expand-Label (RFC 9846, section 7.1) with output of any length that HKDF-Expand (RFC 5869,
/// section 2.3) has: up to 255 blocks. Labels have up to 249 bytes.
#[inline(never)]
fn expand_label_long<C: Crypto>(
    alg: HashAlg,
    key: &C::HmacKey,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) {
    let len = (out.len() as u16).to_be_bytes();
    let label_len = [(LABEL_PREFIX.len() + label.len()) as u8];
    let context_len = [context.len() as u8];
    let mut last = Secret::new([0; MAX_HASH_LEN]);
    let mut block = Secret::new([0; MAX_HASH_LEN]);
    for (n, part) in (1..=u8::MAX).zip(out.chunks_mut(alg.output_len())) {
        let last_len = if n > 1 { alg.output_len() } else { 0 };
        let parts = [
            last.get(..last_len).unwrap_or(&[]),
            &len,
            &label_len,
            LABEL_PREFIX,
            label,
            &context_len,
            context,
            &[n],
        ];
        C::hmac(key, parts, &mut block);
        *last = *block;
        for (to, from) in part.iter_mut().zip(block.iter()) {
            *to = *from;
        }
    }
}

/// The first `alg.output_len()` bytes.
fn head(alg: HashAlg, bytes: &[u8; MAX_HASH_LEN]) -> &[u8] {
    bytes.get(..alg.output_len()).unwrap_or(bytes)
}

/// HKDF-Extract (RFC 5869, section 2.2), prepared as the key of the expansions that follow.
#[inline(never)]
fn extract<C: Crypto>(alg: HashAlg, salt: &[u8], ikm: &[u8]) -> C::HmacKey {
    let mut prk = Secret::new([0; MAX_HASH_LEN]);
    let key = C::hmac_key(alg, salt);
    C::hmac(&key, [ikm], &mut prk);
    C::hmac_key(alg, head(alg, &prk))
}

/// HMAC with a prepared key. In a function of its own for the sake of the stack.
#[inline(never)]
fn hmac<C: Crypto>(key: &C::HmacKey, data: &[u8]) -> Secret<[u8; MAX_HASH_LEN]> {
    let mut out = Secret::new([0; MAX_HASH_LEN]);
    C::hmac(key, [data], &mut out);
    out
}

/// The hash of some bytes. In a function of its own for the sake of the stack.
#[inline(never)]
fn digest<C: Crypto>(alg: HashAlg, data: &[u8]) -> TranscriptHash {
    let mut hash = C::hash_init(alg);
    C::hash_update(&mut hash, data);
    C::hash_final(hash)
}

/// The salt of the next stage: Derive-Secret(., "derived", "").
#[inline(never)]
fn derived<C: Crypto>(alg: HashAlg, key: &C::HmacKey) -> Secret<[u8; MAX_HASH_LEN]> {
    let mut salt = Secret::new([0; MAX_HASH_LEN]);
    if let Some(out) = salt.get_mut(..alg.output_len()) {
        expand_label::<C>(alg, key, b"derived", empty_hash(alg), out);
    }
    salt
}

/// Derive-Secret, given the hash of the messages, to where the secret stays: one that is returned
/// may have been copied, and nobody wipes the copy.
#[inline(never)]
fn derive_secret<C: Crypto>(
    alg: HashAlg,
    key: &C::HmacKey,
    label: &[u8],
    context: &[u8],
    to: &mut TrafficSecret,
) {
    to.alg = alg;
    if let Some(out) = to.bytes.get_mut(..alg.output_len()) {
        expand_label::<C>(alg, key, label, context, out);
    }
}

/// Where a PSK comes from, which its binder depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskKind {
    /// Both sides have been given it.
    External,
    /// A handshake before has led to it.
    Resumption,
}

impl PskKind {
    /// The label of binder_key.
    fn label(self) -> &'static [u8] {
        match self {
            PskKind::External => b"ext binder",
            PskKind::Resumption => b"res binder",
        }
    }
}

/// The first stage of a handshake with a PSK.
pub struct EarlySecret<C: Crypto> {
    alg: HashAlg,
    key: C::HmacKey,
}

impl<C: Crypto> EarlySecret<C> {
    /// The Early Secret with a PSK.
    #[inline(never)]
    pub fn with_psk(alg: HashAlg, psk: &[u8]) -> Self {
        EarlySecret {
            alg,
            key: extract::<C>(alg, &[], psk),
        }
    }

    /// binder_key. [`TrafficSecret::verify_data`] of it is the binder.
    #[inline(never)]
    pub fn binder_secret(&self, kind: PskKind) -> TrafficSecret {
        let mut secret = TrafficSecret::none(self.alg);
        let context = empty_hash(self.alg);
        derive_secret::<C>(self.alg, &self.key, kind.label(), context, &mut secret);
        secret
    }

    /// Derive-Secret(., "derived", ""), which is all that the second stage needs of this one; see
    /// [`HandshakeSecret::with_derived`].
    #[inline(never)]
    pub fn derived(&self, to: &mut TrafficSecret) {
        let context = empty_hash(self.alg);
        derive_secret::<C>(self.alg, &self.key, b"derived", context, to);
    }

    /// Adds the (EC)DHE shared secret.
    #[inline(never)]
    pub fn handshake(&self, shared: &[u8]) -> HandshakeSecret<C> {
        let mut derived = TrafficSecret::none(self.alg);
        self.derived(&mut derived);
        HandshakeSecret::with_derived(&derived, shared)
    }
}

/// The second stage.
pub struct HandshakeSecret<C: Crypto> {
    alg: HashAlg,
    key: C::HmacKey,
}

impl<C: Crypto> HandshakeSecret<C> {
    /// The second stage of a handshake without PSK.
    #[inline(never)]
    pub fn without_psk(alg: HashAlg, shared: &[u8]) -> Self {
        HandshakeSecret {
            alg,
            key: extract::<C>(alg, derived_without_psk(alg), shared),
        }
    }

    /// The second stage, given [`EarlySecret::derived`] of the first one.
    #[inline(never)]
    pub fn with_derived(derived: &TrafficSecret, shared: &[u8]) -> Self {
        HandshakeSecret {
            alg: derived.alg,
            key: extract::<C>(derived.alg, derived.bytes(), shared),
        }
    }

    fn derive(&self, label: &[u8], transcript: &TranscriptHash, to: &mut TrafficSecret) {
        derive_secret::<C>(self.alg, &self.key, label, head(self.alg, transcript), to);
    }

    /// client_handshake_traffic_secret. `transcript` is of ClientHello...ServerHello.
    #[inline(never)]
    pub fn client_traffic(&self, transcript: &TranscriptHash, to: &mut TrafficSecret) {
        self.derive(b"c hs traffic", transcript, to);
    }

    /// server_handshake_traffic_secret. `transcript` is of ClientHello...ServerHello.
    #[inline(never)]
    pub fn server_traffic(&self, transcript: &TranscriptHash, to: &mut TrafficSecret) {
        self.derive(b"s hs traffic", transcript, to);
    }

    /// The last stage.
    #[inline(never)]
    pub fn into_main(self) -> MainSecret<C> {
        let zeroes = [0; MAX_HASH_LEN];
        let salt = derived::<C>(self.alg, &self.key);
        MainSecret {
            alg: self.alg,
            key: extract::<C>(self.alg, head(self.alg, &salt), head(self.alg, &zeroes)),
        }
    }
}

/// The last stage. RFC 9846 calls it main secret; its labels have kept the old word.
pub struct MainSecret<C: Crypto> {
    alg: HashAlg,
    key: C::HmacKey,
}

impl<C: Crypto> MainSecret<C> {
    fn derive(&self, label: &[u8], transcript: &TranscriptHash, to: &mut TrafficSecret) {
        derive_secret::<C>(self.alg, &self.key, label, head(self.alg, transcript), to);
    }

    /// client_application_traffic_secret_0. `transcript` is of ClientHello...server Finished.
    #[inline(never)]
    pub fn client_traffic(&self, transcript: &TranscriptHash, to: &mut TrafficSecret) {
        self.derive(b"c ap traffic", transcript, to);
    }

    /// server_application_traffic_secret_0. `transcript` is of ClientHello...server Finished.
    #[inline(never)]
    pub fn server_traffic(&self, transcript: &TranscriptHash, to: &mut TrafficSecret) {
        self.derive(b"s ap traffic", transcript, to);
    }

    /// resumption_secret. `transcript` is of ClientHello...client Finished.
    #[inline(never)]
    pub fn resumption(&self, transcript: &TranscriptHash, to: &mut TrafficSecret) {
        self.derive(b"res master", transcript, to);
    }

    /// exporter_secret. `transcript` is of ClientHello...server Finished.
    #[inline(never)]
    pub fn exporter(&self, transcript: &TranscriptHash, to: &mut ExporterSecret) {
        self.derive(b"exp master", transcript, &mut to.0);
    }
}

/// exporter_secret (RFC 9846, section 7.5).
pub struct ExporterSecret(TrafficSecret);

impl ExporterSecret {
    /// Zeroes.
    pub const fn none(alg: HashAlg) -> Self {
        ExporterSecret(TrafficSecret::none(alg))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Derive-Secret(., label, "").
    #[inline(never)]
    fn for_label<C: Crypto>(&self, label: &[u8], to: &mut TrafficSecret) {
        let alg = self.0.alg;
        let key = C::hmac_key(alg, self.bytes());
        derive_secret::<C>(alg, &key, label, empty_hash(alg), to);
    }

    /// TLS-Exporter. Returns false, with `out` as it was, if `label` is empty or longer than
    /// [`MAX_EXPORTER_LABEL`], or if `out` is empty or longer than 255 hashes.
    #[inline(never)]
    pub fn export<C: Crypto>(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> bool {
        let alg = self.0.alg;
        if label.is_empty()
            || label.len() > MAX_EXPORTER_LABEL
            || out.is_empty()
            || out.len() > 255 * alg.output_len()
        {
            return false;
        }
        let context = digest::<C>(alg, context);
        let mut secret = TrafficSecret::none(alg);
        self.for_label::<C>(label, &mut secret);
        let key = C::hmac_key(alg, secret.bytes());
        expand_label_long::<C>(alg, &key, b"exporter", head(alg, &context), out);
        true
    }
}

/// Key and IV of one direction (RFC 9846, section 7.3).
pub struct TrafficKeys {
    /// The suite that they are for.
    pub suite: CipherSuite,
    /// The key; [`crate::engine::crypto::AeadAlg::key_len`] bytes count.
    pub key: Secret<[u8; 32]>,
    /// The IV.
    pub iv: Secret<[u8; NONCE_LEN]>,
}

impl TrafficKeys {
    /// Zeroes.
    pub const fn none(suite: CipherSuite) -> Self {
        TrafficKeys {
            suite,
            key: Secret::new([0; 32]),
            iv: Secret::new([0; NONCE_LEN]),
        }
    }

    /// Another copy of them.
    pub fn copy(&self) -> Self {
        TrafficKeys {
            suite: self.suite,
            key: Secret::new(*self.key),
            iv: Secret::new(*self.iv),
        }
    }

    /// The part of `key` that counts.
    pub fn key(&self) -> &[u8] {
        self.key
            .get(..self.suite.aead().key_len())
            .unwrap_or(self.key.as_slice())
    }
}

impl TrafficSecret {
    /// Zeroes.
    pub const fn none(alg: HashAlg) -> Self {
        TrafficSecret {
            alg,
            bytes: Secret::new([0; MAX_HASH_LEN]),
        }
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        head(self.alg, &self.bytes)
    }

    /// Overwrites the secret.
    pub fn wipe(&mut self) {
        ct::wipe(self.bytes.as_mut_slice());
    }

    /// Replaces application_traffic_secret_N by N+1 (RFC 9846, section 7.2).
    #[inline(never)]
    pub fn update<C: Crypto>(&mut self) {
        let key = C::hmac_key(self.alg, self.bytes());
        if let Some(out) = self.bytes.get_mut(..self.alg.output_len()) {
            expand_label::<C>(self.alg, &key, b"traffic upd", &[], out);
        }
    }

    /// Key and IV for records under this secret.
    pub fn keys<C: Crypto>(&self, suite: CipherSuite) -> TrafficKeys {
        let mut keys = TrafficKeys::none(suite);
        self.write_keys::<C>(suite, &mut keys);
        keys
    }

    /// [`keys`](Self::keys) to where they stay.
    pub fn write_keys<C: Crypto>(&self, suite: CipherSuite, to: &mut TrafficKeys) {
        self.prepare::<C>().write_keys(suite, to);
    }

    /// Prepares the secret for more than one use.
    #[inline(never)]
    pub fn prepare<C: Crypto>(&self) -> Prepared<C> {
        Prepared {
            alg: self.alg,
            key: C::hmac_key(self.alg, self.bytes()),
        }
    }

    /// See [`Prepared::verify_data`].
    pub fn verify_data<C: Crypto>(
        &self,
        transcript: &TranscriptHash,
    ) -> Secret<[u8; MAX_HASH_LEN]> {
        self.prepare::<C>().verify_data(transcript)
    }
}

/// A secret as the key of what is expanded from it.
pub struct Prepared<C: Crypto> {
    alg: HashAlg,
    key: C::HmacKey,
}

impl<C: Crypto> Prepared<C> {
    /// Key and IV for records under this secret.
    #[inline(never)]
    pub fn write_keys(&self, suite: CipherSuite, to: &mut TrafficKeys) {
        to.suite = suite;
        if let Some(out) = to.key.get_mut(..suite.aead().key_len()) {
            expand_label::<C>(self.alg, &self.key, b"key", &[], out);
        }
        expand_label::<C>(self.alg, &self.key, b"iv", &[], to.iv.as_mut_slice());
    }

    /// The PSK of a ticket (RFC 9846, section 4.7.1), this being the resumption_secret.
    #[inline(never)]
    pub fn ticket_psk(&self, nonce: &[u8]) -> TrafficSecret {
        let mut psk = TrafficSecret::none(self.alg);
        if let Some(out) = psk.bytes.get_mut(..self.alg.output_len()) {
            expand_label::<C>(self.alg, &self.key, b"resumption", nonce, out);
        }
        psk
    }

    /// The key of the Finished, prepared.
    #[inline(never)]
    fn finished_key(&self) -> C::HmacKey {
        let mut finished_key = Secret::new([0; MAX_HASH_LEN]);
        if let Some(out) = finished_key.get_mut(..self.alg.output_len()) {
            expand_label::<C>(self.alg, &self.key, b"finished", &[], out);
        }
        C::hmac_key(self.alg, head(self.alg, &finished_key))
    }

    /// verify_data of a Finished (RFC 9846, section 4.5.3) by the owner of this secret, which is a
    /// handshake traffic secret, or a PSK's binder_key. [`HashAlg::output_len`] bytes count.
    #[inline(never)]
    pub fn verify_data(&self, transcript: &TranscriptHash) -> Secret<[u8; MAX_HASH_LEN]> {
        let key = self.finished_key();
        hmac::<C>(&key, head(self.alg, transcript))
    }
}
