// SPDX-License-Identifier: GPL-2.0
/* io_uring, by its system calls: liburing is not everywhere. */

#include "common.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>

/* Of newer kernels than the headers may be. */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#define BUFS 8
#define BUF_SIZE 16

struct ring {
	int fd;
	void *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
	struct io_uring_buf_ring *bufs;
	char *mem;
};

static bool ring_init(struct conn *c, struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(__NR_io_uring_setup, 16, &r->p);
	if (r->fd < 0) {
		say(c, "io_uring_setup: %s", result(-1));
		return false;
	}
	r->sq = mmap(NULL, r->p.sq_off.array + r->p.sq_entries * sizeof(int),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries *
		     sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		       IORING_OFF_SQES);
	return true;
}

static struct io_uring_sqe *ring_sqe(struct ring *r, int op, int fd, void *addr,
				     unsigned int len, long data)
{
	unsigned int *tail = r->sq + r->p.sq_off.tail;
	unsigned int *array = r->sq + r->p.sq_off.array;
	unsigned int i = *tail & (r->p.sq_entries - 1);
	struct io_uring_sqe *sqe = &r->sqes[i];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->user_data = data;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

static void ring_submit(struct conn *c, struct ring *r, int n)
{
	int rc = syscall(__NR_io_uring_enter, r->fd, n, 0, 0, NULL, 0);

	if (rc != n)
		say(c, "io_uring_enter: %s", result(rc));
}

/* The next completion, or nothing for so long. */
static bool ring_wait(struct conn *c, struct ring *r, struct io_uring_cqe *cqe, int ms)
{
	unsigned int *head = r->cq + r->p.cq_off.head;
	unsigned int *tail = r->cq + r->p.cq_off.tail;
	struct io_uring_cqe *cqes = r->cq + r->p.cq_off.cqes;
	double end = seconds() + ms * 0.001;

	(void)c;
	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		if (seconds() > end)
			return false;
		/* Lets task work run. */
		syscall(__NR_io_uring_enter, r->fd, 0, 0, IORING_ENTER_GETEVENTS,
			NULL, 0);
		usleep(1000);
	}
	*cqe = cqes[*head & (r->p.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

static int say_cqe(struct conn *c, struct ring *r, const char *what, int ms)
{
	struct io_uring_cqe cqe;

	if (!ring_wait(c, r, &cqe, ms)) {
		say(c, "%s: nothing", what);
		return -1;
	}
	say(c, "%s: %llu: %s, flags %#x", what, cqe.user_data, result(cqe.res),
	    cqe.flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF));
	return cqe.res;
}

/* Buffers that the kernel chooses from. */
static bool ring_buffers(struct conn *c, struct ring *r)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFS };
	int i, rc;

	r->bufs = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.ring_addr = (uintptr_t)r->bufs;
	rc = syscall(__NR_io_uring_register, r->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
	if (rc) {
		say(c, "IORING_REGISTER_PBUF_RING: %s", result(rc));
		return false;
	}
	for (i = 0; i < BUFS; i++) {
		r->bufs->bufs[i].addr = (uintptr_t)r->mem + i * BUF_SIZE;
		r->bufs->bufs[i].len = BUF_SIZE;
		r->bufs->bufs[i].bid = i;
	}
	__atomic_store_n(&r->bufs->tail, BUFS, __ATOMIC_RELEASE);
	return true;
}

static void uring_recv(struct conn *c, long flags, long b)
{
	struct ring r;
	char buf[64] = "";

	if (!ring_init(c, &r))
		return;
	ring_sqe(&r, IORING_OP_RECV, c->fd, buf, 10, 1)->msg_flags = flags;
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "nothing yet", 30);
	peer_send(c, "hello", 5);
	say_cqe(c, &r, "5 bytes", flags ? 50 : SOON_MS);
	peer_send(c, "world", 5);
	say_cqe(c, &r, "10 bytes", flags ? SOON_MS : 50);
	say(c, "%.10s", buf);
	peer_end(c);
	ring_sqe(&r, IORING_OP_RECV, c->fd, buf, 10, 2);
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "next", SOON_MS);
	ring_sqe(&r, IORING_OP_RECV, c->fd, buf, 10, 3);
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "next", SOON_MS);
}

