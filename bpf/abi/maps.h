/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_ABI_MAPS_H
#define VD_ABI_MAPS_H

#include <linux/types.h>

/*
 * Keys and values of the maps that kernel and user space share. No implicit padding: every hole is a named zero field, because keys
 * are compared as bytes. be: network byte order; everything else is the host's. A value may grow at its end in a later version
 * (docs/dev/upgrade.md); a key never changes.
 */

/* The router's MAC, the same in every VPC and on every host: instances see it for their gateway and may move without asking again. */
/* clang-format off */
#define VD_GATEWAY_MAC {0x02, 0x76, 0x69, 0x61, 0x64, 0x01}
/* clang-format on */

/*
 * Service addresses: with them a VPC's router asks name servers, on each host with one of its own, because gateway addresses stand on
 * every host and an answer to one would come back to any. The host's id in the last bits of 240.0.0.0/4 (reserved since RFC 1112, unicast
 * to Linux) and of fd76:6961:6475:6374::/64 ("viaduct"). No CIDR of a user holds them, and nobody but the router sends from one.
 */
#define VD_SERVICE4 0xf0000000U
#define VD_SERVICE4_LENGTH 4
#define VD_SERVICE6_0 0xfd766961U
#define VD_SERVICE6_1 0x64756374U
#define VD_SERVICE6_LENGTH 64

union vd_addr { /* IPv6, or IPv4 in word[0] with the rest zero: network byte order */
	__be32 word[4];
	__u8 byte[16];
};

/* ---- generations: what makes a cached flow stale --------------------------------------------------------------------------------
 *
 * One array entry, mapped by user space. A flow stamps the sum of the slots that it depends on, read before the lookups they stand
 * for; a change bumps its slots after its last map write. Values only grow, so equal sums mean that none moved. Slots are found by
 * hashing what they stand for (abi/generation.h): two things in one slot cost a needless decision, never a wrong one. Slot 0 is
 * never bumped: a dependency that is not needed.
 */
#define VD_GENERATION_SLOTS 65536
struct vd_generations {
	__u32 value[VD_GENERATION_SLOTS];
};

/* ---- flow cache: per direction (lib/cache.h) ---------------------------------------------------------------------------------- */

enum vd_ingress {
	VD_INGRESS_PORT = 1, /* ingress: ifindex */
	VD_INGRESS_TUNNEL,   /* ingress: VNI */
	VD_INGRESS_UPLINK, /* ingress: ifindex of the uplink, with the frame's VLAN; also where a packet turns round (VD_OUTPUT_TURN) */
};

struct vd_flow4_key {
	__u32 ingress;
	__be32 source, destination;
	__be16 source_port, destination_port; /* ICMP: identifier, and type << 8 | code */
	__u8 protocol;
	__u8 ingress_type; /* enum vd_ingress */
	__u16 vlan;        /* uplinks: 0 untagged; otherwise 0 */
};

struct vd_flow6_key {
	__u32 ingress;
	union vd_addr source, destination;
	__be16 source_port, destination_port;
	__u8 protocol;
	__u8 ingress_type;
	__u16 vlan;
};

enum vd_output {
	VD_OUTPUT_PEER = 1, /* bpf_redirect_peer to output_ifindex, a veth */
	VD_OUTPUT_DEVICE,   /* bpf_redirect to output_ifindex, a tap */
	VD_OUTPUT_TUNNEL,   /* to the VXLAN device, with vni and vtep */
	VD_OUTPUT_UPLINK,   /* bpf_redirect to output_ifindex, tagged with vlan unless that is 0 */
	VD_OUTPUT_TURN,     /* to an address of ours on the same network: comes in again as if from uplink output_ifindex, vlan */
};

