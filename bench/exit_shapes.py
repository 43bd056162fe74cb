# SPDX-License-Identifier: Apache-2.0
"""The way out of a private network and in again, on one host: SNAT to an address, an address of one's own (elastic IP), and a forwarded
port; by a routed namespace with nft, and by Viaduct. Outside is a namespace at the other end of the host's uplink, a veth.

SNAT is measured from the instance to the outside, the other two from the outside to the instance: that is who begins connections there.
The shapes of a million flows are SNAT again, with tables that hold so many.
"""

import json
import os
import pathlib
import re
import tempfile

from lab import Lab, Layout
from topology import Direct, End, Shape, run
from viaduct_shapes import GATEWAY_MAC, Host

PORTS = 16384, 1024  # destination ports of the flows: one aligned block, which a forward can be
INSIDE, OUTSIDE = "10.91.0.2", "203.0.113.1"
VIP, ELASTIC = "203.0.113.10", "203.0.113.20"
MEASURES = ("exit_one_flow", "exit_10000_flows", "exit_new_flows")
MILLION = 1000000
MILLION_MEASURES = ("million_one_flow", "million_flows", "million_mixed")
# Half of the table is a VPC's share. A power of two: the kernel rounds a table's buckets up to one.
MILLION_CONNECTIONS = 1 << 21
CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"


class Exit:
    """twin: the shape that does the same with nft; is_inward: who sends."""
    measures = MEASURES
    twin = None
    is_inward = False

    def ends_set(self, inside, outside, target):
        """inside, outside: End; target: the address that packets are sent to."""
        self.left, self.right = (outside, inside) if self.is_inward else (inside, outside)
        self.target = target


class ExitDirect(Exit, Direct):
    name, title = "exit-direct", "direct veth pair"


class ExitNft(Exit, Shape):
    """Routes between the instance and the uplink, with connection tracking; what is translated, translate says."""
    forward_policy = "ct state established,related,new accept"
    target = OUTSIDE

    def translate(self):
        raise NotImplementedError

    def build(self):
        inside, outside = End(self.netns("a"), "eth0", INSIDE), End(self.netns("b"), "eth0", OUTSIDE)
        self.middle = self.netns("h")
        run("ip", "netns", "exec", self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for end, name, gateway in ((inside, "inst", "10.91.0.1"), (outside, "uplink", "203.0.113.2")):
            self.veth(self.middle, name, end.netns, "eth0")
            self.ip(self.middle, "addr", "add", f"{gateway}/24", "dev", name)
            self.ip(end.netns, "addr", "add", f"{end.address}/24", "dev", "eth0")
            end.destination_mac = self.mac(self.middle, name)
            self.ip(self.middle, "neigh", "replace", end.address, "lladdr", self.mac(end.netns, "eth0"), "dev", name, "nud", "permanent")
        for address in (VIP, ELASTIC):
            self.ip(self.middle, "addr", "add", f"{address}/32", "dev", "uplink")
            self.ip(outside.netns, "neigh", "replace", address, "lladdr", outside.destination_mac, "dev", "eth0", "nud", "permanent")
        self.ip(inside.netns, "neigh", "replace", "10.91.0.1", "lladdr", inside.destination_mac, "dev", "eth0", "nud", "permanent")
        self.ip(inside.netns, "route", "add", "default", "via", "10.91.0.1")
        run("ip", "netns", "exec", self.middle, "nft", "-f", "-", input=f"""
            table ip bench {{
                chain forward {{ type filter hook forward priority filter; policy drop; {self.forward_policy}; }}
                {self.translate()}
            }}
            """)
        self.ends_set(inside, outside, self.target)

    def refresh(self):
        run("ip", "netns", "exec", self.middle, "conntrack", "-F")


class SnatNft(ExitNft):
    name, title = "snat-nft", "SNAT: nft"

    def translate(self):
        return f'chain post {{ type nat hook postrouting priority srcnat; oifname "uplink" snat to {VIP}; }}'


class ElasticNft(ExitNft):
    name, title, is_inward, target = "eip-nft", "elastic IP: nft, DNAT and SNAT", True, ELASTIC

    def translate(self):
        return f"""
            chain pre {{ type nat hook prerouting priority dstnat; ip daddr {ELASTIC} dnat to {INSIDE}; }}
            chain post {{ type nat hook postrouting priority srcnat; oifname "uplink" ip saddr {INSIDE} snat to {ELASTIC}; }}
            """


class ForwardNft(ExitNft):
    name, title, is_inward, target = "forward-nft", "port forward: nft, DNAT of ports", True, VIP

    def translate(self):
        return f"""
            chain pre {{ type nat hook prerouting priority dstnat; ip daddr {VIP} udp dport {PORTS[0]}-{sum(PORTS) - 1} dnat to {INSIDE}; }}
            """


class ExitViaduct(Exit, Host):
    documents_more = ""
    connections = 0
    target = OUTSIDE

    def documents(self):
        return f"""
{{kind: network, name: public, role: public, physnet: ext, cidrs: [203.0.113.0/24], gateways: [{OUTSIDE}]}}
---
{{kind: vpc, name: bench, cidrs: [10.91.0.0/16], networks: [public]}}
---
{{kind: subnet, name: net, vpc: bench, cidrs: [10.91.0.0/24]}}
---
{{kind: port, name: inst, subnet: net, addresses: [{INSIDE}]}}
{self.documents_more}"""

    def build(self):
        layout = Layout.from_document({
            "name": f"bench{os.getpid() % 10000}{self.name.replace('-', '')}",
            "hosts": {"h1": {"addresses": ["172.30.94.1/24"], "arguments": [
                "--uplink", "ext=uplink", *(["--connections", str(self.connections)] if self.connections else [])]}},
            "instances": {"inst": {"ports": {"inst": {"host": "h1", "attach": False}}}},
        })
        os.environ["VIADUCT_BUILD"] = str(pathlib.Path(self.build_directory).resolve())
        # The uplink must be there before the daemon, and without a bridge: that would be measured, too.
        self.lab = Lab(layout, daemons=False)
        self.lab.up()
        host, outside = self.lab.host("h1"), End(self.netns("b"), "eth0", OUTSIDE)
        self.veth(host.name, "uplink", outside.netns, "eth0")
        self.ip(outside.netns, "addr", "add", f"{OUTSIDE}/24", "dev", "eth0")
        self.lab.start_daemons()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self.documents())
            file.flush()
            host.viaduct("apply", "--wait", "-f", file.name, timeout=120)
        instance = self.lab.instance("inst")
        instance.attach_port("inst")
        inside = End(instance.name, "eth0", INSIDE, GATEWAY_MAC)
        outside.destination_mac = self.mac(host.name, "uplink")
        self.gro(host.name, instance.name)
        # Neighbour tables are warm, and a ping shows that the way out stands.
        run("ip", "netns", "exec", instance.name, "ping", "-c", "5", "-i", "0.2", "-W", "2", OUTSIDE)
        self.ends_set(inside, outside, self.target)

    def gro(self, *nodes):
        for node in nodes:
            for line in self.ip(node, "-o", "link", "show", "type", "veth").splitlines():
                run("ip", "netns", "exec", node, "ethtool", "-K", line.split(": ")[1].split("@")[0], "gro", "on")

    def tear_down(self):
        if getattr(self, "lab", None):
            self.lab.down()
            self.lab = None
        super().tear_down()


