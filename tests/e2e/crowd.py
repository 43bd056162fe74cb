# SPDX-License-Identifier: Apache-2.0
"""Ten thousand UDP flows at once between two nodes, every packet of each counted at both ends.

As a script it is one of the ends, in a process of its own: crowd.py send|receive ADDRESS
"""

import itertools
import json
import pathlib
import random
import select
import signal
import socket
import sys
import time

SOURCES, TARGETS = 100, 100  # flows: their product
ROUNDS = 2  # that each makes at least, however soon it is told to stop
FIRST_SOURCE, FIRST_TARGET = 20000, 30000
BURST, PAUSE = 50, 0.003


class Crowd:
    """From its making until stop(): packets of all flows, in turn."""

    def __init__(self, source, target, address):
        self.ends = [node.launch("/usr/bin/python3", pathlib.Path(__file__), role, address, stdout=-1, text=True)
                     for role, node in (("receive", target), ("send", source))]
        for end in self.ends:
            assert end.stdout.readline() == "ready\n"
        for end in self.ends:
            end.send_signal(signal.SIGUSR1)

    def begin(self):
        """Waits until each flow has said something."""
        assert self.ends[1].stdout.readline() == "all\n"

    def stop(self):
        """(packets sent, packets of the flow that sent fewest, flows that lost some)"""
        # The last packet has left before the other end is told that no more come.
        sent, received = map(told, reversed(self.ends))
        pairs = [(went, came) for row_sent, row_received in zip(sent, received) for went, came in zip(row_sent, row_received)]
        return sum(sent for sent, _ in pairs), min(sent for sent, _ in pairs), sum(sent != received for sent, received in pairs)

    def kill(self):
        for end in self.ends:
            end.kill()
            end.wait()


def told(end):
    """What an end says when it is told to stop."""
    end.terminate()
    return json.loads(end.communicate(timeout=60)[0])


class Stop(Exception):
    pass


def opened(address, port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
    one.bind((address, port))
    return one


def send(address):
    sources = [opened("0.0.0.0", FIRST_SOURCE + i) for i in range(SOURCES)]
    flows = [(source, target) for source in range(SOURCES) for target in range(TARGETS)]
    random.Random(1).shuffle(flows)
    counts = [[0] * TARGETS for _ in sources]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    start()
    try:
        for done in itertools.count():
            for begin in range(0, len(flows), BURST):
                for source, target in flows[begin:begin + BURST]:
                    sources[source].sendto(b"crowd", (address, FIRST_TARGET + target))
                    counts[source][target] += 1
                if done >= ROUNDS:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
                time.sleep(PAUSE)
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            if not done:
                print("all", flush=True)
    except Stop:
        return counts


def receive(address):
    targets = {one.fileno(): (i, one) for i, one in ((i, opened(address, FIRST_TARGET + i)) for i in range(TARGETS))}
    poll = select.epoll()
    for fd, (_, one) in targets.items():
        one.setblocking(False)
        poll.register(fd, select.EPOLLIN)
    counts = [[0] * TARGETS for _ in range(SOURCES)]
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    start()
    # Once told to stop it still takes what is under way.
    while (ready := poll.poll(0.5)) or not stopping:
        for fd, _ in ready:
            number, one = targets[fd]
            try:
                while True:
                    _, (_, port) = one.recvfrom(64)
                    counts[port - FIRST_SOURCE][number] += 1
            except BlockingIOError:
                pass
    return counts


def start():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    print("ready", flush=True)
    signal.sigwait([signal.SIGUSR1])


def stop(*_):
    raise Stop


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    print(json.dumps({"send": send, "receive": receive}[sys.argv[1]](sys.argv[2])))
