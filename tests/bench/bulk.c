// SPDX-License-Identifier: GPL-2.0
/*
 * What bulk data costs the machine, on connections whose keys the kernel has, beside
 * those whose keys a process has set (kTLS as ever), and beside TCP.
 *
 *	bulk [-n MEBIBYTES] -r KEYRING
 *
 * Both ends are here.  The client's end is a plain TCP socket which sends records
 * that have been encrypted before, and throws away what it gets without a look; so
 * it costs the same for both.  The output is nanoseconds for each byte, the least of
 * some rounds.  In a machine that counts its instructions (qemu -icount) a
 * nanosecond is an instruction.
 *
 * Exits with 1 if one operation costs more than 1 % more, or less, on a connection
 * whose keys the kernel has.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define RECORD		16384
#define OVERHEAD	(5 + 1 + 16)		/* header, content type, tag */
#define RECORDS		4			/* at a time, which buffers have room for */
#define BATCH		(RECORDS * RECORD)
#define SOCKET_BUFFER	(4 << 20)
#define ROUNDS		3
#define LIMIT		0.01

enum who { PLAIN, PROCESS, KERNEL, WHO };

/* A connection: the server's end, which is measured, and the client's. */
struct connection {
	enum who who;
	int sk, peer;
	SSL *ssl;				/* the client's, of KERNEL */
	unsigned char key[16], iv[12];		/* the client's, of PROCESS */
	uint64_t seq;
};

static int keyring, file, pipes[2], null;
static unsigned char plain[BATCH], out[BATCH], wire[RECORDS * (RECORD + OVERHEAD)];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(2);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

static void set_key(int fd, int direction, const struct connection *c)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	memcpy(info.key, c->key, sizeof(info.key));
	memcpy(info.salt, c->iv, sizeof(info.salt));
	memcpy(info.iv, c->iv + sizeof(info.salt), sizeof(info.iv));
	if (setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)))
		die("setting a key");
}

static void handshake(struct connection *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"))
		die("SSL_CTX_new");
	c->ssl = SSL_new(ctx);
	if (!c->ssl || !SSL_set_fd(c->ssl, c->peer) || SSL_connect(c->ssl) != 1)
		die("SSL_connect");
	/* From now on it encrypts into memory. */
	SSL_set0_wbio(c->ssl, BIO_new(BIO_s_mem()));
	SSL_CTX_free(ctx);
}

