// SPDX-License-Identifier: GPL-2.0
/*
 * TLS handshakes on listening sockets: settings, inheritance, accept().
 *
 * A listener with the "tls" ULP runs on a copy of TCP's struct proto whose
 * setsockopt() knows TLS_HS.  Its children get TCP's own one back, and a
 * struct tls_context with a handshake if the listener has settings.
 */

#include <linux/key.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <net/inet_common.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/tcp.h>
#include <net/tls_prot.h>
#include <net/transp_v6.h>

#include "../tls.h"
#include "handshake.h"
#include "listen.h"
#include "events.h"

#define TLS_HS_TIMEOUT_MS	10000
#define TLS_HS_TIMEOUT_MAX_MS	300000

/* First version of struct tls_hs_settings: up to signature_schemes. */
#define TLS_HS_SETTINGS_SIZE_VER0	96
static_assert(sizeof(struct tls_hs_settings) == TLS_HS_SETTINGS_SIZE_VER0);
#define TLS_HS_SNI_SIZE_VER0		(256 + 256 + TLS_HS_SETTINGS_SIZE_VER0)
static_assert(sizeof(struct tls_hs_sni) == TLS_HS_SNI_SIZE_VER0);

enum {
	TLS_HS_V4,
	TLS_HS_V6,
	TLS_HS_NUM_FAMILIES,
};

/* What a listener uses instead of TCP's own.  It has it for sk_prot_creator as
 * well, and with it a reference to its owner, this module.
 */
static struct proto tls_listen_prots[TLS_HS_NUM_FAMILIES];
static DEFINE_MUTEX(tls_listen_prots_lock);

unsigned int tls_hs_net_id __read_mostly;

static int tls_hs_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET6 ? TLS_HS_V6 : TLS_HS_V4;
}

/* TCP's own. */
static struct proto *tls_hs_base_prot(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return &tcpv6_prot;
#endif
	return &tcp_prot;
}

/* A list of application protocols, checked; %NULL if it is empty. */
static struct tls_hs_alpn *tls_hs_alpn_new(sockptr_t list, unsigned int len)
{
	struct tls_hs_alpn *alpn;
	int rc;

	if (!len)
		return NULL;
	if (len > TLS_HS_ALPN_MAX)
		return ERR_PTR(-EINVAL);
	alpn = kzalloc_flex(*alpn, list, len, GFP_KERNEL_ACCOUNT);
	if (!alpn)
		return ERR_PTR(-ENOMEM);
	refcount_set(&alpn->refs, 1);
	alpn->len = len;
	rc = -EFAULT;
	if (!copy_from_sockptr(alpn->list, list, len))
		rc = tls_hs_alpn_check(alpn->list, len);
	if (rc) {
		kfree(alpn);
		return ERR_PTR(rc);
	}
	return alpn;
}

/**
 * tls_hs_alpn_put - drop a reference to a list of application protocols
 * @alpn: the list or %NULL
 *
 * Context: any.
 */
void tls_hs_alpn_put(struct tls_hs_alpn *alpn)
{
	if (alpn && refcount_dec_and_test(&alpn->refs))
		kfree_rcu(alpn, rcu);
}

static void tls_hs_conf_free(struct work_struct *work)
{
	struct tls_hs_conf *conf = container_of(to_rcu_work(work),
						struct tls_hs_conf, rwork);

	cancel_work_sync(&conf->refresh);
	tls_hs_conf_close_keyring(conf);
	mem_cgroup_put(conf->memcg);
	tls_hs_alpn_put(conf->alpn);
	kfree(conf);
}

/**
 * tls_hs_conf_put - drop a reference to a listener's settings
 * @conf: the settings
 *
 * Context: any.
 */
void tls_hs_conf_put(struct tls_hs_conf *conf)
{
	/* Under RCU since tls_hs_clone() looks at them without a reference. */
	if (refcount_dec_and_test(&conf->refs))
		queue_rcu_work(tls_hs_wq, &conf->rwork);
}

static void tls_hs_conf_refresh(struct work_struct *work)
{
	struct tls_hs_conf *conf = container_of(work, struct tls_hs_conf,
						refresh);

	tls_hs_conf_load(conf);
}

static struct tls_hs_conf *tls_hs_conf_new(const struct tls_hs_settings *s)
{
	struct tls_hs_conf *conf;
	int rc;

