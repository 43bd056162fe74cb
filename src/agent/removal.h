/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_REMOVAL_H
#define VD_AGENT_REMOVAL_H

#include "agent/agent.h"

#include <stdint.h>

/*
 * Links of containers that go. The kernel waits for a long time when it unmakes one, so the loop only condemns them, when no map and no
 * row lead there any more; a thread removes all that are condemned at once.
 */
struct vd_removals;

int vd_agent_removals_new(struct vd_agent *agent);
void vd_agent_removals_free(struct vd_agent *agent);
/* On the loop: the veth of this port goes. ret_ticket: for wait. */
int vd_agent_removal_order(struct vd_agent *agent, uint32_t port, uint64_t *ret_ticket, struct vd_error *error);
/* Any thread but the loop: returns when it is gone; the sentence and errno when the kernel refused. */
int vd_agent_removal_wait(struct vd_agent *agent, uint64_t ticket, struct vd_error *error);

#endif
