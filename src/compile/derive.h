/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_DERIVE_H
#define VD_COMPILE_DERIVE_H

#include "compile/grant.h"
#include "compile/view.h"
#include "plan/plan.h"

/* Records as a unit keeps them: one behind the other, each with the bytes of its kind only. */
struct vd_records {
	uint8_t *bytes;
	size_t size, capacity;
};

int vd_records_add(struct vd_records *records, const struct vd_plan_record *record);
void vd_records_free(struct vd_records *records);
/* Into a name field of a record. */
void vd_record_name(char field[VD_PLAN_NAME_SIZE], const char *name);

/* What a unit yields on this host. 0 or -ENOMEM; nothing at all when its resource is not there. */
int vd_derive_host(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* TUNNEL_HOST */
int vd_derive_vpc(const struct vd_view *view, const struct vd_unit *unit,
		  struct vd_records *ret); /* DOMAIN, ROUTE (LOCAL), ENDPOINT (metadata) */
int vd_derive_subnet(const struct vd_view *view, const struct vd_unit *unit,
		     struct vd_records *ret); /* SUBNET, ENDPOINT (GATEWAY) */
int vd_derive_port(const struct vd_view *view, const struct vd_unit *unit,
		   struct vd_records *ret); /* PORT, SOURCE, ENDPOINT, NAME */
int vd_derive_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* ROUTE */

/* What a rule grants to the identities on this host, in order; ret belongs to the caller, also on failure. */
int vd_derive_rule(const struct vd_view *view, const struct vd_unit *unit, struct vd_grants *ret);

/* The id of the table that a subnet's ports use: 0 the main one. */
uint32_t vd_subnet_table(const struct vd_view *view, const struct vd_subnet *subnet);
/* The subnet's CIDR of that family, or NULL. */
const struct vd_prefix *vd_subnet_cidr(const struct vd_subnet *subnet, uint8_t family);

/* How a route stands in one VPC; shared by the plan and by the status. */
enum vd_route_state {
	VD_ROUTE_STATE_ACTIVE,
	VD_ROUTE_STATE_NO_PORT,     /* unusable: no port has the next hop's address */
	VD_ROUTE_STATE_DETACHED,    /* unusable: the port is not attached */
	VD_ROUTE_STATE_UNREACHABLE, /* unusable: the port's host has no tunnel */
	VD_ROUTE_STATE_INERT,       /* inside a CIDR of the VPC: connected wins */
};

struct vd_route_standing {
	enum vd_route_state state;
	const struct vd_prefix *cidr; /* INERT: which */
	const struct vd_port *port;   /* the next hop's, when there is one */
	const char *host;             /* where it is attached, or NULL */
};

void vd_route_stand(const struct vd_view *view, const struct vd_route *route, const struct vd_vpc *vpc,
		    struct vd_route_standing *ret);

/* Each VPC that a route is in, main or named; one VPC may be visited once for each. Returns what visit returned, if not 0. */
int vd_route_each_vpc(const struct vd_view *view, const struct vd_route *route,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata);

#endif
