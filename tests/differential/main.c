// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the rows and compares.
 *
 *	operations [OPTION]... DOCUMENT [NAME...]
 *
 * DOCUMENT is tls-handshake-server.rst, whose section "Differences from TCP" has two
 * tables between comments: of the operations that are the same, and of those that
 * are not, with what plain TCP and AF_TLS connections tell.  Names there and in the
 * arguments are patterns.
 *
 *	--jobs=N	so many rows at a time (default 4)
 *	--rounds=N	all of it so many times
 *	--rekey		the server updates its key after each record
 *	--list		print what the second table should be, and what the first
 *	--verbose	and what each row tells
 */

#include "common.h"

#include <fnmatch.h>
#include <signal.h>
#include <sys/mman.h>
#include <stdarg.h>
#include <sys/wait.h>

struct row {
	char *name;
	row_func func;
	long a, b;
	bool listed_same;
	char *listed;		/* "TCP\nAF_TLS" of the documentation */
	int out;		/* of the process that compares */
	pid_t pid;
};

static struct row *rows;
static int nr_rows;
static bool verbose, list;

void add_row(row_func func, long a, long b, const char *name, ...)
{
	va_list ap;

	rows = realloc(rows, (nr_rows + 1) * sizeof(*rows));
	rows[nr_rows] = (struct row) { .func = func, .a = a, .b = b };
	va_start(ap, name);
	if (vasprintf(&rows[nr_rows].name, name, ap) < 0)
		exit(1);
	va_end(ap);
	nr_rows++;
}

static struct row *find(const char *name)
{
	int i;

	for (i = 0; i < nr_rows; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* What a row tells of one kind of connection.  In a process of its own, so that
 * nothing is left of it.
 */
static char *run(struct row *row, bool tls)
{
	size_t room = 65536, len = 0;
	char *text = malloc(room);
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC))
		exit(1);
	pid = fork();
	if (!pid) {
		struct conn c = { .fd = -1, .peer = -1 };

		alarm(12);
		c.out = fdopen(fds[1], "w");
		setvbuf(c.out, NULL, _IOLBF, 0);
		conn_open(&c, tls);
		row->func(&c, row->a, row->b);
		if (c.fd >= 0) {
			close(c.fd);
			c.fd = -1;
		}
		if (c.peer >= 0)
			peer_drain(&c);
		fflush(c.out);
		conn_close(&c);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + len, room - len - 64)) > 0)
		len += n;
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (status)
		len += sprintf(text + len, "status %#x\n", status);
	text[len] = 0;
	return text;
}

/* Adds a line that differs to a cell of the table. */
static void add_line(char *cell, size_t size, const char *line, size_t len)
{
	size_t at = strlen(cell);

	snprintf(cell + at, size - at, "%s%.*s", at ? "; " : "",
		 (int)len, line);
}

/* The lines in which two texts differ. */
static void differences(const char *one, const char *two, char *a, char *b,
			size_t size)
{
	size_t n, m;

	*a = *b = 0;
	while (*one || *two) {
		n = strcspn(one, "\n");
		m = strcspn(two, "\n");
		if (n != m || memcmp(one, two, n)) {
			if (*one)
				add_line(a, size, one, n);
			if (*two)
				add_line(b, size, two, m);
		}
		one += n + !!one[n];
		two += m + !!two[m];
	}
	if (!*a)
		strcpy(a, "nothing");
	if (!*b)
		strcpy(b, "nothing");
}

static char *strip(char *s)
{
	size_t n;

	while (*s == ' ')
		s++;
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\n'))
		s[--n] = 0;
	return s;
}

/* The cells of a list-table between two comments, one call for each row of it. */
static int parse_table(FILE *file, void (*cells)(char **cell, int n))
{
	char line[512], text[8][4096], *cell[8];
	int n = 0, nr = 0, i;
	char *s;

	while (fgets(line, sizeof(line), file)) {
		s = strip(line);
		if (!strncmp(s, ".. end", 6))
			break;
		if (!strncmp(s, "* - ", 4)) {
			if (n && nr++)	/* the first one is the header */
				cells(cell, n);
			n = 0;
			s += 2;
		} else if (!n) {
			continue;
		}
		if (!strncmp(s, "- ", 2)) {
			if (n == 8)
				return -1;
			text[n][0] = 0;
			cell[n] = text[n];
			n++;
			s = strip(s + 2);
		}
		if (*s) {
			i = strlen(text[n - 1]);
			snprintf(text[n - 1] + i, sizeof(text[0]) - i, "%s%s",
				 i ? " " : "", s);
		}
	}
	if (n && nr++)
		cells(cell, n);
	return 0;
}

static int bad_docs;

/* A group and patterns of the names of its operations, in double backquotes. */
static void same_cells(char **cell, int n)
{
	char *s, *end;
	bool found;
	int i;

	if (n != 2)
		return;
	for (s = cell[1]; (s = strstr(s, "``")); s = end + 2) {
		s += 2;
		end = strstr(s, "``");
		if (!end)
			return;
		*end = 0;
		found = false;
		for (i = 0; i < nr_rows; i++) {
			if (fnmatch(s, rows[i].name, 0))
				continue;
			rows[i].listed_same = true;
			found = true;
		}
		if (!found) {
			printf("# the documentation has an operation without test: %s\n", s);
			bad_docs = 1;
		}
	}
}

