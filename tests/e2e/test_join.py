# SPDX-License-Identifier: Apache-2.0
"""Hosts join a container network, hold blocks, die, come back and leave: with real daemons, by the command line."""

import time

import pytest

from lab import wait_until

LAB = """
name: join
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
  h3: {addresses: [172.31.0.3/24]}
"""
DOCUMENTS = """
kind: container_network
name: apps
cidrs: [10.40.0.0/16, "fd40::/64"]
quarantine: 300
"""


def blocks(host, node=None):
    """{cidr: (node, state)}"""
    items = host.ask("GET", "/v1/container_blocks")["items"]
    return {item["document"]["cidr"]: (item["document"].get("node"), item["assigned"]["state"]) for item in items
            if node is None or item["document"].get("node") == node}


def states(host, node):
    return sorted(state for _, state in blocks(host, node).values())


@pytest.fixture
def joined(lab):
    """Before each test, so that each can run alone: h1 and h2 take part."""
    h1 = lab.host("h1")
    h1.apply(DOCUMENTS)
    for name in "h1", "h2":
        assert "takes part in apps" in lab.host(name).viaduct("join", "apps").stdout
    return h1


def test_a_host_that_joins_holds_a_block_of_each_family(lab, joined):
    """R-CTR-2"""
    for name in "h1", "h2":
        wait_until(lambda name=name: states(joined, name) == ["held"] * 2, f"{name} holds two")
    before = blocks(joined)
    said = lab.host("h2").viaduct("join", "apps").stdout
    assert said.count("node h2 holds ") == 2 and "10.40." in said and "fd40::" in said
    assert blocks(joined) == before


def test_a_stopped_daemon_keeps_its_blocks_when_it_comes_back_in_time(lab, joined):
    """R-CTR-3: a daemon that is only started again does not look dead meanwhile."""
    h2 = lab.host("h2")
    before = blocks(joined, "h2")
    h2.restart()
    time.sleep(3)
    assert blocks(joined, "h2") == before


def test_the_blocks_of_a_dead_host_are_quarantined_and_then_free(lab, joined):
    """R-CTR-3"""
    h2, h3 = lab.host("h2"), lab.host("h3")
    before = set(blocks(joined, "h2"))
    h2.kill9()
    # The lease of ten seconds, then at most 1.5 and what the store needs to notice.
    wait_until(lambda: states(joined, "h2") == ["quarantined"] * 2, "both blocks are quarantined", seconds=20)
    # Until that is over nobody gets them.
    h3.viaduct("join", "apps")
    assert not set(blocks(joined, "h3")) & before
    # Whoever comes back in time has them again.
    h2.start()
    wait_until(lambda: states(joined, "h2") == ["held"] * 2, "they are held again")
    assert set(blocks(joined, "h2")) == before
    joined.apply(DOCUMENTS.replace("300", "2"))
    h2.kill9()
    wait_until(lambda: not blocks(joined, "h2"), "they are free", seconds=40)
    h2.start()
    wait_until(lambda: states(joined, "h2") == ["held"] * 2, "it has blocks again")


def test_a_host_that_leaves_gives_its_blocks_back(lab, joined):
    """R-CTR-3"""
    h3 = lab.host("h3")
    h3.viaduct("join", "apps")
    refused = joined.viaduct("delete", "container_block", "apps/" + next(iter(blocks(joined, "h3"))), check=False)
    assert refused.returncode == 1 and "node h3 holds it, and containers may stand in it" in refused.stderr
    assert h3.viaduct("leave", "apps").stdout.splitlines() == ["node h3 leaves"]
    wait_until(lambda: not blocks(joined, "h3"), "h1 sees that none is h3's")
    again = h3.viaduct("leave", check=False)
    assert again.returncode == 1 and "node h3 takes part in no container network" in again.stderr
    wrong = h3.viaduct("join", "nothing", check=False)
    assert wrong.returncode == 1 and "container_network nothing does not exist" in wrong.stderr


def test_a_network_goes_with_its_blocks_when_no_node_is_left(lab, joined):
    lab.host("h3").viaduct("leave", "apps", check=False)
    needed = joined.viaduct("delete", "container_network", "apps", check=False)
    assert needed.returncode == 1 and "needed by node h1 and 1 more" in needed.stderr
    joined.viaduct("delete", "node", "h1", "h2")
    joined.viaduct("delete", "container_network", "apps")
    assert blocks(joined) == {}
