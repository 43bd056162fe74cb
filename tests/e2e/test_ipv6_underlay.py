# SPDX-License-Identifier: Apache-2.0
"""Hosts that know each other by IPv6 only, with the store on the first: VXLAN over IPv6 takes 70 of 1500 bytes."""

import pytest

from conversation import connection, say

LAB = """
name: ipv6_underlay
hosts:
  h1: {addresses: ["fd31::1/64"]}
  h2: {addresses: ["fd31::2/64"]}
instances:
  one: {ports: {one: h1}}
  two: {ports: {two: h2}}
"""
DOCUMENTS = """
{kind: vpc, name: six, cidrs: [10.1.0.0/16, "fd00:1::/48"]}
---
{kind: subnet, name: six, vpc: six, cidrs: [10.1.1.0/24, "fd00:1::/64"]}
---
{kind: port, name: one, subnet: six, addresses: [10.1.1.2, "fd00:1::2"]}
---
{kind: port, name: two, subnet: six, addresses: [10.1.1.3, "fd00:1::3"]}
"""
TARGETS = pytest.mark.parametrize("target", ["10.1.1.3", "fd00:1::3"])


@TARGETS
def test_instances_talk_over_an_ipv6_underlay(lab, reach, target):
    """R-NET-4, R-NET-1: the tunnel itself may be IPv6."""
    one, two = lab.instance("one"), lab.instance("two")
    reach(one, target)
    data = b"six" * 1000000
    with connection(one, two, target, 8000) as (client, server):
        assert say(client, server, data) == data
        assert say(server, client, data) == data


@TARGETS
def test_mtu_is_smaller_by_the_longer_header(lab, reach, target):
    """R-NET-8"""
    one = lab.instance("one")
    reach(one, target)
    assert "mtu 1430 " in one.ip("link", "show", "eth0")
    assert one.ping(target, size=1430 - (48 if ":" in target else 28), dont_fragment=True).received == 1
    one.ip("link", "set", "eth0", "mtu", "1500")
    try:
        refused = one.ping(target, size=1500 - (48 if ":" in target else 28), dont_fragment=True)
        assert refused.received == 0 and ("mtu = 1430" in refused.output or "mtu=1430" in refused.output)
    finally:
        one.ip("link", "set", "eth0", "mtu", "1430")
