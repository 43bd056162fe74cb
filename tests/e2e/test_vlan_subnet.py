# SPDX-License-Identifier: Apache-2.0
"""Subnets of a VPC on provider segments: VLAN 2700 and an untagged one, with machines on the same segments that are not Viaduct's."""

import ipaddress

import pytest

from outside import ip_of, ping_source, seen_by_tcp, seen_by_udp, tag_of

LAB = """
name: vlan
segments: {underlay: {}, em01: {}, em02: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01, em02: em02}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01, em02: em02}}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h2}}
  near: {ports: {near: h1}}
  red: {ports: {red: h1}}
  plain: {ports: {plain: h2}}
  routed: {ports: {routed: h1}}
outside:
  server: {segment: em01, vlan: 2700, addresses: [192.168.10.99/24, "fd00:10::99/64"], gateways: [192.168.10.1, "fd00:10::1"]}
  redserver: {segment: em01, vlan: 2701, addresses: [192.168.10.99/24]}
  printer: {segment: em02, addresses: [192.168.20.99/24]}
  thief: {segment: em01, addresses: [192.168.10.98/24]}
"""
DOCUMENTS = """
{kind: vpc, name: demo, cidrs: [192.168.0.0/16, "fd00:10::/32"]}
---
{kind: subnet, name: private, vpc: demo, physnet: em01, vlan: 2700, cidrs: [192.168.10.0/24, "fd00:10::/64"]}
---
{kind: subnet, name: plain, vpc: demo, physnet: em02, cidrs: [192.168.20.0/24]}
---
{kind: subnet, name: routed, vpc: demo, cidrs: [192.168.30.0/24]}
---
{kind: vpc, name: red, cidrs: [192.168.0.0/16]}
---
{kind: subnet, name: red, vpc: red, physnet: em01, vlan: 2701, cidrs: [192.168.10.0/24]}
---
{kind: port, name: vm1, subnet: private, addresses: [192.168.10.2, "fd00:10::2"]}
---
{kind: port, name: vm2, subnet: private, addresses: [192.168.10.3, "fd00:10::3"]}
---
{kind: port, name: near, subnet: private, addresses: [192.168.10.4, "fd00:10::4"]}
---
{kind: port, name: red, subnet: red, addresses: [192.168.10.2]}
---
{kind: port, name: plain, subnet: plain, addresses: [192.168.20.2]}
---
{kind: port, name: routed, subnet: routed, addresses: [192.168.30.2]}
"""
SERVER = "192.168.10.99"


@pytest.fixture(scope="module")
def vm1(lab, reach):
    reach(lab.instance("vm1"), SERVER)
    reach(lab.instance("vm1"), "192.168.10.3")
    reach(lab.instance("red"), SERVER)
    return lab.instance("vm1")


def test_instances_and_a_machine_on_the_vlan_reach_each_other(lab, vm1):
    """R-NET-1: both ways, both families, no hop between; the tag is on the wire."""
    server = lab.outside("server")
    with lab.segments["em01"].capture("h1.em01") as frames:
        assert vm1.ping(SERVER, count=3).ttls == [64] * 3
        assert server.ping("192.168.10.2", count=3).ttls == [64] * 3
    assert {tag_of(frame) for frame in frames if ip_of(frame)} == {2700}
    assert ping_source(frames, SERVER) == {"192.168.10.2"}
    assert vm1.ping("fd00:10::99", count=2).ttls == [64] * 2
    assert server.ping("fd00:10::3", count=2).ttls == [64] * 2
    assert seen_by_tcp(vm1, server, SERVER, 8000) == "192.168.10.2"
    assert seen_by_tcp(server, vm1, "192.168.10.2", 8001) == SERVER
    assert seen_by_udp(server, lab.instance("vm2"), "192.168.10.3", 8002)[0] == SERVER


