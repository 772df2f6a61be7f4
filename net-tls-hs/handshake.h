/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TLS handshakes on listening sockets: what the C files share.
 */
#ifndef _NET_TLS_HANDSHAKE_H
#define _NET_TLS_HANDSHAKE_H

#include <linux/key-type.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/tcp.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/inet_connection_sock.h>
#include <net/netns/generic.h>
#include <net/tls.h>

#include "engine.h"

struct cred;
struct key;
struct key_tag;
struct mem_cgroup;
struct tls_hs_names;

/**
 * struct tls_hs_held_key - a key of a keyring
 * @key: the key, referenced
 * @payload: its payload, referenced unless it is a PSK, or %NULL if the key could
 *	not be used
 * @kind: what it is for, see key.c
 * @warned: somebody has been told that the certificate has expired; any reader
 *	may set it
 */
struct tls_hs_held_key {
	struct key *key;
	void *payload;
	int kind;
	bool warned;
};

/**
 * struct tls_hs_keys - what a keyring held at the last look
 * @refs: one for the settings and one for each handshake that is at work
 * @set: its identities, or %NULL if there was none
 * @psks: copies of its external PSKs, or %NULL if there was none
 * @tickets: copies of the ticket keys that are used, the one for new tickets
 *	first
 * @nr_tickets: their number
 * @error: why the keyring could not be used, or 0
 * @nr_leaves: number of keys in the keyring
 * @serials: serial numbers of these keys, in the order of keyring_read()
 * @nr_serials: number of @serials; 0 if the keyring could not be used
 * @checked: when all keys were last compared with those of the keyring, in
 *	seconds since 1970; any reader may write it
 * @rwork: frees the structure
 * @first_identity: index of the first identity in @keys
 * @nr_identities: number of identities
 * @nr_psks: number of PSKs
 * @nr: number of @keys
 * @keys: the keys of the keyring that are for handshakes: ticket keys, those
 *	that are used first; identities in the order of @set; PSKs in that of
 *	their index in @psks; and those that could not be used but may be later
 */
struct tls_hs_keys {
	refcount_t refs;
	struct tls_hs_identity_set *set;
	struct tls_hs_psk_set *psks;
	struct tls_hs_ticket_key *tickets;
	u32 nr_tickets;
	int error;
	unsigned long nr_leaves;
	key_serial_t *serials;
	size_t nr_serials;
	u32 checked;
	struct rcu_work rwork;
	size_t first_identity;
	size_t nr_identities;
	size_t nr_psks;
	size_t nr;
	struct tls_hs_held_key keys[] __counted_by(nr);
};

static inline size_t tls_hs_first_psk(const struct tls_hs_keys *keys)
{
	return keys->first_identity + keys->nr_identities;
}

/**
 * struct tls_hs_look - the look into a keyring that a handshake waits for
 * @conf: whose keyring, or %NULL if it waits for none; not referenced
 * @number: counted like @looks_begun of @conf
 *
 * Zeroed for each ClientHello.
 */
struct tls_hs_look {
	const struct tls_hs_conf *conf;
	u64 number;
};

/**
 * struct tls_hs_conf - settings of a listener, shared with its children
 * @refs: one for the listener and one for each child that is not done yet
 * @settings: as set by the user, checked
 * @keys: what the keyring held at the last look, under RCU; only @refresh
 *	changes it once a listener has the settings
 * @keyring: the keyring
 * @cred: who has set the keyring, with whose permissions it and the keys in it
 *	are used
 * @possessed: whether that process possessed the keyring
 * @psks_only: identities in it are not used
 * @domain: the network namespace's, whose PSKs are used; only to be compared, as
 *	it is there no longer than connections of that namespace
 * @memcg: who set the keyring pays for what is in it; referenced or %NULL
 * @refresh: looks into the keyring again
 * @looks_begun: how often that has been done, the last time included
 * @looks_done: how often with success, counted like @looks_begun
 * @rwork: frees the structure
 * @alpn: the name's application protocols, or %NULL for the listener's
 * @name: the server name that these are the settings for, empty for any
 */
