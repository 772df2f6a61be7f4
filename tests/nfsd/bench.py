#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
How long a mount with TLS takes, and a handshake, by the kernel and by tlshd, in turns in
one guest.

    tests/nfsd/bench.py [--rounds=N] [--count=kernel|tlshd]

Prints medians in milliseconds, and how many of each there were.
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


def mount(w):
    """A mount, in seconds."""
    start = time.monotonic()
    where = w.mount()
    took = time.monotonic() - start
    w.umount(where)
    return took


def handshake(w):
    """From the ClientHello to the server's Finished, in seconds.

    The client's own cryptography is in Python: its key share is made before, and its
    part of the rest is the same for both.
    """
    hello = rpc.hello()
    with w.client.net():
        tls = tls13.Client(rpc.connect((world.SERVER, world.PORT)), hello)
    start = time.monotonic()
    tls.send_hello()
    tls.read_message()
    took = time.monotonic() - start
    tls.sock.close()
    return took


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
    times = {}
    for _ in range(args.rounds):
        for who, ring in (("kernel", w.ring), ("tlshd", 0)):
            w.set_keyring(ring)
            for what in (mount, handshake):
                times.setdefault((what.__name__, who), []).append(what(w))
    print(f"{'':20}{'kernel':>10}{'tlshd':>10}   ms, median of {args.rounds}")
    for name, label in (("mount", "mount"), ("handshake", "ServerHello after")):
        print(f"{label:20}" + "".join(
            f"{1000 * statistics.median(times[name, who]):10.1f}" for who in ("kernel", "tlshd")))
    w.close()


if __name__ == "__main__":
    main()
