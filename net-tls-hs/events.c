// SPDX-License-Identifier: GPL-2.0
#include <linux/ipv6.h>
#include <net/inet_sock.h>
#include <trace/events/net_probe_common.h>

#include "engine.h"

/* The addresses and ports of both ends, each as a struct sockaddr. */
static __maybe_unused void
tls_hs_event_addresses(const struct sock *sk, u8 *saddr, u8 *daddr)
{
	const struct { u8 *saddr, *daddr; } to = { saddr, daddr }, *entry = &to;
	const struct inet_sock *inet = inet_sk(sk);

	memset(saddr, 0, sizeof(struct sockaddr_in6));
	memset(daddr, 0, sizeof(struct sockaddr_in6));
	TP_STORE_ADDR_PORTS(entry, inet, sk);
}

/* The server name of a session, which may be missing: who has failed? */
static __maybe_unused const char *
tls_hs_event_name(const struct tls_hs_session *session)
{
	const u8 *name = "";

	if (session)
		tls_hs_session_name(session, &name);
	return name;
}

static __maybe_unused size_t
tls_hs_event_name_len(const struct tls_hs_session *session)
{
	const u8 *name;

	return session ? tls_hs_session_name(session, &name) : 0;
}

#define CREATE_TRACE_POINTS
#include "events.h"
