// SPDX-License-Identifier: GPL-2.0
/*
 * Settings of listeners, and of handshakes on connected sockets: TLS_HS,
 * TLS_HS_ALPN and TLS_HS_SNI.
 *
 * Each is an immutable object with a reference count.  A listener's pointers to
 * them are under RCU and changed under the socket lock; a handshake keeps those
 * that it has begun with.
 */

#include <linux/capability.h>
#include <linux/key.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "handshake.h"
#include "listener.h"

#define TLS_HS_TIMEOUT_MAX_MS	300000
#define TLS_HS_MAX_HANDSHAKES	BIT(20)

/* First version of struct tls_hs_settings: up to max_handshakes. */
#define TLS_HS_SETTINGS_SIZE_VER0	100
static_assert(sizeof(struct tls_hs_settings) == TLS_HS_SETTINGS_SIZE_VER0);
#define TLS_HS_SNI_SIZE_VER0		(256 + 256 + TLS_HS_SETTINGS_SIZE_VER0)
static_assert(sizeof(struct tls_hs_sni) == TLS_HS_SNI_SIZE_VER0);

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
 * tls_hs_alpn_of_name - a list with one application protocol
 * @name: its name
 *
 * Context: process.
 * Return: the list or an error.
 */
struct tls_hs_alpn *tls_hs_alpn_of_name(const char *name)
{
	u8 list[TLS_HS_ALPN_MAX];
	size_t len = strlen(name);

	if (!len || len >= sizeof(list))
		return ERR_PTR(-EINVAL);
	list[0] = len;
	memcpy(list + 1, name, len);
	return tls_hs_alpn_new(KERNEL_SOCKPTR(list), 1 + len);
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
	/* Under RCU, see tls_hs_conf_get_rcu(). */
	if (refcount_dec_and_test(&conf->refs))
		queue_rcu_work(tls_hs_wq, &conf->rwork);
}
EXPORT_SYMBOL_GPL(tls_hs_conf_put);

static void tls_hs_conf_refresh(struct work_struct *work)
{
	struct tls_hs_conf *conf = container_of(work, struct tls_hs_conf,
						refresh);

	tls_hs_conf_load(conf);
}

static struct tls_hs_conf *tls_hs_conf_new(const struct net *net,
					   const struct tls_hs_settings *s,
					   struct key *keyring)
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
	conf->domain = net->key_domain;
	conf->memcg = get_mem_cgroup_from_mm(current->mm);
	rc = tls_hs_conf_open_keyring(conf, keyring);
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

/**
 * tls_hs_conf_get_rcu - take a reference to a listener's settings
 * @conf: pointer to them
 *
 * Context: any.
 * Return: the settings, or %NULL if there are none.
 */
struct tls_hs_conf *tls_hs_conf_get_rcu(struct tls_hs_conf __rcu **conf)
{
	struct tls_hs_conf *p;

	rcu_read_lock();
	do {
		p = rcu_dereference(*conf);
	} while (p && !refcount_inc_not_zero(&p->refs));
	rcu_read_unlock();
	return p;
}

/**
 * tls_hs_alpn_get_rcu - take a reference to a listener's application protocols
 * @alpn: pointer to the list
 *
 * Context: any.
 * Return: the list, or %NULL if there is none.
 */
struct tls_hs_alpn *tls_hs_alpn_get_rcu(struct tls_hs_alpn __rcu **alpn)
{
	struct tls_hs_alpn *p;

	rcu_read_lock();
	do {
		p = rcu_dereference(*alpn);
	} while (p && !refcount_inc_not_zero(&p->refs));
	rcu_read_unlock();
	return p;
}

/* Check settings, and allocate or start what handshakes need. */
static int tls_hs_prepare(const struct net *net,
			  const struct tls_hs_settings *settings)
{
	int rc;

	if (settings->timeout_ms > TLS_HS_TIMEOUT_MAX_MS ||
	    settings->max_handshakes > TLS_HS_MAX_HANDSHAKES)
		return -EINVAL;
	rc = tls_hs_settings_check(settings);
	if (rc)
		return rc;
	/* Time in softirq is not charged to the user. */
	if (settings->flags & TLS_HS_F_SOFTIRQ && !capable(CAP_NET_ADMIN))
		return -EPERM;
	rc = tls_hs_cpu_prepare();
	if (rc)
		return rc;
	/* Softirq cannot wait for the random number generator. */
	rc = wait_for_random_bytes();
	if (rc)
		return rc;
	if (!(settings->flags & TLS_HS_F_NO_TICKETS))
		tls_hs_tickets_start(net);
	return 0;
}

