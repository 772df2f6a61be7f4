// SPDX-License-Identifier: GPL-2.0
/*
 * TLS handshakes on sockets that nobody has accepted yet.
 *
 * A child of a TLS_HS listener is held back from the accept queue.  Its
 * sk_data_ready() only puts it on a list of its CPU; work in softirq (or on a
 * per-CPU thread) peeks at the receive queue, lets the engine look at it and
 * sends what the engine answers.  Nothing is consumed before the engine has
 * decided to answer, so that until then the connection can go to user space
 * as if nobody had ever looked at it.
 *
 * All state is protected by the child's spinlock, which the work takes; if a
 * process owns the child (ss -K, BPF iterators) the work comes back later.
 */

#include <linux/ktime.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/tcp.h>
#include <net/tls_prot.h>

#include "../tls.h"
#include "handshake.h"
#include "events.h"

/* One run of work ends after so many connections, or with the one during which
 * so much time has passed, and lets others get a go.  Signatures of large RSA
 * keys take milliseconds.
 */
#define TLS_HS_BATCH		16
#define TLS_HS_BATCH_NS		NSEC_PER_MSEC

/* For how long a child may take a place of a backlog that fills up: until its
 * ClientHello has come, and until the handshake has ended.
 */
#define TLS_HS_PRESSURE_SILENT	HZ
#define TLS_HS_PRESSURE_SLOW	(3 * HZ)

/* Children that one call of tls_hs_pressure() looks at. */
#define TLS_HS_PRESSURE_LOOKS	16

/**
 * struct tls_hs_queue - connections that wait for work on one CPU
 * @list: newly queued
 * @batch: taken off @list, in order of arrival; only the work touches it
 * @work: does the work
 */
struct tls_hs_queue {
	struct llist_head list;
	struct llist_node *batch;
	struct work_struct work;
};

/**
 * struct tls_hs_cpu - per-CPU state
 * @lock: protects the buffers on PREEMPT_RT; elsewhere BH off does
 * @softirq: handled in softirq
 * @thread: handled in process context, see %TLS_HS_F_THREAD
 * @in: copy of the unread part of a receive queue
 * @out: the engine's answer
 * @scratch: the engine's working memory
 */
struct tls_hs_cpu {
	local_lock_t lock;
	struct tls_hs_queue softirq;
	struct tls_hs_queue thread;
	u8 *in;
	u8 *out;
	struct tls_hs_scratch *scratch;
};

static DEFINE_PER_CPU(struct tls_hs_cpu, tls_hs_cpu) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* For what may sleep and belongs to no CPU: closing, keyrings, freeing. */
struct workqueue_struct *tls_hs_wq;

static struct workqueue_struct *tls_hs_bh_wq;
static struct workqueue_struct *tls_hs_thread_wq;

/* Connections to be closed, which needs process context. */
static LLIST_HEAD(tls_hs_closing);
static void tls_hs_close_work(struct work_struct *work);
static DECLARE_WORK(tls_hs_closer, tls_hs_close_work);

/* Protects the allocation of the buffers. */
static DEFINE_MUTEX(tls_hs_buffers_lock);
static bool tls_hs_buffers_ready;

static void tls_hs_free(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	if (hs->session)
		tls_hs_session_free(hs->session);
	kvfree(hs->unsent);
	if (hs->conf)
		tls_hs_conf_put(hs->conf);
	tls_hs_alpn_put(hs->alpn);
	tls_hs_names_put(hs->names);
	kfree(hs);
	sock_put(sk);
}

void tls_hs_put(struct tls_hs *hs)
{
	if (refcount_dec_and_test(&hs->refs))
		tls_hs_free(hs);
}

/* Put a connection on this CPU's list of work.  Any context. */
static void tls_hs_queue(struct tls_hs *hs)
{
	bool thread = hs->conf->settings.flags & TLS_HS_F_THREAD;
	struct tls_hs_queue *queue;
	int cpu;

	if (test_and_set_bit(TLS_HS_QUEUED, &hs->flags))
		return;

	refcount_inc(&hs->refs);
	cpu = get_cpu();
	queue = thread ? &per_cpu(tls_hs_cpu.thread, cpu) :
			 &per_cpu(tls_hs_cpu.softirq, cpu);
	if (llist_add(&hs->todo, &queue->list))
		queue_work_on(cpu, thread ? tls_hs_thread_wq : tls_hs_bh_wq,
			      &queue->work);
	put_cpu();
}

