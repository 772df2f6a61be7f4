/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C sides of modules in Rust share.
 */
#ifndef _LIB_CRYPTO_RUST_GLUE_H
#define _LIB_CRYPTO_RUST_GLUE_H

#include <linux/export.h>
#include <linux/types.h>
#ifdef CONFIG_X86_64
#include <linux/cpufeature.h>
#include <asm/fpu/api.h>
#endif

/* Exports a function whose definition is in Rust, so that there is none for this
 * to follow.
 */
#define RUST_EXPORT_GPL(sym)	EXPORT_SYMBOL_GPL(sym)

/* Does the CPU have mulx, adcx and adox? */
static inline bool crypto_cpu_has_adx(void)
{
#ifdef CONFIG_X86_64
	return boot_cpu_has(X86_FEATURE_ADX) && boot_cpu_has(X86_FEATURE_BMI2);
#else
	return false;
#endif
}

#ifdef CONFIG_X86_64
/* Does the kernel save these registers?  The host's kernel does so for User-Mode
 * Linux, which has no names for them.
 */
#ifdef CONFIG_UML
#define crypto_has_xfeatures(...)	true
#else
#define crypto_has_xfeatures(mask)	cpu_has_xfeatures(mask, NULL)
#endif

/* Begin an FPU section, if that is possible in this context. */
static inline bool crypto_fpu_begin(void)
{
	if (!irq_fpu_usable())
		return false;
	kernel_fpu_begin();
	return true;
}
#endif

#endif /* _LIB_CRYPTO_RUST_GLUE_H */
