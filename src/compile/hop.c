/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/hop.h"

#include "compile/gateway.h"
#include "compile/reach.h"

#include <string.h>

/* ---- standing ---- */

static enum vd_hop_state find_vip(const struct vd_view *view, const struct vd_next_hop *hop, uint8_t family,
				  const struct vd_vpc *vpc, struct vd_hop_standing *standing)
{
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(view, vpc->head.project, hop->vip);
	const struct vd_address *address = vip ? vd_virtual_ip_address(vip, family) : NULL;
	const struct vd_subnet *subnet = vip && vip->subnet ? vd_view_subnet(view, vpc->head.project, vip->subnet) : NULL;

	if (!address || !subnet || strcmp(subnet->vpc, vpc->head.name) != 0)
		return VD_HOP_STATE_NO_VIP;
	standing->address = *address;
	standing->port = vip->port ? vd_view_port(view, vpc->head.project, vip->port) : NULL;
	return standing->port ? VD_HOP_STATE_ACTIVE : VD_HOP_STATE_NOT_HELD;
}

static enum vd_hop_state find_port_host(const struct vd_view *view, const struct vd_vpc *vpc, struct vd_hop_standing *standing)
{
	const struct vd_attachment *attachment = vd_view_attachment(view, standing->port->head.project, standing->port->head.name);

	if (!attachment)
		return VD_HOP_STATE_DETACHED;
	standing->host = attachment->host;
	if (view->host && strcmp(attachment->host, view->host) == 0)
		return VD_HOP_STATE_ACTIVE;
	return vd_view_reach(view, vpc, attachment->host) ? VD_HOP_STATE_ACTIVE : VD_HOP_STATE_UNREACHABLE;
}

static enum vd_hop_state find_network(const struct vd_view *view, const struct vd_vpc *vpc, struct vd_hop_standing *standing)
{
	standing->network = vd_view_network_of_address(view, vpc, &standing->address);
	if (!standing->network)
		return VD_HOP_STATE_NO_NETWORK;
	standing->host = vd_view_gateway_host(view, vpc->head.project, vpc->head.name, standing->network);
	return standing->host ? VD_HOP_STATE_ACTIVE : VD_HOP_STATE_NO_GATEWAY;
}

static const struct vd_vpc *find_peer(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_vpc *vpc)
{
	const struct vd_peering *peering = vd_view_peering(view, vpc->head.project, hop->peering);
	const char *name = vpc->head.name;

	if (!peering || (strcmp(peering->vpc, name) != 0 && strcmp(peering->peer, name) != 0))
		return NULL;
	return vd_view_vpc(view, vpc->head.project, vd_peering_other(peering, name));
}

void vd_hop_stand(const struct vd_view *view, const struct vd_next_hop *hop, uint8_t family, const struct vd_vpc *vpc,
		  struct vd_hop_standing *ret)
{
	*ret = (struct vd_hop_standing){.address = hop->address};
	switch (hop->type) {
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		break;
	case VD_NEXT_HOP_TYPE_ADDRESS:
		ret->port = vd_view_port_by_address(view, vpc, &hop->address);
		ret->state = ret->port ? find_port_host(view, vpc, ret) : VD_HOP_STATE_NO_PORT;
		break;
	case VD_NEXT_HOP_TYPE_VIP:
		ret->state = find_vip(view, hop, family, vpc, ret);
		if (ret->state == VD_HOP_STATE_ACTIVE)
			ret->state = find_port_host(view, vpc, ret);
		break;
	case VD_NEXT_HOP_TYPE_PEERING:
		ret->peer = find_peer(view, hop, vpc);
		ret->state = ret->peer ? VD_HOP_STATE_ACTIVE : VD_HOP_STATE_NO_PEER;
		break;
	case VD_NEXT_HOP_TYPE_PUBLIC:
	case VD_NEXT_HOP_TYPE_GATEWAY:
		ret->state = find_network(view, vpc, ret);
		break;
	}
}

/* ---- records ---- */

static int add_exit(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_hop_standing *standing,
		    const struct vd_vpc *vpc, uint32_t id, struct vd_records *records)
{
	bool is_ipv6 = standing->address.family == VD_FAMILY_IPV6;
	struct vd_plan_record record;

	vd_exit_fill(view, vpc, standing->network, &record);
	record.exit.exit = id;
	record.exit.translate = hop->type == VD_NEXT_HOP_TYPE_GATEWAY;
	record.exit.next_hop4 = record.exit.next_hop6 = (struct vd_address){};
	*(is_ipv6 ? &record.exit.next_hop6 : &record.exit.next_hop4) = standing->address;
	return vd_records_add(records, &record);
}

int vd_hop_fill(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_hop_standing *standing,
		const struct vd_vpc *vpc, uint32_t id, struct vd_plan_route *route, struct vd_records *records)
{
	route->next_hop = standing->address;
	switch (standing->state) {
	case VD_HOP_STATE_NO_PORT:
	case VD_HOP_STATE_NO_VIP:
	case VD_HOP_STATE_NOT_HELD:
	case VD_HOP_STATE_DETACHED:
	case VD_HOP_STATE_UNREACHABLE:
	case VD_HOP_STATE_NO_NETWORK:
	case VD_HOP_STATE_NO_PEER:
		route->type = VD_PLAN_ROUTE_TYPE_UNUSABLE;
		return 0;
	case VD_HOP_STATE_ACTIVE:
	case VD_HOP_STATE_NO_GATEWAY: /* the exit says that nobody is there */
		break;
	}
	if (standing->network) {
		route->type = VD_PLAN_ROUTE_TYPE_EXIT;
		route->exit = id;
		return add_exit(view, hop, standing, vpc, id, records);
	}
	if (standing->peer) {
		route->type = VD_PLAN_ROUTE_TYPE_PEER;
		route->peer_domain = standing->peer->head.id;
		return 0;
	}
	route->type = hop->type == VD_NEXT_HOP_TYPE_BLACKHOLE ? VD_PLAN_ROUTE_TYPE_BLACKHOLE : VD_PLAN_ROUTE_TYPE_NEXT_HOP;
	return 0;
}

int vd_hop_hold(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_vpc *vpc, struct vd_holdings *holdings)
{
	const struct vd_network *network;
	char link[VD_LINK_TEXT], address[VD_ADDRESS_TEXT];
	int r = 0;

	if (hop->type != VD_NEXT_HOP_TYPE_PUBLIC && hop->type != VD_NEXT_HOP_TYPE_GATEWAY)
		return 0;
	network = vd_view_network_of_address(view, vpc, &hop->address);
	if (!network)
		return 0;
	if (hop->type == VD_NEXT_HOP_TYPE_PUBLIC)
		r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_PUBLICS, vpc->head.project, vpc->head.name,
				  network->head.name);
	if (r == 0 && vd_view_is_gateway_here(view, vpc->head.project, vpc->head.name, network))
		r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_HOPS, "", vd_link_text(network, link),
				  vd_address_format(&hop->address, address));
	return r;
}
