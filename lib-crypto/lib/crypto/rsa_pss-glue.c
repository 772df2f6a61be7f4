// SPDX-License-Identifier: GPL-2.0
/*
 * RSA-PSS: the C side of rsa_pss.rs
 */

#include <crypto/rsa_pss.h>
#include <linux/export.h>
#include <linux/module.h>
#ifdef CONFIG_X86
#include <linux/cpufeature.h>
#endif

#include "rsa_pss-glue.h"

void rsa_pss_hash_update(struct sha256_ctx *ctx, const u8 *data, size_t len)
{
	sha256_update(ctx, data, len);
}

bool rsa_pss_cpu_has_adx(void)
{
#ifdef CONFIG_X86_64
	return boot_cpu_has(X86_FEATURE_ADX) && boot_cpu_has(X86_FEATURE_BMI2);
#else
	return false;
#endif
}

/* rsa_pss.rs has these. */
EXPORT_SYMBOL_GPL(rsa_pss_preparekey);
EXPORT_SYMBOL_GPL(rsa_pss_modulus_size);
EXPORT_SYMBOL_GPL(rsa_pss_sign);
#if IS_ENABLED(CONFIG_CRYPTO_LIB_RSA_PSS_KUNIT_TEST)
EXPORT_SYMBOL_GPL(rsa_pss_sign_internal);
#endif

MODULE_DESCRIPTION("RSA-PSS signing");
MODULE_LICENSE("GPL");
