// SPDX-License-Identifier: GPL-2.0
/*
 * What a handshake costs the machine.
 *
 *	handshakes [OPTION]... plain|kernel|library
 *
 * A client makes connections, one after the other, to a server in another
 * process that accepts and closes them.  Who does the server's half of the
 * handshake is the last argument: nobody, the kernel, or the TLS library that
 * the program is linked to, which also does the client's half.
 *
 * The output is nanoseconds for each connection: those that passed, and those
 * of them that the client's TLS library took, which works on buffers without
 * any system call.  In a machine that counts its instructions (qemu -icount)
 * a nanosecond is an instruction.
 *
 * Before the first of the connections that count and after the last one it calls
 * personality(), which is for scripts/profile-handshake to see.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

static const char *certificate, *key, *groups, *suite;
static int keyring, connections = 100, warm_up = 10, no_tickets;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static SSL_CTX *context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		die("SSL_CTX_new");
	if (groups && !SSL_CTX_set1_groups_list(ctx, groups))
		die("groups");
	if (suite && !SSL_CTX_set_ciphersuites(ctx, suite))
		die("cipher suites");
	return ctx;
}

static int listen_on(struct sockaddr_in *sin, int tls)
{
	struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.flags = no_tickets ? TLS_HS_F_NO_TICKETS : 0,
		.keyring = keyring,
	};
	socklen_t len = sizeof(*sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)sin, sizeof(*sin)) ||
	    getsockname(fd, (struct sockaddr *)sin, &len))
		die("bind");
	if (tls && (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
		    setsockopt(fd, SOL_TLS, TLS_HS, &settings, sizeof(settings))))
		die("TLS_HS");
	if (listen(fd, 8))
		die("listen");
	return fd;
}

static void serve_with_library(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, fd))
		die("SSL_new");
	if (SSL_accept(ssl) != 1)
		die("SSL_accept");
	SSL_shutdown(ssl);
	SSL_free(ssl);
}

static void serve(int listener, int kernel, int library)
{
	SSL_CTX *ctx = NULL;
	struct sockaddr sa;
	socklen_t len;
	int fd, one = 1;

	if (library) {
		ctx = context(TLS_server_method());
		if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
		    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
			die(certificate);
		/* As for nginx. */
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		if (no_tickets && SSL_CTX_set_num_tickets(ctx, 0) != 1)
			die("tickets");
	}
	for (;;) {
		len = sizeof(sa);
		fd = accept(listener, &sa, &len);
		if (fd < 0)
			die("accept");
		if (ctx) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			serve_with_library(ctx, fd);
		} else if (kernel && sa.sa_family != AF_TLS) {
			errno = EPROTO;
			die("the kernel has not done the handshake");
		}
		close(fd);
	}
}

/* Nanoseconds in the client's library. */
static unsigned long long in_library;

static void send_all(int fd, BIO *bio)
{
	char buf[16384];
	int n;

	while ((n = BIO_read(bio, buf, sizeof(buf))) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) != n)
			die("send");
}

/* One connection, to its end. */
static void connect_once(SSL_CTX *ctx, const struct sockaddr_in *sin)
{
	unsigned long long start;
	BIO *in = NULL, *out = NULL;
	SSL *ssl = NULL;
	char buf[16384];
	int fd, done = 0, n, one = 1;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)sin, sizeof(*sin)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (ctx) {
		start = now();
		ssl = SSL_new(ctx);
		in = BIO_new(BIO_s_mem());
		out = BIO_new(BIO_s_mem());
		if (!ssl || !in || !out)
			die("SSL_new");
		SSL_set_bio(ssl, in, out);
		SSL_set_connect_state(ssl);
		in_library += now() - start;
	}
	for (;;) {
		char plain[256];

		if (ssl) {
			start = now();
			n = SSL_read(ssl, plain, sizeof(plain));
			in_library += now() - start;
			done = SSL_is_init_finished(ssl);
			if (n > 0 || (SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ &&
				      SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN))
				die("SSL_read");
			send_all(fd, out);
		}
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			die("recv");
		if (!n)
			break;
		if (ssl) {
			start = now();
			BIO_write(in, buf, n);
			in_library += now() - start;
		}
	}
	if (ssl) {
		if (!done) {
			errno = EPROTO;
			die("no handshake");
		}
		start = now();
		SSL_free(ssl);
		in_library += now() - start;
	}
	close(fd);
}

static unsigned long long idle_ticks(void)
{
	unsigned long long t[4] = { 0 };
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3]) != 4)
		die("/proc/stat");
	fclose(f);
	return t[3];
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	unsigned long long start = 0, idle = 0;
	SSL_CTX *ctx = NULL;
	int opt, listener, kernel, library, i;
	pid_t pid;

	while ((opt = getopt(argc, argv, "n:r:c:k:g:s:T")) != -1) {
		switch (opt) {
		case 'n':
			connections = atoi(optarg);
			break;
		case 'r':
			keyring = atoi(optarg);
			break;
		case 'c':
			certificate = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 'g':
			groups = optarg;
			break;
		case 's':
			suite = optarg;
			break;
		case 'T':
			no_tickets = 1;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1)
		return 2;
	kernel = !strcmp(argv[optind], "kernel");
	library = !strcmp(argv[optind], "library");
	if (!kernel && !library && strcmp(argv[optind], "plain"))
		return 2;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = listen_on(&sin, kernel);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener, kernel, library);
	}
	close(listener);

	if (kernel || library)
		ctx = context(TLS_client_method());
	for (i = -warm_up; i < connections; i++) {
		if (!i) {
			in_library = 0;
			idle = idle_ticks();
			personality(0xffffffff);
			start = now();
		}
		connect_once(ctx, &sin);
	}
	start = now() - start;
	personality(0xffffffff);
	if (idle_ticks() - idle > 1)
		fprintf(stderr, "the machine was idle for %llu ticks\n", idle_ticks() - idle);
	printf("%llu %llu\n", start / connections, in_library / connections);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
