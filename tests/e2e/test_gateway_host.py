# SPDX-License-Identifier: Apache-2.0
"""The host that holds a router's system VIP: it dies and another takes over; it is only frozen and must not translate beside the other."""

import contextlib
import json
import signal
import socket
import struct
import threading
import time

import pytest

from lab.world import wait_until
from outside import address_of, converse, seen_by_tcp, tcp
from traffic import Stream

# The store is apart from the hosts that die.
LAB = """
name: gateway
segments: {underlay: {}, em01: {}}
etcd:
  e1: {addresses: [172.31.0.11/24]}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01}}
  h3: {addresses: [172.31.0.3/24]}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h2}}
  vm3: {ports: {vm3: h3}}
  own1: {ports: {own1: h1}}
  own2: {ports: {own2: h2}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [203.0.113.0/24]}
---
{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [public]}
---
{kind: subnet, name: demo, vpc: demo, cidrs: [192.168.0.0/24]}
---
""" + "---\n".join(f"{{kind: port, name: {name}, subnet: demo, addresses: [192.168.0.{number}]}}\n" for name, number in (
    ("vm1", 11), ("vm2", 12), ("vm3", 13), ("own1", 21), ("own2", 22))) + """
---
{kind: elastic_ip, name: eip1, network: public, address: 203.0.113.51, port: own1}
---
{kind: elastic_ip, name: eip2, network: public, address: 203.0.113.52, port: own2}
"""
WEB = "198.51.100.10"
PATIENCE = 60  # seconds, for a lease to run out and another host to step in


@pytest.fixture(scope="module")
def vip(lab, reach):
    for name in ("vm1", "vm2", "vm3", "own1", "own2"):
        reach(lab.instance(name), WEB)
    return address_of(lab.host("h3"), "virtual_ips", "demo.public")


@pytest.fixture(autouse=True)
def all_well(lab, vip, reach):
    """Before and after: every host runs and every instance reaches outside."""
    yield
    for name in ("h1", "h2"):
        host = lab.host(name)
        host.ip("link", "set", "em01", "up")
        host.ip("link", "set", "u0", "up")
        if not host.is_running():
            host.start()
    wait_until(lambda: all(lab.instance(name).ping(WEB, timeout=0.5).received for name in ("vm1", "vm2", "vm3", "own1", "own2")),
               "everyone reaches outside again", PATIENCE)


def mac_of(lab, name):
    return json.loads(lab.host(name).ip("-j", "link", "show", "em01"))[0]["address"]


def holder(lab, vip):
    """The name of the host that answers for the system VIP now, or None."""
    isp = lab.outside("isp")
    isp.ip("neighbour", "flush", "dev", "eth0")
    isp.ping(vip, timeout=0.3)
    return {mac_of(lab, name): name for name in ("h1", "h2")}.get(isp.has_learnt(vip))


def other(name):
    return {"h1": "h2", "h2": "h1"}[name]


def test_one_host_is_chosen(lab, vip):
    """R-RTR-4, R-SNAT-1: all instances leave through it with one address; with an elastic IP from their own host."""
    assert holder(lab, vip) in ("h1", "h2")
    for name in ("vm1", "vm2", "vm3"):
        assert seen_by_tcp(lab.instance(name), lab.outside("web"), WEB, 8000) == vip
    for name, address in (("own1", "203.0.113.51"), ("own2", "203.0.113.52")):
        assert seen_by_tcp(lab.instance(name), lab.outside("web"), WEB, 8000) == address


NEW = "{kind: vpc, name: new, cidrs: [10.9.0.0/16], networks: [public]}\n---\n{kind: subnet, name: new, vpc: new, cidrs: [10.9.0.0/24]}"


