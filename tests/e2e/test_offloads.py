# SPDX-License-Identifier: Apache-2.0
"""Bulk through translations as kernels really send it: packets of many segments, checksums that the card is to complete; and a smaller
MTU on the way."""

import contextlib
import hashlib
import socket
import threading

import pytest

from checksums import seen_in
from conversation import family_of
from outside import address_of, listener

LAB = """
name: offload
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24]}
instances:
  near: {ports: {near: h1}}
  far: {ports: {far: h2}}
  own: {ports: {own: h1}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24, "2001:db8:a::1/64"]
    behind:
      addresses: [198.51.100.1/24, "2001:db8:b::1/64"]
      hosts: {web: [198.51.100.10/24, "2001:db8:b::10/64"]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [203.0.113.0/24, "2001:db8:a::/64"]}
---
{kind: vpc, name: one, cidrs: [192.168.0.0/16, "fd00:1::/48"], networks: [{network: public, address: 203.0.113.10}]}
---
{kind: subnet, name: one, vpc: one, cidrs: [192.168.0.0/24, "fd00:1::/64"]}
---
{kind: port, name: near, subnet: one, addresses: [192.168.0.2, "fd00:1::2"]}
---
{kind: port, name: far, subnet: one, addresses: [192.168.0.3, "fd00:1::3"]}
---
{kind: port, name: own, subnet: one, addresses: [192.168.0.4, "fd00:1::4"]}
---
{kind: elastic_ip, name: own4, network: public, address: 203.0.113.51, port: own}
---
{kind: elastic_ip, name: own6, network: public, address: "2001:db8:a::51", port: own, port_address: "fd00:1::4"}
---
{kind: port_forward, name: near, vip: one.public, protocol: tcp, ports: 8022, to_ports: 22, port: near}
"""
WEB, WEB6 = "198.51.100.10", "2001:db8:b::10"
SIZE = 6 << 20


@pytest.fixture(scope="module")
def instances(lab, reach):
    for name in ("near", "far", "own"):
        for address in (WEB, WEB6):
            reach(lab.instance(name), address)
    return {name: lab.instance(name) for name in ("near", "far", "own")}


@pytest.fixture(scope="module")
def vips(lab):
    return {family: address_of(lab.host("h1"), "virtual_ips", "one.public", family) for family in (4, 6)}


@contextlib.contextmanager
def without_offload(node, ifname):
    """What this interface sends is cut into segments and summed up by the kernel, as a card would: it is final on the wire."""
    node.run("ethtool", "-K", ifname, "tx", "off", "tso", "off", "gso", "off")
    try:
        yield
    finally:
        node.run("ethtool", "-K", ifname, "tx", "on", "tso", "on", "gso", "on")


def has_offload(node, ifname="eth0"):
    said = node.run("ethtool", "-k", ifname).stdout
    return "tcp-segmentation-offload: on" in said and "tx-checksumming: on" in said


def bulk(sender, receiver, size=SIZE):
    """Bytes that all differ from what is near them, one way: those that arrived are those that were sent, and no others."""
    block = b"".join(hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(2048))
    sent, got, count = hashlib.sha256(), hashlib.sha256(), 0

    def write():
        for _ in range(size // len(block)):
            sender.sendall(block)
            sent.update(block)
        sender.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=write)
    thread.start()
    while part := receiver.recv(1 << 16):
        got.update(part)
        count += len(part)
    thread.join()
    assert count == size and got.digest() == sent.digest()


@contextlib.contextmanager
def connected(client, server, address, port, to_port=None):
    """(the client's socket, the server's, whom the server sees)"""
    family = family_of(address)
    with listener(server, to_port or port, family) as waiting, client.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(20)
        one.connect((address, port))
        other, peer = waiting.accept()
        with other:
            other.settimeout(20)
            yield one, other, peer[0]


def carried(seen, source, destination):
    """Those of one direction; none of them is what a card would send as a bad packet."""
    found = [one for one in seen if (one.source, one.destination) == (source, destination)]
    assert found and not [one for one in found if one.state == "bad"]
    return found


CASES = [("near", WEB, None), ("near", WEB6, None), ("far", WEB, None), ("own", WEB, "203.0.113.51"), ("own", WEB6, "2001:db8:a::51")]


