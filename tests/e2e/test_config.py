# SPDX-License-Identifier: Apache-2.0
"""The daemon's options as a file: what the systemd unit starts it with."""

import pytest

from lab.host import binary_path
from lab.world import wait_until

LAB = """
name: config
hosts:
  h1: {addresses: [172.31.0.1/24, 172.31.1.1/24]}
"""


def daemon(host, text, *arguments):
    path = host.directory / "viaductd.yaml"
    path.write_text(text)
    return [binary_path("viaductd"), "--config", path, *arguments]


def refused(host, text, *arguments):
    result = host.run(*daemon(host, text, *arguments), check=False, timeout=30)
    assert result.returncode == 1
    assert result.stderr.startswith("viaductd: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def as_file(host):
    """The options that the lab gives it, as YAML."""
    words, lines = [str(word) for word in host.daemon_command()[1:]], []
    for word, following in zip(words, [*words[1:], "--"]):
        if word.startswith("--"):
            lines.append(f"{word[2:]}: {'true' if following.startswith('--') else following}")
    return "\n".join(lines) + "\n"


def test_daemon_runs_by_its_file_and_the_command_line_wins(lab):
    host = lab.host("h1")
    host.stop()
    text = as_file(host) + "vxlan-port: 4790\nverbose: false\n"
    process = host.launch(*daemon(host, text, "--underlay", "172.31.1.1"))
    try:
        wait_until(lambda: process.poll() is not None or host.answers(), "it answers", seconds=60)
        assert process.poll() is None
        hosts = host.ask("GET", "/v1/status")["hosts"]
        assert [(item["name"], item["underlay"], item["api"]) for item in hosts] == [("h1", "172.31.1.1", "http://172.31.0.1:2379")]
        assert "dstport 4790" in host.ip("-d", "link", "show", "viaduct0")
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
        host.start()


@pytest.mark.parametrize("text, words", [
    ("host: h1\nunderlays: 172.31.0.1\n", ["underlays", "unknown option"]),
    ("help: true\n", ["help", "unknown option"]),
    ("config: /etc/other.yaml\n", ["config", "unknown option"]),
    ("host: [h1, h2]\n", ["host", "takes a text"]),
    ("host:\n", ["host", "takes a text"]),
    ("insecure: perhaps\n", ["insecure", "takes true or false"]),
    ("host: h1\nhost: h2\n", ["host", "twice"]),
    ("host: h1\n---\nhost: h2\n", ["more than one document"]),
    ("- host\n", ["mapping"]),
    ("host: {h1\n", ["viaductd.yaml"]),
    ("", ["is empty"]),
    ("vxlan-port: 4789x\n", ["--vxlan-port 4789x"]),
    ("vxlan-port: 70000\n", ["--vxlan-port 70000"]),
    ("underlay: here\n", ["--underlay here"]),
], ids=str)
def test_bad_file_is_refused_with_one_sentence(lab, text, words):
    said = refused(lab.host("h1"), text, "--run-dir", lab.directory / "nowhere")
    for word in words:
        assert word in said


def test_file_that_is_not_there_is_named(lab):
    result = lab.host("h1").run(binary_path("viaductd"), "--config", "/nonexistent/viaductd.yaml", check=False)
    assert result.returncode == 1 and "/nonexistent/viaductd.yaml: cannot be read" in result.stderr
