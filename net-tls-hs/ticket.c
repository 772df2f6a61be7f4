// SPDX-License-Identifier: GPL-2.0
/*
 * The keys that session tickets are encrypted with where the keyring has none,
 * see key.c: one for new tickets and the one before it, for each network
 * namespace.  They are nowhere else.
 */

#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "handshake.h"

#define TLS_HS_TICKET_LIFETIME		7200
#define TLS_HS_TICKET_LIFETIME_MAX	604800	/* RFC 9846, section 4.7.1 */

static void tls_hs_ticket_keys_free(struct rcu_head *rcu)
{
	kfree_sensitive(container_of(rcu, struct tls_hs_ticket_keys, rcu));
}

/**
 * tls_hs_tickets_put - drop a reference to a namespace's ticket keys
 * @own: the keys or %NULL
 *
 * Context: any.
 */
void tls_hs_tickets_put(struct tls_hs_ticket_keys *own)
{
	if (own && refcount_dec_and_test(&own->refs))
		call_rcu(&own->rcu, tls_hs_ticket_keys_free);
}

/* A ticket that the key has encrypted in its time is accepted for another
 * lifetime, so the key before the current one is needed as well.
 */
static void tls_hs_tickets_rotate(struct work_struct *work)
{
	struct tls_hs_net *tn = container_of(to_delayed_work(work),
					     struct tls_hs_net, ticket_work);
	unsigned int lifetime = READ_ONCE(tn->ticket_lifetime);
	struct tls_hs_ticket_keys *keys = NULL, *old;

	/* A work item does not run twice at a time. */
	old = rcu_dereference_protected(tn->ticket_keys, 1);
	if (lifetime) {
		keys = kzalloc_obj(*keys, GFP_KERNEL);
		if (!keys) {
			schedule_delayed_work(&tn->ticket_work, HZ);
			return;
		}
		refcount_set(&keys->refs, 1);
		get_random_bytes(&keys->keys[0], sizeof(keys->keys[0]));
		keys->nr = 1;
		if (old)
			keys->keys[keys->nr++] = old->keys[0];
		schedule_delayed_work(&tn->ticket_work,
				      (unsigned long)lifetime * HZ);
	}
	rcu_assign_pointer(tn->ticket_keys, keys);
	tls_hs_tickets_put(old);
}

/**
 * tls_hs_tickets_start - have ticket keys from now on
 * @net: network namespace of a listener
 *
 * Context: process.
 */
void tls_hs_tickets_start(const struct net *net)
{
	struct tls_hs_net *tn = tls_hs_net(net);

	if (!READ_ONCE(tn->ticket_lifetime) ||
	    rcu_access_pointer(tn->ticket_keys))
		return;
	schedule_delayed_work(&tn->ticket_work, 0);
	flush_delayed_work(&tn->ticket_work);
}

/**
 * tls_hs_tickets_get - what a session needs for tickets, and the time
 * @net: its network namespace
 * @keys: what there is in the keyring
 * @tickets: zeroed; valid as long as @keys and what is returned
 *
 * Context: any.
 * Return: %NULL, or what is to be given to tls_hs_tickets_put().
 */
struct tls_hs_ticket_keys *
tls_hs_tickets_get(const struct net *net, const struct tls_hs_keys *keys,
		   struct tls_hs_tickets *tickets)
{
	const struct tls_hs_net *tn = tls_hs_net(net);
	struct tls_hs_ticket_keys *own = NULL;

	tickets->now = ktime_get_real_seconds();
	if (keys->nr_tickets) {
		tickets->keys = keys->tickets;
		tickets->nr_keys = keys->nr_tickets;
	} else {
		rcu_read_lock();
		do {
			own = rcu_dereference(tn->ticket_keys);
		} while (own && !refcount_inc_not_zero(&own->refs));
		rcu_read_unlock();
		if (!own)
			return NULL;
		tickets->keys = own->keys;
		tickets->nr_keys = own->nr;
	}
	tickets->lifetime = READ_ONCE(tn->ticket_lifetime);
	return own;
}

unsigned int tls_hs_ticket_lifetime_max = TLS_HS_TICKET_LIFETIME_MAX;

/**
 * tls_hs_ticket_lifetime - net.tls.ticket_lifetime
 * @table: the sysctl
 * @write: whether it is written, which replaces the key, too
 * @buffer: text
 * @lenp: its length
 * @ppos: position in it
 *
 * Context: process.
 * Return: 0 or an error.
 */
int tls_hs_ticket_lifetime(const struct ctl_table *table, int write,
			   void *buffer, size_t *lenp, loff_t *ppos)
{
	struct tls_hs_net *tn = container_of((unsigned int *)table->data,
					     struct tls_hs_net, ticket_lifetime);
	int rc;

	rc = proc_douintvec_minmax(table, write, buffer, lenp, ppos);
	if (!rc && write)
		mod_delayed_work(system_percpu_wq, &tn->ticket_work, 0);
	return rc;
}

/**
 * tls_hs_tickets_net_init - prepare a network namespace
 * @tn: its part of net/tls/handshake
 */
void tls_hs_tickets_net_init(struct tls_hs_net *tn)
{
	tn->ticket_lifetime = TLS_HS_TICKET_LIFETIME;
	INIT_DELAYED_WORK(&tn->ticket_work, tls_hs_tickets_rotate);
}

/**
 * tls_hs_tickets_net_exit - forget the ticket keys of a network namespace
 * @tn: its part of net/tls/handshake; it has no sockets and no sysctls any more
 *
 * Context: process.
 */
void tls_hs_tickets_net_exit(struct tls_hs_net *tn)
{
	struct tls_hs_ticket_keys *keys;

	disable_delayed_work_sync(&tn->ticket_work);
	keys = rcu_replace_pointer(tn->ticket_keys, NULL, 1);
	tls_hs_tickets_put(keys);
}
