// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of handshake agents in the kernel: who gets a request, and that it
 * is completed or cancelled, once.
 */

#include <kunit/test.h>
#include <kunit/visibility.h>

#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include <net/handshake.h>
#include <net/sock.h>

#include <uapi/linux/handshake.h>
#include "handshake.h"

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

#define TEST_KEYRING	1234
#define TEST_PSK_KEYRING	2345
#define TEST_PEERID	3456

/**
 * struct agent_test - what is called, and how often
 * @opened: ->ag_server_open()
 * @closed: ->ag_server_close()
 * @hellos: ->ag_server_hello()
 * @cancels: ->ag_cancel()
 * @done: ->hp_done()
 * @status: what that was told
 * @hello_status: what ->ag_server_hello() returns
 * @identities: what ->ag_server_hello() has been told
 * @keyring: likewise
 * @psk_keyring: what ->hp_agent_args() says
 * @complete_at_once: it calls handshake_agent_done() itself
 * @cancel_before: somebody else cancels the request, and the administrator takes
 *	the keyring away, before it begins
 * @begun: @hellos, when ->ag_cancel() was called last
 * @agent: the agent
 * @old: the one that this kernel has, or %NULL
 * @sock: a socket
 * @filp: its file
 * @req: the request that has been submitted
 * @finished: the agent's thread has finished
 */
struct agent_test {
	int opened;
	int closed;
	int hellos;
	int cancels;
	int done;
	int status;
	int hello_status;
	void *identities;
	key_serial_t keyring;
	key_serial_t psk_keyring;
	bool complete_at_once;
	bool cancel_before;
	int begun;
	struct handshake_agent agent;
	const struct handshake_agent *old;
	struct socket *sock;
	struct file *filp;
	struct handshake_req *req;
	struct completion finished;
};

/* Callbacks have no argument of ours. */
static struct agent_test *current_test;

static void *agent_open(struct net *net, key_serial_t keyring,
			struct netlink_ext_ack *extack)
{
	if (keyring != TEST_KEYRING)
		return ERR_PTR(-ENOKEY);
	current_test->opened++;
	return current_test;
}

static void agent_close(void *identities)
{
	current_test->closed++;
}

/* Set what handshakes with certificates are done with. */
static int set_keyring(key_serial_t keyring, bool client_certs)
{
	const struct handshake_server_conf conf = {
		.sc_has_keyring		= true,
		.sc_keyring		= keyring,
		.sc_client_certs	= client_certs,
	};

	return handshake_server_set(&init_net, &conf, NULL);
}

/* Set who does those with pre-shared keys. */
static int set_psks(bool psks)
{
	const struct handshake_server_conf conf = {
		.sc_has_psks	= true,
		.sc_psks	= psks,
	};

	return handshake_server_set(&init_net, &conf, NULL);
}

static int agent_hello(void *identities, const struct handshake_agent_args *args)
{
	struct agent_test *t = current_test;

	might_sleep();
	t->identities = identities;
	t->keyring = args->aa_keyring;
	if (t->cancel_before) {
		t->cancel_before = handshake_req_cancel(args->aa_sk);
		flush_work(&current_test->req->hr_stop_work);
		set_keyring(0, false);
	}
	t->hellos++;
	if (t->complete_at_once)
		handshake_agent_done(args->aa_sk, 0, TEST_PEERID);
	return t->hello_status;
}

static void agent_cancel(struct sock *sk)
{
	might_sleep();
	current_test->cancels++;
	current_test->begun = current_test->hellos;
}

static int proto_accept(struct handshake_req *req, struct genl_info *info,
			int fd)
{
	return 0;
}

static void proto_done(struct handshake_req *req, int status,
		       struct genl_info *info)
{
	might_sleep();
	current_test->done++;
	current_test->status = status;
}

static bool proto_args(struct handshake_req *req,
		       struct handshake_agent_args *args)
{
	args->aa_timeout_ms = 1000;
	args->aa_keyring = current_test->psk_keyring;
	return true;
}

static struct handshake_proto agent_proto = {
	.hp_handler_class	= HANDSHAKE_HANDLER_CLASS_TLSHD,
	.hp_accept		= proto_accept,
	.hp_done		= proto_done,
	.hp_agent_args		= proto_args,
};

