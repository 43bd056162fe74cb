# SPDX-License-Identifier: Apache-2.0
"""Containers inside instances of a VPC: each instance runs a viaductd of its own and is a node. Seed 001's routed and tunnel model, with
a server that is in no container network, and a peered VPC whose instance is a node too.
"""

import itertools

import pytest

from lab import wait_until
from lab.cni import Container, Runtime, address_of, pods
from outside import seen_by_tcp
from policy import Groups

LAB = """
name: inst
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h1}, node: {addresses: [172.31.0.101/24]}}
  ecs2: {ports: {ecs2: h2}, node: {addresses: [172.31.0.102/24]}}
  far: {ports: {far: h2}, node: {addresses: [172.31.0.103/24]}}
  server: {ports: {server: h2}}
"""
PORTS = {name: {"kind": "port", "name": name, "subnet": subnet, "addresses": [address]} for name, subnet, address in [
    ("ecs1", "nodes", "192.168.0.2"), ("ecs2", "nodes", "192.168.0.3"), ("server", "nodes", "192.168.0.25"), ("far", "nodes2", "10.1.0.2")]}
DOCUMENTS = """
{kind: vpc, name: vpc-demo, cidrs: [192.168.0.0/16]}
---
{kind: subnet, name: nodes, vpc: vpc-demo, cidrs: [192.168.0.0/24]}
---
{kind: vpc, name: vpc-demo2, cidrs: [10.1.0.0/16]}
---
{kind: subnet, name: nodes2, vpc: vpc-demo2, cidrs: [10.1.0.0/24]}
---
{kind: peering, name: peering-demo, vpc: vpc-demo, peer: vpc-demo2}
---
{kind: container_network, name: pods, cidrs: [10.0.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: tun, cidrs: [10.66.0.0/16], mode: tunnel}
""" + "".join(f"---\n{{kind: port, name: {name}, subnet: {item['subnet']}, addresses: {item['addresses']}}}\n" for name, item in PORTS.items())
# Once their daemons run.
NODES = """
{kind: node, name: ecs1, container_networks: [pods, tun], port: ecs1}
---
{kind: node, name: ecs2, container_networks: [pods, tun], port: ecs2}
"""
NUMBERS = itertools.count()  # a machine goes on showing a namespace that was shown to it
SERVER, FAR = "192.168.0.25", "10.1.0.2"


@pytest.fixture(scope="module")
def nodes(lab):
    h1 = lab.host("h1")
    h1.apply(NODES)
    wait_until(lambda: sum(item["assigned"]["state"] == "held" for item in h1.ask("GET", "/v1/container_blocks")["items"]) == 4,
               "each node has a block of each network")
    return {name: lab.host(name) for name in ("ecs1", "ecs2")}


@pytest.fixture
def containers(lab, nodes):
    """containers(network, "ecs1", …): one in each, with its address; all gone after the test."""
    made = []

    def make(network, *names):
        for name in names:
            container = Container(lab, f"c{next(NUMBERS)}")
            container.create()
            runtime = Runtime(nodes[name], pods(network=network))
            made.append((container, runtime))
            nodes[name].machine.show_namespace(container)
            container.address = address_of(runtime.add(container))
        return [container for container, _ in made[-len(names):]]

    yield make
    for container, runtime in made:
        runtime.delete(container)
        container.delete()


@pytest.fixture
def groups(lab, nodes):
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


def test_routed_containers_reach_each_other_by_the_vpc(containers, reach):
    """R-CTR-1, R-SCN-1: routes in the VPC's table, the hops of seed 002, and the addresses that the containers have."""
    one, two = containers("pods", "ecs1", "ecs2")
    reach(one, two.address)
    assert one.ping(two.address, count=3).ttls == [62] * 3
    assert two.ping(one.address, count=3).ttls == [62] * 3
    assert seen_by_tcp(one, two, two.address, 8000) == one.address


def test_container_reaches_an_instance_once_its_group_allows_the_block(lab, containers, groups, reach):
    """R-SG-5, R-SCN-9, R-CTR-7: 100 % loss before the rule, 0 % after; the block's address is seen, and nothing else passes."""
    one, = containers("pods", "ecs1")
    server = lab.instance("server")
    reach(one, SERVER)
    reach(server, one.address)
    assert seen_by_tcp(one, server, SERVER, 8000) == one.address
    groups.make("web")
    groups.join("server", "web")
    assert one.ping(SERVER, count=4, timeout=0.3).received == 0
    groups.allow("web", "ingress", name="nodes", remote_cidr="192.168.0.0/24")
    assert one.ping(SERVER, count=4, timeout=0.3).received == 0, "the nodes' addresses are not the containers'"
    groups.allow("web", "ingress", name="pods", remote_cidr="10.0.0.0/16")
    assert one.ping(SERVER, count=4).received == 4
    groups.delete_rule("web/pods")
    assert one.ping(SERVER, count=4, timeout=0.3).received == 0


def test_tunnel_mode_shows_the_nodes_address(lab, containers, groups, reach):
    """R-SG-5, R-CTR-1: the group must allow the node."""
    one, two = containers("tun", "ecs1", "ecs2")
    reach(one, two.address)
    reach(one, SERVER)
    assert seen_by_tcp(one, lab.instance("server"), SERVER, 8000) == "192.168.0.2"
    groups.make("web")
    groups.join("server", "web")
    assert one.ping(SERVER, count=4, timeout=0.3).received == 0
    groups.allow("web", "ingress", name="pods", remote_cidr="10.66.0.0/16")
    assert one.ping(SERVER, count=4, timeout=0.3).received == 0, "nobody outside sees a container's address"
    groups.allow("web", "ingress", name="node", remote_cidr="192.168.0.2/32")
    assert one.ping(SERVER, count=4).received == 4


def test_peered_vpc_reaches_routed_containers(lab, containers, groups, reach):
    """R-PEER-1: both ways, with their own addresses; the far side's group must allow the block."""
    far = lab.instance("far")
    one, two = containers("pods", "ecs1", "ecs2")
    groups.make("far")
    for container in (one, two):
        reach(container, FAR)
        reach(far, container.address)
        assert seen_by_tcp(container, far, FAR, 8000) == container.address
        assert seen_by_tcp(far, container, container.address, 8000) == FAR
        assert container.ping(FAR, count=2).ttls == [62] * 2
        groups.join("far", "far")
        assert container.ping(FAR, count=4, timeout=0.3).received == 0
        groups.allow("far", "ingress", name="pods", remote_cidr="10.0.0.0/16")
        assert container.ping(FAR, count=4).received == 4
        groups.delete_rule("far/pods")
        groups.join("far")


def test_peered_vpc_sees_the_node_in_tunnel_mode(lab, containers, groups, reach):
    """R-PEER-1, R-SG-5"""
    one, = containers("tun", "ecs1")
    reach(one, FAR)
    assert seen_by_tcp(one, lab.instance("far"), FAR, 8000) == "192.168.0.2"
