/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP6_OPTIONS_H
#define VD_SERVICES_DHCP_DHCP6_OPTIONS_H

#include "base/address.h"

/* Inside src/services/dhcp only: the options of a DHCPv6 message. */

enum vd_dhcp6_option {
	VD_DHCP6_OPTION_CLIENT_ID = 1,
	VD_DHCP6_OPTION_SERVER_ID = 2,
	VD_DHCP6_OPTION_IA_NA = 3,
	VD_DHCP6_OPTION_ADDRESS = 5,
	VD_DHCP6_OPTION_PREFERENCE = 7,
	VD_DHCP6_OPTION_STATUS = 13,
	VD_DHCP6_OPTION_RAPID_COMMIT = 14,
	VD_DHCP6_OPTION_DNS = 23,           /* RFC 3646 */
	VD_DHCP6_OPTION_DOMAIN_SEARCH = 24, /* RFC 3646 */
};

#define VD_DHCP6_HEADER_SIZE 4 /* type and transaction id */
#define VD_DHCP6_DUID_MAX 130  /* RFC 8415 section 11.1: a type and at most 128 bytes */
#define VD_DHCP6_IA_MAX 8      /* of one message; more are passed over */
#define VD_DHCP6_ADDRESS_MAX 16

struct vd_dhcp6_ia {
	uint32_t id;
	struct vd_address addresses[VD_DHCP6_ADDRESS_MAX];
	size_t address_count;
};

/* What a client's options say. The identifiers lie in the message. */
struct vd_dhcp6_options {
	const uint8_t *client_id, *server_id; /* NULL: not given */
	size_t client_id_size, server_id_size;
	struct vd_dhcp6_ia ias[VD_DHCP6_IA_MAX];
	size_t ia_count;
	bool rapid_commit;
};

/* 0, or -EINVAL when they break RFC 8415. */
int vd_dhcp6_options_parse(const uint8_t *message, size_t size, struct vd_dhcp6_options *ret);

#endif