static void tls_hs_timer(struct timer_list *t)
{
	struct tls_hs *hs = timer_container_of(hs, t, timer);

	tls_hs_queue(hs);
	tls_hs_put(hs);
}

/* (Re)arm the timer, which holds a reference while it is pending. */
static void tls_hs_arm(struct tls_hs *hs, unsigned long expires)
{
	refcount_inc(&hs->refs);
	if (mod_timer(&hs->timer, expires))
		refcount_dec(&hs->refs);
}

/* Called with the child's lock held or when the child is being destroyed. */
void tls_hs_stop(struct tls_hs *hs)
{
	if (timer_delete(&hs->timer))
		tls_hs_put(hs);
}

/* There is something to be done in @delay jiffies at the latest, whatever comes
 * before.  Child's lock held; tls_hs_rearm() sets the timer.
 */
static void tls_hs_wake_after(struct tls_hs *hs, unsigned long delay)
{
	hs->wake = jiffies + delay;
	hs->waking = true;
}

/* Since its first byte, in ns. */
static u64 tls_hs_duration(const struct tls_hs *hs)
{
	return hs->start ? ktime_get_ns() - hs->start : 0;
}

/* The client's end of the connection has ended the handshake. */
static void tls_hs_count_reset(struct tls_hs *hs,
			       const struct tls_hs_info *info)
{
	TLS_INC_STATS(sock_net(hs->sk), LINUX_MIB_TLSHSRESET);
	trace_tls_handshake_reset(hs->sk, info, tls_hs_duration(hs));
}

/* The receive queue cannot grow: the window is shut, or is about to be since
 * the buffer is full.  Unlike in tcp_epollin_ready(), which is the same for
 * readers, it does not matter that all sockets together use much memory.
 */
static bool tls_hs_is_full(const struct sock *sk)
{
	int rcvbuf = READ_ONCE(sk->sk_rcvbuf);

	return atomic_read(&sk->sk_rmem_alloc) > rcvbuf - (rcvbuf >> 3) ||
	       tcp_receive_window(tcp_sk(sk)) <= inet_csk(sk)->icsk_ack.rcv_mss;
}

static void tls_hs_data_ready(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!ctx || !ctx->hs)
		return;

	if (tp->rcv_nxt - tp->copied_seq >= ctx->hs->need ||
	    sk->sk_shutdown & RCV_SHUTDOWN || tp->urg_data ||
	    tls_hs_is_full(sk))
		tls_hs_queue(ctx->hs);
}

static void tls_hs_state_change(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs_info info;
	struct tls_hs *hs;

	if (!ctx || !ctx->hs)
		return;

	hs = ctx->hs;
	if (sk->sk_state == TCP_CLOSE) {
		/* Our reference, as this destroys the socket and the context. */
		refcount_inc(&hs->refs);
		info = ctx->hs_info;
		if (inet_csk_hold_closed(&hs->hold))
			tls_hs_count_reset(hs, &info);
		tls_hs_put(hs);
	} else if (sk->sk_shutdown & RCV_SHUTDOWN) {
		tls_hs_queue(hs);
	}
}

static void tls_hs_write_space(struct sock *sk)
{
}

/**
 * tls_hs_alloc - prepare a handshake on a new child
 * @sk: the child, not hashed yet
 * @conf: settings; the caller's reference goes to the handshake
 * @gfp: for the allocation
 *
 * Context: softirq.
 * Return: the handshake or %NULL, in which case @conf is still the caller's.
 */
