// SPDX-License-Identifier: GPL-2.0
/* Every way to write, with each flag. */

#include "common.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef MSG_BATCH
#define MSG_BATCH 0x40000
#endif

enum call { WRITE, WRITEV, SEND, SENDTO, SENDMSG, SENDMMSG };

static const char *const call_names[] = {
	"write", "writev", "send", "sendto", "sendmsg", "sendmmsg",
};

static const struct {
	const char *name;
	int flag;
} send_flags[] = {
	{ "0", 0 },
	{ "MORE", MSG_MORE },
	{ "WAITALL", MSG_WAITALL },
	{ "ZEROCOPY", MSG_ZEROCOPY },
	{ "CONFIRM", MSG_CONFIRM },
	{ "DONTROUTE", MSG_DONTROUTE },
	{ "EOR", MSG_EOR },
	{ "OOB", MSG_OOB },
	{ "NOSIGNAL", MSG_NOSIGNAL },
	{ "BATCH", MSG_BATCH },
	{ "DONTWAIT", MSG_DONTWAIT },
	{ "TRUNC", MSG_TRUNC },
	{ "MORE, EOR", MSG_MORE | MSG_EOR },
	{ "an unknown one", 0x2000000 },
};

static ssize_t transmit(struct conn *c, enum call call, int flags, char *data,
			size_t len)
{
	struct iovec iov[2] = {
		{ data, len / 2 }, { data + len / 2, len - len / 2 },
	};
	struct mmsghdr m[2] = {
		{ .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(9),
	};
	ssize_t n;

	switch (call) {
	case WRITE:
		return write(c->fd, data, len);
	case WRITEV:
		return writev(c->fd, iov, 2);
	case SEND:
		return send(c->fd, data, len, flags);
	case SENDTO:
		return sendto(c->fd, data, len, flags, (struct sockaddr *)&sin,
			      sizeof(sin));
	case SENDMSG:
		return sendmsg(c->fd, &msg, flags);
	case SENDMMSG:
		n = sendmmsg(c->fd, m, 2, flags);
		if (n < 0)
			return n;
		say(c, "messages: %zd", n);
		return m[0].msg_len + (n > 1 ? m[1].msg_len : 0);
	}
	return -1;
}

static void write_row(struct conn *c, long call, long flag)
{
	char data[] = "hello world", large[40000];

	fill(large, sizeof(large));
	say(c, "%s: %s", call_names[call],
	    result(transmit(c, call, send_flags[flag].flag, data, 11)));
	say(c, "%s: %s", call_names[call],
	    result(transmit(c, call, send_flags[flag].flag, large, sizeof(large))));
	say(c, "%s: %s", call_names[call],
	    result(transmit(c, call, send_flags[flag].flag, data, 0)));
	say(c, "%s: %s", call_names[call],
	    result(transmit(c, call, send_flags[flag].flag, data, 5)));
}

/* With SO_ZEROCOPY there are notifications to be waited for. */
static void write_zerocopy(struct conn *c, long a, long b)
{
	char data[20000], cbuf[128];
	struct msghdr msg = {
		.msg_control = cbuf, .msg_controllen = sizeof(cbuf),
	};
	int one = 1;
	ssize_t n;

	fill(data, sizeof(data));
	say(c, "SO_ZEROCOPY: %s", result(setsockopt(c->fd, SOL_SOCKET, SO_ZEROCOPY,
						    &one, sizeof(one))));
	n = send(c->fd, data, sizeof(data), MSG_ZEROCOPY);
	say(c, "send: %s", result(n));
	if (n < 0)
		return;
	peer_expect(c, sizeof(data));
	say(c, "POLLERR: %d", wait_for(c->fd, 0, 1000));
	say(c, "notification: %s", result(recvmsg(c->fd, &msg, MSG_ERRQUEUE)));
}

/* How long data with MSG_MORE waits. */
static void write_more(struct conn *c, long how, long b)
{
	int zero = 0, one = 1;
	double start;
	char buf[64];
	ssize_t n;

	if (how == 5)
		setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one));
	start = seconds();
	send(c->fd, "hello ", 6, how == 5 ? 0 : MSG_MORE);
	switch (how) {
	case 1:
		send(c->fd, "world", 5, 0);
		break;
	case 2:
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		break;
	case 3:
		setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one));
		setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof(zero));
		break;
	case 4:
		shutdown(c->fd, SHUT_WR);
		break;
	case 6:
		send(c->fd, "world", 5, MSG_MORE);
		break;
	}
	n = peer_recv(c, buf, sizeof(buf), 2000);
	if (how == 1 && n == 6)
		n += peer_recv(c, buf + n, sizeof(buf) - n, 2000);
	say_data(c, "the client gets", buf, n);
	say(c, "%s", about(start));
}

/* A buffer that ends too early: nothing of it, or a part, and the connection goes
 * on.
 */
static void write_fault(struct conn *c, long good, long flags)
{
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(map + page, page);
	fill(map, page);
	say(c, "send: %s", result(send(c->fd, "before ", 7, flags)));
	say(c, "send: %s", result(send(c->fd, map + page - good, 16, flags)));
	say(c, "send: %s", result(send(c->fd, "after", 5, 0)));
	munmap(map, page);
}

/* The same in a large one, and in the second part of two. */
static void write_fault_large(struct conn *c, long good, long b)
{
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(map + (1 << 19), 1 << 19);
	fill(map, 1 << 19);
	say(c, "send: %s", result(send(c->fd, map + (1 << 19) - good, 1 << 18, 0)));
	say(c, "send: %s", result(send(c->fd, "after", 5, 0)));
}

