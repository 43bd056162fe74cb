# SPDX-License-Identifier: Apache-2.0
"""Seed 001: from a container to the VPC around it, in the three models, and into a peered VPC; with containerd and viaduct-cni. Nodes of the
native model are hosts of the VPC: h1 and h2.

    vpc-demo 192.168.0.0/16   node1 192.168.10.11 (h1), node2 192.168.10.12 (h2), ecs 192.168.10.52 (h1)
                              native containers 192.168.20.0/24 (on h1, h2)
    vpc-demo2 10.1.0.0/16     far 10.1.0.9 (h2)
"""

import pytest

import seeds
from containers import Pods, address_of, busybox_ping, cannot_reach, hops, reaches, wait_for_block
from lab import wait_until
from lab.service import Redis
from outside import ping_source

LAB = """
name: models
hosts:
  h1: {addresses: [172.31.0.1/24], machine: true}
  h2: {addresses: [172.31.0.2/24], machine: true}
instances:
  node1: {ports: {node1: h1}, node: {addresses: [172.31.0.101/24], underlay: 192.168.10.11}}
  node2: {ports: {node2: h2}, node: {addresses: [172.31.0.102/24], underlay: 192.168.10.12}}
  ecs: {ports: {ecs: h1}}
  far: {ports: {far: h2}}
"""

DOCUMENTS = """
kind: vpc
name: vpc-demo
cidrs: [192.168.0.0/16]
---
kind: vpc
name: vpc-demo2
cidrs: [10.1.0.0/16]
---
kind: subnet
name: nodes
vpc: vpc-demo
cidrs: [192.168.10.0/24]
---
kind: subnet
name: containers
vpc: vpc-demo
cidrs: [192.168.20.0/24]
---
kind: subnet
name: far
vpc: vpc-demo2
cidrs: [10.1.0.0/24]
---
{kind: security_group, name: service}
---
{kind: port, name: node1, subnet: nodes, addresses: [192.168.10.11]}
---
{kind: port, name: node2, subnet: nodes, addresses: [192.168.10.12]}
---
{kind: port, name: ecs, subnet: nodes, addresses: [192.168.10.52], security_groups: [service]}
---
{kind: port, name: far, subnet: far, addresses: [10.1.0.9], security_groups: [service]}
---
{kind: container_network, name: tunnel, cidrs: [172.20.0.0/16], mode: tunnel, vpc: vpc-demo}
---
{kind: container_network, name: vpc, cidrs: [172.16.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: pods, cidrs: [10.0.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: native, mode: native, subnet: containers}
---
{kind: node, name: h1, container_networks: [native]}
---
{kind: node, name: h2, container_networks: [native]}
"""

NODES = """
{kind: node, name: node1, container_networks: [tunnel, vpc, pods], port: node1}
---
{kind: node, name: node2, container_networks: [tunnel, vpc, pods], port: node2}
"""


class Service:
    """The instance at 192.168.10.52 and the far one, whose group lets in what a test says."""

    def __init__(self, host):
        self.host, self.rules = host, []
        self.allow_only("192.168.10.0/24")

    def allow_only(self, *blocks):
        for name in (item["name"] for item in self.host.ask("GET", "/v1/security_group_rules")["items"]):
            if "egress" not in name:
                self.host.viaduct("delete", "security_group_rule", name, "--wait")
        for block in blocks:
            self.host.apply(f"{{kind: security_group_rule, group: service, direction: ingress, remote_cidr: {block}}}")


@pytest.fixture(scope="module")
def service(lab):
    return Service(lab.host("h1"))


@pytest.fixture(scope="module")
def nodes(lab, service):
    """The containerd of each node, once it has joined."""
    lab.host("h1").apply(NODES)
    for node in ("node1", "node2"):
        for network in ("tunnel", "vpc", "pods"):
            wait_for_block(lab.host("h1"), network, node)
    return {name: Pods(lab.node(name)) for name in ("node1", "node2", "h1", "h2")}


@pytest.fixture(scope="module")
def pods(nodes):
    """By network and node: a container each."""
    found = {(network, node): nodes[node].run(f"{network}-{node}", network) for network in ("tunnel", "vpc", "pods") for node in ("node1", "node2")}
    return found | {("native", node): nodes[node].run(f"native-{node}", "native", server=f"unix:{nodes[node].node.socket_path}") for node in ("h1", "h2")}


NODES_OF = {"tunnel": ("node1", "node2"), "vpc": ("node1", "node2"), "pods": ("node1", "node2"), "native": ("h1", "h2")}


SEED_LOST = "4 packets transmitted, 0 packets received, 100% packet loss"
SEED_HEARD = "4 packets transmitted, 4 packets received, 0% packet loss"


@pytest.mark.parametrize("network", NODES_OF)
def test_containers_of_two_nodes_reach_each_other(pods, network):
    """R-CTR-1"""
    one, other = (pods[network, node] for node in NODES_OF[network])
    wait_until(lambda: reaches(one, address_of(other)), f"{network}: container reaches container")
    assert busybox_ping(one, address_of(other)).received == 4
    assert busybox_ping(other, address_of(one)).received == 4


def test_routed_containers_are_nodes_apart(pods):
    """R-CTR-1, R-RTR-7: bridge, node, container, as by hand"""
    other = address_of(pods["vpc", "node2"])
    gateway = address_of(pods["vpc", "node1"]).rsplit(".", 1)[0] + ".1"
    assert hops(pods["vpc", "node1"], other) == [gateway, "192.168.10.12", other]
    assert busybox_ping(pods["vpc", "node1"], other).ttls == [62] * 4


