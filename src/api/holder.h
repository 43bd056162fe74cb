/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_HOLDER_H
#define VD_API_HOLDER_H

#include "api/request.h"
#include "model/change.h"

/*
 * Waiting for gateways: a VPC that was just attached to a network leaves by no host until one has taken the router's own address there.
 * The hosts choose by themselves, a moment after they see the attachment.
 */

/* The VPCs and networks that a change names, also those that it leaves as they are. Under the replica's lock; a new reference. */
json_t *vd_holders_asked(const struct vd_changes *changes);
/*
 * Waits until each system virtual_ip of those has a holder and all living hosts obey that. What no living host can hold is not waited for:
 * notes gets a sentence about it. -ETIMEDOUT with a sentence that names one; -ESHUTDOWN.
 */
int vd_holders_wait(struct vd_api *api, const json_t *asked, unsigned seconds, json_t *notes, struct vd_error *error);

#endif