struct tls_hs_conf {
	refcount_t refs;
	struct tls_hs_settings settings;
	struct tls_hs_keys __rcu *keys;
	struct key *keyring;
	const struct cred *cred;
	bool possessed;
	bool psks_only;
	const struct key_tag *domain;
	struct mem_cgroup *memcg;
	struct work_struct refresh;
	u64 looks_begun;
	u64 looks_done;
	struct rcu_work rwork;
	struct tls_hs_alpn *alpn;
	struct tls_hs_name name;
};

/**
 * struct tls_hs_alpn - application protocols, immutable
 * @refs: one for the listener or the settings of a name, and one for each child
 *	of the listener that is not done yet
 * @rcu: tls_hs_clone() looks at it without a reference
 * @len: length of @list
 * @list: as TLS_HS_ALPN or TLS_HS_SNI has set it, checked
 */
struct tls_hs_alpn {
	refcount_t refs;
	struct rcu_head rcu;
	u8 len;
	u8 list[] __counted_by(len);
};

/* Bits of tls_hs::flags. */
enum {
	TLS_HS_QUEUED,		/* on a CPU's list of work */
	TLS_HS_EVICTED,		/* its listener has given it to be closed */
};

/**
 * enum tls_hs_end - how a handshake has ended
 * @TLS_HS_RUNNING: not at all so far
 * @TLS_HS_END_DONE: complete, the session has the keys of application data
 * @TLS_HS_END_FALLBACK: user space is to do it, nothing has been consumed
 * @TLS_HS_END_CLOSE: an alert has been sent or received, or the client has
 *	closed: send a FIN
 * @TLS_HS_END_RESET: send a reset
 */
enum tls_hs_end {
	TLS_HS_RUNNING,
	TLS_HS_END_DONE,
	TLS_HS_END_FALLBACK,
	TLS_HS_END_CLOSE,
	TLS_HS_END_RESET,
};

/**
 * enum tls_hs_place - who owns an unaccepted child, see listen.c
 * @TLS_HS_NOWHERE: a process or an in-kernel user
 * @TLS_HS_SILENT: the listener; the ClientHello has not been answered
 * @TLS_HS_WAITING: the listener; it has been
 * @TLS_HS_READY: the listener, until accept()
 * @TLS_HS_CLOSING: the work item that closes it
 * @TLS_HS_ORPHAN: the work item that hands it over to another listener
 */
enum tls_hs_place {
	TLS_HS_NOWHERE,
	TLS_HS_SILENT,
	TLS_HS_WAITING,
	TLS_HS_READY,
	TLS_HS_CLOSING,
	TLS_HS_ORPHAN,
};

struct tls_hs;

/**
 * struct tls_hs_job - something for the thread of a CPU to do
 * @node: entry of its list
 * @func: what; process context
 */
struct tls_hs_job {
	struct llist_node node;
	void (*func)(struct tls_hs_job *job);
};

/**
 * struct tls_hs_user - what handshakes are done for
 * @answered: the ClientHello has been answered: no fallback any more; may be
 *	%NULL
 * @ended: tls_hs::end has been set, and the socket has its own callbacks back
 * @free: frees the structure that the handshake is a part of
 *
 * Context of the first two: the socket lock is held, by a process or, with BH
 * off, its spinlock.
 */
struct tls_hs_user {
	void (*answered)(struct tls_hs *hs);
	void (*ended)(struct tls_hs *hs);
	void (*free)(struct tls_hs *hs);
};

