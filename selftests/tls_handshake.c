// SPDX-License-Identifier: GPL-2.0
/*
 * TLS handshakes in the kernel: what can be tested without a TLS client, that
 * is, everything up to the server's answer.  tls_handshake.py does the rest.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/tls.h>

#include "kselftest_harness.h"
#include "tls_handshake_keys.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

/* Long enough for a slow machine to report what it must not report. */
#define NOT_READY_MS	60
#define READY_MS	5000

#define ALERT_UNEXPECTED_MESSAGE	10
#define ALERT_DECODE_ERROR		50
#define ALERT_PROTOCOL_VERSION		70

/* A ClientHello of TLS 1.2, which the kernel leaves to user space. */
static const unsigned char hello12[] = {
	0x16, 0x03, 0x01, 0x00, 0x4e,			/* record */
	0x01, 0x00, 0x00, 0x4a,				/* ClientHello */
	0x03, 0x03,
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,	/* random */
	0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
	0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
	0x00,						/* session id */
	0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f,		/* suites */
	0x01, 0x00,					/* compression */
	0x00, 0x1d,					/* extensions */
	0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17,	/* groups */
	0x00, 0x0b, 0x00, 0x02, 0x01, 0x00,		/* point formats */
	0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03,	/* signatures */
	0x08, 0x04,
	0xff, 0x01, 0x00, 0x01, 0x00,			/* renegotiation_info */
};

static int new_keyring(void)
{
	static int nr;
	char name[32];
	long ring;

	snprintf(name, sizeof(name), "tls-%d-%d", getpid(), nr++);
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	ring = syscall(SYS_add_key, "keyring", name, NULL, 0,
		       KEY_SPEC_SESSION_KEYRING);
	return ring;
}

static int add_identity(int ring, const void *data, size_t len)
{
	return syscall(SYS_add_key, "tls_identity", "test", data, len, ring);
}

static void settings_init(struct tls_hs_settings *s, int ring)
{
	memset(s, 0, sizeof(*s));
	s->versions = TLS_HS_VERSION_1_2 | TLS_HS_VERSION_1_3;
	s->keyring = ring;
}

static int set_hs(int sk, const struct tls_hs_settings *s)
{
	return setsockopt(sk, SOL_TLS, TLS_HS, s, sizeof(*s));
}

static int set_ulp(int sk)
{
	return setsockopt(sk, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"));
}

/* For a moment a connection that is being reset has an error, but is not at its end
 * yet: that is enough for recv() to return.
 */
static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && (p.revents & (POLLIN | POLLERR));
}

static int send_all(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

/* All of it, but no more, within the usual time. */
static ssize_t read_full(int fd, void *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len && readable(fd, READY_MS)) {
		n = recv(fd, (char *)buf + got, len - got, 0);
		if (n < 0)
			return got ? (ssize_t)got : -errno;
		if (!n)
			break;
		got += n;
	}
	return got;
}

/* The alert that comes before the end of the connection, or a negative error. */
static int read_alert(int fd)
{
	unsigned char buf[8];
	ssize_t n = read_full(fd, buf, 7);

	if (n < 0)
		return n;
	if (n != 7 || buf[0] != 0x15 || buf[1] != 3 || buf[4] != 2 ||
	    buf[5] != 2)
		return -EBADMSG;
	/* Then the end. */
	if (!readable(fd, READY_MS) || recv(fd, buf, 1, 0) > 0)
		return -EBUSY;
	return buf[6];
}

/* Whether the peer ends the connection without sending anything. */
static int closed_silently(int fd, int ms)
{
	char c;

	return readable(fd, ms) && recv(fd, &c, 1, 0) <= 0;
}

static int write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	int ret;

	if (fd < 0)
		return -1;
	ret = write(fd, value, strlen(value)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

/* A listener with all that a test may want to change left out. */
struct server {
	int lsk;
	int ring;
	struct tls_hs_settings settings;
	struct sockaddr_storage addr;
	socklen_t addrlen;
};

static int server_bind(struct server *s, int family)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&s->addr;
	struct sockaddr_in *sin = (struct sockaddr_in *)&s->addr;
	int one = 1;

	memset(&s->addr, 0, sizeof(s->addr));
	s->addr.ss_family = family;
	if (family == AF_INET6) {
		sin6->sin6_addr = in6addr_any;
		s->addrlen = sizeof(*sin6);
	} else {
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		s->addrlen = sizeof(*sin);
	}
	s->lsk = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->lsk < 0)
		return -1;
	setsockopt(s->lsk, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(s->lsk, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(s->lsk, (void *)&s->addr, s->addrlen))
		return -1;
	return getsockname(s->lsk, (void *)&s->addr, &s->addrlen);
}

static int server_keys(struct server *s)
{
	s->ring = new_keyring();
	if (s->ring < 0)
		return -1;
	settings_init(&s->settings, s->ring);
	return add_identity(s->ring, test_identity, sizeof(test_identity));
}

static int server_start(struct server *s, int family)
{
	if (server_keys(s) < 0 || server_bind(s, family) < 0)
		return -1;
	if (set_ulp(s->lsk) || set_hs(s->lsk, &s->settings))
		return -1;
	return listen(s->lsk, 128);
}

