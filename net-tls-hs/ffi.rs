// SPDX-License-Identifier: GPL-2.0

//! What the C side calls.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

use crate::alpn::Protocols;
use crate::certificate::{self, Staples};
use crate::chain::{Authorities, Signatures};
use crate::config::{Config, Identities, Identity, NoIdentity, SigningKey, Wanted};
use crate::crypto::AeadAlg;
use crate::der::Der;
use crate::identity::{self, IdentityError, NameEntry, NameIndex, Payload};
use crate::kcrypto::LibCrypto;
use crate::key_schedule::TrafficKeys;
use crate::names::{Scheme, TLS_1_3};
use crate::post_handshake::Event;
use crate::scratch::Scratch;
use crate::session::{self, Session, Step};
use crate::ticket::{TicketKey, Tickets};
use crate::{p256, rsa};
use core::mem::size_of;
use kernel::alloc::AllocError;
use kernel::bindings;
use kernel::ffi::{c_char, c_int, c_void};
use kernel::prelude::*;
use kernel::sync::Arc;

/// A private key that owns its memory.
enum OwnedKey {
    P256(p256::PrivateKey),
    Rsa(KBox<rsa::PrivateKey>),
}

impl OwnedKey {
    fn borrow(&self) -> SigningKey<'_> {
        match self {
            OwnedKey::P256(key) => SigningKey::P256(key),
            OwnedKey::Rsa(key) => SigningKey::Rsa(key),
        }
    }
}

/// What an identity is without what is stapled to it.
struct Credentials {
    /// How long their payload was.
    payload_len: usize,
    /// The Certificate message.
    certificate: KVec<u8>,
    key: OwnedKey,
    /// The DNS names, each with its length in front.
    names: KVec<u8>,
    /// What the certificates are signed with.
    signatures: Signatures,
}

impl Credentials {
    fn new(payload: &Payload<'_>) -> Result<Self, Failure> {
        let key = make_key(payload)?;
        let mut certificate = KVec::new();
        certificate.resize(payload.certificate_len(), 0, GFP_KERNEL)?;
        payload
            .write_certificate(&mut certificate)
            .map_err(|_| IdentityError::Malformed)?;

        let names = names_of(payload)?;
        Ok(Credentials {
            payload_len: payload.unstapled_len,
            certificate,
            key,
            names,
            signatures: payload.signatures,
        })
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.names.as_slice();
        core::iter::from_fn(move || {
            let (len, tail) = rest.split_first()?;
            let (name, tail) = tail.split_at_checked(usize::from(*len))?;
            rest = tail;
            Some(name)
        })
    }

    /// The certificates in their order.
    fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        certificate::certificates(&self.certificate)
    }
}

/// `struct tls_hs_identity`. C holds it as [`Arc::into_raw`] gives it.
struct OwnedIdentity {
    credentials: Arc<Credentials>,
    /// An OCSPResponse, or empty.
    ocsp: KVec<u8>,
    /// A SignedCertificateTimestampList, or empty.
    scts: KVec<u8>,
}

impl OwnedIdentity {
    fn new(payload: &[u8]) -> Result<Self, Failure> {
        let payload = Payload::parse(payload)?;
        let credentials = Arc::new(Credentials::new(&payload)?, GFP_KERNEL)?;
        Ok(Self::stapled(credentials, &payload.staples)?)
    }

    fn stapled(credentials: Arc<Credentials>, staples: &Staples<'_>) -> Result<Self, AllocError> {
        let copy = |bytes: &[u8]| -> Result<KVec<u8>, AllocError> {
            let mut copy = KVec::new();
            copy.extend_from_slice(bytes, GFP_KERNEL)?;
            Ok(copy)
        };
        Ok(OwnedIdentity {
            credentials,
            ocsp: copy(staples.ocsp)?,
            scts: copy(staples.scts)?,
        })
    }

    fn scheme(&self) -> Scheme {
        self.credentials.key.borrow().scheme()
    }
}

