# SPDX-License-Identifier: Apache-2.0
"""The lab's own BPF programs on provider segments: built when a lab with an outside comes up, pinned in its bpffs."""

import pathlib
import platform

from lab.namespace import run

SOURCE = pathlib.Path(__file__).resolve().parent / "wire.bpf.c"


class Wire:
    def __init__(self, lab):
        self.lab, self.object = lab, lab.directory / "wire.o"

    def load(self, name):
        """Programs and maps of their own, as files below the folder that comes back: "push", "pop" …; "maps/vlan" …"""
        if not self.object.exists():
            run("clang", "-O2", "-g", "-Wall", "-target", "bpf", f"-I/usr/include/{platform.machine()}-linux-gnu", "-c", SOURCE,
                "-o", self.object)
        folder = self.lab.bpf_directory / f"wire_{name}".replace(".", "_")  # bpffs takes no dots
        folder.mkdir()
        run("bpftool", "prog", "loadall", self.object, folder, "pinmaps", folder / "maps")
        return folder

    @staticmethod
    def attach(namespace, ifname, direction, program):
        """The namespace's interface gets it; direction is ingress or egress."""
        run("tc", "-n", namespace.name, "qdisc", "add", "dev", ifname, "clsact", check=False)
        run("tc", "-n", namespace.name, "filter", "add", "dev", ifname, direction, "bpf", "direct-action", "object-pinned", program)
