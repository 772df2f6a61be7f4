// SPDX-License-Identifier: GPL-2.0
/*
 * TLS handshakes in the kernel: what a connection has negotiated, sysctls, and the
 * beginning and end of the module.
 */

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/tcp.h>
#include <net/tls_prot.h>

#include "../tls.h"
#include "handshake.h"
#include "inject.h"
#include "listen.h"
#include "listener.h"

#define TLS_HS_TIMEOUT_MS	10000
#define TLS_HS_TIMEOUT_MAX_MS	300000

/* Memory that a connection in handshake is estimated to need.  By default those
 * of a network namespace use no more than 1/32 of all memory.
 */
#define TLS_HS_HANDSHAKE_MEMORY	8192
#define TLS_HS_MAX_HANDSHAKES_MIN	4096U
#define TLS_HS_MAX_HANDSHAKES_MAX	BIT(18)

unsigned int tls_hs_net_id __read_mostly;

/* Free what a context has of handshakes.  A listener has been released. */
void tls_hs_ctx_free(struct tls_context *ctx)
{
	if (ctx->hs_listener)
		tls_hs_listener_put(ctx->hs_listener);
	if (ctx->hs) {
		tls_hs_disarm(ctx->hs);
		tls_hs_put(ctx->hs);
		ctx->hs = NULL;
	}
	if (ctx->hs_session) {
		tls_hs_session_free(ctx->hs_session);
		ctx->hs_session = NULL;
	}
}

/**
 * tls_hs_get_status - what the handshake of a connection has negotiated
 * @sk: the connection, locked
 * @status: struct tls_hs_status
 * @size: its size
 *
 * Return: the length, or -ENODATA if the kernel did not do the handshake.
 */
int tls_hs_get_status(struct sock *sk, void *status, size_t size)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx && ctx->hs)
		return -EINPROGRESS;
	if (ctx && ctx->hs_failed)
		return -ECONNABORTED;
	if (!ctx || !ctx->hs_session)
		return -ENODATA;
	if (size < sizeof(struct tls_hs_status))
		return -EINVAL;
	tls_hs_session_status(ctx->hs_session, status);
	((struct tls_hs_status *)status)->duration_us = ctx->hs_info.duration_us;
	return sizeof(struct tls_hs_status);
}

/**
 * tls_hs_get_alpn - the application protocol of a connection
 * @sk: the connection, locked
 * @name: room for %TLS_HS_ALPN_MAX bytes
 *
 * Return: the length, 0 if there is none, or -ENODATA if the kernel did not do
 * the handshake.
 */
int tls_hs_get_alpn(struct sock *sk, u8 *name)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx && ctx->hs)
		return -EINPROGRESS;
	if (!ctx || !ctx->hs_session)
		return -ENODATA;
	return tls_hs_session_alpn(ctx->hs_session, name);
}

/**
 * tls_hs_put_info - tell inet_diag what a handshake has negotiated
 * @ctx: context of a socket
 * @skb: the message
 *
 * And how busy a listener is.  Says nothing of sockets whose handshake the kernel
 * did not do.  Keys are in place before the socket has a user, so that
 * TLS_INFO_VERSION and _CIPHER come with it.
 *
 * Context: any, under RCU, without the socket's lock.
 * Return: 0 or -EMSGSIZE.
 */
int tls_hs_put_info(const struct tls_context *ctx, struct sk_buff *skb)
{
	const struct tls_hs_info *info = &ctx->hs_info;
	struct tls_hs_listener *lsn;
	struct nlattr *nest;
	int rc = 0;

	lsn = ctx->hs_listener;
	if (lsn && !READ_ONCE(lsn->sk))
		lsn = NULL;
	/* Pairs with smp_store_release() in tls_hs_take_over(). */
	if (!lsn && !smp_load_acquire(&ctx->hs_session))
		return 0;

	nest = nla_nest_start(skb, TLS_INFO_HANDSHAKE);
	if (!nest)
		return -EMSGSIZE;
	if (lsn) {
		rc = tls_hs_listener_put_info(lsn, skb);
		goto out;
	}
	if (nla_put_u16(skb, TLS_INFO_HS_GROUP, info->group) ||
	    nla_put_u16(skb, TLS_INFO_HS_SIGNATURE_SCHEME,
			info->signature_scheme) ||
	    nla_put_u32(skb, TLS_INFO_HS_FLAGS, info->flags) ||
	    nla_put_u32(skb, TLS_INFO_HS_DURATION_US, info->duration_us) ||
	    nla_put_u32(skb, TLS_INFO_HS_AGE,
			(u32)ktime_get_seconds() - info->completed))
		rc = -EMSGSIZE;
out:
	if (rc)
		nla_nest_cancel(skb, nest);
	else
		nla_nest_end(skb, nest);
	return rc;
}

