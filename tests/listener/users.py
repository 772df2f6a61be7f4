# SPDX-License-Identifier: GPL-2.0
"""
Other users of the machine: what one does with listeners and clients of his own costs the
others neither their handshakes nor their places.
"""

import errno
import os
import resource
import signal
import socket
import threading
import time

from common import Peer, attempt, check, diag, Acceptor, Failed, test, tls13, tls_hs

NOBODY = 65534


class Other:
    """A process of another user that does something and then sleeps."""

    def __init__(self, func):
        self.func = func
        self.pid = 0

    def __enter__(self):
        ready, other = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                tls_hs.join_session()
                keep = self.func()
                os.write(other, b"x")
                time.sleep(600)
                del keep
            finally:
                os._exit(1)
        os.close(other)
        if os.read(ready, 1) != b"x":
            raise Failed("the other user has failed")
        os.close(ready)
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def flood_of_signatures():
    """Many clients of a listener with RSA that send a ClientHello and nothing else."""
    lsk = tls_hs.listener(tls_hs.new_keyring(tls_hs.RSA_IDENTITY), backlog=4096,
                          max_handshakes=1 << 20, timeout_ms=300000)
    hello = tls13.Hello(schemes=(0x0804,)).record()
    socks = [lsk]
    for _ in range(1500):
        sock = socket.create_connection(lsk.getsockname())
        sock.send(hello)
        socks.append(sock)
    return socks


@test("another user's clients want 1500 signatures", seconds=120)
def signatures(env):
    """A handshake waits for a turn of theirs and not for all of them."""
    with env.listen() as lsk, Acceptor(lsk):
        before = max(attempt(lsk, env.seconds(2))[0] for _ in range(5))
        with Other(flood_of_signatures):
            times = [attempt(lsk, env.seconds(10)) for _ in range(4)]
    diag(f"at most {before:.3f} s before, then {[round(t, 3) for t, _ in times]} s")
    check(not [why for _, why in times if why], str(times))
    check(max(t for t, _ in times) < env.seconds(0.5), "it has waited for the others")


def silence(count):
    """Clients of a listener that say nothing."""
    def func():
        lsk = tls_hs.listener(tls_hs.new_keyring(tls_hs.P256_IDENTITY), backlog=4096,
                              max_handshakes=1 << 20, timeout_ms=300000)
        return [lsk] + [socket.create_connection(lsk.getsockname()) for _ in range(count)]
    return func


@test("another user's silent clients fill the network namespace", seconds=120)
def places(env):
    """They do so at his own expense."""
    path = "/proc/sys/net/tls/max_handshakes"
    with open(path, encoding="ascii") as file:
        old = file.read()
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write("500")
        with env.listen(backlog=256) as lsk, Other(silence(600)):
            peers = [Peer(env, lsk, "flight") for _ in range(60)]
            time.sleep(env.seconds(0.2))
            for peer in peers:
                peer.finish()
            end = time.monotonic() + env.seconds(5)
            done = 0
            while done < len(peers) and time.monotonic() < end:
                try:
                    tls_hs.accept(lsk, 0.2)[0].close()
                    done += 1
                except TimeoutError:
                    pass
            for peer in peers:
                peer.close()
        diag(f"{done} of 60 served")
        check(done == 60, "some were evicted")
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(old)


def softirq():
    """TLS_HS_F_SOFTIRQ is at the expense of all."""
    try:
        tls_hs.listener(tls_hs.new_keyring(tls_hs.P256_IDENTITY), flags=tls_hs.F_SOFTIRQ)
    except OSError as err:
        if err.errno == errno.EPERM:
            return []
    raise Failed("softirqs for everybody")


@test("TLS_HS_F_SOFTIRQ needs CAP_NET_ADMIN")
def privileged(_env):
    """Another user has not got it."""
    with Other(softirq):
        pass


@test("a bound socket is connected while its TLS_HS looks into a keyring", seconds=60)
def converted(env):
    """ENOTCONN, or it has been set before; never something in between."""
    ring = tls_hs.new_keyring()
    for i in range(200):
        tls_hs.add_key("tls_identity", f"i{i}", tls_hs.P256_IDENTITY, ring)
    results = set()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as srv:
        for _ in range(40):
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
                got = []

                def setter(sock=sock, got=got):
                    try:
                        sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(ring))
                        got.append("set")
                    except OSError as err:
                        got.append(errno.errorcode[err.errno])

                thread = threading.Thread(target=setter)
                thread.start()
                sock.connect(srv.getsockname())
                try:
                    tls_hs.status(sock)
                except OSError as err:
                    check(err.errno in (errno.ENODATA, errno.EINPROGRESS), str(err))
                thread.join(env.seconds(5))
                results.update(got)
                srv.accept()[0].close()
    diag(f"{sorted(results)}")
    check(results <= {"set", "ENOTCONN", "EALREADY", "EBUSY"}, str(results))
