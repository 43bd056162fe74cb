/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_KEEPER_WORKER_H
#define VD_AGENT_KEEPER_WORKER_H

#include "base/error.h"
#include "host/firewall.h"

#include <jansson.h>

/* The keeper's thread: what it does to the kernel, and hears of it. In the network namespace of the thread that starts it. */
struct vd_keeper_worker;

struct vd_keeper_worker_options {
	const char *tag, *run_directory; /* as of vd_host_net_open; copied, as all of these */
	const char *docker_host;         /* docker/engine.h; NULL: the usual one */
	const char *underlay_ifname;     /* the link by which other nodes' packets come; "": none */
	uint16_t vxlan_port;

	/* Called from the thread. what: a sentence about something that was set right. */
	void (*changed)(const char *what, void *userdata);
	/* A list as of vd_agent_keeper_occupied, when it is another one; borrowed. */
	void (*occupied)(json_t *list, void *userdata);
	/* The rules that were given by this number stand, or a problem with them has just been told. */
	void (*settled)(uint64_t number, void *userdata);
	/* Something could not be done: why; NULL: all of it is done. */
	void (*problem)(const char *sentence, void *userdata);
	/* Somebody else's rules drop what containers need, and which; NULL: not any more, as far as is seen. */
	void (*refused)(const char *sentence, void *userdata);
	void *userdata;
};

int vd_keeper_worker_start(const struct vd_keeper_worker_options *options, struct vd_keeper_worker **ret, struct vd_error *error);
/* Waits for its end. What stands stays. */
void vd_keeper_worker_stop(struct vd_keeper_worker *worker);
/*
 * From now on it shall be like this; the rules are taken over (vd_keeper_rules_done), links of blocks are found by the thread. Before
 * the first call nothing is touched. number: larger each time, for `settled`.
 */
void vd_keeper_worker_give(struct vd_keeper_worker *worker, struct vd_firewall_rules *rules, uint64_t number);

/* Removes what an earlier thread set, when one did. */
int vd_keeper_worker_purge(const char *tag, const char *run_directory, struct vd_error *error);

struct vd_host_net;
/* What this host has routes to, by name, without the bridges of blocks; a new reference. docker_host NULL: nobody is asked. */
int vd_keeper_occupied_read(struct vd_host_net *net, const char *docker_host, const struct vd_firewall_rules *rules, json_t **ret,
			    struct vd_error *error);

#endif
