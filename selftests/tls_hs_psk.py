#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel with external PSKs (RFC 9846, section 4.3.11): keys of
type "psk", which are NVMe's.

The client is tls13.py. Without CONFIG_NVME_KEYRING all is skipped.
"""

import errno
import os
import socket
import sys
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs import AF_TLS, F_NO_FALLBACK, F_PSK, error
from tls_hs_test import Counters, Skip, connect, eq, expect_end, ping, test

IDENTITY = "NVMe1R01 nqn.2014-08.org.nvmexpress:uuid:host nqn.2026-01.org.example:subsystem hash="
KEY = bytes(range(32))
POS_ALL, USR_ALL = 0x3f000000, 0x003f0000
POS_SEARCH, USR_SEARCH = 0x08000000, 0x00080000


def add_psk(ring, identity=IDENTITY, key=KEY):
    """A PSK in a keyring."""
    try:
        return tls_hs.add_key("psk", identity, key, ring)
    except OSError as err:
        if err.errno == errno.ENODEV:
            raise Skip("no CONFIG_NVME_KEYRING") from err
        raise


def psk_ring(*psks, identities=()):
    """A keyring with PSKs, of which each is an identity and a key."""
    ring = tls_hs.new_keyring(*identities)
    for psk in psks or [(IDENTITY, KEY)]:
        add_psk(ring, *psk)
    return ring


def offering(lsk, identity=IDENTITY, key=KEY, **kwargs):
    """A client that offers a PSK, in front of its first byte."""
    client = connect(lsk, **kwargs)
    client.hello.offer_external(identity.encode(), key)
    return client


def complete(client, lsk, flags=tls_hs.S_EXTERNAL_PSK):
    """A handshake with the PSK; neither a certificate nor a ticket is sent."""
    client.handshake()
    conn, family = tls_hs.accept(lsk)
    eq(family, AF_TLS, "family")
    status = tls_hs.status(conn)
    eq((status["flags"], status["scheme"]), (flags, 0), "TLS_HS_STATUS")
    eq(client.server["exts"][tls13.PRE_SHARED_KEY], b"\0\0", "selected_identity")
    eq(client.messages, [tls13.ENCRYPTED_EXTENSIONS, tls13.FINISHED], "the server's flight")
    conn.sendall(b"hello")
    eq(client.tickets(b"hello"), [], "tickets")
    ping(client, conn)
    return conn


def falls_back(client, lsk):
    """The ClientHello is there to be read."""
    client.send_hello()
    conn, family = tls_hs.accept(lsk)
    eq(family, socket.AF_INET, "family")
    eq(conn.recv(1 << 16), client.hello.record(), "ClientHello")
    conn.close()


def is_refused(client, alert):
    """The client gets an alert in the place of a ServerHello."""
    client.send_hello()
    expect_end(client, (alert,))


@test
def psk(env):
    """A handshake with nothing but a PSK, with and without a HelloRetryRequest."""
    for flags in (F_PSK, F_PSK | tls_hs.F_THREAD, F_PSK | tls_hs.F_SOFTIRQ):
        with env.listen(ring=psk_ring(), flags=flags) as lsk:
            with Counters(Done=1):
                complete(offering(lsk), lsk).close()
            with Counters(Done=1, Retry=1):
                client = offering(lsk, shares=())
                complete(client, lsk, tls_hs.S_EXTERNAL_PSK | tls_hs.S_RETRIED).close()


@test
def psk_without_fallback(env):
    """An unknown identity looks like a wrong binder; who has no PSK has nothing in common."""
    with env.listen(ring=psk_ring(), flags=F_PSK | F_NO_FALLBACK,
                    versions=tls_hs.VERSION_1_3) as lsk:
        complete(offering(lsk), lsk).close()
        for kwargs in ({"identity": "unknown"}, {"key": bytes(32)}):
            for shares in ({}, {"shares": ()}):
                with Counters(AlertTx=1, TxDecryptError=1):
                    is_refused(offering(lsk, **kwargs, **shares), "decrypt_error")
        with Counters(AlertTx=1, TxHandshakeFailure=1, Refused=1, FbPsk=1):
            is_refused(connect(lsk), "handshake_failure")


@test
def psk_fallback(env):
    """User space may know a PSK that is not in the keyring; a wrong binder is an alert."""
    with env.listen(ring=psk_ring(), flags=F_PSK) as lsk:
        with Counters(Fallback=3, FbPsk=3):
            falls_back(offering(lsk, identity="unknown"), lsk)
            falls_back(offering(lsk, identity="unknown", shares=()), lsk)
            falls_back(connect(lsk), lsk)
        with Counters(AlertTx=1, TxDecryptError=1):
            is_refused(offering(lsk, key=bytes(32)), "decrypt_error")


@test
def psk_or_certificate(env):
    """A server with both."""
    with env.listen(ring=psk_ring(identities=[tls_hs.P256_IDENTITY]), flags=F_PSK) as lsk:
        complete(offering(lsk), lsk).close()
        for client in (connect(lsk), offering(lsk, identity="unknown")):
            client.handshake()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, "family")
            eq(tls_hs.status(conn)["flags"], 0, "TLS_HS_STATUS")
            eq(tls13.CERTIFICATE in client.messages, True, "Certificate")
            conn.close()
        is_refused(offering(lsk, key=bytes(32)), "decrypt_error")


@test
def psk_flag(env):
    """Without the flag there are no PSKs."""
    ring = psk_ring()
    eq(error(lambda: env.listen(ring=ring)), "ENOKEY", "PSK alone")
    with env.listen(ring=psk_ring(identities=[tls_hs.P256_IDENTITY])) as lsk:
        client = offering(lsk)
        client.handshake()
        eq(tls13.CERTIFICATE in client.messages, True, "Certificate")
        tls_hs.accept(lsk)[0].close()


@test
def psk_unusable(env):
    """Too short, or for a hash that is not known."""
    def alone(*psk_):
        ring = psk_ring(psk_)
        return error(lambda: env.listen(ring=ring, flags=F_PSK))

    eq(alone("short", bytes(15)), "ENOKEY", "15 bytes")
    eq(alone("long", bytes(513)), "ENOKEY", "513 bytes")
    eq(alone("NVMe1R03 host subsystem", bytes(32)), "ENOKEY", "hash 3")
    with env.listen(ring=psk_ring(("short", bytes(15)), ("x", bytes(16))), flags=F_PSK) as lsk:
        complete(offering(lsk, identity="x", key=bytes(16)), lsk).close()
        falls_back(offering(lsk, identity="short", key=bytes(15)), lsk)


@test
def psk_hash(env):
    """The PSK of an identity that names SHA-384 does not go with this client's suite."""
    identity = IDENTITY.replace("R01", "R02")
    with env.listen(ring=psk_ring((identity, bytes(48))), flags=F_PSK) as lsk:
        with Counters(Fallback=1, FbPsk=1):
            falls_back(offering(lsk, identity=identity, key=bytes(48)), lsk)


