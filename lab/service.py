# SPDX-License-Identifier: Apache-2.0
"""Daemons that are not ours, run in a node by a test: nothing of them outlives the node."""

import os
import signal
import subprocess

from lab.layout import LabError
from lab.world import wait_until


class Service:
    """One daemon in the foreground. Who makes one says `command` and `answers`."""

    name = ""

    def __init__(self, node):
        self.node = node
        self.directory = node.lab.directory / node.title
        self.directory.mkdir(exist_ok=True)
        self.log_path = self.directory / f"{self.name}.log"
        self.process = None

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.node.command(self.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill9()  # it would hold its ports against the next one
                raise
        return self

    def wait_ready(self):
        try:
            wait_until(lambda: self.process.poll() is not None or self.answers(), f"{self.name} of {self.node.title} answers", seconds=90)
        except LabError as error:
            raise LabError(f"{error}: {self.log()[-2000:]}") from error
        if self.process.poll() is not None:
            raise LabError(f"{self.name} of {self.node.title} ended with {self.process.returncode}: {self.log()[-2000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, number)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise LabError(f"{self.name} of {self.node.title} does not end: {self.log()[-2000:]}") from None

    def stop(self):
        self.signal(signal.SIGTERM)

    def kill9(self):
        self.signal(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        self.stop()


class Redis(Service):
    """redis-server. `allowed`: the networks that may speak to it, its allow-list; None: everybody. It is kept as clouds keep theirs,
    apart from the security group of the instance: whoever is not on it is refused by the service itself.
    """

    name = "redis"

    def __init__(self, node, allowed=None, port=6379):
        super().__init__(node)
        self.port = port
        self.allow(allowed)

    def command(self):
        return ["redis-server", "--port", self.port, "--bind", "*", "--protected-mode", "no", "--save", "", "--daemonize", "no",
                "--dir", self.directory]

    def answers(self):
        return "PONG" in self.node.run("redis-cli", "-h", "127.0.0.1", "-p", self.port, "ping", check=False).stdout

    def allow(self, networks):
        """Replaces the allow-list, while it runs too."""
        rules = ["table inet lab_redis", "delete table inet lab_redis"]
        if networks is not None:
            rules += ["table inet lab_redis {", "chain input {", "type filter hook input priority 0", "iifname lo accept",
                      f"tcp dport {self.port} ip saddr {{ {', '.join(networks)} }} accept", f"tcp dport {self.port} reject with tcp reset",
                      "}", "}"]
        self.node.run("nft", "-f", "-", input="\n".join(rules) + "\n")

    def ask(self, client, address, *argv):
        """What redis-cli in another node says; "" when it is refused or hears nothing."""
        return client.run("timeout", "3", "redis-cli", "-h", address, "-p", self.port, *argv, check=False).stdout.strip()


class Names(Service):
    """A resolver of a machine that refuses every name at once. Docker passes the answer on; without one, whoever asks waits for ten seconds."""

    name = "names"

    def command(self):
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
                "--bind-interfaces", "--user=root", "--pid-file="]

    def answers(self):
        return ":53 " in self.node.run("ss", "-Hlnu", "src", "127.0.0.1").stdout


class Bus(Service):
    """The system's D-Bus of a machine."""

    name = "dbus"

    def command(self):
        self.node.run("mkdir", "-p", "/run/dbus")
        return ["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"]

    def answers(self):
        # Bound, and not yet listened to, it refuses; one that was killed leaves its file.
        return "/run/dbus/system_bus_socket" in self.node.run("ss", "-Hlx").stdout


class Firewalld(Service):
    """firewalld with a bus of its own; in a node that is a machine."""

    name = "firewalld"

    def __init__(self, node):
        super().__init__(node)
        self.bus = Bus(node)

    def start(self, wait=True):
        self.bus.start()
        return super().start(wait)

    def stop(self):
        super().stop()
        self.bus.stop()

    def command(self):
        return ["firewalld", "--nofork", "--nopid"]

    def answers(self):
        return self.node.run("firewall-cmd", "--state", check=False).stdout == "running\n"

    def tell(self, *argv):
        """firewall-cmd …"""
        return self.node.run("firewall-cmd", *argv).stdout.strip()

    def reload(self):
        self.tell("--reload")
