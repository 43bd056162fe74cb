/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/gateway.h"
#include "compile/key.h"

#include <stdio.h>
#include <string.h>

/* What an uplink carries when its host did not say. */
#define MTU_UNKNOWN 1500

struct derivation {
	const struct vd_view *view;
	const struct vd_network *network;
	const struct vd_uplink *uplink; /* of this host, or NULL */
	struct vd_link link;
	char text[VD_LINK_TEXT];
	bool is_first;  /* the link goes by its id: the records of the link are its */
	bool has_seats; /* ports attached here sit on the link */
	struct vd_records *records;
};

uint32_t vd_view_network_mtu(const struct vd_view *view, const struct vd_network *network)
{
	const struct vd_uplink *uplink = vd_view_uplink(view, view->host, network->physnet);

	return uplink && uplink->mtu ? uplink->mtu : MTU_UNKNOWN;
}

/* ---- the link ---- */

static int add_network(const struct derivation *derivation)
{
	const struct vd_network *network = derivation->network;
	struct vd_plan_record record;
	int r;

	vd_plan_record_init(&record, VD_PLAN_KIND_NETWORK);
	record.network.network = derivation->link.id;
	record.network.ifindex = derivation->uplink->ifindex;
	record.network.vlan = network->vlan;
	record.network.mtu = vd_view_network_mtu(derivation->view, network);
	record.network.mac = derivation->uplink->mac;
	vd_record_name(record.network.name, network->head.name);
	vd_record_name(record.network.physnet, network->physnet);
	r = vd_records_add(derivation->records, &record);
	if (r < 0)
		return r;

	vd_plan_record_init(&record, VD_PLAN_KIND_SEGMENT);
	record.segment.ifindex = derivation->uplink->ifindex;
	record.segment.vlan = network->vlan;
	record.segment.network = derivation->link.id;
	if (derivation->has_seats)
		record.segment.domain = record.segment.subnet = derivation->link.id;
	return vd_records_add(derivation->records, &record);
}

static int add_domain(const struct derivation *derivation)
{
	const struct vd_network *network = derivation->network;
	const struct vd_router_profile *profile = vd_view_router_profile(derivation->view, network->head.project, "default");
	struct vd_plan_record record;
	int r;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = derivation->link.id;
	record.domain.type = VD_PLAN_DOMAIN_TYPE_NETWORK;
	record.domain.mtu = vd_view_network_mtu(derivation->view, network);
	if (profile) {
		record.domain.cpu_milli = profile->cpu_milli;
		record.domain.memory = profile->memory;
	}
	vd_record_name(record.domain.project, network->head.project);
	vd_record_name(record.domain.name, network->head.name);
	r = vd_records_add(derivation->records, &record);
	return r < 0 ? r : vd_metadata_add(derivation->link.id, derivation->records);
}

static int add_route(const struct derivation *derivation, const struct vd_prefix *destination, const struct vd_address *next_hop)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = derivation->link.id;
	record.route.destination = *destination;
	record.route.type = next_hop ? VD_PLAN_ROUTE_TYPE_NEXT_HOP : VD_PLAN_ROUTE_TYPE_LOCAL;
	if (next_hop)
		record.route.next_hop = *next_hop;
	record.route.is_default = next_hop != NULL;
	return vd_records_add(derivation->records, &record);
}

static int add_default(const struct derivation *derivation, const struct vd_address *gateway)
{
	struct vd_prefix everything = {.address = {.family = gateway->family}};

	return gateway->family == VD_FAMILY_NONE ? 0 : add_route(derivation, &everything, gateway);
}

/* ---- next hops: all those of the link, each once ---- */

/* The lowest addresses held here, to ask with. */
struct askers {
	struct vd_address ipv4, ipv6;
};

static int take_asker(const struct vd_pair *pair, void *userdata)
{
	struct askers *askers = userdata;
	struct vd_address address, *lowest;

	if (vd_address_parse(pair->other, &address) < 0)
		return 0;
	lowest = address.family == VD_FAMILY_IPV6 ? &askers->ipv6 : &askers->ipv4;
	if (lowest->family == VD_FAMILY_NONE || vd_address_compare(&address, lowest) < 0)
		*lowest = address;
	return 0;
}

struct hops {
	const struct derivation *derivation;
	struct askers askers;
};

/* What is ours needs no asking. */
static bool is_vip(const struct vd_view *view, const char *network, const struct vd_address *address)
{
	vd_view_read(view, vd_key_vip_address(network, address));
	return vd_model_vip_by_network_address(view->model, network, address) != NULL;
}

static int add_hop(const struct hops *hops, const struct vd_address *address)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_NEXT_HOP);
	record.next_hop.network = hops->derivation->link.id;
	record.next_hop.address = *address;
	record.next_hop.asker = address->family == VD_FAMILY_IPV6 ? hops->askers.ipv6 : hops->askers.ipv4;
	return vd_records_add(hops->derivation->records, &record);
}

