#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: what extensions of the ClientHello bring about, as
tickets, what is stapled to certificates, protocols by name; and long chains and
padding.

The client is tls13.py. Section numbers are those of RFC 9846 unless said
otherwise.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs import AF_TLS, error
from tls_hs_test import Skip, connect, eq, expect_end, pair, pair_with_alpn, ping, recv_exact
from tls_hs_test import served, test

F_NO_TICKETS = 8
CERTIFICATE, KEY = tls_hs.P256_IDENTITY[:-138], tls_hs.P256_IDENTITY[-138:]


# --- Tickets -------------------------------------------------------------------

def visit(lsk, ticket=None, change=lambda hello: None, **kwargs):
    """A handshake with or without a ticket: whether it was a resumption, and new tickets."""
    return visit_by(connect(lsk, **kwargs), lsk, ticket, change)


def visit_by(client, lsk, ticket, change):
    """The same by a client that has connected."""
    client.hello.offer(ticket)
    change(client.hello)
    client.handshake()
    conn, family = tls_hs.accept(lsk)
    eq(family, AF_TLS, "family")
    eq(bool(tls_hs.status(conn)["flags"] & tls_hs.S_RESUMED), client.resumed, "TLS_HS_STATUS")
    eq(tls13.CERTIFICATE in client.messages, not client.resumed, "Certificate")
    conn.sendall(b"hello")
    tickets = client.tickets(b"hello")
    ping(client, conn)
    conn.close()
    return client.resumed, tickets


def resumes(lsk, ticket, **kwargs):
    """Whether a ticket makes a resumption."""
    return visit(lsk, ticket, **kwargs)[0]


def ticket_key(name, size=80):
    """A payload for a key of type tls_ticket."""
    return name.encode().ljust(16, b".") + os.urandom(size - 16)


