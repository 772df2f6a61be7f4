// SPDX-License-Identifier: GPL-2.0
/* Every way to read, with each flag and each kind of buffer. */

#include "common.h"

#include <sys/mman.h>
#include <sys/uio.h>

enum call { READ, READV, RECV, RECVFROM, RECVMSG, RECVMMSG };

static const char *const call_names[] = {
	"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg",
};

static const struct {
	const char *name;
	int flag;
} recv_flags[] = {
	{ "0", 0 },
	{ "PEEK", MSG_PEEK },
	{ "WAITALL", MSG_WAITALL },
	{ "TRUNC", MSG_TRUNC },
	{ "DONTWAIT", MSG_DONTWAIT },
	{ "OOB", MSG_OOB },
	{ "ERRQUEUE", MSG_ERRQUEUE },
	{ "CMSG_CLOEXEC", MSG_CMSG_CLOEXEC },
};

/* Buffers for control messages. */
enum control { ABSENT, EMPTY, SMALL, RIGHT };

static const char *const control_names[] = {
	"no control", "control of length 0", "control too small", "control",
};

static void receive(struct conn *c, enum call call, int flags,
		    enum control control, size_t len)
{
	char buf[64], more[64], what[32];
	char cbuf[CMSG_SPACE(64)];
	struct iovec iov[2] = {
		{ buf, len > 2 ? 2 : len }, { buf + 2, len > 2 ? len - 2 : 0 },
	};
	struct mmsghdr m[2] = {
		{ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 2 } },
	};
	struct msghdr *msg = &m[0].msg_hdr;
	struct iovec second = { more, sizeof(more) };
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof(ss);
	ssize_t n = -1;

	m[1].msg_hdr.msg_iov = &second;
	m[1].msg_hdr.msg_iovlen = 1;
	memset(buf, '-', sizeof(buf));
	msg->msg_name = &ss;
	msg->msg_namelen = sizeof(ss);
	if (control != ABSENT)
		msg->msg_control = cbuf;
	if (control == SMALL)
		msg->msg_controllen = 4;
	else if (control == RIGHT)
		msg->msg_controllen = sizeof(cbuf);

	snprintf(what, sizeof(what), "%s", call_names[call]);
	switch (call) {
	case READ:
		n = read(c->fd, buf, len);
		break;
	case READV:
		n = readv(c->fd, iov, 2);
		break;
	case RECV:
		n = recv(c->fd, buf, len, flags);
		break;
	case RECVFROM:
		n = recvfrom(c->fd, buf, len, flags, (struct sockaddr *)&ss, &ss_len);
		if (n >= 0)
			say(c, "length of the address: %u", ss_len);
		break;
	case RECVMSG:
		n = recvmsg(c->fd, msg, flags);
		break;
	case RECVMMSG:
		n = recvmmsg(c->fd, m, 2, flags | MSG_WAITFORONE, NULL);
		if (n >= 0) {
			say(c, "messages: %zd", n);
			n = m[0].msg_len;
		}
		break;
	}
	/* With MSG_TRUNC nothing is written, and all of the buffer tells. */
	say_data(c, what, buf, n);
	if (n < 0 || call < RECVMSG)
		return;
	if (msg->msg_namelen)
		say(c, "msg_namelen: %u", msg->msg_namelen);
	if (msg->msg_flags & ~(MSG_CMSG_CLOEXEC | MSG_WAITFORONE))
		say(c, "msg_flags: %#x", msg->msg_flags &
		    ~(MSG_CMSG_CLOEXEC | MSG_WAITFORONE));
	if (msg->msg_controllen)
		say(c, "msg_controllen: %zu", msg->msg_controllen);
}

/* Some of what has come, the rest, nothing, and the end. */
static void read_row(struct conn *c, long call, long arg)
{
	int flags = recv_flags[arg / 4].flag;
	enum control control = arg % 4;

	peer_send(c, "hello world", 11);
	wait_for(c->fd, POLLIN, SOON_MS);
	receive(c, call, flags, control, 5);
	if (call > READV) {
		receive(c, call, (flags & ~MSG_WAITALL) | MSG_DONTWAIT, control, 40);
		receive(c, call, (flags & ~MSG_WAITALL) | MSG_DONTWAIT, control, 40);
		receive(c, call, MSG_DONTWAIT, control, 40);
	} else {
		receive(c, call, 0, control, 40);
	}
	peer_end(c);
	wait_for(c->fd, POLLIN, SOON_MS);
	receive(c, call, flags, control, 5);
	receive(c, call, flags, control, 0);
}