/* One of which nobody in user space is told, as there is nobody. */
static struct handshake_proto notify_proto = {
	.hp_handler_class	= HANDSHAKE_HANDLER_CLASS_TLSHD,
	.hp_flags		= BIT(HANDSHAKE_F_PROTO_NOTIFY),
	.hp_accept		= proto_accept,
	.hp_done		= proto_done,
	.hp_agent_args		= proto_args,
};

static struct handshake_proto user_proto = {
	.hp_handler_class	= HANDSHAKE_HANDLER_CLASS_TLSHD,
	.hp_accept		= proto_accept,
	.hp_done		= proto_done,
};

static int agent_new_socket(struct agent_test *t)
{
	struct file *filp;
	int err;

	err = __sock_create(&init_net, PF_INET, SOCK_STREAM, IPPROTO_TCP,
			    &t->sock, 1);
	if (err)
		return err;
	filp = sock_alloc_file(t->sock, O_NONBLOCK, NULL);
	if (IS_ERR(filp))
		return PTR_ERR(filp);
	t->sock->file = filp;
	t->filp = filp;
	return 0;
}

static int agent_test_init(struct kunit *test)
{
	struct agent_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	t->agent = (struct handshake_agent) {
		.ag_owner		= THIS_MODULE,
		.ag_server_open		= agent_open,
		.ag_server_close	= agent_close,
		.ag_server_hello	= agent_hello,
		.ag_cancel		= agent_cancel,
	};
	init_completion(&t->finished);
	current_test = t;
	t->old = handshake_agent_replace(&t->agent);
	test->priv = t;
	return agent_new_socket(t);
}

static void agent_test_exit(struct kunit *test)
{
	struct agent_test *t = test->priv;

	if (!t)
		return;
	if (t->filp)
		__fput_sync(t->filp);
	set_keyring(0, false);
	set_psks(false);
	KUNIT_EXPECT_EQ(test, t->opened, t->closed);
	handshake_agent_replace(t->old);
}

static struct handshake_net *agent_hn(void)
{
	return handshake_pernet(&init_net);
}

static void agent_set(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, set_keyring(TEST_KEYRING, false));
}

static int agent_submit(struct kunit *test, const struct handshake_proto *proto,
			gfp_t flags)
{
	struct agent_test *t = test->priv;

	t->req = handshake_req_alloc(proto, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->req);
	return handshake_req_submit(t->sock, t->req, flags);
}

/* Is the request there for user space? Then it is as good as done. */
static bool agent_left_to_user(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_req *req;

	req = handshake_req_next(agent_hn(), HANDSHAKE_HANDLER_CLASS_TLSHD);
	if (!req)
		return false;
	KUNIT_EXPECT_PTR_EQ(test, t->req, req);
	fput(req->hr_file);
	handshake_complete(req, 0, NULL);
	return true;
}

static void one_agent(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_agent other = t->agent;

	KUNIT_EXPECT_EQ(test, -EBUSY, handshake_agent_register(&other));
	handshake_agent_unregister(&t->agent);
	KUNIT_EXPECT_EQ(test, 0, handshake_agent_register(&other));
	handshake_agent_unregister(&other);
	KUNIT_EXPECT_EQ(test, 0, handshake_agent_register(&t->agent));
}

static void no_agent(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_server_conf conf;

	handshake_agent_unregister(&t->agent);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, set_keyring(TEST_KEYRING, false));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, set_psks(true));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_EQ(test, 0, conf.sc_keyring);
	KUNIT_EXPECT_TRUE(test, conf.sc_client_certs);
	KUNIT_EXPECT_FALSE(test, conf.sc_psks);
	KUNIT_EXPECT_EQ(test, 0, handshake_agent_register(&t->agent));
}

static void set_and_get(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_server_conf conf;

	agent_set(test);
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_EQ(test, TEST_KEYRING, conf.sc_keyring);
	KUNIT_EXPECT_FALSE(test, conf.sc_client_certs);

	/* After an error everything is as it was. */
	KUNIT_EXPECT_EQ(test, -ENOKEY, set_keyring(1, false));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_EQ(test, TEST_KEYRING, conf.sc_keyring);
	KUNIT_EXPECT_EQ(test, 0, t->closed);

	KUNIT_EXPECT_EQ(test, 0, set_keyring(TEST_KEYRING, true));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_TRUE(test, conf.sc_client_certs);
	KUNIT_EXPECT_EQ(test, 2, t->opened);
	KUNIT_EXPECT_EQ(test, 1, t->closed);

	KUNIT_EXPECT_EQ(test, 0, set_keyring(0, false));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_EQ(test, 0, conf.sc_keyring);
	KUNIT_EXPECT_EQ(test, 2, t->closed);
}

