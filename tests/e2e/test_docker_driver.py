# SPDX-License-Identifier: Apache-2.0
"""Docker's network and IPAM driver "viaduct": two nodes of a LAN, each with a dockerd of its own."""

import concurrent.futures
import contextlib
import random
import threading
import time

import pytest

from lab import LabError, wait_until
from lab.engine import IMAGE, Docker
from lab.host import binary_path
from lab.service import Service

LAB = """
name: dockerdriver
hosts:
  h1: {addresses: [172.31.0.1/24], machine: true}
  h2: {addresses: [172.31.0.2/24], store: h1, machine: true}
instances:
  vm: {ports: {vm: h2}}
"""
DOCUMENTS = """
kind: container_network
name: pods
cidrs: [10.64.0.0/16]
block_size: 24
mode: routed
provider: host
---
kind: vpc
name: demo
cidrs: [192.168.0.0/16]
---
kind: subnet
name: web
vpc: demo
cidrs: [192.168.7.0/24]
---
kind: container_network
name: web
mode: native
subnet: web
---
kind: port
name: vm
subnet: web
addresses: [192.168.7.9]
---
kind: node
name: h1
container_networks: [pods, web]
---
kind: node
name: h2
container_networks: [pods, web]
"""
NETWORKS = {"pods": "10.64.0.0/16", "web": "192.168.7.0/24"}


class Driver(Service):
    name = "viaduct-docker"

    def command(self):
        return [binary_path("viaduct-docker"), "--server", f"unix:{self.node.socket_path}"]

    def answers(self):
        """Its socket outlives a driver that was killed: it has to be listened to."""
        asked = self.node.run("curl", "-s", "-m", 10, "--unix-socket", "/run/docker/plugins/viaduct.sock", "-X", "POST",
                              "http://driver/Plugin.Activate", check=False)
        return "IpamDriver" in asked.stdout


class Node:
    def __init__(self, host):
        self.host, self.driver, self.engine = host, Driver(host), Docker(host)

    def start(self):
        self.driver.start()
        self.engine.start()
        for name, cidr in NETWORKS.items():
            self.engine.docker("network", "create", "-d", "viaduct", "--ipam-driver", "viaduct", "--ipam-opt", f"network={name}", "--subnet", cidr, name)

    def run(self, name, *options, network="pods", check=True):
        return self.engine.docker("run", "-d", "--name", name, "--net", network, *options, IMAGE, check=check)

    def remove(self, *names):
        self.engine.docker("rm", "-f", *names, check=False)

    def containers(self):
        return self.host.ask("GET", "/v1/containers")["containers"]

    def ports(self):
        """Those of the native network's containers, on whatever host: {name: its addresses}."""
        return {item["name"]: item["assigned"]["addresses"] for item in self.host.ask("GET", "/v1/ports")["items"] if item["name"].startswith("container-")}


@pytest.fixture(scope="module")
def nodes(lab):
    first = lab.hosts["h1"]
    wait_until(lambda: [item["assigned"]["state"] for item in first.ask("GET", "/v1/container_blocks")["items"]] == ["held"] * 2,
               "both nodes hold a block")
    built = [Node(host) for host in lab.hosts.values()]
    for node in built:
        node.start()
    yield built
    for node in built:
        with contextlib.suppress(LabError):
            node.engine.stop()
        node.driver.stop()


@pytest.fixture(autouse=True)
def nothing_runs(nodes):
    yield
    for node in nodes:
        if names := node.engine.docker("ps", "-aq").split():
            node.remove(*names)
        wait_until(lambda: not node.containers(), f"{node.host.title}: no container has anything", 150)
    wait_until(lambda: not nodes[0].ports(), "no port of a container is left")


def ping(node, name, address, count=3):
    return node.engine.exec(name, "ping", "-c", count, "-W", 2, address, check=False).stdout


def wait_reaches(node, name, address):
    """The other host learns of a container a moment after `docker run` has returned."""
    wait_until(lambda: " 0% packet loss" in ping(node, name, address, count=1), f"{name} of {node.host.title} reaches {address}")


