# SPDX-License-Identifier: Apache-2.0
"""Each check can fail: what it is for is put before it, and it must say so."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import coverage  # noqa: E402
import includes  # noqa: E402
import links  # noqa: E402
import style  # noqa: E402

HEADER = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def test_includes_accepts_what_points_down():
    assert includes.check_file("src/store/sqlite.c", '#include "model/model.h"\n#include <sqlite3.h>\n') == []
    assert includes.check_file("src/datapath/maps.c", '#include "abi/maps.h"\n#include <bpf/libbpf.h>\n#include "port.skel.h"\n') == []
    assert includes.check_file("src/agent/agent.c", '#include "api/live.h"\n#include "datapath/datapath.h"\n') == []


def test_includes_refuses_an_arrow_that_points_up():
    assert "may not include" in includes.check_file("src/model/vpc.c", '#include "store/store.h"\n')[0]
    assert "may not include" in includes.check_file("src/api/server.c", '#include "agent/agent.h"\n')[0]
    assert "may not include" in includes.check_file("src/datapath/x.c", '#include "host/host.h"\n')[0]


def test_includes_refuses_more_of_api_in_agent():
    assert "live.h" in includes.check_file("src/agent/agent.c", '#include "api/api.h"\n')[0]


def test_includes_keeps_libbpf_and_netlink_in_their_folders():
    assert "only in src/datapath" in includes.check_file("src/agent/agent.c", "#include <bpf/bpf.h>\n")[0]
    assert "only in src/host" in includes.check_file("src/agent/agent.c", "#include <netlink/netlink.h>\n")[0]


def test_includes_shares_only_the_abi_with_the_kernel():
    assert "may not include" in includes.check_file("src/datapath/x.c", '#include "lib/parse.h"\n')[0]
    assert "may not include" in includes.check_file("src/agent/x.c", '#include "abi/maps.h"\n')[0]
    assert "may not include" in includes.check_file("bpf/lib/parse.h", '#include "plan/plan.h"\n')[0]


def test_includes_keeps_pure_folders_pure():
    for folder in ("model", "compile", "plan"):
        assert "is pure" in includes.check_file(f"src/{folder}/x.c", "#include <sys/socket.h>\n")[0]


def test_includes_finds_it_in_a_tree(tmp_path):
    for top in ("src/base", "cmd", "bpf"):
        (tmp_path / top).mkdir(parents=True)
    (tmp_path / "src/base/x.c").write_text('#include "model/model.h"\n')
    assert len(includes.check(tmp_path)) == 1


def test_style_wants_the_licence():
    assert "must begin" in style.check_text("src/base/x.c", "int x;\n")[0]
    assert "must begin" in style.check_text("bpf/port.bpf.c", HEADER)[0]
    assert style.check_text("src/base/x.c", HEADER) == []


def test_style_wants_files_to_be_nouns():
    assert "801 lines" in style.check_text("src/base/x.c", HEADER + "\n" * 800)[0]
    assert style.check_text("src/base/x.c", HEADER + "\n" * 799) == []


def test_style_finds_leftovers():
    assert "finish it" in style.check_text("src/base/x.c", HEADER + "/* TO" + "DO: later */\n")[0]


def test_style_refuses_default_over_our_enums():
    ours = "switch (x) {\ncase VD_FAMILY_IPV4:\n\tbreak;\ndefault:\n\tbreak;\n}\n"
    assert "default:" in style.check_text("src/base/x.c", HEADER + ours)[0]
    theirs = ours.replace("VD_FAMILY_IPV4", "EINTR")
    assert style.check_text("src/base/x.c", HEADER + theirs) == []
    inner = "switch (x) {\ncase VD_A:\n\tswitch (y) {\n\tcase 1:\n\tdefault:\n\t\tbreak;\n\t}\n}\n"
    assert style.check_text("src/base/x.c", HEADER + inner) == []


def test_style_wants_the_prefix_on_what_others_see():
    assert "begins with vd_" in style.check_text("src/base/x.h", HEADER + "int address_parse(const char *text);\n")[0]
    good = "int vd_address_parse(const char *text);\nstatic inline int helper(void)\n{\n\treturn 0;\n}\n"
    assert style.check_text("src/base/x.h", HEADER + good) == []


def test_style_notes_long_functions():
    assert style.long_functions("x.c", "int f(void)\n{\n" + "\tx();\n" * 120 + "}\n")


def test_format_finds_what_clang_format_would_change(tmp_path):
    root = pathlib.Path(__file__).resolve().parents[2]
    (tmp_path / ".clang-format").write_text((root / ".clang-format").read_text())
    (tmp_path / "good.c").write_text("int x(void)\n{\n\treturn 1;\n}\n")
    (tmp_path / "bad.c").write_text("int x(void) {\n  return 1;\n}\n")
    paths = [tmp_path / "good.c", tmp_path / "bad.c"]
    assert [finding.split(":")[0] for finding in style.format_findings(tmp_path, paths)] == ["bad.c"]


def test_links_finds_what_is_not_there(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# Here\n[gone](docs/gone.md) [web](https://x.test/) [good](#here) [bad](#there) `src/gone.c` `src/<noun>.c`\n")
    assert len(links.check(tmp_path)) == 3


REQUIREMENTS = "## Networks (NET)\n| id | row | from |\n|---|---|---|\n| NET-1 | L2 segments | S4 |\n| NET-2 | A pool | S4 |\n"


def test_coverage_reads_rows_and_tests(tmp_path):
    (tmp_path / "tests/e2e").mkdir(parents=True)
    (tmp_path / "tests/e2e/test_x.py").write_text('def test_a():\n    """Proves R-NET-1, 2."""\n\n\ndef test_b():\n    """Nothing."""\n')
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_y.c").write_text("/* R-NET-2: a pool. */\nstatic void test_pool(void **state)\n{\n}\n")
    found = coverage.proofs(tmp_path)
    assert found == {
        "NET-1": ["tests/e2e/test_x.py: test_a"],
        "NET-2": ["tests/e2e/test_x.py: test_a", "tests/unit/test_y.c: test_pool"],
    }
    text = coverage.page(coverage.rows(REQUIREMENTS), found)
    assert "2 of 2 rows" in text
    assert "not yet" in coverage.page(coverage.rows(REQUIREMENTS), {})


def test_coverage_gives_a_tables_rows_to_the_test_that_uses_it():
    text = (HEADER + "/* R-NET-9: of the file. */\n#include <x.h>\n\nstatic void test_first(void **state)\n{\n}\n\n"
            "static const struct {\n\tint x;\n} rows[] = {\n\t{\"one\"}, /* R-NET-1 */\n};\n\n"
            "/* R-NET-2 */\nstatic void check(const struct row *row)\n{\n\tx(row);\n}\n\n/* R-NET-3: nobody uses it. */\nstatic int unused;\n\n"
            "static void test_second(void **state)\n{\n}\n\nstatic void test_third(void **state)\n{\n\tcheck(rows);\n}\n")
    assert coverage.tests_of(text, coverage.c_pieces) == [
        ("", {"NET-9"}), ("test_third", {"NET-1"}), ("test_third", {"NET-2"}), ("test_second", {"NET-3"})]
    text = ('"""R-NET-9"""\n\n\ndef test_first():\n    pass\n\n\n# R-NET-1\nTABLE = """\nx: 1\n"""\n\n\n'
            "def test_second():\n    pass\n\n\n@pytest.mark.parametrize(\"row\", TABLE)\ndef test_third(row):\n    pass\n")
    assert coverage.tests_of(text, coverage.python_pieces) == [("", {"NET-9"}), ("test_third", {"NET-1"})]


def test_coverage_names_rows_that_do_not_exist():
    assert coverage.unknown(coverage.rows(REQUIREMENTS), {"NET-99": ["tests/x.py: test_x"]})


def test_coverage_says_where_the_requirements_should_be(tmp_path):
    done = subprocess.run(["/usr/bin/python3", coverage.__file__, "--check"], capture_output=True, text=True,
                          env={"VIADUCT_REQUIREMENTS": str(tmp_path / "gone.md")})
    assert done.returncode == 1 and "beside the checkout" in done.stdout


def test_coverage_check_fails_when_stale(tmp_path, monkeypatch, capsys):
    (tmp_path / "requirements.md").write_text(REQUIREMENTS)
    (tmp_path / "tests").mkdir()
    monkeypatch.setattr(coverage, "ROOT", tmp_path)
    monkeypatch.setenv("VIADUCT_REQUIREMENTS", str(tmp_path / "requirements.md"))
    monkeypatch.setattr(sys, "argv", ["coverage.py", "--check"])
    assert coverage.main() == 1 and "stale" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["coverage.py"])
    assert coverage.main() == 0
    monkeypatch.setattr(sys, "argv", ["coverage.py", "--check"])
    assert coverage.main() == 0
    (tmp_path / "tests/test_z.py").write_text('def test_z():\n    """R-NET-1"""\n')
    assert coverage.main() == 1
