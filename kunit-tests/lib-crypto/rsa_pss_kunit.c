// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests and benchmark for RSA-PSS
 */

#include <crypto/rsa_pss.h>
#include <kunit/run-in-irq-context.h>
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/preempt.h>
#include "rsa_pss-testvecs.h"
#include "test-utils.h"

static const struct rsa_pss_testvec *const vectors[] = {
	&rsa_pss_2048,
	&rsa_pss_3072,
	&rsa_pss_4096,
};

static struct rsa_pss_raw_key raw_key(const struct rsa_pss_testvec *tv)
{
	return (struct rsa_pss_raw_key){
		.n = tv->n,
		.e = rsa_pss_e,
		.p = tv->p,
		.q = tv->q,
		.dp = tv->dp,
		.dq = tv->dq,
		.qinv = tv->qinv,
		.n_len = tv->len,
		.e_len = sizeof(rsa_pss_e),
		.p_len = tv->len / 2,
		.q_len = tv->len / 2,
		.dp_len = tv->len / 2,
		.dq_len = tv->len / 2,
		.qinv_len = tv->len / 2,
	};
}

static struct rsa_pss_key *prepare(struct kunit *test,
				   const struct rsa_pss_testvec *tv)
{
	struct rsa_pss_key *key = alloc_guarded_buf(test, sizeof(*key));
	struct rsa_pss_raw_key raw = raw_key(tv);

	KUNIT_ASSERT_EQ(test, 0, rsa_pss_preparekey(key, &raw));
	KUNIT_ASSERT_EQ(test, tv->len, rsa_pss_modulus_size(key));
	return key;
}

static struct rsa_pss_workspace *alloc_workspace(struct kunit *test)
{
	struct rsa_pss_workspace *ws = alloc_guarded_buf(test, sizeof(*ws));

	return memset(ws, 0, sizeof(*ws));
}

static void test_rsa_pss_sign(struct kunit *test)
{
	struct rsa_pss_workspace *ws = alloc_workspace(test);

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct rsa_pss_testvec *tv = vectors[i];
		struct rsa_pss_key *key = prepare(test, tv);
		u8 *sig = alloc_guarded_buf(test, tv->len);

		memset(sig, 0, tv->len);
		KUNIT_ASSERT_EQ(test, tv->len,
				rsa_pss_sign_internal(sig, tv->len, key,
						      rsa_pss_digest,
						      rsa_pss_salt, ws));
		KUNIT_ASSERT_MEMEQ(test, sig, tv->sig, tv->len);
	}
}

/* No room for a signature, and more than it takes */
static void test_rsa_pss_signature_length(struct kunit *test)
{
	const struct rsa_pss_testvec *tv = &rsa_pss_2048;
	struct rsa_pss_workspace *ws = alloc_workspace(test);
	struct rsa_pss_key *key = prepare(test, tv);
	u8 *sig = alloc_guarded_buf(test, tv->len + 1);

	sig[tv->len] = 0x5a;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			rsa_pss_sign(sig, tv->len - 1, key, rsa_pss_digest, ws));
	KUNIT_EXPECT_EQ(test, tv->len,
			rsa_pss_sign(sig, tv->len + 1, key, rsa_pss_digest, ws));
	KUNIT_EXPECT_EQ(test, 0x5a, sig[tv->len]);
}

static void test_rsa_pss_fresh_salt(struct kunit *test)
{
	const struct rsa_pss_testvec *tv = &rsa_pss_2048;
	struct rsa_pss_workspace *ws = alloc_workspace(test);
	struct rsa_pss_key *key = prepare(test, tv);
	u8 a[256], b[256];

	KUNIT_ASSERT_EQ(test, tv->len,
			rsa_pss_sign(a, sizeof(a), key, rsa_pss_digest, ws));
	KUNIT_ASSERT_EQ(test, tv->len,
			rsa_pss_sign(b, sizeof(b), key, rsa_pss_digest, ws));
	KUNIT_EXPECT_MEMNEQ(test, a, b, sizeof(a));
}

/* Nothing leaves that would give the factors of the modulus away. */
static void test_rsa_pss_faults(struct kunit *test)
{
	const struct rsa_pss_testvec *tv = &rsa_pss_2048;
	struct rsa_pss_workspace *ws = alloc_workspace(test);
	struct rsa_pss_key *key = alloc_guarded_buf(test, sizeof(*key));
	u8 *faulty = alloc_buf(test, tv->len / 2);
	u8 sig[256];

	for (int i = 0; i < 3; i++) {
		struct rsa_pss_raw_key raw = raw_key(tv);
		const u8 **number = i == 0 ? &raw.dp :
				    i == 1 ? &raw.dq : &raw.qinv;

		memcpy(faulty, *number, tv->len / 2);
		faulty[tv->len / 2 - 1] ^= 2;
		*number = faulty;
		KUNIT_ASSERT_EQ(test, 0, rsa_pss_preparekey(key, &raw));
		memset(sig, 0xff, sizeof(sig));
		KUNIT_EXPECT_EQ(test, -EKEYREJECTED,
				rsa_pss_sign(sig, sizeof(sig), key,
					     rsa_pss_digest, ws));
		KUNIT_EXPECT_TRUE(test, mem_is_zero(sig, sizeof(sig)));
	}
}

