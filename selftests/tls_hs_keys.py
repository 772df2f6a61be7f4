#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
TLS handshakes in the kernel: keyrings and what changes in them, identities and how one is
chosen, and settings for server names.

Needs nothing but Python; the test of keys that must be refused uses openssl if there is one.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import tls13
import tls_hs
import tls_hs_test
from tls_hs import AF_TLS, error
from tls_hs_test import Skip, connect, eq, expect_end, pair, ping, served, test


@test
def keyring_changes(env):
    """Identities come and go while the listener listens."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        client = connect(lsk, name="rsa.test")
        client.send_hello()
        expect_end(client, ("unrecognized_name",))
        key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
        # The first handshake may still see the old set, not those after it.
        for _ in range(50):
            try:
                client = connect(lsk, name="rsa.test")
                client.handshake()
                break
            except tls13.AlertReceived:
                time.sleep(0.02)
        conn, family = tls_hs.accept(lsk)
        eq(family, AF_TLS)
        ping(client, conn)
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
        old_client = client
        for _ in range(50):
            client = connect(lsk, name="rsa.test")
            client.send_hello()
            try:
                client.server_hello()
                time.sleep(0.02)
            except tls13.AlertReceived as alert:
                eq(alert.name, "unrecognized_name")
                break
        else:
            raise AssertionError("a revoked identity is still in use")
        # Connections that are open stay so.
        ping(old_client, conn)


class UnderWay:
    """A handshake that is under way while something changes, and then ends well."""

    def __init__(self, lsk, name):
        self.lsk, self.client = lsk, connect(lsk, name=name)

    def __enter__(self):
        self.client.send_hello()
        self.client.server_hello()
        self.client.server_flight()

    def __exit__(self, kind, *_):
        if kind:
            return
        self.client.sock.sendall(self.client.tx.seal(tls13.HANDSHAKE, self.client.finished()))
        self.client.switch()
        conn, family = tls_hs.accept(self.lsk)
        eq(family, AF_TLS)
        ping(self.client, conn)


def within_a_second(lsk, name, leaf):
    """What a client gets for a name changes to that, at the latest with the next look."""
    served(lsk, name)
    time.sleep(1.5)
    served(lsk, name)
    time.sleep(0.5)
    eq(served(lsk, name), leaf, "within a second")
RSA_LEAF, P256_LEAF = tls_hs.RSA_IDENTITY[:-1215], tls_hs.P256_IDENTITY[:-138]


@test
def key_update(env):
    """A key that is replaced counts from the next ClientHello on."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "other", tls_hs.P256_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for _ in range(10):
            eq(served(lsk, "rsa.test"), None, "before")
            with UnderWay(lsk, "ecdsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, tls_hs.RSA_IDENTITY,
                              len(tls_hs.RSA_IDENTITY))
                eq(served(lsk, "rsa.test"), RSA_LEAF, "after")
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UPDATE, key, tls_hs.P256_IDENTITY,
                              len(tls_hs.P256_IDENTITY))


