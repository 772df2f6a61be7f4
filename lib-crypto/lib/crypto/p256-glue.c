// SPDX-License-Identifier: GPL-2.0
/*
 * P-256: the C side of p256.rs
 */

#include <crypto/p256.h>
#include <linux/module.h>

#include "p256-glue.h"
#include "rust-glue.h"

void p256_hmac(const struct hmac_sha256_key *key,
	       const struct p256_bytes *parts, size_t nr, u8 *out)
{
	/* Wiped by who ends it. */
	struct hmac_sha256_ctx ctx __uninitialized;

	hmac_sha256_init(&ctx, key);
	for (size_t i = 0; i < nr; i++)
		hmac_sha256_update(&ctx, parts[i].data, parts[i].len);
	hmac_sha256_final(&ctx, out);
}

bool p256_cpu_has_adx(void)
{
	return crypto_cpu_has_adx();
}

RUST_EXPORT_GPL(p256_public_key);
RUST_EXPORT_GPL(p256_ecdh);
RUST_EXPORT_GPL(p256_ecdh_ephemeral);
RUST_EXPORT_GPL(p256_ecdsa_sign);
#if IS_ENABLED(CONFIG_CRYPTO_LIB_P256_KUNIT_TEST)
RUST_EXPORT_GPL(p256_ecdsa_sign_internal);
#endif

MODULE_DESCRIPTION("P-256 key agreement and ECDSA signing");
MODULE_LICENSE("GPL");
