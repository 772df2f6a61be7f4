// SPDX-License-Identifier: GPL-2.0
/*
 * Drives a handshake on a socket that nobody reads or writes: a child of a
 * TLS_HS listener that has not been accepted (listen.c), or a connected socket
 * whose user waits (connected.c).
 *
 * The socket's sk_data_ready() only puts it on a list of its CPU.  Work looks at
 * the receive queue, lets the engine look at a copy of it and sends what the
 * engine answers.  Nothing is consumed before the engine has decided to answer,
 * so that until then the connection can go to user space as if nobody had ever
 * looked at it.
 *
 * Contexts: softirq or the thread of a CPU, see cpu.c.
 *
 * Locks: struct tls_hs is under the socket lock, which is the spinlock with BH
 * off while no process owns the socket, else the ownership.  The lock of a
 * listener is a leaf below.
 */

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/tcp.h>
#include <net/tls_prot.h>
#include <trace/events/sock.h>

#include "../tls.h"
#include "drive.h"
#include "handshake.h"
#include "inject.h"
#include "events.h"

/* Sessions are many, and none of the sizes of kmalloc() fits. */
static struct kmem_cache *tls_hs_sessions __ro_after_init;

/* Context: any.  Return: a session, or %NULL without memory. */
static struct tls_hs_session *tls_hs_session_new(void)
{
	struct tls_hs_session *s = kmem_cache_alloc(tls_hs_sessions, GFP_ATOMIC);

	if (s)
		tls_hs_session_init(s);
	return s;
}

/**
 * tls_hs_session_free - end a session and free it
 * @s: the session, which nobody else uses any more
 *
 * Context: any.
 */
void tls_hs_session_free(struct tls_hs_session *s)
{
	tls_hs_session_wipe(s);
	kmem_cache_free(tls_hs_sessions, s);
}

/**
 * tls_hs_put - drop a reference
 * @hs: the handshake
 *
 * Context: any.
 */
void tls_hs_put(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	if (!refcount_dec_and_test(&hs->refs))
		return;
	if (hs->session)
		tls_hs_session_free(hs->session);
	kfree(hs->unsent);
	if (hs->conf)
		tls_hs_conf_put(hs->conf);
	tls_hs_alpn_put(hs->alpn);
	tls_hs_names_put(hs->names);
	hs->user->free(hs);
	sock_put(sk);
}

static void tls_hs_timer(struct timer_list *t)
{
	struct tls_hs *hs = timer_container_of(hs, t, timer);

	tls_hs_queue(hs);
	tls_hs_put(hs);
}

/**
 * tls_hs_arm - (re)arm the timer, which has a reference while it is pending
 * @hs: the handshake
 * @expires: when, in jiffies
 *
 * Context: any, the socket lock is held.
 */
void tls_hs_arm(struct tls_hs *hs, unsigned long expires)
{
	refcount_inc(&hs->refs);
	if (mod_timer(&hs->timer, expires))
		refcount_dec(&hs->refs);
}

/**
 * tls_hs_disarm - stop the timer
 * @hs: the handshake
 *
 * Context: any, the socket lock is held, or the last user has gone.
 */
void tls_hs_disarm(struct tls_hs *hs)
{
	if (timer_delete(&hs->timer))
		tls_hs_put(hs);
}

/**
 * tls_hs_wake_after - there will be something to do, whatever comes before
 * @hs: the handshake
 * @delay: at the latest after that time, in jiffies; tls_hs_rearm() sets the timer
 *
 * Context: any, the socket lock is held.
 */
void tls_hs_wake_after(struct tls_hs *hs, unsigned long delay)
{
	hs->wake = jiffies + delay;
	hs->waking = true;
}

/* Time since the client's first byte, in ns. */
static u64 tls_hs_duration(const struct tls_hs *hs)
{
	return hs->start ? ktime_get_ns() - hs->start : 0;
}

