// SPDX-License-Identifier: GPL-2.0
/*
 * Connections after the handshake: key updates and alerts.
 *
 * Reading happens in process context with the socket lock.  A KeyUpdate of the
 * client changes the key of what follows at once.  What is to be sent in turn
 * is noted in tls_context::hs_flags and sent by whoever comes first: the next
 * writer, before its record, or a work item.  That way readers never wait for
 * tx_lock, which comes before the socket lock and which writers keep while
 * they sleep.
 */

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <net/tcp.h>
#include <net/tls_prot.h>

#include "handshake.h"
#include "post.h"
#include "events.h"

/* First version of struct tls_hs_key_update. */
#define TLS_HS_KEY_UPDATE_SIZE_VER0	8
static_assert(sizeof(struct tls_hs_key_update) == TLS_HS_KEY_UPDATE_SIZE_VER0);

/* First version of struct tls_hs_exporter. */
#define TLS_HS_EXPORTER_SIZE_VER0	16
static_assert(sizeof(struct tls_hs_exporter) == TLS_HS_EXPORTER_SIZE_VER0);

/* A limit for output and context; HKDF-Expand has at most 255 times the hash.
 */
#define TLS_HS_EXPORTER_MAX		U16_MAX
#define TLS_HS_EXPORTER_LABEL_MAX	249

/* Let the work item send what is due.  Any context. */
void tls_hs_tx_queue(struct tls_context *ctx)
{
	queue_work(tls_hs_wq, &tls_sw_ctx_tx(ctx)->hs_work);
}

/**
 * __tls_hs_tx_flush - let an open record be sent
 * @ctx: the context of a connection
 * @delay: jiffies; those of an earlier call count if they are not 0
 *
 * Context: any.
 */
void __tls_hs_tx_flush(struct tls_context *ctx, unsigned long delay)
{
	struct delayed_work *work = &tls_sw_ctx_tx(ctx)->hs_flush;

	if (delay)
		queue_delayed_work(tls_hs_wq, work, delay);
	else
		mod_delayed_work(tls_hs_wq, work, 0);
}

static void tls_hs_tx_want(struct tls_context *ctx, int bit)
{
	set_bit(bit, &ctx->hs_flags);
	tls_hs_tx_queue(ctx);
}

/* Let the work item try again when there is room in the send buffer. */
static void tls_hs_tx_wait(struct sock *sk, struct tls_context *ctx)
{
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	set_bit(TLS_HS_TX_WAIT, &ctx->hs_flags);
}

/* The connection is over.  @err is what readers get from now on.  The secrets of
 * a failed connection must be forgotten (RFC 9846, section 6); kTLS has a key
 * for the alert.
 */
static void tls_hs_break(struct sock *sk, struct tls_context *ctx, int err)
{
	ctx->hs_error = err;
	set_bit(TLS_HS_BROKEN, &ctx->hs_flags);
	tls_hs_session_forget(ctx->hs_session);
	tls_err_abort(sk, err);
}

/* End the connection because of what the client has sent, and tell it so by an
 * alert.  With the socket lock held, in process context or, from the stream
 * parser, in softirq.
 */
static void tls_hs_fatal(struct sock *sk, struct tls_context *ctx, u8 alert,
			 int err)
{
	if (test_bit(TLS_HS_BROKEN, &ctx->hs_flags))
		return;
	ctx->hs_alert = alert;
	tls_hs_break(sk, ctx, err);
	tls_hs_tx_want(ctx, TLS_HS_TX_ALERT);
}

/* Drop what is unread: it would turn a close into a reset that overtakes what
 * has been sent.
 */
static void tls_hs_drain(struct sock *sk, struct tls_context *ctx)
{
	struct tls_strparser *strp = &tls_sw_ctx_rx(ctx)->strp;

	tls_strp_stop(strp);
	if (strp->msg_ready)
		tls_strp_msg_consume(strp);
	tls_hs_drop_unread(sk);
}

static bool tls_hs_can_send(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) &&
	       !(sk->sk_shutdown & SEND_SHUTDOWN);
}

static void tls_hs_trace_alert(const struct sock *sk,
			       const struct tls_context *ctx, u8 description,
			       bool sent)
{
	trace_tls_handshake_alert(sk, ctx->hs_session, &ctx->hs_info,
				  (u64)ctx->hs_info.duration_us * NSEC_PER_USEC,
				  description, sent);
}