struct tls_hs *tls_hs_alloc(struct sock *sk, struct tls_hs_conf *conf,
			    gfp_t gfp)
{
	struct tls_hs *hs;

	hs = kzalloc_obj(*hs, gfp);
	if (!hs)
		return NULL;

	INIT_LIST_HEAD(&hs->hold.node);
	refcount_set(&hs->refs, 1);
	timer_setup(&hs->timer, tls_hs_timer, 0);
	sock_hold(sk);
	hs->sk = sk;
	hs->conf = conf;
	hs->need = 1;

	hs->data_ready = sk->sk_data_ready;
	hs->state_change = sk->sk_state_change;
	hs->write_space = sk->sk_write_space;
	hs->allocation = sk->sk_allocation;
	hs->rcvlowat = sk->sk_rcvlowat;
	hs->use_task_frag = sk->sk_use_task_frag;
	hs->fasync = sock_flag(sk, SOCK_FASYNC);

	sk->sk_data_ready = tls_hs_data_ready;
	sk->sk_state_change = tls_hs_state_change;
	sk->sk_write_space = tls_hs_write_space;
	sk->sk_allocation = GFP_ATOMIC;
	sk->sk_rcvlowat = 1;
	sk->sk_use_task_frag = false;
	sock_reset_flag(sk, SOCK_FASYNC);
	return hs;
}

/* Give the child its own callbacks back. */
static void tls_hs_restore(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	sk->sk_data_ready = hs->data_ready;
	sk->sk_state_change = hs->state_change;
	sk->sk_write_space = hs->write_space;
	sk->sk_allocation = hs->allocation;
	WRITE_ONCE(sk->sk_rcvlowat, hs->rcvlowat);
	sk->sk_use_task_frag = hs->use_task_frag;
	sock_valbool_flag(sk, SOCK_FASYNC, hs->fasync);
}

/* The child is about to be held: under its spinlock and rskq_lock. */
struct inet_csk_hold *tls_hs_start(struct tls_hs *hs)
{
	unsigned int timeout = hs->conf->settings.timeout_ms;

	if (hs->accepting || hs->closing)
		return NULL;

	if (!hs->started) {
		hs->started = true;
		if (!timeout)
			timeout = READ_ONCE(tls_hs_net(sock_net(hs->sk))->timeout_ms);
		hs->held = jiffies;
		hs->deadline = hs->held + msecs_to_jiffies(timeout);
		tls_hs_arm(hs, hs->deadline);
	}
	return &hs->hold;
}

/* The listener has stopped while a process owned the child. */
void tls_hs_abandon(struct inet_csk_hold *hold)
{
	struct tls_hs *hs = container_of(hold, struct tls_hs, hold);

	set_bit(TLS_HS_ABANDONED, &hs->flags);
	tls_hs_queue(hs);
}

/* The listener's backlog fills up: tell the child that has waited for the
 * longest time and has not been told yet.  It goes when it is old enough, see
 * tls_hs_is_in_the_way().  Those that have been told are moved to the end of the
 * list, as @held, which is under the caller's lock, may be long.
 */
void tls_hs_pressure(struct list_head *held)
{
	struct tls_hs *hs;
	int n;

	for (n = 0; n < TLS_HS_PRESSURE_LOOKS && !list_empty(held); n++) {
		hs = list_first_entry(held, struct tls_hs, hold.node);
		list_move_tail(&hs->hold.node, held);
		if (!test_and_set_bit(TLS_HS_PRESSURE, &hs->flags)) {
			tls_hs_queue(hs);
			return;
		}
	}
}

static void tls_hs_consume(struct tls_hs *hs, u32 len)
{
	if (!len)
		return;
	hs->consumed = true;
	tls_hs_count_bytes(sock_net(hs->sk), len, 0);
	tcp_read_done(hs->sk, len);
}

/* Copy what is unread to @buf.  -EOPNOTSUPP if it cannot be read. */
static int tls_hs_peek(struct sock *sk, u8 *buf, u32 max)
{
	u32 seq = tcp_sk(sk)->copied_seq;
	struct sk_buff *skb;
	u32 len = 0;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		u32 offset = seq - TCP_SKB_CB(skb)->seq;
		u32 n;

		/* Data that an earlier buffer had as well. */
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

/* Send as much of @buf as the send buffer takes.  The length or an error. */
static int tls_hs_send(struct sock *sk, u8 *buf, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	u32 sent = 0;
	int n;

	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -EPIPE;

	while (sent < len) {
		vec.iov_base = buf + sent;
		vec.iov_len = len - sent;
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, len - sent);
		n = tcp_sendmsg_locked(sk, &msg, len - sent);
		if (n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS)
			break;
		if (n < 0)
			return n;
		sent += n;
	}
	tls_hs_count_bytes(sock_net(sk), 0, sent);
	return sent;
}

