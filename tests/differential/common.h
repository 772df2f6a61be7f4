/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations on a TCP connection and on an AF_TLS connection, compared.
 *
 * A row is a function that does something with the server's end of a connection
 * and tells what has come of it with say().  It runs twice, once for each kind of
 * connection; what it tells, and what the client gets in the end, must be the same,
 * or be listed in the table of the documentation with just this difference.
 */
#ifndef TLS_HS_DIFFERENTIAL_H
#define TLS_HS_DIFFERENTIAL_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <openssl/ssl.h>
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define TYPE_ALERT	21
#define TYPE_HANDSHAKE	22
#define TYPE_DATA	23

/* A limit for what has to happen, on a slow machine, too. */
#define SOON_MS		5000

/**
 * struct keys - one direction of the client's record layer, AES-128-GCM
 * @ctx: OpenSSL's
 * @secret: traffic secret, of which the next one is derived
 * @iv: of the key
 * @seq: of the next record
 */
struct keys {
	EVP_CIPHER_CTX *ctx;
	unsigned char secret[32];
	unsigned char iv[12];
	uint64_t seq;
};

/**
 * struct conn - a connection
 * @tls: it is an AF_TLS connection
 * @fd: the server's end; -1 when the row has closed it
 * @peer: the client's end
 * @listener: where it comes from
 * @rx: keys of what the client receives
 * @tx: keys of what the client sends
 * @alert: close_notify (0) or another alert that the client has received; -1 if none
 * @plain: what the client has received and not been asked for
 * @plain_len: its length
 * @out: what the row tells
 */
struct conn {
	bool tls;
	int fd;
	int peer;
	int listener;
	struct keys rx, tx;
	int alert;
	unsigned char *plain;
	size_t plain_len;
	FILE *out;
};

typedef void (*row_func)(struct conn *c, long a, long b);

/* Options for the next connection; 0 leaves the default. */
extern int peer_rcvbuf;
extern int listener_option[3];	/* level, option, value */
extern bool keep_tickets;
extern bool rekey;

void add_row(row_func func, long a, long b, const char *name, ...)
	__attribute__((format(printf, 4, 5)));
void add_reading(void);
void add_writing(void);
void add_ready(void);
void add_options(void);
void add_ends(void);
void add_uring(void);

/* connection.c */
void connection_init(void);
void conn_open(struct conn *c, bool tls);
void conn_close(struct conn *c);
int peer_connect(struct conn *c);
void peer_send(struct conn *c, const void *data, size_t len);
void peer_record(struct conn *c, int type, const void *data, size_t len);
void peer_garbage(struct conn *c);
void peer_key_update(struct conn *c);
void peer_end(struct conn *c);
ssize_t peer_recv(struct conn *c, void *buf, size_t len, int ms);
void peer_expect(struct conn *c, size_t len);
void peer_drain(struct conn *c);

/* Telling. */
void say(struct conn *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *result(long ret);
void say_data(struct conn *c, const char *what, const void *data, long len);
double seconds(void);
const char *about(double since);
bool wait_for(int fd, int events, int ms);
void fill(void *buf, size_t len);
size_t fill_send_buffer(struct conn *c, size_t size);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
