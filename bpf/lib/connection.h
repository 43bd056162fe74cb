/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_CONNECTION_H
#define VD_LIB_CONNECTION_H

#include "handover.h"
#include "parse.h"
#include "peering.h"
#include "policy.h"
#include "translate.h"

/*
 * Idle seconds after which a connection is forgotten. Where it is translated the RFCs say at least how many, since somebody outside
 * may still answer: RFC 5382 REQ-5 (TCP, four minutes while it begins or ends), RFC 4787 REQ-5 (UDP, two minutes, better five), RFC
 * 5508 REQ-2 (ICMP, one). After a RST, or a FIN both ways, they leave it open.
 */
#define VD_TIMEOUT_TCP_NEW 60
#define VD_TIMEOUT_TCP_NEW_TRANSLATED 240
#define VD_TIMEOUT_TCP_ESTABLISHED 7440
#define VD_TIMEOUT_TCP_CLOSED 10
#define VD_TIMEOUT_UDP_NEW 60
#define VD_TIMEOUT_UDP_NEW_TRANSLATED 120
#define VD_TIMEOUT_UDP_ESTABLISHED 180
#define VD_TIMEOUT_UDP_ESTABLISHED_TRANSLATED 300
#define VD_TIMEOUT_ICMP 30
#define VD_TIMEOUT_ICMP_TRANSLATED 60
#define VD_TIMEOUT_OTHER 60

/*
 * A cached flow tells its connection this often that it lives, and a connection is given so much longer: none expires whose flow is in
 * use, nor sooner than it should. With a million flows each time costs a quarter of a microsecond; TCP's ends are what wants to be
 * forgotten soon, for its ports are wanted again.
 */
#define VD_TOUCH_INTERVAL_TCP (8 * VD_SECOND)
#define VD_TOUCH_INTERVAL (30 * VD_SECOND)

static __always_inline __u64 vd_touch_interval(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? VD_TOUCH_INTERVAL_TCP : VD_TOUCH_INTERVAL;
}

static __always_inline __u32 vd_connection_idle_seconds(__u8 protocol, const struct vd_connection *connection)
{
	bool is_translated = connection->translation != VD_TRANSLATION_NONE;

	switch (protocol) {
	case IPPROTO_TCP:
		if (connection->state == VD_CONNECTION_STATE_ESTABLISHED)
			return VD_TIMEOUT_TCP_ESTABLISHED;
		if (connection->state == VD_CONNECTION_STATE_CLOSED)
			return VD_TIMEOUT_TCP_CLOSED;
		return is_translated ? VD_TIMEOUT_TCP_NEW_TRANSLATED : VD_TIMEOUT_TCP_NEW;
	case IPPROTO_UDP:
		if (connection->state == VD_CONNECTION_STATE_ESTABLISHED)
			return is_translated ? VD_TIMEOUT_UDP_ESTABLISHED_TRANSLATED : VD_TIMEOUT_UDP_ESTABLISHED;
		return is_translated ? VD_TIMEOUT_UDP_NEW_TRANSLATED : VD_TIMEOUT_UDP_NEW;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return is_translated ? VD_TIMEOUT_ICMP_TRANSLATED : VD_TIMEOUT_ICMP;
	}
	return VD_TIMEOUT_OTHER;
}

/* ns since it was last seen, or told that it lives, after which it is forgotten. */
static __always_inline __u64 vd_connection_timeout(__u8 protocol, const struct vd_connection *connection)
{
	return vd_connection_idle_seconds(protocol, connection) * VD_SECOND + vd_touch_interval(protocol);
}

/* The same ports again: a new connection, and whoever sends this is its initiator. */
static __always_inline bool vd_connection_restarts(const struct vd_connection *connection, __u8 flags)
{
	return (flags & VD_TCP_SYN) && !(flags & VD_TCP_ACK) && connection->state >= VD_CONNECTION_STATE_CLOSING;
}

static __always_inline void vd_connection_advance_tcp(struct vd_connection *connection, bool from_high, __u8 flags)
{
	__u8 *seen = from_high ? &connection->tcp_flags_high : &connection->tcp_flags_low;
	bool from_initiator = from_high == !!connection->initiator_is_high;

	if (vd_connection_restarts(connection, flags)) {
		connection->initiator_is_high = from_high;
		connection->state = VD_CONNECTION_STATE_NEW;
		connection->tcp_flags_low = connection->tcp_flags_high = 0;
		*seen = flags;
		return;
	}
	*seen |= flags;
	if (flags & VD_TCP_RST)
		connection->state = VD_CONNECTION_STATE_CLOSED;
	else if (connection->tcp_flags_low & connection->tcp_flags_high & VD_TCP_FIN)
		connection->state = VD_CONNECTION_STATE_CLOSED;
	else if ((connection->tcp_flags_low | connection->tcp_flags_high) & VD_TCP_FIN)
		connection->state = VD_CONNECTION_STATE_CLOSING;
	else if (connection->state == VD_CONNECTION_STATE_NEW && !from_initiator && (flags & VD_TCP_ACK))
		connection->state = VD_CONNECTION_STATE_ESTABLISHED;
}

