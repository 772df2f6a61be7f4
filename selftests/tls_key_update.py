#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Connections after a TLS handshake in the kernel: key updates, alerts, errors.

The client is tls13.py, which can update its keys and misbehave. Section numbers
are those of RFC 9846.
"""

import errno
import hashlib
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs_test import eq, expect_end, pair, ping, recv_exact, test

NO, YES = 0, 1


def update(request):
    """A KeyUpdate message, section 4.7.3."""
    return tls13.message(tls13.KEY_UPDATE, bytes([request]))


class Peer:
    """A client that updates keys, around tls13.Client after its handshake."""

    def __init__(self, client):
        self.client = client
        self.received = []      # request_update of each KeyUpdate
        self.pending = 0        # requests that are to be answered

    def seal_update(self, request):
        """A KeyUpdate record; what is sealed after it has the next key."""
        out = self.client.tx.seal(tls13.HANDSHAKE, update(request))
        self.client.tx = self.client.tx.updated()
        return out

    def send(self, data):
        """Application data."""
        self.client.send(data)

    def update(self, request=NO):
        """Sends a KeyUpdate."""
        self.client.sock.sendall(self.seal_update(request))

    def record(self):
        """The next record, KeyUpdates being acted on."""
        kind, body = self.client.read_record()
        if kind == tls13.HANDSHAKE:
            eq(body[:4], update(0)[:4], "message")
            eq(len(body), 5, "length of a KeyUpdate")
            self.received.append(body[4])
            self.client.rx = self.client.rx.updated()
        return kind, body

    def recv_exact(self, n):
        """n bytes of application data."""
        out = b""
        while len(out) < n:
            kind, body = self.record()
            if kind == tls13.APPDATA:
                out += body
        eq(len(out), n, "bytes")
        return out

    def recv_update(self):
        """The next record, which must be a KeyUpdate; returns request_update."""
        kind, _ = self.record()
        eq(kind, tls13.HANDSHAKE, "type of the record")
        return self.received[-1]

    def quiet(self, seconds=0.1):
        """Nothing arrives."""
        eq(self.client.buf, b"", "something has arrived")
        eq(tls_hs.readable(self.client.sock, seconds), False, "something arrives")


def peers(lsk, **kwargs):
    """A Peer and the server's connection."""
    client, conn = pair(lsk, **kwargs)
    # Answers are small, and so is what tests write behind them.
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(client), conn


def ask(conn, now=False, request=False, records=0, tail=b""):
    """TLS_HS_KEY_UPDATE."""
    conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS_KEY_UPDATE,
                    struct.pack("=II", now | request << 1, records) + tail)


def error(func, *args):
    """The errno with which a call fails, 0 if it does not."""
    try:
        func(*args)
    except OSError as err:
        return err.errno
    return 0


def stat(name):
    """A counter of this namespace."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        return int(dict(line.split() for line in file)[name])


def both_ways(peer, conn, text=b"ping"):
    """A few bytes in each direction."""
    peer.send(text)
    eq(recv_exact(conn, len(text)), text, "to the server")
    conn.sendall(text)
    eq(peer.recv_exact(len(text)), text, "to the client")


@test
def from_client(env):
    """The client's key changes; a request is answered, and only that."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        before = stat("TlsRxRekeyOk"), stat("TlsTxRekeyOk")
        for request in (NO, NO, YES, YES, NO, YES):
            peer.update(request)
            both_ways(peer, conn)
        eq(peer.received, [NO] * 3, "answers")
        eq((stat("TlsRxRekeyOk"), stat("TlsTxRekeyOk")), (before[0] + 6, before[1] + 3),
           "counters")


@test
def answer_without_writer(env):
    """A server that only reads answers as well; many requests at once may share an answer."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        peer.update(YES)
        peer.send(b"x")
        eq(conn.recv(10), b"x")
        eq(peer.recv_update(), NO)
        out = b"".join(peer.seal_update(YES) for _ in range(10))
        peer.client.sock.sendall(out + peer.client.tx.seal(tls13.APPDATA, b"y"))
        eq(conn.recv(10), b"y")
        conn.sendall(b"z")
        eq(peer.recv_exact(1), b"z")
        assert 1 <= len(peer.received) - 1 <= 10, peer.received
        both_ways(peer, conn)
        peer.quiet()


@test
def split(env):
    """A KeyUpdate in several records and in segments of one byte."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        for cuts in ((1,), (4,), (1, 2, 3, 4), (2, 4)):
            message = update(YES)
            ends = list(cuts) + [5]
            start = 0
            for end in ends:
                peer.client.send(message[start:end], tls13.HANDSHAKE)
                start = end
            peer.client.tx = peer.client.tx.updated()
            both_ways(peer, conn)
        tls13.send_chunks(peer.client.sock, peer.seal_update(YES), 1)
        both_ways(peer, conn)
        # Padding does not count.
        peer.client.sock.sendall(peer.client.tx.seal(tls13.HANDSHAKE, update(YES), 500))
        peer.client.tx = peer.client.tx.updated()
        both_ways(peer, conn)
        eq(peer.received, [NO] * 6)


