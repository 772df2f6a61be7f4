// SPDX-License-Identifier: GPL-2.0
/*
 * What a handshake, or a request, costs the machine.
 *
 *	handshakes [OPTION]... plain|kernel|library
 *
 *	-n N		connections (default 100), after some that do not count
 *	-r KEYRING	the kernel's identity
 *	-c FILE -k FILE	the library's: certificates, and the key
 *	-g NAME -s NAME	the only group and the only cipher suite of the client
 *	-T		the server sends no tickets
 *	-l PORT		only serve there: answer each request that comes
 *	-f FD		only serve, on a socket that listens already
 *	-p PORT		be the client of a server there, which may be any other program
 *	-N NAME		of the server
 *	-q N		requests of HTTP/1.1 on each connection (-p)
 *	-R		resume what the connection before has left
 *
 * A client makes connections, one after the other.  Who does the server's half of
 * the handshake is the last argument: nobody, the kernel, or the TLS library that
 * the program is linked to, which also does the client's half.  Without -l and -p
 * the server is another process, that accepts and closes.
 *
 * With one request for each connection the server is told to close it.  With more
 * of them the first is not counted, nor is what is before it and after the last.
 *
 * The output is nanoseconds for each connection, or for each request if there are
 * more: those that passed, and those of them that the client's TLS library took,
 * which works on buffers without any system call.  Both are medians, since other
 * processes may have run meanwhile.  Then the number of tickets for each connection.
 * In a machine that counts its instructions (qemu -icount) a nanosecond is an
 * instruction.
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

static const char *certificate, *key, *groups, *suite, *name;
static int keyring, connections = 100, warm_up = 10, no_tickets;
static int serve_only, inherited = -1, other_server, requests, resume;

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
static const char last_request[] =
	"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
static const char response[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";

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
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)sin, sizeof(*sin)) ||
	    getsockname(fd, (struct sockaddr *)sin, &len))
		die("bind");
	if (tls && (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
		    setsockopt(fd, SOL_TLS, TLS_HS, &settings, sizeof(settings))))
		die("TLS_HS");
	if (listen(fd, 8))
		die("listen");
	return fd;
}

/* Until the client has no more requests. */
static void answer(int fd, SSL *ssl)
{
	const int len = sizeof(response) - 1;
	char buf[4096];
	int n, last = 0;

	while (!last) {
		n = ssl ? SSL_read(ssl, buf, sizeof(buf) - 1) : recv(fd, buf, sizeof(buf) - 1, 0);
		if (n <= 0)
			return;
		buf[n] = 0;
		last = strstr(buf, "Connection: close") != NULL;
		n = ssl ? SSL_write(ssl, response, len) : send(fd, response, len, MSG_NOSIGNAL);
		if (n != len)
			return;
	}
}

static void serve_with_library(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, fd))
		die("SSL_new");
	if (SSL_accept(ssl) == 1) {
		if (serve_only)
			answer(fd, ssl);
		SSL_shutdown(ssl);
	} else if (!serve_only) {
		die("SSL_accept");
	}
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
		} else if (serve_only) {
			if (!kernel)
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			answer(fd, NULL);
		}
		close(fd);
	}
}

/* Nanoseconds in the client's library, those of a connection's requests, and tickets */
static unsigned long long in_library, of_requests, tickets;
static SSL_SESSION *session;

static int new_session(SSL *ssl, SSL_SESSION *new)
{
	(void)ssl;
	tickets++;
	SSL_SESSION_free(session);
	session = new;
	return 1;
}

static void send_all(int fd, BIO *bio)
{
	char buf[16384];
	int n;

	while ((n = BIO_read(bio, buf, sizeof(buf))) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) != n)
			die("send");
}

/* A client's connection: its sockets, and what it has got of the response that is next */
struct connection {
	int fd;
	SSL *ssl;
	BIO *in, *out;
	char got[4096];
	size_t len;
};

/* Whether the response is complete, which is then forgotten. */
static int complete(struct connection *c)
{
	const char *body, *field;
	size_t end;

	c->got[c->len] = 0;
	body = strstr(c->got, "\r\n\r\n");
	if (!body)
		return 0;
	field = strcasestr(c->got, "\r\nContent-Length: ");
	if (strncmp(c->got, "HTTP/1.1 200 ", 13) || !field) {
		errno = EPROTO;
		die(c->got);
	}
	end = body + 4 - c->got + strtoul(field + 18, NULL, 10);
	if (c->len < end)
		return 0;
	c->len = 0;
	return 1;
}

static void ask(struct connection *c, const char *text)
{
	unsigned long long start = now();
	int len = strlen(text);

	if (!c->ssl) {
		if (send(c->fd, text, len, MSG_NOSIGNAL) != len)
			die("send");
		return;
	}
	if (SSL_write(c->ssl, text, len) != len)
		die("SSL_write");
	in_library += now() - start;
}

static void say_goodbye(struct connection *c)
{
	unsigned long long start = now();

	if (c->ssl) {
		SSL_shutdown(c->ssl);
		in_library += now() - start;
		send_all(c->fd, c->out);
	}
	shutdown(c->fd, SHUT_WR);
}

/* Takes what there is from the library, if there is one; whether the handshake is done. */
static int take(struct connection *c)
{
	unsigned long long start = now();
	int n, done;

	do {
		n = SSL_read(c->ssl, c->got + c->len, sizeof(c->got) - 1 - c->len);
		if (n > 0)
			c->len += n;
	} while (n > 0);
	done = SSL_is_init_finished(c->ssl);
	n = SSL_get_error(c->ssl, n);
	in_library += now() - start;
	if (n != SSL_ERROR_WANT_READ && n != SSL_ERROR_ZERO_RETURN)
		die("SSL_read");
	return done;
}