def ring_with(*tickets):
    """A keyring with an identity and ticket keys, given as (description, payload)."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    return [ring] + [tls_hs.add_key("tls_ticket", *ticket, ring) for ticket in tickets]


@test
def ticket_count(env):
    """Two tickets after a full handshake, one after a resumption, none to who cannot use them."""
    with env.listen() as lsk:
        with tls_hs_test.Counters(Done=2, Resumed=1):
            resumed, tickets = visit(lsk)
            eq((resumed, len(tickets)), (False, 2), "full")
            eq(tickets[0].lifetime, 7200, "lifetime")
            eq(len({t.ticket for t in tickets}), 2, "different ones")
            resumed, more = visit(lsk, tickets[0])
            eq((resumed, len(more)), (True, 1), "resumption")
        for ticket in (tickets[1], tickets[0], more[0]):
            eq(resumes(lsk, ticket), True, "any of them")
        eq(resumes(lsk, tickets[0], groups=(tls13.X25519,), shares=()), True, "after a retry")
        for modes, count in ((b"\1\0", 0), (b"\2\0\1", 2), (None, 0)):
            def change(hello, modes=modes):
                hello.drop(tls13.PSK_MODES)
                if modes:
                    hello.set(tls13.PSK_MODES, modes)
            eq(len(visit(lsk, change=change)[1]), count, f"modes {modes}")
    with env.listen(flags=F_NO_TICKETS) as lsk:
        eq(visit(lsk, tickets[0]), (False, []), "no tickets")


@test
def ticket_request(env):
    """The number of tickets that a client asks for, RFC 9149: no more, up to four, and it is told."""
    def asks(lsk, ticket, full, resumption, modes=b"\1\1", **kwargs):
        client = connect(lsk, **kwargs)
        client.hello.set(tls13.TICKET_REQUEST, bytes((full, resumption)))
        resumed, tickets = visit_by(client, lsk, ticket,
                                    lambda hello: hello.set(tls13.PSK_MODES, modes))
        return resumed, tickets, client.server["encrypted_exts"].get(tls13.TICKET_REQUEST)

    with env.listen() as lsk:
        for full, count in ((1, 1), (3, 3), (4, 4), (5, 4), (255, 4), (0, 0)):
            resumed, tickets, told = asks(lsk, None, full, 9)
            eq((resumed, len(tickets), told), (False, count, bytes((count,))), f"full {full}")
            eq(len({t.ticket for t in tickets}), count, "different ones")
        ticket = visit(lsk)[1][0]
        for resumption, count in ((0, 0), (1, 1), (3, 3), (200, 4)):
            resumed, tickets, told = asks(lsk, ticket, 2, resumption)
            eq((resumed, len(tickets), told), (True, count, bytes((count,))),
               f"resumption {resumption}")
        for more in tickets:
            eq(resumes(lsk, more), True, "each of them")
        # A ticket that is refused: the number for a full handshake counts.
        resumed, tickets, told = asks(lsk, ticket, 3, 1, name="x.test")
        eq((resumed, len(tickets), told), (False, 3, b"\3"), "refused")
        # After a retry, in which the numbers must not change.
        retry = {"groups": (tls13.X25519,), "shares": ()}
        resumed, tickets, told = asks(lsk, None, 3, 0, **retry)
        eq((resumed, len(tickets), told), (False, 3, b"\3"), "retry")
        client = connect(lsk, **retry)
        client.hello.set(tls13.TICKET_REQUEST, b"\3\0")
        client.send_hello()
        client.server_hello(auto_retry=False)
        client.retry_hello(tls13.X25519)
        client.hello.set(tls13.TICKET_REQUEST, b"\4\0")
        client.send_hello()
        expect_end(client, ("illegal_parameter",))
        # Neither who cannot use tickets is told a number, nor anybody where there are none.
        eq(asks(lsk, None, 3, 1, modes=b"\1\0"), (False, [], None), "no psk_dhe_ke")
    with env.listen(flags=F_NO_TICKETS) as lsk:
        resumed, tickets, told = asks(lsk, ticket, 3, 1)
        eq((resumed, tickets, told), (False, [], None), "no tickets")


@test
def ticket_context(env):
    """A ticket is for the name and the application protocol of its connection."""
    with env.listen() as lsk:
        tls_hs.set_alpn(lsk, b"h2", b"http/1.1")

        def alpn(*names):
            return lambda h: h.set(tls13.ALPN, tls_hs_test.protocols(*names))
        (ticket, _) = visit(lsk, change=alpn(b"h2"))[1]
        eq(resumes(lsk, ticket, change=alpn(b"http/1.1", b"h2")), True, "the same")
        eq(resumes(lsk, ticket, change=alpn(b"http/1.1")), False, "another protocol")
        eq(resumes(lsk, ticket), False, "no protocol")
        eq(resumes(lsk, ticket, change=alpn(b"h2"), name="x.test"), False, "another name")
        eq(resumes(lsk, ticket, change=alpn(b"h2"), name=None), False, "no name")


@test
def ticket_foreign(env):
    """What is no ticket of ours, an external PSK among it, is ignored, section 4.3.11."""
    with env.listen() as lsk:
        real = visit(lsk)[1][0]
        for ticket in (b"Client_identity", b"x", os.urandom(len(real.ticket)), bytes(5000),
                       real.ticket[:-1], real.ticket + b"\0",
                       real.ticket[:16] + os.urandom(len(real.ticket) - 16)):
            eq(visit(lsk, real._replace(ticket=ticket))[0], False, f"{len(ticket)} bytes")
        client = connect(lsk)
        client.hello.offer(real._replace(psk=bytes(32)))
        client.send_hello()
        expect_end(client, ("decrypt_error",))


@test
def ticket_without_signature_algorithms(env):
    """A resumption needs none, RFC 9846, 4.3.3; another PSK without is for user space."""
    with env.listen() as lsk:
        real, other = visit(lsk)[1]
        drop = lambda hello: hello.drop(tls13.SIGNATURE_ALGORITHMS)  # noqa: E731
        eq(resumes(lsk, real, change=drop), True, "resumed")
        eq(resumes(lsk, other, change=drop, groups=(tls13.SECP256R1, tls13.X25519), shares=()),
           True, "resumed after a retry")
        client = connect(lsk)
        client.hello.offer(real._replace(ticket=b"external")).drop(tls13.SIGNATURE_ALGORITHMS)
        client.send_hello()
        eq(tls_hs.accept(lsk)[1], socket.AF_INET, "fallback")


@test
def early_data_skipped(env):
    """0-RTT is skipped, section 4.3.10: with a ticket that is good or not, with a retry or not."""
    with env.listen() as lsk:
        good = visit(lsk)[1][0]
        for ticket in (good, good._replace(ticket=b"unknown")):
            for shares in (None, ()):
                for size in (1, 1000, 16000):
                    client = connect(lsk, shares=shares)
                    client.hello.offer(ticket).set(tls13.EARLY_DATA, b"")
                    client.send_hello()
                    early = tls13.record(tls13.APPDATA, os.urandom(size + 17), 0x303)
                    client.sock.sendall(early + early)
                    client.server_hello()
                    client.server_flight()
                    eq(client.retried, shares == (), "retried")
                    eq(client.resumed, ticket is good, "resumed")
                    eq(tls13.EARLY_DATA in client.server["encrypted_exts"], False, "accepted")
                    client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
                    client.switch()
                    conn, family = tls_hs.accept(lsk)
                    eq(family, AF_TLS, "family")
                    ping(client, conn)
        # More than anybody was told to send.
        client = connect(lsk)
        client.hello.offer(good).set(tls13.EARLY_DATA, b"")
        client.send_hello()
        client.server_hello()
        client.server_flight()
        client.rx = client.app_rx
        try:
            client.sock.sendall(tls13.record(tls13.APPDATA, os.urandom(16000), 0x303) * 5)
            expect_end(client, ("bad_record_mac",))
        except OSError:
            pass


@test
def early_data_alone(env):
    """early_data without pre_shared_key is skipped, RFC 9846, 4.3.10, with a retry or without.

    Browsers with a ticket and an ECH configuration (RFC 9849) send that: both offers are in the
    inner ClientHello, and the outer one has early_data as well.
    """
    ech = b"\0" + b"\0\1\0\1" + b"\7" + tls13.vec(2, os.urandom(32)) + tls13.vec(2, os.urandom(208))
    with env.listen() as lsk:
        for kwargs in ({}, {"groups": (tls13.SECP256R1, tls13.X25519), "shares": ()}):
            for psk_modes in (b"\1\1", b"\1\0", None):
                client = connect(lsk, **kwargs)
                client.hello.set(0xfe0d, ech).set(tls13.EARLY_DATA, b"")
                if psk_modes:
                    client.hello.set(tls13.PSK_MODES, psk_modes)
                client.send_hello()
                client.sock.sendall(tls13.record(tls13.APPDATA, os.urandom(500), 0x303) * 3)
                client.server_hello()
                client.server_flight()
                eq(client.retried, bool(kwargs), "retried")
                eq(tls13.EARLY_DATA in client.server["encrypted_exts"], False, "accepted")
                client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
                client.switch()
                conn, family = tls_hs.accept(lsk)
                eq(family, AF_TLS, "family")
                ping(client, conn)
                conn.close()


@test
def server_name_acknowledged(env):
    """EncryptedExtensions has an empty server_name if the name has chosen settings or identity,
    RFC 6066, section 3, and never in a resumption.
    """
    def exts(lsk, name, ticket=None):
        client = connect(lsk, name=name)
        client.hello.offer(ticket)
        client.handshake()
        conn, _ = tls_hs.accept(lsk)
        conn.sendall(b"x")
        tickets = client.tickets(b"x")
        conn.close()
        eq(client.resumed, ticket is not None, "resumed")
        return client.server["encrypted_exts"].get(tls13.SERVER_NAME), tickets
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with env.listen(ring=ring) as lsk:
        got, tickets = exts(lsk, "ecdsa.test")
        eq(got, b"", "an identity's name")
        eq(exts(lsk, "ecdsa.test", tickets[0])[0], None, "an identity's name, resumed")
        eq(exts(lsk, "other.test")[0], None, "an unknown name")
        eq(exts(lsk, None)[0], None, "no name")
        # The settings of the name are what it chooses, be the identity the default one or not.
        tls_hs.set_sni(lsk, "*.test", ring)
        got, tickets = exts(lsk, "other.test")
        eq(got, b"", "a name with settings")
        eq(exts(lsk, "other.test", tickets[0])[0], None, "a name with settings, resumed")
        eq(exts(lsk, "other.example")[0], None, "another name")
        eq(exts(lsk, None)[0], None, "no name, though there are settings for names")


@test
def shared_keys(env):
    """Two listeners with the same ticket key in their keyrings resume each other's connections."""
    shared, other = ticket_key("shared"), ticket_key("other")
    rings = [ring_with(("key", payload))[0] for payload in (shared, shared, other)]
    with env.listen(ring=rings[0]) as a, env.listen(ring=rings[1]) as b, \
            env.listen(ring=rings[2]) as c, \
            env.listen(ring=tls_hs.new_keyring(tls_hs.P256_IDENTITY)) as without:
        tickets = visit(a)[1]
        eq(tickets[0].ticket[:16], shared[:16], "name")
        for lsk, want in ((a, True), (b, True), (c, False), (without, False)):
            eq(resumes(lsk, tickets[0]), want)
        eq(resumes(a, visit(without)[1][0]), False, "a ticket of the namespace")
        # One that comes later, and goes.
        key = tls_hs.add_key("tls_ticket", "late", shared, rings[2])
        eq(resumes(c, tickets[1]), True, "added")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, rings[2])
        eq(resumes(c, tickets[1]), False, "unlinked")