@test
def thousand(env):
    """A thousand updates each way, with data under each key."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        for i in range(1000):
            peer.update(YES)
            peer.send(b"%d" % i)
            eq(conn.recv(10), b"%d" % i)
            conn.sendall(b"%d" % i)
            eq(peer.recv_exact(len(b"%d" % i)), b"%d" % i)
        eq(peer.received, [NO] * 1000)


@test
def asked_by_user(env):
    """TLS_HS_KEY_UPDATE updates our key, and the client's if it is to."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        ask(conn, now=True)
        eq(peer.recv_update(), NO)
        both_ways(peer, conn)
        ask(conn, request=True)
        eq(peer.recv_update(), YES)
        peer.update(NO)
        both_ways(peer, conn)
        # Both at once, before something is written.
        ask(conn, now=True, request=True)
        conn.sendall(b"data")
        eq(peer.recv_exact(4), b"data")
        eq(peer.received, [NO, YES, YES])
        peer.quiet()
        # A request that has not been answered is not repeated, section 4.7.3.
        ask(conn, request=True)
        eq(peer.recv_update(), NO)
        both_ways(peer, conn)
        peer.update(NO)
        both_ways(peer, conn)
        # They cross: each is answered.
        peer.update(YES)
        ask(conn, request=True)
        peer.update(NO)
        both_ways(peer, conn)
        eq(sorted(peer.received[4:]), [NO, YES])
        ask(conn)
        peer.quiet()


@test
def arguments(env):
    """What TLS_HS_KEY_UPDATE refuses, and on which sockets."""
    with env.listen() as lsk:
        _, conn = pair(lsk)
        for value, want in ((b"", errno.EINVAL), (bytes(7), errno.EINVAL), (bytes(8), 0),
                            (struct.pack("=II", 4, 0), errno.EINVAL),
                            (struct.pack("=II", 0, (1 << 24) + 1), errno.EINVAL),
                            (struct.pack("=II", 0, 1 << 24), 0),
                            (bytes(12), 0), (bytes(8) + b"\1\0\0\0", errno.E2BIG)):
            eq(error(conn.setsockopt, tls_hs.SOL_TLS, tls_hs.TLS_HS_KEY_UPDATE, value), want,
               str(value))
        # Keys are not user space's to set.
        info = struct.pack("=HH", 0x0304, 54) + bytes(52)
        for name in (tls_hs.TLS_TX, tls_hs.TLS_RX):
            eq(error(conn.setsockopt, tls_hs.SOL_TLS, name, info), errno.EBUSY)
        conn.shutdown(socket.SHUT_WR)
        eq(error(ask, conn, True), errno.EPIPE)
        plain = socket.create_connection(lsk.getsockname())
        plain.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        eq(error(ask, plain, True), errno.ENODATA)
        plain.close()


def secrets(client):
    """Everything that protects a connection, as (name, bytes)."""
    out = {"main secret": client.main, "exporter_secret": client.exporter_secret,
           "resumption_secret": client.resumption_secret, "client's handshake secret": client.c_hs,
           "server's handshake secret": client.s_hs}
    for who, keys in (("server", client.app_rx), ("client", client.app_tx)):
        out |= {f"{who}'s secret": keys.secret, f"{who}'s key": keys.key,
                f"{who}'s IV": keys.iv.to_bytes(12, "big")}
    return out


def expect_none(data, known, where):
    """None of them is in there, not even eight bytes at an end of one."""
    for name, secret in known.items():
        if secret[:8] in data or secret[-8:] in data:
            raise AssertionError(f"{where} has the {name}")


def options(sock):
    """What each getsockopt() of a socket gives, with buffers that suit some structure."""
    lengths = (4, 8, 40, 56, 88, 256, 4000)
    for level in (socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_TCP, socket.IPPROTO_IPV6,
                  tls_hs.SOL_TLS):
        for name in range(128):
            for length in lengths:
                try:
                    yield f"option {name} of level {level}", sock.getsockopt(level, name, length)
                except OSError:
                    pass


@test
def keys_stay(env):
    """No key or secret can be read: by getsockopt(), inet_diag, /proc, events, before and after
    an update.
    """
    files = [f"/proc/net/{name}" for name in ("tls_stat", "tcp", "tcp6", "snmp", "netstat",
                                              "sockstat")]
    files += ["/proc/keys", "/proc/crypto", "/sys/kernel/tracing/trace",
              "/sys/kernel/debug/tracing/trace"]
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        # They are the right ones, as data goes both ways.
        ping(peer.client, conn)
        known = secrets(peer.client)
        for update_first in (False, True):
            if update_first:
                ask(conn, now=True, request=True)
                eq(peer.recv_update(), YES)
                peer.update()
                peer.send(b"x")
                eq(conn.recv(1), b"x")
                conn.sendall(b"y")
                eq(peer.recv_exact(1), b"y")
                for who, keys in (("server", peer.client.rx), ("client", peer.client.tx)):
                    known |= {f"{who}'s next secret": keys.secret, f"{who}'s next key": keys.key,
                              f"{who}'s next IV": keys.iv.to_bytes(12, "big")}
            seen = 0
            for where, data in options(conn):
                expect_none(data, known, where)
                seen += len(data)
            eq(seen > 1000, True, "options have been read")
            try:
                expect_none(tls_hs.diag(conn, 0xff), known, "inet_diag")
            except OSError:
                pass
            for name in files:
                if os.path.exists(name):
                    with open(name, "rb") as file:
                        expect_none(file.read(), known, name)


