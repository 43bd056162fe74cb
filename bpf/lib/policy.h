/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_POLICY_H
#define VD_LIB_POLICY_H

#include "endpoint.h"
#include "trace.h"

/*
 * Security groups. Judged is always the initiator's direction of the connection that a packet belongs to: a reply passes because what
 * it answers is allowed. The sender's policy is asked about the packet's destination, the policy of the port here that it goes to
 * about its source; each as egress or ingress, by which of the two is the initiator's.
 */

#define VD_DNS_PORT 53
#define VD_METADATA_PORT 80

/* How many lookups one question may cost at most: prefix lengths of a word, and block lengths. */
#define VD_POLICY_WORD_BITS 64
#define VD_POLICY_PORT_BITS 17

/* Position of the lowest bit of a word that is not 0, by a de Bruijn sequence: BPF has no instruction for it. */
static const __u8 vd_bit_positions[64] = {0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
					  22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
					  23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12};

static __always_inline __u32 vd_bit_lowest(__u64 word)
{
	return vd_bit_positions[((word & -word) * 0x022fdd63cc95386dULL) >> 58];
}

/* The rule of what a span allows where nobody asks for its id. */
#define VD_POLICY_RULE_SOME (~0U)
#define VD_POLICY_SPAN_MASK ((1U << (VD_POLICY_SPAN_LENGTH + 1)) - 1)

/* What a walk over the bits of a mask has with it. */
struct vd_policy_walk {
	struct vd_policy_query *query;
	__u64 left; /* bits to go */
	__u32 next; /* prefixes: the bit to go on with */
	__u32 base; /* of the mask's lowest bit */
	bool only_spans;
};

static __always_inline void vd_policy_prefix(struct vd_policy_query *query, __u32 length)
{
	__u32 i;

	query->key.remote.length = length;
	if (query->family == 4) { /* the other words are zero */
		query->key.remote.prefix.word[0] =
			query->remote.word[0] & bpf_htonl((__u32)(0xffffffff00000000ULL >> (length & 63)));
		return;
	}
#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 bits = length < 32 ? length : 32;

		query->key.remote.prefix.word[i] = query->remote.word[i] & bpf_htonl((__u32)(0xffffffff00000000ULL >> bits));
		length -= bits;
	}
}

static long vd_policy_port_step(__u32 index, void *context)
{
	struct vd_policy_walk *walk = context;
	struct vd_policy_query *query = walk->query;
	__u32 *rule, length;

	if (!walk->left)
		return 1;
	length = vd_bit_lowest(walk->left) & 31;
	walk->left &= walk->left - 1;
	query->key.length = length;
	query->key.port = query->port & (__u16)(0xffff0000U >> length);
	rule = bpf_map_lookup_elem(&vd_allow, &query->key);
	if (!rule)
		return 0;
	query->rule = *rule;
	return 1;
}

static __always_inline bool vd_policy_span_allows(struct vd_policy_query *query)
{
	struct vd_span_value *span;

	query->key.length = VD_POLICY_SPAN_LENGTH;
	query->key.port = query->port & (__u16)(0xffff0000U >> VD_POLICY_SPAN_LENGTH);
	span = bpf_map_lookup_elem(&vd_span, &query->key);
	return span && span->ports[query->port % VD_POLICY_SPAN_PORTS / 64] >> query->port % 64 & 1;
}

/* The blocks of one remote end: the narrow ones at once, the wider ones by their lengths. */
static __always_inline void vd_policy_ports(struct vd_policy_query *query, __u32 lengths)
{
	struct vd_policy_walk ports = {.query = query, .left = lengths & ~VD_POLICY_SPANS};

	if (lengths & VD_POLICY_SPANS) {
		if (vd_policy_span_allows(query))
			query->rule = VD_POLICY_RULE_SOME;
		if (!query->rule || !vd_tracing)
			ports.left &= VD_POLICY_SPAN_MASK;
	}
	if (ports.left && (!query->rule || vd_tracing))
		bpf_loop(VD_POLICY_PORT_BITS, vd_policy_port_step, &ports, 0);
}

static long vd_policy_prefix_step(__u32 index, void *context)
{
	struct vd_policy_walk *walk = context;
	struct vd_policy_query *query = walk->query;
	struct vd_remote_value *remote;
	__u32 lengths = 0;

	if (!walk->left)
		return 1;
	vd_policy_prefix(query, walk->base + walk->next);
	walk->left &= ~(1ULL << (walk->next & 63));
	walk->next = vd_bit_lowest(walk->left);
	if (walk->only_spans) {
		if (vd_policy_span_allows(query))
			query->rule = VD_POLICY_RULE_SOME;
		return query->rule != 0;
	}
	remote = bpf_map_lookup_elem(&vd_remote, &query->key.remote);
	if (!remote)
		return 0;
	if (remote->any_rule) {
		query->rule = remote->any_rule;
		return 1;
	}
	if (query->protocol == IPPROTO_TCP)
		lengths = remote->tcp_lengths;
	else if (query->protocol == IPPROTO_UDP)
		lengths = remote->udp_lengths;
	else if (query->protocol == IPPROTO_ICMP)
		lengths = remote->icmp_lengths;
	if (lengths)
		vd_policy_ports(query, lengths);
	return query->rule != 0;
}

