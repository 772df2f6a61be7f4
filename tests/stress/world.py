# SPDX-License-Identifier: GPL-2.0
"""
What the processes of the stress test share: time, where the servers are, and a
pipe on which each says what it has seen.
"""

import errno
import mmap
import os
import random
import signal
import socket
import struct
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

ABORT = struct.pack("ii", 1, 0)

# Servers have ports outside of the range of clients, so that whatever is left
# of them can be told apart.
PORTS = range(20000, 30000)

# Where clients may go: a listener that comes and goes, a group of listeners
# without fallback, one of different listeners, and listeners that get around.
PLACES = ("single", "strict", "mixed", "passed")
_PLACE = struct.Struct("=III")

# What a server sends that has got a connection without TLS, and the kind of its listener.
PLAIN = b"PLAIN TEXT from "


class World:
    """State of a run."""

    def __init__(self, args, flags, ring):
        self.seed, self.clients, self.flags, self.ring = args.seed, args.clients, flags, ring
        self.slow = 1.0
        self.slow = args.slow or self.slowness(args.clients)
        self.seconds = args.seconds * min(self.slow, 4)
        self.stop = time.monotonic() + self.seconds
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.pipe, self.out = os.pipe()
        os.set_blocking(self.pipe, False)
        self.counts, self.errors, self.text = {}, {}, b""

    def slowness(self, clients):
        """How much longer than usual things take in an emulated machine that checks itself."""
        with tls_hs.listener(self.ring, flags=self.flags) as lsk:
            for _ in range(3):
                start = time.monotonic()
                with socket.create_connection(lsk.getsockname(), 30) as sock:
                    tls13.Client(sock, tls13.Hello()).handshake()
                    tls_hs.accept(lsk, 30)[0].close()
                took = time.monotonic() - start
        # Each client has half a second on a usual machine.
        return min(50, max(1, took * clients / 0.25))

    def running(self):
        """Whether there is time left."""
        return time.monotonic() < self.stop

    def rng(self, name):
        """Random numbers of a process."""
        return random.Random(f"{self.seed} {name}")

    def sleep(self, seconds):
        """Sleeps that long on a usual machine, but not beyond the end."""
        time.sleep(max(0, min(seconds * self.slow, self.stop - time.monotonic())))

    # What has been seen.
    def _say(self, kind, what):
        text = f"{kind}{what}".replace("\n", " | ").encode("ascii", "replace")[:2000]
        os.write(self.out, text + b"\n")

    def count(self, what):
        """Counts an event."""
        self._say("c", what)

    def error(self, what):
        """What must not be."""
        self._say("e", what)

    def listen_to_all(self):
        """Reads what the others have said."""
        try:
            while data := os.read(self.pipe, 1 << 16):
                *lines, self.text = (self.text + data).split(b"\n")
                for line in lines:
                    into = self.errors if line[:1] == b"e" else self.counts
                    what = line[1:].decode()
                    if into is self.errors and what not in into:
                        print(f"# error: {what}", flush=True)
                    into[what] = into.get(what, 0) + 1
        except BlockingIOError:
            pass

    # Places.
    def look(self, place):
        """(port, number of listeners that may give plain text, changes of these)."""
        return _PLACE.unpack_from(self.shared, PLACES.index(place) * _PLACE.size)

    def put(self, place, port=None, lenient=0):
        """Changes a place; only the process that serves it does."""
        was_port, was_lenient, changes = self.look(place)
        _PLACE.pack_into(self.shared, PLACES.index(place) * _PLACE.size,
                         was_port if port is None else port, was_lenient + lenient, changes + 1)


class Ports:
    """The ports of one server, one after the other, and what is left of them."""

    def __init__(self, world, place):
        self.world, self.place = world, place
        share = len(PORTS) // len(PLACES)
        self.ports = PORTS[PLACES.index(place) * share:][:share]
        self.number, self.old = 0, []

    def next(self):
        """A port that is free."""
        self.number += 1
        return self.ports[self.number % len(self.ports)]

    def done(self, port):
        """Nobody listens there any more."""
        self.old.append((port, time.monotonic()))

    def check(self, seconds=8.0):
        """Ports that were left that long ago have no connections."""
        limit = time.monotonic() - seconds * self.world.slow
        due = [port for port, when in self.old if when < limit]
        if not due:
            return
        self.old = [(port, when) for port, when in self.old if when >= limit]
        left = sockets(due)
        if left:
            self.world.error(f"{self.place}: connections are left: {left}")


def sockets(ports):
    """(local address, remote address, state, queues) of connections with such a local port."""
    out = []
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            words = line.split()
            if int(words[1].split(":")[1], 16) in ports and words[3] not in ("06", "0A"):
                out.append((*words[1:5], "inode", words[9]))
    return out


def spawn(world, name, func, *args):
    """Another process that runs the function; exceptions are errors."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        func(world, *args)
    except MemoryError:
        world.count("out of memory")
    except BaseException as err:  # pylint: disable=broad-except
        where = [f"{os.path.basename(f.filename)}:{f.lineno}"
                 for f in traceback.extract_tb(err.__traceback__)]
        world.error(f"{name}: {type(err).__name__}: {err} at {' '.join(where)}")
    finally:
        os._exit(0)


def kill(pid):
    """Ends a process and waits for that."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)


def abort(sock):
    """Lets close() send a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)


def setting(path, value):
    """Writes a sysctl; what it was, or None if there is none."""
    path = os.path.join("/proc/sys", path)
    try:
        # Writes count at the beginning of the file only.
        with open(path, encoding="ascii") as file:
            old = file.read().split()[0]
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))
        return old
    except FileNotFoundError:
        return None
    except OSError as err:
        if err.errno == errno.EINVAL:
            return None
        raise
