/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_POLICY_ROUTE_H
#define VD_LIB_POLICY_ROUTE_H

#include "endpoint.h"
#include "trace.h"

/* Routes by more than the destination: a table's list, from its lowest priority on; the first one that matches and decides. */

struct vd_policy_route_walk {
	struct vd_packet *packet;
	struct vd_policy_routes_value *routes;
	__u32 mark;
	__u32 found; /* place in the list + 1, 0: none */
};

static __always_inline bool vd_policy_route_has(const union vd_addr *address, const union vd_addr *prefix, __u32 length)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 bits = length < 32 ? length : 32;

		if ((address->word[i] ^ prefix->word[i]) & bpf_htonl((__u32)(0xffffffff00000000ULL >> bits)))
			return false;
		length -= bits;
	}
	return true;
}

static __always_inline bool vd_policy_route_has_port(__be16 port, __u16 first, __u16 last)
{
	return (!first && !last) || (bpf_ntohs(port) >= first && bpf_ntohs(port) <= last);
}

static __always_inline bool vd_policy_route_matches(const struct vd_policy_route *route, const struct vd_packet *packet, __u32 mark)
{
	const struct vd_tuple *tuple = &packet->tuple;

	if ((route->protocol && route->protocol != tuple->protocol) || (route->family && route->family != packet->family) ||
	    (route->mark && route->mark != mark))
		return false;
	return vd_policy_route_has_port(tuple->source_port, route->source_port_first, route->source_port_last) &&
	       vd_policy_route_has_port(tuple->destination_port, route->destination_port_first, route->destination_port_last) &&
	       vd_policy_route_has(&tuple->source, &route->source, route->source_length) &&
	       vd_policy_route_has(&tuple->destination, &route->destination, route->destination_length);
}

/*
 * Whether it would send the packet back to its sender, who is the next hop himself: what an instance sends on was led through it
 * already. When an address moves away from a port, the port's own record changes, and its flows are stale by that.
 */
static __always_inline bool vd_policy_route_returns(const struct vd_policy_route *route, const struct vd_packet *packet)
{
	struct vd_endpoint_value *endpoint;

	if (route->has_table || route->route.type != VD_ROUTE_TYPE_NEXT_HOP)
		return false;
	endpoint = vd_endpoint_find(packet->family, packet->domain, &route->route.next_hop);
	return endpoint && endpoint->port_id && endpoint->port_id == packet->port.id;
}

static long vd_policy_route_step(__u32 index, void *context)
{
	struct vd_policy_route_walk *walk = context;
	struct vd_policy_route *route;

	if (index >= VD_POLICY_ROUTES || index >= walk->routes->count)
		return 1;
	route = &walk->routes->route[index];
	if (!vd_policy_route_matches(route, walk->packet, walk->mark))
		return 0;
	if (route->set_mark) {
		walk->mark = route->set_mark;
		return 0;
	}
	if (vd_policy_route_returns(route, walk->packet))
		return 0;
	walk->found = index + 1;
	return 1;
}

/*
 * The stage: 0: none of them decides; 1: another table shall, *ret_table; 2: *ret_route is the route. Any change of a list makes the
 * domain's flows stale (abi/generation.h), so that a flow needs no place of its own for it.
 */
static __noinline int vd_policy_route_stage(struct vd_packet *packet, __u32 table, __u32 *ret_table,
					    struct vd_route_value *ret_route)
{
	struct vd_policy_routes_key key = {.domain = packet->domain, .table = table};
	struct vd_policy_routes_value *routes = bpf_map_lookup_elem(&vd_policy_routes, &key);
	struct vd_policy_route_walk walk = {.packet = packet, .routes = routes};
	struct vd_policy_route *route;
	__u32 index;

	if (!routes)
		return 0;
	bpf_loop(VD_POLICY_ROUTES, vd_policy_route_step, &walk, 0);
	if (!walk.found)
		return 0;
	index = walk.found - 1;
	if (index >= VD_POLICY_ROUTES)
		return 0;
	route = &routes->route[index];
	vd_trace_step(VD_STAGE_POLICY_ROUTE, 0, route->id, table, walk.mark, route->has_table ? route->table : 0);
	if (route->has_table) {
		*ret_table = route->table;
		return 1;
	}
	*ret_route = route->route;
	return 2;
}

#endif
