// SPDX-License-Identifier: GPL-2.0
/*
 * Handshakes on sockets that are connected already: for protocols that start in
 * the clear (setsockopt(TLS_HS) on a connection), and for users in the kernel.
 *
 * As long as the handshake is under way, nobody else may read from the socket or
 * write to it.  Its struct proto makes readers and writers wait, or says -EAGAIN,
 * and its sk_socket->ops make poll() report nothing but a queue of errors.  Users
 * in the kernel may have one thread send the last reply in the clear while another
 * one starts the handshake: that is let through before the ClientHello is answered.
 *
 * The engine ends in softirq or on a CPU's thread; work in process context
 * installs the keys and tells the user.  The socket lock decides between it and
 * a cancellation: whoever sets tls_hs_connected::over has won.
 */

#include <asm/ioctls.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "../tls.h"
#include "drive.h"
#include "handshake.h"
#include "inject.h"
#include "listen.h"

/**
 * struct tls_hs_connected - a handshake on a connected socket
 * @hs: what is common to all
 * @work: tells the user
 * @done: function of a user in the kernel, or %NULL
 * @data: its argument
 * @rcvlowat: SO_RCVLOWAT that has been set meanwhile, or 0
 * @may_send: the user may send in the clear until the ClientHello is answered
 * @own_ulp: the user has not set the ULP: it goes when the handshake fails,
 *	unless there is a key that tls_sk_proto_close() has to take away
 * @over: it has ended or been cancelled; under the socket lock
 */
struct tls_hs_connected {
	struct tls_hs hs;
	struct work_struct work;
	tls_hs_done_t done;
	void *data;
	int rcvlowat;
	bool may_send;
	bool own_ulp;
	bool over;
};

/* Each a struct proto_ops, by family. */
static void *tls_hs_wait_ops[2] __read_mostly;

/* Built for the first socket of the family, as those of kTLS are. */
static struct proto tls_hs_wait_prots[2];
static DEFINE_MUTEX(tls_hs_wait_prots_lock);

static bool tls_hs_waits(const struct sock *sk)
{
	return READ_ONCE(sk->sk_prot) ==
	       &tls_hs_wait_prots[sk->sk_family == AF_INET6];
}

static struct tls_hs_connected *tls_hs_to_connected(struct tls_hs *hs)
{
	return container_of(hs, struct tls_hs_connected, hs);
}

static void tls_hs_connected_ended(struct tls_hs *hs)
{
	struct tls_hs_connected *c = tls_hs_to_connected(hs);

	refcount_inc(&hs->refs);
	if (!queue_work(tls_hs_wq, &c->work))
		refcount_dec(&hs->refs);
}

static void tls_hs_connected_free(struct tls_hs *hs)
{
	kfree(tls_hs_to_connected(hs));
}

static const struct tls_hs_user tls_hs_connected_user = {
	.ended	= tls_hs_connected_ended,
	.free	= tls_hs_connected_free,
};

/* Give a socket back to its user.  With the socket lock; the handshake does not
 * use it any more.
 */
static void tls_hs_give_back(struct sock *sk, struct tls_context *ctx,
			     const struct tls_hs_connected *c, bool own_ulp)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct socket *sock = sk->sk_socket;

	if (own_ulp && ctx->tx_conf == TLS_BASE && ctx->rx_conf == TLS_BASE) {
		write_lock_bh(&sk->sk_callback_lock);
		rcu_assign_pointer(icsk->icsk_ulp_data, NULL);
		WRITE_ONCE(sk->sk_prot, ctx->sk_proto);
		if (sock)
			WRITE_ONCE(sock->ops, sk->sk_family == AF_INET6 ?
					      &inet6_stream_ops :
					      &inet_stream_ops);
		write_unlock_bh(&sk->sk_callback_lock);
		icsk->icsk_ulp_ops = NULL;
		tls_ctx_free(sk, ctx);
		module_put(THIS_MODULE);
	} else if (sock) {
		update_sk_prot(sk, ctx);
	}
	if (!sock)
		return;
	/* TCP has a limit for it, and makes room. */
	if (c->rcvlowat)
		READ_ONCE(sock->ops)->set_rcvlowat(sk, c->rcvlowat);
	wake_up_interruptible_poll(sk_sleep(sk), EPOLLIN | EPOLLOUT |
				   EPOLLERR | EPOLLHUP);
	sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
}

