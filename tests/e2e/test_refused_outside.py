# SPDX-License-Identifier: Apache-2.0
"""What is refused of networks, virtual and elastic IPs, port forwards and ways out: one sentence, and nothing changes."""

import pytest

LAB = """
name: refused
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, ranges: [10.108.12.0-10.108.13.255], netmask: 255.0.0.0, gateway: 10.0.0.1}
---
{kind: network, name: second, role: public, physnet: em01, vlan: 3, cidrs: [180.169.211.112/28]}
---
{kind: network, name: flat, role: flat, physnet: em01, vlan: 100, cidrs: [172.20.0.0/24]}
---
{kind: network, name: management, role: management, physnet: em01, vlan: 29, cidrs: [192.168.29.0/24]}
---
{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [public, second]}
---
{kind: subnet, name: private, vpc: demo, cidrs: [192.168.10.0/24]}
---
{kind: subnet, name: other, vpc: demo, physnet: em01, vlan: 2700, cidrs: [192.168.11.0/24]}
---
{kind: vpc, name: foreign, cidrs: [192.168.0.0/16]}
---
{kind: subnet, name: foreign, vpc: foreign, cidrs: [192.168.10.0/24]}
---
{kind: port, name: vm1, subnet: private, addresses: [192.168.10.226]}
---
{kind: port, name: vm2, subnet: private, addresses: [192.168.10.167]}
---
{kind: port, name: vm3, subnet: other, addresses: [192.168.11.5]}
---
{kind: port, name: stranger, subnet: foreign, addresses: [192.168.10.5]}
---
{kind: port, name: kiosk, network: flat, addresses: [172.20.0.9]}
---
{kind: virtual_ip, name: vip1, network: public, address: 10.108.13.216}
---
{kind: virtual_ip, name: vip2, network: public, address: 10.108.13.217}
---
{kind: virtual_ip, name: vip3, network: second}
---
{kind: virtual_ip, name: flatvip, network: flat}
---
{kind: virtual_ip, name: shared, subnet: private, port: vm1}
---
{kind: port_forward, name: web, vip: vip1, protocol: tcp, ports: 22-80, port: vm1}
---
{kind: port_forward, name: remembered, vip: vip1, protocol: tcp, ports: 100, port: vm2}
---
{kind: port_forward, name: system, vip: demo.second, protocol: tcp, ports: 100, port: vm3}
---
{kind: elastic_ip, name: eip1, network: public, address: 10.108.12.198, port: vm1}
"""
NETWORK = "{kind: network, name: bad, role: public, physnet: em01, vlan: 50, %s}"
PF = "{kind: port_forward, name: bad, %s}"
EIP = "{kind: elastic_ip, name: bad, %s}"
ROUTE = "{kind: route, vpc: demo, %s}"

