# SPDX-License-Identifier: Apache-2.0
"""Seed 003 on real Docker: machines on a LAN 10.60.6.0/24 whose gateway is 10.60.6.1; a block of 192.168.0.0/16 for each, and routes between
them that nobody types: on every machine (`provider: host`), or on the gateway only (`provider: gateway`). A third machine joins, leaves,
joins again and dies.
"""

import pytest

import seeds
from containers import busybox_ping, hops, reaches, wait_for_block
from lab import wait_until
from lab.engine import Docker

LAB = """
name: lan
hosts:
  gateway: {addresses: [10.60.6.1/24]}
  hosta: {addresses: [10.60.6.10/24], machine: true}
  hostb: {addresses: [10.60.6.11/24], machine: {iptables: legacy}}
  hostc: {addresses: [10.60.6.12/24], machine: true}
"""

DOCUMENTS = """
{kind: container_network, name: docker, cidrs: [192.168.0.0/18], mode: routed, provider: host, quarantine: 4}
---
{kind: container_block, container_network: docker, cidr: 192.168.10.0/24, node: hosta}
---
{kind: container_block, container_network: docker, cidr: 192.168.11.0/24, node: hostb}
---
{kind: container_network, name: central, cidrs: [192.168.64.0/18], mode: routed, provider: gateway, gateways: [gateway], quarantine: 4}
"""

MACHINES = ["hosta", "hostb"]
NETWORKS = ["docker", "central"]


class Machine:
    """One that joined both networks, with a plain Docker bridge on its block of each."""

    def __init__(self, lab, name):
        self.node, self.host = lab.host(name), lab.host("gateway")
        self.host.apply(f"{{kind: node, name: {name}, container_networks: [docker, central]}}")
        self.blocks = {network: wait_for_block(self.host, network, name) for network in NETWORKS}
        self.engine = Docker(self.node).start()
        for network, block in self.blocks.items():
            self.engine.docker("network", "create", "--subnet", block, network)
            self.engine.docker("run", "-d", "--name", network, "--net", network, "nginx:alpine")

    def container(self, network):
        return lambda *argv, **options: self.engine.exec(network, *argv, **options)

    def address(self, network):
        return self.engine.address(network, network)


def lead_out(node):
    """What a LAN's machines have; nothing leads to a block but what Viaduct sets."""
    node.ip("route", "add", "default", "via", "10.60.6.1")


@pytest.fixture(scope="module")
def machines(lab):
    for name in ("hosta", "hostb", "hostc"):
        lead_out(lab.host(name))
    return {name: Machine(lab, name) for name in MACHINES}


@pytest.fixture
def third(lab, machines):
    """hostc as a machine that joined, whatever it went through in the test before."""
    node = lab.host("hostc")
    if not node.is_running():
        node.ip("link", "set", "u0", "up")
        lead_out(node)
        node.start()
    if "hostc" not in machines:
        machines["hostc"] = Machine(lab, "hostc")
    return machines["hostc"]


def settle(machines, one, other, network):
    wait_until(lambda: reaches(machines[one].container(network), machines[other].address(network)), f"{one} reaches {other} in {network}", 20)


@pytest.mark.parametrize("network", NETWORKS)
def test_blocks_are_apart(machines, network):
    """R-CTR-2"""
    assert machines["hosta"].blocks[network] != machines["hostb"].blocks[network]


@pytest.mark.parametrize("network", NETWORKS)
def test_ping_both_ways_as_in_the_seed(machines, network):
    """R-SCN-2, R-CTR-4, R-CTR-5: ttl=62 by routes of the hosts; the gateway is one hop more, there and back"""
    one, other = machines["hosta"], machines["hostb"]
    settle(machines, "hosta", "hostb", network)
    assert busybox_ping(one.container(network), other.address(network)).ttls == [62 if network == "docker" else 61] * 4
    assert busybox_ping(other.container(network), one.address(network)).ttls == [62 if network == "docker" else 61] * 4


