/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_ZONE_H
#define VD_SERVICES_DNS_ZONE_H

#include "services/router/state.h"

/* Inside src/services/dns only: what the VPC itself knows of a name. */

enum vd_zone_result {
	VD_ZONE_RESULT_ELSEWHERE = 1, /* not ours: the upstream servers know */
	VD_ZONE_RESULT_APEX,          /* the zone itself */
	VD_ZONE_RESULT_UNKNOWN,       /* ours, and there is no such name */
	VD_ZONE_RESULT_ADDRESSES,     /* a port: record is its first address, the others follow by next */
	VD_ZONE_RESULT_REVERSE,       /* an address: record has its name */
};

struct vd_zone_answer {
	enum vd_zone_result result;
	const struct vd_router_name *record; /* borrowed from the state */
};

/* Longest text of a name, "\032" for odd bytes counted, and the zone's "<vpc>.internal". */
#define VD_ZONE_NAME_SIZE 1100

/* name: as ldns prints it, with or without the dot at its end, of any case. */
struct vd_zone_answer vd_zone_find(const struct vd_router_state *state, const char *name);
/* "<vpc>.internal."; empty before the agent has said which VPC this is. */
void vd_zone_name(const struct vd_router_state *state, char ret[VD_ZONE_NAME_SIZE]);
/* An address out of "1.0.168.192.in-addr.arpa" or its IPv6 sister (lower case, no dot at the end). -EINVAL for anything else. */
int vd_zone_reverse_parse(const char *name, struct vd_address *ret);

#endif
