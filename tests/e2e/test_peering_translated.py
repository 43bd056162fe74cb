# SPDX-License-Identifier: Apache-2.0
"""Two VPCs with the same CIDRs and instances with the same addresses, whose peering translates: left is 100.64.0.0/16 to right, right
is 100.65.0.0/16 to left. l1 and r1 are on h1 and are both 192.168.0.2; l2 and r2 are on h2 and are both 192.168.0.3.
"""

import json
import socket

import pytest

from lab.world import wait_until
from outside import converse, seen_by_tcp, seen_by_udp, tcp
from policy import Groups, passes_ping, rule

MTU = 1450
LAB = """
name: translated
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  l1: {ports: {l1: h1}}
  l2: {ports: {l2: h2}}
  r1: {ports: {r1: h1}}
  r2:
    ports: {r2: h2}
    bridges: {docker0: {addresses: [10.44.0.1/24], containers: {c: [10.44.0.2/24]}}}
"""
PORTS = {name: {"kind": "port", "name": name, "subnet": subnet, "addresses": [f"192.168.0.{n}", f"fd00:192::{n}"], **more}
         for name, subnet, n, more in [("l1", "left", 2, {}), ("l2", "left", 3, {}), ("r1", "right", 2, {}),
                                       ("r2", "right", 3, {"allowed_sources": ["10.44.0.0/24"]})]}
PEERING = {"kind": "peering", "name": "twins", "vpc": "left", "peer": "right", "translate": [
    {"vpc": "left", "cidr": "192.168.0.0/16", "as": "100.64.0.0/16"}, {"vpc": "right", "cidr": "192.168.0.0/16", "as": "100.65.0.0/16"},
    {"vpc": "left", "cidr": "fd00:192::/48", "as": "fd00:1::/48"}, {"vpc": "right", "cidr": "fd00:192::/48", "as": "fd00:2::/48"}]}
ROUTE = {"kind": "route", "vpc": "left", "destination": "10.44.0.0/24", "next_hop": {"peering": "twins"}}
DOCUMENTS = "\n---\n".join(map(json.dumps, [
    {"kind": "vpc", "name": "left", "cidrs": ["192.168.0.0/16", "fd00:192::/48"]},
    {"kind": "vpc", "name": "right", "cidrs": ["192.168.0.0/16", "fd00:192::/48"]},
    {"kind": "subnet", "name": "left", "vpc": "left", "cidrs": ["192.168.0.0/24", "fd00:192::/64"]},
    {"kind": "subnet", "name": "right", "vpc": "right", "cidrs": ["192.168.0.0/24", "fd00:192::/64"]},
    {"kind": "route", "vpc": "right", "destination": "10.44.0.0/24", "next_hop": {"address": "192.168.0.3"}},
    ROUTE, PEERING, *PORTS.values()]))
SEEN = {"l1": "100.64.0.2", "l2": "100.64.0.3", "r1": "100.65.0.2", "r2": "100.65.0.3"}  # by the other VPC
SEEN6 = {"l1": "fd00:1::2", "l2": "fd00:1::3", "r1": "fd00:2::2", "r2": "fd00:2::3"}
PAIRS = [("l1", "r1"), ("l1", "r2"), ("l2", "r1"), ("l2", "r2")]


@pytest.fixture(scope="module")
def instances(lab, reach):
    found = {name: lab.instance(name) for name in PORTS}
    for one, other in PAIRS:
        for table in (SEEN, SEEN6):
            reach(found[one], table[other])
            reach(found[other], table[one])
    return found


@pytest.fixture
def groups(lab, instances):
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


@pytest.mark.parametrize("one, other", PAIRS)
def test_both_ways_as_the_other_sees_it(instances, one, other):
    """R-PEER-2: on one host and across two, one of them with its peer's own address; whichever side begins."""
    for table in (SEEN, SEEN6):
        for client, server in ((one, other), (other, one)):
            assert instances[client].ping(table[server], count=3).ttls == [63] * 3
            assert seen_by_tcp(instances[client], instances[server], table[server], 8000) == table[client]
            assert seen_by_udp(instances[client], instances[server], table[server], 8001)[0] == table[client]
            assert instances[client].ping(table[server], size=4000).received == 1, "in fragments"


@pytest.mark.parametrize("one, other", PAIRS)
def test_traceroute_and_errors_come_through(instances, one, other):
    """R-PEER-2: the router of the VPC that is left answers; what a closed port says is understood, for the packet in it is translated."""
    for client, server in ((one, other), (other, one)):
        assert instances[client].traceroute(SEEN[server]) == ["192.168.0.1", SEEN[server]]
        for table, family in ((SEEN, socket.AF_INET), (SEEN6, socket.AF_INET6)):
            with instances[client].socket(family, socket.SOCK_DGRAM) as asking:
                asking.connect((table[server], 9))
                asking.send(b"anybody?")
                with pytest.raises(ConnectionRefusedError):
                    asking.recv(10)


