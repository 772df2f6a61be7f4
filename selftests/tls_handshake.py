#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: complete ones, by a client of our own.

tls_handshake.c tests what needs no client. Needs nothing but Python; the test
of keys that must be refused uses openssl if there is one.
"""

import ctypes
import errno
import hashlib
import mmap
import os
import platform
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import tls13
import tls_hs
from tls13 import Client, Hello
from tls_hs import AF_TLS

KSFT_SKIP = 4
TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here."""


def test(func):
    """Registers a test."""
    TESTS.append(func)
    return func


def eq(got, want, what=""):
    """Expects equality."""
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


class Env:
    """Keys that most tests share."""

    def __init__(self):
        tls_hs.join_session()
        self.ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)

    def listen(self, family=socket.AF_INET, **kwargs):
        """A listener with both identities."""
        return tls_hs.listener(kwargs.pop("ring", self.ring), family, **kwargs)


def connect(lsk, **kwargs):
    """A client in front of its first byte."""
    addr = lsk.getsockname()
    rcvbuf = kwargs.pop("rcvbuf", 0)
    host = kwargs.pop("host", addr[0])
    if host == "::":
        host = "::1"
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(10)
    sock.connect((host, addr[1]))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Client(sock, Hello(**kwargs))


def pair(lsk, data=b"", chunk=0, **kwargs):
    """A client and the server's connection, after a handshake."""
    client = connect(lsk, **kwargs)
    client.handshake(data, chunk)
    conn, family = tls_hs.accept(lsk)
    eq(family, AF_TLS, "family")
    return client, conn


def recv_exact(conn, n):
    """n bytes from the server's connection."""
    out = b""
    while len(out) < n:
        data = conn.recv(n - len(out))
        if not data:
            break
        out += data
    return out


def ping(client, conn):
    """A few bytes both ways."""
    client.send(b"ping")
    eq(conn.recv(100), b"ping", "to the server")
    conn.sendall(b"pong")
    eq(client.recv_exact(4), b"pong", "to the client")


def expect_end(client, alerts=()):
    """The connection ends, with one of these alerts or (None in alerts) without."""
    try:
        while True:
            client.read_record()
    except tls13.AlertReceived as alert:
        if alert.name not in alerts:
            raise AssertionError(f"{alert}, want {alerts}") from alert
    except tls13.Closed:
        if alerts and None not in alerts:
            raise


@test
def families(env):
    """IPv4, IPv6 and mapped addresses: AF_TLS from accept(), the real one from others."""
    for family, addr, host in ((socket.AF_INET, ("127.0.0.1", 0), "127.0.0.1"),
                               (socket.AF_INET6, ("::1", 0), "::1"),
                               (socket.AF_INET6, ("::", 0), "127.0.0.1")):
        with env.listen(family, addr=addr) as lsk:
            client, conn = pair(lsk, host=host)
            eq(len(conn.getpeername()), 4 if family == socket.AF_INET6 else 2, "getpeername")
            eq(conn.getpeername()[1], client.sock.getsockname()[1], "port")
            ping(client, conn)


@test
def status(env):
    """TLS_HS_STATUS says what was negotiated."""
    with env.listen() as lsk:
        for group in (tls13.X25519MLKEM768, tls13.X25519, tls13.SECP256R1):
            for name, scheme in (("ecdsa.test", 0x0403), ("rsa.test", 0x0804),
                                 ("a.rsa.test", 0x0804)):
                client, conn = pair(lsk, groups=(group,), name=name)
                got = tls_hs.status(conn)
                eq(got["version"], 0x0304, "version")
                eq(got["suite"], tls13.CHACHA, "suite")
                eq(got["group"], group, "group")
                eq(got["scheme"], scheme, "scheme")
                eq(client.server["scheme"], scheme, "scheme of the client")
                eq(got["flags"], 0, "flags")
                eq(got["name"], name, "name")
                assert 0 < got["duration_us"] < 10_000_000, got
        _, conn = pair(lsk, name=None)
        eq(tls_hs.status(conn)["name"], "", "no name")


@test
def certificates(env):
    """The name chooses the identity, and the client's signature schemes do."""
    cert = {"p256": tls_hs.P256_IDENTITY, "rsa": tls_hs.RSA_IDENTITY}
    with env.listen() as lsk:
        for name, schemes, want in (
                ("ecdsa.test", (0x0403, 0x0804), "p256"), ("rsa.test", (0x0403, 0x0804), "rsa"),
                ("RSA.Test", (0x0403, 0x0804), "rsa"), ("x.rsa.test", (0x0403, 0x0804), "rsa"),
                (None, (0x0804,), "rsa"), (None, (0x0403,), "p256")):
            client, conn = pair(lsk, name=name, schemes=schemes)
            assert cert[want].startswith(client.server["cert"]), f"{name} {schemes}: not {want}"
            conn.close()


@test
def sni_strict(env):
    """With TLS_HS_F_SNI_STRICT an unknown name ends in unrecognized_name."""
    with env.listen(flags=tls_hs.F_SNI_STRICT) as lsk:
        client = connect(lsk, name="nobody.test")
        client.send_hello()
        expect_end(client, ("unrecognized_name",))
        client, conn = pair(lsk, name="rsa.test")
        ping(client, conn)


@test
def segments(env):
    """All that the client sends in segments of one and of nine bytes."""
    with env.listen() as lsk:
        for chunk in (1, 9):
            client, conn = pair(lsk, chunk=chunk)
            ping(client, conn)


@test
def early_data(env):
    """Data in the segment of Finished, and more before accept(), all in order."""
    with env.listen() as lsk:
        client, conn = pair(lsk, data=b"with the Finished")
        eq(conn.recv(100), b"with the Finished")
        ping(client, conn)

        client = connect(lsk)
        client.handshake(b"0" * 1000)
        for i in range(1, 20):
            client.send(bytes([48 + i]) * 1000)
        time.sleep(0.05)
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        eq(recv_exact(conn, 20000), b"".join(bytes([48 + i]) * 1000 for i in range(20)))
        ping(client, conn)


@test
def early_data_nonblocking(env):
    """A non-blocking first read gets what came with Finished; EAGAIN if nothing did."""
    with env.listen() as lsk:
        _, conn = pair(lsk, data=b"x")
        conn.setblocking(False)
        eq(conn.recv(10), b"x")
        client, conn = pair(lsk)
        conn.setblocking(False)
        try:
            conn.recv(10)
            raise AssertionError("recv() returned")
        except BlockingIOError:
            pass
        eq(tls_hs.readable(conn, 0), False, "poll before data")
        client.send(b"now")
        eq(tls_hs.readable(conn, 5), True, "poll after data")
        eq(conn.recv(10), b"now")


@test
def early_end(env):
    """Data and FIN before accept(): the data is read, then the end."""
    with env.listen() as lsk:
        client = connect(lsk)
        client.handshake(b"last words")
        client.sock.shutdown(socket.SHUT_WR)
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        eq(conn.recv(100), b"last words")
        eq(conn.recv(100), b"")


@test
def reset_before_accept(env):
    """A finished handshake whose client is gone does no harm."""
    with env.listen() as lsk:
        client = connect(lsk)
        client.handshake(b"data")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sock.close()
        try:
            conn, _ = tls_hs.accept(lsk, 1)
            conn.recv(100)
        except (OSError, TimeoutError):
            pass
        client, conn = pair(lsk)
        ping(client, conn)


@test
def ready_after_finished(env):
    """Nothing is readable until the Finished has come, and been right."""
    with env.listen() as lsk:
        client = connect(lsk)
        client.send_hello()
        client.server_hello()
        client.server_flight()
        eq(tls_hs.readable(lsk, 0.1), False, "before Finished")
        out = client.tx.seal(tls13.HANDSHAKE, client.finished())
        client.switch()
        client.sock.sendall(out[:-1])
        eq(tls_hs.readable(lsk, 0.1), False, "before its last byte")
        client.sock.sendall(out[-1:])
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        ping(client, conn)

        client = connect(lsk)
        client.send_hello()
        client.server_hello()
        client.server_flight()
        fin = bytearray(client.finished())
        fin[20] ^= 0x10
        client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, bytes(fin)))
        client.rx = client.app_rx
        expect_end(client, ("decrypt_error",))
        eq(tls_hs.readable(lsk, 0.1), False, "after a wrong Finished")


@test
def epoll_edges(env):
    """One edge for each finished handshake."""
    with env.listen() as lsk, select.epoll() as poll:
        poll.register(lsk, select.EPOLLIN | select.EPOLLET)
        clients = [connect(lsk) for _ in range(4)]
        for client in clients:
            client.send_hello()
            client.server_hello()
            client.server_flight()
        eq(poll.poll(0.1), [], "edge before any Finished")
        for client in clients:
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            eq(len(poll.poll(5)), 1, "no edge")
            tls_hs.accept(lsk)
        eq(poll.poll(0.1), [], "edge too many")


@test
def any_order(env):
    """Handshakes end in another order than they began."""
    # Thirty clients in Python take long on a slow machine.
    with env.listen(backlog=64, timeout_ms=60000) as lsk:
        clients = [connect(lsk) for _ in range(30)]
        for client in clients:
            client.send_hello()
        for client in clients:
            client.server_hello()
            client.server_flight()
        for i, client in reversed(list(enumerate(clients))):
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            client.send(b"%d" % i)
        seen = set()
        for _ in clients:
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS)
            i = int(conn.recv(10))
            eq(conn.getpeername()[1], clients[i].sock.getsockname()[1], "peer")
            conn.sendall(b"%d" % i)
            eq(clients[i].recv(), b"%d" % i)
            seen.add(i)
        eq(len(seen), 30)


