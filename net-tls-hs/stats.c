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
	if (reason < ARRAY_SIZE(tls_hs_fallback_mib) && tls_hs_fallback_mib[reason])
		TLS_INC_STATS(net, tls_hs_fallback_mib[reason]);
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
