# SPDX-License-Identifier: GPL-2.0
"""
Settings, names and protocols that are set at any moment: with TLS_HS_F_NO_FALLBACK nothing
but complete TLS connections leaves accept(), and without nothing is ever lost.
"""

import errno
import os
import select
import socket
import threading
import time

from common import (Acceptor, Failed, Flood, Peer, accept_all, attempt, check, child, connect,
                    diag, exchange, nothing_left, plain, served, test, tls13, tls_hs)

ONLY = {"versions": tls_hs.VERSION_1_3, "flags": tls_hs.F_NO_FALLBACK}


def activate(env, sock, **kwargs):
    """TCP_ULP and TLS_HS."""
    sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(env.ring, **kwargs))


def set_settings(env, lsk):
    """TLS_HS with what it has."""
    flags = ONLY["flags"] | env.flags
    lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS,
                   tls_hs.settings(env.ring, versions=ONLY["versions"], flags=flags))


def set_sni(env, lsk):
    """A name comes and goes."""
    tls_hs.set_sni(lsk, "ecdsa.test", env.ring, **ONLY)
    tls_hs.set_sni(lsk, "other.test", env.ring, **ONLY)
    tls_hs.set_sni(lsk, "other.test", 0)
    tls_hs.set_sni(lsk, "ecdsa.test", 0)


def set_alpn(_env, lsk):
    """Protocols come and go."""
    tls_hs.set_alpn(lsk, b"h2", b"http/1.1")
    tls_hs.set_alpn(lsk)


def set_backlog(_env, lsk):
    """listen() again."""
    for backlog in (4096, 64, 1000):
        lsk.listen(backlog)


def set_all(env, lsk):
    """One after the other."""
    for func in (set_settings, set_sni, set_alpn, set_backlog):
        func(env, lsk)


def storm(env, setter, seconds):
    """Clients that connect and say nothing; no one may come out of accept()."""
    with env.listen(**ONLY, backlog=4096) as lsk, child(setter, env, lsk):
        with Acceptor(lsk) as acceptor, Flood(env, lsk, 0, keep=200) as attack:
            time.sleep(env.seconds(seconds))
        diag(attack.text)
        check(attack.reached() > 100 / env.slow, "too few connections")
        check(not acceptor.tls, f"{acceptor.tls} were accepted as TLS")
        check(not acceptor.plain, f"{acceptor.plain} of them left accept() as plain TCP")


for _name, _setter, _seconds in (("TLS_HS", set_settings, 6), ("TLS_HS_SNI", set_sni, 3),
                                 ("TLS_HS_ALPN", set_alpn, 2), ("listen()", set_backlog, 2)):
    test(f"{_name} again and again, clients that say nothing", _setter, _seconds)(storm)


def race(env, setter, hellos):
    """Clients that do a handshake are all served."""
    with env.listen(**ONLY, backlog=64) as lsk, child(setter, env, lsk):
        with Acceptor(lsk) as acceptor:
            bad, done, end = [], 0, time.monotonic() + env.seconds(2)
            while time.monotonic() < end:
                _, why = attempt(lsk, env.seconds(5), **hellos)
                done += 1
                if why:
                    bad.append(why)
        diag(f"{done} clients")
        check(not bad, f"{len(bad)} of {done} were not served: {bad[0] if bad else ''}")
        check(not acceptor.plain, f"{acceptor.plain} left accept() as plain TCP")


for _name, _setter in (("TLS_HS", set_settings), ("TLS_HS_SNI", set_sni),
                       ("TLS_HS_ALPN", set_alpn), ("listen()", set_backlog), ("all", set_all)):
    test(f"{_name} again and again, clients that do handshakes", _setter, {})(race)