/// The DNS names of the leaf, each with its length in front.
#[inline(never)]
fn names_of(payload: &Payload<'_>) -> Result<KVec<u8>, AllocError> {
    let mut names = KVec::new();
    for name in payload.dns_names().filter_map(identity::Name::new) {
        let name = name.as_bytes();
        names.push(name.len() as u8, GFP_KERNEL)?;
        names.extend_from_slice(name, GFP_KERNEL)?;
    }
    Ok(names)
}

/// Makes the private key and checks that it is the leaf's.
#[inline(never)]
fn make_key(payload: &Payload<'_>) -> Result<OwnedKey, Failure> {
    match (&payload.private, &payload.public) {
        (identity::PrivateKey::P256(scalar), identity::PublicKey::P256(point)) => {
            let key = p256::PrivateKey::from_be_bytes(scalar).ok_or(IdentityError::BadKey)?;
            if key.public_key::<LibCrypto>() != **point {
                return Err(IdentityError::Mismatch.into());
            }
            Ok(OwnedKey::P256(key))
        }
        (identity::PrivateKey::Rsa(components), identity::PublicKey::Rsa { n, e }) => {
            let key = KBox::<rsa::PrivateKey>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
            // SAFETY: The memory is zeroed, and zeroes are a valid `rsa::PrivateKey`.
            let mut key = unsafe { key.assume_init() };
            key.init(components).map_err(|e| match e {
                rsa::KeyError::UnsupportedSize => IdentityError::UnsupportedSize,
                rsa::KeyError::Inconsistent => IdentityError::BadKey,
            })?;
            if components.n != *n || components.e != *e {
                return Err(IdentityError::Mismatch.into());
            }
            check_rsa(&key)?;
            Ok(OwnedKey::Rsa(key))
        }
        _ => Err(IdentityError::Mismatch.into()),
    }
}

/// Signs something: a signature that does not verify never leaves [`rsa::sign_pss`].
#[inline(never)]
fn check_rsa(key: &rsa::PrivateKey) -> Result<(), Failure> {
    let scratch = KBox::<rsa::Scratch>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
    // SAFETY: The memory is zeroed, and zeroes are a valid `rsa::Scratch`.
    let mut scratch = unsafe { scratch.assume_init() };
    let mut signature = [0; 512];
    rsa::sign_pss::<LibCrypto>(key, &[0; 32], &mut scratch, &mut signature)
        .map_err(|_| IdentityError::BadKey)?;
    Ok(())
}

/// Why an identity cannot be made.
enum Failure {
    Payload(IdentityError),
    Errno(Error),
}

impl From<IdentityError> for Failure {
    fn from(e: IdentityError) -> Self {
        Failure::Payload(e)
    }
}

impl From<AllocError> for Failure {
    fn from(e: AllocError) -> Self {
        Failure::Errno(e.into())
    }
}

impl Failure {
    fn errno(&self) -> c_int {
        match self {
            Failure::Errno(e) => e.to_errno(),
            Failure::Payload(e) => match e {
                IdentityError::UnsupportedAlgorithm | IdentityError::UnsupportedSize => {
                    -(bindings::ENOPKG as c_int)
                }
                IdentityError::Mismatch | IdentityError::BadKey | IdentityError::KeyUsage => {
                    -(bindings::EKEYREJECTED as c_int)
                }
                IdentityError::NoKey | IdentityError::NoCertificate => {
                    -(bindings::ENODATA as c_int)
                }
                IdentityError::TooManyCertificates => -(bindings::EMSGSIZE as c_int),
                IdentityError::Malformed | IdentityError::TrailingData => {
                    -(bindings::EBADMSG as c_int)
                }
            },
        }
    }
}

/// Parses the payload of a key.
///
/// # Safety
///
/// `data` must be valid for reads of `len` bytes, `id` and `why` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_identity_parse(
    data: *const u8,
    len: usize,
    id: *mut *mut bindings::tls_hs_identity,
    why: *mut *const c_char,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let payload = unsafe { core::slice::from_raw_parts(data, len) };
    let made = OwnedIdentity::new(payload).and_then(|i| Ok(Arc::new(i, GFP_KERNEL)?));
    match made {
        Ok(arc) => {
            // SAFETY: By the safety requirements of this function.
            unsafe { *id = Arc::into_raw(arc).cast_mut().cast() };
            0
        }
        Err(failure) => {
            if let Failure::Payload(e) = &failure {
                // SAFETY: By the safety requirements of this function.
                unsafe { *why = e.as_str().as_char_ptr() };
            }
            failure.errno()
        }
    }
}

