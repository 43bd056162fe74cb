#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Documentation that points to nothing: links of Markdown files, and the paths that they name in backquotes."""

import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# `src/model/subnet.c`, `docs/user/`: a path of ours in backquotes, without blanks or placeholders.
NAMED = re.compile(r"`((?:src|bpf|cmd|docs|tests|lab|bench|examples|packaging|\.ci)/[\w./-]*)`")


def anchors(text):
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.M):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-"))
    return found


def check_text(root, path, text):
    """Sentences about one Markdown file; path is absolute."""
    findings = []
    name = path.relative_to(root)
    blocks = re.sub(r"```.*?```", "", text, flags=re.S)
    for link in LINK.findall(blocks):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists():
            findings.append(f"{name}: link to {link}, which is not there")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            findings.append(f"{name}: link to {link}: no such heading")
    for named in NAMED.findall(text):
        if not (root / named).exists():
            findings.append(f"{name}: names {named}, which is not there")
    return findings


def check(root):
    root = pathlib.Path(root).resolve()
    findings = []
    for path in sorted([root / "README.md", *root.glob("docs/**/*.md"), *root.glob("*/README.md"), *root.glob("tests/*/README.md")]):
        if path.exists() and "build" not in path.relative_to(root).parts[0]:
            findings += check_text(root, path, path.read_text())
    return findings


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    findings = check(root)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
