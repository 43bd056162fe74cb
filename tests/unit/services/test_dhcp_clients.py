#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real DHCP clients against the runner alone (tests/unit/services/dhcp_server.c): two namespaces, a veth, no data plane. R-SVC-1.

The router's namespace has what the agent gives it: the gateway MAC and the addresses. Each client reports to a script of ours, which
writes down what it was told and sets the address, so that renewals travel by unicast."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

SERVER = os.environ["DHCP_SERVER"]
GATEWAY_MAC = "02:76:69:61:64:01"
MAC = "02:00:00:00:00:07"
LEASE = 8
PATIENCE = 40  # udhcpc waits 15 s at least before it renews
SUBNET = {"kind": "subnet", "id": 3, "name": "nodes", "cidr4": "10.9.0.0/24", "gateway4": "10.9.0.1", "cidr6": "fd00:9::/64",
          "gateway6": "fd00:9::1", "dhcp": True, "dhcp_address": "10.9.0.254", "lease": LEASE, "dns": [], "domain": "demo.internal"}
PORT = {"kind": "port", "id": 7, "name": "web1", "hostname": "web1", "mac": MAC, "subnet": 3, "addresses": ["10.9.0.2/24", "fd00:9::2/64"],
        "default": True, "vpc_cidrs": ["10.9.0.0/16", "fd00:9::/48"], "mtu": 1430}

# One line a call: the reason and the whole environment. Then the least that a lease asks for.
SCRIPT = """#!/usr/bin/python3
import json, os, subprocess, sys
environment = dict(os.environ)
environment["argument"] = sys.argv[1] if len(sys.argv) > 1 else ""
with open({log!r}, "a") as file:
    file.write(json.dumps(environment) + "\\n")
link = environment.get("interface", "eth0")
subprocess.run(["ip", "link", "set", link, "up"])
address = environment.get("new_ip_address") or (environment["argument"] in ("bound", "renew") and environment.get("ip"))
if address:
    subprocess.run(["ip", "address", "replace", address + "/24", "dev", link])
if environment.get("new_ip6_address") and environment.get("reason") in ("BOUND6", "RENEW6", "REBIND6"):
    subprocess.run(["ip", "address", "replace", environment["new_ip6_address"] + "/64", "dev", link, "nodad"])
"""


def run(*arguments, check=True):
    return subprocess.run(arguments, check=check, capture_output=True, text=True)


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


