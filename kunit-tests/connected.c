// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of handshakes on connected sockets for users in the kernel: how
 * they end when the client does not complete them, and who wins when they are
 * cancelled.  Complete handshakes are the business of the selftests, which have a
 * client.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/key.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/workqueue.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "../../tls.h"
#include "loopback.h"

/* A self-signed P-256 identity for ecdsa.test; the same as that of the
 * selftests, tls_handshake_keys.h.
 */
static const u8 identity[] = {
	0x30, 0x82, 0x01, 0x99, 0x30, 0x82, 0x01, 0x3e, 0xa0, 0x03, 0x02, 0x01,
	0x02, 0x02, 0x14, 0x22, 0xc4, 0x3f, 0x97, 0xc9, 0x47, 0x81, 0x9a, 0x2b,
	0x96, 0x02, 0x1c, 0xc3, 0x99, 0xb7, 0x6d, 0x7d, 0x97, 0x2f, 0xb1, 0x30,
	0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 0x30,
	0x15, 0x31, 0x13, 0x30, 0x11, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0a,
	0x65, 0x63, 0x64, 0x73, 0x61, 0x2e, 0x74, 0x65, 0x73, 0x74, 0x30, 0x20,
	0x17, 0x0d, 0x32, 0x36, 0x31, 0x31, 0x32, 0x33, 0x31, 0x39, 0x32, 0x32,
	0x32, 0x34, 0x5a, 0x18, 0x0f, 0x32, 0x31, 0x32, 0x36, 0x31, 0x30, 0x33,
	0x30, 0x31, 0x39, 0x32, 0x32, 0x32, 0x34, 0x5a, 0x30, 0x15, 0x31, 0x13,
	0x30, 0x11, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0a, 0x65, 0x63, 0x64,
	0x73, 0x61, 0x2e, 0x74, 0x65, 0x73, 0x74, 0x30, 0x59, 0x30, 0x13, 0x06,
	0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
	0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0xe7, 0x3a,
	0xff, 0xe0, 0xe9, 0xdc, 0xb7, 0x7d, 0x61, 0x24, 0xb3, 0x9f, 0x46, 0x00,
	0x3d, 0xcf, 0x6e, 0x67, 0x14, 0x26, 0xd7, 0x90, 0x20, 0xdc, 0x6e, 0xf0,
	0xd9, 0x22, 0xba, 0xba, 0x9c, 0x6b, 0x49, 0x79, 0x62, 0x66, 0xa2, 0x06,
	0x6b, 0x4c, 0x1b, 0xb2, 0xef, 0xc9, 0x82, 0x51, 0x2a, 0x6d, 0xdd, 0xe5,
	0xc3, 0x2d, 0xd3, 0xae, 0xaa, 0x07, 0x4a, 0xdb, 0x9b, 0xcc, 0x7c, 0x88,
	0x0d, 0x5c, 0xa3, 0x6a, 0x30, 0x68, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d,
	0x0e, 0x04, 0x16, 0x04, 0x14, 0xb3, 0xe0, 0x44, 0xb2, 0x6a, 0xb2, 0x36,
	0xc2, 0x5c, 0x56, 0x93, 0x55, 0x6b, 0x54, 0xf0, 0xb4, 0xed, 0x10, 0x49,
	0x77, 0x30, 0x1f, 0x06, 0x03, 0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16,
	0x80, 0x14, 0xb3, 0xe0, 0x44, 0xb2, 0x6a, 0xb2, 0x36, 0xc2, 0x5c, 0x56,
	0x93, 0x55, 0x6b, 0x54, 0xf0, 0xb4, 0xed, 0x10, 0x49, 0x77, 0x30, 0x0f,
	0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03,
	0x01, 0x01, 0xff, 0x30, 0x15, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, 0x0e,
	0x30, 0x0c, 0x82, 0x0a, 0x65, 0x63, 0x64, 0x73, 0x61, 0x2e, 0x74, 0x65,
	0x73, 0x74, 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
	0x03, 0x02, 0x03, 0x49, 0x00, 0x30, 0x46, 0x02, 0x21, 0x00, 0xb4, 0x58,
	0xb6, 0x55, 0xe4, 0xb1, 0xeb, 0xec, 0x4b, 0x04, 0x50, 0x06, 0x0d, 0xe3,
	0x4f, 0xce, 0xc5, 0x27, 0x2d, 0x45, 0xf5, 0x7b, 0x40, 0xff, 0x2e, 0x3e,
	0xb5, 0xd5, 0xd2, 0x6e, 0xa7, 0xf3, 0x02, 0x21, 0x00, 0xde, 0x2b, 0xbd,
	0xcb, 0x4c, 0x39, 0xad, 0x24, 0x61, 0xbc, 0xe9, 0x32, 0xbc, 0xc8, 0x2a,
	0x34, 0x1a, 0xc2, 0x99, 0xde, 0x30, 0x2b, 0xae, 0x59, 0x68, 0x35, 0x24,
	0x1c, 0x87, 0x8d, 0xfb, 0x4a, 0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30,
	0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
	0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b,
	0x02, 0x01, 0x01, 0x04, 0x20, 0x59, 0x4e, 0x58, 0xa5, 0x45, 0x92, 0x60,
	0xcf, 0xf4, 0xea, 0xb0, 0x60, 0x15, 0xa0, 0xec, 0x84, 0xaa, 0xa6, 0x6e,
	0x35, 0x30, 0xb9, 0x90, 0x01, 0x87, 0x66, 0x17, 0x44, 0xf8, 0x4e, 0x63,
	0xec, 0xa1, 0x44, 0x03, 0x42, 0x00, 0x04, 0xe7, 0x3a, 0xff, 0xe0, 0xe9,
	0xdc, 0xb7, 0x7d, 0x61, 0x24, 0xb3, 0x9f, 0x46, 0x00, 0x3d, 0xcf, 0x6e,
	0x67, 0x14, 0x26, 0xd7, 0x90, 0x20, 0xdc, 0x6e, 0xf0, 0xd9, 0x22, 0xba,
	0xba, 0x9c, 0x6b, 0x49, 0x79, 0x62, 0x66, 0xa2, 0x06, 0x6b, 0x4c, 0x1b,
	0xb2, 0xef, 0xc9, 0x82, 0x51, 0x2a, 0x6d, 0xdd, 0xe5, 0xc3, 0x2d, 0xd3,
	0xae, 0xaa, 0x07, 0x4a, 0xdb, 0x9b, 0xcc, 0x7c, 0x88, 0x0d, 0x5c,
};

