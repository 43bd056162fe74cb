# SPDX-License-Identifier: Apache-2.0
"""Traffic goes on when its daemon is killed, started again, or replaced by another build (R-OPS-5, the daemon's half); and what the
security groups in force refuse stays refused.
"""

import pathlib
import time

import pytest

from lab.host import binary_path
from lab.world import Lab, wait_until
from policy import documents, rule
from traffic import Datagrams, Flood, Stream

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Both ways, both families of rules; the stream's port is 5001. UDP is what they refuse.
GROUPS = documents([
    {"kind": "security_group", "name": "nodes"},
    rule("nodes", "ingress", "icmp", remote_cidr="10.0.2.0/23"), rule("nodes", "ingress", "tcp", ports="5000-5007", remote_cidr="10.0.2.0/23"),
    rule("nodes", "egress", "icmp"), rule("nodes", "egress", "tcp", port=5001, remote_cidr="10.0.2.0/23"),
    *({"kind": "port", "name": name, "subnet": "nodes", "addresses": [address], "source_check": False, "security_groups": ["nodes"]}
      for name, address in (("ecs1", "192.168.0.2"), ("ecs2", "192.168.0.3")))])


@pytest.fixture(scope="module")
def lab(reach):
    with Lab.from_file(ROOT / "lab" / "two_hosts.yaml", name="restart") as running:
        running.host("h1").apply(GROUPS)
        reach(running.node("ecs1-c"), "10.0.3.2")
        yield running


@pytest.fixture(autouse=True)
def all_well(lab):
    """Afterwards, for the next test: both daemons run."""
    yield
    for host in lab.hosts.values():
        if not host.is_running():
            host.start()


def status(lab):
    return lab.host("h1").live("status")


def disturbed(lab, disturb):
    """What a flood of pings and a TCP stream between the containers on the two hosts lost while disturb() ran."""
    one, two = lab.node("ecs1-c"), lab.node("ecs2-c")
    floods = [Flood(one, "10.0.3.2"), Flood(two, "10.0.2.2")]
    stream = Stream(two, one, "10.0.3.2")
    refused = Datagrams(one, two, "10.0.3.2", interval=0.002)
    time.sleep(0.3)
    disturb()
    time.sleep(0.3)
    stream.stop()
    assert refused.stop().arrived == [] and refused.number > 100
    counts = [flood.stop() for flood in floods]
    assert stream.error is None
    assert stream.received == stream.sent > 0
    assert all(sent > 100 for sent, _ in counts)
    # The last one of a ping that is interrupted may still be under way.
    return sum(max(0, sent - received - 1) for sent, received in counts), stream.lost


def kill_twenty_times(lab):
    for turn in range(20):
        lab.host(("h1", "h2")[turn % 2]).restart()


def test_twenty_killed_daemons_lose_no_packet_and_no_connection(lab):
    quiet = disturbed(lab, lambda: time.sleep(5))
    killed = disturbed(lab, lambda: kill_twenty_times(lab))
    assert quiet[0] == 0, "the lab itself loses packets: nothing can be said"
    assert killed[0] == 0
    assert killed[1] <= quiet[1]


def test_a_start_after_a_kill_writes_nothing_to_the_maps_that_stood_right(lab):
    lab.host("h1").restart()
    wait_until(lambda: status(lab)["revision"], "h1 obeys a revision")
    assert status(lab)["map_writes"] == 0


def test_changes_made_while_a_host_was_away_are_made_good_at_its_start(lab):
    one = lab.node("ecs1-c")
    lab.host("h2").kill9()
    lab.host("h1").viaduct("delete", "route", "demo/10.0.2.0/24")
    assert one.ping("10.0.3.2", count=3).received == 3, "h2 still obeys what it knew"
    lab.host("h2").start()
    wait_until(lambda: one.ping("10.0.3.2").received == 0, "h2 obeys the deletion")
    lab.host("h1").apply("{kind: route, vpc: demo, destination: 10.0.2.0/24, next_hop: {address: 192.168.0.2}}")
    assert one.ping("10.0.3.2", count=3).received == 3


def test_another_build_with_larger_map_values_takes_over_without_loss(lab):
    following = binary_path("viaductd-next")
    builds = [status(lab)["datapath"]["build"]]

    def upgrade():
        for host in ("h1", "h2"):
            lab.host(host).restart(following)
            time.sleep(0.5)
        builds.append(status(lab)["datapath"]["build"])
        for host in ("h1", "h2"):
            lab.host(host).restart()
            time.sleep(0.5)

    quiet = disturbed(lab, lambda: time.sleep(4))
    upgraded = disturbed(lab, upgrade)
    assert builds[0] != builds[1], "the other build was not taken"
    assert quiet[0] == 0, "the lab itself loses packets: nothing can be said"
    assert upgraded[0] == 0
    assert upgraded[1] <= quiet[1]


def links(host):
    """name -> index, of the links on a host."""
    return {line.split()[1].split("@")[0].rstrip(":"): int(line.split(":")[0]) for line in host.ip("-o", "link").splitlines()}


def test_a_link_left_over_is_swept_though_another_hosts_has_its_number(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")

    def attached_again():
        h2.viaduct("detach", "ecs2")
        lab.instance("ecs2").attach()
        return max(index for name, index in links(h2).items() if name.startswith("vd"))

    index = wait_until(lambda: (found := attached_again()) not in links(h1).values() and found, "h2 has a number that is free on h1")
    h1.ip("link", "add", "stray", "index", str(index), "type", "bridge")
    h1.ip("link", "set", "stray", "alias", "viaduct:h1:port/4242")
    h1.restart()
    wait_until(lambda: "stray" not in links(h1), "the link is swept")
    wait_until(lambda: lab.node("ecs1-c").ping("10.0.3.2").received, "what is attached stays")
