// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "worker.h"

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

#ifdef __x86_64__
static volatile uint64_t steps;

static void stepped(int signal)
{
	steps++;
}

/* As in measure.rs. */
static uint64_t count(void (*run)(void))
{
	signal(SIGTRAP, stepped);
	steps = 0;
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
	run();
	asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
	return steps;
}
#else
static uint64_t count(void (*run)(void))
{
	return 0;
}
#endif

int worker(const char *library, const struct operation *operations)
{
	const struct operation *op;
	int prepared[64] = {};
	char name[32];
	uint64_t start;
	long n;

	printf("%s\n", library);
	fflush(stdout);
	while (scanf("%31s %ld", name, &n) == 2) {
		for (op = operations; op->name && strcmp(op->name, name); op++)
			;
		if (op->name && !prepared[op - operations])
			prepared[op - operations] = !op->prepare || op->prepare() ? 1 : -1;
		if (!op->name || prepared[op - operations] < 0) {
			printf("-\n");
		} else if (n == 0) {
			printf("%llu\n", (unsigned long long)count(op->run));
		} else {
			start = now();
			while (n--)
				op->run();
			printf("%llu\n", (unsigned long long)(now() - start));
		}
		fflush(stdout);
	}
	return 0;
}
