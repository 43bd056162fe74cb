# SPDX-License-Identifier: Apache-2.0
"""What a host's daemon made in the kernel, and how it goes away again."""

LAB = """
name: purge
hosts:
  h1: {addresses: [172.31.0.1/24]}
instances:
  one: {ports: {one: h1}}
  two: {ports: {two: h1}}
"""
DOCUMENTS = """
{kind: vpc, name: brief, cidrs: [10.1.0.0/16]}
---
{kind: subnet, name: left, vpc: brief, cidrs: [10.1.1.0/24]}
---
{kind: subnet, name: right, vpc: brief, cidrs: [10.1.2.0/24]}
---
{kind: port, name: one, subnet: left, addresses: [10.1.1.2]}
---
{kind: port, name: two, subnet: right, addresses: [10.1.2.2]}
"""


def links(node):
    return {line.split(": ")[1].split("@")[0] for line in node.ip("-o", "link").splitlines()}


def test_traffic_goes_on_without_the_daemon_and_purge_leaves_nothing(lab, reach):
    """R-OPS-9, R-OPS-5: a stopped daemon stops nothing; purge takes links, namespaces and pins, and nothing that is not ours."""
    host, one = lab.host("h1"), lab.instance("one")
    reach(one, "10.1.2.2")
    host.ip("link", "add", "theirs", "type", "bridge")
    host.stop()
    assert one.ping("10.1.2.2", count=3).ttls == [63] * 3
    assert one.ping("10.1.1.1", count=3).received == 3
    assert "viaduct0" in links(host) and any(name.startswith("vr") for name in links(host))
    # Without being told the host's name or where the programs are: the run directory knows.
    host.run(host.daemon_command()[0], "--run-dir", host.run_directory, "--purge")
    assert links(host) == {"lo", "u0", "theirs"}
    assert links(one) == {"lo"}
    assert host.ip("-d", "link", "show", "u0").count("prog") == 0
    netns = host.run_directory / "netns"
    assert not netns.exists() or not any(netns.iterdir())
    assert str(netns) not in open("/proc/self/mountinfo").read()
    pins = lab.bpf_directory / "h1"
    assert not pins.exists() or not any(pins.iterdir())


def test_daemon_that_starts_after_a_purge_begins_anew(lab, reach):
    """R-OPS-9: attachments that are gone are known to be gone."""
    host = lab.host("h1")
    if not host.is_running():
        host.start()
    for name in ("one", "two"):
        lab.instance(name).attach()
    reach(lab.instance("one"), "10.1.2.2")
