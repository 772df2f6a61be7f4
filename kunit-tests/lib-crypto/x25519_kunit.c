// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests and benchmark for X25519
 */

#include <crypto/x25519.h>
#include <kunit/run-in-irq-context.h>
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/random.h>
#include "test-utils.h"
#include "x25519-testvecs.h"

static const u8 base_point[X25519_PUBLIC_KEY_SIZE] = { 9 };

/* Where a function reads and writes, each followed by an unmapped page */
struct buffers {
	u8 *pk, *ss, *sk, *peer;
};

static void alloc_buffers(struct kunit *test, struct buffers *b)
{
	b->pk = alloc_guarded_buf(test, X25519_PUBLIC_KEY_SIZE);
	b->ss = alloc_guarded_buf(test, X25519_SHARED_SECRET_SIZE);
	b->sk = alloc_guarded_buf(test, X25519_PRIVATE_KEY_SIZE);
	b->peer = alloc_guarded_buf(test, X25519_PUBLIC_KEY_SIZE);
}

/* Each function gives the same, also for keys of which nothing may be used. */
static void test_x25519_vectors(struct kunit *test)
{
	u8 own[X25519_PUBLIC_KEY_SIZE];
	struct buffers b;

	alloc_buffers(test, &b);
	for (size_t i = 0; i < ARRAY_SIZE(x25519_vectors); i++) {
		const u8 *ss = x25519_vectors[i].ss;
		int expected = mem_is_zero(ss, X25519_SHARED_SECRET_SIZE) ?
			       -EBADMSG : 0;

		memcpy(b.sk, x25519_vectors[i].sk, X25519_PRIVATE_KEY_SIZE);
		memcpy(b.peer, x25519_vectors[i].peer, X25519_PUBLIC_KEY_SIZE);
		memset(b.ss, 0xff, X25519_SHARED_SECRET_SIZE);
		KUNIT_ASSERT_EQ_MSG(test, expected, x25519(b.ss, b.sk, b.peer),
				    "vector %zu", i);
		KUNIT_ASSERT_MEMEQ_MSG(test, b.ss, ss, X25519_SHARED_SECRET_SIZE,
				       "vector %zu", i);

		x25519_public_key(b.pk, b.sk);
		memcpy(own, b.pk, sizeof(own));
		memset(b.pk, 0xff, X25519_PUBLIC_KEY_SIZE);
		memset(b.ss, 0xff, X25519_SHARED_SECRET_SIZE);
		KUNIT_ASSERT_EQ_MSG(test, expected,
				    x25519_ephemeral_internal(b.pk, b.ss,
							      b.peer, b.sk),
				    "vector %zu", i);
		KUNIT_ASSERT_MEMEQ_MSG(test, b.ss, ss, X25519_SHARED_SECRET_SIZE,
				       "vector %zu", i);
		KUNIT_ASSERT_MEMEQ_MSG(test, b.pk, own, sizeof(own),
				       "vector %zu", i);
	}
}

/* RFC 7748, section 6.1 */
static void test_x25519_key_pairs(struct kunit *test)
{
	struct buffers b;

	alloc_buffers(test, &b);
	for (size_t i = 0; i < ARRAY_SIZE(x25519_key_pairs); i++) {
		memcpy(b.sk, x25519_key_pairs[i].sk, X25519_PRIVATE_KEY_SIZE);
		x25519_public_key(b.pk, b.sk);
		KUNIT_ASSERT_MEMEQ(test, b.pk, x25519_key_pairs[i].pk,
				   X25519_PUBLIC_KEY_SIZE);
	}
}

/* The comb of the base point against the ladder */
static void test_x25519_base_point(struct kunit *test)
{
	struct buffers b;

	alloc_buffers(test, &b);
	memcpy(b.peer, base_point, X25519_PUBLIC_KEY_SIZE);
	for (int i = 0; i < 1000; i++) {
		get_random_bytes(b.sk, X25519_PRIVATE_KEY_SIZE);
		x25519_public_key(b.pk, b.sk);
		KUNIT_ASSERT_EQ(test, 0, x25519(b.ss, b.sk, b.peer));
		KUNIT_ASSERT_MEMEQ_MSG(test, b.pk, b.ss, X25519_PUBLIC_KEY_SIZE,
				       "sk=%*phN", X25519_PRIVATE_KEY_SIZE,
				       b.sk);
	}
}

