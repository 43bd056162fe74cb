# SPDX-License-Identifier: Apache-2.0
"""Seed 002: containers behind two instances on two hosts, joined by the VPC's routes.

    container 10.0.2.2 - docker0 10.0.2.1 [ecs1] 192.168.0.2 --h1-- VXLAN --h2-- 192.168.0.3 [ecs2] docker0 10.0.3.1 - 10.0.3.2
"""

import pytest

import seeds
from conversation import connection, datagrams, say

LAB = "two_hosts.yaml"


@pytest.fixture(scope="module")
def containers(lab, reach):
    one, other = lab.node("ecs1-c"), lab.node("ecs2-c")
    reach(one, "10.0.3.2")
    return one, other


def test_container_pings_container_as_in_the_seed(containers):
    """R-SCN-1, R-RTR-7: 64 bytes from 10.0.3.2, ttl=62: the custom route is no hop."""
    shown = containers[0].run("busybox", "ping", "-c", "4", "10.0.3.2").stdout
    assert seeds.is_printed(shown, seeds.PING_002)
    assert " 0% packet loss" in shown


def test_ping_goes_both_ways(containers):
    """R-SCN-1"""
    assert containers[1].ping("10.0.2.2", count=4).ttls == [62] * 4


def test_traceroute_shows_bridge_instance_and_container(containers):
    """R-SCN-1, R-RTR-7: exactly 10.0.2.1, 192.168.0.3, 10.0.3.2."""
    # Without a resolver the names that it asks for are refused at once, and the addresses stand for them, as in the seed.
    shown = containers[0].run("unshare", "-m", "sh", "-c", "mount --bind /dev/null /etc/resolv.conf && busybox traceroute -d 10.0.3.2")
    assert seeds.is_printed(shown.stdout, seeds.TRACEROUTE_002)


def test_containers_talk_tcp_and_udp(containers):
    """R-SCN-1"""
    one, other = containers
    data = bytes(range(256)) * 4096
    with connection(one, other, "10.0.3.2", 8080) as (client, server):
        assert say(client, server, data) == data
        assert say(server, client, data) == data
        assert server.getpeername()[0] == "10.0.2.2"
    with datagrams(one, other, "10.0.3.2", 5353) as (client, server):
        client.send(b"question")
        question, source = server.recvfrom(100)
        server.sendto(b"answer to " + question, source)
        assert client.recv(100) == b"answer to question"
        assert source[0] == "10.0.2.2"


def test_instance_reaches_containers_behind_its_neighbour(lab, containers):
    """R-RTR-5: the next hop is an instance's private address."""
    assert lab.instance("ecs1").ping("10.0.3.2", count=2).ttls == [63] * 2


def test_source_check_stops_the_same_ping_and_says_so(lab, containers):
    """R-SCN-1, R-RTR-11, R-OPS-6: on by default; `viaduct drops` names reason and port."""
    host = lab.host("h1")
    checked = "kind: port\nname: ecs1\nsubnet: nodes\naddresses: [192.168.0.2]\n"
    before = host.dropped("source_address")
    host.apply(checked)
    try:
        refused = containers[0].ping("10.0.3.2", count=3, timeout=0.5)
        assert refused.lost == refused.sent == 3
        assert host.dropped("source_address") == before + 3
        drop = host.recent_drops("source_address")[-1]
        assert (drop["port"], drop["source"], drop["destination"]) == ("ecs1", "10.0.2.2", "10.0.3.2")
        shown = host.viaduct("drops").stdout
        assert "source_address" in shown and "ecs1" in shown
        assert lab.instance("ecs1").ping("192.168.0.3").received == 1
    finally:
        host.apply(checked + "source_check: false\n")
    assert containers[0].ping("10.0.3.2", count=3).received == 3
