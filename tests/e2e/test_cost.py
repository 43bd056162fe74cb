# SPDX-License-Identifier: Apache-2.0
"""One change costs one change: counted, not timed."""

import base64
import json
import os
import pathlib
import socket
import threading
import time
import urllib.request

from lab.world import Lab, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = "cost.yaml"
PORTS = 10000
FLOWS = 1000



def put(host, pairs):
    """Facts straight into the store, as a host of 10,000 instances would put them; this machine has no room for their namespaces."""
    def encode(text):
        return base64.b64encode(text.encode()).decode()

    for start in range(0, len(pairs), 100):
        body = {"success": [{"request_put": {"key": encode(key), "value": encode(json.dumps(value))}} for key, value in pairs[start:start + 100]]}
        request = urllib.request.Request(f"http://{host.layout.underlay}:2379/v3/kv/txn", json.dumps(body).encode())
        host.inside(lambda: urllib.request.urlopen(request, timeout=30).read())


def endpoints(lab, host):
    return lab.host(host).live("plan")["text"].count("\nendpoint ")


def address(number):
    return f"10.4.{1 + number // 250}.{1 + number % 250}"


def fill(lab):
    host = lab.host("h1")
    host.apply("kind: host\nname: far\n")
    documents = "---\n".join(f"kind: port\nname: far{number}\nsubnet: wide\naddresses: [{address(number)}]\n" for number in range(PORTS))
    host.viaduct("apply", "--wait", "--timeout", 100, "-f", "-", input=documents, timeout=120)
    put(host, [("/viaduct/v1/fact/claim/default/far", {"machine_id": "far", "boot_id": "far", "underlay": "172.31.0.3", "underlay_mtu": 1500,
                                                       "addresses": ["172.31.0.3"], "version": "test"})])
    put(host, [(f"/viaduct/v1/fact/attachment/default/far{number}",
                {"host": "far", "boot_id": "far", "type": "netns", "ifindex": number + 1, "ifname": f"far{number}", "netns": "/far",
                 "netns_device": 1, "netns_inode": number + 1, "guest_ifname": "eth0", "dhcp": False}) for number in range(PORTS)])
    for name in ("h1", "h2"):
        wait_until(lambda: endpoints(lab, name) > PORTS, f"{name} knows {PORTS} endpoints", seconds=60)
    host.settle()


class Flows:
    """A thousand UDP flows between two instances, each sending all the time."""

    def __init__(self, source, target, to):
        self.receiver = target.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind((to, 8000))
        self.senders = [source.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(FLOWS)]
        for sender in self.senders:
            sender.connect((to, 8000))
        self.rounds, self.stopping = 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            for sender in self.senders:
                sender.send(b"flow")
            self.rounds += 1
            time.sleep(0.05)

    def settle(self):
        until = self.rounds + 3
        wait_until(lambda: self.rounds >= until, "three more rounds of every flow")

    def stop(self):
        self.stopping = True
        self.thread.join()
        for opened in [self.receiver, *self.senders]:
            opened.close()


def cost_of_adding(lab, name):
    """Map writes on each host for a port, its attachment included."""
    before = {host: lab.host(host).live("status")["map_writes"] for host in lab.hosts}
    lab.host("h1").apply(f"kind: port\nname: {name}\nsubnet: wide\n")
    lab.host("h1").viaduct("attach", name, "--netns", lab.instance(name).path)
    lab.host("h1").settle()
    assert endpoints(lab, "h2") == endpoints(lab, "h1")
    return {host: lab.host(host).live("status")["map_writes"] - before[host] for host in lab.hosts}


def test_a_port_among_ten_thousand_costs_what_a_port_among_two_costs(lab, reach):
    reach(lab.instance("a"), "10.4.200.2")  # what the lab itself brought is in every data plane
    lab.host("h1").settle()
    few = cost_of_adding(lab, "new1")
    assert lab.instance("new1").ping("10.4.200.2", count=1).received == 1
    fill(lab)
    flows = Flows(lab.instance("a"), lab.instance("b"), "10.4.200.2")
    try:
        flows.settle()
        misses = {host: lab.host(host).live("status")["counters"]["misses"] for host in lab.hosts}
        many = cost_of_adding(lab, "new2")
        flows.settle()
        for host in lab.hosts:
            assert lab.host(host).live("status")["counters"]["misses"] == misses[host], f"{host}: flows that nothing concerned were decided again"
    finally:
        flows.stop()
    assert many == few
    assert max(many.values()) <= 8
    assert lab.instance("new2").ping("10.4.200.2", count=1).received == 1
    for host in lab.hosts.values():
        assert host.daemon_rss() < 150 * 1024


def test_a_daemon_at_rest_is_small():
    with Lab.from_file(ROOT / "lab" / "two_hosts.yaml", name=f"rest{os.getpid()}") as small:
        for host in small.hosts.values():
            assert host.daemon_rss() < 30 * 1024