static int file_with(const void *data, size_t len)
{
	int fd = memfd_create("data", 0);

	if (write(fd, data, len) != (ssize_t)len)
		exit(1);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void write_sendfile(struct conn *c, long len, long max)
{
	static char data[200000];
	off_t offset = 10;
	int fd;

	fill(data, sizeof(data));
	fd = file_with(data, len);
	say(c, "sendfile: %s", result(sendfile(c->fd, fd, NULL, max)));
	say(c, "sendfile: %s", result(sendfile(c->fd, fd, &offset, 100)));
	say(c, "offset: %ld", (long)offset);
	offset = len;
	say(c, "sendfile at the end: %s", result(sendfile(c->fd, fd, &offset, 100)));
}

/* From a pipe to the connection, filled by write() or vmsplice(). */
static void write_splice(struct conn *c, long vm, long flags)
{
	static char data[8192] __attribute__((aligned(4096)));
	struct iovec iov = { data, sizeof(data) };
	double start = seconds();
	int fds[2];

	if (pipe(fds))
		return;
	fill(data, sizeof(data));
	if (vm)
		say(c, "vmsplice: %s", result(vmsplice(fds[1], &iov, 1, 0)));
	else
		say(c, "write: %s", result(write(fds[1], data, sizeof(data))));
	say(c, "splice: %s", result(splice(fds[0], NULL, c->fd, NULL, 5000, flags)));
	say(c, "splice: %s", result(splice(fds[0], NULL, c->fd, NULL, 5000, flags)));
	peer_expect(c, sizeof(data));
	say(c, "%s", about(start));
}

static void write_copy_file_range(struct conn *c, long a, long b)
{
	int fd = file_with("hello", 5);

	say(c, "to: %s", result(syscall(SYS_copy_file_range, fd, NULL, c->fd, NULL,
					5, 0)));
	say(c, "from: %s", result(syscall(SYS_copy_file_range, c->fd, NULL, fd, NULL,
					  5, 0)));
	say(c, "pwrite: %s", result(pwrite(c->fd, "x", 1, 0)));
	say(c, "lseek: %s", result(lseek(c->fd, 0, SEEK_SET)));
}

/* Control messages that TCP knows, and one that it does not. */
static void write_control(struct conn *c, long level, long type)
{
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(4)];
	} control = {};
	struct iovec iov = { "hello", 5 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.hdr.cmsg_level = level;
	control.hdr.cmsg_type = type;
	control.hdr.cmsg_len = CMSG_LEN(4);
	say(c, "sendmsg: %s", result(sendmsg(c->fd, &msg, 0)));
}

/* After the client has gone. */
static void write_to_closed(struct conn *c, long reset, long b)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		setsockopt(c->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	else
		peer_end(c);
	close(c->peer);
	c->peer = -1;
	wait_for(c->fd, POLLIN | POLLHUP, SOON_MS);
	say(c, "send: %s", result(send(c->fd, "one", 3, 0)));
	usleep(50000);
	say(c, "send: %s", result(send(c->fd, "two", 3, 0)));
	say(c, "send: %s", result(send(c->fd, "three", 5, 0)));
}

void add_writing(void)
{
	static const char *const flushes[] = {
		"MSG_MORE alone", "MSG_MORE, then send", "MSG_MORE, then TCP_NODELAY",
		"MSG_MORE, then TCP_CORK off", "MSG_MORE, then shutdown", "TCP_CORK alone",
		"MSG_MORE twice",
	};
	unsigned int call, flag;
	int i;

	for (call = WRITE; call <= SENDMMSG; call++)
		for (flag = 0; flag < ARRAY_SIZE(send_flags); flag++)
			if (call > WRITEV || !flag)
				add_row(write_row, call, flag,
					call > WRITEV ? "%s %s" : "%s",
					call_names[call], send_flags[flag].name);
	add_row(write_zerocopy, 0, 0, "SO_ZEROCOPY, send ZEROCOPY");
	for (i = 0; i < (int)ARRAY_SIZE(flushes); i++)
		add_row(write_more, i, 0, "%s", flushes[i]);
	for (i = 0; i <= 16; i += 4) {
		add_row(write_fault, i, 0, "send, EFAULT after %d of 16", i);
		add_row(write_fault, i, MSG_MORE, "send MORE, EFAULT after %d of 16", i);
	}
	add_row(write_fault_large, 1 << 17, 0, "send, EFAULT after 131072 of 262144");
	add_row(write_sendfile, 100, 50, "sendfile of 50");
	add_row(write_sendfile, 100000, 200000, "sendfile beyond the end");
	add_row(write_splice, 0, 0, "splice from a pipe");
	add_row(write_splice, 0, SPLICE_F_MORE, "splice from a pipe, MORE");
	add_row(write_splice, 0, SPLICE_F_NONBLOCK, "splice from a pipe, NONBLOCK");
	add_row(write_splice, 1, 0, "splice from a pipe of vmsplice");
	add_row(write_copy_file_range, 0, 0, "copy_file_range, pwrite, lseek");
	add_row(write_control, SOL_SOCKET, SO_TIMESTAMPING, "sendmsg, control SO_TIMESTAMPING");
	add_row(write_control, SOL_IP, IP_TOS, "sendmsg, control IP_TOS");
	add_row(write_control, SOL_SOCKET, 9999, "sendmsg, control unknown");
	add_row(write_to_closed, 0, 0, "send, the client has closed");
	add_row(write_to_closed, 1, 0, "send, the client has reset");
}
