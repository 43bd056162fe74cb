/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_DRIVER_H
#define VD_DOCKER_DRIVER_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Docker's network and IPAM driver "viaduct", as its plugin protocol says (moby: libnetwork/docs/remote.md, ipam.md): each method is
 * a POST with a JSON object, answered by one, {"Err": sentence} when refused. Nothing is remembered here: what Docker's ids stand for
 * is in the names of the daemon's containers ("docker/<endpoint>") and reservations ("docker-address/<network>/<address>"), so that
 * either side may restart at any time. Thread-safe as far as ask is.
 */

/* X(ENUMERATOR, word, what it is asked): arguments and replies of the first ones are those of api/live.h's container verbs. */
#define VD_DOCKER_QUESTIONS(X) \
	X(ADD, "add") \
	X(DELETE, "delete") \
	X(RESERVE, "reserve") \
	X(RELEASE, "release") \
	X(LIST, "list") \
	X(NETWORKS, "networks") /* {} -> {"networks": [{"name": "project/name", "cidrs": [text]}]}: every container network */

enum vd_docker_question {
#define X(question, ...) VD_DOCKER_QUESTION_##question,
	VD_DOCKER_QUESTIONS(X)
#undef X
};

/* How the driver asks the host's daemon: 0 and a new reference in ret, or a negative errno and a sentence. */
struct vd_docker_daemon {
	int (*ask)(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error);
	void *userdata;
};

#define VD_DOCKER_ADDRESS_SPACE "viaduct"

/*
 * path: "/NetworkDriver.Join"; body: size bytes. Always an object (NULL without memory), a new reference; ret_status: 200, or 404 for
 * a method that is none of ours, 400 for a body that is no object, 500 with a refusal.
 */
json_t *vd_docker_answer(const struct vd_docker_daemon *daemon, const char *path, const char *body, size_t size,
			 unsigned *ret_status);

#endif
