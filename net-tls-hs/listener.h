/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TLS_HS listeners: what the files share that make one up.
 *
 *	listen.c	what processes see: ULP, accept(), poll(), options
 *	pump.c		takes children from TCP
 *	children.c	where they are, and how many
 *	migrate.c	what becomes of them when the listener ends
 *	guard.c		no plain text under %TLS_HS_F_NO_FALLBACK
 */
#ifndef _NET_TLS_HANDSHAKE_LISTENER_H
#define _NET_TLS_HANDSHAKE_LISTENER_H

#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

#include "handshake.h"

/**
 * struct tls_hs_listener - the part of net/tls in a listening socket
 * @refs: one for the socket and one for each of its children, one each while
 *	@pump, @retry or @drain is pending
 * @lock: protects the lists, their counters, @sk, @stalled, @epoch, @drain_sk
 *	and tls_hs::place.  A leaf: taken with BH off under any socket lock,
 *	with nothing inside
 * @sk: the socket, %NULL once it has been released.  Valid under @lock, and
 *	after that as long as RCU is held
 * @net: its network namespace; children pin it
 * @conf: the settings of TLS_HS, under RCU; %NULL before
 * @names: the settings of TLS_HS_SNI, under RCU
 * @alpn: the list of TLS_HS_ALPN, under RCU
 * @silent: children in handshake, oldest first: unanswered ones
 * @waiting: answered ones
 * @ready: children to be accepted, in order
 * @nr_silent: number of children in @silent
 * @nr_waiting: same for @waiting
 * @nr_ready: same for @ready
 * @nr_closing: number of children that are about to be closed
 * @backlog: what listen() was told
 * @stalled: the pump waits for room in @ready
 * @wait: sleeping accept()s
 * @pump: takes children out of TCP's accept queue
 * @pump_queued: bit 0 is set as long as @pump is pending
 * @retry: queues it when there may be memory again
 * @drain: hands children of older epochs over to another listener, or closes
 *	them
 * @epoch: grows when the socket stops to listen
 * @guard: children are born with a guard
 * @drain_sk: the socket as long as @drain is queued, referenced
 * @data_ready: the socket's own callbacks
 * @error_report: same
 * @rwork: frees the structure
 */
struct tls_hs_listener {
	refcount_t refs;
	spinlock_t lock;		/* of what is said above */
	struct sock *sk;
	struct net *net;
	struct tls_hs_conf __rcu *conf;
	struct tls_hs_names __rcu *names;
	struct tls_hs_alpn __rcu *alpn;
	struct list_head silent;
	struct list_head waiting;
	struct list_head ready;
	u32 nr_silent;
	u32 nr_waiting;
	u32 nr_ready;
	u32 nr_closing;
	u32 backlog;
	bool stalled;
	wait_queue_head_t wait;
	struct tls_hs_job pump;
	unsigned long pump_queued;
	struct timer_list retry;
	struct work_struct drain;
	u32 epoch;
	bool guard;
	struct sock *drain_sk;
	void (*data_ready)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	struct rcu_work rwork;
};

enum {
	TLS_HS_V4,
	TLS_HS_V6,
	TLS_HS_NUM_FAMILIES,
};

static inline int tls_hs_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET6 ? TLS_HS_V6 : TLS_HS_V4;
}

static inline const struct proto_ops *tls_hs_base_ops(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return &inet6_stream_ops;
#endif
	return &inet_stream_ops;
}

static inline struct proto *tls_hs_base_prot(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return &tcpv6_prot;
#endif
	return &tcp_prot;
}

static inline bool tls_hs_is_active(const struct tls_hs_listener *lsn)
{
	return rcu_access_pointer(lsn->conf);
}

static inline bool tls_hs_listens(const struct sock *sk)
{
	return inet_sk_state_load(sk) == TCP_LISTEN;
}

/* listen.c */
struct tls_hs_listener *tls_hs_listener_of(const struct sock *sk);
void tls_hs_listener_put(struct tls_hs_listener *lsn);
int tls_hs_listener_can_activate(struct sock *sk);
void tls_hs_listener_activate(struct tls_hs_listener *lsn, struct sock *sk);

/* pump.c */
void tls_hs_queue_pump(struct tls_hs_listener *lsn);
void tls_hs_pump(struct tls_hs_job *job);
void tls_hs_pump_retry(struct timer_list *t);
void tls_hs_unstall(struct tls_hs_listener *lsn);
void tls_hs_set_tcp_backlog(struct tls_hs_listener *lsn, struct sock *sk);
bool tls_hs_tcp_queue_empty(const struct sock *sk);

/* children.c */
struct tls_hs *tls_hs_child_new(struct tls_context **ctx);
void tls_hs_child_enlist(struct tls_hs *hs, u8 place);
void tls_hs_child_move(struct tls_hs *hs, u8 place);
void tls_hs_child_close(struct tls_hs *hs);
bool tls_hs_child_is_stale(const struct tls_hs_listener *lsn,
			   const struct tls_hs *hs);
struct tls_hs *tls_hs_listener_take_ready(struct tls_hs_listener *lsn,
					  bool *is_empty);
void tls_hs_listener_wake(struct tls_hs_listener *lsn, struct sock *sk);
u32 tls_hs_listener_limit(const struct tls_hs_listener *lsn);
int tls_hs_listener_put_info(struct tls_hs_listener *lsn, struct sk_buff *skb);

/* migrate.c */
void tls_hs_queue_drain(struct tls_hs_listener *lsn, struct sock *sk);
void tls_hs_drain(struct work_struct *work);
void tls_hs_stop_listening(struct tls_hs_listener *lsn, struct sock *sk,
			   bool release);

/* guard.c */
void tls_hs_listener_guard(struct tls_hs_listener *lsn, const struct sock *sk);
void tls_hs_guard(const struct tls_hs_listener *lsn, struct sock *child);
bool tls_hs_unguard(struct sock *child);

#endif /* _NET_TLS_HANDSHAKE_LISTENER_H */
