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
/* That host's tunnel address in the VPC's pool. 0 or -EADDRNOTAVAIL. */
int vd_view_vtep(const struct vd_view *view, const struct vd_vpc *vpc, const char *host, struct vd_address *ret);
/* Derives an MTU or REACH unit; 1 when its value is another than before. */
int vd_view_derive_value(const struct vd_view *view, struct vd_unit *unit);
/* What readers of an MTU or REACH unit depend on. */
uint64_t vd_view_value_key(const struct vd_unit *unit);

/* Whether a port of the VPC is attached on this host. Needs a graph, as do the questions below. */
bool vd_view_is_present(const struct vd_view *view, const char *project, const char *vpc);
int vd_view_each_vpc_of_host(const struct vd_view *view, const char *host, int (*visit)(const struct vd_pair *, void *),
			     void *userdata);
/* Named tables that subnets of the VPC use. */
int vd_view_each_table_of_vpc(const struct vd_view *view, const struct vd_vpc *vpc, int (*visit)(const struct vd_pair *, void *),
			      void *userdata);

/* Sets of groups that hold this one and that ports have: anywhere, on this host. */
int vd_view_each_group_set(const struct vd_view *view, const char *project, const char *group,
			   int (*visit)(const struct vd_group_set *, void *), void *userdata);
int vd_view_each_group_set_here(const struct vd_view *view, const char *project, const char *group,
				int (*visit)(const struct vd_group_set *, void *), void *userdata);

/* VPCs with subnets that name the table, each once; status too. */
int vd_view_each_user_of_table(const struct vd_view *view, const char *project, const char *table,
			       int (*visit)(const char *vpc, void *userdata), void *userdata);
#endif