/// Whether a payload holds nothing but what can be stapled to a certificate.
///
/// # Safety
///
/// `data` must be valid for reads of `len` bytes.
#[export]
pub unsafe extern "C" fn tls_hs_staples_check(data: *const u8, len: usize) -> bool {
    // SAFETY: By the safety requirements of this function.
    let payload = unsafe { core::slice::from_raw_parts(data, len) };
    Staples::parse(Der::new(payload)).is_ok()
}

/// Makes an identity like another one with other staples. Returns null without memory, or if
/// [`tls_hs_staples_check`] does not like the payload.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to, `data` valid for reads of `len`
/// bytes.
#[export]
pub unsafe extern "C" fn tls_hs_identity_staple(
    id: *const bindings::tls_hs_identity,
    data: *const u8,
    len: usize,
) -> *mut bindings::tls_hs_identity {
    // SAFETY: The pointer comes from `Arc::into_raw` and the caller's reference keeps it alive; the
    // rest is by the safety requirements of this function.
    let (id, payload) = unsafe {
        (
            &*id.cast::<OwnedIdentity>(),
            core::slice::from_raw_parts(data, len),
        )
    };
    Staples::parse(Der::new(payload))
        .ok()
        .and_then(|staples| OwnedIdentity::stapled(id.credentials.clone(), &staples).ok())
        .and_then(|made| Arc::new(made, GFP_KERNEL).ok())
        .map_or(core::ptr::null_mut(), |arc| {
            Arc::into_raw(arc).cast_mut().cast()
        })
}

/// How long the payload of an identity is without staples.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_size(id: *const bindings::tls_hs_identity) -> usize {
    // SAFETY: The pointer comes from `Arc::into_raw` and the caller's reference keeps it alive.
    let id = unsafe { &*id.cast::<OwnedIdentity>() };
    id.credentials.payload_len
}

/// Takes a reference.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_get(id: *mut bindings::tls_hs_identity) {
    // SAFETY: The pointer comes from `Arc::into_raw` and the caller's reference keeps it alive;
    // both this handle and its clone are leaked.
    let arc = core::mem::ManuallyDrop::new(unsafe { Arc::<OwnedIdentity>::from_raw(id.cast()) });
    core::mem::forget(Arc::clone(&arc));
}

/// Drops a reference.
///
/// # Safety
///
/// `id` must be an identity whose reference the caller gives up.
#[export]
pub unsafe extern "C" fn tls_hs_identity_put(id: *mut bindings::tls_hs_identity) {
    // SAFETY: The pointer comes from `Arc::into_raw`, and the reference is the caller's to give.
    drop(unsafe { Arc::<OwnedIdentity>::from_raw(id.cast()) });
}

/// Copies the certificates. Returns their length, whatever `len` is.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to, `buf` valid for writes of `len`
/// bytes.
#[export]
pub unsafe extern "C" fn tls_hs_identity_read(
    id: *const bindings::tls_hs_identity,
    buf: *mut u8,
    len: usize,
) -> usize {
    // SAFETY: The pointer comes from `Arc::into_raw` and the caller's reference keeps it alive.
    let id = unsafe { &*id.cast::<OwnedIdentity>() };
    let mut total = 0;
    for certificate in id.credentials.certificates() {
        let room = len.saturating_sub(total).min(certificate.len());
        if room > 0 {
            // SAFETY: `buf` is valid for `len` bytes, and `total + room` is at most that.
            unsafe {
                core::ptr::copy_nonoverlapping(certificate.as_ptr(), buf.add(total), room);
            }
        }
        total += certificate.len();
    }
    total
}

