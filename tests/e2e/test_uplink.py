# SPDX-License-Identifier: Apache-2.0
"""Uplinks of a host: how they are given, what happens to them, who leads a VPC out, and that a purge leaves them as they were."""

import pathlib

import pytest

from lab.host import binary_path
from lab.namespace import run
from lab.world import wait_until

LAB = """
name: uplink
segments: {underlay: {}, ext: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {ext0: {segment: ext, addresses: [203.0.113.9/24]}}}
outside:
  isp: {segment: ext, addresses: [203.0.113.1/24, "2001:db8:a::1/64"]}
instances:
  one: {ports: {one: h1}}
  direct: {ports: {direct: {host: h1, attach: false}}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: ext, cidrs: [203.0.113.0/24, "2001:db8:a::/64"], gateways: [203.0.113.1, "2001:db8:a::1"],
 ranges: [203.0.113.100-203.0.113.199, "2001:db8:a::100-2001:db8:a::1ff"]}
---
{kind: vpc, name: blue, cidrs: [10.1.0.0/16], networks: [public]}
---
{kind: subnet, name: front, vpc: blue, cidrs: [10.1.1.0/24]}
---
{kind: port, name: one, subnet: front, addresses: [10.1.1.2]}
"""
DIRECT = """
{kind: network, name: wire, role: flat, physnet: ext, vlan: 7, cidrs: [198.18.0.0/24], gateways: [198.18.0.1], ranges: [198.18.0.10-198.18.0.20]}
---
{kind: port, name: direct, network: wire}
"""


def refused(host, *arguments):
    command = [binary_path("viaductd"), "--host", "other", "--run-dir", host.directory / "other", "--bpf-dir", host.lab.bpf_directory / "other",
               "--store", f"sqlite://{host.directory}/other.db", "--underlay", host.layout.underlay, *arguments]
    result = host.run(*command, check=False, timeout=30)
    assert result.returncode == 1
    assert result.stderr.startswith("viaductd: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("arguments, words", [
    (["--uplink", "ext"], ["ext", "PHYSNET=INTERFACE"]),
    (["--uplink", "=ext0"], ["PHYSNET=INTERFACE"]),
    (["--uplink", "ext=no:name"], ["ext=no:name", "cannot be an interface's name"]),
    (["--uplink", "ext=a-name-that-is-too-long"], ["ext=a-name-that-is-too-long", "cannot be an interface's name"]),
    (["--uplink", "ext=lo"], ["lo", "no Ethernet"]),
    (["--uplink", "ext=viaduct0"], ["viaduct0", "Viaduct's own"]),
    (["--uplink", "ext=ext0", "--uplink", "ext=u0"], ["ext", "given twice", "ext0", "u0"]),
    (["--uplink", "ext=ext0", "--uplink", "dc=ext0"], ["ext0", "two physical networks", "ext", "dc"]),
    (["--connections", "many"], ["--connections many", "a number from"]),
    (["--connections", "12"], ["--connections 12", "a number from"]),
])
def test_wrong_uplinks_are_refused_with_one_sentence(lab, arguments, words):
    """R-NET-1: one sentence says what is wrong with an uplink."""
    sentence = refused(lab.host("h1"), *arguments)
    assert all(word in sentence for word in words), sentence


def status(host):
    return host.ask("POST", "/v1/live/status", {})


def system_addresses(host):
    return wait_until(lambda: status(host)["gateways"], "h1 leads blue out")[0]["addresses"]


def running(lab):
    """h1 with its daemon, whatever test was before."""
    host = lab.host("h1")
    if not host.is_running():
        host.start()
    return host


def test_status_tells_uplinks_gateways_and_held_addresses(lab):
    host = running(lab)
    addresses = system_addresses(host)
    wait_until(lambda: len(status(host)["virtual_ips"]) == len(addresses), "it holds the gateway's addresses")
    said = status(host)
    uplink = said["uplinks"][0]
    assert (uplink["physnet"], uplink["ifname"], uplink["state"], uplink["in_use"], uplink["networks"]) == ("ext", "ext0", "up", True, ["public"])
    assert uplink["mac"] in host.ip("link", "show", "ext0")
    gateway = said["gateways"][0]
    assert (gateway["vpc"], gateway["network"], gateway["name"]) == ("blue", "public", "blue.public")
    # The store is the daemon's own: nobody else can be elected while it is dead.
    assert gateway["deadline"] is None
    assert sorted(vip["address"] for vip in said["virtual_ips"]) == sorted(addresses)
    text = host.viaduct("status").stdout
    assert "GATEWAY OF" in text and "UPLINK" in text and addresses[0] in text