static struct tls_hs *tls_hs_of(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	return ctx ? ctx->hs : NULL;
}

static void tls_hs_data_ready(struct sock *sk)
{
	struct tls_hs *hs = tls_hs_of(sk);

	trace_sk_data_ready(sk);

	if (hs && tls_hs_has_news(hs))
		tls_hs_queue(hs);
}

static void tls_hs_state_change(struct sock *sk)
{
	struct tls_hs *hs = tls_hs_of(sk);

	if (hs && (sk->sk_state == TCP_CLOSE || sk->sk_shutdown))
		tls_hs_queue(hs);
}

/* Is not called while sk_socket is %NULL, so the timer polls for space. */
static void tls_hs_no_write_space(struct sock *sk)
{
}

/**
 * tls_hs_init - initialise a handshake
 * @hs: the handshake, zeroed
 * @user: what it is done for
 */
void tls_hs_init(struct tls_hs *hs, const struct tls_hs_user *user)
{
	refcount_set(&hs->refs, 1);
	INIT_LIST_HEAD(&hs->node);
	timer_setup(&hs->timer, tls_hs_timer, 0);
	hs->user = user;
	hs->need = 1;
}

/**
 * tls_hs_start - begin with a handshake
 * @hs: the handshake, which has its settings; the reference goes to the socket
 * @sk: a socket with a context and without sk_user_data that matters to us
 *
 * What has been received already is looked at, too.
 *
 * Context: process, socket lock held.
 */
void tls_hs_start(struct tls_hs *hs, struct sock *sk)
{
	unsigned int timeout = hs->conf->settings.timeout_ms;

	if (!timeout)
		timeout = READ_ONCE(tls_hs_net(sock_net(sk))->timeout_ms);

	sock_hold(sk);
	hs->sk = sk;
	hs->flow = tls_hs_flow_of(hs);

	write_lock_bh(&sk->sk_callback_lock);
	hs->data_ready = sk->sk_data_ready;
	hs->state_change = sk->sk_state_change;
	hs->write_space = sk->sk_write_space;
	hs->allocation = sk->sk_allocation;
	hs->rcvlowat = sk->sk_rcvlowat;
	hs->use_task_frag = sk->sk_use_task_frag;
	hs->fasync = sock_flag(sk, SOCK_FASYNC);
	hs->corked = tcp_sk(sk)->nonagle & TCP_NAGLE_CORK;

	tls_get_ctx(sk)->hs = hs;
	WRITE_ONCE(sk->sk_data_ready, tls_hs_data_ready);
	WRITE_ONCE(sk->sk_state_change, tls_hs_state_change);
	WRITE_ONCE(sk->sk_write_space, tls_hs_no_write_space);
	sk->sk_allocation = GFP_ATOMIC;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	sk->sk_use_task_frag = false;
	/* TCP_CORK is for data of the user; the client waits for these. */
	tcp_sk(sk)->nonagle &= ~TCP_NAGLE_CORK;
	/* sk_clear_bit() would look for a wait queue. */
	sock_reset_flag(sk, SOCK_FASYNC);
	write_unlock_bh(&sk->sk_callback_lock);

	/* Let the answer acknowledge what the client has sent. */
	inet_csk_enter_pingpong_mode(sk);

	hs->deadline = jiffies + msecs_to_jiffies(timeout);
	tls_hs_arm(hs, hs->deadline);
	if (tls_hs_has_news(hs))
		tls_hs_queue_thread(hs);
}

/**
 * tls_hs_restore - give a socket its own callbacks back
 * @hs: the handshake
 *
 * Those that somebody has replaced in the meantime stay.
 *
 * Context: any, socket lock held.
 */
