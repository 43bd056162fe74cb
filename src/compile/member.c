/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/member.h"

#include "compile/key.h"

#include <stdio.h>

static void touch(struct vd_graph *graph, const struct vd_resource *resource, const char *field, const char *name)
{
	if (name)
		vd_graph_touch(graph, vd_key_members(resource->kind, field, resource->project, name));
}

static void touch_network(struct vd_graph *graph, const struct vd_network *network)
{
	char vlan[16];

	snprintf(vlan, sizeof(vlan), "%u", network->vlan);
	vd_graph_touch(graph, vd_key_members(VD_KIND_NETWORK, "physnet", network->physnet, vlan));
}

static void touch_virtual_ip(struct vd_graph *graph, const struct vd_virtual_ip *vip)
{
	/* A key for each port, which hardly one would need, would cost more than these few derivations. */
	if (vip->port)
		vd_graph_touch(graph, vd_key_resource(VD_KIND_PORT, vip->head.project, vip->port));
	for (size_t i = 0; vip->network && i < vip->assigned_address_count; i++)
		vd_graph_touch(graph, vd_key_vip_address(vip->network, &vip->assigned_addresses[i]));
}

static void touch_elastic_ip(struct vd_graph *graph, const struct vd_elastic_ip *elastic)
{
	touch(graph, &elastic->head, "vip", elastic->vip);
	touch(graph, &elastic->head, "port", elastic->port);
	touch(graph, &elastic->head, "private_vip", elastic->private_vip);
}

/* Of both, whichever the document names first. */
static void touch_peering(struct vd_graph *graph, const struct vd_peering *peering)
{
	touch(graph, &peering->head, "vpc", peering->vpc);
	touch(graph, &peering->head, "vpc", peering->peer);
}

static void touch_node(struct vd_graph *graph, const struct vd_node *node)
{
	vd_graph_touch(graph, vd_key_nodes());
	for (size_t i = 0; i < node->container_network_count; i++)
		touch(graph, &node->head, "container_network", node->container_networks[i]);
}

void vd_member_touch(struct vd_graph *graph, const struct vd_resource *resource)
{
	switch (resource->kind) {
	case VD_KIND_NETWORK:
		touch_network(graph, (const struct vd_network *)resource);
		break;
	case VD_KIND_VIRTUAL_IP:
		touch_virtual_ip(graph, (const struct vd_virtual_ip *)resource);
		break;
	case VD_KIND_ELASTIC_IP:
		touch_elastic_ip(graph, (const struct vd_elastic_ip *)resource);
		break;
	case VD_KIND_PEERING:
		touch_peering(graph, (const struct vd_peering *)resource);
		break;
	case VD_KIND_CONTAINER_NETWORK:
		vd_graph_touch(graph, vd_key_members(resource->kind, "project", resource->project, ""));
		touch(graph, resource, "vpc", ((const struct vd_container_network *)resource)->vpc);
		break;
	case VD_KIND_NODE:
		touch_node(graph, (const struct vd_node *)resource);
		break;
	case VD_KIND_HOST:
	case VD_KIND_VXLAN_POOL:
	case VD_KIND_ROUTER_PROFILE:
	case VD_KIND_VPC:
	case VD_KIND_ROUTE_TABLE:
	case VD_KIND_SUBNET:
	case VD_KIND_SECURITY_GROUP:
	case VD_KIND_SECURITY_GROUP_RULE:
	case VD_KIND_PORT:
	case VD_KIND_PORT_FORWARD:
	case VD_KIND_ROUTE:
	case VD_KIND_POLICY_ROUTE:
	case VD_KIND_CONTAINER_BLOCK:
	case VD_KIND_CLAIM:
	case VD_KIND_ATTACHMENT:
	case VD_KIND_GATEWAY:
	case VD_KIND_COUNT:
		break;
	}
}
