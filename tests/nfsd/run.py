#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
NFSD with `xprtsec=tls` whose handshakes the kernel does, with the real programs.

    tests/nfsd/run.py [--full] [NAME...]

Runs as root in a guest with NFSD (scripts/build-kernel um nfsd).  Prints TAP.
"""

import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpc  # noqa: E402
import tls13  # noqa: E402
import tls_hs  # noqa: E402
import world  # noqa: E402
import module  # noqa: E402
from tls_hs_test import Skip, eq, test  # noqa: E402
from world import (  # noqa: E402
    OURS, P384, PORT, ROOT, SERVER, TRUST, Grown, ends, put, repeated_digest, wait_for)


def io(w, where, size):
    """Writes a file and reads it again with nothing cached; both ends see the same."""
    path = f"{where}/data"
    seed = os.urandom(1 << 20)
    digest = repeated_digest(seed, size >> 20)
    script = ("import sys; seed = sys.stdin.buffer.read()\n"
              f"with open({path!r}, 'wb') as f:\n"
              f"    for _ in range({size >> 20}): f.write(seed)\n")
    w.client.run(sys.executable, "-c", script, stdin=seed, timeout=60 + (size >> 20))
    w.client.run("sh", "-c", "echo 3 >/proc/sys/vm/drop_caches")
    eq(w.client.run("sha256sum", path, timeout=60 + (size >> 20)).split()[0], digest,
       "read by the client")
    eq(w.server.run("sha256sum", f"{ROOT}/export/data").split()[0], digest, "on the server")
    w.client.run("rm", path)


@test
def unpatched(w):
    """without a keyring everything is left to user space, as ever"""
    with Grown(w, TlsHsDone=0, TlsHsFallback=0):
        eq(refused(w, rpc.hello()), [], "alerts without tlshd")
        w.server.start_tlshd(server=TRUST + "\n" + OURS.format("server"))
        where = w.mount()
        io(w, where, 1 << 20)
        w.umount(where)
        w.server.stop_tlshd()


@test
def kernel(w):
    """mount and I/O with no tlshd in the server's namespace"""
    w.set_keyring(w.ring)
    with Grown(w, TlsHsDone=1, TlsHsFallback=0):
        where = w.mount()
        io(w, where, w.size)
        w.umount(where)


def peer(w, **kwargs):
    """A client of tests/nfsd/rpc.py after its handshake."""
    with w.client.net():
        return rpc.Peer((SERVER, PORT), **kwargs)


def waiting(w):
    """A connection on which the server waits for a ClientHello."""
    with w.client.net():
        return rpc.connect((SERVER, PORT))


def alerts(tls):
    """The alerts until the server ends a connection, by their descriptions."""
    out = []
    while True:
        try:
            tls.read_record()
        except tls13.AlertReceived as alert:
            out.append(alert.desc)
        except tls13.Closed:
            return out


def serial_of(w, cert):
    """The serial number of a certificate."""
    with open(w.certs.path("der"), "wb") as f:
        f.write(cert)
    text = w.certs.openssl("x509", "-inform", "DER", "-in", w.certs.path("der"), "-noout",
                           "-serial")
    return int(text.split(b"=")[1], 16)


def refused(w, hello):
    """The alert to a ClientHello."""
    tls = tls13.Client(waiting(w), hello)
    tls.send_hello()
    return alerts(tls)


@test
def tracepoints(w):
    """tracepoints of net/handshake and of net/tls tell who has done it"""
    tracing = "/sys/kernel/tracing"
    names = ("handshake/handshake_agent_start", "handshake/handshake_complete",
             "tls_handshake/tls_handshake_done")
    if not os.path.isdir(f"{tracing}/events/handshake"):
        raise Skip("no tracepoints")
    for name in names:
        put(f"{tracing}/events/{name}/enable", "1")
    client = peer(w)
    client.call()       # which is after handshake_complete
    client.close()
    for name in names:
        put(f"{tracing}/events/{name}/enable", "0")
    with open(f"{tracing}/trace", encoding="ascii") as f:
        trace = f.read()
    put(f"{tracing}/trace", "")
    for name in names:
        if name.split("/")[1] + ": " not in trace:
            raise AssertionError(f"{name} is not in the trace: {trace}")


