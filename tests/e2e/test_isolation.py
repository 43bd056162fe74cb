# SPDX-License-Identifier: Apache-2.0
"""Two VPCs with the same CIDR, the same addresses, on the same two hosts."""

import threading

import pytest

from conversation import connection, datagrams, say

LAB = """
name: isolation
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  red1: {ports: {red1: h1}}
  red2: {ports: {red2: h2}}
  blue1: {ports: {blue1: h1}}
  blue2: {ports: {blue2: h2}}
  green1: {ports: {green1: h1}}
"""
DOCUMENTS = "---".join(f"""
kind: vpc
name: {vpc}
cidrs: [10.0.0.0/16]
---
{{kind: subnet, name: {vpc}, vpc: {vpc}, cidrs: [10.0.0.0/24]}}
---
{{kind: port, name: {vpc}1, subnet: {vpc}, addresses: [10.0.0.2]}}
---
{{kind: port, name: {vpc}2, subnet: {vpc}, addresses: [10.0.0.3]}}
""" for vpc in ("red", "blue")) + """
---
{kind: vpc, name: green, cidrs: [10.7.0.0/16]}
---
{kind: subnet, name: green, vpc: green, cidrs: [10.7.0.0/24]}
---
{kind: port, name: green1, subnet: green, addresses: [10.7.0.2]}
"""


@pytest.fixture(scope="module")
def pairs(lab, reach):
    for colour in ("red", "blue"):
        reach(lab.instance(f"{colour}1"), "10.0.0.3")
    return {colour: (lab.instance(f"{colour}1"), lab.instance(f"{colour}2")) for colour in ("red", "blue")}


def test_same_five_tuple_in_both_vpcs_at_once_over_tcp(pairs):
    """R-NET-6: 10.0.0.2:5000 to 10.0.0.3:6000 in both, open together; each hears only its own."""
    red, blue = b"red!" * 250000, b"blue" * 250000
    with connection(*pairs["red"], "10.0.0.3", 6000, 5000) as (red_client, red_server), \
            connection(*pairs["blue"], "10.0.0.3", 6000, 5000) as (blue_client, blue_server):
        assert red_client.getsockname() == blue_client.getsockname() == ("10.0.0.2", 5000)
        heard = {}
        threads = [threading.Thread(target=lambda: heard.update(red=say(red_client, red_server, red))),
                   threading.Thread(target=lambda: heard.update(blue=say(blue_client, blue_server, blue)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == {"red": red, "blue": blue}
        assert say(red_server, red_client, b"red answer") == b"red answer"
        assert say(blue_server, blue_client, b"blue answer") == b"blue answer"


def test_same_five_tuple_in_both_vpcs_at_once_over_udp(pairs):
    """R-NET-6: no datagram crosses, whichever flow the caches have seen first."""
    with datagrams(*pairs["red"], "10.0.0.3", 6001, 5001) as (red_client, red_server), \
            datagrams(*pairs["blue"], "10.0.0.3", 6001, 5001) as (blue_client, blue_server):
        for number in range(100):
            red_client.send(b"red %d" % number)
            blue_client.send(b"blue %d" % number)
            assert red_server.recv(100) == b"red %d" % number
            assert blue_server.recv(100) == b"blue %d" % number
            red_server.sendto(b"to red %d" % number, ("10.0.0.2", 5001))
            blue_server.sendto(b"to blue %d" % number, ("10.0.0.2", 5001))
            assert red_client.recv(100) == b"to red %d" % number
            assert blue_client.recv(100) == b"to blue %d" % number
        for server in (red_server, blue_server):
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.recv(100)


def test_other_vpcs_address_is_unreachable(lab, pairs):
    """R-NET-6: a tenant does not reach another's address, and hears no ARP answer for it."""
    green = lab.instance("green1")
    assert green.ping("10.0.0.2", timeout=0.3).received == 0
    assert pairs["red"][0].ping("10.7.0.2", timeout=0.3).received == 0


def test_frame_with_the_other_tenants_mac_does_not_cross(lab, pairs):
    """R-NET-6: knowing the neighbour's MAC does not help."""
    with pairs["blue"][0].capture("eth0") as frames:
        red = pairs["red"][0]
        own = mac_of(red)
        header = mac_of(pairs["blue"][0]) + own + b"\x08\x00"
        red.send("eth0", header + bytes.fromhex("4500001c00010000401166cf" "0a000002" "0a000002" "1388138800080000"))
        assert red.ping("10.0.0.3").received == 1
    assert not any(own in frame[6:12] for frame in frames)


def mac_of(instance):
    shown = instance.ip("-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]
    return bytes.fromhex(shown.replace(":", ""))


def test_capture_at_a_tenant_shows_nothing_of_the_other(pairs):
    """R-NET-6"""
    with pairs["blue"][1].capture("eth0") as frames:
        with datagrams(*pairs["red"], "10.0.0.3", 6002, 5002) as (client, server):
            for _ in range(20):
                client.send(b"only for red")
                assert server.recv(100) == b"only for red"
    assert not any(b"only for red" in frame for frame in frames)
