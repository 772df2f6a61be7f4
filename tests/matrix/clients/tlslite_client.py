# SPDX-License-Identifier: GPL-2.0
"""
tlslite-ng, TLS in Python: NAME PORT REQUEST [OPTION=VALUE]...
"""

import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain

name, port, file, *words = sys.argv[1:]
option = dict(word.split("=", 1) for word in words)
settings = HandshakeSettings()
if option.get("version") == "1.2":
    settings.maxVersion = (3, 3)
else:
    settings.minVersion = (3, 4)
if "suite" in option:
    settings.cipherNames = [{"TLS_AES_128_GCM_SHA256": "aes128gcm",
                             "TLS_AES_256_GCM_SHA384": "aes256gcm",
                             "TLS_CHACHA20_POLY1305_SHA256": "chacha20-poly1305"}[option["suite"]]]
if "groups" in option:
    groups = option["groups"].split(":")
    settings.eccCurves = [group.lower() for group in groups if group.lower() in
                          ("x25519", "secp256r1", "secp384r1")]
    settings.dhGroups = []
    settings.keyShares = [groups[0].lower()]
    settings.defaultCurve = "secp256r1"
    if hasattr(settings, "pqc_groups"):
        settings.pqc_groups = []
alpn = [word.encode() for word in option["alpn"].split(",")] if "alpn" in option else None


def talk(request, session=None):
    """One connection."""
    raw = socket.create_connection(("127.0.0.1", int(port)))
    raw.settimeout(100)
    tls = TLSConnection(raw)
    tls.ignoreAbruptClose = True
    tls.handshakeClientCert(settings=settings, serverName=name, alpn=alpn, session=session)
    half = len(request) // 2
    tls.sendall(request[:half])
    if "update" in option:
        for _ in tls.send_keyupdate_request(1):
            pass
    tls.sendall(request[half:])
    out = b""
    while data := tls.recv(1 << 14):
        out += data
    if not session and not isinstance(tls.session.serverCertChain, X509CertChain):
        raise ValueError("no certificate")
    return out, tls.session


SESSION = None
if "twice" in option:
    _, SESSION = talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
with open(file, "rb") as data_file:
    sys.stdout.buffer.write(talk(data_file.read(), SESSION)[0])