static void uring_multishot(struct conn *c, long bundle, long pieces)
{
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;
	struct ring r;
	char got[256];
	int i, n = 0;

	if (!ring_init(c, &r) || !ring_buffers(c, &r))
		return;
	sqe = ring_sqe(&r, IORING_OP_RECV, c->fd, NULL, 0, 1);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->ioprio = IORING_RECV_MULTISHOT | (bundle ? IORING_RECVSEND_BUNDLE : 0);
	ring_submit(c, &r, 1);
	for (i = 0; i < pieces; i++) {
		peer_send(c, "0123456789abcdefghij" + i, 8);
		usleep(20000);
	}
	peer_end(c);
	do {
		if (!ring_wait(c, &r, &cqe, SOON_MS)) {
			say(c, "no completion");
			break;
		}
		if (cqe.res > 0) {
			/* Bundles begin with that buffer and go on with the next. */
			memcpy(got + n, r.mem + (cqe.flags >> 16) * BUF_SIZE, cqe.res);
			n += cqe.res;
		} else {
			say(c, "at the end: %s, flags %#x", result(cqe.res),
			    cqe.flags & IORING_CQE_F_MORE);
		}
	} while (cqe.res > 0 && cqe.flags & IORING_CQE_F_MORE);
	say_data(c, "got", got, n);
}

static void uring_accept(struct conn *c, long a, long b)
{
	struct io_uring_cqe cqe;
	struct ring r;
	int i;

	if (!ring_init(c, &r))
		return;
	ring_sqe(&r, IORING_OP_ACCEPT, c->listener, NULL, 0, 1)->ioprio =
		IORING_ACCEPT_MULTISHOT;
	ring_submit(c, &r, 1);
	for (i = 0; i < 3; i++) {
		struct conn d = { .tls = c->tls, .listener = c->listener, .out = c->out,
				  .alert = -1 };

		d.peer = peer_connect(&d);
		if (!ring_wait(c, &r, &cqe, SOON_MS)) {
			say(c, "no completion");
			return;
		}
		say(c, "accepted: %d, flags %#x", cqe.res >= 0,
		    cqe.flags & IORING_CQE_F_MORE);
		d.fd = cqe.res;
		send(d.fd, "hello", 5, 0);
		close(d.fd);
		peer_drain(&d);
		close(d.peer);
	}
}

static void uring_send(struct conn *c, long op, long flags)
{
	static char data[30000];
	struct ring r;

	if (!ring_init(c, &r))
		return;
	fill(data, sizeof(data));
	ring_sqe(&r, op, c->fd, data, sizeof(data), 1)->msg_flags = flags;
	ring_submit(c, &r, 1);
	if (say_cqe(c, &r, "send", SOON_MS) > 0 && op == IORING_OP_SEND_ZC) {
		/* The notification comes when the client has it. */
		peer_expect(c, sizeof(data));
		say_cqe(c, &r, "notification", 500);
	}
}

