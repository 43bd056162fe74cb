# SPDX-License-Identifier: Apache-2.0
"""The way out by the router's own address: what passes, what comes back, what is refused."""

import socket

import pytest

from conversation import family_of
from outside import address_of, converse, is_closed, seen_by_tcp, seen_by_udp, tcp
from strangers import Echo, speak

LAB = """
name: snat
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24]}
instances:
  near: {ports: {near: h1}}
  far: {ports: {far: h2}}
  kept: {ports: {kept: h1}}
  other: {ports: {other: h1}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24, "2001:db8:a::1/64"]
    behind:
      addresses: [198.51.100.1/24, "2001:db8:b::1/64"]
      hosts: {web: [198.51.100.10/24, "2001:db8:b::10/64"], mail: [198.51.100.11/24, "2001:db8:b::11/64"]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [203.0.113.0/24, "2001:db8:a::/64"]}
---
{kind: vpc, name: one, cidrs: [192.168.0.0/16, "fd00:1::/48"], networks: [{network: public, address: 203.0.113.10}]}
---
{kind: subnet, name: one, vpc: one, cidrs: [192.168.0.0/24, "fd00:1::/64"]}
---
{kind: subnet, name: kept, vpc: one, cidrs: [192.168.1.0/24, "fd00:1:0:1::/64"], snat: false}
---
{kind: port, name: near, subnet: one, addresses: [192.168.0.2, "fd00:1::2"]}
---
{kind: port, name: far, subnet: one, addresses: [192.168.0.3, "fd00:1::3"]}
---
{kind: port, name: kept, subnet: kept, addresses: [192.168.1.2, "fd00:1:0:1::2"]}
---
{kind: vpc, name: two, cidrs: [192.168.0.0/16], networks: [{network: public, address: 203.0.113.20}]}
---
{kind: subnet, name: two, vpc: two, cidrs: [192.168.0.0/24]}
---
{kind: port, name: other, subnet: two, addresses: [192.168.0.2]}
"""
WEB, MAIL, WEB6, VIP = "198.51.100.10", "198.51.100.11", "2001:db8:b::10", "203.0.113.10"
FIRST, COUNT = 5536, 60000  # all ports that a virtual IP translates to: VD_NAT_PORT_FIRST to 65535


@pytest.fixture(scope="module")
def near(lab, reach):
    for name in ("near", "far", "other"):
        reach(lab.instance(name), WEB)
    reach(lab.instance("near"), WEB6)
    return lab.instance("near")


@pytest.fixture(scope="module")
def vips(lab):
    return {family: address_of(lab.host("h1"), "virtual_ips", "one.public", family) for family in (4, 6)}


@pytest.mark.parametrize("name", ["near", "far"])
@pytest.mark.parametrize("address", [WEB, WEB6])
def test_outside_sees_the_routers_address(lab, near, vips, name, address):
    """R-SNAT-1, R-NET-4: TCP, UDP and ping, from the gateway's own host and from another, over both families."""
    node, vip = lab.instance(name), vips[6 if ":" in address else 4]
    assert node.ping(address, count=3).ttls == [62] * 3
    assert seen_by_tcp(node, lab.outside("web"), address, 8000) == vip
    assert seen_by_udp(node, lab.outside("web"), address, 8001)[0] == vip


def test_two_tenants_with_one_address_are_kept_apart(lab, near):
    """R-SNAT-1, R-NET-6: the same inner address and port in two VPCs, to one server at once."""
    server = lab.outside("web")
    with tcp(near, server, WEB, 8000, source_port=4000) as (one, at_one, peer):
        with tcp(lab.instance("other"), server, WEB, 8004, source_port=4000) as (two, at_two, other_peer):
            assert (peer[0], other_peer[0]) == (VIP, "203.0.113.20")
            converse(one, at_one)
            converse(two, at_two)


def test_mapping_does_not_depend_on_the_far_end(lab, near):
    """R-SNAT-1: RFC 4787, REQ-1."""
    first = seen_by_udp(near, lab.outside("web"), WEB, 9000, source_port=4500)
    assert first is not None and seen_by_udp(near, lab.outside("mail"), MAIL, 9000, source_port=4500) == first


@pytest.mark.parametrize("address", [WEB, WEB6])
def test_errors_from_outside_reach_who_caused_them(lab, near, address):
    """R-SNAT-1: port unreachable and time exceeded."""
    with near.socket(family_of(address), socket.SOCK_DGRAM) as one:
        one.connect((address, 9))
        one.send(b"nobody listens")
        with pytest.raises(ConnectionRefusedError):
            one.recv(100)
    assert near.traceroute(address)[1:] == [{WEB: "203.0.113.1", WEB6: "2001:db8:a::1"}[address], address]


@pytest.mark.parametrize("address", [WEB, WEB6])
def test_errors_from_inside_leave_with_the_routers_address(lab, near, vips, address):
    """R-SNAT-1, R-SNAT-2: also the packet that the error quotes."""
    family, server = family_of(address), lab.outside("web")
    with server.socket(family, socket.SOCK_DGRAM) as other:
        other.bind(("", 9100))
        with near.socket(family, socket.SOCK_DGRAM) as one:
            one.sendto(b"question", (address, 9100))
            _, peer = other.recvfrom(100)
        other.connect(peer[:2])
        with server.capture("eth0") as frames:
            other.send(b"too late")
            with pytest.raises(ConnectionRefusedError):
                other.recv(100)
    assert peer[0] == vips[6 if ":" in address else 4]
    private = socket.inet_pton(family, "fd00:1::2" if ":" in address else "192.168.0.2")
    assert frames and not any(private in frame for frame in frames)


