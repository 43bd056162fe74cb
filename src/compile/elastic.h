/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_ELASTIC_H
#define VD_COMPILE_ELASTIC_H

#include "compile/view.h"

/* How an elastic IP stands; shared by the plan, by what it counts for, and by the status. */
enum vd_elastic_state {
	VD_ELASTIC_STATE_ACTIVE,
	VD_ELASTIC_STATE_UNBOUND,
	VD_ELASTIC_STATE_GONE,       /* unusable: something that it names is not there, or the virtual IP serves something else */
	VD_ELASTIC_STATE_NOT_HELD,   /* unusable: nobody holds the private virtual IP */
	VD_ELASTIC_STATE_NO_ADDRESS, /* unusable: nothing of the family at the port */
	VD_ELASTIC_STATE_DETACHED,   /* unusable: the port is not attached */
	VD_ELASTIC_STATE_NO_UPLINK,  /* unusable: the instance's host has no uplink, and there is no router that has */
	VD_ELASTIC_STATE_NO_GATEWAY, /* unusable: no host holds the address of the router that would do it */
};

struct vd_elastic_standing {
	enum vd_elastic_state state;
	const struct vd_virtual_ip *vip;
	const struct vd_network *network;
	const struct vd_port *port;
	const struct vd_vpc *vpc; /* NULL: the port is on a network itself */
	uint32_t domain;
	struct vd_address address, inner; /* of the virtual IP, and behind it */
	const char *port_host;            /* where the port is attached, or NULL */
	const char *host;                 /* who answers for it, or NULL */
};

void vd_elastic_stand(const struct vd_view *view, const struct vd_elastic_ip *elastic, struct vd_elastic_standing *ret);
/* Whether an elastic IP stands, active, for that address of the port: for the status of what leaves through it. */
bool vd_view_has_elastic(const struct vd_view *view, const struct vd_port *port, const struct vd_address *inner);

#endif
