#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
A kernel without TLS handshakes: listeners are refused, kTLS is what it was.
"""

import errno
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls_hs  # noqa: E402


def attach(sock):
    """The error of attaching the ULP, 0 without one."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, tls_hs.TCP_ULP, b"tls")
    except OSError as err:
        return err.errno
    return 0


def main():
    """Prints what is not as it should be."""
    bad = []
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if attach(sock) != errno.ENOTCONN:
            bad.append("a bound socket takes the ULP")
    lsk = socket.create_server(("127.0.0.1", 0))
    if attach(lsk) != errno.ENOTCONN:
        bad.append("a listener takes the ULP")
    one = socket.create_connection(lsk.getsockname())
    two, _ = lsk.accept()
    for sock in one, two:
        if attach(sock):
            bad.append("a connection does not take the ULP")
        for name, size in ((tls_hs.TLS_HS, 96), (tls_hs.TLS_HS_STATUS, 268)):
            try:
                sock.getsockopt(tls_hs.SOL_TLS, name, size)
                bad.append(f"getsockopt({name}) works")
            except OSError as err:
                if err.errno != errno.ENOPROTOOPT:
                    bad.append(f"getsockopt({name}): {err}")
        try:
            sock.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_HS, bytes(96))
            bad.append("setsockopt(TLS_HS) works")
        except OSError as err:
            if err.errno != errno.ENOPROTOOPT:
                bad.append(f"setsockopt(TLS_HS): {err}")
    # struct tls12_crypto_info_aes_gcm_128 of TLS 1.3
    info = struct.pack("=HH8s16s4s8s", 0x0304, 51, b"i" * 8, b"k" * 16, b"salt", bytes(8))
    one.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_TX, info)
    two.setsockopt(tls_hs.SOL_TLS, tls_hs.TLS_RX, info)
    one.sendall(b"over kTLS")
    if two.recv(100) != b"over kTLS":
        bad.append("data over kTLS")
    one.close()
    # Nobody sends a close_notify but who did the handshake.
    if two.recv(100):
        bad.append("something came behind the data")
    try:
        tls_hs.add_key("tls_identity", "id", tls_hs.P256_IDENTITY, tls_hs.SESSION_KEYRING)
        bad.append("there is a key type tls_identity")
    except OSError as err:
        if err.errno != errno.ENODEV:
            bad.append(f"add_key: {err}")
    for line in bad:
        print(line)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