void tls_hs_restore(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	tls_hs_disarm(hs);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_data_ready == tls_hs_data_ready)
		WRITE_ONCE(sk->sk_data_ready, hs->data_ready);
	if (sk->sk_state_change == tls_hs_state_change)
		WRITE_ONCE(sk->sk_state_change, hs->state_change);
	if (sk->sk_write_space == tls_hs_no_write_space)
		WRITE_ONCE(sk->sk_write_space, hs->write_space);
	sk->sk_allocation = hs->allocation;
	WRITE_ONCE(sk->sk_rcvlowat, hs->rcvlowat);
	sk->sk_use_task_frag = hs->use_task_frag;
	if (hs->corked)
		tcp_sk(sk)->nonagle |= TCP_NAGLE_CORK;
	/* A user may have set or cleared O_ASYNC in the meantime. */
	if (!sk->sk_socket || hs->fasync)
		sock_valbool_flag(sk, SOCK_FASYNC, hs->fasync);
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * tls_hs_finish_early - end a handshake that its user does not want any more
 * @hs: the handshake
 * @end: how it ends, &enum tls_hs_end
 * @error: the reason
 *
 * Its user is not told.
 *
 * Context: any, socket lock held.
 */
void tls_hs_finish_early(struct tls_hs *hs, u8 end, int error)
{
	if (hs->end != TLS_HS_RUNNING)
		return;
	WRITE_ONCE(hs->end, end);
	hs->error = error;
	tls_hs_restore(hs);
}

/* The handshake has ended, and its user is told.  Socket lock held. */
static void tls_hs_end(struct tls_hs *hs, u8 end, int error)
{
	if (hs->end != TLS_HS_RUNNING)
		return;
	tls_hs_finish_early(hs, end, error);
	hs->user->ended(hs);
}

/* The client has closed or reset the connection during the handshake. */
static void tls_hs_reset(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSRESET);
	trace_tls_handshake_reset(sk, hs->session,
				  &tls_get_ctx(sk)->hs_info,
				  tls_hs_duration(hs));
	tls_hs_end(hs, TLS_HS_END_CLOSE, -ECONNRESET);
}

static void tls_hs_alert(struct tls_hs *hs, struct tls_hs_buffers *buffers,
			 u8 description, u32 len)
{
	struct sock *sk = hs->sk;

	if (!len)
		len = tls_hs_session_alert(hs->session, description,
					   buffers->out, TLS_HS_OUT_MAX);
	/* Do not send an alert after a partial flight: it cannot be parsed. */
	if (len && !hs->unsent)
		tls_hs_send(sk, buffers->out, len);
	tls_hs_count_alert(sock_net(sk), description);
	trace_tls_handshake_alert(sk, hs->session, &tls_get_ctx(sk)->hs_info,
				  tls_hs_duration(hs), description, true);
	tls_hs_end(hs, TLS_HS_END_CLOSE, -EPROTO);
}

/* The alert for a fallback that the settings forbid. */
static u8 tls_hs_refusal(u8 reason)
{
	switch (reason) {
	case TLS_HS_FB_VERSION:
		return TLS_ALERT_DESC_PROTOCOL_VERSION;
	case TLS_HS_FB_RESOURCES:
		return TLS_ALERT_DESC_INTERNAL_ERROR;
	case TLS_HS_FB_HELLO_SIZE:
	case TLS_HS_FB_URGENT:
		return TLS_ALERT_DESC_GENERAL_ERROR;
	default:
		return TLS_ALERT_DESC_HANDSHAKE_FAILURE;
	}
}

/* An alert without a session, or from one that has ended, before anything has
 * been sent (RFC 9846, section 6).
 */
static void tls_hs_refuse(struct tls_hs *hs, struct tls_hs_buffers *buffers,
			  u8 description)
{
	const u8 record[] = {
		TLS_RECORD_TYPE_ALERT, 3, 3, 0, 2,
		TLS_ALERT_LEVEL_FATAL, description
	};

	memcpy(buffers->out, record, sizeof(record));
	tls_hs_alert(hs, buffers, description, sizeof(record));
}

static bool tls_hs_forbids_fallback(const struct tls_hs_conf *conf)
{
	return conf->settings.flags & TLS_HS_F_NO_FALLBACK;
}

