// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handshake agents in the kernel
 *
 * A module that can do handshakes itself registers as the agent. In network
 * namespaces whose administrator has named a keyring for servers, or has said
 * that it is to do handshakes with pre-shared keys, it is asked before the agent
 * in user space. What it cannot do goes on to that one, which finds the socket
 * as if nobody had looked at it.
 *
 * Lifetimes: each of the two is represented by a struct handshake_server. Each
 * request that the agent has been asked to do pins it until that request has
 * been completed or cancelled, and it pins the agent's module.
 */

#include <linux/capability.h>
#include <linux/file.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <net/handshake.h>
#include <net/netlink.h>
#include <net/sock.h>

#include <kunit/visibility.h>

#include "handshake.h"

#include <trace/events/handshake.h>

/**
 * struct handshake_server - who does the handshakes of a namespace's servers
 * @hs_refs: one for the namespace, and one for each request that the agent has
 * @hs_agent: the agent, whose module is pinned
 * @hs_identities: what the agent has made of the keyring; %NULL for handshakes
 *	with pre-shared keys, whose keyring each consumer names
 * @hs_keyring: serial number of the keyring, or %TLS_NO_KEYRING
 * @hs_client_certs: clients are to be asked for certificates
 */
struct handshake_server {
	refcount_t			hs_refs;
	const struct handshake_agent	*hs_agent;
	void				*hs_identities;
	key_serial_t			hs_keyring;
	bool				hs_client_certs;
};

/* One agent is enough. Whoever uses it holds a reference to its module. */
static const struct handshake_agent *handshake_agent;
static DEFINE_MUTEX(handshake_agent_lock);

/**
 * handshake_agent_register - offer to do handshakes in the kernel
 * @agent: what to call
 *
 * Context: process.
 *
 * Return:
 * * %0: Success
 * * %-EBUSY: There is an agent already
 */
