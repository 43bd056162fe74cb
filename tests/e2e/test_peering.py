# SPDX-License-Identifier: Apache-2.0
"""Peering, with seed 001's VPCs: vpc-demo 192.168.0.0/16 (a1 on h1, a2 on h2) and vpc-demo2 10.1.0.0/16 (b1 on h1, b2 on h2). A third
VPC is a peer of vpc-demo2 alone.
"""

import json
import socket

import pytest

from lab.world import wait_until
from outside import converse, seen_by_tcp, seen_by_udp, tcp
from policy import Groups, passes_ping, passes_tcp, passes_udp, rule

LAB = """
name: peering
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  a1: {ports: {a1: h1}}
  a2: {ports: {a2: h2}}
  b1: {ports: {b1: h1}}
  b2:
    ports: {b2: h2}
    bridges: {docker0: {addresses: [10.44.0.1/24], containers: {c: [10.44.0.2/24]}}}
  c1: {ports: {c1: h1}}
"""
PORTS = {name: {"kind": "port", "name": name, "subnet": subnet, "addresses": addresses, **more} for name, subnet, addresses, more in [
    ("a1", "nodes", ["192.168.0.2", "fd00:192::2"], {}), ("a2", "nodes", ["192.168.0.3", "fd00:192::3"], {}),
    ("b1", "nodes2", ["10.1.0.2", "fd00:1::2"], {}), ("b2", "nodes2", ["10.1.0.3", "fd00:1::3"], {"allowed_sources": ["10.44.0.0/24"]}),
    ("c1", "nodes3", ["10.3.0.2", "fd00:3::2"], {})]}
PEERING = "{kind: peering, name: peering-demo, vpc: vpc-demo, peer: vpc-demo2}"
BEYOND = "{kind: peering, name: beyond, vpc: vpc-demo3, peer: vpc-demo2}"
DOCUMENTS = f"""
{{kind: vpc, name: vpc-demo, cidrs: [192.168.0.0/16, "fd00:192::/48"]}}
---
{{kind: subnet, name: nodes, vpc: vpc-demo, cidrs: [192.168.0.0/24, "fd00:192::/64"]}}
---
{{kind: vpc, name: vpc-demo2, cidrs: [10.1.0.0/16, "fd00:1::/48"]}}
---
{{kind: subnet, name: nodes2, vpc: vpc-demo2, cidrs: [10.1.0.0/24, "fd00:1::/64"]}}
---
{{kind: vpc, name: vpc-demo3, cidrs: [10.3.0.0/16, "fd00:3::/48"]}}
---
{{kind: subnet, name: nodes3, vpc: vpc-demo3, cidrs: [10.3.0.0/24, "fd00:3::/64"]}}
---
{PEERING}
---
{BEYOND}
---
""" + "\n---\n".join(map(json.dumps, PORTS.values()))
ADDRESSES = {name: document["addresses"][0] for name, document in PORTS.items()}
ADDRESSES6 = {name: document["addresses"][1] for name, document in PORTS.items()}
PAIRS = [("a1", "b1"), ("a1", "b2"), ("a2", "b1"), ("a2", "b2")]


@pytest.fixture(scope="module")
def instances(lab, reach):
    found = {name: lab.instance(name) for name in PORTS}
    for one, other in [*PAIRS, ("c1", "b1"), ("c1", "b2")]:
        for table in (ADDRESSES, ADDRESSES6):
            reach(found[one], table[other])
            reach(found[other], table[one])
    return found


@pytest.fixture
def groups(lab, instances):
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


@pytest.fixture
def peering(lab, instances, reach):
    """As it was, after the test."""
    host = lab.host("h1")
    yield host
    for name in [item["name"] for item in host.ask("GET", "/v1/routes")["items"]]:
        host.viaduct("delete", "route", name, "--wait")
    host.apply(PEERING)
    for one, other in PAIRS:
        reach(instances[one], ADDRESSES[other])


@pytest.mark.parametrize("one, other", PAIRS)
def test_both_ways_by_one_hop(instances, one, other):
    """R-PEER-1: on one host and across two, with their own addresses."""
    for table in (ADDRESSES, ADDRESSES6):
        assert instances[one].ping(table[other], count=3).ttls == [63] * 3
        assert instances[other].ping(table[one], count=3).ttls == [63] * 3
        assert seen_by_tcp(instances[one], instances[other], table[other], 8000) == table[one]
        assert seen_by_tcp(instances[other], instances[one], table[one], 8000) == table[other]
        assert seen_by_udp(instances[one], instances[other], table[other], 8001)[0] == table[one]


@pytest.mark.parametrize("one, other", PAIRS)
def test_traceroute_and_errors_come_through(instances, one, other):
    """R-PEER-1: the router of the VPC that is left answers; a closed port's answer comes back; large packets are split or refused."""
    assert instances[one].traceroute(ADDRESSES[other]) == ["192.168.0.1", ADDRESSES[other]]
    assert instances[other].traceroute(ADDRESSES[one]) == ["10.1.0.1", ADDRESSES[one]]
    for table, family in ((ADDRESSES, socket.AF_INET), (ADDRESSES6, socket.AF_INET6)):
        with instances[one].socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((table[other], 9))
            asking.send(b"anybody?")
            with pytest.raises(ConnectionRefusedError):
                asking.recv(10)
    assert instances[one].ping(ADDRESSES[other], size=4000).received == 1


