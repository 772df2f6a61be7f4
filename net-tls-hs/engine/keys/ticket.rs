// SPDX-License-Identifier: GPL-2.0

//! Session tickets that hold all of their state (RFC 9846, sections 4.7.1 and 8.1).
//!
//! ```text
//! name of the ticket key (16) | salt (32) | encrypted | tag (16)
//!
//! encrypted: time (8) | time of the full handshake (8) | PSK (48)
//! ```
//!
//! Each ticket is encrypted with AES-256-GCM under a key of its own, HMAC-SHA-256 of the salt and
//! the [`context`] under the ticket key, so that one ticket key does for any number of tickets and
//! the nonce may be zero.
//!
//! The salt is HMAC-SHA-256 of random bytes, the context and what is encrypted, under the ticket
//! key. A machine that has been cloned may repeat its random numbers; even then no two tickets with
//! different content have the same key. (Random bytes alone would make them share a key stream.)
//! So the tickets of one handshake, whose PSKs differ, may have the same random bytes.
//!
//! The context stands for what a resumed connection must have in common with
//! the one before. With another context the key is another one, and the ticket does not
//! authenticate: what cannot be resumed gets a full handshake, whatever the reason.
//!
//! A resumption gives new tickets, with the time of the full handshake that is in the old one, so
//! that the server has to prove its identity again after [`MAX_TOTAL`].

use crate::engine::crypto::{AeadAlg, Crypto, HashAlg, MAX_HASH_LEN, NONCE_LEN, TAG_LEN};
use crate::engine::ct::Secret;
use crate::engine::wire::ticket_request::MAX_TICKETS;

/// Length of a ticket key's name.
pub const NAME_LEN: usize = 16;

/// Length of a ticket key, the block of HMAC-SHA-256: a shorter one has zeroes behind it, which
/// HMAC would add (RFC 2104, section 2).
pub const KEY_LEN: usize = 64;

/// Length of a key of AES-256.
const AES_KEY_LEN: usize = 32;

const SALT_LEN: usize = 32;

/// Random bytes that go into a salt. With them and the ticket_age_add of two tickets there are 32,
/// for which the kernel's generator computes one block.
const RANDOM_LEN: usize = 24;

/// Length of a ticket_age_add.
const AGE_ADD_LEN: usize = 4;

const TIME_LEN: usize = 8;

/// What is encrypted.
const INNER_LEN: usize = 2 * TIME_LEN + MAX_HASH_LEN;

/// Length of a ticket.
pub const LEN: usize = NAME_LEN + SALT_LEN + INNER_LEN + TAG_LEN;

/// The longest lifetime of a ticket, in seconds: seven days (section 4.7.1).
pub const MAX_LIFETIME: u32 = 604_800;

/// How long after a full handshake a connection may be resumed that goes back to it, in seconds.
/// Without such a limit (section 4.7.1 recommends one) a client that comes back in time could go on
/// for ever.
pub const MAX_TOTAL: u32 = MAX_LIFETIME;

/// How far ahead of the time a ticket's may be, in seconds: hosts' clocks differ by a little. If a
/// clock has been set back by more, the age of the tickets that it has made is unknown.
pub const MAX_AHEAD: u64 = 300;

/// Each key encrypts one ticket, so that the nonce may be constant.
const NONCE: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// A ticket key, `struct tls_hs_ticket_key`.
#[repr(C)]
pub struct TicketKey {
    /// Tells the key from others; not secret.
    pub name: [u8; NAME_LEN],
    /// The key.
    pub key: [u8; KEY_LEN],
}

/// What the platform has for tickets at a time.
#[derive(Clone, Copy)]
pub struct Tickets<'a> {
    /// The first one is for new tickets, each of them for those that come back. Without any there
    /// are no tickets.
    pub keys: &'a [TicketKey],
    /// The time in seconds since 1970, also without keys. All who share a key have to agree on it.
    pub now: u64,
    /// How long tickets are accepted, in seconds; none are if it is 0.
    pub lifetime: u32,
}

