/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_GATEWAY_H
#define VD_API_GATEWAY_H

#include "store/store.h"

/*
 * The server side of etcd's v3 JSON gateway over any store, without HTTP: bodies in, bodies and status codes out. What other
 * hosts' daemons call with --store etcd://this-host. Served are the calls and fields that store/etcd.c sends (ranges are keys
 * and prefixes); other fields are refused with status 400, never ignored. Thread-safe as the store is; calls block as it does.
 */

/* Larger request bodies need not be read: 1.5 MiB in base64 and the JSON around 128 operations. */
#define VD_GATEWAY_BODY_SIZE_MAX (4u << 20)
#define VD_GATEWAY_PATH_WATCH "/v3/watch"

/*
 * Answers one POST: /v3/kv/range, /v3/kv/txn, /v3/kv/put, /v3/kv/deleterange, /v3/kv/compaction, /v3/lease/grant,
 * /v3/lease/keepalive, /v3/lease/revoke, /v3/kv/lease/revoke, /v3/maintenance/status. Any other path is answered with 404.
 * ret_body gets JSON (application/json; a NUL-terminated string to free), ret_status the HTTP status; both are set whenever 0
 * is returned, also for a refusal. -ENOMEM otherwise.
 */
int vd_gateway_call(struct vd_store *store, const char *path, const char *body, size_t size, char **ret_body, int *ret_status);

/* One open /v3/watch answer. */
struct vd_gateway_watch;

/*
 * Opens the store watch that a body of POST /v3/watch asks for ({"create_request": {…}}). 0: ret is set; answer with status 200,
 * application/json, and the lines of vd_gateway_watch_next until it ends. A refusal leaves ret untouched, returns a negative
 * errno other than -ENOMEM, and sets ret_body and ret_status as vd_gateway_call does.
 */
int vd_gateway_watch_new(struct vd_store *store, const char *body, size_t size, struct vd_gateway_watch **ret, char **ret_body,
			 int *ret_status);
/*
 * Blocks until there is a line: a JSON object with a newline behind it (a string to free). The first one comes at once.
 * 0; -ETIMEDOUT: none within timeout_ms, call again; -EPIPE: the watch has ended (compacted, or vd_gateway_watch_stop) and its
 * last line was handed out: end the answer; -ENOMEM: end the answer.
 * A client that asked for progress_notify gets a line at least every two seconds, so that it can tell a quiet store from a dead
 * one, and a server from a client that is gone.
 */
int vd_gateway_watch_next(struct vd_gateway_watch *watch, char **ret_line, unsigned timeout_ms);
/* Ends the watch: next returns -EPIPE soon, also on another thread that waits in it. For a server that stops. */
void vd_gateway_watch_stop(struct vd_gateway_watch *watch);
/* When no other thread is in next or stop any more. */
void vd_gateway_watch_free(struct vd_gateway_watch *watch);

#endif