@pytest.mark.parametrize("one, other", [("l1", "r1"), ("l1", "r2"), ("r2", "l1")])
def test_too_large_packets_are_answered(instances, one, other):
    """R-PEER-2: "fragmentation needed" names the packet as its sender knows it, so that the sender learns."""
    careless = instances[one]
    careless.ip("link", "set", "eth0", "mtu", "1500")
    try:
        for target, overhead, said in ((SEEN[other], 28, f"mtu = {MTU}"), (SEEN6[other], 48, f"mtu={MTU}")):
            answer = careless.ping(target, size=1500 - overhead, dont_fragment=True)
            assert answer.received == 0 and said in answer.output
            assert f"mtu {MTU}" in careless.ip("route", "get", target)
        assert seen_by_tcp(careless, instances[other], SEEN[other], 8000) == SEEN[one]
    finally:
        careless.ip("link", "set", "eth0", "mtu", str(MTU))
        careless.ip("route", "flush", "cache")


def test_routers_behind_an_instance_of_the_peer(lab, instances):
    """R-PEER-2: what is behind a next hop of the peer is reached with its own address; errors on the way come from whom one sees."""
    container = lab.node("r2-c")
    for name in ("l1", "l2"):
        wait_until(lambda: passes_ping(instances[name], "10.44.0.2"), "the container is reached")
        assert instances[name].ping("10.44.0.2", count=2).ttls == [62] * 2
        assert container.ping(SEEN[name], count=2).ttls == [62] * 2
        assert instances[name].traceroute("10.44.0.2") == ["192.168.0.1", SEEN["r2"], "10.44.0.2"]


def test_groups_by_cidr_and_by_group(instances, groups):
    """R-PEER-2: a rule's CIDR is what its own port sees; a group of the other VPC is known whatever its addresses look like."""
    groups.make("clients", rule("", "egress", "icmp", name="out", remote_cidr="100.65.0.0/16"))
    groups.make("servers")
    for server in ("r1", "r2"):
        groups.join(server, "servers")
    groups.join("l1", "clients")
    for server in ("r1", "r2"):
        for remote, allowed in ({"remote_cidr": "192.168.0.0/16"}, False), ({"remote_cidr": "100.64.0.2/32"}, True), \
                ({"remote_group": "clients"}, True):
            groups.allow("servers", "ingress", "icmp", name="in", **remote)
            wait_until(lambda: passes_ping(instances["l1"], SEEN[server]) == allowed, f"{server}: {remote}")
            assert not passes_ping(instances["l2"], SEEN[server]), "in no group, and of another address"
            groups.delete_rule("servers/in")
        assert not passes_ping(instances["l1"], SEEN[server])
    groups.allow("servers", "ingress", "icmp", name="in", remote_group="clients")
    groups.delete_rule("clients/out")
    groups.allow("clients", "egress", "icmp", name="out", remote_cidr="192.168.0.0/16")
    assert not passes_ping(instances["l1"], SEEN["r1"]), "that is not how it sees them"
    groups.delete_rule("clients/out")
    groups.allow("clients", "egress", "icmp", name="out", remote_group="servers")
    for server in ("r1", "r2"):
        wait_until(lambda: passes_ping(instances["l1"], SEEN[server]), f"{server}: both by group")


def test_spoofed_sources_are_dropped(lab, instances):
    """R-PEER-2: a port without source check cannot send what its peer takes for another: an alias, or an address of another host."""
    forger, apply = instances["l1"], lab.host("h1").apply
    own, foreign = "100.64.0.9", "192.168.0.3"
    apply(json.dumps({**PORTS["l1"], "source_check": False}))
    try:
        for address in (own, foreign):
            forger.ip("addr", "add", f"{address}/32", "dev", "lo")
        before = lab.host("h1").dropped("foreign_alias"), lab.host("h2").dropped("source_host")
        with instances["r1"].capture("eth0") as at_near, instances["r2"].capture("eth0") as at_far:
            for server in ("r1", "r2"):
                forger.ping(SEEN[server], source=own, timeout=0.3)
            forger.ping(SEEN["r2"], source=foreign, timeout=0.3)
            wait_until(lambda: lab.host("h1").dropped("foreign_alias") >= before[0] + 2, "the alias is dropped")
            wait_until(lambda: lab.host("h2").dropped("source_host") > before[1], "the other host's address is dropped")
        for frames in (at_near, at_far):
            assert not any(socket.inet_aton(own) in frame[26:30] or socket.inet_aton("100.64.0.3") in frame[26:30] for frame in frames)
    finally:
        for address in (own, foreign):
            forger.ip("addr", "del", f"{address}/32", "dev", "lo", check=False)
        apply(json.dumps(PORTS["l1"]))


