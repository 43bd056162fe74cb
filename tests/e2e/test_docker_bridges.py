# SPDX-License-Identifier: Apache-2.0
"""Seed 002 by hand on real Docker: two instances of one subnet, dockerd in each, `my-net` made as the seed makes it, and VPC routes.

    nginx 10.0.2.2 - my-net 10.0.2.1 [ecs1] 192.168.0.2 --h1-- VXLAN --h2-- 192.168.0.3 [ecs2] my-net 10.0.3.1 - nginx 10.0.3.2
"""

import re
import shlex

import pytest

import seeds
from lab import wait_until
from lab.engine import Docker

LAB = """
name: bridges
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h1}, machine: {iptables: nft}}
  ecs2: {ports: {ecs2: h2}, machine: {iptables: legacy}}
  ecs3: {ports: {ecs3: h2}}
"""

DOCUMENTS = """
kind: vpc
name: demo
cidrs: [192.168.0.0/16]
---
kind: subnet
name: nodes
vpc: demo
cidrs: [192.168.0.0/24]
---
kind: security_group
name: containers
---
kind: security_group_rule
group: containers
direction: ingress
protocol: icmp
remote_cidr: 0.0.0.0/0
---
kind: security_group_rule
group: containers
direction: ingress
protocol: udp
remote_cidr: 0.0.0.0/0
---
kind: port
name: ecs1
subnet: nodes
addresses: [192.168.0.2]
security_groups: [containers]
allowed_sources: [10.0.2.0/24]
---
kind: port
name: ecs2
subnet: nodes
addresses: [192.168.0.3]
security_groups: [containers]
allowed_sources: [10.0.3.0/24]
---
kind: port
name: ecs3
subnet: nodes
addresses: [192.168.0.4]
---
kind: route
vpc: demo
destination: 10.0.2.0/24
next_hop: {address: 192.168.0.2}
---
kind: route
vpc: demo
destination: 10.0.3.0/24
next_hop: {address: 192.168.0.3}
"""


@pytest.fixture(scope="module")
def engines(lab, reach):
    """Both dockerds, with the network and the container that the seed makes on each."""
    found = {}
    for name, block in (("ecs1", "10.0.2.0/24"), ("ecs2", "10.0.3.0/24")):
        node = lab.instance(name)
        found[name] = Docker(node).start()
        for command in (f"docker network create --subnet {block} my-net", "docker run -d --name nginx --net my-net -p 8080:80 nginx:alpine",
                        "iptables -w -P FORWARD ACCEPT"):
            node.run(*shlex.split(command))
    wait_until(lambda: pings(found["ecs1"], "10.0.3.2"), "nginx of ecs1 reaches nginx of ecs2")
    yield found
    for engine in found.values():
        engine.stop()


def pings(engine, target):
    return "0% packet loss" in engine.exec("nginx", "ping", "-c", 1, "-W", 1, target, check=False).stdout.replace("100%", "")


def test_containers_have_the_seeds_addresses(engines):
    """R-SCN-1, R-CTR-5"""
    assert engines["ecs1"].address("nginx", "my-net") == "10.0.2.2"
    assert engines["ecs2"].address("nginx", "my-net") == "10.0.3.2"


def test_ping_of_the_seed(engines):
    """R-SCN-1, R-RTR-7: as printed there, ttl=62"""
    assert seeds.is_printed(engines["ecs1"].exec("nginx", "ping", "-c", 4, "10.0.3.2").stdout, seeds.PING_002)
    back = engines["ecs2"].exec("nginx", "ping", "-c", 2, "10.0.2.2").stdout
    assert re.findall(r"seq=(\d) ttl=(\d+)", back) == [("0", "62"), ("1", "62")]


def test_traceroute_of_the_seed(engines):
    """R-SCN-1, R-RTR-7: 10.0.2.1, 192.168.0.3, 10.0.3.2, with the lines as printed there"""
    assert seeds.is_printed(engines["ecs1"].exec("nginx", "traceroute", "-d", "10.0.3.2").stdout, seeds.TRACEROUTE_002)


def test_another_instance_reaches_a_container_by_the_block(lab, engines, reach):
    """R-CTR-7: from an instance without containers, by the VPC's route"""
    ecs3 = lab.instance("ecs3")
    for address in ("10.0.2.2", "10.0.3.2"):
        reach(ecs3, address)
    assert ecs3.ping("10.0.2.2", count=2).ttls == [63] * 2
    assert ecs3.traceroute("10.0.3.2") == ["192.168.0.3", "10.0.3.2"]


@pytest.mark.parametrize("name", ["ecs1", "ecs2"])
def test_dockers_forward_policy_is_what_the_seed_says(lab, engines, name):
    """R-CTR-5: dockerd sets FORWARD to DROP, by iptables-nft on ecs1 and iptables-legacy on ecs2; then nobody reaches its container."""
    ecs, address = lab.instance(name), {"ecs1": "10.0.2.2", "ecs2": "10.0.3.2"}[name]
    ecs.run("iptables", "-w", "-P", "FORWARD", "DROP")
    try:
        assert lab.instance("ecs3").ping(address, count=2, timeout=0.5).received == 0
    finally:
        ecs.run("iptables", "-w", "-P", "FORWARD", "ACCEPT")
    assert lab.instance("ecs3").ping(address, count=2).received == 2
