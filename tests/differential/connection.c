// SPDX-License-Identifier: GPL-2.0
/*
 * Connections of both kinds, and the client's end of them.  OpenSSL does the
 * client's handshake and tells the traffic secrets; records are made here, so that
 * rows can make them as they like.
 */

#include "common.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <linux/keyctl.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "../../selftests/tls_handshake_keys.h"

int peer_rcvbuf;
int listener_option[3];
bool keep_tickets;
bool rekey;

static SSL_CTX *client;
static int keyring;

/* Set by the callback, during a handshake. */
static unsigned char secrets[2][32];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void keylog(const SSL *ssl, const char *line)
{
	const char *hex = strrchr(line, ' ') + 1;
	int which, i;

	(void)ssl;
	if (!strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24))
		which = 0;
	else if (!strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24))
		which = 1;
	else
		return;
	for (i = 0; i < 32; i++)
		sscanf(hex + 2 * i, "%2hhx", &secrets[which][i]);
}

void connection_init(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	client = SSL_CTX_new(TLS_client_method());
	if (!client || !SSL_CTX_set_min_proto_version(client, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256"))
		die("SSL_CTX_new");
	SSL_CTX_set_keylog_callback(client, keylog);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_OFF);

	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	keyring = syscall(SYS_add_key, "keyring", "differential", NULL, 0,
			  KEY_SPEC_SESSION_KEYRING);
	if (keyring < 0 ||
	    syscall(SYS_add_key, "tls_identity", "test", test_identity,
		    sizeof(test_identity), keyring) < 0)
		die("tls_identity");
}

/* HKDF-Expand-Label of RFC 9846, section 7.1, with SHA-256 and up to 32 bytes. */
static void expand_label(const unsigned char *secret, const char *label,
			 unsigned char *out, size_t len)
{
	unsigned char info[64], hash[32];
	size_t label_len = strlen(label), n = 0;

	info[n++] = len >> 8;
	info[n++] = len;
	info[n++] = 6 + label_len;
	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, label, label_len);
	n += label_len;
	info[n++] = 0;
	info[n++] = 1;
	HMAC(EVP_sha256(), secret, 32, info, n, hash, NULL);
	memcpy(out, hash, len);
}

static void keys_use(struct keys *k)
{
	unsigned char key[16];

	expand_label(k->secret, "key", key, sizeof(key));
	expand_label(k->secret, "iv", k->iv, sizeof(k->iv));
	if (!k->ctx)
		k->ctx = EVP_CIPHER_CTX_new();
	if (!EVP_CipherInit_ex(k->ctx, EVP_aes_128_gcm(), NULL, key, NULL, -1))
		die("EVP_CipherInit_ex");
	k->seq = 0;
}

static void keys_update(struct keys *k)
{
	unsigned char next[32];

	expand_label(k->secret, "traffic upd", next, sizeof(next));
	memcpy(k->secret, next, sizeof(next));
	keys_use(k);
}

static void keys_nonce(struct keys *k, unsigned char *nonce)
{
	int i;

	memcpy(nonce, k->iv, 12);
	for (i = 0; i < 8; i++)
		nonce[11 - i] ^= k->seq >> (8 * i);
	k->seq++;
}