/* One read of what has come in several pieces, with another limit than theirs. */
static void read_pieces(struct conn *c, long flags, long len)
{
	char buf[256];
	int i;

	for (i = 0; i < 4; i++)
		peer_send(c, "0123456789", 10);
	usleep(50000);
	memset(buf, '-', sizeof(buf));
	say_data(c, "recv", buf, recv(c->fd, buf, len, flags));
	say_data(c, "rest", buf, recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT));
	say_data(c, "rest", buf, recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT));
}

/* WAITALL gets what comes in time, and the part that is there at the end. */
static void read_waitall_end(struct conn *c, long a, long b)
{
	char buf[64];

	peer_send(c, "01234", 5);
	peer_send(c, "56789", 5);
	peer_end(c);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_WAITALL));
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_WAITALL));
}

/* MSG_TRUNC throws away, wherever the buffer is. */
static void read_trunc_null(struct conn *c, long a, long b)
{
	char buf[64];

	peer_send(c, "hello world", 11);
	wait_for(c->fd, POLLIN, SOON_MS);
	say(c, "recv: %s", result(recv(c->fd, NULL, 6, MSG_TRUNC)));
	say_data(c, "rest", buf, recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT));
}

/* A buffer that ends after so many bytes: what there is room for comes or stays. */
static void read_fault(struct conn *c, long room, long len)
{
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char data[64], rest[128];
	ssize_t n;

	munmap(map + page, page);
	fill(data, sizeof(data));
	peer_send(c, data, len);
	wait_for(c->fd, POLLIN, SOON_MS);
	n = recv(c->fd, map + page - room, len, MSG_DONTWAIT);
	say_data(c, "recv", map + page - room, n);
	peer_send(c, "more", 4);
	usleep(20000);
	n = recv(c->fd, rest, sizeof(rest), MSG_DONTWAIT);
	say_data(c, "rest", rest, n);
	munmap(map, page);
}

/* The same where records may be decrypted right into the buffer. */
static void read_fault_no_pad(struct conn *c, long room, long len)
{
	int one = 1;

	if (c->tls && setsockopt(c->fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &one,
				 sizeof(one)))
		say(c, "TLS_RX_EXPECT_NO_PAD: %s", result(-1));
	read_fault(c, room, len);
}

/* MSG_PEEK sees all that there is, again and again, and takes nothing. */
static void read_peek_twice(struct conn *c, long a, long b)
{
	char buf[64];
	int i;

	peer_send(c, "first ", 6);
	peer_send(c, "second", 6);
	usleep(50000);
	for (i = 0; i < 2; i++)
		say_data(c, "peek", buf, recv(c->fd, buf, 12, MSG_PEEK));
	say_data(c, "recv", buf, recv(c->fd, buf, 8, 0));
	say_data(c, "peek", buf, recv(c->fd, buf, 12, MSG_PEEK | MSG_DONTWAIT));
	say_data(c, "recv", buf, recv(c->fd, buf, 12, MSG_DONTWAIT));
}

/* From the connection to a pipe. */
static void read_splice(struct conn *c, long len, long flags)
{
	struct timeval tv = { .tv_usec = 200000 };
	char buf[64];
	int fds[2], i;
	ssize_t n;

	if (pipe(fds))
		return;
	if (flags)
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
	else
		setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	say(c, "nothing there: %s",
	    result(splice(c->fd, NULL, fds[1], NULL, len, flags)));
	peer_send(c, "hello ", 6);
	peer_send(c, "world", 5);
	usleep(50000);
	for (i = 0, n = 0; i < 11 && n < 11; i++) {
		ssize_t m = splice(c->fd, NULL, fds[1], NULL, len, flags);

		if (m <= 0) {
			say(c, "splice: %s", result(m));
			break;
		}
		n += m;
	}
	say_data(c, "the pipe", buf, read(fds[0], buf, sizeof(buf)));
	peer_end(c);
	wait_for(c->fd, POLLIN, SOON_MS);
	say(c, "at the end: %s", result(splice(c->fd, NULL, fds[1], NULL, len, flags)));
}

