// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of type "tls_identity": a certificate chain and its private key.
 *
 * The payload is DER: the chain, leaf first, followed by the PKCS#8 private
 * key.  Nothing but the chain can be read back.  A listener names a keyring of
 * such keys; the identities in it are collected into an immutable set that
 * handshakes use under RCU.
 */

#include <linux/cred.h>
#include <linux/key-type.h>
#include <linux/key.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "handshake.h"

/* Identities that one listener can have. */
#define TLS_HS_MAX_IDENTITIES	4096

/* Grows with each change of an identity, for listeners to look again. */
atomic_t tls_hs_identity_generation = ATOMIC_INIT(0);

static int tls_identity_preparse(struct key_preparsed_payload *prep)
{
	struct tls_hs_identity *id;
	const char *why = "";
	int rc;

	if (!prep->datalen)
		return -EINVAL;
	if (prep->datalen > TLS_HS_IDENTITY_MAX)
		return -EMSGSIZE;

	rc = tls_hs_identity_parse(prep->data, prep->datalen, &id, &why);
	if (rc) {
		pr_debug("tls_identity: %s\n", why);
		return rc;
	}
	prep->payload.data[0] = id;
	prep->quotalen = prep->datalen;
	return 0;
}

static void tls_identity_free_preparse(struct key_preparsed_payload *prep)
{
	struct tls_hs_identity *id = prep->payload.data[0];

	prep->payload.data[0] = NULL;
	if (id)
		tls_hs_identity_put(id);
}

static int tls_identity_instantiate(struct key *key,
				    struct key_preparsed_payload *prep)
{
	int rc = generic_key_instantiate(key, prep);

	if (!rc)
		atomic_inc(&tls_hs_identity_generation);
	return rc;
}

static int tls_identity_update(struct key *key,
			       struct key_preparsed_payload *prep)
{
	struct tls_hs_identity *old;
	int rc;

	rc = key_payload_reserve(key, prep->quotalen);
	if (rc)
		return rc;

	old = key->payload.data[0];
	key->payload.data[0] = prep->payload.data[0];
	prep->payload.data[0] = NULL;
	key->expiry = prep->expiry;
	atomic_inc(&tls_hs_identity_generation);
	if (old)
		tls_hs_identity_put(old);
	return 0;
}

static void tls_identity_revoke(struct key *key)
{
	/* The payload goes with the key: readers hold only references. */
	key_payload_reserve(key, 0);
	atomic_inc(&tls_hs_identity_generation);
}

static void tls_identity_destroy(struct key *key)
{
	struct tls_hs_identity *id = key->payload.data[0];

	if (id)
		tls_hs_identity_put(id);
}

static void tls_identity_describe(const struct key *key, struct seq_file *m)
{
	seq_puts(m, key->description);
	if (key_is_positive(key))
		seq_printf(m, ": %u", key->datalen);
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
	.revoke		= tls_identity_revoke,
	.destroy	= tls_identity_destroy,
	.describe	= tls_identity_describe,
	.read		= tls_identity_read,
};

/**
 * tls_hs_conf_open_keyring - find the keyring that settings name
 * @conf: settings with the credentials of the caller
 *
 * Context: process.
 * Return: 0, -EINVAL for a serial that cannot be one, -ENOKEY if there is no
 * such key, -EACCES without search permission, -ENOTDIR if it is no keyring,
 * -EKEYREVOKED or -EKEYEXPIRED.
 */
int tls_hs_conf_open_keyring(struct tls_hs_conf *conf)
{
	key_ref_t ref;

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
	return 0;
}

void tls_hs_conf_close_keyring(struct tls_hs_conf *conf)
{
	struct tls_hs_identity_set *set;

	set = rcu_dereference_protected(conf->identities, 1);
	if (set)
		tls_hs_identity_set_free(set);
	key_put(conf->keyring);
	put_cred(conf->cred);
}

/* The serials of all keys in the keyring. */
static key_serial_t *tls_hs_keyring_list(struct key *keyring, size_t *nr)
{
	key_serial_t *serials;
	long len, got;

	for (;;) {
		down_read(&keyring->sem);
		len = keyring->type->read(keyring, NULL, 0);
		up_read(&keyring->sem);
		if (len < 0)
			return ERR_PTR(len);
		if (len > TLS_HS_MAX_IDENTITIES * sizeof(*serials))
			return ERR_PTR(-E2BIG);

		serials = kvmalloc(len + sizeof(*serials), GFP_KERNEL);
		if (!serials)
			return ERR_PTR(-ENOMEM);
		down_read(&keyring->sem);
		got = keyring->type->read(keyring, (char *)serials, len);
		up_read(&keyring->sem);
		if (got >= 0 && got <= len) {
			*nr = got / sizeof(*serials);
			return serials;
		}
		kvfree(serials);
		if (got < 0)
			return ERR_PTR(got);
	}
}

