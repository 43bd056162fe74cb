# SPDX-License-Identifier: Apache-2.0
"""Watches what hosts send on provider segments, for as long as the lab stands: no address of a VPC or of a container may be a source there.

It counts conversations in the kernel, so that it misses none however busy the wire is.
"""

import dataclasses
import ipaddress
import json
import struct

from lab.layout import LabError
from lab.namespace import run

# struct conversation of wire.bpf.c
CONVERSATION = struct.Struct("<IHH16s16s")
ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86dd
# Sources that mean nobody in particular: DHCP and ARP probes, duplicate address detection, IPv6 neighbour discovery and MLD.
NOBODY = [ipaddress.ip_network(prefix) for prefix in ("0.0.0.0/32", "::/128", "fe80::/10")]


@dataclasses.dataclass(frozen=True)
class Conversation:
    port: str      # of the segment: <host>.<uplink>
    segment: str
    vlan: int
    protocol: int
    source: object
    destination: object

    def __str__(self):
        kind = {ETH_P_IP: "IPv4", ETH_P_IPV6: "IPv6", ETH_P_ARP: "ARP"}[self.protocol]
        tag = f" with tag {self.vlan}" if self.vlan else ""
        return f"{kind} from {self.source} to {self.destination}{tag}, sent by {self.port} on {self.segment}"


def network(text):
    return ipaddress.ip_network(text, strict=False)


def holds(prefixes, address):
    return any(prefix.version == address.version and address in prefix for prefix in prefixes)


def listed(document, singular):
    """A list of one may be written as one."""
    return document.get(f"{singular}s") or ([document[singular]] if singular in document else [])


def prefixes_of(item):
    """The CIDRs of a VPC, and what is ours of a network: its ranges, or all of it."""
    document = item["document"]
    if ranges := listed(document, "range"):
        ends = [[ipaddress.ip_address(end) for end in text.split("-")] for text in ranges]
        return [prefix for first, last in ends for prefix in ipaddress.summarize_address_range(first, last)]
    return [network(cidr) for cidr in listed(document, "cidr")]


class Watcher:
    def __init__(self, lab):
        self.lab, self.folders, self.ports, self.permitted = lab, {}, {}, []  # folders: by segment
        self.tenants, self.tagged, self.public = set(), set(), set()  # as hosts said, whenever asked: kept after a deletion

    def start(self):
        uplinks = [(host, uplink) for host in self.lab.layout.hosts.values() for uplink in host.uplinks]
        for host, uplink in uplinks:
            namespace, port = self.lab.segments[uplink.segment], f"{host.name}.{uplink.ifname}"
            if uplink.segment not in self.folders:
                self.folders[uplink.segment] = self.lab.wire.load(f"watcher_{uplink.segment}")
            self.lab.wire.attach(namespace, port, "ingress", self.folders[uplink.segment] / "watch")
            self.ports[uplink.segment, json.loads(namespace.ip("-j", "link", "show", port))[0]["ifindex"]] = port

    def permit(self, source, destination):
        """By an explicit route to another router's address (R-RTR-10) these travel as they are."""
        self.permitted.append((network(source), network(destination)))

    def dump(self, segment, name):
        """[(key, value)]"""
        entries = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.folders[segment] / "maps" / name).stdout)
        return [tuple(bytes(int(byte, 16) for byte in entry[part]) for part in ("key", "value")) for entry in entries]

    def conversations(self):
        """What hosts sent: Conversation -> packets."""
        found = {}
        for segment in self.folders:
            for key, value in self.dump(segment, "seen"):
                ifindex, vlan, protocol, source, destination = CONVERSATION.unpack(key)
                source, destination = (ipaddress.ip_address(part[:16 if protocol == ETH_P_IPV6 else 4]) for part in (source, destination))
                said = Conversation(self.ports[segment, ifindex], segment, vlan, protocol, source, destination)
                found[said] = int.from_bytes(value, "little")
        return found

    def learn(self):
        """What is whose, from every daemon that answers; what it said before stays true for packets sent then."""
        for host in self.lab.hosts.values():
            if not host.answers():
                continue
            vpcs = {(vpc["project"], vpc["name"]): prefixes_of(vpc) for vpc in host.ask("GET", "/v1/vpcs")["items"]}
            self.tenants |= {prefix for prefixes in vpcs.values() for prefix in prefixes}
            for subnet in host.ask("GET", "/v1/subnets")["items"]:
                document = subnet["document"]
                if "physnet" in document:
                    self.tagged |= {(document["physnet"], document.get("vlan", 0), prefix) for prefix in vpcs[subnet["project"], document["vpc"]]}
            self.public |= {(item["document"]["physnet"], item["document"].get("vlan", 0), prefix)
                            for item in host.ask("GET", "/v1/networks")["items"] for prefix in prefixes_of(item)}

    def containers(self):
        return {network(address) for instance in self.lab.layout.instances.values() for bridge in instance.bridges for address in bridge.addresses}

    def own(self):
        """Addresses of the hosts on their uplinks."""
        return {ipaddress.ip_interface(address).ip for host in self.lab.layout.hosts.values() for uplink in host.uplinks
                for address in uplink.addresses}

    def leaks(self):
        """Conversations that must not be, a sentence each."""
        if not self.folders:
            return []
        self.learn()
        private, own = self.tenants | self.containers(), self.own()
        found = []
        for said, packets in self.conversations().items():
            tenants, networks = ([prefix for segment, vlan, prefix in known if (segment, vlan) == (said.segment, said.vlan)]
                                 for known in (self.tagged, self.public))
            permitted = any(said.source in source and said.destination in destination for source, destination in self.permitted
                            if source.version == said.source.version == destination.version)
            if holds(NOBODY, said.source) or said.source in own or permitted or holds(tenants, said.source):
                continue
            if holds(private, said.source) or not holds(networks, said.source):
                found.append(f"{said}: {packets} packets")
        return sorted(found)

    def check(self):
        if found := self.leaks():
            raise LabError(f"a private address was seen outside: {'; '.join(found[:5])}"
                           + (f"; and {len(found) - 5} more" if len(found) > 5 else ""))

    def check_witness(self):
        """That nothing was seen is worth nothing if nothing could be seen."""
        if not self.folders or not self.lab.outsiders:
            return
        if not any(said.protocol != ETH_P_ARP and not holds(NOBODY, said.source) for said in self.conversations()):
            raise LabError("the watcher saw no packet at all: it proves nothing")
        if any(any(value) for segment in self.folders for _, value in self.dump(segment, "unseen")):
            raise LabError("the watcher's book is full: it cannot say that nothing leaked")
