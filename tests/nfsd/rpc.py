# SPDX-License-Identifier: GPL-2.0
"""
A client of RPC with TLS (RFC 9289) that can misbehave: the AUTH_TLS probe on a socket,
then the client of selftests/tls13.py, then NULL calls to NFS.
"""

import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))
import tls13  # noqa: E402

AUTH_NONE, AUTH_TLS = 0, 7
NFS, NFS_VERSION, NULL = 100003, 4, 0
ALPN = 16


def null_call(xid, flavor=AUTH_NONE):
    """A call of NFS's NULL procedure, as a record of RPC."""
    call = struct.pack(">10I", xid, 0, 2, NFS, NFS_VERSION, NULL, flavor, 0, AUTH_NONE, 0)
    return struct.pack(">I", 0x80000000 | len(call)) + call


def reply_of(data, xid):
    """The verifier's body of an accepted reply."""
    words = struct.unpack(">5I", data[:20])
    end = 20 + words[4]
    if words[:3] != (xid, 1, 0) or data[end:] != bytes(4):
        raise ValueError(f"no successful reply to {xid}: {data.hex()}")
    return data[20:end]


def read_exact(sock, size):
    """Bytes in the clear."""
    out = b""
    while len(out) < size:
        data = sock.recv(size - len(out))
        if not data:
            raise tls13.Closed("FIN")
        out += data
    return out


def connect(address, probe=True):
    """A connection on which the server waits for a ClientHello."""
    sock = socket.create_connection(address, timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if probe:
        sock.sendall(null_call(1, AUTH_TLS))
        size = struct.unpack(">I", read_exact(sock, 4))[0] & 0x7fffffff
        verifier = reply_of(read_exact(sock, size), 1)
        if verifier != b"STARTTLS":
            raise ValueError(f"{verifier!r} instead of STARTTLS")
    return sock


def hello(alpn=None, psk_modes=False, **kwargs):
    """A ClientHello without server name, maybe with application protocols."""
    out = tls13.Hello(**dict({"name": None}, **kwargs))
    if alpn:
        out.set(ALPN, tls13.vec(2, b"".join(tls13.vec(1, name) for name in alpn)))
    if psk_modes:
        out.set(tls13.PSK_MODES, b"\1\1")
    return out


class Peer:
    """An NFS client with TLS."""

    def __init__(self, address, early=b"", **kwargs):
        self.sock = connect(address)
        self.tls = tls13.Client(self.sock, hello(**kwargs))
        self.server = self.tls.handshake(early)
        self.xid = 100
        self.asked = 0

    def reply(self, xid):
        """The reply to a call; KeyUpdates are acted on."""
        data = b""
        while len(data) < 4 or len(data) < 4 + (struct.unpack(">I", data[:4])[0] & 0x7fffffff):
            ctype, body = self.tls.read_record()
            if ctype == tls13.HANDSHAKE and body[0] == tls13.KEY_UPDATE:
                self.tls.rx = self.tls.rx.updated()
                self.asked += body[4]
            elif ctype == tls13.APPDATA:
                data += body
            else:
                raise ValueError(f"record of type {ctype}: {body!r}")
        return reply_of(data[4:], xid)

    def call(self):
        """Calls NULL and checks the reply."""
        self.xid += 1
        self.tls.send(null_call(self.xid))
        self.reply(self.xid)

    def update(self, request):
        """Sends a KeyUpdate; what follows has the next key."""
        self.tls.send(tls13.message(tls13.KEY_UPDATE, bytes([request])), tls13.HANDSHAKE)
        self.tls.tx = self.tls.tx.updated()

    def close(self):
        """Closes the connection."""
        self.sock.close()
