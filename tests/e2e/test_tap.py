# SPDX-License-Identifier: Apache-2.0
"""A virtual machine's tap: this file plays the machine, frame by frame."""

import fcntl
import os
import select
import struct
import time

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

LAB = """
name: tap
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  near: {ports: {near: h1}}
  far: {ports: {far: h2}}
"""
MAC = "02:00:5e:00:53:01"
DOCUMENTS = f"""
{{kind: vpc, name: machines, cidrs: [10.1.0.0/16, "fd00:1::/48"]}}
---
{{kind: subnet, name: machines, vpc: machines, cidrs: [10.1.1.0/24, "fd00:1:0:1::/64"]}}
---
{{kind: subnet, name: others, vpc: machines, cidrs: [10.1.2.0/24, "fd00:1:0:2::/64"]}}
---
{{kind: port, name: vm, subnet: machines, addresses: [10.1.1.9, "fd00:1:0:1::9"], mac: "{MAC}"}}
---
{{kind: port, name: near, subnet: others, addresses: [10.1.2.3]}}
---
{{kind: port, name: far, subnet: others, addresses: [10.1.2.4, "fd00:1:0:2::4"]}}
"""
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


class Machine:
    def __init__(self, host, ifname):
        self.fd = host.inside(lambda: os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", ifname.encode(), IFF_TAP | IFF_NO_PI))

    def ask(self, frame, is_answer, seconds=20):
        """Sends until an answer comes: what is attached a moment ago may not be known everywhere."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            os.write(self.fd, bytes(frame))
            while select.select([self.fd], [], [], 0.3)[0]:
                answer = Ether(os.read(self.fd, 65536))
                if is_answer(answer):
                    return answer
        return None


@pytest.fixture(scope="module")
def machine(lab):
    lab.host("h1").viaduct("attach", "vm", "--tap", "vmtap0")
    machine = Machine(lab.host("h1"), "vmtap0")
    yield machine
    os.close(machine.fd)


@pytest.fixture(scope="module")
def gateway_mac(machine):
    answer = machine.ask(Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=MAC, psrc="10.1.1.9", pdst="10.1.1.1"),
                         lambda frame: ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == "10.1.1.1")
    assert answer is not None and answer[Ether].dst == MAC
    return answer[ARP].hwsrc


@pytest.mark.parametrize("target", ["10.1.1.1", "10.1.2.3", "10.1.2.4"], ids=["gateway", "one host", "across hosts"])
def test_machine_on_a_tap_pings(machine, gateway_mac, target):
    """R-RTR-2"""
    answer = machine.ask(Ether(src=MAC, dst=gateway_mac) / IP(src="10.1.1.9", dst=target) / ICMP(id=7, seq=1) / b"machine",
                         lambda frame: ICMP in frame and frame[ICMP].type == 0 and frame[IP].src == target)
    assert answer is not None and answer[Ether].dst == MAC
    assert answer[IP].ttl == (64 if target == "10.1.1.1" else 63)


def test_machine_on_a_tap_finds_its_neighbours_by_ipv6(machine):
    """R-NET-4"""
    multicast = Ether(src=MAC, dst="33:33:ff:00:00:01") / IPv6(src="fd00:1:0:1::9", dst="ff02::1:ff00:1", hlim=255)
    answer = machine.ask(multicast / ICMPv6ND_NS(tgt="fd00:1:0:1::1") / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
                         lambda frame: ICMPv6ND_NA in frame)
    assert answer is not None and answer[ICMPv6ND_NA].tgt == "fd00:1:0:1::1"
    answer = machine.ask(Ether(src=MAC, dst=answer[Ether].src) / IPv6(src="fd00:1:0:1::9", dst="fd00:1:0:2::4") / ICMPv6EchoRequest(id=7),
                         lambda frame: ICMPv6EchoReply in frame)
    assert answer is not None and answer[IPv6].hlim == 63


def test_tap_goes_with_the_port(lab):
    """A tap that Viaduct made is taken away again; one that was there before stays."""
    host = lab.host("h1")
    host.apply("{kind: port, name: brief, subnet: machines}")
    host.viaduct("attach", "brief", "--tap", "vmtap1")
    assert "mtu 1450" in host.ip("link", "show", "vmtap1")
    host.viaduct("detach", "brief")
    assert "vmtap1" not in host.ip("-o", "link", "show")
    host.ip("tuntap", "add", "theirs0", "mode", "tap")
    host.viaduct("attach", "brief", "--tap", "theirs0")
    host.viaduct("detach", "brief")
    assert "theirs0" in host.ip("-o", "link", "show")
