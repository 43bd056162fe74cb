/* SPDX-License-Identifier: Apache-2.0 */
#include "model/segment.h"

#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

static struct vd_segment of_network(const struct vd_network *network)
{
	return (struct vd_segment){
		.resource = &network->head,
		.cidrs = network->cidrs,
		.cidr_count = network->cidr_count,
		.gateways = network->gateways,
		.gateway_count = network->gateway_count,
		.ranges = network->ranges,
		.range_count = network->range_count,
		.dhcp = network->dhcp,
		.dhcp_address = network->dhcp_address,
		.assigned_dhcp_address = network->assigned_dhcp_address,
		.dns = network->dns,
		.dns_count = network->dns_count,
	};
}

struct vd_segment vd_segment_of(const struct vd_resource *resource)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;

	if (resource->kind == VD_KIND_NETWORK)
		return of_network((const struct vd_network *)resource);
	return (struct vd_segment){
		.resource = resource,
		.vpc = subnet->vpc,
		.cidrs = subnet->cidrs,
		.cidr_count = subnet->cidr_count,
		.gateways = subnet->gateways,
		.gateway_count = subnet->gateway_count,
		.ranges = subnet->ranges,
		.range_count = subnet->range_count,
		.dhcp = subnet->dhcp,
		.dhcp_address = subnet->dhcp_address,
		.assigned_dhcp_address = subnet->assigned_dhcp_address,
		.dns = subnet->dns,
		.dns_count = subnet->dns_count,
	};
}

bool vd_segment_find(const struct vd_model *model, const char *project, const char *subnet, const char *network,
		     struct vd_segment *ret)
{
	const struct vd_resource *resource = network ? vd_model_get(model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, network)
						     : vd_model_get(model, VD_KIND_SUBNET, project, subnet);

	if (!resource)
		return false;
	*ret = vd_segment_of(resource);
	return true;
}

const char *vd_segment_text(const struct vd_segment *segment, char text[VD_OBJECT_SIZE])
{
	snprintf(text, VD_OBJECT_SIZE, "%s %s", vd_kind_word(segment->resource->kind), segment->resource->name);
	return text;
}

size_t vd_segment_cidr(const struct vd_segment *segment, const struct vd_address *address)
{
	size_t i = 0;

	while (i < segment->cidr_count && !vd_prefix_contains(&segment->cidrs[i], address))
		i++;
	return i;
}

const char *vd_segment_role_of(const struct vd_segment *segment, const struct vd_address *address)
{
	if (address->family == VD_FAMILY_NONE)
		return NULL;
	for (size_t i = 0; i < segment->gateway_count; i++)
		if (vd_address_equal(&segment->gateways[i], address))
			return "gateway";
	return vd_address_equal(&segment->assigned_dhcp_address, address) ? "DHCP address" : NULL;
}

const struct vd_resource *vd_segment_holder(const struct vd_model *model, const struct vd_segment *segment,
					    const struct vd_address *address)
{
	const char *project = segment->resource->project, *name = segment->resource->name;
	const struct vd_virtual_ip *vip;
	const struct vd_port *port;

	if (segment->vpc) {
		port = vd_model_port_by_address(model, project, segment->vpc, address);
		vip = port ? NULL : vd_model_vip_by_address(model, project, segment->vpc, address);
	} else {
		port = vd_model_port_by_network_address(model, name, address);
		vip = port ? NULL : vd_model_vip_by_network_address(model, name, address);
	}
	if (port)
		return &port->head;
	return vip ? &vip->head : NULL;
}

const struct vd_port *vd_segment_holder_of_mac(const struct vd_model *model, const struct vd_segment *segment,
					       const struct vd_mac *mac)
{
	return segment->vpc ? vd_model_port_by_mac(model, segment->resource->project, segment->vpc, mac)
			    : vd_model_port_by_network_mac(model, segment->resource->name, mac);
}

static bool is_same(const struct vd_resource *a, const struct vd_resource *b)
{
	return a->kind == b->kind && strcmp(a->project, b->project) == 0 && strcmp(a->name, b->name) == 0;
}

int vd_segment_check_address(const struct vd_validation *validation, const struct vd_segment *segment,
			     const struct vd_resource *resource, const struct vd_address *address, const char *object)
{
	char text[VD_ADDRESS_TEXT], cidrs[128], other[VD_OBJECT_SIZE];
	size_t i = vd_segment_cidr(segment, address);
	const struct vd_resource *holder;
	const char *role;

	vd_address_format(address, text);
	if (i == segment->cidr_count)
		return vd_error_set(validation->error, -EINVAL, "%s: address %s lies outside %s (%s); choose one inside", object,
				    text, vd_segment_text(segment, other),
				    vd_prefixes_format(segment->cidrs, segment->cidr_count, cidrs, sizeof(cidrs)));
	role = vd_segment_role_of(segment, address);
	if (role)
		return vd_error_set(validation->error, -EINVAL, "%s: address %s is the %s of %s; choose another", object, text,
				    role, vd_segment_text(segment, other));
	if (vd_prefix_reserves(&segment->cidrs[i], address))
		return vd_error_set(validation->error, -EINVAL,
				    "%s: address %s is the network or broadcast address of %s; choose another", object, text,
				    vd_segment_text(segment, other));
	holder = vd_segment_holder(validation->model, segment, address);
	if (holder && !is_same(holder, resource))
		return vd_error_set(validation->error, -EADDRINUSE, "%s: address %s is taken by %s; choose another or leave it out",
				    object, text, vd_resource_text(holder, other));
	return 0;
}

static int refuse_allocation(const struct vd_validation *validation, const struct vd_segment *segment, size_t cidr,
			     const char *object)
{
	char text[VD_PREFIX_TEXT], name[VD_OBJECT_SIZE];

	vd_prefix_format(&segment->cidrs[cidr], text);
	vd_segment_text(segment, name);
	if (segment->range_count > 0)
		return vd_error_set(validation->error, -ENOSPC,
				    "%s: %s has no free address left in its ranges of %s; add a range or give an address", object,
				    name, text);
	return vd_error_set(validation->error, -ENOSPC, "%s: %s has no free address left in %s; delete ports or use another %s",
			    object, name, text, vd_kind_word(segment->resource->kind));
}

int vd_segment_allocate(struct vd_validation *validation, const struct vd_segment *segment, size_t cidr, const char *object,
			struct vd_address *ret)
{
	const struct vd_prefix *prefix = &segment->cidrs[cidr];
	struct vd_address_range range;
	char topic[48];

	for (size_t i = 0; vd_segment_range(segment, cidr, i, &range); i++) {
		struct vd_address address;
		uint64_t *cursor;

		snprintf(topic, sizeof(topic), "address %s %zu %zu", vd_kind_word(segment->resource->kind), cidr, i);
		cursor = vd_validation_cursor(validation, topic, segment->resource->project, segment->resource->name);
		if (!cursor)
			return -ENOMEM;
		for (address = vd_address_add(&range.first, (int64_t)*cursor);
		     vd_address_compare(&address, &range.last) <= 0 && vd_prefix_contains(prefix, &address);
		     address = vd_address_add(&address, 1)) {
			(*cursor)++;
			if (vd_segment_role_of(segment, &address) || vd_prefix_reserves(prefix, &address) ||
			    vd_segment_holder(validation->model, segment, &address))
				continue;
			*ret = address;
			return 0;
		}
	}
	return refuse_allocation(validation, segment, cidr, object);
}