/*
 * Where the last question about a port found its answer: a prefix length + 1. Who asks for the same port is likely to be let in by the
 * same rule, and each length that is asked in vain is a lookup. Questions that share a place cost each other that, and no more.
 */
#define VD_POLICY_MEMORY 65536
struct vd_policy_memory {
	__u8 length[VD_POLICY_MEMORY];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_policy_memory);
	__uint(max_entries, 1);
} vd_policy_memory SEC(".maps") __weak;

static __always_inline __u8 *vd_policy_memory_find(const struct vd_policy_query *query)
{
	const struct vd_remote_key *remote = &query->key.remote;
	__u32 zero = 0, place = vd_mix(remote->identity << 1 ^ remote->remote_identity, query->protocol << 16 | query->port);
	struct vd_policy_memory *memory = bpf_map_lookup_elem(&vd_policy_memory, &zero);

	return memory ? &memory->length[(place ^ remote->direction) & (VD_POLICY_MEMORY - 1)] : NULL;
}

/* Of the query of the packet at hand. A trace asks in order: it tells the first rule. */
VD_STAGE int vd_policy_walk_word(__u64 lengths, __u32 base, bool only_spans)
{
	struct vd_packet *packet = vd_packet_here();
	struct vd_policy_walk walk = {.left = lengths, .base = base, .only_spans = only_spans};
	struct vd_policy_query *query;
	__u8 *memory;
	__u32 likely;

	if (!packet || !lengths || packet->query.rule)
		return 0;
	walk.query = query = &packet->query;
	memory = vd_tracing ? NULL : vd_policy_memory_find(query);
	walk.next = vd_bit_lowest(lengths);
	if (memory) {
		likely = *memory - 1 - base;
		if (likely < VD_POLICY_WORD_BITS && (lengths >> likely & 1))
			walk.next = likely;
	}
	bpf_loop(VD_POLICY_WORD_BITS, vd_policy_prefix_step, &walk, 0);
	if (memory && query->rule && *memory != query->key.remote.length + 1)
		*memory = query->key.remote.length + 1;
	return 0;
}

/* Whether the spans say all. A trace asks the remote ends all the same: they know the rule. */
static __always_inline bool vd_policy_only_spans(const struct vd_policy_query *query, const struct vd_policy_value *policy,
						 bool is_identity)
{
	enum vd_policy_protocol protocol;

	if (vd_tracing)
		return false;
	if (query->protocol == IPPROTO_TCP)
		protocol = VD_POLICY_PROTOCOL_TCP;
	else if (query->protocol == IPPROTO_UDP)
		protocol = VD_POLICY_PROTOCOL_UDP;
	else if (query->protocol == IPPROTO_ICMP)
		protocol = VD_POLICY_PROTOCOL_ICMP;
	else
		return false;
	return policy->only_spans & VD_POLICY_ONLY(protocol, is_identity, query->family == 6);
}

/*
 * An instance on the same provider segment is known by its MAC, as on any bridge; not one of the domain that a translation leads to,
 * nor one that is here, unless its packet turned round.
 */
static __always_inline bool vd_policy_is_neighbour(const struct vd_packet *packet, const struct vd_endpoint_value *endpoint)
{
	if (packet->domain != packet->segment.domain || !vd_mac_equal(endpoint->mac, packet->source_mac))
		return false;
	return packet->is_turned ? endpoint->place == VD_ENDPOINT_PLACE_HERE : endpoint->place == VD_ENDPOINT_PLACE_HOST;
}

/*
 * A port here is filtered by the rules of its own identity. Of the two ports that the packet passes these were read already, and what
 * the other's rules say is asked about the same identity: one that changes does so at once for both questions.
 */
static __always_inline __u32 vd_policy_endpoint_identity(const struct vd_packet *packet, const struct vd_endpoint_value *endpoint)
{
	if (endpoint->place != VD_ENDPOINT_PLACE_HERE)
		return endpoint->identity;
	if (packet->port.policy && endpoint->port_id == packet->port.id)
		return packet->port.policy;
	if (packet->delivery_policy && endpoint->port_id == packet->flow.destination_port_id)
		return packet->delivery_policy;
	return endpoint->identity;
}

