# SPDX-License-Identifier: Apache-2.0
"""Bad input gets one sentence that names the object, and changes nothing."""

import random

import pytest

BASE = """
kind: vxlan_pool
name: pool
vnis: 1000-1999
---
kind: vpc
name: demo
cidrs: [192.168.0.0/16]
vxlan_pool: pool
vni: 1000
---
kind: subnet
name: nodes
vpc: demo
cidrs: [192.168.0.0/24]
---
kind: port
name: web
subnet: nodes
addresses: [192.168.0.2]
security_groups: [web, full]
---
kind: security_group
name: web
---
kind: security_group
name: db
networks: [other]
---
kind: security_group_rule
group: db
name: from-web
direction: ingress
remote_group: web
---
kind: subnet
name: other
vpc: demo
cidrs: [192.168.1.0/24]
dhcp_address: 192.168.1.3
---
kind: security_group
name: full
---
kind: route
vpc: demo
destination: 10.0.0.0/24
next_hop: {address: 192.168.0.2}
"""

RULE = "{kind: security_group_rule, group: web, name: r, direction: ingress, %s}"
SUBNET = "{kind: subnet, name: s, vpc: demo, cidr: 192.168.9.0/24, %s}"

# What, documents, words of the sentence.
BAD = [
    ("overlapping subnets", "{kind: subnet, name: more, vpc: demo, cidrs: [192.168.0.128/25]}", ["more", "nodes", "overlap"]),
    ("address outside its subnet", "{kind: port, name: p, subnet: nodes, addresses: [192.168.9.9]}", ["p", "192.168.9.9"]),
    ("address taken", "{kind: port, name: p, subnet: nodes, addresses: [192.168.0.2]}", ["p", "192.168.0.2", "web"]),
    ("gateway as port address", "{kind: port, name: p, subnet: nodes, addresses: [192.168.0.1]}", ["p", "192.168.0.1", "gateway"]),
    ("duplicate destination", "{kind: route, vpc: demo, destination: 10.7.0.0/24, next_hop: {address: 192.168.0.2}}\n---\n"
     "{kind: route, vpc: demo, destination: 10.7.0.0/24, next_hop: {blackhole: true}}", ["10.7.0.0/24"]),
    ("next hop that nobody has", "{kind: route, vpc: demo, destination: 10.8.0.0/24, next_hop: {address: 192.168.0.77}}", ["192.168.0.77"]),
    ("VNI 16777215", "{kind: vpc, name: v, cidrs: [10.0.0.0/8], vni: 16777215}", ["v", "16777215"]),
    ("pool with VNI 16777215", "{kind: vxlan_pool, name: p, vnis: 1-16777215}", ["p", "16777215"]),
    ("VNI used twice", "{kind: vpc, name: v, cidrs: [10.0.0.0/8], vxlan_pool: pool, vni: 1000}", ["v", "1000", "demo"]),
    ("VNI outside its pool", "{kind: vpc, name: v, cidrs: [10.0.0.0/8], vxlan_pool: pool, vni: 7}", ["v", "7", "pool"]),
    ("end below start", "{kind: vxlan_pool, name: p, vnis: 20-10}", ["p", "20", "10"]),
    ("host without an address in the VTEP CIDR", "{kind: vxlan_pool, name: p, vnis: 1-9, vtep_cidr: 10.99.0.0/16, hosts: [h1]}", ["p", "h1", "10.99.0.0/16"]),
    ("link-local", "{kind: vpc, name: v, cidrs: [169.254.0.0/16]}", ["v", "169.254.0.0/16"]),
    ("unknown kind", "{kind: vps, name: v}", ["vps"]),
    ("unknown field", "{kind: vpc, name: v, cidrs: [10.0.0.0/8], colour: red}", ["v", "colour"]),
    ("wrong type", "{kind: vpc, name: v, cidrs: 7}", ["v", "cidrs"]),
    ("duplicate key", "kind: vpc\nname: v\nname: w\ncidrs: [10.0.0.0/8]", ["name"]),
    ("no such subnet", "{kind: port, name: p, subnet: nowhere}", ["p", "nowhere"]),
    ("not YAML", "kind: [vpc", ["line"]),
    ("ports with all", RULE % "protocol: all, ports: 23-1024", ["r", "ports", "all"]),
    ("port 0", RULE % "protocol: tcp, ports: 0", ["r", "ports", "0"]),
    ("port 65536", RULE % "protocol: udp, ports: 1-65536", ["r", "ports", "65536"]),
    ("ports that end below their start", RULE % "protocol: tcp, ports: 1024-23", ["r", "1024-23"]),
    ("ICMP type 256", RULE % "protocol: icmp, icmp_type: 256", ["r", "icmp_type", "256"]),
    ("a remote CIDR that is none", RULE % "remote_cidr: 10.0.0.0/33", ["r", "remote_cidr", "10.0.0.0/33"]),
    ("no such group", RULE % "remote_group: nowhere", ["r", "nowhere"]),
    ("port in no such group", "{kind: port, name: p, subnet: nodes, security_groups: [nowhere]}", ["p", "nowhere"]),
    ("port of another network than its group's", "{kind: port, name: p, subnet: nodes, security_groups: [db]}", ["p", "db", "nodes"]),
    ("DHCP address is the gateway", SUBNET % "dhcp_address: 192.168.9.1", ["s", "192.168.9.1", "gateway"]),
    ("DHCP address outside its subnet", SUBNET % "dhcp_address: 192.168.8.2", ["s", "192.168.8.2"]),
    ("DHCP address that a port has", SUBNET % "dhcp_address: 192.168.9.2" + "\n---\n{kind: port, name: p, subnet: s, address: 192.168.9.2}",
     ["p", "192.168.9.2", "DHCP"]),
    ("DHCP address without DHCP", SUBNET % "dhcp: false, dhcp_address: 192.168.9.2", ["s", "192.168.9.2", "dhcp"]),
    ("another DHCP address", "{kind: subnet, name: other, vpc: demo, cidr: 192.168.1.0/24, dhcp_address: 192.168.1.4}",
     ["other", "192.168.1.3", "192.168.1.4"]),
    ("range outside its subnet", SUBNET % "ranges: [192.168.9.250-192.168.10.5]", ["s", "192.168.9.250-192.168.10.5"]),
    ("ports with ICMP", RULE % "protocol: icmp, port: 22", ["r", "ports", "icmp"]),
    ("port range from 0", RULE % "protocol: udp, ports: 0-10", ["r", "ports", "0"]),
    ("port that is a word", RULE % "protocol: tcp, port: ssh", ["r", "ssh"]),
    ("ICMP type -2", RULE % "protocol: icmp, icmp_type: -2", ["r", "icmp_type", "-2"]),
    ("ICMP type with TCP", RULE % "protocol: tcp, icmp_type: 8", ["r", "icmp_type", "tcp"]),
    ("a remote CIDR that is a word", RULE % "remote_cidr: everywhere", ["r", "everywhere"]),
    ("unknown protocol", RULE % "protocol: sctp", ["r", "sctp"]),
    ("unknown direction", "{kind: security_group_rule, name: r, group: web, direction: sideways}", ["r", "sideways"]),
    ("rule without a direction", "{kind: security_group_rule, name: r, group: web}", ["r", "direction"]),
    ("rule of no such group", "{kind: security_group_rule, name: r, group: nowhere, direction: egress}", ["r", "nowhere"]),
    ("group of no such network", "{kind: security_group, name: g, networks: [nodes, void]}", ["g", "void"]),
    ("default rule about another group", RULE % "remote_group: db, default: true", ["default"]),
    ("host name that is none", "{kind: port, name: p, subnet: nodes, hostname: a_b.c}", ["p", "a_b.c"]),
    ("no such router profile", "{kind: vpc, name: v, cidrs: [10.0.0.0/8], router_profile: huge}", ["v", "huge"]),
    ("too little memory", "{kind: router_profile, name: tiny, memory: 1M}", ["tiny", "memory"]),
    ("no CPU", "{kind: router_profile, name: tiny, cpu: 0}", ["tiny", "cpu"]),
    ("lease of a second", SUBNET % "dhcp_lease: 1", ["s", "dhcp_lease"]),
    ("five name servers", SUBNET % "dns: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5]", ["s", "dns"]),
    ("the last document of many is wrong", "{kind: vpc, name: fine, cidrs: [10.0.0.0/8]}\n---\n{kind: subnet, name: s, vpc: fine, cidrs: [11.0.0.0/24]}",
     ["s", "11.0.0.0/24"]),
]


