// SPDX-License-Identifier: GPL-2.0
/* ioctl(), options of sockets, of TCP and of TLS. */

#include "common.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/sockios.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif
/* <linux/tcp.h> and <netinet/tcp.h> do not go together. */
#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif
#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
#endif

static void option_fionread(struct conn *c, long a, long b)
{
	char buf[256];
	int i, n;

	n = -1;
	say(c, "FIONREAD: %s %d", result(ioctl(c->fd, FIONREAD, &n)), n);
	for (i = 0; i < 100; i++)
		buf[i] = 'x';
	peer_send(c, buf, 100);
	wait_for(c->fd, POLLIN, SOON_MS);
	ioctl(c->fd, FIONREAD, &n);
	say(c, "100 bytes: %d", n);
	recv(c->fd, buf, 10, 0);
	ioctl(c->fd, FIONREAD, &n);
	say(c, "10 of them read: %d", n);
	recv(c->fd, buf, 20, MSG_PEEK);
	ioctl(c->fd, FIONREAD, &n);
	say(c, "20 of them peeked at: %d", n);
	recv(c->fd, buf, 200, 0);
	ioctl(c->fd, FIONREAD, &n);
	say(c, "all read: %d", n);
	peer_end(c);
	wait_for(c->fd, POLLIN, SOON_MS);
	recv(c->fd, buf, 10, 0);
	ioctl(c->fd, FIONREAD, &n);
	say(c, "the end: %d", n);
}

static void option_outq(struct conn *c, long a, long b)
{
	int n = -1, i;

	say(c, "SIOCOUTQ: %s", result(ioctl(c->fd, SIOCOUTQ, &n)));
	fill_send_buffer(c, 8192);
	ioctl(c->fd, SIOCOUTQ, &n);
	say(c, "there is something: %d", n > 0);
	ioctl(c->fd, SIOCOUTQNSD, &n);
	say(c, "not sent: %d", n > 0);
	for (i = 0; i < 20000 && n; i++) {
		char buf[65536];

		if (wait_for(c->peer, POLLIN, 20))
			peer_recv(c, buf, sizeof(buf), 1000);
		ioctl(c->fd, SIOCOUTQ, &n);
	}
	say(c, "in the end: %d", n);
	/* How much fits is not the same. */
	close(c->peer);
	c->peer = -1;
}

static void option_atmark(struct conn *c, long a, long b)
{
	int n = -1;

	say(c, "SIOCATMARK: %s", result(ioctl(c->fd, SIOCATMARK, &n)));
	say(c, "%d", n);
}

