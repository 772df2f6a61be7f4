// SPDX-License-Identifier: GPL-2.0
/* Every way in which a connection ends, and who has it when it does. */

#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Who ends it. */
enum how { CLOSE, SHUT, SHUT_BOTH, EXIT, KILL, NR_HOWS };

static const char *const how_names[] = {
	"close", "SHUT_WR", "SHUT_RDWR", "exit", "kill",
};

static void end(struct conn *c, enum how how)
{
	switch (how) {
	case SHUT:
		shutdown(c->fd, SHUT_WR);
		return;
	case SHUT_BOTH:
		shutdown(c->fd, SHUT_RDWR);
		return;
	default:
		close(c->fd);
		c->fd = -1;
	}
}

/* The server's process, which ends by itself or not; the client is in another one. */
static void serve(struct conn *c, enum how how, void (*func)(struct conn *c, long arg),
		  long arg)
{
	pid_t pid;

	if (how != EXIT && how != KILL) {
		func(c, arg);
		end(c, how);
		return;
	}
	fflush(c->out);
	pid = fork();
	if (!pid) {
		alarm(12);
		func(c, arg);
		fflush(c->out);
		if (how == KILL)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	close(c->fd);
	c->fd = -1;
	waitpid(pid, NULL, 0);
}

static size_t taken;

static void write_all_that_fits(struct conn *c, long size)
{
	taken = fill_send_buffer(c, size);
}

/* How much the client gets before @end: 0 for a FIN, else a negative error. */
static size_t peer_recv_rest(struct conn *c, ssize_t *end)
{
	char buf[65536];
	size_t got = 0;

	while ((*end = peer_recv(c, buf, sizeof(buf), SOON_MS)) > 0)
		got += *end;
	return got;
}

/* The client closes its side after what peer_recv_rest() has read. */
static void peer_close(struct conn *c, ssize_t end)
{
	if (c->tls && !end && c->alert)
		say(c, "without close_notify");
	close(c->peer);
	c->peer = -1;
}

/* As much as send() takes, then the end, while the client does not read. */
static void end_full(struct conn *c, long how, long size)
{
	size_t got;
	ssize_t n;

	taken = 0;
	serve(c, how, write_all_that_fits, size);
	got = peer_recv_rest(c, &n);
	/* How much fits is not the same with TLS. */
	if (how <= SHUT_BOTH)
		say(c, "the client gets all: %d", got == taken);
	say(c, "then %s", n ? result(n) : "the end");
	peer_close(c, n);
}

/* One large send() that blocks half of the time. */
static void write_large(struct conn *c, long size)
{
	char *data = malloc(size);

	fill(data, size);
	say(c, "send: %s", result(send(c->fd, data, size, 0)));
	free(data);
}

static void *drain_thread(void *arg)
{
	struct conn *c = arg;

	peer_drain(c);
	return NULL;
}

static void end_large(struct conn *c, long how, long size)
{
	pthread_t thread;

	pthread_create(&thread, NULL, drain_thread, c);
	serve(c, how, write_large, size);
	pthread_join(thread, NULL);
	close(c->peer);
	c->peer = -1;
}

static void write_more(struct conn *c, long size)
{
	char *data = malloc(size);

	fill(data, size);
	say(c, "send: %s", result(send(c->fd, data, size, MSG_MORE)));
	free(data);
}

/* With MSG_MORE pending. */
static void end_more(struct conn *c, long how, long size)
{
	serve(c, how, write_more, size);
}

/* With something unread: a reset, as on TCP. */
static void end_unread(struct conn *c, long how, long when)
{
	char buf[64];

	peer_send(c, "request", 7);
	wait_for(c->fd, POLLIN, SOON_MS);
	if (when == 1)
		say_data(c, "recv", buf, recv(c->fd, buf, 3, 0));
	else if (when == 2)
		say_data(c, "recv", buf, recv(c->fd, buf, 7, MSG_PEEK));
	send(c->fd, "response", 8, 0);
	end(c, how);
	if (c->fd >= 0) {
		say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
		say_data(c, "recv", buf, recv(c->fd, buf, 40, MSG_DONTWAIT));
	}
}

/* The client's end is there, too, unread or not. */
static void end_half_closed(struct conn *c, long how, long seen)
{
	char buf[64];

	peer_send(c, "request", 7);
	peer_end(c);
	wait_for(c->fd, POLLIN, SOON_MS);
	usleep(20000);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	if (seen)
		say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	say(c, "send: %s", result(send(c->fd, "response", 8, 0)));
	end(c, how);
}

/* The server's end first, then it reads on. */
static void end_then_read(struct conn *c, long a, long b)
{
	char buf[64];

	send(c->fd, "response", 8, 0);
	shutdown(c->fd, SHUT_WR);
	say(c, "send: %s", result(send(c->fd, "more", 4, 0)));
	peer_send(c, "late", 4);
	wait_for(c->fd, POLLIN, SOON_MS);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	peer_end(c);
	say_data(c, "recv", buf, recv(c->fd, buf, 40, 0));
	say(c, "shutdown: %s", result(shutdown(c->fd, SHUT_WR)));
	say(c, "shutdown: %s", result(shutdown(c->fd, SHUT_RDWR)));
}

static void end_linger(struct conn *c, long seconds_, long full)
{
	struct linger linger = { .l_onoff = 1, .l_linger = seconds_ };
	pthread_t thread;
	double start;

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (full)
		taken = fill_send_buffer(c, 1000);
	else
		send(c->fd, "hello", 5, 0);
	start = seconds();
	if (full == 2) {
		pthread_create(&thread, NULL, drain_thread, c);
		usleep(50000);
	}
	say(c, "close: %s, %s", result(close(c->fd)), full == 2 ? "" : about(start));
	c->fd = -1;
	if (full == 2)
		pthread_join(thread, NULL);
	if (full) {
		/* Without the number of bytes, which TLS makes another one. */
		close(c->peer);
		c->peer = -1;
	}
}

/* Another thread sleeps in send() meanwhile. */
struct writer {
	struct conn *c;
	ssize_t sent;
	int err;
};

static void *write_thread(void *arg)
{
	static char data[8 << 20];
	struct writer *w = arg;

	fill(data, sizeof(data));
	w->sent = send(w->c->fd, data, sizeof(data), 0);
	w->err = errno;
	return NULL;
}

static void end_while_sending(struct conn *c, long how, long b)
{
	struct writer w = { .c = c };
	size_t got;
	pthread_t thread;
	ssize_t n;

	pthread_create(&thread, NULL, write_thread, &w);
	/* Until there is no room any more. */
	usleep(50000);
	while (wait_for(c->fd, POLLOUT, 100))
		usleep(10000);
	shutdown(c->fd, how);
	say(c, "shutdown done");
	pthread_join(thread, NULL);
	say(c, "send: %s", w.sent > 0 ? "a part" : result(-w.err));
	got = peer_recv_rest(c, &n);
	say(c, "the client gets all that send() has taken: %d",
	    (ssize_t)got == w.sent);
	say(c, "then %s", n ? result(n) : "the end");
	peer_close(c, n);
}

/* The same, but the descriptor is closed, or the process ends. */
static void end_with_writer(struct conn *c, long how, long b)
{
	struct writer w = { .c = c };
	struct conn copy = *c;
	size_t got;
	pthread_t thread;
	ssize_t n;
	pid_t pid = 0;

	w.c = &copy;
	if (how != CLOSE) {
		fflush(c->out);
		pid = fork();
	}
	if (!pid) {
		pthread_create(&thread, NULL, write_thread, &w);
		usleep(50000);
		while (wait_for(c->fd, POLLOUT, 100))
			usleep(10000);
		if (how == KILL)
			kill(getpid(), SIGKILL);
		if (how == EXIT)
			_exit(0);
	}
	close(c->fd);
	c->fd = -1;
	if (pid)
		waitpid(pid, NULL, 0);
	got = peer_recv_rest(c, &n);
	if (how == CLOSE) {
		pthread_join(thread, NULL);
		/* It goes on until all of it has been taken. */
		say(c, "send: %s; the client gets %zu", result(w.sent), got);
	} else {
		say(c, "the client gets a part: %d", got > 0 && got < 8 << 20);
	}
	say(c, "then %s", n ? result(n) : "the end");
	peer_close(c, n);
}

/* Data that waits for more, behind all that the send buffer takes. */
static void end_full_more(struct conn *c, long how, long size)
{
	char *data = malloc(size);
	size_t sent = 0, got;
	ssize_t n;

	fill(data, size);
	while ((n = send(c->fd, data, size, MSG_DONTWAIT | MSG_MORE)) > 0)
		sent += n;
	say(c, "send: %s", result(n));
	end(c, how);
	got = peer_recv_rest(c, &n);
	say(c, "the client gets all: %d, then %s", got == sent, n ? result(n) : "the end");
	peer_close(c, n);
	free(data);
}

/* One that must not sleep beside it. */
static void send_beside_writer(struct conn *c, long flags, long b)
{
	struct writer w = { .c = c };
	pthread_t thread;
	double start;
	size_t left;
	char buf[65536];
	ssize_t n;

	pthread_create(&thread, NULL, write_thread, &w);
	/* Until there is no room any more. */
	usleep(50000);
	while (wait_for(c->fd, POLLOUT, 100))
		usleep(10000);
	if (!flags)
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
	start = seconds();
	/* Else it waits for ever. */
	alarm(3);
	n = send(c->fd, "x", 1, flags);
	/* A byte fits in on TCP, if the last segment has room. */
	say(c, "send: %s, %s", n == 1 || errno == EAGAIN ? "1 or EAGAIN" : result(n),
	    about(start));
	alarm(12);
	for (left = (8 << 20) + (n == 1); left; left -= n) {
		n = peer_recv(c, buf, left < sizeof(buf) ? left : sizeof(buf), SOON_MS);
		if (n <= 0)
			break;
	}
	pthread_join(thread, NULL);
	say(c, "the thread's send: %s", result(w.sent));
	say(c, "send: %s", result(send(c->fd, "x", 1, flags)));
}

/* The writer sleeps as soon as so little is not sent, as on TCP. */
static void writer_lowat(struct conn *c, long lowat, long b)
{
	int value = lowat, unsent = 0, most = 0, i;
	struct writer w = { .c = c };
	pthread_t thread;
	char buf[65536];
	size_t left;
	ssize_t n;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, sizeof(value));
	pthread_create(&thread, NULL, write_thread, &w);
	for (i = 0, left = 8 << 20; left; left -= n, i++) {
		/* It has some time to queue what it may. */
		if (i < 20)
			usleep(10000);
		if (!ioctl(c->fd, SIOCOUTQNSD, &unsent) && unsent > most)
			most = unsent;
		n = peer_recv(c, buf, left < sizeof(buf) ? left : sizeof(buf), SOON_MS);
		if (n <= 0)
			break;
	}
	pthread_join(thread, NULL);
	say(c, "the thread's send: %s", result(w.sent));
	/* A record more than that, or a segment. */
	say(c, "no more waits than that and what goes at a time: %d",
	    most <= lowat + 2 * 65536);
}

