/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_ENGINE_H
#define VD_DOCKER_ENGINE_H

#include "base/error.h"

#include <jansson.h>

/* Questions to a Docker engine, by its API on its Unix socket. */
#define VD_DOCKER_ENGINE_HOST "unix:///var/run/docker.sock"

/*
 * host: "unix:PATH" or "unix://PATH" (as in DOCKER_HOST); NULL: the usual one. path begins with "/". body may be NULL. ret_answer: a
 * new reference, NULL when the answer has none. -ENOENT: nobody listens there; -EINVAL: not such a host; -EREMOTEIO: it refuses, the
 * sentence has its words; -ETIMEDOUT after some seconds; -EPROTO: whoever listens there speaks something else.
 */
int vd_docker_engine_call(const char *host, const char *method, const char *path, const json_t *body, json_t **ret_answer,
			  struct vd_error *error);

#endif
