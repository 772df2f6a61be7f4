// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests and benchmark for P-256
 */

#include <crypto/p256.h>
#include <kunit/run-in-irq-context.h>
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/random.h>
#include "p256-testvecs.h"
#include "test-utils.h"

/* The order of the curve */
static const u8 order[P256_PRIVATE_KEY_SIZE] = {
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
	0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
	0x25, 0x51,
};

/* Copies data to the end of a page that is followed by an unmapped one. */
static u8 *guarded_copy(struct kunit *test, const u8 *data, size_t len)
{
	return memcpy(alloc_guarded_buf(test, len), data, len);
}

static void test_p256_key_pairs(struct kunit *test)
{
	for (size_t i = 0; i < ARRAY_SIZE(p256_key_pairs); i++) {
		u8 *sk = guarded_copy(test, p256_key_pairs[i].sk,
				      P256_PRIVATE_KEY_SIZE);
		u8 *pk = alloc_guarded_buf(test, P256_PUBLIC_KEY_SIZE);

		KUNIT_ASSERT_EQ(test, 0, p256_public_key(pk, sk));
		KUNIT_ASSERT_MEMEQ(test, pk, p256_key_pairs[i].pk,
				   P256_PUBLIC_KEY_SIZE);
	}
}

/* Private keys are from 1 to the order of the curve less 1. */
static void test_p256_private_key_range(struct kunit *test)
{
	u8 sk[P256_PRIVATE_KEY_SIZE], pk[P256_PUBLIC_KEY_SIZE];
	u8 zeroes[P256_PUBLIC_KEY_SIZE] = {};
	u8 sig[P256_MAX_SIGNATURE_SIZE];
	const u8 *digest = order;

	memcpy(sk, order, sizeof(sk));
	sk[31]--;
	KUNIT_EXPECT_EQ(test, 0, p256_public_key(pk, sk));
	KUNIT_EXPECT_GT(test, p256_ecdsa_sign(sig, sk, digest), 0);

	for (int i = 0; i < 3; i++) {
		switch (i) {
		case 0:
			memset(sk, 0, sizeof(sk));
			break;
		case 1:
			memcpy(sk, order, sizeof(sk));
			break;
		case 2:
			memset(sk, 0xff, sizeof(sk));
			break;
		}
		memset(pk, 0, sizeof(pk));
		memset(sig, 0, sizeof(sig));
		KUNIT_EXPECT_EQ(test, -EINVAL, p256_public_key(pk, sk));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				p256_ecdh(pk, sig, sk, p256_key_pairs[0].pk));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				p256_ecdsa_sign(sig, sk, digest));
		KUNIT_EXPECT_MEMEQ(test, pk, zeroes, sizeof(pk));
		KUNIT_EXPECT_MEMEQ(test, sig, zeroes, sizeof(zeroes));
	}
}

static void test_p256_points(struct kunit *test)
{
	u8 pk[P256_PUBLIC_KEY_SIZE], ss[P256_SHARED_SECRET_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(p256_points); i++) {
		u8 *peer = guarded_copy(test, p256_points[i].pk,
					P256_PUBLIC_KEY_SIZE);
		int expected = p256_points[i].valid ? 0 : -EBADMSG;

		KUNIT_EXPECT_EQ(test, expected,
				p256_ecdh_ephemeral(pk, ss, peer));
		/* Neither compressed nor infinity */
		for (peer[0] = 0; peer[0] < 4; peer[0]++)
			KUNIT_EXPECT_EQ(test, -EBADMSG,
					p256_ecdh_ephemeral(pk, ss, peer));
	}
}

