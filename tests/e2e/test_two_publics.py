# SPDX-License-Identifier: Apache-2.0
"""Seed 004, 4.3, the half of it that is routing: two sites, each an installation of its own, joined by routes over a second public network."""

import pytest

from outside import address_of, ping_source, seen_by_tcp, tag_of
from policy import greeting, listening

# The wide-area network between the sites is one segment; each site's own em01 is another.
LAB = """
name: sites
segments: {underlay: {}, em01: {}, em02: {}}
hosts:
  local: {addresses: [192.168.210.9/20], uplinks: {em01: em01, em02: em02}}
  remote: {addresses: [192.168.210.8/20], store: sqlite, uplinks: {em02: em02}}
instances:
  here: {ports: {here: local}}
  there: {ports: {there: {host: remote, attach: false}}}
outside:
  isp:
    segment: em01
    vlan: 3
    addresses: [180.169.211.113/28]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
  wan:
    segment: em02
    addresses: [10.0.0.1/16]
    behind: {addresses: [203.0.113.1/24], hosts: {branch: [203.0.113.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: internet, role: public, physnet: em01, vlan: 3, ranges: [180.169.211.117-180.169.211.118], netmask: 255.255.255.240,
 gateway: 180.169.211.113}
---
{kind: network, name: site, role: public, physnet: em02, ranges: [10.0.108.10-10.0.108.20], netmask: 255.255.0.0, gateway: 10.0.0.1}
---
{kind: vpc, name: local, cidrs: [172.31.0.0/18], networks: [internet]}
---
{kind: subnet, name: local, vpc: local, physnet: em01, vlan: 1982, cidrs: [172.31.0.0/18]}
---
{kind: port, name: here, subnet: local, addresses: [172.31.0.10]}
"""
REMOTE = """
{kind: network, name: site, role: public, physnet: em02, ranges: [10.0.108.100-10.0.108.110], netmask: 255.255.0.0, gateway: 10.0.0.1}
---
{kind: vpc, name: remote, cidrs: [172.18.0.10/24], networks: [site]}
---
{kind: subnet, name: remote, vpc: remote, physnet: em02, vlan: 2200, cidrs: [172.18.0.10/24]}
---
{kind: port, name: there, subnet: remote, addresses: [172.18.0.20]}
"""
HERE, THERE, WEB, BRANCH = "172.31.0.10", "172.18.0.20", "198.51.100.10", "203.0.113.10"
ONE, BOTH = ("{kind: vpc, name: local, cidrs: [172.31.0.0/18], networks: [%s]}" % names for names in ("internet", "internet, site"))


@pytest.fixture(scope="module")
def sites(lab, reach):
    lab.host("remote").apply(REMOTE)
    lab.instance("there").attach_port("there")
    reach(lab.instance("here"), WEB)
    reach(lab.instance("there"), BRANCH)
    return lab.instance("here"), lab.instance("there")


@pytest.fixture
def attached(lab, sites):
    """The second public network, while the router runs."""
    host = lab.host("local")
    host.apply(BOTH)
    yield address_of(host, "virtual_ips", "local.site")
    for kind, plural in (("port_forward", "port_forwards"), ("elastic_ip", "elastic_ips"), ("route", "routes")):
        for item in host.ask("GET", f"/v1/{plural}")["items"]:
            host.viaduct("delete", kind, item["name"], "--wait")
    host.apply(ONE)


@pytest.fixture
def joined(lab, attached):
    """Step 9: routes both ways, by the other router's address on the network that both know."""
    for one, other in (("172.31.0.0/18", "172.18.0.0/24"), ("172.18.0.0/24", "172.31.0.0/18")):
        lab.watcher.permit(one, other)
    far = address_of(lab.host("remote"), "virtual_ips", "remote.site")
    lab.host("local").apply(f"{{kind: route, vpc: local, destination: 172.18.0.0/24, next_hop: {{public: {far}}}}}")
    lab.host("remote").apply(f"{{kind: route, vpc: remote, destination: 172.31.0.0/18, next_hop: {{public: {attached}}}}}")
    yield
    lab.host("remote").viaduct("delete", "route", "remote/172.31.0.0/18", "--wait")


