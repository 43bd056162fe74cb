# SPDX-License-Identifier: Apache-2.0
"""Labs for end-to-end tests: one per test file, gone when its tests are, whatever happened.

A test file says LAB (a path below lab/, or a layout as text) and, if it likes, DOCUMENTS (what to apply before instances attach).
"""

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("VIADUCT_LAB_LOGS", str(ROOT / "build" / "lab-logs"))

from lab import Lab, LabError, Layout, wait_until  # noqa: E402  found only now


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: `./test --quick` leaves it out")


@pytest.fixture(scope="module")
def lab(request):
    said = request.module.LAB
    layout = Layout.from_file(ROOT / "lab" / said) if said.endswith(".yaml") else Layout.from_document(yaml.safe_load(said))
    failed_before = request.session.testsfailed
    # Two runs on one machine must not meet.
    with Lab(layout, name=f"{layout.name}{os.getpid()}", documents=getattr(request.module, "DOCUMENTS", "")) as built:
        yield built
        if request.session.testsfailed > failed_before:
            built.save_logs()


@pytest.fixture(autouse=True)
def nothing_leaks(request):
    """After each test of a lab with an outside: no private address was seen there as a source. What it may be: `lab.watcher.permit`."""
    yield
    built = request.node.funcargs.get("lab")
    if built is not None:
        built.watcher.check()


@pytest.fixture(scope="session")
def reach():
    """reach(node, address): waits until a ping comes back; attachments reach other hosts a moment after `attach` returns."""
    def wait(node, address):
        wait_until(lambda: node.ping(address, timeout=0.3).received, f"{node.title} reaches {address}")

    return wait


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its hosts say about it."""
    report = (yield).get_result()
    built = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if report.when != "call" or not report.failed or built is None:
        return
    for host in built.every_host.values():
        text = "".join(f"$ viaduct {command}\n{what_says(host, command)}" for command in ("status", "drops"))
        report.sections.append((f"host {host.title}", f"{text}---- log ----\n{host.log()[-3000:]}"))


def what_says(host, command):
    """An error in here would end the whole run."""
    try:
        said = host.viaduct(command, check=False, timeout=10)
        return said.stdout + said.stderr
    except (OSError, LabError, subprocess.SubprocessError) as error:
        return f"{error}\n"
