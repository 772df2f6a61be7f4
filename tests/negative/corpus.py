#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Malformed, odd and hostile handshakes, each with what its section asks for; sections are those of
RFC 9846 unless another standard is named.

HELLOS are bytes sent instead of, or as, a ClientHello. LATER are functions
that misbehave after the server's first flight. "want" is a set of outcomes:
the name of an alert, "ok" (a full handshake), "fallback" (the connection goes
to user space with its bytes unread), "closed" (the end without an alert).
Where the RFC leaves a choice the set has more than one member and the note
says why.

corpus.py --dump DIR writes each hello to a file, for fuzzers and other tests.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position,wildcard-import,unused-wildcard-import
from tls13 import *  # noqa: E402,F403

DE, IP, UM, ME = "decode_error", "illegal_parameter", "unexpected_message", "missing_extension"
PV, HF, RO = "protocol_version", "handshake_failure", "record_overflow"
BRM, DCE = "bad_record_mac", "decrypt_error"


class Case:
    """One way of misbehaving."""

    def __init__(self, name, section, want, make, note="", rest=None):
        self.name, self.section, self.note = name, section, note
        self.want = want if isinstance(want, set) else {want}
        self.make, self.rest = make, rest


HELLOS = []
LATER = []


def hello(title, section, want, note="", **kwargs):
    """Registers a function that changes a good hello, or returns other bytes to send."""
    def deco(func):
        def make():
            h = Hello(**kwargs)
            got = func(h)
            return h, got if isinstance(got, bytes) else h.record()
        HELLOS.append(Case(title, section, want, make, note))
        return func
    return deco


def raw(name, section, want, data, note=""):
    """Registers bytes as they are."""
    HELLOS.append(Case(name, section, want, lambda: (None, data), note))


def later(name, section, want, note=""):
    """Registers a function(client) that acts after the server's flight."""
    def deco(func):
        LATER.append(Case(name, section, want, func, note))
        return func
    return deco


def body(data):
    """A ClientHello message with this body, in one record."""
    return record(HANDSHAKE, message(CLIENT_HELLO, data))


# --- Good hellos, so that a refusal of everything does not pass ---------------------

hello("plain good hello", "4.2.2", "ok")(lambda h: None)
hello("P-256 share", "4.3.8", "ok", groups=(SECP256R1,))(lambda h: None)
hello("no server_name", "4.3", "ok", name=None)(lambda h: None)
hello("empty legacy_session_id", "4.2.2", "ok")(lambda h: setattr(h, "session_id", b""))
hello("two shares", "4.3.8", "ok", groups=(X25519, SECP256R1))(lambda h: None)
hello("an unknown share first", "4.3.8", "ok", groups=(0x2a2a, X25519))(lambda h: None)
hello("TLS 1.2 listed as well", "4.3.1", "ok", versions=(0x0304, 0x0303))(lambda h: None)
hello("TLS 1.2 listed first", "4.3.1", "ok",
      "the server chooses; a downgrade would be wrong", versions=(0x0303, 0x0304))(lambda h: None)
hello("GREASE everywhere", "RFC 8701 3.1", "ok", groups=(0x1a1a, X25519), shares=(X25519,),
      suites=(0xbaba, CHACHA), schemes=(0x2a2a, ECDSA_P256, RSA_PSS_SHA256),
      versions=(0x7a7a, 0x0304))(
    lambda h: h.exts.extend([(0x5a5a, b""), (0xdada, b"\0")]))
hello("unknown extensions above 63", "4.3", "ok",
      "shifting 1 by the type was an earlier attempt's bug")(
    lambda h: h.exts.extend([(t, b"x") for t in (62, 63, 64, 65, 127, 128, 1000, 0xff01, 65535)]))
hello("padding up to 4000 bytes", "RFC 7685", {"ok", "fallback"},
      "longer than the kernel wants to keep: fallback")(lambda h: h.set(PADDING, bytes(4000)))
hello("unknown extension of 15000 bytes", "4.3", {"ok", "fallback"})(
    lambda h: h.set(0xfafa, bytes(15000)))
hello("many cipher suites", "4.2.2", {"ok", "fallback"})(
    lambda h: setattr(h, "suites", u16s(*range(0x2000, 0x2000 + 2000), CHACHA)))
hello("record version 0x0303", "5.1", "ok", "legacy_record_version is ignored")(
    lambda h: record(HANDSHAKE, h.message(), 0x0303))
hello("record version 0x0300", "5.1", "ok", "legacy_record_version is ignored")(
    lambda h: record(HANDSHAKE, h.message(), 0x0300))
hello("record version 0x0304", "5.1", "ok", "legacy_record_version is ignored")(
    lambda h: record(HANDSHAKE, h.message(), 0x0304))
