#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
The target of NVMe/TCP with pre-shared keys whose handshakes the kernel does, with the real
programs: nvme-cli connects the kernel's host, whose handshakes are tlshd's.

    tests/nvmet/run.py [--full] [NAME...]

Runs as root in a guest with NVMe and a Debian root (make test-nvmet).  Prints TAP.
"""

import base64
import hashlib
import os
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../nfsd"))
import world  # noqa: E402
import tls13  # noqa: E402
import tls_hs  # noqa: E402
from tls_hs_test import eq, test  # noqa: E402
from world import (  # noqa: E402
    KERNEL, P384, ROOT, SERVER, USER, Failed, Grown, ends, put, repeated_digest, wait_for)

CONFIG = "/sys/kernel/config"
NVMET = f"{CONFIG}/nvmet"
TIMEOUT = "/sys/module/nvmet_tcp/parameters/tls_handshake_timeout"
PORT = 4420
HOST = "nqn.2014-08.org.nvmexpress:uuid:9d2f0e08-6c4c-4d0b-8f2e-0a4f8f8f8f8f"
HOST_ID = "9d2f0e08-6c4c-4d0b-8f2e-0a4f8f8f8f8f"
SUBSYSTEM = "nqn.2026-01.org.example:subsystem"
SIZE = 1 << 30
DECRYPT_ERROR = 51


def own_identity(name, version="NVMe1R01"):
    """The identity of a PSK that the test's own clients have; the digest may be anything.  The
    subsystem is another one: the kernel's host takes any PSK with its own and that of the
    subsystem, be it that of another network namespace."""
    return f"{version} {HOST} nqn.2026-01.org.example:{name} AAAA="


OTHER = own_identity("other").encode()


def nvme_keyring():
    """The serial number of .nvme."""
    with open("/proc/keys", encoding="ascii", errors="replace") as f:
        return int(re.search(r"^([0-9a-f]+) .* keyring +\.nvme: ", f.read(), re.M)[1], 16)


class Target:
    """A target whose namespace is a file in memory, and a host."""

    def __init__(self):
        tls_hs.join_session()
        # Where they are modules.
        subprocess.run(("modprobe", "-qa", "nvme-tcp", "nvmet-tcp"), check=False)
        self.server, self.client = world.Namespace("server"), world.Namespace("client")
        world.connect(self.server, self.client)
        os.makedirs(f"{ROOT}/sys", exist_ok=True)
        self.client.run("mount", "-t", "sysfs", "none", f"{ROOT}/sys")
        self.ring = nvme_keyring()
        self.other = os.urandom(32)
        self.add(self.server, OTHER.decode(), self.other)
        self.share()
        if not os.path.isdir(NVMET):
            world.run("mount", "-t", "configfs", "none", CONFIG)
        self.disk = "/run/nvmet.disk"
        self.subsystem()
        self.port()

    def add(self, side, identity, key):
        """Adds a PSK in a network namespace; its serial number."""
        with side.net():
            return tls_hs.add_key("psk", identity, key, self.ring)

    def share(self):
        """nvme-cli makes a PSK for SHA-256 and gives it to both sides."""
        words = ("--subsysnqn", SUBSYSTEM, "--hostnqn", HOST, "--identity", "1", "--insert")
        key = self.client.root("/usr/sbin/nvme", "gen-tls-key", "--hmac", "1", *words)
        key = re.search(r"NVMeTLSkey-1:\S+", key)[0]
        self.server.root("/usr/sbin/nvme", "check-tls-key", "--keydata", key, *words)

    def subsystem(self):
        """What is exported, and to whom."""
        with open(self.disk, "wb") as f:
            f.truncate(SIZE)
        base = f"{NVMET}/subsystems/{SUBSYSTEM}"
        os.makedirs(f"{base}/namespaces/1")
        os.mkdir(f"{NVMET}/hosts/{HOST}")
        os.symlink(f"{NVMET}/hosts/{HOST}", f"{base}/allowed_hosts/{HOST}")
        put(f"{base}/namespaces/1/device_path", self.disk)
        put(f"{base}/namespaces/1/buffered_io", "1")
        put(f"{base}/namespaces/1/enable", "1")

    def port(self):
        """Where, by TLS only: in the server's network namespace."""
        base = f"{NVMET}/ports/1"
        os.mkdir(base)
        for name, value in (("trtype", "tcp"), ("adrfam", "ipv4"), ("traddr", SERVER),
                            ("trsvcid", str(PORT)), ("tsas", "tls1.3"), ("treq", "required")):
            put(f"{base}/addr_{name}", value)
        self.listen()

    def listen(self):
        """Opens the port."""
        with self.server.net():
            os.symlink(f"{NVMET}/subsystems/{SUBSYSTEM}",
                       f"{NVMET}/ports/1/subsystems/{SUBSYSTEM}")

    @staticmethod
    def deaf():
        """Closes the port."""
        os.unlink(f"{NVMET}/ports/1/subsystems/{SUBSYSTEM}")

    def agent(self, agent):
        """Who does the server's handshakes."""
        with self.server.net():
            world.psk_agent_set(agent)

    def start_tlshd(self, side, env=None):
        """Starts tlshd on one side."""
        side.start_tlshd(keyrings="keyrings= .nvme", env=env)

    def connect(self, *words):
        """Connects the host; the block device."""
        self.client.root("/usr/sbin/nvme", "connect", "-t", "tcp", "-a", SERVER, "-s", str(PORT),
                         "-n", SUBSYSTEM, "-q", HOST, "-I", HOST_ID, "--tls",
                         "--nr-io-queues=2", "--ctrl-loss-tmo=0", *words, timeout=90)
        disks = wait_for(lambda: [name for name in os.listdir("/sys/block")
                                  if name.startswith("nvme")])
        if not disks or not wait_for(lambda: os.path.exists(f"/dev/{disks[0]}")):
            raise Failed(f"no block device: {disks}")
        return f"/dev/{disks[0]}"

    def disconnect(self):
        """Disconnects the host, if it is connected."""
        self.client.root("/usr/sbin/nvme", "disconnect", "-n", SUBSYSTEM, check=False)
        if not wait_for(lambda: not any(name.startswith("nvme")
                                        for name in os.listdir("/sys/block"))):
            raise Failed("the block device stays")

    def close(self):
        """Ends everything."""
        self.disconnect()
        self.deaf()
        os.rmdir(f"{NVMET}/ports/1")
        base = f"{NVMET}/subsystems/{SUBSYSTEM}"
        put(f"{base}/namespaces/1/enable", "0")
        os.rmdir(f"{base}/namespaces/1")
        os.unlink(f"{base}/allowed_hosts/{HOST}")
        os.rmdir(base)
        os.rmdir(f"{NVMET}/hosts/{HOST}")
        self.client.close()
        self.server.close()


