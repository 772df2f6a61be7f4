// SPDX-License-Identifier: GPL-2.0
/*
 * Listening sockets whose connections get a handshake before accept().
 *
 * TCP knows nothing of it.  The listener keeps TCP's struct proto; its
 * sk_socket->ops are a copy of inet's with other accept(), poll(), getname() and
 * socket options.  Children are plain TCP sockets in TCP's accept queue.  From
 * there the pump, a job of a CPU's thread, takes them with TCP's own accept() and
 * gives them a handshake (drive.c):
 *
 *   TCP's queue --pump--> SILENT --answer--> WAITING --Finished--> READY --> accept()
 *                           |                   |                    ^
 *                           |                   `--alert, timeout,   |
 *                           |                      eviction--------> | --> CLOSING
 *                           `--fallback------------------------------'
 *
 * Owner: the pump has a child until it is in one of the lists, then the listener
 * has it, then a process, or the work item that closes it.  tls_hs::place says
 * which; who changes it under tls_hs_listener::lock is the new owner.  A child
 * without sk_socket is never destroyed by TCP, as it is no orphan: its owner has
 * to call close().
 *
 * Locks: listener's socket lock; child's socket lock; tls_hs_listener::lock.  The
 * last one is a leaf: what is to be done to a child that is found in a list is
 * done by work that has moved it to CLOSING or ORPHAN.
 *
 * The listener's sk_data_ready() runs in softirq with some child's spinlock
 * held, so it only queues the pump.
 *
 * The end of a listener is seen in sk_error_report(), which TCP calls after
 * shutdown() and aborts, or in the ULP's ->release(), which it calls in the end.
 * Both begin a new epoch; work hands the children of older epochs over to another
 * listener of the reuseport group, if the system migrates requests and it has
 * TLS_HS, or resets them.
 *
 * With %TLS_HS_F_NO_FALLBACK children are born with a guard, a struct proto that
 * cannot send: an accept() that was about to begin when TLS_HS was set, or another
 * listener of the group without TLS_HS, may take them from TCP's queue.
 */

#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include <net/sock_reuseport.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

#include "../tls.h"
#include "handshake.h"
#include "inject.h"
#include "listen.h"
#include "events.h"

/* Connections in handshake that a listener has at least room for, and for each
 * place of its backlog.
 */
#define TLS_HS_LIMIT_MIN	1024
#define TLS_HS_LIMIT_PER_PLACE	4

/* What a listener may have when others have used up the namespace's limit. */
#define TLS_HS_LIMIT_FLOOR	16U

/* A client that has not sent its ClientHello after that time goes first. */
#define TLS_HS_SILENT_GRACE	HZ

/* Places that TCP's accept queue has at least as long as the pump empties it, so
 * that clients which come at the same time need not send their SYN again.
 */
#define TLS_HS_TCP_BACKLOG_MIN	256

/* Children that the pump takes in one run. */
#define TLS_HS_PUMP_BATCH	64

/* The pump waits for that time without memory. */
#define TLS_HS_PUMP_RETRY	(HZ / 10)

enum {
	TLS_HS_V4,
	TLS_HS_V6,
	TLS_HS_NUM_FAMILIES,
};

/* Each a struct proto_ops. */
static void *tls_hs_listen_ops[TLS_HS_NUM_FAMILIES] __read_mostly;

/* Made for the first listener of the family that needs them, not before, since
 * TCP's own are not complete until they have been registered.
 */
static struct proto tls_hs_guard_prots[TLS_HS_NUM_FAMILIES];
static DEFINE_MUTEX(tls_hs_guard_lock);

/* Connections to be closed, which needs process context. */
static LLIST_HEAD(tls_hs_closing);
static void tls_hs_close_work(struct work_struct *work);
static DECLARE_WORK(tls_hs_closer, tls_hs_close_work);

static int tls_hs_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET6 ? TLS_HS_V6 : TLS_HS_V4;
}

static const struct proto_ops *tls_hs_base_ops(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return &inet6_stream_ops;
#endif
	return &inet_stream_ops;
}

static struct proto *tls_hs_base_prot(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return &tcpv6_prot;
#endif
	return &tcp_prot;
}

/* The listener that a socket is, or %NULL.  Not so a child whose clone() was not
 * called since the listener was just being destroyed, nor a socket that has been
 * connected instead.  It stays as long as the context does: until the last file is
 * closed, or RCU is dropped.
 */
static struct tls_hs_listener *tls_hs_listener_of(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs_listener *lsn = ctx ? ctx->hs_listener : NULL;

	return lsn && READ_ONCE(lsn->sk) == sk ? lsn : NULL;
}

static bool tls_hs_is_active(const struct tls_hs_listener *lsn)
{
	return rcu_access_pointer(lsn->conf);
}

static bool tls_hs_listens(const struct sock *sk)
{
	return inet_sk_state_load(sk) == TCP_LISTEN;
}

static void tls_hs_listener_free(struct work_struct *work)
{
	struct tls_hs_listener *lsn = container_of(to_rcu_work(work),
						   struct tls_hs_listener,
						   rwork);
	struct tls_hs_conf *conf = rcu_dereference_protected(lsn->conf, 1);

	if (conf)
		tls_hs_conf_put(conf);
	tls_hs_names_put(rcu_dereference_protected(lsn->names, 1));
	tls_hs_alpn_put(rcu_dereference_protected(lsn->alpn, 1));
	kfree(lsn);
}

/**
 * tls_hs_listener_put - drop a reference
 * @lsn: the listener
 *
 * Context: any.
 */
void tls_hs_listener_put(struct tls_hs_listener *lsn)
{
	if (refcount_dec_and_test(&lsn->refs))
		queue_rcu_work(tls_hs_wq, &lsn->rwork);
}

/* Let the pump look at TCP's accept queue.  Any context, under RCU or with a
 * reference.
 */
