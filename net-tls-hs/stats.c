// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of /proc/net/tls_stat that tell outcomes of handshakes apart.
 */

#include <net/tls.h>
#include <net/tls_prot.h>

#include "../tls.h"
#include "handshake.h"

static const u8 tls_hs_fallback_mib[__TLS_HS_FB_MAX] = {
	[TLS_HS_FB_NOT_SUPPORTED] = LINUX_MIB_TLSHSFBNOTSUPPORTED,
	[TLS_HS_FB_VERSION] = LINUX_MIB_TLSHSFBVERSION,
	[TLS_HS_FB_SUITE] = LINUX_MIB_TLSHSFBSUITE,
	[TLS_HS_FB_GROUP] = LINUX_MIB_TLSHSFBGROUP,
	[TLS_HS_FB_SIGALG] = LINUX_MIB_TLSHSFBSIGALG,
	[TLS_HS_FB_NO_IDENTITY] = LINUX_MIB_TLSHSFBNOIDENTITY,
	[TLS_HS_FB_HELLO_SIZE] = LINUX_MIB_TLSHSFBHELLOSIZE,
	[TLS_HS_FB_RESOURCES] = LINUX_MIB_TLSHSFBRESOURCES,
	[TLS_HS_FB_URGENT] = LINUX_MIB_TLSHSFBURGENT,
	[TLS_HS_FB_CLIENT_CERT] = LINUX_MIB_TLSHSFBCLIENTCERT,
	[TLS_HS_FB_PSK] = LINUX_MIB_TLSHSFBPSK,
};

/* All alerts that the engine sends, see alert.rs. */
static int tls_hs_alert_mib(u8 description)
{
	switch (description) {
	case TLS_ALERT_DESC_UNEXPECTED_MESSAGE:
		return LINUX_MIB_TLSHSTXUNEXPECTEDMESSAGE;
	case TLS_ALERT_DESC_BAD_RECORD_MAC:
		return LINUX_MIB_TLSHSTXBADRECORDMAC;
	case TLS_ALERT_DESC_RECORD_OVERFLOW:
		return LINUX_MIB_TLSHSTXRECORDOVERFLOW;
	case TLS_ALERT_DESC_HANDSHAKE_FAILURE:
		return LINUX_MIB_TLSHSTXHANDSHAKEFAILURE;
	case TLS_ALERT_DESC_ILLEGAL_PARAMETER:
		return LINUX_MIB_TLSHSTXILLEGALPARAMETER;
	case TLS_ALERT_DESC_DECODE_ERROR:
		return LINUX_MIB_TLSHSTXDECODEERROR;
	case TLS_ALERT_DESC_DECRYPT_ERROR:
		return LINUX_MIB_TLSHSTXDECRYPTERROR;
	case TLS_ALERT_DESC_PROTOCOL_VERSION:
		return LINUX_MIB_TLSHSTXPROTOCOLVERSION;
	case TLS_ALERT_DESC_INTERNAL_ERROR:
		return LINUX_MIB_TLSHSTXINTERNALERROR;
	case TLS_ALERT_DESC_INAPPROPRIATE_FALLBACK:
		return LINUX_MIB_TLSHSTXINAPPROPRIATEFALLBACK;
	case TLS_ALERT_DESC_MISSING_EXTENSION:
		return LINUX_MIB_TLSHSTXMISSINGEXTENSION;
	case TLS_ALERT_DESC_UNRECOGNIZED_NAME:
		return LINUX_MIB_TLSHSTXUNRECOGNIZEDNAME;
	case TLS_ALERT_DESC_GENERAL_ERROR:
		return LINUX_MIB_TLSHSTXGENERALERROR;
	case TLS_ALERT_DESC_NO_APPLICATION_PROTOCOL:
		return LINUX_MIB_TLSHSTXNOAPPLICATIONPROTOCOL;
	default:
		return 0;
	}
}

