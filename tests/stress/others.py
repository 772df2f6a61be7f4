# SPDX-License-Identifier: GPL-2.0
"""What else goes on: keys, limits, sockets that are connected already, network namespaces."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
import time

from world import abort, kill, setting, spawn, tls13, tls_hs
from netlink import dump

CLONE_NEWNET = 0x40000000
STAGES = ("silent", "half a hello", "garbage", "hello", "flight", "done")


def keys(world):
    """Identities come and go."""
    rng = world.rng("keys")
    while world.running():
        key = tls_hs.add_key("tls_identity", f"extra{rng.randrange(3)}",
                             rng.choice((tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)), world.ring)
        world.sleep(rng.uniform(0, 0.1))
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE if rng.random() < 0.5 else tls_hs.KEYCTL_UNLINK,
                      key, world.ring)
        world.count("key changes")


def limits(world):
    """The namespace's settings change."""
    rng = world.rng("limits")
    while world.running():
        name, values = rng.choice((("net/tls/max_handshakes", (1, 5, 20, 60, 4096)),
                                   ("net/tls/handshake_timeout_ms", (50, 1000, 10000)),
                                   ("net/tls/ticket_lifetime", (0, 2, 3600)),
                                   ("net/ipv4/tcp_migrate_req", (1, 1, 1, 0)),
                                   ("net/ipv4/tcp_syncookies", (0, 1, 1, 2))))
        setting(name, rng.choice(values))
        world.count("limits changed")
        world.sleep(rng.uniform(0, 0.2))


def reach(client, rng, stage):
    """Lets a client come to a stage."""
    sock = client.sock
    if stage == "half a hello":
        data = client.hello.record()
        sock.sendall(data[:rng.randrange(1, len(data))])
    elif stage == "garbage":
        sock.sendall(rng.randbytes(rng.randrange(1, 100)))
    elif stage != "silent":
        client.send_hello()
    if stage in ("flight", "done"):
        client.server_hello()
        client.server_flight()
    if stage == "done":
        sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
        client.switch()


def reader(conn):
    """Sleeps in recv() or send()."""
    try:
        conn.recv(100)
        conn.send(b"answer")
    except OSError:
        pass


def pair(world, lsk):
    """Both ends of a connection, or (None, None)."""
    sock = socket.socket()
    sock.settimeout(2 * world.slow)
    try:
        sock.connect(lsk.getsockname())
        conn = lsk.accept()[0]
        if conn.getpeername() == sock.getsockname():
            return sock, conn
        conn.close()
    except (ConnectionResetError, TimeoutError):
        # Of a cookie whose ACK comes when limits() has switched cookies off.
        pass
    world.count("connected: no connection")
    sock.close()
    return None, None


def connected(world):
    """Handshakes on sockets that are connected already, cancelled at each stage."""
    rng = world.rng("connected")
    with socket.create_server(("127.0.0.1", 0)) as lsk:
        lsk.settimeout(5 * world.slow)
        while world.running():
            sock, conn = pair(world, lsk)
            if not conn:
                continue
            own = rng.random() < 0.8
            client = tls13.Client(sock, tls13.Hello(
                name=rng.choice(("ecdsa.test", "rsa.test")),
                versions=(0x0304,) if rng.random() < 0.9 else (0x0303,)))
            stage = rng.choice(STAGES)
            thread = None
            try:
                if rng.random() < 0.2:
                    sock.sendall(client.hello.record()[:50])
                    stage = "silent"
                conn.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
                conn.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
                    world.ring, timeout_ms=int(rng.choice((20, 200, 2000)) * world.slow),
                    flags=rng.choice((world.flags, tls_hs.F_THREAD, tls_hs.F_SOFTIRQ))))
                if rng.random() < 0.4:
                    conn.settimeout(None)
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                                    struct.pack("ll", int(3 * world.slow), 0))
                    thread = threading.Thread(target=reader, args=(conn,))
                    thread.start()
                reach(client, rng, stage)
                world.sleep(rng.choice((0, 0, 0.002, 0.05)))
            except (OSError, ValueError, tls13.Closed, tls13.AlertReceived):
                world.count("connected: an end")
            if rng.random() < 0.2:
                shut_down(conn)
            if rng.random() < 0.3:
                abort(sock)
            for one in (sock, conn) if rng.random() < 0.4 and own else (conn, sock):
                if thread and one is conn:
                    # close() would leave it to the thread, which wakes by this.
                    shut_down(conn)
                one.close()
            if thread:
                thread.join(20 * world.slow)
                if thread.is_alive():
                    world.error(f"connected, {stage}: recv() does not return")
            world.count(f"connected: {stage}")