def test_held_addresses_are_announced_and_answered(lab):
    """R-VIP-1: whoever knew another MAC for it learns the uplink's, by gratuitous ARP and an unsolicited advertisement."""
    host, isp = running(lab), lab.node("isp")
    addresses = system_addresses(host)
    mac = status(host)["uplinks"][0]["mac"]
    for address in addresses:
        isp.ip("neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0")
    host.restart()
    for address in addresses:
        wait_until(lambda: isp.has_learnt(address) == mac, f"isp learns {address}")
    wait_until(lambda: [vip["announced"] for vip in status(host)["virtual_ips"]] == [3] * len(addresses), "each is announced thrice")


def test_next_hops_are_kept_known(lab):
    host, isp = running(lab), lab.node("isp")
    mac = isp.ip("link", "show", "eth0").split("link/ether ")[1].split()[0]

    def neighbours():
        return {one["address"]: one for one in host.ask("POST", "/v1/live/neighbours", {})["neighbours"]}

    for gateway in ("203.0.113.1", "2001:db8:a::1"):
        wait_until(lambda: neighbours().get(gateway, {}).get("mac") == mac, f"{gateway} is known")
        assert neighbours()[gateway]["next_hop"] is True and neighbours()[gateway]["network"] == "public"
    text = host.viaduct("neighbours").stdout
    assert "203.0.113.1" in text and mac in text
    # It is asked for again before it is old: 20 seconds.
    wait_until(lambda: neighbours()["203.0.113.1"]["confirmed"] >= 15, "time passes", seconds=40)
    wait_until(lambda: neighbours()["203.0.113.1"]["confirmed"] < 10, "it is refreshed", seconds=20)


def has_program(host, ifname):
    return "vd_uplink" in host.run("tc", "filter", "show", "dev", ifname, "ingress").stdout


def test_uplink_that_vanishes_is_told_and_works_again_when_it_is_back(lab):
    """R-NET-1: its name, MAC and MTU are followed while the daemon runs."""
    host = running(lab)
    system_addresses(host)
    assert has_program(host, "ext0")
    host.ip("link", "set", "ext0", "down")
    host.ip("link", "set", "ext0", "name", "elsewhere")
    wait_until(lambda: status(host)["uplinks"][0]["state"] == "gone", "it is told")
    wait_until(lambda: not status(host)["gateways"], "h1 gives the gateway back")
    wait_until(lambda: not has_program(host, "elsewhere"), "the program is taken off what is no uplink any more")
    assert "ext0 of physical network ext is gone" in host.log()
    host.ip("link", "set", "elsewhere", "name", "ext0")
    host.ip("link", "set", "ext0", "up", "mtu", "1400", "address", "02:00:00:00:0e:0e")
    wait_until(lambda: status(host)["uplinks"][0]["state"] == "up" and status(host)["uplinks"][0]["mtu"] == 1400, "it is back")
    wait_until(lambda: status(host)["gateways"], "h1 leads blue out again")
    wait_until(lambda: has_program(host, "ext0"), "the program is there again")
    address = next(one for one in system_addresses(host) if "." in one)
    wait_until(lambda: lab.node("isp").has_learnt(address) == "02:00:00:00:0e:0e", "the new MAC is announced")


def test_daemon_starts_without_its_uplink_and_takes_it_when_it_comes(lab):
    """R-NET-1, R-OPS-5: a NIC that died before a start does not keep the host down; it is told once, and used once it is there."""
    host = running(lab)
    system_addresses(host)
    host.stop()
    host.ip("link", "set", "ext0", "down")
    host.ip("link", "set", "ext0", "name", "elsewhere")
    told = "uplink ext0 of physical network ext is missing"
    before = host.log().count(told)
    host.start()
    assert status(host)["uplinks"][0]["state"] == "missing" and not status(host)["uplinks"][0]["in_use"]
    assert "missing" in host.viaduct("status").stdout
    wait_until(lambda: not status(host)["gateways"], "h1 gives the gateway back")
    host.ip("link", "set", "elsewhere", "mtu", "1500")  # something happens to a link: no reason to say it again
    host.apply("{kind: subnet, name: back, vpc: blue, cidrs: [10.1.2.0/24]}")  # the rest of the host works
    assert host.log().count(told) == before + 1
    host.ip("link", "set", "elsewhere", "name", "ext0")
    host.ip("link", "set", "ext0", "up")
    wait_until(lambda: status(host)["uplinks"][0]["state"] == "up", "it is there")
    wait_until(lambda: status(host)["gateways"], "h1 leads blue out again")
    wait_until(lambda: has_program(host, "ext0"), "the program is there")
    address = next(one for one in system_addresses(host) if "." in one)
    wait_until(lambda: lab.node("isp").ping(address, timeout=0.5).received, "isp reaches the router")


def test_host_keeps_its_own_address_on_the_uplink(lab):
    """R-NET-1: the host's own traffic there is untouched."""
    assert lab.node("isp").ping("203.0.113.9", count=3).received == 3