@pytest.mark.parametrize(("name", "address", "elastic"), CASES)
def test_bulk_out_is_right_on_the_wire(lab, instances, vips, name, address, elastic):
    """R-SNAT-1, R-EIP-1: large packets with unfinished checksums are translated; cut and summed up at the uplink, every one is right."""
    node, web = instances[name], lab.outside("web")
    assert has_offload(node)
    with without_offload(lab.host("h1"), "em01"), web.capture("eth0") as frames:
        with connected(node, web, address, 8000) as (one, other, peer):
            assert peer == (elastic or vips[6 if ":" in address else 4])
            bulk(one, other)
    found = carried(seen_in(frames), peer, address)
    assert {one.state for one in found} == {"final"} and max(one.size for one in found) <= 1500
    assert sum(one.payload for one in found) >= SIZE


@pytest.mark.parametrize(("name", "address", "elastic"), CASES)
def test_bulk_passes_in_large_packets(lab, instances, vips, name, address, elastic):
    """R-SNAT-1, R-EIP-1: with nobody on the way who cuts them, they arrive as large as they were sent, their sums as unfinished as before."""
    node, web = instances[name], lab.outside("web")
    with web.capture("eth0") as frames, connected(node, web, address, 8001) as (one, other, peer):
        bulk(one, other)
    found = carried(seen_in(frames), peer, address)
    assert max(one.size for one in found) > 1500


@pytest.mark.parametrize("is_offloaded", [True, False])
@pytest.mark.parametrize(("name", "address", "elastic"), CASES)
def test_bulk_in_is_right_at_the_instance(lab, instances, vips, name, address, elastic, is_offloaded):
    """R-SNAT-1, R-EIP-1: replies, large and unfinished as another kernel hands them over, or whole as they come from a wire."""
    node, web = instances[name], lab.outside("web")
    inner = {"near": ("192.168.0.2", "fd00:1::2"), "far": ("192.168.0.3", "fd00:1::3"), "own": ("192.168.0.4", "fd00:1::4")}[name]
    with contextlib.nullcontext() if is_offloaded else without_offload(web, "eth0"), node.capture("eth0") as frames:
        with connected(node, web, address, 8002) as (one, other, _):
            bulk(other, one)
    found = carried(seen_in(frames), address, inner[1 if ":" in address else 0])
    # Out of a tunnel the kernel has put them together again, which leaves their sums unfinished.
    assert is_offloaded or name == "far" or {one.state for one in found} == {"final"}


@pytest.mark.parametrize("is_offloaded", [True, False])
def test_bulk_through_a_port_forward(lab, instances, vips, is_offloaded):
    """R-PF-1: both ways."""
    near, web = instances["near"], lab.outside("web")
    with without_offload(lab.host("h1"), "em01"), contextlib.nullcontext() if is_offloaded else without_offload(web, "eth0"):
        for is_out in (False, True):
            with web.capture("eth0") as outside, near.capture("eth0") as inside:
                with connected(web, near, vips[4], 8022, 22) as (one, other, peer):
                    assert peer == WEB
                    bulk(other, one) if is_out else bulk(one, other)
            found = carried(seen_in(outside), vips[4], WEB)
            assert {one.state for one in found} == {"final"}
            carried(seen_in(inside), WEB, "192.168.0.2")


def too_big_in(frames, source):
    """MTUs that ICMPv6 "packet too big" of these frames name, about packets from source."""
    return {int.from_bytes(frame[58:62], "big") for frame in frames
            if frame[12:14] == b"\x86\xdd" and (frame[20], frame[54]) == (58, 2) and frame[70:86] == socket.inet_pton(socket.AF_INET6, source)}


@pytest.mark.parametrize(("name", "inner", "elastic"), [("near", "fd00:1::2", False), ("far", "fd00:1::3", False), ("own", "fd00:1::4", True)])
def test_smaller_mtu_outside_is_learnt_over_ipv6(lab, instances, name, inner, elastic):
    """R-SNAT-1, R-EIP-1, R-NET-8: "packet too big" from a router outside comes back translated, and the transfer completes."""
    node, router, web = instances[name], lab.outside("isp"), lab.outside("web")
    # Only there: both ends offer segments of their own links.
    router.ip("-6", "route", "replace", f"{WEB6}/128", "dev", "inside", "mtu", "lock", "1300")
    try:
        with node.capture("eth0") as frames, connected(node, web, WEB6, 8003) as (one, other, _):
            bulk(one, other, 1 << 20)
        assert too_big_in(frames, inner) == {1300}
        assert node.ping(WEB6, size=1252, dont_fragment=True).received == 1
        assert node.ping(WEB6, size=1253, dont_fragment=True, count=2, timeout=0.5).received == 0
    finally:
        router.ip("-6", "route", "del", f"{WEB6}/128", "dev", "inside")
        node.ip("-6", "route", "flush", "cache")