/* Keep the rest of a flight for later. */
static int tls_hs_keep_unsent(struct tls_hs *hs, const u8 *buf, u32 len)
{
	hs->unsent = kmemdup(buf, len, GFP_ATOMIC | __GFP_NOWARN);
	if (!hs->unsent)
		return -ENOMEM;
	hs->unsent_len = len;
	hs->unsent_off = 0;
	hs->retry = 1;
	return 0;
}

/* Go on with the flight; true when all of it has been handed to TCP. */
static int tls_hs_send_rest(struct tls_hs *hs)
{
	int n = tls_hs_send(hs->sk, hs->unsent + hs->unsent_off,
			    hs->unsent_len - hs->unsent_off);

	if (n < 0)
		return n;

	hs->unsent_off += n;
	if (hs->unsent_off < hs->unsent_len) {
		/* Nothing tells a socket without user about free space. */
		hs->retry = n ? 1 : min(hs->retry * 2, HZ / 10 + 1);
		tls_hs_wake_after(hs, hs->retry);
		return 0;
	}
	kfree(hs->unsent);
	hs->unsent = NULL;
	return 1;
}

/* Take the connection from the listener and close it in process context, which
 * is what tcp_close() needs.  Everything received is consumed first, for else
 * the client would get a reset instead of the alert.
 */
static void tls_hs_close(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	if (!inet_csk_hold_take(&hs->hold))
		return;

	hs->closing = true;
	tls_hs_stop(hs);
	tls_hs_restore(hs);
	tls_hs_consume(hs, tcp_inq(sk));
	/* A timer that fires right now may still queue it: not the same list. */
	refcount_inc(&hs->refs);
	if (llist_add(&hs->to_close, &tls_hs_closing))
		queue_work(tls_hs_wq, &tls_hs_closer);
}

static void tls_hs_close_work(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&tls_hs_closing);
	struct tls_hs *hs, *next;

	llist_for_each_entry_safe(hs, next, list, to_close) {
		struct sock *sk = hs->sk;
		int left;

		lock_sock(sk);
		left = tcp_inq(sk);
		if (left > 0)
			tcp_read_done(sk, left);
		release_sock(sk);
		sk->sk_prot->close(sk, 0);
		tls_hs_put(hs);
		cond_resched();
	}
}

static void tls_hs_alert(struct tls_hs *hs, struct tls_hs_cpu *cpu,
			 u8 description, u32 len)
{
	struct sock *sk = hs->sk;

	if (!len)
		len = tls_hs_session_alert(hs->session, description, cpu->out,
					   TLS_HS_OUT_MAX);
	/* Behind an incomplete flight an alert would be noise. */
	if (len && !hs->unsent)
		tls_hs_send(sk, cpu->out, len);
	tls_hs_count_alert(sock_net(sk), description);
	trace_tls_handshake_alert(sk, &tls_get_ctx(sk)->hs_info,
				  tls_hs_duration(hs), description, true);
	tls_hs_close(hs);
}

/* What a client is told that the kernel cannot serve, if user space is not to
 * get it.
 */
static u8 tls_hs_refusal(u8 reason)
{
	switch (reason) {
	case TLS_HS_FB_VERSION:
		return TLS_ALERT_DESC_PROTOCOL_VERSION;
	case TLS_HS_FB_RESOURCES:
		return TLS_ALERT_DESC_INTERNAL_ERROR;
	default:
		return TLS_ALERT_DESC_HANDSHAKE_FAILURE;
	}
}

/* An alert without a session, or from one that has ended, in front of which
 * nothing has been said (RFC 8446, section 6).
 */
static void tls_hs_refuse(struct tls_hs *hs, struct tls_hs_cpu *cpu,
			  u8 description)
{
	const u8 record[] = {
		TLS_RECORD_TYPE_ALERT, 3, 3, 0, 2,
		TLS_ALERT_LEVEL_FATAL, description
	};

	memcpy(cpu->out, record, sizeof(record));
	tls_hs_alert(hs, cpu, description, sizeof(record));
}

