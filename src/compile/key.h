/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_KEY_H
#define VD_COMPILE_KEY_H

#include "compile/table.h"
#include "model/resource.h"

/* The facts that a derivation can depend on, each as a hash. */
uint64_t vd_key_resource(enum vd_kind kind, const char *project, const char *name); /* present or not, and every field */
uint64_t vd_key_address(const char *project, const char *vpc, const struct vd_address *address); /* some port of the VPC gets it */
uint64_t vd_key_instance(const char *project, const char *instance);                             /* its ports, and their fields */
uint64_t vd_key_claims(void);                                                                    /* any claim */
uint64_t vd_key_presence(const char *project, const char *vpc, const char *host);
uint64_t vd_key_vpcs_of_host(const char *host);
uint64_t vd_key_tables_of_vpc(const char *project, const char *vpc);
uint64_t vd_key_users_of_table(const char *project, const char *table);
uint64_t vd_key_identities(const char *project, const char *group);      /* which sets of groups with this one ports have */
uint64_t vd_key_identities_here(const char *project, const char *group); /* and which of them ports that are attached here have */
uint64_t vd_key_mtu(const char *project, const char *pool);
uint64_t vd_key_reach(const char *project, const char *pool, const char *host);

#endif