/* Does a task sleep in TCP's recv() or send(), where it would go on in the
 * clear?  With the socket lock.
 */
static bool tls_hs_has_sleeper(struct sock *sk)
{
	wait_queue_head_t *wq = sk_sleep(sk);
	wait_queue_entry_t *entry;
	unsigned long flags;
	bool found = sk->sk_write_pending;

	/* See sk_wait_data() and sk_stream_wait_memory(). */
	spin_lock_irqsave(&wq->lock, flags);
	list_for_each_entry(entry, &wq->head, entry)
		if (entry->func == woken_wake_function)
			found = true;
	spin_unlock_irqrestore(&wq->lock, flags);
	return found;
}

/* End the connection after a failed handshake: nothing can be sent any more,
 * and a FIN follows the alert.  With the socket lock.
 */
static void tls_hs_fail(struct tls_hs *hs, int error)
{
	struct sock *sk = hs->sk;

	/* The user must not read what is left of the handshake. */
	tls_hs_drop_unread(sk);
	if (sk->sk_state != TCP_CLOSE) {
		WRITE_ONCE(sk->sk_err, -error);
		if (hs->end == TLS_HS_END_CLOSE)
			tls_get_ctx(sk)->sk_proto->shutdown(sk, SEND_SHUTDOWN);
	}
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	tls_get_ctx(sk)->hs_failed = 1;
}

static void tls_hs_connected_work(struct work_struct *work)
{
	struct tls_hs_connected *c = container_of(work, struct tls_hs_connected,
						  work);
	struct tls_hs *hs = &c->hs;
	struct sock *sk = hs->sk;
	struct tls_context *ctx;
	int status = hs->error;
	bool won;

	lock_sock(sk);
	won = !c->over;
	c->over = true;
	if (won) {
		ctx = tls_get_ctx(sk);
		if (hs->end == TLS_HS_END_DONE && tls_hs_has_sleeper(sk)) {
			/* The task had entered TCP's function before the
			 * handshake replaced it.
			 */
			hs->end = TLS_HS_END_RESET;
			status = -EBUSY;
		} else if (hs->end == TLS_HS_END_DONE &&
			   sk->sk_shutdown & SEND_SHUTDOWN &&
			   sk->sk_state != TCP_CLOSE) {
			/* The FIN has gone, and no close_notify before it. */
			hs->end = TLS_HS_END_RESET;
			status = -EPIPE;
		}
		if (hs->end == TLS_HS_END_DONE) {
			status = tls_hs_take_over(hs, ctx);
			/* That would say that nothing has been read. */
			if (status == -EOPNOTSUPP)
				status = -EIO;
			if (status)
				tls_hs_fail(hs, status);
		} else {
			if (hs->end == TLS_HS_END_FALLBACK)
				status = -EOPNOTSUPP;
			else
				tls_hs_fail(hs, status);
			ctx->hs = NULL;
			tls_hs_put(hs);
		}
		tls_hs_give_back(sk, ctx, c, c->own_ulp);
	}
	release_sock(sk);
	if (won && status && status != -EOPNOTSUPP &&
	    hs->end != TLS_HS_END_CLOSE)
		tcp_abort(sk, -status);
	if (won && c->done)
		c->done(c->data, status);
	tls_hs_put(hs);
}

static bool tls_hs_cancel(struct sock *sk, bool closing)
{
	struct tls_hs_connected *c;
	struct tls_context *ctx;
	struct tls_hs *hs;
	bool won = false;

	lock_sock(sk);
	ctx = inet_csk(sk)->icsk_ulp_ops == &tcp_tls_ulp_ops ?
	      tls_get_ctx(sk) : NULL;
	hs = ctx ? ctx->hs : NULL;
	if (hs && hs->user == &tls_hs_connected_user) {
		c = tls_hs_to_connected(hs);
		won = !c->over;
		c->over = true;
	}
	if (won) {
		tls_hs_finish_early(hs, TLS_HS_END_RESET, -ECANCELED);
		if (hs->consumed || hs->answered) {
			sock_set_flag(sk, SOCK_LINGER);
			sk->sk_lingertime = 0;
			WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
		}
		ctx->hs = NULL;
		/* On close() the caller frees the context. */
		tls_hs_give_back(sk, ctx, c, c->own_ulp && !closing);
		tls_hs_put(hs);
	}
	release_sock(sk);
	return won;
}

