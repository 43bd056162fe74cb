# SPDX-License-Identifier: Apache-2.0
"""An instance with two ports, on subnets of two VPCs."""

import pytest

LAB = """
name: ports
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  both: {ports: {both_web: h1, both_data: {host: h1, ifname: data0}}}
  web: {ports: {web: h2}}
  data: {ports: {data: h2}}
"""
DOCUMENTS = """
{kind: vpc, name: web, cidrs: [10.4.0.0/16]}
---
{kind: vpc, name: data, cidrs: [10.5.0.0/16]}
---
{kind: subnet, name: web, vpc: web, cidrs: [10.4.1.0/24]}
---
{kind: subnet, name: data, vpc: data, cidrs: [10.5.1.0/24]}
---
{kind: subnet, name: data_far, vpc: data, cidrs: [10.5.2.0/24]}
---
{kind: port, name: both_web, subnet: web, addresses: [10.4.1.10], instance: both, default: true}
---
{kind: port, name: both_data, subnet: data, addresses: [10.5.1.10], instance: both}
---
{kind: port, name: web, subnet: web, addresses: [10.4.1.20]}
---
{kind: port, name: data, subnet: data_far, addresses: [10.5.2.20]}
"""


@pytest.fixture(scope="module")
def both(lab, reach):
    reach(lab.instance("both"), "10.4.1.20")
    reach(lab.instance("both"), "10.5.2.20")
    return lab.instance("both")


def test_instance_talks_on_each_of_its_ports(lab, both):
    """R-NET-9"""
    assert both.ping("10.4.1.20", count=2).ttls == [64] * 2
    assert both.ping("10.5.2.20", count=2).ttls == [63] * 2
    assert lab.instance("web").ping("10.4.1.10", count=2).received == 2
    assert lab.instance("data").ping("10.5.1.10", count=2).received == 2


def test_one_port_has_the_default_route_and_the_other_its_vpc(both):
    """R-NET-9"""
    assert both.ip("route", "show", "default").strip().startswith("default via 10.4.1.1 dev eth0")
    assert both.ip("route", "show", "10.5.0.0/16").startswith("10.5.0.0/16 via 10.5.1.1 dev data0")


def test_vpcs_do_not_meet_in_the_instance(lab, both):
    """R-NET-9, R-NET-6: the other port's address is not reached from the wrong side."""
    assert lab.instance("web").ping("10.5.1.10", timeout=0.3).received == 0


def test_port_joins_a_running_instance_and_leaves_it(lab, both, reach):
    """R-NET-9: ports are added later, and taken away without harm to the others."""
    host = lab.host("h1")
    host.apply("{kind: port, name: both_third, subnet: data_far, addresses: [10.5.2.10], instance: both}")
    host.viaduct("attach", "both_third", "--netns", both.path, "--ifname", "eth2")
    assert "10.5.2.10/24" in both.ip("-o", "address", "show", "eth2")
    reach(lab.instance("data"), "10.5.2.10")
    assert "via 10.5.1.1 dev data0" in both.ip("route", "get", "10.5.9.9"), "its VPC's other port goes on as before"
    host.viaduct("detach", "both_third")
    assert "eth2" not in both.ip("-o", "link", "show")
    assert both.ping("10.4.1.20").received == both.ping("10.5.2.20").received == 1
    host.viaduct("delete", "port", "both_third", "--wait")


def test_default_route_moves_when_another_port_becomes_the_default(lab, both):
    """R-NET-9"""
    host = lab.host("h1")
    web = "{kind: port, name: both_web, subnet: web, addresses: [10.4.1.10], instance: both, default: %s}\n---\n"
    data = "{kind: port, name: both_data, subnet: data, addresses: [10.5.1.10], instance: both, default: %s}\n"
    host.apply(web % "false" + data % "true")
    try:
        assert both.ip("route", "show", "default").strip().startswith("default via 10.5.1.1 dev data0")
        assert both.ping("10.4.1.20").received == 1
    finally:
        host.apply(web % "true" + data % "false")
    assert both.ip("route", "show", "default").strip().startswith("default via 10.4.1.1 dev eth0")
