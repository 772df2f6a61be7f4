#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Every TLS client that scripts/interop has, against the kernel, in the guest: each kind of
certificate, each suite and group that it can be told to use, retries, tickets, key updates, ALPN,
0-RTT data, ClientHellos in pieces, TLS 1.2; one megabyte both ways each time.

matrix/matrix.py [--clients FAMILY,...] [--only WORD] [--results FILE] [--size BYTES]

The server is demo/tls_server; what it and /proc/net/tls_stat say of each connection is compared
with what the client was told.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop"))
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

import run as interop  # noqa: E402  pylint: disable=wrong-import-position
import browsers  # noqa: E402  pylint: disable=wrong-import-position
import clients  # noqa: E402  pylint: disable=wrong-import-position
import proxy  # noqa: E402  pylint: disable=wrong-import-position
import tls_hs  # noqa: E402  pylint: disable=wrong-import-position

KEYS = {"p256.test": ("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "rsa2048.test": ("rsa", "rsa:2048"), "rsa4096.test": ("rsa", "rsa:4096")}
# Columns of the table: what it is called, and the kinds of cases in it.
COLUMNS = (("P-256", ("p256.test",)), ("RSA-2048", ("rsa2048.test",)),
           ("RSA-4096", ("rsa4096.test",)), ("suites", ("suite",)), ("groups", ("group",)),
           ("retry", ("retry",)), ("ticket", ("ticket",)), ("ticket, retry", ("ticket-retry",)),
           ("0-RTT", ("early",)), ("KeyUpdate", ("update",)), ("ALPN", ("alpn",)),
           ("hello in 2 segments", ("segments",)), ("byte by byte", ("bytes",)),
           ("in records", ("records",)), ("others", ("odd",)), ("TLS 1.2", ("1.2",)))
EARLY_DATA = 42
OTHER_PORT = 4440
# What everybody would ask for.
NOT_TO_BE_HAD = (("Safari, Edge, Schannel", "not for Linux; BoringSSL imitates the first two"),
                 (".NET", "no package in Debian, PyPI or npm"),
                 ("picotls", "no package with a client"))
FAILURES = ("TlsHsAlertTx", "TlsHsTimeout", "TlsHsReset", "TlsHsOverload", "TlsHsError",
            "TlsDecryptError", "TlsRxRekeyError", "TlsTxRekeyError")


class Run(interop.Run):
    """A run that looks at the counters, too, and keeps what was negotiated."""

    def __init__(self, server, known, only):
        super().__init__(server, known, only)
        self.old = {}
        self.grow = {}
        self.table = {}
        # The proxy whose last ClientHello must offer 0-RTT data.
        self.relay = None

    def before(self):
        self.old = tls_hs.counters()

    def also(self, line, first):
        new = tls_hs.counters()
        delta = {name: value - self.old.get(name, 0) for name, value in new.items()}
        want = {"TlsHsDone": 1 + first, "TlsHsFallback": 0}
        if "PF_TLS" not in line:
            want = {"TlsHsDone": 0, "TlsHsFallback": 1 + first}
        if not first:
            want["TlsHsRetry"] = int("retried" in line)
        want["TlsHsResumed"] = int("resumed" in line)
        want.update({name: 0 for name in FAILURES})
        for name, value in want.items():
            if delta.get(name, 0) != value:
                return f"{name} grew by {delta.get(name, 0)}, not {value}"
        for name, value in self.grow.items():
            if delta.get(name, 0) < value:
                return f"{name} grew by {delta.get(name, 0)} only"
        if self.relay and EARLY_DATA not in proxy.extensions(self.relay.hellos[-1]):
            return "no 0-RTT data was offered"
        return ""

    def one(self, client, kind, title, key, want, grow=None, **kwargs):
        """A case of a client."""
        self.grow = grow or {}
        count = self.number
        self.case(f"{client.name}: {title}", client.name, key, want,
                  client.body or self.clients.data[:client.size], **kwargs)
        if self.number != count:
            self.note(client.name, kind, *self.rows[-1])

    def note(self, client, kind, title, good, line):
        """Keeps a result for the table."""
        self.table.setdefault(client, []).append((kind, title, good, line))


def cases(run, client, relay):
    """All that a client can."""
    kernel = ("PF_TLS", "TLSv1.3", interop.SIGNATURE["p256"], "p256.test")
    fallback = ("PF_INET", "fallback", "TLSv1.2")
    p256 = "p256.test"

    for key in KEYS:
        if client.old:
            # The program that is fallen back to has only this one.
            if key == p256:
                run.one(client, key, f"{key[:-5]}", key, fallback)
            continue
        kind = "p256" if key == p256 else "rsa"
        run.one(client, key, f"{key[:-5]}", key,
                ("PF_TLS", "TLSv1.3", interop.SIGNATURE[kind], key) + client.words)
    shapes = [shape for shape in proxy.SHAPES if shape != "whole"]
    for shape in shapes:
        run.clients.set_port(relay.ports[shape])
        want = fallback if client.old else kernel
        if shape == "bytes" and not client.old:
            # Segments of one byte can fill the receive buffer, when the kernel gives it up.
            want = (("PF_TLS", "fallback"), "TLSv1.3")
        run.one(client, shape, f"hello in {shape}", p256, want)
    run.clients.set_port(interop.PORT)
    if client.old:
        return
    for suite in client.suites:
        run.one(client, "suite", suite, p256, kernel + (suite,), suite=suite)
    for group in client.groups:
        run.one(client, "group", group, p256, kernel + (group,), groups=group)
    if client.retry:
        run.one(client, "retry", "retry", p256, kernel + ("retried",), **client.retry)
    again = ("PF_TLS", "TLSv1.3", p256, "resumed")
    if "twice" in client.can:
        run.one(client, "ticket", "ticket", p256, again, first=1, twice="1")
    if "twice-retry" in client.can:
        run.one(client, "ticket-retry", "ticket and retry", p256, again + ("retried",), first=1,
                twice="1", **client.retry)
    if "early" in client.can:
        # The kernel's tickets are not good for it, so it comes with one of another server's.
        run.clients.set_port(relay.ports["whole"])
        run.relay = relay
        for what, words, more in (("", (), {}), (" and retry", ("retried",), client.retry)):
            run.one(client, "early", "0-RTT data" + what, p256, kernel + words, twice="1",
                    early=str(OTHER_PORT), **more)
        run.relay = None
        run.clients.set_port(interop.PORT)
    if "update" in client.can:
        run.one(client, "update", "key update", p256, kernel, update="1",
                grow={"TlsRxRekeyOk": 1})
    if "alpn" in client.can:
        run.one(client, "alpn", "ALPN", p256, kernel + ("alpn=http/1.1",), alpn="h2,http/1.1")
    for title, options, words in client.odd:
        run.one(client, "odd", title, p256, kernel + words, first=int("twice" in options),
                **options)
    if "1.2" in client.can:
        run.one(client, "1.2", "TLS 1.2", p256, fallback, version="1.2")


def updates(run, root, clients_of):
    """Key updates that are typed into the clients of OpenSSL and GnuTLS: tests/post."""
    argv = [sys.executable, os.path.join(HERE, "../post/run.py"), *clients.root_prefix(root)]
    out = subprocess.run(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                         check=False, timeout=600).stdout
    for result, family, suite in re.findall(r"^(ok|not ok) \d+ (\w+) (\w+)$", out, re.M):
        if family not in clients_of:
            continue
        title = f"{clients_of[family]}: key updates, {suite}"
        good = result == "ok"
        run.number += 1
        run.passed += good
        run.failed += not good
        print(f"{result} {run.number} - {title}", flush=True)
        run.note(clients_of[family], "update", title, good, "" if good else out[-300:])


def identities(ring):
    """Authorities, identities of theirs for the kernel and ca.pem."""
    def openssl(*argv):
        return subprocess.run(["openssl", *argv], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout

    def config(name, *lines):
        with open(name, "w", encoding="ascii") as out:
            out.write("[req]\ndistinguished_name=d\nprompt=no\nx509_extensions=x\n[d]\nCN=" + name +
                      "\n[x]\nsubjectKeyIdentifier=hash\n" + "".join(f"{line}\n" for line in lines))
        return name

    algorithm = {"p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("rsa:2048",)}
    for kind, words in algorithm.items():
        openssl("req", "-x509", "-new", "-nodes", "-days", "300", "-newkey", *words, "-keyout",
                f"ca-{kind}.key", "-out", f"ca-{kind}.pem", "-config",
                config(f"Test CA {kind}", "basicConstraints=critical,CA:TRUE",
                       "keyUsage=critical,keyCertSign,cRLSign"))
    for name, (kind, *words) in KEYS.items():
        openssl("req", "-x509", "-new", "-nodes", "-days", "300", "-newkey", *words, "-keyout",
                f"{name}.key", "-out", f"{name}.pem", "-CA", f"ca-{kind}.pem", "-CAkey",
                f"ca-{kind}.key", "-config",
                config(name, "basicConstraints=critical,CA:FALSE", f"subjectAltName=DNS:{name}",
                       "keyUsage=critical,digitalSignature" + (",keyEncipherment" * (kind == "rsa")),
                       "extendedKeyUsage=serverAuth",
                       "authorityKeyIdentifier=keyid"))
        payload = openssl("x509", "-in", f"{name}.pem", "-outform", "DER")
        payload += openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{name}.key", "-outform", "DER")
        tls_hs.add_key("tls_identity", name, payload, ring)
    with open("ca.pem", "wb") as out:
        for kind in algorithm:
            with open(f"ca-{kind}.pem", "rb") as file:
                out.write(file.read())


def wait_for(port):
    """Until somebody listens there."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.2)
    raise TimeoutError(f"nobody listens on port {port}")


def field(line, name):
    """One field of the server's line, briefly."""
    value = interop.field(line, name)
    return value.replace("TLS_", "").replace("_SHA256", "").replace("_SHA384", "").replace(
        "_POLY1305", "")


def cell(rows, kinds):
    """How a client did in some kinds of cases."""
    rows = [row for row in rows if row[0] in kinds]
    good = sum(row[2] for row in rows)
    if not rows:
        return ""
    if good != len(rows):
        return f"**{good} of {len(rows)}**"
    return "yes" if len(rows) == 1 else str(good)


def write_results(path, run, known, sizes):
    """The tables, as a document."""
    with open(path, "w", encoding="utf-8") as out:
        def row(*cells):
            out.write("| " + " | ".join(str(c) for c in cells) + " |\n")

        out.write("<!-- Written by `make interop` (tests/matrix/matrix.py), not by hand. -->\n"
                  "# TLS clients and the kernel\n\n"
                  "    make interop\n\n"
                  f"{run.passed} cases passed, {run.failed} failed.  In each the client sends a "
                  "request of one megabyte and\ngets it back, if it can; what the kernel says of "
                  "the connection, and by how much its counters\nhave grown, is what it should be. "
                  " An empty cell is what a client cannot be told to do; a number\nis how many "
                  "cases passed; in the last column the kernel has left the connection to "
                  "OpenSSL.\n\n")
        row("client", *(name for name, _ in COLUMNS))
        row(*["---"] * (len(COLUMNS) + 1))
        for client, rows in run.table.items():
            row(client, *(cell(rows, kinds) for _, kinds in COLUMNS))
        out.write("\n## What they negotiate when left to themselves\n\n"
                  "With a P-256 certificate.  Bytes are those of the ClientHello message.\n\n")
        row("client", "bytes", "by", "version", "suite", "group", "signature")
        row(*["---"] * 7)
        for client, rows in run.table.items():
            line = next((r[3] for r in rows if r[0] == "p256.test" and r[2]), None)
            if line:
                row(client, sizes.get(client, ""), "kernel" if "PF_TLS" in line else "OpenSSL",
                    field(line, "version"), field(line, "suite"), field(line, "group"),
                    interop.field(line, "signature"))
        out.write("\n## Not run\n\n")
        for name, why in (*known.missing, *NOT_TO_BE_HAD):
            out.write(f"- {name}: {why}\n")
        bad = [(r, client) for client, rows in run.table.items() for r in rows if not r[2]]
        if bad:
            out.write("\n## Failed\n\n")
            for (_, title, _, line), client in bad:
                out.write(f"- {title if client in title else client + ': ' + title}: {line}\n")


def main():
    """Makes keys, starts the server, runs all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="cases with this word")
    parser.add_argument("--clients", help="families of clients, with commas")
    parser.add_argument("--results")
    parser.add_argument("--missing", help="a file that names what could not be built, and why")
    parser.add_argument("--size", type=int, default=1 << 20)
    args = parser.parse_args()
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    print("TAP version 13", flush=True)
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    with open("/etc/hosts", "a", encoding="ascii") as out:
        out.write("".join(f"127.0.0.1 {name}\n" for name in KEYS))
    # Hellos of more than one segment, as on a real network.
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500"], check=False)
    tls_hs.join_session()
    ring = tls_hs.new_keyring()
    identities(ring)
    data = os.urandom(args.size)
    server = interop.Server(ring, ["p256.test"])
    families = args.clients.split(",") if args.clients else ()
    known = clients.Known(data, families)
    if args.missing and os.path.exists(args.missing):
        with open(args.missing, encoding="utf-8") as file:
            known.missing += [tuple(line.rstrip("\n").split("\t", 1)) for line in file]
    other = subprocess.Popen(
        ["openssl", "s_server", "-accept", str(OTHER_PORT), "-cert", "p256.test.pem", "-key",
         "p256.test.key", "-www", "-max_early_data", "16384", "-quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(OTHER_PORT)
    relay = proxy.Proxy(interop.PORT)
    run = Run(server, known, args.only)
    sizes = {}
    begin = time.monotonic()
    try:
        for client in known.clients:
            count = len(relay.hellos)
            cases(run, client, relay)
            if len(relay.hellos) > count:
                sizes[client.name] = len(relay.hellos[count])
        for root in known.plain:
            updates(run, root, {family: client.name for client in known.clients
                                for family, word in (("openssl", "OpenSSL"), ("gnutls", "GnuTLS"))
                                if client.name.startswith(word) and client.root == root})
        browsers.cases(run, families)
    finally:
        server.proc.terminate()
        other.terminate()
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{run.number}")
    for name, why in known.missing:
        print(f"# not run: {name}: {why}")
    print(f"# {run.passed} passed, {run.failed} failed, {time.monotonic() - begin:.0f} s")
    if args.results:
        write_results(args.results, run, known, sizes)
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