class World:
    """A router's namespace and an instance's, joined by a veth, and the runner."""

    def __init__(self, directory, tag):
        self.directory = directory
        self.router, self.instance = f"vdt{tag}r", f"vdt{tag}i"
        self.log, self.script, self.state = directory / "log", directory / "script", directory / "state"
        self.children = []
        self.server = None
        self.malformed = 0

    def start(self):
        for name in (self.router, self.instance):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.router, "link", "add", "viaduct", "address", GATEWAY_MAC, "type", "veth",
            "peer", "name", "eth0", "address", MAC, "netns", self.instance)
        run("ip", "netns", "exec", self.router, "sysctl", "-qw", "net.ipv6.conf.viaduct.accept_dad=0")
        for address in ("10.9.0.1/32", "10.9.0.254/32", "fd00:9::1/128"):
            run("ip", "-n", self.router, "address", "add", address, "dev", "viaduct")
        run("ip", "-n", self.router, "link", "set", "viaduct", "up")
        # The data plane takes whatever leaves; without it the router needs a way.
        run("ip", "-n", self.router, "route", "add", "10.9.0.0/24", "dev", "viaduct")
        run("ip", "-n", self.router, "route", "add", "fd00:9::/64", "dev", "viaduct")
        self.script.write_text(SCRIPT.format(log=str(self.log)))
        self.script.chmod(0o755)
        self.tell(SUBNET, PORT)
        self.server = subprocess.Popen([SERVER, f"/run/netns/{self.router}", "viaduct", str(self.state)], stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == "ready\n"
        run("ip", "-n", self.instance, "link", "set", "eth0", "up")

    def tell(self, *records):
        self.state.write_text("".join(json.dumps(record) + "\n" for record in records))
        if self.server:
            self.server.send_signal(signal.SIGHUP)

    def counters(self):
        self.server.send_signal(signal.SIGUSR1)
        return json.loads(self.server.stdout.readline())

    def link_local(self):
        """Waits until the instance's kernel listens to IPv6."""
        def stands():
            text = run("ip", "-n", self.instance, "-6", "address", "show", "dev", "eth0").stdout
            return "fe80::" in text and "tentative" not in text
        until(stands, 10, "a link-local address")

    def client(self, *arguments):
        command = ["ip", "netns", "exec", self.instance, *arguments]
        output = open(self.directory / "client", "a")
        self.children.append(subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self.directory))

    def calls(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def call(self, reasons, seconds=20):
        """What the client told its script with one of these reasons."""
        def find():
            return [call for call in self.calls() if call.get("reason", call["argument"]) in reasons]
        try:
            return until(find, seconds, reasons)[-1]
        except AssertionError:
            print((self.directory / "client").read_text(), self.calls(), self.counters(), file=sys.stderr)
            raise

    def end_client(self):
        for child in self.children:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []

    def stop(self):
        self.end_client()
        # dhcpcd leaves helpers behind when it ends on a lost interface.
        for pid in run("ip", "netns", "pids", self.instance, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):  # it may end by itself meanwhile
                os.kill(int(pid), signal.SIGKILL)
        status, counters = None, {"malformed": self.malformed}
        if self.server:
            counters = self.counters()
            self.server.send_signal(signal.SIGTERM)
            status = self.server.wait(timeout=10)
        for name in (self.router, self.instance):
            run("ip", "netns", "delete", name, check=False)
        assert status in (None, 0)
        # Real clients are not malformed; and neighbour discovery, which the socket's filter keeps out, would count as that.
        assert counters["malformed"] == self.malformed


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, f"{os.getpid() % 100000}")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def renewed(world, counter, seconds=PATIENCE):
    """The client asks again before its lease is over, and is answered."""
    before = world.counters()
    until(lambda: world.counters()[counter] > before[counter], seconds, f"another {counter}")
    after = world.counters()
    assert after["dhcp4_nak"] == 0 and after["dhcp4_discover"] == before["dhcp4_discover"]


