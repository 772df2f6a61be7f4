// SPDX-License-Identifier: GPL-2.0
/*
 * Many responses of random length, each byte and each end of which is looked at.
 *
 *	load [-n RESPONSES] [-j CLIENTS] [-s SEED] [-t] SERVER
 *
 * SERVER is blocking, nonblocking or uring, see servers.c, or "example" for
 * demo/tls_server, which listens already.  -t is without TLS, to see what is due to TCP.
 *
 * Clients talk HTTP/1.0, with one response for each connection, or HTTP/1.1 with up to
 * eight, asked for one by one or all at once.  Every third reads slowly: through a small
 * receive buffer, a few bytes at a time, after a rest.  All expect the whole of each
 * response, nothing behind the last one, close_notify, and then the end of the stream.
 */

#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/keyctl.h>
#include <linux/tls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../../selftests/tls_handshake_keys.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define BODY_MAX	(1 << 20)
#define REQUESTS_MAX	8
#define PATIENCE_S	60

const unsigned char *body;

static SSL_CTX *ctx;
static bool plain;
static int to_come = 1000, clients = 16;
static uint32_t first_seed = 1;

/* What has come of it. */
static struct {
	long responses, connections, slow, one_zero;
	unsigned long long bytes;
	long short_body, wrong_body, wrong_head, no_close_notify, reset, behind_end, late, refused;
} sum;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define ADD(field, n) __atomic_fetch_add(&sum.field, n, __ATOMIC_RELAXED)

void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(2);
}

/* A random number below a limit. */
uint32_t pick(uint32_t *seed, uint32_t below)
{
	/* xorshift32 */
	*seed = *seed ? *seed : 1;
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

/* Reads "GET /bytes/N HTTP/1.x"; returns the length of the request, or 0 if it is not all there. */
size_t parse_request(const char *buf, size_t len, struct request *request)
{
	const char *end = memmem(buf, len, "\r\n\r\n", 4);
	char text[HEAD_MAX + 1];
	size_t used;
	int minor;

	if (!end)
		return 0;
	used = end + 4 - buf;
	memcpy(text, buf, used);
	text[used] = 0;
	if (sscanf(text, "GET /bytes/%zu HTTP/1.%d", &request->len, &minor) != 2 ||
	    request->len > BODY_MAX) {
		errno = EPROTO;
		die(text);
	}
	request->last = !minor || strstr(text, "Connection: close");
	return used;
}

int write_head(char *buf, const struct request *request)
{
	return sprintf(buf, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n", request->len,
		       request->last ? "Connection: close\r\n" : "");
}

/* --- Servers ------------------------------------------------------------------- */

static int listen_on(int keyring)
{
	struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.flags = TLS_HS_F_NO_FALLBACK,
		.keyring = keyring,
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(PORT),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind");
	if (!plain && (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
		       setsockopt(fd, SOL_TLS, TLS_HS, &settings, sizeof(settings))))
		die("TLS_HS");
	if (listen(fd, 128))
		die("listen");
	return fd;
}

static pid_t start_server(const char *kind)
{
	int keyring, listener;
	pid_t pid;

	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	keyring = syscall(SYS_add_key, "keyring", "load", NULL, 0, KEY_SPEC_SESSION_KEYRING);
	if (!plain && (keyring < 0 || syscall(SYS_add_key, "tls_identity", "test", test_identity,
					      sizeof(test_identity), keyring) < 0))
		die("tls_identity");
	listener = listen_on(keyring);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!strcmp(kind, "blocking"))
			serve_blocking(listener);
		if (!strcmp(kind, "nonblocking"))
			serve_nonblocking(listener);
		if (!strcmp(kind, "uring"))
			serve_uring(listener);
		_exit(2);
	}
	setpgid(pid, pid);
	close(listener);
	return pid;
}

/* --- Clients -------------------------------------------------------------------- */

struct client {
	uint32_t seed;
	int fd;
	SSL *ssl;
	bool slow, notified;
	char buf[65536];
	size_t have, at;	/* what is in buf */
};

static void complain(struct client *c, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&lock);
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (client %s, seed %u)\n", c->slow ? "slow" : "quick", c->seed);
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

