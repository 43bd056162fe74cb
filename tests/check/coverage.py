#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/coverage.md: which test proves which row of the requirements. `coverage.py` writes it, `coverage.py --check` fails when stale.

The rows come from ../shared/requirements.md, beside the checkout (VIADUCT_REQUIREMENTS names another place). A test proves a row
when it, the comment above it, or a table that it uses names the row with its prefix (written R-, then the id); several ids of one group
may follow with commas ("R-NET-1, 2"), and a range with an ellipsis is not understood.
"""

import ast
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\|\s*([A-Z]+-\d+)\s*\|\s*(.*?)\s*\|[^|]*\|\s*$")
NAMED = re.compile(r"\bR-([A-Z]+)-(\d+)((?:\s*(?:,|and)\s*\d+\b(?!-))*)")
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


class Piece:
    """A declaration of a test file with the comment above it: a test, or something that tests use."""

    def __init__(self, text, name):
        self.text, self.name = text, name
        self.is_test = bool(name and name.startswith("test_"))


def python_pieces(text):
    lines = text.splitlines(keepends=True)
    nodes = []
    for node in ast.parse(text).body:
        nodes += node.body if isinstance(node, ast.ClassDef) else [node]
    pieces, begin = [], 0
    for node in nodes:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        name = getattr(node, "name", None) or getattr(targets[0], "id", None)
        pieces.append(Piece("".join(lines[begin:node.end_lineno]), name))
        begin = node.end_lineno
    return [*pieces, Piece("".join(lines[begin:]), None)]


def c_pieces(text):
    pieces, piece, in_comment = [], "", False
    for line in text.splitlines(keepends=True):
        if not line.strip() and not in_comment and not c_code(piece):
            # A comment that stands alone speaks of the file.
            pieces.append(Piece(piece, None))
            piece = ""
        piece += line
        in_comment = "*/" not in line if in_comment or line.lstrip().startswith("/*") else False
        ends = line.startswith(("}", "#")) or (line[0].isalpha() and line.rstrip().endswith(";"))
        if ends and not in_comment and not line.rstrip().endswith(("{", "\\")):
            pieces.append(Piece(piece, c_name(piece)))
            piece = ""
    return [*pieces, Piece(piece, None)]


def c_code(piece):
    return re.sub(r"/\*.*?\*/", "", piece, flags=re.S).strip()


def c_name(piece):
    code = c_code(piece)
    match = re.search(r"^\} (\w+)", code, re.M) or re.search(r"(?!struct|enum|union)\b(\w+)\s*(?:\[[^\]]*\]\s*)*[=({;]", code)
    return match.group(1) if match and not code.startswith("#") else None


def users(pieces, name):
    """The tests that use a name, themselves or by what they call."""
    found, known, due = [], set(), [name]
    while due:
        word = re.compile(rf"\b{re.escape(due.pop())}\b")
        for piece in pieces:
            if piece.name in known or not piece.name or not word.search(piece.text):
                continue
            known.add(piece.name)
            if piece.is_test:
                found.append(piece.name)
            else:
                due.append(piece.name)
    return found


def tests_of(text, split):
    """
    [(test name or "" for the whole file, ids)]. What is named in a test, or above it, is the test's. What is named elsewhere belongs
    to the tests that use that table or function; when none does, to the whole file above the first test, to the next test below it.
    """
    pieces = split(text)
    found, any_test = [], False
    for index, piece in enumerate(pieces):
        any_test |= piece.is_test
        named = ids(piece.text)
        if not named:
            continue
        names = [piece.name] if piece.is_test else users(pieces, piece.name) if piece.name else []
        if not names and any_test:
            names = [after.name for after in pieces[index:] if after.is_test][:1]
        found += [(name, named) for name in names or [""]]
    return found


SPLIT = {".py": python_pieces, ".c": c_pieces, ".h": c_pieces}


def proofs(root):
    """{row id: ["tests/e2e/test_x.py: test_y", …]}"""
    found = {}
    tests = pathlib.Path(root) / "tests"
    for path in sorted(tests.rglob("*")):
        relative = path.relative_to(tests)
        if path.suffix not in (".py", ".c", ".h", ".sh") or relative.parts[0] in SKIP:
            continue
        split = SPLIT.get(path.suffix, lambda text: [Piece(text, None)])
        for name, named in tests_of(path.read_text(errors="replace"), split):
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
