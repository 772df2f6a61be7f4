# SPDX-License-Identifier: GPL-2.0
"""
Memory that is short: allocations of net/tls fail, in whatever context. With
TLS_HS_F_NO_FALLBACK nothing but complete TLS connections leaves accept() even then, and
when there is memory again all is as before.

Needs CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_STACKTRACE_FILTER and net/tls as a module, as the
debug kernel for x86 has them (Documentation/fault-injection/fault-injection.rst).
"""

import contextlib
import errno
import os
import select
import socket
import threading
import time

from common import (STAGES, Acceptor, Peer, Skip, accept_all, attempt, check, destroy, diag,
                    nothing_left, serves, test, tls13, tls_hs)
from tls_hs_connected import events, start, tcp_pair

DEBUG = "/sys/kernel/debug"
ONLY = {"versions": tls_hs.VERSION_1_3, "flags": tls_hs.F_NO_FALLBACK}


def text_of_module():
    """Where the module's code is: first and last address."""
    addresses = []
    with open("/proc/kallsyms", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[3:] == ["[tls]"] and words[1] in "tT":
                addresses.append(int(words[0], 16))
    if not addresses or not addresses[0]:
        raise Skip("net/tls is no module")
    return min(addresses), max(addresses) + 4096


@contextlib.contextmanager
def failing(percent, space=0):
    """So many of a hundred allocations below net/tls fail while the block runs."""
    if not os.path.exists(f"{DEBUG}/failslab/require-start"):
        raise Skip("no fault injection with a filter of callers here")
    start, end = text_of_module()

    def write(name, value):
        for kind in ("failslab", "fail_page_alloc"):
            path = f"{DEBUG}/{kind}/{name}"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write(str(value))

    for name, value in (("probability", 0), ("interval", 1), ("times", -1), ("space", space),
                        ("verbose", 0), ("task-filter", "N"), ("stacktrace-depth", 24),
                        ("require-start", hex(start)), ("require-end", hex(end)),
                        ("ignore-gfp-wait", "N"), ("ignore-gfp-highmem", "N"),
                        ("min-order", 0), ("probability", percent)):
        write(name, value)
    try:
        yield
    finally:
        write("probability", 0)


def handshakes(env, percent):
    """Clients are served or not, but never in plain text."""
    with env.listen(**ONLY, backlog=64) as lsk:
        port = lsk.getsockname()[1]
        with Acceptor(lsk) as acceptor:
            with failing(percent):
                results = [attempt(lsk, env.seconds(1))[1] for _ in range(60)]
        diag(f"{results.count(None)} of {len(results)} served")
        check(not acceptor.plain, f"{acceptor.plain} left accept() as plain TCP")
        check(percent < 100 or None not in results, "nothing has failed")
        nothing_left(env, port, 30)
        serves(env, lsk)


for _percent in (2, 20, 60, 100):
    test(f"{_percent} of 100 allocations fail, handshakes", _percent, seconds=120)(handshakes)


@test("allocations fail, connections that have stopped at each stage", seconds=120)
def stages(env):
    """And then the client or the server goes on or away."""
    with env.listen(**ONLY, backlog=64) as lsk:
        port = lsk.getsockname()[1]
        plain = 0
        for percent in (20, 60):
            for stage in STAGES[:4]:
                peers = []
                for _ in range(6):
                    with contextlib.suppress(OSError, tls13.Closed, tls13.AlertReceived):
                        peers.append(Peer(env, lsk, stage))
                with failing(percent):
                    for number, peer in enumerate(peers):
                        if number % 3 == 0:
                            with contextlib.suppress(OSError, tls13.Closed, tls13.AlertReceived):
                                peer.finish()
                        elif number % 3 == 1:
                            peer.close(rst=True)
                        else:
                            with contextlib.suppress(OSError):
                                destroy(lsk, peer)
                    for conn, family in accept_all(lsk):
                        plain += family != tls_hs.AF_TLS
                        conn.close()
                for peer in peers:
                    peer.close()
                check(not plain, f"{stage}: plain TCP left accept()")
                nothing_left(env, port, 30)
        serves(env, lsk)


@test("allocations fail when connections are in the queue and TLS_HS is set", seconds=60)
def queued(env):
    """Those that get no context are reset."""
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as lsk:
            port = lsk.getsockname()[1]
            peers = [Peer(env, lsk, "silent") for _ in range(6)]
            with failing(50):
                try:
                    lsk.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
                    lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
                        env.ring, versions=ONLY["versions"], flags=ONLY["flags"] | env.flags))
                except OSError:
                    # Neither set nor half of it.
                    continue
                lsk.setblocking(False)
                got = accept_all(lsk, 0.1)
            check(not got, f"{len(got)} plain connections left accept()")
            for peer in peers:
                peer.close()
        nothing_left(env, port, 30)
        time.sleep(0.01)