@test
def keys_in_no_process(env):
    """A process that serves a connection has no key or secret in its memory, so that neither
    ptrace() nor a core dump shows one.
    """
    with env.listen() as lsk:
        there, here = socket.socketpair()
        pid = os.fork()
        if not pid:
            text = b""
            try:
                conn, _ = tls_hs.accept(lsk)
                text = conn.recv(100)
                conn.sendall(text)
                for _ in options(conn):
                    pass
                there.send(b"served")
                there.recv(1)
            finally:
                os._exit(len(text) != 20)
        # Before the fork there was no connection, and so no key.
        try:
            client = tls_hs_test.connect(lsk)
            client.handshake()
            marker = os.urandom(10)
            client.send(marker + marker[::-1])
            eq(client.recv_exact(20), marker + marker[::-1], "echo")
            here.recv(10)
            known, found = secrets(client), False
            with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
                    open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
                for line in maps:
                    area, access = line.split()[:2]
                    start, end = (int(x, 16) for x in area.split("-"))
                    if access[0] != "r" or access[1] != "w":
                        continue
                    try:
                        mem.seek(start)
                        data = mem.read(end - start)
                    except (OSError, OverflowError):
                        continue
                    expect_none(data, known, f"memory of {line.strip()}")
                    found |= marker + marker[::-1] in data
            # What it has received is there, so the right memory has been looked at.
            eq(found, True, "the plain text")
        finally:
            here.send(b"x")
            eq(os.waitpid(pid, 0)[1], 0, "server")


@test
def limits(env):
    """Keys are updated after so many records, both directions'."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        ask(conn, records=10)
        for i in range(35):
            conn.sendall(b"%02d" % i)
        eq(peer.recv_exact(70), b"".join(b"%02d" % i for i in range(35)))
        eq(peer.received, [NO] * 3, "our updates")
        # Less than 10 under the last key: the client's are counted now.
        peer.received.clear()
        for _ in range(3):
            peer.client.sock.sendall(b"".join(peer.client.tx.seal(tls13.APPDATA, b"x")
                                              for _ in range(9)))
            eq(recv_exact(conn, 9), b"x" * 9)
            peer.quiet()
            for _ in range(5):
                peer.send(b"x")
            eq(recv_exact(conn, 5), b"x" * 5)
            eq(peer.recv_update(), YES)
            peer.quiet()
            peer.update(NO)


@test
def one_large_write(env):
    """A single write, and sendfile(), of many records under several keys."""
    data = hashlib.shake_128(b"large").digest(500_000)
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        ask(conn, records=4)
        thread = threading.Thread(target=conn.sendall, args=(data,))
        thread.start()
        got = peer.recv_exact(len(data))
        thread.join()
        eq(got == data, True, "data")
        eq(len(peer.received), (len(data) // 16384 + 1 - 1) // 4, "updates")

        fd = os.memfd_create("large")
        os.write(fd, data)

        def send():
            sent = 0
            while sent < len(data):
                sent += os.sendfile(conn.fileno(), fd, sent, len(data) - sent)

        peer.received.clear()
        thread = threading.Thread(target=send)
        thread.start()
        got = peer.recv_exact(len(data))
        thread.join()
        os.close(fd)
        eq(got == data, True, "data of sendfile")
        assert len(peer.received) >= 7, peer.received


@test
def while_writing(env):
    """Requests in the middle of a transfer that blocks."""
    data = hashlib.shake_128(b"blocked").digest(1_000_000)
    with env.listen() as lsk:
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        peer, conn = peers(lsk)
        # Of sendall() as a whole, for an emulated machine.
        conn.settimeout(120)
        failed = []

        def write():
            try:
                conn.sendall(data)
            except OSError as err:
                failed.append(err)

        def read():
            try:
                eq(recv_exact(conn, 20), b"0123456789" * 2, "what the reader got")
            except (OSError, AssertionError) as err:
                failed.append(err)

        threads = [threading.Thread(target=write), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        got = b""
        for i in range(20):
            peer.update(YES)
            peer.send(b"%d" % (i % 10))
            # Some of what is under way.
            for _ in range(3):
                kind, body = peer.record()
                if kind == tls13.APPDATA:
                    got += body
        got += peer.recv_exact(len(data) - len(got))
        for thread in threads:
            thread.join()
        eq(failed, [])
        eq(got == data, True, "data")
        assert peer.received and set(peer.received) == {NO}, peer.received
        peer.received.clear()
        both_ways(peer, conn)


@test
def full_send_buffer(env):
    """A client that requests and does not read gets its answer later, and not many."""
    with env.listen() as lsk:
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        peer, conn = peers(lsk)
        conn.setblocking(False)
        sent = 0
        try:
            while True:
                sent += conn.send(b"s" * 4096)
        except BlockingIOError:
            pass
        conn.setblocking(True)
        for i in range(100):
            peer.update(YES)
            peer.send(b"x")
            eq(conn.recv(10), b"x")
        eq(peer.recv_exact(sent), b"s" * sent)
        # Without another write.
        if not peer.received:
            eq(peer.recv_update(), NO)
        assert len(peer.received) < 20, peer.received
        conn.settimeout(10)
        both_ways(peer, conn)


@test
def open_record(env):
    """An update between the parts of a record that MSG_MORE has left open."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        conn.send(b"one ", socket.MSG_MORE)
        peer.update(YES)
        peer.send(b"x")
        eq(conn.recv(10), b"x")
        eq(peer.recv_update(), NO)
        conn.send(b"two ", socket.MSG_MORE)
        ask(conn, now=True)
        conn.send(b"three")
        eq(peer.recv_exact(13), b"one two three")
        eq(peer.received, [NO, NO])


