#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""viaduct-router in real namespaces: an instance asks it with dig and curl, real name servers stand behind it.

    instance (10.0.0.2, fd00::2) --- viaduct [router namespace] 10.0.0.1, fd00::1, 169.254.169.254
      viaduct-router [host namespace]           |
              |                             240.0.0.7 --- [outside] dnsmasq 198.51.100.53, 2001:db8::53
      unbound 127.0.0.53, dnsmasq 127.0.0.54
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

PROGRAM = os.environ.get("VIADUCT_ROUTER", str(pathlib.Path(__file__).resolve().parents[3] / "build/cmd/viaduct-router"))
TAG = f"vdr{os.getpid()}"
HOST, ROUTER, INSTANCE, OUTSIDE = f"{TAG}h", f"{TAG}r", f"{TAG}i", f"{TAG}o"
OUTER, OUTER6, SERVICE, SERVICE6 = "198.51.100.53", "2001:db8::53", "240.0.0.7", "fd76:6961:6475:6374::7"
LOST = "240.0.0.8"  # to which nothing comes back
DEAD = "192.0.2.1"  # leads nowhere, in silence

UNBOUND = """
server:
  interface: 127.0.0.53
  port: 53
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  access-control: 0.0.0.0/0 allow
  local-zone: "example." static
  local-data: "www.example. 60 IN A 198.51.100.7"
  local-data: "Mixed.example. 60 IN A 198.51.100.8"
  local-data: "ten.example. 60 IN A 198.51.100.9"
{big}
remote-control:
  control-enable: no
"""


