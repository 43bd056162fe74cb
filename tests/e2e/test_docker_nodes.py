# SPDX-License-Identifier: Apache-2.0
"""Seed 002 without its steps 2, 4 and `iptables -P FORWARD ACCEPT`: both instances join a container network, and `my-net` stands on their
blocks, on real Docker (nftables on ecs1, the older iptables on ecs2). Then people and programs spoil what the nodes need.

    nginx 10.0.2.2 - my-net 10.0.2.1 [ecs1] 192.168.0.2 --h1-- VXLAN --h2-- 192.168.0.3 [ecs2] my-net 10.0.3.1 - nginx 10.0.3.2
"""

import contextlib
import os
import re
import signal
import socket
import time

import pytest
from scapy.all import ICMP, IP, Ether

import seeds
from lab import wait_until
from lab.engine import Docker
from lab.service import Firewalld
from traffic import Beat

LAB = """
name: nodes
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  ecs1: {ports: {ecs1: h1}, machine: {iptables: nft}, node: {addresses: [172.31.0.101/24]}}
  ecs2: {ports: {ecs2: h2}, machine: {iptables: legacy}, node: {addresses: [172.31.0.102/24]}}
  ecs3: {ports: {ecs3: h2}}
"""

DOCUMENTS = """
kind: vpc
name: demo
cidrs: [192.168.0.0/16]
---
kind: subnet
name: nodes
vpc: demo
cidrs: [192.168.0.0/24]
---
kind: security_group
name: containers
---
kind: security_group_rule
group: containers
direction: ingress
remote_cidr: 0.0.0.0/0
---
kind: port
name: ecs1
subnet: nodes
security_groups: [containers]
addresses: [192.168.0.2]
---
kind: port
name: ecs2
subnet: nodes
security_groups: [containers]
addresses: [192.168.0.3]
---
kind: port
name: ecs3
subnet: nodes
security_groups: [containers]
addresses: [192.168.0.4]
---
kind: container_network
name: pods
cidrs: [10.0.0.0/20]
block_size: 24
mode: routed
vpc: demo
"""

NODES = """
kind: container_block
container_network: pods
cidr: 10.0.2.0/24
node: ecs1
---
kind: container_block
container_network: pods
cidr: 10.0.3.0/24
node: ecs2
---
kind: node
name: ecs1
container_networks: [pods]
port: ecs1
---
kind: node
name: ecs2
container_networks: [pods]
port: ecs2
"""

BLOCKS = {"ecs1": "10.0.2.0/24", "ecs2": "10.0.3.0/24"}
OTHER = {"ecs1": "ecs2", "ecs2": "ecs1"}
FAR = {"ecs1": "10.0.3.2", "ecs2": "10.0.2.2"}


@pytest.fixture(scope="module")
def engines(lab, reach):
    found = {}
    for name, block in BLOCKS.items():
        node = lab.instance(name)
        found[name] = Docker(node).start()
        found[name].docker("network", "create", "--subnet", block, "my-net")
        found[name].docker("run", "-d", "--name", "nginx", "--net", "my-net", "-p", "8080:80", "nginx:alpine")
        # dockerd, which came first, turned forwarding on and set this.
        assert "-P FORWARD DROP" in node.run("iptables", "-S").stdout
    assert not pings(found["ecs1"], FAR["ecs1"])
    lab.host("h1").apply(NODES)
    for name, engine in found.items():
        wait_until(lambda: pings(engine, FAR[name]), f"nginx of {name} reaches the other", 15)
    yield found
    for engine in found.values():
        engine.stop()


def pings(engine, target, patience=0.2):
    """One new conversation, from the container's own namespace: `docker exec` takes a third of a second by itself."""
    pid = engine.inspect("nginx")["State"]["Pid"]
    return pid and engine.node.run("nsenter", "-t", pid, "-n", "ping", "-c", 1, "-W", patience, target, check=False).returncode == 0


