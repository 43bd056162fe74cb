# SPDX-License-Identifier: Apache-2.0
"""What is not Viaduct's: hosts on a provider segment, routers there, and an "Internet" behind a router. Their kernels do all of it; only
VLAN tags are put on and taken off by a program of the lab.
"""

from lab.namespace import Namespace, add_addresses, connect, run


class Outside(Namespace):
    """eth0: towards the segment, or towards its router. A router also has a bridge "inside"."""

    def __init__(self, lab, layout):
        super().__init__(lab.namespace_name(layout.name), layout.name)
        self.lab, self.layout = lab, layout

    def build(self):
        self.create()
        if self.layout.router:
            self.connect_behind(self.lab.outsiders[self.layout.router])
        else:
            self.connect_to_segment()
        if self.layout.inside:
            self.build_inside()
        for gateway in self.layout.gateways:
            if any((":" in gateway) == (":" in address) for address in self.layout.addresses):
                self.ip("route", "add", "default", "via", gateway)
        for destination, gateway in self.layout.routes.items():
            self.ip("route", "add", destination, "via", gateway)

    def connect_to_segment(self):
        segment = self.lab.segments[self.layout.segment]
        connect(self, "eth0", segment, self.title, self.lab.layout.segments[self.layout.segment])
        segment.ip("link", "set", self.title, "master", "bridge")
        wire = self.lab.wire.load(self.title)
        if self.layout.vlan:
            run("bpftool", "map", "update", "pinned", wire / "maps" / "vlan", "key", *[0] * 4, "value", *self.layout.vlan.to_bytes(4, "little"))
            self.lab.wire.attach(self, "eth0", "egress", wire / "push")
        self.lab.wire.attach(self, "eth0", "ingress", wire / ("pop" if self.layout.vlan else "untagged"))
        add_addresses(self, "eth0", self.layout.addresses)

    def build_inside(self):
        self.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0")
        run("ip", "-n", self.name, "link", "add", "inside", "type", "bridge", "mcast_snooping", "0")
        self.ip("link", "set", "inside", "up")
        add_addresses(self, "inside", self.layout.inside)

    def connect_behind(self, router):
        connect(self, "eth0", router, self.title[:15])
        router.ip("link", "set", self.title[:15], "master", "inside")
        add_addresses(self, "eth0", self.layout.addresses)

    def has_learnt(self, address):
        """The MAC that it believes an address of its link to have, or None."""
        words = self.ip("neighbour", "show", address).split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def forget(self):
        """Asks anew for every neighbour."""
        self.ip("neighbour", "flush", "all")
