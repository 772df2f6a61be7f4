// SPDX-License-Identifier: GPL-2.0
/*
 * Settings that a listener has for certain server names, see TLS_HS_SNI.
 *
 * They are in an immutable table, of which each change makes a copy.  A child
 * has a reference to the table that was there when it was made.
 *
 * Who owns what is known here: references, RCU and the settings themselves are
 * the socket side's.  What a name is, how it is normalized, in which order the
 * table is, and which entry a client's name selects is decided by the engine,
 * see engine/policy/name.rs, which identities are found with as well.
 */

#include <linux/slab.h>

#include "../tls.h"
#include "handshake.h"

/* Names that one listener can have settings for. */
#define TLS_HS_MAX_NAMES	4096

/**
 * struct tls_hs_names - settings by server name, immutable
 * @refs: one for the listener and one for each child that is not done yet
 * @rcu: see tls_hs_names_get_rcu()
 * @forbid: some settings have %TLS_HS_F_NO_FALLBACK
 * @nr: number of names
 * @table: names in the order of tls_hs_name_search(), each in a struct
 *	tls_hs_conf that is referenced
 */
struct tls_hs_names {
	refcount_t refs;
	struct rcu_head rcu;
	bool forbid;
	unsigned int nr;
	const struct tls_hs_name *table[];
};

static struct tls_hs_conf *tls_hs_names_conf(const struct tls_hs_names *names,
					     unsigned int at)
{
	return container_of(names->table[at], struct tls_hs_conf, name);
}

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
	for (i = 0; i < names->nr; i++)
		tls_hs_conf_put(tls_hs_names_conf(names, i));
	kvfree_rcu(names, rcu);
}

/**
 * tls_hs_names_find - the settings for the server name of a ClientHello
 * @names: the table
 * @hello: the ClientHello in its records; changed
 * @len: its length
 * @conf: set to the settings, owned by the table, or %NULL
 *
 * Context: any.
 * Return: false if the ClientHello is malformed.
 */
bool tls_hs_names_find(const struct tls_hs_names *names, u8 *hello, size_t len,
		       struct tls_hs_conf **conf)
{
	int at = tls_hs_hello_find_name(hello, len, names->table, names->nr);

	*conf = at >= 0 ? tls_hs_names_conf(names, at) : NULL;
	return at != -EAGAIN;
}

/* Append settings to a table that has room. */
static void tls_hs_names_add(struct tls_hs_names *names,
			     struct tls_hs_conf *conf)
{
	refcount_inc(&conf->refs);
	names->table[names->nr++] = &conf->name;
	if (conf->settings.flags & TLS_HS_F_NO_FALLBACK)
		names->forbid = true;
}

/* A copy of a table that has @conf, if any, at @at: in the place of what is
 * there if it is the same name.
 */
static struct tls_hs_names *tls_hs_names_copy(const struct tls_hs_names *old,
					      size_t at, bool known,
					      struct tls_hs_conf *conf)
{
	unsigned int nr = old ? old->nr : 0, i;
	struct tls_hs_names *names;

	names = kvzalloc_flex(*names, table, nr + 1, GFP_KERNEL_ACCOUNT);
	if (!names)
		return NULL;
	refcount_set(&names->refs, 1);
	for (i = 0; i < at; i++)
		tls_hs_names_add(names, tls_hs_names_conf(old, i));
	if (conf)
		tls_hs_names_add(names, conf);
	for (i += known; i < nr; i++)
		tls_hs_names_add(names, tls_hs_names_conf(old, i));
	return names;
}

/**
 * tls_hs_names_set - give a name settings, or take them away
 * @names: pointer to the listener's table
 * @sk: the listener, locked
 * @name: the name
 * @conf: its settings, or %NULL to take them away
 *
 * Context: process.
 * Return: 0, -ENOENT if there were none, -E2BIG if there are too many names, or
 * -ENOMEM.
 */
int tls_hs_names_set(struct tls_hs_names __rcu **names, struct sock *sk,
		     const struct tls_hs_name *name, struct tls_hs_conf *conf)
{
	struct tls_hs_names *old, *copy;
	bool known = false;
	size_t at = 0;

	old = rcu_dereference_protected(*names, lockdep_sock_is_held(sk));
	if (old)
		known = tls_hs_name_search(old->table, old->nr, name, &at);
	if (!conf && !known)
		return -ENOENT;
	if (conf && !known && old && old->nr >= TLS_HS_MAX_NAMES)
		return -E2BIG;
	copy = tls_hs_names_copy(old, at, known, conf);
	if (!copy)
		return -ENOMEM;
	rcu_assign_pointer(*names, copy);
	tls_hs_names_put(old);
	return 0;
}