def fetch(engine, address, port):
    """busybox's wget looks for names, and dies of it when it is linked statically."""
    return engine.exec("nginx", "sh", "-c", f"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 10 {address} {port}", check=False).stdout


def changes(lab, name):
    return {change["what"]: change["times"] for change in lab.host(name).live("status")["changes"]}


def test_ping_of_the_seed(engines):
    """R-SCN-1, R-CTR-4, R-CTR-5: no route, no source check, no policy was set by hand"""
    assert seeds.is_printed(engines["ecs1"].exec("nginx", "ping", "-c", 4, "10.0.3.2").stdout, seeds.PING_002)


def test_traceroute_of_the_seed(engines):
    """R-SCN-1, R-RTR-7"""
    assert seeds.is_printed(engines["ecs1"].exec("nginx", "traceroute", "-d", "10.0.3.2").stdout, seeds.TRACEROUTE_002)


def test_containers_come_with_their_own_addresses(lab, engines):
    """R-CTR-5: Docker's masquerade leaves them alone, towards containers, nodes and instances"""
    for name, own in (("ecs1", "10.0.2.2"), ("ecs2", "10.0.3.2")):
        ecs3 = lab.instance("ecs3")
        with ecs3.capture("eth0") as frames:
            assert pings(engines[name], "192.168.0.4", 2)
        requests = [packet for packet in map(Ether, frames) if ICMP in packet and packet[ICMP].type == 8]
        assert {packet[IP].src for packet in requests} == {own}


def test_published_ports_work(lab, engines):
    """R-CTR-5: -p 8080:80, from another instance, from the other node's container and by its own address"""
    for address in ("192.168.0.2", "192.168.0.3"):
        assert lab.instance("ecs3").run("curl", "-sS", "-m", "10", f"http://{address}:8080/").stdout == "served by busybox\n"
    assert fetch(engines["ecs1"], "192.168.0.3", 8080).endswith("served by busybox\n")
    assert fetch(engines["ecs1"], "10.0.3.2", 80).endswith("served by busybox\n")


def heard_from(receiver, sender):
    """The address that the receiver sees when the sender's one socket sends."""
    sender.send(b"hello")
    with contextlib.suppress(TimeoutError):
        return receiver.recvfrom(64)[1][0]


@pytest.mark.parametrize("name", ["ecs1", "ecs2"])
def test_a_flow_that_began_without_our_rules_recovers(lab, engines, name):
    """R-CTR-5: its first packet met Docker's masquerade alone, while our exemption was away and the keeper could not see it; a
    conversation that goes on from one port has its own address again soon after the rules are back."""
    with contextlib.ExitStack() as stack:
        receiver, sender = (stack.enter_context(engines[each].namespace("nginx").socket(socket.AF_INET, socket.SOCK_DGRAM))
                            for each in (OTHER[name], name))
        receiver.bind((FAR[name], 7200))
        receiver.settimeout(1)
        sender.bind((FAR[OTHER[name]], 7300))
        sender.connect((FAR[name], 7200))
        os.kill(lab.host(name).pid, signal.SIGSTOP)
        try:
            lab.instance(name).run("nft", "delete", "table", "inet", "viaduct")
            assert heard_from(receiver, sender) == {"ecs1": "192.168.0.2", "ecs2": "192.168.0.3"}[name]
        finally:
            os.kill(lab.host(name).pid, signal.SIGCONT)
        wait_until(lambda: heard_from(receiver, sender) == FAR[OTHER[name]], "it has its own address", 5)
    wait_until(lambda: "conntrack: connections that were translated for want of our rules were ended" in changes(lab, name), "it is said", 5)