static void begin(struct connection *c, SSL_CTX *ctx)
{
	unsigned long long start = now();

	c->ssl = SSL_new(ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (!c->ssl || !c->in || !c->out)
		die("SSL_new");
	SSL_set_bio(c->ssl, c->in, c->out);
	if (name && SSL_set_tlsext_host_name(c->ssl, name) != 1)
		die("SSL_set_tlsext_host_name");
	if (resume && session && SSL_set_session(c->ssl, session) != 1)
		die("SSL_set_session");
	SSL_set_connect_state(c->ssl);
	in_library += now() - start;
}

/*
 * One connection, to its end.  Returns the nanoseconds in the library, of all of it or of the
 * requests that count.
 */
static unsigned long long connect_once(SSL_CTX *ctx, const struct sockaddr_in *sin, int counts)
{
	unsigned long long start = 0, before, library = in_library, earlier = tickets;
	struct connection c = { .len = 0 };
	int done = !ctx, answers = 0, asked = 0, goodbye = 0, n, one = 1;
	char buf[16384];

	c.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c.fd < 0 || connect(c.fd, (const struct sockaddr *)sin, sizeof(*sin)))
		die("connect");
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (ctx)
		begin(&c, ctx);
	for (;;) {
		if (c.ssl)
			done = take(&c);
		if (c.len && complete(&c)) {
			answers++;
			if (answers == 1 && requests > 1) {
				library = in_library;
				start = now();
			} else if (answers == requests && requests > 1) {
				of_requests = now() - start;
				library = in_library - library;
			}
		}
		if (done && asked == answers && asked < requests) {
			asked++;
			ask(&c, requests == 1 ? last_request : request);
		}
		if (c.ssl)
			send_all(c.fd, c.out);
		if (done && other_server && !goodbye && requests != 1 && answers == requests &&
		    (!resume || tickets > earlier)) {
			goodbye = 1;
			say_goodbye(&c);
		}
		n = recv(c.fd, c.ssl ? buf : c.got + c.len,
			 c.ssl ? sizeof(buf) : sizeof(c.got) - 1 - c.len, 0);
		if (n < 0)
			die("recv");
		if (!n)
			break;
		if (!c.ssl) {
			c.len += n;
			continue;
		}
		before = now();
		BIO_write(c.in, buf, n);
		in_library += now() - before;
	}
	if (!done || answers != requests) {
		errno = EPROTO;
		die(done ? "no response" : "no handshake");
	}
	if (c.ssl) {
		if (resume && counts && !SSL_session_reused(c.ssl)) {
			errno = EPROTO;
			die("no resumption");
		}
		before = now();
		/* Or the session cannot be resumed. */
		SSL_shutdown(c.ssl);
		SSL_free(c.ssl);
		in_library += now() - before;
	}
	close(c.fd);
	return requests > 1 ? library : in_library - library;
}

static int compare(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
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
	unsigned long long before, after, idle, each, *passed, *library_of;
	SSL_CTX *ctx = NULL;
	int opt, kernel, library, i;
	pid_t pid = 0;

	while ((opt = getopt(argc, argv, "n:r:c:k:g:s:Tl:f:p:N:q:R")) != -1) {
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
		case 'l':
			serve_only = atoi(optarg);
			break;
		case 'f':
			serve_only = 1;
			inherited = atoi(optarg);
			break;
		case 'N':
			name = optarg;
			break;
		case 'p':
			other_server = atoi(optarg);
			break;
		case 'q':
			requests = atoi(optarg);
			break;
		case 'R':
			resume = 1;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1 || connections <= 0 || (requests && !other_server))
		return 2;
	kernel = !strcmp(argv[optind], "kernel");
	library = !strcmp(argv[optind], "library");
	if (!kernel && !library && strcmp(argv[optind], "plain"))
		return 2;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(serve_only ? serve_only : other_server);
	if (serve_only)
		serve(inherited < 0 ? listen_on(&sin, kernel) : inherited, kernel, library);
	if (!other_server) {
		int listener = listen_on(&sin, kernel);

		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(listener, kernel, library);
		}
		close(listener);
	}

	if (kernel || library) {
		ctx = context(TLS_client_method());
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
					       SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, new_session);
	}
	passed = calloc(connections, sizeof(*passed));
	library_of = calloc(connections, sizeof(*library_of));
	if (!passed || !library_of)
		die("calloc");
	for (i = -warm_up; i < 0; i++)
		connect_once(ctx, &sin, 0);
	tickets = 0;
	idle = idle_ticks();
	personality(0xffffffff);
	before = now();
	for (i = 0; i < connections; i++) {
		library_of[i] = connect_once(ctx, &sin, 1);
		/* With what the server has still done for the one before. */
		after = now();
		passed[i] = requests > 1 ? of_requests : after - before;
		before = after;
	}
	personality(0xffffffff);
	if (idle_ticks() - idle > 1)
		fprintf(stderr, "the machine was idle for %llu ticks\n", idle_ticks() - idle);
	qsort(passed, connections, sizeof(*passed), compare);
	qsort(library_of, connections, sizeof(*library_of), compare);
	each = requests > 1 ? requests - 1 : 1;
	printf("%llu %llu %.1f\n", passed[connections / 2] / each,
	       library_of[connections / 2] / each, (double)tickets / connections);
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return 0;
}
