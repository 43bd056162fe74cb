# SPDX-License-Identifier: Apache-2.0
"""Name servers are asked through the VPC's public network when it has one, otherwise from the host.

The same address, 198.51.100.53, is two name servers: "far" is on the Internet and reached through public networks alone, "near" is on the
underlay, where the hosts have a route to it. Which of them answered says which way the question took. The gateways are h1's; VPC two has
the CIDR and the addresses of VPC one.
"""

import contextlib
import re
import socket

import pytest

from lab.host import build_directory
from lab.namespace import Namespace, add_addresses, connect
from lab.world import wait_until
from outside import address_of, ip_of, ping_source

LAB = """
name: dnsout
segments: {underlay: {}, em01: {}}
hosts:
  h1: {addresses: [172.31.0.1/24], uplinks: {em01: em01}}
  h2: {addresses: [172.31.0.2/24]}
instances:
  web: {ports: {web: h1}}
  db: {ports: {db: h2}}
  twin: {ports: {twin: h2}}
outside:
  isp:
    segment: em01
    addresses: [203.0.113.1/24, "2001:db8:a::1/64"]
    behind:
      addresses: [198.51.100.1/24, "2001:db8:b::1/64"]
      hosts: {ns: [198.51.100.53/24, "2001:db8:b::53/64"]}
"""
DOCUMENTS = """
{kind: network, name: public, role: public, physnet: em01, cidrs: [203.0.113.0/24, "2001:db8:a::/64"]}
---
{kind: vpc, name: one, cidrs: [10.60.0.0/16], networks: [{network: public, address: 203.0.113.10}]}
---
{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: [198.51.100.53]}
---
{kind: port, name: web, subnet: one, addresses: [10.60.0.11]}
---
{kind: port, name: db, subnet: one, addresses: [10.60.0.12]}
---
{kind: vpc, name: two, cidrs: [10.60.0.0/16], networks: [{network: public, address: 203.0.113.20}]}
---
{kind: subnet, name: two, vpc: two, cidrs: [10.60.0.0/24], dns: [198.51.100.53]}
---
{kind: port, name: twin, subnet: two, addresses: [10.60.0.12]}
"""
SERVER, SERVER6, DEAD, GATEWAY, WEB = "198.51.100.53", "2001:db8:b::53", "198.51.100.66", "10.60.0.1", "10.60.0.11"
VIP_ONE, VIP_TWO = "203.0.113.10", "203.0.113.20"
FAR, NEAR = "192.0.2.1", "192.0.2.2"  # what each of the two says of every name
BIG = [f"{number:03d}" + "x" * 240 for number in range(18)]


class Server:
    """A dnsmasq that has one answer, and remembers who asked for what."""

    def __init__(self, lab, node, answer, addresses=(SERVER,)):
        self.node, self.log = node, build_directory() / f"{node.title}-{lab.name}.log"
        self.log.unlink(missing_ok=True)
        listen = [f"--listen-address={address}" for address in addresses]
        self.process = node.launch(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv", "--no-hosts", "--pid-file=", "--bind-interfaces",
            *listen, "--log-queries", f"--log-facility={self.log}", "--edns-packet-max=4096", "--local-ttl=1", f"--address=/#/{answer}",
            f"--txt-record=big.example,{','.join(BIG)}", stdout=-1, stderr=-1)
        wait_until(lambda: node.run("dig", f"@{SERVER}", "+short", "+time=1", "+tries=1", "up.example", check=False).stdout.split() == [answer],
                   f"{node.title} answers")

    def asked_by(self, name):
        return set(re.findall(rf"query\[\S+\] {re.escape(name)} from (\S+)", self.log.read_text()))

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=10)
        self.log.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def near(lab):
    node = Namespace(lab.namespace_name("near"), "near")
    node.create()
    connect(node, "eth0", lab.segments["underlay"], "near")
    lab.segments["underlay"].ip("link", "set", "near", "master", "bridge")
    add_addresses(node, "eth0", ["172.31.0.53/24", f"{SERVER}/32"])
    for host in lab.hosts.values():
        host.ip("route", "add", f"{SERVER}/32", "via", "172.31.0.53")
    server = None
    try:
        server = Server(lab, node, NEAR)
        yield server
    finally:
        if server:
            server.stop()
        node.delete()


