// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Forgets idle connections, in the kernel, with or without a daemon: a timer looks at a bounded slice of the queue a tick. The
 * loader runs vd_expire_start once (BPF_PROG_TEST_RUN); running it again, from a newer build, hands the ticking timer over.
 */
#include "lib/connection.h"

#define VD_EXPIRE_TICK (50 * 1000000ULL)  /* ns */
#define VD_EXPIRE_SLICE 1024              /* connections a tick and family: a full table of 262144 is walked in 13 s */
#define VD_EXPIRE_RECHECK (2 * VD_SECOND) /* few connections are not looked at more often */

struct vd_expire_clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_expire_clock);
	__uint(max_entries, 1);
} vd_clock SEC(".maps");

static __always_inline bool vd_expire_is_due(const struct vd_connection *connection, __u8 protocol, __u64 now)
{
	return (__s64)(now - connection->last_seen) > (__s64)vd_connection_timeout(protocol, connection);
}

/* The port that was claimed for the connection, before the connection: one that is made anew at this moment claims again. */
static __always_inline void vd_expire_claim4(const struct vd_connection4_key *key, const struct vd_connection *connection)
{
	struct vd_nat4_key claim = {
		.network = connection->network,
		.vip = connection->vip.word[0],
		.remote = connection->inner_is_high ? key->low : key->high,
		.vip_port = connection->vip_port,
		.remote_port = connection->inner_is_high ? key->low_port : key->high_port,
		.protocol = key->protocol,
	};
	struct vd_nat_value *held;

	if (!vd_nat_claims(connection->translation))
		return;
	if (key->protocol == IPPROTO_ICMP)
		claim.remote_port = connection->vip_port;
	held = bpf_map_lookup_elem(&vd_nat4, &claim);
	if (held && held->domain == key->domain && held->inner.word[0] == (connection->inner_is_high ? key->high : key->low))
		bpf_map_delete_elem(&vd_nat4, &claim);
}

static __always_inline void vd_expire_claim6(const struct vd_connection6_key *key, const struct vd_connection *connection)
{
	struct vd_nat6_key claim = {
		.network = connection->network,
		.vip = connection->vip,
		.remote = connection->inner_is_high ? key->low : key->high,
		.vip_port = connection->vip_port,
		.remote_port = connection->inner_is_high ? key->low_port : key->high_port,
		.protocol = key->protocol,
	};
	struct vd_nat_value *held;

	if (!vd_nat_claims(connection->translation))
		return;
	if (key->protocol == IPPROTO_ICMPV6)
		claim.remote_port = connection->vip_port;
	held = bpf_map_lookup_elem(&vd_nat6, &claim);
	if (held && held->domain == key->domain && vd_addr_equal(&held->inner, connection->inner_is_high ? &key->high : &key->low))
		bpf_map_delete_elem(&vd_nat6, &claim);
}

/*
 * 1 ends the slice. The first one is looked at before it is taken: nobody else takes any, and one that cannot be put back (the kernel
 * gives a queue's lock up after a while, since Linux 6.15) would never be looked at again.
 */
static long vd_expire_step4(__u32 index, void *context)
{
	__u64 now = *(__u64 *)context;
	struct vd_expire4_value entry = {0};
	struct vd_connection *connection;

	if (bpf_map_peek_elem(&vd_expire4, &entry) || (__s64)(now - entry.checked) < (__s64)VD_EXPIRE_RECHECK)
		return 1;
	if (bpf_map_pop_elem(&vd_expire4, &entry))
		return 1;
	connection = bpf_map_lookup_elem(&vd_conn4, &entry.key);
	if (!connection)
		return 0;
	entry.checked = now;
	if (!vd_expire_is_due(connection, entry.key.protocol, now) && !bpf_map_push_elem(&vd_expire4, &entry, 0))
		return 0;
	vd_expire_claim4(&entry.key, connection);
	if (!bpf_map_delete_elem(&vd_conn4, &entry.key))
		vd_share_give(entry.key.domain);
	return 0;
}

static long vd_expire_step6(__u32 index, void *context)
{
	__u64 now = *(__u64 *)context;
	struct vd_expire6_value entry = {0};
	struct vd_connection *connection;

	if (bpf_map_peek_elem(&vd_expire6, &entry) || (__s64)(now - entry.checked) < (__s64)VD_EXPIRE_RECHECK)
		return 1;
	if (bpf_map_pop_elem(&vd_expire6, &entry))
		return 1;
	connection = bpf_map_lookup_elem(&vd_conn6, &entry.key);
	if (!connection)
		return 0;
	entry.checked = now;
	if (!vd_expire_is_due(connection, entry.key.protocol, now) && !bpf_map_push_elem(&vd_expire6, &entry, 0))
		return 0;
	vd_expire_claim6(&entry.key, connection);
	if (!bpf_map_delete_elem(&vd_conn6, &entry.key))
		vd_share_give(entry.key.domain);
	return 0;
}

static int vd_expire_tick(void *map, __u32 *key, struct vd_expire_clock *expire_clock)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	bpf_loop(VD_EXPIRE_SLICE, vd_expire_step4, &now, 0);
	bpf_loop(VD_EXPIRE_SLICE, vd_expire_step6, &now, 0);
	bpf_timer_start(&expire_clock->timer, VD_EXPIRE_TICK, 0);
	return 0;
}

/* 0 when the timer ticks, else a positive errno: the loader tries again when there was no memory at this moment. */
SEC("tc")
int vd_expire_start(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct vd_expire_clock *expire_clock = bpf_map_lookup_elem(&vd_clock, &zero);
	long r;

	if (!expire_clock)
		return ENOENT;
	r = bpf_timer_init(&expire_clock->timer, &vd_clock, 1 /* CLOCK_MONOTONIC */);
	if (!r || r == -EBUSY) /* busy: it is initialised already, only the callback changes */
		r = bpf_timer_set_callback(&expire_clock->timer, vd_expire_tick);
	if (!r)
		r = bpf_timer_start(&expire_clock->timer, VD_EXPIRE_TICK, 0);
	return -r;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