def io(t, disk):
    """Writes to the disk and reads with nothing cached; both ends see the same."""
    size = t.size
    seed = os.urandom(1 << 20)
    with open(disk, "wb", buffering=0) as f:
        for _ in range(size >> 20):
            f.write(seed)
        os.fsync(f.fileno())
    put("/proc/sys/vm/drop_caches", "3")
    want = repeated_digest(seed, size >> 20)
    for path, where in ((disk, "read by the host"), (t.disk, "on the target")):
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as f:
            for _ in range(size >> 20):
                digest.update(f.read(1 << 20))
        eq(digest.hexdigest(), want, where)


def key_of(disk):
    """The serial number of the host's PSK that a connection has, as sysfs tells."""
    controller = re.search(r"nvme\d+", disk)[0]
    with open(f"/sys/class/nvme/{controller}/tls_key", encoding="ascii") as f:
        return int(f.read(), 16)


def description(serial):
    """The description of a key."""
    with open("/proc/keys", encoding="ascii", errors="replace") as f:
        return re.search(rf"^{serial:08x} .* psk +(.*): \d+$", f.read(), re.M)[1]


def hello(t, identity=OTHER, key=None, **kwargs):
    """A ClientHello with a PSK."""
    out = tls13.Hello(**dict({"name": None}, **kwargs))
    return out.offer_external(identity, t.other if key is None else key)


def waiting(t):
    """A connection on which the target waits for a ClientHello."""
    with t.client.net():
        return world.tcp((SERVER, PORT))


def alerts(t, client_hello):
    """The alerts to a ClientHello until the target ends the connection."""
    tls = tls13.Client(waiting(t), client_hello)
    tls.send_hello()
    out = []
    while True:
        try:
            tls.read_record()
        except tls13.AlertReceived as alert:
            out.append(alert.desc)
        except (tls13.Closed, ConnectionResetError):
            return out


