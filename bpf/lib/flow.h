/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_FLOW_H
#define VD_LIB_FLOW_H

#include "cache.h"
#include "connection.h"
#include "drop.h"
#include "dependency.h"
#include "learn.h"
#include "mangle.h"
#include "mtu.h"
#include "output.h"
#include "rate.h"

/*
 * The hot path. Reads the flow's key from the packet by direct access and leaves to decide whatever is not plain: SYN,
 * FIN, RST, ICMP but echo, fragments, options, extension headers, lengths that contradict each other.
 */

/* What a hit needs of the packet beside its key. */
struct vd_flow_facts {
	__u32 header_size; /* IP and transport */
	__u8 ttl;
	__u32 macs[VD_MACS_WORDS]; /* of the destination, of the source */
};

/* Ports of what stands at l4, with length bytes behind it by the IP header. False: decide. */
static __always_inline bool vd_flow_read_transport(void *l4, void *end, __u32 length, __u8 protocol, bool is_icmp, __u8 echo,
						   __u8 echo_reply, __be16 *ret_source, __be16 *ret_destination, __u32 *header_size)
{
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && !is_icmp) {
		/* No ports. IPv6 extension headers come by here too, but no flow is of their protocol. */
		*ret_source = *ret_destination = 0;
		return true;
	}
	if (l4 + 8 > end || length < 8)
		return false;
	if (protocol == IPPROTO_TCP) {
		__u8 *tcp = l4;
		__u32 size;

		if (l4 + sizeof(struct tcphdr) > end || (tcp[13] & (VD_TCP_SYN | VD_TCP_FIN | VD_TCP_RST)))
			return false;
		size = (tcp[12] >> 4) * 4;
		if (size < sizeof(struct tcphdr) || size > length)
			return false;
		*header_size += size;
	} else if (protocol == IPPROTO_UDP) {
		*header_size += sizeof(struct udphdr);
	} else {
		__u8 *icmp = l4;

		if (icmp[0] != echo && icmp[0] != echo_reply)
			return false;
		*ret_source = *(__be16 *)(l4 + 4);
		*ret_destination = bpf_htons(icmp[0] << 8 | icmp[1]);
		return true;
	}
	*ret_source = *(__be16 *)l4;
	*ret_destination = *(__be16 *)(l4 + 2);
	return true;
}

static __always_inline bool vd_flow4_read(struct __sk_buff *skb, struct vd_flow4_key *key, struct vd_flow_facts *facts)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	__u32 size;

	if (data + ETH_HLEN + sizeof(*ip) > end || *(__u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)))
		return false;
	size = bpf_ntohs(ip->tot_len);
	if (size > skb->len - ETH_HLEN || size < sizeof(*ip))
		return false;
	facts->header_size = sizeof(*ip);
	facts->ttl = ip->ttl;
	facts->macs[0] = vd_macs_word(data, 0);
	facts->macs[1] = vd_macs_word(data, 1);
	facts->macs[2] = vd_macs_word(data, 2);
	key->source = ip->saddr;
	key->destination = ip->daddr;
	key->protocol = ip->protocol;
	return vd_flow_read_transport(data + ETH_HLEN + sizeof(*ip), end, size - sizeof(*ip), ip->protocol,
				      ip->protocol == IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY, &key->source_port,
				      &key->destination_port, &facts->header_size);
}

static __always_inline bool vd_flow6_read(struct __sk_buff *skb, struct vd_flow6_key *key, struct vd_flow_facts *facts)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;
	__u32 length;

	if (data + ETH_HLEN + sizeof(*ip) > end || (*(__u8 *)ip & 0xf0) != 0x60)
		return false;
	length = bpf_ntohs(ip->payload_len);
	if (length + sizeof(*ip) > skb->len - ETH_HLEN)
		return false;
	facts->header_size = sizeof(*ip);
	facts->ttl = ip->hop_limit;
	facts->macs[0] = vd_macs_word(data, 0);
	facts->macs[1] = vd_macs_word(data, 1);
	facts->macs[2] = vd_macs_word(data, 2);
	__builtin_memcpy(&key->source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&key->destination, &ip->daddr, sizeof(ip->daddr));
	key->protocol = ip->nexthdr;
	return vd_flow_read_transport(data + ETH_HLEN + sizeof(*ip), end, length, ip->nexthdr, ip->nexthdr == IPPROTO_ICMPV6,
				      ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY, &key->source_port, &key->destination_port,
				      &facts->header_size);
}

