# SPDX-License-Identifier: Apache-2.0
"""Security groups: the tutorial's walk (seed 004, 4.4), the container block (seed 001), and what a rule may say.

VPC cloud has vm1 and vm2 on h1 and vm3 on h2. VPC twin has the same CIDR and the addresses of vm1 and vm3. VPC cluster is seed 001's:
a node with containers of 172.16.0.0/16, and the server 192.168.10.25 on the other host.
"""

import socket
import subprocess
import time

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Ether, raw

from lab.world import wait_until
from policy import Groups, greeting, listening, passes_ping, passes_tcp, passes_udp, rule

LAB = """
name: groups
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  vm1: {ports: {vm1: h1}}
  vm2: {ports: {vm2: h1}}
  vm3: {ports: {vm3: h2}}
  twin1: {ports: {twin1: h1}}
  twin3: {ports: {twin3: h2}}
  ecs: {ports: {ecs: h2}}
  node:
    ports: {node: h1}
    bridges: {docker0: {addresses: [172.16.0.1/24], containers: {c: [172.16.0.2/24]}}}
"""
DOCUMENTS = """
{kind: vpc, name: cloud, cidrs: [10.20.0.0/16, "fd00:20::/48"]}
---
{kind: subnet, name: cloud, vpc: cloud, cidrs: [10.20.0.0/24, "fd00:20::/64"]}
---
{kind: subnet, name: lobby, vpc: cloud, cidrs: [10.20.1.0/24]}
---
{kind: port, name: vm1, subnet: cloud, addresses: [10.20.0.11, "fd00:20::11"]}
---
{kind: port, name: vm2, subnet: cloud, addresses: [10.20.0.12, "fd00:20::12"]}
---
{kind: port, name: vm3, subnet: cloud, addresses: [10.20.0.13, "fd00:20::13"]}
---
{kind: vpc, name: twin, cidrs: [10.20.0.0/16]}
---
{kind: subnet, name: twin, vpc: twin, cidrs: [10.20.0.0/24]}
---
{kind: port, name: twin1, subnet: twin, addresses: [10.20.0.11]}
---
{kind: port, name: twin3, subnet: twin, addresses: [10.20.0.13]}
---
{kind: vpc, name: cluster, cidrs: [192.168.0.0/16]}
---
{kind: subnet, name: nodes, vpc: cluster, cidrs: [192.168.10.0/24]}
---
{kind: port, name: node, subnet: nodes, addresses: [192.168.10.10], source_check: false}
---
{kind: port, name: ecs, subnet: nodes, addresses: [192.168.10.25]}
---
{kind: route, vpc: cluster, destination: 172.16.0.0/24, next_hop: {address: 192.168.10.10}}
"""
VM1, VM2, VM3 = "10.20.0.11", "10.20.0.12", "10.20.0.13"
VM1_6, VM2_6, VM3_6 = "fd00:20::11", "fd00:20::12", "fd00:20::13"
TUTORIAL = {"protocol": "tcp", "ports": "23-1024"}


def port_document(name, subnet, *addresses, **fields):
    return {"kind": "port", "name": name, "subnet": subnet, "addresses": list(addresses), **fields}


PORTS = {item["name"]: item for item in [
    port_document("vm1", "cloud", VM1, VM1_6), port_document("vm2", "cloud", VM2, VM2_6), port_document("vm3", "cloud", VM3, VM3_6),
    port_document("twin1", "twin", VM1), port_document("twin3", "twin", VM3), port_document("ecs", "nodes", "192.168.10.25"),
    port_document("node", "nodes", "192.168.10.10", source_check=False)]}


@pytest.fixture(scope="module")
def instances(lab, reach):
    vms = [lab.instance(name) for name in ("vm1", "vm2", "vm3")]
    for address in (VM2, VM3, VM2_6, VM3_6):
        reach(vms[0], address)
    reach(lab.instance("twin1"), VM3)
    reach(lab.node("node-c"), "192.168.10.25")
    return vms


@pytest.fixture
def groups(lab, instances):
    made = Groups(lab.host("h1"), PORTS)
    yield made
    made.clear()