/**
 * struct tls_hs - the handshake of one connection
 * @refs: one for the socket, one each while queued, armed or to be closed
 * @flags: TLS_HS_QUEUED etc.
 * @todo: entry of a CPU's list of work
 * @sk: the connection, referenced
 * @user: what it is done for
 * @conf: the settings
 * @names: settings for server names, or %NULL
 * @name_conf: settings for the name that the client has sent, if there are any
 * @alpn: application protocols, or %NULL
 * @session: the engine's part, allocated when the first bytes arrive
 * @timer: ends the handshake, or wakes it up to go on sending
 * @deadline: when the handshake must have ended, in jiffies
 * @wake: when there is something to be done before, if @waking
 * @look: the look into the keyring that it waits for
 * @start: when its first byte arrived, ktime in ns; 0 before
 * @need: bytes that must be unread for the engine to get further
 * @unsent: rest of a flight that did not fit into the send buffer
 * @unsent_len: its length
 * @unsent_off: how much of it has been sent
 * @retry: jiffies to wait before sending again
 * @waking: @wake has been set
 * @named: the client's server name has been looked up in @names
 * @consumed: something has been consumed: no fallback any more
 * @answered: the flight has been written: the identity is chosen
 * @long_work: what comes next takes long: not in softirq
 * @foreign: the socket has not got a context, as it is not TCP's own any more
 * @end: &enum tls_hs_end
 * @flow: whose turn it belongs to, see cpu.c; constant
 * @error: what an in-kernel user is told if @end is neither done nor fallback
 * @data_ready: the socket's own callbacks and settings, to be restored
 * @state_change: same
 * @write_space: same
 * @allocation: same
 * @rcvlowat: same
 * @use_task_frag: same
 * @corked: TCP_CORK was set on the socket, or on the listener, or has been since
 * @fasync: same
 * @lsn: the listener whose child it is, referenced; under the socket lock
 * @node: entry of one of the lists of @lsn, under its lock
 * @to_close: entry of the list of connections to be closed
 * @since: when the listener got it, in jiffies; constant
 * @epoch: the value of tls_hs_listener::epoch then
 * @place: &enum tls_hs_place, under the lock of @lsn
 *
 * Everything but @refs, @flags, @todo and what is said to be under another lock
 * is under the socket lock.  Without it @end, @answered and @long_work are read
 * by who can do with what was true a moment ago.
 */
struct tls_hs {
	refcount_t refs;
	unsigned long flags;
	struct llist_node todo;
	struct sock *sk;
	const struct tls_hs_user *user;
	struct tls_hs_conf *conf;
	struct tls_hs_names *names;
	struct tls_hs_conf *name_conf;
	struct tls_hs_alpn *alpn;
	struct tls_hs_session *session;
	struct timer_list timer;
	unsigned long deadline;
	unsigned long wake;
	struct tls_hs_look look;
	u64 start;
	u32 need;
	u8 *unsent;
	u32 unsent_len;
	u32 unsent_off;
	u16 retry;
	bool waking;
	bool named;
	bool consumed;
	bool answered;
	bool long_work;
	bool foreign;
	u8 end;
	u16 flow;
	int error;

	void (*data_ready)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	gfp_t allocation;
	int rcvlowat;
	bool use_task_frag;
	bool fasync;
	bool corked;

	u8 place;
	struct tls_hs_listener *lsn;
	struct list_head node;
	struct llist_node to_close;
	unsigned long since;
	u32 epoch;
};

/**
 * struct tls_hs_ticket_keys - the ticket keys of a network namespace, immutable
 * @refs: one for the namespace and one for each handshake that is at work
 * @rcu: frees the structure
 * @nr: how many there are
 * @keys: the newest one first
 */
struct tls_hs_ticket_keys {
	refcount_t refs;
	struct rcu_head rcu;
	u32 nr;
	struct tls_hs_ticket_key keys[2];
};

/**
 * struct tls_hs_net - what there is for each network namespace
 * @sysctl: net.tls
 * @timeout_ms: net.tls.handshake_timeout_ms
 * @max_handshakes: net.tls.max_handshakes
 * @nr_handshakes: children of listeners in handshake or about to be closed
 * @biggest: a listener that has many of them, under RCU
 * @ticket_lifetime: net.tls.ticket_lifetime, in seconds
 * @ticket_keys: under RCU, written by @ticket_work only; %NULL before the
 *	first listener and without tickets
 * @ticket_work: makes a new key and forgets the oldest
 */
