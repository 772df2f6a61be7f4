// SPDX-License-Identifier: GPL-2.0

//! Identities that own their memory, and what the C side calls for them.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

use crate::engine::crypto::{Crypto, P256Key, RsaKey, RsaKeyError};
use crate::engine::ct::wipe_stack;
use crate::engine::keys::ticket;
use crate::engine::policy::chain::{is_issued_by, Signatures};
use crate::engine::policy::identity::{self, IdentityError, NameIndex, Payload, Validity};
use crate::engine::policy::name::{self, Name, NameEntry};
use crate::engine::policy::settings::{
    ClientConstraints, ExternalPsk, Identities, Identity, NoIdentity, SigningKey,
};
use crate::engine::wire::certificate::{self, Staples};
use crate::engine::wire::certificate_authorities::Authorities;
use crate::engine::wire::der::Der;
use crate::engine::wire::names::Scheme;
use crate::ffi_psk::PskSet;
use crate::kcrypto::LibCrypto;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::alloc::AllocError;
use kernel::bindings;
use kernel::ffi::{c_char, c_int, c_void};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::ForeignOwnable;
use pin_init::init_zeroed;

// SAFETY: The words of the key are integers; zeroes are a key that signs nothing.
unsafe impl Zeroable for RsaKey {}

/// A private key that owns its memory.
enum OwnedKey {
    P256(P256Key),
    Rsa(KBox<RsaKey>),
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
    /// [`ticket::certificate_digest`] of it.
    digest: [u8; 32],
    key: OwnedKey,
    /// The DNS names, each with its length in front.
    names: KVec<u8>,
    /// What the certificates are signed with.
    signatures: Signatures,
    /// When the leaf is valid.
    validity: Validity,
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
            digest: ticket::certificate_digest::<LibCrypto>(&certificate),
            certificate,
            key,
            names,
            signatures: payload.signatures,
            validity: payload.validity,
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

/// `struct tls_hs_identity`. C holds it as [`Arc::into_foreign`] gives it.
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
    for name in payload.dns_names().filter_map(Name::pattern) {
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
            let key = P256Key::new(scalar).ok_or(IdentityError::BadKey)?;
            let public = LibCrypto::p256_public_key(&key).ok_or(IdentityError::BadKey)?;
            if !identity::is_point(&public, point) {
                return Err(IdentityError::Mismatch.into());
            }
            Ok(OwnedKey::P256(key))
        }
        (identity::PrivateKey::Rsa(numbers), identity::PublicKey::Rsa { n, e }) => {
            let mut key = KBox::init(init_zeroed::<RsaKey>(), GFP_KERNEL)?;
            LibCrypto::rsa_key(&mut key, numbers).map_err(|e| match e {
                RsaKeyError::Unsupported => IdentityError::UnsupportedRsa,
                RsaKeyError::Inconsistent => IdentityError::BadKey,
            })?;
            if numbers.n != *n || numbers.e != *e {
                return Err(IdentityError::Mismatch.into());
            }
            check_rsa(&key)?;
            Ok(OwnedKey::Rsa(key))
        }
        _ => Err(IdentityError::Mismatch.into()),
    }
}

