/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_HANDOVER_H
#define VD_LIB_HANDOVER_H

#include "nat.h"

/* A connection's keys; and how two builds with different connections know each other's while one takes over from the other. */

/* Whether the sender of the tuple is the connection's high end: compares (address, port) as bytes. */
static __always_inline bool vd_tuple_sender_is_high4(const struct vd_tuple *tuple)
{
	__u32 source = bpf_ntohl(tuple->source.word[0]), destination = bpf_ntohl(tuple->destination.word[0]);

	if (source != destination)
		return source > destination;
	return bpf_ntohs(tuple->source_port) > bpf_ntohs(tuple->destination_port);
}

static __always_inline bool vd_tuple_sender_is_high6(const struct vd_tuple *tuple)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 source = bpf_ntohl(tuple->source.word[i]), destination = bpf_ntohl(tuple->destination.word[i]);

		if (source != destination)
			return source > destination;
	}
	return bpf_ntohs(tuple->source_port) > bpf_ntohs(tuple->destination_port);
}

static __always_inline bool vd_connection4_key_set(struct vd_connection4_key *key, __u32 domain, const struct vd_tuple *tuple)
{
	bool high = vd_tuple_sender_is_high4(tuple);

	__builtin_memset(key, 0, sizeof(*key));
	key->domain = domain;
	key->low = high ? tuple->destination.word[0] : tuple->source.word[0];
	key->high = high ? tuple->source.word[0] : tuple->destination.word[0];
	key->low_port = high ? tuple->destination_port : tuple->source_port;
	key->high_port = high ? tuple->source_port : tuple->destination_port;
	key->protocol = tuple->protocol;
	return high;
}

static __always_inline bool vd_connection6_key_set(struct vd_connection6_key *key, __u32 domain, const struct vd_tuple *tuple)
{
	bool high = vd_tuple_sender_is_high6(tuple);

	__builtin_memset(key, 0, sizeof(*key));
	key->domain = domain;
	key->low = high ? tuple->destination : tuple->source;
	key->high = high ? tuple->source : tuple->destination;
	key->low_port = high ? tuple->destination_port : tuple->source_port;
	key->high_port = high ? tuple->source_port : tuple->destination_port;
	key->protocol = tuple->protocol;
	return high;
}

/* ret_is_high: the tuple's sender is the high end. NULL: unknown. */
static __always_inline struct vd_connection *vd_connection_find(__u8 family, __u32 domain, const struct vd_tuple *tuple,
								bool *ret_is_high)
{
	struct vd_connection4_key key4;
	struct vd_connection6_key key6;

	if (family == 4) {
		*ret_is_high = vd_connection4_key_set(&key4, domain, tuple);
		return bpf_map_lookup_elem(&vd_conn4, &key4);
	}
	*ret_is_high = vd_connection6_key_set(&key6, domain, tuple);
	return bpf_map_lookup_elem(&vd_conn6, &key6);
}

/* A connection with room behind it: the previous build's may be longer. */
struct vd_handover_value {
	struct vd_connection connection;
	__u8 room[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_handover_value);
	__uint(max_entries, 1);
} vd_scratch_handover SEC(".maps") __weak;

static __always_inline bool vd_handover_copy(struct vd_connection *to, const void *from)
{
	__u32 size = vd_previous_size;

	return from && size <= sizeof(*to) && !bpf_probe_read_kernel(to, size, from);
}

/*
 * What comes back to a connection that was taken over is known by its claim. Where somebody else has that by now, the connection is
 * translated anew, from inside.
 */
static __noinline int vd_handover_claim(struct vd_packet *packet, struct vd_connection *connection, bool tuple_is_high)
{
	if (!vd_nat_claims(connection->translation))
		return 0;
	vd_nat_connection_set(&packet->claim, packet->family, packet->domain, connection,
			      packet->is_icmp_error ? &packet->embedded : &packet->tuple,
			      tuple_is_high == !!connection->inner_is_high);
	if (vd_nat_take(&packet->claim) >= 0)
		return 0;
	connection->network = 0;
	connection->translation = VD_TRANSLATION_NONE;
	return 0;
}