/* A ClientHello of TLS 1.2, which falls back. */
static const u8 hello12[] = {
	0x16, 0x03, 0x01, 0x00, 0x4e,
	0x01, 0x00, 0x00, 0x4a,
	0x03, 0x03,
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
	0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
	0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
	0x00,
	0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f,
	0x01, 0x00,
	0x00, 0x1d,
	0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17,
	0x00, 0x0b, 0x00, 0x02, 0x01, 0x00,
	0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03,
	0x08, 0x04,
	0xff, 0x01, 0x00, 0x01, 0x00,
};

/**
 * struct tls_hs_fixture - a connection and a handshake on its server's end
 * @ring: keyring with an identity
 * @conf: settings, owned by the handshake once it has begun
 * @client: the client's end
 * @server: the server's end
 * @done: completed by the handshake's done()
 * @calls: how often that was called
 * @status: what it was told
 */
struct tls_hs_fixture {
	struct key *ring;
	struct tls_hs_conf *conf;
	struct socket *client;
	struct socket *server;
	struct completion done;
	int calls;
	int status;
};

static void fixture_done(void *data, int status)
{
	struct tls_hs_fixture *f = data;

	might_sleep();
	f->calls++;
	f->status = status;
	complete(&f->done);
}

static struct tls_hs_conf *fixture_conf(struct kunit *test, u32 timeout_ms)
{
	struct tls_hs_fixture *f = test->priv;
	const struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_2 | TLS_HS_VERSION_1_3,
		.keyring = f->ring->serial,
		.timeout_ms = timeout_ms,
	};

	return tls_hs_conf_create(&init_net, &settings);
}

