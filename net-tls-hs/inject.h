/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places where memory can be short, to be tested with
 * /sys/kernel/debug/fail_tls_handshake.
 */
#ifndef _NET_TLS_HANDSHAKE_INJECT_H
#define _NET_TLS_HANDSHAKE_INJECT_H

#include <linux/types.h>

/**
 * enum tls_hs_inject - bits of /sys/kernel/debug/fail_tls_handshake/sites
 * @TLS_HS_INJECT_HANDSHAKE: struct tls_hs of a child
 * @TLS_HS_INJECT_CONTEXT: its struct tls_context
 * @TLS_HS_INJECT_SESSION: the engine's session
 * @TLS_HS_INJECT_PAGE: a page of a flight
 * @TLS_HS_INJECT_UNSENT: the copy of a flight that did not fit
 * @TLS_HS_INJECT_TX: keys for sending
 * @TLS_HS_INJECT_RX: keys for receiving
 * @TLS_HS_INJECT_LOOK: the look into a keyring
 */
enum tls_hs_inject {
	TLS_HS_INJECT_HANDSHAKE,
	TLS_HS_INJECT_CONTEXT,
	TLS_HS_INJECT_SESSION,
	TLS_HS_INJECT_PAGE,
	TLS_HS_INJECT_UNSENT,
	TLS_HS_INJECT_TX,
	TLS_HS_INJECT_RX,
	TLS_HS_INJECT_LOOK,
};

#ifdef CONFIG_TLS_HANDSHAKE_FAULT_INJECTION
bool tls_hs_inject(enum tls_hs_inject site);
void __init tls_hs_inject_init(void);
void tls_hs_inject_exit(void);
#else
static inline bool tls_hs_inject(enum tls_hs_inject site)
{
	return false;
}

static inline void tls_hs_inject_init(void) {}
static inline void tls_hs_inject_exit(void) {}
#endif

#endif /* _NET_TLS_HANDSHAKE_INJECT_H */
