/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boundary between the C glue (sockets, keys, accept) and the handshake
 * engine in Rust.  Rust implements what is declared here and sees the same
 * declarations through bindgen, so the two sides cannot drift apart.
 */
#ifndef _NET_TLS_HANDSHAKE_ENGINE_H
#define _NET_TLS_HANDSHAKE_ENGINE_H

#include <linux/types.h>
#include <uapi/linux/tls.h>

/* Most bytes of the receive queue that one call looks at: a ClientHello in one
 * record, or the longest record of a client.
 */
#define TLS_HS_IN_MAX		(20 * 1024)
/* Longest flight: ServerHello to Finished with the longest chain, in records of
 * 64 bytes, the least that a client may ask for.
 */
#define TLS_HS_OUT_MAX		(48 * 1024)
/* Longest identity payload: DER chain and private key. */
#define TLS_HS_IDENTITY_MAX	(32 * 1024)

/* Longest server name, see name.rs. */
#define TLS_HS_MAX_NAME		253

/* One server identity: certificate chain and private key.  Refcounted, immutable. */
struct tls_hs_identity;
/* The identities of one keyring at one time, indexed by name.  Immutable. */
struct tls_hs_identity_set;
/* The external PSKs of one keyring at one time.  Immutable once complete. */
struct tls_hs_psk_set;
/* One handshake. */
struct tls_hs_session;
/* Working memory for what is too large for a stack; one per CPU. */
struct tls_hs_scratch;
/* See the UAPI. */
struct tls_hs_settings;
struct tls_hs_status;

/**
 * enum tls_hs_action - what the glue does after tls_hs_session_advance()
 * @TLS_HS_MORE: wait until @need bytes are unread in the receive queue
 * @TLS_HS_SEND: consume @consumed bytes, send @written bytes, call again when
 *	@need bytes are unread
 * @TLS_HS_DONE: consume @consumed bytes; the handshake is complete
 * @TLS_HS_FALLBACK: hand the connection to user space, nothing consumed;
 *	@reason says why
 * @TLS_HS_ALERT: send @written bytes (an alert record), close;
 *	@alert is the description
 * @TLS_HS_PEER_ALERT: the client sent the alert @alert or closed; just close
 * @TLS_HS_LATER: tls_hs_call::may_use() or may_use_psk() said no.  Nothing has been consumed or
 *	written and the session is as before: call again with the same bytes
 *	later, possibly in another context or with a newer set of identities
 */
enum tls_hs_action {
	TLS_HS_MORE,
	TLS_HS_SEND,
	TLS_HS_DONE,
	TLS_HS_FALLBACK,
	TLS_HS_ALERT,
	TLS_HS_PEER_ALERT,
	TLS_HS_LATER,
};

/**
 * enum tls_hs_fallback - why a connection goes to user space unread
 * @TLS_HS_FB_NONE: it does not
 * @TLS_HS_FB_NOT_SUPPORTED: the engine lacks a feature that the hello asks for
 * @TLS_HS_FB_VERSION: the client has no TLS 1.3 and 1.2 is served
 * @TLS_HS_FB_SUITE: no common cipher suite
 * @TLS_HS_FB_GROUP: no common group, or no key share for one
 * @TLS_HS_FB_SIGALG: no identity can sign with what the client accepts
 * @TLS_HS_FB_NO_IDENTITY: the keyring holds no usable identity
 * @TLS_HS_FB_HELLO_SIZE: the hello is larger than the kernel reads
 * @TLS_HS_FB_RESOURCES: out of memory before anything was consumed
 * @TLS_HS_FB_URGENT: TCP urgent data in the stream
 * @TLS_HS_FB_CLIENT_CERT: the settings have %TLS_HS_F_CLIENT_CERT
 * @TLS_HS_FB_PSK: there are external PSKs only, and the client offers none of
 *	them that can be used
 */
enum tls_hs_fallback {
	TLS_HS_FB_NONE,
	TLS_HS_FB_NOT_SUPPORTED,
	TLS_HS_FB_VERSION,
	TLS_HS_FB_SUITE,
	TLS_HS_FB_GROUP,
	TLS_HS_FB_SIGALG,
	TLS_HS_FB_NO_IDENTITY,
	TLS_HS_FB_HELLO_SIZE,
	TLS_HS_FB_RESOURCES,
	TLS_HS_FB_URGENT,
	TLS_HS_FB_CLIENT_CERT,
	TLS_HS_FB_PSK,
	/* private: */
	__TLS_HS_FB_MAX,
};