static int tls_hs_connected_init_test(struct kunit *test)
{
	struct tls_hs_fixture *f;
	key_ref_t key;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	test->priv = f;
	init_completion(&f->done);

	f->ring = keyring_alloc("tls_hs_test", GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
				current_cred(), KEY_USR_ALL,
				KEY_ALLOC_NOT_IN_QUOTA, NULL, NULL);
	if (IS_ERR(f->ring))
		return PTR_ERR(f->ring);
	key = key_create_or_update(make_key_ref(f->ring, true), "tls_identity",
				   "test", identity, sizeof(identity),
				   KEY_USR_ALL, KEY_ALLOC_NOT_IN_QUOTA);
	if (IS_ERR(key))
		return PTR_ERR(key);
	key_ref_put(key);

	f->conf = fixture_conf(test, 5000);
	if (IS_ERR(f->conf))
		return PTR_ERR(f->conf);
	return tls_hs_test_connect(&f->client, &f->server);
}

static void tls_hs_connected_exit_test(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	if (!f)
		return;
	if (f->server)
		sock_release(f->server);
	if (f->client)
		sock_release(f->client);
	if (!IS_ERR_OR_NULL(f->conf))
		tls_hs_conf_put(f->conf);
	if (!IS_ERR_OR_NULL(f->ring))
		key_put(f->ring);
}

static void start(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			tls_server_handshake(f->server->sk, f->conf,
					     fixture_done, f));
	f->conf = NULL;
}

static void client_sends(struct kunit *test, const void *data, size_t len)
{
	struct tls_hs_fixture *f = test->priv;
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {};

	KUNIT_ASSERT_EQ(test, (int)len,
			kernel_sendmsg(f->client, &msg, &vec, 1, len));
}

static int receive(struct socket *sock, void *buf, size_t len, int flags)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {};

	return kernel_recvmsg(sock, &msg, &vec, 1, len, flags);
}

static void wait_done(struct kunit *test, int status)
{
	struct tls_hs_fixture *f = test->priv;

	KUNIT_ASSERT_NE(test, 0,
			wait_for_completion_timeout(&f->done, 10 * HZ));
	KUNIT_EXPECT_EQ(test, status, f->status);
	KUNIT_EXPECT_EQ(test, 1, f->calls);
}

/* It wins: done() is not called, and the connection is as it was. */
static void cancel_wins(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	u8 c;

	start(test);
	KUNIT_EXPECT_EQ(test, -EAGAIN, receive(f->server, &c, 1, MSG_DONTWAIT));
	KUNIT_EXPECT_TRUE(test, tls_server_handshake_cancel(f->server->sk));
	KUNIT_EXPECT_FALSE(test, tls_server_handshake_cancel(f->server->sk));
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, f->calls);

	client_sends(test, "x", 1);
	KUNIT_EXPECT_EQ(test, 1, receive(f->server, &c, 1, 0));
	KUNIT_EXPECT_EQ(test, 'x', c);
	KUNIT_EXPECT_NULL(test, inet_csk(f->server->sk)->icsk_ulp_ops);
}

/* It loses: done() has been called. */
static void cancel_loses(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	start(test);
	client_sends(test, "garbage that is no record", 25);
	wait_done(test, -EPROTO);
	KUNIT_EXPECT_FALSE(test, tls_server_handshake_cancel(f->server->sk));
	KUNIT_EXPECT_EQ(test, 1, f->calls);
}

/* Another connection in place of the last one. */
static void another(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	if (f->server)
		sock_release(f->server);
	sock_release(f->client);
	f->server = NULL;
	f->client = NULL;
	f->calls = 0;
	reinit_completion(&f->done);
	f->conf = fixture_conf(test, 5000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->conf));
	KUNIT_ASSERT_EQ(test, 0, tls_hs_test_connect(&f->client, &f->server));
}

/* Either the one or the other, whatever comes first. */
static void cancel_or_done(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	bool won;
	int i;

	for (i = 0; i < 50; i++) {
		if (i)
			another(test);
		start(test);
		client_sends(test, "garbage that is no record", 25);
		if (i & 1)
			udelay(10 * i);
		won = tls_server_handshake_cancel(f->server->sk);
		if (!won)
			wait_done(test, -EPROTO);
		msleep(20);
		KUNIT_EXPECT_EQ(test, won ? 0 : 1, f->calls);
	}
}

/* The ClientHello is there to be read, and the ULP is not in the way. */
static void fallback(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	u8 buf[sizeof(hello12)];

	client_sends(test, hello12, sizeof(hello12) - 1);
	start(test);
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, f->calls);
	client_sends(test, hello12 + sizeof(hello12) - 1, 1);
	wait_done(test, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, (int)sizeof(buf),
			receive(f->server, buf, sizeof(buf), MSG_DONTWAIT));
	KUNIT_EXPECT_MEMEQ(test, buf, hello12, sizeof(buf));
	KUNIT_EXPECT_NULL(test, inet_csk(f->server->sk)->icsk_ulp_ops);
}

