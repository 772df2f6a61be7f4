#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
tlshs in the guest: keyrings, permissions, and programs that inherit listeners.

Prints TAP. The binary is $TLSHS, or that of scripts/build-userspace.
"""

import glob
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "selftests"))
import tls_hs  # noqa: E402  pylint: disable=wrong-import-position
from tls_hs_test import TESTS, eq, test  # noqa: E402  pylint: disable=wrong-import-position

NOBODY = 65534
# One that other users may run, too.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


class Env:
    """A directory with identities, and the program in a place where all may run it."""

    def __init__(self, folder):
        self.folder = folder
        os.chmod(folder, 0o755)
        self.tlshs = os.path.join(folder, "tlshs")
        shutil.copy(os.environ.get("TLSHS") or glob.glob(os.path.expanduser(
            "~/.cache/tls-handshake/userspace/*/release/tlshs"))[0], self.tlshs)
        for name in ("a.test", "b.test"):
            self.identity(name)

    def identity(self, name, stem=None):
        """Makes NAME.pem and NAME.key."""
        stem = os.path.join(self.folder, stem or name)
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-keyout", stem + ".key", "-out",
                        stem + ".pem"], check=True, capture_output=True)
        return stem + ".pem", stem + ".key"

    def files(self, name):
        """The files of an identity."""
        return [os.path.join(self.folder, name + end) for end in (".pem", ".key")]

    def run(self, *args, rc=0, **kwargs):
        """Runs tlshs: its output and what it says of errors."""
        out = subprocess.run([self.tlshs, *args], capture_output=True, text=True, check=False,
                             **kwargs)
        if out.returncode != rc:
            raise AssertionError(f"{args}: status {out.returncode}, {out.stdout}{out.stderr}")
        return out.stdout, out.stderr

    def list(self, ring):
        """keys list --json."""
        return json.loads(self.run("keys", "list", "-k", ring, "--json")[0])

    def start(self, *args, **kwargs):
        """Starts a program, to be killed."""
        return subprocess.Popen([self.tlshs, *args], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **kwargs)


def free_port():
    """A port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def connect(port, name="a.test", seconds=10):
    """A TLS connection, when there is a listener."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    end = time.monotonic() + seconds
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=seconds)
            return ctx.wrap_socket(sock, server_hostname=name)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def answer(port, name="a.test"):
    """What the server says to a connection, and its certificate."""
    with connect(port, name) as conn:
        cert = ssl.DER_cert_to_PEM_cert(conn.getpeercert(True))
        conn.sendall(b"hello\n")
        out = b""
        while chunk := conn.recv(4096):
            out += chunk
        return out.decode(), cert


# A server in a few lines: tells who and with what it is, and the client's address.
SERVER = """
import os, socket, sys
fd = int(sys.argv[1])
lsk = socket.socket(fileno=fd)
blocking = os.get_blocking(fd)
lsk.setblocking(True)
names = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NGINX")
env = {n: os.environ.get(n) for n in names}
env["LISTEN_PID"] = env["LISTEN_PID"] and str(int(env["LISTEN_PID"]) - os.getpid())
more = " ".join(sys.argv[2:])
while True:
    conn, addr = lsk.accept()
    try:
        conn.recv(100)
        conn.sendall(repr((os.getuid(), os.getgroups(), addr[0], env, blocking, more)).encode())
    except OSError:
        pass
    conn.close()