/// Signs something: `rsa_pss_sign()` returns no signature that does not verify.
#[inline(never)]
fn check_rsa(key: &RsaKey) -> Result<(), Failure> {
    type Workspace = <LibCrypto as Crypto>::RsaWorkspace;
    let mut workspace = KBox::init(init_zeroed::<Workspace>(), GFP_KERNEL)?;
    let mut signature = [0; 512];
    LibCrypto::rsa_pss_sign(key, &[0; 32], &mut signature, &mut workspace)
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

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Errno(e)
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
                IdentityError::UnsupportedAlgorithm | IdentityError::UnsupportedRsa => {
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

/// In a function of its own, so that its frame can be wiped.
#[inline(never)]
fn parse(payload: &[u8]) -> Result<Arc<OwnedIdentity>, Failure> {
    Ok(Arc::new(OwnedIdentity::new(payload)?, GFP_KERNEL)?)
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
    let made = parse(payload);
    // A key of P-256 is moved to where it stays.
    wipe_stack();
    match made {
        Ok(arc) => {
            // SAFETY: By the safety requirements of this function.
            unsafe { *id = arc.into_foreign().cast() };
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
    // SAFETY: The pointer comes from `into_foreign()` and the caller's reference keeps it alive;
    // the rest is by the safety requirements of this function.
    let (id, payload) = unsafe {
        (
            Arc::<OwnedIdentity>::borrow(id.cast_mut().cast()),
            core::slice::from_raw_parts(data, len),
        )
    };
    Staples::parse(Der::new(payload))
        .ok()
        .and_then(|staples| OwnedIdentity::stapled(id.credentials.clone(), &staples).ok())
        .and_then(|made| Arc::new(made, GFP_KERNEL).ok())
        .map_or(core::ptr::null_mut(), |arc| arc.into_foreign().cast())
}

/// How long the payload of an identity is without staples.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_size(id: *const bindings::tls_hs_identity) -> usize {
    // SAFETY: The pointer comes from `into_foreign()` and the caller's reference keeps it alive.
    let id = unsafe { Arc::<OwnedIdentity>::borrow(id.cast_mut().cast()) };
    id.credentials.payload_len
}

/// Takes a reference.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_get(id: *mut bindings::tls_hs_identity) {
    // SAFETY: The pointer comes from `into_foreign()`, and the caller's reference keeps it alive.
    let arc = Arc::from(unsafe { Arc::<OwnedIdentity>::borrow(id.cast()) });
    // C has this reference now.
    let _ = arc.into_foreign();
}

/// Drops a reference.
///
/// # Safety
///
/// `id` must be an identity whose reference the caller gives up.
#[export]
pub unsafe extern "C" fn tls_hs_identity_put(id: *mut bindings::tls_hs_identity) {
    // SAFETY: The pointer comes from `into_foreign()`, and the reference is the caller's to give.
    drop(unsafe { Arc::<OwnedIdentity>::from_foreign(id.cast()) });
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
    // SAFETY: The pointer comes from `into_foreign()` and the caller's reference keeps it alive.
    let id = unsafe { Arc::<OwnedIdentity>::borrow(id.cast_mut().cast()) };
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

/// Whether the leaf is valid at a time.
///
/// # Safety
///
/// `id` must be an identity that the caller has a reference to.
#[export]
pub unsafe extern "C" fn tls_hs_identity_is_valid(
    id: *const bindings::tls_hs_identity,
    now: u64,
) -> bool {
    // SAFETY: The pointer comes from `into_foreign()` and the caller's reference keeps it alive.
    let id = unsafe { Arc::<OwnedIdentity>::borrow(id.cast_mut().cast()) };
    id.credentials.validity.contains(now)
}

/// `struct tls_hs_identity_set`.
pub struct IdentitySet {
    identities: KVVec<Arc<OwnedIdentity>>,
    names: KVVec<u8>,
    /// Sorted by [`name::sort_names`].
    index: KVVec<NameEntry>,
    /// The first identity for each of [`Scheme::ALL`].
    first: [Option<usize>; Scheme::ALL.len()],
    /// When each identity is valid, and with what its key signs: [`NameIndex::first`] looks at
    /// many.
    terms: KVVec<(Validity, Scheme)>,
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
                    GFP_KERNEL_ACCOUNT,
                )?;
                names.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
            }
        }
        name::sort_names(&names, &mut index);
        let mut terms = KVVec::with_capacity(identities.len(), GFP_KERNEL_ACCOUNT)?;
        for id in &identities {
            terms.push((id.credentials.validity, id.scheme()), GFP_KERNEL_ACCOUNT)?;
        }
        let first = Scheme::ALL.map(|scheme| terms.iter().position(|(_, s)| *s == scheme));
        Ok(IdentitySet {
            identities,
            names,
            index,
            first,
            terms,
        })
    }
}

impl NameIndex for IdentitySet {
    fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
        name::find_name(&self.names, &self.index, name)
            .iter()
            .map(|e| e.identity as usize)
    }

    fn count(&self) -> usize {
        self.identities.len()
    }

    fn scheme(&self, identity: usize) -> Scheme {
        match self.terms.get(identity) {
            Some((_, scheme)) => *scheme,
            None => Scheme::EcdsaSecp256r1Sha256,
        }
    }

    fn first(&self, scheme: Scheme, now: u64) -> Option<usize> {
        let at = Scheme::ALL.iter().position(|s| *s == scheme)?;
        let first = (*self.first.get(at)?)?;
        let mut rest = self.terms.iter().skip(first);
        let valid = rest.position(|(validity, s)| *s == scheme && validity.contains(now));
        Some(first + valid.unwrap_or(0))
    }

    fn with_same_names(&self, identity: usize) -> impl Iterator<Item = usize> {
        let of = |id: usize| Some(&self.identities.get(id)?.credentials);
        let names = of(identity).map(|c| c.names.as_slice());
        let first = of(identity).and_then(|c| c.names().next());
        first
            .into_iter()
            .flat_map(|name| self.with_name(name))
            .filter(move |id| of(*id).map(|c| c.names.as_slice()) == names)
    }

    fn validity(&self, identity: usize) -> Validity {
        match self.terms.get(identity) {
            Some((validity, _)) => *validity,
            None => Validity::ALWAYS,
        }
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
            .is_some_and(|id| is_issued_by(authorities, id.credentials.certificates()))
    }
}