/**
 * tls_hs_conf_create - make settings
 * @net: the network namespace in which they are used
 * @settings: what they are
 *
 * The keyring is looked for and searched with the credentials of the caller.
 *
 * Context: process, may sleep long: not with a socket lock.
 * Return: the settings, to be dropped with tls_hs_conf_put(), or an error.
 */
struct tls_hs_conf *tls_hs_conf_create(const struct net *net,
				       const struct tls_hs_settings *settings)
{
	int rc = tls_hs_prepare(net, settings);

	return rc ? ERR_PTR(rc) : tls_hs_conf_new(net, settings, NULL);
}
EXPORT_SYMBOL_GPL(tls_hs_conf_create);

/**
 * tls_hs_conf_create_possessed - make settings with a keyring of the kernel
 * @net: the network namespace in which they are used
 * @settings: what they are, but for the keyring
 * @keyring: a keyring that the caller has a reference to, and possesses: so it
 *	needs no more than the permissions of a possessor for the keys in it
 *
 * Keys that are added, revoked or expire later are noticed; the settings can be
 * kept for any number of handshakes.  With %TLS_HS_F_PSK identities in the keyring
 * are not used: each client has to prove that it has a PSK.
 *
 * Context: process, may sleep long: not with a socket lock.
 * Return: the settings, to be dropped with tls_hs_conf_put(), or an error; -ENOKEY
 * if there is no key in the keyring that can be used.
 */
struct tls_hs_conf *
tls_hs_conf_create_possessed(const struct net *net,
			     const struct tls_hs_settings *settings,
			     struct key *keyring)
{
	int rc = tls_hs_prepare(net, settings);

	return rc ? ERR_PTR(rc) : tls_hs_conf_new(net, settings, keyring);
}
EXPORT_SYMBOL_GPL(tls_hs_conf_create_possessed);

/**
 * tls_hs_conf_from_user - make settings of the argument of TLS_HS
 * @net: the network namespace in which they are used
 * @optval: the argument
 * @optlen: its length
 *
 * Context: process, may sleep long: not with a socket lock.
 * Return: the settings or an error.
 */
struct tls_hs_conf *tls_hs_conf_from_user(const struct net *net,
					  sockptr_t optval,
					  unsigned int optlen)
{
	struct tls_hs_settings settings = {};
	int rc;

	if (optlen < TLS_HS_SETTINGS_SIZE_VER0)
		return ERR_PTR(-EINVAL);
	if (optlen > PAGE_SIZE)
		return ERR_PTR(-E2BIG);
	rc = copy_struct_from_sockptr(&settings, sizeof(settings), optval,
				      optlen);
	if (rc)
		return ERR_PTR(rc);
	return tls_hs_conf_create(net, &settings);
}

/* Has the socket been connected while the keyring was looked into? */
static bool tls_hs_listener_is_gone(const struct tls_hs_listener *lsn)
{
	return !READ_ONCE(lsn->sk);
}

/**
 * tls_hs_set_settings - setsockopt(TLS_HS) of a listener
 * @lsn: the listener
 * @sk: its socket
 * @optval: struct tls_hs_settings
 * @optlen: its length
 *
 * Context: process.  Takes the socket lock.
 * Return: 0 or an error.
 */