@test
def open_record_beside_reader(env):
    """What MSG_MORE has left open is sent in time, even if that is while an update is due and a
    reader keeps the work waiting that is to send it."""
    count = 10000
    with env.listen() as lsk:
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        peer, conn = peers(lsk)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        peer.client.sock.sendall(peer.seal_update(YES) + b"".join(
            peer.client.tx.seal(tls13.APPDATA, b"x") for _ in range(count)))
        conn.settimeout(None)
        reader = threading.Thread(target=conn.recv, args=(count, socket.MSG_WAITALL))
        conn.send(b"data", socket.MSG_MORE)
        # It takes some hundredths of a second, with the socket lock; MSG_MORE waits 0.2 s.
        time.sleep(0.185)
        reader.start()
        peer.client.sock.settimeout(3)
        eq(peer.recv_exact(4), b"data")
        reader.join()
        # On a slow machine the data was sent before the reader got to the update.
        conn.send(b"end")
        eq(peer.recv_exact(3), b"end")
        eq(peer.received, [NO])


@test
def records_of_one_byte(env):
    """A call that has what SO_RCVLOWAT asks for ends, however many more such records there are."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        conn.setblocking(False)
        for lowat in (1, 200):
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, lowat)
            peer.client.sock.sendall(b"".join(
                peer.client.tx.seal(tls13.APPDATA, b"x") for _ in range(400)))
            time.sleep(0.2)
            got = [len(conn.recv(1000))]
            while sum(got) < 400:
                got.append(len(conn.recv(1000)))
            eq(max(got) <= max(lowat, 128), True, f"SO_RCVLOWAT {lowat}: {got}")


@test
def reading(env):
    """Updates between records that are peeked at, spliced, read with control messages."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)

        def send(*parts):
            out = b""
            for part in parts:
                out += peer.client.tx.seal(tls13.APPDATA, part) if part else peer.seal_update(YES)
            peer.client.sock.sendall(out)
            time.sleep(0.02)

        send(b"ab", b"", b"cd")
        eq(conn.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL), b"abcd", "peek")
        eq(conn.recv(3), b"abc")
        send(b"", b"ef", b"")
        eq(conn.recv(3, socket.MSG_WAITALL), b"def", "what was parsed ahead")
        send(b"gh", b"", b"", b"ij")
        eq(conn.recv(4, socket.MSG_WAITALL), b"ghij", "over two updates")

        # With room for control messages, of which there are none, as on TCP.
        send(b"", b"kl")
        data, anc, flags, _ = conn.recvmsg(10, 100)
        eq((data, anc, flags), (b"kl", [], 0), "recvmsg")

        # splice(2).
        rfd, wfd = os.pipe()
        send(b"", b"mn", b"", b"op")
        eq(os.splice(conn.fileno(), wfd, 100), 2, "splice")
        eq(os.splice(conn.fileno(), wfd, 100), 2, "splice")
        eq(os.read(rfd, 100), b"mnop")
        # Nothing but an update: readable, and then not.
        send(b"")
        conn.setblocking(False)
        eq(error(conn.recv, 10), errno.EAGAIN, "only an update")
        eq(tls_hs.readable(conn, 0), False, "readable")
        send(b"")
        nonblock = 2
        eq(error(lambda: os.splice(conn.fileno(), wfd, 100, flags=nonblock)), errno.EAGAIN,
           "only an update, splice")
        send(b"", b"qr")
        eq(tls_hs.readable(conn, 1), True, "readable")
        eq(conn.recv(10), b"qr")
        os.close(rfd)
        os.close(wfd)


@test
def epoll_edge(env):
    """With EPOLLET: data behind an update is announced."""
    with env.listen() as lsk, select.epoll() as poll:
        peer, conn = peers(lsk)
        conn.setblocking(False)
        poll.register(conn, select.EPOLLIN | select.EPOLLET)
        for i in range(20):
            peer.update(YES)
            peer.send(b"%d" % i)
            got = b""
            while got != b"%d" % i:
                assert poll.poll(5), "no event"
                try:
                    while True:
                        got += conn.recv(100)
                except BlockingIOError:
                    pass


