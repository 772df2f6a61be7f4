// SPDX-License-Identifier: GPL-2.0
/*
 * What serves clients that the kernel leaves to user space: OpenSSL.
 *
 * Descriptor 3 is the TCP connection with its ClientHello unread, 4 the plain
 * text side.  The first line on that says what was negotiated.
 *
 *	tls12_proxy CERTIFICATE KEY [CERTIFICATE KEY]
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define NET	3
#define PLAIN	4
/* How long a client may take to end when all has been said, in ms. */
#define LINGER	2000

static int write_all(int fd, const char *data, int len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n <= 0)
			return -1;
		data += n;
		len -= n;
	}
	return 0;
}

/* From the network to the plain text side.  -1 at the end. */
static int inwards(SSL *ssl)
{
	char data[16384];
	int n;

	do {
		n = SSL_read(ssl, data, sizeof(data));
		if (n <= 0 || write_all(PLAIN, data, n))
			return -1;
	} while (SSL_pending(ssl));
	return 0;
}

static int outwards(SSL *ssl)
{
	char data[16384];
	ssize_t n = read(PLAIN, data, sizeof(data));

	return n > 0 && SSL_write(ssl, data, n) > 0 ? 0 : -1;
}

/*
 * Ends the connection: close() with something unread, a close_notify for one,
 * would be a reset, which takes from the client what it has not read yet.
 */
static void end(SSL *ssl)
{
	struct pollfd p = { .fd = NET, .events = POLLIN };
	char data[16384];

	SSL_shutdown(ssl);
	shutdown(NET, SHUT_WR);
	while (poll(&p, 1, LINGER) > 0 && read(NET, data, sizeof(data)) > 0)
		;
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = {
		{ .fd = NET, .events = POLLIN }, { .fd = PLAIN, .events = POLLIN },
	};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char line[128];
	SSL *ssl;
	int i, n;

	signal(SIGPIPE, SIG_IGN);
	/* accept4() made it non-blocking. */
	fcntl(NET, F_SETFL, 0);
	for (i = 1; i + 1 < argc; i += 2) {
		if (SSL_CTX_use_certificate_chain_file(ctx, argv[i]) <= 0 ||
		    SSL_CTX_use_PrivateKey_file(ctx, argv[i + 1], SSL_FILETYPE_PEM) <= 0)
			goto err;
	}
	ssl = SSL_new(ctx);
	if (!ssl || SSL_set_fd(ssl, NET) <= 0 || SSL_accept(ssl) <= 0)
		goto err;
	n = snprintf(line, sizeof(line), "by=OpenSSL version=%s suite=%s\n", SSL_get_version(ssl),
		     SSL_get_cipher_name(ssl));
	if (write_all(PLAIN, line, n))
		return 1;

	while (poll(p, 2, -1) > 0) {
		if (p[0].revents && inwards(ssl)) {
			/* What was asked before may still be answered. */
			shutdown(PLAIN, SHUT_WR);
			p[0].fd = -1;
		}
		if (p[1].revents && outwards(ssl))
			break;
	}
	end(ssl);
	return 0;
err:
	n = snprintf(line, sizeof(line), "by=OpenSSL failed=%s\n",
		     ERR_reason_error_string(ERR_peek_error()));
	write_all(PLAIN, line, n);
	return 1;
}
