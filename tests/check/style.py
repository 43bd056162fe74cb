#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of our own that a machine can check: licences, sizes, names, switches, and what must not be left lying about."""

import pathlib
import re
import subprocess
import sys

HARD_LINES = 800
LONG_FUNCTION = 100
PERMISSIVE = "SPDX-License-Identifier: Apache-2.0"
KERNEL = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
# Written so that this file does not find itself.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
CODE = {".c", ".h", ".py", ".sh"}
SCRIPT = re.compile(rb"^#!.*\b(bash|sh|python3)\b")
# Prototypes at the start of a line in a header: `type name(` or `type *name(`.
PROTOTYPE = re.compile(r"^(?!static|typedef|#|extern \")(?:[A-Za-z_]\w*[\s*]+)+?\**(\w+)\((?!\*)")


def files(root):
    """Tracked files, and new ones that git does not ignore: what a commit could hold."""
    out = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=True).stdout
    return [pathlib.Path(root) / name for name in sorted(set(out.decode().split("\0"))) if name and (pathlib.Path(root) / name).is_file()]


def is_code(path):
    if path.suffix in CODE or path.name in ("meson.build", "meson_options.txt"):
        return True
    if path.suffix:
        return False
    with path.open("rb") as file:
        return bool(SCRIPT.match(file.readline()))


def without_comments(text):
    """The text with comments and literals blanked; lines keep their numbers."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def switch_findings(path, text):
    """A switch that names VD_ cases must not have a default: the compiler finds the forgotten case."""
    findings = []
    code = without_comments(text)
    for match in re.finditer(r"\bswitch\s*\(", code):
        start = code.find("{", match.end())
        depth, position = 0, start
        own = default = False
        while 0 <= position < len(code):
            if code[position] == "{":
                depth += 1
            elif code[position] == "}":
                depth -= 1
                if depth == 0:
                    break
            elif depth == 1:
                rest = code[position:position + 80]
                own = own or bool(re.match(r"\bcase\s+VD_", rest))
                default = default or bool(re.match(r"(?<!\w)default\s*:", rest))
            position += 1
        if own and default:
            findings.append(f"{path}:{code[:match.start()].count(chr(10)) + 1}: default: in a switch over an enum of ours")
    return findings


def long_functions(path, text):
    """Notes, not findings: functions that do not fit a screen."""
    notes, start = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > LONG_FUNCTION:
                notes.append(f"{path}:{start}: note: a function of {number - start} lines")
            start = None
    return notes


def check_text(path, text):
    """Sentences about one file; path is relative to the root, with slashes."""
    findings = []
    lines = text.splitlines()
    if not lines:
        return findings
    wanted = KERNEL if path.startswith("bpf/") and not path.endswith("meson.build") or path.endswith(".bpf.c") else PERMISSIVE
    if not any(wanted in line for line in lines[:2]):
        findings.append(f"{path}:1: must begin with {wanted}")
    if len(lines) > HARD_LINES:
        findings.append(f"{path}: {len(lines)} lines; at most {HARD_LINES}: a file is one noun")
    for number, line in enumerate(lines, 1):
        if LEFTOVER.search(line):
            findings.append(f"{path}:{number}: finish it or leave it out: {line.strip()}")
        if line != line.rstrip():
            findings.append(f"{path}:{number}: blanks at the end of the line")
    if path.endswith((".c", ".h")):
        findings += switch_findings(path, text)
    if path.startswith("src/") and path.endswith(".h"):
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            match = PROTOTYPE.match(line)
            if match and not match.group(1).startswith("vd_") and "__attribute__" not in match.group(1):
                findings.append(f"{path}:{number}: {match.group(1)}: what other folders see begins with vd_")
    return findings


def format_findings(root, paths):
    """What clang-format would change, one sentence a file."""
    names = [path.relative_to(root).as_posix() for path in paths if path.suffix in (".c", ".h")]
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", "--ferror-limit=1", *names], capture_output=True, cwd=root, text=True)
    wrong = sorted({line.split(":", 1)[0] for line in done.stderr.splitlines() if ": error: " in line})
    findings = [f"{name}: not as clang-format writes it (./test format --fix)" for name in wrong]
    return findings if findings or not done.returncode else [f"clang-format: exit {done.returncode}: {done.stderr.strip()}"]


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2]).resolve()
    paths = [path for path in files(root) if is_code(path)]
    if "--format" in sys.argv:
        findings = format_findings(root, paths)
    else:
        findings = []
        for path in paths:
            name, text = path.relative_to(root).as_posix(), path.read_text(errors="replace")
            findings += check_text(name, text)
            for note in long_functions(name, text) if path.suffix in (".c", ".h") else []:
                print(note)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
