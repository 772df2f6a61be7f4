#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Real clients against the kernel, in the guest: each with each suite, group and
kind of key, one megabyte both ways. The server is demo/tls_server; what it
says of each connection is compared with what the client was told to use.

interop/run.py [--full] [--size BYTES] [--only WORD]

Without --full the RSA keys meet only one suite and group of each client.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("TLS_HS_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tls-handshake")
BIN = os.path.join(CACHE, "user")
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

import tls_hs  # noqa: E402  pylint: disable=wrong-import-position

PORT = 4434
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
GROUPS = ("x25519", "secp256r1")
HYBRID = "X25519MLKEM768"
KEYS = {"p256.test": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa2048.test": ("rsa:2048",),
        "rsa3072.test": ("rsa:3072",), "rsa4096.test": ("rsa:4096",)}
SIGNATURE = {"p256": "ecdsa_secp256r1_sha256", "rsa": "rsa_pss_rsae_sha256"}
WITH_HYBRID = ("openssl 3.5",)

# What the clients call them.
OPENSSL_GROUP = {"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", HYBRID: HYBRID}
GNUTLS_GROUP = {"x25519": "GROUP-X25519", "secp256r1": "GROUP-SECP256R1",
                "secp384r1": "GROUP-SECP384R1"}
GNUTLS_SUITE = {"TLS_AES_128_GCM_SHA256": "AES-128-GCM", "TLS_AES_256_GCM_SHA384": "AES-256-GCM",
                "TLS_CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305"}


class Server:
    """tls_server and what it says."""

    def __init__(self, ring, names):
        fallback = [os.path.join(BIN, "tls12_proxy")]
        # OpenSSL has one identity of each type, whatever the name.
        for name in names[:2]:
            fallback += [f"{name}.pem", f"{name}.key"]
        self.proc = subprocess.Popen(
            [os.path.join(BIN, "tls_server"), "-p", str(PORT), "-k", str(ring), "--"] + fallback,
            stdout=subprocess.PIPE, text=True)
        self.lines = {}
        self.count = 0
        self.cond = threading.Condition()
        first = self.proc.stdout.readline()
        if "listening" not in first:
            raise RuntimeError("tls_server did not start")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.proc.stdout:
            match = re.match(r"#(\d+) \S+ (.*)", line)
            if match:
                with self.cond:
                    self.lines[int(match[1])] = match[2]
                    self.cond.notify_all()

    def next_line(self):
        """What the server says of the next connection, when it has ended."""
        self.count += 1
        with self.cond:
            self.cond.wait_for(lambda: self.count in self.lines, timeout=10)
            return self.lines.get(self.count, "the server saw no connection")

    def resync(self):
        """After a client that may not have connected."""
        time.sleep(0.1)
        with self.cond:
            self.count = max(self.lines, default=0)


def exchange(argv, request, env=None, seconds=120):
    """Runs a client with the request as input; its body of the answer and errors."""
    proc = subprocess.run(argv, input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds, check=False, env=env)
    head, _, body = proc.stdout.partition(b"\r\n\r\n")
    err = (proc.stderr.decode(errors="replace").strip().splitlines() or ["no answer"])[-1][:120]
    if not head.startswith(b"HTTP/1.1 200"):
        return None, err
    return body, f"(status {proc.returncode}, {err})"


