# SPDX-License-Identifier: Apache-2.0
"""Seed 000: ECS2 reaches the Internet, and ECS1's containers, through ECS1: by its private address, and by a virtual IP that it holds."""

import pytest

from outside import address_of, ping_source, seen_by_tcp

LAB = """
name: custom
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01}}
instances:
  ecs1:
    ports: {ecs1: h1}
    bridges: {docker0: {addresses: [10.0.2.1/24], containers: {c: [10.0.2.2/24]}}}
  ecs2: {ports: {ecs2: h2}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [203.0.113.0/24]}
---
{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [{network: public, address: 203.0.113.10}]}
---
{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24], snat: false}
---
{kind: port, name: ecs1, subnet: nodes, addresses: [192.168.0.2], source_check: false}
---
{kind: port, name: ecs2, subnet: nodes, addresses: [192.168.0.3]}
---
{kind: elastic_ip, name: eip1, network: public, address: 203.0.113.50, port: ecs1}
"""
WEB, EIP, CONTAINER = "198.51.100.10", "203.0.113.50", "10.0.2.2"


@pytest.fixture(scope="module")
def ecs(lab, reach):
    """ECS1 is a SNAT server, as the seed says to configure it. A router on one leg sends no redirects: Linux would limit its ICMP errors to
    whom it has just redirected (traceroute's first hop)."""
    one, two = lab.instance("ecs1"), lab.instance("ecs2")
    one.sysctl("net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
    one.run("nft", "-f", "-", input="""
table ip masq {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "eth0" ip daddr != { 192.168.0.0/16, 10.0.2.0/24 } masquerade
	}
}
""")
    reach(one, WEB)
    reach(two, "192.168.0.2")
    return one, two


@pytest.fixture
def route(lab):
    host = lab.host("h1")
    made = []

    def make(next_hop, destination="0.0.0.0/0"):
        made.append(f"demo/{destination}")
        host.apply(f"{{kind: route, vpc: demo, destination: {destination}, next_hop: {next_hop}}}")

    yield make
    for name in made:
        host.viaduct("delete", "route", name, "--wait", check=False)


@pytest.fixture
def shared(lab, ecs):
    """A virtual IP of the subnet, held by ECS1."""
    host = lab.host("h1")
    host.apply("{kind: virtual_ip, name: shared, subnet: nodes, address: 192.168.0.100, port: ecs1}")
    ecs[0].ip("address", "add", "192.168.0.100/32", "dev", "eth0")
    yield host
    ecs[0].ip("address", "del", "192.168.0.100/32", "dev", "eth0")
    for kind, name in (("elastic_ip", "eip2"), ("virtual_ip", "shared")):
        host.viaduct("delete", kind, name, "--wait", check=False)


def test_without_a_route_ecs2_reaches_nothing_outside(ecs):
    """R-SCN-8"""
    assert ecs[1].ping(WEB, count=2, timeout=0.3).received == 0
    assert ecs[1].ping(CONTAINER, count=2, timeout=0.3).received == 0


def test_ecs2_reaches_the_internet_through_ecs1(lab, ecs, route):
    """R-SCN-8, R-RTR-6, R-RTR-5: 0.0.0.0/0 by its private address; outside sees ECS1's elastic IP; ECS1 itself still leaves by it."""
    route("{address: 192.168.0.2}")
    with lab.outside("web").capture("eth0") as frames:
        assert ecs[1].ping(WEB, count=3).ttls == [61] * 3
        assert ecs[0].ping(WEB, count=2).received == 2
    assert ping_source(frames, WEB) == {EIP}
    assert seen_by_tcp(ecs[1], lab.outside("web"), WEB, 8000) == EIP
    assert seen_by_tcp(ecs[0], lab.outside("web"), WEB, 8001) == EIP
    hops = ecs[1].traceroute(WEB)
    assert "192.168.0.2" in hops and hops[-1] == WEB


def test_route_gone_the_way_is_gone(lab, ecs, route):
    """R-RTR-5: the next packet obeys."""
    route("{address: 192.168.0.2}")
    assert ecs[1].ping(WEB).received == 1
    lab.host("h1").viaduct("delete", "route", "demo/0.0.0.0/0", "--wait")
    assert ecs[1].ping(WEB, count=2, timeout=0.3).received == 0


def test_ecs2_reaches_the_internet_by_a_virtual_ip(lab, ecs, route, shared):
    """R-SCN-8, R-RTR-6, R-VIP-1: an elastic IP is bound to the virtual IP; ECS1 translates to it."""
    shared.apply("{kind: elastic_ip, name: eip2, network: public, address: 203.0.113.51, private_vip: shared}")
    ecs[0].run("nft", "insert", "rule", "ip", "masq", "postrouting", "ip", "saddr", "192.168.0.3", "oifname", "eth0", "ip", "daddr", "!=",
               "192.168.0.0/16", "snat", "to", "192.168.0.100")
    try:
        route("{vip: shared}")
        assert ecs[1].ping(WEB, count=3).ttls == [61] * 3
        assert seen_by_tcp(ecs[1], lab.outside("web"), WEB, 8002) == "203.0.113.51"
    finally:
        handle = ecs[0].run("nft", "-a", "list", "chain", "ip", "masq", "postrouting").stdout.split("snat to 192.168.0.100 # handle ")[1].split()[0]
        ecs[0].run("nft", "delete", "rule", "ip", "masq", "postrouting", "handle", handle)


@pytest.mark.parametrize("destination", ["0.0.0.0/0", "10.0.2.0/24"])
def test_ecs2_reaches_ecs1s_containers(lab, ecs, route, destination):
    """R-SCN-8, R-RTR-5, R-CTR-7: by the default route, and by the containers' own."""
    route("{address: 192.168.0.2}", destination)
    assert ecs[1].ping(CONTAINER, count=3).ttls == [63] * 3
    assert seen_by_tcp(ecs[1], lab.node("ecs1-c"), CONTAINER, 8003) == "192.168.0.3"


def test_ecs2_reaches_ecs1s_containers_by_a_virtual_ip(ecs, route, shared):
    """R-SCN-8, R-RTR-5"""
    route("{vip: shared}", "10.0.2.0/24")
    assert ecs[1].ping(CONTAINER, count=3).ttls == [63] * 3


def test_virtual_ip_that_nobody_holds_is_an_unusable_next_hop(lab, ecs, route, shared):
    """R-RTR-12"""
    route("{vip: shared}", "10.0.2.0/24")
    assert ecs[1].ping(CONTAINER).received == 1
    shared.apply("{kind: virtual_ip, name: shared, subnet: nodes, address: 192.168.0.100}")
    status = shared.resource("routes", "demo/10.0.2.0/24")["status"]
    assert status["state"] == "unusable" and "shared" in status["reason"]
    assert ecs[1].ping(CONTAINER, count=2, timeout=0.3).received == 0


def test_public_destination_through_an_instance_must_be_everything(lab, ecs):
    """R-RTR-6: a part of the Internet is refused, by address and by virtual IP."""
    for next_hop in ("{address: 192.168.0.2}", "{vip: shared}"):
        said = lab.host("h1").viaduct("apply", "-f", "-", check=False, input="""
{kind: virtual_ip, name: shared, subnet: nodes}
---
{kind: route, vpc: demo, destination: 198.51.100.0/24, next_hop: %s}""" % next_hop)
        assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1
        assert "198.51.100.0/24" in said.stderr and "0.0.0.0/0" in said.stderr


def test_next_hop_without_an_elastic_ip_is_said(lab, ecs, route):
    """R-RTR-6: in the route's status; traffic to containers does not need one."""
    host = lab.host("h1")
    route("{address: 192.168.0.2}")
    assert "elastic" not in str(host.resource("routes", "demo/0.0.0.0/0")["status"])
    host.apply("{kind: elastic_ip, name: eip1, network: public, address: 203.0.113.50}")
    try:
        assert "elastic IP" in str(host.resource("routes", "demo/0.0.0.0/0")["status"])
        assert ecs[1].ping(CONTAINER, count=2).received == 2
        assert ecs[1].ping(WEB, count=2, timeout=0.3).received == 0
    finally:
        host.apply("{kind: elastic_ip, name: eip1, network: public, address: 203.0.113.50, port: ecs1}")
    assert ecs[1].ping(WEB, count=2).received == 2


def test_on_link_gateway_as_next_hop(lab, ecs, route):
    """R-RTR-5: another way out on the same network, with the router's own address."""
    host = lab.host("h1")
    host.apply("{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24], snat: true}")
    isp = lab.outside("isp")
    isp.ip("address", "add", "203.0.113.2/24", "dev", "eth0")
    try:
        with isp.capture("eth0") as frames:
            route("{gateway: 203.0.113.2}", "198.51.100.0/24")
            assert ecs[1].ping(WEB, count=2).ttls == [62] * 2
        assert any(frame[12:14] == b"\x08\x06" and frame[38:42] == bytes([203, 0, 113, 2]) for frame in frames), "asked for"
        assert seen_by_tcp(ecs[1], lab.outside("web"), WEB, 8004) == address_of(host, "virtual_ips", "demo.public")
    finally:
        isp.ip("address", "del", "203.0.113.2/24", "dev", "eth0")
        host.apply("{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24], snat: false}")
