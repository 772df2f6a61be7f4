// SPDX-License-Identifier: GPL-2.0
/*
 * An HTTPS server without a TLS library.
 *
 * The kernel does the handshakes (TLS_HS) and the records (kTLS); this program
 * sees plain text and never a key.  Clients whose hello the kernel cannot serve
 * are handed to another program, which gets the connection as file descriptor
 * 3 with the ClientHello still unread and the plain text side as descriptor 4.
 *
 *	tls_server -p PORT -k KEYRING [-t TIMEOUT_MS] [-ev] [-- FALLBACK ARG...]
 *
 * GET / says how the client is connected, GET /bytes/N gives N bytes, POST
 * /echo gives back what was sent.  GET /keyupdate is like GET /, under the next
 * keys of both sides.  With -e it gives back whatever it gets, be it HTTP or not.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define BODY_MAX	(64 << 20)
#define LINGER_MS	2000
#define RECORD_DATA	23
#define RECORD_ALERT	21

struct buf {
	char *data;
	size_t len, cap;
};

struct conn {
	int fd;			/* what is read and written here: plain text */
	bool listener;
	bool tls;		/* the kernel's; otherwise what comes from the fallback program */
	bool told;		/* @how is complete */
	bool closing;
	bool ended;		/* nothing more comes from the client */
	bool lingering;		/* shut down, waits for the client's end */
	long long until;	/* ms */
	TAILQ_ENTRY(conn) link;	/* of @lingering */
	int nr;
	char peer[INET6_ADDRSTRLEN + 8];
	char how[1024];
	struct buf in, out;
	size_t sent;		/* of @out */
	unsigned long long bytes_in, bytes_out;
	unsigned int requests;
};

static TAILQ_HEAD(, conn) lingering = TAILQ_HEAD_INITIALIZER(lingering);
static int epfd;
static char **fallback;
static bool verbose, echo;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void append(struct buf *b, const void *data, size_t len)
{
	if (b->cap - b->len < len) {
		b->cap = (b->len + len) * 2;
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			die("realloc");
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void __attribute__((format(printf, 2, 3)))
print(struct buf *b, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(b, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1);
}

/* Names for what the demo shows; IANA has the others. */
static const char *name_of(unsigned int kind, unsigned int value)
{
	static const struct { unsigned int kind, value; const char *name; } names[] = {
		{ 's', 0x1301, "TLS_AES_128_GCM_SHA256" },
		{ 's', 0x1302, "TLS_AES_256_GCM_SHA384" },
		{ 's', 0x1303, "TLS_CHACHA20_POLY1305_SHA256" },
		{ 'g', 23, "secp256r1" }, { 'g', 24, "secp384r1" },
		{ 'g', 29, "x25519" }, { 'g', 0x11ec, "X25519MLKEM768" },
		{ 'c', 0x0403, "ecdsa_secp256r1_sha256" },
		{ 'c', 0x0804, "rsa_pss_rsae_sha256" },
		{ 'c', 0x0805, "rsa_pss_rsae_sha384" },
		{ 'c', 0x0806, "rsa_pss_rsae_sha512" },
	};
	static char number[3][16];
	static int turn;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].kind == kind && names[i].value == value)
			return names[i].name;
	turn = (turn + 1) % 3;
	snprintf(number[turn], sizeof(number[0]), "0x%04x", value);
	return number[turn];
}

/* Makes @how of a connection whose handshake the kernel has done. */
static int describe(struct conn *c, socklen_t addrlen)
{
	char alpn[TLS_HS_ALPN_MAX + 1] = "";
	struct tls_hs_status st;
	socklen_t len = sizeof(st), alpnlen = TLS_HS_ALPN_MAX;

	memset(&st, 0, sizeof(st));
	if (getsockopt(c->fd, SOL_TLS, TLS_HS_STATUS, &st, &len))
		return -1;
	if (getsockopt(c->fd, SOL_TLS, TLS_HS_ALPN, alpn, &alpnlen))
		return -1;
	snprintf(c->how, sizeof(c->how),
		 "family=%d (PF_TLS) over=%s version=%s suite=%s group=%s signature=%s sni=%s alpn=%s%s%s handshake_us=%u",
		 AF_TLS, addrlen == sizeof(struct sockaddr_in6) ? "IPv6" : "IPv4",
		 st.version == TLS_1_3_VERSION ? "TLSv1.3" : "?",
		 name_of('s', st.cipher_suite), name_of('g', st.group),
		 st.signature_scheme ? name_of('c', st.signature_scheme) : "-",
		 st.server_name[0] ? (char *)st.server_name : "-",
		 alpn[0] ? alpn : "-",
		 st.flags & TLS_HS_S_RESUMED ? " resumed" : "",
		 st.flags & TLS_HS_S_RETRIED ? " retried" : "", st.duration_us);
	c->told = true;
	return 0;
}