static void tls_hs_fallback(struct tls_hs *hs, struct tls_hs_cpu *cpu,
			    u8 reason)
{
	struct tls_hs_conf *conf = hs->name_conf ?: hs->conf;
	struct sock *sk = hs->sk;

	/* Once answered there is no way back. */
	if (hs->consumed) {
		tls_hs_alert(hs, cpu, tls_hs_refusal(reason), 0);
		return;
	}
	if (conf->settings.flags & TLS_HS_F_NO_FALLBACK) {
		tls_hs_refuse(hs, cpu, tls_hs_refusal(reason));
		return;
	}

	tls_hs_count_fallback(sock_net(sk), reason);
	trace_tls_handshake_fallback(sk, reason, tls_hs_duration(hs));
	hs->accepting = true;
	tls_hs_stop(hs);
	tls_hs_restore(hs);
	/* The ULP goes in tls_hs_accepted() and @hs with it: a listener that
	 * stops may have taken the hold, and wait for our lock.
	 */
	hs->fallen_back = true;
	inet_csk_hold_release(&hs->hold);
}

/* Take note of what has been negotiated so far. */
static void tls_hs_learn(struct tls_hs *hs, struct tls_hs_status *status)
{
	struct tls_hs_info *info = &tls_get_ctx(hs->sk)->hs_info;

	tls_hs_session_status(hs->session, status);
	info->cipher_suite = status->cipher_suite;
	info->group = status->group;
	info->signature_scheme = status->signature_scheme;
	info->flags = status->flags;
}

/* An answer is on its way.  noinline for the sake of the stack, like the next:
 * the status has room for a name.
 */
static noinline void tls_hs_answered(struct tls_hs *hs)
{
	struct tls_hs_status status = {};

	tls_hs_learn(hs, &status);
}

static noinline void tls_hs_report(struct tls_hs *hs, u64 duration)
{
	struct tls_hs_info *info = &tls_get_ctx(hs->sk)->hs_info;
	struct tls_hs_status status = {};

	tls_hs_learn(hs, &status);
	info->duration_us = min(div_u64(duration, NSEC_PER_USEC), U32_MAX);
	TLS_INC_STATS(sock_net(hs->sk), LINUX_MIB_TLSHSDONE);
	if (status.flags & TLS_HS_S_RESUMED)
		TLS_INC_STATS(sock_net(hs->sk), LINUX_MIB_TLSHSRESUMED);
	trace_tls_handshake_done(hs->sk, &status, duration);
}

static void tls_hs_done(struct tls_hs *hs)
{
	tls_hs_report(hs, tls_hs_duration(hs));
	hs->accepting = true;
	tls_hs_stop(hs);
	tls_hs_restore(hs);
	inet_csk_hold_release(&hs->hold);
}

static void tls_hs_timeout(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSTIMEOUT);
	trace_tls_handshake_timeout(sk, &tls_get_ctx(sk)->hs_info,
				    tls_hs_duration(hs));
	hs->closing = true;
	inet_csk_hold_forget(&hs->hold);
}

/* Look up the settings for the name that a ClientHello asks for, when it is
 * complete.  The table, which the handshake has a reference to, keeps them.
 */
static void tls_hs_look_up_name(struct tls_hs *hs, struct tls_hs_cpu *cpu,
				u32 have)
{
	int len;

	len = tls_hs_hello_name(cpu->in, have, cpu->out, TLS_HS_MAX_NAME);
	if (len < 0)
		return;
	hs->named = true;
	if (len)
		hs->name_conf = tls_hs_names_find(hs->names, cpu->out, len);
}

/* What tls_hs_may_use() needs to know of a call of the engine. */
struct tls_hs_use {
	const struct tls_hs *hs;
	const struct tls_hs_keys *keys;
};

static bool tls_hs_may_use(void *arg, size_t identity, bool rsa)
{
	const struct tls_hs_use *use = arg;

	return tls_hs_keys_may_use(use->keys, identity, &use->hs->look);
}

