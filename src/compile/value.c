/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/value.h"

#include "compile/key.h"
#include "model/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Units whose value others read: when it stays as it is, they are left alone, whatever it was made of. */

bool vd_unit_is_value(const struct vd_unit *unit)
{
	switch ((enum vd_unit_type)unit->type) {
	case VD_UNIT_TYPE_MTU:
	case VD_UNIT_TYPE_REACH:
	case VD_UNIT_TYPE_UPLINK:
	case VD_UNIT_TYPE_LINK:
	case VD_UNIT_TYPE_STATION:
	case VD_UNIT_TYPE_NODE_MTU:
		return true;
	case VD_UNIT_TYPE_HOST:
	case VD_UNIT_TYPE_VPC:
	case VD_UNIT_TYPE_SUBNET:
	case VD_UNIT_TYPE_PORT:
	case VD_UNIT_TYPE_ROUTE:
	case VD_UNIT_TYPE_NETWORK:
	case VD_UNIT_TYPE_VIRTUAL_IP:
	case VD_UNIT_TYPE_ELASTIC_IP:
	case VD_UNIT_TYPE_PORT_FORWARD:
	case VD_UNIT_TYPE_POLICY_ROUTE:
	case VD_UNIT_TYPE_PEERING:
	case VD_UNIT_TYPE_CONTAINER_NETWORK:
	case VD_UNIT_TYPE_CONTAINER_BLOCK:
	case VD_UNIT_TYPE_GATEWAY:
	case VD_UNIT_TYPE_NODE:
	case VD_UNIT_TYPE_RULE:
		break;
	}
	return false;
}

uint64_t vd_view_value_key(const struct vd_unit *unit)
{
	if (unit->type == VD_UNIT_TYPE_MTU)
		return vd_key_mtu(unit->project, unit->name);
	if (unit->type == VD_UNIT_TYPE_REACH)
		return vd_key_reach(unit->project, unit->name, unit->extra);
	if (unit->type == VD_UNIT_TYPE_UPLINK)
		return vd_key_uplink(unit->name, unit->extra);
	if (unit->type == VD_UNIT_TYPE_STATION)
		return vd_key_station(unit->name);
	if (unit->type == VD_UNIT_TYPE_NODE_MTU)
		return vd_key_node_mtu(unit->project, unit->name);
	return vd_key_link(unit->name, unit->extra);
}

/* Keeps what was worked out; 1 when it is another than before. Compared as bytes: holes are zero. */
static int keep(struct vd_unit *unit, const void *value, size_t size)
{
	void *kept = unit->records;

	if (kept && memcmp(kept, value, size) == 0)
		return 0;
	if (!kept)
		kept = malloc(size);
	if (!kept)
		return -ENOMEM;
	unit->records = memcpy(kept, value, size);
	unit->records_size = size;
	return 1;
}

static int derive(const struct vd_view *view, struct vd_unit *unit)
{
	struct vd_uplink uplink;
	struct vd_station station;
	struct vd_link link;
	uint32_t number;

	if (unit->type == VD_UNIT_TYPE_UPLINK) {
		vd_derive_uplink(view, unit->extra, unit->name, &uplink);
		return keep(unit, &uplink, sizeof(uplink));
	}
	if (unit->type == VD_UNIT_TYPE_LINK) {
		vd_derive_link(view, unit->name, unit->extra, &link);
		return keep(unit, &link, sizeof(link));
	}
	if (unit->type == VD_UNIT_TYPE_STATION) {
		vd_derive_station(view, unit->name, &station);
		return keep(unit, &station, sizeof(station));
	}
	if (unit->type == VD_UNIT_TYPE_NODE_MTU) {
		number = vd_derive_node_mtu(view, unit->project, unit->name);
		return keep(unit, &number, sizeof(number));
	}
	number = unit->type == VD_UNIT_TYPE_MTU ? vd_derive_mtu(view, unit->project, unit->name)
						: vd_derive_reach(view, unit->project, unit->name, unit->extra);
	return keep(unit, &number, sizeof(number));
}

int vd_view_derive_value(const struct vd_view *view, struct vd_unit *unit)
{
	size_t start = view->graph->read_count;
	int is_other, r;

	is_other = derive(view, unit);
	view->graph->derived++;
	r = vd_graph_settle(view->graph, unit, start);
	return r < 0 ? r : is_other;
}

/* The unit, which is made when it is asked for the first time. Values depend on resources only, so this never nests. */
static const void *value_of(const struct vd_view *view, enum vd_unit_type type, const char *project, const char *name,
			    const char *extra)
{
	struct vd_unit *unit = vd_graph_unit(view->graph, type, project, name, extra);

	if (!unit) {
		view->graph->error = -ENOMEM;
		return NULL;
	}
	vd_graph_read(view->graph, vd_view_value_key(unit));
	if (unit->edge_count == 0 && vd_view_derive_value(view, unit) < 0)
		view->graph->error = -ENOMEM;
	return unit->records;
}

uint32_t vd_view_mtu(const struct vd_view *view, const struct vd_vpc *vpc)
{
	const uint32_t *mtu;

	if (!view->graph)
		return vd_derive_mtu(view, vpc->head.project, vpc->vxlan_pool);
	mtu = value_of(view, VD_UNIT_TYPE_MTU, vpc->head.project, vpc->vxlan_pool, "");
	return mtu ? *mtu : 0;
}

uint32_t vd_view_reach_in_pool(const struct vd_view *view, const char *project, const char *pool, const char *host)
{
	const uint32_t *reach;

	if (!view->graph)
		return vd_derive_reach(view, project, pool, host);
	reach = value_of(view, VD_UNIT_TYPE_REACH, project, pool, host);
	return reach ? *reach : 0;
}

uint32_t vd_view_reach(const struct vd_view *view, const struct vd_vpc *vpc, const char *host)
{
	return vd_view_reach_in_pool(view, vpc->head.project, vpc->vxlan_pool, host);
}

void vd_view_station(const struct vd_view *view, const char *host, struct vd_station *ret)
{
	const struct vd_station *station;

	if (!view->graph) {
		vd_derive_station(view, host, ret);
		return;
	}
	station = value_of(view, VD_UNIT_TYPE_STATION, "", host, "");
	*ret = station ? *station : (struct vd_station){};
}

uint32_t vd_view_node_mtu(const struct vd_view *view, const struct vd_container_network *network)
{
	const uint32_t *mtu;

	if (!view->graph)
		return vd_derive_node_mtu(view, network->head.project, network->head.name);
	mtu = value_of(view, VD_UNIT_TYPE_NODE_MTU, network->head.project, network->head.name, "");
	return mtu ? *mtu : 0;
}

const struct vd_uplink *vd_view_uplink(const struct vd_view *view, const char *host, const char *physnet)
{
	const struct vd_uplink *uplink;
	const struct vd_resource *claim;

	if (view->graph) {
		uplink = value_of(view, VD_UNIT_TYPE_UPLINK, "", physnet, host);
		return uplink && uplink->ifindex ? uplink : NULL;
	}
	claim = vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, host);
	return claim ? vd_claim_uplink((const void *)claim, physnet) : NULL;
}

void vd_view_link(const struct vd_view *view, const struct vd_network *network, struct vd_link *ret)
{
	const struct vd_link *link;
	char vlan[16];

	snprintf(vlan, sizeof(vlan), "%u", network->vlan);
	if (!view->graph) {
		vd_derive_link(view, network->physnet, vlan, ret);
		return;
	}
	link = value_of(view, VD_UNIT_TYPE_LINK, "", network->physnet, vlan);
	*ret = link ? *link : (struct vd_link){};
}
