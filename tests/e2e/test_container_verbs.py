# SPDX-License-Identifier: Apache-2.0
"""What CNI and Docker programs are built on: /v1/containers. Addresses are given once, links come whole and go whole, whatever dies."""

import concurrent.futures
import contextlib
import ipaddress
import json
import os
import random
import signal
import sqlite3
import threading
import time

import pytest

from lab import wait_until
from lab.namespace import Namespace

LAB = """
name: verbs
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
"""

NETWORKS = """
kind: container_network
name: net
cidrs: [10.0.0.0/16, "fd00:10::/64"]
mode: routed
provider: host
---
kind: container_network
name: small
cidrs: [10.7.0.0/27]
block_size: 29
mode: tunnel
---
kind: node
name: h1
container_networks: [net, small]
---
kind: node
name: h2
container_networks: [net]
---
kind: container_block
container_network: net
cidr: 10.0.2.0/24
node: h1
---
kind: container_block
container_network: net
cidr: 10.0.3.0/24
node: h2
"""


@pytest.fixture(scope="module")
def hosts(lab):
    for host in lab.hosts.values():
        host.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    lab.host("h1").apply(NETWORKS)
    return lab.host("h1"), lab.host("h2")


@pytest.fixture
def spaces(lab):
    """spaces(name): an empty network namespace, as a runtime makes one."""
    made = {}

    def space(name):
        if name not in made:
            made[name] = Namespace(f"{lab.name}-{name}", name)
            made[name].create()
        return made[name]

    yield space
    for one in made.values():
        with contextlib.suppress(Exception):
            one.delete()


def ask(host, verb, **arguments):
    return host.ask("POST", f"/v1/containers/{verb}", arguments)


def refusal(host, verb, **arguments):
    """(the code word, the sentence)"""
    status, reply = host.request("POST", f"/v1/containers/{verb}", arguments)
    assert status >= 400, reply
    return reply["code"], reply["error"]


def add(host, space, key=None, network="net", **more):
    return ask(host, "add", network=network, key=key or f"cni/{network}/{space.title}/eth0", netns=str(space.path), ifname="eth0", **more)


def listed(host, network=None):
    found = host.ask("GET", "/v1/containers")["containers"]
    return {one["key"]: one for one in found if network in (None, one["network"])}


def links(host):
    return {line.split("@")[0].split(":")[0] for line in host.ip("-br", "link").splitlines() if line.startswith("vd8")}


def bare(address):
    return address.split("/")[0]


def port_entries(host):
    return host.ask("POST", "/v1/live/status")["datapath"]["maps"]["vd_port"]["entries"]


@pytest.fixture(autouse=True)
def nothing_is_left(hosts, spaces):
    """After each test: no container, no link of one, no address that is somebody's."""
    for host in hosts:
        if not host.is_running():  # a test that failed left it so
            host.start()
    yield
    for host in hosts:
        ask(host, "gc", prefix="cni/", valid=[])
        assert {key: one for key, one in listed(host).items() if one["state"] == "up"} == {}
        assert links(host) == set()
        wait_until(lambda: port_entries(host) == len([line for line in host.ip("-br", "link").splitlines() if line.startswith("vdi")]),
                   f"{host.title}: no entry of a port is left over")


def test_two_containers_of_a_node_meet(hosts, spaces):
    """R-CTR-1, R-CTR-2: one verb gives a container its place; from there it reaches its neighbours, its gateway and the node."""
    h1, _ = hosts
    first, second = add(h1, spaces("a"), hostname="web"), add(h1, spaces("b"))
    assert first["addresses"][0] == "10.0.2.2/24" and first["gateways"][0] == "10.0.2.1"
    assert first["addresses"][1].endswith("/112") and len(first["gateways"]) == 2
    assert first["network"] == "default/net" and first["peer_ifname"] == "eth0" and first["mtu"] == 1450
    assert second["addresses"][0] == "10.0.2.3/24"
    for there in (*second["addresses"], *first["gateways"]):
        answer = spaces("a").ping(bare(there))
        assert answer.received == 1 and answer.ttls == [64]
    assert h1.ping("10.0.2.2").received == 1
    assert f"link/ether {first['mac']}" in spaces("a").ip("link", "show", "eth0")
    assert first["ifname"] in links(h1)
    row = listed(h1)["cni/net/a/eth0"]
    assert row["state"] == "up" and row["hostname"] == "web" and row["addresses"] == first["addresses"]
    assert abs(row["since"] - time.time()) < 60
    ask(h1, "delete", key="cni/net/a/eth0")
    assert spaces("a").run("ip", "link", "show", "eth0", check=False).returncode != 0
    assert spaces("b").ping("10.0.2.2", timeout=0.3).received == 0
    ask(h1, "delete", key="cni/net/a/eth0")