/* Takes one packet into account. */
static __always_inline void vd_connection_advance(struct vd_connection *connection, const struct vd_packet *packet, bool from_high,
						  __u64 now)
{
	connection->last_seen = now;
	connection->packets++;
	connection->bytes += packet->size;
	if (packet->tuple.protocol == IPPROTO_TCP && packet->fragment != VD_FRAGMENT_KIND_LATER)
		vd_connection_advance_tcp(connection, from_high, packet->tcp_flags);
	else if (packet->tuple.protocol != IPPROTO_TCP && from_high != !!connection->initiator_is_high)
		connection->state = VD_CONNECTION_STATE_ESTABLISHED;
}

/* Takes one of the domain's share; false when it has none left. */
static __always_inline bool vd_share_take(__u32 domain)
{
	struct vd_share_value *share = bpf_map_lookup_elem(&vd_share, &domain);

	if (!share)
		return false;
	if (__sync_fetch_and_add(&share->used, 1) < share->limit)
		return true;
	__sync_fetch_and_add(&share->used, -1);
	return false;
}

static __always_inline void vd_share_give(__u32 domain)
{
	struct vd_share_value *share = bpf_map_lookup_elem(&vd_share, &domain);

	if (share)
		__sync_fetch_and_add(&share->used, -1);
}

/*
 * 0, or a negative errno: -EEXIST when another CPU was faster. inner_is_high, so far, says that the inner end is not the sender. The queue entry
 * and the connection come and go together.
 */
static __always_inline long vd_connection_insert4(__u32 domain, const struct vd_tuple *tuple, struct vd_connection *connection,
						  __u64 now)
{
	struct vd_expire4_value entry = {.checked = now};
	long error;

	connection->initiator_is_high = vd_connection4_key_set(&entry.key, domain, tuple);
	connection->inner_is_high ^= connection->initiator_is_high;
	error = bpf_map_update_elem(&vd_conn4, &entry.key, connection, BPF_NOEXIST);
	if (error)
		return error;
	error = bpf_map_push_elem(&vd_expire4, &entry, 0);
	if (error)
		bpf_map_delete_elem(&vd_conn4, &entry.key);
	return error;
}

static __always_inline long vd_connection_insert6(__u32 domain, const struct vd_tuple *tuple, struct vd_connection *connection,
						  __u64 now)
{
	struct vd_expire6_value entry = {.checked = now};
	long error;

	connection->initiator_is_high = vd_connection6_key_set(&entry.key, domain, tuple);
	connection->inner_is_high ^= connection->initiator_is_high;
	error = bpf_map_update_elem(&vd_conn6, &entry.key, connection, BPF_NOEXIST);
	if (error)
		return error;
	error = bpf_map_push_elem(&vd_expire6, &entry, 0);
	if (error)
		bpf_map_delete_elem(&vd_conn6, &entry.key);
	return error;
}

/* The way that a connection's inner end is seen outside, or the host that it came through. */
static __always_inline void vd_connection_bind(const struct vd_packet *packet, struct vd_connection *connection)
{
	const struct vd_way *way = &packet->way;

	if (way->is_out || way->is_in) {
		connection->network = way->segment;
		connection->vip = way->vip;
		connection->vip_port = way->vip_port;
		connection->translation = way->translation;
		connection->inner_is_high = way->is_in;
	} else if (packet->is_from_exit) {
		connection->vip = packet->vtep;
		connection->exit_vtep = packet->vtep_fold;
		connection->inner_is_high = 1;
	}
}

/* Records a new connection whose initiator is the packet's sender. */
static __noinline int vd_connection_create(struct vd_packet *packet, __u64 now)
{
	struct vd_connection connection = {
		.created = now,
		.last_seen = now,
		.packets = 1,
		.bytes = packet->size,
		.state = VD_CONNECTION_STATE_NEW,
		.source_port_id = packet->port.id,
		.destination_port_id = packet->flow.destination_port_id,
	};
	long error;

	/* Met in its middle (it came with a migration, or outlived its timeout): not new, or it would be forgotten in a minute. */
	if (packet->tuple.protocol == IPPROTO_TCP && !(packet->tcp_flags & VD_TCP_SYN))
		connection.state = VD_CONNECTION_STATE_ESTABLISHED;
	if (packet->tcp_flags & VD_TCP_RST)
		connection.state = VD_CONNECTION_STATE_CLOSED;
	vd_connection_bind(packet, &connection);
	if (!vd_share_take(packet->flow.domain))
		return VD_DROP_REASON_CONNECTION_TABLE_FULL;
	if (packet->family == 4)
		error = vd_connection_insert4(packet->flow.domain, vd_connection_tuple(packet), &connection, now);
	else
		error = vd_connection_insert6(packet->flow.domain, vd_connection_tuple(packet), &connection, now);
	if (!error && vd_has_previous)
		vd_handover_tell(packet, &connection);
	if (!error) {
		packet->is_first = true;
		return 0;
	}
	vd_share_give(packet->flow.domain);
	return error == -EEXIST ? 0 : VD_DROP_REASON_CONNECTION_TABLE_FULL;
}