enum vd_flow_flag {
	VD_FLOW_FLAG_TTL = 1,     /* one hop: decrement */
	VD_FLOW_FLAG_CAPTURE = 2, /* someone captures at the source port */
	VD_FLOW_FLAG_CAPTURE_DESTINATION = 4,
	/*
	 * Write translated_address and _port over the packet's source, or over its destination. Both: translated_address over the source,
	 * translated_destination over the destination, no port: between two VPCs that are peered. Other packets turn round for that.
	 */
	VD_FLOW_FLAG_TRANSLATE_SOURCE = 8,
	VD_FLOW_FLAG_TRANSLATE_DESTINATION = 16,
	VD_FLOW_FLAG_RATE_OUT = 32, /* its source port may send so much and no more (vd_rate) … */
	VD_FLOW_FLAG_RATE_IN = 64,  /* … its destination port receive */
	/*
	 * Its connection is known by translated_address and translated_destination, as the peer of the VPC that it comes in by sees its
	 * ends, whether or not they are written.
	 */
	VD_FLOW_FLAG_CONNECTION_TRANSLATED = 128,
};

#define VD_FLOW_DEPENDENCIES 8

/* What a flow depends on, in this order; a place that is not needed holds slot 0. */
enum vd_dependency {
	VD_DEPENDENCY_PORT,        /* the source port; on tunnels the destination's */
	VD_DEPENDENCY_TABLE,       /* the route table */
	VD_DEPENDENCY_DESTINATION, /* the endpoint that it goes to: the destination or the next hop */
	VD_DEPENDENCY_SOURCE,      /* the endpoint that it comes from; from a network into a VPC: the VPC */
	VD_DEPENDENCY_DOMAIN,
	VD_DEPENDENCY_POLICY_SOURCE,      /* of the port that it comes from */
	VD_DEPENDENCY_POLICY_DESTINATION, /* of the port here that it goes to */
	VD_DEPENDENCY_TRANSLATION,        /* the virtual IP that it is translated to or from */
};

/*
 * What a hit of any kind reads comes first, in the order in which it does. MACs stand as they do in a frame, the destination's first,
 * so that both are compared and written at once.
 */
struct vd_flow {
	__u64 generation_sum;
	__u16 dependency[VD_FLOW_DEPENDENCIES];                   /* slots: enum vd_dependency */
	__u8 expected_destination_mac[6], expected_source_mac[6]; /* as they must arrive; the source is compared on ports only */
	__u32 expected_vtep;                    /* tunnels: folded address of the host it came from (abi/generation.h) */
	__u8 destination_mac[6], source_mac[6]; /* as they leave */
	__u32 mtu;                              /* bytes of the IP packet; larger ones go to decide */
	__u32 output_ifindex;
	__u8 vtep_family; /* 4, 6 */
	__u8 output;      /* enum vd_output */
	__u8 flags;       /* enum vd_flow_flag */
	__u8 zero;
	__u64 packets, bytes;        /* not atomic: a direction of a flow is on one CPU nearly always */
	__u64 last_seen;             /* ns, CLOCK_MONOTONIC (coarse): jiffies would need the kernel's HZ, which nobody tells */
	__u64 touched;               /* the same clock: the last time its connection was told */
	__u32 translated_difference; /* of the address, as sums for checksums see it */
	__be16 translated_port;      /* ICMP: the identifier */
	__u16 vlan;                  /* UPLINK, TURN */
	union vd_addr translated_address;
	union vd_addr
		vtep; /* of the destination's host; UPLINK: the next hop, an address on the network vni. vtep_family 0: none */
	__u32 vni;
	__u32 identity;                            /* of the source port (VXLAN-GBP), 0 none */
	__u32 domain;                              /* of the connection it belongs to */
	__u32 source_port_id, destination_port_id; /* 0: none (tunnel side) */
	union vd_addr translated_destination;
	__u32 zero2;
#ifdef VD_ABI_NEXT
	__u64 next[8]; /* the build that tests an upgrade to grown values */
#endif
};

#define VD_FLOW_KEY_WORDS (sizeof(struct vd_flow6_key) / sizeof(__u32))

/* Of whole cache lines: every one stands alike in them, and a hit that is not for a tunnel reads three. */
struct vd_flow_slot {
	__u32 sequence;               /* 0: never used; odd: being written; else that of what stands here */
	__u32 key[VD_FLOW_KEY_WORDS]; /* struct vd_flow4_key or vd_flow6_key */
	struct vd_flow flow;
	__u32 bucket; /* of the index that speaks of it */
	__u32 zero[7];
} __attribute__((aligned(64)));

