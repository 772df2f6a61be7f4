// SPDX-License-Identifier: GPL-2.0
/* What poll(), select(), epoll and SIGIO say in each state of a connection. */

#include "common.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define ALL (POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM)

static void say_poll(struct conn *c, const char *when, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = ALL & ~POLLOUT & ~POLLWRNORM };
	fd_set r, w, e;
	struct timeval tv = {};
	int n;

	/* Until it is readable, then all of it. */
	poll(&p, 1, ms);
	p.events = ALL;
	n = poll(&p, 1, 0);
	say(c, "%s: poll %#x", when, n > 0 ? p.revents : 0);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(c->fd, &r);
	FD_SET(c->fd, &w);
	FD_SET(c->fd, &e);
	select(c->fd + 1, &r, &w, &e, &tv);
	say(c, "%s: select %d%d%d", when, !!FD_ISSET(c->fd, &r),
	    !!FD_ISSET(c->fd, &w), !!FD_ISSET(c->fd, &e));
}

static void ready_states(struct conn *c, long a, long b)
{
	char buf[64];

	say_poll(c, "nothing", 20);
	peer_send(c, "hello world", 11);
	say_poll(c, "data", SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 5, 0));
	say_poll(c, "half of it read", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_PEEK));
	say_poll(c, "after a peek", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	say_poll(c, "all read", 20);
	peer_send(c, "more", 4);
	peer_end(c);
	usleep(50000);
	say_poll(c, "data and the end", SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	say_poll(c, "the end", 100);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	say_poll(c, "the end read", 20);
	shutdown(c->fd, SHUT_WR);
	usleep(50000);
	say_poll(c, "both ends", 20);
}

static void ready_shutdown(struct conn *c, long how, long b)
{
	char buf[64];

	shutdown(c->fd, how);
	say_poll(c, "after shutdown", 20);
	peer_send(c, "data", 4);
	usleep(50000);
	say_poll(c, "after data", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	say(c, "send: %s", result(send(c->fd, "answer", 6, MSG_DONTWAIT)));
}

static void ready_reset(struct conn *c, long a, long b)
{
	struct linger linger = { .l_onoff = 1 };
	char buf[64];

	setsockopt(c->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->peer);
	c->peer = -1;
	say_poll(c, "a reset", SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	say_poll(c, "a reset, read", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

/* Writable when there is room again, and not before. */
static void ready_full(struct conn *c, long a, long b)
{
	size_t sent = fill_send_buffer(c, 4096);
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	char buf[65536];
	size_t got = 0;
	ssize_t n;

	say(c, "full: poll %d", poll(&p, 1, 50));
	while (got < sent) {
		n = peer_recv(c, buf, sizeof(buf), SOON_MS);
		if (n <= 0)
			break;
		got += n;
	}
	say(c, "all of it: %d", got == sent);
	say(c, "empty: poll %d", poll(&p, 1, SOON_MS));
	say(c, "send: %s", result(send(c->fd, "more", 4, MSG_DONTWAIT)));
}

static const struct {
	const char *name;
	unsigned int events;
} epoll_kinds[] = {
	{ "level", 0 },
	{ "edge", EPOLLET },
	{ "EXCLUSIVE", EPOLLEXCLUSIVE },
	{ "ONESHOT", EPOLLONESHOT },
	{ "edge, ONESHOT", EPOLLET | EPOLLONESHOT },
};

static void say_epoll(struct conn *c, int ep, const char *when, int ms)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, ms);

	say(c, "%s: %#x", when, n > 0 ? ev.events : 0);
}

static void ready_epoll(struct conn *c, long kind, long b)
{
	struct epoll_event ev = { .events = EPOLLIN | epoll_kinds[kind].events };
	int ep = epoll_create1(0);
	char buf[64];

	if (!(ev.events & EPOLLEXCLUSIVE))
		ev.events |= EPOLLRDHUP;
	say(c, "epoll_ctl: %s", result(epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev)));
	say_epoll(c, ep, "nothing", 20);
	peer_send(c, "hello world", 11);
	say_epoll(c, ep, "data", ev.events & EPOLLONESHOT ? SOON_MS : SOON_MS);
	say_epoll(c, ep, "again", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 5, 0));
	say_epoll(c, ep, "half of it read", 20);
	peer_send(c, "more", 4);
	usleep(50000);
	say_epoll(c, ep, "more", 20);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	while (recv(c->fd, buf, 40, MSG_DONTWAIT) > 0)
		;
	say_epoll(c, ep, "all read", 20);
	if (!(ev.events & EPOLLEXCLUSIVE))
		say(c, "mod: %s", result(epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev)));
	peer_end(c);
	usleep(50000);
	say_epoll(c, ep, "the end", SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
}

static void ready_epoll_two(struct conn *c, long flags, long b)
{
	struct epoll_event ev = { .events = EPOLLIN | flags };
	int one = epoll_create1(0), two = epoll_create1(0);

	epoll_ctl(one, EPOLL_CTL_ADD, c->fd, &ev);
	epoll_ctl(two, EPOLL_CTL_ADD, c->fd, &ev);
	peer_send(c, "hello", 5);
	usleep(50000);
	say_epoll(c, one, "one", 100);
	say_epoll(c, two, "two", 100);
}

/* Edges of a writer. */
static void ready_epoll_out(struct conn *c, long a, long b)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(0);
	size_t sent, got = 0;
	char buf[65536];
	ssize_t n;

	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
	say_epoll(c, ep, "room", SOON_MS);
	sent = fill_send_buffer(c, 8192);
	say_epoll(c, ep, "full", 20);
	while (got < sent) {
		n = peer_recv(c, buf, sizeof(buf), SOON_MS);
		if (n <= 0)
			break;
		got += n;
	}
	say_epoll(c, ep, "empty", SOON_MS);
}

static void ready_sigio(struct conn *c, long a, long b)
{
	struct timespec ts = { .tv_nsec = 500000000 };
	char buf[64];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fcntl(c->fd, F_SETOWN, getpid());
	say(c, "F_SETFL: %s", result(fcntl(c->fd, F_SETFL, O_NONBLOCK | O_ASYNC)));
	peer_send(c, "data", 4);
	say(c, "data: %d", sigtimedwait(&set, NULL, &ts) == SIGIO);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	peer_end(c);
	say(c, "the end: %d", sigtimedwait(&set, NULL, &ts) == SIGIO);
	wait_for(c->fd, POLLIN, 100);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
}

void add_ready(void)
{
	static const char *const hows[] = { "SHUT_RD", "SHUT_WR", "SHUT_RDWR" };
	unsigned int i;

	add_row(ready_states, 0, 0, "poll and select");
	for (i = 0; i < 3; i++)
		add_row(ready_shutdown, i, 0, "poll and select, %s", hows[i]);
	add_row(ready_reset, 0, 0, "poll and select, reset");
	add_row(ready_full, 0, 0, "poll, full send buffer");
	for (i = 0; i < ARRAY_SIZE(epoll_kinds); i++)
		add_row(ready_epoll, i, 0, "epoll %s", epoll_kinds[i].name);
	add_row(ready_epoll_two, 0, 0, "epoll, two of them");
	add_row(ready_epoll_two, EPOLLEXCLUSIVE, 0, "epoll, two of them, EXCLUSIVE");
	add_row(ready_epoll_out, 0, 0, "epoll edge, full send buffer");
	add_row(ready_sigio, 0, 0, "SIGIO");
}
