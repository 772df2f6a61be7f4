# SPDX-License-Identifier: GPL-2.0
"""Every end of a listener and of a connection, at every stage of a handshake."""

import os
import random
import socket
import struct
import time

from common import (ABORT, STAGES, Acceptor, Flood, Peer, accept_all, check, child, connect,
                    destroy, diag, exchange, nothing_left, served, serves, test, tls13, tls_hs)

MANY = 3


def disconnect(lsk):
    """connect(AF_UNSPEC)."""
    addr = struct.pack("=H14x", socket.AF_UNSPEC)
    if tls_hs._libc.connect(lsk.fileno(), addr, len(addr)):  # pylint: disable=protected-access
        raise OSError("connect(AF_UNSPEC)")


ENDS = {
    "close()": lambda lsk: lsk.close(),
    "shutdown()": lambda lsk: lsk.shutdown(socket.SHUT_RD),
    "connect(AF_UNSPEC)": disconnect,
    "ss -K": destroy,
}


def ends(env, end):
    """All clients see an end, nothing is left, and a listener that goes on serves."""
    for stage in (*STAGES, "all"):
        lsk = env.listen(backlog=64)
        port = lsk.getsockname()[1]
        peers = [Peer(env, lsk, s) for s in (STAGES if stage == "all" else (stage,))
                 for _ in range(MANY)]
        time.sleep(0.02)
        ENDS[end](lsk)
        seen = [peer.ended(env.seconds(3)) for peer in peers]
        diag(f"{stage}: {', '.join(sorted(set(seen)))}")
        nothing_left(env, port)
        if end not in ("close()", "ss -K"):
            lsk.listen(16)
            serves(env, lsk)
        lsk.close()
        for peer in peers:
            peer.close()


for _end in ENDS:
    test(f"{_end} of a listener at each stage of its connections", _end, seconds=60)(ends)


@test("the end of a process with a listener", seconds=60)
def exits(env):
    """As close()."""
    for stage in STAGES:
        read, write = os.pipe()
        lsk = env.listen()
        port = lsk.getsockname()[1]
        pid = os.fork()
        if not pid:
            os.read(read, 1)
            os._exit(0)
        peers = [Peer(env, lsk, stage) for _ in range(MANY)]
        lsk.close()
        os.write(write, b"x")
        os.waitpid(pid, 0)
        for peer in peers:
            peer.ended(env.seconds(3))
        nothing_left(env, port)
        os.close(read)
        os.close(write)


def clients(env, how):
    """A client that goes away at each stage: nothing is left, the listener serves."""
    with env.listen(backlog=64) as lsk:
        port = lsk.getsockname()[1]
        for stage in STAGES:
            peers = [Peer(env, lsk, stage) for _ in range(MANY)]
            time.sleep(0.02)
            for peer in peers:
                if how == "ss -K":
                    destroy(lsk, peer)
                    got, end = peer.rest(env.seconds(2))
                    check(end, f"{stage}: no end after ss -K")
                peer.close(how == "RST")
            # What was done or had fallen back may still be accepted, and ends then.
            for conn, family in accept_all(lsk):
                check(stage in ("done", "fallen back"), f"{stage}: accepted with family {family}")
                check((family == tls_hs.AF_TLS) == (stage == "done"), f"{stage}: {family}")
                conn.close()
            nothing_left(env, port)
            serves(env, lsk)


for _how in ("FIN", "RST", "ss -K"):
    test(f"{_how} for connections at each stage", _how, seconds=60)(clients)


@test("a client that ends its half of the connection at each stage", seconds=60)
def half_closed(env):
    """A FIN behind a whole ClientHello does not take the answer away."""
    with env.listen(backlog=64, timeout_ms=int(env.seconds(1000))) as lsk:
        port = lsk.getsockname()[1]
        for stage in STAGES:
            peer = Peer(env, lsk, stage)
            peer.sock.shutdown(socket.SHUT_WR)
            got = accept_all(lsk)
            if stage in ("done", "fallen back"):
                check(len(got) == 1, f"{stage}: {len(got)} connections are accepted")
                conn, family = got[0]
                check((family == tls_hs.AF_TLS) == (stage == "done"), f"{stage}: {family}")
                data = conn.recv(65536)
                want = b"" if stage == "done" else peer.record
                check(data == want, f"{stage}: the server has read {data[:20]!r}")
                conn.sendall(b"answer")
                want = peer.client.recv() if stage == "done" else peer.sock.recv(10)
                check(want == b"answer", f"{stage}: the client has read {want!r}")
                conn.close()
            else:
                check(not got, f"{stage}: accepted")
                peer.ended(env.seconds(3))
            peer.close()
            nothing_left(env, port)