/* Connects over IPv4 or IPv6 to the server's port on the loopback. */
static int client_connect(struct server *s, int family, int flags)
{
	in_port_t port = ((struct sockaddr_in *)&s->addr)->sin_port;
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6, .sin6_port = port,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(family, SOCK_STREAM | flags, 0);
	int one = 1;
	int ret;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (family == AF_INET6)
		ret = connect(fd, (void *)&sin6, sizeof(sin6));
	else
		ret = connect(fd, (void *)&sin, sizeof(sin));
	if (ret && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static bool unsupported(void)
{
	struct tls_hs_settings s;
	struct server server;
	bool ret = true;

	settings_init(&s, 0);
	if (!server_bind(&server, AF_INET) && !set_ulp(server.lsk)) {
		set_hs(server.lsk, &s);
		ret = errno == ENOPROTOOPT || errno == EOPNOTSUPP;
	}
	close(server.lsk);
	return ret;
}

FIXTURE(hs) {
	struct server s;
	int cfd;
};

FIXTURE_VARIANT(hs) {
	int family;
	int client;
	bool cookies;
};

FIXTURE_VARIANT_ADD(hs, ipv4) { .family = AF_INET, .client = AF_INET };
FIXTURE_VARIANT_ADD(hs, ipv6) { .family = AF_INET6, .client = AF_INET6 };
FIXTURE_VARIANT_ADD(hs, mapped) { .family = AF_INET6, .client = AF_INET };
FIXTURE_VARIANT_ADD(hs, cookies) {
	.family = AF_INET, .client = AF_INET, .cookies = true,
};

#define SYNCOOKIES "/proc/sys/net/ipv4/tcp_syncookies"

FIXTURE_SETUP(hs)
{
	self->cfd = -1;
	self->s.lsk = -1;
	if (unsupported())
		SKIP(return, "no TLS handshakes in this kernel");
	if (variant->cookies && write_sysctl(SYNCOOKIES, "2"))
		SKIP(return, "no SYN cookies");
	ASSERT_EQ(server_start(&self->s, variant->family), 0)
		TH_LOG("%s", strerror(errno));
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
}

FIXTURE_TEARDOWN(hs)
{
	if (variant->cookies)
		write_sysctl(SYNCOOKIES, "1");
	close(self->cfd);
	close(self->s.lsk);
}

/* Accepts a connection that fell back and checks all that user space sees. */
static void check_fallback(struct __test_metadata *_metadata, struct server *s,
			   int family, int cfd, const void *sent, size_t len)
{
	struct sockaddr_storage sa = {}, peer = {};
	struct tls_hs_status status;
	socklen_t salen = sizeof(sa);
	char buf[4096];
	int fd, one = 1;

	ASSERT_TRUE(readable(s->lsk, READY_MS));
	fd = accept4(s->lsk, (void *)&sa, &salen, SOCK_NONBLOCK);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(sa.ss_family, family);
	EXPECT_EQ(salen, family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					      sizeof(struct sockaddr_in));
	/* The ClientHello is there already, whole and unchanged. */
	ASSERT_EQ(recv(fd, buf, sizeof(buf), 0), (ssize_t)len)
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(memcmp(buf, sent, len), 0);
	EXPECT_EQ(recv(fd, buf, sizeof(buf), 0), -1);
	EXPECT_EQ(errno, EAGAIN);

	salen = sizeof(peer);
	EXPECT_EQ(getpeername(fd, (void *)&peer, &salen), 0);
	EXPECT_EQ(peer.ss_family, family);
	salen = sizeof(status);
	EXPECT_EQ(getsockopt(fd, SOL_TLS, TLS_HS_STATUS, &status, &salen), -1);

	/* It is a plain TCP connection, which may even use kTLS. */
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	EXPECT_EQ(send_all(fd, "answer", 6), 0);
	EXPECT_EQ(read_full(cfd, buf, 6), 6);
	EXPECT_EQ(send_all(cfd, "more", 4), 0);
	EXPECT_EQ(read_full(fd, buf, 4), 4);
	EXPECT_EQ(set_ulp(fd), 0);
	close(fd);
}

TEST_F(hs, fallback)
{
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	check_fallback(_metadata, &self->s, variant->family, self->cfd, hello12,
		       sizeof(hello12));
}

static void check_segments(struct __test_metadata *_metadata, struct server *s,
			   int family, int cfd, size_t size)
{
	size_t i, n;

	for (i = 0; i < sizeof(hello12); i += n) {
		n = sizeof(hello12) - i < size ? sizeof(hello12) - i : size;
		EXPECT_FALSE(readable(s->lsk, 0));
		ASSERT_EQ(send_all(cfd, hello12 + i, n), 0);
	}
	check_fallback(_metadata, s, family, cfd, hello12, sizeof(hello12));
}

TEST_F(hs, fallback_1_byte_segments)
{
	check_segments(_metadata, &self->s, variant->family, self->cfd, 1);
}

TEST_F(hs, fallback_9_byte_segments)
{
	check_segments(_metadata, &self->s, variant->family, self->cfd, 9);
}

TEST_F(hs, fallback_then_fin)
{
	char buf[256];
	int fd;

	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	shutdown(self->cfd, SHUT_WR);
	ASSERT_TRUE(readable(self->s.lsk, READY_MS));
	fd = accept(self->s.lsk, NULL, NULL);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(recv(fd, buf, sizeof(buf), 0), (ssize_t)sizeof(hello12));
	EXPECT_EQ(recv(fd, buf, sizeof(buf), 0), 0);
	close(fd);
}

TEST_F(hs, plain_http)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";

	ASSERT_EQ(send_all(self->cfd, get, sizeof(get) - 1), 0);
	EXPECT_EQ(read_alert(self->cfd), ALERT_UNEXPECTED_MESSAGE);
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
}

/* Sends hello12 with one byte changed. */
static void check_changed(struct __test_metadata *_metadata, struct server *s,
			  int cfd, size_t at, unsigned char value, int alert)
{
	unsigned char buf[sizeof(hello12)];

	memcpy(buf, hello12, sizeof(buf));
	buf[at] = value;
	ASSERT_EQ(send_all(cfd, buf, sizeof(buf)), 0);
	EXPECT_EQ(read_alert(cfd), alert);
	EXPECT_FALSE(readable(s->lsk, NOT_READY_MS));
}

TEST_F(hs, session_id_past_end)
{
	check_changed(_metadata, &self->s, self->cfd, 43, 0x20,
		      ALERT_DECODE_ERROR);
}

TEST_F(hs, extensions_past_end)
{
	check_changed(_metadata, &self->s, self->cfd, 53, 0x1e,
		      ALERT_DECODE_ERROR);
}

TEST_F(hs, extension_past_end)
{
	check_changed(_metadata, &self->s, self->cfd, sizeof(hello12) - 2, 0x02,
		      ALERT_DECODE_ERROR);
}

TEST_F(hs, other_message_first)
{
	check_changed(_metadata, &self->s, self->cfd, 5, 0x14,
		      ALERT_UNEXPECTED_MESSAGE);
}

TEST_F(hs, only_tls13)
{
	self->s.settings.versions = TLS_HS_VERSION_1_3;
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
	close(self->cfd);
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	EXPECT_EQ(read_alert(self->cfd), ALERT_PROTOCOL_VERSION);
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
}

/* Nothing but one byte for hello12 to be complete. */
static int send_half(int fd)
{
	return send_all(fd, hello12, sizeof(hello12) - 1);
}

static int send_rest(int fd)
{
	return send_all(fd, hello12 + sizeof(hello12) - 1, 1);
}

TEST_F(hs, listener_closed)
{
	int quiet = client_connect(&self->s, variant->client, 0);

	ASSERT_GE(quiet, 0);
	ASSERT_EQ(send_half(self->cfd), 0);
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
	close(self->s.lsk);
	self->s.lsk = -1;
	EXPECT_TRUE(closed_silently(self->cfd, READY_MS));
	EXPECT_TRUE(closed_silently(quiet, READY_MS));
	close(quiet);
}

TEST_F(hs, listener_shut_down)
{
	ASSERT_EQ(send_half(self->cfd), 0);
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
	ASSERT_EQ(shutdown(self->s.lsk, SHUT_RD), 0);
	EXPECT_TRUE(closed_silently(self->cfd, READY_MS));
	close(self->cfd);

	/* The same socket can listen again, on a port of the kernel's choice. */
	ASSERT_EQ(listen(self->s.lsk, 16), 0);
	self->s.addrlen = sizeof(self->s.addr);
	ASSERT_EQ(getsockname(self->s.lsk, (void *)&self->s.addr,
			      &self->s.addrlen), 0);
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	check_fallback(_metadata, &self->s, variant->family, self->cfd, hello12,
		       sizeof(hello12));
}

TEST_F(hs, client_reset)
{
	int i;

	for (i = 0; i < 20; i++) {
		int fd = client_connect(&self->s, variant->client, 0);

		ASSERT_GE(fd, 0);
		if (i & 1)
			EXPECT_EQ(send_half(fd), 0);
		reset(fd);
	}
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	check_fallback(_metadata, &self->s, variant->family, self->cfd, hello12,
		       sizeof(hello12));
}

TEST_F(hs, client_fin)
{
	ASSERT_EQ(send_half(self->cfd), 0);
	shutdown(self->cfd, SHUT_WR);
	EXPECT_TRUE(readable(self->cfd, READY_MS));
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
}

TEST_F(hs, timeout)
{
	int quiet;

	self->s.settings.timeout_ms = 300;
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
	close(self->cfd);
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
	quiet = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(quiet, 0);
	ASSERT_EQ(send_half(self->cfd), 0);
	EXPECT_FALSE(readable(self->cfd, 100));
	/* With or without an alert, it must end. */
	EXPECT_TRUE(readable(self->cfd, READY_MS));
	EXPECT_TRUE(readable(quiet, READY_MS));
	EXPECT_FALSE(readable(self->s.lsk, NOT_READY_MS));
	close(quiet);
}

TEST_F(hs, socket_options)
{
	int low = 4096, buf = 4608, one = 1;

	/* Of the application, and inherited: no business of the handshake. */
	EXPECT_EQ(setsockopt(self->s.lsk, SOL_SOCKET, SO_RCVLOWAT, &low,
			     sizeof(low)), 0);
	EXPECT_EQ(setsockopt(self->s.lsk, SOL_SOCKET, SO_SNDBUF, &buf,
			     sizeof(buf)), 0);
	EXPECT_EQ(setsockopt(self->s.lsk, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one,
			     sizeof(one)), 0);
	close(self->cfd);
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	check_fallback(_metadata, &self->s, variant->family, self->cfd, hello12,
		       sizeof(hello12));
}

TEST_F(hs, forked_worker)
{
	char buf[256];
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* A worker needs nothing but the socket. */
		int fd = -1;

		if (readable(self->s.lsk, READY_MS))
			fd = accept(self->s.lsk, NULL, NULL);
		if (fd < 0 || recv(fd, buf, sizeof(buf), 0) <= 0)
			_exit(1);
		_exit(send_all(fd, "w", 1) ? 1 : 0);
	}
	close(self->s.lsk);
	self->s.lsk = -1;
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	EXPECT_EQ(read_full(self->cfd, buf, 1), 1);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_F(hs, reuseport)
{
	struct server other = self->s;
	int fds[16], i, answered = 0;
	int one = 1;
	char c;

	other.lsk = socket(variant->family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ASSERT_GE(other.lsk, 0);
	setsockopt(other.lsk, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(other.lsk, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	ASSERT_EQ(bind(other.lsk, (void *)&other.addr, other.addrlen), 0);
	ASSERT_EQ(set_ulp(other.lsk), 0);
	ASSERT_EQ(set_hs(other.lsk, &other.settings), 0);
	ASSERT_EQ(listen(other.lsk, 64), 0);

	for (i = 0; i < 16; i++) {
		fds[i] = client_connect(&self->s, variant->client, 0);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(send_half(fds[i]), 0);
	}
	/* Held by one of two; those of the closed one are gone, not leaked. */
	close(other.lsk);
	for (i = 0; i < 16; i++) {
		if (send_rest(fds[i]))
			continue;
		if (!readable(self->s.lsk, 500))
			continue;
		close(accept(self->s.lsk, NULL, NULL));
		answered++;
	}
	EXPECT_LE(answered, 16);
	for (i = 0; i < 16; i++) {
		EXPECT_TRUE(readable(fds[i], READY_MS));
		EXPECT_LE(recv(fds[i], &c, 1, 0), 0);
		close(fds[i]);
	}
}

/* Connections in handshake have a limit of their own: the backlog is not used up
 * by them, and the oldest one is reset.
 */
TEST_F(hs, limit_of_silent)
{
	int fds[40], i, alive = 0;

	close(self->cfd);
	self->s.settings.timeout_ms = 60000;
	self->s.settings.max_handshakes = 8;
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
	ASSERT_EQ(listen(self->s.lsk, 2), 0);
	for (i = 0; i < 40; i++) {
		fds[i] = client_connect(&self->s, variant->client, 0);
		ASSERT_GE(fds[i], 0);
		usleep(2000);
	}
	for (i = 0; i < 32; i++)
		EXPECT_TRUE(closed_silently(fds[i], READY_MS));
	for (i = 32; i < 40; i++)
		alive += !readable(fds[i], 10);
	EXPECT_EQ(alive, 8);
	self->cfd = client_connect(&self->s, variant->client, 0);
	ASSERT_GE(self->cfd, 0);
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	ASSERT_TRUE(readable(self->s.lsk, READY_MS));
	close(accept(self->s.lsk, NULL, NULL));
	for (i = 0; i < 40; i++)
		close(fds[i]);
}

/* Those that wait for accept() are limited by the backlog: once in the list of
 * the listener, once in TCP's queue.
 */
TEST_F(hs, backlog)
{
	int fds[60], i, connected = 0, accepted = 0;

	ASSERT_EQ(listen(self->s.lsk, 8), 0);
	for (i = 0; i < 60; i++) {
		fds[i] = client_connect(&self->s, variant->client,
					SOCK_NONBLOCK);
		ASSERT_GE(fds[i], 0);
		usleep(1000);
		send(fds[i], hello12, sizeof(hello12), MSG_NOSIGNAL);
	}
	usleep(300000);
	for (i = 0; i < 60; i++) {
		struct tcp_info info = {};
		socklen_t len = sizeof(info);

		getsockopt(fds[i], IPPROTO_TCP, TCP_INFO, &info, &len);
		connected += info.tcpi_state == TCP_ESTABLISHED;
	}
	/*
	 * Both hold backlog + 1; a SYN that was answered before the queue was
	 * full leaves a client that believes in a connection.
	 */
	if (!variant->cookies)
		EXPECT_LE(connected, 3 * (8 + 1));
	EXPECT_GE(connected, 2 * 8);
	/* No place is lost. */
	while (readable(self->s.lsk, READY_MS)) {
		int fd = accept(self->s.lsk, NULL, NULL);

		if (fd < 0)
			break;
		close(fd);
		accepted++;
	}
	EXPECT_GE(accepted, 2 * 8);
	for (i = 0; i < 60; i++)
		reset(fds[i]);

	for (i = 0; i < 16; i++) {
		fds[i] = client_connect(&self->s, variant->client, 0);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(send_all(fds[i], hello12, sizeof(hello12)), 0);
		ASSERT_TRUE(readable(self->s.lsk, READY_MS));
		close(accept(self->s.lsk, NULL, NULL));
		close(fds[i]);
	}
}

/* Ways of waiting for a connection. */
struct waiter;

struct wait_ops {
	int (*start)(struct waiter *w);
	/* 1 if there is a connection, 0 if not after that many ms. */
	int (*wait)(struct waiter *w, int ms);
};

struct waiter {
	int lsk;
	int fd;
	int accepted;
	unsigned int events;
	struct sockaddr_storage addr;
	socklen_t addrlen;
	/* io_uring */
	void *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static int poll_start(struct waiter *w)
{
	return 0;
}

static int poll_wait(struct waiter *w, int ms)
{
	return readable(w->lsk, ms);
}

static int select_wait(struct waiter *w, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(w->lsk, &set);
	return select(w->lsk + 1, &set, NULL, NULL, &tv);
}

static int epoll_start(struct waiter *w)
{
	struct epoll_event ev = { .events = EPOLLIN | w->events };

	w->fd = epoll_create1(0);
	return epoll_ctl(w->fd, EPOLL_CTL_ADD, w->lsk, &ev);
}

static int epoll_do_wait(struct waiter *w, int ms)
{
	struct epoll_event ev;

	return epoll_wait(w->fd, &ev, 1, ms);
}

static int sigio_start(struct waiter *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fcntl(w->lsk, F_SETOWN, getpid());
	return fcntl(w->lsk, F_SETFL, O_NONBLOCK | O_ASYNC);
}

static int sigio_wait(struct waiter *w, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	return sigtimedwait(&set, NULL, &ts) == SIGIO;
}

static void *uring_map(struct waiter *w, size_t len, off_t off)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd,
		       off);

	return p == MAP_FAILED ? NULL : p;
}

static int uring_setup(struct waiter *w)
{
	struct io_uring_params *p = &w->params;

	w->fd = syscall(__NR_io_uring_setup, 4, p);
	if (w->fd < 0)
		return -1;
	w->sq = uring_map(w, p->sq_off.array + p->sq_entries * sizeof(int),
			  IORING_OFF_SQ_RING);
	w->cq = uring_map(w, p->cq_off.cqes + p->cq_entries *
			  sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	w->sqes = uring_map(w, p->sq_entries * sizeof(*w->sqes),
			    IORING_OFF_SQES);
	if (!w->sq || !w->cq || !w->sqes)
		return -1;
	memset(&w->sqes[0], 0, sizeof(w->sqes[0]));
	return 0;
}

/* Submits w->sqes[0]. */
static int uring_submit(struct waiter *w)
{
	struct io_uring_params *p = &w->params;
	unsigned int *tail;

	((unsigned int *)(w->sq + p->sq_off.array))[0] = 0;
	tail = w->sq + p->sq_off.tail;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, w->fd, 1, 0, 0, NULL, 0) == 1 ?
	       0 : -1;
}

static int uring_start(struct waiter *w)
{
	if (uring_setup(w))
		return -1;
	w->addrlen = sizeof(w->addr);
	w->sqes[0].opcode = IORING_OP_ACCEPT;
	w->sqes[0].fd = w->lsk;
	w->sqes[0].addr = (unsigned long)&w->addr;
	w->sqes[0].addr2 = (unsigned long)&w->addrlen;
	return uring_submit(w);
}

static int uring_wait(struct waiter *w, int ms)
{
	struct io_uring_params *p = &w->params;
	unsigned int *head = w->cq + p->cq_off.head;
	unsigned int *tail = w->cq + p->cq_off.tail;
	struct io_uring_cqe *cqe;

	for (; __atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head; ms--) {
		if (ms <= 0)
			return 0;
		/* Completions may need the task to enter the kernel. */
		syscall(__NR_io_uring_enter, w->fd, 0, 0, IORING_ENTER_GETEVENTS,
			NULL, 0);
		usleep(1000);
	}
	cqe = w->cq + p->cq_off.cqes;
	cqe += *head & (p->cq_entries - 1);
	w->accepted = cqe->res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 1;
}

static const struct wait_ops wait_poll = { poll_start, poll_wait };
static const struct wait_ops wait_select = { poll_start, select_wait };
static const struct wait_ops wait_epoll = { epoll_start, epoll_do_wait };
static const struct wait_ops wait_sigio = { sigio_start, sigio_wait };
/* A plain child sends without copies, as one of a plain listener does. */
TEST_F(hs, zerocopy)
{
	struct waiter w = {};
	char buf[6];
	int fd;

	if (uring_setup(&w))
		SKIP(return, "no io_uring");
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	ASSERT_TRUE(readable(self->s.lsk, READY_MS));
	fd = accept(self->s.lsk, NULL, NULL);
	ASSERT_GE(fd, 0);
	w.sqes[0].opcode = IORING_OP_SEND_ZC;
	w.sqes[0].fd = fd;
	w.sqes[0].addr = (unsigned long)"answer";
	w.sqes[0].len = 6;
	ASSERT_EQ(uring_submit(&w), 0);
	ASSERT_EQ(uring_wait(&w, READY_MS), 1);
	EXPECT_EQ(w.accepted, 6)
		TH_LOG("%s", strerror(-w.accepted));
	EXPECT_EQ(read_full(self->cfd, buf, 6), 6);
	close(w.fd);
	close(fd);
}

static const struct wait_ops wait_uring = { uring_start, uring_wait };

FIXTURE(ready) {
	struct server s;
	struct waiter w;
	int cfd;
};

FIXTURE_VARIANT(ready) {
	const struct wait_ops *ops;
	unsigned int events;
	bool is_uring;
};

FIXTURE_VARIANT_ADD(ready, poll) { .ops = &wait_poll };
FIXTURE_VARIANT_ADD(ready, select) { .ops = &wait_select };
FIXTURE_VARIANT_ADD(ready, epoll_lt) { .ops = &wait_epoll };
FIXTURE_VARIANT_ADD(ready, epoll_et) { .ops = &wait_epoll, .events = EPOLLET };
FIXTURE_VARIANT_ADD(ready, epoll_exclusive) {
	.ops = &wait_epoll, .events = EPOLLEXCLUSIVE,
};

FIXTURE_VARIANT_ADD(ready, epoll_exclusive_et) {
	.ops = &wait_epoll, .events = EPOLLEXCLUSIVE | EPOLLET,
};

FIXTURE_VARIANT_ADD(ready, sigio) { .ops = &wait_sigio };
FIXTURE_VARIANT_ADD(ready, io_uring) { .ops = &wait_uring, .is_uring = true };

FIXTURE_SETUP(ready)
{
	memset(&self->w, 0, sizeof(self->w));
	self->s.lsk = -1;
	self->cfd = -1;
	self->w.fd = -1;
	if (unsupported())
		SKIP(return, "no TLS handshakes in this kernel");
	ASSERT_EQ(server_start(&self->s, AF_INET), 0);
	self->w.lsk = self->s.lsk;
	self->w.accepted = -1;
	self->w.events = variant->events;
	if (variant->is_uring) {
		/* The request must wait, not return EAGAIN. */
		fcntl(self->s.lsk, F_SETFL, 0);
		if (variant->ops->start(&self->w))
			SKIP(return, "no io_uring");
	} else {
		ASSERT_EQ(variant->ops->start(&self->w), 0);
	}
}

FIXTURE_TEARDOWN(ready)
{
	close(self->w.fd);
	close(self->cfd);
	close(self->s.lsk);
}

TEST_F(ready, only_after_handshake)
{
	char buf[256];
	int fd;

	self->cfd = client_connect(&self->s, AF_INET, 0);
	ASSERT_GE(self->cfd, 0);
	EXPECT_EQ(variant->ops->wait(&self->w, NOT_READY_MS), 0)
		TH_LOG("ready after connect()");
	ASSERT_EQ(send_all(self->cfd, hello12, 10), 0);
	EXPECT_EQ(variant->ops->wait(&self->w, NOT_READY_MS), 0)
		TH_LOG("ready after 10 bytes");
	ASSERT_EQ(send_all(self->cfd, hello12 + 10, sizeof(hello12) - 11), 0);
	EXPECT_EQ(variant->ops->wait(&self->w, NOT_READY_MS), 0)
		TH_LOG("ready before the last byte");
	if (!variant->is_uring) {
		EXPECT_EQ(accept(self->s.lsk, NULL, NULL), -1);
		EXPECT_EQ(errno, EAGAIN);
	}

	ASSERT_EQ(send_rest(self->cfd), 0);
	ASSERT_EQ(variant->ops->wait(&self->w, READY_MS), 1);
	if (variant->is_uring) {
		fd = self->w.accepted;
		EXPECT_EQ(self->w.addr.ss_family, AF_INET);
	} else {
		fd = accept(self->s.lsk, NULL, NULL);
	}
	ASSERT_GE(fd, 0);
	EXPECT_EQ(recv(fd, buf, sizeof(buf), MSG_DONTWAIT),
		  (ssize_t)sizeof(hello12));
	close(fd);

	/* What ended with an alert is no event. */
	if (variant->is_uring || variant->ops == &wait_sigio)
		return;
	close(self->cfd);
	self->cfd = client_connect(&self->s, AF_INET, 0);
	ASSERT_GE(self->cfd, 0);
	ASSERT_EQ(send_all(self->cfd, "GET / HTTP/1.0\r\n\r\n", 18), 0);
	EXPECT_EQ(read_alert(self->cfd), ALERT_UNEXPECTED_MESSAGE);
	EXPECT_EQ(variant->ops->wait(&self->w, NOT_READY_MS), 0);
}

/* A blocking accept() sleeps through handshakes that never end. */
static void *blocking_accept(void *arg)
{
	return (void *)(long)accept(*(int *)arg, NULL, NULL);
}

TEST_F(ready, blocking_accept)
{
	int stuck, http;
	pthread_t thread;
	void *ret;

	if (variant->ops != &wait_poll)
		SKIP(return, "once is enough");
	fcntl(self->s.lsk, F_SETFL, 0);
	ASSERT_EQ(pthread_create(&thread, NULL, blocking_accept, &self->s.lsk),
		  0);
	stuck = client_connect(&self->s, AF_INET, 0);
	http = client_connect(&self->s, AF_INET, 0);
	self->cfd = client_connect(&self->s, AF_INET, 0);
	ASSERT_EQ(send_half(stuck), 0);
	ASSERT_EQ(send_all(http, "HEAD / HTTP/1.0\r\n\r\n", 19), 0);
	EXPECT_EQ(read_alert(http), ALERT_UNEXPECTED_MESSAGE);
	usleep(NOT_READY_MS * 1000);
	EXPECT_EQ(pthread_tryjoin_np(thread, &ret), EBUSY);
	ASSERT_EQ(send_all(self->cfd, hello12, sizeof(hello12)), 0);
	ASSERT_EQ(pthread_join(thread, &ret), 0);
	EXPECT_GE((long)ret, 0);
	close((long)ret);
	close(stuck);
	close(http);
}

FIXTURE(opt) {
	struct server s;
};

FIXTURE_SETUP(opt)
{
	self->s.lsk = -1;
	if (unsupported())
		SKIP(return, "no TLS handshakes in this kernel");
	ASSERT_GE(server_keys(&self->s), 0);
	ASSERT_EQ(server_bind(&self->s, AF_INET), 0);
	ASSERT_EQ(set_ulp(self->s.lsk), 0);
}

FIXTURE_TEARDOWN(opt)
{
	close(self->s.lsk);
}

#define EXPECT_FAIL(call, err) do {			\
	errno = 0;					\
	EXPECT_EQ(call, -1);				\
	EXPECT_EQ(errno, err);				\
} while (0)

TEST_F(opt, read_back)
{
	struct tls_hs_settings got;
	socklen_t len = sizeof(got);

	self->s.settings.timeout_ms = 1234;
	self->s.settings.flags = TLS_HS_F_SNI_STRICT;
	self->s.settings.cipher_suites[0] = 0x1303;
	self->s.settings.groups[0] = 29;
	self->s.settings.signature_schemes[0] = 0x0403;
	self->s.settings.tls12_cipher_suites[0] = 0xc02b;
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
	memset(&got, 0xff, sizeof(got));
	ASSERT_EQ(getsockopt(self->s.lsk, SOL_TLS, TLS_HS, &got, &len), 0);
	EXPECT_EQ(len, sizeof(got));
	EXPECT_EQ(memcmp(&got, &self->s.settings, sizeof(got)), 0);

	/* Again, and when it listens. */
	self->s.settings.timeout_ms = 0;
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
	ASSERT_EQ(listen(self->s.lsk, 1), 0);
	ASSERT_EQ(set_hs(self->s.lsk, &self->s.settings), 0);
}

TEST_F(opt, size)
{
	struct {
		struct tls_hs_settings s;
		unsigned char tail[32];
	} big = { .s = self->s.settings };
	int lsk = self->s.lsk;

	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_HS, &big, 0), EINVAL);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_HS, &big, 4), EINVAL);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_HS, &big, sizeof(big.s) - 1),
		    EINVAL);
	EXPECT_EQ(setsockopt(lsk, SOL_TLS, TLS_HS, &big, sizeof(big)), 0);
	big.tail[31] = 1;
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_HS, &big, sizeof(big)), E2BIG);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_HS, NULL, sizeof(big.s)),
		    EFAULT);
}