class Snat(ExitViaduct):
    name, title, twin = "snat", "SNAT: Viaduct", SnatNft


class Elastic(ExitViaduct):
    name, title, twin, is_inward, target = "eip", "elastic IP: Viaduct", ElasticNft, True, ELASTIC
    documents_more = f"---\n{{kind: elastic_ip, name: eip, network: public, address: {ELASTIC}, port: inst}}\n"


class Forward(ExitViaduct):
    name, title, twin, is_inward, target = "forward", "port forward: Viaduct", ForwardNft, True, VIP
    documents_more = f"""---
{{kind: virtual_ip, name: vip, network: public, address: {VIP}}}
---
{{kind: port_forward, name: forward, vip: vip, protocol: udp, ports: {PORTS[0]}-{sum(PORTS) - 1}, port: inst}}
"""


# ---- a million flows ----

def slab_bytes(name):
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines():
        words = line.split()
        if words[0] == name:
            return int(words[2]) * int(words[3])
    return 0


def slab_all():
    return int(re.search(r"^Slab: +(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)[1]) << 10


def mib(size):
    return f"{size / 2**20:.0f} MiB"


class MillionNft(SnatNft):
    """Conntrack's limit and its hash are the machine's, not the namespace's: both are put back."""
    name, title, measures = "snat-nft-million", "a million flows: SNAT by nft", MILLION_MEASURES
    limits = {"max": 2 * MILLION, "buckets": 2 * MILLION}

    def build(self):
        self.slab = slab_all()
        self.found = {name: pathlib.Path(CONNTRACK + name).read_text() for name in self.limits}
        for name, value in self.limits.items():
            pathlib.Path(CONNTRACK + name).write_text(str(value))
        super().build()

    def tear_down(self):
        super().tear_down()
        for name, value in getattr(self, "found", {}).items():
            pathlib.Path(CONNTRACK + name).write_text(value)

    def extras(self):
        held = int(run("ip", "netns", "exec", self.middle, "cat", CONNTRACK + "count"))
        buckets = int(pathlib.Path(CONNTRACK + "buckets").read_text()) * 8
        return {"flows held": f"{held:,}",
                "memory": f"connections {mib(slab_bytes('nf_conntrack'))}, hash {mib(buckets)}; all slabs of the machine grew by "
                          f"{mib(slab_all() - self.slab)}"}


class Million(Snat):
    name, title, measures, twin = "snat-million", "a million flows: SNAT by Viaduct", MILLION_MEASURES, MillionNft
    connections = MILLION_CONNECTIONS

    def maps(self):
        """Each pinned map once: {name: (bytes, entries, path)}."""
        found = {}
        for path in sorted((self.lab.bpf_directory / "h1").rglob("vd_*")):
            said = json.loads(run("bpftool", "-j", "map", "show", "pinned", path, check=False) or "{}")
            if "bytes_memlock" in said:
                found[path.name] = int(said["bytes_memlock"]), said["max_entries"], path
        return found

    def extras(self):
        maps = self.maps()
        shares = json.loads(run("bpftool", "-j", "map", "dump", "pinned", maps["vd_share"][2]))
        held = sum(entry["formatted"]["value"]["used"] for entry in shares)
        largest = sorted(maps.items(), key=lambda item: -item[1][0])[:8]
        return {"flows held": f"{held:,}",
                "memory": f"all maps {mib(sum(size for size, _, _ in maps.values()))}: "
                          + ", ".join(f"{name} {mib(size)} for {entries:,}" for name, (size, entries, _) in largest),
                "daemon, RSS": f"{self.lab.host('h1').daemon_rss() / 1024:.1f} MiB"}


SHAPES = [ExitDirect, SnatNft, Snat, ElasticNft, Elastic, ForwardNft, Forward, MillionNft, Million]
