/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What p256.rs takes from C where that has macros or static inlines
 */
#ifndef _LIB_CRYPTO_P256_GLUE_H
#define _LIB_CRYPTO_P256_GLUE_H

#include <crypto/sha2.h>
#include <linux/types.h>

void p256_hmac_init(struct hmac_sha256_ctx *ctx,
		    const struct hmac_sha256_key *key);
void p256_hmac_update(struct hmac_sha256_ctx *ctx, const u8 *data, size_t len);
bool p256_cpu_has_adx(void);

#endif /* _LIB_CRYPTO_P256_GLUE_H */
