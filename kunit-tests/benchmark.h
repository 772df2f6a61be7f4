/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel had before, to be compared with.
 */
#ifndef _NET_TLS_HANDSHAKE_TESTS_BENCHMARK_H
#define _NET_TLS_HANDSHAKE_TESTS_BENCHMARK_H

#include <linux/types.h>

struct crypto_akcipher;

bool tls_hs_bench_ecc(void);

struct crypto_akcipher *tls_hs_bench_rsa_new(const u8 *key, unsigned int len);
bool tls_hs_bench_rsa(struct crypto_akcipher *rsa, const u8 *message, u8 *out,
		      unsigned int len);
void tls_hs_bench_rsa_free(struct crypto_akcipher *rsa);

void tls_hs_bench_print(const char *operation, const char *who, u32 median,
			u32 p10);

#endif /* _NET_TLS_HANDSHAKE_TESTS_BENCHMARK_H */