def test_waiting_for_an_attachment_is_waiting_for_its_gateway(lab, vip):
    """R-RTR-4: when `apply --wait` returns, a host has been chosen and serves the address; what no host can serve is told, not waited for."""
    host, isp = lab.host("h3"), lab.outside("isp")
    for _ in range(4):
        host.viaduct("apply", "-f", "-", "--wait", input=NEW)
        led = [one["name"] for name in ("h1", "h2") for one in lab.host(name).live("status")["gateways"]]
        assert "new.public" in led, "somebody leads it out at once"
        address = address_of(host, "virtual_ips", "new.public")
        isp.forget()
        assert isp.ping(address, count=1).received == 1
        host.viaduct("delete", "-f", "-", "--wait", input=NEW)
    nowhere = "{kind: network, name: nowhere, role: public, physnet: nowhere, cidrs: [198.18.0.0/24]}\n---\n" + NEW.replace("[public]", "[nowhere]")
    started = time.monotonic()
    said = host.viaduct("apply", "-f", "-", "--wait", input=nowhere)
    assert time.monotonic() - started < 10
    notes = [line for line in said.stderr.splitlines() if line.startswith("note:") and "uplink" in line]
    assert len(notes) == 1 and all(word in notes[0] for word in ("VPC new", "network nowhere", "physical network nowhere")), said.stderr
    host.viaduct("delete", "-f", "-", "--wait", input=nowhere)


def test_killed_and_started_again_it_loses_nothing(lab, vip):
    """R-OPS-5, R-SNAT-1: connections through its translation go on, and it stays the gateway."""
    name = holder(lab, vip)
    stream = Stream(lab.outside("web"), lab.instance("vm3"), WEB)
    time.sleep(0.3)
    for _ in range(3):
        lab.host(name).restart()
        time.sleep(0.5)
    stream.stop()
    assert stream.error is None and stream.received == stream.sent > 0
    assert stream.lost == 0
    assert holder(lab, vip) == name
    assert seen_by_tcp(lab.instance("vm3"), lab.outside("web"), WEB, 8001) == vip


def test_dead_gateway_is_followed_by_another(lab, vip):
    """R-OPS-5, R-RTR-4: new connections pass by the other host; those with elastic IPs there never noticed."""
    name = holder(lab, vip)
    survivor = other(name)
    mine = lab.instance(f"own{survivor[1]}")
    with tcp(mine, lab.outside("web"), WEB, 8002) as (one, far, _):
        converse(one, far)
        dead = lab.host(name)
        dead.kill9()
        for link in ("em01", "u0"):
            dead.ip("link", "set", link, "down")
        started = time.monotonic()
        while seen_by_tcp(lab.instance("vm3"), lab.outside("web"), WEB, 8003) != vip:
            converse(one, far, 1000)
            assert time.monotonic() - started < PATIENCE, "no host took over"
        converse(one, far)
    print(f"taken over after {time.monotonic() - started:.1f} s")
    assert holder(lab, vip) == survivor
    assert seen_by_tcp(lab.instance(f"vm{survivor[1]}"), lab.outside("web"), WEB, 8004) == vip


def settled(one, far):
    """How a connection that its gateway left behind ends up: "goes on", or "refused" to who speaks. Silence is neither."""
    one.settimeout(5)
    far.settimeout(5)
    try:
        converse(one, far, 1000)
        return "goes on"
    except TimeoutError:
        with pytest.raises(ConnectionResetError):
            one.recv(1)
        return "refused"


def test_connections_of_a_dead_gateway_are_settled_by_its_follower(lab, vip):
    """R-OPS-5, R-RTR-4: those that it translated go on when the inside speaks, with the port that they had, where the follower has that free
    (else the server, who knows no other, resets them): none leaves with another address. Those with elastic IPs elsewhere never noticed."""
    name = holder(lab, vip)
    survivor, web = other(name), lab.outside("web")
    with contextlib.ExitStack() as opened:
        open_one = lambda node, port: opened.enter_context(tcp(lab.instance(node), web, WEB, port))  # noqa: E731
        snat = [open_one(node, 8100 + number) for number, node in enumerate(("vm3", f"vm{survivor[1]}", f"vm{name[1]}"))]
        elastic = open_one(f"own{survivor[1]}", 8110)
        for one, far, peer in snat:
            assert peer[0] == vip
            converse(one, far)
        dead = lab.host(name)
        dead.kill9()
        for link in ("em01", "u0"):
            dead.ip("link", "set", link, "down")
        wait_until(lambda: seen_by_tcp(lab.instance("vm3"), web, WEB, 8120) == vip, "another host took over", PATIENCE)
        converse(elastic[0], elastic[1])
        # The one on the dead host itself is gone with it.
        with web.capture("eth0") as frames:
            found = [settled(one, far) for one, far, _ in snat[:2]]
        assert found == ["goes on"] * 2, "the follower had their ports free"
        sources = {socket.inet_ntoa(frame[26:30]) for frame in frames if frame[12:14] == b"\x08\x00" and frame[30:34] == socket.inet_aton(WEB)}
        assert sources == {vip}
        converse(elastic[0], elastic[1])
    assert holder(lab, vip) == survivor


