# SPDX-License-Identifier: Apache-2.0
"""`viaduct check`: the checks that seed 001 walks by hand, each with one thing in the way, and with two at once.

    vpc-demo 192.168.0.0/16   ecs1 192.168.0.2 (h1, a node), ecs2 192.168.0.3 (h2, a node), server 192.168.0.25 (h2), beside 192.168.0.26 (h1)
    vpc-demo2 10.1.0.0/16     far 10.1.0.2 (h2), peered, with routes by hand
"""

import contextlib
import json

import pytest

from lab import wait_until
from lab.cni import Container, Runtime, address_of, pods
from policy import Groups

LAB = """
name: check
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h1}, node: {addresses: [172.31.0.101/24]}}
  ecs2: {ports: {ecs2: h2}, node: {addresses: [172.31.0.102/24]}}
  server: {ports: {server: h2}}
  beside: {ports: {beside: h1}}
  far: {ports: {far: h2}}
"""
PORTS = {name: {"kind": "port", "name": name, "subnet": subnet, "addresses": [address]} for name, subnet, address in [
    ("ecs1", "nodes", "192.168.0.2"), ("ecs2", "nodes", "192.168.0.3"), ("server", "nodes", "192.168.0.25"),
    ("beside", "nodes", "192.168.0.26"), ("far", "far", "10.1.0.2"), ("nowhere", "nodes", "192.168.0.99")]}
DOCUMENTS = """
{kind: vpc, name: vpc-demo, cidrs: [192.168.0.0/16]}
---
{kind: vpc, name: vpc-demo2, cidrs: [10.1.0.0/16]}
---
{kind: subnet, name: nodes, vpc: vpc-demo, cidrs: [192.168.0.0/24]}
---
{kind: subnet, name: far, vpc: vpc-demo2, cidrs: [10.1.0.0/24]}
---
{kind: peering, name: demo, vpc: vpc-demo, peer: vpc-demo2, routes: manual}
---
{kind: container_network, name: pods, cidrs: [10.0.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: tun, cidrs: [172.20.0.0/16], mode: tunnel}
""" + "".join(f"---\n{json.dumps(document)}\n" for document in PORTS.values())
NODES = """
{kind: node, name: ecs1, container_networks: [pods, tun], port: ecs1}
---
{kind: node, name: ecs2, container_networks: [pods, tun], port: ecs2}
"""
THERE, BACK = ("{kind: route, vpc: vpc-demo, destination: 10.1.0.0/16, next_hop: {peering: demo}}",
               "{kind: route, vpc: vpc-demo2, destination: 192.168.0.0/16, next_hop: {peering: demo}}")


class Answer:
    def __init__(self, done):
        assert done.stdout.startswith("{"), done.stderr
        self.document, self.status = json.loads(done.stdout), done.returncode
        self.checks = self.document["checks"]

    def blocked(self):
        return [check for check in self.checks if check["verdict"] == "blocked"]

    def kinds(self):
        return sorted({check["what"] for check in self.blocked()})

    def __repr__(self):
        return json.dumps(self.document, indent=1)


@pytest.fixture(scope="module")
def check(lab):
    def ask(*argv):
        return Answer(lab.host("h1").viaduct("check", *argv, "--json", check=False))

    wait_until(lambda: ask("server", "beside").status == ask("ecs1", "ecs2").status == 0, "each host knows who is on the other")
    return ask


@pytest.fixture
def groups(lab):
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


@pytest.fixture
def routes(lab):
    """routes(THERE, …): these stand, and no others."""
    h1 = lab.host("h1")

    def put(*documents):
        for item in h1.ask("GET", "/v1/routes")["items"]:
            h1.viaduct("delete", "route", item["name"], "--wait")
        for document in documents:
            h1.apply(document)

    yield put
    put()


@pytest.fixture(scope="module")
def nodes(lab):
    h1 = lab.host("h1")
    h1.apply(NODES)
    wait_until(lambda: sum(item["assigned"]["state"] == "held" for item in h1.ask("GET", "/v1/container_blocks")["items"]) == 4,
               "each node has a block of each network")
    return {name: lab.host(name) for name in ("ecs1", "ecs2")}