def assert_reaches(node, name, address, why=None):
    said = ping(node, name, address)
    assert " 0% packet loss" in said, why or said


def test_containers_of_two_dockers_reach_each_other(nodes):
    """R-CTR-6 R-CTR-2: docker network create -d viaduct, docker run --net; nobody planned an address."""
    for index, node in enumerate(nodes):
        node.run(f"c{index}")
    addresses = [node.engine.address(f"c{index}", "pods") for index, node in enumerate(nodes)]
    assert addresses[0].rsplit(".", 1)[0] != addresses[1].rsplit(".", 1)[0]
    wait_reaches(nodes[0], "c0", addresses[1])
    assert_reaches(nodes[0], "c0", addresses[1])
    assert " ttl=62 " in (said := ping(nodes[1], "c1", addresses[0])), said
    said = nodes[0].engine.exec("c0", "wget", "-q", "-O", "-", f"http://{addresses[1]}/").stdout
    assert said == "served by busybox\n"


def test_address_is_taken_as_asked_and_given_once(nodes):
    """R-CTR-2 R-CTR-6: --ip, and no two containers with one address."""
    node = nodes[0]
    node.run("any")
    block = node.engine.address("any", "pods").rsplit(".", 1)[0]
    node.run("one", "--ip", f"{block}.77")
    assert node.engine.address("one", "pods") == f"{block}.77"
    refused = node.engine.attempt("run", "-d", "--name", "two", "--net", "pods", "--ip", f"{block}.77", IMAGE)
    assert refused.returncode and f"{block}.77" in refused.stderr
    node.remove("one", "two")
    node.run("three", "--ip", f"{block}.77")


def test_refusals_are_one_sentence(nodes):
    """R-CTR-6"""
    for options, words in ((("-d", "viaduct", "x"), "--ipam-driver viaduct"),
                           (("-d", "viaduct", "--ipam-driver", "viaduct", "--ipam-opt", "network=nowhere", "x"), "nowhere"),
                           (("-d", "viaduct", "--ipam-driver", "viaduct", "--subnet", "10.99.0.0/16", "x"), "10.99.0.0/16")):
        refused = nodes[0].engine.attempt("network", "create", *options)
        assert refused.returncode and words in refused.stderr, refused.stderr
    refused = nodes[0].engine.attempt("run", "-d", "--net", "pods", "--mac-address", "02:00:00:00:00:01", IMAGE)
    assert refused.returncode and "--mac-address" in refused.stderr


def test_every_side_may_restart(nodes):
    """R-CTR-6: driver, daemon and Docker are restarted; networks stay, containers start again."""
    node, other = nodes
    node.run("stays", "--restart", "always")
    other.run("peer")
    peer = other.engine.address("peer", "pods")
    wait_reaches(node, "stays", peer)
    for restart in (node.driver.kill9, node.host.kill9):
        restart()
        node.driver.start() if restart == node.driver.kill9 else node.host.start()
        assert_reaches(node, "stays", peer, "a running container does not notice")
        node.run("after")
        assert_reaches(node, "after", peer)
        node.remove("after")
    node.engine.restart()
    assert "pods" in node.engine.docker("network", "ls", "--format", "{{.Name}}").split()
    wait_until(lambda: node.engine.docker("inspect", "-f", "{{.State.Running}}", "stays") == "true", "Docker starts its container again")
    wait_reaches(node, "stays", peer)


def test_native_containers_are_ports_of_the_subnet(lab, nodes):
    """R-CTR-1 R-CTR-6: docker run on a native network: addresses of the VPC's subnet, one hop from its instances."""
    for index, node in enumerate(nodes):
        node.run(f"n{index}", network="web")
    addresses = [node.engine.address(f"n{index}", "web") for index, node in enumerate(nodes)]
    wait_until(lambda: sorted(nodes[0].ports().values()) == sorted([address] for address in addresses), "h1 knows of both ports")
    assert nodes[0].engine.inspect("n0")["NetworkSettings"]["Networks"]["web"]["Gateway"] == "192.168.7.1"
    wait_reaches(nodes[0], "n0", "192.168.7.9")
    assert " ttl=64 " in (said := ping(nodes[0], "n0", addresses[1])), said
    assert " ttl=64 " in (said := ping(nodes[1], "n1", addresses[0])), said
    assert lab.instance("vm").ping(addresses[0], count=2).ttls == [64] * 2
    said = nodes[1].engine.exec("n1", "wget", "-q", "-O", "-", f"http://{addresses[0]}/").stdout
    assert said == "served by busybox\n"
    nodes[0].engine.docker("restart", "-t", "1", "n0")
    wait_reaches(nodes[0], "n0", addresses[1])
    assert_reaches(nodes[0], "n0", addresses[1])


