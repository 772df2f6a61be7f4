#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
What handshakes and short responses cost the machine, by the kernel and by the servers that one
could run instead, to be run in the guest by scripts/bench.

peers.py [OPTION]... TOOLS CERTS

TOOLS is what scripts/bench has built and fetched, CERTS has NAME.pem, NAME.key, NAME.both and
NAME.id of the identities. All servers run all the time, each waits but the one that is measured.
They take turns in each round. tests/bench/handshakes.c is the client of all of them.
"""

import argparse
import collections
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

# pylint: disable=wrong-import-position
import tls_hs  # noqa: E402

F_NO_TICKETS = 8
VARIANTS = ("p256", "rsa2048", "tickets")

Scenario = collections.namedtuple("Scenario", "name title variant options share")
AES128 = ("-s", "TLS_AES_128_GCM_SHA256")
SCENARIOS = [
    Scenario("p256", "Full handshake: ECDSA P-256, X25519, TLS_AES_128_GCM_SHA256", "p256",
             ("-g", "X25519", *AES128), 1),
    Scenario("mlkem", "Full handshake: ECDSA P-256, X25519MLKEM768, TLS_AES_128_GCM_SHA256",
             "p256", ("-g", "X25519MLKEM768", *AES128), 1),
    Scenario("rsa2048", "Full handshake: RSA-2048, X25519, TLS_AES_128_GCM_SHA256", "rsa2048",
             ("-g", "X25519", *AES128), 0.5),
    Scenario("secp256r1", "Full handshake: ECDSA P-256, secp256r1, TLS_AES_128_GCM_SHA256",
             "p256", ("-g", "P-256", *AES128), 0.5),
    Scenario("aes256", "Full handshake: ECDSA P-256, X25519, TLS_AES_256_GCM_SHA384", "p256",
             ("-g", "X25519", "-s", "TLS_AES_256_GCM_SHA384"), 0.5),
    Scenario("tickets", "Full handshake with tickets: ECDSA P-256, X25519, "
             "TLS_AES_128_GCM_SHA256", "tickets", ("-g", "X25519", *AES128), 0.5),
    Scenario("resumed", "Resumed handshake (psk_dhe_ke) with new tickets: X25519, "
             "TLS_AES_128_GCM_SHA256", "tickets", ("-g", "X25519", *AES128, "-R"), 1),
    Scenario("response", "Full handshake and one short response: ECDSA P-256, X25519, "
             "TLS_AES_128_GCM_SHA256", "p256", ("-g", "X25519", *AES128, "-q", "1"), 1),
    Scenario("keepalive", "A request on a connection that is kept alive: TLS_AES_128_GCM_SHA256",
             "p256", ("-g", "X25519", *AES128, "-q", "101"), 0.1),
]
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
GROUPS = "X25519MLKEM768:X25519:P-256"


class Server:
    """
    A program that serves.

    group: who is compared with whom; tls: who does TLS; commands: of each process, from a
    function of the variant's ports or sockets; a process serves all variants, or each has one.
    """

    def __init__(self, group, tls, start):
        self.group, self.tls, self.start = group, tls, start
        self.ports, self.procs, self.results = {}, [], {}

    @property
    def name(self):
        """For the table."""
        return f"{self.group}, {self.tls}"

    def stop(self):
        """Ends it, with its workers."""
        for proc in self.procs:
            proc.send_signal(signal.SIGTERM)
            proc.wait()


class Bench:
    """Starts servers and measures them."""

    def __init__(self, args):
        with open(os.path.join(args.tools, "tools.json"), encoding="ascii") as file:
            self.tools = json.load(file)
        self.args = args
        self.temporary = tempfile.TemporaryDirectory(prefix="peers", ignore_cleanup_errors=True)
        self.folder = self.temporary.name
        self.next_port = 4400
        self.identities = {"p256": 0, "rsa2048": 0}
        if not args.native:
            tls_hs.join_session()
            for name in self.identities:
                self.identities[name] = tls_hs.new_keyring(self.read(f"{name}.id"))

    def read(self, name):
        """A file of an identity."""
        with open(os.path.join(self.args.certs, name), "rb") as file:
            return file.read()

    def spawn(self, server, command, **kwargs):
        """A process of a server."""
        log = open(os.path.join(self.folder, "log"), "ab")
        server.procs.append(subprocess.Popen(command, stdout=log, stderr=log, **kwargs))

    def allot(self, server):
        """A port for each variant."""
        for variant in VARIANTS:
            server.ports[variant] = self.next_port
            self.next_port += 1

    def identity(self, variant):
        """The files of a variant: certificates, key."""
        stem = os.path.join(self.args.certs, "rsa2048" if variant == "rsa2048" else "p256")
        return stem + ".pem", stem + ".key"

    def listeners(self, server):
        """Listening sockets whose clients' handshakes the kernel does."""
        out = {}
        for variant, port in server.ports.items():
            flags = tls_hs.F_NO_FALLBACK | tls_hs.F_INET_FAMILY
            flags |= 0 if variant == "tickets" else F_NO_TICKETS
            ring = self.identities["rsa2048" if variant == "rsa2048" else "p256"]
            out[variant] = tls_hs.listener(ring, addr=("127.0.0.1", port), flags=flags,
                                           versions=tls_hs.VERSION_1_3, backlog=511)
            out[variant].set_inheritable(True)
        return out

    def configure(self, server, name, fds=None):
        """A configuration file, with what is to be filled in."""
        folder = os.path.join(self.folder, str(server.ports["p256"]))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(HERE, "peers", name), encoding="ascii") as file:
            text = file.read()
        for variant, port in server.ports.items():
            text = text.replace(f"PORT_{variant}", str(port))
            if fds:
                text = text.replace(f"FD_{variant}", str(fds[variant].fileno()))
        text = text.replace("CERTS", self.args.certs).replace("DIR", folder)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path, folder

    def blocking(self, who, tool="handshakes"):
        """tests/bench/handshakes.c as a server."""
        def start(server):
            for variant, port in server.ports.items():
                pem, key = self.identity(variant)
                ring = self.identities["rsa2048" if variant == "rsa2048" else "p256"]
                self.spawn(server, [*self.tools[tool], "-l", str(port), "-c", pem, "-k", key,
                                    "-r", str(ring), "-s", SUITES, "-g", GROUPS,
                                    *(() if variant == "tickets" else ("-T",)), who])
        return start

    def rustls(self, provider):
        """tests/bench/rustls-server."""
        def start(server):
            for variant, port in server.ports.items():
                self.spawn(server, [*self.tools["rustls"], "--provider", provider,
                                    *(("--tickets",) if variant == "tickets" else ()),
                                    f"127.0.0.1:{port}", *self.identity(variant)])
        return start

    def nginx(self, server):
        """By its OpenSSL."""
        path, folder = self.configure(server, "nginx.conf")
        self.spawn(server, [*self.tools["nginx"], "-p", folder, "-c", path])

    def nginx_kernel(self, server):
        """On sockets of the kernel's, as when it replaces itself."""
        socks = self.listeners(server)
        path, folder = self.configure(server, "nginx-kernel.conf")
        fds = [s.fileno() for s in socks.values()]
        self.spawn(server, [*self.tools["nginx"], "-p", folder, "-c", path], pass_fds=fds,
                   env={**os.environ, "NGINX": "".join(f"{fd};" for fd in fds)})

    def haproxy(self, server):
        """By its OpenSSL."""
        path, _ = self.configure(server, "haproxy.cfg")
        self.spawn(server, [*self.tools["haproxy"], "-db", "-f", path])

    def haproxy_kernel(self, server):
        """On sockets of the kernel's."""
        socks = self.listeners(server)
        path, _ = self.configure(server, "haproxy-kernel.cfg", socks)
        self.spawn(server, [*self.tools["haproxy"], "-db", "-f", path],
                   pass_fds=[s.fileno() for s in socks.values()])

    def go(self, server):
        """crypto/tls."""
        for variant, port in server.ports.items():
            self.spawn(server, [*self.tools["go"], f"127.0.0.1:{port}", *self.identity(variant),
                                *(("tickets",) if variant == "tickets" else ())])

    def go_kernel(self, server):
        """On sockets of the kernel's."""
        for sock in self.listeners(server).values():
            self.spawn(server, [*self.tools["go"], str(sock.fileno())], pass_fds=[sock.fileno()])

    def servers(self):
        """All that are compared; the first of a group is the kernel's."""
        versions = self.tools["versions"]
        out = [
            Server("blocking", "kernel", self.blocking("kernel")),
            Server("blocking", versions["openssl"], self.blocking("library")),
            Server("blocking", "rustls, aws-lc", self.rustls("aws-lc")),
            Server("blocking", "rustls, graviola", self.rustls("graviola")),
            Server(versions["nginx"], "kernel", self.nginx_kernel),
            Server(versions["nginx"], versions["openssl"], self.nginx),
            Server(versions["haproxy"], "kernel", self.haproxy_kernel),
            Server(versions["haproxy"], versions["openssl"], self.haproxy),
            Server(versions["go"], "kernel", self.go_kernel),
            Server(versions["go"], "crypto/tls", self.go),
        ]
        if "handshakes4" in self.tools:
            out.insert(2, Server("blocking", versions["openssl4"],
                                 self.blocking("library", "handshakes4")))
        return [s for s in out if self.args.servers in s.name or
                (s.group == "blocking" and s.tls == "kernel")]

    def begin(self, server):
        """Starts it, and waits until it can be connected to."""
        self.allot(server)
        server.start(server)
        end = time.monotonic() + 60
        for port in server.ports.values():
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    if time.monotonic() > end or any(p.poll() is not None for p in server.procs):
                        with open(os.path.join(self.folder, "log"), encoding="utf-8",
                                  errors="replace") as file:
                            sys.exit(f"{server.name} does not start:\n{file.read()[-2000:]}")
                    time.sleep(0.1)

    def client(self, server, scenario, who="library"):
        """Instructions for each connection or request: all, the client's library's; tickets."""
        connections = max(3, int(self.args.connections * scenario.share))
        options = [o for o in scenario.options if who != "plain" or o != "-R"]
        out = subprocess.run(
            [*self.tools["handshakes"], "-n", str(connections),
             "-p", str(server.ports[scenario.variant]), *options, who],
            capture_output=True, text=True, timeout=3600, check=False)
        if out.returncode or out.stderr:
            # Such as a group that a server does not have.
            sys.stderr.write(f"{server.name}, {scenario.name}: {out.stderr.strip()[:300]}\n")
        if out.returncode:
            return None
        total, library, tickets = out.stdout.split()
        return int(total), int(library), float(tickets)


