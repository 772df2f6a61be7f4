#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Key updates and exported keying material with the clients of OpenSSL and GnuTLS.

The server echoes lines with kTLS sockets whose handshake the kernel has done.
Prints TAP; to be run in a guest (tests/run-guest-tests post).

post/run.py [COMMAND...]: what the clients are run with, for those of another Debian
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                                "selftests"))
import tls_hs  # noqa: E402

SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
LABEL = "EXPORTER-Channel-Binding"


def rekeys():
    """How often keys were updated so far: for receiving, for sending."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        stat = dict(line.split() for line in file)
    return int(stat["TlsRxRekeyOk"]), int(stat["TlsTxRekeyOk"])


class Echo:
    """A client program and the server's end of its connection."""

    def __init__(self, lsk, command):
        self.out = b""
        self.process = subprocess.Popen(sys.argv[1:] + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.conn, family = tls_hs.accept(lsk)
        if family != tls_hs.AF_TLS:
            raise AssertionError("the client fell back")

    def wait(self, pattern, seconds=10):
        """Until the program has printed something."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.out):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in {self.out[-300:]!r}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise AssertionError(f"the client has ended: {self.out[-300:]!r}")
            self.out += data

    def type(self, line):
        """Types a line."""
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def echo(self, text):
        """A line to the server and back."""
        self.out = b""
        self.type(text + b"\n")
        got = b""
        while not got.endswith(b"\n"):
            data = self.conn.recv(1000)
            if not data:
                raise AssertionError("end of file")
            got += data
        if got != text + b"\n":
            raise AssertionError(f"the server got {got!r}")
        self.conn.sendall(b"back " + text + b"\n")
        self.wait(b"back " + text)

    def close(self):
        """Ends both."""
        self.conn.close()
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def grown(before, rx, tx):
    """Checks how many updates there were."""
    after = rekeys()
    if (after[0] - before[0], after[1] - before[1]) != (rx, tx):
        raise AssertionError(f"updates {before} -> {after}, want {rx} and {tx}")


def openssl(lsk, suite):
    """s_client: k updates, K requests an update as well."""
    port = str(lsk.getsockname()[1])
    client = Echo(lsk, ["openssl", "s_client", "-connect", "127.0.0.1:" + port, "-servername",
                        "ecdsa.test", "-ciphersuites", suite, "-keymatexport", LABEL,
                        "-keymatexportlen", "64"])
    try:
        client.wait(rb"Keying material: \w{128}")
        want = re.search(rb"Keying material: (\w{128})", client.out)[1].decode().lower()
        got = tls_hs.export(client.conn, LABEL.encode(), b"", 64).hex()
        if got != want:
            raise AssertionError(f"exported {got}, want {want}")
        client.echo(b"first")
        for _ in range(3):
            before = rekeys()
            client.type(b"k\n")
            client.wait(b"KEYUPDATE")
            client.echo(b"after one")
            grown(before, 1, 0)
            before = rekeys()
            client.out = b""
            client.type(b"K\n")
            client.wait(b"KEYUPDATE")
            client.echo(b"after two")
            grown(before, 1, 1)
            # Ours, and the client's in turn, which comes with its next record.
            before = rekeys()
            client.conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS_KEY_UPDATE,
                                   (2).to_bytes(4, sys.byteorder) + bytes(4))
            client.conn.sendall(b"asked\n")
            client.wait(b"asked")
            client.echo(b"after three")
            grown(before, 1, 1)
    finally:
        client.close()


def gnutls(lsk, suite):
    """gnutls-cli: ^rekey^ updates and requests."""
    cipher = {SUITES[0]: "AES-128-GCM", SUITES[1]: "AES-256-GCM",
              SUITES[2]: "CHACHA20-POLY1305"}[suite]
    port = str(lsk.getsockname()[1])
    client = Echo(lsk, ["gnutls-cli", "--insecure", "--inline-commands", "--priority",
                        f"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+{cipher}", "--port", port,
                        "--sni-hostname", "ecdsa.test", "127.0.0.1"])
    try:
        client.wait(b"Simple Client Mode")
        client.echo(b"first")
        for _ in range(3):
            before = rekeys()
            client.type(b"^rekey^\n")
            client.wait(b"[Rr]ekey|[Kk]ey update")
            client.echo(b"after")
            if rekeys()[0] == before[0]:
                raise AssertionError("no update")
    finally:
        client.close()


def main():
    """Runs all and prints TAP."""
    cases = [(func, suite) for func, program in ((openssl, "openssl"), (gnutls, "gnutls-cli"))
             if sys.argv[1:] or shutil.which(program) for suite in SUITES]
    print("TAP version 13")
    print(f"1..{len(cases)}", flush=True)
    tls_hs.join_session()
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    failed = 0
    with tls_hs.listener(ring) as lsk:
        for i, (func, suite) in enumerate(cases, 1):
            try:
                func(lsk, suite)
                print(f"ok {i} {func.__name__} {suite}", flush=True)
            except Exception as err:  # pylint: disable=broad-except
                failed = 1
                print(f"# {type(err).__name__}: {err}")
                print(f"not ok {i} {func.__name__} {suite}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