/* Encrypt an alert.  With tx_lock and the socket lock held. */
static int tls_hs_push_alert(struct sock *sk, u8 level, u8 description,
			     int flags)
{
	const u8 alert[] = { level, description };
	int err, rc;

	/* TCP sends nothing while sk_err is set, which tls_hs_break() has done.
	 */
	err = xchg(&sk->sk_err, 0);
	rc = tls_sw_push_control(sk, TLS_RECORD_TYPE_ALERT, alert,
				 sizeof(alert), flags);
	if (err)
		WRITE_ONCE(sk->sk_err, err);
	return rc;
}

/* Send a FIN after what TCP has queued. */
static void tls_hs_fin(struct sock *sk, struct tls_context *ctx)
{
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	ctx->sk_proto->shutdown(sk, SEND_SHUTDOWN);
}

/* With tx_lock and the socket lock held. */
static void tls_hs_send_alert(struct sock *sk, struct tls_context *ctx)
{
	if (!test_and_clear_bit(TLS_HS_TX_ALERT, &ctx->hs_flags))
		return;
	if (tls_hs_can_send(sk)) {
		tls_hs_push_alert(sk, TLS_ALERT_LEVEL_FATAL, ctx->hs_alert, 0);
		tls_hs_count_alert(sock_net(sk), ctx->hs_alert);
		tls_hs_trace_alert(sk, ctx, ctx->hs_alert, true);
		/* A FIN behind a record that is stuck would cut that off. */
		if (!tls_sw_push_all(sk))
			tls_hs_fin(sk, ctx);
	}
	clear_bit(TLS_HS_TX_END, &ctx->hs_flags);
	tls_hs_drain(sk, ctx);
}

/* Send everything that has been taken, and close_notify as the last of it, which
 * is left for the caller's FIN to go with in one segment.  With tx_lock and the
 * socket lock held.  -EAGAIN or -ENOMEM if it has to be tried once more.
 */
static int tls_hs_send_close_notify(struct sock *sk, struct tls_context *ctx)
{
	/* Then close() sends a reset, not a FIN. */
	bool abort = sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
	int rc;

	if (test_bit(TLS_HS_BROKEN, &ctx->hs_flags))
		return 0;
	rc = tls_sw_push_all(sk);
	if (rc || test_bit(TLS_HS_TX_CLOSED, &ctx->hs_flags))
		return rc;
	rc = tls_hs_push_alert(sk, TLS_ALERT_LEVEL_WARNING,
			       TLS_ALERT_DESC_CLOSE_NOTIFY,
			       abort ? 0 : MSG_MORE);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	set_bit(TLS_HS_TX_CLOSED, &ctx->hs_flags);
	return tls_sw_push_all(sk);
}

/* End what is sent: the alert that is due, or close_notify.  Then the FIN, now or
 * when there is memory.  With tx_lock and the socket lock held.
 */
static void tls_hs_end_tx(struct sock *sk, struct tls_context *ctx)
{
	if (test_bit(TLS_HS_TX_ALERT, &ctx->hs_flags)) {
		tls_hs_send_alert(sk, ctx);
		return;
	}
	if (tls_hs_can_send(sk) && tls_hs_send_close_notify(sk, ctx)) {
		set_bit(TLS_HS_TX_END, &ctx->hs_flags);
		tls_hs_tx_wait(sk, ctx);
		return;
	}
	clear_bit(TLS_HS_TX_END, &ctx->hs_flags);
	if (ctx->hs_sndbuf) {
		WRITE_ONCE(sk->sk_sndbuf, ctx->hs_sndbuf);
		ctx->hs_sndbuf = 0;
	}
	if (tls_hs_can_send(sk))
		tls_hs_fin(sk, ctx);
}

/* With the socket lock held, so that tx_lock, which comes before it, can only
 * be tried.  A writer that sleeps with tx_lock gets all the room that it needs
 * to complete its record, and takes no more data.
 */
static void tls_hs_shutdown(struct sock *sk, int how)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	/* Who has set the keys sends close_notify. */
	if (!tls_hs_owns_keys(ctx) || !(how & SEND_SHUTDOWN)) {
		ctx->sk_proto->shutdown(sk, how);
		return;
	}
	/* inet_shutdown() has set it, and TCP sends nothing while it is set. */
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~SEND_SHUTDOWN);
	if (!tls_hs_can_send(sk)) {
		tls_hs_fin(sk, ctx);
		return;
	}
	if (mutex_trylock(&ctx->tx_lock)) {
		tls_hs_end_tx(sk, ctx);
		mutex_unlock(&ctx->tx_lock);
		return;
	}
	set_bit(TLS_HS_TX_END, &ctx->hs_flags);
	if (!ctx->hs_sndbuf) {
		ctx->hs_sndbuf = sk->sk_sndbuf;
		WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	}
	tls_hs_tx_queue(ctx);
}