/* One call of the engine.  True if it makes sense to call it again. */
static bool tls_hs_step(struct tls_hs *hs, struct tls_hs_cpu *cpu)
{
	const struct tls_hs_alpn *alpn = hs->alpn;
	struct tls_hs_conf *conf = hs->conf;
	struct tls_hs_tickets tickets = {};
	struct tls_hs_step step = {};
	struct tls_hs_call call = {
		.tickets = &tickets,
		.in = cpu->in,
		.out = cpu->out,
		.out_len = TLS_HS_OUT_MAX,
		.scratch = cpu->scratch,
		.may_use = tls_hs_may_use,
	};
	struct tls_hs_use use = { .hs = hs };
	struct sock *sk = hs->sk;
	int have, sent;

	have = tls_hs_peek(sk, cpu->in, TLS_HS_IN_MAX);
	if (have < 0 || tcp_sk(sk)->urg_data) {
		tls_hs_fallback(hs, cpu, TLS_HS_FB_URGENT);
		return false;
	}
	if (have < hs->need) {
		if (sk->sk_shutdown & RCV_SHUTDOWN) {
			tls_hs_count_reset(hs, &tls_get_ctx(sk)->hs_info);
			tls_hs_close(hs);
		} else if (have >= TLS_HS_IN_MAX ||
			   (have && tls_hs_is_full(sk))) {
			tls_hs_fallback(hs, cpu, TLS_HS_FB_HELLO_SIZE);
		}
		return false;
	}

	if (hs->names && !hs->named) {
		tls_hs_look_up_name(hs, cpu, have);
		/* What it has changed. */
		have = tls_hs_peek(sk, cpu->in, TLS_HS_IN_MAX);
	}
	if (hs->name_conf) {
		conf = hs->name_conf;
		if (conf->alpn)
			alpn = conf->alpn;
	}
	if (!hs->answered && !tls_hs_conf_is_fresh(conf, &hs->look)) {
		/* A key has been added, replaced or revoked. */
		tls_hs_wake_after(hs, 1);
		return false;
	}

	if (!hs->session) {
		hs->session = tls_hs_session_new();
		if (!hs->session) {
			tls_hs_fallback(hs, cpu, TLS_HS_FB_RESOURCES);
			return false;
		}
		hs->start = ktime_get_ns();
		trace_tls_handshake_start(sk);
	}

	rcu_read_lock();
	use.keys = rcu_dereference(conf->keys);
	tls_hs_tickets_get(sock_net(sk), use.keys, &tickets);
	call.settings = &conf->settings;
	call.alpn = alpn ? alpn->list : NULL;
	call.alpn_len = alpn ? alpn->len : 0;
	call.set = use.keys->set;
	call.in_len = have;
	call.arg = &use;
	tls_hs_session_advance(hs->session, &call, &step);
	rcu_read_unlock();

	switch (step.action) {
	case TLS_HS_MORE:
		tls_hs_consume(hs, step.consumed);
		hs->need = max(step.need, 1U);
		/* Keys may change until it is here. */
		hs->look.conf = NULL;
		/* Look at the queue once more: at its end, or at its limit. */
		return tcp_inq(sk) >= hs->need ||
		       sk->sk_shutdown & RCV_SHUTDOWN ||
		       tls_hs_is_full(sk);
	case TLS_HS_LATER:
		/* The key has been replaced or revoked. */
		tls_hs_conf_mark_stale(conf, &hs->look);
		tls_hs_wake_after(hs, 1);
		return false;
	case TLS_HS_SEND:
		tls_hs_consume(hs, step.consumed);
		hs->look.conf = NULL;
		/* What it says next may need no bytes: tickets come last. */
		hs->need = 0;
		if (step.retry)
			TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSRETRY);
		if (!hs->answered)
			tls_hs_answered(hs);
		hs->answered = !step.retry;
		sent = tls_hs_send(sk, cpu->out, step.written);
		if (sent < 0) {
			tls_hs_close(hs);
			return false;
		}
		if (sent < step.written) {
			if (tls_hs_keep_unsent(hs, cpu->out + sent,
					       step.written - sent)) {
				tls_hs_close(hs);
				return false;
			}
			tls_hs_wake_after(hs, 1);
			return false;
		}
		return true;
	case TLS_HS_DONE:
		tls_hs_consume(hs, step.consumed);
		tls_hs_done(hs);
		return false;
	case TLS_HS_FALLBACK:
		tls_hs_fallback(hs, cpu, step.reason);
		return false;
	case TLS_HS_PEER_ALERT:
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSALERTRX);
		trace_tls_handshake_alert(sk, &tls_get_ctx(sk)->hs_info,
					  tls_hs_duration(hs), step.alert,
					  false);
		tls_hs_close(hs);
		return false;
	case TLS_HS_ALERT:
	default:
		tls_hs_alert(hs, cpu, step.alert, step.written);
		return false;
	}
}