def test_both_sides_groups_apply(instances, groups):
    """R-PEER-1: nothing until the far side's group allows, at once when it does and at once when no more; the near side's egress too."""
    for one, other in PAIRS:
        target = ADDRESSES[other]
        groups.make("far")
        groups.join(other, "far")
        assert instances[one].ping(target, count=4, timeout=0.3).received == 0, "100 % loss"
        assert not passes_tcp(instances[one], instances[other], target, 8000)
        groups.allow("far", "ingress", name="all", remote_cidr="192.168.0.0/16")
        assert instances[one].ping(target, count=4).received == 4, "0 %"
        assert passes_tcp(instances[one], instances[other], target, 8000)
        assert passes_udp(instances[one], instances[other], target, 8001)
        with tcp(instances[one], instances[other], target, 8002) as (client, server, _):
            converse(client, server)
            groups.delete_rule("far/all")
            client.sendall(b"too late")
            server.settimeout(0.5)
            with pytest.raises(TimeoutError):
                server.recv(10)
        assert not passes_ping(instances[one], target)
        # The other side may speak: egress is open, and what answers needs no rule.
        assert instances[other].ping(ADDRESSES[one], count=2).received == 2
        groups.make("near", rule("", "egress", "tcp", ports=8000))
        groups.allow("far", "ingress", name="all")
        groups.join(one, "near")
        assert not passes_ping(instances[one], target)
        assert passes_tcp(instances[one], instances[other], target, 8000)
        groups.clear()


def test_group_of_the_peer_as_remote(instances, groups):
    """R-PEER-1: a rule names a group whose ports are in the other VPC."""
    groups.make("clients")
    groups.make("servers", rule("", "ingress", "icmp", name="ping", remote_group="clients"))
    for server in ("b1", "b2"):
        groups.join(server, "servers")
    for name in ("a1", "a2"):
        for server in ("b1", "b2"):
            assert not passes_ping(instances[name], ADDRESSES[server])
        groups.join(name, "clients")
        # Whoever is in no group does not become reachable, nor do clients: their group has no rule.
        groups.allow("clients", "ingress", "icmp", name="answers", remote_cidr="10.1.0.0/16")
        for server in ("b1", "b2"):
            assert passes_ping(instances[name], ADDRESSES[server])
        groups.join(name)
        for server in ("b1", "b2"):
            assert not passes_ping(instances[name], ADDRESSES[server])
    assert not passes_ping(instances["c1"], ADDRESSES["b1"])


def test_peering_does_not_go_on(instances):
    """R-PEER-1: vpc-demo and vpc-demo3 are both peers of vpc-demo2, and do not reach each other; nor by a route that says so."""
    for table in (ADDRESSES, ADDRESSES6):
        assert instances["c1"].ping(table["b1"], count=2).ttls == [63] * 2
        for name in ("a1", "a2"):
            assert not passes_ping(instances[name], table["c1"])
            assert not passes_ping(instances["c1"], table[name])


def test_route_does_not_make_it_go_on(lab, instances, peering):
    """R-PEER-1: what arrives in the peer by a route does not leave it again."""
    peering.apply("{kind: route, vpc: vpc-demo, destination: 10.3.0.0/16, next_hop: {peering: peering-demo}}")
    peering.apply("{kind: route, vpc: vpc-demo3, destination: 192.168.0.0/16, next_hop: {peering: beyond}}")
    for name in ("a1", "a2"):
        assert not passes_ping(instances[name], ADDRESSES["c1"])
        assert not passes_ping(instances["c1"], ADDRESSES[name])


def test_what_the_peers_routes_lead_to(lab, instances, peering):
    """R-PEER-1: containers behind an instance of the peer, by a route of the peer's and one that leads there."""
    container = lab.node("b2-c")
    peering.apply("{kind: route, vpc: vpc-demo2, destination: 10.44.0.0/24, next_hop: {address: 10.1.0.3}}")
    assert not passes_ping(instances["a1"], "10.44.0.2")
    peering.apply("{kind: route, vpc: vpc-demo, destination: 10.44.0.0/24, next_hop: {peering: peering-demo}}")
    for name in ("a1", "a2"):
        wait_until(lambda: passes_ping(instances[name], "10.44.0.2"), "the container is reached")
        assert instances[name].ping("10.44.0.2", count=2).ttls == [62] * 2
        assert container.ping(ADDRESSES[name], count=2).ttls == [62] * 2


