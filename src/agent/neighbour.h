/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_NEIGHBOUR_H
#define VD_AGENT_NEIGHBOUR_H

#include "agent/agent.h"
#include "plan/plan.h"

#include <jansson.h>

/*
 * Keeping the MACs of next hops on provider networks known: asks for what the plan names (NEXT_HOP) and what packets wait for, asks
 * again before it is old, and forgets what nobody needs. The answers go to the data plane, which learns them; the first packet that
 * waited is sent then. On the loop.
 */
struct vd_neighbours;

int vd_agent_neighbours_new(struct vd_agent *agent);
void vd_agent_neighbours_free(struct vd_agent *agent);
/* The loop runs and the data plane is open. */
void vd_agent_neighbours_start(struct vd_agent *agent);
int vd_agent_neighbours_step(struct vd_agent *agent, const struct vd_plan_step *step);
/* Packets wait for some, or need not wait any more: the data plane has said which. */
void vd_agent_neighbours_read(struct vd_agent *agent);
/* No new next hop of the plan is being waited for; when that is over, vd_agent_applied is called. */
bool vd_agent_neighbours_are_settled(const struct vd_agent *agent);
/* {"neighbours": [{"network", "address", "mac"?, "state": "known" | "asked" | "silent", "next_hop", "confirmed"?: seconds ago}]}. */
json_t *vd_agent_neighbours_status(struct vd_agent *agent);

/* What is to be done about one. Pure. */
enum vd_neighbour_care {
	VD_NEIGHBOUR_CARE_NOTHING,
	VD_NEIGHBOUR_CARE_REFRESH, /* ask the MAC that is known */
	VD_NEIGHBOUR_CARE_ASK,     /* ask everyone */
	VD_NEIGHBOUR_CARE_FORGET,
};
/* Times in seconds since then; asked: that a packet wanted it. */
enum vd_neighbour_care vd_neighbour_care(bool is_next_hop, bool known, uint64_t confirmed, uint64_t asked);

#endif
