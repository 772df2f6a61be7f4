#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
The ABI of TLS handshakes in the kernel (include/uapi/linux/tls.h), for tests.
"""

import base64
import ctypes
import errno
import os
import platform
import select
import socket
import struct

SOL_TLS = 282
TCP_ULP = 31
TLS_TX, TLS_RX, TLS_TX_MAX_PAYLOAD_LEN = 1, 2, 5
TLS_HS, TLS_HS_STATUS, TLS_HS_ALPN = 6, 7, 8
TLS_HS_KEY_UPDATE, TLS_HS_EXPORTER, TLS_HS_SNI = 9, 10, 11
AF_TLS = 46

VERSION_1_2, VERSION_1_3 = 1, 2
F_SNI_STRICT, F_THREAD, F_CLIENT_CERT, F_NO_FALLBACK, F_SOFTIRQ = 1, 2, 4, 16, 32
F_INET_FAMILY, F_PSK = 64, 128
S_RESUMED, S_RETRIED, S_CLOSED, S_EXTERNAL_PSK = 1, 2, 4, 8

_SETTINGS = struct.Struct("=IIiI8H16H8H8HI")
_STATUS = struct.Struct("=HHHHII256s")

# Two self-signed identities for tests: a certificate and its PKCS#8 key, DER.
# Names: ecdsa.test (P-256); rsa.test and *.rsa.test (RSA, 2048 bits).
P256_IDENTITY = base64.b64decode("""
MIIBmTCCAT6gAwIBAgIUIsQ/l8lHgZorlgIcw5m3bX2XL7EwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKZWNkc2EudGVz
dDAgFw0yNjExMjMxOTIyMjRaGA8yMTI2MTAzMDE5MjIyNFowFTETMBEGA1UEAwwKZWNkc2EudGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABOc6/+Dp3Ld9YSSzn0YAPc9uZxQm15Ag3G7w2SK6upxrSXliZqIGa0wbsu/JglEqbd3lwy3T
rqoHStubzHyIDVyjajBoMB0GA1UdDgQWBBSz4ESyarI2wlxWk1VrVPC07RBJdzAfBgNVHSMEGDAWgBSz4ESyarI2wlxW
k1VrVPC07RBJdzAPBgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmVjZHNhLnRlc3QwCgYIKoZIzj0EAwIDSQAwRgIh
ALRYtlXksevsSwRQBg3jT87FJy1F9XtA/y4+tdXSbqfzAiEA3iu9y0w5rSRhvOkyvMgqNBrCmd4wK65ZaDUkHIeN+0ow
gYcCAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEbTBrAgEBBCBZTlilRZJgz/TqsGAVoOyEqqZuNTC5kAGHZhdE+E5j7KFE
A0IABOc6/+Dp3Ld9YSSzn0YAPc9uZxQm15Ag3G7w2SK6upxrSXliZqIGa0wbsu/JglEqbd3lwy3TrqoHStubzHyIDVw=
""")
RSA_IDENTITY = base64.b64decode("""
MIIDKjCCAhKgAwIBAgIUK7/+36YL0IFb6WH1Jnseo25HI+UwDQYJKoZIhvcNAQELBQAwEzERMA8GA1UEAwwIcnNhLnRl
c3QwIBcNMjYxMTIzMTkyMjI0WhgPMjEyNjEwMzAxOTIyMjRaMBMxETAPBgNVBAMMCHJzYS50ZXN0MIIBIjANBgkqhkiG
9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsd51fcc8nZ8kSVZ6wKQKZ1YrFYxUNETTIWqp+20+R/vR9lccbONCrueJ+PNGNqHn
YXVViMgqPNxe9ifjr3M+ZdkDiEkBq88Ezgi8NIBJnJxRpK/CyLlcWroGqT0hZH3Qh/hfx+Du0fprI+g8NtJEiqFi9hL0
Z7gUQ/wU/5N7zSYofJYNg8m4ZpO/qlNX71KiWpW2ksWK31M0ywT5Y1S6rlqB9HJADllj19Ses/u/tzz4kFsV2A4FRaUt
c7t100cho7cU1okqhfkPXrxwx7thTR/qCwtkOg2ckQR3sbQJ5s9KIoTE2d2IPOG0KMpeAVk3LC/ntQ1SpByttkNSDW0k
QQIDAQABo3QwcjAdBgNVHQ4EFgQU17XNEpjyRyMK1xSV3OumcN2pzUgwHwYDVR0jBBgwFoAU17XNEpjyRyMK1xSV3Oum
cN2pzUgwDwYDVR0TAQH/BAUwAwEB/zAfBgNVHREEGDAWgghyc2EudGVzdIIKKi5yc2EudGVzdDANBgkqhkiG9w0BAQsF
AAOCAQEAHn1ncQOBE74q1oU0zQ4I8+qz031WEk0FVHebmiCsyiexwIkpY+joBy7TnwimSjWI637FtXsnq56X+xbbWG1B
gPoC3nqa8Ja4cQiR5K3g9hlGKFk9B1vVVVWwKYf2CbbnO2Wj2dx1m0hrPSvgpfHGr5QVU97y7bm3aEd2PeOgLb8Ppa74
/acezAjPue+O08KCv37j2DNUCXCe/JonqKqCpzbeI4PHwlJNaaj5KrEgYUKuIIWqLAYm4mQwHOtKEQEXAv2HaEZiAQpG
F+R3AnbgwnQPZCNOhNQicDi5Z2J3IPZUew0SXiVgM4f8mRAWGzkDjfsnLWIKEcV80mXoGrGJBTCCBLsCAQAwDQYJKoZI
hvcNAQEBBQAEggSlMIIEoQIBAAKCAQEAsd51fcc8nZ8kSVZ6wKQKZ1YrFYxUNETTIWqp+20+R/vR9lccbONCrueJ+PNG
NqHnYXVViMgqPNxe9ifjr3M+ZdkDiEkBq88Ezgi8NIBJnJxRpK/CyLlcWroGqT0hZH3Qh/hfx+Du0fprI+g8NtJEiqFi
9hL0Z7gUQ/wU/5N7zSYofJYNg8m4ZpO/qlNX71KiWpW2ksWK31M0ywT5Y1S6rlqB9HJADllj19Ses/u/tzz4kFsV2A4F
RaUtc7t100cho7cU1okqhfkPXrxwx7thTR/qCwtkOg2ckQR3sbQJ5s9KIoTE2d2IPOG0KMpeAVk3LC/ntQ1SpByttkNS
DW0kQQIDAQABAoH/cQIiK/PLc2nf0tNQfSy8NMOZRBY7Oapbaj6BbpljRLZIxEwRvKz3enY+7HPEXIRT+fu5My/Z236N
ZwrDrSl6BO5Ilu0A/s6HraVRzm7jq3k19ih63VpybxevkRSh2V3b1p0xCFFv6uvr6ThtaXdWzQLqA+YvGpGTbqOuw7hJ
+XYBJhMliQFyhoyT6VbfqAeZ1Fp2jDWevqnFH4ulWUaJM8IRB/euf306peJ6UnD6dRt0FhJChUqnl6+VAe2bROPgVGb6
bvuDEhj6Hdee5z4goLajnzrmbYYpcjujsuMNSntm3gSb0RZTaRMhtv5vu+v4dJsELWGYAizHgLNd5jGBAoGBAOVEUK9B
zzN7mRY+uu6bCUuUHn1JJnDygkDOnz/p3CQSLCjBVctPbCyGttiS2BBoclTQfnChvx2XbESTYw2ksg8oJop8aoVr9Lh6
PYYBSeBTBP/roQAkt+JadIAa2YdbGfQSAPi/2AKCflyblnGExeq/dByQz3ssW0XlrnsB3neBAoGBAMab5tQnQs7HB8dx
tcCdZ5WkaVX0SM3oZx3I/oddm8G9TbDcCGf6q/eYSdFhBMhpgPHlJ4JzAwHMwUErrkbV5hKOA2UKk1UAh9WXoilrWKhw
Tzy3r2l3bDHk8xJDy77BVQo6lFhPQmkQqM6TFFrTtWGnGmNRUz65nAO7ARrcmwzBAoGAZKcNVSPrN4r3tpBruP1Po2Kv
0AkhW0zcal9MAt9EyoE/6dSXOd7wesvZ0lMFkI6KQzoViJU6Nl+YJLMgNYksswLJiNr+WP0AP01LXV2LdXR9KW3lDQ8R
u8pCg0tGXOpeBo0w6AQxbUik+TtFXSkRSvIqo6/fpw/eMl2XsGEtrgECgYEAq090VlCbJqK0igsB++eJnqDXHwX7+mfY
8e8Z5QcQP5eauM/CDHZC+OkJ2yl1J60hRQUlBDdSQ64qj50u0PjVX/HQ6cmqdapkgA8wF8v5CCj/n97M1grlb1ANfhau
WpaGVLFcnaOYI+nzwWNKLmHoVRf/AeX3COautOULufDJaMECgYBFmT165k63Wu8lUcKMkEgson8kxhNtKF4KXx7sEI8R
tLJf9uINXIcHeU6P/WEi6brvsaQ2uxSqwPbS9UI0i+GWplckR84AmpBTkPO3uMkn8Ul8chHHLZLgAlsMu44S2BrXMCXH
TAsJLzXj+uyifgRmC1+M+zBuEh+Go78H94m6FA==
""")

KEYCTL_JOIN, KEYCTL_SETPERM, KEYCTL_REVOKE, KEYCTL_CLEAR = 1, 5, 3, 7
KEYCTL_READ, KEYCTL_UNLINK, KEYCTL_UPDATE = 11, 9, 2
KEYCTL_LINK, KEYCTL_SET_TIMEOUT, KEYCTL_INVALIDATE = 8, 15, 21
SESSION_KEYRING = -3

_libc = ctypes.CDLL(None, use_errno=True)
_ADD_KEY, _KEYCTL = {"x86_64": (248, 250), "s390x": (278, 280), "ppc64le": (269, 271),
                     "i686": (286, 288)}.get(platform.machine(), (217, 219))


def _syscall(*args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    ret = _libc.syscall(*args)
    if ret < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return ret


def add_key(kind, desc, payload, keyring):
    """add_key(2)."""
    data = payload if payload else None
    return _syscall(_ADD_KEY, kind.encode(), desc.encode(), data,
                    len(payload) if payload else 0, keyring)


def request_key(kind, desc, callout, keyring):
    """request_key(2), which leaves a negative key if nobody can make one."""
    return _syscall(_ADD_KEY + 1, kind.encode(), desc.encode(), callout.encode(), keyring)


def keyctl(op, *args):
    """keyctl(2)."""
    return _syscall(_KEYCTL, op, *args)


def join_session():
    """A session keyring of our own, so that nothing outlives the test."""
    return keyctl(KEYCTL_JOIN, None)


def new_keyring(*identities):
    """A keyring with identities, in the session keyring."""
    ring = add_key("keyring", f"tls-{os.getpid()}-{os.urandom(4).hex()}", None, SESSION_KEYRING)
    for i, payload in enumerate(identities):
        add_key("tls_identity", f"id{i}", payload, ring)
    return ring


def _pad(values, n):
    return list(values) + [0] * (n - len(values))


def settings(keyring, versions=VERSION_1_2 | VERSION_1_3, flags=0, timeout_ms=0,
             suites=(), tls12_suites=(), groups=(), schemes=(), max_handshakes=0):
    """struct tls_hs_settings."""
    return _SETTINGS.pack(versions, flags, keyring, timeout_ms, *_pad(suites, 8),
                          *_pad(tls12_suites, 16), *_pad(groups, 8), *_pad(schemes, 8),
                          max_handshakes)


def parse_settings(data):
    """struct tls_hs_settings as a dict."""
    v = _SETTINGS.unpack(data)
    return {"versions": v[0], "flags": v[1], "keyring": v[2], "timeout_ms": v[3],
            "suites": v[4:12], "tls12_suites": v[12:28], "groups": v[28:36],
            "schemes": v[36:44], "max_handshakes": v[44]}


SETTINGS_SIZE = _SETTINGS.size
STATUS_SIZE = _STATUS.size


def set_alpn(sock, *names):
    """Sets the application protocols of a listener."""
    sock.setsockopt(SOL_TLS, TLS_HS_ALPN, b"".join(bytes([len(n)]) + n for n in names))


def alpn(sock):
    """The application protocol of an accepted socket, or the list of a listener."""
    return sock.getsockopt(SOL_TLS, TLS_HS_ALPN, 255)


def export(sock, label, context, length, room=0, tail=b"", size=None):
    """TLS_HS_EXPORTER: keying material of an accepted socket."""
    size = 16 + len(tail) if size is None else size
    head = struct.pack("=4I", size, len(label), len(context), length) + tail
    data = head + label + context
    data += bytes(max(size + length - len(data), room - len(data), 0))
    buf = ctypes.create_string_buffer(data, len(data))
    optlen = ctypes.c_uint(room or len(data))
    if _libc.getsockopt(sock.fileno(), SOL_TLS, TLS_HS_EXPORTER, buf, ctypes.byref(optlen)):
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    if buf.raw[:len(head)] != head:
        raise ValueError("the head has changed")
    return buf.raw[size:optlen.value]


def status(sock):
    """struct tls_hs_status of an accepted socket as a dict."""
    data = sock.getsockopt(SOL_TLS, TLS_HS_STATUS, STATUS_SIZE)
    v = _STATUS.unpack(data)
    return {"version": v[0], "suite": v[1], "group": v[2], "scheme": v[3], "flags": v[4],
            "duration_us": v[5], "name": v[6].split(b"\0")[0].decode("ascii", "replace")}


def set_sni(sock, name, keyring, alpn=(), **kwargs):  # pylint: disable=redefined-outer-name
    """Settings for a server name; a keyring of 0 takes them away."""
    protocols = alpn if isinstance(alpn, bytes) else b"".join(bytes([len(n)]) + n for n in alpn)
    sock.setsockopt(SOL_TLS, TLS_HS_SNI, name.encode().ljust(256, b"\0") +
                    protocols.ljust(256, b"\0") + settings(keyring, **kwargs))


def listener(keyring, family=socket.AF_INET, addr=None, backlog=64, **kwargs):
    """A non-blocking listening socket with TLS_HS set."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if addr is None:
        addr = ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0)
    sock.bind(addr)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    sock.setsockopt(SOL_TLS, TLS_HS, settings(keyring, **kwargs))
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def counters():
    """/proc/net/tls_stat as a dict."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def _attributes(data):
    """Netlink attributes as a dict."""
    out = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        out[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return out


def diag_tls(sock):
    """INET_ULP_INFO_TLS of a TCP socket as inet_diag reports it to anyone; None if nothing."""
    inet_diag_ulp_info, ulp_info_tls = 19, 2
    ulp = _attributes(_attributes(diag(sock)[72:]).get(inet_diag_ulp_info, b""))
    return _attributes(ulp[ulp_info_tls]) if ulp_info_tls in ulp else None


def diag(sock, ext=2):
    """All that inet_diag reports of a TCP socket; each bit of ext is for an attribute."""
    netlink_sock_diag, by_family, dump = 4, 20, 0x301
    family, ports = sock.family, (sock.getsockname()[1], sock.getpeername()[1])
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, ext, 0, 0xffffffff)
    request += struct.pack("!HH", *ports) + bytes(36) + b"\xff" * 8
    found = b""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink_sock_diag) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(request), by_family, dump, 1, 0) + request)
        while True:
            data = netlink.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                message, data = data[16:length], data[(length + 3) & ~3:]
                if kind == 2:
                    raise OSError(-struct.unpack_from("=i", message)[0], "sock_diag")
                if kind == 3:
                    return found
                if struct.unpack_from("!HH", message, 4) == ports:
                    found = message


def destroy(family, local, remote=None, cookie=b"\xff" * 8):
    """SOCK_DESTROY, as "ss -K" does it: of a connection, or of a listener if there is none.

    With a cookie (SO_COOKIE) nothing else than that socket is destroyed.
    """
    netlink_sock_diag, sock_destroy, request_ack = 4, 21, 0x5
    def pack(addr):
        return socket.inet_pton(family, addr[0]).ljust(16, b"\0") if addr else bytes(16)
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xffffffff)
    request += struct.pack("!HH", local[1], remote[1] if remote else 0)
    request += pack(local) + pack(remote) + struct.pack("=I", 0) + cookie
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink_sock_diag) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(request), sock_destroy, request_ack, 1, 0) +
                     request)
        data = netlink.recv(1 << 16)
        err = -struct.unpack_from("=i", data, 16)[0]
        if err:
            raise OSError(err, os.strerror(err))


def destroy_listener(lsk):
    """ss -K of a listener, which its port's SO_REUSEPORT group finds by who asks."""
    cookie = lsk.getsockopt(socket.SOL_SOCKET, 57, 8)
    for port in range(1, 500):
        try:
            destroy(lsk.family, lsk.getsockname(), ("127.0.0.1", port), cookie)
            return
        except OSError as err:
            if err.errno not in (errno.ENOENT, errno.ESTALE):
                raise
    raise OSError(errno.ENOENT, "the listener is not found")


def error(func, *args):
    """The errno that a call ends in."""
    try:
        func(*args)
    except OSError as err:
        return errno.errorcode[err.errno]
    return "no error"


def readable(sock, seconds):
    """Whether poll() says that the socket is readable within that time."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))


def _sockaddr_family(addr):
    # Python gives addresses of families that it does not know as (number, bytes).
    if isinstance(addr, tuple) and len(addr) == 2 and isinstance(addr[1], bytes):
        return addr[0]
    return socket.AF_INET6 if len(addr) == 4 else socket.AF_INET


def accept(lsk, seconds=5):
    """The next connection and the family that accept(2) reported."""
    if not readable(lsk, seconds):
        raise TimeoutError("nothing to accept")
    conn, addr = lsk.accept()
    conn.settimeout(10)
    return conn, _sockaddr_family(addr)


def supported():
    """None if the kernel does TLS handshakes, otherwise why not."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        sock.setsockopt(SOL_TLS, TLS_HS, settings(0))
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ENOTCONN, errno.ENOPROTOOPT, errno.EOPNOTSUPP):
            return f"no TLS handshakes in this kernel ({errno.errorcode[err.errno]})"
    finally:
        sock.close()
    return None