@test
def flood(env):
    """32 updates without data are fine, 33 are not."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        for _ in range(3):
            for _ in range(32):
                peer.update(NO)
            both_ways(peer, conn)
        peer, conn = peers(lsk)
        for _ in range(33):
            # Records without content are no data.
            peer.update(NO)
            peer.client.send(b"")
        eq(error(conn.recv, 10), errno.EPROTO)
        expect_end(peer.client, ("unexpected_message",))


def refused(env, content, alert, kind=tls13.HANDSHAKE, err=errno.EPROTO, raw=None, room=0):
    """What a record ends in, for a reader with so much room for control messages."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        client.send(b"before")
        for part in content:
            client.send(part, kind)
        if raw:
            client.sock.sendall(raw(client))
        eq(recv_exact(conn, 6), b"before")
        for _ in range(3):
            eq(error(conn.recvmsg, 10, room), err, f"{content}: recv")
        expect_end(client, (alert,))
        eq(client.rx.seq, 1, "records")
        assert error(conn.send, b"x") in (err, errno.EPIPE)
        eq(error(conn.recv, 10), err, "recv")
        conn.close()


@test
def malformed(env):
    """KeyUpdates that are none."""
    for parts, alert in (
            ((b"\x18\0\0\1\2",), "illegal_parameter"), ((b"\x18\0\0\1\xff",), "illegal_parameter"),
            ((b"\x18\0\0\0",), "decode_error"), ((b"\x18\0\0\2\0\0",), "decode_error"),
            ((b"\x18\0\0\1\0\0",), "unexpected_message"),
            ((b"\x18\0\0\1\0" * 2,), "unexpected_message"),
            ((b"\x18\0\0", b"\1\0\0"), "unexpected_message"), ((b"",), "unexpected_message")):
        refused(env, parts, alert)
    # Application data within a message, section 5.1.
    refused(env, (b"\x18\0",), "unexpected_message",
            raw=lambda c: c.tx.seal(tls13.APPDATA, b"data"))
    # Any other record in there, even if the reader has room for control messages.
    for room in (0, 64):
        for alert in (b"\1\0", b"\1\x5a", b"\2\x28"):
            refused(env, (b"\x18\0",), "unexpected_message", room=room,
                    raw=lambda c, alert=alert: c.tx.seal(tls13.ALERT, alert))


@test
def other_messages(env):
    """Whatever else may be in a handshake record."""
    for kind in (0, 1, 2, 4, 5, 8, 11, 13, 15, 20, 254):
        refused(env, (tls13.message(kind, bytes(32)),), "unexpected_message")
    # Types of records that there are not, or not any more.
    for kind in (tls13.CCS, 24, 25, 255):
        refused(env, (b"\1",), "unexpected_message", kind)


@test
def bad_records(env):
    """Records that do not decrypt, or have no right to be there."""
    def corrupt(client):
        out = bytearray(client.tx.seal(tls13.APPDATA, b"data"))
        out[-1] ^= 1
        return bytes(out)

    for raw, alert, err in (
            (corrupt, "bad_record_mac", errno.EBADMSG),
            (lambda c: tls13.record(tls13.APPDATA, bytes(10), 0x303), "bad_record_mac",
             errno.EBADMSG),
            (lambda c: struct.pack(">BHH", 23, 0x303, 16640 + 1) + bytes(16641),
             "record_overflow", errno.EMSGSIZE),
            # No content type at all.
            (lambda c: c.tx.seal(None, bytes(20)), "unexpected_message", errno.EBADMSG),
            # Without protection: what was right before, or for others.
            (lambda c: tls13.record(tls13.CCS, b"\1", 0x303), "unexpected_message", errno.EPROTO),
            (lambda c: tls13.record(tls13.ALERT, b"\2\x28", 0x303), "unexpected_message",
             errno.EPROTO),
            (lambda c: c.hello.record(), "unexpected_message", errno.EPROTO),
            (lambda c: b"GET / HTTP/1.0\r\n\r\n", "unexpected_message", errno.EPROTO)):
        refused(env, (), alert, err=err, raw=raw)