	conf = kzalloc_obj(*conf, GFP_KERNEL_ACCOUNT);
	if (!conf)
		return ERR_PTR(-ENOMEM);

	refcount_set(&conf->refs, 1);
	INIT_WORK(&conf->refresh, tls_hs_conf_refresh);
	INIT_RCU_WORK(&conf->rwork, tls_hs_conf_free);
	conf->settings = *s;
	conf->memcg = get_mem_cgroup_from_mm(current->mm);
	rc = tls_hs_conf_open_keyring(conf);
	if (!rc)
		rc = tls_hs_conf_load(conf);
	if (!rc && !tls_hs_conf_has_identities(conf))
		rc = -ENOKEY;
	if (rc) {
		tls_hs_conf_close_keyring(conf);
		mem_cgroup_put(conf->memcg);
		kfree(conf);
		return ERR_PTR(rc);
	}
	return conf;
}

/* What handshakes need that can fail. */
static int tls_hs_prepare(struct sock *sk,
			  const struct tls_hs_settings *settings)
{
	int rc;

	rc = tls_hs_settings_check(settings);
	if (rc)
		return rc;
	rc = tls_hs_sock_prepare();
	if (rc)
		return rc;
	/* Softirq cannot wait for keys that are secret. */
	rc = wait_for_random_bytes();
	if (rc)
		return rc;
	if (!(settings->flags & TLS_HS_F_NO_TICKETS))
		tls_hs_tickets_start(sock_net(sk));
	return 0;
}

static int tls_hs_set_settings(struct sock *sk, sockptr_t optval,
			       unsigned int optlen)
{
	struct tls_hs_settings settings = {};
	struct tls_hs_conf *conf, *old;
	struct tls_context *ctx;
	int rc;

	if (optlen < TLS_HS_SETTINGS_SIZE_VER0)
		return -EINVAL;
	if (optlen > PAGE_SIZE)
		return -E2BIG;
	rc = copy_struct_from_sockptr(&settings, sizeof(settings), optval,
				      optlen);
	if (rc)
		return rc;
	if (settings.timeout_ms > TLS_HS_TIMEOUT_MAX_MS)
		return -EINVAL;
	rc = tls_hs_prepare(sk, &settings);
	if (rc)
		return rc;

	/* Keyrings are looked into without the socket lock: it may sleep long. */
	conf = tls_hs_conf_new(&settings);
	if (IS_ERR(conf))
		return PTR_ERR(conf);

	lock_sock(sk);
	ctx = tls_get_ctx(sk);
	old = rcu_replace_pointer(ctx->hs_conf, conf, lockdep_sock_is_held(sk));
	release_sock(sk);
	if (old)
		tls_hs_conf_put(old);
	return 0;
}

/* The application protocols of a server name: a zero is an empty name, which
 * ends the list.
 */
static struct tls_hs_alpn *tls_hs_sni_alpn(struct tls_hs_sni *sni)
{
	unsigned int len = 0;

	while (len < sizeof(sni->alpn) && sni->alpn[len])
		len += 1 + sni->alpn[len];
	if (len >= sizeof(sni->alpn) ||
	    memchr_inv(sni->alpn + len, 0, sizeof(sni->alpn) - len))
		return ERR_PTR(-EINVAL);
	return tls_hs_alpn_new(KERNEL_SOCKPTR(sni->alpn), len);
}

/* What a server name is to have, but for the name. */
static struct tls_hs_conf *tls_hs_sni_conf(struct sock *sk,
					   struct tls_hs_sni *sni)
{
	struct tls_hs_alpn *alpn;
	struct tls_hs_conf *conf;
	int rc;

	rc = tls_hs_prepare(sk, &sni->settings);
	if (rc)
		return ERR_PTR(rc);
	alpn = tls_hs_sni_alpn(sni);
	if (IS_ERR(alpn))
		return ERR_CAST(alpn);
	conf = tls_hs_conf_new(&sni->settings);
	if (IS_ERR(conf))
		tls_hs_alpn_put(alpn);
	else
		conf->alpn = alpn;
	return conf;
}