LAB = "one_host.yaml"
DOCUMENTS = BASE


KINDS = ("hosts", "vxlan_pools", "router_profiles", "vpcs", "subnets", "security_groups", "security_group_rules", "ports", "route_tables",
         "routes")


def everything(lab):
    return [lab.host("h1").ask("GET", f"/v1/{kind}")["items"] for kind in KINDS]


def refused(lab, text):
    before = everything(lab)
    result = lab.host("h1").viaduct("apply", "-f", "-", input=text, check=False)
    assert result.returncode == 1, result.stdout
    assert everything(lab) == before
    sentence = result.stderr.strip()
    assert sentence and "\n" not in sentence
    return sentence


@pytest.mark.parametrize("text, words", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_it_is_refused_with_one_sentence(lab, text, words):
    """The refusals of pools and ranges (R-NET-2, R-NET-3), of rules (R-SG-1) and of DHCP addresses (R-SVC-2), and the issues' lists."""
    sentence = refused(lab, text)
    for word in words:
        assert word in sentence


def test_ten_megabytes_of_garbage_are_refused(lab):
    generator = random.Random(1)
    garbage = "".join(chr(generator.randrange(32, 127)) for _ in range(10 << 20))
    assert len(refused(lab, garbage)) < 600


def test_what_others_need_is_not_deleted(lab):
    before = everything(lab)
    for kind, name, needed_by in (("vpc", "demo", "nodes"), ("subnet", "nodes", "web"), ("port", "web", "10.0.0.0/24"),
                                 ("security_group", "web", "from-web"), ("security_group", "full", "port web"), ("subnet", "other", "db")):
        result = lab.host("h1").viaduct("delete", kind, name, check=False)
        assert result.returncode == 1
        assert name in result.stderr and needed_by in result.stderr
    assert everything(lab) == before


def test_host_bits_are_accepted_and_said(lab):
    result = lab.host("h1").apply("{kind: vpc, name: loose, cidrs: [172.18.0.10/24]}")
    assert "172.18.0.0/24" in result.stdout + result.stderr
    lab.host("h1").viaduct("delete", "vpc", "loose", "--wait")


def test_host_bits_of_a_rule_are_accepted_and_said(lab):
    """R-SG-1"""
    result = lab.host("h1").apply("{kind: security_group_rule, group: web, direction: egress, remote_cidr: 10.9.8.7/16}")
    assert "10.9.0.0/16" in result.stdout + result.stderr
    lab.host("h1").viaduct("delete", "security_group_rule", "web/egress-all-10.9.0.0/16", "--wait")