/* Both sides agree on the same, and each time on something else. */
static void test_x25519_ephemeral(struct kunit *test)
{
	u8 last[X25519_SHARED_SECRET_SIZE] = {};
	u8 same[X25519_SHARED_SECRET_SIZE];
	struct buffers b;

	alloc_buffers(test, &b);
	for (int i = 0; i < 100; i++) {
		get_random_bytes(b.sk, X25519_PRIVATE_KEY_SIZE);
		x25519_public_key(b.peer, b.sk);
		KUNIT_ASSERT_EQ(test, 0, x25519_ephemeral(b.pk, b.ss, b.peer));
		KUNIT_ASSERT_EQ(test, 0, x25519(same, b.sk, b.pk));
		KUNIT_ASSERT_MEMEQ(test, same, b.ss, sizeof(same));
		KUNIT_ASSERT_MEMNEQ(test, last, b.ss, sizeof(last));
		memcpy(last, b.ss, sizeof(last));
	}
}

static bool x25519_irq_test_func(void *state)
{
	u8 pk[X25519_PUBLIC_KEY_SIZE], ss[X25519_SHARED_SECRET_SIZE];

	return x25519_ephemeral_internal(pk, ss, x25519_vectors[0].peer,
					 x25519_vectors[0].sk) == 0 &&
	       memcmp(ss, x25519_vectors[0].ss, sizeof(ss)) == 0;
}

static void test_x25519_in_irqs(struct kunit *test)
{
	kunit_run_irq_test(test, x25519_irq_test_func, 20000, NULL);
}

static void benchmark_x25519(struct kunit *test)
{
	const int niter = 1000;
	u8 pk[X25519_PUBLIC_KEY_SIZE], ss[X25519_SHARED_SECRET_SIZE];
	const u8 *peer = x25519_vectors[0].peer;
	const u8 *sk = x25519_vectors[0].sk;
	int err = 0;
	u64 t;

	if (!IS_ENABLED(CONFIG_CRYPTO_LIB_BENCHMARK))
		kunit_skip(test, "not enabled");

	/* Warm-up */
	for (int i = 0; i < niter; i++)
		err |= x25519_ephemeral(pk, ss, peer);

	preempt_disable();
	t = ktime_get_ns();
	for (int i = 0; i < niter; i++)
		err |= x25519_ephemeral(pk, ss, peer);
	t = ktime_get_ns() - t;
	preempt_enable();
	kunit_info(test, "X25519, with a key pair: %llu ns",
		   div_u64(t, niter));

	preempt_disable();
	t = ktime_get_ns();
	for (int i = 0; i < niter; i++)
		x25519_public_key(pk, sk);
	t = ktime_get_ns() - t;
	preempt_enable();
	kunit_info(test, "X25519, public key: %llu ns", div_u64(t, niter));

	preempt_disable();
	t = ktime_get_ns();
	for (int i = 0; i < niter; i++)
		err |= x25519(ss, sk, peer);
	t = ktime_get_ns() - t;
	preempt_enable();
	kunit_info(test, "X25519, shared secret: %llu ns", div_u64(t, niter));
	KUNIT_EXPECT_EQ(test, err, 0);
}

static struct kunit_case x25519_test_cases[] = {
	KUNIT_CASE(test_x25519_vectors),
	KUNIT_CASE(test_x25519_key_pairs),
	KUNIT_CASE(test_x25519_base_point),
	KUNIT_CASE(test_x25519_ephemeral),
	KUNIT_CASE_SLOW(test_x25519_in_irqs),
	KUNIT_CASE(benchmark_x25519),
	{},
};

static struct kunit_suite x25519_test_suite = {
	.name = "x25519",
	.test_cases = x25519_test_cases,
};

kunit_test_suite(x25519_test_suite);

MODULE_DESCRIPTION("KUnit tests and benchmark for X25519");
MODULE_LICENSE("GPL");
