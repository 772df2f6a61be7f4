#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Memory of a connection in each of its states, more than that of plain TCP.

memory.py [--connections N] [--check]: prints a table; with --check it fails if a state takes
more than it may.  memory.py --idle N: so many idle connections at a time.
Both ends are in the same guest; the client's is the same in all rows but for what it has sent
and not yet had acknowledged, which is nothing.
"""

import argparse
import os
import resource
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

F_NO_TICKETS = 8
AES_GCM_128 = 51
IP_BIND_ADDRESS_NO_PORT = 24


def memory():
    """Bytes of slab, of all that the kernel has for itself, pages of TCP's account."""
    info = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            key, value = line.split(":")
            info[key] = int(value.split()[0]) * 1024
    with open("/proc/net/sockstat", encoding="ascii") as file:
        pages = [int(line.split()[-1]) for line in file if line.startswith("TCP:")][0]
    others = sum(info.get(key, 0) for key in (
        "MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "PageTables", "KernelStack"))
    return info["Slab"], info["MemTotal"] - others, pages


def settle():
    """What there is when nothing changes any more, without what can be read again."""
    last = None
    for _ in range(30):
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
        time.sleep(0.3)
        now = memory()
        if last and max(abs(now[i] - last[i]) for i in (0, 1)) < 32768:
            return now
        last = now
    return now


class Bench:
    """Makes connections in a state and takes the mean of their memory."""

    def __init__(self, connections):
        # Few free pages in lists of CPUs, which are not seen as free.
        with open("/proc/sys/vm/percpu_pagelist_high_fraction", "w", encoding="ascii") as file:
            file.write("100000")
        tls_hs.join_session()
        self.ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
        self.connections = connections

    def plain(self):
        """A listener of TCP."""
        return socket.create_server(("127.0.0.1", 0), backlog=4096)

    def tls(self):
        """A listener of TLS_HS."""
        return tls_hs.listener(self.ring, backlog=4096, timeout_ms=100000, flags=F_NO_TICKETS,
                               versions=tls_hs.VERSION_1_3)

    def run(self, make, act, n):
        """Bytes for each connection: slab, all, TCP's account."""
        with make() as lsk:
            kept = []

            def open_some(count):
                for _ in range(count):
                    sock = socket.socket()
                    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                    # An address has 28,000 ports.
                    sock.bind((f"127.1.{len(kept) // 40000}.1", 0))
                    sock.connect(lsk.getsockname())
                    kept.append(sock)
                    kept.extend(act(sock, lsk))

            # Fills what others have left half empty: with fewer of them a state seems to
            # take less than it does.
            open_some(1000)
            before = settle()
            open_some(n)
            after = settle()
            # Without TIME_WAIT, which would be gone when the next ones are counted.
            for sock in kept:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for sock in kept:
                sock.close()
        page = resource.getpagesize()
        unit = (1, 1, page)
        return [(b - a) * u / n for a, b, u in zip(before, after, unit)]


def nothing(_sock, _lsk):
    """A silent client that nobody accepts."""
    return []


def accepted(_sock, lsk):
    """Plain TCP."""
    return [lsk.accept()[0]]


def accepted_data(sock, lsk):
    """Plain TCP over which both have said something."""
    conn = lsk.accept()[0]
    sock.sendall(b"question")
    conn.recv(10)
    conn.sendall(b"answer")
    sock.recv(10)
    return [conn]


HELLO = tls13.Hello(suites=(tls13.AES128,)).record()


def part(sock, _lsk):
    """A ClientHello but for a byte."""
    sock.sendall(HELLO[:-1])
    return []


def flight(sock, _lsk):
    """The kernel waits for the Finished."""
    sock.sendall(HELLO)
    left = 600
    while left > 0:
        left -= len(sock.recv(65536))
    return []


def full(sock, lsk):
    """An accepted connection, idle."""
    tls13.Client(sock, tls13.Hello()).handshake()
    conn, family = tls_hs.accept(lsk)
    if family != tls_hs.AF_TLS:
        raise AssertionError(f"family {family}")
    return [conn]


def full_data(sock, lsk):
    """An accepted connection over which both have said something."""
    client = tls13.Client(sock, tls13.Hello())
    client.handshake(b"question")
    conn, _ = tls_hs.accept(lsk)
    conn.recv(10)
    conn.sendall(b"answer")
    client.recv()
    return [conn]


def ktls(sock, lsk):
    """kTLS as a process of user space sets it up, with data."""
    conn = lsk.accept()[0]
    sock.sendall(b"question")
    conn.recv(10)
    conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    for option in (tls_hs.TLS_TX, tls_hs.TLS_RX):
        conn.setsockopt(tls_hs.SOL_TLS, option,
                        struct.pack("=HH", 0x0304, AES_GCM_128) + os.urandom(28) + bytes(8))
    conn.sendall(b"answer")
    sock.recv(100)
    return [conn]


# What a state may take more than the one that it is compared with, in bytes.
STATES = (
    ("plain TCP, not accepted", "plain", nothing, None, None),
    ("plain TCP, accepted, idle", "plain", accepted, None, None),
    ("plain TCP, accepted, after data", "plain", accepted_data, None, None),
    ("kTLS set up by user space, after data", "plain", ktls, "plain TCP, accepted, after data",
     None),
    ("TLS_HS, silent", "tls", nothing, "plain TCP, not accepted", 1024),
    ("TLS_HS, a ClientHello but for a byte", "tls", part, "plain TCP, not accepted", None),
    ("TLS_HS, waits for Finished", "tls", flight, "plain TCP, not accepted", 4096),
    ("TLS_HS, accepted, idle", "tls", full, "plain TCP, accepted, idle", 4096),
    ("TLS_HS, accepted, after data", "tls", full_data, "plain TCP, accepted, after data", 4096),
)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--idle", type=int)
    args = parser.parse_args()
    files = max(60000, 2 * (args.idle or 0) + 10000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    bench = Bench(args.connections)
    if args.idle:
        for name, make, act in (("plain TCP", bench.plain, accepted), ("TLS_HS", bench.tls, full)):
            slab, total, _ = bench.run(make, act, args.idle)
            print(f"{args.idle} idle connections of {name}, both ends: {total * args.idle / 1e6:.0f} "
                  f"MB, each {total:.0f} bytes, of which {slab:.0f} are slab", flush=True)
        return 0
    print("| connection, both ends of it | slab | all | TCP's account | slab and account, more than plain TCP |"
          " may be |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    seen, failed = {}, []
    for name, kind, act, base, limit in STATES:
        slab, total, account = bench.run(getattr(bench, kind), act,
                                         max(500, args.connections))
        # The rest of the machine needs more or less meanwhile, up to a megabyte.
        seen[name] = slab + account
        more = seen[name] - seen[base] if base else None
        if limit is not None and more > limit:
            failed.append(name)
        print(f"| {name} | {slab:.0f} | {total:.0f} | {account:.0f} | "
              f"{'' if more is None else format(more, '.0f')} | {limit or ''} |", flush=True)
    if args.check:
        for number, state in enumerate((s for s in STATES if s[4]), 1):
            print(f"{'not ok' if state[0] in failed else 'ok'} {number} - {state[0]}")
        return 1 if failed else 0
    print("\nMore than there may be: " + ("; ".join(failed) or "none"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