@test
def netlink(w):
    """the keyring is set and read by netlink, for each namespace, with CAP_NET_ADMIN"""
    eq(w.keyring(), (w.ring, world.NONE), "server-get")
    eq(world.server_get(), (0, world.REQUEST), "another namespace")
    empty = tls_hs.new_keyring()
    key = tls_hs.add_key("user", "no keyring", b"x", empty)
    for keyring, error in ((empty, "ENOKEY"), (key, "ENOTDIR"), (0x7fffffff, "ENOKEY"),
                           (0x80000000, "ERANGE")):
        eq(tls_hs.error(w.set_keyring, keyring), error, f"keyring {keyring:x}")
    eq(tls_hs.error(w.set_keyring, w.ring, 2), "ERANGE", "peer-auth")
    eq(w.keyring(), (w.ring, world.NONE), "after errors")
    world.refused_without_net_admin(w.server, "server_get()")
    w.set_keyring(0)
    eq(w.keyring(), (0, world.REQUEST), "after 0")
    w.set_keyring(w.ring)


@test
def nconnect(w):
    """nconnect: several connections, one handshake each"""
    with Grown(w, TlsHsDone=4, TlsHsFallback=0):
        where = w.mount("nconnect=4")
        io(w, where, 1 << 23)
        w.umount(where)


@test
def early(w):
    """a record of RPC follows the client's Finished in the same segment"""
    client = peer(w, early=rpc.null_call(7))
    client.reply(7)
    client.call()
    client.close()


@test
def protocols(w):
    """ALPN: sunrpc is chosen if it is offered, others alone are refused"""
    for offer, chosen in ((None, None), ([b"sunrpc"], b"sunrpc"), ([b"h2", b"sunrpc"], b"sunrpc")):
        client = peer(w, alpn=offer)
        got = client.server["encrypted_exts"].get(rpc.ALPN)
        eq(got, chosen and tls13.vec(2, tls13.vec(1, chosen)), f"offered {offer}")
        client.call()
        client.close()
    with Grown(w, TlsHsTxNoApplicationProtocol=1):
        eq(refused(w, rpc.hello(alpn=[b"h2"])), [120], "h2 alone")


@test
def key_update(w):
    """KeyUpdates of the client, with and without a request, and many calls between"""
    client = peer(w)
    with Grown(w, TlsRxRekeyReceived=20, TlsRxRekeyOk=20, TlsTxRekeyOk=10):
        for i in range(20):
            client.call()
            client.update(i & 1)
            client.call()
    eq(client.asked, 0, "requests of the server")
    client.call()
    client.close()


@test
def no_tickets(w):
    """clients that would take tickets get none, as from tlshd"""
    client = peer(w, psk_modes=True)
    client.call()       # which fails on any other message
    client.close()


@test
def close_notify(w):
    """the server's close_notify comes once, and the connection ends by a FIN"""
    client = peer(w)
    client.call()
    # A record of RPC that is too long.
    client.tls.send(b"\xff\xff\xff\xff")
    eq(alerts(client.tls), [0], "alerts")
    client.close()

    client = peer(w)
    client.call()
    client.tls.send(b"\x01\x00", tls13.ALERT)
    client.sock.shutdown(1)
    eq(alerts(client.tls), [0], "alerts after close_notify")


@test
def bad_record(w):
    """a record that cannot be decrypted is answered by bad_record_mac"""
    client = peer(w)
    client.call()
    record = client.tls.tx.seal(tls13.APPDATA, b"x" * 40)
    client.sock.sendall(record[:-1] + bytes([record[-1] ^ 1]))
    eq(alerts(client.tls), [20], "alerts")


@test
def malformed(w):
    """malformed ClientHellos: alerts, and others are served"""
    good = rpc.hello().record()
    for data, want in ((b"GET / HTTP/1.0\r\n\r\n", None), (rpc.null_call(3), None),
                       (good[:5] + b"\x02" + good[6:], [10]),
                       (good[:40] + b"\xff" * (len(good) - 40), [50]),
                       (tls13.record(tls13.ALERT, b"\x02\x28"), [])):
        tls = tls13.Client(waiting(w), None)
        tls.sock.sendall(data)
        got = alerts(tls)
        if want is not None:
            eq(got, want, f"{data[:8]!r}")
        peer(w).close()


