# SPDX-License-Identifier: Apache-2.0
"""How containers reach the world: through the host that is their node, through the router of the VPC that their node is an instance of, and
through an instance that has an elastic IP. Outside nobody ever sees a container's address.

    h1 203.0.113.11 (a node itself)       --+
    ecs1 192.168.0.2 (a node in the VPC)  --+-- router 203.0.113.10         -- em01 -- isp 203.0.113.1 -- web 198.51.100.10
    ecs2 192.168.0.3 (a node in the VPC)  --+-- elastic IP 203.0.113.50
"""

import itertools

import pytest

from lab import wait_until
from lab.cni import Container, Runtime, address_of, pods
from outside import ping_source, seen_by_tcp, seen_by_udp

LAB = """
name: ways
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], machine: true, uplinks: {em01: {segment: em01, addresses: [203.0.113.11/24]}}}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h2}, node: {addresses: [172.31.0.101/24], underlay: 192.168.0.2}}
  ecs2: {ports: {ecs2: h1}, node: {addresses: [172.31.0.102/24], underlay: 192.168.0.3}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [203.0.113.10-203.0.113.99], netmask: 255.255.255.0, gateway: 203.0.113.1}
---
{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [{network: public, address: 203.0.113.10}]}
---
{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24]}
---
{kind: port, name: ecs1, subnet: nodes, addresses: [192.168.0.2]}
---
{kind: port, name: ecs2, subnet: nodes, addresses: [192.168.0.3]}
---
{kind: elastic_ip, name: eip, network: public, address: 203.0.113.50, port: ecs2}
---
{kind: container_network, name: lan, cidrs: [10.64.0.0/16], mode: routed, provider: host}
---
{kind: container_network, name: tunnel, cidrs: [10.65.0.0/16], mode: tunnel}
---
{kind: container_network, name: routed, cidrs: [10.66.0.0/16], mode: routed, vpc: demo}
---
{kind: container_network, name: bare, cidrs: [10.67.0.0/16], mode: routed, vpc: demo, masquerade: false}
"""
NODES = """
{kind: node, name: h1, container_networks: [lan, tunnel]}
---
{kind: node, name: ecs1, container_networks: [tunnel, routed, bare], port: ecs1}
---
{kind: node, name: ecs2, container_networks: [tunnel, routed, bare], port: ecs2}
"""
BLOCKS = 8
WEB, HOST, ROUTER, EIP = "198.51.100.10", "203.0.113.11", "203.0.113.10", "203.0.113.50"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def nodes(lab):
    h1 = lab.host("h1")
    h1.ip("route", "add", "default", "via", "203.0.113.1")
    h1.apply(NODES)
    wait_until(lambda: sum(item["assigned"]["state"] == "held" for item in h1.ask("GET", "/v1/container_blocks")["items"]) == BLOCKS,
               "each node has a block of each network")
    return {"h1": h1, **{name: lab.host(name) for name in ("ecs1", "ecs2")}}


@pytest.fixture
def container(lab, nodes):
    """container(node, network): one there, with its address; all gone after the test."""
    made = []

    def make(node, network):
        one = Container(lab, f"c{next(NUMBERS)}")
        one.create()
        runtime = Runtime(nodes[node], pods(network=network))
        made.append((one, runtime))
        nodes[node].machine.show_namespace(one)
        one.address = address_of(runtime.add(one))
        return one

    yield make
    for one, runtime in made:
        runtime.delete(one)
        one.delete()


def leaves_as(lab, one, reach, address):
    """By ping, TCP and UDP, as seen in the world, and with answers."""
    web = lab.outside("web")
    reach(one, WEB)
    with web.capture("eth0") as frames:
        assert one.ping(WEB, count=3).received == 3
    assert ping_source(frames, WEB) == {address}
    assert seen_by_tcp(one, web, WEB, 8000) == address
    assert seen_by_udp(one, web, WEB, 8001)[0] == address


@pytest.mark.parametrize("network", ["lan", "tunnel"])
def test_through_the_host_that_is_the_node(lab, container, reach, network):
    """R-CTR-7: the node translates to its own address"""
    leaves_as(lab, container("h1", network), reach, HOST)


@pytest.mark.parametrize("network", ["tunnel", "routed", "bare"])
def test_through_the_router(lab, container, reach, network):
    """R-CTR-7, R-SNAT-1: by the node's address, or (masquerade: false) with its own as far as the router, which translates either"""
    leaves_as(lab, container("ecs1", network), reach, ROUTER)


@pytest.mark.parametrize("network", ["tunnel", "routed"])
def test_through_an_instance_with_an_elastic_ip(lab, container, reach, network):
    """R-CTR-7, R-EIP-1: the node is an instance that has one"""
    leaves_as(lab, container("ecs2", network), reach, EIP)


def test_elastic_ip_is_the_instances_own(lab, container, reach):
    """R-CTR-7, R-EIP-1: what the node does not translate to its own address leaves by the router's"""
    leaves_as(lab, container("ecs2", "bare"), reach, ROUTER)


def test_through_another_instance_with_an_elastic_ip(lab, nodes, container, reach):
    """R-CTR-7, R-RTR-5: containers of ecs1 by the VPC's default route to ecs2, which translates for them"""
    h1, server = nodes["h1"], lab.instance("ecs2")
    one = container("ecs1", "bare")
    h1.apply("{kind: port, name: ecs2, subnet: nodes, addresses: [192.168.0.3], source_check: false}\n---\n"
             "{kind: route, vpc: demo, destination: 0.0.0.0/0, next_hop: {address: 192.168.0.3}}")
    server.run("nft", "-f", "-", input="""
table ip out {
	chain post {
		type nat hook postrouting priority srcnat + 10
		oifname "eth0" ip saddr 10.67.0.0/16 ip daddr != 192.168.0.0/16 masquerade
	}
}
""")
    try:
        leaves_as(lab, one, reach, EIP)
    finally:
        server.run("nft", "delete", "table", "ip", "out")
        h1.viaduct("delete", "route", "demo/0.0.0.0/0", "--wait")
        h1.apply("{kind: port, name: ecs2, subnet: nodes, addresses: [192.168.0.3]}")
