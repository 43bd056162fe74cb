# SPDX-License-Identifier: Apache-2.0
"""One policy three ways, of 1, 100 and 10,000 rules: nft rules one after the other, nft's best, and Viaduct's security groups.

Rule i lets UDP in to four ports of its own, from a prefix that the sender's address lies in; the prefixes have five different lengths.
Ranges begin at odd ports, so that none is one aligned block. Everything else is refused, and what is established passes.
"""

from topology import Routed, run
from viaduct_shapes import TwoSubnets, documents

SIZES = (1, 100, 10000)
WIDTH = 4  # ports of a rule
PORT_FIRST = 10001
PREFIXES = ("10.0.0.0/8", "10.64.0.0/10", "10.91.0.0/16", "10.91.0.0/20", "10.91.0.2/32")
MEASURES = ("policy_one_flow", "policy_new_last", "policy_new_random")


def rules(size):
    """(prefix, first port, last port) of each."""
    for index in range(size):
        first = PORT_FIRST + index * WIDTH
        yield PREFIXES[index % len(PREFIXES)], first, first + WIDTH - 1


class Policy:
    """What the shapes have in common: which packets match which rules."""
    size = 1
    measures = MEASURES

    def ports_all(self):
        return PORT_FIRST, self.size * WIDTH

    def ports_last(self):
        """Those of the last rule; of the last hundredth of many, so that new flows do not run out of source ports."""
        count = max(self.size // 100, 1) * WIDTH
        return PORT_FIRST + self.size * WIDTH - count, count


class Nft(Policy, Routed):
    def ruleset(self):
        return f"""
            table ip bench {{
                {self.declarations()}
                chain forward {{
                    type filter hook forward priority filter; policy drop;
                    ct state established,related accept
                    {self.statements()}
                }}
            }}
            """

    def declarations(self):
        return ""


class NftLinear(Nft):
    # Some ten nanoseconds a rule: as many flows as others have would take seconds.
    new_flow_share = 0.2

    def statements(self):
        return "\n".join(f"ip saddr {prefix} udp dport {first}-{last} accept" for prefix, first, last in rules(self.size))


class NftSet(Nft):
    """An interval set over address and port: one lookup (the kernel's pipapo)."""

    def declarations(self):
        elements = ", ".join(f"{prefix} . {first}-{last}" for prefix, first, last in rules(self.size))
        return f"set allowed {{ type ipv4_addr . inet_service; flags interval; elements = {{ {elements} }} }}"

    def statements(self):
        return "meta l4proto udp ip saddr . th dport @allowed accept"


class NftMap(Nft):
    """A hash over the exact port, whose verdict is the chain that knows the prefix: what this policy's ranges, written out, allow."""

    def declarations(self):
        chains = "\n".join(f"chain from{index} {{ ip saddr {prefix} accept; }}" for index, prefix in enumerate(PREFIXES))
        elements = ", ".join(f"{port} : jump from{index % len(PREFIXES)}"
                             for index, (_, first, last) in enumerate(rules(self.size)) for port in range(first, last + 1))
        return f"{chains}\nmap ports {{ type inet_service : verdict; elements = {{ {elements} }} }}"

    def statements(self):
        return "udp dport vmap @ports"


class Groups(Policy, TwoSubnets):
    def documents(self):
        lines = [documents(self.subnets, 0).rstrip() + "\nsecurity_groups: [servers]", "kind: security_group\nname: servers"]
        for prefix, first, last in rules(self.size):
            lines.append(f"kind: security_group_rule\ngroup: servers\ndirection: ingress\nprotocol: udp\nports: {first}-{last}\n"
                         f"remote_cidr: {prefix}")
        # So that settle's pings are answered.
        lines.append("kind: security_group_rule\ngroup: servers\ndirection: ingress\nprotocol: icmp")
        return "\n---\n".join(lines) + "\n"


def shapes():
    for size in SIZES:
        rules_text = "1 rule" if size == 1 else f"{size:,} rules"
        for brick, name, title in ((NftLinear, "nft-rules", "nft, one after the other"), (NftSet, "nft-set", "nft, interval set"),
                                   (NftMap, "nft-map", "nft, hash map of ports"), (Groups, "groups", "Viaduct, security groups")):
            attributes = {"name": f"{name}-{size}", "title": f"{rules_text}: {title}", "size": size}
            yield type(f"{brick.__name__}{size}", (brick,), attributes)


SHAPES = list(shapes())