class Clients:
    """The clients; each method returns (body, error). prefix: what runs a program."""

    def __init__(self, data, prefix=()):
        self.data = data
        self.prefix = list(prefix)
        self.port = PORT
        self.request = (b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(data)) + data
        with open("data", "wb") as out:
            out.write(data)
        with open("request", "wb") as out:
            out.write(self.request)
        shutil.copy(os.path.join(HERE, "client.py"), "client.py")
        self.known = {"openssl": self.openssl, "curl": self.curl, "gnutls": self.gnutls,
                      "python": self.python}
        found = subprocess.run([os.path.join(HERE, "../../scripts/newer-openssl"), "--offline"],
                               stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
        if found:
            self.known["openssl 3.5"] = functools.partial(self.openssl, program=found)
        for name, program in (("curl", "curl"), ("gnutls", "gnutls-cli")):
            if not shutil.which(program):
                print(f"# {program} is not there")
                del self.known[name]

    def openssl(self, name, suite="", groups="", version="", more=(), program="openssl"):
        """openssl s_client"""
        argv = self.prefix + [program, "s_client", "-connect", f"127.0.0.1:{self.port}", "-quiet",
                              "-CAfile", "ca.pem", "-verify_return_error"]
        argv += ["-servername", name] if name else ["-noservername"]
        argv += ["-ciphersuites", suite] if suite else []
        argv += ["-groups", ":".join(OPENSSL_GROUP[g] for g in groups.split())] if groups else []
        argv += ["-tls1_2"] if version == "1.2" else []
        return exchange(argv + list(more), self.request)

    def curl(self, name, suite="", groups="", version="", more=()):
        """curl"""
        argv = self.prefix + ["curl", "-sS", "-i", "--cacert", "ca.pem", "--resolve",
                              f"{name}:{self.port}:127.0.0.1", "-H", "Expect:", "--data-binary",
                              "@data", "--http1.1"]
        argv += ["--tls13-ciphers", suite] if suite else []
        argv += ["--curves", ":".join(OPENSSL_GROUP[g] for g in groups.split())] if groups else []
        argv += ["--tls-max", "1.2"] if version == "1.2" else []
        return exchange(argv + list(more) + [f"https://{name}:{self.port}/echo"], b"")

    def gnutls(self, name, suite="", groups="", version="", more=()):
        """gnutls-cli"""
        prio = "NORMAL:-VERS-ALL:+VERS-TLS" + (version or "1.3")
        prio += ":-CIPHER-ALL:+" + GNUTLS_SUITE[suite] if suite else ""
        if groups:
            prio += ":-GROUP-ALL" + "".join(":+" + GNUTLS_GROUP[g] for g in groups.split())
        argv = self.prefix + ["gnutls-cli", "--logfile=/dev/null", "--x509cafile=ca.pem", "-p",
                              str(self.port), f"--priority={prio}", f"--sni-hostname={name}",
                              f"--verify-hostname={name}"]
        return exchange(argv + list(more) + ["127.0.0.1"], self.request)

    def python(self, name, suite="", groups="", version="", more=()):
        """Python's ssl"""
        # set_ecdh_curve() of Debian 12 does not know X25519.
        settings = [f"Ciphersuites = {suite}\n"] * bool(suite)
        if groups:
            names = ":".join(OPENSSL_GROUP[g] for g in groups.split())
            settings.append(f"Groups = {names}\n")
        env = dict(os.environ)
        if settings:
            with open("openssl.cnf", "w", encoding="ascii") as out:
                out.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                          + "".join(settings))
            env["OPENSSL_CONF"] = os.path.abspath("openssl.cnf")
        words = [f"version={version}"] * bool(version)
        return exchange(self.prefix + [sys.executable if not self.prefix else "python3",
                                       "client.py", name, str(self.port), "request", *words,
                                       *more], b"", env)


class Run:
    """Counts and prints."""

    def __init__(self, server, clients, only):
        self.server, self.clients, self.only = server, clients, only
        self.number = self.passed = self.failed = 0
        self.rows = []

    def before(self):
        """What is to be compared after a case."""

    def also(self, line, first):
        """What else is wrong after a case, but for what the server says of it."""
        _ = line, first
        return ""

    def case(self, title, client, name, want, data, first=0, **kwargs):
        """
        One connection, after as many that do not matter. want: words of the server's line, or
        sets of them: any; or a string: the client must fail with an error in which it is.
        """
        if self.only and self.only not in title:
            return
        self.number += 1
        self.before()
        start = time.monotonic()
        try:
            body, said = self.clients.known[client](name, **kwargs)
        except subprocess.TimeoutExpired:
            body, said = None, "timeout"
        took = time.monotonic() - start
        for _ in range(first):
            self.server.next_line()
        why = ""
        if body is None:
            line = why = said
            self.server.resync()
            if isinstance(want, str):
                body, why = data, "" if want in said else said
        elif isinstance(want, str):
            line, why = self.server.next_line(), "there should be none"
        else:
            line = self.server.next_line()
            if body != data:
                why = f"{len(body)} bytes came back, or other ones {said}; server: {line}"
            for word in want:
                words = (word,) if isinstance(word, str) else word
                if not any(re.search(rf"(^|[ =(]){re.escape(w)}($|[ )])", line) for w in words):
                    why = why or f"no {'/'.join(words)} in: {line}"
            why = why or self.also(line, first)
        good = body is not None and not why
        self.passed += good
        self.failed += not good
        self.rows.append((title, good, line))
        print(f"{'ok' if good else 'not ok'} {self.number} - {title} # {took:.2f} s"
              + ("" if good else f" {why}"), flush=True)