struct tls_hs_net {
	struct ctl_table_header *sysctl;
	unsigned int timeout_ms;
	unsigned int max_handshakes;
	atomic_t nr_handshakes;
	struct tls_hs_listener __rcu *biggest;
	unsigned int ticket_lifetime;
	struct tls_hs_ticket_keys __rcu *ticket_keys;
	struct delayed_work ticket_work;
};

extern struct workqueue_struct *tls_hs_wq;
extern unsigned int tls_hs_net_id;

static inline struct tls_hs_net *tls_hs_net(const struct net *net)
{
	return net_generic(net, tls_hs_net_id);
}

/* settings.c */
struct tls_hs_alpn *tls_hs_alpn_of_name(const char *name);
void tls_hs_alpn_put(struct tls_hs_alpn *alpn);
struct tls_hs_conf *tls_hs_conf_get_rcu(struct tls_hs_conf __rcu **conf);
struct tls_hs_alpn *tls_hs_alpn_get_rcu(struct tls_hs_alpn __rcu **alpn);
struct tls_hs_conf *tls_hs_conf_from_user(const struct net *net,
					  sockptr_t optval,
					  unsigned int optlen);
int tls_hs_set_settings(struct tls_hs_listener *lsn, struct sock *sk,
			sockptr_t optval, unsigned int optlen);
int tls_hs_get_settings(struct tls_hs_listener *lsn, char __user *optval,
			int __user *optlen);
int tls_hs_set_alpn(struct tls_hs_listener *lsn, struct sock *sk,
		    sockptr_t optval, unsigned int optlen);
int tls_hs_get_alpn_list(struct tls_hs_listener *lsn, char __user *optval,
			 int __user *optlen);
int tls_hs_set_sni(struct tls_hs_listener *lsn, struct sock *sk,
		   sockptr_t optval, unsigned int optlen);

/* sni.c */
struct tls_hs_names *tls_hs_names_get_rcu(struct tls_hs_names __rcu **names);
bool tls_hs_names_forbid(const struct tls_hs_names *names);
void tls_hs_names_put(struct tls_hs_names *names);
bool tls_hs_names_find(const struct tls_hs_names *names, u8 *hello, size_t len,
		       struct tls_hs_conf **conf);
int tls_hs_names_set(struct tls_hs_names __rcu **names, struct sock *sk,
		     const struct tls_hs_name *name, struct tls_hs_conf *conf);

/* stats.c */
void tls_hs_count_fallback(struct net *net, u8 reason);
void tls_hs_count_refusal(struct net *net, u8 reason);
void tls_hs_count_alert(struct net *net, u8 description);
void tls_hs_count_peer_alert(struct net *net, u8 description);
void tls_hs_count_bytes(struct net *net, u32 received, u32 sent);

/* key.c */
int __init tls_hs_key_init(void);
void tls_hs_key_exit(void);
int tls_hs_conf_open_keyring(struct tls_hs_conf *conf, struct key *keyring);
int tls_hs_conf_load(struct tls_hs_conf *conf);
void tls_hs_conf_close_keyring(struct tls_hs_conf *conf);
bool tls_hs_conf_has_identities(const struct tls_hs_conf *conf);
void tls_hs_conf_mark_stale(struct tls_hs_conf *conf, struct tls_hs_look *look);
bool tls_hs_conf_is_fresh(struct tls_hs_conf *conf, struct tls_hs_look *look);
struct tls_hs_keys *tls_hs_conf_get_keys(struct tls_hs_conf *conf);
void tls_hs_keys_put(struct tls_hs_keys *keys);
bool tls_hs_keys_may_use(const struct tls_hs_keys *keys, size_t identity,
			 const struct tls_hs_look *look);
void tls_hs_keys_used(struct tls_hs_keys *keys, size_t identity,
		      const struct net *net, u64 now);
bool tls_hs_keys_may_use_psk(const struct tls_hs_keys *keys, size_t psk);
key_serial_t tls_hs_keys_psk_serial(const struct tls_hs_keys *keys, size_t psk);

