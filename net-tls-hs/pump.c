// SPDX-License-Identifier: GPL-2.0
/*
 * The pump of a TLS_HS listener takes children out of TCP's accept queue and
 * begins with their handshakes.
 *
 * Context: a job of a CPU's thread, which comes before the handshakes that wait
 * there.  It may run on several CPUs at a time.
 *
 * Owner: the pump has a child from TCP's accept() until tls_hs_child_enlist().
 * A job that is pending has a reference to the listener.  As long as the socket
 * has not been released it pins the module, of which the pump takes a reference
 * of its own.
 *
 * Locks: child's socket lock; tls_hs_listener::lock, a leaf.
 */

#include <linux/module.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "../tls.h"
#include "handshake.h"
#include "listener.h"

/* Places that TCP's accept queue has at least as long as the pump empties it, so
 * that clients which come at the same time need not send their SYN again.
 */
#define TLS_HS_TCP_BACKLOG_MIN	256

/* Children that the pump takes in one run. */
#define TLS_HS_PUMP_BATCH	64

/* The pump waits for that time without memory. */
#define TLS_HS_PUMP_RETRY	(HZ / 10)

/**
 * tls_hs_queue_pump - let the pump look at TCP's accept queue
 * @lsn: the listener
 *
 * Context: any, under RCU or with a reference.
 */
void tls_hs_queue_pump(struct tls_hs_listener *lsn)
{
	if (!tls_hs_is_active(lsn) || test_and_set_bit(0, &lsn->pump_queued))
		return;
	/* It fails only under RCU, when the listener is about to be freed. */
	if (refcount_inc_not_zero(&lsn->refs))
		tls_hs_queue_job(&lsn->pump);
}

/**
 * tls_hs_pump_retry - timer: there may be memory again
 * @t: the listener's timer, which has a reference
 */
void tls_hs_pump_retry(struct timer_list *t)
{
	struct tls_hs_listener *lsn = timer_container_of(lsn, t, retry);

	tls_hs_queue_pump(lsn);
	tls_hs_listener_put(lsn);
}

/* Queue the pump later, unless the listener has been released, which stops the
 * timer.
 */
static void tls_hs_queue_retry(struct tls_hs_listener *lsn)
{
	spin_lock_bh(&lsn->lock);
	if (lsn->sk) {
		refcount_inc(&lsn->refs);
		if (mod_timer(&lsn->retry, jiffies + TLS_HS_PUMP_RETRY))
			refcount_dec(&lsn->refs);
	}
	spin_unlock_bh(&lsn->lock);
}

/**
 * tls_hs_unstall - a child has left: let the pump look for others
 * @lsn: the listener
 *
 * Context: any; after the listener's lock was held, under which the pump finds
 * that there is no room.
 */
void tls_hs_unstall(struct tls_hs_listener *lsn)
{
	if (READ_ONCE(lsn->stalled))
		tls_hs_queue_pump(lsn);
}

/**
 * tls_hs_set_tcp_backlog - set the length of TCP's accept queue
 * @lsn: the listener
 * @sk: its socket
 *
 * It is what listen() was told if nobody empties the queue.
 *
 * Context: any, the listener's lock is held.
 */
void tls_hs_set_tcp_backlog(struct tls_hs_listener *lsn, struct sock *sk)
{
	u32 backlog = lsn->backlog;

	if (!lsn->stalled)
		backlog = max_t(u32, backlog, TLS_HS_TCP_BACKLOG_MIN);
	if (backlog != READ_ONCE(sk->sk_max_ack_backlog))
		WRITE_ONCE(sk->sk_max_ack_backlog, backlog);
}

/* May the pump take another child?  If not it is queued when it may. */
static bool tls_hs_has_room(struct tls_hs_listener *lsn, struct sock *sk)
{
	u32 limit = tls_hs_listener_limit(lsn);
	bool room;

	spin_lock_bh(&lsn->lock);
	room = lsn->nr_ready <= lsn->backlog && lsn->nr_closing <= limit / 2;
	if (lsn->stalled == room) {
		WRITE_ONCE(lsn->stalled, !room);
		tls_hs_set_tcp_backlog(lsn, sk);
	}
	spin_unlock_bh(&lsn->lock);
	return room;
}

/* Begin with the handshake of a child that was in TCP's accept queue.
 *
 * A child that somebody has extended already, a BPF program by a sockmap or the
 * MPTCP listener from which it has migrated, stays as it is: it falls back.
 */
static void tls_hs_adopt(struct tls_hs_listener *lsn, struct tls_hs *hs,
			 struct tls_context *ctx, struct sock *child)
{
	struct inet_connection_sock *icsk = inet_csk(child);
	bool guarded, foreign;

