// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of handshakes with external PSKs for users in the kernel, as
 * NVMe/TCP's target is one: complete ones, with a client that is made here, and
 * which key they tell of.
 *
 * The client is no model for others.  Its public key is the base point of X25519,
 * so that the shared secret is the server's public key, and what it sends is for
 * one cipher suite, TLS_AES_128_GCM_SHA256.
 */

#include <keys/user-type.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/key.h>
#include <linux/key-type.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/unaligned.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "../../tls.h"
#include "../crypto_shim.h"
#include "loopback.h"

#define IDENTITY	"NVMe1R01 nqn.host nqn.subsystem hash="
#define OTHER		"NVMe1R01 nqn.other nqn.subsystem hash="
#define HASH_LEN	32
#define MAX_RECORD	512

static const u8 key_of_identity[HASH_LEN] = { 1, 2, 3 };
static const u8 key_of_other[HASH_LEN] = { 4, 5, 6 };

/* All but the identity and what depends on its length. */
static const u8 hello_head[] = {
	/* legacy_version, random, legacy_session_id */
	3, 3,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	0,
	/* cipher_suites, legacy_compression_methods */
	0, 2, 0x13, 0x01, 1, 0,
};

static const u8 hello_extensions[] = {
	/* supported_versions, supported_groups */
	0, 43, 0, 3, 2, 3, 4,
	0, 10, 0, 4, 0, 2, 0, 29,
	/* key_share: X25519, 9 */
	0, 51, 0, 38, 0, 36, 0, 29, 0, 32,
	9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* psk_key_exchange_modes: psk_dhe_ke */
	0, 45, 0, 2, 1, 1,
};

/**
 * struct tls_hs_psk_fixture - a connection, and PSKs for its server
 * @ring: keyring with two PSKs
 * @key: that of IDENTITY
 * @client: the client's end
 * @server: the server's end
 * @done: completed by the handshake's done()
 * @status: what that was told
 * @peer: which key it has found
 * @early: Early Secret of the client
 * @transcript: of all messages so far
 * @record: what is sent or received
 */
struct tls_hs_psk_fixture {
	struct key *ring;
	struct key *key;
	struct socket *client;
	struct socket *server;
	struct completion done;
	int status;
	key_serial_t peer;
	u8 early[HASH_LEN];
	struct tls_hs_hash transcript;
	u8 record[MAX_RECORD];
};

/* NVMe's, unless that is there. */
static struct key_type key_type_psk = {
	.name		= "psk",
	.flags		= KEY_TYPE_NET_DOMAIN,
	.preparse	= user_preparse,
	.free_preparse	= user_free_preparse,
	.instantiate	= generic_key_instantiate,
	.revoke		= user_revoke,
	.destroy	= user_destroy,
	.describe	= user_describe,
	.read		= user_read,
};

static bool psk_registered;

static int tls_hs_psk_suite_init(struct kunit_suite *suite)
{
	int rc = register_key_type(&key_type_psk);

	psk_registered = !rc;
	return rc == -EEXIST ? 0 : rc;
}

static void tls_hs_psk_suite_exit(struct kunit_suite *suite)
{
	if (psk_registered)
		unregister_key_type(&key_type_psk);
	psk_registered = false;
}

static struct key *add_psk(struct key *ring, const char *identity,
			   const u8 *psk, size_t len)
{
	key_ref_t ref;

	/* With the permissions of a possessor only. */
	ref = key_create_or_update(make_key_ref(ring, true), "psk", identity,
				   psk, len, KEY_POS_ALL,
				   KEY_ALLOC_NOT_IN_QUOTA);
	return IS_ERR(ref) ? ERR_CAST(ref) : key_ref_to_ptr(ref);
}

