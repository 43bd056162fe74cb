/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_CONTAINER_H
#define VD_CLIENT_CONTAINER_H

#include "client/client.h"

/* How the CNI and Docker programs ask the daemon of their own host: the container verbs of api/live.h. */

enum vd_container_verb {
	VD_CONTAINER_VERB_ADD,
	VD_CONTAINER_VERB_RESERVE,
	VD_CONTAINER_VERB_RELEASE,
	VD_CONTAINER_VERB_CHECK,
	VD_CONTAINER_VERB_DELETE,
	VD_CONTAINER_VERB_LIST,
	VD_CONTAINER_VERB_GC,
};

/*
 * server: as vd_client_options has it. arguments (borrowed, NULL: none) and ret as api/live.h says; ret NULL: not wanted. A refusal
 * is the daemon's own sentence and the errno of containers/code.h; otherwise vd_client_request's. -ECONNREFUSED: no daemon answers,
 * try again later; -EIO, -ETIMEDOUT: whether the order was carried out is unknown: with the same key it may be repeated. Each call is
 * a connection of its own: from any thread.
 */
int vd_client_container(const char *server, enum vd_container_verb verb, const json_t *arguments, json_t **ret,
			struct vd_error *error);

#endif
