# SPDX-License-Identifier: GPL-2.0
"""A bound socket with the ULP, on which TLS_HS was never set, is as any other socket."""

import errno
import os
import socket
import struct

from common import check, test, tls13, tls_hs

AES_GCM_128 = 51


def crypto_info(key, salt, iv):
    """struct tls12_crypto_info_aes_gcm_128 for TLS 1.3."""
    return struct.pack("=HH", 0x0304, AES_GCM_128) + iv + key + salt + bytes(8)


def code(func, *args):
    """The name of what it fails with, or ok."""
    try:
        func(*args)
    except OSError as err:
        return errno.errorcode.get(err.errno, str(err.errno))
    return "ok"


def pair(family=socket.AF_INET, before=(), ulp=True):
    """A bound client with the ULP and its server's end."""
    addr = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(family) as lsk, socket.socket(family) as sock:
        lsk.bind((addr, 0))
        lsk.listen()
        sock.bind((addr, 0))
        if ulp:
            sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        for option in before:
            sock.setsockopt(tls_hs.SOL_TLS, *option)
        sock.connect(lsk.getsockname())
        conn = lsk.accept()[0]
        for end in (sock, conn):
            end.settimeout(5)
        return socket.socket(fileno=sock.detach()), conn


def plain(a, b):
    """Plain TCP, both ways, to the end."""
    for x, y in ((a, b), (b, a)):
        x.sendall(b"plain" * 1000)
        got = b""
        while len(got) < 5000:
            got += y.recv(65536)
        check(got == b"plain" * 1000, "other data")


@test("connects and is plain TCP")
def connects(_env):
    """IPv4 and IPv6, data, end of file."""
    for family in (socket.AF_INET, socket.AF_INET6):
        sock, conn = pair(family)
        with sock, conn:
            plain(sock, conn)
            sock.shutdown(socket.SHUT_WR)
            check(conn.recv(10) == b"", "no end of file")
            conn.close()
            check(sock.recv(10) == b"", "no end of file")


@test("kTLS with keys of user space, afterwards")
def ktls(_env):
    """TLS_TX and TLS_RX, as on a socket that got its ULP when it was connected."""
    sock, conn = pair()
    with sock, conn:
        plain(sock, conn)
        check(code(sock.setsockopt, socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls") == "EEXIST",
              "a second ULP")
        conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        keys = [(os.urandom(16), os.urandom(4), os.urandom(8)) for _ in range(2)]
        for end, tx, rx in ((sock, 0, 1), (conn, 1, 0)):
            end.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_TX, crypto_info(*keys[tx]))
            end.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_RX, crypto_info(*keys[rx]))
        plain(sock, conn)
        info = sock.getsockopt(tls_hs.SOL_TLS, tls_hs.TLS_TX, 40)
        check(keys[0][0] in info, "getsockopt(TLS_TX) has other keys")


@test("the same errors as without a listener's ULP")
def errors(_env):
    """Options of connections before and after connect()."""
    with socket.socket() as sock:
        check(code(sock.setsockopt, socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls") == "ENOTCONN",
              "TCP_ULP on a socket that is neither bound nor connected")
    sock, conn = pair()
    with sock, conn:
        got = code(sock.getsockopt, tls_hs.SOL_TLS, tls_hs.TLS_HS_STATUS, tls_hs.STATUS_SIZE)
        check(got == "ENODATA", f"TLS_HS_STATUS: {got}")
        other, peer = pair(ulp=False)
        with other, peer:
            other.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
            for option in (tls_hs.TLS_TX, tls_hs.TLS_RX, tls_hs.TLS_TX_MAX_PAYLOAD_LEN,
                           tls_hs.TLS_HS_KEY_UPDATE, tls_hs.TLS_HS_STATUS):
                a = code(sock.getsockopt, tls_hs.SOL_TLS, option, 56)
                b = code(other.getsockopt, tls_hs.SOL_TLS, option, 56)
                check(a == b, f"getsockopt({option}): {a}, but {b} with the ULP after connect()")


@test("refused connections, and connect() again")
def refused(_env):
    """A connect() that fails, and disconnect()."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
        with socket.socket() as sock, socket.create_server(("127.0.0.1", 0)) as lsk:
            sock.bind(("127.0.0.1", 0))
            sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
            got = code(sock.connect, nobody)
            check(got == "ECONNREFUSED", f"connect(): {got}")
            got = code(sock.connect, lsk.getsockname())
            check(got == "ok", f"the next connect(): {got}")
            plain(sock, lsk.accept()[0])


@test("TLS_HS on a bound socket that connects then")
def set_and_connect(env):
    """Whatever connect() says, nobody does a handshake and nothing breaks."""
    with socket.create_server(("127.0.0.1", 0)) as lsk, socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring))
        if code(sock.connect, lsk.getsockname()) == "ok":
            conn = lsk.accept()[0]
            hello = tls13.Hello().record()
            conn.sendall(hello)
            check(sock.recv(len(hello), socket.MSG_WAITALL) == hello, "no plain TCP")
            plain(sock, conn)