def test_ping_of_the_seed(machines):
    """R-SCN-2, R-CTR-4, R-CTR-5: both ways, as printed there"""
    settle(machines, "hosta", "hostb", "docker")
    one, other = (machines[name].container("docker") for name in MACHINES)
    assert seeds.is_printed(one("ping", "192.168.11.2", "-c", "1").stdout, seeds.LEFT_003)
    assert seeds.is_printed(other("ping", "192.168.10.2", "-c", "1").stdout, seeds.RIGHT_003)


def test_way_of_the_host_routes(machines):
    """R-SCN-2, R-CTR-4: from machine to machine"""
    settle(machines, "hosta", "hostb", "docker")
    one, other = machines["hosta"], machines["hostb"]
    gateway = one.address("docker").rsplit(".", 1)[0] + ".1"
    assert hops(one.container("docker"), other.address("docker")) == [gateway, "10.60.6.11", other.address("docker")]


def test_way_of_the_gateway_table(machines):
    """R-SCN-2, R-CTR-4: by the gateway, which alone has the routes"""
    settle(machines, "hosta", "hostb", "central")
    one, other = machines["hosta"], machines["hostb"]
    gateway = one.address("central").rsplit(".", 1)[0] + ".1"
    assert hops(one.container("central"), other.address("central")) == [gateway, "10.60.6.1", "10.60.6.11", other.address("central")]
    assert other.blocks["central"] not in one.node.ip("route")
    assert f"{other.blocks['central']} via 10.60.6.11" in one.host.ip("route")


@pytest.mark.parametrize("network", NETWORKS)
def test_third_machine_joins(machines, third, network):
    """R-SCN-2, R-CTR-3: routes come by themselves"""
    for other in MACHINES:
        settle(machines, "hostc", other, network)
        assert busybox_ping(machines[other].container(network), third.address(network)).received == 4


def blocks(host):
    """Those of hostc, by network: (CIDR, state)."""
    return {item["document"]["container_network"]: (item["document"]["cidr"], item["assigned"]["state"])
            for item in host.ask("GET", "/v1/container_blocks")["items"] if item["document"].get("node") == "hostc"}


def leads(lab, name, block):
    return any(line.split()[0] == block for line in lab.host(name).ip("route").splitlines())


def leads_anywhere(lab, held):
    return [name for name in (*MACHINES, "gateway") for block in held.values() if leads(lab, name, block)]


def test_third_machine_leaves(lab, machines, third):
    """R-SCN-2, R-CTR-3: by both methods its routes go, wherever they were, and its blocks are free; the others do not notice"""
    host = lab.host("gateway")
    wait_until(lambda: sorted(leads_anywhere(lab, third.blocks)) == ["gateway", "hosta", "hostb"],
               "routes of docker on every machine, of central on the gateway")
    third.engine.docker("rm", "-f", *NETWORKS)
    third.engine.docker("network", "rm", *NETWORKS)
    third.engine.stop()
    del machines["hostc"]
    third.node.viaduct("leave")
    wait_until(lambda: not leads_anywhere(lab, third.blocks), "no route is left")
    wait_until(lambda: blocks(host) == {}, "its blocks are nobody's")
    for network in NETWORKS:
        assert not reaches(machines["hosta"].container(network), third.blocks[network].replace(".0/24", ".2"))
        assert busybox_ping(machines["hosta"].container(network), machines["hostb"].address(network)).received == 4


def test_third_machine_dies(lab, machines):
    """R-SCN-2, R-CTR-3: by both methods; its blocks come back when their quarantine is over, and not before"""
    host, third = lab.host("gateway"), lab.host("hostc")
    host.apply("{kind: node, name: hostc, container_networks: [docker, central]}")
    held = {network: wait_for_block(host, network, "hostc") for network in NETWORKS}
    wait_until(lambda: sorted(leads_anywhere(lab, held)) == ["gateway", "hosta", "hostb"], "it is there again")
    third.ip("link", "set", "u0", "down")
    third.kill9()
    wait_until(lambda: blocks(host) == {network: (cidr, "quarantined") for network, cidr in held.items()},
               "its blocks, and nobody else's, are in quarantine")
    wait_until(lambda: not leads_anywhere(lab, held), "no route is left")
    wait_until(lambda: blocks(host) == {}, "its blocks are nobody's")
    for network in NETWORKS:
        assert busybox_ping(machines["hosta"].container(network), machines["hostb"].address(network)).received == 4