def test_an_order_is_done_once(hosts, spaces):
    h1, _ = hosts
    first = add(h1, spaces("a"))
    assert add(h1, spaces("a")) == first
    assert add(h1, spaces("a"), bandwidth={"ingress_rate": 8000}) == first
    code, sentence = refusal(h1, "add", network="net", key="cni/net/a/eth0", netns=str(spaces("b").path))
    assert code == "conflict" and "cni/net/a/eth0" in sentence
    # Somebody else's interface of that name is no reason to lose an address.
    code, sentence = refusal(h1, "add", network="net", key="cni/net/c/eth0", netns=str(spaces("a").path), ifname="eth0")
    assert code == "conflict" and "eth0" in sentence
    assert set(listed(h1)) == {"cni/net/a/eth0"} and len(links(h1)) == 1


def test_refusals_have_words_for_programs(hosts, spaces):
    h1, h2 = hosts
    there = str(spaces("a").path)
    assert refusal(h1, "add", network="nowhere", key="k", netns=there)[0] == "unknown_network"
    assert refusal(h2, "add", network="small", key="k", netns=there)[0] == "not_a_node"
    assert refusal(h1, "add", network="net", key="k", netns="/run/netns/none")[0] == "no_namespace"
    assert refusal(h1, "add", network="net", key="k", netns=str(h1.path))[0] == "invalid"
    assert refusal(h1, "add", network="net", netns=there)[0] == "invalid"
    assert refusal(h1, "add", network="net", key="k", netns=there, addresses=["10.0.2.1"])[0] == "invalid"
    assert refusal(h1, "add", network="net", key="k", netns=there, addresses=["10.0.2.0"])[0] == "invalid"
    assert refusal(h1, "add", network="net", key="k", netns=there, addresses=["10.0.3.9"])[0] == "invalid"
    assert refusal(h1, "add", network="net", key="k", netns=there, addresses=["10.0.2.7", "10.0.2.8"])[0] == "invalid"
    assert refusal(h1, "check", key="k")[0] == "not_found"
    assert refusal(h1, "gc", prefix="", valid=[])[0] == "invalid"
    assert listed(h1) == {}


def test_an_address_may_be_asked_for(hosts, spaces):
    h1, _ = hosts
    assert add(h1, spaces("a"), addresses=["10.0.2.77"])["addresses"][0] == "10.0.2.77/24"
    code, sentence = refusal(h1, "add", network="net", key="other", netns=str(spaces("b").path), addresses=["10.0.2.77"])
    assert code == "in_use" and "cni/net/a/eth0" in sentence


def test_check_says_what_is_missing(hosts, spaces):
    h1, _ = hosts
    space = spaces("a")
    answer = add(h1, space)
    asked = {"key": "cni/net/a/eth0", "netns": str(space.path), "ifname": "eth0"}
    assert ask(h1, "check", **asked) == answer
    assert refusal(h1, "check", **{**asked, "ifname": "eth1"})[0] == "conflict"
    assert refusal(h1, "check", **{**asked, "netns": str(spaces("b").path)})[0] == "conflict"
    route = ("default", "via", "10.0.2.1")
    address = (answer["addresses"][0], "dev", "eth0")
    for damage, words, repair in (
            (("route", "del", *route), ("route to 0.0.0.0/0",), [("route", "add", *route)]),
            (("address", "del", *address), ("address 10.0.2.", "is gone"), [("address", "add", *address), ("route", "add", *route)]),
            (("link", "set", "eth0", "down"), ("eth0", "is down"), [])):
        space.ip(*damage)
        code, sentence = refusal(h1, "check", **asked)
        assert code == "not_found" and all(word in sentence for word in words), sentence
        for step in repair:
            space.ip(*step)
        assert not repair or ask(h1, "check", **asked) == answer


