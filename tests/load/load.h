/* SPDX-License-Identifier: GPL-2.0 */
/* Responses of any length, through servers of several kinds, to clients of several kinds. */
#ifndef TLS_HS_LOAD_H
#define TLS_HS_LOAD_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_MAX	4096
#define PORT		4435

/* A byte of the body of /bytes/N, as demo/tls_server.c makes it. */
static inline unsigned char body_byte(size_t i)
{
	return i * 167 >> 3;
}

/* A request: how long the body is to be, and whether the connection ends behind it. */
struct request {
	size_t len;
	bool last;
};

/* load.c */
extern const unsigned char *body;
void die(const char *what) __attribute__((noreturn));
uint32_t pick(uint32_t *seed, uint32_t below);
size_t parse_request(const char *buf, size_t len, struct request *request);
int write_head(char *buf, const struct request *request);

/* servers.c; they do not return */
void serve_blocking(int listener);
void serve_nonblocking(int listener);
void serve_uring(int listener);

#endif