static void test_rsa_pss_bad_keys(struct kunit *test)
{
	const struct rsa_pss_testvec *tv = &rsa_pss_2048;
	struct rsa_pss_key *key = alloc_guarded_buf(test, sizeof(*key));
	static const u8 even[] = { 0x01, 0x00, 0x00 }, three[] = { 3 };
	static const u8 long_e[] = { 0x01, 0x00, 0x00, 0x00, 0x01 };
	struct rsa_pss_raw_key raw;
	u8 *n;

	/* Unknown lengths of the modulus */
	for (size_t len = 0; len < RSA_PSS_MAX_MODULUS_SIZE; len++) {
		if (len == 256 || len == 384)
			continue;
		raw = raw_key(&rsa_pss_4096);
		raw.n_len = len;
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
				rsa_pss_preparekey(key, &raw));
	}

	/* Primes that are not the modulus's */
	raw = raw_key(tv);
	raw.q = raw.p;
	KUNIT_EXPECT_EQ(test, -EINVAL, rsa_pss_preparekey(key, &raw));

	/* Numbers that are too short or not there */
	raw = raw_key(tv);
	raw.p_len--;
	KUNIT_EXPECT_EQ(test, -EINVAL, rsa_pss_preparekey(key, &raw));
	raw = raw_key(tv);
	raw.q_len = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, rsa_pss_preparekey(key, &raw));

	/* Exponents */
	raw = raw_key(tv);
	raw.e = even;
	KUNIT_EXPECT_EQ(test, -EINVAL, rsa_pss_preparekey(key, &raw));
	raw.e = three;
	raw.e_len = sizeof(three);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, rsa_pss_preparekey(key, &raw));
	raw.e = long_e;
	raw.e_len = sizeof(long_e);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, rsa_pss_preparekey(key, &raw));

	/* 2047 bits */
	raw = raw_key(tv);
	n = alloc_guarded_buf(test, raw.n_len);
	memcpy(n, raw.n, raw.n_len);
	n[0] &= 0x7f;
	raw.n = n;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, rsa_pss_preparekey(key, &raw));

	/* Not below p */
	raw = raw_key(tv);
	raw.qinv = raw.p;
	KUNIT_EXPECT_EQ(test, -EINVAL, rsa_pss_preparekey(key, &raw));
}

struct rsa_pss_irq_test_state {
	const struct rsa_pss_key *key;
	/* For task, softirq and hardirq, as they interrupt each other */
	struct rsa_pss_workspace *ws[3];
	u8 *sig[3];
};

static bool rsa_pss_irq_test_func(void *state_)
{
	struct rsa_pss_irq_test_state *state = state_;
	int i = in_hardirq() ? 2 : in_serving_softirq() ? 1 : 0;

	return rsa_pss_sign_internal(state->sig[i], 256, state->key,
				     rsa_pss_digest, rsa_pss_salt,
				     state->ws[i]) == 256 &&
	       memcmp(state->sig[i], rsa_pss_2048.sig, 256) == 0;
}

static void test_rsa_pss_in_irqs(struct kunit *test)
{
	struct rsa_pss_irq_test_state state;

	state.key = prepare(test, &rsa_pss_2048);
	for (int i = 0; i < 3; i++) {
		state.ws[i] = alloc_workspace(test);
		state.sig[i] = alloc_guarded_buf(test, 256);
	}
	kunit_run_irq_test(test, rsa_pss_irq_test_func, 500, &state);
}

static void benchmark_rsa_pss(struct kunit *test)
{
	struct rsa_pss_workspace *ws = alloc_workspace(test);
	const int niter = 100;
	u8 sig[512];

	if (!IS_ENABLED(CONFIG_CRYPTO_LIB_BENCHMARK))
		kunit_skip(test, "not enabled");

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct rsa_pss_key *key = prepare(test, vectors[i]);
		u64 t = 0;

		/* The first quarter is for warm-up. */
		for (int j = -niter / 4; j < niter; j++) {
			if (j == 0)
				t = ktime_get_ns();
			KUNIT_ASSERT_GT(test,
					rsa_pss_sign(sig, sizeof(sig), key,
						     rsa_pss_digest, ws), 0);
		}
		t = ktime_get_ns() - t;
		kunit_info(test, "RSA-%zu, sign: %llu ns", 8 * vectors[i]->len,
			   div_u64(t, niter));
	}
}

static struct kunit_case rsa_pss_test_cases[] = {
	KUNIT_CASE(test_rsa_pss_sign),
	KUNIT_CASE(test_rsa_pss_signature_length),
	KUNIT_CASE(test_rsa_pss_fresh_salt),
	KUNIT_CASE(test_rsa_pss_faults),
	KUNIT_CASE(test_rsa_pss_bad_keys),
	KUNIT_CASE_SLOW(test_rsa_pss_in_irqs),
	KUNIT_CASE_SLOW(benchmark_rsa_pss),
	{},
};

static struct kunit_suite rsa_pss_test_suite = {
	.name = "rsa_pss",
	.test_cases = rsa_pss_test_cases,
};

kunit_test_suite(rsa_pss_test_suite);

MODULE_DESCRIPTION("KUnit tests and benchmark for RSA-PSS");
MODULE_LICENSE("GPL");
