# SPDX-License-Identifier: GPL-2.0
"""
What the tests of TLS handshakes in the kernel share: a client in front of a listener, checks,
and a runner that prints KTAP.
"""

import os
import socket
import sys
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


class KernelLog:
    """What the kernel logs from now on."""

    def __init__(self):
        try:
            self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        except OSError as err:
            raise Skip("no /dev/kmsg") from err
        os.lseek(self.fd, 0, os.SEEK_END)

    def read(self):
        """The new lines."""
        lines = []
        try:
            while True:
                lines.append(os.read(self.fd, 8192).decode(errors="replace"))
        except BlockingIOError:
            return lines


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