def queued(env, stage, flags):
    """Connections that were in the queue when TLS_HS was set."""
    flags |= env.flags
    versions = tls_hs.VERSION_1_3 | (0 if flags & tls_hs.F_NO_FALLBACK else tls_hs.VERSION_1_2)
    with socket.create_server(("127.0.0.1", 0)) as lsk:
        port = lsk.getsockname()[1]
        # The server is not one of TLS yet: nobody answers.
        peers = [Peer(env, lsk, stage) for _ in range(3)]
        if stage == "silent":
            whole = Peer(env, lsk, "silent")
            whole.client.send_hello()
            peers.append(whole)
        time.sleep(env.seconds(0.05))
        activate(env, lsk, versions=versions, flags=flags)
        lsk.setblocking(False)
        for conn, family in accept_all(lsk):
            check(family != tls_hs.AF_TLS, "a connection without handshake is AF_TLS")
            check(not flags & tls_hs.F_NO_FALLBACK, "accept() returns a plain connection")
            check(stage == "fallen back", "plain TCP, although a handshake could be done")
            conn.close()
        if stage == "silent":
            # The last one has sent a ClientHello.
            whole.client.server_hello()
            whole.client.server_flight()
            whole.stage = "flight"
        for peer in peers:
            if stage == "fallen back":
                if flags & tls_hs.F_NO_FALLBACK:
                    peer.ended(env.seconds(2))
                continue
            peer.finish()
            conn, family = tls_hs.accept(lsk, env.seconds(5))
            check(family == tls_hs.AF_TLS, f"{peer.stage}: family {family}")
            exchange(conn, peer)
            conn.close()
        for peer in peers:
            peer.close()
    nothing_left(env, port)


for _flags in (0, tls_hs.F_NO_FALLBACK):
    for _stage in ("silent", "half a hello", "fallen back"):
        test(f"TLS_HS with connections in the queue, {_stage}"
             f"{', no fallback' if _flags else ''}", _stage, _flags)(queued)


@test("TLS_HS on a listener under a storm of connections", seconds=60)
def under_storm(env):
    """From the moment that the setting is made nothing but TLS comes out."""
    bad = 0
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as lsk:
            with Flood(env, lsk, 0, burst=50, keep=500):
                activate(env, lsk, versions=ONLY["versions"], flags=ONLY["flags"] | env.flags)
                lsk.setblocking(False)
                end = time.monotonic() + env.seconds(0.2)
                while time.monotonic() < end:
                    bad += len(accept_all(lsk, 0.05))
    check(not bad, f"{bad} plain connections left accept()")


def asleep(env, flags, many):
    """accept() sleeps when TLS_HS is set: EBUSY, and it goes on to be plain TCP."""
    flags |= env.flags
    versions = tls_hs.VERSION_1_3 | (0 if flags & tls_hs.F_NO_FALLBACK else tls_hs.VERSION_1_2)
    lsk = socket.create_server(("127.0.0.1", 0))
    got = []
    threads = [threading.Thread(target=lambda: got.append(lsk.accept()), daemon=True)
               for _ in range(many)]
    for thread in threads:
        thread.start()
    time.sleep(env.seconds(0.1))
    try:
        activate(env, lsk, versions=versions, flags=flags)
        raise Failed("TLS_HS although somebody sleeps in accept()")
    except OSError as err:
        check(err.errno == errno.EBUSY, str(err))
    for _ in range(many):
        with connect(lsk, env.seconds(3)) as sock:
            sock.sendall(b"x")
    for thread in threads:
        thread.join(env.seconds(5))
        check(not thread.is_alive(), "accept() sleeps on")
    for conn, _ in got:
        check(conn.recv(2) == b"x", "no plain TCP")
        conn.close()
    # Those who poll do not count.
    with select.epoll() as epoll:
        epoll.register(lsk, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        set_settings_of(env, lsk, versions, flags)
        peer = Peer(env, lsk, "done")
        check(epoll.poll(env.seconds(3)), "not woken up")
        exchange(lsk.accept()[0], peer)
    lsk.close()


def set_settings_of(env, lsk, versions, flags):
    """TLS_HS alone."""
    lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS,
                   tls_hs.settings(env.ring, versions=versions, flags=flags))


