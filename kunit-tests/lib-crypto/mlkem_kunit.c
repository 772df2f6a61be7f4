// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests and benchmark for ML-KEM
 */

#include <crypto/mlkem.h>
#include <kunit/run-in-irq-context.h>
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/preempt.h>
#include "mlkem-testvecs.h"
#include "test-utils.h"

#define Q 3329

/* Where a function reads and writes, each followed by an unmapped page */
struct buffers {
	u8 *pk, *eseed, *ct, *ss;
	struct mlkem768_encaps_workspace *ws;
};

static void alloc_buffers(struct kunit *test, struct buffers *b)
{
	b->pk = alloc_guarded_buf(test, MLKEM768_PUBLIC_KEY_BYTES);
	b->eseed = alloc_guarded_buf(test, MLKEM_ESEED_BYTES);
	b->ct = alloc_guarded_buf(test, MLKEM768_CIPHERTEXT_BYTES);
	b->ss = alloc_guarded_buf(test, MLKEM_SHARED_SECRET_BYTES);
	b->ws = alloc_guarded_buf(test, sizeof(*b->ws));
	memset(b->ws, 0, sizeof(*b->ws));
}

static void test_mlkem768_encaps(struct kunit *test)
{
	struct buffers b;

	alloc_buffers(test, &b);
	for (size_t i = 0; i < ARRAY_SIZE(mlkem768_encaps_vectors); i++) {
		memcpy(b.pk, mlkem768_encaps_vectors[i].pk,
		       MLKEM768_PUBLIC_KEY_BYTES);
		memcpy(b.eseed, mlkem768_encaps_vectors[i].eseed,
		       MLKEM_ESEED_BYTES);
		memset(b.ct, 0, MLKEM768_CIPHERTEXT_BYTES);
		memset(b.ss, 0, MLKEM_SHARED_SECRET_BYTES);
		KUNIT_ASSERT_EQ(test, 0,
				mlkem768_encaps_ws_internal(b.ct, b.ss, b.pk,
							    b.eseed, b.ws));
		KUNIT_ASSERT_MEMEQ(test, b.ct, mlkem768_encaps_vectors[i].ct,
				   MLKEM768_CIPHERTEXT_BYTES);
		KUNIT_ASSERT_MEMEQ(test, b.ss, mlkem768_encaps_vectors[i].ss,
				   MLKEM_SHARED_SECRET_BYTES);
	}
}

static void expect_malformed(struct kunit *test, struct buffers *b)
{
	u8 zeroes[MLKEM_SHARED_SECRET_BYTES] = {};

	memset(b->ct, 0, MLKEM768_CIPHERTEXT_BYTES);
	memset(b->ss, 0, MLKEM_SHARED_SECRET_BYTES);
	KUNIT_ASSERT_EQ(test, -EBADMSG,
			mlkem768_encaps_ws(b->ct, b->ss, b->pk, b->ws));
	KUNIT_ASSERT_MEMEQ(test, b->ss, zeroes, sizeof(zeroes));
	KUNIT_ASSERT_TRUE(test, mem_is_zero(b->ct, MLKEM768_CIPHERTEXT_BYTES));
}

/* Keys with coefficients that are not reduced (FIPS 203, section 7.2) */
static void test_mlkem768_bad_keys(struct kunit *test)
{
	struct buffers b;

	alloc_buffers(test, &b);
	for (size_t i = 0; i < ARRAY_SIZE(mlkem768_bad_keys); i++) {
		memcpy(b.pk, mlkem768_bad_keys[i], MLKEM768_PUBLIC_KEY_BYTES);
		expect_malformed(test, &b);
	}

	memcpy(b.pk, mlkem768_encaps_vectors[0].pk, MLKEM768_PUBLIC_KEY_BYTES);
	for (int i = 0; i < 3 * 256; i++) {
		u8 *bytes = &b.pk[i / 2 * 3];
		u8 old[3];

		memcpy(old, bytes, sizeof(old));
		for (int value = Q - 1; value <= 4095;
		     value += value == Q ? 4095 - Q : 1) {
			if (i % 2) {
				bytes[1] = (bytes[1] & 0x0f) | value << 4;
				bytes[2] = value >> 4;
			} else {
				bytes[0] = value;
				bytes[1] = (bytes[1] & 0xf0) | value >> 8;
			}
			if (value >= Q)
				expect_malformed(test, &b);
			else
				KUNIT_ASSERT_EQ(test, 0,
						mlkem768_encaps_ws(b.ct, b.ss,
								   b.pk, b.ws));
		}
		memcpy(bytes, old, sizeof(old));
	}
}

