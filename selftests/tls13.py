#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
A small TLS 1.3 client for tests, with nothing but Python's standard library.

It is made to be told to misbehave: every message, record and key is in the
caller's hands. It speaks TLS_CHACHA20_POLY1305_SHA256 with X25519MLKEM768,
x25519 and secp256r1 (the arithmetic is neither fast nor constant time), does
not look at certificates, and checks the server's Finished. Section numbers are those of
RFC 9846 unless said otherwise.
"""

import collections
import hashlib
import hmac
import os
import socket
import struct

import mlkem768

# ContentType, section 5.1.
CCS, ALERT, HANDSHAKE, APPDATA = 20, 21, 22, 23

# HandshakeType, section 4.
CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, END_OF_EARLY_DATA = 1, 2, 4, 5
ENCRYPTED_EXTENSIONS, CERTIFICATE, CERTIFICATE_VERIFY = 8, 11, 15
FINISHED, KEY_UPDATE = 20, 24

# ExtensionType, section 4.3.
SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS = 0, 10, 13
MAX_FRAGMENT_LENGTH, ALPN, RECORD_SIZE_LIMIT = 1, 16, 28
STATUS_REQUEST, SIGNED_CERTIFICATE_TIMESTAMP = 5, 18
PADDING, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS = 21, 41, 42, 43
COOKIE, PSK_MODES, KEY_SHARE, TICKET_REQUEST = 44, 45, 51, 58

AES128, AES256, CHACHA = 0x1301, 0x1302, 0x1303
SECP256R1, SECP384R1, X25519, FFDHE2048 = 23, 24, 29, 256
X25519MLKEM768 = 0x11ec
ECDSA_P256, RSA_PSS_SHA256 = 0x0403, 0x0804

# AlertDescription, section 6.
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac",
    22: "record_overflow", 40: "handshake_failure", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied",
    50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled",
    109: "missing_extension", 110: "unsupported_extension",
    112: "unrecognized_name", 113: "bad_certificate_status_response",
    115: "unknown_psk_identity", 116: "certificate_required",
    117: "general_error", 120: "no_application_protocol",
}

# The random of a HelloRetryRequest, section 4.2.3.
HRR_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


class AlertReceived(Exception):
    """The peer sent an alert."""

    def __init__(self, level, desc, encrypted):
        self.level, self.desc, self.encrypted = level, desc, encrypted
        name = ALERTS.get(desc, str(desc))
        super().__init__(f"{'encrypted' if encrypted else 'plain'} alert {name} ({level})")

    @property
    def name(self):
        """The name that section 6 gives it."""
        return ALERTS.get(self.desc, str(self.desc))


class Closed(Exception):
    """The peer closed (FIN or RST) without an alert."""


# --- x25519, RFC 7748 -------------------------------------------------------

P25519 = 2**255 - 19


def x25519(scalar, point):
    """The function X25519 of RFC 7748, section 5."""
    k = int.from_bytes(scalar, "little") & ~7 & ((1 << 255) - 1) | 1 << 254
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    p = P25519
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a % p, c * b % p
        aa, bb = a * a % p, b * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


# --- secp256r1, SEC 2 section 2.4.2 -----------------------------------------

P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
G256 = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)

# The base point of secp384r1, SEC 2 section 2.5.1: a valid share for all who do not compute.
G384 = bytes.fromhex(
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e"
    "3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e81"
    "9d7a431d7c90ea0e5f")


def p256_add(a, b):
    """Adds two affine points, None being the point at infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P256 == 0:
            return None
        lam = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P256)
    else:
        lam = (b[1] - a[1]) * pow(b[0] - a[0], -1, P256)
    x = (lam * lam - a[0] - b[0]) % P256
    return x, (lam * (a[0] - x) - a[1]) % P256


def p256_mul(k, point):
    """k times the point."""
    acc = None
    for bit in bin(k)[2:]:
        acc = p256_add(acc, acc)
        if bit == "1":
            acc = p256_add(acc, point)
    return acc


def p256_encode(point):
    """UncompressedPointRepresentation, section 4.3.8.2."""
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