	lock_sock(child);
	refcount_inc(&lsn->refs);
	hs->lsn = lsn;
	hs->since = jiffies;
	hs->conf = tls_hs_conf_get_rcu(&lsn->conf);
	hs->alpn = tls_hs_alpn_get_rcu(&lsn->alpn);
	hs->names = tls_hs_names_get_rcu(&lsn->names);

	guarded = tls_hs_unguard(child);
	foreign = child->sk_prot != tls_hs_base_prot(child) ||
		  (icsk->icsk_ulp_ops && !guarded);
	/* The pump has a reference to the module. */
	if (!foreign && !guarded)
		__module_get(THIS_MODULE);
	if (foreign) {
		tls_ctx_free(NULL, ctx);
		sock_hold(child);
		hs->sk = child;
		hs->foreign = true;
		hs->end = TLS_HS_END_FALLBACK;
		tls_hs_count_fallback(lsn->net, TLS_HS_FB_NOT_SUPPORTED);
		tls_hs_child_enlist(hs, TLS_HS_READY);
	} else {
		ctx->tx_conf = TLS_BASE;
		ctx->rx_conf = TLS_BASE;
		ctx->tx_max_payload_len = TLS_MAX_PAYLOAD_SIZE;
		tls_ctx_attach(child, ctx);
		icsk->icsk_ulp_ops = &tcp_tls_ulp_ops;
		tls_hs_start(hs, child);
		tls_hs_child_enlist(hs, TLS_HS_SILENT);
	}
	release_sock(child);
}

/* The listener's socket, or %NULL if it has been released.  As long as it has not,
 * it has a reference to the module.  It may be released as soon as the lock is
 * dropped, while the pump has a child that is in no list yet.
 */
static struct sock *tls_hs_listener_get_sk(struct tls_hs_listener *lsn)
{
	struct sock *sk;

	spin_lock_bh(&lsn->lock);
	sk = lsn->sk;
	if (sk) {
		sock_hold(sk);
		__module_get(THIS_MODULE);
	}
	spin_unlock_bh(&lsn->lock);
	return sk;
}

/* The next child of TCP's accept queue, or %NULL. */
static struct sock *tls_hs_tcp_accept(struct sock *sk)
{
	struct proto_accept_arg arg = { .flags = O_NONBLOCK };

	return READ_ONCE(sk->sk_prot)->accept(sk, &arg);
}

/**
 * tls_hs_tcp_queue_empty - is there nothing for the pump?
 * @sk: the listener's socket
 *
 * Context: any.
 * Return: whether TCP's accept queue is empty.
 */
bool tls_hs_tcp_queue_empty(const struct sock *sk)
{
	return reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue);
}

/* Take children out of TCP's accept queue.  May run on several CPUs at a time. */
static void tls_hs_pump_from(struct tls_hs_listener *lsn, struct sock *sk)
{
	struct tls_context *ctx;
	struct sock *child;
	struct tls_hs *hs;
	int n = 0;

	while (!tls_hs_tcp_queue_empty(sk) && tls_hs_has_room(lsn, sk)) {
		if (n++ == TLS_HS_PUMP_BATCH) {
			tls_hs_queue_pump(lsn);
			break;
		}
		/* Allocate first, so that no child is lost for want of memory.
		 */
		hs = tls_hs_child_new(&ctx);
		if (!hs) {
			TLS_INC_STATS(lsn->net, LINUX_MIB_TLSHSERROR);
			tls_hs_queue_retry(lsn);
			break;
		}
		child = tls_hs_tcp_accept(sk);
		if (!child) {
			tls_ctx_free(NULL, ctx);
			kfree(hs);
			break;
		}
		tls_hs_adopt(lsn, hs, ctx, child);
		cond_resched();
	}
}

/**
 * tls_hs_pump - take children out of TCP's accept queue
 * @job: that of the listener, which has a reference
 *
 * May run on several CPUs at a time.
 *
 * Context: process, the thread of a CPU.
 */
void tls_hs_pump(struct tls_hs_job *job)
{
	struct tls_hs_listener *lsn = container_of(job, struct tls_hs_listener,
						   pump);
	struct sock *sk;

	clear_bit(0, &lsn->pump_queued);
	/* Pairs with the test_and_set_bit() in tls_hs_queue_pump(): a caller
	 * that finds the bit set has added its child before this looks.
	 */
	smp_mb__after_atomic();
	sk = tls_hs_listener_get_sk(lsn);
	if (sk) {
		tls_hs_pump_from(lsn, sk);
		sock_put(sk);
		/* Unloading the module waits for this thread. */
		module_put(THIS_MODULE);
	}
	tls_hs_listener_put(lsn);
}
