/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_FORWARD_H
#define VD_COMPILE_FORWARD_H

#include "compile/view.h"

/* How a port forward stands; shared by the plan, by what it counts for, and by the status. */
enum vd_forward_state {
	VD_FORWARD_STATE_ACTIVE,
	VD_FORWARD_STATE_UNBOUND,
	VD_FORWARD_STATE_GONE,         /* unusable: something that it names is not there */
	VD_FORWARD_STATE_NO_ADDRESS,   /* unusable: the port has nothing of the family */
	VD_FORWARD_STATE_NO_ROUTER,    /* unusable: the VPC is not attached to the network */
	VD_FORWARD_STATE_NO_GATEWAY,   /* unusable: no host holds the router's address there */
	VD_FORWARD_STATE_OTHER_ROUTER, /* unusable: the virtual IP is another router's own */
};

struct vd_forward_standing {
	enum vd_forward_state state;
	const struct vd_virtual_ip *vip;
	const struct vd_network *network;
	const struct vd_port *port;
	const struct vd_subnet *subnet;
	struct vd_address address, inner;
	const char *host; /* who translates, or NULL */
};

void vd_forward_stand(const struct vd_view *view, const struct vd_port_forward *forward, struct vd_forward_standing *ret);

#endif
