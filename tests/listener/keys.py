# SPDX-License-Identifier: GPL-2.0
"""Keys that are revoked, replaced, unlinked or expire, names with settings, others' keys."""

import os
import statistics
import time

from common import Failed, check, child, connect, diag, test, tls13, tls_hs


def add(name, payload, ring):
    """An identity."""
    return tls_hs.add_key("tls_identity", name, payload, ring)


def bump(ring):
    """A key that has nothing to do with anybody."""
    tls_hs.add_key("tls_ticket", "x", os.urandom(48), ring)


def look(env, lsk, name, split=False, between=None):
    """The leaf that is shown to a client, or what else happens, and how long that took."""
    with connect(lsk, env.seconds(6)) as sock:
        client = tls13.Client(sock, tls13.Hello(name=name))
        record = client.hello.record()
        client.transcript += client.hello.message()
        start = time.monotonic()
        if split:
            sock.sendall(record[:60])
            if between:
                between()
            sock.sendall(record[60:])
        else:
            sock.sendall(record)
        # What falls back is there for accept() at once, and nothing comes.
        while not tls_hs.readable(sock, 0):
            if tls_hs.readable(lsk, 0.002):
                conn, family = tls_hs.accept(lsk)
                if family != tls_hs.AF_TLS:
                    check(conn.recv(65536) == record, "not the whole ClientHello")
                    return "fallen back", time.monotonic() - start
            if time.monotonic() - start > env.seconds(5):
                return "nothing happens", time.monotonic() - start
        try:
            client.server_hello()
            took = time.monotonic() - start
            client.server_flight()
        except (tls13.AlertReceived, tls13.Closed) as err:
            return str(err), time.monotonic() - start
        for what, identity in (("RSA", tls_hs.RSA_IDENTITY), ("P-256", tls_hs.P256_IDENTITY)):
            if identity.startswith(client.server["cert"]):
                return what, took
        return "another one", took


def names(env):
    """A listener with P-256 and a name with a keyring of its own; that keyring."""
    own = tls_hs.new_keyring()
    key = add("a", tls_hs.RSA_IDENTITY, own)
    lsk = env.listen(timeout_ms=int(env.seconds(2000)))
    tls_hs.set_sni(lsk, "rsa.test", own)
    return lsk, own, key


@test("a name of its own, a ClientHello in two segments, others' keys change", seconds=90)
def name_split(env):
    """Each is served at once, whatever was looked at before."""
    junk = tls_hs.new_keyring()
    lsk, _, _ = names(env)
    with lsk:
        # Many looks at the listener's own settings, which are none at the name's.
        for _ in range(100):
            bump(junk)
            look(env, lsk, "common.test")
        for split in (True, False):
            for change in (0, 1, 3):
                for name, want in (("rsa.test", "RSA"), ("common.test", "P-256")):
                    for _ in range(change):
                        bump(junk)
                    got, took = look(env, lsk, name, split)
                    what = f"{name}, {'two segments' if split else 'one'}, {change} keys"
                    check(got == want, f"{what}: {got}")
                    check(took < env.seconds(0.5), f"{what}: served after {took:.2f} s")


@test("others' keys cost nothing", seconds=90)
def others(env):
    """With a key of another user added before each handshake it takes as long as without."""
    read, write = os.pipe()
    back, done = os.pipe()

    def stranger():
        os.setgid(65534)
        os.setuid(65534)
        tls_hs.join_session()
        ring = tls_hs.new_keyring()
        while os.read(read, 1):
            for _ in range(5):
                bump(ring)
            os.write(done, b"x")

    lsk, _, _ = names(env)
    # A keyring that takes time to look through.
    big = tls_hs.new_keyring()
    for i in range(60):
        add(f"id{i}", tls_hs.P256_IDENTITY, big)
    tls_hs.set_sni(lsk, "big.test", big)
    with lsk, child(stranger):
        times = {False: [], True: []}
        for _ in range(25):
            for changed in (False, True):
                if changed:
                    os.write(write, b"x")
                    os.read(back, 1)
                got, took = look(env, lsk, "big.test")
                check(got == "P-256", got)
                times[changed].append(took)
    before, after = (statistics.median(times[c]) * 1000 for c in (False, True))
    diag(f"median of ServerHello: {before:.2f} ms, with keys of others {after:.2f} ms")
    for end in (read, write, back, done):
        os.close(end)
    check(after < 1.5 * before + 0.5, "others' keys cost time")