@test
def versions(w):
    """a client without TLS 1.3 is refused by protocol_version"""
    hello = rpc.hello(versions=())
    eq(refused(w, hello), [70], "TLS 1.2")


@test
def silent(w):
    """a client that says nothing is let go after five seconds, others are served"""
    sock = waiting(w)
    half = waiting(w)
    half.sendall(rpc.hello().record()[:50])
    start = time.monotonic()
    peer(w).close()
    if time.monotonic() - start > 2:
        raise AssertionError("others have to wait")
    ends(sock)
    ends(half)
    took = time.monotonic() - start
    if not 4 < took < 7:
        raise AssertionError(f"after {took:.1f} s")
    peer(w).close()


@test
def many(w):
    """60 clients at once; user space is asked for 50, and NFSD keeps 64 that are new"""
    w.threads(70)
    hellos = [rpc.hello() for _ in range(60)]
    with Grown(w, TlsHsDone=60):
        clients = [tls13.Client(waiting(w), hello) for hello in hellos]
        for client in clients:
            client.send_hello()
        for client in clients:
            client.server_hello()
            client.server_flight()
            client.sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            client.send(rpc.null_call(9))
        for client in clients:
            rpc.reply_of(client.recv_exact(28)[4:], 9)
            client.sock.close()
    w.threads(8)


@test
def mounts(w):
    """many mounts at once, each with a connection of its own"""
    number = 200 if w.full else 12
    servers = [f"10.9.1.{i + 1}" for i in range(number)]
    w.client.run("ip", "route", "add", "10.9.1.0/24", "dev", "nfs1")
    for addr in servers:
        w.server.run("ip", "addr", "add", f"{addr}/32", "dev", "nfs0")
    w.certs.make("many", ",".join(f"IP:{addr}" for addr in servers))
    w.set_keyring(tls_hs.new_keyring(w.certs.identity("many")))
    with Grown(w, TlsHsDone=number, TlsHsFallback=0):
        places = w.mount_together(servers)
        for where in places:
            w.client.run("touch", f"{where}/file")
        for where in places:
            w.umount(where)
    w.set_keyring(w.ring)


@test
def rotation(w):
    """the certificate is replaced while a mount is in use"""
    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "rotation", w.certs.identity("server"), ring)
    w.set_keyring(ring)
    where = w.mount()
    stop, errors = threading.Event(), []

    def work():
        try:
            while not stop.is_set():
                io(w, where, 1 << 22)
        except Exception as error:  # pylint: disable=broad-exception-caught
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for i in range(3):
            serial = w.certs.make("server", f"IP:{SERVER}", rsa=i == 1)
            payload = w.certs.identity("server")
            tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, payload, len(payload))
            client = peer(w)
            eq(serial_of(w, client.server["cert"]), serial, "serial number")
            client.call()
            client.close()
    finally:
        stop.set()
        worker.join()
    eq(errors, [], "I/O")
    w.umount(where)
    w.set_keyring(w.ring)


@test
def another_keyring(w):
    """handshakes go on with the keyring with which they have begun"""
    serial = w.certs.make("other", f"IP:{SERVER}")
    ring = tls_hs.new_keyring(w.certs.identity("other"))
    tls = tls13.Client(waiting(w), rpc.hello())
    w.set_keyring(ring)
    tls.handshake(rpc.null_call(5))
    rpc.reply_of(tls.recv_exact(28)[4:], 5)
    old = tls.server["cert"]
    if old == peer(w).server["cert"]:
        raise AssertionError("the new keyring is not in use")
    eq(serial > 0, True)
    # Without a keyring, and without tlshd, nobody is there.
    tls = tls13.Client(waiting(w), rpc.hello())
    w.set_keyring(0)
    tls.handshake(rpc.null_call(5))
    rpc.reply_of(tls.recv_exact(28)[4:], 5)
    eq(refused(w, rpc.hello()), [], "alerts without a keyring")
    w.set_keyring(w.ring)
    peer(w).close()


