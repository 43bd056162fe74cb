# SPDX-License-Identifier: Apache-2.0
"""Seed 004, chapter 3: public, management and private network, with the tutorial's addresses; the public network untagged and on a VLAN."""

import os

import pytest
import yaml

from lab import Lab, Layout
from outside import address_of, ping_source, seen_by_tcp, seen_by_udp, tag_of
from userland import Userland

LAB = """
name: public
segments: {underlay: {}, em01: {}, em02: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01, em02: {segment: em02, addresses: [192.168.29.11/24]}}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01, em02: {segment: em02, addresses: [192.168.29.12/24]}}}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h2}}
  kiosk: {ports: {kiosk: h2}}
  guest: {ports: {guest: {host: h1, dhcp: true}}}
outside:
  isp:
    segment: em01
    vlan: %(vlan)d
    addresses: [10.0.0.1/8]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24], mail: [198.51.100.11/24]}}
  desk: {segment: em01, vlan: %(vlan)d, addresses: [10.200.0.9/8], gateways: [10.0.0.1]}
  stranger: {segment: em01, vlan: 9, addresses: [10.200.0.8/8]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, %(vlan)s ranges: [10.108.10.0-10.108.11.255], netmask: 255.0.0.0, gateway: 10.0.0.1,
 dhcp: true, dhcp_address: 10.108.10.1}
---
{kind: network, name: management, role: management, physnet: em02, ranges: [192.168.29.30-192.168.29.40], netmask: 255.255.255.0,
 gateway: 192.168.29.1}
---
{kind: router_profile, name: standard, network: public, management_network: management}
---
{kind: vpc, name: demo, cidrs: [192.168.10.0/24], router_profile: standard}
---
{kind: subnet, name: private, vpc: demo, physnet: em01, vlan: 2700, cidrs: [192.168.10.0/24], dhcp_address: 192.168.10.10}
---
{kind: port, name: vm1, subnet: private, addresses: [192.168.10.226]}
---
{kind: port, name: vm2, subnet: private, addresses: [192.168.10.167]}
---
{kind: port, name: kiosk, network: public, addresses: [10.108.11.7]}
---
{kind: port, name: guest, network: public, addresses: [10.108.11.8]}
"""
WEB, MAIL, DESK = "198.51.100.10", "198.51.100.11", "10.200.0.9"


@pytest.fixture(scope="module", params=[0, 108], ids=["untagged", "tagged"])
def lab(request):
    layout = Layout.from_document(yaml.safe_load(LAB % {"vlan": request.param}))
    documents = DOCUMENTS % {"vlan": f"vlan: {request.param}," if request.param else ""}
    with Lab(layout, name=f"public{os.getpid()}", documents=documents) as built:
        built.vlan = request.param
        yield built


@pytest.fixture(scope="module")
def vm1(lab, reach):
    reach(lab.instance("vm1"), "192.168.10.167")
    reach(lab.instance("vm1"), DESK)  # the first packet to a neighbour asks for its MAC
    reach(lab.instance("kiosk"), DESK)
    reach(lab.outside("desk"), address_of(lab.host("h1"), "virtual_ips", "demo.public"))
    reach(lab.instance("vm1"), WEB)
    return lab.instance("vm1")


@pytest.fixture(scope="module")
def vip(lab):
    return address_of(lab.host("h1"), "virtual_ips", "demo.public")


def test_instance_pings_outside(lab, vm1):
    """R-SCN-3, R-NET-3: a gateway that is outside the ranges, on the link by its netmask."""
    assert vm1.ping(WEB, count=4).ttls == [62] * 4
    assert vm1.ping(MAIL, count=2).ttls == [62] * 2
    assert vm1.traceroute(WEB) == ["192.168.10.1", "10.0.0.1", WEB]


def test_instances_ping_each_other_over_their_vlan(lab, vm1):
    """R-SCN-3, R-NET-1: on two hosts, the tag of the private network seen on the wire and never the public one's."""
    with lab.segments["em01"].capture("h1.em01") as frames:
        assert vm1.ping("192.168.10.167", count=3).ttls == [64] * 3
        assert lab.instance("vm2").ping("192.168.10.226", count=3).ttls == [64] * 3
    assert {tag_of(frame) for frame in frames if ping_source([frame], "192.168.10.167")} == {2700}
    assert ping_source(frames, "192.168.10.167") == {"192.168.10.226"}