class Sightings:
    """New flows' datagrams of the VIP as they pass the wire, in order: [(seconds, mac, vm, number)]."""

    def __init__(self, lab, vip, port):
        def open_socket():
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            opened.bind(("eth0", 0))
            return opened

        self.wanted = socket.inet_aton(vip), struct.pack("!H", port)
        self.socket = lab.outside("isp").inside(open_socket)
        self.socket.settimeout(0.2)
        self.seen, self.stopping = [], False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.stopping:
            with contextlib.suppress(TimeoutError):
                frame = self.socket.recv(200)
                if frame[23] == 17 and (frame[26:30], frame[36:38]) == self.wanted:
                    self.seen.append((time.monotonic(), frame[6:12].hex(":"), *NewFlows.WORDS.unpack_from(frame, 42)))

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.socket.close()
        return self.seen


class NewFlows:
    """A new flow from a node every 20 ms: each datagram has a source port of its own, and says who sent it and the how manieth it is."""

    WORDS = struct.Struct("!3sI")

    def __init__(self, node, address, port):
        self.node, self.target, self.stopping = node, (address, port), False
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        number = 0
        while not self.stopping:
            number += 1
            with contextlib.suppress(OSError), self.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.bind(("", 10000 + number % 20000))
                one.sendto(self.WORDS.pack(self.node.title.encode(), number), self.target)
            time.sleep(0.02)

    def stop(self):
        self.stopping = True
        self.thread.join()


def test_frozen_gateway_does_not_translate_beside_its_follower(lab, vip):
    """R-SNAT-2, R-OPS-5: the daemon is stopped (SIGSTOP), its data plane runs on: after its deadline it refuses new work by itself, by name,
    before its follower begins. Connections that stand go on through it until then; those of elastic IPs on the other host throughout."""
    name = holder(lab, vip)
    survivor, frozen = other(name), lab.host(name)
    sightings = Sightings(lab, vip, 9000)
    flows = [NewFlows(lab.instance(f"vm{host[1]}"), WEB, 9000) for host in ("h1", "h2")]
    before = frozen.dropped("gateway_deadline")
    rounds = 0
    try:
        with tcp(lab.instance("vm3"), lab.outside("web"), WEB, 9001) as (snat, snat_far, peer), \
                tcp(lab.instance(f"own{survivor[1]}"), lab.outside("web"), WEB, 9002) as (own, own_far, _):
            assert peer[0] == vip
            snat.settimeout(2)
            frozen.process.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            while holder(lab, vip) != survivor:
                assert time.monotonic() - started < PATIENCE, "the other host takes over"
                converse(own, own_far, 1000)
                try:
                    converse(snat, snat_far, 1000)
                    rounds += 1
                except OSError:
                    assert holder(lab, vip) == survivor, "what stands goes on while nobody took over"
            converse(own, own_far, 1000)
            time.sleep(2)
            converse(own, own_far, 1000)
    finally:
        for flow in flows:
            flow.stop()
        seen = sightings.stop()
        frozen.process.send_signal(signal.SIGCONT)
    old, new = ([moment for moment, mac, _, _ in seen if mac == mac_of(lab, host)] for host in (name, survivor))
    assert old and new, "both were seen, one after the other"
    assert rounds > 5, "what stood went on meanwhile"
    assert max(old) < min(new), f"both translated for {max(old) - min(new):.2f} s"
    # Counted in flows, as this process may see things late: those of the survivor's instance that nobody translated.
    last, first = (limit(number for _, mac, vm, number in seen if mac == mac_of(lab, host) and vm == f"vm{survivor[1]}".encode())
                   for limit, host in ((max, name), (min, survivor)))
    refused = first - last - 1
    assert refused > 5, "it refused by its deadline before its follower translated"
    wait_until(lambda: frozen.answers() and frozen.dropped("gateway_deadline") >= before + refused, "it says what it refused")
    wait_until(lambda: lab.instance(f"vm{name[1]}").ping(WEB, timeout=0.5).received, "it leaves through its follower now", PATIENCE)
    assert holder(lab, vip) == survivor, "it does not take it back"