static void open_connection(struct connection *c, enum who who)
{
	struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.keyring = keyring,
		.flags = TLS_HS_F_NO_FALLBACK | TLS_HS_F_NO_TICKETS,
	};
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int listener = new_socket();

	memset(c, 0, sizeof(*c));
	c->who = who;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    getsockname(listener, (struct sockaddr *)&sin, &len))
		die("bind");
	if (who == KERNEL &&
	    (setsockopt(listener, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
	     setsockopt(listener, SOL_TLS, TLS_HS, &settings, sizeof(settings))))
		die("TLS_HS");
	if (listen(listener, 1))
		die("listen");
	c->peer = new_socket();
	if (connect(c->peer, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	if (who == KERNEL)
		handshake(c);
	len = sizeof(sin);
	c->sk = accept(listener, (struct sockaddr *)&sin, &len);
	if (c->sk < 0 || (who == KERNEL && sin.sin_family != AF_TLS))
		die("accept");
	if (who == PROCESS) {
		for (size_t i = 0; i < sizeof(c->key); i++)
			c->key[i] = random();
		if (setsockopt(c->sk, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
			die("TCP_ULP");
		set_key(c->sk, TLS_TX, c);
		set_key(c->sk, TLS_RX, c);
	}
	close(listener);
}

static void close_connection(struct connection *c)
{
	SSL_free(c->ssl);
	close(c->sk);
	close(c->peer);
}

/* One record as the client of a process's connection sends it. */
static size_t encrypt(struct connection *c, const unsigned char *data, unsigned char *to)
{
	const unsigned char header[5] = { 23, 3, 3, (RECORD + 17) >> 8, (RECORD + 17) & 255 };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const unsigned char type = 23;
	unsigned char nonce[12];
	int n, ok;

	memcpy(nonce, c->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= c->seq >> (56 - 8 * i);
	c->seq++;
	memcpy(to, header, sizeof(header));
	ok = EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, c->key, nonce) == 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &n, header, sizeof(header)) == 1 &&
	     EVP_EncryptUpdate(ctx, to + 5, &n, data, RECORD) == 1 &&
	     EVP_EncryptUpdate(ctx, to + 5 + RECORD, &n, &type, 1) == 1 &&
	     EVP_EncryptFinal_ex(ctx, to + 6 + RECORD, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, to + 6 + RECORD) == 1;
	if (!ok)
		die("encrypting");
	EVP_CIPHER_CTX_free(ctx);
	return RECORD + OVERHEAD;
}

/* What the client sends next, in wire. */
static size_t prepare(struct connection *c)
{
	size_t len = 0;

	switch (c->who) {
	case PLAIN:
		memcpy(wire, plain, sizeof(plain));
		return sizeof(plain);
	case PROCESS:
		for (int i = 0; i < RECORDS; i++)
			len += encrypt(c, plain + i * RECORD, wire + len);
		return len;
	default:
		for (int i = 0; i < RECORDS; i++)
			if (SSL_write(c->ssl, plain + i * RECORD, RECORD) != RECORD)
				die("SSL_write");
		return BIO_read(SSL_get_wbio(c->ssl), wire, sizeof(wire));
	}
}

/* The client throws away what it has got. */
static void discard(struct connection *c)
{
	size_t left = c->who == PLAIN ? BATCH : sizeof(wire);
	ssize_t n;

	while (left) {
		n = recv(c->peer, NULL, left, MSG_TRUNC);
		if (n <= 0)
			die("the client's recv");
		left -= n;
	}
}

static void from_client(struct connection *c, size_t len)
{
	for (size_t n, at = 0; at < len; at += n) {
		n = len - at < RECORD + OVERHEAD ? len - at : RECORD + OVERHEAD;
		if (send(c->peer, wire + at, n, 0) != (ssize_t)n)
			die("the client's send");
	}
}

static void do_send(struct connection *c)
{
	for (int i = 0; i < RECORDS; i++)
		if (send(c->sk, plain + i * RECORD, RECORD, 0) != RECORD)
			die("send");
	discard(c);
}

static void do_sendfile(struct connection *c)
{
	off_t at = 0;

	while (at < BATCH)
		if (sendfile(c->sk, file, &at, BATCH - at) <= 0)
			die("sendfile");
	discard(c);
}

static void do_splice_to(struct connection *c)
{
	loff_t at = 0;
	ssize_t n, m;

	while (at < BATCH) {
		n = splice(file, &at, pipes[1], NULL, RECORD, 0);
		if (n <= 0)
			die("splice to a pipe");
		for (; n; n -= m) {
			m = splice(pipes[0], NULL, c->sk, NULL, n, 0);
			if (m <= 0)
				die("splice to the socket");
		}
	}
	discard(c);
}

static void do_recv(struct connection *c)
{
	ssize_t n;

	for (size_t at = 0; at < BATCH; at += n) {
		n = recv(c->sk, out + at, RECORD, 0);
		if (n <= 0)
			die("recv");
	}
}

static void do_splice_from(struct connection *c)
{
	ssize_t n, m;

	for (size_t at = 0; at < BATCH; at += n) {
		n = splice(c->sk, NULL, pipes[1], NULL, RECORD, 0);
		if (n <= 0)
			die("splice from the socket");
		for (m = 0; m < n;) {
			ssize_t got = splice(pipes[0], NULL, null, NULL, n - m, 0);

			if (got <= 0)
				die("splice to /dev/null");
			m += got;
		}
	}
}

static const struct operation {
	const char *name;
	void (*run)(struct connection *c);
	bool receives;
} operations[] = {
	{ "send, 16 KiB", do_send, false },
	{ "sendfile", do_sendfile, false },
	{ "splice to the socket", do_splice_to, false },
	{ "recv, 16 KiB", do_recv, true },
	{ "splice from the socket", do_splice_from, true },
};

/* Nanoseconds for a byte. */
static double measure(const struct operation *op, enum who who, int batches)
{
	uint64_t spent = 0, start;
	struct connection c;
	size_t len = 0;

	open_connection(&c, who);
	for (int i = -8; i < batches; i++) {
		if (op->receives)
			len = prepare(&c);
		start = now();
		if (op->receives)
			from_client(&c, len);
		op->run(&c);
		if (i >= 0)
			spent += now() - start;
		if (op->run == do_recv && memcmp(plain, out, BATCH)) {
			errno = EBADMSG;
			die("what was received");
		}
	}
	close_connection(&c);
	return (double)spent / batches / BATCH;
}

int main(int argc, char **argv)
{
	int opt, mebibytes = 8, differ = 0;

	while ((opt = getopt(argc, argv, "n:r:")) != -1) {
		if (opt == 'n')
			mebibytes = atoi(optarg);
		else if (opt == 'r')
			keyring = atoi(optarg);
		else
			return 2;
	}
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = random();
	file = memfd_create("bulk", 0);
	null = open("/dev/null", O_WRONLY);
	if (file < 0 || null < 0 || pipe(pipes) ||
	    write(file, plain, sizeof(plain)) != sizeof(plain))
		die("files");

	printf("%-24s %10s %16s %14s %8s\n", "", "TCP", "process's keys", "kernel's keys", "ratio");
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct operation *op = &operations[i];
		double best[WHO] = { 0 }, ratio;

		for (int round = 0; round < ROUNDS; round++) {
			for (enum who who = PLAIN; who < WHO; who++) {
				double t = measure(op, who, mebibytes * (1 << 20) / BATCH);

				if (!round || t < best[who])
					best[who] = t;
			}
		}
		ratio = best[KERNEL] / best[PROCESS];
		printf("%-24s %10.3f %16.3f %14.3f %8.4f\n", op->name, best[PLAIN],
		       best[PROCESS], best[KERNEL], ratio);
		fflush(stdout);
		differ |= ratio > 1 + LIMIT || ratio < 1 - LIMIT;
	}
	return differ;
}
