# SPDX-License-Identifier: Apache-2.0
"""Containers by CNI: two nodes of a LAN, a routed container network, plugins run as the specification says."""

import json
import subprocess

import pytest

from lab import wait_until
from lab.cni import CniError, Container, Runtime, address_of, pods
from lab.host import binary_path
from traffic import Bucket, share_passed

LAB = """
name: cni
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24], store: h1}
instances: {}
"""
DOCUMENTS = """
kind: container_network
name: pods
cidrs: [10.64.0.0/16]
block_size: 24
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


@pytest.fixture(scope="module")
def nodes(lab):
    hosts = [lab.hosts["h1"], lab.hosts["h2"]]
    wait_until(lambda: len(hosts[0].ask("GET", "/v1/container_blocks")["items"]) == 2, "both nodes have a block")
    return hosts


@pytest.fixture
def containers(lab):
    """containers(n): that many namespaces, gone after the test."""
    made = []

    def make(count):
        for _ in range(count):
            container = Container(lab, f"c{len(made)}")
            container.create()
            made.append(container)
        return made[-count:]

    yield make
    for container in made:
        container.delete()


def listed(host):
    return host.ask("GET", "/v1/containers")["containers"]


def test_containers_of_two_nodes_reach_each_other(nodes, containers, reach):
    """R-CTR-6 R-CTR-2 R-SCN-2: addresses of the nodes' blocks, routes both ways, the hops of the nodes' kernels."""
    runtimes = [Runtime(host, pods()) for host in nodes]
    first, second = containers(2)
    with runtimes[0].added(first) as one, runtimes[1].added(second) as two:
        assert address_of(one).rsplit(".", 1)[0] != address_of(two).rsplit(".", 1)[0], "a block each"
        assert [interface["name"] for interface in one["interfaces"] if interface.get("sandbox")] == ["eth0"]
        assert one["routes"][0]["dst"] == "0.0.0.0/0" and one["routes"][0]["gw"] == one["ips"][0]["gateway"]
        for container, other in ((first, two), (second, one)):
            reach(container, address_of(other))
            ping = container.ping(address_of(other), count=3)
            assert ping.received == 3 and set(ping.ttls) == {62}
        assert len(listed(nodes[0])) == len(listed(nodes[1])) == 1
    assert not listed(nodes[0]) and not listed(nodes[1])


def test_containers_of_one_node_reach_each_other_directly(nodes, containers):
    """R-CTR-2: one subnet: no hop between them."""
    runtime = Runtime(nodes[0], pods())
    first, second = containers(2)
    with runtime.added(first), runtime.added(second) as two:
        ping = first.ping(address_of(two), count=3)
        assert ping.received == 3 and set(ping.ttls) == {64}


def test_add_is_idempotent_and_check_sees_what_is_missing(nodes, containers):
    """R-CTR-6"""
    runtime = Runtime(nodes[0], pods())
    container, = containers(1)
    with runtime.added(container) as result:
        assert runtime.add(container) == result, "the same ADD again: the same answer"
        runtime.check(container, result)
        container.ip("addr", "flush", "dev", "eth0")
        with pytest.raises(CniError):
            runtime.check(container, result)
    runtime.delete(container)
    runtime.delete(container)


def test_address_is_taken_as_asked_and_refused_when_taken(nodes, containers):
    """R-CTR-2 R-CTR-6: runtimeConfig.ips and CNI_ARGS; no two containers share an address."""
    runtime = Runtime(nodes[0], pods())
    first, second = containers(2)
    with runtime.added(first) as result:
        address = address_of(result)
        with pytest.raises(CniError, match=address):
            runtime.add(second, ips=[address])
    with runtime.added(second, ips=[address]) as result:
        assert address_of(result) == address
    with runtime.added(second, arguments=f"IgnoreUnknown=1;IP={address}") as result:
        assert address_of(result) == address


@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_every_version_is_answered_in_its_own_words(nodes, containers, version):
    """R-CTR-6"""
    runtime = Runtime(nodes[0], pods(version))
    container, = containers(1)
    with runtime.added(container) as result:
        assert result["cniVersion"] == version
        if version == "0.2.0":
            assert result["ip4"]["ip"]
        else:
            assert ("version" in result["ips"][0]) == (version < "1")
            assert ("mtu" in result["interfaces"][1]) == (version == "1.1.0")


def test_gc_removes_what_the_runtime_does_not_know(nodes, containers):
    """R-CTR-6: GC of CNI 1.1, and STATUS."""
    runtime = Runtime(nodes[0], pods("1.1.0"))
    kept, lost = containers(2)
    plugin = runtime.configuration["plugins"][0]
    runtime.call("viaduct-cni", "STATUS", runtime.input(plugin, None, {}))
    with runtime.added(kept) as result, runtime.added(lost):
        document = {**runtime.input(plugin, None, {}), "cni.dev/valid-attachments": [{"containerID": kept.id, "ifname": "eth0"}]}
        runtime.call("viaduct-cni", "GC", document)
        assert [container["key"] for container in listed(nodes[0])] == [f"cni/pods/{kept.id}/eth0"]
        assert kept.ping(result["ips"][0]["gateway"], count=1).received == 1
    assert "eth0" not in lost.ip("link")


def test_port_is_published_by_debians_portmap_behind_it(nodes, containers):
    """R-CTR-6: chaining: portmap gets our result as its prevResult."""
    configuration = pods()
    configuration["plugins"].append({"type": "portmap", "capabilities": {"portMappings": True}, "snat": True})
    runtime = Runtime(nodes[0], configuration)
    container, = containers(1)
    with runtime.added(container, portMappings=[{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]):
        server = container.launch("busybox", "nc", "-l", "-p", "80", "-e", "/bin/echo", "published")
        try:
            wait_until(lambda: ":80 " in container.run("ss", "-ltn").stdout, "the server listens")
            said = nodes[1].run("timeout", "30", "bash", "-c", "exec 3<>/dev/tcp/172.31.0.1/8080; cat <&3").stdout
        finally:
            server.kill()
            server.wait()
    assert said.strip() == "published"


def refused(host, command, document, **environment):
    with pytest.raises(CniError) as caught:
        Runtime(host, pods()).call("viaduct-cni", command, document, **environment)
    assert caught.value.answer["msg"]
    return caught.value.code


def test_refusals_have_the_specifications_codes(nodes, containers, tmp_path):
    """R-CTR-6: one sentence and a code; nothing is left."""
    container, = containers(1)
    place = {"CONTAINERID": container.id, "NETNS": container.netns, "IFNAME": "eth0"}
    server = f"unix:{nodes[0].socket_path}"
    good = {"cniVersion": "1.0.0", "name": "pods", "server": server}
    assert refused(nodes[0], "ADD", {**good, "cniVersion": "7.0.0"}, **place) == 1
    assert refused(nodes[0], "ADD", {**good, "ipam": {"type": "host-local"}}, **place) == 2
    assert refused(nodes[0], "ADD", {**good, "network": "nowhere"}, **place) == 7
    assert refused(nodes[0], "ADD", good, **{**place, "IFNAME": ""}) == 4
    assert refused(nodes[0], "ADD", good, **{**place, "NETNS": "/run/netns/not-there"}) == 4
    assert refused(nodes[0], "ADD", {**good, "server": f"unix:{tmp_path}/none.sock"}, **place) == 11
    assert refused(nodes[0], "STATUS", {**good, "cniVersion": "1.1.0", "server": f"unix:{tmp_path}/none.sock"}) == 51
    broken = subprocess.run([binary_path("viaduct-cni")], input="{", text=True, capture_output=True,
                            env={"CNI_COMMAND": "ADD", **{f"CNI_{key}": value for key, value in place.items()}})
    assert broken.returncode and json.loads(broken.stdout)["code"] == 6
    assert not listed(nodes[0])


def test_bandwidth_limits_both_directions(nodes, containers, reach):
    """R-CTR-6: runtimeConfig.bandwidth, enforced in the data plane."""
    runtime = Runtime(nodes[0], pods())
    limited, other = containers(2)
    rate, burst = 8_000_000, 800_000
    bandwidth = {"ingressRate": rate, "ingressBurst": burst, "egressRate": 2 * rate, "egressBurst": burst}
    with runtime.added(limited, bandwidth=bandwidth) as one, runtime.added(other) as two:

        def dropped(direction):
            return sum(container["bandwidth"][f"{direction}_dropped"] for container in listed(nodes[0]) if "bandwidth" in container)

        reach(other, address_of(one))
        into = share_passed(other, limited, address_of(one), Bucket(rate, burst, lambda: dropped("ingress")))
        out = share_passed(limited, other, address_of(two), Bucket(2 * rate, burst, lambda: dropped("egress")))
    print(f"into {into:.3f} of 8 Mbit/s, out {out:.3f} of 16")
    assert 0.95 < into < 1.05
    assert 0.95 < out < 1.05
