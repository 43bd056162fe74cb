# SPDX-License-Identifier: Apache-2.0
"""Containers of container networks, as engines run them: Docker with our driver or its own bridge, containerd with viaduct-cni."""

import dataclasses
import re

from lab import wait_until
from lab.engine import Containerd, network


CURL_REFUSED = 7  # its exit code when nobody listens


@dataclasses.dataclass
class Shown:
    sent: int
    received: int
    loss: int  # per cent
    ttls: list
    text: str


def busybox_ping(container, target, count=4, timeout=1):
    """What busybox's ping says in a container: container(*argv) is the finished process."""
    done = container("ping", "-c", count, "-i", "0.2", "-W", timeout, target, check=False)
    text = done.stdout
    summary = re.search(r"(\d+) packets transmitted, (\d+) packets received, (\d+)% packet loss", text)
    assert summary, text + done.stderr
    return Shown(*map(int, summary.groups()), [int(ttl) for ttl in re.findall(r"seq=\d+ ttl=(\d+)", text)], text)


def reaches(container, target):
    return busybox_ping(container, target, count=1).received == 1


def cannot_reach(container, target):
    """Three lost one after the other."""
    return busybox_ping(container, target, count=3).received == 0


def web_page(node, url):
    """What curl shows in a node, once a server listens: engines say that a container runs before its program has begun."""
    def asked():
        nonlocal done
        done = node.run("curl", "-sS", "-m", "30", url, check=False)
        return done.returncode != CURL_REFUSED

    done = None
    wait_until(asked, lambda: f"a server listens at {url}: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def hops(container, target, count=6):
    """Who answers a traceroute, as addresses."""
    text = container("traceroute", "-n", "-q", 1, "-w", 2, "-m", count, target).stdout
    return [line.split()[1] for line in text.splitlines()[1:]]


def address_of(container):
    return re.search(r"inet (\S+)/\d+ .*eth0", container("ip", "-4", "address", "show", "dev", "eth0").stdout)[1]


class Pods:
    """Containers of one node, run by containerd with viaduct-cni."""

    def __init__(self, node):
        self.node, self.engine = node, Containerd(node).start()

    def run(self, name, container_network, **more):
        """A container of the network; container(*argv) runs a program in it."""
        network(self.node, "10-net.conflist", {"cniVersion": "1.0.0", "name": container_network, "plugins": [
            {"type": "viaduct-cni", "network": container_network, **more}]})
        self.engine.run(name)
        return self.get(name)

    def get(self, name):
        return lambda *argv, **options: self.engine.exec(name, *argv, **options)

    def remove(self, name):
        self.engine.remove(name)


def wait_for_block(host, container_network, node):
    """The prefix of the block that the node holds."""
    def held():
        for item in host.ask("GET", "/v1/container_blocks")["items"]:
            document = item["document"]
            if document.get("container_network") == container_network and document.get("node") == node and document["cidr"]:
                return document["cidr"]
        return None

    return wait_until(held, f"{node} holds a block of {container_network}")