/*
 * Whether the cached flow speaks for this packet. The destination's MAC counts wherever it came from: on a provider segment it is what
 * decides. The sender's counts on ports alone (is_outside, a constant, is false there): a network's routers may take turns.
 */
static __always_inline bool vd_flow_holds(const struct __sk_buff *skb, const struct vd_flow *flow,
					  const struct vd_flow_facts *facts, bool is_outside, __u32 vtep_fold)
{
	const __u8 *macs = flow->expected_destination_mac;
	__u32 ends = facts->macs[1] ^ vd_macs_word(macs, 1), source = facts->macs[2] ^ vd_macs_word(macs, 2);

	if (!vd_flow_is_current(flow) || facts->macs[0] != vd_macs_word(macs, 0))
		return false;
	if (is_outside ? flow->expected_vtep != vtep_fold || (ends & bpf_htonl(0xffff0000)) : ends | source)
		return false;
	if ((flow->flags & VD_FLOW_FLAG_TTL) && facts->ttl <= 1)
		return false;
	return vd_mtu_size(skb, facts->header_size) <= flow->mtu;
}

static __always_inline void vd_flow_count(const struct __sk_buff *skb, struct vd_flow *flow, __u64 now)
{
	struct vd_counters *counters = vd_counters_here();

	flow->packets++;
	flow->bytes += skb->len;
	flow->last_seen = now;
	if (counters)
		counters->hits++;
}

/* The connection is known by its inner tuple, one between two VPCs by that of the lower one. */
static __always_inline void vd_flow_inner(const struct vd_flow *flow, struct vd_tuple *tuple, bool is_icmp)
{
	if (flow->flags & VD_FLOW_FLAG_CONNECTION_TRANSLATED) {
		tuple->source = flow->translated_address;
		tuple->destination = flow->translated_destination;
		return;
	}
	if ((flow->flags & VD_FLOW_TRANSLATES) != VD_FLOW_FLAG_TRANSLATE_DESTINATION)
		return;
	tuple->destination = flow->translated_address;
	tuple->destination_port = flow->translated_port;
	if (is_icmp)
		tuple->source_port = flow->translated_port;
}

static __noinline bool vd_flow4_touch(struct vd_flow *flow, const struct vd_flow4_key *key, __u64 now)
{
	bool is_icmp = key->protocol == IPPROTO_ICMP;
	struct vd_tuple tuple = {
		.source_port = key->source_port,
		.destination_port = is_icmp ? key->source_port : key->destination_port,
		.protocol = key->protocol,
	};
	struct vd_counters *counters = vd_counters_here();

	tuple.source.word[0] = key->source;
	tuple.destination.word[0] = key->destination;
	vd_flow_inner(flow, &tuple, is_icmp);
	flow->touched = now;
	if (counters)
		counters->touched++;
	return vd_learn_wanted(flow, now) &&
	       vd_connection_touch(4, flow, &tuple, is_icmp ? key->source_port : key->destination_port, now);
}

static __noinline bool vd_flow6_touch(struct vd_flow *flow, const struct vd_flow6_key *key, __u64 now)
{
	bool is_icmp = key->protocol == IPPROTO_ICMPV6;
	struct vd_tuple tuple = {
		.source = key->source,
		.destination = key->destination,
		.source_port = key->source_port,
		.destination_port = is_icmp ? key->source_port : key->destination_port,
		.protocol = key->protocol,
	};
	struct vd_counters *counters = vd_counters_here();

	vd_flow_inner(flow, &tuple, is_icmp);
	flow->touched = now;
	if (counters)
		counters->touched++;
	return vd_learn_wanted(flow, now) &&
	       vd_connection_touch(6, flow, &tuple, is_icmp ? key->source_port : key->destination_port, now);
}

