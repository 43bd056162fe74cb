#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the arrows of design.md section 2: which folder may include which, and who may know which system library."""

import pathlib
import re
import sys

# folder -> the folders of ours that its files may include. Every folder may include itself.
MAY_KNOW = {
    "src/base": set(),
    "src/plan": {"base"},
    "src/model": {"base", "abi"},
    "src/store": {"base", "model"},
    "src/containers": {"base"},
    "src/compile": {"base", "model", "plan"},
    "src/datapath": {"base", "plan", "abi"},
    "src/host": {"base", "plan", "abi"},
    "src/services": {"base"},
    "src/cloud": {"base", "plan"},
    "src/api": {"base", "model", "store", "compile", "plan", "containers"},
    "src/client": {"base", "containers", "docker"},
    "src/cni": {"base"},
    "src/docker": {"base"},
    "src/agent": {"base", "model", "store", "compile", "plan", "datapath", "host", "services", "cloud", "api", "containers", "docker"},
    "cmd": {"base", "model", "store", "compile", "plan", "datapath", "host", "services", "agent", "api", "client", "cni", "docker", "containers"},
    "bpf": {"abi", "lib"},
    "bpf/abi": {"abi"},
    "bpf/lib": {"abi", "lib"},
}

# agent and api meet in the store and in this one interface.
AGENT_MAY_INCLUDE_OF_API = {"api/live.h"}

# … and of Docker only how it is asked.
ENGINE_ONLY = {"src/agent", "src/client"}

# What api and client know of containers: the words of refusals.
CODE_ONLY = {"src/api", "src/client"}

# system header -> the only folders that may include it.
ONLY = [
    (r"bpf/(bpf|libbpf|btf)\.h$", {"src/datapath"}),
    (r"linux/bpf\.h$", {"src/datapath", "bpf", "bpf/lib"}),
    (r"bpf/bpf_\w+\.h$", {"bpf", "bpf/lib"}),
    (r"netlink/|linux/(rtnetlink|netlink|if_link|if_addr|neighbour)\.h$", {"src/host"}),
    (r"sqlite3\.h$", {"src/store", "src/containers"}),
    (r"nftables/|linux/netfilter", {"src/host"}),
    (r"curl/", {"src/store", "src/client", "src/api", "src/docker"}),
    (r"microhttpd\.h$", {"src/api", "src/services", "src/docker"}),
    (r"ldns/|unbound\.h$", {"src/services"}),
    (r"yaml\.h$", {"src/model"}),
]

# Pure folders: bytes in, bytes out.
PURE = {"src/model", "src/compile", "src/plan"}
IMPURE = re.compile(
    r"^(sys/(socket|stat|ioctl|mman|wait|un|epoll|mount)|net/|unistd|fcntl|poll|pthread|threads|dirent|sched|signal|uv|curl/|sqlite3|"
    r"microhttpd|linux/(if|rtnetlink|netlink|bpf))"
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """The longest folder of MAY_KNOW that holds the path (relative, with slashes)."""
    fits = [folder for folder in MAY_KNOW if path.startswith(folder + "/")]
    return max(fits, key=len) if fits else None


def check_file(path, text):
    """Sentences about one file; path is relative to the root."""
    folder = folder_of(path)
    if folder is None:
        return [f"{path}: lies in no folder of design.md section 2"]
    own = folder.rsplit("/", 1)[-1]
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, name = match.group(1) == '"', match.group(2)
        where = f"{path}:{number}"
        if quoted:
            if "/" not in name:
                if name.endswith(".skel.h"):
                    if folder != "src/datapath":
                        findings.append(f"{where}: {name}: only src/datapath knows the programs")
                elif not folder.startswith("bpf"):
                    findings.append(f'{where}: "{name}" must be written with its folder')
                continue
            target = name.split("/", 1)[0]
            if target == own and folder.startswith(("src", "bpf")):
                continue
            if folder == "cmd" and target == "cmd":
                continue
            if target not in MAY_KNOW[folder]:
                findings.append(f"{where}: {folder} may not include {name}")
            elif folder in CODE_ONLY and target == "containers" and name != "containers/code.h":
                findings.append(f"{where}: {folder} knows of containers only containers/code.h, not {name}")
            elif folder in ENGINE_ONLY and target == "docker" and name != "docker/engine.h":
                findings.append(f"{where}: {folder} knows of docker only docker/engine.h, not {name}")
            elif folder == "src/agent" and target == "api" and name not in AGENT_MAY_INCLUDE_OF_API:
                findings.append(f"{where}: agent knows of api only {', '.join(AGENT_MAY_INCLUDE_OF_API)}, not {name}")
            continue
        for pattern, folders in ONLY:
            if re.match(pattern, name) and folder not in folders:
                findings.append(f"{where}: <{name}> only in {', '.join(sorted(folders))}")
        if folder in PURE and IMPURE.match(name):
            findings.append(f"{where}: {folder} is pure, <{name}> is not")
    return findings


def check(root):
    root = pathlib.Path(root)
    findings = []
    for top in ("src", "cmd", "bpf"):
        for path in sorted((root / top).rglob("*.[ch]")):
            findings += check_file(path.relative_to(root).as_posix(), path.read_text())
    return findings


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    findings = check(root)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
