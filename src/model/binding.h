/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_BINDING_H
#define VD_MODEL_BINDING_H

/* Inside src/model only: what ties virtual IPs to ports, and who has to be looked at again when one of the two changes. */

#include "model/validation.h"

bool vd_virtual_ip_has_family(const struct vd_virtual_ip *vip, unsigned family); /* 0: always */
bool vd_vpc_is_attached(const struct vd_model *model, const char *project, const char *vpc, const char *network);
/* The VPC in which a port or a subnet's virtual_ip is; NULL when it is on a network itself. */
const char *vd_port_vpc(const struct vd_model *model, const struct vd_port *port);
const char *vd_virtual_ip_vpc(const struct vd_model *model, const struct vd_virtual_ip *vip);

/* Can this virtual_ip of a network lead to this port, at this address (family none: one of its families)? */
int vd_binding_check(struct vd_validation *validation, const struct vd_virtual_ip *vip, const struct vd_port *port,
		     const struct vd_address *address, const char *object);

/* The model around one of them. */
int vd_elastic_ip_check(struct vd_validation *validation, const struct vd_elastic_ip *elastic);
int vd_port_forward_check(struct vd_validation *validation, const struct vd_port_forward *forward);

/* user.c: who uses a virtual_ip that changed, what a port has given up. */
int vd_virtual_ip_check_users(struct vd_validation *validation, const struct vd_virtual_ip *vip);
int vd_port_check_users(struct vd_validation *validation, const struct vd_port *before, const struct vd_port *after);

#endif
