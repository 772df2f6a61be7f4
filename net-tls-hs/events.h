/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tls_handshake

#if !defined(_NET_TLS_HANDSHAKE_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NET_TLS_HANDSHAKE_EVENTS_H

#include <linux/in6.h>
#include <linux/tracepoint.h>
#include <net/sock.h>
#include <net/tls.h>

/* For user space, which does not know the enum. */
TRACE_DEFINE_ENUM(TLS_HS_FB_NOT_SUPPORTED);
TRACE_DEFINE_ENUM(TLS_HS_FB_VERSION);
TRACE_DEFINE_ENUM(TLS_HS_FB_SUITE);
TRACE_DEFINE_ENUM(TLS_HS_FB_GROUP);
TRACE_DEFINE_ENUM(TLS_HS_FB_SIGALG);
TRACE_DEFINE_ENUM(TLS_HS_FB_NO_IDENTITY);
TRACE_DEFINE_ENUM(TLS_HS_FB_HELLO_SIZE);
TRACE_DEFINE_ENUM(TLS_HS_FB_RESOURCES);
TRACE_DEFINE_ENUM(TLS_HS_FB_URGENT);
TRACE_DEFINE_ENUM(TLS_HS_FB_CLIENT_CERT);
TRACE_DEFINE_ENUM(TLS_HS_FB_PSK);

/* Addresses and ports are those of the connection, the server's first; the name
 * is the one that the client has sent, empty before it is known.
 */

/* The first bytes of a ClientHello have arrived. */
TRACE_EVENT(tls_handshake_start,
	    TP_PROTO(const struct sock *sk),

	    TP_ARGS(sk),

	    TP_STRUCT__entry(__field(const void *, skaddr)
			     __field(u16, sport)
			     __field(u16, dport)
			     __field(u16, family)
			     __array(u8, saddr, sizeof(struct sockaddr_in6))
			     __array(u8, daddr, sizeof(struct sockaddr_in6))
	    ),

	    TP_fast_assign(__entry->skaddr = sk;
			   __entry->sport = sk->sk_num;
			   __entry->dport = ntohs(sk->sk_dport);
			   __entry->family = sk->sk_family;
			   tls_hs_event_addresses(sk, __entry->saddr, __entry->daddr);
	    ),

	    TP_printk("sk=%p src=%pISpc dest=%pISpc",
		      __entry->skaddr, __entry->saddr, __entry->daddr)
);

/* Suite and group are 0 where none has been chosen, the duration where nothing
 * has been received.
 */
DECLARE_EVENT_CLASS(tls_handshake_end_class,
		    TP_PROTO(const struct sock *sk,
			     const struct tls_hs_session *session,
			     const struct tls_hs_info *info, u64 duration),

		    TP_ARGS(sk, session, info, duration),

		    TP_STRUCT__entry(__field(const void *, skaddr)
				     __field(u64, duration)
				     __field(u16, sport)
				     __field(u16, dport)
				     __field(u16, family)
				     __field(u16, suite)
				     __field(u16, group)
				     __array(u8, saddr, sizeof(struct sockaddr_in6))
				     __array(u8, daddr, sizeof(struct sockaddr_in6))
				     __string_len(name, tls_hs_event_name(session),
						  tls_hs_event_name_len(session))
		    ),

		    TP_fast_assign(__entry->skaddr = sk;
				   __entry->duration = duration;
				   __entry->suite = info->cipher_suite;
				   __entry->group = info->group;
				   __entry->sport = sk->sk_num;
				   __entry->dport = ntohs(sk->sk_dport);
				   __entry->family = sk->sk_family;
				   tls_hs_event_addresses(sk, __entry->saddr, __entry->daddr);
				   __assign_str(name);
		    ),

		    TP_printk("sk=%p src=%pISpc dest=%pISpc name=%s suite=0x%04x group=0x%04x ns=%llu",
			      __entry->skaddr, __entry->saddr, __entry->daddr, __get_str(name),
			      __entry->suite, __entry->group, __entry->duration)
);

/* The client has gone before the handshake was complete. */
DEFINE_EVENT(tls_handshake_end_class, tls_handshake_reset,
	     TP_PROTO(const struct sock *sk,
		      const struct tls_hs_session *session,
		      const struct tls_hs_info *info, u64 duration),
	     TP_ARGS(sk, session, info, duration)
);

DEFINE_EVENT(tls_handshake_end_class, tls_handshake_timeout,
	     TP_PROTO(const struct sock *sk,
		      const struct tls_hs_session *session,
		      const struct tls_hs_info *info, u64 duration),
	     TP_ARGS(sk, session, info, duration)
);

TRACE_EVENT(tls_handshake_done,
	    TP_PROTO(const struct sock *sk,
		     const struct tls_hs_session *session,
		     const struct tls_hs_status *status, u64 duration),

	    TP_ARGS(sk, session, status, duration),

	    TP_STRUCT__entry(__field(const void *, skaddr)
			     __field(u64, duration)
			     __field(u16, sport)
			     __field(u16, dport)
			     __field(u16, family)
			     __field(u16, suite)
			     __field(u16, group)
			     __field(u16, scheme)
			     __field(u32, flags)
			     __array(u8, saddr, sizeof(struct sockaddr_in6))
			     __array(u8, daddr, sizeof(struct sockaddr_in6))
			     __string_len(name, tls_hs_event_name(session),
					  tls_hs_event_name_len(session))
	    ),

	    TP_fast_assign(__entry->skaddr = sk;
			   __entry->duration = duration;
			   __entry->suite = status->cipher_suite;
			   __entry->group = status->group;
			   __entry->scheme = status->signature_scheme;
			   __entry->flags = status->flags;
			   __entry->sport = sk->sk_num;
			   __entry->dport = ntohs(sk->sk_dport);
			   __entry->family = sk->sk_family;
			   tls_hs_event_addresses(sk, __entry->saddr, __entry->daddr);
			   __assign_str(name);
	    ),

	    TP_printk("sk=%p src=%pISpc dest=%pISpc name=%s suite=0x%04x group=0x%04x scheme=0x%04x flags=%s ns=%llu",
		      __entry->skaddr, __entry->saddr, __entry->daddr, __get_str(name),
		      __entry->suite, __entry->group, __entry->scheme,
		      __print_flags(__entry->flags, "|",
				    { TLS_HS_S_RESUMED, "resumed" },
				    { TLS_HS_S_RETRIED, "retried" },
				    { TLS_HS_S_EXTERNAL_PSK, "external_psk" }),
		      __entry->duration)
);

