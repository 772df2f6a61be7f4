// SPDX-License-Identifier: GPL-2.0
/* A TLS client with wolfSSL, see common.h. */

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include "common.h"

/* The groups; the first one gets a share. */
static void set_groups(WOLFSSL *ssl, const char *names)
{
	int groups[4], n = 0;
	char copy[100], *name;

	snprintf(copy, sizeof(copy), "%s", names);
	for (name = strtok(copy, ":"); name && n < 4; name = strtok(NULL, ":"))
		groups[n++] = !strcmp(name, "x25519") ? WOLFSSL_ECC_X25519 :
			      !strcmp(name, "secp256r1") ? WOLFSSL_ECC_SECP256R1 :
			      WOLFSSL_ECC_SECP384R1;
	if (wolfSSL_UseKeyShare(ssl, groups[0]) != WOLFSSL_SUCCESS ||
	    wolfSSL_set_groups(ssl, groups, n) != WOLFSSL_SUCCESS)
		die("groups", n);
}

static void write_all(WOLFSSL *ssl, const char *data, size_t len)
{
	while (len) {
		int n = wolfSSL_write(ssl, data, len > 16384 ? 16384 : len);

		if (n <= 0)
			die("write", wolfSSL_get_error(ssl, n));
		data += n;
		len -= n;
	}
}

static WOLFSSL_SESSION *talk(WOLFSSL_CTX *ctx, char **argv, const char *data, size_t len,
			     WOLFSSL_SESSION *session, bool show)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);
	const char *alpn = option(argv, "alpn");
	char buf[16384], names[100];
	int fd, n;

	if (!ssl)
		die("new", 0);
	wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, argv[1], strlen(argv[1]));
	wolfSSL_check_domain_name(ssl, argv[1]);
	if (alpn) {
		n = snprintf(names, sizeof(names), "%s", alpn);
		wolfSSL_UseALPN(ssl, names, n, WOLFSSL_ALPN_FAILED_ON_MISMATCH);
	}
	if (option(argv, "groups"))
		set_groups(ssl, option(argv, "groups"));
	if (option(argv, "noshare"))
		wolfSSL_NoKeyShares(ssl);
	/* Fails if there was no ticket. */
	if (session)
		wolfSSL_set_session(ssl, session);
	fd = connect_to(argv[2]);
	wolfSSL_set_fd(ssl, fd);
	n = wolfSSL_connect(ssl);
	if (n != WOLFSSL_SUCCESS)
		die("connect", wolfSSL_get_error(ssl, n));
	write_all(ssl, data, len / 2);
	if (option(argv, "update") && wolfSSL_update_keys(ssl) != WOLFSSL_SUCCESS)
		die("update", 0);
	write_all(ssl, data + len / 2, len - len / 2);
	while ((n = wolfSSL_read(ssl, buf, sizeof(buf))) > 0)
		if (show)
			fwrite(buf, 1, n, stdout);
	session = wolfSSL_get1_session(ssl);
	wolfSSL_free(ssl);
	close(fd);
	return session;
}

int main(int argc, char **argv)
{
	static const char * const suites[][2] = {
		{ "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256" },
		{ "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384" },
		{ "TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256" },
	};
	WOLFSSL_SESSION *session = NULL;
	const char *suite = option(argv, "suite");
	WOLFSSL_CTX *ctx;
	char *request;
	size_t len, i;

	(void)argc;
	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(!option(argv, "version") ? wolfSSLv23_client_method() :
			      wolfTLSv1_2_client_method());
	if (wolfSSL_CTX_load_verify_locations(ctx, "ca.pem", NULL) != WOLFSSL_SUCCESS)
		die("ca.pem", 0);
	for (i = 0; suite && i < 3; i++)
		if (!strcmp(suite, suites[i][0]))
			wolfSSL_CTX_set_cipher_list(ctx, suites[i][1]);
	if (option(argv, "psk_ke"))
		wolfSSL_CTX_no_dhe_psk(ctx);
	if (option(argv, "twice"))
		session = talk(ctx, argv, first, strlen(first), NULL, false);
	request = read_file(argv[3], &len);
	talk(ctx, argv, request, len, session, true);
	return 0;
}
