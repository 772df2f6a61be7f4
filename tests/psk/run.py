#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
External PSKs with the clients of OpenSSL and GnuTLS; the latter is tlshd's library, and so what
hosts of NVMe/TCP speak.

Prints TAP; to be run in a guest (tests/run-guest-tests psk).
"""

import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "selftests"))
import tls_hs  # noqa: E402

HOST = "nqn.2014-08.org.nvmexpress:uuid:9d2f0e08-6c4c-4d0b-8f2e-0a4f8f8f8f8f"
SUBSYSTEM = "nqn.2026-01.org.example:subsystem"
# For SHA-256, as both clients use it; and a PSK that is none of NVMe/TCP.
PSKS = ((f"NVMe1R01 {HOST} {SUBSYSTEM} VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwM=", 32),
        ("another", 48))
TLS13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+ECDHE-PSK:-GROUP-ALL"
SHARED, RETRIED = tls_hs.S_EXTERNAL_PSK, tls_hs.S_EXTERNAL_PSK | tls_hs.S_RETRIED
# For which no client sends a share unasked that can do others.
SECP256R1 = 23


def openssl(port, identity, key, *args):
    """openssl s_client without certificates."""
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-psk_identity", identity,
            "-psk", key, "-tls1_3", "-verify_return_error", "-no-CAfile", "-no-CApath", *args]


def gnutls(port, identity, key, groups):
    """gnutls-cli without certificates."""
    return ["gnutls-cli", "-p", str(port), f"--pskusername={identity}", f"--pskkey={key}",
            "--priority", f"{TLS13}:{groups}", "127.0.0.1"]


CLIENTS = (
    ("openssl", lambda *a: openssl(*a, "-groups", "X25519"), SHARED),
    ("openssl, HelloRetryRequest", lambda *a: openssl(*a, "-groups", "P-384:P-256"), RETRIED),
    ("openssl, ChaCha20",
     lambda *a: openssl(*a, "-groups", "P-256", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
     SHARED),
    ("gnutls", lambda *a: gnutls(*a, "+GROUP-X25519"), SHARED),
    ("gnutls, HelloRetryRequest",
     lambda *a: gnutls(*a, "+GROUP-SECP384R1:+GROUP-X25519:+GROUP-SECP256R1"), RETRIED),
)


def serve(lsk, command):
    """What a client prints, and TLS_HS_STATUS and what has come of it, or None without a
    handshake."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            status = data = None
            if tls_hs.readable(lsk, 5):
                conn, family = tls_hs.accept(lsk)
                if family != tls_hs.AF_TLS:
                    raise AssertionError("the client fell back")
                status = tls_hs.status(conn)
                conn.sendall(b"hello from the kernel\n")
                process.stdin.write(b"hello from the client\n")
                process.stdin.flush()
                data = conn.recv(100)
                time.sleep(0.2)
                conn.close()
            out = process.communicate(timeout=20)[0].decode(errors="replace")
        finally:
            process.kill()
    return out, status, data


def good(lsk, command, flags):
    """The client gets in."""
    out, status, data = serve(lsk, command)
    if status is None or (status["flags"], status["scheme"]) != (flags, 0):
        raise AssertionError(f"TLS_HS_STATUS {status}: {out[-600:]!r}")
    if data != b"hello from the client\n" or "hello from the kernel" not in out:
        raise AssertionError(f"{data!r}, {out[-600:]!r}")


def bad(lsk, command):
    """Another key: the client is told so."""
    before = tls_hs.counters()["TlsHsTxDecryptError"]
    out, status, _ = serve(lsk, command)
    if status is not None or tls_hs.counters()["TlsHsTxDecryptError"] != before + 1:
        raise AssertionError(f"no decrypt_error: {out[-600:]!r}")


def main():
    """Runs all."""
    tls_hs.join_session()
    ring = tls_hs.new_keyring()
    keys = [os.urandom(size) for _, size in PSKS]
    for (identity, _), key in zip(PSKS, keys):
        tls_hs.add_key("psk", identity, key, ring)
    cases = []
    for name, client, flags in CLIENTS:
        for (identity, _), key in zip(PSKS, keys):
            cases.append((f"{name}, {identity.split()[0]}", client, identity, key.hex(), flags))
        cases.append((f"{name}, another key", client, PSKS[0][0], os.urandom(32).hex(), None))
    print(f"TAP version 13\n1..{len(cases)}")
    failed = 0
    for i, (name, client, identity, key, flags) in enumerate(cases, 1):
        if not shutil.which(client(0, identity, key)[0]):
            print(f"ok {i} - {name} # SKIP no such client")
            continue
        try:
            groups = (SECP256R1,) if "HelloRetryRequest" in name else ()
            with tls_hs.listener(ring, versions=tls_hs.VERSION_1_3, groups=groups,
                                 flags=tls_hs.F_PSK | tls_hs.F_NO_FALLBACK) as lsk:
                command = client(lsk.getsockname()[1], identity, key)
                if flags is None:
                    bad(lsk, command)
                else:
                    good(lsk, command, flags)
            print(f"ok {i} - {name}", flush=True)
        except Exception as err:  # pylint: disable=broad-except
            failed += 1
            print(f"# {type(err).__name__}: {err}\nnot ok {i} - {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
