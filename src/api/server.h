/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_SERVER_H
#define VD_API_SERVER_H

#include "api/api.h"
#include "api/request.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* Shared inside api: what the request handlers know of the daemon that they answer for. */

struct vd_tokens;
struct vd_statuses;
struct vd_watchers;

/* How a request came in. Known before its daemon serves the first one. */
struct vd_door {
	struct vd_api *api;
	bool is_tcp;
};

struct vd_api {
	struct vd_api_options options; /* its strings are copies, in strings */
	char *strings[12];
	size_t string_count;
	struct vd_tokens *tokens;
	struct vd_statuses *statuses;
	struct vd_watchers *watchers;
	struct vd_replica *replica;
	struct vd_door socket_door, tcp_door;
	struct MHD_Daemon *socket_daemon, *tcp_daemon;
	char *tls_cert, *tls_key, *tls_ca; /* the files' text */
	atomic_bool stopping;
	/* Threads that feed live streams: stop waits until none is left. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned feeders;
};

/* One thing that can be asked for. src/api/openapi.yaml says the same in full; a test compares the two. */
struct vd_path {
	enum vd_method method;
	const char *pattern; /* {kinds} and {verb} take one segment, {name} and {call} the rest */
	const char *queries; /* the parameters it takes, separated by spaces */
	/* 0 when the request has its response, or a negative errno and the sentence to answer with. */
	int (*answer)(struct vd_request *request, struct vd_error *error);
};

/* The table; ends with pattern NULL. */
extern const struct vd_path vd_paths[];

/* apply.c */
int vd_answer_apply(struct vd_request *request, struct vd_error *error);
int vd_answer_delete(struct vd_request *request, struct vd_error *error);
int vd_answer_diff(struct vd_request *request, struct vd_error *error);
/* resource.c */
int vd_answer_list(struct vd_request *request, struct vd_error *error);
int vd_answer_get(struct vd_request *request, struct vd_error *error);
int vd_answer_put(struct vd_request *request, struct vd_error *error);
int vd_answer_remove(struct vd_request *request, struct vd_error *error);
/* kind.c */
int vd_answer_kinds(struct vd_request *request, struct vd_error *error);
/* status.c, metrics.c */
int vd_answer_status(struct vd_request *request, struct vd_error *error);
int vd_answer_version(struct vd_request *request, struct vd_error *error);
int vd_answer_metrics(struct vd_request *request, struct vd_error *error);
/* watch.c */
int vd_answer_watch(struct vd_request *request, struct vd_error *error);
/* live_call.c */
int vd_answer_live_call(struct vd_request *request, struct vd_error *error);
int vd_answer_live_stream(struct vd_request *request, struct vd_error *error);
int vd_answer_containers(struct vd_request *request, struct vd_error *error);
int vd_answer_container_call(struct vd_request *request, struct vd_error *error);
/* check.c */
int vd_answer_check(struct vd_request *request, struct vd_error *error);
/* gateway_http.c */
int vd_answer_gateway(struct vd_request *request, struct vd_error *error);

#endif
