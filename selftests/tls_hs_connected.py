#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel on sockets that are connected already, as protocols
do it that start in the clear: setsockopt(TLS_HS) on a connection.
"""

import array
import contextlib
import fcntl
import itertools
import os
import select
import socket
import struct
import sys
import termios
import threading
import time

import tls13
import tls_hs
import tls_hs_test
from tls13 import Client, Hello
from tls_hs import SOL_TLS, TLS_HS, error
from tls_hs_test import eq, expect_end, ping, recv_exact, test

TLS_TX = 1
TCP_ZEROCOPY_RECEIVE = 35
SO_TIMESTAMPING = 37
# SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE
TX_SOFTWARE = 1 << 1 | 1 << 4


def tcp_pair(family=socket.AF_INET):
    """Both ends of a plain TCP connection, client first."""
    with socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0),
                              family=family) as lsk:
        client = socket.create_connection(lsk.getsockname()[:2])
        conn = lsk.accept()[0]
    client.settimeout(10)
    conn.settimeout(10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, conn


def start(env, conn, **kwargs):
    """Lets the kernel be the server from now on."""
    conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    conn.setsockopt(SOL_TLS, TLS_HS, tls_hs.settings(env.ring, **kwargs))


def events(sock, seconds=0.0):
    """What poll() says within that time."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    found = poll.poll(int(seconds * 1000))
    return found[0][1] if found else 0


def inq(sock):
    """What FIONREAD says."""
    number = array.array("i", [-1])
    fcntl.ioctl(sock, termios.FIONREAD, number)
    return number[0]


def wait_events(sock):
    """What poll() says in the end."""
    found = events(sock, 5)
    if not found:
        raise TimeoutError("poll() says nothing")
    return found


@test
def starttls(env):
    """A greeting in the clear, then a handshake; poll() tells when it is over."""
    for family in (socket.AF_INET, socket.AF_INET6):
        sock, conn = tcp_pair(family)
        conn.sendall(b"220 go ahead\r\n")
        start(env, conn)
        eq(events(conn), 0, "poll() before the ClientHello")
        eq(error(tls_hs.status, conn), "EINPROGRESS")
        eq(error(tls_hs.alpn, conn), "EINPROGRESS")
        eq(sock.recv(100), b"220 go ahead\r\n")
        client = Client(sock, Hello(name="ecdsa.test"))
        client.send_hello()
        client.server_hello()
        client.server_flight()
        eq(events(conn), 0, "poll() before the Finished")
        client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
        client.switch()
        eq(wait_events(conn), select.POLLOUT)
        status = tls_hs.status(conn)
        eq((status["version"], status["name"]), (0x0304, "ecdsa.test"))
        ping(client, conn)
        eq(conn.getsockname()[:2], sock.getpeername()[:2])
        eq(error(start, env, conn), "EEXIST")
        eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(env.ring)), "EALREADY")
        conn.shutdown(socket.SHUT_WR)
        eq(client.recv(), b"", "close_notify")
        conn.close()


@test
def hello_has_come(env):
    """The ClientHello and more is in the receive queue before TLS_HS."""
    for name in ("ecdsa.test", "rsa.test"):
        for flags in (0, tls_hs.F_THREAD, tls_hs.F_SOFTIRQ):
            sock, conn = tcp_pair()
            client = Client(sock, Hello(name=name))
            client.send_hello()
            time.sleep(0.02)
            start(env, conn, flags=flags)
            client.server_hello()
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()) +
                                client.app_tx.seal(tls13.APPDATA, b"early"))
            client.switch()
            client.tx.seq = 1
            eq(wait_events(conn) & select.POLLIN, select.POLLIN)
            eq(conn.recv(100), b"early")
            ping(client, conn)
            conn.close()


@test
def fallback(env):
    """What the kernel cannot do is left with its ClientHello unread."""
    sock, conn = tcp_pair()
    before = tls_hs.counters()["TlsHsFallback"]
    start(env, conn)
    hello = Hello(versions=(0x0303,)).record()
    sock.sendall(hello[:20])
    time.sleep(0.02)
    eq(events(conn), 0)
    sock.sendall(hello[20:])
    eq(wait_events(conn), select.POLLIN | select.POLLOUT)
    eq(tls_hs.counters()["TlsHsFallback"], before + 1)
    eq(error(tls_hs.status, conn), "ENODATA")
    eq(conn.recv(len(hello)), hello)
    conn.sendall(b"alert")
    eq(sock.recv(100), b"alert")
    # It can be kTLS by user space's keys, as after the ULP alone.
    conn.setsockopt(SOL_TLS, TLS_TX, struct.pack("=HH", 0x0304, 51) + bytes(36))
    conn.sendall(b"x")
    eq(sock.recv(100)[0], tls13.APPDATA)


