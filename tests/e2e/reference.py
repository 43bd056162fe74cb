# SPDX-License-Identifier: Apache-2.0
"""What security groups mean, said a second time and simply; and traffic that is judged by it afterwards."""

import ipaddress
import select
import socket
import struct
import threading
import time

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
        self.sent = [{} for _ in flows]
        self.came = [{} for _ in flows]
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
                self.sent[index][number] = time.time_ns()
                client.send(struct.pack("!II", index, number))
            time.sleep(PACE)

    def receive(self, opened, take):
        """take(index, number, time, data, from) for whatever comes to these sockets, until nothing more can."""
        poll = select.epoll()
        by_fd = {one.fileno(): one for one in opened}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        while (ready := poll.poll(0.5)) or not self.stopping:
            for fd, _ in ready:
                data, ancillary, _, source = by_fd[fd].recvmsg(64, 64)
                seconds, rest = struct.unpack("qq", ancillary[0][2])
                take(*struct.unpack("!II", data), seconds * 1_000_000_000 + rest, by_fd[fd], data, source)

    def answer(self):
        def take(index, number, when, opened, data, source):
            self.came[index][number] = when
            opened.sendto(data, source)

        self.receive(self.servers.values(), take)

    def hear(self):
        def take(index, number, when, opened, data, source):
            self.answered[index][number] = when

        self.receive(self.clients, take)

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
            for number, begin in self.sent[index].items():
                for what, since, until in (("packet", begin, self.came[index].get(number)),
                                           ("answer", self.came[index].get(number), self.answered[index].get(number))):
                    if since is None:
                        continue
                    states = self.possible(since, until if until is not None else since + SETTLED)
                    allowed = any(rules.egress(*flow) for rules in states) and any(rules.ingress(*flow) for rules in states)
                    certain = all(rules.egress(*flow) and rules.ingress(*flow) for rules in states)
                    passed, refused = passed + (until is not None), refused + (until is None)
                    if until is not None and not allowed:
                        wrong.append((what, flow, number))
                    if until is None and certain:
                        lost.append((what, flow, number))
        return wrong, lost, passed, refused
