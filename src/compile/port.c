/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/gateway.h"

#include <string.h>

/* A port with everything around it, found once. */
struct place {
	const struct vd_view *view;
	const struct vd_port *port;
	const struct vd_subnet *subnet;
	const struct vd_vpc *vpc;
	const struct vd_network *network; /* in place of subnet and VPC */
	uint32_t domain, subnet_id;
	const struct vd_attachment *attachment;
	bool is_here;
	uint32_t host;                                  /* id, when elsewhere */
	struct vd_address held[VD_PLAN_PORT_ADDRESSES]; /* virtual IPs of its subnet that it has now: the lowest, in order */
	size_t held_count;
};

const struct vd_address *vd_port_address(const struct vd_port *port, uint8_t family)
{
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (port->assigned_addresses[i].family == family)
			return &port->assigned_addresses[i];
	return NULL;
}

/* ---- virtual IPs that it holds ---- */

static void take_address(struct place *place, const struct vd_address *address)
{
	size_t at = place->held_count;

	while (at > 0 && vd_address_compare(&place->held[at - 1], address) > 0)
		at--;
	if (at == VD_PLAN_PORT_ADDRESSES)
		return;
	if (place->held_count < VD_PLAN_PORT_ADDRESSES)
		place->held_count++;
	memmove(&place->held[at + 1], &place->held[at], (place->held_count - at - 1) * sizeof(place->held[0]));
	place->held[at] = *address;
}

static int take_vip(const struct vd_resource *resource, void *userdata)
{
	struct place *place = userdata;
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(place->view, resource->project, resource->name);

	if (!vip->subnet || !place->subnet || strcmp(vip->subnet, place->subnet->head.name) != 0)
		return 0;
	for (size_t i = 0; i < vip->assigned_address_count; i++)
		take_address(place, &vip->assigned_addresses[i]);
	return 0;
}

/* Who comes to hold one, or holds it no longer, is touched as if it had changed itself (compile/member.c). */
static void find_held(struct place *place)
{
	const struct vd_resource *port = &place->port->head;

	vd_model_each_vip_of_port(place->view->model, port->project, port->name, take_vip, place);
}

/* ---- records ---- */

static int add_endpoint(const struct place *place, const struct vd_address *address, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = place->domain;
	record.endpoint.address = *address;
	record.endpoint.port = port->head.id;
	record.endpoint.subnet = place->subnet_id;
	record.endpoint.mac = port->assigned_mac;
	record.endpoint.identity = port->assigned_identity;
	record.endpoint.place = place->is_here ? VD_PLAN_PLACE_HERE : VD_PLAN_PLACE_HOST;
	if (place->is_here) {
		record.endpoint.ifindex = place->attachment->ifindex;
		record.endpoint.tap = place->attachment->type == VD_ATTACHMENT_TYPE_TAP;
	} else {
		record.endpoint.host = place->host;
	}
	return vd_records_add(records, &record);
}

static int add_endpoints(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	int r = 0;

	for (size_t i = 0; i < port->assigned_address_count && r == 0; i++)
		r = add_endpoint(place, &port->assigned_addresses[i], records);
	for (size_t i = 0; i < place->held_count && r == 0; i++)
		r = add_endpoint(place, &place->held[i], records);
	return r;
}

static void add_address(const struct place *place, const struct vd_address *address, struct vd_plan_port *record)
{
	struct vd_prefix prefix = vd_prefix_of_address(address);
	const struct vd_prefix *cidr =
		place->network ? vd_network_cidr(place->network, address->family) : vd_subnet_cidr(place->subnet, address->family);

	if (cidr)
		prefix.length = cidr->length;
	if (record->address_count < VD_PLAN_PORT_ADDRESSES)
		record->addresses[record->address_count++] = prefix;
}