/* Urgent data, which the client's TCP sends and no TLS library does. */
static void option_urgent(struct conn *c, long inl, long b)
{
	int one = 1;
	char buf[64];

	if (inl)
		setsockopt(c->fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	send(c->peer, "!", 1, MSG_OOB);
	peer_send(c, "data behind", 11);
	wait_for(c->fd, POLLIN, 500);
	usleep(50000);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	say_data(c, "recv OOB", buf, recv(c->fd, buf, 40, MSG_DONTWAIT | MSG_OOB));
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

/* What a setting is after it has been set, or the error. */
static void option_int(struct conn *c, long level_name, long value)
{
	int level = level_name >> 16, name = level_name & 0xffff;
	int set = value, get = -1, rc;
	socklen_t len = sizeof(get);

	rc = setsockopt(c->fd, level, name, &set, sizeof(set));
	say(c, "set: %s", result(rc));
	rc = getsockopt(c->fd, level, name, &get, &len);
	say(c, "get: %s %d", result(rc), rc ? 0 : get);
	say(c, "send: %s", result(send(c->fd, "hello", 5, MSG_DONTWAIT)));
}

static void option_peek_off(struct conn *c, long a, long b)
{
	int zero = 0, rc;
	char buf[64];

	rc = setsockopt(c->fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero));
	say(c, "set: %s", result(rc));
	peer_send(c, "0123456789", 10);
	wait_for(c->fd, POLLIN, SOON_MS);
	say_data(c, "peek", buf, recv(c->fd, buf, 5, MSG_PEEK | MSG_DONTWAIT));
	say_data(c, "peek", buf, recv(c->fd, buf, 5, MSG_PEEK | MSG_DONTWAIT));
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

static void option_rcvlowat(struct conn *c, long a, long b)
{
	struct timeval tv = { .tv_usec = 200000 };
	int lowat = 10;
	char buf[64];

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	say(c, "set: %s", result(setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
					    sizeof(lowat))));
	peer_send(c, "hello", 5);
	say(c, "5 of 10: readable %d", wait_for(c->fd, POLLIN, 100));
	peer_send(c, "world", 5);
	say(c, "10 of 10: readable %d", wait_for(c->fd, POLLIN, 1000));
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	peer_send(c, "less", 4);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
}

static void option_timeo(struct conn *c, long snd, long b)
{
	struct timeval tv = { .tv_usec = 200000 };
	static char buf[1 << 20];
	double start;
	ssize_t n;

	setsockopt(c->fd, SOL_SOCKET, snd ? SO_SNDTIMEO : SO_RCVTIMEO, &tv, sizeof(tv));
	if (snd)
		fill_send_buffer(c, 1000);
	start = seconds();
	n = snd ? send(c->fd, buf, sizeof(buf), 0) : recv(c->fd, buf, 10, 0);
	/* Whether there is a little room left is not the same each time. */
	say(c, "%s, %s", n > 0 || errno == EAGAIN ? "no more room" : result(n),
	    about(start));
	close(c->peer);
	c->peer = -1;
}

/* The time is that of the call, however slowly the client sends. */
static void option_rcvtimeo_slow(struct conn *c, long a, long b)
{
	struct timeval tv = { .tv_usec = 200000 };
	char buf[100];
	double start;
	ssize_t n;
	pid_t pid;

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	pid = fork();
	if (!pid) {
		for (;;) {
			peer_send(c, "x", 1);
			usleep(70000);
		}
	}
	start = seconds();
	n = recv(c->fd, buf, sizeof(buf), MSG_WAITALL);
	say(c, "%s, %s", n > 0 && n < 50 ? "some" : result(n), about(start));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(c->peer);
	c->peer = -1;
}

/* The smallest send buffer: slow, but all comes. */
static void option_sndbuf(struct conn *c, long size, long b)
{
	static char data[100000];
	int small = size;
	pid_t pid;

	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	fill(data, sizeof(data));
	pid = fork();
	if (!pid) {
		ssize_t n = send(c->fd, data, sizeof(data), 0);

		say(c, "send: %s", result(n));
		fflush(c->out);
		_exit(0);
	}
	close(c->fd);
	c->fd = -1;
}

static void option_error(struct conn *c, long reset, long b)
{
	struct linger linger = { .l_onoff = 1 };
	int err = -1;
	socklen_t len = sizeof(err);
	char buf[64];

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	say(c, "SO_ERROR: %d", err);
	setsockopt(c->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->peer);
	c->peer = -1;
	wait_for(c->fd, POLLIN, SOON_MS);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	say(c, "SO_ERROR: %d", err);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

/* Timestamps of what is received, and of what is sent. */
static void option_timestamping(struct conn *c, long tx, long b)
{
	int flags = tx ? SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
			 SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY :
			 SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	char buf[64], cbuf[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = cbuf, .msg_controllen = sizeof(cbuf),
	};
	struct sock_extended_err *ee;
	struct cmsghdr *cm;
	ssize_t n;

	say(c, "set: %s", result(setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPING,
					    &flags, sizeof(flags))));
	if (tx) {
		send(c->fd, "hello", 5, 0);
		peer_expect(c, 5);
		usleep(100000);
		n = recvmsg(c->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
	} else {
		peer_send(c, "hello", 5);
		wait_for(c->fd, POLLIN, SOON_MS);
		n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	}
	say(c, "recvmsg: %s", result(n));
	for (cm = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); cm; cm = CMSG_NXTHDR(&msg, cm)) {
		if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SO_TIMESTAMPING)
			say(c, "a timestamp");
		if (cm->cmsg_level == SOL_IP && cm->cmsg_type == IP_RECVERR) {
			ee = (void *)CMSG_DATA(cm);
			say(c, "of the last byte: %d", ee->ee_data == 4);
		}
	}
}