/**
 * tls_hs_update_proto - take the calls that end a connection
 * @prot: of connections with keys in both directions
 */
void tls_hs_update_proto(struct proto *prot)
{
	prot->shutdown = tls_hs_shutdown;
}

/* Go to the next generation of keys.  May sleep. */
static int tls_hs_rekey(struct sock *sk, struct tls_context *ctx, bool tx)
{
	union tls_crypto_context info = {};
	int rc;

	rc = tls_hs_session_update(ctx->hs_session, tx, &info, sizeof(info));
	if (rc >= 0)
		rc = tls_set_sw_offload(sk, tx, &info.info);
	memzero_explicit(&info, sizeof(info));
	tls_hs_forget_key(ctx, tx);
	if (rc)
		TLS_INC_STATS(sock_net(sk), tx ? LINUX_MIB_TLSTXREKEYERROR :
						 LINUX_MIB_TLSRXREKEYERROR);
	else
		TLS_INC_STATS(sock_net(sk), tx ? LINUX_MIB_TLSTXREKEYOK :
						 LINUX_MIB_TLSRXREKEYOK);
	return rc;
}

/* Send a KeyUpdate under the old key and install the new one.  -ENOMEM if
 * nothing has happened; any other error is the end of the connection.
 */
static int tls_hs_send_update(struct sock *sk, struct tls_context *ctx,
			      u8 request, int flags)
{
	const u8 message[] = { TLS_HANDSHAKE_KEYUPDATE, 0, 0, 1, request };
	int rc;

	rc = tls_sw_push_control(sk, TLS_RECORD_TYPE_HANDSHAKE, message,
				 sizeof(message), flags);
	if (rc)
		return rc;
	rc = tls_hs_rekey(sk, ctx, true);
	if (rc) {
		tls_hs_break(sk, ctx, -EBADMSG);
		return -EBADMSG;
	}
	return 0;
}

/* Several requests need one answer only (RFC 9846, section 4.7.3), which must
 * not be a request itself.
 */
static int tls_hs_send_updates(struct sock *sk, struct tls_context *ctx,
			       int flags)
{
	unsigned long due = READ_ONCE(ctx->hs_flags) & TLS_HS_TX_UPDATES;
	int rc = 0;

	/* getsockopt(SO_ERROR) clears it without the socket lock. */
	if (READ_ONCE(sk->sk_err))
		return -EPIPE;
	if (!tls_hs_can_send(sk))
		due = 0;

	if (due & BIT(TLS_HS_TX_ANSWER) || due == BIT(TLS_HS_TX_UPDATE)) {
		rc = tls_hs_send_update(sk, ctx, 0, flags);
		if (rc)
			return rc;
		clear_bit(TLS_HS_TX_ANSWER, &ctx->hs_flags);
	}
	if (due & BIT(TLS_HS_TX_REQUEST)) {
		rc = tls_hs_send_update(sk, ctx, 1, flags);
		if (rc)
			return rc;
	}
	set_mask_bits(&ctx->hs_flags, TLS_HS_TX_UPDATES, 0);
	return 0;
}

/**
 * __tls_hs_tx_record - send what has to be sent before the next record
 * @sk: a connection
 * @ctx: its context
 *
 * For want of memory an update may come after some more records.
 *
 * Context: process, with tx_lock and the socket lock held.  May sleep.
 * Return: 0 or an error, after which nothing can be sent any more.
 */
int __tls_hs_tx_record(struct sock *sk, struct tls_context *ctx)
{
	int rc;

	if (test_bit(TLS_HS_BROKEN, &ctx->hs_flags))
		return -EPIPE;
	if (tls_hs_key_is_old(ctx, &ctx->tx))
		set_bit(TLS_HS_TX_UPDATE, &ctx->hs_flags);
	/* In one segment with the record, which need not wait until the client has
	 * acknowledged the update (Nagle).
	 */
	rc = tls_hs_send_updates(sk, ctx, MSG_MORE);
	return rc == -ENOMEM ? 0 : rc;
}

/**
 * tls_hs_tx_due - send what is due, if the send buffer has room
 * @sk: a connection
 * @ctx: its context
 *
 * A client that sends requests without reading the answers must not make the
 * queue grow.
 *
 * Context: process, with tx_lock and the socket lock held.  May sleep.
 */
