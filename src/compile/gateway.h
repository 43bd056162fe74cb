/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_GATEWAY_H
#define VD_COMPILE_GATEWAY_H

#include "compile/view.h"
#include "plan/plan.h"

/* "<vpc>.<network>": the name of a router's own virtual IP on a network, and of the fact that says who holds it. */
#define VD_GATEWAY_NAME_SIZE (2 * VD_NAME_SIZE)
const char *vd_gateway_name(const char *vpc, const char *network, char text[VD_GATEWAY_NAME_SIZE]);

/* The router's own virtual IP on the network; NULL: it is not attached there. */
const struct vd_virtual_ip *vd_view_system_vip(const struct vd_view *view, const char *project, const char *vpc,
					       const char *network);
/* The host through which the VPC leaves to the network. NULL: nobody holds the router's address, or not with an uplink. */
const char *vd_view_gateway_host(const struct vd_view *view, const char *project, const char *vpc,
				 const struct vd_network *network);
bool vd_view_is_gateway_here(const struct vd_view *view, const char *project, const char *vpc, const struct vd_network *network);

/* The first address of that family, or NULL. */
const struct vd_address *vd_virtual_ip_address(const struct vd_virtual_ip *vip, uint8_t family);
/* Its CIDR of that family, its gateway of that family, or NULL. */
const struct vd_prefix *vd_network_cidr(const struct vd_network *network, uint8_t family);
const struct vd_address *vd_network_gateway(const struct vd_network *network, uint8_t family);
/* Of those that the VPC is attached to, the one that the address is of, or NULL. */
const struct vd_network *vd_view_network_of_address(const struct vd_view *view, const struct vd_vpc *vpc,
						    const struct vd_address *address);
/* The first network, in the VPC's order, that leads on in that family. NULL: none. */
const struct vd_network *vd_view_default_network(const struct vd_view *view, const struct vd_vpc *vpc, uint8_t family);

/*
 * What the VPC's router asks name servers with on the host with this id (model/service_address.h). False, and ret untouched: the VPC
 * leads nowhere in that family.
 */
bool vd_service_find(const struct vd_view *view, const struct vd_vpc *vpc, uint32_t host, uint8_t family, struct vd_address *ret);

/* The way out of a VPC to a network that it is attached to: everything but its id. ret is a whole record. */
void vd_exit_fill(const struct vd_view *view, const struct vd_vpc *vpc, const struct vd_network *network,
		  struct vd_plan_record *ret);

#endif
