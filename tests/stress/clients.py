# SPDX-License-Identifier: GPL-2.0
"""Clients that end in a state of their choice, or stay in it for a while."""

import socket
import ssl
import time

from world import PLAIN, PLACES, abort, tls13, tls_hs

FASTOPEN = 0x20000000       # MSG_FASTOPEN


class Socket(socket.socket):
    """One that looks at what it receives."""

    def __init__(self, world):
        super().__init__()
        self.world = world
        # What there was when nobody there might have sent plain text.
        self.place, self.strict = None, None
        self.first = self.last = b""

    def watch(self, place, before):
        """Expects no plain text if there was none to be had before connect(), nor now."""
        self.place = place
        self.strict = before if before == self.world.look(place) and not before[1] else None

    def recv(self, *args):
        """recv(2)."""
        data = super().recv(*args)
        self.first = self.first or data
        text = self.last + data
        self.last = data[-40:]
        if PLAIN in text:
            kind = text[text.index(PLAIN) + len(PLAIN):].split(b".")[0].decode()
            if kind == "strict":
                self.world.error("plain text from a listener that has NO_FALLBACK")
            elif self.first[:1] in b"\x15\x16\x17":
                self.world.error(f"plain text ({kind}) where the kernel has spoken TLS")
            elif self.strict and self.strict == self.world.look(self.place):
                # A request for which there was no room in the queue of a listener that has gone
                # since may have become the connection of one that came later.
                self.world.error(f"plain text ({kind}) where all listeners had NO_FALLBACK")
            else:
                self.world.count(f"plain text, {kind}")
        return data

    def rest(self):
        """Looks at what else has come."""
        self.setblocking(False)
        try:
            while self.recv(65536):
                pass
        except OSError:
            pass


def hello(rng):
    """A ClientHello, mostly one that the kernel serves."""
    out = tls13.Hello(
        name=rng.choice(("ecdsa.test", "rsa.test", "sni.test", "a.wild.test", None)),
        groups=(rng.choice((tls13.X25519, tls13.X25519, tls13.X25519, tls13.X25519MLKEM768,
                            tls13.SECP256R1)),),
        versions=(0x0303,) if rng.random() < 0.15 else (0x0304,))
    if rng.random() < 0.3:
        out.set(tls13.ALPN, tls13.vec(2, b"\x02h2"))
    if rng.random() < 0.2:
        out.set(tls13.RECORD_SIZE_LIMIT, tls13.u16s(rng.choice((63, 64, 600))))
    return out


def connect(world, rng, sock, place, data):
    """connect(), with the data in the SYN now and then; the number of bytes that were sent."""
    before = world.look(place)
    addr, sent = ("127.0.0.1", before[0]), 0
    if rng.random() < 0.2:
        sent = sock.sendto(data, FASTOPEN, addr)
        world.count("Fast Open")
    else:
        sock.connect(addr)
    sock.watch(place, before)
    return sent


def act(world, rng, sock, place):
    """One connection."""
    client = tls13.Client(sock, hello(rng))
    step = rng.randrange(9)
    data = client.hello.record()
    if step == 1:
        data = data[:rng.randrange(1, len(data))]
    elif step == 2:
        data = rng.randbytes(rng.randrange(1, 600))
    elif step == 3:
        bad = bytearray(data)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        data = bytes(bad)
    sent = connect(world, rng, sock, place, data)
    world.count(f"step {step}")
    if step == 0:
        return
    chunk = rng.choice((0, 0, 0, 50))
    if step > 3 and chunk:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls13.send_chunks(sock, data[sent:], chunk if step > 3 else 0)
    if step in (1, 2, 4):
        return
    if step == 3:
        sock.recv(10000)
        return
    client.transcript += client.hello.message()
    client.server_hello()
    client.server_flight()
    if step == 5:
        return
    if step == 6:
        sock.sendall(tls13.record(tls13.APPDATA, rng.randbytes(60), 0x0303))
        return
    sock.sendall(client.tx.seal(tls13.HANDSHAKE, client.finished()))
    client.switch()
    world.count("handshakes")
    if step == 7:
        return
    client.send(b"request")
    client.recv()
    world.count("answers")


