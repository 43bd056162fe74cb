# SPDX-License-Identifier: Apache-2.0
"""What the seeds print, word for word, and whether a program in a lab printed the same. Only times may differ.

001's text says 192.168.10.52 and its ping 192.168.10.25, which is taken for a slip. Its answers have ttl=64, as if no node were between
container and instance; ours have 63, as any Linux node's have. 003's ping is not busybox's, which has other words for the same.
"""

import re

CLOSED_001 = """\
PING 192.168.10.25 (192.168.10.25): 56 data bytes
^C
--- 192.168.10.25 ping statistics ---
104 packets transmitted, 0 packets received, 100% packet loss
""".replace("10.25", "10.52")

OPEN_001 = """\
PING 192.168.10.25 (192.168.10.25): 56 data bytes
64 bytes from 192.168.10.25: seq=0 ttl=64 time=1.412 ms
64 bytes from 192.168.10.25: seq=1 ttl=64 time=1.400 ms
64 bytes from 192.168.10.25: seq=2 ttl=64 time=1.299 ms
64 bytes from 192.168.10.25: seq=3 ttl=64 time=1.283 ms
^C
--- 192.168.10.25 ping statistics ---
4 packets transmitted, 4 packets received, 0% packet loss
""".replace("10.25", "10.52").replace("ttl=64", "ttl=63")

TRACEROUTE_002 = """\
traceroute to 10.0.3.2 (10.0.3.2), 30 hops max, 46 byte packets
 1  10.0.2.1 (10.0.2.1)  0.007 ms  0.004 ms  0.007 ms
 2  192.168.0.3 (192.168.0.3)  0.232 ms  0.165 ms  0.248 ms
 3  10.0.3.2 (10.0.3.2)  0.366 ms  0.308 ms  0.158 ms
"""

PING_002 = """\
PING 10.0.3.2 (10.0.3.2): 56 data bytes
64 bytes from 10.0.3.2: seq=0 ttl=62 time=0.570 ms
64 bytes from 10.0.3.2: seq=1 ttl=62 time=0.343 ms
64 bytes from 10.0.3.2: seq=2 ttl=62 time=0.304 ms
64 bytes from 10.0.3.2: seq=3 ttl=62 time=0.319 ms
"""

LEFT_003 = """\
PING 192.168.11.2 (192.168.11.2): 56 data bytes
64 bytes from 192.168.11.2: icmp_seq=0 ttl=62 time=0.418 ms
--- 192.168.11.2 ping statistics ---
1 packets transmitted, 1 packets received, 0% packet loss
round-trip min/avg/max/stddev = 0.418/0.418/0.418/0.000 ms
"""

RIGHT_003 = """\
PING 192.168.10.2 (192.168.10.2): 56 data bytes
64 bytes from 192.168.10.2: icmp_seq=0 ttl=62 time=0.422 ms
--- 192.168.10.2 ping statistics ---
1 packets transmitted, 1 packets received, 0% packet loss
round-trip min/avg/max/stddev = 0.422/0.422/0.422/0.000 ms
"""


def timeless(text):
    """Its lines, with times replaced, and without those that only the key at the end of a ping makes."""
    text = text.replace("icmp_seq=", "seq=").replace("min/avg/max/stddev", "min/avg/max")
    text = re.sub(r"(round-trip min/avg/max = )[\d./]+ ms", r"\1T ms", text)
    return [line for line in re.sub(r"\b\d+\.\d+ ms", "T ms", text).splitlines() if line not in ("", "^C")]


def is_printed(shown, seed):
    """Asserts it. Where the seed breaks off, what was shown may go on."""
    expected = timeless(seed)
    assert timeless(shown)[:len(expected)] == expected
    return True