/*
 * The identity that an address of the domain stands for, 0: none. A sender is believed only where he is: at this very port, or on
 * the host that the packet came from.
 */
static __always_inline __u32 vd_policy_identity(const struct vd_packet *packet, __u32 domain, const union vd_addr *address,
						bool is_sender)
{
	struct vd_endpoint_value *endpoint = vd_endpoint_find(packet->family, domain, address);
	struct vd_host_value *host;
	__u32 host_id;

	if (!endpoint)
		return 0;
	/* A trace that goes on asks about a sender who may not come so far. */
	if (!is_sender || vd_trace_goes_on())
		return vd_policy_endpoint_identity(packet, endpoint);
	if (packet->ingress_type == VD_INGRESS_PORT)
		return endpoint->place == VD_ENDPOINT_PLACE_HERE && endpoint->ifindex == packet->ingress
			       ? vd_policy_endpoint_identity(packet, endpoint)
			       : 0;
	if (packet->ingress_type == VD_INGRESS_UPLINK)
		return vd_policy_is_neighbour(packet, endpoint) ? endpoint->identity : 0;
	if (endpoint->place != VD_ENDPOINT_PLACE_HOST)
		return 0;
	host_id = endpoint->host;
	host = bpf_map_lookup_elem(&vd_host, &host_id);
	return host && vd_vtep_fold(&host->vtep) == packet->vtep_fold ? endpoint->identity : 0;
}

/* Whether a policy lets the query's remote end through; query->rule says by which rule (0: it is open). */
static __noinline int vd_policy_allows(struct vd_packet *packet, __u32 identity, __u32 direction, bool is_remote_sender)
{
	struct vd_policy_query *query = &packet->query;
	struct vd_policy_key key = {.identity = identity, .direction = direction};
	struct vd_policy_value *policy = bpf_map_lookup_elem(&vd_policy, &key);
	bool only_spans;

	query->rule = 0;
	query->remote_identity = 0;
	__builtin_memset(&query->key, 0, sizeof(query->key));
	if (!policy)
		return 0;
	if (policy->open)
		return 1;
	query->key.remote.identity = identity;
	query->key.remote.direction = direction;
	query->key.remote.family = query->family;
	query->key.protocol = query->protocol;
	only_spans = vd_policy_only_spans(query, policy, false);
	if (query->family == 4) {
		vd_policy_walk_word(policy->lengths4, 0, only_spans);
	} else {
		vd_policy_walk_word(policy->lengths6[0], 0, only_spans);
		vd_policy_walk_word(policy->lengths6[1], 64, only_spans);
		vd_policy_walk_word(policy->lengths6[2], 128, only_spans);
	}
	if (query->rule || (!is_remote_sender && packet->to_next_hop && !packet->is_icmp_error))
		return query->rule != 0;
	if (!(query->family == 4 ? policy->identity_lengths4
				 : policy->identity_lengths6[0] | policy->identity_lengths6[1] | policy->identity_lengths6[2]))
		return 0;
	query->remote_identity =
		vd_policy_identity(packet, is_remote_sender ? vd_source_domain(packet) : vd_destination_domain(packet),
				   &query->remote_own, is_remote_sender && !packet->is_icmp_error);
	if (!query->remote_identity)
		return 0;
	query->key.remote.remote_identity = query->remote_identity;
	only_spans = vd_policy_only_spans(query, policy, true);
	if (query->family == 4) {
		vd_policy_walk_word(policy->identity_lengths4, 0, only_spans);
	} else {
		vd_policy_walk_word(policy->identity_lengths6[0], 0, only_spans);
		vd_policy_walk_word(policy->identity_lengths6[1], 64, only_spans);
		vd_policy_walk_word(policy->identity_lengths6[2], 128, only_spans);
	}
	return query->rule != 0;
}

/*
 * The remote end, as whom the policy is of sees it, and as its own VPC does. Between two VPCs the packet's tuple is what the one here
 * sees, or, of a packet that leaves, its sender.
 */
static __always_inline void vd_policy_remote_set(struct vd_packet *packet, bool of_sender)
{
	bool is_seen = packet->peer && packet->ingress_type != VD_INGRESS_TUNNEL && !of_sender, is_other = packet->peer && !is_seen;
	struct vd_policy_query *query = &packet->query;

	if (packet->is_icmp_error) { /* of its connection, the other way round */
		const struct vd_tuple *tuple = is_seen ? &packet->seen_embedded : &packet->embedded;
		const struct vd_tuple *own = is_other ? &packet->seen_embedded : &packet->embedded;

		query->remote = of_sender ? tuple->source : tuple->destination;
		query->remote_own = of_sender ? own->source : own->destination;
	} else {
		const struct vd_tuple *tuple = is_seen ? &packet->seen : &packet->tuple;
		const struct vd_tuple *own = is_other ? &packet->seen : &packet->tuple;

		query->remote = of_sender ? tuple->destination : tuple->source;
		query->remote_own = of_sender ? own->destination : own->source;
	}
}