/// `struct tls_hs_identity_set`.
struct IdentitySet {
    identities: KVVec<Arc<OwnedIdentity>>,
    names: KVVec<u8>,
    /// Sorted by [`identity::sort_names`].
    index: KVVec<NameEntry>,
    /// The first identity for each of [`Scheme::ALL`].
    first: [Option<usize>; Scheme::ALL.len()],
}

impl IdentitySet {
    fn new(identities: KVVec<Arc<OwnedIdentity>>) -> Result<Self, AllocError> {
        let mut names = KVVec::new();
        let mut index = KVVec::new();
        for (number, id) in identities.iter().enumerate() {
            for name in id.credentials.names() {
                index.push(
                    NameEntry {
                        start: names.len() as u32,
                        len: name.len() as u8,
                        identity: number as u32,
                    },
                    GFP_KERNEL,
                )?;
                names.extend_from_slice(name, GFP_KERNEL)?;
            }
        }
        identity::sort_names(&names, &mut index);
        let first = Scheme::ALL.map(|scheme| {
            identities.iter().position(|id| id.scheme() == scheme)
        });
        Ok(IdentitySet {
            identities,
            names,
            index,
            first,
        })
    }
}

impl NameIndex for IdentitySet {
    fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
        identity::find_name(&self.names, &self.index, name)
            .iter()
            .map(|e| e.identity as usize)
    }

    fn count(&self) -> usize {
        self.identities.len()
    }

    fn scheme(&self, identity: usize) -> Scheme {
        match self.identities.get(identity) {
            Some(id) => id.scheme(),
            None => Scheme::EcdsaSecp256r1Sha256,
        }
    }

    fn first(&self, scheme: Scheme) -> Option<usize> {
        let at = Scheme::ALL.iter().position(|s| *s == scheme)?;
        *self.first.get(at)?
    }

    fn signatures(&self, identity: usize) -> Signatures {
        self.identities
            .get(identity)
            .map(|id| id.credentials.signatures)
            .unwrap_or_default()
    }

    fn is_issued_by(&self, identity: usize, authorities: &Authorities<'_>) -> bool {
        self.identities
            .get(identity)
            .is_some_and(|id| authorities.issued(id.credentials.certificates()))
    }
}

/// The set that the C side gave, if any.
struct MaybeSet<'a>(Option<&'a IdentitySet>);

impl Identities for MaybeSet<'_> {
    fn select(&self, wanted: &Wanted<'_>) -> Result<Identity<'_>, NoIdentity> {
        let set = self.0.ok_or(NoIdentity::Empty)?;
        let (number, name_matched) = identity::select(set, wanted)?;
        let id = set.identities.get(number).ok_or(NoIdentity::Empty)?;
        Ok(Identity {
            certificate: &id.credentials.certificate,
            staples: Staples {
                ocsp: &id.ocsp,
                scts: &id.scts,
            },
            name_matched,
            key: id.credentials.key.borrow(),
        })
    }
}

/// Makes a set of identities, or returns null.
///
/// # Safety
///
/// `ids` must be valid for reads of `nr` pointers to identities that the caller has references to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_set_new(
    ids: *const *mut bindings::tls_hs_identity,
    nr: usize,
) -> *mut bindings::tls_hs_identity_set {
    // SAFETY: By the safety requirements of this function.
    let ids = unsafe { core::slice::from_raw_parts(ids, nr) };
    let make = || -> Result<KBox<IdentitySet>, AllocError> {
        let mut identities = KVVec::with_capacity(nr, GFP_KERNEL)?;
        for id in ids {
            // SAFETY: The pointer comes from `Arc::into_raw` and the caller's reference keeps it
            // alive; it is not dropped here.
            let arc = core::mem::ManuallyDrop::new(unsafe {
                Arc::<OwnedIdentity>::from_raw((*id).cast())
            });
            identities.push(Arc::clone(&arc), GFP_KERNEL)?;
        }
        KBox::new(IdentitySet::new(identities)?, GFP_KERNEL)
    };
    make().map_or(core::ptr::null_mut(), |set| KBox::into_raw(set).cast())
}