static int tls_hs_psk_test_init(struct kunit *test)
{
	struct tls_hs_psk_fixture *f;
	struct key *other;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	test->priv = f;
	init_completion(&f->done);

	f->ring = keyring_alloc("tls_hs_psk", GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
				current_cred(), KEY_POS_ALL,
				KEY_ALLOC_NOT_IN_QUOTA, NULL, NULL);
	if (IS_ERR(f->ring))
		return PTR_ERR(f->ring);
	other = add_psk(f->ring, OTHER, key_of_other, sizeof(key_of_other));
	if (IS_ERR(other))
		return PTR_ERR(other);
	key_put(other);
	f->key = add_psk(f->ring, IDENTITY, key_of_identity,
			 sizeof(key_of_identity));
	if (IS_ERR(f->key))
		return PTR_ERR(f->key);
	return tls_hs_test_connect(&f->client, &f->server);
}

static void tls_hs_psk_test_exit(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;

	if (!f)
		return;
	if (f->server)
		sock_release(f->server);
	if (f->client)
		sock_release(f->client);
	if (!IS_ERR_OR_NULL(f->key))
		key_put(f->key);
	if (!IS_ERR_OR_NULL(f->ring)) {
		/* The settings that are kept go with the next ones. */
		key_revoke(f->ring);
		key_put(f->ring);
	}
}

static void psk_done(void *data, int status)
{
	struct tls_hs_psk_fixture *f = data;

	f->status = status;
	f->peer = tls_server_handshake_psk(f->server->sk);
	complete(&f->done);
}

static void start(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct tls_hs_conf *conf;

	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 5000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(conf));
	KUNIT_ASSERT_EQ(test, 0,
			tls_server_handshake(f->server->sk, conf, psk_done, f));
}

static void wait_done(struct kunit *test, int status)
{
	struct tls_hs_psk_fixture *f = test->priv;

	KUNIT_ASSERT_NE(test, 0,
			wait_for_completion_timeout(&f->done, 10 * HZ));
	KUNIT_EXPECT_EQ(test, status, f->status);
}

static void hmac(const u8 *key, const void *data, size_t len, u8 *out)
{
	const struct tls_hs_bytes part = { .data = data, .len = len };
	struct tls_hs_hmac_key prepared;

	tls_hs_hmac_preparekey(&prepared, false, key, HASH_LEN);
	tls_hs_hmac(&prepared, &part, 1, out);
}

/* HKDF-Expand-Label (RFC 9846, section 7.1) with a context of a hash or nothing. */
static void expand(const u8 *secret, const char *label, const u8 *context,
		   size_t len, u8 *out)
{
	size_t label_len = strlen(label), context_len = context ? HASH_LEN : 0;
	u8 info[2 + 1 + 6 + 16 + 1 + HASH_LEN + 1], block[HASH_LEN];
	u8 *p = info;

	put_unaligned_be16(len, p);
	p[2] = 6 + label_len;
	memcpy(p + 3, "tls13 ", 6);
	memcpy(p + 9, label, label_len);
	p += 9 + label_len;
	*p++ = context_len;
	if (context)
		memcpy(p, context, HASH_LEN);
	p += context_len;
	*p++ = 1;
	hmac(secret, info, p - info, block);
	memcpy(out, block, len);
}

/* The hash of the messages so far. */
static void hash_so_far(const struct tls_hs_hash *transcript, u8 *out)
{
	struct tls_hs_hash copy = *transcript;

	tls_hs_hash_final(&copy, out);
}

/* verify_data of a Finished (section 4.5.3), or a binder. */
static void verify_data(const u8 *secret, const struct tls_hs_hash *transcript,
			u8 *out)
{
	u8 key[HASH_LEN], hash[HASH_LEN];

	expand(secret, "finished", NULL, HASH_LEN, key);
	hash_so_far(transcript, hash);
	hmac(key, hash, HASH_LEN, out);
}

static void client_sends(struct kunit *test, size_t len)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct kvec vec = { .iov_base = f->record, .iov_len = len };
	struct msghdr msg = {};

	KUNIT_ASSERT_EQ(test, (int)len,
			kernel_sendmsg(f->client, &msg, &vec, 1, len));
}

