# SPDX-License-Identifier: Apache-2.0
"""The routers of two VPCs on two hosts: their namespaces and processes, from the first instance there to the last (R-RTR-3)."""

import os
import pathlib
import signal
import time

import pytest

from lab.namespace import is_zombie
from lab.world import wait_until

LAB = """
name: router
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  one: {ports: {one: {host: h1, attach: false}}}
  two: {ports: {two: {host: h1, attach: false}}}
  far: {ports: {far: {host: h2, attach: false}}}
  lean: {ports: {lean: {host: h1, attach: false}}}
"""
DOCUMENTS = """
{kind: vpc, name: ample, cidrs: [10.70.0.0/16]}
---
{kind: subnet, name: ample, vpc: ample, cidrs: [10.70.0.0/24]}
---
{kind: port, name: one, subnet: ample, addresses: [10.70.0.11]}
---
{kind: port, name: two, subnet: ample, addresses: [10.70.0.12]}
---
{kind: port, name: far, subnet: ample, addresses: [10.70.0.13]}
---
{kind: vpc, name: lean, cidrs: [10.71.0.0/16]}
---
{kind: subnet, name: lean, vpc: lean, cidrs: [10.71.0.0/24]}
---
{kind: port, name: lean, subnet: lean, addresses: [10.71.0.11]}
"""


def routers(host):
    """The pids of this host's viaduct-router processes, whatever its daemon believes."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if arguments and arguments[0].endswith("viaduct-router") and any(str(host.run_directory) in part for part in arguments):
            found.append(int(entry.name))
    return sorted(found)


def attached(lab, *names):
    for name in names:
        lab.instance(name).attach_port(name)


@pytest.fixture
def detached(lab):
    """Nothing is attached, before and after."""
    yield
    for host in lab.hosts.values():
        if not host.is_running():
            host.start()
    for port in ("one", "two", "far", "lean"):
        lab.host("h1").viaduct("detach", port, check=False)
    wait_until(lambda: not any([*routers(host), *namespaces(host)] for host in lab.hosts.values()), "all routers are gone")


def namespaces(host):
    folder = host.run_directory / "netns"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def answers(node, gateway, seconds=1):
    """One question, and so long for the answer."""
    return node.run("dig", f"@{gateway}", "+short", "+tries=1", f"+time={seconds}",
                    f"one.{'ample' if gateway.startswith('10.70') else 'lean'}.internal", check=False).returncode == 0


def test_it_comes_with_the_first_instance_and_goes_with_the_last(lab, detached):
    """R-RTR-3: on that host only; one for all instances of a VPC, and one for each VPC."""
    one, other = lab.host("h1"), lab.host("h2")
    assert routers(one) == routers(other) == [] and namespaces(one) == []
    attached(lab, "one")
    wait_until(lambda: len(routers(one)) == 1, "the first instance's router")
    pids = routers(one)
    assert routers(other) == [] and len(namespaces(one)) == 1
    wait_until(lambda: answers(lab.instance("one"), "10.70.0.1"), "it answers")
    attached(lab, "two", "lean", "far")
    wait_until(lambda: len(routers(one)) == 2 and len(routers(other)) == 1, "one for each VPC and host")
    assert pids[0] in routers(one)
    one.viaduct("detach", "one")
    wait_until(lambda: answers(lab.instance("two"), "10.70.0.1"), "it answers the second instance")
    assert pids[0] in routers(one)
    one.viaduct("detach", "two")
    wait_until(lambda: is_zombie(pids[0]) and len(namespaces(one)) == 1, "it goes with the last")
    assert len(routers(one)) == 1


def test_it_lives_on_without_its_daemon_and_is_taken_over(lab, detached):
    """R-RTR-3"""
    host, one = lab.host("h1"), lab.instance("one")
    attached(lab, "one")
    wait_until(lambda: answers(one, "10.70.0.1"), "it answers")
    pids = routers(host)
    host.kill9()
    time.sleep(3)  # it looks about every two seconds
    assert answers(one, "10.70.0.1", seconds=10) and routers(host) == pids
    host.start()
    wait_until(lambda: answers(one, "10.70.0.1"), "it answers still")
    host.stop()
    assert answers(one, "10.70.0.1", seconds=10) and routers(host) == pids
    host.start()
    attached(lab, "two")
    wait_until(lambda: answers(lab.instance("two"), "10.70.0.1"), "it hears of what is new")
    assert routers(host) == pids
    # One that died while nobody looked.
    host.kill9()
    os.kill(pids[0], signal.SIGKILL)
    host.start()
    wait_until(lambda: answers(one, "10.70.0.1"), "the daemon starts another", seconds=20)
