#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Many connections that end in every way at once, for kernels that watch
themselves (KASAN, lockdep, kmemleak): connects, aborts in every state,
timeouts, listeners that close, keys that change, workers that die.

stress/run.py [--seconds N] [--seed N] [--thread]
"""

import argparse
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

ABORT = struct.pack("ii", 1, 0)


class Stress:
    """State that the threads share."""

    def __init__(self, args):
        self.ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)
        self.flags = tls_hs.F_THREAD if args.thread else 0
        self.slow = self.slowness(args.clients)
        self.seconds = args.seconds * min(self.slow, 4)
        self.stop = time.monotonic() + self.seconds
        self.seed = args.seed
        self.port = 0
        self.counts = {}
        self.errors = []
        self.lock = threading.Lock()

    def slowness(self, clients):
        """How much longer than usual things take in an emulated machine that checks itself."""
        with tls_hs.listener(self.ring, flags=self.flags) as lsk:
            for _ in range(3):
                start = time.monotonic()
                with socket.create_connection(lsk.getsockname(), 30) as sock:
                    tls13.Client(sock, tls13.Hello()).handshake()
                    tls_hs.accept(lsk, 30)[0].close()
                took = time.monotonic() - start
        # The clients share one interpreter; each has half a second on a usual machine.
        return min(50, max(1, took * clients / 0.25))

    def running(self):
        """Whether there is time left."""
        return time.monotonic() < self.stop

    def count(self, what):
        """Counts an event."""
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def guard(self, func, *args):
        """Runs a thread's function and keeps what it raises."""
        try:
            func(*args)
        except Exception as err:  # pylint: disable=broad-except
            self.errors.append(f"{func.__name__}: {type(err).__name__}: {err}")

    def server(self):
        """Accepts; closes its listener now and then with connections in every state."""
        rng = random.Random(self.seed)
        while self.running():
            lsk = tls_hs.listener(self.ring, backlog=rng.choice((1, 4, 64)), flags=self.flags,
                                  timeout_ms=int(rng.choice((20, 200, 5000)) * self.slow))
            self.port = lsk.getsockname()[1]
            until = time.monotonic() + rng.uniform(0.05, 1.5) * self.slow
            while time.monotonic() < min(until, self.stop):
                if rng.random() < 0.2:
                    tls_hs.set_alpn(lsk, *rng.choice(((), (b"h2",), (b"http/1.1", b"h2"))))
                if not tls_hs.readable(lsk, 0.05):
                    continue
                try:
                    conn, family = tls_hs.accept(lsk)
                except (BlockingIOError, ConnectionError):
                    # Reset or taken away after poll(): legal.
                    self.count("accept failed")
                    continue
                self.count("accepted PF_TLS" if family == tls_hs.AF_TLS else "accepted fallback")
                conn.setblocking(False)
                try:
                    if rng.random() < 0.8:
                        conn.recv(1000)
                        conn.send(b"answer")
                except OSError:
                    pass
                if rng.random() < 0.3:
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                conn.close()
            if rng.random() < 0.2:
                try:
                    lsk.shutdown(socket.SHUT_RD)
                    lsk.listen(8)
                except OSError:
                    pass
            lsk.close()
            self.count("listeners")

    def client(self, number):
        """Connects and ends in a state of its choice."""
        rng = random.Random(self.seed * 1000 + number)
        while self.running():
            sock = socket.socket()
            sock.settimeout(0.5 * self.slow)
            try:
                sock.connect(("127.0.0.1", self.port))
                self.act(rng, sock)
            except (OSError, tls13.Closed, tls13.AlertReceived, ValueError):
                self.count("client saw an end")
            finally:
                if rng.random() < 0.5:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                sock.close()

    def act(self, rng, sock):
        """One connection."""
        client = tls13.Client(sock, tls13.Hello(
            name=rng.choice(("ecdsa.test", "rsa.test", None)),
            groups=(rng.choice((tls13.X25519, tls13.X25519MLKEM768, tls13.SECP256R1)),)))
        if rng.random() < 0.3:
            client.hello.set(tls13.ALPN, tls13.vec(2, b"\x02h2"))
        if rng.random() < 0.2:
            client.hello.set(tls13.RECORD_SIZE_LIMIT, tls13.u16s(rng.choice((63, 64, 600))))
        step = rng.randrange(8)
        self.count(f"step {step}")
        if step == 0:
            return
        data = client.hello.record()
        if step == 1:
            sock.sendall(data[:rng.randrange(len(data))])
            time.sleep(rng.choice((0, 0.01, 0.1)))
            return
        if step == 2:
            sock.sendall(rng.randbytes(rng.randrange(1, 600)))
            return
        if step == 3:
            bad = bytearray(data)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            sock.sendall(bad)
            sock.recv(10000)
            return
        client.send_hello(rng.choice((0, 0, 0, 50)))
        if step == 4:
            return
        client.server_hello()
        client.server_flight()
        if step == 5:
            sock.sendall(tls13.record(tls13.APPDATA, rng.randbytes(60), 0x0303))
            return
        sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
        client.switch()
        self.count("handshakes")
        if step == 6:
            return
        client.send(b"request")
        client.recv()

    def keys(self):
        """Identities come and go."""
        rng = random.Random(self.seed + 7)
        while self.running():
            key = tls_hs.add_key("tls_identity", f"extra{rng.randrange(3)}",
                                 rng.choice((tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)),
                                 self.ring)
            time.sleep(rng.uniform(0, 0.1))
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE if rng.random() < 0.5 else tls_hs.KEYCTL_UNLINK,
                          key, self.ring)
            self.count("key changes")

    def readers(self):
        """Looks at all sockets, as ss does."""
        while self.running():
            for path in ("/proc/net/tcp", "/proc/net/tls_stat", "/proc/net/sockstat"):
                try:
                    with open(path, encoding="ascii") as file:
                        file.read()
                except OSError:
                    pass
            time.sleep(0.02)


def main():
    """Runs the threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--thread", action="store_true")
    args = parser.parse_args()
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    tls_hs.join_session()
    stress = Stress(args)
    funcs = [(stress.server,), (stress.keys,), (stress.readers,)]
    funcs += [(stress.client, i) for i in range(args.clients)]
    threads = [threading.Thread(target=stress.guard, args=f, daemon=True) for f in funcs]
    for thread in threads:
        thread.start()
    hung = 0
    for thread in threads:
        thread.join(max(0, stress.stop - time.monotonic()) + 20 * stress.slow)
        hung += thread.is_alive()
    print(f"# {stress.slow:.1f} times as slow as usual")
    for what, n in sorted(stress.counts.items()):
        print(f"# {what}: {n}")
    for error in stress.errors:
        print(f"# {error}")
    good = not hung and not stress.errors and stress.counts.get("accepted PF_TLS", 0) > 0

    # After all that the kernel still does handshakes.
    lsk = tls_hs.listener(stress.ring)
    for _ in range(5):
        sock = socket.create_connection(lsk.getsockname())
        sock.settimeout(10 * stress.slow)
        client = tls13.Client(sock, tls13.Hello())
        client.handshake(b"after")
        conn, family = tls_hs.accept(lsk, 5 * stress.slow)
        good = good and family == tls_hs.AF_TLS and conn.recv(10) == b"after"
    print(f"1..1\n{'ok' if good else 'not ok'} 1 - stress for {stress.seconds:.0f} s, seed {args.seed}"
          + (f" # {hung} threads hang" if hung else ""))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
