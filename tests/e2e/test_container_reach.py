# SPDX-License-Identifier: Apache-2.0
"""Who reaches whose containers, and how. Two LANs with a router between that knows of no block: n1 and n2 on the one, n3 on the other.

    n1 10.60.1.11, n2 10.60.1.12  --left--  10.60.1.1 [middle] 10.60.2.1  --right--  n3 10.60.2.13
"""

import itertools
import json
import os

import pytest
import yaml

from lab import Lab, Layout, wait_until
from lab.cni import CniError, Container, Runtime, address_of, pods
from lab.namespace import Namespace, add_addresses, connect

LAB = """
name: reach
segments: {left: {}, right: {}}
hosts:
  n1: {links: {left: [10.60.1.11/24]}}
  n2: {links: {left: [10.60.1.12/24]}, store: n1}
  n3: {links: {right: [10.60.2.13/24]}, store: n1}
"""
NODES = {"n1": "left", "n2": "left", "n3": "right"}
TUNNEL = "10.66.0.0/16"


def node(name, lan, networks="pods"):
    return f"{{kind: node, name: {name}, container_networks: [{networks}], lan: {lan}}}"


NETWORK = "{kind: container_network, name: pods, cidrs: [10.64.0.0/16], block_size: 24, mode: routed, provider: host, quarantine: 5}"
DOCUMENTS = NETWORK + "".join(f"""
---
{node(name, lan)}
---
{{kind: container_block, container_network: pods, cidr: 10.64.{number}.0/24, node: {name}}}
""" for number, (name, lan) in enumerate(NODES.items(), 1))


@pytest.fixture(scope="module")
def lab(reach):
    """With the router between the LANs, which stands before any daemon asks for another."""
    with TwoLans(Layout.from_document(yaml.safe_load(LAB)), name=f"reach{os.getpid()}", documents=DOCUMENTS) as built:
        yield built


class TwoLans(Lab):
    def start_daemons(self):
        self.middle = Namespace(self.namespace_name("middle"), "middle")
        self.middle.create()
        self.middle.sysctl("net.ipv4.ip_forward=1")
        for segment, network in (("left", "10.60.1"), ("right", "10.60.2")):
            connect(self.middle, segment, self.segments[segment], "middle")
            self.segments[segment].ip("link", "set", "middle", "master", "bridge")
            add_addresses(self.middle, segment, [f"{network}.1/24"])
        for name, lan in NODES.items():
            self.hosts[name].ip("route", "add", "default", "via", {"left": "10.60.1.1", "right": "10.60.2.1"}[lan])
        super().start_daemons()


def blocks(host):
    return {item["document"]["cidr"]: item for item in host.ask("GET", "/v1/container_blocks")["items"]}


@pytest.fixture(scope="module")
def nodes(lab):
    found = {name: lab.host(name) for name in NODES}
    wait_until(lambda: all(item["assigned"]["state"] == "held" for item in blocks(found["n1"]).values()), "all hold their blocks")
    return found


@pytest.fixture
def containers(lab, nodes):
    """containers("n1", …): one there each, with its address; all gone after the test."""
    made = []

    def make(*names):
        for name in names:
            container = Container(lab, f"c{len(made)}")
            container.create()
            runtime = Runtime(nodes[name], pods())
            made.append((container, runtime))
            container.address = address_of(runtime.add(container))
        return [container for container, _ in made[-len(names):]]

    yield make
    for container, runtime in made:
        runtime.delete(container)
        container.delete()


def kernel_routes(host):
    """{block: gateway}; by tunnel: "tunnel"."""
    return {route["dst"]: "tunnel" if route["dev"].startswith("vdh") else route.get("gateway") for route in json.loads(host.run("ip", "-j", "route", "show").stdout)
            if route["dst"].startswith("10.64.")}


def described(host, kind, name):
    return host.viaduct("describe", kind, name).stdout


def test_by_route_on_a_lan_and_by_tunnel_between_lans(lab, nodes, containers):
    """R-CTR-9, R-SCN-2, R-CTR-4: containers of all nodes reach each other; the router sees tunnels only."""
    one, two, three = containers("n1", "n2", "n3")
    wait_connected(one, two, three)
    with lab.middle.capture("left") as frames:
        for source in (one, two, three):
            for target in (one, two, three):
                if source is not target:
                    ping = source.ping(target.address, count=3)
                    assert ping.received == 3, f"{source.title} does not reach {target.title}: {ping.output}"
    inner = [frame for frame in frames if frame[12:14] == b"\x08\x00" and (frame[26:28] == b"\x0a\x40" or frame[30:32] == b"\x0a\x40")]
    outer = [frame for frame in frames if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == (4789).to_bytes(2, "big")]
    assert not inner, "no container's address is seen between the LANs"
    assert len(outer) >= 3 * 4 * 2
    assert one.ping(two.address, count=2).ttls == [62] * 2, "two nodes' kernels"
    assert one.ping(three.address, count=2).ttls == [63] * 2, "a tunnel is one hop"