hello("records of 1 byte", "5.1", {"ok", "fallback"},
      "legal, if odd")(lambda h: records(HANDSHAKE, h.message(), 1))
hello("records of 9 bytes", "5.1", "ok")(lambda h: records(HANDSHAKE, h.message(), 9))
hello("records of 100 bytes", "5.1", "ok")(lambda h: records(HANDSHAKE, h.message(), 100))
hello("unknown PSK: full handshake", "4.3.11", {"ok", "fallback"})(
    lambda h: h.set(PSK_MODES, b"\1\1").set(
        PRE_SHARED_KEY, vec(2, vec(2, b"no such ticket") + bytes(4)) + vec(2, vec(1, bytes(32))))
   )
hello("unknown name: default identity", "RFC 6066 3", "ok", name="nobody.test")(lambda h: None)

# --- What only user space can do -------------------------------------------------

hello("TLS 1.2 only", "4.3.1", {"fallback", "ok"}, versions=(), suites=(0xc02b, 0xc02f))(
    lambda h: h.drop(KEY_SHARE))
hello("supported_versions without TLS 1.3", "4.3.1", "fallback", versions=(0x0303,),
      suites=(0xc02b, 0xc02f))(lambda h: None)
hello("only suites that the kernel lacks", "4.2.1", {"fallback", HF}, suites=(0x1304, 0x1305))(
    lambda h: None)
hello("only groups that the kernel lacks", "4.2.1", {"fallback", HF}, groups=(FFDHE2048,))(
    lambda h: None)
hello("only signatures that no identity has", "4.5.2", {"fallback", HF},
      schemes=(0x0807, 0x0808))(lambda h: None)

# --- Records ------------------------------------------------------------------------

