/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_MAPS_H
#define VD_LIB_MAPS_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/generation.h"
#include "abi/maps.h"
#include "abi/reason.h"

/*
 * Every map, and the constants that the loader sets. Weak, so that each program's object may define them and the linker keeps one.
 * The loader pins them and may change max_entries.
 */

const volatile __u32 vd_overlay_ifindex __weak = 0;            /* the VXLAN device */
const volatile struct vd_flow_size vd_flow4_size __weak = {0}; /* what vd_flow_size_of says of the maps' entries */
const volatile struct vd_flow_size vd_flow6_size __weak = {0};
const volatile bool vd_tracing __weak = false; /* this is the copy that only explains: no side effects but in vd_trace */

/*
 * The build that ours replaces keeps connections of another size; of a value there we know so many bytes, and so many of a claim's
 * (0: it has no claims). Its tables stand in vd_previous4 and vd_previous6, those of its claims in vd_previous_nat4 and
 * vd_previous_nat6, while interfaces are swapped one by one, so that either build finds what the other has recorded
 * (docs/dev/upgrade.md).
 */
const volatile bool vd_has_previous __weak = false;
const volatile __u32 vd_previous_size __weak = 0;
const volatile __u32 vd_previous_nat_size __weak = 0;

#define VD_MAP_ENTRIES_DEFAULT 262144

#define VD_MAP(name, map_type, key_type, value_type, entries, flags) \
	struct { \
		__uint(type, map_type); \
		__type(key, key_type); \
		__type(value, value_type); \
		__uint(max_entries, entries); \
		__uint(map_flags, flags); \
	} name SEC(".maps") __weak

/* Mapped by user space to be read, and so that slots and buckets begin where cache lines do (lib/cache.h). */
VD_MAP(vd_flow4, BPF_MAP_TYPE_ARRAY, __u32, struct vd_flow_slot, VD_MAP_ENTRIES_DEFAULT, BPF_F_MMAPABLE);
VD_MAP(vd_flow6, BPF_MAP_TYPE_ARRAY, __u32, struct vd_flow_slot, VD_MAP_ENTRIES_DEFAULT / 4, BPF_F_MMAPABLE);
VD_MAP(vd_flow4_index, BPF_MAP_TYPE_ARRAY, __u32, struct vd_flow_bucket, VD_MAP_ENTRIES_DEFAULT / 8, BPF_F_MMAPABLE);
VD_MAP(vd_flow6_index, BPF_MAP_TYPE_ARRAY, __u32, struct vd_flow_bucket, VD_MAP_ENTRIES_DEFAULT / 32, BPF_F_MMAPABLE);
VD_MAP(vd_flow_head, BPF_MAP_TYPE_ARRAY, __u32, struct vd_flow_head, 1, BPF_F_MMAPABLE);

/*
 * IPv4's are preallocated: making one while packets pass costs half a microsecond more with the allocator for BPF. IPv6's are not: as
 * many may stand there, since half a table is what one VPC may hold of both families, but the memory is taken as they come.
 */
VD_MAP(vd_conn4, BPF_MAP_TYPE_HASH, struct vd_connection4_key, struct vd_connection, VD_MAP_ENTRIES_DEFAULT, 0);
VD_MAP(vd_conn6, BPF_MAP_TYPE_HASH, struct vd_connection6_key, struct vd_connection, VD_MAP_ENTRIES_DEFAULT, BPF_F_NO_PREALLOC);
VD_MAP(vd_share, BPF_MAP_TYPE_HASH, __u32, struct vd_share_value, 65536, BPF_F_NO_PREALLOC);

VD_MAP(vd_port, BPF_MAP_TYPE_HASH, __u32, struct vd_port_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_subnet, BPF_MAP_TYPE_HASH, __u32, struct vd_subnet_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_domain, BPF_MAP_TYPE_HASH, __u32, struct vd_domain_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_segment, BPF_MAP_TYPE_HASH, __u32, struct vd_segment_value, 131072, BPF_F_NO_PREALLOC);
VD_MAP(vd_host, BPF_MAP_TYPE_HASH, __u32, struct vd_host_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_vtep, BPF_MAP_TYPE_HASH, __u32, __u32, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_endpoint4, BPF_MAP_TYPE_HASH, struct vd_endpoint4_key, struct vd_endpoint_value, 262144, BPF_F_NO_PREALLOC);
VD_MAP(vd_endpoint6, BPF_MAP_TYPE_HASH, struct vd_endpoint6_key, struct vd_endpoint_value, 262144, BPF_F_NO_PREALLOC);
VD_MAP(vd_mac, BPF_MAP_TYPE_HASH, struct vd_mac_key, struct vd_mac_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_route4, BPF_MAP_TYPE_LPM_TRIE, struct vd_route4_key, struct vd_route_value, 1048576, BPF_F_NO_PREALLOC);
VD_MAP(vd_route6, BPF_MAP_TYPE_LPM_TRIE, struct vd_route6_key, struct vd_route_value, 1048576, BPF_F_NO_PREALLOC);
VD_MAP(vd_source4, BPF_MAP_TYPE_LPM_TRIE, struct vd_source4_key, __u32, 262144, BPF_F_NO_PREALLOC);
VD_MAP(vd_source6, BPF_MAP_TYPE_LPM_TRIE, struct vd_source6_key, __u32, 262144, BPF_F_NO_PREALLOC);

VD_MAP(vd_rate, BPF_MAP_TYPE_HASH, struct vd_rate_key, struct vd_rate_value, 65536, BPF_F_NO_PREALLOC);

