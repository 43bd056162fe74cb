# SPDX-License-Identifier: Apache-2.0
"""A small container runtime: runs CNI plugins as the specification says, by environment and standard input."""

import contextlib
import dataclasses
import json
import os
import subprocess

from lab.host import binary_path
from lab.namespace import Namespace

DEBIAN = "/usr/lib/cni"


class CniError(Exception):
    """What a plugin answered in place of a result."""

    def __init__(self, answer, returncode):
        super().__init__(answer.get("msg"))
        self.code, self.answer, self.returncode = answer.get("code"), answer, returncode


class Container(Namespace):
    """A network namespace without a process, as runtimes make one before they call plugins."""

    def __init__(self, lab, name):
        super().__init__(lab.namespace_name(name), name)
        self.id, self.netns = self.name, f"/run/netns/{self.name}"

    def __enter__(self):
        self.create()
        return self

    def __exit__(self, *_):
        self.delete()


@dataclasses.dataclass
class Runtime:
    """configuration: a list as in /etc/cni/net.d, "plugins" in the order in which they are called."""

    host: object
    configuration: dict

    def environment(self, command, **more):
        path = f"{binary_path('viaduct-cni').parent}:{DEBIAN}"
        return {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_PATH": path, **{f"CNI_{key}": value for key, value in more.items()}}

    def plugin_path(self, plugin):
        return binary_path(plugin) if plugin.startswith("viaduct") else f"{DEBIAN}/{plugin}"

    def input(self, plugin, previous, runtime_config):
        document = {**plugin, "cniVersion": self.configuration["cniVersion"], "name": self.configuration["name"]}
        capabilities = document.pop("capabilities", {})
        wanted = {key: value for key, value in runtime_config.items() if capabilities.get(key)}
        if wanted:
            document["runtimeConfig"] = wanted
        if previous is not None:
            document["prevResult"] = previous
        if plugin["type"] == "viaduct-cni":
            document.setdefault("server", f"unix:{self.host.socket_path}")
        return document

    def call(self, plugin, command, document, **environment):
        done = subprocess.run([str(part) for part in self.host.command([self.plugin_path(plugin)])], input=json.dumps(document), text=True,
                              capture_output=True, env=self.environment(command, **environment), timeout=60)
        if done.returncode:
            raise CniError(said_in(done.stdout) or {"msg": f"{plugin} {command}: {done.stdout}{done.stderr}"}, done.returncode)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def chain(self, command, container, ifname="eth0", previous=None, arguments="", **runtime_config):
        plugins = self.configuration["plugins"]
        for plugin in reversed(plugins) if command == "DEL" else plugins:
            answer = self.call(plugin["type"], command, self.input(plugin, previous, runtime_config), CONTAINERID=container.id,
                               NETNS=container.netns, IFNAME=ifname, ARGS=arguments)
            if command == "ADD":
                previous = answer
        return previous

    def add(self, container, **wishes):
        return self.chain("ADD", container, **wishes)

    def delete(self, container, previous=None, **wishes):
        self.chain("DEL", container, previous=previous, **wishes)

    def check(self, container, previous, **wishes):
        self.chain("CHECK", container, previous=previous, **wishes)

    @contextlib.contextmanager
    def added(self, container, **wishes):
        result = self.add(container, **wishes)
        try:
            yield result
        finally:
            self.delete(container, result, **wishes)


def said_in(text):
    """The answer of a plugin that failed; None: it died before it could give one."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def address_of(result):
    return result["ips"][0]["address"].split("/")[0]


def pods(version="1.0.0", network="pods", **more):
    return {"cniVersion": version, "name": "pods",
            "plugins": [{"type": "viaduct-cni", "network": network, "capabilities": {"ips": True, "bandwidth": True}, **more}]}