# ---- the tutorial ----
def test_the_tutorials_walk(instances, groups):
    """R-SG-1, R-SG-2, R-SG-3, R-SG-4: seed 004, 4.4, as written."""
    vm1, vm2, vm3 = instances
    with listening(vm2, 22), listening(vm3, 22), listening(vm2, 23), listening(vm3, 23), \
            listening(vm1, 21), listening(vm1, 23):
        # 2. Before: by SSH's port from VM-1 to VM-2 and VM-3.
        wait_until(lambda: all(greeting(vm1, address, port) for address in (VM2, VM3) for port in (22, 23)), "all listen")
        # 3. The group, made with its network and its rule; VM-2 and VM-3 join.
        groups.apply({"kind": "security_group", "name": "web", "networks": ["cloud"]}, rule("web", "ingress", **TUTORIAL),
                     *({**PORTS[name], "security_groups": ["web"]} for name in ("vm2", "vm3")))
        for address in (VM2, VM3):
            assert greeting(vm1, address, 22) == ""
            assert greeting(vm1, address, 23) == "SSH-2.0-lab"
        # Egress is open still.
        assert greeting(vm2, VM1, 21) == "SSH-2.0-lab"
        # 4. The same outwards.
        groups.allow("web", "egress", **TUTORIAL)
        for vm in (vm2, vm3):
            assert greeting(vm, VM1, 21) == ""
            assert greeting(vm, VM1, 23) == "SSH-2.0-lab"
        # Inside the group everything passes, by the two rules that came with it.
        assert greeting(vm2, VM3, 22) == greeting(vm3, VM2, 22) == "SSH-2.0-lab"