"""


def serve(env, *options, fd=3, more=(), **kwargs):
    """Starts it by "run"."""
    return env.start("run", *options, "--", PYTHON, "-c", SERVER, str(fd), *more, **kwargs)


@test
def add_list_replace(env):
    """An identity is added once, replaced in place, and listed with what it says."""
    out, _ = env.run("keys", "add", "-k", "one", *env.files("a.test"))
    assert out.startswith('added "a.test" (P-256, 1 certificate; a.test, until '), out
    _, err = env.run("keys", "add", "-k", "one", *env.files("a.test"), rc=1)
    assert "is there already" in err, err
    before = env.list("one")["keys"][0]
    eq((before["description"], before["names"], before["valid"], before["role"]),
       ("a.test", ["a.test"], True, "default"))
    pem, key = env.identity("a.test", "again")
    env.run("keys", "replace", "-k", "one", pem, key)
    after = env.list("one")["keys"][0]
    eq(after["key"], before["key"], "replaced in place")
    serial = subprocess.check_output(["openssl", "x509", "-noout", "-serial", "-in", pem],
                                     text=True).strip().split("=")[1].lower()
    eq(after["certificate_serial"], serial)
    assert serial != before["certificate_serial"]
    _, err = env.run("keys", "replace", "-k", "one", "--name", "none", pem, key, rc=1)
    assert "to be replaced" in err, err
    _, err = env.run("keys", "add", "-k", "one", pem, env.files("b.test")[1], rc=1)
    assert "belongs to none of the certificates" in err, err
    env.run("keys", "remove", "-k", "one", "a.test")
    eq(env.list("one")["keys"], [])
    # Nothing half done, no keyring made by a question.
    _, err = env.run("keys", "list", "-k", "none", rc=1)
    assert 'there is no keyring "none"' in err, err


@test
def staple(env):
    """A response that is stapled stays with the identity until another comes."""
    env.run("keys", "add", "-k", "staple", *env.files("a.test"))
    response = os.path.join(env.folder, "ocsp.der")
    # OCSPResponse { successful, responseBytes { id-pkix-ocsp-basic, OCTET STRING } }
    with open(response, "wb") as file:
        file.write(bytes.fromhex("30170a0100a012301006092b06010505073001010403") + b"\x02\x01\x05")
    env.run("keys", "staple", "-k", "staple", "a.test", response)
    _, err = env.run("keys", "staple", "-k", "staple", "none", response, rc=1)
    assert "no identity" in err, err
    _, err = env.run("keys", "staple", "-k", "staple", "a.test", env.files("a.test")[0], rc=1)
    assert "cannot be stapled" in err, err


@test
def sessions(env):
    """A keyring is the same in all of root's sessions, and nobody else's."""
    env.run("keys", "add", "-k", "sessions", *env.files("a.test"))
    serial = env.list("sessions")["key"]
    out = subprocess.check_output(["keyctl", "session", "-", env.tlshs, "keys", "id", "-k",
                                   "sessions"], text=True, stderr=subprocess.DEVNULL)
    eq(int(out), serial)
    _, err = env.run("keys", "list", "-k", "sessions", rc=1, user=NOBODY, group=NOBODY,
                     extra_groups=[])
    assert "there is no keyring" in err, err
    _, err = env.run("keys", "list", "-k", str(serial), rc=1, user=NOBODY, group=NOBODY,
                     extra_groups=[])
    assert "permission denied" in err, err
    # Each user has their own of that name.
    for path in env.files("b.test"):
        os.chmod(path, 0o644)
    _, err = env.run("keys", "add", "-k", "sessions", *env.files("b.test"), user=23456,
                     group=23456, extra_groups=[])
    assert "everybody can read it" in err, err
    assert env.list("sessions")["keys"][0]["names"] == ["a.test"]


@test
def quota(env):
    """A user's quota of key bytes is used up: the message says what to raise."""
    with open("/proc/sys/kernel/keys/maxbytes", encoding="ascii") as file:
        old = file.read()
    try:
        with open("/proc/sys/kernel/keys/maxbytes", "w", encoding="ascii") as file:
            file.write("300")
        uid = 12345
        for path in env.files("b.test"):
            os.chmod(path, 0o644)
        _, err = env.run("keys", "add", "-k", "quota", *env.files("b.test"), rc=1, user=uid,
                         group=uid, extra_groups=[])
        assert "kernel.keys.maxbytes" in err, err
    finally:
        with open("/proc/sys/kernel/keys/maxbytes", "w", encoding="ascii") as file:
            file.write(old)


@test
def ways(env):
    """Programs find their sockets by LISTEN_FDS, NGINX or a number, as another user if asked."""
    env.run("keys", "add", "-k", "ways", *env.files("a.test"))
    ring = ["-k", "ways"]
    none = dict.fromkeys(("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NGINX"))
    fds = {**none, "LISTEN_FDS": "1", "LISTEN_PID": "0", "LISTEN_FDNAMES": "tls"}
    nobody = (NOBODY, [NOBODY])
    for options, fd, user, want in (
            ((), 3, None, fds), (("--listen-fds", "--user", "nobody"), 3, nobody, fds),
            (("--nginx",), 3, None, {**none, "NGINX": "3;"}),
            (("--fd", "0", "--user", "65534"), 0, nobody, none), (("--fd", "9"), 9, None, none)):
        port = free_port()
        proc = serve(env, *ring, "--listen", f"127.0.0.1:{port}", *options, fd=fd, more=("--x",))
        try:
            got = eval(answer(port)[0])  # pylint: disable=eval-used
            uid, groups, addr, got, blocking, more = got
            eq(got, want, f"{options}")
            # nginx takes what it inherits for nonblocking.
            eq(blocking, "--nginx" not in options, f"{options}")
            eq((uid, groups), user or (os.getuid(), os.getgroups()), f"{options}")
            eq((addr, more), ("127.0.0.1", "--x"), f"{options}")
        finally:
            proc.kill()
            proc.wait()


