/* SPDX-License-Identifier: Apache-2.0 */
#include "model/index.h"
#include "model/kind.h"

#include <stdio.h>
#include <string.h>

/* Who refers to what, by the name of the relation: all of it asks vd_model_each_referrer(). */

/* Of those that refer to a resource in more than one way, the ones that do in this way. */
struct filter {
	const char *name;
	bool (*matches)(const struct vd_resource *resource, const char *name);
	vd_model_visit *visit;
	void *userdata;
};

static bool stands_in_table(const struct vd_resource *resource, const char *name)
{
	return strcmp(((const struct vd_policy_route *)resource)->table, name) == 0;
}

static bool stands_on_vip(const struct vd_resource *resource, const char *name)
{
	return strcmp(((const struct vd_elastic_ip *)resource)->vip, name) == 0;
}

static bool leads_to_vip(const struct vd_resource *resource, const char *name)
{
	const struct vd_elastic_ip *elastic = (const struct vd_elastic_ip *)resource;

	return elastic->private_vip && strcmp(elastic->private_vip, name) == 0;
}

static int visit_matching(const struct vd_resource *resource, void *userdata)
{
	const struct filter *filter = userdata;

	return filter->matches(resource, filter->name) ? filter->visit(resource, filter->userdata) : 0;
}

int vd_model_each_subnet_of_vpc(const struct vd_model *model, const char *project, const char *vpc, vd_model_visit *visit,
				void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_SUBNET, VD_KIND_VPC, project, vpc, visit, userdata);
}

int vd_model_each_port_of_subnet(const struct vd_model *model, const char *project, const char *subnet, vd_model_visit *visit,
				 void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT, VD_KIND_SUBNET, project, subnet, visit, userdata);
}

int vd_model_each_route_of_table(const struct vd_model *model, const char *project, const char *table, vd_model_visit *visit,
				 void *userdata)
{
	/* No route_table is called as a VPC of its project is. */
	int r = vd_model_each_referrer(model, VD_KIND_ROUTE, VD_KIND_ROUTE_TABLE, project, table, visit, userdata);

	return r != 0 ? r : vd_model_each_referrer(model, VD_KIND_ROUTE, VD_KIND_VPC, project, table, visit, userdata);
}

int vd_model_each_port_of_instance(const struct vd_model *model, const char *project, const char *instance, vd_model_visit *visit,
				   void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT, VD_GROUP_INSTANCE, project, instance, visit, userdata);
}

int vd_model_each_rule_of_group(const struct vd_model *model, const char *project, const char *group, vd_model_visit *visit,
				void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_SECURITY_GROUP_RULE, VD_GROUP_RULES, project, group, visit, userdata);
}

int vd_model_each_rule_of_remote_group(const struct vd_model *model, const char *project, const char *group, vd_model_visit *visit,
				       void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_SECURITY_GROUP_RULE, VD_GROUP_REMOTE, project, group, visit, userdata);
}

int vd_model_each_port_of_group(const struct vd_model *model, const char *project, const char *group, vd_model_visit *visit,
				void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT, VD_KIND_SECURITY_GROUP, project, group, visit, userdata);
}

int vd_model_each_port_of_identity(const struct vd_model *model, uint32_t identity, vd_model_visit *visit, void *userdata)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", identity);
	return vd_model_each_referrer(model, VD_KIND_PORT, VD_GROUP_IDENTITY, "", text, visit, userdata);
}

int vd_model_each_vpc_of_profile(const struct vd_model *model, const char *project, const char *profile, vd_model_visit *visit,
				 void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VPC, VD_KIND_ROUTER_PROFILE, project, profile, visit, userdata);
}

int vd_model_each_policy_route_of_table(const struct vd_model *model, const char *project, const char *table, vd_model_visit *visit,
					void *userdata)
{
	/* As for routes. */
	int r = vd_model_each_referrer(model, VD_KIND_POLICY_ROUTE, VD_KIND_VPC, project, table, visit, userdata);
	struct filter filter = {.name = table, .matches = stands_in_table, .visit = visit, .userdata = userdata};

	if (r != 0)
		return r;
	return vd_model_each_referrer(model, VD_KIND_POLICY_ROUTE, VD_KIND_ROUTE_TABLE, project, table, visit_matching, &filter);
}

int vd_model_each_port_of_network(const struct vd_model *model, const char *network, vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, network, visit, userdata);
}

int vd_model_each_vip_of_network(const struct vd_model *model, const char *network, vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VIRTUAL_IP, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, network, visit, userdata);
}

int vd_model_each_vpc_of_network(const struct vd_model *model, const char *network, vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VPC, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, network, visit, userdata);
}

int vd_model_each_network_of_physnet(const struct vd_model *model, const char *physnet, uint32_t vlan, vd_model_visit *visit,
				     void *userdata)
{
	char text[VD_PHYSNET_VLAN_SIZE];

	return vd_model_each_referrer(model, VD_KIND_NETWORK, VD_GROUP_PHYSNET, "", vd_physnet_vlan(physnet, vlan, text), visit,
				      userdata);
}

