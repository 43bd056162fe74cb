# SPDX-License-Identifier: Apache-2.0
"""The router's process on a host: names, metadata and forwarding for instances, its limits, its life and its end."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from lab import wait_until
from lab.namespace import is_zombie

LAB = """
name: services
hosts:
  h1: {addresses: [172.31.0.1/24]}
instances:
  one: {ports: {one: h1}}
  two: {ports: {two: h1}}
"""
DOCUMENTS = """
{kind: router_profile, name: small, cpu: 0.5, memory: 64M}
---
{kind: vpc, name: brief, cidrs: [10.1.0.0/16, "fd00:1::/48"], router_profile: small}
---
{kind: subnet, name: left, vpc: brief, cidrs: [10.1.1.0/24, "fd00:1::/64"], dns: [127.0.0.53]}
---
{kind: subnet, name: right, vpc: brief, cidrs: [10.1.2.0/24], dns: [127.0.0.54]}
---
{kind: port, name: one, subnet: left, addresses: [10.1.1.2, "fd00:1::2"], hostname: first, ssh_keys: [ssh-ed25519 AAAA me],
 user_data: "#!/bin/sh\\n"}
---
{kind: port, name: two, subnet: right, addresses: [10.1.2.2]}
"""


def router(host):
    return host.live("status")["routers"][0]


def is_up(host):
    routers = host.live("status")["routers"]
    return bool(routers) and routers[0]["state"] == "up"


def dig(node, *arguments, server="10.1.1.1"):
    return node.run("dig", f"@{server}", "+tries=1", "+time=10", *arguments, check=False).stdout


def curl(node, path):
    return node.run("curl", "-sS", "--max-time", "20", f"http://169.254.169.254{path}", check=False).stdout


def cgroups(pid):
    """controller -> its directory for the process; both may be the unified one."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else ["unified"]:
            found[controller] = pathlib.Path("/sys/fs/cgroup") / controller / path.lstrip("/")
    return found


