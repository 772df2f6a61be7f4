// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of type "tls_identity": a certificate chain and its private key; and of
 * type "tls_ticket": what session tickets are encrypted with.
 *
 * The payload of the former is DER: the chain, leaf first, followed by the
 * PKCS#8 private key and by what is stapled to the leaf, an OCSP response and
 * certificate timestamps.  An update may have the latter only: who fetches them
 * needs no private key.  Nothing but the chain can be read back.  That of the
 * latter is a name and random bytes, which cannot be read back at all.  A
 * listener names a keyring of such keys; the identities in it are collected
 * into an immutable set that handshakes use under RCU, and so are the ticket
 * keys.
 */

#include <linux/jhash.h>
#include <linux/key-type.h>
#include <linux/key.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "handshake.h"

/* Keys that one listener can have. */
#define TLS_HS_MAX_KEYS		4096
/* Ticket keys among them that count: a ClientHello is compared with each. */
#define TLS_HS_MAX_TICKET_KEYS	16

/* Name and key with 32 bytes; the other length is with 64. */
#define TLS_HS_TICKET_KEY_SHORT	48
static_assert(sizeof(struct tls_hs_ticket_key) == 80);

static struct key_type key_type_tls_ticket;

/* Payload of a tls_ticket key: @stamp is another one for each. */
struct tls_hs_ticket_payload {
	struct tls_hs_ticket_key key;
	u64 stamp;
};

static atomic64_t tls_hs_ticket_stamp = ATOMIC64_INIT(0);

/* Grows with each change of a key, for listeners to look again. */
atomic_t tls_hs_key_generation = ATOMIC_INIT(0);

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

static int tls_hs_key_instantiate(struct key *key,
				  struct key_preparsed_payload *prep)
{
	int rc = generic_key_instantiate(key, prep);

	if (!rc)
		atomic_inc(&tls_hs_key_generation);
	return rc;
}

static int tls_hs_key_update(struct key *key,
			     struct key_preparsed_payload *prep)
{
	int rc;

	rc = key_payload_reserve(key, prep->quotalen);
	if (rc)
		return rc;

	/* The old one goes with free_preparse(): readers hold only references,
	 * or the semaphore.
	 */
	swap(key->payload.data[0], prep->payload.data[0]);
	key->expiry = prep->expiry;
	atomic_inc(&tls_hs_key_generation);
	return 0;
}

static int tls_identity_instantiate(struct key *key,
				    struct key_preparsed_payload *prep)
{
	/* Nothing but what would be stapled to a certificate. */
	if (!prep->payload.data[0])
		return -ENODATA;

	return tls_hs_key_instantiate(key, prep);
}

static int tls_identity_update(struct key *key,
			       struct key_preparsed_payload *prep)
{
	const struct tls_hs_identity *old = key->payload.data[0];