static bool tls_hs_has_ended(const struct tls_hs *hs)
{
	return hs->accepting || hs->closing;
}

static unsigned long tls_hs_pressure_time(const struct tls_hs *hs)
{
	return hs->held + (hs->consumed ? TLS_HS_PRESSURE_SLOW :
					  TLS_HS_PRESSURE_SILENT);
}

/* Does the listener want its place in the backlog back? */
static bool tls_hs_is_in_the_way(struct tls_hs *hs)
{
	if (!test_bit(TLS_HS_PRESSURE, &hs->flags) ||
	    time_before(jiffies, tls_hs_pressure_time(hs)))
		return false;
	if (inet_csk_may_press(hs->hold.listener))
		return true;
	/* Others have made room. */
	clear_bit(TLS_HS_PRESSURE, &hs->flags);
	return false;
}

/* Set the timer for what comes next, the deadline in the end. */
static void tls_hs_rearm(struct tls_hs *hs)
{
	unsigned long next = hs->deadline;

	if (test_bit(TLS_HS_PRESSURE, &hs->flags) &&
	    time_before(tls_hs_pressure_time(hs), next))
		next = tls_hs_pressure_time(hs);
	if (hs->waking && time_before(hs->wake, next))
		next = hs->wake;
	if (!timer_pending(&hs->timer) || hs->timer.expires != next)
		tls_hs_arm(hs, next);
}

/* Whatever there is to do for a connection.  BH off, child's lock held. */
static void tls_hs_advance(struct tls_hs *hs, struct tls_hs_cpu *cpu)
{
	struct sock *sk = hs->sk;
	int rc;

	if (test_and_clear_bit(TLS_HS_ABANDONED, &hs->flags)) {
		hs->closing = true;
		inet_csk_hold_abandoned(&hs->hold);
		return;
	}
	/* Ended, or not yet held, in which case the hold comes with a timer. */
	if (tls_hs_has_ended(hs) || !hs->hold.listener)
		return;
	hs->waking = false;

	if (time_after_eq(jiffies, hs->deadline)) {
		tls_hs_timeout(hs);
		return;
	}
	if (tls_hs_is_in_the_way(hs)) {
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSOVERLOAD);
		tls_hs_timeout(hs);
		return;
	}

	if (hs->unsent) {
		rc = tls_hs_send_rest(hs);
		if (rc < 0)
			tls_hs_close(hs);
		if (rc <= 0)
			return;
	}

	while (tls_hs_step(hs, cpu))
		;
}

static void tls_hs_run(struct tls_hs *hs)
{
	struct tls_hs_cpu *cpu;
	struct sock *sk = hs->sk;

	local_bh_disable();
	clear_bit(TLS_HS_QUEUED, &hs->flags);
	/* Pairs with the test_and_set_bit() in tls_hs_queue(): who sees the bit
	 * set has made its news visible before we look.
	 */
	smp_mb__after_atomic();
	bh_lock_sock(sk);
	if (sock_owned_by_user(sk)) {
		tls_hs_wake_after(hs, 1);
	} else {
		local_lock_nested_bh(&tls_hs_cpu.lock);
		cpu = this_cpu_ptr(&tls_hs_cpu);
		tls_hs_advance(hs, cpu);
		local_unlock_nested_bh(&tls_hs_cpu.lock);
	}
	/* Of others nothing is left to be done, or it comes with a timer. */
	if (!tls_hs_has_ended(hs) && hs->hold.listener)
		tls_hs_rearm(hs);
	bh_unlock_sock(sk);
	local_bh_enable();
	tls_hs_put(hs);
}

static struct tls_hs *tls_hs_next(struct tls_hs_queue *queue)
{
	struct tls_hs *hs;

	if (!queue->batch) {
		queue->batch = llist_reverse_order(llist_del_all(&queue->list));
		if (!queue->batch)
			return NULL;
	}
	hs = llist_entry(queue->batch, struct tls_hs, todo);
	queue->batch = queue->batch->next;
	return hs;
}

