// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at the receive queue of a connection in handshake: what is unread is
 * copied for the engine, and consumed when the engine has answered.
 *
 * Context: softirq or process, the socket lock is held.
 */

#include <linux/skbuff.h>
#include <net/proto_memory.h>
#include <net/tcp.h>
#include <net/tls_prot.h>

#include "../tls.h"
#include "drive.h"
#include "handshake.h"

/**
 * tls_hs_is_full - is there no room in the receive buffer?
 * @sk: the connection
 *
 * The window is shut, or is about to be since the buffer is full.  Unlike in
 * tcp_epollin_ready(), which is the same for readers, it does not matter that all
 * sockets together use much memory.
 *
 * Context: any, the socket lock is held.
 * Return: whether the receive queue cannot grow.
 */
bool tls_hs_is_full(const struct sock *sk)
{
	int rcvbuf = READ_ONCE(sk->sk_rcvbuf);

	return atomic_read(&sk->sk_rmem_alloc) > rcvbuf - (rcvbuf >> 3) ||
	       (tcp_receive_window(tcp_sk(sk)) <= inet_csk(sk)->icsk_ack.rcv_mss &&
		tcp_space(sk) <= inet_csk(sk)->icsk_ack.rcv_mss);
}

/**
 * tls_hs_make_room - enlarge the receive buffer for a ClientHello
 * @sk: the connection
 *
 * All of a ClientHello stays in the receive queue until it is whole, and small
 * segments take a multiple of their length.  TCP enlarges the buffer only when
 * somebody reads.
 *
 * Context: any, the socket lock is held.
 * Return: false if the buffer must not grow.
 */
bool tls_hs_make_room(struct sock *sk)
{
	int max = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]);

	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK || sk->sk_rcvbuf >= max ||
	    sk_under_memory_pressure(sk))
		return false;
	WRITE_ONCE(sk->sk_rcvbuf, min_t(s64, 2LL * sk->sk_rcvbuf, max));
	return true;
}

/**
 * tls_hs_unread - how much is unread
 * @sk: the connection
 *
 * Context: any, the socket lock is held.
 * Return: bytes, without the FIN.
 */
u32 tls_hs_unread(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unread = tp->rcv_nxt - tp->copied_seq;

	return unread - (unread && sock_flag(sk, SOCK_DONE));
}

/**
 * tls_hs_drop_unread - drop what is unread, so that a FIN can follow an alert
 * @sk: the connection
 *
 * With unread data TCP would send a reset, which overtakes the alert.  Unlike
 * tcp_inq() this does not stop at urgent data.
 *
 * Context: any, the socket lock is held.
 */
void tls_hs_drop_unread(struct sock *sk)
{
	u32 left = tls_hs_unread(sk);

	if (left)
		tcp_read_done(sk, left);
}

/**
 * tls_hs_has_news - is there something for the engine to look at, or the end?
 * @hs: the handshake
 *
 * Context: any, the socket lock is held.
 * Return: whether the work should run.
 */
bool tls_hs_has_news(const struct tls_hs *hs)
{
	const struct sock *sk = hs->sk;

	return tls_hs_unread(sk) >= hs->need ||
	       sk->sk_shutdown & RCV_SHUTDOWN || sk->sk_state == TCP_CLOSE ||
	       tcp_sk(sk)->urg_data || tls_hs_is_full(sk);
}

/**
 * tls_hs_is_readable - would read() of user space return?
 * @sk: the connection, perhaps with urgent data
 *
 * Context: any, the socket lock is held.
 * Return: whether there is anything besides the urgent byte, or the end.
 */
bool tls_hs_is_readable(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	bool urgent = tp->urg_data && !before(tp->urg_seq, tp->copied_seq) &&
		      !sock_flag(sk, SOCK_URGINLINE);

	return tls_hs_unread(sk) > urgent || sk->sk_shutdown & RCV_SHUTDOWN;
}

/**
 * tls_hs_consume - take bytes out of the receive queue
 * @hs: the handshake
 * @len: how many
 *
 * After that the connection cannot fall back.
 *
 * Context: any, the socket lock is held.
 */
