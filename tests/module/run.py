#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
The ULP as a module: it stays while anything of it is in use, goes when nothing
is, whatever has just been closed, and comes back by itself.

module/run.py [--rounds N]
"""

import argparse
import errno
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402
from module import loaded, unload, want_busy, want_gone  # noqa: E402

ABORT = struct.pack("ii", 1, 0)


class Env:
    """A keyring whose keys are loaded anew with the module."""

    def __init__(self):
        # Loads the module as well: by name, as any setsockopt(TCP_ULP) does.
        why = tls_hs.supported()
        if why:
            print(f"1..0 # SKIP {why}")
            sys.exit(4)
        if not loaded():
            print("1..0 # SKIP the ULP is no module here")
            sys.exit(4)
        tls_hs.join_session()

    @staticmethod
    def listen(**kwargs):
        """A listener. Its ULP pins the module before the keys are loaded."""
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)
        sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(ring, **kwargs))
        sock.setblocking(False)
        return sock


def connect(lsk, **kwargs):
    """A client in front of its first byte."""
    sock = socket.create_connection(lsk.getsockname(), 10)
    return tls13.Client(sock, tls13.Hello(**kwargs))


def established(lsk):
    """A client and the server's side."""
    client = connect(lsk)
    client.handshake()
    conn, family = tls_hs.accept(lsk)
    if family != tls_hs.AF_TLS:
        raise AssertionError(f"family {family}")
    return client, conn


def ping(client, conn):
    """A few bytes both ways."""
    client.send(b"ping")
    if conn.recv(10) != b"ping":
        raise AssertionError("data to the server")
    conn.sendall(b"pong")
    if client.recv_exact(4) != b"pong":
        raise AssertionError("data to the client")


def in_use(env, _rounds):
    """Listeners and connections in every state keep the module."""
    lsk = env.listen()
    want_busy("a listener")
    client, conn = established(lsk)
    half = connect(lsk)
    half.sock.sendall(half.hello.record()[:50])
    time.sleep(0.05)
    want_busy("a listener and connections")
    lsk.close()
    want_busy("a connection")
    ping(client, conn)
    half.sock.close()
    conn.close()
    client.sock.close()
    want_gone("all was closed")


def fallen_back(env, _rounds):
    """A connection that fell back is plain TCP and outlives the module."""
    lsk = env.listen()
    client = connect(lsk)
    # TLS 1.2, without extensions.
    hello = bytes.fromhex("16030100310100002d0303") + bytes(32) + \
        bytes.fromhex("000006c02f009c00ff0100")
    client.sock.sendall(hello)
    conn, family = tls_hs.accept(lsk)
    if family != socket.AF_INET:
        raise AssertionError(f"family {family}")
    lsk.close()
    want_gone("the listener was closed")
    if len(conn.recv(1000)) != len(hello):
        raise AssertionError("the ClientHello")
    conn.sendall(b"plain")
    if client.sock.recv(10) != b"plain":
        raise AssertionError("data to the client")
    conn.close()
    client.sock.close()


def comes_back(env, _rounds):
    """It is loaded by name; keys of before are of no more use."""
    tls_hs.supported()
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    want_gone("nothing but a key was there")
    if loaded():
        raise AssertionError("it is still loaded")
    try:
        tls_hs.listener(ring)
        raise AssertionError("a key of the module's last life is usable")
    except OSError as err:
        if err.errno != errno.ENOKEY:
            raise
    if not loaded():
        raise AssertionError("setsockopt(TCP_ULP) has not loaded it")
    with env.listen() as lsk:
        client, conn = established(lsk)
        ping(client, conn)
        conn.close()
        client.sock.close()


def right_after(env, rounds):
    """Unloading right after sockets in every state were closed."""
    for n in range(rounds):
        lsk = env.listen(flags=tls_hs.F_THREAD if n % 2 else 0)
        clients = [connect(lsk) for _ in range(8)]
        clients[0].sock.sendall(clients[0].hello.record()[:50])
        clients[1].send_hello()
        clients[2].send_hello()
        clients[2].server_hello()
        clients[3].sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client, conn = established(lsk)
        for i in (4, 5):
            clients[i].handshake()
        if n % 3 == 0:
            for other in clients:
                other.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        order = [lsk, conn, client.sock] + [c.sock for c in clients]
        for sock in order if n % 2 else reversed(order):
            sock.close()
        want_gone(f"round {n}")


STAGES = ("silent", "half a hello", "hello", "flight", "done", "fallen back")


