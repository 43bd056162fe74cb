# SPDX-License-Identifier: Apache-2.0
"""Seed 004, 4.1: two tenants on VXLANs 100 and 200. Each reaches outside, neither the other; then their routers are joined by routes."""

import pytest

from outside import address_of, ping_source, seen_by_tcp
from policy import passes_udp

LAB = """
name: tenants
segments: {underlay: {}, em01: {}}
hosts:
  h1: {links: {underlay: [192.168.29.1/24]}, uplinks: {em01: em01}}
  h2: {links: {underlay: [192.168.29.2/24]}, uplinks: {em01: em01}}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h2}}
outside:
  isp:
    segment: em01
    addresses: [10.0.0.1/8]
    behind: {addresses: [198.51.100.1/24], hosts: {baidu: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [10.108.12.0-10.108.13.255], netmask: 255.0.0.0, gateway: 10.0.0.1}
---
{kind: vxlan_pool, name: pool, vnis: 20-1200, vtep_cidr: 192.168.29.1/24}
---
{kind: vpc, name: one, cidrs: [192.168.10.0/24], vxlan_pool: pool, networks: [public]}
---
{kind: subnet, name: one, vpc: one, cidrs: [192.168.10.0/24], vni: 100, gateway: 192.168.10.1, dhcp_address: 192.168.10.2}
---
{kind: port, name: vm1, subnet: one, addresses: [192.168.10.226]}
---
{kind: vpc, name: two, cidrs: [192.168.11.0/24], vxlan_pool: pool, networks: [public]}
---
{kind: subnet, name: two, vpc: two, cidrs: [192.168.11.0/24], vni: 200, gateway: 192.168.11.1, dhcp_address: 192.168.11.2}
---
{kind: port, name: vm2, subnet: two, addresses: [192.168.11.212]}
"""
BAIDU, VM1, VM2 = "198.51.100.10", "192.168.10.226", "192.168.11.212"


@pytest.fixture(scope="module")
def tenants(lab, reach):
    one, two = lab.instance("vm1"), lab.instance("vm2")
    for node in (one, two):
        reach(node, BAIDU)
    return one, two


@pytest.fixture(scope="module")
def vips(lab):
    return [address_of(lab.host("h1"), "virtual_ips", f"{vpc}.public") for vpc in ("one", "two")]


@pytest.fixture
def joined(lab, vips):
    """Step 14: one table for both routers, a route to each one's network by the other's public address."""
    lab.watcher.permit("192.168.10.0/24", "192.168.11.0/24")
    lab.watcher.permit("192.168.11.0/24", "192.168.10.0/24")
    host = lab.host("h1")
    host.apply(f"""
{{kind: route_table, name: joined, vpcs: [one, two]}}
---
{{kind: route, table: joined, destination: 192.168.11.0/24, next_hop: {{public: {vips[1]}}}}}
---
{{kind: route, table: joined, destination: 192.168.10.0/24, next_hop: {{public: {vips[0]}}}}}
""")
    yield
    for name in ("joined/192.168.11.0/24", "joined/192.168.10.0/24"):
        host.viaduct("delete", "route", name, "--wait", check=False)
    host.viaduct("delete", "route_table", "joined", "--wait", check=False)


def test_each_reaches_outside_with_its_own_address(lab, tenants, vips):
    """R-SCN-4, R-SNAT-1"""
    assert vips[0] != vips[1]
    for node, vip in zip(tenants, vips):
        assert node.ping(BAIDU, count=4).ttls == [62] * 4
        assert seen_by_tcp(node, lab.outside("baidu"), BAIDU, 443) == vip


def test_neither_reaches_the_other(lab, tenants):
    """R-SCN-4, R-NET-6"""
    assert tenants[0].ping(VM2, count=2, timeout=0.3).received == 0
    assert tenants[1].ping(VM1, count=2, timeout=0.3).received == 0


def test_each_reaches_the_others_router_by_its_public_address(tenants, vips):
    """R-NET-6, R-EIP-4: a public address is for everyone, also for a neighbour on the same network."""
    assert tenants[0].ping(vips[1], count=2).received == 2
    assert tenants[1].ping(vips[0], count=2).received == 2


def test_joined_by_routes_they_reach_each_other(lab, tenants, joined):
    """R-SCN-4, R-RTR-10, R-RTR-8"""
    assert tenants[0].ping(VM2, count=4).ttls == [62] * 4
    assert tenants[1].ping(VM1, count=4).ttls == [62] * 4
    assert passes_udp(tenants[0], tenants[1], VM2, 9000) and passes_udp(tenants[1], tenants[0], VM1, 9000)


def test_between_joined_routers_private_addresses_travel_as_they_are(lab, tenants, joined):
    """R-RTR-10: untranslated there, and translated to everyone else."""
    with tenants[1].capture("eth0") as frames:
        assert tenants[0].ping(VM2, count=2).received == 2
    assert ping_source(frames, VM2) == {VM1}
    assert seen_by_tcp(tenants[0], tenants[1], VM2, 9001) == VM1
    with lab.outside("baidu").capture("eth0") as frames:
        assert tenants[0].ping(BAIDU, count=2).received == 2
    assert ping_source(frames, BAIDU) == {address_of(lab.host("h1"), "virtual_ips", "one.public")}


def test_without_the_routes_they_are_apart_again(lab, tenants, vips):
    """R-RTR-10, R-SCN-4: by explicit route only, both ways."""
    assert tenants[0].ping(VM2, count=2, timeout=0.3).received == 0
    host = lab.host("h1")
    lab.watcher.permit("192.168.10.0/24", "192.168.11.0/24")
    host.apply(f"{{kind: route, vpc: one, destination: 192.168.11.0/24, next_hop: {{public: {vips[1]}}}}}")
    try:
        assert tenants[0].ping(VM2, count=2, timeout=0.3).received == 0, "the other router has no route back"
    finally:
        host.viaduct("delete", "route", "one/192.168.11.0/24", "--wait")


def test_same_cidr_behind_two_joined_routers_is_refused(lab, tenants, vips, joined):
    """R-RTR-10: both VPCs are named."""
    refused = lab.host("h1").viaduct("apply", "-f", "-", check=False, input=f"""
{{kind: vpc, name: three, cidrs: [192.168.10.0/24], networks: [public]}}
---
{{kind: route, vpc: three, destination: 192.168.11.0/24, next_hop: {{public: {vips[1]}}}}}
""")
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1
    assert "three" in refused.stderr and "one" in refused.stderr
