# SPDX-License-Identifier: Apache-2.0
"""An instance that scans the provider network asks for thousands of neighbours; nobody else's next hops suffer from that."""

import socket
import threading
import time

import pytest

from lab.world import wait_until
from outside import converse, tcp
from traffic import Flood

# 4,094 addresses on the link and more behind it; hardly any of them is there.
LAB = """
name: scan
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
instances:
  scanner: {ports: {scanner: h1}}
  victim: {ports: {victim: h1}}
outside:
  isp:
    segment: em01
    addresses: [198.18.0.1/16]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
  late: {segment: em01, addresses: [198.18.250.7/16]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [198.18.0.0/16]}
---
{kind: vpc, name: bad, cidrs: [192.168.0.0/16], networks: [public]}
---
{kind: subnet, name: bad, vpc: bad, cidrs: [192.168.0.0/24]}
---
{kind: port, name: scanner, subnet: bad}
---
{kind: vpc, name: good, cidrs: [192.168.0.0/16], networks: [public]}
---
{kind: subnet, name: good, vpc: good, cidrs: [192.168.0.0/24]}
---
{kind: port, name: victim, subnet: good}
"""
WEB, LATE, SCANNED = "198.51.100.10", "198.18.250.7", 5000


def scan(node, seconds):
    """A datagram to each of 5,000 addresses of the provider network, as fast as it goes, again and again."""
    until = time.monotonic() + seconds
    with node.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        while time.monotonic() < until:
            for number in range(SCANNED):
                one.sendto(b"?", (f"198.18.{100 + number // 250}.{1 + number % 250}", 7))
            time.sleep(0.2)


@pytest.fixture(scope="module")
def victim(lab, reach):
    for name in ("scanner", "victim"):
        reach(lab.instance(name), WEB)
    return lab.instance("victim")


def test_a_scan_harms_nobody_elses_next_hop(lab, victim):
    """R-NET-5, R-RTR-4: what another VPC talks to stays known and loses no packet, also when its MAC has to be asked for again; whom it
    talks to first meanwhile is found at once; the scanner is held back by name; the table is not full of nobody."""
    host, scanner = lab.host("h1"), lab.instance("scanner")
    before = host.dropped("next_hop_limit")
    flood = Flood(victim, WEB, 0.005)
    thread = threading.Thread(target=scan, args=[scanner, 4])
    thread.start()
    started = time.monotonic()
    try:
        time.sleep(0.3)
        assert victim.ping(LATE, timeout=3).received == 1, "somebody new on the link is found during the scan"
        print(f"found after {time.monotonic() - started - 0.3:.2f} s")
        with tcp(victim, lab.outside("web"), WEB, 8000) as (one, other, _):
            while thread.is_alive():
                converse(one, other)
                time.sleep(0.01)
    finally:
        thread.join()
        sent, received = flood.stop()
    assert sent > 50 and received == sent
    wait_until(lambda: host.dropped("next_hop_limit") > before, "the scanner is held back, by name")
    found = {entry["address"]: entry for entry in host.live("neighbours")["neighbours"]}
    assert all(found[address]["state"] == "known" for address in ("198.18.0.1", LATE))
    assert len(found) < SCANNED
    assert scanner.ping(WEB, timeout=2).received == 1, "what it has a right to is not taken from the scanner either"
