/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_NODE_H
#define VD_AGENT_NODE_H

#include "agent/agent.h"
#include "plan/plan.h"

#include <jansson.h>
#include <uthash.h>

/*
 * This host as a node of container networks: the plan's domains of that type with their blocks, their host ports, and the kernel's
 * routes. All of it on the loop.
 */
struct vd_nodes;

/* A block that this host holds. */
struct vd_node_block {
	struct vd_node_block *prev, *next;
	struct vd_plan_block plan;
	char bridge[16]; /* whose bridge has it: then its addresses are somebody else's to give; "": nobody's */
	bool closed;     /* about to be given back: no address of it is given any more */
};

/* A single address of a block here that is another node's now, or was promised to one. */
struct vd_node_lent {
	struct vd_address address;
	int64_t until; /* seconds, CLOCK_MONOTONIC: of a promise; 0: it is that node's by the plan */
	UT_hash_handle hh;
};

/* A container network that this host takes part in. */
struct vd_node_network {
	uint32_t domain;
	bool stands; /* the plan has its domain; false: what is left of it goes */
	struct vd_plan_domain plan;
	struct vd_node_block *blocks; /* in the order of their prefixes */
	struct vd_node_lent *lent;
	uint32_t ifindex; /* the data plane's end of its host port, 0: none yet */
	uint32_t mtu;     /* that its containers' ports have in the data plane; 0: they may not be there */
	bool due;
	UT_hash_handle hh;
};

int vd_agent_nodes_new(struct vd_agent *agent);
void vd_agent_nodes_free(struct vd_agent *agent);

/* Takes in what a step of the plan's difference means for this host as a node. */
int vd_agent_nodes_step(struct vd_agent *agent, const struct vd_plan_step *step);
/* After all steps, when the data plane has them: host ports and routes become what they mean. */
int vd_agent_nodes_settle(struct vd_agent *agent, struct vd_error *error);
/* Links or addresses of this host, not ours, have changed: bridges, and routes that went with a link, are looked at again. */
void vd_agent_nodes_check(struct vd_agent *agent);
/* Removes what no plan knows, left by an earlier daemon. */
void vd_agent_nodes_sweep(struct vd_agent *agent);

/* NULL when this host is no node of it. */
struct vd_node_network *vd_agent_node_network(const struct vd_agent *agent, uint32_t domain);
/* The block that the address lies in, the narrowest; NULL: none of ours. */
struct vd_node_block *vd_node_block_of(const struct vd_node_network *network, const struct vd_address *address);

/* Whether another node has the address, or may have it soon. */
bool vd_node_is_lent(struct vd_node_network *network, const struct vd_address *address);
/* Promises it to another node, for so long. */
int vd_node_lend(struct vd_node_network *network, const struct vd_address *address, unsigned seconds);

/* {"networks": [{"network", "project", "domain", "mtu", "blocks": [{"block", "gateway"?, "bridge"?}]}], "problems": [sentence], "routes"}. */
json_t *vd_agent_nodes_status(const struct vd_agent *agent);

#endif