TEST_F(opt, values)
{
	struct tls_hs_settings s = self->s.settings;
	int lsk = self->s.lsk;

	s.versions |= 1 << 2;
	EXPECT_FAIL(set_hs(lsk, &s), EINVAL);
	s.versions = 0;
	EXPECT_FAIL(set_hs(lsk, &s), EINVAL);
	s = self->s.settings;
	s.flags = 1U << 31;
	EXPECT_FAIL(set_hs(lsk, &s), EINVAL);
	s = self->s.settings;
	s.timeout_ms = ~0U;
	EXPECT_FAIL(set_hs(lsk, &s), EINVAL);
	/* Nothing of what has failed stays behind. */
	EXPECT_EQ(set_hs(lsk, &self->s.settings), 0);
}

TEST_F(opt, keyring)
{
	struct tls_hs_settings s = self->s.settings;
	int lsk = self->s.lsk;
	int key;

	s.keyring = 0;
	EXPECT_EQ(set_hs(lsk, &s), -1);
	s.keyring = 0x7ffffff0;
	EXPECT_FAIL(set_hs(lsk, &s), ENOKEY);
	key = syscall(SYS_add_key, "user", "no ring", "x", 1, self->s.ring);
	ASSERT_GE(key, 0);
	s.keyring = key;
	EXPECT_FAIL(set_hs(lsk, &s), ENOTDIR);
	/* A keyring with nothing to show. */
	s.keyring = new_keyring();
	EXPECT_FAIL(set_hs(lsk, &s), ENOKEY);
}

