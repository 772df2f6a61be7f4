// SPDX-License-Identifier: GPL-2.0

//! What the C side calls.
//!
//! Where a function wants a session that nobody else uses or changes, its callers hold the lock of
//! the session's socket: a process by lock_sock(), softirqs by its spinlock (`struct tls_hs`).
//! The buffers, the scratch memory among them, belong to the work of one CPU, which never runs
//! twice at a time (`net/tls/handshake/cpu.c`). Settings, keys and ticket keys are immutable, and
//! the caller has a reference to them.
//!
//! What has to do with secrets ends with [`wipe_stack`]. Where a secret is a value that is
//! returned, it is in a function of its own, which so has its frame below.
//!
//! C header: [`net/tls/handshake/engine.h`](srctree/net/tls/handshake/engine.h)

use crate::engine::crypto::AeadAlg;
use crate::engine::ct::{wipe_raw, wipe_stack};
use crate::engine::keys::schedule::TrafficKeys;
use crate::engine::keys::ticket::{TicketKey, Tickets};
use crate::engine::policy::settings::Config;
use crate::engine::scratch::Scratch;
use crate::engine::state::post_handshake::Event;
use crate::engine::state::session::{Session, Step};
use crate::engine::wire::alert::Alert;
use crate::engine::wire::alpn::Protocols;
use crate::engine::wire::framing;
use crate::engine::wire::names::{content_type, TLS_1_3};
use crate::ffi_identity::CallIdentities;
use crate::kcrypto::LibCrypto;
use core::mem::{align_of, size_of};
use kernel::bindings;
use kernel::ffi::{c_int, c_void};
use kernel::prelude::*;

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

/// Size of a session.
///
/// # Safety
///
/// None; `unsafe` because of the declaration in C.
#[export]
pub unsafe extern "C" fn tls_hs_session_size() -> usize {
    size_of::<Session>()
}

/// Alignment of a session.
///
/// # Safety
///
/// None; `unsafe` because of the declaration in C.
#[export]
pub unsafe extern "C" fn tls_hs_session_align() -> usize {
    align_of::<Session>()
}

/// Makes a session in the memory of one.
///
/// # Safety
///
/// `s` must be valid for writes of [`tls_hs_session_size`] bytes and aligned to
/// [`tls_hs_session_align`]. There must be no session in it.
#[export]
pub unsafe extern "C" fn tls_hs_session_init(s: *mut bindings::tls_hs_session) {
    // A constant, which is copied to where it stays: it would be most of a stack frame.
    // SAFETY: By the safety requirements of this function.
    unsafe { s.cast::<Session>().write(const { Session::new() }) };
}

/// Ends a session and wipes its memory.
///
/// # Safety
///
/// `s` must be a session, which is none any more after that.
#[export]
pub unsafe extern "C" fn tls_hs_session_wipe(s: *mut bindings::tls_hs_session) {
    let session = s.cast::<Session>();
    // SAFETY: By the safety requirements of this function.
    unsafe { session.drop_in_place() };
    // Moves may have left copies of secrets between its fields, which are wiped as well.
    // SAFETY: The memory is valid for writes, and holds no value any more.
    unsafe { wipe_raw(session, 1) };
}

/// Borrows a session.
///
/// # Safety
///
/// `s` must come from [`tls_hs_session_init`], and nobody may change it during `'a`.
unsafe fn session<'a>(s: *const bindings::tls_hs_session) -> &'a Session {
    // SAFETY: By the safety requirements of this function.
    unsafe { &*s.cast::<Session>() }
}

/// Borrows a session to change it.
///
/// # Safety
///
/// `s` must come from [`tls_hs_session_init`], and nobody else may use it during `'a`.
unsafe fn session_mut<'a>(s: *mut bindings::tls_hs_session) -> &'a mut Session {
    // SAFETY: By the safety requirements of this function.
    unsafe { &mut *s.cast::<Session>() }
}

