# SPDX-License-Identifier: GPL-2.0
"""Servers: a listener that comes and goes, groups of them, listeners that get around."""

import array
import errno
import os
import select
import socket
import struct
import time

from world import PLAIN, Ports, abort, kill, spawn, tls13, tls_hs

RCVTIMEO = struct.pack("ll", 0, 300000)
NAMES = ("sni.test", "*.wild.test", "ecdsa.test", "rsa.test")


def serve(world, rng, conn, family, kind):
    """What is done with a connection."""
    world.count("accepted TLS" if family == tls_hs.AF_TLS else f"accepted plain, {kind}")
    conn.setblocking(False)
    try:
        if family != tls_hs.AF_TLS:
            conn.send(PLAIN + kind.encode() + b".")
        elif rng.random() < 0.8:
            conn.recv(1000)
            conn.send(b"answer")
    except OSError:
        pass


def close(rng, conn):
    """FIN or RST."""
    if rng.random() < 0.3:
        abort(conn)
    conn.close()


def acceptor(world, lsk, kind, seed, how):
    """Accepts until it is killed: asleep in accept(), after poll(), or busily."""
    rng = world.rng(f"acceptor {seed}")
    parent = os.getppid()
    conns = []
    poll = select.poll()
    poll.register(lsk, select.POLLIN)
    while world.running() and os.getppid() == parent:
        try:
            if how == "poll" and not poll.poll(200):
                continue
            conn, addr = lsk.accept()
        except OSError:
            # A timeout, reset or taken away after poll(), or it does not listen now.
            time.sleep(0.002 * world.slow)
            continue
        # pylint: disable-next=protected-access
        family = tls_hs._sockaddr_family(addr)
        serve(world, rng, conn, family, kind)
        conns.append(conn)
        while len(conns) > rng.randrange(12):
            close(rng, conns.pop(rng.randrange(len(conns))))


def settings(world, rng, kind, timeout=None):
    """struct tls_hs_settings of a listener of that kind."""
    strict = kind == "strict"
    flags = rng.choice((world.flags, world.flags, 0, tls_hs.F_THREAD, tls_hs.F_SOFTIRQ))
    return {
        "flags": flags | (tls_hs.F_NO_FALLBACK if strict else 0),
        "versions": tls_hs.VERSION_1_3 | (0 if strict else tls_hs.VERSION_1_2),
        "timeout_ms": int((timeout or rng.choice((20, 200, 2000, 10000))) * world.slow),
        "max_handshakes": rng.choice((0, 1, 3, 10, 40)),
    }


def change(world, rng, lsk, kind):
    """Sets one of the options again."""
    what = rng.randrange(5)
    try:
        if what == 0:
            lsk.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS,
                           tls_hs.settings(world.ring, **settings(world, rng, kind)))
        elif what == 1:
            tls_hs.set_alpn(lsk, *rng.choice(((), (b"h2",), (b"http/1.1", b"h2"))))
        elif what == 2:
            tls_hs.set_sni(lsk, rng.choice(NAMES), rng.choice((world.ring, world.ring, 0)),
                           alpn=rng.choice(((), (b"h2",))), **settings(world, rng, kind))
        elif what == 3:
            lsk.getsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.SETTINGS_SIZE)
            tls_hs.alpn(lsk)
        else:
            lsk.listen(rng.choice((0, 1, 8, 64)))
        world.count("settings changed")
    except OSError as err:
        # What has been ended by ss -K; no identity is left; a name without settings.
        world.count(f"settings not changed: {os.strerror(err.errno)}")