#define VD_FLOW_BUCKET_ENTRIES 16

/* A slot's number and 1, within the size's mask, and beside them a tag of the key's hash. 0: none. */
struct vd_flow_bucket {
	__u32 entry[VD_FLOW_BUCKET_ENTRIES];
};

struct vd_flow_size {
	__u32 slots, buckets;
	__u32 mask;
};

/* Three entries for two slots: when all are taken, one flow in two hundred finds its bucket full. */
static inline struct vd_flow_size vd_flow_size_of(__u32 slots)
{
	struct vd_flow_size size = {.slots = slots, .buckets = slots / 32 * 3 + 3, .mask = slots};

	for (__u32 i = 1; i < 32; i *= 2)
		size.mask |= size.mask >> i;
	return size;
}

struct vd_flow_head {
	__u64 seed[VD_FLOW_KEY_WORDS + 1]; /* random: of every word of a key, and one besides */
	__u64 zero[4];
	/* The slots that are taken next, as they are counted on. In another cache line than what all packets read. */
	__u32 next4, next6;
	__u64 zero2[7];
};

#ifndef VD_ABI_NEXT
_Static_assert(sizeof(struct vd_flow_slot) == 256, "a flow takes a cache line more");
#endif

/* ---- connection table: the truth, per host and domain, both directions in one ------------------------------------------------- */

/* "low" is the end with the smaller (address, port) as bytes; equal ends count as low first. ICMP echo: both ports the identifier. */
struct vd_connection4_key {
	__u32 domain;
	__be32 low, high;
	__be16 low_port, high_port;
	__u8 protocol;
	__u8 zero[3];
};

struct vd_connection6_key {
	__u32 domain;
	union vd_addr low, high;
	__be16 low_port, high_port;
	__u8 protocol;
	__u8 zero[3];
};

/* Of TCP; other protocols are NEW until answered, then ESTABLISHED. */
enum vd_connection_state {
	VD_CONNECTION_STATE_NEW = 1,
	VD_CONNECTION_STATE_ESTABLISHED,
	VD_CONNECTION_STATE_CLOSING, /* a FIN was seen */
	VD_CONNECTION_STATE_CLOSED,  /* RST, or FIN both ways */
};

struct vd_connection {
	__u64 created, last_seen; /* ns, CLOCK_MONOTONIC (coarse) */
	__u64 packets, bytes;     /* as decide and the touches saw them */
	__u8 initiator_is_high;
	__u8 state;                         /* enum vd_connection_state */
	__u8 tcp_flags_low, tcp_flags_high; /* seen from either side, or-ed */
	__u32 source_port_id;               /* of the initiator, 0 when it is on another host */
	__u32 destination_port_id;
	/*
	 * How its inner end is seen on a provider network, by the id that stands for its segment (vd_uplink); network 0: as it is. The host that a connection from outside came through, where that is another one: replies go back
	 * there, and vip is that host's VTEP.
	 */
	__u32 network;
	union vd_addr vip;
	__be16 vip_port; /* ICMP: the identifier */
	__u8 inner_is_high;
	__u8 translation; /* enum vd_translation */
	__u32 exit_vtep;  /* folded VTEP of that host, 0: none */
#ifdef VD_ABI_NEXT
	__u64 next[4];
#endif
};

/*
 * Queues of connections to look at, oldest first: exactly one entry per connection. The timer pops a bounded slice, lets go of what
 * has expired (also of what is gone already) and pushes the rest back. Who copies connections into a new map pushes each key here
 * too (checked 0), or it would never expire.
 */
struct vd_expire4_value {
	struct vd_connection4_key key;
	__u32 zero;
	__u64 checked; /* ns, CLOCK_MONOTONIC (coarse) */
};

struct vd_expire6_value {
	struct vd_connection6_key key;
	__u32 zero;
	__u64 checked;
};

/* How many connections a domain holds on this host, and may. Hash by domain. No entry: no connections (fail closed). */
struct vd_share_value {
	__u32 used, limit;
};