static void option_inq(struct conn *c, long a, long b)
{
	char buf[64], cbuf[256];
	struct iovec iov = { buf, 5 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = cbuf, .msg_controllen = sizeof(cbuf),
	};
	struct cmsghdr *cm;
	int one = 1;

	say(c, "set: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_INQ, &one,
					    sizeof(one))));
	peer_send(c, "hello world", 11);
	wait_for(c->fd, POLLIN, SOON_MS);
	say(c, "recvmsg: %s", result(recvmsg(c->fd, &msg, 0)));
	for (cm = CMSG_FIRSTHDR(&msg); cm; cm = CMSG_NXTHDR(&msg, cm))
		if (cm->cmsg_level == IPPROTO_TCP && cm->cmsg_type == TCP_INQ)
			say(c, "left: %d", *(int *)CMSG_DATA(cm));
}

/* Counters of TCP count what is on the wire: only that there are some. */
static void option_info(struct conn *c, long a, long b)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	peer_send(c, "hello", 5);
	wait_for(c->fd, POLLIN, SOON_MS);
	say(c, "TCP_INFO: %s", result(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info,
						 &len)));
	say(c, "state %d", info.tcpi_state);
}

/* Reads without reading; @copybuf is for what fills no page. */
struct zerocopy_receive {
	uint64_t address;
	uint32_t length, recv_skip_hint, inq;
	int32_t err;
	uint64_t copybuf_address;
	int32_t copybuf_len;
	uint32_t flags;
	uint64_t msg_control, msg_controllen;
	uint32_t msg_flags, reserved;
};

static void option_zerocopy_receive(struct conn *c, long a, long b)
{
	static char copy[65536];
	struct zerocopy_receive zc = {
		.copybuf_address = (uintptr_t)copy, .copybuf_len = sizeof(copy),
	};
	socklen_t len = sizeof(zc);
	char buf[64];
	void *map;
	int rc;

	map = mmap(NULL, 65536, PROT_READ, MAP_SHARED, c->fd, 0);
	say(c, "mmap: %s", map == MAP_FAILED ? result(-1) : "mapped");
	if (map == MAP_FAILED)
		map = NULL;
	zc.address = (uintptr_t)map;
	zc.length = 65536;
	peer_send(c, "hello world", 11);
	wait_for(c->fd, POLLIN, SOON_MS);
	rc = getsockopt(c->fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len);
	say(c, "TCP_ZEROCOPY_RECEIVE: %s", result(rc));
	if (!rc && zc.copybuf_len > 0)
		say_data(c, "copied", copy, zc.copybuf_len);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	if (map)
		munmap(map, 65536);
}

static void option_repair(struct conn *c, long a, long b)
{
	int on = 1, off = 0, queue = 1;
	char buf[64];

	say(c, "on: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &on,
					   sizeof(on))));
	say(c, "queue: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR_QUEUE,
					      &queue, sizeof(queue))));
	peer_send(c, "hello world", 11);
	usleep(20000);
	say_data(c, "peek", buf, recv(c->fd, buf, 40, MSG_PEEK | MSG_DONTWAIT));
	say(c, "off: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &off,
					    sizeof(off))));
}

static void option_md5(struct conn *c, long a, long b)
{
	struct tcp_md5sig md5 = { .tcpm_keylen = 4, .tcpm_key = "key1" };
	socklen_t len = sizeof(struct sockaddr_in);

	getpeername(c->fd, (struct sockaddr *)&md5.tcpm_addr, &len);
	say(c, "TCP_MD5SIG: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_MD5SIG,
						   &md5, sizeof(md5))));
}

static void option_ulp(struct conn *c, long a, long b)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	say(c, "get: %s", result(getsockopt(c->fd, IPPROTO_TCP, TCP_ULP, name, &len)));
	say(c, "TCP_ULP: %s \"%s\"", result(0), name);
	say(c, "set: %s", result(setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4)));
}