void tls_hs_consume(struct tls_hs *hs, u32 len)
{
	if (!len)
		return;
	hs->consumed = true;
	tls_hs_count_bytes(sock_net(hs->sk), len, 0);
	tcp_read_done(hs->sk, len);
}

/* Find the buffer of an unread byte, from the end, where new data is. */
static struct sk_buff *tls_hs_find_skb(struct sock *sk, u32 seq)
{
	struct sk_buff *skb;

	skb_queue_reverse_walk(&sk->sk_receive_queue, skb)
		if (!after(TCP_SKB_CB(skb)->seq, seq))
			break;
	return skb;
}

/**
 * tls_hs_peek - copy what is unread
 * @sk: the connection
 * @offset: where to begin in it
 * @buf: where the copy goes
 * @max: its length at most
 *
 * Context: any, the socket lock is held.
 * Return: its length, or -EOPNOTSUPP if a buffer cannot be read.
 */
int tls_hs_peek(struct sock *sk, u32 offset, u8 *buf, u32 max)
{
	u32 seq = tcp_sk(sk)->copied_seq + offset;
	struct sk_buff *skb = tls_hs_find_skb(sk, seq);
	u32 len = 0;

	skb_queue_walk_from(&sk->sk_receive_queue, skb) {
		u32 offset = seq - TCP_SKB_CB(skb)->seq;
		u32 n;

		/* Skip data that an earlier buffer had as well. */
		if (offset >= skb->len)
			continue;
		if (!skb_frags_readable(skb))
			return -EOPNOTSUPP;

		n = min(skb->len - offset, max - len);
		if (skb_copy_bits(skb, offset, buf + len, n))
			return -EOPNOTSUPP;
		len += n;
		seq += n;
		if (len == max)
			break;
	}
	return len;
}

/* Put a ClientHello of @len bytes in records into @buffers->in, as one record. */
static int tls_hs_gather(struct tls_hs *hs, struct tls_hs_buffers *buffers,
			 u32 len)
{
	size_t end = 0;
	u32 pos = 0;
	int n;

	while (pos < len) {
		n = tls_hs_peek(hs->sk, pos, buffers->out,
				min_t(u32, len - pos, TLS_HS_OUT_MAX));
		if (n > 0)
			n = tls_hs_hello_gather(buffers->out, n, buffers->in,
						TLS_HS_IN_MAX, &end);
		if (n <= 0)
			return -EOPNOTSUPP;
		pos += n;
	}
	return end;
}

/**
 * tls_hs_load_hello - copy a ClientHello to @buffers->in when it is whole
 * @hs: the handshake, not answered
 * @buffers: those of the work item
 * @len: set to the bytes that the ClientHello has in the receive queue, if its
 *	records have been put together; else to 0
 * @step: zeroed; what to do if the ClientHello is not whole
 *
 * What has been looked at before is not looked at again until it is whole.
 *
 * Context: any, the socket lock is held.
 * Return: the length of the copy, 0 if @step says what to do, or an error.
 */
int tls_hs_load_hello(struct tls_hs *hs, struct tls_hs_buffers *buffers,
		      u32 *len, struct tls_hs_step *step)
{
	u32 seen = tls_hs_session_seen(hs->session);
	struct sock *sk = hs->sk;
	int have;
	u8 type;

	*len = 0;
	/* The session skips what may precede a second ClientHello. */
	if (hs->consumed && (tls_hs_peek(sk, 0, &type, 1) != 1 ||
			     type != TLS_RECORD_TYPE_HANDSHAKE))
		return tls_hs_peek(sk, 0, buffers->in, TLS_HS_IN_MAX);

	have = tls_hs_peek(sk, seen, buffers->in, TLS_HS_IN_MAX);
	if (have < 0)
		return have;
	if (!tls_hs_session_scan(hs->session, buffers->in, have, buffers->out,
				 TLS_HS_OUT_MAX, step))
		return 0;
	if (!seen)
		return have;
	*len = tls_hs_session_seen(hs->session);
	return tls_hs_gather(hs, buffers, *len);
}