/* Reads some more; 0 at the end of the stream or of TLS, and -1 if it went wrong. */
static int read_some(struct client *c)
{
	size_t room = sizeof(c->buf);
	int n;

	if (c->slow) {
		struct timespec t = { .tv_nsec = pick(&c->seed, 4) * 1000000 };

		room = 1 + pick(&c->seed, 8192);
		nanosleep(&t, NULL);
	}
	c->at = c->have = 0;
	if (plain) {
		n = recv(c->fd, c->buf, room, 0);
		c->notified = !n;
	} else {
		errno = 0;
		ERR_clear_error();
		n = SSL_read(c->ssl, c->buf, room);
		if (n <= 0) {
			switch (SSL_get_error(c->ssl, n)) {
			case SSL_ERROR_ZERO_RETURN:
				c->notified = true;
				return 0;
			case SSL_ERROR_SSL:
				n = ERR_GET_REASON(ERR_peek_error()) ==
				    SSL_R_UNEXPECTED_EOF_WHILE_READING ? 0 : -1;
				break;
			default:
				n = -1;
			}
		}
	}
	if (n < 0) {
		if (errno == EAGAIN)
			ADD(late, 1);
		else
			ADD(reset, 1);
		complain(c, "read: %s, %s", strerror(errno),
			 ERR_reason_error_string(ERR_peek_error()) ?: "no error of TLS");
		return -1;
	}
	c->have = n;
	return n;
}

/* The head of a response, up to the empty line: the length of the body, or -1. */
static long read_head(struct client *c)
{
	char head[HEAD_MAX], *line;
	size_t len = 0;

	while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4)) {
		if (c->at == c->have && read_some(c) <= 0) {
			ADD(short_body, 1);
			complain(c, "the end after %zu bytes of a head", len);
			return -1;
		}
		if (len == sizeof(head) - 1)
			break;
		head[len++] = c->buf[c->at++];
	}
	head[len] = 0;
	line = strstr(head, "Content-Length: ");
	if (strncmp(head, "HTTP/1.1 200", 12) || !line) {
		ADD(wrong_head, 1);
		complain(c, "a head of %zu bytes: %.40s", len, head);
		return -1;
	}
	return strtol(line + 16, NULL, 10);
}

static bool read_body(struct client *c, size_t len)
{
	size_t at = 0, n;

	while (at < len) {
		if (c->at == c->have && read_some(c) <= 0) {
			ADD(short_body, 1);
			complain(c, "the end after %zu of %zu bytes", at, len);
			return false;
		}
		n = c->have - c->at < len - at ? c->have - c->at : len - at;
		if (memcmp(c->buf + c->at, body + at, n)) {
			ADD(wrong_body, 1);
			complain(c, "wrong bytes behind %zu of %zu", at, len);
			return false;
		}
		c->at += n;
		at += n;
	}
	return true;
}

static bool write_requests(struct client *c, const char *data, size_t len)
{
	if (plain)
		return send(c->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
	return SSL_write(c->ssl, data, len) == (int)len;
}

static bool connect_client(struct client *c, int *port)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(PORT),
	};
	socklen_t len = sizeof(sin);
	int size = 4096;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->slow)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)))
		return false;
	getsockname(c->fd, (struct sockaddr *)&sin, &len);
	*port = ntohs(sin.sin_port);
	if (plain)
		return true;
	c->ssl = SSL_new(ctx);
	if (!c->ssl || !SSL_set_fd(c->ssl, c->fd))
		die("SSL_new");
	return SSL_connect(c->ssl) == 1;
}

/* From one byte to a mebibyte, each order of magnitude as often. */
static size_t random_length(uint32_t *seed)
{
	static const uint32_t below[] = { 2, 100, 2000, 20000, 100000, 300000, BODY_MAX };

	return pick(seed, below[pick(seed, pick(seed, 8) ? 6 : 7)]);
}

/* One connection with so many responses. */
static void one_connection(struct client *c, int responses, bool one_zero)
{
	char requests[REQUESTS_MAX * 128];
	size_t lengths[REQUESTS_MAX], from[REQUESTS_MAX + 1], n = 0;
	bool pipelined = pick(&c->seed, 2);
	int port = 0, done = 0;

	for (int i = 0; i < responses; i++) {
		lengths[i] = random_length(&c->seed);
		from[i] = n;
		n += sprintf(requests + n, "GET /bytes/%zu HTTP/1.%d\r\nHost: x\r\n%s\r\n", lengths[i],
			     !one_zero, !one_zero && i == responses - 1 ? "Connection: close\r\n" : "");
	}
	from[responses] = n;
	if (!connect_client(c, &port)) {
		ADD(refused, 1);
		complain(c, "no connection: %s, %s", strerror(errno),
			 ERR_reason_error_string(ERR_peek_error()) ?: "no error of TLS");
		goto out;
	}
	for (; done < responses; done++) {
		if (done && pipelined) {
			/* All of them have been sent. */
		} else if (!write_requests(c, requests + from[done],
					   from[pipelined ? responses : done + 1] - from[done])) {
			ADD(reset, 1);
			complain(c, "no request can be sent: %s", strerror(errno));
			goto out;
		}
		if (!done && c->slow)
			usleep(pick(&c->seed, 100) * 1000);
		long len = read_head(c);

		if (len < 0)
			goto out;
		if ((size_t)len != lengths[done]) {
			ADD(wrong_head, 1);
			complain(c, "Content-Length: %ld, asked for %zu", len, lengths[done]);
			goto out;
		}
		if (!read_body(c, len))
			goto out;
		ADD(responses, 1);
		ADD(bytes, len);
	}
	if (c->at < c->have || read_some(c) > 0) {
		ADD(behind_end, 1);
		complain(c, "something behind the last response");
	} else if (!c->notified) {
		ADD(no_close_notify, 1);
		complain(c, "no close_notify behind %d responses, the last of %zu bytes, port %d",
			 responses, lengths[responses - 1], port);
	} else if (!plain) {
		/* Nothing but the FIN. */
		ssize_t rest = recv(c->fd, c->buf, sizeof(c->buf), 0);

		if (rest) {
			ADD(behind_end, 1);
			complain(c, "%zd bytes behind close_notify: %s", rest, strerror(errno));
		}
	}
out:
	ADD(connections, 1);
	ADD(slow, c->slow);
	ADD(one_zero, one_zero);
	if (c->ssl && c->notified && pick(&c->seed, 2))
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->fd);
}