/* Do the settings that the handshake has let user space have the connection?
 * Where some names' do not, a client whose name is not known must not get there
 * by a ClientHello that is too long to be read.
 */
static bool tls_hs_own_settings_forbid(const struct tls_hs *hs)
{
	if (tls_hs_forbids_fallback(hs->name_conf ?: hs->conf))
		return true;
	return hs->names && !hs->named && tls_hs_names_forbid(hs->names);
}

static void tls_hs_fallback(struct tls_hs *hs, struct tls_hs_buffers *buffers,
			    u8 reason)
{
	struct sock *sk = hs->sk;

	/* No fallback once something has been consumed. */
	if (hs->consumed) {
		tls_hs_alert(hs, buffers, tls_hs_refusal(reason), 0);
		return;
	}
	if (tls_hs_own_settings_forbid(hs)) {
		tls_hs_count_refusal(sock_net(sk), reason);
		trace_tls_handshake_refused(sk, hs->session, reason,
					    tls_hs_duration(hs));
		tls_hs_refuse(hs, buffers, tls_hs_refusal(reason));
		return;
	}

	tls_hs_count_fallback(sock_net(sk), reason);
	trace_tls_handshake_fallback(sk, hs->session, reason,
				     tls_hs_duration(hs));
	tls_hs_end(hs, TLS_HS_END_FALLBACK, 0);
}

/**
 * tls_hs_may_fall_back - is a connection that has fallen back still welcome?
 * @hs: the handshake, ended by %TLS_HS_END_FALLBACK
 * @conf: the listener's settings now
 * @names: its settings for server names now, or %NULL
 *
 * Settings may have changed since, or the listener.
 *
 * Context: process, socket lock held.
 * Return: false if plain TCP must not be accepted.  Without memory to look for
 * the name it is not, either, if it could matter.
 */
bool tls_hs_may_fall_back(struct tls_hs *hs, struct tls_hs_conf *conf,
			  struct tls_hs_names *names)
{
	struct tls_hs_buffers buffers = {};
	struct tls_hs_step step = {};
	struct tls_hs_conf *name_conf;
	bool known = false;
	int have;
	u32 len;

	if (!names || !tls_hs_names_forbid(names))
		return !tls_hs_forbids_fallback(conf);

	if (!hs->session)
		hs->session = tls_hs_session_new();
	buffers.in = kvzalloc(TLS_HS_IN_MAX, GFP_KERNEL);
	buffers.out = kvzalloc(TLS_HS_OUT_MAX, GFP_KERNEL);
	if (hs->session && buffers.in && buffers.out) {
		have = tls_hs_load_hello(hs, &buffers, &len, &step);
		if (have > 0)
			known = tls_hs_names_find(names, buffers.in, have,
						  &name_conf);
	}
	if (known)
		known = !tls_hs_forbids_fallback(name_conf ?: conf);
	kvfree(buffers.out);
	kvfree(buffers.in);
	return known;
}

/* Record what has been negotiated so far. */
static void tls_hs_record_negotiated(struct tls_hs *hs,
				     struct tls_hs_status *status)
{
	struct tls_hs_info *info = &tls_get_ctx(hs->sk)->hs_info;

	tls_hs_session_status(hs->session, status);
	info->cipher_suite = status->cipher_suite;
	info->group = status->group;
	info->signature_scheme = status->signature_scheme;
	info->flags = status->flags;
}

/* Record that there is an answer.  noinline to save stack, as the next one: the
 * status has room for a name.
 */
static noinline void tls_hs_set_answered(struct tls_hs *hs)
{
	struct tls_hs_status status = {};

	tls_hs_record_negotiated(hs, &status);
}