/* Settings for a server name, or none any more. */
static int tls_hs_set_sni(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct tls_hs_conf *conf = NULL;
	struct tls_hs_sni *sni;
	int len, rc;

	if (optlen < TLS_HS_SNI_SIZE_VER0)
		return -EINVAL;
	if (optlen > PAGE_SIZE)
		return -E2BIG;
	sni = kzalloc_obj(*sni, GFP_KERNEL);
	if (!sni)
		return -ENOMEM;
	rc = copy_struct_from_sockptr(sni, sizeof(*sni), optval, optlen);
	if (rc)
		goto out;
	rc = tls_hs_normalize_name(sni->server_name, sizeof(sni->server_name));
	if (rc < 0)
		goto out;
	len = rc;
	if (sni->settings.keyring) {
		conf = tls_hs_sni_conf(sk, sni);
		rc = PTR_ERR_OR_ZERO(conf);
		if (rc)
			goto out;
		conf->name_len = len;
		memcpy(conf->name, sni->server_name, len);
	}

	lock_sock(sk);
	rc = tls_hs_names_set(&tls_get_ctx(sk)->hs_names, sk, sni->server_name,
			      len, conf);
	release_sock(sk);
	if (conf)
		tls_hs_conf_put(conf);
out:
	kfree(sni);
	return rc;
}

static int tls_hs_get_settings(struct sock *sk, char __user *optval,
			       int __user *optlen)
{
	struct tls_hs_settings settings;
	struct tls_hs_conf *conf;
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < TLS_HS_SETTINGS_SIZE_VER0)
		return -EINVAL;

	lock_sock(sk);
	conf = rcu_dereference_protected(tls_get_ctx(sk)->hs_conf,
					 lockdep_sock_is_held(sk));
	if (conf)
		settings = conf->settings;
	release_sock(sk);
	if (!conf)
		return -ENODATA;

	len = min_t(unsigned int, len, sizeof(settings));
	if (copy_to_user(optval, &settings, len) || put_user(len, optlen))
		return -EFAULT;
	return 0;
}

static int tls_hs_set_alpn(struct sock *sk, sockptr_t optval,
			   unsigned int optlen)
{
	struct tls_hs_alpn *alpn, *old;
	struct tls_context *ctx;

	alpn = tls_hs_alpn_new(optval, optlen);
	if (IS_ERR(alpn))
		return PTR_ERR(alpn);

	lock_sock(sk);
	ctx = tls_get_ctx(sk);
	old = rcu_replace_pointer(ctx->hs_alpn, alpn, lockdep_sock_is_held(sk));
	release_sock(sk);
	tls_hs_alpn_put(old);
	return 0;
}

/* The list that has been set. */
static int tls_hs_get_alpn_list(struct sock *sk, char __user *optval,
				int __user *optlen)
{
	const struct tls_hs_alpn *alpn;
	u8 list[TLS_HS_ALPN_MAX];
	int len, used = 0;

	if (get_user(len, optlen))
		return -EFAULT;

	lock_sock(sk);
	alpn = rcu_dereference_protected(tls_get_ctx(sk)->hs_alpn,
					 lockdep_sock_is_held(sk));
	if (alpn) {
		used = alpn->len;
		memcpy(list, alpn->list, used);
	}
	release_sock(sk);

	if (len < used)
		return -ERANGE;
	if (copy_to_user(optval, list, used) || put_user(used, optlen))
		return -EFAULT;
	return 0;
}

/* Not so a child that was cloned while its listener went away. */
static bool tls_hs_is_listener(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	return ctx && ctx->listener;
}

static int tls_listen_setsockopt(struct sock *sk, int level, int optname,
				 sockptr_t optval, unsigned int optlen)
{
	if (level != SOL_TLS)
		return tls_hs_base_prot(sk)->setsockopt(sk, level, optname,
							optval, optlen);
	if (!tls_hs_is_listener(sk))
		return -ENOPROTOOPT;
	switch (optname) {
	case TLS_HS:
		return tls_hs_set_settings(sk, optval, optlen);
	case TLS_HS_ALPN:
		return tls_hs_set_alpn(sk, optval, optlen);
	case TLS_HS_SNI:
		return tls_hs_set_sni(sk, optval, optlen);
	case TLS_TX:
	case TLS_RX:
		/* Keys of one connection: never to be shared by children. */
		return -EINVAL;
	default:
		return -ENOPROTOOPT;
	}
}

