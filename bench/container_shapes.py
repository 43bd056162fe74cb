# SPDX-License-Identifier: Apache-2.0
"""Two containers, made through CNI: by Debian's bridge plugin, and by viaduct-cni, on one node and on two. And what making one costs."""

import contextlib
import json
import os
import pathlib
import tempfile
import time

from lab import Lab, Layout, wait_until
from lab.cni import Container, Runtime, address_of, pods
from lab.engine import IMAGE, Docker
from topology import End, Shape, run
from viaduct_shapes import Host

MEASURES = ("packets_one_flow", "packets_10000_flows", "packets_new_flows", "connections", "latency_us")
ADD_MEASURES = ("container_add_ms", "container_delete_ms")
ADDS = 20  # containers of each run, one after the other

# As they come with Debian: a bridge that masquerades, addresses from files.
BRIDGE = {"cniVersion": "1.0.0", "name": "bench", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True,
     "ipam": {"type": "host-local", "subnet": "10.65.{node}.0/24", "dataDir": "{directory}", "routes": [{"dst": "0.0.0.0/0"}]}}]}


class Node:
    """What a Runtime needs of a host, in a namespace without a daemon."""

    def __init__(self, netns):
        self.name, self.socket_path = netns, "/none"

    def command(self, argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]


def bridge_configuration(node, directory):
    text = json.dumps(BRIDGE).replace("{node}", str(node)).replace("{directory}", str(directory))
    return json.loads(text)


class Containers(Shape):
    """left and right are containers; runtimes[] of their nodes are made by build_nodes()."""

    measures = MEASURES

    def build(self):
        self.stack = contextlib.ExitStack()
        ends = self.build_ends(self.build_nodes())
        self.left, self.right = ends
        for end, other in (ends, ends[::-1]):
            for node in (end.netns, *self.middles()):
                self.gro(node)
            run("ip", "netns", "exec", end.netns, "ping", "-c", "3", "-i", "0.1", "-W", "2", other.address)
            end.destination_mac = self.next_hop_mac(end, other)

    def build_ends(self, runtimes):
        ends = []
        for name, runtime in zip("ab", (runtimes[0], runtimes[-1])):
            container = self.stack.enter_context(Container(self, name))
            result = self.stack.enter_context(runtime.added(container))
            ends.append(End(container.name, "eth0", address_of(result), ""))
        return ends

    def next_hop_mac(self, end, other):
        route = run("ip", "-n", end.netns, "route", "get", other.address).split()
        hop = route[route.index("via") + 1] if "via" in route else other.address
        return run("ip", "-n", end.netns, "neigh", "show", hop, "dev", "eth0").split("lladdr ")[1].split()[0]

    def gro(self, netns):
        for line in self.ip(netns, "-o", "link", "show", "type", "veth").splitlines():
            run("ip", "netns", "exec", netns, "ethtool", "-K", line.split(": ")[1].split("@")[0], "gro", "on")

    def namespace_name(self, name):
        return f"{self.prefix}c{name}"

    def tear_down(self):
        if getattr(self, "stack", None):
            self.stack.close()
            self.stack = None
        super().tear_down()


class BridgePlugin(Containers):
    name, title = "cni-bridge", "CNI bridge + host-local"

    def middles(self):
        return self.nodes

    def build_nodes(self):
        self.nodes = [self.netns("h")]
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        return [Runtime(Node(self.nodes[0]), bridge_configuration(1, directory))]

    def refresh(self):
        for node in self.nodes:
            run("ip", "netns", "exec", node, "conntrack", "-F", check=False)


