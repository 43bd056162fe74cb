# SPDX-License-Identifier: Apache-2.0
"""The shapes that are compared: two end namespaces, and between them what is measured.

Every veth of every shape has GRO on at both ends (packets that `generate` sends enter by the peer's NAPI) and checksum offload as the
kernel has it, so that shapes differ in what lies between, not in how it is entered. See bench/README.md for the traps.
"""

import dataclasses
import os
import subprocess


def run(*command, check=True, **options):
    """Runs a command; its output is in the exception's text when it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
    return done.stdout


@dataclasses.dataclass
class End:
    """An instance's interface in its namespace; destination_mac is what it writes to reach the other end."""
    netns: str
    ifname: str
    address: str
    destination_mac: str = ""


class Shape:
    """One thing to measure; a context manager that leaves nothing behind."""

    name = title = ""
    hosts = 1
    target = None  # the address that packets are sent to, where it is not the right end's own
    measures = None  # names of those that are of use here; None: the general ones
    new_flow_share = 1.0  # of the usual number, where a new flow is slow
    made = 0

    def __init__(self, build_directory):
        self.build_directory = build_directory
        Shape.made += 1
        self.prefix = f"vdb{os.getpid() % 10000}n{Shape.made}"
        self.namespaces = []
        self.left = self.right = None

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.tear_down()
            raise
        return self

    def __exit__(self, *_):
        self.tear_down()

    def build(self):
        raise NotImplementedError

    def refresh(self):
        """Before each run of all-new flows: forgets the connections of the runs before."""

    def extras(self):
        """What else is to be said of it: lines with a name each."""
        return {}

    def tear_down(self):
        for name in self.namespaces:
            run("ip", "netns", "del", name, check=False)
        self.namespaces = []

    # ---- bricks ----

    def netns(self, what):
        name = f"{self.prefix}{what}"
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        self.ip(name, "link", "set", "lo", "up")
        # IPv6's own chatter is not what is measured.
        run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        return name

    def ip(self, netns, *words):
        return run("ip", "-n", netns, *words)

    def veth(self, netns_a, name_a, netns_b, name_b, mtu=1500):
        self.ip(netns_a, "link", "add", name_a, "mtu", mtu, "type", "veth", "peer", "name", name_b, "mtu", mtu, "netns", netns_b)
        # Both before either is up: a veth learns only when it is opened whether its peer takes XDP frames.
        for netns, name in ((netns_a, name_a), (netns_b, name_b)):
            run("ip", "netns", "exec", netns, "ethtool", "-K", name, "gro", "on")
        for netns, name in ((netns_a, name_a), (netns_b, name_b)):
            self.ip(netns, "link", "set", name, "up")

    def mac(self, netns, name):
        for word, value in zip(*(lambda words: (words, words[1:]))(self.ip(netns, "-o", "link", "show", name).split())):
            if word == "link/ether":
                return value
        raise RuntimeError(f"{name}: no MAC")

    def ends(self, left_address="10.91.0.2/24", right_address="10.91.0.3/24"):
        """The two end namespaces, without interfaces yet."""
        self.left = End(self.netns("a"), "eth0", left_address.split("/")[0])
        self.right = End(self.netns("b"), "eth0", right_address.split("/")[0])
        return left_address, right_address

    def addresses(self, left_address, right_address):
        self.ip(self.left.netns, "addr", "add", left_address, "dev", "eth0")
        self.ip(self.right.netns, "addr", "add", right_address, "dev", "eth0")

    def neighbours(self):
        """Ends on one segment know each other for good."""
        self.left.destination_mac = self.mac(self.right.netns, "eth0")
        self.right.destination_mac = self.mac(self.left.netns, "eth0")
        for end, other in ((self.left, self.right), (self.right, self.left)):
            self.ip(end.netns, "neigh", "replace", other.address, "lladdr", end.destination_mac, "dev", "eth0", "nud", "permanent")


class Direct(Shape):
    name, title = "direct", "direct veth pair"

    def build(self):
        addresses = self.ends()
        self.veth(self.left.netns, "eth0", self.right.netns, "eth0")
        self.addresses(*addresses)
        self.neighbours()


