# SPDX-License-Identifier: GPL-2.0
"""
Two network namespaces of a guest, a server in the one, of NFS for example, and a client in the
other.

The programs are those of a Debian root that scripts/debian-root has made: NFSD's and the
client's tools, and tlshd.  The kernel, and what prepares the namespaces, are the guest's.
"""

import argparse
import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "selftests"), os.path.join(TOP, "tests", "module")]
import tls_hs  # noqa: E402
from tls_hs_test import TESTS, Skip, eq  # noqa: E402

CACHE = os.environ.get("TLS_HS_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tls-handshake")
ROOT = os.path.join(CACHE, "roots", "nfsd")
TLSHD = os.path.join(CACHE, "ktls-utils", "tlshd")
SERVER, CLIENT = "10.9.0.1", "10.9.0.2"
PORT = 2049
P384 = 0x18
# For GnuTLS, of tlshd: no group that the kernel has.
NO_COMMON_GROUP = "[overrides]\n" + "".join(f"tls-disabled-group = {name}\n" for name in (
    "X25519", "SECP256R1", "X25519-MLKEM768", "SECP256R1-MLKEM768", "FFDHE2048", "FFDHE3072",
    "FFDHE4096", "FFDHE6144", "FFDHE8192"))


HERE = os.path.dirname(os.path.abspath(__file__))
TRUST = "x509.truststore= /etc/keys/ca.pem"
OURS = "x509.certificate= /etc/keys/{0}.pem\nx509.private_key= /etc/keys/{0}.key"


class Failed(Exception):
    """A command has failed."""


def run(*args, check=True, timeout=60, stdin=None):
    """Runs a command; its output, or its status, output and errors without check."""
    result = subprocess.run(args, stdin=subprocess.DEVNULL if stdin is None else None,
                            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=timeout, check=False)
    out = result.stdout.decode(errors="replace")
    err = result.stderr.decode(errors="replace")
    if check and result.returncode:
        raise Failed(f"{' '.join(args)}: status {result.returncode}: {out}{err}")
    return out if check else (result.returncode, out, err)


def wait_for(what, seconds=10, pause=0.02):
    """Waits until a function says so; what it said last."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)


def put(path, text):
    """Writes to a file."""
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def repeated_digest(part, times):
    """SHA-256 of something that is there so many times."""
    digest = hashlib.sha256()
    for _ in range(times):
        digest.update(part)
    return digest.hexdigest()


def ends(sock):
    """Everything until the server ends a connection."""
    out = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return out
        if not data:
            return out
        out += data


def tcp(address):
    """A connection."""
    sock = socket.create_connection(address, timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Grown:
    """Expects counters of the server's namespace to grow by so much."""

    def __init__(self, w, **want):
        self.w, self.want = w, want

    def __enter__(self):
        self.before = self.w.server.counters()
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        now = self.w.server.counters()
        eq({k: now[k] - self.before[k] for k in self.want}, self.want, "counters")