def test_tag_is_on_the_wire_as_the_network_says(lab, vm1, vip):
    """R-NET-1, R-NET-5: what leaves has the router's address and the network's tag, or none; what comes back too."""
    with lab.segments["em01"].capture("isp") as frames:
        assert vm1.ping(WEB, count=2).received == 2
    assert ping_source(frames, WEB) == {vip}
    assert {tag_of(frame) for frame in frames if ping_source([frame], WEB)} == {lab.vlan}
    assert lab.outside("stranger").ping(vip, timeout=0.3).received == 0, "another VLAN is another network"


def test_on_link_host_is_reached_without_the_gateway(lab, vm1):
    """R-NET-3: 10.200.0.9 is outside the ranges and inside 255.0.0.0."""
    assert vm1.ping(DESK, count=2).ttls == [63] * 2
    assert vm1.traceroute(DESK) == ["192.168.10.1", DESK]


def test_tcp_and_udp_reach_outside_with_the_routers_address(lab, vm1, vip):
    """R-SCN-3, R-SNAT-1"""
    for name, address in (("web", WEB), ("mail", MAIL), ("desk", DESK)):
        server = lab.outside(name)
        assert seen_by_tcp(vm1, server, address, 8000) == vip
        assert seen_by_udp(vm1, server, address, 8001)[0] == vip
        assert seen_by_tcp(lab.instance("vm2"), server, address, 8000) == vip


def test_routers_address_comes_from_the_ranges_and_answers(lab, vm1, vip):
    """R-NET-5, R-VIP-1: the system VIP; the gateway's host answers for it, on the link and from afar."""
    first, last = (tuple(map(int, address.split("."))) for address in ("10.108.10.0", "10.108.11.255"))
    assert first <= tuple(map(int, vip.split("."))) <= last and vip != "10.108.10.1"
    assert lab.outside("desk").ping(vip, count=2).ttls == [64] * 2
    assert lab.outside("web").ping(vip, count=2).received == 2


def test_nobody_outside_reaches_an_instance(lab, vm1):
    """R-SNAT-1: not even who sends to its address by way of the router's."""
    desk, vip = lab.outside("desk"), address_of(lab.host("h1"), "virtual_ips", "demo.public")
    desk.ip("route", "add", "192.168.10.0/24", "via", vip)
    try:
        assert desk.ping("192.168.10.226", count=2, timeout=0.3).received == 0
    finally:
        desk.ip("route", "del", "192.168.10.0/24")


def test_instance_sits_on_the_public_network(lab, reach):
    """R-NET-5: with an address of its ranges and no router of ours between."""
    kiosk = lab.instance("kiosk")
    reach(kiosk, WEB)
    assert kiosk.ping(DESK, count=2).ttls == [64] * 2
    assert kiosk.ping(WEB, count=2).ttls == [63] * 2
    assert seen_by_tcp(kiosk, lab.outside("web"), WEB, 8000) == "10.108.11.7"
    assert lab.outside("desk").ping("10.108.11.7", count=2).ttls == [64] * 2
    assert seen_by_tcp(lab.outside("web"), kiosk, "10.108.11.7", 8000) == WEB


def test_instance_on_the_public_network_gets_its_address_by_dhcp(lab):
    """R-NET-5, R-SVC-2: from the address that the network names, with the network's own netmask and gateway."""
    guest = lab.instance("guest")
    with Userland(guest) as userland:
        guest.ip("address", "flush", "dev", "eth0")
        guest.ip("link", "set", "eth0", "up")
        said = userland.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", 20, "-T", 1, "-s", "/etc/udhcpc/default.script", check=False)
        said = said.stdout + said.stderr
        assert "10.108.11.8" in said and "10.108.10.1" in said, said
        assert "inet 10.108.11.8/8" in guest.ip("-4", "-o", "address", "show", "eth0")
        assert guest.ip("route", "show", "default").startswith("default via 10.0.0.1 ")
        assert guest.ping(WEB, count=2).received == 2


def test_hosts_own_traffic_on_an_uplink_is_untouched(lab):
    """R-NET-5: the management network is the hosts'."""
    assert lab.host("h1").ping("192.168.29.12", count=2).ttls == [64] * 2


def test_management_network_gives_instances_nothing(lab):
    """R-NET-5"""
    host = lab.host("h1")
    for document in ("{kind: vpc, name: other, cidrs: [192.168.77.0/24], networks: [management]}",
                     "{kind: port, name: other, network: management}", "{kind: elastic_ip, name: other, network: management}"):
        refused = host.viaduct("apply", "-f", "-", input=document, check=False)
        assert refused.returncode == 1 and "management" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