def is_ping(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_ICMP


def test_a_new_group_has_two_rules_and_without_them_its_ports_do_not_meet(instances, groups):
    """R-SG-2: everything from and to the group itself; deleting them ends traffic inside the group at once."""
    _, vm2, vm3 = instances
    groups.make("inner", default=True)
    assert groups.names("security_group_rules") == ["inner/default-egress", "inner/default-ingress"]
    for item in groups.host.ask("GET", "/v1/security_group_rules")["items"]:
        assert item["document"]["remote_group"] == "inner" and item["document"]["default"] is True
    groups.join("vm2", "inner")
    groups.join("vm3", "inner")
    assert passes_ping(vm2, VM3) and passes_tcp(vm3, vm2, VM2, 4000) and passes_udp(vm2, vm3, VM3, 4000)
    assert not passes_ping(instances[0], VM2)
    flood = vm2.launch("ping", "-n", "-i", "0.01", VM3, stdout=subprocess.DEVNULL)
    try:
        with vm3.capture("eth0") as frames:
            wait_until(lambda: any(map(is_ping, frames.now())), "the flood flows")
        for name in ("inner/default-ingress", "inner/default-egress"):
            groups.delete_rule(name)
        with vm3.capture("eth0") as frames:
            time.sleep(0.3)
        assert flood.poll() is None
    finally:
        flood.kill()
        flood.wait()
    assert not any(map(is_ping, frames))
    assert not passes_tcp(vm3, vm2, VM2, 4000)
    # Applying the group again brings them not back.
    groups.apply({"kind": "security_group", "name": "inner"})
    assert groups.names("security_group_rules") == []


@pytest.mark.parametrize("peer, address, address6", [(1, VM2, VM2_6), (2, VM3, VM3_6)], ids=["one host", "across hosts"])
def test_a_group_without_rules_lets_nothing_in_and_everything_out(instances, groups, peer, address, address6):
    """R-SG-3: ingress closed, egress open; what is answered comes back."""
    vm1, other = instances[0], instances[peer]
    groups.make("empty")
    groups.join("vm1", "empty")
    for where in (VM1, VM1_6):
        assert not passes_ping(other, where)
        assert not passes_tcp(other, vm1, where, 4001)
        assert not passes_udp(other, vm1, where, 4001)
    for where in (address, address6):
        assert passes_ping(vm1, where)
        assert passes_tcp(vm1, other, where, 4001)
        assert passes_udp(vm1, other, where, 4001)


# ---- egress ----
def test_one_egress_rule_closes_everything_else_in_every_protocol(instances, groups):
    """R-SG-3: the example TCP 23-1024; in any of the port's groups."""
    vm1, vm2, vm3 = instances
    groups.make("out", rule("", "egress", **TUTORIAL))
    groups.make("plain")
    groups.join("vm2", "plain", "out")
    for peer, address, address6 in ((vm1, VM1, VM1_6), (vm3, VM3, VM3_6)):
        for where in (address, address6):
            assert not passes_tcp(vm2, peer, where, 22) and not passes_tcp(vm2, peer, where, 1025)
            assert passes_tcp(vm2, peer, where, 23) and passes_tcp(vm2, peer, where, 1024)
            assert not passes_udp(vm2, peer, where, 23)
            assert not passes_ping(vm2, where)
    groups.join("vm2", "plain")
    assert passes_ping(vm2, VM1) and passes_tcp(vm2, vm3, VM3, 22)


def test_the_default_egress_rule_closes_nothing_but_one_like_it_does(instances, groups):
    """R-SG-3: the rule is known by its origin, so that a group-only egress can still be written."""
    vm1, vm2, vm3 = instances
    groups.make("team", default=True)
    for name in ("vm2", "vm3"):
        groups.join(name, "team")
    assert passes_ping(vm2, VM1) and passes_ping(vm2, VM3)
    groups.allow("team", "egress", remote_group="team", name="only-us")
    assert not passes_ping(vm2, VM1) and passes_ping(vm2, VM3)
    groups.delete_rule("team/only-us")
    assert passes_ping(vm2, VM1)


def test_the_gateway_and_what_it_serves_need_no_rule(instances, groups):
    """R-SG-3: neighbours are found, whatever the groups say."""
    vm2, vm3 = instances[1:]
    groups.make("out", rule("", "egress", "tcp", port=23), rule("", "ingress", "tcp", port=23))
    groups.join("vm2", "out")
    groups.join("vm3", "out")
    vm2.ip("neighbour", "flush", "all")
    for where in (VM3, VM3_6):
        assert passes_tcp(vm2, vm3, where, 23)


# ---- what a rule says ----
def test_icmp_types(instances, groups):
    """R-SG-1: -1 is all; a type is that one, of IPv4 and IPv6 alike."""
    vm1, _, vm3 = instances
    groups.make("icmp", rule("", "ingress", "icmp", icmp_type=8))
    groups.join("vm3", "icmp")
    assert passes_ping(vm1, VM3) and not passes_ping(vm1, VM3_6)
    assert timestamps(vm1, vm3) == 0
    groups.allow("icmp", "ingress", "icmp", icmp_type=128)
    assert passes_ping(vm1, VM3_6)
    groups.delete_rule("icmp/ingress-icmp-type8")
    assert not passes_ping(vm1, VM3) and passes_ping(vm1, VM3_6)
    groups.allow("icmp", "ingress", "icmp", icmp_type=-1)
    assert passes_ping(vm1, VM3) and passes_ping(vm1, VM3_6) and timestamps(vm1, vm3) > 0
    assert not passes_udp(vm1, vm3, VM3, 4002)


def mac_of(instance):
    return instance.ip("-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]


def arriving(source, target, packet, times=3):
    """How many of these packets, sent as a frame, came to the target's interface."""
    frame = raw(Ether(src=mac_of(source), dst=mac_of(target)) / packet)
    with target.capture("eth0") as frames:
        for _ in range(times):
            source.send("eth0", frame)
        time.sleep(0.2)
    return sum(frame[14:14 + len(raw(packet))] == raw(packet) and frame[6:12] != bytes.fromhex(mac_of(target).replace(":", ""))
               for frame in frames)


def timestamps(source, target):
    return arriving(source, target, IP(src=VM1, dst=VM3) / ICMP(type=13))


def test_a_port_alone_a_range_and_all_ports(instances, groups):
    """R-SG-1: TCP and UDP, 1 to 65535."""
    vm1, vm2, _ = instances
    groups.make("ports", rule("", "ingress", "tcp", port=80), rule("", "ingress", "udp", ports="5000-5002"))
    groups.join("vm2", "ports")
    for address in (VM2, VM2_6):
        assert [port for port in (79, 80, 81) if passes_tcp(vm1, vm2, address, port)] == [80]
        assert [port for port in (4999, 5000, 5001, 5002, 5003) if passes_udp(vm1, vm2, address, port)] == [5000, 5001, 5002]
    groups.allow("ports", "ingress", "tcp", ports="1-65535")
    assert passes_tcp(vm1, vm2, VM2, 65535) and passes_tcp(vm1, vm2, VM2, 79)
    groups.allow("ports", "ingress", "udp")
    assert passes_udp(vm1, vm2, VM2, 4999)
    assert not passes_ping(vm1, VM2)
    groups.allow("ports", "ingress")
    assert passes_ping(vm1, VM2) and passes_ping(vm1, VM2_6)


def test_cidr_and_group_together_are_their_intersection(instances, groups):
    """R-SG-1"""
    vm1, vm2, vm3 = instances
    groups.make("friends")
    groups.make("guarded", rule("", "ingress", remote_cidr="10.20.0.12/31", remote_group="friends"))
    groups.join("vm3", "guarded")
    # Inside the CIDR, not in the group.
    assert not passes_ping(vm2, VM3)
    groups.join("vm1", "friends")
    # In the group, outside the CIDR.
    assert not passes_ping(vm1, VM3)
    groups.join("vm2", "friends")
    assert passes_ping(vm2, VM3) and not passes_ping(vm1, VM3)
    # The same address of IPv6 is in the group, but in no CIDR of IPv4.
    assert not passes_ping(vm2, VM3_6)
    groups.allow("guarded", "ingress", remote_cidr="fd00:20::12/127", remote_group="friends")
    assert passes_ping(vm2, VM3_6) and not passes_ping(vm1, VM3_6)
    groups.allow("guarded", "ingress", "tcp", remote_cidr="10.20.0.11/32")
    assert passes_tcp(vm1, vm3, VM3, 4003) and not passes_ping(vm1, VM3)


def test_only_what_is_related_to_a_connection_comes_back(instances, groups):
    """R-SG-1: stateful. Answers and errors about what went out pass; the like of them, unasked, do not."""
    vm1, vm2, _ = instances
    groups.make("closed")
    groups.join("vm1", "closed")
    with vm1.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((VM2, 9))
        asking.send(b"nobody listens")
        with pytest.raises(ConnectionRefusedError):
            asking.recv(10)
        own = asking.getsockname()[1]
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / UDP(sport=9, dport=own) / b"late but related") > 0
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / UDP(sport=10, dport=own) / b"from another port") == 0
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / TCP(sport=80, dport=40000, flags="A") / b"of no connection") == 0
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / TCP(sport=80, dport=40001, flags="SA")) == 0
    quoted = IP(src=VM1, dst=VM2) / UDP(sport=1111, dport=2222) / b"12345678"
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / ICMP(type=3, code=3) / quoted) == 0
    assert arriving(vm2, vm1, IP(src=VM2, dst=VM1) / ICMP(type=0)) == 0