raw("plain HTTP", "5", UM, b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
raw("plain HTTP, first byte only then FIN", "5", {UM, "closed"}, b"G")
raw("SSH banner", "5", UM, b"SSH-2.0-OpenSSH_9.2\r\n")
raw("SMTP EHLO", "5", UM, b"EHLO client.example.com\r\n")
raw("nothing then FIN", "6.1", "closed", b"")
raw("5 zero bytes", "5", UM, bytes(5))
raw("512 bytes of 0xff", "5", UM, b"\xff" * 512)
raw("SSLv2 hello", "E.5", {UM, PV, DE, "fallback"},
    bytes.fromhex("802e010002001500000010") + b"\1\0\x80" * 7 + bytes(16))
raw("content type 0", "5", UM, record(0, bytes(40)))
raw("content type 24 (heartbeat)", "RFC 6520", UM, record(24, b"\1\xff\xff" + bytes(16)),
    "Heartbleed's request, before a handshake")
raw("application data first", "5", UM, record(APPDATA, bytes(40)))
raw("ChangeCipherSpec first", "5", UM, record(CCS, b"\1"))
raw("fatal alert first", "6.2", {"closed", UM}, record(ALERT, b"\2\x28"))
raw("close_notify first", "6.1", {"closed", "close_notify", UM}, record(ALERT, b"\1\0"))
raw("empty handshake record", "5.1", {UM, DE, IP}, record(HANDSHAKE, b"") * 3,
    "implementations must not send them; no alert is named")
raw("record longer than 2^14", "5.1", RO, record(HANDSHAKE, message(1, bytes(16381 + 1))))
raw("record length 0xffff", "5.1", RO, b"\x16\x03\x01\xff\xff" + bytes(100))
hello("record length 2^14+1 announced, hello inside", "5.1", RO)(
    lambda h: b"\x16\x03\x01\x40\x01" + h.message())
hello("another type between two halves", "5.1", UM)(
    lambda h: record(HANDSHAKE, h.message()[:50]) + record(APPDATA, b"x" * 20) +
    record(HANDSHAKE, h.message()[50:]))
hello("CCS between two halves", "5.1", UM)(
    lambda h: record(HANDSHAKE, h.message()[:50]) + record(CCS, b"\1") +
    record(HANDSHAKE, h.message()[50:]))
hello("empty record between two halves", "5.1", {UM, DE, IP})(
    lambda h: record(HANDSHAKE, h.message()[:50]) + record(HANDSHAKE, b"") +
    record(HANDSHAKE, h.message()[50:]))
hello("alert between two halves", "6.2", {UM, "closed"})(
    lambda h: record(HANDSHAKE, h.message()[:50]) + record(ALERT, b"\2\x28"))

# --- Handshake headers -----------------------------------------------------------

for mtype in (0, 2, 4, 5, 8, 11, 13, 15, 20, 24, 254, 255):
    raw(f"first message of type {mtype}", "4", UM, record(HANDSHAKE, message(mtype, bytes(64))))
raw("message length 0xffffff", "4", {DE, IP, HF, RO, "internal_error"},
    record(HANDSHAKE, b"\1\xff\xff\xff" + bytes(200)),
    "no limit is named; what cannot be kept must be refused at once")
raw("message length 2^17", "4", {DE, IP, HF, RO, "internal_error", "fallback", "hang"},
    record(HANDSHAKE, b"\1\2\0\0" + bytes(200)))
raw("empty ClientHello", "4.2.2", DE, record(HANDSHAKE, message(1, b"")))
raw("ClientHello of 1 byte", "4.2.2", DE, record(HANDSHAKE, message(1, b"\3")))
hello("two messages in the hello's record", "5.1", UM, "a message must end with the record "
      "before keys change")(lambda h: record(HANDSHAKE, h.message() + message(FINISHED, bytes(32))))
hello("one byte behind the hello in its record", "5.1", {UM, DE})(
    lambda h: record(HANDSHAKE, h.message() + b"\1"))
hello("two hellos in two records", "4.2.2", UM, "the second comes where Finished must")(
    lambda h: h.record() + h.record())

# --- The body -------------------------------------------------------------------

for cut in (0, 1, 2, 33, 34, 35, 66, 67, 68, 69, 70, 71, 72, 80, 100):
    hello(f"body cut after {cut} bytes", "4.2.2",
          {DE, "fallback", PV, ME} if cut == 71 else DE,
          "a hello without extensions is a TLS 1.2 hello" if cut == 71 else "")(
        lambda h, cut=cut: body(message(CLIENT_HELLO, h.head() + vec(2, h.ext_block()))[4:4 + cut]))
hello("body one byte short", "4.2.2", DE)(lambda h: body(h.message()[4:-1]))
hello("one byte behind the extensions", "4.2.2", DE)(lambda h: body(h.message()[4:] + b"\0"))
hello("session id of 33 bytes", "4.2.2", {DE, IP}, "out of the range <0..32>")(
    lambda h: setattr(h, "session_id", bytes(33)))
hello("session id of 255 bytes", "4.2.2", {DE, IP})(
    lambda h: setattr(h, "session_id", bytes(255)))
hello("session id length past the end", "4.2.2", DE)(
    lambda h: body(h.head()[:34] + b"\x20" + bytes(31)))
hello("no cipher suites", "4.2.2", {DE, IP})(lambda h: setattr(h, "suites", b""))
hello("odd cipher suites", "4.2.2", DE)(lambda h: setattr(h, "suites", h.suites + b"\0"))
hello("cipher suites past the end", "4.2.2", DE)(
    lambda h: body(h.head()[:67] + b"\xff\xfe" + h.suites + b"\1\0" + vec(2, h.ext_block())))
hello("no compression methods", "4.2.2", {DE, IP})(lambda h: setattr(h, "compression", b""))
hello("compression without null", "4.2.2", IP)(lambda h: setattr(h, "compression", b"\1"))
hello("deflate and null", "4.2.2", IP)(lambda h: setattr(h, "compression", b"\1\0"))
hello("null twice", "4.2.2", IP)(lambda h: setattr(h, "compression", b"\0\0"))
hello("compression past the end", "4.2.2", DE)(lambda h: body(h.head()[:-2] + b"\xff\0"))

# --- Versions -------------------------------------------------------------------

for version, text in ((0x0300, "SSL 3.0"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")):
    hello(f"{text} without supported_versions", "E.2", {PV, "fallback"},
          "user space can tell the client as well", versions=(), suites=(0xc013, 0x2f))(
        lambda h, version=version: setattr(h, "legacy_version", version))
for version in (0x0301, 0x0302, 0x0304, 0xfefd):
    hello(f"legacy_version {version:#06x} with supported_versions", "4.2.2", PV)(
        lambda h, version=version: setattr(h, "legacy_version", version))
hello("only TLS 1.5 and a draft", "4.3.1", PV, versions=(0x0306, 0x7f1c))(lambda h: None)
hello("only TLS 1.1 in supported_versions", "4.3.1", {PV, "fallback"}, versions=(0x0302,))(
    lambda h: None)
hello("supported_versions empty", "4.3.1", DE)(lambda h: h.set(SUPPORTED_VERSIONS, b"\0"))
hello("supported_versions without a length", "4.3.1", DE)(
    lambda h: h.set(SUPPORTED_VERSIONS, b""))
hello("supported_versions odd", "4.3.1", DE)(
    lambda h: h.set(SUPPORTED_VERSIONS, b"\3\3\4\3"))
hello("supported_versions past the end", "4.3.1", DE)(
    lambda h: h.set(SUPPORTED_VERSIONS, b"\4\3\4"))
hello("supported_versions with a tail", "4.3.1", DE)(
    lambda h: h.set(SUPPORTED_VERSIONS, b"\2\3\4\0"))

# --- Extensions -----------------------------------------------------------------

hello("extensions past the end", "4.3", DE)(
    lambda h: body(h.head() + (len(h.ext_block()) + 1).to_bytes(2, "big") + h.ext_block()))
hello("extensions end early", "4.3", DE)(
    lambda h: body(h.head() + (len(h.ext_block()) - 1).to_bytes(2, "big") + h.ext_block()))
hello("extensions length 0xffff", "4.3", DE)(
    lambda h: body(h.head() + b"\xff\xff" + h.ext_block()))
hello("one extension past the end", "4.3", DE, "an unsigned length that wraps was an earlier "
      "attempt's bug")(
    lambda h: body(h.head() + vec(2, h.ext_block() + u16s(0x5a5a, 1))))
hello("one extension of length 0xffff", "4.3", DE)(
    lambda h: body(h.head() + vec(2, h.ext_block() + u16s(0x5a5a, 0xffff) + b"xx")))
hello("three bytes of an extension", "4.3", DE)(
    lambda h: body(h.head() + vec(2, h.ext_block() + b"\x5a\x5a\0")))
for ext, text in ((SUPPORTED_VERSIONS, "supported_versions"), (KEY_SHARE, "key_share"),
                  (SUPPORTED_GROUPS, "supported_groups"), (SERVER_NAME, "server_name"),
                  (SIGNATURE_ALGORITHMS, "signature_algorithms")):
    hello(f"{text} twice", "4.3", {IP, DE}, "must not; no alert is named")(
        lambda h, ext=ext: h.exts.append((ext, dict(h.exts)[ext])))
hello("unknown extension twice", "4.3", {IP, DE, "ok"},
      "must not be sent; keeping every unknown type to find out is not asked for")(
    lambda h: h.exts.extend([(0x5a5a, b""), (0x5a5a, b"")]))
hello("no signature_algorithms", "9.2", ME)(lambda h: h.drop(SIGNATURE_ALGORITHMS))
hello("no supported_groups", "9.2", ME)(lambda h: h.drop(SUPPORTED_GROUPS))
hello("no key_share", "9.2", ME)(lambda h: h.drop(KEY_SHARE))
hello("neither groups nor key_share", "9.2", ME)(
    lambda h: h.drop(KEY_SHARE).drop(SUPPORTED_GROUPS))
hello("only supported_versions", "9.2", ME)(
    lambda h: setattr(h, "exts", [(SUPPORTED_VERSIONS, b"\2\3\4")]))

for ext, text, section in ((SUPPORTED_GROUPS, "supported_groups", "4.3.7"),
                           (SIGNATURE_ALGORITHMS, "signature_algorithms", "4.3.3")):
    for data, how in ((b"", "without a length"), (b"\0", "with half a length"),
                      (b"\0\0", "empty"), (b"\0\3\0\x1d\0", "odd"),
                      (b"\0\4\0\x1d", "past the end"), (b"\xff\xfe\0\x1d", "far past the end")):
        hello(f"{text} {how}", section, {DE, IP} if how == "empty" else DE)(
            lambda h, ext=ext, data=data: h.set(ext, data))
    hello(f"{text} with a tail", section, DE)(
        lambda h, ext=ext: h.set(ext, dict(h.exts)[ext] + b"\0"))

for data, how in ((b"", "without a length"), (b"\0\0", "with an empty list"),
                  (b"\0\1\0", "with a type alone"), (b"\0\2\0\0", "with half a name length"),
                  (b"\0\3\0\0\0", "with an empty name"),
                  (b"\0\6\0\0\4abc", "with a name past the list"),
                  (b"\0\xff\0\0\3abc", "with a list past the end")):
    hello(f"server_name {how}", "RFC 6066 3", DE)(
        lambda h, data=data: h.set(SERVER_NAME, data))
hello("server_name with a tail", "RFC 6066 3", DE)(
    lambda h: h.set(SERVER_NAME, dict(h.exts)[SERVER_NAME] + b"\0"))
hello("server_name with two names", "RFC 6066 3", {IP, DE, "ok"}, "must not be sent")(
    lambda h: h.set(SERVER_NAME, vec(2, (b"\0" + vec(2, b"ecdsa.test")) * 2)))
for first, text in ((b"", "last"), (b"\0" + vec(2, b"ecdsa.test"), "first")):
    hello(f"server_name with an unknown type, the host name {text}", "RFC 6066 3", "ok",
          "types to come have a length as well")(
        lambda h, first=first: h.set(SERVER_NAME, vec(2, first + b"\1" + vec(2, bytes(24)) + (
            b"" if first else b"\0" + vec(2, b"ecdsa.test")))))
hello("server_name with a NUL", "RFC 6066 3", {IP, DE, "unrecognized_name", "ok"})(
    lambda h: h.set(SERVER_NAME, vec(2, b"\0" + vec(2, b"ecdsa\0.test"))))
hello("server_name of 300 bytes", "RFC 6066 3", {IP, DE, "unrecognized_name", "ok"})(
    lambda h: h.set(SERVER_NAME, vec(2, b"\0" + vec(2, b"a" * 300))))
hello("server_name of 255 bytes", "RFC 6066 3", {IP, DE, "unrecognized_name", "ok"})(
    lambda h: h.set(SERVER_NAME, vec(2, b"\0" + vec(2, b"a" * 255))))
hello("server_name of 256 bytes", "RFC 6066 3", {IP, DE, "unrecognized_name", "ok"})(
    lambda h: h.set(SERVER_NAME, vec(2, b"\0" + vec(2, b"a" * 256))))

for size in (0, 1, 63):
    hello(f"record_size_limit {size}", "RFC 8449 4", IP)(
        lambda h, size=size: h.set(RECORD_SIZE_LIMIT, u16s(size)))
for size in (64, 16385, 16386, 65535):
    hello(f"record_size_limit {size}", "RFC 8449 4", "ok", "servers do not mind a high one")(
        lambda h, size=size: h.set(RECORD_SIZE_LIMIT, u16s(size)))
for data in (b"", b"\x40", b"\0\x40\0"):
    hello(f"record_size_limit of {len(data)} bytes", "RFC 8449 4", DE)(
        lambda h, data=data: h.set(RECORD_SIZE_LIMIT, data))
for code in (0, 5, 255):
    hello(f"max_fragment_length {code}", "RFC 6066 4", IP)(
        lambda h, code=code: h.set(MAX_FRAGMENT_LENGTH, bytes([code])))
for data in (b"", b"\1\1"):
    hello(f"max_fragment_length of {len(data)} bytes", "RFC 6066 4", DE)(
        lambda h, data=data: h.set(MAX_FRAGMENT_LENGTH, data))
hello("max_fragment_length 1", "RFC 6066 4", "ok")(lambda h: h.set(MAX_FRAGMENT_LENGTH, b"\1"))
for data, how in ((b"", "without a length"), (b"\0\0", "with an empty list"),
                  (b"\0\1\0", "with an empty name"), (b"\0\3\3h2", "with a name past the end"),
                  (b"\0\3\2h2\0", "with a tail"), (b"\0\4\2h2", "with a list past the end")):
    hello(f"ALPN {how}", "RFC 7301 3.1", DE)(lambda h, data=data: h.set(ALPN, data))
hello("ALPN that the server has no list for", "RFC 7301 3.1", "ok")(
    lambda h: h.set(ALPN, vec(2, b"\2h2")))

# --- Key shares -----------------------------------------------------------------


def share(h, data, group=X25519):
    """Makes data the one share of the hello."""
    h.set(SUPPORTED_GROUPS, vec(2, u16s(group)))
    h.set(KEY_SHARE, vec(2, u16s(group) + vec(2, data)))


for data, how in ((b"", "without a length"), (b"\0", "with half a length"),
                  (b"\0\1\0", "with one byte"), (b"\0\4\0\x1d\0\0", "with an empty share"),
                  (b"\0\x24\0\x1d\0\x21" + bytes(32), "with a share past the list"),
                  (b"\0\x24\0\x1d\xff\xff" + bytes(32), "with a share of length 0xffff"),
                  (b"\0\x25\0\x1d\0\x20" + bytes(32), "with a list past the end"),
                  (b"\xff\xff\0\x1d\0\x20" + bytes(32), "with a list of length 0xffff"),
                  (b"\0\x24\0\x1d\0\x20" + b"\t" * 32 + b"\0", "with a tail")):
    hello(f"key_share {how}", "4.3.8", {DE, IP} if how == "with an empty share" else DE,
          "the length indexed a fixed array in an earlier attempt")(
        lambda h, data=data: h.set(KEY_SHARE, data))
for n in (1, 31, 33, 64, 1000):
    hello(f"x25519 share of {n} bytes", "4.3.8.2", {IP, DE})(
        lambda h, n=n: share(h, b"\t" * n))
hello("x25519 share of zeros", "7.4.2", {IP, HF}, "the shared secret is all zero")(
    lambda h: share(h, bytes(32)))
for text, point in (
        ("1", b"\1" + bytes(31)),
        ("of order 8", bytes.fromhex(
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
        ("p - 1", (P25519 - 1).to_bytes(32, "little")), ("p", P25519.to_bytes(32, "little")),
        ("p + 1", (P25519 + 1).to_bytes(32, "little"))):
    hello(f"x25519 low-order share {text}", "7.4.2", {IP, HF}, "RFC 7748 6.1")(
        lambda h, point=point: share(h, point))
G = p256_encode(G256)
hello("P-256 share not on the curve", "4.3.8.2", IP)(
    lambda h: share(h, G[:-1] + bytes([G[-1] ^ 1]), SECP256R1))
hello("P-256 share (0, 0)", "4.3.8.2", IP)(lambda h: share(h, b"\4" + bytes(64), SECP256R1))
hello("P-256 share at infinity", "4.3.8.2", {IP, DE})(lambda h: share(h, b"\0", SECP256R1))
hello("P-256 share compressed", "4.3.8.2", {IP, DE})(
    lambda h: share(h, b"\3" + G[1:33], SECP256R1))
hello("P-256 share hybrid", "4.3.8.2", {IP, DE})(lambda h: share(h, b"\7" + G[1:], SECP256R1))
hello("P-256 share of 64 bytes", "4.3.8.2", {IP, DE})(lambda h: share(h, G[1:], SECP256R1))
hello("P-256 share of 66 bytes", "4.3.8.2", {IP, DE})(
    lambda h: share(h, G + b"\0", SECP256R1))
hello("P-256 share with x = p", "4.3.8.2", IP)(
    lambda h: share(h, b"\4" + P256.to_bytes(32, "big") + G[33:], SECP256R1))
hello("P-256 share with x = x + p (same point)", "4.3.8.2", IP, "coordinates must be reduced; "
      "this y has x = 5 as abscissa")(
    lambda h: share(h, b"\4" + (5 + P256).to_bytes(32, "big") + pow(
        5**3 - 15 + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        (P256 + 1) // 4, P256).to_bytes(32, "big"), SECP256R1))
hello("P-256 share of 0xff", "4.3.8.2", IP)(
    lambda h: share(h, b"\4" + b"\xff" * 64, SECP256R1))
KEM = KeyPair(X25519MLKEM768).public
hello("X25519MLKEM768 share", "RFC 10024", "ok", groups=(X25519MLKEM768,))(lambda h: None)
for n in (0, 1, 32, 1183, 1184, 1185, 1215):
    hello(f"X25519MLKEM768 share of {n} bytes", "RFC 10024", {IP, DE} if n == 0 else IP)(
        lambda h, n=n: share(h, KEM[:n], X25519MLKEM768))
hello("X25519MLKEM768 share of 1217 bytes", "RFC 10024", IP)(
    lambda h: share(h, KEM + b"\0", X25519MLKEM768))
for text, bad in (("first", b"\x01\xfd" + KEM[2:]), ("last", KEM[:1150] + b"\xf0\xd0" + KEM[1152:])):
    hello(f"X25519MLKEM768 share, {text} coefficient not reduced", "FIPS 203 7.2", IP)(
        lambda h, bad=bad: share(h, bad, X25519MLKEM768))
hello("X25519MLKEM768 share, x25519 part of zeros", "RFC 7748 6.1", IP)(
    lambda h: share(h, KEM[:-32] + bytes(32), X25519MLKEM768))
hello("X25519MLKEM768 share, parts in the wrong order", "RFC 10024", IP)(
    lambda h: share(h, b"\xff" * 32 + KEM[:-32], X25519MLKEM768))
hello("two shares for one group", "4.3.8", {IP, "ok"}, "servers may check")(
    lambda h: h.set(KEY_SHARE, vec(2, h.shares() + h.shares())))
MANY = tuple(range(0x5000, 0x5000 + 100))
hello("100 shares for unknown groups before the right one", "4.3.8", "ok",
      groups=MANY + (X25519,), shares=(X25519,))(
    lambda h: h.set(KEY_SHARE, vec(2, b"".join(u16s(g) + vec(2, b"x") for g in MANY) + h.shares())))
hello("100 shares for unknown groups after the right one", "4.3.8", "ok",
      groups=MANY + (X25519,), shares=(X25519,))(
    lambda h: h.set(KEY_SHARE, vec(2, h.shares() + b"".join(u16s(g) + vec(2, b"x") for g in MANY))))
hello("share outside supported_groups", "4.3.8", {IP, "ok", "fallback", HF}, "servers may check")(
    lambda h: h.set(SUPPORTED_GROUPS, vec(2, u16s(SECP256R1))))

# --- PSK, 0-RTT ------------------------------------------------------------------

PSK = vec(2, vec(2, b"ticket") + bytes(4)) + vec(2, vec(1, bytes(32)))
hello("pre_shared_key is not last", "4.3.11", IP)(
    lambda h: h.exts.insert(0, (PRE_SHARED_KEY, PSK)) or h.set(PSK_MODES, b"\1\1"))
hello("pre_shared_key without psk_key_exchange_modes", "4.3.9", {ME, "fallback"})(
    lambda h: h.set(PRE_SHARED_KEY, PSK))
hello("pre_shared_key without binders", "4.3.11", {DE, IP, "fallback"})(
    lambda h: h.set(PSK_MODES, b"\1\1").set(PRE_SHARED_KEY, PSK[:12]))
hello("psk_key_exchange_modes empty", "4.3.9", {DE, "ok"}, "with no PSK nothing asks for it")(
    lambda h: h.set(PSK_MODES, b"\0"))
hello("unknown PSK, early data refused", "4.3.10", {"ok", "fallback"},
      "records that do not decrypt are skipped up to the limit")(
    lambda h: h.set(PSK_MODES, b"\1\1").set(EARLY_DATA, b"").set(PRE_SHARED_KEY, PSK).record() +
    record(APPDATA, os.urandom(500), 0x0303) * 2)

hello("early data without a PSK", "RFC 9846 4.3.10", {"ok", "fallback"},
      "as in an outer ClientHello of RFC 9849")(
    lambda h: h.set(EARLY_DATA, b"").record() + record(APPDATA, os.urandom(500), 0x0303) * 2)

# --- After the server's flight --------------------------------------------------------


def _tampered(bit):
    def act(client):
        fin = bytearray(client.finished())
        fin[4 + bit // 8] ^= 1 << bit % 8
        client.sock.sendall(client.tx.seal(HANDSHAKE, bytes(fin)))
    return act


for b in (0, 7, 128, 255):
    later(f"Finished wrong in bit {b}", "4.5.3", DCE)(_tampered(b))
later("Finished of zeros", "4.5.3", DCE)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(FINISHED, bytes(32)))))
later("Finished empty", "4.5.3", {DE, DCE})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(FINISHED, b""))))
later("Finished one byte short", "4.5.3", {DE, DCE})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(FINISHED, c.finished()[4:-1]))))
later("Finished one byte long", "4.5.3", {DE, DCE})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(FINISHED, c.finished()[4:] + b"\0"))))
later("Finished of length 0xffffff", "4.5.3", {DE, DCE, IP, RO})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, b"\x14\xff\xff\xff" + bytes(32))))
later("Finished in plain text", "5", UM)(
    lambda c: c.sock.sendall(record(HANDSHAKE, c.finished(), 0x0303)))
