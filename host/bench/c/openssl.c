// SPDX-License-Identifier: GPL-2.0
/*
 * OpenSSL's operations as a server of some care would have them: algorithms are
 * fetched, keys are read and contexts for signatures are made once.  What libssl
 * does for each key share is done for each.
 *
 * Usage: openssl DIRECTORY-WITH-RSA-KEYS
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "worker.h"

static const char *directory;
static const unsigned char message[32] = { 7 };

static EVP_MD *sha256;
static EVP_MD_CTX *hash;

static void digest(unsigned char *out)
{
	CHECK(EVP_DigestInit_ex2(hash, sha256, NULL));
	CHECK(EVP_DigestUpdate(hash, message, sizeof(message)));
	CHECK(EVP_DigestFinal_ex(hash, out, NULL));
}

static void sign_with(EVP_PKEY_CTX *ctx)
{
	unsigned char hashed[32], signature[512];
	size_t len = sizeof(signature);

	digest(hashed);
	CHECK(EVP_PKEY_sign(ctx, signature, &len, hashed, sizeof(hashed)) == 1);
}

static EVP_PKEY_CTX *ecdsa_ctx;

static int ecdsa_prepare(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	ecdsa_ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	return EVP_PKEY_sign_init(ecdsa_ctx) == 1 &&
		EVP_PKEY_CTX_set_signature_md(ecdsa_ctx, sha256) == 1;
}

static void ecdsa(void)
{
	sign_with(ecdsa_ctx);
}

static EVP_PKEY_CTX *rsa_ctx[3];

static int rsa_prepare(int i)
{
	char path[4096];
	EVP_PKEY *key;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d.pk8", directory, 2048 + 1024 * i);
	file = fopen(path, "rb");
	CHECK(file);
	key = d2i_PrivateKey_fp(file, NULL);
	fclose(file);
	CHECK(key);
	rsa_ctx[i] = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	return EVP_PKEY_sign_init(rsa_ctx[i]) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(rsa_ctx[i], RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(rsa_ctx[i], sha256) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(rsa_ctx[i], RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int rsa2048_prepare(void) { return rsa_prepare(0); }
static int rsa3072_prepare(void) { return rsa_prepare(1); }
static int rsa4096_prepare(void) { return rsa_prepare(2); }
static void rsa2048(void) { sign_with(rsa_ctx[0]); }
static void rsa3072(void) { sign_with(rsa_ctx[1]); }
static void rsa4096(void) { sign_with(rsa_ctx[2]); }

struct exchange {
	EVP_PKEY *parameters;
	EVP_PKEY_CTX *generate;
	unsigned char *peer;
	size_t peer_len;
};

static struct exchange ecdh_state, x25519_state;

static int exchange_prepare(struct exchange *x, EVP_PKEY *peer)
{
	x->parameters = peer;
	x->peer_len = EVP_PKEY_get1_encoded_public_key(peer, &x->peer);
	x->generate = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
	return x->peer_len && EVP_PKEY_keygen_init(x->generate) == 1;
}

static int ecdh_prepare(void)
{
	return exchange_prepare(&ecdh_state, EVP_EC_gen("P-256"));
}

static int x25519_prepare(void)
{
	return exchange_prepare(&x25519_state, EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
}

static void exchange(struct exchange *x)
{
	EVP_PKEY *key = NULL, *peer = EVP_PKEY_new();
	unsigned char shared[32], *public;
	size_t len = sizeof(shared);
	EVP_PKEY_CTX *ctx;

	CHECK(EVP_PKEY_keygen(x->generate, &key) == 1);
	CHECK(EVP_PKEY_get1_encoded_public_key(key, &public) == x->peer_len);
	CHECK(EVP_PKEY_copy_parameters(peer, x->parameters) == 1);
	CHECK(EVP_PKEY_set1_encoded_public_key(peer, x->peer, x->peer_len) == 1);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	CHECK(EVP_PKEY_derive_init(ctx) == 1);
	CHECK(EVP_PKEY_derive_set_peer(ctx, peer) == 1);
	CHECK(EVP_PKEY_derive(ctx, shared, &len) == 1);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(public);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(key);
}

static void ecdh(void) { exchange(&ecdh_state); }
static void x25519(void) { exchange(&x25519_state); }

static unsigned char mlkem_key[1184];

static int mlkem_prepare(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
	size_t len = sizeof(mlkem_key);
	EVP_PKEY *key = NULL;

	return ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, &key) == 1 &&
		EVP_PKEY_get_raw_public_key(key, mlkem_key, &len) == 1;
}

static void mlkem(void)
{
	unsigned char ciphertext[1088], shared[32];
	size_t len = sizeof(ciphertext), shared_len = sizeof(shared);
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key;

	key = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-KEM-768", NULL, mlkem_key,
					     sizeof(mlkem_key));
	CHECK(key);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	CHECK(EVP_PKEY_encapsulate_init(ctx, NULL) == 1);
	CHECK(EVP_PKEY_encapsulate(ctx, ciphertext, &len, shared, &shared_len) == 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static const struct operation operations[] = {
	{ "ecdsa", ecdsa_prepare, ecdsa },
	{ "ecdh", ecdh_prepare, ecdh },
	{ "x25519", x25519_prepare, x25519 },
	{ "mlkem", mlkem_prepare, mlkem },
	{ "rsa2048", rsa2048_prepare, rsa2048 },
	{ "rsa3072", rsa3072_prepare, rsa3072 },
	{ "rsa4096", rsa4096_prepare, rsa4096 },
	{ }
};

int main(int argc, char **argv)
{
	char name[64];

	CHECK(argc == 2);
	directory = argv[1];
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hash = EVP_MD_CTX_new();
	snprintf(name, sizeof(name), "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
	return worker(name, operations);
}
