#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Servers that know nothing of TLS, by "tlshs run", with clients that speak nothing else.

Each gets HTTPS requests of curl, a connection each, from 127.0.0.2, and of h2load, HTTP/2
too where the server has it without TLS.  Meanwhile the certificate is replaced and the key of
the tickets.  Every request must succeed, and the client's address be right in the server's own
log.  Prints TAP; --results FILE writes the table.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SERVERS = os.path.join(HERE, "servers")
CLIENT = "127.0.0.2"
sys.path.insert(0, os.path.join(TOP, "selftests"))
import tls_hs  # noqa: E402  pylint: disable=wrong-import-position


class Server:
    """A program: how it is called, and what it can do."""

    def __init__(self, name, command, version, options=(), h2="", log="log", config=None):
        self.name, self.command, self.version = name, command, version
        self.options, self.h2, self.log, self.config = options, h2, log, config

    def found(self):
        """Whether the program is there."""
        return shutil.which(self.command[0]) or os.path.exists(self.command[0])

    def how(self):
        """What is said about it in the table."""
        return " ".join(self.options)

    def get_version(self):
        """The first number in what the program says of itself."""
        out = subprocess.run(self.version, capture_output=True, text=True, check=False)
        match = re.search(r"\d+(\.\d+)+", out.stdout + out.stderr)
        return match.group(0) if match else "?"


def servers(built):
    """All that are known."""
    def at(name):
        return os.path.join(SERVERS, name)
    h2 = ("--alpn", "h2,http/1.1")
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    nobody = ("--user", "nobody")
    web = os.path.join(built, "copy")
    return [
        Server("Python http.server", [python, f"{web}/http_server.py"], [python, "--version"],
               nobody),
        Server("Python asyncio", [python, f"{web}/asyncio_server.py"], [python, "--version"],
               nobody),
        Server("gunicorn", ["gunicorn", "--chdir", web, "--workers", "2", "--threads", "8",
                            "--access-logfile", "-", "apps:wsgi"],
               ["gunicorn", "--version"], nobody),
        Server("uvicorn", ["uvicorn", "--app-dir", web, "--fd", "3", "apps:asgi"],
               ["uvicorn", "--version"], nobody),
        Server("Node http", ["node", f"{web}/server.js"], ["node", "--version"], nobody),
        Server("Node http2", ["node", f"{web}/server.js", "h2c"], ["node", "--version"],
               nobody + ("--alpn", "h2"), h2="only"),
        Server("Java NIO", ["java", "-cp", built, "Server"], ["java", "-version"], ("--fd", "0")),
        Server("Go net/http", [os.path.join(built, "go-server")], ["go", "version"], nobody),
        Server("Rust std", [os.path.join(built, "rust-server")], ["rustc", "--version"], nobody),
        Server("Rust tokio, hyper", [os.path.join(built, "hyper-server")],
               ["sh", "-c", f"grep -A1 '\"hyper\"' {at('hyper/Cargo.lock')}"], nobody + h2,
               h2="yes"),
        Server("nginx", ["/usr/sbin/nginx", "-c", "DIR/config", "-e", "DIR/log"],
               ["/usr/sbin/nginx", "-v"], ("--nginx",), config=at("nginx.conf")),
        Server("nginx, http2", ["/usr/sbin/nginx", "-c", "DIR/config", "-e", "DIR/log"],
               ["/usr/sbin/nginx", "-v"], ("--nginx", "--alpn", "h2"), h2="only",
               config=at("nginx.conf")),
        Server("haproxy", ["/usr/sbin/haproxy", "-db", "-f", "DIR/config"],
               ["/usr/sbin/haproxy", "-v"], h2, h2="yes", config=at("haproxy.cfg")),
        Server("lighttpd", ["/usr/sbin/lighttpd", "-D", "-f", "DIR/config"],
               ["/usr/sbin/lighttpd", "-v"], h2, h2="yes", log="access.log",
               config=at("lighttpd.conf")),
    ]