def field(line, name):
    """One field of the server's line."""
    match = re.search(rf"\b{name}=(\S+)", line)
    return match[1] if match else "-"


def matrix(run, data, full):
    """Each client with each suite, group and key."""
    for client in run.clients.known:
        for name in KEYS:
            for suite in SUITES:
                for group in GROUPS + ((HYBRID,) if client in WITH_HYBRID else ()):
                    if not full and name != "p256.test" and (suite, group) != (
                            SUITES[list(KEYS).index(name) - 1], GROUPS[0]):
                        continue
                    kind = "p256" if name == "p256.test" else "rsa"
                    run.case(f"{client} {suite} {group} {name[:-5]}", client, name,
                             ("PF_TLS", suite, group, SIGNATURE[kind], name), data,
                             suite=suite, groups=group)


def others(run, data):
    """Defaults, choices of the certificate, retries, TLS 1.2."""
    for client in run.clients.known:
        # With its defaults a client that has X25519MLKEM768 sends a share for it.
        run.case(f"{client} defaults", client, "p256.test", ("PF_TLS", "TLSv1.3") +
                 ((HYBRID,) if client in WITH_HYBRID else ()), data)
        run.case(f"{client} TLS 1.2 by fallback", client, "p256.test",
                 ("PF_INET", "fallback", "TLSv1.2"), data, version="1.2")
    run.case("openssl TLS 1.2, RSA certificate", "openssl", "rsa2048.test",
             ("PF_INET", "TLSv1.2"), data, version="1.2", more=("-sigalgs", "RSA-PSS+SHA256"))
    run.case("openssl no name, ECDSA only", "openssl", "", ("PF_TLS", SIGNATURE["p256"]), data,
             more=("-sigalgs", "ecdsa_secp256r1_sha256"))
    run.case("openssl no name, RSA-PSS only", "openssl", "", ("PF_TLS", SIGNATURE["rsa"]), data,
             more=("-sigalgs", "rsa_pss_rsae_sha256"))
    for scheme in ("rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"):
        run.case(f"openssl only {scheme}", "openssl", "rsa2048.test",
                 (("PF_TLS", "fallback"),), data, more=("-sigalgs", scheme))
    # Shares that the kernel does not know, but a group that it does.
    hrr = ("PF_TLS", "retried")
    run.case("openssl retry: share of P-384, x25519 listed", "openssl", "p256.test", hrr, data,
             groups="secp384r1 x25519")
    run.case("openssl retry: share of P-384, P-256 listed", "openssl", "p256.test", hrr, data,
             groups="secp384r1 secp256r1")
    run.case("openssl only P-384: fallback", "openssl", "p256.test", ("fallback", "TLSv1.3"), data,
             groups="secp384r1")
    run.case("curl retry: share of P-384, x25519 listed", "curl", "p256.test", hrr, data,
             groups="secp384r1 x25519")
    if "gnutls" in run.clients.known:
        run.case("gnutls P-384 and x25519 shares", "gnutls", "p256.test",
                 (("PF_TLS", "fallback"),), data, groups="secp384r1 x25519")
    if "openssl 3.5" in run.clients.known:
        # Only the groups with an asterisk get a share.
        run.case("openssl 3.5 share of x25519, X25519MLKEM768 listed", "openssl 3.5", "p256.test",
                 ("PF_TLS", "x25519"), data, more=("-groups", "X25519MLKEM768:*X25519"))
        run.case("openssl 3.5 retry: share of P-384, X25519MLKEM768 listed", "openssl 3.5",
                 "p256.test", hrr + (HYBRID,), data,
                 more=("-groups", "*secp384r1:X25519MLKEM768:X25519"))
    else:
        print("# no OpenSSL 3.5, so nobody has X25519MLKEM768: run scripts/newer-openssl")
    # Tickets of a connection before.
    for client in ("openssl", "openssl 3.5"):
        if client not in run.clients.known:
            continue
        for suite in SUITES:
            run.case(f"{client} {suite}, keeps a ticket", client, "p256.test",
                     ("PF_TLS", SIGNATURE["p256"]), data, suite=suite, more=("-sess_out", "ticket"))
            run.case(f"{client} {suite}, resumes", client, "p256.test", ("PF_TLS", "resumed"),
                     data, suite=suite, more=("-sess_in", "ticket"))
            run.case(f"{client} {suite}, resumes after a retry", client, "p256.test",
                     hrr + ("resumed",), data, suite=suite, groups="secp384r1 x25519",
                     more=("-sess_in", "ticket"))
    run.case("openssl, ticket of another name", "openssl", "rsa2048.test",
             ("PF_TLS", SIGNATURE["rsa"]), data, more=("-sess_in", "ticket"))
    if "gnutls" in run.clients.known:
        run.case("gnutls resumes", "gnutls", "p256.test", ("PF_TLS", "resumed"), data, first=1,
                 more=("--resume",))
    run.case("openssl, middlebox compatibility off", "openssl", "p256.test", ("PF_TLS",), data,
             more=("-no_middlebox",))
    run.case("openssl, ALPN", "openssl", "p256.test", ("PF_TLS", "alpn=http/1.1"), data,
             more=("-alpn", "h2,http/1.1"))
    run.case("curl, ALPN", "curl", "p256.test", ("PF_TLS", "alpn=http/1.1"), data)
    run.case("openssl, ALPN without overlap", "openssl", "p256.test",
             "alert no application protocol", data, more=("-alpn", "h2"))
    if "gnutls" in run.clients.known:
        run.case("gnutls, ALPN", "gnutls", "p256.test", ("PF_TLS", "alpn=http/1.1"), data,
                 more=("--alpn=http/1.1",))
    run.case("openssl, hello in small fragments", "openssl", "p256.test",
             (("PF_TLS", "fallback"),), data, more=("-max_send_frag", "512", "-split_send_frag",
                                                    "512"))
    for length in ("512", "1024", "2048", "4096"):
        run.case(f"openssl, max_fragment_length {length}", "openssl", "p256.test", ("PF_TLS",),
                 data, more=("-maxfraglen", length))
    if "gnutls" in run.clients.known:
        # With less gnutls-cli itself drops a part of what it reads from its input.
        run.case("gnutls, record_size_limit 4097", "gnutls", "p256.test", ("PF_TLS",), data,
                 more=("--recordsize=4096",))


