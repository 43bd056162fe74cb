/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_HOP_H
#define VD_COMPILE_HOP_H

#include "compile/derive.h"

/* How a next hop, of a route or of a policy route, stands in one VPC; shared by the plan and by the status. */
enum vd_hop_state {
	VD_HOP_STATE_ACTIVE,
	VD_HOP_STATE_NO_PORT,     /* unusable: no port has the next hop's address */
	VD_HOP_STATE_NO_VIP,      /* unusable: the VPC has no such virtual IP, or not of the family */
	VD_HOP_STATE_NOT_HELD,    /* unusable: nobody holds the virtual IP */
	VD_HOP_STATE_DETACHED,    /* unusable: the port is not attached */
	VD_HOP_STATE_UNREACHABLE, /* unusable: the port's host has no tunnel */
	VD_HOP_STATE_NO_NETWORK,  /* unusable: the VPC is attached to no network with the address */
	VD_HOP_STATE_NO_PEER,     /* unusable: the peering is not there, or none of the VPC's */
	VD_HOP_STATE_NO_GATEWAY,  /* unusable: no host holds the router's address on the network */
};

struct vd_hop_standing {
	enum vd_hop_state state;
	const struct vd_port *port;       /* the next hop's, when there is one */
	const struct vd_network *network; /* PUBLIC and GATEWAY, when there is one */
	const struct vd_vpc *peer;        /* PEERING: the other one */
	const char *host;                 /* where it is attached, or who is the gateway; NULL: nowhere */
	struct vd_address address;        /* the next hop, also a virtual IP's */
};

/* family: that of what is to be sent there. */
void vd_hop_stand(const struct vd_view *view, const struct vd_next_hop *hop, uint8_t family, const struct vd_vpc *vpc,
		  struct vd_hop_standing *ret);

/*
 * Type, next hop and exit of a route record, and the exit's own record. id: of the route or policy route. The route's destination
 * is not looked at.
 */
int vd_hop_fill(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_hop_standing *standing,
		const struct vd_vpc *vpc, uint32_t id, struct vd_plan_route *route, struct vd_records *records);

/* What a next hop on a network counts for: to be asked for where the gateway is, and that addresses are routed in from there. */
int vd_hop_hold(const struct vd_view *view, const struct vd_next_hop *hop, const struct vd_vpc *vpc, struct vd_holdings *holdings);

#endif
