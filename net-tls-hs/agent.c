// SPDX-License-Identifier: GPL-2.0
/*
 * The agent of net/handshake in the kernel: handshakes for servers in the kernel
 * whose administrator has asked for it by netlink. They have certificates in a
 * keyring that the administrator has named, as NFSD, or pre-shared keys in one
 * that they name themselves, as the target of NVMe/TCP.
 */

#include <linux/module.h>
#include <linux/netlink.h>
#include <net/handshake.h>
#include <net/tls.h>

#include "handshake.h"
#include "listen.h"

static const char *tls_hs_agent_error(int error)
{
	switch (error) {
	case -ENOKEY:
		return "the keyring does not exist or has no identity that can be used";
	case -EACCES:
		return "no permission to search the keyring or to use its identities";
	case -ENOTDIR:
		return "the key is no keyring";
	default:
		return "the keyring cannot be used";
	}
}

/* Without tickets, as with user space: a client that resumed would not be shown
 * the certificate, and ticket keys are those of all servers of the namespace.
 */
static void *tls_hs_agent_open(struct net *net, key_serial_t keyring,
			       struct netlink_ext_ack *extack)
{
	const struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.flags = TLS_HS_F_NO_TICKETS,
		.keyring = keyring,
	};
	struct tls_hs_conf *conf = tls_hs_conf_create(net, &settings);

	if (IS_ERR(conf))
		NL_SET_ERR_MSG_FMT(extack, "%s",
				   tls_hs_agent_error(PTR_ERR(conf)));
	return conf;
}

static void tls_hs_agent_close(void *identities)
{
	tls_hs_conf_put(identities);
}

static void tls_hs_agent_done(void *data, int status)
{
	struct sock *sk = data;

	handshake_agent_done(sk, status, tls_server_handshake_psk(sk));
}

/* The settings of a handshake, referenced. */
static struct tls_hs_conf *
tls_hs_agent_conf(struct tls_hs_conf *identities,
		  const struct handshake_agent_args *args)
{
	if (args->aa_keyring != TLS_NO_KEYRING)
		return tls_hs_conf_get_psk(sock_net(args->aa_sk),
					   args->aa_keyring, 0);
	refcount_inc(&identities->refs);
	return identities;
}

static int tls_hs_agent_hello(void *identities,
			      const struct handshake_agent_args *args)
{
	struct tls_hs_connected_args hs_args = {
		.timeout_ms = args->aa_timeout_ms,
		/* NFSD's answer to the probe of RFC 9289 may not be out yet. */
		.may_send = args->aa_keyring == TLS_NO_KEYRING,
		.done = tls_hs_agent_done,
		.data = args->aa_sk,
	};
	int rc;

	if (args->aa_alpn) {
		hs_args.alpn = tls_hs_alpn_of_name(args->aa_alpn);
		if (IS_ERR(hs_args.alpn))
			return PTR_ERR(hs_args.alpn);
	}
	hs_args.conf = tls_hs_agent_conf(identities, args);
	rc = PTR_ERR_OR_ZERO(hs_args.conf);
	if (!rc) {
		rc = tls_hs_start_connected(args->aa_sk, &hs_args);
		tls_hs_conf_put(hs_args.conf);
	}
	tls_hs_alpn_put(hs_args.alpn);
	return rc;
}

static void tls_hs_agent_cancel(struct sock *sk)
{
	tls_server_handshake_cancel(sk);
}

static const struct handshake_agent tls_hs_agent = {
	.ag_owner		= THIS_MODULE,
	.ag_server_open		= tls_hs_agent_open,
	.ag_server_close	= tls_hs_agent_close,
	.ag_server_hello	= tls_hs_agent_hello,
	.ag_cancel		= tls_hs_agent_cancel,
};

int __init tls_hs_agent_init(void)
{
	return handshake_agent_register(&tls_hs_agent);
}

void tls_hs_agent_exit(void)
{
	handshake_agent_unregister(&tls_hs_agent);
}
