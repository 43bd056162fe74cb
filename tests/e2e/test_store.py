# SPDX-License-Identifier: Apache-2.0
"""Two hosts on one store: sqlite served by the first, and an ordinary etcd cluster (R-OPS-7)."""

import contextlib
import pathlib
import subprocess
import time

import pytest

from lab.namespace import run
from lab.world import Lab, wait_until
from traffic import Flood

LONGER_THAN_A_CALL = 6  # seconds: CALL_MS of src/store/etcd.c, and one
ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUTE = """
kind: route
vpc: demo
destination: 10.9.{}.0/24
next_hop: {{address: 192.168.0.3}}
"""


@pytest.fixture(scope="module", params=["two_hosts", "etcd"])
def lab(request, reach):
    with Lab.from_file(ROOT / "lab" / f"{request.param}.yaml", name=f"store{request.param[:3]}") as running:
        reach(running.node("ecs1-c"), "10.0.3.2")
        yield running


def destinations(host):
    return {route["name"].split("/", 1)[1] for route in host.ask("GET", "/v1/routes")["items"]}


def test_both_hosts_work_on_the_same_store(lab):
    assert lab.node("ecs1-c").ping("10.0.3.2", count=3).received == 3
    lab.host("h2").apply(ROUTE.format(1))
    assert "10.9.1.0/24" in destinations(lab.host("h1"))
    lab.host("h1").viaduct("delete", "route", "demo/10.9.1.0/24", "--wait")
    assert "10.9.1.0/24" not in destinations(lab.host("h2"))


def test_changes_from_both_hosts_at_once_are_all_kept(lab):
    commands = [lab.host(host).command(["viaduct", "apply", "--wait", "-f", "-"]) for host in ("h1", "h2")]
    running = []
    for number in range(20, 36):
        process = subprocess.Popen([str(part) for part in commands[number % 2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        process.stdin.write(ROUTE.format(number))
        process.stdin.close()
        running.append(process)
    for process in running:
        assert process.wait(timeout=60) == 0, process.stdout.read()
    expected = {f"10.9.{number}.0/24" for number in range(20, 36)}
    for host in ("h1", "h2"):
        assert expected <= destinations(lab.host(host))


@contextlib.contextmanager
def unanswered(store, client):
    """Connections come about and requests arrive, but none is answered."""
    table = "table ip lab_unanswered"
    store.run("nft", "-f", "-", input=f"{table} {{\nchain output {{\ntype filter hook output priority 0\n"
                                      f"tcp sport 2379 ip daddr {client.layout.underlay} ip length > 100 drop\n}}\n}}\n")
    try:
        yield
    finally:
        store.run("nft", "delete", *table.split())


def test_an_attachment_whose_answer_is_lost_stands(lab):
    """R-OPS-7: the write was done, the daemon cannot know: it asks again, and finds its own."""
    if lab.etcd:
        pytest.skip("one of three members answers")
    h1, h2 = lab.host("h1"), lab.host("h2")
    is_attached = lambda: h1.resource("ports", "ecs2").get("attachment")  # noqa: E731
    h2.viaduct("detach", "ecs2")
    wait_until(lambda: not is_attached(), "ecs2 is detached")
    with unanswered(h1, h2):
        attach = subprocess.Popen(h2.command(["viaduct", "attach", "ecs2", "--netns", lab.instance("ecs2").path]),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_until(is_attached, "the store has it")
        time.sleep(LONGER_THAN_A_CALL)
    said = attach.communicate(timeout=60)[0]
    assert attach.returncode == 0, said
    assert lab.node("ecs1-c").ping("10.0.3.2", count=2).received == 2


def test_a_second_daemon_of_a_living_hosts_name_is_told_so(lab):
    host = lab.host("h2")
    command = [str(part) for part in host.daemon_command()]
    other = host.directory / "second"
    other.mkdir()
    command[command.index("--run-dir") + 1] = str(other)
    command[command.index("--bpf-dir") + 1] += "-second"
    result = run(*host.command(command), check=False, timeout=60)
    assert result.returncode == 1
    assert "another live daemon holds this name" in result.stderr
    assert lab.node("ecs1-c").ping("10.0.3.2", count=2).received == 2


def test_an_etcd_member_killed_under_change_loses_nothing(lab):
    if not lab.etcd:
        pytest.skip("sqlite has one member")
    flood = Flood(lab.node("ecs1-c"), "10.0.3.2", interval=0.01)
    for number in range(50, 80):
        if number == 60:
            lab.etcd["e1"].kill9()
        lab.host(("h1", "h2")[number % 2]).apply(ROUTE.format(number))
    sent, received = flood.stop()
    assert sent - received <= 1
    expected = {f"10.9.{number}.0/24" for number in range(50, 80)}
    for host in ("h1", "h2"):
        assert expected <= destinations(lab.host(host))
    lab.etcd["e1"].start()
    lab.host("h1").viaduct("delete", "route", "demo/10.9.79.0/24", "--wait")
    wait_until(lambda: "10.9.79.0/24" not in destinations(lab.host("h2")), "h2 sees the deletion")