@test
def shared_keys_by_name(env):
    """Settings for a server name have the ticket keys of their keyring."""
    plain, keyed = tls_hs.new_keyring(tls_hs.P256_IDENTITY), ring_with(("k", ticket_key("k")))[0]
    with env.listen(ring=plain) as lsk:
        tls_hs.set_sni(lsk, "ecdsa.test", keyed)
        eq(visit(lsk)[1][0].ticket[:16], b"k".ljust(16, b"."), "name")
        eq(visit(lsk, name="other.test")[1][0].ticket[:16] != b"k".ljust(16, b"."), True, "other")


def in_network_namespace(func):
    """What a function returns that runs in a new network namespace."""
    result = []

    def run():
        if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
            result.append(Skip("no network namespaces"))
            return
        with socket.socket() as sock:
            # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
            fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
        try:
            result.append(func())
        except Exception as err:  # pylint: disable=broad-except
            result.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


@test
def shared_keys_of_namespaces(env):
    """Network namespaces have keys of their own, but share what is in keyrings."""
    shared = ring_with(("key", ticket_key("shared")))[0]
    for ring, want in ((env.ring, False), (shared, True)):
        with env.listen(ring=ring) as lsk:
            ticket = visit(lsk)[1][0]

        def elsewhere(ring=ring, ticket=ticket):
            with env.listen(ring=ring) as lsk:
                return resumes(lsk, ticket)
        eq(in_network_namespace(elsewhere), want)


