# SPDX-License-Identifier: Apache-2.0
"""DHCP and router advertisements: busybox udhcpc, ISC dhclient and dhcpcd with the scripts that Debian ships, and frames of our own.

VPC auto spans both hosts; VPC second is where an instance has its second port.
"""

import contextlib
import hashlib
import itertools
import pathlib
import re
import time

import pytest
from scapy.all import ARP, BOOTP, DHCP, IP, UDP, Ether, raw
from scapy.layers.dhcp6 import DHCP6_Renew, DHCP6_Reply
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, IPv6

from lab.world import wait_until
from userland import Userland

LAB = """
name: dhcp
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  busy: {ports: {busy: {host: h1, dhcp: true}}}
  isc: {ports: {isc: {host: h2, dhcp: true}}}
  roy: {ports: {roy: {host: h1, dhcp: true}}}
  raw: {ports: {raw: {host: h1, dhcp: true}}}
  plain: {ports: {plain: h2}}
  both: {ports: {both: {host: h1, dhcp: true}, both2: {host: h1, dhcp: true}}}
  quiet: {ports: {quiet: {host: h1, dhcp: true}}}
"""
DOCUMENTS = """
{kind: vpc, name: auto, cidrs: [10.40.0.0/16, "fd00:40::/48"]}
---
{kind: subnet, name: auto, vpc: auto, cidrs: [10.40.0.0/24, "fd00:40::/64"], dhcp_lease: 3600}
---
{kind: subnet, name: other, vpc: auto, cidrs: [10.40.1.0/24, "fd00:40:0:1::/64"]}
---
{kind: port, name: busy, subnet: auto, addresses: [10.40.0.11, "fd00:40::11"]}
---
{kind: port, name: isc, subnet: auto, addresses: [10.40.0.12, "fd00:40::12"], hostname: isc-dhclient}
---
{kind: port, name: roy, subnet: auto, addresses: [10.40.0.13, "fd00:40::13"]}
---
{kind: port, name: raw, subnet: auto, addresses: [10.40.0.14, "fd00:40::14"]}
---
{kind: port, name: plain, subnet: other, addresses: [10.40.1.20, "fd00:40:0:1::20"]}
---
{kind: vpc, name: second, cidrs: [10.41.0.0/16, 10.42.0.0/16, "fd00:41::/48"]}
---
{kind: subnet, name: second, vpc: second, cidrs: [10.41.0.0/24, "fd00:41::/64"]}
---
{kind: port, name: both, subnet: auto, addresses: [10.40.0.15, "fd00:40::15"], instance: both, default: true}
---
{kind: port, name: both2, subnet: second, addresses: [10.41.0.15, "fd00:41::15"], instance: both}
---
{kind: subnet, name: quiet, vpc: second, cidrs: [10.41.1.0/24, "fd00:41:0:1::/64"], dhcp: false}
---
{kind: port, name: quiet, subnet: quiet, addresses: [10.41.1.2]}
"""
MTU = 1450
numbers = itertools.count(77)  # of messages of our own
# What a client's script was told. It can be read when the real script has done its work.
SPY = """#!/bin/sh
/etc/udhcpc/default.script "$@"
status=$?
env >/tmp/telling
mv /tmp/telling "/tmp/told.$1"
exit $status
"""
SOON = "supersede dhcp-renewal-time 2;\nsupersede dhcp-rebinding-time 30;\n"