void tls_hs_tx_due(struct sock *sk, struct tls_context *ctx)
{
	struct tls_sw_context_tx *tx = tls_sw_ctx_tx(ctx);

	if (READ_ONCE(ctx->hs_flags) &
	    (BIT(TLS_HS_TX_ALERT) | BIT(TLS_HS_TX_END))) {
		tls_hs_end_tx(sk, ctx);
		return;
	}
	if (!(READ_ONCE(ctx->hs_flags) & TLS_HS_TX_UPDATES) ||
	    test_bit(TLS_HS_BROKEN, &ctx->hs_flags) || READ_ONCE(sk->sk_err))
		return;

	if (tls_hs_can_send(sk))
		tls_tx_records(sk, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!list_empty(&tx->tx_list) || !sk_stream_memory_free(sk)) {
		tls_hs_tx_wait(sk, ctx);
		return;
	}
	tls_hs_send_updates(sk, ctx, 0);
	tls_hs_delay_nothing(sk);
}

/* Give a record to the session, and do what it says.  close_notify is the end
 * of what can be read.  An alert that ends the connection is no error for this
 * reader, but for the next ones (RFC 9846, section 6).
 */
static int tls_hs_rx_record(struct sock *sk, struct tls_context *ctx, u8 type,
			    const u8 *content, u32 len)
{
	struct tls_hs_received received = {};
	int rc;

	tls_hs_session_record(ctx->hs_session, type, content, len, &received);
	assign_bit(TLS_HS_RX_BUSY, &ctx->hs_flags, received.watch_data);

	switch (received.event) {
	case TLS_HS_EV_NONE:
		return 0;
	case TLS_HS_EV_REKEY:
	case TLS_HS_EV_REKEY_ANSWER:
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSRXREKEYRECEIVED);
		rc = tls_hs_rekey(sk, ctx, false);
		if (rc) {
			tls_hs_fatal(sk, ctx, TLS_ALERT_DESC_INTERNAL_ERROR, rc);
			return rc;
		}
		clear_bit(TLS_HS_RX_ASKED, &ctx->hs_flags);
		if (received.event == TLS_HS_EV_REKEY_ANSWER)
			tls_hs_tx_want(ctx, TLS_HS_TX_ANSWER);
		return 0;
	case TLS_HS_EV_CLOSED:
		set_bit(TLS_HS_RX_END, &ctx->hs_flags);
		tls_strp_stop(&tls_sw_ctx_rx(ctx)->strp);
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | RCV_SHUTDOWN);
		return 0;
	case TLS_HS_EV_ABORTED:
		tls_hs_count_peer_alert(sock_net(sk), received.alert);
		tls_hs_trace_alert(sk, ctx, received.alert, false);
		tls_hs_break(sk, ctx, -ECONNRESET);
		return 0;
	case TLS_HS_EV_FATAL:
	default:
		tls_hs_fatal(sk, ctx, received.alert, -EPROTO);
		return -EPROTO;
	}
}

/**
 * tls_hs_rx_data - take note of a record of application data
 * @sk: a connection
 * @ctx: its context
 * @len: length of the data
 *
 * Context: process, with the socket lock held.
 * Return: 0 or an error for the reader.
 */
int tls_hs_rx_data(struct sock *sk, struct tls_context *ctx, u32 len)
{
	if (tls_hs_key_is_old(ctx, &ctx->rx) &&
	    !test_and_set_bit(TLS_HS_RX_ASKED, &ctx->hs_flags))
		tls_hs_tx_want(ctx, TLS_HS_TX_REQUEST);

	if (len && !test_bit(TLS_HS_RX_BUSY, &ctx->hs_flags))
		return 0;
	return tls_hs_rx_record(sk, ctx, TLS_RECORD_TYPE_DATA, NULL, len);
}

/**
 * tls_hs_rx_control - handle a record that is not application data
 * @sk: a connection
 * @ctx: its context
 * @skb: the decrypted record
 *
 * Context: process, with the socket lock held.  May sleep.
 * Return: 0 or an error for the reader.  An alert that ends the connection is
 * no error, but what is read behind it is.
 */
int tls_hs_rx_control(struct sock *sk, struct tls_context *ctx,
		      struct sk_buff *skb)
{
	const struct strp_msg *rxm = strp_msg(skb);
	u8 content[TLS_HS_MESSAGE_MAX];
	u32 len;

