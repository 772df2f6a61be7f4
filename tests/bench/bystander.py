#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
What handshakes cost those who have nothing to do with them: a TCP echo while clients send
one ClientHello after the other, to the kernel and to rustls in user space.

To be run in the guest by scripts/bench-bystander. Half a millisecond passes between two
echos; what is measured is the lateness of that wakeup plus the round trip. In a machine
that counts its instructions (qemu -icount) a microsecond is a thousand of them.

bystander.py [--probes N] [--only PATTERN] SERVER DIR

SERVER is tests/bench/rustls-server, DIR has NAME.pem, NAME.key and NAME.id of identities.
"""

import argparse
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

ABORT = struct.pack("ii", 1, 0)
F_NO_TICKETS = 8
PARALLEL = 8
PAUSE = 0.0005
# Two runs differ by some hundredths.
TOLERANCE = 1.05
IDENTITIES = ("p256", "rsa2048", "rsa4096")


class Counter:
    """A number that processes share."""

    def __init__(self):
        self.mem = mmap.mmap(-1, 8)

    def get(self):
        """The number."""
        return struct.unpack_from("q", self.mem)[0]

    def add(self):
        """One more; of one process only."""
        struct.pack_into("q", self.mem, 0, self.get() + 1)


def in_child(func, *args):
    """A process that runs the function."""
    pid = os.fork()
    if not pid:
        try:
            func(*args)
        finally:
            os._exit(1)
    return pid


def flood(port, counter):
    """Connections that send a ClientHello, and are reset when the answer comes."""
    hello = tls13.Hello(name="bench", groups=(tls13.X25519,), suites=(tls13.AES128,)).record()
    socks = []
    while True:
        while len(socks) < PARALLEL:
            sock = socket.socket()
            sock.settimeout(5)
            try:
                sock.connect(("127.0.0.1", port))
                sock.send(hello)
                socks.append(sock)
            except OSError:
                sock.close()
        for sock in select.select(socks, [], [], 1)[0]:
            try:
                if sock.recv(65536)[:1] == b"\x16":
                    counter.add()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            except OSError:
                pass
            sock.close()
            socks.remove(sock)


def echo(lsk):
    """A server that sends back what it gets."""
    conn = lsk.accept()[0]
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := conn.recv(64):
        conn.send(data)


class Bystander:
    """The echo's client."""

    def __init__(self, probes):
        self.probes = probes
        with socket.create_server(("127.0.0.1", 0)) as lsk:
            in_child(echo, lsk)
            self.sock = socket.create_connection(lsk.getsockname())
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.measure(50)

    def measure(self, probes=0):
        """p50, p99 and the longest, in microseconds."""
        times = []
        for _ in range(probes or self.probes):
            wanted = time.perf_counter() + PAUSE
            time.sleep(PAUSE)
            self.sock.send(b"x" * 32)
            self.sock.recv(64)
            times.append((time.perf_counter() - wanted) * 1e6)
        times.sort()
        return times[len(times) // 2], times[len(times) * 99 // 100], times[-1]

    def beside(self, port):
        """The same while clients flood a server, and how long one of their handshakes takes."""
        counter = Counter()
        pid = in_child(flood, port, counter)
        time.sleep(0.05)
        done, start = counter.get(), time.perf_counter()
        out = self.measure()
        each = (time.perf_counter() - start) * 1e6 / max(1, counter.get() - done)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        time.sleep(0.2)
        return (*out, each)


def row(name, numbers, base=None):
    """A line of the table; behind each number how many times as much as base it is."""
    cells = []
    for i, number in enumerate(numbers):
        cell = f"{number:.0f}"
        if base and i < 3:
            cell += f" ({number / base[i]:.2f})"
        cells.append(cell)
    cells += [""] * (4 - len(cells))
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--probes", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("server")
    parser.add_argument("dir")
    args = parser.parse_args()
    tls_hs.join_session()
    echo_client = Bystander(args.probes)
    print("| load | p50 | p99 | max | for each handshake |\n| --- | ---: | ---: | ---: | ---: |")
    row("none", echo_client.measure())
    worse = []
    for name in IDENTITIES:
        if args.only not in name:
            continue
        files = [os.path.join(args.dir, f"{name}.{kind}") for kind in ("pem", "key")]
        threads = str(os.cpu_count())
        with subprocess.Popen([args.server, "--threads", threads, "127.0.0.1:0", *files],
                              stdout=subprocess.PIPE, text=True) as server:
            port = int(server.stdout.readline())
            base = echo_client.beside(port)
            server.kill()
        row(f"{name}, rustls", base)
        with open(os.path.join(args.dir, f"{name}.id"), "rb") as file:
            ring = tls_hs.new_keyring(file.read())
        for what, flags in (("kernel", 0), ("kernel, TLS_HS_F_THREAD", tls_hs.F_THREAD),
                            ("kernel, TLS_HS_F_SOFTIRQ", tls_hs.F_SOFTIRQ)):
            with tls_hs.listener(ring, flags=flags | F_NO_TICKETS, suites=(tls13.AES128,),
                                 groups=(tls13.X25519,), backlog=1024) as lsk:
                numbers = echo_client.beside(lsk.getsockname()[1])
            row(f"{name}, {what}", numbers, base)
            if any(n > TOLERANCE * b for n, b in zip(numbers[:3], base[:3])):
                worse.append(f"{name}, {what}")
    print("\nWorse than rustls: " + ("; ".join(worse) or "none"))


if __name__ == "__main__":
    main()
