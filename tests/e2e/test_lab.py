# SPDX-License-Identifier: Apache-2.0
"""The lab itself, without daemons: what it builds is what the file says, and nothing of it stays."""

import ipaddress
import os
import pathlib
import signal
import subprocess
import sys

import pytest
import yaml

from conversation import connection, say
from lab import Lab, LabError, Layout, leftovers, wait_until
from lab.namespace import NETNS, Namespace, is_zombie, run
from lab.world import DIRECTORY, mounts_below

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYOUT = """
name: selftest
segments: {underlay: {mtu: 1600}}
hosts:
  h1: {addresses: [172.31.0.1/24, "fd31::1/64"]}
  h2: {addresses: [172.31.0.2/24, "fd31::2/64"]}
instances:
  nested:
    bridges:
      docker0: {addresses: [10.0.2.1/24, "fd02::1/64"], containers: {c1: [10.0.2.2/24, "fd02::2/64"], c2: [10.0.2.3/24]}}
"""


OUTSIDE = """
name: selfoutside
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: {segment: em01, addresses: [10.0.0.22/8]}}}
outside:
  isp:
    segment: em01
    addresses: [10.0.0.1/8, "2001:db8:a::1/64"]
    behind:
      addresses: [198.51.100.1/24, "2001:db8:b::1/64"]
      hosts: {web: [198.51.100.10/24, "2001:db8:b::10/64"], mail: [198.51.100.11/24]}
  desk: {segment: em01, addresses: [10.0.0.5/8, "2001:db8:a::5/64"], gateways: [10.0.0.1, "2001:db8:a::1"]}
  tagged: {segment: em01, vlan: 3, addresses: [10.0.0.6/8]}
  trunk: {segment: em01, vlan: 3, addresses: [10.0.0.7/8]}
"""


@pytest.fixture
def own_prefix(monkeypatch):
    """A prefix that no one else on this machine has: `down --all` must be safe to test."""
    prefix = f"vdlt{os.getpid()}"
    monkeypatch.setenv("VIADUCT_LAB_PREFIX", prefix)
    yield prefix
    for name in leftovers():
        Lab.take_down(name)


def make(text=LAYOUT, **options):
    return Lab(Layout.from_document(yaml.safe_load(text)), daemons=False, **options)


def traces(prefix):
    """Whatever of this prefix there is on the machine."""
    namespaces = [entry.name for entry in NETNS.iterdir() if entry.name.startswith(prefix)] if NETNS.is_dir() else []
    folders = [entry for entry in DIRECTORY.iterdir() if entry.name.startswith(prefix)] if DIRECTORY.is_dir() else []
    mounts = [mount for mount in mounts_below(DIRECTORY) if f"/{prefix}-" in mount]
    return namespaces + folders + mounts


def machine_links():
    return {line.split()[1] for line in run("ip", "-o", "link").stdout.splitlines()}


def processes_of(session):
    found = run("pgrep", "--session", session, check=False).stdout.split()
    return [pid for pid in found if not is_zombie(int(pid))]


def test_hosts_reach_each_other_and_containers_their_bridge(own_prefix):
    with make() as lab:
        assert lab.host("h1").ping("172.31.0.2").received == 1
        assert lab.host("h1").ping("fd31::2").received == 1
        assert lab.host("h1").ping("172.31.0.2", size=1572, dont_fragment=True).received == 1
        assert lab.host("h1").ping("172.31.0.2", size=1573, dont_fragment=True).received == 0
        assert lab.instance("nested").container("c1").ping("10.0.2.3").received == 1
        assert lab.instance("nested").container("c1").ping("fd02::1").received == 1
        assert lab.node("nested-c2").ping("10.0.2.1").received == 1
        assert lab.host("h1").ping("10.0.2.1", timeout=0.2).received == 0


def test_nothing_stays(own_prefix):
    links = machine_links()
    with make() as lab:
        assert traces(own_prefix)
        process = lab.host("h1").launch("sleep", 600)
        pinned = lab.host("h1").run_directory / "netns"
        pinned.mkdir()
        (pinned / "7").touch()
        lab.host("h1").run("mount", "--bind", "/proc/self/ns/net", pinned / "7")
    assert process.wait(timeout=5) == -signal.SIGKILL
    assert traces(own_prefix) == []
    assert machine_links() <= links