@test
def descriptors_of_output(env):
    """No socket takes the place of stdout or stderr."""
    env.run("keys", "add", "-k", "output", *env.files("a.test"))
    where = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]
    for options in (("--fd", "1"), ("--fd", "2"), ("--fd", "0", "-l", where[1])):
        _, err = env.run("run", "-k", "output", "-l", where[0], *options, "--", "true", rc=1)
        assert "descriptors 1 and 2 are for output" in err, err
    env.run("run", "-k", "output", "-l", where[0], "-l", where[1], "--fd", "3", "--", "true")


@test
def refusals(env):
    """No client gets to the program without a handshake, and TLS 1.2 is refused."""
    env.run("keys", "add", "-k", "refusals", *env.files("a.test"))
    port = free_port()
    proc = serve(env, "-k", "refusals", "-l", f"127.0.0.1:{port}", "--alpn", "h2,http/1.1")
    try:
        answer(port)
        before = tls_hs.counters()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            eq(sock.recv(100)[:1], b"\x15", "an alert")
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            try:
                ctx.wrap_socket(sock)
            except ssl.SSLError as err:
                assert "PROTOCOL_VERSION" in str(err), err
            else:
                raise AssertionError("TLS 1.2")
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        ctx.set_alpn_protocols(["http/1.1", "h2"])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            with ctx.wrap_socket(sock) as conn:
                eq(conn.selected_alpn_protocol(), "h2")
        after = tls_hs.counters()
        eq(after["TlsHsTxUnexpectedMessage"] - before["TlsHsTxUnexpectedMessage"], 1)
        eq(after["TlsHsTxProtocolVersion"] - before["TlsHsTxProtocolVersion"], 1)
        # A client of another group only: the status says why.
        done = subprocess.run(["openssl", "s_client", "-groups", "P-384", "-connect",
                               f"127.0.0.1:{port}"], input=b"", capture_output=True, check=False)
        assert done.returncode, done.stdout
        now = tls_hs.counters()
        eq((now["TlsHsRefused"] - after["TlsHsRefused"], now["TlsHsFbGroup"] -
            after["TlsHsFbGroup"]), (1, 1), "refused by group")
        out, _ = env.run("status")
        assert "Group: it has no group in common" in out, out
        assert "plain HTTP on the port" in out and f"127.0.0.1:{port} of user" in out, out
        shown = json.loads(env.run("status", "--json")[0])
        eq(shown["counters"]["TlsHsDone"], after["TlsHsDone"])
        eq([s["local"] for s in shown["listeners"]].count(f"127.0.0.1:{port}"), 1)
        # The server accepts one after the other, so this one is not closed before it asks.
        with connect(port):
            out, _ = env.run("status")
            assert f"127.0.0.1:{port} from 127.0.0.1:" in out and "x25519" in out.lower(), out
            assert " s old, idle " in out, out
            time.sleep(1.1)
            shown = json.loads(env.run("status", "--json")[0])["connections"]
            ages = [c["age_s"] for c in shown if c["local"] == f"127.0.0.1:{port}"]
            assert ages and all(1 <= age < 60 for age in ages), ages
    finally:
        proc.kill()
        proc.wait()


@test
def worker_cannot_reach_keys(env):
    """A worker that "run --user" has started can neither use, read, list nor change keys."""
    env.run("keys", "add", "-k", "worker", *env.files("a.test"))
    listed = env.list("worker")
    ring, key = listed["key"], listed["keys"][0]["key"]
    port = free_port()
    tries = (f"for what in 'read {key}' 'pipe {key}' 'describe {key}' 'list {ring}' 'unlink {key} "
             f"{ring}' 'revoke {key}' 'link {ring} @s' 'link {key} @s' 'setperm {key} 0x3f3f3f3f' "
             f"'invalidate {key}' 'newring x {ring}' 'timeout {key} 1'; do keyctl $what && "
             "echo REACHED $what; done 2>&1; keyctl search @s keyring tlshs:worker; "
             "keyctl search @u keyring tlshs:worker; "
             f"grep -e ^{ring:08x} -e ^{key:08x} /proc/keys && echo SEEN; id -u; exit 7")
    proc = env.start("run", "-k", "worker", "-l", f"127.0.0.1:{port}", "--user", "nobody", "--",
                     "sh", "-c", tries)
    out, _ = proc.communicate(timeout=60)
    eq(proc.returncode, 7, out)
    assert "REACHED" not in out and "SEEN" not in out and "65534" in out, out
    # keyctl read gives certificates to root, who may, and the private key to nobody.
    got = subprocess.run(["keyctl", "pipe", str(key)], capture_output=True, check=True).stdout
    der = subprocess.check_output(["openssl", "x509", "-in", env.files("a.test")[0], "-outform",
                                   "DER"])
    eq(got, der)


