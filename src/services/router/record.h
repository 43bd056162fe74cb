/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_ROUTER_RECORD_H
#define VD_SERVICES_ROUTER_RECORD_H

#include "services/router/state.h"

/* Inside src/services/router only: one record of the control protocol, between JSON and its struct. */

enum vd_router_kind {
	VD_ROUTER_KIND_ROUTER = 1, /* struct vd_router; there is one, without a key */
	VD_ROUTER_KIND_SUBNET,     /* struct vd_router_subnet */
	VD_ROUTER_KIND_PORT,       /* struct vd_router_port */
	VD_ROUTER_KIND_NAME,       /* struct vd_router_name */
};

union vd_router_record {
	struct vd_router router;
	struct vd_router_subnet subnet;
	struct vd_router_port port;
	struct vd_router_name name;
};

/* What "kind" says. 0 or -EINVAL with the sentence. */
int vd_router_kind_parse(const json_t *object, enum vd_router_kind *ret, struct vd_error *error);
/* A whole record; free it with vd_router_record_clear. 0, -EINVAL, -ENOMEM. */
int vd_router_record_parse(enum vd_router_kind kind, const json_t *object, union vd_router_record *ret, struct vd_error *error);
/* Its key alone: an id, or of a name the address. */
int vd_router_key_parse(enum vd_router_kind kind, const json_t *object, union vd_router_record *ret, struct vd_error *error);
void vd_router_record_clear(enum vd_router_kind kind, union vd_router_record *record);

#endif