/* Of the network that the address is of: its gateways are asked for anyway. */
static int add_hop_of_exit(const struct vd_pair *pair, void *userdata)
{
	const struct hops *hops = userdata;
	const struct vd_network *network = hops->derivation->network;
	const struct vd_prefix *cidr;
	struct vd_address address;

	if (vd_address_parse(pair->other, &address) < 0)
		return 0;
	cidr = vd_network_cidr(network, address.family);
	if (!cidr || !vd_prefix_contains(cidr, &address))
		return 0;
	for (size_t i = 0; i < network->gateway_count; i++)
		if (vd_address_equal(&network->gateways[i], &address))
			return 0;
	return is_vip(hops->derivation->view, network->head.name, &address) ? 0 : add_hop(hops, &address);
}

static int add_hops(const struct derivation *derivation)
{
	const struct vd_network *network = derivation->network;
	struct hops hops = {.derivation = derivation};
	int r = 0;

	vd_view_each_pair_of_vpc(derivation->view, VD_RELATION_TYPE_ASKERS, "", derivation->text, take_asker, &hops.askers);
	for (size_t i = 0; i < network->gateway_count && r == 0; i++)
		if (network->gateways[i].family != VD_FAMILY_NONE)
			r = add_hop(&hops, &network->gateways[i]);
	return r < 0 ? r
		     : vd_view_each_pair_of_vpc(derivation->view, VD_RELATION_TYPE_HOPS, "", derivation->text, add_hop_of_exit,
						&hops);
}

/* ---- instances on it ---- */

static int add_subnet(const struct derivation *derivation)
{
	const struct vd_network *network = derivation->network;
	struct vd_plan_record record;
	int r;

	vd_plan_record_init(&record, VD_PLAN_KIND_SUBNET);
	record.subnet.subnet = network->head.id;
	record.subnet.domain = derivation->link.id;
	record.subnet.bridged = record.subnet.is_network = true;
	record.subnet.uplink_ifindex = derivation->uplink ? derivation->uplink->ifindex : 0;
	record.subnet.vlan = network->vlan;
	for (size_t i = 0; i < network->cidr_count; i++)
		vd_subnet_set_family(&record.subnet, &network->cidrs[i],
				     vd_network_gateway(network, network->cidrs[i].address.family));
	record.subnet.dhcp = network->dhcp;
	record.subnet.dhcp_address = network->assigned_dhcp_address;
	record.subnet.lease = network->dhcp_lease;
	for (size_t i = 0; i < network->dns_count && i < VD_PLAN_DNS_SERVERS; i++)
		record.subnet.dns[i] = network->dns[i];
	if (network->domain)
		snprintf(record.subnet.domain_name, sizeof(record.subnet.domain_name), "%s", network->domain);
	vd_record_name(record.subnet.name, network->head.name);
	r = vd_records_add(derivation->records, &record);
	if (r < 0 || network->assigned_dhcp_address.family == VD_FAMILY_NONE)
		return r;
	return vd_gateway_add(derivation->link.id, network->head.id, &network->assigned_dhcp_address, derivation->records);
}

static int derive_link(const struct derivation *derivation, bool is_needed)
{
	int r = 0;

	if (is_needed && derivation->uplink)
		r = add_network(derivation);
	if (r == 0 && derivation->has_seats)
		r = add_domain(derivation);
	if (r == 0)
		r = add_default(derivation, &derivation->link.gateway4);
	return r < 0 ? r : add_default(derivation, &derivation->link.gateway6);
}

int vd_derive_network(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	struct derivation derivation = {.view = view, .network = vd_view_network(view, unit->name), .records = ret};
	const struct vd_network *network = derivation.network;
	bool is_needed;
	int r = 0;

	if (!network || strcmp(unit->project, VD_HOST_PROJECT) != 0)
		return 0;
	vd_link_text(network, derivation.text);
	is_needed = vd_view_has_pair(view, VD_RELATION_TYPE_NEEDS, "", derivation.text, "");
	derivation.uplink = vd_view_uplink(view, view->host, network->physnet);
	derivation.has_seats = vd_view_has_pair(view, VD_RELATION_TYPE_SEATS, "", derivation.text, "");
	if (!derivation.has_seats && (!is_needed || !derivation.uplink))
		return 0;
	vd_view_link(view, network, &derivation.link);
	derivation.is_first = derivation.link.id == network->head.id;

	if (derivation.is_first)
		r = derive_link(&derivation, is_needed);
	for (size_t i = 0; i < network->cidr_count && r == 0; i++)
		r = add_route(&derivation, &network->cidrs[i], NULL);
	if (r == 0 && derivation.has_seats)
		r = add_subnet(&derivation);
	return r < 0 || !derivation.uplink ? r : add_hops(&derivation);
}
