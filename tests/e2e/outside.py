# SPDX-License-Identifier: Apache-2.0
"""Who is reached through a translation, and as whom one is seen: conversations whose server listens on its own, private address."""

import contextlib
import socket

from conversation import family_of
from policy import PATIENCE


@contextlib.contextmanager
def listener(server, port, family=socket.AF_INET):
    with server.socket(family, socket.SOCK_STREAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(("", port))
        opened.listen(1024)
        opened.settimeout(5)
        yield opened


@contextlib.contextmanager
def tcp(client, server, address, port, to_port=None, source_port=0, source=""):
    """A connection to address and port that arrives at the server's to_port: (client's socket, server's, who the server sees)."""
    family = family_of(address)
    with listener(server, to_port or port, family) as waiting, client.socket(family, socket.SOCK_STREAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source_port or source:
            one.bind((source, source_port))
        one.connect((address, port))
        other, peer = waiting.accept()
        with other:
            other.settimeout(5)
            yield one, other, peer[:2]


def converse(one, other, size=3000):
    """Both ways, more than a packet each."""
    for sender, receiver in ((one, other), (other, one)):
        data = bytes(number % 251 for number in range(size))
        sender.sendall(data)
        got = b""
        while len(got) < size and (part := receiver.recv(size)):
            got += part
        assert got == data


def seen_by_tcp(client, server, address, port, to_port=None, source=""):
    """The address that the server sees when a connection comes about and carries bytes both ways; None if it does not."""
    try:
        with tcp(client, server, address, port, to_port, source=source) as (one, other, peer):
            converse(one, other)
            return peer[0]
    except (TimeoutError, ConnectionRefusedError, OSError):
        return None


def seen_by_udp(client, server, address, port, to_port=None, source_port=0, patience=5):
    """The same over UDP; (address, port). Whoever wants None to come back has `patience`, seconds, of his own."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_DGRAM) as other, client.socket(family, socket.SOCK_DGRAM) as one:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("", to_port or port))
        other.settimeout(patience)
        one.bind(("", source_port))
        one.connect((address, port))
        try:
            one.send(b"question")
            question, peer = other.recvfrom(100)
        except (TimeoutError, ConnectionRefusedError):
            return None
        other.sendto(b"answer to " + question, peer)
        assert one.recv(100) == b"answer to question"
        return peer[:2]


def is_closed(client, address, port):
    """Whether nobody answers a connection within moments: refused or silent, both are."""
    with client.socket(family_of(address), socket.SOCK_STREAM) as one:
        one.settimeout(PATIENCE)
        try:
            one.connect((address, port))
        except (TimeoutError, OSError):
            return True
    return False


def ping_source(frames, target):
    """Source addresses of the ICMP echo requests to an IPv4 address among captured frames, tagged or not."""
    found = set()
    for frame in frames:
        packet = ip_of(frame)
        if packet and packet[9] == 1 and packet[16:20] == socket.inet_aton(target) and packet[(packet[0] & 15) * 4] == 8:
            found.add(socket.inet_ntoa(packet[12:16]))
    return found


def tag_of(frame):
    """The VLAN of a frame, 0 when it has none."""
    return int.from_bytes(frame[14:16], "big") & 0xfff if frame[12:14] == b"\x81\x00" else 0


def ip_of(frame):
    """The IPv4 packet in a frame, tagged or not, or None."""
    start = 16 if tag_of(frame) else 12
    return frame[start + 2:] if frame[start:start + 2] == b"\x08\x00" else None


def address_of(host, plural, name, family=4):
    """The address of a family that a port or virtual IP was given."""
    return next(address for address in host.resource(plural, name)["assigned"]["addresses"] if (":" in address) == (family == 6))
