/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_UPLINK_H
#define VD_AGENT_UPLINK_H

#include "agent/agent.h"
#include "host/uplink.h"
#include "plan/plan.h"

#include <jansson.h>

/*
 * The uplinks of this host (--uplink): as they stand, which of them carry the data plane's program, which MACs they let through, and
 * the networks of the plan on them. On the loop, but for vd_agent_uplinks_json.
 */
struct vd_uplinks;

/* Reads them. Refuses with a sentence what cannot be an uplink; what does not exist is missing until it comes. */
int vd_agent_uplinks_open(struct vd_agent *agent, struct vd_error *error);
void vd_agent_uplinks_free(struct vd_agent *agent);
/* Links of this host came, went or changed: true when an uplink is not as it was, so that the claim must say so. */
bool vd_agent_uplinks_check(struct vd_agent *agent);
/* Those that stand, as a claim says them (model/uplink.c). Any thread; a new reference. */
json_t *vd_agent_uplinks_claim(struct vd_agent *agent);
/* What a person sees. */
json_t *vd_agent_uplinks_status(struct vd_agent *agent);

/* Takes in what a step of the plan's difference means for uplinks. */
int vd_agent_uplinks_step(struct vd_agent *agent, const struct vd_plan_step *step);
/* After all steps: programs and filters become what they mean. */
int vd_agent_uplinks_settle(struct vd_agent *agent, struct vd_error *error);

/* Where the frames of a network leave. */
struct vd_agent_wire {
	uint32_t ifindex;
	uint16_t vlan;
	struct vd_mac mac;
};
/*
 * network: of the plan; or a VPC's id, for an address of one of its subnets on a provider segment. -ENOENT when this host has no uplink
 * to it.
 */
int vd_agent_wire_find(const struct vd_agent *agent, uint32_t network, const struct vd_address *address, struct vd_agent_wire *ret);
/* NULL when the plan has none of that id here. Stands until the next step. */
const struct vd_plan_network *vd_agent_network_find(const struct vd_agent *agent, uint32_t network);
/* The frame leaves by the wire. What cannot be sent is lost: who asks asks again. */
struct vd_host_frame;
void vd_agent_wire_send(struct vd_agent *agent, const struct vd_agent_wire *wire, const struct vd_host_frame *frame);

#endif