/* The name, what TCP tells, what AF_TLS tells, the reason. */
static void different_cells(char **cell, int n)
{
	struct row *row;
	char *s = cell[0];

	if (n != 4 || !*cell[3]) {
		printf("# the documentation has a row without reason: %s\n", s);
		bad_docs = 1;
		return;
	}
	while (*s == '`')
		s++;
	s[strcspn(s, "`")] = 0;
	row = find(s);
	if (!row) {
		printf("# the documentation has a difference without test: %s\n", s);
		bad_docs = 1;
	} else if (asprintf(&row->listed, "%s\n%s", cell[1], cell[2]) < 0) {
		exit(1);
	}
}

static void read_docs(const char *name)
{
	FILE *file = fopen(name, "r");
	char line[512];

	if (!file) {
		perror(name);
		exit(1);
	}
	while (fgets(line, sizeof(line), file)) {
		if (!strcmp(strip(line), ".. operations that are the same"))
			parse_table(file, same_cells);
		else if (!strcmp(strip(line), ".. operations that differ"))
			parse_table(file, different_cells);
	}
	fclose(file);
}

static bool wanted(const struct row *row, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!fnmatch(*names, row->name, 0))
			return true;
	return false;
}

/* Runs a row; false if it is not as documented. */
static bool check_once(struct row *row)
{
	double start = seconds();
	char *tcp = run(row, false), *tls = run(row, true);
	char a[4096], b[4096], *both = NULL;
	bool ok;

	if (verbose)
		printf("# tcp:\n%s# tls:\n%s", tcp, tls);
	differences(tcp, tls, a, b, sizeof(a));
	if (!strcmp(tcp, tls)) {
		if (list)
			printf("same %s\n", row->name);
		ok = row->listed_same && !row->listed;
		if (!ok && !list)
			printf("# it is the same as on TCP, but not listed so\n");
	} else {
		if (list)
			printf("differs %s\n   * - ``%s``\n     - %s\n     - %s\n     - \n",
			       row->name, row->name, a, b);
		if (asprintf(&both, "%s\n%s", a, b) < 0)
			exit(1);
		ok = row->listed && !strcmp(row->listed, both);
		if (!ok && !list)
			printf("# TCP: %s\n# AF_TLS: %s\n# %s%s\n", a, b,
			       row->listed ? "listed: " : "not listed as different",
			       row->listed ?: "");
		free(both);
	}
	free(tcp);
	free(tls);
	if (verbose)
		printf("# %.2f s\n", seconds() - start);
	return ok;
}

/* Rows look at the time, too, which a busy machine has little of: what is different
 * must be so three times.
 */
static bool check(struct row *row)
{
	return check_once(row) ||
	       (!list && (check_once(row) || check_once(row)));
}

/* Compares in a process of its own. */
static void start(struct row *row)
{
	row->out = memfd_create("row", MFD_CLOEXEC);
	fflush(stdout);
	row->pid = fork();
	if (row->pid)
		return;
	dup2(row->out, 1);
	exit(!check(row));
}

/* Prints what has come of it. */
static bool finish(struct row *row)
{
	char buf[65536];
	int status;
	ssize_t n;

	waitpid(row->pid, &status, 0);
	lseek(row->out, 0, SEEK_SET);
	while ((n = read(row->out, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stdout);
	close(row->out);
	return !status;
}

int main(int argc, char **argv)
{
	int i, started = 0, failed = 0, nr = 0, jobs = 4, rounds = 1, round;
	struct row **all;
	const char *docs;
	bool ok;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--list"))
			list = true;
		else if (!strcmp(argv[i], "--verbose"))
			verbose = true;
		else if (!strcmp(argv[i], "--rekey"))
			rekey = true;
		else if (!strncmp(argv[i], "--jobs=", 7))
			jobs = atoi(argv[i] + 7);
		else if (!strncmp(argv[i], "--rounds=", 9))
			rounds = atoi(argv[i] + 9);
		else
			return 2;
	}
	docs = argv[i++];
	if (!docs || jobs < 1)
		return 2;
	connection_init();
	add_reading();
	add_writing();
	add_ready();
	add_options();
	add_ends();
	add_uring();
	read_docs(docs);

	argv += i;
	all = calloc(nr_rows * rounds, sizeof(*all));
	for (round = 0; round < rounds; round++)
		for (i = 0; i < nr_rows; i++)
			if (wanted(&rows[i], argv))
				all[nr++] = &rows[i];
	if (!list)
		printf("TAP version 13\n1..%d\n", nr + 1);
	for (i = 0; i < nr; i++) {
		/* A row of the next round waits until it is here. */
		while (started < nr && started < i + jobs && !all[started]->pid)
			start(all[started++]);
		ok = finish(all[i]);
		all[i]->pid = 0;
		failed += !ok;
		if (!list)
			printf("%sok %d %s\n", ok ? "" : "not ", i + 1, all[i]->name);
	}
	if (!list)
		printf("%sok %d every operation of the documentation has a test\n",
		       bad_docs ? "not " : "", nr + 1);
	return failed || bad_docs;
}