@test
def key_unlink(env):
    """So does one that is unlinked, even if another one takes its place."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    # Keys that nobody possesses cannot be linked.
    spare = tls_hs.new_keyring()
    other = tls_hs.add_key("tls_identity", "other", tls_hs.P256_IDENTITY, spare)
    tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, spare)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for _ in range(5):
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
                eq(served(lsk, "rsa.test"), None, "unlinked")
            tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "linked")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
        tls_hs.keyctl(tls_hs.KEYCTL_LINK, other, ring)
        # As many keys as before.
        eq(served(lsk, "rsa.test"), None, "exchanged")
        # Among many it is seen within a second.
        for i in range(20):
            tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
        eq(served(lsk, "rsa.test"), None, "many")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, other, ring)
        tls_hs.keyctl(tls_hs.KEYCTL_LINK, key, ring)
        within_a_second(lsk, "rsa.test", RSA_LEAF)


@test
def key_invalidate(env):
    """A key that is invalidated is not used once more, nor is one of an invalidated keyring."""
    for others in (0, 20):
        ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
        for i in range(others):
            tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
        key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
        with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
            eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
            tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, key)
            eq([served(lsk, "rsa.test") for _ in range(3)], [None] * 3, "key")
            eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")
            tls_hs.keyctl(tls_hs.KEYCTL_INVALIDATE, ring)
            eq(served(lsk, "ecdsa.test"), None, "keyring")


@test
def key_of_name(env):
    """The same for the keyring of a server name, when the ClientHello comes in two parts."""
    own = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with env.listen(ring=own) as lsk:
        tls_hs.set_sni(lsk, "rsa.test", ring)
        # Looks into the listener's own keyring count for nothing here.
        for i in range(5):
            tls_hs.add_key("tls_ticket", f"t{i}", os.urandom(48), own)
            served(lsk, "ecdsa.test")
        for i in range(5):
            key = tls_hs.add_key("tls_identity", f"rsa{i}", tls_hs.RSA_IDENTITY, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "added")
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
            client = connect(lsk, name="rsa.test")
            record = client.hello.record()
            client.transcript += client.hello.message()
            client.sock.sendall(record[:60])
            time.sleep(0.05)
            client.sock.sendall(record[60:])
            client.server_hello()
            client.server_flight()
            eq(client.server["cert"], P256_LEAF, "revoked")


@test
def key_permission(env):
    """Identities need search permission."""
    # View and set attributes, for the user; view, read and set attributes for possessors.
    without, default = 0x23210000, 0x3f210000
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
        tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, without)
        within_a_second(lsk, "rsa.test", None)
        eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")
        tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, default)
        within_a_second(lsk, "rsa.test", RSA_LEAF)

    ring = tls_hs.new_keyring()
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, without)
    try:
        tls_hs.listener(ring)
        raise AssertionError("an identity without permission is used")
    except OSError as err:
        eq(err.errno, errno.EACCES, "no permission")
    tls_hs.keyctl(tls_hs.KEYCTL_SETPERM, key, default)
    tls_hs.listener(ring).close()


@test
def key_timeout(env):
    """So does one whose timeout is set while it is in use, when that is over."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    key = tls_hs.add_key("tls_identity", "rsa", tls_hs.RSA_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, "rsa.test"), RSA_LEAF, "before")
        with UnderWay(lsk, "rsa.test"):
            tls_hs.keyctl(tls_hs.KEYCTL_SET_TIMEOUT, key, 2)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "in time")
            time.sleep(3.1)
            eq(served(lsk, "rsa.test"), None, "expired")
        eq(served(lsk, "ecdsa.test"), P256_LEAF, "the other")