BAD = [
    # (what, document, words that the sentence has)
    ("elastic IP on a system VIP", EIP % "vip: demo.public, port: vm2", ["demo.public"]),
    ("elastic IP on an address that serves forwards", EIP % "vip: vip1, port: vm2", ["vip1"]),
    ("elastic IP on a virtual IP of a subnet", EIP % "vip: shared, port: vm2", ["shared"]),
    ("elastic IP by vip and network", EIP % "vip: vip2, network: public", ["vip"]),
    ("second elastic IP on one virtual IP", EIP % "vip: eip1, port: vm2", ["eip1"]),
    ("elastic IP of a network that the VPC is not attached to", EIP % "network: public, port: stranger", ["foreign", "public"]),
    ("elastic IP to a port and a private virtual IP", EIP % "network: public, port: vm1, private_vip: shared", ["private_vip"]),
    ("elastic IP with an address that another has", EIP % "network: public, address: 10.108.13.217", ["10.108.13.217"]),
    ("elastic IP outside the ranges", EIP % "network: public, address: 10.108.14.1", ["10.108.14.1"]),
    ("elastic IP outside the network", EIP % "network: public, address: 11.0.0.1", ["11.0.0.1"]),
    ("elastic IP on the instance's own network", EIP % "network: flat, port: kiosk", ["flat"]),
    ("overlapping forwards", PF % "vip: vip1, protocol: tcp, ports: 80-90, port: vm1", ["web"]),
    ("overlapping forwards in one apply",
     PF % "vip: vip2, protocol: udp, ports: 1-10" + "\n---\n{kind: port_forward, name: bad2, vip: vip2, protocol: udp, ports: 10}", ["bad"]),
    ("a range mapped to another range", PF % "vip: vip1, protocol: tcp, ports: 122-180, to_ports: 222-280, port: vm1", ["range"]),
    ("a range mapped to one port", PF % "vip: vip1, protocol: tcp, ports: 122-180, to_ports: 22, port: vm1", ["range"]),
    ("port 0", PF % "vip: vip1, protocol: tcp, ports: 0, port: vm1", ["ports"]),
    ("port 65536", PF % "vip: vip1, protocol: tcp, ports: 65536, port: vm1", ["ports"]),
    ("a forward of ICMP", PF % "vip: vip1, protocol: icmp, ports: 22, port: vm1", ["protocol"]),
    ("rebinding to another network", "{kind: port_forward, name: remembered, vip: vip1, protocol: tcp, ports: 100, port: vm3}", ["private"]),
    ("a second address for one instance's forwards", PF % "vip: vip2, protocol: tcp, ports: 2222, port: vm1", ["vm1", "vip1"]),
    ("a forward on a virtual IP with an elastic IP", PF % "vip: eip1, protocol: tcp, ports: 2222, port: vm2", ["eip1"]),
    ("a port forward on a flat network's address", PF % "vip: flatvip, protocol: tcp, ports: 22", ["flat"]),
    ("a port forward to an instance of a flat network", PF % "vip: vip2, protocol: tcp, ports: 22, port: kiosk", ["kiosk"]),
    ("a public destination through an instance", ROUTE % "destination: 198.51.100.0/24, next_hop: {address: 192.168.10.226}", ["0.0.0.0/0"]),
    ("a public destination through a virtual IP", ROUTE % "destination: 198.51.100.0/24, next_hop: {vip: shared}", ["0.0.0.0/0"]),
    ("a next hop on no network of the VPC", ROUTE % "destination: 172.18.0.0/24, next_hop: {public: 203.0.113.9}", ["203.0.113.9"]),
    ("a virtual IP of another VPC as next hop", "{kind: route, vpc: foreign, next_hop: {vip: shared}}", ["shared"]),
    ("the DHCP address equal to the gateway", NETWORK % "cidrs: [172.22.0.0/24], dhcp: true, dhcp_address: 172.22.0.1", ["172.22.0.1", "gateway"]),
    ("the DHCP address outside the CIDR", NETWORK % "cidrs: [172.22.0.0/24], dhcp: true, dhcp_address: 172.23.0.1", ["172.23.0.1"]),
    ("a DHCP address while DHCP is off", NETWORK % "cidrs: [172.22.0.0/24], dhcp: false, dhcp_address: 172.22.0.9", ["dhcp"]),
    ("a DHCP address while DHCP is off by itself", NETWORK % "cidrs: [172.22.0.0/24], dhcp_address: 172.22.0.9", ["dhcp"]),
    ("a range with link-local addresses",
     NETWORK % "ranges: [169.253.255.0-169.254.1.0], netmask: 255.0.0.0, gateway: 169.0.0.1", ["169.254"]),
    ("a range outside its CIDR", NETWORK % "cidrs: [172.22.0.0/24], ranges: [172.23.0.1-172.23.0.9]", ["172.23.0.1"]),
    ("a range backwards", NETWORK % "cidrs: [172.22.0.0/24], ranges: [172.22.0.9-172.22.0.1]", ["172.22.0.9"]),
    ("a netmask with holes", NETWORK % "ranges: [172.22.0.9-172.22.0.10], netmask: 255.0.255.0, gateway: 172.22.0.1", ["netmask"]),
    ("a gateway that is not on the link", NETWORK % "cidrs: [172.22.0.0/24], gateway: 172.23.0.1", ["172.23.0.1"]),
    ("VLAN 0", "{kind: network, name: bad, role: public, physnet: em01, vlan: 0, cidrs: [172.22.0.0/24]}", ["vlan"]),
    ("VLAN 4095", "{kind: network, name: bad, role: public, physnet: em01, vlan: 4095, cidrs: [172.22.0.0/24]}", ["vlan"]),
    ("VLAN 0 of a subnet", "{kind: subnet, name: bad, vpc: demo, physnet: em01, vlan: 0, cidrs: [192.168.20.0/24]}", ["vlan"]),
    ("VLAN 4095 of a subnet", "{kind: subnet, name: bad, vpc: demo, physnet: em01, vlan: 4095, cidrs: [192.168.20.0/24]}", ["vlan"]),
    ("a VLAN of a subnet without a physical network", "{kind: subnet, name: bad, vpc: demo, vlan: 5, cidrs: [192.168.20.0/24]}", ["physnet"]),
    ("a VLAN that a network has", "{kind: subnet, name: bad, vpc: demo, physnet: em01, vlan: 100, cidrs: [192.168.20.0/24]}", ["100", "flat"]),
    ("a VLAN that another subnet has", "{kind: subnet, name: bad, vpc: demo, physnet: em01, vlan: 2700, cidrs: [192.168.20.0/24]}",
     ["2700", "other"]),
    ("SR-IOV where the uplink has none", NETWORK % "cidrs: [172.22.0.0/24], sriov: true", ["em01", "virtual function"]),
    ("SR-IOV of a subnet where the uplink has none",
     "{kind: subnet, name: bad, vpc: demo, physnet: em01, vlan: 60, sriov: true, cidrs: [192.168.20.0/24]}", ["em01", "virtual function"]),
    ("one address in two networks of a VLAN",
     "{kind: network, name: bad, role: public, physnet: em01, vlan: 3, cidrs: [180.169.211.0/24]}", ["second"]),
    ("one address in two untagged networks", "{kind: network, name: bad, role: public, physnet: em01, cidrs: [10.108.0.0/16]}", ["public"]),
    ("a VPC on the management network", "{kind: vpc, name: bad, cidrs: [10.77.0.0/16], networks: [management]}", ["management"]),
    ("a VPC twice on one network", "{kind: vpc, name: bad, cidrs: [10.77.0.0/16], networks: [public, public]}", ["public"]),
    ("a VPC on a network that is not there", "{kind: vpc, name: bad, cidrs: [10.77.0.0/16], networks: [nowhere]}", ["nowhere"]),
    ("detaching a network whose elastic IP is bound", "{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [second]}", ["public", "eip1"]),
    ("detaching a network whose system VIP serves a forward",
     "{kind: vpc, name: demo, cidrs: [192.168.0.0/16], networks: [public]}", ["second", "system"]),
    ("a port on a subnet and a network", "{kind: port, name: bad, subnet: private, network: flat}", ["either subnet", "network"]),
    ("a port on nothing", "{kind: port, name: bad}", ["subnet"]),
    ("a port with the gateway's address", "{kind: port, name: bad, network: flat, addresses: [172.20.0.1]}", ["172.20.0.1"]),
    ("a virtual IP with a port's address", "{kind: virtual_ip, name: bad, network: flat, address: 172.20.0.9}", ["172.20.0.9", "kiosk"]),
    ("a virtual IP of nothing", "{kind: virtual_ip, name: bad}", ["network", "subnet"]),
    ("a virtual IP held by an instance of another subnet", "{kind: virtual_ip, name: bad, subnet: private, port: vm3}", ["vm3"]),
    ("a network in a tenant's project", "{kind: network, name: bad, project: blue, role: public, physnet: em01, vlan: 51, cidrs: [172.22.0.0/24]}",
     ["project"]),
]