def test_nothing_stays_after_a_failure_in_the_middle(own_prefix, monkeypatch):
    links = machine_links()
    for failing in range(1, 7):
        count = 0
        create = Namespace.create

        def fail_once(self):
            nonlocal count
            count += 1
            if count == failing:
                raise LabError("broken on purpose")
            create(self)

        monkeypatch.setattr(Namespace, "create", fail_once)
        with pytest.raises(LabError, match="on purpose"):
            make().up()
        monkeypatch.setattr(Namespace, "create", create)
        assert traces(own_prefix) == []
    assert machine_links() <= links


def test_nothing_stays_after_a_killed_process(own_prefix, tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text(LAYOUT)
    tool = [sys.executable, str(ROOT / "lab/lab.py")]
    builder = subprocess.Popen([*tool, "up", "--no-daemons", str(path)], stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: (NETNS / f"{own_prefix}-selftest-h1").exists(), "the first host stands")
    builder.kill()
    builder.wait()
    wait_until(lambda: not processes_of(builder.pid), "what it has started last ends")
    assert traces(own_prefix)
    assert subprocess.run([*tool, "list"], capture_output=True, text=True).stdout == "selftest\n"
    again = subprocess.run([*tool, "up", "--no-daemons", str(path)], capture_output=True, text=True)
    assert again.returncode == 1 and "lab.py down selftest" in again.stderr
    assert subprocess.run([*tool, "down", "--all"]).returncode == 0
    assert traces(own_prefix) == []


def test_command_runs_in_a_node_of_a_lab_that_is_up(own_prefix, tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text(LAYOUT)
    tool = [sys.executable, str(ROOT / "lab/lab.py")]
    assert subprocess.run([*tool, "up", "--no-daemons", "--name", "other", str(path)]).returncode == 0
    shown = subprocess.run([*tool, "exec", "other", "nested-c1", "ip", "-4", "-o", "address"], capture_output=True, text=True)
    assert "10.0.2.2/24" in shown.stdout
    assert subprocess.run([*tool, "exec", "other", "h1", "false"]).returncode == 1
    assert subprocess.run([*tool, "exec", "other", "nobody", "true"], stderr=subprocess.DEVNULL).returncode == 1
    assert subprocess.run([*tool, "down", "other"]).returncode == 0
    assert traces(own_prefix) == []


def test_etcd_of_three_members_keeps_a_value(own_prefix):
    layout = yaml.safe_load((ROOT / "lab/etcd.yaml").read_text())
    layout.pop("apply")
    lab = Lab(Layout.from_document(layout), daemons=False)
    with lab:
        for member in lab.etcd.values():
            member.start(wait=False)
        for member in lab.etcd.values():
            member.wait_ready()
        ask = ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", "http://172.31.0.11:2379,http://172.31.0.12:2379,http://172.31.0.13:2379"]
        assert lab.host("h1").run(*ask, "put", "a", "b").stdout == "OK\n"
        lab.etcd["e1"].kill9()
        wait_until(lambda: lab.host("h2").run(*ask, "get", "a", check=False).stdout == "a\nb\n", "the two that are left have a leader", seconds=60)
    assert traces(own_prefix) == []


def test_outside_reaches_its_internet(own_prefix):
    with make(OUTSIDE) as lab:
        desk, web = lab.outside("desk"), lab.outside("web")
        assert desk.ping("198.51.100.10", count=2).ttls == [63] * 2
        assert desk.ping("2001:db8:b::10").ttls == [63]
        assert desk.traceroute("198.51.100.11") == ["10.0.0.1", "198.51.100.11"]
        assert web.ping("10.0.0.5").received == desk.ping("10.0.0.22").received == 1, "a host of ours on its own address"
        assert desk.has_learnt("10.0.0.1") and desk.has_learnt("10.0.0.99") is None


def test_vlan_of_an_outside_node_is_on_the_wire_and_apart(own_prefix):
    with make(OUTSIDE) as lab:
        tagged = lab.outside("tagged")
        with lab.segments["em01"].capture("tagged") as frames:
            assert tagged.ping("10.0.0.7", count=2).received == 2
        assert frames and {frame[12:16] for frame in frames if frame[16:18] == b"\x08\x00"} == {bytes.fromhex("81000003")}
        assert tagged.ping("10.0.0.5", timeout=0.3).received == 0
        assert lab.outside("desk").ping("10.0.0.6", timeout=0.3).received == 0
        assert lab.outside("desk").ping("10.0.0.22").received == 1, "no tag, no VLAN"
        data = b"0123456789abcdef" * 40000
        with connection(tagged, lab.outside("trunk"), "10.0.0.7", 5000) as (one, other):
            assert say(one, other, data) == data


def test_watcher_tells_a_private_source(own_prefix):
    with pytest.raises(LabError, match=r"IPv4 from 192\.168\.10\.2 to 198\.51\.100\.10, sent by h1\.em01"), make(OUTSIDE) as lab:
        lab.watcher.public = {("em01", 0, ipaddress.ip_network("10.0.0.0/8"))}
        host, desk = lab.host("h1"), lab.outside("desk")
        assert lab.host("h2").ping("10.0.0.5").received == 1
        host.ip("address", "add", "10.108.0.1/8", "dev", "em01")
        assert host.ping("10.0.0.5").received == 1
        assert lab.watcher.leaks() == [], "addresses of a public network may"
        lab.watcher.permit("192.168.10.0/24", "192.168.11.0/24")
        host.ip("address", "add", "192.168.10.2/32", "dev", "lo")
        host.ip("route", "add", "192.168.11.0/24", "via", "10.0.0.5")
        host.ip("route", "add", "198.51.100.0/24", "via", "10.0.0.1")
        assert host.ping("10.0.0.1").received == 1, "whose MAC it knows from now on"
        host.ping("192.168.11.2", source="192.168.10.2", timeout=0.1)
        assert lab.watcher.leaks() == [], "what is permitted"
        assert desk.ping("198.51.100.10").received == 1
        host.ping("198.51.100.10", source="192.168.10.2", timeout=0.1)


def test_watcher_that_saw_nothing_proves_nothing(own_prefix):
    with pytest.raises(LabError, match="saw no packet"), make(OUTSIDE) as lab:
        assert lab.outside("desk").ping("198.51.100.10").received == 1, "not from a host of ours"
    assert traces(own_prefix) == []


@pytest.mark.parametrize("change, message", [
    ("name: two-hosts", "a lab's name"),
    ("hosts: {h1: {addresses: [172.31.0.1]}}", "prefix length"),
    ("hosts: {h1: {}}", "needs addresses"),
    ("hosts: {h1: {links: {far: [10.0.0.1/24]}}}", "no segment far"),
    ("hosts: {h1: {addresses: [172.31.0.1/24], colour: red}}", "unknown field colour"),
    ("instances: {a: {ports: {a: h9}}}", "no host h9"),
    ("instances: {h1: {}}", "h1 is there twice"),
    ("hosts: {h1: {addresses: [172.31.0.1/24], store: etcd}}", "needs etcd members"),
    ("hosts: {h1: {addresses: [172.31.0.1/24], store: paper}}", "store 'paper'"),
    ("hosts: []", "must be a dict"),
    ("hosts: {h1: {addresses: [172.31.0.1/24], uplinks: {em01: far}}}", "no segment far"),
    ("hosts: {h1: {addresses: [172.31.0.1/24], uplinks: {a.very.long.name: underlay}}}", "an interface's name"),
    ("outside: {isp: {segment: far, addresses: []}}", "no segment far"),
    ("outside: {isp: {segment: underlay, vlan: 4095, addresses: []}}", "vlan must be"),
    ("outside: {h1: {segment: underlay, addresses: []}}", "h1 is there twice"),
])
def test_wrong_lab_file_is_refused_with_a_sentence(change, message):
    document = {**yaml.safe_load(LAYOUT), **yaml.safe_load(change)}
    with pytest.raises(LabError, match=message):
        Layout.from_document(document)


@pytest.mark.parametrize("path", sorted((ROOT / "lab").glob("*.yaml")), ids=lambda path: path.stem)
def test_lab_file_of_ours_is_right(path):
    layout = Layout.from_file(path)
    for document in layout.apply:
        assert all(part["kind"] for part in yaml.safe_load_all(pathlib.Path(document).read_text()))
