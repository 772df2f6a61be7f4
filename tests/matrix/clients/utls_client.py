# SPDX-License-Identifier: GPL-2.0
"""
uTLS, Go's library in the guise of browsers, by the package tls-client: NAME PORT REQUEST
impersonate=BROWSER. It has no option for a CA.
"""

import sys

import tls_client

name, port, file, *words = sys.argv[1:]
option = dict(word.split("=", 1) for word in words)
with open(file, "rb") as data:
    body = data.read().partition(b"\r\n\r\n")[2]
session = tls_client.Session(client_identifier=option["impersonate"], force_http1=True)
if "twice" in option:
    session.get(f"https://{name}:{port}/", insecure_skip_verify=True,
                headers={"Connection": "close"})
answer = session.post(f"https://{name}:{port}/echo", data=body, insecure_skip_verify=True,
                      headers={"Connection": "close"})
sys.stdout.buffer.write(b"HTTP/1.1 %d\r\n\r\n" % answer.status_code + answer.content)
