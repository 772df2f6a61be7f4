/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What net/tls calls in net/tls/handshake once a handshake is over.  These are
 * connections with tls_context::hs_session: the kernel has their traffic
 * secrets, so it updates keys and sends alerts by itself.
 */
#ifndef _NET_TLS_HANDSHAKE_POST_H
#define _NET_TLS_HANDSHAKE_POST_H

#include <linux/net.h>
#include <linux/sockptr.h>
#include <linux/unaligned.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "../tls.h"

/* Records under one key: 2^24.5 is the limit for AES-GCM (RFC 9846, section
 * 5.5), less some for what is under way until an update takes effect.
 */
#define TLS_HS_MAX_RECORDS	0x1000000U

/* How long MSG_MORE lets data wait, as TCP does. */
#define TLS_HS_TX_MORE_DELAY	TCP_RTO_MIN

/* Bits of tls_context::hs_flags. */
enum {
	TLS_HS_TX_ANSWER,	/* the client wants a KeyUpdate */
	TLS_HS_TX_UPDATE,	/* the key has been used for long enough */
	TLS_HS_TX_REQUEST,	/* same, and the client shall update its own */
	TLS_HS_TX_ALERT,	/* hs_alert is to be sent */
	TLS_HS_TX_WAIT,		/* for room in the send buffer */
	TLS_HS_TX_END,		/* nothing more is taken, close_notify is due */
	TLS_HS_TX_CLOSED,	/* close_notify has been encrypted */
	TLS_HS_TX_FLUSH,	/* an open record has waited for long enough */
	TLS_HS_RX_BUSY,		/* the session wants to know of data */
	TLS_HS_RX_ASKED,	/* a KeyUpdate of the client was asked for */
	TLS_HS_RX_END,		/* the client has sent close_notify */
	TLS_HS_BROKEN,		/* ended by an alert: reads fail with hs_error */
};

#define TLS_HS_TX_UPDATES	(BIT(TLS_HS_TX_ANSWER) | \
				 BIT(TLS_HS_TX_UPDATE) | \
				 BIT(TLS_HS_TX_REQUEST))
#define TLS_HS_TX_DUE		(TLS_HS_TX_UPDATES | BIT(TLS_HS_TX_ALERT) | \
				 BIT(TLS_HS_TX_END) | BIT(TLS_HS_TX_FLUSH))

#ifdef CONFIG_TLS_HANDSHAKE
int __tls_hs_tx_record(struct sock *sk, struct tls_context *ctx);
void tls_hs_tx_due(struct sock *sk, struct tls_context *ctx);
void tls_hs_tx_queue(struct tls_context *ctx);
void __tls_hs_tx_flush(struct tls_context *ctx, unsigned long delay);
int tls_hs_rx_data(struct sock *sk, struct tls_context *ctx, u32 len);
int tls_hs_rx_control(struct sock *sk, struct tls_context *ctx,
		      struct sk_buff *skb);
void tls_hs_rx_failed(struct sock *sk, struct tls_context *ctx, int err,
		      bool no_type);
void tls_hs_rx_bad_header(struct sock *sk, struct tls_context *ctx, int err);
void tls_hs_rx_urgent(struct sock *sk, struct tls_context *ctx);
void tls_hs_update_proto(struct proto *prot);
u16 tls_hs_max_payload(const struct tls_context *ctx);
void tls_hs_finish(struct sock *sk, struct tls_context *ctx);
int tls_hs_set_key_update(struct sock *sk, sockptr_t optval,
			  unsigned int optlen);
int tls_hs_get_exporter(struct sock *sk, sockopt_t *opt);

static inline bool tls_hs_owns_keys(const struct tls_context *ctx)
{
	return ctx->hs_keys;
}

/* Does the kernel set the keys, so that user space must not? */
static inline bool tls_hs_owns_socket(const struct tls_context *ctx)
{
	return ctx->hs_keys || ctx->hs;
}

static inline bool tls_hs_key_is_old(const struct tls_context *ctx,
				     const struct cipher_context *cipher)
{
	return get_unaligned_be64(cipher->rec_seq) >=
	       (ctx->hs_max_records ?: TLS_HS_MAX_RECORDS);
}

/* Send what must precede the next record.  With tx_lock and the socket lock
 * held.
 */
static inline int tls_hs_tx_record(struct sock *sk, struct tls_context *ctx)
{
	if (!tls_hs_owns_keys(ctx) ||
	    likely(!(READ_ONCE(ctx->hs_flags) &
		     (TLS_HS_TX_DUE | BIT(TLS_HS_BROKEN))) &&
		   !tls_hs_key_is_old(ctx, &ctx->tx)))
		return 0;
	return __tls_hs_tx_record(sk, ctx);
}

/* tx_lock has been released: queue what somebody wanted to send meanwhile. */
static inline void tls_hs_tx_unlocked(struct tls_context *ctx)
{
	if (!tls_hs_owns_keys(ctx))
		return;
	/* A task that fails to take tx_lock sets a bit before it tries; pairs
	 * with tls_hs_work_handler().
	 */
	smp_mb();
	if (unlikely(READ_ONCE(ctx->hs_flags) & TLS_HS_TX_DUE))
		tls_hs_tx_queue(ctx);
}