/**
 * tls_server_handshake_cancel - end a handshake on a connected socket
 * @sk: the socket
 *
 * Either this wins, and done() is not called, or it loses, and done() has been
 * called or is about to be.  If something has been consumed or sent the socket
 * is of no use any more but to be closed.
 *
 * Context: process, takes the socket lock.
 * Return: true if it has won.
 */
bool tls_server_handshake_cancel(struct sock *sk)
{
	return tls_hs_cancel(sk, false);
}
EXPORT_SYMBOL_GPL(tls_server_handshake_cancel);

/**
 * tls_hs_close_connected - a socket with the ULP is being closed
 * @sk: the socket
 *
 * The socket lock decides between it and the work that ends a handshake, which
 * may be installing keys, or taking away the ULP that it has set.
 *
 * Context: process, takes the socket lock.
 * Return: the context, or %NULL if the socket has not got the ULP any more.
 */
struct tls_context *tls_hs_close_connected(struct sock *sk)
{
	tls_hs_cancel(sk, true);
	return tls_get_ctx(sk);
}

/* Wait until the socket's handshake is over, up to @timeo jiffies. */
static int tls_hs_wait_over(struct sock *sk, long timeo)
{
	long left;

	if (!tls_hs_waits(sk))
		return 0;
	if (!timeo)
		return -EAGAIN;
	left = wait_event_interruptible_timeout(*sk_sleep(sk),
						!tls_hs_waits(sk), timeo);
	if (left > 0)
		return 0;
	return left ? sock_intr_errno(timeo) : -EAGAIN;
}

/* Is what comes in the clear before the handshake still to be sent?  With the
 * socket lock.
 */
static bool tls_hs_may_send(struct sock *sk)
{
	struct tls_hs *hs;

	if (!tls_hs_waits(sk))
		return false;
	hs = tls_get_ctx(sk)->hs;
	return hs && hs->end == TLS_HS_RUNNING && !hs->answered &&
	       !hs->consumed && tls_hs_to_connected(hs)->may_send;
}

/* A task that may sleep here keeps the module: where the handshake has set the ULP,
 * the socket loses it and its reference to the module meanwhile.  Without the
 * module that has happened, and the module is being unloaded, which waits for
 * tasks that are here without sleeping, see tls_hs_connected_exit().
 */
static int tls_hs_wait_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	bool sent;
	int rc;

	if (!try_module_get(THIS_MODULE))
		return -EAGAIN;
	lock_sock(sk);
	sent = tls_hs_may_send(sk);
	if (sent)
		rc = tcp_sendmsg_locked(sk, msg, len);
	release_sock(sk);
	if (!sent) {
		rc = tls_hs_wait_over(sk, sock_sndtimeo(sk, msg->msg_flags &
							    MSG_DONTWAIT));
		if (!rc)
			rc = READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, len);
	}
	module_put(THIS_MODULE);
	return rc;
}

static int tls_hs_wait_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			       int flags)
{
	int rc;

	/* Transmit timestamps, for example, which nobody waits for. */
	if (flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, msg, len);

	if (!try_module_get(THIS_MODULE))
		return -EAGAIN;
	rc = tls_hs_wait_over(sk, sock_rcvtimeo(sk, flags & MSG_DONTWAIT));
	if (!rc)
		rc = READ_ONCE(sk->sk_prot)->recvmsg(sk, msg, len, flags);
	module_put(THIS_MODULE);
	return rc;
}

