/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that measures operations of a C library when the benchmark tells it
 * to, so that they take turns with those of the other libraries.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x) do {							\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);	\
		exit(1);						\
	}								\
} while (0)

struct operation {
	const char *name;
	/* Optional. Returns 0 if the library does not have the operation. */
	int (*prepare)(void);
	void (*run)(void);
};

/*
 * Prints the name of the library.  Then reads lines of an operation's name and
 * a number of repetitions, and answers each with the nanoseconds of CPU time
 * that these took; for 0 repetitions with the number of instructions of one;
 * with - if there is no such operation.
 */
int worker(const char *library, const struct operation *operations);

#endif /* WORKER_H */
