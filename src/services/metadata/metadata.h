/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_METADATA_METADATA_H
#define VD_SERVICES_METADATA_METADATA_H

#include "services/router/state.h"

/*
 * What an instance may read about itself at http://169.254.169.254/, as cloud-init's NoCloud source reads it (/meta-data, /user-data,
 * /vendor-data, /network-config) and as EC2's does (/latest/meta-data/…, /latest/user-data). Who asks is told by its address. Pure.
 */
struct vd_metadata {
	unsigned status; /* of HTTP: 200 or 404 */
	const char *content_type;
	char *body; /* to be freed; a sentence with status 404 */
	size_t size;
};

/* path: without query and fragment. 0, or -ENOMEM. */
int vd_metadata_get(const struct vd_router_state *state, const struct vd_address *client, const char *path,
		    struct vd_metadata *ret);

#endif
