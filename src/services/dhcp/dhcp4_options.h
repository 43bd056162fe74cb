/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP4_OPTIONS_H
#define VD_SERVICES_DHCP_DHCP4_OPTIONS_H

#include "services/dhcp/writer.h"
#include "services/router/state.h"

/* Inside src/services/dhcp only: the options of a DHCPv4 message. */

#define VD_DHCP4_HEADER_SIZE 240 /* fixed fields and the magic cookie */

enum vd_dhcp4_message {
	VD_DHCP4_MESSAGE_DISCOVER = 1,
	VD_DHCP4_MESSAGE_OFFER,
	VD_DHCP4_MESSAGE_REQUEST,
	VD_DHCP4_MESSAGE_DECLINE,
	VD_DHCP4_MESSAGE_ACK,
	VD_DHCP4_MESSAGE_NAK,
	VD_DHCP4_MESSAGE_RELEASE,
	VD_DHCP4_MESSAGE_INFORM,
};

enum vd_dhcp4_option {
	VD_DHCP4_OPTION_PAD = 0,
	VD_DHCP4_OPTION_SUBNET_MASK = 1,
	VD_DHCP4_OPTION_ROUTER = 3,
	VD_DHCP4_OPTION_DNS = 6,
	VD_DHCP4_OPTION_HOSTNAME = 12,
	VD_DHCP4_OPTION_DOMAIN = 15,
	VD_DHCP4_OPTION_MTU = 26,
	VD_DHCP4_OPTION_BROADCAST = 28,
	VD_DHCP4_OPTION_REQUESTED_ADDRESS = 50,
	VD_DHCP4_OPTION_LEASE_TIME = 51,
	VD_DHCP4_OPTION_OVERLOAD = 52,
	VD_DHCP4_OPTION_MESSAGE = 53,
	VD_DHCP4_OPTION_SERVER = 54,
	VD_DHCP4_OPTION_PARAMETERS = 55,
	VD_DHCP4_OPTION_MAX_SIZE = 57,
	VD_DHCP4_OPTION_RENEWAL_TIME = 58,
	VD_DHCP4_OPTION_REBINDING_TIME = 59,
	VD_DHCP4_OPTION_CLIENT_ID = 61,
	VD_DHCP4_OPTION_DOMAIN_SEARCH = 119, /* RFC 3397 */
	VD_DHCP4_OPTION_ROUTES = 121,        /* RFC 3442 */
	VD_DHCP4_OPTION_END = 255,
};

/* What a client's options say, as far as a server asks. */
struct vd_dhcp4_options {
	uint8_t message;                     /* enum vd_dhcp4_message; 0: not given, which is BOOTP */
	struct vd_address requested, server; /* family NONE: not given */
	uint16_t max_size;                   /* of the whole packet from the IP header on; 576 when not given */
	uint8_t wanted[255];                 /* option codes, in the client's order */
	size_t wanted_count;
	uint8_t client_id[255];
	size_t client_id_size;
};

/* What an answer carries. */
struct vd_dhcp4_lease {
	const struct vd_router_port *port;
	const struct vd_router_subnet *subnet;
	struct vd_prefix address;
};

/* The options of a whole message, those in "file" and "sname" too (option 52). 0, or -EINVAL when they break RFC 2132. */
int vd_dhcp4_options_parse(const uint8_t *message, size_t size, struct vd_dhcp4_options *ret);
/*
 * The lease's options: first what the client wants, in its order, then the rest (an interface with a wrong MTU or without its routes does
 * not work, asked for or not). One that does not fit is left out. times: also lease, renewal and rebinding time.
 */
void vd_dhcp4_options_write(struct vd_writer *writer, const struct vd_dhcp4_lease *lease, const struct vd_dhcp4_options *asked,
			    bool times);

#endif
