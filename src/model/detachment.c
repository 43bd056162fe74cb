/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pull.h"

#include <errno.h>
#include <string.h>

struct detachment {
	const struct vd_model *model; /* as it will be */
	const struct vd_virtual_ip *vip;
	const struct vd_network *network;
	const struct vd_resource *user; /* the first by kind and name */
};

static void note_user(struct detachment *detachment, const struct vd_resource *resource)
{
	const struct vd_resource *user = detachment->user;

	if (!user || resource->kind < user->kind || (resource->kind == user->kind && strcmp(resource->name, user->name) < 0))
		detachment->user = resource;
}

static int visit_forward(const struct vd_resource *resource, void *userdata)
{
	note_user(userdata, resource);
	return 0;
}

static bool is_subnet_of(const struct detachment *detachment, const char *project, const char *name)
{
	const struct vd_subnet *subnet =
		name ? (const struct vd_subnet *)vd_model_get(detachment->model, VD_KIND_SUBNET, project, name) : NULL;

	return subnet && strcmp(project, detachment->vip->head.project) == 0 && strcmp(subnet->vpc, detachment->vip->vpc) == 0;
}

/* Does this elastic IP lead into the VPC? */
static int visit_elastic_ip(const struct vd_resource *resource, void *userdata)
{
	const struct vd_elastic_ip *elastic = (const struct vd_elastic_ip *)resource;
	struct detachment *detachment = userdata;
	const struct vd_virtual_ip *private_vip = NULL;
	const struct vd_port *port = NULL;

	if (elastic->port)
		port = (const struct vd_port *)vd_model_get(detachment->model, VD_KIND_PORT, resource->project, elastic->port);
	if (elastic->private_vip)
		private_vip = (const struct vd_virtual_ip *)vd_model_get(detachment->model, VD_KIND_VIRTUAL_IP, resource->project,
									 elastic->private_vip);
	if ((port && is_subnet_of(detachment, resource->project, port->subnet)) ||
	    (private_vip && is_subnet_of(detachment, resource->project, private_vip->subnet)))
		note_user(detachment, resource);
	return 0;
}

/* Does this forward, on a virtual_ip that is no router's, lead into the VPC? */
static int visit_bound_forward(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port_forward *forward = (const struct vd_port_forward *)resource;
	struct detachment *detachment = userdata;
	const struct vd_port *port = NULL;

	if (forward->port)
		port = (const struct vd_port *)vd_model_get(detachment->model, VD_KIND_PORT, resource->project, forward->port);
	if (port && is_subnet_of(detachment, resource->project, port->subnet))
		note_user(detachment, resource);
	return 0;
}

static int visit_vip(const struct vd_resource *resource, void *userdata)
{
	const struct detachment *detachment = userdata;

	vd_model_each_forward_of_vip(detachment->model, resource->project, resource->name, visit_bound_forward, userdata);
	return vd_model_each_elastic_ip_of_vip(detachment->model, resource->project, resource->name, visit_elastic_ip, userdata);
}

static void note_next_hop(struct detachment *detachment, const struct vd_resource *resource, const struct vd_next_hop *hop)
{
	bool is_on_it = false;

	if (hop->type != VD_NEXT_HOP_TYPE_PUBLIC && hop->type != VD_NEXT_HOP_TYPE_GATEWAY)
		return;
	for (size_t i = 0; i < detachment->network->cidr_count; i++)
		is_on_it |= vd_prefix_contains(&detachment->network->cidrs[i], &hop->address);
	if (is_on_it)
		note_user(detachment, resource);
}

static int visit_route(const struct vd_resource *resource, void *userdata)
{
	note_next_hop(userdata, resource, &((const struct vd_route *)resource)->next_hop);
	return 0;
}

static int visit_policy_route(const struct vd_resource *resource, void *userdata)
{
	note_next_hop(userdata, resource, &((const struct vd_policy_route *)resource)->next_hop);
	return 0;
}

static int visit_table_named(struct detachment *detachment, const char *table)
{
	const char *project = detachment->vip->head.project;
	int r = vd_model_each_route_of_table(detachment->model, project, table, visit_route, detachment);

	return r != 0 ? r : vd_model_each_policy_route_of_table(detachment->model, project, table, visit_policy_route, detachment);
}

static int visit_table(const struct vd_resource *resource, void *userdata)
{
	return visit_table_named(userdata, resource->name);
}

static int visit_subnet(const struct vd_resource *resource, void *userdata)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;

	return subnet->route_table ? visit_table_named(userdata, subnet->route_table) : 0;
}

int vd_detachment_check(const struct vd_validation *validation, const struct vd_virtual_ip *vip, struct vd_error *error)
{
	const char *project = vip->head.project;
	struct detachment detachment = {
		.model = validation->model,
		.vip = vip,
		.network = (const struct vd_network *)vd_model_get(validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT,
								   vip->network),
	};
	char object[VD_OBJECT_SIZE], user[VD_OBJECT_SIZE];

	vd_model_each_forward_of_vip(validation->model, project, vip->head.name, visit_forward, &detachment);
	vd_model_each_vip_of_network(validation->model, vip->network, visit_vip, &detachment);
	if (detachment.network) {
		visit_table_named(&detachment, vip->vpc);
		vd_model_each_referrer(validation->model, VD_KIND_ROUTE_TABLE, VD_KIND_VPC, project, vip->vpc, visit_table,
				       &detachment);
		vd_model_each_subnet_of_vpc(validation->model, project, vip->vpc, visit_subnet, &detachment);
	}
	if (!detachment.user)
		return 0;
	return vd_error_set(error, -EBUSY, "%s: network %s cannot be detached while %s uses it; delete or unbind that first",
			    vd_object_text(VD_KIND_VPC, project, vip->vpc, object), vip->network,
			    vd_resource_text(detachment.user, user));
}
