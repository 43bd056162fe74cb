# SPDX-License-Identifier: Apache-2.0
"""A rule taken away ends the flows that it alone allowed, with the very next packet, and no others (R-SG-7).

Clients c1 (on h1) and c2 (on h2), servers s1 (on h1) and s2 (on h2), all in one VPC.
"""

import contextlib
import itertools
import random
import socket
import struct
import time

import pytest

from conversation import connection, family_of
from crowd import FIRST_TARGET, TARGETS, Crowd
from lab.world import wait_until
from policy import Groups, passes_ping, passes_udp, rule
from reference import Exchange, Rules
from traffic import Datagrams, Stream

LAB = """
name: revoke
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  c1: {ports: {c1: h1}}
  c2: {ports: {c2: h2}}
  s1: {ports: {s1: h1}}
  s2: {ports: {s2: h2}}
"""
ADDRESS6 = {"c1": "fd00:30::11", "c2": "fd00:30::12", "s1": "fd00:30::21", "s2": "fd00:30::22"}
ADDRESS = {"c1": "10.30.0.11", "c2": "10.30.0.12", "s1": "10.30.0.21", "s2": "10.30.0.22"}
PORTS = {name: {"kind": "port", "name": name, "subnet": "flat", "addresses": [ADDRESS[name], ADDRESS6[name]]} for name in ADDRESS}
DOCUMENTS = """
{kind: vpc, name: flat, cidrs: [10.30.0.0/16, "fd00:30::/48"]}
---
{kind: subnet, name: flat, vpc: flat, cidrs: [10.30.0.0/24, "fd00:30::/64"]}
---
""" + "\n---\n".join(f"{{kind: port, name: {name}, subnet: flat, addresses: [{ADDRESS[name]}, '{ADDRESS6[name]}']}}" for name in ADDRESS)
TCP_INFO_SEGMENTS_IN = 140  # tcpi_segs_in in struct tcp_info
CROWD_PORTS = f"{FIRST_TARGET}-{FIRST_TARGET + TARGETS - 1}"


@pytest.fixture
def groups(lab, reach):
    for one, other in itertools.permutations(ADDRESS, 2):
        reach(lab.instance(one), ADDRESS[other])
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


def segments_in(opened):
    return struct.unpack_from("=I", opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), TCP_INFO_SEGMENTS_IN)[0]


def segments_after_the_last(sockets):
    """How many segments each has received, once what passed before is received: no more come for 50 ms."""
    counts = []

    def same():
        counts.append([segments_in(opened) for opened in sockets])
        return len(counts) > 1 and counts[-1] == counts[-2]

    wait_until(same, lambda: f"segments end to come: {counts}", seconds=5)
    return counts[-1]


def hears_nothing(opened):
    opened.setblocking(False)
    try:
        opened.recv(100)
        return False
    except BlockingIOError:
        return True
    finally:
        opened.settimeout(30)


class Talk:
    """Two TCP connections and a UDP flow that say one word at a time, so that nothing is under way when a rule goes."""

    def __init__(self, client, server, address, stack):
        self.asking = stack.enter_context(connection(client, server, address, 5002))
        self.answering = stack.enter_context(connection(client, server, address, 5003))
        self.server_udp = stack.enter_context(server.socket(family_of(address), socket.SOCK_DGRAM))
        self.client_udp = stack.enter_context(client.socket(family_of(address), socket.SOCK_DGRAM))
        self.server_udp.bind((address, 7001))
        self.client_udp.connect((address, 7001))
        for opened in (*self.asking, *self.answering, self.client_udp):
            opened.settimeout(30)  # TCP speaks again when twice the time has passed that nothing came
        for _ in range(3):
            self.say_all()

    def say_all(self):
        for one, other in (self.asking, self.answering):
            one.sendall(b"question")
            assert other.recv(100) == b"question"
            other.sendall(b"answer")
            assert one.recv(100) == b"answer"
        self.client_udp.send(b"question")
        _, self.source = self.server_udp.recvfrom(100)
        self.server_udp.sendto(b"answer", self.source)
        assert self.client_udp.recv(100) == b"answer"

    def speak_up(self):
        """A word in each direction, that may not arrive: the client's, the server's, a UDP answer that comes late."""
        self.asking[0].sendall(b"client")
        self.answering[1].sendall(b"server")
        self.server_udp.sendto(b"late", self.source)
        self.client_udp.send(b"once more")

    def heard_nothing(self):
        return all(map(hears_nothing, (self.asking[1], self.answering[0], self.server_udp, self.client_udp)))

    def goes_on(self):
        """The same connections deliver what was said meanwhile, and more."""
        assert self.asking[1].recv(100) == b"client"
        assert self.answering[0].recv(100) == b"server"
        self.say_all()


