# SPDX-License-Identifier: GPL-2.0
"""
A TLS client with Python's ssl: client.py NAME PORT REQUEST [OPTION=VALUE]...

Sends what is in the file REQUEST and writes what comes back. Options: version; alpn,
names with commas; twice, to send a short request first and come back with its ticket.
"""

import socket
import ssl
import sys

name, port, file, *words = sys.argv[1:]
option = dict(word.split("=", 1) for word in words)
ctx = ssl.create_default_context(cafile="ca.pem")
if option.get("version") == "1.2":
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
if "alpn" in option:
    ctx.set_alpn_protocols(option["alpn"].split(","))


def talk(request, session=None):
    """One connection: the answer and the session."""
    raw = socket.create_connection(("127.0.0.1", int(port)))
    raw.settimeout(60)
    with ctx.wrap_socket(raw, server_hostname=name, session=session) as s:
        s.sendall(request)
        out = b""
        while chunk := s.recv(1 << 16):
            out += chunk
        return out, s.session


last = None
if "twice" in option:
    last = talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[1]
with open(file, "rb") as data:
    sys.stdout.buffer.write(talk(data.read(), last)[0])