/* Certificates and pre-shared keys are set together or by themselves. */
static void set_one_of_two(struct kunit *test)
{
	struct handshake_server_conf conf = {
		.sc_has_keyring	= true,
		.sc_keyring	= 1,
		.sc_has_psks	= true,
		.sc_psks	= true,
	};
	struct agent_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, -ENOKEY,
			handshake_server_set(&init_net, &conf, NULL));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_FALSE(test, conf.sc_psks);

	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	KUNIT_EXPECT_EQ(test, 0, t->opened);
	agent_set(test);
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_TRUE(test, conf.sc_psks);
	KUNIT_EXPECT_EQ(test, TEST_KEYRING, conf.sc_keyring);

	KUNIT_EXPECT_EQ(test, 0, set_psks(false));
	handshake_server_get(agent_hn(), &conf);
	KUNIT_EXPECT_FALSE(test, conf.sc_psks);
	KUNIT_EXPECT_EQ(test, TEST_KEYRING, conf.sc_keyring);
	KUNIT_EXPECT_EQ(test, 0, t->closed);
}

/* A request that the agent is not asked to do. */
static void agent_not_asked(struct kunit *test,
			    const struct handshake_proto *proto, gfp_t flags)
{
	struct agent_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, proto, flags));
	KUNIT_EXPECT_EQ(test, 0, t->hellos);
	KUNIT_EXPECT_TRUE(test, agent_left_to_user(test));
}

static void nothing_set(struct kunit *test)
{
	agent_not_asked(test, &agent_proto, GFP_KERNEL);
}

static void client_certificates(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, set_keyring(TEST_KEYRING, true));
	agent_not_asked(test, &agent_proto, GFP_KERNEL);
}

static void for_user_space_only(struct kunit *test)
{
	agent_set(test);
	agent_not_asked(test, &user_proto, GFP_KERNEL);
}

static void cannot_sleep(struct kunit *test)
{
	agent_set(test);
	agent_not_asked(test, &agent_proto, GFP_ATOMIC);
}

static void agent_completes(struct kunit *test)
{
	struct agent_test *t = test->priv;
	unsigned long files = file_count(t->filp);

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_EQ(test, files + 1, file_count(t->filp));
	KUNIT_EXPECT_NULL(test, handshake_req_next(agent_hn(),
						   HANDSHAKE_HANDLER_CLASS_TLSHD));

	handshake_agent_done(t->sock->sk, -EPROTO, 0);
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, -EPROTO, t->status);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));

	handshake_agent_done(t->sock->sk, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_FALSE(test, handshake_req_cancel(t->sock->sk));
	KUNIT_EXPECT_EQ(test, 0, t->cancels);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));
}

static void agent_completes_at_once(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	t->complete_at_once = true;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, 0, t->status);
	KUNIT_EXPECT_FALSE(test, handshake_req_cancel(t->sock->sk));
}

/* What the agent does is no burden for user space. */
static void pending_limit(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_net *hn = agent_hn();
	int pending = hn->hn_pending;

	agent_set(test);
	hn->hn_pending = hn->hn_pending_max;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	KUNIT_EXPECT_EQ(test, hn->hn_pending_max, hn->hn_pending);

	/* But what it cannot do is. */
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, 0);
	hn->hn_pending = pending;
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, -EAGAIN, t->status);
}

static void agent_declines_at_once(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	t->hello_status = -EBUSY;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_TRUE(test, agent_left_to_user(test));
	KUNIT_EXPECT_EQ(test, 1, t->done);
}

static void agent_declines(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_net *hn = agent_hn();
	int pending = hn->hn_pending;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, 0);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_EQ(test, pending + 1, hn->hn_pending);
	KUNIT_EXPECT_TRUE(test, agent_left_to_user(test));
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, 0, t->cancels);
	KUNIT_EXPECT_EQ(test, pending, hn->hn_pending);
}

