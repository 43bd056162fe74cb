# SPDX-License-Identifier: Apache-2.0
"""When `--wait` returns the next packet obeys; and nobody rides on a neighbour's cached flow."""

import contextlib
import pathlib
import socket
import time

import pytest
from scapy.all import ICMP, IP, UDP, Ether, raw

from lab import LabError, wait_until
from traffic import Datagrams

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = "exactness.yaml"
SEED = (ROOT / "examples" / "seed-002.yaml").read_text()



@pytest.mark.parametrize("source, target, address, route", [
    ("ecs1-c", "ecs2-c", "10.0.3.2", "demo/10.0.3.0/24"),
    ("ecs2-c", "ecs1-c", "10.0.2.2", "demo/10.0.2.0/24"),
])
def test_a_running_flow_obeys_a_route_with_its_next_packet(lab, source, target, address, route):
    flow = Datagrams(lab.node(source), lab.node(target), address)
    try:
        for _ in range(5):
            flowing = flow.go_on()
            lab.host("h1").viaduct("delete", "route", route, "--wait")
            closed = flow.number
            still_closed = flow.go_on()
            lab.host("h1").apply(SEED)
            opened = flow.number
            last = flow.go_on()
            # Two CPUs may change the order of two packets: the last one's arrival says nothing of those before it.
            due = {flowing, *range(opened + 1, last + 1)}
            with contextlib.suppress(LabError):
                wait_until(lambda: due <= set(flow.arrived), "what must arrive has", seconds=10)
            arrived = set(flow.arrived)
            assert not due - arrived, f"sent before {closed} or after {opened}, and lost"
            assert not [number for number in arrived if closed < number <= still_closed]
    finally:
        flow.stop()


def mac_of(lab, port):
    return lab.host("h1").resource("ports", port)["assigned"]["mac"]


def drops_of(lab, host, port):
    return [drop["reason"] for drop in lab.host(host).live("drops")["recent"] if drop.get("port") == port]


def test_a_neighbours_flow_in_the_cache_lets_no_spoofer_through(lab):
    victim, neighbour, target = lab.instance("ecs1"), lab.instance("neighbour"), lab.instance("ecs2")
    receiver = target.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("192.168.0.3", 9000))
    sender = victim.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("192.168.0.2", 9001))
    for number in range(20):
        sender.sendto(b"victim", ("192.168.0.3", 9000))
        assert receiver.recv(64) == b"victim"

    macs = {name: mac_of(lab, name) for name in ("ecs1", "ecs2", "neighbour")}
    for source_mac, reason in ((macs["neighbour"], "source_address"), (macs["ecs1"], "source_mac")):
        frame = raw(Ether(src=source_mac, dst=macs["ecs2"]) / IP(src="192.168.0.2", dst="192.168.0.3") / UDP(sport=9001, dport=9000) / b"spoof")
        for _ in range(20):
            neighbour.send("eth0", frame)
            sender.sendto(b"victim", ("192.168.0.3", 9000))
            assert receiver.recv(64) == b"victim"
        assert reason in drops_of(lab, "h1", "neighbour")
    receiver.settimeout(0.5)
    with pytest.raises(TimeoutError):
        receiver.recv(64)


def test_a_victims_mac_does_not_help_with_ones_own_address(lab, reach):
    target, neighbour = lab.instance("ecs2"), lab.instance("neighbour")
    reach(neighbour, "192.168.0.3")
    assert neighbour.ping("192.168.0.3", count=3).received == 3
    frame = raw(Ether(src=mac_of(lab, "ecs1"), dst=mac_of(lab, "ecs2")) / IP(src="192.168.0.9", dst="192.168.0.3") / ICMP(id=77) / b"spoof")
    with target.capture("eth0") as frames:
        for _ in range(10):
            neighbour.send("eth0", frame)
        time.sleep(0.1)
        assert neighbour.ping("192.168.0.3").received == 1, "what was sent before has come, if it comes"
    assert not [frame for frame in frames if b"spoof" in frame]
