// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of type "tls_identity": a certificate chain and its private key; and of
 * type "tls_ticket": what session tickets are encrypted with.  With %TLS_HS_F_PSK
 * also keys of type "psk", which are NVMe's: external PSKs.
 *
 * The payload of the former is DER: the chain, leaf first, followed by the
 * PKCS#8 private key and by what is stapled to the leaf, an OCSP response and
 * certificate timestamps.  An update may have the latter only: who fetches them
 * needs no private key.  Nothing but the chain can be read back.  That of the
 * latter is a name and random bytes, which cannot be read back at all.
 *
 * A listener names a keyring of such keys.  A look into the keyring, in process
 * context, collects them into an immutable struct tls_hs_keys that handshakes
 * use under RCU.  Nothing tells a listener that a key or a keyring has changed.
 * Each ClientHello compares them with what the last look has found instead, and
 * waits for another look if there is a difference: tls_hs_conf_is_fresh().
 */

#include <keys/user-type.h>
#include <linux/cred.h>
#include <linux/key-type.h>
#include <linux/key.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <net/tls_prot.h>

#include "../tls.h"
#include "handshake.h"
#include "inject.h"

/* Keys that one listener can have. */
#define TLS_HS_MAX_KEYS		4096
/* Ticket keys among them that count: a ClientHello is compared with each. */
#define TLS_HS_MAX_TICKET_KEYS	16

/* Keys that a keyring may have for each ClientHello to look at all of them. */
#define TLS_HS_SMALL_KEYRING	16
/* Keys that may be added to a keyring between two steps of a look. */
#define TLS_HS_MORE_KEYS	8

/* Name and key with 32 bytes; the other length is with 64. */
#define TLS_HS_TICKET_KEY_SHORT	48
static_assert(sizeof(struct tls_hs_ticket_key) == 80);

static struct key_type key_type_tls_ticket;

/* What a key of a keyring is for. */
enum tls_hs_key_kind {
	TLS_HS_KEY_OTHER,
	TLS_HS_KEY_TICKET,
	TLS_HS_KEY_IDENTITY,
	TLS_HS_KEY_PSK,
};

/* Payload of a tls_ticket key.  @refs: one for the key and one for each struct
 * tls_hs_keys, so that a later payload has another address.
 */
struct tls_hs_ticket_payload {
	refcount_t refs;
	struct tls_hs_ticket_key key;
};

static int tls_identity_preparse(struct key_preparsed_payload *prep)
{
	struct tls_hs_identity *id;
	const char *why = "";
	int rc;

	if (!prep->datalen)
		return -EINVAL;
	if (prep->datalen > TLS_HS_IDENTITY_MAX)
		return -EMSGSIZE;
	prep->quotalen = prep->datalen;
	if (tls_hs_staples_check(prep->data, prep->datalen))
		return 0;

	rc = tls_hs_identity_parse(prep->data, prep->datalen, &id, &why);
	if (rc) {
		pr_debug("tls_identity: %s\n", why);
		return rc;
	}
	prep->payload.data[0] = id;
	return 0;
}

static void tls_identity_free_preparse(struct key_preparsed_payload *prep)
{
	struct tls_hs_identity *id = prep->payload.data[0];

	prep->payload.data[0] = NULL;
	if (id)
		tls_hs_identity_put(id);
}

static int tls_hs_key_update(struct key *key,
			     struct key_preparsed_payload *prep)
{
	void *old = key->payload.data[0];
	int rc;

	rc = key_payload_reserve(key, prep->quotalen);
	if (rc)
		return rc;

	/* Handshakes compare the pointer, see tls_hs_key_payload().  The old
	 * payload goes with free_preparse(): who uses it has a reference or
	 * the key's semaphore.
	 */
	WRITE_ONCE(key->payload.data[0], prep->payload.data[0]);
	prep->payload.data[0] = old;
	WRITE_ONCE(key->expiry, prep->expiry);
	return 0;
}

static int tls_identity_instantiate(struct key *key,
				    struct key_preparsed_payload *prep)
{
	/* Nothing but what would be stapled to a certificate. */
	if (!prep->payload.data[0])
		return -ENODATA;

	return generic_key_instantiate(key, prep);
}

static int tls_identity_update(struct key *key,
			       struct key_preparsed_payload *prep)
{
	const struct tls_hs_identity *old = key->payload.data[0];

	if (!prep->payload.data[0]) {
		/* A negative key has no payload. */
		if (!old)
			return -ENODATA;
		prep->quotalen += tls_hs_identity_size(old);
		if (prep->quotalen > TLS_HS_IDENTITY_MAX)
			return -EMSGSIZE;
		prep->payload.data[0] = tls_hs_identity_staple(old, prep->data,
							       prep->datalen);
		if (!prep->payload.data[0])
			return -ENOMEM;
	}
	return tls_hs_key_update(key, prep);
}