def arguments():
    """Those of a test's program: whether all is to be done at length, which tests, and whether
    to begin with the setting that only "unpatched" is without."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    tests = [t for t in TESTS if not args.names or t.__name__ in args.names]
    return args.full, tests, bool(args.names) and "unpatched" not in args.names


def run_tests(what, tests, w, after):
    """Runs tests, prints TAP, and says how many have failed."""
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = 0
    for number, func in enumerate(tests, 1):
        start = time.monotonic()
        try:
            func(w)
            result = "ok"
        except Skip as reason:
            result = "ok"
            print(f"# skipped: {reason}")
        except Exception:  # pylint: disable=broad-exception-caught
            result, failed = "not ok", failed + 1
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()),
                  end="")
        print(f"{result} {number} - {what}: {func.__name__}: {func.__doc__} "
              f"({time.monotonic() - start:.1f} s)", flush=True)
        after()
    return failed


class Namespace:
    """A network namespace with mounts of its own, kept by a process that sleeps."""

    def __init__(self, name):
        self.name = name
        self.daemons = []
        self.tlshd = self.log = None
        self.logs = tempfile.mkdtemp(prefix=f"{name}.")
        # pylint: disable-next=consider-using-with
        self.holder = subprocess.Popen(["unshare", "-n", "-m", "--propagation", "private",
                                        "sleep", "1000000"])
        ours = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours)
        wait_for(lambda: self.comm() == "sleep")
        self.run("ip", "link", "set", "lo", "up")
        for folder, parts in (("run", ()), ("tmp", ()), ("etc", ("etc",)),
                              ("var/lib/nfs", ("var/lib/nfs",))):
            self.fresh(folder, *parts)
        self.run("mount", "-t", "proc", "none", f"{ROOT}/proc")
        self.put("etc/hosts", f"127.0.0.1 localhost\n{SERVER} server\n{CLIENT} client\n")
        self.run("mount", "--bind", "/dev", f"{ROOT}/dev")

    def comm(self):
        """What the holder runs."""
        with open(f"/proc/{self.holder.pid}/comm", encoding="ascii") as f:
            return f.read().strip()

    def fresh(self, folder, *parts):
        """A folder of the root in memory, with what it had, or empty."""
        there = os.path.join(ROOT, folder)
        copy = tempfile.mkdtemp()
        for part in parts:
            if os.path.isdir(os.path.join(ROOT, part)):
                shutil.copytree(os.path.join(ROOT, part), copy, symlinks=True, dirs_exist_ok=True)
        os.makedirs(there, exist_ok=True)
        self.run("mount", "-t", "tmpfs", "none", there)
        self.run("cp", "-a", copy + "/.", there)
        shutil.rmtree(copy)

    def enter(self, *args):
        """The words that run a command of the guest in here."""
        return ("nsenter", "-t", str(self.holder.pid), "-n", "-m", "--", *args)

    def run(self, *args, **kwargs):
        """Runs a command of the guest in here."""
        return run(*self.enter(*args), **kwargs)

    def root(self, *args, **kwargs):
        """Runs a command of the root in here."""
        return self.run("chroot", ROOT, *args, **kwargs)

    def daemon(self, *args, env=None):
        """Starts a command of the root that stays; the file with its output."""
        log = os.path.join(self.logs, f"{os.path.basename(args[0])}.{len(self.daemons)}")
        with open(log, "wb") as out:
            # pylint: disable-next=consider-using-with
            self.daemons.append(subprocess.Popen(
                self.enter("chroot", ROOT, *args), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=dict(os.environ, **(env or {}))))
        return self.daemons[-1], log

    @contextlib.contextmanager
    def net(self):
        """The calling thread's network namespace is this one."""
        with open("/proc/thread-self/ns/net", "rb") as before, \
                open(f"/proc/{self.holder.pid}/ns/net", "rb") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(before)

    def put(self, path, text, mode=0o644):
        """Writes a file of the root."""
        self.run("sh", "-c", f"mkdir -p '{ROOT}/{os.path.dirname(path)}' && "
                             f"cat >'{ROOT}/{path}' && chmod {mode:o} '{ROOT}/{path}'",
                 stdin=text if isinstance(text, bytes) else text.encode())

    def write(self, path, text, check=True):
        """Writes to a file as this namespace sees it, in one call."""
        self.run("sh", "-c", f"echo '{text}' >'{path}'", check=check)

    def counters(self):
        """/proc/net/tls_stat."""
        lines = self.run("cat", "/proc/net/tls_stat").splitlines()
        return {name: int(value) for name, value in map(str.split, lines)}

    def stop(self, process):
        """Ends a daemon."""
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.daemons.remove(process)

    def start(self, *args):
        """Starts a command of the guest in here."""
        return subprocess.Popen(self.enter(*args), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_tlshd(self, server="", client="", env=None, program="", keyrings=""):
        """Starts tlshd, and waits until the kernel knows it."""
        self.put("etc/tlshd.conf", f"[debug]\nloglevel=1\ntls=1\nnl=0\n[authenticate]\n{keyrings}\n"
                                   f"[authenticate.client]\n{client}\n"
                                   f"[authenticate.server]\n{server}\n")
        if program:
            with open(program, "rb") as f:
                self.put("run/tlshd", f.read(), 0o755)
        self.tlshd, self.log = self.daemon("/run/tlshd" if program else "/usr/sbin/tlshd", "-s",
                                           "-c", "/etc/tlshd.conf", env=env)
        if not wait_for(self.has_listener):
            raise Failed(f"tlshd does not listen: {self.tlshd_log()}")

    def tlshd_log(self):
        """What it has said."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop_tlshd(self):
        """Ends it, if it runs."""
        if self.tlshd:
            self.stop(self.tlshd)
            self.tlshd = None

    def has_listener(self):
        """Is somebody in a multicast group of generic netlink?"""
        for line in self.run("cat", "/proc/net/netlink").splitlines()[1:]:
            words = line.split()
            if words[1] == "16" and int(words[3], 16):
                return True
        return False

    def close(self):
        """Ends what runs in here."""
        for process in list(self.daemons):
            self.stop(process)
        if self.holder.poll() is None:
            self.holder.kill()
            self.holder.wait()


def connect(server, client):
    """A virtual cable between two namespaces."""
    run("ip", "link", "add", "nfs0", "netns", str(server.holder.pid), "type", "veth", "peer",
        "name", "nfs1", "netns", str(client.holder.pid))
    for side, link, addr in ((server, "nfs0", SERVER), (client, "nfs1", CLIENT)):
        side.run("ip", "addr", "add", f"{addr}/24", "dev", link)
        side.run("ip", "link", "set", link, "up")


class Certificates:
    """A CA, and who it has certified."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="keys.")
        self.serial = 0
        self.openssl("req", "-x509", "-nodes", "-days", "3650", "-subj", "/CN=ca", "-newkey",
                     "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", self.path("ca.key"),
                     "-out", self.path("ca.pem"))

    def path(self, name):
        """A file of the folder."""
        return os.path.join(self.folder, name)

    @staticmethod
    def openssl(*args):
        """Runs openssl."""
        return subprocess.run(("openssl",) + args, stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def make(self, name, san, rsa=False):
        """A certificate and its key: NAME.pem and NAME.key; the serial number."""
        self.serial += 1
        key = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        with open(self.path("ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName={san}\n")
        self.openssl("req", "-nodes", "-subj", f"/CN={name}", "-newkey", *key, "-keyout",
                     self.path(f"{name}.key"), "-out", self.path("csr"))
        self.openssl("x509", "-req", "-days", "3650", "-in", self.path("csr"), "-CA",
                     self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-set_serial",
                     str(self.serial), "-extfile", self.path("ext"), "-out",
                     self.path(f"{name}.pem"))
        return self.serial

    def identity(self, name):
        """The payload of a key of type tls_identity."""
        return (self.openssl("x509", "-in", self.path(f"{name}.pem"), "-outform", "DER") +
                self.openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.path(f"{name}.key"),
                             "-outform", "DER"))

    def install(self, side, *names):
        """Copies certificates and keys, and the CA's, into /etc/keys of a root."""
        for name in ("ca.pem",) + tuple(n + end for n in names for end in (".pem", ".key")):
            with open(self.path(name), "rb") as f:
                side.put(f"etc/keys/{name}", f.read(), 0o600 if ".key" in name else 0o644)


# The netlink family, as in include/uapi/linux/handshake.h.
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
CMD_SERVER_SET, CMD_SERVER_GET = 4, 5
A_KEYRING, A_PEER_AUTH, A_PSK_AGENT = 1, 2, 3
REQUEST, NONE = 0, 1
USER, KERNEL = 0, 1


def _attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _attrs(data):
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack("=HH", data[:4])
        out[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return out


def _genl(sock, family, cmd, attrs):
    body = struct.pack("=BBH", cmd, 1, 0) + attrs
    sock.send(struct.pack("=IHHII", 16 + len(body), family, 5, 1, 0) + body)
    reply = {}
    while True:
        data = sock.recv(65536)
        while data:
            size, kind = struct.unpack("=IH", data[:6])
            if kind == 2:
                error = -struct.unpack("=i", data[16:20])[0]
                if error:
                    raise OSError(error, os.strerror(error))
                return reply
            reply = _attrs(data[20:size])
            data = data[(size + 3) & ~3:]


def handshake_genl(cmd, attrs=b""):
    """One command to the family "handshake" in the current namespace; the attributes of
    the answer.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        sock.bind((0, 0))
        reply = _genl(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                      _attr(CTRL_ATTR_FAMILY_NAME, b"handshake\0"))
        family = struct.unpack("=H", reply[CTRL_ATTR_FAMILY_ID])[0]
        return _genl(sock, family, cmd, attrs)


def server_set(keyring, peer_auth=None):
    """What servers of the current namespace are to identify themselves by."""
    attrs = _attr(A_KEYRING, struct.pack("=I", keyring))
    if peer_auth is not None:
        attrs += _attr(A_PEER_AUTH, struct.pack("=I", peer_auth))
    handshake_genl(CMD_SERVER_SET, attrs)


def server_get():
    """The keyring's serial, or 0, and whether clients are asked for certificates."""
    reply = handshake_genl(CMD_SERVER_GET)
    return (struct.unpack("=I", reply[A_KEYRING])[0],
            struct.unpack("=I", reply[A_PEER_AUTH])[0])


def peer_auth_set(peer_auth):
    """The one without the keyring, which is an error."""
    handshake_genl(CMD_SERVER_SET, _attr(A_PEER_AUTH, struct.pack("=I", peer_auth)))


def refused_without_net_admin(side, call):
    """A call of a function of this file fails without CAP_NET_ADMIN."""
    script = f"import sys; sys.path.insert(0, {HERE!r}); import world; world.{call}"
    status, _, error = side.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                                sys.executable, "-c", script, check=False)
    if not status or "PermissionError" not in error:
        raise AssertionError(f"without CAP_NET_ADMIN: {status} {error}")


def psk_agent_set(agent):
    """Who does handshakes with pre-shared keys in the current namespace."""
    handshake_genl(CMD_SERVER_SET, _attr(A_PSK_AGENT, struct.pack("=I", agent)))


def psk_agent_get():
    """What that is."""
    return struct.unpack("=I", handshake_genl(CMD_SERVER_GET)[A_PSK_AGENT])[0]


class World:
    """A server of NFS, whose exports are in memory, and a client."""

    def __init__(self, threads=8):
        tls_hs.join_session()
        self.certs = Certificates()
        self.cert_serial = self.certs.make("server", f"IP:{SERVER}")
        self.certs.make("client", f"IP:{CLIENT}")
        self.server, self.client = Namespace("server"), Namespace("client")
        connect(self.server, self.client)
        self.certs.install(self.server, "server")
        self.certs.install(self.client, "client")
        self.ring = tls_hs.new_keyring(self.certs.identity("server"))
        self.export(threads)
        self.mounts = []

    def export(self, threads):
        """Starts NFSD."""
        side = self.server
        exports = []
        for number, (folder, security) in enumerate((("", "tls:mtls"), ("/mtls", "mtls"),
                                                     ("/any", "none:tls:mtls"))):
            side.run("mkdir", "-p", f"{ROOT}/export{folder}")
            side.run("mount", "-t", "tmpfs", "none", f"{ROOT}/export{folder}")
            side.run("chmod", "777", f"{ROOT}/export{folder}")
            exports.append(f"/export{folder} {CLIENT}/24(rw,sync,no_subtree_check,no_root_squash,"
                           f"fsid={number},xprtsec={security})")
        side.put("etc/exports", "\n".join(exports) + "\n")
        side.run("mount", "-t", "nfsd", "nfsd", f"{ROOT}/proc/fs/nfsd")
        side.root("/usr/sbin/exportfs", "-ra")
        side.daemon("/usr/sbin/rpc.mountd", "-F", "-N", "3")
        # It knows that nobody has anything to reclaim; without it there are 90 seconds
        # in which no file can be opened.
        side.run("mkdir", "-p", f"{ROOT}/run/rpc_pipefs", f"{ROOT}/var/lib/nfs/nfsdcld")
        side.run("mount", "-t", "rpc_pipefs", "none", f"{ROOT}/run/rpc_pipefs")
        side.daemon("/usr/sbin/nfsdcld", "-F", "-p", "/run/rpc_pipefs", "-s",
                    "/var/lib/nfs/nfsdcld")
        self.start_nfsd(threads)

    def start_nfsd(self, threads=8):
        """Starts the threads."""
        self.server.root("/usr/sbin/rpc.nfsd", "-N", "3", "-V", "4", str(threads))

    def threads(self, number):
        """Changes the number of threads."""
        self.server.write(f"{ROOT}/proc/fs/nfsd/threads", number)

    def start_client_tlshd(self, env=None):
        """Starts the client's tlshd."""
        self.client.start_tlshd(client=TRUST + "\n" + OURS.format("client"), env=env)

    def set_keyring(self, keyring, peer_auth=NONE):
        """Lets the kernel do the server's handshakes."""
        with self.server.net():
            server_set(keyring, peer_auth)

    def keyring(self):
        """What server_get() says of the server."""
        with self.server.net():
            return server_get()

    def mount(self, *options, path="/", check=True, where=None, security="tls"):
        """Mounts in the client's namespace; where, from outside of the root."""
        where = where or f"/mnt/{len(self.mounts)}"
        self.client.run("mkdir", "-p", ROOT + where)
        words = self.mount_words(where, *options, path=path, security=security)
        status, _, error = self.client.root(*words, check=False, timeout=90)
        if not status:
            self.mounts.append(where)
            return ROOT + where
        if check:
            raise Failed(f"mount: {error.strip()}")
        return None

    @staticmethod
    def mount_words(where, *options, path="/", security="tls", server=SERVER):
        """A command that mounts."""
        words = ",".join(("vers=4.2", "sec=sys", f"xprtsec={security}", "retry=0") + options)
        return "/usr/sbin/mount.nfs4", f"{server}:{path}", where, "-o", words

    def mount_together(self, servers):
        """Mounts from several addresses of the server at the same time."""
        places = [f"/mnt/{server}" for server in servers]
        self.client.run("mkdir", "-p", *(ROOT + where for where in places))
        started = [self.client.start("chroot", ROOT, *self.mount_words(where, server=server))
                   for where, server in zip(places, servers)]
        failed = [s for s, process in zip(servers, started) if process.wait(120)]
        self.mounts += [where for where, server in zip(places, servers) if server not in failed]
        if failed:
            raise Failed(f"not mounted: {failed}")
        return [ROOT + where for where in places]

    def mount_killed(self, seconds, **kwargs):
        """Mounts, and kills that after a time, since clients try again and again; whether
        it was mounted.
        """
        where = "/mnt/killed"
        self.client.run("mkdir", "-p", ROOT + where)
        process = self.client.start("chroot", ROOT, *self.mount_words(where, **kwargs))
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        mounted = process.wait() == 0
        self.client.run("umount", "-f", "-l", ROOT + where, check=False)
        return mounted

    def umount(self, where, *options):
        """Undoes it."""
        where = where[len(ROOT):]
        self.client.run("umount", *options, ROOT + where)
        self.mounts.remove(where)

    def umount_all(self):
        """Undoes all."""
        for where in list(self.mounts):
            self.umount(ROOT + where, "-f", "-l")

    def close(self):
        """Ends everything."""
        self.umount_all()
        self.client.close()
        self.server.close()


def _setns(file):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