later("a byte behind Finished in its record", "5.1", {UM, DE})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, c.finished() + b"\0")))
later("KeyUpdate behind Finished in its record", "5.1", UM)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, c.finished() + message(KEY_UPDATE, b"\0"))))


def _flip(client):
    rec = bytearray(client.tx.seal(HANDSHAKE, client.finished()))
    rec[-1] ^= 1
    client.sock.sendall(rec)


later("record tag wrong in one bit", "5.2", BRM)(_flip)
later("record of garbage", "5.2", BRM)(
    lambda c: c.sock.sendall(record(APPDATA, os.urandom(53), 0x0303)))
later("record shorter than a tag", "5.2", {BRM, DE})(
    lambda c: c.sock.sendall(record(APPDATA, os.urandom(10), 0x0303)))
later("empty encrypted record", "5.2", {BRM, DE, UM})(
    lambda c: c.sock.sendall(record(APPDATA, b"", 0x0303)))
later("record of 2^14+257 bytes", "5.2", RO)(
    lambda c: c.sock.sendall(record(APPDATA, bytes(16384 + 257), 0x0303)))
later("inner plain text of 2^14+2 bytes", "5.2", RO, "TLSInnerPlaintext has 2^14+1 at most")(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, c.finished() + bytes(16384 + 1 - 36))))
later("Finished with padding up to 2^14+2 bytes", "5.4", RO, "padding counts as well")(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, c.finished(), 16384 + 1 - 36)))
later("padding alone, 2^14+2 bytes", "5.4", {RO, UM})(
    lambda c: c.sock.sendall(c.tx.seal(None, bytes(16384 + 2))))