def test_sites_are_apart_without_routes(sites, attached):
    """R-SCN-6"""
    assert sites[0].ping(THERE, count=2, timeout=0.3).received == 0
    assert sites[1].ping(HERE, count=2, timeout=0.3).received == 0


def test_joined_by_routes_they_reach_each_other(lab, sites, joined):
    """R-SCN-6, R-RTR-10, R-RTR-5: private addresses travel as they are, between the two routers only."""
    assert sites[0].ping(THERE, count=4).ttls == [62] * 4
    assert sites[1].ping(HERE, count=4).ttls == [62] * 4
    assert seen_by_tcp(sites[0], sites[1], THERE, 8000) == HERE
    assert seen_by_tcp(sites[1], sites[0], HERE, 8000) == THERE
    with lab.segments["em01"].capture("local.em01") as frames:
        assert sites[0].ping(THERE, count=2).received == 2
    assert not ping_source(frames, THERE), "not by the first network"


def test_the_first_network_keeps_the_default_route(lab, sites, joined):
    """R-SCN-6, R-RTR-4: the rest of the world by the first, tagged with 3; on-link hosts of the second by the second."""
    with lab.segments["em01"].capture("isp") as frames:
        assert sites[0].ping(WEB, count=2).ttls == [62] * 2
    assert {tag_of(frame) for frame in frames if ping_source([frame], WEB)} == {3}
    assert ping_source(frames, WEB) == {address_of(lab.host("local"), "virtual_ips", "local.internet")}


def test_network_is_attached_and_detached_while_the_router_runs(lab, sites, reach):
    """R-RTR-4: its address comes and goes, at once, and the other network's traffic does not notice."""
    host, wan = lab.host("local"), lab.outside("wan")
    for _ in range(3):
        host.apply(BOTH)
        vip = address_of(host, "virtual_ips", "local.site")
        reach(wan, vip)  # a host steps forward to be its gateway a moment later
        assert sites[0].ping(WEB).received == 1
        host.apply(ONE)
        assert wan.ping(vip, count=2, timeout=0.3).received == 0
        assert sites[0].ping(WEB).received == 1


def test_detaching_a_network_in_use_is_refused(lab, sites, joined):
    """R-RTR-4: the route that leads there is named."""
    said = lab.host("local").viaduct("apply", "-f", "-", input=ONE, check=False)
    assert said.returncode == 1 and "site" in said.stderr and "172.18.0.0/24" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


def test_return_traffic_leaves_by_the_network_that_it_came_in_on(lab, sites, attached):
    """R-RTR-4: a forward on the second network's address, asked from far behind it, whither the default route does not lead."""
    host, branch = lab.host("local"), lab.outside("branch")
    host.apply("{kind: port_forward, name: ssh, vip: local.site, protocol: tcp, ports: 2222, to_ports: 22, port: here}")
    with listening(sites[0], 22, "SSH-2.0-here"), lab.segments["em01"].capture("local.em01") as frames:
        assert greeting(branch, attached, 2222) == "SSH-2.0-here"
        assert branch.ping(attached, count=2).received == 2
    assert not any(bytes([203, 0, 113, 10]) in frame for frame in frames)


def test_elastic_ip_of_the_second_network_takes_the_way_of_its_network(lab, sites, attached):
    """R-RTR-4, R-EIP-1: precedence over the default route."""
    host, branch = lab.host("local"), lab.outside("branch")
    host.apply("{kind: elastic_ip, name: eip, network: site, address: 10.0.108.20, port: here}")
    assert seen_by_tcp(branch, sites[0], "10.0.108.20", 8001) == BRANCH
    assert seen_by_tcp(sites[0], branch, BRANCH, 8002) == "10.0.108.20"
