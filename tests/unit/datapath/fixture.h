/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DATAPATH_FIXTURE_H
#define TESTS_UNIT_DATAPATH_FIXTURE_H

#include "datapath/datapath.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * The real kernel, in namespaces of our own: a mount namespace with a bpffs at fixture_pins(), a network namespace with the VXLAN
 * device "overlay" and veth pairs "p1"/"i1", "p2"/"i2", …. Nothing of it outlives the process.
 */
#define FIXTURE_PORTS 4

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Ends the process as skipped when it may not make namespaces. */
void fixture_require(void);

const char *fixture_pins(void);
struct vd_datapath_options fixture_options(void);
uint32_t fixture_ifindex(unsigned port); /* of "p<port>"; 0: of the overlay */
/* Runs a command; its failure is the test's. */
void fixture_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A VPC 7 (10.0.0.0/16, fd00::/48) with subnet 8 (10.0.1.0/24), host 50 with VTEP 192.0.2.9, and FIXTURE_PORTS - 1 ports. */
struct vd_plan *fixture_plan(void);
/* Port n (id 100 + n, 10.0.1.<10 + n>, fd00::<10 + n>) and its endpoints. */
void fixture_plan_port(struct vd_plan *plan, unsigned port, uint32_t ifindex);
/* The same in another route table than the main one. */
void fixture_plan_port_in(struct vd_plan *plan, unsigned port, uint32_t ifindex, uint32_t table);
void fixture_plan_route(struct vd_plan *plan, const char *destination, uint32_t id, enum vd_plan_route_type type,
			const char *next_hop);
void fixture_plan_remote(struct vd_plan *plan, const char *address, uint32_t port);

/* Gives port n an identity: nothing comes in, everything goes out. */
void fixture_plan_policy(struct vd_plan *plan, unsigned port, uint32_t identity);
/* Lets TCP first-last from a prefix (NULL: anyone) or an identity in. */
void fixture_plan_rule(struct vd_plan *plan, uint32_t identity, uint32_t rule, uint16_t port, const char *prefix,
		       uint32_t remote_identity);

struct vd_datapath *fixture_open(void);
void fixture_sync(struct vd_datapath *datapath, const struct vd_plan *plan);
void fixture_apply(struct vd_datapath *datapath, const struct vd_plan *before, const struct vd_plan *after);
/* Entries of a map by its name, as status tells it. */
size_t fixture_entries(struct vd_datapath *datapath, const char *map);

#endif
