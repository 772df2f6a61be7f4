# SPDX-License-Identifier: GPL-2.0
"""Clients of good will while strangers open connections and stop somewhere."""

import tempfile
import time

from common import Acceptor, Flood, check, connect, diag, served, test, tls13, tls_hs  # noqa: F401

CLIENTS = 15


def flood(env, hello, backlog):
    """At each rate all are served."""
    data = tls13.Hello().record() if hello else b""
    bad = []
    for rate in (64, 130, 260, 2000):
        with env.listen(backlog=backlog) as lsk, Acceptor(lsk):
            # The burst is what the flood would have come to after some seconds.
            with Flood(env, lsk, rate, data, burst=1000) as attack:
                time.sleep(env.seconds(0.1))
                times, why = served(env, lsk, CLIENTS, gap=env.seconds(0.02))
        worst = f", {times[len(times) // 2]:.3f} to {times[-1]:.3f} s" if times else ""
        diag(f"{rate} per second ({attack.reached():.0f} reached): "
             f"{len(times)} of {len(times) + len(why)} served{worst}")
        for text in sorted(set(why)):
            diag(f"  {why.count(text)} times {text}")
        if why:
            bad.append(f"{len(times)} of {len(times) + len(why)} at {rate}")
    check(not bad, "served: " + ", ".join(bad))


for _hello in (False, True):
    for _backlog in (64, 5):
        test(f"{'a ClientHello and then silence' if _hello else 'silence'}, backlog {_backlog}",
             _hello, _backlog, seconds=200)(flood)


@test("a backlog of 0, 1 or 5 with as many silent clients and one more", seconds=60)
def small(env):
    """There is no wait for anybody."""
    bad = []
    for backlog in (0, 1, 5):
        with env.listen(backlog=backlog) as lsk, Acceptor(lsk):
            silent = [connect(lsk, env.seconds(5)) for _ in range(backlog + 1)]
            times, why = served(env, lsk, 1, seconds=15)
            diag(f"backlog {backlog}: {times or why}")
            if why or times[0] > env.seconds(1):
                bad.append(f"backlog {backlog}: {times or why}")
            for sock in silent:
                sock.close()
    check(not bad, "; ".join(bad))


@test("nobody accepts: done connections fill the backlog, then clients wait as with TCP",
      seconds=60)
def full(env):
    """What is done waits for accept(), and is there when it comes."""
    backlog = 5
    with env.listen(backlog=backlog) as lsk:
        clients = []
        for _ in range(3 * backlog):
            try:
                sock = connect(lsk, env.seconds(0.4))
                client = tls13.Client(sock, tls13.Hello())
                sock.settimeout(env.seconds(0.4))
                client.handshake()
            except (OSError, tls13.Closed):
                break
            clients.append(client)
        diag(f"{len(clients)} handshakes with a backlog of {backlog}")
        check(len(clients) >= backlog, f"only {len(clients)} handshakes")
        check(len(clients) < 3 * backlog, "there is no limit")
        # First come, first served.
        for client in clients:
            conn, family = tls_hs.accept(lsk)
            check(family == tls_hs.AF_TLS, f"family {family}")
            check(conn.getpeername() == client.sock.getsockname(), "another order")
            conn.sendall(b"hello")
            check(client.recv() == b"hello", "no data")
            conn.close()
        # There is room again, and SYNs that were dropped come once more.
        with Acceptor(lsk):
            times, why = served(env, lsk, 3, seconds=10)
        check(not why, f"not served afterwards: {why}")
