# SPDX-License-Identifier: Apache-2.0
"""A store that is lost for longer than a lease, and a host that is: traffic goes on, and what was missed is made good (R-OPS-5, 7)."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from lab.world import Lab, wait_until
from traffic import Flood

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGER_THAN_A_LEASE = 13
ROUTE = """
kind: route
vpc: demo
destination: 10.9.{}.0/24
next_hop: {{address: 192.168.0.3}}
"""


@pytest.fixture(scope="module", params=["two_hosts", "etcd"])
def lab(request, reach):
    with Lab.from_file(ROOT / "lab" / f"{request.param}.yaml", name=f"away{request.param[:3]}") as running:
        reach(running.node("ecs1-c"), "10.0.3.2")
        yield running


def destinations(host):
    return {route["name"].split("/", 1)[1] for route in host.ask("GET", "/v1/routes")["items"]}


def obeys(host, destination):
    return destination in host.live("plan")["text"]


def alive(host):
    return {item["name"]: item["alive"] for item in host.ask("GET", "/v1/status")["hosts"]}


def stores(lab):
    """Whose processes are the store."""
    return list(lab.etcd.values()) or [lab.host("h1")]


@contextlib.contextmanager
def stopped(processes):
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


@contextlib.contextmanager
def unbroken(lab):
    """Pings between the containers on the two hosts, of which none is lost meanwhile."""
    flood = Flood(lab.node("ecs1-c"), "10.0.3.2", interval=0.01)
    yield
    sent, received = flood.stop()
    assert sent > 10 and sent - received <= 1  # the last one may be under way


def test_host_that_is_away_is_not_waited_for_and_makes_good_what_it_missed(lab):
    """R-OPS-5, 7: its daemon hangs for longer than its lease; the others are told, and it obeys everything afterwards."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    with unbroken(lab):
        with stopped([h2]):
            wait_until(lambda: not alive(h1)["h2"], "the lease of h2 ends", seconds=30)
            said = h1.apply(ROUTE.format(1))
            assert "host h2 has not been heard of since" in said.stderr and "not waited for" in said.stderr
            h1.viaduct("delete", "route", "demo/10.9.1.0/24", "--wait")
            h1.apply(ROUTE.format(2))
        wait_until(lambda: alive(h1)["h2"], "h2 lives again", seconds=30)
        assert "not been heard" not in h1.apply(ROUTE.format(3)).stderr
        assert obeys(h2, "10.9.2.0/24") and obeys(h2, "10.9.3.0/24") and not obeys(h2, "10.9.1.0/24")


def test_store_that_hangs_and_comes_back_loses_nothing(lab):
    """R-OPS-5, 7: what is known can be read meanwhile, a change waits; afterwards both hosts live and obey."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    with unbroken(lab):
        with stopped(stores(lab)):
            document = lab.directory / "waits.yaml"
            document.write_text(ROUTE.format(4))
            waits = subprocess.Popen(list(map(str, h2.command(["viaduct", "apply", "-f", document]))), stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
            assert "10.9.2.0/24" in destinations(h2)
            time.sleep(LONGER_THAN_A_LEASE)
            assert waits.poll() is None
        assert waits.wait(timeout=60) == 0, waits.stdout.read()
        h2.apply(ROUTE.format(5))
        wait_until(lambda: alive(h1) == alive(h2) == {"h1": True, "h2": True}, "both live", seconds=30)
        h2.apply(ROUTE.format(6))
        for host in (h1, h2):
            assert all(obeys(host, f"10.9.{number}.0/24") for number in (4, 5, 6))


def test_daemon_that_starts_without_its_store_waits_for_it(lab):
    """R-OPS-5: what stands in the kernel works on; SIGTERM ends the wait; the store's return ends it, too."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    h2.stop()
    h1.viaduct("apply", "-f", "-", input=ROUTE.format(7))
    members = stores(lab)
    with unbroken(lab):
        for member in members:
            member.kill9()
        for end in (h2.stop, h2.kill9, lambda: None):
            already = h2.log().count("trying again until it answers")
            h2.start(wait=False)
            wait_until(lambda: h2.log().count("trying again until it answers") > already, "h2 says that it waits", seconds=30)
            assert h2.is_running()
            end()
        for member in members:
            member.start(wait=False)
        for member in members:
            member.wait_ready()
        h2.wait_ready(seconds=40)
        wait_until(lambda: alive(h1) == {"h1": True, "h2": True}, "both live", seconds=30)
        h1.apply(ROUTE.format(8))
        assert obeys(h2, "10.9.8.0/24") and obeys(h2, "10.9.7.0/24")


def test_daemon_ends_in_time_without_its_store(lab):
    """R-OPS-5: a stop does not wait for a store that is away."""
    h2 = lab.host("h2")
    with stopped(stores(lab)):
        wait_until(lambda: "does not take this host's reports" in h2.log().rpartition("is ready")[2], "h2 notices", seconds=30)
        begun = time.monotonic()
        h2.stop()
        assert time.monotonic() - begun < 10, "systemd would have killed it"
    h2.start()
