# SPDX-License-Identifier: GPL-2.0
"""Listeners of a SO_REUSEPORT group that take over from each other (net.ipv4.tcp_migrate_req)."""

import random
import socket
import time

from common import (STAGES, Flood, Peer, accept_all, check, destroy, diag, exchange, nothing_left,
                    serves, test, tls13, tls_hs)


def migration(on):
    """Sets the sysctl."""
    with open("/proc/sys/net/ipv4/tcp_migrate_req", "w", encoding="ascii") as file:
        file.write("1" if on else "0")


def member(env, port=0, tls=True, flags=0, timeout_ms=0, backlog=4096):
    """A listener of the group."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    if tls:
        versions = tls_hs.VERSION_1_3
        if not flags & tls_hs.F_NO_FALLBACK:
            versions |= tls_hs.VERSION_1_2
        sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
            env.ring, versions=versions, flags=flags | env.flags, timeout_ms=timeout_ms))
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


ENDS = {"close()": lambda lsk: lsk.close(),
        "shutdown()": lambda lsk: lsk.shutdown(socket.SHUT_RD),
        "ss -K": destroy}


def to_tls(env, end):
    """Another listener with TLS_HS: each handshake goes on there or is reset."""
    migration(True)
    try:
        for stage in STAGES:
            first = member(env)
            port = first.getsockname()[1]
            peers = [Peer(env, first, stage) for _ in range(4)]
            second = member(env, port)
            time.sleep(0.02)
            ENDS[end](first)
            done = 0
            for peer in peers:
                try:
                    peer.finish()
                except (tls13.Closed, ConnectionError):
                    peer.ended(env.seconds(3))
                    continue
                if not tls_hs.readable(second, env.seconds(1)):
                    peer.ended(env.seconds(3))
                    continue
                conn, family = tls_hs.accept(second)
                done += 1
                check(conn.getpeername() == peer.sock.getsockname(), "another connection")
                check((family == tls_hs.AF_TLS) == (stage != "fallen back"),
                      f"{stage}: family {family}")
                if family == tls_hs.AF_TLS:
                    exchange(conn, peer)
                else:
                    check(conn.recv(65536) == peer.record, "not the whole ClientHello")
                conn.close()
            diag(f"{stage}: {done} of {len(peers)} go on")
            check(done == len(peers), f"{stage}: {len(peers) - done} of {len(peers)} are lost")
            for peer in peers:
                peer.close()
            serves(env, second)
            first.close()
            second.close()
            nothing_left(env, port)
    finally:
        migration(False)


for _end in ENDS:
    test(f"{_end} with another listener of TLS in the group", _end, seconds=60)(to_tls)


def to_plain(env, end, flags):
    """Another listener without TLS_HS: it gets none of those that have said or heard something."""
    migration(True)
    bad = []
    try:
        for stage in STAGES:
            if stage == "fallen back" and flags & tls_hs.F_NO_FALLBACK:
                continue
            first = member(env, flags=flags)
            port = first.getsockname()[1]
            peers = [Peer(env, first, stage) for _ in range(4)]
            second = member(env, port, tls=False)
            time.sleep(0.02)
            ENDS[end](first)
            got = accept_all(second, env.seconds(0.5))
            taken = []
            for conn, family in got:
                peer = [p for p in peers if p.sock.getsockname() == conn.getpeername()][0]
                taken.append(peer)
                if family == tls_hs.AF_TLS:
                    bad.append(f"{stage}: AF_TLS from a listener without TLS_HS")
                if flags & tls_hs.F_NO_FALLBACK:
                    bad.append(f"{stage}: a connection of a listener with NO_FALLBACK")
                if stage in ("flight", "done"):
                    bad.append(f"{stage}: a connection in which the kernel has spoken")
                # Nothing was consumed: all that the client has sent is there.
                conn.setblocking(False)
                try:
                    data = conn.recv(65536)
                except BlockingIOError:
                    data = b""
                except OSError as err:
                    data = repr(err).encode()
                if data != peer.sent:
                    bad.append(f"{stage}: {len(data)} of {len(peer.sent)} bytes are there")
                conn.close()
            for peer in peers:
                if peer not in taken:
                    peer.ended(env.seconds(3))
                peer.close()
            diag(f"{stage}: {len(got)} of {len(peers)} go to the plain listener")
            first.close()
            second.close()
            nothing_left(env, port)
    finally:
        migration(False)
    check(not bad, "\n".join(sorted(set(bad))))


for _end in ENDS:
    for _flags in (0, tls_hs.F_NO_FALLBACK):
        test(f"{_end} with a plain listener in the group{', no fallback' if _flags else ''}",
             _end, _flags, seconds=60)(to_plain)


@test("a plain listener that ends, with one of TLS in the group")
def from_plain(env):
    """Its connections are served by the other one, or reset."""
    migration(True)
    try:
        for flags in (0, tls_hs.F_NO_FALLBACK):
            first = member(env, tls=False)
            port = first.getsockname()[1]
            peers = [Peer(env, first, "silent") for _ in range(4)]
            second = member(env, port, flags=flags)
            first.close()
            # Before they have said anything nobody knows.
            for conn, family in accept_all(second):
                check(family != tls_hs.AF_TLS, "AF_TLS without a handshake")
                check(not flags, "plain TCP under NO_FALLBACK")
                conn.close()
            seen = []
            for peer in peers:
                try:
                    peer.finish()
                    conn, family = tls_hs.accept(second)
                    check(family == tls_hs.AF_TLS, f"family {family}")
                    exchange(conn, peer)
                    conn.close()
                    seen.append("served")
                except (tls13.Closed, ConnectionError):
                    seen.append("reset")
                peer.close()
            diag(", ".join(seen))
            serves(env, second)
            second.close()
            nothing_left(env, port)
    finally:
        migration(False)


def accept_now(lsk):
    """What there is at this moment, by family."""
    out = {"TLS": 0, "plain": 0}
    while True:
        try:
            conn, addr = lsk.accept()
        except BlockingIOError:
            return out
        except OSError:
            continue
        family = tls_hs._sockaddr_family(addr)  # pylint: disable=protected-access
        out["TLS" if family == tls_hs.AF_TLS else "plain"] += 1
        conn.close()


def while_timeouts(env, tls, seconds):
    """Listeners close one after the other while handshakes time out, the others accept."""
    migration(True)
    millis, got, rounds = int(env.seconds(120)), {"TLS": 0, "plain": 0}, 0
    rng = random.Random(1)
    try:
        end = time.monotonic() + env.seconds(seconds)
        while time.monotonic() < end:
            rounds += 1
            group = [member(env, timeout_ms=millis)]
            port = group[0].getsockname()[1]
            start = time.monotonic()
            data = b"" if rounds % 2 else tls13.Hello().record()[:60]
            with Flood(env, group[0], 1, data, burst=1000, keep=2000):
                took = time.monotonic() - start
                group += [member(env, port, tls, timeout_ms=millis) for _ in range(8)]
                # The timers go off for as long as it took to connect.
                first = start + millis / 1000
                for number, lsk in enumerate(group[:-1]):
                    when = first + took * (number + rng.random()) / len(group)
                    while time.monotonic() < when:
                        time.sleep(0.0005)
                    lsk.close()
                    for other in group[number + 1:]:
                        for family, count in accept_now(other).items():
                            got[family] += count
                group[-1].close()
            nothing_left(env, port)
    finally:
        migration(False)
    diag(f"{rounds} rounds, accepted: {got}")
    check(not got["TLS"], "AF_TLS without a handshake")
    check(not (tls and got["plain"]), f"{got['plain']} silent connections were accepted")


for _tls in (True, False):
    _what = f"close() while handshakes time out, {'TLS' if _tls else 'plain TCP'} in the group"
    test(_what, _tls, 15, seconds=60)(while_timeouts)
    test(f"{_what}, for a minute", _tls, 60, seconds=120, full=True)(while_timeouts)