/* ---- what compile decided: written by user space only ------------------------------------------------------------------------- */

enum vd_port_flag {
	VD_PORT_FLAG_SOURCE_CHECK = 1,
	VD_PORT_FLAG_TAP = 2,     /* output by bpf_redirect */
	VD_PORT_FLAG_SERVICE = 4, /* the router's namespace; with HOST: the node's kernel */
	VD_PORT_FLAG_CAPTURE = 8,
	VD_PORT_FLAG_DHCP = 16, /* its subnet answers DHCP and solicitations */
	VD_PORT_FLAG_SNAT = 32, /* may leave by its router's own VIP */
	/*
	 * The host port, the service port of a container domain: the inner end of a veth pair of which both ends are in the node's own
	 * namespace, where bpf_redirect_peer drops in silence. What it sends comes from the node's kernel and may have any source.
	 */
	VD_PORT_FLAG_HOST = 64,
	VD_PORT_FLAG_RATE_IN = 128,  /* there is a vd_rate for what it receives … */
	VD_PORT_FLAG_RATE_OUT = 256, /* … and for what it sends */
};

#define VD_PORT_LOCAL 0x80000000U /* set in the ids of containers' ports, which are local to their host */

/* Hash by ifindex (__u32). */
struct vd_port_value {
	__u32 id;
	__u32 domain;
	__u32 subnet; /* id; 0 for a service port, and for containers: their domain has none */
	__u32 table;  /* 0: the domain's main table */
	__u32 mtu;
	__u32 identity;
	__u8 mac[6];
	__u16 flags;  /* enum vd_port_flag */
	__u32 policy; /* identity whose rules filter it, 0: unfiltered */
	__u32 zero;
};

/* Hash by id (__u32). */
struct vd_subnet_value {
	__u32 domain;
	__u32 vni;
	__be32 gateway4;      /* 0: none */
	__u32 uplink_ifindex; /* on a provider segment: where its frames leave; 0: a VXLAN, or no uplink here */
	union vd_addr gateway6;
	__u16 vlan;
	__u16 flags; /* enum vd_subnet_flag */
	__u32 zero;
};

enum vd_subnet_flag {
	VD_SUBNET_FLAG_BRIDGED = 1, /* on a provider segment: the destination MAC decides, what no one here has goes to the wire */
	VD_SUBNET_FLAG_NETWORK = 2, /* of a network (flat, public): no router; what leaves it goes to the network's own gateway */
};

/* Hash by domain (__u32). */
struct vd_domain_value {
	__u32 vni;             /* for routed traffic */
	__u32 mtu;             /* of an instance's interface; what a tunnel carries */
	__u32 service_ifindex; /* 0: no router here */
	__u32 service_port_id;
	__u32 flags; /* enum vd_domain_flag */
	__u32 zero;
};

enum vd_domain_flag {
	/*
	 * A container network: no subnets, one table. What the data plane does not deliver by itself goes to the node's kernel, through
	 * the service port; what comes by tunnel is delivered by its destination address, and believed by its source's.
	 */
	VD_DOMAIN_FLAG_CONTAINER = 1,
};

/* Hash by VNI (__u32). */
struct vd_segment_value {
	__u32 domain;
	__u32 subnet; /* 0: the VPC's own VNI (routed) */
};

struct vd_endpoint4_key {
	__u32 domain;
	__be32 address;
};

struct vd_endpoint6_key {
	__u32 domain;
	union vd_addr address;
};

enum vd_endpoint_place {
	VD_ENDPOINT_PLACE_HERE = 1, /* ifindex */
	VD_ENDPOINT_PLACE_HOST,     /* host */
	VD_ENDPOINT_PLACE_GATEWAY,  /* the domain's service port; mac is VD_GATEWAY_MAC */
	VD_ENDPOINT_PLACE_KERNEL,   /* in the trace alone: no container has it, the node's kernel may */
};