static noinline void tls_hs_report(struct tls_hs *hs, u64 duration)
{
	struct tls_hs_info *info = &tls_get_ctx(hs->sk)->hs_info;
	struct tls_hs_status status = {};

	tls_hs_record_negotiated(hs, &status);
	info->duration_us = min(div_u64(duration, NSEC_PER_USEC), U32_MAX);
	info->completed = ktime_get_seconds();
	TLS_INC_STATS(sock_net(hs->sk), LINUX_MIB_TLSHSDONE);
	if (status.flags & TLS_HS_S_RESUMED)
		TLS_INC_STATS(sock_net(hs->sk), LINUX_MIB_TLSHSRESUMED);
	trace_tls_handshake_done(hs->sk, hs->session, &status, duration);
}

static void tls_hs_time_out(struct tls_hs *hs)
{
	struct sock *sk = hs->sk;

	TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSTIMEOUT);
	trace_tls_handshake_timeout(sk, hs->session, &tls_get_ctx(sk)->hs_info,
				    tls_hs_duration(hs));
	tls_hs_end(hs, TLS_HS_END_RESET, -ETIMEDOUT);
}

/**
 * struct tls_hs_use - argument of tls_hs_may_use()
 * @keys: what the identity is one of
 * @look: what the handshake has waited for
 * @in_softirq: RSA is out of the question
 * @stale: the identity may not be used any more
 * @is_long: it needs process context
 * @asked: an identity has been chosen
 * @identity: its index
 */
struct tls_hs_use {
	const struct tls_hs_keys *keys;
	const struct tls_hs_look *look;
	bool in_softirq;
	bool stale;
	bool is_long;
	bool asked;
	size_t identity;
};

static bool tls_hs_may_use(void *arg, size_t identity, bool rsa)
{
	struct tls_hs_use *use = arg;

	use->stale = !tls_hs_keys_may_use(use->keys, identity, use->look);
	use->is_long = rsa && use->in_softirq;
	use->asked = true;
	use->identity = identity;
	return !use->stale && !use->is_long;
}

static bool tls_hs_may_use_psk(void *arg, size_t psk)
{
	struct tls_hs_use *use = arg;

	use->stale = !tls_hs_keys_may_use_psk(use->keys, psk);
	return !use->stale;
}

/* Record with which PSK the client has proved its identity. */
static void tls_hs_record_psk(struct tls_hs *hs, const struct tls_hs_keys *keys)
{
	size_t psk;

	if (tls_hs_session_psk(hs->session, &psk))
		tls_get_ctx(hs->sk)->hs_info.psk =
			tls_hs_keys_psk_serial(keys, psk);
}

/* Call the engine with references to the keys and the ticket keys, and not
 * under RCU: in process context a call may take long.
 */
static void tls_hs_call(struct tls_hs *hs, struct tls_hs_conf *conf,
			struct tls_hs_buffers *buffers, u32 have,
			struct tls_hs_step *step)
{
	struct tls_hs_alpn *alpn = conf->alpn ?: hs->alpn;
	struct tls_hs_tickets tickets = {};
	struct tls_hs_ticket_keys *own;
	struct tls_hs_use use = {
		.look = &hs->look,
		.in_softirq = buffers->in_softirq,
	};
	struct tls_hs_keys *keys = tls_hs_conf_get_keys(conf);
	const struct tls_hs_call call = {
		.settings = &conf->settings,
		.alpn = alpn ? alpn->list : NULL,
		.alpn_len = alpn ? alpn->len : 0,
		.tickets = &tickets,
		.set = keys->set,
		.psks = keys->psks,
		.named = conf == hs->name_conf,
		.in = buffers->in,
		.in_len = have,
		.out = buffers->out,
		.out_len = TLS_HS_OUT_MAX,
		.scratch = buffers->scratch,
		.may_use = tls_hs_may_use,
		.may_use_psk = tls_hs_may_use_psk,
		.arg = &use,
	};