/* The client offers a PSK. */
static void offer(struct kunit *test, const char *identity, const u8 *psk)
{
	struct tls_hs_psk_fixture *f = test->priv;
	size_t len = strlen(identity);
	u8 zeroes[HASH_LEN] = {}, binder_key[HASH_LEN], empty[HASH_LEN];
	u8 *message = f->record + 5, *p = message + 4;
	struct tls_hs_hash hash;

	memcpy(p, hello_head, sizeof(hello_head));
	p += sizeof(hello_head);
	put_unaligned_be16(sizeof(hello_extensions) + 4 + 2 + 2 + len + 4 +
			   2 + 1 + HASH_LEN, p);
	p += 2;
	memcpy(p, hello_extensions, sizeof(hello_extensions));
	p += sizeof(hello_extensions);
	/* pre_shared_key: identities and obfuscated_ticket_age */
	put_unaligned_be16(41, p);
	put_unaligned_be16(2 + 2 + len + 4 + 2 + 1 + HASH_LEN, p + 2);
	put_unaligned_be16(2 + len + 4, p + 4);
	put_unaligned_be16(len, p + 6);
	memcpy(p + 8, identity, len);
	put_unaligned_be32(0, p + 8 + len);
	p += 8 + len + 4;

	/* Lengths with the binder, which is of what comes before it. */
	f->record[0] = TLS_RECORD_TYPE_HANDSHAKE;
	put_unaligned_be16(0x0301, f->record + 1);
	put_unaligned_be16(p + 3 + HASH_LEN - message, f->record + 3);
	put_unaligned_be32(p + 3 + HASH_LEN - message - 4, message);
	message[0] = 1;
	hmac(zeroes, psk, HASH_LEN, f->early);
	tls_hs_hash_init(&hash, false);
	hash_so_far(&hash, empty);
	expand(f->early, "ext binder", empty, HASH_LEN, binder_key);
	tls_hs_hash_update(&hash, message, p - message);
	put_unaligned_be16(1 + HASH_LEN, p);
	p[2] = HASH_LEN;
	verify_data(binder_key, &hash, p + 3);
	p += 3 + HASH_LEN;
	tls_hs_hash_init(&f->transcript, false);
	tls_hs_hash_update(&f->transcript, message, p - message);
	client_sends(test, p - f->record);
}

/* The client reads a record. */
static size_t read_record(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct kvec vec = { .iov_base = f->record, .iov_len = 5 };
	struct msghdr msg = {};
	size_t len;

	KUNIT_ASSERT_EQ(test, 5, kernel_recvmsg(f->client, &msg, &vec, 1, 5,
						MSG_WAITALL));
	len = get_unaligned_be16(f->record + 3);
	KUNIT_ASSERT_LE(test, 5 + len, sizeof(f->record));
	vec.iov_base = f->record + 5;
	vec.iov_len = len;
	KUNIT_ASSERT_EQ(test, (int)len,
			kernel_recvmsg(f->client, &msg, &vec, 1, len,
				       MSG_WAITALL));
	return len;
}

static void keys_of(struct kunit *test, const u8 *secret,
		    struct tls_hs_aead_key *key, u8 *iv)
{
	u8 raw[16];

	expand(secret, "key", NULL, sizeof(raw), raw);
	expand(secret, "iv", NULL, 12, iv);
	KUNIT_ASSERT_EQ(test, 0, tls_hs_aead_preparekey(key, false, raw,
							sizeof(raw)));
}

