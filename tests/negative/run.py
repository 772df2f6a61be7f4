#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Runs the corpus against the kernel (in one process: listener and client), or,
with --server HOST:PORT, against any TLS server, to check the corpus itself.

Against the kernel more is checked than the alert: a connection that ended
with one must never have been readable on the listener; a fallback must bring
exactly the bytes that were sent, at once; a finished handshake must be
PF_TLS and carry data both ways.
"""

import argparse
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import corpus  # noqa: E402
import tls13  # noqa: E402
import tls_hs  # noqa: E402


class Target:
    """Where clients connect to; the listener is None for a foreign server."""

    def __init__(self, args):
        self.lsk = None
        self.late = 0
        if args.server:
            host, port = args.server.rsplit(":", 1)
            self.addr = host, int(port)
            return
        why = tls_hs.supported()
        if why:
            print(f"1..0 # SKIP {why}")
            sys.exit(4)
        tls_hs.join_session()
        ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)
        flags = tls_hs.F_THREAD if args.thread else 0
        self.lsk = tls_hs.listener(ring, flags=flags)
        self.addr = self.lsk.getsockname()

    def connect(self):
        """A client's socket."""
        sock = socket.create_connection(self.addr)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(5)
        return sock

    def pending(self, seconds=0.0):
        """An accepted connection and its family, or None."""
        if self.lsk is None or not tls_hs.readable(self.lsk, seconds):
            return None
        return tls_hs.accept(self.lsk)


def app_data(target, client):
    """Data both ways after a handshake; the outcome."""
    if target.lsk is None:
        client.send(b"ping\n")
        return "ok" if client.recv() else "closed"
    got = target.pending(5)
    if got is None:
        # An alert is raised from here.
        client.read_record()
        return "hang (never accepted)"
    conn, family = got
    with conn:
        if family != tls_hs.AF_TLS:
            return f"accepted with family {family}"
        client.send(b"ping")
        if conn.recv(16) != b"ping":
            return "ok, but data to the server is wrong"
        conn.sendall(b"pong")
        if client.recv_exact(4) != b"pong":
            return "ok, but data to the client is wrong"
    return "ok"


def fallback(got, sent):
    """Checks what user space sees after a fallback."""
    conn, family = got
    with conn:
        if family == tls_hs.AF_TLS:
            return "PF_TLS before the handshake was over"
        conn.setblocking(False)
        seen = b""
        try:
            while len(seen) < len(sent):
                data = conn.recv(65536)
                if not data:
                    break
                seen += data
        except BlockingIOError:
            pass
        if not seen:
            return "fallback, but the first read blocks"
        if not sent.startswith(seen) or len(seen) < len(sent):
            # What follows the hello may still be on its way on a loaded machine.
            time.sleep(0.05)
            try:
                seen += conn.recv(65536)
            except BlockingIOError:
                pass
        if seen != sent:
            return f"fallback, but {len(seen)} bytes of {len(sent)} or other ones"
    return "fallback"


def first_answer(target, sock, client, sent):
    """What happens first after the bytes were sent."""
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        got = target.pending()
        if got:
            return fallback(got, sent)
        if tls_hs.readable(sock, 0.002):
            if client is None:
                tls13.Client(sock, None).read_record()
                return "answered"
            return None
    return "hang"


def play_hello(target, case):
    """Plays one case of HELLOS; its outcome."""
    hello, data = case.make()
    with target.connect() as sock:
        client = tls13.Client(sock, hello) if hello else None
        try:
            try:
                sock.sendall(data)
                if "FIN" in case.name:
                    sock.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            outcome = first_answer(target, sock, client, data)
            if outcome:
                return outcome
            client.transcript = hello.message()
            client.server_hello()
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            return app_data(target, client)
        except tls13.AlertReceived as alert:
            return alert.name
        except tls13.Closed:
            return "closed"
        except TimeoutError:
            return "hang"


def play_later(target, case):
    """Plays one case of LATER; its outcome."""
    with target.connect() as sock:
        client = tls13.Client(sock, tls13.Hello())
        client.send_hello()
        client.server_hello()
        client.server_flight()
        try:
            case.make(client)
            if case.name.startswith("good"):
                return app_data(target, client)
            # Alerts after the server's Finished come with application keys.
            client.rx = client.app_rx
            while True:
                ctype, body = client.read_record()
                if ctype == tls13.HANDSHAKE and body[0] == tls13.NEW_SESSION_TICKET:
                    continue
                return f"record of type {ctype}"
        except tls13.AlertReceived as alert:
            return alert.name if alert.encrypted else f"{alert.name} in plain text"
        except tls13.Closed:
            return "closed"
        except TimeoutError:
            return "hang"
        except ValueError as err:
            return f"unreadable answer ({err})"


def main():
    """Runs all, prints TAP."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", help="HOST:PORT of a foreign server instead of the kernel")
    parser.add_argument("--thread", action="store_true", help="with TLS_HS_F_THREAD")
    parser.add_argument("--only", default="", help="cases with this in the name")
    parser.add_argument("--part", choices=("hellos", "later"))
    args = parser.parse_args()
    target = Target(args)
    cases = []
    if args.part != "later":
        cases += [(play_hello, c) for c in corpus.HELLOS]
    if args.part != "hellos":
        cases += [(play_later, c) for c in corpus.LATER]
    cases = [(f, c) for f, c in cases if args.only in c.name]
    print("TAP version 13")
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for i, (play, case) in enumerate(cases, 1):
        start = time.monotonic()
        try:
            outcome = play(target, case)
        except Exception as err:  # pylint: disable=broad-except
            outcome = f"{type(err).__name__}: {err}"
        if target.lsk and outcome not in ("ok", "fallback"):
            # It must not turn up later either.
            stray = target.pending()
            if stray:
                stray[0].close()
                outcome += ", and accepted as well"
        good = outcome in case.want
        failed += not good
        took = time.monotonic() - start
        print(f"{'ok' if good else 'not ok'} {i} - {case.name}: {outcome}"
              + ("" if good else f" # want {'/'.join(sorted(case.want))} (RFC 9846 {case.section})"
                 + (f"; {case.note}" if case.note else "") + f" [{took:.2f} s]"), flush=True)
    print(f"# negative: {len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
