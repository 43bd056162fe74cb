# SPDX-License-Identifier: Apache-2.0
"""Two hosts that trust each other by certificates and a token, as a person sets them up: R-OPS-3 over TCP."""

import contextlib
import pathlib
import socket
import stat
import struct

import pytest

from lab.namespace import run
from lab.world import wait_until

LAB = """
name: tls
tls: true
hosts:
  h1: {addresses: [172.31.0.1/24], arguments: [--verbose]}
  h2: {addresses: [172.31.0.2/24], arguments: [--verbose]}
instances:
  a: {ports: {a: h1}}
  b: {ports: {b: h2}}
"""
DOCUMENTS = """
kind: vpc
name: demo
cidr: 10.0.0.0/16
---
{kind: subnet, name: one, vpc: demo, cidr: 10.0.1.0/24}
---
{kind: subnet, name: two, vpc: demo, cidr: 10.0.2.0/24}
---
{kind: port, name: a, subnet: one, address: 10.0.1.2}
---
{kind: port, name: b, subnet: two, address: 10.0.2.2}
"""
URL = "https://172.31.0.2:2379"


@pytest.fixture(scope="module", autouse=True)
def reached(lab, reach):
    reach(lab.instance("a"), "10.0.2.2")


@pytest.fixture(scope="module")
def strangers(lab):
    """A CA that nobody knows, and token files that are wrong in one way each."""
    made = lab.credentials
    made.make_ca("stranger")
    made.make_tokens("wrong", "not-the-token")
    made.make_tokens("open", made.tokens.read_text().strip(), mode=0o644)
    return made.directory


def viaduct(lab, *arguments, server=URL):
    """From h1 over TCP to h2's daemon."""
    command = lab.host("h1").command(["viaduct"])
    command[command.index("--server") + 1] = server
    return run(*command, *arguments, check=False, timeout=60)


def trusted(lab, *arguments):
    return viaduct(lab, "--token-file", lab.credentials.tokens, "--ca", lab.credentials.ca, *arguments)


def assert_one_sentence(result, program, *words):
    assert result.returncode == 1
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if line.startswith(f"{program}: ")]
    assert len(said) == 1, result.stderr
    for word in words:
        assert word in said[0]


def test_instances_reach_each_other(lab):
    """R-OPS-7 over TLS: the second host joins by etcds://, with its token."""
    assert lab.instance("a").ping("10.0.2.2", count=3).received == 3


def test_command_line_works_over_https(lab):
    assert "demo" in trusted(lab, "get", "vpcs").stdout
    route = lab.directory / "route.yaml"
    route.write_text("kind: route\nvpc: demo\ndestination: 10.9.0.0/24\nnext_hop: {address: 10.0.1.2}\n")
    assert trusted(lab, "apply", "--wait", "-f", route).returncode == 0
    assert "10.9.0.0/24" in lab.host("h1").viaduct("get", "routes").stdout
    assert trusted(lab, "delete", "--wait", "route", "demo/10.9.0.0/24").returncode == 0


def test_client_certificate_opens_without_a_token(lab):
    directory = lab.credentials.directory
    answer = viaduct(lab, "--ca", lab.credentials.ca, "--cert", directory / "h1.pem", "--key", directory / "h1.key", "get", "vpcs")
    assert "demo" in answer.stdout, answer.stderr


@pytest.mark.parametrize("arguments, server, words", [
    (["--token-file", "{}/wrong", "--ca", "{}/ca.pem"], URL, ["token is not one of the daemon's"]),
    (["--ca", "{}/ca.pem"], URL, ["--token-file"]),
    (["--token-file", "{}/tokens", "--ca", "{}/stranger.pem"], URL, ["certificate"]),
    (["--token-file", "{}/tokens"], URL, ["certificate"]),
    (["--token-file", "{}/open", "--ca", "{}/ca.pem"], URL, ["chmod 600"]),
    (["--token-file", "{}/tokens"], URL.replace("https", "http"), ["plain TCP", "https://"]),
    (["--token-file", "{}/tokens", "--insecure"], URL.replace("https", "http"), ["172.31.0.2"]),
], ids=["wrong token", "no token", "wrong CA", "no CA", "open token file", "plain", "plain and insecure"])
def test_client_that_is_not_trusted_is_refused_with_one_sentence(lab, strangers, arguments, server, words):
    result = viaduct(lab, *(argument.format(strangers) for argument in arguments), "get", "vpcs", server=server)
    assert_one_sentence(result, "viaduct", *words)


