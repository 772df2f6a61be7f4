#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: complete ones, by a client of our own.

tls_handshake.c tests what needs no client, tls_hs_*.py what keys, listeners, extensions and
connected sockets do. Needs nothing but Python.
"""

import errno
import hashlib
import os
import socket
import sys
import tempfile
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs import AF_TLS
from tls_hs_test import Counters, Skip, connect, eq, expect_end, pair
from tls_hs_test import pair_with_alpn, ping, protocols, recv_exact, test


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

    # Thousands of segments take their time on a slow machine.
    with env.listen(timeout_ms=60000) as lsk:
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


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