/* What set_hs() says to another user: 0 or an errno; -1 if it cannot be tried. */
static int set_hs_as_nobody(int sk, const struct tls_hs_settings *s)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresuid(65534, 65534, 65534))
			_exit(255);
		_exit(set_hs(sk, s) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(opt, keyring_permission)
{
	const struct tls_hs_settings *settings = &self->s.settings;
	int lsk = self->s.lsk, ring = self->s.ring, key;

	if (geteuid())
		SKIP(return, "needs root");
	/* All for the owner, nothing for those who possess it or others. */
	ASSERT_EQ(syscall(SYS_keyctl, KEYCTL_SETPERM, ring, 0x003f0000), 0);
	EXPECT_EQ(set_hs(lsk, settings), 0);
	EXPECT_EQ(set_hs_as_nobody(lsk, settings), EACCES);

	/* Search permission is all that is needed. */
	ASSERT_EQ(syscall(SYS_keyctl, KEYCTL_SETPERM, ring, 0x003f0008), 0);
	EXPECT_EQ(set_hs_as_nobody(lsk, settings), 0);

	/* The identity needs it, too. */
	key = syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "tls_identity", "test",
		      0);
	ASSERT_GT(key, 0);
	ASSERT_EQ(syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x003f0000), 0);
	EXPECT_EQ(set_hs(lsk, settings), 0);
	EXPECT_EQ(set_hs_as_nobody(lsk, settings), EACCES);
	ASSERT_EQ(syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x003f0008), 0);
	EXPECT_EQ(set_hs_as_nobody(lsk, settings), 0);
}

