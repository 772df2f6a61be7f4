// SPDX-License-Identifier: GPL-2.0
/*
 * RSA-PSS: the C side of rsa_pss.rs
 */

#include <crypto/rsa_pss.h>
#include <linux/module.h>

#include "rsa_pss-glue.h"
#include "rust-glue.h"

void rsa_pss_hash_update(struct sha256_ctx *ctx, const u8 *data, size_t len)
{
	sha256_update(ctx, data, len);
}

bool rsa_pss_cpu_has_adx(void)
{
	return crypto_cpu_has_adx();
}

RUST_EXPORT_GPL(rsa_pss_preparekey);
RUST_EXPORT_GPL(rsa_pss_modulus_size);
RUST_EXPORT_GPL(rsa_pss_sign);
#if IS_ENABLED(CONFIG_CRYPTO_LIB_RSA_PSS_KUNIT_TEST)
RUST_EXPORT_GPL(rsa_pss_sign_internal);
#endif

MODULE_DESCRIPTION("RSA-PSS signing");
MODULE_LICENSE("GPL");