@test
def transfers(env):
    """Some hundred kilobytes both ways."""
    data = hashlib.shake_128(b"tls").digest(200_000)
    with env.listen() as lsk:
        client, conn = pair(lsk)
        got = b""
        for i in range(0, len(data), 16384):
            client.send(data[i:i + 16384])
            got += recv_exact(conn, min(16384, len(data) - i))
        eq(got == data, True, "to the server")
        got = b""
        for i in range(0, len(data), 50_000):
            conn.sendall(data[i:i + 50_000])
            got += client.recv_exact(min(50_000, len(data) - i))
        eq(got == data, True, "to the client")


@test
def sendfile(env):
    """sendfile() works as on any kTLS socket."""
    with env.listen() as lsk, tempfile.TemporaryFile() as file:
        file.write(b"f" * 30000)
        file.flush()
        client, conn = pair(lsk)
        sent = 0
        while sent < 30000:
            sent += os.sendfile(conn.fileno(), file.fileno(), sent, 30000 - sent)
        eq(client.recv_exact(30000), b"f" * 30000)


@test
def close_sends_close_notify(env):
    """close() tells the client with an alert, section 6.1."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        ping(client, conn)
        conn.sendall(b"bye")
        conn.close()
        eq(client.recv_exact(3), b"bye")
        eq(client.recv(), b"", "close_notify")


@test
def close_notify_received(env):
    """The client's close_notify ends reading; writing goes on, section 6.1."""
    with env.listen() as lsk:
        client, conn = pair(lsk, data=b"data")
        client.send(b"\1\0", tls13.ALERT)
        eq(conn.recv(100), b"data")
        try:
            eq(conn.recv(100), b"", "end of file")
        except OSError as err:
            # kTLS gives EIO for a record that is no data to those without cmsg.
            eq(err.errno, errno.EIO)
        conn.sendall(b"still here")
        eq(client.recv_exact(10), b"still here")


@test
def shutdown_read(env):
    """shutdown(SHUT_RD) ends reading, not writing."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        ping(client, conn)
        conn.shutdown(socket.SHUT_RD)
        eq(conn.recv(100), b"", "read after SHUT_RD")
        conn.sendall(b"out")
        eq(client.recv_exact(3), b"out")
        client.send(b"\1\0", tls13.ALERT)
        time.sleep(0.02)
        eq(conn.recv(100), b"", "read after the client's close_notify")


@test
def shutdown_write(env):
    """shutdown(SHUT_WR) ends the client's reading, not ours."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        conn.shutdown(socket.SHUT_WR)
        eq(client.recv(), b"", "close_notify")
        client.send(b"in")
        eq(conn.recv(100), b"in")


@test
def restricted(env):
    """Only the suites, groups and schemes of the settings are negotiated."""
    for kwargs, hello in (({"suites": (tls13.AES128,)}, {}),
                          ({"groups": (tls13.SECP256R1,)}, {"groups": (tls13.X25519,)}),
                          ({"schemes": (tls13.RSA_PSS_SHA256,)}, {"schemes": (0x0403,)})):
        with env.listen(**kwargs) as lsk:
            client = connect(lsk, **hello)
            client.send_hello()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                if tls_hs.readable(lsk, 0.01):
                    _, family = tls_hs.accept(lsk)
                    eq(family, socket.AF_INET, f"{kwargs}: family")
                    break
                if tls_hs.readable(client.sock, 0):
                    expect_end(client, ("handshake_failure",))
                    break
            else:
                raise AssertionError(f"{kwargs}: nothing happened")
    with env.listen(groups=(tls13.SECP256R1, tls13.X25519)) as lsk:
        _, conn = pair(lsk, groups=(tls13.X25519, tls13.SECP256R1))
        eq(tls_hs.status(conn)["group"], tls13.SECP256R1, "the server's preference")


@test
def hybrid_group(env):
    """X25519MLKEM768 is preferred where there is a share for it."""
    hybrid, x25519, p256 = tls13.X25519MLKEM768, tls13.X25519, tls13.SECP256R1
    with env.listen() as lsk:
        for groups, shares, want, flags in (
                ((x25519, hybrid), None, hybrid, 0),
                ((hybrid, x25519), (x25519,), x25519, 0),
                ((hybrid, p256), (p256,), p256, 0),
                ((x25519, hybrid), (), hybrid, tls_hs.S_RETRIED),
                ((x25519, p256), None, x25519, 0)):
            client, conn = pair(lsk, groups=groups, shares=shares)
            eq(tls_hs.status(conn)["group"], want, f"{groups} {shares}")
            eq(tls_hs.status(conn)["flags"], flags, f"{groups} {shares}")
            ping(client, conn)
        pair(lsk, groups=(hybrid,), chunk=100)
        for at, byte in ((1, 0xff), (-1, None)):
            client = connect(lsk, groups=(hybrid,))
            key = client.hello.keys[hybrid]
            public = bytearray(key.public)
            if byte is None:
                # The x25519 part: a point of small order.
                public[-32:] = bytes(32)
            else:
                # A coefficient of 0xfxx is none, FIPS 203 section 7.2.
                public[at] = byte
            key.public = bytes(public)
            client.hello.set(tls13.KEY_SHARE, tls13.vec(2, client.hello.shares()))
            client.send_hello()
            expect_end(client, ("illegal_parameter",))
    with env.listen(groups=(x25519, hybrid)) as lsk:
        _, conn = pair(lsk, groups=(hybrid, x25519))
        eq(tls_hs.status(conn)["group"], x25519, "the server's preference")


def protocols(*names):
    """The body of an ALPN extension, RFC 7301 section 3.1."""
    return tls13.vec(2, b"".join(tls13.vec(1, n) for n in names))


def pair_with_alpn(lsk, *names):
    """A client that offers protocols, and the server's connection."""
    client = connect(lsk)
    if names:
        client.hello.set(tls13.ALPN, protocols(*names))
    client.handshake()
    conn, family = tls_hs.accept(lsk)
    eq(family, AF_TLS, "family")
    return client, conn


@test
def application_protocols(env):
    """TLS_HS_ALPN: the server's preference; no overlap is an alert; no list, no choice."""
    with env.listen() as lsk:
        eq(tls_hs.alpn(lsk), b"", "list at first")
        client, conn = pair_with_alpn(lsk, b"h2")
        eq(tls_hs.alpn(conn), b"", "without a list")
        eq(tls13.ALPN in client.server["encrypted_exts"], False, "extension without a list")

        tls_hs.set_alpn(lsk, b"h2", b"http/1.1")
        eq(tls_hs.alpn(lsk), b"\x02h2\x08http/1.1", "list")
        for offered, want in (((b"http/1.1", b"h2"), b"h2"), ((b"h3", b"http/1.1"), b"http/1.1"),
                              ((), b"")):
            client, conn = pair_with_alpn(lsk, *offered)
            eq(tls_hs.alpn(conn), want, f"{offered}")
            eq(client.server["encrypted_exts"].get(tls13.ALPN),
               protocols(want) if want else None, f"extension for {offered}")
            ping(client, conn)
        client = connect(lsk)
        client.hello.set(tls13.ALPN, protocols(b"h3", b"H2"))
        client.send_hello()
        expect_end(client, ("no_application_protocol",))

        # Connections that are there keep what they have, those that follow do not.
        early = connect(lsk)
        # A child has the settings of when its listener has taken it from TCP.
        time.sleep(0.1)
        tls_hs.set_alpn(lsk)
        early.hello.set(tls13.ALPN, protocols(b"h2"))
        early.handshake()
        eq(tls_hs.alpn(tls_hs.accept(lsk)[0]), b"h2", "connected before")
        eq(tls_hs.alpn(conn), b"", "connected long before")
        client, conn = pair_with_alpn(lsk, b"h3")
        eq(tls_hs.alpn(conn), b"", "list emptied")


@test
def alpn_errors(env):
    """What TLS_HS_ALPN does not take, and what it does not give."""
    with env.listen() as lsk:
        tls_hs.set_alpn(lsk, b"a" * 254)
        for bad in (b"\0", b"\x03h2", b"\x02h2\0", b"\x02h2\x02h2", b"h2", b"\1a" * 128):
            try:
                lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS_ALPN, bad)
            except OSError as err:
                eq(err.errno, errno.EINVAL, f"{bad!r}")
                continue
            raise AssertionError(f"{bad!r} was accepted")
        eq(tls_hs.alpn(lsk), b"\xfe" + b"a" * 254, "the list as it was")
        _, conn = pair_with_alpn(lsk, b"a" * 254)
        eq(tls_hs.alpn(conn), b"a" * 254, "a long name")
        for sock, size in ((lsk, 254), (conn, 253)):
            try:
                sock.getsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS_ALPN, size)
                raise AssertionError("half a name was given")
            except OSError as err:
                eq(err.errno, errno.ERANGE, "short buffer")
        try:
            conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS_ALPN, b"\x02h2")
            raise AssertionError("set on a connection")
        except OSError as err:
            eq(err.errno, errno.ENOPROTOOPT, "set on a connection")