def test_limits_are_listed_as_they_were_asked_for(hosts, spaces):
    h1, _ = hosts
    add(h1, spaces("a"), bandwidth={"ingress_rate": 8000000, "ingress_burst": 800000, "egress_rate": 80000000})
    assert listed(h1)["cni/net/a/eth0"]["bandwidth"] == {
        "ingress_rate": 8000000, "ingress_burst": 800000, "egress_rate": 80000000, "egress_burst": 800000,
        "ingress_dropped": 0, "egress_dropped": 0}


def test_blocks_fill_and_more_are_taken(hosts, spaces):
    """R-CTR-2: a full block is followed by another one; a full network says so, and what comes free can be had again."""
    h1, _ = hosts
    space = spaces("many")
    found = []
    for number in range(20):
        found.append(ask(h1, "add", network="small", key=f"cni/small/{number}", netns=str(space.path), ifname=f"eth{number}")["addresses"][0])
        block = ipaddress.ip_network(f"{bare(found[-1])}/29", strict=False)
        assert f"ip saddr {block} " in h1.run("nft", "list", "table", "inet", "viaduct").stdout, "what it sends is translated from the first packet on"
    assert len(set(found)) == 20
    assert all(int(bare(one).split(".")[3]) % 8 not in (0, 1, 7) for one in found)
    code, sentence = refusal(h1, "add", network="small", key="cni/small/x", netns=str(space.path), ifname="ethx")
    assert code == "full" and "small" in sentence
    ask(h1, "delete", key="cni/small/7")
    assert ask(h1, "add", network="small", key="cni/small/x", netns=str(space.path), ifname="ethx")["addresses"] == [found[7]]


def test_an_address_comes_again_as_late_as_possible(hosts, spaces):
    h1, _ = hosts
    seen = []
    for _ in range(5):
        seen.append(add(h1, spaces("a"))["addresses"][0])
        ask(h1, "delete", key="cni/net/a/eth0")
    assert len(set(seen)) == 5


def test_reservations_become_containers_and_stand_again(hosts, spaces):
    """Docker's order: an address, an endpoint with it, the endpoint goes, the address goes; in whatever order the last two come."""
    h1, _ = hosts
    gateway = ask(h1, "reserve", network="net", key="g", family=4, gateway=True)
    assert gateway["address"] == "10.0.2.1/24"
    one = ask(h1, "reserve", network="net", key="docker-address/default/net/", family=4)
    key = f"docker-address/default/net/{bare(one['address'])}"
    assert one["key"] == key and listed(h1)[key]["state"] == "reserved"
    assert refusal(h1, "add", network="net", key="d", addresses=[one["address"]])[0] == "in_use"
    made = ask(h1, "add", network="net", key="cni/docker", addresses=[one["address"]], reserved=[key])
    assert made["addresses"] == [one["address"]] and made["peer_ifname"].startswith("vdp")
    assert made["peer_ifname"] in h1.ip("link")
    # What Docker does: moves the link, and configures it.
    space = spaces("docker")
    h1.ip("link", "set", made["peer_ifname"], "netns", space.name)
    space.ip("address", "add", one["address"], "dev", made["peer_ifname"])
    space.ip("link", "set", made["peer_ifname"], "up")
    space.ip("route", "add", "default", "via", made["gateways"][0])
    assert h1.ping(bare(one["address"])).received == 1
    assert listed(h1)["cni/docker"]["peer_ifname"] == made["peer_ifname"] and key not in listed(h1)
    ask(h1, "delete", key="cni/docker")
    assert listed(h1)[key]["state"] == "reserved"
    ask(h1, "release", key=key)
    ask(h1, "release", key=key)
    assert listed(h1) == {}
    # Released before its container is gone: free with it, and not before.
    one = ask(h1, "reserve", network="net", key="r", address="10.0.2.99")
    ask(h1, "add", network="net", key="cni/docker", addresses=["10.0.2.99"], reserved=["r"])
    ask(h1, "release", key="r")
    assert refusal(h1, "reserve", network="net", key="r2", address="10.0.2.99")[0] == "in_use"
    ask(h1, "delete", key="cni/docker")
    assert listed(h1) == {}


def test_gc_takes_what_is_not_valid(hosts, spaces):
    h1, _ = hosts
    for name in ("a", "b", "c"):
        add(h1, spaces(name))
    ask(h1, "reserve", network="net", key="docker-address/x", family=4)
    removed = ask(h1, "gc", network="net", prefix="cni/net/", valid=["cni/net/b/eth0"])["removed"]
    assert sorted(removed) == ["cni/net/a/eth0", "cni/net/c/eth0"]
    assert set(listed(h1)) == {"cni/net/b/eth0", "docker-address/x"}
    ask(h1, "release", key="docker-address/x")