/// Lets a session have a look at what has been received.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `call` valid for reads, `step` for writes. Of
/// `call`, `settings` and `tickets` must be valid for reads, `alpn` for reads of `alpn_len` bytes
/// unless that is 0, `in` and `out` for reads and writes of their lengths and overlapping nothing
/// else, `scratch` of [`tls_hs_scratch_size`] bytes that are nobody else's now, and `set`, `psks`,
/// `may_use` and `may_use_psk` as [`CallIdentities::new`] needs them; all of that as long as this
/// call. These functions must not touch the session nor these buffers. All of the memory must be
/// initialised: the caller has done that with zeroes once for `out` and `scratch`, and what calls
/// before this one have left there may be there still.
#[export]
pub unsafe extern "C" fn tls_hs_session_advance(
    s: *mut bindings::tls_hs_session,
    call: *const bindings::tls_hs_call,
    step: *mut bindings::tls_hs_step,
) {
    // SAFETY: By the safety requirements of this function.
    unsafe { advance(s, call, step) };
    wipe_stack();
}

/// See [`tls_hs_session_advance`].
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn advance(
    s: *mut bindings::tls_hs_session,
    call: *const bindings::tls_hs_call,
    step: *mut bindings::tls_hs_step,
) {
    // SAFETY: By the safety requirements of this function.
    let (session, call, result) = unsafe { (session_mut(s), &*call, &mut *step) };
    // SAFETY: By the safety requirements of this function, for all of these. What `out` holds is
    // initialised, though it means nothing: by the caller once, with zeroes.
    let (settings, alpn, tickets, identities, input, out, scratch) = unsafe {
        (
            &*call.settings,
            match call.alpn_len {
                0 => &[],
                len => core::slice::from_raw_parts(call.alpn, len),
            },
            tickets(&*call.tickets),
            CallIdentities::new(call),
            core::slice::from_raw_parts_mut(call.in_, call.in_len),
            core::slice::from_raw_parts_mut(call.out, call.out_len),
            &mut *call.scratch.cast::<Scratch<LibCrypto>>(),
        )
    };
    // It has been checked when it was set.
    let config = config(settings, Protocols::new(alpn).unwrap_or_default(), tickets);
    let step = session.advance::<LibCrypto>(&config, &identities, input, out, scratch);
    tell(session, step, result);
}

/// Writes a step as the C side has it.
fn tell(session: &Session, step: Step, result: &mut bindings::tls_hs_step) {
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
            result.need = u32::from(session.needs_input());
        }
        Step::Done { consumed } => {
            result.action = bindings::tls_hs_action_TLS_HS_DONE as u8;
            result.consumed = consumed as u32;
        }
        Step::Later => result.action = bindings::tls_hs_action_TLS_HS_LATER as u8,
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

/// How many unread bytes need not be shown to [`tls_hs_session_scan`] again; once it has found the
/// ClientHello, how many its records have.
///
/// # Safety
///
/// `s` must be a session that nobody changes now.
#[export]
pub unsafe extern "C" fn tls_hs_session_seen(s: *const bindings::tls_hs_session) -> usize {
    // SAFETY: By the safety requirements of this function.
    unsafe { session(s) }.seen()
}

/// Looks at the bytes behind those. True if the ClientHello is whole, else `step` says what to do.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `input` valid for reads of `in_len` bytes,
/// `out` for reads and writes of `out_len` bytes, initialised once with zeroes by the caller,
/// `step` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_scan(
    s: *mut bindings::tls_hs_session,
    input: *const u8,
    in_len: usize,
    out: *mut u8,
    out_len: usize,
    step: *mut bindings::tls_hs_step,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let (session, input, out, result) = unsafe {
        (
            session_mut(s),
            core::slice::from_raw_parts(input, in_len),
            core::slice::from_raw_parts_mut(out, out_len),
            &mut *step,
        )
    };
    match session.scan::<LibCrypto>(input, out) {
        Some(step) => tell(session, step, result),
        None => return true,
    }
    false
}

