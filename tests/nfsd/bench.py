#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
How long a mount with TLS takes, and a handshake, by the kernel and by tlshd, in turns in
one guest, and how long its CPUs are busy with it.

    tests/nfsd/bench.py [--rounds=N] [--count=kernel|tlshd]

Prints medians of the time, and means of the time that is not idle, both in milliseconds.
--count is for scripts/bench-nfsd: nothing but mounts, with a personality() before and behind
them.
"""

import argparse
import ctypes
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpc  # noqa: E402
import tls13  # noqa: E402
import world  # noqa: E402


def idle():
    """Seconds for which the CPUs together have had nothing to do."""
    with open("/proc/uptime", encoding="ascii") as f:
        return float(f.read().split()[1])


class Watch:
    """The time that something takes, and what of it was not idle."""

    def __enter__(self):
        self.start, self.idle = time.monotonic(), idle()
        return self

    def __exit__(self, *_):
        self.took = time.monotonic() - self.start
        self.busy = self.took * os.cpu_count() - (idle() - self.idle)


def mount(w):
    """A mount, as a Watch."""
    with Watch() as watch:
        where = w.mount()
    w.umount(where)
    return watch


def handshake(w):
    """From the ClientHello to the server's Finished, as a Watch.

    The client's own cryptography is in Python: its key share is made before, and its
    part of the rest is the same for both.
    """
    hello = rpc.hello()
    with w.client.net():
        tls = tls13.Client(rpc.connect((world.SERVER, world.PORT)), hello)
    with Watch() as watch:
        tls.send_hello()
        tls.read_message()
    tls.sock.close()
    return watch


def count(w, rounds):
    """Mounts for a plugin of qemu to count."""
    personality = ctypes.CDLL(None).personality
    mount(w)
    personality(0xffffffff)
    for _ in range(rounds):
        mount(w)
    personality(0xffffffff)


def main():
    """Measures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--count", choices=("kernel", "tlshd"))
    args = parser.parse_args()
    w = world.World()
    w.start_client_tlshd()
    w.server.start_tlshd(server=world.TRUST + "\n" + world.OURS.format("server"))
    if args.count:
        w.set_keyring(w.ring if args.count == "kernel" else 0)
        count(w, args.rounds)
        w.close()
        return
    watches = {}
    for _ in range(args.rounds):
        for who, ring in (("kernel", w.ring), ("tlshd", 0)):
            w.set_keyring(ring)
            for what in (mount, handshake):
                watches.setdefault((what.__name__, who), []).append(what(w))
    print(f"{'':24}{'kernel':>10}{'tlshd':>10}{'ratio':>8}   ms, {args.rounds} of each")
    for name, label in (("mount", "mount"), ("handshake", "ServerHello after")):
        for row, value in (
                (label, lambda all_: statistics.median(x.took for x in all_)),
                ("  not idle", lambda all_: statistics.mean(x.busy for x in all_))):
            ours, theirs = (1000 * value(watches[name, who]) for who in ("kernel", "tlshd"))
            ratio = f"{theirs / ours:8.2f}" if ours > 0 else ""
            print(f"{row:24}{ours:10.1f}{theirs:10.1f}{ratio}")
    w.close()


if __name__ == "__main__":
    main()