SPOILS = {
    "iptables -F": "iptables -F",
    "iptables -t nat -F": "iptables -t nat -F",
    "nft flush ruleset": "nft flush ruleset",
    "rp_filter": "sysctl -qw net.ipv4.conf.all.rp_filter=1",
    "rp_filter of the link": "sysctl -qw net.ipv4.conf.eth0.rp_filter=1",
    "ip_forward": "sysctl -qw net.ipv4.ip_forward=0",
}
SAID = {
    "iptables -F": "the jump to our rules in FORWARD was put back",
    "nft flush ruleset": "the table inet viaduct was put back",
    "ip_forward": "net.ipv4.ip_forward was 0: set to 1",
    "rp_filter": "net.ipv4.conf.eth0.rp_filter was",
}


@contextlib.contextmanager
def beating(engines, name):
    """Datagrams every 10 ms from nginx to nginx, from and to the named node: two Beats."""
    here, there = (engines[each].namespace("nginx") for each in (name, OTHER[name]))
    with Beat(here, there, FAR[name]) as out, Beat(there, here, FAR[OTHER[name]]) as back:
        wait_until(lambda: out.is_answered() and back.is_answered(), "it beats", 5)
        yield out, back


def longest_gap(beats, since):
    """When something happened and for as long as it mattered: seconds without traffic, either way, translated or not."""
    wait_until(lambda: all(beat.is_answered() for beat in beats), "both ways", 10)
    time.sleep(0.6)  # … and stay so, also behind the next look
    return max(beat.gap(since) for beat in beats)


def last_translated(beat, own):
    """When the last datagram was sent that came without the container's own address; 0: none did."""
    return max((when for address, when in beat.seen.items() if address != own), default=0)