def test_manual_routes(lab, instances, peering):
    """R-PEER-1: with `routes: manual` nothing leads over but what routes say; status tells which side has none."""
    peering.apply(PEERING.replace("}", ", routes: manual}"))
    assert peering.resource("peerings", "peering-demo")["status"]["state"] == "idle"
    for one, other in PAIRS:
        assert not passes_ping(instances[one], ADDRESSES[other])
    peering.apply("{kind: route, vpc: vpc-demo, destination: 10.1.0.3/32, next_hop: {peering: peering-demo}}")
    status = peering.resource("peerings", "peering-demo")["status"]
    assert status["state"] == "one_way" and "vpc-demo2" in status["reason"]
    assert not passes_ping(instances["a1"], ADDRESSES["b2"])
    peering.apply("{kind: route, vpc: vpc-demo2, destination: 192.168.0.0/24, next_hop: {peering: peering-demo}}")
    assert peering.resource("peerings", "peering-demo")["status"]["state"] == "active"
    for name in ("a1", "a2"):
        wait_until(lambda: passes_ping(instances[name], ADDRESSES["b2"]), "the host route leads over")
        assert instances[name].ping(ADDRESSES["b2"], count=2).ttls == [63] * 2
        assert not passes_ping(instances[name], ADDRESSES["b1"]), "no route leads to it"
        assert instances["b2"].ping(ADDRESSES[name], count=2).received == 2


def test_peering_that_goes_ends_all_traffic(instances, peering, reach):
    """R-PEER-1: running conversations, on one host and across two, when `delete --wait` returns; and they go on when it is back."""
    with tcp(instances["a1"], instances["b1"], ADDRESSES["b1"], 8003) as (near, near_server, _), \
            tcp(instances["a1"], instances["b2"], ADDRESSES["b2"], 8003) as (far, far_server, _):
        for client, server in ((near, near_server), (far, far_server)):
            converse(client, server)
        peering.viaduct("delete", "peering", "peering-demo", "--wait")
        for client, server in ((near, near_server), (far, far_server)):
            client.sendall(b"x")
            server.settimeout(0.4)
            with pytest.raises(TimeoutError):
                server.recv(1)
        for one, other in PAIRS:
            assert not passes_ping(instances[one], ADDRESSES[other])
            assert not passes_ping(instances[other], ADDRESSES6[one])
        # The other peering stands.
        assert passes_ping(instances["c1"], ADDRESSES["b1"]) and passes_ping(instances["c1"], ADDRESSES["b2"])
        peering.apply(PEERING)
        for server in (near_server, far_server):
            server.settimeout(60)  # TCP asks again after as long as it has waited so far
            assert server.recv(1) == b"x"


def refused(host, *documents):
    said = host.viaduct("apply", "-f", "-", input="\n---\n".join(documents), check=False)
    assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1, said.stdout + said.stderr
    return said.stderr


def test_overlapping_cidrs_are_refused_naming_both(lab, instances):
    """R-PEER-2, R-CTR-8"""
    host = lab.host("h1")
    twin = "{kind: vpc, name: twin, cidrs: [10.1.128.0/17]}"
    said = refused(host, twin, "{kind: peering, name: twins, vpc: twin, peer: vpc-demo2}")
    assert "10.1.128.0/17" in said and "10.1.0.0/16" in said and "vpc-demo2" in said and "twin" in said
    # It overlaps no CIDR of vpc-demo, but one of its peer's.
    said = refused(host, twin, "{kind: peering, name: twins, vpc: twin, peer: vpc-demo}")
    assert "10.1.128.0/17" in said and "10.1.0.0/16" in said and "vpc-demo2" in said and "twin" in said
    # A container network of the one and the other VPC, or another network's.
    said = refused(host, "{kind: container_network, name: pods, cidrs: [10.1.64.0/18], mode: routed, vpc: vpc-demo}")
    assert "10.1.64.0/18" in said and "10.1.0.0/16" in said and "vpc-demo2" in said
    host.apply("{kind: container_network, name: pods, cidrs: [10.50.0.0/16], mode: routed, vpc: vpc-demo}")
    try:
        said = refused(host, "{kind: container_network, name: more, cidrs: [10.50.3.0/24], mode: routed, vpc: vpc-demo2}")
        assert "10.50.3.0/24" in said and "10.50.0.0/16" in said and "pods" in said
        said = refused(host, "{kind: vpc, name: twin, cidrs: [10.50.0.0/20]}", "{kind: peering, name: twins, vpc: twin, peer: vpc-demo}")
        assert "10.50.0.0/20" in said and "10.50.0.0/16" in said and "pods" in said
    finally:
        host.viaduct("delete", "container_network", "pods")
    assert {item["name"] for item in host.ask("GET", "/v1/vpcs")["items"]} == {"vpc-demo", "vpc-demo2", "vpc-demo3"}
    assert "vpc and peer are both" in refused(host, "{kind: peering, name: self, vpc: vpc-demo, peer: vpc-demo}")


def test_peering_survives_the_daemons(lab, instances):
    """R-PEER-1: a daemon that is killed and comes back loses no packet of it."""
    for host in lab.hosts.values():
        host.kill9()
    for one, other in PAIRS:
        assert instances[one].ping(ADDRESSES[other], count=3).received == 3
    for host in lab.hosts.values():
        host.start()
    for one, other in PAIRS:
        assert instances[one].ping(ADDRESSES[other], count=3).received == 3
