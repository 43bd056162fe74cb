/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_ANNOUNCE_H
#define VD_AGENT_ANNOUNCE_H

#include "agent/agent.h"
#include "plan/plan.h"

#include <jansson.h>

/*
 * Telling the neighbours on a provider network that a virtual IP is here now: thrice, because such frames get lost. Whoever had it
 * before says nothing. On the loop.
 */
struct vd_announcements;

int vd_agent_announcements_new(struct vd_agent *agent);
void vd_agent_announcements_free(struct vd_agent *agent);
/* Takes in a step; the data plane has it already, so what is announced is answered. */
int vd_agent_announcements_step(struct vd_agent *agent, const struct vd_plan_step *step);
/* Announces at once what is new: whoever is told that a revision is obeyed may speak to its addresses in the next moment. */
void vd_agent_announcements_begin(struct vd_agent *agent);
/* A virtual IP that this host holds on the network, to ask in its name. -ENOENT. */
int vd_agent_announcements_asker(const struct vd_agent *agent, uint32_t network, uint8_t family, struct vd_address *ret);
/* [{"name", "network", "address", "type": "router" | "elastic", "announced": times}], those that this host holds. */
json_t *vd_agent_announcements_status(const struct vd_agent *agent);

#endif