class KeyPair:
    """An ephemeral key of one group."""

    def __init__(self, group):
        self.group = group
        if group == X25519:
            self.secret = os.urandom(32)
            self.public = x25519(self.secret, b"\x09" + bytes(31))
        elif group == SECP256R1:
            self.secret = int.from_bytes(os.urandom(31), "big") + 1
            self.public = p256_encode(p256_mul(self.secret, G256))
        elif group == X25519MLKEM768:
            # RFC 10024: ML-KEM's part comes first, here and in the secret.
            self.secret = mlkem768.DecapsulationKey(), KeyPair(X25519)
            self.public = self.secret[0].public + self.secret[1].public
        else:
            # For hellos that want a retry or a fallback: never computed with.
            self.secret = None
            self.public = os.urandom({SECP384R1: 97, FFDHE2048: 256}.get(group, 32))
            if group == SECP384R1:
                self.public = G384

    def shared(self, peer):
        """The (EC)DHE shared secret, section 7.4."""
        if self.group == X25519:
            return x25519(self.secret, peer)
        if self.group == SECP256R1:
            assert len(peer) == 65 and peer[0] == 4
            point = int.from_bytes(peer[1:33], "big"), int.from_bytes(peer[33:], "big")
            return p256_mul(self.secret, point)[0].to_bytes(32, "big")
        if self.group == X25519MLKEM768:
            assert len(peer) == mlkem768.CT_LEN + 32
            kem, x25519_pair = self.secret
            return (kem.decapsulate(peer[:mlkem768.CT_LEN]) +
                    x25519_pair.shared(peer[mlkem768.CT_LEN:]))
        raise ValueError("group without arithmetic")


# --- ChaCha20-Poly1305, RFC 8439 ---------------------------------------------

def _quarter(s, a, b, c, d):
    m = 0xffffffff
    s[a] = s[a] + s[b] & m
    s[d] ^= s[a]
    s[d] = (s[d] << 16 | s[d] >> 16) & m
    s[c] = s[c] + s[d] & m
    s[b] ^= s[c]
    s[b] = (s[b] << 12 | s[b] >> 20) & m
    s[a] = s[a] + s[b] & m
    s[d] ^= s[a]
    s[d] = (s[d] << 8 | s[d] >> 24) & m
    s[c] = s[c] + s[d] & m
    s[b] ^= s[c]
    s[b] = (s[b] << 7 | s[b] >> 25) & m


def chacha20_block(key, counter, nonce):
    """The ChaCha20 block function, RFC 8439 section 2.3."""
    init = (list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) +
            [counter] + list(struct.unpack("<3I", nonce)))
    s = init[:]
    for _ in range(10):
        _quarter(s, 0, 4, 8, 12)
        _quarter(s, 1, 5, 9, 13)
        _quarter(s, 2, 6, 10, 14)
        _quarter(s, 3, 7, 11, 15)
        _quarter(s, 0, 5, 10, 15)
        _quarter(s, 1, 6, 11, 12)
        _quarter(s, 2, 7, 8, 13)
        _quarter(s, 3, 4, 9, 14)
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(s, init)))


def _chacha20(key, nonce, data):
    stream = b"".join(chacha20_block(key, 1 + i, nonce) for i in range((len(data) + 63) // 64))
    n = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream[:n], "big")).to_bytes(n, "big")


def _poly1305(key, aad, ct):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    s = int.from_bytes(key[16:], "little")
    data = aad + bytes(-len(aad) % 16) + ct + bytes(-len(ct) % 16)
    data += struct.pack("<QQ", len(aad), len(ct))
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return (acc + s & (1 << 128) - 1).to_bytes(16, "little")


def aead_seal(key, nonce, data, aad):
    """AEAD_CHACHA20_POLY1305 encryption."""
    ct = _chacha20(key, nonce, data)
    return ct + _poly1305(chacha20_block(key, 0, nonce)[:32], aad, ct)


def aead_open(key, nonce, data, aad):
    """AEAD_CHACHA20_POLY1305 decryption; ValueError if the tag is wrong."""
    ct, tag = data[:-16], data[-16:]
    if _poly1305(chacha20_block(key, 0, nonce)[:32], aad, ct) != tag:
        raise ValueError("bad tag")
    return _chacha20(key, nonce, ct)


