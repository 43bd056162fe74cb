# SPDX-License-Identifier: Apache-2.0
"""What travels between hosts: hosts know each other on one segment and tunnel over another, in the VNIs of a pool."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from lab.world import wait_until

LAB = """
name: vxlan
segments: {underlay: {}, tunnels: {mtu: 1400}}
hosts:
  h1: {links: {underlay: [172.31.0.1/24], tunnels: [10.99.0.1/24]}, arguments: [--vxlan-port, "8472"]}
  h2: {links: {underlay: [172.31.0.2/24], tunnels: [10.99.0.2/24]}, arguments: [--vxlan-port, "8472"]}
instances:
  one: {ports: {one: h1}}
  near: {ports: {near: h2}}
  far: {ports: {far: h2}}
"""
DOCUMENTS = """
{kind: vxlan_pool, name: lab, vnis: 5000-5009, vtep_cidr: 10.99.0.77/24}
---
{kind: vpc, name: red, cidrs: [10.1.0.0/16], vxlan_pool: lab, vni: 5001}
---
{kind: subnet, name: left, vpc: red, cidrs: [10.1.1.0/24], vni: 5005}
---
{kind: subnet, name: right, vpc: red, cidrs: [10.1.2.99/24]}
---
{kind: port, name: one, subnet: left}
---
{kind: port, name: near, subnet: left, addresses: [10.1.1.7]}
---
{kind: port, name: far, subnet: right, addresses: [10.1.2.7]}
"""
ETHERNET_IP_UDP = 14 + 20 + 8


@pytest.fixture(scope="module")
def one(lab, reach):
    reach(lab.instance("one"), "10.1.1.7")
    reach(lab.instance("one"), "10.1.2.7")
    return lab.instance("one")


def test_mtu_is_that_of_the_links_that_the_tunnels_use(lab, one):
    """R-NET-8: the pool's VTEPs lie on a smaller segment than the hosts' own addresses."""
    for instance in ("one", "near", "far"):
        assert " mtu 1350 " in lab.instance(instance).ip("link", "show", "eth0")
    assert one.ping("10.1.2.7", size=1350 - 28, dont_fragment=True, count=2).received == 2


def vnis(frames):
    """Of the VXLAN packets (UDP port 8472) among them: {(source, VNI)}."""
    found = set()
    for frame in frames:
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == (8472).to_bytes(2, "big"):
            vxlan = frame[ETHERNET_IP_UDP:]
            assert vxlan[0] & 0x08
            found.add((".".join(map(str, frame[26:30])), int.from_bytes(vxlan[4:7], "big")))
    return found


def test_traffic_inside_a_subnet_carries_its_vni_between_vteps(lab, one):
    """R-NET-1, R-NET-2: the given VNI, and addresses inside the VTEP CIDR; the other segment sees no tunnel."""
    with lab.host("h1").capture("u1") as tunnels, lab.host("h1").capture("u0") as underlay:
        assert one.ping("10.1.1.7", count=3).ttls == [64] * 3
    assert vnis(tunnels) == {("10.99.0.1", 5005), ("10.99.0.2", 5005)}
    assert vnis(underlay) == set()


def test_routed_traffic_carries_the_vpcs_vni(lab, one):
    """R-NET-1, R-RTR-2: symmetric routing: both ways in the VPC's own."""
    with lab.host("h1").capture("u1") as tunnels:
        assert one.ping("10.1.2.7", count=3).ttls == [63] * 3
    assert vnis(tunnels) == {("10.99.0.1", 5001), ("10.99.0.2", 5001)}


def test_vni_and_address_not_given_are_allocated(lab, one):
    """R-NET-2, R-NET-3: a VNI of the pool that no one has; an address of the CIDR that is not the gateway; host bits are normalised."""
    right = lab.host("h1").resource("subnets", "right")
    assert right["assigned"]["vni"] in set(range(5000, 5010)) - {5001, 5005}
    assert right["document"]["cidrs"] == ["10.1.2.0/24"] or right["document"].get("cidr") == "10.1.2.0/24"
    addresses = lab.host("h2").resource("ports", "one")["assigned"]["addresses"]
    assert len(addresses) == 1 and addresses[0].startswith("10.1.1.") and addresses[0] not in ("10.1.1.0", "10.1.1.1", "10.1.1.7", "10.1.1.255")
    assert f"{addresses[0]}/24" in one.ip("-o", "address", "show", "eth0")


def test_tunnel_packet_in_a_foreign_vni_is_dropped_by_name(lab, one):
    """R-NET-1, R-NET-6"""
    host = lab.host("h1")
    before = host.dropped("unknown_segment")
    with lab.host("h2").socket(2, 2) as sender:
        inner = bytes(Ether(dst="02:76:69:61:64:01", src="02:00:00:00:00:01") / IP(src="10.1.1.7", dst="10.1.1.2") / ICMP())
        sender.sendto(bytes.fromhex("08000000") + (4999).to_bytes(3, "big") + b"\0" + inner, ("10.99.0.1", 8472))
    wait_until(lambda: host.dropped("unknown_segment") > before, "the packet is dropped")
    assert one.ping("10.1.1.7").received == 1
    assert host.dropped("unknown_segment") == before + 1


def test_host_outside_the_vtep_cidr_cannot_join(lab, one):
    """R-NET-2: said in one sentence, with the host and the CIDR."""
    refused = lab.host("h1").viaduct("apply", "-f", "-", check=False,
                                     input="{kind: vxlan_pool, name: other, vnis: 6000-6009, vtep_cidr: 10.98.0.0/24, hosts: [h1]}")
    assert refused.returncode == 1
    assert "h1" in refused.stderr and "10.98.0.0/24" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