class Member:
    """A listener of a group, with processes that accept."""

    def __init__(self, group, kind):
        self.group, self.world, self.rng, self.kind = group, group.world, group.rng, kind
        world, rng = self.world, self.rng
        self.pids = []
        self.late = kind != "plain" and rng.random() < 0.3
        self.lenient = kind != "strict"
        if self.lenient or self.late:
            world.put(group.place, lenient=1)
        self.sock = lsk = socket.socket()
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        lsk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, RCVTIMEO)
        lsk.bind(("127.0.0.1", group.port))
        if rng.random() < 0.5:
            lsk.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        if not self.late and kind != "plain":
            self.tls()
        lsk.listen(rng.choice((0, 1, 8, 64)))
        if self.late:
            world.sleep(rng.choice((0, 0.02, 0.2)))
            if rng.random() < 0.3:
                # In TCP's accept() at that moment, or about to be.
                self.accept("late" if kind == "strict" else kind, rng.choice(("poll", "busy")))
                world.sleep(rng.choice((0, 0.02)))
            for _ in range(50):
                if self.tls():
                    break
                time.sleep(0.001)
            else:
                # Somebody always sleeps in accept().
                for pid in self.pids:
                    kill(pid)
                self.pids = []
                self.tls()
            if not self.lenient:
                world.put(group.place, lenient=-1)
        for _ in range(rng.choice((0, 1, 1, 2))):
            self.accept()

    def tls(self):
        """TLS_HS for the first time."""
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
        except FileExistsError:
            pass
        try:
            self.sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, tls_hs.settings(
                self.world.ring, **settings(self.world, self.rng, self.kind)))
        except OSError as err:
            if not self.late:
                raise
            self.world.count(f"TLS_HS: {os.strerror(err.errno)}")
            return False
        return True

    def accept(self, kind=None, how=None):
        """One more process that accepts."""
        how = how or self.rng.choice(("sleep", "sleep", "poll", "busy"))
        if how == "busy":
            self.sock.settimeout(0)
        elif not self.pids:
            self.sock.settimeout(None)
        self.group.number += 1
        self.pids.append(spawn(self.world, "acceptor", acceptor, self.sock, kind or self.kind,
                               f"{self.group.place} {self.group.number}", how))

    def close(self):
        """Closes it, before or after those who accept."""
        first = self.rng.random() < 0.5
        if first:
            self.sock.close()
        for pid in self.pids:
            kill(pid)
        self.sock.close()
        if self.lenient:
            self.world.put(self.group.place, lenient=-1)

    def disconnect(self):
        """connect(AF_UNSPEC)."""
        addr = struct.pack("=H14x", socket.AF_UNSPEC)
        # pylint: disable-next=protected-access
        tls_hs._libc.connect(self.sock.fileno(), addr, len(addr))

    def stop_and_go(self, how):
        """It ends to listen, and perhaps begins again."""
        self.world.count(how)
        try:
            if how == "shutdown":
                self.sock.shutdown(socket.SHUT_RD)
            elif how == "disconnect":
                self.disconnect()
            else:
                tls_hs.destroy_listener(self.sock)
            self.world.sleep(self.rng.choice((0, 0.001, 0.02)))
            self.sock.listen(self.rng.choice((0, 1, 8, 64)))
            self.world.count(f"{how}, and listen() again")
        except OSError as err:
            self.world.count(f"{how}: {os.strerror(err.errno)}")


class Group:
    """Two or three listeners of a port."""

    def __init__(self, world, place, kinds):
        self.world, self.place, self.kinds = world, place, kinds
        self.rng = world.rng(f"group {place}")
        self.number = self.port = 0

    def life(self, port):
        """From the first listener of a port to the last."""
        world, rng = self.world, self.rng
        self.port = port
        members = [Member(self, rng.choice(self.kinds))]
        world.put(self.place, port=port)
        end = time.monotonic() + rng.uniform(1, 6) * world.slow
        while time.monotonic() < min(end, world.stop):
            if len(members) < rng.choice((2, 3)):
                members.append(Member(self, rng.choice(self.kinds)))
                world.count("listeners")
            member = rng.choice(members)
            what = rng.random()
            if what < 0.15:
                members.remove(member)
                member.close()
            elif what < 0.3:
                member.stop_and_go(rng.choice(("shutdown", "disconnect", "ss -K of a listener")))
            elif what < 0.4 and member.pids:
                kill(member.pids.pop(rng.randrange(len(member.pids))))
            elif what < 0.5 and len(member.pids) < 3:
                member.accept()
            elif member.kind != "plain":
                change(world, rng, member.sock, member.kind)
            world.sleep(rng.choice((0, 0.005, 0.05)))
        world.put(self.place, port=0)
        for member in members:
            member.close()


