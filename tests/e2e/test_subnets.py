# SPDX-License-Identifier: Apache-2.0
"""One VPC, two subnets, IPv4 and IPv6: front1 and back1 on h1, back2 on h2, front2 on h2."""

import pytest

from conversation import connection, say

LAB = """
name: subnets
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  front1: {ports: {front1: h1}}
  front2: {ports: {front2: h2}}
  back1: {ports: {back1: h1}}
  back2: {ports: {back2: h2}}
"""
PORTS = {"front1": ("10.2.1.11", "fd00:2:0:1::11"), "front2": ("10.2.1.12", "fd00:2:0:1::12"),
         "back1": ("10.2.2.11", "fd00:2:0:2::11"), "back2": ("10.2.2.12", "fd00:2:0:2::12")}
DOCUMENTS = """
kind: vpc
name: shop
description: two subnets, two families
cidrs: [10.2.0.0/16, "fd00:2::/48"]
---
{kind: subnet, name: front, vpc: shop, cidrs: [10.2.1.0/24, "fd00:2:0:1::/64"]}
---
{kind: subnet, name: back, vpc: shop, cidrs: [10.2.2.0/24, "fd00:2:0:2::/64"]}
""" + "".join(f"""---
kind: port
name: {name}
subnet: {name[:-1]}
addresses: [{four}, "{six}"]
""" for name, (four, six) in PORTS.items())
GATEWAYS = {4: "10.2.1.1", 6: "fd00:2:0:1::1"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])
WHERE = pytest.mark.parametrize("place", [1, 2], ids=["one host", "across hosts"])


def address(name, family):
    return PORTS[name][family == 6]


@pytest.fixture(scope="module")
def front(lab, reach):
    for name in PORTS:
        for family in (4, 6):
            if name != "front1":
                reach(lab.instance("front1"), address(name, family))
    return lab.instance("front1")


@FAMILIES
@WHERE
def test_same_subnet_is_no_hop(front, family, place):
    """R-NET-4, R-RTR-1"""
    target = address(f"front{place}", family) if place == 2 else GATEWAYS[family]
    assert front.ping(target, count=3).ttls == [64] * 3


@FAMILIES
@WHERE
def test_subnets_reach_each_other_through_the_router(front, family, place):
    """R-RTR-2, R-NET-4: TTL falls by one, once each way."""
    assert front.ping(address(f"back{place}", family), count=3).ttls == [63] * 3


@FAMILIES
@WHERE
def test_time_exceeded_comes_from_the_subnets_gateway(front, family, place):
    """R-RTR-2, R-NET-4"""
    target = address(f"back{place}", family)
    assert front.traceroute(target) == [GATEWAYS[family], target]
    expired = front.ping(target, ttl=1)
    assert expired.received == 0
    assert GATEWAYS[family] in expired.errors[0] and "exceeded" in expired.errors[0]


@FAMILIES
def test_each_subnets_gateway_answers_ping(lab, front, family):
    """R-RTR-2, R-NET-4: also the other subnet's, and on every host."""
    other = GATEWAYS[family].replace("10.2.1.", "10.2.2.").replace(":0:1:", ":0:2:")
    for name in ("front1", "front2"):
        assert lab.instance(name).ping(GATEWAYS[family], count=2).received == 2
        assert lab.instance(name).ping(other, count=2).received == 2


@FAMILIES
@WHERE
def test_connection_between_subnets(lab, front, family, place):
    """R-RTR-2, R-NET-4"""
    data = b"viaduct" * 100000
    with connection(front, lab.instance(f"back{place}"), address(f"back{place}", family), 443) as (client, server):
        assert say(client, server, data) == data
        assert say(server, client, data) == data


def test_instance_has_its_addresses_and_default_routes(lab, front):
    """R-NET-4, R-NET-10"""
    shown = front.ip("-o", "address", "show", "eth0")
    assert "10.2.1.11/24" in shown and "fd00:2:0:1::11/64" in shown
    assert front.ip("route", "show", "default").startswith("default via 10.2.1.1 dev eth0")
    assert front.ip("-6", "route", "show", "default").startswith("default via fd00:2:0:1::1 dev eth0")
    assert lab.host("h2").resource("vpcs", "shop")["document"]["description"] == "two subnets, two families"


def test_mac_of_an_address_that_no_one_has_is_not_answered(lab, front):
    """R-RTR-1: no flooding; the drop is named."""
    before = lab.host("h1").dropped("neighbour_unknown")
    assert front.ping("10.2.1.99", timeout=1).received == 0
    assert lab.host("h1").dropped("neighbour_unknown") > before


def test_address_outside_every_route_is_dropped_by_name(lab, front):
    """R-RTR-1: a VPC is a world of its own."""
    before = lab.host("h1").dropped("no_route")
    assert front.ping("198.51.100.1", timeout=0.3).received == 0
    assert lab.host("h1").dropped("no_route") == before + 1
