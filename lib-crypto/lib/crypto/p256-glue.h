/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What p256.rs takes from C where that has macros or static inlines
 */
#ifndef _LIB_CRYPTO_P256_GLUE_H
#define _LIB_CRYPTO_P256_GLUE_H

#include <crypto/sha2.h>
#include <linux/types.h>

/* A part of what is hashed. */
struct p256_bytes {
	const u8 *data;
	size_t len;
};

void p256_hmac(const struct hmac_sha256_key *key,
	       const struct p256_bytes *parts, size_t nr, u8 *out);
bool p256_cpu_has_adx(void);

#endif /* _LIB_CRYPTO_P256_GLUE_H */