def group(world, place, kinds):
    """A group after the other."""
    ports = Ports(world, place)
    one = Group(world, place, kinds)
    while world.running():
        port = ports.next()
        one.life(port)
        ports.done(port)
        ports.check()


def single(world):
    """Accepts; closes its listener now and then with connections in every state."""
    rng = world.rng("single")
    ports = Ports(world, "single")
    world.put("single", lenient=1)
    while world.running():
        port = ports.next()
        lsk = tls_hs.listener(world.ring, addr=("127.0.0.1", port),
                              backlog=rng.choice((1, 4, 64)),
                              **(settings(world, rng, "tls") | {"flags": world.flags}))
        world.put("single", port=port)
        until = time.monotonic() + rng.uniform(0.05, 1.5) * world.slow
        while time.monotonic() < min(until, world.stop):
            if rng.random() < 0.2:
                change(world, rng, lsk, "tls")
            if not tls_hs.readable(lsk, 0.05):
                continue
            try:
                conn, family = tls_hs.accept(lsk)
            except OSError as err:
                # Reset or taken away after poll(): legal.
                world.count("accept failed")
                if err.errno == errno.EINVAL:
                    break
                continue
            serve(world, rng, conn, family, "tls")
            close(rng, conn)
        if rng.random() < 0.2:
            try:
                lsk.shutdown(socket.SHUT_RD)
                lsk.listen(8)
            except OSError:
                pass
        world.put("single", port=0)
        lsk.close()
        world.count("listeners")
        ports.done(port)
        ports.check()


def creator(world, port, kind, unix, seed):
    """Makes a listener, gives it away, and accepts itself until it is killed."""
    lsk = tls_hs.listener(world.ring, addr=("127.0.0.1", port), backlog=16,
                          **settings(world, world.rng(seed), kind))
    socket.send_fds(unix, [b"listener"], [lsk.fileno()])
    world.put("passed", port=port)
    acceptor(world, lsk, kind, seed, "poll")


def passed(world):
    """Listeners that are sent to others, whose creators die, or that are never received."""
    rng = world.rng("passed")
    ports = Ports(world, "passed")
    number = 0
    while world.running():
        number += 1
        port, kind = ports.next(), rng.choice(("tls", "strict"))
        if kind == "tls":
            world.put("passed", lenient=1)
        here, there = socket.socketpair()
        pid = spawn(world, "creator", creator, port, kind, there, f"creator {number}")
        there.close()
        here.settimeout(20 * world.slow)
        here.recv(1, socket.MSG_PEEK)
        world.sleep(rng.uniform(0, 0.3))
        kill_first = rng.random() < 0.5
        if kill_first:
            kill(pid)
        if rng.random() < 0.7:
            world.sleep(rng.uniform(0, 0.2))
            # Without the creator it is in nobody's table of files until now.
            data, fds, _, _ = socket.recv_fds(here, 100, 1)
            if data != b"listener" or len(fds) != 1:
                world.error(f"{data!r} and the files {array.array('i', fds)} have come")
            lsk = socket.socket(fileno=fds[0])
            other = spawn(world, "acceptor", acceptor, lsk, kind, f"passed {number}",
                          rng.choice(("poll", "busy")))
            world.sleep(rng.uniform(0, 0.5))
            change(world, rng, lsk, kind)
            lsk.close()
            world.sleep(rng.uniform(0, 0.2))
            kill(other)
            world.count("listeners passed on")
        else:
            world.count("listeners lost on the way")
        world.put("passed", port=0)
        here.close()
        if not kill_first:
            kill(pid)
        if kind == "tls":
            world.put("passed", lenient=-1)
        ports.done(port)
        ports.check()


__all__ = ["group", "single", "passed", "tls13"]
