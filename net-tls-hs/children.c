// SPDX-License-Identifier: GPL-2.0
/*
 * Children of a TLS_HS listener: the place of each, how many there may be, and
 * how those end that nobody accepts.
 *
 * Locks: child's socket lock; tls_hs_listener::lock, which is a leaf.  What is to
 * be done to a child that is found in a list is done by work that has moved it to
 * CLOSING or ORPHAN.  Nobody holds the locks of two listeners.
 *
 * Contexts: any, but for what says otherwise; the work that closes children is in
 * process context.
 */

#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/netlink.h>
#include <net/tcp.h>

#include "../tls.h"
#include "handshake.h"
#include "inject.h"
#include "listener.h"

/* Connections in handshake that a listener has at least room for, and for each
 * place of its backlog.
 */
#define TLS_HS_LIMIT_MIN	1024
#define TLS_HS_LIMIT_PER_PLACE	4

/* Handshakes that a listener may have although others have used up the
 * namespace's limit.
 */
#define TLS_HS_LIMIT_FLOOR	16U

/* A child without a ClientHello after this time is the first to be evicted. */
#define TLS_HS_SILENT_GRACE	HZ

/* Connections to be closed, which needs process context. */
static LLIST_HEAD(tls_hs_closing);
static void tls_hs_close_work(struct work_struct *work);
static DECLARE_WORK(tls_hs_closer, tls_hs_close_work);

/**
 * tls_hs_listener_limit - how many connections in handshake a listener may have
 * @lsn: the listener
 *
 * Context: any.
 * Return: the setting, or what follows from the backlog; at most the namespace's
 * limit.
 */
u32 tls_hs_listener_limit(const struct tls_hs_listener *lsn)
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

/**
 * tls_hs_child_move - move a child to another place
 * @hs: the child's handshake
 * @place: the place, &enum tls_hs_place
 *
 * Context: any, the lock of its listener is held.
 */
void tls_hs_child_move(struct tls_hs *hs, u8 place)
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

/**
 * tls_hs_child_close - give a child to the work that closes it
 * @hs: the child's handshake
 *
 * Context: any, the lock of its listener is held.
 */
void tls_hs_child_close(struct tls_hs *hs)
{
	tls_hs_child_move(hs, TLS_HS_CLOSING);
	set_bit(TLS_HS_EVICTED, &hs->flags);
	refcount_inc(&hs->refs);
	if (llist_add(&hs->to_close, &tls_hs_closing))
		queue_work(tls_hs_wq, &tls_hs_closer);
}

/* Close children.  Consume what is unread before the FIN: TCP would send a
 * reset instead, and the client would not see the alert.
 */
static void tls_hs_close_work(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&tls_hs_closing);
	struct tls_hs *hs, *next;

	llist_for_each_entry_safe(hs, next, list, to_close) {
		struct tls_hs_listener *lsn = hs->lsn;
		struct sock *sk = hs->sk;

		lock_sock(sk);
		tls_hs_finish_early(hs, TLS_HS_END_RESET, -ECONNABORTED);
		if (hs->end == TLS_HS_END_CLOSE) {
			tls_hs_drop_unread(sk);
		} else {
			sock_set_flag(sk, SOCK_LINGER);
			sk->sk_lingertime = 0;
		}
		release_sock(sk);

		spin_lock_bh(&lsn->lock);
		tls_hs_child_move(hs, TLS_HS_NOWHERE);
		spin_unlock_bh(&lsn->lock);
		tls_hs_unstall(lsn);
		sk->sk_prot->close(sk, 0);
		/* Without a context nothing else drops the socket's reference.
		 */
		if (hs->foreign)
			tls_hs_put(hs);
		tls_hs_put(hs);
		cond_resched();
	}
}

/**
 * tls_hs_listener_wake - wake who waits in accept() or poll()
 * @lsn: the listener
 * @sk: its socket, which has not been released
 *
 * Context: any, under RCU.
 */
void tls_hs_listener_wake(struct tls_hs_listener *lsn, struct sock *sk)
{
	/* Wake one sleeping accept(), then those that poll, as TCP does. */
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
		tls_hs_child_move(hs, TLS_HS_WAITING);
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
			tls_hs_child_move(hs, TLS_HS_READY);
			sk = lsn->sk;
		} else {
			tls_hs_child_close(hs);
		}
	}
	spin_unlock_bh(&lsn->lock);
	if (sk)
		tls_hs_listener_wake(lsn, sk);
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

