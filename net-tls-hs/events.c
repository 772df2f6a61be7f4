// SPDX-License-Identifier: GPL-2.0
#include "engine.h"

/* The server name of a session, which may be missing: who has failed? */
static __maybe_unused const char *
tls_hs_event_name(const struct tls_hs_session *session)
{
	const u8 *name = "";

	if (session)
		tls_hs_session_name(session, &name);
	return name;
}

static __maybe_unused size_t
tls_hs_event_name_len(const struct tls_hs_session *session)
{
	const u8 *name;

	return session ? tls_hs_session_name(session, &name) : 0;
}

#define CREATE_TRACE_POINTS
#include "events.h"
