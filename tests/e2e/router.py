# SPDX-License-Identifier: Apache-2.0
"""The routers' processes on a host of the lab, and what the kernel lets them use."""

import pathlib

CGROUP = pathlib.Path("/sys/fs/cgroup")


def routers(host):
    """The pids of this host's viaduct-router processes."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if arguments and arguments[0].endswith("viaduct-router") and any(str(host.run_directory) in part for part in arguments):
            found.append(int(entry.name))
    return sorted(found)


def groups_of(pid):
    """Controller -> directory, of version 1; "" -> directory, of version 2."""
    groups = {}
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def directory_of(pid, controller):
    groups = groups_of(pid)
    if controller not in groups:
        return next(path for path in (CGROUP / groups[""][1:], CGROUP / "unified" / groups[""][1:]) if path.exists())
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup " in line]
    mount = next(fields[4] for fields in mounts if controller in fields[-1].split(","))
    return pathlib.Path(mount) / groups[controller][1:]


def limits(pid):
    """(thousandths of a core, bytes); (0, 0) before it is in a group of its own."""
    if "viaduct" not in groups_of(pid).get("cpu", groups_of(pid).get("", "")):
        return 0, 0
    cpu, memory = directory_of(pid, "cpu"), directory_of(pid, "memory")
    if (cpu / "cpu.max").exists():
        quota, period = (cpu / "cpu.max").read_text().split()
        return int(quota) * 1000 // int(period), int((memory / "memory.max").read_text())
    quota, period = (int((cpu / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))
    return quota * 1000 // period, int((memory / "memory.limit_in_bytes").read_text())
