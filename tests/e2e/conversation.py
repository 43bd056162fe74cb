# SPDX-License-Identifier: Apache-2.0
"""Conversations between nodes of a lab, over real sockets in their namespaces."""

import contextlib
import socket
import threading

SAY_SECONDS = 60


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@contextlib.contextmanager
def connection(client, server, address, port, source_port=0, bind=None):
    """A TCP connection: yields (client's socket, server's socket)."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_STREAM) as listener, client.socket(family, socket.SOCK_STREAM) as one:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind or address, port))
        listener.listen()
        if source_port:
            one.bind(("", source_port))
        one.connect((address, port))
        other, _ = listener.accept()
        with other:
            other.settimeout(5)
            yield one, other


def receive(opened, size):
    data = bytearray()
    while len(data) < size and (part := opened.recv(min(1 << 16, size - len(data)))):
        data += part
    return bytes(data)


def say(sender, receiver, data):
    """Sends all of it while the other reads; what arrived."""
    usual = sender.gettimeout()
    sender.settimeout(SAY_SECONDS)  # for all of it, not for a part
    thread = threading.Thread(target=sender.sendall, args=(data,))
    thread.start()
    try:
        return receive(receiver, len(data))
    finally:
        thread.join()
        sender.settimeout(usual)


@contextlib.contextmanager
def datagrams(client, server, address, port, source_port=0):
    """A UDP pair: yields (client's socket, connected; server's socket)."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_DGRAM) as other, client.socket(family, socket.SOCK_DGRAM) as one:
        other.bind((address, port))
        one.bind(("", source_port))
        one.connect((address, port))
        yield one, other
