#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Many connections that end in every way at once, for kernels that watch
themselves (KASAN, lockdep, kmemleak): connects, aborts in every state,
timeouts, listeners and whole groups of them that close, migration, evictions,
keys, settings and limits that change, ss -K, network namespaces and workers
that die.  Each is a process of its own.

At the end nothing is left: no connection, no namespace, no handshake that
counts; and no client has seen plain text that it should not have.

stress/run.py [--seconds N] [--seed N] [--slow N] [--thread | --softirq] [--only NAME,...]
"""

import argparse
import os
import resource
import signal
import socket
import sys
import time

# pylint: disable=wrong-import-position
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import PORTS, World, setting, sockets, spawn, tls13, tls_hs  # noqa: E402
import clients  # noqa: E402
import netlink  # noqa: E402
import others  # noqa: E402
import servers  # noqa: E402

SYSCTLS = {
    "net/ipv4/tcp_migrate_req": 1,
    "net/ipv4/tcp_fastopen": 0x607,
    "net/ipv4/tcp_syncookies": None,
    "net/tls/max_handshakes": None,
    "net/tls/handshake_timeout_ms": None,
    "net/tls/ticket_lifetime": None,
    # More at a time would be some that do not go.
    "user/max_net_namespaces": 64,
}


def roles(world):
    """The processes: name, function, arguments."""
    out = [("single", servers.single),
           ("strict", servers.group, "strict", ("strict",)),
           ("mixed", servers.group, "mixed", ("strict", "tls", "plain")),
           ("passed", servers.passed),
           ("keys", others.keys), ("limits", others.limits),
           ("connected", others.connected), ("namespaces", others.namespaces),
           ("readers", netlink.readers), ("destroyer", netlink.destroyer),
           ("bursts", clients.bursts)]
    out += [("openssl", clients.openssl, i) for i in range(2)]
    return out + [("client", clients.client, i) for i in range(world.clients)]


def where(pid):
    """What a process sleeps in."""
    out = []
    for name in ("wchan", "stack", "status"):
        try:
            with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
                text = file.read()
            out.append(text if name != "status" else text.split("\n", 3)[2])
        except OSError:
            pass
    return " ".join(" ".join(out).split())


def run(world, only):
    """Runs all; the number of processes that hang."""
    pids = {}
    for name, func, *args in roles(world):
        if not only or name in only:
            pids[spawn(world, name, func, *args)] = name
    end = world.stop + 30 * world.slow
    while pids and time.monotonic() < end:
        world.listen_to_all()
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid:
            pids.pop(pid, None)
        else:
            time.sleep(0.02)
    for pid, name in pids.items():
        print(f"# {name} hangs: {where(pid)}", flush=True)
        os.kill(pid, signal.SIGKILL)
    try:
        # Children of those who have ended without waiting are init's.
        while pids and time.monotonic() < end + 10 * world.slow:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.02)
    except ChildProcessError:
        pass
    world.listen_to_all()
    return len(pids)


def memory():
    """MemAvailable in KiB."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int([line for line in file if line.startswith("MemAvailable")][0].split()[1])


def sockstat():
    """The line of TCP."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        return [line for line in file if line.startswith("TCP:")][0].strip()


def nothing_left(world):
    """Errors: what is there that should not be."""
    end = time.monotonic() + 15 * world.slow
    while True:
        bad = [f"a connection is left: {s}" for s in sockets(PORTS)]
        bad += [f"a listener is left: {e.end('src')}" for e in netlink.dump()
                if e.state == 10 and e.sport in PORTS]
        counters = tls_hs.counters()
        bad += [f"{name} is {value}" for name, value in counters.items()
                if value >= 1 << 63 or name.startswith("TlsCurr") and value]
        if not bad or time.monotonic() > end:
            break
        time.sleep(0.1)
    if not others.namespaces_gone(15 * world.slow):
        bad.append("a network namespace is left")
    return bad


def gauge(world, most=30, more=5):
    """Errors: the namespace's number of handshakes is not what it has."""
    old = setting("net/tls/max_handshakes", most)
    before = tls_hs.counters()["TlsHsOverload"]
    socks = []
    bad = []

    def settle():
        end = time.monotonic() + 0.3 * world.slow
        while time.monotonic() < end:
            time.sleep(0.01)
        return tls_hs.counters()["TlsHsOverload"] - before

    # Two, so that it is not the limit of one of them that counts.
    with tls_hs.listener(world.ring, backlog=100, timeout_ms=60000) as other, \
            tls_hs.listener(world.ring, backlog=100, timeout_ms=60000) as lsk:
        for i in range(most):
            addr = (lsk if i % 3 else other).getsockname()
            socks.append(socket.create_connection(addr, 5 * world.slow))
        if (seen := settle()):
            bad.append(f"{seen} of {most} handshakes are evicted: others count that are gone")
        for _ in range(more):
            socks.append(socket.create_connection(lsk.getsockname(), 5 * world.slow))
            time.sleep(0.02 * world.slow)
        if not bad and (seen := settle()) != more:
            bad.append(f"{seen} of {more} handshakes that are too many are evicted")
    for sock in socks:
        sock.close()
    setting("net/tls/max_handshakes", old)
    return bad


def serves(world):
    """Errors: a fresh listener does no handshakes."""
    try:
        with tls_hs.listener(world.ring) as lsk:
            for _ in range(5):
                sock = socket.create_connection(lsk.getsockname())
                sock.settimeout(10 * world.slow)
                tls13.Client(sock, tls13.Hello()).handshake(b"after")
                conn, family = tls_hs.accept(lsk, 5 * world.slow)
                data = conn.recv(10)
                if family != tls_hs.AF_TLS or data != b"after":
                    return [f"family {family}, {data!r} afterwards"]
    except (OSError, ValueError, tls13.Closed, tls13.AlertReceived) as err:
        return [f"a fresh listener does not serve: {type(err).__name__}: {err}"]
    return []


def main():
    """Runs the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", type=float, help="times as slow as usual, if it is known "
                        "better than what one client at a time shows")
    parser.add_argument("--thread", action="store_true")
    parser.add_argument("--softirq", action="store_true")
    parser.add_argument("--only", help="of the processes", default="")
    args = parser.parse_args()
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    tls_hs.join_session()
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)
    flags = tls_hs.F_THREAD if args.thread else tls_hs.F_SOFTIRQ if args.softirq else 0
    world = World(args, flags, ring)
    stat = sockstat()
    was = {name: setting(name, value) if value is not None else
           setting(name, open(os.path.join("/proc/sys", name), encoding="ascii").read().strip())
           for name, value in SYSCTLS.items() if os.path.exists(os.path.join("/proc/sys", name))}
    before = memory()
    hung = run(world, [name for name in args.only.split(",") if name])
    for name, value in was.items():
        setting(name, value)

    print(f"# {world.slow:.1f} times as slow as usual")
    for what, n in sorted(world.counts.items()):
        print(f"# {what}: {n}")
    bad = [f"{what} ({n} times)" for what, n in sorted(world.errors.items())]
    bad += nothing_left(world) + gauge(world) + serves(world)
    if not args.only and not world.counts.get("accepted TLS"):
        bad.append("nothing has been accepted with TLS")
    if hung:
        bad.append(f"{hung} processes hang")
    for what in bad:
        print(f"# {what}")
    print(f"# MemAvailable: {before} kB before, {memory()} kB after")
    print(f"# before: {stat}; after: {sockstat()}")
    print(f"1..1\n{'not ok' if bad else 'ok'} 1 - stress for {world.seconds:.0f} s, "
          f"seed {args.seed}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