@test
def key_revoke(env):
    """A key that is revoked is not used once more, among a thousand others either."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    for i in range(1000):
        tls_hs.add_key("tls_identity", f"other{i}", tls_hs.P256_IDENTITY, ring)
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        for i in range(10):
            key = tls_hs.add_key("tls_identity", f"rsa{i}", tls_hs.RSA_IDENTITY, ring)
            eq(served(lsk, "rsa.test"), RSA_LEAF, "added")
            with UnderWay(lsk, "rsa.test"):
                tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
                eq([served(lsk, "rsa.test") for _ in range(3)], [None] * 3, "revoked")
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, ring)
        eq(served(lsk, "ecdsa.test"), None, "revoked keyring")


@test
def identities(env):
    """Two identities for one name, wildcards, and the default one."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")

    def identity(algorithm, names):
        with tempfile.TemporaryDirectory() as folder:
            alt = ",".join(f"DNS:{name}" for name in names)
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey",
                            *algorithm, "-keyout", "k", "-out", "c.der", "-outform", "DER",
                            "-addext", f"subjectAltName={alt}"],
                           cwd=folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform",
                            "DER", "-out", "k.der"], cwd=folder, check=True)
            with open(f"{folder}/c.der", "rb") as c, open(f"{folder}/k.der", "rb") as k:
                return c.read(), k.read()

    p256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    both = {0x0403: identity(p256, ("both.test", "*.wild.test")),
            0x0804: identity(("rsa:2048",), ("Both.test", "*.wild.test"))}
    exact = identity(p256, ("exact.wild.test",))
    ring = tls_hs.new_keyring()
    for name, payload in (("b", tls_hs.RSA_IDENTITY), ("a", tls_hs.P256_IDENTITY), ("e", exact),
                          ("c", both[0x0804]), ("d", both[0x0403])):
        tls_hs.add_key("tls_identity", name, b"".join(payload) if name in "cde" else payload, ring)
    with env.listen(ring=ring) as lsk:
        for name in ("both.test", "BOTH.test.", "x.wild.test"):
            for scheme in both:
                eq(served(lsk, name, schemes=(scheme,)), both[scheme][0], f"{name} {scheme:04x}")
            eq(served(lsk, name, schemes=(0x0804, 0x0403)), both[0x0403][0], f"{name}, any")
        eq(served(lsk, "exact.wild.test"), exact[0], "the exact name comes first")
        eq(served(lsk, "exact.wild.test", schemes=(0x0804,)), None, "but is not replaced")
        for name in (None, "nobody.test", "wild.test", "x.y.wild.test", "*.test"):
            eq(served(lsk, name), P256_LEAF, f"{name}: default")
            eq(served(lsk, name, schemes=(0x0804,)), RSA_LEAF, f"{name}: default for RSA")
    with env.listen(ring=ring, schemes=(0x0804, 0x0403)) as lsk:
        eq(served(lsk, "both.test"), both[0x0804][0], "the server's preference")
    with env.listen(ring=ring, flags=tls_hs.F_SNI_STRICT) as lsk:
        eq(served(lsk, None), P256_LEAF, "no name")
        eq(served(lsk, "x.y.wild.test"), None, "unknown name")


def tools(folder):
    """openssl in a folder, and what reads a file of it."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def read(name):
        with open(f"{folder}/{name}", "rb") as file:
            return file.read()

    return openssl, read


@test
def chains(env):
    """signature_algorithms_cert and certificate_authorities, sections 4.3.3 and 4.3.4."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    leaves, names = {}, {}
    ring = tls_hs.new_keyring()
    with tempfile.TemporaryDirectory() as folder:
        openssl, read = tools(folder)
        p256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        with open(f"{folder}/ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:chain.test\n")
        openssl("req", "-new", "-nodes", "-subj", "/", "-newkey", *p256, "-keyout", "k", "-out", "r")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform", "DER", "-out", "k.der")
        for name, algorithm, digest in (("ec", p256, "sha256"), ("rsa", ("rsa:2048",), "sha384"),
                                        ("sha1", ("rsa:2048",), "sha1")):
            # A common name of one character: SEQUENCE, SET, SEQUENCE, 2.5.4.3, UTF8String.
            names[name] = bytes.fromhex("300c310a300806035504030c01") + name[0].encode()
            openssl("req", "-x509", "-nodes", "-subj", f"/CN={name[0]}", "-newkey", *algorithm,
                    "-keyout", "ca.key", "-out", "ca.pem")
            openssl("x509", "-req", "-in", "r", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile",
                    "ext", "-set_serial", "1", f"-{digest}", "-outform", "DER", "-out", "l.der",
                    # Else the one that was made last would be the newest.
                    "-days", "40" if name == "ec" else "30")
            leaves[name] = read("l.der")
            tls_hs.add_key("tls_identity", name, leaves[name] + read("k.der"), ring)

    def got(signatures=None, authorities=None, schemes=(0x0403,)):
        client = connect(lsk, name="chain.test", schemes=schemes)
        if signatures:
            client.hello.set(50, tls13.vec(2, tls13.u16s(*signatures)))
        if authorities:
            client.hello.set(47, tls13.vec(2, b"".join(
                tls13.vec(2, names[name]) for name in authorities)))
        client.send_hello()
        client.server_hello()
        client.server_flight()
        return [name for name, leaf in leaves.items() if leaf == client.server["cert"]]

    with env.listen(ring=ring) as lsk:
        eq(got((0x0403,)), ["ec"], "ECDSA in chains")
        eq(got((0x0501,)), ["rsa"], "RSA in chains")
        eq(got((0x0501, 0x0201)), ["rsa"], "SHA-1 as well")
        eq(got((0x0201,)), ["sha1"], "SHA-1 only")
        eq(got((0x0601,)), ["ec"], "none that there is")
        eq(got(schemes=(0x0403, 0x0501)), ["ec"], "one list for both")
        eq(got(authorities=("rsa",)), ["ec"], "what can be verified comes first")
        eq(got((0x0403, 0x0501), ("rsa",)), ["rsa"], "authority")
        eq(got((0x0403, 0x0501), ("sha1", "ec", "rsa")), ["ec"], "authorities")