# --- Key schedule, section 7 --------------------------------------------------

def expand_label(secret, label, context, length):
    """HKDF-Expand-Label, section 7.1 (one block is always enough here)."""
    full = b"tls13 " + label
    info = struct.pack(">HB", length, len(full)) + full + bytes([len(context)]) + context
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:length]


def _extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


class Keys:
    """Protects records in one direction, section 5.2 and 5.3."""

    def __init__(self, secret):
        self.secret = secret
        self.key = expand_label(secret, b"key", b"", 32)
        self.iv = int.from_bytes(expand_label(secret, b"iv", b"", 12), "big")
        self.seq = 0

    def _nonce(self):
        nonce = (self.iv ^ self.seq).to_bytes(12, "big")
        self.seq += 1
        return nonce

    def seal(self, ctype, data, pad=0):
        """One TLSCiphertext record."""
        inner = data + (bytes([ctype]) if ctype is not None else b"") + bytes(pad)
        header = struct.pack(">BHH", APPDATA, 0x0303, len(inner) + 16)
        return header + aead_seal(self.key, self._nonce(), inner, header)

    def open(self, header, body):
        """The content type and content of one TLSCiphertext record."""
        inner = aead_open(self.key, self._nonce(), body, header).rstrip(b"\0")
        return inner[-1], inner[:-1]

    def updated(self):
        """The next generation of keys, section 7.2."""
        return Keys(expand_label(self.secret, b"traffic upd", b"", 32))


# --- Messages -------------------------------------------------------------------

def vec(size, data):
    """A vector with a length of size bytes in front."""
    return len(data).to_bytes(size, "big") + data


def u16s(*values):
    """A sequence of 16-bit numbers."""
    return b"".join(v.to_bytes(2, "big") for v in values)


def message(mtype, body):
    """A handshake message, section 4."""
    return bytes([mtype]) + vec(3, body)


def record(ctype, data, version=0x0301):
    """A TLSPlaintext record, section 5.1."""
    return struct.pack(">BHH", ctype, version, len(data)) + data


def records(ctype, data, size, version=0x0301):
    """The data in as many records as are needed with size bytes each."""
    return b"".join(record(ctype, data[i:i + size], version) for i in range(0, len(data), size))


# What a client keeps of a NewSessionTicket, section 4.7.1; or an external PSK, whose identity is in
# the place of the ticket.
Ticket = collections.namedtuple("Ticket", "ticket psk age_add lifetime")