@pytest.fixture(scope="module")
def containers(lab, nodes, check):
    """By network: one in ecs1, with its address; by network and "ecs2": one there."""
    made = {}
    with contextlib.ExitStack() as stack:
        for key, network, node in (("pods", "pods", "ecs1"), ("tun", "tun", "ecs1"), (("pods", "ecs2"), "pods", "ecs2"), (("tun", "ecs2"), "tun", "ecs2")):
            container = stack.enter_context(Container(lab, f"c{network}{node}"))
            nodes[node].machine.show_namespace(container)
            container.address = address_of(stack.enter_context(Runtime(nodes[node], pods(network=network)).added(container)))
            made[key] = container
        for network in ("pods", "tun"):
            wait_until(lambda: check(made[network].address, made[network, "ecs2"].address).status == 0, f"each host has heard of {network}")
        yield made


@contextlib.contextmanager
def bridge(node, prefix):
    """What Docker makes of a network of its own."""
    node.ip("link", "add", "docker0", "type", "bridge")
    try:
        node.ip("address", "add", prefix, "dev", "docker0")
        node.ip("link", "set", "docker0", "up")
        yield
    finally:
        node.ip("link", "delete", "docker0")


def test_same_subnet_is_reachable(lab, check):
    said = check("server", "beside", "tcp", "80")
    assert said.status == 0 and said.document["reachable"] and not said.blocked(), said
    assert [item["text"] for item in said.checks if item["what"] == "data plane"] == [
        "there: delivered to beside, from 192.168.0.25, by host h2, h1", "back: delivered to server, from 192.168.0.26, by host h1, h2"]
    text = lab.host("h1").viaduct("check", "server", "192.168.0.26").stdout
    assert text.splitlines()[-1].startswith("reachable: server is seen as 192.168.0.25 at 192.168.0.26")
    assert lab.instance("server").ping("192.168.0.26").received == 1


def test_ends_that_are_not_there(check):
    said = check("server", "nowhere")
    assert said.status == 1 and said.kinds() == ["ends", "routes"], said
    assert any("nowhere" in item["text"] and "viaduct attach nowhere" in item["advice"] for item in said.blocked())
    assert check("server", "nobody").kinds() == check("10.77.0.1", "server").kinds() == ["ends"]


def test_usage(lab):
    assert lab.host("h1").viaduct("check", "server", "beside", "tcp", "0", check=False).returncode == 2
    assert lab.host("h1").viaduct("check", "server", check=False).returncode == 2
    for body in ({}, {"from": "server"}, {"from": "server", "to": 4}, {"from": "server", "to": "beside", "protocol": "gre"},
                 {"from": "server", "to": "beside", "port": 80}, {"from": "server", "to": "beside", "protocol": "tcp", "port": "80"}):
        status, reply = lab.host("h1").request("POST", "/v1/check", body)
        assert status == 400 and reply["error"].startswith("check: "), (body, reply)


def test_missing_rule_is_named(check, groups):
    groups.make("web")
    groups.join("beside", "web")
    said = check("server", "beside", "tcp", "80")
    assert said.status == 1 and said.kinds() == ["groups"], said
    only, = said.blocked()
    assert only["text"] == "port beside (web): no rule lets tcp in from 192.168.0.25"
    assert "{kind: security_group_rule, group: web, direction: ingress, protocol: tcp, ports: 80, remote_cidr: 192.168.0.25/32}" in only["advice"]
    groups.apply(json.loads('{"kind": "security_group_rule", "group": "web", "direction": "ingress", "protocol": "tcp", "ports": "80", '
                            '"remote_cidr": "192.168.0.25/32"}'))
    assert check("server", "beside", "tcp", "80").status == 0
    assert check("server", "beside", "tcp", "81").kinds() == ["groups"]


