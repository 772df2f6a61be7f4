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

#ifdef CONFIG_X86_64
static bool cpu_has_ifma(void)
{
	return crypto_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM |
				    XFEATURE_MASK_AVX512) &&
	       boot_cpu_has(X86_FEATURE_AVX512F) &&
	       boot_cpu_has(X86_FEATURE_AVX512IFMA) &&
	       !boot_cpu_has(X86_FEATURE_PREFER_YMM);
}
#endif

/**
 * rsa_pss_ifma_begin() - begin to use the registers of AVX-512, and IFMA
 *
 * Context: Any context.  If it returns true, neither sleep nor begin again
 *	    until rsa_pss_ifma_end().
 * Return: whether the CPU has them and should use them, and the registers are
 *	   free.
 */
bool rsa_pss_ifma_begin(void)
{
#ifdef CONFIG_X86_64
	return cpu_has_ifma() && crypto_fpu_begin();
#else
	return false;
#endif
}

/**
 * rsa_pss_ifma_end() - the registers of AVX-512 are not used any more
 *
 * Context: as rsa_pss_ifma_begin(), which returned true.
 */
void rsa_pss_ifma_end(void)
{
#ifdef CONFIG_X86_64
	kernel_fpu_end();
#endif
}

RUST_EXPORT_GPL(rsa_pss_preparekey);
RUST_EXPORT_GPL(rsa_pss_modulus_size);
RUST_EXPORT_GPL(rsa_pss_sign);
#if IS_ENABLED(CONFIG_CRYPTO_LIB_RSA_PSS_KUNIT_TEST)
RUST_EXPORT_GPL(rsa_pss_sign_internal);
#endif

MODULE_DESCRIPTION("RSA-PSS signing");
MODULE_LICENSE("GPL");
