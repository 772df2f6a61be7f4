// SPDX-License-Identifier: GPL-2.0
/*
 * Connections that stay open and say nothing, or nothing after the first bytes.
 *
 *	flood [-r RATE] [-b BURST] [-k KEEP] [-f FILE] [-n COUNT] PORT
 *
 * Opens BURST connections to 127.0.0.1 at once and then RATE in each second (0: as many as
 * can be), until COUNT are open or a signal comes.  Each sends what FILE holds.  The oldest
 * is reset when there are more than KEEP.  Prints "ready" after the burst, and at its end
 * how many there were and in how many milliseconds, without the burst.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;
static char data[16384];
static size_t len;
static struct sockaddr_in sin = { .sin_family = AF_INET };
static int *fds, keep = 3000, at, epoll;
static unsigned long opened, refused;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void say(int fd)
{
	if (len && send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		refused++;
}

/* Those whose SYN was dropped, when TCP has got through after all. */
static void late(int ms)
{
	struct epoll_event e[64];
	int i, n = epoll_wait(epoll, e, 64, ms);

	for (i = 0; i < n; i++) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, e[i].data.fd, NULL);
		say(e[i].data.fd);
	}
}

static void one(void)
{
	static const struct linger abort = { 1, 0 };
	struct epoll_event e = { .events = EPOLLOUT };
	int fd;

	if (fds[at] >= 0)
		close(fds[at]);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	fds[at] = fd;
	at = (at + 1) % keep;
	opened++;
	if (!connect(fd, (const struct sockaddr *)&sin, sizeof(sin))) {
		say(fd);
	} else if (errno == EINPROGRESS) {
		e.data.fd = fd;
		if (len && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
			die("epoll_ctl");
	} else {
		refused++;
	}
}

int main(int argc, char **argv)
{
	unsigned long rate = 0, burst = 0, count = 0, done, want;
	unsigned long long start, next, time;
	struct rlimit limit;
	FILE *f;
	int opt;

	while ((opt = getopt(argc, argv, "r:b:k:f:n:")) != -1) {
		switch (opt) {
		case 'r':
			rate = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			burst = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			keep = atoi(optarg);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			f = fopen(optarg, "r");
			if (!f)
				die(optarg);
			len = fread(data, 1, sizeof(data), f);
			fclose(f);
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1 || keep < 1)
		return 2;
	sin.sin_port = htons(atoi(argv[optind]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, end);
	limit.rlim_cur = keep + 64;
	limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE");
	fds = malloc(keep * sizeof(*fds));
	if (!fds)
		die("malloc");
	for (at = 0; at < keep; at++)
		fds[at] = -1;
	at = 0;
	epoll = epoll_create1(0);
	if (epoll < 0)
		die("epoll_create1");

	while (opened < burst && !ended)
		one();
	printf("ready\n");
	fflush(stdout);
	done = opened;
	start = now();
	while (!ended && (!count || opened - done < count)) {
		want = rate ? (now() - start) * rate / 1000000000 : opened - done + 16;
		while (!ended && opened - done < want && (!count || opened - done < count))
			one();
		next = rate ? start + (want + 1) * 1000000000ULL / rate : 0;
		time = now();
		late(next > time ? (next - time) / 1000000 : 0);
	}
	printf("%lu connections in %llu ms, %lu refused\n", opened - done,
	       (now() - start) / 1000000, refused);
	return 0;
}