/// The identities and PSKs of a call of `tls_hs_session_advance()`.
pub struct CallIdentities<'a> {
    /// `tls_hs_call::set`.
    set: Option<&'a IdentitySet>,
    /// `tls_hs_call::psks`.
    psks: Option<&'a PskSet>,
    /// `tls_hs_call::named`.
    named: bool,
    /// `tls_hs_call::may_use`.
    may_use: Option<unsafe extern "C" fn(*mut c_void, usize, bool) -> bool>,
    /// `tls_hs_call::may_use_psk`.
    may_use_psk: Option<unsafe extern "C" fn(*mut c_void, usize) -> bool>,
    /// `tls_hs_call::arg`.
    arg: *mut c_void,
}

impl<'a> CallIdentities<'a> {
    /// Takes what the C side gave.
    ///
    /// # Safety
    ///
    /// `call.set` must be null or come from [`tls_hs_identity_set_new`], and `call.psks` null or
    /// from [`tls_hs_psk_set_new`](crate::ffi_psk::tls_hs_psk_set_new); both live for `'a`.
    /// `call.may_use` and `call.may_use_psk`, unless they are null, must be functions that may be
    /// called with `call.arg` and any index and flag during `'a`, by who uses the result.
    pub unsafe fn new(call: &'a bindings::tls_hs_call) -> Self {
        CallIdentities {
            // SAFETY: By the safety requirements of this function.
            set: unsafe { call.set.cast::<IdentitySet>().as_ref() },
            // SAFETY: By the safety requirements of this function.
            psks: unsafe { call.psks.cast::<PskSet>().as_ref() },
            named: call.named,
            may_use: call.may_use,
            may_use_psk: call.may_use_psk,
            arg: call.arg,
        }
    }
}

impl Identities for CallIdentities<'_> {
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
        let set = self.set.ok_or(NoIdentity::Empty)?;
        let (index, name_matched) = identity::select(set, constraints)?;
        let id = set.identities.get(index).ok_or(NoIdentity::Empty)?;
        Ok(Identity {
            index,
            certificate: &id.credentials.certificate,
            digest: &id.credentials.digest,
            staples: Staples {
                ocsp: &id.ocsp,
                scts: &id.scts,
            },
            name_matched: name_matched || self.named,
            key: id.credentials.key.borrow(),
        })
    }

    // A function of its own, for scripts/check-objects to know what it calls.
    #[inline(never)]
    fn may_use(&self, identity: &Identity<'_>, rsa: bool) -> bool {
        match self.may_use {
            // SAFETY: Who made `self` says that the function may be called with this argument.
            Some(may_use) => unsafe { may_use(self.arg, identity.index, rsa) },
            None => true,
        }
    }

    fn has_external_psks(&self) -> bool {
        self.psks.is_some_and(|psks| !psks.is_empty())
    }

    fn external_psk(&self, identity: &[u8]) -> Option<ExternalPsk<'_>> {
        self.psks?.find(identity)
    }

    // As `may_use()`.
    #[inline(never)]
    fn may_use_psk(&self, index: usize) -> bool {
        match self.may_use_psk {
            // SAFETY: Who made `self` says that the function may be called with this argument.
            Some(may_use_psk) => unsafe { may_use_psk(self.arg, index) },
            None => true,
        }
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
        let mut identities = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for id in ids {
            // SAFETY: The pointer comes from `into_foreign()`, and the caller's reference keeps it
            // alive.
            let arc = unsafe { Arc::<OwnedIdentity>::borrow((*id).cast()) };
            identities.push(arc.into(), GFP_KERNEL_ACCOUNT)?;
        }
        KBox::new(IdentitySet::new(identities)?, GFP_KERNEL_ACCOUNT)
    };
    make().map_or(core::ptr::null_mut(), |set| set.into_foreign().cast())
}

/// Frees a set.
///
/// # Safety
///
/// `set` must come from [`tls_hs_identity_set_new`] and not be used any more.
#[export]
pub unsafe extern "C" fn tls_hs_identity_set_free(set: *mut bindings::tls_hs_identity_set) {
    // SAFETY: By the safety requirements of this function.
    drop(unsafe { KBox::<IdentitySet>::from_foreign(set.cast()) });
}
