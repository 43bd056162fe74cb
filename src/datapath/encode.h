/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_ENCODE_H
#define VD_DATAPATH_ENCODE_H

#include "abi/maps.h"
#include "datapath/entry.h"
#include "plan/plan.h"

/* Plan records as map entries. Pure. */

union vd_addr vd_encode_address(const struct vd_address *address);
struct vd_address vd_decode_address(const union vd_addr *address, unsigned family);

/* Records that make entries only together with others (datapath/group.h). */
struct vd_vip_key vd_encode_vip_key(const struct vd_plan_vip *vip);
struct vd_vip_value vd_encode_vip(const struct vd_plan_vip *vip);
struct vd_policy_route vd_encode_policy_route(const struct vd_plan_policy_route *route);

/*
 * Adds the entries that a record alone stands for. What is not in a plan is zero: a domain's service port, a share's use, a port's
 * capture. connection_share: the limit of a domain's share of the connection table. 0 or -ENOMEM.
 */
int vd_encode_record(const struct vd_plan_record *record, uint32_t connection_share, struct vd_entries *entries);

/* The service port of a domain: its port id is the domain's id, which no other resource has. A container network's is the host port. */
struct vd_port_value vd_encode_service_port(uint32_t domain, const struct vd_domain_value *value);

#endif
