# SPDX-License-Identifier: Apache-2.0
"""A lab as a whole: up, down, and what a killed one left behind."""

import contextlib
import errno
import os
import pathlib
import shutil
import sys

import yaml

from lab.credentials import Credentials
from lab.host import EtcdMember, Host
from lab.instance import Instance
from lab.layout import LabError, Layout
from lab.machine import kill_containers, remove_container_groups
from lab.namespace import NETNS, Namespace, run
from lab.outside import Outside
from lab.wait import wait_until
from lab.watcher import Watcher
from lab.wire import Wire

DIRECTORY = pathlib.Path("/run/viaduct-lab")


def prefix():
    """Namespaces and directories begin with it: two people on one machine set VIADUCT_LAB_PREFIX to different ones."""
    return os.environ.get("VIADUCT_LAB_PREFIX", "vdl")


def leftovers():
    """The names of labs that stand, whole or in parts."""
    start = f"{prefix()}-"
    return sorted({name[len(start):].split("-")[0] for folder in (NETNS, DIRECTORY) for name in names_in(folder) if name.startswith(start)})


def names_in(folder):
    """None, if it is not there: the last lab to go takes it away, perhaps another's."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


class Lab:
    """`with Lab.from_file(path) as lab:` builds it, and takes it down whatever happens."""

    def __init__(self, layout, name=None, daemons=True, documents=""):
        """documents: YAML text that is applied before the instances are attached, besides the files that the layout names."""
        self.layout, self.name, self.daemons, self.documents = layout, name or layout.name, daemons, documents
        self.directory = DIRECTORY / f"{prefix()}-{self.name}"
        self.bpf_directory = self.directory / "bpf"
        self.credentials = Credentials(self.directory / "credentials") if layout.tls else None
        self.segments = {segment: Namespace(self.namespace_name(f"segment.{segment}"), segment) for segment in layout.segments}
        self.hosts = {host: Host(self, item) for host, item in layout.hosts.items()}
        self.etcd = {member: EtcdMember(self, item) for member, item in layout.etcd.items()}
        self.instances = {instance: Instance(self, item) for instance, item in layout.instances.items()}
        self.nodes = {name: instance.node for name, instance in self.instances.items() if instance.node}
        self.wire = Wire(self)
        self.outsiders = {node: Outside(self, item) for node, item in layout.outside.items()}
        self.watcher = Watcher(self)

    @classmethod
    def from_file(cls, path, name=None, daemons=True):
        return cls(Layout.from_file(path), name, daemons)

    @classmethod
    def adopt(cls, name):
        """One that is up."""
        path = DIRECTORY / f"{prefix()}-{name}" / "lab.yaml"
        if not path.exists():
            raise LabError(f"there is no lab {name}: `lab.py list` names those that are up")
        return cls.from_file(path, name)

    def namespace_name(self, node):
        return f"{prefix()}-{self.name}-{node}"

    def host(self, name):
        """A host, or what an instance that is a node has of one."""
        return self.nodes.get(name) or self.hosts[name]

    @property
    def every_host(self):
        """All that run a viaductd."""
        return {**self.hosts, **self.nodes}

    def instance(self, name):
        return self.instances[name]

    def outside(self, name):
        return self.outsiders[name]

    def node(self, name):
        """A host, an instance, an etcd member, a node outside, or "instance-container"."""
        instance, _, container = name.partition("-")
        for nodes in (self.hosts, self.instances, self.etcd, self.outsiders):
            if name in nodes:
                return nodes[name]
        if instance in self.instances and container in self.instances[instance].containers:
            return self.instances[instance].containers[container]
        raise LabError(f"lab {self.name} has no {name}")

    # ---- up ----
    def up(self):
        if self.name in leftovers():
            raise LabError(f"lab {self.name} is up already, or was not taken down: `lab.py down {self.name}` does")
        try:
            self.build()
        except BaseException:
            self.save_logs()
            self.down()
            raise

    def build(self):
        self.directory.mkdir(mode=0o755, parents=True)
        self.remember()
        if self.credentials:
            self.credentials.make({host.title: host.listen_address for host in self.every_host.values()})
        # A bpffs of its own: everything pinned in it goes with one unmount.
        self.bpf_directory.mkdir()
        run("mount", "-t", "bpf", f"viaduct-lab-{self.name}", self.bpf_directory)
        for segment, namespace in self.segments.items():
            namespace.create()
            namespace.ip("link", "add", "bridge", "mtu", str(self.layout.segments[segment]), "type", "bridge", "mcast_snooping", "0")
            namespace.ip("link", "set", "bridge", "up")
        for node in [*self.etcd.values(), *self.hosts.values(), *self.instances.values(), *self.outsiders.values()]:
            node.build()
        self.watcher.start()
        if self.daemons:
            self.start_daemons()

    def remember(self):
        """For `lab.py exec`, in another process: the same file, with paths that hold from anywhere."""

        document = {"name": self.layout.name, "tls": self.layout.tls, "segments": {name: {"mtu": mtu} for name, mtu in self.layout.segments.items()}}
        for key, nodes in (("hosts", self.layout.hosts), ("etcd", self.layout.etcd)):
            document[key] = {host.name: describe_host(host) for host in nodes.values()}
        document["outside"] = {node.name: {
            "segment": node.segment, "vlan": node.vlan, "addresses": node.addresses, "gateways": node.gateways, "routes": node.routes,
            **({"behind": {"addresses": node.inside, "hosts": {
                inner.name: inner.addresses for inner in self.layout.outside.values() if inner.router == node.name}}} if node.inside else {}),
        } for node in self.layout.outside.values() if node.segment}
        document["instances"] = {instance.name: {
            "ports": {port.port: {"host": port.host, "ifname": port.ifname, "attach": port.attach, "dhcp": port.dhcp} for port in instance.ports},
            "bridges": {bridge.name: {"addresses": bridge.addresses, "containers": bridge.containers} for bridge in instance.bridges},
            **describe_machine(instance.machine), **({"node": describe_host(instance.node)} if instance.node else {}),
        } for instance in self.layout.instances.values()}
        (self.directory / "lab.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def start_daemons(self):
        # Members find each other: all must run before any answers.
        for member in self.etcd.values():
            member.start(wait=False)
        for member in self.etcd.values():
            member.wait_ready()
        for host in self.hosts.values():
            host.start()
        if not self.hosts:
            return
        first = next(iter(self.hosts.values()))
        for path in self.layout.apply:
            first.viaduct("apply", "--wait", "-f", path)
        if self.documents:
            first.apply(self.documents)
        for instance in self.instances.values():
            instance.attach()
        for node in self.nodes.values():
            node.start()

    # ---- down ----
    def down(self):
        for node in [*self.every_host.values(), *self.etcd.values()]:
            if node.process and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
        self.take_down(self.name)

    @staticmethod
    def take_down(name):
        """By name alone: works on what a killed or half-built lab left."""
        start = f"{prefix()}-{name}"
        for namespace in sorted(name for name in names_in(NETNS) if name.startswith(f"{start}-")):
            Namespace(namespace, namespace).delete()
        directory = DIRECTORY / start
        kill_containers(directory)
        remove_container_groups(start)
        for identity in directory.glob("*/run/id"):
            remove_control_groups(identity.read_text().strip()[:8])
        for mount in reversed(mounts_below(directory)):
            run("umount", "-l", mount, check=False)  # some go with those that they lie on
        if directory.exists():
            shutil.rmtree(directory)
        with contextlib.suppress(OSError):  # another lab is there, or comes up right now
            DIRECTORY.rmdir()

    def save_logs(self):
        """Daemons' logs outlive a lab that failed, below VIADUCT_LAB_LOGS when that is set; their ends are shown."""
        folder = os.environ.get("VIADUCT_LAB_LOGS")
        for node in [*self.every_host.values(), *self.etcd.values()]:
            if not node.log():
                continue
            if folder:
                target = pathlib.Path(folder) / self.name
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(node.log_path, target / f"{node.title}.log")
            print(f"---- {self.name}: {node.title} ----\n{node.log()[-6000:]}", file=sys.stderr)

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                self.watcher.check()
                self.watcher.check_witness()
        except LabError as leak:
            error = leak
            raise
        finally:
            if error is not None:
                self.save_logs()
            self.down()


def describe_machine(machine):
    return {"machine": {"iptables": machine.iptables}} if machine else {}


def describe_host(host):
    """As the lab file has it."""
    return {
        "links": {link.segment: link.addresses for link in host.links}, "underlay": host.underlay, "store": host.store,
        "arguments": host.arguments, **describe_machine(host.machine), "uplinks": {uplink.ifname: {
            "segment": uplink.segment, "addresses": uplink.addresses, "offered": uplink.offered} for uplink in host.uplinks}}


def remove_control_groups(run_id):
    """What limited the routers of a daemon. Who was in them is dead, but may not be reaped yet: the group is busy until then."""
    root = pathlib.Path("/sys/fs/cgroup")
    for group in [*root.glob(f"viaduct/*-{run_id}"), *root.glob(f"*/viaduct/*-{run_id}")]:
        for path in [*group.iterdir(), group]:
            if path.is_dir():
                wait_until(lambda path=path: removed(path), f"{path} is free")


def removed(directory):
    try:
        directory.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def mounts_below(directory):
    """Mount points in the order in which they were mounted; the kernel writes a space as \\040."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        path = line.split()[4].replace("\\040", " ")
        if path.startswith(f"{directory}/"):
            found.append(path)
    return found