/// Frees a set.
///
/// # Safety
///
/// `set` must come from [`tls_hs_identity_set_new`] and not be used any more.
#[export]
pub unsafe extern "C" fn tls_hs_identity_set_free(set: *mut bindings::tls_hs_identity_set) {
    // SAFETY: By the safety requirements of this function.
    drop(unsafe { KBox::<IdentitySet>::from_raw(set.cast()) });
}

fn config<'a>(
    settings: &'a bindings::tls_hs_settings,
    protocols: Protocols<'a>,
    tickets: Tickets<'a>,
) -> Config<'a> {
    Config {
        versions: settings.versions,
        flags: settings.flags,
        cipher_suites: &settings.cipher_suites,
        tls12_cipher_suites: &settings.tls12_cipher_suites,
        groups: &settings.groups,
        signature_schemes: &settings.signature_schemes,
        protocols,
        tickets,
    }
}

const _: () = assert!(size_of::<TicketKey>() == size_of::<bindings::tls_hs_ticket_key>());

/// What the C side gave for tickets.
///
/// # Safety
///
/// `keys` must be valid for reads of `nr_keys` keys, unless that is 0.
unsafe fn tickets(tickets: &bindings::tls_hs_tickets) -> Tickets<'_> {
    Tickets {
        keys: match tickets.nr_keys {
            0 => &[],
            // SAFETY: By the safety requirements of this function; both types are 80 bytes in the
            // same order.
            nr => unsafe { core::slice::from_raw_parts(tickets.keys.cast(), nr as usize) },
        },
        now: tickets.now,
        lifetime: tickets.lifetime,
    }
}

/// Checks settings.
///
/// # Safety
///
/// `settings` must be valid for reads.
#[export]
pub unsafe extern "C" fn tls_hs_settings_check(
    settings: *const bindings::tls_hs_settings,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    match config(unsafe { &*settings }, Protocols::NONE, Tickets::NONE).check() {
        Ok(()) => 0,
        Err(_) => EINVAL.to_errno(),
    }
}

/// Checks a list of application protocols.
///
/// # Safety
///
/// `list` must be valid for reads of `len` bytes.
#[export]
pub unsafe extern "C" fn tls_hs_alpn_check(list: *const u8, len: usize) -> c_int {
    // SAFETY: By the safety requirements of this function.
    match Protocols::new(unsafe { core::slice::from_raw_parts(list, len) }) {
        Ok(protocols) if !protocols.has_duplicates() => 0,
        _ => EINVAL.to_errno(),
    }
}

/// Allocates a session, or returns null. Does not sleep.
///
/// # Safety
///
/// None; `unsafe` because of the declaration in C.
#[export]
pub unsafe extern "C" fn tls_hs_session_new() -> *mut bindings::tls_hs_session {
    match KBox::new(Session::new(), GFP_ATOMIC) {
        Ok(session) => KBox::into_raw(session).cast(),
        Err(_) => core::ptr::null_mut(),
    }
}

/// Wipes and frees a session.
///
/// # Safety
///
/// `s` must come from [`tls_hs_session_new`] and not be used any more.
#[export]
pub unsafe extern "C" fn tls_hs_session_free(s: *mut bindings::tls_hs_session) {
    let session = s.cast::<Session>();
    // SAFETY: By the safety requirements of this function the session is valid and not used any
    // more. Moves may have left copies of secrets between its fields, so all of its memory is
    // overwritten once it is dropped; as bytes it may be freed.
    drop(unsafe {
        core::ptr::drop_in_place(session);
        core::ptr::write_bytes(session, 0, 1);
        core::hint::black_box(session);
        KBox::<core::mem::MaybeUninit<Session>>::from_raw(session.cast())
    });
}