static int listen_on(bool tls)
{
	struct tls_hs_settings settings = {
		.versions = TLS_HS_VERSION_1_3,
		.flags = TLS_HS_F_NO_FALLBACK,
		.keyring = keyring,
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind");
	if (listener_option[0] &&
	    setsockopt(fd, listener_option[0], listener_option[1],
		       &listener_option[2], sizeof(int)))
		die("listener's option");
	if (tls && (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
		    setsockopt(fd, SOL_TLS, TLS_HS, &settings, sizeof(settings))))
		die("TLS_HS");
	if (listen(fd, 8))
		die("listen");
	return fd;
}

/* A client connects and, on a TLS connection, does its handshake. */
int peer_connect(struct conn *c)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	SSL *ssl;

	if (peer_rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &peer_rcvbuf, sizeof(int));
	if (getsockname(c->listener, (struct sockaddr *)&sin, &len) ||
	    connect(fd, (struct sockaddr *)&sin, len))
		die("connect");
	/* Else records wait for each other's acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!c->tls)
		return fd;

	ssl = SSL_new(client);
	if (!ssl || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
		die("SSL_connect");
	SSL_free(ssl);
	memcpy(c->rx.secret, secrets[0], 32);
	memcpy(c->tx.secret, secrets[1], 32);
	keys_use(&c->rx);
	keys_use(&c->tx);
	return fd;
}

static bool peer_read_full(struct conn *c, unsigned char *buf, size_t len, int ms,
			   int *err)
{
	size_t got = 0;
	ssize_t n;

	*err = 0;
	while (got < len) {
		if (!wait_for(c->peer, POLLIN, ms)) {
			*err = ETIMEDOUT;
			return false;
		}
		n = recv(c->peer, buf + got, len - got, 0);
		if (n <= 0) {
			*err = n ? errno : (got ? EPIPE : 0);
			return false;
		}
		got += n;
	}
	return true;
}

/* The next record.  Its type, 0 for FIN, or a negative error. */
static int peer_read_record(struct conn *c, unsigned char *buf, int *len, int ms)
{
	unsigned char header[5], nonce[12], tail[16];
	int size, n, err;

	if (!peer_read_full(c, header, 5, ms, &err))
		return -err;
	size = header[3] << 8 | header[4];
	if (header[0] != TYPE_DATA || size < 17 || size > 16384 + 256)
		return -EBADMSG;
	if (!peer_read_full(c, buf, size, SOON_MS, &err))
		return -(err ?: EPIPE);
	keys_nonce(&c->rx, nonce);
	size -= 16;
	if (!EVP_DecryptInit_ex(c->rx.ctx, NULL, NULL, NULL, nonce) ||
	    !EVP_DecryptUpdate(c->rx.ctx, NULL, &n, header, 5) ||
	    !EVP_DecryptUpdate(c->rx.ctx, buf, &n, buf, size) ||
	    !EVP_CIPHER_CTX_ctrl(c->rx.ctx, EVP_CTRL_GCM_SET_TAG, 16, buf + size) ||
	    EVP_DecryptFinal_ex(c->rx.ctx, tail, &n) != 1)
		return -EBADMSG;
	while (size && !buf[size - 1])
		size--;
	if (!size)
		return -EBADMSG;
	*len = size - 1;
	return buf[size - 1];
}

/* Session tickets are no part of what is compared, and unread ones would turn the
 * client's close() into a reset.
 */
static void peer_read_tickets(struct conn *c)
{
	unsigned char buf[16384 + 256];
	int n, type, at, tickets = 0;

	while (tickets < 2) {
		type = peer_read_record(c, buf, &n, SOON_MS);
		if (type != TYPE_HANDSHAKE)
			die("tickets");
		for (at = 0; at + 4 <= n && buf[at] == 4; tickets++)
			at += 4 + (buf[at + 1] << 16 | buf[at + 2] << 8 | buf[at + 3]);
	}
}

static void conn_accept(struct conn *c)
{
	const struct tls_hs_key_update update = { .max_records = 1 };
	struct sockaddr sa = {};
	socklen_t len = sizeof(sa);

	c->peer = peer_connect(c);
	if (!wait_for(c->listener, POLLIN, SOON_MS))
		die("nothing to accept");
	c->fd = accept4(c->listener, &sa, &len, 0);
	if (c->fd < 0 || sa.sa_family != (c->tls ? AF_TLS : AF_INET))
		die("accept");
	c->alert = -1;
	if (c->tls && !keep_tickets)
		peer_read_tickets(c);
	if (c->tls && rekey &&
	    setsockopt(c->fd, SOL_TLS, TLS_HS_KEY_UPDATE, &update, sizeof(update)))
		die("TLS_HS_KEY_UPDATE");
}

void conn_open(struct conn *c, bool tls)
{
	c->tls = tls;
	c->listener = listen_on(tls);
	conn_accept(c);
}

static void conn_free(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->peer >= 0)
		close(c->peer);
	EVP_CIPHER_CTX_free(c->rx.ctx);
	EVP_CIPHER_CTX_free(c->tx.ctx);
	free(c->plain);
}

