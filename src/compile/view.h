/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_VIEW_H
#define VD_COMPILE_VIEW_H

#include "compile/graph.h"
#include "model/model.h"

/* The project of hosts and claims. */
#define VD_HOST_PROJECT "default"

/*
 * The only way that derivations ask the model: every question is noted as read by the unit being derived. Without a graph (status)
 * nothing is noted and everything is worked out from the model. Pointers are the model's.
 */
struct vd_view {
	const struct vd_model *model;
	const char *host;       /* who we are; NULL: no one (status) */
	struct vd_graph *graph; /* NULL: status */
};

/* Notes a fact as read. */
void vd_view_read(const struct vd_view *view, uint64_t key);

const struct vd_vpc *vd_view_vpc(const struct vd_view *view, const char *project, const char *name);
const struct vd_route_table *vd_view_route_table(const struct vd_view *view, const char *project, const char *name);
const struct vd_subnet *vd_view_subnet(const struct vd_view *view, const char *project, const char *name);
const struct vd_port *vd_view_port(const struct vd_view *view, const char *project, const char *name);
const struct vd_route *vd_view_route(const struct vd_view *view, const char *project, const char *name);
const struct vd_attachment *vd_view_attachment(const struct vd_view *view, const char *project, const char *port);
const struct vd_host *vd_view_host(const struct vd_view *view, const char *name);

const struct vd_network *vd_view_network(const struct vd_view *view, const char *name);
const struct vd_virtual_ip *vd_view_virtual_ip(const struct vd_view *view, const char *project, const char *name);
const struct vd_elastic_ip *vd_view_elastic_ip(const struct vd_view *view, const char *project, const char *name);
const struct vd_port_forward *vd_view_port_forward(const struct vd_view *view, const char *project, const char *name);
const struct vd_policy_route *vd_view_policy_route(const struct vd_view *view, const char *project, const char *name);
const struct vd_gateway *vd_view_gateway(const struct vd_view *view, const char *project, const char *name);
const struct vd_peering *vd_view_peering(const struct vd_view *view, const char *project, const char *name);
const struct vd_container_network *vd_view_container_network(const struct vd_view *view, const char *project, const char *name);
const struct vd_node *vd_view_node(const struct vd_view *view, const char *project, const char *host);
const struct vd_container_block *vd_view_container_block(const struct vd_view *view, const char *project, const char *name);

const struct vd_security_group_rule *vd_view_rule(const struct vd_view *view, const char *project, const char *name);
/* NULL: the VPC names one that does not exist. */
const struct vd_router_profile *vd_view_router_profile(const struct vd_view *view, const char *project, const char *name);

/* The port of the VPC that has this address, or NULL. */
const struct vd_port *vd_view_port_by_address(const struct vd_view *view, const struct vd_vpc *vpc,
					      const struct vd_address *address);
/* Whether this port gives its instance the default route: NET-9, as model/resource.h says it. */
bool vd_view_is_default(const struct vd_view *view, const struct vd_port *port);

/* Bytes of an IP packet inside the VPC: the smallest of its pool's underlays, less what the tunnel adds. */
uint32_t vd_view_mtu(const struct vd_view *view, const struct vd_vpc *vpc);
/* The id of a host whose tunnel the VPC can use; 0 when it has no claim, is not in the pool or is not declared. */
uint32_t vd_view_reach(const struct vd_view *view, const struct vd_vpc *vpc, const char *host);
uint32_t vd_view_reach_in_pool(const struct vd_view *view, const char *project, const char *pool, const char *host);
/* That host's tunnel address in the VPC's pool. 0 or -EADDRNOTAVAIL. */
int vd_view_vtep(const struct vd_view *view, const struct vd_vpc *vpc, const char *host, struct vd_address *ret);
int vd_view_vtep_in_pool(const struct vd_view *view, const char *project, const char *pool, const char *host,
			 struct vd_address *ret);

/* Where a host stands in the underlay; all family none: it said nothing. */
struct vd_station {
	struct vd_address underlay;
	struct vd_prefix lan; /* what is on its link */
};

void vd_view_station(const struct vd_view *view, const char *host, struct vd_station *ret);
/* Bytes of an IP packet of a container: what all nodes of its network can send through the tunnel. */
uint32_t vd_view_node_mtu(const struct vd_view *view, const struct vd_container_network *network);

/* The host's uplink to a physical network, or NULL. */
const struct vd_uplink *vd_view_uplink(const struct vd_view *view, const char *host, const char *physnet);

#define VD_LINK_TEXT (VD_NAME_SIZE + 16)

/* The networks on one VLAN of a physical network: the data plane knows them as one, by the id of the first. */
struct vd_link {
	uint32_t id;                          /* 0: no network */
	struct vd_address gateway4, gateway6; /* the first that a network of it has, by id; family none: no one leads out */
};

void vd_view_link(const struct vd_view *view, const struct vd_network *network, struct vd_link *ret);
/* What the link is called in relations; returns text. */
const char *vd_link_text(const struct vd_network *network, char text[VD_LINK_TEXT]);

/* Derives a unit that is a value; 1 when its value is another than before. */
int vd_view_derive_value(const struct vd_view *view, struct vd_unit *unit);
bool vd_unit_is_value(const struct vd_unit *unit);
/* What readers of such a unit depend on. */
uint64_t vd_view_value_key(const struct vd_unit *unit);

/* Needs a graph, as do the questions below. */
bool vd_view_has_pair(const struct vd_view *view, enum vd_relation_type type, const char *project, const char *vpc,
		      const char *other);
int vd_view_each_pair_of_vpc(const struct vd_view *view, enum vd_relation_type type, const char *project, const char *vpc,
			     int (*visit)(const struct vd_pair *, void *), void *userdata);
/* Whether a port of the VPC is attached on this host, or this is its gateway to some network. */
bool vd_view_is_present(const struct vd_view *view, const char *project, const char *vpc);
/*
 * Present, or a peer of it is: then its ports are known here, and what its main table says of them, but there is no router of it, no
 * service, and no way out.
 */
bool vd_view_is_known(const struct vd_view *view, const char *project, const char *vpc);
/* Whether the host takes part in the container network, or still holds a block of it. */
bool vd_view_is_member(const struct vd_view *view, const struct vd_container_network *network, const char *host);
int vd_view_each_vpc_of_host(const struct vd_view *view, const char *host, int (*visit)(const struct vd_pair *, void *),
			     void *userdata);
int vd_view_each_container_network_of_host(const struct vd_view *view, const char *host,
					   int (*visit)(const struct vd_pair *, void *), void *userdata);
/* Named tables that subnets of the VPC use, or policy routes look up. */
int vd_view_each_table_of_vpc(const struct vd_view *view, const struct vd_vpc *vpc, int (*visit)(const struct vd_pair *, void *),
			      void *userdata);

/* Sets of groups that hold this one and that ports have: anywhere, on this host. */
int vd_view_each_group_set(const struct vd_view *view, const char *project, const char *group,
			   int (*visit)(const struct vd_group_set *, void *), void *userdata);
int vd_view_each_group_set_here(const struct vd_view *view, const char *project, const char *group,
				int (*visit)(const struct vd_group_set *, void *), void *userdata);

#endif