def state(lab):
    host = lab.host("h1")
    return {plural: [(item["name"], item["document"]) for item in host.ask("GET", f"/v1/{plural}")["items"]]
            for plural in ("networks", "vpcs", "subnets", "ports", "virtual_ips", "elastic_ips", "port_forwards", "routes")}


@pytest.fixture(autouse=True)
def nothing_changes(lab):
    before = state(lab)
    yield
    assert state(lab) == before


@pytest.mark.parametrize("document, words", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_it_is_refused_with_one_sentence(lab, document, words):
    """R-NET-1, R-NET-3, R-NET-5, R-NET-7, R-SVC-2, R-RTR-4, R-RTR-5, R-RTR-6, R-VIP-1, R-EIP-1, R-PF-1, R-PF-2, R-PF-3"""
    said = lab.host("h1").viaduct("apply", "-f", "-", input=document, check=False)
    assert said.returncode == 1, said.stdout
    assert len(said.stderr.strip().splitlines()) == 1, said.stderr
    for word in words:
        assert word.lower() in said.stderr.lower(), said.stderr


@pytest.mark.parametrize("kind, name, user", [
    ("network", "public", "demo"), ("network", "flat", "kiosk"), ("virtual_ip", "vip1", "port_forward"), ("virtual_ip", "demo.public", "demo"),
    ("virtual_ip", "eip1", "eip1"), ("port", "vm1", "virtual_ip shared"),
])
def test_what_is_in_use_is_not_deleted(lab, kind, name, user):
    """R-RTR-4, R-VIP-1: who uses it is named."""
    said = lab.host("h1").viaduct("delete", kind, name, check=False)
    assert said.returncode == 1 and user in said.stderr and len(said.stderr.strip().splitlines()) == 1, said
