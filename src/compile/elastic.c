/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/elastic.h"

#include "compile/derive.h"
#include "compile/gateway.h"
#include "compile/key.h"

#include <string.h>

/* ---- standing ---- */

/* Of several that name one virtual IP, which validation refuses, the first by name has it. */
static int is_before(const struct vd_resource *resource, void *userdata)
{
	return strcmp(resource->name, userdata) < 0;
}

static bool is_first(const struct vd_view *view, const struct vd_elastic_ip *elastic)
{
	vd_view_read(view, vd_key_members(VD_KIND_ELASTIC_IP, "vip", elastic->head.project, elastic->vip));
	return !vd_model_each_elastic_ip_of_vip(view->model, elastic->head.project, elastic->vip, is_before, elastic->head.name);
}

static enum vd_elastic_state find_vip(const struct vd_view *view, const struct vd_elastic_ip *elastic,
				      struct vd_elastic_standing *standing)
{
	const struct vd_virtual_ip *vip = elastic->vip ? vd_view_virtual_ip(view, elastic->head.project, elastic->vip) : NULL;

	if (!vip || !vip->network || vip->vpc || vip->assigned_address_count == 0 || !is_first(view, elastic))
		return VD_ELASTIC_STATE_GONE;
	standing->vip = vip;
	standing->address = vip->assigned_addresses[0];
	standing->network = vd_view_network(view, vip->network);
	return standing->network ? VD_ELASTIC_STATE_ACTIVE : VD_ELASTIC_STATE_GONE;
}

static bool has_address(const struct vd_port *port, const struct vd_address *address)
{
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (vd_address_equal(&port->assigned_addresses[i], address))
			return true;
	return false;
}

/* The address behind it: the one asked for, or the port's first of the family. */
static bool find_inner(const struct vd_elastic_ip *elastic, const struct vd_port *port, uint8_t family, struct vd_address *ret)
{
	const struct vd_address *asked = &elastic->port_address;

	if (asked->family != VD_FAMILY_NONE) {
		*ret = *asked;
		return asked->family == family && has_address(port, asked);
	}
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (port->assigned_addresses[i].family == family) {
			*ret = port->assigned_addresses[i];
			return true;
		}
	return false;
}

static enum vd_elastic_state find_bound(const struct vd_view *view, const struct vd_elastic_ip *elastic,
					struct vd_elastic_standing *standing)
{
	const char *project = elastic->head.project;
	const struct vd_virtual_ip *private;
	const struct vd_address *inner;

	if (!elastic->port && !elastic->private_vip)
		return VD_ELASTIC_STATE_UNBOUND;
	if (elastic->port) {
		standing->port = vd_view_port(view, project, elastic->port);
		if (!standing->port)
			return VD_ELASTIC_STATE_GONE;
		return find_inner(elastic, standing->port, standing->address.family, &standing->inner)
			       ? VD_ELASTIC_STATE_ACTIVE
			       : VD_ELASTIC_STATE_NO_ADDRESS;
	}

	private = vd_view_virtual_ip(view, project, elastic->private_vip);
	if (!private || !private->subnet)
		return VD_ELASTIC_STATE_GONE;
	standing->port = private->port ? vd_view_port(view, project, private->port) : NULL;
	if (!standing->port)
		return VD_ELASTIC_STATE_NOT_HELD;
	inner = vd_virtual_ip_address(private, standing->address.family);
	if (!inner)
		return VD_ELASTIC_STATE_NO_ADDRESS;
	standing->inner = *inner;
	return VD_ELASTIC_STATE_ACTIVE;
}

static bool find_domain(const struct vd_view *view, struct vd_elastic_standing *standing)
{
	const struct vd_port *port = standing->port;
	const struct vd_network *network;
	const struct vd_subnet *subnet;
	struct vd_link link;

	if (port->subnet) {
		subnet = vd_view_subnet(view, port->head.project, port->subnet);
		standing->vpc = subnet ? vd_view_vpc(view, port->head.project, subnet->vpc) : NULL;
		standing->domain = standing->vpc ? standing->vpc->head.id : 0;
		return standing->vpc;
	}
	network = port->network ? vd_view_network(view, port->network) : NULL;
	if (!network)
		return false;
	vd_view_link(view, network, &link);
	standing->domain = link.id;
	return true;
}

/* On the instance's own host where that has the uplink, else through its router's gateway. */
static enum vd_elastic_state find_host(const struct vd_view *view, struct vd_elastic_standing *standing)
{
	const struct vd_port *port = standing->port;
	const struct vd_attachment *attachment = vd_view_attachment(view, port->head.project, port->head.name);
	const struct vd_vpc *vpc = standing->vpc;

