// SPDX-License-Identifier: GPL-2.0
/*
 * Sends what the engine has written.  Nothing tells a socket that has no user about
 * space in the send buffer, so a timer polls for it.
 *
 * Context: softirq or process, the socket lock is held.
 */

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "drive.h"
#include "handshake.h"
#include "inject.h"

#define TLS_HS_OUT_PAGES	DIV_ROUND_UP(TLS_HS_OUT_MAX, PAGE_SIZE)

/* Free sk_frag, to which TCP copies if the device lacks scatter-gather. */
static void tls_hs_put_frag(struct sock *sk)
{
	if (sk->sk_frag.page) {
		put_page(sk->sk_frag.page);
		sk->sk_frag.page = NULL;
	}
}

/**
 * tls_hs_send - send as much as the send buffer takes
 * @sk: the connection
 * @buf: the bytes
 * @len: their number
 *
 * The pages are our own and go when they have been acknowledged.  sk_frag would
 * keep 32 KiB for each connection until its end.
 *
 * Context: any, the socket lock is held.
 * Return: how much has been sent, or an error.
 */
int tls_hs_send(struct sock *sk, const u8 *buf, u32 len)
{
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_SPLICE_PAGES |
			     MSG_NO_SHARED_FRAGS,
	};
	struct bio_vec pages[TLS_HS_OUT_PAGES];
	bool had_frag = sk->sk_frag.page;
	u32 filled = 0, n, i, nr = 0;
	struct page *page;
	int rc;

	/* A child of TCP Fast Open may send before it is established. */
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) &&
	    !tcp_passive_fastopen(sk))
		return -EPIPE;

	while (filled < len && nr < TLS_HS_OUT_PAGES) {
		page = NULL;
		if (!tls_hs_inject(TLS_HS_INJECT_PAGE))
			page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
		if (!page)
			break;
		n = min_t(u32, len - filled, PAGE_SIZE);
		memcpy(page_address(page), buf + filled, n);
		bvec_set_page(&pages[nr++], page, n, 0);
		filled += n;
	}
	if (!nr)
		return 0;

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, pages, nr, filled);
	rc = tcp_sendmsg_locked(sk, &msg, filled);
	for (i = 0; i < nr; i++)
		put_page(pages[i].bv_page);
	if (!had_frag)
		tls_hs_put_frag(sk);
	if (rc == -EAGAIN || rc == -ENOMEM || rc == -ENOBUFS)
		return 0;
	if (rc > 0)
		tls_hs_count_bytes(sock_net(sk), 0, rc);
	return rc;
}

/**
 * tls_hs_keep_unsent - keep the rest of a flight for later
 * @hs: the handshake
 * @buf: the rest
 * @len: its length
 *
 * Context: any, the socket lock is held.
 * Return: 0 or -ENOMEM.
 */
int tls_hs_keep_unsent(struct tls_hs *hs, const u8 *buf, u32 len)
{
	if (!tls_hs_inject(TLS_HS_INJECT_UNSENT))
		hs->unsent = kmemdup(buf, len, GFP_ATOMIC | __GFP_NOWARN);
	if (!hs->unsent)
		return -ENOMEM;
	hs->unsent_len = len;
	hs->unsent_off = 0;
	hs->retry = 1;
	return 0;
}

/**
 * tls_hs_send_rest - go on with a flight
 * @hs: the handshake, which has kept the rest
 *
 * Context: any, the socket lock is held.
 * Return: 1 if all of it has been handed to TCP, 0 if not, or an error.
 */
int tls_hs_send_rest(struct tls_hs *hs)
{
	int n = tls_hs_send(hs->sk, hs->unsent + hs->unsent_off,
			    hs->unsent_len - hs->unsent_off);

	if (n < 0)
		return n;

	hs->unsent_off += n;
	if (hs->unsent_off < hs->unsent_len) {
		hs->retry = n ? 1 : min(hs->retry * 2, HZ / 10 + 1);
		tls_hs_wake_after(hs, hs->retry);
		return 0;
	}
	kfree(hs->unsent);
	hs->unsent = NULL;
	return 1;
}
