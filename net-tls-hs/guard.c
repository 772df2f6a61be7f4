// SPDX-License-Identifier: GPL-2.0
/*
 * The guard of children under %TLS_HS_F_NO_FALLBACK: a struct proto that cannot
 * send or receive, with which they are born.
 *
 * An accept() that was about to begin when TLS_HS was set, or another listener of
 * the group without TLS_HS, may take a child from TCP's queue before the pump does.
 * The first send or receive aborts it: nobody serves plain text.  splice() and
 * TCP_ZEROCOPY_RECEIVE, which do not ask struct proto, may still take what the
 * client has sent.
 */

#include <linux/module.h>
#include <linux/mutex.h>
#include <net/tcp.h>

#include "../tls.h"
#include "handshake.h"
#include "listener.h"

/* Copied when the first listener of the family needs them: TCP's own are not
 * complete before they have been registered.
 */
static struct proto tls_hs_guard_prots[TLS_HS_NUM_FAMILIES];

static DEFINE_MUTEX(tls_hs_guard_lock);

/* Abort a guarded child that a process has taken from TCP's queue. */
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
	/* Orders the struct before; pairs with smp_load_acquire() in
	 * tls_hs_guard().
	 */
	smp_store_release(&lsn->guard, true);
}

/**
 * tls_hs_unguard - take the guard of a child off
 * @child: its socket
 *
 * Context: any, the owner of the child.
 * Return: whether it had one.
 */
bool tls_hs_unguard(struct sock *child)
{
	if (child->sk_prot != &tls_hs_guard_prots[tls_hs_family(child)])
		return false;
	WRITE_ONCE(child->sk_prot, tls_hs_base_prot(child));
	return true;
}

/**
 * tls_hs_guard - give a child its guard
 * @lsn: the listener
 * @child: the child, just cloned; nobody else has it
 *
 * The guard has a reference to the module.
 *
 * Context: softirq, under RCU.
 */
void tls_hs_guard(const struct tls_hs_listener *lsn, struct sock *child)
{
	/* Pairs with smp_store_release() in tls_hs_listener_guard(). */
	if (!smp_load_acquire(&lsn->guard) || !try_module_get(THIS_MODULE))
		return;
	inet_csk(child)->icsk_ulp_ops = &tcp_tls_ulp_ops;
	WRITE_ONCE(child->sk_prot, &tls_hs_guard_prots[tls_hs_family(child)]);
}
