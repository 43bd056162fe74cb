# SPDX-License-Identifier: Apache-2.0
"""The daemon may die at any instruction: attaching, detaching and changing go on afterwards, and nothing is left over."""

import random
import subprocess
import time

from lab.world import wait_until

LAB = """
name: crash
hosts:
  h1: {addresses: [172.31.0.1/24]}
instances:
  i0: {ports: {i0: {host: h1, attach: false}}}
  i1: {ports: {i1: {host: h1, attach: false}}}
  i2: {ports: {i2: {host: h1, attach: false}}}
  i3: {ports: {i3: {host: h1, attach: false}}}
"""
INSTANCES = ["i0", "i1", "i2", "i3"]
DOCUMENTS = """
{kind: vpc, name: crash, cidrs: [10.3.0.0/16]}
---
{kind: subnet, name: crash, vpc: crash, cidrs: [10.3.0.0/24]}
---
""" + "\n---\n".join(f"{{kind: port, name: {name}, subnet: crash, addresses: [10.3.0.{10 + number}]}}" for number, name in enumerate(INSTANCES))
ROUNDS = 25


def state_of(lab):
    """Links of ours on the host, endpoints and ports of the plan, attachments of the store."""
    host = lab.host("h1")
    links = [line.split()[1].split("@")[0] for line in host.ip("-o", "link").splitlines()]
    plan = host.live("plan")["text"].splitlines()
    return {
        "links": sorted(name for name in links if name.startswith(("vd", "vr"))),
        "ports": sum(line.startswith("port ") for line in plan),
        "here": sum(" place=here" in line for line in plan),
        "routers": len(list((host.run_directory / "netns").glob("*"))) if (host.run_directory / "netns").exists() else 0,
        "attached": sorted(item["name"] for item in host.ask("GET", "/v1/ports")["items"] if item.get("attachment")),
    }


def test_a_daemon_killed_while_it_attaches_and_detaches_leaves_nothing_half_done(lab):
    """R-OPS-5: kills at random moments; the next start repairs what was cut."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    generator = random.Random(seed)
    host = lab.host("h1")
    for _ in range(ROUNDS):
        running = []
        for name in generator.sample(INSTANCES, 3):
            verb = generator.choice((["attach", name, "--netns", str(lab.instance(name).path)], ["detach", name]))
            running.append(subprocess.Popen([str(part) for part in host.command(["viaduct", *verb])], stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL))
        time.sleep(generator.random() * 0.12)
        host.kill9()
        for process in running:
            process.wait(timeout=60)
        host.start()

    def settled():
        state = state_of(lab)
        return state["ports"] == state["here"] == len(state["attached"]) == len(state["links"]) - state["routers"] and state

    wait_until(settled, "links, plan and store agree", seconds=20)
    for name in INSTANCES:
        host.viaduct("attach", name, "--netns", lab.instance(name).path)
    for name in INSTANCES[1:]:
        assert lab.instance("i0").ping(f"10.3.0.{10 + INSTANCES.index(name)}", count=2).received == 2
    for name in INSTANCES:
        host.viaduct("detach", name)
    wait_until(lambda: state_of(lab) == {"links": [], "ports": 0, "here": 0, "routers": 0, "attached": []}, "nothing is left")