/* The client reads the server's flight and sends its Finished. */
static void complete_handshake(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	u8 hash[HASH_LEN], derived[HASH_LEN], secret[HASH_LEN], iv[12];
	u8 client[HASH_LEN], server[HASH_LEN], *message = f->record + 5;
	struct tls_hs_aead_key key;
	struct tls_hs_hash empty;
	size_t len;

	/* ServerHello: with pre_shared_key, which selects the first one, and
	 * key_share behind it.
	 */
	len = read_record(test);
	KUNIT_ASSERT_EQ(test, TLS_RECORD_TYPE_HANDSHAKE, f->record[0]);
	KUNIT_ASSERT_EQ(test, 2, message[0]);
	KUNIT_ASSERT_MEMEQ(test, message + 44,
			   ((u8[]) { 0, 41, 0, 2, 0, 0, 0, 51, 0, 36, 0, 29 }),
			   12);
	tls_hs_hash_update(&f->transcript, message, len);
	tls_hs_hash_init(&empty, false);
	hash_so_far(&empty, hash);
	expand(f->early, "derived", hash, HASH_LEN, derived);
	hmac(derived, message + 58, 32, secret);
	hash_so_far(&f->transcript, hash);
	expand(secret, "c hs traffic", hash, HASH_LEN, client);
	expand(secret, "s hs traffic", hash, HASH_LEN, server);

	/* EncryptedExtensions, which are empty, and Finished: no certificate. */
	len = read_record(test);
	KUNIT_ASSERT_EQ(test, TLS_RECORD_TYPE_DATA, f->record[0]);
	KUNIT_ASSERT_EQ(test, 4 + 2 + 4 + HASH_LEN + 1 + 16, (int)len);
	keys_of(test, server, &key, iv);
	KUNIT_ASSERT_EQ(test, 0, tls_hs_aead_open(&key, iv, f->record, 5,
						  message, len - 16,
						  message + len - 16));
	KUNIT_ASSERT_MEMEQ(test, message,
			   ((u8[]) { 8, 0, 0, 2, 0, 0, 20, 0, 0, HASH_LEN }),
			   10);
	tls_hs_hash_update(&f->transcript, message, 6);
	verify_data(server, &f->transcript, hash);
	KUNIT_ASSERT_MEMEQ(test, hash, message + 10, HASH_LEN);
	tls_hs_hash_update(&f->transcript, message + 6, 4 + HASH_LEN);

	put_unaligned_be32(HASH_LEN, message);
	message[0] = 20;
	verify_data(client, &f->transcript, message + 4);
	message[4 + HASH_LEN] = TLS_RECORD_TYPE_HANDSHAKE;
	len = 4 + HASH_LEN + 1;
	f->record[0] = TLS_RECORD_TYPE_DATA;
	put_unaligned_be16(0x0303, f->record + 1);
	put_unaligned_be16(len + 16, f->record + 3);
	keys_of(test, client, &key, iv);
	tls_hs_aead_seal(&key, iv, f->record, 5, message, len, message + len);
	client_sends(test, 5 + len + 16);
}

/* The user learns which key the client has proved that it has. */
static void serial_of_key(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;

	start(test);
	offer(test, IDENTITY, key_of_identity);
	complete_handshake(test);
	wait_done(test, 0);
	KUNIT_EXPECT_EQ(test, key_serial(f->key), f->peer);
	KUNIT_EXPECT_EQ(test, key_serial(f->key),
			tls_server_handshake_psk(f->server->sk));
}

static void wrong_binder(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;

	start(test);
	offer(test, IDENTITY, key_of_other);
	wait_done(test, -EPROTO);
	KUNIT_EXPECT_EQ(test, 0, f->peer);
	KUNIT_EXPECT_EQ(test, 2, (int)read_record(test));
	KUNIT_EXPECT_EQ(test, TLS_RECORD_TYPE_ALERT, f->record[0]);
	KUNIT_EXPECT_EQ(test, TLS_ALERT_DESC_DECRYPT_ERROR, f->record[6]);
}

/* Its ClientHello is there to be read. */
static void unknown_identity(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct kvec vec = { .iov_base = f->record, .iov_len = 1 };
	struct msghdr msg = {};

	start(test);
	offer(test, "NVMe1R01 nqn.nobody", key_of_identity);
	wait_done(test, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, 0, f->peer);
	KUNIT_EXPECT_EQ(test, 1, kernel_recvmsg(f->server, &msg, &vec, 1, 1,
						MSG_DONTWAIT));
	KUNIT_EXPECT_EQ(test, TLS_RECORD_TYPE_HANDSHAKE, f->record[0]);
}

/* The settings that are kept notice a change. */
static void revoked_key(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;

	start(test);
	key_revoke(f->key);
	offer(test, IDENTITY, key_of_identity);
	wait_done(test, -EOPNOTSUPP);
}