/* Keys are the kernel's: nobody sets them or gets them. */
static void option_keys(struct conn *c, long name, long b)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = { .version = TLS_1_3_VERSION,
			  .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};
	socklen_t len = sizeof(info);
	char zero[sizeof(info)] = {};
	int rc;

	say(c, "set: %s", result(setsockopt(c->fd, SOL_TLS, name, &info, sizeof(info))));
	rc = getsockopt(c->fd, SOL_TLS, name, &info, &len);
	say(c, "get: %s", result(rc));
	if (!rc && memcmp(info.key, zero, sizeof(info.key)))
		say(c, "a key");
	len = sizeof(info.info);
	say(c, "get version and cipher: %s",
	    result(getsockopt(c->fd, SOL_TLS, name, &info, &len)));
}

static void option_tls(struct conn *c, long name, long value)
{
	int v = value, rc;
	socklen_t len = sizeof(v);

	rc = name == TLS_TX_MAX_PAYLOAD_LEN ? 2 : 4;
	rc = setsockopt(c->fd, SOL_TLS, name, &v, rc);
	say(c, "set: %s", result(rc));
	if (name == TLS_TX_MAX_PAYLOAD_LEN)
		len = 2;
	v = 0;
	rc = getsockopt(c->fd, SOL_TLS, name, &v, &len);
	say(c, "get: %s %d", result(rc), v);
	say(c, "send: %s", result(send(c->fd, "hello", 5, 0)));
}

/* Another connection instead of the one that there is. */
static void open_anew(struct conn *c)
{
	struct conn d = { .tls = c->tls, .out = c->out };

	close(c->fd);
	close(c->peer);
	close(c->listener);
	keep_tickets = true;
	conn_open(&d, c->tls);
	*c = d;
}

/* The least time that a new connection takes. */
static double time_to_open(struct conn *c)
{
	double start, best = 1;
	int i;

	for (i = 0; i < 5; i++) {
		start = seconds();
		open_anew(c);
		if (seconds() - start < best)
			best = seconds() - start;
	}
	return best;
}

/* Options of the listener, which its connections inherit. */
static void option_listener(struct conn *c, long level_name, long value)
{
	double usual = time_to_open(c);

	listener_option[0] = level_name >> 16;
	listener_option[1] = level_name & 0xffff;
	listener_option[2] = value;
	say(c, "connected %s", time_to_open(c) < usual + 0.15 ? "at once" : "late");
}

/* The first answer does not wait for anything, least of all until a client that has
 * nothing to send acknowledges its tickets after 40 ms.
 */