static void tls_hs_key_revoke(struct key *key)
{
	/* The payload is freed with the key. */
	key_payload_reserve(key, 0);
}

static void tls_hs_key_describe(const struct key *key, struct seq_file *m)
{
	seq_puts(m, key->description);
	if (key_is_positive(key))
		seq_printf(m, ": %u", key->datalen);
}

static void tls_identity_destroy(struct key *key)
{
	struct tls_hs_identity *id = key->payload.data[0];

	if (id)
		tls_hs_identity_put(id);
}

/* The chain, never the private key. */
static long tls_identity_read(const struct key *key, char *buffer,
			      size_t buflen)
{
	const struct tls_hs_identity *id = key->payload.data[0];

	return tls_hs_identity_read(id, buffer, buffer ? buflen : 0);
}

static struct key_type key_type_tls_identity = {
	.name		= "tls_identity",
	.preparse	= tls_identity_preparse,
	.free_preparse	= tls_identity_free_preparse,
	.instantiate	= tls_identity_instantiate,
	.update		= tls_identity_update,
	.revoke		= tls_hs_key_revoke,
	.destroy	= tls_identity_destroy,
	.describe	= tls_hs_key_describe,
	.read		= tls_identity_read,
};

static int tls_ticket_preparse(struct key_preparsed_payload *prep)
{
	struct tls_hs_ticket_payload *ticket;

	if (prep->datalen != sizeof(ticket->key) &&
	    prep->datalen != TLS_HS_TICKET_KEY_SHORT)
		return -EINVAL;

	ticket = kzalloc_obj(*ticket, GFP_KERNEL);
	if (!ticket)
		return -ENOMEM;
	refcount_set(&ticket->refs, 1);
	memcpy(&ticket->key, prep->data, prep->datalen);
	prep->payload.data[0] = ticket;
	prep->quotalen = prep->datalen;
	return 0;
}

static void tls_ticket_get(struct tls_hs_ticket_payload *ticket)
{
	refcount_inc(&ticket->refs);
}

static void tls_ticket_put(struct tls_hs_ticket_payload *ticket)
{
	if (ticket && refcount_dec_and_test(&ticket->refs))
		kfree_sensitive(ticket);
}

static void tls_ticket_free_preparse(struct key_preparsed_payload *prep)
{
	tls_ticket_put(prep->payload.data[0]);
	prep->payload.data[0] = NULL;
}

static void tls_ticket_destroy(struct key *key)
{
	tls_ticket_put(key->payload.data[0]);
}

/* No read(): a ticket key cannot be read back, not even by its owner. */
static struct key_type key_type_tls_ticket = {
	.name		= "tls_ticket",
	.preparse	= tls_ticket_preparse,
	.free_preparse	= tls_ticket_free_preparse,
	.instantiate	= generic_key_instantiate,
	.update		= tls_hs_key_update,
	.revoke		= tls_hs_key_revoke,
	.destroy	= tls_ticket_destroy,
	.describe	= tls_hs_key_describe,
};

/**
 * tls_hs_conf_open_keyring - find the keyring that settings name
 * @conf: settings
 * @keyring: a keyring that an in-kernel user possesses, instead of that of the
 *	settings, or %NULL
 *
 * The keyring and the keys in it are used with the permissions that the current
 * process has now, at each later look, too.
 *
 * Context: process.
 * Return: 0, -EINVAL for a serial that cannot be one, -ENOKEY if there is no
 * such key, -EACCES without search permission, -ENOTDIR if it is no keyring,
 * -EKEYREVOKED or -EKEYEXPIRED.
 */
int tls_hs_conf_open_keyring(struct tls_hs_conf *conf, struct key *keyring)
{
	key_ref_t ref;

	if (keyring) {
		if (keyring->type != &key_type_keyring)
			return -ENOTDIR;
		conf->settings.keyring = key_serial(keyring);
		conf->keyring = key_get(keyring);
		conf->possessed = true;
		conf->psks_only = conf->settings.flags & TLS_HS_F_PSK;
		conf->cred = get_current_cred();
		return 0;
	}
	if (!conf->settings.keyring)
		return -EINVAL;

	ref = lookup_user_key(conf->settings.keyring, 0, KEY_NEED_SEARCH);
	if (IS_ERR(ref))
		return PTR_ERR(ref);
	if (key_ref_to_ptr(ref)->type != &key_type_keyring) {
		key_ref_put(ref);
		return -ENOTDIR;
	}
	conf->keyring = key_ref_to_ptr(ref);
	conf->possessed = is_key_possessed(ref);
	conf->cred = get_current_cred();
	return 0;
}

/* Is it a key of type "psk", as NVMe/TCP has them: its description is the
 * identity, and its payload, that of a user key, cannot be changed?  The type is
 * static in a module that may not be there, and another one with its name may
 * be something else.  With the key's semaphore, which keeps the type.
 */