@test
def alpn_before_settings(env):
    """The order of TLS_HS_ALPN and TLS_HS does not matter."""
    with socket.socket() as lsk:
        lsk.bind(("127.0.0.1", 0))
        lsk.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        tls_hs.set_alpn(lsk, b"h2")
        lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring))
        lsk.listen(8)
        lsk.setblocking(False)
        _, conn = pair_with_alpn(lsk, b"h2")
        eq(tls_hs.alpn(conn), b"h2")
        # New settings leave it as it is.
        lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring))
        _, conn = pair_with_alpn(lsk, b"h2")
        eq(tls_hs.alpn(conn), b"h2")


@test
def record_limits(env):
    """record_size_limit and max_fragment_length: of the flight and of all after it."""
    size, fragment = tls13.RECORD_SIZE_LIMIT, tls13.MAX_FRAGMENT_LENGTH
    u16 = tls13.u16s
    answer = (size, u16(16385))
    data = os.urandom(17000)
    # With ten intermediate certificates the flight has more than 8 KiB.
    cert = tls_hs.RSA_IDENTITY[:-1215]
    ring = tls_hs.new_keyring(cert * 10 + tls_hs.RSA_IDENTITY[-1215:])
    with env.listen(ring=ring) as lsk:
        for exts, answered, longest in (
                ([], None, 16385),
                ([(size, u16(64))], answer, 64), ([(size, u16(65))], answer, 65),
                ([(size, u16(1000))], answer, 1000), ([(size, u16(16384))], answer, 16384),
                ([(size, u16(16385))], answer, 16385), ([(size, u16(65535))], answer, 16385),
                # The type of the content does not count here, RFC 6066 section 4.
                ([(fragment, b"\1")], (fragment, b"\1"), 513),
                ([(fragment, b"\4")], (fragment, b"\4"), 4097),
                # RFC 8449, section 5.
                ([(fragment, b"\1"), (size, u16(2000))], answer, 2000),
                ([(size, u16(2000)), (fragment, b"\5")], answer, 2000)):
            client = connect(lsk, name="rsa.test")
            client.hello.exts += exts
            client.handshake()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, "family")
            got = client.server["encrypted_exts"]
            eq([(e, d) for e, d in got.items() if e in (size, fragment)],
               [answered] if answered else [], f"answer to {exts}")
            if longest < 5000:
                eq(client.longest, longest, f"flight with {exts}")
            client.longest = 0
            conn.sendall(data)
            eq(client.recv_exact(len(data)) == data, True, "data")
            eq(client.longest, longest, f"data with {exts}")
            eq(int.from_bytes(conn.getsockopt(tls_hs.SOL_TLS, tls_hs.TLS_TX_MAX_PAYLOAD_LEN, 2),
                              sys.byteorder), longest - 1, "TLS_TX_MAX_PAYLOAD_LEN")
            # What the client sends is not limited by what it wants to get.
            client.send(data[:16384])
            eq(recv_exact(conn, 16384) == data[:16384], True, "to the server")
            conn.close()
            eq(client.recv(), b"", "close_notify")
        for exts in ([(size, u16(63))], [(size, u16(0))], [(fragment, b"\0")],
                     [(fragment, b"\5")]):
            client = connect(lsk, name="rsa.test")
            client.hello.exts += exts
            client.send_hello()
            expect_end(client, ("illegal_parameter",))


@test
def keyring_changes(env):
    """Identities come and go while the listener listens."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        client = connect(lsk, name="rsa.test")
        client.send_hello()
        expect_end(client, ("unrecognized_name",))
        key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
        # The first handshake may still see the old set, not those after it.
        for _ in range(50):
            try:
                client = connect(lsk, name="rsa.test")
                client.handshake()
                break
            except tls13.AlertReceived:
                time.sleep(0.02)
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        ping(client, conn)
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
        old_client = client
        for _ in range(50):
            client = connect(lsk, name="rsa.test")
            client.send_hello()
            try:
                client.server_hello()
                time.sleep(0.02)
            except tls13.AlertReceived as alert:
                eq(alert.name, "unrecognized_name")
                break
        else:
            raise AssertionError("a revoked identity is still in use")
        # Connections that are open stay so.
        ping(old_client, conn)


def served(lsk, name, **kwargs):
    """The leaf that a client gets for a name; None if the name is unknown or it falls back."""
    client = connect(lsk, name=name, **kwargs)
    client.send_hello()
    deadline = time.monotonic() + 10
    while not tls_hs.readable(client.sock, 0) and time.monotonic() < deadline:
        if tls_hs.readable(lsk, 0.01):
            eq(tls_hs.accept(lsk)[1], socket.AF_INET, "family")
            return None
    try:
        client.server_hello()
    except tls13.AlertReceived as alert:
        eq(alert.name, "unrecognized_name")
        return None
    client.server_flight()
    return client.server["cert"]


class UnderWay:
    """A handshake that is under way while something changes, and then ends well."""

    def __init__(self, lsk, name):
        self.lsk, self.client = lsk, connect(lsk, name=name)

    def __enter__(self):
        self.client.send_hello()
        self.client.server_hello()
        self.client.server_flight()

    def __exit__(self, kind, *_):
        if kind:
            return
        self.client.sock.sendall(self.client.tx.seal(tls13.HANDSHAKE, self.client.finished()))
        self.client.switch()
        conn, family = tls_hs.accept(self.lsk)
        eq(family, AF_TLS)
        ping(self.client, conn)


def within_a_second(lsk, name, leaf):
    """What a client gets for a name changes to that, at the latest with the next look."""
    served(lsk, name)
    time.sleep(1.5)
    served(lsk, name)
    time.sleep(0.5)
    eq(served(lsk, name), leaf, "within a second")


RSA_LEAF, P256_LEAF = tls_hs.RSA_IDENTITY[:-1215], tls_hs.P256_IDENTITY[:-138]


@test
def key_update(env):
    """A key that is replaced counts from the next ClientHello on."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "other", tls_hs.P256_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for _ in range(10):
            eq(served(lsk, "rsa.test"), None, "before")
            with UnderWay(lsk, "ecdsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, tls_hs.RSA_IDENTITY,
                              len(tls_hs.RSA_IDENTITY))
                eq(served(lsk, "rsa.test"), RSA_LEAF, "after")
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, tls_hs.P256_IDENTITY,
                              len(tls_hs.P256_IDENTITY))


@test
def key_unlink(env):
    """So does one that is unlinked, even if another one takes its place."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    # Keys that nobody possesses cannot be linked.
    spare = tls_hs.new_keyring()
    other = tls_hs.add_key("tls_identity", "other", tls_hs.P256_IDENTITY, spare)
    tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, spare)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for _ in range(5):
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
                eq(served(lsk, "rsa.test"), None, "unlinked")
            tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "linked")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
        tls_hs.keyctl(tls_hs.KEYCTL_LINK, other, ring)
        # As many keys as before.
        eq(served(lsk, "rsa.test"), None, "exchanged")
        # Among many it is seen within a second.
        for i in range(20):
            tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
        eq(served(lsk, "rsa.test"), None, "many")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, other, ring)
        tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, ring)
        within_a_second(lsk, "rsa.test", RSA_LEAF)


@test
def key_invalidate(env):
    """A key that is invalidated is not used once more, nor is one of an invalidated keyring."""
    for others in (0, 20):
        ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
        for i in range(others):
            tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
        key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
        with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
            eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
            tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, key)
            eq([served(lsk, "rsa.test") for _ in range(3)], [None] * 3, "key")
            eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")
            tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, ring)
            eq(served(lsk, "ecdsa.test"), None, "keyring")


@test
def key_of_name(env):
    """The same for the keyring of a server name, when the ClientHello comes in two parts."""
    own = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with env.listen(ring=own) as lsk:
        tls_hs.set_sni(lsk, "rsa.test", ring)
        # Looks into the listener's own keyring count for nothing here.
        for i in range(5):
            tls_hs.add_key("tls_ticket", f"t{i}", os.urandom(48), own)
            served(lsk, "ecdsa.test")
        for i in range(5):
            key = tls_hs.add_key("tls_identity", f"rsa{i}", tls_hs.RSA_IDENTITY, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "added")
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
            client = connect(lsk, name="rsa.test")
            record = client.hello.record()
            client.transcript += client.hello.message()
            client.sock.sendall(record[:60])
            time.sleep(0.05)
            client.sock.sendall(record[60:])
            client.server_hello()
            client.server_flight()
            eq(client.server["cert"], P256_LEAF, "revoked")


@test
def key_permission(env):
    """Identities need search permission."""
    # View and set attributes, for the user; view, read and set attributes for possessors.
    without, default = 0x23210000, 0x3f210000
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
        tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, without)
        within_a_second(lsk, "rsa.test", None)
        eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")
        tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, default)
        within_a_second(lsk, "rsa.test", RSA_LEAF)

    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, without)
    try:
        tls_hs.listener(ring)
        raise AssertionError("an identity without permission is used")
    except OSError as err:
        eq(err.errno, errno.EACCES, "no permission")
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, default)
    tls_hs.listener(ring).close()


@test
def key_timeout(env):
    """So does one whose timeout is set while it is in use, when that is over."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
        with UnderWay(lsk, "rsa.test"):
            tls_hs.keyctl(tls_hs.KEYCTL_SET_TIMEOUT, key, 2)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "in time")
            time.sleep(3.1)
            eq(served(lsk, "rsa.test"), None, "expired")
        eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")


