# SPDX-License-Identifier: Apache-2.0
"""One host whose store is its daemon's own: while the daemon is dead nobody else can be the gateway, so it stays one, whatever the lease."""

import time

from lab.world import wait_until
from outside import address_of, converse, seen_by_tcp, seen_by_udp, tcp

LAB = """
name: own
segments: {underlay: {}, ext: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {ext0: {segment: ext}}}
instances:
  one: {ports: {one: h1}}
outside:
  isp:
    segment: ext
    addresses: [203.0.113.1/24]
    behind: {addresses: [198.51.100.1/24], hosts: {web: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: ext, cidrs: [203.0.113.0/24]}
---
{kind: vpc, name: blue, cidrs: [10.1.0.0/16], networks: [public]}
---
{kind: subnet, name: front, vpc: blue, cidrs: [10.1.1.0/24]}
---
{kind: port, name: one, subnet: front, addresses: [10.1.1.2]}
"""
WEB = "198.51.100.10"
LEASE = 10  # seconds: LEASE_SECONDS of src/agent/reporter.c
LONGER = LEASE + 5


def test_new_connections_leave_while_the_daemon_is_dead_for_longer_than_its_lease(lab, reach):
    """R-OPS-5, R-SNAT-1: kill -9, no daemon, and no deadline either; then it is started and nothing notices."""
    host, one, web = lab.host("h1"), lab.instance("one"), lab.outside("web")
    reach(one, WEB)
    vip = address_of(host, "virtual_ips", "blue.public")
    refused = host.dropped("gateway_deadline")
    with tcp(one, web, WEB, 8000) as (near, far, peer):
        converse(near, far)
        host.kill9()
        died = time.monotonic()
        number = 0
        while time.monotonic() - died < LONGER:
            number += 1
            assert seen_by_tcp(one, web, WEB, 9000 + number) == vip, f"{time.monotonic() - died:.1f} s after the kill"
            time.sleep(0.3)
        assert seen_by_udp(one, web, WEB, 8001)[0] == vip
        converse(near, far)
        host.start()
        wait_until(lambda: host.live("status")["gateways"], "it is the gateway still")
        converse(near, far)
        assert peer[0] == vip == address_of(host, "virtual_ips", "blue.public")
    assert seen_by_tcp(one, web, WEB, 8002) == vip
    assert host.dropped("gateway_deadline") == refused