@test
def alert_without_reader(env):
    """A bad header is answered although nobody reads."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        client.sock.sendall(tls13.record(tls13.CCS, b"\1", 0x303))
        expect_end(client, ("unexpected_message",))
        eq(error(conn.recv, 10), errno.EPROTO)


@test
def alert_on_close(env):
    """Closing at once does not lose the alert, nor does what is unread turn it into a reset."""
    with env.listen() as lsk:
        for _ in range(20):
            client, conn = pair(lsk)
            out = bytearray(client.tx.seal(tls13.APPDATA, b"data"))
            out[-1] ^= 1
            client.sock.sendall(bytes(out) + os.urandom(5000))
            eq(error(conn.recv, 10), errno.EBADMSG)
            conn.close()
            try:
                while True:
                    client.read_record()
            except tls13.AlertReceived as alert:
                eq(alert.name, "bad_record_mac")
            eq(client.sock.recv(10), b"", "the end")


@test
def alert_to_blocked_writer(env):
    """A writer that waits for room ends when the connection does."""
    with env.listen() as lsk:
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        client, conn = pair(lsk)
        conn.settimeout(None)
        result = []
        thread = threading.Thread(target=lambda: result.append(error(conn.sendall,
                                                                     bytes(20_000_000))))
        thread.start()
        time.sleep(0.1)
        client.send(b"\1", tls13.HANDSHAKE)
        assert error(conn.recv, 10) in (errno.EPROTO, errno.EPIPE)
        thread.join(10)
        eq(thread.is_alive(), False, "still writing")
        assert result[0] in (errno.EPROTO, errno.EPIPE), result
        eq(error(conn.recv, 10), errno.EPROTO)


@test
def alerts_received(env):
    """close_notify and user_canceled, and those that are the end of it."""
    with env.listen() as lsk:
        # user_canceled is nothing in itself.
        client, conn = pair(lsk)
        client.send(b"\1\x5a", tls13.ALERT)
        client.send(b"more")
        eq(conn.recv(10), b"more", "after user_canceled")
        client.send(b"\1\0", tls13.ALERT)
        # Section 6.1: what follows is ignored.
        client.send(b"ignored")
        for _ in range(3):
            eq(conn.recv(10), b"", "after close_notify")
        conn.sendall(b"still here")
        eq(client.recv_exact(10), b"still here")

        # Whatever their level is, and those that nobody knows, too.
        for alert in (b"\2\x2a", b"\1\x2a", b"\2\x75", b"\2\xff"):
            client, conn = pair(lsk)
            client.send(alert, tls13.ALERT)
            for _ in range(3):
                eq(error(conn.recv, 10), errno.ECONNRESET, alert.hex())
            assert error(conn.send, b"x") in (errno.ECONNRESET, errno.EPIPE)

        rfd, wfd = os.pipe()
        for alert, want in ((b"\1\0", 0), (b"\2\x28", errno.ECONNRESET)):
            client, conn = pair(lsk)
            client.send(b"data")
            client.send(alert, tls13.ALERT)
            eq(os.splice(conn.fileno(), wfd, 100), 4)
            if want:
                eq(error(os.splice, conn.fileno(), wfd, 100), want, "splice")
            else:
                eq(os.splice(conn.fileno(), wfd, 100), 0, "splice")
        os.close(rfd)
        os.close(wfd)
        # Alerts that are malformed.
        for room in (0, 64):
            refused(env, (b"\1",), "decode_error", tls13.ALERT, room=room)
            refused(env, (b"\1\0\0",), "decode_error", tls13.ALERT, room=room)
            refused(env, (b"",), "unexpected_message", tls13.ALERT, room=room)


@test
def behind_close_notify(env):
    """Whatever comes behind close_notify is ignored, section 6.1, by each way to read."""
    rfd, wfd = os.pipe()
    ways = (lambda conn: conn.recv(100), lambda conn: conn.recvmsg(100, 64)[0],
            lambda conn: conn.recv(100, socket.MSG_PEEK),
            lambda conn: os.splice(conn.fileno(), wfd, 100) and b"spliced")
    behind = (lambda c: c.tx.seal(tls13.APPDATA, b"ignored"),
              lambda c: c.tx.seal(tls13.ALERT, b"\2\x28"),
              lambda c: c.tx.seal(tls13.HANDSHAKE, b"\x18\0\0\1\1"),
              lambda c: tls13.record(tls13.APPDATA, bytes(50), 0x303),
              lambda c: tls13.record(tls13.CCS, b"\1", 0x303),
              lambda c: b"no record at all")
    with env.listen() as lsk:
        for first in ways:
            for more in behind:
                client, conn = pair(lsk)
                client.sock.sendall(client.tx.seal(tls13.ALERT, b"\1\0") + more(client))
                time.sleep(0.02)
                eq(first(conn) or b"", b"", "first read")
                for way in ways:
                    eq(way(conn) or b"", b"", "read")
                eq(bool(tls_hs.status(conn)["flags"] & tls_hs.S_CLOSED), True, "S_CLOSED")
                conn.sendall(b"still here")
                eq(client.recv_exact(10), b"still here")
                # What nobody reads does not turn the end into a reset.
                conn.close()
                eq(client.recv(), b"", "close_notify")
                try:
                    client.read_record()
                except tls13.Closed as end:
                    eq(str(end), "FIN", "end")
    os.close(rfd)
    os.close(wfd)


@test
def alert_to_control(env):
    """A reader with room for control messages sees an alert's effect, and data only."""
    with env.listen() as lsk:
        client, conn = pair(lsk)
        client.send(b"\2\x28", tls13.ALERT)
        client.send(b"data")
        time.sleep(0.02)
        for _ in range(3):
            eq(error(conn.recvmsg, 100, 64), errno.ECONNRESET, "handshake_failure")
        assert error(conn.send, b"x") in (errno.ECONNRESET, errno.EPIPE)
        client, conn = pair(lsk)
        client.send(b"\1\x5a", tls13.ALERT)
        client.send(b"data")
        time.sleep(0.02)
        eq(conn.recvmsg(100, 64)[:2], (b"data", []), "behind user_canceled")