/* Has the fallback program serve @fd; what it deciphers comes by c->fd. */
static int hand_over(struct conn *c, int fd, int family)
{
	int sp[2];
	pid_t pid;

	snprintf(c->how, sizeof(c->how), "family=%d (%s) over=%s fallback", family,
		 family == AF_INET6 ? "PF_INET6" : "PF_INET", family == AF_INET6 ? "IPv6" : "IPv4");
	if (!fallback || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp))
		return -1;
	pid = fork();
	if (!pid) {
		/* Out of the way first: 3 and 4 may be either of them. */
		int a = fcntl(fd, F_DUPFD, 10), b = fcntl(sp[1], F_DUPFD, 10);

		dup2(a, 3);
		dup2(b, 4);
		close_range(5, ~0U, 0);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGCHLD, SIG_DFL);
		execv(fallback[0], fallback);
		_exit(127);
	}
	close(sp[1]);
	if (pid < 0) {
		close(sp[0]);
		return -1;
	}
	close(fd);
	fcntl(sp[0], F_SETFL, O_NONBLOCK);
	c->fd = sp[0];
	return 0;
}

static void watch(struct conn *c, int op, unsigned int events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &ev))
		die("epoll_ctl");
}

static void conn_free(struct conn *c)
{
	/*
	 * Not left to close(): a process that was just forked for another
	 * connection may have the descriptor, too.
	 */
	epoll_ctl(epfd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	if (c->lingering)
		TAILQ_REMOVE(&lingering, c, link);
	printf("#%d %s %s requests=%u in=%llu out=%llu\n", c->nr, c->peer, c->how, c->requests,
	       c->bytes_in, c->bytes_out);
	fflush(stdout);
	free(c->in.data);
	free(c->out.data);
	free(c);
}

static void accept_one(struct conn *l)
{
	struct sockaddr_storage sa;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&sa;
	struct sockaddr_in *sin = (struct sockaddr_in *)&sa;
	socklen_t len = sizeof(sa);
	char addr[INET6_ADDRSTRLEN] = "?";
	static int count;
	struct conn *c;
	int fd;

	memset(&sa, 0, sizeof(sa));
	fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno != EAGAIN && verbose)
			perror("accept");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		die("calloc");
	c->nr = ++count;
	c->fd = fd;

	/* The family may say PF_TLS, so the length tells IPv4 from IPv6. */
	if (len == sizeof(*sin6))
		inet_ntop(AF_INET6, &sin6->sin6_addr, addr, sizeof(addr));
	else
		inet_ntop(AF_INET, &sin->sin_addr, addr, sizeof(addr));
	snprintf(c->peer, sizeof(c->peer), len == sizeof(*sin6) ? "[%s]:%u" : "%s:%u", addr,
		 ntohs(sin->sin_port));

	c->tls = sa.ss_family == AF_TLS;
	if (c->tls ? describe(c, len) : hand_over(c, fd, sa.ss_family)) {
		strcat(c->how, c->tls ? "no status" : ": nobody to serve it");
		conn_free(c);
		return;
	}
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void respond(struct conn *c, const char *status, const void *body, size_t len)
{
	print(&c->out, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n",
	      status, len, c->closing ? "Connection: close\r\n" : "");
	append(&c->out, body, len);
	c->requests++;
}

static void serve(struct conn *c, const char *method, const char *path, const char *body,
		  size_t len)
{
	struct tls_hs_key_update update = { .flags = TLS_HS_KEY_UPDATE_REQUEST };
	char text[2048];
	size_t i, n;
	char *data;

	if (c->tls && !strcmp(path, "/keyupdate") &&
	    setsockopt(c->fd, SOL_TLS, TLS_HS_KEY_UPDATE, &update, sizeof(update)))
		perror("TLS_HS_KEY_UPDATE");
	if (!strcmp(method, "POST") && !strcmp(path, "/echo")) {
		respond(c, "200 OK", body, len);
	} else if (!strcmp(method, "GET") && sscanf(path, "/bytes/%zu", &n) == 1 && n <= BODY_MAX) {
		data = malloc(n + 1);
		if (!data)
			die("malloc");
		for (i = 0; i < n; i++)
			data[i] = i * 167 >> 3;
		respond(c, "200 OK", data, n);
		free(data);
	} else if (!strcmp(method, "GET") && (!strcmp(path, "/") || !strcmp(path, "/keyupdate"))) {
		n = snprintf(text, sizeof(text), "%s %s\n", c->peer, c->how);
		respond(c, "200 OK", text, n);
	} else {
		respond(c, "404 Not Found", "no such thing\n", 14);
	}
}

/* One request out of the input, if it is complete.  False if it is not one. */
static bool request(struct conn *c, bool *more)
{
	char method[8], path[256], version[16], *end, *line, *p, first;
	size_t head, len = 0, gap = 4;
	bool closing;

	*more = false;
	end = memmem(c->in.data, c->in.len, "\r\n\r\n", gap);
	if (!end) {
		/* RFC 9112, section 2.2. */
		gap = 2;
		end = memmem(c->in.data, c->in.len, "\n\n", gap);
	}
	if (!end)
		return c->in.len < 65536;
	first = *end;
	*end = 0;
	head = end + gap - c->in.data;
	if (sscanf(c->in.data, "%7s %255s %15s", method, path, version) != 3) {
		c->closing = true;
		c->in.len = 0;
		respond(c, "400 Bad Request", "what?\n", 6);
		return true;
	}
	closing = !strcmp(version, "HTTP/1.0");
	for (line = strchr(c->in.data, '\n'); line; line = strchr(line, '\n')) {
		line++;
		if (!strncasecmp(line, "Content-Length:", 15))
			len = strtoul(line + 15, NULL, 10);
		if (!strncasecmp(line, "Connection:", 11)) {
			for (p = line + 11; *p == ' '; p++)
				;
			closing |= !strncasecmp(p, "close", 5);
		}
		if (!strncasecmp(line, "Expect:", 7) && c->in.len == head) {
			print(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
			/* Not to be told twice. */
			*line = 'X';
		}
	}
	*end = first;
	if (len > BODY_MAX)
		return false;
	if (c->in.len < head + len)
		return true;
	c->closing |= closing;
	serve(c, method, path, c->in.data + head, len);
	c->in.len -= head + len;
	memmove(c->in.data, c->in.data + head + len, c->in.len);
	*more = c->in.len > 0 && !c->closing;
	return true;
}

/* Reads what there is: 1 if data, 0 at the end or an alert, -1 if none. */
static int receive(struct conn *c, char *data, size_t size, ssize_t *len)
{
	union {
		char buf[CMSG_SPACE(sizeof(unsigned char))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;

	*len = recvmsg(c->fd, &msg, 0);
	if (*len < 0)
		return errno == EAGAIN ? -1 : 0;
	if (!*len)
		return 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (c->tls && cmsg && cmsg->cmsg_level == SOL_TLS &&
	    cmsg->cmsg_type == TLS_GET_RECORD_TYPE && *CMSG_DATA(cmsg) != RECORD_DATA) {
		if (verbose)
			printf("#%d record of type %d\n", c->nr, *CMSG_DATA(cmsg));
		return 0;
	}
	return 1;
}

static bool on_input(struct conn *c)
{
	static char data[65536];
	bool more;
	ssize_t n;
	char *nl;
	int ret;

	while ((ret = receive(c, data, sizeof(data), &n)) > 0) {
		if (c->lingering)
			continue;
		append(&c->in, data, n);
		c->bytes_in += n;
		if (c->in.len > BODY_MAX + 65536)
			return false;
	}
	if (!ret)
		c->ended = true;
	if (c->lingering)
		return !c->ended;
	if (!c->told) {
		/* The first line is the fallback program's. */
		nl = memchr(c->in.data, '\n', c->in.len);
		if (nl && nl - c->in.data < 200) {
			n = nl + 1 - c->in.data;
			snprintf(c->how + strlen(c->how), sizeof(c->how) - strlen(c->how),
				 " %.*s", (int)n - 1, c->in.data);
			c->in.len -= n;
			c->bytes_in -= n;
			memmove(c->in.data, nl + 1, c->in.len);
			c->told = true;
		}
	}
	if (echo && c->told) {
		append(&c->out, c->in.data, c->in.len);
		c->in.len = 0;
	}
	for (more = c->told && c->in.len; more && !c->closing;)
		if (!request(c, &more))
			return false;
	c->closing |= c->ended;
	return true;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static bool on_output(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN)
				return false;
			watch(c, EPOLL_CTL_MOD, EPOLLOUT);
			return true;
		}
		c->sent += n;
		c->bytes_out += n;
	}
	c->sent = c->out.len = 0;
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
	if (!c->closing || c->lingering)
		return true;
	if (c->ended || !c->tls || shutdown(c->fd, SHUT_WR))
		return false;
	/*
	 * close() now would reset the connection if the client's close_notify
	 * is on its way, and the client lose what it has not read yet
	 * (RFC 9112, section 9.6).
	 */
	c->lingering = true;
	c->until = now_ms() + LINGER_MS;
	TAILQ_INSERT_TAIL(&lingering, c, link);
	return true;
}

/* Ends what has waited long enough; returns for how long epoll may wait. */
static int end_lingering(void)
{
	struct conn *c;
	long long ms;

	while ((c = TAILQ_FIRST(&lingering)) != NULL) {
		ms = c->until - now_ms();
		if (ms > 0)
			return ms;
		conn_free(c);
	}
	return -1;
}

static struct conn *listen_on(int family, int port, const struct tls_hs_settings *settings)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct conn *l = calloc(1, sizeof(*l));
	int one = 1, ret;

	l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		die("socket");
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6) {
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		ret = bind(l->fd, (struct sockaddr *)&sin6, sizeof(sin6));
	} else {
		ret = bind(l->fd, (struct sockaddr *)&sin, sizeof(sin));
	}
	if (ret)
		die("bind");

	/* All that a server needs for TLS. */
	if (setsockopt(l->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		die("TCP_ULP");
	if (setsockopt(l->fd, SOL_TLS, TLS_HS, settings, sizeof(*settings)))
		die("TLS_HS");
	if (setsockopt(l->fd, SOL_TLS, TLS_HS_ALPN, "\x08http/1.1", 9))
		die("TLS_HS_ALPN");
	if (listen(l->fd, 511))
		die("listen");
	l->listener = true;
	watch(l, EPOLL_CTL_ADD, EPOLLIN);
	return l;
}

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

int main(int argc, char **argv)
{
	struct tls_hs_settings settings = { .versions = TLS_HS_VERSION_1_3 };
	struct epoll_event ev[64];
	int port = 4433, opt, i, n;

	while ((opt = getopt(argc, argv, "p:k:t:ev")) != -1) {
		switch (opt) {
		case 'p':
			port = atoi(optarg);
			break;
		case 'k':
			settings.keyring = strtol(optarg, NULL, 0);
			break;
		case 't':
			settings.timeout_ms = atoi(optarg);
			break;
		case 'e':
			echo = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr, "Usage: %s -p PORT -k KEYRING [-t TIMEOUT_MS] [-ev] [-- FALLBACK ARG...]\n",
				argv[0]);
			return 2;
		}
	}
	if (argv[optind]) {
		fallback = argv + optind;
		settings.versions |= TLS_HS_VERSION_1_2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		die("epoll");
	listen_on(AF_INET, port, &settings);
	listen_on(AF_INET6, port, &settings);
	printf("listening on port %d\n", port);
	fflush(stdout);

	while (!stop) {
		n = epoll_wait(epfd, ev, 64, end_lingering());
		for (i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c->listener)
				accept_one(c);
			else if (((ev[i].events & ~EPOLLOUT) && !on_input(c)) || !on_output(c))
				conn_free(c);
		}
	}
	return 0;
}