static void tls_hs_queue_pump(struct tls_hs_listener *lsn)
{
	if (!tls_hs_is_active(lsn) || test_and_set_bit(0, &lsn->pump_queued))
		return;
	/* Only an RCU reader may come too late. */
	if (refcount_inc_not_zero(&lsn->refs))
		tls_hs_queue_job(&lsn->pump);
}

static void tls_hs_retry(struct timer_list *t)
{
	struct tls_hs_listener *lsn = timer_container_of(lsn, t, retry);

	tls_hs_queue_pump(lsn);
	tls_hs_listener_put(lsn);
}

/* The same, later.  Not after the listener's end, which stops the timer. */
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

/* Connections in handshake that a listener may have. */
static u32 tls_hs_limit(const struct tls_hs_listener *lsn)
{
	u32 most = READ_ONCE(tls_hs_net(lsn->net)->max_handshakes);
	const struct tls_hs_conf *conf;
	u32 limit = 0;

	rcu_read_lock();
	conf = rcu_dereference(lsn->conf);
	if (conf)
		limit = conf->settings.max_handshakes;
	rcu_read_unlock();
	if (!limit)
		limit = max_t(u64, TLS_HS_LIMIT_MIN,
			      (u64)TLS_HS_LIMIT_PER_PLACE *
			      READ_ONCE(lsn->backlog));
	return min(limit, max(most, TLS_HS_LIMIT_FLOOR));
}

/* Does a child count in tls_hs_net::nr_handshakes? */
static bool tls_hs_counts(u8 place)
{
	return place != TLS_HS_NOWHERE && place != TLS_HS_READY;
}

static u32 *tls_hs_counter(struct tls_hs_listener *lsn, u8 place)
{
	switch (place) {
	case TLS_HS_SILENT:
		return &lsn->nr_silent;
	case TLS_HS_WAITING:
		return &lsn->nr_waiting;
	case TLS_HS_READY:
		return &lsn->nr_ready;
	case TLS_HS_CLOSING:
		return &lsn->nr_closing;
	default:
		return NULL;
	}
}

/* Move a child to another place.  With the lock of its listener held. */
static void tls_hs_move(struct tls_hs *hs, u8 place)
{
	struct tls_hs_listener *lsn = hs->lsn;
	u32 *from = tls_hs_counter(lsn, hs->place);
	u32 *to = tls_hs_counter(lsn, place);

	lockdep_assert_held(&lsn->lock);
	if (from)
		WRITE_ONCE(*from, *from - 1);
	if (to)
		WRITE_ONCE(*to, *to + 1);
	if (tls_hs_counts(hs->place) != tls_hs_counts(place))
		atomic_add(tls_hs_counts(place) ? 1 : -1,
			   &tls_hs_net(lsn->net)->nr_handshakes);
	hs->place = place;

	switch (place) {
	case TLS_HS_SILENT:
		list_move_tail(&hs->node, &lsn->silent);
		break;
	case TLS_HS_WAITING:
		list_move_tail(&hs->node, &lsn->waiting);
		break;
	case TLS_HS_READY:
		list_move_tail(&hs->node, &lsn->ready);
		break;
	default:
		list_del_init(&hs->node);
		break;
	}
}

/* Give a child to the work that closes it.  With the lock of its listener. */
static void tls_hs_close(struct tls_hs *hs)
{
	tls_hs_move(hs, TLS_HS_CLOSING);
	set_bit(TLS_HS_EVICTED, &hs->flags);
	refcount_inc(&hs->refs);
	if (llist_add(&hs->to_close, &tls_hs_closing))
		queue_work(tls_hs_wq, &tls_hs_closer);
}

/* A child has left: is there room for others now?  After the lock, in which the
 * pump has found that there was none.
 */
static void tls_hs_unstall(struct tls_hs_listener *lsn)
{
	if (READ_ONCE(lsn->stalled))
		tls_hs_queue_pump(lsn);
}

/* Close children.  What has been received is consumed before a FIN, for else the
 * client would get a reset instead of the alert.
 */
static void tls_hs_close_work(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&tls_hs_closing);
	struct tls_hs *hs, *next;

	llist_for_each_entry_safe(hs, next, list, to_close) {
		struct tls_hs_listener *lsn = hs->lsn;
		struct sock *sk = hs->sk;
		int left;

		lock_sock(sk);
		tls_hs_finish_early(hs, TLS_HS_END_RESET, -ECONNABORTED);
		if (hs->end == TLS_HS_END_CLOSE) {
			left = tcp_inq(sk);
			if (left > 0)
				tcp_read_done(sk, left);
		} else {
			sock_set_flag(sk, SOCK_LINGER);
			sk->sk_lingertime = 0;
		}
		release_sock(sk);

		spin_lock_bh(&lsn->lock);
		tls_hs_move(hs, TLS_HS_NOWHERE);
		spin_unlock_bh(&lsn->lock);
		tls_hs_unstall(lsn);
		sk->sk_prot->close(sk, 0);
		/* Otherwise the context has had a reference. */
		if (hs->foreign)
			tls_hs_put(hs);
		tls_hs_put(hs);
		cond_resched();
	}
}

/* Tell who waits in accept() or poll().  Under RCU, with a socket that has not
 * been released.  Any context.
 */
static void tls_hs_wake(struct tls_hs_listener *lsn, struct sock *sk)
{
	/* The one that sleeps, then whoever polls, as for a child of TCP. */
	if (wq_has_sleeper(&lsn->wait))
		wake_up_interruptible(&lsn->wait);
	if (tls_hs_listens(sk))
		lsn->data_ready(sk);
}

static void tls_hs_child_answered(struct tls_hs *hs)
{
	struct tls_hs_listener *lsn = hs->lsn;

	spin_lock_bh(&lsn->lock);
	if (hs->place == TLS_HS_SILENT)
		tls_hs_move(hs, TLS_HS_WAITING);
	spin_unlock_bh(&lsn->lock);
}

