/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_BLOCK_DUTY_H
#define VD_AGENT_BLOCK_DUTY_H

#include "model/block.h"

/*
 * What this host should do about blocks of container networks, from the model and from who lives. Pure; block.h does it.
 */
struct vd_block_office {
	const struct vd_model *model;
	const char *host; /* ours */
	int64_t now;      /* seconds since 1970 */
	bool (*is_alive)(const char *host, void *userdata);
	void *userdata;
};

enum vd_block_duty {
	VD_BLOCK_DUTY_NOTHING,
	VD_BLOCK_DUTY_TAKE,       /* ours: chosen for us, or quarantined while we were away */
	VD_BLOCK_DUTY_LEAVE,      /* ours, of a network that we do not take part in any more: it goes when no container is in it */
	VD_BLOCK_DUTY_QUARANTINE, /* of a host that does not live; whoever sees it may write it */
	VD_BLOCK_DUTY_END,        /* its quarantine is over; whoever sees it may take it away */
};

enum vd_block_duty vd_block_duty_of(const struct vd_block_office *office, const struct vd_container_block *block);

/*
 * The writes about the blocks with this duty; for TAKE also those about blocks that this host needs and does not have: one per family of
 * each container network that it takes part in. Where none is free there is no write, and ret_full (may be NULL) gets the network's
 * name. Items are to be freed; their texts are the model's and the office's.
 */
int vd_block_duties(const struct vd_block_office *office, enum vd_block_duty duty, struct vd_block_writes *ret,
		    const struct vd_container_network **ret_full);
/* When the next quarantine ends, in seconds since 1970; INT64_MAX: none stands. */
int64_t vd_block_duty_next(const struct vd_block_office *office);
/* Does any block of this host stand, or is it to have one? */
bool vd_block_duty_holds(const struct vd_model *model, const char *host);

#endif
