/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_MODEL_H
#define VD_MODEL_MODEL_H

#include "model/resource.h"

/*
 * Everything that was declared and reported, as of one revision: resources by kind, project and name, with the indexes that
 * validation and compile ask. A plain container: no I/O, no opinion. Not thread-safe.
 */
struct vd_model;

struct vd_model *vd_model_new(void);
/* A second container over the same resources, O(number of resources), cheap (no resource is copied). */
struct vd_model *vd_model_copy(const struct vd_model *model);
void vd_model_free(struct vd_model *model);

/* Adds or replaces; takes a reference of its own. The indexes follow. */
int vd_model_put(struct vd_model *model, struct vd_resource *resource);
/* true when there was one. */
bool vd_model_remove(struct vd_model *model, enum vd_kind kind, const char *project, const char *name);

/* Borrowed pointers: valid until that resource is replaced or removed. NULL when absent. */
const struct vd_resource *vd_model_get(const struct vd_model *model, enum vd_kind kind, const char *project, const char *name);
size_t vd_model_count(const struct vd_model *model, enum vd_kind kind);
/* Calls visit for each resource of the kind (project NULL: of every project), in no order, until it returns non-zero; returns that. */
int vd_model_each(const struct vd_model *model, enum vd_kind kind, const char *project,
		  int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);

/* The port of the VPC that is assigned this address, or NULL. */
const struct vd_port *vd_model_port_by_address(const struct vd_model *model, const char *project, const char *vpc,
					       const struct vd_address *address);
/* The port that is on a network itself and assigned this address there, or NULL. */
const struct vd_port *vd_model_port_by_network_address(const struct vd_model *model, const char *network,
						       const struct vd_address *address);
/* The virtual_ip of a subnet of the VPC, or of a network, that is assigned this address, or NULL. */
const struct vd_virtual_ip *vd_model_vip_by_address(const struct vd_model *model, const char *project, const char *vpc,
						    const struct vd_address *address);
const struct vd_virtual_ip *vd_model_vip_by_network_address(const struct vd_model *model, const char *network,
							    const struct vd_address *address);
/* The resource with this id, or NULL. */
const struct vd_resource *vd_model_get_by_id(const struct vd_model *model, uint32_t id);
/* Who has this VNI: a VPC, a subnet or a container network; in the whole installation, since a host's tunnel device knows VNIs only. */
const struct vd_resource *vd_model_get_by_vni(const struct vd_model *model, uint32_t vni);

/* Members: what names the owner. Each visits like vd_model_each. */
int vd_model_each_subnet_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_subnet(const struct vd_model *model, const char *project, const char *subnet,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_route_of_table(const struct vd_model *model, const char *project, const char *table,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* The rules that the group has; those of any group whose remote_group it is. */
int vd_model_each_rule_of_group(const struct vd_model *model, const char *project, const char *group,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_rule_of_remote_group(const struct vd_model *model, const char *project, const char *group,
				       int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_group(const struct vd_model *model, const char *project, const char *group,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Ports with this identity: of one project, in the same groups. */
int vd_model_each_port_of_identity(const struct vd_model *model, uint32_t identity,
				   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_vpc_of_profile(const struct vd_model *model, const char *project, const char *profile,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_instance(const struct vd_model *model, const char *project, const char *instance,
				   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);

/* Networks are of no project; who is on them may be of any. */
int vd_model_each_port_of_network(const struct vd_model *model, const char *network,
				  int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_vip_of_network(const struct vd_model *model, const char *network,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* The VPCs that are attached to it. */
int vd_model_each_vpc_of_network(const struct vd_model *model, const char *network,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* What lives on this VLAN (0: untagged) of a physical network. */
int vd_model_each_network_of_physnet(const struct vd_model *model, const char *physnet, uint32_t vlan,
				     int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_subnet_of_physnet(const struct vd_model *model, const char *physnet, uint32_t vlan,
				    int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_vip_of_subnet(const struct vd_model *model, const char *project, const char *subnet,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* The virtual IPs of subnets that the port holds. */
int vd_model_each_vip_of_port(const struct vd_model *model, const char *project, const char *port,
			      int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* The router's own addresses on networks. */
int vd_model_each_vip_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
			     int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_elastic_ip_of_port(const struct vd_model *model, const char *project, const char *port,
				     int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Those whose vip it is; those whose private_vip it is. */
int vd_model_each_elastic_ip_of_vip(const struct vd_model *model, const char *project, const char *vip,
				    int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_elastic_ip_of_private_vip(const struct vd_model *model, const char *project, const char *vip,
					    int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_forward_of_vip(const struct vd_model *model, const char *project, const char *vip,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_forward_of_port(const struct vd_model *model, const char *project, const char *port,
				  int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Routes whose next hop is this virtual_ip. */
int vd_model_each_route_of_vip(const struct vd_model *model, const char *project, const char *vip,
			       int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Routes, then policy routes, whose next hop is this peering. */
int vd_model_each_route_of_peering(const struct vd_model *model, const char *project, const char *peering,
				   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Those that it is one of the two of. */
int vd_model_each_peering_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* An address of a VPC as another one of the project sees it: as their peering translates it, if they have one that does. */
struct vd_address vd_model_address_as_seen(const struct vd_model *model, const char *project, const char *vpc, const char *by,
					   const struct vd_address *address);
/* Those that say vpc, and the native ones of its subnets. */
int vd_model_each_container_network_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
					   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_node_of_container_network(const struct vd_model *model, const char *project, const char *network,
					    int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_node_of_port(const struct vd_model *model, const char *project, const char *port,
			       int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* A host is of no project; what it takes part in and holds may be of any. */
int vd_model_each_node_of_host(const struct vd_model *model, const char *host,
			       int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_block_of_host(const struct vd_model *model, const char *host,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_block_of_container_network(const struct vd_model *model, const char *project, const char *network,
					     int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_block_of_port(const struct vd_model *model, const char *project, const char *port,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Those that stand in it; that others name it as lookup_table does not count. */
int vd_model_each_policy_route_of_table(const struct vd_model *model, const char *project, const char *table,
					int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);

#endif