static int add_port(const struct place *place, struct vd_records *records)
{
	const struct vd_port *port = place->port;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = port->head.id;
	record.port.domain = place->domain;
	record.port.subnet = place->subnet_id;
	record.port.ifindex = place->attachment->ifindex;
	record.port.type = place->attachment->type == VD_ATTACHMENT_TYPE_TAP ? VD_PLAN_PORT_TYPE_TAP : VD_PLAN_PORT_TYPE_VETH;
	record.port.source_check = port->source_check;
	record.port.is_default = vd_view_is_default(place->view, port);
	record.port.mac = port->assigned_mac;
	for (size_t i = 0; i < port->assigned_address_count; i++)
		add_address(place, &port->assigned_addresses[i], &record.port);
	for (size_t i = 0; i < place->held_count; i++)
		add_address(place, &place->held[i], &record.port);
	record.port.policy = port->assigned_identity;
	if (place->network) {
		record.port.mtu = vd_view_network_mtu(place->view, place->network);
		record.port.dhcp = place->network->dhcp;
	} else {
		record.port.table = vd_subnet_table(place->view, place->subnet);
		record.port.mtu = vd_view_mtu(place->view, place->vpc);
		record.port.dhcp = place->subnet->dhcp;
		record.port.snat = place->subnet->snat;
	}
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
		record.name.domain = place->domain;
		record.name.address = port->assigned_addresses[i];
		record.name.port = port->head.id;
		vd_record_name(record.name.name, port->head.name);
		r = vd_records_add(records, &record);
	}
	return r;
}

static bool find_network(const struct vd_view *view, struct place *place)
{
	struct vd_link link;
	char text[VD_LINK_TEXT];

	place->network = vd_view_network(view, place->port->network);
	if (!place->network)
		return false;
	vd_view_link(view, place->network, &link);
	place->domain = link.id;
	place->subnet_id = place->network->head.id;
	return vd_view_has_pair(view, VD_RELATION_TYPE_SEATS, "", vd_link_text(place->network, text), "");
}

/*
 * False: no one here needs to know of the port's VPC or network. Subnet and attachment are always asked for: the port's place is
 * counted by them.
 */
static bool find_domain(const struct vd_view *view, const struct vd_unit *unit, struct place *place)
{
	*place = (struct place){.view = view, .port = vd_view_port(view, unit->project, unit->name)};
	if (!place->port)
		return false;
	place->attachment = vd_view_attachment(view, unit->project, unit->name);
	if (place->port->network)
		return find_network(view, place);
	place->subnet = place->port->subnet ? vd_view_subnet(view, unit->project, place->port->subnet) : NULL;
	if (!place->subnet || !vd_view_is_known(view, unit->project, place->subnet->vpc))
		return false;
	place->vpc = vd_view_vpc(view, unit->project, place->subnet->vpc);
	if (!place->vpc)
		return false;
	place->domain = place->vpc->head.id;
	place->subnet_id = place->subnet->head.id;
	return true;
}

/* False: its VPC is here, but the port can be reached from nowhere, or, on a network, not through us. */
static bool find_host(struct place *place)
{
	const struct vd_view *view = place->view;

	if (!place->attachment)
		return false;
	place->is_here = strcmp(place->attachment->host, view->host) == 0;
	if (place->is_here || place->network)
		return place->is_here;
	place->host = vd_view_reach(view, place->vpc, place->attachment->host);
	return place->host != 0;
}

int vd_derive_port(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	struct place place;
	int r = 0;

	if (!find_domain(view, unit, &place))
		return 0;
	/* Names are answered by a router here. */
	if (place.network || vd_view_is_present(view, unit->project, place.subnet->vpc))
		r = add_names(&place, ret);
	if (r < 0 || !find_host(&place))
		return r;
	find_held(&place);
	r = add_endpoints(&place, ret);
	if (r < 0 || !place.is_here)
		return r;
	r = add_port(&place, ret);
	return r < 0 ? r : add_sources(&place, ret);
}