def test_a_namespace_that_goes_takes_its_container_along(hosts, spaces):
    """A runtime that dies with its containers calls nobody: nothing leaks."""
    h1, _ = hosts
    add(h1, spaces("a"))
    spaces("a").delete()
    wait_until(lambda: listed(h1) == {} and not links(h1), "the container is gone with its namespace")


def test_containers_outlive_the_daemon(hosts, spaces):
    """R-OPS-5 for containers: traffic goes on without the daemon, and the next one knows what stands."""
    h1, _ = hosts
    before = add(h1, spaces("a")), add(h1, spaces("b"))
    rows = listed(h1)
    h1.kill9()
    assert spaces("a").ping(bare(before[1]["addresses"][0])).received == 1
    h1.start()
    # What stands is left as it stands: no flow is decided anew.
    assert h1.live("status")["map_writes"] == 0
    assert listed(h1) == rows
    assert spaces("a").ping(bare(before[1]["addresses"][0])).received == 1
    assert add(h1, spaces("a")) == before[0]
    third = add(h1, spaces("c"))
    assert third["addresses"][0] not in {one["addresses"][0] for one in before}
    # What went while nobody was there.
    h1.kill9()
    spaces("c").delete()
    h1.ip("link", "del", before[1]["ifname"])
    h1.start()
    wait_until(lambda: set(listed(h1)) == {"cni/net/a/eth0"}, "rows without links are gone")
    # And links without rows: whoever lost the journal does not know whose addresses they have.
    h1.kill9()
    for path in h1.run_directory.glob("containers*"):
        path.unlink()
    h1.start()
    wait_until(lambda: not links(h1), "links that no row knows are gone")
    assert spaces("a").ping(bare(before[1]["addresses"][0]), timeout=0.3).received == 0


def journal_rows(lab):
    with contextlib.closing(sqlite3.connect(f"file:{lab.host('h1').run_directory}/containers?mode=ro", uri=True)) as db:
        return {key: json.loads(body) for key, body in db.execute("SELECT key, body FROM container")}


def test_a_kill_at_any_time_leaks_nothing_and_gives_nothing_twice(lab, hosts, spaces):
    """R-CTR-2: kill -9 of the daemon in the middle of adds and deletes, eight at a time."""
    h1, _ = hosts
    end, latest = time.monotonic() + 12, time.monotonic() + 120
    twice, lock, held, done = [], threading.Lock(), {}, [0]

    def goes_on():
        """Twelve seconds, and longer where so much is not done by then: a slow machine starts few daemons in that time."""
        return time.monotonic() < end or done[0] <= 50 and time.monotonic() < latest

    def worker(number):
        chance = random.Random(number)
        space = spaces_made[number]
        key = f"cni/net/{space.title}/eth0"
        while goes_on():
            try:
                answer = add(h1, space)
                with lock:
                    if answer["addresses"][0] in held:
                        twice.append((answer["addresses"][0], key, held[answer["addresses"][0]]))
                    held[answer["addresses"][0]] = key
                if chance.random() < 0.1:
                    ask(h1, "check", key=key, netns=str(space.path), ifname="eth0")
                with lock:
                    del held[answer["addresses"][0]]
                    done[0] += 1
                ask(h1, "delete", key=key)
            except Exception:
                # A runtime that got no answer deletes, until that works.
                with lock:
                    for address in [address for address, holder in held.items() if holder == key]:
                        del held[address]
                while time.monotonic() < latest + 60:
                    try:
                        ask(h1, "delete", key=key)
                        break
                    except Exception:
                        time.sleep(0.05)

    spaces_made = [spaces(f"w{number}") for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(worker, number) for number in range(8)]
        chance = random.Random(1)
        while time.monotonic() < end - 2 or goes_on() and done[0] <= 50:
            before = done[0]
            time.sleep(0.3 + chance.random() * 0.5)
            quietly(wait_until, lambda: done[0] > before, "something was done between two kills", 5)
            h1.kill9()
            h1.start()
        for future in futures:
            future.result()
    assert twice == []
    assert done[0] > 50
    wait_until(lambda: listed(h1) == {} and not links(h1), "nothing is left")
    for number, space in enumerate(spaces_made):
        assert "eth0" not in space.ip("-br", "link")


