# SPDX-License-Identifier: Apache-2.0
"""A host: a namespace on the underlay, with a daemon of its own."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

from lab.layout import LabError
from lab.machine import Machine
from lab.namespace import Namespace, add_addresses, connect, run
from lab.wait import wait_until

API_PORT = 2379
ROOT = pathlib.Path(__file__).resolve().parent.parent


def build_directory():
    return pathlib.Path(os.environ.get("VIADUCT_BUILD", ROOT / "build"))


def binary_path(name):
    path = build_directory() / "cmd" / name
    if not path.exists():
        raise LabError(f"{path} is not there: build it with `meson setup build && ninja -C build`, or set VIADUCT_BUILD")
    return path


def url_address(address):
    return f"[{address}]" if ":" in address else address


class Host(Namespace):
    def __init__(self, lab, layout):
        super().__init__(lab.namespace_name(layout.name), layout.name)
        self.lab, self.layout = lab, layout
        self.directory = lab.directory / layout.name
        self.run_directory = self.directory / "run"
        self.socket_path = self.run_directory / "viaduct.sock"
        self.log_path = self.directory / "viaductd.log"
        self.process = None  # only when this Python started it
        if layout.machine:
            self.machine = Machine(self, lab, layout.machine)

    def build(self):
        self.create()
        self.connect()
        if self.machine:
            self.machine.build(self.run_directory)

    def connect(self):
        self.run_directory.mkdir(parents=True)
        for index, link in enumerate(self.layout.links):
            ifname = f"u{index}"
            segment = self.lab.segments[link.segment]
            connect(self, ifname, segment, self.layout.name[:15], self.lab.layout.segments[link.segment])
            segment.ip("link", "set", self.layout.name[:15], "master", "bridge")
            add_addresses(self, ifname, link.addresses)
        for uplink in self.layout.uplinks:
            segment, port = self.lab.segments[uplink.segment], f"{self.layout.name}.{uplink.ifname}"
            connect(self, uplink.ifname, segment, port, self.lab.layout.segments[uplink.segment])
            segment.ip("link", "set", port, "master", "bridge")
            add_addresses(self, uplink.ifname, uplink.addresses)

    # ---- the daemon ----
    def store_url(self):
        store = self.layout.store
        if store == "sqlite":
            return f"sqlite://{self.directory}/state.db"
        if store == "etcd":
            return "etcd://" + ",".join(f"{url_address(member.layout.underlay)}:{API_PORT}" for member in self.lab.etcd.values())
        if "://" in store:
            return store
        return f"etcd{'s' if self.lab.credentials else ''}://{url_address(self.lab.hosts[store].layout.underlay)}:{API_PORT}"

    def daemon_command(self, binary=None):
        return [binary or binary_path("viaductd"), "--host", self.layout.name, "--run-dir", self.run_directory,
                "--bpf-dir", self.lab.bpf_directory / self.layout.name, "--store", self.store_url(), "--underlay", self.layout.underlay,
                "--listen", f"{url_address(self.listen_address)}:{API_PORT}", *self.trust(), *self.uplinks(),
                *self.layout.arguments]

    @property
    def listen_address(self):
        return self.layout.underlay

    def uplinks(self):
        """A physical network is called as the segment is."""
        return [part for uplink in self.layout.uplinks if uplink.offered for part in ("--uplink", f"{uplink.segment}={uplink.ifname}")]

    def trust(self):
        return self.lab.credentials.daemon_arguments(self.layout.name) if self.lab.credentials else ["--insecure"]

    def start(self, binary=None, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(self.daemon_command(binary)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        (self.directory / "pid").write_text(str(self.process.pid))
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        try:
            wait_until(lambda: self.process and self.process.poll() is not None or self.answers(), "viaductd answers", seconds)
        except LabError as error:
            raise LabError(f"host {self.title}: {error}: {self.log()[-2000:]}") from error
        if self.process and self.process.poll() is not None:
            raise LabError(f"host {self.title}: viaductd ended with {self.process.returncode}: {self.log()[-2000:]}")

    def answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/v1/version")[0] == 200
        return False

    @property
    def pid(self):
        return int((self.directory / "pid").read_text())

    def is_running(self):
        """By its number alone it may be another's, long after it ended: a machine has 32,768 of them."""
        if self.process:
            return self.process.poll() is None
        return (self.directory / "pid").exists() and self.pid in self.pids()

    def signal(self, number):
        if self.is_running():
            os.kill(self.pid, number)
        wait_until(lambda: not self.is_running(), f"viaductd of {self.title} ends", step=0.02)

    def kill9(self):
        self.signal(signal.SIGKILL)

    def stop(self):
        self.signal(signal.SIGTERM)

    def restart(self, binary=None):
        self.kill9()
        self.start(binary)

    def daemon_rss(self):
        """KiB of memory that the daemon keeps resident."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise LabError(f"host {self.title}: viaductd is not running")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- the command line ----
    def command(self, argv):
        """`viaduct` talks to this host's daemon, whoever calls it."""
        argv = [str(part) for part in argv]
        if argv[0] == "viaduct":
            argv = [str(binary_path("viaduct")), "--server", f"unix:{self.socket_path}", *argv[1:]]
        return super().command(argv)

    def viaduct(self, *argv, check=True, **options):
        return run(*self.command(["viaduct", *argv]), check=check, timeout=options.pop("timeout", 60), **options)

    def apply(self, text):
        return self.viaduct("apply", "--wait", "-f", "-", input=text)

    def settle(self):
        """Returns when every living host has in its data plane what this one has heard of: `attach` and `detach` wait for their own."""
        self.apply(f"{{kind: host, name: {self.title}}}")

    # ---- the REST API ----
    def request(self, method, path, body=None):
        """(status, what the body says)"""
        connection = UnixConnection(self.socket_path)
        try:
            connection.request(method, path, body if body is None else json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        return reply.status, json.loads(text) if text else None

    def ask(self, method, path, body=None):
        status, reply = self.request(method, path, body)
        if status >= 300:
            raise LabError(f"{method} {path}: {status}: {reply}")
        return reply

    def live(self, verb, **arguments):
        """What only a running host can answer: "drops", "flows", "status", "trace" …"""
        return self.ask("POST", f"/v1/live/{verb}", arguments)

    def resource(self, plural, name):
        for item in self.ask("GET", f"/v1/{plural}")["items"]:
            if item["name"] == name:
                return item
        raise LabError(f"there is no {name} among the {plural}")

    def dropped(self, reason):
        """How many packets this host has dropped for it."""
        return sum(drop["packets"] for drop in self.live("drops")["drops"] if drop["reason"] == reason)

    def recent_drops(self, reason):
        return [drop for drop in self.live("drops")["recent"] if drop["reason"] == reason]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("viaduct", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class InstanceNode(Host):
    """The daemon of an instance that is a node itself: in the instance's namespace and machine, with links of its own to the others."""

    def __init__(self, instance):
        super().__init__(instance.lab, instance.layout.node)
        self.machine = instance.machine

    @property
    def listen_address(self):
        """Hosts reach it by its own link; tunnels may start at an address in the VPC."""
        return self.layout.links[0].addresses[0].split("/")[0]


class EtcdMember(Host):
    """A real etcd in a namespace of its own on the underlay."""

    def daemon_command(self, binary=None):
        peers = ",".join(f"{member.title}=http://{url_address(member.layout.underlay)}:2380" for member in self.lab.etcd.values())
        address = url_address(self.layout.underlay)
        return [binary or "etcd", "--name", self.title, "--data-dir", self.directory / "data",
                "--listen-client-urls", f"http://{address}:{API_PORT}", "--advertise-client-urls", f"http://{address}:{API_PORT}",
                "--listen-peer-urls", f"http://{address}:2380", "--initial-advertise-peer-urls", f"http://{address}:2380",
                "--initial-cluster", peers, "--initial-cluster-state", "new", "--initial-cluster-token", self.lab.name]

    def answers(self):
        def ask():
            with socket.create_connection((self.layout.underlay, API_PORT), timeout=2) as client:
                client.sendall(b"GET /health HTTP/1.0\r\nHost: lab\r\n\r\n")
                answer = b""
                while part := client.recv(4096):
                    answer += part
                return b'"true"' in answer

        with contextlib.suppress(OSError):
            return self.inside(ask)
        return False