@test
def key_revoke(env):
    """A key that is revoked is not used once more, among a thousand others either."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    for i in range(1000):
        tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for i in range(10):
            key = tls_hs.add_key("tls_identity", f"rsa{i}", tls_hs.RSA_IDENTITY, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "added")
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
                eq([served(lsk, "rsa.test") for _ in range(3)], [None] * 3, "revoked")
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, ring)
        eq(served(lsk, "ecdsa.test"), None, "revoked keyring")


@test
def identities(env):
    """Two identities for one name, wildcards, and the default one."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")

    def identity(algorithm, names):
        with tempfile.TemporaryDirectory() as folder:
            alt = ",".join(f"DNS:{name}" for name in names)
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey",
                            *algorithm, "-keyout", "k", "-out", "c.der", "-outform", "DER",
                            "-addext", f"subjectAltName={alt}"],
                           cwd=folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform",
                            "DER", "-out", "k.der"], cwd=folder, check=True)
            with open(f"{folder}/c.der", "rb") as c, open(f"{folder}/k.der", "rb") as k:
                return c.read(), k.read()

    p256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    both = {0x0403: identity(p256, ("both.test", "*.wild.test")),
            0x0804: identity(("rsa:2048",), ("Both.test", "*.wild.test"))}
    exact = identity(p256, ("exact.wild.test",))
    ring = tls_hs.new_keyring()
    for name, payload in (("b", tls_hs.RSA_IDENTITY), ("a", tls_hs.P256_IDENTITY), ("e", exact),
                          ("c", both[0x0804]), ("d", both[0x0403])):
        tls_hs.add_key("tls_identity", name, b"".join(payload) if name in "cde" else payload, ring)
    with env.listen(ring=ring) as lsk:
        for name in ("both.test", "BOTH.test.", "x.wild.test"):
            for scheme in both:
                eq(served(lsk, name, schemes=(scheme,)), both[scheme][0], f"{name} {scheme:04x}")
            eq(served(lsk, name, schemes=(0x0804, 0x0403)), both[0x0403][0], f"{name}, any")
        eq(served(lsk, "exact.wild.test"), exact[0], "the exact name comes first")
        eq(served(lsk, "exact.wild.test", schemes=(0x0804,)), None, "but is not replaced")
        for name in (None, "nobody.test", "wild.test", "x.y.wild.test", "*.test"):
            eq(served(lsk, name), P256_LEAF, f"{name}: default")
            eq(served(lsk, name, schemes=(0x0804,)), RSA_LEAF, f"{name}: default for RSA")
    with env.listen(ring=ring, schemes=(0x0804, 0x0403)) as lsk:
        eq(served(lsk, "both.test"), both[0x0804][0], "the server's preference")
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, None), P256_LEAF, "no name")
        eq(served(lsk, "x.y.wild.test"), None, "unknown name")


@test
def chains(env):
    """signature_algorithms_cert and certificate_authorities, sections 4.3.3 and 4.3.4."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    leaves, names = {}, {}
    ring = tls_hs.new_keyring()
    with tempfile.TemporaryDirectory() as folder:
        def openssl(*args):
            subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

        def read(name):
            with open(f"{folder}/{name}", "rb") as file:
                return file.read()

        p256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        with open(f"{folder}/ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:chain.test\n")
        openssl("req", "-new", "-nodes", "-subj", "/", "-newkey", *p256, "-keyout", "k", "-out", "r")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform", "DER", "-out", "k.der")
        for name, algorithm, digest in (("ec", p256, "sha256"), ("rsa", ("rsa:2048",), "sha384"),
                                        ("sha1", ("rsa:2048",), "sha1")):
            # A common name of one character: SEQUENCE, SET, SEQUENCE, 2.5.4.3, UTF8String.
            names[name] = bytes.fromhex("300c310a300806035504030c01") + name[0].encode()
            openssl("req", "-x509", "-nodes", "-subj", f"/CN={name[0]}", "-newkey", *algorithm,
                    "-keyout", "ca.key", "-out", "ca.pem")
            openssl("x509", "-req", "-in", "r", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile",
                    "ext", "-set_serial", "1", f"-{digest}", "-outform", "DER", "-out", "l.der")
            leaves[name] = read("l.der")
            tls_hs.add_key("tls_identity", name, leaves[name] + read("k.der"), ring)

    def got(signatures=None, authorities=None, schemes=(0x0403,)):
        client = connect(lsk, name="chain.test", schemes=schemes)
        if signatures:
            client.hello.set(50, tls13.vec(2, tls13.u16s(*signatures)))
        if authorities:
            client.hello.set(47, tls13.vec(2, b"".join(
                tls13.vec(2, names[name]) for name in authorities)))
        client.send_hello()
        client.server_hello()
        client.server_flight()
        return [name for name, leaf in leaves.items() if leaf == client.server["cert"]]

    with env.listen(ring=ring) as lsk:
        eq(got((0x0403,)), ["ec"], "ECDSA in chains")
        eq(got((0x0501,)), ["rsa"], "RSA in chains")
        eq(got((0x0501, 0x0201)), ["rsa"], "SHA-1 as well")
        eq(got((0x0201,)), ["sha1"], "SHA-1 only")
        eq(got((0x0601,)), ["ec"], "none that there is")
        eq(got(schemes=(0x0403, 0x0501)), ["ec"], "one list for both")
        eq(got(authorities=("rsa",)), ["ec"], "what can be verified comes first")
        eq(got((0x0403, 0x0501), ("rsa",)), ["rsa"], "authority")
        eq(got((0x0403, 0x0501), ("sha1", "ec", "rsa")), ["ec"], "authorities")


@test
def sni_settings(env):
    """TLS_HS_SNI: settings for a name, for a wildcard, and the listener's own."""
    p256, rsa = (tls_hs.new_keyring(i) for i in (tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY))
    with env.listen(ring=p256) as lsk:
        eq(served(lsk, "rsa.test"), P256_LEAF, "before")
        tls_hs.set_sni(lsk, "*.rsa.test", rsa)
        tls_hs.set_sni(lsk, "Client.RSA.test.", rsa, flags=tls_hs.F_CLIENT_CERT)
        tls_hs.set_sni(lsk, "p256.test", p256, groups=(tls13.SECP256R1,))
        for name, want in (("a.rsa.test", RSA_LEAF), ("A.rsa.TEST.", RSA_LEAF),
                           ("rsa.test", P256_LEAF), ("a.b.rsa.test", P256_LEAF),
                           ("client.rsa.test", None), ("other.test", P256_LEAF),
                           (None, P256_LEAF)):
            eq(served(lsk, name), want, name)
        # HelloRetryRequest, in pieces, in several records.
        client, conn = pair(lsk, name="p256.test", groups=(tls13.X25519, tls13.SECP256R1),
                            shares=(tls13.X25519,), chunk=7)
        eq(tls_hs.status(conn)["group"], tls13.SECP256R1, "group")
        ping(client, conn)
        client = connect(lsk, name="a.rsa.test")
        client.transcript = client.hello.message()
        client.sock.sendall(tls13.records(tls13.HANDSHAKE, client.transcript, 50))
        client.server_hello()
        client.server_flight()
        eq(client.server["cert"], RSA_LEAF, "several records")

        # The settings' own keyring counts, and a child keeps what it began with.
        with UnderWay(lsk, "a.rsa.test"):
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, rsa)
            eq(served(lsk, "a.rsa.test"), None, "revoked")
            tls_hs.set_sni(lsk, "*.rsa.test", 0)
            eq(served(lsk, "a.rsa.test"), P256_LEAF, "taken away")
        tls_hs.set_sni(lsk, "client.rsa.test", p256)
        eq(served(lsk, "client.rsa.test"), P256_LEAF, "replaced")
        for i in range(1000):
            tls_hs.set_sni(lsk, f"n{i}.test", p256, suites=(tls13.AES128,))
        eq(served(lsk, "n999.test"), None, "no common suite")
        eq(served(lsk, "n1000.test"), P256_LEAF, "not among a thousand")
        for name, ring, want in (("", p256, errno.EINVAL), ("*", p256, errno.EINVAL),
                                 ("a.*.test", p256, errno.EINVAL), ("x" * 256, p256, errno.EINVAL),
                                 ("b\u00fccher.test", p256, errno.EINVAL),
                                 ("a b.test", p256, errno.EINVAL), ("a\n.test", p256, errno.EINVAL),
                                 ("127.0.0.1", p256, errno.EINVAL), ("::1", p256, errno.EINVAL),
                                 ("a..test", p256, errno.EINVAL), ("*.*.test", p256, errno.EINVAL),
                                 ("unknown.test", 0, errno.ENOENT), ("a.test", 1, errno.ENOKEY)):
            try:
                tls_hs.set_sni(lsk, name, ring)
            except OSError as err:
                eq(err.errno, want, name)
            else:
                raise AssertionError(f"{name!r} was accepted")