/**
 * tls_hs_child_new - allocate a handshake and a context for a child
 * @ctx: is set to the context
 *
 * Context: process, may sleep.
 * Return: the handshake, or %NULL without memory.
 */
struct tls_hs *tls_hs_child_new(struct tls_context **ctx)
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

/* Choose the child to evict: the oldest silent one if it has been silent for
 * too long or if there are too many of these, else the oldest waiting one.
 * Neither kind can push the other out as long as it has less than half of the
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
	tls_hs_child_close(victim);
}

/* Evict children until a listener is within its limit.  With the lock held. */
static void tls_hs_keep_limit(struct tls_hs_listener *lsn, u32 limit)
{
	while (lsn->nr_silent + lsn->nr_waiting > limit)
		tls_hs_evict(lsn, limit);
}

static u32 tls_hs_nr_pending(const struct tls_hs_listener *lsn)
{
	return READ_ONCE(lsn->nr_silent) + READ_ONCE(lsn->nr_waiting);
}

/* If the network namespace has too many handshakes, evict one of the listener
 * that is known to have most of them, so that a listener that fills the
 * namespace pays for that itself.  Children that are about to be closed count
 * as well, so that one is evicted for each that comes.
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
			tls_hs_evict(biggest, tls_hs_listener_limit(biggest));
		spin_unlock_bh(&biggest->lock);
	}
	rcu_read_unlock();
}

/**
 * tls_hs_child_enlist - give a child to its listener
 * @hs: the child's handshake
 * @place: the list that it is put into
 *
 * If the listener has stopped to listen, the child goes to the drain; if the
 * listener has been released, it is closed.  A child in handshake may push others
 * out, as the limits want it.
 *
 * Context: process, the child's socket lock is held.
 */
void tls_hs_child_enlist(struct tls_hs *hs, u8 place)
{
	struct tls_hs_listener *lsn = hs->lsn;
	bool came = false;
	struct sock *sk;

	rcu_read_lock();
	spin_lock_bh(&lsn->lock);
	sk = lsn->sk;
	hs->epoch = lsn->epoch;
	tls_hs_child_move(hs, place);
	if (!sk || !tls_hs_listens(sk)) {
		/* tls_hs_stop_listening() may not have begun a new epoch yet.
		 */
		hs->epoch--;
		if (sk)
			tls_hs_queue_drain(lsn, sk);
		else
			tls_hs_child_close(hs);
		sk = NULL;
	} else if (place != TLS_HS_READY) {
		tls_hs_keep_limit(lsn, tls_hs_listener_limit(lsn));
		came = true;
		sk = NULL;
	}
	spin_unlock_bh(&lsn->lock);
	if (sk)
		tls_hs_listener_wake(lsn, sk);
	if (came)
		tls_hs_keep_net_limit(lsn);
	rcu_read_unlock();
}

/**
 * tls_hs_child_is_stale - is a child of an epoch that has ended?
 * @lsn: its listener
 * @hs: the child's handshake
 *
 * Context: any, the lock of the listener is held.
 * Return: whether it is.
 */
bool tls_hs_child_is_stale(const struct tls_hs_listener *lsn,
			   const struct tls_hs *hs)
{
	return hs->epoch != lsn->epoch;
}

/**
 * tls_hs_listener_take_ready - take the next child to be accepted
 * @lsn: the listener
 * @is_empty: is set to whether there is no other one
 *
 * Context: process.
 * Return: the child's handshake, or %NULL.
 */
struct tls_hs *tls_hs_listener_take_ready(struct tls_hs_listener *lsn,
					  bool *is_empty)
{
	struct tls_hs *hs;

	spin_lock_bh(&lsn->lock);
	hs = list_first_entry_or_null(&lsn->ready, struct tls_hs, node);
	if (hs && tls_hs_child_is_stale(lsn, hs))
		hs = NULL;
	if (hs)
		tls_hs_child_move(hs, TLS_HS_NOWHERE);
	*is_empty = !lsn->nr_ready;
	spin_unlock_bh(&lsn->lock);
	if (hs)
		tls_hs_unstall(lsn);
	return hs;
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
	    nla_put_u32(skb, TLS_INFO_HS_LIMIT, tls_hs_listener_limit(lsn)))
		return -EMSGSIZE;
	return 0;
}
