#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""lab.py up FILE [--name NAME] | down NAME | down --all | exec NAME NODE COMMAND… | list

Builds hosts, instances and links in network namespaces from a YAML file, and takes them down without a trace.
NODE is a host, an instance, INSTANCE-CONTAINER, or a node outside. `exec NAME h1 viaduct …` talks to that host's daemon.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
from lab import Lab, LabError, leftovers  # noqa: E402  the package is found only now


def parse(arguments):
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="build the lab that a file describes")
    up.add_argument("file")
    up.add_argument("--name", help="instead of the file's own")
    up.add_argument("--no-daemons", action="store_true", help="only namespaces, links and addresses")
    down = commands.add_parser("down", help="take a lab down, whatever state it is in")
    down.add_argument("name", nargs="?")
    down.add_argument("--all", action="store_true", help="every lab of this machine")
    run = commands.add_parser("exec", help="run a command in a node of a lab that is up")
    run.add_argument("name")
    run.add_argument("node")
    run.add_argument("argv", nargs=argparse.REMAINDER)
    commands.add_parser("list", help="name what is up")
    options = parser.parse_args(arguments)
    if options.command == "down" and bool(options.name) == options.all:
        parser.error("down: name a lab, or --all")
    if options.command == "exec" and not options.argv:
        parser.error("exec: name a command")
    return options


def main(arguments):
    options = parse(arguments)
    if os.geteuid() != 0:
        raise LabError("network namespaces need root: run it with sudo")
    if options.command == "up":
        lab = Lab.from_file(options.file, name=options.name, daemons=not options.no_daemons)
        lab.up()
        print(f"{lab.name} is up: " + ", ".join([*lab.hosts, *lab.instances, *lab.outsiders]))
    elif options.command == "down":
        for name in leftovers() if options.all else [options.name]:
            Lab.take_down(name)
    elif options.command == "list":
        print("".join(f"{name}\n" for name in leftovers()), end="")
    else:
        lab = Lab.adopt(options.name)
        return subprocess.run(lab.node(options.node).command(options.argv)).returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        sys.exit(1)