@pytest.fixture(scope="module", autouse=True)
def up(lab):
    host = lab.host("h1")
    servers = [host.launch("dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root", "--pid-file=",
                           f"--listen-address={address}", f"--address=/www.example/{answer}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for address, answer in (("127.0.0.53", "198.51.100.1"), ("127.0.0.54", "198.51.100.2"))]
    wait_until(lambda: all(f"{address}:53 " in host.run("ss", "-Hlnu").stdout for address in ("127.0.0.53", "127.0.0.54")), "the name servers listen")
    wait_until(lambda: is_up(host), "the router's process is up")
    yield
    for server in servers:
        server.kill()
        server.wait()


def test_names_of_ports_resolve_from_any_subnet_by_ipv4_and_ipv6(lab):
    """R-SVC-4."""
    one, two = lab.instance("one"), lab.instance("two")
    assert dig(one, "two.brief.internal", "+short") == "10.1.2.2\n"
    assert dig(two, "one.brief.internal", "AAAA", "+short", "+tcp", server="10.1.2.1") == "fd00:1::2\n"
    assert dig(one, "-x", "10.1.2.2", "+short", server="fd00:1::1") == "two.brief.internal.\n"
    assert "NXDOMAIN" in dig(one, "three.brief.internal")


def test_each_subnet_is_forwarded_to_its_own_servers(lab):
    """R-SVC-3."""
    assert dig(lab.instance("one"), "www.example", "+short") == "198.51.100.1\n"
    assert dig(lab.instance("two"), "www.example", "+short", server="10.1.2.1") == "198.51.100.2\n"


def test_instances_read_their_metadata(lab):
    """R-SVC-5."""
    one, two = lab.instance("one"), lab.instance("two")
    assert curl(one, "/latest/meta-data/local-hostname") == "first"
    assert curl(one, "/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA me"
    assert curl(one, "/user-data") == "#!/bin/sh\n"
    assert "local-ipv4: 10.1.2.2\n" in curl(two, "/meta-data")


def test_changes_reach_the_process(lab):
    """R-SVC-4, R-SVC-5: a new port's name, a port's user data, which is in no plan, and a deleted name."""
    host, one = lab.host("h1"), lab.instance("one")
    host.apply("{kind: port, name: three, subnet: right, addresses: [10.1.2.3]}")
    wait_until(lambda: dig(one, "three.brief.internal", "+short") == "10.1.2.3\n", "the new name is known")
    host.viaduct("delete", "port", "three")
    wait_until(lambda: "NXDOMAIN" in dig(one, "three.brief.internal"), "the name is forgotten")
    host.apply("{kind: port, name: two, subnet: right, addresses: [10.1.2.2], user_data: changed}")
    wait_until(lambda: curl(lab.instance("two"), "/user-data") == "changed", "the user data has changed")


def test_process_is_limited_as_its_profile_says(lab):
    """R-RTR-3: and a change of the profile is obeyed by the process that runs."""
    host = lab.host("h1")
    pid = router(host)["pid"]
    groups = cgroups(pid)

    def limits():
        if "cpu" in groups:
            return (int((groups["cpu"] / "cpu.cfs_quota_us").read_text()), int((groups["cpu"] / "cpu.cfs_period_us").read_text()),
                    int((groups["memory"] / "memory.limit_in_bytes").read_text()))
        quota, period = (groups["unified"] / "cpu.max").read_text().split()
        return int(quota), int(period), int((groups["unified"] / "memory.max").read_text())

    assert limits() == (50000, 100000, 64 << 20)
    host.apply("{kind: router_profile, name: small, cpu: 0.25, memory: 128M}")
    wait_until(lambda: limits() == (25000, 100000, 128 << 20), "the limits have changed")
    assert router(host)["pid"] == pid


def test_process_outlives_the_daemon_and_is_taken_over(lab):
    """R-OPS-5: and a control group that its process has left late goes."""
    host, one = lab.host("h1"), lab.instance("one")
    pid = router(host)["pid"]
    left = {path.parent / "4000000000" for name, path in cgroups(pid).items() if name in ("cpu", "memory", "unified") and path.name.isdigit()}
    assert left
    host.kill9()
    for path in left:
        path.mkdir()
    assert dig(one, "two.brief.internal", "+short") == "10.1.2.2\n"
    assert curl(one, "/latest/meta-data/local-hostname") == "first"
    host.start()
    wait_until(lambda: is_up(host), "the process is taken over")
    wait_until(lambda: not any(path.exists() for path in left), "what was left is gone")
    assert router(host)["pid"] == pid
    assert dig(one, "two.brief.internal", "+short") == "10.1.2.2\n"


def test_process_stays(lab):
    """It ends by itself when its namespace is gone; it must not think so."""
    host = lab.host("h1")
    pid = router(host)["pid"]
    time.sleep(5)
    assert router(host).get("pid") == pid and is_up(host)


def test_killed_process_is_started_again_and_told_everything(lab):
    """R-RTR-3."""
    host, one = lab.host("h1"), lab.instance("one")
    pid = router(host)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_up(host) and router(host).get("pid", pid) != pid, "another process is up")
    assert dig(one, "two.brief.internal", "+short") == "10.1.2.2\n"


# Who finds its socket is heard.
STRANGER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".unheard")
listener.listen()
os.rename(sys.argv[1] + ".unheard", sys.argv[1])
while True:
    connection = listener.accept()[0]
    for line in connection.makefile():
        connection.sendall(b'{"ok":true,"version":"0.0.1","pid":1}\\n')
"""


def test_process_of_another_version_is_replaced(lab):
    """R-OPS-5: the one who listens is ended, whatever pid it claims."""
    host, one = lab.host("h1"), lab.instance("one")
    pid = router(host)["pid"]
    host.kill9()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_zombie(pid), "the process has ended")
    socket_path = next((host.run_directory / "router").glob("*.sock"))
    socket_path.unlink()
    stranger = subprocess.Popen(["/usr/bin/python3", "-c", STRANGER, socket_path])
    try:
        wait_until(socket_path.exists, "the stranger listens")
        host.start()
        assert stranger.wait(30) == -signal.SIGKILL
    finally:
        stranger.kill()
        stranger.wait()
    wait_until(lambda: is_up(host), "a process of this version is up")
    assert dig(one, "two.brief.internal", "+short") == "10.1.2.2\n"
    assert "up" in host.viaduct("status").stdout.split("ROUTER")[1]


def test_process_comes_with_the_first_instance_and_goes_with_the_last(lab):
    """R-RTR-3: and leaves no control group."""
    host = lab.host("h1")
    pid, groups = router(host)["pid"], cgroups(router(host)["pid"])
    for port in ("one", "two"):
        host.viaduct("detach", port)
    wait_until(lambda: is_zombie(pid), "the process has ended")
    wait_until(lambda: not host.live("status")["routers"], "the router is gone")
    assert not any(path.exists() for name, path in groups.items() if name in ("cpu", "memory"))
    assert not list((host.run_directory / "router").glob("*.sock"))
    for name in ("one", "two"):
        lab.instance(name).attach()
    wait_until(lambda: is_up(host), "the router is back")


def test_purge_ends_the_process(lab):
    """R-OPS-9."""
    host = lab.host("h1")
    pid = router(host)["pid"]
    groups = cgroups(pid)
    host.stop()
    assert not is_zombie(pid)
    host.run(host.daemon_command()[0], "--run-dir", host.run_directory, "--purge")
    wait_until(lambda: is_zombie(pid), "the process has ended")
    assert not any(path.exists() for name, path in groups.items() if name in ("cpu", "memory"))
    host.start()
    for name in ("one", "two"):
        lab.instance(name).attach()
    wait_until(lambda: is_up(host), "the router is back")
