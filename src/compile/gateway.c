/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/gateway.h"

#include "compile/derive.h"
#include "model/service_address.h"

#include <stdio.h>
#include <string.h>

const char *vd_gateway_name(const char *vpc, const char *network, char text[VD_GATEWAY_NAME_SIZE])
{
	snprintf(text, VD_GATEWAY_NAME_SIZE, "%s.%s", vpc, network);
	return text;
}

const struct vd_virtual_ip *vd_view_system_vip(const struct vd_view *view, const char *project, const char *vpc,
					       const char *network)
{
	char name[VD_GATEWAY_NAME_SIZE];
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(view, project, vd_gateway_name(vpc, network, name));

	/* A user's own may be called so as well. */
	if (!vip || !vip->vpc || !vip->network || strcmp(vip->vpc, vpc) != 0 || strcmp(vip->network, network) != 0)
		return NULL;
	return vip;
}

const char *vd_view_gateway_host(const struct vd_view *view, const char *project, const char *vpc, const struct vd_network *network)
{
	const struct vd_virtual_ip *vip = vd_view_system_vip(view, project, vpc, network->head.name);
	const struct vd_gateway *gateway = vip ? vd_view_gateway(view, project, vip->head.name) : NULL;

	return gateway && vd_view_uplink(view, gateway->host, network->physnet) ? gateway->host : NULL;
}

bool vd_view_is_gateway_here(const struct vd_view *view, const char *project, const char *vpc, const struct vd_network *network)
{
	const char *host = vd_view_gateway_host(view, project, vpc, network);

	return host && strcmp(host, view->host) == 0;
}

const struct vd_address *vd_virtual_ip_address(const struct vd_virtual_ip *vip, uint8_t family)
{
	for (size_t i = 0; i < vip->assigned_address_count; i++)
		if (vip->assigned_addresses[i].family == family)
			return &vip->assigned_addresses[i];
	return NULL;
}

const struct vd_prefix *vd_network_cidr(const struct vd_network *network, uint8_t family)
{
	for (size_t i = 0; i < network->cidr_count; i++)
		if (network->cidrs[i].address.family == family)
			return &network->cidrs[i];
	return NULL;
}

const struct vd_address *vd_network_gateway(const struct vd_network *network, uint8_t family)
{
	for (size_t i = 0; i < network->gateway_count; i++)
		if (network->gateways[i].family == family)
			return &network->gateways[i];
	return NULL;
}

const struct vd_network *vd_view_network_of_address(const struct vd_view *view, const struct vd_vpc *vpc,
						    const struct vd_address *address)
{
	for (size_t i = 0; i < vpc->network_count; i++) {
		const struct vd_network *network = vd_view_network(view, vpc->networks[i].network);
		const struct vd_prefix *cidr = network ? vd_network_cidr(network, address->family) : NULL;

		if (cidr && vd_prefix_contains(cidr, address))
			return network;
	}
	return NULL;
}

const struct vd_network *vd_view_default_network(const struct vd_view *view, const struct vd_vpc *vpc, uint8_t family)
{
	for (size_t i = 0; i < vpc->network_count; i++) {
		const struct vd_network *network = vd_view_network(view, vpc->networks[i].network);

		if (network && vd_network_gateway(network, family))
			return network;
	}
	return NULL;
}

bool vd_service_find(const struct vd_view *view, const struct vd_vpc *vpc, uint32_t host, uint8_t family, struct vd_address *ret)
{
	return vd_view_default_network(view, vpc, family) && vd_service_address((enum vd_family)family, host, ret);
}

/* What the link's own routes do not say: the network's gateway where another network of the link has the default route. */
static void set_next_hop(const struct vd_network *network, uint8_t family, const struct vd_address *of_link, struct vd_address *ret)
{
	const struct vd_address *gateway = vd_network_gateway(network, family);

	if (gateway && !vd_address_equal(gateway, of_link))
		*ret = *gateway;
}

void vd_exit_fill(const struct vd_view *view, const struct vd_vpc *vpc, const struct vd_network *network,
		  struct vd_plan_record *ret)
{
	const char *project = vpc->head.project;
	const struct vd_virtual_ip *vip = vd_view_system_vip(view, project, vpc->head.name, network->head.name);
	const char *host = vd_view_gateway_host(view, project, vpc->head.name, network);
	const struct vd_address *address;
	struct vd_plan_exit *exit = &ret->exit;
	struct vd_link link;

	vd_plan_record_init(ret, VD_PLAN_KIND_EXIT);
	vd_view_link(view, network, &link);
	exit->domain = vpc->head.id;
	exit->network = link.id;
	exit->here = host && strcmp(host, view->host) == 0;
	exit->host = host && !exit->here ? vd_view_reach(view, vpc, host) : 0;
	exit->translate = true;
	if (vip && (address = vd_virtual_ip_address(vip, VD_FAMILY_IPV4)))
		exit->vip4 = *address;
	if (vip && (address = vd_virtual_ip_address(vip, VD_FAMILY_IPV6)))
		exit->vip6 = *address;
	set_next_hop(network, VD_FAMILY_IPV4, &link.gateway4, &exit->next_hop4);
	set_next_hop(network, VD_FAMILY_IPV6, &link.gateway6, &exit->next_hop6);
}

/* A gateway is no record of its own: it is where its VPC is present, and the network needed. Asked, so that it is counted anew. */
int vd_derive_gateway(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(view, unit->project, unit->name);
	const struct vd_network *network = vip && vip->vpc && vip->network ? vd_view_network(view, vip->network) : NULL;

	if (network)
		vd_view_gateway_host(view, unit->project, vip->vpc, network);
	else
		vd_view_gateway(view, unit->project, unit->name);
	return 0;
}
