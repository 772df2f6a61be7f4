// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a TLS_HS listener, and what becomes of its children.
 *
 * A socket stops to listen by shutdown(), an abort, or its release.  Each begins a
 * new epoch of its listener.  Work, the drain, hands the children of older epochs
 * over to another listener of the reuseport group, if the system migrates requests
 * and that listener has TLS_HS, or closes them.
 *
 * Owner: the drain has a child while it is an ORPHAN.  It has a reference to the
 * listener and to its socket.
 *
 * Locks: child's socket lock; tls_hs_listener::lock, a leaf.
 */

#include <net/sock_reuseport.h>
#include <net/tcp.h>

#include "../tls.h"
#include "handshake.h"
#include "listener.h"

/* Take the next child of an epoch that has ended; lists are in the order of
 * epochs.
 */
static struct tls_hs *tls_hs_take_stale(struct tls_hs_listener *lsn)
{
	struct list_head *lists[] = { &lsn->ready, &lsn->waiting, &lsn->silent };
	struct tls_hs *hs;
	int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		hs = list_first_entry_or_null(lists[i], struct tls_hs, node);
		if (hs && tls_hs_child_is_stale(lsn, hs)) {
			tls_hs_child_move(hs, TLS_HS_ORPHAN);
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
		tls_hs_child_move(hs, TLS_HS_NOWHERE);
	else
		tls_hs_child_close(hs);
	spin_unlock_bh(&old->lock);
	if (lsn) {
		hs->lsn = lsn;
		tls_hs_child_enlist(hs, place);
		tls_hs_listener_put(old);
	}
	release_sock(child);
}

/**
 * tls_hs_drain - find a new place for children of epochs that have ended
 * @work: that of the listener, which has a reference
 *
 * Context: process.
 */
void tls_hs_drain(struct work_struct *work)
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
	/* Children of the new epoch may have waited behind them, any number. */
	if (ready) {
		wake_up_interruptible_all(&lsn->wait);
		tls_hs_listener_wake(lsn, sk);
	}
	tls_hs_unstall(lsn);
	sock_put(sk);
	tls_hs_listener_put(lsn);
}

/**
 * tls_hs_queue_drain - queue the drain
 * @lsn: the listener
 * @sk: its socket, which may be about to be released
 *
 * Context: any, the listener's lock is held.
 */
void tls_hs_queue_drain(struct tls_hs_listener *lsn, struct sock *sk)
{
	lockdep_assert_held(&lsn->lock);
	if (lsn->drain_sk)
		return;
	sock_hold(sk);
	lsn->drain_sk = sk;
	refcount_inc(&lsn->refs);
	queue_work(tls_hs_wq, &lsn->drain);
}

/**
 * tls_hs_stop_listening - the socket does not listen any more
 * @lsn: the listener
 * @sk: its socket
 * @release: it is being destroyed, or has become a connection
 *
 * Context: any.
 */
void tls_hs_stop_listening(struct tls_hs_listener *lsn, struct sock *sk,
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
		/* With lsn->sk cleared nobody sets it again.  Clear it before
		 * RCU frees the listener.
		 */
		cmpxchg(&tls_hs_net(lsn->net)->biggest, RCU_INITIALIZER(lsn),
			NULL);
		if (timer_delete(&lsn->retry))
			tls_hs_listener_put(lsn);
	}
	wake_up_interruptible_all(&lsn->wait);
}