/* Hash by {domain, address}. */
struct vd_endpoint_value {
	__u32 port_id; /* 0: a gateway */
	__u32 subnet;
	__u32 ifindex;  /* HERE */
	__u32 host;     /* HOST: id, key of the host map */
	__u32 identity; /* of its set of groups, for rules with a remote group; 0: none */
	__u8 mac[6];
	__u8 place; /* enum vd_endpoint_place */
	__u8 flags; /* VD_PORT_FLAG_TAP | VD_PORT_FLAG_CAPTURE */
#ifdef VD_ABI_NEXT
	__u64 next[4];
#endif
};

/* Which port here has this MAC: how a routed tunnel packet finds it. Hash. */
struct vd_mac_key {
	__u32 domain;
	__u8 mac[6];
	__u16 zero;
};

struct vd_mac_value {
	__u32 ifindex;
	__u32 port_id;
};

/* LPM trie. prefix_length counts domain and table too: 64 + the prefix's own. */
struct vd_route4_key {
	__u32 prefix_length;
	__u32 domain, table;
	__be32 address;
};

struct vd_route6_key {
	__u32 prefix_length;
	__u32 domain, table;
	union vd_addr address;
};

enum vd_route_type {
	VD_ROUTE_TYPE_LOCAL = 1, /* inside the VPC's CIDRs, a container block of this node: the endpoint table decides */
	VD_ROUTE_TYPE_NEXT_HOP,  /* next_hop, an address of the domain */
	VD_ROUTE_TYPE_BLACKHOLE,
	VD_ROUTE_TYPE_UNUSABLE, /* the next hop is not there */
	VD_ROUTE_TYPE_EXIT,     /* to a provider network: exit is the key of vd_exit */
	VD_ROUTE_TYPE_TUNNEL,   /* container domains: to the node target (key of vd_host), which delivers by address */
	VD_ROUTE_TYPE_STACK,    /* container domains: to this node's kernel; target: the node whose block it is, 0: anyone's */
	VD_ROUTE_TYPE_PEER,     /* to a peered VPC: target is its domain, whose main table goes on */
};

struct vd_route_value {
	__u32 id;        /* of the resource, for drops and the trace; 0 for LOCAL and what a network brings by itself */
	__u8 type;       /* enum vd_route_type */
	__u8 is_default; /* of length 0: who has an elastic IP leaves with that instead */
	__u8 zero[2];
	union vd_addr next_hop;
	__u32 exit;
	__u32 target; /* TUNNEL, STACK, PEER */
};

/*
 * LPM tries: how an address of a VPC is seen by a peer of it (VD_ALIAS_SEEN), and whose address it is that a peer sees (VD_ALIAS_OWN).
 * Every prefix stands in both. What stands in neither crosses as it is. prefix_length: 96 + the prefix's own.
 */
enum vd_alias_type {
	VD_ALIAS_SEEN = 1, /* address: the domain's own */
	VD_ALIAS_OWN,      /* address: as the peer sees it */
};

struct vd_alias4_key {
	__u32 prefix_length;
	__u32 domain; /* whose the address is */
	__u32 peer;   /* who sees it */
	__u32 type;   /* enum vd_alias_type */
	__be32 address;
};

struct vd_alias6_key {
	__u32 prefix_length;
	__u32 domain, peer;
	__u32 type;
	union vd_addr address;
};

struct vd_alias_value {
	union vd_addr prefix; /* in place of its first length bits */
	__u32 length;
};

/* LPM tries: sources opened in spite of source check. Value: __u32 1. */
struct vd_source4_key {
	__u32 prefix_length; /* 32 + the prefix's own */
	__u32 port_id;
	__be32 address;
};

struct vd_source6_key {
	__u32 prefix_length;
	__u32 port_id;
	union vd_addr address;
};

/* Hash by host id (__u32). */
struct vd_host_value {
	union vd_addr vtep;
	__u32 family; /* 4, 6 */
};

/* Hash of folded vtep addresses that are ours: value __u32 1 (abi/generation.h: vd_vtep_fold). Several hosts may share one: counted. */

/* ---- rate limits ----------------------------------------------------------------------------------------------------------------- */

