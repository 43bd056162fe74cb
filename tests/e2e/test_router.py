# SPDX-License-Identifier: Apache-2.0
"""A VPC's router on a host: its namespace and its process, from the first instance there to the last (R-RTR-3)."""

import os
import signal
import time

import pytest

from lab.namespace import is_zombie
from lab.world import wait_until
from router import directory_of, limits, routers

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
{kind: router_profile, name: small, cpu: 0.25, memory: 48M}
---
{kind: vpc, name: lean, cidrs: [10.71.0.0/16], router_profile: small}
---
{kind: subnet, name: lean, vpc: lean, cidrs: [10.71.0.0/24]}
---
{kind: port, name: lean, subnet: lean, addresses: [10.71.0.11]}
"""


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
    wait_until(lambda: not routers(lab.host("h1")) and not routers(lab.host("h2")), "all routers are gone")


def namespaces(host):
    folder = host.run_directory / "netns"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def answers(node, gateway):
    return node.run("dig", f"@{gateway}", "+short", "+tries=1", "+time=1", f"one.{'ample' if gateway.startswith('10.70') else 'lean'}.internal",
                    check=False).returncode == 0


def test_it_comes_with_the_first_instance_and_goes_with_the_last(lab, detached):
    """R-RTR-3: on that host only; one for all instances of a VPC, and one for each VPC."""
    one, other = lab.host("h1"), lab.host("h2")
    assert routers(one) == routers(other) == [] and namespaces(one) == []
    attached(lab, "one")
    wait_until(lambda: len(routers(one)) == 1, "the first instance's router")
    pids = routers(one)
    wait_until(lambda: limits(pids[0])[0], "it is limited")
    groups = [directory_of(pids[0], controller) for controller in ("cpu", "memory")]
    assert routers(other) == [] and len(namespaces(one)) == 1
    wait_until(lambda: answers(lab.instance("one"), "10.70.0.1"), "it answers")
    attached(lab, "two", "lean", "far")
    wait_until(lambda: len(routers(one)) == 2 and len(routers(other)) == 1, "one for each VPC and host")
    assert pids[0] in routers(one)
    one.viaduct("detach", "one")
    wait_until(lambda: answers(lab.instance("two"), "10.70.0.1"), "it answers the second instance")
    assert pids[0] in routers(one)
    one.viaduct("detach", "two")
    wait_until(lambda: is_zombie(pids[0]), "it goes with the last")
    assert len(routers(one)) == 1 and len(namespaces(one)) == 1
    wait_until(lambda: not any(group.exists() for group in groups), "its limits are gone too")


def test_its_profile_limits_what_it_uses(lab, detached):
    """R-RTR-3: cgroups, also when the profile changes under a running router."""
    host = lab.host("h1")
    attached(lab, "one", "lean")
    wait_until(lambda: len(routers(host)) == 2, "both routers")
    wait_until(lambda: sorted(map(limits, routers(host))) == [(250, 48 << 20), (1000, 256 << 20)], "their limits")
    pids = routers(host)
    host.apply("{kind: router_profile, name: small, cpu: 0.5, memory: 64M}")
    wait_until(lambda: sorted(map(limits, routers(host))) == [(500, 64 << 20), (1000, 256 << 20)], "the new limits")
    assert routers(host) == pids
    host.apply("{kind: router_profile, name: small, cpu: 0.25, memory: 48M}")


def test_a_killed_one_is_replaced(lab, detached):
    """R-RTR-3: and knows what it has to."""
    host, one = lab.host("h1"), lab.instance("one")
    attached(lab, "one")
    wait_until(lambda: answers(one, "10.70.0.1"), "it answers")
    for _ in range(3):
        pid, = routers(host)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: routers(host) not in ([], [pid]), "another one", seconds=20)
        wait_until(lambda: answers(one, "10.70.0.1"), "it answers again", seconds=20)
        wait_until(lambda: limits(routers(host)[0]) == (1000, 256 << 20), "its limits")


def test_it_lives_on_without_its_daemon_and_is_taken_over(lab, detached):
    """R-RTR-3"""
    host, one = lab.host("h1"), lab.instance("one")
    attached(lab, "one")
    wait_until(lambda: answers(one, "10.70.0.1"), "it answers")
    pids = routers(host)
    host.kill9()
    time.sleep(3)  # it looks about every two seconds
    assert answers(one, "10.70.0.1") and routers(host) == pids
    host.start()
    wait_until(lambda: answers(one, "10.70.0.1"), "it answers still")
    host.stop()
    assert answers(one, "10.70.0.1") and routers(host) == pids
    host.start()
    attached(lab, "two")
    wait_until(lambda: answers(lab.instance("two"), "10.70.0.1"), "it hears of what is new")
    assert routers(host) == pids
    # One that died while nobody looked.
    host.kill9()
    os.kill(pids[0], signal.SIGKILL)
    host.start()
    wait_until(lambda: answers(one, "10.70.0.1"), "the daemon starts another", seconds=20)
