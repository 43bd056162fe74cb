# SPDX-License-Identifier: Apache-2.0
"""Seed 004, 4.6: port forwards on 10.108.13.216: PF-1 24 -> 22, moved from VM-1 to VM-2; PF-2 5900-5910 to VM-1 beside it."""

import json

import pytest

from outside import address_of, is_closed, seen_by_tcp, seen_by_udp
from policy import PATIENCE, greeting, listening

LAB = """
name: forward
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01}}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h2}}
  vm3: {ports: {vm3: h2}}
outside:
  isp:
    segment: em01
    addresses: [10.0.0.1/8]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
  desk: {segment: em01, addresses: [10.108.20.5/8], gateways: [10.0.0.1]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [10.108.12.0-10.108.13.255], netmask: 255.0.0.0, gateway: 10.0.0.1}
---
{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [public]}
---
{kind: subnet, name: private, vpc: demo, cidrs: [192.168.10.0/24]}
---
{kind: subnet, name: other, vpc: demo, cidrs: [192.168.11.0/24]}
---
{kind: port, name: vm1, subnet: private, addresses: [192.168.10.226]}
---
{kind: port, name: vm2, subnet: private, addresses: [192.168.10.167]}
---
{kind: port, name: vm3, subnet: other, addresses: [192.168.11.5]}
---
{kind: virtual_ip, name: vip1, network: public, address: 10.108.13.216}
"""
VIP, WEB, DESK = "10.108.13.216", "198.51.100.10", "10.108.20.5"
PF1 = "{kind: port_forward, name: pf1, vip: vip1, protocol: tcp, ports: 24, to_ports: 22%s}"


@pytest.fixture(scope="module", autouse=True)
def servers(lab, reach):
    for name in ("vm1", "vm2", "vm3"):
        reach(lab.instance(name), WEB)
    with listening(lab.instance("vm1"), 22, "SSH-2.0-vm1"), listening(lab.instance("vm2"), 22, "SSH-2.0-vm2"):
        yield


@pytest.fixture(autouse=True)
def clean(lab):
    yield
    host = lab.host("h1")
    for item in host.ask("GET", "/v1/port_forwards")["items"]:
        host.viaduct("delete", "port_forward", item["name"], "--wait")


def refused(lab, document):
    said = lab.host("h1").viaduct("apply", "-f", "-", input=document, check=False)
    assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1, said
    return said.stderr


def test_it_leads_to_vm1_and_then_to_vm2(lab):
    """R-SCN-7, R-PF-1, R-PF-3: steps 3 and 4."""
    host, desk = lab.host("h1"), lab.outside("desk")
    host.apply(PF1 % ", port: vm1")
    assert greeting(desk, VIP, 24) == "SSH-2.0-vm1"
    assert greeting(lab.outside("web"), VIP, 24) == "SSH-2.0-vm1"
    assert is_closed(desk, VIP, 22) and is_closed(desk, VIP, 23)
    host.apply(PF1 % "")
    assert is_closed(desk, VIP, 24)
    host.apply(PF1 % ", port: vm2")
    assert greeting(desk, VIP, 24) == "SSH-2.0-vm2"


def test_another_range_of_one_address_leads_to_another_instance(lab):
    """R-SCN-7, R-PF-1, R-PF-2: step 5."""
    host, desk = lab.host("h1"), lab.outside("desk")
    host.apply(PF1 % ", port: vm2" + "\n---\n{kind: port_forward, name: pf2, vip: vip1, protocol: tcp, ports: 5900-5910, port: vm1}")
    for port in (5900, 5905, 5910):
        assert seen_by_tcp(desk, lab.instance("vm1"), VIP, port) == DESK, "who asks is seen as who it is"
    assert greeting(desk, VIP, 24) == "SSH-2.0-vm2"
    assert is_closed(desk, VIP, 5899) and is_closed(desk, VIP, 5911)


def test_range_leads_to_the_same_ports_and_nothing_else(lab):
    """R-PF-1: 22-80, and UDP beside TCP on one address."""
    host, desk, vm1 = lab.host("h1"), lab.outside("desk"), lab.instance("vm1")
    host.apply("{kind: port_forward, name: range, vip: vip1, protocol: tcp, ports: 22-80, port: vm1}")
    assert greeting(desk, VIP, 22) == "SSH-2.0-vm1"
    assert seen_by_tcp(desk, vm1, VIP, 80) == DESK and seen_by_tcp(desk, vm1, VIP, 53) == DESK
    assert is_closed(desk, VIP, 21) and is_closed(desk, VIP, 81)
    assert seen_by_udp(desk, vm1, VIP, 53, patience=PATIENCE) is None
    host.apply("{kind: port_forward, name: datagrams, vip: vip1, protocol: udp, ports: 1-65535, port: vm1}")
    for port in (53, 1024, 65535):
        assert seen_by_udp(desk, vm1, VIP, port)[0] == DESK