def test_busybox_udhcpc_gets_a_lease_and_renews_it(world):
    """R-SVC-1, R-NET-8"""
    world.client("busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(world.script), "-O", "mtu", "-O", "staticroutes", "-O", "search")
    told = world.call(["bound"])
    assert told["ip"] == "10.9.0.2" and told["mask"] == "24" and told["router"] == "10.9.0.1" and told["dns"] == "10.9.0.1"
    assert told["mtu"] == "1430" and told["hostname"] == "web1" and told["domain"] == "demo.internal" and told["search"] == "demo.internal"
    assert told["staticroutes"] == "0.0.0.0/0 10.9.0.1 169.254.169.254/32 10.9.0.1"
    assert told["lease"] == str(LEASE) and told["serverid"] == "10.9.0.254" and told["broadcast"] == "10.9.0.255"
    renewed(world, "dhcp4_ack")
    assert world.call(["renew"])["ip"] == "10.9.0.2"


def test_dhclient_gets_a_lease_and_renews_it(world):
    """R-SVC-1"""
    (world.directory / "conf").write_text(
        "option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;\n"
        "request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, interface-mtu,\n"
        "rfc3442-classless-static-routes;\n")
    world.client("dhclient", "-4", "-d", "-cf", "conf", "-lf", str(world.directory / "leases"), "-pf", str(world.directory / "pid"),
                 "-sf", str(world.script), "eth0")
    told = world.call(["BOUND"])
    assert told["new_ip_address"] == "10.9.0.2" and told["new_subnet_mask"] == "255.255.255.0" and told["new_routers"] == "10.9.0.1"
    assert told["new_domain_name_servers"] == "10.9.0.1" and told["new_interface_mtu"] == "1430" and told["new_host_name"] == "web1"
    assert told["new_domain_name"] == "demo.internal" and told["new_domain_search"].rstrip(".") == "demo.internal"
    assert told["new_rfc3442_classless_static_routes"] == "0 10 9 0 1 32 169 254 169 254 10 9 0 1"
    assert told["new_dhcp_lease_time"] == str(LEASE) and told["new_dhcp_server_identifier"] == "10.9.0.254"
    renewed(world, "dhcp4_ack")
    world.call(["RENEW"])


def test_dhclient_gets_ipv6_and_renews_it(world):
    """R-SVC-1"""
    (world.directory / "conf").write_text("")
    world.link_local()
    world.client("dhclient", "-6", "-d", "-cf", "conf", "-lf", str(world.directory / "leases"), "-pf", str(world.directory / "pid"),
                 "-sf", str(world.script), "eth0")
    told = world.call(["BOUND6"])
    assert told["new_ip6_address"] == "fd00:9::2" and told["new_dhcp6_name_servers"] == "fd00:9::1"
    assert told["new_dhcp6_domain_search"].rstrip(".") == "demo.internal" and told["new_max_life"] == str(LEASE)
    before = world.counters()["dhcp6_renew"]
    until(lambda: world.counters()["dhcp6_renew"] > before, PATIENCE, "a renewal")
    assert world.call(["RENEW6"])["new_ip6_address"] == "fd00:9::2"


def test_dhcpcd_gets_both_and_renews_them(world):
    """R-SVC-1"""
    (world.directory / "conf").write_text(
        "duid\npersistent\noption domain_name_servers, domain_name, domain_search, host_name, classless_static_routes, interface_mtu\n"
        f"option dhcp6_name_servers, dhcp6_domain_search\nscript {world.script}\nnoarp\nipv6rs\nia_na\n")
    # dhcpcd keeps its state in fixed places: it gets places of its own.
    world.client("unshare", "-m", "sh", "-c",
                 "mount -t tmpfs none /run && mkdir -p /run/dhcpcd && mount -t tmpfs none /var/lib/dhcpcd && "
                 "exec dhcpcd -B -d -f \"$0\" eth0", str(world.directory / "conf"))
    told = world.call(["BOUND"])
    assert told["new_ip_address"] == "10.9.0.2" and told["new_subnet_cidr"] == "24" and told["new_domain_name_servers"] == "10.9.0.1"
    assert told["new_interface_mtu"] == "1430" and told["new_host_name"] == "web1" and told["new_domain_name"] == "demo.internal"
    assert told["new_classless_static_routes"] == "0.0.0.0/0 10.9.0.1 169.254.169.254/32 10.9.0.1"
    told = world.call(["ROUTERADVERT"])
    assert told["nd1_rdnss1_servers"] == "fd00:9::1" and told["nd1_mtu"] == "1430" and told["nd1_dnssl1_search"] == "demo.internal"
    told = world.call(["BOUND6"])
    assert told["new_dhcp6_ia_na1_ia_addr1"] == "fd00:9::2" and told["new_dhcp6_name_servers"] == "fd00:9::1"
    assert told["new_dhcp6_domain_search"] == "demo.internal"
    renewed(world, "dhcp4_ack")
    before = world.counters()["dhcp6_renew"]
    until(lambda: world.counters()["dhcp6_renew"] > before, PATIENCE, "a renewal by DHCPv6")
    addresses = run("ip", "-n", world.instance, "address", "show", "dev", "eth0").stdout
    assert "10.9.0.2/24" in addresses and "fd00:9::2/" in addresses
    routes = run("ip", "-n", world.instance, "-6", "route", "show", "default").stdout
    assert "fe80::76:69ff:fe61:6401" in routes


def test_second_port_of_an_instance_gets_routes_but_no_default_route(world):
    """R-SVC-1"""
    world.tell(SUBNET, {**PORT, "default": False})
    world.client("busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(world.script), "-O", "staticroutes")
    told = world.call(["bound"])
    assert "router" not in told
    assert told["staticroutes"] == "10.9.0.0/16 10.9.0.1 169.254.169.254/32 10.9.0.1"


def test_client_that_remembers_another_address_starts_over(world):
    """A port that was given another address: its lease is refused at the next renewal. R-SVC-1"""
    world.client("busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(world.script))
    assert world.call(["bound"])["ip"] == "10.9.0.2"
    world.tell(SUBNET, {**PORT, "addresses": ["10.9.0.3/24"]})
    until(lambda: world.counters()["dhcp4_nak"], PATIENCE, "a refusal")
    until(lambda: [call for call in world.calls() if call.get("ip") == "10.9.0.3"], PATIENCE, "the new address")


def test_no_answers_when_dhcp_is_off(world):
    """R-SVC-2"""
    world.tell({**SUBNET, "dhcp": False}, PORT)
    before = world.counters()
    world.client("busybox", "udhcpc", "-f", "-n", "-t", "2", "-T", "1", "-i", "eth0", "-s", str(world.script))
    until(lambda: world.counters()["not_served"] >= before["not_served"] + 2, 10, "two discoveries")
    after = world.counters()
    assert after["dhcp4_offer"] == 0 and after["router_advertisement"] == before["router_advertisement"]
    assert after["dhcp4_ack"] == 0
    assert not [call for call in world.calls() if call["argument"] == "bound"]


def test_new_router_advertisement_follows_a_change_at_once(world):
    """R-SVC-1, R-NET-8"""
    def unsolicited():
        # The instance's kernel asks too, in its own time.
        counters = world.counters()
        return counters["router_advertisement"] - counters["router_solicitation"]

    world.link_local()
    before = unsolicited()
    assert before >= 1
    world.tell(SUBNET, PORT)
    assert unsolicited() == before
    world.tell(SUBNET, {**PORT, "mtu": 1300})
    until(lambda: unsolicited() == before + 1, 10, "an advertisement")
    until(lambda: "mtu 1300" in run("ip", "netns", "exec", world.instance, "sh", "-c",
                                    "echo mtu $(cat /proc/sys/net/ipv6/conf/eth0/mtu)").stdout, 10, "the MTU in the kernel")


def test_renewal_by_unicast_meets_no_icmp_error(world):
    """The kernel of the router's namespace has sockets at the servers' ports: it does not say that nobody listens. R-SVC-1"""
    run("ip", "-n", world.instance, "address", "add", "10.9.0.2/24", "dev", "eth0")
    send = ("import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('10.9.0.254', {})); s.send(b'');"
            "time.sleep(0.3); s.send(b'')")
    assert run("ip", "netns", "exec", world.instance, "/usr/bin/python3", "-c", send.format(67), check=False).returncode == 0
    refused = run("ip", "netns", "exec", world.instance, "/usr/bin/python3", "-c", send.format(68), check=False)
    assert "ConnectionRefusedError" in refused.stderr
    # They were no messages.
    world.malformed = 2
    until(lambda: world.counters()["malformed"] == 2, 10, "both counted")


def test_runner_finds_its_interface_again(world):
    before = world.counters()
    run("ip", "-n", world.router, "link", "delete", "viaduct")
    run("ip", "-n", world.router, "link", "add", "viaduct", "address", GATEWAY_MAC, "type", "veth",
        "peer", "name", "eth0", "address", MAC, "netns", world.instance)
    run("ip", "-n", world.router, "link", "set", "viaduct", "up")
    run("ip", "-n", world.instance, "link", "set", "eth0", "up")
    world.client("busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(world.script))
    assert world.call(["bound"])["ip"] == "10.9.0.2"
    assert world.counters()["dhcp4_discover"] > before["dhcp4_discover"]


def main():
    missing = [tool for tool in ("busybox", "dhclient", "dhcpcd") if not shutil.which(tool)]
    if os.geteuid() or missing:
        print("needs root" if os.geteuid() else f"needs {', '.join(missing)}")
        return 77
    return pytest.main(["-q", "-x", "-p", "no:cacheprovider", *sys.argv[1:], str(pathlib.Path(__file__))])


if __name__ == "__main__":
    sys.exit(main())