@pytest.fixture(scope="module")
def far(lab, near, reach):
    server = Server(lab, lab.outside("ns"), FAR, (SERVER, SERVER6))
    try:
        for name in ("web", "db", "twin"):
            reach(lab.instance(name), SERVER)
        for host, vpc in (("h1", "one"), ("h2", "one"), ("h2", "two")):
            wait_until(lambda: ways(lab, host, vpc) == "vpc", f"the router of {vpc} on {host} asks through its network")
        yield server
    finally:
        server.stop()


def dig(node, *question, server=GATEWAY):
    return node.run("dig", f"@{server}", "+short", "+tries=1", "+time=5", *question, check=False, timeout=30).stdout.split()


def attach_network(lab, networks):
    lab.host("h1").apply(f"{{kind: vpc, name: one, cidrs: [10.60.0.0/16], networks: {networks}}}")


def ways(lab, host, vpc):
    """None: its process has not said it yet."""
    routers = lab.host(host).live("status")["routers"]
    return next((router.get("dns", {}).get("way") for router in routers if router["vpc"] == vpc), None)


def sources_at(frames, port=53):
    """Who sends to a name server among captured frames."""
    packets = [packet for frame in frames if (packet := ip_of(frame))]
    return {socket.inet_ntoa(packet[12:16]) for packet in packets
            if packet[9] in (6, 17) and int.from_bytes(packet[(packet[0] & 15) * 4 + 2:][:2], "big") == port}


def test_servers_are_asked_through_the_public_network(lab, far, near):
    """R-SVC-3: on the gateway's host and on one without an uplink; outside nobody is seen but the router's virtual IP."""
    with lab.segments["em01"].capture("isp") as frames:
        for name in ("web", "db"):
            assert dig(lab.instance(name), f"{name}.example") == [FAR]
            assert far.asked_by(f"{name}.example") == {VIP_ONE} and not near.asked_by(f"{name}.example")
        # More than UDP holds.
        assert dig(lab.instance("db"), "+tcp", "big.example", "TXT") == [f'"{text}"' for text in BIG]
    assert sources_at(frames) == {VIP_ONE}
    wait_until(lambda: ways(lab, "h1", "one") == ways(lab, "h2", "one") == "vpc", "their status says so")


def test_each_vpc_asks_with_an_address_of_its_own(lab, far):
    """R-SVC-3: two VPCs with one CIDR, each by its own virtual IP, the same question at once."""
    names = [f"n{number}.mixed.example" for number in range(20)]
    nodes = [(lab.instance("db"), VIP_ONE), (lab.instance("twin"), VIP_TWO)]
    asking = [node.launch("dig", f"@{GATEWAY}", "+short", "+tries=1", "+time=5", *[f"{vip}.{name}" for name in names], stdout=-1, text=True)
              for node, vip in nodes]
    for process in asking:
        assert process.communicate(timeout=30)[0].split() == [FAR] * len(names)
    for _, vip in nodes:
        assert set().union(*(far.asked_by(f"{vip}.{name}") for name in names)) == {vip}


def test_dead_first_server_through_the_public_network(lab, far):
    """R-SVC-3: the question goes on to the next one before its client gives up."""
    host = lab.host("h2")
    host.apply(f'{{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: [{DEAD}, {SERVER}]}}')
    try:
        for number in range(3):
            assert dig(lab.instance("db"), f"d{number}.example") == [FAR]
    finally:
        host.apply(f'{{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: [{SERVER}]}}')


def test_server_of_the_other_family(lab, far):
    """R-SVC-3: an IPv6 server is asked by the router's IPv6 address, from a VPC that has none itself."""
    host = lab.host("h2")
    host.apply(f'{{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: ["{SERVER6}"]}}')
    try:
        assert dig(lab.instance("db"), "six.example") == [FAR]
        assert far.asked_by("six.example") == {address_of(host, "virtual_ips", "one.public", 6)}
    finally:
        host.apply(f'{{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: [{SERVER}]}}')