static int tls_listen_getsockopt(struct sock *sk, int level, int optname,
				 char __user *optval, int __user *optlen)
{
	if (level != SOL_TLS)
		return tls_hs_base_prot(sk)->getsockopt(sk, level, optname,
							optval, optlen);
	if (!tls_hs_is_listener(sk))
		return -ENOPROTOOPT;
	switch (optname) {
	case TLS_HS:
		return tls_hs_get_settings(sk, optval, optlen);
	case TLS_HS_ALPN:
		return tls_hs_get_alpn_list(sk, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static int tls_listen_connect(struct sock *sk, struct sockaddr_unsized *addr,
			      int addr_len)
{
	return -EOPNOTSUPP;
}

/* The context goes in ->release(): children may still be cloned from it. */
static void tls_listen_close(struct sock *sk, long timeout)
{
	struct proto *base = tls_hs_base_prot(sk);

	lock_sock(sk);
	WRITE_ONCE(sk->sk_prot, base);
	release_sock(sk);
	base->close(sk, timeout);
}

/* Made for the first listener of the family, not before, since TCP's own is not
 * complete until it has been registered.  May sleep.
 */
static struct proto *tls_hs_listen_prot(const struct sock *sk)
{
	struct proto *prot = &tls_listen_prots[tls_hs_family(sk)];

	mutex_lock(&tls_listen_prots_lock);
	if (prot->close != tls_listen_close) {
		*prot = *tls_hs_base_prot(sk);
		prot->owner = THIS_MODULE;
		prot->setsockopt = tls_listen_setsockopt;
		prot->getsockopt = tls_listen_getsockopt;
		prot->connect = tls_listen_connect;
		prot->pre_connect = NULL;
		prot->close = tls_listen_close;
	}
	mutex_unlock(&tls_listen_prots_lock);
	return prot;
}

/**
 * tls_hs_listen_init - attach the ULP to a socket that is not connected
 * @sk: the socket, locked
 * @ulp_ops: the ULP
 *
 * Listening sockets are taken, and bound ones that will listen.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOTCONN for any other socket, -EINVAL for one whose functions
 * are not TCP's own (sockmap, MPTCP), or -ENOMEM.
 */
int tls_hs_listen_init(struct sock *sk, const struct tcp_ulp_ops *ulp_ops)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	bool listens = sk->sk_state == TCP_LISTEN;
	struct tls_context *ctx;
	struct proto *prot;

	if (!listens && !(sk->sk_state == TCP_CLOSE && inet_sk(sk)->inet_num))
		return -ENOTCONN;
	if (sk->sk_prot != tls_hs_base_prot(sk) ||
	    sk->sk_prot_creator != sk->sk_prot)
		return -EINVAL;
	prot = tls_hs_listen_prot(sk);

	/* A child is a copy of the listener at any moment.  Let all of them see
	 * tls_hs_clone() before there is anything to undo.
	 */
	icsk->icsk_ulp_ops = ulp_ops;
	if (listens)
		synchronize_net();

	write_lock_bh(&sk->sk_callback_lock);
	ctx = tls_ctx_create(sk);
	if (!ctx) {
		write_unlock_bh(&sk->sk_callback_lock);
		icsk->icsk_ulp_ops = NULL;
		if (listens)
			synchronize_net();
		return -ENOMEM;
	}
	ctx->tx_conf = TLS_BASE;
	ctx->rx_conf = TLS_BASE;
	ctx->listener = 1;

	/* Request socks point to tls_listen_prots[] and pin only the listener,
	 * so the module stays until that is freed.
	 */
	__module_get(THIS_MODULE);
	sk->sk_prot_creator = prot;
	WRITE_ONCE(sk->sk_prot, prot);
	write_unlock_bh(&sk->sk_callback_lock);
	return 0;
}

/* Get the settings of the listener that a child has been copied from. */
static struct tls_hs_conf *tls_hs_clone_conf(struct tls_context *listener)
{
	struct tls_hs_conf *conf = NULL;

	rcu_read_lock();
	if (listener) {
		conf = rcu_dereference(listener->hs_conf);
		if (conf && !refcount_inc_not_zero(&conf->refs))
			conf = NULL;
	}
	rcu_read_unlock();
	return conf;
}

/* Same for its application protocols, if it has any. */
static struct tls_hs_alpn *tls_hs_clone_alpn(struct tls_context *listener)
{
	struct tls_hs_alpn *alpn;

	rcu_read_lock();
	alpn = rcu_dereference(listener->hs_alpn);
	if (alpn && !refcount_inc_not_zero(&alpn->refs))
		alpn = NULL;
	rcu_read_unlock();
	return alpn;
}

/**
 * tls_hs_clone - make a child of a listener what it should be
 * @req: the request
 * @newsk: the child, a copy of the listener so far
 * @gfp: for allocations
 *
 * The child shares nothing with the listener but the reference to its
 * settings.  Without settings or memory it is a plain TCP socket.
 *
 * Context: softirq or process; RCU protects the listener's context.
 */
void tls_hs_clone(const struct request_sock *req, struct sock *newsk, gfp_t gfp)
{
	struct inet_connection_sock *icsk = inet_csk(newsk);
	const struct tcp_ulp_ops *ulp_ops = icsk->icsk_ulp_ops;
	struct proto *base = tls_hs_base_prot(newsk);
	struct tls_context *ctx, *listener;
	struct tls_hs_conf *conf;
	struct tls_hs *hs;

	listener = rcu_access_pointer(icsk->icsk_ulp_data);
	conf = tls_hs_clone_conf(listener);

	icsk->icsk_ulp_ops = NULL;
	RCU_INIT_POINTER(icsk->icsk_ulp_data, NULL);
	WRITE_ONCE(newsk->sk_prot, base);
	if (newsk->sk_prot_creator != base) {
		newsk->sk_prot_creator = base;
		/* The listener still has its own. */
		module_put(THIS_MODULE);
	}

	if (!conf)
		return;
	if (!try_module_get(THIS_MODULE))
		goto err_conf;

	ctx = tls_ctx_create(newsk);
	if (!ctx)
		goto err_module;
	ctx->tx_conf = TLS_BASE;
	ctx->rx_conf = TLS_BASE;
	ctx->tx_max_payload_len = TLS_MAX_PAYLOAD_SIZE;

	hs = tls_hs_alloc(newsk, conf, gfp);
	if (!hs)
		goto err_ctx;
	hs->alpn = tls_hs_clone_alpn(listener);
	rcu_read_lock();
	hs->names = tls_hs_names_get(rcu_dereference(listener->hs_names));
	rcu_read_unlock();
	ctx->hs = hs;
	icsk->icsk_ulp_ops = ulp_ops;
	return;

err_ctx:
	RCU_INIT_POINTER(icsk->icsk_ulp_data, NULL);
	tls_ctx_free(NULL, ctx);
err_module:
	module_put(THIS_MODULE);
err_conf:
	tls_hs_conf_put(conf);
	tls_hs_count_fallback(sock_net(newsk), TLS_HS_FB_RESOURCES);
}

/* Free what a context has of handshakes. */
void tls_hs_ctx_free(struct tls_context *ctx)
{
	struct tls_hs_conf *conf = rcu_dereference_protected(ctx->hs_conf, 1);

	tls_hs_alpn_put(rcu_dereference_protected(ctx->hs_alpn, 1));
	RCU_INIT_POINTER(ctx->hs_alpn, NULL);
	tls_hs_names_put(rcu_dereference_protected(ctx->hs_names, 1));
	RCU_INIT_POINTER(ctx->hs_names, NULL);

	if (conf)
		tls_hs_conf_put(conf);
	RCU_INIT_POINTER(ctx->hs_conf, NULL);
	if (ctx->hs) {
		tls_hs_stop(ctx->hs);
		tls_hs_put(ctx->hs);
		ctx->hs = NULL;
	}
	if (ctx->hs_session) {
		tls_hs_session_free(ctx->hs_session);
		ctx->hs_session = NULL;
	}
}

/**
 * tls_hs_release - free the context of a listener or an unaccepted child
 * @sk: the socket, being destroyed
 *
 * Connections that were accepted lose theirs in tls_sk_proto_close().
 */
void tls_hs_release(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tls_context *ctx = rcu_dereference_protected(icsk->icsk_ulp_data, 1);

	if (!ctx || !(ctx->listener || ctx->hs))
		return;

	rcu_assign_pointer(icsk->icsk_ulp_data, NULL);
	tls_ctx_free(sk, ctx);
}

/* Called with the child's spinlock and the listener's rskq_lock held. */
struct inet_csk_hold *tls_hs_hold(struct sock *child)
{
	struct tls_context *ctx = tls_get_ctx(child);

	return ctx && ctx->hs ? tls_hs_start(ctx->hs) : NULL;
}

static int tls_hs_install(struct sock *sk, struct tls_hs_session *session,
			  bool tx)
{
	union tls_crypto_context info = {};
	int len, rc;

	len = tls_hs_session_crypto_info(session, tx, &info, sizeof(info));
	if (len < 0)
		return len;
	rc = tls_set_crypto_info(sk, KERNEL_SOCKPTR(&info), len, tx);
	memzero_explicit(&info, sizeof(info));
	return rc;
}

/**
 * tls_hs_accepted - hand a connection with a finished handshake to its user
 * @sk: the connection, locked
 * @arg: tells accept() what family to report
 *
 * Installs the keys, which may sleep: that is why it was not done before.
 *
 * Context: process, nobody else can have seen the socket yet.
 * Return: 0, or 1 if the ULP has nothing to do with the connection any more,
 * or -ECONNABORTED.
 */
int tls_hs_accepted(struct sock *sk, struct proto_accept_arg *arg)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_hs *hs;
	int rc;

	if (!ctx || !ctx->hs)
		return 0;

	hs = ctx->hs;
	if (hs->fallen_back)
		return 1;

	ctx->hs = NULL;
	/* Pairs with smp_load_acquire() in tls_hs_put_info(). */
	smp_store_release(&ctx->hs_session, hs->session);
	hs->session = NULL;
	tls_hs_put(hs);

	ctx->tx_max_payload_len = tls_hs_session_max_payload(ctx->hs_session);
	rc = tls_hs_install(sk, ctx->hs_session, true);
	if (!rc)
		rc = tls_hs_install(sk, ctx->hs_session, false);
	if (rc) {
		TLS_INC_STATS(sock_net(sk), LINUX_MIB_TLSHSERROR);
		/* Through tls_sk_proto_close(), whatever has been installed. */
		update_sk_prot(sk, ctx);
		return -ECONNABORTED;
	}
	arg->family = AF_TLS;
	return 0;
}

/**
 * tls_hs_close_notify - tell the client that nothing more will be sent
 * @sk: a connection, locked
 * @ctx: its context
 *
 * Does nothing on connections whose handshake user space has done, as that is
 * user space's alert to send then.
 */
void tls_hs_close_notify(struct sock *sk, struct tls_context *ctx)
{
	u8 alert[] = { TLS_ALERT_LEVEL_WARNING, TLS_ALERT_DESC_CLOSE_NOTIFY };

	if (ctx->hs_session && ctx->tx_conf == TLS_SW &&
	    (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) &&
	    !(sk->sk_shutdown & SEND_SHUTDOWN))
		tls_sw_send_control(sk, TLS_RECORD_TYPE_ALERT, alert,
				    sizeof(alert));
}

static void tls_hs_shutdown(struct sock *sk, int how)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (how & SEND_SHUTDOWN) {
		/* Set already, and TCP would send nothing any more. */
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~SEND_SHUTDOWN);
		tls_hs_close_notify(sk, ctx);
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	}
	ctx->sk_proto->shutdown(sk, how);
}