/* With the child's socket lock. */
static void tls_hs_child_ended(struct tls_hs *hs)
{
	bool ready = hs->end == TLS_HS_END_DONE ||
		     hs->end == TLS_HS_END_FALLBACK;
	struct tls_hs_listener *lsn = hs->lsn;
	struct sock *sk = NULL;

	rcu_read_lock();
	spin_lock_bh(&lsn->lock);
	if (hs->place == TLS_HS_SILENT || hs->place == TLS_HS_WAITING) {
		if (ready) {
			tls_hs_move(hs, TLS_HS_READY);
			sk = lsn->sk;
		} else {
			tls_hs_close(hs);
		}
	}
	spin_unlock_bh(&lsn->lock);
	if (sk)
		tls_hs_wake(lsn, sk);
	rcu_read_unlock();
}

static void tls_hs_child_free(struct tls_hs *hs)
{
	struct tls_hs_listener *lsn = hs->lsn;

	kfree(hs);
	if (lsn)
		tls_hs_listener_put(lsn);
}

static const struct tls_hs_user tls_hs_child_user = {
	.answered	= tls_hs_child_answered,
	.ended		= tls_hs_child_ended,
	.free		= tls_hs_child_free,
};

/* The child that makes room for others: one that has been silent for too long,
 * or if these are too many, else the one that has waited for the longest time.
 * Neither kind can push the other out, as long as it has less than half of the
 * places.  With the lock held.
 */
static struct tls_hs *tls_hs_victim(struct tls_hs_listener *lsn, u32 limit)
{
	struct tls_hs *silent, *waiting;

	silent = list_first_entry_or_null(&lsn->silent, struct tls_hs, node);
	waiting = list_first_entry_or_null(&lsn->waiting, struct tls_hs, node);
	if (silent && (!waiting || lsn->nr_silent > limit / 2 ||
		       time_after(jiffies, silent->since + TLS_HS_SILENT_GRACE)))
		return silent;
	return waiting;
}

static void tls_hs_evict(struct tls_hs_listener *lsn, u32 limit)
{
	struct tls_hs *victim = tls_hs_victim(lsn, limit);

	if (!victim)
		return;
	TLS_INC_STATS(lsn->net, LINUX_MIB_TLSHSOVERLOAD);
	tls_hs_close(victim);
}

/* Evict children that are too many for a listener.  With the lock held. */
static void tls_hs_keep_limit(struct tls_hs_listener *lsn, u32 limit)
{
	while (lsn->nr_silent + lsn->nr_waiting > limit)
		tls_hs_evict(lsn, limit);
}

static u32 tls_hs_nr_pending(const struct tls_hs_listener *lsn)
{
	return READ_ONCE(lsn->nr_silent) + READ_ONCE(lsn->nr_waiting);
}

/* If there are too many in the network namespace, evict one of the listener that
 * has most, as far as is known: who fills the namespace does so at its own expense.
 * Those that are about to be closed count as well: one for one that comes.
 */
static void tls_hs_keep_net_limit(struct tls_hs_listener *lsn)
{
	struct tls_hs_net *tn = tls_hs_net(lsn->net);
	struct tls_hs_listener *biggest;

	rcu_read_lock();
	biggest = rcu_dereference(tn->biggest);
	if (biggest != lsn &&
	    (!biggest || tls_hs_nr_pending(lsn) > tls_hs_nr_pending(biggest))) {
		/* Not after it has been released, see tls_hs_stop_listening(). */
		spin_lock_bh(&lsn->lock);
		if (lsn->sk)
			rcu_assign_pointer(tn->biggest, lsn);
		spin_unlock_bh(&lsn->lock);
		biggest = lsn;
	}
	if (atomic_read(&tn->nr_handshakes) > READ_ONCE(tn->max_handshakes)) {
		spin_lock_bh(&biggest->lock);
		if (biggest->nr_silent + biggest->nr_waiting > TLS_HS_LIMIT_FLOOR)
			tls_hs_evict(biggest, tls_hs_limit(biggest));
		spin_unlock_bh(&biggest->lock);
	}
	rcu_read_unlock();
}

/* The length of TCP's accept queue: the user's if nobody empties it.  With the
 * lock held.
 */
static void tls_hs_set_tcp_backlog(struct tls_hs_listener *lsn, struct sock *sk)
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
	u32 limit = tls_hs_limit(lsn);
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

/* A child without socket, with context and settings. */
static struct tls_hs *tls_hs_child_new(struct tls_context **ctx)
{
	struct tls_hs *hs = NULL;

	*ctx = NULL;
	if (!tls_hs_inject(TLS_HS_INJECT_HANDSHAKE))
		hs = kzalloc_obj(*hs, GFP_KERNEL);
	if (!hs)
		return NULL;
	if (!tls_hs_inject(TLS_HS_INJECT_CONTEXT))
		*ctx = tls_ctx_alloc(GFP_KERNEL);
	if (!*ctx) {
		kfree(hs);
		return NULL;
	}
	tls_hs_init(hs, &tls_hs_child_user);
	return hs;
}

static void tls_hs_queue_drain(struct tls_hs_listener *lsn, struct sock *sk);

/* Put a child into its listener's lists, or to those that the drain is to look
 * at if that has stopped.  With the child's socket lock.
 */
static void tls_hs_enlist(struct tls_hs *hs, u8 place)
{
	struct tls_hs_listener *lsn = hs->lsn;
	bool came = false;
	struct sock *sk;

	rcu_read_lock();
	spin_lock_bh(&lsn->lock);
	sk = lsn->sk;
	hs->epoch = lsn->epoch;
	tls_hs_move(hs, place);
	if (!sk || !tls_hs_listens(sk)) {
		/* Whoever stops it may not have come to that yet. */
		hs->epoch--;
		if (sk)
			tls_hs_queue_drain(lsn, sk);
		else
			tls_hs_close(hs);
		sk = NULL;
	} else if (place != TLS_HS_READY) {
		tls_hs_keep_limit(lsn, tls_hs_limit(lsn));
		came = true;
		sk = NULL;
	}
	spin_unlock_bh(&lsn->lock);
	if (sk)
		tls_hs_wake(lsn, sk);
	if (came)
		tls_hs_keep_net_limit(lsn);
	rcu_read_unlock();
}

