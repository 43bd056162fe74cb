# SPDX-License-Identifier: Apache-2.0
"""What a lab file says, read and checked."""

import dataclasses
import ipaddress
import pathlib
import re

import yaml

# No dash: namespaces are called <prefix>-<lab>-<node>, and one lab's must not look like another's.
LAB_NAME = re.compile(r"[a-z0-9][a-z0-9_.]{0,31}")
NODE_NAME = re.compile(r"[a-z0-9][a-z0-9_.]{0,31}")
DEFAULT_SEGMENT = "underlay"


class LabError(Exception):
    """One sentence for a person."""


@dataclasses.dataclass
class Link:
    segment: str
    addresses: list


@dataclasses.dataclass
class Uplink:
    ifname: str
    segment: str     # the physical network's name, too
    addresses: list  # of the host's own: merged with what Viaduct does there
    offered: bool    # to the daemon; else an interface that it is not told of


@dataclasses.dataclass
class MachineLayout:
    """A node with files of its own, so that container engines run in it."""

    iptables: str = "nft"  # or "legacy": what iptables means there


@dataclasses.dataclass
class HostLayout:
    name: str
    links: list
    underlay: str = ""   # the address that tunnels start at
    store: str = ""      # "sqlite", "etcd", the name of the host that serves it, or a URL
    arguments: list = dataclasses.field(default_factory=list)
    uplinks: list = dataclasses.field(default_factory=list)
    machine: MachineLayout = None


@dataclasses.dataclass
class PortLayout:
    port: str
    host: str
    ifname: str
    attach: bool = True
    dhcp: bool = False  # attached with --dhcp: a client inside configures it


@dataclasses.dataclass
class BridgeLayout:
    name: str
    addresses: list
    containers: dict  # name -> addresses


@dataclasses.dataclass
class InstanceLayout:
    name: str
    ports: list
    bridges: list
    machine: MachineLayout = None
    node: HostLayout = None  # it runs a viaductd of its own, which reaches the others over these links


@dataclasses.dataclass
class OutsideLayout:
    """A node that is no host of ours, on a provider segment, or (segment empty) behind a router that is."""

    name: str
    segment: str
    vlan: int        # 0: untagged
    addresses: list
    gateways: list   # default routes, one a family
    routes: dict     # destination -> next hop
    inside: list     # a router's addresses towards those behind it
    router: str = ""  # whom it is behind


@dataclasses.dataclass
class Layout:
    name: str
    segments: dict   # name -> MTU
    hosts: dict
    etcd: dict       # member -> HostLayout
    instances: dict
    apply: list      # paths
    tls: bool = False  # hosts speak TLS with a token, instead of plain TCP
    outside: dict = dataclasses.field(default_factory=dict)  # name -> OutsideLayout

    @classmethod
    def from_file(cls, path):
        path = pathlib.Path(path)
        try:
            document = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise LabError(f"{path}: {error}") from error
        return cls.from_document(document, path.parent)

    @classmethod
    def from_document(cls, document, folder="."):
        fields = Fields("the lab file", document)
        name = fields.take("name", str)
        if not LAB_NAME.fullmatch(name):
            raise LabError(f"name {name!r}: a lab's name is of a-z, 0-9, _ and .")
        segments = {segment: Fields(f"segment {segment}", body or {}).only("mtu", int, 1500)
                    for segment, body in fields.take("segments", dict, {DEFAULT_SEGMENT: {}}).items()}
        layout = cls(
            name=name,
            segments=segments,
            hosts={host: read_host(host, body, segments) for host, body in fields.take("hosts", dict, {}).items()},
            etcd={member: read_host(member, body, segments) for member, body in fields.take("etcd", dict, {}).items()},
            instances={},
            apply=[str(pathlib.Path(folder) / item) for item in fields.take("apply", list, [])],
            tls=fields.take("tls", bool, False),
        )
        layout.instances = {instance: read_instance(instance, body or {}, layout.hosts, segments)
                            for instance, body in fields.take("instances", dict, {}).items()}
        for name, body in fields.take("outside", dict, {}).items():
            layout.outside.update({node.name: node for node in read_outside(name, body, segments)})
        fields.end()
        check_names(layout)
        choose_stores(layout)
        return layout


class Fields:
    """A mapping of the file: each field is taken once, with its type, and none is left."""

    def __init__(self, what, mapping):
        if not isinstance(mapping, dict):
            raise LabError(f"{what}: must be a mapping")
        self.what, self.left = what, dict(mapping)

    def take(self, name, kind, *default):
        if name not in self.left:
            if not default:
                raise LabError(f"{self.what}: needs {name}")
            return default[0]
        value = self.left.pop(name)
        if value is None and default:
            return default[0]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise LabError(f"{self.what}: {name} must be a {' or '.join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))}")
        return value

    def end(self):
        if self.left:
            raise LabError(f"{self.what}: unknown field {sorted(self.left)[0]}")

    def only(self, name, kind, *default):
        value = self.take(name, kind, *default)
        self.end()
        return value


def addresses_of(what, items):
    for item in items:
        try:
            if "/" not in str(item):
                raise ValueError("no prefix length")
            ipaddress.ip_interface(item)
        except ValueError as error:
            raise LabError(f"{what}: address {item!r} must be like 172.31.0.1/24 ({error})") from error
    return [str(item) for item in items]