def test_it_is_shown(lab, instances):
    """R-PEER-2: status, a trace across two hosts, and the flow that it speaks of."""
    host = lab.host("h1")
    said = host.viaduct("describe", "peering", "twins").stdout
    assert "100.64.0.0/16" in said and "100.65.0.0/16" in said
    assert host.resource("peerings", "twins")["status"]["routes"] == {
        "left": ["10.44.0.0/24", "100.65.0.0/16", "fd00:2::/48"], "right": ["100.64.0.0/16", "fd00:1::/48"]}
    said = host.viaduct("trace", "l1", SEEN["r2"], "tcp", "80").stdout
    assert "192.168.0.2 is 100.64.0.2 in the peer" in said and "100.65.0.3 is 192.168.0.3 in the peer" in said
    assert "delivered" in said and "100.64.0.2 is 192.168.0.2 in the peer" in said
    assert "100.65.0.3 is 192.168.0.3 in the peer" in host.viaduct("trace", "l1", "r2").stdout, "by its name"
    said = host.viaduct("check", "l1", "r2", "tcp", "80", check=False)
    assert said.returncode == 0 and "delivered to r2, from 100.64.0.2" in said.stdout, said.stdout
    with tcp(instances["l1"], instances["r1"], SEEN["r1"], 8003) as (client, server, _):
        converse(client, server)
        flows = [flow for flow in host.live("flows")["flows"] if flow.get("translated", {}).get("destination") == "192.168.0.2"]
        assert any(flow["translated"]["source"] == "100.64.0.2" and flow["valid"] for flow in flows), flows


def test_it_goes_with_its_peering(lab, instances, reach):
    """R-PEER-2: running conversations end when `delete --wait` returns, and go on when it is back; another alias is another address."""
    host = lab.host("h1")
    with tcp(instances["l1"], instances["r1"], SEEN["r1"], 8004) as (near, near_server, _), \
            tcp(instances["r2"], instances["l1"], SEEN["l1"], 8004) as (far, far_server, _):
        for client, server in ((near, near_server), (far, far_server)):
            converse(client, server)
        host.viaduct("delete", "route", "left/10.44.0.0/24", "--wait")
        host.viaduct("delete", "peering", "twins", "--wait")
        for client, server in ((near, near_server), (far, far_server)):
            client.sendall(b"x")
            server.settimeout(0.4)
            with pytest.raises(TimeoutError):
                server.recv(1)
        for one, other in PAIRS:
            assert not passes_ping(instances[one], SEEN[other]) and not passes_ping(instances[other], SEEN6[one])
        host.apply(json.dumps(PEERING))
        for server in (near_server, far_server):
            server.settimeout(60)  # TCP asks again after as long as it has waited so far
            assert server.recv(1) == b"x"
    moved = json.dumps(PEERING).replace("100.65.", "100.66.")
    host.apply(moved)
    for one, other in PAIRS:
        reach(instances[one], SEEN[other].replace("100.65.", "100.66."))
        assert not passes_ping(instances[one], SEEN[other])
    host.apply("\n---\n".join(map(json.dumps, [PEERING, ROUTE])))
    for one, other in PAIRS:
        reach(instances[one], SEEN[other])


def test_overlap_without_translation_is_refused_and_says_what_to_do(lab, instances):
    """R-PEER-2"""
    host = lab.host("h1")
    third = {"kind": "vpc", "name": "third", "cidrs": ["192.168.64.0/18"]}
    for translate, words in (
            ([], ["192.168.64.0/18", "192.168.0.0/16", "left", "let peering more translate it: {vpc: "]),
            ([{"vpc": "third", "cidr": "192.168.64.0/18", "as": "100.65.64.0/18"}, {"vpc": "left", "cidr": "192.168.0.0/16", "as": "10.1.0.0/16"}],
             ["100.65.64.0/18", "100.65.0.0/16", "right"]),
            ([{"vpc": "third", "cidr": "192.168.64.0/18", "as": "100.70.0.0/16"}], ["192.168.64.0/18", "100.70.0.0/16", "size"])):
        peering = {"kind": "peering", "name": "more", "vpc": "third", "peer": "left", "translate": translate}
        said = host.viaduct("apply", "-f", "-", input="\n---\n".join(map(json.dumps, [third, peering])), check=False)
        assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1, said.stdout + said.stderr
        assert all(word in said.stderr for word in words), said.stderr


@pytest.mark.parametrize("one, other", PAIRS)
def test_check_names_the_address_that_the_peer_sees(lab, instances, groups, one, other):
    """On one host and across two; the rule that is missing is one for that address."""
    def check():
        return json.loads(lab.host("h1").viaduct("check", one, SEEN[other], "--json", check=False).stdout)

    said = check()
    assert said["reachable"] and said["seen_as"] == SEEN[one], said
    groups.make("web")
    groups.join(other, "web")
    said = check()
    blocked, = [line for line in said["checks"] if line["verdict"] == "blocked"]
    assert blocked["text"] == f"port {other} (web): no rule lets icmp in from {SEEN[one]}", said
    assert f"remote_cidr: {SEEN[one]}/32" in blocked["advice"]
    groups.apply({"kind": "security_group_rule", "group": "web", "direction": "ingress", "protocol": "icmp", "remote_cidr": f"{SEEN[one]}/32"})
    assert check()["reachable"]
