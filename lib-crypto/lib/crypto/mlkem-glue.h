/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mlkem.rs takes from C where that has macros or static inlines
 */
#ifndef _LIB_CRYPTO_MLKEM_GLUE_H
#define _LIB_CRYPTO_MLKEM_GLUE_H

#include <crypto/sha3.h>
#include <linux/types.h>

void mlkem_shake128_init(struct shake_ctx *ctx, const u8 *data, size_t len);
bool mlkem_avx2_begin(void);
void mlkem_avx2_end(void);

#endif /* _LIB_CRYPTO_MLKEM_GLUE_H */