/* Take the guard of a child off, see tls_hs_clone(). */
static bool tls_hs_unguard(struct sock *child)
{
	if (child->sk_prot != &tls_hs_guard_prots[tls_hs_family(child)])
		return false;
	WRITE_ONCE(child->sk_prot, tls_hs_base_prot(child));
	return true;
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
		tls_hs_enlist(hs, TLS_HS_READY);
	} else {
		ctx->tx_conf = TLS_BASE;
		ctx->rx_conf = TLS_BASE;
		ctx->tx_max_payload_len = TLS_MAX_PAYLOAD_SIZE;
		tls_ctx_attach(child, ctx);
		icsk->icsk_ulp_ops = &tcp_tls_ulp_ops;
		tls_hs_start(hs, child);
		tls_hs_enlist(hs, TLS_HS_SILENT);
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

static bool tls_hs_tcp_queue_empty(const struct sock *sk)
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
		/* First of all, so that no child is lost for want of memory. */
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

static void tls_hs_pump(struct tls_hs_job *job)
{
	struct tls_hs_listener *lsn = container_of(job, struct tls_hs_listener,
						   pump);
	struct sock *sk;

	clear_bit(0, &lsn->pump_queued);
	/* Pairs with the test_and_set_bit() in tls_hs_queue_pump(): who sees the
	 * bit set has added a child before we look.
	 */
	smp_mb__after_atomic();
	sk = tls_hs_listener_get_sk(lsn);
	if (sk) {
		tls_hs_pump_from(lsn, sk);
		sock_put(sk);
		/* Whoever unloads the module waits for this thread. */
		module_put(THIS_MODULE);
	}
	tls_hs_listener_put(lsn);
}

/* Is a child of an epoch that has ended? */
static bool tls_hs_is_stale(const struct tls_hs_listener *lsn,
			    const struct tls_hs *hs)
{
	return hs->epoch != lsn->epoch;
}

/* The next one of them; the lists are in the order of epochs. */
static struct tls_hs *tls_hs_take_stale(struct tls_hs_listener *lsn)
{
	struct list_head *lists[] = { &lsn->ready, &lsn->waiting, &lsn->silent };
	struct tls_hs *hs;
	int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		hs = list_first_entry_or_null(lists[i], struct tls_hs, node);
		if (hs && tls_hs_is_stale(lsn, hs)) {
			tls_hs_move(hs, TLS_HS_ORPHAN);
			return hs;
		}
	}
	return NULL;
}

/* Another listener of the group that wants a child, if there is one. */
static struct tls_hs_listener *tls_hs_migrate(struct sock *sk,
					      struct sock *child)
{
	struct tls_hs_listener *lsn = NULL;
	const struct tcp_ulp_ops *ulp_ops;
	struct sock *nsk;

	local_bh_disable();
	nsk = reuseport_migrate_sock(sk, child, NULL);
	local_bh_enable();
	if (!nsk)
		return NULL;

	rcu_read_lock();
	ulp_ops = READ_ONCE(inet_csk(nsk)->icsk_ulp_ops);
	if (ulp_ops == &tcp_tls_ulp_ops)
		lsn = tls_hs_listener_of(nsk);
	if (lsn && (!tls_hs_is_active(lsn) ||
		    !refcount_inc_not_zero(&lsn->refs)))
		lsn = NULL;
	rcu_read_unlock();
	NET_INC_STATS(sock_net(sk), lsn ? LINUX_MIB_TCPMIGRATEREQSUCCESS :
					  LINUX_MIB_TCPMIGRATEREQFAILURE);
	sock_put(nsk);
	return lsn;
}

/* Find a new place for a child whose listener has stopped. */
static void tls_hs_hand_over(struct tls_hs *hs, struct sock *sk)
{
	struct tls_hs_listener *old = hs->lsn, *lsn = NULL;
	struct sock *child = hs->sk;
	u8 place = TLS_HS_READY;

	lock_sock(child);
	if (hs->end == TLS_HS_RUNNING)
		place = hs->answered ? TLS_HS_WAITING : TLS_HS_SILENT;
	if (hs->end <= TLS_HS_END_FALLBACK && child->sk_state != TCP_CLOSE)
		lsn = tls_hs_migrate(sk, child);

	spin_lock_bh(&old->lock);
	if (lsn)
		tls_hs_move(hs, TLS_HS_NOWHERE);
	else
		tls_hs_close(hs);
	spin_unlock_bh(&old->lock);
	if (lsn) {
		hs->lsn = lsn;
		tls_hs_enlist(hs, place);
		tls_hs_listener_put(old);
	}
	release_sock(child);
}

static void tls_hs_drain(struct work_struct *work)
{
	struct tls_hs_listener *lsn = container_of(work, struct tls_hs_listener,
						   drain);
	struct sock *sk = lsn->drain_sk;
	bool ready = false;
	struct tls_hs *hs;

	for (;;) {
		spin_lock_bh(&lsn->lock);
		hs = tls_hs_take_stale(lsn);
		if (!hs) {
			lsn->drain_sk = NULL;
			ready = lsn->sk && lsn->nr_ready;
			spin_unlock_bh(&lsn->lock);
			break;
		}
		spin_unlock_bh(&lsn->lock);
		tls_hs_hand_over(hs, sk);
		cond_resched();
	}
	/* Those of a new epoch may have waited behind them, any number. */
	if (ready) {
		wake_up_interruptible_all(&lsn->wait);
		tls_hs_wake(lsn, sk);
	}
	tls_hs_unstall(lsn);
	sock_put(sk);
	tls_hs_listener_put(lsn);
}

