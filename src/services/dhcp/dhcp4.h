/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP4_H
#define VD_SERVICES_DHCP_DHCP4_H

#include "services/dhcp/counters.h"
#include "services/dhcp/frame.h"
#include "services/router/state.h"

#define VD_DHCP4_SERVER_PORT 67
#define VD_DHCP4_CLIENT_PORT 68

/*
 * A DHCPv4 server (RFC 2131, 2132) without a lease database: a port's address is its own as long as the port stands, so every lease
 * can be given, renewed and checked from the state alone. request is a datagram to port 67; its source MAC names the port. Writes the
 * whole frame of the answer and returns its size; 0: none is due.
 */
size_t vd_dhcp4_answer(const struct vd_router_state *state, const struct vd_frame *request, struct vd_dhcp_counters *counters,
		       uint8_t answer[VD_FRAME_SIZE]);

#endif