@test
def shared_with_a_group(env):
    """Members of a group can use what is shared with it, and no more; then no longer."""
    env.run("keys", "add", "-k", "shared", *env.files("a.test"))
    env.run("keys", "share", "-k", "shared", "4242")
    env.run("keys", "add", "-k", "shared", *env.files("b.test"))
    listed = env.list("shared")
    eq((listed["permissions"], listed["gid"]), ("3f1b0900", 4242))
    member = {"user": NOBODY, "group": NOBODY, "extra_groups": [4242]}
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    eq(int(env.run("keys", "id", "-k", "shared", **member)[0]), listed["key"])
    env.run("keys", "id", "-k", "shared", rc=1, **other)
    use = (f"import sys; sys.path.insert(0, {env.folder!r}); import tls_hs\n"
           f"tls_hs.listener({listed['key']})")
    shutil.copy(os.path.join(TOP, "selftests", "tls_hs.py"), env.folder)

    def can_use(who):
        out = subprocess.run([PYTHON, "-c", use], check=False, capture_output=True,
                             text=True, **who)
        return out.returncode == 0 or out.stderr.strip().splitlines()[-1]

    eq(can_use(member), True, "the group")
    assert "Permission denied" in can_use(other), can_use(other)
    for key in listed["keys"]:
        for what in ("pipe", "revoke", "describe"):
            rc = subprocess.run(["keyctl", what, str(key["key"])], capture_output=True,
                                check=False, **member).returncode
            assert rc, f"keyctl {what} by the group"
    env.run("keys", "share", "-k", "shared", "--nobody")
    assert "Permission denied" in can_use(member), "after it was taken back"


@test
def socket_activation(env):
    """Sockets of systemd: also a connection that came before anybody was started."""
    env.run("keys", "add", "-k", "activation", *env.files("a.test"))
    with socket.socket() as lsk:
        lsk.bind(("127.0.0.1", 0))
        lsk.listen(16)
        port = lsk.getsockname()[1]
        # The client that wakes the service up has sent its ClientHello by then.
        first = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-ign_eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first.stdin.write(b"hello\n")
        first.stdin.flush()
        time.sleep(0.5)
        script = ('exec 3<&"$1" 4<&- ; shift; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web; '
                  'exec "$@"')
        proc = subprocess.Popen(
            ["bash", "-c", script, "-", str(lsk.fileno()), env.tlshs, "run", "-k", "activation",
             "--", PYTHON, "-c", SERVER, "3"], pass_fds=[lsk.fileno()])
        try:
            out, err = first.communicate(timeout=20)
            assert b"'LISTEN_FDNAMES': 'web'" in out and b"127.0.0.1" in out, out + err
            assert b"web" in answer(port)[0].encode()
        finally:
            first.kill()
            first.wait()
            proc.kill()
            proc.wait()
        # One that does not listen is refused.
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            out = subprocess.run(
                ["bash", "-c", script, "-", str(bound.fileno()), env.tlshs, "run", "-k",
                 "activation", "--", "true"], pass_fds=[bound.fileno()], capture_output=True,
                text=True, check=False)
            assert out.returncode and "no TCP socket that listens" in out.stderr, out


@test
def renewal(env):
    """The hook of a client of ACME renews the certificate of a server that runs."""
    live = os.path.join(env.folder, "live", "a.test")
    os.makedirs(live)

    def renew():
        pem, key = env.identity("a.test", "renewed")
        os.replace(pem, os.path.join(live, "fullchain.pem"))
        os.replace(key, os.path.join(live, "privkey.pem"))
        with open(os.path.join(live, "fullchain.pem"), encoding="ascii") as file:
            return file.read()

    old = renew()
    env.run("keys", "load", "-k", "renewal", os.path.dirname(live))
    port = free_port()
    proc = serve(env, "-k", "renewal", "-l", f"127.0.0.1:{port}")
    try:
        eq(answer(port)[1], old)
        new = renew()
        assert new != old
        hook = {"env": {**os.environ, "RENEWED_LINEAGE": live, "RENEWED_DOMAINS": "a.test"}}
        out, _ = env.run("deploy-hook", "-k", "renewal", **hook)
        assert out.startswith('replaced "a.test"'), out
        eq(answer(port)[1], new)
    finally:
        proc.kill()
        proc.wait()
    _, err = env.run("deploy-hook", rc=1)
    assert "RENEWED_LINEAGE" in err, err