static bool tls_hs_key_is_psk(const struct key *key)
{
	const struct key_type *type = key->type;

	return !strcmp(type->name, "psk") && type->preparse == user_preparse &&
	       type->instantiate == generic_key_instantiate && !type->update &&
	       type->revoke == user_revoke && type->destroy == user_destroy;
}

/* Can it be used?  With the key's semaphore. */
static bool tls_hs_psk_is_usable(const struct key *key)
{
	const struct user_key_payload *psk = user_key_payload_locked(key);

	return psk && tls_hs_psk_check(key->description,
				       strlen(key->description),
				       psk->data, psk->datalen);
}

/* Keys of some types, NVMe's among them, belong to the network namespace in which
 * they have been added: searches of others do not find them.  With the key's
 * semaphore.
 */
static bool tls_hs_key_is_elsewhere(const struct tls_hs_conf *conf,
				    const struct key *key)
{
	return key->type->flags & KEY_TYPE_NET_DOMAIN &&
	       key->domain_tag != conf->domain;
}

/* What a key is for, if it is for handshakes with these settings. */
static enum tls_hs_key_kind tls_hs_key_kind(const struct tls_hs_conf *conf,
					    struct key *key)
{
	enum tls_hs_key_kind kind = TLS_HS_KEY_OTHER;

	if (key->type == &key_type_tls_identity)
		return conf->psks_only ? TLS_HS_KEY_OTHER : TLS_HS_KEY_IDENTITY;
	if (key->type == &key_type_tls_ticket)
		return TLS_HS_KEY_TICKET;
	if (!(conf->settings.flags & TLS_HS_F_PSK))
		return TLS_HS_KEY_OTHER;
	down_read(&key->sem);
	/* One that is unusable when it is looked at first will always be. */
	if (tls_hs_key_is_psk(key) && !tls_hs_key_is_elsewhere(conf, key) &&
	    tls_hs_psk_is_usable(key))
		kind = TLS_HS_KEY_PSK;
	up_read(&key->sem);
	return kind;
}

/* The payload of a key of ours if the key may be used now, else NULL.  Any
 * context.  Without the key's semaphore it is good for nothing but to be
 * compared.
 */
static void *tls_hs_key_payload(const struct key *key)
{
	if (key_validate(key) || !key_is_positive(key))
		return NULL;
	return READ_ONCE(key->payload.data[0]);
}

/* Take a reference to a payload, with the key's semaphore held.  That of a PSK
 * has none, and needs none: as long as the key is held and can be used it stays.
 */
static void tls_hs_payload_get(const struct tls_hs_held_key *held)
{
	if (held->kind == TLS_HS_KEY_TICKET)
		tls_ticket_get(held->payload);
	else if (held->kind == TLS_HS_KEY_IDENTITY)
		tls_hs_identity_get(held->payload);
}

static void tls_hs_held_put(const struct tls_hs_held_key *held)
{
	if (held->payload && held->kind == TLS_HS_KEY_TICKET)
		tls_ticket_put(held->payload);
	else if (held->payload && held->kind == TLS_HS_KEY_IDENTITY)
		tls_hs_identity_put(held->payload);
	key_put(held->key);
}

static void tls_hs_keys_free(struct tls_hs_keys *keys)
{
	size_t i;

	if (keys->set)
		tls_hs_identity_set_free(keys->set);
	if (keys->psks)
		tls_hs_psk_set_free(keys->psks);
	for (i = 0; i < keys->nr; i++)
		tls_hs_held_put(&keys->keys[i]);
	kfree_sensitive(keys->tickets);
	kvfree(keys->serials);
	kvfree(keys);
}

static void tls_hs_keys_free_work(struct work_struct *work)
{
	tls_hs_keys_free(container_of(to_rcu_work(work), struct tls_hs_keys,
				      rwork));
}

/**
 * tls_hs_keys_put - drop a reference
 * @keys: what a look has found
 *
 * Context: any.
 */
void tls_hs_keys_put(struct tls_hs_keys *keys)
{
	if (refcount_dec_and_test(&keys->refs))
		queue_rcu_work(tls_hs_wq, &keys->rwork);
}

/**
 * tls_hs_conf_get_keys - take a reference to what the last look has found
 * @conf: the settings
 *
 * Context: any.
 * Return: the keys; there always are some, as a look comes before the settings.
 */
struct tls_hs_keys *tls_hs_conf_get_keys(struct tls_hs_conf *conf)
{
	struct tls_hs_keys *keys;

	rcu_read_lock();
	do {
		keys = rcu_dereference(conf->keys);
	} while (!refcount_inc_not_zero(&keys->refs));
	rcu_read_unlock();
	return keys;
}

/**
 * tls_hs_conf_close_keyring - undo tls_hs_conf_open_keyring() and all looks
 * @conf: settings that nobody else uses; whether the keyring could be opened
 *	does not matter
 *
 * Context: process; @conf->refresh must not be pending.
 */