/* SPLICE_F_NONBLOCK is for the pipe: on a blocking socket... */
static void read_splice_nonblock(struct conn *c, long a, long b)
{
	struct timeval tv = { .tv_usec = 200000 };
	double start = seconds();
	int fds[2];

	if (pipe(fds))
		return;
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	say(c, "splice: %s", result(splice(c->fd, NULL, fds[1], NULL, 10,
					   SPLICE_F_NONBLOCK)));
	say(c, "%s", about(start));
}

/* tee() doubles what splice() has put into a pipe. */
static void read_tee(struct conn *c, long a, long b)
{
	int one[2], two[2];
	char buf[64];

	if (pipe(one) || pipe(two))
		return;
	say(c, "tee of a socket: %s", result(tee(c->fd, one[1], 10, 0)));
	peer_send(c, "hello world", 11);
	say(c, "splice: %s", result(splice(c->fd, NULL, one[1], NULL, 100, 0)));
	say(c, "tee: %s", result(tee(one[0], two[1], 100, 0)));
	say_data(c, "one", buf, read(one[0], buf, sizeof(buf)));
	say_data(c, "two", buf, read(two[0], buf, sizeof(buf)));
}

/* What carries no data, each of which a client may send at any time; on TCP there
 * is nothing like it.
 */
static void nothing(struct conn *c, long what)
{
	if (!c->tls)
		return;
	switch (what) {
	case 0:
		peer_record(c, TYPE_DATA, "", 0);
		break;
	case 1:
		peer_record(c, TYPE_ALERT, "\1\x5a", 2);
		break;
	case 2:
		peer_key_update(c);
		break;
	}
}

static const char *const nothing_names[] = {
	"an empty record", "user_canceled", "a KeyUpdate",
};

/* None of it is data or the end, whoever reads. */
static void read_nothing(struct conn *c, long what, long how)
{
	char buf[64], cbuf[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = cbuf, .msg_controllen = sizeof(cbuf),
	};
	int fds[2];
	ssize_t n;

	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	nothing(c, what);
	usleep(20000);
	switch (how) {
	case 0:
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		say_data(c, "recv", buf, n);
		break;
	case 1:
		n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
		say_data(c, "recvmsg", buf, n);
		break;
	case 2:
		if (pipe(fds))
			return;
		n = splice(c->fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK);
		say(c, "splice: %s", result(n));
		break;
	case 3:
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
		say_data(c, "peek", buf, n);
		break;
	}
	nothing(c, what);
	peer_send(c, "data", 4);
	nothing(c, what);
	usleep(20000);
	if (how == 2) {
		n = splice(c->fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK);
		say(c, "splice: %s", result(n));
		n = splice(c->fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK);
		say(c, "splice: %s", result(n));
	} else {
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		say_data(c, "recv", buf, n);
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		say_data(c, "recv", buf, n);
	}
}

/* A blocking reader that has been told that there is something. */
static void read_after_poll(struct conn *c, long what, long b)
{
	struct timeval tv = { .tv_usec = 300000 };
	char buf[64];

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	nothing(c, what);
	if (wait_for(c->fd, POLLIN, 100))
		say_data(c, "readable, but recv", buf,
			 recv(c->fd, buf, sizeof(buf), 0));
}

/* How long a client can keep one system call busy.  A thousand times nothing is
 * more than any honest client sends.
 */
static void read_flood(struct conn *c, long what, long b)
{
	double start;
	char buf[64];
	ssize_t n;
	int i;

	for (i = 0; i < 1000; i++)
		nothing(c, what);
	if (!c->tls)
		peer_send(c, "x", 1);
	usleep(50000);
	start = seconds();
	do {
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	} while (n > 0);
	/* Of all of them it would be seconds. */
	say(c, "recv: %s, %s", result(n), seconds() - start < 0.5 ? "at once" : "late");
}

/* As many of them as others take are fine. */
static void read_some_nothing(struct conn *c, long what, long b)
{
	char buf[64];
	int i, j;

	for (j = 0; j < 3; j++) {
		for (i = 0; i < 32; i++)
			nothing(c, what);
		peer_send(c, "x", 1);
		usleep(50000);
		say_data(c, "recv", buf, recv(c->fd, buf, sizeof(buf), 0));
	}
}

