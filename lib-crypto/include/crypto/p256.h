/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NIST P-256: ECDH (SP 800-56A) and ECDSA signing (FIPS 186-5)
 */

/**
 * DOC: P-256
 *
 * Key agreement and signing on the curve P-256 (secp256r1, prime256v1).
 *
 * All functions are constant-time with respect to private keys, nonces and
 * shared secrets: neither branches nor addresses depend on them.  Numbers are
 * big-endian.  Public keys are uncompressed points: 0x04, x, y.
 *
 * All functions can be called in any context, allocate no memory and need 2.2 KiB
 * of stack.  What they leave there is zeroized.
 * Buffers must not overlap.
 */

#ifndef _CRYPTO_P256_H
#define _CRYPTO_P256_H

#include <linux/types.h>

#define P256_PRIVATE_KEY_SIZE		32
#define P256_PUBLIC_KEY_SIZE		65
#define P256_SHARED_SECRET_SIZE		32
#define P256_DIGEST_SIZE		32

/* Longest ECDSA-Sig-Value (RFC 3279): two INTEGERs of 33 bytes in a SEQUENCE */
#define P256_MAX_SIGNATURE_SIZE		72

/**
 * p256_public_key() - Compute the public key of a private key
 * @pk: (output) The public key
 * @sk: The private key
 *
 * This is also how to check that a private key is valid.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EINVAL if @sk is 0, or not below the order of the curve
 */
int p256_public_key(u8 pk[at_least P256_PUBLIC_KEY_SIZE],
		    const u8 sk[at_least P256_PRIVATE_KEY_SIZE]);

/**
 * p256_ecdh() - Agree on a shared secret with a given private key
 * @pk: (output) The public key of @sk
 * @ss: (output) The shared secret, the x coordinate of the shared point
 * @sk: The own private key
 * @peer: The peer's public key
 *
 * The public key costs little, as both points are made affine together.  After
 * an error, @pk and @ss are unchanged.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EINVAL if @sk is 0, or not below the order of the curve
 * * -EBADMSG if @peer is not an uncompressed point of the curve
 */
int p256_ecdh(u8 pk[at_least P256_PUBLIC_KEY_SIZE],
	      u8 ss[at_least P256_SHARED_SECRET_SIZE],
	      const u8 sk[at_least P256_PRIVATE_KEY_SIZE],
	      const u8 peer[at_least P256_PUBLIC_KEY_SIZE]);

/**
 * p256_ecdh_ephemeral() - Agree on a shared secret with a new key pair
 * @pk: (output) The public key to be sent to the peer
 * @ss: (output) The shared secret
 * @peer: The peer's public key
 *
 * This is p256_ecdh() with a private key from the random number generator
 * (FIPS 186-5, appendix A.2.2), which is forgotten.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EBADMSG if @peer is not an uncompressed point of the curve
 */
int p256_ecdh_ephemeral(u8 pk[at_least P256_PUBLIC_KEY_SIZE],
			u8 ss[at_least P256_SHARED_SECRET_SIZE],
			const u8 peer[at_least P256_PUBLIC_KEY_SIZE]);

/**
 * p256_ecdsa_sign() - Sign a digest of 256 bits
 * @sig: (output) The signature, an ECDSA-Sig-Value in DER.  What is behind it
 *	 in the buffer is undefined
 * @sk: The private key
 * @digest: The digest, usually of SHA-256
 *
 * The nonce is that of RFC 6979 with SHA-256 and with fresh random bytes as
 * additional data (section 3.6), so that neither a bad random number generator
 * nor a fault in a repeated computation gives the key away.
 *
 * Context: Any context.
 * Return:
 * * the length of the signature, at most %P256_MAX_SIGNATURE_SIZE
 * * -EINVAL if @sk is 0, or not below the order of the curve
 */
int p256_ecdsa_sign(u8 sig[at_least P256_MAX_SIGNATURE_SIZE],
		    const u8 sk[at_least P256_PRIVATE_KEY_SIZE],
		    const u8 digest[at_least P256_DIGEST_SIZE]);

/*
 * p256_ecdsa_sign() with given additional data, only for KUnit testing.  None
 * makes it the deterministic ECDSA of RFC 6979.
 */
int p256_ecdsa_sign_internal(u8 sig[at_least P256_MAX_SIGNATURE_SIZE],
			     const u8 sk[at_least P256_PRIVATE_KEY_SIZE],
			     const u8 digest[at_least P256_DIGEST_SIZE],
			     const u8 *additional, size_t additional_len);

#endif /* _CRYPTO_P256_H */
