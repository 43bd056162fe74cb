/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_POLICY_H
#define VD_TESTS_BPF_POLICY_H

#include "fixture.h"

/* Rules of an identity, straight into the maps, as compile would cut them; and what they mean, worked out one rule after another. */

struct rule {
	uint32_t identity;
	enum vd_policy_direction direction;
	uint8_t protocol;     /* 0: all, 6, 17, 1 */
	uint16_t first, last; /* ports; ICMP: the type twice; 0, 65535: all */
	const char *prefix;   /* NULL: anyone, of both families */
	uint8_t length;
	uint32_t remote_identity; /* 0: none is asked for */
	uint32_t id;
};

/* An identity whose egress is open and whose ingress has no rule. */
void put_policy(struct fixture *fixture, uint32_t identity, bool egress_is_open);
void put_rule(struct fixture *fixture, const struct rule *rule);
/* Its entries go (those that no other rule of the test has), the masks stay; and the policy's generation moves. */
void delete_rule(struct fixture *fixture, const struct rule *rule);
/* The policy of a port here and the identity of its addresses. */
void set_policy(struct fixture *fixture, uint32_t ifindex, uint32_t identity);
/* The identity that an address stands for, here or on another host. */
void set_identity(struct fixture *fixture, uint32_t domain, const char *address, uint32_t identity);

/* Whether one rule allows it, looked at for itself. */
bool rule_allows(const struct rule *rule, uint8_t protocol, uint16_t port, const char *remote, uint32_t remote_identity);

#endif
