/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_WRITE_H
#define VD_API_WRITE_H

#include "api/identity.h"
#include "api/request.h"

struct vd_write_options {
	bool dry_run;     /* says what would change, writes nothing */
	bool documents;   /* the reply shows each change's document before and after */
	bool wait;        /* answers when every living host obeys */
	unsigned timeout; /* seconds that wait waits */
	char request[VD_REQUEST_ID_SIZE];
};

/* Both validate against the whole model, write in one transaction, and set the request's response. */
int vd_write_documents(struct vd_request *request, const json_t *documents, const char *project,
		       const struct vd_write_options *options, struct vd_error *error);
int vd_write_deletion(struct vd_request *request, const struct vd_identities *identities, const struct vd_write_options *options,
		      struct vd_error *error);

#endif