void tls_hs_conf_close_keyring(struct tls_hs_conf *conf)
{
	struct tls_hs_keys *keys;

	keys = rcu_dereference_protected(conf->keys, 1);
	if (keys)
		tls_hs_keys_free(keys);
	key_put(conf->keyring);
	put_cred(conf->cred);
}

/**
 * struct tls_hs_found - what a look finds in a keyring
 * @nr_leaves: number of keys in the keyring
 * @serials: serial numbers of these keys
 * @nr_serials: how many; 0 if the keyring cannot be used
 * @keys: those of them that may become a part of struct tls_hs_keys
 * @nr: how many
 * @denied: an identity or PSK is not among @keys for want of permission
 */
struct tls_hs_found {
	unsigned long nr_leaves;
	key_serial_t *serials;
	size_t nr_serials;
	struct tls_hs_held_key *keys;
	size_t nr;
	bool denied;
};

static void tls_hs_found_free(struct tls_hs_found *found)
{
	size_t i;

	for (i = 0; i < found->nr; i++)
		tls_hs_held_put(&found->keys[i]);
	kvfree(found->keys);
	kvfree(found->serials);
}

static int tls_hs_key_permission(const struct tls_hs_conf *conf,
				 const struct key *key)
{
	return key_task_permission(make_key_ref(key, conf->possessed),
				   conf->cred, KEY_NEED_SEARCH);
}

/* List the keyring and take references to all keys in it.  False if there are
 * more than @max.  The semaphore keeps the keys linked, so that no serial
 * number can have become that of another key.
 */
static bool tls_hs_keyring_list(struct key *keyring, size_t max,
				struct tls_hs_found *found)
{
	struct key *key;
	size_t i;

	down_read(&keyring->sem);
	found->nr_leaves = keyring->keys.nr_leaves_on_tree;
	if (found->nr_leaves <= max) {
		found->nr_serials = found->nr_leaves;
		keyring->type->read(keyring, (char *)found->serials,
				    found->nr_serials * sizeof(*found->serials));
		for (i = 0; i < found->nr_serials; i++) {
			key = key_lookup(found->serials[i]);
			if (!IS_ERR(key))
				found->keys[found->nr++].key = key;
		}
	}
	up_read(&keyring->sem);
	return found->nr_leaves <= max;
}

/* Take the payload of a key that is to be kept.  A key that cannot be used is
 * kept as well, for it to be noticed when it can.
 */
static bool tls_hs_key_take(const struct tls_hs_conf *conf,
			    struct tls_hs_found *found,
			    struct tls_hs_held_key *held)
{
	struct key *key = held->key;

	held->kind = tls_hs_key_kind(conf, key);
	if (held->kind == TLS_HS_KEY_OTHER)
		return false;
	if (tls_hs_key_permission(conf, key)) {
		if (held->kind != TLS_HS_KEY_TICKET && tls_hs_key_payload(key))
			found->denied = true;
		return false;
	}

	down_read(&key->sem);
	held->payload = tls_hs_key_payload(key);
	if (held->payload)
		tls_hs_payload_get(held);
	up_read(&key->sem);
	return true;
}

enum {
	TLS_HS_RANK_TICKET,
	TLS_HS_RANK_IDENTITY,
	TLS_HS_RANK_PSK,
	TLS_HS_RANK_UNUSABLE,
};

static int tls_hs_held_rank(const struct tls_hs_held_key *held)
{
	if (!held->payload)
		return TLS_HS_RANK_UNUSABLE;
	switch (held->kind) {
	case TLS_HS_KEY_TICKET:
		return TLS_HS_RANK_TICKET;
	case TLS_HS_KEY_PSK:
		return TLS_HS_RANK_PSK;
	default:
		return TLS_HS_RANK_IDENTITY;
	}
}

/* By description, so that the order does not depend on serials; the ticket key
 * that sorts last is for new tickets and comes first.
 */
static int tls_hs_held_cmp(const void *a, const void *b)
{
	const struct tls_hs_held_key *x = a, *y = b;
	int rank = tls_hs_held_rank(x), diff = rank - tls_hs_held_rank(y);

	if (diff)
		return diff;
	diff = strcmp(x->key->description, y->key->description);
	return rank == TLS_HS_RANK_TICKET ? -diff : diff;
}

/* Look for keys of ours.  0, or why the keyring cannot be used, or -ENOMEM. */
static int tls_hs_find(const struct tls_hs_conf *conf,
		       struct tls_hs_found *found)
{
	struct key *keyring = conf->keyring;
	size_t max, all, i;
	int rc;

	found->nr_leaves = READ_ONCE(keyring->keys.nr_leaves_on_tree);
	rc = key_validate(keyring);
	if (!rc)
		rc = tls_hs_key_permission(conf, keyring);
	if (rc)
		return rc;

