# SPDX-License-Identifier: Apache-2.0
"""The name server at the gateway's address: `dig` asks it, and a dnsmasq on the underlay is whom it asks.

VPC shop is on both hosts; VPC twin has the same CIDR and an instance with the address of one of shop's.
"""

import itertools
import re
import time

import pytest

from lab.host import build_directory
from lab.namespace import Namespace, add_addresses, connect
from lab.world import wait_until
from policy import Groups, rule

UPSTREAM, NOBODY = "172.31.0.53", "172.31.0.66"
LAB = """
name: dns
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24]}
instances:
  web: {ports: {web: h1}}
  db: {ports: {db: h2}}
  late: {ports: {late: h1}}
  twin: {ports: {twin: h1}}
"""
DOCUMENTS = f"""
{{kind: vpc, name: shop, cidrs: [10.50.0.0/16, "fd00:50::/48"]}}
---
{{kind: subnet, name: shop, vpc: shop, cidrs: [10.50.0.0/24, "fd00:50::/64"], dns: [{UPSTREAM}]}}
---
{{kind: subnet, name: unlucky, vpc: shop, cidrs: [10.50.1.0/24], dns: [{NOBODY}, {UPSTREAM}]}}
---
{{kind: port, name: web, subnet: shop, addresses: [10.50.0.11, "fd00:50::11"]}}
---
{{kind: port, name: db, subnet: shop, addresses: [10.50.0.12, "fd00:50::12"]}}
---
{{kind: port, name: late, subnet: unlucky, addresses: [10.50.1.11]}}
---
{{kind: vpc, name: twin, cidrs: [10.50.0.0/16]}}
---
{{kind: subnet, name: twin, vpc: twin, cidrs: [10.50.0.0/24], dns: [{UPSTREAM}]}}
---
{{kind: port, name: twin, subnet: twin, addresses: [10.50.0.11]}}
"""
GATEWAY, GATEWAY6 = "10.50.0.1", "fd00:50::1"
BIG = [f"{number:03d}" + "x" * 240 for number in range(18)]  # 4.3 KB of text
MANY = 10000
numbers = itertools.count()  # of names that nobody has asked for


class Upstream:
    def __init__(self, lab):
        self.node = Namespace(lab.namespace_name("upstream"), "upstream")
        self.log = build_directory() / f"upstream-{lab.name}.log"
        self.node.create()
        connect(self.node, "eth0", lab.segments["underlay"], "upstream")
        lab.segments["underlay"].ip("link", "set", "upstream", "master", "bridge")
        add_addresses(self.node, "eth0", [f"{UPSTREAM}/24"])
        self.process = self.node.launch(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv", "--no-hosts", "--pid-file=", "--bind-interfaces",
            f"--listen-address={UPSTREAM}", "--log-queries", f"--log-facility={self.log}", "--edns-packet-max=4096", "--auth-ttl=600", "--local-ttl=600",
            "--host-record=www.corp.example,198.51.100.1,2001:db8::1", "--host-record=private.corp.example,10.99.0.1", "--address=/many.example/198.51.100.2",
            f"--txt-record=big.corp.example,{','.join(BIG)}", "--local=/corp.example/", "--local=/internal/", "--local=/in-addr.arpa/",
            stdout=-1, stderr=-1)

    def asked(self, name):
        """How often it was asked for it."""
        return len(re.findall(rf"query\[\S+\] {re.escape(name)} ", self.log.read_text())) if self.log.exists() else 0

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=10)
        self.log.unlink(missing_ok=True)
        self.node.delete()


@pytest.fixture(scope="module")
def upstream(lab):
    server = Upstream(lab)
    try:
        for name in ("web", "db", "twin"):
            wait_until(lambda: short(lab.instance(name), "www.corp.example"), f"{name} is told the first name", seconds=60)
        # Of a subnet whose first server is dead: what is asked is this host's own.
        wait_until(lambda: short(lab.instance("late"), "web.shop.internal", server="10.50.1.1"), "late is told a name", seconds=60)
        yield server
    finally:
        server.stop()


def dig(node, *question, server=GATEWAY, check=True, seconds=60):
    return node.run("dig", f"@{server}", "+tries=1", "+time=5", *question, check=check, timeout=seconds).stdout


def short(node, *question, **options):
    return dig(node, "+short", *question, check=False, **options).split()


def status(text):
    found = re.search(r"status: (\w+)", text)
    assert found, text
    return found[1]


def test_names_of_the_vpc_forward_and_reverse(lab, upstream):
    """R-SVC-4: <port>.<vpc>.internal, of this host and of another, IPv4 and IPv6."""
    web = lab.instance("web")
    own = ("web.shop.internal", "nobody.shop.internal")
    before = [upstream.asked(name) for name in own]
    for node in (web, lab.instance("db")):
        assert short(node, "web.shop.internal") == ["10.50.0.11"]
        assert short(node, "db.shop.internal", "AAAA") == ["fd00:50::12"]
        assert short(node, "-x", "10.50.0.12") == ["db.shop.internal."]
        assert short(node, "-x", "fd00:50::11") == ["web.shop.internal."]
    assert short(web, "WEB.Shop.INTERNAL") == ["10.50.0.11"]
    assert short(web, "db.shop.internal", server=GATEWAY6) == ["10.50.0.12"]
    nothing = dig(web, "nobody.shop.internal")
    assert status(nothing) == "NXDOMAIN"
    assert "ANSWER: 0" in dig(web, "late.shop.internal", "AAAA") and status(dig(web, "late.shop.internal", "AAAA")) == "NOERROR"
    assert [upstream.asked(name) for name in own] == before, "the VPC's own names are nobody else's business"


