/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ML-KEM-768 encapsulation (FIPS 203)
 */

/**
 * DOC: ML-KEM
 *
 * Encapsulation with ML-KEM-768, a key encapsulation mechanism that quantum
 * computers are not known to break.  Use it as part of a hybrid scheme.
 *
 * Encapsulation is constant-time with respect to the shared secret and all that
 * it is made from.  It can be done in any context, allocates no memory, computes
 * in memory of the caller and needs 2 KiB of stack.  Where AVX2 may be used in
 * the context of the caller it is used.
 * Buffers must not overlap.
 */

#ifndef _CRYPTO_MLKEM_H
#define _CRYPTO_MLKEM_H

#include <linux/types.h>

#define MLKEM_ESEED_BYTES		32 /* Length of seed for Encaps */
#define MLKEM_SHARED_SECRET_BYTES	32

#define MLKEM768_PUBLIC_KEY_BYTES	1184
#define MLKEM768_CIPHERTEXT_BYTES	1088

/**
 * struct mlkem768_encaps_workspace - Memory in which encapsulation computes
 * @opaque: not for users.  Zeroes at first; no secrets are left in it
 */
struct mlkem768_encaps_workspace {
	u64 opaque[2029];
};

/**
 * mlkem768_encaps_ws() - Generate and encapsulate shared secret with ML-KEM-768
 * @ct: (output) The ciphertext
 * @ss: (output) The generated shared secret
 * @pk: The public key (encapsulation key)
 * @ws: Memory to compute in that nobody else uses at this time
 *
 * The public key is checked as FIPS 203, section 7.2 demands.  After an error,
 * @ct and @ss are unchanged.
 *
 * Context: Any context.
 * Return:
 * * 0 on success
 * * -EBADMSG if the public key is malformed
 */
int mlkem768_encaps_ws(u8 ct[at_least MLKEM768_CIPHERTEXT_BYTES],
		       u8 ss[at_least MLKEM_SHARED_SECRET_BYTES],
		       const u8 pk[at_least MLKEM768_PUBLIC_KEY_BYTES],
		       struct mlkem768_encaps_workspace *ws);

/* With a given seed, only for KUnit testing and hybrid KEMs */
int mlkem768_encaps_ws_internal(u8 ct[at_least MLKEM768_CIPHERTEXT_BYTES],
				u8 ss[at_least MLKEM_SHARED_SECRET_BYTES],
				const u8 pk[at_least MLKEM768_PUBLIC_KEY_BYTES],
				const u8 eseed[at_least MLKEM_ESEED_BYTES],
				struct mlkem768_encaps_workspace *ws);

#endif /* _CRYPTO_MLKEM_H */