/* With the lock held.  @sk may be about to be released, but has references. */
static void tls_hs_queue_drain(struct tls_hs_listener *lsn, struct sock *sk)
{
	lockdep_assert_held(&lsn->lock);
	if (lsn->drain_sk)
		return;
	sock_hold(sk);
	lsn->drain_sk = sk;
	refcount_inc(&lsn->refs);
	queue_work(tls_hs_wq, &lsn->drain);
}

/* The socket does not listen any more.  Atomic context. */
static void tls_hs_stop_listening(struct tls_hs_listener *lsn, struct sock *sk,
				  bool release)
{
	spin_lock_bh(&lsn->lock);
	lsn->epoch++;
	if (release)
		WRITE_ONCE(lsn->sk, NULL);
	if (lsn->nr_silent + lsn->nr_waiting + lsn->nr_ready)
		tls_hs_queue_drain(lsn, sk);
	spin_unlock_bh(&lsn->lock);
	if (release) {
		/* Nobody makes it the biggest any more; before RCU frees it. */
		cmpxchg((struct tls_hs_listener **)&tls_hs_net(lsn->net)->biggest,
			lsn, NULL);
		if (timer_delete(&lsn->retry))
			tls_hs_listener_put(lsn);
	}
	wake_up_interruptible_all(&lsn->wait);
}

/* In softirq with some child's spinlock held, or of a socket that has been
 * connected instead of listening.
 */
static void tls_hs_listen_data_ready(struct sock *sk)
{
	struct tls_hs_listener *lsn;

	rcu_read_lock();
	lsn = tls_hs_listener_of(sk);
	if (lsn && tls_hs_listens(sk))
		tls_hs_queue_pump(lsn);
	else if (lsn)
		lsn->data_ready(sk);
	rcu_read_unlock();
}

static void tls_hs_listen_error_report(struct sock *sk)
{
	struct tls_hs_listener *lsn;

	rcu_read_lock();
	lsn = tls_hs_listener_of(sk);
	if (lsn) {
		if (!tls_hs_listens(sk))
			tls_hs_stop_listening(lsn, sk, false);
		lsn->error_report(sk);
	}
	rcu_read_unlock();
}

static void tls_hs_restore_listener(struct sock *sk,
				    struct tls_hs_listener *lsn)
{
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_data_ready == tls_hs_listen_data_ready)
		WRITE_ONCE(sk->sk_data_ready, lsn->data_ready);
	if (sk->sk_error_report == tls_hs_listen_error_report)
		WRITE_ONCE(sk->sk_error_report, lsn->error_report);
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * tls_hs_listener_can_activate - may a listener get its first settings?
 * @sk: its socket, locked
 *
 * An accept() that is asleep in TCP would sleep on, or take a connection that
 * has not got a handshake.
 *
 * Context: process.
 * Return: 0, or -EBUSY if there is one.
 */
int tls_hs_listener_can_activate(struct sock *sk)
{
	wait_queue_head_t *wq = sk_sleep(sk);
	wait_queue_entry_t *entry;
	unsigned long flags;
	int rc = 0;

	/* See inet_csk_wait_for_connect(); others that wait only poll. */
	spin_lock_irqsave(&wq->lock, flags);
	list_for_each_entry(entry, &wq->head, entry)
		if (entry->flags & WQ_FLAG_EXCLUSIVE &&
		    entry->func == autoremove_wake_function)
			rc = -EBUSY;
	spin_unlock_irqrestore(&wq->lock, flags);
	return rc;
}

/**
 * tls_hs_listener_activate - let a listener begin, as it has settings now
 * @lsn: the listener
 * @sk: its socket, locked
 *
 * Context: process.
 */
void tls_hs_listener_activate(struct tls_hs_listener *lsn, struct sock *sk)
{
	sock_owned_by_me(sk);
	spin_lock_bh(&lsn->lock);
	tls_hs_set_tcp_backlog(lsn, sk);
	spin_unlock_bh(&lsn->lock);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_data_ready != tls_hs_listen_data_ready) {
		lsn->data_ready = sk->sk_data_ready;
		WRITE_ONCE(sk->sk_data_ready, tls_hs_listen_data_ready);
	}
	if (sk->sk_error_report != tls_hs_listen_error_report) {
		lsn->error_report = sk->sk_error_report;
		WRITE_ONCE(sk->sk_error_report, tls_hs_listen_error_report);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	/* Connections may have waited for it. */
	if (tls_hs_listens(sk))
		tls_hs_queue_pump(lsn);
}

/* What a process gets that has taken a guarded child from TCP's queue. */
static int tls_hs_guard_abort(struct sock *sk)
{
	TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSREFUSED);
	tcp_abort(sk, ECONNABORTED);
	return -ECONNABORTED;
}

static int tls_hs_guard_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	return tls_hs_guard_abort(sk);
}

static int tls_hs_guard_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
				int flags)
{
	return tls_hs_guard_abort(sk);
}

/**
 * tls_hs_listener_guard - see to it that plain TCP is never accepted
 * @lsn: the listener
 * @sk: its socket
 *
 * Context: process, before the settings that want it are in place.
 */
void tls_hs_listener_guard(struct tls_hs_listener *lsn, const struct sock *sk)
{
	struct proto *prot = &tls_hs_guard_prots[tls_hs_family(sk)];

	mutex_lock(&tls_hs_guard_lock);
	if (prot->sendmsg != tls_hs_guard_sendmsg) {
		*prot = *tls_hs_base_prot(sk);
		prot->recvmsg = tls_hs_guard_recvmsg;
		prot->sendmsg = tls_hs_guard_sendmsg;
	}
	mutex_unlock(&tls_hs_guard_lock);
	/* After the struct; pairs with smp_load_acquire() in tls_hs_clone(). */
	smp_store_release(&lsn->guard, true);
}