for _flags in (0, tls_hs.F_NO_FALLBACK):
    for _many in (1, 3):
        test(f"TLS_HS while {_many} sleep in accept(){', no fallback' if _flags else ''}",
             _flags, _many)(asleep)


@test("accept() that sleeps wakes up for TLS, with a timeout, by a signal")
def sleeping(env):
    """Blocking accept() on a listener with TLS_HS."""
    with env.listen() as lsk:
        lsk.setblocking(True)
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                       int(env.seconds(1)).to_bytes(8, "little") + bytes(8))
        start = time.monotonic()
        try:
            lsk.accept()
            raise Failed("there is nothing to accept")
        except BlockingIOError:
            pass
        took = time.monotonic() - start
        check(env.seconds(0.8) < took < env.seconds(2), f"SO_RCVTIMEO: {took:.2f} s")
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
        result = []
        thread = threading.Thread(target=lambda: result.append(lsk.accept()), daemon=True)
        thread.start()
        time.sleep(env.seconds(0.1))
        # One that says nothing wakes nobody.
        silent = connect(lsk)
        thread.join(env.seconds(0.3))
        check(thread.is_alive(), "woken up by a silent client")
        peer = Peer(env, lsk, "done")
        thread.join(env.seconds(3))
        check(not thread.is_alive(), "not woken up")
        exchange(result[0][0], peer)
        silent.close()


@test("poll, select and epoll tell of done connections only")
def polls(env):
    """And of all of them."""
    with env.listen() as lsk, select.epoll() as epoll:
        epoll.register(lsk, select.EPOLLIN)
        edge = select.epoll()
        edge.register(lsk, select.EPOLLIN | select.EPOLLET)
        silent = Peer(env, lsk, "silent")
        half = Peer(env, lsk, "half a hello")
        flight = Peer(env, lsk, "flight")
        time.sleep(env.seconds(0.1))
        check(not epoll.poll(0) and not edge.poll(0), "epoll tells of one that is not done")
        check(not select.select([lsk], [], [], 0)[0], "select does")
        for peer in (flight, half, silent):
            peer.finish()
            check(edge.poll(env.seconds(3)), "no edge")
            check(epoll.poll(env.seconds(3)), "no level")
            check(select.select([lsk], [], [], env.seconds(3))[0], "select sees nothing")
        for peer in (flight, half, silent):
            check(epoll.poll(0), "nothing more is told")
            conn, _ = tls_hs.accept(lsk)
            exchange(conn, peer)
        check(not epoll.poll(0), "told of something that is not there")
        edge.close()


@test("settings of a child are those of its ClientHello's time or earlier")
def settings_of_child(env):
    """A keyring that is replaced while a client has said half of its hello."""
    with env.listen() as lsk:
        peer = Peer(env, lsk, "half a hello")
        other = tls_hs.new_keyring(tls_hs.RSA_IDENTITY)
        lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS,
                       tls_hs.settings(other, flags=env.flags))
        peer.finish()
        conn, family = tls_hs.accept(lsk, env.seconds(5))
        check(family == tls_hs.AF_TLS, f"family {family}")
        exchange(conn, peer)
        with Acceptor(lsk):
            check(not served(env, lsk, 2)[1], "not served")


@test("a listener in another process, which lives on", seconds=40)
def inherited(env):
    """fork() and close(): TLS_HS set here counts there."""
    with env.listen(**ONLY) as lsk:
        with Acceptor(lsk) as acceptor:
            set_settings(env, lsk)
            os.close(os.dup(lsk.fileno()))
            _, why = served(env, lsk, 3)
            check(not why, f"{why}")
        check((acceptor.tls, acceptor.plain) == (3, 0), f"{acceptor.tls}, {acceptor.plain}")