/// Makes one record of several, see [`framing::gather`]. Returns how much of `input` is in there, 0
/// if it does not fit.
///
/// # Safety
///
/// `input` must be valid for reads of `in_len` bytes, `record` for reads and writes of `record_len`
/// bytes, initialised once with zeroes by the caller, `end` for reads and writes; none of them may
/// overlap.
#[export]
pub unsafe extern "C" fn tls_hs_hello_gather(
    input: *const u8,
    in_len: usize,
    record: *mut u8,
    record_len: usize,
    end: *mut usize,
) -> usize {
    // SAFETY: By the safety requirements of this function.
    let (input, record, end) = unsafe {
        (
            core::slice::from_raw_parts(input, in_len),
            core::slice::from_raw_parts_mut(record, record_len),
            &mut *end,
        )
    };
    let Some((consumed, length)) = framing::gather(input, record, *end) else {
        return 0;
    };
    *end = length;
    consumed
}

/// Writes an alert. Returns its length.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `out` valid for reads and writes of `out_len`
/// bytes, initialised once with zeroes by the caller.
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
            session_mut(s),
            core::slice::from_raw_parts_mut(out, out_len),
        )
    };
    let len = session.alert::<LibCrypto>(description, out);
    wipe_stack();
    len
}

/// Writes one direction's keys as setsockopt(TLS_TX) takes them. Returns the length or an error.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `info` valid for writes of `size` bytes,
/// aligned like `union tls_crypto_context` and zeroed.
#[export]
pub unsafe extern "C" fn tls_hs_session_crypto_info(
    s: *mut bindings::tls_hs_session,
    tx: bool,
    info: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let len = unsafe { crypto_info(session_mut(s), tx, info, size) };
    wipe_stack();
    len
}

/// See [`tls_hs_session_crypto_info`].
///
/// # Safety
///
/// `info` as for [`fill_crypto_info`].
#[inline(never)]
unsafe fn crypto_info(session: &mut Session, tx: bool, info: *mut c_void, size: usize) -> c_int {
    let Some(connection) = session.connection() else {
        return EINVAL.to_errno();
    };
    let keys = connection.traffic_keys::<LibCrypto>(tx);
    // SAFETY: By the safety requirements of this function.
    unsafe { fill_crypto_info(&keys, connection.sequence(tx), info, size) }
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
    let len = unsafe { update(session_mut(s), tx, info, size) };
    wipe_stack();
    len
}

/// See [`tls_hs_session_update`].
///
/// # Safety
///
/// `info` as for [`fill_crypto_info`].
#[inline(never)]
unsafe fn update(session: &mut Session, tx: bool, info: *mut c_void, size: usize) -> c_int {
    let Some(mut connection) = session.connection() else {
        return EINVAL.to_errno();
    };
    let keys = connection.update_traffic_keys::<LibCrypto>(tx);
    // SAFETY: By the safety requirements of this function.
    unsafe { fill_crypto_info(&keys, connection.sequence(tx), info, size) }
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

/// Takes a record that came after the handshake, and tells what follows from it.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `content` valid for reads of `len` bytes unless
/// `ty` is that of application data, and `received` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_record(
    s: *mut bindings::tls_hs_session,
    ty: u8,
    content: *const u8,
    len: usize,
    received: *mut bindings::tls_hs_received,
) {
    // SAFETY: By the safety requirements of this function.
    let (session, received) = unsafe { (session_mut(s), &mut *received) };
    let outcome = match session.connection() {
        Some(connection) if ty == content_type::APPLICATION_DATA => {
            let outcome = connection.messages.on_application_data(len);
            received.watch_data = connection.messages.watches_data();
            outcome.map(|()| Event::More)
        }
        Some(connection) => {
            // SAFETY: By the safety requirements of this function.
            let content = unsafe { core::slice::from_raw_parts(content, len) };
            let outcome = connection.messages.on_record(ty, content);
            received.watch_data = connection.messages.watches_data();
            outcome
        }
        // There are no records for the glue before.
        None => Err(Alert::InternalError),
    };
    let (event, alert) = match outcome {
        Ok(Event::More) => (bindings::tls_hs_event_TLS_HS_EV_NONE, 0),
        Ok(Event::KeyUpdate { requested: false }) => (bindings::tls_hs_event_TLS_HS_EV_REKEY, 0),
        Ok(Event::KeyUpdate { requested: true }) => {
            (bindings::tls_hs_event_TLS_HS_EV_REKEY_ANSWER, 0)
        }
        Ok(Event::Closed) => (bindings::tls_hs_event_TLS_HS_EV_CLOSED, 0),
        Ok(Event::Aborted(alert)) => (bindings::tls_hs_event_TLS_HS_EV_ABORTED, alert),
        Err(alert) => (bindings::tls_hs_event_TLS_HS_EV_FATAL, alert as u8),
    };
    received.event = event as u8;
    received.alert = alert;
}

