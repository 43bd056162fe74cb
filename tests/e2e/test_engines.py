# SPDX-License-Identifier: Apache-2.0
"""Container engines in the lab, without Viaduct: each node has its own, and nothing of them stays."""

import os
import pathlib

import pytest
import yaml

from lab import Lab, Layout, wait_until
from lab.engine import Containerd, Docker, Podman, network
from lab.machine import CGROUPS
from lab.service import Firewalld, Redis
from lab.world import DIRECTORY

LAYOUT = """
name: engines
hosts:
  h1: {addresses: [172.31.0.1/24], machine: true}
  h2: {addresses: [172.31.0.2/24], machine: {iptables: legacy}}
instances:
  ecs: {node: {addresses: [172.31.0.101/24]}}
"""
BRIDGE = {"cniVersion": "1.0.0", "name": "plain", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": {"type": "host-local", "subnet": "10.9.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": True}}]}


@pytest.fixture(scope="module")
def lab():
    with Lab(Layout.from_document(yaml.safe_load(LAYOUT)), name=f"engines{os.getpid()}", daemons=False) as built:
        yield built


def machine_files():
    """Those of labs apart, that others build and take down meanwhile: a lab's namespaces are called as its directory is."""
    labs = {path.name for path in DIRECTORY.glob("*")}
    found = {str(path) for folder in ("/run/docker", "/run/containerd", "/var/lib/docker", "/etc/cni/net.d", "/run/dbus", "/run/netns")
             for path in [pathlib.Path(folder), *pathlib.Path(folder).glob("*")] if path.exists()}
    labs |= {path.name for path in DIRECTORY.glob("*")}
    return {path for path in found if not path.startswith(tuple(f"/run/netns/{name}-" for name in labs))}


def test_machines_have_files_of_their_own(lab):
    one, other = lab.host("h1"), lab.instance("ecs")
    for folder in ("/run", "/etc", "/var/lib", "/opt/cni/bin", "/run/netns"):
        one.run("touch", f"{folder}/mine")
        assert other.run("test", "-e", f"{folder}/mine", check=False).returncode == 1
        assert not pathlib.Path(folder, "mine").exists()
    assert "nf_tables" in one.run("iptables", "-V").stdout
    assert "legacy" in lab.host("h2").run("iptables", "-V").stdout


def test_two_dockers_with_the_same_network(lab):
    for name in ("h1", "h2"):
        with Docker(lab.host(name)) as engine:
            engine.docker("network", "create", "--subnet", "10.0.2.0/24", "my-net")
            engine.docker("run", "-d", "--name", "nginx", "--net", "my-net", "-p", "8080:80", "nginx:alpine")
            assert engine.address("nginx", "my-net") == "10.0.2.2"
            wait_until(lambda: lab.instance("ecs").run("busybox", "wget", "-qO-", f"{lab.host(name).layout.underlay}:8080", check=False).stdout
                       == "served by busybox\n", "the published port answers")
            engine.kill9()
            engine.start()
            assert engine.docker("start", "nginx") == "nginx"


def test_containers_outlive_dockerd_with_live_restore(lab):
    with Docker(lab.host("h1"), live_restore=True) as engine:
        engine.docker("run", "-d", "--name", "stays", "nginx:alpine")
        before = engine.inspect("stays")["State"]["Pid"]
        engine.kill9()
        engine.start()
        assert engine.inspect("stays")["State"]["Pid"] == before
        engine.docker("rm", "-f", "stays")


def test_containerd_and_podman_call_cni(lab):
    node = lab.host("h2")
    network(node, "10-plain.conflist", BRIDGE)
    with Containerd(node) as engine:
        engine.run("c1")
        assert "inet 10.9.0." in engine.exec("c1", "ip", "address", "show", "dev", "eth0").stdout
        engine.remove("c1")
        assert node.run("sh", "-c", "ls /var/lib/cni/networks/plain").stdout.split() == ["last_reserved_ip.0", "lock"], "DEL came"
    podman = Podman(node)
    podman.run("p1", "plain")
    assert "inet 10.9.0." in podman.exec("p1", "ip", "address", "show", "dev", "eth0").stdout
    podman.remove("p1")


def test_firewalld_runs_on_a_bus_of_its_own(lab):
    with Firewalld(lab.host("h1")) as firewall:
        assert firewall.tell("--get-default-zone") == "public"
        firewall.reload()
        assert "table inet firewalld" in lab.host("h1").run("nft", "list", "tables").stdout
    assert "firewalld" not in lab.host("h2").run("nft", "list", "tables").stdout


def test_redis_obeys_its_allow_list(lab):
    client, node = lab.host("h1"), lab.instance("ecs")
    with Redis(node, ["172.31.0.1/32"]) as redis:
        assert redis.ask(client, "172.31.0.101", "ping") == "PONG"
        assert "PONG" not in redis.ask(lab.host("h2"), "172.31.0.101", "ping")
        redis.allow(["172.31.0.2/32"])
        assert "PONG" not in redis.ask(client, "172.31.0.101", "ping")


def test_nothing_stays_of_a_lab_whose_engines_run():
    before = machine_files()
    name = f"enginesleft{os.getpid()}"
    lab = Lab(Layout.from_document(yaml.safe_load(LAYOUT)), name=name, daemons=False)
    lab.up()
    try:
        engine = Docker(lab.host("h1")).start()
        engine.docker("run", "-d", "--name", "nginx", "nginx:alpine")
        inside = engine.inspect("nginx")["State"]["Pid"]
        network(lab.host("h2"), "10-plain.conflist", BRIDGE)
        Podman(lab.host("h2")).run("p1", "plain")
        Containerd(lab.host("h2")).start().run("c1")
        start = lab.namespace_name("")
        assert list(CGROUPS.glob(f"*/{start}h1/*"))
    finally:
        Lab.take_down(name)
    state = pathlib.Path(f"/proc/{inside}/stat")
    assert not state.exists() or ") Z" in state.read_text()
    assert not list(CGROUPS.glob(f"*/{start}*"))
    assert machine_files() <= before
