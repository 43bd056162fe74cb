# SPDX-License-Identifier: Apache-2.0
"""Policy routes: 10.18.0.1 is behind left by the route table; what matches goes to right instead. Both greet with their names."""

import pytest

from lab import wait_until
from outside import is_closed
from policy import greeting, listening

LAB = """
name: policies
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  one: {ports: {one: h1}}
  two: {ports: {two: h1}}
  left: {ports: {left: h1}}
  right: {ports: {right: h2}}
"""
DOCUMENTS = """
{kind: vpc, name: demo, cidrs: [10.6.0.0/16]}
---
{kind: subnet, name: demo, vpc: demo, cidrs: [10.6.0.0/24]}
---
{kind: port, name: one, subnet: demo, addresses: [10.6.0.2]}
---
{kind: port, name: two, subnet: demo, addresses: [10.6.0.3]}
---
{kind: port, name: left, subnet: demo, addresses: [10.6.0.5], source_check: false}
---
{kind: port, name: right, subnet: demo, addresses: [10.6.0.6], source_check: false}
---
{kind: route, vpc: demo, destination: 10.18.0.0/24, next_hop: {address: 10.6.0.5}}
---
{kind: route_table, name: aside}
---
{kind: route, table: aside, destination: 10.18.0.0/24, next_hop: {address: 10.6.0.6}}
"""
TARGET = "10.18.0.1"
PORTS = (80, 8080)


@pytest.fixture(scope="module", autouse=True)
def servers(lab, reach):
    servers = []
    for name in ("left", "right"):
        node = lab.instance(name)
        node.ip("address", "add", f"{TARGET}/32", "dev", "lo")
        servers += [listening(node, port, name) for port in PORTS]
    for server in servers:
        server.__enter__()
    for name in ("one", "two"):
        reach(lab.instance(name), TARGET)
        reach(lab.instance(name), "10.6.0.6")
    yield
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def policies(lab):
    """policies(priority, what): a policy route of the VPC's main table."""
    host, made = lab.host("h1"), []

    def make(priority, what):
        made.append(f"demo/{priority}")
        host.apply(f"{{kind: policy_route, vpc: demo, priority: {priority}, {what}}}")

    yield make
    for name in made:
        host.viaduct("delete", "policy_route", name, "--wait", check=False)


def ways(lab, name="one"):
    """Who greets on each port."""
    return tuple(greeting(lab.instance(name), TARGET, port, seconds=10) for port in PORTS)


TO_RIGHT = "next_hop: {address: 10.6.0.6}"


@pytest.mark.parametrize("match, one, two", [
    ("destination_ports: 8080, protocol: tcp", ("left", "right"), ("left", "right")),
    ("destination_ports: 81-9000, protocol: tcp", ("left", "right"), ("left", "right")),
    ("source: 10.6.0.3/32", ("left", "left"), ("right", "right")),
    ("source: 10.6.0.2/31, destination: 10.18.0.1/32, protocol: tcp, destination_ports: 80", ("right", "left"), ("right", "left")),
    ("protocol: udp", ("left", "left"), ("left", "left")),
    ("destination: 10.19.0.0/16", ("left", "left"), ("left", "left")),
    ("source_ports: 1-65535, protocol: tcp", ("right", "right"), ("right", "right")),
])
def test_what_matches_goes_another_way(lab, policies, match, one, two):
    """R-RTR-9: by protocol, source, source port, destination, destination port; before the route table, and at once."""
    assert ways(lab) == ("left", "left")
    policies(100, f"{match}, {TO_RIGHT}")
    assert (ways(lab), ways(lab, "two")) == (one, two)
    lab.host("h1").viaduct("delete", "policy_route", "demo/100", "--wait")
    assert ways(lab) == ways(lab, "two") == ("left", "left")


def test_lower_priority_number_is_asked_first(lab, policies):
    """R-RTR-9"""
    policies(200, f"source: 10.6.0.2/32, {TO_RIGHT}")
    assert ways(lab) == ("right", "right")
    policies(100, "source: 10.6.0.2/32, protocol: tcp, destination_ports: 80, next_hop: {address: 10.6.0.5}")
    assert ways(lab) == ("left", "right")


