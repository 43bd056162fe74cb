/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_container_network, member)

static const char *const modes[] = {"tunnel", "routed", "native", NULL};
static const char *const providers[] = {"vpc", "host", "gateway", NULL};

static const struct vd_field fields[] = {
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count), .max = 2,
	 .help = "What its nodes' blocks are cut from, one per family; none in native mode."},
	{"block_size", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(block_size), .min = 1, .max = 30, .value = "24",
	 .help = "The prefix length of an IPv4 block: 24 is 256 addresses. Cannot change while blocks stand."},
	{"block_size6", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(block_size6), .min = 1, .max = 124, .value = "112",
	 .help = "The prefix length of an IPv6 block."},
	{"mode", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(mode), .words = modes, .value = "tunnel",
	 .help = "How containers leave their node: in a tunnel, by routes and untranslated, or as ports of a VPC's subnet. "
		 "Cannot change."},
	{"vpc", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "The VPC whose instances are its nodes; without it they are plain hosts."},
	{"subnet", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(subnet), .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "In native mode: where containers have their ports. Cannot change."},
	{"provider", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(provider), .words = providers,
	 .help = "In routed mode: who has the routes to its blocks; without it the VPC, or each host where there is none."},
	{"gateways", "gateway", VD_FIELD_TYPE_NAMES, .offset = OFFSET(gateways), .count_offset = OFFSET(gateway_count), .max = 16,
	 .is_reference = true, .reference = VD_KIND_HOST,
	 .help = "With provider gateway: the hosts that forward for their LAN, and have the routes."},
	{"masquerade", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(masquerade), .value = "true",
	 .help = "What leaves for where nobody knows its blocks takes the node's address."},
	{"quarantine", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(quarantine), .min = 1, .max = 86400, .value = "300",
	 .help = "How many seconds the block of a dead node is given to nobody."},
	{"vxlan_pool", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vxlan_pool), .value = "default", .is_reference = true,
	 .reference = VD_KIND_VXLAN_POOL, .help = "Where its VNI comes from."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vni), .min = 1, .max = VD_VNI_MAX,
	 .help = "The VNI of what goes by tunnel; without it the lowest free one of the pool."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_vni), .help = "The VNI that it has."},
};

static int network_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_network *network = (struct vd_container_network *)resource;

	if (network->mode == VD_CONTAINER_MODE_ROUTED && network->provider == 0)
		network->provider = network->vpc ? VD_ROUTE_PROVIDER_VPC : VD_ROUTE_PROVIDER_HOST;
	return 0;
}

static int network_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_container_network *old = (const struct vd_container_network *)before;
	struct vd_container_network *network = (struct vd_container_network *)after;

	network->assigned_vni = old->assigned_vni;
	return vd_vni_succeed(old->assigned_vni, network->vni, object, error);
}

static int network_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_network *network = (struct vd_container_network *)resource;

	if (network->mode == VD_CONTAINER_MODE_NATIVE)
		return 0;
	if (network->vni != 0)
		network->assigned_vni = network->vni;
	if (network->assigned_vni == 0)
		return 0;
	return vd_vxlan_pool_claim(validation, resource, network->vxlan_pool, network->assigned_vni, object);
}

static int network_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object,
			  struct vd_error *error)
{
	struct vd_container_network *network = (struct vd_container_network *)resource;

	if (network->mode == VD_CONTAINER_MODE_NATIVE || network->assigned_vni != 0)
		return 0;
	return vd_vxlan_pool_allocate(validation, resource, network->vxlan_pool, object, &network->assigned_vni);
}

const struct vd_kind_type vd_kind_type_container_network = {
	.word = "container_network",
	.plural = "container_networks",
	.help = "Where the containers of several nodes have their addresses from: each node holds a block of its CIDR.",
	.size = sizeof(struct vd_container_network),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = network_complete,
	.succeed = network_succeed,
	.claim = network_claim,
	.assign = network_assign,
};