def test_groups_of_both_ends_are_named(check, groups):
    groups.make("shut")
    groups.allow("shut", "egress", "udp", ports="53")
    groups.make("web")
    groups.join("server", "shut")
    groups.join("beside", "web")
    said = check("server", "beside")
    assert [item["text"] for item in said.blocked()] == [
        "port server (shut): no rule lets icmp out to 192.168.0.26", "port beside (web): no rule lets icmp in from 192.168.0.25"], said


def test_peering_of_one_way_is_named(lab, check, routes):
    """There, back, and both: in each direction the VPC without a route."""
    routes(THERE, BACK)
    assert check("server", "far").status == 0
    routes(THERE)
    said = check("server", "far")
    assert said.status == 1 and ["back" in item["text"] and "VPC vpc-demo2" in item["text"] for item in said.blocked()] == [True], said
    assert any("no route of VPC vpc-demo2 leads back: add one with next_hop: {peering: demo}" in item["text"] for item in said.checks)
    routes(BACK)
    said = check("server", "far")
    assert [item["text"].split(":")[0] for item in said.blocked()] == ["there"], said
    routes()
    assert [item["text"].split(":")[0] for item in check("server", "far").blocked()] == ["there", "back"]


def test_blackhole_is_named(check, routes):
    routes(THERE, BACK, "{kind: route, vpc: vpc-demo2, destination: 192.168.0.0/24, next_hop: {blackhole: true}}")
    said = check("server", "far")
    assert ["back: host h2 drops it in VPC vpc-demo2: blackhole" in item["text"] for item in said.blocked()] == [True], said


def test_several_blockers_are_all_named(check, routes, groups):
    """No route there, none back, and the far group, which no packet comes to: it is asked all the same."""
    groups.make("web")
    groups.join("far", "web")
    routes()
    said = check("server", "far")
    assert said.kinds() == ["groups", "routes"] and len(said.blocked()) == 3, said
    routes(THERE)
    said = check("server", "far")
    assert said.kinds() == ["groups", "routes"] and len(said.blocked()) == 2, said


def test_routed_container_needs_its_block_in_the_far_group(lab, check, containers, groups):
    """R-SG-5: the model decides what the far group has to name."""
    one, server = containers["pods"], lab.instance("server")
    wait_until(lambda: check(one.address, "server").status == 0, "the block's route is everywhere")
    groups.make("web")
    groups.join("server", "web")
    groups.allow("web", "ingress", name="nodes", remote_cidr="192.168.0.0/24")
    said = check(one.address, "server")
    assert said.kinds() == ["groups"] and said.document["seen_as"] == one.address, said
    assert "remote_cidr: 10.0.0.0/16" in said.blocked()[0]["advice"]
    assert one.ping("192.168.0.25", timeout=0.3).received == 0
    groups.allow("web", "ingress", name="pods", remote_cidr="10.0.0.0/16")
    assert check(one.address, "192.168.0.25").status == 0
    assert one.ping("192.168.0.25").received == 1


def test_tunnel_container_needs_its_node_in_the_far_group(check, containers, groups):
    """R-SG-5"""
    one = containers["tun"]
    groups.make("web")
    groups.join("server", "web")
    groups.allow("web", "ingress", name="pods", remote_cidr="172.20.0.0/16")
    said = check(one.address, "server")
    assert said.kinds() == ["groups"] and said.document["seen_as"] == "192.168.0.2", said
    assert "remote_cidr: 192.168.0.2/32" in said.blocked()[0]["advice"]
    groups.allow("web", "ingress", name="node", remote_cidr="192.168.0.2/32")
    assert check(one.address, "server").status == 0
    assert one.ping("192.168.0.25").received == 1


def test_instance_reaches_a_routed_container(check, containers):
    said = check("server", containers["pods"].address)
    assert said.status == 0, said
    assert check("server", containers["tun"].address).kinds() == ["routes"], "a tunnel's containers are known to nodes only"