@test
def names(env):
    """What is a name is the same in settings, identities, tickets and TLS_HS_STATUS."""
    p256, rsa = tls_hs.new_keyring(tls_hs.P256_IDENTITY), tls_hs.new_keyring(tls_hs.RSA_IDENTITY)
    with env.listen(ring=p256) as lsk:
        tls_hs.set_sni(lsk, "Www.Example.TEST.", rsa)
        tls_hs.set_sni(lsk, "*.wild.TEST", rsa)

        def visit(name, ticket=None):
            client = connect(lsk, name=None)
            raw = name if isinstance(name, bytes) else name.encode()
            client.hello.exts.insert(0, (tls13.SERVER_NAME, tls13.vec(2, b"\0" + tls13.vec(2, raw))))
            client.hello.offer(ticket)
            client.handshake()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, "family")
            conn.sendall(b"x")
            tickets = client.tickets(b"x")
            shown = tls_hs.status(conn)["name"]
            conn.close()
            return client.resumed or client.server["cert"] == RSA_LEAF, shown, tickets

        ticket = visit("www.example.test")[2][0]
        for name in ("www.example.test", "WWW.EXAMPLE.test", "www.example.test."):
            chosen, shown, _ = visit(name)
            eq((chosen, shown), (True, "www.example.test"), name)
            chosen, shown, tickets = visit(name, ticket)
            eq((chosen, shown, len(tickets)), (True, "www.example.test", 1), f"{name}, resumed")
            ticket = tickets[0]
        for name, want in (("A.Wild.Test.", True), ("a.b.wild.test", False), ("a..wild.test", False),
                           (".wild.test", False), ("127.0.0.1", False), ("*.wild.test", False),
                           ("www.example.test..", False), ("x" * 64 + ".wild.test", False)):
            chosen, shown, _ = visit(name)
            eq(chosen, want, name)
            eq(shown, name.lower().rstrip(".") if want or name == "a.b.wild.test" else "", name)
        for name in ("b\u00fccher.test".encode(), b"a\n.wild.test", b"a\0.wild.test", b"a wild.test"):
            client = connect(lsk, name=None)
            client.hello.exts.insert(0, (tls13.SERVER_NAME, tls13.vec(2, b"\0" + tls13.vec(2, name))))
            client.send_hello()
            expect_end(client, ("illegal_parameter",))


class Counters:
    """Expects that counters grow by so much, and others of handshakes but bytes do not."""

    def __init__(self, **want):
        self.want = {f"TlsHs{name}": n for name, n in want.items()}
        self.before = None

    def __enter__(self):
        self.before = tls_hs.counters()
        return self

    def _grown(self):
        after = tls_hs.counters()
        return {name: n - self.before[name] for name, n in after.items()
                if name.startswith("TlsHs") and n != self.before[name] and "Bytes" not in name}

    def __exit__(self, kind, *_):
        deadline = time.monotonic() + 5
        while not kind and self._grown() != self.want and time.monotonic() < deadline:
            time.sleep(0.01)
        if not kind:
            eq(self._grown(), self.want, "counters")


@test
def counters_done(env):
    """/proc/net/tls_stat: complete handshakes and those with a HelloRetryRequest."""
    with env.listen() as lsk:
        with Counters(Done=1):
            pair(lsk)
        with Counters(Done=1, Retry=1):
            pair(lsk, shares=())
        with Counters(Reset=1):
            client = connect(lsk)
            client.send_hello()
            client.server_hello()
            client.sock.close()
        with Counters(AlertRx=1):
            client = connect(lsk)
            client.sock.sendall(tls13.record(tls13.ALERT, b"\2\50"))
            expect_end(client, (None,))
    with env.listen(timeout_ms=100) as lsk, Counters(Timeout=1):
        expect_end(connect(lsk), (None,))


@test
def counters_bytes(env):
    """/proc/net/tls_stat: bytes of handshakes, not of what comes after them."""
    with env.listen() as lsk:
        before = tls_hs.counters()
        client, conn = pair(lsk, data=b"data of the client")
        eq(conn.recv(100), b"data of the client", "data")
        hello, finished = len(client.hello.record()), 5 + 4 + 32 + 1 + 16
        for _ in range(3):
            ping(client, conn)
        after = tls_hs.counters()
        eq(after["TlsHsBytesRx"] - before["TlsHsBytesRx"], hello + 6 + finished, "received")
        eq(after["TlsHsBytesTx"] - before["TlsHsBytesTx"], client.flight_len, "sent")


@test
def counters_fallback(env):
    """/proc/net/tls_stat: why connections fall back."""
    def falls_back(reason, hello=lambda h: None, urgent=False, **kwargs):
        with env.listen(**kwargs) as lsk, Counters(**{"Fallback": 1, f"Fb{reason}": 1}):
            client = connect(lsk)
            hello(client.hello)
            if urgent:
                client.sock.send(b"u", socket.MSG_OOB)
            client.sock.sendall(tls13.records(tls13.HANDSHAKE, client.hello.message(), 8000))
            _, family = tls_hs.accept(lsk)
            eq(family, socket.AF_INET, reason)

    falls_back("Version", lambda h: h.drop(tls13.SUPPORTED_VERSIONS))
    falls_back("Suite", suites=(tls13.AES128,))
    falls_back("Group", groups=(tls13.SECP256R1,))
    falls_back("Sigalg", schemes=(tls13.RSA_PSS_SHA256,), hello=lambda h: h.set(
        tls13.SIGNATURE_ALGORITHMS, b"\0\2\4\3"))
    falls_back("HelloSize", lambda h: h.set(0xff00, bytes(17000)))
    falls_back("Urgent", urgent=True)
    falls_back("ClientCert", flags=tls_hs.F_CLIENT_CERT)
    psk = tls13.vec(2, tls13.vec(2, b"ticket") + bytes(4)) + tls13.vec(2, b"\40" + bytes(32))
    falls_back("NotSupported", lambda h: h.drop(tls13.SIGNATURE_ALGORITHMS).set(
        tls13.PSK_MODES, b"\1\1").set(tls13.PRE_SHARED_KEY, psk))
    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "id", tls_hs.P256_IDENTITY, ring)
    with env.listen(ring=ring) as lsk, Counters(Fallback=1, FbNoIdentity=1):
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
        connect(lsk).send_hello()
        _, family = tls_hs.accept(lsk)
        eq(family, socket.AF_INET, "no identity")


@test
def hello_in_small_records(env):
    """A ClientHello of up to 16 KiB is served in records of any size and segments of any size.

    The limit counts bytes of the message, not of its records.
    """
    def filled(client, total):
        client.hello.set(0xff00, b"")
        room = total - len(client.hello.message())
        client.hello.set(0xff00, bytes(room))
        eq(len(client.hello.message()), total, "length")
        return client.hello.message()

    with env.listen() as lsk:
        tls_hs.set_sni(lsk, "named.test", tls_hs.new_keyring(tls_hs.P256_IDENTITY))
        for total, record, segment, kwargs in (
                (16384, 16384, 0, {}), (16384, 1, 0, {}), (16384, 1, 1448, {}), (16384, 2, 7, {}),
                (16384, 100, 100, {}), (600, 1, 1, {}), (600, 600, 1, {}), (3000, 1, 3, {}),
                (16384, 1, 0, {"name": "named.test"}), (600, 3, 1, {"name": "named.test"}),
                (16384, 1, 1448, {"groups": (tls13.SECP256R1, tls13.X25519), "shares": ()})):
            client = connect(lsk, **kwargs)
            what = f"{total} bytes in records of {record}, segments of {segment}, {kwargs}"
            for _ in range(2 if kwargs.get("shares") == () else 1):
                message = filled(client, total)
                client.transcript += message
                tls13.send_chunks(client.sock, tls13.records(tls13.HANDSHAKE, message, record),
                                  segment)
                try:
                    client.server_hello(auto_retry=False)
                    if client.retried and not client.rx:
                        client.retry_hello(tls13.X25519)
                except tls13.Closed as err:
                    raise AssertionError(what) from err
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, what)
            ping(client, conn)
            conn.close()
    for record in (1, 16384):
        with env.listen() as lsk, Counters(Fallback=1, FbHelloSize=1):
            client = connect(lsk)
            message = filled(client, 16385)
            client.sock.sendall(tls13.records(tls13.HANDSHAKE, message, record))
            eq(tls_hs.accept(lsk)[1], socket.AF_INET, "one byte more")


@test
def counters_alerts(env):
    """/proc/net/tls_stat: alerts by description."""
    def refused(alert, change=lambda h: None, bytes_=None, flight=None, **kwargs):
        name = "".join(word.capitalize() for word in alert.split("_"))
        with env.listen(**kwargs) as lsk, Counters(**{"AlertTx": 1, f"Tx{name}": 1}):
            client = connect(lsk, name="nobody.test")
            change(client.hello)
            if bytes_:
                client.sock.sendall(bytes_)
            else:
                client.send_hello()
            if flight:
                client.server_hello()
                client.server_flight()
                client.sock.sendall(flight(client))
                client.rx = client.app_rx
            expect_end(client, (alert,))

    def wrong_finished(client):
        return client.tx.seal(tls13.HANDSHAKE, b"\x14\0\0\x20" + bytes(32))

    refused("unexpected_message", bytes_=tls13.record(tls13.APPDATA, bytes(5)))
    refused("bad_record_mac", flight=lambda _: tls13.record(tls13.APPDATA, bytes(40), 0x303))
    refused("record_overflow", bytes_=b"\x16\3\1\xff\xff" + bytes(40))
    refused("handshake_failure", lambda h: h.drop(tls13.SUPPORTED_VERSIONS),
            tls12_suites=(0xc02b,))
    refused("illegal_parameter", lambda h: setattr(h, "compression", b"\1\0"))
    refused("decode_error", lambda h: h.set(tls13.SUPPORTED_GROUPS, b"\0\0"))
    refused("decrypt_error", flight=wrong_finished)
    refused("protocol_version", lambda h: h.drop(tls13.SUPPORTED_VERSIONS),
            versions=tls_hs.VERSION_1_3)
    refused("inappropriate_fallback", lambda h: setattr(
        h.drop(tls13.SUPPORTED_VERSIONS), "suites", b"\xc0\x2b\x56\0"))
    refused("missing_extension", lambda h: h.drop(tls13.KEY_SHARE))
    refused("unrecognized_name", flags=tls_hs.F_SNI_STRICT)