static void timeout(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	u8 c;

	tls_hs_conf_put(f->conf);
	f->conf = fixture_conf(test, 50);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->conf));
	start(test);
	wait_done(test, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, receive(f->client, &c, 1, 0));
}

static void client_closes(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	start(test);
	sock_release(f->client);
	f->client = NULL;
	wait_done(test, -ECONNRESET);
}

/* The server's end is closed: that is a cancellation, too. */
static void server_closes(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	start(test);
	sock_release(f->server);
	f->server = NULL;
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, f->calls);
}

/* The same while the handshake fails, or falls back: done() may be under way. */
static void server_closes_meanwhile(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	int i;

	for (i = 0; i < 50; i++) {
		if (i)
			another(test);
		start(test);
		if (i & 1)
			client_sends(test, hello12, sizeof(hello12));
		else
			client_sends(test, "garbage that is no record", 25);
		udelay(5 * i);
		sock_release(f->server);
		f->server = NULL;
		msleep(20);
		KUNIT_EXPECT_LE(test, f->calls, 1);
	}
}

struct closing {
	struct work_struct work;
	struct socket *sock;
};

static void close_work(struct work_struct *work)
{
	sock_release(container_of(work, struct closing, work)->sock);
}

/* The same in the order that matters: the work that ends the handshake, and takes
 * the ULP away, gets the socket lock after close() has been called, and before it.
 * KASAN sees it if close() goes on with what it found before.
 */
static void server_closes_before_the_lock(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	struct closing closing = { .sock = f->server };
	struct sock *sk = f->server->sk;

	tls_hs_conf_put(f->conf);
	f->conf = fixture_conf(test, 50);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->conf));
	start(test);

	INIT_WORK_ONSTACK(&closing.work, close_work);
	lock_sock(sk);
	/* The work is the first that waits for the lock. */
	msleep(100);
	queue_work(system_dfl_wq, &closing.work);
	msleep(50);
	f->server = NULL;
	release_sock(sk);
	flush_work(&closing.work);
	destroy_work_on_stack(&closing.work);
	wait_done(test, -ETIMEDOUT);
}

/* Without memory for the second key one of them stays, and so does the ULP, which
 * the kernel's user has not set: it has to take the key away, and is called by
 * callbacks of the socket until then.
 */
static void half_of_the_keys(struct kunit *test)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	struct tls_hs_fixture *f = test->priv;
	struct kvec vec = { .iov_base = "in the clear", .iov_len = 12 };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	bool tx;
	int i, rc;
	u8 byte;

	for (i = 0; i < 2; i++) {
		struct sock *sk;

		tx = i;
		if (i)
			another(test);
		start(test);
		sk = f->server->sk;
		lock_sock(sk);
		rc = tls_set_crypto_info(sk, KERNEL_SOCKPTR(&info),
					 sizeof(info), tx);
		release_sock(sk);
		KUNIT_ASSERT_EQ(test, 0, rc);
		KUNIT_EXPECT_TRUE(test, tls_server_handshake_cancel(sk));

		KUNIT_EXPECT_PTR_EQ(test, &tcp_tls_ulp_ops,
				    inet_csk(sk)->icsk_ulp_ops);
		KUNIT_ASSERT_NOT_NULL(test, tls_get_ctx(sk));
		lock_sock(sk);
		sk->sk_write_space(sk);
		release_sock(sk);
		client_sends(test, "x", 1);
		if (tx) {
			rc = kernel_sendmsg(f->server, &msg, &vec, 1, 12);
			KUNIT_EXPECT_EQ(test, 12, rc);
			KUNIT_EXPECT_EQ(test, 1,
					receive(f->client, &byte, 1, 0));
			KUNIT_EXPECT_EQ(test, TLS_RECORD_TYPE_DATA, (int)byte);
		}
		sock_release(f->server);
		f->server = NULL;
	}
}

static void only_once(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;

	start(test);
	f->conf = fixture_conf(test, 5000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->conf));
	KUNIT_EXPECT_EQ(test, -EALREADY,
			tls_server_handshake(f->server->sk, f->conf,
					     fixture_done, f));
	KUNIT_EXPECT_TRUE(test, tls_server_handshake_cancel(f->server->sk));
}