static __always_inline bool vd_flow4_mangle(struct __sk_buff *skb, const struct vd_flow *flow, const struct vd_flow4_key *key)
{
	bool is_source = key->protocol == IPPROTO_ICMP || (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE);

	return vd_mangle(skb, flow, 4, key->protocol, ETH_HLEN + sizeof(struct iphdr),
			 is_source ? key->source_port : key->destination_port);
}

static __always_inline bool vd_flow6_mangle(struct __sk_buff *skb, const struct vd_flow *flow, const struct vd_flow6_key *key)
{
	bool is_source = key->protocol == IPPROTO_ICMPV6 || (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE);

	return vd_mangle(skb, flow, 6, key->protocol, ETH_HLEN + sizeof(struct ipv6hdr),
			 is_source ? key->source_port : key->destination_port);
}

/* What becomes of a packet whose key, a struct vd_flow4_key or vd_flow6_key, and facts were read. The verdict, or -1: decide. */
static __always_inline int vd_flow_follow(struct __sk_buff *skb, __u8 family, const void *key, const struct vd_flow_facts *facts,
					  bool is_outside, __u32 vtep_fold)
{
	const struct vd_flow4_key *key4 = key;
	const struct vd_flow6_key *key6 = key;
	__u32 sequence;
	struct vd_flow_slot *slot = vd_cache_find(family, key, &sequence);
	struct vd_flow *flow;
	int verdict;
	__u64 now;

	if (!slot)
		return -1;
	flow = &slot->flow;
	if (!vd_flow_holds(skb, flow, facts, is_outside, vtep_fold))
		return -1;
	now = bpf_ktime_get_coarse_ns();
	if (now - flow->touched > vd_touch_interval(family == 4 ? key4->protocol : key6->protocol) &&
	    !(family == 4 ? vd_flow4_touch(flow, key4, now) : vd_flow6_touch(flow, key6, now)))
		return -1;
	if (flow->flags & (VD_FLOW_TRANSLATES | VD_FLOW_RATES)) {
		if (flow->flags & VD_FLOW_RATES && !vd_rate_pass(skb, flow, facts->header_size))
			return vd_drop_quietly(skb, VD_DROP_REASON_RATE_LIMIT);
		if (flow->flags & VD_FLOW_TRANSLATES &&
		    !(family == 4 ? vd_flow4_mangle(skb, flow, key4) : vd_flow6_mangle(skb, flow, key6)))
			return vd_drop_quietly(skb, VD_DROP_REASON_INTERNAL);
	}
	if (!vd_rewrite(skb, flow, family))
		return vd_drop_quietly(skb, VD_DROP_REASON_INTERNAL);
	verdict = vd_output_set(skb, flow);
	if (!vd_cache_stands(slot, sequence))
		return vd_drop_quietly(skb, VD_DROP_REASON_FLOW_REPLACED);
	vd_flow_count(skb, flow, now);
	return vd_output_go(skb, verdict);
}

/* The verdict, or -1: decide. key's ingress is set; vtep_fold is 0 but for tunnels. */
static __always_inline int vd_flow4_forward(struct __sk_buff *skb, struct vd_flow4_key *key, bool is_outside, __u32 vtep_fold)
{
	struct vd_flow_facts facts;

	if (!vd_flow4_read(skb, key, &facts))
		return -1;
	return vd_flow_follow(skb, 4, key, &facts, is_outside, vtep_fold);
}

static __always_inline int vd_flow6_forward(struct __sk_buff *skb, struct vd_flow6_key *key, bool is_outside, __u32 vtep_fold)
{
	struct vd_flow_facts facts;

	if (!vd_flow6_read(skb, key, &facts))
		return -1;
	return vd_flow_follow(skb, 6, key, &facts, is_outside, vtep_fold);
}

#define VD_FLOW_HEADERS (ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

/* False for short packets too. */
static __always_inline bool vd_flow_is_linear(struct __sk_buff *skb)
{
	return (void *)(long)skb->data + VD_FLOW_HEADERS <= (void *)(long)skb->data_end;
}

/* Headers that a driver left outside the linear part come in. */
static __always_inline void vd_flow_pull(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 length = VD_FLOW_HEADERS;

	if (data + length <= end)
		return;
	if (length > skb->len)
		length = skb->len;
	if (data + length > end)
		bpf_skb_pull_data(skb, length);
}

#endif