class Hello:
    """A ClientHello, section 4.2.2, whose fields may be anything."""

    def __init__(self, name="ecdsa.test", groups=(X25519,), shares=None,
                 suites=(CHACHA,), schemes=(ECDSA_P256, RSA_PSS_SHA256), versions=(0x0304,)):
        self.legacy_version = 0x0303
        self.random = os.urandom(32)
        self.session_id = os.urandom(32)
        self.suites = u16s(*suites)
        self.compression = b"\0"
        self.keys = {g: KeyPair(g) for g in (groups if shares is None else shares)}
        self.exts = []
        self.ticket = None
        self.label = b"res binder"
        self.before = b""       # the transcript before this one
        if name is not None:
            self.exts.append((SERVER_NAME, vec(2, b"\0" + vec(2, name.encode()))))
        if versions:
            self.exts.append((SUPPORTED_VERSIONS, vec(1, u16s(*versions))))
        self.exts.append((SUPPORTED_GROUPS, vec(2, u16s(*groups))))
        self.exts.append((SIGNATURE_ALGORITHMS, vec(2, u16s(*schemes))))
        self.exts.append((KEY_SHARE, vec(2, self.shares())))

    def shares(self):
        """The KeyShareEntry list."""
        return b"".join(u16s(g) + vec(2, k.public) for g, k in self.keys.items())

    def set(self, ext, data):
        """Replaces an extension, or adds it at the end."""
        for i, (known, _) in enumerate(self.exts):
            if known == ext:
                self.exts[i] = (ext, data)
                return self
        self.exts.append((ext, data))
        return self

    def drop(self, ext):
        """Leaves an extension out."""
        self.exts = [e for e in self.exts if e[0] != ext]
        return self

    def offer(self, ticket):
        """Offers a ticket, section 4.3.11, or none, but takes some if there are any."""
        self.ticket = ticket
        return self.set(PSK_MODES, b"\1\1")

    def offer_external(self, identity, key):
        """Offers an external PSK for SHA-256, section 4.3.11."""
        self.label = b"ext binder"
        return self.offer(Ticket(identity, key, bytes(4), 0))

    def head(self):
        """All before the extensions."""
        return (u16s(self.legacy_version) + self.random + vec(1, self.session_id) +
                vec(2, self.suites) + vec(1, self.compression))

    def ext_block(self):
        """The extensions without the length of all."""
        return b"".join(u16s(t) + vec(2, d) for t, d in self.exts)

    def message(self):
        """The handshake message."""
        if self.ticket is None:
            return message(CLIENT_HELLO, self.head() + vec(2, self.ext_block()))
        # The binder, section 4.3.11.2, is the last thing in the message.
        identity = vec(2, self.ticket.ticket) + self.ticket.age_add
        psk = vec(2, vec(2, identity) + vec(2, vec(1, bytes(32))))
        whole = message(CLIENT_HELLO, self.head() + vec(2, self.ext_block() +
                                                        u16s(PRE_SHARED_KEY) + psk))
        early = _extract(bytes(32), self.ticket.psk)
        key = expand_label(early, self.label, hashlib.sha256(b"").digest(), 32)
        key = expand_label(key, b"finished", b"", 32)
        digest = hashlib.sha256(self.before + whole[:-35]).digest()
        return whole[:-32] + hmac.new(key, digest, hashlib.sha256).digest()

    def record(self):
        """The handshake message in one record."""
        return record(HANDSHAKE, self.message())


