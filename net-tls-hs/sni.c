// SPDX-License-Identifier: GPL-2.0
/*
 * Settings that a listener has for certain server names, see TLS_HS_SNI.
 *
 * They are in an immutable hash table, of which each change makes a copy.  A
 * child has a reference to the table that was there when it was made.
 */

#include <linux/jhash.h>
#include <linux/slab.h>

#include "../tls.h"
#include "handshake.h"

/* Names that one listener can have settings for. */
#define TLS_HS_MAX_NAMES	4096

/**
 * struct tls_hs_names - settings by server name, immutable
 * @refs: one for the listener and one for each child that is not done yet
 * @rcu: see tls_hs_names_get_rcu()
 * @nr: number of names
 * @forbid: some settings have %TLS_HS_F_NO_FALLBACK
 * @size: number of slots, a power of two more than twice @nr
 * @slots: settings at, or in the next free place behind, the hash of their name
 */
struct tls_hs_names {
	refcount_t refs;
	struct rcu_head rcu;
	unsigned int nr;
	bool forbid;
	unsigned int size;
	struct tls_hs_conf *slots[] __counted_by(size);
};

/**
 * tls_hs_names_get_rcu - take a reference to a listener's table
 * @names: pointer to the table
 *
 * Context: any.
 * Return: the table, or %NULL if there is none.
 */
struct tls_hs_names *tls_hs_names_get_rcu(struct tls_hs_names __rcu **names)
{
	struct tls_hs_names *p;

	rcu_read_lock();
	do {
		p = rcu_dereference(*names);
	} while (p && !refcount_inc_not_zero(&p->refs));
	rcu_read_unlock();
	return p;
}

/**
 * tls_hs_names_forbid - do settings of a name forbid that connections fall back?
 * @names: the table
 *
 * Context: any.
 * Return: whether some do.
 */
bool tls_hs_names_forbid(const struct tls_hs_names *names)
{
	return names->forbid;
}

/**
 * tls_hs_names_put - drop a reference
 * @names: the table or %NULL
 *
 * Context: any.
 */
void tls_hs_names_put(struct tls_hs_names *names)
{
	unsigned int i;

	if (!names || !refcount_dec_and_test(&names->refs))
		return;
	for (i = 0; i < names->size; i++)
		if (names->slots[i])
			tls_hs_conf_put(names->slots[i]);
	kvfree_rcu(names, rcu);
}

/* The slot of a name, or the free one where it would be. */
static struct tls_hs_conf **tls_hs_names_slot(struct tls_hs_names *names,
					      const u8 *name, size_t len)
{
	unsigned int i = jhash(name, len, 0);
	struct tls_hs_conf *conf;

	for (;; i++) {
		i &= names->size - 1;
		conf = names->slots[i];
		if (!conf || (conf->name_len == len &&
			      !memcmp(conf->name, name, len)))
			return &names->slots[i];
	}
}

/**
 * tls_hs_names_find - the settings for a server name
 * @names: the table
 * @name: the name in lower case without a dot at its end; may be changed
 * @len: its length
 *
 * The name itself comes before the wildcard that covers it.
 *
 * Context: any.
 * Return: the settings, owned by the table, or %NULL.
 */
struct tls_hs_conf *tls_hs_names_find(struct tls_hs_names *names, u8 *name,
				      size_t len)
{
	struct tls_hs_conf *conf = *tls_hs_names_slot(names, name, len);
	u8 *dot;

	if (conf)
		return conf;
	dot = memchr(name, '.', len);
	if (!dot || dot == name)
		return NULL;
	dot[-1] = '*';
	return *tls_hs_names_slot(names, dot - 1, name + len - (dot - 1));
}

/* Add settings to a table that has room. */
static void tls_hs_names_add(struct tls_hs_names *names,
			     struct tls_hs_conf *conf)
{
	refcount_inc(&conf->refs);
	*tls_hs_names_slot(names, conf->name, conf->name_len) = conf;
	names->nr++;
	if (conf->settings.flags & TLS_HS_F_NO_FALLBACK)
		names->forbid = true;
}

/* A copy of a table without a name, and with these settings for it if any. */
static struct tls_hs_names *tls_hs_names_copy(const struct tls_hs_names *old,
					      const u8 *name, size_t len,
					      struct tls_hs_conf *conf)
{
	unsigned int nr = (old ? old->nr : 0) + 1, size, i;
	struct tls_hs_names *names;
	struct tls_hs_conf *other;

	size = roundup_pow_of_two(2 * nr + 1);
	names = kvzalloc(struct_size(names, slots, size), GFP_KERNEL_ACCOUNT);
	if (!names)
		return NULL;
	refcount_set(&names->refs, 1);
	names->size = size;

	for (i = 0; old && i < old->size; i++) {
		other = old->slots[i];
		if (!other || (other->name_len == len &&
			       !memcmp(other->name, name, len)))
			continue;
		tls_hs_names_add(names, other);
	}
	if (conf)
		tls_hs_names_add(names, conf);
	return names;
}

/**
 * tls_hs_names_set - give a name settings, or take them away
 * @names: pointer to the listener's table
 * @sk: the listener, locked
 * @name: the name, normalized
 * @len: its length
 * @conf: the settings, or %NULL to take them away
 *
 * Context: process.
 * Return: 0, -ENOENT if there were none, -E2BIG if there are too many names, or
 * -ENOMEM.
 */
int tls_hs_names_set(struct tls_hs_names __rcu **names, struct sock *sk,
		     const u8 *name, size_t len, struct tls_hs_conf *conf)
{
	struct tls_hs_names *old, *copy;
	bool known;

	old = rcu_dereference_protected(*names, lockdep_sock_is_held(sk));
	known = old && *tls_hs_names_slot(old, name, len);
	if (!conf && !known)
		return -ENOENT;
	if (conf && !known && old && old->nr >= TLS_HS_MAX_NAMES)
		return -E2BIG;
	copy = tls_hs_names_copy(old, name, len, conf);
	if (!copy)
		return -ENOMEM;
	rcu_assign_pointer(*names, copy);
	tls_hs_names_put(old);
	return 0;
}