class Trace:
    """The events of the trace system tls_handshake."""

    FOLDER = "/sys/kernel/tracing/"

    def __init__(self):
        if not os.path.exists(self.FOLDER + "events/tls_handshake"):
            raise Skip("no trace events")

    def _write(self, name, text):
        with open(self.FOLDER + name, "w", encoding="ascii") as file:
            file.write(text)

    def __enter__(self):
        self._write("trace", "")
        self._write("events/tls_handshake/enable", "1")
        self._write("tracing_on", "1")
        return self

    def __exit__(self, *_):
        self._write("events/tls_handshake/enable", "0")

    def wait(self, port, count):
        """Events of a listener's port, in order, without pointers and ports."""
        deadline = time.monotonic() + 5
        found = []
        while len(found) < count and time.monotonic() < deadline:
            time.sleep(0.02)
            with open(self.FOLDER + "trace", encoding="ascii") as file:
                lines = [line for line in file if f"sport={port} " in line]
            found = [re.sub(r"sk=\S+ sport=\d+ dport=\d+ ?", "",
                            line[line.index("tls_handshake_"):]).strip() for line in lines]
        return found


@test
def trace_events(env):
    """Events tell how each handshake begins and ends, with suite, group and duration."""
    chosen = r"suite=0x1303 group=0x001d ns=([1-9]\d*)$"
    none = r"suite=0x0000 group=0x0000 ns=([1-9]\d*)$"
    start = "tls_handshake_start:$"

    def check(what, run, *want, **kwargs):
        with env.listen(**kwargs) as lsk, Trace() as trace:
            run(lsk)
            got = trace.wait(lsk.getsockname()[1], len(want))
            eq(len(got), len(want), f"{what}: {got}")
            for line, pattern in zip(got, want):
                assert re.match(pattern, line), f"{what}: {line!r} is not {pattern!r}"

    def hello(change=lambda h: None, more=lambda c: None, **kwargs):
        def run(lsk):
            client = connect(lsk, **kwargs)
            change(client.hello)
            client.send_hello()
            more(client)
        return run

    def answered(then):
        def run(client):
            client.server_hello()
            client.server_flight()
            then(client)
        return run

    check("done", pair, start, "tls_handshake_done: suite=0x1303 group=0x001d scheme=0x0403 flags= "
          r"ns=([1-9]\d*)$")
    check("retried", lambda lsk: pair(lsk, shares=()), start,
          "tls_handshake_done: suite=0x1303 group=0x001d scheme=0x0403 flags=retried ns=")
    check("fallback", hello(lambda h: h.drop(tls13.SUPPORTED_VERSIONS)), start,
          r"tls_handshake_fallback: reason=version ns=([1-9]\d*)$")
    check("alert", hello(lambda h: h.drop(tls13.KEY_SHARE)), start,
          "tls_handshake_alert: sent alert=109 " + none)
    check("later alert", hello(more=answered(lambda c: c.sock.sendall(tls13.record(22, b"x")))),
          start, "tls_handshake_alert: sent alert=10 " + chosen)
    check("client's alert", hello(more=answered(lambda c: c.sock.sendall(
        c.tx.seal(tls13.ALERT, b"\2\52")))), start,
        "tls_handshake_alert: received alert=42 " + chosen)
    check("reset", hello(more=answered(lambda c: c.sock.close())), start,
          "tls_handshake_reset: " + chosen)
    check("timeout", hello(more=answered(lambda c: time.sleep(0.2))), start,
          "tls_handshake_timeout: " + chosen, timeout_ms=100)
    check("alert after it", lambda lsk: late_alert(*pair(lsk)), start, "tls_handshake_done: ",
          "tls_handshake_alert: sent alert=10 " + chosen)


def late_alert(client, conn):
    """Has a connection end with an alert after its handshake."""
    client.send(b"\x01\0\0\0", tls13.HANDSHAKE)
    try:
        conn.recv(1)
    except OSError as err:
        eq(err.errno, errno.EPROTO)


@test
def inet_diag(env):
    """What `ss -i` shows says that the kernel did the handshake, and how."""
    group, scheme, flags, duration, handshake = 1, 2, 3, 4, 8
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close()
    except OSError as err:
        raise Skip("no sock_diag") from err
    for family in (socket.AF_INET, socket.AF_INET6):
        with env.listen(family) as lsk:
            client, conn = pair(lsk, groups=(tls13.SECP256R1,), shares=(), name="rsa.test")
            info = tls_hs.diag_tls(conn)
            eq(int.from_bytes(info[1], sys.byteorder), 0x0304, "TLS_INFO_VERSION")
            # The nested attributes.
            nested = tls_hs._attributes(info[handshake])  # pylint: disable=protected-access
            got = {k: int.from_bytes(v, sys.byteorder) for k, v in nested.items()}
            status_ = tls_hs.status(conn)
            eq(got, {group: tls13.SECP256R1, scheme: tls13.RSA_PSS_SHA256,
                     flags: tls_hs.S_RETRIED, duration: status_["duration_us"]}, "handshake")
            # The client's end has no ULP, and one under way no handshake yet.
            eq(tls_hs.diag_tls(client.sock), None, "client")


@test
def timeout(env):
    """A client that stops after the server's flight is dropped in time."""
    with env.listen(timeout_ms=1000) as lsk:
        start = time.monotonic()
        client = connect(lsk)
        client.send_hello()
        client.server_hello()
        client.server_flight()
        client.rx = client.app_rx
        expect_end(client, (None, "user_canceled", "internal_error", "handshake_failure",
                            "close_notify"))
        took = time.monotonic() - start
        # A tick earlier than after a second: the first one is not a whole one.
        assert 0.98 < took < 6, f"{took} s"
        eq(tls_hs.readable(lsk, 0.05), False, "readable")


def change_a_key(ring=tls_hs.SESSION_KEYRING):
    """Changes a key that no listener has anything to do with."""
    tls_hs.add_key("tls_ticket", "of nobody", os.urandom(48), ring)


@test
def timeout_after_key_change(env):
    """A handshake that had to wait for a look into the keyring still ends in time."""
    with env.listen(timeout_ms=500) as lsk:
        client = connect(lsk)
        change_a_key()
        client.sock.sendall(b"\x16")
        start = time.monotonic()
        expect_end(client, (None,))
        took = time.monotonic() - start
        assert 0.1 < took < 5, f"{took} s"


@test
def changes_of_other_keys(env):
    """Who changes keys all the time does not keep others from shaking hands."""
    with env.listen(timeout_ms=3000) as lsk:
        before = tls_hs.counters()
        child = os.fork()
        if not child:
            try:
                tls_hs.join_session()
                while os.getppid() != 1:
                    change_a_key()
            finally:
                os._exit(0)
        try:
            for _ in range(5):
                client, conn = pair(lsk)
                ping(client, conn)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        eq(tls_hs.counters()["TlsHsTimeout"], before["TlsHsTimeout"], "TlsHsTimeout")