def dated(identity, begin, end):
    """An identity with other dates, in seconds since 1970. Nobody looks at the signature here."""
    for form, old, when in (("%y%m%d%H%M%SZ", b"261123192224Z", begin),
                            ("%Y%m%d%H%M%SZ", b"21261030192224Z", end)):
        new = time.strftime(form, time.gmtime(when)).encode()
        assert len(new) == len(old) and old in identity
        identity = identity.replace(old, new)
    return identity


@test
def validity(env):
    """Of identities that are as good as each other, one that is valid now, and that the longest."""
    now, day, leaves = int(time.time()), 86400, {}
    ring = tls_hs.new_keyring()

    def add(name, begin, end, identity=tls_hs.P256_IDENTITY, leaf=P256_LEAF):
        payload = dated(identity, begin, end)
        leaves[payload[:len(leaf)]] = name
        return tls_hs.add_key("tls_identity", name, payload, ring)

    def expect(want, **kwargs):
        # For the name, for clients without one, and for those with an unknown one.
        for name in ("ecdsa.test", None, "nobody.test"):
            leaf = served(lsk, name, **kwargs)
            eq(leaves.get(leaf), want, f"{name}, {kwargs}")

    log = tls_hs_test.KernelLog()
    # The kernel's clock for this may be a tick behind.
    expired = add("a", now - 9 * day, now - 2)
    with env.listen(ring=ring) as lsk:
        before = tls_hs.counters()["TlsHsNotValid"]
        for _ in range(2):
            expect("a")
        eq(tls_hs.counters()["TlsHsNotValid"] - before, 6, "TlsHsNotValid")
        said = [line for line in log.read() if f"certificate of key {expired} has expired" in line]
        eq(len(said), 1, "times that it is logged")
        future = add("b", now + 9 * day, now + 99 * day)
        valid = add("c", now - 1, now + day)
        expect("c")
        longer = add("d", now - 1, now + 2 * day)
        expect("d")
        add("e", now - 1, now + day)
        expect("d")
        # An RSA key of another name is no better than a default that is valid.
        add("f", now - 1, now + 9 * day, tls_hs.RSA_IDENTITY, RSA_LEAF)
        expect("d")
        expect("d", schemes=(0x0804, 0x0403))
        eq(leaves.get(served(lsk, "nobody.test", schemes=(0x0804,))), "f", "RSA")
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, longer, ring)
        # "c" and "e" are the same certificate.
        expect("e")
        for key in (valid, future):
            tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, ring)
        expect("e")
        eq(tls_hs.counters()["TlsHsNotValid"] - before, 6, "TlsHsNotValid")

    # One takes over from the other as time goes on.
    ring = tls_hs.new_keyring()
    now = int(time.time())
    add("new", now + 4, now + day)
    add("old", now - day, now + 3)
    with env.listen(ring=ring) as lsk:
        expect("old")
        time.sleep(max(0, now + 4.1 - time.time()))
        expect("new")