def timeouts(env, how):
    """Handshakes that time out while the listener ends."""
    millis = int(env.seconds(100))
    for delay in (0.6, 0.8, 0.9, 0.95, 1.0, 1.02, 1.05, 1.1):
        lsk = env.listen(backlog=2000, timeout_ms=millis)
        port = lsk.getsockname()[1]
        start = time.monotonic()
        with Flood(env, lsk, 1, tls13.Hello().record()[:60], burst=300, keep=2000):
            time.sleep(max(0, start + millis / 1000 * delay - time.monotonic()))
            ENDS[how](lsk)
            nothing_left(env, port)
        lsk.close()


for _how in ENDS:
    test(f"{_how} while handshakes time out", _how, seconds=60)(timeouts)


@test("close() when the pump has just taken the only connection", seconds=60)
def taken(env):
    """Whoever closes wakes up by a timer and has the CPU at the pump's next might_sleep()."""
    pid = os.fork()
    if not pid:
        # With a timer's luck it is that of lock_sock(child).
        os.sched_setaffinity(0, {0})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        rng = random.Random(1)
        end = time.monotonic() + env.seconds(5)
        rounds = 0
        while time.monotonic() < end:
            with env.listen(backlog=8) as lsk, connect(lsk, rst=True):
                time.sleep(rng.random() * 150e-6 * env.slow)
                lsk.close()
            rounds += 1
        diag(f"{rounds} rounds")
        os._exit(0)
    os.waitpid(pid, 0)
    with env.listen() as lsk:
        serves(env, lsk)


@test("a timeout ends silent, half and unfinished handshakes, and no others")
def timeout(env):
    """timeout_ms."""
    with env.listen(timeout_ms=int(env.seconds(300))) as lsk:
        port = lsk.getsockname()[1]
        peers = [Peer(env, lsk, stage) for stage in STAGES]
        for peer in peers:
            if peer.stage in ("done", "fallen back"):
                continue
            peer.ended(env.seconds(3))
        time.sleep(env.seconds(0.5))
        got = accept_all(lsk)
        check(len(got) == 2, f"{len(got)} are accepted, not the two that should be")
        for conn, family in got:
            if family == tls_hs.AF_TLS:
                exchange(conn, peers[STAGES.index("done")])
            else:
                check(conn.recv(65536) == peers[-1].record, "not the whole ClientHello")
            conn.close()
        for peer in peers:
            peer.close()
        nothing_left(env, port)


@test("listen() again and shutdown() while clients come, and accept()", seconds=60)
def again(env):
    """Whatever the moment: no plain text, and at the end the listener serves."""
    only = {"versions": tls_hs.VERSION_1_3, "flags": tls_hs.F_NO_FALLBACK}

    def stop_and_go(lsk):
        lsk.shutdown(socket.SHUT_RD)
        time.sleep(0.002)
        lsk.listen(64)
        time.sleep(0.01)

    with env.listen(**only) as lsk:
        with child(stop_and_go, lsk), Acceptor(lsk) as acceptor:
            with Flood(env, lsk, 500, tls13.Hello().record(), keep=300):
                times, _ = served(env, lsk, 30, seconds=0.5)
        lsk.listen(64)
        diag(f"{len(times)} of 30 served between")
        check(not acceptor.plain, f"{acceptor.plain} plain connections left accept()")
        serves(env, lsk)


@test("SO_LINGER, half-read data and close() right after accept()")
def after_accept(env):
    """The client sees an end each time."""
    with env.listen() as lsk:
        port = lsk.getsockname()[1]
        for linger in (False, True):
            for data in (b"", b"unread"):
                peer = Peer(env, lsk, "done")
                if data:
                    peer.client.send(data)
                conn, _ = tls_hs.accept(lsk)
                if linger:
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                conn.close()
                peer.ended(env.seconds(3))
                peer.close()
                nothing_left(env, port)