def silent(lsk, count):
    """So many clients that only connect, if the backlog lets them."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.setblocking(False)
        try:
            sock.connect(lsk.getsockname())
        except BlockingIOError:
            pass
    return socks


@test
def backlog_filled_at_once(env):
    """Silent clients that are more than the backlog keep nobody waiting."""
    with env.listen(backlog=8, timeout_ms=60000) as lsk:
        socks = silent(lsk, 24)
        start = time.monotonic()
        client = connect(lsk)
        client.handshake()
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        ping(client, conn)
        if time.monotonic() - start > 0.9:
            raise AssertionError("it has waited for a SYN to be sent again")
        for sock in socks:
            sock.close()


def is_open(sock):
    """Whether nothing has come, not even an end."""
    return not tls_hs.readable(sock, 0)


@test
def evicted_first(env):
    """The oldest silent client is evicted first; without, the oldest that has been answered."""
    with env.listen(timeout_ms=60000, groups=(23,), max_handshakes=4) as lsk:
        before = tls_hs.counters()["TlsHsOverload"]
        answered = []
        for _ in range(2):
            client = connect(lsk, groups=(29, 23), shares=(29,))
            client.send_hello()
            client.read_record()
            answered.append(client.sock)
        socks = silent(lsk, 2)
        time.sleep(1.2)
        eq([is_open(s) for s in answered + socks], [True] * 4)
        socks += silent(lsk, 1)
        time.sleep(0.2)
        eq([is_open(s) for s in answered + socks], [True, True, False, True, True])
        # Those two answer now, so that there is nobody silent.
        for sock in socks[1:]:
            client = Client(sock, Hello(groups=(29, 23), shares=(29,)))
            sock.settimeout(10)
            client.send_hello()
            client.read_record()
        client = connect(lsk, groups=(29, 23), shares=(29,))
        client.send_hello()
        client.read_record()
        eq([is_open(s) for s in answered + socks[1:]], [False, True, True, True])
        eq(tls_hs.counters()["TlsHsOverload"], before + 2, "TlsHsOverload")
        client = connect(lsk, groups=(23,), shares=(23,))
        client.handshake()
        eq(tls_hs.accept(lsk)[1], AF_TLS)


@test
def no_fallback(env):
    """TLS_HS_F_NO_FALLBACK: an alert for what would fall back, and nothing to accept."""
    flags = tls_hs.F_NO_FALLBACK
    for want, more, kwargs in (
            ("handshake_failure", {"groups": (23,)}, {"groups": (29,), "shares": (29,)}),
            ("handshake_failure", {}, {"schemes": (0x0603,)}),
            ("protocol_version", {}, {"versions": (0x0303,)})):
        with env.listen(versions=tls_hs.VERSION_1_3, flags=flags, **more) as lsk:
            before = tls_hs.counters()
            client = connect(lsk, **kwargs)
            client.send_hello()
            expect_end(client, (want,))
            eq(tls_hs.readable(lsk, 0.05), False, "readable")
            eq(tls_hs.counters()["TlsHsFallback"], before["TlsHsFallback"], "TlsHsFallback")
    with env.listen(versions=tls_hs.VERSION_1_3, flags=flags) as lsk:
        client = connect(lsk)
        # Nothing behind it: what comes after the close would get a reset.
        client.sock.sendall(client.hello.record()[:50])
        client.sock.send(b"!", socket.MSG_OOB)
        expect_end(client, ("general_error",))
        eq(tls_hs.readable(lsk, 0.05), False, "readable")
        client, conn = pair(lsk)
        ping(client, conn)
    for kwargs in ({}, {"versions": tls_hs.VERSION_1_3,
                        "flags": flags | tls_hs.F_CLIENT_CERT}):
        try:
            env.listen(**{"flags": flags, **kwargs}).close()
        except OSError as err:
            eq(err.errno, errno.EINVAL, f"{kwargs}")
        else:
            raise AssertionError(f"{kwargs}: taken")


@test
def ulp_while_connecting(env):
    """The ULP may come while clients connect: each child is plain or does handshakes."""
    stop = threading.Event()

    def flood(port):
        while not stop.is_set():
            with socket.socket() as sock:
                sock.settimeout(0.2)
                try:
                    sock.connect(("127.0.0.1", port))
                except OSError:
                    pass

    for _ in range(10):
        lsk = socket.socket()
        lsk.bind(("127.0.0.1", 0))
        lsk.listen(64)
        stop.clear()
        threads = [threading.Thread(target=flood, args=(lsk.getsockname()[1],))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        lsk.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring))
        lsk.setblocking(False)
        plain = []
        try:
            while True:
                plain.append(lsk.accept()[0])
        except BlockingIOError:
            pass
        for conn in plain:
            # Never the listener's.
            try:
                conn.getsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.SETTINGS_SIZE)
            except OSError as err:
                assert err.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.ENODATA), err
            else:
                raise AssertionError("a child has the listener's settings")
        stop.set()
        for thread in threads:
            thread.join()
        client, conn = pair_among(lsk)
        ping(client, conn)
        lsk.close()
        for conn in plain:
            conn.close()


def pair_among(lsk):
    """Like pair(), with others that have connected and gone before."""
    client = connect(lsk)
    client.handshake()
    while True:
        conn, family = tls_hs.accept(lsk)
        if family == AF_TLS:
            return client, conn
        conn.close()


@test
def close_while_falling_back(env):
    """A listener is closed while clients of TLS 1.2 are handed over."""
    hello = Hello(versions=(0x0303,)).record()
    for _ in range(30):
        with env.listen(backlog=64) as lsk:
            socks = [socket.create_connection(lsk.getsockname()) for _ in range(16)]

            def send(mine):
                for sock in mine:
                    try:
                        sock.sendall(hello)
                    except OSError:
                        pass

            threads = [threading.Thread(target=send, args=(socks[i::2],)) for i in range(2)]
            for thread in threads:
                thread.start()
            lsk.close()
            for thread in threads:
                thread.join()
        for sock in socks:
            sock.close()


@test
def sockmap(env):
    """A listener in a sockmap has functions of its own: it does not get the ULP."""
    def bpf(command, data):
        attr = ctypes.create_string_buffer(data.ljust(128, b"\0"), 128)
        number = {"x86_64": 321, "s390x": 351}.get(platform.machine(), 280)
        ret = libc.syscall(number, command, attr, 128)
        if ret < 0:
            raise OSError(ctypes.get_errno(), "bpf")
        return ret

    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket() as lsk:
        lsk.bind(("127.0.0.1", 0))
        lsk.listen(8)
        try:
            # BPF_MAP_CREATE, BPF_MAP_TYPE_SOCKMAP; BPF_MAP_UPDATE_ELEM.
            map_fd = bpf(0, struct.pack("=IIII", 15, 4, 4, 1))
        except OSError as err:
            raise Skip(f"no sockmap: {err}") from err
        key, value = ctypes.c_uint32(0), ctypes.c_uint32(lsk.fileno())
        bpf(2, struct.pack("=IIQQQ", map_fd, 0, ctypes.addressof(key),
                           ctypes.addressof(value), 0))
        try:
            lsk.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        except OSError as err:
            eq(err.errno, errno.EINVAL)
        else:
            raise AssertionError("taken")
        finally:
            os.close(map_fd)
    with env.listen() as lsk:
        client, conn = pair(lsk)
        ping(client, conn)


@test
def listener_close(env):
    """Closing the listener ends handshakes in every state."""
    lsk = env.listen()
    clients = [connect(lsk) for _ in range(4)]
    clients[1].sock.sendall(clients[1].hello.record()[:50])
    for client in clients[2:]:
        client.send_hello()
        client.server_hello()
        client.server_flight()
    clients[3].sock.sendall(clients[3].tx.seal(tls13.HANDSHAKE, clients[3].finished()))
    eq(tls_hs.readable(lsk, 5), True)
    lsk.close()
    for client in clients:
        client.rx = None
        try:
            while client.read_record():
                pass
        except (tls13.Closed, tls13.AlertReceived):
            pass


@test
def large_flight(env):
    """A flight larger than the send buffer, to a client with a small window."""
    cert = tls_hs.RSA_IDENTITY[:-1215]
    ring = tls_hs.new_keyring(cert * 14 + tls_hs.RSA_IDENTITY[-1215:])
    with env.listen(ring=ring, backlog=8) as lsk:
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        client = connect(lsk, rcvbuf=2304, name="rsa.test")
        client.send_hello()
        time.sleep(0.2)
        client.server_hello()
        client.server_flight()
        client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
        client.switch()
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        ping(client, conn)

        # An alert while the send buffer is full: the end, with or without it.
        client = connect(lsk, rcvbuf=2304, name="rsa.test")
        client.send_hello()
        time.sleep(0.1)
        client.sock.sendall(tls13.record(tls13.HANDSHAKE, bytes(40)))
        time.sleep(0.1)
        eq(tls_hs.readable(lsk, 0), False, "readable")
        try:
            client.server_hello()
            client.server_flight()
            client.rx = client.app_rx
            expect_end(client, (None, "unexpected_message"))
        except (tls13.Closed, tls13.AlertReceived):
            pass


@test
def bad_identities(_env):
    """Keys that cannot be used are refused when they are added."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with tempfile.TemporaryDirectory() as folder:
        def identity(*algorithm):
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey",
                            *algorithm, "-keyout", "k", "-out", "c.der", "-outform", "DER"],
                           cwd=folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform",
                            "DER", "-out", "k.der"], cwd=folder, check=True)
            with open(f"{folder}/c.der", "rb") as c, open(f"{folder}/k.der", "rb") as k:
                return c.read(), k.read()

        bad = {"Ed25519": b"".join(identity("ed25519")),
               "P-384": b"".join(identity("ec", "-pkeyopt", "ec_paramgen_curve:P-384")),
               "RSA-1024": b"".join(identity("rsa:1024"))}
        other = identity("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        good = b"".join(other)
        bad["a key of another certificate"] = other[0] + tls_hs.P256_IDENTITY[-138:]
        bad["a tail"] = good + b"\0"
        bad["two keys"] = good + other[1]
        bad["the key first"] = other[1] + other[0]
        bad["PEM"] = b"-----BEGIN CERTIFICATE-----\n"
        bad["nothing but zeros"] = bytes(500)
        bad["1 MiB"] = bytes(1 << 20)
        tls_hs.add_key("tls_identity", "good", good, ring)
        for what, payload in bad.items():
            try:
                tls_hs.add_key("tls_identity", what, payload, ring)
            except OSError as err:
                print(f"# {what}: {errno.errorcode[err.errno]}")
                continue
            raise AssertionError(f"{what} was accepted")


@test
def cookies(env):
    """With SYN cookies a child has no request until the last ACK."""
    path = "/proc/sys/net/ipv4/tcp_syncookies"
    try:
        with open(path, encoding="ascii") as file:
            old = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write("2")
    except OSError as err:
        raise Skip("no SYN cookies") from err
    try:
        with env.listen() as lsk:
            client, conn = pair(lsk)
            ping(client, conn)
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(old)


def netstat(name):
    """A counter of /proc/net/netstat."""
    with open("/proc/net/netstat", encoding="ascii") as file:
        lines = [line.split() for line in file]
    for names, values in zip(lines[::2], lines[1::2]):
        if name in names:
            return int(values[names.index(name)])
    raise KeyError(name)


@test
def fast_open(env):
    """TCP Fast Open: the ClientHello of a SYN is answered, before the client's ACK has come."""
    path = "/proc/sys/net/ipv4/tcp_fastopen"
    try:
        with open(path, encoding="ascii") as file:
            old = file.read()
        with open(path, "w", encoding="ascii") as file:
            # Client, server, without cookies, for all listeners.
            file.write(str(0x1 | 0x2 | 0x4 | 0x200 | 0x400))
    except OSError as err:
        raise Skip("no Fast Open") from err
    try:
        with env.listen() as lsk:
            sock = socket.socket()
            sock.settimeout(10)
            client = Client(sock, Hello())
            client.transcript = client.hello.message()
            before = netstat("TCPFastOpenPassive")
            # MSG_FASTOPEN
            sock.sendto(client.hello.record(), 0x20000000, lsk.getsockname())
            eq(netstat("TCPFastOpenPassive"), before + 1)
            client.server_hello()
            client.server_flight()
            eq(tls_hs.readable(lsk, 0.05), False, "readable before Finished")
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS)
            ping(client, conn)
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(old)