static void nobody_in_user_space(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &notify_proto, GFP_KERNEL));
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, 0);
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, -ESRCH, t->status);
	KUNIT_EXPECT_FALSE(test, agent_left_to_user(test));
}

/* As ever, if the agent has declined before submission returns. */
static void nobody_at_all(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	t->hello_status = -EOPNOTSUPP;
	KUNIT_EXPECT_EQ(test, -ESRCH,
			agent_submit(test, &notify_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_FALSE(test, handshake_req_cancel(t->sock->sk));
}

/* The request can be cancelled as soon as others can see it, which is before the
 * agent has begun.
 */
static void cancel_before_start(struct kunit *test)
{
	struct agent_test *t = test->priv;
	unsigned long files = file_count(t->filp);

	agent_set(test);
	t->cancel_before = true;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, t->cancel_before);
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	/* What has begun after that has been stopped, too. */
	KUNIT_EXPECT_EQ(test, 2, t->cancels);
	KUNIT_EXPECT_EQ(test, 1, t->begun);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_EQ(test, 1, t->closed);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));
}

static void cancel_wins(struct kunit *test)
{
	struct agent_test *t = test->priv;
	unsigned long files = file_count(t->filp);

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, handshake_req_cancel(t->sock->sk));
	flush_work(&t->req->hr_stop_work);
	KUNIT_EXPECT_EQ(test, 1, t->cancels);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));
	KUNIT_EXPECT_FALSE(test, handshake_req_cancel(t->sock->sk));

	handshake_agent_done(t->sock->sk, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	/* Nor does user space get it. */
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, 0);
	KUNIT_EXPECT_FALSE(test, agent_left_to_user(test));
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));
}

/* As nvmet does, with its lock held.  The agent is stopped after that. */
static void cancel_in_softirq(struct kunit *test)
{
	struct agent_test *t = test->priv;
	unsigned long files = file_count(t->filp);
	bool won;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	local_bh_disable();
	won = handshake_req_cancel(t->sock->sk);
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, won);
	flush_work(&t->req->hr_stop_work);
	KUNIT_EXPECT_EQ(test, 1, t->cancels);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_EQ(test, files, file_count(t->filp));
}

/* The agent has declined: user space is not waited for, and it is not asked. */
static void cancel_after_decline(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct handshake_net *hn = agent_hn();
	int pending = hn->hn_pending;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, 0);
	KUNIT_EXPECT_TRUE(test, handshake_req_cancel(t->sock->sk));
	KUNIT_EXPECT_EQ(test, 0, t->cancels);
	KUNIT_EXPECT_EQ(test, pending, hn->hn_pending);
	KUNIT_EXPECT_FALSE(test, agent_left_to_user(test));
	KUNIT_EXPECT_EQ(test, 0, t->done);
}

static int agent_thread(void *data)
{
	struct agent_test *t = data;

	handshake_agent_done(t->sock->sk, t->hello_status, 0);
	complete(&t->finished);
	return 0;
}

/* The agent finishes while the consumer cancels: one of them wins. */
static void race(struct kunit *test, int status)
{
	struct agent_test *t = test->priv;
	struct handshake_net *hn = agent_hn();
	int pending = hn->hn_pending;
	struct task_struct *thread;
	unsigned long files;
	int i, won = 0;

	agent_set(test);
	for (i = 0; i < 500; i++) {
		t->done = 0;
		files = file_count(t->filp);
		reinit_completion(&t->finished);
		t->hello_status = 0;
		KUNIT_ASSERT_EQ(test, 0,
				agent_submit(test, &agent_proto, GFP_KERNEL));
		t->hello_status = status;
		thread = kthread_run(agent_thread, t, "handshake-test");
		KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
		udelay(i & 1 ? i : i % 50);
		won = handshake_req_cancel(t->sock->sk);
		wait_for_completion(&t->finished);
		flush_work(&t->req->hr_stop_work);

		if (status == -EOPNOTSUPP)
			KUNIT_ASSERT_EQ(test, 1, won);
		KUNIT_ASSERT_EQ(test, 1, won + t->done);
		KUNIT_ASSERT_EQ(test, pending, hn->hn_pending);
		KUNIT_ASSERT_FALSE(test, agent_left_to_user(test));
		KUNIT_ASSERT_EQ(test, files, file_count(t->filp));

		__fput_sync(t->filp);
		t->filp = NULL;
		KUNIT_ASSERT_EQ(test, 0, agent_new_socket(t));
	}
}

