/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_REACH_H
#define VD_COMPILE_REACH_H

#include "compile/fit.h"
#include "compile/view.h"

/* Blocks of container networks: where they stand, and who reaches them how; shared by the plan and by the status. */

struct vd_block_standing {
	const struct vd_container_block *block;
	const struct vd_container_network *network;
	const struct vd_node *node; /* that holds it; NULL: it is no node any more, or the block is a port's */
	/* What it stands behind in a VPC, when the provider is vpc; all NULL: behind nothing. */
	const struct vd_port *port;
	const struct vd_subnet *subnet;
	const struct vd_vpc *vpc;
	bool has_fit; /* fit was asked for: without a graph it is dear */
	struct vd_fit_block fit;
};

/* False: it counts for nothing, since nobody holds it. That its node is alive is not asked: a dead one's is put into quarantine. */
bool vd_block_stand(const struct vd_view *view, const struct vd_container_block *block, struct vd_block_standing *ret);
/* The route that it got in its VPC; NULL: it stands in none. Borrowed from standing. */
const struct vd_fit_block *vd_view_fit(const struct vd_view *view, struct vd_block_standing *standing);

enum vd_reach_type {
	VD_REACH_TYPE_ROUTED = 1, /* by a route of the node's kernel to the other node: next_hop */
	VD_REACH_TYPE_STACK,      /* as everything else: the VPC, or the LAN's gateway, has the route */
	VD_REACH_TYPE_TUNNEL,
	VD_REACH_TYPE_NONE, /* no node is there to take it out of a tunnel */
};

/* Why a tunnel, or nothing. */
enum vd_reach_reason {
	VD_REACH_REASON_NONE = 0, /* it is a route */
	VD_REACH_REASON_MODE,     /* the network has no routes */
	VD_REACH_REASON_LAN,      /* the two are on different LANs */
	VD_REACH_REASON_GATEWAY,  /* no gateway of the network is on their LAN */
	VD_REACH_REASON_FAMILY,   /* the underlay address is of the other family */
	VD_REACH_REASON_HERE,     /* the one who asks stands in no VPC */
	VD_REACH_REASON_THERE,    /* the block stands in no VPC */
	VD_REACH_REASON_VPC,      /* they stand in VPCs that do not know each other's blocks */
	VD_REACH_REASON_QUOTA,    /* the VPC's route_quota is used up */
	VD_REACH_REASON_MOVED,    /* it moved out of a block that the kernel sends into the host port */
};

struct vd_reach {
	enum vd_reach_type type;
	enum vd_reach_reason reason;
	struct vd_address next_hop;
};

/* How that host, a node of the network or one of its gateways, sends to the block, which is not its own. */
void vd_reach(const struct vd_view *view, const char *host, struct vd_block_standing *standing, struct vd_reach *ret);

/* Whether it is named as gateway of the network. */
bool vd_is_lan_gateway(const struct vd_container_network *network, const char *host);
/* On which LAN a host stands, as the network's project sees it; "": nobody knows. Returns text. */
const char *vd_view_lan(const struct vd_view *view, const char *project, const char *host, char text[VD_NAME_SIZE]);
/* Whether each of the two VPCs gets the other's addresses by itself, and those of the prefix as they are. */
bool vd_view_are_peers(const struct vd_view *view, const struct vd_vpc *vpc, const char *peer, const struct vd_prefix *prefix);
/* The other VPC of a peering. */
const char *vd_peering_other(const struct vd_peering *peering, const char *vpc);

#endif