/* Has an alert, of either side, ended the connection? */
static inline bool tls_hs_is_broken(const struct tls_context *ctx)
{
	return tls_hs_owns_keys(ctx) &&
	       unlikely(test_bit(TLS_HS_BROKEN, &ctx->hs_flags));
}

/* Has a user ended what is sent, though it is not all on its way yet? */
static inline bool tls_hs_tx_ended(const struct tls_context *ctx)
{
	return tls_hs_owns_keys(ctx) &&
	       unlikely(test_bit(TLS_HS_TX_END, &ctx->hs_flags));
}

/* A record is open: send it in @delay jiffies if nothing completes it. */
static inline void tls_hs_tx_flush(struct tls_context *ctx, unsigned long delay)
{
	if (tls_hs_owns_keys(ctx))
		__tls_hs_tx_flush(ctx, delay);
}

static inline void tls_hs_write_space(struct tls_context *ctx)
{
	if (tls_hs_owns_keys(ctx) &&
	    unlikely(test_bit(TLS_HS_TX_WAIT, &ctx->hs_flags))) {
		clear_bit(TLS_HS_TX_WAIT, &ctx->hs_flags);
		tls_hs_tx_queue(ctx);
	}
}

/* Does a decrypted record need more than to be read?  Readers see data only, as
 * on TCP.
 */
static inline bool tls_hs_rx_wants(const struct tls_context *ctx,
				   struct sk_buff *skb)
{
	if (!tls_hs_owns_keys(ctx))
		return false;

	return tls_msg(skb)->control != TLS_RECORD_TYPE_DATA ||
	       !strp_msg(skb)->full_len ||
	       test_bit(TLS_HS_RX_BUSY, &ctx->hs_flags) ||
	       tls_hs_key_is_old(ctx, &ctx->rx);
}

/* Is there nothing more to read?  Then @err is what recv() returns. */
static inline bool tls_hs_rx_ended(const struct tls_context *ctx, int *err)
{
	if (!tls_hs_owns_keys(ctx) ||
	    likely(!(READ_ONCE(ctx->hs_flags) &
		     (BIT(TLS_HS_RX_END) | BIT(TLS_HS_BROKEN)))))
		return false;
	*err = test_bit(TLS_HS_BROKEN, &ctx->hs_flags) ? ctx->hs_error : 0;
	return true;
}

/* TLS_HS_S_* bits that were not there when the handshake ended. */
static inline u32 tls_hs_rx_status(const struct tls_context *ctx)
{
	return test_bit(TLS_HS_RX_END, &ctx->hs_flags) ? TLS_HS_S_CLOSED : 0;
}

/* After a handshake only protected records are valid, which have the type of
 * data.
 */
static inline bool tls_hs_rx_type_ok(const struct tls_context *ctx, u8 type)
{
	return !tls_hs_owns_keys(ctx) || type == TLS_RECORD_TYPE_DATA;
}
#else
static inline bool tls_hs_owns_keys(const struct tls_context *ctx)
{
	return false;
}

static inline bool tls_hs_owns_socket(const struct tls_context *ctx)
{
	return false;
}

static inline int tls_hs_tx_record(struct sock *sk, struct tls_context *ctx)
{
	return 0;
}

static inline void tls_hs_tx_unlocked(struct tls_context *ctx) {}
static inline void tls_hs_write_space(struct tls_context *ctx) {}
static inline void tls_hs_tx_flush(struct tls_context *ctx,
				   unsigned long delay) {}
static inline void tls_hs_update_proto(struct proto *prot) {}

static inline bool tls_hs_is_broken(const struct tls_context *ctx)
{
	return false;
}

static inline bool tls_hs_tx_ended(const struct tls_context *ctx)
{
	return false;
}

static inline u16 tls_hs_max_payload(const struct tls_context *ctx)
{
	return TLS_MAX_PAYLOAD_SIZE;
}

static inline bool tls_hs_rx_wants(const struct tls_context *ctx,
				   struct sk_buff *skb)
{
	return false;
}

static inline int tls_hs_rx_data(struct sock *sk, struct tls_context *ctx,
				 u32 len)
{
	return 0;
}

static inline int tls_hs_rx_control(struct sock *sk, struct tls_context *ctx,
				    struct sk_buff *skb)
{
	return 0;
}

static inline void tls_hs_rx_failed(struct sock *sk, struct tls_context *ctx,
				    int err, bool no_type) {}
static inline void tls_hs_rx_bad_header(struct sock *sk,
					struct tls_context *ctx, int err) {}
static inline void tls_hs_rx_urgent(struct sock *sk,
				    struct tls_context *ctx) {}

static inline bool tls_hs_rx_ended(const struct tls_context *ctx, int *err)
{
	return false;
}

static inline u32 tls_hs_rx_status(const struct tls_context *ctx)
{
	return 0;
}

static inline bool tls_hs_rx_type_ok(const struct tls_context *ctx, u8 type)
{
	return true;
}

static inline void tls_hs_finish(struct sock *sk, struct tls_context *ctx) {}

static inline int tls_hs_set_key_update(struct sock *sk, sockptr_t optval,
					unsigned int optlen)
{
	return -ENOPROTOOPT;
}

static inline int tls_hs_get_exporter(struct sock *sk, sockopt_t *opt)
{
	return -ENOPROTOOPT;
}
#endif

#endif /* _NET_TLS_HANDSHAKE_POST_H */
