/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_ROUTER_CONTROL_H
#define VD_SERVICES_ROUTER_CONTROL_H

#include "services/router/state.h"

#include <uv.h>

/*
 * How the agent feeds a router and asks it: a unix stream socket, a JSON object a line.
 *   {"op":"begin"}                       a full set follows; what is not in it goes with commit
 *   {"op":"put","kind":K,…}              see router/state.h; kinds "router", "subnet", "port", "name"
 *   {"op":"remove","kind":K,key}
 *   {"op":"commit"}                      -> {"ok":true,"version":…,"pid":…}: everything before is obeyed
 *   {"op":"status"}                      -> {"ok":true,"version":…,"pid":…, and what the status callback adds}
 * Anything else, or a record that cannot be taken: {"error": sentence}. put, remove and begin answer only then.
 */
struct vd_router_control;

struct vd_router_control_callbacks {
	/* Adds its fields to the answer of "status". */
	void (*status)(json_t *answer, void *userdata);
	/* The state has changed; once for all lines that came together. */
	void (*changed)(void *userdata);
	void *userdata;
};

/* The socket is made anew, for root only; whoever else listened there is not reached any more. */
int vd_router_control_new(uv_loop_t *loop, struct vd_router_state *state, const char *socket_path,
			  const struct vd_router_control_callbacks *callbacks, struct vd_router_control **ret,
			  struct vd_error *error);
/* Closes its handles; run the loop once more before it goes. */
void vd_router_control_free(struct vd_router_control *control);

/* One line's answer: a new reference, or NULL when there is nothing to say. Pure but for the callbacks. */
json_t *vd_router_control_answer(struct vd_router_state *state, const char *line, size_t size,
				 const struct vd_router_control_callbacks *callbacks);

#endif