int vd_model_each_subnet_of_physnet(const struct vd_model *model, const char *physnet, uint32_t vlan, vd_model_visit *visit,
				    void *userdata)
{
	char text[VD_PHYSNET_VLAN_SIZE];

	return vd_model_each_referrer(model, VD_KIND_SUBNET, VD_GROUP_PHYSNET, "", vd_physnet_vlan(physnet, vlan, text), visit,
				      userdata);
}

int vd_model_each_vip_of_subnet(const struct vd_model *model, const char *project, const char *subnet, vd_model_visit *visit,
				void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VIRTUAL_IP, VD_KIND_SUBNET, project, subnet, visit, userdata);
}

int vd_model_each_vip_of_port(const struct vd_model *model, const char *project, const char *port, vd_model_visit *visit,
			      void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VIRTUAL_IP, VD_KIND_PORT, project, port, visit, userdata);
}

int vd_model_each_vip_of_vpc(const struct vd_model *model, const char *project, const char *vpc, vd_model_visit *visit,
			     void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_VIRTUAL_IP, VD_KIND_VPC, project, vpc, visit, userdata);
}

int vd_model_each_elastic_ip_of_port(const struct vd_model *model, const char *project, const char *port, vd_model_visit *visit,
				     void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_ELASTIC_IP, VD_KIND_PORT, project, port, visit, userdata);
}

int vd_model_each_elastic_ip_of_vip(const struct vd_model *model, const char *project, const char *vip, vd_model_visit *visit,
				    void *userdata)
{
	struct filter filter = {.name = vip, .matches = stands_on_vip, .visit = visit, .userdata = userdata};

	return vd_model_each_referrer(model, VD_KIND_ELASTIC_IP, VD_KIND_VIRTUAL_IP, project, vip, visit_matching, &filter);
}

int vd_model_each_elastic_ip_of_private_vip(const struct vd_model *model, const char *project, const char *vip,
					    vd_model_visit *visit, void *userdata)
{
	struct filter filter = {.name = vip, .matches = leads_to_vip, .visit = visit, .userdata = userdata};

	return vd_model_each_referrer(model, VD_KIND_ELASTIC_IP, VD_KIND_VIRTUAL_IP, project, vip, visit_matching, &filter);
}

int vd_model_each_forward_of_vip(const struct vd_model *model, const char *project, const char *vip, vd_model_visit *visit,
				 void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT_FORWARD, VD_KIND_VIRTUAL_IP, project, vip, visit, userdata);
}

int vd_model_each_forward_of_port(const struct vd_model *model, const char *project, const char *port, vd_model_visit *visit,
				  void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PORT_FORWARD, VD_KIND_PORT, project, port, visit, userdata);
}

int vd_model_each_route_of_vip(const struct vd_model *model, const char *project, const char *vip, vd_model_visit *visit,
			       void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_ROUTE, VD_KIND_VIRTUAL_IP, project, vip, visit, userdata);
}

int vd_model_each_route_of_peering(const struct vd_model *model, const char *project, const char *peering, vd_model_visit *visit,
				   void *userdata)
{
	int r = vd_model_each_referrer(model, VD_KIND_ROUTE, VD_KIND_PEERING, project, peering, visit, userdata);

	return r != 0 ? r : vd_model_each_referrer(model, VD_KIND_POLICY_ROUTE, VD_KIND_PEERING, project, peering, visit, userdata);
}

int vd_model_each_peering_of_vpc(const struct vd_model *model, const char *project, const char *vpc, vd_model_visit *visit,
				 void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_PEERING, VD_KIND_VPC, project, vpc, visit, userdata);
}

int vd_model_each_container_network_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
					   vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_CONTAINER_NETWORK, VD_KIND_VPC, project, vpc, visit, userdata);
}

int vd_model_each_node_of_container_network(const struct vd_model *model, const char *project, const char *network,
					    vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_NODE, VD_KIND_CONTAINER_NETWORK, project, network, visit, userdata);
}

int vd_model_each_node_of_port(const struct vd_model *model, const char *project, const char *port, vd_model_visit *visit,
			       void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_NODE, VD_KIND_PORT, project, port, visit, userdata);
}

int vd_model_each_node_of_host(const struct vd_model *model, const char *host, vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_NODE, VD_KIND_HOST, VD_PROJECT_DEFAULT, host, visit, userdata);
}

int vd_model_each_block_of_host(const struct vd_model *model, const char *host, vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_CONTAINER_BLOCK, VD_KIND_HOST, VD_PROJECT_DEFAULT, host, visit, userdata);
}

int vd_model_each_block_of_container_network(const struct vd_model *model, const char *project, const char *network,
					     vd_model_visit *visit, void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_CONTAINER_BLOCK, VD_KIND_CONTAINER_NETWORK, project, network, visit, userdata);
}

int vd_model_each_block_of_port(const struct vd_model *model, const char *project, const char *port, vd_model_visit *visit,
				void *userdata)
{
	return vd_model_each_referrer(model, VD_KIND_CONTAINER_BLOCK, VD_KIND_PORT, project, port, visit, userdata);
}
