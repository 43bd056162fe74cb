# SPDX-License-Identifier: Apache-2.0
"""Traffic that keeps its own books: what was sent, what arrived, and when."""

import contextlib
import dataclasses
import itertools
import pathlib
import re
import select
import signal
import socket
import struct
import tempfile
import threading
import time

from conversation import datagrams
from lab.namespace import SO_RCVBUFFORCE
from lab.world import wait_until

# Offsets in struct tcp_info (linux/tcp.h).
TCP_INFO_TOTAL_RETRANS = 100
TCP_INFO_DSACK_DUPS = 216
TCP_INFO_SIZE = 224


def segments_lost(connection):
    """What TCP sent again, less what the far end said it had got twice: a probe that fires while the CPU is busy is no loss."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
    again, twice = (struct.unpack_from("=I", info, offset)[0] for offset in (TCP_INFO_TOTAL_RETRANS, TCP_INFO_DSACK_DUPS))
    return max(0, again - twice)


class Beat:
    """A datagram every 10 ms to an echo, each from a socket of its own: each is a new connection to whatever filters and translates. It
    remembers when each was sent, who the echo saw, and whether it answered within half a second.
    """

    INTERVAL = 0.01
    PATIENCE = 0.5
    STALL = 0.05  # who has been kept from sending for so long did not run, nor did much else on this machine

    def __init__(self, source, target, address, port=7100):
        """source, target: Namespaces."""
        self.to, self.stopping = (address, port), False
        self.beats = []  # [when it was sent, whether it was answered], in order
        self.seen = {}  # source address -> when the last one was sent that the echo saw from there
        self.echo = target.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.bind(self.to)
        self.echo.settimeout(0.2)
        self.threads = [threading.Thread(target=self.answer), threading.Thread(target=source.inside, args=[self.send])]
        for thread in self.threads:
            thread.start()

    def answer(self):
        while not self.stopping:
            with contextlib.suppress(TimeoutError):
                data, peer = self.echo.recvfrom(64)
                self.seen[peer[0]] = struct.unpack("!d", data)[0]
                with contextlib.suppress(OSError):
                    self.echo.sendto(data, peer)

    def send(self):
        waiting, poll, due = {}, select.epoll(), time.monotonic()
        while not self.stopping:
            beat = [time.monotonic(), False]
            self.beats.append(beat)
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with contextlib.suppress(OSError):
                opened.sendto(struct.pack("!d", beat[0]), self.to)
            waiting[opened.fileno()] = opened, beat
            poll.register(opened, select.EPOLLIN)
            due = max(due + self.INTERVAL, beat[0])
            while not self.stopping:
                for number, _ in poll.poll(max(0, due - time.monotonic())):
                    opened, beat = waiting.pop(number)
                    beat[1] = True
                    opened.close()
                if time.monotonic() >= due:
                    break
            # In order: the first is the oldest.
            while waiting and next(iter(waiting.values()))[1][0] < due - self.PATIENCE:
                waiting.pop(next(iter(waiting)))[0].close()
        for opened, _ in waiting.values():
            opened.close()
        poll.close()

    def ran(self, since, until):
        """Seconds from the one moment to the other, without those in which nothing could be sent: the machine had no time for us then."""
        moments = [since, *(when for when, _ in [*self.beats] if since < when < until), until]
        return sum(min(later - earlier, self.STALL) for earlier, later in itertools.pairwise(moments))

    def gap(self, since):
        """Seconds from the first beat that was not answered to the next one that was, the longest of those after `since`, as `ran` counts
        them. Waits until what was sent by now is answered or lost.
        """
        time.sleep(self.PATIENCE + 2 * self.INTERVAL)
        until, longest, lost = time.monotonic() - self.PATIENCE, 0.0, None
        for when, answered in [*self.beats]:
            if when < since:
                continue
            if lost is not None and (answered or when >= until):
                longest, lost = max(longest, self.ran(lost, when)), None
            if when >= until:
                break
            if not answered and lost is None:
                lost = when
        return longest

    def is_answered(self):
        """One of the latest."""
        return any(answered for _, answered in self.beats[-5:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        self.echo.close()


# Seconds that an answer may be under way when a flood is stopped, on a machine with much else to do.
UNDER_WAY = 0.2


def catches(pid, number):
    """Whether a process has a handler for a signal."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^SigCgt:\s*(\w+)", status, re.M)[1], 16) >> (number - 1) & 1


