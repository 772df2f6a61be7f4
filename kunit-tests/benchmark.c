// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel had before, to be compared with.
 */
#include <crypto/akcipher.h>
#include <crypto/ecc_curve.h>
#include <crypto/ecdh.h>
#include <crypto/internal/ecc.h>
#include <linux/err.h>
#include <linux/printk.h>

#include "benchmark.h"

#define DIGITS ECC_CURVE_NIST_P256_DIGITS

/**
 * tls_hs_bench_ecc() - a key pair and a shared secret on P-256, with crypto/ecc.c
 *
 * Context: may sleep.
 * Return: whether it worked.
 */
bool tls_hs_bench_ecc(void)
{
	u64 private[DIGITS], public[2 * DIGITS], shared[DIGITS];
	static u64 peer[2 * DIGITS];

	if (ecc_gen_privkey(ECC_CURVE_NIST_P256, DIGITS, private) ||
	    ecc_make_pub_key(ECC_CURVE_NIST_P256, DIGITS, private, public))
		return false;
	/* The first public key is the peer of all. */
	if (!peer[0])
		memcpy(peer, public, sizeof(peer));
	return !crypto_ecdh_shared_secret(ECC_CURVE_NIST_P256, DIGITS, private,
					  peer, shared);
}

/**
 * tls_hs_bench_rsa_new() - a key for crypto/rsa.c
 * @key: RSAPrivateKey, in DER
 * @len: its length
 *
 * Context: may sleep.
 * Return: the key, or NULL.
 */
struct crypto_akcipher *tls_hs_bench_rsa_new(const u8 *key, unsigned int len)
{
	struct crypto_akcipher *rsa = crypto_alloc_akcipher("rsa", 0, 0);

	if (IS_ERR(rsa))
		return NULL;
	if (crypto_akcipher_set_priv_key(rsa, key, len)) {
		crypto_free_akcipher(rsa);
		return NULL;
	}
	return rsa;
}

/**
 * tls_hs_bench_rsa() - the private operation: no padding, blinding or verification
 * @rsa: the key
 * @message: a number below the modulus
 * @out: for the result
 * @len: length of the modulus, and so of both
 *
 * Context: may sleep.
 * Return: whether it worked.
 */
bool tls_hs_bench_rsa(struct crypto_akcipher *rsa, const u8 *message, u8 *out,
		      unsigned int len)
{
	return crypto_akcipher_sync_decrypt(rsa, message, len, out, len) == len;
}

/**
 * tls_hs_bench_rsa_free() - frees a key
 * @rsa: the key
 *
 * Context: may sleep.
 */
void tls_hs_bench_rsa_free(struct crypto_akcipher *rsa)
{
	crypto_free_akcipher(rsa);
}

/**
 * tls_hs_bench_print() - prints a result
 * @operation: what was measured
 * @who: and of whom
 * @median: median of the time, in nanoseconds
 * @p10: tenth percentile of the time, in nanoseconds
 *
 * Context: any.
 */
void tls_hs_bench_print(const char *operation, const char *who, u32 median,
			u32 p10)
{
	pr_info("benchmark: %s: %s: median %u ns, p10 %u ns\n", operation, who,
		median, p10);
}
