# SPDX-License-Identifier: Apache-2.0
"""Route tables. Two VPCs, red and blue, with the same CIDR; in each a client and a gateway instance 10.6.0.5 with a container 10.9.0.2
behind it, and in red a second subnet and a decoy.
"""

import pytest

from lab import wait_until

LAB = """
name: routes
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  red: {ports: {red: h1}}
  blue: {ports: {blue: h1}}
  special: {ports: {special: h1}}
  decoy: {ports: {decoy: h2}}
  redgate:
    ports: {redgate: h2}
    bridges:
      docker0: {addresses: [10.9.0.1/24], containers: {c: [10.9.0.2/24]}}
  bluegate:
    ports: {bluegate: h2}
    bridges:
      docker0: {addresses: [10.9.0.1/24], containers: {c: [10.9.0.2/24]}}
"""
DOCUMENTS = "---".join(f"""
kind: vpc
name: {vpc}
cidrs: [10.6.0.0/16]
---
{{kind: subnet, name: {vpc}, vpc: {vpc}, cidrs: [10.6.0.0/24]}}
---
{{kind: port, name: {vpc}, subnet: {vpc}, addresses: [10.6.0.2]}}
---
{{kind: port, name: {vpc}gate, subnet: {vpc}, addresses: [10.6.0.5], source_check: false}}
""" for vpc in ("red", "blue")) + """
---
{kind: port, name: decoy, subnet: red, addresses: [10.6.0.9]}
---
{kind: route_table, name: shared, vpcs: [red, blue]}
---
{kind: route, table: shared, destination: 10.9.0.0/24, next_hop: {address: 10.6.0.5}}
---
{kind: route, table: shared, destination: 10.6.0.0/16, next_hop: {address: 10.6.0.5}}
---
{kind: route_table, name: special}
---
{kind: subnet, name: special, vpc: red, cidrs: [10.6.1.0/24], route_table: special}
---
{kind: port, name: special, subnet: special, addresses: [10.6.1.2]}
---
{kind: route, table: special, destination: 10.9.0.0/24, next_hop: {blackhole: true}}
"""


@pytest.fixture(scope="module")
def clients(lab, reach):
    for name in ("red", "blue"):
        reach(lab.instance(name), "10.9.0.2")
    reach(lab.instance("special"), "10.6.0.5")
    return lab.instance("red"), lab.instance("blue")


def route_state(lab, name):
    return lab.host("h1").resource("routes", name)["status"]


def test_one_table_serves_two_vpcs(lab, clients):
    """R-RTR-8: each leads to its own 10.6.0.5."""
    for colour, client in zip(("red", "blue"), clients):
        with lab.node(f"{colour}gate-c").capture("eth0") as frames:
            assert client.ping("10.9.0.2", count=2).ttls == [63] * 2
        assert sum(b"\x0a\x06\x00\x02\x0a\x09\x00\x02" in frame for frame in frames) == 2


def test_route_to_the_vpcs_own_cidr_is_inert(lab, clients):
    """R-RTR-8: connected wins; the status says so."""
    assert clients[0].ping("10.6.0.9", count=2).ttls == [64] * 2
    assert lab.instance("special").ping("10.6.0.9", count=2).ttls == [63] * 2
    assert route_state(lab, "shared/10.6.0.0/16")["state"] == "inert"


def test_subnet_has_a_table_of_its_own(lab, clients):
    """R-RTR-8, R-RTR-5: the same destination is a blackhole for one subnet only."""
    before = lab.host("h1").dropped("blackhole")
    assert lab.instance("special").ping("10.9.0.2", count=2, timeout=0.3).received == 0
    assert lab.host("h1").dropped("blackhole") == before + 2
    drop = lab.host("h1").recent_drops("blackhole")[-1]
    assert (drop["port"], drop["route"]) == ("special", "special/10.9.0.0/24")
    assert clients[0].ping("10.9.0.2").received == 1


def test_blackhole_and_its_end_are_obeyed_by_the_next_packet(lab, clients):
    """R-RTR-5: a longer prefix swallows one address of a running flow, until it is deleted."""
    host = lab.host("h1")
    assert clients[0].ping("10.9.0.2").received == 1
    host.apply("{kind: route, vpc: red, destination: 10.9.0.2/32, next_hop: {blackhole: true}}")
    assert clients[0].ping("10.9.0.2", count=2, timeout=0.3).received == 0
    assert clients[1].ping("10.9.0.2").received == 1
    host.viaduct("delete", "route", "red/10.9.0.2/32", "--wait")
    assert clients[0].ping("10.9.0.2", count=2).received == 2