enum vd_rate_direction {
	VD_RATE_DIRECTION_IN = 1, /* what the port receives */
	VD_RATE_DIRECTION_OUT,    /* what it sends */
};

struct vd_rate_key {
	__u32 port_id;
	__u32 direction; /* enum vd_rate_direction */
};

/*
 * Hash: a token bucket, told by the time until which it is spent: a packet passes if that is not more than the burst ahead of now,
 * and moves it on by what it takes at that rate. One word, so that CPUs need no lock.
 */
struct vd_rate_value {
	__u64 rate;           /* bytes per second, from the Ethernet header on; never 0 */
	__u64 burst;          /* ns: what the whole bucket takes at that rate */
	__u64 spent;          /* ns, CLOCK_MONOTONIC; the data plane's, as are those below */
	__u64 packets, bytes; /* that were dropped */
};

/* ---- policy: the rules of a set of security groups, as an allow-list ------------------------------------------------------------
 *
 * An identity stands for a set of groups. A rule is an entry for its remote end (anyone, or an identity, inside a prefix) and below
 * it entries for its ports, a range cut into aligned blocks of a power of two. What a decision costs depends on how many different
 * prefix and block lengths there are (the masks), never on how many rules. Masks may have bits too many, never too few. Which ports
 * of a span of 512 are allowed by narrower blocks is one lookup; by which rule, only a trace asks the blocks themselves.
 */

enum vd_policy_direction {
	VD_POLICY_DIRECTION_INGRESS = 1,
	VD_POLICY_DIRECTION_EGRESS,
};

/* An identity that nobody has and that never has a policy: of a port whose groups are being changed. */
#define VD_POLICY_CLOSED (~0U)

/* Hash. No entry: everything is refused. */
struct vd_policy_key {
	__u32 identity;
	__u32 direction; /* enum vd_policy_direction */
};

struct vd_policy_value {
	__u32 open;                        /* 1: everything passes (egress without rules of the user's) */
	__u32 only_spans;                  /* VD_POLICY_ONLY: the spans of those remote ends say all, they need not be asked */
	__u64 lengths4, identity_lengths4; /* bit n: there is a remote prefix of length n; for anyone, for identities */
	__u64 lengths6[3], identity_lengths6[3]; /* bit n % 64 of word n / 64 */
};

enum vd_policy_protocol {
	VD_POLICY_PROTOCOL_TCP,
	VD_POLICY_PROTOCOL_UDP,
	VD_POLICY_PROTOCOL_ICMP,
	VD_POLICY_PROTOCOL_COUNT,
};

/* The remote ends of one family, for anyone or for identities, and what they allow of one protocol. */
#define VD_POLICY_ONLY(protocol, is_identity, is_ipv6) (1U << ((protocol)*4 + ((is_identity) ? 2 : 0) + ((is_ipv6) ? 1 : 0)))
#define VD_POLICY_ONLY_ALL ((1U << (VD_POLICY_PROTOCOL_COUNT * 4)) - 1)

/* Hash. */
struct vd_remote_key {
	__u32 identity;
	__u32 direction;
	__u32 remote_identity; /* 0: anyone */
	__u8 family;           /* 4, 6 */
	__u8 length;
	__u16 zero;
	union vd_addr prefix;
};

struct vd_remote_value {
	__u32 any_rule;                               /* id of a rule with all protocols, 0: none */
	__u32 tcp_lengths, udp_lengths, icmp_lengths; /* bit n: there is a block of ports with its n leading bits fixed */
};

/*
 * Beside the lengths: the blocks that are narrower than a span stand in vd_span too, which answers for all of them at once. An entry
 * without it is an older build's.
 */
#define VD_POLICY_SPANS 0x80000000U
#define VD_POLICY_SPAN_LENGTH 7
#define VD_POLICY_SPAN_PORTS (1 << (16 - VD_POLICY_SPAN_LENGTH))

/* Hash; value: __u32 id of the rule. */
struct vd_allow_key {
	struct vd_remote_key remote;
	__u8 protocol; /* 6, 17, 1: ICMP of either family */
	__u8 length;   /* leading bits of port that are fixed: 0 all ports, 16 one */
	__u16 port;    /* host order, the rest zero; ICMP: the type */
};

