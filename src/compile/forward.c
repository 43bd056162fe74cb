/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/forward.h"

#include "compile/block.h"
#include "compile/derive.h"
#include "compile/gateway.h"

#include <netinet/in.h>
#include <string.h>

/* ---- standing ---- */

/* The port's first address of a family that the virtual IP has. */
static bool find_addresses(const struct vd_port_forward *forward, struct vd_forward_standing *standing)
{
	const struct vd_address *asked = &forward->port_address, *address;
	const struct vd_port *port = standing->port;

	for (size_t i = 0; i < port->assigned_address_count; i++) {
		if (asked->family != VD_FAMILY_NONE && !vd_address_equal(asked, &port->assigned_addresses[i]))
			continue;
		address = vd_virtual_ip_address(standing->vip, port->assigned_addresses[i].family);
		if (!address)
			continue;
		standing->address = *address;
		standing->inner = port->assigned_addresses[i];
		return true;
	}
	return false;
}

static enum vd_forward_state find_router(const struct vd_view *view, struct vd_forward_standing *standing)
{
	const char *project = standing->vip->head.project, *vpc = standing->subnet->vpc;

	if (standing->vip->vpc && strcmp(standing->vip->vpc, vpc) != 0)
		return VD_FORWARD_STATE_OTHER_ROUTER;
	if (!vd_view_system_vip(view, project, vpc, standing->network->head.name))
		return VD_FORWARD_STATE_NO_ROUTER;
	standing->host = vd_view_gateway_host(view, project, vpc, standing->network);
	return standing->host ? VD_FORWARD_STATE_ACTIVE : VD_FORWARD_STATE_NO_GATEWAY;
}

void vd_forward_stand(const struct vd_view *view, const struct vd_port_forward *forward, struct vd_forward_standing *ret)
{
	const char *project = forward->head.project;

	*ret = (struct vd_forward_standing){.state = VD_FORWARD_STATE_GONE};
	ret->vip = vd_view_virtual_ip(view, project, forward->vip);
	ret->network = ret->vip && ret->vip->network ? vd_view_network(view, ret->vip->network) : NULL;
	if (!ret->network)
		return;
	if (!forward->port) {
		ret->state = VD_FORWARD_STATE_UNBOUND;
		return;
	}
	ret->port = vd_view_port(view, project, forward->port);
	ret->subnet = ret->port && ret->port->subnet ? vd_view_subnet(view, project, ret->port->subnet) : NULL;
	if (!ret->subnet)
		return;
	ret->state = find_addresses(forward, ret) ? find_router(view, ret) : VD_FORWARD_STATE_NO_ADDRESS;
}

/* ---- records ---- */

/* On the gateway host only: nobody else gets the packets. */
int vd_derive_port_forward(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_port_forward *forward = vd_view_port_forward(view, unit->project, unit->name);
	struct vd_forward_standing standing;
	struct vd_plan_record record;
	struct vd_link link;
	uint32_t first, end;
	int r = 0;

	if (!forward)
		return 0;
	vd_forward_stand(view, forward, &standing);
	if (standing.state != VD_FORWARD_STATE_ACTIVE || strcmp(standing.host, view->host) != 0)
		return 0;

	vd_plan_record_init(&record, VD_PLAN_KIND_FORWARD);
	vd_view_link(view, standing.network, &link);
	record.forward.network = link.id;
	record.forward.vip = standing.address;
	record.forward.protocol = forward->protocol == VD_RULE_PROTOCOL_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	record.forward.forward = forward->head.id;
	record.forward.port_id = standing.port->head.id;
	record.forward.inner = standing.inner;
	record.forward.allowed = forward->allowed_cidr;
	vd_record_name(record.forward.name, forward->head.name);

	first = forward->port_first;
	end = forward->port_last + 1;
	while (first < end && r == 0) {
		uint8_t length = vd_block_length(first, end);

		record.forward.length = length;
		record.forward.port = (uint16_t)first;
		record.forward.to_port = (uint16_t)(forward->to_first + (first - forward->port_first));
		r = vd_records_add(ret, &record);
		first += vd_block_size(length);
	}
	return r;
}
