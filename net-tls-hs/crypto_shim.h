/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lib/crypto as the engine sees it: one type per kind of algorithm, and
 * functions where lib/crypto has static inlines, which Rust cannot call.
 */
#ifndef _NET_TLS_HANDSHAKE_CRYPTO_SHIM_H
#define _NET_TLS_HANDSHAKE_CRYPTO_SHIM_H

#include <crypto/aes-gcm.h>
#include <crypto/chacha20poly1305.h>
#include <crypto/sha2.h>
#include <linux/types.h>

/* A running SHA-256 or SHA-384. */
struct tls_hs_hash {
	bool sha384;
	union {
		struct sha256_ctx s256;
		struct sha384_ctx s384;
	};
};

/* A key prepared for HMAC with either. */
struct tls_hs_hmac_key {
	bool sha384;
	union {
		struct hmac_sha256_key s256;
		struct hmac_sha384_key s384;
	};
};

/* A part of what is hashed. */
struct tls_hs_bytes {
	const u8 *data;
	size_t len;
};

/* A key prepared for AES-GCM or ChaCha20-Poly1305. */
struct tls_hs_aead_key {
	bool chacha;
	union {
		struct aes_gcm_key gcm;
		u8 raw[CHACHA20POLY1305_KEY_SIZE];
	};
};

void tls_hs_hash_init(struct tls_hs_hash *hash, bool sha384);
void tls_hs_hash_update(struct tls_hs_hash *hash, const u8 *data, size_t len);
void tls_hs_hash_final(struct tls_hs_hash *hash, u8 *out);

void tls_hs_hmac_preparekey(struct tls_hs_hmac_key *key, bool sha384,
			    const u8 *raw, size_t len);
void tls_hs_hmac(const struct tls_hs_hmac_key *key,
		 const struct tls_hs_bytes *parts, size_t nr, u8 *out);

int tls_hs_aead_preparekey(struct tls_hs_aead_key *key, bool chacha,
			   const u8 *raw, size_t len);
void tls_hs_aead_seal(const struct tls_hs_aead_key *key, const u8 *nonce,
		      const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		      u8 *tag);
int tls_hs_aead_open(const struct tls_hs_aead_key *key, const u8 *nonce,
		     const u8 *aad, size_t aad_len, u8 *buf, size_t len,
		     const u8 *tag);

void tls_hs_random(u8 *buf, size_t len);

#endif /* _NET_TLS_HANDSHAKE_CRYPTO_SHIM_H */