/* Hash by vd_allow_key, of the span's length: its ports that blocks narrower than it allow. */
struct vd_span_value {
	__u64 ports[VD_POLICY_SPAN_PORTS / 64]; /* bit n % 64 of word n / 64 */
};

#include "provider.h"

/* ---- fragments: LRU, the ports of the first one ------------------------------------------------------------------------------- */

struct vd_fragment_key {
	__u32 ingress;
	union vd_addr source, destination;
	__u32 id;
	__u8 protocol;
	__u8 ingress_type;
	__u16 zero;
};

struct vd_fragment_value {
	__be16 source_port, destination_port;
	__u8 icmp_type;
	__u8 zero[3];
};

/* ---- what comes back ---------------------------------------------------------------------------------------------------------- */

/* Per-CPU array by enum vd_drop_reason. */
struct vd_drop_count {
	__u64 packets, bytes;
};

/* Per-CPU array of one. */
struct vd_counters {
	__u64 hits, misses, decided, installed, touched, neighbour_answers;
};

/* Ring buffer: one sampled drop. At most VD_DROP_SAMPLES_PER_SECOND a reason and CPU. */
#define VD_DROP_SAMPLES_PER_SECOND 64
struct vd_drop_event {
	__u64 time;    /* ns, CLOCK_MONOTONIC */
	__u32 reason;  /* enum vd_drop_reason */
	__u32 port_id; /* 0: came by tunnel, see vni */
	__u32 ifindex;
	__u32 vni;
	__u32 domain;
	__u32 route_id;
	__u32 size;
	__u8 family; /* 4, 6, 0: not IP */
	__u8 protocol;
	__be16 source_port, destination_port;
	__u16 zero;
	union vd_addr source, destination;
	__u32 policy_port_id;   /* the port whose policy refused, 0: another reason */
	__u32 policy_direction; /* enum vd_policy_direction */
	__u32 network;          /* provider network that it came from or was to leave by, 0: none */
	union vd_addr vip;      /* its outer address there, network != 0 and not zero */
};

/* Ring buffer of its own: one captured packet, from the Ethernet header on. */
#define VD_CAPTURE_SNAP 1600
struct vd_capture_event {
	__u64 time; /* ns, CLOCK_MONOTONIC */
	__u32 port_id;
	__u32 size;      /* of the packet */
	__u32 captured;  /* bytes that follow, at most VD_CAPTURE_SNAP */
	__u32 is_egress; /* from the instance: 0, to the instance: 1 */
	__u8 data[VD_CAPTURE_SNAP];
};

/* ---- tail calls: prog array ------------------------------------------------------------------------------------------------------ */

/* The tracing copy's programs stand VD_PROGRAM_COUNT further on. */
enum vd_program {
	VD_PROGRAM_DECIDE,
	VD_PROGRAM_NEIGHBOUR,
	VD_PROGRAM_UPLINK, /* what turns round, and what an uplink's flow cache has no answer for */
	VD_PROGRAM_COUNT,
};

/* ---- trace: array of one, the scratch area of the tracing copy (BPF_PROG_TEST_RUN) -------------------------------------------- */

struct vd_trace_step {
	__u32 stage;     /* enum vd_stage */
	__u32 reason;    /* enum vd_drop_reason; 0: went on */
	__u32 detail[4]; /* ids, by stage: bpf/lib/trace.h */
};

#define VD_TRACE_STEPS 24
struct vd_trace {
	/* in */
	__u32 ingress;      /* ifindex, or VNI */
	__u32 ingress_type; /* enum vd_ingress */
	union vd_addr vtep; /* tunnels: whom it came from */
	__u32 vtep_family;
	__u32 padding;
	__u32 goes_on; /* 1: past source check and policies that refuse, which only say so: what else is in the way shows too */
	/* out */
	__u32 step_count;
	struct vd_trace_step step[VD_TRACE_STEPS];
	struct vd_flow flow; /* what would be installed; output 0: nothing */
};

#endif