@test
def fallback(w):
    """clients that the kernel cannot serve: tlshd does it, and without it they fail"""
    w.client.stop_tlshd()
    w.client.put("etc/gnutls.conf", world.NO_COMMON_GROUP)
    w.start_client_tlshd(env={"GNUTLS_SYSTEM_PRIORITY_FILE": "/etc/gnutls.conf"})
    try:
        with Grown(w, TlsHsDone=0, TlsHsFallback=1, TlsHsFbGroup=1):
            eq(refused(w, rpc.hello(groups=(P384,), shares=())), [], "alerts without tlshd")
        w.server.start_tlshd(server=TRUST + "\n" + OURS.format("server"))
        with Grown(w, TlsHsDone=0, TlsHsFallback=1, TlsHsFbGroup=1):
            where = w.mount()
            io(w, where, 1 << 20)
            w.umount(where)
    finally:
        w.server.stop_tlshd()
        w.client.stop_tlshd()
        w.start_client_tlshd()


@test
def ktls_utils(w):
    """tlshd with userspace/ktls-utils gives the kernel its certificates, at start and on SIGHUP"""
    if not os.path.exists(world.TLSHD):
        raise Skip("run scripts/build-ktls-utils")
    w.set_keyring(0)
    config = TRUST + "\n" + OURS.format("server")
    w.certs.install(w.server, "server")
    w.server.start_tlshd(server=config + "\nx509.kernel= true", program=world.TLSHD)
    try:
        if not wait_for(lambda: w.keyring()[0]):
            raise AssertionError(f"no keyring: {w.server.tlshd_log()}")
        eq(w.keyring()[1], world.NONE, "peer-auth")
        with Grown(w, TlsHsDone=1):
            where = w.mount()
            io(w, where, 1 << 20)
            w.umount(where)
        with Grown(w, TlsHsFbGroup=1):
            refused(w, rpc.hello(groups=(P384,), shares=()))
        log = w.server.tlshd_log()
        if "with 1 certificate" not in log or "has left the handshake with 10.9.0.2" not in log:
            raise AssertionError(log)

        serial = w.certs.make("server", f"IP:{SERVER}")
        w.certs.install(w.server, "server")
        before = w.keyring()[0]
        w.server.tlshd.send_signal(signal.SIGHUP)
        if not wait_for(lambda: w.keyring()[0] != before):
            raise AssertionError(f"after SIGHUP: {w.server.tlshd_log()}")
        eq(serial_of(w, peer(w).server["cert"]), serial, "serial number")

        w.server.put("etc/tlshd.conf", f"[authenticate.server]\n{config}\n")
        w.server.tlshd.send_signal(signal.SIGHUP)
        if not wait_for(lambda: not w.keyring()[0]):
            raise AssertionError(f"option taken away: {w.server.tlshd_log()}")
        with Grown(w, TlsHsDone=0):
            where = w.mount()
            w.umount(where)
    finally:
        w.server.stop_tlshd()
        w.set_keyring(w.ring)


@test
def mtls(w):
    """an export that wants client certificates is for those that tlshd has verified"""
    # The kernel does not ask for one: whatever the client has, it is refused.
    with Grown(w, TlsHsFallback=0):
        eq(w.mount_killed(20, path="/mtls"), False, "kernel, without certificate")
        eq(w.mount_killed(20, path="/mtls", security="mtls"), False, "kernel, with certificate")
    w.server.start_tlshd(server=TRUST + "\n" + OURS.format("server"))
    try:
        w.set_keyring(w.ring, world.REQUEST)
        with Grown(w, TlsHsDone=0, TlsHsFallback=0):
            eq(w.mount_killed(20, path="/mtls"), False, "tlshd, without certificate")
            where = w.mount(path="/mtls", security="mtls")
            w.client.run("touch", f"{where}/file")
            w.umount(where)
        with w.server.net():
            world.server_set(w.ring)
        eq(w.keyring(), (w.ring, world.REQUEST), "the default")
    finally:
        w.server.stop_tlshd()
        w.set_keyring(w.ring)