	use.keys = keys;
	own = tls_hs_tickets_get(sock_net(hs->sk), keys, &tickets);
	tls_hs_session_advance(hs->session, &call, step);
	if (use.asked && step->action != TLS_HS_LATER)
		tls_hs_keys_used(keys, use.identity, sock_net(hs->sk),
				 tickets.now);
	/* With the flight, not with tickets: @keys are others then. */
	if (step->action == TLS_HS_SEND && !hs->answered)
		tls_hs_record_psk(hs, keys);
	tls_hs_tickets_put(own);
	tls_hs_keys_put(keys);

	if (step->action != TLS_HS_LATER)
		return;
	if (use.stale) {
		tls_hs_conf_mark_stale(conf, &hs->look);
		tls_hs_wake_after(hs, 1);
	} else {
		WRITE_ONCE(hs->long_work, true);
		tls_hs_queue(hs);
	}
}

/* Send the engine's answer.  True if the engine should be called again. */
static bool tls_hs_answer(struct tls_hs *hs, struct tls_hs_buffers *buffers,
			  const struct tls_hs_step *step)
{
	struct sock *sk = hs->sk;
	int sent;

	/* 0 after tickets, which are the last messages. */
	hs->need = step->need;
	if (step->retry)
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSRETRY);
	if (!hs->answered) {
		tls_hs_set_answered(hs);
		if (hs->user->answered)
			hs->user->answered(hs);
	}
	WRITE_ONCE(hs->answered, !step->retry);
	WRITE_ONCE(hs->long_work, false);
	/* A second ClientHello waits for a look of its own. */
	hs->look = (struct tls_hs_look) {};
	/* Send first: the answer acknowledges what is consumed then. */
	sent = tls_hs_send(sk, buffers->out, step->written);
	tls_hs_consume(hs, step->consumed);
	if (sent == step->written)
		return tls_hs_has_news(hs);
	if (sent < 0 || tls_hs_keep_unsent(hs, buffers->out + sent,
					   step->written - sent))
		tls_hs_end(hs, TLS_HS_END_RESET, sent < 0 ? sent : -ENOMEM);
	else
		tls_hs_wake_after(hs, 1);
	return false;
}

/* Handle urgent data, or a buffer that cannot be read. */
static void tls_hs_unreadable(struct tls_hs *hs, struct tls_hs_buffers *buffers)
{
	/* Fall back when the first read() of user space would return. */
	if (tls_hs_is_readable(hs->sk) || hs->consumed)
		tls_hs_fallback(hs, buffers, TLS_HS_FB_URGENT);
}

/* Are there not enough bytes for the engine to get further? */
static bool tls_hs_must_wait(struct tls_hs *hs, struct tls_hs_buffers *buffers)
{
	struct sock *sk = hs->sk;
	u32 unread = tls_hs_unread(sk);

	if (tcp_sk(sk)->urg_data) {
		tls_hs_unreadable(hs, buffers);
		return true;
	}
	/* shutdown() of the user, whatever has come since: a FIN of the client would
	 * have changed the state.
	 */
	if (sk->sk_shutdown & SEND_SHUTDOWN ||
	    (sk->sk_shutdown && sk->sk_state == TCP_ESTABLISHED)) {
		tls_hs_reset(hs);
		return true;
	}
	if (unread >= hs->need)
		return false;
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		tls_hs_reset(hs);
	else if (unread && tls_hs_is_full(sk) &&
		 (hs->answered || !tls_hs_make_room(sk)))
		tls_hs_fallback(hs, buffers, TLS_HS_FB_HELLO_SIZE);
	return true;
}

static bool tls_hs_has_session(struct tls_hs *hs)
{
	if (hs->session)
		return true;
	if (!tls_hs_inject(TLS_HS_INJECT_SESSION))
		hs->session = tls_hs_session_new();
	if (!hs->session)
		return false;
	hs->start = ktime_get_ns();
	trace_tls_handshake_start(hs->sk);
	return true;
}

