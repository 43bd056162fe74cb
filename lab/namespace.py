# SPDX-License-Identifier: Apache-2.0
"""A node of the lab: a network namespace, and what one does in it."""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import select
import signal
import socket as sockets
import struct
import subprocess
import sys
import threading
import time

from lab.layout import LabError
from lab.wait import wait_until

NETNS = pathlib.Path("/run/netns")
CLONE_NEWNET = 0x40000000
PING_INTERVAL = 0.05  # seconds: the next one is sent then, or as soon as those before are answered
# <linux/if_packet.h>
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>: more than the machine's own limit, which may be a quarter of a second's packets
ETH_P_ALL = 3  # <linux/if_ether.h>
LIBC = ctypes.CDLL(None, use_errno=True)
# What a namespace of the lab must not take over from the machine.
QUIET = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.default.accept_dad=0",
         "net.ipv6.conf.default.disable_ipv6=0", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv4.ping_group_range=0 2147483647"]


def run(*command, check=True, **options):
    """subprocess.run with output captured as text; on failure a LabError that holds it."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=options.pop("stdin", subprocess.DEVNULL)
                            if "input" not in options else None, **options)
    if check and result.returncode:
        raise LabError(f"{' '.join(map(str, command))}: exit {result.returncode}: {(result.stderr or result.stdout).strip()}")
    return result


@dataclasses.dataclass
class Ping:
    sent: int
    received: int
    ttls: list
    errors: list  # lines that name an ICMP error
    output: str

    @property
    def lost(self):
        return self.sent - self.received


class Frames(list):
    """What a capture has heard. Whoever waits for a frame asks now() again and again."""

    def __init__(self, opened):
        super().__init__()
        self.opened = opened

    def now(self):
        """Itself, with all that has come by now."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, notes, _, _ = self.opened.recvmsg(1 << 17, 256)
                self.append(with_tag(data, notes))
        return self