/// Lets a session have a look at what has been received.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `conf` valid for reads, `alpn` for reads of
/// `alpn_len` bytes unless that is 0, `set` null or a set that lives as long as this call, `input`
/// and `out` valid for reads and writes of their lengths, `scratch` of [`tls_hs_scratch_size`]
/// bytes that were zero at first and are nobody else's now, `step` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_advance(
    s: *mut bindings::tls_hs_session,
    conf: *const bindings::tls_hs_settings,
    alpn: *const u8,
    alpn_len: usize,
    ticket_keys: *const bindings::tls_hs_tickets,
    set: *const bindings::tls_hs_identity_set,
    input: *mut u8,
    in_len: usize,
    out: *mut u8,
    out_len: usize,
    scratch: *mut bindings::tls_hs_scratch,
    step: *mut bindings::tls_hs_step,
) {
    // SAFETY: By the safety requirements of this function, for all of these.
    let (session, settings, alpn, tickets, set, input, out, scratch, result) = unsafe {
        (
            &mut *s.cast::<Session>(),
            &*conf,
            match alpn_len {
                0 => &[],
                len => core::slice::from_raw_parts(alpn, len),
            },
            tickets(&*ticket_keys),
            set.cast::<IdentitySet>().as_ref(),
            core::slice::from_raw_parts_mut(input, in_len),
            core::slice::from_raw_parts_mut(out, out_len),
            &mut *scratch.cast::<Scratch>(),
            &mut *step,
        )
    };
    // It has been checked when it was set.
    let config = config(settings, Protocols::new(alpn).unwrap_or_default(), tickets);
    let step = session.advance::<LibCrypto>(&config, &MaybeSet(set), input, out, scratch);
    match step {
        Step::More { consumed, need } => {
            result.action = bindings::tls_hs_action_TLS_HS_MORE as u8;
            result.consumed = consumed as u32;
            result.need = need as u32;
        }
        Step::Send { consumed, written } => {
            result.action = bindings::tls_hs_action_TLS_HS_SEND as u8;
            result.consumed = consumed as u32;
            result.written = written as u32;
            result.retry = session.awaits_second_hello();
        }
        Step::Done { consumed } => {
            result.action = bindings::tls_hs_action_TLS_HS_DONE as u8;
            result.consumed = consumed as u32;
        }
        Step::Fallback(reason) => {
            result.action = bindings::tls_hs_action_TLS_HS_FALLBACK as u8;
            result.reason = reason as u8;
        }
        Step::Alert { alert, written } => {
            result.action = bindings::tls_hs_action_TLS_HS_ALERT as u8;
            result.alert = alert as u8;
            result.written = written as u32;
        }
        Step::PeerAlert { description } => {
            result.action = bindings::tls_hs_action_TLS_HS_PEER_ALERT as u8;
            result.alert = description;
        }
    }
}

/// Finds the server name of a ClientHello. Returns its length, or -EAGAIN.
///
/// # Safety
///
/// `input` must be valid for reads and writes of `in_len` bytes, `name` for writes of `name_len`.
#[export]
pub unsafe extern "C" fn tls_hs_hello_name(
    input: *mut u8,
    in_len: usize,
    name: *mut u8,
    name_len: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (input, out) = unsafe {
        (
            core::slice::from_raw_parts_mut(input, in_len),
            core::slice::from_raw_parts_mut(name, name_len),
        )
    };
    let Some(name) = session::server_name(input) else {
        return EAGAIN.to_errno();
    };
    let Some(name) = identity::Name::new(name) else {
        return 0;
    };
    match out.get_mut(..name.as_bytes().len()) {
        Some(out) => {
            out.copy_from_slice(name.as_bytes());
            out.len() as c_int
        }
        None => 0,
    }
}

/// Writes an alert. Returns its length.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `out` valid for writes of `out_len` bytes that
/// have been written before.
#[export]
pub unsafe extern "C" fn tls_hs_session_alert(
    s: *mut bindings::tls_hs_session,
    description: u8,
    out: *mut u8,
    out_len: usize,
) -> usize {
    // SAFETY: By the safety requirements of this function.
    let (session, out) = unsafe {
        (
            &mut *s.cast::<Session>(),
            core::slice::from_raw_parts_mut(out, out_len),
        )
    };
    session.alert::<LibCrypto>(description, out)
}

