# SPDX-License-Identifier: Apache-2.0
"""An instance: a namespace that Viaduct attaches ports into, perhaps with containers behind a bridge of its own, or a node itself."""

from lab.host import InstanceNode
from lab.layout import MachineLayout
from lab.machine import Machine
from lab.namespace import Namespace, add_addresses, connect, run


class Instance(Namespace):
    def __init__(self, lab, layout):
        super().__init__(lab.namespace_name(layout.name), layout.name)
        self.lab, self.layout = lab, layout
        self.containers = {container: Namespace(lab.namespace_name(f"{layout.name}-{container}"), f"{layout.name}-{container}")
                           for bridge in layout.bridges for container in bridge.containers}
        if layout.machine or layout.node:
            self.machine = Machine(self, lab, layout.machine or MachineLayout())
        self.node = InstanceNode(self) if layout.node else None

    def build(self):
        self.create()
        if self.layout.bridges:
            self.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0")
        for bridge in self.layout.bridges:
            self.build_bridge(bridge)
        if self.node:
            self.node.connect()
        if self.machine:
            self.machine.build(self.node.run_directory if self.node else None)

    def command(self, argv):
        """`viaduct` talks to its own daemon, where it has one."""
        return self.node.command(argv) if self.node else super().command(argv)

    def build_bridge(self, bridge):
        run("ip", "-n", self.name, "link", "add", bridge.name, "type", "bridge")
        self.ip("link", "set", bridge.name, "up")
        add_addresses(self, bridge.name, bridge.addresses)
        for index, (name, addresses) in enumerate(bridge.containers.items()):
            container = self.containers[name]
            container.create()
            connect(self, f"{bridge.name}.{index}"[:15], container, "eth0")
            self.ip("link", "set", f"{bridge.name}.{index}"[:15], "master", bridge.name)
            add_addresses(container, "eth0", addresses)
            for gateway in bridge.addresses:
                if any((":" in gateway) == (":" in address) for address in addresses):
                    container.ip("route", "add", "default", "via", gateway.split("/")[0])

    def attach(self):
        for port in self.layout.ports:
            if port.attach:
                self.attach_port(port.port)

    def attach_port(self, name):
        port = next(port for port in self.layout.ports if port.port == name)
        host = self.lab.host(port.host)
        if host.machine:
            host.machine.show_namespace(self)
        host.viaduct("attach", port.port, "--netns", self.path, "--ifname", port.ifname, *(["--dhcp"] if port.dhcp else []))

    def container(self, name):
        return self.containers[name]