static void option_first_answer(struct conn *c, long nodelay, long b)
{
	int one = 1, off = 0, i;
	double start, best = 1;
	char buf[64];
	ssize_t n = 0;

	for (i = 0; i < 10; i++) {
		open_anew(c);
		if (nodelay)
			setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(c->peer, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
		start = seconds();
		send(c->fd, "answer", 6, 0);
		n = peer_recv(c, buf, sizeof(buf), SOON_MS);
		if (seconds() - start < best)
			best = seconds() - start;
	}
	say_data(c, "the client gets", buf, n);
	say(c, "%s", best < 0.02 ? "at once" : "late");
}

#define OPT(level, name) ((long)(level) << 16 | (name))

void add_options(void)
{
	static const struct {
		const char *name;
		long option;
		long value;
	} ints[] = {
		{ "SO_KEEPALIVE", OPT(SOL_SOCKET, SO_KEEPALIVE), 1 },
		{ "SO_PRIORITY", OPT(SOL_SOCKET, SO_PRIORITY), 3 },
		{ "SO_BUSY_POLL", OPT(SOL_SOCKET, SO_BUSY_POLL), 10 },
		{ "SO_ZEROCOPY", OPT(SOL_SOCKET, SO_ZEROCOPY), 1 },
		{ "SO_RCVBUF", OPT(SOL_SOCKET, SO_RCVBUF), 4096 },
		{ "SO_SNDBUF", OPT(SOL_SOCKET, SO_SNDBUF), 4096 },
		{ "SO_TYPE", OPT(SOL_SOCKET, SO_TYPE), 1 },
		{ "SO_DOMAIN", OPT(SOL_SOCKET, SO_DOMAIN), 1 },
		{ "SO_PROTOCOL", OPT(SOL_SOCKET, SO_PROTOCOL), 1 },
		{ "SO_ACCEPTCONN", OPT(SOL_SOCKET, SO_ACCEPTCONN), 1 },
		{ "IP_TOS", OPT(SOL_IP, IP_TOS), 16 },
		{ "TCP_NODELAY", OPT(IPPROTO_TCP, TCP_NODELAY), 1 },
		{ "TCP_CORK", OPT(IPPROTO_TCP, TCP_CORK), 1 },
		{ "TCP_QUICKACK", OPT(IPPROTO_TCP, TCP_QUICKACK), 1 },
		{ "TCP_USER_TIMEOUT", OPT(IPPROTO_TCP, TCP_USER_TIMEOUT), 5000 },
		{ "TCP_KEEPIDLE", OPT(IPPROTO_TCP, TCP_KEEPIDLE), 100 },
		{ "TCP_LINGER2", OPT(IPPROTO_TCP, TCP_LINGER2), 10 },
		{ "TCP_NOTSENT_LOWAT", OPT(IPPROTO_TCP, TCP_NOTSENT_LOWAT), 10000 },
		{ "TCP_DEFER_ACCEPT", OPT(IPPROTO_TCP, TCP_DEFER_ACCEPT), 1 },
		{ "TCP_WINDOW_CLAMP", OPT(IPPROTO_TCP, TCP_WINDOW_CLAMP), 10000 },
	};
	unsigned int i;

	add_row(option_fionread, 0, 0, "FIONREAD");
	add_row(option_outq, 0, 0, "SIOCOUTQ, SIOCOUTQNSD");
	add_row(option_atmark, 0, 0, "SIOCATMARK");
	add_row(option_urgent, 0, 0, "urgent data");
	add_row(option_urgent, 1, 0, "urgent data, SO_OOBINLINE");
	for (i = 0; i < ARRAY_SIZE(ints); i++)
		add_row(option_int, ints[i].option, ints[i].value, "%s", ints[i].name);
	add_row(option_peek_off, 0, 0, "SO_PEEK_OFF");
	add_row(option_rcvlowat, 0, 0, "SO_RCVLOWAT");
	add_row(option_timeo, 0, 0, "SO_RCVTIMEO");
	add_row(option_rcvtimeo_slow, 0, 0, "SO_RCVTIMEO, a byte at a time");
	add_row(option_timeo, 1, 0, "SO_SNDTIMEO");
	add_row(option_sndbuf, 1, 0, "SO_SNDBUF, the smallest");
	add_row(option_sndbuf, 20000, 0, "SO_SNDBUF of 20000");
	add_row(option_error, 0, 0, "SO_ERROR");
	add_row(option_timestamping, 0, 0, "SO_TIMESTAMPING, received");
	add_row(option_timestamping, 1, 0, "SO_TIMESTAMPING, sent");
	add_row(option_inq, 0, 0, "TCP_INQ");
	add_row(option_info, 0, 0, "TCP_INFO");
	add_row(option_zerocopy_receive, 0, 0, "TCP_ZEROCOPY_RECEIVE");
	add_row(option_repair, 0, 0, "TCP_REPAIR");
	add_row(option_md5, 0, 0, "TCP_MD5SIG");
	add_row(option_ulp, 0, 0, "TCP_ULP");
	add_row(option_keys, TLS_TX, 0, "TLS_TX");
	add_row(option_keys, TLS_RX, 0, "TLS_RX");
	add_row(option_tls, TLS_TX_MAX_PAYLOAD_LEN, 1000, "TLS_TX_MAX_PAYLOAD_LEN");
	add_row(option_tls, TLS_TX_ZEROCOPY_RO, 1, "TLS_TX_ZEROCOPY_RO");
	add_row(option_tls, TLS_RX_EXPECT_NO_PAD, 1, "TLS_RX_EXPECT_NO_PAD");
	add_row(option_listener, OPT(IPPROTO_TCP, TCP_CORK), 1, "listener with TCP_CORK");
	add_row(option_listener, OPT(SOL_SOCKET, SO_SNDBUF), 1,
		"listener with the smallest SO_SNDBUF");
	add_row(option_first_answer, 0, 0, "the first answer");
	add_row(option_first_answer, 1, 0, "the first answer, TCP_NODELAY");
}