def close(rng, sock):
    """An end of any kind."""
    sock.rest()
    if rng.random() < 0.4:
        abort(sock)
    sock.close()


def client(world, number):
    """Connects again and again; some connections stay in their state for a while."""
    rng = world.rng(f"client {number}")
    held = []
    while world.running():
        place = rng.choice(PLACES)
        if not world.look(place)[0]:
            world.sleep(0.01)
            continue
        sock = Socket(world)
        sock.settimeout(0.5 * world.slow)
        try:
            act(world, rng, sock, place)
        except (OSError, tls13.Closed, tls13.AlertReceived, ValueError):
            world.count("client saw an end")
        if rng.random() < 0.6:
            held.append((time.monotonic() + rng.choice((0.02, 0.2, 1.5)) * world.slow, sock))
        else:
            close(rng, sock)
        now = time.monotonic()
        for entry in [h for h in held if h[0] < now or len(held) > 60]:
            held.remove(entry)
            close(rng, entry[1])


def engine(rng):
    """What OpenSSL's client needs; the sessions that it has got."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if rng.random() < 0.5:
        context.set_alpn_protocols(["h2"])
    return context, []


def talk(world, rng, sock, context, sessions):
    """A handshake, and mostly a request and its answer."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(
        received, sent, server_hostname=rng.choice(("ecdsa.test", "rsa.test", "sni.test")),
        session=rng.choice(sessions) if sessions and rng.random() < 0.3 else None)

    def until_done(func, *args):
        while True:
            try:
                return func(*args)
            except ssl.SSLWantReadError:
                pass
            finally:
                if sent.pending:
                    sock.sendall(sent.read())
            # Through the socket that looks for plain text.
            data = sock.recv(65536)
            if not data:
                raise ConnectionResetError("FIN")
            received.write(data)

    until_done(tls.do_handshake)
    world.count("handshakes, resumed" if tls.session_reused else "handshakes, OpenSSL")
    if rng.random() < 0.2:
        return
    until_done(tls.write, b"request")
    until_done(tls.read, 100)
    world.count("answers, OpenSSL")
    if tls.session and tls.session.has_ticket:
        sessions.append(tls.session)
        del sessions[:-5]


def openssl(world, number):
    """OpenSSL instead of Python: where the machine is slow most handshakes are of this one."""
    rng = world.rng(f"OpenSSL {number}")
    context, sessions = engine(rng)
    while world.running():
        place = rng.choice(PLACES)
        before = world.look(place)
        if not before[0]:
            world.sleep(0.01)
            continue
        sock = Socket(world)
        sock.settimeout(0.5 * world.slow)
        try:
            sock.connect(("127.0.0.1", before[0]))
            sock.watch(place, before)
            talk(world, rng, sock, context, sessions)
        except OSError:
            # ssl.SSLError is one as well.
            world.count("OpenSSL saw an end")
        close(rng, sock)


def bursts(world):
    """Many clients at once that say nothing, half of something, or what is answered."""
    rng = world.rng("bursts")
    data = tls13.Hello().record()
    while world.running():
        place = rng.choice(PLACES)
        if not world.look(place)[0]:
            world.sleep(0.01)
            continue
        socks = []
        send = rng.choice((b"", data[:60], data, data))
        for _ in range(rng.choice((5, 30, 120))):
            sock = Socket(world)
            sock.setblocking(False)
            socks.append(sock)
            before = world.look(place)
            sock.connect_ex(("127.0.0.1", before[0]))
            sock.watch(place, before)
            try:
                if send:
                    sock.send(send)
            except OSError:
                pass
        world.count("bursts")
        world.sleep(rng.choice((0, 0.05, 0.5)))
        for sock in socks:
            close(rng, sock)
        world.sleep(rng.uniform(0, 0.3))


__all__ = ["client", "openssl", "bursts", "Socket", "hello", "tls_hs"]
