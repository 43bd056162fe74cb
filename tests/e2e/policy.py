# SPDX-License-Identifier: Apache-2.0
"""Security groups of a lab, and whether one node reaches another by this protocol and port."""

import contextlib
import json
import pathlib
import socket

from conversation import family_of
from lab.world import wait_until

PATIENCE = 0.4  # seconds after which what has not come was dropped


def documents(items):
    """JSON is YAML."""
    return "\n---\n".join(json.dumps(item) for item in items)


def rule(group, direction, protocol="all", **fields):
    return {"kind": "security_group_rule", "group": group, "direction": direction, "protocol": protocol, **fields}


class Groups:
    """Makes groups and rules, and lets ports of `ports` (documents by name) join them."""

    def __init__(self, host, ports):
        self.host, self.ports = host, ports

    def apply(self, *items):
        return self.host.apply(documents(items))

    def make(self, name, *rules, default=False, **fields):
        """default: keeps the two rules that a group is born with."""
        self.apply({"kind": "security_group", "name": name, **fields}, *({**item, "group": name} for item in rules))
        if not default:
            for direction in ("ingress", "egress"):
                self.delete_rule(f"{name}/default-{direction}")

    def join(self, port, *groups):
        self.apply({**self.ports[port], "security_groups": list(groups)})

    def allow(self, group, direction, protocol="all", **fields):
        self.apply(rule(group, direction, protocol, **fields))

    def delete_rule(self, name):
        self.host.viaduct("delete", "security_group_rule", name, "--wait")

    def names(self, plural):
        return sorted(item["name"] for item in self.host.ask("GET", f"/v1/{plural}")["items"])

    def clear(self):
        self.apply(*self.ports.values())
        for kind, plural in (("security_group_rule", "security_group_rules"), ("security_group", "security_groups")):
            for name in self.names(plural):
                self.host.viaduct("delete", kind, name, "--wait")


def passes_tcp(client, server, address, port):
    """Whether a connection comes about and carries a word each way. A refusal by the server itself is an error of the test."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_STREAM) as listener, client.socket(family, socket.SOCK_STREAM) as one:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        one.settimeout(PATIENCE)
        try:
            one.connect((address, port))
        except TimeoutError:
            return False
        other, _ = listener.accept()
        with other:
            other.settimeout(5)
            one.settimeout(5)
            one.sendall(b"question")
            assert other.recv(100) == b"question"
            other.sendall(b"answer")
            assert one.recv(100) == b"answer"
    return True


def passes_udp(client, server, address, port):
    """Whether a datagram arrives; its answer must, then."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_DGRAM) as other, client.socket(family, socket.SOCK_DGRAM) as one:
        other.bind((address, port))
        other.settimeout(PATIENCE)
        one.connect((address, port))
        one.send(b"question")
        try:
            question, source = other.recvfrom(100)
        except TimeoutError:
            return False
        other.sendto(b"answer to " + question, source)
        assert one.recv(100) == b"answer to question"
    return True


def passes_ping(client, address):
    # Not by `ping`: kept from running until its time is over, it ends with the answer unread.
    return client.ping_series(address, 1, PATIENCE).received == 1


def is_listening(server, port):
    """Whether somebody does, by the kernel's word: state 0A is LISTEN."""
    tables = server.inside(lambda: "".join(pathlib.Path("/proc/thread-self/net", name).read_text() for name in ("tcp", "tcp6")))
    return any(words[1].endswith(f":{port:04X}") and words[3] == "0A" for words in map(str.split, tables.splitlines()))


@contextlib.contextmanager
def listening(server, port, word="SSH-2.0-lab"):
    """`busybox nc` behind a port, that greets whoever comes."""
    process = server.launch("busybox", "nc", "-ll", "-p", port, "-e", "echo", word)
    try:
        wait_until(lambda: is_listening(server, port), f"{server.title} listens on port {port}")
        yield
    finally:
        process.kill()
        process.wait()


def greeting(client, address, port, seconds=1):
    """What `nc` to it prints, when a connection comes about within so long: as the tutorial tries it by hand."""
    return client.run("busybox", "nc", "-w", seconds, address, port, check=False, timeout=20).stdout.strip()