int handshake_agent_register(const struct handshake_agent *agent)
{
	int ret = -EBUSY;

	mutex_lock(&handshake_agent_lock);
	if (!handshake_agent) {
		handshake_agent = agent;
		ret = 0;
	}
	mutex_unlock(&handshake_agent_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(handshake_agent_register);

/**
 * handshake_agent_replace - put another agent in the place of the one there is
 * @agent: the new one, or %NULL
 *
 * For tests, in kernels whose agent has been registered already.
 *
 * Context: process.
 *
 * Return: the old one or %NULL.
 */
VISIBLE_IF_KUNIT const struct handshake_agent *
handshake_agent_replace(const struct handshake_agent *agent)
{
	const struct handshake_agent *old;

	mutex_lock(&handshake_agent_lock);
	old = handshake_agent;
	handshake_agent = agent;
	mutex_unlock(&handshake_agent_lock);
	return old;
}
EXPORT_SYMBOL_IF_KUNIT(handshake_agent_replace);

/**
 * handshake_agent_unregister - take the offer back
 * @agent: what has been registered
 *
 * To be called when the module is removed, at which time no namespace and no
 * request uses the agent.
 *
 * Context: process.
 */
void handshake_agent_unregister(const struct handshake_agent *agent)
{
	WARN_ON_ONCE(handshake_agent_replace(NULL) != agent);
}
EXPORT_SYMBOL_GPL(handshake_agent_unregister);

static const struct handshake_agent *handshake_agent_get(void)
{
	const struct handshake_agent *agent;

	mutex_lock(&handshake_agent_lock);
	agent = handshake_agent;
	if (agent && !try_module_get(agent->ag_owner))
		agent = NULL;
	mutex_unlock(&handshake_agent_lock);
	return agent;
}

/**
 * handshake_server_new - have an agent do the handshakes of servers
 * @net: network namespace of these servers
 * @keyring: serial number of a keyring with what they identify themselves by, or
 *	%TLS_NO_KEYRING for handshakes with pre-shared keys
 * @client_certs: they ask their clients for certificates
 * @extack: says what is wrong
 *
 * The keyring is looked up with the credentials of the caller.
 *
 * Return: an object to be freed by handshake_server_put(), or an error.
 */
static struct handshake_server *
handshake_server_new(struct net *net, key_serial_t keyring, bool client_certs,
		     struct netlink_ext_ack *extack)
{
	const struct handshake_agent *agent;
	struct handshake_server *server;
	void *identities = NULL;

	agent = handshake_agent_get();
	if (!agent && capable(CAP_NET_ADMIN)) {
		request_module("tcp-ulp-tls");
		agent = handshake_agent_get();
	}
	if (!agent) {
		NL_SET_ERR_MSG(extack, "no handshake agent in this kernel");
		return ERR_PTR(-EOPNOTSUPP);
	}

	server = kzalloc_obj(*server, GFP_KERNEL_ACCOUNT);
	if (!server) {
		identities = ERR_PTR(-ENOMEM);
		goto out_put;
	}
	if (keyring != TLS_NO_KEYRING)
		identities = agent->ag_server_open(net, keyring, extack);
	if (IS_ERR(identities))
		goto out_free;

	refcount_set(&server->hs_refs, 1);
	server->hs_agent = agent;
	server->hs_identities = identities;
	server->hs_keyring = keyring;
	server->hs_client_certs = client_certs;
	return server;

out_free:
	kfree(server);
out_put:
	module_put(agent->ag_owner);
	return ERR_CAST(identities);
}

/**
 * handshake_server_put - drop a reference
 * @server: the object or %NULL
 *
 * Context: any.
 */
void handshake_server_put(struct handshake_server *server)
{
	const struct handshake_agent *agent;

	if (!server || !refcount_dec_and_test(&server->hs_refs))
		return;
	agent = server->hs_agent;
	if (server->hs_identities)
		agent->ag_server_close(server->hs_identities);
	kfree(server);
	module_put(agent->ag_owner);
}

/**
 * handshake_server_set - let the agent do handshakes of a namespace's servers
 * @net: network namespace
 * @conf: what is to change
 * @extack: says what is wrong
 *
 * Handshakes that are under way go on with what they have begun with.
 *
 * Context: process.
 *
 * Return: zero on success or a negative errno, after which nothing has changed.
 */
int handshake_server_set(struct net *net,
			 const struct handshake_server_conf *conf,
			 struct netlink_ext_ack *extack)
{
	struct handshake_server *server = NULL, *psk_server = NULL;
	struct handshake_net *hn = handshake_pernet(net);

	if (!hn)
		return -EOPNOTSUPP;
	if (conf->sc_keyring) {
		server = handshake_server_new(net, conf->sc_keyring,
					      conf->sc_client_certs, extack);
		if (IS_ERR(server))
			return PTR_ERR(server);
	}
	if (conf->sc_psks) {
		psk_server = handshake_server_new(net, TLS_NO_KEYRING, false,
						  extack);
		if (IS_ERR(psk_server)) {
			handshake_server_put(server);
			return PTR_ERR(psk_server);
		}
	}

	spin_lock_bh(&hn->hn_lock);
	if (conf->sc_has_keyring)
		swap(hn->hn_server, server);
	if (conf->sc_has_psks)
		swap(hn->hn_psk_server, psk_server);
	spin_unlock_bh(&hn->hn_lock);
	handshake_server_put(server);
	handshake_server_put(psk_server);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(handshake_server_set);

/**
 * handshake_server_get - what handshake_server_set() has set
 * @hn: network namespace
 * @conf: OUT - all of it
 *
 * Context: any.
 */
void handshake_server_get(struct handshake_net *hn,
			  struct handshake_server_conf *conf)
{
	*conf = (struct handshake_server_conf) {
		.sc_has_keyring	 = true,
		.sc_client_certs = true,
		.sc_has_psks	 = true,
	};

	spin_lock_bh(&hn->hn_lock);
	if (hn->hn_server) {
		conf->sc_keyring = hn->hn_server->hs_keyring;
		conf->sc_client_certs = hn->hn_server->hs_client_certs;
	}
	conf->sc_psks = hn->hn_psk_server;
	spin_unlock_bh(&hn->hn_lock);
}
EXPORT_SYMBOL_IF_KUNIT(handshake_server_get);

/**
 * handshake_server_net_exit - forget the servers of a namespace that ends
 * @net: the namespace
 *
 * Context: process.
 */
void handshake_server_net_exit(struct net *net)
{
	static const struct handshake_server_conf nothing = {
		.sc_has_keyring	= true,
		.sc_has_psks	= true,
	};

	handshake_server_set(net, &nothing, NULL);
}

/**
 * handshake_server_assign - decide whether the agent is asked to do a request
 * @hn: the namespace of the request
 * @req: the request, which nobody else knows yet
 * @args: OUT - what the agent is to do
 *
 * The agent cannot verify certificates of clients. As long as the servers of
 * the namespace are to ask for them, all requests but those with pre-shared keys
 * go to user space.
 *
 * Context: hn_lock is held.
 *
 * Return: what handshake_agent_start() has to be called with, or %NULL if the
 * request is for user space.
 */
struct handshake_server *
handshake_server_assign(struct handshake_net *hn, struct handshake_req *req,
			struct handshake_agent_args *args)
{
	struct handshake_server *server;

	if (!req->hr_proto->hp_agent_args ||
	    !req->hr_proto->hp_agent_args(req, args))
		return NULL;
	server = args->aa_keyring == TLS_NO_KEYRING ? hn->hn_server :
						      hn->hn_psk_server;
	if (!server || server->hs_client_certs)
		return NULL;

	args->aa_sk = req->hr_sk;
	/* One reference for the request, which a cancellation takes away as
	 * soon as others can see it, and one for the caller.
	 */
	refcount_add(2, &server->hs_refs);
	req->hr_server = server;
	set_bit(HANDSHAKE_F_REQ_AGENT, &req->hr_flags);
	return server;
}

/**
 * handshake_agent_start - ask the agent to do a request
 * @req: the request
 * @server: what handshake_server_assign() has returned; the reference is dropped
 * @args: what it has said
 *
 * Context: process. The caller has a reference to the socket.
 *
 * Return:
 * * %0: handshake_agent_done() has been or will be called, unless the request is
 *   cancelled or its socket released
 * * %-EOPNOTSUPP: It cannot, and has not touched the socket
 * * Other negative values: likewise
 */
int handshake_agent_start(struct handshake_req *req,
			  struct handshake_server *server,
			  const struct handshake_agent_args *args)
{
	const struct handshake_agent *agent = server->hs_agent;
	struct net *net = sock_net(args->aa_sk);
	int ret;

	trace_handshake_agent_start(net, req, args->aa_sk);
	ret = agent->ag_server_hello(server->hs_identities, args);
	if (ret) {
		trace_handshake_agent_decline(net, req, args->aa_sk, ret);
		clear_bit(HANDSHAKE_F_REQ_AGENT, &req->hr_flags);
	} else if (test_bit(HANDSHAKE_F_REQ_STOPPED, &req->hr_flags)) {
		/* The agent may not have begun with it when it was stopped. */
		agent->ag_cancel(args->aa_sk);
	}
	handshake_server_put(server);
	return ret;
}

/**
 * handshake_agent_done - the agent has finished with a request
 * @sk: what handshake_agent_args::aa_sk has said
 * @status: %0; %-EOPNOTSUPP if it cannot do the handshake and has left the socket
 *	as it was; or the error with which the handshake has failed
 * @peerid: serial number of the pre-shared key that was used, or %TLS_NO_PEERID
 *
 * May be called before ->ag_server_hello() has returned. If the request has
 * been cancelled it does nothing.
 *
 * Context: process, without locks. The agent holds a reference to the socket.
 */
void handshake_agent_done(struct sock *sk, int status, key_serial_t peerid)
{
	/* It goes with the socket, which has never had another one. */
	struct handshake_req *req = handshake_req_hash_lookup(sk);
	struct net *net = sock_net(sk);

	if (WARN_ON_ONCE(!req))
		return;
	if (status == -EOPNOTSUPP) {
		trace_handshake_agent_decline(net, req, sk, status);
		clear_bit(HANDSHAKE_F_REQ_AGENT, &req->hr_flags);
		status = handshake_req_enqueue(req, GFP_KERNEL);
		if (!status)
			return;
	}
	if (!status)
		req->hr_peerid = peerid;
	handshake_complete(req, status, NULL);
}
EXPORT_SYMBOL_GPL(handshake_agent_done);

/**
 * handshake_agent_stop_work - stop the agent
 * @work: of a request that has been cancelled
 */
void handshake_agent_stop_work(struct work_struct *work)
{
	struct handshake_req *req = container_of(work, struct handshake_req,
						 hr_stop_work);
	struct handshake_server *server = req->hr_server;

	server->hs_agent->ag_cancel(req->hr_sk);
	req->hr_server = NULL;
	/* The request goes with the socket. */
	fput(req->hr_file);
	handshake_server_put(server);
}

/**
 * handshake_agent_stop - take a cancelled request away from the agent
 * @req: the request, which the caller has marked as completed
 *
 * Consumers cancel requests in softirq, too, while the agent's lock is that of
 * the socket. So it is stopped by work, which has the request's reference to
 * the file until then.
 *
 * Context: any.
 *
 * Return:
 * * %true: The agent will be stopped, and the file be put after that
 * * %false: The agent has not got the request
 */
bool handshake_agent_stop(struct handshake_req *req)
{
	if (!test_bit(HANDSHAKE_F_REQ_AGENT, &req->hr_flags))
		return false;
	set_bit(HANDSHAKE_F_REQ_STOPPED, &req->hr_flags);
	queue_work(system_dfl_wq, &req->hr_stop_work);
	return true;
}