/// Writes one direction's keys as setsockopt(TLS_TX) takes them. Returns the length or an error.
///
/// # Safety
///
/// `s` must be a session that nobody changes now, `info` valid for writes of `size` bytes and
/// aligned like `union tls_crypto_context`.
#[export]
pub unsafe extern "C" fn tls_hs_session_crypto_info(
    s: *const bindings::tls_hs_session,
    tx: bool,
    info: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { &*s.cast::<Session>() };
    match session.traffic_keys::<LibCrypto>(tx) {
        // SAFETY: By the safety requirements of this function.
        Some(keys) => unsafe { fill_crypto_info(&keys, session.sequence(tx), info, size) },
        None => EINVAL.to_errno(),
    }
}

/// Writes the keys of the next generation of one direction, from whose secret the last one is
/// gone then. Returns the length or an error.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `info` as for [`tls_hs_session_crypto_info`].
#[export]
pub unsafe extern "C" fn tls_hs_session_update(
    s: *mut bindings::tls_hs_session,
    tx: bool,
    info: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { &mut *s.cast::<Session>() };
    match session.update_traffic_keys::<LibCrypto>(tx) {
        // SAFETY: By the safety requirements of this function.
        Some(keys) => unsafe { fill_crypto_info(&keys, session.sequence(tx), info, size) },
        None => EINVAL.to_errno(),
    }
}

/// Writes keys as setsockopt(TLS_TX) takes them. The first record has sequence number `seq`.
///
/// # Safety
///
/// `info` must be valid for writes of `size` bytes, aligned like `union tls_crypto_context`, and
/// zeroed.
unsafe fn fill_crypto_info(keys: &TrafficKeys, seq: u64, info: *mut c_void, size: usize) -> c_int {
    let (salt, iv) = keys.iv.split_at(4);
    let rec_seq = seq.to_be_bytes();

    macro_rules! fill {
        ($ty:ty, $cipher:expr, $salt_iv:expr) => {{
            if size < size_of::<$ty>() {
                return EINVAL.to_errno();
            }
            // SAFETY: `info` is valid for writes of `size` bytes, which is enough, and aligned.
            // The type is plain data, and the caller has zeroed it.
            let info = unsafe { &mut *info.cast::<$ty>() };
            info.info.version = TLS_1_3;
            info.info.cipher_type = $cipher as u16;
            info.key.copy_from_slice(keys.key());
            info.rec_seq = rec_seq;
            $salt_iv(info);
            size_of::<$ty>() as c_int
        }};
    }
    match keys.suite.aead() {
        AeadAlg::Aes128Gcm => fill!(
            bindings::tls12_crypto_info_aes_gcm_128,
            bindings::TLS_CIPHER_AES_GCM_128,
            |info: &mut bindings::tls12_crypto_info_aes_gcm_128| {
                info.salt.copy_from_slice(salt);
                info.iv.copy_from_slice(iv);
            }
        ),
        AeadAlg::Aes256Gcm => fill!(
            bindings::tls12_crypto_info_aes_gcm_256,
            bindings::TLS_CIPHER_AES_GCM_256,
            |info: &mut bindings::tls12_crypto_info_aes_gcm_256| {
                info.salt.copy_from_slice(salt);
                info.iv.copy_from_slice(iv);
            }
        ),
        AeadAlg::ChaCha20Poly1305 => fill!(
            bindings::tls12_crypto_info_chacha20_poly1305,
            bindings::TLS_CIPHER_CHACHA20_POLY1305,
            |info: &mut bindings::tls12_crypto_info_chacha20_poly1305| {
                info.iv.copy_from_slice(keys.iv.as_slice());
            }
        ),
    }
}

/// Looks at the content of a record of type handshake that came after the handshake. Returns
/// `enum tls_hs_message`, or an AlertDescription, negated.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `content` valid for reads of `len` bytes.
#[export]
pub unsafe extern "C" fn tls_hs_session_message(
    s: *mut bindings::tls_hs_session,
    content: *const u8,
    len: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (session, content) = unsafe {
        (
            &mut *s.cast::<Session>(),
            core::slice::from_raw_parts(content, len),
        )
    };
    match session.on_post_handshake(content) {
        Ok(Event::More) => bindings::tls_hs_message_TLS_HS_MSG_MORE as c_int,
        Ok(Event::KeyUpdate { requested: false }) => {
            bindings::tls_hs_message_TLS_HS_MSG_KEY_UPDATE as c_int
        }
        Ok(Event::KeyUpdate { requested: true }) => {
            bindings::tls_hs_message_TLS_HS_MSG_KEY_UPDATE_REQUEST as c_int
        }
        Err(alert) => -(alert as c_int),
    }
}

