// SPDX-License-Identifier: GPL-2.0
/*
 * Servers as they were written for TCP: none of them knows that there is TLS, and each
 * ends a connection as soon as the kernel has taken all of the last response.
 */

#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/io_uring.h>

#define WORKERS		24

/* What a server keeps of a connection. */
struct connection {
	int fd;
	char in[HEAD_MAX];
	size_t in_len;
	char head[256];
	int head_len;
	struct request request;
	size_t sent;		/* of head and body */
	bool responding;
};

/* Takes a request out of what has been read, if it is complete. */
static bool next_request(struct connection *c)
{
	size_t used = parse_request(c->in, c->in_len, &c->request);

	if (!used)
		return false;
	c->in_len -= used;
	memmove(c->in, c->in + used, c->in_len);
	c->head_len = write_head(c->head, &c->request);
	c->sent = 0;
	c->responding = true;
	return true;
}

static bool all_sent(const struct connection *c)
{
	return c->sent == c->head_len + c->request.len;
}

/* --- Blocking: a process for each connection at a time ------------------------- */

static bool send_full(int fd, const void *data, size_t len, int flags)
{
	ssize_t n;

	for (; len; len -= n, data = (const char *)data + n) {
		n = send(fd, data, len, flags | MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

/* The body by one of the ways that there are. */
static bool send_body(struct connection *c, uint32_t *seed, int file)
{
	size_t len = c->request.len, n, at;
	struct iovec iov[3];
	off_t off = 0;

	switch (pick(seed, 4)) {
	case 0:
		return send_full(c->fd, c->head, c->head_len, len ? MSG_MORE : 0) &&
		       send_full(c->fd, body, len, 0);
	case 1:
		if (!send_full(c->fd, c->head, c->head_len, len ? MSG_MORE : 0))
			return false;
		while ((size_t)off < len)
			if (sendfile(c->fd, file, &off, len - off) <= 0)
				return false;
		return true;
	case 2:
		iov[0] = (struct iovec) { c->head, c->head_len };
		iov[1] = (struct iovec) { (void *)body, len / 2 };
		iov[2] = (struct iovec) { (void *)(body + len / 2), len - len / 2 };
		/* A signal-free blocking socket takes all of it. */
		return writev(c->fd, iov, 3) == (ssize_t)(c->head_len + len);
	default:
		/* Everything is said to have more behind it; the end of the connection, or the
		 * next response, or 200 ms, must do.
		 */
		if (!send_full(c->fd, c->head, c->head_len, MSG_MORE))
			return false;
		for (at = 0; at < len; at += n) {
			n = 1 + pick(seed, 20000);
			n = n < len - at ? n : len - at;
			if (!send_full(c->fd, body + at, n, MSG_MORE))
				return false;
		}
		return true;
	}
}

static void serve_one(int fd, uint32_t *seed, int file)
{
	struct connection c = { .fd = fd };
	ssize_t n;

	for (;;) {
		while (!next_request(&c)) {
			n = read(fd, c.in + c.in_len, sizeof(c.in) - c.in_len);
			if (n <= 0)
				goto out;
			c.in_len += n;
		}
		if (!send_body(&c, seed, file) || c.request.last)
			break;
	}
	switch (pick(seed, 3)) {
	case 0:
		shutdown(fd, SHUT_WR);
		break;
	case 1:
		/* The process ends, and so does the connection. */
		_exit(0);
	}
out:
	close(fd);
}

void serve_blocking(int listener)
{
	int file = memfd_create("body", 0), fd;
	uint32_t seed;

	if (file < 0 || write(file, body, 1 << 20) != 1 << 20)
		die("memfd");
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < WORKERS; i++) {
		if (fork())
			continue;
		for (seed = i + 1;;) {
			fd = accept(listener, NULL, NULL);
			if (fd < 0)
				die("accept");
			/* In a child of its own, which may end as it likes. */
			if (!fork()) {
				seed += getpid() * 7919;
				serve_one(fd, &seed, file);
				_exit(0);
			}
			close(fd);
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
	}
	for (;;)
		pause();
}

/* --- Non-blocking: one thread, epoll -------------------------------------------- */

static void watch(int epfd, int op, struct connection *c, unsigned int events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &ev))
		die("epoll_ctl");
}

/* Sends until the socket takes no more.  False if the connection is over. */
static bool send_some(struct connection *c)
{
	ssize_t n;

	while (!all_sent(c)) {
		if (c->sent < (size_t)c->head_len)
			n = send(c->fd, c->head + c->sent, c->head_len - c->sent,
				 MSG_NOSIGNAL | (c->request.len ? MSG_MORE : 0));
		else
			n = send(c->fd, body + c->sent - c->head_len,
				 c->request.len + c->head_len - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		c->sent += n;
	}
	c->responding = false;
	return !c->request.last;
}

/* False if the connection is over. */
static bool go_on(struct connection *c, int epfd, unsigned int events)
{
	ssize_t n;

	for (;;) {
		if (c->responding && !send_some(c))
			return false;
		if (c->responding) {
			watch(epfd, EPOLL_CTL_MOD, c, EPOLLOUT);
			return true;
		}
		if (next_request(c))
			continue;
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
		if (n < 0 && errno == EAGAIN) {
			if (events & EPOLLOUT)
				watch(epfd, EPOLL_CTL_MOD, c, EPOLLIN);
			return true;
		}
		if (n <= 0)
			return false;
		c->in_len += n;
	}
}

void serve_nonblocking(int listener)
{
	struct connection listening = { .fd = listener };
	struct epoll_event ev[32];
	int epfd = epoll_create1(0), n, i, fd;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	watch(epfd, EPOLL_CTL_ADD, &listening, EPOLLIN);
	for (;;) {
		n = epoll_wait(epfd, ev, 32, -1);
		for (i = 0; i < n; i++) {
			struct connection *c = ev[i].data.ptr;

			if (c == &listening) {
				fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				if (fd < 0)
					continue;
				c = calloc(1, sizeof(*c));
				c->fd = fd;
				watch(epfd, EPOLL_CTL_ADD, c, EPOLLIN);
			} else if (!go_on(c, epfd, ev[i].events)) {
				close(c->fd);
				free(c);
			}
		}
	}
}

/* --- io_uring --------------------------------------------------------------------- */

static struct {
	int fd;
	void *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
	unsigned int queued;
} ring;

static void ring_init(void)
{
	ring.fd = syscall(__NR_io_uring_setup, 256, &ring.p);
	if (ring.fd < 0)
		die("io_uring_setup");
	ring.sq = mmap(NULL, ring.p.sq_off.array + ring.p.sq_entries * sizeof(int),
		       PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	ring.cq = mmap(NULL, ring.p.cq_off.cqes + ring.p.cq_entries * sizeof(struct io_uring_cqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, ring.p.sq_entries * sizeof(*ring.sqes), PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring.fd, IORING_OFF_SQES);
	if (ring.sq == MAP_FAILED || ring.cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		die("mmap");
}

static void ring_enter(unsigned int wait)
{
	int rc = syscall(__NR_io_uring_enter, ring.fd, ring.queued, wait, IORING_ENTER_GETEVENTS,
			 NULL, 0);

	if (rc < 0 && errno != EINTR)
		die("io_uring_enter");
	if (rc > 0)
		ring.queued -= rc;
}

static struct io_uring_sqe *ring_sqe(int op, int fd, const void *addr, unsigned int len, void *data)
{
	unsigned int *tail = ring.sq + ring.p.sq_off.tail;
	unsigned int *array = ring.sq + ring.p.sq_off.array;
	unsigned int i = *tail & (ring.p.sq_entries - 1);
	struct io_uring_sqe *sqe = &ring.sqes[i];

	if (ring.queued == ring.p.sq_entries)
		ring_enter(0);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->user_data = (uintptr_t)data;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	ring.queued++;
	return sqe;
}

/* The next thing to be done for a connection. */
static void ring_next(struct connection *c)
{
	if (c->responding && all_sent(c)) {
		c->responding = false;
		if (c->request.last) {
			ring_sqe(IORING_OP_CLOSE, c->fd, NULL, 0, NULL);
			free(c);
			return;
		}
	}
	if (!c->responding && !next_request(c))
		ring_sqe(IORING_OP_RECV, c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, c);
	else if (c->sent < (size_t)c->head_len)
		ring_sqe(IORING_OP_SEND, c->fd, c->head + c->sent, c->head_len - c->sent, c)
			->msg_flags = MSG_NOSIGNAL | MSG_WAITALL | (c->request.len ? MSG_MORE : 0);
	else
		ring_sqe(IORING_OP_SEND, c->fd, body + c->sent - c->head_len,
			 c->request.len + c->head_len - c->sent, c)
			->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

void serve_uring(int listener)
{
	static char accepting;
	unsigned int *head, *tail;
	struct io_uring_cqe *cqes, cqe;

	ring_init();
	head = ring.cq + ring.p.cq_off.head;
	tail = ring.cq + ring.p.cq_off.tail;
	cqes = ring.cq + ring.p.cq_off.cqes;
	ring_sqe(IORING_OP_ACCEPT, listener, NULL, 0, &accepting);
	for (;;) {
		ring_enter(1);
		while (*head != __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
			struct connection *c;

			cqe = cqes[*head & (ring.p.cq_entries - 1)];
			__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
			c = (void *)(uintptr_t)cqe.user_data;
			if (!c)
				continue;
			if (cqe.user_data == (uintptr_t)&accepting) {
				ring_sqe(IORING_OP_ACCEPT, listener, NULL, 0, &accepting);
				if (cqe.res < 0)
					continue;
				c = calloc(1, sizeof(*c));
				c->fd = cqe.res;
			} else if (cqe.res <= 0) {
				ring_sqe(IORING_OP_CLOSE, c->fd, NULL, 0, NULL);
				free(c);
				continue;
			} else if (c->responding) {
				c->sent += cqe.res;
			} else {
				c->in_len += cqe.res;
			}
			ring_next(c);
		}
	}
}
