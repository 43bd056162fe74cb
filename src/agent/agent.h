/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_AGENT_H
#define VD_AGENT_AGENT_H

#include "agent/identity.h"
#include "api/live.h"
#include "base/address.h"
#include "store/store.h"

#include <stdint.h>

/*
 * The loop of one host: follow the store, compile, apply the difference, report. The only caller of datapath, host and services.
 *
 * Threads: the caller's runs the loop and is the only one that touches the kernel (vd_agent_run); the store's threads compile, under
 * the replica's lock; one thread of ours writes to the store (reporter.c), so that a slow store never holds up the loop.
 */
struct vd_agent;

/* An interface of this host that leads to a physical network. */
struct vd_agent_uplink {
	const char *physnet, *ifname;
};

struct vd_agent_options {
	const char *host;                           /* our name */
	const char *run_directory;                  /* exists and is locked (identity.h) */
	const struct vd_identity_of_host *identity; /* borrowed for vd_agent_new (identity.h) */
	const char *pin_directory;                  /* on a bpffs */
	struct vd_address underlay;                 /* family none: choose */
	uint16_t vxlan_port;                        /* UDP */
	const char *docker_host;                    /* docker/engine.h: who knows the names of this host's bridges */
	const char *api;                            /* URL that other hosts reach our API by; NULL: none */
	struct vd_store *store;                     /* borrowed */
	bool store_is_ours;                         /* no other host can be elected while this daemon is dead */
	uint32_t connections;                       /* most that this host tracks (and translates), 0: the data plane's default */
	const struct vd_agent_uplink *uplinks;      /* one for each physical network */
	size_t uplink_count;
};

/*
 * Adopts what stands in the kernel, claims the host's name, reads the store and brings the data plane to it. Waits
 * for a store that does not answer. Refuses with a sentence when another live daemon holds the name (-EEXIST) or a VXLAN pool asks for an address that the host does not have.
 */
int vd_agent_new(const struct vd_agent_options *options, struct vd_agent **ret, struct vd_error *error);
/* Runs until vd_agent_stop or SIGTERM, SIGINT. What is in the kernel stays. */
int vd_agent_run(struct vd_agent *agent);
/* From any thread or a signal handler's loop. */
void vd_agent_stop(struct vd_agent *agent);
void vd_agent_free(struct vd_agent *agent);

/* How api asks. Valid while the agent is. */
struct vd_live vd_agent_live(struct vd_agent *agent);

/* Takes away all that daemons with these options made in the kernel; the store is left alone. */
int vd_agent_purge(const struct vd_agent_options *options, struct vd_error *error);

#endif
