# SPDX-License-Identifier: Apache-2.0
"""Uplinks of a host: how they are given, what happens to them, who leads a VPC out, and that a purge leaves them as they were."""

import pytest

from lab.host import binary_path
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
    (["--uplink", "ext=eth9"], ["ext=eth9", "this host has none of that name"]),
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
    wait_until(lambda: status(host)["gateways"], "h1 leads blue out")
    return status(host)["gateways"][0]["addresses"]


def test_status_tells_uplinks_gateways_and_held_addresses(lab):
    host = lab.host("h1")
    addresses = system_addresses(host)
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
    host, isp = lab.host("h1"), lab.node("isp")
    addresses = system_addresses(host)
    mac = status(host)["uplinks"][0]["mac"]
    for address in addresses:
        isp.ip("neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0")
    host.restart()
    for address in addresses:
        wait_until(lambda: isp.has_learnt(address) == mac, f"isp learns {address}")
    wait_until(lambda: all(vip["announced"] == 3 for vip in status(host)["virtual_ips"]), "each is announced thrice")
    assert len(status(host)["virtual_ips"]) == len(addresses)


def test_next_hops_are_kept_known(lab):
    host, isp = lab.host("h1"), lab.node("isp")
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
    host = lab.host("h1")
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


def test_host_keeps_its_own_address_on_the_uplink(lab):
    """R-NET-1: the host's own traffic there is untouched."""
    assert lab.node("isp").ping("203.0.113.9", count=3).received == 3


def test_gateway_and_program_outlive_the_daemon_and_purge_leaves_the_uplink_as_it_was(lab):
    """R-OPS-9"""
    host = lab.host("h1")
    system_addresses(host)
    host.kill9()
    assert has_program(host, "ext0")
    host.start()
    wait_until(lambda: status(host)["gateways"], "it adopts what it holds")
    host.stop()
    assert has_program(host, "ext0")
    host.run(host.daemon_command()[0], "--run-dir", host.run_directory, "--purge")
    assert "clsact" not in host.run("tc", "qdisc", "show", "dev", "ext0").stdout
    assert not has_program(host, "ext0")
    assert not (host.run_directory / "uplink").exists()
    assert lab.node("isp").ping("203.0.113.9", count=2).received == 2