def test_gateway_and_program_outlive_the_daemon_and_purge_leaves_the_uplink_as_it_was(lab):
    """R-OPS-9"""
    host = running(lab)
    system_addresses(host)
    host.kill9()
    assert has_program(host, "ext0")
    host.start()
    wait_until(lambda: status(host)["gateways"], "it adopts what it holds")
    host.lab.watcher.learn()
    host.stop()
    assert has_program(host, "ext0")
    host.run(host.daemon_command()[0], "--run-dir", host.run_directory, "--purge")
    assert "clsact" not in host.run("tc", "qdisc", "show", "dev", "ext0").stdout
    assert not has_program(host, "ext0")
    assert not (host.run_directory / "uplink").exists()
    assert lab.node("isp").ping("203.0.113.9", count=2).received == 2


def purge(host):
    if host.is_running():
        host.lab.watcher.learn()  # whose addresses were seen, while it can say so
        host.stop()
    host.run(host.daemon_command()[0], "--run-dir", host.run_directory, "--purge")


def state_of(host, ifname):
    """All that the kernel says about an interface and that a purge could have left there."""
    said = [host.ip("-d", "link", "show", ifname), host.ip("address", "show", ifname), host.ip("maddress", "show", "dev", ifname),
            host.run("bridge", "fdb", "show", "dev", ifname).stdout, host.run("tc", "qdisc", "show", "dev", ifname).stdout]
    said += [host.run("tc", "filter", "show", "dev", ifname, side, check=False).stdout for side in ("ingress", "egress")]

    def settings():
        return {str(path): path.read_text() for family in ("ipv4", "ipv6")
                for path in sorted(pathlib.Path(f"/proc/sys/net/{family}/conf/{ifname}").glob("*")) if path.name != "stable_secret"}

    return said + [host.inside(settings)]


@pytest.fixture
def stopped(lab):
    """The host with nothing of ours."""
    host = lab.host("h1")
    purge(host)
    yield host
    purge(host)


def serve(host):
    host.start()
    wait_until(lambda: has_program(host, "ext0"), "the program is on the uplink")


def test_purge_leaves_the_uplink_as_it_was_found(lab, stopped):
    """R-OPS-9: link, addresses, groups, filters, qdiscs and settings, as before the daemon's first start, also with an instance on the wire."""
    before = state_of(stopped, "ext0")
    serve(stopped)
    stopped.apply(DIRECT)
    mac = stopped.resource("ports", "direct")["assigned"]["mac"]
    stopped.viaduct("attach", "direct", "--netns", lab.instance("direct").path)
    wait_until(lambda: mac in stopped.run("bridge", "fdb", "show", "dev", "ext0").stdout, "the MAC filter is there")
    assert state_of(stopped, "ext0") != before
    purge(stopped)
    assert state_of(stopped, "ext0") == before


@pytest.fixture(scope="module")
def theirs(lab, tmp_path_factory):
    """A tc program of somebody else's, pinned: it lets everything on."""
    folder = tmp_path_factory.mktemp("theirs")
    source, pinned = folder / "theirs.c", lab.bpf_directory / "theirs"
    source.write_text('__attribute__((section("tc"), used)) int theirs(void *skb) { return -1; }\n')
    run("clang", "-O2", "-target", "bpf", "-c", source, "-o", folder / "theirs.o")
    run("bpftool", "prog", "load", folder / "theirs.o", pinned, "type", "classifier")
    yield pinned
    pinned.unlink()


def put_theirs(host, side, program):
    host.run("tc", "filter", "add", "dev", "ext0", side, "bpf", "direct-action", "object-pinned", program)


def has_theirs(host, side):
    return "theirs" in host.run("tc", "filter", "show", "dev", "ext0", side).stdout


def has_clsact(host):
    return "clsact" in host.run("tc", "qdisc", "show", "dev", "ext0").stdout


@pytest.mark.parametrize("side", ["ingress", "egress"])
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_somebody_elses_filter_on_the_uplink_stays(lab, stopped, theirs, first, side):
    """R-OPS-9, R-NET-1: whoever came first, both work side by side, and a purge takes ours only."""
    host = stopped
    try:
        if first == "theirs":
            host.run("tc", "qdisc", "add", "dev", "ext0", "clsact")
            put_theirs(host, side, theirs)
        serve(host)
        if first == "ours":
            put_theirs(host, side, theirs)
        address = next(one for one in system_addresses(host) if "." in one)
        wait_until(lambda: lab.node("isp").ping(address, timeout=0.5).received, "isp reaches the router beside their filter")
        purge(host)
        assert has_theirs(host, side) and not has_program(host, "ext0")
    finally:
        host.run("tc", "qdisc", "del", "dev", "ext0", "clsact", check=False)


def test_somebody_elses_empty_hook_stays(stopped):
    """R-OPS-9: a clsact qdisc that was there is not ours to take away, even if nothing hangs on it."""
    host = stopped
    try:
        host.run("tc", "qdisc", "add", "dev", "ext0", "clsact")
        serve(host)
        purge(host)
        assert has_clsact(host) and not has_program(host, "ext0")
    finally:
        host.run("tc", "qdisc", "del", "dev", "ext0", "clsact", check=False)