static void added_key(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct key *key;

	start(test);
	key = add_psk(f->ring, "new", key_of_other, sizeof(key_of_other));
	KUNIT_ASSERT_FALSE(test, IS_ERR(key));
	offer(test, "new", key_of_other);
	complete_handshake(test);
	wait_done(test, 0);
	KUNIT_EXPECT_EQ(test, key_serial(key), f->peer);
	key_put(key);
}

static void settings_are_kept(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	key_serial_t ring = key_serial(f->ring);
	struct tls_hs_conf *a, *b, *c;
	u32 i;

	a = tls_hs_conf_get_psk(&init_net, ring, 5000);
	b = tls_hs_conf_get_psk(&init_net, ring, 5000);
	c = tls_hs_conf_get_psk(&init_net, ring, 6000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a) || IS_ERR(b) || IS_ERR(c));
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_PTR_NE(test, a, c);
	tls_hs_conf_put(b);
	tls_hs_conf_put(c);
	/* Not all of them: with others in their place these are made anew. */
	for (i = 1; i <= 8; i++) {
		c = tls_hs_conf_get_psk(&init_net, ring, i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(c));
		tls_hs_conf_put(c);
	}
	b = tls_hs_conf_get_psk(&init_net, ring, 5000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	KUNIT_EXPECT_PTR_NE(test, a, b);
	tls_hs_conf_put(a);
	tls_hs_conf_put(b);
}

static void unusable_keyrings(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct tls_hs_conf *conf;

	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->key), 0);
	KUNIT_EXPECT_EQ(test, -ENOTDIR, PTR_ERR_OR_ZERO(conf));
	conf = tls_hs_conf_get_psk(&init_net, 0, 0);
	KUNIT_EXPECT_EQ(test, -ENOKEY, PTR_ERR_OR_ZERO(conf));
	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 300001);
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(conf));
	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(conf));
	tls_hs_conf_put(conf);
	KUNIT_ASSERT_EQ(test, 0, keyring_clear(f->ring));
	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 1);
	KUNIT_EXPECT_EQ(test, -ENOKEY, PTR_ERR_OR_ZERO(conf));
	/* Neither is one kept for a keyring that cannot be used any more. */
	key_revoke(f->ring);
	conf = tls_hs_conf_get_psk(&init_net, key_serial(f->ring), 0);
	KUNIT_EXPECT_EQ(test, -EKEYREVOKED, PTR_ERR_OR_ZERO(conf));
}

/* Keys belong to the network namespace in which they have been added. */
static void another_namespace(struct kunit *test)
{
	struct tls_hs_psk_fixture *f = test->priv;
	struct tls_hs_conf *conf;
	struct net *net;

	net = copy_net_ns(CLONE_NEWNET, current_user_ns(), &init_net);
	if (IS_ERR(net))
		kunit_skip(test, "no network namespace");
	conf = tls_hs_conf_get_psk(net, key_serial(f->ring), 0);
	KUNIT_EXPECT_EQ(test, -ENOKEY, PTR_ERR_OR_ZERO(conf));
	if (!IS_ERR(conf))
		tls_hs_conf_put(conf);
	put_net(net);
}

static struct kunit_case tls_hs_psk_cases[] = {
	KUNIT_CASE(serial_of_key),
	KUNIT_CASE(wrong_binder),
	KUNIT_CASE(unknown_identity),
	KUNIT_CASE(revoked_key),
	KUNIT_CASE(added_key),
	KUNIT_CASE(settings_are_kept),
	KUNIT_CASE(unusable_keyrings),
	KUNIT_CASE(another_namespace),
	{}
};

static struct kunit_suite tls_hs_psk_suite = {
	.name = "tls_handshake_psk",
	.suite_init = tls_hs_psk_suite_init,
	.suite_exit = tls_hs_psk_suite_exit,
	.init = tls_hs_psk_test_init,
	.exit = tls_hs_psk_test_exit,
	.test_cases = tls_hs_psk_cases,
};

kunit_test_suite(tls_hs_psk_suite);
