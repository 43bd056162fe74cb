# SPDX-License-Identifier: Apache-2.0
"""A node dies, and one of its containers is started on another node with the address that it had."""

import pytest

from lab import wait_until
from lab.namespace import Namespace

LAB = """
name: deadowner
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
  h3: {addresses: [172.31.0.3/24]}
"""
DOCUMENTS = """
{kind: container_network, name: net, cidrs: [10.0.0.0/16], mode: routed, provider: host, quarantine: 3600}
---
{kind: container_block, container_network: net, cidr: 10.0.2.0/24, node: h2}
"""


def ask(host, verb, **arguments):
    return host.ask("POST", f"/v1/containers/{verb}", arguments)


def place(space, **more):
    return {"network": "net", "key": f"cni/net/{space.title}/eth0", "netns": str(space.path), "ifname": "eth0", **more}


def block(host, cidr):
    """(node, state); None: there is no such block"""
    return next(((item["document"]["node"], item["assigned"]["state"]) for item in host.ask("GET", "/v1/container_blocks")["items"]
                 if item["document"]["cidr"] == cidr), None)


def ways(host, cidr):
    """The kernel's routes to exactly that."""
    return [line for line in host.ip("-4", "route").splitlines() if line.split()[0] == cidr]


@pytest.fixture
def spaces(lab):
    made = {name: Namespace(f"{lab.name}-{name}", name) for name in ("one", "other", "third")}
    for space in made.values():
        space.create()
    yield made
    for space in made.values():
        space.delete()


def test_dead_nodes_container_comes_back_elsewhere_with_its_address(lab, spaces):
    """R-SCN-11, R-CTR-3: not before the dead node's block is in quarantine; then every other node's routes follow, and when the
    node comes back, neither it nor its block take the address away; it goes back when its container goes.
    """
    h1, h2, h3 = (lab.host(name) for name in ("h1", "h2", "h3"))
    for host in (h1, h2, h3):
        host.sysctl("net.ipv4.ip_forward=1")
        host.viaduct("join", "net")
    address = ask(h2, "add", **place(spaces["one"]))["addresses"][0].split("/")[0]
    assert address.startswith("10.0.2.")
    other, third = ask(h1, "add", **place(spaces["other"])), ask(h3, "add", **place(spaces["third"]))
    wait_until(lambda: spaces["third"].ping(address, timeout=0.3).received, "it is reached where it was")

    # The machine is gone, with what was on it.
    h2.ip("link", "set", "u0", "down")
    h2.kill9()
    spaces["one"].delete()
    spaces["one"].create()
    again = place(spaces["one"], addresses=[address], move=True)
    status, reply = h1.request("POST", "/v1/containers/add", again)
    assert status >= 400 and "h2" in reply["error"], "its owner may live, and cannot be asked"
    wait_until(lambda: block(h1, "10.0.2.0/24") == ("h2", "quarantined"), "the block is in quarantine")
    assert ask(h1, "add", **again)["addresses"][0] == f"{address}/24"
    assert block(h1, f"{address}/32") == ("h1", "held")
    wait_until(lambda: spaces["third"].ping(address, timeout=0.3).received, "a third node reaches it where it is now")
    assert "172.31.0.1" in ways(h3, address)[0]
    wait_until(lambda: ways(h3, "10.0.2.0/24") == ways(h1, "10.0.2.0/24") == [], "nothing leads to the dead node")
    assert spaces["one"].ping(other["addresses"][0].split("/")[0]).received == 1
    assert spaces["one"].ping(third["addresses"][0].split("/")[0]).received == 1
    status, reply = h3.request("POST", "/v1/containers/add", place(spaces["other"], key="cni/net/twice/eth0", addresses=[address], move=True))
    assert status >= 400 and reply["code"] == "in_use", "nobody else gets it"

    # What was dead comes back: its block is its own, but for the address.
    h2.ip("link", "set", "u0", "up")
    h2.start()
    wait_until(lambda: block(h1, "10.0.2.0/24") == ("h2", "held"), "its block is its own again")
    wait_until(lambda: ways(h3, "10.0.2.0/24"), "and routes lead there")
    status, reply = h2.request("POST", "/v1/containers/add", place(spaces["other"], key="cni/net/back/eth0", addresses=[address]))
    assert status >= 400 and reply["code"] == "in_use"
    assert spaces["third"].ping(address).received == 1
    ask(h1, "delete", key=again["key"])
    wait_until(lambda: block(h1, f"{address}/32") is None and not ways(h3, address), "the address goes back")