/* Call the engine once.  True if it should be called again. */
static bool tls_hs_step(struct tls_hs *hs, struct tls_hs_buffers *buffers)
{
	struct tls_hs_step step = {};
	struct sock *sk = hs->sk;
	struct tls_hs_conf *conf;
	u32 len = 0;
	int have;

	if (tls_hs_must_wait(hs, buffers))
		return false;
	if (!tls_hs_has_session(hs)) {
		tls_hs_fallback(hs, buffers, TLS_HS_FB_RESOURCES);
		return false;
	}

	if (hs->answered)
		have = tls_hs_peek(sk, 0, buffers->in, TLS_HS_IN_MAX);
	else
		have = tls_hs_load_hello(hs, buffers, &len, &step);
	if (have < 0) {
		tls_hs_unreadable(hs, buffers);
		return false;
	}
	/* After the client's Finished the engine needs no input. */
	if (!have && !hs->answered)
		goto act;

	if (hs->names && !hs->named) {
		hs->named = tls_hs_names_find(hs->names, buffers->in, have,
					      &hs->name_conf);
		/* The engine has changed its copy: make another one. */
		if (!len)
			have = tls_hs_peek(sk, 0, buffers->in, TLS_HS_IN_MAX);
	}
	conf = hs->name_conf ?: hs->conf;
	if (!hs->answered && !tls_hs_conf_is_fresh(conf, &hs->look)) {
		/* A key has been added, replaced or revoked. */
		tls_hs_wake_after(hs, 1);
		return false;
	}

	tls_hs_call(hs, conf, buffers, have, &step);
	if (len && step.consumed)
		step.consumed = len;
act:
	switch (step.action) {
	case TLS_HS_MORE:
		tls_hs_consume(hs, step.consumed);
		hs->need = max(step.need, 1U);
		/* Keys may change before the rest of it arrives. */
		hs->look = (struct tls_hs_look) {};
		/* Enlarge the buffer before the window closes: the client would
		 * have to probe it.
		 */
		if (!hs->answered &&
		    atomic_read(&sk->sk_rmem_alloc) > sk->sk_rcvbuf / 4)
			tls_hs_make_room(sk);
		/* Look at the queue once more: the client may have closed, or
		 * it may be full.
		 */
		return tls_hs_has_news(hs);
	case TLS_HS_SEND:
		return tls_hs_answer(hs, buffers, &step);
	case TLS_HS_LATER:
		break;
	case TLS_HS_DONE:
		tls_hs_consume(hs, step.consumed);
		tls_hs_report(hs, tls_hs_duration(hs));
		/* Tickets are the last messages of the handshake. */
		tls_hs_delay_nothing(sk);
		tls_hs_end(hs, TLS_HS_END_DONE, 0);
		break;
	case TLS_HS_FALLBACK:
		tls_hs_fallback(hs, buffers, step.reason);
		break;
	case TLS_HS_PEER_ALERT:
		tls_hs_count_peer_alert(sock_net(sk), step.alert);
		trace_tls_handshake_alert(sk, hs->session,
					  &tls_get_ctx(sk)->hs_info,
					  tls_hs_duration(hs), step.alert,
					  false);
		tls_hs_end(hs, TLS_HS_END_CLOSE, -ECONNRESET);
		break;
	case TLS_HS_ALERT:
	default:
		tls_hs_alert(hs, buffers, step.alert, step.written);
		break;
	}
	return false;
}

/* Set the timer for the next thing to do, at the latest the deadline. */
static void tls_hs_rearm(struct tls_hs *hs)
{
	unsigned long next = hs->deadline;

	if (hs->waking && time_before(hs->wake, next))
		next = hs->wake;
	/* Softirq that finds the socket owned may arm the timer at the same
	 * time, see tls_hs_run_softirq().  Either time will do: the owner has
	 * seen what softirq was queued for.
	 */
	if (!timer_pending(&hs->timer) || data_race(hs->timer.expires) != next)
		tls_hs_arm(hs, next);
}

/**
 * tls_hs_is_over - has a handshake ended, or does its listener end it?
 * @hs: the handshake
 *
 * Context: any.
 * Return: whether nothing is to be done for it any more.
 */