# A PDU that asks for a connection, and the answer: NVMe/TCP transport specification, 3.6.2.2 and
# 3.6.2.3.
ICREQ = struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, 0, 0, 0)


def is_response(data):
    """Is it the answer?"""
    kind, _, hlen, _, plen = struct.unpack("<BBBBI", data[:8])
    eq((kind, hlen, plen), (1, 128, 128), "ICResp")


def peer(t, early=b"", **kwargs):
    """A client after its handshake."""
    tls = tls13.Client(waiting(t), hello(t, **kwargs))
    tls.handshake(early)
    eq(tls.resumed, True, "the PSK was used")
    return tls


def served(t):
    """A client is served."""
    tls = peer(t)
    tls.send(ICREQ)
    is_response(tls.recv_exact(128))
    tls.sock.close()


@test
def unpatched(t):
    """as long as nothing is set all is left to user space, as ever"""
    with Grown(t, TlsHsDone=0, TlsHsFallback=0):
        eq(alerts(t, hello(t)), [], "alerts without tlshd")
        t.start_tlshd(t.server)
        disk = t.connect()
        io(t, disk)
        t.disconnect()
        t.server.stop_tlshd()


@test
def kernel(t):
    """nvme-cli connects and I/O is right, with no tlshd in the target's namespace"""
    t.agent(KERNEL)
    eq(t.server.has_listener(), False, "somebody listens for upcalls")
    with Grown(t, TlsHsDone=3, TlsHsFallback=0):
        disk = t.connect()
        eq(description(key_of(disk)).split()[:3], ["NVMe1R01", HOST, SUBSYSTEM], "PSK")
        io(t, disk)
        t.disconnect()


def session(key):
    """A PSK for SHA-384 as openssl s_client reads it: OpenSSL's SSL_SESSION, with the version of
    TLS, the cipher suite, no ID, and the key."""
    def der(tag, data):
        return bytes((tag, len(data))) + data

    body = b"".join(der(tag, data) for tag, data in (
        (2, b"\1"), (2, b"\3\4"), (4, b"\x13\2"), (4, b""), (4, key)))
    text = base64.b64encode(der(0x30, body)).decode()
    name = "SSL SESSION PARAMETERS"
    return f"-----BEGIN {name}-----\n{text}\n-----END {name}-----\n"


@test
def sha384(t):
    """a PSK for SHA-384, with OpenSSL: the tlshd of Debian 13 takes all to be for SHA-256"""
    identity, key = own_identity("sha384", "NVMe1R02"), os.urandom(48)
    t.add(t.server, identity, key)
    path = "/run/nvmet.session"
    put(path, session(key))
    command = t.client.enter("openssl", "s_client", "-connect", f"{SERVER}:{PORT}", "-quiet",
                             "-psk_session", path, "-psk_identity", identity, "-tls1_3")
    with Grown(t, TlsHsDone=1, TlsHsFallback=0), \
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL) as process:
        try:
            process.stdin.write(ICREQ)
            process.stdin.flush()
            if not tls_hs.readable(process.stdout, 10):
                raise AssertionError("no answer")
            is_response(process.stdout.read(128))
        finally:
            process.kill()


@test
def netlink(t):
    """psk-agent is set by itself, for each namespace, with CAP_NET_ADMIN"""
    def get():
        with t.server.net():
            return world.server_get() + (world.psk_agent_get(),)

    eq(get(), (0, world.REQUEST, KERNEL), "server-get")
    eq(world.psk_agent_get(), USER, "another namespace")
    eq(tls_hs.error(t.agent, 2), "ERANGE", "an agent that there is not")
    certs = world.Certificates()
    certs.make("server", f"IP:{SERVER}")
    ring = tls_hs.new_keyring(certs.identity("server"))
    with t.server.net():
        world.server_set(ring, world.NONE)
        eq(get(), (ring, world.NONE, KERNEL), "with a keyring")
        world.psk_agent_set(USER)
        eq(get(), (ring, world.NONE, USER), "without the other")
        world.psk_agent_set(KERNEL)
        world.server_set(0)
        eq(get(), (0, world.REQUEST, KERNEL), "without the keyring")
        eq(tls_hs.error(world.handshake_genl, world.CMD_SERVER_SET), "EINVAL", "nothing")
        eq(tls_hs.error(world.peer_auth_set, world.NONE), "EINVAL", "peer-auth alone")
    world.refused_without_net_admin(t.server, "psk_agent_set(0)")
    served(t)