def test_the_choice_is_visible(nodes, containers):
    """R-CTR-9: in the kernel's routes, and by `viaduct describe`, with the reason."""
    n1, n2, n3 = (nodes[name] for name in NODES)
    expected = {"n1": {"10.64.1.0/24": "tunnel", "10.64.2.0/24": "10.60.1.12", "10.64.3.0/24": "tunnel"},
                "n2": {"10.64.1.0/24": "10.60.1.11", "10.64.2.0/24": "tunnel", "10.64.3.0/24": "tunnel"},
                "n3": {"10.64.1.0/24": "tunnel", "10.64.2.0/24": "tunnel", "10.64.3.0/24": "tunnel"}}
    wait_until(lambda: {name: kernel_routes(host) for name, host in nodes.items()} == expected, "the kernels' routes")
    wait_until(lambda: blocks(n1)["10.64.1.0/24"]["status"].get("reached") == {"by_route": 1, "by_tunnel": 1, "not": 0}, "all reach it")
    status = blocks(n1)["10.64.1.0/24"]["status"]
    assert status["state"] == "active"
    assert status["not_by_route"][0]["nodes"] == ["n3"]
    text = described(n1, "container_block", "pods/10.64.1.0/24")
    assert "by_route" in text and "by_tunnel" in text and "on LAN left, they are on LAN right" in text
    assert "left" in described(n1, "node", "n2") and "right" in described(n1, "node", "n3")


def test_mtu_leaves_room_for_the_tunnel(containers):
    """R-CTR-9: the largest packet of a container passes the tunnel whole."""
    one, three = containers("n1", "n3")
    wait_connected(one, three)
    assert one.ping(three.address, size=1422, dont_fragment=True, count=2).received == 2
    assert one.ping(three.address, size=4000, count=2).received == 2


def test_node_that_leaves_its_lan(nodes, containers):
    """R-CTR-9: n2 is said to stand elsewhere, and to be back, while containers run."""
    n1, n2 = nodes["n1"], nodes["n2"]
    one, two = containers("n1", "n2")
    n1.apply(node("n2", "elsewhere"))
    try:
        wait_until(lambda: kernel_routes(n1)["10.64.2.0/24"] == kernel_routes(n2)["10.64.1.0/24"] == "tunnel", "by tunnel, both ways")
        assert one.ping(two.address, count=3).ttls == [63] * 3
    finally:
        n1.apply(node("n2", "left"))
    wait_until(lambda: (kernel_routes(n1)["10.64.2.0/24"], kernel_routes(n2)["10.64.1.0/24"]) == ("10.60.1.12", "10.60.1.11"), "and by route again")
    assert one.ping(two.address, count=3).ttls == [62] * 3


def test_tunnel_mode_goes_by_tunnel_everywhere(lab, nodes):
    """R-CTR-1, R-CTR-9: also on one LAN, whose segment sees no container's address."""
    n1 = nodes["n1"]
    n1.apply("\n---\n".join([f"{{kind: container_network, name: tun, cidrs: [{TUNNEL}], mode: tunnel}}",
                             *(node(name, "left", "pods, tun") for name in ("n1", "n2"))]))
    runtimes = [Runtime(nodes[name], pods(network="tun")) for name in ("n1", "n2")]
    wait_until(lambda: [item["assigned"]["state"] for cidr, item in blocks(n1).items() if cidr.startswith("10.66.")] == ["held"] * 2, "both hold a block")
    with Container(lab, "t1") as one, Container(lab, "t2") as two, runtimes[0].added(one), runtimes[1].added(two) as result:
        wait_until(lambda: one.ping(address_of(result), timeout=0.3).received, "they reach each other")
        with lab.segments["left"].capture("n1") as frames:
            assert one.ping(address_of(result), count=3).ttls == [63] * 3
        assert not [frame for frame in frames if frame[12:14] == b"\x08\x00" and frame[26:28] == b"\x0a\x42"]
    for name in ("n1", "n2"):
        n1.apply(node(name, "left"))


NATIVE = """
{kind: vpc, name: home, cidrs: [10.70.0.0/16]}
---
{kind: vpc, name: away, cidrs: [10.71.0.0/16]}
---
{kind: subnet, name: home, vpc: home, cidrs: [10.70.1.0/24]}
---
{kind: subnet, name: away, vpc: away, cidrs: [10.71.1.0/24]}
---
{kind: container_network, name: home, mode: native, subnet: home}
---
{kind: container_network, name: away, mode: native, subnet: away}
"""


