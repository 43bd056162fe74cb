/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_COUNTERS_H
#define VD_SERVICES_DHCP_COUNTERS_H

#include <stdint.h>

/* What is counted, named once: the member, which is also the name in `status`. The cores count, the runner shows. */
#define VD_DHCP_COUNTERS(X) \
	X(malformed)    /* a frame or message that breaks its RFC */ \
	X(unknown_port) /* from a MAC that no port here has */ \
	X(not_served)   /* the port's subnet has DHCP off, or no address of this family */ \
	X(other_server) /* meant for another server */ \
	X(dhcp4_discover) \
	X(dhcp4_offer) \
	X(dhcp4_request) \
	X(dhcp4_ack) \
	X(dhcp4_nak) \
	X(dhcp4_inform) \
	X(dhcp4_decline) \
	X(dhcp4_release) \
	X(dhcp6_solicit) \
	X(dhcp6_advertise) \
	X(dhcp6_request) \
	X(dhcp6_confirm) \
	X(dhcp6_renew) \
	X(dhcp6_rebind) \
	X(dhcp6_release) \
	X(dhcp6_decline) \
	X(dhcp6_information_request) \
	X(dhcp6_reply) \
	X(router_solicitation) \
	X(router_advertisement) /* solicited or not */ \
	X(send_failed)

struct vd_dhcp_counters {
#define X(name) uint64_t name;
	VD_DHCP_COUNTERS(X)
#undef X
};

#endif