/// Takes note of a record of application data. Returns 0, or an AlertDescription, negated.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now.
#[export]
pub unsafe extern "C" fn tls_hs_session_data(
    s: *mut bindings::tls_hs_session,
    len: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { &mut *s.cast::<Session>() };
    match session.on_application_data(len) {
        Ok(()) => 0,
        Err(alert) => -(alert as c_int),
    }
}

/// Exports keying material. Returns 0 or an error.
///
/// # Safety
///
/// `s` must be a session that nobody changes now, `label`, `context` and `out` valid for reads or
/// writes of their lengths, `out` written before and overlapping neither.
#[export]
pub unsafe extern "C" fn tls_hs_session_export(
    s: *const bindings::tls_hs_session,
    label: *const u8,
    label_len: usize,
    context: *const u8,
    context_len: usize,
    out: *mut u8,
    out_len: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (session, label, context, out) = unsafe {
        (
            &*s.cast::<Session>(),
            core::slice::from_raw_parts(label, label_len),
            core::slice::from_raw_parts(context, context_len),
            core::slice::from_raw_parts_mut(out, out_len),
        )
    };
    if session.export::<LibCrypto>(label, context, out) {
        0
    } else {
        EINVAL.to_errno()
    }
}

/// Tells what a handshake has agreed on.
///
/// # Safety
///
/// `s` must be a session that nobody changes now, `status` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_status(
    s: *const bindings::tls_hs_session,
    status: *mut bindings::tls_hs_status,
) {
    // SAFETY: By the safety requirements of this function; the type is plain data that the caller
    // has initialised.
    let (session, status) = unsafe { (&*s.cast::<Session>(), &mut *status) };
    let negotiated = session.negotiated();
    status.version = TLS_1_3;
    status.cipher_suite = negotiated.suite.code();
    status.group = negotiated.group.code();
    status.signature_scheme = 0;
    status.flags = 0;
    if negotiated.resumed {
        status.flags |= bindings::TLS_HS_S_RESUMED;
    } else {
        status.signature_scheme = negotiated.scheme.code();
    }
    if negotiated.retried {
        status.flags |= bindings::TLS_HS_S_RETRIED;
    }
    status.server_name.fill(0);
    for (to, from) in status.server_name.iter_mut().zip(negotiated.server_name()) {
        *to = *from;
    }
}

/// Tells how much content a record to the client may have.
///
/// # Safety
///
/// `s` must be a session that nobody changes now.
#[export]
pub unsafe extern "C" fn tls_hs_session_max_payload(s: *const bindings::tls_hs_session) -> u16 {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { &*s.cast::<Session>() };
    session.negotiated().max_fragment
}

/// Tells the application protocol, up to 255 bytes. Returns its length, 0 if there is none.
///
/// # Safety
///
/// `s` must be a session that nobody changes now, `name` valid for writes of 255 bytes.
#[export]
pub unsafe extern "C" fn tls_hs_session_alpn(
    s: *const bindings::tls_hs_session,
    name: *mut u8,
) -> usize {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { &*s.cast::<Session>() };
    let protocol = session.negotiated().protocol();
    // SAFETY: No name is longer than 255 bytes, for which `name` is valid.
    unsafe { core::ptr::copy_nonoverlapping(protocol.as_ptr(), name, protocol.len()) };
    protocol.len()
}

/// Size of the engine's working memory.
///
/// # Safety
///
/// None; `unsafe` because of the declaration in C.
#[export]
pub unsafe extern "C" fn tls_hs_scratch_size() -> usize {
    size_of::<Scratch>()
}