DECLARE_EVENT_CLASS(tls_handshake_reason_class,
		    TP_PROTO(const struct sock *sk,
			     const struct tls_hs_session *session,
			     u8 reason, u64 duration),

		    TP_ARGS(sk, session, reason, duration),

		    TP_STRUCT__entry(__field(const void *, skaddr)
				     __field(u64, duration)
				     __field(u16, sport)
				     __field(u16, dport)
				     __field(u16, family)
				     __field(u8, reason)
				     __array(u8, saddr, sizeof(struct sockaddr_in6))
				     __array(u8, daddr, sizeof(struct sockaddr_in6))
				     __string_len(name, tls_hs_event_name(session),
						  tls_hs_event_name_len(session))
		    ),

		    TP_fast_assign(__entry->skaddr = sk;
				   __entry->duration = duration;
				   __entry->reason = reason;
				   __entry->sport = sk->sk_num;
				   __entry->dport = ntohs(sk->sk_dport);
				   __entry->family = sk->sk_family;
				   tls_hs_event_addresses(sk, __entry->saddr, __entry->daddr);
				   __assign_str(name);
		    ),

		    TP_printk("sk=%p src=%pISpc dest=%pISpc name=%s reason=%s ns=%llu",
			      __entry->skaddr, __entry->saddr, __entry->daddr, __get_str(name),
			      __print_symbolic(__entry->reason,
					       { TLS_HS_FB_NOT_SUPPORTED, "not_supported" },
					       { TLS_HS_FB_VERSION, "version" },
					       { TLS_HS_FB_SUITE, "suite" },
					       { TLS_HS_FB_GROUP, "group" },
					       { TLS_HS_FB_SIGALG, "sigalg" },
					       { TLS_HS_FB_NO_IDENTITY, "no_identity" },
					       { TLS_HS_FB_HELLO_SIZE, "hello_size" },
					       { TLS_HS_FB_RESOURCES, "resources" },
					       { TLS_HS_FB_URGENT, "urgent" },
					       { TLS_HS_FB_CLIENT_CERT, "client_cert" },
					       { TLS_HS_FB_PSK, "psk" }),
			      __entry->duration)
);

/* User space gets the connection, unread. */
DEFINE_EVENT(tls_handshake_reason_class, tls_handshake_fallback,
	     TP_PROTO(const struct sock *sk,
		      const struct tls_hs_session *session, u8 reason,
		      u64 duration),
	     TP_ARGS(sk, session, reason, duration)
);

/* It would have, but the settings forbid it: an alert follows. */
DEFINE_EVENT(tls_handshake_reason_class, tls_handshake_refused,
	     TP_PROTO(const struct sock *sk,
		      const struct tls_hs_session *session, u8 reason,
		      u64 duration),
	     TP_ARGS(sk, session, reason, duration)
);

/* On a connection whose handshake was complete the duration is that of the
 * handshake.
 */
TRACE_EVENT(tls_handshake_alert,
	    TP_PROTO(const struct sock *sk,
		     const struct tls_hs_session *session,
		     const struct tls_hs_info *info, u64 duration,
		     u8 description, bool sent),

	    TP_ARGS(sk, session, info, duration, description, sent),

	    TP_STRUCT__entry(__field(const void *, skaddr)
			     __field(u64, duration)
			     __field(u16, sport)
			     __field(u16, dport)
			     __field(u16, family)
			     __field(u16, suite)
			     __field(u16, group)
			     __field(u8, description)
			     __field(bool, sent)
			     __array(u8, saddr, sizeof(struct sockaddr_in6))
			     __array(u8, daddr, sizeof(struct sockaddr_in6))
			     __string_len(name, tls_hs_event_name(session),
					  tls_hs_event_name_len(session))
	    ),

	    TP_fast_assign(__entry->skaddr = sk;
			   __entry->duration = duration;
			   __entry->suite = info->cipher_suite;
			   __entry->group = info->group;
			   __entry->description = description;
			   __entry->sent = sent;
			   __entry->sport = sk->sk_num;
			   __entry->dport = ntohs(sk->sk_dport);
			   __entry->family = sk->sk_family;
			   tls_hs_event_addresses(sk, __entry->saddr, __entry->daddr);
			   __assign_str(name);
	    ),

	    TP_printk("sk=%p src=%pISpc dest=%pISpc name=%s %s alert=%u suite=0x%04x group=0x%04x ns=%llu",
		      __entry->skaddr, __entry->saddr, __entry->daddr, __get_str(name),
		      __entry->sent ? "sent" : "received", __entry->description,
		      __entry->suite, __entry->group, __entry->duration)
);

#endif /* _NET_TLS_HANDSHAKE_EVENTS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events

#include <trace/define_trace.h>
