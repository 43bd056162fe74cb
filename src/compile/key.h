/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_KEY_H
#define VD_COMPILE_KEY_H

#include "compile/graph.h"
#include "model/resource.h"

/* The facts that a derivation can depend on, each as a hash. */
uint64_t vd_key_resource(enum vd_kind kind, const char *project, const char *name); /* present or not, and every field */
uint64_t vd_key_address(const char *project, const char *vpc, const struct vd_address *address); /* some port of the VPC gets it */
uint64_t vd_key_instance(const char *project, const char *instance);                             /* its ports, and their fields */
uint64_t vd_key_claims(void);                                                                    /* any claim */
uint64_t vd_key_pair(enum vd_relation_type type, const char *project, const char *vpc, const char *other); /* whether it is there */
uint64_t vd_key_pairs_of_vpc(enum vd_relation_type type, const char *project, const char *vpc);
uint64_t vd_key_pairs_of_other(enum vd_relation_type type, const char *other); /* in any project */
/* Which resources of a kind name this one in that field: "what elastic IPs lead to port p1?" */
uint64_t vd_key_members(enum vd_kind kind, const char *field, const char *project, const char *name);
/* A virtual IP with this address on a network. */
uint64_t vd_key_vip_address(const char *network, const struct vd_address *address);
uint64_t vd_key_identities(const char *project, const char *group);      /* which sets of groups with this one ports have */
uint64_t vd_key_identities_here(const char *project, const char *group); /* and which of them ports that are attached here have */
uint64_t vd_key_mtu(const char *project, const char *pool);
uint64_t vd_key_reach(const char *project, const char *pool, const char *host);

uint64_t vd_key_uplink(const char *physnet, const char *host);
uint64_t vd_key_link(const char *physnet, const char *vlan);
uint64_t vd_key_station(const char *host);
uint64_t vd_key_node_mtu(const char *project, const char *network);
/* What route a block gets in a VPC. */
uint64_t vd_key_allotment(const char *project, const char *vpc, const struct vd_prefix *block);
uint64_t vd_key_nodes(void); /* which hosts are instances of ours */

#endif