def changes(env, filler):
    """PSKs that come and go are noticed by the next ClientHello."""
    ring = psk_ring()
    for i in range(filler):
        add_psk(ring, f"filler {i}", os.urandom(32))
    with env.listen(ring=ring, flags=F_PSK) as lsk:
        complete(offering(lsk), lsk).close()
        other = add_psk(ring, "other", bytes(32))
        complete(offering(lsk, identity="other", key=bytes(32)), lsk).close()
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, other)
        falls_back(offering(lsk, identity="other", key=bytes(32)), lsk)
        mortal = add_psk(ring, "mortal", bytes(32))
        complete(offering(lsk, identity="mortal", key=bytes(32)), lsk).close()
        tls_hs.keyctl(tls_hs.KEYCTL_SET_TIMEOUT, mortal, 1)
        time.sleep(1.5)
        falls_back(offering(lsk, identity="mortal", key=bytes(32)), lsk)
        complete(offering(lsk), lsk).close()


@test
def psk_changes(env):
    """In a small keyring, in which a PSK that takes the place of another one is noticed, too."""
    changes(env, 0)
    ring = psk_ring()
    with env.listen(ring=ring, flags=F_PSK) as lsk:
        complete(offering(lsk), lsk).close()
        add_psk(ring, IDENTITY, bytes(32))
        is_refused(offering(lsk), "decrypt_error")
        complete(offering(lsk, key=bytes(32)), lsk).close()


@test
def psk_changes_large(env):
    """In a keyring with many PSKs."""
    changes(env, 100)


@test
def psk_many(env):
    """Each of many PSKs is found."""
    psks = [(f"NVMe0R01 host{i} subsystem", os.urandom(32)) for i in range(200)]
    with env.listen(ring=psk_ring(*psks), flags=F_PSK) as lsk:
        for identity, key in psks[::20] + psks[-1:]:
            complete(offering(lsk, identity=identity, key=key), lsk).close()


@test
def psk_permission(env):
    """A PSK without search permission is not used."""
    ring = tls_hs.new_keyring()
    key = add_psk(ring)
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, (POS_ALL | USR_ALL) & ~(POS_SEARCH | USR_SEARCH))
    eq(error(lambda: env.listen(ring=ring, flags=F_PSK)), "EACCES", "TLS_HS")
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, POS_ALL | USR_ALL)
    with env.listen(ring=ring, flags=F_PSK) as lsk:
        complete(offering(lsk), lsk).close()


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