def test_a_container_moves_with_its_address(hosts, spaces):
    """R-SCN-11, R-CTR-3: the container that had the address is gone on its node; on another one it gets the same, and routes follow."""
    h1, h2 = hosts
    here, other = add(h1, spaces("a")), add(h1, spaces("b"))
    address = here["addresses"][0]
    code, sentence = refusal(h2, "add", network="net", key="cni/net/m/eth0", netns=str(spaces("m").path), addresses=[bare(address)], move=True)
    assert code == "in_use" and "cni/net/a/eth0" in sentence
    ask(h1, "delete", key="cni/net/a/eth0")
    moved = add(h2, spaces("m"), addresses=[bare(address)], move=True)
    assert moved["addresses"][0] == address and moved["gateways"][0] == "10.0.2.1"
    wait_until(lambda: spaces("b").ping(bare(address), timeout=0.3).received, "the neighbour of before reaches it")
    assert spaces("m").ping(bare(other["addresses"][0])).received == 1
    assert spaces("m").ping("10.0.2.1").received == 1
    code, sentence = refusal(h1, "add", network="net", key="cni/net/x/eth0", netns=str(spaces("a").path), addresses=[bare(address)])
    assert code == "in_use" and "another node" in sentence
    # It goes, and the address is its own node's again.
    ask(h2, "delete", key="cni/net/m/eth0")
    wait_until(lambda: bare(address) + "/32" not in json.dumps(h1.ask("GET", "/v1/container_blocks")), "the address goes back")
    wait_until(lambda: h1.request("POST", "/v1/containers/add", {
        "network": "net", "key": "cni/net/x/eth0", "netns": str(spaces("a").path), "addresses": [bare(address)]})[0] == 200,
        "the address can be had on its own node")


def pods(host):
    return [item["name"] for item in host.ask("GET", "/v1/ports")["items"] if item["name"].startswith("container-")]


@pytest.fixture
def native(hosts):
    h1, h2 = hosts
    h1.apply(NATIVE)
    yield h1, h2
    for host in hosts:
        ask(host, "gc", prefix="cni/", valid=[])
    wait_until(lambda: pods(h1) == [], "no port is left")  # h2's deletions reach h1 a moment later
    h1.viaduct("delete", "--wait", "-f", "-", input="kind: container_network\nname: pods\n", check=False)


NATIVE = """
kind: vpc
name: v
cidrs: [10.20.0.0/16]
---
kind: subnet
name: s
vpc: v
cidrs: [10.20.1.0/24]
---
kind: container_network
name: pods
mode: native
subnet: s
---
kind: node
name: h1
container_networks: [net, small, pods]
---
kind: node
name: h2
container_networks: [net, pods]
"""


def test_native_containers_are_ports_of_the_subnet(native, spaces):
    """R-CTR-1: in native mode a container is a port like an instance's, wherever it runs; and goes as one, whatever died."""
    h1, h2 = native
    one, two = add(h1, spaces("n1"), network="pods", hostname="web"), add(h2, spaces("n2"), network="pods")
    assert one["addresses"][0].startswith("10.20.1.") and one["gateways"] == ["10.20.1.1"]
    assert one["dns"] == {"nameservers": ["10.20.1.1"], "domain": "v.internal", "search": ["v.internal"]}
    wait_until(lambda: len(pods(h1)) == 2, "h1 knows the port that h2 has made")
    wait_until(lambda: spaces("n1").ping(bare(two["addresses"][0]), timeout=0.3).received, "it reaches the one on the other host")
    assert spaces("n1").ping("10.20.1.1").received == 1
    assert add(h1, spaces("n1"), network="pods") == one
    assert ask(h1, "check", key="cni/pods/n1/eth0", netns=str(spaces("n1").path), ifname="eth0") == one
    h1.kill9()
    h1.start()
    assert ask(h1, "check", key="cni/pods/n1/eth0") == one
    ask(h1, "delete", key="cni/pods/n1/eth0")
    ask(h1, "delete", key="cni/pods/n1/eth0")
    assert len(pods(h1)) == 1 and "eth0" not in spaces("n1").ip("-br", "link")
    # A namespace that went, and a journal that did not outlive the boot.
    spaces("n2").delete()
    wait_until(lambda: pods(h1) == [], "the port of the container that went is deleted")
    add(h2, spaces("n3"), network="pods")
    h2.kill9()
    for path in h2.run_directory.glob("containers*"):
        path.unlink()
    spaces("n3").delete()
    h2.start()
    wait_until(lambda: pods(h1) == [], "the port that no row knows is deleted")