def test_default_destination_leads_everything_else_to_an_instance(lab, clients):
    """R-RTR-5: a route without a destination is 0.0.0.0/0."""
    host, gate = lab.host("h1"), lab.instance("redgate")
    gate.ip("address", "add", "198.51.100.7/32", "dev", "lo")
    host.apply("{kind: route, vpc: red, next_hop: {address: 10.6.0.5}}")
    try:
        assert clients[0].ping("198.51.100.7", count=2).ttls == [64] * 2
    finally:
        host.viaduct("delete", "route", "red/0.0.0.0/0", "--wait")
        gate.ip("address", "del", "198.51.100.7/32", "dev", "lo")


def test_second_route_to_a_destination_is_refused(lab, clients):
    """R-RTR-5: a destination is unique in its table, also within one file."""
    refused = lab.host("h1").viaduct("apply", "-f", "-", check=False, input="""
{kind: route, vpc: red, destination: 10.77.0.0/24, next_hop: {blackhole: true}}
---
{kind: route, vpc: red, destination: 10.77.0.0/24, next_hop: {address: 10.6.0.5}}
""")
    assert refused.returncode == 1 and "10.77.0.0/24" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_quota_of_routes_is_refused_beyond_its_limit(lab, clients):
    """R-RTR-8"""
    host = lab.host("h1")
    host.apply("{kind: vpc, name: small, cidrs: [10.8.0.0/16], route_quota: 2}")
    route = "{kind: route, vpc: small, destination: 10.%d.0.0/16, next_hop: {blackhole: true}}\n"
    host.apply(route % 20 + "---\n" + route % 21)
    refused = host.viaduct("apply", "-f", "-", input=route % 22, check=False)
    assert refused.returncode == 1
    assert "small" in refused.stderr and "2" in refused.stderr
    host.apply("{kind: vpc, name: small, cidrs: [10.8.0.0/16], route_quota: 3}")
    host.apply(route % 22)


def test_detached_next_hop_is_said_and_dropped_by_name(lab, clients, reach):
    """R-RTR-12"""
    host = lab.host("h1")
    assert route_state(lab, "shared/10.9.0.0/24")["state"] == "active"
    lab.host("h2").viaduct("detach", "redgate")
    try:
        wait_until(lambda: route_state(lab, "shared/10.9.0.0/24")["state"] == "unusable", "h1 hears of it")
        assert "redgate" in route_state(lab, "shared/10.9.0.0/24")["reason"]
        host.settle()
        before = host.dropped("next_hop_unusable")
        assert clients[0].ping("10.9.0.2", count=2, timeout=0.3).received == 0
        assert host.dropped("next_hop_unusable") == before + 2
        assert host.recent_drops("next_hop_unusable")[-1]["route"] == "shared/10.9.0.0/24"
        assert clients[1].ping("10.9.0.2").received == 1
    finally:
        lab.instance("redgate").attach()
    reach(clients[0], "10.9.0.2")
    assert route_state(lab, "shared/10.9.0.0/24")["state"] == "active"


def test_guests_own_routes_do_not_matter(lab, clients):
    """R-RTR-13: whatever neighbour the instance sends to, the VPC's table decides."""
    red = clients[0]
    for neighbour in ("10.6.0.9", "10.6.0.5", "10.6.0.1"):
        red.ip("route", "replace", "10.9.0.0/24", "via", neighbour)
        try:
            with lab.instance("decoy").capture("eth0") as frames:
                assert red.ping("10.9.0.2", count=2).ttls == [63] * 2
            assert not any(b"\x0a\x06\x00\x02\x0a\x09\x00\x02" in frame for frame in frames)
        finally:
            red.ip("route", "del", "10.9.0.0/24")
    red.ip("route", "add", "10.6.0.9/32", "via", "10.6.0.1")
    try:
        assert red.ping("10.6.0.9", count=2).received == 2
    finally:
        red.ip("route", "del", "10.6.0.9/32")
