// SPDX-License-Identifier: GPL-2.0
/*
 * Listening sockets whose connections get a handshake before accept().
 *
 * TCP knows nothing of it.  The listener keeps TCP's struct proto; its
 * sk_socket->ops are a copy of inet's with other accept(), poll(), getname() and
 * socket options.  Children are plain TCP sockets in TCP's accept queue.  From
 * there the pump, a job of a CPU's thread, takes them with TCP's own accept() and
 * gives them a handshake (pump.c, drive.c):
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
 * Locks: listener's socket lock; child's socket lock; tls_hs_listener::lock, which
 * is a leaf.
 *
 * The listener's sk_data_ready() runs in softirq with some child's spinlock
 * held, so it only queues the pump.  Its end is seen in sk_error_report(), which
 * TCP calls after shutdown() and aborts, or in the ULP's ->release(), which it
 * calls in the end (migrate.c).
 */

#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/inet_common.h>
#include <net/tcp.h>
#include <trace/events/sock.h>

#include "../tls.h"
#include "handshake.h"
#include "listen.h"
#include "listener.h"

/* Each a struct proto_ops. */
static void *tls_hs_listen_ops[TLS_HS_NUM_FAMILIES] __read_mostly;

/**
 * tls_hs_listener_of - the listener that a socket is
 * @sk: the socket
 *
 * It stays as long as the context does: until the last file is closed, or RCU is
 * dropped.
 *
 * Context: any.
 * Return: the listener, or %NULL: for a child whose clone() was not called since
 * the listener was just being destroyed, and for a socket that has been connected
 * instead.
 */
struct tls_hs_listener *tls_hs_listener_of(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs_listener *lsn = ctx ? ctx->hs_listener : NULL;

	return lsn && READ_ONCE(lsn->sk) == sk ? lsn : NULL;
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

/* In softirq with some child's spinlock held, or of a socket that has been
 * connected instead of listening.
 */
static void tls_hs_listen_data_ready(struct sock *sk)
{
	struct tls_hs_listener *lsn;

	trace_sk_data_ready(sk);

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
 * tls_hs_listener_activate - let a listener begin, as it has got settings
 * @lsn: the listener
 * @sk: its socket, locked
 *
 * Once: whoever puts functions of his own before ours calls ours.
 *
 * Context: process.
 */
void tls_hs_listener_activate(struct tls_hs_listener *lsn, struct sock *sk)
{
	sock_owned_by_me(sk);
	spin_lock_bh(&lsn->lock);
	tls_hs_set_tcp_backlog(lsn, sk);
	spin_unlock_bh(&lsn->lock);
	/* Softirq may see the second of two stores first: then it calls the
	 * callback that lsn->data_ready was initialised with.
	 */
	write_lock_bh(&sk->sk_callback_lock);
	lsn->data_ready = sk->sk_data_ready;
	WRITE_ONCE(sk->sk_data_ready, tls_hs_listen_data_ready);
	lsn->error_report = sk->sk_error_report;
	WRITE_ONCE(sk->sk_error_report, tls_hs_listen_error_report);
	write_unlock_bh(&sk->sk_callback_lock);
	/* Take the connections that have arrived before. */
	if (tls_hs_listens(sk))
		tls_hs_queue_pump(lsn);
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
	struct tls_context *ctx = tls_get_ctx(newsk);
	struct tls_hs_listener *lsn = ctx ? ctx->hs_listener : NULL;

	icsk->icsk_ulp_ops = NULL;
	RCU_INIT_POINTER(icsk->icsk_ulp_data, NULL);
	if (!lsn)
		return;
	if (newsk->sk_data_ready == tls_hs_listen_data_ready)
		newsk->sk_data_ready = lsn->data_ready;
	if (newsk->sk_error_report == tls_hs_listen_error_report)
		newsk->sk_error_report = lsn->error_report;
	if (tls_hs_is_active(lsn))
		tls_hs_guard(lsn, newsk);
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
		hs = tls_hs_listener_take_ready(lsn, &is_empty);
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
	/* The wake-up may have been for another child: pass it on. */
	if (hs && READ_ONCE(lsn->nr_ready) && wq_has_sleeper(&lsn->wait))
		wake_up_interruptible(&lsn->wait);
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

/* Does accept() report AF_INET or AF_INET6 instead of AF_TLS?  The settings of the
 * accepting listener decide, not those of the one that a child has migrated from.
 */
static bool tls_hs_hides_family(struct tls_hs_listener *lsn)
{
	const struct tls_hs_conf *conf;
	bool hides;

	rcu_read_lock();
	conf = rcu_dereference(lsn->conf);
	hides = conf->settings.flags & TLS_HS_F_INET_FAMILY;
	rcu_read_unlock();
	return hides;
}

/* Give a child to the process in accept().  0, an error, or 1 if the settings
 * forbid that.
 */
static int tls_hs_give(struct tls_hs_listener *lsn, struct tls_hs *hs,
		       struct socket *sock, struct socket *newsock)
{
	struct sock *child = hs->sk;
	int rc = 0;

	lock_sock(child);
	if (hs->end == TLS_HS_END_DONE) {
		tls_get_ctx(child)->hs_inet_family = tls_hs_hides_family(lsn);
		__inet_accept(sock, newsock, child);
		/* MSG_ZEROCOPY is not supported: kTLS copies. */
		clear_bit(SOCK_SUPPORT_ZC, &newsock->flags);
		if (tls_hs_take_over(hs, tls_get_ctx(child)))
			rc = -ECONNABORTED;
	} else if (tls_hs_is_welcome(lsn, hs)) {
		tls_hs_detach(hs);
		__inet_accept(sock, newsock, child);
	} else {
		TLS_INC_STATS(lsn->net, LINUX_MIB_TLSHSREFUSED);
		spin_lock_bh(&lsn->lock);
		tls_hs_child_close(hs);
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
	    ctx && ctx->hs_session && !ctx->hs_inet_family)
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
	/* A larger backlog makes room for children. */
	tls_hs_queue_pump(lsn);
	return 0;
}

/* Convert a socket that was bound, got the ULP and was connected then to what
 * it would be if it had got the ULP after connect().
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
		/* See tls_hs_listen_attach(): kTLS does not support
		 * MSG_ZEROCOPY.
		 */
		clear_bit(SOCK_SUPPORT_ZC, &sock->flags);
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
	lsn->data_ready = sk->sk_data_ready;
	lsn->error_report = sk->sk_error_report;
	INIT_LIST_HEAD(&lsn->silent);
	INIT_LIST_HEAD(&lsn->waiting);
	INIT_LIST_HEAD(&lsn->ready);
	init_waitqueue_head(&lsn->wait);
	lsn->pump.func = tls_hs_pump;
	timer_setup(&lsn->retry, tls_hs_pump_retry, 0);
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
	/* tcp_set_ulp() clears it, since most ULPs replace sendmsg(). */
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
	/* A socket that has been connected instead is closed by kTLS, which may
	 * have given the context to a device.
	 */
	if (tls_hs_listener_of(sk))
		tls_hs_listener_release(sk, ctx);
	else if (!ctx->hs)
		return;

	rcu_assign_pointer(icsk->icsk_ulp_data, NULL);
	tls_ctx_free(sk, ctx);
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