LATE = """
{{kind: container_network, name: late{turn}, mode: native, subnet: s}}
---
{{kind: node, name: h2, container_networks: [net, pods, late{turn}]}}
---
{{kind: port, name: late{turn}, subnet: s}}
"""


def test_a_host_that_is_behind_does_not_say_no(native, spaces):
    """What one host has just been told is true on all: another one that has not heard of it yet asks the store."""
    h1, h2 = native
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for turn in range(5):
            os.kill(h2.pid, signal.SIGSTOP)
            try:
                h1.viaduct("apply", "-f", "-", input=LATE.format(turn=turn))
                asked = [pool.submit(add, h2, spaces(f"l{turn}"), network=f"late{turn}"),
                         pool.submit(h2.live, "attach", port=f"late{turn}", netns=str(spaces(f"p{turn}").path))]
                time.sleep(0.05)  # both questions lie there when it goes on
            finally:
                os.kill(h2.pid, signal.SIGCONT)
            for one in asked:
                one.result()
    for turn in range(5):
        ask(h2, "delete", key=f"cni/late{turn}/l{turn}/eth0")
        h2.live("detach", port=f"late{turn}")
    h1.viaduct("delete", "--wait", "-f", "-", input="\n---\n".join(f"{{kind: port, name: late{turn}}}" for turn in range(5)))
    h1.apply("{kind: node, name: h2, container_networks: [net, pods]}")


DUAL = """
{kind: vpc, name: dual, cidrs: [10.22.0.0/16, "fd00:22::/48"]}
---
{kind: subnet, name: dual, vpc: dual, cidrs: [10.22.1.0/24, "fd00:22::/64"]}
---
{kind: container_network, name: dual, mode: native, subnet: dual}
---
{kind: node, name: h1, container_networks: [net, small, pods, dual]}
---
{kind: node, name: h2, container_networks: [net, pods, dual]}
"""


@pytest.fixture(params=["pods", "dual"])
def holding(request, native):
    """holding(): the addresses that containers' ports of the subnet have, one list each; of IPv4 alone, and of both."""
    h1, h2 = native
    if request.param == "dual":
        h1.apply(DUAL)
        for host in native:
            wait_until(lambda: not refused(host, "reserve", network="dual", key="g", gateway=True), f"{host.title} is a node of it")

    def found():
        return sorted(item["assigned"]["addresses"] for item in h1.ask("GET", "/v1/ports")["items"] if item["name"].startswith("container-"))

    found.network = request.param
    found.block, found.families = {"pods": ("10.20.1", [4]), "dual": ("10.22.1", [4, 6])}[request.param]
    yield found
    for host in native:
        for key in listed(host):
            ask(host, "delete" if key.startswith("docker/") else "release", key=key)
    wait_until(lambda: found() == [], "no port is left")


def test_native_addresses_are_reserved_as_ports(native, holding):
    """R-CTR-1 R-CTR-2: what Docker asks before it has a namespace. The port that holds the address becomes the container's, stays with the
    reservation, and goes with it."""
    h1, h2 = native
    gateway = ask(h1, "reserve", network=holding.network, key="g", gateway=True)
    assert (gateway["address"], holding()) == (f"{holding.block}.1/24", [])
    given = [ask(h1, "reserve", network=holding.network, key="r/", family=family) for family in holding.families]
    addresses = [bare(one["address"]) for one in given]
    assert [one["key"] for one in given] == [f"r/{address}" for address in addresses]
    assert len(holding()) == len(addresses) and set(addresses) <= {address for held in holding() for address in held}
    assert refusal(h2, "reserve", network=holding.network, key="r/", address=addresses[0])[0] == "in_use"
    wish = {"network": holding.network, "key": "docker/e", "addresses": addresses, "reserved": [one["key"] for one in given]}
    made = ask(h1, "add", **wish)
    assert [bare(address) for address in made["addresses"]] == addresses and made["gateways"][0] == f"{holding.block}.1"
    assert holding() == [addresses], "one port, with just these"
    assert {made["ifname"], made["peer_ifname"]} <= {line.split("@")[0] for line in h1.ip("-br", "link").splitlines()}
    assert ask(h1, "add", **wish) == made and set(listed(h1, f"default/{holding.network}")) == {"docker/e"}
    h1.kill9()
    h1.start()
    assert ask(h1, "check", key="docker/e") == made and holding() == [addresses]
    ask(h1, "delete", key="docker/e")
    assert set(listed(h1, f"default/{holding.network}")) == {one["key"] for one in given} and holding() == [addresses]
    assert made["ifname"] not in h1.ip("-br", "link")
    again = ask(h1, "add", **wish)
    assert again["mac"] == made["mac"]
    for one in given:
        ask(h1, "release", key=one["key"])
    assert holding() == [addresses], "the container has them"
    ask(h1, "delete", key="docker/e")
    assert holding() == [] and listed(h1, f"default/{holding.network}") == {}
    assert bare(ask(h2, "reserve", network=holding.network, key="r/", address=addresses[0])["address"]) == addresses[0], "on another host, at once"