@test
def ticket_key_order(env):
    """The key whose description sorts last is for new tickets; all of them are accepted."""
    names = {d: d.encode().ljust(16, b".") for d in ("2026-01", "2026-02", "2026-03", "0-next")}
    ring, old = ring_with(("2026-01", ticket_key("2026-01")))
    with env.listen(ring=ring) as lsk:
        first = visit(lsk)[1]
        eq(first[0].ticket[:16], names["2026-01"], "first key")
        tls_hs.add_key("tls_ticket", "2026-03", ticket_key("2026-03"), ring)
        tls_hs.add_key("tls_ticket", "2026-02", ticket_key("2026-02", 48), ring)
        payload = ticket_key("0-next")
        tls_hs.add_key("tls_ticket", "0-next", payload, ring)
        resumed, tickets = visit(lsk, first[0])
        eq((resumed, tickets[0].ticket[:16]), (True, names["2026-03"]), "newest key")
        # One that is only accepted so far.
        other = ring_with(("0-next", payload))[0]
        with env.listen(ring=other) as other_lsk:
            eq(resumes(lsk, visit(other_lsk)[1][0]), True, "accepted")
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, old)
        eq(resumes(lsk, first[1]), False, "revoked")
        # More than count: those that sort first do not.
        for i in range(16):
            tls_hs.add_key("tls_ticket", f"3{i:03}", ticket_key(f"3{i:03}"), ring)
        eq(resumes(lsk, tickets[0]), False, "17th")
        eq(visit(lsk)[1][0].ticket[:4], b"3015", "last")


