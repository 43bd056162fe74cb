# SPDX-License-Identifier: Apache-2.0
"""A hundred nodes join, thirty die at once, thirty others come: real agents, store and leases, kernels written down (tests/nodes/)."""

import collections
import json
import subprocess
import threading
import time

import pytest

from lab import wait_until
from lab.host import build_directory

LAB = """
name: many
etcd:
  e1: {addresses: [172.31.0.11/24]}
hosts:
  h1: {addresses: [172.31.0.1/24]}
instances: {}
"""

NODES, PROCESSES, DEAD_PROCESSES = 100, 10, 3
EACH = NODES // PROCESSES
QUARANTINE = 20
NETWORK = f"""
kind: container_network
name: pods
cidrs: [10.64.0.0/16]
block_size: 24
mode: routed
provider: host
quarantine: {QUARANTINE}
"""

pytestmark = pytest.mark.slow


class Agents:
    """A process with some of the nodes; events hold what they wrote down."""

    def __init__(self, host, first, count, events):
        self.names = [f"n{number}" for number in range(first, first + count)]
        directory = host.directory / "agents"
        directory.mkdir(exist_ok=True)
        command = [build_directory() / "tests/nodes/viaduct-agents", "etcd://172.31.0.11:2379", directory, "n", first, count]
        self.process = subprocess.Popen(host.command(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=open(directory / f"log{first}", "w"), text=True)
        threading.Thread(target=lambda: [events.append(json.loads(line)) for line in self.process.stdout], daemon=True).start()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Crowd:
    def __init__(self, host):
        self.host, self.events, self.agents = host, [], []
        self.gone = {}  # name: when its lease had ended

    def start(self, first, count):
        """A process's daemons at once; those of the next one when they are ready: two cores are not a hundred machines."""
        agents = Agents(self.host, first, count, self.events)
        self.agents.append(agents)
        wait_until(lambda: set(agents.names) <= {event["host"] for event in list(self.events) if event["event"] == "ready"},
                   f"{agents.names[0]} to {agents.names[-1]} are ready", 300)
        return agents

    def living(self):
        return [name for agents in self.agents if agents.process.poll() is None for name in agents.names]

    def join(self, names):
        wait_until(lambda: set(names) <= {item["name"] for item in self.host.ask("GET", "/v1/hosts")["items"]}, "all declared", 300)
        self.host.viaduct("apply", "-f", "-", timeout=300,
                          input="".join(f"---\nkind: node\nname: {name}\ncontainer_networks: [pods]\n" for name in names))

    def blocks(self):
        """{cidr: node} of those held, and the cidrs in quarantine."""
        held, quarantined = {}, set()
        for item in self.host.ask("GET", "/v1/container_blocks")["items"]:
            cidr = item["document"]["cidr"]
            if item["assigned"].get("state") == "quarantined":
                quarantined.add(cidr)
            else:
                assert cidr not in held, "a block of two nodes"
                held[cidr] = item["document"]["node"]
        return held, quarantined

    def routes(self, events=None):
        """{node: {prefix: how often it was added, less how often removed}}"""
        routes = collections.defaultdict(collections.Counter)
        for event in list(self.events if events is None else events):
            if event.get("kind") == "host_route":
                routes[event["host"]][event["prefix"]] += {"add": 1, "remove": -1, "change": 0}[event["event"]]
        return routes

    def settled(self):
        """Every living node has a route to each block that is held, and to no other."""
        held = set(self.blocks()[0])
        routes = self.routes()
        return all({prefix for prefix, count in routes[name].items() if count} == held for name in self.living())

    def watch_leases(self, names):
        """Notes when the store forgot each of these nodes."""
        while not set(names) <= set(self.gone):
            said = self.host.run("etcdctl", "--endpoints", "http://172.31.0.11:2379", "get", "--prefix", "--keys-only",
                                 "/viaduct/v1/status/alive/", env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, check=False)
            alive = {line.rsplit("/", 1)[1] for line in said.stdout.split() if line}
            for name in names:
                if said.returncode == 0 and name not in alive:
                    self.gone.setdefault(name, time.time())
            time.sleep(0.2)


@pytest.fixture(scope="module")
def crowd(lab):
    built = Crowd(lab.hosts["h1"])
    built.host.apply(NETWORK)
    yield built
    for agents in built.agents:
        agents.kill()


def test_hundred_nodes_join_and_each_join_costs_the_others_one_route(crowd):
    """R-CTR-2 R-CTR-3"""
    for index in range(PROCESSES):
        crowd.start(1 + index * EACH, EACH)
    crowd.join(crowd.living())
    wait_until(lambda: len(crowd.blocks()[0]) == NODES, "every node has a block", 300)
    wait_until(crowd.settled, "every node has all routes", 120)
    assert sorted(crowd.blocks()[0].values()) == sorted(crowd.living())
    added = collections.Counter((event["host"], event["prefix"]) for event in crowd.events
                                if event.get("kind") == "host_route" and event["event"] == "add")
    assert len(added) == NODES * NODES and set(added.values()) == {1}, "a join costs each node one route, once"
    assert not [event for event in crowd.events if event.get("kind") == "host_route" and event["event"] != "add"]


def test_one_more_join_changes_a_constant_number_of_things(crowd):
    """R-CTR-3: what one node's join makes every other node do, counted."""
    before = len(crowd.events)
    crowd.join([name for name in [crowd.start(901, 1).names[0]]])
    wait_until(lambda: len(crowd.blocks()[0]) == NODES + 1, "the new node has a block", 120)
    wait_until(crowd.settled, "every node has its route", 120)
    steps = collections.Counter()
    for event in list(crowd.events[before:]):
        if event["event"] == "applied" and event["host"] != "n901":
            steps[event["host"]] += event["steps"]
    print("steps of the plan for each of the others:", sorted(collections.Counter(steps.values()).items()))
    assert len(set(steps.values())) == 1 and max(steps.values()) <= 4
    late = [event for event in crowd.events[before:] if event.get("kind") == "host_route" and event["host"] != "n901"]
    assert len(late) == NODES


def test_thirty_die_and_their_routes_are_gone_within_five_seconds_of_their_leases(crowd):
    """R-CTR-3: no route to a dead node 5 s after its lease ended; blocks in quarantine are nobody's."""
    dead = [agents for agents in crowd.agents[:DEAD_PROCESSES]]
    names = [name for agents in dead for name in agents.names]
    lost = {cidr for cidr, node in crowd.blocks()[0].items() if node in names}
    assert len(lost) == EACH * DEAD_PROCESSES
    watcher = threading.Thread(target=crowd.watch_leases, args=(names,), daemon=True)
    watcher.start()
    before = len(crowd.events)
    for agents in dead:
        agents.kill()
    wait_until(lambda: crowd.settled() and not lost & set(crowd.blocks()[0]), "the living have no route to the dead", 90)
    held, quarantined = crowd.blocks()
    watcher.join(timeout=30)
    assert set(names) <= set(crowd.gone)
    assert quarantined == lost and not lost & set(held)
    last = max(event["time"] for event in crowd.events[before:] if event.get("kind") == "host_route")
    print(f"last route gone {last - max(crowd.gone.values()):.1f} s after the last lease ended")
    assert last - max(crowd.gone.values()) <= 5


def test_others_come_and_no_block_is_given_twice_nor_leaked(crowd):
    """R-CTR-2"""
    held, quarantined = crowd.blocks()
    crowd.join([name for index in range(DEAD_PROCESSES) for name in crowd.start(201 + index * EACH, EACH).names])
    wait_until(lambda: len(crowd.blocks()[0]) == NODES + 1, "every new node has a block", 120)
    now, still = crowd.blocks()
    assert held.items() <= now.items(), "who lives keeps its block"
    assert not (set(now) - set(held)) & still, "quarantine holds"
    wait_until(crowd.settled, "every node has all routes", 120)
    wait_until(lambda: not crowd.blocks()[1], "quarantine ends", QUARANTINE + 60)
    assert len(crowd.blocks()[0]) == NODES + 1
    # A block that two nodes ever held at the same time would show here: from a node's claim of it until its death.
    holders = collections.defaultdict(list)
    for event in crowd.events:
        if event.get("kind") == "block" and event["event"] == "add":
            holders[event["prefix"]].append(event["host"])
    twice = {prefix: names for prefix, names in holders.items() if len(set(names) & set(crowd.living())) > 1}
    assert not twice