	len = min_t(u32, rxm->full_len, sizeof(content));
	if (skb_copy_bits(skb, rxm->offset, content, len)) {
		DEBUG_NET_WARN_ON_ONCE(1);
		len = 0;
	}

	return tls_hs_rx_record(sk, ctx, tls_msg(skb)->control, content, len);
}

/**
 * tls_hs_rx_failed - a record could not be decrypted
 * @sk: a connection
 * @ctx: its context
 * @err: why, as the reader will be told
 * @no_type: it could, but has no content type
 *
 * Context: process, with the socket lock held.
 */
void tls_hs_rx_failed(struct sock *sk, struct tls_context *ctx, int err,
		      bool no_type)
{
	u8 alert = TLS_ALERT_DESC_INTERNAL_ERROR;

	if (!tls_hs_owns_keys(ctx))
		return;
	if (no_type)
		alert = TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
	else if (err == -EBADMSG)
		alert = TLS_ALERT_DESC_BAD_RECORD_MAC;
	tls_hs_fatal(sk, ctx, alert, err);
}

/**
 * tls_hs_rx_bad_header - the stream parser cannot go on
 * @sk: a connection
 * @ctx: its context
 * @err: why, as the reader will be told
 *
 * Context: softirq or process, with the socket lock held.
 */
void tls_hs_rx_bad_header(struct sock *sk, struct tls_context *ctx, int err)
{
	u8 alert;

	if (!tls_hs_owns_keys(ctx))
		return;
	switch (err) {
	case -EPROTO:
		alert = TLS_ALERT_DESC_UNEXPECTED_MESSAGE;
		break;
	case -EMSGSIZE:
		alert = TLS_ALERT_DESC_RECORD_OVERFLOW;
		break;
	case -EBADMSG:
		/* The record is too short for a tag. */
		alert = TLS_ALERT_DESC_BAD_RECORD_MAC;
		break;
	case -EINVAL:
		/* The record has a wrong version. */
		alert = TLS_ALERT_DESC_DECODE_ERROR;
		break;
	default:
		alert = TLS_ALERT_DESC_INTERNAL_ERROR;
		break;
	}
	tls_hs_fatal(sk, ctx, alert, err);
}

/**
 * tls_hs_rx_urgent - there is urgent data of TCP
 * @sk: a connection
 * @ctx: its context
 *
 * TLS has no use for it, and with a byte missing or one too many in the stream
 * nothing behind it could be read.
 *
 * Context: softirq or process, with the socket lock held.
 */
void tls_hs_rx_urgent(struct sock *sk, struct tls_context *ctx)
{
	if (tls_hs_owns_keys(ctx) && !test_bit(TLS_HS_RX_END, &ctx->hs_flags))
		tls_hs_fatal(sk, ctx, TLS_ALERT_DESC_UNEXPECTED_MESSAGE,
			     -EPROTO);
}

/**
 * tls_hs_max_payload - the longest record that the client wants
 * @ctx: the context of a connection
 *
 * Return: bytes of data.
 */
u16 tls_hs_max_payload(const struct tls_context *ctx)
{
	return tls_hs_session_max_payload(ctx->hs_session);
}

/* Let close() reset the connection, for the client to see that data was lost.
 */
static void tls_hs_reset_on_close(struct sock *sk)
{
	sock_set_flag(sk, SOCK_LINGER);
	sk->sk_lingertime = 0;
}

/**
 * tls_hs_finish - end a connection
 * @sk: a connection that is being closed
 * @ctx: its context
 *
 * What TCP does with a connection of which something has not been read or could not
 * be sent, it does with this one.
 *
 * Context: process, with the socket lock held; the work items are disabled.
 */
void tls_hs_finish(struct sock *sk, struct tls_context *ctx)
{
	bool unread;

	if (!tls_hs_owns_keys(ctx) || ctx->tx_conf != TLS_SW ||
	    ctx->rx_conf != TLS_SW)
		return;

	unread = tls_sw_has_unread(sk);
	/* On close() there are no writers any more. */
	if (!unread && mutex_trylock(&ctx->tx_lock)) {
		if (test_bit(TLS_HS_TX_ALERT, &ctx->hs_flags))
			tls_hs_send_alert(sk, ctx);
		else if (tls_hs_can_send(sk) &&
			 tls_hs_send_close_notify(sk, ctx))
			tls_hs_reset_on_close(sk);
		mutex_unlock(&ctx->tx_lock);
	}
	if (unread)
		tls_hs_reset_on_close(sk);
	else if (READ_ONCE(ctx->hs_flags) &
		 (BIT(TLS_HS_BROKEN) | BIT(TLS_HS_RX_END)))
		tls_hs_drain(sk, ctx);
}