def test_a_reservation_that_is_killed_leaves_nothing(native, holding):
    """R-CTR-2: also what did not outlive the boot."""
    h1, _ = native
    chance = random.Random(3)
    for turn in range(3):
        thread = threading.Thread(target=quietly, args=(ask, h1, "reserve"), kwargs={"network": holding.network, "key": f"k{turn}"})
        thread.start()
        time.sleep(chance.random() * 0.02)
        h1.kill9()
        thread.join()
        h1.start()
        ask(h1, "release", key=f"k{turn}")
        wait_until(lambda: holding() == [] and listed(h1, f"default/{holding.network}") == {}, "nothing is left of it")
    ask(h1, "reserve", network=holding.network, key="r/", family=4)
    h1.kill9()
    for path in h1.run_directory.glob("containers*"):
        path.unlink()
    h1.start()
    wait_until(lambda: holding() == [], "the port that no row knows is deleted")


def test_reservation_whose_port_is_gone_is_in_nobodys_way(native, holding):
    """R-CTR-2: who dies between a release's two halves leaves a row for an address that is free: the next one to get it takes the row's place."""
    h1, _ = native
    given = [ask(h1, "reserve", network=holding.network, key="r/", family=family) for family in holding.families]
    stood = {one["key"]: one["since"] for one in h1.ask("GET", "/v1/containers")["containers"]}
    for item in h1.ask("GET", "/v1/ports")["items"]:
        h1.viaduct("delete", "--wait", "port", item["name"])
    assert set(listed(h1)) == {one["key"] for one in given}
    time.sleep(1.1)  # rows know their age in seconds
    for one, family in zip(given, holding.families):
        assert ask(h1, "reserve", network=holding.network, key="r/", family=family) == one
        assert refused(h1, "reserve", network=holding.network, key=one["key"], family=family), "another address, by a name that stands"
        ask(h1, "release", key=one["key"], since=stood[one["key"]])
    assert len(listed(h1)) == len(holding()) == len(given), "that was about the one before"
    for one in given:
        assert refused(h1, "release", key=one["key"], since="a while ago")
        ask(h1, "release", key=one["key"])
    assert holding() == [] and listed(h1) == {}


