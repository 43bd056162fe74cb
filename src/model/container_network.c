/* SPDX-License-Identifier: Apache-2.0 */
#include "model/container.h"
#include "model/prefixes.h"

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

/* --- what its own document says --- */

static int refuse(const char *object, struct vd_error *error, const char *what, const char *why)
{
	return vd_error_set(error, -EINVAL, "%s: %s; %s", object, what, why);
}

static int check_native(const struct vd_container_network *network, const char *object, struct vd_error *error)
{
	if (!network->subnet)
		return refuse(object, error, "subnet is missing", "in native mode it says where containers have their ports");
	if (network->cidr_count > 0)
		return refuse(object, error, "a native network has the CIDRs of its subnet", "leave cidrs out");
	if (network->vni != 0)
		return refuse(object, error, "a native network has the VNI of its subnet", "leave vni out");
	return 0;
}

static int check_blocks(const struct vd_container_network *network, const struct vd_prefix *cidr, const char *object,
			struct vd_error *error)
{
	bool is_ipv6 = cidr->address.family == VD_FAMILY_IPV6;
	unsigned longest = is_ipv6 ? 124 : 30;
	char text[VD_PREFIX_TEXT];

	if (vd_block_length(network, cidr->address.family) >= cidr->length)
		return 0;
	if (cidr->length > longest)
		return vd_error_set(error, -EINVAL, "%s: its CIDR %s is too small to cut blocks from; give one of at most /%u",
				    object, vd_prefix_format(cidr, text), longest);
	return vd_error_set(error, -EINVAL, "%s: a block of /%u is larger than its CIDR %s; give a block_size%s from %u to %u",
			    object, vd_block_length(network, cidr->address.family), vd_prefix_format(cidr, text),
			    is_ipv6 ? "6" : "", cidr->length, longest);
}

static int check_cidrs(const struct vd_container_network *network, const char *object, struct vd_error *error)
{
	int r;

	if (network->cidr_count == 0)
		return refuse(object, error, "cidrs is missing",
			      "give the CIDR that its nodes' blocks are cut from, like 10.0.0.0/16");
	r = vd_prefixes_validate(network->cidrs, network->cidr_count, object, error);
	if (r < 0)
		return r;
	if (network->cidr_count == 2 && network->cidrs[0].address.family == network->cidrs[1].address.family)
		return vd_error_set(error, -EINVAL, "%s: it has two CIDRs of IPv%u; make a second container_network", object,
				    network->cidrs[0].address.family);
	for (size_t i = 0; r == 0 && i < network->cidr_count; i++)
		r = check_blocks(network, &network->cidrs[i], object, error);
	return r;
}

static int check_provider(const struct vd_container_network *network, const char *object, struct vd_error *error)
{
	if (network->provider == VD_ROUTE_PROVIDER_VPC && !network->vpc)
		return refuse(object, error, "provider vpc needs a VPC", "name it with vpc:, or choose provider host or gateway");
	if (network->provider != VD_ROUTE_PROVIDER_VPC && network->vpc)
		return vd_error_set(
			error, -EINVAL,
			"%s: provider %s makes routes on hosts, and inside VPC %s only provider vpc can; leave out one of "
			"the two",
			object, providers[network->provider - 1], network->vpc);
	if (network->provider == VD_ROUTE_PROVIDER_GATEWAY && network->gateway_count == 0)
		return refuse(object, error, "gateways is missing",
			      "with provider gateway it names the hosts that have the routes");
	if (network->provider != VD_ROUTE_PROVIDER_GATEWAY && network->gateway_count > 0)
		return refuse(object, error, "gateways are for provider gateway only", "leave them out or choose that");
	return 0;
}

static int network_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_network *network = (struct vd_container_network *)resource;
	int r;

	if (network->mode != VD_CONTAINER_MODE_ROUTED && network->provider != 0)
		return refuse(object, error, "a provider is for routed mode only", "leave it out or say mode: routed");
	if (network->mode != VD_CONTAINER_MODE_ROUTED && network->gateway_count > 0)
		return refuse(object, error, "gateways are for routed mode only", "leave them out or say mode: routed");
	if (network->mode == VD_CONTAINER_MODE_NATIVE)
		return check_native(network, object, error);
	if (network->subnet)
		return refuse(object, error, "a subnet is for native mode only", "leave it out or say mode: native");
	r = check_cidrs(network, object, error);
	if (r < 0 || network->mode != VD_CONTAINER_MODE_ROUTED)
		return r;
	if (network->provider == 0)
		network->provider = network->vpc ? VD_ROUTE_PROVIDER_VPC : VD_ROUTE_PROVIDER_HOST;
	return check_provider(network, object, error);
}

