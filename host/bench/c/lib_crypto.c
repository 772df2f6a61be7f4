// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's lib/crypto, from its sources.  Of X25519 both what it has for
 * x86-64 with ADX, which User-Mode Linux does not use, and the portable C.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "worker.h"

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint64_t __le64;
typedef unsigned __int128 u128;

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __aligned(x) __attribute__((aligned(x)))
#define __ro_after_init
#define DEFINE_STATIC_KEY_FALSE(name) bool name
#define static_branch_likely(key) (*(key))
#define static_branch_enable(key) (*(key) = true)
#define boot_cpu_has(feature) __builtin_cpu_supports(feature)
#define X86_FEATURE_BMI2 "bmi2"
#define X86_FEATURE_ADX "adx"
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define CONFIG_64BIT
#define WARN_ON_ONCE(condition) CHECK(!(condition))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define le64_to_cpu(v) (v)
#define cpu_to_le64(v) (v)
#define __maybe_unused __attribute__((unused))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define get_unaligned(p) get_unaligned_le64(p)
#define at_least static
#define __initconst
#define MODULE_LICENSE(text)
#define MODULE_DESCRIPTION(text)
#define MODULE_AUTHOR(text)

static inline u64 get_unaligned_le64(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void put_unaligned_le64(u64 v, void *p)
{
	memcpy(p, &v, sizeof(v));
}

static inline void memzero_explicit(void *p, size_t len)
{
	memset(p, 0, len);
	asm volatile("" : : "r" (p) : "memory");
}

static inline u64 rol64(u64 v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static inline void crypto_xor(u8 *to, const u8 *from, unsigned int len)
{
	for (; len >= 8; len -= 8, to += 8, from += 8)
		put_unaligned_le64(get_unaligned_le64(to) ^ get_unaligned_le64(from), to);
	while (len--)
		*to++ ^= *from++;
}

#include "sha3.c"

/* As sha3() of libraries.rs. */
static void sha3(void)
{
	u8 key[1184] = {}, input[64] = {}, out[64], noise[128], blocks[504];
	struct shake_ctx shake;

	sha3_256(key, sizeof(key), out);
	sha3_512(input, sizeof(input), out);
	for (int i = 0; i < 7; i++)
		shake256(input, 33, noise, sizeof(noise));
	for (int i = 0; i < 9; i++) {
		shake128_init(&shake);
		shake_update(&shake, input, 34);
		shake_squeeze(&shake, blocks, sizeof(blocks));
	}
	asm volatile("" : : "r" (out), "r" (noise), "r" (blocks) : "memory");
}

#define CURVE25519_KEY_SIZE 32

static inline void curve25519_clamp_secret(u8 *secret)
{
	secret[0] &= 248;
	secret[31] = (secret[31] & 127) | 64;
}

static const u8 curve25519_base_point[32] __aligned(32) = { 9 };
static u8 peer[32];

/* Both files have functions of these names. */
#define fmul portable_fmul
#define montgomery_ladder portable_montgomery_ladder
#include "curve25519-hacl64.c"
#undef fmul
#undef montgomery_ladder

static void secret(u8 *key)
{
	CHECK(getrandom(key, 32, 0) == 32);
	curve25519_clamp_secret(key);
}

static int generic_prepare(void)
{
	u8 key[32];

	secret(key);
	curve25519_generic(peer, key, curve25519_base_point);
	return 1;
}

static void generic(void)
{
	u8 key[32], public[32], shared[32];

	secret(key);
	curve25519_generic(public, key, curve25519_base_point);
	curve25519_generic(shared, key, peer);
	asm volatile("" : : "r" (public), "r" (shared) : "memory");
}

#ifdef __x86_64__
#include "x86/curve25519.h"

static int adx_prepare(void)
{
	curve25519_mod_init_arch();
	return curve25519_use_bmi2_adx && generic_prepare();
}

static void adx(void)
{
	u8 key[32], public[32], shared[32];

	secret(key);
	curve25519_base_arch(public, key);
	curve25519_arch(shared, key, peer);
	asm volatile("" : : "r" (public), "r" (shared) : "memory");
}
#endif

static const struct operation operations[] = {
#ifdef __x86_64__
	{ "x25519", adx_prepare, adx },
#endif
	{ "sha3", NULL, sha3 },
	{ "x25519-portable", generic_prepare, generic },
	{ }
};

int main(void)
{
	return worker("lib/crypto", operations);
}