class Client:
    """One connection's state after the ClientHello was sent."""

    def __init__(self, sock, hello):
        self.sock, self.hello = sock, hello
        self.buf = b""
        self.transcript = b""
        self.rx = self.tx = None
        self.hs = b""
        self.server = {}
        self.retried = self.resumed = False
        self.messages = []
        self.app_rx = self.app_tx = None
        self.early = b""
        self.longest = self.flight_len = 0

    # Records in.
    def _fill(self, n):
        while len(self.buf) < n:
            try:
                data = self.sock.recv(65536)
            except ConnectionError as err:
                raise Closed(str(err)) from err
            if not data:
                raise Closed("FIN")
            self.buf += data

    def read_record(self):
        """The next record's type and content, decrypted when there are keys."""
        self._fill(5)
        header = self.buf[:5]
        ctype, _, length = struct.unpack(">BHH", header)
        self._fill(5 + length)
        body, self.buf = self.buf[5:5 + length], self.buf[5 + length:]
        self.flight_len += 0 if self.app_rx else 5 + length
        encrypted = self.rx is not None and ctype == APPDATA
        if encrypted:
            ctype, body = self.rx.open(header, body)
            # TLSInnerPlaintext, section 5.2.
            self.longest = max(self.longest, length - 16)
        if ctype == ALERT:
            raise AlertReceived(body[0], body[1], encrypted)
        return ctype, body

    def read_message(self):
        """The next handshake message, added to the transcript."""
        while len(self.hs) < 4 or len(self.hs) < 4 + int.from_bytes(self.hs[1:4], "big"):
            ctype, body = self.read_record()
            if ctype == CCS:
                continue
            if ctype != HANDSHAKE:
                raise ValueError(f"record of type {ctype} in the handshake")
            self.hs += body
        n = 4 + int.from_bytes(self.hs[1:4], "big")
        msg, self.hs = self.hs[:n], self.hs[n:]
        return msg

    def _hash(self):
        return hashlib.sha256(self.transcript).digest()

    # The handshake.
    def send_hello(self, chunk=0):
        """Sends the hello, in segments of chunk bytes if that is not 0."""
        self.transcript += self.hello.message()
        send_chunks(self.sock, self.hello.record(), chunk)

    def server_hello(self, auto_retry=True):
        """Reads ServerHello (answers a HelloRetryRequest) and makes the handshake keys."""
        msg = self.read_message()
        if msg[0] != SERVER_HELLO:
            raise ValueError(f"message {msg[0]} instead of ServerHello")
        body = msg[4:]
        sid_len = body[34]
        pos = 35 + sid_len
        self.server = {"random": body[2:34], "sid": body[35:pos],
                       "suite": int.from_bytes(body[pos:pos + 2], "big")}
        exts = parse_exts(body[pos + 3:])
        self.server["exts"] = exts
        if self.server["sid"] != self.hello.session_id:
            raise ValueError("legacy_session_id_echo differs")
        if exts.get(SUPPORTED_VERSIONS) != b"\x03\x04":
            raise ValueError("not TLS 1.3")
        if self.server["random"] == HRR_RANDOM:
            if self.retried:
                raise ValueError("two HelloRetryRequests")
            self.retried = True
            # The first hello is replaced by its hash, section 4.1.
            self.transcript = message(254, self._hash()) + msg
            self.hello.before = self.transcript
            if auto_retry:
                self.retry_hello(int.from_bytes(exts[KEY_SHARE], "big"))
                self.send_hello()
                return self.server_hello()
            return None
        self.transcript += msg
        share = exts[KEY_SHARE]
        group = int.from_bytes(share[:2], "big")
        self.server["group"] = group
        shared = self.hello.keys[group].shared(share[4:])
        self.schedule(shared)
        return self.server

    def retry_hello(self, group):
        """Changes the hello as a HelloRetryRequest for group asks, section 4.2.2."""
        self.hello.keys = {group: KeyPair(group)}
        self.hello.set(KEY_SHARE, vec(2, self.hello.shares())).drop(EARLY_DATA)

    def schedule(self, shared):
        """Handshake traffic keys, section 7.1."""
        empty = hashlib.sha256(b"").digest()
        self.resumed = PRE_SHARED_KEY in self.server["exts"]
        early = _extract(bytes(32), self.hello.ticket.psk if self.resumed else bytes(32))
        self.main = _extract(expand_label(early, b"derived", empty, 32), shared)
        self.c_hs = expand_label(self.main, b"c hs traffic", self._hash(), 32)
        self.s_hs = expand_label(self.main, b"s hs traffic", self._hash(), 32)
        self.rx, self.tx = Keys(self.s_hs), Keys(self.c_hs)
        derived = expand_label(self.main, b"derived", empty, 32)
        self.main = _extract(derived, bytes(32))

    def server_flight(self):
        """Reads all up to the server's Finished, which must be right."""
        while True:
            msg = self.read_message()
            self.messages.append(msg[0])
            if msg[0] == FINISHED:
                key = expand_label(self.s_hs, b"finished", b"", 32)
                want = hmac.new(key, self._hash(), hashlib.sha256).digest()
                if msg[4:] != want:
                    raise ValueError("the server's Finished is wrong")
                self.transcript += msg
                break
            if msg[0] == CERTIFICATE:
                # certificate_request_context, list length, first entry's length.
                n = int.from_bytes(msg[8:11], "big")
                self.server["cert"] = msg[11:11 + n]
                self.server["chain"] = parse_chain(msg[8:])
            if msg[0] == ENCRYPTED_EXTENSIONS:
                self.server["encrypted_exts"] = parse_exts(msg[4:])
            if msg[0] == CERTIFICATE_VERIFY:
                self.server["scheme"] = int.from_bytes(msg[4:6], "big")
            self.transcript += msg
        self.exporter_secret = expand_label(self.main, b"exp master", self._hash(), 32)
        self.app_rx = Keys(expand_label(self.main, b"s ap traffic", self._hash(), 32))
        self.app_tx = Keys(expand_label(self.main, b"c ap traffic", self._hash(), 32))

    def finished(self):
        """The client's Finished message, section 4.5.3."""
        key = expand_label(self.c_hs, b"finished", b"", 32)
        return message(FINISHED, hmac.new(key, self._hash(), hashlib.sha256).digest())

    def switch(self):
        """From handshake keys to application keys."""
        whole = hashlib.sha256(self.transcript + self.finished()).digest()
        self.resumption_secret = expand_label(self.main, b"res master", whole, 32)
        self.rx, self.tx = self.app_rx, self.app_tx

    def handshake(self, data=b"", chunk=0, ccs=True):
        """A full handshake; data goes out in the segment of the Finished."""
        self.send_hello(chunk)
        self.server_hello()
        self.server_flight()
        out = record(CCS, b"\x01", 0x0303) if ccs else b""
        out += self.tx.seal(HANDSHAKE, self.finished())
        self.switch()
        if data:
            out += self.tx.seal(APPDATA, data)
        send_chunks(self.sock, out, chunk)
        return self.server

    def tickets(self, data):
        """The tickets before that application data."""
        messages = b""
        while True:
            ctype, body = self.read_record()
            if ctype == APPDATA:
                break
            messages += body
        if body != data:
            raise ValueError(f"{body!r} instead of {data!r}")
        out = []
        while messages:
            size = 4 + int.from_bytes(messages[1:4], "big")
            msg, messages = messages[:size], messages[size:]
            if msg[0] != NEW_SESSION_TICKET:
                raise ValueError(f"message {msg[0]} instead of NewSessionTicket")
            nonce = msg[13:13 + msg[12]]
            at = 13 + msg[12]
            size = int.from_bytes(msg[at:at + 2], "big")
            psk = expand_label(self.resumption_secret, b"resumption", nonce, 32)
            out.append(Ticket(msg[at + 2:at + 2 + size], psk, msg[8:12],
                              int.from_bytes(msg[4:8], "big")))
        return out

    def export(self, label, context, length):
        """TLS-Exporter, section 7.5, of up to 32 bytes."""
        empty = hashlib.sha256(b"").digest()
        secret = expand_label(self.exporter_secret, label, empty, 32)
        return expand_label(secret, b"exporter", hashlib.sha256(context).digest(), length)

    # Application data.
    def send(self, data, ctype=APPDATA):
        """Sends one record."""
        self.sock.sendall(self.tx.seal(ctype, data))

    def recv(self):
        """The next application data; b"" for close_notify; tickets are skipped."""
        while True:
            try:
                ctype, body = self.read_record()
            except AlertReceived as alert:
                if alert.desc == 0:
                    return b""
                raise
            if ctype == APPDATA:
                return body

    def recv_exact(self, n):
        """n bytes of application data."""
        out = b""
        while len(out) < n:
            data = self.recv()
            if not data:
                raise Closed("close_notify")
            out += data
        return out