@test
def no_fallback(env):
    """TLS_HS_F_NO_FALLBACK: an alert, and an error for the server."""
    sock, conn = tcp_pair()
    start(env, conn, versions=tls_hs.VERSION_1_3, flags=tls_hs.F_NO_FALLBACK)
    client = Client(sock, Hello(versions=(0x0303,)))
    client.send_hello()
    expect_end(client, ("protocol_version",))
    eq(wait_events(conn) & select.POLLERR, select.POLLERR)
    eq(error(tls_hs.status, conn), "ECONNABORTED")
    eq(error(conn.recv, 1), "EPROTO")
    eq(conn.recv(1), b"")
    eq(error(conn.send, b"plain text"), "EPIPE")


@test
def urgent(env):
    """What is behind urgent data is not read, nor does it turn the alert into a reset."""
    for early in (True, False):
        sock, conn = tcp_pair()
        sock.send(b"!", socket.MSG_OOB)
        if early:
            sock.sendall(b"plain text")
            time.sleep(0.02)
        start(env, conn, versions=tls_hs.VERSION_1_3, flags=tls_hs.F_NO_FALLBACK)
        if not early:
            sock.sendall(b"plain text")
        wait_events(conn)
        eq(error(tls_hs.status, conn), "ECONNABORTED")
        eq(error(conn.recv, 100), "EPROTO")
        eq(conn.recv(100), b"")
        conn.close()
        expect_end(Client(sock, Hello()), ("general_error",))
        eq(sock.recv(100), b"")


@test
def malformed(env):
    """Garbage gets an alert and nothing else."""
    sock, conn = tcp_pair()
    start(env, conn)
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    client = Client(sock, Hello())
    expect_end(client, ("unexpected_message", "decode_error", "record_overflow",
                        "protocol_version"))
    wait_events(conn)
    eq(error(conn.recv, 1), "EPROTO")


@test
def blocking(env):
    """Readers and writers wait for the end; who does not want to is told so."""
    sock, conn = tcp_pair()
    start(env, conn)
    conn.setblocking(False)
    eq(error(conn.recv, 1), "EAGAIN")
    eq(error(conn.send, b"plain text"), "EAGAIN")
    eq(error(os.sendfile, conn.fileno(), os.open(__file__, os.O_RDONLY), 0, 10), "EAGAIN")
    pipe = os.pipe()
    eq(error(os.splice, conn.fileno(), pipe[1], 10), "EAGAIN")
    eq(error(conn.getsockopt, socket.IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, 64), "EAGAIN")
    eq(error(conn.setsockopt, SOL_TLS, TLS_TX,
             struct.pack("=HH", 0x0304, 51) + bytes(36)), "EBUSY")
    eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(env.ring)), "EALREADY")
    conn.settimeout(None)
    got = []
    threads = [threading.Thread(target=lambda: got.append(conn.recv(100))),
               threading.Thread(target=lambda: got.append(conn.send(b"hello")))]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    eq(got, [])
    client = Client(sock, Hello())
    client.handshake(b"data")
    eq(client.recv_exact(5), b"hello")
    for thread in threads:
        thread.join(5)
    eq(sorted(map(str, got)), ["5", "b'data'"])
    # A timeout.
    sock2, conn2 = tcp_pair()
    start(env, conn2)
    conn2.settimeout(None)
    conn2.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    eq(error(conn2.recv, 1), "EAGAIN")
    sock2.close()


@test
def corked(env):
    """TCP_CORK that is set or cleared meanwhile counts after the handshake, which it does not
    delay: a corked segment waits for 200 ms."""
    def cork(conn, value):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, value)

    most = None
    for before, after in ((0, 0), (1, 1), (1, 0), (0, 1)):
        sock, conn = tcp_pair()
        cork(conn, before)
        start(env, conn)
        if after != before:
            cork(conn, after)
        begin = time.monotonic()
        client = Client(sock, Hello())
        client.handshake()
        wait_events(conn)
        took = time.monotonic() - begin
        # On a slow kernel a handshake takes that long without it.
        most = most or took + 0.15
        if took > most:
            raise AssertionError(f"{took:.3f} s with TCP_CORK {before} {after}, not {most:.3f}")
        eq(conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK), after, f"{before} {after}")
        cork(conn, 0)
        ping(client, conn)
        conn.close()