/**
 * tls_hs_clone - make a child of a listener a plain TCP socket
 * @req: the request
 * @newsk: the child, a copy of the listener so far
 * @gfp: for allocations
 *
 * It shares nothing with the listener; the pump gives it what it needs.
 *
 * Context: softirq, under RCU, which protects the listener's context.
 */
void tls_hs_clone(const struct request_sock *req, struct sock *newsk, gfp_t gfp)
{
	struct inet_connection_sock *icsk = inet_csk(newsk);
	struct tls_context *ctx = rcu_access_pointer(icsk->icsk_ulp_data);
	struct tls_hs_listener *lsn = ctx ? ctx->hs_listener : NULL;

	icsk->icsk_ulp_ops = NULL;
	RCU_INIT_POINTER(icsk->icsk_ulp_data, NULL);
	if (!lsn)
		return;
	if (newsk->sk_data_ready == tls_hs_listen_data_ready)
		newsk->sk_data_ready = lsn->data_ready;
	if (newsk->sk_error_report == tls_hs_listen_error_report)
		newsk->sk_error_report = lsn->error_report;
	/* Pairs with smp_store_release() in tls_hs_listener_guard(). */
	if (tls_hs_is_active(lsn) && smp_load_acquire(&lsn->guard) &&
	    try_module_get(THIS_MODULE)) {
		icsk->icsk_ulp_ops = &tcp_tls_ulp_ops;
		WRITE_ONCE(newsk->sk_prot,
			   &tls_hs_guard_prots[tls_hs_family(newsk)]);
	}
}

/* Leave a connection to user space as plain TCP.  With its socket lock, in
 * process context.
 */
static void tls_hs_detach(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tls_context *ctx = tls_get_ctx(sk);

	if (hs->foreign) {
		tls_hs_put(hs);
		return;
	}
	rcu_assign_pointer(icsk->icsk_ulp_data, NULL);
	tls_ctx_free(sk, ctx);
	icsk->icsk_ulp_ops = NULL;
	module_put(THIS_MODULE);
}

/* The next child to be accepted. */
static struct tls_hs *tls_hs_take_ready(struct tls_hs_listener *lsn,
					bool *is_empty)
{
	struct tls_hs *hs;

	spin_lock_bh(&lsn->lock);
	hs = list_first_entry_or_null(&lsn->ready, struct tls_hs, node);
	if (hs && tls_hs_is_stale(lsn, hs))
		hs = NULL;
	if (hs)
		tls_hs_move(hs, TLS_HS_NOWHERE);
	*is_empty = !lsn->nr_ready;
	spin_unlock_bh(&lsn->lock);
	if (hs)
		tls_hs_unstall(lsn);
	return hs;
}

/* Wait for a child, as inet_csk_accept() does. */
static struct tls_hs *tls_hs_wait_ready(struct tls_hs_listener *lsn,
					struct sock *sk,
					struct proto_accept_arg *arg)
{
	long timeo = sock_rcvtimeo(sk, arg->flags & O_NONBLOCK);
	bool is_empty = true;
	struct tls_hs *hs;
	DEFINE_WAIT(wait);
	int err = 0;

	for (;;) {
		if (timeo)
			prepare_to_wait_exclusive(&lsn->wait, &wait,
						  TASK_INTERRUPTIBLE);
		hs = NULL;
		err = -EINVAL;
		if (!tls_hs_listens(sk))
			break;
		hs = tls_hs_take_ready(lsn, &is_empty);
		if (hs)
			break;
		if (!tls_hs_tcp_queue_empty(sk))
			tls_hs_queue_pump(lsn);
		err = -EAGAIN;
		if (!timeo)
			break;
		err = sock_intr_errno(timeo);
		if (signal_pending(current))
			break;
		timeo = schedule_timeout(timeo);
	}
	finish_wait(&lsn->wait, &wait);
	arg->is_empty = is_empty;
	arg->err = hs ? 0 : err;
	return hs;
}

/* May a child that has fallen back be accepted?  With its socket lock. */
static bool tls_hs_is_welcome(struct tls_hs_listener *lsn, struct tls_hs *hs)
{
	struct tls_hs_names *names = tls_hs_names_get_rcu(&lsn->names);
	struct tls_hs_conf *conf = tls_hs_conf_get_rcu(&lsn->conf);
	bool welcome = tls_hs_may_fall_back(hs, conf, names);

	tls_hs_conf_put(conf);
	tls_hs_names_put(names);
	return welcome;
}

/* Hand a child to its process.  0, an error, or 1 if it must not have it. */
static int tls_hs_give(struct tls_hs_listener *lsn, struct tls_hs *hs,
		       struct socket *sock, struct socket *newsock)
{
	struct sock *child = hs->sk;
	int rc = 0;

	lock_sock(child);
	if (hs->end == TLS_HS_END_DONE) {
		__inet_accept(sock, newsock, child);
		/* kTLS copies. */
		clear_bit(SOCK_SUPPORT_ZC, &newsock->flags);
		if (tls_hs_take_over(hs, tls_get_ctx(child)))
			rc = -ECONNABORTED;
	} else if (tls_hs_is_welcome(lsn, hs)) {
		tls_hs_detach(hs);
		__inet_accept(sock, newsock, child);
	} else {
		TLS_INC_STATS(lsn->net, LINUX_MIB_TLSHSREFUSED);
		spin_lock_bh(&lsn->lock);
		tls_hs_close(hs);
		spin_unlock_bh(&lsn->lock);
		rc = 1;
	}
	release_sock(child);
	return rc;
}

static int tls_hs_accept(struct socket *sock, struct socket *newsock,
			 struct proto_accept_arg *arg)
{
	const struct proto_ops *base = tls_hs_base_ops(sock->sk);
	struct tls_hs_listener *lsn = tls_hs_listener_of(sock->sk);
	struct tls_hs *hs;
	int rc;

