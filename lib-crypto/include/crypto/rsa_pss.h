/* SPDX-License-Identifier: GPL-2.0 */
/*
 * RSASSA-PSS signing with SHA-256 (RFC 8017)
 */

/**
 * DOC: RSA-PSS
 *
 * RSASSA-PSS signatures with SHA-256, MGF1 of SHA-256 and a salt of 32 bytes,
 * for keys of 2048, 3072 and 4096 bits with two primes.
 *
 * Signing is constant-time with respect to the private key and the blinded
 * message, uses the Chinese remainder theorem, and verifies each signature with
 * the public exponent before it is returned, as a single wrong one would give
 * the factors of the modulus away.
 *
 * All functions can be called in any context, allocate no memory and need 2 KiB of
 * stack; but a signature takes from a fraction of a millisecond to some
 * milliseconds, so think twice before making one with BHs off.  Where CPUs with
 * AVX-512 IFMA use it, they do so with BHs off, for some ten microseconds at a
 * time.
 * Buffers must not overlap.
 */

#ifndef _CRYPTO_RSA_PSS_H
#define _CRYPTO_RSA_PSS_H

#include <linux/types.h>

#define RSA_PSS_MAX_MODULUS_SIZE	512
#define RSA_PSS_DIGEST_SIZE		32
#define RSA_PSS_SALT_SIZE		32

/**
 * struct rsa_pss_key - A prepared private key
 * @opaque: not for users.  Zeroize it when the key is not needed any more
 */
struct rsa_pss_key {
	u64 opaque[359];
};

/**
 * struct rsa_pss_workspace - Memory in which a signature is computed
 * @opaque: not for users.  Zeroes at first; rsa_pss_sign() leaves no secrets in
 *	    it
 */
struct rsa_pss_workspace {
	u64 opaque[3419];
};

/**
 * struct rsa_pss_raw_key - The numbers of an RSAPrivateKey (RFC 8017, A.1.2)
 * @n: The modulus of 2048, 3072 or 4096 bits
 * @e: The public exponent, odd, from 65537 to 2^32 - 1
 * @p: The first prime, of half the length
 * @q: The second prime, of half the length
 * @dp: d mod (p - 1)
 * @dq: d mod (q - 1)
 * @qinv: q^-1 mod p
 * @n_len: Length of @n in bytes
 * @e_len: Length of @e in bytes
 * @p_len: Length of @p in bytes
 * @q_len: Length of @q in bytes
 * @dp_len: Length of @dp in bytes
 * @dq_len: Length of @dq in bytes
 * @qinv_len: Length of @qinv in bytes
 *
 * All are big-endian.  The private exponent is not needed.
 */
struct rsa_pss_raw_key {
	const u8 *n, *e, *p, *q, *dp, *dq, *qinv;
	size_t n_len, e_len, p_len, q_len, dp_len, dq_len, qinv_len;
};

/**
 * rsa_pss_preparekey() - Prepare a private key
 * @key: (output) The key.  After an error its contents are undefined, but may
 *	 still be secret
 * @raw: The numbers that it is made of
 *
 * That the product of the primes is the modulus is checked.  That the exponents
 * are right is found out by signing something.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EOPNOTSUPP if the modulus has another length than 2048, 3072 or 4096 bits,
 *   or the public exponent is an odd number below 65537 or of more than 32 bits
 * * -EINVAL if the numbers do not belong together or have bad values
 */
int rsa_pss_preparekey(struct rsa_pss_key *key,
		       const struct rsa_pss_raw_key *raw);

/**
 * rsa_pss_modulus_size() - Length of the modulus, and so of signatures
 * @key: A prepared key
 *
 * Context: Any context.
 * Return: the length in bytes
 */
size_t rsa_pss_modulus_size(const struct rsa_pss_key *key);

/**
 * rsa_pss_sign() - Sign a SHA-256 digest
 * @sig: (output) The signature
 * @sig_len: Room for it, at least rsa_pss_modulus_size().  What is behind it is
 *	     unchanged
 * @key: A prepared key
 * @digest: The digest
 * @ws: Memory to compute in that nobody else uses at this time
 *
 * Context: Any context, see above.
 * Return:
 * * the length of the signature
 * * -EINVAL if there is no room for the signature
 * * -EKEYREJECTED if the signature is wrong: the key's numbers do not belong
 *   together, or the machine is faulty.  @sig is zeroed then
 */
int rsa_pss_sign(u8 *sig, size_t sig_len, const struct rsa_pss_key *key,
		 const u8 digest[at_least RSA_PSS_DIGEST_SIZE],
		 struct rsa_pss_workspace *ws);

/* rsa_pss_sign() with a given salt, only for KUnit testing */
int rsa_pss_sign_internal(u8 *sig, size_t sig_len,
			  const struct rsa_pss_key *key,
			  const u8 digest[at_least RSA_PSS_DIGEST_SIZE],
			  const u8 salt[at_least RSA_PSS_SALT_SIZE],
			  struct rsa_pss_workspace *ws);

#endif /* _CRYPTO_RSA_PSS_H */