@test
def ticket_key_end(env):
    """A ticket key that is revoked, updated or expired ends resumption at once."""
    for end in ("revoke", "update", "invalidate", "timeout"):
        ring, key = ring_with(("key", ticket_key("key")))
        with env.listen(ring=ring) as lsk:
            tickets = visit(lsk)[1]
            eq(resumes(lsk, tickets[0]), True, "before")
            if end == "revoke":
                tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
            elif end == "update":
                payload = ticket_key("key")
                tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, payload, len(payload))
            elif end == "invalidate":
                tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, key)
            else:
                tls_hs.keyctl(tls_hs.KEYCTL_SET_TIMEOUT, key, 2)
                eq(resumes(lsk, tickets[1]), True, "in time")
                time.sleep(3.1)
            resumed, new = visit(lsk, tickets[0])
            eq(resumed, False, end)
            # With the same name but after an update other bytes, or the namespace's key.
            eq(new[0].ticket[:16] == tickets[0].ticket[:16], end == "update", f"{end}: new name")
            eq(resumes(lsk, new[0]), True, f"{end}: new ticket")


@test
def ticket_key_payload(_env):
    """48 or 80 bytes, which nobody gets back."""
    ring = tls_hs.new_keyring()
    for size in (0, 1, 16, 47, 49, 79, 81, 4096):
        eq(error(tls_hs.add_key, "tls_ticket", "bad", bytes(size), ring), "EINVAL", f"{size} bytes")
    for size in (48, 80):
        key = tls_hs.add_key("tls_ticket", "good", ticket_key("good", size), ring)
        eq(error(tls_hs.keyctl, tls_hs.KEYCTL_READ, key, None, 0), "ENOTSUP", "read")
        eq(error(tls_hs.keyctl, tls_hs.KEYCTL_UPDATE, key, bytes(79), 79), "EINVAL", "update")
    # Without an identity there is nothing to serve with.
    eq(error(env_listen, ring), "ENOKEY", "no identity")


def env_listen(ring):
    """A listener that is closed at once."""
    tls_hs.listener(ring).close()


@test
def ticket_lifetime_zero(env):
    """net.tls.ticket_lifetime of 0 turns off tickets of keyrings as well."""
    path = "/proc/sys/net/tls/ticket_lifetime"
    with open(path, encoding="ascii") as file:
        old = file.read()
    ring = ring_with(("key", ticket_key("key")))[0]
    with env.listen(ring=ring) as lsk:
        ticket = visit(lsk)[1][0]
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write("0")
            eq(visit(lsk, ticket), (False, []), "off")
        finally:
            with open(path, "w", encoding="ascii") as file:
                file.write(old)
        eq(resumes(lsk, ticket), True, "on again")


# --- Application protocols by name ------------------------------------------------

