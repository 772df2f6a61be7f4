// SPDX-License-Identifier: GPL-2.0
/*
 * lib/crypto as the engine sees it.  Everything here runs in any context.
 */

#include <linux/random.h>
#include <linux/string.h>

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

/* @out has room for 48 bytes. */
void tls_hs_hmac(const struct tls_hs_hmac_key *key,
		 const struct tls_hs_bytes *parts, size_t nr, u8 *out)
{
	/* Initialised below, and wiped by those who end it. */
	union {
		struct hmac_sha256_ctx s256;
		struct hmac_sha384_ctx s384;
	} mac __uninitialized;
	size_t i;

	if (key->sha384) {
		hmac_sha384_init(&mac.s384, &key->s384);
		for (i = 0; i < nr; i++)
			hmac_sha384_update(&mac.s384, parts[i].data,
					   parts[i].len);
		hmac_sha384_final(&mac.s384, out);
	} else {
		hmac_sha256_init(&mac.s256, &key->s256);
		for (i = 0; i < nr; i++)
			hmac_sha256_update(&mac.s256, parts[i].data,
					   parts[i].len);
		hmac_sha256_final(&mac.s256, out);
	}
}

int tls_hs_aead_preparekey(struct tls_hs_aead_key *key, bool chacha,
			   const u8 *raw, size_t len)
{
	key->chacha = chacha;
	if (!chacha)
		return aes_gcm_preparekey(&key->gcm, raw, len, 16);
	if (len != sizeof(key->raw))
		return -EINVAL;
	memcpy(key->raw, raw, len);
	return 0;
}

void tls_hs_aead_seal(const struct tls_hs_aead_key *key, const u8 *nonce,
		      const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		      u8 *tag)
{
	if (key->chacha)
		chacha20poly1305_ietf_encrypt(buf, buf, len, tag, aad, aad_len,
					      nonce, key->raw);
	else
		aes_gcm_encrypt(buf, buf, len, tag, aad, aad_len, nonce,
				&key->gcm);
}

int tls_hs_aead_open(const struct tls_hs_aead_key *key, const u8 *nonce,
		     const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		     const u8 *tag)
{
	if (key->chacha)
		return chacha20poly1305_ietf_decrypt(buf, buf, len, tag, aad,
						     aad_len, nonce, key->raw);
	return aes_gcm_decrypt(buf, buf, len, tag, aad, aad_len, nonce,
			       &key->gcm);
}

void tls_hs_random(u8 *buf, size_t len)
{
	get_random_bytes(buf, len);
}
