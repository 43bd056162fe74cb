#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line against a daemon's API (tests/unit/api/daemon.c): what a person types, sees and gets as exit status. R-OPS-3."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile

import pytest

VIADUCT = os.environ["VIADUCT"]
DAEMON = os.environ["API_DAEMON"]
EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
FIRST = """\
kind: vpc
name: demo
cidrs: [192.168.0.0/16]
---
kind: subnet
name: nodes
vpc: demo
cidrs: [192.168.0.0/24]
---
kind: port
name: web1
subnet: nodes
---
kind: route
vpc: demo
destination: 10.0.2.0/24
next_hop: {address: 192.168.0.2}
"""


class Cli:
    def __init__(self, server, directory):
        self.server = server
        self.directory = pathlib.Path(directory)

    def __call__(self, *arguments, text=None, binary=False, server=None):
        environment = {"PATH": os.environ["PATH"], "VIADUCT_SERVER": server or self.server, "HOME": "/nonexistent"}
        return subprocess.run([VIADUCT, *arguments], input=text, capture_output=True, text=not binary, timeout=60, env=environment)

    def ok(self, *arguments, **options):
        result = self(*arguments, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def file(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)


@pytest.fixture
def cli():
    with tempfile.TemporaryDirectory(prefix="vdcli-") as directory, \
            subprocess.Popen([DAEMON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            yield Cli("unix:" + daemon.stdout.readline().strip(), directory)
        finally:
            daemon.stdin.close()
            assert daemon.wait(timeout=30) == 0


def test_apply_shows_what_it_did_and_is_repeatable(cli):
    path = cli.file("first.yaml", FIRST)
    assert "vpc demo created" in cli.ok("apply", "-f", path, "--dry-run")
    assert cli("get", "vpcs").stderr == "there are none\n"
    assert cli.ok("apply", "-f", path).splitlines() == [
        "vpc demo created", "subnet nodes created", "port web1 created", "route demo/10.0.2.0/24 created"]
    assert "unchanged" in cli.ok("apply", "-f", path, "--wait")
    assert "port web1 unchanged" in cli.ok("apply", "-f", "-", text=FIRST)


def test_get_in_its_formats(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    lines = cli.ok("get", "ports").splitlines()
    assert lines[0].split() == ["NAME", "SUBNET", "ADDRESSES", "MAC", "HOST", "STATE"]
    assert lines[1].split()[:3] == ["web1", "nodes", "192.168.0.2"]
    assert json.loads(cli.ok("get", "port", "web1", "-o", "json"))["assigned"]["addresses"] == ["192.168.0.2"]
    assert json.loads(cli.ok("get", "ports", "--json"))["items"][0]["name"] == "web1"
    again = cli.ok("get", "routes", "-o", "yaml")
    assert "unchanged" in cli.ok("apply", "-f", "-", text=again)
    assert "192.168.0.2" in cli.ok("get", "route", "demo/10.0.2.0/24")
    assert "web1" in cli.ok("describe", "port", "web1")


GROUPS = """\
kind: security_group
name: web
---
kind: security_group_rule
group: web
direction: ingress
protocol: tcp
ports: 23-1024
remote_cidr: 10.0.0.7/8
---
kind: port
name: web1
subnet: nodes
security_groups: [web]
user_data: |
  #!/bin/sh
  echo "a: b" > /etc/motd
ssh_keys: [ssh-ed25519 AAAA me@home]
---
kind: router_profile
name: small
cpu: 0.1
memory: 64M
"""
RULE = "web/ingress-tcp-23-1024-10.0.0.0/8"


def test_security_groups_are_shown_and_deleted(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    assert "security: unfiltered" in cli.ok("describe", "port", "web1")
    applied = cli("apply", "-f", "-", text=GROUPS)
    assert f"security_group_rule {RULE} created" in applied.stdout
    assert "security_group_rule web/default-egress created" in applied.stdout
    assert "host bits of 10.0.0.7/8 dropped: 10.0.0.0/8" in applied.stdout + applied.stderr
    lines = cli.ok("get", "security_group_rules").splitlines()
    assert lines[0].split() == ["RULE", "DIRECTION", "PROTOCOL", "PORTS", "TYPE", "REMOTE", "CIDR", "REMOTE", "GROUP", "STATE"]
    assert lines[3].split() == [RULE, "ingress", "tcp", "23-1024", "-", "10.0.0.0/8", "-", "active"]
    assert cli.ok("get", "security_groups").splitlines()[1].split()[:2] == ["web", "3"]
    assert cli.ok("get", "router_profiles").splitlines()[1].split() == ["small", "0.1", "64M", "-", "-"]

    # R-SG-3: the default egress rule closes nothing, any other does.
    text = cli.ok("describe", "port", "web1")
    assert "ingress: what these rules allow" in text and "egress: open" in text and RULE in text
    cli.ok("apply", "-f", "-", text="{kind: security_group_rule, group: web, name: dns, direction: egress, protocol: udp, port: 53}")
    assert "egress: what these rules allow" in cli.ok("describe", "port", "web1")
    policy = json.loads(cli.ok("describe", "port", "web1", "-o", "json"))["policy"]
    assert [rule["name"] for rule in policy["rules"]] == ["web/default-ingress", RULE, "web/default-egress", "web/dns"]
    assert policy["filtered"] and not policy["egress_open"]
    group = cli.ok("describe", "security_group", "web").splitlines()
    assert group[-1].split() == ["web1", "nodes", "192.168.0.2"] and any("web/dns" in line for line in group)

    for kind in "ports", "security_groups", "security_group_rules", "router_profiles":
        assert "unchanged" in cli.ok("apply", "-f", "-", text=cli.ok("get", kind, "-o", "yaml"))
    assert cli.ok("delete", "security_group_rule", RULE) == f"security_group_rule {RULE} deleted\n"
    assert cli.ok("delete", "security_group_rule", "web/dns") == "security_group_rule web/dns deleted\n"
    busy = cli("delete", "security_group", "web")
    assert busy.returncode == 1 and "security_group web is needed by port web1" in busy.stderr
    cli.ok("apply", "-f", "-", text=FIRST)
    assert cli.ok("delete", "-f", "-", text=GROUPS.split("---")[0]).count("deleted") == 3
    assert cli("get", "security_group_rules").stderr == "there are none\n"


@pytest.mark.parametrize("path", sorted(path for path in EXAMPLES.glob("*.yaml") if ".lab." not in path.name), ids=lambda path: path.name)
def test_examples_are_accepted_and_accepted_again(cli, path):
    assert "created" in cli.ok("apply", "-f", str(path))
    again = cli.ok("apply", "-f", str(path))
    assert "created" not in again and "changed" not in again.replace("unchanged", "")


def row(text, name):
    return [line.split() for line in text.splitlines() if line.split()[0] == name][0]


def test_ways_in_and_out_are_shown_bound_and_deleted(cli):
    document = (EXAMPLES / "outside.yaml").read_text()
    cli.ok("apply", "-f", str(EXAMPLES / "outside.yaml"))
    assert row(cli.ok("get", "elastic_ips"), "shop-gate")[1:5] == ["shop-gate", "203.0.113.50", "shop-gate", "192.168.0.2"]
    assert row(cli.ok("get", "virtual_ips"), "shop-gate")[1:3] == ["wan", "203.0.113.50"]
    assert row(cli.ok("get", "virtual_ips"), "shop.wan")[1:3] == ["wan", "203.0.113.2"]
    assert row(cli.ok("get", "port_forwards"), "shop-web-ssh")[1:6] == ["shop.wan", "tcp", "24", "shop-web", "22"]
    assert row(cli.ok("get", "policy_routes"), "shop/10")[1:3] == ["tcp", "192.168.0.0/24"]
    assert row(cli.ok("get", "routes"), "shop/0.0.0.0/0")[1] == "shop-hop"
    for kind, name in (("elastic_ip", "shop-gate"), ("port_forward", "shop-web"), ("policy_route", "shop/20"), ("virtual_ip", "shop-hop")):
        assert name in cli.ok("describe", kind, name)
        assert name in cli.ok("completion", "words", "--", "describe", kind, "").split()
    for kind in "virtual_ips", "elastic_ips", "port_forwards", "policy_routes", "routes", "vpcs", "networks":
        assert "unchanged" in cli.ok("apply", "-f", "-", text=cli.ok("get", kind, "-o", "yaml"))

    # R-EIP-1, R-PF-3: unbound and bound by apply; what is bound stays, or goes with it.
    unbound = "{kind: elastic_ip, name: shop-gate, network: wan, address: 203.0.113.50}"
    busy = cli("delete", "port", "shop-gate")
    assert busy.returncode == 1 and "port shop-gate is needed by virtual_ip shop-hop and 1 more; unbind that first" in busy.stderr
    assert "elastic_ip shop-gate changed" in cli.ok("apply", "-f", "-", text=unbound)
    assert "unbound" in row(cli.ok("get", "elastic_ips"), "shop-gate")
    wrong = cli("apply", "-f", "-", text="{kind: elastic_ip, name: n, vip: shop.wan, port: shop-web}")
    assert wrong.returncode == 1 and "router's own address of VPC shop" in wrong.stderr
    deleted = cli.ok("delete", "elastic_ip", "shop-gate")
    assert "virtual_ip shop-gate deleted" in deleted
    assert cli.ok("delete", "policy_route", "shop/10") == "policy_route shop/10 deleted\n"
    assert "deleted" in cli.ok("delete", "port_forward", "shop-web", "shop-web-ssh")
    cli.ok("apply", "-f", "-", text=document)


CONTAINERS = """\
{kind: container_network, name: apps, mode: routed, vpc: demo, cidr: 10.0.0.0/16}
---
{kind: container_network, name: far, cidr: 10.9.0.0/16}
---
{kind: vpc, name: other, cidr: 172.16.0.0/16}
---
{kind: peering, name: both, vpc: demo, peer: other}
---
{kind: route, vpc: demo, destination: 10.77.0.0/16, next_hop: {peering: both}}
---
{kind: host, name: n2}
---
{kind: container_block, container_network: apps, cidr: 10.0.2.7/24, port: web1}
---
{kind: container_block, container_network: far, cidr: 10.9.4.0/24, node: n2}
"""


def test_hosts_join_and_leave_container_networks(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    applied = cli.ok("apply", "-f", "-", text=CONTAINERS)
    assert "container_block apps/10.0.2.0/24 created" in applied and "peering both created" in applied
    assert row(cli.ok("get", "container_networks"), "apps")[1:5] == ["routed", "10.0.0.0/16", "demo", "vpc"]
    assert row(cli.ok("get", "container_blocks"), "apps/10.0.2.0/24")[1:4] == ["-", "web1", "held"]
    assert row(cli.ok("get", "container_blocks"), "far/10.9.4.0/24")[1:4] == ["n2", "-", "chosen"]
    assert row(cli.ok("get", "peerings"), "both")[1:4] == ["demo", "other", "auto"]
    assert row(cli.ok("get", "routes"), "demo/10.77.0.0/16")[1] == "both"
    assert "10.0.2.0/24" in cli.ok("describe", "container_block", "apps/10.0.2.9/24")
    for kind in "container_networks", "container_blocks", "peerings", "routes":
        assert "unchanged" in cli.ok("apply", "-f", "-", text=cli.ok("get", kind, "-o", "yaml"))
    assert cli.ok("completion", "words", "--", "join", "").split() == ["apps", "far"]

    # Nobody runs there who would take a block.
    joined = cli("join", "far", "--host", "n2", "--lan", "rack 3", "--timeout", "0")
    assert joined.stdout == "node n2 takes part in far\n" and joined.returncode == 1
    assert "viaduct: container_network far: node n2 has no block yet" in joined.stderr
    assert row(cli.ok("get", "nodes"), "n2")[1] == "far"
    again = cli("join", "apps", "--host", "n2", "--port", "web1", "--timeout", "0")
    assert again.stdout == "node n2 takes part in apps\n"
    document = json.loads(cli.ok("get", "node", "n2", "-o", "json"))["document"]
    assert document["container_networks"] == ["far", "apps"] and document["lan"] == "rack 3" and document["port"] == "web1"
    refused = cli("join", "apps", "--host", "nobody")
    assert refused.returncode == 1 and "host nobody does not exist" in refused.stderr

    assert cli.ok("leave", "far", "--host", "n2") == "node n2 leaves\n"
    assert row(cli.ok("get", "nodes"), "n2")[1] == "apps"
    assert "takes part in none of these networks" in cli("leave", "far", "--host", "n2").stderr
    assert cli.ok("leave", "--host", "n2") == "node n2 leaves\n"
    assert cli("get", "nodes").stderr == "there are none\n"
    assert "takes part in no container network" in cli("leave", "--host", "n2").stderr

    assert cli.ok("delete", "container_block", "apps/10.0.2.1/24") == "container_block apps/10.0.2.0/24 deleted\n"
    assert "container_block far/10.9.4.0/24 deleted" in cli.ok("delete", "container_network", "far")
    wrong = cli("delete", "container_block", "apps")
    assert "a block is named by its container_network and CIDR, like apps/10.0.2.0/24" in wrong.stderr
    assert "peering both is needed by route demo/10.77.0.0/16" in cli("delete", "peering", "both").stderr


def test_explain_says_what_a_rule_is(cli):
    text = cli.ok("explain", "security_group_rule")
    assert "direction: one of ingress,egress (needed)" in text and "name: a name" in text
    assert "(needed)" not in [line for line in text.splitlines() if line.startswith("  name")][0]
    assert "security_groups or security_group" in cli.ok("explain", "port")
    assert "dhcp_address" in cli.ok("explain", "subnet")


def test_diff_shows_lines(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    assert cli.ok("diff", "-f", "-", text=FIRST) == ""
    lines = cli.ok("diff", "-f", "-", text=FIRST.replace("192.168.0.2}", "192.168.0.2}\ndescription: new")).splitlines()
    assert lines[0] == "route demo/10.0.2.0/24 changed"
    assert [line for line in lines if line.startswith("+")] == ["+ description: new"]
    assert not [line for line in lines if line.startswith("-")]


def test_delete_by_name_and_by_file(cli):
    path = cli.file("first.yaml", FIRST)
    cli.ok("apply", "-f", path)
    refused = cli("delete", "vpc", "demo")
    assert refused.returncode == 1 and "demo" in refused.stderr
    assert cli.ok("delete", "route", "demo/10.0.2.0/24") == "route demo/10.0.2.0/24 deleted\n"
    missing = cli("delete", "-f", path)
    assert missing.returncode == 1 and "demo/10.0.2.0/24" in missing.stderr
    cli.ok("apply", "-f", path)
    assert cli.ok("delete", "-f", path).count("deleted") == 4


def test_projects(cli):
    cli.ok("apply", "-p", "acme", "-f", "-", text=FIRST)
    assert cli("get", "ports").stderr == "there are none\n"
    assert "web1" in cli.ok("get", "ports", "-p", "acme")
    assert cli.ok("get", "ports", "-p", "*").splitlines()[1].split()[:2] == ["acme", "web1"]
    assert "port acme/web1 deleted" in cli.ok("delete", "-p", "acme", "-f", "-", text=FIRST)


def test_several_files_and_the_one_that_is_wrong(cli):
    first = cli.file("d/1.yaml", FIRST)
    cli.file("d/2.yaml", "kind: port\nname: web2\nsubnet: nodes\n")
    assert "port web2 created" in cli.ok("apply", "-f", str(pathlib.Path(first).parent))
    cli.file("d/2.yaml", "kind: port\nname: web3\nsubnet: [\n")
    wrong = cli("apply", "-f", str(pathlib.Path(first).parent))
    assert wrong.returncode == 1 and "2.yaml line" in wrong.stderr and wrong.stderr.count("\n") == 1
    assert cli("apply", "-f", "/nowhere.yaml").returncode == 1


@pytest.mark.parametrize("arguments", [
    [], ["fly"], ["get"], ["get", "ports", "a", "b"], ["apply"], ["apply", "first.yaml"], ["apply", "-f"], ["diff"], ["delete"],
    ["delete", "port"], ["get", "ports", "-o", "xml"], ["get", "ports", "--colour"], ["get", "--insecure=yes", "ports"], ["attach", "p"],
    ["attach", "p", "--netns", "a", "--tap", "b"], ["attach", "p", "--tap", "b", "--dhcp"], ["trace", "a"], ["trace", "a", "b", "sctp"],
    ["trace", "a", "b", "tcp", "http"], ["trace", "a", "b", "tcp", "70000"], ["trace", "a", "b", "icmp", "1"], ["capture"],
    ["capture", "a", "-c", "0"], ["flows", "--limit", "x"], ["purge"], ["completion"], ["completion", "csh"], ["help", "fly"],
    ["status", "now"]])
def test_wrong_usage_is_2_and_one_line(cli, arguments):
    result = cli(*arguments, text="")
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("viaduct: ") and result.stderr.count("\n") == 1 and result.stdout == ""


@pytest.mark.parametrize("arguments", [["get", "unicorns"], ["get", "port", "nobody"], ["describe", "vpc", "nobody"], ["plan"],
                                       ["explain", "unicorn"], ["get", "unicorns", "--watch"], ["flows", "--follow"]])
def test_refusals_are_1_and_one_line(cli, arguments):
    result = cli(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("viaduct: ") and result.stderr.count("\n") == 1


def test_no_daemon(cli):
    result = cli("get", "ports", server="unix:/nowhere/viaduct.sock")
    assert result.returncode == 1 and "is viaductd running" in result.stderr
    assert cli("get", "ports", server="http://127.0.0.1:1").returncode == 1
    assert cli("get", "ports", server="ftp://a").returncode == 1


def test_live_commands(cli):
    assert cli.ok("attach", "web1", "--netns", "web1", "--ifname", "net1").startswith("port web1 attached")
    assert cli.ok("detach", "web1") == "port web1 detached\n"
    assert "source_check" in cli.ok("drops")
    assert "none" in cli.ok("flows")
    assert "viaductd" in cli.ok("version")
    assert cli.ok("status").startswith("revision ")
    assert json.loads(cli.ok("trace", "web1", "10.0.0.1", "tcp", "80", "--json"))[0]["arguments"] == {
        "project": "default", "from": "web1", "to": "10.0.0.1", "protocol": "tcp", "port": 80}


def test_capture_is_pcap(cli):
    result = cli("capture", "web1", binary=True)
    assert result.returncode == 1 and b"ring buffer broke" in result.stderr
    magic, major, minor, _, _, _, link = struct.unpack("=IHHIIII", result.stdout[:24])
    assert (magic, major, minor, link) == (0xa1b23c4d, 2, 4, 1)


def test_watch_follows(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    environment = {"PATH": os.environ["PATH"], "VIADUCT_SERVER": cli.server}
    with subprocess.Popen([VIADUCT, "get", "ports", "--watch"], stdout=subprocess.PIPE, text=True, env=environment) as watch:
        try:
            assert watch.stdout.readline().split()[:2] == ["ACTION", "NAME"]
            assert watch.stdout.readline().split()[:2] == ["existing", "web1"]
            cli.ok("apply", "-f", "-", text="kind: port\nname: web2\nsubnet: nodes\n")
            assert watch.stdout.readline().split()[:2] == ["created", "web2"]
            cli.ok("delete", "port", "web2")
            assert watch.stdout.readline().split()[:2] == ["deleted", "web2"]
        finally:
            watch.kill()


def test_a_browser_gets_events(cli):
    cli.ok("apply", "-f", "-", text=FIRST)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(cli.server.removeprefix("unix:"))
        peer.sendall(b"GET /v1/watch?kind=port HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n")
        text = b""
        while b"synced" not in text:
            text += peer.recv(65536)
    assert b"200 OK" in text and b"Content-Type: text/event-stream" in text
    events = [json.loads(line[6:]) for line in text.decode().splitlines() if line.startswith("data: ")]
    assert [event["action"] for event in events] == ["begin", "existing", "synced"]
    assert events[1]["assigned"]["addresses"] == ["192.168.0.2"]


def test_every_command_explains_itself(cli):
    overview = cli.ok("--help")
    commands = cli.ok("completion", "words", "--", "").split()
    assert len(commands) > 15
    for command in commands:
        assert f"  {command} " in overview
        text = cli.ok(command, "--help")
        assert "Usage: viaduct " + command in text and "Example:\n  viaduct" in text.replace("source <(", "")
        assert text == cli.ok("help", command)
    assert cli.ok("help", "manual").startswith(".TH VIADUCT 1")


def test_completion_scripts_parse(cli):
    shells = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}
    for shell, command in shells.items():
        script = cli.ok("completion", shell)
        assert "viaduct" in script
        if shutil.which(command[0]):
            path = cli.file("completion." + shell, script)
            assert subprocess.run([*command, path], capture_output=True).returncode == 0


def test_completion_asks_the_daemon(cli):
    cli.ok("apply", "-f", "-", text=FIRST)

    def words(*given):
        return cli.ok("completion", "words", "--", *given).split()

    assert "subnet" in words("get", "")
    assert words("describe", "port", "") == ["web1"]
    assert words("delete", "port", "web1", "") == ["web1"]
    assert words("attach", "") == ["web1"]
    assert words("get", "ports", "-o", "") == ["table", "yaml", "json"]
    assert words("trace", "web1", "web1", "") == ["tcp", "udp", "icmp"]
    assert "--dry-run" in words("apply", "--")
    assert words("apply", "-f", "") == []
    script = cli.file("test.bash", f"PATH={os.path.dirname(VIADUCT)}:$PATH\n" + cli.ok("completion", "bash") +
                      "COMP_WORDS=(viaduct describe port w)\nCOMP_CWORD=3\n_viaduct\necho \"${COMPREPLY[@]}\"\n")
    shell = subprocess.run(["bash", script], capture_output=True, text=True, env={"VIADUCT_SERVER": cli.server, "PATH": os.environ["PATH"]})
    assert shell.stdout.strip() == "web1", shell.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", __file__]))