/* Of a client's, see RFC 9846, section 6. */
static int tls_hs_peer_alert_mib(u8 description)
{
	switch (description) {
	case TLS_ALERT_DESC_CLOSE_NOTIFY:
		return LINUX_MIB_TLSHSRXCLOSENOTIFY;
	case TLS_ALERT_DESC_UNEXPECTED_MESSAGE:
		return LINUX_MIB_TLSHSRXUNEXPECTEDMESSAGE;
	case TLS_ALERT_DESC_BAD_RECORD_MAC:
		return LINUX_MIB_TLSHSRXBADRECORDMAC;
	case TLS_ALERT_DESC_HANDSHAKE_FAILURE:
		return LINUX_MIB_TLSHSRXHANDSHAKEFAILURE;
	case TLS_ALERT_DESC_BAD_CERTIFICATE:
		return LINUX_MIB_TLSHSRXBADCERTIFICATE;
	case TLS_ALERT_DESC_UNSUPPORTED_CERTIFICATE:
		return LINUX_MIB_TLSHSRXUNSUPPORTEDCERTIFICATE;
	case TLS_ALERT_DESC_CERTIFICATE_REVOKED:
		return LINUX_MIB_TLSHSRXCERTIFICATEREVOKED;
	case TLS_ALERT_DESC_CERTIFICATE_EXPIRED:
		return LINUX_MIB_TLSHSRXCERTIFICATEEXPIRED;
	case TLS_ALERT_DESC_CERTIFICATE_UNKNOWN:
		return LINUX_MIB_TLSHSRXCERTIFICATEUNKNOWN;
	case TLS_ALERT_DESC_ILLEGAL_PARAMETER:
		return LINUX_MIB_TLSHSRXILLEGALPARAMETER;
	case TLS_ALERT_DESC_UNKNOWN_CA:
		return LINUX_MIB_TLSHSRXUNKNOWNCA;
	case TLS_ALERT_DESC_ACCESS_DENIED:
		return LINUX_MIB_TLSHSRXACCESSDENIED;
	case TLS_ALERT_DESC_DECODE_ERROR:
		return LINUX_MIB_TLSHSRXDECODEERROR;
	case TLS_ALERT_DESC_DECRYPT_ERROR:
		return LINUX_MIB_TLSHSRXDECRYPTERROR;
	case TLS_ALERT_DESC_PROTOCOL_VERSION:
		return LINUX_MIB_TLSHSRXPROTOCOLVERSION;
	case TLS_ALERT_DESC_INSUFFICIENT_SECURITY:
		return LINUX_MIB_TLSHSRXINSUFFICIENTSECURITY;
	case TLS_ALERT_DESC_INTERNAL_ERROR:
		return LINUX_MIB_TLSHSRXINTERNALERROR;
	case TLS_ALERT_DESC_USER_CANCELED:
		return LINUX_MIB_TLSHSRXUSERCANCELED;
	case TLS_ALERT_DESC_UNSUPPORTED_EXTENSION:
		return LINUX_MIB_TLSHSRXUNSUPPORTEDEXTENSION;
	case TLS_ALERT_DESC_BAD_CERTIFICATE_STATUS_RESPONSE:
		return LINUX_MIB_TLSHSRXBADCERTIFICATESTATUSRESPONSE;
	default:
		return LINUX_MIB_TLSHSRXOTHER;
	}
}

static void tls_hs_count_reason(struct net *net, u8 reason)
{
	if (reason < ARRAY_SIZE(tls_hs_fallback_mib) && tls_hs_fallback_mib[reason])
		TLS_INC_STATS(net, tls_hs_fallback_mib[reason]);
}

/**
 * tls_hs_count_fallback - count a connection that goes to user space unread
 * @net: its network namespace
 * @reason: &enum tls_hs_fallback
 *
 * Context: any.
 */
void tls_hs_count_fallback(struct net *net, u8 reason)
{
	TLS_INC_STATS(net, LINUX_MIB_TLSHSFALLBACK);
	tls_hs_count_reason(net, reason);
}

/**
 * tls_hs_count_refusal - count a connection that must not go to user space
 * @net: its network namespace
 * @reason: &enum tls_hs_fallback, why it would have gone there
 *
 * Context: any.
 */
void tls_hs_count_refusal(struct net *net, u8 reason)
{
	TLS_INC_STATS(net, LINUX_MIB_TLSHSREFUSED);
	tls_hs_count_reason(net, reason);
}

/**
 * tls_hs_count_alert - count an alert that the kernel has sent
 * @net: the network namespace of the connection
 * @description: AlertDescription (RFC 9846, section 6)
 *
 * Context: any.
 */
void tls_hs_count_alert(struct net *net, u8 description)
{
	int mib = tls_hs_alert_mib(description);

	TLS_INC_STATS(net, LINUX_MIB_TLSHSALERTTX);
	if (mib)
		TLS_INC_STATS(net, mib);
}

/**
 * tls_hs_count_peer_alert - count an alert that a client has sent
 * @net: the network namespace of the connection
 * @description: AlertDescription (RFC 9846, section 6)
 *
 * Context: any.
 */
void tls_hs_count_peer_alert(struct net *net, u8 description)
{
	TLS_INC_STATS(net, LINUX_MIB_TLSHSALERTRX);
	TLS_INC_STATS(net, tls_hs_peer_alert_mib(description));
}

/**
 * tls_hs_count_bytes - count what handshakes take
 * @net: the network namespace of the connection
 * @received: bytes that have been taken out of a receive queue
 * @sent: bytes that have been given to TCP
 *
 * Context: any.
 */
void tls_hs_count_bytes(struct net *net, u32 received, u32 sent)
{
	if (received)
		SNMP_ADD_STATS(net->mib.tls_statistics, LINUX_MIB_TLSHSBYTESRX,
			       received);
	if (sent)
		SNMP_ADD_STATS(net->mib.tls_statistics, LINUX_MIB_TLSHSBYTESTX,
			       sent);
}