static __always_inline int vd_handover_recall4(const struct vd_packet *packet, struct vd_connection *connection)
{
	struct vd_expire4_value entry = {};
	__u32 zero = 0;
	void *previous = bpf_map_lookup_elem(&vd_previous4, &zero);

	if (!previous)
		return 0;
	vd_connection4_key_set(&entry.key, packet->flow.domain, vd_connection_tuple(packet));
	if (!vd_handover_copy(connection, bpf_map_lookup_elem(previous, &entry.key)))
		return 0;
	if (!bpf_map_update_elem(&vd_conn4, &entry.key, connection, BPF_NOEXIST))
		bpf_map_push_elem(&vd_expire4, &entry, 0);
	return 1;
}

static __always_inline int vd_handover_recall6(const struct vd_packet *packet, struct vd_connection *connection)
{
	struct vd_expire6_value entry = {};
	__u32 zero = 0;
	void *previous = bpf_map_lookup_elem(&vd_previous6, &zero);

	if (!previous)
		return 0;
	vd_connection6_key_set(&entry.key, packet->flow.domain, vd_connection_tuple(packet));
	if (!vd_handover_copy(connection, bpf_map_lookup_elem(previous, &entry.key)))
		return 0;
	if (!bpf_map_update_elem(&vd_conn6, &entry.key, connection, BPF_NOEXIST))
		bpf_map_push_elem(&vd_expire6, &entry, 0);
	return 1;
}

/* Takes over the connection of the packet (of the one that an error speaks of), if the previous build knows it: 1. */
VD_STAGE int vd_handover_recall(void)
{
	const struct vd_packet *packet = vd_packet_here();
	__u32 zero = 0;
	struct vd_handover_value *value = bpf_map_lookup_elem(&vd_scratch_handover, &zero); /* the stack has no room */

	if (!packet || !value)
		return 0;
	__builtin_memset(&value->connection, 0, sizeof(value->connection));
	return packet->family == 4 ? vd_handover_recall4(packet, &value->connection)
				   : vd_handover_recall6(packet, &value->connection);
}

/* The connection of the packet (of the one that an error speaks of), ours or the previous build's. As vd_connection_find. */
static __always_inline struct vd_connection *vd_handover_find(struct vd_packet *packet, bool *ret_is_high)
{
	const struct vd_tuple *tuple = vd_connection_tuple(packet);
	struct vd_connection *connection = NULL;

	/* Twice in a packet's time is 50 ns for nothing: if another CPU makes it meanwhile, so it is as if it did so a moment later. */
	if (!packet->is_stranger)
		connection = vd_connection_find(packet->family, packet->flow.domain, tuple, ret_is_high);
	if (connection || !vd_has_previous || vd_tracing || !vd_handover_recall())
		return connection;
	connection = vd_connection_find(packet->family, packet->flow.domain, tuple, ret_is_high);
	if (connection)
		vd_handover_claim(packet, connection, *ret_is_high);
	return connection;
}

/* Lets the previous build know a new connection: its reply may come in where that still runs. */
static __noinline int vd_handover_tell(const struct vd_packet *packet, const struct vd_connection *connection)
{
	struct vd_connection4_key key4;
	struct vd_connection6_key key6;
	struct vd_handover_value *value;
	__u32 zero = 0;
	void *previous;

	value = bpf_map_lookup_elem(&vd_scratch_handover, &zero);
	if (!value)
		return 0;
	value->connection = *connection;
	if (packet->family == 4) {
		previous = bpf_map_lookup_elem(&vd_previous4, &zero);
		if (!previous)
			return 0;
		vd_connection4_key_set(&key4, packet->flow.domain, vd_connection_tuple(packet));
		bpf_map_update_elem(previous, &key4, value, BPF_NOEXIST);
		return 0;
	}
	previous = bpf_map_lookup_elem(&vd_previous6, &zero);
	if (!previous)
		return 0;
	vd_connection6_key_set(&key6, packet->flow.domain, vd_connection_tuple(packet));
	bpf_map_update_elem(previous, &key6, value, BPF_NOEXIST);
	return 0;
}

#endif