def table(scenario, servers, plain, rounds):
    """Prints what was measured: medians, in thousands."""
    def median(values):
        return statistics.median(values)

    base = {}
    for server in servers:
        if server.tls == "kernel" or server.group not in base:
            base[server.group] = server
    unit = "request" if scenario.name == "keepalive" else "connection"
    print(f"\n{scenario.title}: thousands of instructions for each {unit}, "
          f"plain TCP alone {median(plain) / 1000:.1f}\n")
    print("| server | whole machine | client's library | the rest, less plain TCP |"
          " ratio to the kernel | of each round | tickets |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    out = {}
    for server in servers:
        got = server.results.get(scenario.name)
        if not got:
            print(f"| {server.name} | | | cannot | | | |")
            continue
        rest = [t - c - p for (t, c, _), p in zip(got, plain)]
        other = base[server.group].results.get(scenario.name)
        theirs = [t - c - p for (t, c, _), p in zip(other, plain)]
        ratios = [a / b for a, b in zip(rest, theirs)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if rounds > 1 else ""
        cells = [f"{median([g[0] for g in got]) / 1000:.1f}",
                 f"{median([g[1] for g in got]) / 1000:.1f}", f"{median(rest) / 1000:.1f}",
                 "" if server is base[server.group] else f"{median(ratios):.2f}",
                 "" if server is base[server.group] else spread, f"{got[0][2]:g}"]
        print(f"| {server.name} | " + " | ".join(cells) + " |", flush=True)
        out[server.name] = {"all": [g[0] for g in got], "library": [g[1] for g in got],
                            "rest": rest}
    return out


def cpu_time(server):
    """Nanoseconds that a server's processes have had, with their threads and children."""
    total, pids = 0, [proc.pid for proc in server.procs]
    while pids:
        pid = pids.pop()
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                pids += [int(child) for child in file.read().split()]
    return total


def native(bench):
    """Prints the CPU time of full handshakes, without the guest and without the client."""
    os.environ["GOMAXPROCS"] = "1"
    scenario = SCENARIOS[0]
    servers = [s for s in bench.servers() if s.tls != "kernel"]
    servers.append(Server("blocking", "no TLS", bench.blocking("plain")))
    for server in servers:
        bench.begin(server)
    times = {server: [] for server in servers}
    for _ in range(bench.args.rounds):
        for server in servers:
            before = cpu_time(server)
            bench.client(server, scenario, "plain" if server.tls == "no TLS" else "library")
            # With those that warm up, of tests/bench/handshakes.c.
            times[server].append((cpu_time(server) - before) / 1000 /
                                 (bench.args.connections + 10))
    print(f"\n{scenario.title}: microseconds of CPU time that the server's process takes for each "
          f"connection, {bench.args.rounds} rounds of {bench.args.connections}\n")
    print("| server | least | median | connections per second and core, of the least |")
    print("| --- | ---: | ---: | ---: |")
    for server in servers:
        least = min(times[server])
        print(f"| {server.name} | {least:.1f} | {statistics.median(times[server]):.1f} |"
              f" {1e6 / least:.0f} |")
        server.stop()


def main():
    """Prints a table for each scenario."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenarios", default=",".join(s.name for s in SCENARIOS))
    parser.add_argument("--servers", default="")
    parser.add_argument("--native", action="store_true",
                        help="the CPU time of those that need no kernel of ours, on this machine")
    parser.add_argument("tools")
    parser.add_argument("certs")
    args = parser.parse_args()
    bench = Bench(args)
    if args.native:
        native(bench)
        return
    servers = bench.servers()
    plain_server = Server("plain", "none", bench.blocking("plain"))
    for server in (*servers, plain_server):
        bench.begin(server)
    time.sleep(1)
    for scenario in SCENARIOS:
        if scenario.name not in args.scenarios.split(","):
            continue
        plain, missing = [], set()
        for _ in range(args.rounds):
            plain.append(bench.client(plain_server, scenario, "plain")[0])
            for server in servers:
                got = None if server in missing else bench.client(server, scenario)
                if got:
                    server.results.setdefault(scenario.name, []).append(got)
                else:
                    missing.add(server)
        for server in missing:
            server.results.pop(scenario.name, None)
        table(scenario, servers, plain, args.rounds)
    for server in (*servers, plain_server):
        server.stop()


if __name__ == "__main__":
    main()
