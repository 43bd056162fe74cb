/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_CLIENT_H
#define VD_CLIENT_CLIENT_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* How CLI, CNI and Docker talk to a daemon's API: libcurl over its unix socket, or HTTPS. Not thread-safe. */
struct vd_client;

#define VD_CLIENT_SERVER_DEFAULT "unix:/run/viaduct/viaduct.sock"

struct vd_client_options {
	const char *server;     /* "unix:PATH", "https://ADDR:PORT"; "http://…" only when insecure. NULL: VIADUCT_SERVER, else the
				   default */
	const char *token_file; /* its first token is shown; NULL: VIADUCT_TOKEN_FILE */
	const char *ca, *cert, *key; /* PEM files; NULL: VIADUCT_CA, VIADUCT_CERT, VIADUCT_KEY */
	bool insecure;
};

/* Does not connect yet. */
int vd_client_open(const struct vd_client_options *options, struct vd_client **ret, struct vd_error *error);
void vd_client_close(struct vd_client *client);
/* While a call lasts longer than two seconds, this is said on standard error: "waiting for every host". NULL: nothing. */
void vd_client_set_progress(struct vd_client *client, const char *text);

struct vd_reply {
	long status;
	char *text; /* NUL-terminated behind size */
	size_t size;
};

void vd_reply_clear(struct vd_reply *reply);

/*
 * method "GET", "PUT", "POST", "DELETE"; path with its query, "/v1/…". body NULL: none. 0 with ret set when the server answered
 * 200; otherwise the server's own sentence and an errno (-ENOENT 404, -EBUSY 409, -EINVAL other 4xx, -EIO 5xx, -ETIMEDOUT 504), or
 * -ECONNREFUSED when it cannot be reached. On a refusal ret is set too when the server answered: a wait that timed out tells there
 * what was changed.
 */
int vd_client_request(struct vd_client *client, const char *method, const char *path, const char *body, size_t size,
		      struct vd_reply *ret, struct vd_error *error);
/* The same with JSON both ways. body (borrowed) may be NULL, ret too. */
int vd_client_call(struct vd_client *client, const char *method, const char *path, const json_t *body, json_t **ret,
		   struct vd_error *error);
/* Objects as they come, one a line, until the server ends or take returns false. An object {"error": …} ends it as a failure. */
int vd_client_stream(struct vd_client *client, const char *method, const char *path, const json_t *body,
		     bool (*take)(const json_t *object, void *userdata), void *userdata, struct vd_error *error);

/* Ends a stream under way within a second, as if take had returned false; from any thread. Later ones end at once. */
void vd_client_stop(struct vd_client *client);

/* Text as one segment of a path or one value of a query; a string to free. */
char *vd_client_escape(const char *text);

#endif