@test
def alpn_by_name(env):
    """TLS_HS_SNI has application protocols for a name; without, the listener's count."""
    with env.listen() as lsk:
        tls_hs.set_alpn(lsk, b"h2", b"http/1.1")
        tls_hs.set_sni(lsk, "own.test", env.ring, alpn=(b"acme-tls/1", b"http/1.1"))
        tls_hs.set_sni(lsk, "*.wild.test", env.ring, alpn=(b"h3",))
        tls_hs.set_sni(lsk, "same.test", env.ring)
        tls_hs.set_sni(lsk, "long.test", env.ring, alpn=(b"a" * 254,))

        def chosen(name, *offered):
            client = connect(lsk, name=name)
            if offered:
                client.hello.set(tls13.ALPN, tls_hs_test.protocols(*offered))
            client.send_hello()
            try:
                client.server_hello()
            except tls13.AlertReceived as alert:
                return alert.name
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            conn, _ = tls_hs.accept(lsk)
            got = tls_hs.alpn(conn)
            eq(client.server["encrypted_exts"].get(tls13.ALPN),
               tls_hs_test.protocols(got) if got else None, "extension")
            return got

        for name, offered, want in (
                ("own.test", (b"h2", b"http/1.1", b"acme-tls/1"), b"acme-tls/1"),
                ("OWN.test.", (b"http/1.1",), b"http/1.1"),
                ("own.test", (b"h2",), "no_application_protocol"), ("own.test", (), b""),
                ("a.wild.test", (b"h3", b"h2"), b"h3"),
                ("a.wild.test", (b"h2",), "no_application_protocol"),
                ("same.test", (b"http/1.1", b"h2"), b"h2"), ("other.test", (b"h2",), b"h2"),
                ("other.test", (b"acme-tls/1",), "no_application_protocol"),
                ("long.test", (b"a" * 254,), b"a" * 254), (None, (b"h2",), b"h2")):
            eq(chosen(name, *offered), want, f"{name} {offered}")
        # A change of the settings is one of the protocols.
        tls_hs.set_sni(lsk, "own.test", env.ring, alpn=(b"h2",))
        eq(chosen("own.test", b"h2"), b"h2", "replaced")
        tls_hs.set_sni(lsk, "own.test", 0)
        eq(chosen("own.test", b"http/1.1"), b"http/1.1", "taken away")

        for bad in (b"\2h2\2h2", b"\2h2\0\2h3", b"\xff" + b"a" * 255, b"\xfe" + b"a" * 254 + b"b",
                    b"\0\2h2"):
            eq(error(lambda bad=bad: tls_hs.set_sni(lsk, "bad.test", env.ring, alpn=bad)),
               "EINVAL", f"{bad[:8]}")
    _, conn = pair_with_alpn(env.listen(), b"h2")
    eq(tls_hs.alpn(conn), b"", "a listener without")


# --- What is stapled to certificates ---------------------------------------------

def der(tag, *content):
    """An element of DER."""
    data = b"".join(content)
    if len(data) < 128:
        return bytes([tag, len(data)]) + data
    size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + data


def ocsp(basic=b"basic", status=0):
    """An OCSPResponse, RFC 6960 section 4.2.1."""
    kind = der(6, bytes.fromhex("2b0601050507300101"))
    return der(0x30, der(10, bytes([status])), der(0xa0, der(0x30, kind, der(4, basic))))


def sct_list(*scts):
    """A SignedCertificateTimestampList, RFC 6962 section 3.3."""
    return tls13.vec(2, b"".join(tls13.vec(2, sct) for sct in scts))


OCSP_REQUEST = b"\1\0\0\0\0"


def stapled(lsk, status_request=None, scts=None, **kwargs):
    """The extensions of each certificate that a client gets."""
    client = connect(lsk, **kwargs)
    if status_request is not None:
        client.hello.set(tls13.STATUS_REQUEST, status_request)
    if scts is not None:
        client.hello.set(tls13.SIGNED_CERTIFICATE_TIMESTAMP, scts)
    client.handshake()
    conn, family = tls_hs.accept(lsk)
    eq(family, AF_TLS, "family")
    conn.close()
    return [exts for _, exts in client.server["chain"]]


