/* SPDX-License-Identifier: GPL-2.0 */
/*
 * X25519 (RFC 7748)
 */

/**
 * DOC: X25519
 *
 * Key agreement on Curve25519, with key pairs from a table of multiples of the
 * base point.
 *
 * All functions are constant-time with respect to private keys and shared
 * secrets: neither branches nor addresses depend on them.  Any 32 bytes are a
 * private key, and need not be clamped; any 32 bytes are a public key.  Numbers
 * are little-endian.
 *
 * All functions can be called in any context, allocate no memory and need 1.7 KiB
 * of stack.  What they leave there is zeroized.
 * Buffers must not overlap.
 */

#ifndef _CRYPTO_X25519_H
#define _CRYPTO_X25519_H

#include <linux/types.h>

#define X25519_PRIVATE_KEY_SIZE		32
#define X25519_PUBLIC_KEY_SIZE		32
#define X25519_SHARED_SECRET_SIZE	32

/**
 * x25519_public_key() - Compute the public key of a private key
 * @pk: (output) The public key
 * @sk: The private key
 *
 * Context: Any context.
 */
void x25519_public_key(u8 pk[at_least X25519_PUBLIC_KEY_SIZE],
		       const u8 sk[at_least X25519_PRIVATE_KEY_SIZE]);

/**
 * x25519() - Agree on a shared secret with a given private key
 * @ss: (output) The shared secret
 * @sk: The own private key
 * @peer: The peer's public key
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EBADMSG if @peer is of small order.  @ss is all zeroes then, whatever @sk
 *   is, and must not be used (RFC 7748, section 6.1)
 */
int __must_check x25519(u8 ss[at_least X25519_SHARED_SECRET_SIZE],
			const u8 sk[at_least X25519_PRIVATE_KEY_SIZE],
			const u8 peer[at_least X25519_PUBLIC_KEY_SIZE]);

/**
 * x25519_ephemeral() - Agree on a shared secret with a new key pair
 * @pk: (output) The public key to be sent to the peer
 * @ss: (output) The shared secret
 * @peer: The peer's public key
 *
 * This takes less time than x25519_public_key() and x25519() with a random
 * private key, as there is one inversion for both.  The private key is
 * forgotten.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EBADMSG if @peer is of small order.  @ss is all zeroes then and must not be
 *   used (RFC 7748, section 6.1)
 */
int __must_check x25519_ephemeral(u8 pk[at_least X25519_PUBLIC_KEY_SIZE],
				  u8 ss[at_least X25519_SHARED_SECRET_SIZE],
				  const u8 peer[at_least X25519_PUBLIC_KEY_SIZE]);

/*
 * x25519_ephemeral() with a given private key, only for KUnit testing.
 */
int x25519_ephemeral_internal(u8 pk[at_least X25519_PUBLIC_KEY_SIZE],
			      u8 ss[at_least X25519_SHARED_SECRET_SIZE],
			      const u8 peer[at_least X25519_PUBLIC_KEY_SIZE],
			      const u8 sk[at_least X25519_PRIVATE_KEY_SIZE]);

#endif /* _CRYPTO_X25519_H */
