/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/key.h"
#include "compile/reach.h"

#include "model/block.h"

#include <string.h>

struct derivation {
	const struct vd_view *view;
	const struct vd_container_network *network;
	struct vd_records *records;
};

static int add_domain(const struct derivation *derivation)
{
	const struct vd_container_network *network = derivation->network;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = network->head.id;
	record.domain.type = VD_PLAN_DOMAIN_TYPE_CONTAINER;
	record.domain.vni = network->assigned_vni;
	record.domain.mtu = vd_view_node_mtu(derivation->view, network);
	record.domain.tunnel_only = network->mode == VD_CONTAINER_MODE_TUNNEL;
	vd_record_name(record.domain.project, network->head.project);
	vd_record_name(record.domain.name, network->head.name);
	return vd_records_add(derivation->records, &record);
}

static int add_route(const struct derivation *derivation, const struct vd_prefix *destination, enum vd_plan_route_type type)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = derivation->network->head.id;
	record.route.destination = *destination;
	record.route.type = type;
	return vd_records_add(derivation->records, &record);
}

/*
 * Everything else is the kernel's affair. But an address of the network itself that is in nobody's block is nobody's: it must not
 * leave, untranslated as it is, by the node's way to the world. Where the network is one block, that one's route says what becomes
 * of it.
 */
static int add_routes(const struct derivation *derivation)
{
	const struct vd_prefix all4 = {.address = {.family = VD_FAMILY_IPV4}}, all6 = {.address = {.family = VD_FAMILY_IPV6}};
	const struct vd_container_network *network = derivation->network;
	int r = add_route(derivation, &all4, VD_PLAN_ROUTE_TYPE_STACK);

	if (r == 0)
		r = add_route(derivation, &all6, VD_PLAN_ROUTE_TYPE_STACK);
	for (size_t i = 0; i < network->cidr_count && r == 0; i++)
		if (network->cidrs[i].length < vd_block_length(network, network->cidrs[i].address.family))
			r = add_route(derivation, &network->cidrs[i], VD_PLAN_ROUTE_TYPE_BLACKHOLE);
	return r;
}

/* ---- where its addresses go untranslated ---- */

static int add_exempt(const struct derivation *derivation, const struct vd_prefix *prefixes, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct vd_plan_record record;

		vd_plan_record_init(&record, VD_PLAN_KIND_EXEMPT);
		record.exempt.domain = derivation->network->head.id;
		record.exempt.prefix = prefixes[i];
		r = vd_records_add(derivation->records, &record);
	}
	return r;
}

static int add_other_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *other = (const struct vd_container_network *)resource;

	return add_exempt(userdata, other->cidrs, other->cidr_count);
}

static int add_vpc(const struct derivation *derivation, const char *name)
{
	const struct vd_vpc *vpc = vd_view_vpc(derivation->view, derivation->network->head.project, name);

	return vpc ? add_exempt(derivation, vpc->cidrs, vpc->cidr_count) : 0;
}

/* A peer of the network's VPC, as that one sees it. */
struct peer {
	const struct derivation *derivation;
	const struct vd_peering *peering;
	const char *name;
};

static int add_seen(const struct peer *peer, const struct vd_prefix *prefixes, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct vd_prefix seen = vd_peering_translate(peer->peering, peer->name, &prefixes[i]);

		r = add_exempt(peer->derivation, &seen, 1);
	}
	return r;
}

static int add_network_of_peer(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;

	return add_seen(userdata, network->cidrs, network->cidr_count);
}

static int add_peer(const struct vd_resource *resource, void *userdata)
{
	const struct derivation *derivation = userdata;
	struct peer peer = {.derivation = derivation, .peering = (const struct vd_peering *)resource};
	const char *project = derivation->network->head.project;
	const struct vd_vpc *vpc;
	int r;

	peer.name = vd_peering_other(peer.peering, derivation->network->vpc);
	vpc = vd_view_vpc(derivation->view, project, peer.name);
	r = vpc ? add_seen(&peer, vpc->cidrs, vpc->cidr_count) : 0;
	/* As they are, all networks of the project are in it already. */
	if (r < 0 || peer.peering->translation_count == 0)
		return r;
	return vd_model_each_container_network_of_vpc(derivation->view->model, project, peer.name, add_network_of_peer, &peer);
}

static int add_vpcs(const struct derivation *derivation)
{
	const struct vd_container_network *network = derivation->network;
	int r;

	if (!network->vpc)
		return 0;
	r = add_vpc(derivation, network->vpc);
	if (r < 0)
		return r;
	vd_view_read(derivation->view, vd_key_members(VD_KIND_PEERING, "vpc", network->head.project, network->vpc));
	return vd_model_each_peering_of_vpc(derivation->view->model, network->head.project, network->vpc, add_peer,
					    (void *)derivation);
}

static int add_exempts(const struct derivation *derivation)
{
	const struct vd_container_network *network = derivation->network;
	struct vd_station station;
	int r;

	if (network->mode == VD_CONTAINER_MODE_TUNNEL)
		return add_exempt(derivation, network->cidrs, network->cidr_count);
	vd_view_read(derivation->view, vd_key_members(VD_KIND_CONTAINER_NETWORK, "project", network->head.project, ""));
	r = vd_model_each(derivation->view->model, VD_KIND_CONTAINER_NETWORK, network->head.project, add_other_network,
			  (void *)derivation);
	if (r == 0)
		r = add_vpcs(derivation);
	if (r < 0)
		return r;
	vd_view_station(derivation->view, derivation->view->host, &station);
	return station.lan.address.family == VD_FAMILY_NONE ? 0 : add_exempt(derivation, &station.lan, 1);
}

int vd_derive_container_network(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_container_network *network = vd_view_container_network(view, unit->project, unit->name);
	struct derivation derivation = {view, network, ret};
	int r;

	if (!network || network->mode == VD_CONTAINER_MODE_NATIVE || !vd_view_is_member(view, network, view->host))
		return 0;
	r = add_domain(&derivation);
	if (r == 0)
		r = add_routes(&derivation);
	return r < 0 ? r : add_exempts(&derivation);
}

/* ---- nodes: what they count for ---- */

int vd_derive_node(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	vd_view_node(view, unit->project, unit->name);
	return 0;
}

int vd_node_hold(const struct vd_view *view, const struct vd_node *node, struct vd_holdings *holdings)
{
	int r = 0;

	for (size_t i = 0; i < node->container_network_count && r == 0; i++)
		r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_MEMBERS, node->head.project, node->container_networks[i],
				  node->head.name);
	return r;
}
