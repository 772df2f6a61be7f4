/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What x25519.rs takes from C where that has macros or static inlines
 */
#ifndef _LIB_CRYPTO_X25519_GLUE_H
#define _LIB_CRYPTO_X25519_GLUE_H

#include <linux/types.h>

bool x25519_cpu_has_adx(void);

#endif /* _LIB_CRYPTO_X25519_GLUE_H */