static void *run_client(void *arg)
{
	struct client *c = arg;
	uint32_t seed = c->seed;

	for (;;) {
		bool one_zero = pick(&seed, 2);
		int n = one_zero ? 1 : 1 + pick(&seed, REQUESTS_MAX);
		int left = __atomic_fetch_sub(&to_come, n, __ATOMIC_RELAXED);

		if (left <= 0)
			return NULL;
		if (n > left)
			n = left;
		memset(c, 0, offsetof(struct client, buf));
		c->have = c->at = 0;
		c->seed = pick(&seed, UINT32_MAX);
		c->slow = !pick(&seed, 3);
		one_connection(c, n, one_zero);
	}
}

static int wait_for_server(void)
{
	struct client c = { 0 };
	int port;

	for (int i = 0; i < 200; i++) {
		if (connect_client(&c, &port)) {
			SSL_free(c.ssl);
			return close(c.fd);
		}
		SSL_free(c.ssl);
		c.ssl = NULL;
		close(c.fd);
		usleep(50000);
	}
	errno = ETIMEDOUT;
	die("the server");
}

int main(int argc, char **argv)
{
	int opt, wanted;
	pid_t server = 0;
	unsigned char *all;
	pthread_t *threads;
	struct timespec start, end;
	long bad;

	while ((opt = getopt(argc, argv, "n:j:s:t")) != -1) {
		switch (opt) {
		case 'n':
			to_come = atoi(optarg);
			break;
		case 'j':
			clients = atoi(optarg);
			break;
		case 's':
			first_seed = atoi(optarg);
			break;
		case 't':
			plain = true;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1 || to_come <= 0 || clients <= 0)
		return 2;
	wanted = to_come;
	signal(SIGPIPE, SIG_IGN);
	all = mmap(NULL, BODY_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < BODY_MAX; i++)
		all[i] = body_byte(i);
	body = all;
	if (strcmp(argv[optind], "example"))
		server = start_server(argv[optind]);
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		die("SSL_CTX_new");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	wait_for_server();

	clock_gettime(CLOCK_MONOTONIC, &start);
	threads = calloc(clients, sizeof(*threads));
	for (int i = 0; i < clients; i++) {
		struct client *c = calloc(1, sizeof(*c));

		c->seed = first_seed * 1000003 + i * 7919 + 1;
		if (pthread_create(&threads[i], NULL, run_client, c))
			die("pthread_create");
	}
	for (int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (server) {
		kill(-server, SIGKILL);
		waitpid(server, NULL, 0);
	}

	bad = sum.short_body + sum.wrong_body + sum.wrong_head + sum.no_close_notify + sum.reset +
	      sum.behind_end + sum.late + sum.refused;
	printf("%s - %s, seed %u: %ld of %d responses, %llu bytes, %ld connections (%ld slow, %ld HTTP/1.0), %ld s\n",
	       bad || sum.responses != wanted ? "not ok" : "ok", argv[optind], first_seed,
	       sum.responses, wanted, sum.bytes, sum.connections, sum.slow, sum.one_zero,
	       (long)(end.tv_sec - start.tv_sec));
	if (bad)
		printf("# cut off %ld, wrong bytes %ld, wrong heads %ld, no close_notify %ld, reset %ld, something behind the end %ld, too late %ld, refused %ld\n",
		       sum.short_body, sum.wrong_body, sum.wrong_head, sum.no_close_notify, sum.reset,
		       sum.behind_end, sum.late, sum.refused);
	return bad || sum.responses != wanted;
}