@test
def interrupted(w):
    """clients that go away in each state of the handshake, and mounts that are killed"""
    for stage in range(5):
        tls = tls13.Client(waiting(w), rpc.hello())
        if stage == 1:
            tls.sock.sendall(tls.hello.record()[:30])
        if stage >= 2:
            tls.send_hello()
        if stage >= 3:
            tls.server_hello()
        if stage == 4:
            tls.server_flight()
            tls.sock.sendall(tls.tx.seal(tls13.HANDSHAKE, tls.finished())[:20])
        if stage & 1:
            tls.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        tls.sock.close()
    for i in range(6):
        w.mount_killed(0.02 * (i + 1))
    where = w.mount()
    io(w, where, 1 << 20)
    w.umount(where)


@test
def umount_in_use(w):
    """a mount that is taken away while it is written to"""
    where = w.mount("soft", "timeo=20", "retrans=1")
    writer = w.client.start("dd", "if=/dev/zero", f"of={where}/zero", "bs=64k", "count=100000")
    time.sleep(0.5)
    w.umount(where, "-f", "-l")
    writer.kill()
    writer.wait()
    where = w.mount()
    io(w, where, 1 << 20)
    w.client.run("rm", "-f", f"{where}/zero")
    w.umount(where)


@test
def stop(w):
    """NFSD ends with handshakes under way, and starts again"""
    socks = [waiting(w) for _ in range(4)]
    socks[0].sendall(rpc.hello().record())
    w.threads(0)
    for sock in socks:
        ends(sock)
    w.start_nfsd()
    peer(w).close()


@test
def revoked(w):
    """a keyring that is revoked serves nobody"""
    ring = tls_hs.new_keyring(w.certs.identity("server"))
    w.set_keyring(ring)
    peer(w).close()
    tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, ring)
    with Grown(w, TlsHsDone=0, TlsHsFbNoIdentity=1):
        eq(refused(w, rpc.hello()), [], "alerts")
    w.set_keyring(w.ring)
    peer(w).close()


def load_again(w):
    """A keyring whose keys are of the module that its number loads."""
    eq(tls_hs.error(w.set_keyring, w.ring), "ENOKEY", "a keyring of before")
    w.ring = tls_hs.new_keyring(w.certs.identity("server"))
    w.set_keyring(w.ring)


@test
def unload(w):
    """rmmod is refused while a namespace, a handshake or a connection needs tls, else clean"""
    if not module.loaded():
        raise Skip("tls is no module here")
    module.want_busy("a keyring of a namespace")
    client, sock = peer(w), waiting(w)
    w.set_keyring(0)
    module.want_busy("a connection and a handshake")
    client.close()
    module.want_busy("a handshake")
    sock.close()
    module.want_gone("all was closed")
    eq(refused(w, rpc.hello()), [], "alerts without the module")
    load_again(w)
    peer(w).close()


@test
def unload_meanwhile(w):
    """rmmod is clean as soon as handshakes have fallen back, failed or been given up"""
    if not module.loaded():
        raise Skip("tls is no module here")
    for _ in range(50 if w.full else 8):
        fallback_, failed, left = waiting(w), waiting(w), waiting(w)
        w.set_keyring(0)
        tls13.Client(fallback_, rpc.hello(groups=(P384,), shares=())).send_hello()
        failed.sendall(b"GET / HTTP/1.0\r\n\r\n")
        left.close()
        module.want_gone("three handshakes")
        ends(fallback_)
        ends(failed)
        load_again(w)
    peer(w).close()


@test
def namespace_ends(w):
    """the server's namespace ends, with a keyring set and handshakes under way"""
    socks = [waiting(w) for _ in range(3)]
    socks[1].sendall(rpc.hello().record()[:60])
    tls = tls13.Client(socks[2], rpc.hello())
    tls.send_hello()
    tls.server_hello()
    w.umount_all()
    w.server.close()
    for sock in socks:
        ends(sock)


def main():
    """Runs the tests."""
    full, tests, begin = world.arguments()
    w = world.World()
    w.full, w.size = full, 1 << (30 if full else 24)
    w.start_client_tlshd()
    if begin:
        w.set_keyring(w.ring)
    failed = world.run_tests("nfsd", tests, w, w.umount_all)
    w.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
