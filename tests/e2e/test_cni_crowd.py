# SPDX-License-Identifier: Apache-2.0
"""A thousand containers started and stopped through CNI, eight at a time, while viaductd and viaduct-cni are killed in between."""

import concurrent.futures
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from lab import wait_until
from lab.cni import CniError, Container, Runtime, address_of, pods

LAB = """
name: cnicrowd
hosts:
  h1: {addresses: [172.31.0.1/24]}
instances: {}
"""
DOCUMENTS = """
kind: container_network
name: pods
cidrs: [10.64.0.0/16]
block_size: 24
mode: routed
provider: host
---
kind: node
name: h1
container_networks: [pods]
"""

COUNT, AT_ONCE = 1000, 8

pytestmark = pytest.mark.slow


class Killer:
    """Runs plugins, and kills some of them at a random moment."""

    def __init__(self, runtime, rate):
        self.runtime, self.rate, self.killed = runtime, rate, 0

    def once(self, command, container):
        """The plugin's answer; None when it was killed or the daemon was away."""
        runtime = self.runtime
        document = runtime.input(runtime.configuration["plugins"][0], None, {})
        process = subprocess.Popen([str(part) for part in runtime.host.command([runtime.plugin_path("viaduct-cni")])], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, env=runtime.environment(
                                       command, CONTAINERID=container.id, NETNS=container.netns, IFNAME="eth0"))
        if random.random() < self.rate:
            threading.Timer(random.uniform(0, 0.03), process.kill).start()
        said, _ = process.communicate(json.dumps(document))
        if process.returncode == -signal.SIGKILL:
            self.killed += 1
            return None
        answer = json.loads(said) if said.strip() else {}
        if process.returncode and answer.get("code") == 11:
            return None
        if process.returncode:
            raise CniError(answer, process.returncode)
        return answer

    def until_done(self, command, container):
        deadline = time.monotonic() + 60
        while (answer := self.once(command, container)) is None:
            assert time.monotonic() < deadline, f"{command} of {container.id} never got through"
            time.sleep(0.02)
        return answer


def kernel_state(host):
    """All that a container could leave: links, routes, rules, sysfs aside; and the data plane's entries."""
    host_side = [line.split(": ")[1].split("@")[0] for line in host.ip("-o", "link").splitlines()]
    maps = {name: size["entries"] for name, size in host.live("status")["datapath"]["maps"].items()
            if not name.startswith(("vd_flow", "vd_connection", "vd_expire", "vd_share", "vd_drop", "vd_counter"))}
    return {"links": sorted(host_side), "routes": sorted(host.ip("route", "show", "table", "all").splitlines()),
            "rules": sorted(host.ip("rule").splitlines()), "maps": maps}


def differences(before, after):
    return {part: (before[part], after[part]) for part in before if before[part] != after[part]}


def test_thousand_containers_with_kills_leave_nothing(lab):
    """R-CTR-2 R-CTR-6: no address leaked or given twice, no veth, route, rule or map entry left."""
    host = lab.hosts["h1"]
    wait_until(lambda: host.ask("GET", "/v1/container_blocks")["items"], "the node has its block")
    runtime = Runtime(host, pods())
    killer = Killer(runtime, rate=0.1)
    holding, lock, twice = {}, threading.Lock(), []

    # Blocks come with need: so that the state before is that of a node which has run many already.
    with Container(lab, "first") as first, runtime.added(first):
        pass
    before = kernel_state(host)
    stop = threading.Event()

    def live(number):
        if stop.is_set():
            return  # something failed
        with ending_all(), Container(lab, f"k{number}") as container:
            address = address_of(killer.until_done("ADD", container))
            with lock:
                if address in holding:
                    twice.append((address, holding[address], container.id))
                holding[address] = container.id
            time.sleep(random.uniform(0, 0.05))
            with lock:
                del holding[address]
            killer.until_done("DEL", container)

    kills = 0

    @contextlib.contextmanager
    def ending_all():
        try:
            yield
        except BaseException:
            stop.set()
            raise

    def kill_daemon():
        nonlocal kills
        while not stop.wait(random.uniform(1.5, 3)):
            with ending_all():
                host.signal(signal.SIGKILL)
                host.start()
            kills += 1

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE + 1) as pool:
        reaper = pool.submit(kill_daemon)
        try:
            list(pool.map(live, range(COUNT)))
        finally:
            stop.set()
        reaper.result()  # its error, if it had one
    print(f"{kills} kills of viaductd, {killer.killed} of viaduct-cni")
    assert kills > 3 and killer.killed > 20
    assert not twice
    assert host.ask("GET", "/v1/containers")["containers"] == []
    # A DEL that was killed may still be under way in the daemon when the next one finds nothing to do.
    wait_until(lambda: kernel_state(host) == before, lambda: f"nothing is left: {differences(before, kernel_state(host))}")