VD_MAP(vd_policy, BPF_MAP_TYPE_HASH, struct vd_policy_key, struct vd_policy_value, 131072, BPF_F_NO_PREALLOC);
VD_MAP(vd_remote, BPF_MAP_TYPE_HASH, struct vd_remote_key, struct vd_remote_value, 262144, BPF_F_NO_PREALLOC);
VD_MAP(vd_allow, BPF_MAP_TYPE_HASH, struct vd_allow_key, __u32, 262144, BPF_F_NO_PREALLOC);
VD_MAP(vd_span, BPF_MAP_TYPE_HASH, struct vd_allow_key, struct vd_span_value, 262144, BPF_F_NO_PREALLOC);

VD_MAP(vd_uplink, BPF_MAP_TYPE_HASH, struct vd_uplink_key, struct vd_uplink_value, 16384, BPF_F_NO_PREALLOC);
VD_MAP(vd_network, BPF_MAP_TYPE_HASH, __u32, struct vd_network_value, 16384, BPF_F_NO_PREALLOC);
VD_MAP(vd_exit, BPF_MAP_TYPE_HASH, struct vd_exit_key, struct vd_exit_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_deadline, BPF_MAP_TYPE_ARRAY, __u32, __u64, 1, 0);
VD_MAP(vd_vip, BPF_MAP_TYPE_HASH, struct vd_vip_key, struct vd_vip_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_elastic, BPF_MAP_TYPE_HASH, struct vd_elastic_key, struct vd_elastic_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_forward, BPF_MAP_TYPE_HASH, struct vd_forward_key, struct vd_forward_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_inward4, BPF_MAP_TYPE_LPM_TRIE, struct vd_inward4_key, __u32, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_inward6, BPF_MAP_TYPE_LPM_TRIE, struct vd_inward6_key, __u32, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_alias4, BPF_MAP_TYPE_LPM_TRIE, struct vd_alias4_key, struct vd_alias_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_alias6, BPF_MAP_TYPE_LPM_TRIE, struct vd_alias6_key, struct vd_alias_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_policy_routes, BPF_MAP_TYPE_HASH, struct vd_policy_routes_key, struct vd_policy_routes_value, 16384, BPF_F_NO_PREALLOC);
VD_MAP(vd_neighbour, BPF_MAP_TYPE_HASH, struct vd_neighbour_key, struct vd_neighbour_value, 65536, BPF_F_NO_PREALLOC);
VD_MAP(vd_question, BPF_MAP_TYPE_LRU_HASH, __u32, struct vd_question_value, 16384, 0);

/* As many as connections (the loader keeps them equal), and preallocated where they are. */
VD_MAP(vd_nat4, BPF_MAP_TYPE_HASH, struct vd_nat4_key, struct vd_nat_value, VD_MAP_ENTRIES_DEFAULT, 0);
VD_MAP(vd_nat6, BPF_MAP_TYPE_HASH, struct vd_nat6_key, struct vd_nat_value, VD_MAP_ENTRIES_DEFAULT, BPF_F_NO_PREALLOC);
VD_MAP(vd_nat_cursor, BPF_MAP_TYPE_LRU_HASH, struct vd_nat6_key, struct vd_nat_cursor, 16384, 0);

VD_MAP(vd_fragment, BPF_MAP_TYPE_LRU_HASH, struct vd_fragment_key, struct vd_fragment_value, 16384, 0);
VD_MAP(vd_generation, BPF_MAP_TYPE_ARRAY, __u32, struct vd_generations, 1, BPF_F_MMAPABLE);
VD_MAP(vd_drop_count, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct vd_drop_count, VD_DROP_REASON_COUNT, 0);
VD_MAP(vd_counters, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct vd_counters, 1, 0);
VD_MAP(vd_trace, BPF_MAP_TYPE_ARRAY, __u32, struct vd_trace, 1, 0);

/* The loader makes the inner map what the previous build's is. */
#define VD_PREVIOUS_MAP(name, inner, key_type, value_type) \
	struct inner { \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__type(key, key_type); \
		__type(value, value_type); \
		__uint(max_entries, 1); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
	}; \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__type(key, __u32); \
		__uint(max_entries, 1); \
		__array(values, struct inner); \
	} name SEC(".maps") __weak

VD_PREVIOUS_MAP(vd_previous4, vd_previous4_inner, struct vd_connection4_key, struct vd_connection);
VD_PREVIOUS_MAP(vd_previous6, vd_previous6_inner, struct vd_connection6_key, struct vd_connection);
VD_PREVIOUS_MAP(vd_previous_nat4, vd_previous_nat4_inner, struct vd_nat4_key, struct vd_nat_value);
VD_PREVIOUS_MAP(vd_previous_nat6, vd_previous_nat6_inner, struct vd_nat6_key, struct vd_nat_value);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 2 * VD_PROGRAM_COUNT);
} vd_programs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} vd_drop_events SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} vd_neighbour_events SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
} vd_capture SEC(".maps") __weak;

/* As many entries as connections (the loader keeps them equal): each connection stands in its queue once. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__type(value, struct vd_expire4_value);
	__uint(max_entries, VD_MAP_ENTRIES_DEFAULT);
} vd_expire4 SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__type(value, struct vd_expire6_value);
	__uint(max_entries, VD_MAP_ENTRIES_DEFAULT);
} vd_expire6 SEC(".maps") __weak;

#endif