/**
 * struct tls_hs_step - result of tls_hs_session_advance()
 * @action: &enum tls_hs_action
 * @reason: &enum tls_hs_fallback
 * @alert: AlertDescription (RFC 9846, section 6)
 * @retry: with %TLS_HS_SEND, the output is a HelloRetryRequest
 * @need: bytes that must be unread before another call can get further
 * @consumed: bytes at the start of the input that are done with
 * @written: bytes of output to send
 */
struct tls_hs_step {
	u8 action;
	u8 reason;
	u8 alert;
	bool retry;
	u32 need;
	u32 consumed;
	u32 written;
};

/**
 * struct tls_hs_ticket_key - a key for tickets; Rust sees the same bytes
 * @name: tells which key a ticket is encrypted with, not secret
 * @key: a key for HMAC-SHA-256, with zeroes behind it if it is shorter
 */
struct tls_hs_ticket_key {
	u8 name[16];
	u8 key[64];
};

/**
 * struct tls_hs_tickets - what a session needs for tickets
 * @keys: the first one is for new tickets, all are for those that come back
 * @nr_keys: their number; 0 is for no tickets
 * @lifetime: how long tickets are accepted, in seconds; 0 is for no tickets
 * @now: seconds since 1970, also without keys: identities are chosen by it, too
 */
struct tls_hs_tickets {
	const struct tls_hs_ticket_key *keys;
	u32 nr_keys;
	u32 lifetime;
	u64 now;
};

/**
 * struct tls_hs_call - what tls_hs_session_advance() works on
 * @settings: the settings that apply to the connection, checked
 * @alpn: the list of application protocols, checked; may be %NULL if @alpn_len
 *	is 0
 * @alpn_len: its length; 0 is for no protocols
 * @tickets: ticket keys and the time
 * @set: the identities, or %NULL for none
 * @psks: the external PSKs, or %NULL for none
 * @named: the settings are those of the server name that the client has sent
 * @in: copy of what is unread in the receive queue, from its beginning.  The
 *	engine changes it, so each call needs a new copy
 * @in_len: its length, %TLS_HS_IN_MAX at most
 * @out: where output goes, initialized
 * @out_len: room for output, %TLS_HS_OUT_MAX
 * @scratch: working memory of tls_hs_scratch_size() bytes, initialized, that
 *	nobody else uses during the call
 * @may_use: asked once for each ClientHello that is about to be answered, when
 *	the identity is chosen and nothing expensive has been computed.
 *	@identity is the index that it has in the array which was given to
 *	tls_hs_identity_set_new().  @rsa tells that an RSA signature is computed
 *	next; it is false if a ticket is resumed or a HelloRetryRequest written.
 *	If it returns false, the action is %TLS_HS_LATER.  It is called in the
 *	context and with the locks of the caller, and must not sleep unless these
 *	allow it, nor use the session.  %NULL permits all identities
 * @may_use_psk: asked instead of that when an external PSK is used, of which the
 *	client has proved that it has it.  @psk is the index that was given to
 *	tls_hs_psk_set_add().  The rest is as with @may_use
 * @arg: the first argument of both
 */
struct tls_hs_call {
	const struct tls_hs_settings *settings;
	const u8 *alpn;
	size_t alpn_len;
	const struct tls_hs_tickets *tickets;
	const struct tls_hs_identity_set *set;
	const struct tls_hs_psk_set *psks;
	bool named;
	u8 *in;
	size_t in_len;
	u8 *out;
	size_t out_len;
	struct tls_hs_scratch *scratch;
	bool (*may_use)(void *arg, size_t identity, bool rsa);
	bool (*may_use_psk)(void *arg, size_t psk);
	void *arg;
};

/* Checks settings: 0, or -EINVAL. */
int tls_hs_settings_check(const struct tls_hs_settings *conf);

/* Checks a list of TLS_HS_ALPN: 0, or -EINVAL. */
int tls_hs_alpn_check(const u8 *list, size_t len);

/*
 * Identities.  _parse(), _staple() and _set_new() may sleep, the rest runs
 * anywhere.  _staple() makes a new one that has the certificates and the private
 * key of @id, and of a payload without these what is stapled to the leaf.
 */
