# SPDX-License-Identifier: Apache-2.0
"""What cloud-init reads at http://169.254.169.254/: each instance about itself (R-SVC-5)."""

import pytest
import yaml

from lab.world import wait_until
from policy import Groups, rule

LAB = """
name: metadata
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  one: {ports: {one: h1}}
  other: {ports: {other: h2}}
  twin: {ports: {twin: h1}}
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@example"
USER_DATA = "#cloud-config\nruncmd:\n  - [touch, \"/run/Grüße\"]\n"
ONE = {"kind": "port", "name": "one", "subnet": "cloud", "addresses": ["10.60.0.11", "fd00:60::11"], "hostname": "first-host",
       "user_data": USER_DATA, "ssh_keys": [KEY]}
DOCUMENTS = yaml.safe_dump_all([
    {"kind": "vpc", "name": "cloud", "cidrs": ["10.60.0.0/16", "fd00:60::/48"]},
    {"kind": "subnet", "name": "cloud", "vpc": "cloud", "cidrs": ["10.60.0.0/24", "fd00:60::/64"]},
    ONE,
    {"kind": "port", "name": "other", "subnet": "cloud", "addresses": ["10.60.0.12"]},
    {"kind": "vpc", "name": "twin", "cidrs": ["10.60.0.0/16"]},
    {"kind": "subnet", "name": "twin", "vpc": "twin", "cidrs": ["10.60.0.0/24"], "dhcp": False},
    {"kind": "port", "name": "twin", "subnet": "twin", "addresses": ["10.60.0.11"]},
], allow_unicode=True)


def get(node, path, check=True):
    return node.run("curl", "-sS", "--max-time", 20, *(["-f"] if check else []), f"http://169.254.169.254{path}", check=check).stdout


@pytest.fixture(scope="module")
def instances(lab):
    nodes = [lab.instance(name) for name in ("one", "other", "twin")]
    for node in nodes:
        wait_until(lambda: get(node, "/meta-data", check=False).startswith("instance-id"), f"{node.title} is answered", seconds=60)
    return nodes


def test_each_reads_about_itself(lab, instances):
    """R-SVC-5: name, addresses, keys, as NoCloud has them; equal addresses in two VPCs are two instances."""
    one, other, twin = (yaml.safe_load(get(node, "/meta-data")) for node in instances)
    assert (one["local-hostname"], other["local-hostname"], twin["local-hostname"]) == ("first-host", "other", "twin")
    assert (one["local-ipv4"], other["local-ipv4"], twin["local-ipv4"]) == ("10.60.0.11", "10.60.0.12", "10.60.0.11")
    assert one["ipv6"] == "fd00:60::11" and "ipv6" not in twin
    assert one["public-keys"] == [KEY] and "public-keys" not in other
    assert one["mac"] == lab.host("h1").resource("ports", "one")["assigned"]["mac"]
    assert len({one["instance-id"], other["instance-id"], twin["instance-id"]}) == 3


def test_user_data_comes_byte_by_byte(instances):
    """R-SVC-5"""
    one, other, _ = instances
    assert get(one, "/user-data") == get(one, "/latest/user-data") == USER_DATA
    assert get(other, "/user-data") == "" and get(one, "/vendor-data") == ""


def test_network_config_says_dhcp_or_the_addresses(instances):
    """R-SVC-5"""
    one, _, twin = (yaml.safe_load(get(node, "/network-config")) for node in instances)
    assert one["version"] == 2
    interface, = one["ethernets"].values()
    assert interface["dhcp4"] is True and interface["dhcp6"] is True
    interface, = twin["ethernets"].values()
    assert interface["addresses"] == ["10.60.0.11/24"] and interface["routes"] == [{"to": "0.0.0.0/0", "via": "10.60.0.1"}]


def test_ec2s_paths_and_one_that_is_none(instances):
    """R-SVC-5: for images that look there."""
    one = instances[0]
    assert get(one, "/latest/meta-data/local-ipv4") == "10.60.0.11"
    assert "public-keys/" in get(one, "/latest/meta-data/")
    assert get(one, "/latest/meta-data/public-keys/0/openssh-key").strip() == KEY
    shown = one.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", 20, "http://169.254.169.254/nothing").stdout
    assert shown == "404"


def test_changes_are_read_at_once_and_no_rule_is_needed(lab, instances):
    """R-SVC-5: also by an instance whose security group closes everything."""
    groups = Groups(lab.host("h1"), {"one": ONE})
    groups.make("shut", rule("", "egress", "tcp", port=1))
    try:
        groups.apply({**ONE, "user_data": "changed", "security_groups": ["shut"]})
        wait_until(lambda: get(instances[0], "/user-data", check=False) == "changed", "the change is read")
        assert instances[0].ping("10.60.0.12", timeout=0.3).received == 0
    finally:
        groups.clear()