@test
def timeout(env):
    """A client that is silent: a reset, and ETIMEDOUT."""
    sock, conn = tcp_pair()
    start(env, conn, timeout_ms=200)
    eq(wait_events(conn) & (select.POLLERR | select.POLLHUP), select.POLLERR | select.POLLHUP)
    eq(error(conn.recv, 1), "ETIMEDOUT")
    eq(error(sock.recv, 1), "ECONNRESET")


@test
def client_goes(env):
    """A client that closes or resets the connection at any stage."""
    for stage in range(3):
        for reset in (False, True):
            sock, conn = tcp_pair()
            start(env, conn)
            client = Client(sock, Hello())
            if stage == 1:
                sock.sendall(client.hello.record()[:50])
            if stage == 2:
                client.send_hello()
                client.server_hello()
                client.server_flight()
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            wait_events(conn)
            if reset:
                eq(error(conn.recv, 1), "ECONNRESET", f"stage {stage}")
            else:
                eq(conn.recv(1), b"", f"stage {stage}")
            eq(error(conn.send, b"plain text"), "EPIPE" if reset else "ECONNRESET", f"stage {stage}")
            conn.close()


@test
def server_closes(env):
    """close() at any stage: the client gets no plain text, and an end."""
    for stage in range(4):
        for flags in (0, tls_hs.F_SOFTIRQ):
            sock, conn = tcp_pair()
            client = Client(sock, Hello())
            start(env, conn, flags=flags)
            if stage == 1:
                sock.sendall(client.hello.record()[:50])
            elif stage == 2:
                client.send_hello()
            elif stage == 3:
                client.send_hello()
                client.server_hello()
                client.server_flight()
            conn.close()
            expect_end(client)


@test
def server_shuts_down(env):
    """shutdown() at any stage ends the handshake, whether the client goes on or not: no FIN
    passes for a good end."""
    for stage, how, goes_on in itertools.product(
            range(3), (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR), (True, False)):
        sock, conn = tcp_pair()
        client = Client(sock, Hello())
        start(env, conn)
        last = client.hello.record()
        if stage == 1:
            sock.sendall(last[:50])
            last = last[50:]
        elif stage == 2:
            client.send_hello()
            client.server_hello()
            client.server_flight()
            last = client.tx.seal(tls13.HANDSHAKE, client.finished())
        conn.shutdown(how)
        if goes_on:
            with contextlib.suppress(ConnectionError):
                sock.sendall(last)
        deadline = time.monotonic() + 5
        while error(tls_hs.status, conn) == "EINPROGRESS" and time.monotonic() < deadline:
            time.sleep(0.01)
        eq(error(tls_hs.status, conn), "ECONNABORTED", f"stage {stage}, {how}, {goes_on}")
        conn.close()
        expect_end(client)


@test
def not_here(env):
    """Where it cannot be: no connection, keys that are set, somebody else's ULP."""
    sock, conn = tcp_pair()
    conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    conn.setsockopt(SOL_TLS, TLS_TX, struct.pack("=HH", 0x0304, 51) + bytes(36))
    eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(env.ring)), "EBUSY")
    eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(env.ring)[:-1]), "EINVAL")
    sock.close()
    conn.close()
    sock, conn = tcp_pair()
    conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(0)), "EINVAL")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    time.sleep(0.02)
    eq(error(conn.setsockopt, SOL_TLS, TLS_HS, tls_hs.settings(env.ring)), "ENOTCONN")


@test
def asleep(env):
    """EBUSY while somebody sleeps in recv() or send(), which would go on in the clear."""
    for sleeper in ("recv", "send"):
        sock, conn = tcp_pair()
        conn.settimeout(None)
        if sleeper == "recv":
            thread = threading.Thread(target=conn.recv, args=(1,))
        else:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            thread = threading.Thread(target=conn.sendall, args=(bytes(8 << 20),))
        thread.start()
        time.sleep(0.1)
        eq(error(start, env, conn), "EBUSY", sleeper)
        if sleeper == "recv":
            sock.sendall(b"x")
        else:
            left = 8 << 20
            while left:
                left -= len(sock.recv(1 << 20))
        thread.join(10)
        conn.settimeout(10)
        conn.setsockopt(SOL_TLS, TLS_HS, tls_hs.settings(env.ring))
        client = Client(sock, Hello())
        client.handshake()
        wait_events(conn)
        ping(client, conn)