@test
def alert_behind_data(env):
    """An alert that one reader has left aside is the next one's, who may be of another kind."""
    rfd, wfd = os.pipe()
    with env.listen() as lsk:
        for alert, want in ((b"\1\0", 0), (b"\2\x28", errno.ECONNRESET)):
            for read in (lambda conn: conn.recv(10),
                         lambda conn: os.splice(conn.fileno(), wfd, 100)):
                client, conn = pair(lsk)
                client.send(b"data")
                client.send(alert, tls13.ALERT)
                client.send(b"ignored")
                time.sleep(0.05)
                eq(conn.recvmsg(100, 64)[0], b"data", "recvmsg")
                for _ in range(2):
                    if want:
                        eq(error(read, conn), want, f"{alert}")
                    else:
                        eq(read(conn) or b"", b"", f"{alert}")
    os.close(rfd)
    os.close(wfd)


@test
def truncation(env):
    """TLS_HS_S_CLOSED tells a client's close_notify from a FIN that anybody can send, whatever the
    end is read with.
    """
    rfd, wfd = os.pipe()

    def into(conn):
        buf = bytearray(100)
        return bytes(buf[:conn.recvmsg_into([memoryview(buf)[:3], memoryview(buf)[3:]])[0]])

    def spliced(conn):
        n = os.splice(conn.fileno(), wfd, 100)
        return os.read(rfd, n) if n else b""

    readers = {
        "recv": lambda conn: conn.recv(100),
        "read": lambda conn: os.read(conn.fileno(), 100),
        "readv": into,
        "recvmsg": lambda conn: conn.recvmsg(100)[0],
        "recvmsg with control": lambda conn: conn.recvmsg(100, 64)[0],
        "splice": spliced,
        "WAITALL": lambda conn: conn.recv(100, socket.MSG_WAITALL),
        "DONTWAIT": lambda conn: conn.recv(100, socket.MSG_DONTWAIT),
        "TRUNC": lambda conn: conn.recv(100, socket.MSG_TRUNC) and b"data",
        "one byte at a time": lambda conn: b"".join(conn.recv(1) for _ in range(4)),
    }
    with env.listen() as lsk:
        for who, read in readers.items():
            for notify in (True, False):
                client, conn = pair(lsk)
                client.send(b"data")
                if notify:
                    client.send(b"\1\0", tls13.ALERT)
                client.sock.shutdown(socket.SHUT_WR)
                eq(tls_hs.status(conn)["flags"] & tls_hs.S_CLOSED, 0, "before")
                time.sleep(0.02)
                eq(read(conn), b"data", who)
                eq(conn.recv(100, socket.MSG_PEEK), b"", f"{who}, peeked")
                eq(read(conn), b"", f"{who}, end of file")
                eq(bool(tls_hs.status(conn)["flags"] & tls_hs.S_CLOSED), notify, f"{who}, after")
                # And it stays like that when the server has ended it, too.
                conn.shutdown(socket.SHUT_WR)
                eq(bool(tls_hs.status(conn)["flags"] & tls_hs.S_CLOSED), notify, f"{who}, at last")
                conn.close()
    os.close(rfd)
    os.close(wfd)


@test
def record_limit_holds(env):
    """No record is longer than the client wants it, whatever the process sets and sends with."""
    def with_file(conn, send):
        with tempfile.TemporaryFile() as file:
            file.write(bytes(5000))
            file.flush()
            send(conn, file)

    def sendfile(conn, file):
        left = 5000
        while left:
            left -= os.sendfile(conn.fileno(), file.fileno(), 5000 - left, left)

    def splice(conn, file):
        rfd, wfd = os.pipe()
        at = 0
        while at < 5000:
            n = os.splice(file.fileno(), wfd, 5000 - at, offset_src=at)
            at += n
            while n:
                n -= os.splice(rfd, conn.fileno(), n)
        os.close(rfd)
        os.close(wfd)

    def more(conn, _):
        for _ in range(50):
            conn.send(bytes(100), socket.MSG_MORE)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    for limit in (64, 1000, 16385):
        with env.listen() as lsk:
            client = tls_hs_test.connect(lsk)
            client.hello.set(tls13.RECORD_SIZE_LIMIT, tls13.u16s(limit))
            client.handshake()
            conn, _ = tls_hs.accept(lsk)
            peer = Peer(client)
            for wanted in (None, 16384, limit, 64, 63):
                if wanted:
                    conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_TX_MAX_PAYLOAD_LEN,
                                    struct.pack("=H", min(wanted, 16384)))
                # The content type counts for the client.
                most = min(limit, (wanted or 16384) + 1, 5001)
                for send in (lambda c, _: c.sendall(bytes(5000)), sendfile, splice, more):
                    ask(conn, now=True)
                    client.longest = 0
                    with_file(conn, send)
                    eq(peer.recv_exact(5000), bytes(5000), "data")
                    eq(client.longest, most, f"longest of {limit}, {wanted} set")