	if (!attachment)
		return VD_ELASTIC_STATE_DETACHED;
	standing->port_host = attachment->host;
	if (vd_view_uplink(view, attachment->host, standing->network->physnet)) {
		standing->host = attachment->host;
		return VD_ELASTIC_STATE_ACTIVE;
	}
	if (!vpc || !vd_view_system_vip(view, vpc->head.project, vpc->head.name, standing->network->head.name))
		return VD_ELASTIC_STATE_NO_UPLINK;
	standing->host = vd_view_gateway_host(view, vpc->head.project, vpc->head.name, standing->network);
	return standing->host ? VD_ELASTIC_STATE_ACTIVE : VD_ELASTIC_STATE_NO_GATEWAY;
}

void vd_elastic_stand(const struct vd_view *view, const struct vd_elastic_ip *elastic, struct vd_elastic_standing *ret)
{
	struct vd_elastic_standing standing = {};

	standing.state = find_vip(view, elastic, &standing);
	if (standing.state == VD_ELASTIC_STATE_ACTIVE)
		standing.state = find_bound(view, elastic, &standing);
	if (standing.state == VD_ELASTIC_STATE_ACTIVE && !find_domain(view, &standing))
		standing.state = VD_ELASTIC_STATE_GONE;
	if (standing.state == VD_ELASTIC_STATE_ACTIVE)
		standing.state = find_host(view, &standing);
	*ret = standing;
}

/* ---- several of one inner address ---- */

struct rival {
	const struct vd_view *view;
	const struct vd_address *inner;
	const struct vd_address *address; /* NULL: any will do */
};

/* Whether this one stands for the same inner address, with a lower one of its own. */
static int is_rival(const struct vd_resource *resource, void *userdata)
{
	const struct rival *rival = userdata;
	struct vd_elastic_standing standing;
	const struct vd_elastic_ip *elastic;

	elastic = vd_view_elastic_ip(rival->view, resource->project, resource->name);
	vd_elastic_stand(rival->view, elastic, &standing);
	if (standing.state != VD_ELASTIC_STATE_ACTIVE || !vd_address_equal(&standing.inner, rival->inner))
		return 0;
	return !rival->address || vd_address_compare(&standing.address, rival->address) < 0;
}

/* Those that name what this one names; by a port and by the private virtual IP that it holds are never the same address. */
static bool has_rival(const struct rival *rival, const char *project, const char *port, const char *private_vip)
{
	const struct vd_model *model = rival->view->model;

	if (port) {
		vd_view_read(rival->view, vd_key_members(VD_KIND_ELASTIC_IP, "port", project, port));
		return vd_model_each_elastic_ip_of_port(model, project, port, is_rival, (void *)rival);
	}
	vd_view_read(rival->view, vd_key_members(VD_KIND_ELASTIC_IP, "private_vip", project, private_vip));
	return vd_model_each_elastic_ip_of_private_vip(model, project, private_vip, is_rival, (void *)rival);
}

static int stands_for_vip(const struct vd_resource *resource, void *userdata)
{
	const struct rival *rival = userdata;
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)resource;

	for (size_t i = 0; i < vip->assigned_address_count; i++)
		if (vd_address_equal(&vip->assigned_addresses[i], rival->inner))
			return has_rival(rival, resource->project, NULL, resource->name);
	return 0;
}

bool vd_view_has_elastic(const struct vd_view *view, const struct vd_port *port, const struct vd_address *inner)
{
	struct rival rival = {view, inner, NULL};

	return has_rival(&rival, port->head.project, port->head.name, NULL) ||
	       vd_model_each_vip_of_port(view->model, port->head.project, port->head.name, stands_for_vip, &rival);
}

/* ---- records ---- */

/* Whether this host has to know: it answers, it has the network, or the instance. */
static bool is_known_here(const struct vd_view *view, const struct vd_elastic_standing *standing)
{
	char link[VD_LINK_TEXT];

	if (strcmp(standing->host, view->host) == 0 || strcmp(standing->port_host, view->host) == 0)
		return true;
	return vd_view_uplink(view, view->host, standing->network->physnet) &&
	       vd_view_has_pair(view, VD_RELATION_TYPE_NEEDS, "", vd_link_text(standing->network, link), "");
}

int vd_derive_elastic_ip(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_elastic_ip *elastic = vd_view_elastic_ip(view, unit->project, unit->name);
	struct vd_elastic_standing standing;
	struct vd_plan_record record;
	struct rival rival = {view, &standing.inner, &standing.address};

	if (!elastic)
		return 0;
	vd_elastic_stand(view, elastic, &standing);
	if (standing.state != VD_ELASTIC_STATE_ACTIVE || !is_known_here(view, &standing))
		return 0;

	vd_vip_fill(view, standing.network, standing.vip, &standing.address, standing.host, &record);
	record.vip.type = VD_PLAN_VIP_TYPE_ELASTIC;
	record.vip.is_primary = !has_rival(&rival, unit->project, elastic->port, elastic->private_vip);
	record.vip.domain = standing.domain;
	record.vip.inner = standing.inner;
	record.vip.port = standing.port->head.id;
	return vd_records_add(ret, &record);
}