@test("allocations fail while settings, names and protocols are set", seconds=60)
def setters(env):
    """What fails changes nothing."""
    with env.listen(**ONLY) as lsk:
        failed = 0
        with failing(30):
            for _ in range(60):
                for func in (
                        lambda: lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
                            env.ring, versions=ONLY["versions"],
                            flags=ONLY["flags"] | env.flags)),
                        lambda: tls_hs.set_sni(lsk, "ecdsa.test", env.ring, **ONLY),
                        lambda: tls_hs.set_sni(lsk, "ecdsa.test", 0),
                        lambda: tls_hs.set_alpn(lsk, b"h2"),
                        lambda: tls_hs.set_alpn(lsk),
                        lambda: lsk.listen(64)):
                    try:
                        func()
                    except OSError:
                        failed += 1
        diag(f"{failed} of 360 have failed")
        check(failed, "nothing has failed")
        tls_hs.set_alpn(lsk)
        serves(env, lsk)


# Bits of /sys/kernel/debug/fail_tls_handshake/sites, see net/tls/handshake/inject.h.
SITES = ("handshake", "context", "session", "page", "unsent", "tx", "rx", "look")


@contextlib.contextmanager
def failing_at(site):
    """One allocation of a handshake fails, always, while the block runs."""
    folder = f"{DEBUG}/fail_tls_handshake"
    if not os.path.exists(f"{folder}/sites"):
        raise Skip("no CONFIG_TLS_HANDSHAKE_FAULT_INJECTION")

    def write(name, value):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    for name, value in (("times", -1), ("interval", 1), ("verbose", 0), ("probability", 100),
                        ("sites", 1 << SITES.index(site))):
        write(name, value)
    try:
        yield
    finally:
        write("sites", 0)


def at_site(env, site, settings):
    """The client is served, refused, or in user space with its ClientHello; never in between."""
    with env.listen(**settings, timeout_ms=3000) as lsk:
        port = lsk.getsockname()[1]
        with Acceptor(lsk) as acceptor:
            with failing_at(site):
                results = [attempt(lsk, env.seconds(0.3))[1] for _ in range(8)]
            serves(env, lsk)
        diag(f"{site}: {results}")
        if settings.get("flags"):
            check(not acceptor.plain, "plain TCP left accept()")
        nothing_left(env, port, 30)


for _site in SITES:
    test(f"no memory for {_site}", _site, {}, seconds=60)(at_site)
    test(f"no memory for {_site}, no fallback", _site, ONLY, seconds=60)(at_site)


@test("no memory for a key of a connected socket: it fails, with nothing in the clear", seconds=60)
def half_keyed(env):
    """With keys for one direction, or none, nobody sends or reads, however often it is tried."""
    secret = b"not in the clear"
    for site in ("tx", "rx"):
        sock, conn = tcp_pair()
        conn.setblocking(False)
        start(env, conn, flags=env.flags)
        done, failed = [], set()
        stop = threading.Event()

        def try_both(conn=conn, done=done, failed=failed, stop=stop):
            while not stop.is_set():
                for func, arg in ((conn.send, secret), (conn.recv, 100)):
                    try:
                        done.append(func(arg))
                    except OSError as err:
                        failed.add(errno.errorcode[err.errno])

        thread = threading.Thread(target=try_both)
        with failing_at(site):
            thread.start()
            client = tls13.Client(sock, tls13.Hello())
            client.handshake(b"data with the Finished")
            end = time.monotonic() + env.seconds(5)
            while not events(conn) & select.POLLHUP:
                check(time.monotonic() < end, f"{site}: the handshake has not failed")
                time.sleep(0.01)
            time.sleep(0.05)
            stop.set()
            thread.join()
        diag(f"{site}: {failed}, {len(done)} calls have returned {set(done)}")
        # The end of the file is what there may be.
        check(set(done) <= {b""}, f"{site}: something was sent or read")
        check("ENOMEM" in failed, f"{site}: nobody was told why")
        with sock:
            wire = b""
            try:
                while data := sock.recv(1000):
                    wire += data
            except OSError:
                pass
        check(secret not in wire, f"{site}: plain text has left")
        conn.close()
    with env.listen() as lsk:
        serves(env, lsk)


@test("no memory for a child: its connection waits and is served when there is some again")
def waits(env):
    """Nothing is lost for want of memory that comes back."""
    for site in ("handshake", "context"):
        with env.listen() as lsk:
            with failing_at(site):
                peer = Peer(env, lsk, "silent")
                time.sleep(env.seconds(0.3))
            peer.finish()
            check(len(accept_all(lsk)) == 1, f"{site}: the connection is lost")
            peer.close()