@test
def options(env):
    """SO_RCVLOWAT that is set meanwhile counts afterwards."""
    sock, conn = tcp_pair()
    start(env, conn)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 50000)
    client = Client(sock, Hello())
    client.handshake()
    wait_events(conn)
    eq(tls_hs.status(conn)["version"], 0x0304)
    eq(conn.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), 50000)
    # As with TCP, it has a limit, and the buffer grows for it.
    for value in (1 << 20, 1 << 30):
        sock, conn = tcp_pair()
        start(env, conn)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, value)
        plain_sock, plain = tcp_pair()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, value)
        client = Client(sock, Hello())
        client.handshake()
        wait_events(conn)
        for option in (socket.SO_RCVLOWAT, socket.SO_RCVBUF):
            eq(conn.getsockopt(socket.SOL_SOCKET, option),
               plain.getsockopt(socket.SOL_SOCKET, option), f"option {option} after {value}")
        plain_sock.close()


@test
def not_readable(env):
    """What belongs to the handshake is not counted by FIONREAD."""
    sock, conn = tcp_pair()
    hello = Hello().record()
    sock.sendall(hello[:50])
    time.sleep(0.02)
    eq(inq(conn), 50)
    start(env, conn)
    eq(inq(conn), 0)
    sock.sendall(hello[50:100])
    time.sleep(0.02)
    eq(inq(conn), 0)
    sock, conn = tcp_pair()
    start(env, conn)
    client = Client(sock, Hello())
    client.handshake(b"data")
    eq(wait_events(conn) & select.POLLIN, select.POLLIN)
    eq(inq(conn), 4)


@test
def error_queue(env):
    """Nobody waits for errors: they are there, or they are not."""
    for family in (socket.AF_INET, socket.AF_INET6):
        sock, conn = tcp_pair(family)
        start(env, conn)
        conn.settimeout(None)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 3, 0))
        begin = time.monotonic()
        eq(error(conn.recvmsg, 100, 100, socket.MSG_ERRQUEUE), "EAGAIN")
        eq(time.monotonic() - begin < 2, True, "at once")
        eq(events(conn), 0)
        # A timestamp of what has been sent before.
        sock, conn = tcp_pair(family)
        conn.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, TX_SOFTWARE)
        conn.sendall(b"220 go ahead\r\n")
        start(env, conn)
        eq(wait_events(conn), select.POLLERR)
        data, control, flags, _ = conn.recvmsg(100, 1000, socket.MSG_ERRQUEUE)
        eq((data[-14:], flags & socket.MSG_ERRQUEUE), (b"220 go ahead\r\n", socket.MSG_ERRQUEUE))
        eq(SO_TIMESTAMPING in [c[1] for c in control], True)
        eq(events(conn), 0)


@test
def ends_at_once(env):
    """When poll() tells of the end, TLS_HS_STATUS does so, too."""
    for i in range(100):
        sock, conn = tcp_pair()
        start(env, conn)
        if i % 2:
            Client(sock, Hello()).send_hello()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        eq(wait_events(conn) & select.POLLERR, select.POLLERR)
        eq(error(tls_hs.status, conn), "ECONNABORTED", f"round {i}")
        eq(error(conn.recv, 1), "ECONNRESET")
        conn.close()


@test
def many(env):
    """Many at a time, ended in all ways."""
    conns = []
    for i in range(60):
        sock, conn = tcp_pair()
        start(env, conn, timeout_ms=30000 if i % 5 == 2 else 1500)
        client = Client(sock, Hello(name=("ecdsa.test", "rsa.test")[i & 1]))
        conns.append((client, conn))
    for i, (client, conn) in enumerate(conns):
        if i % 5 == 0:
            client.sock.close()
        elif i % 5 == 1:
            conn.close()
        elif i % 5 == 2:
            client.handshake(b"data")
            eq(recv_exact(conn, 4), b"data")
        elif i % 5 == 3:
            # It may be over by now on a slow machine.
            with contextlib.suppress(ConnectionError):
                client.send_hello()
    for i, (client, conn) in enumerate(conns):
        if i % 5 in (3, 4):
            eq(error(conn.recv, 1), "ETIMEDOUT")
        client.sock.close()
        conn.close()


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