@test
def staples(env):
    """An OCSP response and SCTs go with the leaf to who asks for them, section 4.5.1.1."""
    response, scts = ocsp(), sct_list(b"one", b"another")
    sent = {tls13.STATUS_REQUEST: b"\1" + tls13.vec(3, response)}
    sent_scts = {tls13.SIGNED_CERTIFICATE_TIMESTAMP: scts}
    for tail in (response + der(4, scts), der(4, scts) + response):
        ring = tls_hs.new_keyring(CERTIFICATE * 3 + KEY + tail)
        with env.listen(ring=ring) as lsk:
            for asked, want in (((None, None), {}), ((OCSP_REQUEST, None), sent),
                                ((None, b""), sent_scts),
                                ((OCSP_REQUEST, b""), {**sent, **sent_scts}),
                                # Other kinds of status; a responder and an extension.
                                ((b"\2anything", None), {}), ((b"\xff", b""), sent_scts),
                                ((b"\1\0\5\0\3abc\0\3xyz", None), sent)):
                eq(stapled(lsk, *asked), [want, {}, {}], f"{asked}")
            eq(stapled(lsk, OCSP_REQUEST, shares=()), [sent, {}, {}], "after a retry")
            for bad in ((b"", None), (b"\1", None), (b"\1\0\0\0", None), (b"\1\0\0\0\0\0", None),
                        (b"\1\0\3\0\2a\0\0", None), (b"\1\0\2\0\0\0\0", None), (None, b"\0")):
                try:
                    stapled(lsk, *bad)
                except tls13.AlertReceived as alert:
                    eq(alert.name, "decode_error", f"{bad}")
                    continue
                raise AssertionError(f"{bad} was accepted")
    for tail, want in ((b"", {}), (response, sent), (der(4, scts), sent_scts)):
        with env.listen(ring=tls_hs.new_keyring(CERTIFICATE + KEY + tail)) as lsk:
            eq(stapled(lsk, OCSP_REQUEST, b""), [want], "one or none")


@test
def staple_update(env):
    """An update with a new OCSP response counts from the next ClientHello on."""
    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "id", CERTIFICATE + KEY, ring)

    def update(*parts):
        payload = b"".join(parts)
        if len(payload) > 4096:
            # More than keyctl() takes.
            eq(tls_hs.add_key("tls_identity", "id", payload, ring), key, "the same key")
        else:
            tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, payload, len(payload))

    def sent(response):
        return [{tls13.STATUS_REQUEST: b"\1" + tls13.vec(3, response)}]

    with env.listen(ring=ring) as lsk:
        eq(stapled(lsk, OCSP_REQUEST), [{}], "none at first")
        ticket = visit(lsk)[1][0]
        for i in range(10):
            response = ocsp(b"%d" % i * (1 + i * 700))
            update(CERTIFICATE, KEY, response)
            eq(stapled(lsk, OCSP_REQUEST), sent(response), "all of it")
            # Without the private key: it stays, and so does the certificate.
            response = ocsp(b"update %d" % i)
            update(response)
            eq(stapled(lsk, OCSP_REQUEST), sent(response), "only the response")
        eq(served(lsk, "ecdsa.test"), CERTIFICATE, "certificate")
        # add_key() of the same description is an update as well.
        eq(tls_hs.add_key("tls_identity", "id", ocsp(b"last"), ring), key, "the same key")
        eq(stapled(lsk, OCSP_REQUEST), sent(ocsp(b"last")), "by add_key()")
        # What a client resumes does not depend on it.
        eq(resumes(lsk, ticket), True, "resumption")
        for bad, want in ((ocsp(status=3), "EBADMSG"), (ocsp(bytes(32500)), "EMSGSIZE"),
                          (ocsp() + ocsp(), "EBADMSG"), (der(4, b"\0\0"), "EBADMSG")):
            eq(error(update, bad), want, "bad update")
        eq(stapled(lsk, OCSP_REQUEST), sent(ocsp(b"last")), "as it was")
        update(CERTIFICATE, KEY)
        eq(stapled(lsk, OCSP_REQUEST), [{}], "none any more")
        tls_hs.keyctl(tls_hs.KEYCTL_READ, key, None, 0)


@test
def staple_payloads(_env):
    """What is behind a private key must be good, and nothing is without one."""
    ring = tls_hs.new_keyring()
    identity = CERTIFICATE + KEY
    for payload, want in (
            (ocsp(), "ENODATA"), (der(4, sct_list(b"x")), "ENODATA"),
            (ocsp() + identity, "EBADMSG"), (CERTIFICATE + ocsp() + KEY, "EBADMSG"),
            (identity + ocsp(status=3), "EBADMSG"), (identity + ocsp() + ocsp(), "EBADMSG"),
            (identity + der(0x30, der(10, b"\0")), "EBADMSG"),
            (identity + sct_list(b"x"), "EBADMSG"), (identity + der(4, b""), "EBADMSG"),
            (identity + der(4, sct_list(b"")), "EBADMSG"),
            (identity + der(4, sct_list(b"x") + b"\0"), "EBADMSG"),
            (identity + der(2, b"\1"), "EBADMSG"), (identity + CERTIFICATE, "EBADMSG"),
            (identity + ocsp()[:-1], "EBADMSG"), (identity + ocsp(bytes(32 * 1024)), "EMSGSIZE")):
        eq(error(tls_hs.add_key, "tls_identity", "id", payload, ring), want, payload[-20:].hex())
    # An update of a negative key.
    eq(error(tls_hs.request_key, "tls_identity", "negative", "x", ring), "ENOKEY", "request_key()")
    eq(error(tls_hs.add_key, "tls_identity", "negative", ocsp(), ring), "ENODATA", "negative key")
    tls_hs.add_key("tls_identity", "negative", identity, ring)