/* Records of one byte: all of them come, in any number of calls. */
static void read_bytes(struct conn *c, long len, long b)
{
	char data[2000], buf[2000];
	ssize_t n, got = 0;
	int i;

	fill(data, sizeof(data));
	for (i = 0; i < (int)sizeof(data); i++)
		peer_send(c, data + i, 1);
	while (got < (ssize_t)sizeof(buf)) {
		n = recv(c->fd, buf + got, len < (ssize_t)sizeof(buf) - got ? len :
			 (ssize_t)sizeof(buf) - got, 0);
		if (n <= 0)
			break;
		got += n;
	}
	say_data(c, "recv", buf, got);
}

/* What is behind close_notify is nobody's. */
static void read_after_close_notify(struct conn *c, long how, long b)
{
	struct tls_hs_status status;
	socklen_t len = sizeof(status);
	char buf[64], cbuf[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i, fds[2];
	ssize_t n;

	if (pipe(fds))
		return;
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	peer_send(c, "data", 4);
	if (c->tls) {
		peer_record(c, TYPE_ALERT, "\1\0", 2);
		peer_record(c, TYPE_DATA, "never", 5);
	}
	shutdown(c->peer, SHUT_WR);
	usleep(50000);
	for (i = 0; i < 3; i++) {
		msg.msg_control = how == 1 ? cbuf : NULL;
		msg.msg_controllen = how == 1 ? sizeof(cbuf) : 0;
		if (how == 2)
			n = splice(c->fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK);
		else
			n = recvmsg(c->fd, &msg, how == 3 && !i ? MSG_PEEK : 0);
		if (how == 2)
			say(c, "splice: %s", result(n));
		else
			say_data(c, "recvmsg", buf, n);
	}
	if (c->tls && (getsockopt(c->fd, SOL_TLS, TLS_HS_STATUS, &status, &len) ||
		       !(status.flags & TLS_HS_S_CLOSED)))
		say(c, "TLS_HS_S_CLOSED is not set");
}

void add_reading(void)
{
	static const char *const readers[] = {
		"recv", "recvmsg", "splice", "peek",
	};
	unsigned int call, flag, control;
	int i, j;

	for (call = READ; call <= RECVMMSG; call++)
		for (flag = 0; flag < ARRAY_SIZE(recv_flags); flag++)
			for (control = ABSENT; control <= RIGHT; control++) {
				if ((call <= READV && flag) ||
				    (call < RECVMSG && control))
					continue;
				add_row(read_row, call, flag * 4 + control,
					call < RECV ? "%s" : call < RECVMSG ?
					"%s %s" : "%s %s, %s", call_names[call],
					recv_flags[flag].name, control_names[control]);
			}
	for (flag = 0; flag < 4; flag++)
		for (i = 5; i <= 45; i += 20)
			if (recv_flags[flag].flag != MSG_WAITALL || i < 40)
				add_row(read_pieces, recv_flags[flag].flag, i,
					"recv %s of %d, pieces of 10",
					recv_flags[flag].name, i);
	add_row(read_waitall_end, 0, 0, "recv WAITALL at the end");
	add_row(read_trunc_null, 0, 0, "recv TRUNC without buffer");
	add_row(read_peek_twice, 0, 0, "recv PEEK twice");
	for (i = 0; i <= 16; i += 4) {
		add_row(read_fault, i, 16, "recv, EFAULT after %d of 16", i);
		add_row(read_fault_no_pad, i, 16,
			"recv, EFAULT after %d of 16, TLS_RX_EXPECT_NO_PAD", i);
	}
	for (i = 1; i <= 100; i += 33)
		for (j = 0; j < 2; j++)
			add_row(read_splice, i, j ? SPLICE_F_NONBLOCK : 0,
				"splice of %d to a pipe%s", i, j ? " NONBLOCK" : "");
	add_row(read_splice_nonblock, 0, 0, "splice NONBLOCK to a pipe, blocking socket");
	add_row(read_tee, 0, 0, "tee");
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 4; j++)
			add_row(read_nothing, i, j, "%s, %s", nothing_names[i],
				readers[j]);
		add_row(read_after_poll, i, 0, "%s, poll and recv", nothing_names[i]);
		add_row(read_flood, i, 0, "%s, 1000 times", nothing_names[i]);
		add_row(read_some_nothing, i, 0, "%s, 32 times", nothing_names[i]);
	}
	for (i = 1; i <= 2000; i += 1999)
		add_row(read_bytes, i, 0, "recv of %d, records of 1", i);
	for (j = 0; j < 4; j++)
		add_row(read_after_close_notify, j, 0, "the end, %s", readers[j]);
}
