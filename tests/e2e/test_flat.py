# SPDX-License-Identifier: Apache-2.0
"""Flat networks: instances directly on a provider segment, DHCP on their host, no router. Elastic IPs of a public network, and of another flat
network, lead to them.
"""

import pytest

from outside import ping_source, seen_by_tcp, seen_by_udp, tag_of
from policy import greeting, listening
from userland import Userland

LAB = """
name: flat
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em02: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em02: {segment: em01, addresses: [10.0.0.22/8]}}}
instances:
  one: {ports: {one: h1}}
  two: {ports: {two: h2}}
  client: {ports: {client: {host: h1, dhcp: true}}}
  far: {ports: {far: h2}}
outside:
  isp:
    segment: em01
    addresses: [10.0.0.1/8]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
  router: {segment: em01, vlan: 100, addresses: [172.20.0.1/24]}
  machine: {segment: em01, vlan: 100, addresses: [172.20.0.99/24]}
  desk: {segment: em01, addresses: [10.108.20.5/8], gateways: [10.0.0.1]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [10.108.12.0-10.108.13.255], netmask: 255.0.0.0, gateway: 10.0.0.1}
---
{kind: network, name: flat1, role: flat, physnet: em01, vlan: 100, cidrs: [172.20.0.0/24], ranges: [172.20.0.10-172.20.0.50], dns: [172.20.0.99]}
---
{kind: network, name: flat2, role: flat, physnet: em01, vlan: 200, cidrs: [172.21.0.0/24], gateway: none}
---
{kind: port, name: one, network: flat1, addresses: [172.20.0.11]}
---
{kind: port, name: two, network: flat1, addresses: [172.20.0.12]}
---
{kind: port, name: client, network: flat1, addresses: [172.20.0.13]}
---
{kind: port, name: far, network: flat2, addresses: [172.21.0.11]}
"""
MACHINE, EIP, WEB = "172.20.0.99", "10.108.12.50", "198.51.100.10"


@pytest.fixture(scope="module")
def one(lab, reach):
    reach(lab.instance("one"), MACHINE)
    reach(lab.instance("two"), MACHINE)
    reach(lab.instance("one"), "172.20.0.12")
    return lab.instance("one")


@pytest.fixture
def elastic(lab):
    """elastic(name, network, address, port)"""
    host, made = lab.host("h1"), []

    def make(name, network, address, port):
        host.apply(f"{{kind: elastic_ip, name: {name}, network: {network}, address: {address}, port: {port}}}")
        made.append(name)

    yield make
    for name in dict.fromkeys(made):
        host.viaduct("delete", "elastic_ip", name, "--wait", check=False)


def test_instances_are_on_the_segment(lab, one):
    """R-NET-5, R-NET-1: with machines that are not ours, tagged, without a router of ours."""
    with lab.segments["em01"].capture("machine") as frames:
        assert one.ping(MACHINE, count=2).ttls == [64] * 2
    assert {tag_of(frame) for frame in frames if ping_source([frame], MACHINE)} == {100}
    assert ping_source(frames, MACHINE) == {"172.20.0.11"}
    assert one.ping("172.20.0.12", count=2).ttls == [64] * 2
    assert seen_by_tcp(lab.outside("machine"), one, "172.20.0.11", 8000) == MACHINE
    assert one.ping("172.20.0.1", count=2).ttls == [64] * 2, "the network's own gateway, a machine outside"


def test_dhcp_is_answered_on_the_instances_host(lab, one):
    """R-NET-5, R-SVC-1: the network's gateway and name server."""
    client = lab.instance("client")
    with Userland(client) as userland:
        client.ip("address", "flush", "dev", "eth0")
        client.ip("link", "set", "eth0", "up")
        with lab.segments["em01"].capture("h1.em02") as wire:
            said = userland.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", 20, "-T", 1, "-s", "/etc/udhcpc/default.script", check=False)
        assert "inet 172.20.0.13/24" in client.ip("-4", "-o", "address", "show", "eth0"), said.stdout + said.stderr
        assert client.ip("route", "show", "default").startswith("default via 172.20.0.1 ")
        assert "nameserver 172.20.0." in userland.read("/etc/resolv.conf"), "the network's service address, which asks 172.20.0.99"
        assert not any(b"\x63\x82\x53\x63" in frame for frame in wire), "nobody on the wire is asked"
        assert client.ping(MACHINE).received == 1


