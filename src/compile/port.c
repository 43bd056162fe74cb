/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include <string.h>

/* A port with everything around it, found once. */
struct place {
	const struct vd_view *view;
	const struct vd_port *port;
	const struct vd_subnet *subnet;
	const struct vd_vpc *vpc;
	const struct vd_attachment *attachment;
	bool is_here;
	uint32_t host; /* id, when elsewhere */
};

static int add_endpoints(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	int r = 0;

	for (size_t i = 0; i < port->assigned_address_count && r == 0; i++) {
		struct vd_plan_record record;

		vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
		record.endpoint.domain = place->vpc->head.id;
		record.endpoint.address = port->assigned_addresses[i];
		record.endpoint.port = port->head.id;
		record.endpoint.subnet = place->subnet->head.id;
		record.endpoint.mac = port->assigned_mac;
		record.endpoint.identity = port->assigned_identity;
		record.endpoint.place = place->is_here ? VD_PLAN_PLACE_HERE : VD_PLAN_PLACE_HOST;
		if (place->is_here) {
			record.endpoint.ifindex = place->attachment->ifindex;
			record.endpoint.tap = place->attachment->type == VD_ATTACHMENT_TYPE_TAP;
		} else {
			record.endpoint.host = place->host;
		}
		r = vd_records_add(records, &record);
	}
	return r;
}

static struct vd_prefix in_subnet(const struct vd_subnet *subnet, const struct vd_address *address)
{
	struct vd_prefix prefix = vd_prefix_of_address(address);
	const struct vd_prefix *cidr = vd_subnet_cidr(subnet, address->family);

	if (cidr)
		prefix.length = cidr->length;
	return prefix;
}

static int add_port(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = port->head.id;
	record.port.domain = place->vpc->head.id;
	record.port.subnet = place->subnet->head.id;
	record.port.table = vd_subnet_table(place->view, place->subnet);
	record.port.ifindex = place->attachment->ifindex;
	record.port.type = place->attachment->type == VD_ATTACHMENT_TYPE_TAP ? VD_PLAN_PORT_TYPE_TAP : VD_PLAN_PORT_TYPE_VETH;
	record.port.source_check = port->source_check;
	record.port.is_default = vd_view_is_default(place->view, port);
	record.port.mac = port->assigned_mac;
	record.port.mtu = vd_view_mtu(place->view, place->vpc);
	for (size_t i = 0; i < port->assigned_address_count && i < VD_PLAN_PORT_ADDRESSES; i++)
		record.port.addresses[record.port.address_count++] = in_subnet(place->subnet, &port->assigned_addresses[i]);
	record.port.policy = port->assigned_identity;
	record.port.dhcp = place->subnet->dhcp;
	vd_record_name(record.port.project, port->head.project);
	vd_record_name(record.port.name, port->head.name);
	return vd_records_add(records, &record);
}

static int add_sources(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	int r = 0;

	for (size_t i = 0; i < port->allowed_source_count && r == 0; i++) {
		struct vd_plan_record record;

		vd_plan_record_init(&record, VD_PLAN_KIND_SOURCE);
		record.source.port = port->head.id;
		record.source.prefix = port->allowed_sources[i];
		r = vd_records_add(records, &record);
	}
	return r;
}

static int add_names(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	int r = 0;

	for (size_t i = 0; i < port->assigned_address_count && r == 0; i++) {
		struct vd_plan_record record;

		vd_plan_record_init(&record, VD_PLAN_KIND_NAME);
		record.name.domain = place->vpc->head.id;
		record.name.address = port->assigned_addresses[i];
		record.name.port = port->head.id;
		vd_record_name(record.name.name, port->head.name);
		r = vd_records_add(records, &record);
	}
	return r;
}

/*
 * False: no one here needs to know of the port's VPC. Subnet and attachment are always asked for: the port's place is counted by
 * them.
 */
static bool find_vpc(const struct vd_view *view, const struct vd_unit *unit, struct place *place)
{
	place->view = view;
	place->port = vd_view_port(view, unit->project, unit->name);
	if (!place->port)
		return false;
	place->subnet = place->port->subnet ? vd_view_subnet(view, unit->project, place->port->subnet) : NULL;
	place->attachment = vd_view_attachment(view, unit->project, unit->name);
	if (!place->subnet || !vd_view_is_present(view, unit->project, place->subnet->vpc))
		return false;
	place->vpc = vd_view_vpc(view, unit->project, place->subnet->vpc);
	return place->vpc != NULL;
}

/* False: its VPC is here, but the port can be reached from nowhere. */
static bool find_host(struct place *place)
{
	const struct vd_view *view = place->view;

	if (!place->attachment)
		return false;
	place->is_here = strcmp(place->attachment->host, view->host) == 0;
	place->host = place->is_here ? 0 : vd_view_reach(view, place->vpc, place->attachment->host);
	return place->is_here || place->host != 0;
}

int vd_derive_port(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	struct place place;
	int r;

	if (!find_vpc(view, unit, &place))
		return 0;
	r = add_names(&place, ret);
	if (r < 0 || !find_host(&place))
		return r;
	r = add_endpoints(&place, ret);
	if (r < 0 || !place.is_here)
		return r;
	r = add_port(&place, ret);
	return r < 0 ? r : add_sources(&place, ret);
}