/// Wipes the secrets of a connection that has failed.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now.
#[export]
pub unsafe extern "C" fn tls_hs_session_forget(s: *mut bindings::tls_hs_session) {
    // SAFETY: By the safety requirements of this function.
    unsafe { session_mut(s) }.forget();
}

/// Exports keying material. Returns 0 or an error.
///
/// # Safety
///
/// `s` must be a session that nobody else uses now, `label` and `context` valid for reads of their
/// lengths, `out` for reads and writes of its own, initialised once with zeroes by the caller and
/// overlapping neither.
#[export]
pub unsafe extern "C" fn tls_hs_session_export(
    s: *mut bindings::tls_hs_session,
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
            session_mut(s),
            core::slice::from_raw_parts(label, label_len),
            core::slice::from_raw_parts(context, context_len),
            core::slice::from_raw_parts_mut(out, out_len),
        )
    };
    let exported = match session.connection() {
        Some(connection) => connection.export::<LibCrypto>(label, context, out),
        None => false,
    };
    wipe_stack();
    if exported {
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
    let (session, status) = unsafe { (session(s), &mut *status) };
    let negotiated = session.negotiated();
    status.version = TLS_1_3;
    status.cipher_suite = negotiated.suite.code();
    status.group = negotiated.group.code();
    status.signature_scheme = negotiated.scheme.map_or(0, |scheme| scheme.code());
    status.flags = 0;
    if negotiated.resumed {
        status.flags |= bindings::TLS_HS_S_RESUMED;
    }
    if negotiated.external_psk.is_some() {
        status.flags |= bindings::TLS_HS_S_EXTERNAL_PSK;
    }
    if negotiated.retried {
        status.flags |= bindings::TLS_HS_S_RETRIED;
    }
    status.server_name.fill(0);
    for (to, from) in status.server_name.iter_mut().zip(negotiated.server_name()) {
        *to = *from;
    }
}

/// Tells which external PSK is used, if there is one.
///
/// # Safety
///
/// `s` must be a session that nobody changes now, `index` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_psk(
    s: *const bindings::tls_hs_session,
    index: *mut usize,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let (session, index) = unsafe { (session(s), &mut *index) };
    match session.negotiated().external_psk {
        Some(psk) => *index = psk,
        None => return false,
    }
    true
}

/// Tells how much content a record to the client may have.
///
/// # Safety
///
/// `s` must be a session that nobody changes now.
#[export]
pub unsafe extern "C" fn tls_hs_session_max_payload(s: *const bindings::tls_hs_session) -> u16 {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { session(s) };
    session.negotiated().max_fragment
}

/// Tells the server name, of up to 253 bytes. Returns its length, 0 if there is none.
///
/// # Safety
///
/// `s` must be a session that nobody changes as long as the name is used, `name` valid for writes.
#[export]
pub unsafe extern "C" fn tls_hs_session_name(
    s: *const bindings::tls_hs_session,
    name: *mut *const u8,
) -> usize {
    // SAFETY: By the safety requirements of this function.
    let session = unsafe { session(s) };
    let server_name = session.negotiated().server_name();
    // SAFETY: By the safety requirements of this function.
    unsafe { *name = server_name.as_ptr() };
    server_name.len()
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
    let session = unsafe { session(s) };
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
    size_of::<Scratch<LibCrypto>>()
}