	newsock->ops = base;
	if (!lsn || !tls_hs_is_active(lsn))
		return base->accept(sock, newsock, arg);
	/* kernel_accept() would give the child the listener's ops. */
	if (arg->kern)
		return -EOPNOTSUPP;

	do {
		hs = tls_hs_wait_ready(lsn, sock->sk, arg);
		if (!hs)
			return arg->err;
		rc = tls_hs_give(lsn, hs, sock, newsock);
	} while (rc > 0);
	return rc;
}

static __poll_t tls_hs_poll(struct file *file, struct socket *sock,
			    struct poll_table_struct *wait)
{
	struct tls_hs_listener *lsn = tls_hs_listener_of(sock->sk);

	if (!lsn || !tls_hs_is_active(lsn) || !tls_hs_listens(sock->sk))
		return tls_hs_base_ops(sock->sk)->poll(file, sock, wait);
	sock_poll_wait(file, sock, wait);
	return READ_ONCE(lsn->nr_ready) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* do_accept() asks the listener's getname() for the address of the new socket:
 * that is where AF_TLS comes from.  Everything else is about the listener.
 */
static int tls_hs_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	const struct tls_context *ctx = tls_get_ctx(sock->sk);
	int rc = tls_hs_base_ops(sock->sk)->getname(sock, addr, peer);

	if (rc > 0 && peer == 2 &&
	    inet_csk(sock->sk)->icsk_ulp_ops == &tcp_tls_ulp_ops &&
	    ctx && ctx->hs_session)
		addr->sa_family = AF_TLS;
	return rc;
}

static int tls_hs_listen(struct socket *sock, int backlog)
{
	int rc = tls_hs_base_ops(sock->sk)->listen(sock, backlog);
	struct tls_hs_listener *lsn = tls_hs_listener_of(sock->sk);

	if (rc || !lsn)
		return rc;
	spin_lock_bh(&lsn->lock);
	WRITE_ONCE(lsn->backlog, max(backlog, 0));
	if (tls_hs_is_active(lsn))
		tls_hs_set_tcp_backlog(lsn, sock->sk);
	spin_unlock_bh(&lsn->lock);
	/* There may be more room. */
	tls_hs_queue_pump(lsn);
	return 0;
}

/* Is it a socket that was bound, got the ULP and was connected then?  It becomes
 * what it would be if it had got the ULP after that.
 */
static bool tls_hs_convert(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct tls_hs_listener *lsn;
	struct tls_context *ctx;

	lock_sock(sk);
	ctx = tls_get_ctx(sk);
	lsn = tls_hs_listener_of(sk);
	if (lsn && sk->sk_state == TCP_ESTABLISHED) {
		tls_hs_restore_listener(sk, lsn);
		tls_hs_stop_listening(lsn, sk, true);
		ctx->tx_max_payload_len = TLS_MAX_PAYLOAD_SIZE;
		update_sk_prot(sk, ctx);
	}
	release_sock(sk);
	return READ_ONCE(sock->ops) != tls_hs_listen_ops[tls_hs_family(sk)];
}

static bool tls_hs_may_listen(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_LISTEN | TCPF_CLOSE);
}

/* The listener that has an option of SOL_TLS, %NULL if the socket has become one of
 * kTLS by connect(), or an error.
 */
static struct tls_hs_listener *tls_hs_option_of(struct socket *sock)
{
	struct tls_hs_listener *lsn;

	if (!tls_hs_may_listen(sock->sk))
		return tls_hs_convert(sock) ? NULL : ERR_PTR(-ENOTCONN);
	lsn = tls_hs_listener_of(sock->sk);
	return lsn ?: ERR_PTR(-ENOPROTOOPT);
}

static int tls_hs_setsockopt(struct socket *sock, int level, int optname,
			     sockptr_t optval, unsigned int optlen)
{
	const struct proto_ops *base = tls_hs_base_ops(sock->sk);
	struct tls_hs_listener *lsn;

	if (level != SOL_TLS)
		return base->setsockopt(sock, level, optname, optval, optlen);
	lsn = tls_hs_option_of(sock);
	if (IS_ERR(lsn))
		return PTR_ERR(lsn);
	if (!lsn)
		return READ_ONCE(sock->ops)->setsockopt(sock, level, optname,
							optval, optlen);
	switch (optname) {
	case TLS_HS:
		return tls_hs_set_settings(lsn, sock->sk, optval, optlen);
	case TLS_HS_ALPN:
		return tls_hs_set_alpn(lsn, sock->sk, optval, optlen);
	case TLS_HS_SNI:
		return tls_hs_set_sni(lsn, sock->sk, optval, optlen);
	case TLS_TX:
	case TLS_RX:
		/* Keys of one connection: never to be shared by children. */
		return -EINVAL;
	default:
		return -ENOPROTOOPT;
	}
}