static void test_mlkem768_fresh_randomness(struct kunit *test)
{
	u8 last[MLKEM_SHARED_SECRET_BYTES] = {};
	struct buffers b;

	alloc_buffers(test, &b);
	memcpy(b.pk, mlkem768_encaps_vectors[0].pk, MLKEM768_PUBLIC_KEY_BYTES);
	for (int i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				mlkem768_encaps_ws(b.ct, b.ss, b.pk, b.ws));
		KUNIT_ASSERT_MEMNEQ(test, b.ss, last, sizeof(last));
		memcpy(last, b.ss, sizeof(last));
	}
}

/* One for each of task, softirq and hardirq, as they interrupt each other */
static bool mlkem768_irq_test_func(void *state)
{
	struct buffers *b = state;

	if (in_hardirq())
		b += 2;
	else if (in_serving_softirq())
		b += 1;
	return mlkem768_encaps_ws_internal(b->ct, b->ss, b->pk, b->eseed,
					   b->ws) == 0 &&
	       memcmp(b->ss, mlkem768_encaps_vectors[0].ss,
		      MLKEM_SHARED_SECRET_BYTES) == 0 &&
	       memcmp(b->ct, mlkem768_encaps_vectors[0].ct,
		      MLKEM768_CIPHERTEXT_BYTES) == 0;
}

static void test_mlkem768_in_irqs(struct kunit *test)
{
	struct buffers b[3];

	for (int i = 0; i < ARRAY_SIZE(b); i++) {
		alloc_buffers(test, &b[i]);
		memcpy(b[i].pk, mlkem768_encaps_vectors[0].pk,
		       MLKEM768_PUBLIC_KEY_BYTES);
		memcpy(b[i].eseed, mlkem768_encaps_vectors[0].eseed,
		       MLKEM_ESEED_BYTES);
	}
	kunit_run_irq_test(test, mlkem768_irq_test_func, 50000, b);
}

static void benchmark_mlkem768(struct kunit *test)
{
	const int niter = 2000;
	struct buffers b;
	u64 t = 0;

	if (!IS_ENABLED(CONFIG_CRYPTO_LIB_BENCHMARK))
		kunit_skip(test, "not enabled");

	alloc_buffers(test, &b);
	memcpy(b.pk, mlkem768_encaps_vectors[0].pk, MLKEM768_PUBLIC_KEY_BYTES);
	/* The first half is for warm-up. */
	for (int i = 0; i < 2 * niter; i++) {
		if (i == niter)
			t = ktime_get_ns();
		KUNIT_ASSERT_EQ(test, 0,
				mlkem768_encaps_ws(b.ct, b.ss, b.pk, b.ws));
	}
	t = ktime_get_ns() - t;
	kunit_info(test, "ML-KEM-768, encapsulate: %llu ns", div_u64(t, niter));
}

static struct kunit_case mlkem_test_cases[] = {
	KUNIT_CASE(test_mlkem768_encaps),
	KUNIT_CASE(test_mlkem768_bad_keys),
	KUNIT_CASE(test_mlkem768_fresh_randomness),
	KUNIT_CASE_SLOW(test_mlkem768_in_irqs),
	KUNIT_CASE(benchmark_mlkem768),
	{},
};

static struct kunit_suite mlkem_test_suite = {
	.name = "mlkem",
	.test_cases = mlkem_test_cases,
};

kunit_test_suite(mlkem_test_suite);

MODULE_DESCRIPTION("KUnit tests and benchmark for ML-KEM");
MODULE_LICENSE("GPL");