def read_host(name, body, segments):
    fields = Fields(f"host {name}", body)
    links = [Link(DEFAULT_SEGMENT, addresses_of(fields.what, fields.take("addresses", list)))] if "addresses" in fields.left else []
    links += [Link(segment, addresses_of(fields.what, items)) for segment, items in fields.take("links", dict, {}).items()]
    for link in links:
        if link.segment not in segments:
            raise LabError(f"host {name}: there is no segment {link.segment}")
    uplinks = [read_uplink(name, ifname, item, segments) for ifname, item in fields.take("uplinks", dict, {}).items()]
    every = [address for link in [*links, *uplinks] for address in link.addresses]
    if not every:
        raise LabError(f"host {name}: needs addresses")
    host = HostLayout(name, links, fields.take("underlay", str, every[0].split("/")[0]), fields.take("store", str, ""),
                      [str(item) for item in fields.take("arguments", list, [])], uplinks, read_machine(fields))
    fields.end()
    return host


def read_machine(fields):
    body = fields.take("machine", (bool, dict), False)
    if body is False:
        return None
    inner = Fields(f"machine of {fields.what}", {} if body is True else body)
    machine = MachineLayout(inner.take("iptables", str, "nft"))
    inner.end()
    if machine.iptables not in ("nft", "legacy"):
        raise LabError(f"{inner.what}: iptables is nft or legacy")
    return machine


def read_uplink(host, ifname, body, segments):
    fields = Fields(f"uplink {ifname} of host {host}", {"segment": body} if isinstance(body, str) else body)
    uplink = Uplink(ifname, fields.take("segment", str), addresses_of(fields.what, fields.take("addresses", list, [])),
                    fields.take("offered", bool, True))
    fields.end()
    if uplink.segment not in segments:
        raise LabError(f"{fields.what}: there is no segment {uplink.segment}")
    # The segment's end of it is called <host>.<ifname>.
    if not re.fullmatch(r"[a-z][a-z0-9]*", ifname) or len(f"{host}.{ifname}") > 15:
        raise LabError(f"{fields.what}: an interface's name is of a-z and 0-9, and with the host's of at most 14")
    return uplink


def read_outside(name, body, segments):
    """The node, and those behind it."""
    fields = Fields(f"outside {name}", body)
    node = OutsideLayout(
        name, fields.take("segment", str), fields.take("vlan", int, 0), addresses_of(fields.what, fields.take("addresses", list)),
        [str(item) for item in fields.take("gateways", list, [])], fields.take("routes", dict, {}), [])
    found = [node]
    if "behind" in fields.left:
        behind = Fields(f"behind {name}", fields.take("behind", dict))
        node.inside = addresses_of(behind.what, behind.take("addresses", list))
        gateways = [address.split("/")[0] for address in node.inside]
        found += [OutsideLayout(inner, "", 0, addresses_of(f"outside {inner}", items), gateways, {}, [], name)
                  for inner, items in behind.take("hosts", dict).items()]
        behind.end()
    fields.end()
    if node.segment not in segments:
        raise LabError(f"outside {name}: there is no segment {node.segment}")
    if not 0 <= node.vlan <= 4094 or len(name) > 15:
        raise LabError(f"outside {name}: vlan must be 0 (untagged) to 4094, and the name of at most 15 letters")
    return found


def read_port(instance, port, body, index, hosts):
    fields = Fields(f"port {port} of instance {instance}", {"host": body} if isinstance(body, str) else body)
    layout = PortLayout(port, fields.take("host", str), fields.take("ifname", str, f"eth{index}"), fields.take("attach", bool, True),
                        fields.take("dhcp", bool, False))
    fields.end()
    if layout.host not in hosts:
        raise LabError(f"{fields.what}: there is no host {layout.host}")
    return layout


def read_bridge(instance, name, body):
    fields = Fields(f"bridge {name} of instance {instance}", body)
    bridge = BridgeLayout(
        name, addresses_of(fields.what, fields.take("addresses", list)),
        {container: addresses_of(f"container {container}", items) for container, items in fields.take("containers", dict, {}).items()})
    fields.end()
    return bridge


def read_instance(name, body, hosts, segments):
    fields = Fields(f"instance {name}", body)
    ports = [read_port(name, port, item, index, hosts) for index, (port, item) in enumerate(fields.take("ports", dict, {}).items())]
    bridges = [read_bridge(name, bridge, item) for bridge, item in fields.take("bridges", dict, {}).items()]
    machine = read_machine(fields)
    node = read_host(name, fields.take("node", dict), segments) if "node" in fields.left else None
    fields.end()
    if node and (node.uplinks or node.machine):
        raise LabError(f"node of instance {name}: has no uplinks, and is the instance's machine")
    return InstanceLayout(name, ports, bridges, machine, node)


def check_names(layout):
    names = [*(f"segment.{name}" for name in layout.segments), *layout.hosts, *layout.etcd, *layout.instances, *layout.outside]
    inner = [container for instance in layout.instances.values() for bridge in instance.bridges for container in bridge.containers]
    for name in [*names, *inner]:
        if not NODE_NAME.fullmatch(name):
            raise LabError(f"name {name!r}: a node's name is of a-z, 0-9, _ and .")
    for name in names:
        if names.count(name) > 1:
            raise LabError(f"{name} is there twice")


def choose_stores(layout):
    """The first host keeps the store and serves it to the others, unless there is an etcd."""
    nodes = [instance.node for instance in layout.instances.values() if instance.node]
    if nodes and not layout.hosts and not layout.etcd:
        raise LabError(f"node of instance {nodes[0].name}: there is no host with a store")
    for index, host in enumerate([*layout.hosts.values(), *nodes]):
        host.store = host.store or ("etcd" if layout.etcd else next(iter(layout.hosts)) if index else "sqlite")
        if host.store not in ("etcd", "sqlite", *layout.hosts) and "://" not in host.store:
            raise LabError(f"host {host.name}: store {host.store!r} is sqlite, etcd, a host's name or a URL")
        if host.store == "etcd" and not layout.etcd:
            raise LabError(f"host {host.name}: store etcd needs etcd members in the file")