def test_addresses_go_from_hand_to_hand(native, holding):
    """R-CTR-2: what is released is reserved by the next one at once, in no release's way."""
    h1, _ = native
    held, twice = {}, []

    def live(number):
        for family in holding.families * 10:
            one = ask(h1, "reserve", network=holding.network, key="r/", family=family)
            if held.setdefault(one["address"], number) != number:
                twice.append(one)
            held.pop(one["address"], None)
            ask(h1, "release", key=one["key"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(live, range(8)))
    assert not twice and holding() == [] and listed(h1) == {}


def refused(host, verb, **arguments):
    return host.request("POST", f"/v1/containers/{verb}", arguments)[0] >= 400


def rates(host):
    return host.ask("POST", "/v1/live/status")["datapath"]["maps"]["vd_rate"]["entries"]


def test_native_containers_have_limits_too(native, spaces):
    h1, _ = native
    add(h1, spaces("n1"), network="pods", bandwidth={"ingress_rate": 8000000, "egress_rate": 8000000})
    assert rates(h1) == 2
    h1.kill9()
    h1.start()
    # Something else about the port changes: its limits stay.
    h1.apply("kind: vpc\nname: v\ncidrs: [10.20.0.0/16, 10.21.0.0/16]\n")
    assert rates(h1) == 2
    ask(h1, "delete", key="cni/pods/n1/eth0")
    assert rates(h1) == 0


def test_a_native_order_that_is_killed_leaves_nothing(native, spaces):
    h1, _ = native
    chance = random.Random(2)
    for turn in range(4):
        space = spaces(f"k{turn}")
        thread = threading.Thread(target=quietly, args=(add, h1, space), kwargs={"network": "pods"})
        thread.start()
        time.sleep(chance.random() * 0.03)
        h1.kill9()
        thread.join()
        h1.start()
        ask(h1, "delete", key=f"cni/pods/{space.title}/eth0")
        wait_until(lambda: pods(h1) == [] and listed(h1, "default/pods") == {}, "nothing is left of it")


def quietly(function, *arguments, **more):
    with contextlib.suppress(Exception):
        function(*arguments, **more)


def test_a_block_that_a_bridge_has_is_that_bridges(lab, hosts, spaces):
    """R-CTR-5: somebody's bridge with a block's prefix, made after the block was taken: its containers are reached by the kernel, and
    no address of it is given; when the bridge goes, the block is the host port's again."""
    h1, h2 = hosts
    h1.apply("kind: container_block\ncontainer_network: net\ncidr: 10.0.5.0/24\nnode: h1\n")
    wait_until(lambda: "vdh" in h1.ip("route", "show", "10.0.5.0/24"), "the block is the host port's")
    local, remote, behind = add(h1, spaces("a")), add(h2, spaces("b")), spaces("docker")
    h1.ip("link", "add", "br-my-net", "type", "bridge")
    h1.ip("link", "add", "veth-c", "type", "veth", "peer", "name", "eth0", "netns", behind.name)
    h1.ip("link", "set", "veth-c", "master", "br-my-net", "up")
    h1.ip("link", "set", "br-my-net", "up")
    h1.ip("address", "add", "10.0.5.1/24", "dev", "br-my-net")
    behind.ip("address", "add", "10.0.5.2/24", "dev", "eth0")
    behind.ip("link", "set", "eth0", "up")
    behind.ip("route", "add", "default", "via", "10.0.5.1")
    wait_until(lambda: "vdh" not in h1.ip("route", "show", "10.0.5.0/24"), "the kernel's route is the bridge's")
    wait_until(lambda: "10.0.5.1/32" not in h1.ip("address"), "so is the gateway's address")
    for space, answer in ((spaces("a"), local), (spaces("b"), remote)):
        wait_until(lambda: space.ping("10.0.5.2", timeout=0.3).received, f"{space.title} reaches the one behind the bridge")
        assert behind.ping(bare(answer["addresses"][0])).received == 1
    code, sentence = refusal(h1, "add", network="net", key="cni/net/x/eth0", netns=str(spaces("x").path), addresses=["10.0.5.9"])
    assert code == "conflict" and "br-my-net" in sentence
    h1.ip("link", "del", "br-my-net")
    wait_until(lambda: "vdh" in h1.ip("route", "show", "10.0.5.0/24"), "the block is the host port's again")
    assert add(h1, spaces("x"), addresses=["10.0.5.9"])["addresses"][0] == "10.0.5.9/24"
    assert spaces("b").ping("10.0.5.9").received == 1
    ask(h1, "delete", key="cni/net/x/eth0")
    h1.viaduct("delete", "--wait", "-f", "-", input="kind: container_block\ncontainer_network: net\ncidr: 10.0.5.0/24\n", check=False)


def test_purge_takes_containers_host_ports_and_routes(hosts, spaces):
    """R-OPS-9: what a node made for its containers goes with the rest, and the next daemon begins anew."""
    _, h2 = hosts
    add(h2, spaces("a"))
    ask(h2, "reserve", network="net", key="r", family=4)
    h2.stop()
    h2.run(h2.daemon_command()[0], "--run-dir", h2.run_directory, "--purge")
    assert {line.split("@")[0].split()[0] for line in h2.ip("-br", "link").splitlines()} == {"lo", "u0"}
    assert "10.0." not in h2.ip("route") and "eth0" not in spaces("a").ip("-br", "link")
    assert not list(h2.run_directory.glob("containers*"))
    h2.start()
    assert listed(h2) == {}
    wait_until(lambda: h2.request("POST", "/v1/containers/add", {
        "network": "net", "key": "cni/net/a/eth0", "netns": str(spaces("a").path)})[0] == 200, "containers can be added again")
