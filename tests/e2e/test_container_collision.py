# SPDX-License-Identifier: Apache-2.0
"""What stands on a node before it joins, Docker's own 172.17.0.0/16 and a route of its administrator's; and what comes later."""

import pytest

from lab import wait_until

LAB = """
name: collide
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
"""
DOCUMENTS = """
{kind: container_network, name: wide, cidrs: [172.16.0.0/13], block_size: 16, mode: routed, provider: host}
---
{kind: container_network, name: narrow, cidrs: [10.99.0.0/24], block_size: 24, mode: routed, provider: host}
"""


@pytest.fixture(scope="module")
def occupied(lab):
    h2 = lab.host("h2")
    h2.run("ip", "link", "add", "docker0", "type", "bridge")
    h2.run("ip", "address", "add", "172.17.0.1/16", "dev", "docker0")
    h2.run("ip", "link", "set", "docker0", "up")
    h2.run("ip", "route", "add", "10.99.0.0/16", "via", "172.31.0.1", "proto", "static")
    wait_until(lambda: {"172.17.0.0/16", "10.99.0.0/16"} <= set(", ".join(claim(h2).get("occupied", {}).values()).split(", ")), "h2 says what it has")
    return h2


def claim(host):
    return host.ask("GET", f"/v1/hosts/{host.title}")["claim"]


def blocks(host, network):
    return {item["document"]["cidr"]: item["document"].get("node") for item in host.ask("GET", "/v1/container_blocks")["items"]
            if item["document"]["container_network"] == network}


def test_node_takes_a_block_that_collides_with_nothing_of_its_own(lab, occupied):
    """R-CTR-8: 172.16.0.0/16 goes to h1; h2 has docker0 in 172.17.0.0/16, and takes what comes after; it says what it left out."""
    lab.host("h1").viaduct("join", "wide")
    wait_until(lambda: blocks(occupied, "wide").get("172.16.0.0/16") == "h1", "h1 has the first block")
    said = occupied.viaduct("join", "wide").stdout
    wait_until(lambda: "h2" in blocks(occupied, "wide").values(), "h2 has a block")
    assert blocks(occupied, "wide") == {"172.16.0.0/16": "h1", "172.18.0.0/16": "h2"}, said
    text = occupied.viaduct("describe", "container_network", "wide").stdout
    assert "docker0" in text and "172.17.0.0/16" in text and "h2" in text, text


def test_block_that_collides_is_reported_naming_both(lab, occupied):
    """R-CTR-8: all of the network is behind a route of the node's: it gets no block, and its status says why."""
    occupied.viaduct("join", "narrow", "--timeout", "2", check=False)
    text = occupied.viaduct("describe", "container_network", "narrow").stdout
    assert "10.99.0.0/24" in text and "10.99.0.0/16" in text and "h2" in text, text
    assert blocks(occupied, "narrow") == {}


def status(host, plural, name):
    return next(item["status"] for item in host.ask("GET", f"/v1/{plural}")["items"] if item["name"] == name)


@pytest.fixture
def joined(lab, occupied):
    for name in ("h1", "h2"):
        lab.host(name).viaduct("join", "wide")
    wait_until(lambda: set(blocks(occupied, "wide").values()) >= {"h1", "h2"}, "both have a block")
    return {node: cidr for cidr, node in blocks(occupied, "wide").items()}


@pytest.mark.parametrize("node", ["h1", "h2"])
def test_network_that_comes_later_is_reported_naming_both(lab, occupied, joined, node):
    """R-CTR-8: Docker makes a network over a part of h2's block, on h2 itself or on a node that reaches it; until it goes"""
    h1, block = lab.host("h1"), joined["h2"]
    name = f"wide/{block}"
    prefix = block.replace("0.0/16", "6.0/24")
    lab.host(node).ip("link", "add", "web", "type", "bridge")
    lab.host(node).ip("address", "add", prefix.replace("0/24", "1/24"), "dev", "web")
    lab.host(node).ip("link", "set", "web", "up")
    said = f"{block} collides with web ({prefix}) on node {node}"
    try:
        wait_until(lambda: said in status(h1, "container_blocks", name).get("reason", ""), "the block says so")
        assert status(h1, "container_blocks", name)["state"] == "colliding"
        assert said in h1.viaduct("describe", "container_block", name).stdout
        if node == "h2":
            assert said in status(h1, "container_networks", "wide")["reason"]
            assert said in status(h1, "nodes", "h2")["container_networks"]["wide"]["reason"]
    finally:
        lab.host(node).ip("link", "delete", "web")
    wait_until(lambda: status(h1, "container_blocks", name)["state"] == "active", "it is well again")


def test_block_chosen_where_docker0_stands_is_reported_naming_both(lab, occupied, joined):
    """R-CTR-8: a user wants 172.17.0.0/16 for h2; a Docker network made for a block is no collision, Docker's own is"""
    h1 = lab.host("h1")
    h1.apply("{kind: container_block, container_network: wide, cidr: 172.17.0.0/16, node: h2}")
    said = "172.17.0.0/16 collides with docker0 (172.17.0.0/16) on node h2"
    try:
        wait_until(lambda: status(h1, "container_blocks", "wide/172.17.0.0/16").get("state") == "colliding", "the block says so")
        assert said in status(h1, "container_blocks", "wide/172.17.0.0/16")["reason"]
        assert said in status(h1, "nodes", "h2")["container_networks"]["wide"]["reason"]
        assert said in status(h1, "container_networks", "wide")["reason"]
    finally:
        occupied.viaduct("leave", "wide")
        wait_until(lambda: "h2" not in blocks(h1, "wide").values(), "h2 has given back its blocks")
