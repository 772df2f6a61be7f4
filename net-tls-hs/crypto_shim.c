// SPDX-License-Identifier: GPL-2.0
/*
 * lib/crypto as the engine sees it.  Everything here runs in any context.
 */

#include <crypto/chacha.h>
#include <crypto/curve25519.h>
#include <crypto/poly1305.h>
#include <crypto/utils.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#ifdef CONFIG_X86
#include <linux/cpufeature.h>
#endif
#ifdef CONFIG_X86_64
#include <asm/fpu/api.h>
#endif

#include "crypto_shim.h"

void tls_hs_hash_init(struct tls_hs_hash *hash, bool sha384)
{
	hash->sha384 = sha384;
	if (sha384)
		sha384_init(&hash->s384);
	else
		sha256_init(&hash->s256);
}

void tls_hs_hash_update(struct tls_hs_hash *hash, const u8 *data, size_t len)
{
	if (hash->sha384)
		sha384_update(&hash->s384, data, len);
	else
		sha256_update(&hash->s256, data, len);
}

/* @out has room for 48 bytes. */
void tls_hs_hash_final(struct tls_hs_hash *hash, u8 *out)
{
	if (hash->sha384)
		sha384_final(&hash->s384, out);
	else
		sha256_final(&hash->s256, out);
}

void tls_hs_hmac_preparekey(struct tls_hs_hmac_key *key, bool sha384,
			    const u8 *raw, size_t len)
{
	key->sha384 = sha384;
	if (sha384)
		hmac_sha384_preparekey(&key->s384, raw, len);
	else
		hmac_sha256_preparekey(&key->s256, raw, len);
}

void tls_hs_hmac_init(struct tls_hs_hmac *mac,
		      const struct tls_hs_hmac_key *key)
{
	mac->sha384 = key->sha384;
	if (key->sha384)
		hmac_sha384_init(&mac->s384, &key->s384);
	else
		hmac_sha256_init(&mac->s256, &key->s256);
}

void tls_hs_hmac_update(struct tls_hs_hmac *mac, const u8 *data, size_t len)
{
	if (mac->sha384)
		hmac_sha384_update(&mac->s384, data, len);
	else
		hmac_sha256_update(&mac->s256, data, len);
}

/* @out has room for 48 bytes. */
void tls_hs_hmac_final(struct tls_hs_hmac *mac, u8 *out)
{
	if (mac->sha384)
		hmac_sha384_final(&mac->s384, out);
	else
		hmac_sha256_final(&mac->s256, out);
}

int tls_hs_aead_preparekey(struct tls_hs_aead_key *key, bool chacha,
			   const u8 *raw, size_t len)
{
	key->chacha = chacha;
	if (!chacha)
		return aes_gcm_preparekey(&key->gcm, raw, len, 16);
	if (len != CHACHA_KEY_SIZE)
		return -EINVAL;
	memcpy(key->raw, raw, len);
	return 0;
}

/*
 * ChaCha20-Poly1305 with a nonce of 96 bits (RFC 8439, section 2.8).
 * chacha20poly1305_encrypt() of lib/crypto has one of 64.
 */
struct chacha_poly {
	struct chacha_state chacha;
	struct poly1305_desc_ctx poly;
};

static void chacha_poly_pad(struct poly1305_desc_ctx *poly, size_t len)
{
	static const u8 zeroes[POLY1305_BLOCK_SIZE];

	if (len % POLY1305_BLOCK_SIZE)
		poly1305_update(poly, zeroes, POLY1305_BLOCK_SIZE -
				len % POLY1305_BLOCK_SIZE);
}

static void chacha_poly_start(struct chacha_poly *cp, const u8 *raw,
			      const u8 *nonce, const u8 *aad, size_t aad_len)
{
	u8 block[CHACHA_BLOCK_SIZE] = {};
	u32 key[CHACHA_KEY_WORDS];
	u8 iv[CHACHA_IV_SIZE];
	int i;

	for (i = 0; i < CHACHA_KEY_WORDS; i++)
		key[i] = get_unaligned_le32(raw + 4 * i);
	put_unaligned_le32(0, iv);
	memcpy(iv + 4, nonce, 12);
	chacha_init(&cp->chacha, key, iv);

	/* The first block makes the one-time key. */
	chacha20_crypt(&cp->chacha, block, block, sizeof(block));
	poly1305_init(&cp->poly, block);
	memzero_explicit(block, sizeof(block));
	memzero_explicit(key, sizeof(key));

	poly1305_update(&cp->poly, aad, aad_len);
	chacha_poly_pad(&cp->poly, aad_len);
}

