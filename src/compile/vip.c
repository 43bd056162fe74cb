/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/gateway.h"
#include "compile/key.h"

#include <string.h>

void vd_vip_fill(const struct vd_view *view, const struct vd_network *network, const struct vd_virtual_ip *vip,
		 const struct vd_address *address, const char *host, struct vd_plan_record *ret)
{
	const struct vd_uplink *uplink = vd_view_uplink(view, host, network->physnet);
	const struct vd_host *resource;
	struct vd_link link;

	vd_plan_record_init(ret, VD_PLAN_KIND_VIP);
	vd_view_link(view, network, &link);
	ret->vip.network = link.id;
	ret->vip.address = *address;
	ret->vip.vip = vip->head.id;
	vd_record_name(ret->vip.name, vip->head.name);
	ret->vip.here = strcmp(host, view->host) == 0;
	if (ret->vip.here)
		return;
	resource = vd_view_host(view, host);
	ret->vip.host = resource ? resource->head.id : 0;
	if (uplink)
		ret->vip.mac = uplink->mac;
}

/* The VPC behind it: its router's, or that of its forwards, which are of one; else the first by name. */
static int take_first_vpc(const struct vd_pair *pair, void *userdata)
{
	const char **first = userdata;

	if (!*first || strcmp(pair->other, *first) < 0)
		*first = pair->other;
	return 0;
}

static int stop_at_first(const struct vd_resource *resource, void *userdata)
{
	return 1;
}

static const struct vd_vpc *vpc_of(const struct vd_view *view, const struct vd_virtual_ip *vip)
{
	const char *project = vip->head.project, *name = vip->vpc;

	if (!name) {
		vd_view_read(view, vd_key_members(VD_KIND_ELASTIC_IP, "vip", project, vip->head.name));
		if (vd_model_each_elastic_ip_of_vip(view->model, project, vip->head.name, stop_at_first, NULL))
			return NULL;
		vd_view_each_pair_of_vpc(view, VD_RELATION_TYPE_SERVES, project, vip->head.name, take_first_vpc, &name);
	}
	return name ? vd_view_vpc(view, project, name) : NULL;
}

/* A router's own and those with forwards; an elastic IP's is that one's. */
int vd_derive_virtual_ip(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(view, unit->project, unit->name);
	const struct vd_network *network = vip && vip->network ? vd_view_network(view, vip->network) : NULL;
	const struct vd_vpc *vpc = network ? vpc_of(view, vip) : NULL;
	const char *host = vpc ? vd_view_gateway_host(view, unit->project, vpc->head.name, network) : NULL;
	char link[VD_LINK_TEXT];
	int r = 0;

	if (!host)
		return 0;
	if (strcmp(host, view->host) != 0 && (!vd_view_uplink(view, view->host, network->physnet) ||
					      !vd_view_has_pair(view, VD_RELATION_TYPE_NEEDS, "", vd_link_text(network, link), "")))
		return 0;
	for (size_t i = 0; i < vip->assigned_address_count && r == 0; i++) {
		struct vd_plan_record record;

		vd_vip_fill(view, network, vip, &vip->assigned_addresses[i], host, &record);
		record.vip.type = VD_PLAN_VIP_TYPE_ROUTER;
		record.vip.system = vip->vpc != NULL;
		record.vip.domain = vpc->head.id;
		r = vd_records_add(ret, &record);
	}
	return r;
}
