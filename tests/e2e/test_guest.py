# SPDX-License-Identifier: Apache-2.0
"""A virtual machine: qemu with Debian's cloud kernel and virtio-net on a tap that Viaduct attached; tests/guest/init is what it does."""

import pathlib
import re
import subprocess

import pytest

pytestmark = pytest.mark.slow  # a machine without KVM boots in ten seconds
ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = """
name: guest
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  near: {ports: {near: h1}}
  far: {ports: {far: h2}}
"""
MAC = "02:00:5e:00:54:01"
DOCUMENTS = f"""
{{kind: vpc, name: farm, cidrs: [10.80.0.0/16, "fd00:80::/48"]}}
---
{{kind: subnet, name: machines, vpc: farm, cidrs: [10.80.1.0/24, "fd00:80:0:1::/64"]}}
---
{{kind: subnet, name: others, vpc: farm, cidrs: [10.80.2.0/24]}}
---
{{kind: security_group, name: machines}}
---
{{kind: security_group_rule, group: machines, direction: egress, protocol: icmp}}
---
{{kind: port, name: vm, subnet: machines, addresses: [10.80.1.9, "fd00:80:0:1::9"], mac: "{MAC}", hostname: virtual, security_groups: [machines]}}
---
{{kind: port, name: near, subnet: others, addresses: [10.80.2.3]}}
---
{{kind: port, name: far, subnet: others, addresses: [10.80.2.4]}}
"""
PINGS = ["10.80.1.1", "10.80.2.3", "10.80.2.4"]


@pytest.fixture(scope="module")
def said(lab, tmp_path_factory):
    """What the guest said of each thing, by its words."""
    folder = tmp_path_factory.mktemp("guest")
    subprocess.run([ROOT / "tests" / "guest" / "build", folder], check=True, timeout=600)
    host = lab.host("h1")
    host.viaduct("attach", "vm", "--tap", "guest0")
    console = host.run("timeout", 300, "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", 256, "-nographic", "-no-reboot",
                       "-kernel", folder / "vmlinuz", "-initrd", folder / "initramfs",
                       "-append", f"console=ttyS0 panic=-1 quiet loglevel=3 ping={','.join(PINGS)} name=near.farm.internal",
                       "-netdev", "tap,id=net0,ifname=guest0,script=no,downscript=no", "-device", f"virtio-net-pci,netdev=net0,mac={MAC}",
                       check=False, timeout=330).stdout.replace("\r", "")
    assert "GUEST end" in console, console[-3000:]
    return dict(re.findall(r"^GUEST ([^:]+): ?(.*)$", console, re.M))


def test_guest_configures_itself_by_dhcp(said):
    """R-SVC-1: address, route, MTU and host name, on virtio-net."""
    assert said["mac"] == MAC
    assert said["address"] == "10.80.1.9/24"
    assert said["route"].split()[:5] == ["default", "via", "10.80.1.1", "dev", "eth0"]
    assert (said["mtu"], said["hostname"]) == ("1450", "virtual")


@pytest.mark.parametrize("target", PINGS, ids=["gateway", "one host", "across hosts"])
def test_guest_pings(said, target):
    """R-RTR-2, R-SG-3: what its group lets out."""
    assert said[f"ping {target}"] == "3"


def test_guest_asks_the_name_server_and_reads_its_metadata(said):
    """R-SVC-3, R-SVC-4, R-SVC-5: under a group that lets ICMP out and nothing else."""
    assert said["name near.farm.internal"] == "10.80.2.3"
    assert said["metadata"] == "virtual"


def test_guest_hears_the_router(said):
    """R-SVC-1: its default route of IPv6."""
    assert said["IPv6 route"].startswith("default via fe80::76:69ff:fe61:6401 dev eth0")