@test
def ticket_keys(env):
    """Rotation keeps old keys for as long as their tickets are accepted, and no more of them."""
    env.run("keys", "add", "-k", "tickets", *env.files("a.test"))
    copy = os.path.join(env.folder, "ticket.key")
    env.run("keys", "ticket-key", "new", "-k", "tickets", "--write", copy)
    eq((os.path.getsize(copy), os.stat(copy).st_mode & 0o777), (80, 0o600))
    env.run("keys", "ticket-key", "new", "-k", "other", "--from", copy)
    _, err = env.run("keys", "ticket-key", "new", "-k", "other", "--from", env.files("a.test")[0],
                     rc=1)
    assert "80 or 48" in err, err
    for count in (2, 3, 3):
        env.run("keys", "ticket-key", "rotate", "-k", "tickets")
        keys = [k for k in env.list("tickets")["keys"] if k["type"] == "tls_ticket"]
        eq(len(keys), count)
        eq([k["role"] for k in keys], [""] * (count - 1) + ["for new tickets"])
    with open("/proc/keys", encoding="ascii") as file:
        left = {int(line.split()[0], 16): line.split()[3] for line in file}
    eq(left[keys[-1]["key"]], "perm", "the new one")
    assert left[keys[-2]["key"]] != "perm", "the old one ends"


@test
def iproute2(env):
    """What ss of scripts/iproute2 shows of a listener and of a connection."""
    ss = os.environ.get("SS", "")
    if not os.access(ss, os.X_OK):
        raise unittest.SkipTest("no ss with our patch: scripts/iproute2")

    def show(*options):
        done = subprocess.run([ss, *options, "-tnieOH", "sport", "=", str(port)], check=True,
                              capture_output=True, text=True)
        for line in done.stdout.splitlines():
            print(f"# {' '.join(line.split())}")
        return done.stdout

    env.run("keys", "add", "-k", "ss", *env.files("a.test"))
    port = free_port()
    proc = serve(env, "-k", "ss", "-l", f"127.0.0.1:{port}")
    try:
        with connect(port), socket.create_connection(("127.0.0.1", port)) as silent:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                out = show("-l")
                if "hs_silent:1" in out and "hs_ready:0" in out:
                    break
                time.sleep(0.1)
            for word in ("tcp-ulp-tls", "hs_ready:0", "hs_silent:1", "hs_waiting:0", "hs_limit:"):
                assert word in out, out
            time.sleep(1.1)
            out = show()
            assert re.search(r"tcp-ulp-tls version: 1\.3 cipher: \S+ rxconf: sw txconf: sw", out), out
            assert re.search(r" hs_group:\w+ hs_signature:ecdsa_secp256r1_sha256 "
                             r"hs_duration:\d+\.\d{3}ms hs_age:[1-9]\d*s", out), out
            silent.close()
    finally:
        proc.kill()
        proc.wait()


@test
def log(env):
    """Tracepoints as a log."""
    if not os.path.exists("/sys/kernel/tracing/events/tls_handshake"):
        raise unittest.SkipTest("no trace events")
    env.run("keys", "add", "-k", "log", *env.files("a.test"))
    port = free_port()
    proc = serve(env, "-k", "log", "-l", f"127.0.0.1:{port}")
    reader = env.start("log", "--count", "4")
    try:
        assert "as they come" in reader.stdout.readline()
        answer(port)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            sock.recv(100)
        out, _ = reader.communicate(timeout=20)
        assert "handshake complete: TLS_" in out and "alert 10 sent: no TLS" in out, out
        assert f"127.0.0.1:{port} from 127.0.0.1:" in out and " for a.test: handshake" in out, out
        assert not [d for d in os.listdir("/sys/kernel/tracing/instances")
                    if d.startswith("tlshs")], "the instance is gone"
    finally:
        reader.kill()
        reader.wait()
        proc.kill()
        proc.wait()


def main():
    """Runs all, or those named."""
    names = sys.argv[1:]
    tests = [t for t in TESTS if not names or t.__name__ in names]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        env = Env(folder)
        for i, func in enumerate(tests, 1):
            try:
                func(env)
                print(f"ok {i} {func.__name__}", flush=True)
            except unittest.SkipTest as why:
                print(f"ok {i} {func.__name__} # SKIP {why}", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
                print(f"not ok {i} {func.__name__}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
