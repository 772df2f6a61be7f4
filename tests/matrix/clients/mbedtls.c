// SPDX-License-Identifier: GPL-2.0
/* A TLS client with Mbed TLS, see common.h. */

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include "common.h"

static uint16_t groups[5];
static int suites[2];
static const char *protocols[5];

static void configure(mbedtls_ssl_config *conf, char **argv)
{
	static char copy[100], names[100];
	const char *suite = option(argv, "suite");
	char *name;
	int n = 0;

	if (suite) {
		suites[0] = mbedtls_ssl_get_ciphersuite_id(
			!strcmp(suite, "TLS_AES_128_GCM_SHA256") ? "TLS1-3-AES-128-GCM-SHA256" :
			!strcmp(suite, "TLS_AES_256_GCM_SHA384") ? "TLS1-3-AES-256-GCM-SHA384" :
			"TLS1-3-CHACHA20-POLY1305-SHA256");
		mbedtls_ssl_conf_ciphersuites(conf, suites);
	}
	/* The first one gets a share. */
	if (option(argv, "groups")) {
		snprintf(copy, sizeof(copy), "%s", option(argv, "groups"));
		for (name = strtok(copy, ":"); name && n < 4; name = strtok(NULL, ":"))
			groups[n++] = !strcmp(name, "x25519") ? MBEDTLS_SSL_IANA_TLS_GROUP_X25519 :
				      !strcmp(name, "secp256r1") ?
				      MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1 :
				      MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1;
		mbedtls_ssl_conf_groups(conf, groups);
	}
	if (option(argv, "alpn")) {
		n = 0;
		snprintf(names, sizeof(names), "%s", option(argv, "alpn"));
		for (name = strtok(names, ","); name && n < 4; name = strtok(NULL, ","))
			protocols[n++] = name;
		mbedtls_ssl_conf_alpn_protocols(conf, protocols);
	}
	if (option(argv, "version"))
		mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
	if (option(argv, "fragment"))
		mbedtls_ssl_conf_max_frag_len(conf, MBEDTLS_SSL_MAX_FRAG_LEN_1024);
}

static void talk(mbedtls_ssl_config *conf, char **argv, const char *data, size_t len,
		 mbedtls_ssl_session *in, mbedtls_ssl_session *out)
{
	unsigned char buf[16384];
	mbedtls_net_context net;
	mbedtls_ssl_context ssl;
	bool show = !out;
	int n;

	mbedtls_ssl_init(&ssl);
	if (mbedtls_ssl_setup(&ssl, conf) || mbedtls_ssl_set_hostname(&ssl, argv[1]))
		die("setup", 0);
	if (in) {
		n = mbedtls_ssl_set_session(&ssl, in);
		if (n)
			die("set_session", n);
	}
	net.fd = connect_to(argv[2]);
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	n = mbedtls_ssl_handshake(&ssl);
	if (n)
		die("handshake", n);
	while (len) {
		n = mbedtls_ssl_write(&ssl, (const unsigned char *)data, len);
		if (n <= 0)
			die("write", n);
		data += n;
		len -= n;
	}
	for (;;) {
		n = mbedtls_ssl_read(&ssl, buf, sizeof(buf));
		if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
			if (out)
				mbedtls_ssl_get_session(&ssl, out);
			out = NULL;
			continue;
		}
		/* A message that was none of the application's. */
		if (n == MBEDTLS_ERR_SSL_WANT_READ)
			continue;
		if (n <= 0)
			break;
		if (show)
			fwrite(buf, 1, n, stdout);
	}
	if (n && n != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && n != MBEDTLS_ERR_NET_CONN_RESET)
		die("read", n);
	close(net.fd);
	mbedtls_ssl_free(&ssl);
}

int main(int argc, char **argv)
{
	mbedtls_ssl_session session;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_entropy_context entropy;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt ca;
	char *request;
	size_t len;

	(void)argc;
	mbedtls_ssl_config_init(&conf);
	mbedtls_x509_crt_init(&ca);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	mbedtls_ssl_session_init(&session);
	if (psa_crypto_init() ||
	    mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0) ||
	    mbedtls_x509_crt_parse_file(&ca, "ca.pem") ||
	    mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT))
		die("init", 0);
	mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
	mbedtls_ssl_conf_ca_chain(&conf, &ca, NULL);
	mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&conf,
		MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
	configure(&conf, argv);
	if (option(argv, "twice"))
		talk(&conf, argv, first, strlen(first), NULL, &session);
	request = read_file(argv[3], &len);
	talk(&conf, argv, request, len, option(argv, "twice") ? &session : NULL, NULL);
	return 0;
}