def test_mark_set_by_one_is_matched_by_another(lab, policies):
    """R-RTR-9"""
    policies(200, f"mark: 7, {TO_RIGHT}")
    assert ways(lab) == ways(lab, "two") == ("left", "left")
    policies(100, "source: 10.6.0.3/32, protocol: tcp, destination_ports: 8080, set_mark: 7")
    assert ways(lab) == ("left", "left")
    assert ways(lab, "two") == ("left", "right")


def test_another_table_is_looked_up(lab, policies):
    """R-RTR-9: for what matches; what that table does not know is refused or goes on as the main table says, never elsewhere."""
    policies(100, "source: 10.6.0.2/32, lookup_table: aside")
    assert ways(lab) == ("right", "right")
    assert ways(lab, "two") == ("left", "left")


def test_blackhole_swallows_what_matches_only(lab, policies):
    """R-RTR-9, R-RTR-5"""
    policies(100, "source: 10.6.0.2/32, protocol: tcp, destination_ports: 8080, next_hop: {blackhole: true}")
    assert greeting(lab.instance("one"), TARGET, 80) == "left"
    assert is_closed(lab.instance("one"), TARGET, 8080)
    assert ways(lab, "two") == ("left", "left")


def test_running_connection_follows_a_new_policy_at_once(lab, policies):
    """R-RTR-9: the next packet obeys, also of a flow that is cached."""
    one, right = lab.instance("one"), lab.instance("right")
    assert one.ping(TARGET, count=3).received == 3
    policies(100, f"source: 10.6.0.2/32, protocol: icmp, {TO_RIGHT}")
    with right.capture("eth0") as frames:
        assert one.ping(TARGET, count=2).received == 2
    assert any(b"\x0a\x06\x00\x02\x0a\x12\x00\x01" in frame for frame in frames)


def test_neighbours_are_led_through_an_instance_too(lab, policies):
    """R-RTR-9: before the route table, also where that says "connected"."""
    one, right = lab.instance("one"), lab.instance("right")
    policies(100, f"source: 10.6.0.2/32, destination: 10.6.0.0/24, {TO_RIGHT}")
    with right.capture("eth0") as frames:
        one.ping("10.6.0.3", timeout=0.3)
        wait_until(lambda: any(b"\x0a\x06\x00\x02\x0a\x06\x00\x03" in frame for frame in frames.now()), "it comes by")
    assert lab.instance("two").ping("10.6.0.5").received == 1


@pytest.mark.parametrize("document, says", [
    ("priority: 0, next_hop: {blackhole: true}", "priority"),
    ("priority: 32768, next_hop: {blackhole: true}", "priority"),
    ("priority: 5", "next_hop"),
    ("priority: 5, set_mark: 1, lookup_table: aside", "leave one out"),
    ("priority: 5, destination_ports: 80, next_hop: {blackhole: true}", "protocol"),
    ("priority: 5, lookup_table: nowhere", "nowhere"),
])
def test_nonsense_is_refused_with_a_sentence(lab, document, says):
    """R-RTR-9"""
    said = lab.host("h1").viaduct("apply", "-f", "-", input=f"{{kind: policy_route, vpc: demo, {document}}}", check=False)
    assert said.returncode == 1 and says in said.stderr and len(said.stderr.strip().splitlines()) == 1


def test_table_takes_64(lab, policies):
    """R-RTR-9"""
    host = lab.host("h1")
    document = "{kind: policy_route, vpc: demo, priority: %d, source: 10.6.9.0/24, next_hop: {blackhole: true}}"
    host.apply("\n---\n".join(document % priority for priority in range(1000, 1064)))
    try:
        said = host.viaduct("apply", "-f", "-", input=document % 2000, check=False)
        assert said.returncode == 1 and "64" in said.stderr
        assert ways(lab) == ("left", "left")
    finally:
        for priority in range(1000, 1064):
            host.viaduct("delete", "policy_route", f"demo/{priority}")