@pytest.mark.parametrize("network", ["pods", "tun"])
def test_containers_of_two_nodes_reach_each_other(check, containers, reach, network):
    one, two = containers[network], containers[network, "ecs2"]
    reach(one, two.address)
    said = check(one.address, two.address)
    assert said.status == 0 and said.document["seen_as"] == one.address, said
    there, back = [item["text"] for item in said.checks if item["what"] == "data plane"]
    assert there.endswith("by host ecs1, h1, h2, ecs2" if network == "pods" else "by host ecs1, ecs2"), said
    assert back.endswith("by host ecs2, h2, h1, ecs1" if network == "pods" else "by host ecs2, ecs1"), said


def test_within_one_node(check, containers):
    assert check(containers["pods"].address, "ecs1").status == check("ecs1", containers["pods"].address).status == 0
    assert check(containers["pods"].address, containers["tun"].address).status == 0
    assert containers["pods"].ping(containers["tun"].address).received == 1


def test_address_that_no_container_has(lab, check, containers):
    """Blocked; but when the block is a plain Docker bridge's, only its engine could say."""
    block = containers["pods"].address.rsplit(".", 1)[0]
    assert check("server", f"{block}.77").kinds() == check(f"{block}.77", "server").kinds() == ["ends"]
    assert check("server", "10.0.200.7").kinds() == ["ends", "routes"]


def test_silent_guest_is_told_from_a_drop(lab, check, groups):
    """Delivered, and its own firewall says nothing; the data plane would say so if it had dropped it"""
    server, beside = lab.instance("server"), lab.instance("beside")
    beside.run("nft", "add table inet own; add chain inet own in { type filter hook input priority 0; policy drop; }")
    try:
        assert server.ping("192.168.0.26", timeout=0.3).received == 0
        said = check("server", "beside")
        assert said.status == 0 and said.checks[-1]["verdict"] == "warning", said
        assert "was delivered to beside, and the guest is silent" in said.checks[-1]["text"]
        assert "guest" not in [item["what"] for item in check("server", "beside", "tcp", "80").checks], "nobody tried that"
    finally:
        beside.run("nft", "delete table inet own")
    assert server.ping("192.168.0.26").received == 1
    said = check("server", "beside")
    assert "was answered by beside" in said.checks[-1]["text"], said
    groups.make("web")
    groups.join("beside", "web")
    assert server.ping("192.168.0.26", timeout=0.3).received == 0
    assert check("server", "beside").kinds() == ["groups"]


def test_docker_network_of_the_far_node_is_found(lab, check, containers, nodes):
    """R-SCN-9, R-CTR-8: the far server's own Docker network covers the containers' block; its answers go there"""
    one = containers["pods"]
    block = one.address.rsplit(".", 1)[0]
    with bridge(lab.instance("ecs2"), f"{block}.1/24"):
        wait_until(lambda: check(one.address, "ecs2").kinds() == ["collisions"], "ecs2 has said what it has")
        said = check(one.address, "ecs2")
        assert any(f"docker0 ({block}.0/24) on node ecs2 covers {one.address}" in item["text"] for item in said.blocked()), said
        assert one.ping("192.168.0.3", timeout=0.3).received == 0
    wait_until(lambda: check(one.address, "ecs2").status == 0, "and that it is gone")
    assert one.ping("192.168.0.3").received == 1


def test_docker_network_inside_an_instance_is_found(lab, check, containers, groups):
    """R-SCN-9, R-CTR-8: of an instance without viaductd, too; and the group beside it"""
    one = containers["pods"]
    with bridge(lab.instance("server"), "10.0.0.1/16"):
        said = check(one.address, "server")
        assert said.kinds() == ["collisions"], said
        assert said.blocked()[0]["text"] == f"docker0 (10.0.0.0/16) on the instance of port server covers {one.address}, the address of {one.address}"
        assert one.ping("192.168.0.25", timeout=0.3).received == 0
        groups.make("web")
        groups.join("server", "web")
        assert check(one.address, "server").kinds() == ["collisions", "groups"]
    groups.join("server")
    assert check(one.address, "server").status == 0