static int tls_hs_getsockopt(struct socket *sock, int level, int optname,
			     char __user *optval, int __user *optlen)
{
	const struct proto_ops *base = tls_hs_base_ops(sock->sk);
	struct tls_hs_listener *lsn;

	if (level != SOL_TLS)
		return base->getsockopt(sock, level, optname, optval, optlen);
	lsn = tls_hs_option_of(sock);
	if (IS_ERR(lsn))
		return PTR_ERR(lsn);
	if (!lsn)
		return READ_ONCE(sock->ops)->getsockopt(sock, level, optname,
							optval, optlen);
	switch (optname) {
	case TLS_HS:
		return tls_hs_get_settings(lsn, optval, optlen);
	case TLS_HS_ALPN:
		return tls_hs_get_alpn_list(lsn, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static struct tls_hs_listener *tls_hs_listener_new(struct sock *sk)
{
	struct tls_hs_listener *lsn;

	lsn = kzalloc_obj(*lsn, GFP_KERNEL_ACCOUNT);
	if (!lsn)
		return NULL;
	refcount_set(&lsn->refs, 1);
	spin_lock_init(&lsn->lock);
	lsn->sk = sk;
	lsn->net = sock_net(sk);
	lsn->backlog = sk->sk_max_ack_backlog;
	INIT_LIST_HEAD(&lsn->silent);
	INIT_LIST_HEAD(&lsn->waiting);
	INIT_LIST_HEAD(&lsn->ready);
	init_waitqueue_head(&lsn->wait);
	lsn->pump.func = tls_hs_pump;
	timer_setup(&lsn->retry, tls_hs_retry, 0);
	INIT_WORK(&lsn->drain, tls_hs_drain);
	INIT_RCU_WORK(&lsn->rwork, tls_hs_listener_free);
	return lsn;
}

/**
 * tls_hs_listen_attach - attach the ULP to a socket that is not connected
 * @sk: the socket, locked
 *
 * Listening sockets are taken, and bound ones that will listen.  Nothing changes
 * for them until TLS_HS is set, but that they have the option.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOTCONN for any other socket, -EINVAL for one whose functions
 * are not TCP's own (sockmap, MPTCP, SMC), or -ENOMEM.
 */
int tls_hs_listen_attach(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	bool listens = sk->sk_state == TCP_LISTEN;
	struct socket *sock = sk->sk_socket;
	struct tls_hs_listener *lsn;
	struct tls_context *ctx;

	sock_owned_by_me(sk);
	if (!listens && !(sk->sk_state == TCP_CLOSE && inet_sk(sk)->inet_num))
		return -ENOTCONN;
	if (sk->sk_prot != tls_hs_base_prot(sk) || !sock ||
	    sock->ops != tls_hs_base_ops(sk))
		return -EINVAL;

	lsn = tls_hs_listener_new(sk);
	ctx = lsn ? tls_ctx_alloc(GFP_KERNEL_ACCOUNT) : NULL;
	if (!ctx) {
		kfree(lsn);
		return -ENOMEM;
	}
	ctx->tx_conf = TLS_BASE;
	ctx->rx_conf = TLS_BASE;
	ctx->hs_listener = lsn;

	/* A child is a copy of the listener at any moment.  Let all of them see
	 * tls_hs_clone() before there is anything to undo.
	 */
	icsk->icsk_ulp_ops = &tcp_tls_ulp_ops;
	if (listens)
		synchronize_net();

	write_lock_bh(&sk->sk_callback_lock);
	tls_ctx_attach(sk, ctx);
	WRITE_ONCE(sock->ops, tls_hs_listen_ops[tls_hs_family(sk)]);
	write_unlock_bh(&sk->sk_callback_lock);
	/* The ULP takes it away, since most have their own sendmsg(). */
	set_bit(SOCK_SUPPORT_ZC, &sock->flags);
	return 0;
}

/* The listener's socket is being destroyed. */
static void tls_hs_listener_release(struct sock *sk, struct tls_context *ctx)
{
	struct tls_hs_listener *lsn = ctx->hs_listener;

	if (tls_hs_is_active(lsn))
		tls_hs_restore_listener(sk, lsn);
	tls_hs_stop_listening(lsn, sk, true);
}

/**
 * tls_hs_release - free the context of a listener or an unaccepted child
 * @sk: the socket, being destroyed
 *
 * Connections that were accepted lose theirs in tls_sk_proto_close().
 *
 * Context: process or softirq, atomic.
 */
void tls_hs_release(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tls_context *ctx = rcu_dereference_protected(icsk->icsk_ulp_data, 1);

	if (!ctx) {
		tls_hs_unguard(sk);
		return;
	}
	if (ctx->hs_listener)
		tls_hs_listener_release(sk, ctx);
	else if (!ctx->hs)
		return;

	rcu_assign_pointer(icsk->icsk_ulp_data, NULL);
	tls_ctx_free(sk, ctx);
}

/**
 * tls_hs_listener_put_info - tell inet_diag how busy a listener is
 * @lsn: the listener
 * @skb: the message, with an open nest
 *
 * Context: any, under RCU.
 * Return: 0 or -EMSGSIZE.
 */
int tls_hs_listener_put_info(struct tls_hs_listener *lsn, struct sk_buff *skb)
{
	if (nla_put_u32(skb, TLS_INFO_HS_READY, READ_ONCE(lsn->nr_ready)) ||
	    nla_put_u32(skb, TLS_INFO_HS_SILENT, READ_ONCE(lsn->nr_silent)) ||
	    nla_put_u32(skb, TLS_INFO_HS_WAITING, READ_ONCE(lsn->nr_waiting)) ||
	    nla_put_u32(skb, TLS_INFO_HS_LIMIT, tls_hs_limit(lsn)))
		return -EMSGSIZE;
	return 0;
}

static void __init
tls_hs_build_ops(struct proto_ops *ops, const struct proto_ops *base)
{
	*ops = *base;
	ops->accept = tls_hs_accept;
	ops->poll = tls_hs_poll;
	ops->getname = tls_hs_getname;
	ops->listen = tls_hs_listen;
	ops->setsockopt = tls_hs_setsockopt;
	ops->getsockopt = tls_hs_getsockopt;
}

int __init tls_hs_listen_init(void)
{
	void *ops = kcalloc(TLS_HS_NUM_FAMILIES, sizeof(const struct proto_ops),
			    GFP_KERNEL);
	int i;

	if (!ops)
		return -ENOMEM;
	for (i = 0; i < TLS_HS_NUM_FAMILIES; i++)
		tls_hs_listen_ops[i] = ops + i * sizeof(const struct proto_ops);
	tls_hs_build_ops(tls_hs_listen_ops[TLS_HS_V4], &inet_stream_ops);
#if IS_ENABLED(CONFIG_IPV6)
	tls_hs_build_ops(tls_hs_listen_ops[TLS_HS_V6], &inet6_stream_ops);
#endif
	return 0;
}

void tls_hs_listen_exit(void)
{
	kfree(tls_hs_listen_ops[0]);
}