def test_instances_of_one_host_and_of_two_reach_each_other(lab, vm1):
    """R-NET-1: by the wire between hosts, not by a tunnel; and not by the wire on one host."""
    assert vm1.ping("192.168.10.4", count=2).ttls == [64] * 2
    with lab.segments["em01"].capture("h1.em01") as wire, lab.host("h1").capture("u0") as underlay:
        assert vm1.ping("192.168.10.3", count=2).ttls == [64] * 2
        assert vm1.ping("192.168.10.4", count=2).ttls == [64] * 2
    assert ping_source(wire, "192.168.10.3") == {"192.168.10.2"} and not ping_source(wire, "192.168.10.4")
    assert not any(bytes([192, 168, 10, 2, 192, 168, 10, 3]) in frame for frame in underlay)


def test_tenants_on_two_vlans_are_apart(lab, vm1):
    """R-NET-6: the same addresses on each; everyone meets only the machine of its own VLAN."""
    with lab.outside("server").capture("eth0") as mine, lab.outside("redserver").capture("eth0") as red:
        assert vm1.ping(SERVER, count=2).received == 2
    assert ping_source(mine, SERVER) and not ping_source(red, SERVER)
    with lab.outside("server").capture("eth0") as mine, lab.outside("redserver").capture("eth0") as red:
        assert lab.instance("red").ping(SERVER, count=2).received == 2
    assert ping_source(red, SERVER) and not ping_source(mine, SERVER)
    assert lab.outside("thief").ping("192.168.10.2", count=2, timeout=0.3).received == 0, "untagged, with an address of theirs"


def test_untagged_subnet(lab, vm1, reach):
    """R-NET-1: and its router leads to the other segments of the VPC."""
    plain = lab.instance("plain")
    reach(plain, "192.168.20.99")
    with lab.segments["em02"].capture("h2.em02") as frames:
        assert plain.ping("192.168.20.99", count=2).ttls == [64] * 2
    assert {tag_of(frame) for frame in frames if ip_of(frame)} == {0}
    for other in ("192.168.10.2", "192.168.30.2"):
        reach(plain, other)
        assert plain.ping(other, count=2).ttls == [63] * 2


def test_router_leads_from_a_vxlan_to_a_vlan(lab, vm1, reach):
    """R-NET-1, R-RTR-2"""
    routed = lab.instance("routed")
    reach(routed, "192.168.10.3")
    assert routed.ping("192.168.10.2", count=2).ttls == [63] * 2
    assert vm1.ping("192.168.30.2", count=2).ttls == [63] * 2
    assert vm1.ping("192.168.10.1").received == 1


def test_what_is_not_viaducts_on_the_segment_passes_the_host(lab, vm1):
    """R-NET-1: two machines of a VLAN that nobody here has, and the host itself on its own address."""
    host = lab.host("h1")
    host.ip("address", "add", "192.168.77.1/24", "dev", "em02")
    lab.outside("printer").ip("address", "add", "192.168.77.2/24", "dev", "eth0")
    try:
        lab.watcher.public.add(("em02", 0, ipaddress.ip_network("192.168.77.0/24")))
        assert lab.outside("printer").ping("192.168.77.1", count=2).ttls == [64] * 2
    finally:
        host.ip("address", "del", "192.168.77.1/24", "dev", "em02")


def test_source_check_holds_on_a_vlan_too(lab, vm1):
    """R-RTR-11, R-NET-6: nobody answers for the machine on the segment."""
    before = lab.host("h1").dropped("source_address")
    vm1.ip("address", "add", "192.168.10.50/32", "dev", "lo")
    try:
        assert vm1.ping(SERVER, count=2, source="192.168.10.50", timeout=0.3).received == 0
    finally:
        vm1.ip("address", "del", "192.168.10.50/32", "dev", "lo")
    assert lab.host("h1").dropped("source_address") == before + 2


def test_instance_that_moves_to_another_host_is_found_there(lab, vm1, reach):
    """R-NET-1: the machine outside learns the way anew without asking."""
    server, vm2 = lab.outside("server"), lab.instance("vm2")
    assert server.ping("192.168.10.3").received == 1
    lab.host("h2").viaduct("detach", "vm2")
    try:
        lab.host("h1").viaduct("attach", "vm2", "--netns", vm2.path, "--ifname", "eth0")
        reach(server, "192.168.10.3")
        reach(vm1, "192.168.10.3")
    finally:
        lab.host("h1").viaduct("detach", "vm2")
        vm2.attach()
    reach(server, "192.168.10.3")
