# SPDX-License-Identifier: Apache-2.0
"""An underlay of 1500 bytes leaves 1450 to an instance: VXLAN over IPv4 takes 50."""

import random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from conversation import connection, datagrams, say

LAB = """
name: mtu
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  one: {ports: {one: h1}}
  near: {ports: {near: h1}}
  far: {ports: {far: h2}}
"""
DOCUMENTS = """
kind: vpc
name: big
cidrs: [10.3.0.0/16, "fd00:3::/48"]
---
{kind: subnet, name: left, vpc: big, cidrs: [10.3.1.0/24, "fd00:3:0:1::/64"]}
---
{kind: subnet, name: right, vpc: big, cidrs: [10.3.2.0/24, "fd00:3:0:2::/64"]}
---
{kind: port, name: one, subnet: left, addresses: [10.3.1.10, "fd00:3:0:1::10"]}
---
{kind: port, name: near, subnet: right, addresses: [10.3.2.10, "fd00:3:0:2::10"]}
---
{kind: port, name: far, subnet: right, addresses: [10.3.2.20, "fd00:3:0:2::20"]}
"""
MTU = 1450
FAR = pytest.mark.parametrize("target", ["10.3.2.20", "fd00:3:0:2::20"], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def one(lab, reach):
    for target in ("10.3.2.10", "10.3.2.20", "fd00:3:0:2::10", "fd00:3:0:2::20"):
        reach(lab.instance("one"), target)
    return lab.instance("one")


@pytest.fixture
def careless(one):
    """The instance believes in 1500."""
    one.ip("link", "set", "eth0", "mtu", "1500")
    yield one
    one.ip("link", "set", "eth0", "mtu", str(MTU))
    one.ip("route", "flush", "cache")
    one.ip("-6", "route", "flush", "cache", check=False)


def overhead(target):
    return 48 if ":" in target else 28


def test_interface_has_the_right_mtu(lab, one):
    """R-NET-8"""
    for name in ("one", "near", "far"):
        assert f"mtu {MTU} " in lab.instance(name).ip("link", "show", "eth0")


@FAR
def test_largest_packet_passes(one, target):
    """R-NET-8"""
    assert one.ping(target, count=3, size=MTU - overhead(target), dont_fragment=True).received == 3


@FAR
def test_too_large_packet_is_answered_with_the_mtu(careless, target):
    """R-NET-8: "fragmentation needed" and "packet too big", from the gateway."""
    answer = careless.ping(target, count=1, size=1500 - overhead(target), dont_fragment=True)
    assert answer.received == 0
    if ":" in target:
        assert "From fd00:3:0:1::1" in answer.output and f"Packet too big: mtu={MTU}" in answer.output
    else:
        assert "From 10.3.1.1" in answer.output and f"Frag needed and DF set (mtu = {MTU})" in answer.output


@FAR
def test_instance_learns_the_mtu_and_goes_on(careless, target):
    """R-NET-8: no black hole for UDP that discovers its path."""
    careless.ping(target, count=1, size=1500 - overhead(target), dont_fragment=True)
    shown = careless.ip("route", "get", target)
    assert f"mtu {MTU}" in shown


@FAR
def test_mss_is_clamped_both_ways(lab, careless, target):
    """R-NET-8: an instance that offers 1460 is heard offering what fits."""
    far = lab.instance("far")
    far.ip("link", "set", "eth0", "mtu", "1500")
    try:
        with far.capture("eth0") as at_far, careless.capture("eth0") as at_one:
            with connection(careless, far, target, 8443) as (client, server):
                assert say(client, server, b"x" * 100000) == b"x" * 100000
    finally:
        far.ip("link", "set", "eth0", "mtu", str(MTU))
    expected = MTU - 20 - (40 if ":" in target else 20)
    assert heard_mss(at_far, "S", target) == expected
    assert heard_mss(at_one, "SA", target) == expected


def heard_mss(frames, flags, target):
    """Of the segment with these flags, as it came in (the last one: the sender's own capture shows it as sent)."""
    found = []
    for frame in frames:
        packet = Ether(frame)
        if packet.haslayer(IPv6 if ":" in target else IP) and packet.haslayer(TCP) and packet[TCP].flags == flags:
            found += [value for name, value in packet[TCP].options if name == "MSS"]
    assert found, f"no segment {flags} seen"
    return found[-1]


@FAR
def test_fragments_pass_across_hosts(one, target):
    """R-NET-8: also those of a datagram of 60,000 bytes; later ones follow their first."""
    assert one.ping(target, count=3, size=4000).received == 3
    assert one.ping(target, count=2, size=60000).received == 2


def test_fragments_pass_on_one_host(one):
    """R-NET-8"""
    assert one.ping("10.3.2.10", count=3, size=4000).received == 3
    assert one.ping("fd00:3:0:2::10", count=3, size=4000).received == 3


@FAR
def test_fragmented_datagrams_carry_their_bytes(lab, one, target):
    """R-NET-8"""
    payload = random.Random(8).randbytes(9000)
    with datagrams(one, lab.instance("far"), target, 9000) as (client, server):
        for number in range(10):
            client.send(bytes([number]) + payload)
            assert server.recv(10000) == bytes([number]) + payload


@FAR
def test_large_transfer_arrives_whole(lab, one, target):
    """R-NET-8: 20 MB each way, segments as large as the kernel likes them."""
    data = random.Random(1).randbytes(20 << 20)
    with connection(one, lab.instance("far"), target, 8000) as (client, server):
        assert say(client, server, data) == data
        assert say(server, client, data) == data