def test_flat_networks_are_apart(lab, one):
    """R-EIP-3, R-NET-6: without an elastic IP."""
    assert one.ping("172.21.0.11", count=2, timeout=0.3).received == 0
    assert lab.instance("far").ping("172.20.0.11", count=2, timeout=0.3).received == 0
    assert one.ping(WEB, count=2, timeout=0.3).received == 0


def test_public_elastic_ip_leads_to_an_instance_of_a_flat_network(lab, one, elastic):
    """R-EIP-3, R-SCN-10: on each instance's own host; both ways; moved."""
    desk, web = lab.outside("desk"), lab.outside("web")
    for name in ("one", "two", "one"):
        node = lab.instance(name)
        elastic("eip1", "public", EIP, name)
        with listening(node, 22, f"SSH-2.0-{name}"):
            assert greeting(desk, EIP, 22) == f"SSH-2.0-{name}"
            assert greeting(web, EIP, 22) == f"SSH-2.0-{name}"
        assert seen_by_tcp(node, web, WEB, 8001) == EIP
        assert seen_by_udp(node, web, WEB, 8002)[0] == EIP
        assert node.ping(WEB, count=2).ttls == [62] * 2
        assert desk.ping(EIP, count=2).ttls == [63] * 2
        assert node.ping(MACHINE, count=1).received == 1, "its own segment as before"


def test_elastic_ip_of_one_flat_network_leads_to_an_instance_of_another(lab, one, elastic):
    """R-EIP-3, R-SCN-10: same host and across hosts; the asked sees who asks, the asker sees the elastic IP."""
    far = lab.instance("far")
    elastic("eip2", "flat2", "172.21.0.50", "one")
    with listening(one, 22, "SSH-2.0-one"):
        assert greeting(far, "172.21.0.50", 22) == "SSH-2.0-one"
    assert far.ping("172.21.0.50", count=3).ttls == [63] * 3
    assert seen_by_tcp(far, one, "172.21.0.50", 8003) == "172.21.0.11"
    elastic("eip2", "flat2", "172.21.0.50", "two")
    with listening(lab.instance("two"), 22, "SSH-2.0-two"):
        assert greeting(far, "172.21.0.50", 22) == "SSH-2.0-two"


def test_merged_deployment_keeps_the_hosts_own_address_on_the_uplink(lab, one, elastic):
    """R-SCN-10, R-NET-5: public and management on one interface; the host answers on its address while an elastic IP works beside it."""
    elastic("eip1", "public", EIP, "two")
    desk = lab.outside("desk")
    assert desk.ping("10.0.0.22", count=2).ttls == [64] * 2
    assert seen_by_tcp(desk, lab.host("h2"), "10.0.0.22", 8004) == "10.108.20.5"
    assert seen_by_tcp(lab.host("h2"), desk, "10.108.20.5", 8005) == "10.0.0.22"
    assert desk.ping(EIP).received == 1


def test_port_forward_on_a_flat_network_is_refused(lab, one):
    """R-PF-1"""
    said = lab.host("h1").viaduct("apply", "-f", "-", check=False, input="""
{kind: virtual_ip, name: flatvip, network: flat1}
---
{kind: port_forward, name: pf, vip: flatvip, protocol: tcp, ports: 24, to_ports: 22, port: one}
""")
    assert said.returncode == 1 and "flat" in said.stderr and len(said.stderr.strip().splitlines()) == 1