# ---- groups and ports ----
def test_groups_of_a_port_form_a_union(instances, groups):
    """R-SG-4: and a change of membership is obeyed on both hosts when `apply --wait` returns."""
    vm1, vm2, vm3 = instances
    groups.make("a", rule("", "ingress", "tcp", port=100))
    groups.make("b", rule("", "ingress", "tcp", port=200))
    for name, vm, address in (("vm2", vm2, VM2), ("vm3", vm3, VM3)):
        for joined, open_ports in ((["a"], [100]), (["b", "a"], [100, 200]), (["b"], [200]), ([], [100, 200, 300])):
            groups.join(name, *joined)
            assert [port for port in (100, 200, 300) if passes_tcp(vm1, vm, address, port)] == open_ports, (name, joined)


def test_a_change_of_a_remote_groups_members_is_obeyed_on_every_host_at_once(instances, groups):
    """R-SG-4"""
    vm1, vm2, vm3 = instances
    groups.make("clients")
    groups.make("servers", rule("", "ingress", remote_group="clients"))
    groups.join("vm2", "servers")
    groups.join("vm3", "servers")
    for _ in range(3):
        assert not passes_ping(vm1, VM2) and not passes_ping(vm1, VM3)
        groups.join("vm1", "clients")
        assert passes_ping(vm1, VM2) and passes_ping(vm1, VM3) and passes_ping(vm1, VM3_6)
        groups.join("vm1")