/* What has been received is not for the user. */
static int tls_hs_wait_ioctl(struct sock *sk, int cmd, int *karg)
{
	if (cmd != SIOCINQ)
		/* tcp_ioctl() for both families, which is not exported. */
		return tcp_prot.ioctl(sk, cmd, karg);
	*karg = 0;
	return 0;
}

/* Let readers and writers wait.  With the socket lock, on a kTLS socket without
 * keys.
 */
static void tls_hs_let_wait(struct sock *sk)
{
	int family = sk->sk_family == AF_INET6;
	struct proto *prot = &tls_hs_wait_prots[family];

	mutex_lock(&tls_hs_wait_prots_lock);
	if (prot->sendmsg != tls_hs_wait_sendmsg) {
		*prot = *sk->sk_prot;
		prot->ioctl = tls_hs_wait_ioctl;
		prot->recvmsg = tls_hs_wait_recvmsg;
		prot->sendmsg = tls_hs_wait_sendmsg;
	}
	mutex_unlock(&tls_hs_wait_prots_lock);
	WRITE_ONCE(sk->sk_socket->ops, tls_hs_wait_ops[family]);
	WRITE_ONCE(sk->sk_prot, prot);
}

/* With the socket lock. */
static int tls_hs_begin_connected(struct sock *sk, struct tls_hs_connected *c,
				  unsigned int timeout_ms)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tls_context *ctx;
	int rc;

	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -ENOTCONN;
	if (!sk->sk_socket || sk_is_mptcp(sk))
		return -EOPNOTSUPP;
	rcu_read_lock();
	rc = sk_psock(sk) ? -EINVAL : 0;
	rcu_read_unlock();
	if (!rc && tls_hs_has_sleeper(sk))
		rc = -EBUSY;
	if (rc)
		return rc;
	if (!icsk->icsk_ulp_ops) {
		__module_get(THIS_MODULE);
		rc = tcp_tls_ulp_ops.init(sk);
		if (rc) {
			module_put(THIS_MODULE);
			return rc;
		}
		icsk->icsk_ulp_ops = &tcp_tls_ulp_ops;
		c->own_ulp = true;
	} else if (icsk->icsk_ulp_ops != &tcp_tls_ulp_ops) {
		return -EEXIST;
	}

	ctx = tls_get_ctx(sk);
	if (!ctx)
		return -EINVAL;
	if (ctx->hs || ctx->hs_keys)
		return -EALREADY;
	if (ctx->tx_conf != TLS_BASE || ctx->rx_conf != TLS_BASE)
		return -EBUSY;
	tls_hs_let_wait(sk);
	tls_hs_start(&c->hs, sk);
	/* The thread that sends uncorks the socket after that. */
	if (c->may_send)
		c->hs.corked = false;
	if (timeout_ms) {
		c->hs.deadline = jiffies + msecs_to_jiffies(timeout_ms);
		tls_hs_arm(&c->hs, c->hs.deadline);
	}
	return 0;
}

static struct tls_hs_connected *
tls_hs_connected_new(const struct tls_hs_connected_args *args)
{
	struct tls_hs_connected *c = NULL;

	if (!tls_hs_inject(TLS_HS_INJECT_HANDSHAKE))
		c = kzalloc_obj(*c, GFP_KERNEL_ACCOUNT);
	if (!c)
		return NULL;
	tls_hs_init(&c->hs, &tls_hs_connected_user);
	INIT_WORK(&c->work, tls_hs_connected_work);
	refcount_inc(&args->conf->refs);
	c->hs.conf = args->conf;
	c->hs.alpn = args->alpn;
	if (c->hs.alpn)
		refcount_inc(&c->hs.alpn->refs);
	c->done = args->done;
	c->data = args->data;
	c->may_send = args->may_send;
	return c;
}

/**
 * tls_hs_start_connected - begin with the handshake of a connected socket
 * @sk: the socket
 * @args: how it is to be done
 *
 * See tls_server_handshake(), but the handshake takes references of its own.
 *
 * Context: process, takes the socket lock.
 * Return: 0 or an error, in which case nothing has happened.
 */