# --- Sizes ------------------------------------------------------------------------

def big_certificate(size):
    """The parts of a certificate that the kernel reads, and many others."""
    name = der(0x30)
    algorithm = der(0x30, der(6, bytes.fromhex("2a8648ce3d040302")))
    body = der(0x30, der(2, b"\1"), algorithm, name, der(0x30), name, der(4, os.urandom(size)))
    return der(0x30, body, algorithm, der(3, b"\0"))


@test
def long_chains(env):
    """Chains that do not fit into one record, and the longest there can be."""
    limit = 32 * 1024 - len(tls_hs.RSA_IDENTITY)
    leaf = tls_hs.RSA_IDENTITY[:-1215]
    for sizes in ((16384,), (9000, 9000), (16000, 15000 - 1500), (limit - 68,), (100,) * 15,
                  (2000,) * 14):
        chain = [leaf] + [big_certificate(size) for size in sizes]
        payload = b"".join(chain) + tls_hs.RSA_IDENTITY[-1215:]
        assert len(payload) <= 32 * 1024, len(payload)
        with env.listen(ring=tls_hs.new_keyring(payload)) as lsk:
            for limit_ext in (None, 64, 1000):
                client = connect(lsk, name="rsa.test")
                if limit_ext:
                    client.hello.set(tls13.RECORD_SIZE_LIMIT, tls13.u16s(limit_ext))
                client.handshake()
                conn, family = tls_hs.accept(lsk)
                eq(family, AF_TLS, "family")
                eq([c for c, _ in client.server["chain"]], chain, f"chain of {sizes}")
                if not limit_ext and len(payload) > 17000 + 1215:
                    eq(client.longest, 16385, "longest record")
                ping(client, conn)
    ring = tls_hs.new_keyring()
    for payload in (leaf * 17 + tls_hs.RSA_IDENTITY[-1215:],
                    leaf + big_certificate(32 * 1024) + tls_hs.RSA_IDENTITY[-1215:]):
        eq(error(tls_hs.add_key, "tls_identity", "x", payload, ring), "EMSGSIZE", "too long")


@test
def padding(env):
    """Padded records, section 5.4, in the handshake and after it."""
    with env.listen() as lsk:
        for pad in (0, 1, 255, 16384 - 36):
            client = connect(lsk)
            client.send_hello()
            client.server_hello()
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished(), pad))
            client.switch()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, "family")
            ping(client, conn)
            client.sock.sendall(client.tx.seal(tls13.APPDATA, b"padded", pad) +
                                client.tx.seal(tls13.APPDATA, b"", pad) +
                                client.tx.seal(tls13.HANDSHAKE, b"\x18\0\0\1\0", pad))
            client.tx = client.tx.updated()
            client.sock.sendall(client.tx.seal(tls13.APPDATA, b"again", pad))
            eq(recv_exact(conn, 11), b"paddedagain", f"{pad} bytes of padding")
        # One byte more than a record may have with its padding.
        client = connect(lsk)
        client.send_hello()
        client.server_hello()
        client.server_flight()
        client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished(), 16384 - 35))
        client.rx = client.app_rx
        expect_end(client, ("record_overflow",))
        client, conn = pair(lsk)
        client.sock.sendall(client.tx.seal(tls13.APPDATA, b"x", 16384))
        eq(error(conn.recv, 10), "EMSGSIZE", "after the handshake")


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