def test_a_groups_networks_say_which_ports_may_join(instances, groups):
    """R-SG-4: they enrol none."""
    groups.make("lobbyists", networks=["lobby"])
    refused = groups.host.viaduct("apply", "-f", "-", check=False,
                                  input='{kind: port, name: vm1, subnet: cloud, addresses: [10.20.0.11, "fd00:20::11"], security_groups: [lobbyists]}')
    assert refused.returncode == 1
    sentence = refused.stderr.strip()
    assert "\n" not in sentence and all(word in sentence for word in ("vm1", "lobbyists", "cloud"))
    groups.apply({"kind": "security_group", "name": "lobbyists", "networks": ["lobby", "cloud"]})
    assert passes_ping(instances[1], VM1)
    groups.join("vm1", "lobbyists")
    assert not passes_ping(instances[1], VM1)


def test_a_port_without_groups_is_unfiltered_and_an_empty_rule_means_anyone(lab, instances, groups):
    """R-SG-8: anyone, be it no instance at all: a container's address is nobody's."""
    container, ecs = lab.node("node-c"), lab.instance("ecs")
    assert passes_ping(container, "192.168.10.25") and passes_ping(ecs, "172.16.0.2")
    groups.make("anyone")
    groups.join("ecs", "anyone")
    assert not passes_ping(container, "192.168.10.25")
    groups.allow("anyone", "ingress")
    assert passes_ping(container, "192.168.10.25") and passes_ping(lab.instance("node"), "192.168.10.25")
    assert passes_udp(container, ecs, "192.168.10.25", 4004)


def test_the_container_block_must_be_allowed(lab, instances, groups):
    """R-SG-5, and R-SG-6 for what a custom route brings: seed 001, both outputs: the group allows the nodes' CIDR only; then 172.16.0.0/16 too."""
    container = lab.node("node-c")

    def shown(count):
        return container.run("busybox", "ping", "-c", count, "-W", 1, "192.168.10.25", check=False).stdout

    groups.make("ecs", rule("", "ingress", remote_cidr="192.168.10.0/24"))
    groups.join("ecs", "ecs")
    before = lab.host("h2").dropped("policy_ingress")
    refused = shown(3)
    assert "PING 192.168.10.25 (192.168.10.25): 56 data bytes" in refused
    assert "3 packets transmitted, 0 packets received, 100% packet loss" in refused
    assert lab.host("h2").dropped("policy_ingress") == before + 3
    drop = lab.host("h2").recent_drops("policy_ingress")[-1]
    assert (drop["source"], drop["destination"]) == ("172.16.0.2", "192.168.10.25")
    assert passes_ping(lab.instance("node"), "192.168.10.25")
    groups.allow("ecs", "ingress", remote_cidr="172.16.0.0/16")
    allowed = shown(4)
    assert allowed.count("64 bytes from 192.168.10.25: seq=") == 4
    assert "4 packets transmitted, 4 packets received, 0% packet loss" in allowed


def test_what_a_custom_route_brings_still_needs_a_rule(lab, instances, groups):
    """R-SG-6, its custom routes: the groups of the instance that forwards judge what the route leads through its port, both ways."""
    container, ecs = lab.node("node-c"), lab.instance("ecs")
    groups.make("forwarder")
    groups.join("node", "forwarder")
    assert passes_ping(container, "192.168.10.25") and passes_tcp(container, ecs, "192.168.10.25", 4006)
    assert not passes_ping(ecs, "172.16.0.2") and not passes_udp(ecs, container, "172.16.0.2", 4006)
    before = lab.host("h1").dropped("policy_ingress")
    assert not passes_tcp(ecs, container, "172.16.0.2", 80)
    assert lab.host("h1").dropped("policy_ingress") > before
    groups.allow("forwarder", "ingress", "tcp", port=80, remote_cidr="192.168.10.25/32")
    assert passes_tcp(ecs, container, "172.16.0.2", 80) and not passes_ping(ecs, "172.16.0.2")
    groups.allow("forwarder", "egress", "icmp", remote_cidr="192.168.10.25/32")
    assert passes_ping(container, "192.168.10.25") and not passes_tcp(container, ecs, "192.168.10.25", 4006)
    assert passes_tcp(ecs, container, "172.16.0.2", 80), "an answer needs no rule"