def parse_chain(entries):
    """Certificates and their extensions, section 4.5.1."""
    out = []
    while entries:
        n = 3 + int.from_bytes(entries[:3], "big")
        end = n + 2 + int.from_bytes(entries[n:n + 2], "big")
        out.append((entries[3:n], parse_exts(entries[n:end])))
        entries = entries[end:]
    return out


def parse_exts(block):
    """The extensions of a block with its length in front, as a dict."""
    out, pos = {}, 2
    while pos < len(block):
        kind, n = struct.unpack(">HH", block[pos:pos + 4])
        out[kind] = block[pos + 4:pos + 4 + n]
        pos += 4 + n
    return out


def send_chunks(sock, data, chunk):
    """Sends data in TCP segments of chunk bytes; 0 sends it at once."""
    if not chunk:
        sock.sendall(data)
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(0, len(data), chunk):
        sock.sendall(data[i:i + chunk])


def _selftest():
    # RFC 7748, section 5.2, first vector.
    k = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert x25519(k, u).hex() == \
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    # RFC 8439, section 2.8.2.
    key = bytes(range(0x80, 0xa0))
    nonce = bytes.fromhex("070000004041424344454647")
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you "
            b"only one tip for the future, sunscreen would be it.")
    sealed = aead_seal(key, nonce, text, aad)
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert aead_open(key, nonce, sealed, aad) == text
    # The order of the group takes the base point to infinity (SEC 2, 2.4.2).
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    assert p256_mul(order, G256) is None
    print("ok")


if __name__ == "__main__":
    _selftest()