impl Tickets<'_> {
    /// No ticket keys.
    pub const NONE: Tickets<'static> = Tickets {
        keys: &[],
        now: 0,
        lifetime: 0,
    };

    /// Whether there can be tickets.
    pub fn usable(&self) -> bool {
        !self.keys.is_empty() && self.lifetime != 0
    }

    /// How long a ticket that is made now is accepted, in seconds, if the full handshake was at
    /// `since`.
    pub fn lifetime_since(&self, since: u64) -> u32 {
        let total = self.now.saturating_sub(since).min(u64::from(MAX_TOTAL)) as u32;
        self.lifetime.min(MAX_LIFETIME).min(MAX_TOTAL - total)
    }
}

/// The first 32 bytes of a hash: all of a SHA-256.
fn first_32(hash: [u8; MAX_HASH_LEN]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (d, h) in digest.iter_mut().zip(hash) {
        *d = h;
    }
    digest
}

/// What stands for a Certificate message in [`context`]. It is the same for all connections, so it
/// is made with the identity.
#[inline(never)]
pub fn certificate_digest<C: Crypto>(certificate: &[u8]) -> [u8; 32] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    C::hash_update(&mut hash, certificate);
    first_32(C::hash_final(hash))
}

/// Digest of what a connection must have in common with the one that it resumes: the server name
/// that the client sent, the application protocol, the server's certificates, and the hash of the
/// cipher suite (RFC 9846, section 4.3.11).
///
/// The certificates are those that a full handshake would send now. So a ticket proves no identity
/// that the server has lost since.
#[inline(never)]
pub fn context<C: Crypto>(
    alg: HashAlg,
    name: &[u8],
    protocol: &[u8],
    certificate: &[u8; 32],
) -> [u8; 32] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    C::hash_update(&mut hash, &[alg.output_len() as u8]);
    for part in [name, protocol] {
        C::hash_update(&mut hash, &(part.len() as u64).to_be_bytes());
        C::hash_update(&mut hash, part);
    }
    C::hash_update(&mut hash, certificate);
    first_32(C::hash_final(hash))
}

/// The salt of a ticket that holds `inner`. The input is longer than that of [`derive()`], so the
/// two have no value in common.
#[inline(never)]
fn make_salt<C: Crypto>(
    key: &C::HmacKey,
    random: &[u8],
    context: &[u8; 32],
    inner: &[u8; INNER_LEN],
) -> [u8; 32] {
    let mut mac = [0; MAX_HASH_LEN];
    C::hmac(key, [random, context, inner], &mut mac);
    first_32(mac)
}

/// The key of one ticket; [`AES_KEY_LEN`] bytes count.
#[inline(never)]
fn derive<C: Crypto>(
    key: &C::HmacKey,
    salt: &[u8; SALT_LEN],
    context: &[u8; 32],
) -> Secret<[u8; MAX_HASH_LEN]> {
    let mut derived = Secret::new([0; MAX_HASH_LEN]);
    C::hmac(key, [salt, context], &mut derived);
    derived
}

/// Encrypts what a ticket holds. In a function of its own for the sake of the stack, like the next.
#[inline(never)]
fn encrypt<C: Crypto>(
    key: &[u8],
    name: &[u8; NAME_LEN],
    inner: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    C::with_aead_key(AeadAlg::Aes256Gcm, key.get(..AES_KEY_LEN)?, |key| {
        C::aead_seal(key, &NONCE, name, inner)
    })
}

/// Decrypts what a ticket holds.
#[inline(never)]
fn decrypt<C: Crypto>(
    key: &[u8],
    name: &[u8; NAME_LEN],
    inner: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    C::with_aead_key(AeadAlg::Aes256Gcm, key.get(..AES_KEY_LEN)?, |key| {
        C::aead_open(key, &NONCE, name, inner, tag).ok()
    })?
}

/// Makes the tickets of one handshake.
pub struct Sealer<'a, C: Crypto> {
    name: &'a [u8; NAME_LEN],
    key: C::HmacKey,
    context: &'a [u8; 32],
    now: u64,
    since: u64,
    /// For the salts, and then a ticket_age_add for each ticket.
    random: [u8; RANDOM_LEN + AGE_ADD_LEN * MAX_TICKETS as usize],
}