	for (;;) {
		if (found->nr_leaves > TLS_HS_MAX_KEYS)
			return -E2BIG;
		max = min_t(size_t, found->nr_leaves + TLS_HS_MORE_KEYS,
			    TLS_HS_MAX_KEYS);
		found->serials = kvmalloc_array(max, sizeof(*found->serials),
						GFP_KERNEL_ACCOUNT);
		found->keys = kvcalloc(max, sizeof(*found->keys),
				       GFP_KERNEL_ACCOUNT);
		if (!found->serials || !found->keys)
			return -ENOMEM;
		if (tls_hs_keyring_list(keyring, max, found))
			break;
		kvfree(found->keys);
		kvfree(found->serials);
		found->keys = NULL;
		found->serials = NULL;
	}

	all = found->nr;
	found->nr = 0;
	for (i = 0; i < all; i++) {
		struct tls_hs_held_key held = found->keys[i];

		if (tls_hs_key_take(conf, found, &held))
			found->keys[found->nr++] = held;
		else
			key_put(held.key);
	}
	sort(found->keys, found->nr, sizeof(*found->keys), tls_hs_held_cmp,
	     NULL);
	return 0;
}

/* Has a look found the same keys as the last one? */
static bool tls_hs_found_same(const struct tls_hs_found *found, int error,
			      const struct tls_hs_keys *keys)
{
	size_t i;

	if (keys->error != error || keys->nr_leaves != found->nr_leaves ||
	    keys->nr_serials != found->nr_serials || keys->nr != found->nr)
		return false;
	for (i = 0; i < keys->nr_serials; i++)
		if (keys->serials[i] != found->serials[i])
			return false;
	for (i = 0; i < keys->nr; i++)
		if (keys->keys[i].key != found->keys[i].key ||
		    keys->keys[i].payload != found->keys[i].payload)
			return false;
	return true;
}

/* Copy the ticket keys that are used. */
static int tls_hs_keys_add_tickets(struct tls_hs_keys *keys)
{
	const struct tls_hs_ticket_payload *ticket;
	size_t nr, i;

	nr = min_t(size_t, keys->first_identity, TLS_HS_MAX_TICKET_KEYS);
	if (!nr)
		return 0;
	keys->tickets = kcalloc(nr, sizeof(*keys->tickets), GFP_KERNEL_ACCOUNT);
	if (!keys->tickets)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		ticket = keys->keys[i].payload;
		keys->tickets[i] = ticket->key;
	}
	keys->nr_tickets = nr;
	return 0;
}

