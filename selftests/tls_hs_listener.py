#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: what a listener does with its connections, from the accept queue
and timeouts to eviction, fallback and its own end.
"""

import ctypes
import errno
import mmap
import os
import platform
import select
import socket
import struct
import sys
import threading
import time

import tls13
import tls_hs
import tls_hs_test
from tls13 import Client, Hello
from tls_hs import AF_TLS, error
from tls_hs_test import Skip, connect, eq, expect_end, pair, ping, test


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
        # It is looked at when there is something to read, which is dropped.
        client = connect(lsk)
        client.sock.send(b"!", socket.MSG_OOB)
        client.sock.sendall(b"behind")
        expect_end(client, ("general_error",))
        eq(client.sock.recv(100), b"", "a FIN behind the alert")
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
def sysctls(_env):
    """Defaults and limits are those of Documentation/admin-guide/sysctl/net.rst."""
    for name, default, least, most in (("handshake_timeout_ms", (10000, 10000), 1, 300000),
                                       ("max_handshakes", (4096, 262144), 1, 262144),
                                       ("ticket_lifetime", (7200, 7200), 0, 604800)):
        path = f"/proc/sys/net/tls/{name}"
        with open(path, encoding="ascii") as file:
            old = file.read()
        eq(default[0] <= int(old) <= default[1], True, f"{name} is {old}")

        def write(value, path=path):
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))

        try:
            for value in (least, most):
                write(value)
                with open(path, encoding="ascii") as file:
                    eq(int(file.read()), value, name)
            for value in (least - 1, most + 1, "x"):
                eq(error(write, value), "EINVAL", f"{name} = {value}")
        finally:
            write(old)


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


@test
def softirq_waits_for_no_tick(env):
    """A ClientHello that has come before its connection is taken is answered at once."""
    def quickest(flags):
        times = []
        with env.listen(flags=flags) as lsk:
            lsk.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
            for _ in range(10):
                client = connect(lsk)
                client.send_hello()
                start = time.monotonic()
                client.sock.recv(1, socket.MSG_PEEK)
                times.append(time.monotonic() - start)
        return min(times)

    clock_monotonic_coarse = 6
    tick = time.clock_getres(clock_monotonic_coarse)
    thread, softirq = quickest(tls_hs.F_THREAD), quickest(tls_hs.F_SOFTIRQ)
    if softirq > thread + 0.75 * tick:
        raise AssertionError(f"{softirq * 1000:.1f} ms, in a thread {thread * 1000:.1f} ms")


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


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