class BridgeRoutes(BridgePlugin):
    name, title, hosts = "cni-bridge-hosts", "CNI bridge, two nodes, kernel routes", 2
    masquerade = False

    def build_nodes(self):
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.nodes, wire = [self.netns("h"), self.netns("i")], self.netns("w")
        self.ip(wire, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
        self.ip(wire, "link", "set", "bridge", "up")
        runtimes = []
        for index, node in enumerate(self.nodes):
            self.veth(node, "under", wire, f"node{index}")
            self.ip(wire, "link", "set", f"node{index}", "master", "bridge")
            self.ip(node, "addr", "add", f"172.30.93.{index + 1}/24", "dev", "under")
            self.ip(node, "route", "add", f"10.65.{2 - index}.0/24", "via", f"172.30.93.{2 - index}")
            run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            configuration = bridge_configuration(index + 1, f"{directory}/{index}")
            configuration["plugins"][0]["ipMasq"] = self.masquerade
            runtimes.append(Runtime(Node(node), configuration))
        return runtimes


class BridgeRoutesMasquerade(BridgeRoutes):
    """As it comes: the kernel follows connections, and the other node sees the node's address, not the container's."""

    name, title, masquerade = "cni-bridge-masquerade", "CNI bridge with ipMasq, two nodes", True


class DockerBridge(BridgePlugin):
    """Docker's own bridge, of a dockerd in a machine of the lab."""

    name, title = "docker-bridge", "Docker's bridge"

    def build_nodes(self):
        self.lab = Lab(Layout.from_document({"name": f"bench{os.getpid() % 10000}docker", "instances": {},
                                             "hosts": {"h1": {"addresses": ["172.30.95.1/24"], "machine": True}}}))
        self.stack.callback(self.lab.down)
        self.lab.up()
        self.nodes = [self.lab.host("h1").name]
        return self.stack.enter_context(Docker(self.lab.host("h1")))

    def build_ends(self, engine):
        engine.docker("network", "create", "my-net")
        ends = []
        for name in ("left", "right"):
            engine.docker("run", "-d", "--name", name, "--net", "my-net", IMAGE)
            self.stack.callback(engine.docker, "rm", "-f", name)
            namespace = self.namespace_name(name)
            run("ip", "netns", "attach", namespace, engine.inspect(name)["State"]["Pid"])
            self.stack.callback(run, "ip", "netns", "del", namespace)
            ends.append(End(namespace, "eth0", engine.address(name, "my-net")))
        return ends


def documents(mode, hosts, masquerade):
    provider = f"provider: host\nmasquerade: {str(masquerade).lower()}\n" if mode == "routed" else ""
    nodes = "".join(f"---\nkind: node\nname: h{index + 1}\ncontainer_networks: [pods]\n" for index in range(hosts))
    return f"kind: container_network\nname: pods\ncidrs: [10.64.0.0/16]\nmode: {mode}\n{provider}{nodes}"


class ViaductContainers(Containers, Host):
    mode, masquerade = "routed", False

    def middles(self):
        return [node.name for node in (*self.lab.hosts.values(), *self.lab.segments.values())]

    def build_nodes(self):
        os.environ["VIADUCT_BUILD"] = str(pathlib.Path(self.build_directory).resolve())
        self.lab = Lab(Layout.from_document({
            "name": f"bench{os.getpid() % 10000}{self.name.replace('-', '')}",
            "hosts": {f"h{index + 1}": {"addresses": [f"172.30.94.{index + 1}/24"]} for index in range(self.hosts)},
            "instances": {}}))
        self.stack.callback(self.lab.down)
        self.lab.up()
        hosts = list(self.lab.hosts.values())
        hosts[0].apply(documents(self.mode, self.hosts, self.masquerade))
        wait_until(lambda: len(hosts[0].ask("GET", "/v1/container_blocks")["items"]) == self.hosts, "every node has a block")
        return [Runtime(host, pods()) for host in hosts]


class OneNode(ViaductContainers):
    name, title, masquerade = "containers", "Viaduct, one node", True


class TwoNodes(ViaductContainers):
    name, title, hosts = "containers-routed", "Viaduct, two nodes, routed", 2


class TwoNodesMasquerade(ViaductContainers):
    """As a network is unless it says otherwise: what leaves for elsewhere would be masqueraded, so the kernel follows connections."""

    name, title, hosts, masquerade = "containers-masquerade", "Viaduct, two nodes, routed, masquerade", 2, True


class TwoNodesTunnel(ViaductContainers):
    name, title, hosts, mode = "containers-tunnel", "Viaduct, two nodes, tunnel", 2, "tunnel"


# ---- what making a container costs ----

class Adding:
    """Mixed into a shape: no containers of its own, but the runtime of its node."""

    measures = ADD_MEASURES

    def build(self):
        self.stack = contextlib.ExitStack()
        self.runtime = self.build_nodes()[0]
        self.times = {}

    def add_and_delete(self):
        """Medians of one run, ms: {"ADD", "DEL"}."""
        spent = {"ADD": [], "DEL": []}
        for number in range(ADDS):
            with Container(self, f"add{number}") as container:
                begun = time.perf_counter()
                result = self.runtime.add(container)
                added = time.perf_counter()
                self.runtime.delete(container, result)
                spent["ADD"].append((added - begun) * 1e3)
                spent["DEL"].append((time.perf_counter() - added) * 1e3)
        return {command: sorted(values)[len(values) // 2] for command, values in spent.items()}


class BridgeAdding(Adding, BridgePlugin):
    name, title = "cni-bridge-add", "CNI bridge + host-local"


class ViaductAdding(Adding, OneNode):
    name, title = "containers-add", "Viaduct"


SHAPES = [BridgePlugin, DockerBridge, BridgeRoutes, BridgeRoutesMasquerade, OneNode, TwoNodes, TwoNodesMasquerade, TwoNodesTunnel, BridgeAdding, ViaductAdding]
