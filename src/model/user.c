/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"

#include "model/next_hop.h"
#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

/* Who is no part of a change but would be left with something that it takes away. */

static int check_elastic(const struct vd_resource *resource, void *userdata)
{
	return vd_elastic_ip_check(userdata, (const struct vd_elastic_ip *)resource);
}

static int check_forward(const struct vd_resource *resource, void *userdata)
{
	return vd_port_forward_check(userdata, (const struct vd_port_forward *)resource);
}

static int check_route(const struct vd_resource *resource, void *userdata)
{
	return vd_next_hop_check(userdata, resource);
}

int vd_virtual_ip_check_users(struct vd_validation *validation, const struct vd_virtual_ip *vip)
{
	const struct vd_model *model = validation->model;
	const char *project = vip->head.project, *name = vip->head.name;
	int r;

	r = vd_model_each_referrer(model, VD_KIND_ELASTIC_IP, VD_KIND_VIRTUAL_IP, project, name, check_elastic, validation);
	if (r == 0)
		r = vd_model_each_forward_of_vip(model, project, name, check_forward, validation);
	if (r == 0)
		r = vd_model_each_route_of_vip(model, project, name, check_route, validation);
	if (r == 0)
		r = vd_model_each_referrer(model, VD_KIND_POLICY_ROUTE, VD_KIND_VIRTUAL_IP, project, name, check_route, validation);
	return r;
}

/* --- ports --- */

static int check_next_hops(struct vd_validation *validation, const char *project, const struct vd_address *address)
{
	char text[VD_ADDRESS_TEXT];
	int r;

	vd_address_format(address, text);
	r = vd_model_each_referrer(validation->model, VD_KIND_ROUTE, VD_GROUP_NEXT_HOP, project, text, check_route, validation);
	return r < 0 ? r
		     : vd_model_each_referrer(validation->model, VD_KIND_POLICY_ROUTE, VD_GROUP_NEXT_HOP, project, text,
					      check_route, validation);
}

static int check_held(const struct vd_resource *resource, void *userdata)
{
	return vd_model_each_route_of_vip(((const struct vd_validation *)userdata)->model, resource->project, resource->name,
					  check_route, userdata);
}

static bool has_address(const struct vd_port *port, const struct vd_address *address)
{
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (vd_address_equal(&port->assigned_addresses[i], address))
			return true;
	return false;
}

int vd_port_check_users(struct vd_validation *validation, const struct vd_port *before, const struct vd_port *after)
{
	const struct vd_model *model = validation->model;
	const char *project = after->head.project, *name = after->head.name;
	bool opened_less = !vd_cidrs_equal(before->allowed_sources, before->allowed_source_count, after->allowed_sources,
					   after->allowed_source_count);
	bool lost = false;
	int r = 0;

	/* Next hops: an address that it gave up, or what stood behind it. */
	for (size_t i = 0; r == 0 && i < before->assigned_address_count; i++) {
		const struct vd_address *address = &before->assigned_addresses[i];
		bool kept = has_address(after, address);

		lost |= !kept;
		if (!kept || opened_less)
			r = check_next_hops(validation, project, address);
	}
	if (r == 0 && opened_less)
		r = vd_model_each_vip_of_port(model, project, name, check_held, validation);
	if (r == 0 && lost)
		r = vd_model_each_elastic_ip_of_port(model, project, name, check_elastic, validation);
	if (r == 0 && (lost || after->instance))
		r = vd_model_each_forward_of_port(model, project, name, check_forward, validation);
	return r;
}
