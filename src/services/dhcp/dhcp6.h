/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP6_H
#define VD_SERVICES_DHCP_DHCP6_H

#include "services/dhcp/counters.h"
#include "services/dhcp/frame.h"
#include "services/router/state.h"

#define VD_DHCP6_SERVER_PORT 547
#define VD_DHCP6_CLIENT_PORT 546

/*
 * A DHCPv6 server (RFC 8415; DNS by RFC 3646) without a lease database, for the addresses of IA_NA. request is a datagram to port 547;
 * its source MAC names the port, whose IPv6 addresses go to the first IA_NA of the message. Writes the whole frame of the answer and
 * returns its size; 0: none is due.
 */
size_t vd_dhcp6_answer(const struct vd_router_state *state, const struct vd_frame *request, struct vd_dhcp_counters *counters,
		       uint8_t answer[VD_FRAME_SIZE]);

#endif
