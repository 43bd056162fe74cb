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
int vd_derive_host(const struct vd_view *view, const struct vd_unit *unit,
		   struct vd_records *ret); /* TUNNEL_HOST, ENDPOINT (service) */
int vd_derive_vpc(const struct vd_view *view, const struct vd_unit *unit,
		  struct vd_records *ret); /* DOMAIN, ROUTE (LOCAL), ENDPOINT (metadata, service) */
int vd_derive_subnet(const struct vd_view *view, const struct vd_unit *unit,
		     struct vd_records *ret); /* SUBNET, SEGMENT, ENDPOINT (GATEWAY) */
int vd_derive_port(const struct vd_view *view, const struct vd_unit *unit,
		   struct vd_records *ret); /* PORT, SOURCE, ENDPOINT, NAME */
int vd_derive_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* ROUTE, EXIT */
int vd_derive_network(const struct vd_view *view, const struct vd_unit *unit,
		      struct vd_records *ret); /* NETWORK, SEGMENT, ROUTE, NEXT_HOP, DOMAIN, SUBNET, ENDPOINT (services) */
int vd_derive_virtual_ip(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret);   /* VIP (ROUTER) */
int vd_derive_elastic_ip(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret);   /* VIP (ELASTIC) */
int vd_derive_port_forward(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* FORWARD */
int vd_derive_policy_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* POLICY_ROUTE, EXIT */
int vd_derive_peering(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret);      /* ROUTE (PEER) */
int vd_derive_container_network(const struct vd_view *view, const struct vd_unit *unit,
				struct vd_records *ret); /* DOMAIN, ROUTE, EXEMPT */
int vd_derive_container_block(const struct vd_view *view, const struct vd_unit *unit,
			      struct vd_records *ret); /* BLOCK, ENDPOINT (GATEWAY), ROUTE, HOST_ROUTE, SOURCE */
int vd_derive_node(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret);    /* none */
int vd_derive_gateway(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret); /* none */

/* What a rule grants to the identities on this host, in order; ret belongs to the caller, also on failure. */
int vd_derive_rule(const struct vd_view *view, const struct vd_unit *unit, struct vd_grants *ret);

/* The id of the table that a subnet's ports use: 0 the main one. */
uint32_t vd_subnet_table(const struct vd_view *view, const struct vd_subnet *subnet);
/* The subnet's CIDR of that family, or NULL. */
const struct vd_prefix *vd_subnet_cidr(const struct vd_subnet *subnet, uint8_t family);

void vd_subnet_set_family(struct vd_plan_subnet *record, const struct vd_prefix *cidr, const struct vd_address *gateway);
/* An address that the domain's router answers for: an ENDPOINT. subnet 0: of none. */
int vd_gateway_add(uint32_t domain, uint32_t subnet, const struct vd_address *gateway, struct vd_records *records);
int vd_metadata_add(uint32_t domain, struct vd_records *records);
/* Bytes of an IP packet of an instance on it here. */
uint32_t vd_view_network_mtu(const struct vd_view *view, const struct vd_network *network);

/* The port's first address of that family, or NULL. */
const struct vd_address *vd_port_address(const struct vd_port *port, uint8_t family);

/* A virtual IP's record, held by that host: what does not depend on what is behind it. ret is a whole record. */
void vd_vip_fill(const struct vd_view *view, const struct vd_network *network, const struct vd_virtual_ip *vip,
		 const struct vd_address *address, const char *host, struct vd_plan_record *ret);

/* The VPC's CIDR that the destination, or that of the route, lies in, or NULL: there the route is inert, connected wins. */
const struct vd_prefix *vd_vpc_covers(const struct vd_vpc *vpc, const struct vd_prefix *destination);
const struct vd_prefix *vd_route_covering_cidr(const struct vd_route *route, const struct vd_vpc *vpc);
/* The family that a policy route is for; IPv4 when nothing in it says. */
uint8_t vd_policy_route_family(const struct vd_policy_route *policy);

/* A table as routes name it. */
struct vd_table_name {
	const char *project, *name;
	bool is_vpc; /* the main table of the VPC that is called so */
};

/*
 * Each VPC that uses the table: as main one, or by its id; one VPC may be visited once for each. is_looked_up: also those where
 * only policy routes look it up. Returns what visit returned, if not 0.
 */
int vd_table_each_vpc(const struct vd_view *view, const struct vd_table_name *table, bool is_looked_up,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata);
int vd_route_each_vpc(const struct vd_view *view, const struct vd_route *route,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata);
int vd_policy_route_each_vpc(const struct vd_view *view, const struct vd_policy_route *policy,
			     int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata);

/* What they count for. */
int vd_route_hold(const struct vd_view *view, const struct vd_route *route, struct vd_holdings *holdings);
int vd_policy_route_hold(const struct vd_view *view, const struct vd_policy_route *policy, struct vd_holdings *holdings);
int vd_peering_hold(const struct vd_view *view, const struct vd_peering *peering, struct vd_holdings *holdings);
int vd_node_hold(const struct vd_view *view, const struct vd_node *node, struct vd_holdings *holdings);
int vd_container_block_hold(const struct vd_view *view, const struct vd_container_block *block, struct vd_holdings *holdings);
/* Whether the user has a route to exactly this in the VPC's table: it stands in place of what comes by itself. Needs a graph. */
bool vd_view_has_route(const struct vd_view *view, const struct vd_vpc *vpc, uint32_t table, const struct vd_prefix *destination);

#endif