@test
def dates(_env):
    """Certificates whose dates are none (RFC 5280, section 4.1.2.5)."""
    ring = tls_hs.new_keyring()
    good = tls_hs.P256_IDENTITY
    for new in (b"261123192260Z", b"261323192224Z", b"261131192224Z", b"261123192224z",
                b"26112319222 Z"):
        eq(error(tls_hs.add_key, "tls_identity", "x", good.replace(b"261123192224Z", new), ring),
           "EBADMSG", new)
    for new in (b"21260229192224Z", b"2126103019222.Z", b"2126103019222AZ"):
        eq(error(tls_hs.add_key, "tls_identity", "x", good.replace(b"21261030192224Z", new), ring),
           "EBADMSG", new)
    tls_hs.add_key("tls_identity", "x", good.replace(b"21261030192224Z", b"99991231235959Z"), ring)


@test
def sni_settings(env):
    """TLS_HS_SNI: settings for a name, for a wildcard, and the listener's own."""
    p256, rsa = (tls_hs.new_keyring(i) for i in (tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY))
    with env.listen(ring=p256) as lsk:
        eq(served(lsk, "rsa.test"), P256_LEAF, "before")
        tls_hs.set_sni(lsk, "*.rsa.test", rsa)
        tls_hs.set_sni(lsk, "Client.RSA.test.", rsa, flags=tls_hs.F_CLIENT_CERT)
        tls_hs.set_sni(lsk, "p256.test", p256, groups=(tls13.SECP256R1,))
        for name, want in (("a.rsa.test", RSA_LEAF), ("A.rsa.TEST.", RSA_LEAF),
                           ("rsa.test", P256_LEAF), ("a.b.rsa.test", P256_LEAF),
                           ("client.rsa.test", None), ("other.test", P256_LEAF),
                           (None, P256_LEAF)):
            eq(served(lsk, name), want, name)
        # HelloRetryRequest, in pieces, in several records.
        client, conn = pair(lsk, name="p256.test", groups=(tls13.X25519, tls13.SECP256R1),
                            shares=(tls13.X25519,), chunk=7)
        eq(tls_hs.status(conn)["group"], tls13.SECP256R1, "group")
        ping(client, conn)
        client = connect(lsk, name="a.rsa.test")
        client.transcript = client.hello.message()
        client.sock.sendall(tls13.records(tls13.HANDSHAKE, client.transcript, 50))
        client.server_hello()
        client.server_flight()
        eq(client.server["cert"], RSA_LEAF, "several records")

        # The settings' own keyring counts, and a child keeps what it began with.
        with UnderWay(lsk, "a.rsa.test"):
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, rsa)
            eq(served(lsk, "a.rsa.test"), None, "revoked")
            tls_hs.set_sni(lsk, "*.rsa.test", 0)
            eq(served(lsk, "a.rsa.test"), P256_LEAF, "taken away")
        tls_hs.set_sni(lsk, "client.rsa.test", p256)
        eq(served(lsk, "client.rsa.test"), P256_LEAF, "replaced")
        for i in range(1000):
            tls_hs.set_sni(lsk, f"n{i}.test", p256, suites=(tls13.AES128,))
        eq(served(lsk, "n999.test"), None, "no common suite")
        eq(served(lsk, "n1000.test"), P256_LEAF, "not among a thousand")
        for name, ring, want in (("", p256, errno.EINVAL), ("*", p256, errno.EINVAL),
                                 ("a.*.test", p256, errno.EINVAL), ("x" * 256, p256, errno.EINVAL),
                                 ("b\u00fccher.test", p256, errno.EINVAL),
                                 ("a b.test", p256, errno.EINVAL), ("a\n.test", p256, errno.EINVAL),
                                 ("127.0.0.1", p256, errno.EINVAL), ("::1", p256, errno.EINVAL),
                                 ("a..test", p256, errno.EINVAL), ("*.*.test", p256, errno.EINVAL),
                                 ("unknown.test", 0, errno.ENOENT), ("a.test", 1, errno.ENOKEY)):
            try:
                tls_hs.set_sni(lsk, name, ring)
            except OSError as err:
                eq(err.errno, want, name)
            else:
                raise AssertionError(f"{name!r} was accepted")