TEST_F(opt, crypto_info)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	int lsk = self->s.lsk;

	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_TX, &info, sizeof(info)),
		    EINVAL);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_RX, &info, sizeof(info)),
		    EINVAL);
	ASSERT_EQ(set_hs(lsk, &self->s.settings), 0);
	ASSERT_EQ(listen(lsk, 1), 0);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_TX, &info, sizeof(info)),
		    EINVAL);
	EXPECT_FAIL(setsockopt(lsk, SOL_TLS, TLS_RX, &info, sizeof(info)),
		    EINVAL);
}

TEST_F(opt, sockets)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fresh, cfd, afd, lsk, bound;
	unsigned char buf[5];

	/* Programs probe with a fresh socket for support of kTLS. */
	fresh = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_FAIL(set_ulp(fresh), ENOTCONN);

	EXPECT_FAIL(set_ulp(self->s.lsk), EEXIST);

	/* What is bound and has the ULP may connect, and is a kTLS socket then. */
	lsk = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(listen(lsk, 1), 0);
	ASSERT_EQ(getsockname(lsk, (void *)&addr, &len), 0);
	bound = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(bind(bound, (void *)&sin, sizeof(sin)), 0);
	ASSERT_EQ(set_ulp(bound), 0);
	ASSERT_EQ(connect(bound, (void *)&addr, len), 0);
	afd = accept(lsk, NULL, NULL);
	ASSERT_GE(afd, 0);
	EXPECT_EQ(send_all(bound, "x", 1), 0);
	EXPECT_EQ(read_full(afd, buf, 1), 1);
	EXPECT_FAIL(set_ulp(bound), EEXIST);
	EXPECT_EQ(setsockopt(bound, SOL_TLS, TLS_TX, &info, sizeof(info)), 0);
	EXPECT_EQ(send_all(bound, "x", 1), 0);
	EXPECT_EQ(read_full(afd, buf, 5), 5);
	EXPECT_EQ(buf[0], 23);
	close(bound);
	close(afd);
	close(fresh);
	close(lsk);

	/* Without settings a listener's children are plain connections. */
	ASSERT_EQ(listen(self->s.lsk, 1), 0);
	cfd = client_connect(&self->s, AF_INET, 0);
	ASSERT_GE(cfd, 0);
	ASSERT_TRUE(readable(self->s.lsk, READY_MS));
	len = sizeof(addr);
	afd = accept(self->s.lsk, (void *)&addr, &len);
	ASSERT_GE(afd, 0);
	EXPECT_EQ(addr.ss_family, AF_INET);
	EXPECT_EQ(send_all(afd, "x", 1), 0);
	EXPECT_EQ(read_full(cfd, &addr, 1), 1);
	EXPECT_EQ(set_ulp(afd), 0);
	close(afd);
	close(cfd);
}