def test_names_of_vpcs_do_not_mix(lab, upstream):
    """R-SVC-4: one address, two names; and neither VPC knows the other's."""
    web, twin = lab.instance("web"), lab.instance("twin")
    assert short(web, "-x", "10.50.0.11") == ["web.shop.internal."]
    assert short(twin, "-x", "10.50.0.11") == ["twin.twin.internal."]
    assert short(web, "twin.twin.internal") == short(twin, "web.shop.internal") == short(twin, "twin.shop.internal") == []
    assert short(twin, "twin.twin.internal") == ["10.50.0.11"]


def test_names_come_and_go_with_their_ports(lab, upstream):
    """R-SVC-4"""
    web, host = lab.instance("web"), lab.host("h2")
    assert short(web, "brief.shop.internal") == []
    host.apply("{kind: port, name: brief, subnet: shop, addresses: [10.50.0.77]}")
    wait_until(lambda: short(web, "brief.shop.internal") == ["10.50.0.77"], "the name is there")
    host.viaduct("delete", "port", "brief", "--wait")
    wait_until(lambda: short(web, "brief.shop.internal") == [], "the name is gone")


def test_everything_else_is_asked_upstream_and_remembered(lab, upstream):
    """R-SVC-3: forwards, and caches."""
    web = lab.instance("web")

    def asked():
        """How often, when all that was sent to the upstream by now has been read there: it reads in order."""
        assert short(web, f"behind{next(numbers)}.many.example") == ["198.51.100.2"]
        return upstream.asked("www.corp.example")

    assert short(web, "www.corp.example", "AAAA") == ["2001:db8::1"]
    assert short(web, "www.corp.example") == ["198.51.100.1"]
    before = asked()
    for _ in range(5):
        assert short(web, "www.corp.example") == ["198.51.100.1"]
    assert asked() == before >= 1
    assert status(dig(web, "none.corp.example")) == "NXDOMAIN"
    # A private address that is not the VPC's belongs to whoever the upstream says.
    assert short(web, "-x", "10.99.0.1") == ["private.corp.example."]
    assert short(web, "www.corp.example", server=GATEWAY6) == ["198.51.100.1"]


def test_tcp_edns_and_four_kilobytes(lab, upstream):
    """R-SVC-3: over UDP and TCP, with EDNS; what does not fit is said to be cut, and comes whole by TCP."""
    web = lab.instance("web")

    def texts(answer):
        return sorted(re.findall(r'"([^"]*)"', answer))

    assert short(web, "+tcp", "www.corp.example") == ["198.51.100.1"]
    assert short(web, "+tcp", "db.shop.internal") == ["10.50.0.12"]
    with_edns = dig(web, "+edns=0", "+bufsize=1232", "www.corp.example")
    assert "EDNS: version: 0" in with_edns
    assert "EDNS:" not in dig(web, "+noedns", "www.corp.example")
    assert status(dig(web, "+edns=1", "+noednsneg", "www.corp.example")) == "BADVERS"
    cut = dig(web, "+noedns", "+ignore", "big.corp.example", "TXT")
    assert re.search(r"flags: [^;]*\btc\b", cut)
    assert re.search(r"flags: [^;]*\btc\b", dig(web, "+bufsize=1232", "+ignore", "big.corp.example", "TXT"))
    for options in (["+tcp"], ["+bufsize=1232"], ["+noedns"]):
        assert texts(dig(web, *options, "+short", "big.corp.example", "TXT")) == sorted(BIG), options


def asked_in_a_row(node, server, names, folder):
    """The answers to a file of names."""
    questions = folder / "questions"
    questions.write_text("".join(f"{name}\n" for name in names))
    return dig(node, "+short", "-f", str(questions), server=server, seconds=300).split()


def test_dead_first_upstream(lab, upstream, tmp_path):
    """R-SVC-3: a question takes the next server before its client gives up, and so do the two hundred after it."""
    late = lab.instance("late")
    begin = time.monotonic()
    assert short(late, "first.many.example", server="10.50.1.1") == ["198.51.100.2"]
    first = time.monotonic() - begin
    assert asked_in_a_row(late, "10.50.1.1", [f"n{number}.unlucky.many.example" for number in range(200)], tmp_path) == ["198.51.100.2"] * 200
    assert first < 5 and time.monotonic() - begin < 60
    assert short(late, "db.shop.internal", server="10.50.1.1") == ["10.50.0.12"]


def test_ten_thousand_questions_in_a_row(lab, upstream, tmp_path):
    """R-SVC-3: every second one unheard of, every fourth of the VPC; each is answered."""
    known = {"db.shop.internal": "10.50.0.12", "www.corp.example": "198.51.100.1"}
    names = [(f"n{number}.many.example", "db.shop.internal", f"n{number}.many.example", "www.corp.example")[number % 4] for number in range(MANY)]
    answers = asked_in_a_row(lab.instance("web"), GATEWAY, names, tmp_path)
    assert answers == [known.get(name, "198.51.100.2") for name in names]


def test_no_rule_is_needed_to_ask(lab, upstream):
    """R-SVC-3: a security group that closes everything leaves the name server open."""
    groups = Groups(lab.host("h1"), {"web": {"kind": "port", "name": "web", "subnet": "shop", "addresses": ["10.50.0.11", "fd00:50::11"]}})
    groups.make("shut", rule("", "egress", "tcp", port=1))
    groups.join("web", "shut")
    try:
        web = lab.instance("web")
        assert lab.instance("web").ping("10.50.0.12", timeout=0.3).received == 0
        assert short(web, "db.shop.internal") == short(web, "+tcp", "db.shop.internal") == ["10.50.0.12"]
        assert short(web, "db.shop.internal", server=GATEWAY6) == ["10.50.0.12"]
    finally:
        groups.clear()
