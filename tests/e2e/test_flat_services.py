# SPDX-License-Identifier: Apache-2.0
"""DHCP, names and metadata on a flat network: its gateway is somebody else's, so the host answers at the network's DHCP address."""

from lab.world import wait_until

LAB = """
name: flatsvc
segments: {underlay: {}, lan: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {lan0: lan}}
outside:
  isp: {segment: lan, addresses: [203.0.113.1/24]}
instances:
  one: {ports: {one: {host: h1, dhcp: true}}}
"""
DOCUMENTS = """
{kind: network, name: office, role: flat, physnet: lan, cidr: 203.0.113.0/24, gateway: 203.0.113.1, ranges: [203.0.113.100-203.0.113.199],
 dhcp_address: 203.0.113.199}
---
{kind: port, name: one, network: office, addresses: [203.0.113.150]}
"""


def test_record_of_the_router_process_names_the_outside_gateway(lab):
    """R-NET-7: the domain is the network's, DHCP answers from the network's DHCP address."""
    host = lab.host("h1")
    routers = wait_until(lambda: host.live("status")["routers"], "there is a router process")
    assert [router["vpc"] for router in routers] == ["office"], routers
    domain = routers[0]["domain"]
    inside = host.run("nsenter", f"--net={host.run_directory}/netns/{domain}", "ip", "-o", "address", "show", "dev", "viaduct").stdout
    assert "203.0.113.199/32" in inside and "203.0.113.1/32" not in inside, inside


SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
env >"$(dirname "$0")/told"
ip address add "$ip/$mask" dev "$interface" && ip route add default via "$router"
"""


def test_instance_learns_the_outside_gateway_and_our_name_server(lab):
    """R-NET-7, R-SVC-1: the router is the outside one; DHCP and names are at the DHCP address; the domain is the network's."""
    host, one = lab.host("h1"), lab.node("one")
    script = host.directory / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    one.run("busybox", "udhcpc", "-f", "-q", "-n", "-t", "10", "-i", "eth0", "-s", script, timeout=40)
    told = dict(line.partition("=")[::2] for line in (host.directory / "told").read_text().splitlines())
    assert (told["ip"], told["router"], told["serverid"], told["dns"], told["domain"]) == (
        "203.0.113.150", "203.0.113.1", "203.0.113.199", "203.0.113.199", "office.internal")
    assert one.ping("203.0.113.1", count=3).received, told