static int tls_hs_keys_add_identities(struct tls_hs_keys *keys)
{
	struct tls_hs_identity **ids;
	size_t i;

	if (!keys->nr_identities)
		return 0;
	ids = kvmalloc_array(keys->nr_identities, sizeof(*ids),
			     GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	for (i = 0; i < keys->nr_identities; i++)
		ids[i] = keys->keys[keys->first_identity + i].payload;
	keys->set = tls_hs_identity_set_new(ids, keys->nr_identities);
	kvfree(ids);
	return keys->set ? 0 : -ENOMEM;
}

static int tls_hs_keys_add_psk(struct tls_hs_psk_set *set, struct key *key,
			       size_t index)
{
	const struct user_key_payload *psk;
	int rc = 0;

	down_read(&key->sem);
	/* It may have been revoked since; tls_hs_keys_may_use_psk() sees that. */
	if (tls_hs_key_payload(key)) {
		psk = user_key_payload_locked(key);
		if (!tls_hs_psk_set_add(set, key->description,
					strlen(key->description), psk->data,
					psk->datalen, index))
			rc = -ENOMEM;
	}
	up_read(&key->sem);
	return rc;
}

/* Copy the PSKs. */
static int tls_hs_keys_add_psks(struct tls_hs_keys *keys)
{
	const struct tls_hs_held_key *held = keys->keys + tls_hs_first_psk(keys);
	size_t i, len = 0;

	if (!keys->nr_psks)
		return 0;
	/* A key that is revoked meanwhile has a datalen of 0. */
	for (i = 0; i < keys->nr_psks; i++)
		len += strlen(held[i].key->description) +
		       READ_ONCE(held[i].key->datalen);
	keys->psks = tls_hs_psk_set_new(keys->nr_psks, len);
	if (!keys->psks)
		return -ENOMEM;
	for (i = 0; i < keys->nr_psks; i++)
		if (tls_hs_keys_add_psk(keys->psks, held[i].key, i))
			return -ENOMEM;
	tls_hs_psk_set_complete(keys->psks);
	return 0;
}

/* Make struct tls_hs_keys of what a look has found, which is moved. */
static struct tls_hs_keys *tls_hs_keys_new(struct tls_hs_found *found,
					   int error)
{
	struct tls_hs_keys *keys;
	size_t i;

	keys = kvzalloc(struct_size(keys, keys, found->nr), GFP_KERNEL_ACCOUNT);
	if (!keys)
		return NULL;

	refcount_set(&keys->refs, 1);
	INIT_RCU_WORK(&keys->rwork, tls_hs_keys_free_work);
	keys->error = error;
	keys->nr_leaves = found->nr_leaves;
	keys->nr_serials = found->nr_serials;
	keys->serials = found->serials;
	keys->nr = found->nr;
	for (i = 0; i < found->nr; i++) {
		keys->keys[i] = found->keys[i];
		switch (tls_hs_held_rank(&keys->keys[i])) {
		case TLS_HS_RANK_TICKET:
			keys->first_identity++;
			break;
		case TLS_HS_RANK_IDENTITY:
			keys->nr_identities++;
			break;
		case TLS_HS_RANK_PSK:
			keys->nr_psks++;
			break;
		}
	}
	found->serials = NULL;
	found->nr = 0;

	if (tls_hs_keys_add_tickets(keys) || tls_hs_keys_add_identities(keys) ||
	    tls_hs_keys_add_psks(keys)) {
		tls_hs_keys_free(keys);
		return NULL;
	}
	return keys;
}

/* Is there anything that a server can prove its identity with? */
static bool tls_hs_keys_serve(const struct tls_hs_keys *keys)
{
	return keys->set || keys->psks;
}

/* Clients see an alert that may have other causes; tell who can help.  The
 * keyring's description is its owner's, so it is not shown.
 */
static void tls_hs_warn_empty(const struct tls_hs_conf *conf, int error)
{
	pr_warn_ratelimited("tls: keyring %d of user %u has no usable identity left (%d), its listeners serve nobody\n",
			    key_serial(conf->keyring),
			    from_kuid(&init_user_ns, conf->keyring->uid),
			    error);
}

static int __tls_hs_conf_load(struct tls_hs_conf *conf)
{
	struct tls_hs_keys *keys, *old = rcu_dereference_protected(conf->keys, 1);
	struct tls_hs_found found = {};
	int error, rc;

	error = tls_hs_find(conf, &found);
	rc = error;
	if (error == -ENOMEM)
		goto out;
	if (!old || !tls_hs_found_same(&found, error, old)) {
		keys = tls_hs_keys_new(&found, error);
		if (!keys) {
			rc = -ENOMEM;
			goto out;
		}
		rcu_assign_pointer(conf->keys, keys);
		if (old && tls_hs_keys_serve(old) && !tls_hs_keys_serve(keys))
			tls_hs_warn_empty(conf, error);
		if (old)
			tls_hs_keys_put(old);
	}
	if (found.denied && !tls_hs_conf_has_identities(conf))
		rc = -EACCES;
out:
	tls_hs_found_free(&found);
	return rc;
}

/**
 * tls_hs_conf_load - take the keys for handshakes that the keyring holds
 * @conf: the settings
 *
 * A keyring that is revoked, expired or invalidated, that may not be searched
 * any more, or that holds too many keys, leaves none: what was taken away must
 * not be used any more.  Neither do keys without search permission.  Without
 * memory the settings stay stale, and handshakes wait.
 *
 * Context: process, one at a time.
 * Return: 0, -ENOMEM, -E2BIG, -EACCES if permission is missing for the keyring
 * or for all of its identities and PSKs, or what key_validate() says of the keyring.
 */
int tls_hs_conf_load(struct tls_hs_conf *conf)
{
	struct mem_cgroup *old = set_active_memcg(conf->memcg);
	u64 look = conf->looks_begun + 1;
	int rc;

	WRITE_ONCE(conf->looks_begun, look);
	/* Pairs with the one in tls_hs_conf_mark_stale(): if that does not see
	 * the store, this look sees the change that it asks about.
	 */
	smp_mb();
	rc = tls_hs_inject(TLS_HS_INJECT_LOOK) ? -ENOMEM :
						 __tls_hs_conf_load(conf);
	if (rc != -ENOMEM)
		/* After the keys; pairs with smp_load_acquire() in
		 * tls_hs_conf_is_fresh().
		 */
		smp_store_release(&conf->looks_done, look);
	set_active_memcg(old);
	return rc;
}

/**
 * tls_hs_conf_has_identities - is there an identity or a PSK at all?
 * @conf: settings after tls_hs_conf_load()
 *
 * Context: process; nobody else may load the keys at the same time.
 * Return: whether the last look has found one.
 */
bool tls_hs_conf_has_identities(const struct tls_hs_conf *conf)
{
	const struct tls_hs_keys *keys = rcu_dereference_protected(conf->keys, 1);

	return keys && tls_hs_keys_serve(keys);
}

/* Has one of the first @nr keys got another payload, become unusable or become
 * usable?  The references to the payloads keep their addresses from being used
 * again.
 */
static bool tls_hs_keys_changed(const struct tls_hs_keys *keys, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (tls_hs_key_payload(keys->keys[i].key) != keys->keys[i].payload)
			return true;
	return false;
}

/* Are other keys in a keyring than at the last look, or in another order?  @now is
 * zeroed and has room for @size bytes, at least for what the last look has found.
 *
 * keyring_read() walks what RCU protects; it needs the keyring's semaphore only
 * for a consistent result.  While another process changes the keyring it may
 * report a key twice or the wrong length.  Whatever the comparison says then,
 * a ClientHello that comes when the change is complete sees it.
 */
static bool tls_hs_serials_changed(const struct tls_hs_keys *keys,
				   const struct key *keyring,
				   key_serial_t *now, size_t size)
{
	size_t last = keys->nr_serials * sizeof(*now);
	long len;

	/* See above: @len may be that of another moment than @now. */
	len = data_race(keyring->type->read(keyring, (char *)now, size));
	return len != last || memcmp(now, keys->serials, last);
}

/* The same for a small keyring. */
static bool tls_hs_small_changed(const struct tls_hs_keys *keys,
				 const struct key *keyring)
{
	key_serial_t now[TLS_HS_SMALL_KEYRING] = {};

	return tls_hs_serials_changed(keys, keyring, now, sizeof(now));
}

/* The same for a large one.  Without memory a look has to tell. */
static bool tls_hs_large_changed(const struct tls_hs_keys *keys,
				 const struct key *keyring)
{
	size_t size = keys->nr_serials * sizeof(key_serial_t);
	key_serial_t *now = kzalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	bool changed;

	changed = !now || tls_hs_serials_changed(keys, keyring, now, size);
	kfree(now);
	return changed;
}

/* Does the keyring differ from what the last look has found?  Of a large one
 * only its size and its ticket keys are compared, unless @all is set.  A PSK is
 * changed by linking another key in its place, which does not change the size,
 * and the first client that has the new one would be refused: so with PSKs the
 * links are compared as well.
 */
static bool tls_hs_keys_are_stale(const struct tls_hs_conf *conf,
				  const struct tls_hs_keys *keys, bool all)
{
	const struct key *keyring = conf->keyring;

	if (keys->nr_leaves != READ_ONCE(keyring->keys.nr_leaves_on_tree))
		return true;
	if (keys->error)
		return false;
	if (key_validate(keyring))
		return true;
	if (keys->nr_serials <= TLS_HS_SMALL_KEYRING)
		return tls_hs_keys_changed(keys, keys->nr) ||
		       tls_hs_small_changed(keys, keyring);
	return tls_hs_keys_changed(keys, all ? keys->nr : keys->nr_tickets) ||
	       (conf->settings.flags & TLS_HS_F_PSK &&
		tls_hs_large_changed(keys, keyring));
}

/* Has the keyring, or a key in it, changed since the last look?
 *
 * The first handshake in each second compares all keys of a large keyring, too,
 * as timeouts are in seconds.  It also asks for a look, but does not wait for
 * it: at what cannot be compared here, permissions and the links in a large
 * keyring without PSKs.
 */
static bool tls_hs_conf_is_stale(struct tls_hs_conf *conf)
{
	u32 now = ktime_get_real_seconds();
	struct tls_hs_keys *keys;
	bool first, stale;

	rcu_read_lock();
	keys = rcu_dereference(conf->keys);
	first = READ_ONCE(keys->checked) != now;
	stale = tls_hs_keys_are_stale(conf, keys, first);
	if (first && !stale) {
		WRITE_ONCE(keys->checked, now);
		queue_work(tls_hs_wq, &conf->refresh);
	}
	rcu_read_unlock();
	return stale;
}

/**
 * tls_hs_conf_mark_stale - ask for a look into the keyring
 * @conf: the settings
 * @look: set to what tls_hs_conf_is_fresh() is to wait for
 *
 * For who has seen by other means that the keyring has changed, such as
 * tls_hs_keys_may_use().  The next tls_hs_conf_is_fresh() with the same @look
 * waits for a look that has begun after this call.
 *
 * Context: any, takes no lock.
 */
void tls_hs_conf_mark_stale(struct tls_hs_conf *conf, struct tls_hs_look *look)
{
	/* The change before the number, see tls_hs_conf_load(). */
	smp_mb();
	look->conf = conf;
	look->number = READ_ONCE(conf->looks_begun) + 1;
	queue_work(tls_hs_wq, &conf->refresh);
}

/**
 * tls_hs_conf_is_fresh - may the keys of settings be used?
 * @conf: the settings, which the caller has a reference to
 * @look: what the handshake waits for; zeroed before the first call for each
 *	ClientHello, and when it turns out that more of the ClientHello is to
 *	come
 *
 * If the keyring has changed it is looked into anew.  A handshake waits for one
 * look that has begun after its question and not until nothing changes any
 * more, so that constant changes do not keep it waiting.  A look that @look has
 * from other settings does not count.
 *
 * Context: any, takes no lock.
 * Return: false to be asked again a bit later, with the same @look.
 */
bool tls_hs_conf_is_fresh(struct tls_hs_conf *conf, struct tls_hs_look *look)
{
	if (look->conf != conf) {
		look->conf = NULL;
		if (!tls_hs_conf_is_stale(conf))
			return true;
		tls_hs_conf_mark_stale(conf, look);
		return false;
	}
	/* Before the keys; pairs with smp_store_release() in
	 * tls_hs_conf_load().
	 */
	if (smp_load_acquire(&conf->looks_done) >= look->number)
		return true;
	/* The look may have failed for want of memory. */
	queue_work(tls_hs_wq, &conf->refresh);
	return false;
}

/**
 * tls_hs_keys_may_use - may an identity be used for a ClientHello?
 * @keys: what the last look has found
 * @identity: index of the identity in @keys->set
 * @look: what tls_hs_conf_is_fresh() has got for the ClientHello
 *
 * In a large keyring tls_hs_conf_is_fresh() does not see all changes; this is
 * for the one key that matters.  A key that is revoked, expired or invalidated
 * is never used.  One that has been updated is used once more if the handshake
 * has waited for a look already: the ClientHello came before the update, and
 * constant updates must not keep it waiting.
 *
 * Context: any, with a reference to @keys; takes no lock.
 * Return: false if tls_hs_conf_mark_stale() should be called and the identity
 * chosen anew, among the keys that the look finds.
 */
bool tls_hs_keys_may_use(const struct tls_hs_keys *keys, size_t identity,
			 const struct tls_hs_look *look)
{
	const struct tls_hs_held_key *held;
	const void *payload;

	if (WARN_ON_ONCE(identity >= keys->nr_identities))
		return false;
	held = &keys->keys[keys->first_identity + identity];
	payload = tls_hs_key_payload(held->key);
	return payload && (payload == held->payload || look->conf);
}

/**
 * tls_hs_keys_used - an identity has been used for a ClientHello
 * @keys: what the last look has found
 * @identity: index of the identity in @keys->set
 * @net: network namespace of the connection
 * @now: the time for which it was chosen, in seconds since 1970
 *
 * If its certificate is not valid then, which clients will not like, there was
 * no better one.  That is counted each time and logged once.
 *
 * Context: any, with a reference to @keys; takes no lock.
 */
void tls_hs_keys_used(struct tls_hs_keys *keys, size_t identity,
		      const struct net *net, u64 now)
{
	struct tls_hs_held_key *held;

	held = &keys->keys[keys->first_identity + identity];
	if (tls_hs_identity_is_valid(held->payload, now))
		return;
	TLS_INC_STATS(net, LINUX_MIB_TLSHSNOTVALID);
	if (READ_ONCE(held->warned))
		return;
	WRITE_ONCE(held->warned, true);
	pr_warn_ratelimited("tls: the certificate of key %d has expired or is not valid yet, and is used for want of a better one\n",
			    key_serial(held->key));
}

/**
 * tls_hs_keys_may_use_psk - may an external PSK be used for a ClientHello?
 * @keys: what the last look has found
 * @psk: index of the PSK, as it was given to tls_hs_psk_set_add()
 *
 * As tls_hs_keys_may_use(), for a PSK.  One that is revoked, expired or
 * invalidated is never used.
 *
 * Context: any, with a reference to @keys; takes no lock.
 * Return: false if tls_hs_conf_mark_stale() should be called.
 */
bool tls_hs_keys_may_use_psk(const struct tls_hs_keys *keys, size_t psk)
{
	if (WARN_ON_ONCE(psk >= keys->nr_psks))
		return false;
	return tls_hs_key_payload(keys->keys[tls_hs_first_psk(keys) + psk].key);
}

/**
 * tls_hs_keys_psk_serial - which key is a PSK of?
 * @keys: what the last look has found
 * @psk: index of the PSK, as it was given to tls_hs_psk_set_add()
 *
 * Context: any, with a reference to @keys; takes no lock.
 * Return: the serial number of the key.
 */
key_serial_t tls_hs_keys_psk_serial(const struct tls_hs_keys *keys, size_t psk)
{
	if (WARN_ON_ONCE(psk >= keys->nr_psks))
		return 0;
	return key_serial(keys->keys[tls_hs_first_psk(keys) + psk].key);
}

int __init tls_hs_key_init(void)
{
	int rc;

	rc = register_key_type(&key_type_tls_identity);
	if (rc)
		return rc;
	rc = register_key_type(&key_type_tls_ticket);
	if (rc)
		unregister_key_type(&key_type_tls_identity);
	return rc;
}

void tls_hs_key_exit(void)
{
	unregister_key_type(&key_type_tls_ticket);
	unregister_key_type(&key_type_tls_identity);
}
