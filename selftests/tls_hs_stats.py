#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: what tells an administrator of them, the counters of
/proc/net/tls_stat, tracepoints and inet_diag.
"""

import errno
import os
import re
import socket
import sys
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs_test import (Counters, KernelLog, Skip, connect, eq, expect_end, pair, ping,
                         test)


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
        with Counters(AlertRx=1, RxHandshakeFailure=1):
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
def counters_refused(env):
    """/proc/net/tls_stat: why connections are refused that must not fall back."""
    def refused(reason, alert, hello=lambda h: None, **kwargs):
        name = "".join(word.capitalize() for word in alert.split("_"))
        with env.listen(versions=tls_hs.VERSION_1_3, flags=tls_hs.F_NO_FALLBACK,
                        **kwargs) as lsk:
            with Counters(**{"Refused": 1, f"Fb{reason}": 1, "AlertTx": 1, f"Tx{name}": 1}):
                client = connect(lsk)
                hello(client.hello)
                client.sock.sendall(tls13.records(tls13.HANDSHAKE, client.hello.message(), 8000))
                expect_end(client, (alert,))

    refused("Suite", "handshake_failure", suites=(tls13.AES128,))
    refused("Group", "handshake_failure", groups=(tls13.SECP256R1,))
    refused("Sigalg", "handshake_failure", schemes=(tls13.RSA_PSS_SHA256,),
            hello=lambda h: h.set(tls13.SIGNATURE_ALGORITHMS, b"\0\2\4\3"))
    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "id", tls_hs.P256_IDENTITY, ring)
    log = KernelLog()
    with env.listen(ring=ring, versions=tls_hs.VERSION_1_3, flags=tls_hs.F_NO_FALLBACK) as lsk:
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
        # Said once, not for each client.
        for _ in range(3):
            with Counters(Refused=1, FbNoIdentity=1, AlertTx=1, TxHandshakeFailure=1):
                client = connect(lsk)
                client.send_hello()
                expect_end(client, ("handshake_failure",))
        said = [line for line in log.read() if f"keyring {ring} of user {os.getuid()} has no "
                "usable identity left" in line]
        eq(len(said), 1, "messages")


@test
def counters_peer_alerts(env):
    """/proc/net/tls_stat: alerts of clients by description, during the handshake and after it."""
    for description, name in ((42, "BadCertificate"), (43, "UnsupportedCertificate"),
                              (44, "CertificateRevoked"), (45, "CertificateExpired"),
                              (46, "CertificateUnknown"), (48, "UnknownCa"), (49, "AccessDenied"),
                              (80, "InternalError"), (113, "BadCertificateStatusResponse"),
                              (255, "Other")):
        with env.listen() as lsk:
            with Counters(**{"AlertRx": 1, f"Rx{name}": 1}):
                client = connect(lsk)
                client.send_hello()
                client.server_hello()
                client.server_flight()
                client.sock.sendall(client.tx.seal(tls13.ALERT, bytes((2, description))))
                client.rx = client.app_rx
                expect_end(client, (None,))
            client, conn = pair(lsk)
            with Counters(**{"AlertRx": 1, f"Rx{name}": 1}):
                client.send(bytes((2, description)), tls13.ALERT)
                try:
                    conn.recv(1)
                except ConnectionResetError:
                    pass


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
                lines = [line for line in file if re.search(rf" src=\S+:{port} ", line)]
            found = [re.sub(r"sk=\S+ src=(\S+):\d+ dest=\1:\d+ ?", "",
                            line[line.index("tls_handshake_"):]).strip() for line in lines]
        return found


@test
def trace_events(env):
    """Events tell how each handshake begins and ends, with suite, group and duration."""
    chosen = r"suite=0x1303 group=0x001d ns=([1-9]\d*)$"
    none = r"suite=0x0000 group=0x0000 ns=([1-9]\d*)$"
    start = "tls_handshake_start:$"
    name = "name=site.test "

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

    check("done", lambda lsk: pair(lsk, name=None), start, "tls_handshake_done: name= suite=0x1303 group=0x001d scheme=0x0403 "
          r"flags= ns=([1-9]\d*)$")
    check("retried", lambda lsk: pair(lsk, shares=(), name="Site.test."), start,
          f"tls_handshake_done: {name}suite=0x1303 group=0x001d scheme=0x0403 flags=retried ns=")
    # The name is there, however early it fails.
    site = {"name": "site.test"}
    check("fallback", hello(lambda h: h.drop(tls13.SUPPORTED_VERSIONS), **site), start,
          rf"tls_handshake_fallback: {name}reason=version ns=([1-9]\d*)$")
    check("refused", hello(**site), start,
          rf"tls_handshake_refused: {name}reason=group ns=([1-9]\d*)$",
          f"tls_handshake_alert: {name}sent alert=40 " + none, groups=(tls13.SECP256R1,),
          versions=tls_hs.VERSION_1_3, flags=tls_hs.F_NO_FALLBACK)
    check("alert", hello(lambda h: h.drop(tls13.KEY_SHARE), **site), start,
          f"tls_handshake_alert: {name}sent alert=109 " + none)
    check("unknown name", hello(name="nobody.test"), start,
          "tls_handshake_alert: name=nobody.test sent alert=112 " + none,
          flags=tls_hs.F_SNI_STRICT)
    check("no TLS", lambda lsk: connect(lsk).sock.sendall(b"GET / HTTP/1.1\r\n\r\n"), start,
          "tls_handshake_alert: name= sent alert=10 " + none)
    check("later alert", hello(more=answered(lambda c: c.sock.sendall(tls13.record(22, b"x"))),
                               **site),
          start, f"tls_handshake_alert: {name}sent alert=10 " + chosen)
    check("client's alert", hello(more=answered(lambda c: c.sock.sendall(
        c.tx.seal(tls13.ALERT, b"\2\52"))), **site), start,
        f"tls_handshake_alert: {name}received alert=42 " + chosen)
    check("reset", hello(more=answered(lambda c: c.sock.close()), **site), start,
          f"tls_handshake_reset: {name}" + chosen)
    check("timeout", hello(more=answered(lambda c: time.sleep(0.2)), **site), start,
          f"tls_handshake_timeout: {name}" + chosen, timeout_ms=100)
    check("alert after it", lambda lsk: late_alert(*pair(lsk, **site)), start,
          "tls_handshake_done: ", f"tls_handshake_alert: {name}sent alert=10 " + chosen)
    check("IPv6", pair, start, "tls_handshake_done: ", family=socket.AF_INET6)


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
    group, scheme, flags, duration, age, handshake = 1, 2, 3, 4, 9, 8
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
            eq(got.pop(age) < 5, True, "age")
            status_ = tls_hs.status(conn)
            eq(got, {group: tls13.SECP256R1, scheme: tls13.RSA_PSS_SHA256,
                     flags: tls_hs.S_RETRIED, duration: status_["duration_us"]}, "handshake")
            time.sleep(1.1)
            nested = tls_hs._attributes(  # pylint: disable=protected-access
                tls_hs.diag_tls(conn)[handshake])
            eq(0 < int.from_bytes(nested[age], sys.byteorder) < 7, True, "age")
            # The client's end has no ULP, and one under way no handshake yet.
            eq(tls_hs.diag_tls(client.sock), None, "client")


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
