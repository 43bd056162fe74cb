# SPDX-License-Identifier: Apache-2.0
"""Seed 003: container blocks 192.168.10.0/24 and 192.168.11.0/24 on two nodes; source check stays on, opened for the own block."""

import pytest

from lab import wait_until

LAB = "two_nodes.yaml"


@pytest.fixture(scope="module")
def containers(lab, reach):
    one, other = lab.node("node1-c"), lab.node("node2-c")
    reach(one, "192.168.11.2")
    return one, other


def test_blocks_reach_each_other_both_ways(containers):
    """R-SCN-2"""
    assert containers[0].ping("192.168.11.2", count=4).ttls == [62] * 4
    assert containers[1].ping("192.168.10.2", count=4).ttls == [62] * 4
    assert containers[0].traceroute("192.168.11.2") == ["192.168.10.1", "10.0.0.11", "192.168.11.2"]
    assert containers[1].traceroute("192.168.10.2") == ["192.168.11.1", "10.0.0.10", "192.168.10.2"]


def test_node_reaches_the_other_nodes_containers(lab, containers):
    """R-SCN-2"""
    assert lab.instance("node1").ping("192.168.11.2", count=2).ttls == [63] * 2


def test_only_the_opened_block_may_be_forwarded_for(lab, containers):
    """R-RTR-11: another block behind the same node is dropped, and named."""
    node, host = lab.instance("node1"), lab.host("h1")
    before = host.dropped("source_address")
    node.ip("address", "add", "192.168.12.1/32", "dev", "lo")
    try:
        assert node.ping("192.168.11.2", count=2, source="192.168.12.1", timeout=0.5).received == 0
    finally:
        node.ip("address", "del", "192.168.12.1/32", "dev", "lo")
    assert host.dropped("source_address") == before + 2
    assert host.recent_drops("source_address")[-1]["port"] == "node1"


def test_foreign_mac_is_dropped_in_spite_of_the_opening(lab, containers):
    """R-RTR-11: the source MAC must be the port's."""
    node, host = lab.instance("node1"), lab.host("h1")
    own = node.run("cat", "/proc/sys/net/ipv4/conf/eth0/forwarding")
    assert own.stdout.strip() == "1"
    before = host.dropped("source_mac")
    frame = bytes.fromhex("027669616401" "020000abcdef" "0800") + bytes.fromhex(
        "4500001c00010000401100000a00000a0a00000b" "1388138800080000")
    node.send("eth0", frame)
    wait_until(lambda: host.dropped("source_mac") > before, "the frame is dropped")
    assert host.dropped("source_mac") == before + 1
    assert host.recent_drops("source_mac")[-1]["port"] == "node1"


def test_closed_opening_stops_a_running_flow_at_once(lab, containers):
    """R-RTR-11, R-RTR-5: when `apply --wait` returns, the next packet obeys."""
    host = lab.host("h1")
    port = "kind: port\nname: node1\nsubnet: cluster-nodes\naddresses: [10.0.0.10]\n"
    host.apply(port)
    try:
        assert containers[0].ping("192.168.11.2", count=3, timeout=0.3).received == 0
        host.apply(port + "allowed_sources: [192.168.10.0/24]\n")
        assert containers[0].ping("192.168.11.2", count=3).received == 3
    finally:
        host.apply(port + "allowed_sources: [192.168.10.0/24]\n")
