/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What net/tls calls in net/tls/handshake.  Without CONFIG_TLS_HANDSHAKE
 * listening sockets are refused as ever.
 */
#ifndef _NET_TLS_HANDSHAKE_LISTEN_H
#define _NET_TLS_HANDSHAKE_LISTEN_H

#include <linux/init.h>
#include <linux/sockptr.h>
#include <net/tcp.h>
#include <net/tls.h>

#ifdef CONFIG_TLS_HANDSHAKE
int tls_hs_listen_init(struct sock *sk, const struct tcp_ulp_ops *ulp_ops);
void tls_hs_update_proto(struct proto *prot);
void tls_hs_close_notify(struct sock *sk, struct tls_context *ctx);
void tls_hs_clone(const struct request_sock *req, struct sock *newsk,
		  gfp_t gfp);
void tls_hs_release(struct sock *sk);
struct inet_csk_hold *tls_hs_hold(struct sock *child);
void tls_hs_abandon(struct inet_csk_hold *hold);
void tls_hs_pressure(struct list_head *held);
int tls_hs_accepted(struct sock *child, struct proto_accept_arg *arg);
int tls_hs_get_status(struct sock *sk, void *status, size_t size);
int tls_hs_put_info(const struct tls_context *ctx, struct sk_buff *skb);
size_t tls_hs_info_size(void);
int tls_hs_get_alpn(struct sock *sk, u8 *name);
void tls_hs_ctx_free(struct tls_context *ctx);
int __init tls_hs_init(void);
void tls_hs_exit(void);

#define TLS_HS_ULP_OPS				\
	.clone		= tls_hs_clone,		\
	.release	= tls_hs_release,	\
	.hold		= tls_hs_hold,		\
	.abandon	= tls_hs_abandon,	\
	.pressure	= tls_hs_pressure,	\
	.accepted	= tls_hs_accepted,
#else
static inline int tls_hs_listen_init(struct sock *sk,
				     const struct tcp_ulp_ops *ulp_ops)
{
	return -ENOTCONN;
}

static inline void tls_hs_update_proto(struct proto *prot) {}
static inline void tls_hs_close_notify(struct sock *sk,
				       struct tls_context *ctx) {}
static inline void tls_hs_ctx_free(struct tls_context *ctx) {}
static inline int tls_hs_init(void) { return 0; }

static inline void tls_hs_exit(void) {}

static inline int tls_hs_get_status(struct sock *sk, void *status, size_t size)
{
	return -ENOPROTOOPT;
}

static inline int tls_hs_put_info(const struct tls_context *ctx,
				  struct sk_buff *skb)
{
	return 0;
}

static inline size_t tls_hs_info_size(void) { return 0; }

static inline int tls_hs_get_alpn(struct sock *sk, u8 *name)
{
	return -ENOPROTOOPT;
}

#define TLS_HS_ULP_OPS
#endif

#endif /* _NET_TLS_HANDSHAKE_LISTEN_H */