def test_routed_container_needs_its_block_in_the_group(pods, service):
    """R-CTR-1, R-SCN-9, R-SG-5: the ping of seed 001 before and after 172.16.0.0/16 is let in"""
    one = pods["vpc", "node1"]
    service.allow_only("192.168.10.0/24")
    assert seeds.is_printed(one("ping", "-c", 104, "-i", "0.01", "-W", 1, "192.168.10.52", check=False).stdout, seeds.CLOSED_001)
    service.allow_only("192.168.10.0/24", "172.16.0.0/16")
    assert seeds.is_printed(busybox_ping(one, "192.168.10.52").text, seeds.OPEN_001)


def test_tunnel_container_comes_with_its_nodes_address(lab, pods, service):
    """R-CTR-1, R-SCN-9, R-SG-5: what the node reaches, the container reaches; the group must let in the node"""
    one = pods["tunnel", "node1"]
    service.allow_only("192.168.10.0/24")
    with lab.instance("ecs").capture("eth0") as frames:
        assert SEED_HEARD in busybox_ping(one, "192.168.10.52").text
    assert ping_source(frames, "192.168.10.52") == {"192.168.10.11"}
    service.allow_only("192.168.10.12/32", "172.20.0.0/16")
    assert SEED_LOST in busybox_ping(one, "192.168.10.52").text


@pytest.mark.parametrize("node", ["h1", "h2"])
def test_native_container_needs_its_subnet_in_the_group(lab, pods, service, node):
    """R-CTR-1, R-SCN-9, R-SG-5: as an instance of its subnet, with its own address, on whichever host"""
    one = pods["native", node]
    assert address_of(one).startswith("192.168.20.")
    service.allow_only("192.168.10.0/24", "172.31.0.0/24")
    assert SEED_LOST in busybox_ping(one, "192.168.10.52").text, "a host's address is not a container's"
    service.allow_only("192.168.20.0/24")
    with lab.instance("ecs").capture("eth0") as frames:
        assert seeds.is_printed(busybox_ping(one, "192.168.10.52").text, seeds.OPEN_001)
    assert ping_source(frames, "192.168.10.52") == {address_of(one)}
    assert hops(one, "192.168.10.52") == ["192.168.20.1", "192.168.10.52"]


@pytest.fixture(scope="module")
def peered(lab, pods, service):
    service.allow_only("0.0.0.0/0")
    assert cannot_reach(pods["pods", "node1"], "10.1.0.9"), "not yet"
    lab.host("h1").apply("{kind: peering, name: peering-demo, vpc: vpc-demo, peer: vpc-demo2}")


@pytest.mark.parametrize("network, node, needed", [
    ("tunnel", "node1", "192.168.10.0/24"), ("pods", "node1", "10.0.0.0/16"), ("native", "h1", "192.168.20.0/24")])
def test_containers_reach_the_peered_vpc(peered, pods, service, network, node, needed):
    """R-PEER-1, R-SCN-9, R-CTR-9: tunnel by the nodes' block, routed by the containers' own, native by their subnet"""
    one = pods[network, node]
    service.allow_only(needed)
    wait_until(lambda: reaches(one, "10.1.0.9"), f"{network}: container reaches the peer")
    assert SEED_HEARD in busybox_ping(one, "10.1.0.9").text
    service.allow_only("203.0.113.0/24")
    assert SEED_LOST in busybox_ping(one, "10.1.0.9").text


def test_peered_vpc_reaches_containers(peered, lab, pods, service):
    """R-PEER-1, R-SCN-9: the block's route is there too"""
    far = lab.instance("far")
    assert far.ping(address_of(pods["pods", "node1"]), count=4).received == 4
    assert far.ping(address_of(pods["pods", "node2"]), count=4).received == 4
    assert far.ping(address_of(pods["native", "h1"]), count=4).received == 4
    assert far.ping(address_of(pods["native", "h2"]), count=4).received == 4
    assert far.ping("192.168.10.11", count=2).received == 2
    assert far.ping(address_of(pods["tunnel", "node1"]), count=2, timeout=0.5).received == 0, "known to nodes only"


def asks_redis(container):
    """Whether the Redis at 192.168.10.52 answers a container."""
    return "+PONG" in container("sh", "-c", "printf 'PING\\r\\nQUIT\\r\\n' | nc -w 2 192.168.10.52 6379", check=False).stdout


def test_redis_allow_list(lab, pods, service):
    """R-SCN-9: group open, but the service's own allow-list knows only the nodes; with the containers' block on it they are served"""
    service.allow_only("0.0.0.0/0")
    with Redis(lab.instance("ecs"), ["192.168.10.0/24"]) as redis:
        assert asks_redis(pods["tunnel", "node1"]), "it comes with its node's address"
        assert not asks_redis(pods["vpc", "node1"])
        redis.allow(["192.168.10.0/24", "172.16.0.0/16"])
        assert asks_redis(pods["vpc", "node1"])
        assert asks_redis(pods["vpc", "node2"])
        assert not asks_redis(pods["pods", "node1"]), "10.0.0.0/16 is not on the list"
        assert not asks_redis(pods["native", "h1"]), "nor is their subnet"
        redis.allow(["192.168.20.0/24"])
        assert asks_redis(pods["native", "h1"])