static void uring_sendmsg_zc(struct conn *c, long a, long b)
{
	static char data[30000];
	struct iovec iov[2] = { { data, 10000 }, { data + 10000, 20000 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct ring r;

	if (!ring_init(c, &r))
		return;
	fill(data, sizeof(data));
	ring_sqe(&r, IORING_OP_SENDMSG_ZC, c->fd, &msg, 1, 1);
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "sendmsg", SOON_MS);
}

/* A send that is longer than the send buffer. */
static void uring_send_large(struct conn *c, long flags, long b)
{
	size_t size = 8 << 20;
	struct io_uring_cqe cqe = {};
	char *data = malloc(size);
	struct ring r;

	if (!ring_init(c, &r))
		return;
	fill(data, size);
	ring_sqe(&r, IORING_OP_SEND, c->fd, data, size, 1)->msg_flags = flags;
	ring_submit(c, &r, 1);
	if (flags) {
		peer_expect(c, size);
		say_cqe(c, &r, "send", SOON_MS);
		return;
	}
	/* A part, whose size is not the same. */
	say(c, "completion: %d", ring_wait(c, &r, &cqe, SOON_MS));
	say(c, "a part: %d", cqe.res > 0 && cqe.res < (int)size);
	close(c->peer);
	c->peer = -1;
}

static void uring_poll(struct conn *c, long multi, long b)
{
	struct io_uring_sqe *sqe;
	struct ring r;
	char buf[64];

	if (!ring_init(c, &r))
		return;
	sqe = ring_sqe(&r, IORING_OP_POLL_ADD, c->fd, NULL,
		       multi ? IORING_POLL_ADD_MULTI : 0, 1);
	sqe->poll32_events = POLLIN | POLLRDHUP;
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "nothing", 30);
	peer_send(c, "hello", 5);
	say_cqe(c, &r, "data", SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	peer_send(c, "world", 5);
	say_cqe(c, &r, "data", multi ? SOON_MS : 50);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	/* The poll request keeps the connection. */
	ring_sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)1, 0, 2);
	ring_submit(c, &r, 1);
	usleep(20000);
}

static void uring_timeout(struct conn *c, long in_time, long b)
{
	struct __kernel_timespec ts = { .tv_nsec = 200000000 };
	struct io_uring_cqe cqe;
	struct ring r;
	char buf[64];
	int i;

	if (!ring_init(c, &r))
		return;
	ring_sqe(&r, IORING_OP_RECV, c->fd, buf, 10, 1)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &ts, 1, 2);
	ring_submit(c, &r, 2);
	if (in_time)
		peer_send(c, "hello", 5);
	for (i = 0; i < 2; i++) {
		if (!ring_wait(c, &r, &cqe, SOON_MS)) {
			say(c, "no completion");
			return;
		}
		/* In any order. */
		if (cqe.user_data == 1)
			say(c, "recv: %s", result(cqe.res));
	}
	if (!in_time)
		peer_send(c, "hello", 5);
	else
		return;
	wait_for(c->fd, POLLIN, SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

static void uring_shutdown(struct conn *c, long a, long b)
{
	struct ring r;

	if (!ring_init(c, &r))
		return;
	send(c->fd, "hello", 5, MSG_MORE);
	ring_sqe(&r, IORING_OP_SHUTDOWN, c->fd, NULL, SHUT_WR, 1);
	ring_submit(c, &r, 1);
	say_cqe(c, &r, "shutdown", SOON_MS);
}

void add_uring(void)
{
	add_row(uring_recv, 0, 0, "io_uring recv");
	add_row(uring_recv, MSG_WAITALL, 0, "io_uring recv WAITALL");
	add_row(uring_multishot, 0, 4, "io_uring recv multishot");
	add_row(uring_multishot, 1, 4, "io_uring recv multishot, bundle");
	add_row(uring_multishot, 0, 12, "io_uring recv multishot, out of buffers");
	add_row(uring_accept, 0, 0, "io_uring accept multishot");
	add_row(uring_send, IORING_OP_SEND, 0, "io_uring send");
	add_row(uring_send, IORING_OP_SEND, MSG_WAITALL, "io_uring send WAITALL");
	add_row(uring_send, IORING_OP_SEND_ZC, 0, "io_uring send zero-copy");
	add_row(uring_sendmsg_zc, 0, 0, "io_uring sendmsg zero-copy");
	add_row(uring_send_large, 0, 0, "io_uring send of 8 MB");
	add_row(uring_send_large, MSG_WAITALL, 0, "io_uring send WAITALL of 8 MB");
	add_row(uring_poll, 0, 0, "io_uring poll");
	add_row(uring_poll, 1, 0, "io_uring poll multishot");
	add_row(uring_timeout, 0, 0, "io_uring linked timeout");
	add_row(uring_timeout, 1, 0, "io_uring linked timeout, in time");
	add_row(uring_shutdown, 0, 0, "io_uring shutdown, MSG_MORE");
}
