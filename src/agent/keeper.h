/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_KEEPER_H
#define VD_AGENT_KEEPER_H

#include "agent/agent.h"
#include "plan/plan.h"

#include <jansson.h>

/*
 * Keeps this host's own kernel so that containers of its blocks are forwarded and translated as they shall be, whatever dockerd,
 * firewalld or an administrator do to packet filters and settings (host/firewall.h, host/setting.h), and knows what prefixes the host
 * has uses for besides. A thread of its own, since the programs of iptables take their time; woken by the kernel's events and, while
 * there are blocks, four times a second for what has none.
 */
struct vd_keeper;

/* Reads what is occupied. Before the claim is written. */
int vd_agent_keeper_new(struct vd_agent *agent, struct vd_error *error);
/* The loop runs, the reporter stands. */
int vd_agent_keeper_start(struct vd_agent *agent, struct vd_error *error);
/* Ends the thread; what stands in the kernel stays. */
void vd_agent_keeper_stop(struct vd_agent *agent);
void vd_agent_keeper_free(struct vd_agent *agent);

/* Takes in what a step of the plan's difference means. On the loop. */
int vd_agent_keeper_step(struct vd_agent *agent, const struct vd_plan_step *step);
/* After all steps. */
int vd_agent_keeper_settle(struct vd_agent *agent);

/*
 * Until what the loop has told the keeper so far stands in the kernel, or cannot: a container whose block is new sends nothing that is
 * not forwarded or translated yet. Some seconds at most. Any thread but the loop's.
 */
void vd_agent_keeper_wait(struct vd_agent *agent);

/* [{"prefix", "name"}], as a claim says it. Any thread; a new reference. */
json_t *vd_agent_keeper_occupied(struct vd_agent *agent);
/*
 * [{"what": sentence, "when": RFC 3339, "times"}] of what was set right since the daemon began, the latest first; ret_problem: why
 * something could not be, NULL: nothing; to be freed. Any thread.
 */
json_t *vd_agent_keeper_changes(struct vd_agent *agent, char **ret_problem);

/* Who drops what containers need, a sentence to be freed; NULL: nobody in the last minute. Any thread. */
char *vd_agent_keeper_refused(struct vd_agent *agent);

/* Without a daemon: removes the rules and gives the settings back. */
int vd_agent_keeper_purge(const struct vd_agent_options *options, struct vd_error *error);

#endif