@pytest.mark.parametrize("name", ["ecs1", "ecs2"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_traffic_is_back_within_a_second(lab, engines, name, spoil):
    """R-CTR-5: whatever is flushed or set, new connections work again, untranslated, and status says what was changed. A new connection
    every 10 ms: how long none of them is answered."""
    before = changes(lab, name)
    with beating(engines, name) as beats:
        spoiled = time.monotonic()
        lab.instance(name).run("sh", "-c", SPOILS[spoil])
        assert longest_gap(beats, spoiled) < 1
        assert beats[0].ran(spoiled, last_translated(beats[0], FAR[OTHER[name]])) < 1
    lab.instance(name).run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
    if spoil in SAID:
        said = [what for what, times in changes(lab, name).items() if times > before.get(what, 0)]
        assert any(SAID[spoil] in what for what in said), said


@pytest.mark.parametrize("name", ["ecs1", "ecs2"])
def test_dockerd_is_restarted(lab, engines, name):
    """R-CTR-5: dockerd stops its containers and starts none of them again. Measured is from when `docker start` says that the container
    runs until it reaches the other and is reached, as a new connection each."""
    engines[name].restart()
    engines[name].docker("start", "nginx")
    started = time.monotonic()
    with beating(engines, name) as beats:
        wait_until(lambda: all(beat.is_answered() for beat in beats), "both ways", 5)
        first = [next(when for when, answered in beat.beats if answered) for beat in beats]
        # To ask Docker where to send from takes time, too: silence is what was sent in vain.
        for beat, answered in zip(beats, first):
            begun = beat.beats[0][0]
            assert answered == begun or begun - started + beat.ran(begun, answered) < 1
        assert longest_gap(beats, max(first)) < 1
    lab.instance("ecs3").run("curl", "-sS", "-m", "10", f"http://{'192.168.0.2' if name == 'ecs1' else '192.168.0.3'}:8080/")


@pytest.mark.parametrize("name", ["ecs1", "ecs2"])
def test_dockerd_is_restarted_under_running_containers(lab, engines, name):
    """R-CTR-5: with live-restore containers run on, while dockerd ends and writes its rules anew: the longest silence of all that time,
    of new connections between them, every 10 ms"""
    engine = engines[name]
    engine.live_restore = True
    engine.restart()
    engine.docker("start", "nginx")
    wait_until(lambda: pings(engine, FAR[name]), "it reaches the other", 5)
    with beating(engines, name) as beats:
        stopped = time.monotonic()
        engine.restart()
        assert longest_gap(beats, stopped) < 1
        assert last_translated(beats[0], FAR[OTHER[name]]) == 0
    engine.live_restore = False


def test_firewalld_comes_and_is_reloaded(lab, engines):
    """R-CTR-5: firewalld rejects what is forwarded, but not to and from containers. The longest silence of new connections is measured
    from when it is told to reload: what it is silent itself, while it writes its rules anew, counts."""
    with Firewalld(lab.instance("ecs1")) as firewalld:
        wait_until(lambda: pings(engines["ecs1"], "10.0.3.2"), "with firewalld", 10)
        with beating(engines, "ecs1") as beats:
            for _ in range(2):
                told = time.monotonic()
                firewalld.reload()
                assert longest_gap(beats, told) < 1
        assert any("firewalld" in what for what in changes(lab, "ecs1"))
    # It took Docker's own chains away; dockerd makes them again when it starts.
    engines["ecs1"].restart()
    engines["ecs1"].docker("start", "nginx")
    wait_until(lambda: pings(engines["ecs1"], FAR["ecs1"]), "it reaches the other", 5)


def test_a_users_own_table_that_drops_is_named(lab, engines):
    """R-CTR-5: an nftables table of somebody's with a policy of drop; it is said, and stays as it is"""
    ecs1, status = lab.instance("ecs1"), lambda: lab.host("ecs1").viaduct("status").stdout
    assert pings(engines["ecs1"], FAR["ecs1"], 2)
    ecs1.run("nft", "-f", "-", input="table inet mine {\n chain gate {\n type filter hook forward priority 10; policy drop;\n }\n}\n")
    try:
        wait_until(lambda: not pings(engines["ecs1"], FAR["ecs1"]) and "the chain gate of the nftables table inet mine drops packets of "
                   "containers (10.0.2.2 to 10.0.3.2): let them through there" in status(), "the status names it", 5)
        assert "policy drop" in ecs1.run("nft", "list", "table", "inet", "mine").stdout
    finally:
        ecs1.run("nft", "delete", "table", "inet", "mine")
    wait_until(lambda: "inet mine" not in status(), "nothing is said any more", 5)
    assert pings(engines["ecs1"], FAR["ecs1"], 2)


def test_status_shows_what_was_changed(lab, engines):
    """R-CTR-5"""
    lab.instance("ecs1").run("nft", "delete", "table", "inet", "viaduct")
    wait_until(lambda: "nftables: the table inet viaduct was put back" in lab.host("ecs1").viaduct("status").stdout, "it is said", 5)
    shown = lab.host("ecs1").viaduct("status").stdout
    assert re.search(r"^CHANGED BACK +HOST +TIMES +LAST$", shown, re.M), shown
    assert re.search(r"^10\.0\.2\.0/24 +ecs1 +pods +default +10\.0\.2\.1 +br-[0-9a-f]{12}$", shown, re.M), shown
    assert re.search(r"^nftables: the table inet viaduct was put back +ecs1 +\d+ +20\d\d-", shown, re.M), shown


def test_viaduct_makes_the_docker_network(lab, engines):
    """R-CTR-5: the block is printed, and Docker gets a bridge on it with the network's MTU; once."""
    host, node = lab.host("ecs1"), lab.instance("ecs1")
    lab.host("h1").apply("kind: container_network\nname: apps\ncidrs: [10.1.0.0/16]\nmode: routed\nvpc: demo\n")
    assert host.viaduct("block").stdout == "10.0.2.0/24\n"
    host.viaduct("join", "apps", "--port", "ecs1")
    assert host.viaduct("block", "apps").stdout == "10.1.0.0/24\n"
    assert "say which with --container-network" in host.viaduct("docker", "network", "apps-net", check=False).stderr
    made = host.viaduct("docker", "network", "apps-net", "--container-network", "apps").stdout
    assert made == "Docker network apps-net has 10.1.0.0/24 of container_network apps\n"
    again = host.viaduct("docker", "network", "apps-net", "--container-network", "apps").stdout
    assert again == "Docker network apps-net stands on this host's block of container_network apps already\n"
    other = host.viaduct("docker", "network", "other", "--container-network", "apps", check=False)
    assert other.returncode == 1 and "the Docker network apps-net stands on this host's block" in other.stderr

    engines["ecs1"].docker("run", "-d", "--name", "app", "--net", "apps-net", "nginx:alpine")
    assert engines["ecs1"].address("app", "apps-net") == "10.1.0.2"
    assert "mtu 1450" in engines["ecs1"].exec("app", "ip", "link", "show", "eth0").stdout
    wait_until(lambda: pings(engines["ecs2"], "10.1.0.2"), "a container of another network reaches it", 5)
    assert lab.instance("ecs3").ping("10.1.0.2", count=2).ttls == [63] * 2
    engines["ecs1"].docker("rm", "-f", "app")
    engines["ecs1"].docker("network", "rm", "apps-net")
    wait_until(lambda: "-i vdh" in node.run("iptables", "-S").stdout, "the bridge went: the block is behind our host port again", 5)


def test_no_docker_answers(lab, engines):
    host = lab.host("ecs1")
    refused = host.viaduct("docker", "network", "n", "--container-network", "pods", "--docker-host", "unix:/nowhere", check=False)
    assert refused.returncode == 1 and "no Docker engine answers at /nowhere" in refused.stderr
    refused = host.viaduct("docker", "network", "n", "--container-network", "pods", "--docker-host", "tcp://127.0.0.1:2375", check=False)
    assert refused.returncode == 1 and "give unix:PATH" in refused.stderr
    assert "holds no block" in lab.host("h2").viaduct("block", check=False).stderr


def occupied(lab, name):
    return lab.host(name).ask("GET", f"/v1/hosts/{name}")["claim"].get("occupied")


def test_a_block_on_docker0_is_reported(lab, engines):
    """R-CTR-8: Docker's own bridge, another network of Docker's by its name, and a route are what a block collides with; both are named."""
    engines["ecs1"].docker("network", "create", "--subnet", "10.7.0.0/24", "theirs")
    lab.instance("ecs1").ip("route", "add", "10.8.0.0/16", "via", "192.168.0.1")
    wait_until(lambda: occupied(lab, "ecs1") == {"Docker network theirs": "10.7.0.0/24", "eth0": "10.8.0.0/16, 192.168.0.0/24",
                                                 "docker0": "172.17.0.0/16", "u0": "172.31.0.0/24"}, "the claim says so", 5)
    lab.host("h1").apply("""
kind: container_network
name: wide
cidrs: [172.17.0.0/16]
mode: tunnel
---
kind: container_block
container_network: wide
cidr: 172.17.5.0/24
node: ecs1
""")
    joined = lab.host("ecs1").viaduct("join", "wide", check=False)

    def status():
        return lab.host("h1").ask("GET", "/v1/container_blocks/wide%2F172.17.5.0%2F24")["status"]

    wait_until(lambda: status()["state"] == "colliding", "the block's status says so", 5)
    assert "docker0 (172.17.0.0/16)" in status()["reason"] and "ecs1" in status()["reason"], joined
    lab.host("ecs1").viaduct("leave", "wide")


def test_leaving_gives_everything_back(lab, engines):
    """R-CTR-5: what others have set stays as it is"""
    node = lab.instance("ecs2")
    assert "viaduct" in node.run("iptables-save").stdout.lower()
    lab.host("h1").viaduct("delete", "node", "ecs2")
    wait_until(lambda: "viaduct" not in node.run("iptables-save").stdout.lower() + node.run("nft", "list", "ruleset").stdout, "no rule of ours", 10)
    assert "DOCKER-USER" in node.run("iptables-save").stdout
    lab.host("h1").apply(NODES)
    wait_until(lambda: pings(engines["ecs2"], FAR["ecs2"]), "a node again, it reaches the other")