later("no inner content type", "5.4", UM)(
    lambda c: c.sock.sendall(c.tx.seal(None, bytes(20))))
later("inner type 0 then nothing", "5.4", UM)(
    lambda c: c.sock.sendall(c.tx.seal(None, b"")))
later("empty inner handshake record", "5.4", {UM, DE})(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, b"")))
later("empty inner alert record", "5.4", UM)(lambda c: c.sock.sendall(c.tx.seal(ALERT, b"")))
later("empty inner alert record with padding", "5.4", UM)(
    lambda c: c.sock.sendall(c.tx.seal(ALERT, b"", 100)))
later("inner ChangeCipherSpec", "5", UM)(lambda c: c.sock.sendall(c.tx.seal(CCS, b"\1")))
later("application data before Finished", "5", UM)(
    lambda c: c.sock.sendall(c.tx.seal(APPDATA, b"GET / HTTP/1.0\r\n\r\n")))
later("application data with application keys before Finished", "5.2", BRM)(
    lambda c: c.sock.sendall(c.app_tx.seal(APPDATA, b"GET / HTTP/1.0\r\n\r\n")))
later("EndOfEarlyData that nobody asked for", "4.6", UM)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(END_OF_EARLY_DATA, b""))))
later("Certificate that nobody asked for", "4.5.1", UM)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(CERTIFICATE, b"\0\0\0\0"))))
later("KeyUpdate before Finished", "4.7.3", UM)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, message(KEY_UPDATE, b"\1"))))
later("second ClientHello, encrypted", "4.2.2", UM)(
    lambda c: c.sock.sendall(c.tx.seal(HANDSHAKE, c.hello.message())))
