# SPDX-License-Identifier: Apache-2.0
"""Seed 002 with a container network: two instances that are nodes, Docker's own bridge on each node's block. Nobody types a VPC route, opens
a source check or sets FORWARD to ACCEPT.

    nginx 10.0.2.2 - my-net 10.0.2.1 [ecs1] 192.168.0.2 --h1-- VXLAN --h2-- 192.168.0.3 [ecs2] my-net 10.0.3.1 - nginx 10.0.3.2
"""

import shlex

import pytest

import seeds
from containers import busybox_ping, reaches, wait_for_block, web_page
from lab import wait_until
from lab.engine import Docker

LAB = """
name: dockers
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h1}, machine: {iptables: nft}, node: {addresses: [172.31.0.101/24], underlay: 192.168.0.2}}
  ecs2: {ports: {ecs2: h2}, machine: {iptables: legacy}, node: {addresses: [172.31.0.102/24], underlay: 192.168.0.3}}
"""

DOCUMENTS = """
{kind: vpc, name: demo, cidrs: [192.168.0.0/16]}
---
{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24]}
---
{kind: port, name: ecs1, subnet: nodes, addresses: [192.168.0.2]}
---
{kind: port, name: ecs2, subnet: nodes, addresses: [192.168.0.3]}
---
{kind: container_network, name: containers, cidrs: [10.0.0.0/16], mode: routed, vpc: demo}
"""

NODES = """
{kind: node, name: ecs1, container_networks: [containers], port: ecs1}
---
{kind: node, name: ecs2, container_networks: [containers], port: ecs2}
---
{kind: container_block, container_network: containers, cidr: 10.0.2.0/24, node: ecs1}
---
{kind: container_block, container_network: containers, cidr: 10.0.3.0/24, node: ecs2}
"""


@pytest.fixture(scope="module")
def engines(lab):
    lab.host("h1").apply(NODES)
    found = {}
    for name, block in (("ecs1", "10.0.2.0/24"), ("ecs2", "10.0.3.0/24")):
        assert wait_for_block(lab.host("h1"), "containers", name) == block, "the one that was chosen for it"
        found[name] = Docker(lab.instance(name)).start()
        for command in (f"docker network create --subnet {block} my-net", "docker run -d --name nginx --net my-net -p 8080:80 nginx:alpine"):
            lab.instance(name).run(*shlex.split(command))
    wait_until(lambda: reaches(inside(found["ecs1"]), "10.0.3.2"), "nginx of ecs1 reaches nginx of ecs2")
    yield found
    for engine in found.values():
        engine.stop()


def inside(engine):
    return lambda *argv, **options: engine.exec("nginx", *argv, **options)


def test_ping_of_the_seed(engines):
    """R-SCN-1, R-CTR-1, R-CTR-5, R-RTR-7"""
    assert seeds.is_printed(busybox_ping(inside(engines["ecs1"]), "10.0.3.2").text, seeds.PING_002)
    assert busybox_ping(inside(engines["ecs2"]), "10.0.2.2").ttls == [62] * 4


def test_traceroute_of_the_seed(engines):
    """R-SCN-1, R-CTR-1, R-CTR-5, R-RTR-7"""
    assert seeds.is_printed(engines["ecs1"].exec("nginx", "traceroute", "-d", "10.0.3.2").stdout, seeds.TRACEROUTE_002)


def test_containers_come_with_their_own_address(lab, engines):
    """R-CTR-1, R-CTR-5: Docker's masquerade leaves alone what goes to another block"""
    with lab.instance("ecs2").capture("eth0") as frames:
        assert reaches(inside(engines["ecs1"]), "10.0.3.2")
    assert {frame[26:30] for frame in frames if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 8} == {bytes([10, 0, 2, 2])}


def test_published_port_works(lab, engines):
    """R-CTR-5: `-p 8080:80`, from the other node"""
    assert web_page(lab.instance("ecs2"), "http://192.168.0.2:8080/") == "served by busybox\n"
    assert web_page(lab.instance("ecs1"), "http://192.168.0.3:8080/") == "served by busybox\n"


@pytest.mark.parametrize("name, other, address", [("ecs1", "ecs2", "10.0.2.2"), ("ecs2", "ecs1", "10.0.3.2")])
def test_flushed_rules_and_a_restarted_dockerd_stop_nothing(engines, name, other, address):
    """R-CTR-5: by iptables-nft on ecs1, iptables-legacy on ecs2. dockerd sets FORWARD to DROP only where it is the first to forward."""
    engine = engines[name]
    engine.stop()
    # -w: viaductd may have the lock, since it sets rules again.
    engine.node.run("iptables", "-w", "-F")
    engine.node.run("iptables", "-w", "-t", "nat", "-F")
    engine.start()
    engine.docker("start", "nginx")
    engine.node.run("iptables", "-w", "-P", "FORWARD", "DROP")
    # From outside: what the container begins itself, Docker's own rules let out. Not by `docker exec`, which takes its own time.
    begins = engines[other].namespace("nginx")
    wait_until(lambda: begins.ping(address, timeout=0.3).received, "traffic is back", seconds=3)