int tls_hs_identity_parse(const u8 *data, size_t len,
			  struct tls_hs_identity **id, const char **why);
bool tls_hs_staples_check(const u8 *data, size_t len);
struct tls_hs_identity *
tls_hs_identity_staple(const struct tls_hs_identity *id, const u8 *data,
		       size_t len);
/* Length of the payload without what is stapled to the leaf. */
size_t tls_hs_identity_size(const struct tls_hs_identity *id);
void tls_hs_identity_get(struct tls_hs_identity *id);
void tls_hs_identity_put(struct tls_hs_identity *id);
size_t tls_hs_identity_read(const struct tls_hs_identity *id, u8 *buf,
			    size_t len);
/* Is the leaf valid at a time, in seconds since 1970? */
bool tls_hs_identity_is_valid(const struct tls_hs_identity *id, u64 now);
/*
 * The set takes a reference on each identity; the first one is the default.
 * tls_hs_call::may_use() gets indices of @ids.
 */
struct tls_hs_identity_set *
tls_hs_identity_set_new(struct tls_hs_identity *const *ids, size_t nr);
void tls_hs_identity_set_free(struct tls_hs_identity_set *set);

/*
 * External PSKs (RFC 9846, section 4.3.11).  _check() tells whether a PSK can be
 * used: its key has 16 to 512 bytes, its identity 1 to 4095; if that is one of
 * NVMe/TCP it names the hash, else the PSK is for SHA-256.  A set is made with
 * room for @nr PSKs whose identities and keys have @len bytes together.  _add()
 * copies one and fails without room; _complete() comes after the last.  Of two
 * with one identity that with the lower index is used.  All may sleep but
 * _check() and _free(), which wipes.
 */
bool tls_hs_psk_check(const u8 *identity, size_t identity_len,
		      const u8 *key, size_t key_len);
struct tls_hs_psk_set *tls_hs_psk_set_new(size_t nr, size_t len);
bool tls_hs_psk_set_add(struct tls_hs_psk_set *set,
			const u8 *identity, size_t identity_len,
			const u8 *key, size_t key_len, size_t index);
void tls_hs_psk_set_complete(struct tls_hs_psk_set *set);
void tls_hs_psk_set_free(struct tls_hs_psk_set *set);

/**
 * struct tls_hs_name - a server name, or a wildcard, as names are compared
 * @len: its length
 * @bytes: the name
 */
struct tls_hs_name {
	u8 len;
	u8 bytes[TLS_HS_MAX_NAME];
};

/*
 * Server names, in any context.  _normalize() takes the name of settings, or a
 * wildcard: 0, or -EINVAL.  A table is an array of normalized names in the order
 * of _search(), which tells whether @name is in it and where it is or belongs.
 */
int tls_hs_name_normalize(const u8 *text, size_t len, struct tls_hs_name *name);
bool tls_hs_name_search(const struct tls_hs_name *const *table, size_t nr,
			const struct tls_hs_name *name, size_t *at);
/*
 * Finds the entry of such a table for the server name of a ClientHello that no
 * session has seen yet: that of the name, or of the wildcard that covers it.
 * Returns its index, -ENOENT if there is none, or -EAGAIN if the ClientHello is
 * not complete or malformed.  Changes @in.
 */
int tls_hs_hello_find_name(u8 *in, size_t in_len,
			   const struct tls_hs_name *const *table, size_t nr);

/*
 * Sessions, in memory of the caller.  Any context that may take long enough;
 * _init() and _wipe(), which come first and last, do not sleep.  The caller sees to
 * it that nobody else uses the session.
 */
size_t tls_hs_session_size(void);
size_t tls_hs_session_align(void);
void tls_hs_session_init(struct tls_hs_session *s);
void tls_hs_session_wipe(struct tls_hs_session *s);
/*
 * Looks at the unread bytes of a ClientHello that are behind the first _seen()
 * ones.  True if it is whole, and then _seen() is how many bytes its records
 * have; else @step, zeroed before, is what to do.  Neither small records nor
 * small segments make that expensive: each byte is looked at once.
 */
size_t tls_hs_session_seen(const struct tls_hs_session *s);
bool tls_hs_session_scan(struct tls_hs_session *s, const u8 *in, size_t in_len,
			 u8 *out, size_t out_len, struct tls_hs_step *step);
/*
 * Makes one record, from @record to *@end, of those of a ClientHello, which has
 * been found by _scan().  *@end is 0 before the first call.  Returns how much of
 * @in has been taken, whole records, or 0 if that is impossible.
 */