class Bridge(Shape):
    name, title = "bridge", "Linux bridge"

    def build(self):
        addresses = self.ends()
        middle = self.netns("h")
        self.ip(middle, "link", "add", "br0", "type", "bridge")
        self.ip(middle, "link", "set", "br0", "up")
        for end, name in ((self.left, "left"), (self.right, "right")):
            self.veth(middle, name, end.netns, "eth0")
            self.ip(middle, "link", "set", name, "master", "br0")
        self.addresses(*addresses)
        self.neighbours()


class Routed(Shape):
    """What a container host does today: route, connection tracking, masquerade of what leaves."""
    name, title = "routed", "routed, nft conntrack + masquerade"

    def ruleset(self):
        return """
            table ip bench {
                chain forward {
                    type filter hook forward priority filter; policy drop;
                    ct state established,related accept
                    ct state new accept
                }
                chain postrouting {
                    type nat hook postrouting priority srcnat;
                    oifname "right" masquerade
                }
            }
            """

    def build(self):
        addresses = self.ends("10.91.0.2/24", "10.92.0.2/24")
        self.middle = self.netns("h")
        run("ip", "netns", "exec", self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for end, name, gateway in ((self.left, "left", "10.91.0.1"), (self.right, "right", "10.92.0.1")):
            self.veth(self.middle, name, end.netns, "eth0")
            self.ip(self.middle, "addr", "add", f"{gateway}/24", "dev", name)
        self.addresses(*addresses)
        for end, name, gateway in ((self.left, "left", "10.91.0.1"), (self.right, "right", "10.92.0.1")):
            end.destination_mac = self.mac(self.middle, name)
            self.ip(end.netns, "neigh", "replace", gateway, "lladdr", end.destination_mac, "dev", "eth0", "nud", "permanent")
            self.ip(end.netns, "route", "add", "default", "via", gateway)
            self.ip(self.middle, "neigh", "replace", end.address, "lladdr", self.mac(end.netns, "eth0"), "dev", name, "nud", "permanent")
        run("ip", "netns", "exec", self.middle, "nft", "-f", "-", input=self.ruleset())

    def refresh(self):
        run("ip", "netns", "exec", self.middle, "conntrack", "-F")


class KernelVxlan(Shape):
    """Two hosts, each a bridge with the instance's veth and a VXLAN device; between them the bridged wire that lab/ has too."""
    name, title = "vxlan", "kernel VXLAN, two hosts"
    hosts = 2

    def build(self):
        addresses = self.ends()
        hosts, wire = (self.netns("h"), self.netns("i")), self.netns("w")
        self.ip(wire, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
        self.ip(wire, "link", "set", "bridge", "up")
        for index, host in enumerate(hosts):
            self.veth(host, "under", wire, f"host{index}")
            self.ip(wire, "link", "set", f"host{index}", "master", "bridge")
        for index, (host, end) in enumerate(zip(hosts, (self.left, self.right))):
            self.ip(host, "addr", "add", f"172.30.91.{index + 1}/24", "dev", "under")
            self.ip(host, "neigh", "replace", f"172.30.91.{2 - index}", "lladdr", self.mac(hosts[1 - index], "under"), "dev", "under",
                    "nud", "permanent")
            self.ip(host, "link", "add", "vxlan0", "type", "vxlan", "id", "91", "dstport", "4789", "local", f"172.30.91.{index + 1}",
                    "remote", f"172.30.91.{2 - index}", "dev", "under", "nolearning")
            self.ip(host, "link", "add", "br0", "type", "bridge")
            self.veth(host, "inst", end.netns, "eth0", mtu=1450)
            for name in ("vxlan0", "inst"):
                self.ip(host, "link", "set", name, "master", "br0")
            for name in ("vxlan0", "br0"):
                self.ip(host, "link", "set", name, "up")
        self.addresses(*addresses)
        self.neighbours()


BASELINES = [Direct, Bridge, Routed, KernelVxlan]
