# SPDX-License-Identifier: GPL-2.0
"""What the tests of listeners share: TAP, clients that stop somewhere, an acceptor."""

import contextlib
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

# pylint: disable=wrong-import-position
import tls13  # noqa: E402
import tls_hs  # noqa: E402

CACHE = os.environ.get("TLS_HS_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tls-handshake")
ABORT = struct.pack("ii", 1, 0)
TESTS = []


class Failed(Exception):
    """What is seen is not what it should be."""


class Skip(Exception):
    """There is nothing to be tested here."""


def check(condition, text):
    """Fails the test unless the condition holds."""
    if not condition:
        raise Failed(text)


def diag(text):
    """A line of diagnostics."""
    print(f"# {text}", flush=True)


def test(name, *args, seconds=30, full=False):
    """Registers a function, which is called with the environment and args."""
    def add(func):
        TESTS.append((f"{func.__module__}: {name}", func, args, seconds, full))
        return func
    return add


class Env:
    """What all tests need: identities, and how slow the machine is."""

    def __init__(self, thread=False):
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
        tls_hs.join_session()
        self.flags = tls_hs.F_THREAD if thread else 0
        self.ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
        self.slow = 1.0
        with self.listen() as lsk:
            for _ in range(3):
                start = time.monotonic()
                with connect(lsk, 60) as sock:
                    tls13.Client(sock, tls13.Hello()).handshake()
                    tls_hs.accept(lsk, 60)[0].close()
                took = time.monotonic() - start
        self.slow = min(40.0, max(1.0, took / 0.05))

    def listen(self, flags=0, ring=None, **kwargs):
        """A listener."""
        return tls_hs.listener(ring or self.ring, flags=flags | self.flags, **kwargs)

    def seconds(self, value):
        """As long as that on a usual machine."""
        return value * self.slow


def run(env, patterns, full):
    """Runs the tests with one of the patterns in their name; the number that have failed."""
    tests = [t for t in TESTS if (full or not t[4]) and
             (not patterns or any(p in t[0] for p in patterns))]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    if env.slow > 1:
        diag(f"{env.slow:.1f} times as slow as usual")
    failed = 0

    def late(*_):
        raise Failed("no end in sight")

    signal.signal(signal.SIGALRM, late)
    for number, (name, func, args, seconds, _) in enumerate(tests, 1):
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, env.seconds(seconds))
        bad = skipped = None
        try:
            func(env, *args)
        except Skip as err:
            skipped = str(err)
        except Failed as err:
            bad = str(err)
        except Exception as err:  # pylint: disable=broad-except
            where = traceback.extract_tb(err.__traceback__)
            bad = f"{type(err).__name__}: {err} at {[f.lineno for f in where]}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        if bad:
            failed += 1
            for line in bad.splitlines():
                diag(line)
        what = f"SKIP {skipped}" if skipped else f"{time.monotonic() - start:.1f} s"
        print(f"{'not ok' if bad else 'ok'} {number} - {name} # {what}", flush=True)
    return failed


# --- Processes -------------------------------------------------------------------

@contextlib.contextmanager
def child(func, *args):
    """Another process that runs the function again and again, until the block ends."""
    pid = os.fork()
    if not pid:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0)
            parent = os.getppid()
            while os.getppid() == parent:
                func(*args)
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(1)
    try:
        yield pid
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            pid = 0
            raise Failed(f"the other process has ended, {status}")
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Acceptor:
    """A process that accepts, says "served" to those with TLS and counts the others."""

    def __init__(self, lsk):
        self.lsk = lsk
        self.count, self.other = os.pipe()
        self.pid = 0

    def __enter__(self):
        self.pid = os.fork()
        if not self.pid:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self.loop()
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(self.other)
        return self

    def loop(self):
        """What the process does."""
        parent = os.getppid()
        poll = select.poll()
        poll.register(self.lsk, select.POLLIN)
        while os.getppid() == parent:
            if not poll.poll(500):
                continue
            try:
                conn, addr = self.lsk.accept()
            except OSError:
                # Reset or evicted after poll().
                continue
            tls = tls_hs._sockaddr_family(addr) == tls_hs.AF_TLS  # pylint: disable=protected-access
            os.write(self.other, b"t" if tls else b"p")
            try:
                conn.setblocking(False)
                conn.send(b"served" if tls else b"PLAIN TEXT")
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            conn.close()

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.set_blocking(self.count, False)
        seen = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.count, 65536):
                seen += data
        os.close(self.count)
        self.tls, self.plain = seen.count(b"t"), seen.count(b"p")


class Flood:
    """The program flood, while the block runs."""

    def __init__(self, env, lsk, rate, data=b"", burst=0, keep=4000):
        port = lsk.getsockname()[1]
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(data)
        self.file.flush()
        self.rate = int(max(1, rate / env.slow)) if rate else 0
        self.command = [os.path.join(CACHE, "user/flood"), "-r", str(self.rate), "-b", str(burst),
                        "-k", str(keep), "-f", self.file.name, str(port)]
        self.text = ""

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failed("flood does not run: tests/build")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.text = self.process.communicate(timeout=20)[0].strip()
        finally:
            self.process.kill()
            self.process.wait()
        self.file.close()

    def reached(self):
        """How many there were in a second."""
        words = self.text.split()
        return int(words[0]) * 1000 / max(1, int(words[3]))