class Run:
    """One server while it runs."""

    def __init__(self, server, port, folder, options):
        self.server, self.port, self.folder, self.options = server, port, folder, options
        command = [word.replace("DIR", folder) for word in server.command]
        if server.config:
            with open(server.config, encoding="ascii") as file:
                text = file.read()
            for old, new in (("DIR", folder), ("PORT", str(port)),
                             ("HTTP2", "http2" if server.h2 else "")):
                text = text.replace(old, new)
            with open(os.path.join(folder, "config"), "w", encoding="ascii") as file:
                file.write(text)
        # What lighttpd serves, which has no address to tell.
        with open(os.path.join(folder, "index.txt"), "w", encoding="ascii") as file:
            file.write(CLIENT + "\n")
        os.chmod(folder, 0o777)
        self.out = open(os.path.join(folder, "log"), "ab")
        self.proc = subprocess.Popen(
            [options.tlshs, "run", "-k", "unmodified", "-l", f"127.0.0.1:{port}",
             *server.options, "--", *command], stdout=self.out, stderr=self.out, cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"})

    def curl(self, *args):
        """A request, or more."""
        version = "--http2" if self.server.h2 == "only" else "--http1.1"
        return ["curl", "-sk", version, "--interface", CLIENT, "--max-time", "120", *args]

    def url(self):
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}/"

    def ready(self):
        """Waits for the first answer."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            out = subprocess.run(self.curl("--max-time", "10", self.url()), capture_output=True,
                                 text=True, check=False)
            if out.returncode == 0:
                assert out.stdout.strip() == CLIENT, f"the answer is {out.stdout!r}"
                return
            if self.proc.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"no answer: {self.tail()}")

    def tail(self):
        """The end of the log."""
        with open(os.path.join(self.folder, "log"), errors="replace", encoding="utf-8") as file:
            return "\n".join(file.read().splitlines()[-5:])

    def many(self):
        """Requests with a connection each; how many fail."""
        proc = subprocess.Popen(
            self.curl("-Z", "--parallel-max", "16", "-H", "Connection: close", "-o", "/dev/null",
                      "-w", "%{http_code}\\n", f"{self.url()}?[1-{self.options.requests}]"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        # A new certificate, and a new key for tickets, in the middle of it.
        time.sleep(0.3)
        renew(self.options)
        out, _ = proc.communicate(timeout=120)
        codes = out.split()
        fine = codes.count("200")
        assert fine == self.options.requests and proc.returncode == 0, \
            f"curl: {fine} of {self.options.requests}, status {proc.returncode}: {self.tail()}"

    def h2load(self, *args):
        """The same with h2load, ten connections at a time."""
        if not shutil.which("h2load"):
            return
        out = subprocess.run(["h2load", "-n", str(self.options.requests), "-c", "10", *args,
                              self.url()], capture_output=True, text=True, check=False,
                             timeout=120).stdout
        match = re.search(r"requests: (\d+) total.* (\d+) succeeded, (\d+) failed", out)
        assert match and match.groups() == (str(self.options.requests),
                                            str(self.options.requests), "0"), out
        want = "http/1.1" if "--h1" in args else "h2"
        assert f"Application protocol: {want}" in out, out

    def logged(self):
        """How often the client's address is in the log."""
        want = self.options.requests + 1
        end = time.monotonic() + 10
        while True:
            with open(os.path.join(self.folder, self.server.log), errors="replace",
                      encoding="utf-8") as file:
                count = sum(CLIENT in line for line in file)
            if count >= want:
                return
            assert time.monotonic() < end, f"{CLIENT} {count} times in the log, not {want}"
            time.sleep(0.2)

    def stop(self):
        """Ends it, with its workers."""
        self.proc.terminate()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.out.close()


def renew(options):
    """Another certificate with another key for the same name, and another key for tickets."""
    stem = os.path.join(options.folder, "identity")
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-keyout", stem + ".key", "-out", stem + ".pem"],
                   check=True, capture_output=True)
    with_ = "add" if not options.added else "replace"
    options.added = True
    for what in (["keys", with_], ["keys", "ticket-key", "rotate"]):
        files = [stem + ".pem", stem + ".key"] if what[1] == with_ else []
        subprocess.run([options.tlshs, *what, "-k", "unmodified", *files], check=True,
                       capture_output=True)


def check(server, port, options):
    """All that a server must do: how many requests it has answered."""
    before = tls_hs.counters()
    requests = options.requests
    with tempfile.TemporaryDirectory() as folder:
        run = Run(server, port, folder, options)
        try:
            run.ready()
            # curl uses one connection for all that is HTTP/2, so no address for each.
            run.many()
            run.logged()
            if server.h2 != "only":
                run.h2load("--h1")
                requests += options.requests
            if server.h2:
                run.h2load()
                requests += options.requests
        except subprocess.TimeoutExpired as err:
            shown = subprocess.run([options.tlshs, "status"], capture_output=True, text=True,
                                   check=False).stdout
            raise AssertionError(f"{err.cmd[0]} hangs\n{shown}") from err
        finally:
            run.stop()
    after = tls_hs.counters()
    for name in ("TlsHsError", "TlsHsFallback", "TlsHsRefused", "TlsHsTimeout"):
        assert before[name] == after[name], f"{name} has grown"
    return requests


def main():
    """Runs all that are there, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tlshs", required=True)
    parser.add_argument("--built", required=True, help="what scripts/unmodified has built")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--results")
    parser.add_argument("servers", nargs="*")
    options = parser.parse_args()
    options.added = False
    with tempfile.TemporaryDirectory() as folder:
        options.folder = folder
        # Where other users can read them, too.
        shutil.copytree(options.built, os.path.join(folder, "built"))
        shutil.copytree(SERVERS, os.path.join(folder, "built", "copy"))
        os.chmod(folder, 0o755)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        options.built = os.path.join(folder, "built")
        renew(options)
        there = [s for s in servers(options.built) if s.found() and
                 (not options.servers or s.name in options.servers)]
        print(f"TAP version 13\n1..{len(there)}", flush=True)
        rows, failed = [], 0
        for i, server in enumerate(there, 1):
            start = time.monotonic()
            try:
                requests = check(server, 8400 + i, options)
                print(f"ok {i} {server.name} # {time.monotonic() - start:.1f} s", flush=True)
                rows.append((server.name, server.get_version(), f"``{server.how()}``",
                             {"": "no", "yes": "yes", "only": "only"}[server.h2], str(requests),
                             "0"))
            except (AssertionError, OSError, subprocess.SubprocessError) as err:
                failed += 1
                for line in str(err).splitlines():
                    print("# " + line)
                print(f"not ok {i} {server.name}", flush=True)
    if options.results:
        table(rows, options.results)
    return 1 if failed or not there else 0


def table(rows, path):
    """The table for the guide."""
    rows = [("program", "version", "options of tlshs run", "HTTP/2", "requests", "failed"), *rows]
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rule = " ".join("=" * w for w in width)
    lines = [" ".join(cell.ljust(w) for cell, w in zip(row, width)).rstrip() for row in rows]
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
