#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
What a handshake costs beside many others, with many identities and names, with long chains, and
on more than one CPU, to be run in the guest by scripts/bench-scale.

scale.py [OPTION]... DIR CLIENT...

CLIENT is tests/bench/handshakes.c and how to run it, DIR has scale.id, for the name scale.
Prints lines with a name, a number, thousands of instructions for each handshake of the machine,
less the client's library and less plain TCP, and what these two are.
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

F_NO_TICKETS = 8
OPTIONS = ["-g", "X25519", "-s", "TLS_AES_128_GCM_SHA256"]


def element(data):
    """The first DER element, and the rest."""
    length, at = data[1], 2
    if length & 0x80:
        at = 2 + (length & 0x7f)
        length = int.from_bytes(data[2:at], "big")
    return data[:at + length], data[at + length:]


class Scale:
    """Servers with one thing that is large, and clients of them."""

    def __init__(self, args):
        self.args = args
        with open(os.path.join(args.dir, "scale.id"), "rb") as file:
            self.identity = file.read()
        self.leaf, self.key = element(self.identity)
        self.plain = None
        self.cpus = os.cpu_count()

    def renamed(self, number):
        """The identity for another name; clients here do not verify its signature."""
        assert self.leaf.count(b"scale") >= 2, "the name is in the subject and in the SAN"
        return self.leaf.replace(b"scale", f"s{number:04}".encode()) + self.key

    def client(self, port, who="library", parallel=1, name=None, connections=None):
        """Instructions for each connection: all, and the library's."""
        command = [*self.args.client, "-n", str(connections or self.args.connections), *OPTIONS,
                   "-p", str(port),
                   *(("-N", name) if name else ()), who]
        # With more CPUs some are idle at times, which is said there.
        procs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL if self.cpus > 1 else None)
                 for _ in range(parallel)]
        out = [proc.communicate()[0].split() for proc in procs]
        if any(proc.returncode for proc in procs):
            sys.exit("a client has failed")
        return int(out[0][0]), int(out[0][1])

    def server(self, lsk, who="kernel"):
        """A process that accepts."""
        lsk.set_inheritable(True)
        lsk.setblocking(True)
        return subprocess.Popen([*self.args.client, "-f", str(lsk.fileno()), who],
                                pass_fds=[lsk.fileno()])

    def listener(self, ring, **kwargs):
        """A listener of TLS_HS."""
        return tls_hs.listener(ring, flags=F_NO_TICKETS, versions=tls_hs.VERSION_1_3,
                               backlog=4096, **kwargs)

    def measure(self, what, number, lsk, **kwargs):
        """Prints a line."""
        port = lsk.getsockname()[1]
        server = self.server(lsk)
        total, library = self.client(port, **kwargs)
        server.kill()
        server.wait()
        if self.plain is None:
            with socket.create_server(("127.0.0.1", 0)) as plain:
                server = self.server(plain, "plain")
                self.plain = self.client(plain.getsockname()[1], "plain")[0]
                server.kill()
                server.wait()
        print(f"{what} {number} {(total - library - self.plain) / 1000:.1f} {library} {self.plain}",
              flush=True)

    def others(self, what, counts, hello):
        """Beside connections that are under way, on the same listener."""
        ring = tls_hs.new_keyring(self.identity)
        held = []
        with self.listener(ring, timeout_ms=300000, max_handshakes=2 * max(counts) + 100) as lsk:
            for count in counts:
                while len(held) < count:
                    sock = socket.create_connection(lsk.getsockname())
                    if hello:
                        sock.sendall(hello)
                        sock.recv(1)
                    held.append(sock)
                self.measure(what, count, lsk)
            for sock in held:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()

    def waiting(self):
        """Whose Finished is awaited."""
        hello = tls13.Hello(groups=(tls13.X25519,), suites=(tls13.AES128,)).record()
        self.others("waiting", self.args.counts, hello)

    def silent(self):
        """That have sent nothing."""
        self.others("silent", self.args.counts, b"")

    def identities(self):
        """In the keyring; the client wants the one in the middle."""
        for count in self.args.names:
            ring = tls_hs.new_keyring(*(self.renamed(i) for i in range(count)))
            with self.listener(ring) as lsk:
                self.measure("identities", count, lsk, name=f"s{count // 2:04}")

    def names(self):
        """With settings of their own."""
        for count in self.args.names:
            ring = tls_hs.new_keyring(self.renamed(count // 2))
            with self.listener(ring) as lsk:
                for i in range(count):
                    tls_hs.set_sni(lsk, f"s{i:04}", ring, flags=F_NO_TICKETS,
                                   versions=tls_hs.VERSION_1_3)
                self.measure("names", count, lsk, name=f"s{count // 2:04}")

    def chain(self):
        """Certificates: the leaf again and again, since nobody here verifies them."""
        for count in (1, 2, 3, 4, 6, 8):
            ring = tls_hs.new_keyring(self.leaf * count + self.key)
            with self.listener(ring) as lsk:
                self.measure("chain", count, lsk)

    def cpus_(self):
        """As many clients and servers as CPUs; what starts and ends them is subtracted."""
        ring = tls_hs.new_keyring(self.identity)
        with self.listener(ring) as lsk:
            if not self.args.library:
                self.measure("cpus", self.cpus, lsk)
                return
            servers = [self.server(lsk) for _ in range(self.cpus)]
            port, times = lsk.getsockname()[1], []
            # The first to warm up.
            for connections in (self.args.connections, 5 * self.args.connections,
                                20 * self.args.connections):
                start = time.perf_counter()
                self.client(port, parallel=self.cpus, connections=connections)
                times.append(time.perf_counter() - start)
            for server in servers:
                server.kill()
                server.wait()
        each = (times[2] - times[1]) * 1e9 / (15 * self.args.connections) / self.cpus
        print(f"cpus {self.cpus} {(each - self.args.library - self.args.plain) / 1000:.1f} "
              f"{self.args.library:.0f} {self.args.plain:.0f}", flush=True)


def main():
    """Prints all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--only", default="cpus,chain,identities,names,silent,waiting")
    parser.add_argument("--most", type=int, default=10000)
    # With more than one CPU its clock counts what the others do as well.
    parser.add_argument("--library", type=float, help="instructions of the client's library")
    parser.add_argument("--plain", type=float, help="instructions of a connection of TCP")
    parser.add_argument("dir")
    parser.add_argument("client", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    args.counts = [n for n in (0, 100, 1000, 10000) if n <= args.most]
    args.names = [1, 16, 256, 4096]
    resource.setrlimit(resource.RLIMIT_NOFILE, (60000, 60000))
    with open("/proc/sys/net/tls/max_handshakes", "w", encoding="ascii") as file:
        file.write("100000")
    tls_hs.join_session()
    scale = Scale(args)
    for what in args.only.split(","):
        start = time.monotonic()
        getattr(scale, "cpus_" if what == "cpus" else what)()
        print(f"# {what}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