@test
def early(t):
    """a PDU follows the client's Finished in the same segment"""
    tls = peer(t, early=ICREQ)
    is_response(tls.recv_exact(128))
    tls.sock.close()


@test
def key_update(t):
    """KeyUpdates of the client"""
    with Grown(t, TlsRxRekeyReceived=3, TlsRxRekeyOk=3):
        tls = peer(t)
        for _ in range(3):
            tls.send(tls13.message(tls13.KEY_UPDATE, b"\0"), tls13.HANDSHAKE)
            tls.tx = tls.tx.updated()
        tls.send(ICREQ)
        is_response(tls.recv_exact(128))
        tls.sock.close()


@test
def wrong_binder(t):
    """a client without the key is told so, and nobody else is asked"""
    with Grown(t, TlsHsDone=0, TlsHsFallback=0, TlsHsTxDecryptError=1):
        eq(alerts(t, hello(t, key=os.urandom(32))), [DECRYPT_ERROR], "alerts")


@test
def malformed(t):
    """ClientHellos that are none, and others are served"""
    good = hello(t).record()
    for data in (ICREQ, b"GET / HTTP/1.0\r\n\r\n", good[:40] + b"\xff" * (len(good) - 40),
                 tls13.record(tls13.ALERT, b"\x02\x28")):
        sock = waiting(t)
        sock.sendall(data)
        ends(sock)
        served(t)


@test
def fallback(t):
    """clients that the kernel cannot serve: tlshd does it, and without it they fail"""
    cases = (({"identity": OTHER + b"?"}, "TlsHsFbPsk"),
             ({"groups": (P384,), "shares": ()}, "TlsHsFbGroup"))
    for kwargs, reason in cases:
        with Grown(t, **{"TlsHsDone": 0, "TlsHsFallback": 1, reason: 1}):
            eq(alerts(t, hello(t, **kwargs)), [], f"alerts, {kwargs}")
    # Without psk_dhe_ke.
    with Grown(t, TlsHsDone=0, TlsHsFallback=1):
        eq(alerts(t, hello(t).set(tls13.PSK_MODES, b"\1\0")), [], "alerts, psk_ke")

    t.client.stop_tlshd()
    t.client.put("etc/gnutls.conf", world.NO_COMMON_GROUP)
    t.start_tlshd(t.client, env={"GNUTLS_SYSTEM_PRIORITY_FILE": "/etc/gnutls.conf"})
    t.start_tlshd(t.server)
    try:
        with Grown(t, TlsHsDone=0, TlsHsFallback=3, TlsHsFbGroup=3):
            io(t, t.connect())
            t.disconnect()
    finally:
        t.server.stop_tlshd()
        t.client.stop_tlshd()
        t.start_tlshd(t.client)


@test
def another_namespace(t):
    """a PSK that was added in another network namespace is not used"""
    key = os.urandom(32)
    identity = own_identity("elsewhere")
    t.add(t.client, identity, key)
    with Grown(t, TlsHsDone=0, TlsHsFbPsk=1):
        eq(alerts(t, hello(t, identity.encode(), key)), [], "alerts")
    # The same name with another key is that of the server's.
    mine = os.urandom(32)
    t.add(t.server, identity, mine)
    with Grown(t, TlsHsDone=1):
        tls = peer(t, identity=identity.encode(), key=mine)
        tls.send(ICREQ)
        is_response(tls.recv_exact(128))
        tls.sock.close()
    eq(alerts(t, hello(t, identity.encode(), key)), [DECRYPT_ERROR], "alerts")


@test
def changes(t):
    """keys that are added, replaced and revoked count from the next handshake on"""
    identity = own_identity("changes")
    for _ in range(3):
        key = os.urandom(32)
        serial = t.add(t.server, identity, key)
        tls = peer(t, identity=identity.encode(), key=key)
        tls.sock.close()
    tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, serial)
    with Grown(t, TlsHsDone=0, TlsHsFbPsk=1):
        eq(alerts(t, hello(t, identity.encode(), key)), [], "alerts")
    served(t)


