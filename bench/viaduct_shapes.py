# SPDX-License-Identifier: Apache-2.0
"""Viaduct's own shapes, built by lab/: one host (same subnet; two subnets; two subnets and 10,000 routes) and two hosts."""

import json
import os
import pathlib
import re
import tempfile

from lab import Lab, Layout
from topology import End, Shape, run

ROUTES = 10000
PROGRAM_FLOWS = 20000
GATEWAY_MAC = "02:76:69:61:64:01"  # VD_GATEWAY_MAC of bpf/abi/maps.h


def documents(subnets, routes):
    """One VPC; the port `left` in the first subnet, `right` in the last."""
    lines = [f"kind: vpc\nname: bench\ncidrs: [10.91.0.0/16]\nroute_quota: {max(routes, 50)}"]
    for index in range(subnets):
        lines.append(f"kind: subnet\nname: net{index}\nvpc: bench\ncidrs: [10.91.{index}.0/24]")
    lines.append("kind: port\nname: left\nsubnet: net0\naddresses: [10.91.0.2]")
    for index in range(routes):
        lines.append(f"kind: route\nvpc: bench\ndestination: 10.{128 + index // 256}.{index % 256}.0/24\nnext_hop: {{address: 10.91.0.2}}")
    lines.append(f"kind: port\nname: right\nsubnet: net{subnets - 1}\naddresses: [10.91.{subnets - 1}.3]")
    return "\n---\n".join(lines) + "\n"


class Host(Shape):
    """What all shapes with Viaduct in them have in common: self.lab."""

    def pins(self, host):
        """The directory of a host's maps and programs."""
        return max((path for path in (self.lab.bpf_directory / host).iterdir() if path.name[0].isdigit()),
                   key=lambda path: int(path.name.split("-")[0]))

    def port_ifname(self, host, end):
        """The host's end of an instance's link."""
        peer = re.search(rf"{end.ifname}@if(\d+)", self.ip(end.netns, "-o", "link", "show", end.ifname))[1]
        return re.search(rf"^{peer}: ([^:@]+)", self.ip(host.name, "-o", "link"), re.M)[1]

    def refresh(self):
        for host in self.lab.hosts:
            run(pathlib.Path(self.build_directory).resolve() / "bench" / "forget", self.pins(host))

    def program(self, flows, *ports):
        """What one run of the port program of left's link costs."""
        host = self.lab.host("h1")
        return json.loads(host.run(pathlib.Path(self.build_directory).resolve() / "bench" / "program", self.pins("h1") / "vd_port_ingress",
                                   self.port_ifname(host, self.left), self.mac(self.left.netns, "eth0"), self.left.destination_mac,
                                   self.left.address, self.target or self.right.address, 0, flows, *ports).stdout)


class Viaduct(Host):
    subnets, routes = 1, 0

    def documents(self):
        return documents(self.subnets, self.routes)

    def build(self):
        hosts = {f"h{index + 1}": {"addresses": [f"172.30.92.{index + 1}/24"]} for index in range(self.hosts)}
        layout = Layout.from_document({
            "name": f"bench{os.getpid() % 10000}{self.name.replace('-', '')}",
            "hosts": hosts,
            "instances": {"left": {"ports": {"left": {"host": "h1", "attach": False}}},
                          "right": {"ports": {"right": {"host": f"h{self.hosts}", "attach": False}}}},
        })
        os.environ["VIADUCT_BUILD"] = str(pathlib.Path(self.build_directory).resolve())
        self.lab = Lab(layout)
        self.lab.up()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self.documents())
            file.flush()
            self.lab.host("h1").viaduct("apply", "--wait", "-f", file.name, timeout=120)
        for instance in self.lab.instances.values():
            instance.attach_port(instance.title)
        left, right = self.lab.instance("left"), self.lab.instance("right")
        self.left = End(left.name, "eth0", "10.91.0.2")
        self.right = End(right.name, "eth0", f"10.91.{self.subnets - 1}.3")
        self.settle()

    def settle(self):
        """The same veth settings as in all shapes; they take hold while the links are up as well."""
        for node in (*self.lab.instances.values(), *self.lab.hosts.values(), *self.lab.segments.values()):
            for line in self.ip(node.name, "-o", "link", "show", "type", "veth").splitlines():
                ifname = line.split(": ")[1].split("@")[0]
                run("ip", "netns", "exec", node.name, "ethtool", "-K", ifname, "gro", "on")
        for end, other in ((self.left, self.right), (self.right, self.left)):
            # Both ends' neighbour tables are warm, and one ping shows that the way stands.
            run("ip", "netns", "exec", end.netns, "ping", "-c", "3", "-i", "0.1", "-W", "2", other.address)
            end.destination_mac = GATEWAY_MAC
        if self.subnets == 1:
            self.left.destination_mac, self.right.destination_mac = (self.mac(end.netns, "eth0") for end in (self.right, self.left))

    def tear_down(self):
        if getattr(self, "lab", None):
            self.lab.down()
            self.lab = None

    def extras(self):
        return {f"daemon of {name}, RSS": f"{host.daemon_rss() / 1024:.1f} MiB" for name, host in self.lab.hosts.items()}


class SameSubnet(Viaduct):
    name, title = "viaduct", "Viaduct, same subnet"

    def extras(self):
        self.refresh()
        said = self.program(PROGRAM_FLOWS)
        return super().extras() | {"one run of the port program": f"on a hit {said['hit_ns']} ns, on a new flow {said['new_ns']} ns"}


class TwoSubnets(Viaduct):
    name, title, subnets = "viaduct-routed", "Viaduct, two subnets", 2


class ManyRoutes(Viaduct):
    name, title, subnets, routes = "viaduct-routes", "Viaduct, two subnets, 10,000 routes", 2, ROUTES


class TwoHosts(Viaduct):
    name, title, hosts = "viaduct-hosts", "Viaduct, two hosts", 2


SHAPES = [SameSubnet, TwoSubnets, ManyRoutes, TwoHosts]