static void test_p256_ecdh(struct kunit *test)
{
	u8 *pk = alloc_guarded_buf(test, P256_PUBLIC_KEY_SIZE);
	u8 *ss = alloc_guarded_buf(test, P256_SHARED_SECRET_SIZE);
	u8 *sk = alloc_guarded_buf(test, P256_PRIVATE_KEY_SIZE);
	u8 *peer = alloc_guarded_buf(test, P256_PUBLIC_KEY_SIZE);
	u8 own[P256_PUBLIC_KEY_SIZE], zeroes[P256_PUBLIC_KEY_SIZE] = {};

	for (size_t i = 0; i < ARRAY_SIZE(p256_ecdh_vectors); i++) {
		memcpy(sk, p256_ecdh_vectors[i].sk, P256_PRIVATE_KEY_SIZE);
		memcpy(peer, p256_ecdh_vectors[i].peer, P256_PUBLIC_KEY_SIZE);
		memset(pk, 0, P256_PUBLIC_KEY_SIZE);
		memset(ss, 0, P256_SHARED_SECRET_SIZE);
		if (p256_ecdh_vectors[i].valid) {
			KUNIT_ASSERT_EQ(test, 0, p256_public_key(own, sk));
			KUNIT_ASSERT_EQ(test, 0, p256_ecdh(pk, ss, sk, peer));
			KUNIT_ASSERT_MEMEQ(test, pk, own, sizeof(own));
			KUNIT_ASSERT_MEMEQ(test, ss, p256_ecdh_vectors[i].ss,
					   P256_SHARED_SECRET_SIZE);
		} else {
			KUNIT_ASSERT_EQ(test, -EBADMSG,
					p256_ecdh(pk, ss, sk, peer));
			KUNIT_ASSERT_MEMEQ(test, pk, zeroes, sizeof(zeroes));
			KUNIT_ASSERT_MEMEQ(test, ss, zeroes,
					   P256_SHARED_SECRET_SIZE);
		}
	}
}

/* Both sides agree on the same, and each time on something else. */
static void test_p256_ecdh_ephemeral(struct kunit *test)
{
	u8 pk[P256_PUBLIC_KEY_SIZE], ss[P256_SHARED_SECRET_SIZE];
	u8 last[P256_SHARED_SECRET_SIZE] = {};
	u8 own[P256_PUBLIC_KEY_SIZE], same[P256_SHARED_SECRET_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(p256_key_pairs); i++) {
		KUNIT_ASSERT_EQ(test, 0,
				p256_ecdh_ephemeral(pk, ss, p256_key_pairs[i].pk));
		KUNIT_ASSERT_EQ(test, 0,
				p256_ecdh(own, same, p256_key_pairs[i].sk, pk));
		KUNIT_ASSERT_MEMEQ(test, same, ss, sizeof(ss));
		KUNIT_ASSERT_MEMNEQ(test, last, ss, sizeof(ss));
		memcpy(last, ss, sizeof(ss));
	}
}

static void test_p256_ecdsa(struct kunit *test)
{
	u8 *sig = alloc_guarded_buf(test, P256_MAX_SIGNATURE_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(p256_ecdsa_vectors); i++) {
		u8 *sk = guarded_copy(test, p256_ecdsa_vectors[i].sk,
				      P256_PRIVATE_KEY_SIZE);
		u8 *digest = guarded_copy(test, p256_ecdsa_vectors[i].digest,
					  P256_DIGEST_SIZE);

		KUNIT_ASSERT_EQ(test, p256_ecdsa_vectors[i].sig_len,
				p256_ecdsa_sign_internal(sig, sk, digest, NULL,
							 0));
		KUNIT_ASSERT_MEMEQ(test, sig, p256_ecdsa_vectors[i].sig,
				   p256_ecdsa_vectors[i].sig_len);
	}
}

/* Signatures are fresh, have the form that they should, and vary in length. */
static void test_p256_ecdsa_form(struct kunit *test)
{
	u8 *sig = alloc_guarded_buf(test, P256_MAX_SIGNATURE_SIZE);
	u8 last[P256_MAX_SIGNATURE_SIZE] = {};
	const u8 *sk = p256_ecdsa_vectors[0].sk;
	const u8 *digest = p256_ecdsa_vectors[0].digest;
	bool shorter = false;

	for (int i = 0; i < 64; i++) {
		int len = p256_ecdsa_sign(sig, sk, digest);
		int at = 2;

		KUNIT_ASSERT_GE(test, len, 8);
		KUNIT_ASSERT_LE(test, len, P256_MAX_SIGNATURE_SIZE);
		KUNIT_ASSERT_EQ(test, sig[0], 0x30);
		KUNIT_ASSERT_EQ(test, sig[1], len - 2);
		for (int j = 0; j < 2; j++) {
			KUNIT_ASSERT_EQ(test, sig[at], 2);
			/* Not negative, and no longer than it must be */
			KUNIT_ASSERT_LE(test, sig[at + 1], 33);
			KUNIT_ASSERT_EQ(test, sig[at + 2] & 0x80, 0);
			KUNIT_ASSERT_TRUE(test,
					  sig[at + 2] || sig[at + 3] & 0x80);
			at += 2 + sig[at + 1];
		}
		KUNIT_ASSERT_EQ(test, at, len);
		KUNIT_ASSERT_MEMNEQ(test, sig, last, 40);
		memcpy(last, sig, len);
		shorter |= len < P256_MAX_SIGNATURE_SIZE;
	}
	KUNIT_EXPECT_TRUE(test, shorter);
}