@pytest.fixture(autouse=True)
def machine_stays_as_it_is():
    """The clients' scripts run, and nothing of ours changes by it."""
    def state():
        return [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else path.exists()
                for path in map(pathlib.Path, ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/proc/sys/kernel/hostname"))]

    before = state()
    yield
    assert state() == before


@contextlib.contextmanager
def waking(lab, name, *ifnames):
    """The instance's userland with interfaces as a machine finds them when it starts: down, nothing configured, another MTU."""
    node = lab.instance(name)
    with Userland(node) as userland:
        for ifname in ifnames or ("eth0",):
            node.ip("address", "flush", "dev", ifname)
            node.ip("link", "set", ifname, "down", "mtu", "1400")
            node.ip("link", "set", ifname, "up")
        yield node, userland


def messages(frames):
    """Those of DHCP for IPv4."""
    return [frame for frame in (Ether(frame) for frame in frames if b"\x63\x82\x53\x63" in frame) if UDP in frame and DHCP in frame]


def leases(frames, kind):
    """Answers of this kind (2: offer, 5: acknowledgement, 6: refusal) among the frames."""
    return [frame for frame in messages(frames) if frame[UDP].sport == 67 and ("message-type", kind) in frame[DHCP].options]


def renewed(frames, address):
    """Whether this address was asked for by who had it, of the server alone, and an answer came."""
    asked = None
    for frame in messages(frames):
        if frame[UDP].sport == 68 and frame[BOOTP].ciaddr == address and frame[IP].dst != "255.255.255.255":
            asked = frame[BOOTP].xid
        elif frame[UDP].sport == 67 and frame[BOOTP].xid == asked and ("message-type", 5) in frame[DHCP].options:
            return True
    return False


def renewed6(frames):
    frames = list(map(Ether, frames))
    asked = {frame[DHCP6_Renew].trid for frame in frames if DHCP6_Renew in frame}
    return any(DHCP6_Reply in frame and frame[DHCP6_Reply].trid in asked for frame in frames)


def option(frame, name):
    return next((item[1] if len(item) == 2 else list(item[1:]) for item in frame[DHCP].options if item[0] == name), None)


def has_ipv4(node, address):
    assert f"inet {address}/24" in node.ip("-4", "-o", "address", "show", "dev", "eth0")
    assert node.ip("-4", "route", "show", "default").startswith("default via 10.40.0.1 dev eth0")
    assert f"mtu {MTU}" in node.ip("link", "show", "eth0")
    assert node.ping("10.40.1.20", count=2).ttls == [63] * 2
    assert node.ping("10.40.0.1").received == 1


def has_ipv6(node, address):
    wait_until(lambda: f"inet6 {address}/" in node.ip("-6", "-o", "address", "show", "dev", "eth0"), f"{node.title} has {address}", seconds=60)
    wait_until(lambda: "default via fe80::76:69ff:fe61:6401 dev eth0" in node.ip("-6", "route", "show", "default"),
               f"{node.title} has a default route of IPv6")
    wait_until(lambda: node.ping("fd00:40:0:1::20").received, f"{node.title} pings by IPv6")


def served(lab, host, counter):
    """How often a router on this host has done so."""
    return sum(router.get("dhcp", {}).get(counter, 0) for router in lab.host(host).live("status")["routers"])


# ---- real clients ----
def test_busybox_udhcpc(lab):
    """R-SVC-1: lease, route, MTU, DNS, host name, domain; it renews when told to. Its IPv6 route comes by advertisement."""
    with waking(lab, "busy") as (node, userland):
        userland.write("/tmp/spy", SPY)
        userland.run("chmod", "+x", "/tmp/spy")
        client = userland.launch("busybox", "udhcpc", "-f", "-i", "eth0", "-s", "/tmp/spy", "-O", "mtu", "-O", "hostname", "-O", "staticroutes")
        wait_until(lambda: "ip=10.40.0.11" in userland.read("/tmp/told.bound"), "udhcpc is bound")
        told = dict(line.partition("=")[::2] for line in userland.read("/tmp/told.bound").splitlines())
        assert (told["subnet"], told["router"], told["dns"], told["mtu"]) == ("255.255.255.0", "10.40.0.1", "10.40.0.1", str(MTU))
        assert (told["hostname"], told["domain"], told["lease"]) == ("busy", "auto.internal", "3600")
        assert told["serverid"] == lab.host("h1").resource("subnets", "auto")["assigned"]["dhcp_address"]
        has_ipv4(node, "10.40.0.11")
        assert userland.read("/etc/resolv.conf").split() == ["domain", "auto.internal", "nameserver", "10.40.0.1"]
        client.send_signal(10)  # SIGUSR1: renew
        wait_until(lambda: "ip=10.40.0.11" in userland.read("/tmp/told.renew"), "udhcpc has renewed")
        has_ipv4(node, "10.40.0.11")
        wait_until(lambda: "default via fe80::76:69ff:fe61:6401" in node.ip("-6", "route"), "the kernel has heard an advertisement")


def test_isc_dhclient(lab):
    """R-SVC-1: both families, and a renewal of each."""
    with waking(lab, "isc") as (node, userland):
        userland.write("/tmp/dhclient.conf", userland.read("/etc/dhcp/dhclient.conf") + SOON)
        with node.capture("eth0") as frames:
            userland.launch("dhclient", "-4", "-d", "-cf", "/tmp/dhclient.conf", "-lf", "/tmp/4.leases", "-pf", "/tmp/4.pid", "eth0")
            # It writes the lease down when its script has ended.
            wait_until(lambda: "option dhcp-lease-time 3600;" in userland.read("/tmp/4.leases"), "dhclient has written its lease")
            has_ipv4(node, "10.40.0.12")
            # Written anew by each renewal, and empty for a moment.
            for words in ("nameserver 10.40.0.1\n", "auto.internal"):
                wait_until(lambda: words in userland.read("/etc/resolv.conf"), f"resolv.conf says {words}")
            assert userland.hostname() == "isc-dhclient"
            wait_until(lambda: renewed(frames.now(), "10.40.0.12"), "the renewal is sent to the server alone, and answered")
        wait_until(lambda: "fe80" in node.ip("-6", "address", "show", "dev", "eth0"), "it has a link-local address")
        userland.launch("dhclient", "-6", "-d", "-lf", "/tmp/6.leases", "-pf", "/tmp/6.pid", "eth0")
        has_ipv6(node, "fd00:40::12")
        wait_until(lambda: "dhcp6.name-servers fd00:40::1" in userland.read("/tmp/6.leases"), "dhclient has written its lease of IPv6")


@pytest.mark.slow
def test_isc_dhclient_renews_its_ipv6_lease(lab):
    """R-SVC-1: by its own clock, after half of the shortest lease, from the server that gave it; it keeps its address."""
    subnet = '{kind: subnet, name: auto, vpc: auto, cidrs: [10.40.0.0/24, "fd00:40::/64"], dhcp_lease: %u}'
    host = lab.host("h1")
    host.apply(subnet % 60)
    try:
        with waking(lab, "isc") as (node, userland):
            wait_until(lambda: "fe80" in node.ip("-6", "address", "show", "dev", "eth0"), "it has a link-local address")
            with node.capture("eth0") as frames:
                userland.launch("dhclient", "-6", "-d", "-lf", "/tmp/6.leases", "-pf", "/tmp/6.pid", "eth0")
                has_ipv6(node, "fd00:40::12")
                wait_until(lambda: userland.read("/tmp/6.leases").count("lease6 {") > 1, "it has renewed", seconds=58)
            assert renewed6(frames)
            assert "fd00:40::12/" in node.ip("-6", "-o", "address", "show", "dev", "eth0")
    finally:
        host.apply(subnet % 3600)


def test_dhcpcd(lab):
    """R-SVC-1: one client for both families."""
    with waking(lab, "roy") as (node, userland):
        client = userland.launch("dhcpcd", "-B", "-d", "eth0")
        wait_until(lambda: "inet 10.40.0.13/24" in node.ip("-o", "address"), "dhcpcd has its address", seconds=60)
        has_ipv6(node, "fd00:40::13")
        # dhcpcd gives the MTU to its routes and, unless told to, not to the interface.
        wait_until(lambda: node.ip("-4", "route", "show", "default").startswith("default via 10.40.0.1 dev eth0"), "dhcpcd has set the route")
        wait_until(lambda: "nameserver 10.40.0.1" in userland.read("/etc/resolv.conf"), "dhcpcd has written resolv.conf")
        assert node.ping("10.40.1.20", count=2).received == 2
        wait_until(lambda: userland.hostname() == "roy.auto.internal", "dhcpcd has set the host name")
        with node.capture("eth0") as frames:
            userland.run("dhcpcd", "-N", "eth0")
            wait_until(lambda: leases(frames.now(), 5), "it has renewed its IPv4 address")
            wait_until(lambda: renewed6(frames.now()), "and its IPv6 address")
        assert client.poll() is None
        wait_until(lambda: served(lab, "h1", "dhcp6_renew"), "viaduct status counts it")


def test_second_port_takes_no_default_route_but_its_vpcs_blocks(lab):
    """R-SVC-1, R-NET-9: classless routes (RFC 3442) and route information (RFC 4191)."""
    with waking(lab, "both", "eth0", "eth1") as (node, userland):
        for ifname in ("eth1", "eth0"):
            userland.run("dhclient", "-4", "-1", "-lf", f"/tmp/{ifname}.leases", "-pf", f"/tmp/{ifname}.pid", ifname)
        assert [line.split()[:5] for line in node.ip("-4", "route", "show", "default").splitlines()] == [["default", "via", "10.40.0.1", "dev", "eth0"]]
        for block in ("10.41.0.0/16", "10.42.0.0/16"):
            assert f"{block} via 10.41.0.1 dev eth1" in node.ip("-4", "route")
        wait_until(lambda: "default via fe80::76:69ff:fe61:6401 dev eth0" in node.ip("-6", "route", "show", "default"), "the default route")
        assert "eth1" not in node.ip("-6", "route", "show", "default")
        assert "option routers" not in userland.read("/tmp/eth1.leases")


# ---- on and off ----
def test_dhcp_that_is_off_answers_nothing_and_has_no_address(lab):
    """R-SVC-2: and says so: dropped, counted, named."""
    host, node = lab.host("h1"), lab.instance("quiet")
    assert "dhcp_address" not in host.resource("subnets", "quiet")["assigned"]
    before = host.dropped("dhcp_off")
    with node.capture("eth0") as frames:
        result = node.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", 2, "-T", 1, "-A", 1, "-s", "/bin/true", check=False)
        time.sleep(0.5)
    assert result.returncode == 1
    assert not leases(frames, 2) and not any(frame[54:55] == b"\x86" for frame in frames if frame[12:14] == b"\x86\xdd")
    assert host.dropped("dhcp_off") >= before + 2
    assert host.recent_drops("dhcp_off")[-1]["port"] == "quiet"


def test_dhcp_address_is_given_or_allocated_and_fixed_then(lab):
    """R-SVC-2"""
    host = lab.host("h1")

    def refused(text, *words):
        result = host.viaduct("apply", "-f", "-", input=text, check=False)
        assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1
        assert all(word in result.stderr for word in words), result.stderr

    subnet = "{kind: subnet, name: third, vpc: auto, cidrs: [10.40.3.0/24], %s}"
    host.apply(subnet % "ranges: [10.40.3.100-10.40.3.199], dhcp_address: 10.40.3.5")
    assert host.resource("subnets", "third")["assigned"]["dhcp_address"] == "10.40.3.5"
    refused(subnet % "dhcp_address: 10.40.3.6", "third", "10.40.3.5")
    host.apply(subnet % "ranges: [10.40.3.100-10.40.3.199, 10.40.3.5-10.40.3.50], dhcp_address: 10.40.3.5")
    assert host.resource("subnets", "third")["assigned"]["dhcp_address"] == "10.40.3.5"
    refused("{kind: port, name: thief, subnet: third, addresses: [10.40.3.5]}", "thief", "10.40.3.5")
    fourth = "{kind: subnet, name: fourth, vpc: auto, cidrs: [10.40.4.0/24], %s}"
    refused(fourth % "dhcp: false, dhcp_address: 10.40.4.5", "fourth", "10.40.4.5")
    refused(fourth % "dhcp_address: 10.40.4.1", "fourth", "10.40.4.1")
    refused(fourth % "dhcp_address: 10.40.5.9", "fourth", "10.40.5.9")
    host.apply(fourth % "ranges: [10.40.4.10-10.40.4.19]")
    allocated = host.resource("subnets", "fourth")["assigned"]["dhcp_address"]
    assert allocated in [f"10.40.4.{i}" for i in range(10, 20)]
    host.apply(fourth % "ranges: [10.40.4.10-10.40.4.19, 10.40.4.100-10.40.4.199]")
    assert host.resource("subnets", "fourth")["assigned"]["dhcp_address"] == allocated


# ---- the protocol's corners, by hand ----
def mac_of(node):
    return node.ip("-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]


def asked(node, options, ciaddr="0.0.0.0"):
    """What comes back to this message, until the server answers one that was sent behind it: it takes them in order."""
    mac = mac_of(node)
    xid, behind = next(numbers), next(numbers)

    def message(number, options, ciaddr="0.0.0.0"):
        return raw(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
                   / BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=number, ciaddr=ciaddr) / DHCP(options=[*options, "end"]))

    def answers(number):
        return [frame for frame in messages(frames.now()) if frame[UDP].sport == 67 and frame[BOOTP].xid == number]

    with node.capture("eth0") as frames:
        node.send("eth0", message(xid, options, ciaddr), message(behind, [("message-type", "discover")]))
        wait_until(lambda: answers(behind) or node.send("eth0", message(behind, [("message-type", "discover")])), "the server answers")
        return answers(xid)


def test_what_clients_rarely_do(lab):
    """R-SVC-1: another server's offer taken, an address that is not ours asked for, inform, decline, release."""
    node = lab.instance("raw")
    server = lab.host("h1").resource("subnets", "auto")["assigned"]["dhcp_address"]
    offer, = wait_until(lambda: asked(node, [("message-type", "discover")]), "an offer")
    assert offer[BOOTP].yiaddr == "10.40.0.14" and option(offer, "server_id") == server and offer[IP].src == server
    assert asked(node, [("message-type", "request"), ("server_id", "10.40.0.99"), ("requested_addr", "10.40.0.14")]) == []
    refused, = asked(node, [("message-type", "request"), ("requested_addr", "10.40.0.77")])
    assert option(refused, "message-type") == 6
    taken, = asked(node, [("message-type", "request"), ("server_id", server), ("requested_addr", "10.40.0.14")])
    assert option(taken, "message-type") == 5 and option(taken, "lease_time") == 3600
    informed, = asked(node, [("message-type", "inform")], ciaddr="10.40.0.14")
    assert option(informed, "message-type") == 5 and informed[BOOTP].yiaddr == "0.0.0.0" and option(informed, "lease_time") is None
    assert asked(node, [("message-type", "decline"), ("server_id", server), ("requested_addr", "10.40.0.14")]) == []
    assert asked(node, [("message-type", "release"), ("server_id", server)], ciaddr="10.40.0.14") == []
    again, = asked(node, [("message-type", "discover")])
    assert again[BOOTP].yiaddr == "10.40.0.14"


@pytest.mark.parametrize("reason", ["rogue_dhcp", "rogue_dhcp6", "rogue_router"])
def test_servers_that_are_none_are_dropped_counted_and_named(lab, reason):
    """R-SVC-1: an instance that plays DHCP server or router to its neighbour."""
    rogue, victim, host = lab.instance("raw"), lab.instance("busy"), lab.host("h1")
    own, target = mac_of(rogue), mac_of(victim)
    link_local = re.search(r"inet6 (fe80::\S+)/", rogue.ip("-o", "address", "show", "dev", "eth0"))[1]
    frames = {
        "rogue_dhcp": IP(src="10.40.0.14", dst="10.40.0.11") / UDP(sport=67, dport=68) / BOOTP(op=2) / DHCP(options=[("message-type", "offer"), "end"]),
        "rogue_dhcp6": IPv6(src="fd00:40::14", dst="fd00:40::11") / UDP(sport=547, dport=546) / DHCP6_Reply(),
        "rogue_router": IPv6(src=link_local, dst="ff02::1", hlim=255) / ICMPv6ND_RA() / ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64),
    }
    reason, frame = ("rogue_dhcp" if reason == "rogue_dhcp6" else reason), frames[reason]
    before = host.dropped(reason)
    with victim.capture("eth0") as seen:
        for destination in (target, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"):
            rogue.send("eth0", raw(Ether(src=own, dst=destination) / frame))
        wait_until(lambda: host.dropped(reason) >= before + 3, f"three are dropped as {reason}")
    assert not [one for one in seen if one[6:12] == bytes.fromhex(own.replace(":", ""))]
    assert host.dropped(reason) == before + 3
    assert host.recent_drops(reason)[-1]["port"] == "raw"
    assert reason in host.viaduct("drops").stdout


def test_arp_for_anothers_address_is_dropped_counted_and_named(lab):
    """R-RTR-11: an instance that claims its neighbour's address, or the gateway's."""
    rogue, victim, host = lab.instance("raw"), lab.instance("busy"), lab.host("h1")
    own, target = mac_of(rogue), mac_of(victim)
    before = host.dropped("neighbour_spoofed")
    with victim.capture("eth0") as seen:
        for claimed in ("10.40.0.12", "10.40.0.1"):
            rogue.send("eth0", raw(Ether(src=own, dst=target) / ARP(op=2, hwsrc=own, psrc=claimed, hwdst=target, pdst="10.40.0.11")))
        wait_until(lambda: host.dropped("neighbour_spoofed") >= before + 2, "both are dropped")
    assert not [one for one in seen if one[6:12] == bytes.fromhex(own.replace(":", ""))]
    assert host.dropped("neighbour_spoofed") == before + 2
    assert host.recent_drops("neighbour_spoofed")[-1]["port"] == "raw"


# ---- without the daemon ----
def test_a_dead_daemon_leaves_dhcp_alive(lab):
    """R-SVC-1: answered from what the router's process knows; the daemon that comes back finds it."""
    host = lab.host("h1")
    host.kill9()
    try:
        with waking(lab, "busy") as (node, userland):
            userland.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-s", "/etc/udhcpc/default.script")
            assert "inet 10.40.0.11/24" in node.ip("-o", "address")
    finally:
        host.start()
    with waking(lab, "busy") as (node, userland):
        userland.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-s", "/etc/udhcpc/default.script")