CASES = [pytest.param("ingress", "s2", id="ingress across hosts"), pytest.param("egress", "s2", id="egress across hosts"),
         pytest.param("ingress", "s1", id="ingress on one host")]


@pytest.mark.parametrize("direction, server", CASES)
def test_a_deleted_rule_ends_what_it_alone_allowed_and_nothing_else(lab, groups, direction, server):
    """R-SG-7: TCP and UDP stop both ways when `delete --wait` returns; of 10,000 other flows none loses a packet; the rule's return lets
    the same connections go on.
    """
    judged = lab.host("h2" if direction == "ingress" and server == "s2" else "h1")
    one, other, address = lab.instance("c1"), lab.instance(server), ADDRESS[server]
    peer = {"remote_cidr": ADDRESS["c1"] + "/32" if direction == "ingress" else address + "/32"}
    groups.make("watched", rule("", direction, "udp", ports=CROWD_PORTS, name="crowd"), rule("", direction, name="guest", **peer))
    groups.join(server if direction == "ingress" else "c1", "watched")
    with contextlib.ExitStack() as stack:
        crowd = Crowd(one, other, address)
        stack.callback(crowd.kill)
        flow, stream = Datagrams(one, other, address), Stream(other, one, address)
        stack.callback(flow.stop)
        stack.callback(stream.stop)
        for opened in (stream.sender, stream.receiver):
            opened.settimeout(30)  # it is held up for a while
        talk = Talk(one, other, address, stack)
        sockets = [*talk.asking, *talk.answering, stream.sender, stream.receiver]
        crowd.begin()
        flow.go_on()

        groups.delete_rule("watched/guest")
        closed = flow.number
        talk.speak_up()
        quiet = segments_after_the_last(sockets)
        time.sleep(1.5)  # several retransmissions of either side
        still = flow.go_on(100)
        assert [segments_in(opened) for opened in sockets] == quiet
        assert talk.heard_nothing()
        assert not [number for number in flow.arrived if number > closed]
        assert still > closed + 100
        reason = "connection_refused" if judged.dropped("connection_refused") else f"policy_{direction}"
        assert judged.dropped(reason) > 0

        groups.allow("watched", direction, name="guest", **peer)
        talk.goes_on()
        reopened = flow.number
        time.sleep(0.5)
        flow.go_on()
        sent, fewest, losers = crowd.stop()
    assert stream.error is None and stream.received == stream.sent
    assert [number for number in flow.arrived if number > reopened]
    assert fewest >= 2 and sent > 20000
    assert losers == 0


@pytest.mark.parametrize("direction, server", CASES)
def test_a_deleted_rule_of_ipv6_ends_what_it_alone_allowed(lab, groups, reach, direction, server):
    """R-SG-7, by IPv6: TCP and UDP stop both ways when `delete --wait` returns, what another rule allows goes on (IPv4 too), and the
    rule's return lets the same connections go on.
    """
    client = lab.instance("c1")
    reach(client, ADDRESS6[server])
    peer = {"remote_cidr": (ADDRESS6["c1"] if direction == "ingress" else ADDRESS6[server]) + "/128"}
    groups.make("watched", rule("", direction, "icmp", name="echo"), rule("", direction, "udp", name="four", remote_cidr="0.0.0.0/0"),
                rule("", direction, name="guest", **peer))
    groups.join(server if direction == "ingress" else "c1", "watched")
    with contextlib.ExitStack() as stack:
        talk = Talk(client, lab.instance(server), ADDRESS6[server], stack)
        sockets = [*talk.asking, *talk.answering]
        groups.delete_rule("watched/guest")
        talk.speak_up()
        quiet = segments_after_the_last(sockets)
        time.sleep(1.2)  # several retransmissions of either side
        assert [segments_in(opened) for opened in sockets] == quiet
        assert talk.heard_nothing()
        assert client.ping(ADDRESS6[server], count=2).received == 2
        assert passes_udp(client, lab.instance(server), ADDRESS[server], 7011)
        groups.allow("watched", direction, name="guest", **peer)
        talk.goes_on()


def test_what_another_rule_allows_too_goes_on(lab, groups):
    """R-SG-7: only what the rule alone allowed."""
    groups.make("watched", rule("", "ingress", "tcp", name="narrow"), rule("", "ingress", "all", name="wide"))
    groups.join("s2", "watched")
    with contextlib.ExitStack() as stack:
        stream = Stream(lab.instance("s2"), lab.instance("c1"), ADDRESS["s2"])
        stack.callback(stream.stop)
        flow = Datagrams(lab.instance("c1"), lab.instance("s2"), ADDRESS["s2"])
        stack.callback(flow.stop)
        flow.go_on(500)
        groups.delete_rule("watched/narrow")
        groups.allow("watched", "ingress", "tcp", name="narrow")
        groups.allow("watched", "ingress", "udp", name="other")
        groups.delete_rule("watched/wide")
        end = flow.go_on(500)
    assert stream.error is None and stream.received == stream.sent and stream.lost == 0
    assert not set(range(1, end)) - set(flow.arrived)


