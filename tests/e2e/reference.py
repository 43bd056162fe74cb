# SPDX-License-Identifier: Apache-2.0
"""What security groups mean, said a second time and simply; and traffic that is judged by it afterwards."""

import ipaddress
import select
import socket
import struct
import threading
import time

from lab.namespace import SO_RCVBUFFORCE

SO_TIMESTAMPNS = 35
PACE = 0.004        # seconds from one packet of a flow to its next
SETTLED = 150_000_000  # ns that a packet may take when the machine is busy


class Rules:
    """Rules and members at one moment; changing one gives another."""

    def __init__(self, addresses, rules=None, members=None):
        self.addresses, self.rules, self.members = addresses, rules or {}, members or {}

    def with_rule(self, name, item):
        return Rules(self.addresses, {**self.rules, name: item}, self.members)

    def without_rule(self, name):
        return Rules(self.addresses, {key: item for key, item in self.rules.items() if key != name}, self.members)

    def with_members(self, port, groups):
        return Rules(self.addresses, self.rules, {**self.members, port: groups})

    def of(self, port, direction):
        return [item for item in self.rules.values() if item["group"] in self.members.get(port, []) and item["direction"] == direction]

    def matches(self, item, peer, number):
        """A UDP packet to port `number`; peer: the other side."""
        if item["protocol"] not in ("all", "udp"):
            return False
        first, _, last = str(item.get("ports", item.get("port", "1-65535"))).partition("-")
        if not int(first) <= number <= int(last or first):
            return False
        if "remote_cidr" in item and ipaddress.ip_address(self.addresses[peer]) not in ipaddress.ip_network(item["remote_cidr"]):
            return False
        return "remote_group" not in item or item["remote_group"] in self.members.get(peer, [])

    def egress(self, source, target, number):
        own = self.of(source, "egress")
        return not any(not item.get("default") for item in own) or any(self.matches(item, target, number) for item in own)

    def ingress(self, source, target, number):
        return not self.members.get(target) or any(self.matches(item, source, number) for item in self.of(target, "ingress"))


class Exchange:
    """Numbered UDP packets of several flows, answered by their servers: when each was sent, and when it and its answer came."""

    def __init__(self, lab, addresses, flows):
        self.flows, self.stopping = flows, False
        self.states = []  # (may hold from, holds alone from, Rules)
        self.sent = [{} for _ in flows]     # number: before and after, for whoever sends may have to wait for a CPU
        self.came = [{} for _ in flows]     # by the kernel's word, as in `answered`
        self.replied = [{} for _ in flows]  # after it was sent
        self.answered = [{} for _ in flows]
        self.servers, self.clients = {}, []
        for index, (client, server, port) in enumerate(flows):
            one = self.open(lab.instance(client), ("0.0.0.0", 0))
            one.connect((addresses[server], port))
            self.clients.append(one)
            if (server, port) not in self.servers:
                self.servers[server, port] = self.open(lab.instance(server), (addresses[server], port))
        self.threads = [threading.Thread(target=work) for work in (self.send, self.answer, self.hear)]

    @staticmethod
    def open(node, where):
        opened = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        opened.bind(where)
        return opened

    def begins(self, rules):
        self.states.append((0, time.time_ns(), rules))
        for thread in self.threads:
            thread.start()

    def changes(self, rules, make):
        begun = time.time_ns()
        make()
        self.states.append((begun, time.time_ns(), rules))

    def send(self):
        number = 0
        while not self.stopping:
            number += 1
            for index, client in enumerate(self.clients):
                begun = time.time_ns()
                client.send(struct.pack("!II", index, number))
                self.sent[index][number] = begun, time.time_ns()
            time.sleep(PACE)

    @staticmethod
    def receive(opened, sender, take):
        """take(index, number, time, socket, data, from) for whatever comes to these sockets, until the thread that makes it come has ended."""
        poll = select.epoll()
        by_fd = {one.fileno(): one for one in opened}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        is_over = False
        while not is_over or ready:
            is_over = not sender.is_alive()  # asked first: then what it made come is there within the poll's time
            ready = poll.poll(0.5)
            for fd, _ in ready:
                data, ancillary, _, source = by_fd[fd].recvmsg(64, 64)
                seconds, rest = struct.unpack("qq", ancillary[0][2])
                take(*struct.unpack("!II", data), seconds * 1_000_000_000 + rest, by_fd[fd], data, source)

    def answer(self):
        def take(index, number, when, opened, data, source):
            self.came[index][number] = when
            opened.sendto(data, source)
            self.replied[index][number] = time.time_ns()

        self.receive(self.servers.values(), self.threads[0], take)

    def hear(self):
        def take(index, number, when, opened, data, source):
            self.answered[index][number] = when

        self.receive(self.clients, self.threads[1], take)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        for opened in (*self.clients, *self.servers.values()):
            opened.close()

    # ---- afterwards ----
    def possible(self, begin, end):
        """The states of which each may have held at some moment between."""
        found = []
        for index, (may, _, rules) in enumerate(self.states):
            gone = self.states[index + 1][1] if index + 1 < len(self.states) else 1 << 63
            if may <= end and gone >= begin:
                found.append(rules)
        return found

    def judge(self):
        """(packets that passed and must not have, packets lost that must have passed, passed, refused). Each end is judged by itself:
        no two hosts change at the same instant."""
        wrong, lost, passed, refused = [], [], 0, 0
        for index, flow in enumerate(self.flows):
            for number, (begun, sent) in self.sent[index].items():
                came, replied, answered = (times[index].get(number) for times in (self.came, self.replied, self.answered))
                for what, since, left, until in (("packet", begun, sent, came), ("answer", came, replied, answered)):
                    if since is None:
                        continue
                    states = self.possible(since, until if until is not None else left + SETTLED)
                    allowed = any(rules.egress(*flow) for rules in states) and any(rules.ingress(*flow) for rules in states)
                    certain = all(rules.egress(*flow) and rules.ingress(*flow) for rules in states)
                    passed, refused = passed + (until is not None), refused + (until is None)
                    if until is not None and not allowed:
                        wrong.append((what, flow, number))
                    if until is None and certain:
                        lost.append((what, flow, number))
        return wrong, lost, passed, refused
