// SPDX-License-Identifier: GPL-2.0
/*
 * Settings for servers in the kernel that have nothing but external PSKs, such as
 * the target of NVMe/TCP: of each connection they tell the serial number of a
 * keyring, which holds keys of type "psk".
 *
 * The settings are kept, for handshakes not to look for all keys of the keyring
 * each time.  They notice what changes in it, see key.c.
 */

#include <linux/key.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "handshake.h"

/* Settings that a network namespace keeps: more keyrings or timeouts than that at
 * a time cost a look for each handshake.
 */
#define TLS_HS_MAX_PSK_CONFS	8

/**
 * struct tls_hs_psk_conf - settings that are kept
 * @node: entry of the list of the network namespace, the last used one first
 * @conf: the settings, referenced
 */
struct tls_hs_psk_conf {
	struct list_head node;
	struct tls_hs_conf *conf;
};

/**
 * struct tls_hs_psk_net - what there is for each network namespace
 * @lock: for the rest; taken in process context, no other lock is taken under it
 * @confs: the list of struct tls_hs_psk_conf
 * @nr: its length
 */
struct tls_hs_psk_net {
	struct mutex lock; /* for what follows */
	struct list_head confs;
	unsigned int nr;
};

static unsigned int tls_hs_psk_net_id __read_mostly;

static void tls_hs_psk_drop(struct tls_hs_psk_net *pn,
			    struct tls_hs_psk_conf *entry)
{
	list_del(&entry->node);
	pn->nr--;
	tls_hs_conf_put(entry->conf);
	kfree(entry);
}

/* The settings with that keyring, referenced, or %NULL.  Those with a keyring that
 * cannot be used any more go.
 */
static struct tls_hs_conf *tls_hs_psk_find(struct tls_hs_psk_net *pn,
					   key_serial_t keyring, u32 timeout_ms)
{
	struct tls_hs_conf *found = NULL;
	struct tls_hs_psk_conf *entry, *next;

	mutex_lock(&pn->lock);
	list_for_each_entry_safe(entry, next, &pn->confs, node) {
		struct tls_hs_conf *conf = entry->conf;

		if (key_validate(conf->keyring)) {
			tls_hs_psk_drop(pn, entry);
		} else if (!found && conf->settings.keyring == keyring &&
			   conf->settings.timeout_ms == timeout_ms) {
			/* The reference to the keyring keeps its number. */
			refcount_inc(&conf->refs);
			found = conf;
			list_move(&entry->node, &pn->confs);
		}
	}
	mutex_unlock(&pn->lock);
	return found;
}

/* Keep settings.  Without memory they are made anew for the next handshake. */
static void tls_hs_psk_keep(struct tls_hs_psk_net *pn, struct tls_hs_conf *conf)
{
	struct tls_hs_psk_conf *entry = kmalloc_obj(*entry, GFP_KERNEL);

	if (!entry)
		return;
	refcount_inc(&conf->refs);
	entry->conf = conf;
	mutex_lock(&pn->lock);
	list_add(&entry->node, &pn->confs);
	if (pn->nr++ >= TLS_HS_MAX_PSK_CONFS)
		tls_hs_psk_drop(pn, list_last_entry(&pn->confs,
						    struct tls_hs_psk_conf,
						    node));
	mutex_unlock(&pn->lock);
}

/**
 * tls_hs_conf_get_psk - settings for a server with the external PSKs of a keyring
 * @net: the network namespace of the connection
 * @keyring: serial number of a keyring with keys of type "psk", as that of struct
 *	tls_handshake_args; the caller is responsible for who may have it used
 * @timeout_ms: for one handshake, or 0 for net.tls.handshake_timeout_ms
 *
 * The settings are for TLS 1.3 without tickets.  A client without a PSK of the
 * keyring falls back: the ClientHello is unread.
 *
 * Context: process, may sleep long: not with a socket lock.
 * Return: the settings, to be given to tls_server_handshake() or dropped with
 * tls_hs_conf_put(); or an error: -ENOKEY if there is no such keyring or no PSK in
 * it that can be used, -ENOTDIR if it is no keyring, -EINVAL for a timeout of more
 * than 300000, or what key_validate() says of the keyring.
 */
struct tls_hs_conf *tls_hs_conf_get_psk(struct net *net, key_serial_t keyring,
					u32 timeout_ms)
{
	const struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.flags = TLS_HS_F_PSK | TLS_HS_F_NO_TICKETS,
		.timeout_ms = timeout_ms,
	};
	struct tls_hs_psk_net *pn = net_generic(net, tls_hs_psk_net_id);
	struct tls_hs_conf *conf;
	struct key *ring;

	conf = tls_hs_psk_find(pn, keyring, timeout_ms);
	if (conf)
		return conf;
	ring = key_lookup(keyring);
	if (IS_ERR(ring))
		return ERR_CAST(ring);
	conf = tls_hs_conf_create_possessed(net, &settings, ring);
	key_put(ring);
	if (!IS_ERR(conf))
		tls_hs_psk_keep(pn, conf);
	return conf;
}
EXPORT_SYMBOL_GPL(tls_hs_conf_get_psk);

static int __net_init tls_hs_psk_net_init(struct net *net)
{
	struct tls_hs_psk_net *pn = net_generic(net, tls_hs_psk_net_id);

	mutex_init(&pn->lock);
	INIT_LIST_HEAD(&pn->confs);
	return 0;
}

static void __net_exit tls_hs_psk_net_exit(struct net *net)
{
	struct tls_hs_psk_net *pn = net_generic(net, tls_hs_psk_net_id);
	struct tls_hs_psk_conf *entry, *next;

	list_for_each_entry_safe(entry, next, &pn->confs, node)
		tls_hs_psk_drop(pn, entry);
}

static struct pernet_operations tls_hs_psk_net_ops = {
	.init = tls_hs_psk_net_init,
	.exit = tls_hs_psk_net_exit,
	.id = &tls_hs_psk_net_id,
	.size = sizeof(struct tls_hs_psk_net),
};

int __init tls_hs_psk_init(void)
{
	return register_pernet_subsys(&tls_hs_psk_net_ops);
}

/* Before tls_hs_cpu_exit(), which waits for what the settings are freed by. */
void tls_hs_psk_exit(void)
{
	unregister_pernet_subsys(&tls_hs_psk_net_ops);
}