static void chacha_poly_tag(struct chacha_poly *cp, const u8 *cipher,
			    size_t len, size_t aad_len, u8 *tag)
{
	__le64 lens[2] = { cpu_to_le64(aad_len), cpu_to_le64(len) };

	poly1305_update(&cp->poly, cipher, len);
	chacha_poly_pad(&cp->poly, len);
	poly1305_update(&cp->poly, (u8 *)lens, sizeof(lens));
	poly1305_final(&cp->poly, tag);
}

void tls_hs_aead_seal(const struct tls_hs_aead_key *key, const u8 *nonce,
		      const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		      u8 *tag)
{
	struct chacha_poly cp;

	if (!key->chacha) {
		aes_gcm_encrypt(buf, buf, len, tag, aad, aad_len, nonce,
				&key->gcm);
		return;
	}
	chacha_poly_start(&cp, key->raw, nonce, aad, aad_len);
	chacha20_crypt(&cp.chacha, buf, buf, len);
	chacha_poly_tag(&cp, buf, len, aad_len, tag);
	memzero_explicit(&cp, sizeof(cp));
}

int tls_hs_aead_open(const struct tls_hs_aead_key *key, const u8 *nonce,
		     const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		     const u8 *tag)
{
	u8 computed[POLY1305_DIGEST_SIZE];
	struct chacha_poly cp;
	int rc = 0;

	if (!key->chacha)
		return aes_gcm_decrypt(buf, buf, len, tag, aad, aad_len, nonce,
				       &key->gcm);

	chacha_poly_start(&cp, key->raw, nonce, aad, aad_len);
	chacha_poly_tag(&cp, buf, len, aad_len, computed);
	if (crypto_memneq(computed, tag, sizeof(computed)))
		rc = -EBADMSG;
	else
		chacha20_crypt(&cp.chacha, buf, buf, len);
	memzero_explicit(&cp, sizeof(cp));
	return rc;
}

void tls_hs_shake128_init(struct shake_ctx *shake, const u8 *data, size_t len)
{
	shake128_init(shake);
	shake_update(shake, data, len);
}

void tls_hs_x25519_base(u8 *public, const u8 *secret)
{
	/* Fails for an all-zero result only, which no clamped secret has. */
	if (!curve25519_generate_public(public, secret))
		memset(public, 0, CURVE25519_KEY_SIZE);
}

bool tls_hs_x25519(u8 *shared, const u8 *secret, const u8 *peer)
{
	return curve25519(shared, secret, peer);
}

void tls_hs_random(u8 *buf, size_t len)
{
	get_random_bytes(buf, len);
}

bool tls_hs_cpu_has_adx(void)
{
#ifdef CONFIG_X86_64
	return boot_cpu_has(X86_FEATURE_ADX) && boot_cpu_has(X86_FEATURE_BMI2);
#else
	return false;
#endif
}

#ifdef CONFIG_X86_64
static bool cpu_has_avx2(void)
{
#ifndef CONFIG_UML
	if (!cpu_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM, NULL))
		return false;
#endif
	return boot_cpu_has(X86_FEATURE_AVX2) && boot_cpu_has(X86_FEATURE_POPCNT);
}
#endif

/**
 * tls_hs_avx2_begin() - begin to use the registers of AVX2, and popcnt
 *
 * Context: any.  If it returns true, neither sleep nor begin again until
 * tls_hs_avx2_end().
 * Return: whether the CPU has them, and the registers are free.
 */
bool tls_hs_avx2_begin(void)
{
#ifdef CONFIG_X86_64
	if (!cpu_has_avx2() || !irq_fpu_usable())
		return false;
	kernel_fpu_begin();
	return true;
#else
	return false;
#endif
}

/**
 * tls_hs_avx2_end() - the registers of AVX2 are not used any more
 *
 * Context: as tls_hs_avx2_begin(), which returned true.
 */
void tls_hs_avx2_end(void)
{
#ifdef CONFIG_X86_64
	kernel_fpu_end();
#endif
}