@test
def thread_mode(env):
    """TLS_HS_F_THREAD and TLS_HS_F_SOFTIRQ: the same where they say, but not both."""
    for flags in (tls_hs.F_THREAD, tls_hs.F_SOFTIRQ):
        in_context(env, flags)
    with env.listen() as lsk:
        try:
            lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
                env.ring, flags=tls_hs.F_THREAD | tls_hs.F_SOFTIRQ))
        except OSError as err:
            eq(err.errno, errno.EINVAL)
        else:
            raise AssertionError("both contexts")


def in_context(env, flags):
    """Handshakes with both kinds of signatures."""
    with env.listen(flags=flags) as lsk:
        for name in ("ecdsa.test", "rsa.test"):
            client, conn = pair(lsk, name=name, data=b"early")
            eq(conn.recv(100), b"early")
            ping(client, conn)


class Uring:
    """Just enough of io_uring: one submission at a time, for system calls that Python lacks."""

    SETUP, ENTER, GETEVENTS = 425, 426, 1
    ACCEPT, ACCEPT_MULTISHOT, CQE_F_MORE = 13, 1, 2

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.syscall(ctypes.c_long(self.SETUP), 4, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        entries, cq_entries = struct.unpack_from("=2I", params)
        sq = struct.unpack_from("=8I", params, 40)
        self.cq = struct.unpack_from("=8I", params, 80)
        self.sq_map = mmap.mmap(self.fd, sq[6] + entries * 4, offset=0)
        self.cq_map = mmap.mmap(self.fd, self.cq[5] + cq_entries * 16, offset=0x8000000)
        self.sqes = mmap.mmap(self.fd, entries * 64, offset=0x10000000)
        self.sq_tail, self.sq_array = sq[1], sq[6]

    def accept_multishot(self, sock, sockaddr=None, length=None):
        """Accepts whatever comes to a listener."""
        self.sqes[:64] = struct.pack("=BBHiQQIIQ", self.ACCEPT, 0, self.ACCEPT_MULTISHOT,
                                     sock.fileno(), ctypes.addressof(length) if length else 0,
                                     ctypes.addressof(sockaddr) if sockaddr else 0, 0, 0,
                                     1).ljust(64, b"\0")
        tail = struct.unpack_from("=I", self.sq_map, self.sq_tail)[0]
        struct.pack_into("=I", self.sq_map, self.sq_array, 0)
        struct.pack_into("=I", self.sq_map, self.sq_tail, tail + 1)
        eq(self.enter(1), 1, "io_uring_enter")

    def enter(self, submit):
        """io_uring_enter(2), which lets completions come."""
        return self.libc.syscall(ctypes.c_long(self.ENTER), self.fd, submit, 0, self.GETEVENTS,
                                 None, ctypes.c_long(0))

    def completion(self, seconds=5):
        """The result of the next completion, which must not be the last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.enter(0)
            head, = struct.unpack_from("=I", self.cq_map, self.cq[0])
            if head != struct.unpack_from("=I", self.cq_map, self.cq[1])[0]:
                mask, = struct.unpack_from("=I", self.cq_map, self.cq[2])
                _, res, flags = struct.unpack_from("=QiI", self.cq_map,
                                                   self.cq[5] + (head & mask) * 16)
                struct.pack_into("=I", self.cq_map, self.cq[0], head + 1)
                eq((res >= 0, flags & self.CQE_F_MORE), (True, self.CQE_F_MORE), f"result {res}")
                return res
            time.sleep(0.005)
        raise TimeoutError("no completion")

    def close(self):
        """Cancels what is under way, too."""
        os.close(self.fd)


def accept4(lsk, sockaddr, length):
    """accept4(2) itself, which Python always gives room for an address."""
    assert tls_hs.readable(lsk, 5)
    fd = ctypes.CDLL(None, use_errno=True).accept4(lsk.fileno(), sockaddr, length,
                                                   socket.SOCK_NONBLOCK)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return fd


def accept_ways(lsk):
    """Functions that accept a connection: its descriptor, and the family or None."""
    room, length = ctypes.create_string_buffer(28), ctypes.c_uint(28)

    def family_of(fd):
        return fd, struct.unpack_from("=H", room)[0]

    def python():
        conn, family = tls_hs.accept(lsk)
        return conn.detach(), family

    yield "accept", python
    yield "accept4", lambda: family_of(accept4(lsk, room, ctypes.byref(length)))
    yield "accept4 without address", lambda: (accept4(lsk, None, None), None)
    for what, addr in (("io_uring", (room, length)), ("io_uring without address", ())):
        try:
            ring = Uring()
        except OSError:  # a kernel without it
            return
        ring.accept_multishot(lsk, *addr)
        yield what, lambda: family_of(ring.completion()) if addr else (ring.completion(), None)
        ring.close()


@test
def inet_family(env):
    """TLS_HS_F_INET_FAMILY hides AF_TLS, and options tell what the kernel has done."""
    hello12 = Hello(versions=(0x0303,)).record()
    inet, inet6 = socket.AF_INET, socket.AF_INET6
    for flags, family, seen in ((0, inet, AF_TLS), (0, inet6, AF_TLS),
                                (tls_hs.F_INET_FAMILY, inet, inet),
                                (tls_hs.F_INET_FAMILY, inet6, inet6)):
        with env.listen(family, flags=flags) as lsk:
            for what, accept in accept_ways(lsk):
                what = f"{what}, flags {flags}, {family.name}"
                # Twice, so that a multishot accept goes on.
                for _ in range(2):
                    client = connect(lsk)
                    client.handshake()
                    fd, got = accept()
                    assert got in (seen, None), f"{what}: family {got}"
                    with socket.socket(fileno=fd) as conn:
                        eq(conn.getpeername(), client.sock.getsockname(), what)
                        eq(tls_hs.status(conn)["version"], 0x0304, what)
                        eq(tls_hs.alpn(conn), b"", what)
                        conn.settimeout(5)
                        ping(client, conn)
                    client.sock.close()
                    plain = connect(lsk).sock
                    plain.sendall(hello12)
                    fd, got = accept()
                    assert got in (family, None), f"{what}: family {got} after fallback"
                    with socket.socket(fileno=fd) as conn:
                        # What any TCP socket without ULP says, then one with it.
                        plain_tcp = errno.ENOPROTOOPT if family == inet6 else errno.EOPNOTSUPP
                        for want in (plain_tcp, errno.ENODATA):
                            for option in (tls_hs.status, tls_hs.alpn):
                                eq(tls_hs.error(option, conn), errno.errorcode[want], what)
                            if want == plain_tcp:
                                conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
                        eq(conn.recv(len(hello12) + 1), hello12, what)
                    plain.close()
    # It may come and go.
    with env.listen() as lsk:
        for flags, want in ((0, AF_TLS), (tls_hs.F_INET_FAMILY, inet), (0, AF_TLS)):
            lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring, flags=flags))
            client = connect(lsk)
            client.handshake()
            eq(tls_hs.accept(lsk)[1], want, f"flags {flags}")


def main():
    """Runs all, or those named, and prints KTAP."""
    names = sys.argv[1:]
    tests = [t for t in TESTS if not names or t.__name__ in names]
    print("TAP version 13")
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return KSFT_SKIP
    print(f"1..{len(tests)}", flush=True)
    env = Env()
    failed = skipped = 0
    for i, func in enumerate(tests, 1):
        start = time.monotonic()
        try:
            func(env)
            line = f"ok {i} {func.__name__}"
        except Skip as err:
            skipped += 1
            line = f"ok {i} {func.__name__} # SKIP {err}"
        except Exception as err:  # pylint: disable=broad-except
            failed += 1
            where = traceback.extract_tb(err.__traceback__)
            at = [f.lineno for f in where if os.path.basename(f.filename).startswith("tls_")][1:]
            print(f"# {type(err).__name__}: {err} (lines {at})")
            line = f"not ok {i} {func.__name__}"
        print(f"{line} # {time.monotonic() - start:.2f} s"
              if "SKIP" not in line else line, flush=True)
    print(f"# Totals: pass:{len(tests) - failed - skipped} fail:{failed} xfail:0 xpass:0 "
          f"skip:{skipped} error:0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
