# SPDX-License-Identifier: GPL-2.0
"""inet_diag: dumps with everything, and SOCK_DESTROY."""

import errno
import socket
import struct

from world import PORTS, tls_hs

ALL_STATES = 0xffffffff


class Entry:
    """struct inet_diag_msg."""

    def __init__(self, data):
        self.family, self.state = data[0], data[1]
        self.sport, self.dport = struct.unpack_from("!HH", data, 4)
        self.src, self.dst = data[8:24], data[24:40]
        self.cookie = data[44:52]
        self.attributes = data[72:]

    def end(self, which):
        """An address as the socket module has it."""
        addr, port = (self.src, self.sport) if which == "src" else (self.dst, self.dport)
        size = 4 if self.family == socket.AF_INET else 16
        return socket.inet_ntop(self.family, addr[:size]), port


def dump(family=socket.AF_INET, states=ALL_STATES, want=0xff):
    """All sockets of TCP, as "ss -tinpoe" asks for them."""
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, want, 0, states) + bytes(48)
    out = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0) + request)
        while True:
            data = netlink.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 2:
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], "sock_diag")
                if kind == 3:
                    return out
                out.append(Entry(data[16:length]))
                data = data[(length + 3) & ~3:]


def destroy(entry):
    """ss -K of one of them; whether it was there."""
    try:
        tls_hs.destroy(entry.family, entry.end("src"),
                       entry.end("dst") if entry.dport else None, entry.cookie)
        return True
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ESTALE, errno.EINVAL, errno.EOPNOTSUPP):
            return False
        raise


def readers(world):
    """Looks at all sockets, as ss does."""
    while world.running():
        for path in ("/proc/net/tcp", "/proc/net/tls_stat", "/proc/net/sockstat"):
            try:
                with open(path, encoding="ascii") as file:
                    file.read()
            except OSError:
                pass
        for family in (socket.AF_INET, socket.AF_INET6):
            dump(family)
        world.count("dumps")
        world.sleep(0.01)


def destroyer(world):
    """Ends connections of servers, of any state, and now and then a listener."""
    rng = world.rng("destroyer")
    while world.running():
        found = [e for e in dump() if e.sport in PORTS]
        if found:
            entry = rng.choice(found)
            # The other ones are ended by those who have them.
            if entry.state != 10 or rng.random() < 0.05:
                done = destroy(entry)
                world.count(f"ss -K in state {entry.state}" + ("" if done else ": gone"))
        world.sleep(rng.uniform(0, 0.1))
