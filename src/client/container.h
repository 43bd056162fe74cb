/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_CONTAINER_H
#define VD_CLIENT_CONTAINER_H

#include "base/error.h"

#include <jansson.h>

/*
 * How the CNI and Docker programs ask the daemon of their own host: the container verbs of api/live.h over its unix socket. Each call
 * is a connection of its own, so any thread may ask at any time; no libcurl, whose start would cost a short-lived program more than
 * the question.
 */
#define VD_CONTAINER_SOCKET_DEFAULT "/run/viaduct/viaduct.sock"

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
 * socket: a path ("unix:" before it does no harm); NULL: VIADUCT_SERVER when that names a socket, else the default. arguments (NULL:
 * none) and ret as api/live.h says; ret NULL: not wanted. Waits timeout_ms for the answer. A refusal is the daemon's own sentence and
 * the errno of containers/code.h; -ECONNREFUSED: no daemon answers (try again later), -ETIMEDOUT, -ESHUTDOWN: it is stopping,
 * -EIO: the connection broke, and whether the order was carried out is unknown: repeat it, with the same key it is the same order.
 */
int vd_client_container(const char *socket, enum vd_container_verb verb, const json_t *arguments, unsigned timeout_ms, json_t **ret,
			struct vd_error *error);

#endif
