#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/coverage.md: which test proves which row of the requirements. `coverage.py` writes it, `coverage.py --check` fails when stale.

The rows come from ../shared/requirements.md, beside the checkout (VIADUCT_REQUIREMENTS names another place). A test proves a row
when its docstring or the comment above it names the row with its prefix (written R-, then the id); several ids of one group may follow
with commas ("R-NET-1, 2"), and a range with an ellipsis is not understood.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\|\s*([A-Z]+-\d+)\s*\|\s*(.*?)\s*\|[^|]*\|\s*$")
NAMED = re.compile(r"\bR-([A-Z]+)-(\d+)((?:\s*(?:,|and)\s*\d+\b(?!-))*)")
PYTHON_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.M)
C_TEST = re.compile(r"^static void (test_\w+)\(", re.M)
SKIP = {"check"}  # the checks' own tests name rows as examples


def requirements_path():
    if "VIADUCT_REQUIREMENTS" in os.environ:
        return pathlib.Path(os.environ["VIADUCT_REQUIREMENTS"])
    # A git worktree may lie one folder deeper than the checkout.
    beside = [parent / "shared" / "requirements.md" for parent in (ROOT.parent, ROOT.parent.parent)]
    return next((path for path in beside if path.exists()), beside[0])


def rows(text):
    """[(id, sentence)] and the group headings, in the order of the page."""
    group, found = "", []
    for line in text.splitlines():
        if line.startswith("## "):
            group = line[3:].strip()
        match = ROW.match(line)
        if match:
            found.append((group, match.group(1), match.group(2)))
    return found


def ids(text):
    found = set()
    for group, number, more in NAMED.findall(text):
        found.add(f"{group}-{number}")
        found.update(f"{group}-{also}" for also in re.findall(r"\d+", more))
    return found


def tests_of(text, pattern, comment_above):
    """[(test name or "" for the whole file, ids)]: a comment belongs to the test below it, a docstring to the test above it."""
    starts = [(match.start(), match.group(1)) for match in pattern.finditer(text)]
    if not starts:
        return [("", ids(text))]
    found = []
    pieces = []
    for index, (start, name) in enumerate(starts):
        begin = start
        if comment_above:
            # Lines of comment or decorator directly above.
            head = text[:start].splitlines(keepends=True)
            while head and re.match(r"\s*(#|@|\*|/\*|//)", head[-1]):
                begin -= len(head.pop())
        pieces.append((begin, name))
    found.append(("", ids(text[:pieces[0][0]])))
    for index, (begin, name) in enumerate(pieces):
        end = pieces[index + 1][0] if index + 1 < len(pieces) else len(text)
        found.append((name, ids(text[begin:end])))
    return found


def proofs(root):
    """{row id: ["tests/e2e/test_x.py: test_y", …]}"""
    found = {}
    tests = pathlib.Path(root) / "tests"
    for path in sorted(tests.rglob("*")):
        relative = path.relative_to(tests)
        if path.suffix not in (".py", ".c", ".h", ".sh") or relative.parts[0] in SKIP:
            continue
        pattern = PYTHON_TEST if path.suffix == ".py" else C_TEST
        for name, named in tests_of(path.read_text(errors="replace"), pattern, True):
            for row in named:
                found.setdefault(row, []).append(f"tests/{relative.as_posix()}" + (f": {name}" if name else ""))
    return found


def page(rows_found, proofs_found):
    proven = sum(1 for _, row, _ in rows_found if proofs_found.get(row))
    lines = [
        "# What is proven",
        "",
        "Written by `tests/check/coverage.py` from the requirements and the tests that name them; do not edit.",
        "",
        f"{proven} of {len(rows_found)} rows have a test that names them. A test may prove a part of a row: read it.",
    ]
    group = None
    for heading, row, sentence in rows_found:
        if heading != group:
            group = heading
            lines += ["", f"## {heading}", "", "| row | what it must do | proven by |", "|---|---|---|"]
        proof = "<br>".join(f"`{test}`" for test in sorted(set(proofs_found.get(row, [])))) or "not yet"
        short = sentence if len(sentence) <= 160 else sentence[:157].rsplit(" ", 1)[0] + " …"
        lines.append(f"| R-{row} | {short} | {proof} |")
    return "\n".join(lines) + "\n"


def unknown(rows_found, proofs_found):
    known = {row for _, row, _ in rows_found}
    return [f"{', '.join(tests)}: names R-{row}, which is no row" for row, tests in sorted(proofs_found.items()) if row not in known]


def main():
    path = requirements_path()
    try:
        rows_found = rows(path.read_text())
    except OSError as error:
        print(f"coverage: the requirements are not readable at {path} ({error.strerror}): put the folder shared/ beside the checkout, "
              "or set VIADUCT_REQUIREMENTS to the file requirements.md")
        return 1
    if not rows_found:
        print(f"coverage: no rows in {path}")
        return 1
    proofs_found = proofs(ROOT)
    findings = unknown(rows_found, proofs_found)
    text = page(rows_found, proofs_found)
    target = ROOT / "docs" / "coverage.md"
    if "--check" in sys.argv:
        if not target.exists() or target.read_text() != text:
            findings.append("docs/coverage.md is stale: run tests/check/coverage.py and commit what it writes")
    else:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