def reach(client, stage):
    """Lets a client come to a stage."""
    data = client.hello.record()
    if stage == "half a hello":
        client.sock.sendall(data[:60])
    elif stage == "fallen back":
        client.hello.drop(tls13.SUPPORTED_VERSIONS)
        client.sock.sendall(client.hello.record())
    elif stage != "silent":
        client.send_hello()
    if stage in ("flight", "done"):
        client.server_hello()
        client.server_flight()
    if stage == "done":
        client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
        client.switch()


def migration(on):
    """Sets the sysctl; what it was."""
    with open("/proc/sys/net/ipv4/tcp_migrate_req", encoding="ascii") as file:
        old = file.read()
    with open("/proc/sys/net/ipv4/tcp_migrate_req", "w", encoding="ascii") as file:
        file.write(on)
    return old


def group(env, **kwargs):
    """Two listeners of TLS and one without, all on one port."""
    out = []
    for i in range(3):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(out[0].getsockname() if out else ("127.0.0.1", 0))
        if i < 2:
            sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
            if not i:
                ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
            sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(ring, **kwargs))
        sock.listen(64)
        sock.setblocking(False)
        out.append(sock)
    return out


def started(clients):
    """Handshakes on the server's ends of connections."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    out = []
    with socket.create_server(("127.0.0.1", 0)) as lsk:
        for stage in STAGES:
            client = connect(lsk)
            conn = lsk.accept()[0]
            conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
            conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(ring))
            reach(client, stage)
            clients.append(client)
            out.append(conn)
    return out


def at_each_stage(env, rounds):
    """Unloading while what was closed is still on its way: children at each stage that are
    closed, evicted or migrate, listeners with NO_FALLBACK, connected sockets."""
    rng = random.Random(rounds)
    was = migration("1")
    try:
        for n in range(4 * rounds):
            strict = bool(n & 1)
            kwargs = {"flags": rng.choice((0, tls_hs.F_THREAD, tls_hs.F_SOFTIRQ)) |
                               (tls_hs.F_NO_FALLBACK if strict else 0),
                      "versions": tls_hs.VERSION_1_3 | (0 if strict else tls_hs.VERSION_1_2),
                      "max_handshakes": rng.choice((0, 0, 2)),
                      "timeout_ms": rng.choice((20, 5000))}
            listeners = [env.listen(**kwargs)] if n % 4 < 2 else group(env, **kwargs)
            clients = []
            for i in range(12):
                try:
                    clients.append(connect(listeners[0]))
                    clients[-1].sock.settimeout(1)
                    reach(clients[-1], STAGES[i % len(STAGES)])
                except (OSError, ValueError, tls13.Closed, tls13.AlertReceived):
                    # It has been evicted or has timed out, on a slow machine before connect()
                    # could return, or is with the listener without TLS.
                    pass
            conns = started(clients) if n % 3 == 0 else []
            socks = listeners + conns + [c.sock for c in clients]
            if rng.random() < 0.5:
                rng.shuffle(socks)
            if rng.random() < 0.3:
                for sock in socks[len(socks) // 2:]:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            for sock in socks:
                sock.close()
            want_gone(f"round {n}")
    finally:
        migration(was)


def meanwhile(env, rounds):
    """Connections come and go while another tries to unload it all the time."""
    stop = time.monotonic() + min(10, rounds / 2)
    count = {"unloaded": 0, "busy": 0}

    def unloader():
        while time.monotonic() < stop:
            count["busy" if unload() else "unloaded"] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=unloader)
    thread.start()
    lives = handshakes = 0
    while time.monotonic() < stop:
        try:
            lsk = env.listen()
        except OSError as err:
            # It went between being loaded and being found.
            if err.errno == errno.ENOENT:
                continue
            thread.join()
            raise
        lives += 1
        for _ in range(2):
            client, conn = established(lsk)
            ping(client, conn)
            handshakes += 1
            client.sock.close()
            conn.close()
        lsk.close()
        # Every other time it really goes.
        until = time.monotonic() + lives % 2
        while loaded() and time.monotonic() < until:
            time.sleep(0.005)
    thread.join()
    print(f"# {lives} listeners, {handshakes} handshakes, unloaded {count['unloaded']} times, "
          f"was busy {count['busy']} times")
    if not handshakes or not count["busy"] or not count["unloaded"]:
        raise AssertionError("nothing happened")


def main():
    """Runs all, prints TAP."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    env = Env()
    tests = (in_use, fallen_back, comes_back, right_after, at_each_stage, meanwhile)
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = 0
    for i, test in enumerate(tests, 1):
        start = time.monotonic()
        try:
            test(env, args.rounds)
            result = "ok"
        except Exception as err:  # pylint: disable=broad-except
            print(f"# {type(err).__name__}: {err}")
            result = "not ok"
            failed += 1
        print(f"{result} {i} {test.__name__} # {time.monotonic() - start:.2f} s", flush=True)
    tls_hs.supported()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