int tls_hs_start_connected(struct sock *sk,
			   const struct tls_hs_connected_args *args)
{
	struct tls_hs_connected *c = tls_hs_connected_new(args);
	int rc;

	if (!c)
		return -ENOMEM;
	lock_sock(sk);
	rc = tls_hs_begin_connected(sk, c, args->timeout_ms);
	release_sock(sk);
	if (rc) {
		tls_hs_conf_put(c->hs.conf);
		tls_hs_alpn_put(c->hs.alpn);
		kfree(c);
	}
	return rc;
}

/**
 * tls_server_handshake - do the handshake of a connected socket as its server
 * @sk: a TCP socket with a struct socket, nothing of which has been read that
 *	belongs to TLS
 * @conf: settings, of tls_hs_conf_create(); on success the reference goes to the
 *	handshake
 * @done: is called once, unless tls_server_handshake_cancel() wins
 * @data: its first argument
 *
 * As long as it is under way nobody else may read from the socket or write to
 * it.  sk_user_data is not touched, and callbacks are restored unless somebody
 * has replaced them.  Who releases the socket meanwhile has cancelled it: @done is
 * not called then.
 *
 * The second argument of @done is 0 if the connection is encrypted from now on;
 * -EOPNOTSUPP if the kernel cannot do what the client needs, in which case the
 * ClientHello is unread; or -EPROTO, -ECONNRESET or -ETIMEDOUT, in which case the
 * client has been told so.  It runs in process context without locks, may sleep,
 * and may be called before this function returns.
 *
 * Context: process, takes the socket lock.
 * Return: 0 or an error, in which case nothing has happened.
 */
int tls_server_handshake(struct sock *sk, struct tls_hs_conf *conf,
			 tls_hs_done_t done, void *data)
{
	const struct tls_hs_connected_args args = {
		.conf = conf,
		.done = done,
		.data = data,
	};
	int rc = tls_hs_start_connected(sk, &args);

	if (!rc)
		tls_hs_conf_put(conf);
	return rc;
}
EXPORT_SYMBOL_GPL(tls_server_handshake);

/**
 * tls_server_handshake_psk - which key has the client proved that it has?
 * @sk: a socket whose handshake is complete
 *
 * For tls_server_handshake()'s done(), and later as long as the socket has the
 * ULP.
 *
 * Context: any.
 * Return: the serial number of the external PSK, or 0 if none was used.
 */
key_serial_t tls_server_handshake_psk(const struct sock *sk)
{
	const struct tls_context *ctx;
	key_serial_t psk = 0;

	/* The socket may be closed at the same time. */
	rcu_read_lock();
	ctx = rcu_dereference(inet_csk(sk)->icsk_ulp_data);
	/* Pairs with smp_store_release() in tls_hs_take_over(). */
	if (ctx && smp_load_acquire(&ctx->hs_session))
		psk = ctx->hs_info.psk;
	rcu_read_unlock();
	return psk;
}
EXPORT_SYMBOL_GPL(tls_server_handshake_psk);

/**
 * tls_hs_set_connected - setsockopt(TLS_HS) of a connection
 * @sk: the connection, with the ULP
 * @optval: struct tls_hs_settings
 * @optlen: its length
 *
 * Context: process.  Takes the socket lock.
 * Return: 0 or an error.
 */
int tls_hs_set_connected(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct tls_hs_conf *conf;
	int rc;

	conf = tls_hs_conf_from_user(sock_net(sk), optval, optlen);
	if (IS_ERR(conf))
		return PTR_ERR(conf);
	rc = tls_server_handshake(sk, conf, NULL, NULL);
	if (rc)
		tls_hs_conf_put(conf);
	return rc;
}

static ssize_t tls_hs_wait_splice_read(struct socket *sock, loff_t *ppos,
				       struct pipe_inode_info *pipe, size_t len,
				       unsigned int flags)
{
	bool nonblock = sock->file->f_flags & O_NONBLOCK;
	int rc = tls_hs_wait_over(sock->sk, sock_rcvtimeo(sock->sk, nonblock));

	if (rc)
		return rc;
	/* The ops come after the struct proto, under the same lock. */
	lock_sock(sock->sk);
	release_sock(sock->sk);
	return READ_ONCE(sock->ops)->splice_read(sock, ppos, pipe, len, flags);
}