static bool p256_irq_test_func(void *state)
{
	u8 pk[P256_PUBLIC_KEY_SIZE], ss[P256_SHARED_SECRET_SIZE];

	return p256_ecdh(pk, ss, p256_ecdh_vectors[0].sk,
			 p256_ecdh_vectors[0].peer) == 0 &&
	       memcmp(ss, p256_ecdh_vectors[0].ss, sizeof(ss)) == 0;
}

static void test_p256_in_irqs(struct kunit *test)
{
	kunit_run_irq_test(test, p256_irq_test_func, 20000, NULL);
}

static bool p256_irq_sign_func(void *state)
{
	u8 sig[P256_MAX_SIGNATURE_SIZE];
	int len = p256_ecdsa_sign_internal(sig, p256_ecdsa_vectors[0].sk,
					   p256_ecdsa_vectors[0].digest, NULL,
					   0);

	return len == p256_ecdsa_vectors[0].sig_len &&
	       memcmp(sig, p256_ecdsa_vectors[0].sig, len) == 0;
}

static void test_p256_sign_in_irqs(struct kunit *test)
{
	kunit_run_irq_test(test, p256_irq_sign_func, 20000, NULL);
}

static void benchmark_p256(struct kunit *test)
{
	const int niter = 1000;
	u8 pk[P256_PUBLIC_KEY_SIZE], ss[P256_SHARED_SECRET_SIZE];
	u8 sig[P256_MAX_SIGNATURE_SIZE];
	u64 t;

	if (!IS_ENABLED(CONFIG_CRYPTO_LIB_BENCHMARK))
		kunit_skip(test, "not enabled");

	/* Warm-up */
	for (int i = 0; i < niter / 4; i++)
		KUNIT_ASSERT_EQ(test, 0,
				p256_ecdh_ephemeral(pk, ss,
						    p256_key_pairs[0].pk));

	t = ktime_get_ns();
	for (int i = 0; i < niter; i++)
		p256_ecdh_ephemeral(pk, ss, p256_key_pairs[0].pk);
	t = ktime_get_ns() - t;
	kunit_info(test, "ECDH, with a key pair: %llu ns",
		   div_u64(t, niter));

	t = ktime_get_ns();
	for (int i = 0; i < niter; i++)
		p256_ecdsa_sign(sig, p256_key_pairs[0].sk, order);
	t = ktime_get_ns() - t;
	kunit_info(test, "ECDSA, sign: %llu ns", div_u64(t, niter));
}

static struct kunit_case p256_test_cases[] = {
	KUNIT_CASE(test_p256_key_pairs),
	KUNIT_CASE(test_p256_private_key_range),
	KUNIT_CASE(test_p256_points),
	KUNIT_CASE(test_p256_ecdh),
	KUNIT_CASE(test_p256_ecdh_ephemeral),
	KUNIT_CASE(test_p256_ecdsa),
	KUNIT_CASE(test_p256_ecdsa_form),
	KUNIT_CASE_SLOW(test_p256_in_irqs),
	KUNIT_CASE_SLOW(test_p256_sign_in_irqs),
	KUNIT_CASE(benchmark_p256),
	{},
};

static struct kunit_suite p256_test_suite = {
	.name = "p256",
	.test_cases = p256_test_cases,
};

kunit_test_suite(p256_test_suite);

MODULE_DESCRIPTION("KUnit tests and benchmark for P-256");
MODULE_LICENSE("GPL");