TEST_F(opt, identity)
{
	unsigned char buf[sizeof(test_identity)];
	int ring = self->s.ring;
	int key;

	EXPECT_EQ(add_identity(ring, NULL, 0), -1);
	EXPECT_EQ(add_identity(ring, "garbage", 7), -1);
	/* A chain without a key, a key without a chain, a cut one. */
	EXPECT_EQ(add_identity(ring, test_identity, TEST_CERT_LEN), -1);
	EXPECT_EQ(add_identity(ring, test_identity + TEST_CERT_LEN,
			       sizeof(test_identity) - TEST_CERT_LEN), -1);
	EXPECT_EQ(add_identity(ring, test_identity, sizeof(test_identity) - 1),
		  -1);
	/* A key that is not the certificate's. */
	memcpy(buf, test_identity, sizeof(buf));
	buf[TEST_CERT_LEN + 40] ^= 1;
	EXPECT_EQ(add_identity(ring, buf, sizeof(buf)), -1);

	/* Reading gives the certificates and nothing else. */
	key = add_identity(ring, test_identity, sizeof(test_identity));
	ASSERT_GE(key, 0);
	EXPECT_EQ(syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof(buf)),
		  TEST_CERT_LEN);
	EXPECT_EQ(memcmp(buf, test_identity, TEST_CERT_LEN), 0);
}

TEST_HARNESS_MAIN