def test_public_network_comes_and_goes(lab, far, near, tmp_path):
    """R-SVC-3: without one the hosts ask, with one the VPC does; and no question is lost, though names are asked without a pause."""
    db, host = lab.instance("db"), lab.host("h1")
    with endless(db, tmp_path) as answers:
        wait_until(lambda: FAR in answers(), "the VPC is asked without a pause")
        attach_network(lab, "[]")
        wait_until(lambda: dig(db, "gone.example") == [NEAR] and NEAR in answers(), "the host asks")
        assert near.asked_by("gone.example") == {"172.31.0.2"}
        wait_until(lambda: ways(lab, "h2", "one") == "host", "its status says so")
        assert host.resource("subnets", "one")["status"]["dns"] == {SERVER: "host"}
        # What was being asked with it when it was taken away could not be sent, and would have failed at once: it goes with the next change.
        assert service_address(lab, "h2")
        host.apply(f"{{kind: subnet, name: one, vpc: one, cidrs: [10.60.0.0/24], dns: [{SERVER}], dhcp_lease: 7200}}")
        wait_until(lambda: not service_address(lab, "h2"), "the address is gone")
        attach_network(lab, "[{network: public, address: 203.0.113.10}]")
        wait_until(lambda: dig(db, "back.example") == [FAR], "the VPC asks")
        assert far.asked_by("back.example") == {VIP_ONE}
        wait_until(lambda: ways(lab, "h2", "one") == "vpc", "its status says so")
        assert host.resource("subnets", "one")["status"]["dns"] == {SERVER: "network public"}
    assert set(answers()) == {FAR, NEAR}, answers()
    assert dig(lab.instance("web"), "web-again.example") == [FAR]


@contextlib.contextmanager
def endless(node, folder):
    """Asks for one new name after the other. Yields what lists what came: the answer, or what dig said instead."""
    path = folder / "answers"
    path.touch()
    script = f"""
for number in $(seq 100000); do
    answer=$(dig @{GATEWAY} +short +tries=1 +time=6 e$number.endless.example) || answer=failed
    echo "${{answer:-nothing}}"
done >{path}"""
    process = node.launch("sh", "-c", script)
    try:
        yield lambda: path.read_text().split("\n")[:-1]
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_daemon_away_and_back(lab, far):
    """R-SVC-3: neither a dead daemon nor a new one is in the way."""
    host = lab.host("h2")
    host.kill9()
    try:
        assert dig(lab.instance("db"), "dead.example") == [FAR]
    finally:
        host.start()
    assert dig(lab.instance("db"), "alive.example") == [FAR] and far.asked_by("alive.example") == {VIP_ONE}


def test_service_addresses_are_the_routers_alone(lab, far):
    """R-SVC-3: an instance neither reaches one, on whichever host it is, nor sends from one, with or without the source check."""
    web, host = lab.instance("web"), lab.host("h1")
    own, other = (service_address(lab, name) for name in ("h1", "h2"))
    assert own and other and own != other
    before = host.dropped("service_address")
    for address in (own, other):
        assert web.ping(address, timeout=0.3).received == 0
    assert host.dropped("service_address") >= before + 2
    web.ip("address", "add", f"{own}/32", "dev", "eth0")
    try:
        for check in ("true", "false"):
            host.apply(f"{{kind: port, name: web, subnet: one, addresses: [{WEB}], source_check: {check}}}")
            before = host.dropped("source_address")
            with lab.segments["em01"].capture("isp") as frames:
                assert web.ping(SERVER, source=own, timeout=0.3).received == 0
            assert host.dropped("source_address") > before
            assert ping_source(frames, SERVER) == set()
    finally:
        web.ip("address", "del", f"{own}/32", "dev", "eth0")
        host.apply(f"{{kind: port, name: web, subnet: one, addresses: [{WEB}]}}")


def service_address(lab, host):
    """What the router of VPC one asks with there, or None."""
    host = lab.host(host)
    domain = next(router["domain"] for router in host.live("status")["routers"] if router["vpc"] == "one")
    addresses = host.run("nsenter", f"--net={host.run_directory}/netns/{domain}", "ip", "-o", "address").stdout
    found = re.search(r"\b240\.\d+\.\d+\.\d+", addresses)
    return found and found[0]
