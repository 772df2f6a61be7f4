# SPDX-License-Identifier: GPL-2.0
"""
BoringSSL as browsers use it, by curl_cffi: NAME PORT REQUEST impersonate=BROWSER
[OPTION=VALUE]... The answer is written as it would be on the wire.
"""

import sys

from curl_cffi import CurlOpt, requests

name, port, file, *words = sys.argv[1:]
option = dict(word.split("=", 1) for word in words)
with open(file, "rb") as data:
    body = data.read().partition(b"\r\n\r\n")[2]
kwargs = {"verify": "ca.pem", "headers": {"Connection": "close"}, "timeout": 100}
if option.get("impersonate"):
    kwargs["impersonate"] = option["impersonate"]
curl_options = {}
if "groups" in option:
    curl_options[CurlOpt.SSL_EC_CURVES] = option["groups"].encode()
if "suite" in option:
    curl_options[CurlOpt.TLS13_CIPHERS] = option["suite"].encode()
if option.get("version") == "1.2":
    # CURL_SSLVERSION_MAX_TLSv1_2
    curl_options[CurlOpt.SSLVERSION] = 6 << 16
if option.get("alpn") == "http/1.1":
    kwargs["http_version"] = "v1"
with requests.Session(curl_options=curl_options) as session:
    if "twice" in option:
        session.get(f"https://{name}:{port}/", **kwargs)
    answer = session.post(f"https://{name}:{port}/echo", data=body, **kwargs)
sys.stdout.buffer.write(b"HTTP/1.1 %d\r\n\r\n" % answer.status_code + answer.content)