class Flood:
    """ping, every 2 ms, from a node to an address, until stopped."""

    def __init__(self, node, target, interval=0.002):
        self.interval = interval
        self.output = tempfile.TemporaryFile("w+")
        self.process = node.launch("ping", "-n", "-i", interval, target, stdout=self.output, stderr=self.output, text=True)
        # Before it has a handler, SIGINT ends it without a word.
        wait_until(lambda: self.process.poll() is not None or catches(self.process.pid, signal.SIGINT), "ping has begun")

    def stop(self):
        """(sent, received), without those at the end that may have been under way."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.output.seek(0)
        text = self.output.read()
        self.output.close()
        summary = re.search(r"(\d+) packets transmitted", text)
        assert summary, f"ping ended with {self.process.returncode}: {text[-500:]}"
        sent = int(summary[1])
        answered = {int(number) for number in re.findall(r"bytes from .* icmp_seq=(\d+) ", text)}
        last = max(answered, default=0)
        return last if (sent - last) * self.interval <= UNDER_WAY else sent, len(answered)


class Stream:
    """One TCP connection, written as fast as a pace allows; the far end checks every byte."""

    def __init__(self, server, client, address, port=5001):
        self.listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen()
        self.sender = client.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sender.connect((address, port))
        self.receiver = self.listener.accept()[0]
        self.receiver.settimeout(10)
        self.stopping, self.sent, self.received, self.error = False, 0, 0, None
        self.threads = [threading.Thread(target=self.guard, args=[work]) for work in (self.write, self.read)]
        for thread in self.threads:
            thread.start()

    def guard(self, work):
        try:
            work()
        except OSError as error:
            self.error = error

    def write(self):
        while not self.stopping:
            block = b"".join(struct.pack("!Q", self.sent // 8 + i) for i in range(1024))
            self.sender.sendall(block)
            self.sent += len(block)
            time.sleep(0.001)
        time.sleep(0.3)  # the last acknowledgements
        self.lost = segments_lost(self.sender)
        self.sender.shutdown(socket.SHUT_WR)

    def read(self):
        rest = b""
        while data := self.receiver.recv(1 << 16):
            rest += data
            whole = len(rest) // 8 * 8
            for (number,) in struct.iter_unpack("!Q", rest[:whole]):
                if number != self.received // 8:
                    raise OSError(f"byte {self.received}: out of order")
                self.received += 8
            rest = rest[whole:]

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(timeout=20)
        for opened in (self.listener, self.sender, self.receiver):
            opened.close()
        return self


class Datagrams:
    """Numbered UDP packets of one flow, one every fraction of a millisecond; remembers which numbers arrived."""

    def __init__(self, source, target, address, port=7000, interval=0.0005):
        self.receiver = target.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.receiver.bind((address, port))
        self.receiver.settimeout(0.3)
        self.sender = source.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address, self.interval = (address, port), interval
        self.number, self.arrived, self.stopping = 0, [], False
        self.threads = [threading.Thread(target=work) for work in (self.write, self.read)]
        for thread in self.threads:
            thread.start()

    def write(self):
        while not self.stopping:
            self.number += 1  # before the packet leaves: whoever reads it afterwards knows that higher numbers come later
            with contextlib.suppress(OSError):
                self.sender.sendto(struct.pack("!Q", self.number), self.address)
            time.sleep(self.interval)

    def read(self):
        while True:
            try:
                self.arrived.append(struct.unpack("!Q", self.receiver.recv(64))[0])
            except TimeoutError:
                if self.stopping:
                    return

    def go_on(self, count=50):
        """Waits until so many more packets have left; the number of the last one that surely has."""
        until = self.number + count
        wait_until(lambda: self.number > until, f"{count} more packets leave")
        return self.number - 1

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        self.receiver.close()
        self.sender.close()
        return self


@dataclasses.dataclass
class Bucket:
    """A limit under test, in bits a second and bits."""

    rate: int
    burst: int
    dropped: object  # how many packets it has dropped, as its owner says

    def passes(self, times, size):
        """How many packets of that size, sent at those times, such a bucket lets through when it is full before."""
        passed, level, last = 0, self.burst, times[0]
        for now in times:
            level, last = min(self.burst, level + (now - last) * self.rate), now
            if level >= 0:
                level -= size
                passed += 1
        return passed


def share_passed(source, target, address, bucket, seconds=1.5, port=7200):
    """What arrives of five times as many packets as may, as a share of what should at the times when they were sent: a sender that is
    paused asks for nothing. Each packet is counted, as arrived or as dropped by the bucket.
    """
    payload, wire = bytes(1200), 8 * (1200 + 14 + 20 + 8)  # with headers, from the Ethernet one on
    step = wire / bucket.rate / 5
    count = int(seconds / step)
    with datagrams(source, target, address, port) as (sender, receiver):
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
        receiver.setblocking(False)
        arrived, before, times, start = 0, bucket.dropped(), [], time.monotonic()
        for number in range(count):
            if (early := start + number * step - time.monotonic()) > 0:
                time.sleep(early)
            times.append(time.monotonic())
            sender.send(payload)

        def all_known():
            nonlocal arrived
            with contextlib.suppress(BlockingIOError):
                while receiver.recv(2048):
                    arrived += 1
            return arrived + bucket.dropped() - before == count

        wait_until(all_known, lambda: f"of {count} packets, {arrived} arrived and {bucket.dropped() - before} were dropped by the limit")
    assert arrived < count, "the limit was not reached"
    return arrived / bucket.passes(times, wire)
