/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_PEER_H
#define VD_API_PEER_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct vd_api;

/* Set on what one daemon asks of another, with the asker's name: the other answers by itself or not at all. */
#define VD_PEER_HEADER "Viaduct-Asked-By"

/* A question of api/live.h, put to another host's daemon by the API that its claim names. As vd_live.call. */
int vd_peer_call(struct vd_api *api, const char *host, const char *verb, const json_t *arguments, json_t **ret,
		 struct vd_error *error);
/* The same, put to ourselves where host is "" or our own name. */
int vd_peer_ask(struct vd_api *api, const char *host, const char *verb, const json_t *arguments, json_t **ret,
		struct vd_error *error);
/* As vd_live.stream. */
int vd_peer_stream(struct vd_api *api, const char *host, const char *verb, const json_t *arguments,
		   bool (*emit)(const json_t *object, void *emit_userdata), void *emit_userdata, struct vd_error *error);

#endif
