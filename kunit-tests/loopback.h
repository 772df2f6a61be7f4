/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TCP connection for tests.
 */
#ifndef _NET_TLS_HANDSHAKE_TESTS_LOOPBACK_H
#define _NET_TLS_HANDSHAKE_TESTS_LOOPBACK_H

#include <linux/in.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

/* Two ends of a TCP connection over the loopback device, which is set up.  After
 * an error the client's end may be there.
 */
static inline int tls_hs_test_connect(struct socket **client,
				      struct socket **server)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct socket *listener;
	int rc;

	rtnl_lock();
	rc = dev_change_flags(init_net.loopback_dev,
			      init_net.loopback_dev->flags | IFF_UP, NULL);
	rtnl_unlock();
	if (rc)
		return rc;

	rc = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
			      &listener);
	if (rc)
		return rc;
	rc = kernel_bind(listener, (struct sockaddr_unsized *)&addr,
			 sizeof(addr));
	if (!rc)
		rc = kernel_listen(listener, 1);
	if (!rc)
		rc = kernel_getsockname(listener, (struct sockaddr *)&addr);
	if (rc >= 0)
		rc = sock_create_kern(&init_net, AF_INET, SOCK_STREAM,
				      IPPROTO_TCP, client);
	if (!rc)
		rc = kernel_connect(*client, (struct sockaddr_unsized *)&addr,
				    sizeof(addr), 0);
	if (!rc)
		rc = kernel_accept(listener, server, 0);
	sock_release(listener);
	return rc;
}

#endif /* _NET_TLS_HANDSHAKE_TESTS_LOOPBACK_H */
