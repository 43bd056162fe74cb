# SPDX-License-Identifier: Apache-2.0
"""containerd and Podman from Debian on two nodes of one container network, set up with the configuration file that Viaduct installs."""

import functools
import json
import pathlib

import pytest

from containers import busybox_ping, reaches, web_page
from lab import wait_until
from lab.engine import Containerd, Podman, network

LAB = """
name: engines
hosts:
  h1: {addresses: [172.31.0.1/24], machine: true}
  h2: {addresses: [172.31.0.2/24], store: h1, machine: true}
instances: {}
"""
DOCUMENTS = """
kind: container_network
name: pods
cidrs: [10.64.0.0/16]
mode: routed
provider: host
---
kind: node
name: h1
container_networks: [pods]
---
kind: node
name: h2
container_networks: [pods]
"""
INSTALLED = pathlib.Path(__file__).resolve().parents[2] / "packaging/10-viaduct.conflist"


@pytest.fixture(scope="module")
def engines(lab):
    """containerd on h1, Podman on h2."""
    hosts = list(lab.hosts.values())
    wait_until(lambda: len(hosts[0].ask("GET", "/v1/container_blocks")["items"]) == 2, "both nodes have a block")
    for host in hosts:
        configuration = json.loads(INSTALLED.read_text())
        configuration["plugins"][0]["server"] = f"unix:{host.socket_path}"
        network(host, "10-viaduct.conflist", configuration)
    with Containerd(hosts[0]) as containerd:
        yield containerd, Podman(hosts[1])


def only(host):
    """The one container that the host has: what the daemon says of it."""
    containers = host.ask("GET", "/v1/containers")["containers"]
    assert len(containers) == 1, containers
    return containers[0]


def address(container):
    return container["addresses"][0].split("/")[0]


def test_containers_of_containerd_and_podman_reach_each_other(lab, engines):
    """R-CTR-6 R-CTR-2: `ctr run --cni` and `podman run --network pods`, a block each, both ways."""
    hosts = list(lab.hosts.values())
    containerd, podman = engines
    containerd.run("c1")
    try:
        podman.run("p1", "pods")
        try:
            first, second = only(hosts[0]), only(hosts[1])
            assert first["key"].startswith("cni/pods/") and second["key"].startswith("cni/pods/")
            one, other = functools.partial(containerd.exec, "c1"), functools.partial(podman.exec, "p1")
            for inside in (one, other):
                # That a container runs, engines say before its program has begun.
                wait_until(lambda: ":80 " in inside("netstat", "-ltn").stdout, "the web server listens")
            for inside, target in ((one, second), (other, first)):
                wait_until(lambda: reaches(inside, address(target)), f"{address(target)} is reached")
                assert busybox_ping(inside, address(target), count=2).loss == 0
                assert inside("wget", "-q", "-O", "-", f"http://{address(target)}/").stdout == "served by busybox\n"
        finally:
            podman.remove("p1")
    finally:
        containerd.remove("c1")
    for host in hosts:
        wait_until(lambda: not host.ask("GET", "/v1/containers")["containers"], "DEL came")


def test_podman_publishes_ports_through_portmap(lab, engines):
    """R-CTR-6: -p, by Debian's portmap chained behind viaduct-cni."""
    hosts = list(lab.hosts.values())
    podman = engines[1]
    podman.podman("run", "-d", "--name", "p2", "--network", "pods", "-p", "8080:80", "--cgroup-parent", podman.node.machine.control_group,
                  "docker.io/library/nginx:alpine")
    try:
        said = web_page(hosts[0], "http://172.31.0.2:8080/")
    finally:
        podman.remove("p2")
    assert said == "served by busybox\n"