/* ticket.c */
extern unsigned int tls_hs_ticket_lifetime_max;
int tls_hs_ticket_lifetime(const struct ctl_table *table, int write,
			   void *buffer, size_t *lenp, loff_t *ppos);
void tls_hs_tickets_net_init(struct tls_hs_net *tn);
void tls_hs_tickets_net_exit(struct tls_hs_net *tn);
void tls_hs_tickets_start(const struct net *net);
struct tls_hs_ticket_keys *
tls_hs_tickets_get(const struct net *net, const struct tls_hs_keys *keys,
		   struct tls_hs_tickets *tickets);
void tls_hs_tickets_put(struct tls_hs_ticket_keys *own);

/* cpu.c */
int __init tls_hs_cpu_init(void);
void tls_hs_cpu_exit(void);
int tls_hs_cpu_prepare(void);
void tls_hs_queue_job(struct tls_hs_job *job);

/* drive.c */
int __init tls_hs_drive_init(void);
void tls_hs_drive_exit(void);
void tls_hs_session_free(struct tls_hs_session *s);
void tls_hs_init(struct tls_hs *hs, const struct tls_hs_user *user);
void tls_hs_start(struct tls_hs *hs, struct sock *sk);
void tls_hs_put(struct tls_hs *hs);
void tls_hs_disarm(struct tls_hs *hs);
void tls_hs_finish_early(struct tls_hs *hs, u8 end, int error);
void tls_hs_restore(struct tls_hs *hs);
bool tls_hs_may_fall_back(struct tls_hs *hs, struct tls_hs_conf *conf,
			  struct tls_hs_names *names);
int tls_hs_take_over(struct tls_hs *hs, struct tls_context *ctx);

/* input.c */
void tls_hs_drop_unread(struct sock *sk);

/* Let the next segment not wait for the acknowledgment of the last (Nagle,
 * Minshall).  With the socket lock held.
 */
static inline void tls_hs_delay_nothing(struct sock *sk)
{
	tcp_sk(sk)->snd_sml = tcp_sk(sk)->snd_una;
}

/* Forget the copy of a key that kTLS keeps for getsockopt(). */
static inline void tls_hs_forget_key(struct tls_context *ctx, bool tx)
{
	union tls_crypto_context *info = tx ? &ctx->crypto_send :
					      &ctx->crypto_recv;

	memzero_explicit((u8 *)info + sizeof(info->info),
			 sizeof(*info) - sizeof(info->info));
}

/* listen.c */
int __init tls_hs_listen_init(void);
void tls_hs_listen_exit(void);

/**
 * struct tls_hs_connected_args - how to do the handshake of a connected socket
 * @conf: settings
 * @alpn: application protocols, or %NULL
 * @timeout_ms: how long it may take; 0 for what @conf says
 * @may_send: what is written before the ClientHello is answered is sent in the
 *	clear and does not wait
 * @done: what to call when it is over, or %NULL; see tls_server_handshake()
 * @data: first argument of @done
 */
struct tls_hs_connected_args {
	struct tls_hs_conf *conf;
	struct tls_hs_alpn *alpn;
	unsigned int timeout_ms;
	bool may_send;
	tls_hs_done_t done;
	void *data;
};

/* connected.c */
int tls_hs_start_connected(struct sock *sk,
			   const struct tls_hs_connected_args *args);
int __init tls_hs_connected_init(void);
void tls_hs_connected_exit(void);

/* agent.c */
#ifdef CONFIG_TLS_HANDSHAKE_AGENT
int __init tls_hs_agent_init(void);
void tls_hs_agent_exit(void);
#else
static inline int tls_hs_agent_init(void) { return 0; }
static inline void tls_hs_agent_exit(void) {}
#endif

/* psk.c */
int __init tls_hs_psk_init(void);
void tls_hs_psk_exit(void);

#endif /* _NET_TLS_HANDSHAKE_H */