def changes(env, change, want, split):
    """The next ClientHello sees the change."""
    lsk, own, key = names(env)
    junk = tls_hs.new_keyring()
    with lsk:
        # What was seen of one keyring says nothing of another, however often it was.
        for _ in range(40 if split else 3):
            bump(junk)
            check(look(env, lsk, "rsa.test")[0] == "RSA", "before")
        got, _ = look(env, lsk, "rsa.test", split)
        check(got == "RSA", f"before: {got}")
        change(own, key)
        for _ in range(2):
            got, _ = look(env, lsk, "rsa.test", split)
            check(got == want, f"after: {got}, want {want}")
        got, _ = look(env, lsk, "common.test", split)
        check(got == "P-256", f"another name: {got}")


def expire(_own, key):
    """The key expires."""
    tls_hs.keyctl(tls_hs.KEYCTL_SET_TIMEOUT, key, 1)
    time.sleep(2.1)


CHANGES = (
    ("revoked", lambda own, key: tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key), "fallen back"),
    ("unlinked", lambda own, key: tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, own), "fallen back"),
    ("replaced", lambda own, key: add("a", tls_hs.P256_IDENTITY, own), "P-256"),
    ("expired", expire, "fallen back"),
    ("invalidated", lambda own, key: tls_hs.keyctl(21, key), "fallen back"),
    ("cleared away", lambda own, key: tls_hs.keyctl(tls_hs.KEYCTL_CLEAR, own), "fallen back"),
)
for _what, _change, _want in CHANGES:
    for _split in (False, True):
        test(f"a key that is {_what} counts from the next ClientHello on, "
             f"{'in two segments' if _split else 'whole'}", _change, _want, _split)(changes)


@test("a keyring that is revoked holds no identity")
def keyring_revoked(env):
    """The listener goes on with what it has for others."""
    lsk, own, _ = names(env)
    with lsk:
        check(look(env, lsk, "rsa.test")[0] == "RSA", "before")
        tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, own)
        for split in (True, False):
            got, _ = look(env, lsk, "rsa.test", split)
            check(got == "fallen back", f"after: {got}")
            check(look(env, lsk, "common.test", split)[0] == "P-256", "another name")


@test("a key that is added counts from the next ClientHello on")
def added(env):
    """An empty keyring that gets an identity, and one that gets a second."""
    lsk, own, key = names(env)
    with lsk:
        tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, own)
        check(look(env, lsk, "rsa.test")[0] == "fallen back", "an empty keyring")
        for split in (True, False):
            key = add("b", tls_hs.RSA_IDENTITY, own)
            got, _ = look(env, lsk, "rsa.test", split)
            check(got == "RSA", f"after add_key(): {got}")
            tls_hs.keyctl(tls_hs.KEYCTL_UNLINK, key, own)
            got, _ = look(env, lsk, "rsa.test", split)
            check(got == "fallen back", f"after it is gone: {got}")


@test("a key that changes between the two halves of a ClientHello")
def halves(env):
    """Either of them is right, and the handshake gets to its end."""
    lsk, own, key = names(env)
    with lsk:
        got, _ = look(env, lsk, "rsa.test", True,
                      lambda: add("a", tls_hs.P256_IDENTITY, own))
        check(got in ("RSA", "P-256"), got)
        got, _ = look(env, lsk, "rsa.test", True,
                      lambda: tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key))
        check(got in ("P-256", "fallen back"), got)
        # The whole ClientHello has come after this.
        check(look(env, lsk, "rsa.test", True)[0] == "fallen back", "afterwards")


@test("a key that is revoked after the certificate was sent")
def too_late(env):
    """That handshake goes on."""
    lsk, _, key = names(env)
    with lsk:
        with connect(lsk, env.seconds(6)) as sock:
            client = tls13.Client(sock, tls13.Hello(name="rsa.test"))
            client.send_hello()
            client.server_hello()
            client.server_flight()
            tls_hs.keyctl(tls_hs.KEYCTL_REVOKE, key)
            sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
            client.switch()
            conn, family = tls_hs.accept(lsk)
            if family != tls_hs.AF_TLS:
                raise Failed(f"family {family}")
            conn.sendall(b"served")
            check(client.recv() == b"served", "no data")