def test_allowed_cidr_lets_only_those_in(lab):
    """R-PF-1"""
    host = lab.host("h1")
    host.apply(PF1 % ", port: vm1, allowed_cidr: 198.51.100.0/24")
    assert greeting(lab.outside("web"), VIP, 24) == "SSH-2.0-vm1"
    assert is_closed(lab.outside("desk"), VIP, 24)
    wanted = [each.dropped("forward_source") for each in lab.hosts.values()]
    assert sum(wanted) > 0


def test_system_vip_serves_forwards_beside_snat(lab):
    """R-VIP-1, R-PF-1: replies of a forward and connections of the instance's own leave by one address."""
    host, desk, vm1 = lab.host("h1"), lab.outside("desk"), lab.instance("vm1")
    router = address_of(host, "virtual_ips", "demo.public")
    host.apply("{kind: port_forward, name: system, vip: demo.public, protocol: tcp, ports: 7000, to_ports: 22, port: vm1}")
    assert greeting(desk, router, 7000) == "SSH-2.0-vm1"
    assert seen_by_tcp(vm1, lab.outside("web"), WEB, 8000) == router
    assert greeting(desk, router, 7000) == "SSH-2.0-vm1"


def test_neighbour_inside_reaches_it(lab):
    """R-PF-1, R-EIP-4"""
    lab.host("h1").apply(PF1 % ", port: vm1")
    assert greeting(lab.instance("vm2"), VIP, 24) == "SSH-2.0-vm1"
    assert greeting(lab.instance("vm1"), VIP, 24) == "SSH-2.0-vm1", "itself"


def test_overlapping_forwards_are_refused(lab):
    """R-PF-2: of one protocol; the other is free."""
    lab.host("h1").apply("{kind: port_forward, name: range, vip: vip1, protocol: tcp, ports: 22-80, port: vm1}")
    said = refused(lab, "{kind: port_forward, name: second, vip: vip1, protocol: tcp, ports: 80-90, port: vm1}")
    assert "range" in said and "second" in said
    lab.host("h1").apply("{kind: port_forward, name: second, vip: vip1, protocol: udp, ports: 80-90, port: vm1}")


def test_unbound_it_remembers_its_network(lab):
    """R-PF-3: bound again to an instance of the same subnet only."""
    host = lab.host("h1")
    host.apply(PF1 % ", port: vm1")
    host.apply(PF1 % "")
    assert host.resource("port_forwards", "pf1")["assigned"]["subnet"] == "private"
    said = refused(lab, PF1 % ", port: vm3")
    assert "pf1" in said and "private" in said
    host.apply(PF1 % ", port: vm2")
    said = refused(lab, PF1 % ", port: vm3")
    assert "pf1" in said


def test_range_to_another_range_is_refused(lab):
    """R-PF-1"""
    said = refused(lab, "{kind: port_forward, name: pf9, vip: vip1, protocol: tcp, ports: 22-80, to_ports: 122-180, port: vm1}")
    assert "pf9" in said


def test_instance_has_forwards_of_one_address_only(lab):
    """R-PF-2"""
    host = lab.host("h1")
    host.apply(PF1 % ", port: vm1")
    host.apply("{kind: virtual_ip, name: vip2, network: public}")
    try:
        said = refused(lab, "{kind: port_forward, name: pf9, vip: vip2, protocol: tcp, ports: 99, port: vm1}")
        assert "vm1" in said and "vip1" in said
        host.apply("{kind: port_forward, name: pf9, vip: vip2, protocol: tcp, ports: 99, to_ports: 22, port: vm2}")
        assert greeting(lab.outside("desk"), address_of(host, "virtual_ips", "vip2"), 99) == "SSH-2.0-vm2"
        host.viaduct("delete", "port_forward", "pf9", "--wait")
    finally:
        host.viaduct("delete", "virtual_ip", "vip2", "--wait")


def test_virtual_ip_serves_forwards_or_one_elastic_ip(lab):
    """R-PF-2, R-VIP-1"""
    lab.host("h1").apply(PF1 % ", port: vm1")
    assert "vip1" in refused(lab, "{kind: elastic_ip, name: eip9, vip: vip1, port: vm2}")


def test_check_from_outside_and_to_it(lab):
    """Whichever host holds the virtual IP; what is not forwarded is named, and so is the address with which an instance leaves."""
    def check(*argv):
        return json.loads(lab.host("h1").viaduct("check", *argv, "--json", check=False).stdout)

    lab.host("h1").apply(PF1 % ", port: vm1")
    said = check(f"network:public:{WEB}", VIP, "tcp", "24")
    assert said["reachable"] and "delivered to vm1" in said["checks"][-1]["text"], json.dumps(said)
    said = check(f"network:public:{WEB}", VIP, "tcp", "23")
    assert not said["reachable"] and any("vip_unserved" in line["text"] for line in said["checks"]), json.dumps(said)
    said = check("vm2", WEB)
    assert said["reachable"] and said["seen_as"] == lab.host("h1").ask("GET", "/v1/vpcs/demo")["status"]["networks"]["public"]["addresses"][0], json.dumps(said)
