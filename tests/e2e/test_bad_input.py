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
---
kind: route
vpc: demo
destination: 10.0.0.0/24
next_hop: {address: 192.168.0.2}
"""

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
    ("the last document of many is wrong", "{kind: vpc, name: fine, cidrs: [10.0.0.0/8]}\n---\n{kind: subnet, name: s, vpc: fine, cidrs: [11.0.0.0/24]}",
     ["s", "11.0.0.0/24"]),
]


LAB = "one_host.yaml"
DOCUMENTS = BASE


def everything(lab):
    return [lab.host("h1").ask("GET", f"/v1/{kind}")["items"] for kind in ("hosts", "vxlan_pools", "vpcs", "subnets", "ports", "route_tables", "routes")]


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
    """R-NET-2 and R-NET-3: the refusals of pools and ranges; the rest is the issue's list."""
    sentence = refused(lab, text)
    for word in words:
        assert word in sentence


def test_ten_megabytes_of_garbage_are_refused(lab):
    generator = random.Random(1)
    garbage = "".join(chr(generator.randrange(32, 127)) for _ in range(10 << 20))
    assert len(refused(lab, garbage)) < 600


def test_what_others_need_is_not_deleted(lab):
    before = everything(lab)
    for kind, name, needed_by in (("vpc", "demo", "nodes"), ("subnet", "nodes", "web"), ("port", "web", "10.0.0.0/24")):
        result = lab.host("h1").viaduct("delete", kind, name, check=False)
        assert result.returncode == 1
        assert name in result.stderr and needed_by in result.stderr
    assert everything(lab) == before


def test_host_bits_are_accepted_and_said(lab):
    result = lab.host("h1").apply("{kind: vpc, name: loose, cidrs: [172.18.0.10/24]}")
    assert "172.18.0.0/24" in result.stdout + result.stderr
    lab.host("h1").viaduct("delete", "vpc", "loose")
