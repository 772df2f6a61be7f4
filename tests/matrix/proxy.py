# SPDX-License-Identifier: GPL-2.0
"""
A proxy before the server that lays the ClientHello of a connection out anew, without touching
what is in it, and tells what was in it.
"""

import socket
import struct
import threading
import time

SHAPES = ("whole", "segments", "bytes", "records")


def is_complete(message):
    """Whether it is all there."""
    return len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big")


def read_hello(sock):
    """The ClientHello message, all that was read, and how much of it the message was."""
    raw, message, at = b"", b"", 0
    while not is_complete(message):
        data = sock.recv(65536)
        if not data:
            return None, raw, at
        raw += data
        # What follows it, as 0-RTT data, is not looked at.
        while not is_complete(message) and len(raw) >= at + 5:
            length = struct.unpack_from("!H", raw, at + 3)[0]
            if len(raw) < at + 5 + length:
                break
            if raw[at] != 22:
                return None, raw, at
            message += raw[at + 5:at + 5 + length]
            at += 5 + length
    return message, raw, at


def extensions(message):
    """The extensions of a ClientHello: what type has which content."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + struct.unpack_from("!H", message, at)[0]
    at += 1 + message[at]
    at += 2
    out = {}
    while at + 4 <= len(message):
        kind, length = struct.unpack_from("!HH", message, at)
        out[kind] = message[at + 4:at + 4 + length]
        at += 4 + length
    return out


def shares(message):
    """The groups of the key shares."""
    data, at, out = extensions(message).get(51, b""), 2, []
    while at + 4 <= len(data):
        group, length = struct.unpack_from("!HH", data, at)
        out.append(group)
        at += 4 + length
    return out


class Proxy:
    """One listening socket for each shape."""

    def __init__(self, port):
        self.port = port
        self.hellos = []
        self.ports = {}
        for i, shape in enumerate(SHAPES):
            lsk = socket.create_server(("127.0.0.1", port + 1 + i))
            self.ports[shape] = port + 1 + i
            threading.Thread(target=self._accept, args=(lsk, shape), daemon=True).start()

    def _accept(self, lsk, shape):
        while True:
            sock = lsk.accept()[0]
            threading.Thread(target=self._serve, args=(sock, shape), daemon=True).start()

    def _serve(self, client, shape):
        server = socket.create_connection(("127.0.0.1", self.port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._relay, args=(server, client), daemon=True)
        back.start()
        try:
            message, raw, used = read_hello(client)
            if message:
                self.hellos.append(message)
                self._send(server, message, raw[:used], shape)
                server.sendall(raw[used:])
            else:
                server.sendall(raw)
        except OSError:
            pass
        # The second hello and the Finished as well.
        self._relay(client, server, 2048 if shape == "bytes" else 0)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def _send(server, message, raw, shape):
        if shape == "whole":
            server.sendall(raw)
        elif shape == "segments":
            server.sendall(raw[:len(raw) // 2])
            time.sleep(0.02)
            server.sendall(raw[len(raw) // 2:])
        elif shape == "bytes":
            for i in range(len(raw)):
                server.sendall(raw[i:i + 1])
        else:
            for i in range(0, len(message), 100):
                part = message[i:i + 100]
                server.sendall(raw[:3] + struct.pack("!H", len(part)) + part)

    @staticmethod
    def _relay(source, sink, single=0):
        try:
            while data := source.recv(65536):
                while single and data:
                    sink.sendall(data[:1])
                    data = data[1:]
                    single -= 1
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
