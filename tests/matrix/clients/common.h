/* SPDX-License-Identifier: GPL-2.0 */
/* What the clients in C have in common: NAME PORT REQUEST [OPTION=VALUE]... */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char first[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

static void die(const char *what, int code)
{
	fprintf(stderr, "%s: %d\n", what, code);
	exit(1);
}

/* The value of an option, or NULL. */
static const char *option(char **argv, const char *name)
{
	size_t len = strlen(name);

	for (argv += 4; *argv; argv++)
		if (!strncmp(*argv, name, len) && (*argv)[len] == '=')
			return *argv + len + 1;
	return NULL;
}

static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *data;

	if (!f)
		die(path, 0);
	fseek(f, 0, SEEK_END);
	*len = ftell(f);
	rewind(f);
	data = malloc(*len + 1);
	if (!data || fread(data, 1, *len, f) != *len)
		die(path, 1);
	data[*len] = 0;
	fclose(f);
	return data;
}

static int connect_to(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect", fd);
	return fd;
}