/* One of the two ends: the sender's policy about the destination, or the receiver's about the source. */
static __always_inline int vd_policy_judge_packet(struct vd_packet *packet, bool is_egress, bool of_sender)
{
	__u32 identity = of_sender ? packet->port.policy : packet->delivery_policy;
	__u32 port_id = of_sender ? packet->port.id : packet->flow.destination_port_id;
	__u32 direction = is_egress ? VD_POLICY_DIRECTION_EGRESS : VD_POLICY_DIRECTION_INGRESS;
	int reason = 0;

	if (!identity)
		return 0;
	vd_depend(packet, of_sender ? VD_DEPENDENCY_POLICY_SOURCE : VD_DEPENDENCY_POLICY_DESTINATION, vd_slot_policy(identity));
	vd_policy_remote_set(packet, of_sender);
	if (!vd_policy_allows(packet, identity, direction, !of_sender)) {
		reason = is_egress ? VD_DROP_REASON_POLICY_EGRESS : VD_DROP_REASON_POLICY_INGRESS;
		packet->policy_port_id = port_id;
		packet->policy_direction = direction;
	}
	vd_trace_step(is_egress ? VD_STAGE_EGRESS_POLICY : VD_STAGE_INGRESS_POLICY, reason, packet->query.rule, identity,
		      packet->query.remote_identity, port_id);
	return reason && vd_trace_goes_on() ? 0 : reason;
}

VD_STAGE int vd_policy_judge(bool is_egress, bool of_sender)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_policy_judge_packet(packet, is_egress, of_sender) : VD_DROP_REASON_INTERNAL;
}

/* What a reply of this type answers. */
static __always_inline __u8 vd_policy_icmp_question(__u8 family, __u8 type)
{
	if (family == 6)
		return type == ICMPV6_ECHO_REPLY ? ICMPV6_ECHO_REQUEST : type;
	return type == ICMP_ECHOREPLY ? ICMP_ECHO : type == ICMP_TIMESTAMPREPLY ? ICMP_TIMESTAMP : type;
}

/*
 * The responder's port, or the ICMP type that the initiator sent. from_initiator: the packet goes in the initiator's direction (an
 * error: the packet that it speaks of goes against it).
 */
static __always_inline void vd_policy_query_set(struct vd_packet *packet, bool from_initiator)
{
	bool forward = packet->is_icmp_error ? !from_initiator : from_initiator;
	const struct vd_tuple *tuple = packet->is_icmp_error ? &packet->embedded : &packet->tuple;
	__u8 type = packet->is_icmp_error ? packet->embedded_icmp_type : packet->icmp_type;
	struct vd_policy_query *query = &packet->query;

	query->family = packet->family;
	query->protocol = tuple->protocol;
	query->port = bpf_ntohs(forward ? tuple->destination_port : tuple->source_port);
	if (tuple->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		query->protocol = IPPROTO_ICMP;
		query->port = forward ? type : vd_policy_icmp_question(packet->family, type);
	} else if (tuple->protocol == IPPROTO_ICMP) {
		query->protocol = 0; /* ICMP of the other family is none */
	}
}

/* The router's own traffic, and what every instance may ask of it, whatever its groups say. */
static __always_inline bool vd_policy_is_exempt(const struct vd_packet *packet, bool from_initiator)
{
	const struct vd_policy_query *query = &packet->query;

	if (vd_from_service(packet))
		return true;
	if (!packet->to_service)
		return false;
	if (!from_initiator)
		return true;
	if (packet->peer)
		return false; /* not its own router */
	if (query->port == VD_DNS_PORT && (query->protocol == IPPROTO_UDP || query->protocol == IPPROTO_TCP))
		return true;
	return packet->family == 4 && query->port == VD_METADATA_PORT && query->protocol == IPPROTO_TCP &&
	       vd_addr_is_metadata4(&packet->tuple.destination);
}

/* The stage. from_initiator: the packet goes in the direction of who began its connection. */
static __noinline int vd_policy_stage(struct vd_packet *packet, bool from_initiator)
{
	int reason;

	if (!packet->port.policy && !packet->delivery_policy)
		return 0;
	vd_policy_query_set(packet, from_initiator);
	if (vd_policy_is_exempt(packet, from_initiator))
		return 0;
	reason = vd_policy_judge(true, from_initiator);
	if (!reason)
		reason = vd_policy_judge(false, !from_initiator);
	return reason;
}

#endif