static void cancel_or_done(struct kunit *test)
{
	race(test, 0);
}

static void cancel_or_decline(struct kunit *test)
{
	race(test, -EOPNOTSUPP);
}

/* A request goes on with the keyring with which it has begun. */
static void keyring_outlives(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, set_keyring(0, false));
	KUNIT_EXPECT_EQ(test, 0, t->closed);
	handshake_agent_done(t->sock->sk, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, t->closed);
}

static void keyring_outlives_cancel(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, set_keyring(0, false));
	KUNIT_EXPECT_EQ(test, 0, t->closed);
	KUNIT_EXPECT_TRUE(test, handshake_req_cancel(t->sock->sk));
	flush_work(&t->req->hr_stop_work);
	KUNIT_EXPECT_EQ(test, 1, t->closed);
}

/* Whether the agent is asked for a handshake with pre-shared keys is a setting of
 * its own, and so is that for certificates.
 */
static void psks_not_set(struct kunit *test)
{
	struct agent_test *t = test->priv;

	agent_set(test);
	t->psk_keyring = TEST_PSK_KEYRING;
	agent_not_asked(test, &agent_proto, GFP_KERNEL);
}

static void only_psks_set(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	agent_not_asked(test, &agent_proto, GFP_KERNEL);
}

/* The keyring is that of the consumer, and no certificates are asked for. */
static void psks_of_consumer(struct kunit *test)
{
	struct agent_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, set_keyring(TEST_KEYRING, true));
	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	t->psk_keyring = TEST_PSK_KEYRING;
	t->complete_at_once = true;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	KUNIT_EXPECT_EQ(test, TEST_PSK_KEYRING, t->keyring);
	KUNIT_EXPECT_NULL(test, t->identities);
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, TEST_PEERID, t->req->hr_peerid);
}

static void psks_declined(struct kunit *test)
{
	struct agent_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	t->psk_keyring = TEST_PSK_KEYRING;
	KUNIT_EXPECT_EQ(test, 0, agent_submit(test, &agent_proto, GFP_KERNEL));
	/* The setting may change meanwhile. */
	KUNIT_EXPECT_EQ(test, 0, set_psks(false));
	handshake_agent_done(t->sock->sk, -EOPNOTSUPP, TEST_PEERID);
	KUNIT_EXPECT_EQ(test, 0, t->done);
	KUNIT_EXPECT_TRUE(test, agent_left_to_user(test));
	KUNIT_EXPECT_EQ(test, 1, t->done);
	KUNIT_EXPECT_EQ(test, TLS_NO_PEERID, t->req->hr_peerid);
}

/**
 * struct consumer_test - a consumer of tls_server_hello_psk() and the like
 * @done: how often it has been called back
 * @status: what it was told
 * @peerid: likewise
 */
struct consumer_test {
	int done;
	int status;
	key_serial_t peerid;
};

static void consumer_done(void *data, int status, key_serial_t peerid)
{
	struct consumer_test *c = data;

	c->done++;
	c->status = status;
	c->peerid = peerid;
}

static struct tls_handshake_args consumer_args(struct agent_test *t,
					       struct consumer_test *c)
{
	return (struct tls_handshake_args) {
		.ta_sock	= t->sock,
		.ta_done	= consumer_done,
		.ta_data	= c,
		.ta_keyring	= TEST_PSK_KEYRING,
	};
}