@test
def sni_order(env):
    """Settings that come, are replaced and go in any order: each name has its own, or none."""
    rings = [tls_hs.new_keyring(i) for i in (tls_hs.P256_IDENTITY, tls_hs.RSA_IDENTITY)]
    want = {}
    rng = random.Random(1)
    with env.listen(ring=rings[0]) as lsk:
        for _ in range(400):
            name = f"{'*.' if rng.random() < 0.2 else ''}{rng.choice('aAbBz9-_')}{rng.randrange(9)}.t"
            kind = rng.randrange(3)
            if kind < 2:
                tls_hs.set_sni(lsk, name, rings[kind])
                want[name.lower()] = kind
            else:
                eq(error(tls_hs.set_sni, lsk, name, 0),
                   "no error" if want.pop(name.lower(), None) is not None else "ENOENT", name)
        names_ = sorted(want)
        for name in rng.sample(names_, 20) + ["a.t", "zz.t", "_9.t", "a.b.t"]:
            asked = name.replace("*", "www")
            kind = want.get(asked, want.get("*." + asked.partition(".")[2], 0))
            eq(served(lsk, asked), (P256_LEAF, RSA_LEAF)[kind], name)
        for name in rng.sample(names_, len(names_)):
            tls_hs.set_sni(lsk, name, 0)
        for name in names_[:3]:
            eq(served(lsk, name.replace("*", "www")), P256_LEAF, "all are gone")


@test
def names(env):
    """What is a name is the same in settings, identities, tickets and TLS_HS_STATUS."""
    p256, rsa = tls_hs.new_keyring(tls_hs.P256_IDENTITY), tls_hs.new_keyring(tls_hs.RSA_IDENTITY)
    with env.listen(ring=p256) as lsk:
        tls_hs.set_sni(lsk, "Www.Example.TEST.", rsa)
        tls_hs.set_sni(lsk, "*.wild.TEST", rsa)

        def visit(name, ticket=None):
            client = connect(lsk, name=None)
            raw = name if isinstance(name, bytes) else name.encode()
            client.hello.exts.insert(0, (tls13.SERVER_NAME, tls13.vec(2, b"\0" + tls13.vec(2, raw))))
            client.hello.offer(ticket)
            client.handshake()
            conn, family = tls_hs.accept(lsk)
            eq(family, AF_TLS, "family")
            conn.sendall(b"x")
            tickets = client.tickets(b"x")
            shown = tls_hs.status(conn)["name"]
            conn.close()
            return client.resumed or client.server["cert"] == RSA_LEAF, shown, tickets

        ticket = visit("www.example.test")[2][0]
        for name in ("www.example.test", "WWW.EXAMPLE.test", "www.example.test."):
            chosen, shown, _ = visit(name)
            eq((chosen, shown), (True, "www.example.test"), name)
            chosen, shown, tickets = visit(name, ticket)
            eq((chosen, shown, len(tickets)), (True, "www.example.test", 1), f"{name}, resumed")
            ticket = tickets[0]
        for name, want in (("A.Wild.Test.", True), ("a.b.wild.test", False), ("a..wild.test", False),
                           (".wild.test", False), ("127.0.0.1", False), ("*.wild.test", False),
                           ("www.example.test..", False), ("x" * 64 + ".wild.test", False)):
            chosen, shown, _ = visit(name)
            eq(chosen, want, name)
            eq(shown, name.lower().rstrip(".") if want or name == "a.b.wild.test" else "", name)
        for name in ("b\u00fccher.test".encode(), b"a\n.wild.test", b"a\0.wild.test", b"a wild.test"):
            client = connect(lsk, name=None)
            client.hello.exts.insert(0, (tls13.SERVER_NAME, tls13.vec(2, b"\0" + tls13.vec(2, name))))
            client.send_hello()
            expect_end(client, ("illegal_parameter",))