def test_smaller_mtu_outside_is_learnt(lab, near):
    """R-SNAT-1, R-NET-8: "fragmentation needed" from a router outside comes back translated."""
    router = lab.outside("isp")
    router.ip("link", "set", "inside", "mtu", "1300")
    try:
        with tcp(near, lab.outside("web"), WEB, 8003) as (one, other, _):
            converse(one, other, 100000)
        assert near.ping(WEB, size=1300, dont_fragment=True, count=2, timeout=0.5).received == 0
        assert near.ping(WEB, size=1272, dont_fragment=True).received == 1
    finally:
        router.ip("link", "set", "inside", "mtu", "1500")
        near.ip("route", "flush", "cache")


def test_fragments_are_translated_with_their_first(lab, near):
    """R-SNAT-1"""
    assert near.ping(WEB, size=4000, count=2).received == 2
    with lab.outside("web").socket(socket.AF_INET, socket.SOCK_DGRAM) as other, near.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        other.bind(("", 9200))
        one.sendto(b"x" * 5000, (WEB, 9200))
        data, peer = other.recvfrom(6000)
        assert (len(data), peer[0]) == (5000, VIP)
        other.sendto(b"y" * 5000, peer)
        assert one.recv(6000) == b"y" * 5000


def test_who_is_outside_reaches_no_instance(lab, near):
    """R-SNAT-1: the address answers pings for the router, and its ports lead to nobody; nor does a port that someone else's flow has."""
    web, mail = lab.outside("web"), lab.outside("mail")
    assert web.ping(VIP).received == 1
    assert is_closed(web, VIP, 22)
    with near.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, web.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 9300))
        one.sendto(b"question", (WEB, 9300))
        _, peer = other.recvfrom(100)
        with mail.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"intruder", peer)
        other.sendto(b"answer", peer)
        assert one.recv(100) == b"answer"


def test_subnet_with_snat_off_stays_inside(lab, near):
    """R-SNAT-1, R-SNAT-2: off per network, dropped by name; inside its VPC all is well."""
    kept, host = lab.instance("kept"), lab.host("h1")
    assert kept.ping("192.168.0.2", count=2).received == 2
    before = host.dropped("no_snat")
    for address in (WEB, WEB6):
        assert kept.ping(address, count=2, timeout=0.3).received == 0
    assert host.dropped("no_snat") >= before + 4
    assert host.recent_drops("no_snat")[-1]["port"] == "kept"
    document = "{kind: subnet, name: kept, vpc: one, cidrs: [192.168.1.0/24, 'fd00:1:0:1::/64'], snat: %s}"
    host.apply(document % "true")
    assert kept.ping(WEB, count=2).received == 2
    host.apply(document % "false")
    assert kept.ping(WEB, count=2, timeout=0.3).received == 0, "the next packet obeys"


def test_protocol_without_ports_does_not_leave_as_it_is(lab, near):
    """R-SNAT-2: GRE, which nothing translates port by port."""
    with lab.outside("isp").capture("eth0") as frames, near.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)) as one:
        one.sendto(b"\0" * 20, (WEB, 0))
    assert not any(socket.inet_aton("192.168.0.2") in frame for frame in frames)


@pytest.mark.slow
def test_ports_of_one_tenant_run_out_and_another_goes_on(lab, near):
    """R-SNAT-2: 60,000 conversations with one destination; the next is refused by name, those that run and the other tenant's go on."""
    host, other, web = lab.host("h1"), lab.instance("other"), lab.outside("web")
    for node in (near, web):
        node.sysctl("net.ipv4.ip_local_port_range=60000 60999")
    with Echo(web, 7777):
        seen = speak(near, WEB, 7777, 2000, 2000 + COUNT - 1)
        assert len(seen) == COUNT and len(set(seen.values())) == COUNT
        assert min(seen.values()) >= FIRST
        before = host.dropped("snat_ports")
        assert speak(near, WEB, 7777, 62001, 62010) == {}
        assert host.dropped("snat_ports") > before
        drop = host.recent_drops("snat_ports")[-1]
        assert drop["port"] == "near" and "one" in str(drop.get("vpc", drop))
        assert len(speak(other, WEB, 7777, 2000, 2099)) == 100, "another tenant"
        sample = range(2000, 2000 + COUNT, 599)
        assert all(speak(near, WEB, 7777, own, own) == {own: seen[own]} for own in sample), "those that run keep their ports"
        assert seen_by_udp(near, lab.outside("mail"), MAIL, 7778) is not None, "another destination"


def test_refusals_are_told_with_their_sentence(lab):
    """R-SNAT-2"""
    lab.instance("kept").ping(WEB, timeout=0.3)
    said = lab.host("h1").viaduct("drops").stdout
    assert "no_snat" in said, said