/* As the target of NVMe/TCP asks for it. */
static void tls_server_psk(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct consumer_test c = {};
	struct tls_handshake_args args = consumer_args(t, &c);
	struct handshake_req *req;

	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	KUNIT_EXPECT_EQ(test, 0, tls_server_hello_psk(&args, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, t->hellos);
	KUNIT_EXPECT_EQ(test, TEST_PSK_KEYRING, t->keyring);
	handshake_agent_done(t->sock->sk, 0, TEST_PEERID);
	KUNIT_EXPECT_EQ(test, 1, c.done);
	KUNIT_EXPECT_EQ(test, 0, c.status);
	KUNIT_EXPECT_EQ(test, TEST_PEERID, c.peerid);
	/* No close_notify of net/handshake: the agent's session sends one. */
	req = handshake_req_hash_lookup(t->sock->sk);
	KUNIT_EXPECT_FALSE(test, test_bit(HANDSHAKE_F_REQ_SESSION,
					  &req->hr_flags));
}

static void tls_server_psk_fails(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct consumer_test c = { .peerid = 1 };
	struct tls_handshake_args args = consumer_args(t, &c);

	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	KUNIT_EXPECT_EQ(test, 0, tls_server_hello_psk(&args, GFP_KERNEL));
	handshake_agent_done(t->sock->sk, -EPROTO, TEST_PEERID);
	KUNIT_EXPECT_EQ(test, 1, c.done);
	KUNIT_EXPECT_EQ(test, -EPROTO, c.status);
	KUNIT_EXPECT_EQ(test, TLS_NO_PEERID, c.peerid);
}

/* What else is a request of TLS's is not for the agent. */
static void tls_not_for_agent(struct kunit *test)
{
	struct agent_test *t = test->priv;
	struct consumer_test c = {};
	struct tls_handshake_args args;
	int i;

	agent_set(test);
	KUNIT_EXPECT_EQ(test, 0, set_psks(true));
	for (i = 0; i < 5; i++) {
		args = consumer_args(t, &c);
		switch (i) {
		case 0:	/* a certificate out of a keyring of the consumer's */
			tls_server_hello_x509(&args, GFP_KERNEL);
			break;
		case 1:	/* one of the keys */
			args.ta_my_peerids[0] = TEST_PEERID;
			tls_server_hello_psk(&args, GFP_KERNEL);
			break;
		case 2:	/* without a keyring */
			args.ta_keyring = TLS_NO_KEYRING;
			tls_server_hello_psk(&args, GFP_KERNEL);
			break;
		case 3:	/* a client */
			args.ta_num_peerids = 1;
			args.ta_my_peerids[0] = TEST_PEERID;
			tls_client_hello_psk(&args, GFP_KERNEL);
			break;
		case 4:
			tls_client_hello_anon(&args, GFP_KERNEL);
			break;
		}
		KUNIT_EXPECT_EQ(test, 0, t->hellos);
		KUNIT_EXPECT_EQ(test, 0, c.done);
		tls_handshake_cancel(t->sock->sk);
		__fput_sync(t->filp);
		t->filp = NULL;
		KUNIT_ASSERT_EQ(test, 0, agent_new_socket(t));
	}
}

static struct kunit_case handshake_agent_cases[] = {
	KUNIT_CASE(one_agent),
	KUNIT_CASE(no_agent),
	KUNIT_CASE(set_and_get),
	KUNIT_CASE(set_one_of_two),
	KUNIT_CASE(nothing_set),
	KUNIT_CASE(client_certificates),
	KUNIT_CASE(for_user_space_only),
	KUNIT_CASE(cannot_sleep),
	KUNIT_CASE(agent_completes),
	KUNIT_CASE(agent_completes_at_once),
	KUNIT_CASE(pending_limit),
	KUNIT_CASE(agent_declines_at_once),
	KUNIT_CASE(agent_declines),
	KUNIT_CASE(nobody_in_user_space),
	KUNIT_CASE(nobody_at_all),
	KUNIT_CASE(cancel_before_start),
	KUNIT_CASE(cancel_wins),
	KUNIT_CASE(cancel_in_softirq),
	KUNIT_CASE(cancel_after_decline),
	KUNIT_CASE_SLOW(cancel_or_done),
	KUNIT_CASE_SLOW(cancel_or_decline),
	KUNIT_CASE(keyring_outlives),
	KUNIT_CASE(keyring_outlives_cancel),
	KUNIT_CASE(psks_not_set),
	KUNIT_CASE(only_psks_set),
	KUNIT_CASE(psks_of_consumer),
	KUNIT_CASE(psks_declined),
	KUNIT_CASE(tls_server_psk),
	KUNIT_CASE(tls_server_psk_fails),
	KUNIT_CASE(tls_not_for_agent),
	{}
};

static struct kunit_suite handshake_agent_suite = {
	.name = "handshake_agent",
	.init = agent_test_init,
	.exit = agent_test_exit,
	.test_cases = handshake_agent_cases,
};

kunit_test_suite(handshake_agent_suite);

MODULE_DESCRIPTION("Test of handshake agents in the kernel");
MODULE_LICENSE("GPL");