void conn_close(struct conn *c)
{
	conn_free(c);
	close(c->listener);
}

/* One record of the client's, be it a valid one or not. */
void peer_record(struct conn *c, int type, const void *data, size_t len)
{
	unsigned char buf[5 + 16640 + 17], nonce[12];
	int n;

	buf[0] = TYPE_DATA;
	buf[1] = buf[2] = 3;
	buf[3] = (len + 17) >> 8;
	buf[4] = len + 17;
	memcpy(buf + 5, data, len);
	buf[5 + len] = type;
	keys_nonce(&c->tx, nonce);
	if (!EVP_EncryptInit_ex(c->tx.ctx, NULL, NULL, NULL, nonce) ||
	    !EVP_EncryptUpdate(c->tx.ctx, NULL, &n, buf, 5) ||
	    !EVP_EncryptUpdate(c->tx.ctx, buf + 5, &n, buf + 5, len + 1) ||
	    !EVP_EncryptFinal_ex(c->tx.ctx, buf + 6 + len, &n) ||
	    !EVP_CIPHER_CTX_ctrl(c->tx.ctx, EVP_CTRL_GCM_GET_TAG, 16, buf + 6 + len))
		die("encrypt");
	len += 22;
	while (send(c->peer, buf, len, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Data as the client's application sends it. */
void peer_send(struct conn *c, const void *data, size_t len)
{
	size_t n;

	if (!c->tls) {
		if (send(c->peer, data, len, MSG_NOSIGNAL) != (ssize_t)len)
			say(c, "the client cannot send");
		return;
	}
	for (; len; len -= n, data = (const char *)data + n) {
		n = len < 16384 ? len : 16384;
		peer_record(c, TYPE_DATA, data, n);
	}
}

/* A record that does not authenticate. */
void peer_garbage(struct conn *c)
{
	unsigned char record[5 + 40] = { TYPE_DATA, 3, 3, 0, 40 };

	if (send(c->peer, record, sizeof(record), MSG_NOSIGNAL) < 0)
		say(c, "the client cannot send");
}

void peer_key_update(struct conn *c)
{
	static const unsigned char message[] = { 24, 0, 0, 1, 0 };

	peer_record(c, TYPE_HANDSHAKE, message, sizeof(message));
	keys_update(&c->tx);
}

/* The client sends nothing more. */
void peer_end(struct conn *c)
{
	if (c->tls)
		peer_record(c, TYPE_ALERT, "\1\0", 2);
	shutdown(c->peer, SHUT_WR);
}

/* Get at most @len bytes.  0 is the end by FIN; a negative error. */
ssize_t peer_recv(struct conn *c, void *out, size_t len, int ms)
{
	unsigned char *buf;
	int type, n = 0;

	if (!c->tls) {
		if (!wait_for(c->peer, POLLIN, ms))
			return -ETIMEDOUT;
		n = recv(c->peer, out, len, 0);
		return n < 0 ? -errno : n;
	}
	while (!c->plain_len) {
		buf = malloc(16384 + 256);
		type = peer_read_record(c, buf, &n, ms);
		if (type == TYPE_DATA && c->alert < 0) {
			free(c->plain);
			c->plain = buf;
			c->plain_len = n;
			continue;
		}
		if (type == TYPE_ALERT && c->alert < 0 && n == 2)
			c->alert = buf[1];
		else if (type == TYPE_HANDSHAKE && buf[0] == 24)
			keys_update(&c->rx);
		else if (type > 0 && type != TYPE_HANDSHAKE)
			type = -EPROTO;
		free(buf);
		if (type <= 0)
			return type;
	}
	if (len > c->plain_len)
		len = c->plain_len;
	memcpy(out, c->plain, len);
	memmove(c->plain, c->plain + len, c->plain_len - len);
	c->plain_len -= len;
	return len;
}

/* FNV-1a, so that data can be told in a line. */
static unsigned int hash(unsigned int h, const unsigned char *data, size_t len)
{
	while (len--)
		h = (h ^ *data++) * 16777619;
	return h;
}

/* The client gets so many bytes. */
void peer_expect(struct conn *c, size_t len)
{
	unsigned int h = 2166136261;
	unsigned char buf[65536];
	size_t got = 0;
	ssize_t n = 0;

	while (got < len) {
		n = peer_recv(c, buf, len - got < sizeof(buf) ? len - got : sizeof(buf),
			      SOON_MS);
		if (n <= 0)
			break;
		h = hash(h, buf, n);
		got += n;
	}
	if (got < len)
		say(c, "the client gets only %zu bytes, then %s", got, result(n));
	else
		say(c, "the client gets %zu bytes (%08x)", got, h);
}

/* What the client gets up to the end. */
void peer_drain(struct conn *c)
{
	unsigned int h = 2166136261;
	unsigned char buf[65536];
	const char *end;
	size_t got = 0;
	ssize_t n;

	while ((n = peer_recv(c, buf, sizeof(buf), SOON_MS)) > 0) {
		h = hash(h, buf, n);
		got += n;
	}
	if (n)
		end = n == -ECONNRESET ? "a reset" : n == -ETIMEDOUT ? "nothing more" :
		      result(n);
	else if (!c->tls || !c->alert)
		end = "the end";
	else
		end = c->alert < 0 ? "a FIN without close_notify" : "the end";
	if (c->tls && c->alert > 0)
		say(c, "the client gets alert %d", c->alert);
	say(c, "the client gets %zu bytes (%08x), then %s", got, h, end);
}

void say(struct conn *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(c->out, format, ap);
	va_end(ap);
	fputc('\n', c->out);
}

/* The result of a call: its value, or -1 and errno; or a negative error. */
const char *result(long ret)
{
	static char buf[4][32];
	static int i;
	char *s = buf[i++ % 4];
	const char *name;

	if (ret >= 0) {
		snprintf(s, sizeof(buf[0]), "%ld", ret);
		return s;
	}
	name = strerrorname_np(ret == -1 ? errno : -ret);
	return name ?: "?";
}

void say_data(struct conn *c, const char *what, const void *data, long len)
{
	int err = errno;

	if (len > 0 && len <= 40) {
		say(c, "%s: %ld \"%.*s\"", what, len, (int)len, (const char *)data);
	} else if (len > 0) {
		say(c, "%s: %ld (%08x)", what, len, hash(2166136261, data, len));
	} else {
		errno = err;
		say(c, "%s: %s", what, result(len));
	}
}

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* How long something has taken, in classes that a slow machine does not mix up. */
const char *about(double since)
{
	double t = seconds() - since;

	return t < 0.12 ? "at once" : t < 0.7 ? "after 0.2 s" : "late";
}

bool wait_for(int fd, int events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) > 0;
}

/* Bytes that show what is lost, doubled or out of order. */
void fill(void *buf, size_t len)
{
	unsigned int x = 1;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		((unsigned char *)buf)[i] = x >> 16;
	}
}

/* Send without blocking until nothing is taken any more. */
size_t fill_send_buffer(struct conn *c, size_t size)
{
	size_t sent = 0, before;
	char buf[65536];
	ssize_t n;

	fill(buf, size);
	/* What is sent meanwhile makes some more room. */
	do {
		before = sent;
		while ((n = send(c->fd, buf, size, MSG_DONTWAIT)) > 0)
			sent += n;
		usleep(50000);
	} while (n < 0 && errno == EAGAIN && sent > before);
	if (n >= 0 || errno != EAGAIN)
		say(c, "send: %s", result(n));
	return sent;
}