static int network_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_container_network *old = (const struct vd_container_network *)before;
	struct vd_container_network *network = (struct vd_container_network *)after;

	if (old->mode != network->mode)
		return vd_error_set(error, -EINVAL, "%s: its mode is %s and cannot become %s while it stands; make another one",
				    object, modes[old->mode - 1], modes[network->mode - 1]);
	if (network->subnet && strcmp(old->subnet, network->subnet) != 0)
		return vd_error_set(error, -EINVAL, "%s: its subnet is %s and cannot become %s while it stands; make another one",
				    object, old->subnet, network->subnet);
	if (strcmp(old->vxlan_pool, network->vxlan_pool) != 0)
		return vd_error_set(error, -EINVAL,
				    "%s: its vxlan_pool is %s and cannot become %s while it stands; delete it first", object,
				    old->vxlan_pool, network->vxlan_pool);
	network->assigned_vni = old->assigned_vni;
	return vd_vni_succeed(old->assigned_vni, network->vni, object, error);
}

/* The subnet says which VPC it is. */
static int take_vpc(const struct vd_validation *validation, struct vd_container_network *network, const char *object)
{
	const struct vd_subnet *subnet =
		(const struct vd_subnet *)vd_model_get(validation->model, VD_KIND_SUBNET, network->head.project, network->subnet);

	if (network->vpc && strcmp(network->vpc, subnet->vpc) != 0)
		return vd_error_set(validation->error, -EINVAL, "%s: subnet %s is in VPC %s, not in %s; leave vpc out", object,
				    network->subnet, subnet->vpc, network->vpc);
	if (!network->vpc)
		network->vpc = strdup(subnet->vpc);
	return network->vpc ? 0 : -ENOMEM;
}

static int network_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_network *network = (struct vd_container_network *)resource;

	if (network->mode == VD_CONTAINER_MODE_NATIVE)
		return take_vpc(validation, network, object);
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

/* --- the model around it --- */

struct around {
	struct vd_validation *validation;
	const char *object;
};

static int check_node(const struct vd_resource *resource, void *userdata)
{
	const struct around *around = userdata;
	const struct vd_node *node = (const struct vd_node *)resource;
	const char *vpc = vd_node_vpc(around->validation->model, node);
	char object[VD_OBJECT_SIZE];
	int r = vd_node_check(around->validation, node, vd_resource_text(resource, object));

	if (r == 0)
		r = vd_space_check_host(around->validation, node->host, around->object);
	return r < 0 || !vpc ? r : vd_space_check_vpc_and_peers(around->validation, resource->project, vpc, around->object);
}

/* The first block, by name, that what the network is to become does not suit. */
struct misfit {
	const struct vd_container_network *network;
	const struct vd_container_block *block;
};

static int find_misfit(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct misfit *misfit = userdata;
	const struct vd_container_network *network = misfit->network;

	if ((vd_block_is_moved(block) || block->cidr.length == vd_block_length(network, block->cidr.address.family)) &&
	    vd_prefixes_cover(network->cidrs, network->cidr_count, &block->cidr))
		return 0;
	if (!misfit->block || strcmp(resource->name, misfit->block->head.name) < 0)
		misfit->block = block;
	return 0;
}

static int check_fit(const struct vd_validation *validation, const struct vd_container_network *network, const char *object)
{
	struct misfit misfit = {.network = network};
	char block[VD_OBJECT_SIZE], cidrs[2 * VD_PREFIX_TEXT + 8];

	vd_model_each_block_of_container_network(validation->model, network->head.project, network->head.name, find_misfit,
						 &misfit);
	if (!misfit.block)
		return 0;
	vd_resource_text(&misfit.block->head, block);
	if (vd_prefixes_cover(network->cidrs, network->cidr_count, &misfit.block->cidr))
		return vd_error_set(
			validation->error, -EBUSY,
			"%s: its block_size cannot change while %s stands; let its nodes leave first, or make another one", object,
			block);
	return vd_error_set(validation->error, -EBUSY,
			    "%s: %s of %s %s would lie outside %s; keep it inside, or let that node leave first", object, block,
			    misfit.block->node ? "node" : "port", misfit.block->node ? misfit.block->node : misfit.block->port,
			    vd_prefixes_format(network->cidrs, network->cidr_count, cidrs, sizeof(cidrs)));
}

static int network_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			 const char *object, struct vd_error *error)
{
	const struct vd_container_network *network = (const struct vd_container_network *)after;
	struct around around = {.validation = validation, .object = object};
	int r = before ? check_fit(validation, network, object) : 0;

	if (r == 0 && network->mode != VD_CONTAINER_MODE_NATIVE && network->vpc)
		r = vd_space_check_vpc_and_peers(validation, after->project, network->vpc, object);
	for (size_t i = 0; r == 0 && i < network->gateway_count; i++)
		r = vd_space_check_host(validation, network->gateways[i], object);
	if (r == 0)
		r = vd_model_each_node_of_container_network(validation->model, after->project, after->name, check_node, &around);
	return r < 0 ? r : vd_blocks_check(validation, network);
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
	.check = network_check,
};