/* For connections with keys in both directions. */
void tls_hs_update_proto(struct proto *prot)
{
	prot->shutdown = tls_hs_shutdown;
}

/**
 * tls_hs_get_status - what the handshake of a connection has negotiated
 * @sk: the connection, locked
 * @status: struct tls_hs_status
 * @size: its size
 *
 * Return: the length, or -ENODATA if the kernel did not do the handshake.
 */
int tls_hs_get_status(struct sock *sk, void *status, size_t size)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (!ctx || !ctx->hs_session)
		return -ENODATA;
	if (size < sizeof(struct tls_hs_status))
		return -EINVAL;
	tls_hs_session_status(ctx->hs_session, status);
	((struct tls_hs_status *)status)->duration_us = ctx->hs_info.duration_us;
	return sizeof(struct tls_hs_status);
}

/**
 * tls_hs_get_alpn - the application protocol of a connection
 * @sk: the connection, locked
 * @name: room for %TLS_HS_ALPN_MAX bytes
 *
 * Return: the length, 0 if there is none, or -ENODATA if the kernel did not do
 * the handshake.
 */
int tls_hs_get_alpn(struct sock *sk, u8 *name)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (!ctx || !ctx->hs_session)
		return -ENODATA;
	return tls_hs_session_alpn(ctx->hs_session, name);
}

