# SPDX-License-Identifier: Apache-2.0
"""Tens of thousands of UDP conversations from one instance to one address and port outside, each from a port of its own.

As a script it is one of the ends, in a process of its own: strangers.py serve PORT | speak ADDRESS PORT FIRST LAST
"""

import json
import pathlib
import select
import socket
import sys
import time

BATCH = 200


class Echo:
    """Outside: answers whoever asks."""

    def __init__(self, node, port):
        self.process = node.launch("/usr/bin/python3", pathlib.Path(__file__), "serve", port, stdout=-1, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def speak(node, address, port, first, last):
    """One question from each of these ports: {port: the port that the far end saw}, of those that were answered."""
    said = node.run("/usr/bin/python3", pathlib.Path(__file__), "speak", address, port, first, last, timeout=200).stdout
    return {int(own): seen for own, seen in json.loads(said).items()}


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        one.bind(("", port))
        print("ready", flush=True)
        while True:
            _, peer = one.recvfrom(64)
            one.sendto(b"%d" % peer[1], peer)


def ask(address, port, own):
    """Sends from each of these ports, and gathers answers for a moment: few at a time, so that no queue runs over."""
    poll, sockets, seen = select.epoll(), {}, {}
    for number in own:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("", number))
        one.connect((address, port))
        one.send(b"?")
        sockets[one.fileno()] = number, one
        poll.register(one.fileno(), select.EPOLLIN)
    deadline = time.monotonic() + 1
    # What has arrived counts, however late this process looks.
    while len(seen) < len(sockets) and (ready := poll.poll(max(0, deadline - time.monotonic()))):
        for fd, _ in ready:
            number, one = sockets[fd]
            seen[number] = int(one.recv(64))
            poll.unregister(fd)
    for _, one in sockets.values():
        one.close()
    return seen


def speak_all(address, port, first, last):
    seen = {}
    for begin in range(first, last + 1, BATCH):
        own = range(begin, min(begin + BATCH, last + 1))
        found = ask(address, port, own)
        # On a machine with much else to do an answer may come late: those are asked once more, from the same ports.
        late = [number for number in own if number not in found]
        seen.update(found | (ask(address, port, late) if late else {}))
    return seen


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    print(json.dumps(speak_all(sys.argv[2], *map(int, sys.argv[3:]))))
