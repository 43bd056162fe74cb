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

const struct vd_network *vd_view_network(const struct vd_view *view, const char *name)
{
	return get(view, VD_KIND_NETWORK, VD_HOST_PROJECT, name);
}

const struct vd_virtual_ip *vd_view_virtual_ip(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_VIRTUAL_IP, project, name);
}

const struct vd_elastic_ip *vd_view_elastic_ip(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_ELASTIC_IP, project, name);
}

const struct vd_port_forward *vd_view_port_forward(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_PORT_FORWARD, project, name);
}

const struct vd_policy_route *vd_view_policy_route(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_POLICY_ROUTE, project, name);
}

const struct vd_gateway *vd_view_gateway(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_GATEWAY, project, name);
}

const struct vd_peering *vd_view_peering(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_PEERING, project, name);
}

const struct vd_container_network *vd_view_container_network(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_CONTAINER_NETWORK, project, name);
}

const struct vd_node *vd_view_node(const struct vd_view *view, const char *project, const char *host)
{
	return get(view, VD_KIND_NODE, project, host);
}

const struct vd_container_block *vd_view_container_block(const struct vd_view *view, const char *project, const char *name)
{
	return get(view, VD_KIND_CONTAINER_BLOCK, project, name);
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
	return vd_view_has_pair(view, VD_RELATION_TYPE_PRESENCE, project, vpc, view->host);
}

bool vd_view_is_known(const struct vd_view *view, const char *project, const char *vpc)
{
	return vd_view_is_present(view, project, vpc) || vd_view_has_pair(view, VD_RELATION_TYPE_NEARBY, project, vpc, "");
}

bool vd_view_is_member(const struct vd_view *view, const struct vd_container_network *network, const char *host)
{
	return vd_view_has_pair(view, VD_RELATION_TYPE_MEMBERS, network->head.project, network->head.name, host);
}

bool vd_view_has_pair(const struct vd_view *view, enum vd_relation_type type, const char *project, const char *vpc,
		      const char *other)
{
	vd_view_read(view, vd_key_pair(type, project, vpc, other));
	return vd_relation_has(&view->graph->relations[type], project, vpc, other);
}

int vd_view_each_pair_of_vpc(const struct vd_view *view, enum vd_relation_type type, const char *project, const char *vpc,
			     int (*visit)(const struct vd_pair *, void *), void *userdata)
{
	vd_view_read(view, vd_key_pairs_of_vpc(type, project, vpc));
	return vd_relation_each_of_vpc(&view->graph->relations[type], project, vpc, visit, userdata);
}

int vd_view_each_vpc_of_host(const struct vd_view *view, const char *host, int (*visit)(const struct vd_pair *, void *),
			     void *userdata)
{
	vd_view_read(view, vd_key_pairs_of_other(VD_RELATION_TYPE_PRESENCE, host));
	return vd_relation_each_of_other(&view->graph->relations[VD_RELATION_TYPE_PRESENCE], NULL, host, visit, userdata);
}

int vd_view_each_container_network_of_host(const struct vd_view *view, const char *host,
					   int (*visit)(const struct vd_pair *, void *), void *userdata)
{
	vd_view_read(view, vd_key_pairs_of_other(VD_RELATION_TYPE_MEMBERS, host));
	return vd_relation_each_of_other(&view->graph->relations[VD_RELATION_TYPE_MEMBERS], NULL, host, visit, userdata);
}

/* Each table once: those of subnets, then those that only policy routes look up. */
struct table_visit {
	const struct vd_view *view;
	int (*visit)(const struct vd_pair *pair, void *userdata);
	void *userdata;
};

static int visit_if_unused(const struct vd_pair *pair, void *userdata)
{
	const struct table_visit *tables = userdata;
	const struct vd_relation *uses = &tables->view->graph->relations[VD_RELATION_TYPE_USES];

	return vd_relation_has(uses, pair->project, pair->vpc, pair->other) ? 0 : tables->visit(pair, tables->userdata);
}

int vd_view_each_table_of_vpc(const struct vd_view *view, const struct vd_vpc *vpc, int (*visit)(const struct vd_pair *, void *),
			      void *userdata)
{
	struct table_visit tables = {view, visit, userdata};
	int r = vd_view_each_pair_of_vpc(view, VD_RELATION_TYPE_USES, vpc->head.project, vpc->head.name, visit, userdata);

	return r != 0 ? r
		      : vd_view_each_pair_of_vpc(view, VD_RELATION_TYPE_LOOKUPS, vpc->head.project, vpc->head.name, visit_if_unused,
						 &tables);
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
