/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_KEEPER_RULES_H
#define VD_AGENT_KEEPER_RULES_H

#include "host/firewall.h"
#include "plan/plan.h"

#include <uthash.h>

/* What the plan's blocks, exempt prefixes and kernel routes ask of the packet filter. Pure. */
struct vd_keeper_item {
	struct {
		uint32_t domain;
		enum vd_plan_kind kind;
		struct vd_prefix prefix;
	} key; /* bytes, zeroed */
	bool masquerade, has_next_hop;
	UT_hash_handle hh;
};
struct vd_keeper_book {
	struct vd_keeper_item *items;
};

/* 1 when the step is about something of the book, 0, -ENOMEM. */
int vd_keeper_book_step(struct vd_keeper_book *book, const struct vd_plan_step *step);
void vd_keeper_book_done(struct vd_keeper_book *book);

/*
 * The rules, without the links of blocks. Where a route to another host's block lies in a prefix that the domain's containers speak
 * with, that is what is passed on as transit: a host that learns of the hundredth block has no other rules than before.
 */
int vd_keeper_book_rules(const struct vd_keeper_book *book, struct vd_firewall_rules *ret);
void vd_keeper_rules_done(struct vd_firewall_rules *rules);

#endif
