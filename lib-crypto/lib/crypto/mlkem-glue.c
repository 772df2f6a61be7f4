// SPDX-License-Identifier: GPL-2.0
/*
 * ML-KEM: the C side of mlkem.rs
 */

#include <crypto/mlkem.h>
#include <linux/module.h>

#include "mlkem-glue.h"
#include "rust-glue.h"

void mlkem_shake128_init(struct shake_ctx *ctx, const u8 *data, size_t len)
{
	shake128_init(ctx);
	shake_update(ctx, data, len);
}

#ifdef CONFIG_X86_64
static bool cpu_has_avx2(void)
{
	return crypto_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM) &&
	       boot_cpu_has(X86_FEATURE_AVX2) &&
	       boot_cpu_has(X86_FEATURE_POPCNT);
}
#endif

/**
 * mlkem_avx2_begin() - begin to use the registers of AVX2, and popcnt
 *
 * Context: Any context.  If it returns true, neither sleep nor begin again
 *	    until mlkem_avx2_end().
 * Return: whether the CPU has them, and the registers are free.
 */
bool mlkem_avx2_begin(void)
{
#ifdef CONFIG_X86_64
	return cpu_has_avx2() && crypto_fpu_begin();
#else
	return false;
#endif
}

/**
 * mlkem_avx2_end() - the registers of AVX2 are not used any more
 *
 * Context: as mlkem_avx2_begin(), which returned true.
 */
void mlkem_avx2_end(void)
{
#ifdef CONFIG_X86_64
	kernel_fpu_end();
#endif
}

RUST_EXPORT_GPL(mlkem768_encaps_ws);
RUST_EXPORT_GPL(mlkem768_encaps_ws_internal);

MODULE_DESCRIPTION("ML-KEM-768 encapsulation");
MODULE_LICENSE("GPL");