/* An error of the socket ends the handshake, whose end is reported when it can
 * be seen in all ways: recv() waits for it, and TLS_HS_STATUS tells of it.
 */
static __poll_t tls_hs_wait_poll(struct file *file, struct socket *sock,
				 struct poll_table_struct *wait)
{
	const struct sock *sk = sock->sk;

	sock_poll_wait(file, sock, wait);
	if (READ_ONCE(sock->ops) != tls_hs_wait_ops[sk->sk_family == AF_INET6])
		return READ_ONCE(sock->ops)->poll(file, sock, wait);
	return skb_queue_empty_lockless(&sk->sk_error_queue) ? 0 : EPOLLERR;
}

/* Keep a TCP_CORK that the user sets or clears until the handshake is over. */
static int tls_hs_wait_setsockopt(struct socket *sock, int level, int optname,
				  sockptr_t optval, unsigned int optlen)
{
	struct sock *sk = sock->sk;
	struct tls_hs *hs;
	int rc;

	rc = sock_common_setsockopt(sock, level, optname, optval, optlen);
	if (rc || level != SOL_TCP || optname != TCP_CORK)
		return rc;
	lock_sock(sk);
	hs = tls_hs_waits(sk) ? tls_get_ctx(sk)->hs : NULL;
	/* Else tls_hs_restore() has been called. */
	if (hs && hs->end == TLS_HS_RUNNING) {
		hs->corked = tcp_sk(sk)->nonagle & TCP_NAGLE_CORK;
		tcp_sk(sk)->nonagle &= ~TCP_NAGLE_CORK;
	}
	release_sock(sk);
	return 0;
}

static int tls_hs_wait_getsockopt(struct socket *sock, int level, int optname,
				  char __user *optval, int __user *optlen)
{
	/* TCP_ZEROCOPY_RECEIVE reads, too. */
	if (level == SOL_TCP && optname == TCP_ZEROCOPY_RECEIVE)
		return -EAGAIN;
	return sock_common_getsockopt(sock, level, optname, optval, optlen);
}

/* Remember what tls_hs_give_back() is to set.  With the socket lock, which may
 * have been waited for until the handshake was over.
 */
static int tls_hs_wait_set_rcvlowat(struct sock *sk, int val)
{
	struct tls_context *ctx;

	sock_owned_by_me(sk);
	if (!tls_hs_waits(sk))
		return READ_ONCE(sk->sk_socket->ops)->set_rcvlowat(sk, val);
	ctx = tls_get_ctx(sk);
	tls_hs_to_connected(ctx->hs)->rcvlowat = val ?: 1;
	return 0;
}

static int tls_hs_wait_peek_len(struct socket *sock)
{
	return 0;
}

static void __init
tls_hs_build_wait_ops(struct proto_ops *ops, const struct proto_ops *base)
{
	*ops = *base;
	ops->splice_read = tls_hs_wait_splice_read;
	ops->poll = tls_hs_wait_poll;
	ops->setsockopt = tls_hs_wait_setsockopt;
	ops->getsockopt = tls_hs_wait_getsockopt;
	ops->peek_len = tls_hs_wait_peek_len;
	ops->set_rcvlowat = tls_hs_wait_set_rcvlowat;
}

int __init tls_hs_connected_init(void)
{
	void *ops = kcalloc(2, sizeof(const struct proto_ops), GFP_KERNEL);

	if (!ops)
		return -ENOMEM;
	tls_hs_wait_ops[0] = ops;
	tls_hs_wait_ops[1] = ops + sizeof(const struct proto_ops);
	tls_hs_build_wait_ops(tls_hs_wait_ops[0], &inet_stream_ops);
#if IS_ENABLED(CONFIG_IPV6)
	tls_hs_build_wait_ops(tls_hs_wait_ops[1], &inet6_stream_ops);
#endif
	return 0;
}

void tls_hs_connected_exit(void)
{
	/* Wait for tasks that leave or enter tls_hs_wait_sendmsg() and others. */
	synchronize_rcu_tasks();
	kfree(tls_hs_wait_ops[0]);
}