/* Some of the connections of a queue.  True if there may be more. */
static bool tls_hs_run_batch(struct tls_hs_queue *queue)
{
	u64 start = ktime_get_mono_fast_ns();
	struct tls_hs *hs;
	int n;

	for (n = 0; n < TLS_HS_BATCH; n++) {
		hs = tls_hs_next(queue);
		if (!hs)
			return false;
		tls_hs_run(hs);
		if (ktime_get_mono_fast_ns() - start >= TLS_HS_BATCH_NS)
			break;
	}
	return true;
}

static void tls_hs_softirq_work(struct work_struct *work)
{
	struct tls_hs_queue *queue = container_of(work, struct tls_hs_queue, work);

	/* Let others run; softirq hands over to ksoftirqd under load. */
	if (tls_hs_run_batch(queue))
		queue_work(tls_hs_bh_wq, &queue->work);
}

static void tls_hs_thread_work(struct work_struct *work)
{
	struct tls_hs_queue *queue = container_of(work, struct tls_hs_queue, work);

	while (tls_hs_run_batch(queue))
		cond_resched();
}

static void tls_hs_free_buffers(void)
{
	struct tls_hs_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&tls_hs_cpu, cpu);
		kvfree_sensitive(c->in, TLS_HS_IN_MAX);
		kvfree_sensitive(c->out, TLS_HS_OUT_MAX);
		kvfree_sensitive(c->scratch, tls_hs_scratch_size());
		c->in = NULL;
		c->out = NULL;
		c->scratch = NULL;
	}
}

/**
 * tls_hs_sock_prepare - allocate the buffers of each CPU, once
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int tls_hs_sock_prepare(void)
{
	struct tls_hs_cpu *c;
	int cpu, rc = 0;

	mutex_lock(&tls_hs_buffers_lock);
	if (tls_hs_buffers_ready)
		goto out;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&tls_hs_cpu, cpu);
		/* Rust's references are to what has been initialized. */
		c->in = kvzalloc_node(TLS_HS_IN_MAX, GFP_KERNEL, cpu_to_node(cpu));
		c->out = kvzalloc_node(TLS_HS_OUT_MAX, GFP_KERNEL, cpu_to_node(cpu));
		c->scratch = kvzalloc_node(tls_hs_scratch_size(), GFP_KERNEL,
					   cpu_to_node(cpu));
		if (!c->in || !c->out || !c->scratch) {
			tls_hs_free_buffers();
			rc = -ENOMEM;
			goto out;
		}
	}
	tls_hs_buffers_ready = true;
out:
	mutex_unlock(&tls_hs_buffers_lock);
	return rc;
}

int __init tls_hs_sock_init(void)
{
	struct tls_hs_cpu *c;
	int cpu;

	tls_hs_wq = alloc_workqueue("tls_hs", WQ_UNBOUND, 0);
	if (!tls_hs_wq)
		return -ENOMEM;
	tls_hs_bh_wq = alloc_workqueue("tls_hs_bh", WQ_BH | WQ_PERCPU, 0);
	if (!tls_hs_bh_wq)
		goto err_wq;
	tls_hs_thread_wq = alloc_workqueue("tls_hs_cpu",
					   WQ_PERCPU | WQ_CPU_INTENSIVE, 0);
	if (!tls_hs_thread_wq)
		goto err_bh_wq;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&tls_hs_cpu, cpu);
		init_llist_head(&c->softirq.list);
		init_llist_head(&c->thread.list);
		INIT_WORK(&c->softirq.work, tls_hs_softirq_work);
		INIT_WORK(&c->thread.work, tls_hs_thread_work);
	}
	return 0;

err_bh_wq:
	destroy_workqueue(tls_hs_bh_wq);
err_wq:
	destroy_workqueue(tls_hs_wq);
	return -ENOMEM;
}

/* No socket uses the ULP any more, but work and timers may still be pending. */
void tls_hs_sock_exit(void)
{
	/* A timer that was running when its socket went away. */
	synchronize_rcu();
	destroy_workqueue(tls_hs_bh_wq);
	destroy_workqueue(tls_hs_thread_wq);
	/* What tls_hs_conf_put() leaves to RCU, and tls_listen_destruct(); then
	 * what the last looks into keyrings have left to it.
	 */
	rcu_barrier();
	flush_workqueue(tls_hs_wq);
	rcu_barrier();
	destroy_workqueue(tls_hs_wq);
	tls_hs_free_buffers();
}
