// SPDX-License-Identifier: GPL-2.0
/*
 * X25519: the C side of x25519.rs
 */

#include <crypto/x25519.h>
#include <linux/module.h>

#include "rust-glue.h"
#include "x25519-glue.h"

bool x25519_cpu_has_adx(void)
{
	return crypto_cpu_has_adx();
}

RUST_EXPORT_GPL(x25519_public_key);
RUST_EXPORT_GPL(x25519);
RUST_EXPORT_GPL(x25519_ephemeral);
#if IS_ENABLED(CONFIG_CRYPTO_LIB_X25519_KUNIT_TEST)
RUST_EXPORT_GPL(x25519_ephemeral_internal);
#endif

MODULE_DESCRIPTION("X25519 key agreement");
MODULE_LICENSE("GPL");