bool tls_hs_is_over(const struct tls_hs *hs)
{
	return READ_ONCE(hs->end) != TLS_HS_RUNNING ||
	       test_bit(TLS_HS_EVICTED, &hs->flags);
}

/**
 * tls_hs_advance - do whatever there is to do for a connection
 * @hs: its handshake
 * @buffers: those of the work item
 *
 * Context: any, the socket lock is held; what is long only in process context.
 */
void tls_hs_advance(struct tls_hs *hs, struct tls_hs_buffers *buffers)
{
	int rc = 1;

	if (tls_hs_is_over(hs))
		return;
	hs->waking = false;

	if (hs->sk->sk_state == TCP_CLOSE) {
		tls_hs_reset(hs);
		return;
	}
	if (time_after_eq(jiffies, hs->deadline)) {
		tls_hs_time_out(hs);
		return;
	}
	if (hs->unsent) {
		rc = tls_hs_send_rest(hs);
		if (rc < 0)
			tls_hs_end(hs, TLS_HS_END_RESET, rc);
	}
	if (rc > 0)
		while (tls_hs_step(hs, buffers))
			;
	if (!tls_hs_is_over(hs))
		tls_hs_rearm(hs);
}

static int tls_hs_install(struct sock *sk, struct tls_hs_session *session,
			  bool tx)
{
	union tls_crypto_context info = {};
	int len, rc;

	if (tls_hs_inject(tx ? TLS_HS_INJECT_TX : TLS_HS_INJECT_RX))
		return -ENOMEM;
	len = tls_hs_session_crypto_info(session, tx, &info, sizeof(info));
	if (len < 0)
		return len;
	rc = tls_set_crypto_info(sk, KERNEL_SOCKPTR(&info), len, tx);
	memzero_explicit(&info, sizeof(info));
	tls_hs_forget_key(tls_get_ctx(sk), tx);
	return rc;
}

/**
 * tls_hs_take_over - give a connection the session of its finished handshake
 * @hs: the handshake, ended by %TLS_HS_END_DONE
 * @ctx: the context of its socket, which has a struct socket
 *
 * Installs the keys, which may sleep: that is why it has not been done before.
 * The reference of the socket to @hs is dropped.
 *
 * Context: process, socket lock held.
 * Return: 0 or an error, after which the connection can only be closed.
 */
int tls_hs_take_over(struct tls_hs *hs, struct tls_context *ctx)
{
	struct sock *sk = hs->sk;
	int rc;

	ctx->hs = NULL;
	ctx->hs_keys = 1;
	/* Pairs with smp_load_acquire() in tls_hs_put_info(). */
	smp_store_release(&ctx->hs_session, hs->session);
	hs->session = NULL;

	ctx->tx_max_payload_len = tls_hs_session_max_payload(ctx->hs_session);
	rc = tls_hs_install(sk, ctx->hs_session, true);
	if (!rc)
		rc = tls_hs_install(sk, ctx->hs_session, false);
	/* See tls_hs_software_only(). */
	WARN_ON_ONCE(!rc && (ctx->tx_conf != TLS_SW || ctx->rx_conf != TLS_SW));
	if (rc) {
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSERROR);
		/* Let close() go through tls_sk_proto_close(), even if no key
		 * has been installed.
		 */
		ctx->hs_keys = 0;
		update_sk_prot(sk, ctx);
	}
	tls_hs_put(hs);
	return rc;
}

int __init tls_hs_drive_init(void)
{
	tls_hs_sessions = kmem_cache_create("tls_hs_session",
					    tls_hs_session_size(),
					    tls_hs_session_align(), 0, NULL);
	return tls_hs_sessions ? 0 : -ENOMEM;
}

/* Without sessions, of which RCU frees none. */
void tls_hs_drive_exit(void)
{
	kmem_cache_destroy(tls_hs_sessions);
}
