/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What rsa_pss.rs takes from C where that has macros or static inlines
 */
#ifndef _LIB_CRYPTO_RSA_PSS_GLUE_H
#define _LIB_CRYPTO_RSA_PSS_GLUE_H

#include <crypto/sha2.h>
#include <linux/types.h>

void rsa_pss_hash_update(struct sha256_ctx *ctx, const u8 *data, size_t len);
bool rsa_pss_cpu_has_adx(void);
bool rsa_pss_ifma_begin(void);
void rsa_pss_ifma_end(void);

#endif /* _LIB_CRYPTO_RSA_PSS_GLUE_H */