@test
def many_keys(t):
    """the same in a keyring with many keys, in the first handshake and in the same second"""
    serials = [t.add(t.server, own_identity(f"many {n}"), os.urandom(32)) for n in range(40)]
    identity, old = own_identity("rotated"), None
    for _ in range(5):
        key = os.urandom(32)
        t.add(t.server, identity, key)
        if old:
            eq(alerts(t, hello(t, identity.encode(), old)), [DECRYPT_ERROR], "the old key")
        peer(t, identity=identity.encode(), key=key).sock.close()
        old = os.urandom(32)
        t.add(t.server, identity, old)
        peer(t, identity=identity.encode(), key=old).sock.close()
    for serial in serials:
        tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, serial)
    served(t)


@test
def silent(t):
    """clients that say nothing are let go in time, and others are served meanwhile"""
    with open(TIMEOUT, encoding="ascii") as f:
        before = f.read()
    put(TIMEOUT, "2")
    try:
        start = time.monotonic()
        socks = [waiting(t) for _ in range(3)]
        socks[1].sendall(hello(t).record()[:50])
        socks[2].sendall(hello(t).record())
        served(t)
        if time.monotonic() - start > 1.5:
            raise AssertionError("others have to wait")
        for sock in socks:
            ends(sock)
        took = time.monotonic() - start
        if not 1.5 < took < 4:
            raise AssertionError(f"after {took:.1f} s")
    finally:
        put(TIMEOUT, before)
    served(t)


@test
def interrupted(t):
    """clients that go away in each state of the handshake"""
    for stage in range(10):
        tls = tls13.Client(waiting(t), hello(t))
        if stage % 5 == 1:
            tls.sock.sendall(tls.hello.record()[:30])
        if stage % 5 >= 2:
            tls.send_hello()
        if stage % 5 >= 3:
            tls.server_hello()
        if stage % 5 == 4:
            tls.server_flight()
            tls.sock.sendall(tls.tx.seal(tls13.HANDSHAKE, tls.finished())[:20])
        if stage & 1:
            tls.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        tls.sock.close()
    served(t)


@test
def many(t):
    """many clients at once; user space would be asked for 50"""
    number = 400 if t.full else 80
    with Grown(t, TlsHsDone=number):
        clients = [tls13.Client(waiting(t), hello(t)) for _ in range(number)]
        for tls in clients:
            tls.send_hello()
        for tls in clients:
            tls.server_hello()
            tls.server_flight()
            tls.sock.sendall(tls.tx.seal(tls13.HANDSHAKE, tls.finished()))
            tls.switch()
            tls.send(ICREQ)
        for tls in clients:
            is_response(tls.recv_exact(128))
            tls.sock.close()


@test
def fails_at_once(t):
    """handshakes that fail at once, some maybe before the target has armed its timer"""
    bad = hello(t, key=os.urandom(32)).record()
    number = 1000 if t.full else 100
    with Grown(t, TlsHsDone=0, TlsHsFallback=0, TlsHsTxDecryptError=number):
        for _ in range(number):
            sock = waiting(t)
            sock.sendall(bad)
            ends(sock)
            sock.close()
    served(t)


@test
def port_goes(t):
    """the port is closed with handshakes under way and a host connected, and opened again"""
    disk = t.connect()
    io(t, disk)
    socks = [waiting(t) for _ in range(3)]
    socks[1].sendall(hello(t).record()[:60])
    tls = tls13.Client(socks[2], hello(t))
    tls.send_hello()
    tls.server_hello()
    t.deaf()
    for sock in socks:
        ends(sock)
    t.disconnect()
    t.listen()
    served(t)


@test
def back(t):
    """without the setting user space is asked again"""
    t.agent(USER)
    with Grown(t, TlsHsDone=0, TlsHsFallback=0):
        eq(alerts(t, hello(t)), [], "alerts without tlshd")
    t.agent(KERNEL)
    served(t)


def main():
    """Runs the tests."""
    full, tests, begin = world.arguments()
    t = Target()
    t.full, t.size = full, SIZE if full else SIZE >> 6
    t.start_tlshd(t.client)
    if begin:
        t.agent(KERNEL)
    failed = world.run_tests("nvmet", tests, t, t.disconnect)
    t.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
