/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/view.h"

#include "compile/key.h"
#include "model/change.h"

#include <string.h>

void vd_view_read(const struct vd_view *view, uint64_t key)
{
	if (view->graph)
		vd_graph_read(view->graph, key);
}

static const void *get(const struct vd_view *view, enum vd_kind kind, const char *project, const char *name)
{
	vd_view_read(view, vd_key_resource(kind, project, name));
	return vd_model_get(view->model, kind, project, name);
}

const struct vd_vpc *vd_view_vpc(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_VPC, project, name);
}

const struct vd_route_table *vd_view_route_table(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_ROUTE_TABLE, project, name);
}

const struct vd_subnet *vd_view_subnet(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_SUBNET, project, name);
}

const struct vd_port *vd_view_port(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_PORT, project, name);
}

const struct vd_route *vd_view_route(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_ROUTE, project, name);
}

const struct vd_attachment *vd_view_attachment(const struct vd_view *view, const char *project, const char *port)
{
	return get(view, VD_KIND_ATTACHMENT, project, port);
}

const struct vd_host *vd_view_host(const struct vd_view *view, const char *name)
{
	return get(view, VD_KIND_HOST, VD_HOST_PROJECT, name);
}

const struct vd_security_group_rule *vd_view_rule(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_SECURITY_GROUP_RULE, project, name);
}

const struct vd_router_profile *vd_view_router_profile(const struct vd_view *view, const char *project, const char *name)
{
	vd_view_read(view, vd_key_resource(VD_KIND_ROUTER_PROFILE, project, name));
	return vd_model_router_profile(view->model, project, name);
}

const struct vd_port *vd_view_port_by_address(const struct vd_view *view, const struct vd_vpc *vpc,
					      const struct vd_address *address)
{
	const struct vd_port *port;

	vd_view_read(view, vd_key_address(vpc->head.project, vpc->head.name, address));
	port = vd_model_port_by_address(view->model, vpc->head.project, vpc->head.name, address);
	/* That it has the address and is of this VPC are its own and its subnet's fields. */
	if (port) {
		vd_view_read(view, vd_key_resource(VD_KIND_PORT, port->head.project, port->head.name));
		vd_view_read(view, vd_key_resource(VD_KIND_SUBNET, port->head.project, port->subnet));
	}
	return port;
}

/* A port said to be default goes before one that is not, then the first by name. */
static int pick_default(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource, **best = userdata;

	if (!*best || port->is_default > (*best)->is_default ||
	    (port->is_default == (*best)->is_default && strcmp(port->head.name, (*best)->head.name) < 0))
		*best = port;
	return 0;
}

bool vd_view_is_default(const struct vd_view *view, const struct vd_port *port)
{
	const struct vd_port *best = NULL;

	if (!port->instance)
		return true;
	vd_view_read(view, vd_key_instance(port->head.project, port->instance));
	vd_model_each_port_of_instance(view->model, port->head.project, port->instance, pick_default, &best);
	return best && strcmp(best->head.name, port->head.name) == 0;
}

bool vd_view_is_present(const struct vd_view *view, const char *project, const char *vpc)
{
	vd_view_read(view, vd_key_presence(project, vpc, view->host));
	return vd_relation_has(&view->graph->presence, project, vpc, view->host);
}

int vd_view_each_vpc_of_host(const struct vd_view *view, const char *host, int (*visit)(const struct vd_pair *, void *),
			     void *userdata)
{
	vd_view_read(view, vd_key_vpcs_of_host(host));
	return vd_relation_each_of_other(&view->graph->presence, NULL, host, visit, userdata);
}

int vd_view_each_table_of_vpc(const struct vd_view *view, const struct vd_vpc *vpc, int (*visit)(const struct vd_pair *, void *),
			      void *userdata)
{
	vd_view_read(view, vd_key_tables_of_vpc(vpc->head.project, vpc->head.name));
	return vd_relation_each_of_vpc(&view->graph->uses, vpc->head.project, vpc->head.name, visit, userdata);
}

int vd_view_each_group_set(const struct vd_view *view, const char *project, const char *group,
			   int (*visit)(const struct vd_group_set *, void *), void *userdata)
{
	vd_view_read(view, vd_key_identities(project, group));
	return vd_group_sets_each(&view->graph->group_sets, project, group, visit, userdata);
}

struct here_visit {
	int (*visit)(const struct vd_group_set *set, void *userdata);
	void *userdata;
};

static int visit_if_here(const struct vd_group_set *set, void *userdata)
{
	const struct here_visit *here = userdata;

	return set->ports_here > 0 ? here->visit(set, here->userdata) : 0;
}

int vd_view_each_group_set_here(const struct vd_view *view, const char *project, const char *group,
				int (*visit)(const struct vd_group_set *, void *), void *userdata)
{
	struct here_visit here = {visit, userdata};

	vd_view_read(view, vd_key_identities_here(project, group));
	return vd_group_sets_each(&view->graph->group_sets, project, group, visit_if_here, &here);
}

/* What the question below, with and without a graph, hands on. */
struct name_visit {
	const struct vd_view *view;
	const char *project, *name;
	int (*visit)(const char *name, void *userdata);
	void *userdata;
};

static int visit_vpc_of_pair(const struct vd_pair *pair, void *userdata)
{
	const struct name_visit *names = userdata;

	return names->visit(pair->vpc, names->userdata);
}

static int names_table(const struct vd_resource *resource, void *userdata)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;

	return subnet->route_table && strcmp(subnet->route_table, userdata) == 0;
}

static int visit_vpc_if_user(const struct vd_resource *vpc, void *userdata)
{
	const struct name_visit *names = userdata;

	if (!vd_model_each_subnet_of_vpc(names->view->model, vpc->project, vpc->name, names_table, (void *)names->name))
		return 0;
	return names->visit(vpc->name, names->userdata);
}

int vd_view_each_user_of_table(const struct vd_view *view, const char *project, const char *table,
			       int (*visit)(const char *vpc, void *userdata), void *userdata)
{
	struct name_visit names = {view, project, table, visit, userdata};

	if (!view->graph)
		return vd_model_each(view->model, VD_KIND_VPC, project, visit_vpc_if_user, &names);
	vd_view_read(view, vd_key_users_of_table(project, table));
	return vd_relation_each_of_other(&view->graph->uses, project, table, visit_vpc_of_pair, &names);
}