size_t tls_hs_hello_gather(const u8 *in, size_t in_len, u8 *record,
			   size_t record_len, size_t *end);
/*
 * Does what can be done with the bytes that are unread, or with a ClientHello of
 * tls_hs_hello_gather(); _consumed is of what it is given.  @step is zeroed
 * before.
 */
void tls_hs_session_advance(struct tls_hs_session *s,
			    const struct tls_hs_call *call,
			    struct tls_hs_step *step);
/*
 * Writes an alert record for a handshake that the glue ends, under the keys
 * that are current; returns its length.
 */
size_t tls_hs_session_alert(struct tls_hs_session *s, u8 description,
			    u8 *out, size_t out_len);
/* After TLS_HS_DONE: writes the argument of setsockopt(TLS_TX/TLS_RX). */
int tls_hs_session_crypto_info(struct tls_hs_session *s, bool tx,
			       void *info, size_t size);

/**
 * enum tls_hs_event - what follows from a record after %TLS_HS_DONE
 * @TLS_HS_EV_NONE: nothing
 * @TLS_HS_EV_REKEY: the client's next record is under its next key
 * @TLS_HS_EV_REKEY_ANSWER: the same, and it wants a KeyUpdate
 * @TLS_HS_EV_CLOSED: close_notify: what comes behind it is ignored
 * @TLS_HS_EV_ABORTED: the client has ended the connection with an alert
 * @TLS_HS_EV_FATAL: the client violates the protocol; send an alert
 */
enum tls_hs_event {
	TLS_HS_EV_NONE,
	TLS_HS_EV_REKEY,
	TLS_HS_EV_REKEY_ANSWER,
	TLS_HS_EV_CLOSED,
	TLS_HS_EV_ABORTED,
	TLS_HS_EV_FATAL,
};

/**
 * struct tls_hs_received - result of tls_hs_session_record()
 * @event: &enum tls_hs_event
 * @alert: the AlertDescription to be sent with %TLS_HS_EV_FATAL, or the client's
 *	with %TLS_HS_EV_ABORTED
 * @watch_data: tell of all records of application data, until it is false
 */
struct tls_hs_received {
	u8 event;
	u8 alert;
	bool watch_data;
};

/* Bytes of a longer record that tls_hs_session_record() needs to see. */
#define TLS_HS_MESSAGE_MAX	6

/*
 * After TLS_HS_DONE, with the socket lock held.  _record() gets each record that
 * is not application data or is empty, and those with data as long as it wants;
 * of these @content is not needed.  It limits how many records without data may
 * come in a row.  _update() goes to the next generation of keys.
 */
void tls_hs_session_record(struct tls_hs_session *s, u8 type,
			   const u8 *content, size_t len,
			   struct tls_hs_received *received);
int tls_hs_session_update(struct tls_hs_session *s, bool tx,
			  void *info, size_t size);
/*
 * After an alert of either side: wipes all secrets.  _record(), _update() and
 * _export() fail from then on; what has been negotiated can still be read.
 */
void tls_hs_session_forget(struct tls_hs_session *s);
/* TLS-Exporter (RFC 9846, section 7.5): 0 or -EINVAL. */
int tls_hs_session_export(struct tls_hs_session *s,
			  const u8 *label, size_t label_len,
			  const u8 *context, size_t context_len,
			  u8 *out, size_t out_len);
void tls_hs_session_status(const struct tls_hs_session *s,
			   struct tls_hs_status *status);
/* Which external PSK is used: false if none is. */
bool tls_hs_session_psk(const struct tls_hs_session *s, size_t *index);
/* The server name that the client has sent, as it is shown: its length, 0 if there
 * is none.  @name, without a zero behind it, is valid until the session changes.
 */
size_t tls_hs_session_name(const struct tls_hs_session *s, const u8 **name);
/* The argument of setsockopt(TLS_TX_MAX_PAYLOAD_LEN). */
u16 tls_hs_session_max_payload(const struct tls_hs_session *s);
/* The application protocol: its length, 0 if none.  @name has TLS_HS_ALPN_MAX. */
size_t tls_hs_session_alpn(const struct tls_hs_session *s, u8 *name);

size_t tls_hs_scratch_size(void);

#endif /* _NET_TLS_HANDSHAKE_ENGINE_H */
