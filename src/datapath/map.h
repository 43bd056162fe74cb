/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_MAP_H
#define VD_DATAPATH_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of a map's contents when another build of the programs takes over. */
enum vd_map_role {
	VD_MAP_ROLE_PLAN,    /* copied; sync corrects it */
	VD_MAP_ROLE_LIVE,    /* copied, and again what appeared or was touched while programs were swapped */
	VD_MAP_ROLE_KEPT,    /* copied once: generations, counters */
	VD_MAP_ROLE_CACHE,   /* shared, or starts empty */
	VD_MAP_ROLE_QUEUE,   /* filled together with the connections */
	VD_MAP_ROLE_PRIVATE, /* every build has its own: the tail calls' program array, the connections of the build before it */
};

/*
 * Every map of the object: X(ENUMERATOR, name, role). Those that a plan fills come in the order in which entries are put in place;
 * removal goes backwards. The VTEPs come before the hosts: whether one is still used is asked of the hosts that remain. What a
 * packet is translated to stands before the port that sends it, and policy routes before routes: a connection keeps the exit that
 * its first packet found. How peers see a VPC's addresses stands before the routes to them: nothing crosses untranslated.
 */
#define VD_MAPS(X) \
	X(VTEP, "vd_vtep", PLAN) \
	X(HOST, "vd_host", PLAN) \
	X(SHARE, "vd_share", PLAN) \
	X(DOMAIN, "vd_domain", PLAN) \
	X(SEGMENT, "vd_segment", PLAN) \
	X(SUBNET, "vd_subnet", PLAN) \
	X(NETWORK, "vd_network", PLAN) \
	X(FORWARD, "vd_forward", PLAN) \
	X(VIP, "vd_vip", PLAN) \
	X(ELASTIC, "vd_elastic", PLAN) \
	X(EXIT, "vd_exit", PLAN) \
	X(ALLOW, "vd_allow", PLAN) \
	X(SPAN, "vd_span", PLAN) \
	X(REMOTE, "vd_remote", PLAN) \
	X(POLICY, "vd_policy", PLAN) \
	X(RATE, "vd_rate", PLAN) \
	X(MAC, "vd_mac", PLAN) \
	X(PORT, "vd_port", PLAN) \
	X(SOURCE4, "vd_source4", PLAN) \
	X(SOURCE6, "vd_source6", PLAN) \
	X(ENDPOINT4, "vd_endpoint4", PLAN) \
	X(ENDPOINT6, "vd_endpoint6", PLAN) \
	X(ALIAS4, "vd_alias4", PLAN) \
	X(ALIAS6, "vd_alias6", PLAN) \
	X(INWARD4, "vd_inward4", PLAN) \
	X(INWARD6, "vd_inward6", PLAN) \
	X(UPLINK, "vd_uplink", PLAN) \
	X(POLICY_ROUTES, "vd_policy_routes", PLAN) \
	X(ROUTE4, "vd_route4", PLAN) \
	X(ROUTE6, "vd_route6", PLAN) \
	X(CONNECTION4, "vd_conn4", LIVE) \
	X(CONNECTION6, "vd_conn6", LIVE) \
	X(PREVIOUS4, "vd_previous4", PRIVATE) \
	X(PREVIOUS6, "vd_previous6", PRIVATE) \
	X(PREVIOUS_NAT4, "vd_previous_nat4", PRIVATE) \
	X(PREVIOUS_NAT6, "vd_previous_nat6", PRIVATE) \
	X(EXPIRE4, "vd_expire4", QUEUE) \
	X(EXPIRE6, "vd_expire6", QUEUE) \
	X(NAT4, "vd_nat4", QUEUE) \
	X(NAT6, "vd_nat6", QUEUE) \
	X(NAT_CURSOR, "vd_nat_cursor", CACHE) \
	X(NEIGHBOUR, "vd_neighbour", KEPT) \
	X(QUESTION, "vd_question", CACHE) \
	X(DEADLINE, "vd_deadline", KEPT) \
	X(GENERATION, "vd_generation", KEPT) \
	X(DROP_COUNT, "vd_drop_count", KEPT) \
	X(COUNTERS, "vd_counters", KEPT) \
	X(FLOW4, "vd_flow4", CACHE) \
	X(FLOW6, "vd_flow6", CACHE) \
	X(FLOW4_INDEX, "vd_flow4_index", CACHE) \
	X(FLOW6_INDEX, "vd_flow6_index", CACHE) \
	X(FLOW_HEAD, "vd_flow_head", CACHE) \
	X(FRAGMENT, "vd_fragment", CACHE) \
	X(DROP_EVENTS, "vd_drop_events", CACHE) \
	X(NEIGHBOUR_EVENTS, "vd_neighbour_events", CACHE) \
	X(CAPTURE, "vd_capture", CACHE) \
	X(TRACE, "vd_trace", CACHE) \
	X(CLOCK, "vd_clock", CACHE) \
	X(PROGRAMS, "vd_programs", PRIVATE)

enum vd_map {
#define X(enumerator, ...) VD_MAP_##enumerator,
	VD_MAPS(X)
#undef X
		VD_MAP_COUNT,
};

#define VD_MAP_PLAN_COUNT (VD_MAP_ROUTE6 + 1)

const char *vd_map_name(enum vd_map map);
enum vd_map_role vd_map_role(enum vd_map map);

struct vd_map_definition {
	uint32_t type, key_size, value_size, max_entries, flags;
	uint32_t id; /* the kernel's */
};

int vd_map_definition_read(int fd, struct vd_map_definition *ret);
/* Whether a map made by one definition can stand in for the other. */
bool vd_map_definition_equal(const struct vd_map_definition *a, const struct vd_map_definition *b);
/* Bytes that user space exchanges for one value: a per-CPU map has one for each possible CPU. */
size_t vd_map_value_bytes(const struct vd_map_definition *definition);

/*
 * Calls back for every entry, read in batches while the programs go on. visit returns 0, or anything else to stop, which is then
 * returned. Entries that come and go meanwhile may be seen or not. Not for per-CPU maps, arrays and ring buffers.
 */
typedef int vd_map_visit(const void *key, const void *value, void *userdata);
int vd_map_each(int fd, vd_map_visit *visit, void *userdata);
/* A visit that counts, in a size_t. */
vd_map_visit vd_map_count_visit;
int vd_map_entry_count(int fd, size_t *ret);

/* As bpf_map_update_elem, 0 or a negative errno; a moment's want of memory is waited out (datapath/memory.h). */
int vd_map_update(int fd, const void *key, const void *value, uint64_t flags);

/* Copies every entry; a longer value is zero at its end, a shorter one loses it. Keys must be of one size (-EINVAL). */
int vd_map_copy(int from, int to);

#endif