/**
 * tls_hs_set_key_update - setsockopt(TLS_HS_KEY_UPDATE)
 * @sk: a connection
 * @optval: struct tls_hs_key_update
 * @optlen: its length
 *
 * Context: process.  Takes the socket lock.
 * Return: 0 or an error.
 */
int tls_hs_set_key_update(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs_key_update update = {};
	int rc;

	if (optlen < TLS_HS_KEY_UPDATE_SIZE_VER0)
		return -EINVAL;
	if (optlen > PAGE_SIZE)
		return -E2BIG;
	rc = copy_struct_from_sockptr(&update, sizeof(update), optval, optlen);
	if (rc)
		return rc;
	if (update.flags & ~(TLS_HS_KEY_UPDATE_NOW | TLS_HS_KEY_UPDATE_REQUEST) ||
	    update.max_records > TLS_HS_MAX_RECORDS)
		return -EINVAL;

	lock_sock(sk);
	if (!tls_hs_owns_keys(ctx)) {
		rc = -ENODATA;
		goto out;
	}
	if (!tls_hs_can_send(sk) || test_bit(TLS_HS_BROKEN, &ctx->hs_flags)) {
		rc = -EPIPE;
		goto out;
	}
	if (update.max_records)
		ctx->hs_max_records = update.max_records;
	/* Until the client has answered a request, another one must not be sent
	 * (RFC 9846, section 4.7.3).
	 */
	if (update.flags & TLS_HS_KEY_UPDATE_REQUEST &&
	    !test_and_set_bit(TLS_HS_RX_ASKED, &ctx->hs_flags))
		tls_hs_tx_want(ctx, TLS_HS_TX_REQUEST);
	else if (update.flags)
		tls_hs_tx_want(ctx, TLS_HS_TX_UPDATE);
out:
	release_sock(sk);
	return rc;
}

/* Read the head of the argument, and check the sizes in it. */
static int tls_hs_exporter_head(sockopt_t *opt, struct tls_hs_exporter *head)
{
	struct iov_iter *in = &opt->iter_in;
	u64 need;
	u8 byte;
	u32 i;

	if (opt->optlen < (int)sizeof(*head))
		return -EINVAL;
	if (!copy_from_iter_full(head, sizeof(*head), in))
		return -EFAULT;
	if (head->size < sizeof(*head) || head->size > PAGE_SIZE ||
	    !head->label_len || head->label_len > TLS_HS_EXPORTER_LABEL_MAX ||
	    head->context_len > TLS_HS_EXPORTER_MAX ||
	    !head->out_len || head->out_len > TLS_HS_EXPORTER_MAX)
		return -EINVAL;
	need = head->size + max((u64)head->label_len + head->context_len,
				(u64)head->out_len);
	if (opt->optlen < need)
		return -EINVAL;

	for (i = sizeof(*head); i < head->size; i++) {
		if (!copy_from_iter_full(&byte, 1, in))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

/**
 * tls_hs_get_exporter - getsockopt(TLS_HS_EXPORTER)
 * @sk: a connection
 * @opt: struct tls_hs_exporter; its data are input and output
 *
 * Context: process, with the socket lock held.
 * Return: 0 or an error.
 */
int tls_hs_get_exporter(struct sock *sk, sockopt_t *opt)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs_exporter head;
	size_t in_len, size;
	u8 *buf;
	int rc;

	if (!tls_hs_owns_keys(ctx) || test_bit(TLS_HS_BROKEN, &ctx->hs_flags))
		return -ENODATA;
	rc = tls_hs_exporter_head(opt, &head);
	if (rc)
		return rc;

	in_len = head.label_len + head.context_len;
	size = in_len + head.out_len;
	buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	rc = -EFAULT;
	if (!copy_from_iter_full(buf, in_len, &opt->iter_in))
		goto out;
	rc = tls_hs_session_export(ctx->hs_session, buf, head.label_len,
				   buf + head.label_len, head.context_len,
				   buf + in_len, head.out_len);
	if (rc)
		goto out;

	iov_iter_advance(&opt->iter_out, head.size);
	if (copy_to_iter(buf + in_len, head.out_len,
			 &opt->iter_out) != head.out_len)
		rc = -EFAULT;
	opt->optlen = head.size + head.out_len;
out:
	kvfree_sensitive(buf, size);
	return rc;
}