/* Of what tls_hs_put_info() adds at most. */
size_t tls_hs_info_size(void)
{
	return nla_total_size(2 * nla_total_size(sizeof(u16)) +
			      3 * nla_total_size(sizeof(u32))) +
	       nla_total_size(4 * nla_total_size(sizeof(u32)));
}

static unsigned int tls_hs_timeout_min = 1;
static unsigned int tls_hs_timeout_max = TLS_HS_TIMEOUT_MAX_MS;

static unsigned int tls_hs_max_handshakes_max = TLS_HS_MAX_HANDSHAKES_MAX;

static unsigned int tls_hs_max_handshakes(void)
{
	u64 memory = (u64)nr_free_buffer_pages() << PAGE_SHIFT;

	return clamp_t(u64, div_u64(memory, 32 * TLS_HS_HANDSHAKE_MEMORY),
		       TLS_HS_MAX_HANDSHAKES_MIN, TLS_HS_MAX_HANDSHAKES_MAX);
}

static int __net_init tls_hs_net_init(struct net *net)
{
	struct tls_hs_net *tn = tls_hs_net(net);
	const struct ctl_table tables[] = { {
		.procname	= "handshake_timeout_ms",
		.data		= &tn->timeout_ms,
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &tls_hs_timeout_min,
		.extra2		= &tls_hs_timeout_max,
	}, {
		.procname	= "max_handshakes",
		.data		= &tn->max_handshakes,
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &tls_hs_timeout_min,
		.extra2		= &tls_hs_max_handshakes_max,
	}, {
		.procname	= "ticket_lifetime",
		.data		= &tn->ticket_lifetime,
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= tls_hs_ticket_lifetime,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &tls_hs_ticket_lifetime_max,
	} };
	const struct ctl_table *table;

	tn->timeout_ms = TLS_HS_TIMEOUT_MS;
	tn->max_handshakes = tls_hs_max_handshakes();
	tls_hs_tickets_net_init(tn);
	if (!IS_ENABLED(CONFIG_SYSCTL))
		return 0;

	table = kmemdup(tables, sizeof(tables), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	tn->sysctl = register_net_sysctl_sz(net, "net/tls", table,
					    ARRAY_SIZE(tables));
	if (!tn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit tls_hs_net_exit(struct net *net)
{
	struct tls_hs_net *tn = tls_hs_net(net);
	const struct ctl_table *table;

	if (tn->sysctl) {
		table = tn->sysctl->ctl_table_arg;
		unregister_net_sysctl_table(tn->sysctl);
		kfree(table);
	}
	tls_hs_tickets_net_exit(tn);
}

static struct pernet_operations tls_hs_net_ops = {
	.init = tls_hs_net_init,
	.exit = tls_hs_net_exit,
	.id = &tls_hs_net_id,
	.size = sizeof(struct tls_hs_net),
};

int __init tls_hs_module_init(void)
{
	int rc;

	rc = register_pernet_subsys(&tls_hs_net_ops);
	if (rc)
		return rc;
	rc = tls_hs_drive_init();
	if (rc)
		goto err_net;
	rc = tls_hs_cpu_init();
	if (rc)
		goto err_drive;
	rc = tls_hs_listen_init();
	if (rc)
		goto err_cpu;
	rc = tls_hs_connected_init();
	if (rc)
		goto err_listen;
	rc = tls_hs_key_init();
	if (rc)
		goto err_connected;
	rc = tls_hs_psk_init();
	if (rc)
		goto err_key;
	rc = tls_hs_agent_init();
	if (rc)
		goto err_psk;
	tls_hs_inject_init();
	return 0;

err_psk:
	tls_hs_psk_exit();
err_key:
	tls_hs_key_exit();
err_connected:
	tls_hs_connected_exit();
err_listen:
	tls_hs_listen_exit();
err_cpu:
	tls_hs_cpu_exit();
err_drive:
	tls_hs_drive_exit();
err_net:
	unregister_pernet_subsys(&tls_hs_net_ops);
	return rc;
}

/* Called after the ULP has been unregistered, so without users. */
void tls_hs_module_exit(void)
{
	tls_hs_inject_exit();
	tls_hs_agent_exit();
	tls_hs_psk_exit();
	tls_hs_cpu_exit();
	tls_hs_drive_exit();
	tls_hs_connected_exit();
	tls_hs_listen_exit();
	tls_hs_key_exit();
	unregister_pernet_subsys(&tls_hs_net_ops);
	/* Wait for tls_hs_ticket_keys_free(). */
	rcu_barrier();
}