later("second ClientHello, plain", "4.2.2", UM)(
    lambda c: c.sock.sendall(c.hello.record()))
later("ChangeCipherSpec of value 2", "5", UM)(lambda c: c.sock.sendall(record(CCS, b"\2", 0x303)))
later("ChangeCipherSpec of two bytes", "5", UM)(
    lambda c: c.sock.sendall(record(CCS, b"\1\1", 0x303)))
later("ChangeCipherSpec empty", "5", {UM, DE})(lambda c: c.sock.sendall(record(CCS, b"", 0x303)))
later("plain HTTP", "5", {UM, RO}, "the bytes also make a record that is too long")(
    lambda c: c.sock.sendall(b"GET / HTTP/1.1\r\n\r\n"))
later("encrypted fatal alert", "6.2", "closed")(
    lambda c: c.sock.sendall(c.tx.seal(ALERT, b"\2\x2a")))
later("encrypted close_notify", "6.1", {"closed", "close_notify"})(
    lambda c: c.sock.sendall(c.tx.seal(ALERT, b"\1\0")))
later("plain fatal alert", "6.2", {"closed", UM},
      "from a client that could not make keys")(
    lambda c: c.sock.sendall(record(ALERT, b"\2\x2f", 0x303)))
later("alert of one byte", "6", {DE, UM, "closed"})(
    lambda c: c.sock.sendall(c.tx.seal(ALERT, b"\2")))