def shut_down(conn):
    """shutdown(), if there is still something to shut down."""
    try:
        conn.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def lo_up():
    """ip link set lo up."""
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def unshare():
    """Another network namespace; 0 or an error."""
    # pylint: disable-next=protected-access
    return 0 if tls_hs._libc.unshare(CLONE_NEWNET) == 0 else ctypes.get_errno()


def inhabitant(world, seed, unix):
    """A listener in a namespace of its own, with children in each stage."""
    rng = world.rng(seed)
    err = unshare()
    if err:
        world.error(f"unshare(): {os.strerror(err)}")
        unix.sendall(b"x")
        return
    lo_up()
    if rng.random() < 0.5:
        setting("net/tls/max_handshakes", rng.choice((1, 4, 10)))
    if rng.random() < 0.5:
        setting("net/ipv4/tcp_migrate_req", 1)
    lsk = tls_hs.listener(world.ring, flags=rng.choice((world.flags, tls_hs.F_THREAD)),
                          timeout_ms=int(rng.choice((50, 5000)) * world.slow),
                          max_handshakes=rng.choice((0, 0, 3)))
    clients = []
    for _ in range(rng.choice((3, 8, 25))):
        try:
            sock = socket.create_connection(lsk.getsockname(), 0.5 * world.slow)
            clients.append(tls13.Client(sock, tls13.Hello()))
            reach(clients[-1], rng, rng.choice(STAGES))
        except (OSError, ValueError, tls13.Closed, tls13.AlertReceived):
            pass
    if rng.random() < 0.3:
        try:
            clients.append(lsk.accept()[0])
        except OSError:
            pass
    dump()
    if rng.random() < 0.3:
        # The listener keeps the namespace, out of which nobody comes.
        socket.send_fds(unix, [b"x"], [lsk.fileno()])
    else:
        unix.sendall(b"x")
    if rng.random() < 0.5:
        time.sleep(1000)
    if rng.random() < 0.5:
        lsk.close()


def namespaces(world):
    """Network namespaces that end with all that is in them."""
    rng = world.rng("namespaces")
    number = 0
    while world.running():
        number += 1
        here, there = socket.socketpair()
        pid = spawn(world, "namespace", inhabitant, f"namespace {number}", there)
        there.close()
        here.settimeout(60 * world.slow)
        _, fds, _, _ = socket.recv_fds(here, 1, 1)
        world.sleep(rng.choice((0, 0.01, 0.1)))
        kill(pid)
        for fd in fds:
            world.sleep(rng.choice((0, 0.01, 0.1)))
            os.close(fd)
        here.close()
        world.count("namespaces")
        world.sleep(rng.uniform(0, 0.3))


def namespaces_gone(seconds):
    """Whether all namespaces but the first are gone within that time."""
    end = time.monotonic() + seconds
    old = setting("user/max_net_namespaces", 1)
    if old is None:
        return True
    try:
        while time.monotonic() < end:
            pid = os.fork()
            if not pid:
                os._exit(unshare())
            err = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if err != errno.ENOSPC:
                return err == 0
            time.sleep(0.1)
        return False
    finally:
        setting("user/max_net_namespaces", old)