def test_native_address_is_taken_as_asked_and_given_once(nodes):
    """R-CTR-2 R-CTR-6: --ip on a native network, of the instances' addresses too; leaving gives it back."""
    node, other = nodes
    node.run("one", "--ip", "192.168.7.77", network="web")
    assert node.engine.address("one", "web") == "192.168.7.77" and list(node.ports().values()) == [["192.168.7.77"]]
    for where, address in ((node, "192.168.7.77"), (other, "192.168.7.77"), (other, "192.168.7.9")):
        refused = where.engine.attempt("run", "-d", "--name", "two", "--net", "web", "--ip", address, IMAGE)
        assert refused.returncode and address in refused.stderr
        where.remove("two")
    node.engine.docker("network", "disconnect", "web", "one")
    wait_until(lambda: not node.ports(), "who leaves gives the port back")
    other.run("three", "--ip", "192.168.7.77", network="web")
    assert_reaches(other, "three", "192.168.7.9")


def test_native_containers_outlive_restarts(nodes):
    """R-CTR-6: daemon and driver die under a native container."""
    node, other = nodes
    node.run("stays", network="web")
    other.run("peer", network="web")
    peer = other.engine.address("peer", "web")
    wait_reaches(node, "stays", peer)
    for restart in (node.driver.kill9, node.host.kill9):
        restart()
        node.driver.start() if restart == node.driver.kill9 else node.host.start()
        assert_reaches(node, "stays", peer, "a running container does not notice")
    assert len(node.ports()) == 2


def links_of(node):
    return sorted(line.split(": ")[1] for line in node.host.ip("-o", "link").splitlines())


@pytest.mark.slow
def test_two_hundred_containers_with_kills_leave_nothing(nodes):
    """R-CTR-2 R-CTR-6: 200 containers, 8 at a time, half of them on a native network, while driver and daemon are killed; no address leaked or
    given twice."""
    node, count = nodes[0], 200
    links = links_of(node)
    holding, lock, twice, stop, ended = {}, threading.Lock(), [], threading.Event(), []

    def live(number):
        name, network, deadline = f"k{number}", ("pods", "web")[number % 2], time.monotonic() + 120
        # What fails while somebody is dead is started again, as Docker's restart policy does.
        while (tried := node.engine.attempt("run", "-d", "--name", name, "--net", network, IMAGE)).returncode:
            assert time.monotonic() < deadline, f"{name} never started: {tried.stderr}"
            node.remove(name)
            time.sleep(0.1)
        address = node.engine.address(name, network)
        with lock:
            if address in holding:
                twice.append((address, holding[address], name))
            holding[address] = name
        with lock:
            del holding[address]
            ended.append(name)
        node.remove(name)

    def kill():
        chance = random.Random(1)
        while not stop.wait(chance.uniform(1, 3)):
            # Where a start takes longer than that, none would ever come to its end.
            before = len(ended)
            wait_until(lambda: stop.is_set() or len(ended) > before, "a container starts between two kills", 120)
            for killed in (node.host, node.driver):
                killed.kill9()
                killed.start()

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        reaper = pool.submit(kill)
        try:
            done = [pool.submit(live, number) for number in range(count)]
            for one in done:
                one.result()
        finally:
            stop.set()
            for one in done:
                one.cancel()
        reaper.result()
    assert not twice
    # What Docker said while nobody listened, the driver finds out later (docker/sweep.h).
    wait_until(lambda: not node.containers(), "no address, no link is anybody's", 150)
    wait_until(lambda: links_of(node) == links, "no link is left", 5)
