/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_PACKET_H
#define VD_LIB_PACKET_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "maps.h"

#define VD_SECOND 1000000000ULL

/* The verdict for the host's own: whoever has a filter behind ours sees it too, as TC_ACT_OK would not let him. */
#define VD_PASS TC_ACT_UNSPEC

/* TCP's flags as they stand in the header's 14th byte. */
#define VD_TCP_FIN 0x01
#define VD_TCP_SYN 0x02
#define VD_TCP_RST 0x04
#define VD_TCP_ACK 0x10

/* Of RFC 792 and RFC 4443; linux/icmp.h would pull in the C library. */
#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMP_TIMESTAMP 13
#define ICMP_TIMESTAMPREPLY 14
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

enum vd_fragment_kind {
	VD_FRAGMENT_KIND_NONE,
	VD_FRAGMENT_KIND_FIRST,
	VD_FRAGMENT_KIND_LATER,
};

/* Both ends of a connection, from the packet's sender to its receiver. */
struct vd_tuple {
	union vd_addr source, destination;
	__be16 source_port, destination_port; /* ICMP: the identifier twice */
	__u8 protocol;
};

/* One question to a policy: may this remote end? */
struct vd_policy_query {
	struct vd_allow_key key; /* of the lookup at hand */
	union vd_addr remote;
	union vd_addr remote_own; /* in the remote end's own VPC */
	__u32 remote_identity;
	__u16 port; /* of the responder, host order; ICMP: the initiator's type */
	__u8 protocol;
	__u8 family;
	__u32 rule; /* the answer, 0: no rule allows it */
};

/* A claim at hand (nat.h), in both families' forms. */
struct vd_claim {
	struct vd_nat4_key key4;
	struct vd_nat6_key key6;
	struct vd_nat_value value; /* the inner end */
	__u8 family;
	bool is_new; /* claimed for this packet */
};

/* How a packet passes between a VPC and a provider network. */
struct vd_way {
	__u32 network; /* 0: it does not */
	__u32 segment; /* the id that stands for the network's segment: of virtual IPs, claims, neighbours */
	union vd_addr vip, next_hop;
	__u8 next_hop_family; /* 0: as the network's routes say */
	__u8 translation;     /* enum vd_translation */
	__be16 vip_port;
	bool is_out, is_in;
	bool by_connection; /* out: back where its connection came in */
	bool is_known;      /* in: it belongs to a connection, or to nobody */
};

/*
 * What decide knows of the packet at hand: filled by one stage, read by the next. Lives in per-CPU scratch memory, since the stack
 * is too small for it; map values are copied in, because pointers to them cannot be kept there.
 */
struct vd_packet {
	/* ingress */
	__u32 ingress; /* ifindex, or VNI */
	__u8 ingress_type;
	union vd_addr vtep;
	__u32 vtep_fold;
	__u16 vlan;                     /* uplinks: of the frame */
	bool is_turned;                 /* uplinks: it came from here (VD_OUTPUT_TURN), not from the wire */
	struct vd_uplink_value segment; /* uplinks: what the frame belongs to */
	__u32 domain;
	struct vd_port_value port;     /* ports only; otherwise zero */
	struct vd_subnet_value bridge; /* ports on a provider segment, whose frames go by their MACs; otherwise zero */
	struct vd_domain_value domain_value;
	bool is_ordinary; /* ports: on no provider segment */
	bool is_recalled; /* ports: ordinary, and all of this by memory (ingress.h) */
	__u32 peer;       /* the other VPC of a packet between two: its destination's, or, from a tunnel, its source's; 0: none */
	struct vd_domain_value delivery; /* of the destination's domain: as domain_value, or the peer's */
	/* parse */
	__u8 family; /* 4, 6, 0: not IP */
	__u8 source_mac[6], destination_mac[6];
	struct vd_tuple tuple;
	__be16 flow_port;  /* ICMP: type << 8 | code, the flow's destination port; otherwise tuple.destination_port */
	__u32 l4_offset;   /* from the Ethernet header */
	__u32 size;        /* of the IP packet */
	__u32 header_size; /* of IP and transport headers: what each segment of a GSO packet has */
	__u32 fragment_id;
	__u8 fragment; /* enum vd_fragment_kind */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
	bool dont_fragment; /* IPv6: always */
	bool is_icmp_error;
	struct vd_tuple embedded; /* of an ICMP error */
	__u8 embedded_icmp_type;
	__u32 embedded_l4;
	struct vd_tuple seen, seen_embedded; /* as the peer sees tuple and embedded (peering.h) */
	/* decisions */
	bool is_first;                     /* of its connection, which began with it */
	bool is_stranger;                  /* it was looked for already, and has no connection */
	bool for_service;                  /* the service port's kernel shall answer it: nothing is installed */
	struct vd_neighbour_key waits_for; /* network 0: for nobody's MAC */
	__u32 route_id;
	__u32 delivery_subnet;                  /* of the endpoint that it goes to */
	__u32 delivery_table;                   /* of the port here that it goes to */
	__u32 standing;                         /* generation under which the port that it came from was read */
	__u32 delivery_policy;                  /* of the port here that it goes to, 0: unfiltered, or not here */
	bool to_service;                        /* it goes to the service port */
	bool is_from_exit;                      /* tunnels: it came into the VPC from outside, on the sending host */
	bool to_next_hop;                       /* by a custom route: the destination is no endpoint */
	__u32 policy_port_id, policy_direction; /* whose policy refused it */
	struct vd_policy_query query;
	/* translation */
	struct vd_way way;
	struct vd_tuple wire; /* in: as it came; tuple is the inner one */
	struct vd_claim claim;
	struct vd_forward_key forward_key;
	struct vd_flow flow;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_packet);
	__uint(max_entries, 2);
} vd_scratch SEC(".maps") __weak;