@test
def half_closed(env):
    """A request after our FIN cannot be answered, and does no harm."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        conn.shutdown(socket.SHUT_WR)
        for i in range(5):
            peer.update(YES)
            peer.send(b"%d" % i)
            eq(conn.recv(10), b"%d" % i)
            time.sleep(0.01)
        eq(peer.client.recv(), b"", "close_notify")


@test
def own_keys(_):
    """A process that has set keys itself sends its close_notify itself, or leaves it out."""
    for version in (0x0303, 0x0304):
        for rounds in range(2):
            with socket.create_server(("127.0.0.1", 0)) as lsk:
                peer = socket.create_connection(lsk.getsockname(), timeout=20)
                conn = lsk.accept()[0]
            conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
            for name in (tls_hs.TLS_TX, tls_hs.TLS_RX):
                # TLS_CIPHER_AES_GCM_128.
                conn.setsockopt(tls_hs.SOL_TLS, name, struct.pack("=HH", version, 51) + bytes(36))
            conn.sendall(b"x" * rounds)
            conn.shutdown(socket.SHUT_WR)
            # A header, an explicit nonce or the type of the content, and a tag.
            want = rounds * (5 + (8 if version == 0x0303 else 1) + 1 + 16)
            eq(len(peer.recv(1000, socket.MSG_WAITALL)), want, f"bytes, version {version:x}")
            conn.close()
            peer.close()


@test
def closed_while_due(env):
    """Requests that meet a close()."""
    with env.listen() as lsk:
        for i in range(30):
            peer, conn = peers(lsk)
            for _ in range(1 + i % 3):
                peer.update(YES)
            peer.send(b"x")
            eq(conn.recv(10), b"x")
            conn.close()
            try:
                while peer.record():
                    pass
            except tls13.AlertReceived as alert:
                eq(alert.name, "close_notify")


@test
def exporter(env):
    """TLS_HS_EXPORTER gives what the client has, before and after key updates."""
    with env.listen() as lsk:
        peer, conn = peers(lsk)
        for label, context, n in ((b"EXPORTER-Channel-Binding", b"", 32), (b"l", b"context", 1),
                                  (b"x" * 249, bytes(65535), 31)):
            want = peer.client.export(label, context, n)
            eq(tls_hs.export(conn, label, context, n), want, "exported")
            # A structure of the future, with nothing new in it.
            eq(tls_hs.export(conn, label, context, n, tail=bytes(8)), want, "longer structure")
        peer.update(YES)
        both_ways(peer, conn)
        eq(tls_hs.export(conn, b"l", b"", 8), peer.client.export(b"l", b"", 8))
        # The longest that HKDF-Expand has with SHA-256.
        eq(len(tls_hs.export(conn, b"l", b"", 255 * 32)), 255 * 32)

        for args, want in (((b"", b"", 32), errno.EINVAL), ((b"x" * 250, b"", 32), errno.EINVAL),
                           ((b"l", bytes(65536), 32), errno.EINVAL), ((b"l", b"", 0), errno.EINVAL),
                           ((b"l", b"", 255 * 32 + 1), errno.EINVAL)):
            eq(error(tls_hs.export, conn, *args), want, str(args)[:40])
        eq(error(lambda: tls_hs.export(conn, b"l", b"", 8, tail=b"\0\1")), errno.E2BIG)
        eq(error(lambda: tls_hs.export(conn, b"l", b"", 8, size=15)), errno.EINVAL)
        plain = socket.create_connection(lsk.getsockname())
        plain.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        eq(error(tls_hs.export, plain, b"l", b"", 8), errno.ENODATA)
        plain.close()


@test
def exporter_after_alerts(env):
    """An alert of either side ends TLS_HS_EXPORTER, section 6: secrets are forgotten. A
    close_notify does not."""
    def still_there(client, conn):
        return tls_hs.export(conn, b"l", b"", 8) == client.export(b"l", b"", 8)

    with env.listen() as lsk:
        client, conn = pair(lsk)
        client.send(b"\1\0", tls13.ALERT)
        eq(conn.recv(10), b"", "close_notify")
        eq(still_there(client, conn), True, "after close_notify")
        conn.shutdown(socket.SHUT_WR)
        eq(still_there(client, conn), True, "after both")

        for record, want, alerts in (((b"\2\x28", tls13.ALERT), errno.ECONNRESET, (None,)),
                                     ((b"\x63", tls13.HANDSHAKE), errno.EPROTO,
                                      ("unexpected_message",))):
            client, conn = pair(lsk)
            suite = tls_hs.status(conn)["suite"]
            client.send(*record)
            eq(still_there(client, conn), True, "before it is read")
            eq(error(conn.recv, 10), want, "recv")
            eq(error(tls_hs.export, conn, b"l", b"", 8), errno.ENODATA, "exporter")
            # SO_ERROR clears the error of the socket.
            conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            eq(error(tls_hs.export, conn, b"l", b"", 8), errno.ENODATA, "exporter")
            eq(error(ask, conn, True), errno.EPIPE, "key update")
            eq(tls_hs.status(conn)["suite"], suite, "suite")
            conn.close()
            expect_end(client, alerts)


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