/*
 * Whether the packet goes in the direction of who began the connection; an error: whether its sender is on that side. is_high: of the
 * packet, or of the one that an error speaks of. An ICMP question is never a reply, whoever asked first.
 */
static __always_inline bool vd_connection_is_from_initiator(const struct vd_packet *packet, const struct vd_connection *connection,
							    bool is_high)
{
	bool from_initiator;

	if (!connection)
		return true;
	from_initiator = is_high == !!connection->initiator_is_high;
	if (packet->is_icmp_error)
		return !from_initiator;
	if (packet->tuple.protocol == IPPROTO_TCP && vd_connection_restarts(connection, packet->tcp_flags))
		return true;
	return from_initiator || (packet->tuple.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
				  vd_icmp_is_question(packet->family, packet->icmp_type));
}

/* A connection from outside comes by another host than before: that one is the gateway now, and replies go there. */
static __always_inline void vd_connection_follow(const struct vd_packet *packet, struct vd_connection *connection, bool is_high)
{
	struct vd_generations *generations = vd_generations_here();
	__u32 slot = vd_slot_endpoint(packet->domain, &packet->tuple.destination);

	if (!packet->is_from_exit || !connection->exit_vtep || connection->exit_vtep == packet->vtep_fold ||
	    is_high == !!connection->inner_is_high)
		return;
	connection->vip = packet->vtep;
	connection->exit_vtep = packet->vtep_fold;
	if (generations)
		__sync_fetch_and_add(&generations->value[slot & (VD_GENERATION_SLOTS - 1)], 1);
}

/* Lets go of what was claimed for a connection that was not made. */
static __always_inline int vd_connection_new(struct vd_packet *packet, __u64 now)
{
	int reason = vd_connection_create(packet, now);

	if (reason)
		vd_translate_undo(packet);
	return reason;
}

/*
 * The stage: the connection that the packet belongs to, made when there is none; and what the policies of both ends say. A first
 * packet that is refused leaves nothing behind. A connection that is refused stays as it was until it expires: its replies cannot
 * make it anew from the other side, and when a rule allows it again it goes on.
 */
static __always_inline int vd_connection_judge(struct vd_packet *packet)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct vd_connection *connection;
	bool is_high = false, from_initiator;
	int reason = 0;

	if (packet->is_icmp_error && !packet->peer)
		vd_peering_of_error(packet);
	connection = vd_handover_find(packet, &is_high);
	if (packet->is_icmp_error)
		reason = connection ? 0 : VD_DROP_REASON_ICMP_UNRELATED;
	vd_trace_step(VD_STAGE_CONNECTION, reason,
		      !connection             ? 2
		      : packet->is_icmp_error ? 3
					      : 1,
		      connection ? connection->state : 0, connection ? connection->initiator_is_high : is_high, 0);
	if (reason)
		return reason;
	from_initiator = vd_connection_is_from_initiator(packet, connection, is_high);
	if (from_initiator && !packet->is_icmp_error && vd_addr_is_service(packet->family, &packet->tuple.destination))
		return VD_DROP_REASON_SERVICE_ADDRESS;
	reason = vd_policy_stage(packet, from_initiator);
	if (reason)
		return packet->is_icmp_error || !from_initiator ? VD_DROP_REASON_CONNECTION_REFUSED : reason;
	if (packet->way.is_out || packet->way.is_in)
		reason = vd_translate_stage(packet, connection, is_high,
					    connection && packet->tuple.protocol == IPPROTO_TCP &&
						    vd_connection_restarts(connection, packet->tcp_flags));
	if (reason || packet->is_icmp_error || vd_tracing)
		return reason;
	if (!connection)
		return vd_connection_new(packet, now);
	vd_connection_follow(packet, connection, is_high);
	vd_connection_advance(connection, packet, is_high, now);
	return 0;
}

VD_STAGE int vd_connection_stage(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_connection_judge(packet) : VD_DROP_REASON_INTERNAL;
}

/*
 * A cached flow says that it lives. False: the connection is gone, or bound otherwise by now, and decide has to look. port: the
 * destination's, as the packet came.
 */
static __always_inline bool vd_connection_touch(__u8 family, const struct vd_flow *flow, const struct vd_tuple *tuple, __be16 port,
						__u64 now)
{
	__u8 translates = flow->flags & VD_FLOW_TRANSLATES; /* both: no virtual IP */
	struct vd_connection *connection;
	bool is_high;

	connection = vd_connection_find(family, flow->domain, tuple, &is_high);
	if (!connection)
		return false;
	if (translates == VD_FLOW_FLAG_TRANSLATE_SOURCE && connection->vip_port != flow->translated_port)
		return false;
	if (translates == VD_FLOW_FLAG_TRANSLATE_DESTINATION && connection->vip_port != port)
		return false;
	connection->last_seen = now;
	return true;
}

#endif