int tls_hs_set_settings(struct tls_hs_listener *lsn, struct sock *sk,
			sockptr_t optval, unsigned int optlen)
{
	struct tls_hs_conf *conf, *old;
	int rc;

	conf = tls_hs_conf_from_user(sock_net(sk), optval, optlen);
	if (IS_ERR(conf))
		return PTR_ERR(conf);

	lock_sock(sk);
	old = rcu_dereference_protected(lsn->conf, lockdep_sock_is_held(sk));
	rc = tls_hs_listener_is_gone(lsn) ? -ENOTCONN : 0;
	if (!rc && !old)
		rc = tls_hs_listener_can_activate(sk);
	if (!rc) {
		if (conf->settings.flags & TLS_HS_F_NO_FALLBACK)
			tls_hs_listener_guard(lsn, sk);
		rcu_assign_pointer(lsn->conf, conf);
		if (!old)
			tls_hs_listener_activate(lsn, sk);
	} else {
		old = conf;
	}
	release_sock(sk);
	if (old)
		tls_hs_conf_put(old);
	return rc;
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

/* Make the settings of a server name, but for the name. */
static struct tls_hs_conf *tls_hs_sni_conf(const struct net *net,
					   struct tls_hs_sni *sni)
{
	struct tls_hs_alpn *alpn;
	struct tls_hs_conf *conf;
	int rc;

	rc = tls_hs_prepare(net, &sni->settings);
	if (rc)
		return ERR_PTR(rc);
	alpn = tls_hs_sni_alpn(sni);
	if (IS_ERR(alpn))
		return ERR_CAST(alpn);
	conf = tls_hs_conf_new(net, &sni->settings, NULL);
	if (IS_ERR(conf))
		tls_hs_alpn_put(alpn);
	else
		conf->alpn = alpn;
	return conf;
}

/**
 * tls_hs_set_sni - setsockopt(TLS_HS_SNI) of a listener
 * @lsn: the listener
 * @sk: its socket
 * @optval: struct tls_hs_sni
 * @optlen: its length
 *
 * Gives a server name settings, or takes them away.
 *
 * Context: process.  Takes the socket lock.
 * Return: 0 or an error.
 */
int tls_hs_set_sni(struct tls_hs_listener *lsn, struct sock *sk,
		   sockptr_t optval, unsigned int optlen)
{
	struct tls_hs_conf *conf = NULL;
	struct tls_hs_name name = {};
	struct tls_hs_sni *sni;
	int rc;

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
	rc = tls_hs_name_normalize(sni->server_name,
				   strnlen(sni->server_name,
					   sizeof(sni->server_name)),
				   &name);
	if (rc)
		goto out;
	if (sni->settings.keyring) {
		conf = tls_hs_sni_conf(sock_net(sk), sni);
		rc = PTR_ERR_OR_ZERO(conf);
		if (rc)
			goto out;
		conf->name = name;
		if (conf->settings.flags & TLS_HS_F_NO_FALLBACK)
			tls_hs_listener_guard(lsn, sk);
	}

	lock_sock(sk);
	if (tls_hs_listener_is_gone(lsn))
		rc = -ENOTCONN;
	else
		rc = tls_hs_names_set(&lsn->names, sk, &name, conf);
	release_sock(sk);
	if (conf)
		tls_hs_conf_put(conf);
out:
	kfree(sni);
	return rc;
}

/**
 * tls_hs_get_settings - getsockopt(TLS_HS) of a listener
 * @lsn: the listener
 * @optval: room for struct tls_hs_settings
 * @optlen: its length
 *
 * Context: process.
 * Return: 0 or an error.
 */
int tls_hs_get_settings(struct tls_hs_listener *lsn, char __user *optval,
			int __user *optlen)
{
	struct tls_hs_settings settings;
	struct tls_hs_conf *conf;
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < TLS_HS_SETTINGS_SIZE_VER0)
		return -EINVAL;

	conf = tls_hs_conf_get_rcu(&lsn->conf);
	if (!conf)
		return -ENODATA;
	settings = conf->settings;
	tls_hs_conf_put(conf);

	len = min_t(unsigned int, len, sizeof(settings));
	if (copy_to_user(optval, &settings, len) || put_user(len, optlen))
		return -EFAULT;
	return 0;
}

/**
 * tls_hs_set_alpn - setsockopt(TLS_HS_ALPN) of a listener
 * @lsn: the listener
 * @sk: its socket
 * @optval: the list
 * @optlen: its length, 0 for none
 *
 * Context: process.  Takes the socket lock.
 * Return: 0 or an error.
 */
int tls_hs_set_alpn(struct tls_hs_listener *lsn, struct sock *sk,
		    sockptr_t optval, unsigned int optlen)
{
	struct tls_hs_alpn *alpn, *old;
	int rc = 0;

	alpn = tls_hs_alpn_new(optval, optlen);
	if (IS_ERR(alpn))
		return PTR_ERR(alpn);

	lock_sock(sk);
	if (tls_hs_listener_is_gone(lsn)) {
		rc = -ENOTCONN;
		old = alpn;
	} else {
		old = rcu_replace_pointer(lsn->alpn, alpn,
					  lockdep_sock_is_held(sk));
	}
	release_sock(sk);
	tls_hs_alpn_put(old);
	return rc;
}

/**
 * tls_hs_get_alpn_list - getsockopt(TLS_HS_ALPN) of a listener
 * @lsn: the listener
 * @optval: room for the list
 * @optlen: its length
 *
 * Context: process.
 * Return: 0 or an error.
 */
int tls_hs_get_alpn_list(struct tls_hs_listener *lsn, char __user *optval,
			 int __user *optlen)
{
	struct tls_hs_alpn *alpn;
	u8 list[TLS_HS_ALPN_MAX];
	int len, used = 0;

	if (get_user(len, optlen))
		return -EFAULT;

	alpn = tls_hs_alpn_get_rcu(&lsn->alpn);
	if (alpn) {
		used = alpn->len;
		memcpy(list, alpn->list, used);
	}
	tls_hs_alpn_put(alpn);

	if (len < used)
		return -ERANGE;
	if (copy_to_user(optval, list, used) || put_user(used, optlen))
		return -EFAULT;
	return 0;
}