/* The tracing copy has scratch memory of its own: a packet may interrupt it. */
static __always_inline struct vd_packet *vd_packet_scratch(void)
{
	__u32 index = vd_tracing ? 1 : 0;
	struct vd_packet *packet = bpf_map_lookup_elem(&vd_scratch, &index);

	if (packet)
		__builtin_memset(packet, 0, sizeof(*packet));
	return packet;
}

/* The packet at hand, in a function that is verified by itself. */
static __always_inline struct vd_packet *vd_packet_here(void)
{
	__u32 index = vd_tracing ? 1 : 0;

	return bpf_map_lookup_elem(&vd_scratch, &index);
}

/*
 * The verifier looks at a global function once, on its own, and at its callers as if it could return anything: what keeps decide within
 * the verifier's limit. Linux 6.1 takes no pointer into a map by such a call, but the context: the packet is looked up again. Weak,
 * for each program's object has one.
 */
#define VD_STAGE __weak __noinline

static __always_inline bool vd_mac_equal(const __u8 *a, const __u8 *b)
{
	return *(const __u16 *)a == *(const __u16 *)b && *(const __u16 *)(a + 2) == *(const __u16 *)(b + 2) &&
	       *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

static __always_inline void vd_mac_copy(__u8 *to, const __u8 *from)
{
	__builtin_memcpy(to, from, ETH_ALEN);
}

/*
 * Both MACs of a frame, or of a flow, in three words instead of twelve bytes, as the compiler has it for what it believes to be
 * unaligned. Frames and map values alone: the verifier is stricter about the stack.
 */
#define VD_MACS_WORDS 3

static __always_inline __u32 vd_macs_word(const __u8 *macs, __u32 i)
{
	return *(const __u32 *)(macs + 4 * i);
}

static const __u8 vd_gateway_mac[ETH_ALEN] = VD_GATEWAY_MAC;

static __always_inline bool vd_addr_equal(const union vd_addr *a, const union vd_addr *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] && a->word[3] == b->word[3];
}

static __always_inline bool vd_from_service(const struct vd_packet *packet)
{
	return packet->port.flags & VD_PORT_FLAG_SERVICE;
}

static __always_inline __u32 vd_source_domain(const struct vd_packet *packet)
{
	return packet->peer && packet->ingress_type == VD_INGRESS_TUNNEL ? packet->peer : packet->domain;
}

static __always_inline __u32 vd_destination_domain(const struct vd_packet *packet)
{
	return packet->peer && packet->ingress_type != VD_INGRESS_TUNNEL ? packet->peer : packet->domain;
}

/* By which ends a connection is known: of two VPCs that are peered, the lower one sees them so. An error's: what it speaks of. */
static __always_inline const struct vd_tuple *vd_connection_tuple(const struct vd_packet *packet)
{
	if (packet->flow.domain == packet->domain)
		return packet->is_icmp_error ? &packet->embedded : &packet->tuple;
	return packet->is_icmp_error ? &packet->seen_embedded : &packet->seen;
}

/* An id in a MAC whose first two bytes say what it is: of an exit, of a peer. */
static __always_inline void vd_mac_id_set(__u8 *mac, __u8 first, __u8 second, __u32 id)
{
	mac[0] = first;
	mac[1] = second;
	mac[2] = id >> 24;
	mac[3] = id >> 16;
	mac[4] = id >> 8;
	mac[5] = id;
}

static __always_inline __u32 vd_mac_id(const __u8 *mac)
{
	return (__u32)mac[2] << 24 | (__u32)mac[3] << 16 | (__u32)mac[4] << 8 | mac[5];
}

static __always_inline bool vd_mac_is_peer(const __u8 *mac)
{
	return mac[0] == VD_PEER_MAC_0 && mac[1] == VD_PEER_MAC_1;
}

/* A port of a container network's domain: a container, or the node's kernel. */
static __always_inline bool vd_is_container_port(const struct vd_packet *packet)
{
	return (packet->port.flags & VD_PORT_FLAG_HOST) || (!packet->port.subnet && !vd_from_service(packet));
}

static __always_inline struct vd_counters *vd_counters_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vd_counters, &zero);
}

#endif
