/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_GATEWAY_H
#define VD_AGENT_GATEWAY_H

#include "agent/election.h"
#include "store/replica.h"

/*
 * This host's part in the elections: a thread that follows who lives, takes what nobody holds and gives back what this host cannot hold
 * any more.
 *
 * Why no two hosts ever translate with one virtual IP. A host dies for the others when its key below status/alive goes with its lease;
 * its data plane has refused new translations a second before (vd_gateway_deadline). Who takes over has seen the key gone and the
 * store's epoch before that, and writes only if the epoch is still the same. A host whose lease was lost and that comes back moves the
 * epoch first (vd_gateways_confirm), waits until it sees all before it, and only then sets a new deadline: whoever took over did so
 * where it sees it, or fails.
 */
struct vd_gateways;

struct vd_gateways_options {
	const char *host, *boot_id;
	struct vd_store *store;
	struct vd_replica *replica;
	/* The revision that this host's data plane obeys; called on the thread. */
	int64_t (*applied)(void *userdata);
	void *userdata;
};

/* Everything borrowed. */
int vd_gateways_new(const struct vd_gateways_options *options, struct vd_gateways **ret, struct vd_error *error);
/* Returns when the thread has ended. */
void vd_gateways_free(struct vd_gateways *gateways);
/* The model changed in something that elections depend on. From any thread. */
void vd_gateways_wake(struct vd_gateways *gateways);
/* Whether changes (NULL: anything) are such. */
bool vd_gateways_concern(const struct vd_changes *changes);
/*
 * To be called when the lease was taken anew, before a deadline is set. 0: what the model says about this host's gateways is as new as the
 * lease.
 */
int vd_gateways_confirm(struct vd_gateways *gateways, struct vd_error *error);
/* Whether this host holds one. */
bool vd_gateways_hold(struct vd_gateways *gateways);

#endif
