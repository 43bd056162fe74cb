/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_ADVERTISEMENT_H
#define VD_SERVICES_DHCP_ADVERTISEMENT_H

#include "services/dhcp/counters.h"
#include "services/dhcp/frame.h"
#include "services/router/state.h"

#define VD_ADVERTISEMENT_INTERVAL 200 /* seconds between two to a port that asked for none */

/*
 * Router advertisements (RFC 4861, RFC 8106 for DNS, RFC 4191 for routes). Addresses come by DHCPv6 (flags M and O), the prefix is on the
 * link but not for making addresses of; a port that is not its instance's default has a router lifetime of 0 and routes to its VPC.
 */

/* To one port: all nodes' address, its MAC. Returns the size of the frame; 0: its subnet has no IPv6, or DHCP off. */
size_t vd_advertisement_write(const struct vd_router_state *state, const struct vd_router_port *port, uint8_t frame[VD_FRAME_SIZE]);
/* The answer to a router solicitation; 0: none is due. */
size_t vd_advertisement_answer(const struct vd_router_state *state, const struct vd_frame *solicitation,
			       struct vd_dhcp_counters *counters, uint8_t answer[VD_FRAME_SIZE]);

#endif