def run(*command, check=True, timeout=60, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    assert not check or done.returncode == 0, f"{command[:6]}: {done.stderr}"
    return done


def inside(namespace, *command, **options):
    return run("ip", "netns", "exec", namespace, *command, **options)


def dig(*arguments, server="10.0.0.1", namespace=INSTANCE):
    return inside(namespace, "dig", f"@{server}", *arguments, check=False).stdout


def query_seconds(answer):
    """How long dig waited for its answer: what a busy machine needs to start it is not the router's time."""
    return int(re.search(r"Query time: (\d+) msec", answer)[1]) / 1000


def wait_until(condition, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def records(dns=("127.0.0.53",), **router):
    return [
        {"kind": "router", "vpc": "demo", "project": "default", "mtu": 1450, **router},
        {"kind": "subnet", "id": 3, "name": "nodes", "cidr4": "10.0.0.0/24", "gateway4": "10.0.0.1", "cidr6": "fd00::/64",
         "gateway6": "fd00::1", "dhcp": True, "dhcp_address": "10.0.0.254", "lease": 600, "dns": list(dns), "domain": "corp.test"},
        {"kind": "port", "id": 7, "name": "web1", "hostname": "web-one", "mac": "02:00:00:00:00:07", "subnet": 3,
         "addresses": ["10.0.0.2/24", "fd00::2/64"], "default": True, "vpc_cidrs": ["10.0.0.0/16"], "mtu": 1450,
         "user_data": "#cloud-config\nruncmd: [true]\n", "ssh_keys": ["ssh-ed25519 AAAA one", "ssh-rsa BBBB two"]},
        {"kind": "name", "address": "10.0.0.2", "name": "web1", "port": 7},
        {"kind": "name", "address": "fd00::2", "name": "web1", "port": 7},
        {"kind": "name", "address": "10.0.9.9", "name": "db", "port": 8},
    ]


class Router:
    def __init__(self, directory):
        self.socket_path = str(directory / "router.sock")
        self.directory = directory
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", HOST, PROGRAM, "--netns", f"/run/netns/{ROUTER}", "--interface", "viaduct", "--socket",
             self.socket_path, "--resolv-conf", str(self.directory / "resolv.conf")])
        wait_until(self.answers)

    def answers(self):
        assert self.process.poll() is None, "viaduct-router ended"
        try:
            self.ask({"op": "status"})
            return True
        except OSError:
            return False

    def ask(self, *lines):
        """Sends the lines; the answer to the last."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket_path)
            connection.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
            return json.loads(connection.makefile().readline())

    def feed(self, *more, dns=("127.0.0.53",), **router):
        answer = self.ask({"op": "begin"}, *({"op": "put", **record} for record in [*records(dns, **router), *more]), {"op": "commit"})
        assert answer["ok"], answer
        return answer

    def counters(self, part="dns"):
        return self.ask({"op": "status"})[part]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise


def topology():
    for namespace in (HOST, ROUTER, INSTANCE, OUTSIDE):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    run("ip", "-n", ROUTER, "link", "add", "viaduct", "address", "02:76:69:61:64:01", "type", "veth", "peer", "name", "eth0", "netns", INSTANCE)
    for address in ("10.0.0.1/24", "10.0.0.254/32", "169.254.169.254/32", "fd00::1/64"):
        run("ip", "-n", ROUTER, "address", "add", address, "dev", "viaduct", *(["nodad"] if ":" in address else []))
    run("ip", "-n", INSTANCE, "link", "set", "eth0", "address", "02:00:00:00:00:07")
    for address in ("10.0.0.2/24", "10.0.0.99/24", "fd00::2/64"):
        run("ip", "-n", INSTANCE, "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    for namespace, link in ((ROUTER, "viaduct"), (INSTANCE, "eth0")):
        run("ip", "-n", namespace, "link", "set", link, "up")
    run("ip", "-n", ROUTER, "link", "add", "way", "type", "veth", "peer", "name", "way", "netns", OUTSIDE)
    for namespace, addresses in ((ROUTER, (f"{SERVICE}/32", f"{LOST}/32", f"{SERVICE6}/128")), (OUTSIDE, (f"{OUTER}/32", f"{OUTER6}/128"))):
        run("ip", "-n", namespace, "link", "set", "way", "up")
        for address in addresses:
            run("ip", "-n", namespace, "address", "add", address, "dev", "way", *(["nodad"] if ":" in address else []))
    for destination, namespace in ((OUTER, ROUTER), (OUTER6, ROUTER), (SERVICE, OUTSIDE), (SERVICE6, OUTSIDE)):
        run("ip", "-n", namespace, "route", "add", destination, "dev", "way")
    run("ip", "-n", INSTANCE, "route", "add", "default", "via", "10.0.0.1")
    for silent in ("192.0.2.0/24", OUTER, OUTER6):
        run("ip", "-n", HOST, "route", "add", silent, "dev", "lo")
    for silent in ("192.0.2.0/24", "10.53.0.53"):
        run("ip", "-n", ROUTER, "route", "add", silent, "dev", "lo")


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    directory = tmp_path_factory.mktemp("upstreams")
    servers = []
    try:
        topology()
        big = "\n".join(f"  local-data: 'big.example. 60 IN TXT \"{i:02d}{'x' * 198}\"'" for i in range(20))
        (directory / "unbound.conf").write_text(UNBOUND.format(directory=directory, big=big))
        servers.append(subprocess.Popen(["ip", "netns", "exec", HOST, "unbound", "-d", "-c", str(directory / "unbound.conf")]))
        servers.append(subprocess.Popen(
            ["ip", "netns", "exec", HOST, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
             "--listen-address=127.0.0.54", "--except-interface=none", "--address=/www.example/203.0.113.4", "--user=root",
             "--host-record=printer.corp.test,203.0.113.5", "--pid-file="]))
        servers.append(subprocess.Popen(
            ["ip", "netns", "exec", OUTSIDE, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
             f"--listen-address={OUTER}", f"--listen-address={OUTER6}", "--address=/www.example/203.0.113.9", "--user=root", "--pid-file=",
             "--edns-packet-max=4096", f"--txt-record=big.example,{','.join(['x' * 250] * 18)}", "--log-queries", f"--log-facility={directory}/asked"]))
        for server, namespace in (("127.0.0.53", HOST), ("127.0.0.54", HOST), (OUTER, OUTSIDE), (OUTER6, OUTSIDE)):
            wait_until(lambda server=server, namespace=namespace:
                       "ANSWER: 1" in dig("www.example", "+tries=1", "+time=1", server=server, namespace=namespace))
        yield directory
    finally:
        for server in servers:
            server.kill()
            server.wait()
        for namespace in (HOST, ROUTER, INSTANCE, OUTSIDE):
            run("ip", "netns", "del", namespace, check=False)


@pytest.fixture
def router(upstreams):
    # Not pytest's: the router reads its resolv.conf as nobody.
    directory = pathlib.Path(tempfile.mkdtemp(prefix=TAG))
    directory.chmod(0o755)
    (directory / "resolv.conf").write_text("nameserver 127.0.0.54\n")
    instance = Router(directory)
    try:
        instance.start()
        instance.feed()
        yield instance
    finally:
        instance.stop()
        shutil.rmtree(directory)


@pytest.mark.parametrize("server", ["10.0.0.1", "fd00::1", "10.0.0.254"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_names_of_the_vpc_forward_and_reverse(router, server, transport):
    """R-SVC-4; the answer leaves from the very address that was asked, or dig would refuse it."""
    assert dig("web1.demo.internal", "A", "+short", transport, server=server) == "10.0.0.2\n"
    assert dig("WEB1.Demo.Internal", "AAAA", "+short", transport, server=server) == "fd00::2\n"
    assert dig("-x", "10.0.0.2", "+short", transport, server=server) == "web1.demo.internal.\n"
    assert dig("-x", "fd00::2", "+short", transport, server=server) == "web1.demo.internal.\n"
    answer = dig("nobody.demo.internal", transport, server=server)
    assert "NXDOMAIN" in answer and "SOA" in answer and " aa " in answer
    answer = dig("db.demo.internal", "AAAA", transport, server=server)
    assert "NOERROR" in answer and "ANSWER: 0" in answer


def test_other_names_are_forwarded(router):
    """R-SVC-3: over UDP and TCP, with EDNS or without."""
    for options in ([], ["+tcp"], ["+noedns"], ["+bufsize=512"], ["+dnssec"]):
        assert "198.51.100.7" in dig("www.example", *options)
    answer = dig("mIxEd.eXample")
    assert "mIxEd.eXample." in answer and " ra" in answer and "198.51.100.8" in answer
    assert "EDNS: version: 0" in answer
    assert "EDNS" not in dig("www.example", "+noedns")
    assert "NXDOMAIN" in dig("nobody.example")


def test_subnets_own_domain_is_looked_up_in_both_places(router):
    router.feed(dns=("127.0.0.54",))
    assert dig("web1.corp.test", "+short") == "10.0.0.2\n"
    assert dig("printer.corp.test", "+short") == "203.0.113.5\n"


def test_answer_of_four_kilobytes(router):
    """R-SVC-3: whole by TCP, cut with TC by UDP, whole again where the client takes so much."""
    assert dig("big.example", "TXT", "+short", "+tcp").count("\n") == 20
    assert dig("big.example", "TXT", "+short").count("\n") == 20
    cut = dig("big.example", "TXT", "+ignore", "+bufsize=1232")
    assert " tc " in cut and "ANSWER: 0" in cut
    cut = dig("big.example", "TXT", "+ignore", "+noedns")
    assert " tc " in cut


def test_subnet_without_servers_asks_the_hosts(router):
    """R-SVC-3; and a change of the host's resolv.conf is obeyed."""
    router.feed(dns=())
    assert dig("www.example", "+short") == "203.0.113.4\n"
    (router.directory / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    wait_until(lambda: dig("www.example", "+short") == "198.51.100.7\n", 20)


def test_change_of_servers_is_obeyed_and_the_old_given_up(router):
    assert dig("www.example", "+short") == "198.51.100.7\n"
    router.feed(dns=("127.0.0.54",))
    assert dig("www.example", "+short") == "203.0.113.4\n"
    assert router.counters()["upstream_lists"] == 1


def test_dead_upstream_is_survived(router):
    """R-SVC-3: the first server dead in silence."""
    router.feed(dns=(DEAD, "127.0.0.53"))
    answer = dig("www.example", "+tries=1", "+time=5")
    assert "198.51.100.7\n" in answer
    assert query_seconds(answer) < 3
    answers = [dig(name, "+tries=1", "+time=5") for name in ("mixed.example", "ten.example", "www.example")]
    assert all("198.51.100." in answer for answer in answers), answers
    assert sum(map(query_seconds, answers)) < 3


def asked_from(upstreams):
    """Who asked the server outside, but for its own namespace, since its log was emptied."""
    return set(re.findall(r"query\[\S+\] \S+ from (\S+)", (upstreams / "asked").read_text())) - {OUTER, OUTER6}


def test_servers_are_asked_through_the_vpc_when_it_has_a_way_out(router, upstreams):
    """R-SVC-3: by UDP and TCP, IPv4 and IPv6, after privileges are dropped; what is on the host itself stays with the host."""
    os.truncate(upstreams / "asked", 0)
    router.feed(dns=(OUTER,), service4=SERVICE)
    assert dig("www.example", "+short") == "203.0.113.9\n"
    assert dig("big.example", "TXT", "+short", "+tcp").count('"') == 36
    assert router.counters()["through_vpc"] == router.counters()["forwarded"] == 2 and router.counters()["way"] == "vpc"
    assert asked_from(upstreams) == {SERVICE}
    router.feed(dns=(OUTER6,), service4=SERVICE, service6=SERVICE6)
    assert dig("www.example", "+short") == "203.0.113.9\n"
    assert asked_from(upstreams) == {SERVICE, SERVICE6}
    router.feed(dns=("127.0.0.53",), service4=SERVICE)
    assert dig("www.example", "+short") == "198.51.100.7\n"
    router.feed(dns=(), service4=SERVICE)
    assert dig("www.example", "+short") == "203.0.113.4\n"
    assert router.counters()["through_vpc"] == 3 and router.counters()["way"] == "host"


def test_dead_upstream_is_survived_through_the_vpc(router):
    """R-SVC-3: the first one dead, the second of a family that the VPC does not lead out, the third answers."""
    router.feed(dns=(DEAD, OUTER6, OUTER), service4=SERVICE)
    answer = dig("www.example", "+tries=1", "+time=5")
    assert "203.0.113.9\n" in answer
    assert query_seconds(answer) < 3


@pytest.mark.parametrize("before", [{}, {"service4": LOST}], ids=["host", "vpc"])
def test_questions_under_way_take_the_new_way(router, before):
    """R-SVC-3: a way that comes or goes costs no question, though the one before would never have answered."""
    router.feed(dns=(OUTER,), **before)
    with subprocess.Popen(["ip", "netns", "exec", INSTANCE, "dig", "@10.0.0.1", "www.example", "+short", "+tries=1", "+time=5"],
                          stdout=subprocess.PIPE, text=True) as asking:
        wait_until(lambda: router.counters()["waiting"] == 1)
        router.feed(dns=(OUTER,), service4=SERVICE)
        assert asking.communicate(timeout=10)[0] == "203.0.113.9\n"
    assert router.counters()["upstream_failed"] == 0 and router.counters()["upstream_lists"] == 1


def test_way_back_to_the_host(router):
    """R-SVC-3: without a way out the same list is asked from the host again, what waits included."""
    run("ip", "-n", HOST, "address", "add", "10.53.0.53/32", "dev", "lo")
    helper = subprocess.Popen(["ip", "netns", "exec", HOST, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                               "--bind-interfaces", "--listen-address=10.53.0.53", "--except-interface=none", "--address=/www.example/203.0.113.6",
                               "--user=root", "--pid-file="])
    try:
        wait_until(lambda: "ANSWER: 1" in dig("www.example", "+tries=1", "+time=1", server="10.53.0.53", namespace=HOST))
        router.feed(dns=("10.53.0.53",), service4=SERVICE)
        with subprocess.Popen(["ip", "netns", "exec", INSTANCE, "dig", "@10.0.0.1", "www.example", "+short", "+tries=1", "+time=5"],
                              stdout=subprocess.PIPE, text=True) as asking:
            wait_until(lambda: router.counters()["waiting"] == 1)
            router.feed(dns=("10.53.0.53",))
            assert asking.communicate(timeout=10)[0] == "203.0.113.6\n"
        assert router.counters()["upstream_failed"] == 0
    finally:
        helper.kill()
        helper.wait()
        run("ip", "-n", HOST, "address", "del", "10.53.0.53/32", "dev", "lo")


def test_all_upstreams_dead_is_said_in_time(router):
    router.feed(dns=(DEAD,))
    answer = dig("www.example", "+tries=1", "+time=6")
    assert "SERVFAIL" in answer, answer
    assert query_seconds(answer) < 5.5
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"


def test_ten_thousand_queries_in_a_row(router, tmp_path):
    """R-SVC-3: none lost, over one UDP socket after another and pipelined over TCP; the cache answers."""
    questions = tmp_path / "questions"
    questions.write_text("".join("www.example A\nweb1.demo.internal A\n" for _ in range(2500)))
    for options in (["+notcp"], ["+tcp", "+keepopen"]):
        answers = inside(INSTANCE, "dig", "@10.0.0.1", "+short", *options, "-f", str(questions), timeout=240).stdout.split()
        assert answers.count("198.51.100.7") == 2500 and answers.count("10.0.0.2") == 2500
    counters = router.counters()
    assert counters["upstream_failed"] == 0 and counters["limited"] == 0 and counters["waiting"] == 0


QUERY = bytes.fromhex("12340100000100000000000003777777076578616d706c650000010001")

PIPELINE = f"""
import socket
query = bytes.fromhex("{QUERY.hex()}")
connection = socket.create_connection(("10.0.0.1", 53))
connection.settimeout(10)
message = len(query).to_bytes(2, "big") + query
connection.sendall(message * 500)
connection.sendall(message[:5])
connection.sendall(message[5:])
stream, seen = connection.makefile("rb"), 0
while seen < 501:
    answer = stream.read(int.from_bytes(stream.read(2), "big"))
    assert answer[:2] == query[:2] and b"\\xc6\\x33\\x64\\x07" in answer, (seen, answer)
    seen += 1
print("all")
"""

MANY = """
import socket
connections = []
for i in range(40):
    connection = socket.create_connection(("10.0.0.1", 53))
    connections.append(connection)
closed = 0
for connection in connections[16:]:
    connection.settimeout(8)
    try:
        closed += connection.recv(1) == b""
    except ConnectionError:
        closed += 1
open = 0
for connection in connections[:16]:
    connection.setblocking(False)
    try:
        connection.recv(1)
    except BlockingIOError:
        open += 1
print(closed, open)
for connection in connections[:16]:
    connection.settimeout(30)
    assert connection.recv(1) == b""
"""


def test_queries_are_pipelined(router):
    assert inside(INSTANCE, "/usr/bin/python3", "-c", PIPELINE).stdout == "all\n"


def test_one_client_cannot_hold_all_connections(router):
    """Beyond sixteen connections of one address are closed at once, idle ones after ten seconds."""
    assert inside(INSTANCE, "/usr/bin/python3", "-c", MANY).stdout == "24 16\n"
    wait_until(lambda: router.counters()["connections"] == 0)


def test_malformed_queries_are_refused(router):
    assert "NOTIMP" in dig("www.example", "+opcode=notify")
    assert "REFUSED" in dig("www.example", "CH", "TXT")
    assert "BADVERS" in dig("www.example", "+edns=1", "+noednsneg")
    assert "REFUSED" in dig("www.example", "AXFR", "+tcp") or "Transfer failed" in dig("www.example", "AXFR", "+tcp")
    assert "FORMERR" in dig("www.example", "+header-only")
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"


def test_metadata_by_source_address(router):
    """R-SVC-5."""
    def get(path, *options):
        return inside(INSTANCE, "curl", "-sS", "--max-time", "20", *options, f"http://169.254.169.254{path}", check=False).stdout

    own = ("--interface", "10.0.0.2")
    meta = get("/meta-data", *own)
    assert "instance-id: i-00000007\n" in meta and 'local-hostname: "web-one"\n' in meta and "local-ipv4: 10.0.0.2\n" in meta
    assert '  - "ssh-ed25519 AAAA one"\n' in meta
    assert get("/user-data", *own) == "#cloud-config\nruncmd: [true]\n"
    assert get("/latest/user-data", *own) == "#cloud-config\nruncmd: [true]\n"
    assert get("/vendor-data", *own) == ""
    assert 'macaddress: "02:00:00:00:00:07"' in get("/network-config", *own)
    assert get("/latest/meta-data/instance-id", *own) == "i-00000007"
    assert get("/latest/meta-data/public-keys/1/openssh-key", *own) == "ssh-rsa BBBB two"
    status = ("-o", "/dev/null", "-w", "%{http_code}")
    assert get("/meta-data", "--interface", "10.0.0.99", *status) == "404"
    assert get("/nothing", *own, *status) == "404"
    assert get("/meta-data", "-X", "PUT", "-d", "x", *own, *status) == "405"


def test_killed_router_serves_again(router):
    router.process.send_signal(signal.SIGKILL)
    router.process.wait()
    router.start()
    assert "REFUSED" not in dig("www.example", "+tries=1", "+time=1")
    router.feed()
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"
    assert dig("www.example", "+short") == "198.51.100.7\n"


def test_second_router_on_the_socket_ends_itself(router):
    done = inside(HOST, PROGRAM, "--netns", f"/run/netns/{ROUTER}", "--interface", "viaduct", "--socket", router.socket_path, check=False)
    assert done.returncode == 1 and "another router serves" in done.stderr
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"


def test_router_has_no_privileges(router):
    """R-SVC-3: what an instance could take over owns nothing."""
    router.feed(dns=(OUTER,), service4=SERVICE)
    assert dig("www.example", "+short") == "203.0.113.9\n"
    threads = list(pathlib.Path(f"/proc/{router.ask({'op': 'status'})['pid']}/task").iterdir())
    assert len(threads) > 2  # the loop's, the one in the router's namespace, libunbound's
    for thread in threads:
        fields = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        assert fields["CapEff"] == fields["CapPrm"] == "0" * 16 and fields["NoNewPrivs"] == "1" and fields["Uid"].split()[0] == "65534"


def test_bad_control_lines_are_answered_with_a_sentence(router):
    for line in ({"op": "dance"}, {"kind": "port"}, [], {"op": "put", "kind": "dance"}, {"op": "put", "kind": "port", "id": "x"}):
        assert router.ask(line)["error"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(router.socket_path)
        connection.sendall(b"{nonsense\n")
        assert b"no JSON" in connection.recv(4096)
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"


def test_router_stays_where_it_may_not_look(router):
    """Its run directory is root's alone, and the router is nobody."""
    router.directory.chmod(0o700)
    time.sleep(5)
    assert router.process.poll() is None
    assert dig("web1.demo.internal", "+short") == "10.0.0.2\n"


def test_router_ends_when_its_place_is_taken_away(router):
    os.unlink(router.socket_path)
    router.process.wait(20)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-x", *sys.argv[1:]]))