/**
 * tls_hs_put_info - tell inet_diag what a handshake has negotiated
 * @ctx: context of a socket
 * @skb: the message
 *
 * Says nothing of sockets whose handshake the kernel did not do.  Keys are in
 * place before the socket has a user, so that TLS_INFO_VERSION and _CIPHER
 * come with it.
 *
 * Context: any, under RCU, without the socket's lock.
 * Return: 0 or -EMSGSIZE.
 */
int tls_hs_put_info(const struct tls_context *ctx, struct sk_buff *skb)
{
	const struct tls_hs_info *info = &ctx->hs_info;
	struct nlattr *nest;

	/* Pairs with smp_store_release() in tls_hs_accepted(). */
	if (!smp_load_acquire(&ctx->hs_session))
		return 0;

	nest = nla_nest_start(skb, TLS_INFO_HANDSHAKE);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u16(skb, TLS_INFO_HS_GROUP, info->group) ||
	    nla_put_u16(skb, TLS_INFO_HS_SIGNATURE_SCHEME,
			info->signature_scheme) ||
	    nla_put_u32(skb, TLS_INFO_HS_FLAGS, info->flags) ||
	    nla_put_u32(skb, TLS_INFO_HS_DURATION_US, info->duration_us)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* Of what tls_hs_put_info() adds at most. */
size_t tls_hs_info_size(void)
{
	return nla_total_size(2 * nla_total_size(sizeof(u16)) +
			      2 * nla_total_size(sizeof(u32)));
}

static unsigned int tls_hs_timeout_min = 1;
static unsigned int tls_hs_timeout_max = TLS_HS_TIMEOUT_MAX_MS;

static int __net_init tls_hs_net_init(struct net *net)
{
	struct tls_hs_net *tn = tls_hs_net(net);
	const struct ctl_table tables[] = { {
		.procname	= "handshake_timeout_ms",
		.data		= &tn->timeout_ms,
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &tls_hs_timeout_min,
		.extra2		= &tls_hs_timeout_max,
	}, {
		.procname	= "ticket_lifetime",
		.data		= &tn->ticket_lifetime,
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= tls_hs_ticket_lifetime,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &tls_hs_ticket_lifetime_max,
	} };
	const struct ctl_table *table;

	tn->timeout_ms = TLS_HS_TIMEOUT_MS;
	tls_hs_tickets_net_init(tn);
	if (!IS_ENABLED(CONFIG_SYSCTL))
		return 0;

	table = kmemdup(tables, sizeof(tables), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	tn->sysctl = register_net_sysctl_sz(net, "net/tls", table,
					    ARRAY_SIZE(tables));
	if (!tn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit tls_hs_net_exit(struct net *net)
{
	struct tls_hs_net *tn = tls_hs_net(net);
	const struct ctl_table *table;

	if (tn->sysctl) {
		table = tn->sysctl->ctl_table_arg;
		unregister_net_sysctl_table(tn->sysctl);
		kfree(table);
	}
	tls_hs_tickets_net_exit(tn);
}

static struct pernet_operations tls_hs_net_ops = {
	.init = tls_hs_net_init,
	.exit = tls_hs_net_exit,
	.id = &tls_hs_net_id,
	.size = sizeof(struct tls_hs_net),
};

int __init tls_hs_init(void)
{
	int rc;

	rc = register_pernet_subsys(&tls_hs_net_ops);
	if (rc)
		return rc;
	rc = tls_hs_sock_init();
	if (rc)
		goto err_net;
	rc = tls_hs_key_init();
	if (rc)
		goto err_sock;
	return 0;

err_sock:
	tls_hs_sock_exit();
err_net:
	unregister_pernet_subsys(&tls_hs_net_ops);
	return rc;
}

/* Called after the ULP has been unregistered, so without users. */
void tls_hs_exit(void)
{
	tls_hs_sock_exit();
	tls_hs_key_exit();
	unregister_pernet_subsys(&tls_hs_net_ops);
	/* For the ticket keys. */
	rcu_barrier();
}