/* And in recv(). */
static void *read_thread(void *arg)
{
	struct writer *w = arg;
	char buf[64];

	w->sent = recv(w->c->fd, buf, sizeof(buf), 0);
	w->err = errno;
	return NULL;
}

static void end_while_reading(struct conn *c, long how, long b)
{
	struct writer w = { .c = c };
	pthread_t thread;

	pthread_create(&thread, NULL, read_thread, &w);
	usleep(50000);
	shutdown(c->fd, how);
	if (how == SHUT_WR)
		peer_end(c);
	pthread_join(thread, NULL);
	say(c, "recv: %s", w.sent < 0 ? result(-w.err) : result(w.sent));
}

/* A signal in the middle of send() or recv(). */
static void handler(int sig)
{
	(void)sig;
}

static void *signal_thread(void *arg)
{
	usleep(200000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void end_signal(struct conn *c, long what, long restart)
{
	struct sigaction sa = {
		.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0,
	};
	static char data[8 << 20];
	pthread_t self = pthread_self(), thread;
	struct timeval tv = { .tv_usec = 400000 };
	ssize_t n;

	sigaction(SIGUSR1, &sa, NULL);
	fill(data, sizeof(data));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (what == 2)
		peer_send(c, "part", 4);
	if (what == 3)
		fill_send_buffer(c, 1000);
	pthread_create(&thread, NULL, signal_thread, &self);
	switch (what) {
	case 0:
		n = recv(c->fd, data, 10, 0);
		say(c, "recv: %s", result(n));
		break;
	case 2:
		n = recv(c->fd, data, 10, MSG_WAITALL);
		say_data(c, "recv", data, n);
		break;
	default:
		n = send(c->fd, data, sizeof(data), 0);
		say(c, "send: %s", n > 0 ? "a part" : result(n));
	}
	pthread_join(thread, NULL);
	if (what == 1 || what == 3) {
		close(c->peer);
		c->peer = -1;
	}
}

/* Whoever else has the socket: it goes on, and ends with the last of them. */
static void end_dup(struct conn *c, long a, long b)
{
	int fd = dup(c->fd);

	close(c->fd);
	c->fd = fd;
	say(c, "send: %s", result(send(c->fd, "by the other", 12, 0)));
	peer_expect(c, 12);
}

static void end_fork(struct conn *c, long a, long b)
{
	pid_t pid;

	fflush(c->out);
	pid = fork();
	if (!pid) {
		send(c->fd, "child ", 6, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say(c, "send: %s", result(send(c->fd, "parent", 6, 0)));
}

static void end_scm_rights(struct conn *c, long a, long b)
{
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fds[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return;
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), &c->fd, sizeof(int));
	say(c, "sendmsg: %s", result(sendmsg(fds[0], &msg, 0)));
	close(c->fd);
	say(c, "recvmsg: %s", result(recvmsg(fds[1], &msg, 0)));
	memcpy(&fd, CMSG_DATA(&control.hdr), sizeof(int));
	c->fd = fd;
	say(c, "send: %s", result(send(c->fd, "passed on", 9, 0)));
}

static void end_pidfd_getfd(struct conn *c, long a, long b)
{
	int pidfd, fd, fds[2];
	char byte;
	pid_t pid;

	if (pipe(fds))
		return;
	fflush(c->out);
	pid = fork();
	if (!pid) {
		close(fds[1]);
		if (read(fds[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, c->fd, 0);
	say(c, "pidfd_getfd: %s", fd >= 0 ? "0" : result(fd));
	close(c->fd);
	c->fd = fd;
	close(fds[1]);
	waitpid(pid, NULL, 0);
	say(c, "send: %s", result(send(c->fd, "taken", 5, 0)));
}

/* connect() and disconnect on a connection, and what it says of itself. */
static void end_disconnect(struct conn *c, long a, long b)
{
	struct sockaddr_in sin;
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	socklen_t len = sizeof(sin);

	getsockname(c->fd, (struct sockaddr *)&sin, &len);
	say(c, "family %d of %u", sin.sin_family, len);
	len = sizeof(sin);
	getpeername(c->fd, (struct sockaddr *)&sin, &len);
	say(c, "family %d of %u", sin.sin_family, len);
	say(c, "connect: %s", result(connect(c->fd, (struct sockaddr *)&sin, len)));
	say(c, "listen: %s", result(listen(c->fd, 1)));
	say(c, "AF_UNSPEC: %s", result(connect(c->fd, &unspec, sizeof(unspec))));
}

static void do_nothing(struct conn *c, long arg)
{
}

/* A client that breaks the rules: the alert comes before the FIN, whatever the
 * process does first.  On TCP the client's data are only data.
 */
static void end_alert(struct conn *c, long how, long b)
{
	char buf[64];
	ssize_t n;

	if (!c->tls) {
		say(c, "the client gets alert 20");
		end(c, how);
		return;
	}
	peer_garbage(c);
	wait_for(c->fd, POLLIN, SOON_MS);
	n = recv(c->fd, buf, sizeof(buf), 0);
	if (n != -1 || errno != EBADMSG)
		say(c, "recv: %s", result(n));
	if (how == NR_HOWS)
		usleep(200000);
	else
		serve(c, how, do_nothing, 0);
}

/* The same with a full send buffer: the alert comes behind it. */
static void end_alert_full(struct conn *c, long how, long b)
{
	size_t sent = fill_send_buffer(c, 1000), got;
	char buf[65536];
	ssize_t n;

	if (c->tls) {
		peer_garbage(c);
		wait_for(c->fd, POLLIN, SOON_MS);
		recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	}
	end(c, how);
	got = peer_recv_rest(c, &n);
	say(c, "all: %d, then %s", got == sent, result(n));
	if (c->tls && c->alert != 20)
		say(c, "alert %d", c->alert);
	close(c->peer);
	c->peer = -1;
}

void add_ends(void)
{
	static const char *const unread[] = {
		"unread", "half read", "peeked at",
	};
	static const long sizes[] = { 1000, 4096, 16384, 65536 };
	static const char *const signals[] = {
		"recv", "send", "recv WAITALL with a part", "send without room",
	};
	unsigned int how, i;

	for (how = CLOSE; how < NR_HOWS; how++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			add_row(end_full, how, sizes[i], "%s, full by sends of %ld",
				how_names[how], sizes[i]);
		add_row(end_large, how, 3000000, "%s, after 3 MB", how_names[how]);
		add_row(end_more, how, 100, "%s, MSG_MORE of 100", how_names[how]);
		add_row(end_more, how, 20000, "%s, MSG_MORE of 20000", how_names[how]);
		add_row(end_alert, how, 0, "%s, a bad record", how_names[how]);
		if (how != SHUT && how != SHUT_BOTH)
			add_row(end_with_writer, how, 0, "%s, a thread in send", how_names[how]);
	}
	add_row(end_alert, NR_HOWS, 0, "nothing, a bad record");
	for (how = CLOSE; how <= SHUT_BOTH; how++) {
		for (i = 0; i < ARRAY_SIZE(unread); i++)
			add_row(end_unread, how, i, "%s, data %s", how_names[how], unread[i]);
		add_row(end_half_closed, how, 0, "%s, the client's end unread", how_names[how]);
		add_row(end_half_closed, how, 1, "%s, the client's end read", how_names[how]);
		add_row(end_alert_full, how, 0, "%s, a bad record, full", how_names[how]);
		add_row(end_full_more, how, 100, "%s, full by MSG_MORE of 100", how_names[how]);
		add_row(end_full_more, how, 20000, "%s, full by MSG_MORE of 20000",
			how_names[how]);
	}
	add_row(end_then_read, 0, 0, "SHUT_WR, then recv");
	add_row(end_linger, 0, 0, "SO_LINGER of 0");
	add_row(end_linger, 5, 0, "SO_LINGER of 5");
	add_row(end_linger, 1, 1, "SO_LINGER of 1, full");
	add_row(end_while_sending, SHUT_WR, 0, "SHUT_WR, a thread in send");
	add_row(end_while_sending, SHUT_RDWR, 0, "SHUT_RDWR, a thread in send");
	add_row(send_beside_writer, MSG_DONTWAIT, 0, "send DONTWAIT beside a thread in send");
	add_row(send_beside_writer, 0, 0, "send on a non-blocking socket beside a thread in send");
	add_row(writer_lowat, 16384, 0, "TCP_NOTSENT_LOWAT, a thread in send");
	add_row(end_while_reading, SHUT_RD, 0, "SHUT_RD, a thread in recv");
	add_row(end_while_reading, SHUT_WR, 0, "SHUT_WR, a thread in recv");
	add_row(end_while_reading, SHUT_RDWR, 0, "SHUT_RDWR, a thread in recv");
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		add_row(end_signal, i, 0, "a signal, %s", signals[i]);
		/* Without room it would not end. */
		if (i != 3)
			add_row(end_signal, i, 1, "a signal with SA_RESTART, %s",
				signals[i]);
	}
	add_row(end_dup, 0, 0, "dup");
	add_row(end_fork, 0, 0, "fork");
	add_row(end_scm_rights, 0, 0, "SCM_RIGHTS");
	add_row(end_pidfd_getfd, 0, 0, "pidfd_getfd");
	add_row(end_disconnect, 0, 0, "getsockname, connect, listen");
}
