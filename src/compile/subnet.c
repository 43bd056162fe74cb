/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include <stdio.h>

uint32_t vd_subnet_table(const struct vd_view *view, const struct vd_subnet *subnet)
{
	const struct vd_route_table *table;

	if (!subnet->route_table)
		return 0;
	table = vd_view_route_table(view, subnet->head.project, subnet->route_table);
	return table ? table->head.id : 0;
}

const struct vd_prefix *vd_subnet_cidr(const struct vd_subnet *subnet, uint8_t family)
{
	for (size_t i = 0; i < subnet->cidr_count; i++)
		if (subnet->cidrs[i].address.family == family)
			return &subnet->cidrs[i];
	return NULL;
}

void vd_subnet_set_family(struct vd_plan_subnet *record, const struct vd_prefix *cidr, const struct vd_address *gateway)
{
	bool is_ipv6 = cidr->address.family == VD_FAMILY_IPV6;

	*(is_ipv6 ? &record->cidr6 : &record->cidr4) = *cidr;
	if (gateway)
		*(is_ipv6 ? &record->gateway6 : &record->gateway4) = *gateway;
}

static void set_services(struct vd_plan_subnet *record, const struct vd_subnet *subnet)
{
	record->dhcp = subnet->dhcp;
	record->dhcp_address = subnet->assigned_dhcp_address;
	record->lease = subnet->dhcp_lease;
	for (size_t i = 0; i < subnet->dns_count && i < VD_PLAN_DNS_SERVERS; i++)
		record->dns[i] = subnet->dns[i];
	if (subnet->domain)
		snprintf(record->domain_name, sizeof(record->domain_name), "%s", subnet->domain);
}

int vd_gateway_add(uint32_t domain, uint32_t subnet, const struct vd_address *gateway, struct vd_records *records)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = domain;
	record.endpoint.address = *gateway;
	record.endpoint.subnet = subnet;
	record.endpoint.place = VD_PLAN_PLACE_GATEWAY;
	return vd_records_add(records, &record);
}

/* On a VLAN of a physical network instead of a VXLAN of the pool; where this host has the uplink, its frames leave and arrive there. */
static int add_segment(const struct vd_view *view, const struct vd_subnet *subnet, struct vd_plan_subnet *record,
		       struct vd_records *records)
{
	const struct vd_uplink *uplink = vd_view_uplink(view, view->host, subnet->physnet);
	struct vd_plan_record segment;

	record->bridged = true;
	record->vlan = subnet->vlan;
	if (!uplink)
		return 0;
	record->uplink_ifindex = uplink->ifindex;
	vd_plan_record_init(&segment, VD_PLAN_KIND_SEGMENT);
	segment.segment.ifindex = uplink->ifindex;
	segment.segment.vlan = subnet->vlan;
	segment.segment.domain = record->domain;
	segment.segment.subnet = subnet->head.id;
	return vd_records_add(records, &segment);
}

static int add_gateways(const struct vd_vpc *vpc, const struct vd_subnet *subnet, struct vd_records *records)
{
	int r = 0;

	for (size_t i = 0; i < subnet->gateway_count && r == 0; i++)
		r = vd_gateway_add(vpc->head.id, subnet->head.id, &subnet->gateways[i], records);
	if (r == 0 && subnet->assigned_dhcp_address.family != VD_FAMILY_NONE)
		r = vd_gateway_add(vpc->head.id, subnet->head.id, &subnet->assigned_dhcp_address, records);
	return r;
}

int vd_derive_subnet(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_subnet *subnet = vd_view_subnet(view, unit->project, unit->name);
	const struct vd_vpc *vpc;
	struct vd_plan_record record;
	int r;

	if (!subnet || !vd_view_is_known(view, unit->project, subnet->vpc))
		return 0;
	vpc = vd_view_vpc(view, unit->project, subnet->vpc);
	if (!vpc)
		return 0;
	if (!vd_view_is_present(view, unit->project, subnet->vpc))
		return add_gateways(vpc, subnet, ret);

	vd_plan_record_init(&record, VD_PLAN_KIND_SUBNET);
	record.subnet.subnet = subnet->head.id;
	record.subnet.domain = vpc->head.id;
	record.subnet.vni = subnet->assigned_vni;
	vd_record_name(record.subnet.name, subnet->head.name);
	for (size_t i = 0; i < subnet->cidr_count; i++)
		vd_subnet_set_family(&record.subnet, &subnet->cidrs[i], i < subnet->gateway_count ? &subnet->gateways[i] : NULL);
	set_services(&record.subnet, subnet);
	r = subnet->physnet ? add_segment(view, subnet, &record.subnet, ret) : 0;
	if (r == 0)
		r = vd_records_add(ret, &record);
	return r < 0 ? r : add_gateways(vpc, subnet, ret);
}