impl<'a, C: Crypto> Sealer<'a, C> {
    /// For up to `count` tickets, at most [`MAX_TICKETS`], that go back to a full handshake at
    /// `since`. `None` if there can be none.
    #[inline(never)]
    pub fn new(
        tickets: &Tickets<'a>,
        context: &'a [u8; 32],
        since: u64,
        count: u8,
    ) -> Option<Self> {
        let key = tickets.keys.first()?;
        let mut random = [0; RANDOM_LEN + AGE_ADD_LEN * MAX_TICKETS as usize];
        C::random(random.get_mut(..RANDOM_LEN + AGE_ADD_LEN * usize::from(count))?);
        Some(Sealer {
            name: &key.name,
            key: C::hmac_key(HashAlg::Sha256, &key.key),
            context,
            now: tickets.now,
            since,
            random,
        })
    }

    /// The ticket_age_add of a ticket, whose number is below the count.
    pub fn age_add(&self, number: u8) -> Option<&[u8; AGE_ADD_LEN]> {
        let (_, all) = self.random.split_first_chunk::<RANDOM_LEN>()?;
        all.get(AGE_ADD_LEN * usize::from(number)..)?.first_chunk()
    }

    /// Makes a ticket for a PSK. `None` if that is longer than a hash.
    #[inline(never)]
    pub fn seal(&self, psk: &[u8]) -> Option<[u8; LEN]> {
        let mut ticket = [0; LEN];
        let (name, rest) = ticket.split_first_chunk_mut::<NAME_LEN>()?;
        let (salt, rest) = rest.split_first_chunk_mut::<SALT_LEN>()?;
        let (inner, tag) = rest.split_first_chunk_mut::<INNER_LEN>()?;
        let (time, rest) = inner.split_first_chunk_mut::<TIME_LEN>()?;
        let (full, room) = rest.split_first_chunk_mut::<TIME_LEN>()?;
        *name = *self.name;
        *time = self.now.to_be_bytes();
        *full = self.since.to_be_bytes();
        room.get_mut(..psk.len())?.copy_from_slice(psk);
        let random = self.random.get(..RANDOM_LEN)?;
        *salt = make_salt::<C>(&self.key, random, self.context, inner);
        let derived = derive::<C>(&self.key, salt, self.context);
        *tag.first_chunk_mut()? = encrypt::<C>(derived.as_slice(), name, inner)?;
        Some(ticket)
    }
}

/// What is in a ticket.
pub struct Opened {
    /// The PSK, and zeroes behind it.
    pub psk: Secret<[u8; MAX_HASH_LEN]>,
    /// When the full handshake was, which is not later than now.
    pub since: u64,
}

/// Opens a ticket that is for this context and, with its full handshake, not too old.
#[inline(never)]
pub fn open<C: Crypto>(tickets: &Tickets<'_>, context: &[u8; 32], ticket: &[u8]) -> Option<Opened> {
    let ticket: &[u8; LEN] = ticket.try_into().ok()?;
    let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>()?;
    let (encrypted, tag) = rest.split_first_chunk::<INNER_LEN>()?;
    let key = tickets.keys.iter().find(|k| k.name == *name)?;
    let key = C::hmac_key(HashAlg::Sha256, &key.key);
    let derived = derive::<C>(&key, salt, context);
    let mut inner = Secret::new(*encrypted);
    decrypt::<C>(
        derived.as_slice(),
        name,
        inner.as_mut_slice(),
        tag.first_chunk()?,
    )?;

    let (time, rest) = inner.split_first_chunk::<TIME_LEN>()?;
    let (full, psk) = rest.split_first_chunk::<TIME_LEN>()?;
    let (time, since) = (u64::from_be_bytes(*time), u64::from_be_bytes(*full));
    let age = tickets.now.saturating_sub(time);
    if time.saturating_sub(tickets.now) > MAX_AHEAD
        || age >= u64::from(tickets.lifetime.min(MAX_LIFETIME))
        || tickets.now.saturating_sub(since) >= u64::from(MAX_TOTAL)
    {
        return None;
    }
    Some(Opened {
        psk: Secret::new(*psk.first_chunk()?),
        // A time in the future counts as now, so that a clock that was ahead does not extend a
        // ticket.
        since: since.min(tickets.now),
    })
}