class Namespace:
    def __init__(self, name, title):
        self.name, self.title = name, title  # as `ip netns` knows it, as the file does
        self.machine = None  # when it has files of its own, too

    @property
    def path(self):
        return NETNS / self.name

    def create(self):
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        self.sysctl(*QUIET)

    def delete(self):
        with contextlib.suppress(LabError):
            wait_until(self.kill_all, f"nobody lives in {self.name}", step=0.02)
        run("ip", "netns", "del", self.name, check=False)

    def kill_all(self):
        """Whether nobody was left to kill. To be asked again: a process may have forked since they were listed."""
        found = self.pids()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    def pids(self):
        """Processes that live in it, zombies apart: they hold nothing any more."""
        found = run("ip", "netns", "pids", self.name, check=False).stdout.split()
        return [int(pid) for pid in found if int(pid) != os.getpid() and not is_zombie(pid)]

    def command(self, argv):
        # Not `ip netns exec`: it hides /sys, and mounts made in it die with it.
        return ["nsenter", f"--net={self.path}", *(self.machine.arguments() if self.machine else []), "--", *map(str, argv)]

    def run(self, *argv, check=True, **options):
        return run(*self.command(argv), check=check, **options)

    def launch(self, *argv, **options):
        return subprocess.Popen(self.command(argv), stdin=subprocess.DEVNULL, **options)

    def ip(self, *argv, check=True):
        return run("ip", "-n", self.name, *argv, check=check).stdout

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-e", "-w", *settings)

    def inside(self, work):
        """What work() returns, run in a thread that has entered the namespace: sockets opened there stay there."""
        result = []

        def enter():
            try:
                with open(self.path) as handle:
                    if LIBC.setns(handle.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
                result.extend([work(), None])
            except BaseException as error:
                result.extend([None, error])

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if result[1] is not None:
            raise result[1]
        return result[0]

    def socket(self, *arguments):
        """A Python socket that lives in the namespace."""
        opened = self.inside(lambda: sockets.socket(*arguments))
        opened.settimeout(5)
        return opened

    def ping(self, target, count=1, size=None, dont_fragment=False, ttl=None, source=None, timeout=2.0):
        if count > 1:
            return self.ping_series(target, count, timeout, size or 56, dont_fragment, source)
        command = ["ping", "-n", "-c", 1, "-W", timeout]
        command += ["-s", size] if size is not None else []
        command += ["-M", "do"] if dont_fragment else []
        command += ["-t", ttl] if ttl is not None else []
        command += ["-I", source] if source else []
        output = self.run(*command, target, check=False, timeout=timeout + 60)
        text = output.stdout + output.stderr
        sent = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        return Ping(
            sent=int(sent[1]) if sent else 1,
            received=int(sent[2]) if sent else 0,
            ttls=[int(ttl) for ttl in re.findall(r"icmp_seq=\d+ ttl=(\d+)", text)],
            errors=[line for line in text.splitlines() if re.match(r"(From|ping:|Fehler)", line)],
            output=text)

    def ping_series(self, target, count, timeout, size=56, dont_fragment=False, source=None):
        """Of one identifier, the next as soon as those before are answered. `ping` waits for the last of several answers one interval only,
        whatever -W says; and all at once (-l) the second is lost where the first is kept until a neighbour's MAC is known.
        """
        echo = ECHO[":" in target]
        with self.socket(echo.family, sockets.SOCK_DGRAM, echo.protocol) as one:
            one.setsockopt(echo.level, echo.receive_ttl, 1)
            one.setsockopt(echo.level, echo.mtu_discover, 2 if dont_fragment else 1)  # IP_PMTUDISC_DO, _WANT
            if source:
                one.bind((source, 0))
            ttls, errors = {}, []
            for number in range(1, count + 1):
                try:
                    one.sendto(struct.pack("!BBHHH", echo.request, 0, 0, 0, number) + bytes(size), (target, 0))
                except OSError as error:
                    errors.append(f"ping: {error}")
                gather_echoes(one, ttls, number - len(errors), timeout if number == count else PING_INTERVAL)
        return Ping(count, len(ttls), [ttls[number] for number in sorted(ttls)], errors, f"of {count} pings of {target} {sorted(ttls)} are answered")

    def traceroute(self, target, hops=8):
        """The addresses that answered, "*" for one that did not."""
        family = ["-6"] if ":" in target else []
        output = self.run("busybox", "traceroute", *family, "-n", "-q", 1, "-w", 2, "-m", hops, target).stdout
        return [line.split()[1] for line in output.splitlines()[1:] if line.split()]

    @contextlib.contextmanager
    def capture(self, ifname):
        """Yields a list that holds the frames (bytes, with VLAN tags) that passed the interface, once the block has ended; see Frames."""
        def open_socket():
            # No protocol until it is bound: it would hear every other interface up to then.
            opened = sockets.socket(sockets.AF_PACKET, sockets.SOCK_RAW, 0)
            opened.setsockopt(sockets.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
            opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            opened.bind((ifname, ETH_P_ALL))
            return opened

        with self.inside(open_socket) as opened:
            opened.setblocking(False)
            frames = Frames(opened)
            yield frames
            frames.now()

    def send(self, ifname, *frames):
        """Puts whole Ethernet frames on the interface."""
        def put():
            with sockets.socket(sockets.AF_PACKET, sockets.SOCK_RAW) as opened:
                opened.bind((ifname, 0))
                for frame in frames:
                    opened.send(bytes(frame))

        self.inside(put)


@dataclasses.dataclass
class Echo:
    """What ICMP sockets of a family want."""

    family: int
    protocol: int
    request: int
    level: int
    receive_ttl: int
    mtu_discover: int


# By whether it is IPv6; <linux/in.h>, <linux/in6.h>: IP_RECVTTL, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER.
ECHO = [Echo(sockets.AF_INET, sockets.IPPROTO_ICMP, 8, sockets.IPPROTO_IP, 12, 10),
        Echo(sockets.AF_INET6, sockets.IPPROTO_ICMPV6, 128, sockets.IPPROTO_IPV6, sockets.IPV6_RECVHOPLIMIT, 23)]


def gather_echoes(one, ttls, count, timeout):
    """Notes the TTL of each answer by its number, until there are so many or the seconds are over."""
    deadline, poll = time.monotonic() + timeout, select.poll()
    poll.register(one, select.POLLIN)
    # What has arrived counts, however late this process looks.
    while len(ttls) < count and poll.poll(max(0, deadline - time.monotonic()) * 1000):
        data, notes, _, _ = one.recvmsg(1 << 16, 64)
        ttls[int.from_bytes(data[6:8], "big")] = int.from_bytes(notes[0][2][:4], sys.byteorder)


def with_tag(data, notes):
    """The frame as it was on the wire: the kernel holds a VLAN tag beside it (struct tpacket_auxdata)."""
    for level, kind, note in notes:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, tag = int.from_bytes(note[:4], sys.byteorder), int.from_bytes(note[16:18], sys.byteorder)
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + bytes([0x81, 0]) + tag.to_bytes(2, "big") + data[12:]
    return data


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def connect(one, one_ifname, other, other_ifname, mtu=1500):
    """A veth pair between two namespaces; at no moment does an end lie in the machine's own."""
    run("ip", "-n", one.name, "link", "add", one_ifname, "mtu", mtu, "type", "veth", "peer", "name", other_ifname, "mtu", mtu,
        "netns", other.name)
    run("ip", "-n", one.name, "link", "set", one_ifname, "up")
    run("ip", "-n", other.name, "link", "set", other_ifname, "up")


def add_addresses(namespace, ifname, addresses):
    for address in addresses:
        nodad = ["nodad"] if ":" in address else []
        namespace.ip("address", "add", address, "dev", ifname, *nodad)
