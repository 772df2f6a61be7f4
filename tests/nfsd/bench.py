#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
How long a mount with TLS takes, and a handshake, by the kernel and by tlshd, in turns in
one guest.

    tests/nfsd/bench.py [--rounds=N]

Prints medians in milliseconds, and how many of each there were.
"""

import argparse
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


def main():
    """Measures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    w = world.World()
    w.start_client_tlshd()
    w.server.start_tlshd(server=world.TRUST + "\n" + world.OURS.format("server"))
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