def test_two_vpcs_with_one_cidr_and_one_group_do_not_mix(lab, instances, groups):
    """R-SG-4: members on two hosts, in two VPCs with equal CIDRs; an address counts in its own VPC only."""
    vm1, twin1 = instances[0], lab.instance("twin1")
    groups.make("shared", default=True)
    for name in ("vm1", "vm3", "twin3"):
        groups.join(name, "shared")
    assert passes_ping(vm1, VM3)
    # twin1 has the address that vm1 has, and is no member.
    assert not passes_ping(twin1, VM3)
    groups.join("twin1", "shared")
    assert passes_ping(twin1, VM3) and passes_ping(vm1, VM3)
    groups.join("vm1")
    assert passes_ping(twin1, VM3) and not passes_ping(vm1, VM3)
    assert passes_tcp(twin1, lab.instance("twin3"), VM3, 4005)


# ---- explained ----
@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("other, address", [("vm2", VM2), ("vm3", VM3)], ids=["one host", "across hosts"])
def test_drops_name_port_group_and_direction(lab, instances, groups, direction, other, address):
    """R-SG-1: on the host that judged: the source's egress, the destination's ingress."""
    groups.make("door", rule("", "ingress", "tcp", port=22))
    groups.make("gate", rule("", "egress", "tcp", port=22))
    closed = "vm1" if direction == "egress" else other
    host = lab.host("h1" if direction == "egress" or other == "vm2" else "h2")
    groups.join(closed, "gate" if direction == "egress" else "door")
    before = host.dropped(f"policy_{direction}")
    assert not passes_udp(instances[0], lab.instance(other), address, 4006)
    assert host.dropped(f"policy_{direction}") == before + 1
    drop = host.recent_drops(f"policy_{direction}")[-1]
    assert (drop["source"], drop["destination"], drop["destination_port"]) == (VM1, address, 4006)
    group = "gate" if direction == "egress" else "door"
    assert (drop["policy_port"], drop["direction"], drop["groups"]) == (closed, direction, group)
    line = [line for line in host.viaduct("drops").stdout.splitlines() if f"policy_{direction}" in line][-1]
    assert f"by {direction} of port {closed} ({group})" in line


def test_trace_names_group_and_rule(lab, instances, groups):
    groups.make("out", rule("", "egress", "tcp", ports="23-1024", name="low"))
    groups.make("in", rule("", "ingress", "tcp", port=23, remote_cidr="10.20.0.0/24"))
    groups.join("vm1", "out")
    groups.join("vm3", "in")

    def trace(*what):
        said = lab.host("h1").viaduct("trace", "vm1", VM3, *what, check=False)
        return said.stdout or said.stderr

    allowed = trace("tcp", 23)
    assert "out/low" in allowed and "in/ingress-tcp-23-10.20.0.0/24" in allowed
    assert "dropped" not in allowed.splitlines()[-1]
    refused = trace("tcp", 24)
    assert "out/low" in refused and "dropped" in refused and "vm3" in refused and "in" in refused
    refused = trace("tcp", 22)
    assert "dropped" in refused and "vm1" in refused and "out" in refused and "policy_egress" in refused
    assert "policy_egress" in trace("icmp")


def test_describe_port_shows_the_rules_in_force(lab, instances, groups):
    groups.make("first", rule("", "ingress", "tcp", ports="23-1024"), default=True)
    groups.make("second", rule("", "ingress", "icmp", icmp_type=8, remote_cidr="10.20.0.0/24"), rule("", "egress", remote_group="first"))
    groups.join("vm2", "first", "second")
    shown = lab.host("h1").viaduct("describe", "port", "vm2").stdout
    for word in ("first/ingress-tcp-23-1024", "first/default-ingress", "second/ingress-icmp-type8-10.20.0.0/24", "second/egress-all-first"):
        assert word in shown
    groups.delete_rule("first/ingress-tcp-23-1024")
    assert "23-1024" not in lab.host("h1").viaduct("describe", "port", "vm2").stdout