#ifdef CONFIG_TLS_DEVICE
static int nic_calls;

static int nic_add(struct net_device *dev, struct sock *sk,
		   enum tls_offload_ctx_dir direction,
		   struct tls_crypto_info *info, u32 seq)
{
	nic_calls++;
	return -EOPNOTSUPP;
}

static const struct tlsdev_ops nic_ops = {
	.tls_dev_add	= nic_add,
};

static void set_keys(struct kunit *test, struct socket *sock, bool hs_keys)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	sockptr_t name = KERNEL_SOCKPTR("tls"), keys = KERNEL_SOCKPTR(&info);
	struct tls_context *ctx;
	int rc;

	rc = sock_common_setsockopt(sock, SOL_TCP, TCP_ULP, name, 4);
	KUNIT_ASSERT_EQ(test, 0, rc);
	ctx = tls_get_ctx(sock->sk);
	ctx->hs_keys = hs_keys;
	lock_sock(sock->sk);
	rc = tls_set_crypto_info(sock->sk, keys, sizeof(info), true);
	KUNIT_EXPECT_EQ(test, 0, rc);
	rc = tls_set_crypto_info(sock->sk, keys, sizeof(info), false);
	KUNIT_EXPECT_EQ(test, 0, rc);
	release_sock(sock->sk);
	KUNIT_EXPECT_EQ(test, TLS_SW, (int)ctx->tx_conf);
	KUNIT_EXPECT_EQ(test, TLS_SW, (int)ctx->rx_conf);
	/* There is no session. */
	ctx->hs_keys = false;
}

/* A NIC that does TLS gets the keys of others, but not ours.  The keys are of
 * TLS 1.2, the only version that is offered to NICs today.
 */
static void nic_gets_no_keys(struct kunit *test)
{
	struct net_device *lo = init_net.loopback_dev;
	const struct tlsdev_ops *old = lo->tlsdev_ops;
	struct tls_hs_fixture *f = test->priv;

	rtnl_lock();
	lo->tlsdev_ops = &nic_ops;
	lo->features |= NETIF_F_HW_TLS_TX | NETIF_F_HW_TLS_RX;
	rtnl_unlock();

	nic_calls = 0;
	set_keys(test, f->client, false);
	KUNIT_EXPECT_EQ(test, 2, nic_calls);
	nic_calls = 0;
	set_keys(test, f->server, true);
	KUNIT_EXPECT_EQ(test, 0, nic_calls);

	rtnl_lock();
	lo->features &= ~(NETIF_F_HW_TLS_TX | NETIF_F_HW_TLS_RX);
	lo->tlsdev_ops = old;
	rtnl_unlock();
}
#else
static void nic_gets_no_keys(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_TLS_DEVICE");
}
#endif

/* A keyring of PSKs may hold identities, which prove nothing about a client. */
static void no_identity_for_psks(struct kunit *test)
{
	struct tls_hs_fixture *f = test->priv;
	struct tls_hs_conf *conf;

	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 0);
	KUNIT_EXPECT_EQ(test, -ENOKEY, PTR_ERR_OR_ZERO(conf));
	if (!IS_ERR(conf))
		tls_hs_conf_put(conf);
}

static struct kunit_case tls_hs_connected_cases[] = {
	KUNIT_CASE(cancel_wins),
	KUNIT_CASE(cancel_loses),
	KUNIT_CASE(cancel_or_done),
	KUNIT_CASE(fallback),
	KUNIT_CASE(timeout),
	KUNIT_CASE(client_closes),
	KUNIT_CASE(server_closes),
	KUNIT_CASE(server_closes_meanwhile),
	KUNIT_CASE(server_closes_before_the_lock),
	KUNIT_CASE(half_of_the_keys),
	KUNIT_CASE(only_once),
	KUNIT_CASE(nic_gets_no_keys),
	KUNIT_CASE(no_identity_for_psks),
	{}
};

static struct kunit_suite tls_hs_connected_suite = {
	.name = "tls_handshake_connected",
	.init = tls_hs_connected_init_test,
	.exit = tls_hs_connected_exit_test,
	.test_cases = tls_hs_connected_cases,
};

kunit_test_suite(tls_hs_connected_suite);