def change_a_key(ring=tls_hs.SESSION_KEYRING):
    """Changes a key that no listener has anything to do with."""
    tls_hs.add_key("tls_ticket", "of nobody", os.urandom(48), ring)


@test
def timeout_after_key_change(env):
    """A handshake that had to wait for a look into the keyring still ends in time."""
    with env.listen(timeout_ms=500) as lsk:
        client = connect(lsk)
        change_a_key()
        client.sock.sendall(b"\x16")
        start = time.monotonic()
        expect_end(client, (None,))
        took = time.monotonic() - start
        assert 0.1 < took < 5, f"{took} s"


@test
def changes_of_other_keys(env):
    """Who changes keys all the time does not keep others from shaking hands."""
    with env.listen(timeout_ms=3000) as lsk:
        before = tls_hs.counters()
        child = os.fork()
        if not child:
            try:
                tls_hs.join_session()
                while os.getppid() != 1:
                    change_a_key()
            finally:
                os._exit(0)
        try:
            for _ in range(5):
                client, conn = pair(lsk)
                ping(client, conn)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        eq(tls_hs.counters()["TlsHsTimeout"], before["TlsHsTimeout"], "TlsHsTimeout")


@test
def odd_identities(env):
    """Keys and certificates in forms that are legal and rare."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    with tempfile.TemporaryDirectory() as folder:
        openssl, read = tools(folder)

        def certificate(key):
            openssl("req", "-x509", "-key", key, "-subj", "/CN=odd.test", "-addext",
                    "subjectAltName=DNS:odd.test", "-out", "c.pem")
            openssl("x509", "-in", "c.pem", "-outform", "DER", "-out", "c.der")
            return read("c.der")

        def pkcs8(key):
            openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", "p.der")
            return read("p.der")

        def works(what, cert, key):
            ring = tls_hs.new_keyring()
            tls_hs.add_key("tls_identity", what, cert + key, ring)
            with env.listen(ring=ring) as lsk:
                # It verifies the certificate and the signature.
                with subprocess.Popen(["openssl", "s_client", "-connect",
                                       f"127.0.0.1:{lsk.getsockname()[1]}", "-CAfile", "c.pem",
                                       "-verify_return_error", "-quiet"], cwd=folder,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL) as client:
                    conn, family = tls_hs.accept(lsk, 20)
                    eq(family, AF_TLS, what)
                    conn.sendall(b"served")
                    eq(client.stdout.read(6), b"served", what)
                    conn.close()
                    client.stdin.close()

        def refused(what, cert, key, why):
            eq(error(tls_hs.add_key, "tls_identity", "x", cert + key, tls_hs.SESSION_KEYRING), why,
               what)

        # A scalar that begins with a zero byte, which some leave out.
        head, tail = bytes.fromhex("020101041f"), bytes.fromhex("a00a06082a8648ce3d030107")
        short = head + b"\x42" * 31
        with open(f"{folder}/31.der", "wb") as file:
            file.write(b"\x30" + bytes((len(short + tail),)) + short + tail)
        openssl("ec", "-inform", "DER", "-in", "31.der", "-out", "32.key")
        cert = certificate("32.key")
        whole = pkcs8("32.key")
        eq(b"\x04\x20\x00" + b"\x42" * 31 in whole, True)
        works("leading zero", cert, whole)
        short = b"\x30" + bytes((len(short),)) + short
        short = b"\x02\x01\x00" + whole[6:6 + 21] + b"\x04" + bytes((len(short),)) + short
        short = b"\x30" + bytes((len(short),)) + short
        works("31 bytes, no public key", cert, short)
        openssl("ec", "-in", "32.key", "-no_public", "-out", "n.key")
        works("no public key", cert, pkcs8("n.key"))
        # RFC 5208, section 5: friendlyName "k".
        attributes = bytes.fromhex("a013301106092a864886f70d01091431041e02006b")
        works("attributes", cert, b"\x30\x81" + bytes((whole[2] + len(attributes),)) + whole[3:] +
              attributes)
        openssl("ec", "-in", "32.key", "-conv_form", "compressed", "-out", "c.key")
        compressed = certificate("c.key")
        eq(len(cert) - len(compressed) >= 30, True, "a compressed point")
        works("compressed", compressed, pkcs8("c.key"))
        works("compressed in the certificate", compressed, whole)
        works("compressed in the key", certificate("32.key"), pkcs8("c.key"))
        # The other y, and a hybrid form, which RFC 5480, section 2.2, forbids.
        at = compressed.index(b"\x03\x22\x00") + 3
        other = compressed[:at] + bytes((compressed[at] ^ 1,)) + compressed[at + 1:]
        refused("the other y", other, whole, "EKEYREJECTED")
        at = cert.index(b"\x03\x42\x00\x04") + 3
        for form in (6, 7):
            refused("hybrid", cert[:at] + bytes((form,)) + cert[at + 1:], whole, "EKEYREJECTED")

        for what, *options in (("e = 3", "rsa_keygen_pubexp:3"),
                               ("e of 33 bits", "rsa_keygen_pubexp:4294967297"),
                               ("2047 bits", "rsa_keygen_bits:2047"),
                               ("2056 bits", "rsa_keygen_bits:2056")):
            openssl("genpkey", "-algorithm", "RSA", "-out", "r.key",
                    *(word for option in options for word in ("-pkeyopt", option)))
            refused(what, certificate("r.key"), pkcs8("r.key"), "ENOPKG")


@test
def bad_identities(_env):
    """Keys that cannot be used are refused when they are added."""
    if not shutil.which("openssl"):
        raise Skip("no openssl")
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with tempfile.TemporaryDirectory() as folder:
        def identity(*algorithm):
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey",
                            *algorithm, "-keyout", "k", "-out", "c.der", "-outform", "DER"],
                           cwd=folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "k", "-outform",
                            "DER", "-out", "k.der"], cwd=folder, check=True)
            with open(f"{folder}/c.der", "rb") as c, open(f"{folder}/k.der", "rb") as k:
                return c.read(), k.read()

        bad = {"Ed25519": b"".join(identity("ed25519")),
               "P-384": b"".join(identity("ec", "-pkeyopt", "ec_paramgen_curve:P-384")),
               "RSA-1024": b"".join(identity("rsa:1024"))}
        other = identity("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        good = b"".join(other)
        bad["a key of another certificate"] = other[0] + tls_hs.P256_IDENTITY[-138:]
        bad["a tail"] = good + b"\0"
        bad["two keys"] = good + other[1]
        bad["the key first"] = other[1] + other[0]
        bad["PEM"] = b"-----BEGIN CERTIFICATE-----\n"
        bad["nothing but zeros"] = bytes(500)
        bad["1 MiB"] = bytes(1 << 20)
        tls_hs.add_key("tls_identity", "good", good, ring)
        for what, payload in bad.items():
            try:
                tls_hs.add_key("tls_identity", what, payload, ring)
            except OSError as err:
                print(f"# {what}: {errno.errorcode[err.errno]}")
                continue
            raise AssertionError(f"{what} was accepted")


if __name__ == "__main__":
    sys.exit(tls_hs_test.main())
