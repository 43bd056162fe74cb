# SPDX-License-Identifier: Apache-2.0
"""Seed 004, 4.2: three routers, VLANs 2850, 2860 and 2870; web and app servers have two ports, the first is the default."""

import pytest

from outside import address_of, seen_by_tcp

LAB = """
name: tiers
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24], uplinks: {em01: em01}}
instances:
  web: {ports: {web_web: h1, web_app: h1}}
  app: {ports: {app_app: h2, app_db: h2}}
  database: {ports: {database: h1}}
outside:
  isp:
    segment: em01
    addresses: [10.0.0.1/8]
    behind: {addresses: [198.51.100.1/24], hosts: {baidu: [198.51.100.10/24]}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [10.108.12.0-10.108.13.255], netmask: 255.0.0.0, gateway: 10.0.0.1}
---
""" + "---".join(f"""
{{kind: vpc, name: {name}, cidrs: [192.168.{number}.0/24], networks: [public]}}
---
{{kind: subnet, name: {name}, vpc: {name}, physnet: em01, vlan: {vlan}, cidrs: [192.168.{number}.0/24]}}
""" for name, number, vlan in (("web", 10, 2850), ("app", 11, 2860), ("db", 12, 2870))) + """
---
{kind: port, name: web_web, subnet: web, addresses: [192.168.10.11], instance: web, default: true}
---
{kind: port, name: web_app, subnet: app, addresses: [192.168.11.11], instance: web}
---
{kind: port, name: app_app, subnet: app, addresses: [192.168.11.208], instance: app, default: true}
---
{kind: port, name: app_db, subnet: db, addresses: [192.168.12.208], instance: app}
---
{kind: port, name: database, subnet: db, addresses: [192.168.12.222]}
"""
BAIDU = "198.51.100.10"
WEB, WEB_ON_APP, APP, APP_ON_DB, DATABASE = "192.168.10.11", "192.168.11.11", "192.168.11.208", "192.168.12.208", "192.168.12.222"


@pytest.fixture(scope="module")
def tiers(lab, reach):
    nodes = [lab.instance(name) for name in ("web", "app", "database")]
    for node in nodes:
        reach(node, BAIDU)
    reach(nodes[0], APP)
    reach(nodes[1], DATABASE)
    return nodes


def test_each_reaches_outside_by_the_router_of_its_default_port(lab, tiers):
    """R-SCN-5, R-SNAT-1"""
    for node, vpc in zip(tiers, ("web", "app", "db")):
        assert node.ping(BAIDU, count=3).ttls == [62] * 3
        assert seen_by_tcp(node, lab.outside("baidu"), BAIDU, 443) == address_of(lab.host("h1"), "virtual_ips", f"{vpc}.public")


def test_web_reaches_app_and_not_the_database(tiers):
    """R-SCN-5"""
    assert tiers[0].ping(APP, count=3).ttls == [64] * 3
    assert tiers[0].ping(DATABASE, count=2, timeout=0.3).received == 0
    assert tiers[0].ping(APP_ON_DB, count=2, timeout=0.3).received == 0


def test_app_reaches_both(tiers):
    """R-SCN-5"""
    assert tiers[1].ping(WEB_ON_APP, count=3).ttls == [64] * 3
    assert tiers[1].ping(DATABASE, count=3).ttls == [64] * 3


def test_database_reaches_app_and_not_web(tiers):
    """R-SCN-5"""
    assert tiers[2].ping(APP_ON_DB, count=3).ttls == [64] * 3
    for address in (WEB, WEB_ON_APP):
        assert tiers[2].ping(address, count=2, timeout=0.3).received == 0