# --- Clients ---------------------------------------------------------------------

def connect(lsk, seconds=5.0, rst=False):
    """A connected socket."""
    addr = lsk if isinstance(lsk, tuple) else lsk.getsockname()
    sock = socket.create_connection(addr, seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if rst:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    return sock


def attempt(lsk, seconds=2.0, **hello):
    """A client that is served by an Acceptor; (seconds that it took, None or why not)."""
    start = time.monotonic()
    try:
        with connect(lsk, seconds) as sock:
            client = tls13.Client(sock, tls13.Hello(**hello))
            client.handshake()
            if client.recv() != b"served":
                return time.monotonic() - start, "not what the server sends"
            return time.monotonic() - start, None
    except (OSError, ValueError, tls13.Closed, tls13.AlertReceived) as err:
        return time.monotonic() - start, f"{type(err).__name__}: {err}"


def served(env, lsk, n, gap=0.0, seconds=2.0):
    """The times of n clients that are served, and what happens to others, of which 3 are enough."""
    times, bad = [], []
    while len(times) + len(bad) < n and len(bad) < 3:
        took, why = attempt(lsk, env.seconds(seconds))
        if why:
            bad.append(why)
        else:
            times.append(took)
        time.sleep(gap)
    times.sort()
    return times, bad


STAGES = ("silent", "half a hello", "flight", "done", "fallen back")


class Peer:
    """A client that has stopped at a stage."""

    def __init__(self, env, lsk, stage, name="ecdsa.test"):
        self.stage = stage
        self.seconds = env.seconds(5)
        versions = (0x0303,) if stage == "fallen back" else (0x0304,)
        self.sock = connect(lsk, self.seconds)
        self.client = tls13.Client(self.sock, tls13.Hello(name=name, versions=versions))
        self.record = self.client.hello.record()
        self.sent = b""
        if stage == "half a hello":
            self.sent = self.record[:60]
            self.sock.sendall(self.sent)
        elif stage == "flight":
            self.client.send_hello()
            self.client.server_hello()
            self.client.server_flight()
            self.sent = self.record
        elif stage == "done":
            self.client.handshake()
            self.sent = self.record
        elif stage == "fallen back":
            self.sent = self.record
            self.sock.sendall(self.record)

    def finish(self):
        """Does what is left of the handshake."""
        client = self.client
        if self.stage == "silent":
            client.handshake()
        elif self.stage == "half a hello":
            client.transcript += client.hello.message()
            self.sock.sendall(self.record[60:])
            client.server_hello()
            client.server_flight()
        if self.stage in ("half a hello", "flight"):
            self.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()

    def rest(self, seconds):
        """What comes, up to an end, which is FIN, RST or None."""
        got, end = b"", time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return got, None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return got, None
            except OSError:
                return got, "RST"
            if not data:
                return got, "FIN"
            got += data

    def ended(self, seconds):
        """Fails unless the server ends the connection, without a word in plain text."""
        got, end = self.rest(seconds)
        check(not plain(got), f"{self.stage}: plain text {got[:30]!r}")
        check(end, f"{self.stage}: the connection is still there")
        return end

    def close(self, rst=False):
        """Closes it."""
        if rst:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.sock.close()


def destroy(lsk, peer=None):
    """ss -K of the listener, or of the server's end of a client's connection."""
    if peer:
        tls_hs.destroy(lsk.family, lsk.getsockname(), peer.sock.getsockname())
        return
    tls_hs.destroy_listener(lsk)


def plain(data):
    """Whether that is something else than records of TLS."""
    return bool(data) and not (data[0] in (20, 21, 22, 23) and data[1:2] in (b"", b"\3"))


def exchange(conn, peer):
    """Data goes both ways through an accepted TLS connection."""
    peer.sock.settimeout(peer.seconds)
    conn.settimeout(peer.seconds)
    peer.client.send(b"question")
    got = conn.recv(100)
    check(got == b"question", f"the server has read {got!r}")
    conn.sendall(b"answer")
    got = peer.client.recv()
    check(got == b"answer", f"the client has read {got!r}")


def accept_all(lsk, seconds=0.3):
    """All that accept() has, with families."""
    out = []
    end = time.monotonic() + seconds
    while tls_hs.readable(lsk, max(0, end - time.monotonic())):
        try:
            out.append(tls_hs.accept(lsk, 0))
        except (OSError, TimeoutError):
            pass
    return out


def sockets(port):
    """States of the sockets with that local port, but for TIME_WAIT, listeners, and LAST_ACK:
    both ends have closed it, and a FIN that was lost for want of memory is TCP's to send again.
    """
    out = []
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            words = line.split()
            if int(words[1].split(":")[1], 16) == port and words[3] not in ("06", "09", "0A"):
                out.append(words[3])
    return out


def nothing_left(env, port, seconds=3):
    """Fails unless all connections of a server's port are gone within that time."""
    end = time.monotonic() + env.seconds(seconds)
    while True:
        left = sockets(port)
        if not left:
            return
        if time.monotonic() > end:
            raise Failed(f"connections are left, in the states {left}")
        time.sleep(0.02)


def serves(env, lsk, n=2):
    """Fails unless the listener does handshakes."""
    with Acceptor(lsk):
        _, bad = served(env, lsk, n)
    check(not bad, f"the listener does not serve afterwards: {bad}")