	if (!prep->payload.data[0]) {
		/* Of a negative key. */
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
	/* The payload goes with the key. */
	key_payload_reserve(key, 0);
	atomic_inc(&tls_hs_key_generation);
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
	memcpy(&ticket->key, prep->data, prep->datalen);
	ticket->stamp = atomic64_inc_return(&tls_hs_ticket_stamp);
	prep->payload.data[0] = ticket;
	prep->quotalen = prep->datalen;
	return 0;
}

static void tls_ticket_free_preparse(struct key_preparsed_payload *prep)
{
	kfree_sensitive(prep->payload.data[0]);
	prep->payload.data[0] = NULL;
}

static void tls_ticket_destroy(struct key *key)
{
	kfree_sensitive(key->payload.data[0]);
}

/* There is no read(): not even who has added a key gets it back. */
static struct key_type key_type_tls_ticket = {
	.name		= "tls_ticket",
	.preparse	= tls_ticket_preparse,
	.free_preparse	= tls_ticket_free_preparse,
	.instantiate	= tls_hs_key_instantiate,
	.update		= tls_hs_key_update,
	.revoke		= tls_hs_key_revoke,
	.destroy	= tls_ticket_destroy,
	.describe	= tls_hs_key_describe,
};

/**
 * tls_hs_conf_open_keyring - find the keyring that settings name
 * @conf: settings
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

static void tls_hs_keys_free(struct tls_hs_keys *keys)
{
	size_t i;

	if (keys->set)
		tls_hs_identity_set_free(keys->set);
	for (i = 0; i < keys->nr; i++)
		key_put(keys->keys[i].key);
	kfree_sensitive(keys->tickets);
	kvfree(keys);
}

static void tls_hs_keys_free_work(struct work_struct *work)
{
	tls_hs_keys_free(container_of(to_rcu_work(work), struct tls_hs_keys,
				      rwork));
}

void tls_hs_conf_close_keyring(struct tls_hs_conf *conf)
{
	struct tls_hs_keys *keys;

	keys = rcu_dereference_protected(conf->keys, 1);
	if (keys)
		tls_hs_keys_free(keys);
	key_put(conf->keyring);
}

/* Has a key expired, or been invalidated, since it was taken?  Any context. */
static bool tls_hs_keys_expired(const struct tls_hs_keys *keys)
{
	size_t i;

	for (i = 0; i < keys->nr; i++)
		if (key_validate(keys->keys[i].key))
			return true;
	return false;
}

/* What tells a payload from later ones of a key; 0 if there is none.  An
 * identity is not freed before what has been made of it.  With the key's
 * semaphore held.
 */
static u64 tls_hs_key_stamp(const struct key *key)
{
	const struct tls_hs_ticket_payload *ticket = key->payload.data[0];

	if (!ticket)
		return 0;
	return key->type == &key_type_tls_ticket ? ticket->stamp :
						   (unsigned long)ticket;
}

/* Would a look at the same keys find the same?  The counter of changes is of
 * all users, so mostly it would.
 */
static bool tls_hs_keys_unchanged(const struct tls_hs_keys *keys)
{
	struct key *key;
	size_t i;
	u64 stamp;

	if (keys->partial)
		return false;
	for (i = 0; i < keys->nr; i++) {
		key = keys->keys[i].key;
		down_read(&key->sem);
		stamp = tls_hs_key_stamp(key);
		up_read(&key->sem);
		if (stamp != keys->keys[i].stamp)
			return false;
	}
	return true;
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
		if (len > TLS_HS_MAX_KEYS * sizeof(*serials))
			return ERR_PTR(-E2BIG);

		serials = kvmalloc(len + sizeof(*serials), GFP_KERNEL_ACCOUNT);
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

/* A key and, unless it is for tickets, its identity. */
struct tls_hs_found {
	struct tls_hs_held_key held;
	struct tls_hs_identity *id;
};

/* By description, so that the order does not depend on serials. */
static int tls_hs_found_cmp(const void *a, const void *b)
{
	const struct tls_hs_found *x = a, *y = b;

	return strcmp(x->held.key->description, y->held.key->description);
}

static bool tls_hs_key_is_ours(const struct key *key)
{
	return key->type == &key_type_tls_identity ||
	       key->type == &key_type_tls_ticket;
}

/* Is a key of ours usable?  Takes a reference to an identity. */
static bool tls_hs_key_take(struct tls_hs_found *found)
{
	struct key *key = found->held.key;
	bool usable;

	down_read(&key->sem);
	found->held.stamp = tls_hs_key_stamp(key);
	usable = !key_validate(key) && key_is_positive(key) &&
		 key->payload.data[0];
	if (usable && key->type == &key_type_tls_identity) {
		found->id = key->payload.data[0];
		tls_hs_identity_get(found->id);
	}
	up_read(&key->sem);
	return usable;
}

/* The keys that are ours and usable, sorted; their number.  @partial tells if
 * others are ours.
 */
static size_t tls_hs_collect(const key_serial_t *serials, size_t nr,
			     struct tls_hs_found *found, bool *partial)
{
	struct key *key;
	size_t i, n = 0;

	for (i = 0; i < nr; i++) {
		key = key_lookup(serials[i]);
		if (IS_ERR(key))
			continue;
		/* Search permission on the keyring extends to what it holds. */
		found[n].held.key = key;
		if (!tls_hs_key_is_ours(key)) {
			key_put(key);
		} else if (tls_hs_key_take(&found[n])) {
			n++;
		} else {
			key_put(key);
			*partial = true;
		}
	}
	sort(found, n, sizeof(*found), tls_hs_found_cmp, NULL);
	return n;
}

/* Copy the ticket keys among those that were found, the last one first. */
static int tls_hs_keys_add_tickets(struct tls_hs_keys *keys,
				   const struct tls_hs_found *found, size_t n)
{
	const struct tls_hs_ticket_payload *ticket;
	struct key *key;

	keys->tickets = kcalloc(TLS_HS_MAX_TICKET_KEYS, sizeof(*keys->tickets),
				GFP_KERNEL_ACCOUNT);
	if (!keys->tickets)
		return -ENOMEM;
	while (n-- && keys->nr_tickets < TLS_HS_MAX_TICKET_KEYS) {
		if (found[n].id)
			continue;
		key = found[n].held.key;
		down_read(&key->sem);
		ticket = key->payload.data[0];
		keys->tickets[keys->nr_tickets++] = ticket->key;
		/* It may be another one than that which was found. */
		keys->keys[n].stamp = ticket->stamp;
		up_read(&key->sem);
	}
	return 0;
}

/* The keys with these serials that are ours. */
static struct tls_hs_keys *tls_hs_keys_new(const key_serial_t *serials,
					   size_t nr)
{
	struct tls_hs_identity **ids = NULL;
	struct tls_hs_found *found = NULL;
	size_t n = 0, nr_ids = 0, i;
	struct tls_hs_keys *keys;
	bool partial = false;
	int rc = 0;

	if (nr) {
		found = kvcalloc(nr, sizeof(*found), GFP_KERNEL_ACCOUNT);
		ids = kvcalloc(nr, sizeof(*ids), GFP_KERNEL_ACCOUNT);
		if (!found || !ids) {
			keys = NULL;
			goto out;
		}
		n = tls_hs_collect(serials, nr, found, &partial);
	}

	keys = kvzalloc(struct_size(keys, keys, n), GFP_KERNEL_ACCOUNT);
	if (keys) {
		keys->nr = n;
		keys->partial = partial;
		INIT_RCU_WORK(&keys->rwork, tls_hs_keys_free_work);
	}
	for (i = 0; i < n; i++) {
		if (found[i].id)
			ids[nr_ids++] = found[i].id;
		if (keys)
			keys->keys[i] = found[i].held;
		else
			key_put(found[i].held.key);
	}
	if (keys && nr_ids) {
		keys->set = tls_hs_identity_set_new(ids, nr_ids);
		if (!keys->set)
			rc = -ENOMEM;
	}
	if (keys && !rc && nr_ids < n)
		rc = tls_hs_keys_add_tickets(keys, found, n);
	if (keys && rc) {
		tls_hs_keys_free(keys);
		keys = NULL;
	}
	for (i = 0; i < nr_ids; i++)
		tls_hs_identity_put(ids[i]);
out:
	kvfree(ids);
	kvfree(found);
	return keys;
}

static int __tls_hs_conf_load(struct tls_hs_conf *conf)
{
	struct tls_hs_keys *keys, *old = rcu_dereference_protected(conf->keys, 1);
	key_serial_t *serials = NULL;
	unsigned long nr_leaves;
	unsigned int generation;
	size_t nr = 0;
	u32 hash;
	int rc;

	generation = atomic_read(&tls_hs_key_generation);
	nr_leaves = READ_ONCE(conf->keyring->keys.nr_leaves_on_tree);
	/* Before the look, so that a change during it is seen by the next. */
	smp_rmb();

	rc = key_validate(conf->keyring);
	if (!rc) {
		serials = tls_hs_keyring_list(conf->keyring, &nr);
		if (IS_ERR(serials)) {
			rc = PTR_ERR(serials);
			if (rc == -ENOMEM)
				return rc;
			serials = NULL;
		}
	}

	hash = jhash2((const u32 *)serials, nr, 0);
	if (old && old->hash == hash && old->nr_leaves == nr_leaves &&
	    old->unusable == !!rc && !tls_hs_keys_expired(old) &&
	    (old->generation == generation || tls_hs_keys_unchanged(old))) {
		WRITE_ONCE(old->generation, generation);
		goto out;
	}

	keys = tls_hs_keys_new(serials, nr);
	if (!keys) {
		rc = -ENOMEM;
		goto out;
	}
	keys->generation = generation;
	keys->nr_leaves = nr_leaves;
	keys->hash = hash;
	keys->unusable = rc;
	rcu_assign_pointer(conf->keys, keys);
	if (old)
		queue_rcu_work(tls_hs_wq, &old->rwork);
out:
	kvfree(serials);
	return rc;
}

/**
 * tls_hs_conf_load - take the identities and ticket keys that the keyring holds
 * @conf: the settings
 *
 * A keyring that is revoked, expired or holds too many keys leaves none: what
 * was taken away must not be used any more.  Without memory the settings stay
 * stale, and handshakes wait.
 *
 * Context: process, one at a time.
 * Return: 0, -ENOMEM, -E2BIG or what key_validate() says of the keyring.
 */
int tls_hs_conf_load(struct tls_hs_conf *conf)
{
	struct mem_cgroup *old = set_active_memcg(conf->memcg);
	u64 look = conf->looks_begun + 1;
	int rc;

	WRITE_ONCE(conf->looks_begun, look);
	/* Pairs with the one in tls_hs_conf_is_fresh(): who has not seen the
	 * store sees its change of a key found by this look.
	 */
	smp_mb();
	rc = __tls_hs_conf_load(conf);
	if (rc != -ENOMEM)
		/* After the keys; pairs with smp_load_acquire() below. */
		smp_store_release(&conf->looks_done, look);
	set_active_memcg(old);
	return rc;
}

/* Is there an identity at all?  For who has the only reference to @conf. */
bool tls_hs_conf_has_identities(const struct tls_hs_conf *conf)
{
	const struct tls_hs_keys *keys = rcu_dereference_protected(conf->keys, 1);

	return keys && keys->set;
}

/* Has the keyring changed since the last look?
 *
 * Nothing tells us when a timeout is set, or when a key that exists already is
 * linked in place of another.  Timeouts are in seconds, so the first handshake
 * in each second looks at all of them; and it asks for a look at the links,
 * but does not wait for it.
 */
static bool tls_hs_conf_is_stale(struct tls_hs_conf *conf)
{
	time64_t now = ktime_get_real_seconds();
	struct tls_hs_keys *keys;
	bool stale;

	rcu_read_lock();
	keys = rcu_dereference(conf->keys);
	stale = READ_ONCE(keys->generation) !=
		(unsigned int)atomic_read(&tls_hs_key_generation) ||
		keys->nr_leaves !=
		READ_ONCE(conf->keyring->keys.nr_leaves_on_tree);
	if (!stale && READ_ONCE(keys->checked) != now) {
		stale = tls_hs_keys_expired(keys) ||
			(!keys->unusable && key_validate(conf->keyring));
		if (!stale) {
			WRITE_ONCE(keys->checked, now);
			queue_work(tls_hs_wq, &conf->refresh);
		}
	}
	rcu_read_unlock();
	return stale;
}

/**
 * tls_hs_conf_is_fresh - may the keys of settings be used?
 * @conf: the settings
 * @look: 0 at first; what to wait for, if the answer was no
 *
 * If the keyring has changed, or some key anywhere, they are looked up anew.  A
 * handshake waits for one look that has begun after its question, and not until
 * nothing changes any more: every user can change keys of its own.
 *
 * Context: any, takes no lock.
 * Return: false to be asked again a bit later, with the same @look.
 */
bool tls_hs_conf_is_fresh(struct tls_hs_conf *conf, u64 *look)
{
	if (!*look) {
		if (!tls_hs_conf_is_stale(conf))
			return true;
		/* The change before the number, see tls_hs_conf_load(). */
		smp_mb();
		*look = READ_ONCE(conf->looks_begun) + 1;
	} else {
		/* Before the keys; pairs with smp_store_release() above. */
		if (smp_load_acquire(&conf->looks_done) >= *look)
			return true;
	}
	queue_work(tls_hs_wq, &conf->refresh);
	return false;
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