struct tls_hs_found {
	struct key *key;
	struct tls_hs_identity *id;
};

/* By description, so that the default identity does not depend on serials. */
static int tls_hs_found_cmp(const void *a, const void *b)
{
	const struct tls_hs_found *x = a, *y = b;

	return strcmp(x->key->description, y->key->description);
}

/* The identity in a key, with a reference, if it is one and usable. */
static struct tls_hs_identity *tls_hs_key_identity(struct key *key)
{
	struct tls_hs_identity *id = NULL;

	if (key->type != &key_type_tls_identity)
		return NULL;

	down_read(&key->sem);
	if (!key_validate(key) && key_is_positive(key)) {
		id = key->payload.data[0];
		if (id)
			tls_hs_identity_get(id);
	}
	up_read(&key->sem);
	return id;
}

static size_t tls_hs_collect(struct tls_hs_conf *conf,
			     const key_serial_t *serials, size_t nr,
			     struct tls_hs_found *found)
{
	struct key *key;
	size_t i, n = 0;

	for (i = 0; i < nr; i++) {
		key = key_lookup(serials[i]);
		if (IS_ERR(key))
			continue;
		/* Search permission on the keyring extends to what it holds. */
		found[n].id = tls_hs_key_identity(key);
		if (!found[n].id) {
			key_put(key);
			continue;
		}
		if (key->expiry < conf->expiry)
			WRITE_ONCE(conf->expiry, key->expiry);
		found[n++].key = key;
	}
	sort(found, n, sizeof(*found), tls_hs_found_cmp, NULL);
	return n;
}

static void tls_hs_conf_publish(struct tls_hs_conf *conf,
				struct tls_hs_identity_set *set)
{
	struct tls_hs_identity_set *old;

	old = unrcu_pointer(xchg(&conf->identities, RCU_INITIALIZER(set)));
	if (old) {
		synchronize_rcu();
		tls_hs_identity_set_free(old);
	}
}

/**
 * tls_hs_conf_load - make the set of identities from what the keyring holds
 * @conf: the settings
 *
 * A keyring without identities, or one that is revoked, leaves an empty set:
 * what was taken away must not be used any more.
 *
 * Context: process.
 * Return: 0, -ENOMEM, -E2BIG or what key_validate() says of the keyring.
 */
int tls_hs_conf_load(struct tls_hs_conf *conf)
{
	struct tls_hs_identity_set *set = NULL;
	const struct tls_hs_identity **ids;
	struct tls_hs_found *found;
	key_serial_t *serials;
	size_t nr, n, i;
	int rc;

	/* Before the look, so that a change during it is seen by the next. */
	WRITE_ONCE(conf->generation, atomic_read(&tls_hs_identity_generation));
	WRITE_ONCE(conf->nr_keys, READ_ONCE(conf->keyring->keys.nr_leaves_on_tree));
	WRITE_ONCE(conf->expiry, TIME64_MAX);

	rc = key_validate(conf->keyring);
	if (rc) {
		tls_hs_conf_publish(conf, NULL);
		return rc;
	}

	serials = tls_hs_keyring_list(conf->keyring, &nr);
	if (IS_ERR(serials))
		return PTR_ERR(serials);

	rc = -ENOMEM;
	found = kvcalloc(nr + 1, sizeof(*found), GFP_KERNEL);
	ids = kvcalloc(nr + 1, sizeof(*ids), GFP_KERNEL);
	if (!found || !ids)
		goto out;

	rc = 0;
	n = tls_hs_collect(conf, serials, nr, found);
	for (i = 0; i < n; i++)
		ids[i] = found[i].id;
	if (n) {
		set = tls_hs_identity_set_new((struct tls_hs_identity *const *)ids, n);
		if (!set)
			rc = -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		tls_hs_identity_put(found[i].id);
		key_put(found[i].key);
	}
	if (!rc)
		tls_hs_conf_publish(conf, set);
out:
	kvfree(ids);
	kvfree(found);
	kvfree(serials);
	return rc;
}

/**
 * tls_hs_conf_is_stale - has the keyring changed since the last look?
 * @conf: the settings
 *
 * Context: any, takes no lock.
 *
 * Return: true if the keys of the settings need to be looked up anew.
 */
bool tls_hs_conf_is_stale(const struct tls_hs_conf *conf)
{
	return READ_ONCE(conf->generation) !=
	       (unsigned int)atomic_read(&tls_hs_identity_generation) ||
	       READ_ONCE(conf->nr_keys) !=
	       READ_ONCE(conf->keyring->keys.nr_leaves_on_tree) ||
	       READ_ONCE(conf->expiry) <= ktime_get_real_seconds();
}

int __init tls_hs_key_init(void)
{
	return register_key_type(&key_type_tls_identity);
}

void tls_hs_key_exit(void)
{
	unregister_key_type(&key_type_tls_identity);
}