@pytest.mark.parametrize("option, value, words", [
    ("--token-file", "{}/wrong", ["172.31.0.1:2379", "token is not one of the daemon's"]),
    ("--token-file", "{}/open", ["{}/open", "chmod 600"]),
    ("--tls-ca", "{}/stranger.pem", ["172.31.0.1:2379", "do not trust each other", "certificate"]),
    ("--store", "etcd://172.31.0.1:2379", ["etcd://172.31.0.1:2379", "plain TCP", "etcds://"]),
], ids=["wrong token", "open token file", "wrong CA", "plain"])
def test_daemon_that_is_not_trusted_is_refused_with_one_sentence(lab, strangers, option, value, words):
    """The host that it had made stands, and its traffic goes on."""
    host = lab.host("h2")
    command = [str(part) for part in host.daemon_command()]
    command[command.index(option) + 1] = value.format(strangers)
    host.stop()
    try:
        result = run(*host.command(command), check=False, timeout=60)
        assert_one_sentence(result, "viaductd", *(word.format(strangers) for word in words))
        assert lab.instance("a").ping("10.0.2.2", count=2).received == 2
    finally:
        host.start()


def test_questions_are_passed_between_hosts(lab):
    """R-OPS-3, R-OPS-8: trace, capture, flows, drops and detach for a port on the other host."""
    host = lab.host("h1")
    trace = host.viaduct("trace", "a", "b").stdout
    assert "host h1" in trace and "host h2" in trace and "port b on host h2, subnet two" in trace and trace.splitlines()[-1] == "delivered to port b"
    assert host.viaduct("drops", "--host", "h2").returncode == 0
    pcap = lab.directory / "b.pcap"
    capture = host.launch(*host.command(["viaduct", "capture", "b", "-w", str(pcap), "-c", "2"])[3:])
    try:
        wait_until(lambda: lab.instance("a").ping("10.0.2.2").received and capture.poll() is not None, "two packets are captured")
    finally:
        capture.kill()
        capture.wait()
    data = pcap.read_bytes()
    assert struct.unpack("<I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D) and len(data) > 24 + 2 * (16 + 98) - 1
    assert "10.0.1.2" in host.viaduct("flows", "--port", "b").stdout
    host.viaduct("detach", "b")
    assert lab.instance("a").ping("10.0.2.2", timeout=0.5).received == 0
    lab.instance("b").attach()
    wait_until(lambda: lab.instance("a").ping("10.0.2.2", timeout=0.5).received, "b is attached again")


def test_capture_merges_ports_of_both_hosts(lab):
    """R-OPS-8: one file with what one host's port sent and what the other's received."""
    host, pcap = lab.host("h1"), lab.directory / "both.pcap"
    capture = host.launch(*host.command(["viaduct", "capture", "a", "b", "-w", str(pcap)])[3:])
    try:
        wait_until(lambda: lab.instance("a").ping("10.0.2.2").received and seen_twice(pcap), "both hosts' packets are there")
    finally:
        capture.kill()
        capture.wait()
    limited = host.viaduct("capture", "a", "nobody", "-w", pcap, check=False)
    assert_one_sentence(limited, "viaduct", "nobody")
    capture = host.launch(*host.command(["viaduct", "capture", "a", "b", "-c", "5", "-w", str(pcap)])[3:])
    try:
        wait_until(lambda: lab.instance("a").ping("10.0.2.2").received and capture.poll() is not None, "five packets end it")
    finally:
        capture.kill()
    assert capture.wait() == 0 and len(list(packets(pcap))) == 5


def packets(path):
    """The frames in a pcap file that is perhaps still being written."""
    data, offset = path.read_bytes() if path.exists() else b"", 24
    while len(data) >= offset + 16 + (size := struct.unpack_from("=I", data, offset + 8)[0] if len(data) >= offset + 16 else 0) and size:
        yield data[offset + 16:offset + 16 + size]
        offset += 16 + size


def seen_twice(path):
    """Whether a request of a's is there as its own host saw it, and b's."""
    requests = [frame for frame in packets(path) if frame[12:14] == b"\x08\x00" and frame[26:30] == socket.inet_aton("10.0.1.2")]
    return any(requests.count(frame) == 2 for frame in requests)


def content(path):
    """Of a file; nothing of what is none, or went away meanwhile: daemons write beside a file and then rename."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b""
    return b""


def test_tokens_are_kept_secret(lab):
    """R-OPS-3: in no log, no listing, no process's arguments or environment, no file that others may read."""
    token = lab.credentials.tokens.read_text().strip()
    host = lab.host("h1")
    said = [host.log(), lab.host("h2").log()]
    said += [host.viaduct(*words).stdout for words in (
        ["get", "hosts", "-o", "json"], ["describe", "host", "h2"], ["status", "-o", "json"], ["get", "vpcs", "-o", "yaml"])]
    assert all(said), "something said nothing at all: the search proves nothing"
    for node in lab.hosts.values():
        said += [pathlib.Path(f"/proc/{node.pid}/{what}").read_text(errors="replace") for what in ("cmdline", "environ")]
    assert not [text for text in said if token in text]
    found = [path for path in lab.directory.rglob("*") if lab.bpf_directory not in path.parents and path.parent.name != "netns"
             and path.name != "open" and token.encode() in content(path)]
    assert found == [lab.credentials.tokens] and not found[0].stat().st_mode & 0o077