def test_leaving_a_group_ends_what_the_membership_alone_allowed(lab, groups):
    """R-SG-7, R-SG-4"""
    groups.make("clients")
    groups.make("watched", rule("", "ingress", remote_group="clients"), rule("", "ingress", "icmp"))
    for name, group in (("c1", "clients"), ("c2", "clients"), ("s1", "watched"), ("s2", "watched")):
        groups.join(name, group)
    with contextlib.ExitStack() as stack:
        talks = {(client, server): Talk(lab.instance(client), lab.instance(server), ADDRESS[server], stack)
                 for client in ("c1",) for server in ("s1", "s2")}
        stays = [(lab.instance("c2"), lab.instance(server), ADDRESS[server], 7010) for server in ("s1", "s2")]
        assert all(passes_udp(*flow) for flow in stays)
        groups.join("c1")
        for talk in talks.values():
            talk.speak_up()
        time.sleep(0.7)
        assert all(talk.heard_nothing() for talk in talks.values())
        assert all(passes_udp(*flow) for flow in stays)
        assert passes_ping(lab.instance("c1"), ADDRESS["s2"])
        groups.join("c1", "clients")
        for talk in talks.values():
            talk.goes_on()


# ---- any change, at any moment ----
SECONDS, CHANGES = 18, 50  # at least: with 20 changes one run of 4,000 passes or refuses too little
CANDIDATES = [
    rule("g0", "ingress", "udp", port=7101, name="r0"),
    rule("g0", "ingress", "udp", ports="7101-7103", remote_cidr=ADDRESS["c1"] + "/32", name="r1"),
    rule("g0", "ingress", remote_group="g1", name="r2"),
    rule("g0", "ingress", "udp", port=7102, remote_group="g1", remote_cidr="10.30.0.8/29", name="r3"),
    rule("g0", "ingress", "tcp", name="r4"),
    rule("g0", "egress", "icmp", name="r5"),
    rule("g1", "egress", "udp", port=7101, name="r6"),
    rule("g1", "egress", remote_cidr=ADDRESS["s1"] + "/32", name="r7"),
    rule("g1", "egress", "udp", remote_group="g0", name="r8"),
    rule("g2", "ingress", "udp", ports="7101-7102", remote_cidr=ADDRESS["c2"] + "/32", name="r9"),
    rule("g2", "ingress", remote_cidr="10.30.0.0/28", name="r10"),
    rule("g2", "egress", "tcp", ports="1-100", name="r11"),
]
MEMBERSHIPS = {"c1": [[], ["g1"], ["g1", "g2"]], "c2": [[], ["g1"]], "s1": [["g0"], ["g0", "g2"], []], "s2": [["g0"], ["g2"], ["g2", "g0"]]}


def change(generator, groups, rules):
    """One step: a rule comes or goes, or a port's groups become others. What holds then."""
    if generator.random() < 0.3:
        name = generator.choice(sorted(MEMBERSHIPS))
        joined = generator.choice(MEMBERSHIPS[name])
        return rules.with_members(name, joined), lambda: groups.join(name, *joined)
    item = generator.choice(CANDIDATES)
    name = f"{item['group']}/{item['name']}"
    if name in rules.rules:
        return rules.without_rule(name), lambda: groups.delete_rule(name)
    return rules.with_rule(name, item), lambda: groups.apply(item)


@pytest.mark.slow
def test_random_changes_let_no_packet_through_that_neither_old_nor_new_rules_allow(lab, groups):
    """R-SG-7: and none that both allow is lost. Rules as reference.py understands them."""
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    rules = Rules(ADDRESS)
    for name in ("g0", "g1", "g2"):
        groups.make(name)
    for name, joined in (("c1", ["g1"]), ("c2", ["g1"]), ("s1", ["g0"]), ("s2", ["g0", "g2"])):
        groups.join(name, *joined)
        rules = rules.with_members(name, joined)
    flows = [(client, server, port) for client in ("c1", "c2") for server in ("s1", "s2") for port in (7101, 7102)]
    exchange = Exchange(lab, ADDRESS, flows)
    exchange.begins(rules)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end or len(exchange.states) <= CHANGES:
            rules, make = change(generator, groups, rules)
            exchange.changes(rules, make)
            time.sleep(generator.choice([0, 0.02, 0.15]))
    finally:
        exchange.stop()
    wrong, lost, passed, refused = exchange.judge()
    assert passed > 500 and refused > 500 and len(exchange.states) > 20, \
        f"seed {seed}: too little happened: {passed} passed, {refused} did not, {len(exchange.states)} states"
    assert wrong == [], f"seed {seed}"
    assert lost == [], f"seed {seed}"
