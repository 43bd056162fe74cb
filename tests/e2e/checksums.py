# SPDX-License-Identifier: Apache-2.0
"""Whether captured TCP and UDP packets are what a card would have sent: their checksums, and how much they carry."""

import collections
import ipaddress

TCP, UDP = 6, 17
CHECKSUM = {TCP: 16, UDP: 6}

# state: "final", right as it stands; "partial", the pseudo header's sum alone, which a card completes; "bad". size: of the IP packet.
Seen = collections.namedtuple("Seen", "source destination protocol state size payload")


def ones_sum(data):
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data) & ~1, 2)) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def parts_of(frame):
    """(IP header's checksum is right, addresses, protocol, transport) of an unfragmented TCP or UDP packet without a tag, or None."""
    kind, packet = frame[12:14], frame[14:]
    if kind == b"\x08\x00" and not int.from_bytes(packet[6:8], "big") & 0x3fff:
        header = (packet[0] & 15) * 4
        return ones_sum(packet[:header]) == 0xffff, packet[12:20], packet[9], packet[header:int.from_bytes(packet[2:4], "big")]
    if kind == b"\x86\xdd":
        return True, packet[8:40], packet[6], packet[40:40 + int.from_bytes(packet[4:6], "big")]
    return None


def state_of(addresses, protocol, transport):
    at = CHECKSUM[protocol]
    pseudo = addresses + len(transport).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    stands = int.from_bytes(transport[at:at + 2], "big")
    if protocol == UDP and not stands or ones_sum(pseudo + transport) == 0xffff:
        return "final"
    return "partial" if stands == ones_sum(pseudo) else "bad"


def seen_in(frames):
    """What the frames with TCP and UDP are."""
    found = []
    for frame in frames:
        parts = parts_of(frame)
        if not parts or parts[2] not in CHECKSUM or len(parts[3]) < 8:
            continue
        is_right, addresses, protocol, transport = parts
        half = len(addresses) // 2
        header = transport[12] // 16 * 4 if protocol == TCP else 8
        found.append(Seen(*(str(ipaddress.ip_address(part)) for part in (addresses[:half], addresses[half:])), protocol,
                          state_of(addresses, protocol, transport) if is_right else "bad", len(frame) - 14, len(transport) - header))
    return found
