/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handshakes on sockets: what the files share that drive them.
 *
 *	drive.c		a connection, from its first byte to the end of its handshake
 *	input.c		what it has received
 *	output.c	what it sends
 *	cpu.c		when and where that runs
 */
#ifndef _NET_TLS_HANDSHAKE_DRIVE_H
#define _NET_TLS_HANDSHAKE_DRIVE_H

#include <linux/types.h>

struct sock;
struct tls_hs;
struct tls_hs_scratch;
struct tls_hs_step;

/**
 * struct tls_hs_buffers - working memory of a work item
 * @in: copy of the unread part of a receive queue
 * @out: the engine's answer
 * @scratch: the engine's working memory
 * @in_softirq: the work runs in softirq
 */
struct tls_hs_buffers {
	u8 *in;
	u8 *out;
	struct tls_hs_scratch *scratch;
	bool in_softirq;
};

/* drive.c */
void tls_hs_advance(struct tls_hs *hs, struct tls_hs_buffers *buffers);
void tls_hs_arm(struct tls_hs *hs, unsigned long expires);
void tls_hs_wake_after(struct tls_hs *hs, unsigned long delay);
bool tls_hs_is_over(const struct tls_hs *hs);

/* input.c */
bool tls_hs_is_full(const struct sock *sk);
bool tls_hs_make_room(struct sock *sk);
u32 tls_hs_unread(const struct sock *sk);
bool tls_hs_has_news(const struct tls_hs *hs);
bool tls_hs_is_readable(const struct sock *sk);
void tls_hs_consume(struct tls_hs *hs, u32 len);
int tls_hs_peek(struct sock *sk, u32 offset, u8 *buf, u32 max);
int tls_hs_load_hello(struct tls_hs *hs, struct tls_hs_buffers *buffers,
		      u32 *len, struct tls_hs_step *step);

/* output.c */
int tls_hs_send(struct sock *sk, const u8 *buf, u32 len);
int tls_hs_keep_unsent(struct tls_hs *hs, const u8 *buf, u32 len);
int tls_hs_send_rest(struct tls_hs *hs);

/* cpu.c */
void tls_hs_queue(struct tls_hs *hs);
void tls_hs_queue_thread(struct tls_hs *hs);
u16 tls_hs_flow_of(const struct tls_hs *hs);

#endif /* _NET_TLS_HANDSHAKE_DRIVE_H */
