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
int tls_hs_listen_attach(struct sock *sk);
struct tls_context *tls_hs_close_connected(struct sock *sk);
void tls_hs_clone(const struct request_sock *req, struct sock *newsk,
		  gfp_t gfp);
void tls_hs_release(struct sock *sk);
int tls_hs_set_connected(struct sock *sk, sockptr_t optval,
			 unsigned int optlen);
int tls_hs_get_status(struct sock *sk, void *status, size_t size);
int tls_hs_put_info(const struct tls_context *ctx, struct sk_buff *skb);
size_t tls_hs_info_size(void);
int tls_hs_get_alpn(struct sock *sk, u8 *name);
void tls_hs_ctx_free(struct tls_context *ctx);
int __init tls_hs_module_init(void);
void tls_hs_module_exit(void);

/* Is only one direction encrypted?  Such a socket must neither send nor
 * receive: the other direction would be in the clear.
 */
static inline bool tls_hs_is_half_done(const struct tls_context *ctx)
{
	return ctx->hs_keys &&
	       (ctx->tx_conf == TLS_BASE || ctx->rx_conf == TLS_BASE);
}

/* Forbid to offload keys to a NIC: key updates, alerts and close_notify are
 * done by software, as long as no driver offloads TLS 1.3.
 */
static inline int tls_hs_software_only(const struct tls_context *ctx)
{
	return ctx->hs_keys ? -EOPNOTSUPP : 0;
}

#define TLS_HS_ULP_OPS				\
	.clone		= tls_hs_clone,		\
	.release	= tls_hs_release,
#else
static inline int tls_hs_listen_attach(struct sock *sk)
{
	return -ENOTCONN;
}

static inline bool tls_hs_is_half_done(const struct tls_context *ctx)
{
	return false;
}

static inline int tls_hs_software_only(const struct tls_context *ctx)
{
	return 0;
}

static inline struct tls_context *tls_hs_close_connected(struct sock *sk)
{
	return tls_get_ctx(sk);
}

static inline void tls_hs_ctx_free(struct tls_context *ctx) {}
static inline int tls_hs_module_init(void) { return 0; }

static inline void tls_hs_module_exit(void) {}

static inline int tls_hs_set_connected(struct sock *sk, sockptr_t optval,
				       unsigned int optlen)
{
	return -ENOPROTOOPT;
}

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