later("FIN instead of Finished", "6.1", {"closed", "close_notify"})(lambda c: c.sock.shutdown(socket.SHUT_WR))


def _fin_parts(client):
    fin = client.finished()
    client.sock.sendall(client.tx.seal(HANDSHAKE, fin[:3]) + client.tx.seal(HANDSHAKE, fin[3:20]) +
                        client.tx.seal(HANDSHAKE, fin[20:]))
    client.switch()


def _fin(client, before=b"", pad=0):
    client.sock.sendall(before + client.tx.seal(HANDSHAKE, client.finished(), pad))
    client.switch()


later("good: Finished in three records", "5.1", "ok")(_fin_parts)
later("good: CCS before Finished", "E.4", "ok")(lambda c: _fin(c, record(CCS, b"\1", 0x303)))
later("good: three CCS before Finished", "5", {"ok", UM}, "each is to be dropped; a limit is "
      "reasonable")(lambda c: _fin(c, record(CCS, b"\1", 0x303) * 3))
later("good: no CCS", "E.4", "ok")(_fin)
later("good: padded Finished", "5.4", "ok")(lambda c: _fin(c, pad=1000))
later("good: Finished with the longest padding", "5.4", "ok")(
    lambda c: _fin(c, pad=16384 - 36))


def dump(folder):
    """Writes every hello to a file of its own."""
    os.makedirs(folder, exist_ok=True)
    for case in HELLOS:
        name = "".join(ch if ch.isalnum() else "-" for ch in case.name)
        with open(os.path.join(folder, name), "wb") as out:
            out.write(case.make()[1])
    print(f"{len(HELLOS)} files in {folder}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--dump":
        dump(sys.argv[2])
    else:
        for c in HELLOS + LATER:
            print(f"{c.section:14} {c.name:50} {'/'.join(sorted(c.want))}")
        print(f"{len(HELLOS)} hellos, {len(LATER)} later")
