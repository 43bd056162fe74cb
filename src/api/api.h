/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_API_H
#define VD_API_API_H

#include "api/live.h"
#include "store/replica.h"

/*
 * The HTTP server of a daemon: REST and, when the store is local, the store gateway (etcd's v3 JSON calls) for other hosts.
 * Threads of its own. docs: src/api/openapi.yaml.
 */
struct vd_api;

struct vd_api_options {
	const char *host; /* our name */
	const char *
		socket_path; /* unix socket, mode 0660; peers are told by SO_PEERCRED: root, the daemon's user and the group "viaduct" may */
	const char *listen; /* "ADDR:PORT", NULL: none */
	const char *tls_cert, *tls_key, *tls_ca;
	const char *token_file; /* one token a line; # comments */
	bool insecure;          /* plain TCP without a token */
	bool gateway;           /* serve /v3/… from store */
	struct vd_store *store; /* borrowed */
	struct vd_live live;
	/* How to ask other hosts' daemons (claim.api). */
	const char *peer_token, *peer_ca;
};

int vd_api_start(const struct vd_api_options *options, struct vd_api **ret, struct vd_error *error);
/* Ends streams, waits for the threads. */
void vd_api_stop(struct vd_api *api);

#endif