def main():
    """Makes keys, starts the server, runs all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    print("TAP version 13")
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    tls_hs.join_session()
    ring = tls_hs.new_keyring()
    for name, algorithm in KEYS.items():
        subprocess.run(
            ["bash", "-c", '. "$1"; shift; identity "$@"', "-", os.path.join(HERE, "../lib.sh"),
             name, *algorithm], check=True)
        with open(f"{name}.id", "rb") as file:
            tls_hs.add_key("tls_identity", name, file.read(), ring)
    with open("ca.pem", "wb") as out:
        for name in KEYS:
            with open(f"{name}.pem", "rb") as file:
                out.write(file.read())
    data = os.urandom(args.size)
    server = Server(ring, list(KEYS))
    run = Run(server, Clients(data), args.only)
    try:
        matrix(run, data, args.full)
        others(run, data)
    finally:
        server.proc.terminate()
        shutil.rmtree(folder)
    print(f"1..{run.number}")
    print("#")
    print(f"# {'connection':58} {'by':8} {'group':14} {'signature':23} {'ms':>6}")
    for title, good, line in run.rows:
        by = "kernel" if "PF_TLS" in line else "OpenSSL" if "fallback" in line else "FAILED"
        by += "" if good else "!"
        us = field(line, "handshake_us")
        print(f"# {title:58} {by:8} {field(line, 'group'):14} {field(line, 'signature'):23} "
              f"{int(us) / 1000 if us.isdigit() else 0:6.1f}"
              + (" (retried)" if "retried" in line else ""))
    print(f"# interop: {run.passed} passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