def test_native_containers_stand_in_their_subnet_on_any_lan(lab, nodes):
    """R-CTR-1, R-CTR-9, R-PEER-1: one subnet on both LANs; another VPC's containers once these are peers; an address goes to another node."""
    n1 = nodes["n1"]
    n1.apply(NATIVE + "".join(f"---\n{node(name, lan, 'pods, home, away')}\n" for name, lan in NODES.items()))
    home = {name: Runtime(nodes[name], pods(network="home")) for name in NODES}
    away = Runtime(nodes["n2"], pods(network="away"))
    with Container(lab, "h1") as one, Container(lab, "h3") as three, Container(lab, "a2") as far:
        with home["n1"].added(one) as first, away.added(far) as foreign:
            with home["n3"].added(three) as third:
                assert third["dns"] == {"nameservers": ["10.70.1.1"], "domain": "home.internal", "search": ["home.internal"]}
                wait_pinged(one, address_of(third), 64)
                assert three.ping(address_of(first), count=3).ttls == [64] * 3
                assert far.ping(address_of(first), count=2, timeout=0.3).received == 0
                n1.apply("{kind: peering, name: home-away, vpc: home, peer: away}")
                for target in (first, third):
                    wait_pinged(far, address_of(target), 63)
                assert one.ping(address_of(foreign), count=3).ttls == [63] * 3
                n1.viaduct("delete", "peering", "home-away", "--wait")
                assert far.ping(address_of(first), count=2, timeout=0.3).received == 0
            with home["n2"].added(three, ips=[address_of(third)]) as again:
                assert address_of(again) == address_of(third)
                wait_pinged(one, address_of(again), 64)
    for name, lan in NODES.items():
        n1.apply(node(name, lan))


def wait_connected(*several):
    for one, other in itertools.permutations(several, 2):
        wait_until(lambda: one.ping(other.address, timeout=0.3).received, f"{one.title} reaches {other.title}")


def wait_pinged(node, address, ttl):
    wait_until(lambda: node.ping(address, timeout=0.3).ttls == [ttl], f"{node.title} pings {address} with ttl={ttl}")


@pytest.mark.parametrize("target", ["n2", "n3"])
def test_container_moves_and_keeps_its_address(lab, nodes, containers, target):
    """R-CTR-3, R-SCN-11: to a node of its LAN and to one of another; routes follow everywhere, and back."""
    third = "n3" if target == "n2" else "n2"
    home, witness, neighbour = containers("n1", third, "n1")
    runtimes = {name: Runtime(nodes[name], pods()) for name in NODES}
    address = home.address
    at_home = 62 if third == "n2" else 63  # by route, by tunnel
    wait_pinged(witness, address, at_home)
    with Container(lab, "moved") as moved:
        with pytest.raises(CniError, match=address):  # the first one still has it
            runtimes[target].add(moved, ips=[address])
        assert "eth0" not in moved.ip("-br", "link")
        runtimes["n1"].delete(home)
        result = runtimes[target].add(moved, ips=[address])
        assert address_of(result) == address
        wait_pinged(witness, address, 63)
        wait_pinged(neighbour, address, 62 if target == "n2" else 63)
        for node in nodes.values():
            assert node.ping(address, count=2).received == 2
        for other in (witness, neighbour):
            assert moved.ping(other.address, count=3).received == 3
        # Nobody else gets it meanwhile, not even where its block is.
        with Container(lab, "thief") as thief, pytest.raises(CniError, match=address):
            runtimes["n1"].add(thief, ips=[address])
        # A daemon that comes again finds all as it was.
        nodes[target].restart()
        assert witness.ping(address, count=2).received == 2
        runtimes[target].delete(moved)
    wait_until(lambda: f"{address}/32" not in blocks(nodes["n1"]), "the address goes back")

    def again():
        try:
            return runtimes["n1"].add(home, ips=[address])
        except CniError:
            return None

    wait_until(again, "it can be had on its own node again")
    wait_pinged(witness, address, at_home)
    wait_pinged(neighbour, address, 64)
    wait_until(lambda: not any(address in kernel_routes(node) for node in nodes.values()), "no route is left of the visit")


def refused(host, document):
    said = host.viaduct("apply", "-f", "-", input=document, check=False)
    assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1, said.stdout + said.stderr
    return said.stderr


def test_network_that_collides_with_another_is_refused_naming_both(nodes):
    """R-CTR-8, R-PEER-2: with a network that stands on the same node, and a VPC."""
    n1 = nodes["n1"]
    said = refused(n1, "{kind: container_network, name: twin, cidrs: [10.64.128.0/17]}\n---\n{kind: node, name: n1, container_networks: [pods, twin], lan: left}")
    assert "10.64.128.0/17" in said and "10.64.0.0/16" in said and "pods" in said and "twin" in said
    said = refused(n1, "{kind: vpc, name: cloud, cidrs: [10.65.0.0/16]}\n---\n"
                       "{kind: container_network, name: twin, cidrs: [10.65.3.0/24], mode: routed, vpc: cloud}")
    assert "10.65.3.0/24" in said and "10.65.0.0/16" in said and "cloud" in said
